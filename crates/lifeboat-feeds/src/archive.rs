//! Files inside files: zip archives, whole or in parts, as folders of entries; gzip and Zstandard around single files.
//!
//! Nothing is unpacked to a disk or to memory: an entry is a stream. The archive's directory is read by this module
//! itself, because extracts of whole practices come in parts (`x.z01`, `x.z02`, …, `x.zip`, or `x.zip.001`, …) and the
//! usual reader takes whole archives only. Everything has a limit, on what an archive declares and on what comes out of
//! it; an entry with a name that points outside the archive is refused, not corrected.

mod directory;
mod entry;
mod magic;
mod parts;

use std::io::{self, BufReader, Chain, Cursor, Read, Seek};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::problem::{Problem, Reason};
pub use entry::EntryReader;
pub use magic::{Container, container, encrypted_by_name};
use parts::Parts;
pub use parts::{ArchiveFiles, archives};

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Entries.
    pub entries_max: u64,
    /// The length of the archive's directory.
    pub directory_bytes_max: u64,
    /// The length of one entry, unpacked.
    pub entry_bytes_max: u64,
    /// The length of all entries together, unpacked.
    pub total_bytes_max: u64,
    /// How many times longer than packed an entry may be, unpacked.
    pub ratio_max: u64,
    /// Up to this length the ratio does not matter.
    pub ratio_free_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            entries_max: 20_000,
            directory_bytes_max: 32 << 20,
            entry_bytes_max: 64 << 30,
            total_bytes_max: 512 << 30,
            ratio_max: 200,
            ratio_free_bytes: 64 << 20,
        }
    }
}

impl ArchiveLimits {
    /// Says whether so much may come out of so few bytes.
    fn allows_ratio(&self, packed: u64, unpacked: u64) -> bool {
        unpacked <= self.ratio_free_bytes || unpacked / self.ratio_max <= packed
    }
}

/// One file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path within the archive, with `/`.
    pub name: String,
    /// Its length, unpacked, as the archive declares it; reading gives exactly so many bytes or an error.
    pub bytes: u64,
    place: EntryPlace,
}

/// Where an entry is and how it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EntryPlace {
    /// The name as it is written, to be found again before the entry's bytes.
    raw_name: Vec<u8>,
    header: u64,
    packed: u64,
    method: u16,
    crc: u32,
}

/// The entries of a zip archive.
pub struct ArchiveEntries<R: Read + Seek> {
    parts: Parts<R>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    limits: ArchiveLimits,
}

impl<R: Read + Seek> std::fmt::Debug for ArchiveEntries<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArchiveEntries").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<R: Read + Seek> ArchiveEntries<R> {
    /// Reads the directory of an archive that is one file.
    ///
    /// # Errors
    /// It is no zip archive, or a limit is passed, so that none of it is read.
    pub fn list(reader: R, limits: ArchiveLimits) -> Result<Self, Problem> {
        Self::list_parts(vec![reader], limits)
    }

    /// Reads the directory of an archive in parts, given in order; the one that ends in `.zip` comes last, unless the
    /// parts are numbered `.zip.001` and so on.
    ///
    /// # Errors
    /// A part is missing, it is no zip archive, or a limit is passed, so that none of it is read.
    pub fn list_parts(parts: Vec<R>, limits: ArchiveLimits) -> Result<Self, Problem> {
        let mut parts = Parts::new(parts).map_err(unreadable)?;
        let (entries, problems) = directory::read(&mut parts, &limits)?;
        Ok(Self { parts, entries, problems, limits })
    }

    /// Returns the entries that can be read, in the archive's order; folders are left out.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns which entries are not read, and why.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Opens the entry at this place of [`ArchiveEntries::entries`] as a stream of its unpacked bytes.
    ///
    /// Whatever is wrong with its bytes is an error of the stream: it is longer or shorter than declared, its checksum is
    /// another, it grows beyond the limits.
    ///
    /// # Errors
    /// There is no such entry, or no bytes where the archive's directory says that they are.
    pub fn open(&mut self, entry: usize) -> Result<EntryReader<'_, R>, Problem> {
        let entry = self.entries.get(entry).ok_or_else(|| malformed("has no such entry"))?;
        EntryReader::open(&mut self.parts, entry, self.limits)
    }
}

fn unreadable(error: io::Error) -> Problem {
    Problem::whole(Reason::Unreadable(error.to_string()))
}

fn malformed(text: &str) -> Problem {
    Problem::whole(Reason::Malformed(text.to_owned()))
}

/// The bytes of a file, out of gzip or Zstandard where it is packed so.
pub struct Unpacked<R: Read> {
    from: From<R>,
    limits: ArchiveLimits,
    given: u64,
}

/// A file with its first bytes put back before it.
type Whole<R> = BufReader<Counted<Chain<Cursor<Vec<u8>>, R>>>;

enum From<R: Read> {
    Plain(Whole<R>),
    Gzip(MultiGzDecoder<Whole<R>>),
    Zstd(Box<ZstdDecoder<'static, Whole<R>>>),
}

impl<R: Read> std::fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked").field("given", &self.given).finish_non_exhaustive()
    }
}

/// Counts what is read.
struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// The largest window of a Zstandard frame that is read, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Recognises by its first bytes how a file is packed, and unpacks it as it is read.
///
/// # Errors
/// It is encrypted, or of another kind than text in gzip, in Zstandard or as it is; it cannot be read.
pub fn unpack<R: Read>(mut reader: R, limits: ArchiveLimits) -> Result<Unpacked<R>, Problem> {
    let mut head = Vec::with_capacity(magic::HEAD_BYTES);
    reader.by_ref().take(magic::HEAD_BYTES as u64).read_to_end(&mut head).map_err(unreadable)?;
    let kind = container(&head);
    let whole =
        BufReader::with_capacity(64 << 10, Counted { reader: Cursor::new(head).chain(reader), count: 0 });
    let from = match kind {
        Container::Plain => From::Plain(whole),
        Container::Gzip => From::Gzip(MultiGzDecoder::new(whole)),
        Container::Zstd => {
            let mut decoder = ZstdDecoder::with_buffer(whole).map_err(unreadable)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(unreadable)?;
            From::Zstd(Box::new(decoder))
        }
        Container::Zip => {
            return Err(Problem::whole(Reason::Foreign(
                "is a zip archive within an archive; unpack it first".into(),
            )));
        }
        Container::Foreign(text) => return Err(Problem::whole(Reason::Foreign(text.into()))),
    };
    Ok(Unpacked { from, limits, given: 0 })
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let (count, packed) = match &mut self.from {
            From::Plain(reader) => return reader.read(into),
            From::Gzip(decoder) => (decoder.read(into)?, decoder.get_ref().get_ref().count),
            From::Zstd(decoder) => (decoder.read(into)?, decoder.get_ref().get_ref().count),
        };
        self.given += count as u64;
        if self.given > self.limits.entry_bytes_max || !self.limits.allows_ratio(packed, self.given) {
            return Err(too_much());
        }
        Ok(count)
    }
}

fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it unpacks to more than the limit")
}

#[cfg(test)]
mod tests;
