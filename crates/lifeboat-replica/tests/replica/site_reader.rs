//! Opening a snapshot: one record in three round trips, the directory, everything, and what refuses to open.

use std::collections::BTreeMap;

use lifeboat_format::{Dictionary, Identity, ObjectKey, Passphrase, RecordName, Verdict};
use lifeboat_replica::{Access, Choice, ErrorClass, OpenSample, ReadError, Reader, SiteReader, head_only};

use crate::faults::Fault;
use crate::newest::copy_of;
use crate::site::{PASSPHRASE, TestSite};

async fn open(site: &TestSite, reader: &Reader, choice: Choice) -> SiteReader {
    let access = Access::Identity(site.identity.clone());
    SiteReader::open(reader.clone(), &site.key, access, choice).await.unwrap()
}

async fn text_of(opened: &SiteReader, site: &TestSite, name: &str) -> Option<String> {
    let record = opened.record(site.record_key(name)).await.unwrap()?;
    Some(String::from_utf8(record.bytes.to_vec()).unwrap())
}

async fn site_with_changes() -> TestSite {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "first"), ("Baker", "second"), ("Clark", "third")]);
    site.take(&[("Adams", "changed"), ("Davis", "new")], &["Baker"], Verdict::Accepted);
    site
}

#[tokio::test]
async fn one_cold_record_takes_three_round_trips() {
    let site = site_with_changes().await;
    let (_store, copy) = copy_of(&site).await;
    let reader = copy.reader();
    let before = reader.traffic().requests;
    let opened = open(&site, reader, Choice::Accepted).await;
    assert_eq!(reader.traffic().requests - before, 1, "HEAD");
    assert_eq!(opened.locate(site.record_key("Adams")).await.unwrap().unwrap().key, site.record_key("Adams"));
    assert_eq!(reader.traffic().requests - before, 4, "epoch secret, base part and delta part, at once");
    assert_eq!(text_of(&opened, &site, "Adams").await.as_deref(), Some("changed"));
    assert_eq!(reader.traffic().requests - before, 5, "the record; the parts are open");
}

