//! Keyed hashes: the names under which rows and their owners are kept.

use crate::engine::host_key::HostKey;
use lifeboat_feeds::Unit;

/// The name of an owner of rows.
pub(crate) type UnitKey = [u8; 16];

/// The name of a row: of its table and its key.
pub(crate) type RowHash = [u8; 16];

/// Makes the names, under a key of this host.
#[derive(Clone, Copy)]
pub(crate) struct RowHasher([u8; 32]);

impl RowHasher {
    pub(crate) fn new(host: &HostKey) -> Self {
        Self(blake3::derive_key("lifeboat 2026 rows", &host.digest_key()))
    }

    /// The name of a row.
    pub(crate) fn row(&self, table: &str, key: &str) -> RowHash {
        let mut hash = blake3::Hasher::new_keyed(&self.0);
        hash.update(table.as_bytes()).update(b"\0").update(key.as_bytes());
        first(&hash.finalize())
    }

    /// The number of the chunk in which a shared row is kept: rows whose keys begin alike lie together.
    pub(crate) fn chunk(&self, table: &str, key: &str) -> u8 {
        self.row(table, beginning(key).unwrap_or(key))[0]
    }

    /// The name of an owner.
    pub(crate) fn unit(&self, unit: &Unit) -> UnitKey {
        match unit {
            Unit::Patient(name) => self.row("unit:patient", name),
            Unit::Day(day) => self.row("unit:day", &day.to_string()),
            Unit::Shared => self.row("unit:shared", ""),
        }
    }

    /// The digest of some bytes.
    pub(crate) fn digest(&self, bytes: &[u8]) -> [u8; 16] {
        first(&blake3::keyed_hash(&self.0, bytes))
    }
}

fn first(hash: &blake3::Hash) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(&hash.as_bytes()[..16]);
    digest
}

/// What separates the parts of a key of several columns.
const KEY_SEPARATOR: char = '|';

/// The first part of a key of several columns.
pub(crate) fn beginning(key: &str) -> Option<&str> {
    key.split_once(KEY_SEPARATOR).map(|(first, _)| first)
}

/// The first half of a row's name, by which lists of looked-up rows are kept.
pub(crate) fn half(hash: &RowHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The first quarter of a row's name, by which lists of owned rows are kept.
pub(crate) fn quarter(hash: &RowHash) -> u32 {
    let [a, b, c, d, ..] = *hash;
    u32::from_be_bytes([a, b, c, d])
}
