//! Rows out of CSV files, one at a time and in bounded memory, whatever the file holds.
//!
//! The header is taken as a set: order does not matter, other spellings are known, unknown columns are noted, and a
//! missing column that the table needs refuses that table alone. A row that cannot be read is an error with its number,
//! and the rows after it are read all the same.
//!
//! # How reading goes on after a quote that is not closed
//! Such a quote makes the rest of the file look like one field. The reader therefore goes back to the first line end
//! after the quote and tries line by line until one reads as a whole row: it has as many fields as the table, and begins
//! with a quote if the rows before it did. Lines that do not are lost; the error says how many, and the table counts as
//! damaged. A field that is merely too long, and closed in the end, costs its own row only.

mod buffer;
mod decode;
mod header;
mod scan;

use std::io::{self, Read};

use crate::problem::{Problem, Reason};
use crate::rows::Values;
use crate::spec::TableSpec;
use buffer::Buffer;
use header::Columns;
use scan::{Field, Fields, Scanned};

pub(crate) use header::rows_of;
pub use header::{count_fields, header_names};
pub(crate) use scan::After;

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

/// How much of a file is held in memory at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// The longest field.
    pub field_bytes_max: usize,
    /// The longest row, with its line end; the reader never holds more than this of a file.
    pub row_bytes_max: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self { field_bytes_max: 1 << 20, row_bytes_max: 4 << 20 }
    }
}

/// Reads the rows of one table's file.
pub struct TableReader<R: Read> {
    buffer: Buffer<R>,
    spec: &'static TableSpec,
    dialect: Dialect,
    limits: TableLimits,
    columns: Columns,
    fields: Fields,
    notes: Vec<Problem>,
    row: u64,
    bad_rows: u64,
    lost: Lost,
    damaged: bool,
    ended: bool,
    rows_begin_quoted: bool,
    noted_undefined: bool,
}

/// What could not be read after a quote that is not closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lines, besides the rows that were reported.
    pub lines: u64,
    /// Their length.
    pub bytes: u64,
}

impl<R: Read> std::fmt::Debug for TableReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableReader")
            .field("table", &self.spec.name)
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

impl<R: Read> TableReader<R> {
    /// Reads the header and opens the table.
    ///
    /// # Errors
    /// The header lacks a column that the table needs, or names one twice, or is no header at all; the file cannot be
    /// read.
    pub fn open(
        reader: R,
        spec: &'static TableSpec,
        dialect: Dialect,
        limits: TableLimits,
    ) -> Result<Self, Problem> {
        let mut buffer = Buffer::new(reader, limits.row_bytes_max);
        let unreadable = |error: io::Error| Problem::whole(Reason::Unreadable(error.to_string()));
        buffer.fill().map_err(unreadable)?;
        header::refuse_foreign(buffer.bytes())?;
        if buffer.bytes().starts_with(b"\xef\xbb\xbf") {
            buffer.consume(3);
        }
        let mut notes = Vec::new();
        let (columns, rows_begin_quoted) = match dialect.header {
            Header::Present => header::read(&mut buffer, spec, dialect, limits, &mut notes)?,
            Header::Absent => (Columns::positional(spec), false),
        };
        let fields = Fields::keeping(columns.width());
        Ok(Self {
            buffer,
            spec,
            dialect,
            limits,
            columns,
            fields,
            notes,
            row: 0,
            bad_rows: 0,
            lost: Lost::default(),
            damaged: false,
            ended: false,
            rows_begin_quoted,
            noted_undefined: false,
        })
    }

    /// Returns the number of the row that was returned last, well read or not, from 1; the header does not count.
    ///
    /// Lines that are lost after a quote that is not closed have no numbers.
    pub fn row_number(&self) -> u64 {
        self.row
    }

    /// Returns what is worth a note and no error: columns that are not known, characters that could not be read.
    pub fn notes(&self) -> &[Problem] {
        &self.notes
    }

    /// Returns the columns that are known, may be missing, and are.
    pub fn missing(&self) -> &[&'static str] {
        self.columns.missing()
    }

    /// Returns how many rows could not be read so far.
    pub fn bad_rows(&self) -> u64 {
        self.bad_rows
    }

