//! Tests of the Vision feed.

use serde_json::Value;

use super::FEED;
use super::tables::{self, JOURNAL, PATIENT};
use crate::batch::BatchKind;
use crate::feed::{TableFeed, table};
use crate::harness::{Folder, Store, TODAY};
use crate::problem::Reason;
use crate::rows::{RowChange, UnitRows, Values};
use crate::synth::{Order, vision};

fn row(name: &str, cells: &[(&str, &str)]) -> String {
    let spec = table(&FEED, name).expect("a table");
    let cell = |column: &str| cells.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| value);
    let fields: Vec<&str> = spec.columns.iter().map(|column| cell(column.name)).collect();
    crate::synth::csv_row(fields)
}

/// A store whose only patient is number 7, with these rows of the journal.
fn store(journal: &[&[(&str, &str)]]) -> Store {
    let mut store = Store::new(&FEED);
    let patient = [("PID", "7"), ("SURNAME", "Other"), ("DATE_OF_BIRTH", "19700203"), ("ACTIVE", "Y")];
    store.apply_table(PATIENT, row(PATIENT, &patient).as_bytes());
    for cells in journal {
        let mut cells = cells.to_vec();
        cells.push(("PID", "7"));
        store.apply_table(JOURNAL, row(JOURNAL, &cells).as_bytes());
    }
    store
}

fn only(store: &Store, kind: &str) -> Value {
    let mut found = store.resources("7", kind);
    assert_eq!(found.len(), 1, "one {kind}");
    found.remove(0)
}

#[test]
fn the_subset_says_what_an_entry_is_and_nothing_is_dropped() {
    let cases = [
        ("L", "AllergyIntolerance"),
        ("P", "Condition"),
        ("I", "Immunization"),
        ("T", "Observation"),
        ("C", "Observation"),
        ("Z", "Observation"),
        ("", "Observation"),
        ("A", "MedicationRequest"),
        ("R", "MedicationRequest"),
        ("S", "MedicationRequest"),
    ];
    for (subset, kind) in cases {
        let store =
            store(&[&[("ID", "1"), ("SUBSET", subset), ("RUBRIC", "Something"), ("DATE", "20240229")]]);
        let resource = only(&store, kind);
        assert!(resource.to_string().contains("Something"), "{subset}");
        assert!(resource.to_string().contains("2024-02-29"), "{subset}");
    }
}

#[test]
fn an_issue_counts_for_its_repeat() {
    let repeat = [
        ("ID", "10"),
        ("SUBSET", "R"),
        ("RUBRIC", "Ramipril 5mg capsules"),
        ("DATE", "20250101"),
        ("VALUE1", "28"),
        ("VALUE1_UNITS", "capsule"),
    ];
    let first = [("ID", "11"), ("SUBSET", "S"), ("LINKS", "10"), ("DATE", "20261001")];
    let last = [("ID", "12"), ("SUBSET", "S"), ("LINKS", "10"), ("DATE", "20261101")];
    let store = store(&[&repeat, &first, &last]);
    let medicine = only(&store, "MedicationRequest");
    assert_eq!(medicine["extension"][0]["extension"][0]["valueUnsignedInt"], 2);
    assert_eq!(medicine["extension"][1]["valueDateTime"], "2026-11-01");
    assert_eq!(medicine["dispenseRequest"]["quantity"]["unit"], "capsule");
}

#[test]
fn two_values_are_components_and_digits_stay() {
    let pressure = [
        ("ID", "1"),
        ("SUBSET", "C"),
        ("RUBRIC", "O/E - blood pressure"),
        ("VALUE1_NAME", "SYSTOLIC"),
        ("VALUE1", "120.0"),
        ("VALUE2_NAME", "DIASTOLIC"),
        ("VALUE2", "80"),
        ("VALUE2_UNITS", "mmHg"),
    ];
    let observation = only(&store(&[&pressure]), "Observation");
    assert_eq!(observation["component"][0]["valueQuantity"]["value"].to_string(), "120.0");
    assert_eq!(observation["component"][1]["valueQuantity"]["unit"], "mmHg");
}

#[test]
fn partial_dates_stay_partial_and_false_ones_stay_readable() {
    for (written, expected) in [("19800000", "1980"), ("19800200", "1980-02"), ("19800214", "1980-02-14")] {
        let store = store(&[&[("ID", "1"), ("SUBSET", "P"), ("RUBRIC", "Asthma"), ("DATE", written)]]);
        assert_eq!(only(&store, "Condition")["onsetDateTime"], expected);
    }
    let store = store(&[&[("ID", "1"), ("SUBSET", "P"), ("RUBRIC", "Asthma"), ("DATE", "20240231")]]);
    assert_eq!(only(&store, "Condition")["note"][0]["text"], "DATE as written: 20240231");
    assert_eq!(store.patient("7").problems[0].to_string(), "Journal.DATE: is not a date");
}

