//! Entry bundles: up to 256 entries, each with its length in two bytes before it.

use super::entry::ENTRY_BYTES_MAX;

/// The largest entry bundle.
pub const BUNDLE_BYTES_MAX: usize = 256 * (2 + ENTRY_BYTES_MAX);

/// Says why bytes are not an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bundle ends inside an entry.
    #[error("the bundle ends inside an entry")]
    Truncated,
    /// An entry is empty or larger than [`ENTRY_BYTES_MAX`].
    #[error("an entry of {bytes} bytes is not between 1 and {ENTRY_BYTES_MAX} bytes long")]
    EntryLength {
        /// How long the entry is.
        bytes: usize,
    },
    /// The bundle holds another number of entries than its name says.
    #[error("the bundle does not hold {expected} entries")]
    Count {
        /// How many it should hold.
        expected: u16,
    },
}

/// Joins entries, each of at most [`ENTRY_BYTES_MAX`] bytes, to a bundle.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("an entry is at most 1 KiB long");
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    bundle
}

/// Splits a bundle into its entries, of which there must be `width`.
pub fn decode_bundle(bundle: &[u8], width: u16) -> Result<Vec<Vec<u8>>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or(BundleError::Truncated)?;
        let bytes = usize::from(u16::from_be_bytes(*length));
        if !(1..=ENTRY_BYTES_MAX).contains(&bytes) {
            return Err(BundleError::EntryLength { bytes });
        }
        let (entry, after) = after.split_at_checked(bytes).ok_or(BundleError::Truncated)?;
        if entries.len() == usize::from(width) {
            return Err(BundleError::Count { expected: width });
        }
        entries.push(entry.to_vec());
        rest = after;
    }
    if entries.len() == usize::from(width) {
        Ok(entries)
    } else {
        Err(BundleError::Count { expected: width })
    }
}
