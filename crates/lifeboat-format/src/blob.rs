//! Record blobs: one record, compressed, padded and sealed, complete in itself.

use crate::dictionary::Dictionary;
use crate::epoch::{EpochIdentity, EpochRecipient};
use crate::frame::{self, FrameError, Trailer};
use crate::sealed::{self, AGE_OVERHEAD_BYTES_MAX, AgeOpenError, AgeSealError};
use std::fmt;
use std::io;
use zeroize::Zeroizing;
use zstd::bulk::{Compressor, Decompressor};

/// The largest record, before compression.
pub const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The zstd level of records.
pub const RECORD_LEVEL: i32 = 3;

/// Says which step of sealing a record failed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The record is larger than [`RECORD_BYTES_MAX`].
    #[error("record of {bytes} bytes is larger than {RECORD_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: u64,
    },
    /// The compressor could not be set up.
    #[error("prepare the compressor")]
    Prepare(#[source] io::Error),
    /// The record could not be compressed.
    #[error("compress the record")]
    Compress(#[source] io::Error),
    /// The compressed record does not decompress to what went in.
    #[error("the compressed record does not decompress to the record")]
    SelfCheck,
    /// The compressed record could not be sealed.
    #[error("seal the record")]
    Seal(#[source] AgeSealError),
}

/// Seals records one after another for one epoch, with at most one dictionary.
pub struct Sealer {
    recipient: EpochRecipient,
    compressor: Compressor<'static>,
    check: Decompressor<'static>,
}

impl Sealer {
    /// Prepares to seal records to an epoch.
    pub fn new(recipient: &EpochRecipient, dictionary: Option<&Dictionary>) -> Result<Self, SealError> {
        let dictionary = dictionary.map_or(&[][..], Dictionary::bytes);
        Ok(Self {
            recipient: recipient.clone(),
            compressor: frame::new_compressor(RECORD_LEVEL, dictionary).map_err(SealError::Prepare)?,
            check: Decompressor::with_dictionary(dictionary).map_err(SealError::Prepare)?,
        })
    }

    /// Seals one record.
    ///
    /// What was compressed is decompressed and compared first, so that no fault of compression or memory
    /// turns a record into a blob that cannot be read back.
    pub fn seal(&mut self, record: &[u8]) -> Result<Vec<u8>, SealError> {
        let bytes = record.len() as u64;
        if bytes > RECORD_BYTES_MAX {
            return Err(SealError::TooLarge { bytes });
        }
        let spare = frame::padding_spare(record.len());
        let mut frame = frame::compress(&mut self.compressor, record, spare).map_err(SealError::Compress)?;
        frame::append_padding(&mut frame);

        let header = frame::read_header(&frame, RECORD_BYTES_MAX).map_err(|_| SealError::SelfCheck)?;
        let back = frame::decompress(&mut self.check, header, &frame, Trailer::Padding)
            .map_err(|_| SealError::SelfCheck)?;
        if *back != record {
            return Err(SealError::SelfCheck);
        }
        let recipients = std::iter::once(self.recipient.as_age() as &dyn age::Recipient);
        sealed::seal_to(recipients, &frame).map_err(SealError::Seal)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealer").field("recipient", &self.recipient).finish_non_exhaustive()
    }
}

/// Says which step of opening a record failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Two of the given dictionaries have the same id.
    #[error("two dictionaries have the id {id}")]
    DuplicateDictionary {
        /// The id that occurs twice.
        id: u32,
    },
    /// The decompressor could not be set up.
    #[error("prepare the decompressor")]
    Prepare(#[source] io::Error),
    /// The sealed bytes could not be opened.
    #[error("open the sealed record")]
    Age(#[source] AgeOpenError),
    /// The opened bytes are not one padded frame within the limits.
    #[error("decompress the record")]
    Frame(#[source] FrameError),
}

/// Opens records one after another, with the epoch's key and dictionaries.
pub struct Opener {
    identity: EpochIdentity,
    plain: Decompressor<'static>,
    with_dictionary: Vec<(u32, Decompressor<'static>)>,
}

impl Opener {
    /// Prepares to open records of one epoch, made with none or any of the dictionaries.
    pub fn new(identity: EpochIdentity, dictionaries: Vec<Dictionary>) -> Result<Self, OpenError> {
        let mut with_dictionary: Vec<(u32, Decompressor<'static>)> = Vec::with_capacity(dictionaries.len());
        for dictionary in dictionaries {
            let id = dictionary.id();
            if with_dictionary.iter().any(|(known, _)| *known == id) {
                return Err(OpenError::DuplicateDictionary { id });
            }
            let decompressor =
                Decompressor::with_dictionary(dictionary.bytes()).map_err(OpenError::Prepare)?;
            with_dictionary.push((id, decompressor));
        }
        Ok(Self { identity, plain: Decompressor::new().map_err(OpenError::Prepare)?, with_dictionary })
    }

    /// Opens a record of at most `record_bytes_max` bytes.
    pub fn open(&mut self, blob: &[u8], record_bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let content_max = record_bytes_max.min(RECORD_BYTES_MAX);
        let frame = sealed::open_with(self.identity.as_age(), blob, blob_bytes_max(content_max))
            .map_err(OpenError::Age)?;
        let header = frame::read_header(&frame, content_max).map_err(OpenError::Frame)?;
        let decompressor = match header.dictionary {
            None => &mut self.plain,
            Some(id) => match self.with_dictionary.iter_mut().find(|(known, _)| *known == id) {
                Some((_, decompressor)) => decompressor,
                None => return Err(OpenError::Frame(FrameError::UnknownDictionary { id })),
            },
        };
        frame::decompress(decompressor, header, &frame, Trailer::Padding).map_err(OpenError::Frame)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dictionaries: Vec<u32> = self.with_dictionary.iter().map(|(id, _)| *id).collect();
        formatter.debug_struct("Opener").field("dictionaries", &dictionaries).finish_non_exhaustive()
    }
}

/// Returns the largest blob that a record of at most `record_bytes_max` bytes may become.
///
/// Incompressible content grows by less than 1 in 256, padding adds at most an eighth, age 16 bytes for
/// every 64 KiB and its header.
pub fn blob_bytes_max(record_bytes_max: u64) -> usize {
    let bytes = record_bytes_max.min(RECORD_BYTES_MAX);
    let sealed = bytes + bytes / 4 + AGE_OVERHEAD_BYTES_MAX as u64 + 1024;
    usize::try_from(sealed).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
