//! Verifying checkpoints, entries and tiles.
//!
//! Leaf hashes are stored twice: as hash tiles, and in the entries themselves. Where the two disagree, the signed
//! root says which of them is damaged.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use lifeboat_format::log::{
    BUNDLE_BYTES_MAX, Entry, LOG_SIZE_MAX, MerkleTree, decode_bundle, hash_leaf, tiles_for_growth,
};
use lifeboat_format::{Checkpoint, Digest, ObjectKey, TileId, Verdict};

use super::{LogSeen, Note, Problem, SnapshotSeen, Verification};
use crate::layout_event::read_layout;
use crate::log_source::{SignedCheckpoint, bundles_of, tile_bytes_max};

/// How many small objects are read at once.
pub(super) const SMALL_AT_ONCE_MAX: usize = 16;

/// Among how many disagreements between tiles and entries every combination is tried.
const DISAGREEMENTS_TRIED_MAX: usize = 6;

/// 256 leaves as the entries and as the hash tile have them.
struct Chunk {
    bundle: TileId,
    tile: Option<TileId>,
    from_entries: Result<(Vec<Digest>, Vec<Entry>), Problem>,
    from_tile: Result<Vec<Digest>, Problem>,
}

/// Which of the two a chunk's leaves are taken from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Entries,
    Tile,
}

impl Chunk {
    fn leaves(&self, side: Side) -> &[Digest] {
        match (side, &self.from_entries, &self.from_tile) {
            (Side::Entries, Ok((leaves, _)), _) | (Side::Tile, _, Ok(leaves)) => leaves,
            _ => &[],
        }
    }

    fn agrees(&self) -> bool {
        matches!((&self.from_entries, &self.from_tile), (Ok((entries, _)), Ok(tile)) if entries == tile)
    }
}

