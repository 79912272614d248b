//! Tests: rows come back, are found in few parts, and are merged.

use super::{
    DirectoryRoot, DirectoryRow, FinishedIndex, INDEX_PART_BYTES_MAX, IndexBuilder, IndexContent,
    LocatorChange, LocatorRow, OpenPartError, PartKind, PartRows, RecordKind, build_index,
    directory_parts_for_name, find_locator, locator_part_for, merge_directory, merge_locators,
    open_directory_part, open_locator_part, open_part, open_root_part, read_locators, read_rows, sort_name,
};
use crate::epoch::EpochIdentity;
use crate::ids::{Digest, PackId, RecordKey};
use crate::index::BuildIndexError;
use crate::pack::BlobPlace;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn key(number: u64) -> RecordKey {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(&number.to_be_bytes()).as_bytes()[..16]);
    RecordKey::from_bytes(bytes)
}

fn put(key: RecordKey, version: u64) -> LocatorChange {
    let digest = Digest::of(&version.to_be_bytes());
    let place = BlobPlace { pack: PackId::from(digest), offset: version, length: 5000, digest };
    LocatorRow::new(key, RecordKind::Patient, place).into()
}

fn person(number: u64) -> DirectoryRow {
    let mut row = DirectoryRow::new(key(number));
    let families = ["Example", "Sample", "Test", "Specimen", "Ördög", "O'Case"];
    row.family = Some(format!("{}{}", families[(number % 6) as usize], number / 60));
    row.given = vec![format!("Given{}", number % 10)];
    row.phones = vec![format!("01632 {:06}", number)];
    row.address = vec![format!("{number} Any Street"), "Anytown".to_owned()];
    row
}

fn content(people: u64) -> IndexContent {
    IndexContent {
        days: vec![jiff::civil::date(2026, 11, 21)],
        patients: people,
        directory: (0..people).map(person).collect(),
        locators: (0..people).map(|number| put(key(number), number)).collect(),
    }
}

fn slice<'a>(index: &'a FinishedIndex, part: &super::PartEntry) -> &'a [u8] {
    let range = part.range();
    let bytes = &index.bytes[range.start as usize..range.end as usize];
    assert!(part.check(bytes));
    bytes
}

/// Opens every part and returns root, directory rows by part, and all locator rows.
fn open_all(
    index: &FinishedIndex,
    identity: &EpochIdentity,
) -> (DirectoryRoot, Vec<Vec<DirectoryRow>>, Vec<LocatorChange>) {
    let (mut root, mut directory, mut locators) = (None, Vec::new(), Vec::new());
    for part in &index.parts {
        match open_part(part.kind, slice(index, part), identity).unwrap() {
            PartRows::Directory(rows) => directory.push(rows),
            PartRows::DirectoryRoot(rows) => root = Some(rows),
            PartRows::Locator(rows) => locators.extend(rows),
        }
    }
    (root.unwrap(), directory, locators)
}

#[test]
fn an_index_of_many_parts_gives_back_every_row() {
    let identity = EpochIdentity::generate();
    let index = build_index(content(6000), &identity.recipient()).unwrap();
    let entry = index.entry();
    assert!(entry.directory_parts().len() >= 2 && entry.locator_parts().len() >= 4);
    assert!(index.parts.iter().all(|part| part.length as usize <= INDEX_PART_BYTES_MAX));
    let full = |parts: &[super::PartEntry]| {
        parts[..parts.len() - 1].iter().all(|part| part.length as usize > INDEX_PART_BYTES_MAX / 4 * 3)
    };
    assert!(full(entry.directory_parts()) && full(entry.locator_parts()), "parts are well filled");

    let (root, directory, locators) = open_all(&index, &identity);
    assert_eq!((root.patients, root.days.len(), root.fences.len()), (6000, 1, directory.len()));
    let mut expected = content(6000);
    expected.locators.sort_by_key(LocatorChange::key);
    assert_eq!(locators, expected.locators);
    expected.directory.sort_by_cached_key(|row| (row.sort_name(), row.key));
    assert_eq!(directory.concat(), expected.directory);
}

