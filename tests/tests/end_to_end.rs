//! The whole story over folders: records are read, sealed and copied; two of three copies go; a clinician reads.

use std::fs;
use std::path::Path;

use lifeboat_tests::damage;
use lifeboat_tests::http::Page;
use lifeboat_tests::practice::{self, Expected};
use lifeboat_tests::site::{PASSPHRASE, REPLICAS, Site};
use lifeboat_tests::viewer::Viewer;

/// Patients of the practice.
const PATIENTS: usize = 60;

#[test]
fn with_two_of_three_copies_gone_a_clinician_finds_a_patient_in_the_third() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&REPLICAS);
    practice::write(&practice, &site.source());
    site.snapshot();
    let changed = practice::write_changes(&practice, 1, 0.2, &site.source());
    assert!(!changed.is_empty(), "the practice goes on working");
    site.snapshot();
    let (kit, passphrase) = site.make_kit("duty-doctor");
    site.snapshot();

    fs::remove_dir_all(site.replica("one")).expect("a store can be lost");
    garble(&site.replica("two"));

    let mut viewer = Viewer::open(&kit, &passphrase);
    let first = viewer.launch();
    first.shows("Day list").shows("NOT LIVE").shows("Test Surgery").shows("Reading: three");
    assert_safe(&first);
    let patient = practice::somebody(&practice, &changed);
    for query in queries(&patient) {
        let page = viewer.open_patient(&query);
        shows_patient(&page, &patient);
        assert_safe(&page);
    }
}

#[test]
fn the_passphrase_is_asked_for_in_the_browser() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    let (kit, _) = site.make_kit("duty-doctor");
    site.snapshot();

    let mut viewer = Viewer::locked(&kit);
    let ask = viewer.launch();
    ask.shows("Passphrase");
    let refused = viewer.send(&ask, "/unlock", &[("passphrase", "not the passphrase")]);
    assert_eq!(refused.status, 422, "{}", refused.body);
    let opened = viewer.send(&refused, "/unlock", &[("passphrase", PASSPHRASE)]);
    opened.shows("Day list");
    let locked = viewer.send(&opened, "/lock", &[]);
    locked.shows("Passphrase");
    let patient = practice::somebody(&practice, &[]);
    let after = viewer.browser.open("/search");
    assert!(!after.body.contains(&patient.family.to_uppercase()), "a locked viewer shows nobody");
}

#[test]
fn every_replica_restores_the_same_records() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&REPLICAS);
    practice::write(&practice, &site.source());
    site.snapshot();
    practice::write_changes(&practice, 1, 0.2, &site.source());
    site.snapshot();

    let restored = REPLICAS.map(|name| site.restore(name, &format!("restored-{name}")));
    let files = damage::files_below(&restored[0]).len();
    assert!(files >= PATIENTS, "{files} files for {PATIENTS} patients");
    damage::assert_same(&restored[0], &restored[1]);
    damage::assert_same(&restored[0], &restored[2]);
}

#[test]
fn one_patient_is_restored_by_nhs_number() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let patient = practice::somebody(&practice, &[]);
    let number = patient.nhs_number.expect("somebody with an NHS number");

    let folder = site.root().join("restored");
    let identity = site.identity("owner");
    site.command(&["restore", "--patient", &number])
        .arguments(["--identity".as_ref(), identity.as_os_str(), "--to".as_ref(), folder.as_os_str()])
        .run()
        .success();
    let found = damage::contents(&folder);
    assert_eq!(found.len(), 1, "one patient is one file");
    let bundle: serde_json::Value = found
        .values()
        .next()
        .map(|bytes| serde_json::from_slice(bytes).expect("FHIR is JSON"))
        .expect("one file");
    assert_eq!(bundle["resourceType"], "Bundle");
    assert_eq!(bundle["type"], "document");
    assert_eq!(bundle["entry"][0]["resource"]["resourceType"], "Composition");
    assert!(bundle.to_string().contains(&number));
}

#[test]
fn a_snapshot_without_change_writes_a_heartbeat_and_no_records() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    let records = |site: &Site| {
        let mut files = damage::files_below(&site.replica("one"));
        files.retain(|file| ["packs", "indexes", "manifests"].iter().any(|folder| file.starts_with(folder)));
        files
    };
    let before = records(&site);
    let checkpoints = damage::files_below(&site.replica("one").join("checkpoints")).len();
    site.snapshot();
    assert_eq!(records(&site), before);
    let after = damage::files_below(&site.replica("one").join("checkpoints")).len();
    assert_eq!(after, checkpoints + 1, "silence is a fault, so there is a heartbeat");
}

#[test]
fn a_replica_that_was_away_catches_up() {
    let practice = practice::practice(PATIENTS);
    let site = Site::new(&REPLICAS);
    practice::write(&practice, &site.source());
    site.snapshot();
    let away = site.root().join("away");
    fs::rename(site.replica("two"), &away).expect("a disk can be unplugged");
    for round in 1..=3 {
        practice::write_changes(&practice, round, 0.1, &site.source());
        site.run(&["snapshot"]).code(5);
    }
    assert!(!site.replica("two").exists(), "nothing is written where the disk was");
    fs::rename(&away, site.replica("two")).expect("a disk can be plugged in");
    site.snapshot();
    site.verify_as_stranger(&site.replica("two")).success();
    let restored = ["one", "two"].map(|name| site.restore(name, &format!("restored-{name}")));
    damage::assert_same(&restored[0], &restored[1]);
}

/// Returns different ways in which the patient may be looked for.
fn queries(patient: &Expected) -> Vec<String> {
    let number = patient.nhs_number.clone().expect("somebody with an NHS number");
    let mut queries = vec![
        number.clone(),
        format!("{} {} {}", &number[..3], &number[3..6], &number[6..]),
        format!("{} {} {}", patient.family, patient.given[0], patient.born.strftime("%d/%m/%Y")),
        format!("{} {}", patient.postcode, patient.family),
    ];
    queries.extend(patient.phones.first().map(|phone| format!("{phone} {}", patient.family)));
    queries
}

/// Fails unless the page is this patient's.
#[track_caller]
fn shows_patient(page: &Page, patient: &Expected) {
    let number = patient.nhs_number.as_deref().expect("somebody with an NHS number");
    page.shows(&patient.family.to_uppercase());
    page.shows(&patient.given[0]);
    page.shows(&format!("{} {} {}", &number[..3], &number[3..6], &number[6..]));
    page.shows(&patient.born.strftime("%d-%b-%Y").to_string());
    page.shows("NOT LIVE").shows("llerg");
}

/// Fails unless a page is one that a browser may be trusted with.
#[track_caller]
fn assert_safe(page: &Page) {
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "policy {policy:?}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(!page.body.contains("<script"), "no page needs a script");
}

/// Damages the newest packs and everything that leads to them.
fn garble(replica: &Path) {
    for file in damage::files_below(replica) {
        let path = replica.join(&file);
        if file.starts_with("packs") || file.starts_with("HEAD") || file.starts_with("checkpoints") {
            damage::truncate(&path, fs::metadata(&path).map_or(0, |about| about.len() as usize / 2));
        }
    }
}
