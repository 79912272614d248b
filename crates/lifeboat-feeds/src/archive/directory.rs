//! The directory at the end of a zip archive.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::{ArchiveLimits, Entry, EntryPlace, Parts, malformed, unreadable};
use crate::problem::{Problem, Reason};

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;
const NAME_BYTES_MAX: usize = 1024;

/// Where the directory is and how much it holds.
struct End {
    last_disk: u64,
    disk: u64,
    entries: u64,
    bytes: u64,
    offset: u64,
}

/// Reads the directory; gives the entries that can be read, and what is wrong with the others.
pub(super) fn read<R: Read + Seek>(
    parts: &mut Parts<R>,
    limits: &ArchiveLimits,
) -> Result<(Vec<Entry>, Vec<Problem>), Problem> {
    let end = find_end(parts)?;
    let disks = Disks::of(parts, &end)?;
    let start = disks
        .place(parts, end.disk, end.offset)
        .filter(|start| start.checked_add(end.bytes).is_some_and(|end| end <= parts.length()))
        .ok_or_else(|| malformed("is a zip archive whose directory is not where it says"))?;
    let too_many = |what: &str, limit| Err(Problem::whole(Reason::TooMany { what: what.into(), limit }));
    if end.entries > limits.entries_max {
        return too_many("entries", limits.entries_max);
    }
    if end.bytes > limits.directory_bytes_max {
        return too_many("bytes of the archive's directory", limits.directory_bytes_max);
    }
    let length = usize::try_from(end.bytes).unwrap_or(usize::MAX);
    let bytes = parts.read_at(start, length).map_err(unreadable)?;
    let mut rest = bytes.as_slice();
    let mut listing = Listing::new(limits);
    for _ in 0..end.entries {
        let (found, after) =
            Found::parse(rest).ok_or_else(|| malformed("is a zip archive with a damaged directory"))?;
        rest = after;
        let place = disks.place(parts, found.disk, found.offset);
        listing.take(&found, place);
        if listing.total > limits.total_bytes_max {
            return too_many("bytes of all entries together", limits.total_bytes_max);
        }
    }
    if listing.packed > parts.length() {
        return Err(malformed("is a zip archive whose entries overlap, as only harmful ones do"));
    }
    Ok(listing.finish())
}

/// How places are counted in an archive.
enum Disks {
    /// From the beginning of all parts.
    One,
    /// From the beginning of the part with this number.
    PerPart,
}

impl Disks {
    fn of<R: Read + Seek>(parts: &Parts<R>, end: &End) -> Result<Self, Problem> {
        let count = parts.count() as u64;
        if end.last_disk == 0 {
            return Ok(Self::One);
        }
        if end.last_disk + 1 != count {
            return Err(Problem::whole(Reason::Malformed(format!(
                "is the end of a zip archive in {} parts, of which {count} are here: the parts are .z01 to .z{:02} and .zip",
                end.last_disk.saturating_add(1),
                end.last_disk
            ))));
        }
        Ok(Self::PerPart)
    }

    fn place<R: Read + Seek>(&self, parts: &Parts<R>, disk: u64, offset: u64) -> Option<u64> {
        match self {
            Self::One => (disk == 0).then_some(offset),
            Self::PerPart => parts.start(usize::try_from(disk).ok()?)?.checked_add(offset),
        }
    }
}

