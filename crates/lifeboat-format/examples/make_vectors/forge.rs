//! Seals and signs things that the crate itself would never write.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::Signer as _;
use lifeboat_format::SigningKey;
use std::error::Error;
use std::io::Write;
use zstd::zstd_safe::CParameter;

/// Seals any bytes to a recipient.
pub(crate) fn seal(recipient: &str, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let recipient: age::x25519::Recipient = recipient.parse()?;
    seal_with(&recipient, plaintext)
}

/// Seals any bytes under a passphrase.
pub(crate) fn seal_passphrase(passphrase: &str, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.to_owned().into());
    recipient.set_work_factor(10);
    seal_with(&recipient, plaintext)
}

fn seal_with(recipient: &dyn age::Recipient, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient))?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(plaintext)?;
    writer.finish()?;
    Ok(sealed)
}

/// Which of the frame's facts to leave out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    Checksum,
    ContentSize,
}

/// Compresses to one zstd frame without padding.
pub(crate) fn frame(content: &[u8], without: Without) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compressor = zstd::bulk::Compressor::new(3)?;
    compressor.set_parameter(CParameter::ChecksumFlag(without != Without::Checksum))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(without != Without::ContentSize))?;
    Ok(compressor.compress(content)?)
}

/// Returns a skippable frame, with the magic number ending in a digit, around some bytes.
pub(crate) fn skippable(digit: u8, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut frame = vec![0x50 | digit, 0x2a, 0x4d, 0x18];
    frame.extend_from_slice(&u32::try_from(bytes.len())?.to_le_bytes());
    frame.extend_from_slice(bytes);
    Ok(frame)
}

/// Signs any text as a note.
pub(crate) fn sign(text: &str, key: &SigningKey) -> Result<String, Box<dyn Error>> {
    let public = key.verification_key().to_string();
    let (name, hash) = public.split_once('+').ok_or("a key has a name")?;
    let secret = key.to_secret_text();
    let (_, seed) = secret.rsplit_once('+').ok_or("a key has bytes")?;
    let seed: [u8; 32] = BASE64_STANDARD.decode(seed)?[1..].try_into()?;
    let mut bytes = u32::from_str_radix(&hash[..8], 16)?.to_be_bytes().to_vec();
    bytes.extend(ed25519_dalek::SigningKey::from_bytes(&seed).sign(text.as_bytes()).to_bytes());
    Ok(format!("{text}\n— {name} {}\n", BASE64_STANDARD.encode(bytes)))
}
