//! What keeps rows as the engine does, and makes records of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::rc::Rc;

use jiff::civil::{Date, date};
use lifeboat_clinical::{
    DayWindow, FeedProfile, PatientRecord, SharedResources, build_patient_record, outline, split,
};
use serde_json::Value;

use crate::batch::{FileFacts, ReadHead};
use crate::emis::FEED;
use crate::feed::{Mapped, Mapping, TableFeed, table};
use crate::rows::{RowChange, Unit, UnitRows};
use crate::rules::Rules;
use crate::synth::{Order, Sink};
use crate::table::{TableLimits, TableReader};

pub(super) const TODAY: Date = date(2026, 11, 21);

/// Files in memory.
#[derive(Clone, Default)]
pub(super) struct Folder(pub(super) Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

struct OpenFile(Folder, String);

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.borrow_mut().entry(self.1.clone()).or_default().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        self.0.borrow_mut().insert(path.to_owned(), Vec::new());
        Ok(Box::new(OpenFile(self.clone(), path.to_owned())))
    }
}

impl Folder {
    /// Returns the extract of an order.
    pub(super) fn of(order: &Order) -> Self {
        let mut folder = Self::default();
        crate::synth::emis::write(order, &mut folder).expect("memory takes everything");
        folder
    }

    pub(super) fn facts(&self) -> Vec<FileFacts> {
        let files = self.0.borrow();
        files
            .iter()
            .map(|(path, bytes)| FileFacts { path: path.clone(), bytes: bytes.len() as u64 })
            .collect()
    }
}

impl ReadHead for Folder {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        let files = self.0.borrow();
        let bytes = files.values().nth(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(bytes_max)].to_vec())
    }
}

