//! Verifying without a key: whatever is changed is found, and what can be repaired is.

use lifeboat_format::{ObjectKey, Verdict};
use lifeboat_replica::{
    Note, Problem, Reader, VerifyLevel, VerifyOptions, VerifyReport, Writer, repair, verify,
};

use crate::faults::{Fault, FaultStore};
use crate::newest::copy_of;
use crate::site::TestSite;

async fn check_at(level: VerifyLevel, site: &TestSite, reader: &Reader) -> VerifyReport {
    verify(reader, &site.key, &VerifyOptions::new(level), &|_| {}).await.unwrap()
}

async fn check(site: &TestSite, reader: &Reader) -> VerifyReport {
    check_at(VerifyLevel::Digest, site, reader).await
}

/// A site with everything that a replica can hold, small.
async fn small_site() -> (TestSite, FaultStore, Writer) {
    let mut site = TestSite::new().await;
    site.snapshot(&[("A", "1")]);
    site.take(&[("A", "2")], &[], Verdict::Held);
    site.heartbeat(1);
    let (store, writer) = copy_of(&site).await;
    // The copy holds one checkpoint; older ones lie in the spool.
    let older = ObjectKey::Checkpoint(2).to_string();
    store.tamper(&older, &std::fs::read(site.folder.path().join(&older)).unwrap()).await;
    let older = "log/tile/entries/000.p/2";
    store.tamper(older, &std::fs::read(site.folder.path().join(older)).unwrap()).await;
    (site, store, writer)
}

