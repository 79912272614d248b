//! The engine over small sources: what is sealed, what is kept, and what is held.

mod judging;
mod rejected;

use super::{
    Acceptance, Engine, EngineError, EngineSettings, HostKey, HostKeys, NoProgress, Outcome, SnapshotReport,
    Source, TableFeeds,
};
use jiff::{SignedDuration, Timestamp};
use lifeboat_clinical::record::Windows;
use lifeboat_clinical::synth::Practice;
use lifeboat_feeds::{Format, Rules};
use lifeboat_format::{Identity, LookupKey, Recipient, RecordKind, SigningKey, SiteCode};
use lifeboat_replica::{Access, Choice, SiteReader};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

/// A site in a scratch folder, with a clock that the test moves.
pub(super) struct Site {
    pub(super) folder: TempDir,
    identity: Identity,
    signing: String,
    lookup: String,
    host: String,
    recipients: Vec<Recipient>,
    now: Timestamp,
    pub(super) source: Source,
    pub(super) table_feeds: TableFeeds,
    pub(super) rules: Rules,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("source")).expect("a folder");
        let identity = Identity::generate();
        let site: SiteCode = "A81001".parse().expect("a code");
        let source = Source::Folder { path: folder.path().join("source"), format: Some(Format::FhirR4) };
        Self {
            folder,
            source,
            table_feeds: TableFeeds::default(),
            rules: Rules::default(),
            recipients: vec![identity.recipient()],
            identity,
            signing: SigningKey::generate(&site.origin()).expect("a key").to_secret_text().to_string(),
            lookup: LookupKey::generate().expect("a key").to_hex().to_string(),
            host: HostKey::generate().expect("a key").to_hex().to_string(),
            now: "2026-11-21T08:00:00Z".parse().expect("a time"),
        }
    }

    /// Writes down what another process needs to work on the same site.
    #[cfg(feature = "crash-steps")]
    pub(super) fn keep_keys(&self) {
        let keys = format!("{}\n{}\n{}\n{}", self.recipients[0], self.signing, self.lookup, self.host);
        fs::write(self.folder.path().join("keys"), keys).expect("writes");
    }

    /// The site of another process.
    #[cfg(feature = "crash-steps")]
    pub(super) fn in_folder(folder: &std::path::Path) -> Self {
        let mut site = Self::new();
        fs::remove_dir(site.folder.path().join("source")).expect("removes");
        for name in ["source", "state"] {
            std::os::unix::fs::symlink(folder.join(name), site.folder.path().join(name)).expect("a link");
        }
        let keys = fs::read_to_string(folder.join("keys")).expect("reads");
        let [recipient, signing, lookup, host] = keys.lines().collect::<Vec<_>>()[..] else {
            panic!("four lines")
        };
        site.recipients = vec![recipient.parse().expect("a recipient")];
        (site.signing, site.lookup, site.host) = (signing.to_owned(), lookup.to_owned(), host.to_owned());
        site
    }

    pub(super) fn engine(&self) -> Engine {
        self.try_engine().expect("an engine")
    }

    pub(super) fn try_engine(&self) -> Result<Engine, EngineError> {
        let settings = EngineSettings {
            site: "A81001".parse().expect("a code"),
            site_name: "Test Surgery".into(),
            source: self.source.clone(),
            rules: self.rules.clone(),
            windows: Windows::default(),
            table_feeds: self.table_feeds.clone(),
            stable_after: Duration::ZERO,
            state_dir: self.folder.path().join("state"),
            expected_within: Duration::from_secs(900),
            recipients: self.recipients.clone(),
            passphrase: None,
            passphrase_work_factor: 4,
            threads: Some(2),
        };
        let keys = HostKeys {
            signing: SigningKey::from_secret_text(&self.signing).expect("a key"),
            lookup: LookupKey::from_hex(&self.lookup).expect("a key"),
            host: HostKey::from_hex(&self.host).expect("a key"),
        };
        Engine::open(settings, keys)
    }

    pub(super) fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join("source").join(name), content).expect("a file");
    }

    pub(super) fn put_json(&self, name: &str, content: &Value) {
        self.put(name, content.to_string().as_bytes());
    }

    pub(super) fn take_away(&self, name: &str) {
        fs::remove_file(self.folder.path().join("source").join(name)).expect("a file");
    }

    pub(super) fn put_practice(&self, patients: usize) -> Practice {
        let practice = Practice::new(7, patients, jiff::civil::date(2026, 11, 21));
        for (stem, bundle) in practice.files() {
            self.put_json(&format!("{stem}.json"), &bundle);
        }
        practice
    }

    pub(super) fn snapshot(&mut self, engine: &mut Engine) -> SnapshotReport {
        self.snapshot_as(engine, &Acceptance::ByGate)
    }

    pub(super) fn snapshot_as(&mut self, engine: &mut Engine, acceptance: &Acceptance) -> SnapshotReport {
        self.now += SignedDuration::from_mins(5);
        engine.take_snapshot(self.now, acceptance, &NoProgress).expect("a snapshot")
    }

    /// Opens every record of the newest accepted snapshot.
    pub(super) fn records(&self, engine: &Engine) -> BTreeMap<String, Value> {
        let key = SigningKey::from_secret_text(&self.signing).expect("a key").verification_key();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let access = Access::Identity(self.identity.clone());
            let reader =
                SiteReader::open(engine.spool_reader(), &key, access, Choice::Accepted).await.expect("opens");
            let mut stream = reader.records().await.expect("records");
            let mut records = BTreeMap::new();
            while let Some(record) = stream.next().await {
                let record = record.expect("a record that opens");
                let value: Value = serde_json::from_slice(&record.bytes).expect("JSON");
                assert_eq!(
                    value["type"],
                    if record.kind == RecordKind::Patient { "document" } else { "collection" }
                );
                records.insert(record.key.to_string(), value);
            }
            records
        })
    }
}

