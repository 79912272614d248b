//! The data that everybody is measured on: a practice before and after one patient in a hundred changed.
//!
//! By default it comes from our own generator. `LIFEBOAT_BENCH_DATA` may name a folder with `p10k_t0.ndjson` and
//! `p10k_t1.ndjson` (one Bundle per line), made by another one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use lifeboat_clinical::synth::{Detail, Practice};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The day on which the generated practice is shown.
const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 21);
/// The seed of the generated practice.
const SEED: u64 = 1;
/// The share of patients that change.
const CHANGED: f64 = 0.01;
/// How every NHS number in a Bundle begins.
const NHS_NUMBER: &str = "nhs-number\",\"value\":\"";

/// A practice at two times, as one NDJSON file each and as one file per patient.
pub(crate) struct Data {
    /// All Bundles before, one to a line.
    pub(crate) before: PathBuf,
    /// All Bundles after.
    pub(crate) after: PathBuf,
    /// The Bundles before, one to a file.
    pub(crate) files: PathBuf,
    /// Where the data come from, for the report.
    pub(crate) origin: String,
    /// Bundles before.
    pub(crate) documents: usize,
    /// Bytes before.
    pub(crate) bytes: u64,
    /// The NHS number of the patient who is fetched.
    pub(crate) patient: String,
    /// The name of that patient's file.
    pub(crate) patient_file: String,
    /// What differs after.
    pub(crate) changes: Vec<Change>,
}

/// A file that differs after.
pub(crate) struct Change {
    /// Its name.
    pub(crate) name: String,
    /// What it holds, or nothing when it goes.
    pub(crate) content: Option<Vec<u8>>,
}

impl Data {
    /// Finds the data, or makes it.
    pub(crate) fn ready(folder: &Path, patients: usize) -> Result<Data, Failure> {
        let label = if patients.is_multiple_of(1000) {
            format!("{}k", patients / 1000)
        } else {
            patients.to_string()
        };
        let (source, origin, files) = match std::env::var_os("LIFEBOAT_BENCH_DATA") {
            Some(given) => (PathBuf::from(given), "LIFEBOAT_BENCH_DATA", "given"),
            None => {
                let own = folder.join("data");
                generate(&own, &label, patients)?;
                (own, "our own generator", "generated")
            }
        };
        let before = source.join(format!("p{label}_t0.ndjson"));
        let after = source.join(format!("p{label}_t1.ndjson"));
        let files = folder.join("data").join(format!("{files}-{label}"));
        let survey = survey(&before)?;
        split(&before, &files)?;
        let changes = changes(&survey.digests, &after)?;
        let bytes = fs::metadata(&before).map_err(read(&before))?.len();
        let (patient_file, patient) = survey.middle;
        let documents = survey.digests.len();
        Ok(Data {
            before,
            after,
            files,
            origin: origin.to_owned(),
            documents,
            bytes,
            patient,
            patient_file,
            changes,
        })
    }
}

/// What is found by reading the data before.
struct Survey {
    digests: HashMap<String, [u8; 32]>,
    middle: (String, String),
}

/// Generates the practice at both times, unless that has been done.
fn generate(folder: &Path, label: &str, patients: usize) -> Result<(), Failure> {
    let before = folder.join(format!("p{label}_t0.ndjson"));
    let after = folder.join(format!("p{label}_t1.ndjson"));
    if before.is_file() && after.is_file() {
        return Ok(());
    }
    println!("generating {patients} patients");
    fs::create_dir_all(folder).map_err(|source| Failure::Write { path: folder.to_owned(), source })?;
    let practice = Practice::new(SEED, patients, TODAY).with_detail(Detail::Full);
    write_lines(&before, practice.files())?;
    let changed: HashMap<String, serde_json::Value> = practice.changes(1, CHANGED).collect();
    let files = practice.files().map(|(stem, value)| {
        let value = changed.get(&stem).cloned().unwrap_or(value);
        (stem, value)
    });
    write_lines(&after, files)
}