async fn keys_of(reader: &Reader) -> Vec<String> {
    reader.list_all().await.unwrap().objects.keys().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_whole_replica_is_good_at_both_levels() {
    let (site, _store, writer) = small_site().await;
    let reader = writer.reader();
    for level in [VerifyLevel::Presence, VerifyLevel::Digest] {
        let report = check_at(level, &site, reader).await;
        assert!(report.is_good() && report.notes.is_empty(), "{level:?}: {report:?}");
        assert_eq!(report.snapshots, 2);
        assert_eq!(report.newest.unwrap().sequence.number(), 2);
        assert_eq!(report.newest_accepted.unwrap().sequence.number(), 1);
        assert_eq!(report.head.as_ref().unwrap().manifest.sequence.number(), 2);
        let listing = reader.list_all().await.unwrap();
        assert_eq!(report.objects, listing.objects.len() as u64);
        if level == VerifyLevel::Digest {
            assert_eq!(report.bytes, listing.objects.values().sum::<u64>(), "every byte is read");
        }
    }
    let spool = check(&site, site.reader()).await;
    assert!(spool.is_good(), "{:?}", spool.findings);
}

/// Flips a bit of every byte, or of every so manieth, of the objects that a predicate chooses.
async fn every_flip_is_found(step: usize, choose: impl Fn(&str) -> bool) {
    let (site, store, writer) = small_site().await;
    let mut flips = 0;
    for key in keys_of(writer.reader()).await.into_iter().filter(|key| choose(key)) {
        let good = store.peek(&key).await.unwrap();
        for place in (0..good.len()).step_by(step) {
            let mut bad = good.to_vec();
            bad[place] ^= 1 << (place % 8);
            store.tamper(&key, &bad).await;
            let report = check(&site, writer.reader()).await;
            let named = report.findings.iter().any(|finding| {
                finding.object.is_some_and(|object| object.to_string() == key)
                    || key.starts_with("checkpoints/")
            });
            assert!(named, "byte {place} of {key}: {:?}", report.findings);
            flips += 1;
        }
        store.tamper(&key, &good).await;
    }
    assert!(flips > 100, "only {flips} flips");
    assert!(check(&site, writer.reader()).await.is_good());
}

#[tokio::test]
async fn every_flipped_byte_of_sealed_objects_is_found() {
    every_flip_is_found(1, |key| {
        ["packs/", "indexes/", "epochs/", "dicts/"].iter().any(|folder| key.starts_with(folder))
    })
    .await;
}

#[tokio::test]
async fn every_flipped_byte_of_manifests_and_descriptions_is_found() {
    every_flip_is_found(1, |key| key.starts_with("manifests/") || key == "lifeboat.json").await;
}

#[tokio::test]
async fn flipped_bytes_all_over_recover_txt_are_found() {
    every_flip_is_found(13, |key| key == "RECOVER.txt").await;
}

#[tokio::test]
async fn every_flipped_byte_of_log_checkpoints_and_head_is_found() {
    every_flip_is_found(1, |key| key.starts_with("log/") || key.starts_with("checkpoints/") || key == "HEAD")
        .await;
}

#[tokio::test]
async fn every_truncation_extension_and_deletion_is_found() {
    let (site, store, writer) = small_site().await;
    for key in keys_of(writer.reader()).await {
        let good = store.peek(&key).await.unwrap();
        // Nothing vouches for older checkpoints and the partial tiles that belong to them.
        let is_optional = key.ends_with("00000000000000000002") || key == "log/tile/entries/000.p/2";
        let shortened = good[..good.len() - 1].to_vec();
        let extended = [&good[..], b"\n"].concat();
        for level in [VerifyLevel::Presence, VerifyLevel::Digest] {
            for bad in [Some(&shortened), Some(&extended), Some(&Vec::new()), None] {
                match bad {
                    Some(bad) => store.tamper(&key, bad).await,
                    None => store.lose(&key).await,
                }
                let report = check_at(level, &site, writer.reader()).await;
                let is_found = !report.is_good();
                assert!(is_found || (bad.is_none() && is_optional), "{level:?} {key} {bad:?}");
                store.tamper(&key, &good).await;
            }
        }
    }
}

#[tokio::test]
async fn every_swap_of_two_objects_is_found() {
    let (site, store, writer) = small_site().await;
    let keys = keys_of(writer.reader()).await;
    for (number, one) in keys.iter().enumerate() {
        for two in &keys[number + 1..] {
            let (first, second) = (store.peek(one).await.unwrap(), store.peek(two).await.unwrap());
            store.tamper(one, &second).await;
            store.tamper(two, &first).await;
            assert!(!check(&site, writer.reader()).await.is_good(), "{one} and {two}");
            store.tamper(one, &first).await;
            store.tamper(two, &second).await;
        }
    }
}

#[tokio::test]
async fn an_old_head_a_rollback_and_a_fork_are_told_apart() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("A", "1")]);
    let (_old_store, old) = copy_of(&site).await;
    let old_head = std::fs::read(site.folder.path().join("HEAD")).unwrap();
    let newer = site.snapshot(&[("A", "2")]).checkpoint.checkpoint;
    let (store, writer) = copy_of(&site).await;

    store.tamper("HEAD", &old_head).await;
    let report = check(&site, writer.reader()).await;
    let problems: Vec<_> = report.findings.iter().map(|finding| &finding.problem).collect();
    assert_eq!(problems, [&Problem::HeadOlder { head: 2, newest: 3 }]);

    let mut options = VerifyOptions::new(VerifyLevel::Presence);
    options.known = Some(newer.clone());
    let report = verify(old.reader(), &site.key, &options, &|_| {}).await.unwrap();
    assert_eq!(report.findings[0].problem, Problem::RolledBack { known: 3, newest: 2 });
    options.known = Some(lifeboat_format::Checkpoint { size: 2, ..newer });
    let report = verify(old.reader(), &site.key, &options, &|_| {}).await.unwrap();
    assert_eq!(report.findings[0].problem, Problem::Forked { size: 2 });
}

#[tokio::test]
async fn a_signed_checkpoint_of_another_history_is_a_fork() {
    let (site, store, writer) = small_site().await;
    let mut other = site.spool.newest().unwrap().checkpoint.clone();
    other.size = 3;
    let note = lifeboat_format::sign_checkpoint(&other, &site.signing);
    store.tamper("checkpoints/00000000000000000003", note.as_bytes()).await;
    let report = check(&site, writer.reader()).await;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].problem, Problem::Forked { size: 3 });
}

#[tokio::test]
async fn a_replica_without_any_valid_checkpoint_and_one_with_another_key_are_bad() {
    let (site, store, writer) = small_site().await;
    let other =
        lifeboat_format::SigningKey::from_seed("lifeboat/A81001", &[8; 32]).unwrap().verification_key();
    let options = VerifyOptions::new(VerifyLevel::Presence);
    let report = verify(writer.reader(), &other, &options, &|_| {}).await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.problem == Problem::NoCheckpoint));
    store.lose("checkpoints/00000000000000000002").await;
    store.lose("checkpoints/00000000000000000004").await;
    let report = check(&site, writer.reader()).await;
    assert_eq!(report.findings[0].problem, Problem::NoCheckpoint);
}