#[test]
fn rows_of_the_older_version_are_kept_in_the_shape_of_the_newer() {
    let old = tables::version(JOURNAL, 23).expect("it is known");
    let mut values: Vec<Option<Box<str>>> = vec![None; 23];
    for (column, value) in [("PID", "7"), ("ID", "3"), ("RUBRIC", "Asthma"), ("SUBSET", "P"), ("VALUE1", "4")]
    {
        values[old.column(column).expect("a column")] = Some(value.into());
    }
    let values: Values = values.into();
    let Ok(RowChange::Put { table: name, key, values, .. }) = FEED.change(old, values) else {
        panic!("a row")
    };
    let spec = table(&FEED, JOURNAL).expect("a table");
    assert_eq!((name, key.as_str(), values.len()), (JOURNAL, "7/3", spec.columns.len()));
    let mut rows = UnitRows::default();
    rows.put(spec, &key, values);
    let row = rows.row(JOURNAL, "7/3").expect("it is there");
    assert_eq!(
        (row.text("RUBRIC"), row.text("SUBSET"), row.text("VALUE1")),
        (Some("Asthma"), Some("P"), Some("4"))
    );
}

#[test]
fn a_row_marked_d_deletes() {
    let spec = table(&FEED, PATIENT).expect("a table");
    let mut values: Vec<Option<Box<str>>> = vec![None; spec.columns.len()];
    values[0] = Some("7".into());
    *values.last_mut().expect("columns") = Some("D".into());
    assert_eq!(FEED.change(spec, values.into()), Ok(RowChange::RemovePatient { patient: "7".to_owned() }));
}

#[test]
fn a_file_is_known_by_its_name_and_number_of_columns() {
    let patients = row(PATIENT, &[("PID", "7"), ("SURNAME", "Other")]);
    let journal = row(JOURNAL, &[("PID", "7"), ("ID", "1")]);
    let name = |kind: &str, table: &str| format!("{kind}_A81001_{table}_data_extract-2026-11-21-000500.csv");
    let folder = Folder::default();
    let put = |path: String, text: &str| folder.0.borrow_mut().insert(path, text.as_bytes().to_vec());
    put(name("FULL", "patient"), &patients);
    put(name("FULL", "journal"), "1,2,3\r\n");
    put(name("INCREMENTAL", "journal"), &journal);
    put("unrelated.csv".to_owned(), &journal);
    let batches = FEED.batches(&folder.facts(), &folder);
    assert_eq!(batches.len(), 2);
    let full = batches.iter().find(|batch| batch.kind == BatchKind::Full).expect("a full one");
    assert_eq!(full.refused, Some(Reason::MissingTable(JOURNAL.to_owned())));
    assert_eq!(full.practice.as_deref(), Some("A81001"));
    let delta = batches.iter().find(|batch| batch.kind == BatchKind::Delta).expect("a delta");
    assert_eq!((delta.refused.as_ref(), delta.tables.len()), (None, 1));
    assert_eq!(delta.exported.map(|time| time.to_string()).as_deref(), Some("2026-11-21T00:05:00"));
}

#[test]
fn the_made_up_practice_is_read_whole_and_follows_its_changes() {
    let order = Order { share: 0.5, ..Order::full(20, 5, TODAY) };
    let mut store = Store::new(&FEED);
    store.apply(&Folder::of(&order, vision::write));
    assert_eq!(store.patients.len(), 20);
    let problems =
        |store: &Store| store.patients.keys().map(|id| store.patient(id).problems.len()).sum::<usize>();
    assert_eq!(problems(&store), 0);
    store.apply(&Folder::of(&order.clone().later(1), vision::write));
    let mut fresh = Store::new(&FEED);
    let practice = order.practice();
    let changed = (0..20).filter(|index| practice.changes_in_round(*index, 1, order.share)).count();
    assert!(changed > 3, "{changed} of 20 changed");
    // The same practice as a full extract of the later day: everybody changes in no further round.
    let later =
        Folder::of(&Order { delta: 0, ..order.clone() }, |order, sink| vision::write_as_of(order, 1, sink));
    fresh.apply(&later);
    for id in fresh.patients.keys() {
        assert!(store.patients[id] == fresh.patients[id], "patient {id}");
    }
    assert_eq!(problems(&store), 0);
}
