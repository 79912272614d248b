//! Writing records out again as FHIR JSON files.
//!
//! All replicas are asked at once; the freshest that verifies is read, and a record that does not open there is
//! fetched from the others, since the same bytes lie everywhere. A file appears whole or not at all.

mod choose;
mod files;

use std::path::PathBuf;

use lifeboat_clinical::nhs_number;
use lifeboat_format::{RecordKey, VerificationKey};
use lifeboat_replica::{Access, OpenedRecord, ReadError, Reader, SiteReader};
use serde::Serialize;

pub use self::choose::{Chosen, Passed, Snapshot, freshest};
pub use self::files::Existing;
use self::files::Target;
use crate::error::{ExitStatus, causes};
use crate::output::{Bars, Unit};

/// What to restore, and where to.
pub struct Request {
    /// The replicas that may be read.
    pub readers: Vec<Reader>,
    /// The key that the site signs with.
    pub key: VerificationKey,
    /// What opens the site.
    pub access: Access,
    /// Which snapshot.
    pub snapshot: Snapshot,
    /// Only this patient.
    pub patient: Option<Patient>,
    /// The folder to write into.
    pub to: PathBuf,
    /// What to do about files that are there.
    pub existing: Existing,
}

/// How the person who restores names one patient.
pub enum Patient {
    /// By the record's key.
    Key(RecordKey),
    /// By a valid NHS number, ten digits.
    NhsNumber(String),
}

impl Patient {
    /// Reads a record key or an NHS number, with spaces or without.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(key) = text.trim().parse() {
            return Some(Patient::Key(key));
        }
        nhs_number::parse(text).map(Patient::NhsNumber)
    }
}

/// What was restored.
#[derive(Debug, Serialize)]
pub struct RestoreReport {
    /// The site.
    pub site: String,
    /// The replica that was read.
    pub replica: String,
    /// The number of the snapshot.
    pub sequence: u64,
    /// When it was taken.
    pub taken: jiff::Timestamp,
    /// Whether it is held.
    pub held: bool,
    /// The folder that was written.
    pub to: PathBuf,
    /// Records that were written.
    pub records: u64,
    /// Bytes of the records.
    pub bytes: u64,
    /// Records that were fetched from another replica, because this one could not deliver them.
    pub repaired: u64,
    /// Records that no replica could deliver, by their keys.
    pub missing: Vec<String>,
    /// Replicas that could not be used, and why.
    pub passed_over: Vec<Passed>,
}

/// Why records could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No replica could be used.
    #[error("no replica has a copy that verifies{}", list(passed))]
    NoCopy {
        /// The replicas, and why each could not be used.
        passed: Vec<Passed>,
    },
    /// There is no such snapshot.
    #[error("replica {replica} does not reach back to snapshot {sequence}; its newest is {newest}")]
    NoSuchSnapshot {
        /// The replica.
        replica: String,
        /// The number that was asked for.
        sequence: u64,
        /// The newest number.
        newest: u64,
    },
    /// The snapshot could not be read.
    #[error("cannot read the snapshot")]
    Read(#[from] ReadError),
    /// The patient is not in the snapshot.
    #[error("the snapshot holds no such patient")]
    NoSuchPatient,
    /// The folder is not empty.
    #[error("{path} is not empty")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error("cannot use the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write into {path}")]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: lifeboat_replica::durable::DurableError,
    },
    /// A background task ended unexpectedly.
    #[error("writing a file ended unexpectedly")]
    Background(#[from] tokio::task::JoinError),
}

fn list(passed: &[Passed]) -> String {
    passed.iter().map(|one| format!("\n  {}: {}", one.replica, one.reason)).collect()
}

impl RestoreError {
    /// Returns how the command ends with this error.
    pub fn exit(&self) -> ExitStatus {
        match self {
            RestoreError::NotEmpty { .. } => ExitStatus::Usage,
            _ => ExitStatus::Failed,
        }
    }

    /// Returns what to do about it, when that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            RestoreError::Read(ReadError::Unlock { .. }) => {
                "this identity is none of the recipients of the snapshot's epoch; a newer kit, another recipient or an \
                 older snapshot (`--sequence`) may open it"
            }
            RestoreError::NotEmpty { .. } => "choose an empty folder, or write into this one with `--force`",
            RestoreError::NoCopy { .. } => "`lifeboat verify` says what is wrong with each replica",
            RestoreError::NoSuchPatient => "a record key has 32 hexadecimal digits, an NHS number 10 digits",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Restores what `request` asks for.
