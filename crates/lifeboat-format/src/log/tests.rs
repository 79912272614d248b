//! Tests: roots, proofs, tiles and entries.

use super::{
    BundleError, ENTRY_BYTES_MAX, Entry, EntryError, Log, LogError, MerkleTree, ProofError, decode_bundle,
    encode_bundle, hash_leaf, hash_node, tiles_for_growth, verify_consistency, verify_inclusion,
};
use crate::ids::{Digest, ManifestId, Sequence};
use crate::key::{ObjectKey, TileId};
use crate::manifest::Verdict;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The root as RFC 6962 defines it, computed anew.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            hash_node(&naive_root(&leaves[..split]), &naive_root(&leaves[split..]))
        }
    }
}

fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|number| hash_leaf(&number.to_be_bytes())).collect()
}

fn event(number: u64) -> Entry {
    let time = jiff::Timestamp::from_second(1_795_000_000 + i64::try_from(number).unwrap()).unwrap();
    Entry::Event { time, name: "drill".to_owned(), detail: format!("round {number}") }
}

#[test]
fn roots_are_those_of_the_certificate_transparency_test_vectors() {
    let data: [&[u8]; 8] = [
        &[],
        &[0x00],
        &[0x10],
        &[0x20, 0x21],
        &[0x30, 0x31],
        &[0x40, 0x41, 0x42, 0x43],
        &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
        &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let tree = MerkleTree::from_leaves(data.iter().map(|leaf| hash_leaf(leaf)));
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(tree.root_at(size as u64).unwrap().to_string(), *root, "of {size} leaves");
    }
    assert_eq!(tree.root_at(9), None);
}

#[test]
fn every_leaf_of_every_size_is_proven_and_no_other() {
    let all = leaves(40);
    let tree = MerkleTree::from_leaves(all.iter().copied());
    for size in 1..=40 {
        let root = naive_root(&all[..size as usize]);
        assert_eq!(tree.root_at(size), Some(root));
        for index in 0..size {
            let proof = tree.inclusion_proof(index, size).unwrap();
            let leaf = tree.leaf(index).unwrap();
            verify_inclusion(&leaf, index, size, &proof, &root).unwrap();
            assert!(verify_inclusion(&Digest::of(b"other"), index, size, &proof, &root).is_err());
            assert!(size == 1 || verify_inclusion(&leaf, (index + 1) % size, size, &proof, &root).is_err());
            if !proof.is_empty() {
                let short = &proof[1..];
                assert!(verify_inclusion(&leaf, index, size, short, &root).is_err());
            }
            let long = [proof.clone(), vec![root]].concat();
            assert_eq!(verify_inclusion(&leaf, index, size, &long, &root), Err(ProofError::Length));
        }
        assert_eq!(verify_inclusion(&all[0], size, size, &[], &root), Err(ProofError::Range));
    }
}

#[test]
fn every_growth_is_proven_and_no_fork_is() {
    let all = leaves(40);
    let tree = MerkleTree::from_leaves(all.iter().copied());
    let mut forked = all.clone();
    forked[0] = Digest::of(b"fork");
    for new in 0..=40_u64 {
        let new_root = naive_root(&all[..new as usize]);
        for old in 0..=new {
            let old_root = naive_root(&all[..old as usize]);
            let proof = tree.consistency_proof(old, new).unwrap();
            verify_consistency(old, &old_root, new, &new_root, &proof).unwrap();
            if old > 0 {
                let fork = naive_root(&forked[..old as usize]);
                assert!(verify_consistency(old, &fork, new, &new_root, &proof).is_err());
            }
            let long = [proof.clone(), vec![new_root]].concat();
            assert!(verify_consistency(old, &old_root, new, &new_root, &long).is_err());
        }
        let back = verify_consistency(new + 1, &new_root, new, &new_root, &[]);
        assert_eq!(back, Err(ProofError::Range));
    }
}