    /// Returns what was lost besides.
    pub fn lost(&self) -> Lost {
        self.lost
    }

    /// Says whether more may be lost than the rows that were reported one by one.
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// Returns the table.
    pub fn spec(&self) -> &'static TableSpec {
        self.spec
    }

    fn read_next(&mut self) -> io::Result<Option<Result<Values, Problem>>> {
        loop {
            self.buffer.skip_line_ends()?;
            if self.buffer.bytes().is_empty() {
                self.ended = true;
                return Ok(None);
            }
            let scanned = scan::row(self.buffer.bytes(), self.buffer.after(), self.dialect, &mut self.fields);
            let read = match scanned {
                Scanned::Cut { .. } if self.buffer.can_grow() => {
                    self.buffer.fill()?;
                    continue;
                }
                Scanned::Row { length } => {
                    self.row += 1;
                    self.take_row(length)?
                }
                Scanned::Cut { field_start, quoted } => {
                    self.row += 1;
                    Err(self.pass_long_row(field_start, quoted)?)
                }
                Scanned::Broken { opened } => {
                    self.row += 1;
                    let column = self.columns.name(self.fields.count());
                    Err(self.pass_open_quote(column, opened)?)
                }
            };
            if read.is_err() {
                self.bad_rows += 1;
            }
            return Ok(Some(read));
        }
    }

    /// Takes a row whose end was found.
    fn take_row(&mut self, length: usize) -> io::Result<Result<Values, Problem>> {
        if self.fields.count() != self.columns.width() {
            return self.pass_miscounted_row(length).map(Err);
        }
        let row = &self.buffer.bytes()[..length];
        if let Some(at) = memchr::memchr(0, row) {
            let field = self.fields.kept().iter().position(|field| at < field.end).unwrap_or(0);
            let problem = self.problem(self.columns.name(field), Reason::Nul);
            self.buffer.consume(length);
            return Ok(Err(problem));
        }
        let limit = self.limits.field_bytes_max;
        if length > limit
            && let Some(field) = self.fields.kept().iter().position(|field| field.end - field.start > limit)
        {
            let problem = self.problem(self.columns.name(field), Reason::FieldTooLong(limit as u64));
            self.buffer.consume(length);
            return Ok(Err(problem));
        }
        self.rows_begin_quoted = row.first() == Some(&b'"');
        let mut values: Vec<Option<Box<str>>> = vec![None; self.spec.columns.len()];
        let mut undefined = None;
        let text = std::str::from_utf8(row).ok();
        for (at, field) in self.fields.kept().iter().enumerate() {
            let Some(place) = self.columns.place(at) else { continue };
            if field.start == field.end {
                continue;
            }
            let (value, whole) = match text {
                Some(text) => (decode::text_of(text, *field), true),
                None => decode::decode(row, *field),
            };
            if !whole {
                undefined = Some(at);
            }
            values[place] = Some(value);
        }
        self.buffer.consume(length);
        if let Some(at) = undefined.filter(|_| !self.noted_undefined) {
            self.noted_undefined = true;
            let note = self.problem(self.columns.name(at), Reason::UndefinedCharacter);
            self.notes.push(note);
        }
        Ok(Ok(values.into_boxed_slice()))
    }

    /// Passes over a row with too many or too few fields. A row over several lines may be one whose quote swallowed
    /// others: if a line of it reads as a whole row, reading goes on there.
    fn pass_miscounted_row(&mut self, length: usize) -> io::Result<Problem> {
        let (found, expected) = (self.fields.count(), self.columns.width());
        let body = &self.buffer.bytes()[..length];
        let mut lost = Lost::default();
        let mut start = 0;
        while let Some(line_end) = memchr::memchr2(b'\n', b'\r', &body[start..]) {
            let line = start + line_end;
            let next = line + body[line..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            if start > 0 {
                lost.lines += 1;
                lost.bytes += (next - start) as u64;
            }
            if next >= length {
                break;
            }
            if self.reads_as_row(next) {
                self.buffer.consume(next);
                return Ok(self.note_loss(None, lost));
            }
            start = next;
        }
        self.buffer.consume(length);
        Ok(self.problem(None, Reason::FieldCount { found, expected }))
    }

    /// Says whether a whole row of this table begins at this place of the buffer.
    fn reads_as_row(&self, at: usize) -> bool {
        let bytes = &self.buffer.bytes()[at..];
        if self.rows_begin_quoted && bytes.first() != Some(&b'"') {
            return false;
        }
        let mut fields = Fields::keeping(0);
        let scanned = scan::row(bytes, self.buffer.after(), self.dialect, &mut fields);
        matches!(scanned, Scanned::Row { .. }) && fields.count() == self.columns.width()
    }

    /// Passes over a row whose end is farther than the limit.
    fn pass_long_row(&mut self, field_start: usize, quoted: scan::Quoted) -> io::Result<Problem> {
        let column = self.columns.name(self.fields.count());
        let held = self.buffer.bytes().len() - field_start;
        let reason = if held > self.limits.field_bytes_max {
            Reason::FieldTooLong(self.limits.field_bytes_max as u64)
        } else {
            Reason::RowTooLong(self.limits.row_bytes_max as u64)
        };
        if quoted == scan::Quoted::No {
            self.buffer.skip_line()?;
            return Ok(self.problem(column, reason));
        }
        // If the very next line is a whole row, the quote was never meant to go on so far.
        let held = &self.buffer.bytes()[field_start..];
        if let Some(line_end) = memchr::memchr2(b'\n', b'\r', held) {
            let ends = held[line_end..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let next = field_start + line_end + ends;
            if self.reads_as_row(next) {
                self.buffer.consume(next);
                return Ok(self.note_loss(column, Lost::default()));
            }
        }
        self.buffer.consume(field_start + 1);
        let before = self.buffer.consumed();
        match scan::skip_quoted_row(&mut self.buffer, self.dialect.delimiter)? {
            scan::Skipped::Row => Ok(self.problem(column, reason)),
            scan::Skipped::Lost { lines } => {
                let mut lost = Lost { lines, bytes: self.buffer.consumed() - before };
                self.find_row(&mut lost)?;
                Ok(self.note_loss(column, lost))
            }
        }
    }

    /// Passes over a row with a quote that is not closed as it must be.
    fn pass_open_quote(&mut self, column: Option<String>, opened: usize) -> io::Result<Problem> {
        self.buffer.consume(opened);
        self.buffer.skip_line()?;
        let mut lost = Lost::default();
        self.find_row(&mut lost)?;
        Ok(self.note_loss(column, lost))
    }

    /// Goes on line by line to one that reads as a whole row.
    fn find_row(&mut self, lost: &mut Lost) -> io::Result<()> {
        loop {
            self.buffer.skip_line_ends()?;
            if self.buffer.bytes().is_empty() {
                return Ok(());
            }
            if self.reads_as_row(0) {
                return Ok(());
            }
            // A row that is cut by the end of what is held may be whole.
            if !self.buffer.at_end() && self.buffer.is_short() {
                self.buffer.fill()?;
                if self.reads_as_row(0) {
                    return Ok(());
                }
            }
            lost.lines += 1;
            lost.bytes += self.buffer.skip_line()?;
        }
    }

    fn note_loss(&mut self, column: Option<String>, lost: Lost) -> Problem {
        if lost.lines == 0 {
            return self.problem(column, Reason::OpenQuote);
        }
        self.damaged = true;
        self.lost.lines += lost.lines;
        self.lost.bytes += lost.bytes;
        self.problem(column, Reason::Lost { lines: lost.lines, bytes: lost.bytes })
    }

    fn problem(&self, column: Option<String>, reason: Reason) -> Problem {
        Problem { file: String::new(), row: Some(self.row), column, reason }
    }
}

impl<R: Read> Iterator for TableReader<R> {
    type Item = Result<Values, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read_next().unwrap_or_else(|error| {
            self.ended = true;
            self.damaged = true;
            self.bad_rows += 1;
            self.row += 1;
            Some(Err(self.problem(None, Reason::Unreadable(error.to_string()))))
        })
    }
}

#[cfg(test)]
mod tests;
