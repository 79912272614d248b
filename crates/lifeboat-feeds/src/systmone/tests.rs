//! Tests of the SystmOne feed.

use serde_json::Value;

mod hostile;
mod round_trip;
mod versions;

use super::FEED;
use super::tables::{CODE, DRUG_SENSITIVITY, PATIENT};
use crate::batch::{Batch, BatchKind};
use crate::feed::{TableFeed, table};
use crate::harness::{Folder, Store};
use crate::problem::Reason;
use crate::rows::RowChange;

/// A store whose only patient is number 7, with further tables given as CSV.
fn store(tables: &[(&str, &str)]) -> Store {
    let mut store = Store::new(&FEED);
    let patient =
        "RowIdentifier,Surname,FirstName,NHSNumber,DateBirth,Gender\n7,Other,Ann,9990000018,03 Feb 1970,F\n";
    store.apply_table(PATIENT, patient.as_bytes());
    for (name, csv) in tables {
        store.apply_table(name, csv.as_bytes());
    }
    store
}

fn only(store: &Store, kind: &str) -> Value {
    let mut found = store.resources("7", kind);
    assert_eq!(found.len(), 1, "one {kind}");
    found.remove(0)
}

#[test]
fn a_drug_sensitivity_is_named_where_the_extract_names_it_and_kept_where_it_does_not() {
    // Drugs are known by their product; another drug's row has the number of this one's product.
    let drugs = "RowIdentifier,IDMultiLexProduct,DrugReadCode,DrugReadCodeDesc\n\
                 901,55,e3...,Penicillins\n56,77,bu2..,Aspirin\n";
    let unnamed = "Drug sensitivity recorded \u{2013} drug name not in extract";
    let cases = [
        ("55", "-1", "Penicillins".to_owned(), true),
        ("56", "-1", format!("{unnamed} (Multilex id 56)"), false),
        ("-1", "12", format!("{unnamed} (Multilex action group 12)"), false),
        ("abc", "", format!("{unnamed} (Multilex id abc)"), false),
        ("", "", unnamed.to_owned(), false),
    ];
    for (drug, group, expected, coded) in cases {
        let rows = format!(
            "RowIdentifier,IDPatient,IDDrugCode,IDMultiLexAction,DateStarted,DateEnded\n\
             1,7,{drug},{group},01 Jan 2020 00:00:00,31 Feb 2021 00:00:00\n"
        );
        let store = store(&[("SRMedicationReadCodeDetails", drugs), (DRUG_SENSITIVITY, &rows)]);
        let allergy = only(&store, "AllergyIntolerance");
        assert_eq!(allergy["code"]["text"], expected);
        assert_eq!(allergy["code"]["coding"].is_array(), coded);
        assert_eq!(allergy["onsetDateTime"], "2020-01-01");
        assert_eq!(
            allergy["clinicalStatus"]["coding"][0]["code"], "active",
            "an end that is no date ends nothing"
        );
        let unresolved =
            store.patient("7").problems.iter().any(|problem| problem.reason == Reason::Unresolved);
        assert_eq!(unresolved, !coded);
    }
}

#[test]
fn an_allergy_among_the_coded_entries_is_one_whatever_else_it_carries() {
    let rows = "RowIdentifier,IDPatient,CTV3Code,CTV3Text,SNOMEDCode,IsNumeric,NumericValue,NumericUnit\n\
                1,7,XaIJQ,Allergy to peanut,91935009,1,5.2,kU/L\n\
                2,7,1151.,No known allergies,716186003,0,,\n\
                3,7,44J3.,Serum creatinine,,1,88.10,umol/L\n";
    let store = store(&[(CODE, rows)]);
    let allergies = store.resources("7", "AllergyIntolerance");
    assert_eq!(allergies.len(), 2);
    assert_eq!(allergies[0]["note"][0]["text"], "Value: 5.2 kU/L");
    assert_eq!(allergies[1]["code"]["coding"][0]["code"], "716186003");
    let result = only(&store, "Observation");
    assert_eq!(result["valueQuantity"]["value"].to_string(), "88.10");
    assert_eq!(result["category"][0]["coding"][0]["code"], "laboratory");
}

#[test]
fn a_date_that_is_none_is_a_problem_and_stays_readable() {
    let store =
        store(&[(CODE, "RowIdentifier,IDPatient,CTV3Text,DateEvent\n1,7,Cough,31 Feb 2024 00:00:00\n")]);
    let entry = only(&store, "Observation");
    assert_eq!(entry["effectiveDateTime"], Value::Null);
    assert_eq!(entry["note"][0]["text"], "DateEvent as written: 31 Feb 2024 00:00:00");
    let problems = store.patient("7").problems;
    assert_eq!(problems[0].to_string(), "SRCode.DateEvent: is not a date");
}

