//! Everything that the service logs: one function for each event, with a stable name and fields.
//!
//! INFO is what the service does, WARN went wrong and was recovered, ERROR means that a person must act. No event
//! names a patient or a file of the source, since file names may.

use crate::pull::PullReport;
use std::error::Error;
use std::time::Duration;

use lifeboat_replica::ErrorClass;
use lifeboat_replica::ReplicaName;
use lifeboat_replica::ReplicateReport;
use tracing::{error, info, warn};

use crate::engine::{Outcome, SnapshotReport};
use crate::error::causes;

/// Writes an error and its causes on one line.
pub fn error_line(error: &dyn Error) -> String {
    let mut texts = vec![error.to_string()];
    texts.extend(causes(error));
    texts.join(": ").replace('\n', " ")
}

/// The service has opened the site and begins.
pub fn service_started(site: &str, replicas: usize) {
    info!(event = "service.started", site, replicas, version = env!("CARGO_PKG_VERSION"), "service started");
}

/// The service was asked to stop.
pub fn service_stopping() {
    info!(event = "service.stopping", "stopping");
}

/// The service has stopped; nothing is under way any more.
pub fn service_stopped() {
    info!(event = "service.stopped", "stopped");
}

/// What is new on the FHIR server has been pulled.
pub fn pulled(report: &PullReport) {
    info!(
        event = "source.pulled",
        put = report.put,
        removed = report.removed,
        unreadable = report.unreadable,
        unasked = report.unasked,
        patients = report.patients,
        files = report.parts,
        requests = report.requests,
        retries = report.retries,
        bytes = report.bytes,
        "source pulled"
    );
    for note in &report.notes {
        info!(event = "source.note", "{note}");
    }
}

/// A snapshot or a heartbeat is durable in the spool.
pub fn snapshot_taken(report: &SnapshotReport, took: Duration) {
    let (kind, sequence, held) = match report.outcome {
        Outcome::Snapshot { sequence, held } => ("snapshot", sequence, held),
        Outcome::Heartbeat { sequence, held } => ("heartbeat", sequence, held),
    };
    info!(
        event = "snapshot.taken",
        kind,
        sequence = sequence.number(),
        held,
        log_size = report.log_size,
        patients = report.patients,
        added = report.added,
        changed = report.changed,
        removed = report.removed,
        appointments = report.appointments,
        bytes_written = report.bytes_written,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "{kind} taken"
    );
    if !report.refused_batches.is_empty() {
        let count = report.refused_batches.len();
        error!(
            event = "snapshot.refused",
            count, "batches of the source were refused; `lifeboat status` names them"
        );
    }
    if !report.unreadable.is_empty() {
        let count = report.unreadable_count();
        warn!(event = "snapshot.unreadable", count, "inputs could not be read; `lifeboat status` names them");
    }
    if held {
        let codes: Vec<&str> = report.held_reasons.iter().map(|reason| reason.code.as_str()).collect();
        error!(
            event = "snapshot.held",
            sequence = sequence.number(),
            reasons = codes.join(","),
            "snapshot held"
        );
    }
}

/// A snapshot could not be taken; it will be tried again.
pub fn snapshot_failed(error: &dyn Error, class: ErrorClass, failures: u32) {
    let cause = error_line(error);
    match class {
        ErrorClass::Transient => warn!(event = "snapshot.failed", cause, failures, "snapshot not taken"),
        _ => error!(event = "snapshot.failed", cause, failures, "snapshot not taken"),
    }
}

/// A replica has everything that the spool has.
pub fn replica_caught_up(replica: &ReplicaName, log_size: u64, report: &ReplicateReport) {
    let (replica, copied, bytes) = (replica.as_str(), report.copied, report.bytes);
    info!(event = "replica.caught_up", replica, log_size, copied, bytes, "replica caught up");
    if report.repaired > 0 {
        let repaired = report.repaired;
        warn!(
            event = "replica.repaired",
            replica, repaired, "damaged objects of the replica were written again"
        );
    }
}

/// A replica could not be brought up to date; it will be tried again.
pub fn replica_failed(
    replica: &ReplicaName,
    error: &dyn Error,
    class: ErrorClass,
    failures: u32,
    wait: Duration,
) {
    let cause = error_line(error);
    let replica = replica.as_str();
    let retry_s = wait.as_secs();
    match class {
        ErrorClass::Transient => {
            warn!(event = "replica.failed", replica, cause, failures, retry_s, "replica behind")
        }
        _ => error!(event = "replica.failed", replica, cause, failures, retry_s, "replica behind"),
    }
}

/// A replica could not be asked at start whether it knows more than the spool.
pub fn adopt_skipped(replica: &ReplicaName, error: &dyn Error) {
    let cause = error_line(error);
    warn!(
        event = "replica.not_asked",
        replica = replica.as_str(),
        cause,
        "replica not asked for newer history"
    );
}

/// History was taken over from a replica.
pub fn history_adopted(replica: &ReplicaName, log_size: u64) {
    warn!(
        event = "history.adopted",
        replica = replica.as_str(),
        log_size,
        "history taken over from a replica"
    );
}

/// A cursor could not be read or written; it will be found again by listing the replica.
pub fn cursor_lost(replica: &ReplicaName, error: &dyn Error) {
    warn!(event = "cursor.lost", replica = replica.as_str(), cause = error_line(error), "cursor lost");
}

/// The configuration was read again and is in force.
pub fn config_reloaded(replicas: usize) {
    info!(event = "config.reloaded", replicas, "configuration reloaded");
}

/// The new configuration cannot be used; the former one stays in force.
pub fn config_refused(error: &dyn Error) {
    error!(
        event = "config.refused",
        cause = error_line(error),
        "configuration refused, the former one stays"
    );
}

/// The file system does not report changes; the periodic scan finds them.
pub fn watch_failed(error: &dyn Error) {
    warn!(event = "source.not_watched", cause = error_line(error), "changes are found by scanning only");
}

/// The status file could not be written.
pub fn status_not_written(error: &dyn Error) {
    warn!(event = "status.not_written", cause = error_line(error), "status file not written");
}
