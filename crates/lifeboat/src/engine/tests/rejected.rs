//! What builds on rows that a person rejected, and how a site begins again.

use super::{Acceptance, Engine, EngineSettings, NoProgress, Site, SnapshotReport, sequence};
use crate::engine::{Carry, EngineError, HostKey, HostKeys, Outcome, Ruling, Source, TableFeeds};
use jiff::SignedDuration;
use lifeboat_clinical::record::Windows;
use lifeboat_feeds::synth::{Order, Sink, emis, vision};
use lifeboat_feeds::{Format, Rules};
use lifeboat_format::{LookupKey, SigningKey};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENTS: usize = 40;

/// Writes an extract into a folder.
struct Folder(PathBuf);

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder"))?;
        Ok(Box::new(File::create(path)?))
    }
}

/// A site whose source is made of batches of tables.
struct Tables {
    site: Site,
    format: Format,
}

impl Tables {
    fn new(format: Format) -> Self {
        Self { site: Site::new(), format }
    }

    fn source(&self) -> PathBuf {
        self.site.folder.path().join("source")
    }

    fn engine(&self) -> Engine {
        let site = &self.site;
        let settings = EngineSettings {
            site: "A81001".parse().expect("a code"),
            site_name: "Test Surgery".into(),
            source: Source::Folder { path: self.source(), format: Some(self.format) },
            rules: Rules::default(),
            windows: Windows::default(),
            table_feeds: TableFeeds::new(crate::feeds::table_feeds()),
            stable_after: Duration::ZERO,
            state_dir: site.folder.path().join("state"),
            expected_within: Duration::from_secs(900),
            recipients: site.recipients.clone(),
            passphrase: None,
            passphrase_work_factor: 4,
            threads: Some(2),
        };
        let keys = HostKeys {
            signing: SigningKey::from_secret_text(&site.signing).expect("a key"),
            lookup: LookupKey::from_hex(&site.lookup).expect("a key"),
            host: HostKey::from_hex(&site.host).expect("a key"),
        };
        Engine::open(settings, keys).expect("an engine")
    }

    fn order() -> Order {
        Order { share: 0.2, ..Order::full(PATIENTS, 7, jiff::civil::date(2026, 11, 20)) }
    }

    /// Writes extract `delta` into the source.
    fn write(&self, delta: u32) {
        let (order, mut sink) = (Self::order().later(delta), Folder(self.source()));
        match self.format {
            Format::Vision => vision::write(&order, &mut sink),
            _ => emis::write(&order, &mut sink),
        }
        .expect("writes");
    }

    fn try_snapshot(
        &mut self,
        engine: &mut Engine,
        acceptance: &Acceptance,
    ) -> Result<SnapshotReport, EngineError> {
        self.site.now += SignedDuration::from_mins(5);
        engine.take_snapshot(self.site.now, acceptance, &NoProgress)
    }

    fn snapshot(&mut self, engine: &mut Engine) -> SnapshotReport {
        self.try_snapshot(engine, &Acceptance::ByGate).expect("a snapshot")
    }

    /// Writes a batch of Vision that deletes these patients, or puts them back with all that is theirs.
    fn write_patients(&self, day: u32, patients: std::ops::Range<usize>, action: &str) {
        let first = |row: &str| row.split(',').next().unwrap_or_default().to_owned();
        let read = |table: &str| {
            let path = self.find(&format!("_{table}_data_extract"));
            let text = fs::read_to_string(&path).expect("reads");
            (path, text.lines().map(str::to_owned).collect::<Vec<_>>())
        };
        let (_, all) = read("patient");
        let pids: Vec<String> =
            all.iter().skip(patients.start).take(patients.len()).map(|row| first(row)).collect();
        for table in ["patient", "journal", "encounter", "referral", "practice", "staff"] {
            let (path, rows) = read(table);
            let is_wanted = |row: &String| match table {
                "patient" => pids.contains(&first(row)),
                "journal" | "encounter" | "referral" => action != "D" && pids.contains(&first(row)),
                _ => false,
            };
            // The action is the last column of patients.
            let rows =
                rows.iter().filter(|row| is_wanted(row)).map(|row| match (table, row.rsplit_once(',')) {
                    ("patient", Some((rest, _))) => format!("{rest},{action}\n"),
                    _ => format!("{row}\n"),
                });
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let (kind, _) = name.split_once("_data_extract").expect("a name");
            let kind = kind.replacen("FULL", "INCREMENTAL", 1);
            let name = format!("{kind}_data_extract-2027-01-{day:02}-010000.csv");
            fs::write(self.source().join(name), rows.collect::<String>()).expect("writes");
        }
    }

