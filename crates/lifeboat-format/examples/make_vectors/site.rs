//! A small site with three snapshots: a base, a delta with a tombstone, and one that is held.

use lifeboat_format::log::{Entry, Log};
use lifeboat_format::{
    AcceptedEntry, Checkpoint, Counts, DictEntry, Dictionary, DirectoryRow, EpochEntry, EpochIdentity,
    EpochNumber, EpochSecret, FeedEntry, FileEntry, Gate, GateReason, Head, Identity, IndexContent,
    IndexEntry, Indexes, Kit, KitOptions, KitReplica, Limits, LocatorChange, LocatorRow, LookupKey, Manifest,
    ManifestId, ObjectKey, PackBuilder, PackEntry, Passphrase, Quality, RecordKey, RecordKind, RecordName,
    Sealer, SectionCount, Sequence, SigningKey, SiteCode, SiteDescription, Verdict, build_index,
    recover_text, seal_epoch_secret, seal_epoch_secret_with_passphrase, sign_checkpoint,
};
use std::collections::BTreeMap;
use std::error::Error;

pub(crate) const EPOCH_IDENTITY: &str =
    "AGE-SECRET-KEY-1W4PFRN38QV2AZ3THE8X7Z9VR2MX9DHKS320FWGQV4D4G43QEQT6S5A9DG0";
pub(crate) const HOLDER_IDENTITY: &str =
    "AGE-SECRET-KEY-1X0SNZUH6YZCHEU98WMLGJ49FWD345F540JC2ZZ4SQX37WV7R4F5SDZ7LR4";
pub(crate) const STRANGER_IDENTITY: &str =
    "AGE-SECRET-KEY-1DFLXUM90HKG4HXNXDUFAE9WK6FGX00CSWG26H3078CX4K596NJUS67DK5P";
pub(crate) const PASSPHRASE: &str = "break glass only in an emergency";
const WORK_FACTOR: u8 = 10;

type Files = BTreeMap<String, Vec<u8>>;

pub(crate) struct Keys {
    pub(crate) site: SiteCode,
    pub(crate) lookup_key: LookupKey,
    pub(crate) epoch: EpochIdentity,
    pub(crate) signing_key: SigningKey,
}

impl Keys {
    fn new() -> Result<Self, Box<dyn Error>> {
        let site: SiteCode = "A81001".parse()?;
        Ok(Self {
            lookup_key: LookupKey::from_hex(&"5a".repeat(32))?,
            epoch: EPOCH_IDENTITY.parse()?,
            signing_key: SigningKey::from_seed(&site.origin(), &[42; 32])?,
            site,
        })
    }

    pub(crate) fn secret(&self) -> EpochSecret {
        EpochSecret {
            number: EpochNumber::FIRST,
            site: self.site.clone(),
            lookup_key: self.lookup_key.clone(),
            identity: self.epoch.clone(),
        }
    }
}

pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) key: RecordKey,
    pub(crate) with_dictionary: bool,
    /// The snapshots that hold this version of the record.
    pub(crate) snapshots: Vec<u64>,
}

pub(crate) struct Site {
    pub(crate) keys: Keys,
    pub(crate) replica: Files,
    pub(crate) extra: Files,
    pub(crate) records: Vec<Record>,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) head: Head,
    pub(crate) log: Log,
    pub(crate) dictionary: Dictionary,
}

pub(crate) fn build() -> Result<Site, Box<dyn Error>> {
    let keys = Keys::new()?;
    let mut writer = Writer {
        dictionary: dictionary()?,
        replica: Files::new(),
        extra: Files::new(),
        records: Vec::new(),
        manifests: Vec::new(),
        log: Log::new(),
        keys,
    };
    writer.write_descriptions()?;
    let epoch = writer.write_epoch()?;
    let head = writer.take_snapshots(&epoch)?;
    writer.write_kit()?;
    let Writer { keys, replica, extra, records, manifests, log, dictionary } = writer;
    Ok(Site { keys, replica, extra, records, manifests, head, log, dictionary })
}

/// Returns a record that looks like a patient's, different for each number and version.
fn patient(number: u64, version: u64) -> Vec<u8> {
    let items: Vec<String> = (0..8 + number)
        .map(|item| {
            format!(
                r#"{{"resource":{{"resourceType":"Observation","id":"{number}-{item}","status":"final","code":{{"text":"measurement {item}"}},"valueQuantity":{{"value":{},"unit":"mmol/L"}}}}}}"#,
                (number * 31 + item * 17 + version * 7) % 97
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"document","entry":[{{"resource":{{"resourceType":"Patient","id":"{number}","name":[{{"family":"TESTPATIENT{number}"}}]}}}},{}]}}"#,
        items.join(",")
    )
    .into_bytes()
}

