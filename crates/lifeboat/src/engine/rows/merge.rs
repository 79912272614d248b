//! What a batch makes of the rows of one owner. Functions of rows and changes alone.

use super::change::{Change, Order, Step};
use super::hash::{RowHash, RowHasher, quarter};
use lifeboat_feeds::{TableSpec, UnitRows};
use std::collections::{HashMap, HashSet};

/// Removals of which a full batch does not say whose row they mean.
pub(crate) type Removals = HashMap<RowHash, Order>;

/// Applies the changes of one batch to the rows of one owner; the order in which they came does not matter.
pub(crate) fn merge(rows: &mut UnitRows, mut changes: Vec<Change>, removals: &Removals, hasher: &RowHasher) {
    changes.sort_by_key(|change| change.order);
    if is_removed(&changes) {
        *rows = UnitRows::default();
        return;
    }
    let mut dropped = HashSet::new();
    for Change { order, step } in changes {
        match step {
            Step::Put { table, key, values, .. } => {
                let is_undone = !removals.is_empty()
                    && removals.get(&hasher.row(table.name, &key)).is_some_and(|removal| *removal > order);
                if is_undone {
                    rows.remove(table.name, &key);
                } else {
                    rows.put(table, &key, values);
                }
            }
            Step::Remove { table, key } => {
                rows.remove(table.name, &key);
            }
            Step::RemoveUnit { said_in: None } => *rows = UnitRows::default(),
            Step::RemoveUnit { said_in: Some(_) } => {}
            Step::Drop(hash) => {
                dropped.insert(hash);
            }
        }
    }
    drop_rows(rows, &dropped, hasher);
}

/// Whether a row of the batch removes the owner and no greater row of the same table says otherwise.
///
/// Tables of a batch are read in no particular order, so what other tables say of the owner does not count.
fn is_removed(changes: &[Change]) -> bool {
    let removal = changes.iter().rev().find_map(|change| match change.step {
        Step::RemoveUnit { said_in: Some(table) } => Some((table, change.order)),
        _ => None,
    });
    let Some((said_in, removed)) = removal else { return false };
    !changes.iter().any(|change| match &change.step {
        Step::Put { table, .. } => std::ptr::eq::<TableSpec>(*table, said_in) && change.order > removed,
        _ => false,
    })
}

/// Removes the rows of these names.
pub(crate) fn drop_rows(rows: &mut UnitRows, dropped: &HashSet<RowHash>, hasher: &RowHasher) {
    if dropped.is_empty() {
        return;
    }
    let found: Vec<(String, String)> = rows
        .all()
        .filter(|(table, row)| dropped.contains(&hasher.row(table, row.key())))
        .map(|(table, row)| (table.to_owned(), row.key().to_owned()))
        .collect();
    for (table, key) in found {
        rows.remove(&table, &key);
    }
}

/// The sorted short names of an owner's rows.
pub(crate) fn own_keys(rows: &UnitRows, hasher: &RowHasher) -> Vec<u32> {
    let mut keys: Vec<u32> = rows.all().map(|(table, row)| quarter(&hasher.row(table, row.key()))).collect();
    keys.sort_unstable();
    keys
}
