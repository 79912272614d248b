//! The Vision extract: CSV files without headers, whole (`FULL`) or as changes (`INCREMENTAL`).
//!
//! Dates are `yyyyMMdd`, times `HHmm` (`9999` is none). A date known to the year or month has zeros for the rest.
//! An `ACTION` of `D` deletes the row, or with a patient all that is theirs; any other puts it.
//!
//! The journal holds what is clinical. Its `SUBSET` says what a row is: A an acute prescription, R a repeat, S an issue
//! of a repeat (joined to it through `LINKS`), P a problem, I an immunisation, L an allergy, T a test or measurement,
//! C any other entry. Of an unknown subset it becomes an other item. `LINKS` names rows, separated by `|`: an encounter's id
//! after `E`, otherwise a row of the journal.
//!
//! Vision has no appointments in its extract, records no end of an allergy, and has no reference ranges. Columns that are
//! about money and administration (`GMS`, `HA`, `PCG`, `MILEAGE`, `DISPENSING`, `TRAVEL`, `CONTRACT`) are kept as rows and
//! shown nowhere.

mod batches;
mod chart;
mod journal;
mod medicines;
mod patient;
mod tables;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::feed::{Mapped, Mapping, TableFeed};
use crate::format::Format;
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{Place, TableSpec};
use crate::table::{Dialect, Header, Quotes};

/// How Vision writes its files.
const DIALECT: Dialect = Dialect { delimiter: b',', header: Header::Absent, quotes: Quotes::Allowed };

/// The columns that name somebody on the staff.
const STAFF_COLUMNS: [&str; 4] = ["HCP", "GP", "GP_USUAL", "TO_HCP"];

/// Vision as a feed.
#[derive(Clone, Copy, Debug)]
pub struct Vision;

/// Vision as a feed.
pub static FEED: Vision = Vision;

impl TableFeed for Vision {
    fn format(&self) -> Format {
        Format::Vision
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        &tables::TABLES
    }

    fn dialect(&self, _: &TableSpec) -> Dialect {
        DIALECT
    }

    fn batches(&self, files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
        batches::batches(files, heads)
    }

    fn change(
        &self,
        table: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let mut values = tables::reshaped(table, values);
        let table = tables::current(table);
        for column in STAFF_COLUMNS {
            if let Some(value) = table.column(column).and_then(|at| values.get_mut(at)) {
                *value = value.take().map(staff_key);
            }
        }
        let key = key(table, &values)?;
        let text = |column: &str| values.get(table.column(column)?)?.as_deref().map(str::trim);
        let is_deleted = text("ACTION").is_some_and(|action| action.eq_ignore_ascii_case("D"));
        let unit = match table.place {
            Place::Patient(column) => Unit::Patient(text(column).unwrap_or_default().to_owned()),
            Place::Day | Place::Shared | Place::NotKept => Unit::Shared,
        };
        // Whether a row is new or comes again says nothing about anybody, and must not make it look changed.
        if let Some(action) = table.column("ACTION").and_then(|at| values.get_mut(at)) {
            *action = None;
        }
        let name = table.name;
        Ok(match (unit, is_deleted) {
            (Unit::Patient(patient), true) if name == "Patient" => RowChange::RemovePatient { patient },
            (unit, true) => RowChange::Remove { unit: Some(unit), table: name, key },
            (unit, false) => RowChange::Put { unit, table: name, key, values },
        })
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        chart::patient(rows, mapping)
    }

    fn day(&self, _: Date, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }
}

/// Returns the key of a row; ids are unique within a patient only.
fn key(table: &'static TableSpec, values: &Values) -> Result<String, (Option<&'static str>, Reason)> {
    let mut key = String::new();
    for column in table.key {
        let value = table.column(column).and_then(|at| values.get(at)?.as_deref()).map(str::trim);
        let value = value.filter(|value| !value.is_empty()).ok_or((Some(*column), Reason::EmptyValue))?;
        if !key.is_empty() {
            key.push(':');
        }
        key.push_str(value);
    }
    Ok(key)
}

/// Returns the id in `:STAFF:123`, under which the staff table has it; what is written in another way stays.
fn staff_key(written: Box<str>) -> Box<str> {
    let id = written.trim().trim_start_matches(':').strip_prefix("STAFF:").map(str::trim);
    id.filter(|id| !id.is_empty()).map(Box::from).unwrap_or(written)
}
