//! A small practice written to folders exactly as the format says, for the tests of this crate.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use lifeboat_format::log::{Entry, Log};
use lifeboat_format::{
    AcceptedEntry, Checkpoint, Counts, DirectoryRow, EpochEntry, EpochNumber, EpochSecret, FORMAT_VERSION,
    FeedEntry, FileEntry, Gate, GateReason, Head, Identity, IndexContent, Indexes, Kit, KitOptions,
    KitReplica, Limits, LocatorChange, LocatorRow, LookupKey, Manifest, ManifestId, ObjectKey, PackBuilder,
    PackEntry, Passphrase, RECORD_BYTES_MAX, RecordKey, RecordKind, RecordName, Sealer, Sequence, SigningKey,
    SiteCode, SiteDescription, Verdict, build_index, generate_epoch, seal_epoch_secret, sign_checkpoint,
};

/// The passphrase of the fixture's kits.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A practice that can take snapshots.
pub(crate) struct Practice {
    site: SiteCode,
    signing: SigningKey,
    lookup: LookupKey,
    epoch: EpochSecret,
    sealed_epoch: Vec<u8>,
    pub(crate) identity: Identity,
    log: Log,
    objects: Vec<(ObjectKey, Vec<u8>)>,
    accepted: Option<(Manifest, Vec<u8>)>,
    sequence: u64,
}

/// What goes into a snapshot.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) patients: Vec<(DirectoryRow, Vec<u8>)>,
    pub(crate) days: Vec<(Date, Vec<u8>)>,
}

impl Practice {
    pub(crate) fn new() -> Self {
        let site: SiteCode = "A81001".parse().expect("a site code");
        let signing = SigningKey::generate(&site.origin()).expect("randomness");
        let lookup = LookupKey::generate().expect("randomness");
        let epoch = generate_epoch(EpochNumber::FIRST, &site, &lookup);
        let identity = Identity::generate();
        let sealed_epoch = seal_epoch_secret(&epoch, &[identity.recipient()]).expect("a sealed secret");
        let description =
            SiteDescription::new(site.clone(), "Example Surgery".to_owned(), signing.verification_key());
        let objects = vec![
            (ObjectKey::Site, description.expect("a description").to_bytes()),
            (ObjectKey::EpochRecipients(EpochNumber::FIRST), sealed_epoch.clone()),
        ];
        Self {
            site,
            signing,
            lookup,
            epoch,
            sealed_epoch,
            identity,
            log: Log::new(),
            objects,
            accepted: None,
            sequence: 0,
        }
    }

    pub(crate) fn key(&self, patient: &str) -> RecordKey {
        self.lookup.record_key(&RecordName::Patient(patient))
    }

    pub(crate) fn verification_key(&self) -> String {
        self.signing.verification_key().to_string()
    }

    /// Takes a snapshot and puts it into the log.
    pub(crate) fn snapshot(&mut self, content: Content, taken: Timestamp, verdict: Verdict) {
        let recipient = self.epoch.recipient();
        let mut sealer = Sealer::new(&recipient, None).expect("a sealer");
        let mut pack = PackBuilder::new();
        let mut kinds = Vec::new();
        let mut index = IndexContent { patients: content.patients.len() as u64, ..IndexContent::default() };
        for (row, record) in content.patients {
            pack.push(row.key, sealer.seal(&record).expect("a sealed record")).expect("room in the pack");
            kinds.push(RecordKind::Patient);
            index.directory.push(row);
        }
        for (day, record) in content.days {
            let key = self.lookup.record_key(&RecordName::Day(day));
            pack.push(key, sealer.seal(&record).expect("a sealed record")).expect("room in the pack");
            kinds.push(RecordKind::Day);
            index.days.push(day);
        }
        let day_lists = index.days.len() as u64;
        let pack = pack.finish().expect("a pack with a record");
        index.locators = pack
            .places
            .iter()
            .zip(kinds)
            .map(|((key, place), kind)| LocatorChange::Put(LocatorRow::new(*key, kind, *place)))
            .collect();
        let patients = index.patients;
        let index = build_index(index, &recipient).expect("an index");
        self.sequence += 1;
        let manifest =
            Manifest {
                format: FORMAT_VERSION,
                site: self.site.clone(),
                sequence: Sequence::try_from(self.sequence).expect("a sequence"),
                previous: self.accepted.as_ref().map(|(manifest, _)| manifest.id()),
                epoch: EpochEntry {
                    number: EpochNumber::FIRST,
                    recipient,
                    recipients: FileEntry::of(&self.sealed_epoch),
                    passphrase: None,
                },
                source_time: None,
                taken,
                next_by: taken,
                feed: FeedEntry { format: "fhir-r4-folder".to_owned(), documents: patients, unreadable: 0 },
                dicts: Vec::new(),
                packs: vec![PackEntry { sha256: pack.id, size: pack.bytes.len() as u64 }],
                indexes: Indexes { base: index.entry(), delta: None },
                counts: Counts { patients, day_lists, ..Counts::default() },
                quality: None,
                limits: Limits { record_bytes_max: RECORD_BYTES_MAX },
                gate: gate(verdict),
                accepted: self.accepted.as_ref().filter(|_| verdict == Verdict::Held).map(|(manifest, _)| {
                    AcceptedEntry { sequence: manifest.sequence, manifest: manifest.id() }
                }),
            };
        self.objects.push((ObjectKey::Pack(pack.id), pack.bytes));
        self.objects.push((ObjectKey::Index(index.id), index.bytes));
        self.publish(&manifest, taken, verdict);
        if verdict == Verdict::Accepted {
            let bytes = manifest.to_bytes();
            self.accepted = Some((manifest, bytes));
        }
    }

