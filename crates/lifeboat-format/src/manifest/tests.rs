//! Tests: manifests are written alike and read strictly.

use super::{
    AcceptedEntry, Counts, DictEntry, EpochEntry, FeedEntry, FileEntry, Gate, GateReason, Indexes, Limits,
    MANIFEST_BYTES_MAX, Manifest, ManifestError, PackEntry, Quality, SectionCount, Verdict,
};
use crate::epoch::EpochIdentity;
use crate::ids::{Digest, EpochNumber, ManifestId, PackId, Sequence};
use crate::index::{DirectoryRow, IndexContent, LocatorChange, LocatorRow, RecordKind, build_index};
use crate::key::ObjectKey;
use crate::pack::BlobPlace;
use crate::{RecordKey, generate_epoch};
use proptest::prelude::*;
use std::sync::OnceLock;

/// Returns a manifest with every field filled, always the same.
pub(crate) fn sample() -> Manifest {
    static SAMPLE: OnceLock<Manifest> = OnceLock::new();
    SAMPLE.get_or_init(build_sample).clone()
}

fn build_sample() -> Manifest {
    let identity: EpochIdentity =
        "AGE-SECRET-KEY-1DFLXUM90HKG4HXNXDUFAE9WK6FGX00CSWG26H3078CX4K596NJUS67DK5P".parse().unwrap();
    let mut packs: Vec<PackEntry> =
        (1..4_u64).map(|size| PackEntry { sha256: PackId::of(&size.to_be_bytes()), size }).collect();
    packs.sort_by_key(|pack| pack.sha256);
    let keys = (0..3000_u64).map(|number| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Digest::of(&number.to_be_bytes()).as_bytes()[..16]);
        RecordKey::from_bytes(bytes)
    });
    let place = BlobPlace { pack: packs[0].sha256, offset: 0, length: 1, digest: Digest::of(b"") };
    let put = |key| -> LocatorChange {
        let digest = Digest::of(RecordKey::as_bytes(&key));
        LocatorRow::new(key, RecordKind::Patient, BlobPlace { digest, ..place }).into()
    };
    let content = IndexContent {
        days: vec![],
        patients: 3000,
        directory: keys.clone().take(2).map(DirectoryRow::new).collect(),
        locators: keys.map(put).collect(),
    };
    let base = build_index(content, &identity.recipient()).unwrap().entry();
    let delta = build_index(IndexContent::default(), &identity.recipient()).unwrap().entry();
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    Manifest {
        format: 1,
        site: "A81001".parse().unwrap(),
        sequence: Sequence::try_from(12).unwrap(),
        previous: Some(ManifestId::of(b"previous")),
        epoch: EpochEntry {
            number: EpochNumber::FIRST,
            recipient: identity.recipient(),
            recipients: FileEntry::of(b"recipients"),
            passphrase: Some(FileEntry::of(b"passphrase")),
        },
        source_time: Some(time("2026-11-21T08:00:00Z")),
        taken: time("2026-11-21T08:01:00.5Z"),
        next_by: time("2026-11-21T08:16:00Z"),
        feed: FeedEntry { format: "fhir-r4-folder".to_owned(), documents: 123, unreadable: 2 },
        dicts: vec![DictEntry { sha256: PackId::of(b"dict").digest().into(), size: 9000, id: 77 }],
        packs,
        indexes: Indexes { base, delta: Some(delta) },
        counts: Counts {
            patients: 3000,
            sections: [("allergies".to_owned(), SectionCount { patients: 5, items: 9 })].into(),
            ..Counts::default()
        },
        quality: Some(Quality {
            left: 40,
            nhs_numbers: 2990,
            nhs_numbers_valid: 2985,
            garbled: 2,
            characters: 4_560_000,
            ..Quality::default()
        }),
        limits: Limits { record_bytes_max: 1_000_000 },
        gate: Gate {
            verdict: Verdict::Held,
            reasons: vec![GateReason {
                code: "fewer-patients".to_owned(),
                detail: "3000 after 9000".to_owned(),
            }],
        },
        accepted: Some(AcceptedEntry {
            sequence: Sequence::try_from(11).unwrap(),
            manifest: ManifestId::of(b"accepted"),
        }),
    }
}

#[test]
fn a_manifest_reads_back_and_is_always_written_alike() {
    let manifest = sample();
    let bytes = manifest.to_bytes();
    assert_eq!(Manifest::parse(&bytes), Ok(manifest.clone()));
    assert_eq!(manifest.to_bytes(), bytes);
    assert_eq!(manifest.id(), ManifestId::of(&bytes));
    let mut shuffled = manifest.clone();
    shuffled.packs.reverse();
    assert_eq!(shuffled.to_bytes(), bytes);
}