    /// The first file whose name holds `part`.
    fn find(&self, part: &str) -> PathBuf {
        let mut all: Vec<PathBuf> = Vec::new();
        collect(&self.source(), &mut all);
        all.sort();
        let holds =
            |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(part));
        all.iter().find(holds).expect("such a file").clone()
    }

    fn decide(&mut self, engine: &mut Engine, how: Decide) {
        self.site.now += SignedDuration::from_mins(1);
        let ruling = Ruling::new("manager", "a sharing agreement was switched off").expect("a reason");
        match how {
            Decide::Reject => engine.reject(self.site.now, &ruling, Carry::Out),
            Decide::Release => engine.release(self.site.now, &ruling, Carry::Out),
        }
        .expect("decides");
    }
}

#[derive(Clone, Copy)]
enum Decide {
    Reject,
    Release,
}

fn collect(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("reads") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, all) } else { all.push(path) }
    }
}

fn codes(report: &SnapshotReport) -> Vec<&str> {
    report.held_reasons.iter().map(|reason| reason.code.as_str()).collect()
}

/// A Vision site with a snapshot that was held because a batch deleted a dozen patients, and rejected.
fn rejected() -> (Tables, Engine) {
    let mut site = Tables::new(Format::Vision);
    site.write(0);
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (1, "snapshot"));
    site.write_patients(1, 0..12, "D");
    let report = site.snapshot(&mut engine);
    assert_eq!((sequence(&report), codes(&report).contains(&"patients-lost")), ((2, "held"), true));
    site.decide(&mut engine, Decide::Reject);
    (site, engine)
}

#[test]
fn what_builds_on_rejected_rows_is_never_accepted_by_the_gate_alone() {
    let (mut site, engine) = rejected();
    drop(engine);
    // Most come back, so that the gate itself has nothing against it any more, and a restart forgets nothing.
    site.write_patients(2, 0..9, "A");
    let mut engine = site.engine();
    let report = site.snapshot(&mut engine);
    assert_eq!((sequence(&report), codes(&report)), ((3, "held"), vec!["built-on-rejected"]));
    site.write_patients(3, 9..10, "A");
    assert_eq!(codes(&site.snapshot(&mut engine)), ["built-on-rejected"]);
    // A person who looks at it may release it, and what follows is measured by that.
    site.decide(&mut engine, Decide::Release);
    site.write_patients(4, 10..11, "A");
    let report = site.snapshot(&mut engine);
    assert_eq!((sequence(&report).1, codes(&report)), ("snapshot", vec![]));
}

#[test]
fn rejected_rows_that_are_as_before_again_or_replaced_are_accepted_by_the_gate() {
    let (mut site, mut engine) = rejected();
    site.write_patients(2, 0..12, "A");
    let report = site.snapshot(&mut engine);
    assert_eq!((sequence(&report), codes(&report)), ((3, "snapshot"), vec![]), "{report:?}");
    site.write_patients(3, 0..1, "D");
    assert_eq!(sequence(&site.snapshot(&mut engine)), (4, "snapshot"));

    let (mut site, mut engine) = rejected();
    // The same extract again, under a later date.
    let mut files = Vec::new();
    collect(&site.source(), &mut files);
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if let Some((kind, _)) = name.split_once("_data_extract").filter(|(kind, _)| kind.starts_with("FULL"))
        {
            let later = format!("{kind}_data_extract-2027-01-09-010000.csv");
            fs::copy(&file, site.source().join(later)).expect("copies");
        }
    }
    let report = site.snapshot(&mut engine);
    assert_eq!((sequence(&report).1, codes(&report)), ("snapshot", vec![]));
    site.write_patients(10, 0..1, "D");
    assert_eq!(sequence(&site.snapshot(&mut engine)).1, "snapshot");
}

