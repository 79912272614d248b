//! `lifeboat status`: how old the newest snapshot is and how far each replica is behind.
//!
//! It asks the spool and every replica directly, all at once, and adds what the service remembers: errors, and the
//! inputs that could not be read.

use std::io::{self, Write};
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::log::Entry;
use lifeboat_format::{Manifest, VerificationKey, VerifiedHead};
use lifeboat_plan::health::{HealthFinding, ReplicaFacts, Severity, SiteFacts, judge_health};
use lifeboat_replica::{ReadError, Reader, newest};
use serde::Serialize;
use serde_json::Value;

use super::args::{Global, StatusArgs};
use super::context;
use crate::clock;
use crate::config::{Config, ReplicaSettings};
use crate::error::{CommandError, ExitStatus};
use crate::events::error_line;
use crate::keys;
use crate::output::{Report, age_text, count_text, to_json};
use crate::replicas::{self, ReplicasError};
use crate::service::{self, ReplicaStatus, ServiceState, Status, UnreadableName};

/// How long a replica may take to say what it has.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// How far in the future a snapshot may seem to be taken: clocks of hosts differ a little.
const CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Inputs that could not be read which are listed for a person.
const UNREADABLE_SHOWN_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct StatusReport {
    site: String,
    name: String,
    now: Timestamp,
    service: Option<ServiceState>,
    newest: Option<Snapshot>,
    accepted: Option<Snapshot>,
    replicas: Vec<Replica>,
    last_error: Option<service::Failure>,
    unreadable_count: u64,
    refused_batches: u64,
    unreadable: Vec<UnreadableName>,
    health: Vec<HealthFinding>,
    #[serde(skip)]
    check: bool,
}

#[derive(Debug, Serialize)]
struct Snapshot {
    sequence: u64,
    taken: Timestamp,
    source_time: Option<Timestamp>,
    next_by: Timestamp,
    held: bool,
    reasons: Vec<String>,
    log_size: u64,
    patients: u64,
    appointments: u64,
}

#[derive(Debug, Serialize)]
struct Replica {
    name: String,
    url: String,
    /// What it says now.
    sequence: Option<u64>,
    log_size: Option<u64>,
    lag: Option<u64>,
    /// Why it could not be asked now.
    unreachable: Option<String>,
    behind_since: Option<Timestamp>,
    failures: u32,
    last_error: Option<service::Failure>,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &StatusArgs) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    let key = match &config.site.verification_key {
        Some(key) => key.clone(),
        None => keys::signing_key(&config.keys.signing)?.verification_key(),
    };
    let remembered = Status::load(&config.state_dir).ok().flatten();
    let (spool, heads) = context::wait_for(ask_all(&config, &key))?;
    let spool = spool.ok();
    let log_size = spool.as_ref().map_or(0, |head| head.checkpoint.size);
    let replicas: Vec<Replica> = config
        .replicas
        .iter()
        .zip(heads)
        .map(|(settings, head)| replica(settings, head, log_size, remembered.as_ref()))
        .collect();
    let now = clock::now();
    let unreadable_count = count_unreadable(spool.as_ref(), remembered.as_ref());
    let mut health = judge_health(&facts(spool.as_ref(), &replicas, unreadable_count), now);
    let newest = spool.as_ref().map(newest_snapshot);
    let last_error = remembered.as_ref().and_then(|status| status.last_error.clone());
    health.extend(newest.as_ref().and_then(|newest| judge_clock(newest.taken, now)));
    health.extend(last_error.as_ref().map(|_| failing()));
    let refused = remembered
        .as_ref()
        .and_then(|status| status.newest.as_ref())
        .map_or(0, |newest| newest.refused_batches);
    health.extend((refused > 0).then(|| refusing(refused)));
    Ok(Box::new(StatusReport {
        site: config.site.code.to_string(),
        name: config.site.name.clone(),
        now,
        service: remembered.as_ref().map(|status| status.service),
        newest,
        accepted: spool.as_ref().and_then(accepted_snapshot),
        replicas,
        last_error,
        unreadable_count,
        refused_batches: refused,
        unreadable: unreadable(&config, unreadable_count + refused),
        health,
        check: args.check,
    }))
}

type Heads = Vec<Result<VerifiedHead, String>>;

async fn ask_all(config: &Config, key: &VerificationKey) -> (Result<VerifiedHead, String>, Heads) {
    let spool = replicas::named_reader("spool", Some(config));
    let others = join_all(config.replicas.iter().map(|settings| ask(settings.reader(), key)));
    tokio::join!(ask(spool, key), others)
}

