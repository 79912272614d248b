//! An extract that cannot be right is kept but held, until a person releases it.

use std::fs;

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::site::Site;

/// Patients of the practice.
const PATIENTS: usize = 60;

#[test]
fn an_extract_without_most_patients_is_held_and_the_old_one_stays_the_truth() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let whole = damage::files_below(&site.restore("one", "whole")).len();

    for file in damage::files_below(&site.source()).into_iter().skip(5) {
        fs::remove_file(site.source().join(file)).expect("a file can go");
    }
    site.run(&["snapshot"]).code(4);
    site.run(&["status", "--check"]).failure();
    let after = damage::files_below(&site.restore("one", "after")).len();
    assert_eq!(after, whole, "what is held does not replace what was accepted");
    site.verify_as_stranger(&site.replica("one")).success();

    site.run(&["snapshot", "--accept-held", "the other patients moved to another practice"]).success();
    let released = damage::files_below(&site.restore("one", "released")).len();
    assert!(released < whole, "{released} of {whole} records after the release");
}

#[test]
fn an_empty_source_is_never_the_newest_truth() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let whole = damage::files_below(&site.restore("one", "whole")).len();
    fs::remove_dir_all(site.source()).expect("the source can go");
    fs::create_dir(site.source()).expect("the source can come back");
    site.run(&["snapshot"]).code(4);
    assert_eq!(damage::files_below(&site.restore("one", "after")).len(), whole);
}

#[test]
fn a_garbled_file_is_reported_and_stops_nothing_else() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    fs::write(site.source().join("broken.json"), "{\"resourceType\":\"Bundle\",\"entry\":[{")
        .expect("a file can be bad");
    let done = site.command(&["--json", "snapshot"]).run().success();
    assert!(
        done.stdout.contains("broken.json"),
        "the report names what could not be read:\n{}",
        done.story()
    );
    assert!(damage::files_below(&site.restore("one", "restored")).len() >= PATIENTS);
}