impl Verification<'_> {
    /// Checks every listed checkpoint by itself and returns the valid ones, in order.
    pub(super) async fn check_checkpoints(&mut self) -> Vec<SignedCheckpoint> {
        let sizes: Vec<u64> = self.listing.checkpoints().collect();
        let (reader, key) = (self.reader, self.key);
        let reads = sizes.into_iter().map(|size| async move { (size, reader.checkpoint(size, key).await) });
        let mut reads = futures::stream::iter(reads).buffered(SMALL_AT_ONCE_MAX);
        let mut valid = Vec::new();
        while let Some((size, read)) = reads.next().await {
            match read {
                Ok(checkpoint) => {
                    self.count(checkpoint.note.len());
                    valid.push(checkpoint);
                }
                Err(error) => self.find(Some(ObjectKey::Checkpoint(size)), Problem::from(&error), None),
            }
        }
        valid
    }

    /// Checks that all older checkpoints lie on the way to the newest.
    pub(super) fn check_history(&mut self, checkpoints: &[SignedCheckpoint], tree: &MerkleTree) {
        for SignedCheckpoint { checkpoint, .. } in checkpoints {
            if tree.root_at(checkpoint.size) != Some(checkpoint.root) {
                let key = ObjectKey::Checkpoint(checkpoint.size);
                self.find(Some(key), Problem::Forked { size: checkpoint.size }, None);
            }
        }
    }

    /// Compares the newest checkpoint with one that was seen before.
    pub(super) fn check_known(&mut self, newest: &Checkpoint, tree: Option<&MerkleTree>) {
        let Some(known) = &self.options.known else { return };
        if known.size > newest.size {
            self.find(None, Problem::RolledBack { known: known.size, newest: newest.size }, None);
        } else if tree.is_some_and(|tree| tree.root_at(known.size) != Some(known.root)) {
            self.find(None, Problem::Forked { size: known.size }, None);
        }
    }

    /// Reads the log up to a checkpoint and finds out what of it is damaged.
    pub(super) async fn check_log(&mut self, newest: &Checkpoint) -> LogSeen {
        if newest.size > LOG_SIZE_MAX {
            let what = "it signs a larger log than a site can have";
            self.find(Some(ObjectKey::Checkpoint(newest.size)), Problem::Contradiction { what }, None);
            return LogSeen::default();
        }
        let mut chunks = Vec::new();
        {
            let this = &*self;
            let bundles = bundles_of(newest.size, &(0..newest.size));
            let reads = bundles.into_iter().map(|bundle| this.read_chunk(bundle));
            let mut reads = futures::stream::iter(reads).buffered(SMALL_AT_ONCE_MAX);
            while let Some(chunk) = reads.next().await {
                chunks.push(chunk);
            }
        }
        let chosen = choose_sides(&chunks, newest.root);
        let mut seen = LogSeen { tree: chosen.as_ref().map(|(tree, _)| tree.clone()), ..LogSeen::default() };
        if chosen.is_none() {
            let what = "neither entries nor tiles of the log have the root that it signs";
            self.find(Some(ObjectKey::Checkpoint(newest.size)), Problem::Contradiction { what }, None);
        }
        for (number, chunk) in chunks.into_iter().enumerate() {
            let right = chosen.as_ref().map(|(_, sides)| chunk.leaves(sides[number]).to_vec());
            self.judge_chunk(chunk, right.as_deref(), &mut seen);
        }
        self.report.snapshots = seen.snapshots.len() as u64;
        self.report.newest = seen.snapshots.last().map(|(_, snapshot)| *snapshot);
        let accepted = |snapshot: &&(u64, SnapshotSeen)| snapshot.1.verdict == Verdict::Accepted;
        self.report.newest_accepted =
            seen.snapshots.iter().rev().find(accepted).map(|(_, snapshot)| *snapshot);
        seen
    }

    async fn read_chunk(&self, bundle: TileId) -> Chunk {
        let tile = TileId::hashes(0, bundle.index(), bundle.width());
        let from_entries = self.read_entries(bundle).await;
        let from_tile = match tile {
            Some(tile) => self.read_hashes(tile).await,
            None => Err(Problem::Missing),
        };
        Chunk { bundle, tile, from_entries, from_tile }
    }

    async fn read_entries(&self, bundle: TileId) -> Result<(Vec<Digest>, Vec<Entry>), Problem> {
        let key = ObjectKey::Tile(bundle);
        let bytes =
            self.reader.object(&key, BUNDLE_BYTES_MAX as u64).await.map_err(|error| Problem::from(&error))?;
        let invalid = |error: &dyn std::error::Error| Problem::Invalid { cause: error.to_string() };
        let raw = decode_bundle(&bytes, bundle.width()).map_err(|error| invalid(&error))?;
        let entries = raw.iter().map(|entry| Entry::parse(entry)).collect::<Result<_, _>>();
        Ok((raw.iter().map(|entry| hash_leaf(entry)).collect(), entries.map_err(|error| invalid(&error))?))
    }

    async fn read_hashes(&self, tile: TileId) -> Result<Vec<Digest>, Problem> {
        let key = ObjectKey::Tile(tile);
        let bytes =
            self.reader.object(&key, tile_bytes_max(&tile)).await.map_err(|error| Problem::from(&error))?;
        if bytes.len() as u64 != tile_bytes_max(&tile) {
            return Err(Problem::Size { found: bytes.len() as u64, expected: tile_bytes_max(&tile) });
        }
        Ok(bytes.chunks_exact(32).filter_map(|hash| hash.try_into().ok().map(Digest::from_bytes)).collect())
    }

    /// Reports what of a chunk is damaged, and takes in what its entries say.
    fn judge_chunk(&mut self, chunk: Chunk, right: Option<&[Digest]>, seen: &mut LogSeen) {
        let Chunk { bundle, tile, from_entries, from_tile } = chunk;
        let bundle_key = ObjectKey::Tile(bundle);
        self.tiles_read.insert(bundle_key);
        match from_entries {
            Err(problem) => self.find(Some(bundle_key), problem, None),
            Ok((leaves, _)) if right.is_some_and(|right| right != leaves) => {
                self.find(Some(bundle_key), Problem::Digest, None);
            }
            Ok((_, entries)) => {
                let size = self.listing.objects.get(&bundle_key).copied().unwrap_or_default();
                self.count(usize::try_from(size).unwrap_or_default());
                let first = bundle.index() * TileId::FULL_WIDTH;
                (first..).zip(entries).for_each(|(index, entry)| seen.take_in(index, &entry));
            }
        }
        let Some(tile_key) = tile.map(ObjectKey::Tile) else { return };
        self.tiles_read.insert(tile_key);
        let expected = right.map(|right| Digest::of(&concatenated(right)));
        match from_tile {
            Err(problem) => self.find(Some(tile_key), problem, expected),
            Ok(leaves) if right.is_some_and(|right| right != leaves) => {
                self.find(Some(tile_key), Problem::Digest, expected);
            }
            Ok(leaves) => self.count(leaves.len() * 32),
        }
    }

    /// Checks all other tiles: the higher levels, and partial ones that earlier sizes left.
    pub(super) async fn check_tiles(&mut self, tree: &MerkleTree) {
        let needed: BTreeSet<ObjectKey> =
            tiles_for_growth(0, tree.size()).into_iter().map(ObjectKey::Tile).collect();
        for key in needed.iter().filter(|key| !self.tiles_read.contains(key)).copied().collect::<Vec<_>>() {
            let is_there = self.listing.objects.contains_key(&key)
                || self.reader.size(&key).await.is_ok_and(|size| size.is_some());
            if !is_there {
                self.find(Some(key), Problem::Missing, expected_tile(tree, &key));
            }
        }
        let others: Vec<TileId> = self
            .listing
            .objects
            .keys()
            .filter(|key| !self.tiles_read.contains(key))
            .filter_map(|key| match key {
                ObjectKey::Tile(tile) => Some(*tile),
                _ => None,
            })
            .collect();
        let reader = self.reader;
        let reads = others.into_iter().map(|tile| async move {
            (tile, reader.object(&ObjectKey::Tile(tile), tile_bytes_max(&tile)).await)
        });
        let mut reads = futures::stream::iter(reads).buffered(SMALL_AT_ONCE_MAX);
        let mut uncommitted = 0;
        while let Some((tile, read)) = reads.next().await {
            let key = ObjectKey::Tile(tile);
            if !is_committed(&tile, tree.size()) {
                uncommitted += 1;
                continue;
            }
            match read {
                Err(error) => self.find(Some(key), Problem::from(&error), expected_tile(tree, &key)),
                Ok(bytes) if !is_right_tile(tree, &tile, &bytes) => {
                    self.find(Some(key), Problem::Digest, expected_tile(tree, &key));
                }
                Ok(bytes) => self.count(bytes.len()),
            }
        }
        if uncommitted > 0 {
            self.report.notes.push(Note::Uncommitted { count: uncommitted });
        }
    }
}

