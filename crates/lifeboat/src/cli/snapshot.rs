//! `lifeboat snapshot`: one snapshot now, and every replica brought up to date with it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::{Global, SnapshotArgs};
use super::context;
use super::run::service_error;
use crate::config::Config;
use crate::engine::{Acceptance, Outcome};
use crate::error::{CommandError, ExitStatus};
use crate::output::{Bars, Output, Report, bytes_text, count_text, to_json};
use crate::service::{OnceReport, Replicas, Site};

/// What was done, and how much of it was needed.
pub(crate) struct SnapshotReport {
    pub(crate) done: OnceReport,
    /// How many replicas must be up to date.
    needed: usize,
}

/// Runs the command.
pub(super) fn run(
    global: &Global,
    args: &SnapshotArgs,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    let known = config.replicas.len();
    if args.need.is_some_and(|need| need > known) {
        return Err(CommandError::Usage {
            what: format!("`--need` asks for more replicas than the {known} that are configured"),
            hint: "leave it out to need all of them".to_owned(),
        });
    }
    let acceptance = match &args.accept_held {
        None => Acceptance::ByGate,
        Some(reason) => Acceptance::ByPerson { reason: super::gate::ruling(reason)?.to_string() },
    };
    let replicas = if args.no_replicate { Replicas::Leave } else { Replicas::Feed };
    let done = take(config, &acceptance, replicas, &output.bars())?;
    let needed = if args.no_replicate { 0 } else { args.need.unwrap_or(known) };
    Ok(Box::new(SnapshotReport { done, needed }))
}

/// Takes one snapshot of the site that the configuration describes.
pub(crate) fn take(
    config: Config,
    acceptance: &Acceptance,
    replicas: Replicas,
    bars: &Bars,
) -> Result<OnceReport, CommandError> {
    let mut site = Site::open(config)?;
    context::wait_for(async { site.once(acceptance, replicas, bars).await })?.map_err(service_error)
}

impl SnapshotReport {
    fn reached(&self) -> usize {
        self.done.replicas.iter().filter(|replica| replica.up_to_date).count()
    }

    fn is_held(&self) -> bool {
        match self.done.snapshot.outcome {
            Outcome::Snapshot { held, .. } | Outcome::Heartbeat { held, .. } => held,
        }
    }
}

impl Report for SnapshotReport {
    fn json(&self) -> Value {
        json!({
            "snapshot": to_json(&self.done.snapshot),
            "replicas": to_json(&self.done.replicas),
            "replicas_needed": self.needed,
            "replicas_reached": self.reached(),
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let snapshot = &self.done.snapshot;
        match snapshot.outcome {
            Outcome::Snapshot { sequence, held } => {
                let verdict = if held { "HELD by the gate" } else { "accepted" };
                writeln!(
                    out,
                    "Snapshot {sequence}, {verdict}: {}, {}; {} added, {} changed, {} removed; {} written.",
                    count_text(snapshot.patients, "patient"),
                    count_text(snapshot.appointments, "appointment"),
                    snapshot.added,
                    snapshot.changed,
                    snapshot.removed,
                    bytes_text(snapshot.bytes_written),
                )?;
            }
            Outcome::Heartbeat { sequence, held } => {
                let verdict = if held { ", still HELD by the gate" } else { "" };
                writeln!(out, "Nothing changed since snapshot {sequence}{verdict}; a heartbeat says so.")?;
            }
        }
        for reason in &snapshot.held_reasons {
            writeln!(out, "  {}: {}", reason.code, reason.detail)?;
        }
        for batch in &snapshot.refused_batches {
            writeln!(
                out,
                "  BATCH REFUSED, its changes are not in the snapshot: {}: {}",
                batch.name, batch.reason
            )?;
        }
        for (inputs, what) in [(&snapshot.unreadable, "NOT READ"), (&snapshot.notes, "note")] {
            for input in inputs {
                let line = input.line.map(|line| format!(", line {line}")).unwrap_or_default();
                let times = if input.times > 1 { format!(" ({} times)", input.times) } else { String::new() };
                writeln!(out, "  {what}: {}{line}: {}{times}", input.file, input.reason)?;
            }
        }
        for replica in &self.done.replicas {
            match &replica.error {
                None => {
                    writeln!(
                        out,
                        "  replica {:<16} up to date, {} written",
                        replica.name,
                        bytes_text(replica.bytes)
                    )?;
                }
                Some(error) => {
                    writeln!(out, "  replica {:<16} BEHIND: {error}", replica.name)?;
                    replica.causes.iter().try_for_each(|cause| writeln!(out, "    because: {cause}"))?;
                    replica.hint.iter().try_for_each(|hint| writeln!(out, "    hint: {hint}"))?;
                }
            }
        }
        if self.is_held() {
            writeln!(
                out,
                "Readers go on seeing the accepted snapshot, if there is one. `lifeboat gate show` says more; then one of:"
            )?;
            writeln!(out, "  lifeboat gate release --reason \"REASON\"")?;
            writeln!(out, "  lifeboat gate reject --reason \"REASON\"")?;
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        if self.is_held() {
            ExitStatus::Held
        } else if self.reached() < self.needed || !self.done.snapshot.refused_batches.is_empty() {
            ExitStatus::Partly
        } else {
            ExitStatus::Ok
        }
    }
}