/// Rows by owner.
#[derive(Default)]
pub(super) struct Store {
    pub(super) patients: BTreeMap<String, UnitRows>,
    pub(super) days: BTreeMap<Date, UnitRows>,
    pub(super) shared: UnitRows,
    pub(super) supplied: BTreeSet<String>,
    pub(super) rules: Rules,
    places: HashMap<(&'static str, String), Unit>,
    /// The precedence with which rows of the batch in hand were last touched.
    touched: HashMap<(&'static str, String), u64>,
}

impl Store {
    /// Applies every batch of a folder.
    pub(super) fn apply(&mut self, folder: &Folder) {
        for batch in FEED.batches(&folder.facts(), folder) {
            assert_eq!(batch.refused, None, "{}", batch.name);
            self.touched.clear();
            for member in &batch.tables {
                let bytes = folder.0.borrow().values().nth(member.file).cloned().expect("it was listed");
                self.apply_table(member.table, &bytes);
            }
        }
    }

    /// Applies the bytes of one table; returns how many rows could not be used.
    pub(super) fn apply_table(&mut self, name: &str, bytes: &[u8]) -> usize {
        let spec = table(&FEED, name).expect("a table of the feed");
        let reader = TableReader::open(bytes, spec, FEED.dialect(spec), TableLimits::default());
        let mut bad = 0;
        for row in reader.expect("a whole header") {
            let values = row.expect("a whole row");
            let precedence = FEED.precedence(spec, &values);
            match FEED.change(spec, values) {
                Ok(change) => self.change(change, precedence),
                Err(_) => bad += 1,
            }
        }
        self.supplied.insert(name.to_owned());
        bad
    }

    fn is_newest(&mut self, table: &'static str, key: &str, precedence: u64) -> bool {
        let known = self.touched.entry((table, key.to_owned())).or_default();
        let newest = precedence >= *known;
        *known = precedence.max(*known);
        newest
    }

    fn change(&mut self, change: RowChange, precedence: u64) {
        match change {
            RowChange::Put { unit, table: name, key, values } => {
                if !self.is_newest(name, &key, precedence) {
                    return;
                }
                if let Some(old) = self.places.insert((name, key.clone()), unit.clone())
                    && old != unit
                {
                    self.rows(&old).remove(name, &key);
                }
                let spec = table(&FEED, name).expect("a table of the feed");
                self.rows(&unit).put(spec, &key, values);
            }
            RowChange::Remove { table, key, .. } => {
                if !self.is_newest(table, &key, precedence) {
                    return;
                }
                if let Some(old) = self.places.remove(&(table, key.clone())) {
                    self.rows(&old).remove(table, &key);
                }
            }
            RowChange::RemovePatient { patient } => {
                self.patients.remove(&patient);
            }
            RowChange::Ignore => {}
        }
    }

    fn rows(&mut self, unit: &Unit) -> &mut UnitRows {
        match unit {
            Unit::Patient(guid) => self.patients.entry(guid.clone()).or_default(),
            Unit::Day(day) => self.days.entry(*day).or_default(),
            Unit::Shared => &mut self.shared,
        }
    }

    fn mapping(&self) -> Mapping<'_> {
        Mapping { rules: &self.rules, shared: &self.shared, supplied: &self.supplied }
    }

    pub(super) fn patient(&self, guid: &str) -> Mapped {
        FEED.patient(&self.patients[guid], &self.mapping())
    }

    pub(super) fn day(&self, day: Date) -> Mapped {
        FEED.day(day, &self.days[&day], &self.mapping())
    }

    /// Returns the document of a patient.
    pub(super) fn document(&self, guid: &str) -> Value {
        serde_json::from_slice(&self.patient(guid).document.expect("a document")).expect("JSON")
    }

    /// Returns the resources of a type of a patient's document.
    pub(super) fn resources(&self, guid: &str, kind: &str) -> Vec<Value> {
        let document = self.document(guid);
        let entries = document["entry"].as_array().expect("entries");
        entries
            .iter()
            .map(|entry| entry["resource"].clone())
            .filter(|one| one["resourceType"] == kind)
            .collect()
    }
}

/// Builds the record of a document about one patient.
pub(super) fn record(document: &[u8]) -> PatientRecord {
    let profile = FeedProfile { supplied: outline(document).expect("a document").types, ..FeedProfile::default() };
    let pieces = split(document, &DayWindow { first: TODAY, last: TODAY }).expect("a document");
    build_patient_record(pieces, &SharedResources::default(), &profile, TODAY)
}

/// Returns a store whose only patient is `p1`, with the rows given as `(table, CSV)`; the first line names columns.
pub(super) fn store_of(tables: &[(&str, &str)]) -> Store {
    let mut store = Store::default();
    let patient = "PatientGuid,Sex,DateOfBirth,DateOfDeath,GivenName,Surname,NhsNumber,PatientTypeDescription,DummyType,\
                   DateOfDeactivation,Deleted,SpineSensitive,IsConfidential\r\n\
                   P1,F,1970-02-03,,Ann,Other,9990000018,Regular,false,,false,false,false\r\n";
    if !tables.iter().any(|(name, _)| *name == "Admin_Patient") {
        store.apply_table("Admin_Patient", patient.as_bytes());
    }
    for (name, csv) in tables {
        store.apply_table(name, whole(name, csv).as_bytes());
    }
    store
}

/// Adds the columns that a table needs and a test leaves out, all empty.
fn whole(name: &str, csv: &str) -> String {
    let spec = table(&FEED, name).expect("a table of the feed");
    let (header, rows) = csv.split_once('\n').expect("a header and rows");
    let delimiter = char::from(FEED.dialect(spec).delimiter);
    let named: Vec<&str> = header.trim().split(delimiter).collect();
    let is_named = |name: &str, aliases: &[&str]| {
        named.contains(&name) || aliases.iter().any(|alias| named.contains(alias))
    };
    let left_out: Vec<&str> = spec
        .columns
        .iter()
        .filter(|column| column.required && !is_named(column.name, column.aliases))
        .map(|column| column.name)
        .collect();
    let more = |value: &str| delimiter.to_string() + value;
    let mut csv =
        header.trim().to_owned() + &left_out.iter().map(|name| more(name)).collect::<String>() + "\r\n";
    for row in rows.lines().filter(|row| !row.trim().is_empty()) {
        csv += row.trim_end_matches('\r');
        csv += &left_out.iter().map(|_| more("")).collect::<String>();
        csv += "\r\n";
    }
    csv
}
