//! The Vision extract: CSV files without headers, whole or as changes.
//!
//! A file is known by its name (`FULL_F86007_journal_data_extract-2018-08-17-000500.csv`: kind, ODS code, table, time) and its
//! version by its number of columns; rows of the older version are kept in the shape of the newer. Dates are `yyyyMMdd`, times
//! `HHmm`. A row whose `ACTION` is `D` deletes. The journal holds everything clinical; its `SUBSET` says what a row is:
//!
//! | subset | is |
//! |---|---|
//! | A, R, S | an acute prescription, a repeat, an issue of a repeat |
//! | P | a problem |
//! | I | an immunisation |
//! | L | an allergy or adverse reaction |
//! | T, C | a test result, any other clinical entry |
//!
//! Vision exports no appointments, so there are no day lists, and no end dates of allergies.

mod batches;
mod entries;
mod medicines;
mod patient;
mod tables;

use jiff::civil::Date;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::feed::{Mapped, Mapping, TableFeed};
use crate::format::Format;
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{Place, TableSpec};
use crate::table::{Dialect, Header, Quotes};

/// Reads Vision extracts.
#[derive(Debug, Clone, Copy)]
pub struct Vision;

/// The feed.
pub static FEED: Vision = Vision;

impl TableFeed for Vision {
    fn format(&self) -> Format {
        Format::Vision
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        tables::TABLES
    }

    fn dialect(&self, _: &TableSpec) -> Dialect {
        Dialect { delimiter: b',', header: Header::Absent, quotes: Quotes::Allowed }
    }

    fn batches(&self, files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
        batches::batches(files, heads)
    }

    fn change(
        &self,
        table: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let (table, values) = tables::in_current_shape(table, values);
        let text = |column: &'static str| {
            let at = table.column(column)?;
            values.get(at)?.as_deref().map(str::trim).filter(|text| !text.is_empty())
        };
        let needed = |column: &'static str| text(column).ok_or((Some(column), Reason::EmptyValue));
        let deletes = text("ACTION").is_some_and(|action| action.eq_ignore_ascii_case("D"));
        let (unit, key) = match table.place {
            Place::Patient(column) => {
                let patient = needed(column)?.to_owned();
                let key = if table.name == tables::PATIENT {
                    if deletes {
                        return Ok(RowChange::RemovePatient { patient });
                    }
                    patient.clone()
                } else {
                    // Numbers are only said to be unique within a patient.
                    format!("{patient}/{}", needed("ID")?)
                };
                (Unit::Patient(patient), key)
            }
            Place::Shared => (Unit::Shared, needed("ID")?.to_owned()),
            Place::Day | Place::NotKept => return Ok(RowChange::Ignore),
        };
        let table = table.name;
        Ok(if deletes {
            RowChange::Remove { unit: Some(unit), table, key }
        } else {
            RowChange::Put { unit, table, key, values }
        })
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        patient::document(rows, mapping)
    }

    fn day(&self, _: Date, _: &UnitRows, _: &Mapping<'_>) -> Mapped {
        Mapped::default()
    }
}

#[cfg(test)]
mod tests;
