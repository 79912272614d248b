//! The log: an append-only Merkle tree (RFC 6962) over everything that happened, stored as C2SP `tlog-tiles`.
//!
//! [`MerkleTree`] holds the hashes and makes proofs. [`Log`] adds what a writer needs to append entries and to know
//! which tiles and entry bundles that changes.

mod bundle;
mod entry;
mod proof;
mod tree;

pub use bundle::{BUNDLE_BYTES_MAX, BundleError, decode_bundle, encode_bundle};
pub use entry::{ENTRY_BYTES_MAX, Entry, EntryError};
pub use proof::{ProofError, hash_leaf, hash_node, verify_consistency, verify_inclusion};
pub use tree::{MerkleTree, tiles_for_growth};

use crate::ids::Digest;
use crate::key::{ObjectKey, TileId};
use std::collections::BTreeMap;

/// The largest log that is read back: a snapshot a minute for more than thirty years.
pub const LOG_SIZE_MAX: u64 = 1 << 24;

/// Says why a log could not be read back from its tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The log is larger than [`LOG_SIZE_MAX`].
    #[error("log of {size} entries is too large")]
    TooLarge {
        /// How many entries it has.
        size: u64,
    },
    /// A tile is missing.
    #[error("tile {tile} of the log is missing")]
    MissingTile {
        /// The missing tile.
        tile: TileId,
    },
    /// A hash tile has another length than its width asks for.
    #[error("tile {tile} of the log has the wrong length")]
    TileLength {
        /// The tile.
        tile: TileId,
    },
    /// An entry bundle is malformed.
    #[error("entry bundle {tile} is malformed")]
    Bundle {
        /// The bundle.
        tile: TileId,
        /// What is wrong with it.
        source: BundleError,
    },
    /// An entry does not hash to the leaf in the hash tile.
    #[error("an entry of bundle {tile} does not hash to its leaf")]
    Leaf {
        /// The bundle.
        tile: TileId,
    },
}

/// A log that can grow: all leaf hashes, and the entries of the last, incomplete bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    tree: MerkleTree,
    tail: Vec<Vec<u8>>,
}

/// What growing a log by some entries makes necessary to write, before its new checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The tiles and bundles to create.
    pub objects: Vec<(ObjectKey, Vec<u8>)>,
    /// The new size.
    pub size: u64,
    /// The new root.
    pub root: Digest,
}

impl Log {
    /// Returns an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lists the tiles from which [`Log::from_tiles`] reads back a log of this size.
    pub fn tiles_needed(size: u64) -> Vec<TileId> {
        let width = u16::try_from(size % TileId::FULL_WIDTH).unwrap_or_default();
        let full = size / TileId::FULL_WIDTH;
        let full_tiles = (0..full).filter_map(|index| TileId::hashes(0, index, 256));
        full_tiles.chain(TileId::hashes(0, full, width)).chain(TileId::entries(full, width)).collect()
    }

    /// Reads back a log of this size. Instead of a partial tile, the full tile of the same place will do.
    ///
    /// Whether the log is the right one shows when its root is compared with a checkpoint.
    pub fn from_tiles(size: u64, tiles: &BTreeMap<TileId, Vec<u8>>) -> Result<Self, LogError> {
        if size > LOG_SIZE_MAX {
            return Err(LogError::TooLarge { size });
        }
        let mut log = Self::new();
        for tile in Self::tiles_needed(size) {
            let stored = [tile, tile.full()].into_iter().find_map(|id| Some((id, tiles.get(&id)?)));
            let (stored, bytes) = stored.ok_or(LogError::MissingTile { tile })?;
            let width = usize::from(tile.width());
            if tile.level().is_some() {
                if bytes.len() != usize::from(stored.width()) * 32 {
                    return Err(LogError::TileLength { tile });
                }
                bytes.chunks_exact(32).take(width).for_each(|hash| {
                    let mut leaf = [0; 32];
                    leaf.copy_from_slice(hash);
                    log.tree.push(Digest::from_bytes(leaf));
                });
            } else {
                let mut entries = decode_bundle(bytes, stored.width())
                    .map_err(|source| LogError::Bundle { tile, source })?;
                entries.truncate(width);
                let first = tile.index() * TileId::FULL_WIDTH;
                let hashes = entries.iter().map(|entry| Some(hash_leaf(entry)));
                if !(first..size).map(|index| log.tree.leaf(index)).eq(hashes) {
                    return Err(LogError::Leaf { tile });
                }
                log.tail = entries;
            }
        }
        Ok(log)
    }

    /// Returns the tree of hashes.
    pub const fn tree(&self) -> &MerkleTree {
        &self.tree
    }

    /// Returns how many entries the log has.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Returns the root.
    pub fn root(&self) -> Digest {
        self.tree.root()
    }

    /// Appends entries and returns what must be written.
    pub fn append(&mut self, entries: &[Entry]) -> Result<Growth, EntryError> {
        let encoded: Vec<Vec<u8>> = entries.iter().map(Entry::to_bytes).collect::<Result<_, _>>()?;
        let old_size = self.size();
        let first_bundle = old_size / TileId::FULL_WIDTH;
        for entry in encoded {
            self.tree.push(hash_leaf(&entry));
            self.tail.push(entry);
        }
        let mut objects = Vec::new();
        for tile in tiles_for_growth(old_size, self.size()) {
            let bytes = match tile.level() {
                Some(_) => self.tree.tile(&tile),
                None => {
                    let skipped = (tile.index() - first_bundle) * TileId::FULL_WIDTH;
                    let entries = self.tail.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
                    Some(encode_bundle(entries.take(usize::from(tile.width()))))
                }
            };
            objects.push((ObjectKey::Tile(tile), bytes.expect("a grown tree has its own tiles")));
        }
        let complete = (self.size() / TileId::FULL_WIDTH - first_bundle) * TileId::FULL_WIDTH;
        self.tail.drain(..usize::try_from(complete).unwrap_or(usize::MAX).min(self.tail.len()));
        Ok(Growth { objects, size: self.size(), root: self.root() })
    }
}

#[cfg(test)]
mod tests;
