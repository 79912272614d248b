//! `lifeboat gate`: what the gate holds, why, and what a person decides.

use std::io::{self, Write};

use jiff::Timestamp;
use lifeboat_feeds::Format;
use lifeboat_format::log::Entry;
use lifeboat_format::{GateReason, Manifest, VerifiedHead};
use lifeboat_plan::gate::{GateFacts, SectionFacts};
use lifeboat_replica::{ReadError, Reader, newest};
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{DecisionArgs, GateCommand, Global};
use super::context;
use super::run::service_error;
use crate::clock;
use crate::engine::{Carry, Ruling, RulingError};
use crate::error::{CommandError, ExitStatus};
use crate::keys;
use crate::output::{Output, Report, age_text, count_text, to_json};
use crate::replicas;
use crate::service::{Decided, Replicas, Site, Verdict};

/// Entries of the log that are searched for a rejection.
const ENTRIES_MAX: u64 = 1024;

/// Runs one of the commands.
pub(super) fn run(
    global: &Global,
    command: &GateCommand,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    match command {
        GateCommand::Show => show(global),
        GateCommand::Release(args) => decide(global, Verdict::Release, args, output),
        GateCommand::Reject(args) => decide(global, Verdict::Reject, args, output),
    }
}

/// Checks a reason that goes into the log, and adds who gives it.
pub(super) fn ruling(reason: &str) -> Result<Ruling, CommandError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let who = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(variable);
    let who = who.unwrap_or_else(|| format!("user {}", rustix::process::geteuid().as_raw()));
    Ruling::new(&who, reason).map_err(|error| CommandError::Usage {
        what: error.to_string(),
        hint: match error {
            RulingError::Empty => "say in a few words why, for whoever reads the log later".to_owned(),
            RulingError::TooLong => "shorten it; details belong elsewhere".to_owned(),
            RulingError::Control => "write it as one line of plain text".to_owned(),
        },
    })
}

/// One snapshot in numbers.
#[derive(Debug, Serialize)]
struct Numbers {
    sequence: u64,
    taken: Timestamp,
    source_time: Option<Timestamp>,
    documents: u64,
    unreadable: u64,
    patients: u64,
    #[serde(skip)]
    facts: GateFacts,
    sections: Value,
    quality: Value,
}

impl Numbers {
    fn of(manifest: &Manifest) -> Self {
        Numbers {
            sequence: manifest.sequence.number(),
            taken: manifest.taken,
            source_time: manifest.source_time,
            documents: manifest.feed.documents,
            unreadable: manifest.feed.unreadable,
            patients: manifest.counts.patients,
            facts: GateFacts::from(manifest),
            sections: to_json(&manifest.counts.sections),
            quality: to_json(&manifest.quality),
        }
    }
}

/// What is held, and what it is compared with.
struct Shown {
    now: Timestamp,
    held: Option<Numbers>,
    accepted: Option<Numbers>,
    reasons: Vec<GateReason>,
    /// What a person said when they rejected it.
    rejected: Option<String>,
}

fn show(global: &Global) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    let key = match &config.site.verification_key {
        Some(key) => key.clone(),
        None => keys::signing_key(&config.keys.signing)?.verification_key(),
    };
    let spool = replicas::named_reader("spool", Some(&config))?;
    let (head, rejected) = context::wait_for(async {
        let head = newest(&spool, &key).await?;
        let rejected = rejection(&spool, &head).await?;
        Ok::<_, ReadError>((head, rejected))
    })?
    .map_err(|source| CommandError::Spool { source: Box::new(source) })?;
    let newest = &head.manifest;
    Ok(Box::new(Shown {
        now: clock::now(),
        held: newest.is_held().then(|| Numbers::of(newest)),
        accepted: head.accepted_snapshot().map(|(_, manifest)| Numbers::of(manifest)),
        reasons: newest.gate.reasons.clone(),
        rejected,
    }))
}

