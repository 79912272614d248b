//! The TPP SystmOne extract (SRExtract): CSV tables with a manifest, whole or as changes.
//!
//! A batch is a folder (or an archive) with `SRManifest.csv`, which lists its files and says from when to when the extract
//! reaches. Fields are quoted, text is Windows-1252, dates are `dd MMM yyyy HH:mm:ss`. A row with a true `RemovedData` deletes; it may
//! name nothing but its own number. The schema changes without notice, so columns are matched by name, and most of them may be
//! missing.
//!
//! # When a batch is full
//! The manifest's `IsDelta` has been wrong in practice, and taking changes for everything would erase what they do not mention.
//! A batch is full only if the manifest says of every patient table that it is no delta, and none of those tables has a removed row
//! in its first part. Anything else is a delta, and where the manifest contradicts itself or the rows, the batch says so.

mod batches;
mod codes;
mod entries;
mod events;
mod medicines;
mod patient;
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

impl TableFeed for SystmOne {
    fn format(&self) -> Format {
        Format::SystmOne
    }

    fn version(&self) -> u32 {
        1
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
        if table.place == Place::NotKept {
            return Ok(RowChange::Ignore);
        }
        let key = text("RowIdentifier").ok_or((Some("RowIdentifier"), Reason::EmptyValue))?.to_owned();
        let is_removed = text("RemovedData")
            .is_some_and(|word| ["1", "true", "y", "yes"].iter().any(|yes| word.eq_ignore_ascii_case(yes)));
        if table.name == tables::PATIENT {
            let unit = Unit::Patient(key.clone());
            return Ok(if is_removed {
                RowChange::RemovePatient { patient: key }
            } else {
                RowChange::Put { unit, table: table.name, key, values }
            });
        }
        let unit = match table.place {
            Place::Patient(column) => text(column).map(|patient| Unit::Patient(patient.to_owned())),
            Place::Day => text("DateStart").and_then(dates::date).map(Unit::Day),
            Place::Shared | Place::NotKept => Some(Unit::Shared),
        };
        if is_removed {
            return Ok(RowChange::Remove { unit, table: table.name, key });
        }
        match (unit, table.place) {
            (Some(unit), _) => Ok(RowChange::Put { unit, table: table.name, key, values }),
            (None, Place::Day) => Err((Some("DateStart"), Reason::NotADate)),
            (None, _) => Err((Some("IDPatient"), Reason::EmptyValue)),
        }
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        patient::document(rows, mapping)
    }

    fn day(&self, day: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        events::day(day, rows, mapping)
    }
}

#[cfg(test)]
mod tests;
