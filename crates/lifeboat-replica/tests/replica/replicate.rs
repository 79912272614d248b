//! Copying from the spool to other replicas.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_format::{ObjectKey, Verdict};
use lifeboat_replica::{
    ErrorClass, ReplicaCursor, ReplicaLocation, ReplicateProgress, Replication, VerifyLevel, VerifyOptions,
    WriteError, Writer, head_only, replicate, verify,
};

use crate::conformance::s3_location;
use crate::faults::{Fault, FaultStore};
use crate::newest::{copy_of, replication};
use crate::site::TestSite;

async fn assert_same(site: &TestSite, to: &Writer) {
    let report =
        verify(to.reader(), &site.key, &VerifyOptions::new(VerifyLevel::Digest), &|_| {}).await.unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
    assert_eq!(report.checkpoint.as_ref(), site.spool.newest());
    let ours = head_only(site.reader(), &site.key).await.unwrap();
    assert_eq!(head_only(to.reader(), &site.key).await.unwrap(), ours);
}

fn empty() -> (FaultStore, Writer) {
    let store = FaultStore::new();
    (store.clone(), Writer::over("copy".parse().unwrap(), Arc::new(store)))
}

async fn run(
    site: &TestSite,
    to: &Writer,
    cursor: Option<&ReplicaCursor>,
) -> lifeboat_replica::ReplicateReport {
    replicate(&Replication { cursor, ..replication(site, to) }, &|_| {}).await.unwrap()
}

#[tokio::test]
async fn a_new_replica_gets_everything_and_an_up_to_date_one_costs_one_request() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1"), ("Baker", "2")]);
    site.take(&[("Adams", "3")], &["Baker"], Verdict::Held);
    let (_store, to) = empty();
    let (calls, last) = (AtomicU64::new(0), AtomicU64::new(0));
    let watch = |progress: &ReplicateProgress| {
        calls.fetch_add(1, Ordering::Relaxed);
        last.store(progress.objects_total - progress.objects_done, Ordering::Relaxed);
    };
    let report = replicate(&replication(&site, &to), &watch).await.unwrap();
    assert!(report.listed && report.copied > 8 && report.bytes > 1000, "{report:?}");
    assert_eq!((calls.into_inner(), last.into_inner()), (report.copied, 0));
    assert_same(&site, &to).await;

    let before = to.reader().traffic().requests;
    let again = run(&site, &to, report.cursor.as_ref()).await;
    assert_eq!((again.copied, again.is_complete()), (0, true));
    assert_eq!(to.reader().traffic().requests - before, 1);
}

#[tokio::test]
async fn the_work_can_be_spawned() {
    fn is_send<T: Send>(work: T) -> T {
        work
    }
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let (_store, to) = empty();
    is_send(replicate(&replication(&site, &to), &|_| {})).await.unwrap();
    let options = VerifyOptions::new(VerifyLevel::Digest);
    let report = is_send(verify(to.reader(), &site.key, &options, &|_| {})).await.unwrap();
    is_send(lifeboat_replica::repair(&to, &[], &report.findings)).await;
    is_send(lifeboat_replica::newest_thorough(to.reader(), &site.key)).await.unwrap();
    let TestSite { folder, key, .. } = site;
    let mut spool = is_send(lifeboat_replica::Spool::open(folder.path(), &key)).await.unwrap();
    is_send(spool.adopt(to.reader())).await.unwrap();
}

#[tokio::test]
async fn a_folder_and_an_s3_server_get_the_same_copy() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    site.snapshot(&[("Adams", "2")]);
    let folder = tempfile::tempdir().unwrap();
    let mut locations = vec![ReplicaLocation::folder(folder.path())];
    locations.extend(std::env::var("LIFEBOAT_TEST_S3").ok().map(|text| s3_location(&text, "replicate")));
    for location in locations {
        let to = Writer::open("copy".parse().unwrap(), &location).unwrap();
        let report = run(&site, &to, None).await;
        assert_same(&site, &to).await;
        site.snapshot(&[("Adams", "3")]);
        run(&site, &to, report.cursor.as_ref()).await;
        assert_same(&site, &to).await;
    }
}

