//! A small site that takes snapshots into a spool in a scratch folder.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lifeboat_format::log::Entry;
use lifeboat_format::{
    AcceptedEntry, Counts, DictEntry, Dictionary, DirectoryRow, EpochEntry, EpochNumber, EpochSecret,
    FeedEntry, FinishedIndex, FinishedPack, Gate, GateReason, Identity, IndexContent, Indexes, Limits,
    LocatorChange, LocatorRow, LookupKey, Manifest, ManifestId, PackBuilder, PackEntry, Passphrase,
    RecordKey, RecordKind, RecordName, SealedDictionary, Sealer, Sequence, SigningKey, SiteCode,
    SiteDescription, Verdict, VerificationKey, build_index, generate_epoch, seal_epoch_secret,
    seal_epoch_secret_with_passphrase,
};
use lifeboat_replica::{EpochFiles, PublishSet, Published, Reader, Spool};

pub(crate) const RECORD_BYTES_MAX: u64 = 1 << 20;

/// A site with everything that a service and its readers know.
pub(crate) struct TestSite {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) spool: Spool,
    pub(crate) signing: SigningKey,
    pub(crate) key: VerificationKey,
    pub(crate) identity: Identity,
    pub(crate) lookup: LookupKey,
    secret: EpochSecret,
    epoch: EpochFiles,
    dictionary: Option<(Dictionary, SealedDictionary)>,
    sequence: Option<Sequence>,
    previous: Option<ManifestId>,
    accepted: Option<AcceptedEntry>,
    base: Option<FinishedIndex>,
    packs: BTreeMap<lifeboat_format::PackId, u64>,
    delta: BTreeMap<RecordKey, LocatorChange>,
    delta_rows: BTreeMap<RecordKey, DirectoryRow>,
    present: BTreeSet<RecordKey>,
}

/// The passphrase of the test site's epoch.
pub(crate) const PASSPHRASE: &str = "break glass in an emergency";

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_seed("lifeboat/A81001", &[7; 32]).unwrap()
}

impl TestSite {
    pub(crate) async fn new() -> Self {
        Self::with_dictionary(None).await
    }

    pub(crate) async fn with_dictionary(dictionary: Option<Dictionary>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signing = signing_key();
        let key = signing.verification_key();
        let site: SiteCode = "A81001".parse().unwrap();
        let description = SiteDescription::new(site.clone(), "The Surgery".to_owned(), key.clone()).unwrap();
        Spool::lay_out(folder.path(), &description).unwrap();
        let spool = Spool::open(folder.path(), &key).await.unwrap();
        let identity = Identity::generate();
        let lookup = LookupKey::from_hex(&"5a".repeat(32)).unwrap();
        let secret = generate_epoch(EpochNumber::FIRST, &site, &lookup);
        let epoch = EpochFiles {
            number: EpochNumber::FIRST,
            recipients: seal_epoch_secret(&secret, &[identity.recipient()]).unwrap(),
            passphrase: Some(
                seal_epoch_secret_with_passphrase(&secret, &Passphrase::from(PASSPHRASE), 1).unwrap(),
            ),
        };
        let dictionary = dictionary.map(|dictionary| {
            let sealed = dictionary.seal(&secret.recipient()).unwrap();
            (dictionary, sealed)
        });
        Self {
            folder,
            spool,
            signing,
            key,
            identity,
            lookup,
            secret,
            epoch,
            dictionary,
            sequence: None,
            previous: None,
            accepted: None,
            base: None,
            packs: BTreeMap::new(),
            delta: BTreeMap::new(),
            delta_rows: BTreeMap::new(),
            present: BTreeSet::new(),
        }
    }

    pub(crate) fn reader(&self) -> &Reader {
        self.spool.reader()
    }

    pub(crate) fn record_key(&self, name: &str) -> RecordKey {
        self.lookup.record_key(&RecordName::Patient(name))
    }

    /// Takes an accepted snapshot in which some records are new or changed.
    pub(crate) fn snapshot(&mut self, changed: &[(&str, &str)]) -> Published {
        self.take(changed, &[], Verdict::Accepted)
    }

    /// Takes a snapshot and publishes it.
    pub(crate) fn take(&mut self, changed: &[(&str, &str)], removed: &[&str], verdict: Verdict) -> Published {
        let set = self.prepare(changed, removed, verdict);
        self.spool.publish(set, &self.signing).unwrap()
    }

    /// Publishes a heartbeat for the newest snapshot.
    pub(crate) fn heartbeat(&mut self, minute: i64) -> Published {
        let time = Timestamp::from_second(1_800_100_000 + minute * 60).unwrap();
        let entry = Entry::Heartbeat {
            time,
            sequence: self.sequence.unwrap(),
            manifest: self.previous.unwrap(),
            source_time: None,
            next_by: time,
        };
        let set = PublishSet { entries: vec![entry], ..PublishSet::default() };
        self.spool.publish(set, &self.signing).unwrap()
    }

