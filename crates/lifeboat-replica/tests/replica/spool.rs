//! Publishing into the spool, and adopting what replicas hold.

use lifeboat_format::log::Entry;
use lifeboat_format::{ObjectKey, SigningKey, Verdict, sign_checkpoint};
use lifeboat_replica::{
    EpochFiles, ErrorClass, LAYOUT_EVENT, ReplicaLocation, Spool, VerifyLevel, VerifyOptions, WriteError,
    Writer, replicate, verify,
};

use crate::newest::{copy_of, replication};
use crate::site::TestSite;

async fn assert_whole(site: &TestSite) {
    let report =
        verify(site.reader(), &site.key, &VerifyOptions::new(VerifyLevel::Digest), &|_| {}).await.unwrap();
    assert!(report.is_good(), "{:?}", report.findings);
}

async fn reopened(site: &TestSite) -> Spool {
    Spool::open(site.folder.path(), &site.key).await.unwrap()
}

#[tokio::test]
async fn a_published_snapshot_is_whole_and_the_log_begins_with_the_layout() {
    let mut site = TestSite::new().await;
    let published = site.snapshot(&[("Adams", "{}"), ("Baker", "{}")]);
    assert!(published.head_failure.is_none());
    assert_eq!(published.head.unwrap().manifest.counts.patients, 2);
    assert_eq!(published.checkpoint.checkpoint.size, 2);
    assert_whole(&site).await;
    let entries = site.reader().entries(site.spool.log().tree(), 0..2).await.unwrap();
    assert!(matches!(&entries[0], Entry::Event { name, .. } if name == LAYOUT_EVENT));
    assert!(matches!(&entries[1], Entry::Snapshot { verdict: Verdict::Accepted, .. }));
}

#[tokio::test]
async fn a_log_of_many_entries_reads_back_after_every_kind_of_boundary() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "{}")]);
    for minute in 0..260 {
        site.heartbeat(minute);
        if [253, 254, 255, 259].contains(&minute) {
            let spool = reopened(&site).await;
            assert_eq!(spool.log(), site.spool.log(), "after minute {minute}");
            assert_eq!(spool.newest_snapshot(), site.spool.newest_snapshot());
        }
    }
    assert_eq!(site.spool.log().size(), 262);
    assert_whole(&site).await;
}

#[tokio::test]
async fn what_is_not_consistent_is_not_published() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let before = site.spool.newest().cloned();
    let other = SigningKey::from_seed("lifeboat/A81001", &[9; 32]).unwrap();

    let mut without_entry = site.prepare(&[("Adams", "2")], &[], Verdict::Accepted);
    without_entry.entries.clear();
    let mut other_manifest = site.prepare(&[("Adams", "3")], &[], Verdict::Accepted);
    other_manifest.manifest = None;
    let by_other_key = site.prepare(&[("Adams", "4")], &[], Verdict::Accepted);
    let key = site.signing.clone();
    for (set, key, class) in [
        (without_entry, &key, ErrorClass::Bug),
        (other_manifest, &key, ErrorClass::Bug),
        (by_other_key, &other, ErrorClass::Bug),
    ] {
        assert_eq!(site.spool.publish(set, key).unwrap_err().class(), class);
    }
    let mut without_pack = site.prepare(&[("Adams", "5")], &[], Verdict::Accepted);
    without_pack.packs.clear();
    let error = site.spool.publish(without_pack, &key).unwrap_err();
    assert!(matches!(&error, WriteError::Read(read) if read.is_missing()), "{error:?}");
    assert_eq!(site.spool.newest().cloned(), before);
    assert_eq!(reopened(&site).await.newest().cloned(), before);
}

#[tokio::test]
async fn tiles_that_were_never_signed_are_written_again() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let path = |key: &str| site.folder.path().join(key);
    let leftovers = ["log/tile/0/000.p/3", "log/tile/entries/000.p/3"];
    for leftover in leftovers {
        std::fs::write(path(leftover), b"of an interrupted run").unwrap();
    }
    std::fs::write(path("packs/.x.1.2.tmp"), b"torn").unwrap();
    site.spool = reopened(&site).await;
    assert!(!site.folder.path().join("packs/.x.1.2.tmp").exists());
    site.snapshot(&[("Adams", "2")]);
    assert_whole(&site).await;
}

#[tokio::test]
async fn an_epoch_is_written_again_only_while_no_snapshot_uses_it() {
    let mut site = TestSite::new().await;
    let set = site.prepare(&[("Adams", "1")], &[], Verdict::Accepted);
    let leftover = EpochFiles { recipients: b"of an interrupted run".to_vec(), ..set.epoch.clone().unwrap() };
    site.spool.put_epoch(&leftover).unwrap();
    site.spool.publish(set, &site.signing).unwrap();
    assert_whole(&site).await;
    let error = site.spool.put_epoch(&leftover).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fenced);
    assert_whole(&site).await;
}

