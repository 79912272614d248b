//! Records for the tests to work on: a made-up practice, written as an exporter would write it.

use std::fs;
use std::path::Path;

use jiff::civil::Date;
pub use lifeboat_clinical::synth::{Expected, Practice};

/// The seed of the practice, so that every run sees the same people.
const SEED: u64 = 20_261_121;

/// Returns a practice of so many patients, as it is today.
pub fn practice(patients: usize) -> Practice {
    Practice::new(SEED, patients, today())
}

/// Returns the day that it is in a British surgery.
#[expect(clippy::disallowed_methods, reason = "day lists are about the day on which the test runs")]
pub fn today() -> Date {
    let now = jiff::Timestamp::now();
    now.in_tz("Europe/London").expect("the time zone database is built in").date()
}

/// Writes the whole extract of a practice into a folder, one file per patient.
pub fn write(practice: &Practice, folder: &Path) {
    for (stem, bundle) in practice.files() {
        write_file(folder, &stem, &bundle);
    }
}

/// Writes the files that changed in `round`, for about this share of the patients; returns their names.
pub fn write_changes(practice: &Practice, round: u32, share: f64, folder: &Path) -> Vec<String> {
    let changes = practice.changes(round, share);
    let write = |(stem, bundle): (String, serde_json::Value)| {
        write_file(folder, &stem, &bundle);
        stem
    };
    changes.map(write).collect()
}

/// Returns a patient who is alive, registered, has an NHS number, and whose file is not among those that changed.
pub fn somebody(practice: &Practice, changed: &[String]) -> Expected {
    let usual =
        |one: &Expected| one.died.is_none() && !one.left && !one.sensitive && one.nhs_number.is_some();
    (0..practice.patients())
        .filter(|index| !changed.contains(&practice.bundle(*index).0))
        .map(|index| practice.expected(index))
        .find(usual)
        .expect("most patients are like that")
}

/// Writes one file and puts it in place as a whole.
fn write_file(folder: &Path, stem: &str, bundle: &serde_json::Value) {
    let unfinished = folder.join(format!("{stem}.part"));
    fs::write(&unfinished, bundle.to_string()).expect("the source can be written");
    fs::rename(unfinished, folder.join(format!("{stem}.json"))).expect("the source can be written");
}