/// Writes Bundles one to a line; the file gets its name when it is whole.
fn write_lines(path: &Path, files: impl Iterator<Item = (String, serde_json::Value)>) -> Result<(), Failure> {
    let failed = |source| Failure::Write { path: path.to_owned(), source };
    let unfinished = path.with_extension("part");
    let mut out = BufWriter::new(File::create(&unfinished).map_err(failed)?);
    for (_, value) in files {
        writeln!(out, "{value}").map_err(failed)?;
    }
    out.into_inner().map_err(|error| failed(error.into_error()))?;
    fs::rename(unfinished, path).map_err(failed)
}

/// Reads the data before: a digest for each document, and the patient in the middle.
fn survey(path: &Path) -> Result<Survey, Failure> {
    let mut digests = HashMap::new();
    let mut numbered = Vec::new();
    each_line(path, |at, line| {
        let number = nhs_number(line);
        let name = name(at, number);
        digests.insert(name.clone(), Sha256::digest(line).into());
        numbered.extend(number.map(|number| (name, number.to_owned())));
        Ok(())
    })?;
    let middle = numbered.len() / 2;
    let middle = numbered.into_iter().nth(middle);
    let nobody = || Failure::Measure { what: format!("no NHS number in {}", path.display()) };
    Ok(Survey { digests, middle: middle.ok_or_else(nobody)? })
}

/// Writes the data before as one file per document, unless that has been done.
fn split(path: &Path, folder: &Path) -> Result<(), Failure> {
    let done = folder.with_extension("complete");
    let size = fs::metadata(path).map_err(read(path))?.len().to_string();
    if fs::read_to_string(&done).is_ok_and(|text| text == size) {
        return Ok(());
    }
    // It is not there the first time.
    let _ = fs::remove_dir_all(folder);
    println!("writing one file per patient");
    each_line(path, |at, line| write_document(folder, &name(at, nhs_number(line)), line))?;
    fs::write(&done, size).map_err(|source| Failure::Write { path: done, source })
}

/// Writes one document below `folder`.
pub(crate) fn write_document(folder: &Path, name: &str, line: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    let failed = |source| Failure::Write { path: path.clone(), source };
    fs::create_dir_all(path.parent().expect("a document lies in a folder")).map_err(failed)?;
    fs::write(&path, line).map_err(failed)
}

/// Returns what the data after adds, changes and lacks.
fn changes(before: &HashMap<String, [u8; 32]>, after: &Path) -> Result<Vec<Change>, Failure> {
    let mut gone = before.clone();
    let mut changes = Vec::new();
    each_line(after, |at, line| {
        let name = name(at, nhs_number(line));
        let digest: [u8; 32] = Sha256::digest(line).into();
        if gone.remove(&name) != Some(digest) {
            changes.push(Change { name, content: Some(line.to_owned()) });
        }
        Ok(())
    })?;
    changes.extend(gone.into_keys().map(|name| Change { name, content: None }));
    Ok(changes)
}

/// Calls `work` with each line of a file and its number.
pub(crate) fn each_line(
    path: &Path,
    mut work: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(path).map_err(read(path))?);
    let mut line = Vec::new();
    for at in 0.. {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(read(path))? == 0 {
            break;
        }
        work(at, line.trim_ascii_end())?;
    }
    Ok(())
}

/// Returns the first NHS number in a document.
fn nhs_number(line: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(line).ok()?;
    let start = text.find(NHS_NUMBER)? + NHS_NUMBER.len();
    text[start..].split('"').next()
}

/// Returns the name of a document's file: by NHS number, or by line for those without.
fn name(at: usize, number: Option<&str>) -> String {
    match number {
        Some(number) => format!("{}/{number}.json", &number[number.len().saturating_sub(2)..]),
        None => format!("lines/{at}.json"),
    }
}

/// Turns an error of reading `path` into a failure.
fn read(path: &Path) -> impl Fn(std::io::Error) -> Failure + use<> {
    let path = path.to_owned();
    move |source| Failure::Read { path: path.clone(), source }
}
