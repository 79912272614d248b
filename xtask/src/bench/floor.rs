//! The physical floor: the least that a snapshot of sealed records can cost, with nothing around it.
//!
//! It reads each line and digests it, seals each record that is new (zstd level 3 with a trained dictionary, one X25519
//! seal), digests packs and writes them to three folders. It does not parse, group, decide, index, sign or remember. It runs
//! as a process of its own, so that it is measured as everybody else is.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use lifeboat_format::{Dictionary, Digest, EpochIdentity, EpochRecipient, Sealer};

use super::data::each_line;
use crate::failure::Failure;

/// Records that the dictionary is trained on.
const SAMPLES: usize = 500;
/// The size of a pack.
const PACK_BYTES: usize = 8 * 1024 * 1024;

/// Which snapshot to take.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Snapshot {
    /// Every record.
    First,
    /// Those whose digest was not there the first time.
    Changed,
}

/// What to work on.
#[derive(Args)]
pub(crate) struct Options {
    #[arg(value_enum)]
    snapshot: Snapshot,
    /// One document to a line.
    lines: PathBuf,
    /// Holds the three copies, and what the second snapshot needs to know of the first.
    folder: PathBuf,
}

/// Takes one snapshot and prints how many bytes were sealed.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let known: HashSet<[u8; 32]> = match options.snapshot {
        Snapshot::First => HashSet::new(),
        Snapshot::Changed => {
            let bytes = read(&options.folder.join("digests"))?;
            bytes.chunks_exact(32).filter_map(|chunk| chunk.try_into().ok()).collect()
        }
    };
    let work = Work::new(options)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let lines = read(&options.lines)?;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let share = lines.len().div_ceil(threads).max(1);
    let results: Vec<Result<Sealed, Failure>> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            lines.chunks(share).map(|part| scope.spawn(|| work.seal(part, &known))).collect();
        workers.into_iter().map(|worker| worker.join().expect("sealing does not panic")).collect()
    });
    let mut digests = Vec::new();
    let mut bytes = 0;
    for result in results {
        let sealed = result?;
        bytes += sealed.bytes;
        digests.extend(sealed.digests.into_iter().flatten());
    }
    write_durably(&options.folder.join("digests"), &digests)?;
    println!("{bytes}");
    Ok(())
}

/// What all threads share.
struct Work {
    recipient: EpochRecipient,
    dictionary: Option<Dictionary>,
    folder: PathBuf,
    next: Mutex<u32>,
}

/// What one thread did.
struct Sealed {
    digests: Vec<[u8; 32]>,
    bytes: usize,
}

impl Work {
    /// Makes the three folders and a key; trains the dictionary the first time and reads it the second.
    fn new(options: &Options) -> Result<Work, Failure> {
        for copy in ["copy1", "copy2", "copy3"] {
            let folder = options.folder.join(copy);
            fs::create_dir_all(&folder).map_err(|source| Failure::Write { path: folder, source })?;
        }
        let path = options.folder.join("dictionary");
        let unsound = |error: lifeboat_format::DictionaryError| Failure::Measure { what: error.to_string() };
        let dictionary = match options.snapshot {
            Snapshot::First => {
                let mut samples = Vec::new();
                each_line(&options.lines, |at, line| {
                    if at < SAMPLES {
                        samples.push(line.to_owned());
                    }
                    Ok(())
                })?;
                let trained = Dictionary::train(&samples).map_err(unsound)?;
                write_durably(&path, trained.as_ref().map(Dictionary::bytes).unwrap_or_default())?;
                trained
            }
            Snapshot::Changed => Some(Dictionary::from_bytes(read(&path)?.into()).map_err(unsound)?),
        };
        let recipient = EpochIdentity::generate().recipient();
        Ok(Work { recipient, dictionary, folder: options.folder.clone(), next: Mutex::new(0) })
    }

    /// Digests every line and seals the unknown ones.
    fn seal(&self, lines: &[&[u8]], known: &HashSet<[u8; 32]>) -> Result<Sealed, Failure> {
        let unsound = |error: lifeboat_format::SealError| Failure::Measure { what: error.to_string() };
        let mut sealer = Sealer::new(&self.recipient, self.dictionary.as_ref()).map_err(unsound)?;
        let mut done = Sealed { digests: Vec::with_capacity(lines.len()), bytes: 0 };
        let mut pack = Vec::with_capacity(PACK_BYTES);
        for line in lines {
            let digest = *Digest::of(line).as_bytes();
            done.digests.push(digest);
            if known.contains(&digest) {
                continue;
            }
            let blob = sealer.seal(line).map_err(unsound)?;
            done.bytes += blob.len();
            if pack.len() + blob.len() > PACK_BYTES {
                self.write(&pack)?;
                pack.clear();
            }
            pack.extend_from_slice(&blob);
        }
        if !pack.is_empty() {
            self.write(&pack)?;
        }
        Ok(done)
    }

    /// Digests a pack and writes it to the three folders.
    fn write(&self, pack: &[u8]) -> Result<(), Failure> {
        let digest = Digest::of(pack);
        let number = {
            let mut next = self.next.lock().expect("nobody panics while counting");
            *next += 1;
            *next
        };
        for copy in ["copy1", "copy2", "copy3"] {
            write_durably(&self.folder.join(copy).join(format!("{digest}-{number}")), pack)?;
        }
        Ok(())
    }
}

/// Reads a whole file.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })
}

/// Writes a file and waits until the disk has it.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |source| Failure::Write { path: path.to_owned(), source };
    let mut file = File::create(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}
