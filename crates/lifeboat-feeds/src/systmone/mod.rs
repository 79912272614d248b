//! The TPP SystmOne extract (SRExtract): CSV tables with a manifest, whole or as changes.
//!
//! A batch is a folder (or an archive) with `SRManifest.csv`, which lists its files and says from when to when the extract
//! reaches. Fields are quoted, text is Windows-1252, dates are `dd MMM yyyy HH:mm:ss` with midnight for a time that is not known, and
//! `-1` stands where a number of another row is missing. A row with a true `RemovedData` deletes; it may name nothing but its own
//! number. The schema changes without notice, so columns are matched by name, and most of them may be missing.
//!
//! # When a batch is full
//! The manifest's `IsDelta` has been wrong in practice, and taking changes for everything would erase what they do not mention.
//! A batch is full only if the manifest says of every patient table that it is no delta, and none of those tables has a removed row
//! in its first part. Anything else is a delta, and where the manifest contradicts itself or the rows, the batch says so.
//!
//! # What other rows look up
//! Options are numbers of one of two lists (`SRMapping`, `SRConfiguredListOption`), and which one is fixed for each column; drugs are
//! named by their Multilex product and organisations by their ODS code. Rows that others look up are not removed by `RemovedData`:
//! what was once named stays readable in the entries that name it, until the next full extract.
//!
//! # What the extract does not hold
//! Free text (the words of consultations, notes beside entries), reference ranges, reactions and their severity, and which
//! patients are sensitive. Nothing is made up for these. A free-text table that some organisations add is not known and is an alarm.

mod allergies;
mod batches;
mod codes;
mod day;
mod draft;
mod entries;
mod events;
mod immunisations;
mod medicines;
mod patient;
mod plans;
mod tables;

use jiff::civil::Date;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::dates;
use crate::feed::{Mapped, Mapping, TableFeed};
use crate::format::Format;
use crate::problem::Reason;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{Place, TableSpec};

/// Reads SystmOne extracts.
#[derive(Debug, Clone, Copy)]
pub struct SystmOne;

/// The feed.
pub static FEED: SystmOne = SystmOne;

const REMOVED: &str = "RemovedData";

impl TableFeed for SystmOne {
    fn format(&self) -> Format {
        Format::SystmOne
    }

    fn version(&self) -> u32 {
        2
    }

    fn tables(&self) -> &'static [TableSpec] {
        tables::TABLES
    }

    fn batches(&self, files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
        batches::batches(files, heads)
    }

    fn change(
        &self,
        table: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let text = |column: &str| {
            let at = table.column(column)?;
            values.get(at)?.as_deref().map(str::trim).filter(|text| !text.is_empty())
        };
        let is_removed = text(REMOVED).is_some_and(says_yes);
        let key_column = table.key[0];
        let key = || text(key_column).map(str::to_owned).ok_or((Some(key_column), Reason::EmptyValue));
        let unit = match table.place {
            Place::NotKept => return Ok(RowChange::Ignore),
            Place::Shared if is_removed || text(key_column).is_none_or(|key| key.starts_with('-')) => {
                return Ok(RowChange::Ignore);
            }
            Place::Shared => Unit::Shared,
            Place::Patient(column) => match text(column).filter(|patient| !patient.starts_with('-')) {
                Some(patient) => Unit::Patient(patient.to_owned()),
                None if is_removed && table.name != tables::PATIENT => {
                    return Ok(RowChange::Remove { unit: None, table: table.name, key: key()? });
                }
                None => return Err((Some(column), Reason::EmptyValue)),
            },
            Place::Day if is_removed => {
                return Ok(RowChange::Remove { unit: None, table: table.name, key: key()? });
            }
            Place::Day => {
                let written = text("DateStart").ok_or((Some("DateStart"), Reason::EmptyValue))?;
                Unit::Day(dates::date(written).ok_or((Some("DateStart"), Reason::NotADate))?)
            }
        };
        let key = key()?;
        Ok(match unit {
            Unit::Patient(patient) if is_removed && table.name == tables::PATIENT => {
                RowChange::RemovePatient { patient }
            }
            unit if is_removed => RowChange::Remove { unit: Some(unit), table: table.name, key },
            unit => RowChange::Put { unit, table: table.name, key, values },
        })
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        patient::document(rows, mapping)
    }

    fn day(&self, _: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        day::document(rows, mapping)
    }
}

/// Says whether a field holds a word for yes.
fn says_yes(text: &str) -> bool {
    ["true", "1", "y", "yes"].iter().any(|yes| text.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests;
