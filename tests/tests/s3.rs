//! The same story over a real S3 server: the bucket is the copy that is left.

use std::fs;

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::s3::S3Server;
use lifeboat_tests::site::Site;
use lifeboat_tests::viewer::Viewer;

/// Patients of the practice.
const PATIENTS: usize = 60;

#[test]
fn with_both_folders_gone_a_clinician_reads_from_the_bucket() {
    let server = S3Server::ready();
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one", "two"]);
    site.add_s3_replica("cloud", &server.s3, &format!("story-{}", std::process::id()));
    practice::write(&practice, &site.source());
    site.snapshot();
    let changed = practice::write_changes(&practice, 1, 0.2, &site.source());
    let (kit, passphrase) = site.make_kit("duty-doctor");
    site.snapshot();
    site.run(&["verify", "--level", "digest", "cloud"]).success();
    let identity = site.identity("owner");
    site.command(&["verify", "--level", "open", "cloud", "--identity"]).argument(identity).run().success();
    let from_folder = site.restore("one", "from-folder");
    let from_bucket = site.restore("cloud", "from-bucket");
    damage::assert_same(&from_folder, &from_bucket);

    for name in ["one", "two"] {
        fs::remove_dir_all(site.replica(name)).expect("a store can be lost");
    }
    let mut viewer = Viewer::open(&kit, &passphrase);
    viewer.launch().shows("Day list").shows("Reading: cloud");
    let patient = practice::somebody(&practice, &changed);
    let page = viewer.open_patient(&patient.nhs_number.expect("somebody with an NHS number"));
    page.shows(&patient.family.to_uppercase()).shows("NOT LIVE");
}