#[tokio::test]
async fn a_size_is_never_signed_twice() {
    let mut site = TestSite::new().await;
    let first = site.snapshot(&[("Adams", "1")]).checkpoint;
    let mut other = first.checkpoint.clone();
    other.size = 3;
    let note = sign_checkpoint(&other, &site.signing);
    let place = site.folder.path().join(ObjectKey::Checkpoint(3).to_string());
    std::fs::write(&place, &note).unwrap();
    let set = site.prepare(&[("Adams", "2")], &[], Verdict::Accepted);
    let error = site.spool.publish(set, &site.signing).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fenced);
    assert!(error.to_string().contains(note.trim_end()), "the error carries the evidence: {error}");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), note);
    assert_eq!(site.spool.newest(), Some(&first));
}

#[tokio::test]
async fn a_newest_checkpoint_that_does_not_verify_keeps_the_spool_closed() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    std::fs::write(site.folder.path().join(ObjectKey::Checkpoint(2).to_string()), b"damaged").unwrap();
    let error = Spool::open(site.folder.path(), &site.key).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt);
}

#[tokio::test]
async fn an_interrupted_head_is_put_right_when_the_spool_opens() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let head = site.folder.path().join("HEAD");
    let old = std::fs::read(&head).unwrap();
    site.snapshot(&[("Adams", "2")]);
    let new = std::fs::read(&head).unwrap();
    for stored in [Some(&old), None] {
        match stored {
            Some(bytes) => std::fs::write(&head, bytes).unwrap(),
            None => std::fs::remove_file(&head).unwrap(),
        }
        reopened(&site).await;
        assert_eq!(std::fs::read(&head).unwrap(), new);
    }
}

#[tokio::test]
async fn a_damaged_pack_of_the_spool_is_written_again_when_it_is_put_again() {
    let mut site = TestSite::new().await;
    let set = site.prepare(&[("Adams", "1")], &[], Verdict::Accepted);
    let pack = set.packs[0].clone();
    let path = site.folder.path().join(ObjectKey::Pack(pack.id).to_string());
    site.spool.put_pack(&pack).unwrap();
    std::fs::write(&path, b"damaged").unwrap();
    site.spool.put_pack(&pack).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), pack.bytes);
    let mut content = pack.bytes.as_slice();
    let id = lifeboat_format::IndexId::of(&pack.bytes);
    site.spool.put_index_from(id, &mut content).unwrap();
    assert_eq!(std::fs::read(site.folder.path().join(ObjectKey::Index(id).to_string())).unwrap(), pack.bytes);
}

#[tokio::test]
async fn a_lost_spool_is_adopted_whole_from_a_replica() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1"), ("Baker", "2")]);
    site.snapshot(&[("Adams", "3")]);
    let (_store, copy) = copy_of(&site).await;
    let fresh = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(fresh.path(), &site.key).await.unwrap();
    let adopted = spool.adopt(copy.reader()).await.unwrap();
    assert_eq!((adopted.before, adopted.theirs), (0, 3));
    assert_eq!(spool.log(), site.spool.log());
    site.spool = spool;
    site.folder = fresh;
    site.snapshot(&[("Adams", "4")]);
    assert_whole(&site).await;
}

#[tokio::test]
async fn a_spool_that_was_put_back_to_an_old_state_catches_up_before_it_signs() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let old = tempfile::tempdir().unwrap();
    let to = Writer::open("old".parse().unwrap(), &ReplicaLocation::folder(old.path())).unwrap();
    replicate(&replication(&site, &to), &|_| {}).await.unwrap();
    site.snapshot(&[("Adams", "2")]);
    let (_store, copy) = copy_of(&site).await;

    let mut spool = Spool::open(old.path(), &site.key).await.unwrap();
    assert_eq!(spool.log().size(), 2);
    let adopted = spool.adopt(copy.reader()).await.unwrap();
    assert_eq!((adopted.before, adopted.theirs), (2, 3));
    assert_eq!(spool.newest(), site.spool.newest());
    let again = spool.adopt(copy.reader()).await.unwrap();
    assert!(again.copied.is_none());
}

#[tokio::test]
async fn two_histories_of_one_key_stop_the_service_with_both_notes() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("Adams", "1")]);
    let clone = tempfile::tempdir().unwrap();
    let to = Writer::open("clone".parse().unwrap(), &ReplicaLocation::folder(clone.path())).unwrap();
    replicate(&replication(&site, &to), &|_| {}).await.unwrap();
    let mut cloned = Spool::open(clone.path(), &site.key).await.unwrap();

    let ours = site.snapshot(&[("Adams", "2")]).checkpoint;
    let set = site.prepare(&[("Adams", "3")], &[], Verdict::Accepted);
    cloned.publish(set, &site.signing).unwrap_err();
    let event = Entry::Event {
        time: jiff::Timestamp::UNIX_EPOCH,
        name: "drill".to_owned(),
        detail: "on the clone".to_owned(),
    };
    let set = |entry: Entry| lifeboat_replica::PublishSet { entries: vec![entry], ..Default::default() };
    let theirs = cloned.publish(set(event.clone()), &site.signing).unwrap().checkpoint;
    assert_eq!(ours.checkpoint.size, theirs.checkpoint.size);

    for longer in 0..2 {
        let error = site.spool.adopt(cloned.reader()).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Fenced, "{longer}: {error}");
        assert!(error.to_string().contains(ours.note.trim_end()));
        cloned.publish(set(event.clone()), &site.signing).unwrap();
    }
    let error = cloned.adopt(site.reader()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Fenced);
}