#[test]
fn each_field_and_each_pack_has_its_line() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    let fields: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches('{').strip_prefix('"'))
        .filter_map(|line| line.split_once("\":").map(|(name, _)| name))
        .filter(|name| !["sha256", "kind"].contains(name))
        .collect();
    let expected = "format site sequence previous epoch source_time taken next_by feed dicts packs indexes counts \
                    quality limits gate accepted";
    assert_eq!(fields, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(text.lines().filter(|line| line.starts_with("{\"sha256\"")).count(), 4);
    assert!(text.ends_with("}\n") && text.contains("\n\"taken\":\"2026-11-21T08:01:00.5Z\",\n"));
}

#[test]
fn a_manifest_from_before_quality_was_counted_is_read() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    let line = text.lines().find(|line| line.starts_with("\"quality\"")).unwrap();
    let older = Manifest::parse(text.replace(&format!("{line}\n"), "").as_bytes()).unwrap();
    assert_eq!(older, Manifest { quality: None, ..sample() });
    let null = Manifest { quality: None, ..sample() };
    assert_eq!(Manifest::parse(&null.to_bytes()), Ok(null));
}

#[test]
fn characters_are_told_to_three_digits() {
    for (characters, told) in
        [(0, 0), (999, 999), (1_004, 1_000), (1_005, 1_010), (123_456, 123_000), (999_999, 1_000_000)]
    {
        assert_eq!(Quality::rounded(characters), told);
        assert_eq!(Quality::rounded(told), told);
    }
}

#[test]
fn a_newer_format_is_told_apart_from_a_damaged_one() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    let newer = text.replace("\"format\":1", "\"format\":2,\"later\":true");
    assert_eq!(Manifest::parse(newer.as_bytes()), Err(ManifestError::Newer { format: 2 }));
    let alike = text.replace("\"format\":1", "\"format\":2");
    assert_eq!(Manifest::parse(alike.as_bytes()), Err(ManifestError::Newer { format: 2 }));
    let older = text.replace("\"format\":1", "\"format\":0");
    assert_eq!(Manifest::parse(older.as_bytes()), Err(ManifestError::Contradiction { what: "format" }));
}

#[test]
fn only_the_fields_and_spellings_of_the_format_are_read() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    let rows = [
        ("\"site\"", "\"colour\":1,\n\"site\""),
        ("\"site\"", "\"sites\""),
        ("\"site\"", "\"site\":\"A81001\",\n\"site\""),
        ("\"A81001\"", "\"a81001\""),
        ("\"sequence\":12", "\"sequence\":0"),
        ("\"sequence\":12", "\"sequence\":12.0"),
        ("\"2026-11-21T08:16:00Z\"", "\"2026-11-21T08:16:00+00:00\""),
        ("\"2026-11-21T08:16:00Z\"", "\"2026-11-21T08:16:00.000Z\""),
        ("\"held\"", "\"Held\""),
        ("\"locator\"", "\"locators\""),
        ("\"unreadable\":2", "\"unreadable\":-2"),
        ("}\n", "}}\n"),
    ];
    for (from, to) in rows {
        let bad = text.replacen(from, to, 1);
        assert!(bad != text, "{from}");
        assert!(matches!(Manifest::parse(bad.as_bytes()), Err(ManifestError::Json { .. })), "{to}");
    }
    let large = " ".repeat(MANIFEST_BYTES_MAX + 1);
    assert!(matches!(Manifest::parse(large.as_bytes()), Err(ManifestError::TooLarge { .. })));
}