    fn publish(&mut self, manifest: &Manifest, time: Timestamp, verdict: Verdict) {
        let bytes = manifest.to_bytes();
        let id = ManifestId::of(&bytes);
        let entry = Entry::Snapshot { time, sequence: manifest.sequence, manifest: id, verdict };
        let growth = self.log.append(std::slice::from_ref(&entry)).expect("a log entry");
        let checkpoint = Checkpoint { origin: self.site.origin(), size: growth.size, root: growth.root };
        let note = sign_checkpoint(&checkpoint, &self.signing);
        let accepted =
            self.accepted.as_ref().filter(|_| verdict == Verdict::Held).map(|(_, bytes)| bytes.as_slice());
        let head = Head::build(note.clone(), &self.log, growth.size - 1, &entry, &bytes, accepted);
        self.objects.push((ObjectKey::Manifest(id), bytes.clone()));
        self.objects.extend(growth.objects);
        self.objects.push((ObjectKey::Checkpoint(growth.size), note.into_bytes()));
        self.objects.push((ObjectKey::Head, head.expect("a head").to_bytes()));
    }

    /// Writes everything so far into a folder, as a replica that is up to date.
    pub(crate) fn write_to(&self, folder: &Path) {
        for (key, bytes) in &self.objects {
            let path = folder.join(key.to_string());
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a made folder");
            std::fs::write(path, bytes).expect("a written object");
        }
    }

    /// Writes a kit that names folders as replicas.
    pub(crate) fn write_kit(&self, path: &Path, replicas: &[(&str, &Path)]) {
        let url = |folder: &Path| url::Url::from_file_path(folder).expect("an absolute folder").to_string();
        let urls: Vec<(&str, String)> = replicas.iter().map(|(name, folder)| (*name, url(folder))).collect();
        self.write_kit_of_urls(path, &urls);
    }

    /// Writes a kit that names addresses as replicas, sensible or not.
    pub(crate) fn write_kit_of_urls(&self, path: &Path, replicas: &[(&str, String)]) {
        let replica = |(name, url): &(&str, String)| KitReplica {
            name: (*name).to_owned(),
            url: url.clone(),
            options: KitOptions::default(),
        };
        let kit = Kit {
            site: self.site.clone(),
            name: "Duty doctor".to_owned(),
            verification_key: self.signing.verification_key(),
            lookup_key: self.lookup.clone(),
            identity: self.identity.clone(),
            replicas: replicas.iter().map(replica).collect(),
            created: Timestamp::UNIX_EPOCH,
        };
        std::fs::write(path, kit.seal(&Passphrase::from(PASSPHRASE), 2).expect("a kit"))
            .expect("a written kit");
    }

    /// Writes the identity as a file.
    pub(crate) fn write_identity(&self, path: &Path) {
        std::fs::write(path, self.identity.to_secret_text().as_bytes()).expect("a written identity");
    }
}

/// Finds the only pack of a replica with one snapshot.
pub(crate) fn only_pack(folder: &Path) -> PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![folder.join("packs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    assert_eq!(found.len(), 1, "one snapshot, one pack");
    found.remove(0)
}

/// What the gate says of a snapshot of the fixture.
fn gate(verdict: Verdict) -> Gate {
    let reason = || GateReason { code: "shrunk".to_owned(), detail: "patients fell from 3 to 1".to_owned() };
    Gate { verdict, reasons: if verdict == Verdict::Held { vec![reason()] } else { Vec::new() } }
}