#[test]
fn every_record_is_found_by_opening_one_part() {
    let identity = EpochIdentity::generate();
    let index = build_index(content(3000), &identity.recipient()).unwrap();
    let mut opened = BTreeMap::new();
    for number in 0..3000 {
        let part = locator_part_for(&index.parts, key(number)).unwrap();
        let rows = opened
            .entry(part.offset)
            .or_insert_with(|| open_locator_part(slice(&index, part), &identity).unwrap());
        assert!(find_locator(rows, &[], key(number)).is_some());
    }
    assert!(opened.len() >= 2);
}

#[test]
fn every_name_is_found_by_opening_the_parts_that_the_root_says() {
    let identity = EpochIdentity::generate();
    let index = build_index(content(6000), &identity.recipient()).unwrap();
    let (root, directory, _) = open_all(&index, &identity);
    for prefix in ["", "example", "o case1", "ordog", "sample0 given3", "t", "test99", "zz"] {
        let within = directory_parts_for_name(&root, prefix);
        for (number, rows) in directory.iter().enumerate() {
            let holds = rows.iter().any(|row| row.sort_name().starts_with(prefix));
            assert!(!holds || within.contains(&number), "{prefix} in part {number}, not in {within:?}");
        }
    }
    assert_eq!(directory_parts_for_name(&root, ""), 0..directory.len());
    assert!(directory_parts_for_name(&root, "specimen7 given1").len() < directory.len());
}

#[test]
fn equal_names_may_fill_several_parts_and_are_all_found() {
    let identity = EpochIdentity::generate();
    let same = |number| {
        let mut row = person(number);
        row.family = Some("Same".to_owned());
        row.given = vec!["Name".to_owned()];
        row
    };
    let mut content = content(0);
    content.directory = (0..6000).map(same).collect();
    let index = build_index(content, &identity.recipient()).unwrap();
    let (root, directory, _) = open_all(&index, &identity);
    assert!(directory.len() >= 2);
    assert_eq!(directory_parts_for_name(&root, "same name"), 0..directory.len());
    assert_eq!(directory.concat().len(), 6000);
}

#[test]
fn keys_with_one_beginning_stay_in_one_part() {
    let identity = EpochIdentity::generate();
    let like = |number: u64, beginning: u8| {
        let mut bytes = *key(number).as_bytes();
        bytes[..4].fill(beginning);
        put(RecordKey::from_bytes(bytes), number)
    };
    let mut content = content(0);
    content.locators = (0..2500).map(|number| like(number, (number / 500) as u8)).collect();
    let keys: Vec<RecordKey> = content.locators.iter().map(LocatorChange::key).collect();
    let index = build_index(content, &identity.recipient()).unwrap();
    assert!(index.entry().locator_parts().len() >= 2);
    for key in keys.into_iter().step_by(41) {
        let part = locator_part_for(&index.parts, key).unwrap();
        let rows = open_locator_part(slice(&index, part), &identity).unwrap();
        assert!(find_locator(&rows, &[], key).is_some());
    }
    let mut too_many = self::content(0);
    too_many.locators = (0..3000).map(|number| like(number, 7)).collect();
    assert!(matches!(build_index(too_many, &identity.recipient()), Err(BuildIndexError::PartTooLarge)));
}

#[test]
fn an_index_without_rows_is_a_root_alone() {
    let identity = EpochIdentity::generate();
    let index = build_index(IndexContent::default(), &identity.recipient()).unwrap();
    assert_eq!(index.parts.len(), 1);
    assert_eq!(open_root_part(&index.bytes, &identity).unwrap().patients, 0);
    assert!(locator_part_for(&index.parts, key(1)).is_none());
}