#[test]
fn contradictions_are_refused() {
    type Change = fn(&mut Manifest);
    let rows: Vec<(&str, Change)> = vec![
        ("previous snapshot", |it| it.previous = None),
        ("previous snapshot", |it| it.sequence = Sequence::FIRST),
        ("next expected time", |it| it.next_by = jiff::Timestamp::UNIX_EPOCH),
        ("length of a name", |it| it.feed.format = "x".repeat(65)),
        ("length of a name", |it| it.feed.format = String::new()),
        ("quality", |it| it.quality.as_mut().unwrap().nhs_numbers_valid = 2991),
        ("quality", |it| it.quality.as_mut().unwrap().characters = 4_561_000),
        ("number of gate reasons", |it| it.gate.reasons = vec![it.gate.reasons[0].clone(); 65]),
        ("length of a gate reason", |it| it.gate.reasons[0].detail = "x".repeat(1025)),
        ("accepted snapshot before an accepted one", |it| it.gate.verdict = Verdict::Accepted),
        ("held without a reason", |it| it.gate.reasons.clear()),
        ("accepted snapshot's number", |it| it.accepted.as_mut().unwrap().sequence = it.sequence),
        ("largest record", |it| it.limits.record_bytes_max = 1 << 27),
        ("number of dictionaries", |it| it.dicts = vec![it.dicts[0].clone(); 17]),
        ("two dictionaries with one id", |it| it.dicts.push(it.dicts[0].clone())),
        ("dictionary size", |it| it.dicts[0].size = 0),
        ("dictionary id", |it| it.dicts[0].id = 0),
        ("size of an epoch secret", |it| it.epoch.recipients.size = 1 << 20),
        ("size of a pack", |it| it.packs[0].size = 0),
        ("size of a pack", |it| it.packs[0].size = 1 << 40),
        ("packs not in ascending order of distinct beginnings of their ids", |it| it.packs.reverse()),
        ("packs not in ascending order of distinct beginnings of their ids", |it| {
            it.packs[1] = it.packs[0].clone()
        }),
        ("index parts do not lie back to back", |it| it.indexes.base.parts[1].offset += 1),
        ("index parts do not lie back to back", |it| it.indexes.base.parts[1].offset -= 1),
        ("index parts do not cover the index", |it| it.indexes.base.size += 1),
        ("size of an index part", |it| it.indexes.base.parts[0].length = 0),
        ("size of an index part", |it| it.indexes.base.parts[0].length = 65_537),
        ("where an index part begins", |it| it.indexes.base.parts[2].from = None),
        ("where an index part begins", |it| it.indexes.base.parts[0].from = it.indexes.base.parts[2].from),
        ("order of index parts", |it| it.indexes.base.parts[3].from = it.indexes.base.parts[2].from),
        ("number of directory roots", |it| it.indexes.base.parts[0].kind = super::PartKind::DirectoryRoot),
    ];
    for (what, change) in rows {
        let mut manifest = sample();
        change(&mut manifest);
        assert_eq!(manifest.check(), Err(ManifestError::Contradiction { what }));
    }
}

#[test]
fn the_objects_of_a_snapshot_are_listed_in_write_order() {
    let manifest = sample();
    let objects: Vec<(ObjectKey, u64)> = manifest.objects().collect();
    assert_eq!(objects.len(), 2 + 1 + 3 + 2);
    assert!(objects.is_sorted_by_key(|(key, _)| key.write_stage()));
    for (key, _) in objects {
        assert!(manifest.object_digest(&key).is_some(), "{key}");
    }
}

#[test]
fn a_place_resolves_only_within_a_pack_of_the_manifest() {
    let manifest = sample();
    let pack = manifest.packs.iter().find(|pack| pack.size == 3).unwrap();
    let place = |offset, length, pack| BlobPlace { pack, offset, length, digest: Digest::of(b"") };
    let resolve = |place: BlobPlace| {
        LocatorRow::new(RecordKey::from_bytes([0; 16]), RecordKind::Day, place).place.resolve(&manifest)
    };
    assert_eq!(resolve(place(1, 2, pack.sha256)), Some(place(1, 2, pack.sha256)));
    for (offset, length) in [(1, 3), (0, 0), (3, 1), (u64::MAX, 1)] {
        assert_eq!(resolve(place(offset, length, pack.sha256)), None, "{offset} {length}");
    }
    assert_eq!(resolve(place(0, 1, PackId::of(b"another"))), None);
}

#[test]
fn a_snapshot_knows_its_epochs_secret() {
    let mut manifest = sample();
    let lookup_key = crate::LookupKey::generate().unwrap();
    let secret = generate_epoch(EpochNumber::FIRST, &manifest.site, &lookup_key);
    assert!(!manifest.matches_epoch(&secret));
    manifest.epoch.recipient = secret.recipient();
    assert!(manifest.matches_epoch(&secret));
    manifest.epoch.number = EpochNumber::FIRST.next().unwrap();
    assert!(!manifest.matches_epoch(&secret));
}

proptest! {
    #[test]
    fn no_change_of_a_byte_makes_parsing_panic(index: usize, value: u8) {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        let mut bytes = BYTES.get_or_init(|| sample().to_bytes()).clone();
        let index = index % bytes.len();
        bytes[index] = value;
        crate::fuzz::manifest(&bytes);
    }
}