async fn ask(reader: Result<Reader, ReplicasError>, key: &VerificationKey) -> Result<VerifiedHead, String> {
    let reader = reader.map_err(|error| error_line(&error))?;
    let answer: Result<Result<VerifiedHead, ReadError>, _> =
        tokio::time::timeout(ANSWER_TIME_MAX, newest(&reader, key)).await;
    match answer {
        Ok(head) => head.map_err(|error| error_line(&error)),
        Err(_) => Err(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())),
    }
}

fn replica(
    settings: &ReplicaSettings,
    head: Result<VerifiedHead, String>,
    log_size: u64,
    remembered: Option<&Status>,
) -> Replica {
    let same = |known: &&ReplicaStatus| known.name == settings.name.as_str();
    let known = remembered.and_then(|status| status.replicas.iter().find(same));
    let (head, unreachable) = match head {
        Ok(head) => (Some(head), None),
        Err(reason) => (None, Some(reason)),
    };
    let size = head.as_ref().map(|head| head.checkpoint.size);
    let is_behind = size.is_none_or(|size| size < log_size);
    Replica {
        name: settings.name.to_string(),
        url: settings.url.to_string(),
        sequence: head.as_ref().map(|head| head.manifest.sequence.number()),
        log_size: size.or(known.and_then(|known| known.log_size)),
        lag: size.map(|size| log_size.saturating_sub(size)),
        unreachable,
        behind_since: known.and_then(|known| known.behind_since).filter(|_| is_behind),
        failures: known.map_or(0, |known| known.failures),
        last_error: known.and_then(|known| known.last_error.clone()),
    }
}

fn facts(spool: Option<&VerifiedHead>, replicas: &[Replica], unreadable: u64) -> SiteFacts {
    let facts = |replica: &Replica| ReplicaFacts {
        name: replica.name.clone(),
        log_size: replica.log_size,
        behind_since: replica.behind_since,
        failures: replica.failures.max(u32::from(replica.unreachable.is_some())),
    };
    SiteFacts {
        log_size: spool.map_or(0, |head| head.checkpoint.size),
        next_by: spool.map(next_by),
        held: spool.is_some_and(|head| head.manifest.is_held()),
        unreadable,
        replicas: replicas.iter().map(facts).collect(),
    }
}

/// Finds a snapshot from the future: as long as it is the newest, nothing can be found overdue.
fn judge_clock(taken: Timestamp, now: Timestamp) -> Option<HealthFinding> {
    (taken.duration_since(now) > CLOCK_AHEAD_MAX).then(|| HealthFinding {
        severity: Severity::Critical,
        code: "clock",
        text: format!(
            "the newest snapshot says that it was taken at {taken}, which is to come; set this host's clock right, then \
             take a snapshot"
        ),
    })
}

fn failing() -> HealthFinding {
    HealthFinding {
        severity: Severity::Warning,
        code: "snapshot-failing",
        text: "the last attempt to take a snapshot failed; the last error says why".to_owned(),
    }
}

fn refusing(batches: u64) -> HealthFinding {
    HealthFinding {
        severity: Severity::Critical,
        code: "batch-refused",
        text: format!(
            "batches of the source that cannot be applied: {batches}; the copies show what came before them"
        ),
    }
}

/// Counts the inputs that could not be read the last time; a heartbeat leaves the manifest's count as it was.
fn count_unreadable(spool: Option<&VerifiedHead>, remembered: Option<&Status>) -> u64 {
    let Some(head) = spool else { return 0 };
    let newest = remembered.and_then(|status| status.newest.as_ref());
    match newest.filter(|newest| newest.log_size >= head.checkpoint.size) {
        Some(newest) => newest.unreadable,
        None => head.manifest.feed.unreadable,
    }
}

fn unreadable(config: &Config, count: u64) -> Vec<UnreadableName> {
    if count == 0 {
        return Vec::new();
    }
    // Only the service's own user has the key that opens the names.
    let Ok(key) = keys::host_key(&config.keys.host) else { return Vec::new() };
    service::load_unreadable(&config.state_dir, &key).unwrap_or_default()
}

impl Report for StatusReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} ({})", self.name, self.site)?;
        let service = match self.service {
            Some(ServiceState::Running) => "runs",
            Some(ServiceState::Stopped) => "stopped",
            None => "has not run yet",
        };
        writeln!(out, "service    {service}")?;
        match &self.newest {
            None => writeln!(out, "newest     none")?,
            Some(newest) => self.write_newest(newest, out)?,
        }
        for replica in &self.replicas {
            write_replica(replica, self.now, out)?;
        }
        if self.unreadable_count > 0 || !self.unreadable.is_empty() {
            writeln!(out, "not read   {}", self.not_read())?;
            for input in self.unreadable.iter().take(UNREADABLE_SHOWN_MAX) {
                let line = input.line.map(|line| format!(", line {line}")).unwrap_or_default();
                writeln!(out, "           {}{line}: {}", input.file, input.reason)?;
            }
        }
        if let Some(failure) = &self.last_error {
            writeln!(out, "last error {}: {}", age_text(failure.at, self.now), failure.error)?;
        }
        if self.health.is_empty() {
            writeln!(out, "All is well.")?;
        }
        for finding in &self.health {
            let mark = if finding.severity == Severity::Critical { "CRITICAL" } else { "warning " };
            writeln!(out, "{mark}   {}", finding.text)?;
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        let has = |code: &str| self.health.iter().any(|finding| finding.code == code);
        if !self.check {
            ExitStatus::Ok
        } else if has("held") {
            ExitStatus::Held
        } else if has("overdue") || has("no-snapshot") || has("no-copy") || has("clock") {
            ExitStatus::Failed
        } else if has("replica-behind") || has("batch-refused") {
            ExitStatus::Partly
        } else {
            ExitStatus::Ok
        }
    }
}

