//! Rows from a puller, which asks its source for what changed instead of waiting for batches.

use super::apply::Commit;
use super::change::Order;
use super::error::RowsError;
use super::error::step;
use super::gather::{Inbox, Router, Scope};
use super::hash::{RowHasher, UnitKey};
use super::{RowStore, SHARED, UNITS};
use lifeboat_feeds::{RowChange, RowKeys, RowSink, Unit, UnitRows};
use redb::{ReadableDatabase, ReadableTable};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Takes a puller's changes into the kept rows.
pub struct StoreSink<'a> {
    store: &'a mut RowStore,
    router: Router,
    inbox: Option<Inbox>,
    waiting: Waiting,
    supplied: BTreeSet<String>,
    next: u64,
    threads: usize,
}

/// What the changes that wait for a commit say about which rows there are.
#[derive(Default)]
struct Waiting {
    /// Rows by table and key: whether they will be there.
    rows: BTreeMap<(&'static str, String), IsThere>,
    /// Patients of whom no kept row will be there.
    removed: HashSet<UnitKey>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IsThere {
    No,
    Yes,
}

impl Waiting {
    fn note(&mut self, change: &RowChange, hasher: RowHasher) {
        match change {
            RowChange::Put { table, key, .. } => {
                self.rows.insert((*table, key.clone()), IsThere::Yes);
            }
            RowChange::Remove { table, key, .. } => {
                self.rows.insert((*table, key.clone()), IsThere::No);
            }
            RowChange::RemovePatient { patient } => {
                self.removed.insert(hasher.unit(&Unit::Patient(patient.clone())));
            }
            RowChange::Ignore => {}
        }
    }
}

impl std::fmt::Debug for StoreSink<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreSink").field("changes", &self.next).finish_non_exhaustive()
    }
}

impl<'a> StoreSink<'a> {
    pub(crate) fn new(store: &'a mut RowStore, threads: usize) -> Self {
        let router = store.router(Scope::Delta);
        Self {
            store,
            router,
            inbox: None,
            waiting: Waiting::default(),
            supplied: BTreeSet::new(),
            next: 0,
            threads,
        }
    }
}

impl RowSink for StoreSink<'_> {
    type Error = RowsError;

    fn change(&mut self, change: RowChange) -> Result<(), RowsError> {
        if let RowChange::Put { table, .. } = &change
            && !self.supplied.contains(*table)
        {
            self.supplied.insert((*table).to_owned());
        }
        self.waiting.note(&change, self.store.hasher);
        let mut routed = Vec::new();
        let order = Order { precedence: 0, file: 0, row: self.next };
        self.next += 1;
        self.router.route(order, None, change, &mut routed)?;
        let inbox = match &mut self.inbox {
            Some(inbox) => inbox,
            none => none.insert(Inbox::new(Scope::Delta)?),
        };
        routed.into_iter().try_for_each(|routed| inbox.take(routed))
    }

    fn commit(&mut self, cursor: &[u8]) -> Result<(), RowsError> {
        let inbox = match self.inbox.take() {
            Some(inbox) => inbox,
            None => Inbox::new(Scope::Delta)?,
        };
        self.waiting = Waiting::default();
        let supplied = std::mem::take(&mut self.supplied);
        let commit = Commit { batch: None, supplied, cursor: Some(cursor.to_vec()) };
        self.store.apply(inbox, commit, self.threads)?;
        Ok(())
    }

    fn cursor(&mut self) -> Result<Option<Vec<u8>>, RowsError> {
        Ok(self.store.head()?.and_then(|head| head.cursor))
    }
}

impl RowKeys for StoreSink<'_> {
    fn keys(&mut self, table: &'static str, prefix: &str) -> Result<Vec<String>, RowsError> {
        let mut found = BTreeSet::new();
        let mut add = |rows: &UnitRows| {
            found.extend(
                rows.rows(table)
                    .map(|row| row.key())
                    .filter(|key| key.starts_with(prefix))
                    .map(str::to_owned),
            );
        };
        if self.store.head()?.is_some() {
            let reader = self.store.database.begin_read().map_err(step("begin to read"))?;
            let units = reader.open_table(UNITS).map_err(step("open the rows"))?;
            for row in units.iter().map_err(step("read the rows"))? {
                let (key, sealed) = row.map_err(step("read an owner's rows"))?;
                if !self.waiting.removed.contains(&key.value()) {
                    add(&self.store.open_unit(&key.value(), sealed.value())?.1);
                }
            }
            let shared = reader.open_table(SHARED).map_err(step("open the shared rows"))?;
            for row in shared.iter().map_err(step("read the shared rows"))? {
                let (number, sealed) = row.map_err(step("read a chunk of shared rows"))?;
                let number =
                    u8::try_from(number.value()).map_err(|_| RowsError::Value { what: "a chunk" })?;
                add(&self.store.open_chunk(number, sealed.value())?);
            }
        }
        for ((_, key), is_there) in
            self.waiting.rows.iter().filter(|((named, key), _)| *named == table && key.starts_with(prefix))
        {
            match is_there {
                IsThere::Yes => found.insert(key.clone()),
                IsThere::No => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }
}
