//! What this crate relies on from a byte store, shown for a folder, for memory, and for an S3 server when
//! `LIFEBOAT_TEST_S3` names one (JSON: endpoint, bucket, access_key, secret_key).

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use lifeboat_format::{ObjectKey, PackId};
use lifeboat_replica::{ErrorClass, ReadError, ReplicaLocation, Writer, Written};
use object_store::memory::InMemory;

use crate::faults::{Fault, FaultStore};

fn pack(bytes: &[u8]) -> (ObjectKey, Bytes) {
    (ObjectKey::Pack(PackId::of(bytes)), Bytes::copy_from_slice(bytes))
}

async fn creates_once(writer: &Writer) {
    let (key, bytes) = pack(b"one pack");
    assert_eq!(writer.create(&key, bytes.clone()).await.unwrap(), Written::New);
    assert_eq!(writer.create(&key, bytes.clone()).await.unwrap(), Written::AlreadyThere);
    assert_eq!(writer.reader().object(&key, 100).await.unwrap(), bytes);

    let checkpoint = ObjectKey::Checkpoint(7);
    assert_eq!(writer.create(&checkpoint, "a".into()).await.unwrap(), Written::New);
    for other in ["b", "ab"] {
        let error = writer.create(&checkpoint, other.into()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fenced, "{error}");
    }
    assert_eq!(writer.reader().object(&checkpoint, 100).await.unwrap(), "a");

    let misnamed = writer.create(&key, "other bytes".into()).await.unwrap_err();
    assert_eq!(misnamed.class(), ErrorClass::Bug);
}

async fn creates_once_among_many(writer: &Writer) {
    let (key, bytes) = pack(b"wanted by many");
    let creations = join_all((0..16).map(|_| writer.create(&key, bytes.clone()))).await;
    assert!(creations.iter().all(Result::is_ok), "{creations:?}");
    assert_eq!(writer.reader().object(&key, 100).await.unwrap(), bytes);
}

async fn reads_ranges_and_refuses_short_or_large_ones(writer: &Writer) {
    let (key, bytes) = pack(&(0..=255).cycle().take(100_000).collect::<Vec<u8>>());
    writer.create(&key, bytes.clone()).await.unwrap();
    let reader = writer.reader();
    assert_eq!(reader.size(&key).await.unwrap(), Some(100_000));
    for range in [0..1, 5..5, 99_990..100_000, 0..100_000, 33..77_777] {
        let expected = &bytes[range.start as usize..range.end as usize];
        assert_eq!(reader.range(&key, range.clone()).await.unwrap(), expected, "{range:?}");
    }
    for range in [99_999..100_001, 100_000..100_001, 200_000..200_010] {
        let error = reader.range(&key, range.clone()).await.unwrap_err();
        assert!(matches!(error, ReadError::Short { .. }), "{range:?}: {error:?}");
    }
    let error = reader.object(&key, 99_999).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { size: 100_000, size_max: 99_999, .. }), "{error:?}");

    let (absent, _) = pack(b"never written");
    assert_eq!(reader.size(&absent).await.unwrap(), None);
    assert!(reader.object(&absent, 1).await.unwrap_err().is_missing());
    assert!(reader.range(&absent, 0..1).await.unwrap_err().is_missing());
}

async fn lists_what_was_written(writer: &Writer) {
    for size in [300, 4, 1_000_000_007] {
        writer.create(&ObjectKey::Checkpoint(size), "note".into()).await.unwrap();
    }
    let (key, bytes) = pack(b"listed");
    writer.create(&key, bytes).await.unwrap();
    let reader = writer.reader();
    assert_eq!(reader.list_checkpoints().await.unwrap(), [4, 7, 300, 1_000_000_007]);
    assert_eq!(reader.list_checkpoints_after(7).await.unwrap(), [300, 1_000_000_007]);
    assert_eq!(reader.list_checkpoints_after(1_000_000_007).await.unwrap(), [] as [u64; 0]);
    let listing = reader.list_all().await.unwrap();
    assert!(listing.holds(&key, 6) && !listing.holds(&key, 7));
    assert_eq!(listing.unknown_count, 0);
    let packs = reader.list_folder(ObjectKey::PACKS).await.unwrap();
    assert!(packs.holds(&key, 6) && packs.checkpoints().count() == 0);
}

async fn replaces_head_and_repairs_only_what_a_digest_names(writer: &Writer) {
    for head in ["one", "two, longer", "3"] {
        writer.replace_head(head.into()).await.unwrap();
        assert_eq!(writer.reader().object(&ObjectKey::Head, 100).await.unwrap(), head);
    }
    let (key, bytes) = pack(b"repaired");
    writer.repair(&key, bytes.clone()).await.unwrap();
    assert_eq!(writer.reader().object(&key, 100).await.unwrap(), bytes);
    for key in [ObjectKey::Checkpoint(7), ObjectKey::Head, ObjectKey::Site] {
        assert_eq!(writer.repair(&key, "x".into()).await.unwrap_err().class(), ErrorClass::Bug);
    }
    assert_eq!(writer.create(&ObjectKey::Head, "x".into()).await.unwrap_err().class(), ErrorClass::Bug);
}

