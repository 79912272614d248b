//! Finding the newest snapshot, whatever state `HEAD` is in.

use std::sync::Arc;

use lifeboat_format::log::Entry;
use lifeboat_replica::{
    ErrorClass, HeadState, Reader, ReplicateSettings, Replication, Writer, head_only, newest,
    newest_thorough, replicate,
};

use crate::faults::FaultStore;
use crate::site::TestSite;

/// Copies the site's spool into a store in memory.
pub(crate) async fn copy_of(site: &TestSite) -> (FaultStore, Writer) {
    let store = FaultStore::new();
    let writer = Writer::over("copy".parse().unwrap(), Arc::new(store.clone()));
    let report = replicate(&replication(site, &writer), &|_| {}).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    (store, writer)
}

pub(crate) fn replication<'a>(site: &'a TestSite, to: &'a Writer) -> Replication<'a> {
    Replication {
        from: site.reader(),
        fallbacks: &[],
        to,
        key: &site.key,
        cursor: None,
        up_to: None,
        settings: ReplicateSettings::default(),
    }
}

async fn three_snapshots() -> (TestSite, FaultStore, Reader) {
    let mut site = TestSite::new().await;
    for number in ["1", "2", "3"] {
        site.snapshot(&[("Adams", number)]);
    }
    let (store, writer) = copy_of(&site).await;
    (site, store, writer.reader().clone())
}

#[tokio::test]
async fn a_good_head_answers_with_one_request() {
    let (site, _store, reader) = three_snapshots().await;
    let before = reader.traffic().requests;
    let head = head_only(&reader, &site.key).await.unwrap();
    assert_eq!(reader.traffic().requests - before, 1);
    assert_eq!(head.manifest.sequence.number(), 3);
    let thorough = newest_thorough(&reader, &site.key).await.unwrap();
    assert_eq!(thorough.head, head);
    assert!(matches!(thorough.state, HeadState::Current));
}

#[tokio::test]
async fn a_missing_or_damaged_head_is_rebuilt_from_the_log() {
    let (site, store, reader) = three_snapshots().await;
    let good = head_only(&reader, &site.key).await.unwrap();
    let bytes = store.peek("HEAD").await.unwrap();
    for damaged in [b"".to_vec(), b"{}".to_vec(), bytes[..bytes.len() / 2].to_vec(), {
        let mut flipped = bytes.to_vec();
        flipped[40] ^= 1;
        flipped
    }] {
        store.tamper("HEAD", &damaged).await;
        assert_eq!(head_only(&reader, &site.key).await.unwrap_err().class(), ErrorClass::Corrupt);
        assert_eq!(newest(&reader, &site.key).await.unwrap(), good);
    }
    store.lose("HEAD").await;
    let thorough = newest_thorough(&reader, &site.key).await.unwrap();
    assert_eq!(thorough.head, good);
    assert!(matches!(thorough.state, HeadState::Bad(error) if error.is_missing()));
}

#[tokio::test]
async fn an_old_head_does_not_hide_a_newer_checkpoint() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let old = std::fs::read(site.folder.path().join("HEAD")).unwrap();
    site.snapshot(&[("Adams", "2")]);
    let (store, writer) = copy_of(&site).await;
    store.tamper("HEAD", &old).await;
    let reader = writer.reader();
    assert_eq!(head_only(reader, &site.key).await.unwrap().manifest.sequence.number(), 1);
    let thorough = newest_thorough(reader, &site.key).await.unwrap();
    assert_eq!(thorough.head.manifest.sequence.number(), 2);
    assert!(matches!(thorough.state, HeadState::Older { size: 2 }), "{:?}", thorough.state);
}

#[tokio::test]
async fn a_junk_checkpoint_is_passed_over_and_reported() {
    let (site, store, reader) = three_snapshots().await;
    let good = head_only(&reader, &site.key).await.unwrap();
    store.tamper("checkpoints/00000000000000000009", b"lifeboat/A81001\n9\njunk\n\n").await;
    let thorough = newest_thorough(&reader, &site.key).await.unwrap();
    assert_eq!((thorough.head, thorough.unverified), (good.clone(), vec![9]));
    store.lose("HEAD").await;
    let thorough = newest_thorough(&reader, &site.key).await.unwrap();
    assert_eq!((thorough.head, thorough.unverified), (good, vec![9]));
}

#[tokio::test]
async fn a_heartbeat_keeps_naming_its_snapshot_and_an_empty_replica_names_none() {
    let mut site = TestSite::new().await;
    let error = newest(site.reader(), &site.key).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt, "{error}");
    site.snapshot(&[("Adams", "1")]);
    site.heartbeat(1);
    let head = newest(site.reader(), &site.key).await.unwrap();
    assert!(matches!(head.entry, Entry::Heartbeat { .. }));
    assert_eq!((head.manifest.sequence.number(), head.checkpoint.size), (1, 3));
}

#[tokio::test]
async fn another_sites_key_opens_nothing() {
    let (_site, _store, reader) = three_snapshots().await;
    let other =
        lifeboat_format::SigningKey::from_seed("lifeboat/A81001", &[8; 32]).unwrap().verification_key();
    assert_eq!(newest(&reader, &other).await.unwrap_err().class(), ErrorClass::Corrupt);
}