    /// Makes everything that a snapshot needs, ready to publish.
    pub(crate) fn prepare(
        &mut self,
        changed: &[(&str, &str)],
        removed: &[&str],
        verdict: Verdict,
    ) -> PublishSet {
        let mut rows = Vec::new();
        let pack = self.pack(changed, &mut rows);
        for (name, _) in changed {
            let key = self.record_key(name);
            let mut row = DirectoryRow::new(key);
            row.family = Some((*name).to_owned());
            self.delta_rows.insert(key, row);
            self.present.insert(key);
        }
        for name in removed {
            let key = self.record_key(name);
            self.delta.insert(key, LocatorChange::Tombstone(key));
            self.delta_rows.remove(&key);
            self.present.remove(&key);
        }
        self.delta.extend(rows.into_iter().map(|row| (row.key, LocatorChange::Put(row))));
        let content = IndexContent {
            days: vec![jiff::civil::date(2026, 11, 21)],
            patients: self.present.len() as u64,
            directory: self.delta_rows.values().cloned().collect(),
            locators: self.delta.values().copied().collect(),
        };
        let index = build_index(content, &self.secret.recipient()).unwrap();
        let delta = match &self.base {
            None => {
                self.base = Some(index.clone());
                self.delta.clear();
                self.delta_rows.clear();
                None
            }
            Some(_) => Some(index.entry()),
        };
        let (manifest, time) = self.manifest(delta, verdict);
        let snapshot =
            Entry::Snapshot { time, sequence: manifest.sequence, manifest: manifest.id(), verdict };
        self.sequence = Some(manifest.sequence);
        self.previous = Some(manifest.id());
        if verdict == Verdict::Accepted {
            self.accepted = Some(AcceptedEntry { sequence: manifest.sequence, manifest: manifest.id() });
        }
        PublishSet {
            epoch: Some(self.epoch.clone()),
            dicts: self.dictionary.iter().map(|(_, sealed)| sealed.clone()).collect(),
            packs: pack.into_iter().collect(),
            indexes: vec![index],
            manifest: Some(manifest),
            entries: vec![snapshot],
        }
    }

    fn pack(&mut self, changed: &[(&str, &str)], rows: &mut Vec<LocatorRow>) -> Option<FinishedPack> {
        let dictionary = self.dictionary.as_ref().map(|(dictionary, _)| dictionary);
        let mut sealer = Sealer::new(&self.secret.recipient(), dictionary).unwrap();
        let mut builder = PackBuilder::new();
        for (name, record) in changed {
            builder.push(self.record_key(name), sealer.seal(record.as_bytes()).unwrap()).unwrap();
        }
        let pack = builder.finish()?;
        self.packs.insert(pack.id, pack.bytes.len() as u64);
        rows.extend(
            pack.places.iter().map(|(key, place)| LocatorRow::new(*key, RecordKind::Patient, *place)),
        );
        Some(pack)
    }

    fn manifest(
        &self,
        delta: Option<lifeboat_format::IndexEntry>,
        verdict: Verdict,
    ) -> (Manifest, Timestamp) {
        let sequence = self.sequence.map_or(Sequence::FIRST, Sequence::next);
        let time =
            Timestamp::from_second(1_800_000_000 + 900 * i64::try_from(sequence.number()).unwrap()).unwrap();
        let held = verdict == Verdict::Held;
        let reason =
            GateReason { code: "shrunken".to_owned(), detail: "half of the patients are gone".to_owned() };
        let mut packs: Vec<_> =
            self.packs.iter().map(|(id, size)| PackEntry { sha256: *id, size: *size }).collect();
        packs.sort_by_key(|pack| lifeboat_format::PackPrefix::from(pack.sha256));
        let manifest = Manifest {
            format: 1,
            site: self.secret.site.clone(),
            sequence,
            previous: self.previous,
            epoch: EpochEntry {
                number: self.epoch.number,
                recipient: self.secret.recipient(),
                recipients: self.epoch.recipients_entry(),
                passphrase: self.epoch.passphrase_entry(),
            },
            source_time: Some(time),
            taken: time,
            next_by: time,
            feed: FeedEntry { format: "fhir-r4-folder".to_owned(), documents: 1, unreadable: 0 },
            dicts: self
                .dictionary
                .iter()
                .map(|(dictionary, sealed)| DictEntry {
                    sha256: sealed.id,
                    size: sealed.bytes.len() as u64,
                    id: dictionary.id(),
                })
                .collect(),
            packs,
            indexes: Indexes { base: self.base.as_ref().unwrap().entry(), delta },
            counts: Counts { patients: self.present.len() as u64, ..Counts::default() },
            quality: None,
            limits: Limits { record_bytes_max: RECORD_BYTES_MAX },
            gate: Gate { verdict, reasons: if held { vec![reason] } else { Vec::new() } },
            accepted: if held { self.accepted } else { None },
        };
        (manifest, time)
    }
}
