//! Rows and files of the extract.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use lifeboat_clinical::date::london;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::FileNames;
use crate::emis::FEED;
use crate::feed::{self, TableFeed};
use crate::spec::TableSpec;
use crate::synth::{RowSet, Sink, csv_row};
use crate::table::Quotes;

/// How many rows an extract has at most, so that the next one's numbers are greater.
const ROWS_MAX: u64 = 10_000_000_000;

/// A row in the making.
pub(super) struct Row {
    spec: &'static TableSpec,
    fields: Vec<String>,
}

impl Row {
    /// Begins a row of a table.
    pub(super) fn of(table: &str) -> Self {
        let spec = feed::table(&FEED, table).expect("the feed has every table that is written");
        let mut row = Self { spec, fields: vec![String::new(); spec.columns.len()] };
        for column in ["Deleted", "IsConfidential"] {
            if let Some(at) = spec.column(column) {
                row.fields[at] = "false".to_owned();
            }
        }
        row
    }

    /// Sets a field.
    pub(super) fn set(mut self, column: &str, value: impl Into<String>) -> Self {
        let at = self.spec.column(column).expect("the table has every column that is written");
        self.fields[at] = value.into();
        self
    }

    /// Puts the row into a set, under the columns that name it.
    pub(super) fn put(self, rows: &mut RowSet) {
        let field = |column: &&str| self.spec.column(column).map(|at| self.fields[at].as_str());
        let key: Vec<&str> = self.spec.key.iter().filter_map(field).collect();
        rows.put(self.spec.name, key.join("|"), self.fields);
    }
}

/// The files of an extract, open for writing.
pub(super) struct Files {
    files: BTreeMap<&'static str, BufWriter<Box<dyn Write>>>,
    /// The number of the row that is written next.
    processing_id: u64,
}

impl Files {
    /// Opens all files and writes their headers.
    pub(super) fn open(sink: &mut dyn Sink, names: &FileNames, delta: u32) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for spec in FEED.tables() {
            let mut file = BufWriter::new(sink.file(&names.path(spec.name))?);
            let header: Vec<String> = spec.columns.iter().map(|column| column.name.to_owned()).collect();
            file.write_all(line(spec, &header).as_bytes())?;
            files.insert(spec.name, file);
        }
        Ok(Self { files, processing_id: u64::from(delta) * ROWS_MAX + 1 })
    }

    /// Writes every row.
    pub(super) fn write_all(&mut self, rows: &RowSet) -> io::Result<()> {
        rows.iter().try_for_each(|(table, _, fields)| self.write(table, fields.to_vec()))
    }

    /// Writes what differs from an earlier set; rows that are gone are marked as deleted.
    pub(super) fn write_changes(&mut self, rows: &RowSet, before: &RowSet) -> io::Result<()> {
        for (table, _, fields) in rows.changed_since(before) {
            self.write(table, fields.to_vec())?;
        }
        for (table, _, fields) in rows.gone_since(before) {
            let spec = feed::table(&FEED, table).expect("the feed has every table that is written");
            let Some(deleted) = spec.column("Deleted") else {
                continue;
            };
            let is_key = |at: usize| spec.key.contains(&spec.columns[at].name);
            let mut kept: Vec<String> = fields
                .iter()
                .enumerate()
                .map(|(at, field)| if is_key(at) { field.clone() } else { String::new() })
                .collect();
            kept[deleted] = "true".to_owned();
            self.write(table, kept)?;
        }
        Ok(())
    }

    fn write(&mut self, table: &'static str, mut fields: Vec<String>) -> io::Result<()> {
        let spec = feed::table(&FEED, table).expect("the feed has every table that is written");
        if let Some(at) = spec.column("ProcessingId") {
            fields[at] = self.processing_id.to_string();
            self.processing_id += 1;
        }
        match self.files.get_mut(table) {
            Some(file) => file.write_all(line(spec, &fields).as_bytes()),
            None => Ok(()),
        }
    }

    /// Writes what is left in memory.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.files.values_mut().try_for_each(BufWriter::flush)
    }
}

fn line(spec: &TableSpec, fields: &[String]) -> String {
    let dialect = FEED.dialect(spec);
    match dialect.quotes {
        Quotes::Allowed => csv_row(fields.iter().map(String::as_str)),
        Quotes::Literal => {
            let plain: Vec<String> =
                fields.iter().map(|field| field.replace(['\t', '\r', '\n'], " ")).collect();
            plain.join(&char::from(dialect.delimiter).to_string()) + "\r\n"
        }
    }
}

/// Returns the GUID that a text stands for: itself if it is one, else one that is made of it.
pub(super) fn guid(text: &str) -> String {
    let is_guid = text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_guid {
        return text.to_ascii_uppercase();
    }
    let hash = Sha256::digest(text.as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02X}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Returns the GUID of what a reference names.
pub(super) fn referred(reference: &Value) -> String {
    let text = reference["reference"].as_str().unwrap_or_default();
    text.rsplit_once('/').map(|(_, id)| guid(id)).unwrap_or_default()
}

/// Returns a text member.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a number as it is written.
pub(super) fn number(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Returns the date of a FHIR date or time on the practice's clock, and how exact it is.
pub(super) fn date_and_precision(fhir: &str) -> (String, &'static str) {
    match fhir.len() {
        0 => (String::new(), ""),
        4 => (format!("{fhir}-01-01"), "Y"),
        7 => (format!("{fhir}-01"), "YM"),
        10 => (fhir.to_owned(), "YMD"),
        _ => (local(fhir).0, "YMDT"),
    }
}

/// Returns date and time of a FHIR instant on the practice's clock.
pub(super) fn local(fhir: &str) -> (String, String) {
    match fhir.parse::<Timestamp>() {
        Ok(instant) => {
            let local = instant.to_zoned(london());
            (local.date().to_string(), local.strftime("%H:%M:%S").to_string())
        }
        Err(_) => (fhir.get(..10).unwrap_or(fhir).to_owned(), String::new()),
    }
}
