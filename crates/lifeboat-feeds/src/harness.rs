//! For tests of table feeds: files in memory, rows kept as the engine keeps them, and records made of them.

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
use crate::feed::{Mapped, Mapping, TableFeed, table};
use crate::rows::{RowChange, Unit, UnitRows};
use crate::rules::Rules;
use crate::synth::{Order, Sink};
use crate::table::{TableLimits, TableReader};

pub(crate) const TODAY: Date = date(2026, 11, 21);

/// Writes a made-up extract.
pub(crate) type Writer = fn(&Order, &mut dyn Sink) -> io::Result<()>;

/// Files in memory.
#[derive(Clone, Default)]
pub(crate) struct Folder(pub(crate) Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

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
    /// Returns the extract that a writer makes of an order.
    pub(crate) fn of(order: &Order, write: Writer) -> Self {
        let mut folder = Self::default();
        write(order, &mut folder).expect("memory takes everything");
        folder
    }

    pub(crate) fn facts(&self) -> Vec<FileFacts> {
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
pub(crate) struct Store {
    pub(crate) feed: &'static dyn TableFeed,
    pub(crate) patients: BTreeMap<String, UnitRows>,
    pub(crate) days: BTreeMap<Date, UnitRows>,
    pub(crate) shared: UnitRows,
    pub(crate) supplied: BTreeSet<String>,
    pub(crate) rules: Rules,
    places: HashMap<(&'static str, String), Unit>,
    /// The precedence with which rows of the batch in hand were last touched.
    touched: HashMap<(&'static str, String), u64>,
}

impl Store {
    /// Returns a store of a feed's rows, with none in it.
    pub(crate) fn new(feed: &'static dyn TableFeed) -> Self {
        Self {
            feed,
            patients: BTreeMap::new(),
            days: BTreeMap::new(),
            shared: UnitRows::default(),
            supplied: BTreeSet::new(),
            rules: Rules::default(),
            places: HashMap::new(),
            touched: HashMap::new(),
        }
    }

    /// Applies every batch of a folder.
    pub(crate) fn apply(&mut self, folder: &Folder) {
        for batch in self.feed.batches(&folder.facts(), folder) {
            assert_eq!(batch.refused, None, "{}", batch.name);
            self.touched.clear();
            for member in &batch.tables {
                let bytes = folder.0.borrow().values().nth(member.file).cloned().expect("it was listed");
                self.apply_table(member.table, &bytes);
            }
        }
    }

    /// Applies the bytes of one table; returns how many rows could not be used.
    pub(crate) fn apply_table(&mut self, name: &str, bytes: &[u8]) -> usize {
        let spec = table(self.feed, name).expect("a table of the feed");
        let reader = TableReader::open(bytes, spec, self.feed.dialect(spec), TableLimits::default());
        let mut bad = 0;
        for row in reader.expect("a whole header") {
            let values = row.expect("a whole row");
            let precedence = self.feed.precedence(spec, &values);
            match self.feed.change(spec, values) {
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
                let spec = table(self.feed, name).expect("a table of the feed");
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

    pub(crate) fn patient(&self, guid: &str) -> Mapped {
        self.feed.patient(&self.patients[guid], &self.mapping())
    }

    pub(crate) fn day(&self, day: Date) -> Mapped {
        self.feed.day(day, &self.days[&day], &self.mapping())
    }

    /// Returns the document of a patient.
    pub(crate) fn document(&self, guid: &str) -> Value {
        serde_json::from_slice(&self.patient(guid).document.expect("a document")).expect("JSON")
    }

    /// Returns the resources of a type of a patient's document.
    pub(crate) fn resources(&self, guid: &str, kind: &str) -> Vec<Value> {
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
pub(crate) fn record(document: &[u8]) -> PatientRecord {
    let profile =
        FeedProfile { supplied: outline(document).expect("a document").types, ..FeedProfile::default() };
    let pieces = split(document, &DayWindow { first: TODAY, last: TODAY }).expect("a document");
    build_patient_record(pieces, &SharedResources::default(), &profile, TODAY)
}
