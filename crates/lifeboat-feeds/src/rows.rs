//! Rows of a table feed: what changes them, who owns them, and how all rows of one owner are kept together.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::spec::TableSpec;

/// The values of one row, in the order of the table's columns; an empty field is `None`.
pub type Values = Box<[Option<Box<str>>]>;

/// Who owns a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A patient, by the name that the feed's tables use, for instance a GUID.
    Patient(String),
    /// A day of the appointment book.
    Day(Date),
    /// Everybody: the row is looked up by others.
    Shared,
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patient(_) => f.write_str("Patient(..)"),
            Self::Day(day) => write!(f, "Day({day})"),
            Self::Shared => f.write_str("Shared"),
        }
    }
}

/// What one row of a batch does to the rows that are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum RowChange {
    /// Puts a row in the place of the one of the same table and key, whoever owned that.
    Put {
        /// Who owns it.
        unit: Unit,
        /// The table's name.
        table: &'static str,
        /// The row's key within the table.
        key: String,
        /// Its values.
        values: Values,
    },
    /// Removes the row of this table and key, if it is kept.
    Remove {
        /// Who owns it, where the batch says so.
        unit: Option<Unit>,
        /// The table's name.
        table: &'static str,
        /// The row's key within the table.
        key: String,
    },
    /// Removes a patient and every row of theirs.
    RemovePatient {
        /// The patient.
        patient: String,
    },
    /// The row is known and not kept.
    Ignore,
}

impl fmt::Debug for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { table, .. } => write!(f, "Put({table})"),
            Self::Remove { table, .. } => write!(f, "Remove({table})"),
            Self::RemovePatient { .. } => f.write_str("RemovePatient"),
            Self::Ignore => f.write_str("Ignore"),
        }
    }
}

/// All rows of one owner, by table and key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UnitRows {
    tables: BTreeMap<Box<str>, KeptTable>,
}

#[derive(Clone, PartialEq, Eq)]
struct KeptTable {
    /// The names of the columns under which rows are kept.
    columns: Box<[Box<str>]>,
    rows: BTreeMap<Box<str>, Values>,
}

/// One row, read by the names of its columns.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    columns: &'a [Box<str>],
    key: &'a str,
    values: &'a [Option<Box<str>>],
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowRef(..)")
    }
}

impl fmt::Debug for UnitRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitRows").field("rows", &self.len()).finish_non_exhaustive()
    }
}

impl<'a> RowRef<'a> {
    /// Returns the row's key.
    pub fn key(self) -> &'a str {
        self.key
    }

    /// Returns the text in a column, without the space around it; `None` when it is empty or not there.
    pub fn text(self, column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|name| name.as_ref() == column)?;
        let text = self.values.get(at)?.as_deref()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Says whether a column holds a word for yes: `true`, `1`, `Y` or `Yes`.
    pub fn is_true(self, column: &str) -> bool {
        self.text(column)
            .is_some_and(|text| ["true", "1", "y", "yes"].iter().any(|yes| text.eq_ignore_ascii_case(yes)))
    }
}

impl UnitRows {
    /// Puts a row in; returns whether that changed anything.
    pub fn put(&mut self, spec: &TableSpec, key: &str, values: Values) -> bool {
        let is_current = |table: &KeptTable| {
            table.columns.len() == spec.columns.len()
                && table.columns.iter().zip(spec.columns).all(|(kept, column)| kept.as_ref() == column.name)
        };
        let table = self.tables.entry(spec.name.into()).or_insert_with(|| KeptTable::of(spec));
        if !is_current(table) {
            table.widen(spec);
        }
        match table.rows.get_mut(key) {
            Some(kept) if *kept == values => false,
            Some(kept) => {
                *kept = values;
                true
            }
            None => {
                table.rows.insert(key.into(), values);
                true
            }
        }
    }

    /// Takes a row out; returns whether it was there.
    pub fn remove(&mut self, table: &str, key: &str) -> bool {
        let Some(kept) = self.tables.get_mut(table) else {
            return false;
        };
        let was_there = kept.rows.remove(key).is_some();
        if kept.rows.is_empty() {
            self.tables.remove(table);
        }
        was_there
    }

