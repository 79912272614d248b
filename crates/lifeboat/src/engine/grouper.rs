//! Brings the pieces of one record together when they lie in many documents.
//!
//! Pieces wait in memory and, when they outgrow it, in sealed temporary files ([`Spill`]). At the end each partition is
//! small enough to be put together in memory.

use super::host_key::HostKey;
use super::spill::{Partition, Spill, SpillError};
use lifeboat_clinical::fhir::Piece;
use lifeboat_format::RecordKey;
use std::collections::BTreeMap;

/// Gathers pieces by record.
pub(crate) struct Grouper(Spill);

impl Grouper {
    pub(crate) fn new() -> Result<Self, SpillError> {
        Spill::new().map(Self)
    }

    #[cfg(test)]
    pub(crate) fn with_memory(waiting_bytes_max: usize) -> Result<Self, SpillError> {
        Spill::with_memory(waiting_bytes_max).map(Self)
    }

    /// Adds one piece of the record `key`.
    pub(crate) fn add(&mut self, key: RecordKey, piece: &Piece) -> Result<(), SpillError> {
        self.0.add(*key.as_bytes(), serde_json::to_vec(piece)?)
    }

    /// Hands out every record with its pieces, a partition at a time.
    pub(crate) fn into_partitions(
        self,
    ) -> impl Iterator<Item = Result<BTreeMap<RecordKey, Vec<Piece>>, SpillError>> {
        let (partitions, key) = self.0.into_partitions();
        partitions.into_iter().map(move |partition| records(partition, &key))
    }
}

fn records(partition: Partition, key: &HostKey) -> Result<BTreeMap<RecordKey, Vec<Piece>>, SpillError> {
    let mut records = BTreeMap::new();
    for (record, values) in partition.into_values(key)? {
        let pieces: Result<Vec<Piece>, _> =
            values.iter().map(|value| serde_json::from_slice(value)).collect();
        records.insert(RecordKey::from_bytes(record), pieces?);
    }
    Ok(records)
}