async fn holds_the_largest_pack_and_an_empty_object(writer: &Writer) {
    let (key, bytes) = pack(&vec![7; 8 << 20]);
    writer.create(&key, bytes.clone()).await.unwrap();
    assert_eq!(writer.reader().object(&key, 8 << 20).await.unwrap(), bytes);
    let (key, bytes) = pack(b"");
    writer.create(&key, bytes).await.unwrap();
    assert_eq!(writer.reader().object(&key, 10).await.unwrap(), "");
}

async fn check(writer: Writer) {
    creates_once(&writer).await;
    creates_once_among_many(&writer).await;
    reads_ranges_and_refuses_short_or_large_ones(&writer).await;
    lists_what_was_written(&writer).await;
    replaces_head_and_repairs_only_what_a_digest_names(&writer).await;
    holds_the_largest_pack_and_an_empty_object(&writer).await;
    writer.settle([ObjectKey::Head, ObjectKey::Checkpoint(7)]).await.unwrap();
    let traffic = writer.reader().traffic();
    assert!(traffic.requests > 50 && traffic.bytes > 8 << 20, "{traffic:?}");
}

#[tokio::test]
async fn a_folder_does_what_we_rely_on() {
    let folder = tempfile::tempdir().unwrap();
    let location = ReplicaLocation::folder(folder.path().join("new"));
    check(Writer::open_new("folder".parse().unwrap(), &location).unwrap()).await;
}

#[tokio::test]
async fn memory_does_what_we_rely_on() {
    check(Writer::over("memory".parse().unwrap(), Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn an_s3_server_does_what_we_rely_on() {
    let Ok(text) = std::env::var("LIFEBOAT_TEST_S3") else { return };
    check(Writer::open("cloud".parse().unwrap(), &s3_location(&text, "conformance")).unwrap()).await;
}

/// Makes the location of an unused part of the bucket that the test environment names.
pub(crate) fn s3_location(environment: &str, part: &str) -> ReplicaLocation {
    let mut options: serde_json::Map<String, serde_json::Value> = serde_json::from_str(environment).unwrap();
    let bucket = options.remove("bucket").unwrap();
    let http = options["endpoint"].as_str().unwrap().starts_with("http:");
    options.insert("allow_http".to_owned(), http.into());
    let unused = tempfile::tempdir().unwrap();
    let unused = unused.path().file_name().unwrap().to_str().unwrap().replace('.', "");
    let url = format!("s3://{}/{part}/{unused}", bucket.as_str().unwrap());
    serde_json::from_value(serde_json::json!({ "url": url, "options": options })).unwrap()
}

fn faulty() -> (FaultStore, Writer) {
    let store = FaultStore::new();
    (store.clone(), Writer::over("faulty".parse().unwrap(), Arc::new(store)))
}

#[tokio::test]
async fn a_put_that_landed_unconfirmed_is_recognised_at_the_next_attempt() {
    let (store, writer) = faulty();
    store.plan(Fault::PutLandsUnconfirmed, "packs/", 1);
    let (key, bytes) = pack(b"landed");
    assert_eq!(writer.create(&key, bytes.clone()).await.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(writer.create(&key, bytes).await.unwrap(), Written::AlreadyThere);
}

#[tokio::test]
async fn a_store_that_says_exists_without_having_it_is_asked_again() {
    let (store, writer) = faulty();
    store.plan(Fault::PutSaysExists, "packs/", 2);
    let (key, bytes) = pack(b"third time lucky");
    assert_eq!(writer.create(&key, bytes).await.unwrap(), Written::New);
    assert!(store.is_exhausted());
    store.plan(Fault::PutSaysExists, "packs/", 3);
    let (key, bytes) = pack(b"given up");
    assert_eq!(writer.create(&key, bytes).await.unwrap_err().class(), ErrorClass::Transient);
}

#[tokio::test]
async fn a_store_without_conditional_puts_is_looked_at_first() {
    let (store, writer) = faulty();
    store.plan(Fault::CreateUnknown, "", 4);
    let (key, bytes) = pack(b"looked");
    assert_eq!(writer.create(&key, bytes.clone()).await.unwrap(), Written::New);
    assert_eq!(writer.create(&key, bytes).await.unwrap(), Written::AlreadyThere);
    writer.create(&ObjectKey::Checkpoint(1), "a".into()).await.unwrap();
    let error = writer.create(&ObjectKey::Checkpoint(1), "b".into()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fenced);
}

#[tokio::test]
async fn what_a_store_loses_while_confirming_it_is_noticed() {
    let (store, writer) = faulty();
    store.plan(Fault::PutLosesHalf, "packs/", 1);
    let (key, bytes) = pack(b"half of this is lost");
    assert_eq!(writer.create(&key, bytes.clone()).await.unwrap_err().class(), ErrorClass::Corrupt);
    let error = writer.create(&key, bytes.clone()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt, "the damaged object lies under the name: {error}");
    writer.repair(&key, bytes.clone()).await.unwrap();
    assert_eq!(writer.create(&key, bytes).await.unwrap(), Written::AlreadyThere);
}

#[tokio::test]
async fn a_get_that_ends_early_is_an_error_and_not_a_short_object() {
    let (store, writer) = faulty();
    let (key, bytes) = pack(b"read to the end");
    writer.create(&key, bytes).await.unwrap();
    for _ in 0..2 {
        store.plan(Fault::GetTruncated, "packs/", 1);
    }
    assert!(matches!(writer.reader().object(&key, 100).await.unwrap_err(), ReadError::Short { .. }));
    assert!(matches!(writer.reader().range(&key, 0..10).await.unwrap_err(), ReadError::Short { .. }));
}
