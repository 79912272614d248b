//! The bytes of one entry.

use std::io::{self, BufReader, Read, Seek, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::directory::u16_at;
use super::{ArchiveLimits, Entry, Parts, malformed, too_much};
use crate::problem::Problem;

const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: u64 = 30;

/// Reads the unpacked bytes of an entry, and checks them as they pass.
pub struct EntryReader<'a, R: Read + Seek> {
    body: Body<'a, R>,
    limits: ArchiveLimits,
    declared: u64,
    given: u64,
    expected_crc: u32,
    crc: Crc,
    /// Whether the end was reached and found to be sound, or an error was given.
    done: bool,
}

/// An entry's bytes as they stand in the archive.
type Packed<'a, R> = BufReader<Take<&'a mut Parts<R>>>;

enum Body<'a, R: Read + Seek> {
    Stored(Packed<'a, R>),
    Deflated(DeflateDecoder<Packed<'a, R>>),
}

impl<R: Read + Seek> std::fmt::Debug for EntryReader<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryReader").field("given", &self.given).finish_non_exhaustive()
    }
}

impl<'a, R: Read + Seek> EntryReader<'a, R> {
    pub(super) fn open(
        parts: &'a mut Parts<R>,
        entry: &Entry,
        limits: ArchiveLimits,
    ) -> Result<Self, Problem> {
        let place = &entry.place;
        let damaged = || malformed("is not where the archive's directory says");
        let header = parts.read_at(place.header, LOCAL_BYTES as usize).map_err(|_| damaged())?;
        let (Some(name), Some(extra)) = (u16_at(&header, 26), u16_at(&header, 28)) else {
            return Err(damaged());
        };
        if !header.starts_with(LOCAL) {
            return Err(damaged());
        }
        let raw_name = parts.read_at(place.header + LOCAL_BYTES, usize::from(name)).map_err(|_| damaged())?;
        if raw_name != place.raw_name {
            return Err(malformed("has one name in the archive's directory and another before its bytes"));
        }
        let start = place.header + LOCAL_BYTES + u64::from(name) + u64::from(extra);
        if start.checked_add(place.packed).is_none_or(|end| end > parts.length()) {
            return Err(damaged());
        }
        parts.go_to(start);
        let packed = BufReader::with_capacity(64 << 10, parts.take(place.packed));
        let body = match place.method {
            0 => Body::Stored(packed),
            _ => Body::Deflated(DeflateDecoder::new(packed)),
        };
        Ok(Self {
            body,
            limits,
            declared: entry.bytes,
            given: 0,
            expected_crc: place.crc,
            crc: Crc::new(),
            done: false,
        })
    }

    fn check(&mut self, count: usize) -> io::Result<()> {
        let damaged = |text| Err(io::Error::new(io::ErrorKind::InvalidData, text));
        if self.given > self.declared {
            return damaged("it is longer than its archive says");
        }
        let packed = match &self.body {
            Body::Stored(_) => self.given,
            Body::Deflated(decoder) => decoder.total_in(),
        };
        if !self.limits.allows_ratio(packed, self.given) {
            return Err(too_much());
        }
        if count > 0 {
            return Ok(());
        }
        if self.given < self.declared {
            return damaged("it is shorter than its archive says");
        }
        if self.crc.sum() != self.expected_crc {
            return damaged("its checksum is not the one in its archive");
        }
        Ok(())
    }
}

impl<R: Read + Seek> Read for EntryReader<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.done || into.is_empty() {
            return Ok(0);
        }
        let count = match &mut self.body {
            Body::Stored(packed) => packed.read(into),
            Body::Deflated(decoder) => decoder.read(into),
        };
        let checked = count.and_then(|count| {
            self.given += count as u64;
            self.crc.update(&into[..count]);
            self.check(count).map(|()| count)
        });
        self.done = !matches!(checked, Ok(1..));
        checked
    }
}
