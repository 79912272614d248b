//! Rows out of CSV files.

/// How a table's file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates fields.
    pub delimiter: u8,
    /// Whether the first row names the columns; without it columns stand in the order of the specification.
    pub header: Header,
    /// Whether fields may stand in double quotes.
    pub quotes: Quotes,
}

/// Whether the first row names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does.
    Present,
    /// There is none.
    Absent,
}

/// Whether fields may stand in double quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// They may; a quote within is doubled.
    Allowed,
    /// A quote is a character like any other.
    Literal,
}

impl Dialect {
    /// Commas, a header, quotes where needed.
    pub const CSV: Self = Self { delimiter: b',', header: Header::Present, quotes: Quotes::Allowed };
}
