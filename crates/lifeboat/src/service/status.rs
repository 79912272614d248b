//! What the service knows of itself, kept in `status.json` for `lifeboat status` and for monitoring.
//!
//! The file names no patient and no file of the source. The names of inputs that could not be read are kept beside it,
//! sealed with the host key, because exporters name files after patients.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lifeboat_plan::health::ReplicaFacts;
use lifeboat_replica::durable::{self, DurableError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::engine::{HostKey, HostKeyError, Outcome, SnapshotReport, UnreadableInput};

/// Largest file that is read back.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The names of inputs that are kept at most.
const UNREADABLE_KEPT_MAX: usize = 10_000;

/// The place that the sealed names are bound to.
const UNREADABLE_PLACE: &[u8] = b"unreadable inputs";

/// What the service knows of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The version of this file.
    pub format: u32,
    /// The site's code.
    pub site: String,
    /// Whether the service runs.
    pub service: ServiceState,
    /// The service's process, or the last command's.
    pub process: u32,
    /// When this was written.
    pub updated: Timestamp,
    /// The newest snapshot or heartbeat that was taken by this process.
    pub newest: Option<Newest>,
    /// Why the last attempt to take a snapshot failed, if it did.
    pub last_error: Option<Failure>,
    /// The replicas, in the order of the configuration.
    pub replicas: Vec<ReplicaStatus>,
}

/// Whether the service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It was stopped, or a single command wrote this.
    Stopped,
}

/// The newest snapshot or heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// The snapshot's number.
    pub sequence: u64,
    /// Whether it is held.
    pub held: bool,
    /// Why it is held: code and aggregate numbers.
    pub held_reasons: Vec<String>,
    /// When it was taken, or confirmed by a heartbeat.
    pub taken: Timestamp,
    /// The time of the source's newest input.
    pub source_time: Option<Timestamp>,
    /// The size of the log with it.
    pub log_size: u64,
    /// Patients in it.
    pub patients: u64,
    /// Appointments in its day lists.
    pub appointments: u64,
    /// Inputs that could not be read.
    pub unreadable: u64,
    /// Batches of the source that were refused, so that their changes are not in the snapshot.
    #[serde(default)]
    pub refused_batches: u64,
}

/// An error with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub error: String,
}

/// What is known of one replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The log size that it has acknowledged.
    pub log_size: Option<u64>,
    /// When it was last up to date.
    pub reached: Option<Timestamp>,
    /// Since when it has been behind.
    pub behind_since: Option<Timestamp>,
    /// Attempts that failed since the last that succeeded.
    pub failures: u32,
    /// Why the last attempt failed.
    pub last_error: Option<Failure>,
}

/// Why the status could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is damaged.
    #[error("{path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The sealed names do not open.
    #[error("{path} does not open")]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HostKeyError,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DurableError,
    },
    /// What was to be written could not be encoded.
    #[error("cannot encode {path}")]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Newest {
    /// Takes what is kept out of the engine's report.
    pub fn of(report: &SnapshotReport) -> Self {
        let (sequence, held) = match report.outcome {
            Outcome::Snapshot { sequence, held } | Outcome::Heartbeat { sequence, held } => (sequence, held),
        };
        let reason = |reason: &crate::engine::HeldReason| format!("{}: {}", reason.code, reason.detail);
        Newest {
            sequence: sequence.number(),
            held,
            held_reasons: report.held_reasons.iter().map(reason).collect(),
            taken: report.taken,
            source_time: report.source_time,
            log_size: report.log_size,
            patients: report.patients,
            appointments: report.appointments,
            unreadable: report.unreadable_count(),
            refused_batches: report.refused_batches.len() as u64,
        }
    }
}

impl ReplicaStatus {
    /// Begins with nothing known.
    pub fn new(name: String, url: String) -> Self {
        ReplicaStatus {
            name,
            url,
            log_size: None,
            reached: None,
            behind_since: None,
            failures: 0,
            last_error: None,
        }
    }

    /// Notes that the replica is up to date at `log_size`.
    pub fn succeeded(&mut self, log_size: u64, now: Timestamp) {
        self.log_size = Some(log_size);
        self.reached = Some(now);
        self.behind_since = None;
        self.failures = 0;
        self.last_error = None;
    }

    /// Notes that an attempt failed.
    pub fn failed(&mut self, error: String, failures: u32, now: Timestamp) {
        self.failures = failures;
        self.behind_since.get_or_insert(now);
        self.last_error = Some(Failure { at: now, error });
    }

    /// Notes that the log has grown to `log_size`.
    pub fn expect(&mut self, log_size: u64, now: Timestamp) {
        if self.log_size.is_none_or(|reached| reached < log_size) {
            self.behind_since.get_or_insert(now);
        }
    }

    /// Returns what the judgement of health needs.
    pub fn facts(&self) -> ReplicaFacts {
        ReplicaFacts {
            name: self.name.clone(),
            log_size: self.log_size,
            behind_since: self.behind_since,
            failures: self.failures,
        }
    }
}