pub(super) fn sequence(report: &SnapshotReport) -> (u64, &'static str) {
    match report.outcome {
        Outcome::Snapshot { sequence, held: false } => (sequence.number(), "snapshot"),
        Outcome::Snapshot { sequence, held: true } => (sequence.number(), "held"),
        Outcome::Heartbeat { sequence, held: false } => (sequence.number(), "heartbeat"),
        Outcome::Heartbeat { sequence, held: true } => (sequence.number(), "heartbeat, held"),
    }
}

/// Every string in a record that contains `text`.
pub(super) fn mentions(record: &Value, text: &str) -> bool {
    record.to_string().contains(text)
}

fn patient(id: &str, family: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "birthDate": "1980-08-14", "name": [{"family": family, "given": ["Ann"]}]})
}

fn condition(id: &str, patient: &str, text: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "subject": {"reference": format!("Patient/{patient}")},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "code": {"text": text}})
}

#[test]
fn only_what_changed_is_sealed_again() {
    let mut site = Site::new();
    let practice = site.put_practice(40);
    let mut engine = site.engine();

    let first = site.snapshot(&mut engine);
    assert_eq!(sequence(&first), (1, "snapshot"));
    assert_eq!(first.patients, 40);
    assert!(first.appointments > 0, "{first:?}");
    assert!(first.unreadable.is_empty(), "{:?}", first.unreadable);

    let second = site.snapshot(&mut engine);
    assert_eq!(sequence(&second), (1, "heartbeat"));
    assert!(second.log_size > first.log_size);

    let changed: Vec<_> = practice.changes(1, 0.1).collect();
    assert!(!changed.is_empty());
    for (stem, bundle) in &changed {
        site.put_json(&format!("{stem}.json"), bundle);
    }
    let third = site.snapshot(&mut engine);
    assert_eq!(sequence(&third), (2, "snapshot"));
    assert_eq!((third.added, third.changed, third.removed), (0, changed.len() as u64, 0));
    assert_eq!(third.patients, 40);
    assert!(
        third.bytes_written < first.bytes_written / 2,
        "{} of {}",
        third.bytes_written,
        first.bytes_written
    );
    let patients = site.records(&engine).values().filter(|record| record["type"] == "document").count();
    assert_eq!(patients, 40);
}

