//! What a file is, by its first bytes and by its name.

/// How the content of a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// As it is.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// A zip archive, or the first part of one.
    Zip,
    /// Something that is not read; the text says what it is and what to do.
    Foreign(&'static str),
}

/// How much of a file its kind is recognised by.
pub(super) const HEAD_BYTES: usize = 512;

const OPENPGP: &str = "is encrypted with OpenPGP: decrypt it first, for instance with gpg --decrypt";
const AGE: &str = "is encrypted with age: decrypt it first, for instance with age --decrypt";
const UTF_16: &str = "is text in UTF-16; it is read as UTF-8 or Windows-1252 only";

/// Recognises a file by its first bytes.
pub fn container(head: &[u8]) -> Container {
    const MAGIC: [(&[u8], Container); 15] = [
        (b"PK\x03\x04", Container::Zip),
        (b"PK\x05\x06", Container::Zip),
        (b"PK\x07\x08", Container::Zip),
        (b"\x1f\x8b", Container::Gzip),
        (b"\x28\xb5\x2f\xfd", Container::Zstd),
        (b"age-encryption.org/", Container::Foreign(AGE)),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", Container::Foreign(AGE)),
        (b"-----BEGIN PGP", Container::Foreign(OPENPGP)),
        (
            b"7z\xbc\xaf\x27\x1c",
            Container::Foreign("is a 7-Zip archive: unpack it first, or deliver it as zip"),
        ),
        (b"Rar!", Container::Foreign("is a RAR archive: unpack it first, or deliver it as zip")),
        (b"%PDF-", Container::Foreign("is a PDF document, which no feed is read from")),
        (b"SQLite format 3\0", Container::Foreign("is a database file, which no feed is read from")),
        (b"\xd0\xcf\x11\xe0", Container::Foreign("is an Office document, which no feed is read from")),
        (b"\xff\xfe", Container::Foreign(UTF_16)),
        (b"\xfe\xff", Container::Foreign(UTF_16)),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *kind;
    }
    match head {
        // A Zstandard frame to be skipped, before the data.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Container::Zstd,
        // The first packet of a binary OpenPGP message is an encrypted session key, and no text.
        [0x84 | 0x85 | 0x8c | 0xc1 | 0xc3, rest @ ..] if rest.iter().any(|byte| is_control(*byte)) => {
            Container::Foreign(OPENPGP)
        }
        _ if head.get(257..262) == Some(b"ustar") => {
            Container::Foreign("is a tar archive: unpack it first, or deliver it as zip")
        }
        _ => Container::Plain,
    }
}

fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0e..=0x1f)
}

/// Says how a file is encrypted and what to do about it, if its name says that it is; with the name without the ending.
pub fn encrypted_by_name(name: &str) -> Option<(&str, &'static str)> {
    let (stem, ending) = name.rsplit_once('.')?;
    match ending.to_ascii_lowercase().as_str() {
        "gpg" | "pgp" | "asc" => Some((stem, OPENPGP)),
        "age" => Some((stem, AGE)),
        _ => None,
    }
}
