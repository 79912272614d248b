//! Tests: what is exchanged is noticed.

use super::{HEAD_BYTES_MAX, Head, HeadError, VerifiedHead};
use crate::ids::{ManifestId, Sequence};
use crate::log::{Entry, Log, ProofError};
use crate::manifest::{AcceptedEntry, Manifest, Verdict, tests::sample};
use crate::note::{Checkpoint, NoteError, SigningKey, sign_checkpoint};

fn key() -> SigningKey {
    SigningKey::from_seed("lifeboat/A81001", &[1; 32]).unwrap()
}

fn accepted_manifest() -> Manifest {
    let mut manifest = sample();
    manifest.sequence = Sequence::try_from(11).unwrap();
    manifest.gate.verdict = Verdict::Accepted;
    manifest.gate.reasons.clear();
    manifest.accepted = None;
    manifest
}

fn held_manifest() -> Manifest {
    let mut manifest = sample();
    let accepted = accepted_manifest();
    manifest.accepted = Some(AcceptedEntry { sequence: accepted.sequence, manifest: accepted.id() });
    manifest
}

fn snapshot_entry(manifest: &Manifest) -> Entry {
    Entry::Snapshot {
        time: manifest.taken,
        sequence: manifest.sequence,
        manifest: manifest.id(),
        verdict: manifest.gate.verdict,
    }
}

/// Builds a HEAD over a log whose last entry but one is the given entry.
fn head_for(entry: &Entry, manifest: &Manifest, accepted: Option<&Manifest>) -> Head {
    let event = Entry::Event { time: manifest.taken, name: "drill".to_owned(), detail: String::new() };
    let mut log = Log::new();
    log.append(&[event.clone(), event.clone(), entry.clone(), event]).unwrap();
    let checkpoint = Checkpoint { origin: "lifeboat/A81001".to_owned(), size: log.size(), root: log.root() };
    let accepted = accepted.map(Manifest::to_bytes);
    let note = sign_checkpoint(&checkpoint, &key());
    Head::build(note, &log, 2, entry, &manifest.to_bytes(), accepted.as_deref()).unwrap()
}

fn held() -> Head {
    let manifest = held_manifest();
    head_for(&snapshot_entry(&manifest), &manifest, Some(&accepted_manifest()))
}

fn verify(head: &Head) -> Result<VerifiedHead, HeadError> {
    Head::parse(&head.to_bytes())?.verify(&key().verification_key())
}

#[test]
fn an_accepted_snapshot_verifies_and_is_the_one_to_show() {
    let manifest = accepted_manifest();
    let verified = verify(&head_for(&snapshot_entry(&manifest), &manifest, None)).unwrap();
    assert_eq!((verified.checkpoint.size, verified.entry_index), (4, 2));
    assert_eq!(verified.accepted_snapshot(), Some((manifest.id(), &manifest)));
}

#[test]
fn a_held_snapshot_comes_with_the_accepted_one_to_show() {
    let verified = verify(&held()).unwrap();
    assert!(verified.manifest.is_held());
    assert_eq!(verified.accepted_snapshot(), Some((accepted_manifest().id(), &accepted_manifest())));

    let mut first = held_manifest();
    first.accepted = None;
    let verified = verify(&head_for(&snapshot_entry(&first), &first, None)).unwrap();
    assert_eq!(verified.accepted_snapshot(), None);
}

#[test]
fn a_heartbeat_names_the_snapshot_that_still_holds() {
    let manifest = accepted_manifest();
    let heartbeat = Entry::Heartbeat {
        time: manifest.next_by,
        sequence: manifest.sequence,
        manifest: manifest.id(),
        source_time: None,
        next_by: manifest.next_by,
    };
    let verified = verify(&head_for(&heartbeat, &manifest, None)).unwrap();
    assert_eq!((verified.entry, verified.manifest_id), (heartbeat, manifest.id()));
}