#[test]
fn a_test_patient_and_one_who_is_not_in_the_extract_have_no_record() {
    let mut store = store(&[]);
    store.apply_table(PATIENT, b"RowIdentifier,Surname,TestPatient\n8,Test,1\n");
    assert_eq!(store.patient("8").document, None);
    store.apply_table(CODE, b"RowIdentifier,IDPatient\n1,9\n");
    let orphan = store.patient("9");
    assert_eq!((orphan.document, orphan.problems.len()), (None, 1));
}

#[test]
fn a_removed_row_need_not_say_whose_it_was() {
    let codes = table(&FEED, CODE).expect("a table");
    let mut values = vec![None; codes.columns.len()];
    values[codes.column("RowIdentifier").expect("a column")] = Some("5".into());
    values[codes.column("RemovedData").expect("a column")] = Some("1".into());
    let change = FEED.change(codes, values.into()).expect("a change");
    assert_eq!(change, RowChange::Remove { unit: None, table: CODE, key: "5".to_owned() });
}

fn extract(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::default();
    for (path, text) in files {
        folder.0.borrow_mut().insert((*path).to_owned(), text.as_bytes().to_vec());
    }
    folder
}

fn only_batch(files: &[(&str, &str)]) -> Batch {
    let folder = extract(files);
    let mut batches = FEED.batches(&folder.facts(), &folder);
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

const MANIFEST: &str = "FileName,IsDelta,IsReference,DateExtractFrom,DateExtractTo\n";

#[test]
fn a_batch_without_its_manifest_or_one_of_its_files_is_not_complete() {
    let patients = ("20261121_0100/SRPatient.csv", "RowIdentifier,Surname\n1,A\n");
    let batch = only_batch(&[patients]);
    assert!(matches!(batch.refused, Some(Reason::BatchRefused(_))));
    let manifest = format!("{MANIFEST}SRPatient,N,N,,20261121_0100\nSRCode,N,N,,20261121_0100\n");
    let batch = only_batch(&[patients, ("20261121_0100/SRManifest.csv", &manifest)]);
    assert_eq!(batch.refused, Some(Reason::MissingTable("SRCode".to_owned())));
    let manifest = format!("{MANIFEST}SRPatient,N,N,,20261121_0100\nSRPatient,N,N,,20261120_0100\n");
    let batch = only_batch(&[patients, ("20261121_0100/SRManifest.csv", &manifest)]);
    assert!(matches!(batch.refused, Some(Reason::BatchRefused(_))));
}

#[test]
fn a_batch_is_full_only_where_nothing_speaks_against_it() {
    let whole = "RowIdentifier,Surname,RemovedData\n1,A,0\n";
    let with_removed = "RowIdentifier,Surname,RemovedData\n1,A,0\n2,,1\n";
    let cases = [
        ("N", "N", whole, BatchKind::Full, 0),
        ("Y", "Y", whole, BatchKind::Delta, 0),
        ("N", "N", with_removed, BatchKind::Delta, 1),
        ("N", "Y", whole, BatchKind::Delta, 1),
    ];
    for (patients, codes, rows, kind, problems) in cases {
        let manifest = format!(
            "{MANIFEST}SRPatient,{patients},N,20261120_0100,20261121_0100\nSRCode,{codes},N,20261120_0100,20261121_0100\n"
        );
        let batch = only_batch(&[
            ("e/SRManifest.csv", &manifest),
            ("e/SRPatient.csv", rows),
            ("e/SRCode.csv", "RowIdentifier,IDPatient\n"),
        ]);
        assert_eq!(
            (batch.refused, batch.kind, batch.problems.len()),
            (None, kind, problems),
            "{patients}{codes}"
        );
        assert_eq!(batch.until.as_deref(), Some("20261121_0100"));
        assert_eq!(batch.from.is_none(), kind == BatchKind::Full);
    }
}

#[test]
fn an_unknown_table_is_an_alarm_and_a_known_one_that_is_not_kept_is_none() {
    let manifest = format!(
        "{MANIFEST}SRPatient,N,N,,20261121_0100\nSRNewThing,N,N,,20261121_0100\nSRTheatreBooking,N,N,,20261121_0100\n"
    );
    let batch = only_batch(&[
        ("e/SRManifest.csv", &manifest),
        ("e/SRPatient.csv", "RowIdentifier,Surname\n1,A\n"),
        ("e/SRNewThing.csv", "RowIdentifier\n1\n"),
        ("e/SRTheatreBooking.csv", "RowIdentifier\n1\n"),
    ]);
    let unknown: Vec<_> = batch.problems.iter().map(ToString::to_string).collect();
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].starts_with("e/SRNewThing.csv"));
}