fn dictionary() -> Result<Dictionary, Box<dyn Error>> {
    let samples: Vec<Vec<u8>> = (100..400).map(|number| patient(number % 60, number)).collect();
    let sizes: Vec<usize> = samples.iter().map(Vec::len).collect();
    let bytes = zstd::dict::from_continuous(&samples.concat(), &sizes, 4096)?;
    Ok(Dictionary::from_bytes(bytes.into())?)
}

fn directory_row(number: u64, key: RecordKey) -> DirectoryRow {
    let mut row = DirectoryRow::new(key);
    row.family = Some(format!("TESTPATIENT{number}"));
    row.given = vec!["Given".to_owned()];
    row.born = Some(format!("19{:02}-01-02", 50 + number));
    row.postcode = Some("ZZ99 3AA".to_owned());
    row
}

struct Writer {
    keys: Keys,
    dictionary: Dictionary,
    replica: Files,
    extra: Files,
    records: Vec<Record>,
    manifests: Vec<Manifest>,
    log: Log,
}

struct Content {
    packs: Vec<PackEntry>,
    base: IndexEntry,
    delta: Option<IndexEntry>,
}

impl Writer {
    fn put(&mut self, key: ObjectKey, bytes: Vec<u8>) {
        self.replica.insert(key.to_string(), bytes);
    }

    fn write_descriptions(&mut self) -> Result<(), Box<dyn Error>> {
        let key = self.keys.signing_key.verification_key();
        let site = SiteDescription::new(self.keys.site.clone(), "The Test Surgery".to_owned(), key)?;
        self.put(ObjectKey::Site, site.to_bytes());
        self.put(ObjectKey::Recover, recover_text(&site).into_bytes());
        Ok(())
    }

    fn write_epoch(&mut self) -> Result<(EpochEntry, DictEntry), Box<dyn Error>> {
        let number = EpochNumber::FIRST;
        let secret = self.keys.secret();
        let holder: Identity = HOLDER_IDENTITY.parse()?;
        let recipients = seal_epoch_secret(&secret, &[Identity::generate().recipient(), holder.recipient()])?;
        let passphrase =
            seal_epoch_secret_with_passphrase(&secret, &Passphrase::from(PASSPHRASE), WORK_FACTOR)?;
        let epoch = EpochEntry {
            number,
            recipient: self.keys.epoch.recipient(),
            recipients: FileEntry::of(&recipients),
            passphrase: Some(FileEntry::of(&passphrase)),
        };
        self.put(ObjectKey::EpochRecipients(number), recipients);
        self.put(ObjectKey::EpochPassphrase(number), passphrase);
        let sealed = self.dictionary.seal(&self.keys.epoch.recipient())?;
        let dict = DictEntry { sha256: sealed.id, size: sealed.bytes.len() as u64, id: self.dictionary.id() };
        self.put(ObjectKey::Dict(sealed.id), sealed.bytes);
        Ok((epoch, dict))
    }

