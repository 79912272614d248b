//! The tree of hashes: grows at the right edge, gives roots and proofs of every size it ever had.

use super::proof::hash_node;
use crate::ids::Digest;
use crate::key::TileId;

/// A Merkle tree in memory: for each level, the hashes of all complete subtrees of that height.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MerkleTree {
    levels: Vec<Vec<Digest>>,
}

impl MerkleTree {
    /// Returns an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a tree from its leaf hashes.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Digest>) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            let [.., left, right] = hashes[..] else { return };
            if hashes.len() % 2 == 1 {
                return;
            }
            hash = hash_node(&left, &right);
        }
    }

    /// Returns how many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Returns a leaf hash.
    pub fn leaf(&self, index: u64) -> Option<Digest> {
        self.subtree(0, index)
    }

    /// Returns the root.
    pub fn root(&self) -> Digest {
        self.root_at(self.size()).expect("a tree has a root of its own size")
    }

    /// Returns the root that the tree had at an earlier size.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        if size == 0 {
            return Some(Digest::of(b""));
        }
        (size <= self.size()).then(|| self.range(0, size)).flatten()
    }

    /// Proves that the leaf at an index is in the tree of this size.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut proof = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Proves that the tree of the new size continues the tree of the old size.
    pub fn consistency_proof(&self, old_size: u64, new_size: u64) -> Option<Vec<Digest>> {
        if old_size > new_size || new_size > self.size() {
            return None;
        }
        let mut proof = Vec::new();
        if old_size == 0 || old_size == new_size {
            return Some(proof);
        }
        let (mut start, mut end) = (0, new_size);
        while end != old_size {
            let middle = start + split(end - start);
            if old_size <= middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
            }
        }
        // The old tree itself, when complete, is known to the verifier.
        if start != 0 {
            proof.push(self.range(start, end)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// Returns the bytes of a hash tile, if the tree is large enough for it.
    pub fn tile(&self, tile: &TileId) -> Option<Vec<u8>> {
        let level = usize::from(tile.level()?) * 8;
        let first = usize::try_from(tile.index().checked_mul(TileId::FULL_WIDTH)?).ok()?;
        let end = first.checked_add(usize::from(tile.width()))?;
        let hashes = self.levels.get(level)?.get(first..end)?;
        Some(hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect())
    }

    fn subtree(&self, level: usize, index: u64) -> Option<Digest> {
        self.levels.get(level)?.get(usize::try_from(index).ok()?).copied()
    }

    /// Returns the root over the leaves from `start` to `end`, where `start` is a multiple of the largest power of
    /// two that is not above the length.
    fn range(&self, start: u64, end: u64) -> Option<Digest> {
        let length = end - start;
        if length.is_power_of_two() {
            let level = length.trailing_zeros();
            return self.subtree(usize::try_from(level).ok()?, start >> level);
        }
        let middle = start + split(length);
        Some(hash_node(&self.range(start, middle)?, &self.range(middle, end)?))
    }
}

/// Returns the largest power of two below a length of at least two.
const fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// Lists the tiles to write when a log grows: every tile that becomes full, and the partial ones at the edge.
pub fn tiles_for_growth(old_size: u64, new_size: u64) -> Vec<TileId> {
    let mut tiles = Vec::new();
    if new_size <= old_size {
        return tiles;
    }
    grown(old_size, new_size, |index, width| tiles.extend(TileId::entries(index, width)));
    let (mut old_hashes, mut new_hashes) = (old_size, new_size);
    for level in 0..=TileId::LEVEL_MAX {
        grown(old_hashes, new_hashes, |index, width| tiles.extend(TileId::hashes(level, index, width)));
        (old_hashes, new_hashes) = (old_hashes >> 8, new_hashes >> 8);
        if new_hashes == old_hashes {
            break;
        }
    }
    tiles
}

/// Calls back for each tile of one level that changes when it grows from `old` to `new` hashes.
fn grown(old: u64, new: u64, mut tile: impl FnMut(u64, u16)) {
    if new == old {
        return;
    }
    let (first, last) = (old / TileId::FULL_WIDTH, new / TileId::FULL_WIDTH);
    (first..last).for_each(|index| tile(index, 256));
    let width = u16::try_from(new % TileId::FULL_WIDTH).unwrap_or_default();
    if width > 0 {
        tile(last, width);
    }
}
