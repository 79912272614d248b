//! The changes of one batch on their way to the owners of the rows.
//!
//! [`Router`] says where a change goes and may be used by many threads; [`Inbox`] keeps the changes, sealed and out of
//! memory when they are many, until the batch is complete.

use super::change::{Change, Order, Step};
use super::error::RowsError;
use super::hash::{RowHash, RowHasher, UnitKey};
use super::merge::Removals;
use super::owners::{Claim, Owner};
use crate::engine::spill::{Spill, SpillKey};
use lifeboat_feeds::{Place, RowChange, TableFeed, TableSpec, Unit};
use std::collections::HashMap;

/// Bytes of shared rows that may wait in memory.
const SHARED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of other rows that may wait in memory.
const UNIT_BYTES_MAX: usize = 48 * 1024 * 1024;

/// What a batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything: what it does not hold is gone.
    Full,
    /// Changes.
    Delta,
}

/// One change with where it goes.
pub(crate) enum Routed {
    /// To the rows of one owner.
    Unit(UnitKey, Vec<u8>),
    /// To a shared row of a chunk.
    Shared(u8, RowHash, Vec<u8>),
    /// Says who owns a row from now on.
    Claim(Claim),
}

/// Says where changes go.
#[derive(Clone)]
pub(crate) struct Router {
    tables: &'static [TableSpec],
    by_name: HashMap<&'static str, &'static TableSpec>,
    hasher: RowHasher,
    scope: Scope,
}

impl Router {
    pub(crate) fn new(feed: &'static dyn TableFeed, hasher: RowHasher, scope: Scope) -> Self {
        let tables = feed.tables();
        Self { tables, by_name: tables.iter().map(|table| (table.name, table)).collect(), hasher, scope }
    }

    /// Adds to `routed` what a change comes to; `said_in` is the table whose row said so.
    pub(crate) fn route(
        &self,
        order: Order,
        said_in: Option<&'static TableSpec>,
        change: RowChange,
        routed: &mut Vec<Routed>,
    ) -> Result<(), RowsError> {
        let encode = |step: Step| Change { order, step }.encode(self.tables);
        match change {
            RowChange::Ignore => {}
            RowChange::RemovePatient { patient } => {
                let key = self.hasher.unit(&Unit::Patient(patient));
                routed.push(Routed::Unit(key, encode(Step::RemoveUnit { said_in })));
            }
            RowChange::Put { unit: Unit::Shared, table, key, values } => {
                let (table, hash) = self.named(table, &key)?;
                let chunk = self.hasher.chunk(table.name, &key);
                self.claim(routed, table, Claim { hash, order, owner: Owner::Shared(chunk) });
                let step = Step::Put { unit: Unit::Shared, table, key: key.into(), values };
                routed.push(Routed::Shared(chunk, hash, encode(step)));
            }
            RowChange::Put { unit, table, key, values } => {
                let (table, hash) = self.named(table, &key)?;
                let unit_key = self.hasher.unit(&unit);
                self.claim(routed, table, Claim { hash, order, owner: Owner::Unit(unit_key) });
                let step = Step::Put { unit, table, key: key.into(), values };
                routed.push(Routed::Unit(unit_key, encode(step)));
            }
            RowChange::Remove { unit, table, key } => {
                let (table, hash) = self.named(table, &key)?;
                routed.push(Routed::Claim(Claim { hash, order, owner: Owner::Nobody }));
                let chunk = self.hasher.chunk(table.name, &key);
                let removal = encode(Step::Remove { table, key: key.into() });
                match unit {
                    Some(Unit::Shared) | None => routed.push(Routed::Shared(chunk, hash, removal)),
                    Some(unit) => routed.push(Routed::Unit(self.hasher.unit(&unit), removal)),
                }
            }
        }
        Ok(())
    }

    fn named(&self, table: &str, key: &str) -> Result<(&'static TableSpec, RowHash), RowsError> {
        let table = *self.by_name.get(table).ok_or(RowsError::NoSuchTable)?;
        Ok((table, self.hasher.row(table.name, key)))
    }

    /// A full batch leaves nothing of former owners; rows of shared tables have no others.
    fn claim(&self, routed: &mut Vec<Routed>, table: &TableSpec, claim: Claim) {
        let is_always_shared = table.place == Place::Shared && matches!(claim.owner, Owner::Shared(_));
        if self.scope == Scope::Delta && !is_always_shared {
            routed.push(Routed::Claim(claim));
        }
    }
}

/// The key under which the changes of a shared row are brought together: its chunk chooses the partition.
pub(super) fn in_chunk(chunk: u8, hash: RowHash) -> SpillKey {
    let mut key = hash;
    key[0] = chunk;
    key
}

/// Keeps the changes of one batch until it is complete.
pub(crate) struct Inbox {
    pub(super) scope: Scope,
    pub(super) units: Spill,
    pub(super) shared: Spill,
    pub(super) claims: Vec<Claim>,
}

impl Inbox {
    pub(crate) fn new(scope: Scope) -> Result<Self, RowsError> {
        Ok(Self {
            scope,
            units: Spill::with_memory(UNIT_BYTES_MAX)?,
            shared: Spill::with_memory(SHARED_BYTES_MAX)?,
            claims: Vec::new(),
        })
    }

    /// Keeps one routed change.
    pub(crate) fn take(&mut self, routed: Routed) -> Result<(), RowsError> {
        match routed {
            Routed::Unit(key, bytes) => self.units.add(key, bytes)?,
            Routed::Shared(chunk, hash, bytes) => self.shared.add(in_chunk(chunk, hash), bytes)?,
            Routed::Claim(claim) => self.claims.push(claim),
        }
        Ok(())
    }

    /// The removals of a full batch, of which each undoes what the batch itself says before them.
    pub(super) fn removals(&self) -> Removals {
        let mut removals = Removals::new();
        if self.scope == Scope::Full {
            for claim in &self.claims {
                let order = removals.entry(claim.hash).or_insert(claim.order);
                *order = claim.order.max(*order);
            }
        }
        removals
    }
}
