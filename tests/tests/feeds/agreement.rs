//! One and the same practice, exported in every format, reads the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use lifeboat_tests::practice::today;
use lifeboat_tests::site::Site;

use super::forced::{FORCED, GATHERED};
use super::reading::{Page, Practice, Row, read};

/// Patients of the practice: enough for one of each kind.
const PATIENTS: &str = "60";

/// Exports the practice in a format, takes a snapshot and restores it.
fn through(format: &str, today: Date) -> Practice {
    let site = Site::new(&["one"]);
    site.command(&["feed", "synth", "--format", format, "--patients", PATIENTS, "--seed", "7"])
        .argument("--today")
        .argument(today.to_string())
        .argument("--to")
        .argument(site.source())
        .run()
        .success();
    site.snapshot();
    read(&site.restore("one", "restored"), today)
}

/// Where two practices differ: part and column, with how often and the first instance.
type Differences = BTreeMap<(String, String), (usize, String)>;

fn compare(expected: &Practice, found: &Practice) -> Differences {
    let mut differences = Differences::new();
    let empty = Page::new();
    for name in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let expected = expected.get(name).unwrap_or(&empty);
        let found = found.get(name).unwrap_or(&empty);
        for part in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
            let none = Vec::new();
            let expected = expected.get(part).unwrap_or(&none);
            let found = found.get(part).unwrap_or(&none);
            for (column, what) in differing_columns(expected, found) {
                let known =
                    differences.entry((part.clone(), column)).or_insert((0, format!("{name}: {what}")));
                known.0 += 1;
            }
        }
    }
    differences
}

/// The columns in which two tables do not hold the same, rows in any order; "row" when only their combination differs.
fn differing_columns(expected: &[Row], found: &[Row]) -> Vec<(String, String)> {
    let columns: BTreeSet<&String> = expected.iter().chain(found).flat_map(BTreeMap::keys).collect();
    let mut differing = Vec::new();
    for column in columns {
        let cells = |rows: &[Row]| {
            let mut cells: Vec<String> =
                rows.iter().map(|row| row.get(column).cloned().unwrap_or_default()).collect();
            cells.sort();
            cells
        };
        let (expected, found) = (cells(expected), cells(found));
        if expected != found {
            let only = |these: &[String], those: &[String]| {
                let only: Vec<&String> = these.iter().filter(|cell| !those.contains(cell)).take(2).collect();
                format!("{only:?} of {}", these.len())
            };
            let what = format!("expected {}, found {}", only(&expected, &found), only(&found, &expected));
            differing.push((column.clone(), what));
        }
    }
    if differing.is_empty() {
        let sorted = |rows: &[Row]| {
            let mut rows = rows.to_vec();
            rows.sort();
            rows
        };
        if sorted(expected) != sorted(found) {
            differing.push(("row".to_owned(), "the same cells in other rows".to_owned()));
        }
    }
    differing
}

/// Compares a format with FHIR R4; forced differences must be there, and nothing else.
fn agrees(format: &str) {
    let today = today();
    let differences = compare(&through("fhir", today), &through(format, today));
    let is_forced = |part: &str, column: &str| {
        let mut of_part = FORCED.iter().filter(|forced| forced.format == format && forced.part == part);
        let is_gathered = GATHERED.contains(&column) && format != "bulk";
        is_gathered || of_part.any(|forced| forced.column == "*" || forced.column == column)
    };
    let unforced: Vec<String> = differences
        .iter()
        .filter(|((part, column), _)| !is_forced(part, column))
        .map(|((part, column), (count, what))| format!("{part} / {column}: {count} pages, {what}"))
        .collect();
    assert!(unforced.is_empty(), "{format} differs from FHIR R4:\n{}", unforced.join("\n"));
    for forced in FORCED.iter().filter(|forced| forced.format == format) {
        let is_real = differences
            .keys()
            .any(|(part, column)| part == forced.part && (forced.column == "*" || forced.column == column));
        assert!(
            is_real,
            "{format}, {} / {}: {} — but there is no difference",
            forced.part, forced.column, forced.why
        );
    }
}

#[test]
fn bulk_data_reads_as_bundles_do() {
    agrees("bulk");
}

#[test]
fn an_emis_web_extract_reads_as_fhir_does() {
    agrees("emis");
}

#[test]
fn a_systmone_extract_reads_as_fhir_does() {
    agrees("tpp");
}

#[test]
fn a_vision_extract_reads_as_fhir_does() {
    agrees("vision");
}

#[test]
fn gp_connect_documents_read_as_fhir_does() {
    agrees("gpconnect");
}
