//! Tests: keys print back to themselves, and everything else is refused.

use super::{KeyError, ObjectKey, TileId, WriteStage};
use crate::ids::{Digest, EpochNumber};
use proptest::prelude::*;

const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn every_kind_of_key_prints_back_to_itself() {
    let rows = [
        "RECOVER.txt",
        "lifeboat.json",
        "HEAD",
        "epochs/1/recipients.age",
        "epochs/4294967295/passphrase.age",
        &format!("dicts/{HEX}"),
        &format!("packs/ba/{HEX}"),
        &format!("indexes/ba/{HEX}"),
        &format!("manifests/ba/{HEX}"),
        "log/tile/0/000",
        "log/tile/0/000.p/1",
        "log/tile/63/x001/x234/067.p/255",
        "log/tile/entries/x001/x234/067",
        "checkpoints/00000000000000000042",
        "checkpoints/18446744073709551615",
    ];
    for text in rows {
        assert_eq!(text.parse::<ObjectKey>().map(|key| key.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn anything_else_is_refused() {
    let rows = [
        "",
        "/HEAD",
        "HEAD/",
        "head",
        "recover.txt",
        "../HEAD",
        "epochs/0/recipients.age",
        "epochs/01/recipients.age",
        "epochs/1/other.age",
        "epochs/1",
        "dicts/BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        &format!("dicts/ba/{HEX}"),
        &format!("packs/{HEX}"),
        &format!("packs/bb/{HEX}"),
        &format!("packs/ba/{HEX}/"),
        &format!("packs//{HEX}"),
        &format!("packs/ba/{HEX}#1"),
        "log/tile/64/000",
        "log/tile/00/000",
        "log/tile/0/0",
        "log/tile/0/0000",
        "log/tile/0/x000/001",
        "log/tile/0/001/002",
        "log/tile/0/x001/x002",
        "log/tile/0/000.p/0",
        "log/tile/0/000.p/256",
        "log/tile/0/000.p/01",
        "log/tile/entries",
        "log/tile/entries/x018/x446/x744/x073/x709/x551/616",
        "checkpoints/42",
        "checkpoints/+0000000000000000042",
        "checkpoints/99999999999999999999",
    ];
    for text in rows {
        assert_eq!(text.parse::<ObjectKey>(), Err(KeyError), "{text}");
    }
}

#[test]
fn keys_named_by_content_say_so() {
    let digest: Digest = HEX.parse().unwrap();
    for text in [format!("packs/ba/{HEX}"), format!("dicts/{HEX}"), format!("manifests/ba/{HEX}")] {
        assert_eq!(text.parse::<ObjectKey>().unwrap().content_digest(), Some(digest));
    }
    assert_eq!(ObjectKey::Head.content_digest(), None);
    assert_eq!(ObjectKey::EpochRecipients(EpochNumber::FIRST).content_digest(), None);
}

#[test]
fn what_is_referred_to_is_written_before_what_refers_to_it() {
    let order = ["epochs/1/recipients.age", "packs", "indexes", "manifests", "log/tile/0/000"];
    let stages: Vec<WriteStage> = order
        .iter()
        .map(|text| match text.contains('/') {
            true => text.parse::<ObjectKey>().unwrap(),
            false => format!("{text}/ba/{HEX}").parse().unwrap(),
        })
        .chain([ObjectKey::Checkpoint(1), ObjectKey::Head])
        .map(|key| key.write_stage())
        .collect();
    assert!(stages.is_sorted() && stages.windows(2).all(|pair| pair[0] != pair[1]), "{stages:?}");
}

#[test]
fn tiles_have_a_width_of_1_to_256() {
    assert_eq!(TileId::hashes(0, 0, 0), None);
    assert_eq!(TileId::hashes(64, 0, 1), None);
    assert_eq!(TileId::entries(0, 257), None);
    let full = TileId::entries(5, 256).unwrap();
    assert!(!full.is_partial() && full.width() == 256);
    let partial = TileId::entries(5, 3).unwrap();
    assert!(partial.is_partial() && partial.width() == 3 && partial.full() == full);
}

proptest! {
    #[test]
    fn any_tile_prints_back_to_itself(level in proptest::option::of(0_u8..64), index: u64, width in 1_u16..=256) {
        let tile = match level {
            Some(level) => TileId::hashes(level, index, width),
            None => TileId::entries(index, width),
        };
        let key = ObjectKey::Tile(tile.unwrap());
        prop_assert_eq!(key.to_string().parse::<ObjectKey>(), Ok(key));
    }

    #[test]
    fn whatever_parses_prints_back_to_itself(text in "(epochs|dicts|packs|log/tile|checkpoints|HEAD)?[/0-9a-fx.p]{0,40}") {
        crate::fuzz::object_key(text.as_bytes());
    }
}