pub async fn restore(request: Request, bars: &Bars) -> Result<RestoreReport, RestoreError> {
    let target = Target::prepare(&request.to, request.existing)?;
    let chosen = freshest(&request.readers, &request.key, request.snapshot).await?;
    let site = |reader: &Reader| {
        SiteReader::from_head(reader.clone(), chosen.head.clone(), request.access.clone(), chosen.choice)
    };
    let first = site(&chosen.reader);
    first.unlock().await?;
    let others: Vec<SiteReader> =
        request.readers.iter().filter(|reader| reader.name() != chosen.reader.name()).map(site).collect();
    let manifest = first.manifest();
    let mut report = RestoreReport {
        site: manifest.site.to_string(),
        replica: chosen.reader.name().to_string(),
        sequence: manifest.sequence.number(),
        taken: manifest.taken,
        held: manifest.is_held(),
        to: request.to.clone(),
        records: 0,
        bytes: 0,
        repaired: 0,
        missing: Vec::new(),
        passed_over: chosen.passed,
    };
    match &request.patient {
        Some(patient) => one(&first, &others, patient, target, &mut report).await?,
        None => all(&first, &others, target, &mut report, bars).await?,
    }
    Ok(report)
}

async fn all(
    first: &SiteReader,
    others: &[SiteReader],
    mut target: Target,
    report: &mut RestoreReport,
    bars: &Bars,
) -> Result<(), RestoreError> {
    let mut records = first.records().await?;
    let bar = bars.add("restoring records", Some(records.total()), Unit::Count);
    let total = records.total();
    let mut seen = 0;
    while let Some(record) = records.next().await {
        seen += 1;
        match record {
            Ok(record) => write(&mut target, record, report).await?,
            Err(failure) => from_others(others, failure.key, &mut target, report).await?,
        }
        bar.inc(1);
    }
    target.finish().await?;
    bar.finish_and_clear();
    if seen < total {
        report.missing.push(format!("{} more", total - seen));
    }
    Ok(())
}

async fn one(
    first: &SiteReader,
    others: &[SiteReader],
    patient: &Patient,
    mut target: Target,
    report: &mut RestoreReport,
) -> Result<(), RestoreError> {
    let keys = match patient {
        Patient::Key(key) => vec![*key],
        Patient::NhsNumber(number) => {
            let directory = first.directory().await?;
            let same = |nhs: &Option<String>| nhs.as_deref() == Some(number.as_str());
            directory.rows.iter().filter(|row| same(&row.nhs)).map(|row| row.key).collect()
        }
    };
    for key in keys {
        match first.record(key).await {
            Ok(Some(record)) => write(&mut target, record, report).await?,
            Ok(None) => {}
            Err(_) => from_others(others, key, &mut target, report).await?,
        }
    }
    target.finish().await?;
    if report.records == 0 && report.missing.is_empty() {
        return Err(RestoreError::NoSuchPatient);
    }
    Ok(())
}

/// Fetches a record that the first replica could not deliver from the others.
async fn from_others(
    others: &[SiteReader],
    key: RecordKey,
    target: &mut Target,
    report: &mut RestoreReport,
) -> Result<(), RestoreError> {
    for other in others {
        if let Ok(Some(record)) = other.record(key).await {
            report.repaired += 1;
            return write(target, record, report).await;
        }
    }
    report.missing.push(key.to_string());
    Ok(())
}

async fn write(
    target: &mut Target,
    record: OpenedRecord,
    report: &mut RestoreReport,
) -> Result<(), RestoreError> {
    report.records += 1;
    report.bytes += record.bytes.len() as u64;
    target.write(record).await
}

/// Says in one line why a replica could not be read.
pub(crate) fn reason_text(error: &ReadError) -> String {
    let mut texts = vec![error.to_string()];
    texts.extend(causes(error));
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patient_is_named_by_key_or_valid_nhs_number() {
        assert!(matches!(Patient::parse(&"0a".repeat(16)), Some(Patient::Key(_))));
        for number in ["9990000018", "999 000 0018", "999-000-0018"] {
            let parsed = Patient::parse(number);
            assert_eq!(
                matches!(parsed, Some(Patient::NhsNumber(ref digits)) if digits == "9990000018"),
                nhs_number::valid("9990000018"),
                "{number}"
            );
        }
        for wrong in ["", "9990000010", "12345", "zz"] {
            assert!(Patient::parse(wrong).is_none(), "{wrong}");
        }
    }
}
