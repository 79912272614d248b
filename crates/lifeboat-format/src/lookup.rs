//! The lookup key, and how a record's name becomes its key.

use crate::hex;
use crate::ids::{IdError, RecordKey};
use hmac::{Hmac, KeyInit, Mac};
use jiff::civil::Date;
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Says that the operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("draw randomness from the operating system")]
pub struct RandomnessError(#[source] getrandom::Error);

/// Fills bytes from the operating system's randomness.
pub(crate) fn draw_random(bytes: &mut [u8]) -> Result<(), RandomnessError> {
    getrandom::fill(bytes).map_err(RandomnessError)
}

/// The site's secret key, made once, that turns record names into record keys.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct LookupKey([u8; 32]);

impl LookupKey {
    /// Makes a new key from the operating system's randomness.
    pub fn generate() -> Result<Self, RandomnessError> {
        let mut key = Self([0; 32]);
        draw_random(&mut key.0)?;
        Ok(key)
    }

    /// Reads a key from 64 lowercase hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, IdError> {
        hex::decode(text).map(Self).ok_or(IdError::Hex { digits: 64 })
    }

    /// Returns the key as hexadecimal digits, to be written where only the service and recipients read.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&self.0))
    }

    /// Returns the key of the record with this name.
    pub fn record_key(&self, name: &RecordName<'_>) -> RecordKey {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        match name {
            RecordName::Patient(identity) => {
                mac.update(b"patient:");
                mac.update(identity.as_bytes());
            }
            RecordName::Day(date) => {
                mac.update(b"day:");
                mac.update(date.to_string().as_bytes());
            }
        }
        let mut key = [0; 16];
        key.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        RecordKey::from_bytes(key)
    }
}

impl fmt::Debug for LookupKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LookupKey(redacted)")
    }
}

/// What a record is about, before it is hidden behind a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RecordName<'a> {
    /// A patient, by the stable identity text of the source.
    Patient(&'a str),
    /// The day list of a date.
    Day(Date),
}

impl fmt::Debug for RecordName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patient(_) => formatter.write_str("Patient(redacted)"),
            Self::Day(date) => write!(formatter, "Day({date})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LookupKey, RecordName};

    #[test]
    fn a_record_key_is_the_beginning_of_the_hmac_of_the_name() {
        let key = LookupKey::from_hex(&"0b".repeat(32)).unwrap();
        let day = jiff::civil::date(2026, 11, 21);
        // Computed with `printf 'day:2026-11-21' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b…`.
        assert_eq!(key.record_key(&RecordName::Day(day)).to_string(), "b52623a11dd1a4178cc3a88cd656a646");
        assert_eq!(
            key.record_key(&RecordName::Patient("Patient/1")).to_string(),
            "77349d9df8aeacef272886197cbb95ec"
        );
    }

    #[test]
    fn two_generated_keys_differ_and_debug_shows_neither() {
        let (one, two) = (LookupKey::generate().unwrap(), LookupKey::generate().unwrap());
        assert!(one != two);
        assert_eq!(format!("{one:?}"), "LookupKey(redacted)");
        assert!(LookupKey::from_hex(&one.to_hex()).unwrap() == one);
    }

    #[test]
    fn names_of_patients_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", RecordName::Patient("SMITH")), "Patient(redacted)");
    }
}
