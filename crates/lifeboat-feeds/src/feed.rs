//! What every table feed does: says what its tables are, what a row changes, and what a patient's rows mean.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::format::Format;
use crate::problem::{Problem, Reason};
use crate::rows::{LookUp, RowChange, UnitRows, Values};
use crate::rules::Rules;
use crate::spec::TableSpec;
use crate::table::Dialect;

/// What stays the same while many documents are made of one feed's rows.
pub struct Mapping<'a> {
    /// The site's rules.
    pub rules: &'a Rules,
    /// The shared tables.
    pub shared: &'a dyn LookUp,
    /// The names of the tables that the feed has been seen to supply, with all columns that they need.
    pub supplied: &'a BTreeSet<String>,
}

/// A FHIR R4 document made of rows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Mapped {
    /// A Bundle of type `collection` as JSON; `None` where there is to be no record (a dummy patient, an excluded one).
    pub document: Option<Vec<u8>>,
    /// What could not be mapped.
    pub problems: Vec<Problem>,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapped")
            .field("bytes", &self.document.as_ref().map(Vec::len))
            .field("problems", &self.problems)
            .finish()
    }
}

/// A feed that arrives as batches of tables.
pub trait TableFeed: Sync {
    /// Returns the format.
    fn format(&self) -> Format;

    /// Returns a number that grows whenever the same rows would give another document.
    fn version(&self) -> u32;

    /// Returns every table that the feed knows.
    fn tables(&self) -> &'static [TableSpec];

    /// Returns how a table's files are written.
    fn dialect(&self, table: &TableSpec) -> Dialect {
        let _ = table;
        Dialect::CSV
    }

    /// Sorts the files of a source into batches, in no particular order.
    fn batches(&self, files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch>;

    /// Returns what a row does to the rows that are kept.
    ///
    /// # Errors
    /// A column that the row cannot do without is empty or malformed.
    fn change(
        &self,
        table: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)>;

    /// Returns what decides between rows of one batch that name the same key: the greater number holds.
    ///
    /// Rows of a batch need not stand in the order in which they apply. The caller asks this of a row before it
    /// hands the row to [`TableFeed::change`], and lets a change give way to one of the same table and key, in the
    /// same batch, whose number is greater, whether that puts or removes. Between equal numbers the later row holds;
    /// between batches the later batch does, whatever the numbers.
    fn precedence(&self, table: &'static TableSpec, values: &Values) -> u64 {
        let _ = (table, values);
        0
    }

    /// Makes a patient's document from all rows of theirs.
    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped;

    /// Makes the document of a day's appointments.
    fn day(&self, day: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped;

    /// Makes the document of what patients share, where the feed has resources for that.
    fn shared(&self, mapping: &Mapping<'_>) -> Mapped {
        let _ = mapping;
        Mapped::default()
    }
}

/// Returns the table of this name.
pub fn table(feed: &dyn TableFeed, name: &str) -> Option<&'static TableSpec> {
    feed.tables().iter().find(|table| table.name == name)
}
