//! The EMIS Web extract: twenty CSV tables per batch, and two tables that are delivered on their own.
//!
//! A patient's document is made in steps: the rows become a [`chart`](self) of entries, each with its code, kind and
//! confidentiality; then each kind has its own module that turns entries into resources. Which kind an entry is of is
//! decided in one place, allergies first.
//!
//! Names of rows (GUIDs) are compared in lower case and without braces, since extracts write them in more than one
//! way; they are the only values that are not kept as written.

mod appointments;
mod batches;
mod chart;
mod codes;
mod document;
mod entries;
mod groups;
mod medicines;
mod names;
mod people;
mod plans;
mod problems;
mod tables;
#[cfg(test)]
mod tests;
mod when;

use jiff::civil::Date;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::dates;
use crate::feed::{Mapped, Mapping, TableFeed};
use crate::format::Format;
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{Place, TableSpec};
use crate::table::{Dialect, Header, Quotes};

/// The EMIS Web extract.
#[derive(Clone, Copy, Debug)]
pub struct Emis;

/// The EMIS Web extract.
pub static FEED: Emis = Emis;

/// What parts the columns of a key.
const KEY_SEPARATOR: char = '|';

/// The tables that are delivered on their own are written with tabs and without quotes.
const TABS: Dialect = Dialect { delimiter: b'\t', header: Header::Present, quotes: Quotes::Literal };

impl TableFeed for Emis {
    fn format(&self) -> Format {
        Format::EmisWeb
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        tables::TABLES
    }

    fn dialect(&self, table: &TableSpec) -> Dialect {
        match table.name {
            tables::ORIGINAL_TERMS | tables::REGISTRATION => TABS,
            _ => Dialect::CSV,
        }
    }

    fn batches(&self, files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
        batches::of(files, heads)
    }

    /// Returns what a row does; rows of one batch with the same key are the caller's to put in order, by
    /// [`TableFeed::precedence`] (the `ProcessingId`, by which EMIS says that they apply).
    ///
    /// A slot without a patient removes whatever was booked in it.
    fn change(
        &self,
        table: &'static TableSpec,
        mut values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        if table.place == Place::NotKept {
            return Ok(RowChange::Ignore);
        }
        normalise_names(table, &mut values);
        let text = |column: &str| {
            let at = table.column(column)?;
            values.get(at)?.as_deref().map(str::trim).filter(|text| !text.is_empty())
        };
        let key = key(table, &text)?;
        let deleted = text("Deleted").is_some_and(is_yes);
        let unit = match table.place {
            Place::Shared | Place::NotKept => Unit::Shared,
            Place::Patient(column) => {
                let patient = text(column).ok_or((Some(column), Reason::EmptyValue))?;
                if deleted && table.name == tables::PATIENT {
                    return Ok(RowChange::RemovePatient { patient: patient.to_owned() });
                }
                Unit::Patient(patient.to_owned())
            }
            Place::Day => {
                if deleted || text("PatientGuid").is_none() {
                    return Ok(RowChange::Remove { unit: None, table: table.name, key });
                }
                Unit::Day(day(text("AppointmentDate"))?)
            }
        };
        if deleted {
            return Ok(RowChange::Remove { unit: Some(unit), table: table.name, key });
        }
        // Codes, staff and places come again and again under new numbers of the processing, which say nothing about them:
        // one that has not changed must not look changed, or everybody's records would be made again. Of a patient's
        // rows the numbers are kept, because entries of one consultation stand in their order.
        if unit == Unit::Shared
            && let Some(at) = table.column("ProcessingId")
        {
            values[at] = None;
        }
        Ok(RowChange::Put { unit, table: table.name, key, values })
    }

    fn precedence(&self, table: &'static TableSpec, values: &Values) -> u64 {
        let number = |column| values.get(table.column(column)?)?.as_deref()?.trim().parse().ok();
        number("ProcessingId").or_else(|| number("ProcessingOrder")).unwrap_or(0)
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        document::patient(rows, mapping)
    }

    fn day(&self, day: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        appointments::day(day, rows, mapping)
    }
}

fn day(text: Option<&str>) -> Result<Date, (Option<&'static str>, Reason)> {
    const COLUMN: Option<&str> = Some("AppointmentDate");
    let text = text.ok_or((COLUMN, Reason::EmptyValue))?;
    dates::date(text).ok_or((COLUMN, Reason::NotADate))
}

/// Returns the key of a row: the columns that name it. The first must be there; of registrations the others may be
/// empty.
fn key<'v>(
    table: &'static TableSpec,
    text: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<String, (Option<&'static str>, Reason)> {
    let mut key = String::new();
    for (at, column) in table.key.iter().enumerate() {
        if at > 0 {
            key.push(KEY_SEPARATOR);
        }
        match text(column) {
            Some(part) => key.push_str(part),
            None if table.name == tables::REGISTRATION && at > 0 => {}
            None => return Err((Some(column), Reason::EmptyValue)),
        }
    }
    Ok(key)
}

/// Brings the columns that name rows to one spelling.
fn normalise_names(table: &TableSpec, values: &mut Values) {
    for (value, column) in values.iter_mut().zip(table.columns) {
        let is_name = column.name.ends_with("Guid");
        let Some(text) = value.as_deref().filter(|_| is_name || column.looks_up.is_some()) else {
            continue;
        };
        let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
        if is_name && bare.bytes().any(|byte| byte.is_ascii_uppercase()) {
            *value = Some(bare.to_ascii_lowercase().into());
        } else if bare.len() != text.len() {
            *value = Some(bare.into());
        }
    }
}

fn is_yes(text: &str) -> bool {
    ["true", "1", "y", "yes"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
}
