//! The header of a table: which column of the file is which of the specification.

use std::io::Read;

use super::{After, Buffer, Dialect, Field, Fields, Scanned, TableLimits, decode, scan};
use crate::archive::{Container, container};
use crate::problem::{Problem, Reason};
use crate::spec::{ColumnSpec, TableSpec};

/// More columns than this no table has.
const COLUMNS_MAX: usize = 4096;

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    /// For each, its place in the specification and the name to speak of it by.
    columns: Vec<(Option<usize>, String)>,
    missing: Vec<&'static str>,
}

impl Columns {
    /// Returns the columns of a file without a header.
    pub(super) fn positional(spec: &TableSpec) -> Self {
        let columns = spec.columns.iter().enumerate();
        Self {
            columns: columns.map(|(at, column)| (Some(at), column.name.into())).collect(),
            missing: vec![],
        }
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns the place in the specification of the file's column at `at`.
    pub(super) fn place(&self, at: usize) -> Option<usize> {
        self.columns.get(at)?.0
    }

    /// Returns the name of the file's column at `at`.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        self.columns.get(at).map(|(_, name)| name.clone())
    }

    pub(super) fn missing(&self) -> &[&'static str] {
        &self.missing
    }
}

/// Refuses what is no text at all.
pub(super) fn refuse_foreign(head: &[u8]) -> Result<(), Problem> {
    let text = match container(&head[..head.len().min(512)]) {
        Container::Plain => return Ok(()),
        Container::Gzip | Container::Zstd | Container::Zip => "is packed; it must be unpacked as it is read",
        Container::Foreign(text) => text,
    };
    Err(Problem::whole(Reason::Foreign(text.to_owned())))
}

/// Reads the header; says besides whether it begins with a quote.
pub(super) fn read<R: Read>(
    buffer: &mut Buffer<R>,
    spec: &'static TableSpec,
    dialect: Dialect,
    limits: TableLimits,
    notes: &mut Vec<Problem>,
) -> Result<(Columns, bool), Problem> {
    let unreadable = |error: std::io::Error| Problem::whole(Reason::Unreadable(error.to_string()));
    let mut fields = Fields::keeping(COLUMNS_MAX);
    buffer.skip_line_ends().map_err(unreadable)?;
    if buffer.bytes().is_empty() {
        return Err(Problem::whole(Reason::Malformed("is empty, without even a header".to_owned())));
    }
    let length = loop {
        match scan::row(buffer.bytes(), buffer.after(), dialect, &mut fields) {
            Scanned::Row { length } => break length,
            Scanned::Cut { .. } if buffer.can_grow() => buffer.fill().map_err(unreadable)?,
            Scanned::Cut { .. } => {
                return Err(Problem::whole(Reason::RowTooLong(limits.row_bytes_max as u64)));
            }
            Scanned::Broken { .. } => return Err(Problem::whole(Reason::OpenQuote)),
        }
    };
    let row = &buffer.bytes()[..length];
    if row.contains(&0) {
        return Err(Problem::whole(Reason::Nul));
    }
    if fields.count() > COLUMNS_MAX {
        return Err(Problem::whole(Reason::TooMany { what: "columns".into(), limit: COLUMNS_MAX as u64 }));
    }
    let names: Vec<String> = fields.kept().iter().map(|field| name_of(row, *field)).collect();
    let quoted = row.first() == Some(&b'"');
    let columns = match_names(&names, spec, notes)?;
    buffer.consume(length);
    Ok((columns, quoted))
}

fn name_of(row: &[u8], field: Field) -> String {
    decode::decode(row, field).0.trim().to_owned()
}

/// Finds the specification's columns among the names of a header.
fn match_names(
    names: &[String],
    spec: &'static TableSpec,
    notes: &mut Vec<Problem>,
) -> Result<Columns, Problem> {
    let mut columns: Vec<(Option<usize>, String)> = Vec::with_capacity(names.len());
    columns.extend(names.iter().enumerate().map(|(at, name)| (None, speakable(at, name))));
    let mut missing = Vec::new();
    for (place, column) in spec.columns.iter().enumerate() {
        match find(names, column) {
            Found::Once(at) => columns[at] = (Some(place), column.name.to_owned()),
            Found::Twice => return Err(Problem::whole(Reason::DuplicateColumn(column.name.to_owned()))),
            Found::Nowhere if column.required => {
                return Err(Problem::whole(Reason::MissingColumn(column.name.to_owned())));
            }
            Found::Nowhere => missing.push(column.name),
        }
    }
    let mut unknown: Vec<&String> =
        columns.iter().filter(|(place, _)| place.is_none()).map(|(_, name)| name).collect();
    unknown.sort_unstable();
    unknown.dedup();
    notes.extend(unknown.into_iter().map(|name| Problem::whole(Reason::UnknownColumn(name.clone()))));
    Ok(Columns { columns, missing })
}

enum Found {
    Once(usize),
    Twice,
    Nowhere,
}

/// Finds a column by its name, or else by the first of its other spellings that is there.
fn find(names: &[String], column: &ColumnSpec) -> Found {
    for spelling in std::iter::once(&column.name).chain(column.aliases) {
        let mut places = (0..names.len()).filter(|at| names[*at].eq_ignore_ascii_case(spelling));
        match (places.next(), places.next()) {
            (Some(at), None) => return Found::Once(at),
            (Some(_), Some(_)) => return Found::Twice,
            (None, _) => {}
        }
    }
    Found::Nowhere
}

/// Returns the name by which to speak of a column: its own if it looks like one, or else its number.
fn speakable(at: usize, name: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(is_name) {
        name.to_owned()
    } else {
        format!("number {}", at + 1)
    }
}

fn first_row(head: &[u8], dialect: Dialect) -> Option<(&[u8], Fields)> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let start = head.iter().position(|byte| !matches!(byte, b'\n' | b'\r'))?;
    let mut fields = Fields::keeping(COLUMNS_MAX);
    match scan::row(&head[start..], After::Nothing, dialect, &mut fields) {
        Scanned::Row { .. } => Some((&head[start..], fields)),
        Scanned::Cut { .. } | Scanned::Broken { .. } => None,
    }
}

/// Returns how many fields the first row has of a file that begins with `head`; `None` if there is no row.
///
/// A head that ends in the middle of the row gives too few: give a generous one.
pub fn count_fields(head: &[u8], dialect: Dialect) -> Option<usize> {
    first_row(head, dialect).map(|(_, fields)| fields.count())
}

/// Returns the fields of the first row of a file that begins with `head`, trimmed; `None` if there is no row.
pub fn header_names(head: &[u8], dialect: Dialect) -> Option<Vec<String>> {
    let (row, fields) = first_row(head, dialect)?;
    Some(fields.kept().iter().map(|field| name_of(row, *field)).collect())
}

/// Returns the fields of the first rows, `rows_max` at most, of a file that begins with `head`.
///
/// If more comes after `head`, a row without a line end is taken as cut, and left out.
pub(crate) fn rows_of(head: &[u8], dialect: Dialect, rows_max: usize, after: After) -> Vec<Vec<String>> {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let mut fields = Fields::keeping(COLUMNS_MAX);
    let mut rows = Vec::new();
    while rows.len() < rows_max {
        let ends = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        rest = &rest[ends..];
        if rest.is_empty() {
            break;
        }
        let Scanned::Row { length } = scan::row(rest, after, dialect, &mut fields) else { break };
        rows.push(fields.kept().iter().map(|field| name_of(rest, *field)).collect());
        rest = &rest[length..];
    }
    rows
}
