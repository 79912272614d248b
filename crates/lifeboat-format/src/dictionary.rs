//! Dictionaries: compression learnt from the site's own records, and therefore patient data, kept sealed.

use crate::epoch::{EpochIdentity, EpochRecipient};
use crate::ids::DictId;
use crate::sealed::{self, AGE_OVERHEAD_BYTES_MAX, AgeOpenError, AgeSealError};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How large a trained dictionary becomes at most.
pub const DICTIONARY_TRAINED_BYTES: usize = 110 * 1024;
/// The largest dictionary that is accepted.
pub const DICTIONARY_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of a sealed dictionary.
pub const SEALED_DICTIONARY_BYTES_MAX: usize = DICTIONARY_BYTES_MAX + AGE_OVERHEAD_BYTES_MAX;
/// The fewest samples from which a dictionary is trained.
pub const DICTIONARY_SAMPLES_MIN: usize = 16;

const DICTIONARY_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

/// Says which step of making or opening a dictionary failed.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// The dictionary could not be sealed.
    #[error("seal the dictionary")]
    Seal(#[source] AgeSealError),
    /// The sealed dictionary could not be opened.
    #[error("open the sealed dictionary")]
    Open(#[source] AgeOpenError),
    /// The bytes are not a zstd dictionary with an id.
    #[error("not a zstd dictionary with an id")]
    NotADictionary,
    /// The dictionary is larger than [`DICTIONARY_BYTES_MAX`].
    #[error("dictionary of {bytes} bytes is too large")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}

/// A zstd dictionary with an id. Cloning shares the bytes, which are wiped with the last clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary {
    id: u32,
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

impl Dictionary {
    /// Takes the bytes of a dictionary that carries an id.
    pub fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Result<Self, DictionaryError> {
        if bytes.len() > DICTIONARY_BYTES_MAX {
            return Err(DictionaryError::TooLarge { bytes: bytes.len() });
        }
        let header = bytes.strip_prefix(&DICTIONARY_MAGIC).and_then(|rest| rest.first_chunk::<4>());
        match header.map(|id| u32::from_le_bytes(*id)) {
            None | Some(0) => Err(DictionaryError::NotADictionary),
            Some(id) => Ok(Self { id, bytes: Arc::new(bytes) }),
        }
    }

    /// Trains a dictionary on samples, or returns nothing when there is too little to learn from.
    pub fn train(samples: &[Vec<u8>]) -> Result<Option<Self>, DictionaryError> {
        let total: usize = samples.iter().map(Vec::len).sum();
        if samples.len() < DICTIONARY_SAMPLES_MIN || total < DICTIONARY_TRAINED_BYTES {
            return Ok(None);
        }
        let mut joined = Zeroizing::new(Vec::with_capacity(total));
        for sample in samples {
            joined.extend_from_slice(sample);
        }
        let sizes: Vec<usize> = samples.iter().map(Vec::len).collect();
        match zstd::dict::from_continuous(&joined, &sizes, DICTIONARY_TRAINED_BYTES) {
            Ok(bytes) => Self::from_bytes(Zeroizing::new(bytes)).map(Some),
            // The trainer refuses samples from which nothing can be learnt; records then go without.
            Err(_) => Ok(None),
        }
    }

    /// Returns the id that frames made with this dictionary carry.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Returns the bytes, which are patient data.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Seals the dictionary for a replica.
    pub fn seal(&self, recipient: &EpochRecipient) -> Result<SealedDictionary, DictionaryError> {
        let recipients = std::iter::once(recipient.as_age() as &dyn age::Recipient);
        let bytes = sealed::seal_to(recipients, &self.bytes).map_err(DictionaryError::Seal)?;
        Ok(SealedDictionary { id: DictId::of(&bytes), bytes })
    }

    /// Opens a sealed dictionary.
    pub fn open(sealed: &[u8], identity: &EpochIdentity) -> Result<Self, DictionaryError> {
        sealed::open_with(identity.as_age(), sealed, SEALED_DICTIONARY_BYTES_MAX)
            .map_err(DictionaryError::Open)
            .and_then(Self::from_bytes)
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dictionary(id {}, {} bytes, redacted)", self.id, self.bytes.len())
    }
}

/// A dictionary as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDictionary {
    /// The id of the object.
    pub id: DictId,
    /// The sealed bytes.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
pub(crate) mod tests;
