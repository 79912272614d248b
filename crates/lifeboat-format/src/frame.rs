//! One zstd frame, and what may follow it: nothing, or one skippable frame of zeros as padding.
//!
//! Frames of this format state their content size and carry a checksum, so that a reader allocates exactly
//! what is needed after comparing it with a limit, and never trusts a window larger than it agreed to.

use crate::padding::padded_length;
use std::io;
use zeroize::Zeroizing;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

/// The largest window that a frame may ask for, unless it is a single segment within the size limit.
pub const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

const FRAME_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const PADDING_MAGIC: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];
/// The length of a skippable frame's header.
pub(crate) const PADDING_HEADER_BYTES: usize = 8;

/// Says why bytes are not one frame of this format.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The bytes do not begin with a zstd frame header, or end inside it.
    #[error("not a zstd frame")]
    Header,
    /// The frame sets bits that must be zero, or lacks its content size or checksum.
    #[error("zstd frame without content size or checksum, or with reserved bits")]
    Flags,
    /// The frame says that its content is larger than the limit.
    #[error("content of {bytes} bytes is larger than {bytes_max}")]
    ContentTooLarge {
        /// How large the content says it is.
        bytes: u64,
        /// How large it may be.
        bytes_max: u64,
    },
    /// The frame asks for a window larger than [`WINDOW_BYTES_MAX`].
    #[error("window of {bytes} bytes is too large")]
    WindowTooLarge {
        /// How large the window is.
        bytes: u64,
    },
    /// The frame needs a dictionary that the reader does not have.
    #[error("dictionary {id} is not among those given")]
    UnknownDictionary {
        /// The id of the missing dictionary.
        id: u32,
    },
    /// The frame does not decompress, or not to the size it states.
    #[error("decompress")]
    Decompress(#[source] io::Error),
    /// What follows the frame is not what must follow it.
    #[error("the bytes after the zstd frame are not padding of zeros to the end")]
    Trailer,
}

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) content_bytes: u64,
    pub(crate) dictionary: Option<u32>,
}

/// What must follow a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailer {
    Nothing,
    Padding,
}

/// Returns a compressor that writes frames of this format.
pub(crate) fn new_compressor(level: i32, dictionary: &[u8]) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::with_dictionary(level, dictionary)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    compressor.set_parameter(CParameter::DictIdFlag(true))?;
    Ok(compressor)
}

/// Compresses into one frame, leaving room in the buffer for `spare` more bytes.
pub(crate) fn compress(
    compressor: &mut Compressor<'_>,
    content: &[u8],
    spare: usize,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let bound = zstd_safe::compress_bound(content.len());
    let mut frame = Zeroizing::new(Vec::with_capacity(bound + spare));
    compressor.compress_to_buffer(content, &mut *frame)?;
    Ok(frame)
}

/// Returns how much padding may need at most after a frame of `bytes`.
pub(crate) const fn padding_spare(bytes: usize) -> usize {
    bytes / 8 + 2 * PADDING_HEADER_BYTES
}

/// Appends the skippable frame of zeros that brings a frame to its padded length.
pub(crate) fn append_padding(frame: &mut Vec<u8>) {
    let least = frame.len() + PADDING_HEADER_BYTES;
    let padded = usize::try_from(padded_length(least as u64)).expect("a padded length in memory fits memory");
    let zeros = u32::try_from(padded - least).expect("padding of a bounded frame fits 32 bits");
    frame.extend_from_slice(&PADDING_MAGIC);
    frame.extend_from_slice(&zeros.to_le_bytes());
    frame.resize(padded, 0);
}

/// Reads a frame's header and refuses content and windows above the limits.
pub(crate) fn read_header(bytes: &[u8], content_bytes_max: u64) -> Result<FrameHeader, FrameError> {
    let rest = bytes.strip_prefix(&FRAME_MAGIC).ok_or(FrameError::Header)?;
    let (&descriptor, rest) = rest.split_first().ok_or(FrameError::Header)?;
    let single_segment = descriptor & 0x20 != 0;
    let checksum = descriptor & 0x04 != 0;
    let reserved = descriptor & 0x18 != 0;
    let size_bytes = match (descriptor >> 6, single_segment) {
        (0, false) => 0,
        (0, true) => 1,
        (1, _) => 2,
        (2, _) => 4,
        _ => 8,
    };
    if reserved || !checksum || size_bytes == 0 {
        return Err(FrameError::Flags);
    }
    let (window, rest) = if single_segment { (&[][..], rest) } else { split(rest, 1)? };
    let (dictionary, rest) = split(rest, [0, 1, 2, 4][usize::from(descriptor & 3)])?;
    let (size, _) = split(rest, size_bytes)?;

    let content_bytes = little_endian(size) + if size_bytes == 2 { 256 } else { 0 };
    if content_bytes > content_bytes_max {
        return Err(FrameError::ContentTooLarge { bytes: content_bytes, bytes_max: content_bytes_max });
    }
    if let Some(&window) = window.first() {
        let base = 1_u64 << (10 + u32::from(window >> 3));
        let bytes = base + (base / 8) * u64::from(window & 7);
        if bytes > WINDOW_BYTES_MAX {
            return Err(FrameError::WindowTooLarge { bytes });
        }
    }
    let dictionary = u32::try_from(little_endian(dictionary)).ok().filter(|id| *id != 0);
    Ok(FrameHeader { content_bytes, dictionary })
}

fn split(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), FrameError> {
    bytes.split_at_checked(length).ok_or(FrameError::Header)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Decompresses bytes that are one frame, whose header was read before, and what must follow it.
pub(crate) fn decompress(
    decompressor: &mut Decompressor<'_>,
    header: FrameHeader,
    bytes: &[u8],
    trailer: Trailer,
) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let damaged = |what: &str| FrameError::Decompress(io::Error::new(io::ErrorKind::InvalidData, what));
    let frame_bytes =
        zstd_safe::find_frame_compressed_size(bytes).map_err(|_| damaged("the frame is cut short"))?;
    let (frame, rest) =
        bytes.split_at_checked(frame_bytes).ok_or_else(|| damaged("the frame is cut short"))?;
    match trailer {
        Trailer::Nothing if rest.is_empty() => {}
        Trailer::Padding if is_padding(rest) => {}
        _ => return Err(FrameError::Trailer),
    }
    let length = usize::try_from(header.content_bytes).map_err(|_| damaged("the content exceeds memory"))?;
    let mut content = Zeroizing::new(Vec::with_capacity(length));
    decompressor.decompress_to_buffer(frame, &mut *content).map_err(FrameError::Decompress)?;
    if content.len() == length { Ok(content) } else { Err(damaged("the content has another size")) }
}

fn is_padding(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(&PADDING_MAGIC) else { return false };
    let Some((length, zeros)) = rest.split_at_checked(4) else { return false };
    little_endian(length) == zeros.len() as u64 && zeros.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests;