#[test]
fn rows_out_of_order_are_refused_when_writing_and_when_reading() {
    let recipient = EpochIdentity::generate().recipient();
    let mut builder = IndexBuilder::new(&recipient, Vec::new(), vec![], 0).unwrap();
    let (mut one, mut two) = (put(key(1), 1), put(key(2), 2));
    if one.key() > two.key() {
        std::mem::swap(&mut one, &mut two);
    }
    builder.push_locator(&one).unwrap();
    builder.push_locator(&two).unwrap();
    assert!(matches!(builder.push_locator(&two), Err(BuildIndexError::Order)));
    assert!(matches!(builder.push_directory(&person(1)), Err(BuildIndexError::Order)));

    let lines = |rows: &[LocatorChange]| -> Vec<u8> {
        rows.iter().flat_map(|row| [serde_json::to_vec(row).unwrap(), b"\n".to_vec()].concat()).collect()
    };
    assert_eq!(read_locators(&lines(&[one, two])).unwrap(), [one, two]);
    assert!(matches!(read_locators(&lines(&[two, one])), Err(OpenPartError::Order { line: 2 })));
    assert!(matches!(read_locators(&lines(&[one, one])), Err(OpenPartError::Order { line: 2 })));
}

#[test]
fn rows_are_stored_as_documented_and_nothing_else_is_read() {
    let stored = |row: &LocatorChange| serde_json::to_string(row).unwrap();
    let key: RecordKey = "00112233445566778899aabbccddeeff".parse().unwrap();
    let tombstone = format!("{{\"k\":\"{key}\",\"t\":\"x\"}}");
    assert_eq!(stored(&LocatorChange::Tombstone(key)), tombstone);
    let row = put(key, 7);
    let place = row.row().unwrap().place;
    let text = format!(
        "{{\"k\":\"{key}\",\"t\":\"p\",\"p\":\"{}\",\"o\":7,\"l\":5000,\"h\":\"{}\"}}",
        place.pack, place.digest
    );
    assert_eq!(stored(&row), text);
    let read = |text: &str| read_rows::<LocatorChange>(format!("{text}\n").as_bytes());
    assert_eq!(read(&text).unwrap(), [row]);
    for bad in [
        text.replace("\"t\":\"p\"", "\"t\":\"x\""),
        text.replace("\"t\":\"p\"", "\"t\":\"q\""),
        text.replace("\"o\":7,", ""),
        text.replace("\"o\":7", "\"o\":-7"),
        text.replace(&key.to_string(), &key.to_string().to_uppercase()),
        format!("{text}{text}"),
        String::new(),
    ] {
        assert!(matches!(read(&bad), Err(OpenPartError::Row { line: 1 })), "{bad}");
    }
    assert!(matches!(read_rows::<LocatorChange>(text.as_bytes()), Err(OpenPartError::Unterminated)));
}

#[test]
fn directory_rows_leave_out_what_is_absent_and_hide_in_debug_output() {
    let key: RecordKey = "00112233445566778899aabbccddeeff".parse().unwrap();
    let mut row = DirectoryRow::new(key);
    assert_eq!(serde_json::to_string(&row).unwrap(), format!("{{\"k\":\"{key}\"}}"));
    row.family = Some("Hidden".to_owned());
    row.died = Some(super::Died::DateUnknown);
    let text = serde_json::to_string(&row).unwrap();
    assert_eq!(text, format!("{{\"k\":\"{key}\",\"family\":\"Hidden\",\"died\":true}}"));
    assert!(serde_json::from_str::<DirectoryRow>(&text).unwrap() == row);
    assert!(serde_json::from_str::<DirectoryRow>(&text.replace("true", "false")).is_err());
    assert!(!format!("{row:?}").contains("Hidden"));
}

#[test]
fn an_absurd_row_is_clipped_until_it_fits() {
    let recipient = EpochIdentity::generate().recipient();
    let mut row = person(1);
    assert!(!row.clip());
    row.other = vec!["x".repeat(300); 300];
    row.family = Some("é".repeat(20_000));
    row.died = Some(super::Died::On("y".repeat(1000)));
    let mut builder = IndexBuilder::new(&recipient, Vec::new(), vec![], 0).unwrap();
    assert!(matches!(builder.push_directory(&row), Err(BuildIndexError::RowTooLarge { .. })));
    assert!(row.clip());
    assert!(serde_json::to_vec(&row).unwrap().len() <= super::DIRECTORY_ROW_BYTES_MAX);
    assert_eq!(row.address, person(1).address);
}

