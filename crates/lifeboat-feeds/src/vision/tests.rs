//! Extracts through the reader, the feed, and the records that are built from them.

mod round_trip;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use jiff::civil::{Date, date};
use lifeboat_clinical::record::PatientRecord;
use lifeboat_clinical::view::{AllergyHeader, PatientView, patient_view};
use lifeboat_clinical::{
    DayWindow, FeedProfile, SectionId, SharedResources, build_patient_record, outline, split,
};
use proptest::prelude::*;

use super::FEED;
use crate::batch::{Batch, BatchKind, FileFacts, ReadHead};
use crate::feed::{Mapped, Mapping, TableFeed, table};
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::rules::Rules;
use crate::synth::Sink;
use crate::table::{TableLimits, TableReader};

const TODAY: Date = date(2026, 11, 21);

/// Files by their names.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl ReadHead for Files {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        let bytes = self.0.values().nth(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(bytes_max)].to_vec())
    }
}

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect())
    }

    fn facts(&self) -> Vec<FileFacts> {
        self.0
            .iter()
            .map(|(path, bytes)| FileFacts { path: path.clone(), bytes: bytes.len() as u64 })
            .collect()
    }

    fn batches(&self) -> Vec<Batch> {
        let mut batches = FEED.batches(&self.facts(), self);
        batches.sort_by(|a, b| a.order.cmp(&b.order));
        batches
    }
}

/// A folder in memory that a writer writes to.
#[derive(Clone, Default)]
struct Folder(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

struct Open(Folder, String);

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.0.0.lock().expect("one thread");
        files.entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        self.0.lock().expect("one thread").insert(path.to_owned(), Vec::new());
        Ok(Box::new(Open(self.clone(), path.to_owned())))
    }
}

/// All rows that are kept, by patient.
#[derive(Default)]
struct Kept {
    patients: BTreeMap<String, UnitRows>,
    shared: UnitRows,
    supplied: BTreeSet<String>,
    bad: Vec<String>,
}

impl Kept {
    fn read(files: &Files) -> Self {
        let mut kept = Self::default();
        kept.apply(files);
        kept
    }

    fn apply(&mut self, files: &Files) {
        let facts = files.facts();
        for batch in files.batches() {
            assert_eq!(batch.refused, None);
            for held in &batch.tables {
                let spec = table(&FEED, held.table).expect("a table of the feed");
                self.supplied.insert(spec.name.to_owned());
                let bytes = files.0[&facts[held.file].path].as_slice();
                let reader = TableReader::open(bytes, spec, FEED.dialect(spec), TableLimits::default());
                for row in reader.expect("a table") {
                    match row {
                        Ok(values) => self.change(spec, values),
                        Err(problem) => self.bad.push(problem.to_string()),
                    }
                }
            }
        }
    }

    fn change(&mut self, spec: &'static crate::TableSpec, values: Values) {
        match FEED.change(spec, values) {
            Ok(RowChange::Put { unit, table: name, key, values }) => {
                let spec = table(&FEED, name).expect("a table of the feed");
                let rows = match unit {
                    Unit::Patient(patient) => self.patients.entry(patient).or_default(),
                    Unit::Day(_) | Unit::Shared => &mut self.shared,
                };
                rows.put(spec, &key, values);
            }
            Ok(RowChange::Remove { unit: Some(Unit::Patient(patient)), table, key }) => {
                if let Some(rows) = self.patients.get_mut(&patient) {
                    rows.remove(table, &key);
                }
            }
            Ok(RowChange::RemovePatient { patient }) => {
                self.patients.remove(&patient);
            }
            Ok(RowChange::Remove { .. } | RowChange::Ignore) => {}
            Err((column, reason)) => self.bad.push(format!("{column:?}: {reason}")),
        }
    }

    fn mapped(&self, patient: &str, rules: &Rules) -> Mapped {
        let mapping = Mapping { rules, shared: &self.shared, supplied: &self.supplied };
        FEED.patient(&self.patients[patient], &mapping)
    }
}

/// Builds the record of the one patient of a document.
fn record(document: &[u8]) -> PatientRecord {
    let outline = outline(document).expect("FHIR R4");
    assert_eq!(outline.skipped, [], "everything is usable");
    let pieces = split(document, &DayWindow { first: TODAY, last: TODAY }).expect("FHIR R4");
    build_patient_record(
        pieces,
        &SharedResources::default(),
        &FeedProfile { supplied: outline.types, ..FeedProfile::default() },
        TODAY,
    )
}