#[tokio::test]
async fn the_work_can_be_spawned() {
    fn is_send<T: Send>(work: T) -> T {
        work
    }
    let site = site_with_changes().await;
    let access = Access::Identity(site.identity.clone());
    let opened =
        is_send(SiteReader::open(site.reader().clone(), &site.key, access, Choice::Accepted)).await.unwrap();
    is_send(opened.unlock()).await.unwrap();
    is_send(opened.record(site.record_key("Adams"))).await.unwrap();
    is_send(opened.directory()).await.unwrap();
    is_send(opened.verify_open(OpenSample::All, &|_, _| {})).await.unwrap();
    is_send(opened.records().await.unwrap().next()).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_delta_wins_and_tombstones_remove() {
    let site = site_with_changes().await;
    let opened = open(&site, site.reader(), Choice::Accepted).await;
    for (name, expected) in [
        ("Adams", Some("changed")),
        ("Baker", None),
        ("Clark", Some("third")),
        ("Davis", Some("new")),
        ("Nobody", None),
    ] {
        assert_eq!(text_of(&opened, &site, name).await.as_deref(), expected, "{name}");
    }
    let directory = opened.directory().await.unwrap();
    let names: Vec<_> = directory.rows.iter().filter_map(|row| row.family.as_deref()).collect();
    assert_eq!(names, ["Adams", "Clark", "Davis"]);
    assert_eq!(directory.days, [jiff::civil::date(2026, 11, 21)]);
    let by_name = opened.record_key(&RecordName::Patient("Adams")).await.unwrap();
    assert_eq!(by_name, site.record_key("Adams"));
}

#[tokio::test]
async fn all_records_stream_and_open_and_are_counted() {
    let site = site_with_changes().await;
    let (_store, copy) = copy_of(&site).await;
    let opened = open(&site, copy.reader(), Choice::Accepted).await;
    let mut stream = opened.records().await.unwrap();
    assert_eq!(stream.total(), 3);
    let mut records = BTreeMap::new();
    while let Some(record) = stream.next().await {
        let record = record.unwrap();
        records.insert(record.key, String::from_utf8(record.bytes.to_vec()).unwrap());
    }
    let expected = [("Adams", "changed"), ("Clark", "third"), ("Davis", "new")];
    assert_eq!(records, expected.map(|(name, text)| (site.record_key(name), text.to_owned())).into());

    for (sample, count) in [
        (OpenSample::All, 3),
        (OpenSample::Records { count: 2, start: 7 }, 2),
        (OpenSample::Records { count: 99, start: 0 }, 3),
    ] {
        let report = opened.verify_open(sample, &|_, _| {}).await.unwrap();
        assert!(report.is_good(), "{report:?}");
        assert_eq!((report.opened, report.records), (count, 3));
    }
}

#[tokio::test]
async fn one_damaged_record_does_not_keep_the_others_from_opening() {
    let site = site_with_changes().await;
    let (store, copy) = copy_of(&site).await;
    let opened = open(&site, copy.reader(), Choice::Accepted).await;
    let row = opened.locate(site.record_key("Clark")).await.unwrap().unwrap();
    let pack = row.place.resolve(opened.manifest()).unwrap();
    let key = ObjectKey::Pack(pack.pack).to_string();
    let mut bytes = store.peek(&key).await.unwrap().to_vec();
    bytes[usize::try_from(pack.range().end - 1).unwrap()] ^= 1;
    store.tamper(&key, &bytes).await;
    let report = opened.verify_open(OpenSample::All, &|_, _| {}).await.unwrap();
    assert!(!report.is_good());
    assert_eq!((report.opened, report.failures.len()), (2, 1));
    assert_eq!(report.failures[0].key, site.record_key("Clark"));
    let error = opened.record(site.record_key("Clark")).await.unwrap_err();
    assert!(matches!(error, ReadError::Digest { .. }), "{error:?}");
    store.lose(&key).await;
    let report = opened.verify_open(OpenSample::All, &|_, _| {}).await.unwrap();
    assert!(report.failures.iter().all(|failure| failure.source.is_missing()), "{report:?}");
}

#[tokio::test]
async fn a_held_snapshot_is_opened_only_when_asked_for() {
    let mut site = site_with_changes().await;
    site.take(&[], &["Adams", "Clark"], Verdict::Held);
    let accepted = open(&site, site.reader(), Choice::Accepted).await;
    assert_eq!(accepted.manifest().sequence.number(), 2);
    assert_eq!(text_of(&accepted, &site, "Adams").await.as_deref(), Some("changed"));
    let newest = open(&site, site.reader(), Choice::Newest).await;
    assert_eq!(newest.manifest().sequence.number(), 3);
    assert_eq!(text_of(&newest, &site, "Adams").await, None);
    assert!(newest.head().manifest.is_held());
}

#[tokio::test]
async fn the_break_glass_passphrase_opens_and_a_stranger_does_not() {
    let site = site_with_changes().await;
    let head = head_only(site.reader(), &site.key).await.unwrap();
    for (access, opens) in [
        (Access::Passphrase(Passphrase::from(PASSPHRASE)), true),
        (Access::Passphrase(Passphrase::from("guess")), false),
        (Access::Identity(Identity::generate()), false),
    ] {
        let opened = SiteReader::from_head(site.reader().clone(), head.clone(), access, Choice::Accepted);
        match opened.unlock().await {
            Ok(()) => assert!(opens),
            Err(error) => {
                assert!(!opens && matches!(error, ReadError::Unlock { .. }), "{error:?}");
                assert_eq!(error.class(), ErrorClass::Operator);
            }
        }
    }
}

#[tokio::test]
async fn damaged_parts_and_secrets_are_refused_by_their_digest() {
    let site = site_with_changes().await;
    let (store, copy) = copy_of(&site).await;
    let manifest = head_only(copy.reader(), &site.key).await.unwrap().manifest;
    for key in
        [ObjectKey::Index(manifest.indexes.base.sha256), ObjectKey::EpochRecipients(manifest.epoch.number)]
    {
        let name = key.to_string();
        let good = store.peek(&name).await.unwrap();
        let mut bad = good.to_vec();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        store.tamper(&name, &bad).await;
        let opened = open(&site, copy.reader(), Choice::Accepted).await;
        let error = opened.record(site.record_key("Clark")).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Corrupt, "{name}: {error}");
        store.tamper(&name, &good).await;
        assert_eq!(text_of(&opened, &site, "Clark").await.as_deref(), Some("third"), "it heals");
    }
    store.plan(Fault::Get, "packs/", 1);
    let opened = open(&site, copy.reader(), Choice::Accepted).await;
    assert_eq!(opened.record(site.record_key("Clark")).await.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(text_of(&opened, &site, "Clark").await.as_deref(), Some("third"));
}

#[tokio::test]
async fn a_damaged_head_does_not_keep_a_site_from_opening() {
    let site = site_with_changes().await;
    let (store, copy) = copy_of(&site).await;
    store.tamper("HEAD", b"damaged").await;
    let opened = open(&site, copy.reader(), Choice::Accepted).await;
    assert_eq!(text_of(&opened, &site, "Adams").await.as_deref(), Some("changed"));
}

#[tokio::test]
async fn records_sealed_with_a_dictionary_open() {
    let sample = |number: usize| {
        let items: String = (0..40)
            .map(|item| format!("{{\"code\":\"{}\",\"n\":{}}}", item * 7919 % 101, number * item))
            .collect();
        format!("{{\"resourceType\":\"Bundle\",\"id\":\"{number}\",\"entry\":[{items}]}}")
    };
    let samples: Vec<Vec<u8>> = (0..400).map(|number| sample(number).into_bytes()).collect();
    let dictionary = Dictionary::train(&samples).unwrap().expect("samples enough");
    let mut site = TestSite::with_dictionary(Some(dictionary)).await;
    let record = sample(77);
    site.snapshot(&[("Adams", &record)]);
    let opened = open(&site, site.reader(), Choice::Accepted).await;
    assert_eq!(text_of(&opened, &site, "Adams").await, Some(record));
    assert_eq!(opened.manifest().dicts.len(), 1);
}

#[tokio::test]
async fn nothing_of_a_patient_shows_in_debug_output() {
    let site = site_with_changes().await;
    let opened = open(&site, site.reader(), Choice::Accepted).await;
    let record = opened.record(site.record_key("Adams")).await.unwrap().unwrap();
    let shown = format!("{record:?} {opened:?} {:?}", opened.directory().await.unwrap());
    for secret in ["changed", "Adams", "Clark", "AGE-SECRET"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
