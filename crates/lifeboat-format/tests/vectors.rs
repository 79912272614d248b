//! Reads the golden vectors from disk: everything valid opens, everything damaged gives the error that is named.

#![expect(clippy::unwrap_used, reason = "a vector that cannot be read is a failed test")]

use lifeboat_format::log::{Entry, Log, decode_bundle, verify_consistency};
use lifeboat_format::{
    Checkpoint, Dictionary, Digest, DirectoryRow, EpochIdentity, Head, Identity, Kit, LocatorChange,
    Manifest, ManifestId, ObjectKey, Opener, PartRows, Passphrase, RecordKey, SiteDescription, TileId,
    VerificationKey, VerifiedHead, find_locator, locator_part_for, merge_directory, merge_locators,
    open_checkpoint, open_directory_part, open_epoch_secret, open_epoch_secret_with_passphrase,
    open_locator_part, open_part, open_root_part,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Vectors {
    keys: Keys,
    records: Vec<Record>,
    damaged: Vec<Damaged>,
}

#[derive(Deserialize)]
struct Keys {
    lookup_key: String,
    epoch_identity: String,
    holder_identity: String,
    stranger_identity: String,
    passphrase: String,
    verification_key: String,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    key: RecordKey,
    dictionary: bool,
    r#in: Vec<u64>,
    file: String,
}

#[derive(Deserialize)]
struct Damaged {
    file: String,
    part: String,
    error: String,
}

impl Keys {
    fn epoch(&self) -> EpochIdentity {
        self.epoch_identity.parse().unwrap()
    }

    fn holder(&self) -> Identity {
        self.holder_identity.parse().unwrap()
    }

    fn passphrase(&self) -> Passphrase {
        Passphrase::from(self.passphrase.as_str())
    }

    fn verification(&self) -> VerificationKey {
        self.verification_key.parse().unwrap()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn vectors() -> Vectors {
    serde_json::from_slice(&fs::read(folder().join("vectors.json")).unwrap()).unwrap()
}

fn object(key: &ObjectKey) -> Vec<u8> {
    fs::read(folder().join("replica").join(key.to_string())).unwrap()
}

fn head(file: &str, key: &VerificationKey) -> VerifiedHead {
    Head::parse(&fs::read(folder().join(file)).unwrap()).unwrap().verify(key).unwrap()
}

/// Lists the files under a folder, as keys relative to it.
fn files_under(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    files
}

fn manifests() -> Vec<Manifest> {
    let folder = folder().join("replica");
    let mut manifests: Vec<Manifest> = files_under(&folder)
        .iter()
        .filter(|name| name.starts_with(ObjectKey::MANIFESTS))
        .map(|name| Manifest::parse(&fs::read(folder.join(name)).unwrap()).unwrap())
        .collect();
    manifests.sort_by_key(|manifest| manifest.sequence);
    manifests
}

/// Opens all directory and locator rows of one index object.
fn open_index(
    index: &lifeboat_format::IndexEntry,
    identity: &EpochIdentity,
) -> (Vec<DirectoryRow>, Vec<LocatorChange>) {
    let bytes = object(&ObjectKey::Index(index.sha256));
    let (mut directory, mut locators) = (Vec::new(), Vec::new());
    for part in &index.parts {
        let range = part.range();
        let sealed = &bytes[range.start as usize..range.end as usize];
        assert!(part.check(sealed));
        match open_part(part.kind, sealed, identity).unwrap() {
            PartRows::Directory(rows) => directory.extend(rows),
            PartRows::DirectoryRoot(_) => {}
            PartRows::Locator(rows) => locators.extend(rows),
        }
    }
    (directory, locators)
}

#[test]
fn every_object_has_a_known_key_and_the_digest_of_its_name() {
    let replica = folder().join("replica");
    let names = files_under(&replica);
    assert!(names.len() > 20);
    for name in names {
        let key: ObjectKey = name.parse().unwrap();
        assert_eq!(key.to_string(), name);
        if let Some(digest) = key.content_digest() {
            assert_eq!(Digest::of(&object(&key)), digest, "{name}");
        }
    }
    SiteDescription::parse(&object(&ObjectKey::Site)).unwrap();
}

#[test]
fn every_snapshot_has_all_its_objects_in_their_sizes() {
    for manifest in manifests() {
        for (key, size) in manifest.objects() {
            let bytes = object(&key);
            assert_eq!(bytes.len() as u64, size, "{key}");
            assert_eq!(Some(Digest::of(&bytes)), manifest.object_digest(&key), "{key}");
        }
    }
}

#[test]
fn the_heads_verify_and_say_what_to_show() {
    let key = vectors().keys.verification();
    let shown = |file: &str| {
        let head = head(file, &key);
        (head.manifest.sequence.number(), head.accepted_snapshot().unwrap().1.sequence.number())
    };
    assert_eq!(shown("heads/accepted-first.json"), (1, 1));
    assert_eq!(shown("heads/accepted-delta.json"), (2, 2));
    assert_eq!(shown("heads/heartbeat.json"), (2, 2));
    assert_eq!(shown("replica/HEAD"), (3, 2));
    let heartbeat = head("heads/heartbeat.json", &key);
    assert!(matches!(heartbeat.entry, Entry::Heartbeat { .. }));
}

#[test]
fn the_log_reads_back_and_continues_through_every_checkpoint() {
    let key = vectors().keys.verification();
    let replica = folder().join("replica");
    let (mut tiles, mut checkpoints) = (BTreeMap::new(), BTreeMap::new());
    for name in files_under(&replica) {
        match name.parse().unwrap() {
            ObjectKey::Tile(tile) => drop(tiles.insert(tile, object(&ObjectKey::Tile(tile)))),
            ObjectKey::Checkpoint(size) => {
                let note = String::from_utf8(object(&ObjectKey::Checkpoint(size))).unwrap();
                let checkpoint = open_checkpoint(&note, &key).unwrap();
                assert_eq!(checkpoint.size, size);
                checkpoints.insert(size, checkpoint);
            }
            _ => {}
        }
    }
    let newest: &Checkpoint = checkpoints.values().next_back().unwrap();
    let log = Log::from_tiles(newest.size, &tiles).unwrap();
    assert_eq!(log.root(), newest.root);
    for (size, checkpoint) in &checkpoints {
        assert_eq!(log.tree().root_at(*size), Some(checkpoint.root));
        let proof = log.tree().consistency_proof(*size, newest.size).unwrap();
        verify_consistency(*size, &checkpoint.root, newest.size, &newest.root, &proof).unwrap();
        assert!(Log::from_tiles(*size, &tiles).unwrap().root() == checkpoint.root);
    }
    assert!(newest.size > 256 && tiles.contains_key(&TileId::hashes(1, 0, 1).unwrap()));
    assert!(
        tiles
            .iter()
            .all(|(tile, bytes)| tile.level().is_none() || log.tree().tile(tile).as_ref() == Some(bytes))
    );
}

#[test]
fn the_epoch_opens_for_its_holder_and_under_the_passphrase() {
    let Vectors { keys, .. } = vectors();
    let number = lifeboat_format::EpochNumber::FIRST;
    let by_holder = open_epoch_secret(&object(&ObjectKey::EpochRecipients(number)), &keys.holder()).unwrap();
    let sealed = object(&ObjectKey::EpochPassphrase(number));
    let by_passphrase = open_epoch_secret_with_passphrase(&sealed, &keys.passphrase()).unwrap();
    assert_eq!(by_holder.to_secret_text().as_str(), by_passphrase.to_secret_text().as_str());
    assert_eq!(by_holder.lookup_key.to_hex().as_str(), keys.lookup_key);
    assert!(manifests().iter().all(|manifest| manifest.matches_epoch(&by_holder)));
}

#[test]
fn each_snapshot_holds_the_records_that_it_should() {
    let Vectors { keys, records, .. } = vectors();
    let identity = keys.epoch();
    for manifest in manifests() {
        let open_dict = |dict: &lifeboat_format::DictEntry| {
            let dictionary = Dictionary::open(&object(&ObjectKey::Dict(dict.sha256)), &identity).unwrap();
            assert_eq!(dictionary.id(), dict.id);
            dictionary
        };
        let mut opener =
            Opener::new(identity.clone(), manifest.dicts.iter().map(open_dict).collect()).unwrap();
        let (base_people, base) = open_index(&manifest.indexes.base, &identity);
        let (people, delta) = manifest
            .indexes
            .delta
            .as_ref()
            .map_or_else(Default::default, |index| open_index(index, &identity));

        let expected: BTreeMap<RecordKey, &Record> = records
            .iter()
            .filter(|record| record.r#in.contains(&manifest.sequence.number()))
            .map(|record| (record.key, record))
            .collect();
        for (key, record) in &expected {
            let parts = locator_part_for(&manifest.indexes.base.parts, *key).is_some();
            assert!(parts || find_locator(&[], &delta, *key).is_some(), "{}", record.name);
            let place = find_locator(&base, &delta, *key).unwrap().place.resolve(&manifest).unwrap();
            let pack = object(&ObjectKey::Pack(place.pack));
            let range = place.range();
            let blob = &pack[range.start as usize..range.end as usize];
            assert!(place.check(blob));
            let opened = opener.open(blob, manifest.limits.record_bytes_max).unwrap();
            assert_eq!(*opened, fs::read(folder().join(&record.file)).unwrap(), "{}", record.name);
            let mut plain = Opener::new(identity.clone(), vec![]).unwrap();
            assert_eq!(plain.open(blob, manifest.limits.record_bytes_max).is_err(), record.dictionary);
        }
        let merged_people = merge_directory(base_people, people, &delta);
        assert_eq!(merged_people.len() as u64, manifest.counts.patients);
        let merged = merge_locators(base, delta);
        assert!(merged.keys().eq(expected.keys()), "snapshot {}", manifest.sequence);
    }
}

#[test]
fn both_forms_of_the_kit_open() {
    let Vectors { keys, .. } = vectors();
    for file in ["kit/binary.lifeboat-kit", "kit/text.lifeboat-kit"] {
        let kit = Kit::open(&fs::read(folder().join(file)).unwrap(), &keys.passphrase()).unwrap();
        assert_eq!(kit.verification_key, keys.verification());
        assert_eq!(kit.identity.to_secret_text().as_str(), keys.holder_identity);
        assert_eq!(kit.replicas[0].options.0["region"], "eu-west-2");
    }
}

/// Names an error: the variants on the way to the cause, at most two, and what a contradiction is about.
fn name<T>(result: Result<T, impl Debug>) -> String {
    let Err(error) = result else { return "no error".to_owned() };
    let shown = format!("{error:?}");
    let variants: Vec<String> = shown
        .split('(')
        .take(2)
        .map(|text| text.chars().take_while(|character| character.is_alphanumeric()).collect())
        .filter(|text: &String| !text.is_empty())
        .collect();
    let about = ["what: \"", "which: \"", "line: \""]
        .iter()
        .find_map(|field| Some(shown.split_once(field)?.1.split_once('"')?.0))
        .map_or_else(String::new, |about| format!(": {about}"));
    format!("{}{about}", variants.join("."))
}

/// Says `digest mismatch` when some bytes are not what they should be.
fn digest_error(same: bool) -> String {
    if same { "no error" } else { "digest mismatch" }.to_owned()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Reads a damaged part as a reader would and returns the name of the error.
fn open_damaged(part: &str, bytes: &[u8], keys: &Keys, manifest: &Manifest) -> String {
    let identity = keys.epoch();
    let limit = manifest.limits.record_bytes_max;
    match part {
        "blob" => name(Opener::new(identity, vec![]).unwrap().open(bytes, limit)),
        "dict" => name(Dictionary::open(bytes, &identity)),
        "epoch-recipients" => name(open_epoch_secret(bytes, &keys.holder())),
        "epoch-passphrase" => name(open_epoch_secret_with_passphrase(bytes, &keys.passphrase())),
        "locator" => name(open_locator_part(bytes, &identity)),
        "directory" => name(open_directory_part(bytes, &identity)),
        "directory-root" => name(open_root_part(bytes, &identity)),
        "pack" => digest_error(Digest::of(bytes) == manifest.packs[0].sha256.digest()),
        "index-part" => digest_error(manifest.indexes.base.locator_parts()[0].check(bytes)),
        "manifest" => name(Manifest::parse(bytes)),
        "bundle" => name(decode_bundle(bytes, 7)),
        "entry" => name(Entry::parse(bytes)),
        "checkpoint" => name(open_checkpoint(text(bytes), &keys.verification())),
        "head" => name(Head::parse(bytes).and_then(|head| head.verify(&keys.verification()))),
        "kit" => name(Kit::open(bytes, &keys.passphrase())),
        "site" => name(SiteDescription::parse(bytes)),
        other => panic!("no reader for {other}"),
    }
}

#[test]
fn each_damaged_part_gives_the_error_that_is_named() {
    let Vectors { keys, damaged, .. } = vectors();
    let manifest = &manifests()[1];
    assert!(damaged.len() >= 30);
    let mut wrong = Vec::new();
    for vector in &damaged {
        let bytes = fs::read(folder().join("damaged").join(&vector.file)).unwrap();
        let error = open_damaged(&vector.part, &bytes, &keys, manifest);
        if error != vector.error {
            wrong.push(format!("{}: {error}, not {}", vector.file, vector.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_damaged_file_is_in_the_table() {
    let table: BTreeSet<String> = vectors().damaged.into_iter().map(|vector| vector.file).collect();
    let files: BTreeSet<String> = files_under(&folder().join("damaged")).into_iter().collect();
    assert_eq!(table, files);
}

#[test]
fn a_stranger_opens_nothing() {
    let Vectors { keys, records, .. } = vectors();
    let stranger: Identity = keys.stranger_identity.parse().unwrap();
    let sealed = object(&ObjectKey::EpochRecipients(lifeboat_format::EpochNumber::FIRST));
    assert!(open_epoch_secret(&sealed, &stranger).is_err());
    let mut opener = Opener::new(keys.stranger_identity.parse().unwrap(), vec![]).unwrap();
    for record in records {
        let blob = record.file.replace("records/", "blobs/").replace(".json", ".age");
        assert!(opener.open(&fs::read(folder().join(blob)).unwrap(), 65_536).is_err());
    }
    let newest = head("replica/HEAD", &keys.verification());
    assert_eq!(newest.manifest_id, ManifestId::of(&object(&ObjectKey::Manifest(newest.manifest_id))));
}
