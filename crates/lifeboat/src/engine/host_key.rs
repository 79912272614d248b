//! The key that seals what the service keeps about its source on this host.
//!
//! The state database holds directory rows, which name patients. They are sealed with this key, so
//! that a copied state folder shows nothing without the key file beside it. Change detection uses a
//! second key derived from it, so that a digest of a document cannot be confirmed by a guess.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const NONCE_BYTES: usize = 24;

/// A 256-bit key that never leaves the host.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HostKey([u8; 32]);

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostKey(..)")
    }
}

/// Why a sealed value could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// The key text is not 64 hexadecimal digits.
    #[error("the host key is not 64 lowercase hexadecimal digits")]
    Malformed,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
    /// The value was not sealed with this key in this place, or was changed since.
    #[error("a sealed value does not open with the host key")]
    DoesNotOpen,
}

impl HostKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`HostKeyError::NoRandomness`].
    pub fn generate() -> Result<Self, HostKeyError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| HostKeyError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// Reads a key from its 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`HostKeyError::Malformed`].
    pub fn from_hex(text: &str) -> Result<Self, HostKeyError> {
        let text = text.trim().as_bytes();
        if text.len() != 64 {
            return Err(HostKeyError::Malformed);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Self(bytes))
    }

    /// Writes the key as 64 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Derives the key of the change-detection digests.
    pub(crate) fn digest_key(&self) -> [u8; 32] {
        blake3::derive_key("lifeboat 2026 change detection", &self.0)
    }

    /// Seals `value` so that it opens only under the same `place`.
    ///
    /// # Errors
    /// [`HostKeyError::NoRandomness`].
    pub(crate) fn seal(&self, place: &[u8], value: &[u8]) -> Result<Vec<u8>, HostKeyError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| HostKeyError::NoRandomness)?;
        let payload = Payload { msg: value, aad: place };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| HostKeyError::DoesNotOpen)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`HostKey::seal`] made for the same `place`.
    ///
    /// # Errors
    /// [`HostKeyError::DoesNotOpen`].
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HostKeyError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(HostKeyError::DoesNotOpen)?;
        let payload = Payload { msg: sealed, aad: place };
        let value = self.cipher().decrypt(&XNonce::from(*nonce), payload);
        value.map(Zeroizing::new).map_err(|_| HostKeyError::DoesNotOpen)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.0.into())
    }
}

fn hex_digit(character: u8) -> Result<u8, HostKeyError> {
    match character {
        b'0'..=b'9' => Ok(character - b'0'),
        b'a'..=b'f' => Ok(character - b'a' + 10),
        _ => Err(HostKeyError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::{HostKey, HostKeyError};

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_whole() {
        let key = HostKey::generate().expect("randomness");
        let mut sealed = key.seal(b"row 1", b"value").expect("seals");
        assert_eq!(key.open(b"row 1", &sealed).expect("opens").as_slice(), b"value");
        assert_eq!(key.open(b"row 2", &sealed), Err(HostKeyError::DoesNotOpen));
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        assert_eq!(key.open(b"row 1", &sealed), Err(HostKeyError::DoesNotOpen));
        assert_eq!(key.open(b"row 1", &sealed[..10]), Err(HostKeyError::DoesNotOpen));
    }

    #[test]
    fn the_key_text_round_trips_and_is_strict() {
        let key = HostKey::generate().expect("randomness");
        let text = key.to_hex();
        assert_eq!(HostKey::from_hex(&text).expect("reads").to_hex(), text);
        assert_eq!(format!("{key:?}"), "HostKey(..)");
        for bad in ["", "00", &"0G".repeat(32), &"AA".repeat(32)] {
            assert_eq!(HostKey::from_hex(bad).err(), Some(HostKeyError::Malformed), "{bad}");
        }
    }
}