#[tokio::test]
async fn a_replica_that_was_away_gets_only_what_is_new() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1"), ("Baker", &"long ".repeat(2000))]);
    let (store, to) = empty();
    let first = run(&site, &to, None).await;
    for number in 0..30 {
        site.snapshot(&[("Adams", &number.to_string())]);
    }
    let before = to.reader().traffic();
    let report = run(&site, &to, first.cursor.as_ref()).await;
    assert!(!report.listed);
    // Thirty packs, indexes and manifests; the log's two tiles.
    assert_eq!((report.copied, report.found), (92, 0));
    assert!(to.reader().traffic().requests - before.requests < 3 * 92);
    assert_same(&site, &to).await;

    // A cursor that was lost costs a listing and copies nothing again.
    let listed = run(&site, &to, None).await;
    assert_eq!((listed.listed, listed.copied, listed.repaired), (true, 0, 0));
    // A cursor that is behind the replica's own checkpoint is moved on by it.
    site.snapshot(&[("Adams", "new")]);
    let moved = run(&site, &to, first.cursor.as_ref()).await;
    assert_eq!(moved.copied, 5);
    assert_same(&site, &to).await;
    assert!(store.is_exhausted());
}

#[tokio::test]
async fn a_run_that_failed_midway_is_finished_by_the_next() {
    let mut site = TestSite::new().await;
    for number in ["1", "2", "3"] {
        site.snapshot(&[("Adams", number)]);
    }
    for fault in [Fault::PutNothing, Fault::PutLandsUnconfirmed, Fault::PutLosesHalf] {
        for place in ["packs/", "indexes/", "manifests/", "log/", "epochs/", "RECOVER"] {
            let (store, to) = empty();
            store.plan(fault, place, 1);
            let report = run(&site, &to, None).await;
            assert!(!report.is_complete() && report.failures.len() == 1, "{fault:?} {place}: {report:?}");
            assert!(store.peek("HEAD").await.is_none(), "nothing refers to an incomplete copy");
            assert!(to.reader().list_checkpoints().await.unwrap().is_empty());
            let report = run(&site, &to, None).await;
            assert!(report.is_complete(), "{fault:?} {place}: {report:?}");
            assert_same(&site, &to).await;
        }
    }
    for place in ["checkpoints/", "HEAD"] {
        let (store, to) = empty();
        store.plan(Fault::PutNothing, place, 1);
        let error = replicate(&replication(&site, &to), &|_| {}).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient);
        assert!(run(&site, &to, None).await.is_complete());
        assert_same(&site, &to).await;
    }
}

#[tokio::test]
async fn a_store_that_hides_objects_from_its_list_only_costs_requests() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let (store, to) = copy_of(&site).await;
    store.plan(Fault::Unlisted, "", 100);
    let report = run(&site, &to, None).await;
    assert_eq!((report.copied, report.repaired), (0, 0));
    assert!(report.is_complete() && report.found > 5, "{report:?}");
}

#[tokio::test]
async fn many_failures_end_a_run_early() {
    let mut site = TestSite::new().await;
    for number in 0..30 {
        site.snapshot(&[("Adams", &number.to_string())]);
    }
    let (store, to) = empty();
    store.plan(Fault::PutNothing, "packs/", 1000);
    let report = run(&site, &to, None).await;
    assert!((8..=12).contains(&report.failures.len()), "{}", report.failures.len());
    assert_eq!(report.failure_class(), Some(ErrorClass::Transient));
}

#[tokio::test]
async fn an_emptied_replica_is_not_filled_without_being_asked() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let (_store, to) = empty();
    let cursor = run(&site, &to, None).await.cursor.unwrap();
    site.snapshot(&[("Adams", "2")]);
    let (_other, emptied) = empty();
    let with_cursor = Replication { cursor: Some(&cursor), ..replication(&site, &emptied) };
    let error = replicate(&with_cursor, &|_| {}).await.unwrap_err();
    assert!(matches!(error, WriteError::Emptied { expected: 2, .. }), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(run(&site, &emptied, None).await.is_complete());
}

