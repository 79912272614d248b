//! Packs: blobs back to back, named by the digest of the whole.

use crate::ids::{Digest, PackId, RecordKey};

/// How large a pack may become, unless it holds one larger blob alone.
pub const PACK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where one record's blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobPlace {
    /// The pack that holds the blob.
    pub pack: PackId,
    /// Where in the pack the blob begins.
    pub offset: u64,
    /// How long the blob is.
    pub length: u32,
    /// The digest of the blob.
    pub digest: Digest,
}

impl BlobPlace {
    /// Returns the range of bytes in the pack.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.length))
    }

    /// Says whether some bytes are the blob that lies here.
    pub fn check(&self, blob: &[u8]) -> bool {
        blob.len() as u64 == u64::from(self.length) && Digest::of(blob) == self.digest
    }
}

/// A pack that is complete and will never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedPack {
    /// The pack's id.
    pub id: PackId,
    /// The pack's bytes.
    pub bytes: Vec<u8>,
    /// Where each record's blob lies, in the order in which they were pushed.
    pub places: Vec<(RecordKey, BlobPlace)>,
}

struct Pending {
    key: RecordKey,
    offset: u64,
    length: u32,
    digest: Digest,
}

/// Collects blobs into one pack.
#[derive(Default)]
pub struct PackBuilder {
    bytes: Vec<u8>,
    blobs: Vec<Pending>,
}

impl PackBuilder {
    /// Returns an empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether a blob of this length still fits. Any blob fits into an empty pack.
    pub fn fits(&self, length: usize) -> bool {
        self.bytes.is_empty() || self.bytes.len() + length <= PACK_BYTES_MAX
    }

    /// Says whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// Returns how many bytes were pushed.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record's blob, or gives it back when it does not fit: then this pack is finished and the blob
    /// begins the next.
    pub fn push(&mut self, key: RecordKey, blob: Vec<u8>) -> Result<(), Vec<u8>> {
        let Ok(length) = u32::try_from(blob.len()) else { return Err(blob) };
        if !self.fits(blob.len()) {
            return Err(blob);
        }
        let offset = self.bytes.len() as u64;
        self.blobs.push(Pending { key, offset, length, digest: Digest::of(&blob) });
        self.bytes.extend_from_slice(&blob);
        Ok(())
    }

    /// Closes the pack, or returns nothing when it is empty.
    pub fn finish(self) -> Option<FinishedPack> {
        if self.blobs.is_empty() {
            return None;
        }
        let id = PackId::of(&self.bytes);
        let place = |blob: Pending| {
            let Pending { key, offset, length, digest } = blob;
            (key, BlobPlace { pack: id, offset, length, digest })
        };
        Some(FinishedPack { id, places: self.blobs.into_iter().map(place).collect(), bytes: self.bytes })
    }
}

impl std::fmt::Debug for PackBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PackBuilder({} blobs, {} bytes)", self.blobs.len(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{PACK_BYTES_MAX, PackBuilder};
    use crate::ids::{PackId, RecordKey};

    const KEY: RecordKey = RecordKey::from_bytes([7; 16]);

    #[test]
    fn an_empty_pack_is_no_pack() {
        assert!(PackBuilder::new().finish().is_none());
    }

    #[test]
    fn places_cover_the_pack_back_to_back() {
        let mut builder = PackBuilder::new();
        for blob in [&b"first"[..], b"second", b"third"] {
            builder.push(KEY, blob.to_vec()).unwrap();
        }
        let pack = builder.finish().unwrap();
        assert_eq!(pack.id, PackId::of(b"firstsecondthird"));
        let mut end = 0;
        for (_, place) in &pack.places {
            assert_eq!((place.pack, place.offset), (pack.id, end));
            let range = place.range();
            assert!(place.check(&pack.bytes[range.start as usize..range.end as usize]));
            end = range.end;
        }
        assert_eq!(end, pack.bytes.len() as u64);
    }

    #[test]
    fn a_blob_that_does_not_fit_comes_back_and_a_large_one_lies_alone() {
        let mut builder = PackBuilder::new();
        builder.push(KEY, vec![1; PACK_BYTES_MAX + 1]).unwrap();
        assert_eq!(builder.push(KEY, vec![2]).unwrap_err(), vec![2]);
        let mut builder = PackBuilder::new();
        builder.push(KEY, vec![1; PACK_BYTES_MAX - 1]).unwrap();
        assert!(builder.fits(1) && !builder.fits(2));
        builder.push(KEY, vec![2]).unwrap();
        assert_eq!(builder.len(), PACK_BYTES_MAX);
    }
}
