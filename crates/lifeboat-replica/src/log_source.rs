//! Reads a replica's log back and checks it against a signed checkpoint.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::{StreamExt as _, TryStreamExt as _};
use lifeboat_format::log::{
    BUNDLE_BYTES_MAX, Entry, Log, MerkleTree, decode_bundle, encode_bundle, hash_leaf,
};
use lifeboat_format::{Checkpoint, NOTE_BYTES_MAX, ObjectKey, TileId, VerificationKey, open_checkpoint};

use crate::error::ReadError;
use crate::reader::Reader;

/// How many tiles are fetched at once.
const TILES_AT_ONCE_MAX: usize = 16;

/// A checkpoint whose signature was checked, and the note that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The signed note, as it is stored.
    pub note: String,
}

impl SignedCheckpoint {
    /// Returns the object that holds it.
    pub fn object_key(&self) -> ObjectKey {
        ObjectKey::Checkpoint(self.checkpoint.size)
    }
}

impl Reader {
    /// Reads the checkpoint of a log size and checks its signature.
    pub async fn checkpoint(&self, size: u64, key: &VerificationKey) -> Result<SignedCheckpoint, ReadError> {
        let object = ObjectKey::Checkpoint(size);
        let bytes = self.object(&object, NOTE_BYTES_MAX as u64).await?;
        let note = std::str::from_utf8(&bytes).map_err(|source| self.invalid(&object, source))?;
        let checkpoint = open_checkpoint(note, key).map_err(|source| self.invalid(&object, source))?;
        if checkpoint.size != size {
            return Err(self.contradiction(&object, "it signs another size than its name says"));
        }
        Ok(SignedCheckpoint { checkpoint, note: note.to_owned() })
    }

    /// Reads the log that a checkpoint signs.
    pub async fn log(&self, checkpoint: &Checkpoint) -> Result<Log, ReadError> {
        let object = ObjectKey::Checkpoint(checkpoint.size);
        let tiles = self.tiles(Log::tiles_needed(checkpoint.size)).await?;
        let log = Log::from_tiles(checkpoint.size, &tiles).map_err(|source| self.invalid(&object, source))?;
        if log.root() == checkpoint.root {
            Ok(log)
        } else {
            Err(self.contradiction(&object, "the log's tiles have another root than it signs"))
        }
    }

    /// Reads entries of the log and checks them against its leaves.
    pub async fn entries(&self, tree: &MerkleTree, range: Range<u64>) -> Result<Vec<Entry>, ReadError> {
        let bundles = bundles_of(tree.size(), &range);
        let stored = self.tiles(bundles.clone()).await?;
        let mut entries = Vec::new();
        for tile in bundles {
            let object = ObjectKey::Tile(tile);
            let first = tile.index() * TileId::FULL_WIDTH;
            let decoded = self.decode_checked(tree, tile, &stored)?;
            for (_, entry) in (first..).zip(decoded).filter(|(index, _)| range.contains(index)) {
                entries.push(Entry::parse(&entry).map_err(|source| self.invalid(&object, source))?);
            }
        }
        Ok(entries)
    }

    /// Reads an entry bundle and checks its entries against the leaves; a partial one may come from a fuller one.
    pub(crate) async fn bundle(&self, tree: &MerkleTree, tile: TileId) -> Result<Vec<u8>, ReadError> {
        let stored = self.tiles(vec![tile]).await?;
        Ok(encode_bundle(&self.decode_checked(tree, tile, &stored)?))
    }

    fn decode_checked(
        &self,
        tree: &MerkleTree,
        tile: TileId,
        stored: &BTreeMap<TileId, Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let object = ObjectKey::Tile(tile);
        let found = [tile, tile.full()].into_iter().find_map(|id| Some((id, stored.get(&id)?)));
        let (id, bytes) = found.ok_or_else(|| self.missing(&object))?;
        let mut entries = decode_bundle(bytes, id.width()).map_err(|source| self.invalid(&object, source))?;
        entries.truncate(usize::from(tile.width()));
        let first = tile.index() * TileId::FULL_WIDTH;
        let good = (first..).zip(&entries).all(|(index, entry)| tree.leaf(index) == Some(hash_leaf(entry)));
        if good {
            Ok(entries)
        } else {
            Err(self.contradiction(&object, "an entry does not hash to its leaf"))
        }
    }

    /// Fetches tiles; in the place of a partial tile that is not there, the full one.
    async fn tiles(&self, tiles: Vec<TileId>) -> Result<BTreeMap<TileId, Vec<u8>>, ReadError> {
        futures::stream::iter(tiles.into_iter().map(|tile| async move {
            match self.object(&ObjectKey::Tile(tile), tile_bytes_max(&tile)).await {
                Err(error) if error.is_missing() && tile.is_partial() => {
                    let full = tile.full();
                    match self.object(&ObjectKey::Tile(full), tile_bytes_max(&full)).await {
                        Ok(bytes) => Ok((full, bytes.to_vec())),
                        Err(_) => Err(error),
                    }
                }
                read => read.map(|bytes| (tile, bytes.to_vec())),
            }
        }))
        .buffered(TILES_AT_ONCE_MAX)
        .try_collect()
        .await
    }
}

/// Returns the most bytes that a tile may have.
pub(crate) fn tile_bytes_max(tile: &TileId) -> u64 {
    match tile.level() {
        Some(_) => u64::from(tile.width()) * 32,
        None => BUNDLE_BYTES_MAX as u64,
    }
}

/// Lists the entry bundles of a log of some size that hold a range of entries.
pub(crate) fn bundles_of(size: u64, range: &Range<u64>) -> Vec<TileId> {
    if range.is_empty() {
        return Vec::new();
    }
    let (first, last) = (range.start / TileId::FULL_WIDTH, (range.end - 1) / TileId::FULL_WIDTH);
    (first..=last)
        .filter_map(|index| {
            let width = (size - index * TileId::FULL_WIDTH).min(TileId::FULL_WIDTH);
            TileId::entries(index, u16::try_from(width).ok()?)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::bundles_of;

    #[test]
    fn bundles_cover_a_range_of_entries() {
        let names = |size, range: std::ops::Range<u64>| {
            bundles_of(size, &range).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(300, 0..300), ["entries/000", "entries/001.p/44"]);
        assert_eq!(names(300, 256..257), ["entries/001.p/44"]);
        assert_eq!(names(300, 255..256), ["entries/000"]);
        assert_eq!(names(512, 0..512), ["entries/000", "entries/001"]);
        assert_eq!(names(3, 1..1), [] as [&str; 0]);
    }
}
