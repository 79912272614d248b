//! Tests: frames and padding are as agreed.

use super::{FrameError, Trailer, append_padding, compress, decompress, new_compressor, read_header};
use crate::padding::padded_length;
use zstd::bulk::Decompressor;

fn padded(content: &[u8]) -> Vec<u8> {
    let mut compressor = new_compressor(3, &[]).unwrap();
    let mut frame = compress(&mut compressor, content, super::padding_spare(content.len())).unwrap();
    append_padding(&mut frame);
    frame.to_vec()
}

fn open(bytes: &[u8]) -> Result<Vec<u8>, FrameError> {
    let header = read_header(bytes, 1 << 20)?;
    let mut decompressor = Decompressor::new().unwrap();
    decompress(&mut decompressor, header, bytes, Trailer::Padding).map(|content| content.to_vec())
}

#[test]
fn content_of_any_size_comes_back_and_lengths_are_padded() {
    for length in [0, 1, 255, 256, 257, 65_535, 65_792, 65_793, 1 << 20] {
        let content: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let bytes = padded(&content);
        assert_eq!(padded_length(bytes.len() as u64), bytes.len() as u64);
        assert_eq!(open(&bytes).unwrap(), content);
    }
}

#[test]
fn stock_decompression_skips_the_padding() {
    let bytes = padded(b"what a stock tool sees");
    let mut decoder = std::io::Cursor::new(bytes);
    let mut content = Vec::new();
    zstd::stream::copy_decode(&mut decoder, &mut content).unwrap();
    assert_eq!(content, b"what a stock tool sees");
}

#[test]
fn content_above_the_limit_is_refused_before_it_is_decompressed() {
    let bytes = padded(&vec![0; (1 << 20) + 1]);
    assert!(matches!(open(&bytes), Err(FrameError::ContentTooLarge { bytes: 1_048_577, .. })));
}

#[test]
fn flags_windows_and_trailers_must_be_as_agreed() {
    let good = padded(b"content content content content");
    let with = |index: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[index] = value;
        bytes
    };
    // Descriptor: 31 bytes of content in a single segment, with a checksum.
    assert_eq!(good[4], 0x24);
    assert!(matches!(open(&with(0, 0)), Err(FrameError::Header)));
    assert!(matches!(open(&good[..4]), Err(FrameError::Header)));
    assert!(matches!(open(&good[..5]), Err(FrameError::Header)));
    assert!(matches!(open(&with(4, 0x20)), Err(FrameError::Flags)), "no checksum");
    assert!(matches!(open(&with(4, 0x04)), Err(FrameError::Flags)), "no content size");
    assert!(matches!(open(&with(4, 0x2c)), Err(FrameError::Flags)), "reserved bit");
    // A window of 16 MiB: exponent 14, mantissa 0; then a content size of 4 bytes.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x84, 14 << 3, 1, 0, 0, 0];
    assert!(matches!(open(&window), Err(FrameError::WindowTooLarge { bytes: 16_777_216 })));
    let last = good.len() - 1;
    assert!(matches!(open(&with(last, 1)), Err(FrameError::Trailer)), "padding not zero");
    assert!(matches!(open(&good[..last]), Err(FrameError::Trailer)), "padding cut short");
    let twice = [good.clone(), good.clone()].concat();
    assert!(matches!(open(&twice), Err(FrameError::Trailer)), "something after the padding");
}

#[test]
fn a_frame_that_lies_about_its_size_is_refused() {
    let mut bytes = padded(b"content content content content");
    bytes[5] += 1;
    assert!(matches!(open(&bytes), Err(FrameError::Decompress(_))));
    bytes[5] -= 2;
    assert!(matches!(open(&bytes), Err(FrameError::Decompress(_))));
}
