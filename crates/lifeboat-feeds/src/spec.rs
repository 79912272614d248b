//! What is known of a feed's tables: names, columns, keys, and whose rows they hold.

use lifeboat_clinical::SectionId;

/// One table of a feed.
#[derive(Debug)]
pub struct TableSpec {
    /// The table's name, as its files carry it, for instance `CareRecord_Observation`.
    pub name: &'static str,
    /// Its columns, in the order in which rows are kept.
    pub columns: &'static [ColumnSpec],
    /// The columns that together name a row.
    pub key: &'static [&'static str],
    /// Whose rows the table holds.
    pub place: Place,
    /// Sections that nobody can be said to have "none recorded" in while the table is missing.
    pub sections: &'static [SectionId],
}

/// One column of a table.
#[derive(Debug)]
pub struct ColumnSpec {
    /// The name under which the column is kept.
    pub name: &'static str,
    /// Other spellings that some versions use.
    pub aliases: &'static [&'static str],
    /// Whether the table can be read without it.
    pub required: bool,
    /// The shared table in which the column's value names a row.
    pub looks_up: Option<&'static str>,
}

impl ColumnSpec {
    /// Returns a column without which the table cannot be read.
    pub const fn required(name: &'static str) -> Self {
        Self { name, aliases: &[], required: true, looks_up: None }
    }

    /// Returns a column that some versions lack.
    pub const fn optional(name: &'static str) -> Self {
        Self { name, aliases: &[], required: false, looks_up: None }
    }

    /// Adds other spellings.
    #[must_use]
    pub const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Says that the value names a row of the shared table `table`.
    #[must_use]
    pub const fn in_table(self, table: &'static str) -> Self {
        Self { looks_up: Some(table), ..self }
    }
}

/// Whose rows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One patient's each; the patient is named in this column.
    Patient(&'static str),
    /// One day's each (appointments); the feed finds the day.
    Day,
    /// Anybody's: codes, staff, places, that other rows look up.
    Shared,
    /// Nobody's: known, and not kept.
    NotKept,
}

impl TableSpec {
    /// Returns the place of a column in kept rows.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
