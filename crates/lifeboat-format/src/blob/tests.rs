//! Tests: records come back, and damage is noticed.

use super::{OpenError, Opener, RECORD_BYTES_MAX, Sealer, blob_bytes_max};
use crate::dictionary::{Dictionary, tests::trained};
use crate::epoch::EpochIdentity;
use crate::frame::FrameError;
use crate::sealed::AgeOpenError;
use proptest::prelude::*;

fn record(number: usize) -> Vec<u8> {
    format!(
        "{{\"resourceType\":\"Bundle\",\"id\":\"{number}\",\"note\":\"{}\"}}",
        "text ".repeat(number % 40)
    )
    .into_bytes()
}

#[test]
fn records_come_back_with_and_without_a_dictionary() {
    let identity = EpochIdentity::generate();
    let dictionary = trained(1);
    let mut plain = Sealer::new(&identity.recipient(), None).unwrap();
    let mut learnt = Sealer::new(&identity.recipient(), Some(&dictionary)).unwrap();
    let mut opener = Opener::new(identity, vec![trained(2), dictionary]).unwrap();
    for number in 0..20 {
        for sealer in [&mut plain, &mut learnt] {
            let blob = sealer.seal(&record(number)).unwrap();
            assert!(blob.starts_with(b"age-encryption.org/v1\n"));
            assert_eq!(*opener.open(&blob, 10_000).unwrap(), record(number));
        }
    }
}

#[test]
fn a_record_needs_the_dictionary_that_its_frame_names() {
    let identity = EpochIdentity::generate();
    let dictionary = trained(1);
    let blob = Sealer::new(&identity.recipient(), Some(&dictionary)).unwrap().seal(&record(3)).unwrap();
    let mut opener = Opener::new(identity.clone(), vec![trained(2)]).unwrap();
    match opener.open(&blob, 10_000) {
        Err(OpenError::Frame(FrameError::UnknownDictionary { id })) => assert_eq!(id, dictionary.id()),
        other => panic!("{other:?}"),
    }
    let twice = Opener::new(identity, vec![dictionary.clone(), dictionary]);
    assert!(matches!(twice, Err(OpenError::DuplicateDictionary { .. })));
}

#[test]
fn another_epoch_opens_nothing() {
    let blob = Sealer::new(&EpochIdentity::generate().recipient(), None).unwrap().seal(b"{}").unwrap();
    let error = Opener::new(EpochIdentity::generate(), vec![]).unwrap().open(&blob, 100).unwrap_err();
    assert!(matches!(error, OpenError::Age(AgeOpenError::WrongKey)), "{error:?}");
}

#[test]
fn records_above_the_callers_limit_are_refused() {
    let identity = EpochIdentity::generate();
    let blob = Sealer::new(&identity.recipient(), None).unwrap().seal(&[7; 5000]).unwrap();
    let mut opener = Opener::new(identity, vec![]).unwrap();
    let error = opener.open(&blob, 4999).unwrap_err();
    assert!(matches!(error, OpenError::Frame(FrameError::ContentTooLarge { .. })), "{error:?}");
    let error = opener.open(&vec![0; blob_bytes_max(10) + 1], 10).unwrap_err();
    assert!(matches!(error, OpenError::Age(AgeOpenError::TooLarge { .. })), "{error:?}");
}

#[test]
fn incompressible_records_keep_the_bound_on_blobs() {
    let identity = EpochIdentity::generate();
    let mut state = 1_u64;
    let mut noise = |length: usize| -> Vec<u8> {
        let next = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (*state >> 56) as u8
        };
        (0..length).map(|_| next(&mut state)).collect()
    };
    let mut sealer = Sealer::new(&identity.recipient(), None).unwrap();
    for length in [0, 1, 100, 5000, 70_000, 1_500_000] {
        let blob = sealer.seal(&noise(length)).unwrap();
        assert!(blob.len() <= blob_bytes_max(length as u64), "{length} became {}", blob.len());
    }
    assert!(blob_bytes_max(u64::MAX) == blob_bytes_max(RECORD_BYTES_MAX));
}

#[test]
fn any_flip_of_one_byte_makes_a_blob_unreadable() {
    let identity = EpochIdentity::generate();
    let mut blob = Sealer::new(&identity.recipient(), None).unwrap().seal(&record(5)).unwrap();
    let mut opener = Opener::new(identity, vec![]).unwrap();
    for index in 0..blob.len() {
        let mask = 1 << (index % 8);
        blob[index] ^= mask;
        assert!(opener.open(&blob, 10_000).is_err(), "byte {index}");
        blob[index] ^= mask;
    }
    opener.open(&blob, 10_000).unwrap();
}

#[test]
fn debug_output_shows_neither_keys_nor_dictionaries() {
    let identity = EpochIdentity::generate();
    let opener = Opener::new(identity, vec![trained(1)]).unwrap();
    assert_eq!(format!("{opener:?}"), format!("Opener {{ dictionaries: [{}], .. }}", trained(1).id()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_comes_back(record: Vec<u8>, with_dictionary: bool) {
        let identity = EpochIdentity::generate();
        let dictionary: Option<Dictionary> = with_dictionary.then(|| trained(1));
        let blob = Sealer::new(&identity.recipient(), dictionary.as_ref()).unwrap().seal(&record).unwrap();
        let mut opener = Opener::new(identity, dictionary.into_iter().collect()).unwrap();
        prop_assert_eq!(&*opener.open(&blob, RECORD_BYTES_MAX).unwrap(), &record);
    }
}
