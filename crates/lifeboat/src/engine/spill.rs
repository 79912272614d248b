//! Bytes that do not fit into memory, kept in unlinked temporary files.
//!
//! What waits there is compressed and sealed under a key that lives only as long as this run, so that no patient's data
//! ever lies readable on the disk. [`Spill`] brings together what has the same key, a partition at a time;
//! [`SpooledBytes`] keeps one stream of bytes that is read more than once.

use super::host_key::{HostKey, HostKeyError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;

/// Number of partitions; a power of two up to 256.
pub(crate) const PARTITIONS: usize = 256;
/// Bytes that may wait in memory over all partitions.
const WAITING_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Speed matters more than size for what is read once and thrown away.
const SPILL_LEVEL: i32 = 1;
/// Largest sealed chunk that is read back; far above what is written.
const CHUNK_BYTES_MAX: usize = 1 << 30;
/// Bytes of a stream that are sealed together.
const STREAM_CHUNK_BYTES: usize = 1 << 20;

/// Why something could not be kept aside.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The temporary file cannot be made, written or read.
    #[error("cannot use a temporary file for grouping; is the temporary folder full?")]
    File(#[from] io::Error),
    /// What was read back does not open.
    #[error("a temporary file for grouping was changed from outside")]
    Seal(#[from] HostKeyError),
    /// What was read back is not what was written.
    #[error("a temporary file for grouping cannot be understood")]
    Row(#[from] serde_json::Error),
}

/// A key by which values are brought together; its first byte chooses the partition.
pub(crate) type SpillKey = [u8; 16];

/// The values of one partition, by key, each in the order in which they came.
pub(crate) type Values = BTreeMap<SpillKey, Vec<Vec<u8>>>;

#[derive(Default)]
pub(crate) struct Partition {
    waiting: Vec<(SpillKey, Vec<u8>)>,
    waiting_bytes: usize,
    spilled: Option<File>,
}

/// Gathers values by key.
pub(crate) struct Spill {
    partitions: Vec<Partition>,
    waiting_bytes: usize,
    waiting_bytes_max: usize,
    key: HostKey,
}

impl Spill {
    pub(crate) fn new() -> Result<Self, SpillError> {
        Self::with_memory(WAITING_BYTES_MAX)
    }

    pub(crate) fn with_memory(waiting_bytes_max: usize) -> Result<Self, SpillError> {
        Ok(Self {
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            waiting_bytes: 0,
            waiting_bytes_max,
            key: HostKey::generate()?,
        })
    }

    /// Adds a value of `key`.
    pub(crate) fn add(&mut self, key: SpillKey, bytes: Vec<u8>) -> Result<(), SpillError> {
        let partition = &mut self.partitions[usize::from(key[0]) % PARTITIONS];
        partition.waiting_bytes += bytes.len();
        self.waiting_bytes += bytes.len();
        partition.waiting.push((key, bytes));
        if self.waiting_bytes > self.waiting_bytes_max {
            self.spill_fullest()?;
        }
        Ok(())
    }

    fn spill_fullest(&mut self) -> Result<(), SpillError> {
        let fullest = self.partitions.iter_mut().max_by_key(|partition| partition.waiting_bytes);
        let Some(partition) = fullest else { return Ok(()) };
        let mut rows = Vec::with_capacity(partition.waiting_bytes + partition.waiting.len() * 24);
        for (key, bytes) in partition.waiting.drain(..) {
            rows.extend_from_slice(&key);
            rows.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            rows.extend_from_slice(&bytes);
        }
        let sealed = self.key.seal(b"spill", &zstd::bulk::compress(&rows, SPILL_LEVEL)?)?;
        let file = match &mut partition.spilled {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        for length in [rows.len(), sealed.len()] {
            file.write_all(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes())?;
        }
        file.write_all(&sealed)?;
        self.waiting_bytes -= std::mem::take(&mut partition.waiting_bytes);
        Ok(())
    }

    /// Hands out the partitions, and the key that opens what they spilled.
    pub(crate) fn into_partitions(self) -> (Vec<Partition>, HostKey) {
        (self.partitions, self.key)
    }
}

impl Partition {
    /// Reads back every value, by key.
    pub(crate) fn into_values(mut self, key: &HostKey) -> Result<Values, SpillError> {
        let mut values = Values::new();
        if let Some(file) = &mut self.spilled {
            file.rewind()?;
            while let Some(rows) = read_chunk(file, key)? {
                let mut rest = rows.as_slice();
                while let Some((key, value, after)) = split_row(rest) {
                    values.entry(key).or_default().push(value.to_vec());
                    rest = after;
                }
            }
        }
        for (key, value) in self.waiting {
            values.entry(key).or_default().push(value);
        }
        Ok(values)
    }
}

fn read_chunk(file: &mut File, key: &HostKey) -> Result<Option<Vec<u8>>, SpillError> {
    let mut header = [0; 16];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (rows, sealed) = header.split_at(8);
    let length = |bytes: &[u8]| -> io::Result<usize> {
        let length = bytes.try_into().map(u64::from_le_bytes).map_err(io::Error::other)?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        if length > CHUNK_BYTES_MAX { Err(io::Error::other("a chunk is too long")) } else { Ok(length) }
    };
    let mut bytes = vec![0; length(sealed)?];
    file.read_exact(&mut bytes)?;
    Ok(Some(zstd::bulk::decompress(&key.open(b"spill", &bytes)?, length(rows)?)?))
}

fn split_row(rows: &[u8]) -> Option<(SpillKey, &[u8], &[u8])> {
    let (key, rest) = rows.split_first_chunk::<16>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    Some((*key, value, rest))
}

/// A stream of bytes on its way into a temporary file.
pub(crate) struct Spooling {
    file: File,
    key: HostKey,
    chunks: Vec<(u64, usize)>,
    waiting: Vec<u8>,
    written: u64,
    bytes: u64,
}

impl Spooling {
    pub(crate) fn new() -> Result<Self, SpillError> {
        Ok(Self {
            file: tempfile::tempfile()?,
            key: HostKey::generate()?,
            chunks: Vec::new(),
            waiting: Vec::with_capacity(STREAM_CHUNK_BYTES),
            written: 0,
            bytes: 0,
        })
    }

    /// How many bytes have been added.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds what came next.
    pub(crate) fn add(&mut self, mut bytes: &[u8]) -> Result<(), SpillError> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = STREAM_CHUNK_BYTES - self.waiting.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == STREAM_CHUNK_BYTES {
                self.seal()?;
            }
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<(), SpillError> {
        let place = self.chunks.len().to_le_bytes();
        let sealed = self.key.seal(&place, &zstd::bulk::compress(&self.waiting, SPILL_LEVEL)?)?;
        self.file.write_all(&sealed)?;
        self.chunks.push((self.written, sealed.len()));
        self.written += sealed.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> Result<SpooledBytes, SpillError> {
        if !self.waiting.is_empty() {
            self.seal()?;
        }
        Ok(SpooledBytes { file: self.file, key: self.key, chunks: self.chunks, bytes: self.bytes })
    }
}

/// A stream of bytes that can be read again and again.
pub(crate) struct SpooledBytes {
    file: File,
    key: HostKey,
    /// Where each sealed chunk begins and how long it is.
    chunks: Vec<(u64, usize)>,
    bytes: u64,
}

impl std::fmt::Debug for SpooledBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpooledBytes").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl SpooledBytes {
    /// How many bytes there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads them from the beginning.
    pub(crate) fn reader(&self) -> SpooledReader<'_> {
        SpooledReader { spooled: self, next: 0, chunk: Vec::new(), at: 0 }
    }

    fn chunk(&self, number: usize) -> io::Result<Option<Vec<u8>>> {
        let Some((offset, length)) = self.chunks.get(number) else { return Ok(None) };
        let mut sealed = vec![0; *length];
        self.file.read_exact_at(&mut sealed, *offset)?;
        let opened = self.key.open(&number.to_le_bytes(), &sealed).map_err(io::Error::other)?;
        zstd::bulk::decompress(&opened, STREAM_CHUNK_BYTES).map(Some)
    }
}

/// Reads a spooled stream.
pub(crate) struct SpooledReader<'a> {
    spooled: &'a SpooledBytes,
    next: usize,
    chunk: Vec<u8>,
    at: usize,
}

impl Read for SpooledReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let Some(chunk) = self.spooled.chunk(self.next)? else { return Ok(0) };
            (self.chunk, self.at, self.next) = (chunk, 0, self.next + 1);
        }
        let length = buffer.len().min(self.chunk.len() - self.at);
        buffer[..length].copy_from_slice(&self.chunk[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::{STREAM_CHUNK_BYTES, Spill, Spooling};
    use std::io::Read as _;

    #[test]
    fn values_come_back_by_key_in_their_order_whether_they_were_spilled_or_not() {
        for memory in [0, 100, 1 << 20] {
            let mut spill = Spill::with_memory(memory).expect("a spill");
            for n in 0..600_u16 {
                spill.add([(n % 3) as u8; 16], n.to_le_bytes().to_vec()).expect("adds");
            }
            let (partitions, key) = spill.into_partitions();
            let mut seen = 0;
            for partition in partitions {
                for (key, values) in partition.into_values(&key).expect("reads") {
                    seen += values.len();
                    let numbers: Vec<u16> =
                        values.iter().map(|value| u16::from_le_bytes([value[0], value[1]])).collect();
                    assert!(numbers.is_sorted());
                    assert!(numbers.iter().all(|n| n % 3 == u16::from(key[0])));
                }
            }
            assert_eq!(seen, 600);
        }
    }

    #[test]
    fn a_stream_reads_the_same_twice() {
        let whole: Vec<u8> = (0..STREAM_CHUNK_BYTES * 2 + 7).map(|n| (n % 251) as u8).collect();
        let mut spooling = Spooling::new().expect("spools");
        whole.chunks(1000).for_each(|part| spooling.add(part).expect("adds"));
        let spooled = spooling.finish().expect("ends");
        assert_eq!(spooled.bytes(), whole.len() as u64);
        for _ in 0..2 {
            let mut read = Vec::new();
            spooled.reader().read_to_end(&mut read).expect("reads");
            assert!(read == whole);
        }
    }
}