    /// Returns one row.
    pub fn row(&self, table: &str, key: &str) -> Option<RowRef<'_>> {
        let kept = self.tables.get(table)?;
        let (key, values) = kept.rows.get_key_value(key)?;
        Some(RowRef { columns: &kept.columns, key, values })
    }

    /// Returns the rows of a table, by key.
    pub fn rows<'a>(&'a self, table: &str) -> impl Iterator<Item = RowRef<'a>> + use<'a> {
        self.tables.get(table).into_iter().flat_map(|kept| {
            kept.rows.iter().map(|(key, values)| RowRef { columns: &kept.columns, key, values })
        })
    }

    /// Returns every row with its table.
    pub fn all(&self) -> impl Iterator<Item = (&str, RowRef<'_>)> {
        self.tables.iter().flat_map(|(name, kept)| {
            kept.rows
                .iter()
                .map(|(key, values)| (name.as_ref(), RowRef { columns: &kept.columns, key, values }))
        })
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.tables.values().map(|table| table.rows.len()).sum()
    }

    /// Says whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

impl UnitRows {
    /// Writes the rows as bytes that [`UnitRows::decode`] reads: counts and lengths as variable-length numbers.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::put_number(&mut bytes, self.tables.len());
        for (name, table) in &self.tables {
            codec::put_text(&mut bytes, name);
            codec::put_number(&mut bytes, table.columns.len());
            table.columns.iter().for_each(|column| codec::put_text(&mut bytes, column));
            codec::put_number(&mut bytes, table.rows.len());
            for (key, values) in &table.rows {
                codec::put_text(&mut bytes, key);
                values.iter().for_each(|value| codec::put_optional(&mut bytes, value.as_deref()));
            }
        }
        bytes
    }

    /// Reads what [`UnitRows::encode`] wrote; `None` for anything else.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let mut unit = Self::default();
        for _ in 0..codec::take_number(bytes)? {
            let name = codec::take_text(bytes)?;
            let width = codec::take_number(bytes)?;
            let columns: Option<Vec<Box<str>>> =
                (0..width).map(|_| codec::take_text(bytes).map(Box::from)).collect();
            let mut rows = BTreeMap::new();
            for _ in 0..codec::take_number(bytes)? {
                let key = codec::take_text(bytes)?;
                let values: Option<Vec<Option<Box<str>>>> = (0..width)
                    .map(|_| codec::take_optional(bytes).map(|value| value.map(Box::from)))
                    .collect();
                rows.insert(key.into(), values?.into());
            }
            unit.tables.insert(name.into(), KeptTable { columns: columns?.into(), rows });
        }
        bytes.is_empty().then_some(unit)
    }
}

/// Numbers and texts as bytes.
pub mod codec {
    /// Writes a number, seven bits to a byte, the lowest first.
    pub fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
        while number >= 0x80 {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    }

    /// Reads what [`put_number`] wrote, up to 56 bits.
    pub fn take_number(bytes: &mut &[u8]) -> Option<usize> {
        let mut number = 0;
        for shift in (0..56).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Writes a text after its length.
    pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
        put_number(bytes, text.len());
        bytes.extend_from_slice(text.as_bytes());
    }

    /// Reads what [`put_text`] wrote.
    pub fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
        let length = take_number(bytes)?;
        take(bytes, length)
    }

    /// Writes a text that may be absent: its length and one, or zero.
    pub fn put_optional(bytes: &mut Vec<u8>, text: Option<&str>) {
        match text {
            None => bytes.push(0),
            Some(text) => {
                put_number(bytes, text.len() + 1);
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Reads what [`put_optional`] wrote.
    pub fn take_optional<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a str>> {
        match take_number(bytes)? {
            0 => Some(None),
            length => take(bytes, length - 1).map(Some),
        }
    }

    fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a str> {
        let (text, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        std::str::from_utf8(text).ok()
    }
}

impl KeptTable {
    fn of(spec: &TableSpec) -> Self {
        Self {
            columns: spec.columns.iter().map(|column| Box::from(column.name)).collect(),
            rows: BTreeMap::new(),
        }
    }

    /// Brings rows that an earlier version kept to the columns of today.
    fn widen(&mut self, spec: &TableSpec) {
        let mut widened = Self::of(spec);
        let places: Vec<Option<usize>> =
            widened.columns.iter().map(|name| self.columns.iter().position(|kept| kept == name)).collect();
        for (key, values) in std::mem::take(&mut self.rows) {
            let values = places.iter().map(|place| values.get((*place)?)?.clone()).collect();
            widened.rows.insert(key, values);
        }
        *self = widened;
    }
}

/// Finds rows of shared tables.
pub trait LookUp {
    /// Returns the row of a shared table by its key.
    fn row(&self, table: &str, key: &str) -> Option<RowRef<'_>>;

    /// Returns the rows of a shared table whose keys begin with `beginning`, by key.
    fn rows_beginning<'a>(&'a self, table: &str, beginning: &str) -> Vec<RowRef<'a>>;

    /// Returns every row of a shared table, by key; a feed that has documents of its shared rows needs it.
    fn rows_of(&self, table: &str) -> Vec<RowRef<'_>> {
        self.rows_beginning(table, "")
    }
}

/// Shared rows held in memory are looked up by table and key.
impl LookUp for UnitRows {
    fn row(&self, table: &str, key: &str) -> Option<RowRef<'_>> {
        UnitRows::row(self, table, key)
    }

    fn rows_beginning<'a>(&'a self, table: &str, beginning: &str) -> Vec<RowRef<'a>> {
        let Some(kept) = self.tables.get(table) else {
            return Vec::new();
        };
        let from = (std::ops::Bound::Included(beginning), std::ops::Bound::Unbounded);
        let rows = kept.rows.range::<str, _>(from).take_while(|(key, _)| key.starts_with(beginning));
        rows.map(|(key, values)| RowRef { columns: &kept.columns, key, values }).collect()
    }
}