impl LogSeen {
    fn take_in(&mut self, index: u64, entry: &Entry) {
        if entry.snapshot().is_some() {
            self.newest_entry = Some(index);
        }
        if let Some(layout) = read_layout(entry) {
            self.layout = Some(layout);
        }
        if let Entry::Snapshot { sequence, manifest, verdict, .. } = entry {
            self.snapshots
                .push((index, SnapshotSeen { sequence: *sequence, manifest: *manifest, verdict: *verdict }));
        }
    }
}

/// Finds out from which side each chunk's leaves must come to have the signed root.
fn choose_sides(chunks: &[Chunk], root: Digest) -> Option<(MerkleTree, Vec<Side>)> {
    let disputed: Vec<usize> =
        chunks.iter().enumerate().filter(|(_, chunk)| !chunk.agrees()).map(|(number, _)| number).collect();
    let combinations = if disputed.len() <= DISAGREEMENTS_TRIED_MAX { 1_u32 << disputed.len() } else { 1 };
    let by_bits = |bits: u32| {
        let mut sides = vec![Side::Entries; chunks.len()];
        for (bit, number) in disputed.iter().enumerate() {
            if bits >> bit & 1 == 1 {
                sides[*number] = Side::Tile;
            }
        }
        sides
    };
    let readable = chunks
        .iter()
        .map(|chunk| if chunk.from_entries.is_ok() { Side::Entries } else { Side::Tile })
        .collect::<Vec<_>>();
    let candidates =
        [readable, vec![Side::Tile; chunks.len()]].into_iter().chain((0..combinations).map(by_bits));
    candidates.into_iter().find_map(|sides| {
        let leaves = chunks.iter().zip(&sides).flat_map(|(chunk, side)| chunk.leaves(*side));
        let tree = MerkleTree::from_leaves(leaves.copied());
        (tree.root() == root).then_some((tree, sides))
    })
}

/// Says whether everything in a tile lies within a log of this size.
fn is_committed(tile: &TileId, size: u64) -> bool {
    let level = u32::from(tile.level().unwrap_or(0)) * 8;
    let end =
        tile.index().checked_mul(TileId::FULL_WIDTH).and_then(|first| first.checked_add(tile.width().into()));
    end.is_some_and(|end| level < u64::BITS && end <= size >> level)
}

fn is_right_tile(tree: &MerkleTree, tile: &TileId, bytes: &[u8]) -> bool {
    if tile.level().is_some() {
        return tree.tile(tile).is_some_and(|expected| expected == bytes);
    }
    let first = tile.index() * TileId::FULL_WIDTH;
    decode_bundle(bytes, tile.width()).is_ok_and(|entries| {
        (first..).zip(entries).all(|(index, entry)| tree.leaf(index) == Some(hash_leaf(&entry)))
    })
}

fn expected_tile(tree: &MerkleTree, key: &ObjectKey) -> Option<Digest> {
    match key {
        ObjectKey::Tile(tile) => tree.tile(tile).map(|bytes| Digest::of(&bytes)),
        _ => None,
    }
}

fn concatenated(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect()
}
