//! Signed notes and checkpoints, as C2SP `signed-note` and `tlog-checkpoint` define them, with Ed25519.

use crate::ids::Digest;
use crate::lookup::{RandomnessError, draw_random};
use crate::text::{parse_decimal, serde_as_text};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature, Signer as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The largest note.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// The most signatures of one note.
pub const NOTE_SIGNATURES_MAX: usize = 100;
/// The longest key name, in bytes.
pub const KEY_NAME_BYTES_MAX: usize = 128;

/// The signature type of Ed25519 in C2SP notes.
const ED25519: u8 = 1;

/// Says why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteKeyError {
    /// The name is empty, too long, or has a space or a plus sign.
    #[error("a key's name has 1 to {KEY_NAME_BYTES_MAX} bytes, no spaces and no plus sign")]
    Name,
    /// The text has another form.
    #[error("not an encoded note key")]
    Form,
    /// The key is of a type other than Ed25519.
    #[error("not an Ed25519 key")]
    Type,
    /// The key's hash does not belong to its name and bytes.
    #[error("the key's hash does not belong to it")]
    Hash,
    /// The bytes are not a usable public key.
    #[error("not a usable Ed25519 public key")]
    Point,
}

/// Says why a note was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is larger than [`NOTE_BYTES_MAX`].
    #[error("note is too large")]
    TooLarge,
    /// The note has another form than text, empty line and signature lines.
    #[error("not a signed note")]
    Form,
    /// The note has more than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("note has too many signatures")]
    TooManySignatures,
    /// No signature is by the expected key.
    #[error("note is not signed by the expected key")]
    NotSigned,
    /// A signature that names the expected key is wrong.
    #[error("note has a wrong signature of the expected key")]
    WrongSignature,
    /// The text is not a checkpoint.
    #[error("note is not a checkpoint")]
    NotACheckpoint,
    /// The checkpoint is of another log.
    #[error("checkpoint has another origin")]
    Origin,
}

/// The public key that checks a log's checkpoints.
#[derive(Clone, PartialEq, Eq)]
pub struct VerificationKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

impl VerificationKey {
    /// Returns the key's name, which is the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn hash(&self) -> [u8; 4] {
        key_hash(&self.name, self.key.as_bytes())
    }
}

impl fmt::Display for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, hash) = (&self.name, u32::from_be_bytes(self.hash()));
        write!(formatter, "{name}+{hash:08x}+{}", encode_typed(self.key.as_bytes()))
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerificationKey({self})")
    }
}

impl FromStr for VerificationKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let (name, hash, bytes) = split_key(text)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| NoteKeyError::Point)?;
        if key.is_weak() {
            return Err(NoteKeyError::Point);
        }
        let verification_key = Self { name: name.to_owned(), key };
        if verification_key.hash() == hash { Ok(verification_key) } else { Err(NoteKeyError::Hash) }
    }
}

serde_as_text!(VerificationKey, "an encoded verification key");

/// The secret key that signs a log's checkpoints. It is wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes a new key from the operating system's randomness. Its name is the origin of the log that it signs.
    pub fn generate(name: &str) -> Result<Self, SigningKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        draw_random(&mut *seed).map_err(SigningKeyError::Randomness)?;
        Self::from_seed(name, &seed).map_err(SigningKeyError::Key)
    }

    /// Makes the key that belongs to a name and 32 secret bytes.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteKeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// Reads a key from its text, `PRIVATE+KEY+name+hash+base64`.
    pub fn from_secret_text(text: &str) -> Result<Self, NoteKeyError> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(NoteKeyError::Form)?;
        let (name, hash, seed) = split_key(rest)?;
        let seed = Zeroizing::new(seed);
        let key = Self::from_seed(name, &seed)?;
        if key.verification_key().hash() == hash { Ok(key) } else { Err(NoteKeyError::Hash) }
    }

    /// Returns the key's text, to be written where only the service reads.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let hash = u32::from_be_bytes(self.verification_key().hash());
        let seed = Zeroizing::new(encode_typed(self.key.as_bytes()));
        Zeroizing::new(format!("PRIVATE+KEY+{}+{hash:08x}+{}", self.name, seed.as_str()))
    }

    /// Returns the public half.
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey { name: self.name.clone(), key: self.key.verifying_key() }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({}, redacted)", self.name)
    }
}

