//! What could not be read in a feed, where it stands, and why, in words that name no patient.
//!
//! A text here holds names of files, tables and columns, numbers of rows, limits, and words from closed
//! lists; never a value from a record.

use std::fmt;

use serde::Serialize;

/// Something in a feed that could not be read, or could be read only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error, Serialize)]
pub struct Problem {
    /// The file, as the source names it; empty where the caller knows it.
    pub file: String,
    /// The row of a table from 1, the header not counted, or the line of a document.
    pub row: Option<u64>,
    /// The column of a table, or the place in a document.
    pub column: Option<String>,
    /// Why.
    pub reason: Reason,
}

impl Problem {
    /// Returns a problem of a whole file.
    pub fn of_file(file: impl Into<String>, reason: Reason) -> Self {
        Self { file: file.into(), row: None, column: None, reason }
    }

    /// Returns a problem whose file the caller knows.
    pub fn whole(reason: Reason) -> Self {
        Self::of_file(String::new(), reason)
    }

    /// Returns a problem at a place (a table, a column, an element) of a document whose file the caller knows.
    pub fn at(column: impl Into<String>, reason: Reason) -> Self {
        Self { column: Some(column.into()), ..Self::whole(reason) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.file.is_empty() {
            write!(f, "{}", self.file)?;
            separator = ", ";
        }
        if let Some(row) = self.row {
            write!(f, "{separator}row {row}")?;
            separator = ", ";
        }
        if let Some(column) = &self.column {
            write!(f, "{separator}{column}")?;
            separator = ", ";
        }
        let separator = if separator.is_empty() { "" } else { ": " };
        write!(f, "{separator}{}", self.reason)
    }
}

/// Why something in a feed could not be read, or could be read only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// Reading failed.
    #[error("it cannot be read ({0})")]
    Unreadable(String),
    /// The file is of a kind that is not read.
    #[error("{0}")]
    Foreign(String),
    /// A field is longer than the limit.
    #[error("the field is longer than the limit of {0} bytes")]
    FieldTooLong(u64),
    /// A row is longer than the limit, or never ends.
    #[error("the row is longer than the limit of {0} bytes")]
    RowTooLong(u64),
    /// The row has another number of fields than the header.
    #[error("the row has {found} fields, the table has {expected}")]
    FieldCount {
        /// Fields in the row.
        found: usize,
        /// Columns of the table.
        expected: usize,
    },
    /// A quoted field is not ended properly.
    #[error("a quoted field is not closed")]
    OpenQuote,
    /// A quoted field is not ended properly, and more than its row could not be read because of that.
    #[error(
        "a quoted field is not closed; besides the row, {lines} lines after it ({bytes} bytes) could not be read"
    )]
    Lost {
        /// Lines after the row in which it begins.
        lines: u64,
        /// Their length.
        bytes: u64,
    },
    /// Bytes that are no character in UTF-8 nor in Windows-1252.
    #[error("holds bytes that stand for no character; each is kept as \u{fffd}")]
    UndefinedCharacter,
    /// The file holds NUL bytes: it is not text.
    #[error("holds a NUL byte, which no text file does")]
    Nul,
    /// A column that the table needs is missing, so the table is not read.
    #[error("the column {0} is missing; the table is not read, and its sections are marked as not supplied")]
    MissingColumn(String),
    /// The header names a column more than once, so nobody knows which is meant; the table is not read.
    #[error("the column {0} stands in the header more than once; the table is not read")]
    DuplicateColumn(String),
    /// A column that is not known; its values are not kept.
    #[error("the column {0} is not known; its values are not kept (schema drift)")]
    UnknownColumn(String),
    /// A file that is not known.
    #[error("no table of this feed is known by this name; the file is not read (schema drift)")]
    UnknownTable,
    /// A table that belongs to every batch is missing.
    #[error("the table {0} is missing from the batch")]
    MissingTable(String),
    /// A value that must be there is empty.
    #[error("is empty and must not be")]
    EmptyValue,
    /// A date that is none.
    #[error("is not a date")]
    NotADate,
    /// A value that is none of those that are known.
    #[error("holds a value that is not known")]
    UnknownValue,
    /// A value that names nothing in the extract.
    #[error("names a row that is not in the extract")]
    Unresolved,
    /// The document is not what its format asks for.
    #[error("{0}")]
    Malformed(String),
    /// A limit was reached.
    #[error("more than the limit of {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// The whole batch is refused.
    #[error("the batch is refused: {0}")]
    BatchRefused(String),
}

impl Reason {
    /// Says whether what was read is whole all the same: worth a note, and no loss.
    pub fn is_note(&self) -> bool {
        matches!(self, Self::UnknownColumn(_) | Self::Unresolved | Self::UndefinedCharacter)
    }
}