#[test]
fn a_log_grows_in_any_steps_and_reads_back_from_what_it_wrote() {
    let steps = [1, 3, 200, 52, 1, 255, 1, 300, 700];
    let mut log = Log::new();
    let mut stored: BTreeMap<TileId, Vec<u8>> = BTreeMap::new();
    let mut number = 0;
    let mut hashes = Vec::new();
    for step in steps {
        let entries: Vec<Entry> = (number..number + step).map(event).collect();
        number += step;
        hashes.extend(entries.iter().map(|entry| hash_leaf(&entry.to_bytes().unwrap())));
        let growth = log.append(&entries).unwrap();
        assert_eq!((growth.size, growth.root), (number, naive_root(&hashes)));
        for (key, bytes) in growth.objects {
            let ObjectKey::Tile(tile) = key else { panic!("{key} is no tile") };
            assert!(stored.insert(tile, bytes).is_none(), "{tile} was written twice");
        }
        let needed = Log::tiles_needed(number);
        assert!(needed.iter().all(|tile| stored.contains_key(tile)), "of {number}");
        let back = Log::from_tiles(number, &stored).unwrap();
        assert!(back == log);
    }
    let level_one = TileId::hashes(1, 0, 5).unwrap();
    assert_eq!(stored[&level_one].len(), 5 * 32);
    assert_eq!(stored[&level_one][..32], *naive_root(&hashes[..256]).as_bytes());
}

#[test]
fn a_full_tile_stands_for_its_partial_ones() {
    let mut log = Log::new();
    log.append(&(0..10).map(event).collect::<Vec<_>>()).unwrap();
    let small = log.clone();
    let mut tiles = BTreeMap::new();
    for (key, bytes) in log.append(&(10..300).map(event).collect::<Vec<_>>()).unwrap().objects {
        if let ObjectKey::Tile(tile) = key {
            tiles.insert(tile, bytes);
        }
    }
    assert!(Log::from_tiles(10, &tiles).unwrap() == small);
    let hashes = TileId::hashes(0, 0, 256).unwrap();
    let bundle = TileId::entries(0, 256).unwrap();
    let mut bad = tiles.clone();
    bad.get_mut(&hashes).unwrap().pop();
    assert!(matches!(Log::from_tiles(10, &bad), Err(LogError::TileLength { .. })));
    let mut bad = tiles.clone();
    bad.get_mut(&hashes).unwrap()[0] ^= 1;
    assert!(matches!(Log::from_tiles(10, &bad), Err(LogError::Leaf { .. })));
    let mut bad = tiles.clone();
    bad.get_mut(&bundle).unwrap().pop();
    assert!(matches!(Log::from_tiles(10, &bad), Err(LogError::Bundle { .. })));
    tiles.remove(&bundle);
    assert!(matches!(Log::from_tiles(10, &tiles), Err(LogError::MissingTile { .. })));
    assert!(matches!(Log::from_tiles(u64::MAX, &tiles), Err(LogError::TooLarge { .. })));
}

