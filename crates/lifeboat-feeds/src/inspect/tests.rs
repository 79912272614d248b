use super::*;
use crate::batch::{Batch, BatchTable};
use crate::feed::{Mapped, Mapping};
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{ColumnSpec, Place, TableSpec};

/// A feed of three tables: people, what they have, and the words for it.
struct Small;

static TABLES: [TableSpec; 3] = [
    TableSpec {
        name: "People",
        columns: &[ColumnSpec::required("Id"), ColumnSpec::optional("Gone")],
        key: &["Id"],
        place: Place::Patient("Id"),
        sections: &[],
    },
    TableSpec {
        name: "Things",
        columns: &[
            ColumnSpec::required("Id"),
            ColumnSpec::required("Who"),
            ColumnSpec::optional("Word").in_table("Words"),
        ],
        key: &["Id"],
        place: Place::Patient("Who"),
        sections: &[SectionId::Observations],
    },
    TableSpec {
        name: "Words",
        columns: &[ColumnSpec::required("Id"), ColumnSpec::required("Text")],
        key: &["Id"],
        place: Place::Shared,
        sections: &[],
    },
];

impl TableFeed for Small {
    fn format(&self) -> Format {
        Format::EmisWeb
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        &TABLES
    }

    fn batches(&self, files: &[FileFacts], _: &dyn ReadHead) -> Vec<Batch> {
        let mut batches: BTreeMap<&str, Batch> = BTreeMap::new();
        for (at, file) in files.iter().enumerate() {
            let Some((folder, name)) = file.path.split_once('/') else { continue };
            let Some(table) = TABLES.iter().find(|table| name.starts_with(table.name)) else { continue };
            let full = folder.ends_with("full");
            let batch = batches.entry(folder).or_insert_with(|| Batch {
                name: folder.to_owned(),
                order: folder.to_owned(),
                kind: if full { BatchKind::Full } else { BatchKind::Delta },
                from: None,
                until: None,
                practice: Some("A81001".to_owned()),
                exported: None,
                tables: vec![],
                problems: vec![],
                refused: None,
            });
            batch.tables.push(BatchTable { file: at, table: table.name });
        }
        batches.into_values().collect()
    }

    fn change(
        &self,
        spec: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let text = |at: usize| values[at].as_deref().unwrap_or_default().to_owned();
        let unit = match spec.name {
            "People" => Unit::Patient(text(0)),
            "Things" if text(1).is_empty() => return Err((Some("Who"), Reason::EmptyValue)),
            "Things" => Unit::Patient(text(1)),
            _ => Unit::Shared,
        };
        if spec.name == "People" && text(1) == "yes" {
            return Ok(RowChange::RemovePatient { patient: text(0) });
        }
        Ok(RowChange::Put { unit, table: spec.name, key: text(0), values })
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        let Some(person) = rows.rows("People").next() else { return Mapped::default() };
        let id = person.key();
        let mut entry = vec![serde_json::json!({"resource": {"resourceType": "Patient", "id": id}})];
        let mut problems = vec![];
        for thing in rows.rows("Things") {
            let word = thing.text("Word").and_then(|word| mapping.shared.row("Words", word));
            match word.and_then(|word| word.text("Text")) {
                None => problems.push(Problem::at("Things.Word", Reason::Unresolved)),
                Some(text) => entry.push(serde_json::json!({"resource": {
                    "resourceType": if text == "odd" { "Basic" } else { "AllergyIntolerance" }, "id": thing.key(),
                    "subject": {"reference": format!("Patient/{id}")}, "patient": {"reference": format!("Patient/{id}")},
                    "code": {"text": text},
                }})),
            }
        }
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "collection", "entry": entry});
        Mapped { document: Some(bundle.to_string().into_bytes()), problems }
    }

    fn day(&self, _: Date, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }
}

struct Folder(Vec<FileFacts>, Vec<Vec<u8>>);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Self {
        let facts =
            |(path, text): &(&str, &str)| FileFacts { path: (*path).into(), bytes: text.len() as u64 };
        Self(
            files.iter().map(facts).collect(),
            files.iter().map(|(_, text)| text.as_bytes().to_vec()).collect(),
        )
    }
}

impl ReadHead for Folder {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        Ok(self.1[file][..self.1[file].len().min(bytes_max)].to_vec())
    }
}

impl SourceFiles for Folder {
    fn files(&self) -> &[FileFacts] {
        &self.0
    }

    fn open(&self, file: usize) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.1[file].as_slice()))
    }
}

fn options() -> InspectOptions {
    InspectOptions::new(Rules::default(), jiff::civil::date(2026, 11, 21))
}