#[test]
fn neither_order_nor_names_of_files_make_a_change() {
    let mut site = Site::new();
    site.put_practice(10);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let source = site.folder.path().join("source");
    for entry in fs::read_dir(&source).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let reversed: String = name.trim_end_matches(".json").chars().rev().collect();
        fs::rename(&path, source.join(format!("x{reversed}.json"))).expect("renames");
    }
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat"));
}

#[test]
fn resources_of_one_patient_meet_across_files() {
    let mut site = Site::new();
    let patients =
        [patient("1", "Ashe"), patient("2", "Burke")].map(|patient| patient.to_string()).join("\n");
    let conditions =
        [condition("c1", "1", "Asthma"), condition("c2", "2", "Gout"), condition("c3", "9", "Eczema")];
    site.put("Condition.000.ndjson", conditions.map(|condition| condition.to_string()).join("\n").as_bytes());
    site.put("Patient.000.ndjson", patients.as_bytes());
    let mut engine = site.engine();
    let report = site.snapshot(&mut engine);
    assert_eq!(report.patients, 3, "two patients, and one of whom only a reference is known");
    let records = site.records(&engine);
    let with = |text: &str| records.values().filter(|record| mentions(record, text)).collect::<Vec<_>>();
    for (family, problem) in [("Ashe", "Asthma"), ("Burke", "Gout")] {
        let found = with(problem);
        assert_eq!(found.len(), 1, "{problem}");
        assert!(mentions(found[0], family), "{problem} belongs to {family}");
    }
    assert_eq!(with("Eczema").len(), 1);

    let one_more = condition("c4", "1", "Migraine").to_string();
    site.put("later.json", one_more.as_bytes());
    let report = site.snapshot(&mut engine);
    assert_eq!((report.added, report.changed, report.removed), (0, 1, 0));
    let records = site.records(&engine);
    let found: Vec<_> = records.values().filter(|record| mentions(record, "Migraine")).collect();
    assert!(found.len() == 1 && mentions(found[0], "Asthma") && mentions(found[0], "Ashe"));
}

#[test]
fn an_empty_source_is_held_until_it_recovers_or_a_person_accepts_it() {
    let mut site = Site::new();
    site.put_practice(30);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let source = site.folder.path().join("source");
    let away = site.folder.path().join("away");
    fs::rename(&source, &away).expect("renames");
    fs::create_dir(&source).expect("a folder");

    let held = site.snapshot(&mut engine);
    assert_eq!(sequence(&held), (2, "held"));
    assert!(held.held_reasons.iter().any(|reason| reason.code == "empty"), "{:?}", held.held_reasons);
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "heartbeat, held"));
    let patients = site.records(&engine).values().filter(|record| record["type"] == "document").count();
    assert_eq!(patients, 30, "the accepted snapshot is still what is opened");

    fs::remove_dir(&source).expect("removes");
    fs::rename(&away, &source).expect("renames");
    let recovered = site.snapshot(&mut engine);
    assert!(
        matches!(
            recovered.outcome,
            Outcome::Snapshot { held: false, .. } | Outcome::Heartbeat { held: false, .. }
        ),
        "{recovered:?}"
    );

    fs::rename(&source, &away).expect("renames");
    fs::create_dir(&source).expect("a folder");
    assert!(matches!(site.snapshot(&mut engine).outcome, Outcome::Snapshot { held: true, .. }));
    let accepted =
        site.snapshot_as(&mut engine, &Acceptance::ByPerson { reason: "the practice has closed".into() });
    assert!(matches!(accepted.outcome, Outcome::Snapshot { held: false, .. }), "{accepted:?}");
    assert_eq!(accepted.patients, 0);
    assert!(site.records(&engine).is_empty());
}

