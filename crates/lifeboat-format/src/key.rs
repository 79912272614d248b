//! Object keys: where each object lies in a replica. Keys are built and parsed here and nowhere else.
//!
//! Every key has exactly one spelling; whatever does not print back to itself is refused.

use crate::hex;
use crate::ids::{DictId, Digest, EpochNumber, IndexId, ManifestId, PackId};
use crate::text::parse_decimal;
use std::fmt;
use std::str::FromStr;

/// Says that a text is not the key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of an object of this format")]
pub struct KeyError;

/// The key of one object of a replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ObjectKey {
    /// `RECOVER.txt`, how to recover with stock tools.
    Recover,
    /// `lifeboat.json`, what this replica is.
    Site,
    /// An epoch's secret, sealed to all recipients.
    EpochRecipients(EpochNumber),
    /// An epoch's secret, sealed under the break-glass passphrase.
    EpochPassphrase(EpochNumber),
    /// A sealed dictionary.
    Dict(DictId),
    /// A pack.
    Pack(PackId),
    /// An index object.
    Index(IndexId),
    /// A manifest.
    Manifest(ManifestId),
    /// A tile of the log.
    Tile(TileId),
    /// A checkpoint, by the size of the log that it signs.
    Checkpoint(u64),
    /// `HEAD`, the hint that names the newest snapshot.
    Head,
}

/// The steps in which a replica is written; a later step refers to earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WriteStage {
    /// Descriptions of the replica.
    Description,
    /// Epoch secrets and dictionaries.
    Keys,
    /// Packs.
    Packs,
    /// Index objects.
    Indexes,
    /// Manifests.
    Manifests,
    /// Tiles of the log.
    Log,
    /// Checkpoints.
    Checkpoints,
    /// `HEAD`.
    Head,
}

impl ObjectKey {
    /// The folder of epoch secrets, with its slash.
    pub const EPOCHS: &'static str = "epochs/";
    /// The folder of dictionaries, with its slash.
    pub const DICTS: &'static str = "dicts/";
    /// The folder of packs, with its slash.
    pub const PACKS: &'static str = "packs/";
    /// The folder of index objects, with its slash.
    pub const INDEXES: &'static str = "indexes/";
    /// The folder of manifests, with its slash.
    pub const MANIFESTS: &'static str = "manifests/";
    /// The folder of the log's tiles, with its slash.
    pub const TILES: &'static str = "log/tile/";
    /// The folder of checkpoints, with its slash.
    pub const CHECKPOINTS: &'static str = "checkpoints/";

    /// Returns the digest that the object's bytes must have, for objects that are named by it.
    pub fn content_digest(&self) -> Option<Digest> {
        match self {
            Self::Dict(id) => Some(id.digest()),
            Self::Pack(id) => Some(id.digest()),
            Self::Index(id) => Some(id.digest()),
            Self::Manifest(id) => Some(id.digest()),
            _ => None,
        }
    }

    /// Returns the step in which the object is written.
    pub const fn write_stage(&self) -> WriteStage {
        match self {
            Self::Recover | Self::Site => WriteStage::Description,
            Self::EpochRecipients(_) | Self::EpochPassphrase(_) | Self::Dict(_) => WriteStage::Keys,
            Self::Pack(_) => WriteStage::Packs,
            Self::Index(_) => WriteStage::Indexes,
            Self::Manifest(_) => WriteStage::Manifests,
            Self::Tile(_) => WriteStage::Log,
            Self::Checkpoint(_) => WriteStage::Checkpoints,
            Self::Head => WriteStage::Head,
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fanned = |formatter: &mut fmt::Formatter<'_>, folder: &str, digest: Digest| {
            write!(formatter, "{folder}{}/{digest}", hex::encode(&digest.as_bytes()[..1]))
        };
        match self {
            Self::Recover => formatter.write_str("RECOVER.txt"),
            Self::Site => formatter.write_str("lifeboat.json"),
            Self::EpochRecipients(number) => write!(formatter, "{}{number}/recipients.age", Self::EPOCHS),
            Self::EpochPassphrase(number) => write!(formatter, "{}{number}/passphrase.age", Self::EPOCHS),
            Self::Dict(id) => write!(formatter, "{}{id}", Self::DICTS),
            Self::Pack(id) => fanned(formatter, Self::PACKS, id.digest()),
            Self::Index(id) => fanned(formatter, Self::INDEXES, id.digest()),
            Self::Manifest(id) => fanned(formatter, Self::MANIFESTS, id.digest()),
            Self::Tile(tile) => write!(formatter, "{}{tile}", Self::TILES),
            Self::Checkpoint(size) => write!(formatter, "{}{size:020}", Self::CHECKPOINTS),
            Self::Head => formatter.write_str("HEAD"),
        }
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text {
            "RECOVER.txt" => return Ok(Self::Recover),
            "lifeboat.json" => return Ok(Self::Site),
            "HEAD" => return Ok(Self::Head),
            _ => {}
        }
        let key = if let Some(rest) = text.strip_prefix(Self::EPOCHS) {
            let (number, file) = rest.split_once('/').ok_or(KeyError)?;
            let number = number.parse().map_err(|_| KeyError)?;
            match file {
                "recipients.age" => Self::EpochRecipients(number),
                "passphrase.age" => Self::EpochPassphrase(number),
                _ => return Err(KeyError),
            }
        } else if let Some(rest) = text.strip_prefix(Self::DICTS) {
            Self::Dict(rest.parse().map_err(|_| KeyError)?)
        } else if let Some(rest) = text.strip_prefix(Self::PACKS) {
            Self::Pack(parse_fanned(rest)?.into())
        } else if let Some(rest) = text.strip_prefix(Self::INDEXES) {
            Self::Index(parse_fanned(rest)?.into())
        } else if let Some(rest) = text.strip_prefix(Self::MANIFESTS) {
            Self::Manifest(parse_fanned(rest)?.into())
        } else if let Some(rest) = text.strip_prefix(Self::TILES) {
            Self::Tile(rest.parse()?)
        } else if let Some(rest) = text.strip_prefix(Self::CHECKPOINTS) {
            let digits = rest.len() == 20 && rest.bytes().all(|character| character.is_ascii_digit());
            if !digits {
                return Err(KeyError);
            }
            Self::Checkpoint(rest.parse().map_err(|_| KeyError)?)
        } else {
            return Err(KeyError);
        };
        Ok(key)
    }
}

