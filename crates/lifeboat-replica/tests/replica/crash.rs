//! Publishing and copying survive being killed at input/output steps all over the work.
//!
//! The test runs itself as a child process that is killed at the n-th step, and then goes on from what it left. It
//! tries every so manieth step, from one end to the other; `LIFEBOAT_TEST_CRASH_STRIDE=1` tries them all.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use jiff::Timestamp;
use lifeboat_format::SiteDescription;
use lifeboat_format::log::Entry;
use lifeboat_replica::{
    PublishSet, Reader, ReplicaLocation, ReplicateSettings, Replication, Spool, VerifyLevel, VerifyOptions,
    Writer, replicate, verify,
};

use crate::newest::replication;
use crate::site::{TestSite, signing_key};

/// Names the folder in which a child works; absent in the parent.
const FOLDER: &str = "LIFEBOAT_TEST_CRASH_FOLDER";

/// Which steps are tried, so that the test is quick.
const STRIDE: usize = 17;

/// By how many steps one run may differ from the next.
const STEPS_THAT_VARY: usize = 40;

fn run_child(folder: &Path, variable: &str, value: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::a_child_publishes_and_copies_until_it_is_killed"])
        .env(FOLDER, folder)
        .env("TMPDIR", folder)
        .env(variable, value)
        .output()
        .unwrap()
        .status
}

#[tokio::test]
async fn a_child_publishes_and_copies_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let location = ReplicaLocation::folder(Path::new(&folder).join("copy"));
    let to = Writer::open_new("copy".parse().unwrap(), &location).unwrap();
    replicate(&replication(&site, &to), &|_| {}).await.unwrap();
    site.snapshot(&[("Adams", "2")]);
    replicate(&replication(&site, &to), &|_| {}).await.unwrap();
}

#[tokio::test]
async fn whatever_is_left_when_the_process_dies_is_whole_and_goes_on() {
    let counted = tempfile::tempdir().unwrap();
    let list = counted.path().join("steps");
    assert!(run_child(counted.path(), "LIFEBOAT_CRASH_COUNT", list.to_str().unwrap()).success());
    let steps = std::fs::read_to_string(&list).unwrap().lines().count();
    assert!(steps > 100, "{steps} steps");
    let stride = std::env::var("LIFEBOAT_TEST_CRASH_STRIDE").map_or(STRIDE, |text| text.parse().unwrap());
    for step in (1..=steps).step_by(stride) {
        let folder = tempfile::tempdir().unwrap();
        let status = run_child(folder.path(), "LIFEBOAT_CRASH_AT", &step.to_string());
        // A run whose objects share a folder makes fewer of them, so the last steps may not be reached.
        let is_near_the_end = step + STEPS_THAT_VARY > steps;
        assert!(status.signal() == Some(9) || (is_near_the_end && status.success()), "step {step}: {status}");
        go_on(folder.path(), step).await;
    }
}

async fn go_on(folder: &Path, step: usize) {
    let Some(spool) = spool_in(folder) else { return };
    let signing = signing_key();
    let key = signing.verification_key();
    let site =
        SiteDescription::new("A81001".parse().unwrap(), "The Surgery".to_owned(), key.clone()).unwrap();
    Spool::lay_out(&spool, &site).unwrap();
    let mut spool = Spool::open(&spool, &key).await.unwrap();
    if spool.newest().is_some() {
        assert_whole(spool.reader(), step).await;
    }
    let event = Entry::Event {
        time: Timestamp::UNIX_EPOCH,
        name: "drill".to_owned(),
        detail: "after the crash".to_owned(),
    };
    spool.publish(PublishSet { entries: vec![event], ..PublishSet::default() }, &signing).unwrap();
    assert_whole(spool.reader(), step).await;

    let location = ReplicaLocation::folder(folder.join("copy"));
    let to = Writer::open_new("copy".parse().unwrap(), &location).unwrap();
    let before = to.reader().list_checkpoints().await.unwrap();
    if !before.is_empty() {
        let report =
            verify(to.reader(), &key, &VerifyOptions::new(VerifyLevel::Digest), &|_| {}).await.unwrap();
        // Between a checkpoint and HEAD, HEAD is missing or older; readers go by the checkpoint then.
        let only_head =
            report.findings.iter().all(|finding| finding.object == Some(lifeboat_format::ObjectKey::Head));
        assert!(only_head, "step {step}: {:?}", report.findings);
    }
    let replication = Replication {
        from: spool.reader(),
        fallbacks: &[],
        to: &to,
        key: &key,
        cursor: None,
        up_to: None,
        settings: ReplicateSettings::default(),
    };
    let report = replicate(&replication, &|_| {}).await.unwrap();
    assert!(report.is_complete(), "step {step}: {report:?}");
    assert_whole(to.reader(), step).await;
}

async fn assert_whole(reader: &Reader, step: usize) {
    let key = signing_key().verification_key();
    let report = verify(reader, &key, &VerifyOptions::new(VerifyLevel::Digest), &|_| {}).await.unwrap();
    assert!(report.is_good(), "step {step}, {}: {:?}", reader.name(), report.findings);
}

/// Finds the scratch folder in which the child's spool lies.
fn spool_in(folder: &Path) -> Option<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir() && path.file_name().is_some_and(|name| name != "copy"))
}
