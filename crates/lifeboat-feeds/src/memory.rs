//! Rows kept in memory: what a database of rows does, for tests and for looking at a feed once.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::rows::{RowChange, RowKeys, RowRef, RowSink, Unit, UnitRows};
use crate::{LookUp, TableFeed};

/// Rows of one feed, by owner.
pub struct MemoryRows {
    feed: &'static dyn TableFeed,
    now: State,
    committed: State,
    commits: u64,
}

#[derive(Clone, Default)]
struct State {
    units: BTreeMap<Unit, UnitRows>,
    owners: BTreeMap<(&'static str, String), Unit>,
    cursor: Option<Vec<u8>>,
}

impl std::fmt::Debug for MemoryRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryRows").field("rows", &self.now.owners.len()).finish_non_exhaustive()
    }
}

impl MemoryRows {
    /// Returns no rows of a feed.
    pub fn of(feed: &'static dyn TableFeed) -> Self {
        Self { feed, now: State::default(), committed: State::default(), commits: 0 }
    }

    /// Returns every owner with their rows.
    pub fn units(&self) -> impl Iterator<Item = (&Unit, &UnitRows)> {
        self.now.units.iter()
    }

    /// Returns the rows of one owner.
    pub fn unit(&self, unit: &Unit) -> Option<&UnitRows> {
        self.now.units.get(unit)
    }

    /// Returns who owns a row.
    pub fn owner(&self, table: &'static str, key: &str) -> Option<&Unit> {
        self.now.owners.get(&(table, key.to_owned()))
    }

    /// Returns how many rows there are.
    pub fn len(&self) -> usize {
        self.now.owners.len()
    }

    /// Says whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.now.owners.is_empty()
    }

    /// Returns how often changes were committed.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Forgets what was not committed, as an end of the process does.
    pub fn lose_uncommitted(&mut self) {
        self.now = self.committed.clone();
    }
}

impl State {
    fn remove(&mut self, table: &'static str, key: &str) {
        let Some(owner) = self.owners.remove(&(table, key.to_owned())) else { return };
        if let Some(rows) = self.units.get_mut(&owner) {
            rows.remove(table, key);
            if rows.is_empty() {
                self.units.remove(&owner);
            }
        }
    }
}

impl RowSink for MemoryRows {
    type Error = Infallible;

    fn change(&mut self, change: RowChange) -> Result<(), Infallible> {
        match change {
            RowChange::Put { unit, table, key, values } => {
                let Some(spec) = crate::feed::table(self.feed, table) else { return Ok(()) };
                if self.owner(table, &key).is_some_and(|owner| *owner != unit) {
                    self.now.remove(table, &key);
                }
                self.now.units.entry(unit.clone()).or_default().put(spec, &key, values);
                self.now.owners.insert((table, key), unit);
            }
            RowChange::Remove { table, key, .. } => self.now.remove(table, &key),
            RowChange::RemovePatient { patient } => {
                let unit = Unit::Patient(patient);
                self.now.units.remove(&unit);
                self.now.owners.retain(|_, owner| *owner != unit);
            }
            RowChange::Ignore => {}
        }
        Ok(())
    }

    fn commit(&mut self, cursor: &[u8]) -> Result<(), Infallible> {
        self.now.cursor = Some(cursor.to_owned());
        self.committed = self.now.clone();
        self.commits += 1;
        Ok(())
    }

    fn cursor(&mut self) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.committed.cursor.clone())
    }
}

impl RowKeys for MemoryRows {
    fn keys(&mut self, table: &'static str, prefix: &str) -> Result<Vec<String>, Infallible> {
        let wanted = self.now.owners.keys().filter(|(of, key)| *of == table && key.starts_with(prefix));
        Ok(wanted.map(|(_, key)| key.clone()).collect())
    }
}

/// Shared rows are looked up by table and key.
impl LookUp for MemoryRows {
    fn row(&self, table: &str, key: &str) -> Option<RowRef<'_>> {
        self.unit(&Unit::Shared)?.row(table, key)
    }

    fn rows_beginning<'a>(&'a self, table: &str, beginning: &str) -> Vec<RowRef<'a>> {
        self.unit(&Unit::Shared).map(|rows| rows.rows_beginning(table, beginning)).unwrap_or_default()
    }
}
