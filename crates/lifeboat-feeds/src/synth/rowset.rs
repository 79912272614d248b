//! Rows of a made-up extract, and what changed between two of them.

use std::collections::BTreeMap;

/// Rows by table and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSet {
    rows: BTreeMap<(&'static str, String), Vec<String>>,
}

impl RowSet {
    /// Puts a row in.
    pub fn put(&mut self, table: &'static str, key: impl Into<String>, fields: Vec<String>) {
        self.rows.insert((table, key.into()), fields);
    }

    /// Returns all rows: table, key, fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &[String])> {
        self.rows.iter().map(|((table, key), fields)| (*table, key.as_str(), fields.as_slice()))
    }

    /// Returns the rows that are new or differ from `before`.
    pub fn changed_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'static str, &'a str, &'a [String])> {
        self.rows
            .iter()
            .filter(|(key, fields)| before.rows.get(*key) != Some(*fields))
            .map(|((table, key), fields)| (*table, key.as_str(), fields.as_slice()))
    }

    /// Returns the rows of `before` that are gone.
    pub fn gone_since<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'static str, &'a str, &'a [String])> {
        before
            .rows
            .iter()
            .filter(|(key, _)| !self.rows.contains_key(*key))
            .map(|((table, key), fields)| (*table, key.as_str(), fields.as_slice()))
    }
}

/// Returns a CSV row: fields that need it quoted, quotes doubled, CR LF at the end.
pub fn csv_row<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut row = String::new();
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            row.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) {
            row.push('"');
            row.push_str(&field.replace('"', "\"\""));
            row.push('"');
        } else {
            row.push_str(field);
        }
    }
    row.push_str("\r\n");
    row
}
