//! Tests: ids have one spelling, numbers have their range.

use super::{Digest, EpochNumber, IdError, KeyPrefix, PackId, PackPrefix, RecordKey, Sequence, SiteCode};

#[test]
fn a_digest_is_the_sha256_of_the_bytes() {
    assert_eq!(
        Digest::of(b"abc").to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn hexadecimal_ids_have_one_spelling() {
    let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
    let short = &good[1..];
    let long = format!("{good}0");
    let upper = good.to_uppercase();
    let other = good.replace('b', "g");
    let spaced = format!(" {short}");
    for bad in ["", short, &long, &upper, &other, &spaced, "é".repeat(32).as_str()] {
        assert_eq!(bad.parse::<Digest>(), Err(IdError::Hex { digits: 64 }), "{bad}");
    }
    assert_eq!("00".parse::<RecordKey>(), Err(IdError::Hex { digits: 32 }));
    assert_eq!("00".parse::<PackPrefix>(), Err(IdError::Hex { digits: 16 }));
    assert_eq!("00".parse::<KeyPrefix>(), Err(IdError::Hex { digits: 8 }));
}

#[test]
fn prefixes_are_the_beginning_of_what_they_abbreviate() {
    let id = PackId::of(b"abc");
    assert_eq!(PackPrefix::from(id).to_string(), "ba7816bf8f01cfea");
    let key: RecordKey = "00112233445566778899aabbccddeeff".parse().unwrap();
    assert_eq!(key.prefix().to_string(), "00112233");
}

#[test]
fn site_codes_are_short_capitals_and_digits() {
    for good in ["A", "A81001", "ABCDEFGHIJKLMNOP"] {
        assert_eq!(good.parse::<SiteCode>().unwrap().as_str(), good);
    }
    for bad in ["", "a81001", "A81 01", "ABCDEFGHIJKLMNOPQ", "A/1", "Ä1", ".."] {
        assert_eq!(bad.parse::<SiteCode>(), Err(IdError::SiteCode), "{bad}");
    }
    assert_eq!("A81001".parse::<SiteCode>().unwrap().origin(), "lifeboat/A81001");
}

#[test]
fn numbers_begin_at_one_and_stay_exact_in_json() {
    assert_eq!(Sequence::try_from(0), Err(IdError::Number));
    assert_eq!(Sequence::try_from(1), Ok(Sequence::FIRST));
    assert_eq!(Sequence::try_from(1 << 53), Err(IdError::Number));
    assert_eq!(Sequence::FIRST.next().number(), 2);
    for bad in ["", "0", "01", "+1", "-1", "1 ", "4294967296"] {
        assert_eq!(bad.parse::<EpochNumber>(), Err(IdError::Number), "{bad}");
    }
    assert_eq!("4294967295".parse::<EpochNumber>().unwrap().next(), None);
}

#[test]
fn a_bad_id_in_json_is_not_repeated_in_the_error() {
    let error = serde_json::from_str::<SiteCode>("\"SECRET NAME\"").unwrap_err().to_string();
    assert!(!error.contains("SECRET"), "{error}");
}