#[test]
fn batches_and_tables_are_counted_and_what_is_left_out_is_said() {
    let folder = Folder::of(&[
        ("1full/People.csv", "Id,Gone\nPETRA,\nQUENTIN,\n"),
        (
            "1full/Things.csv",
            "Id,Who,Word,Extra\n1,PETRA,w1,x\n2,PETRA,w2,x\n3,QUENTIN,w9,x\n4,,w1,x\n5,short\n",
        ),
        ("1full/Words.csv", "Id,Text\nw1,odd\nw2,penicillin\nw3,unused\n"),
        ("2delta/People.csv", "Id,Gone\nQUENTIN,yes\n"),
        ("2delta/Things.csv", "Id,Word\n6,w1\n"),
    ]);
    let inspection = inspect(&[&Small], &folder, &options());
    assert_eq!(inspection.format, Some(Format::EmisWeb));
    let decisions: Vec<&str> = inspection.batches.iter().map(|batch| batch.decision.as_str()).collect();
    assert_eq!(
        decisions,
        [
            "applies: it is the first, and is taken as everything",
            "applies: its changes follow what was applied"
        ]
    );
    let counts: Vec<(&str, u64, u64, u64, u64, u64)> = inspection
        .tables
        .iter()
        .map(|it| (it.name.as_str(), it.files, it.unread_files, it.rows, it.bad_rows, it.removed))
        .collect();
    assert_eq!(counts, [("People", 2, 0, 3, 0, 1), ("Things", 2, 1, 5, 2, 0), ("Words", 1, 0, 3, 0, 0)]);
    assert_eq!(inspection.tables[1].unknown_columns, ["Extra"]);
    let sample = inspection.sample.as_ref().expect("records were made");
    assert_eq!((sample.patients, sample.records), (1, 1));
    assert_eq!(sample.other_items.get("Basic"), Some(&1));
    let allergies =
        sample.sections.iter().find(|it| it.section == SectionId::Allergies).expect("every section");
    assert_eq!((allergies.items, allergies.patients), (1, 1));
    let text = inspection.to_string();
    for expected in [
        "Format: EMIS Web extract (emis)",
        "1full (full, 3 files, of A81001): applies",
        "Things: 5 rows, 2 cannot be read, 1 of 2 files not read; not known: Extra; feeds",
        "Things: columns that are not known: Extra",
        "1 entry (Basic) of 1 patient looked at in \"Other Items\"",
        "1 × Who: is empty and must not be (first: Things, row 4)",
        "1 × the row has 2 fields, the table has 4 (first: Things, row 5)",
        "the column Who is missing",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let json = serde_json::to_string(&inspection).expect("it is JSON");
    for shown in [text, json, format!("{inspection:?}")] {
        assert!(!shown.contains("PETRA") && !shown.contains("penicillin"), "{shown}");
    }
}

#[test]
fn documents_are_counted_and_never_named() {
    let patient = "{\"resourceType\":\"Patient\",\"id\":\"p\",\"name\":[{\"family\":\"PETRA\"}]}";
    let folder = Folder::of(&[("PETRA.json", patient), ("b/QUENTIN.json", "{\"resourceType\":\"Patient\",")]);
    let inspection = inspect(&[&Small], &folder, &options());
    assert_eq!(inspection.format, Some(Format::FhirR4));
    let documents = inspection.documents.as_ref().expect("they are documents");
    assert_eq!((documents.read, documents.unread, documents.resources), (1, 1, 1));
    assert_eq!(inspection.sample.as_ref().map(|sample| sample.records), Some(1));
    assert_eq!(inspection.problems[0].first, "file 2 of 2 by name");
    let shown = format!("{inspection}{inspection:?}");
    assert!(!shown.contains("PETRA") && !shown.contains("QUENTIN"), "{shown}");
}

#[test]
fn bulk_data_is_put_together_before_records_are_counted() {
    let allergy = |of: &str| {
        format!(
            "{{\"resourceType\":\"AllergyIntolerance\",\"id\":\"{of}-1\",\"patient\":{{\"reference\":\"Patient/{of}\"}},\
             \"code\":{{\"text\":\"Penicillin\"}}}}\n"
        )
    };
    let patients = "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}\n{\"resourceT\n";
    let folder = Folder::of(&[
        ("AllergyIntolerance.000.ndjson", &(allergy("p1") + &allergy("p1x"))),
        ("Patient.000.ndjson", patients),
        (
            "manifest.json",
            "{\"transactionTime\":\"2026-11-21T00:00:00Z\",\"request\":\"x\",\"requiresAccessToken\":false,\"output\":[],\"error\":[]}",
        ),
    ]);
    let inspection = inspect(&[&Small], &folder, &options());
    let documents = inspection.documents.as_ref().expect("they are documents");
    assert_eq!((documents.read, documents.unread), (4, 1), "the manifest is not a document that failed");
    let sample = inspection.sample.as_ref().expect("records were made");
    assert_eq!((sample.patients, sample.records), (2, 2));
    let of = |section| sample.sections.iter().find(|it| it.section == section).expect("every section");
    let allergies = of(SectionId::Allergies);
    assert_eq!((allergies.items, allergies.patients, allergies.not_supplied), (1, 1, 0));
    assert_eq!(of(SectionId::Procedures).not_supplied, 2);
    assert_eq!(inspection.problems.len(), 1);
    assert_eq!(inspection.problems[0].first, "Patient.000.ndjson, line 3");
}

#[test]
fn a_format_that_does_not_fit_gives_nothing_and_says_so() {
    let folder = Folder::of(&[("PETRA.json", "{\"resourceType\":\"Patient\",\"id\":\"p\"}")]);
    let inspection = inspect_as(Format::EmisWeb, &[&Small], &folder, &options());
    assert!(inspection.is_empty());
    assert!(inspection.to_string().contains("Batches: none"));
}

#[test]
fn a_source_that_is_not_recognised_says_so() {
    let inspection = inspect(&[&Small], &Folder::of(&[("a.csv", "x,y\n1,2\n")]), &options());
    assert_eq!(inspection.not_recognised.as_deref(), Some("no file here is of a format that is read"));
    assert!(inspection.to_string().contains("1 file: is text, and no table that is known (a.csv)"));
}