/// Finds the record that ends an archive, which a comment may follow.
fn find_end<R: Read + Seek>(parts: &mut Parts<R>) -> Result<End, Problem> {
    let length = parts.length();
    let tail_length = length.min((END_BYTES + 0xffff) as u64);
    let tail =
        parts.read_at(length - tail_length, usize::try_from(tail_length).unwrap_or(0)).map_err(unreadable)?;
    let fits = |at: &usize| {
        let record = &tail[*at..];
        record.starts_with(END)
            && u16_at(record, 20).is_some_and(|comment| usize::from(comment) + END_BYTES == record.len())
    };
    let Some(at) = (0..tail.len().saturating_sub(END_BYTES - 1)).rev().find(fits) else {
        return Err(malformed(
            "is no whole zip archive: its directory, which stands at the end, is missing; it may be cut short, or its \
             last part missing",
        ));
    };
    let record = &tail[at..];
    let small = |at| u16_at(record, at).map(u64::from);
    let large = |at| u32_at(record, at).map(u64::from);
    let end = (|| {
        Some(End {
            last_disk: small(4)?,
            disk: small(6)?,
            entries: small(10)?,
            bytes: large(12)?,
            offset: large(16)?,
        })
    })();
    let end = end.ok_or_else(|| malformed("is a zip archive with a damaged directory"))?;
    let locator = at.checked_sub(20).map(|start| &tail[start..at]).filter(|it| it.starts_with(LOCATOR_64));
    match locator {
        Some(locator) => read_end_64(parts, locator, end.last_disk),
        None => Ok(end),
    }
}

/// Reads the record that ends a large archive.
fn read_end_64<R: Read + Seek>(parts: &mut Parts<R>, locator: &[u8], last_disk: u64) -> Result<End, Problem> {
    let damaged = || malformed("is a zip archive with a damaged directory");
    let disk = u32_at(locator, 4).map(u64::from).ok_or_else(damaged)?;
    let offset = u64_at(locator, 8).ok_or_else(damaged)?;
    let disks = if last_disk == 0 { Disks::One } else { Disks::PerPart };
    let place = disks.place(parts, disk, offset).ok_or_else(damaged)?;
    let record = parts.read_at(place, 56).map_err(|_| damaged())?;
    if !record.starts_with(END_64) {
        return Err(damaged());
    }
    let end = (|| {
        Some(End {
            last_disk: u32_at(&record, 16)?.into(),
            disk: u32_at(&record, 20)?.into(),
            entries: u64_at(&record, 32)?,
            bytes: u64_at(&record, 40)?,
            offset: u64_at(&record, 48)?,
        })
    })();
    end.ok_or_else(damaged)
}

/// What the directory says of an entry.
struct Found<'a> {
    name: &'a [u8],
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    bytes: u64,
    disk: u64,
    offset: u64,
    is_link: bool,
}

impl<'a> Found<'a> {
    /// Reads the first entry of a directory; gives the rest besides.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        if !bytes.starts_with(ENTRY) {
            return None;
        }
        let length = |at| u16_at(bytes, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let (name_end, extra_end) = (ENTRY_BYTES + name, ENTRY_BYTES + name + extra);
        let made_by_unix = u16_at(bytes, 4)? >> 8 == 3;
        let mut found = Self {
            name: bytes.get(ENTRY_BYTES..name_end)?,
            flags: u16_at(bytes, 8)?,
            method: u16_at(bytes, 10)?,
            crc: u32_at(bytes, 16)?,
            packed: u32_at(bytes, 20)?.into(),
            bytes: u32_at(bytes, 24)?.into(),
            disk: u16_at(bytes, 34)?.into(),
            offset: u32_at(bytes, 42)?.into(),
            is_link: made_by_unix && (u32_at(bytes, 38)? >> 16) & 0xf000 == 0xa000,
        };
        found.widen(bytes.get(name_end..extra_end)?)?;
        Some((found, bytes.get(extra_end + comment..)?))
    }

    /// Reads the numbers that do not fit in their places out of the extra fields.
    fn widen(&mut self, mut extra: &[u8]) -> Option<()> {
        while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let mut field = extra.get(4..4 + usize::from(length))?;
            if id == 1 {
                for number in [&mut self.bytes, &mut self.packed, &mut self.offset] {
                    if *number == u64::from(u32::MAX) {
                        *number = u64_at(field, 0)?;
                        field = &field[8..];
                    }
                }
                if self.disk == u64::from(u16::MAX) {
                    self.disk = u32_at(field, 0)?.into();
                }
            }
            extra = &extra[4 + usize::from(length)..];
        }
        Some(())
    }

    /// Returns why an entry is not read.
    fn refusal(&self, limits: &ArchiveLimits) -> Option<Reason> {
        let foreign = |text: &str| Some(Reason::Foreign(text.to_owned()));
        if self.flags & 0x2041 != 0 || self.method == 99 {
            return foreign("is encrypted with a password: deliver it without, or unpack it first");
        }
        if self.is_link {
            return foreign("is a link, and links in archives are not followed");
        }
        if !matches!(self.method, 0 | 8) {
            return Some(Reason::Foreign(format!(
                "is packed by a method that is not read (number {}): pack it with deflate, or unpack it first",
                self.method
            )));
        }
        if self.bytes > limits.entry_bytes_max {
            let limit = limits.entry_bytes_max;
            return Some(Reason::TooMany { what: "bytes of one entry".to_owned(), limit });
        }
        if !limits.allows_ratio(self.packed, self.bytes) {
            return Some(Reason::Malformed(format!(
                "would unpack to more than {} times its length, as only harmful archives do",
                limits.ratio_max
            )));
        }
        None
    }
}