#[tokio::test]
async fn what_is_unknown_or_not_referred_to_is_noted_and_no_finding() {
    let (site, store, writer) = small_site().await;
    let pack = ObjectKey::Pack(lifeboat_format::PackId::of(b"left over")).to_string();
    for (key, bytes) in [
        ("notes.txt", &b"from a person"[..]),
        ("packs/.x.1.2.tmp", b"torn"),
        (&pack, b"left over"),
        ("log/tile/0/000.p/77", b"not signed yet"),
    ] {
        store.tamper(key, bytes).await;
    }
    let report = check(&site, writer.reader()).await;
    assert!(report.is_good(), "{:?}", report.findings);
    let noted = |test: fn(&Note) -> bool| report.notes.iter().any(test);
    assert!(noted(|note| matches!(note, Note::Unknown { count: 1, .. })));
    assert!(noted(|note| matches!(note, Note::Leftovers { count: 1 })));
    assert!(noted(|note| matches!(note, Note::Unreferenced { count: 1, bytes: 9, .. })));
    assert!(noted(|note| matches!(note, Note::Uncommitted { count: 1 })));
}

#[tokio::test]
async fn tiles_and_entries_that_disagree_are_judged_by_the_signed_root() {
    let mut site = TestSite::new().await;
    site.snapshot(&[("A", "1")]);
    for minute in 0..300 {
        site.heartbeat(minute);
    }
    let (store, writer) = copy_of(&site).await;
    let damaged = ["log/tile/entries/000", "log/tile/0/001.p/46", "log/tile/1/000.p/1"];
    for key in damaged {
        let mut bytes = store.peek(key).await.unwrap().to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        store.tamper(key, &bytes).await;
    }
    let report = check(&site, writer.reader()).await;
    let mut named: Vec<_> =
        report.findings.iter().filter_map(|finding| finding.object).map(|key| key.to_string()).collect();
    named.sort();
    let mut expected = damaged.to_vec();
    expected.sort_unstable();
    // The snapshot's entry lies in the damaged bundle, so its objects cannot be told from leftovers.
    named.retain(|key| key.starts_with("log/"));
    assert_eq!(named, expected);
}

#[tokio::test]
async fn damaged_objects_are_repaired_from_a_replica_that_has_them() {
    let (site, store, writer) = small_site().await;
    let keys: Vec<String> = keys_of(writer.reader()).await;
    let repairable = |key: &String| {
        ["packs/", "indexes/", "manifests/", "epochs/", "log/tile/0/"]
            .iter()
            .any(|folder| key.starts_with(folder))
            || ["RECOVER.txt", "lifeboat.json"].contains(&key.as_str())
    };
    let chosen: Vec<_> = keys.into_iter().filter(repairable).collect();
    for (number, key) in chosen.iter().enumerate() {
        let mut bytes = store.peek(key).await.unwrap().to_vec();
        match number % 3 {
            0 => bytes[3] ^= 8,
            1 => bytes.truncate(3),
            _ => {
                store.lose(key).await;
                continue;
            }
        }
        store.tamper(key, &bytes).await;
    }
    for _ in 0..2 {
        // A missing manifest hides what it lists until it is back.
        let report = check(&site, writer.reader()).await;
        let repaired = repair(&writer, &[site.reader().clone()], &report.findings).await;
        assert!(repaired.failures.is_empty(), "{repaired:?}");
    }
    let report = check(&site, writer.reader()).await;
    let left: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(report.is_good(), "{left:?}");
}

#[tokio::test]
async fn an_object_that_the_list_does_not_show_yet_is_no_finding() {
    let (site, store, writer) = small_site().await;
    for folder in ["packs/", "indexes/", "epochs/", "log/tile/1"] {
        store.plan(Fault::Unlisted, folder, 1);
    }
    let report = check(&site, writer.reader()).await;
    assert!(report.is_good(), "{:?}", report.findings);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_a_finding_and_the_rest_goes_on() {
    let (site, store, writer) = small_site().await;
    store.plan(Fault::Get, "packs/", 1);
    store.plan(Fault::GetTruncated, "indexes/", 1);
    let report = check(&site, writer.reader()).await;
    assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    assert!(report.findings.iter().any(|finding| matches!(finding.problem, Problem::Unreadable { .. })));
    assert!(report.findings.iter().all(|finding| !finding.remedy().is_empty()));
}