/// Returns what `status` names on this host: inputs that could not be read, and batches that were refused.
pub(super) fn not_in_the_snapshot(report: &SnapshotReport) -> Vec<UnreadableInput> {
    let refused = report.refused_batches.iter().map(|batch| UnreadableInput {
        file: batch.name.clone(),
        line: None,
        reason: format!("the batch is refused: {}", batch.reason),
        times: 1,
    });
    refused.chain(report.unreadable.iter().cloned()).collect()
}

/// Returns the status file of a state folder.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("status.json")
}

fn unreadable_path(state_dir: &Path) -> PathBuf {
    state_dir.join("unreadable.sealed")
}

impl Status {
    /// The version of the file that this program writes.
    pub const FORMAT: u32 = 1;

    /// Reads the status of a state folder, if there is one.
    pub fn load(state_dir: &Path) -> Result<Option<Status>, StatusError> {
        let path = path(state_dir);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(status) => Ok(Some(status)),
            Err(source) => Err(StatusError::Damaged { path, source }),
        }
    }

    /// Writes the status durably.
    pub fn save(&self, state_dir: &Path) -> Result<(), StatusError> {
        let path = path(state_dir);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| StatusError::Encode { path: path.clone(), source })?;
        durable::replace(&path, &text).map_err(|source| StatusError::Write { path, source })
    }
}

/// Seals the inputs that could not be read, so that `status` can name them on this host only.
pub fn save_unreadable(
    state_dir: &Path,
    key: &HostKey,
    inputs: &[UnreadableInput],
) -> Result<(), StatusError> {
    let path = unreadable_path(state_dir);
    let kept = &inputs[..inputs.len().min(UNREADABLE_KEPT_MAX)];
    let text =
        serde_json::to_vec(kept).map_err(|source| StatusError::Encode { path: path.clone(), source })?;
    let text = Zeroizing::new(text);
    let sealed = key
        .seal(UNREADABLE_PLACE, &text)
        .map_err(|source| StatusError::Sealed { path: path.clone(), source })?;
    durable::replace(&path, &sealed).map_err(|source| StatusError::Write { path, source })
}

/// One input that could not be read, as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadableName {
    /// The file, below the source folder.
    pub file: String,
    /// The line, for inputs of one document a line.
    pub line: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// Opens the list of inputs that could not be read.
pub fn load_unreadable(state_dir: &Path, key: &HostKey) -> Result<Vec<UnreadableName>, StatusError> {
    let path = unreadable_path(state_dir);
    let Some(sealed) = read(&path)? else { return Ok(Vec::new()) };
    let text = key
        .open(UNREADABLE_PLACE, &sealed)
        .map_err(|source| StatusError::Sealed { path: path.clone(), source })?;
    serde_json::from_slice(&text).map_err(|source| StatusError::Damaged { path, source })
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StatusError> {
    let failed = |source| StatusError::Read { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => Err(failed(io::ErrorKind::FileTooLarge.into())),
        Ok(_) => fs::read(path).map(Some).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_replica_is_behind_from_the_first_moment_until_it_has_caught_up() {
        let mut replica = ReplicaStatus::new("usb".into(), "/mnt/usb".into());
        replica.expect(3, at("2026-11-21T08:00:00Z"));
        replica.failed("away".into(), 1, at("2026-11-21T08:01:00Z"));
        replica.expect(4, at("2026-11-21T08:05:00Z"));
        assert_eq!(replica.behind_since, Some(at("2026-11-21T08:00:00Z")));
        replica.succeeded(4, at("2026-11-21T08:06:00Z"));
        assert_eq!((replica.behind_since, replica.failures, &replica.last_error), (None, 0, &None));
        replica.expect(4, at("2026-11-21T08:07:00Z"));
        assert_eq!(replica.behind_since, None);
    }

    #[test]
    fn the_status_is_kept_and_names_of_inputs_are_sealed() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Status::load(folder.path()).expect("there is none"), None);
        let status = Status {
            format: Status::FORMAT,
            site: "A81001".into(),
            service: ServiceState::Running,
            process: 1,
            updated: at("2026-11-21T08:00:00Z"),
            newest: None,
            last_error: Some(Failure { at: at("2026-11-21T08:00:00Z"), error: "away".into() }),
            replicas: vec![ReplicaStatus::new("usb".into(), "/mnt/usb".into())],
        };
        status.save(folder.path()).expect("it is written");
        assert_eq!(Status::load(folder.path()).expect("it is read"), Some(status));

        let key = HostKey::generate().expect("a key");
        let inputs = [UnreadableInput {
            file: "MARKER.json".into(),
            line: Some(3),
            reason: "cut short".into(),
            times: 1,
        }];
        save_unreadable(folder.path(), &key, &inputs).expect("it is written");
        let names = load_unreadable(folder.path(), &key).expect("it is read");
        assert_eq!((names[0].file.as_str(), names[0].line), ("MARKER.json", Some(3)));
        for entry in fs::read_dir(folder.path()).expect("the folder is read") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("the file is read");
            assert!(!bytes.windows(6).any(|window| window == b"MARKER"));
        }
        let other = HostKey::generate().expect("a key");
        assert!(matches!(load_unreadable(folder.path(), &other), Err(StatusError::Sealed { .. })));
    }
}