#[test]
fn names_are_folded_for_sorting() {
    let rows = [
        ("O'Case", vec!["Ann-Marie"], "o case ann marie"),
        ("Ördög", vec!["Ágnes", "Éva"], "ordog agnes eva"),
        ("  van  der Test ", vec![], "van der test"),
        ("ﬁne", vec![], "fine"),
        ("", vec!["Only"], " only"),
    ];
    for (family, given, expected) in rows {
        let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
        assert_eq!(sort_name(family, &given), expected);
    }
}

#[test]
fn the_deltas_directory_replaces_and_removes() {
    let mut renamed = person(1);
    renamed.family = Some("Aaa".to_owned());
    let mut delta = vec![put(key(1), 9), LocatorChange::Tombstone(key(2)), put(key(7), 9)];
    delta.sort_by_key(LocatorChange::key);
    let merged = merge_directory((0..4).map(person), [renamed.clone(), person(7)], &delta);
    assert!(merged[0] == renamed);
    let mut keys: Vec<RecordKey> = merged.iter().map(|row| row.key).collect();
    keys.sort();
    let mut expected = [key(0), key(1), key(3), key(7)];
    expected.sort();
    assert_eq!(keys, expected);
    assert!(merged.is_sorted_by_key(DirectoryRow::sort_name));
}

#[test]
fn a_part_of_another_kind_or_epoch_does_not_open() {
    let identity = EpochIdentity::generate();
    let index = build_index(content(3), &identity.recipient()).unwrap();
    let locator = slice(&index, &index.entry().locator_parts()[0].clone());
    assert!(matches!(
        open_part(PartKind::DirectoryRoot, locator, &identity),
        Err(OpenPartError::Row { line: 1 })
    ));
    assert!(matches!(open_directory_part(locator, &EpochIdentity::generate()), Err(OpenPartError::Age(_))));
    assert!(matches!(
        open_directory_part(&vec![0; INDEX_PART_BYTES_MAX + 1], &identity),
        Err(OpenPartError::Age(_))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn base_and_delta_together_are_what_naive_bookkeeping_says(
        base in proptest::collection::btree_map(0_u64..60, 0_u64..1000, 0..60),
        delta in proptest::collection::btree_map(0_u64..80, proptest::option::of(0_u64..1000), 0..40),
    ) {
        let identity = EpochIdentity::generate();
        let build = |locators: Vec<LocatorChange>| {
            let index = build_index(IndexContent { locators, ..IndexContent::default() }, &identity.recipient());
            open_all(&index.unwrap(), &identity).2
        };
        let change = |(number, version): (&u64, &Option<u64>)| match version {
            Some(version) => put(key(*number), *version),
            None => LocatorChange::Tombstone(key(*number)),
        };
        let base_rows = build(base.iter().map(|(number, version)| put(key(*number), *version)).collect());
        let delta_rows = build(delta.iter().map(change).collect());

        let mut expected: BTreeMap<RecordKey, LocatorChange> = BTreeMap::new();
        for (number, version) in &base {
            expected.insert(key(*number), put(key(*number), *version));
        }
        for (number, version) in &delta {
            match version {
                Some(version) => expected.insert(key(*number), put(key(*number), *version)),
                None => expected.remove(&key(*number)),
            };
        }
        for number in 0..80 {
            let found = find_locator(&base_rows, &delta_rows, key(number));
            prop_assert_eq!(found, expected.get(&key(number)).and_then(LocatorChange::row));
        }
        let merged = merge_locators(base_rows, delta_rows);
        prop_assert!(merged.values().eq(expected.values().filter_map(LocatorChange::row)));
    }
}