/// The entries as they are listed.
struct Listing<'a> {
    limits: &'a ArchiveLimits,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    /// How often each name stands in the archive.
    names: BTreeMap<String, u32>,
    total: u64,
    packed: u64,
}

impl<'a> Listing<'a> {
    fn new(limits: &'a ArchiveLimits) -> Self {
        Self { limits, entries: vec![], problems: vec![], names: BTreeMap::new(), total: 0, packed: 0 }
    }

    fn take(&mut self, found: &Found<'_>, place: Option<u64>) {
        self.total = self.total.saturating_add(found.bytes);
        self.packed = self.packed.saturating_add(found.packed);
        let name = match sound_name(found.name) {
            Ok(name) => name,
            Err(problem) => return self.problems.push(problem),
        };
        if name.ends_with('/') {
            return;
        }
        *self.names.entry(name.clone()).or_default() += 1;
        let refusal = found.refusal(self.limits);
        let (None, Some(header)) = (&refusal, place) else {
            let nowhere = || Reason::Malformed("is in a part of the archive that is not there".to_owned());
            return self.problems.push(Problem::of_file(name, refusal.unwrap_or_else(nowhere)));
        };
        let place = EntryPlace {
            raw_name: found.name.to_vec(),
            header,
            packed: found.packed,
            method: found.method,
            crc: found.crc,
        };
        self.entries.push(Entry { name, bytes: found.bytes, place });
    }

    /// Takes out entries that share a name: nobody knows which is meant.
    fn finish(mut self) -> (Vec<Entry>, Vec<Problem>) {
        self.entries.retain(|entry| self.names.get(&entry.name) == Some(&1));
        for (name, count) in self.names.into_iter().filter(|(_, count)| *count > 1) {
            let text = format!("stands in the archive {count} times; none of them is read");
            self.problems.push(Problem::of_file(name, Reason::Malformed(text)));
        }
        (self.entries, self.problems)
    }
}

/// Returns an entry's name with `/`, or refuses one that points outside the archive or is no name.
fn sound_name(raw: &[u8]) -> Result<String, Problem> {
    let name = match std::str::from_utf8(raw) {
        Ok(name) => name.replace('\\', "/"),
        Err(_) => raw.iter().map(|byte| char::from(*byte)).collect::<String>().replace('\\', "/"),
    };
    let outside = name.starts_with('/')
        || name.as_bytes().get(1) == Some(&b':')
        || name.split('/').any(|step| matches!(step, ".." | "."));
    let no_name = name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name.contains("//")
        || name
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    if !outside && !no_name {
        return Ok(name);
    }
    let shown: String = name.chars().take(80).filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let text = if outside {
        "has a name that points outside the archive; it is not read"
    } else {
        "has a name that no file may have; it is not read"
    };
    Err(Problem::of_file(shown, Reason::Malformed(text.to_owned())))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