/// Says why no signing key could be made.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// There was no randomness.
    #[error("make a signing key")]
    Randomness(#[source] RandomnessError),
    /// The name is not usable.
    #[error("name a signing key")]
    Key(#[source] NoteKeyError),
}

/// A log's size and root, as they were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// How many entries the log has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl Checkpoint {
    fn to_text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a checkpoint's text. Extension lines after the root are ignored.
    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        if origin.is_empty() || lines.any(str::is_empty) {
            return None;
        }
        let root: [u8; 32] = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        Some(Self { origin: origin.to_owned(), size: parse_decimal(size)?, root: Digest::from_bytes(root) })
    }
}

/// Signs a checkpoint and returns the note.
pub fn sign_checkpoint(checkpoint: &Checkpoint, key: &SigningKey) -> String {
    let text = checkpoint.to_text();
    let mut signature = key.verification_key().hash().to_vec();
    signature.extend_from_slice(&key.key.sign(text.as_bytes()).to_bytes());
    format!("{text}\n— {} {}\n", key.name, BASE64_STANDARD.encode(signature))
}

/// Checks a note against a log's key and returns the checkpoint. Signatures of other keys are ignored.
pub fn open_checkpoint(note: &str, key: &VerificationKey) -> Result<Checkpoint, NoteError> {
    let checkpoint = Checkpoint::from_text(open_note(note, key)?).ok_or(NoteError::NotACheckpoint)?;
    if checkpoint.origin == key.name { Ok(checkpoint) } else { Err(NoteError::Origin) }
}

/// Checks a note and returns its text.
fn open_note<'a>(note: &'a str, key: &VerificationKey) -> Result<&'a str, NoteError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(NoteError::TooLarge);
    }
    if note.chars().any(|character| character < ' ' && character != '\n') {
        return Err(NoteError::Form);
    }
    let split = note.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, signatures) = (&note[..=split], &note[split + 2..]);
    let lines: Vec<&str> = signatures.strip_suffix('\n').ok_or(NoteError::Form)?.split('\n').collect();
    if lines.len() > NOTE_SIGNATURES_MAX {
        return Err(NoteError::TooManySignatures);
    }
    let mut signed = false;
    for line in lines {
        let (name, hash, signature) = split_signature(line).ok_or(NoteError::Form)?;
        if name != key.name || hash != key.hash() {
            continue;
        }
        let signature = Signature::from_slice(&signature).map_err(|_| NoteError::WrongSignature)?;
        key.key.verify_strict(text.as_bytes(), &signature).map_err(|_| NoteError::WrongSignature)?;
        signed = true;
    }
    if signed { Ok(text) } else { Err(NoteError::NotSigned) }
}

/// Splits a signature line into name, key hash and signature.
fn split_signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    check_name(name).ok()?;
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    let (hash, signature) = bytes.split_first_chunk::<4>()?;
    (!signature.is_empty()).then(|| (name, *hash, signature.to_vec()))
}

/// Splits an encoded key into name, hash and 32 bytes.
fn split_key(text: &str) -> Result<(&str, [u8; 4], [u8; 32]), NoteKeyError> {
    let mut fields = text.splitn(3, '+');
    let (Some(name), Some(hash), Some(encoded)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(NoteKeyError::Form);
    };
    check_name(name)?;
    let hash = crate::hex::decode(hash).ok_or(NoteKeyError::Form)?;
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| NoteKeyError::Form)?);
    match bytes.split_first() {
        Some((&ED25519, key)) => Ok((name, hash, key.try_into().map_err(|_| NoteKeyError::Form)?)),
        Some(_) => Err(NoteKeyError::Type),
        None => Err(NoteKeyError::Form),
    }
}

fn check_name(name: &str) -> Result<(), NoteKeyError> {
    let fits = (1..=KEY_NAME_BYTES_MAX).contains(&name.len());
    let plain = !name
        .chars()
        .any(|character| character.is_whitespace() || character.is_control() || character == '+');
    if fits && plain { Ok(()) } else { Err(NoteKeyError::Name) }
}

fn key_hash(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new_with_prefix(name).chain_update([b'\n', ED25519]).chain_update(key).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn encode_typed(key: &[u8; 32]) -> String {
    let mut typed = Zeroizing::new([ED25519; 33]);
    typed[1..].copy_from_slice(key);
    BASE64_STANDARD.encode(*typed)
}

#[cfg(test)]
mod tests;