#[test]
fn whatever_is_exchanged_is_noticed() {
    let manifest = held_manifest();
    let event = Entry::Event { time: manifest.taken, name: "x".to_owned(), detail: String::new() };
    let mut other = manifest.clone();
    other.counts.patients += 1;
    let mut foreign = accepted_manifest();
    foreign.site = "B81001".parse().unwrap();
    let mut wrong_verdict = snapshot_entry(&manifest);
    if let Entry::Snapshot { verdict, .. } = &mut wrong_verdict {
        *verdict = Verdict::Accepted;
    }
    let mut wrong_sequence = snapshot_entry(&manifest);
    if let Entry::Snapshot { sequence, .. } = &mut wrong_sequence {
        *sequence = Sequence::FIRST;
    }
    let text = |manifest: &Manifest| String::from_utf8(manifest.to_bytes()).unwrap();
    let edit = |change: &dyn Fn(&mut Head)| {
        let mut head = held();
        change(&mut head);
        head
    };
    let contradiction = |what| HeadError::Contradiction { what };
    let rows = [
        (head_for(&event, &manifest, None), HeadError::NotASnapshot),
        (edit(&|head| head.manifest = text(&other)), HeadError::ManifestDigest { which: "newest" }),
        (
            edit(&|head| head.accepted_manifest = Some(text(&other))),
            HeadError::ManifestDigest { which: "accepted" },
        ),
        (edit(&|head| head.accepted_manifest = None), contradiction("presence of an accepted snapshot")),
        (head_for(&snapshot_entry(&foreign), &foreign, None), contradiction("site of the newest snapshot")),
        (head_for(&wrong_verdict, &manifest, None), contradiction("verdict on the newest snapshot")),
        (head_for(&wrong_sequence, &manifest, None), contradiction("sequence of the newest snapshot")),
        (edit(&|head| head.entry_index = 1), HeadError::Inclusion(ProofError::Root)),
        (edit(&|head| head.entry_index = 4), HeadError::Inclusion(ProofError::Range)),
        (edit(&|head| head.inclusion.truncate(1)), HeadError::Inclusion(ProofError::Length)),
        (edit(&|head| head.inclusion[0] = head.inclusion[1]), HeadError::Inclusion(ProofError::Root)),
        (edit(&|head| head.entry.push(' ')), HeadError::Inclusion(ProofError::Root)),
        (
            edit(&|head| head.checkpoint = head.checkpoint.replace("\n4\n", "\n5\n")),
            HeadError::Checkpoint(NoteError::WrongSignature),
        ),
        (
            edit(&|head| head.inclusion = vec![head.inclusion[0]; 65]),
            contradiction("length of the inclusion proof"),
        ),
        (edit(&|head| head.format = 2), HeadError::Newer { format: 2 }),
        (edit(&|head| head.format = 0), contradiction("format")),
    ];
    for (head, expected) in rows {
        assert_eq!(verify(&head), Err(expected));
    }
}

#[test]
fn an_accepted_manifest_that_is_itself_held_is_refused() {
    let other = held_manifest();
    let mut manifest = held_manifest();
    manifest.sequence = manifest.sequence.next();
    manifest.accepted = Some(AcceptedEntry { sequence: other.sequence, manifest: other.id() });
    let head = head_for(&snapshot_entry(&manifest), &manifest, Some(&other));
    assert_eq!(verify(&head), Err(HeadError::Contradiction { what: "verdict on the accepted snapshot" }));
}

#[test]
fn only_the_fields_of_a_head_are_read() {
    let text = String::from_utf8(held().to_bytes()).unwrap();
    for bad in
        [text.replacen('{', "{\"x\":1,", 1), text.replacen("\"entry\"", "\"entries\"", 1), String::new()]
    {
        assert!(matches!(Head::parse(bad.as_bytes()), Err(HeadError::Json { .. })));
    }
    assert!(matches!(Head::parse(&vec![b' '; HEAD_BYTES_MAX + 1]), Err(HeadError::TooLarge { .. })));
    let missing = Head::build(String::new(), &Log::new(), 0, &snapshot_entry(&sample()), b"", None);
    assert_eq!(missing, Err(HeadError::NoSuchEntry { index: 0 }));
    assert_eq!(ManifestId::of(held().manifest.as_bytes()), held_manifest().id());
}