/// Where changes of rows go, and how far they have come.
pub trait RowSink {
    /// Why a change cannot be kept.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes a change; it counts from the next commit on.
    fn change(&mut self, change: RowChange) -> Result<(), Self::Error>;

    /// Keeps everything that was taken since the last commit, together with the place reached, or nothing of it.
    fn commit(&mut self, cursor: &[u8]) -> Result<(), Self::Error>;

    /// Returns the place of the last commit.
    fn cursor(&mut self) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// A sink that can say which rows it keeps, for comparing them with a source that lists its own.
pub trait RowKeys: RowSink {
    /// Returns the keys of a table's rows that begin with `prefix`, whoever owns them, in any order; rows taken since the
    /// last commit are among them.
    fn keys(&mut self, table: &'static str, prefix: &str) -> Result<Vec<String>, Self::Error>;
}

#[cfg(test)]
mod tests {
    use super::{LookUp, UnitRows, Values};
    use crate::spec::{ColumnSpec, Place, TableSpec};

    const SPEC: TableSpec = TableSpec {
        name: "T",
        columns: &[ColumnSpec::required("Id"), ColumnSpec::optional("Text")],
        key: &["Id"],
        place: Place::Shared,
        sections: &[],
    };

    fn values(id: &str, text: &str) -> Values {
        [Some(id.into()), (!text.is_empty()).then(|| text.into())].into()
    }

    #[test]
    fn a_row_replaces_the_one_of_the_same_key() {
        let mut rows = UnitRows::default();
        assert!(rows.put(&SPEC, "1", values("1", " a ")));
        assert!(!rows.put(&SPEC, "1", values("1", " a ")));
        assert!(rows.put(&SPEC, "1", values("1", "true")));
        let row = rows.row("T", "1").expect("it is there");
        assert_eq!(row.text("Text"), Some("true"));
        assert!(row.is_true("Text"));
        assert_eq!(row.text("Other"), None);
        assert_eq!(rows.rows("T").count(), 1);
        assert_eq!(UnitRows::decode(&rows.encode()), Some(rows.clone()));
        assert_eq!(UnitRows::decode(&rows.encode()[1..]), None);
        assert!(rows.remove("T", "1"));
        assert!(rows.is_empty());
    }

    #[test]
    fn shared_rows_are_found_by_the_beginning_of_their_keys() {
        let mut rows = UnitRows::default();
        for key in ["a|1", "a|2", "aa|1", "b|1"] {
            rows.put(&SPEC, key, values(key, ""));
        }
        let keys = |beginning| -> Vec<&str> {
            rows.rows_beginning("T", beginning).into_iter().map(super::RowRef::key).collect()
        };
        assert_eq!(keys("a|"), ["a|1", "a|2"]);
        assert_eq!(keys("c|"), [""; 0]);
        assert!(rows.rows_beginning("Other", "a|").is_empty());
    }

    #[test]
    fn rows_of_an_earlier_version_gain_the_columns_of_today() {
        const OLD: TableSpec =
            TableSpec { columns: &[ColumnSpec::required("Text"), ColumnSpec::optional("Gone")], ..SPEC };
        let mut rows = UnitRows::default();
        rows.put(&OLD, "1", [Some("a".into()), Some("x".into())].into());
        rows.put(&SPEC, "2", values("2", "b"));
        let row = rows.row("T", "1").expect("it is there");
        assert_eq!((row.text("Id"), row.text("Text"), row.text("Gone")), (None, Some("a"), None));
    }
}