fn parse_fanned(rest: &str) -> Result<Digest, KeyError> {
    let (fan, name) = rest.split_once('/').ok_or(KeyError)?;
    if fan.len() != 2 || !name.starts_with(fan) {
        return Err(KeyError);
    }
    name.parse().map_err(|_| KeyError)
}

/// Names one tile of the log, in the terms of C2SP `tlog-tiles`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TileId {
    level: Option<u8>,
    index: u64,
    width: Option<u8>,
}

impl TileId {
    /// How many hashes or entries a full tile holds.
    pub const FULL_WIDTH: u64 = 256;
    /// The highest level of hash tiles.
    pub const LEVEL_MAX: u8 = 63;

    /// Names a hash tile: `width` hashes, where 256 is a full tile.
    pub fn hashes(level: u8, index: u64, width: u16) -> Option<Self> {
        (level <= Self::LEVEL_MAX).then_some(())?;
        Some(Self { level: Some(level), index, width: partial_width(width)? })
    }

    /// Names an entry bundle: `width` entries, where 256 is a full bundle.
    pub fn entries(index: u64, width: u16) -> Option<Self> {
        Some(Self { level: None, index, width: partial_width(width)? })
    }

    /// Returns the level of a hash tile, or nothing for an entry bundle.
    pub const fn level(&self) -> Option<u8> {
        self.level
    }

    /// Returns the place of the tile among those of its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns how many hashes or entries the tile holds, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width.map_or(256, u16::from)
    }

    /// Says whether the tile is not full.
    pub const fn is_partial(&self) -> bool {
        self.width.is_some()
    }

    /// Returns the full tile of which this is, or is the beginning of, one.
    pub const fn full(&self) -> Self {
        Self { level: self.level, index: self.index, width: None }
    }
}

/// Turns a width of 1 to 256 into what a key says about it: nothing when full.
fn partial_width(width: u16) -> Option<Option<u8>> {
    match width {
        256 => Some(None),
        1..=255 => Some(u8::try_from(width).ok()),
        _ => None,
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(formatter, "{level}/")?,
            None => formatter.write_str("entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(formatter, "x{group:03}/")?;
        }
        write!(formatter, "{:03}", groups[0])?;
        match self.width {
            Some(width) => write!(formatter, ".p/{width}"),
            None => Ok(()),
        }
    }
}

impl FromStr for TileId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (level, rest) = text.split_once('/').ok_or(KeyError)?;
        let level = match level {
            "entries" => None,
            number => {
                let level =
                    parse_decimal(number).and_then(|level| u8::try_from(level).ok()).ok_or(KeyError)?;
                if level > Self::LEVEL_MAX {
                    return Err(KeyError);
                }
                Some(level)
            }
        };
        let (path, width) = match rest.split_once(".p/") {
            None => (rest, None),
            Some((path, width)) => {
                let width =
                    parse_decimal(width).and_then(|width| u8::try_from(width).ok()).ok_or(KeyError)?;
                if width == 0 {
                    return Err(KeyError);
                }
                (path, Some(width))
            }
        };
        let tile = Self { level, index: parse_index(path)?, width };
        if tile.to_string() == text { Ok(tile) } else { Err(KeyError) }
    }
}

/// Reads an index written in groups of three digits, all but the last marked with `x`.
fn parse_index(path: &str) -> Result<u64, KeyError> {
    let mut index: u64 = 0;
    let mut groups = path.split('/').peekable();
    while let Some(group) = groups.next() {
        let last = groups.peek().is_none();
        let digits = if last { group } else { group.strip_prefix('x').ok_or(KeyError)? };
        if digits.len() != 3 || !digits.bytes().all(|character| character.is_ascii_digit()) {
            return Err(KeyError);
        }
        let value: u64 = digits.parse().map_err(|_| KeyError)?;
        index = index.checked_mul(1000).and_then(|index| index.checked_add(value)).ok_or(KeyError)?;
    }
    Ok(index)
}

#[cfg(test)]
mod tests;
