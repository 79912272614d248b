//! age files in memory: the one way in which anything is sealed and opened.

use age::{DecryptError, Decryptor, EncryptError, Encryptor};
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// How many bytes an age file of this format is at most longer than a small plaintext with one recipient.
///
/// Header, one recipient, the arbitrary stanza that some writers add, nonce and one chunk's tag.
pub const AGE_OVERHEAD_BYTES_MAX: usize = 1024;

/// Says which step of sealing failed.
#[derive(Debug, thiserror::Error)]
pub enum AgeSealError {
    /// The recipients could not be used together.
    #[error("wrap the file key for the recipients")]
    Recipients(#[source] EncryptError),
    /// The sealed bytes could not be produced.
    #[error("encrypt the payload")]
    Payload(#[source] io::Error),
}

/// Says which step of opening a sealed file failed.
#[derive(Debug, thiserror::Error)]
pub enum AgeOpenError {
    /// The file is larger than the caller accepts.
    #[error("sealed file of {bytes} bytes is larger than {bytes_max}")]
    TooLarge {
        /// How large the file is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// The file is not an age file, or its header is damaged.
    #[error("read the age header")]
    Header(#[source] DecryptError),
    /// The file is not sealed in the expected way (passphrase or recipients).
    #[error("the file is not sealed under a passphrase")]
    NotPassphrase,
    /// The file is not sealed to this identity, or not under this passphrase.
    #[error("the file is not sealed to this key")]
    WrongKey,
    /// The file asks for more passphrase work than is accepted.
    #[error("the file asks for a work factor of {required}, more than is accepted")]
    TooMuchWork {
        /// The work factor that the file asks for.
        required: u8,
    },
    /// The payload is damaged, cut short, or continued.
    #[error("decrypt the payload")]
    Payload(#[source] io::Error),
}

/// Seals a plaintext to recipients.
pub(crate) fn seal_to<'a>(
    recipients: impl Iterator<Item = &'a dyn age::Recipient>,
    plaintext: &[u8],
) -> Result<Vec<u8>, AgeSealError> {
    let encryptor = Encryptor::with_recipients(recipients).map_err(AgeSealError::Recipients)?;
    let chunks = plaintext.len() / (64 * 1024) + 1;
    let mut sealed = Vec::with_capacity(plaintext.len() + chunks * 16 + AGE_OVERHEAD_BYTES_MAX);
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(AgeSealError::Payload)?;
    writer.write_all(plaintext).map_err(AgeSealError::Payload)?;
    writer.finish().map_err(AgeSealError::Payload)?;
    Ok(sealed)
}

/// Opens a sealed file of at most `bytes_max` bytes that is sealed to an identity.
pub(crate) fn open_with(
    identity: &dyn age::Identity,
    sealed: &[u8],
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, AgeOpenError> {
    open_decryptor(identity, read_header(sealed, bytes_max)?, sealed.len())
}

/// Opens a sealed file of at most `bytes_max` bytes that is sealed under a passphrase.
pub(crate) fn open_with_passphrase(
    identity: &age::scrypt::Identity,
    sealed: &[u8],
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, AgeOpenError> {
    let decryptor = read_header(sealed, bytes_max)?;
    if !decryptor.is_scrypt() {
        return Err(AgeOpenError::NotPassphrase);
    }
    open_decryptor(identity, decryptor, sealed.len())
}

fn read_header(sealed: &[u8], bytes_max: usize) -> Result<Decryptor<&[u8]>, AgeOpenError> {
    if sealed.len() > bytes_max {
        return Err(AgeOpenError::TooLarge { bytes: sealed.len(), bytes_max });
    }
    Decryptor::new_buffered(sealed).map_err(AgeOpenError::Header)
}

fn open_decryptor(
    identity: &dyn age::Identity,
    decryptor: Decryptor<&[u8]>,
    capacity: usize,
) -> Result<Zeroizing<Vec<u8>>, AgeOpenError> {
    let mut reader = decryptor.decrypt(std::iter::once(identity)).map_err(|error| match error {
        DecryptError::NoMatchingKeys | DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
            AgeOpenError::WrongKey
        }
        DecryptError::ExcessiveWork { required, .. } => AgeOpenError::TooMuchWork { required },
        other => AgeOpenError::Header(other),
    })?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(capacity));
    reader.read_to_end(&mut plaintext).map_err(AgeOpenError::Payload)?;
    Ok(plaintext)
}
