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

/// Writes the files that changed in `round`, for about this share of the patients; returns how many there are.
pub fn write_changes(practice: &Practice, round: u32, share: f64, folder: &Path) -> usize {
    let changes = practice.changes(round, share);
    changes.map(|(stem, bundle)| write_file(folder, &stem, &bundle)).count()
}

/// Returns a patient who is alive, registered and has an NHS number, with the patient's place in the practice.
pub fn somebody(practice: &Practice) -> (usize, Expected) {
    let usual =
        |one: &Expected| one.died.is_none() && !one.left && !one.sensitive && one.nhs_number.is_some();
    (0..practice.patients())
        .map(|index| (index, practice.expected(index)))
        .find(|(_, one)| usual(one))
        .expect("most patients are like that")
}

/// Writes one file and puts it in place as a whole.
fn write_file(folder: &Path, stem: &str, bundle: &serde_json::Value) {
    let unfinished = folder.join(format!("{stem}.part"));
    fs::write(&unfinished, bundle.to_string()).expect("the source can be written");
    fs::rename(unfinished, folder.join(format!("{stem}.json"))).expect("the source can be written");
}
