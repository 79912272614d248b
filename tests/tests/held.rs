//! An extract that cannot be right is kept but held, until a person releases it.

use std::fs;

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::wait_for;
use lifeboat_tests::site::Site;
use lifeboat_tests::viewer::Viewer;

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

/// A site whose newest snapshot is held because most patients are missing from the source, and how many records the
/// accepted one has.
fn held_site() -> (Site, usize) {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let whole = damage::files_below(&site.restore("one", "whole")).len();
    for file in damage::files_below(&site.source()).into_iter().skip(5) {
        fs::remove_file(site.source().join(file)).expect("a file can go");
    }
    site.run(&["snapshot"]).code(4);
    (site, whole)
}

#[test]
fn a_held_snapshot_is_explained_and_released_with_a_reason() {
    let (site, whole) = held_site();
    let shown = site.command(&["--json", "gate", "show"]).run().code(4).json();
    let result = &shown["result"];
    let patients = |of: &str| result[of]["patients"].as_u64().expect("a number");
    assert!(patients("held") < patients("accepted"), "{result}");
    let reasons = result["reasons"].to_string();
    assert!(reasons.contains("patients-lost") && reasons.contains("may leave at once"), "{reasons}");
    let text = site.run(&["gate", "show"]).code(4).stdout;
    for part in ["is HELD", "patients-lost", "accepted", "gate release", "gate reject"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }

    for reason in ["", "  ", "two\nlines", &"long ".repeat(100)] {
        site.run(&["gate", "release", "--reason", reason]).code(2);
    }
    let tried = site.result(&["gate", "release", "--reason", "the others moved", "--dry-run"]);
    assert_eq!(tried["dry_run"], true);
    site.run(&["gate", "show"]).code(4);

    let done = site.result(&["gate", "release", "--reason", "the others moved"]);
    assert_eq!(done["now_accepted"], 3);
    assert!(done["recorded"].as_str().is_some_and(|text| text.ends_with(": the others moved")), "{done}");
    site.run(&["gate", "show"]).success();
    site.run(&["gate", "release", "--reason", "once more"]).failure();
    site.run(&["status", "--check"]).success();
    assert!(damage::files_below(&site.restore("one", "released")).len() < whole);
    let verified = site.verify_as_stranger(&site.replica("one"));
    verified.success();
    let log = read_log(&site);
    assert!(log.contains("the others moved") && log.contains("\"name\":\"release\""), "{log}");

    // The same source again is accepted, and the copy stays whole.
    site.snapshot();
    site.verify_as_stranger(&site.replica("one")).success();
}

#[test]
fn a_rejected_snapshot_stays_unaccepted() {
    let (site, whole) = held_site();
    site.result(&["gate", "reject", "--reason", "half an export", "--dry-run"]);
    assert!(!read_log(&site).contains("half an export"));
    site.result(&["gate", "reject", "--reason", "half an export"]);
    assert!(read_log(&site).contains("half an export"));
    let shown = site.command(&["--json", "gate", "show"]).run().code(4).json();
    assert!(
        shown["result"]["rejected"].as_str().is_some_and(|text| text.contains("half an export")),
        "{shown}"
    );
    site.run(&["snapshot"]).code(4);
    assert_eq!(damage::files_below(&site.restore("one", "after")).len(), whole);
    site.verify_as_stranger(&site.replica("one")).success();
}

#[test]
fn nothing_is_decided_while_the_service_has_the_state() {
    let (site, _) = held_site();
    let service = site.command(&["run"]).start();
    wait_for("the service to have the state", || {
        let tried = site.run(&["gate", "release", "--reason", "no", "--dry-run"]);
        tried.story().contains("systemctl stop lifeboat").then_some(())
    });
    site.run(&["gate", "reject", "--reason", "no"]).code(6);
    site.run(&["gate", "show"]).code(4);
    service.terminate();
    service.finish().success();
    assert!(!read_log(&site).contains("\"reject\""));
}

#[test]
fn a_clinician_may_look_at_the_held_snapshot_and_is_warned_on_every_page() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    let (kit, passphrase) = site.make_kit("duty-doctor");
    site.snapshot();
    for file in damage::files_below(&site.source()).into_iter().skip(5) {
        fs::remove_file(site.source().join(file)).expect("a file can go");
    }
    site.run(&["snapshot"]).code(4);

    let mut viewer = Viewer::open(&kit, &passphrase);
    viewer.launch().shows("Newer snapshot held").shows("Look at it all the same");
    let somebody = practice::somebody(&practice, &[]);
    viewer.open_patient(somebody.nhs_number.as_deref().expect("a number")).shows("Newer snapshot held");
    let step = viewer.browser.open("/held");
    step.shows("Read this first").shows("may leave at once");
    let held = viewer.send(&step, "/held", &[]);
    held.shows("HELD SNAPSHOT – not checked").shows("Back to the accepted copy");
    let search = viewer.search("a");
    search.shows("HELD SNAPSHOT – not checked");
    let back = viewer.send(&search, "/accepted", &[]);
    back.shows("Newer snapshot held");
    assert!(!back.body.contains("HELD SNAPSHOT"), "{}", back.body);
}

/// Returns the entries of the replica's log as text.
fn read_log(site: &Site) -> String {
    let folder = site.replica("one").join("log/tile/entries");
    let files = damage::files_below(&folder);
    let bytes = files.into_iter().flat_map(|file| fs::read(folder.join(file)).expect("a bundle can be read"));
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}
