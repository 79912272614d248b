//! Who can open the copies, before and after the list changes.

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::Finished;
use lifeboat_tests::site::Site;

/// Patients of the practice.
const PATIENTS: usize = 40;

#[test]
fn whoever_is_added_can_open_the_next_snapshot_and_whoever_is_removed_cannot() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let locum = site.make_identity("locum");
    restore_as(&site, "locum", "too-early").failure();

    site.run(&["recipients", "add", "locum", &locum]).success();
    site.snapshot();
    restore_as(&site, "locum", "as-locum").success();
    restore_as(&site, "owner", "as-owner").success();
    assert!(damage::files_below(&site.root().join("as-locum")).len() >= PATIENTS);

    site.run(&["recipients", "remove", "locum"]).success();
    site.snapshot();
    restore_as(&site, "locum", "too-late").failure();
    restore_as(&site, "owner", "as-owner-again").success();
    site.verify_as_stranger(&site.replica("one")).success();
}

/// Restores everything with somebody's identity.
fn restore_as(site: &Site, who: &str, to: &str) -> Finished {
    let identity = site.identity(who);
    let folder = site.root().join(to);
    site.command(&["restore"])
        .arguments(["--identity".as_ref(), identity.as_os_str(), "--to".as_ref(), folder.as_os_str()])
        .run()
}