#[test]
fn patients_whose_input_is_garbled_keep_their_record_and_are_flagged() {
    let mut site = Site::new();
    for n in 0..12 {
        let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [
            {"resource": patient(&n.to_string(), &format!("Family{n}"))},
            {"resource": condition(&format!("c{n}"), &n.to_string(), "Asthma")}]});
        site.put_json(&format!("{n}.json"), &bundle);
    }
    let mut engine = site.engine();
    assert_eq!(site.snapshot(&mut engine).patients, 12);
    site.put("3.json", b"{\"resourceType\": \"Bundle\", \"entry\": [");
    let report = site.snapshot(&mut engine);
    assert_eq!(report.unreadable.len(), 1, "{:?}", report.unreadable);
    assert_eq!(report.unreadable[0].file, "3.json");
    assert_eq!(report.patients, 12, "nobody vanished");
    assert_eq!(report.removed, 0);
    assert_eq!(site.records(&engine).len(), 12);
    site.take_away("3.json");
    let report = site.snapshot(&mut engine);
    assert_eq!((report.patients, report.removed), (11, 1), "{report:?}");
}

#[test]
fn losing_the_state_database_costs_a_full_base_and_no_data() {
    let mut site = Site::new();
    site.put_practice(20);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let before = site.records(&engine);
    drop(engine);
    fs::remove_file(site.folder.path().join("state/state.redb")).expect("removes");
    let mut engine = site.engine();
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (2, "snapshot"));
    assert_eq!(site.records(&engine), before);
}

#[test]
fn new_recipients_open_the_next_snapshot_and_former_ones_do_not() {
    let mut site = Site::new();
    site.put_practice(12);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let before = site.records(&engine);
    drop(engine);
    let newcomer = Identity::generate();
    site.recipients = vec![newcomer.recipient()];
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "snapshot"));
    let leaver = std::mem::replace(&mut site.identity, newcomer);
    assert_eq!(site.records(&engine), before);
    let key = SigningKey::from_secret_text(&site.signing).expect("a key").verification_key();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = runtime.block_on(async {
        let reader =
            SiteReader::open(engine.spool_reader(), &key, Access::Identity(leaver), Choice::Accepted)
                .await
                .expect("opens");
        reader.unlock().await
    });
    assert!(refused.is_err());
}

#[test]
fn many_small_changes_are_folded_and_stay_readable() {
    let mut site = Site::new();
    for n in 0..280 {
        site.put_json(&format!("{n}.json"), &patient(&n.to_string(), &format!("Family{n}")));
    }
    let mut engine = site.engine();
    assert_eq!(site.snapshot(&mut engine).patients, 280);
    let mut copied = 0;
    for n in 0..68 {
        site.put_json(&format!("c{n}.json"), &condition(&format!("c{n}"), &n.to_string(), "Asthma"));
        copied += site.snapshot(&mut engine).copied;
    }
    assert!(copied > 0, "deltas were folded by copying ciphertext");
    let packs = engine.history.newest().expect("a snapshot").manifest.packs.len();
    assert!(packs <= 70, "{packs} packs");
    let records = site.records(&engine);
    assert_eq!(records.len(), 280);
    assert_eq!(records.values().filter(|record| mentions(record, "Asthma")).count(), 68);
}

#[test]
fn a_second_engine_is_kept_out() {
    let site = Site::new();
    let first = site.engine();
    assert!(matches!(site.try_engine(), Err(EngineError::Locked { .. })));
    drop(first);
    assert!(site.try_engine().is_ok());
}

#[test]
fn what_spills_to_disk_comes_back_whole() {
    use super::grouper::Grouper;
    use lifeboat_clinical::fhir::{DayWindow, split};
    use lifeboat_format::RecordKey;

    let day = jiff::civil::date(2026, 11, 21);
    let window = DayWindow { first: day, last: day };
    let mut grouper = Grouper::with_memory(2_000).expect("a grouper");
    for n in 0..200_u8 {
        let document = condition(&format!("c{n}"), "1", "Asthma").to_string();
        for piece in split(document.as_bytes(), &window).expect("splits") {
            grouper.add(RecordKey::from_bytes([n % 10; 16]), &piece).expect("adds");
        }
    }
    let mut found = 0;
    for partition in grouper.into_partitions() {
        for (key, pieces) in partition.expect("reads back") {
            assert_eq!(pieces.len(), 20, "{key}");
            found += pieces.len();
        }
    }
    assert_eq!(found, 200);
}

