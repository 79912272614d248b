//! Kept rows as documents, while one snapshot is taken.

use super::RowStore;
use super::apply::open_unit;
use super::error::{RowsError, step};
use super::hash::{RowHasher, UnitKey};
use super::shared::SharedRows;
use super::{UNITS, VERSIONS};
use crate::engine::host_key::HostKey;
use lifeboat_feeds::{Mapped, Mapping, Rules, TableFeed, Unit};
use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One consistent view of all rows.
pub(crate) struct RowsView {
    units: ReadOnlyTable<[u8; 16], &'static [u8]>,
    versions: ReadOnlyTable<[u8; 16], [u8; 32]>,
    host: HostKey,
    hasher: RowHasher,
    feed: &'static dyn TableFeed,
    rules: Rules,
    supplied: BTreeSet<String>,
    shared: Arc<SharedRows>,
    /// Digest of all that shapes every document beside rows.
    shape: [u8; 16],
}

impl RowStore {
    /// Looks at all rows as they are now.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) fn view(&mut self, rules: &Rules, threads: usize) -> Result<RowsView, RowsError> {
        let shared = self.shared(threads)?;
        let supplied = self.head()?.map(|head| head.supplied).unwrap_or_default();
        let rules_text = serde_json::to_vec(rules).map_err(|_| RowsError::Value { what: "the rules" })?;
        let feed_text = format!("{}\0{}\0", self.feed.format().name(), self.feed.version());
        let tables: String = supplied.iter().map(|table| format!("{table}\0")).collect();
        let shape = [feed_text.as_bytes(), &rules_text, b"\0", tables.as_bytes()].concat();
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        Ok(RowsView {
            units: reader.open_table(UNITS).map_err(step("open the rows"))?,
            versions: reader.open_table(VERSIONS).map_err(step("open the versions"))?,
            host: self.host.clone(),
            hasher: self.hasher,
            feed: self.feed,
            rules: rules.clone(),
            supplied,
            shared,
            shape: self.hasher.digest(&shape),
        })
    }
}

impl RowsView {
    /// Visits every owner with the version of its document, until `visit` says `false`.
    pub(crate) fn each_unit(
        &self,
        mut visit: impl FnMut(UnitKey, [u8; 16]) -> bool,
    ) -> Result<(), RowsError> {
        for row in self.versions.iter().map_err(step("read the versions"))? {
            let (key, version) = row.map_err(step("read a version"))?;
            let mut whole = [0; 64];
            whole[..16].copy_from_slice(&self.shape);
            whole[16..48].copy_from_slice(&version.value());
            whole[48..].copy_from_slice(&key.value());
            if !visit(key.value(), self.hasher.digest(&whole)) {
                break;
            }
        }
        Ok(())
    }

    /// Makes the document of an owner, and says who that is.
    pub(crate) fn document(&self, key: &UnitKey) -> Result<(Unit, Mapped), RowsError> {
        let Some(sealed) = self.units.get(key).map_err(step("read an owner's rows"))? else {
            return Err(RowsError::Value { what: "an owner without rows" });
        };
        let (unit, rows) = open_unit(&self.host, key, sealed.value())?;
        let mapped = match unit {
            Unit::Patient(_) => self.feed.patient(&rows, &self.mapping()),
            Unit::Day(day) => self.feed.day(day, &rows, &self.mapping()),
            Unit::Shared => Mapped::default(),
        };
        Ok((unit, mapped))
    }

    /// Makes the document of what patients share.
    pub(crate) fn shared_document(&self) -> Mapped {
        self.feed.shared(&self.mapping())
    }

    fn mapping(&self) -> Mapping<'_> {
        Mapping { rules: &self.rules, shared: self.shared.as_ref(), supplied: &self.supplied }
    }
}