#[test]
fn a_site_begins_again_with_a_bulk_extract_when_a_person_says_so() {
    let mut site = Tables::new(Format::EmisWeb);
    site.write(0);
    let mut engine = site.engine();
    let first = site.snapshot(&mut engine);
    drop(engine);
    fs::remove_file(site.site.folder.path().join("state/rows.redb")).expect("removes");
    fs::remove_dir_all(site.source()).expect("removes");
    site.write(0);
    // The same extract under a later name: nobody can tell that it holds everything.
    let mut files = Vec::new();
    collect(&site.source(), &mut files);
    for file in &files {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let parts: Vec<&str> = name.split('_').collect();
        if let [process, schema, table, _, agreement] = parts[..] {
            let name = format!("{process}_{schema}_{table}_20270101000000_{agreement}");
            fs::rename(file, file.with_file_name(name)).expect("renames");
        } else {
            fs::remove_file(file).expect("removes");
        }
    }
    let mut engine = site.engine();
    let lost = site.try_snapshot(&mut engine, &Acceptance::ByGate);
    assert!(matches!(lost, Err(EngineError::RowsLost { .. })), "{lost:?}");
    let person = Acceptance::ByPerson { reason: "begun again".to_owned() };
    let again = site.try_snapshot(&mut engine, &person).expect("a snapshot");
    assert_eq!(again.patients, first.patients);
}

#[test]
fn lost_rows_are_not_made_again_when_a_batch_in_between_is_missing() {
    let mut site = Tables::new(Format::Vision);
    site.write(0);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    site.write_patients(1, 0..1, "D");
    site.snapshot(&mut engine);
    site.write_patients(2, 1..2, "D");
    site.snapshot(&mut engine);
    drop(engine);
    let state = site.site.folder.path().join("state/rows.redb");
    let mut files = Vec::new();
    collect(&site.source(), &mut files);
    let aside = site.site.folder.path().join("aside");
    fs::create_dir(&aside).expect("a folder");
    files.retain(|file| file.to_string_lossy().contains("2027-01-01"));
    let beside = |file: &PathBuf| aside.join(file.file_name().expect("a name"));
    files.iter().for_each(|file| fs::rename(file, beside(file)).expect("moves"));
    fs::remove_file(&state).expect("removes");
    let mut engine = site.engine();
    let lost = site.try_snapshot(&mut engine, &Acceptance::ByGate);
    assert!(matches!(lost, Err(EngineError::RowsLost { .. })), "{lost:?}");
    files.iter().for_each(|file| fs::rename(beside(file), file).expect("moves"));
    let report = site.snapshot(&mut engine);
    assert!(matches!(report.outcome, Outcome::Heartbeat { held: false, .. }), "{:?}", report.outcome);
}

#[test]
fn changes_with_a_table_that_is_not_understood_wait_whole() {
    let mut site = Tables::new(Format::EmisWeb);
    site.write(0);
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let mut before = Vec::new();
    collect(&site.source(), &mut before);
    site.write(1);
    let mut all = Vec::new();
    collect(&site.source(), &mut all);
    let observations = all
        .into_iter()
        .find(|path| !before.contains(path) && path.to_string_lossy().contains("CareRecord_Observation_"))
        .expect("a table");
    let text = fs::read_to_string(&observations).expect("reads");
    fs::write(&observations, text.replacen("CodeId", "CodeNumber", 1)).expect("writes");
    let waits = site.try_snapshot(&mut engine, &Acceptance::ByGate);
    assert!(
        matches!(&waits, Err(EngineError::Batch { reason, .. }) if reason.contains("CodeId")),
        "{waits:?}"
    );
    fs::write(&observations, text).expect("writes");
    let report = site.snapshot(&mut engine);
    assert!(report.changed > 0, "{report:?}");
}
