//! The service: it watches, takes snapshots by itself, reads its configuration again, and ends when asked.

use std::path::Path;

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::wait_for;
use lifeboat_tests::site::Site;

/// Patients of the practice.
const PATIENTS: usize = 40;

#[test]
fn the_service_follows_the_source_and_ends_when_asked() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one", "two"]);
    site.edit_config(|text| {
        let quick = text.replace("# interval = \"5m\"", "interval = \"1s\"");
        quick.replace("# rescan = \"5m\"", "rescan = \"1s\"")
    });
    practice::write(&practice, &site.source());
    let service = site.command(&["run"]).start();
    wait_for("the first snapshot", || (manifests(&site.replica("two")) == 1).then_some(()));
    practice::write_changes(&practice, 1, 0.3, &site.source());
    wait_for("a snapshot of the change", || (manifests(&site.replica("two")) >= 2).then_some(()));
    service.reload();
    practice::write_changes(&practice, 2, 0.3, &site.source());
    wait_for("a snapshot after the reload", || (manifests(&site.replica("two")) >= 3).then_some(()));
    service.terminate();
    service.finish().success();
    for name in ["one", "two"] {
        site.verify_as_stranger(&site.replica(name)).success();
    }
    site.run(&["status", "--check"]).success();
}

#[test]
fn a_second_service_on_the_same_state_is_refused() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    let service = site.command(&["run"]).start();
    wait_for("the first snapshot", || (manifests(&site.replica("one")) == 1).then_some(()));
    site.run(&["snapshot"]).code(6);
    service.terminate();
    service.finish().success();
}

/// Returns how many snapshots a replica holds.
fn manifests(replica: &Path) -> usize {
    let folder = replica.join("manifests");
    if folder.is_dir() { damage::files_below(&folder).len() } else { 0 }
}