#[tokio::test]
async fn another_site_a_fork_and_a_replica_that_is_ahead_are_not_written_to() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let mut other = TestSite::new().await;
    other.snapshot(&[("Zeta", "1")]);
    other.snapshot(&[("Zeta", "2")]);

    let (store, to) = copy_of(&other).await;
    let error = replicate(&replication(&site, &to), &|_| {}).await.unwrap_err();
    assert!(matches!(error, WriteError::Ahead { theirs: 3, ours: 2, .. }), "{error:?}");
    site.snapshot(&[("Adams", "2")]);
    site.snapshot(&[("Adams", "3")]);
    let head = store.peek("HEAD").await;
    let error = replicate(&replication(&site, &to), &|_| {}).await.unwrap_err();
    assert!(matches!(error, WriteError::Fork(_)), "{error:?}");
    assert_eq!(error.class(), ErrorClass::Fenced);
    assert_eq!(store.peek("HEAD").await, head);

    let (store, to) = empty();
    store.tamper("lifeboat.json", b"{\"another\":\"site\"}").await;
    let error = replicate(&replication(&site, &to), &|_| {}).await.unwrap_err();
    assert!(matches!(error, WriteError::OtherSite { key: ObjectKey::Site, .. }), "{error:?}");
}

#[tokio::test]
async fn damage_of_the_spool_is_not_copied_and_another_replica_helps_out() {
    let mut site = TestSite::new().await;
    let pack = site.snapshot(&[("Adams", "1")]).head.unwrap().manifest.packs[0].sha256;
    let (_store, good) = copy_of(&site).await;
    let key = ObjectKey::Pack(pack);
    let path = site.folder.path().join(key.to_string());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let (_store, to) = empty();
    let report = run(&site, &to, None).await;
    assert_eq!(report.failure_class(), Some(ErrorClass::Corrupt));
    assert_eq!(report.failures[0].key, key);
    let fallbacks = [good.reader().clone()];
    let with_fallback = Replication { fallbacks: &fallbacks, ..replication(&site, &to) };
    assert!(replicate(&with_fallback, &|_| {}).await.unwrap().is_complete());
    let verified =
        verify(to.reader(), &site.key, &VerifyOptions::new(VerifyLevel::Digest), &|_| {}).await.unwrap();
    assert!(verified.is_good(), "{:?}", verified.findings);
}

#[tokio::test]
async fn a_full_listing_puts_right_what_has_the_wrong_size_and_every_tile() {
    let mut site = TestSite::new().await;
    let manifest = site.snapshot(&[("Adams", "1")]).head.unwrap().manifest;
    let (store, to) = copy_of(&site).await;
    let keys = [
        ObjectKey::Pack(manifest.packs[0].sha256).to_string(),
        ObjectKey::EpochRecipients(manifest.epoch.number).to_string(),
        "log/tile/0/000.p/2".to_owned(),
        "log/tile/entries/000.p/2".to_owned(),
        "RECOVER.txt".to_owned(),
        "checkpoints/00000000000000000002".to_owned(),
        "HEAD".to_owned(),
    ];
    for key in &keys {
        store.tamper(key, b"damaged").await;
    }
    let report = run(&site, &to, None).await;
    assert_eq!((report.repaired, report.is_complete()), (5, true), "{report:?}");
    assert_same(&site, &to).await;
}

#[tokio::test]
async fn a_snapshot_whose_manifest_is_not_kept_any_more_is_passed_over() {
    let mut site = TestSite::new().await;
    let first = site.snapshot(&[("Adams", "1")]).head.unwrap().manifest_id;
    site.snapshot(&[("Adams", "2")]);
    std::fs::remove_file(site.folder.path().join(ObjectKey::Manifest(first).to_string())).unwrap();
    let (_store, to) = empty();
    let report = run(&site, &to, None).await;
    assert_eq!((report.snapshots_not_kept, report.is_complete()), (1, true));
}