impl StatusReport {
    fn not_read(&self) -> String {
        let batches = match self.refused_batches {
            0 => None,
            1 => Some("1 batch, refused".to_owned()),
            count => Some(format!("{count} batches, refused")),
        };
        let inputs = (self.unreadable_count > 0).then(|| count_text(self.unreadable_count, "input"));
        let parts: Vec<String> = batches.into_iter().chain(inputs).collect();
        if parts.is_empty() { "some inputs, the last time".to_owned() } else { parts.join("; ") }
    }

    fn write_newest(&self, newest: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
        let verdict = if newest.held { "HELD" } else { "accepted" };
        writeln!(
            out,
            "newest     snapshot {}, {verdict}, taken {}: {}, {}",
            newest.sequence,
            age_text(newest.taken, self.now),
            count_text(newest.patients, "patient"),
            count_text(newest.appointments, "appointment"),
        )?;
        for reason in &newest.reasons {
            writeln!(out, "           {reason}")?;
        }
        if newest.held {
            match &self.accepted {
                Some(accepted) => {
                    let age = age_text(accepted.taken, self.now);
                    writeln!(out, "accepted   snapshot {}, taken {age}", accepted.sequence)?;
                }
                None => writeln!(out, "accepted   none yet")?,
            }
        }
        writeln!(out, "next       due {}", age_text(newest.next_by, self.now))
    }
}

fn write_replica(replica: &Replica, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let state = match (&replica.unreachable, replica.lag) {
        (Some(reason), _) => format!("cannot be asked: {reason}"),
        (None, Some(0)) => "up to date".to_owned(),
        (None, Some(lag)) => {
            let entries = if lag == 1 { "entry" } else { "entries" };
            let since = replica.behind_since.map(|since| format!(", since {}", age_text(since, now)));
            format!("{lag} log {entries} behind{}", since.unwrap_or_default())
        }
        (None, None) => "unknown".to_owned(),
    };
    writeln!(out, "replica    {:<16} {state}", replica.name)?;
    if let Some(failure) = &replica.last_error {
        writeln!(out, "           last error {}: {}", age_text(failure.at, now), failure.error)?;
    }
    Ok(())
}

fn newest_snapshot(head: &VerifiedHead) -> Snapshot {
    let mut snapshot = described(&head.manifest, head.checkpoint.size);
    // A heartbeat confirms the snapshot: it is as fresh as the heartbeat.
    if let Entry::Heartbeat { time, source_time, .. } = &head.entry {
        snapshot.taken = *time;
        snapshot.source_time = *source_time;
    }
    snapshot.next_by = next_by(head);
    snapshot
}

fn accepted_snapshot(head: &VerifiedHead) -> Option<Snapshot> {
    head.accepted.as_ref().map(|(_, manifest)| described(manifest, head.checkpoint.size))
}

fn described(manifest: &Manifest, log_size: u64) -> Snapshot {
    Snapshot {
        sequence: manifest.sequence.number(),
        taken: manifest.taken,
        source_time: manifest.source_time,
        next_by: manifest.next_by,
        held: manifest.is_held(),
        reasons: manifest
            .gate
            .reasons
            .iter()
            .map(|reason| format!("{}: {}", reason.code, reason.detail))
            .collect(),
        log_size,
        patients: manifest.counts.patients,
        appointments: manifest.counts.appointments,
    }
}

/// Returns when the next snapshot or heartbeat is expected at the latest.
fn next_by(head: &VerifiedHead) -> Timestamp {
    match &head.entry {
        Entry::Heartbeat { next_by, .. } => *next_by,
        _ => head.manifest.next_by,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_from_the_future_is_found_and_one_from_a_clock_slightly_ahead_is_not() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().expect("an instant");
        for (ahead_s, found) in [(-60, false), (0, false), (240, false), (360, true), (86_400, true)] {
            let taken = now + SignedDuration::from_secs(ahead_s);
            assert_eq!(judge_clock(taken, now).is_some(), found, "{ahead_s} s");
        }
    }
}
