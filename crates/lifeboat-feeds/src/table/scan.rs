//! Finds where the fields of a row begin and end.

use std::io::{self, Read};

use super::{Buffer, Dialect, Quotes};

/// Where a field stands in its row, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it holds doubled quotes.
    pub(super) escaped: bool,
}

/// The fields of a row: all are counted, those that can matter are kept.
#[derive(Debug)]
pub(super) struct Fields {
    kept: Vec<Field>,
    count: usize,
    kept_max: usize,
}

impl Fields {
    pub(super) fn keeping(kept_max: usize) -> Self {
        Self { kept: Vec::new(), count: 0, kept_max }
    }

    pub(super) fn kept(&self) -> &[Field] {
        &self.kept
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.count = 0;
    }

    fn push(&mut self, start: usize, end: usize, escaped: bool) {
        self.count += 1;
        if self.kept.len() < self.kept_max {
            self.kept.push(Field { start, end, escaped });
        }
    }
}

/// Whether a field stands in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoted {
    Yes,
    No,
}

/// What was found at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// A row, this long with the first byte of its line end.
    Row { length: usize },
    /// The bytes end before the row does; the fields before the last were counted.
    Cut { field_start: usize, quoted: Quoted },
    /// The field whose quote stands at `opened` is not closed before a delimiter or a line end.
    Broken { opened: usize },
}

/// What comes after the bytes that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// There may be more.
    More,
    /// The file ends.
    Nothing,
}

/// Finds the row at the beginning of some bytes.
pub(super) fn row(bytes: &[u8], after: After, dialect: Dialect, fields: &mut Fields) -> Scanned {
    let delimiter = dialect.delimiter;
    let quotes = dialect.quotes == Quotes::Allowed;
    fields.clear();
    let mut at = 0;
    loop {
        if quotes && bytes.get(at) == Some(&b'"') {
            match quoted(bytes, at, after, delimiter, fields) {
                Ok(next) => at = next,
                Err(scanned) => return scanned,
            }
            continue;
        }
        match memchr::memchr3(delimiter, b'\n', b'\r', &bytes[at..]) {
            Some(length) => {
                let end = at + length;
                fields.push(at, end, false);
                if bytes[end] != delimiter {
                    return Scanned::Row { length: end + 1 };
                }
                at = end + 1;
            }
            None if after == After::Nothing => {
                fields.push(at, bytes.len(), false);
                return Scanned::Row { length: bytes.len() };
            }
            None => return Scanned::Cut { field_start: at, quoted: Quoted::No },
        }
    }
}

/// Passes over the quoted field that begins at `opened`; returns where the next begins, or how the row ends.
fn quoted(
    bytes: &[u8],
    opened: usize,
    after: After,
    delimiter: u8,
    fields: &mut Fields,
) -> Result<usize, Scanned> {
    let cut = Scanned::Cut { field_start: opened, quoted: Quoted::Yes };
    let mut escaped = false;
    let mut from = opened + 1;
    loop {
        let Some(length) = memchr::memchr(b'"', &bytes[from..]) else {
            return Err(if after == After::Nothing { Scanned::Broken { opened } } else { cut });
        };
        let quote = from + length;
        match bytes.get(quote + 1) {
            Some(b'"') => {
                escaped = true;
                from = quote + 2;
            }
            Some(next) if *next == delimiter => {
                fields.push(opened + 1, quote, escaped);
                return Ok(quote + 2);
            }
            Some(b'\n' | b'\r') => {
                fields.push(opened + 1, quote, escaped);
                return Err(Scanned::Row { length: quote + 2 });
            }
            None if after == After::Nothing => {
                fields.push(opened + 1, quote, escaped);
                return Err(Scanned::Row { length: quote + 1 });
            }
            None => return Err(cut),
            Some(_) => return Err(Scanned::Broken { opened }),
        }
    }
}

/// What became of a row that was passed over without being held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skipped {
    /// Its end was found.
    Row,
    /// Its quote is not closed as it must be; this many lines were passed over.
    Lost { lines: u64 },
}

/// Where passing over a row has got to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    InQuotes,
    AfterQuote,
    FieldStart,
    InField,
}

/// Passes over the rest of a row, beginning within a quoted field.
pub(super) fn skip_quoted_row<R: Read>(buffer: &mut Buffer<R>, delimiter: u8) -> io::Result<Skipped> {
    let mut state = State::InQuotes;
    let mut lines = 0;
    loop {
        let mut passed = 0;
        for byte in buffer.bytes() {
            passed += 1;
            state = match (state, *byte) {
                (State::InQuotes, b'"') => State::AfterQuote,
                (State::InQuotes, byte) => {
                    lines += u64::from(byte == b'\n');
                    State::InQuotes
                }
                (State::AfterQuote | State::FieldStart, b'"') => State::InQuotes,
                (_, b'\n' | b'\r') => {
                    buffer.consume(passed);
                    return Ok(Skipped::Row);
                }
                (_, byte) if byte == delimiter => State::FieldStart,
                (State::AfterQuote, _) => {
                    buffer.consume(passed);
                    buffer.skip_line()?;
                    return Ok(Skipped::Lost { lines: lines + 1 });
                }
                _ => State::InField,
            };
        }
        buffer.consume(passed);
        if buffer.at_end() {
            let lost = state == State::InQuotes;
            return Ok(if lost { Skipped::Lost { lines: lines + 1 } } else { Skipped::Row });
        }
        buffer.fill()?;
    }
}