/// A row of a table with these columns, as CSV.
fn row(name: &str, values: &[(&str, &str)]) -> String {
    let spec = table(&FEED, name).expect("a table of the feed");
    for (column, _) in values {
        assert!(spec.column(column).is_some(), "{name} has no {column}");
    }
    let fields = spec
        .columns
        .iter()
        .map(|column| values.iter().find(|(name, _)| *name == column.name).map_or("", |(_, value)| value));
    crate::synth::csv_row(fields)
}

const PERSON: &[(&str, &str)] = &[
    ("PID", "1"),
    ("SURNAME", "Person"),
    ("FORENAME", "Test Second"),
    ("DATE_OF_BIRTH", "19800000"),
    ("SEX", "F"),
    ("NHS_NUMBER", "9990000018"),
    ("GP_USUAL", ":STAFF:5"),
    ("ADDRESS_2", "1 Test Street"),
    ("POSTCODE", "ZZ99 1AA"),
    ("ACTIVE", "R"),
];

/// An extract of one patient with these rows of the journal.
fn extract(journal: &[&[(&str, &str)]]) -> Files {
    let mut text = String::new();
    for (at, values) in journal.iter().enumerate() {
        let id = (at + 1).to_string();
        let mut values = values.to_vec();
        values.push(("PID", "1"));
        if !values.iter().any(|(name, _)| *name == "ID") {
            values.push(("ID", &id));
        }
        text.push_str(&row("Journal", &values));
    }
    Files::of(&[
        ("FULL_A81001_patient_data_extract-2026-11-21-000500.csv", &row("Patient", PERSON)),
        ("FULL_A81001_journal_data_extract-2026-11-21-000500.csv", &text),
        (
            "FULL_A81001_encounter_data_extract-2026-11-21-000500.csv",
            &row(
                "Encounter",
                &[
                    ("PID", "1"),
                    ("ID", "7"),
                    ("DATE", "20261101"),
                    ("TIME", "0905"),
                    ("HCP", ":STAFF:5"),
                    ("SESSION", "G"),
                ],
            ),
        ),
        (
            "FULL_A81001_staff_data_extract-2026-11-21-000500.csv",
            &row("Staff", &[("ID", "5"), ("TITLE", "Dr"), ("FORENAME", "Usual"), ("SURNAME", "Doctor")]),
        ),
    ])
}

fn view(journal: &[&[(&str, &str)]]) -> PatientView {
    let mapped = Kept::read(&extract(journal)).mapped("1", &Rules::default());
    patient_view(&record(&mapped.document.expect("a document")).bytes, TODAY).expect("a record")
}

