//! One plain function per parser, shared by the fuzz targets and the tests that no bytes make a parser panic.

use crate::frame::{self, Trailer};
use crate::ids::Digest;
use crate::index::DirectoryRow;
use crate::log::{Entry, decode_bundle, verify_consistency, verify_inclusion};
use crate::{EpochSecret, Head, Identity, Kit, Manifest, ObjectKey, SigningKey, SiteDescription};
use zstd::bulk::Decompressor;

/// The most bytes that the fuzzed decompressor may produce.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024;

/// Parses an object key; what parses must print back to itself.
pub fn object_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<ObjectKey>() {
        assert_eq!(key.to_string(), text);
    }
}

/// Opens what lies inside a blob after decryption: a frame and its padding.
pub fn blob(data: &[u8]) {
    for trailer in [Trailer::Padding, Trailer::Nothing] {
        let Ok(header) = frame::read_header(data, CONTENT_BYTES_MAX) else { return };
        let Ok(mut decompressor) = Decompressor::new() else { return };
        if let Ok(content) = frame::decompress(&mut decompressor, header, data, trailer) {
            assert_eq!(content.len() as u64, header.content_bytes);
        }
    }
}

/// Parses the text of an epoch secret; what parses must print back to itself.
pub fn epoch_secret(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(secret) = EpochSecret::from_secret_text(text) {
        assert_eq!(secret.to_secret_text().as_str(), text);
    }
    let _ = Identity::from_file_text(text);
}

/// Parses the content of each kind of index part.
pub fn index_part(data: &[u8]) {
    let _ = crate::index::read_root(data);
    let _ = crate::index::read_locators(data);
    if let Ok(rows) = crate::index::read_rows::<DirectoryRow>(data) {
        rows.iter().for_each(|row| drop(row.sort_name()));
    }
}

/// Parses a manifest; what parses must read back from its own bytes.
pub fn manifest(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        assert_eq!(Manifest::parse(&manifest.to_bytes()).as_ref(), Ok(&manifest));
    }
}

/// Splits an entry bundle and parses its entries, and checks proofs made of the same bytes.
pub fn entry_bundle(data: &[u8]) {
    for width in [1, 2, 256] {
        for entry in decode_bundle(data, width).unwrap_or_default() {
            let _ = Entry::parse(&entry);
        }
    }
    let _ = Entry::parse(data);
    let Some((sizes, hashes)) = data.split_first_chunk::<2>() else { return };
    let digests = |hash: &[u8]| Digest::of(hash);
    let proof: Vec<Digest> = hashes.chunks(32).map(digests).collect();
    let root = Digest::of(data);
    let _ = verify_inclusion(&root, u64::from(sizes[0]), u64::from(sizes[1]), &proof, &root);
    let _ = verify_consistency(u64::from(sizes[0]), &root, u64::from(sizes[1]), &root, &proof);
}

/// Parses a signed note and note keys.
pub fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = SigningKey::from_seed("lifeboat/A81001", &[7; 32]) {
        let _ = crate::open_checkpoint(text, &key.verification_key());
    }
    let _ = SigningKey::from_secret_text(text);
    if let Ok(key) = text.parse::<crate::VerificationKey>() {
        assert_eq!(key.to_string(), text);
    }
}

/// Parses a `HEAD` and checks it against a key.
pub fn head(data: &[u8]) {
    let Ok(head) = Head::parse(data) else { return };
    assert_eq!(Head::parse(&head.to_bytes()).as_ref(), Ok(&head));
    if let Ok(key) = SigningKey::from_seed("lifeboat/A81001", &[7; 32]) {
        let _ = head.verify(&key.verification_key());
    }
}

/// Parses the content of an opened kit.
pub fn kit(data: &[u8]) {
    let _ = Kit::from_content(data);
}

/// Parses a site description; what parses must read back from its own bytes.
pub fn site_description(data: &[u8]) {
    if let Ok(site) = SiteDescription::parse(data) {
        assert_eq!(SiteDescription::parse(&site.to_bytes()).as_ref(), Ok(&site));
    }
}

#[cfg(test)]
mod tests;
