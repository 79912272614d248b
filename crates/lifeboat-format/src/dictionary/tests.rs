//! Tests: dictionaries are trained, sealed and recognised.

use super::{DICTIONARY_BYTES_MAX, DICTIONARY_TRAINED_BYTES, Dictionary, DictionaryError};
use crate::epoch::EpochIdentity;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Makes documents that share much and differ in detail, differently for each seed.
fn samples(seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    let mut sample = || {
        let items: Vec<String> = (0..40)
            .map(|_| {
                format!(
                    "{{\"resourceType\":\"Observation\",\"code\":{},\"value\":{seed}.{}}}",
                    draw() % 97,
                    draw()
                )
            })
            .collect();
        items.join(",\n").into_bytes()
    };
    (0..120).map(|_| sample()).collect()
}

/// Returns a dictionary trained on the samples of a seed.
pub(crate) fn trained(seed: u64) -> Dictionary {
    static TRAINED: [OnceLock<Dictionary>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    let slot = &TRAINED[usize::try_from(seed).unwrap()];
    slot.get_or_init(|| Dictionary::train(&samples(seed)).unwrap().unwrap()).clone()
}

#[test]
fn training_gives_the_same_dictionary_for_the_same_samples() {
    let dictionary = trained(1);
    assert!(dictionary.bytes().len() <= DICTIONARY_TRAINED_BYTES);
    assert!(dictionary == Dictionary::train(&samples(1)).unwrap().unwrap());
    assert!(dictionary.id() != trained(2).id());
}

#[test]
fn too_little_to_learn_from_gives_no_dictionary() {
    assert!(Dictionary::train(&[]).unwrap().is_none());
    assert!(Dictionary::train(&samples(1)[..10]).unwrap().is_none());
    assert!(Dictionary::train(&vec![b"short".to_vec(); 100]).unwrap().is_none());
}

#[test]
fn a_sealed_dictionary_opens_with_its_epoch_alone() {
    let identity = EpochIdentity::generate();
    let sealed = trained(1).seal(&identity.recipient()).unwrap();
    assert_eq!(sealed.id, crate::DictId::of(&sealed.bytes));
    assert!(Dictionary::open(&sealed.bytes, &identity).unwrap() == trained(1));
    assert!(matches!(
        Dictionary::open(&sealed.bytes, &EpochIdentity::generate()),
        Err(DictionaryError::Open(_))
    ));
}

#[test]
fn only_dictionaries_with_an_id_are_accepted() {
    let bytes = |bytes: &[u8]| Dictionary::from_bytes(Zeroizing::new(bytes.to_vec()));
    for bad in
        [&b""[..], b"raw content", &[0x37, 0xa4, 0x30, 0xec, 1, 0], &[0x37, 0xa4, 0x30, 0xec, 0, 0, 0, 0]]
    {
        assert!(matches!(bytes(bad), Err(DictionaryError::NotADictionary)), "{bad:?}");
    }
    assert!(matches!(bytes(&vec![0; DICTIONARY_BYTES_MAX + 1]), Err(DictionaryError::TooLarge { .. })));
}