#[test]
fn entries_read_back_and_what_is_unknown_is_kept() {
    let time: jiff::Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let manifest = ManifestId::of(b"manifest");
    let rows = [
        (
            Entry::Snapshot { time, sequence: Sequence::FIRST, manifest, verdict: Verdict::Held },
            format!(
                r#"{{"type":"snapshot","time":"2026-11-21T08:00:00Z","sequence":1,"manifest":"{manifest}","verdict":"held"}}"#
            ),
        ),
        (
            Entry::Heartbeat { time, sequence: Sequence::FIRST, manifest, source_time: None, next_by: time },
            format!(
                r#"{{"type":"heartbeat","time":"2026-11-21T08:00:00Z","sequence":1,"manifest":"{manifest}","source_time":null,"next_by":"2026-11-21T08:00:00Z"}}"#
            ),
        ),
        (
            Entry::Epoch { time, epoch: 2.try_into().unwrap() },
            r#"{"type":"epoch","time":"2026-11-21T08:00:00Z","epoch":2}"#.to_owned(),
        ),
        (
            Entry::Event { time, name: "release".to_owned(), detail: "by IT".to_owned() },
            r#"{"type":"event","time":"2026-11-21T08:00:00Z","name":"release","detail":"by IT"}"#.to_owned(),
        ),
        (Entry::Unknown(br#"{"type":"later","x":1}"#.to_vec()), r#"{"type":"later","x":1}"#.to_owned()),
    ];
    for (entry, text) in rows {
        assert_eq!(String::from_utf8(entry.to_bytes().unwrap()).unwrap(), text);
        assert_eq!(Entry::parse(text.as_bytes()), Ok(entry.clone()));
        let more = text.replacen('{', "{\"later\":true,", 1);
        assert!(Entry::parse(more.as_bytes()).is_ok(), "{more}");
    }
}

#[test]
fn malformed_entries_are_refused() {
    let long = format!(r#"{{"type":"later","x":"{}"}}"#, "x".repeat(ENTRY_BYTES_MAX));
    let rows: [(&str, EntryError); 5] = [
        ("", EntryError::Json),
        ("[]", EntryError::Json),
        (r#"{"type":"epoch","time":"2026-11-21T08:00:00Z","epoch":0}"#, EntryError::Fields),
        (r#"{"type":"epoch","time":"2026-11-21T09:00:00+01:00","epoch":1}"#, EntryError::Fields),
        (&long, EntryError::TooLarge { bytes: long.len() }),
    ];
    for (text, expected) in rows {
        assert_eq!(Entry::parse(text.as_bytes()), Err(expected), "{text}");
    }
    let large =
        Entry::Event { time: jiff::Timestamp::UNIX_EPOCH, name: "n".to_owned(), detail: "d".repeat(2000) };
    assert!(matches!(large.to_bytes(), Err(EntryError::TooLarge { .. })));
    assert!(matches!(Log::new().append(&[large]), Err(EntryError::TooLarge { .. })));
    assert!(matches!(Entry::Unknown(Vec::new()).to_bytes(), Err(EntryError::Json)));
}

#[test]
fn bundles_hold_what_their_name_says() {
    let entries = vec![b"one".to_vec(), b"three".to_vec()];
    let bundle = encode_bundle(&entries);
    assert_eq!(bundle, b"\x00\x03one\x00\x05three");
    assert_eq!(decode_bundle(&bundle, 2), Ok(entries));
    assert_eq!(decode_bundle(&bundle, 1), Err(BundleError::Count { expected: 1 }));
    assert_eq!(decode_bundle(&bundle, 3), Err(BundleError::Count { expected: 3 }));
    assert_eq!(decode_bundle(&bundle[..9], 2), Err(BundleError::Truncated));
    assert_eq!(decode_bundle(b"\0", 1), Err(BundleError::Truncated));
    assert_eq!(decode_bundle(b"\0\0", 1), Err(BundleError::EntryLength { bytes: 0 }));
    assert_eq!(decode_bundle(b"\x04\x01x", 1), Err(BundleError::EntryLength { bytes: 1025 }));
}

proptest! {
    #[test]
    fn growth_in_two_steps_writes_every_full_tile_once(old in 0_u64..70_000, more in 0_u64..70_000) {
        let new = old + more;
        let full = |from, to| tiles_for_growth(from, to).into_iter().filter(|tile| !tile.is_partial());
        let mut steps: Vec<TileId> = full(0, old).chain(full(old, new)).collect();
        let mut whole: Vec<TileId> = full(0, new).collect();
        steps.sort();
        whole.sort();
        prop_assert_eq!(steps, whole);
        let needed = Log::tiles_needed(new);
        let written: Vec<TileId> = tiles_for_growth(old, new);
        prop_assert!(new == old || needed.iter().filter(|tile| tile.is_partial()).all(|tile| written.contains(tile)));
    }

    #[test]
    fn proofs_of_larger_trees_hold(size in 1_u64..2000, index in 0_u64..2000, old in 0_u64..2000) {
        let (index, old) = (index % size, old % (size + 1));
        let all = leaves(size);
        let tree = MerkleTree::from_leaves(all.iter().copied());
        let root = naive_root(&all);
        prop_assert_eq!(tree.root(), root);
        let proof = tree.inclusion_proof(index, size).unwrap();
        prop_assert_eq!(verify_inclusion(&all[index as usize], index, size, &proof, &root), Ok(()));
        let old_root = naive_root(&all[..old as usize]);
        let proof = tree.consistency_proof(old, size).unwrap();
        prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
    }
}
