//! Tables as the versions of the extract write them: columns come and go.

use serde_json::Value;

use super::super::FEED;
use super::store;
use crate::feed::{TableFeed, table};
use crate::spec::Place;
use crate::table::{Dialect, TableLimits, TableReader};

/// Tables, and the columns that some version lacks (of those that are kept).
const VARYING: &[(&str, &[&str])] = &[
    ("SRPatient", &["SpineMatched"]),
    ("SRPatientContactDetails", &["IDOrganisationRegisteredAt"]),
    ("SRPatientRegistration", &["IDOrganisationRegisteredAt"]),
    ("SRPatientRelationship", &["Advocate", "MainVisitor"]),
    ("SRCode", &["SNOMEDCode", "SNOMEDText", "IsNumeric", "IDQuestionnaire", "IDOrganisationRegisteredAt"]),
    ("SRImmunisation", &["ImmsSNOMEDCode", "IDOrganisationRegisteredAt"]),
    ("SREvent", &["IDOrganisationRegisteredAt"]),
    ("SRRecall", &["IDOrganisationRegisteredAt"]),
    ("SRReferralOut", &["SNOMEDPrimaryDiagnosis"]),
    ("SRRota", &["DateStart"]),
    ("SRMedia", &["IDOrganisation", "IDOrganisationRegisteredAt"]),
    ("SRConfiguredListOption", &["MHLDDSCode"]),
];

#[test]
fn every_version_of_every_table_reads() {
    for spec in FEED.tables().iter().filter(|spec| spec.place != Place::NotKept) {
        let varying =
            VARYING.iter().find(|(name, _)| *name == spec.name).map_or(&[][..], |(_, columns)| columns);
        // Newest, oldest, and the oldest without its mark of removal, each also in another order and with a column of tomorrow.
        for lacks in [&[][..], varying] {
            for removed in [true, false] {
                let mut columns: Vec<&str> = spec
                    .columns
                    .iter()
                    .map(|column| column.name)
                    .filter(|name| !lacks.contains(name) && (removed || *name != "RemovedData"))
                    .collect();
                columns.reverse();
                columns.push("ColumnOfTomorrow");
                let header = columns.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
                let reader = TableReader::open(header.as_bytes(), spec, Dialect::CSV, TableLimits::default());
                let reader = reader.unwrap_or_else(|problem| panic!("{}: {problem}", spec.name));
                assert_eq!(reader.notes().len(), 1, "{}: the unknown column is noted", spec.name);
            }
        }
    }
}

#[test]
fn every_column_that_is_looked_up_names_a_shared_table() {
    for spec in FEED.tables() {
        assert!(spec.key.iter().all(|key| spec.column(key).is_some()), "{}", spec.name);
        for target in spec.columns.iter().filter_map(|column| column.looks_up) {
            let target = table(&FEED, target).expect("a table of the feed");
            assert_eq!(target.place, Place::Shared, "{}", target.name);
        }
        if let Place::Patient(column) = spec.place {
            assert!(spec.column(column).is_some(), "{}", spec.name);
        }
    }
    let mut names: Vec<&str> = FEED.tables().iter().map(|spec| spec.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FEED.tables().len(), "each table is there once");
}

#[test]
fn a_value_is_read_with_and_without_the_column_that_says_that_it_is_one() {
    let cases = [
        ("IsNumeric", "TRUE", "0", "kg", "0 kg"),
        ("IsNumeric", "1", "7.50", "", "7.50"),
        ("IsNumeric", "FALSE", "0", "", ""),
        ("IsNumeric", "FALSE", "0.0", "", ""),
        ("IsNumeric", "FALSE", "12", "mg", "12 mg"),
        ("IDTemplate", "", "0", "", ""),
        ("IDTemplate", "", "0", "kg", "0 kg"),
        ("IDTemplate", "", "12", "", "12"),
    ];
    for (column, numeric, value, unit, expected) in cases {
        let csv = format!(
            "RowIdentifier,IDPatient,CTV3Text,{column},NumericValue,NumericUnit\n1,7,Entry,{numeric},{value},{unit}\n"
        );
        let store = store(&[("SRCode", &csv)]);
        let entry = super::only(&store, "Observation");
        let quantity = &entry["valueQuantity"];
        let unit = quantity["unit"].as_str().unwrap_or_default();
        let read = match quantity {
            Value::Null => String::new(),
            quantity => format!("{} {unit}", quantity["value"]).trim().to_owned(),
        };
        assert_eq!(read, expected, "{csv}");
    }
}