/// Looks for an entry that says that the held snapshot was rejected.
async fn rejection(spool: &Reader, head: &VerifiedHead) -> Result<Option<String>, ReadError> {
    if !head.manifest.is_held() {
        return Ok(None);
    }
    let log = spool.log(&head.checkpoint).await?;
    let first = log.size().saturating_sub(ENTRIES_MAX);
    let entries = spool.entries(log.tree(), first..log.size()).await?;
    let id = head.manifest_id.to_string();
    Ok(entries.into_iter().rev().find_map(|entry| match entry {
        Entry::Event { name, detail, time } if name == "reject" && detail.contains(&id) => {
            let said = detail.split_once(&id).map_or("", |(_, said)| said.trim_start_matches(": "));
            Some(format!("{time} {said}"))
        }
        _ => None,
    }))
}

impl Report for Shown {
    fn json(&self) -> Value {
        json!({
            "held": to_json(&self.held),
            "accepted": to_json(&self.accepted),
            "reasons": to_json(&self.reasons),
            "rejected": self.rejected,
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(held) = &self.held else {
            writeln!(out, "Nothing is held.")?;
            if let Some(accepted) = &self.accepted {
                let age = age_text(accepted.taken, self.now);
                writeln!(out, "Readers see snapshot {}, taken {age}.", accepted.sequence)?;
            }
            return released(&self.reasons, out);
        };
        writeln!(out, "Snapshot {} is HELD, taken {}.", held.sequence, age_text(held.taken, self.now))?;
        match &self.accepted {
            Some(accepted) => writeln!(
                out,
                "Readers see snapshot {}, taken {}.",
                accepted.sequence,
                age_text(accepted.taken, self.now)
            )?,
            None => writeln!(out, "No snapshot was accepted yet: readers see the held one, with a warning.")?,
        }
        if let Some(rejected) = &self.rejected {
            writeln!(out, "It was rejected: {rejected}")?;
        }
        writeln!(out, "\nWhy:")?;
        self.reasons.iter().try_for_each(|reason| writeln!(out, "  {}: {}", reason.code, reason.detail))?;
        writeln!(out)?;
        compare(self.accepted.as_ref(), held, out)?;
        writeln!(out, "\nIf the source is right as it is:  lifeboat gate release --reason \"REASON\"")?;
        writeln!(out, "If it is wrong:                   lifeboat gate reject --reason \"REASON\"")
    }

    fn exit(&self) -> ExitStatus {
        if self.held.is_some() { ExitStatus::Held } else { ExitStatus::Ok }
    }
}

fn released(reasons: &[GateReason], out: &mut dyn Write) -> io::Result<()> {
    reasons.iter().try_for_each(|reason| writeln!(out, "  {}: {}", reason.code, reason.detail))
}

/// Writes the two snapshots side by side.
fn compare(accepted: Option<&Numbers>, held: &Numbers, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{:<36} {:>12} {:>12} {:>9}", "", "accepted", "held", "change")?;
    let mut row = |name: &str, before: Option<u64>, now: u64| {
        let change = before.filter(|before| *before > 0).map(|before| change_text(before, now));
        let before = before.map_or("-".to_owned(), |before| before.to_string());
        writeln!(out, "{name:<36} {before:>12} {now:>12} {:>9}", change.unwrap_or_default())
    };
    row("patients", accepted.map(|it| it.patients), held.patients)?;
    let none = GateFacts::default();
    let before = accepted.map_or(&none, |accepted| &accepted.facts);
    let ids: std::collections::BTreeSet<&String> =
        before.sections.keys().chain(held.facts.sections.keys()).collect();
    for id in ids {
        let of = |facts: &GateFacts| facts.sections.get(id).copied().unwrap_or_default();
        let (was, is): (SectionFacts, SectionFacts) = (of(before), of(&held.facts));
        let [people, things] =
            if id == "appointments" { ["days", "appointments"] } else { ["patients", "items"] };
        row(&format!("{id}, {people}"), accepted.map(|_| was.patients), is.patients)?;
        row(&format!("{id}, {things}"), accepted.map(|_| was.items), is.items)?;
    }
    row("documents read", accepted.map(|it| it.documents), held.documents)?;
    row("inputs not read", accepted.map(|it| it.unreadable), held.unreadable)?;
    let Some(is) = held.facts.quality else { return Ok(()) };
    let was = before.quality;
    row("NHS numbers", was.map(|it| it.nhs_numbers), is.nhs_numbers)?;
    row("NHS numbers with right check digit", was.map(|it| it.nhs_numbers_valid), is.nhs_numbers_valid)?;
    row("patients without a name", was.map(|it| it.without_name), is.without_name)?;
    row("patients without a birth date", was.map(|it| it.without_birth_date), is.without_birth_date)?;
    row("patients with garbled text", was.map(|it| it.garbled), is.garbled)?;
    row("characters of text, about", was.map(|it| it.characters), is.characters)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53, and the text has one decimal")]
fn change_text(before: u64, now: u64) -> String {
    format!("{:+.1} %", (now as f64 / before as f64 - 1.0) * 100.0)
}

/// Whether a snapshot was made of rows that are kept from one batch to the next.
fn has_rows(manifest: &Manifest) -> bool {
    let feed = manifest.feed.format.as_str();
    feed.ends_with("-server") || feed.parse().is_ok_and(|format: Format| format.is_tables())
}

/// What was decided.
struct DecidedReport {
    verdict: Verdict,
    ruling: Ruling,
    carry: Carry,
    done: Decided,
}

fn decide(
    global: &Global,
    verdict: Verdict,
    args: &DecisionArgs,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    let ruling = ruling(&args.reason)?;
    let carry = if args.dry_run { Carry::Nothing } else { Carry::Out };
    let replicas = if args.no_replicate { Replicas::Leave } else { Replicas::Feed };
    let mut site = Site::open(context::config(global)?)?;
    let bars = output.bars();
    let work = async { site.decide(verdict, &ruling, carry, replicas, &bars).await };
    let done = context::wait_for(work)?.map_err(service_error)?;
    Ok(Box::new(DecidedReport { verdict, ruling, carry, done }))
}

impl Report for DecidedReport {
    fn json(&self) -> Value {
        let decision = &self.done.decision;
        json!({
            "verdict": to_json(&self.verdict),
            "dry_run": self.carry == Carry::Nothing,
            "recorded": self.ruling.to_string(),
            "held": to_json(&Numbers::of(&decision.held)),
            "reasons": to_json(&decision.held.gate.reasons),
            "accepted": to_json(&decision.accepted.as_ref().map(Numbers::of)),
            "now_accepted": decision.now_accepted.map(|sequence| sequence.number()),
            "log_size": decision.log_size,
            "replicas": to_json(&self.done.replicas),
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let decision = &self.done.decision;
        let (held, patients) = (decision.held.sequence, count_text(decision.held.counts.patients, "patient"));
        if self.carry == Carry::Nothing {
            writeln!(out, "Dry run: nothing was changed. Without `--dry-run`:")?;
        }
        match (self.verdict, decision.now_accepted) {
            (Verdict::Release, Some(sequence)) => writeln!(
                out,
                "Released snapshot {held} ({patients}): readers see it as snapshot {sequence} from now on."
            )?,
            _ => writeln!(
                out,
                "Rejected snapshot {held} ({patients}): readers go on seeing {}.",
                decision.accepted.as_ref().map_or_else(
                    || "it with a warning, because no other exists".to_owned(),
                    |accepted| format!("snapshot {}", accepted.sequence)
                )
            )?,
        }
        if self.verdict == Verdict::Reject && has_rows(&decision.held) {
            writeln!(
                out,
                "The source sends changes, and what was rejected is among the rows that they build on: every later snapshot is \
                 held until they are put right or replaced by a full extract, or a person releases it. See \"When the source \
                 sends changes only\" in docs/handbook/gate.md."
            )?;
        }
        writeln!(out, "In the log: {}", self.ruling)?;
        for replica in &self.done.replicas {
            match &replica.error {
                None => writeln!(out, "  replica {:<16} up to date", replica.name)?,
                Some(error) => writeln!(out, "  replica {:<16} BEHIND: {error}", replica.name)?,
            }
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        if self.done.replicas.iter().all(|replica| replica.up_to_date) {
            ExitStatus::Ok
        } else {
            ExitStatus::Partly
        }
    }
}