fn text_of(view: &PatientView, section: SectionId) -> String {
    let rows = view.sections[section.order()].tables.iter().flat_map(|table| &table.rows);
    let rows =
        rows.map(|row| row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | "));
    rows.collect::<Vec<_>>().join("\n")
}

/// Columns of a row with their values.
type Columns<'a> = &'a [(&'a str, &'a str)];

/// A row of the journal, where it lands, and what it says there.
type Landing = (&'static [(&'static str, &'static str)], SectionId, &'static [&'static str]);

const LANDINGS: &[Landing] = &[
    (
        &[("SUBSET", "P"), ("RUBRIC", "Asthma"), ("DATE", "20100300"), ("SNOMED_CODE", "195967001")],
        SectionId::ActiveProblems,
        &["Mar-2010", "Asthma"],
    ),
    (
        &[("SUBSET", "P"), ("RUBRIC", "Broken arm"), ("DATE", "20240231"), ("END_DATE", "20250101")],
        SectionId::PastProblems,
        &["Broken arm", "01-Jan-2025", "20240231"],
    ),
    (
        &[
            ("SUBSET", "A"),
            ("RUBRIC", "Amoxicillin"),
            ("DATE", "20261101"),
            ("VALUE1", "21"),
            ("DRUG_FORM", "capsule"),
            ("TEXT", "1 tds"),
        ],
        SectionId::AcuteMedication,
        &["Acute", "1 tds", "21 capsule"],
    ),
    (
        &[
            ("SUBSET", "R"),
            ("RUBRIC", "Ramipril"),
            ("DATE", "20200101"),
            ("TEXT", "1 od"),
            ("VALUE1", "28 tabs"),
        ],
        SectionId::RepeatMedication,
        &["Repeat", "Active", "1 od", "28 tabs"],
    ),
    (
        &[("SUBSET", "R"), ("RUBRIC", "Ramipril"), ("DATE", "20200101"), ("END_DATE", "20260101")],
        SectionId::PastMedication,
        &["Ramipril", "Stopped", "01-Jan-2026"],
    ),
    (
        &[("SUBSET", "S"), ("RUBRIC", "Loose drug"), ("DATE", "20261001"), ("LINKS", "99")],
        SectionId::RepeatMedication,
        &["Loose drug", "Unknown", "not in the extract"],
    ),
    (
        &[("SUBSET", "I"), ("RUBRIC", "Flu"), ("IMMS_STATUS", "Refused"), ("IMMS_REASON", "Declined")],
        SectionId::Immunisations,
        &["NOT GIVEN: Flu", "Declined"],
    ),
    (
        &[("SUBSET", "I"), ("RUBRIC", "Flu"), ("IMMS_STATUS", "Odd")],
        SectionId::Immunisations,
        &["Flu", "Immunisation status: Odd"],
    ),
    (
        &[("SUBSET", "T"), ("RUBRIC", "Sodium"), ("VALUE1", "5.10"), ("VALUE1_UNITS", "mmol/L")],
        SectionId::Results,
        &["Sodium", "5.10 mmol/L"],
    ),
    (
        &[
            ("SUBSET", "T"),
            ("RUBRIC", "O/E - BP"),
            ("CODE", "246..00"),
            ("VALUE1", "120"),
            ("VALUE2", "80"),
            ("ENTITY", "BP"),
        ],
        SectionId::Observations,
        &["Systolic blood pressure: 120", "Diastolic blood pressure: 80"],
    ),
    (
        &[("SUBSET", "C"), ("RUBRIC", "Smoking"), ("ENTITY", "SMOKING"), ("VALUE1", "10"), ("VALUE2", "2")],
        SectionId::SocialHistory,
        &["10", "ex-smoker"],
    ),
    (
        &[("SUBSET", "C"), ("RUBRIC", "Appendicectomy"), ("CODE", "770..00")],
        SectionId::Procedures,
        &["Appendicectomy"],
    ),
    (
        &[("SUBSET", "Q"), ("RUBRIC", "Something else"), ("TEXT", "words")],
        SectionId::OtherItems,
        &["Something else", "words"],
    ),
];

#[test]
fn every_subset_of_the_journal_lands_where_clinicians_look() {
    for (values, section, expected) in LANDINGS {
        let text = text_of(&view(&[values]), *section);
        for words in *expected {
            assert!(text.contains(words), "{section}: {words:?} is not in:\n{text}");
        }
    }
}

#[test]
fn allergies_are_allergies_whatever_else_their_rows_carry() {
    let known = |journal: &[&[(&str, &str)]]| match view(journal).allergies {
        AllergyHeader::Known(lines) => {
            lines.into_iter().map(|line| line.substance).collect::<Vec<_>>().join(", ")
        }
        AllergyHeader::NoneKnown { .. } => "none known".to_owned(),
        AllergyHeader::NotRecorded => "not recorded".to_owned(),
        AllergyHeader::Unavailable { .. } => "unavailable".to_owned(),
    };
    let cases: [(&[Columns<'_>], &str); 7] = [
        (
            &[&[
                ("SUBSET", "L"),
                ("RUBRIC", "Penicillin"),
                ("VALUE1", "5"),
                ("END_DATE", "20200101"),
                ("SEVERITY", "24484000"),
            ]],
            "Penicillin",
        ),
        (&[&[("SUBSET", "C"), ("RUBRIC", "H/O: latex allergy"), ("CODE", "14L..00")]], "H/O: latex allergy"),
        (&[&[("SUBSET", "P"), ("RUBRIC", "Anaphylaxis"), ("CODE", "SN50.00")]], "Anaphylaxis"),
        (&[&[("SUBSET", "C"), ("RUBRIC", "No known allergies"), ("CODE", "1151.00")]], "none known"),
        (&[&[("SUBSET", "L"), ("RUBRIC", "No known allergy"), ("SNOMED_CODE", "716186003")]], "none known"),
        (&[&[("SUBSET", "L")]], "Substance not recorded"),
        (&[], "not recorded"),
    ];
    for (journal, expected) in cases {
        assert_eq!(known(journal), expected, "{journal:?}");
    }
    assert!(
        text_of(
            &view(&[&[("SUBSET", "P"), ("RUBRIC", "Anaphylaxis"), ("CODE", "SN50.00")]]),
            SectionId::ActiveProblems
        )
        .contains("Anaphylaxis")
    );
}

#[test]
fn issues_say_when_their_repeat_was_last_issued() {
    let issue =
        |id, date| [("SUBSET", "S"), ("ID", id), ("RUBRIC", "Ramipril"), ("DATE", date), ("LINKS", "E7|1")];
    let view = view(&[
        &[("SUBSET", "R"), ("ID", "1"), ("RUBRIC", "Ramipril"), ("DATE", "20200101")],
        &issue("2", "20261101"),
        &issue("3", "20261015"),
    ]);
    let text = text_of(&view, SectionId::RepeatMedication);
    assert!(text.contains("| 01-Nov-2026 | 2 |"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn a_consultation_shows_what_was_recorded_in_it_and_by_whom() {
    let view = view(&[&[
        ("SUBSET", "C"),
        ("RUBRIC", "Cough"),
        ("TEXT", "chest clear"),
        ("LINKS", "E7"),
        ("HCP", ":EXT_STAFF:3,Nurse Away"),
    ]]);
    let text = text_of(&view, SectionId::Encounters);
    for words in ["01-Nov-2026 09:05", "General consultation", "Cough", "chest clear", "Dr Usual Doctor"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text_of(&view, SectionId::OtherItems).contains("Nurse Away"));
    assert_eq!(view.banner.usual_gp.as_deref(), Some("Dr Usual Doctor"));
    assert_eq!(view.banner.born, "1980");
}

#[test]
fn rows_of_the_older_version_are_kept_in_the_shape_of_the_newer() {
    let older = Files::of(&[
        ("FULL_A81001_patient_data_extract-2026-11-21-000500.csv", &row("Patient (test pack)", PERSON)),
        (
            "FULL_A81001_journal_data_extract-2026-11-21-000500.csv",
            &row("Journal (test pack)", &[("PID", "1"), ("ID", "2"), ("SUBSET", "P"), ("RUBRIC", "Asthma")]),
        ),
        (
            "FULL_A81001_staff_data_extract-2026-11-21-000500.csv",
            &row("Staff (test pack)", &[("ID", "5"), ("SURNAME", "Doctor"), ("TITLE", "Dr")]),
        ),
    ]);
    let kept = Kept::read(&older);
    assert_eq!(kept.shared.row("Staff", "5").and_then(|row| row.text("SURNAME")), Some("Doctor"));
    let mapped = kept.mapped("1", &Rules::default());
    let record = record(&mapped.document.expect("a document"));
    assert_eq!(record.person.usual_gp.as_deref(), Some("Dr Doctor"));
    assert_eq!(record.sections[SectionId::ActiveProblems.order()].2, 1);
}

#[test]
fn batches_are_known_by_names_and_refused_when_columns_do_not_fit() {
    let patient = row("Patient", PERSON);
    let journal = row("Journal", &[("PID", "1"), ("ID", "2")]);
    let name = |kind: &str, table: &str, time: &str| {
        format!("{kind}_A81001_{table}_data_extract-2026-11-{time}.csv")
    };
    let mut files = Files::default();
    for (kind, table, time, text) in [
        ("INCREMENTAL", "journal", "22-000500", &journal),
        ("FULL", "patient", "21-000500", &patient),
        ("FULL", "journal", "21-000507", &journal),
        ("ADDITIONAL", "active_user", "21-000500", &"x".to_owned()),
        ("INCREMENTAL", "journal", "23-000500", &"1,2,3\r\n".to_owned()),
        ("FULL", "patient", "24-000500", &patient),
        ("INCREMENTAL", "surprise", "25-000500", &journal),
    ] {
        files.0.insert(name(kind, table, time), text.as_bytes().to_vec());
    }
    files.0.insert("readme.csv".to_owned(), b"x".to_vec());
    let found: Vec<(String, BatchKind, usize, bool)> = files
        .batches()
        .into_iter()
        .map(|batch| (batch.name, batch.kind, batch.tables.len(), batch.refused.is_some()))
        .collect();
    let expected = [
        ("FULL_A81001_2026-11-21T00:05:00", BatchKind::Full, 2, false),
        ("ADDITIONAL_A81001_2026-11-21T00:05:00", BatchKind::Delta, 0, false),
        ("INCREMENTAL_A81001_2026-11-22T00:05:00", BatchKind::Delta, 1, false),
        ("INCREMENTAL_A81001_2026-11-23T00:05:00", BatchKind::Delta, 0, true),
        ("FULL_A81001_2026-11-24T00:05:00", BatchKind::Full, 1, true),
        ("INCREMENTAL_A81001_2026-11-25T00:05:00", BatchKind::Delta, 0, false),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, kind, tables, refused)| (name.to_owned(), kind, tables, refused))
        .collect();
    assert_eq!(found, expected);
    let drift = files.batches().into_iter().flat_map(|batch| batch.problems).map(|problem| problem.reason);
    assert!(drift.collect::<Vec<_>>().contains(&Reason::UnknownTable));
}

#[test]
fn deletions_and_bad_rows_touch_nothing_else() {
    let mut kept =
        Kept::read(&extract(&[&[("SUBSET", "P"), ("RUBRIC", "A")], &[("SUBSET", "P"), ("RUBRIC", "B")]]));
    let deleted = row("Journal", &[("PID", "1"), ("ID", "1"), ("ACTION", "d")]);
    let bad = format!("{deleted}1,2,3\r\n{}a\0b\r\n", row("Journal", &[("PID", "1")]));
    kept.apply(&Files::of(&[("INCREMENTAL_A81001_journal_data_extract-2026-11-22-000500.csv", &bad)]));
    assert_eq!(kept.patients["1"].rows("Journal").count(), 1);
    assert!(kept.bad.len() >= 2, "{:?}", kept.bad);
    let gone = row("Patient", &[("PID", "1"), ("ACTION", "D")]);
    kept.apply(&Files::of(&[("INCREMENTAL_A81001_patient_data_extract-2026-11-23-000500.csv", &gone)]));
    assert!(kept.patients.is_empty());
}

#[test]
fn an_excluded_patient_has_no_document_and_rows_without_a_patient_are_reported() {
    let kept = Kept::read(&extract(&[]));
    let rules = Rules { excluded: ["9990000018".to_owned()].into(), ..Rules::default() };
    assert_eq!(kept.mapped("1", &rules).document, None);
    let mut stray = Kept::default();
    let spec = table(&FEED, "Journal").expect("a table");
    let mut values: Values = spec.columns.iter().map(|_| None).collect();
    values[0] = Some("8".into());
    values[1] = Some("1".into());
    stray.change(spec, values);
    let mapped = stray.mapped("8", &Rules::default());
    assert_eq!((mapped.document, mapped.problems.len()), (None, 1));
}

proptest! {
    #[test]
    fn any_values_are_survived(fields in proptest::collection::vec("[ -~é\0]{0,12}", 42), kind in "[ARSPILTCX ]") {
        let spec = table(&FEED, "Journal").expect("a table");
        let mut kept = Kept::read(&extract(&[]));
        let mut values: Values = fields.iter().map(|field| Some(field.as_str().into())).collect();
        values[0] = Some("1".into());
        values[40] = Some(kind.as_str().into());
        kept.change(spec, values);
        let mapped = kept.mapped("1", &Rules::default());
        prop_assert!(outline(&mapped.document.expect("a document")).is_ok());
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in "(FULL|INCREMENTAL)_A81001_(journal|patient|staff)_data_extract-2026-11-2[0-9]-00050[0-9].csv") {
        let files = Files([(name, bytes.clone())].into());
        let _ = files.batches();
        for spec in FEED.tables() {
            if let Ok(reader) = TableReader::open(bytes.as_slice(), spec, FEED.dialect(spec), TableLimits::default()) {
                for row in reader.flatten() {
                    let _ = FEED.change(spec, row);
                }
            }
        }
    }
}