    /// Seals records into a pack and returns their index rows.
    fn write_pack(
        &mut self,
        records: Vec<(RecordName<'_>, String, Vec<u8>, Vec<u64>)>,
    ) -> Result<(PackEntry, Vec<LocatorChange>), Box<dyn Error>> {
        let recipient = self.keys.epoch.recipient();
        let mut learnt = Sealer::new(&recipient, Some(&self.dictionary))?;
        let mut plain = Sealer::new(&recipient, None)?;
        let mut builder = PackBuilder::new();
        let mut kinds = BTreeMap::new();
        for (name, file, record, snapshots) in records {
            let key = self.keys.lookup_key.record_key(&name);
            let (kind, text) = match name {
                RecordName::Patient(identity) => (RecordKind::Patient, format!("patient:{identity}")),
                RecordName::Day(day) => (RecordKind::Day, format!("day:{day}")),
            };
            let with_dictionary = file != "patient-5";
            let sealer = if with_dictionary { &mut learnt } else { &mut plain };
            let blob = sealer.seal(&record)?;
            self.extra.insert(format!("blobs/{file}.age"), blob.clone());
            self.extra.insert(format!("records/{file}.json"), record);
            builder.push(key, blob).map_err(|_| "the pack is full")?;
            kinds.insert(key, kind);
            self.records.push(Record { name: text, file, key, with_dictionary, snapshots });
        }
        let pack = builder.finish().ok_or("the pack is empty")?;
        let row = |(key, place): &(RecordKey, _)| LocatorRow::new(*key, kinds[key], *place).into();
        let rows = pack.places.iter().map(row).collect();
        let entry = PackEntry { sha256: pack.id, size: pack.bytes.len() as u64 };
        self.put(ObjectKey::Pack(pack.id), pack.bytes);
        Ok((entry, rows))
    }

    fn write_index(
        &mut self,
        patients: u64,
        directory: Vec<DirectoryRow>,
        locators: Vec<LocatorChange>,
    ) -> Result<IndexEntry, Box<dyn Error>> {
        let days = vec![jiff::civil::date(2026, 11, 21)];
        let content = IndexContent { days, patients, directory, locators };
        let index = build_index(content, &self.keys.epoch.recipient())?;
        let entry = index.entry();
        self.put(ObjectKey::Index(index.id), index.bytes);
        Ok(entry)
    }

    fn key_of(&self, number: u64) -> RecordKey {
        self.keys.lookup_key.record_key(&RecordName::Patient(&format!("test|{number}")))
    }

    fn take_snapshots(&mut self, epoch: &(EpochEntry, DictEntry)) -> Result<Head, Box<dyn Error>> {
        let in_snapshots = |number: u64| match number {
            1 | 2 => vec![1],
            3 => vec![1, 2, 3],
            _ => vec![1, 2],
        };
        let names: Vec<String> = (0..=6).map(|number| format!("test|{number}")).collect();
        let name = |number: u64| RecordName::Patient(&names[usize::try_from(number).unwrap_or(0)]);
        let mut records: Vec<_> = (1..=5)
            .map(|number| {
                (name(number), format!("patient-{number}"), patient(number, 1), in_snapshots(number))
            })
            .collect();
        let day =
            br#"{"resourceType":"Bundle","type":"collection","id":"day-2026-11-21","entry":[]}"#.to_vec();
        let date = jiff::civil::date(2026, 11, 21);
        records.push((RecordName::Day(date), "day".to_owned(), day, vec![1, 2, 3]));
        let (first_pack, rows) = self.write_pack(records)?;
        let people = (1..=5).map(|number| directory_row(number, self.key_of(number))).collect();
        let base = self.write_index(5, people, rows)?;
        let content = Content { packs: vec![first_pack.clone()], base: base.clone(), delta: None };
        self.extend_log(vec![Entry::Epoch { time: time(0)?, epoch: EpochNumber::FIRST }])?;
        let head = self.publish(epoch, content, 5, vec![], None)?;
        self.extra.insert("heads/accepted-first.json".to_owned(), head.to_bytes());

        // Patient 1 changes, patient 2 leaves, patient 6 arrives.
        let changed = vec![
            (name(1), "patient-1-changed".to_owned(), patient(1, 2), vec![2]),
            (name(6), "patient-6".to_owned(), patient(6, 1), vec![2]),
        ];
        let (second_pack, mut rows) = self.write_pack(changed)?;
        rows.push(LocatorChange::Tombstone(self.key_of(2)));
        let people = vec![directory_row(1, self.key_of(1)), directory_row(6, self.key_of(6))];
        let delta = self.write_index(5, people, rows)?;
        let packs = vec![first_pack.clone(), second_pack];
        let content = Content { packs, base: base.clone(), delta: Some(delta) };
        let head = self.publish(epoch, content, 5, vec![], None)?;
        self.extra.insert("heads/accepted-delta.json".to_owned(), head.to_bytes());
        let heartbeats = (0..260).map(|minute| self.heartbeat(minute)).collect::<Result<_, _>>()?;
        let head = self.publish_heartbeats(heartbeats)?;
        self.extra.insert("heads/heartbeat.json".to_owned(), head.to_bytes());

        // The source loses all patients but one: held.
        let gone = [1, 2, 4, 5].map(|number| LocatorChange::Tombstone(self.key_of(number)));
        let delta = self.write_index(1, vec![], gone.to_vec())?;
        let content = Content { packs: vec![first_pack], base, delta: Some(delta) };
        let reasons =
            vec![GateReason { code: "fewer-patients".to_owned(), detail: "1 patient after 5".to_owned() }];
        let accepted = self.manifests[1].clone();
        let head = self.publish(epoch, content, 1, reasons, Some(&accepted))?;
        self.put(ObjectKey::Head, head.to_bytes());
        Ok(head)
    }

    fn publish(
        &mut self,
        (epoch, dict): &(EpochEntry, DictEntry),
        content: Content,
        patients: u64,
        reasons: Vec<GateReason>,
        accepted: Option<&Manifest>,
    ) -> Result<Head, Box<dyn Error>> {
        let sequence = Sequence::try_from(self.manifests.len() as u64 + 1)?;
        let minute = i64::try_from(sequence.number())? * 15;
        let verdict = if reasons.is_empty() { Verdict::Accepted } else { Verdict::Held };
        let accepted_entry =
            accepted.map(|manifest| AcceptedEntry { sequence: manifest.sequence, manifest: manifest.id() });
        let section = SectionCount { patients, items: patients * 8 };
        let manifest = Manifest {
            format: 1,
            site: self.keys.site.clone(),
            sequence,
            previous: self.manifests.last().map(Manifest::id),
            epoch: epoch.clone(),
            source_time: Some(time(minute - 1)?),
            taken: time(minute)?,
            next_by: time(minute + 15)?,
            feed: FeedEntry { format: "fhir-r4-folder".to_owned(), documents: patients, unreadable: 0 },
            dicts: vec![dict.clone()],
            packs: content.packs,
            indexes: Indexes { base: content.base, delta: content.delta },
            counts: Counts {
                patients,
                day_lists: 1,
                sections: [("observations".to_owned(), section)].into(),
                ..Counts::default()
            },
            quality: Some(Quality {
                nhs_numbers: patients,
                nhs_numbers_valid: patients,
                characters: 9_870,
                ..Quality::default()
            }),
            limits: Limits { record_bytes_max: 65_536 },
            gate: Gate { verdict, reasons },
            accepted: accepted_entry,
        };
        let bytes = manifest.to_bytes();
        let id = ManifestId::of(&bytes);
        // Packs are written in the order of their ids; what is kept is what a reader gets.
        let manifest = Manifest::parse(&bytes)?;
        self.put(ObjectKey::Manifest(id), bytes.clone());
        self.manifests.push(manifest);
        let entry = Entry::Snapshot { time: time(minute)?, sequence, manifest: id, verdict };
        let note = self.extend_log(vec![entry.clone()])?;
        let accepted = accepted.map(Manifest::to_bytes);
        Ok(Head::build(note, &self.log, self.log.size() - 1, &entry, &bytes, accepted.as_deref())?)
    }

    fn heartbeat(&self, minute: i64) -> Result<Entry, Box<dyn Error>> {
        let manifest = self.manifests.last().ok_or("there is a snapshot")?;
        let (sequence, manifest) = (manifest.sequence, manifest.id());
        let next_by = time(50 + minute)?;
        Ok(Entry::Heartbeat { time: time(35 + minute)?, sequence, manifest, source_time: None, next_by })
    }

    fn publish_heartbeats(&mut self, entries: Vec<Entry>) -> Result<Head, Box<dyn Error>> {
        let last = entries.last().ok_or("there is a heartbeat")?.clone();
        let note = self.extend_log(entries)?;
        let manifest = self.manifests.last().ok_or("there is a snapshot")?.to_bytes();
        Ok(Head::build(note, &self.log, self.log.size() - 1, &last, &manifest, None)?)
    }

    /// Appends entries, writes their tiles and a checkpoint, and returns the checkpoint's note.
    fn extend_log(&mut self, entries: Vec<Entry>) -> Result<String, Box<dyn Error>> {
        let growth = self.log.append(&entries)?;
        for (key, bytes) in growth.objects {
            self.put(key, bytes);
        }
        let checkpoint = Checkpoint { origin: self.keys.site.origin(), size: growth.size, root: growth.root };
        let note = sign_checkpoint(&checkpoint, &self.keys.signing_key);
        self.put(ObjectKey::Checkpoint(growth.size), note.clone().into_bytes());
        Ok(note)
    }

    fn write_kit(&mut self) -> Result<(), Box<dyn Error>> {
        let replica = KitReplica {
            name: "practice".to_owned(),
            url: "file:///srv/lifeboat".to_owned(),
            options: KitOptions([("region".to_owned(), "eu-west-2".to_owned())].into()),
        };
        let kit = Kit {
            site: self.keys.site.clone(),
            name: "duty doctor".to_owned(),
            verification_key: self.keys.signing_key.verification_key(),
            lookup_key: self.keys.lookup_key.clone(),
            identity: HOLDER_IDENTITY.parse()?,
            replicas: vec![replica],
            created: time(0)?,
        };
        let passphrase = Passphrase::from(PASSPHRASE);
        self.extra.insert("kit/binary.lifeboat-kit".to_owned(), kit.seal(&passphrase, WORK_FACTOR)?);
        let text = kit.seal_as_text(&passphrase, WORK_FACTOR)?;
        self.extra.insert("kit/text.lifeboat-kit".to_owned(), text.into_bytes());
        Ok(())
    }
}

/// Returns a time some minutes into the morning of the vectors.
fn time(minute: i64) -> Result<jiff::Timestamp, Box<dyn Error>> {
    let start: jiff::Timestamp = "2026-11-21T08:00:00Z".parse()?;
    Ok(jiff::Timestamp::from_second(start.as_second() + minute * 60)?)
}
