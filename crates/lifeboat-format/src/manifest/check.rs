//! Reading a manifest strictly, and what must hold of one.

use super::{
    FORMAT_VERSION, GATE_DETAIL_BYTES_MAX, GATE_REASONS_MAX, INDEX_PARTS_MAX, IndexEntry, MANIFEST_BYTES_MAX,
    MANIFEST_DICTS_MAX, MANIFEST_PACKS_MAX, Manifest, Quality, SHORT_TEXT_BYTES_MAX, Verdict,
};
use crate::blob::{RECORD_BYTES_MAX, blob_bytes_max};
use crate::dictionary::SEALED_DICTIONARY_BYTES_MAX;
use crate::epoch::EPOCH_SECRET_BYTES_MAX;
use crate::ids::PackPrefix;
use crate::index::{INDEX_PART_BYTES_MAX, PartKind};
use crate::json;

/// Says why bytes are not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The manifest is larger than [`MANIFEST_BYTES_MAX`].
    #[error("manifest of {bytes} bytes is larger than {MANIFEST_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// The manifest was written by a newer version.
    #[error("manifest has format {format}, newer than {FORMAT_VERSION}")]
    Newer {
        /// The version that it says it has.
        format: u64,
    },
    /// The bytes are not JSON with the fields and values of a manifest.
    #[error("not a manifest: fault at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The fields contradict each other or exceed a limit.
    #[error("the manifest contradicts itself: {what}")]
    Contradiction {
        /// What is wrong.
        what: &'static str,
    },
}

impl Manifest {
    /// Reads and checks a manifest. Of a newer format it says only that.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let manifest: Self = json::parse_versioned(bytes).map_err(|error| match error {
            json::VersionedError::Newer { format } => ManifestError::Newer { format },
            json::VersionedError::Json { line, column } => ManifestError::Json { line, column },
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Says whether the fields agree with each other and keep the limits.
    pub fn check(&self) -> Result<(), ManifestError> {
        let texts = self.counts.sections.keys().chain([&self.feed.format]);
        let reasons = &self.gate.reasons;
        let dicts = &self.dicts;
        require(self.format == FORMAT_VERSION, "format")?;
        require((self.sequence.number() == 1) == self.previous.is_none(), "previous snapshot")?;
        require(self.next_by >= self.taken, "next expected time")?;
        require(texts.into_iter().all(|text| is_short(text)), "length of a name")?;
        require(self.counts.sections.len() <= 64, "number of sections")?;
        require(
            self.quality.is_none_or(|quality| {
                quality.nhs_numbers_valid <= quality.nhs_numbers
                    && quality.characters == Quality::rounded(quality.characters)
            }),
            "quality",
        )?;
        require(reasons.len() <= GATE_REASONS_MAX, "number of gate reasons")?;
        require(
            reasons
                .iter()
                .all(|reason| is_short(&reason.code) && reason.detail.len() <= GATE_DETAIL_BYTES_MAX),
            "length of a gate reason",
        )?;
        require(self.is_held() || self.accepted.is_none(), "accepted snapshot before an accepted one")?;
        require(self.gate.verdict == Verdict::Accepted || !reasons.is_empty(), "held without a reason")?;
        require(
            self.accepted.is_none_or(|accepted| accepted.sequence < self.sequence),
            "accepted snapshot's number",
        )?;
        require(self.limits.record_bytes_max <= RECORD_BYTES_MAX, "largest record")?;
        require(dicts.len() <= MANIFEST_DICTS_MAX, "number of dictionaries")?;
        require(dicts.iter().all(|dict| fits(dict.size, SEALED_DICTIONARY_BYTES_MAX)), "dictionary size")?;
        require(dicts.iter().all(|dict| dict.id != 0), "dictionary id")?;
        require(
            dicts
                .iter()
                .enumerate()
                .all(|(index, dict)| dicts[..index].iter().all(|other| other.id != dict.id)),
            "two dictionaries with one id",
        )?;
        self.check_epoch()?;
        self.check_packs()?;
        check_index(&self.indexes.base)?;
        self.indexes.delta.as_ref().map_or(Ok(()), check_index)
    }

    fn check_epoch(&self) -> Result<(), ManifestError> {
        let mut files = std::iter::once(&self.epoch.recipients).chain(&self.epoch.passphrase);
        require(files.all(|file| fits(file.size, EPOCH_SECRET_BYTES_MAX)), "size of an epoch secret")
    }

    fn check_packs(&self) -> Result<(), ManifestError> {
        let packs = &self.packs;
        require(packs.len() <= MANIFEST_PACKS_MAX, "number of packs")?;
        // Any pack may hold one blob of the largest record alone.
        let size_max = blob_bytes_max(RECORD_BYTES_MAX);
        require(packs.iter().all(|pack| fits(pack.size, size_max)), "size of a pack")?;
        let ascending =
            packs.windows(2).all(|pair| PackPrefix::from(pair[0].sha256) < PackPrefix::from(pair[1].sha256));
        require(ascending, "packs not in ascending order of distinct beginnings of their ids")
    }
}

fn check_index(index: &IndexEntry) -> Result<(), ManifestError> {
    require(index.parts.len() <= INDEX_PARTS_MAX, "number of index parts")?;
    let mut end: u64 = 0;
    for part in &index.parts {
        require(part.offset == end, "index parts do not lie back to back")?;
        require(fits(u64::from(part.length), INDEX_PART_BYTES_MAX), "size of an index part")?;
        require(part.from.is_some() == (part.kind == PartKind::Locator), "where an index part begins")?;
        end += u64::from(part.length);
    }
    require(end == index.size, "index parts do not cover the index")?;
    let in_order = index.parts.windows(2).all(|pair| {
        let (one, two) = (&pair[0], &pair[1]);
        match (one.kind, two.kind) {
            (PartKind::Locator, PartKind::Locator) => one.from < two.from,
            (one, two) => one <= two,
        }
    });
    require(in_order, "order of index parts")?;
    let roots = index.parts.iter().filter(|part| part.kind == PartKind::DirectoryRoot).count();
    require(roots == 1, "number of directory roots")
}

fn require(holds: bool, what: &'static str) -> Result<(), ManifestError> {
    if holds { Ok(()) } else { Err(ManifestError::Contradiction { what }) }
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.len() <= SHORT_TEXT_BYTES_MAX
}

/// Says whether a size is more than nothing and within a limit.
fn fits(size: u64, size_max: usize) -> bool {
    size > 0 && usize::try_from(size).is_ok_and(|size| size <= size_max)
}