#[test]
fn a_site_whose_first_extract_is_empty_waits_for_a_real_one() {
    let mut site = Site::new();
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "held"));
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "heartbeat, held"));
    site.put_practice(8);
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (2, "snapshot"));
    assert_eq!(report.patients, 8);
    assert!(site.records(&engine).len() > 8);
}

#[test]
fn inputs_that_become_unreadable_are_counted_in_a_new_manifest() {
    let mut site = Site::new();
    site.put_practice(8);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.put("notes.txt", b"not FHIR");
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (2, "snapshot"));
    assert_eq!(engine.history.newest().expect("a snapshot").manifest.feed.unreadable, 1);
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "heartbeat"));
}

#[test]
fn a_new_kind_of_resource_in_the_feed_rebuilds_what_it_concerns_only_once() {
    let mut site = Site::new();
    for n in 0..6 {
        site.put_json(&format!("{n}.json"), &patient(&n.to_string(), &format!("Family{n}")));
    }
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.put_json("c.json", &condition("c", "0", "Asthma"));
    let report = site.snapshot(&mut engine);
    assert_eq!(report.changed, 6, "problems are none recorded for all others now, no longer not supplied");
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "heartbeat"));
}

#[test]
fn another_practices_extract_is_held() {
    let mut site = Site::new();
    for n in 0..12 {
        site.put_json(&format!("{n}.json"), &patient(&n.to_string(), &format!("Family{n}")));
    }
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    for n in 0..12 {
        site.put_json(&format!("{n}.json"), &patient(&format!("other{n}"), &format!("Stranger{n}")));
    }
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (2, "held"));
    let codes: Vec<&str> = report.held_reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert!(codes.starts_with(&["another-practice", "patients-lost"]), "{codes:?}");
    assert!(site.records(&engine).values().all(|record| mentions(record, "Family")));
}

#[test]
fn a_clock_that_was_set_back_is_held() {
    let mut site = Site::new();
    site.put_practice(8);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.put_json("more.json", &patient("more", "Moore"));
    site.now -= SignedDuration::from_hours(72);
    let report = site.snapshot(&mut engine);
    assert!(
        report.held_reasons.iter().any(|reason| reason.code == "clock-back"),
        "{:?}",
        report.held_reasons
    );
}

#[test]
fn a_damaged_state_database_is_set_aside_and_rebuilt() {
    let mut site = Site::new();
    site.put_practice(30);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let before = site.records(&engine);
    drop(engine);
    let path = site.folder.path().join("state/state.redb");
    let whole = fs::read(&path).expect("the database");
    for (start, length) in [(0, 64), (4_096, 300), (36_864, 300), (44_000, 300), (69_632, 300)] {
        let mut damaged = whole.clone();
        damaged[start..start + length].fill(0xff);
        fs::write(&path, &damaged).expect("writes");
        let mut engine = site.engine();
        site.snapshot(&mut engine);
        assert_eq!(site.records(&engine), before, "damaged at {start}");
    }
}

#[test]
fn a_pack_lost_from_the_spool_is_made_good_from_the_source() {
    let mut site = Site::new();
    let practice = site.put_practice(12);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let pack = engine.history.newest().expect("a snapshot").manifest.packs[0].sha256;
    let key = lifeboat_format::ObjectKey::Pack(pack).to_string();
    fs::remove_file(site.folder.path().join("state/spool").join(key)).expect("removes");
    for (stem, bundle) in practice.changes(1, 0.3) {
        site.put_json(&format!("{stem}.json"), &bundle);
    }
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "snapshot"));
    assert_eq!(site.records(&engine).values().filter(|record| record["type"] == "document").count(), 12);
}
