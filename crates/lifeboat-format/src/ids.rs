//! Digests, keys, codes and numbers that are checked once, at the border, and trusted afterwards.

use crate::hex;
use crate::text::{parse_decimal, serde_as_text};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// Says why a text is not one of the format's ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is not the expected number of lowercase hexadecimal digits.
    #[error("expected {digits} lowercase hexadecimal digits")]
    Hex {
        /// How many digits the id has.
        digits: usize,
    },
    /// The text is not a site code.
    #[error("expected a site code of 1 to 16 capital letters and digits")]
    SiteCode,
    /// The text or value is not a number of the expected range.
    #[error("expected a decimal number of at least 1, without leading zeros")]
    Number,
}

/// The SHA-256 of some stored bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps 32 bytes that already are a SHA-256.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        hex::decode(text).map(Self).ok_or(IdError::Hex { digits: 64 })
    }
}

serde_as_text!(Digest, "64 lowercase hexadecimal digits");

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digest);

        impl $name {
            /// Returns the id of an object with these stored bytes.
            pub fn of(bytes: &[u8]) -> Self {
                Self(Digest::of(bytes))
            }

            /// Returns the digest that the id is.
            pub const fn digest(&self) -> Digest {
                self.0
            }
        }

        impl From<Digest> for $name {
            fn from(digest: Digest) -> Self {
                Self(digest)
            }
        }

        impl From<$name> for Digest {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self)
            }
        }

        serde_as_text!($name, "64 lowercase hexadecimal digits");
    };
}

digest_id!(
    /// Names a pack by the digest of its bytes.
    PackId
);
digest_id!(
    /// Names an index object by the digest of its bytes.
    IndexId
);
digest_id!(
    /// Names a sealed dictionary by the digest of its bytes.
    DictId
);
digest_id!(
    /// Names a manifest by the digest of its bytes.
    ManifestId
);

/// The first eight bytes of a pack's id, by which index rows refer to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackPrefix([u8; 8]);

impl From<PackId> for PackPrefix {
    fn from(id: PackId) -> Self {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&id.digest().as_bytes()[..8]);
        Self(prefix)
    }
}

impl fmt::Display for PackPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for PackPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for PackPrefix {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        hex::decode(text).map(Self).ok_or(IdError::Hex { digits: 16 })
    }
}

serde_as_text!(PackPrefix, "16 lowercase hexadecimal digits");

/// Names a record: a keyed hash of the record's name, so it tells nothing without the lookup key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 16]);

impl RecordKey {
    /// Wraps 16 bytes that already are a record key.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the first four bytes, by which locator parts are ordered.
    pub const fn prefix(&self) -> KeyPrefix {
        KeyPrefix([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for RecordKey {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        hex::decode(text).map(Self).ok_or(IdError::Hex { digits: 32 })
    }
}

serde_as_text!(RecordKey, "32 lowercase hexadecimal digits");

/// The first four bytes of a record key, where a locator part begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPrefix([u8; 4]);

impl fmt::Display for KeyPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for KeyPrefix {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        hex::decode(text).map(Self).ok_or(IdError::Hex { digits: 8 })
    }
}

serde_as_text!(KeyPrefix, "8 lowercase hexadecimal digits");

/// The code of one practice, such as its ODS code: 1 to 16 capital letters and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteCode(String);

impl SiteCode {
    /// The longest code in characters.
    pub const LENGTH_MAX: usize = 16;

    /// Returns the code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the origin of the site's log, which is also the name of its signing key.
    pub fn origin(&self) -> String {
        format!("lifeboat/{}", self.0)
    }
}

impl fmt::Display for SiteCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SiteCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for SiteCode {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let plain =
            text.bytes().all(|character| character.is_ascii_uppercase() || character.is_ascii_digit());
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(IdError::SiteCode) }
    }
}

serde_as_text!(SiteCode, "a site code of 1 to 16 capital letters and digits");

/// The number of a snapshot within its site, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Sequence(u64);

impl Sequence {
    /// The first snapshot of a site.
    pub const FIRST: Self = Self(1);
    /// The largest number: JSON readers keep integers exact up to here.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Returns the number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the number after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

impl TryFrom<u64> for Sequence {
    type Error = IdError;
    fn try_from(number: u64) -> Result<Self, IdError> {
        if (1..=Self::MAX.0).contains(&number) { Ok(Self(number)) } else { Err(IdError::Number) }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The number of an epoch within its site, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct EpochNumber(u32);

impl EpochNumber {
    /// The first epoch of a site.
    pub const FIRST: Self = Self(1);

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the number after this one, unless the numbers are used up.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl From<EpochNumber> for u32 {
    fn from(number: EpochNumber) -> Self {
        number.0
    }
}

impl TryFrom<u32> for EpochNumber {
    type Error = IdError;
    fn try_from(number: u32) -> Result<Self, IdError> {
        if number == 0 { Err(IdError::Number) } else { Ok(Self(number)) }
    }
}

impl FromStr for EpochNumber {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = parse_decimal(text).and_then(|number| u32::try_from(number).ok());
        number.ok_or(IdError::Number)?.try_into()
    }
}

impl fmt::Display for EpochNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests;
