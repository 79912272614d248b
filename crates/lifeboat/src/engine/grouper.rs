//! Brings the pieces of one record together when they lie in many documents.
//!
//! Pieces wait in memory, spread over partitions by record key. When they outgrow their share, the
//! fullest partition goes to an unlinked temporary file, compressed and sealed under a key that lives
//! only as long as this run, so that no patient's data ever lies readable on the disk. At the end each
//! partition is small enough to be put together in memory.

use super::host_key::{HostKey, HostKeyError};
use lifeboat_clinical::fhir::Piece;
use lifeboat_format::RecordKey;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

/// Number of partitions; a power of two up to 256.
const PARTITIONS: usize = 256;
/// Bytes that may wait in memory over all partitions.
const WAITING_BYTES_MAX: usize = 48 * 1024 * 1024;
/// Speed matters more than size for what is read once and thrown away.
const SPILL_LEVEL: i32 = 1;
/// Largest sealed chunk that is read back; far above what is written.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// Why pieces could not be brought together.
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

#[derive(Default)]
struct Partition {
    waiting: Vec<(RecordKey, Vec<u8>)>,
    waiting_bytes: usize,
    spilled: Option<File>,
}

/// Gathers pieces by record.
pub(crate) struct Grouper {
    partitions: Vec<Partition>,
    waiting_bytes: usize,
    waiting_bytes_max: usize,
    key: HostKey,
}

impl Grouper {
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

    /// Adds one piece of the record `key`.
    pub(crate) fn add(&mut self, key: RecordKey, piece: &Piece) -> Result<(), SpillError> {
        let bytes = serde_json::to_vec(piece)?;
        let partition = &mut self.partitions[usize::from(key.as_bytes()[0]) % PARTITIONS];
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
        let mut rows = Vec::with_capacity(partition.waiting_bytes + partition.waiting.len() * 20);
        for (key, bytes) in partition.waiting.drain(..) {
            rows.extend_from_slice(key.as_bytes());
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

    /// Hands out every record with its pieces, a partition at a time.
    pub(crate) fn into_partitions(
        self,
    ) -> impl Iterator<Item = Result<BTreeMap<RecordKey, Vec<Piece>>, SpillError>> {
        let key = self.key;
        self.partitions.into_iter().map(move |partition| partition.into_records(&key))
    }
}

impl Partition {
    fn into_records(mut self, key: &HostKey) -> Result<BTreeMap<RecordKey, Vec<Piece>>, SpillError> {
        let mut records: BTreeMap<RecordKey, Vec<Piece>> = BTreeMap::new();
        if let Some(file) = &mut self.spilled {
            file.rewind()?;
            while let Some(rows) = read_chunk(file, key)? {
                let mut rest = rows.as_slice();
                while let Some((record, piece, after)) = split_row(rest) {
                    records.entry(record).or_default().push(serde_json::from_slice(piece)?);
                    rest = after;
                }
            }
        }
        for (record, piece) in self.waiting {
            records.entry(record).or_default().push(serde_json::from_slice(&piece)?);
        }
        Ok(records)
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

fn split_row(rows: &[u8]) -> Option<(RecordKey, &[u8], &[u8])> {
    let (key, rest) = rows.split_first_chunk::<16>()?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (piece, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    Some((RecordKey::from_bytes(*key), piece, rest))
}
