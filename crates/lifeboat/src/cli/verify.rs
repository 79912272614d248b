//! `lifeboat verify`: proves that copies are whole.
//!
//! `presence` and `digest` need the site's public key alone, no identity and no configuration: an auditor runs them on
//! any machine. `open` also opens every record and needs an identity.

use std::io::{self, Write};

use futures::future::join_all;
use lifeboat_format::{Checkpoint, VerificationKey, open_checkpoint};
use lifeboat_replica::{
    Access, Choice, Finding, OpenReport, OpenSample, Reader, SiteReader, VerifyLevel, VerifyOptions,
    VerifyProgress, VerifyReport, verify,
};
use serde_json::{Value, json};

use super::args::{Global, Level, VerifyArgs};
use super::repair::{Repaired, repair_all};
use super::{context, restore};
use crate::config::Config;
use crate::error::{CommandError, ExitStatus};
use crate::events::error_line;
use crate::output::{Bars, Output, Report, Unit, bytes_text, count_text, to_json};
use crate::replicas::{self, ReplicasError};
use crate::service::Feed;

/// Findings that a person is shown of one copy; `--json` has all.
const FINDINGS_SHOWN_MAX: usize = 50;

/// Largest file with a checkpoint that is read.
const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// A copy to verify, or why it cannot be opened.
pub(crate) struct Subject {
    name: String,
    reader: Result<Reader, ReplicasError>,
    /// The newest checkpoint that the copy is known to have had.
    known: Option<Checkpoint>,
}

/// What verifying one copy showed.
pub(crate) struct Verified {
    pub(crate) name: String,
    outcome: Result<VerifyReport, String>,
    opened: Option<Result<OpenReport, String>>,
}

impl Verified {
    /// Says whether everything that was asked for was checked and nothing is wrong.
    pub(crate) fn is_whole(&self) -> bool {
        let opens = match &self.opened {
            None => true,
            Some(Ok(report)) => report.is_good(),
            Some(Err(_)) => false,
        };
        self.outcome.as_ref().is_ok_and(VerifyReport::is_good) && opens
    }

    /// Says whether damage was found, rather than the copy not being reachable.
    pub(super) fn is_damaged(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|report| !report.is_good())
            || self
                .opened
                .as_ref()
                .is_some_and(|opened| opened.as_ref().is_ok_and(|report| !report.is_good()))
    }

    /// Sums up what was found.
    pub(crate) fn sentence(&self) -> String {
        match &self.outcome {
            Err(reason) => format!("NOT VERIFIED, {reason}"),
            Ok(report) => {
                let verdict = match report.findings.len() as u64 {
                    0 => "whole".to_owned(),
                    count => format!("DAMAGED, {}", count_text(count, "finding")),
                };
                format!(
                    "{verdict}; {} and {} checked, {}",
                    count_text(report.objects, "object"),
                    bytes_text(report.bytes),
                    count_text(report.snapshots, "snapshot")
                )
            }
        }
    }

    /// Returns what is wrong, as the verification found it.
    pub(super) fn raw_findings(&self) -> &[Finding] {
        self.outcome.as_ref().map_or(&[], |report| &report.findings)
    }

    /// Returns what is wrong, one line each.
    pub(crate) fn findings(&self) -> impl Iterator<Item = String> {
        self.outcome.iter().flat_map(|report| &report.findings).map(ToString::to_string)
    }
}

/// Runs the command.
pub(super) fn run(
    global: &Global,
    args: &VerifyArgs,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    verify_command(context::optional_config(global)?, args, output)
}

/// Runs the command as on an auditor's machine.
#[cfg(test)]
pub(super) fn run_without_config(args: &VerifyArgs, output: Output) -> Result<Box<dyn Report>, CommandError> {
    verify_command(None, args, output)
}

fn verify_command(
    config: Option<Config>,
    args: &VerifyArgs,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    let holder = match args.level {
        Level::Open => {
            let identity = args.identity.as_deref();
            Some(restore::holder(identity, args.kit.as_deref(), args.passphrase_file.as_deref())?)
        }
        Level::Presence | Level::Digest => None,
    };
    let kit = holder.as_ref().and_then(|holder| holder.kit.as_ref());
    let argument = args.verification_key.as_deref();
    let key = match (argument, kit) {
        (None, Some(kit)) => kit.verification_key.clone(),
        _ => replicas::verification_key(argument, config.as_ref())?,
    };
    let mut subjects = subjects(&args.replicas, kit.map(restore::kit_readers), config.as_ref());
    if let Some(path) = &args.known {
        let known = known_checkpoint(path, &key)?;
        subjects.iter_mut().for_each(|subject| subject.known = Some(known.clone()));
    }
    if subjects.is_empty() {
        return Err(CommandError::Usage {
            what: "there is no replica to verify".to_owned(),
            hint: "name one: a folder, or s3://bucket/prefix".to_owned(),
        });
    }
    let access = holder.map(|holder| Access::Identity(holder.identity));
    let bars = output.bars();
    let mut verified = verify_all(subjects, &key, args.level, access.clone(), &bars)?;
    let mut repaired = Vec::new();
    if args.repair && verified.iter().any(Verified::is_damaged) {
        let config = config.as_ref().ok_or_else(|| CommandError::Usage {
            what: "`--repair` writes to replicas and needs a configuration".to_owned(),
            hint: "run it on the site's host, or give `--config FILE`".to_owned(),
        })?;
        repaired = repair_all(config, &key, &verified)?;
        let names: Vec<String> = verified.into_iter().map(|verified| verified.name).collect();
        verified = verify_all(self::subjects(&names, None, Some(config)), &key, args.level, access, &bars)?;
    }
    Ok(Box::new(VerifyCommandReport { level: args.level, repaired, verified }))
}

fn known_checkpoint(path: &std::path::Path, key: &VerificationKey) -> Result<Checkpoint, CommandError> {
    let bytes = restore::read(path, CHECKPOINT_BYTES_MAX, "checkpoint")?;
    open_checkpoint(&String::from_utf8_lossy(&bytes), key).map_err(|error| CommandError::Usage {
        what: format!("{} is not a checkpoint of this site: {error}", path.display()),
        hint: "give a file of a copy's folder `checkpoints`, kept from an earlier day".to_owned(),
    })
}

/// Lists what to verify: what is named, what a kit names, or everything that is configured.
pub(crate) fn subjects(
    named: &[String],
    kit: Option<Vec<Result<Reader, ReplicasError>>>,
    config: Option<&Config>,
) -> Vec<Subject> {
    if named.is_empty() {
        if let Some(readers) = kit {
            let name = |reader: &Result<Reader, ReplicasError>| match reader {
                Ok(reader) => reader.name().to_string(),
                Err(_) => "replica of the kit".to_owned(),
            };
            return readers
                .into_iter()
                .map(|reader| Subject { name: name(&reader), reader, known: None })
                .collect();
        }
        let Some(config) = config else { return Vec::new() };
        let names: Vec<String> = std::iter::once("spool".to_owned())
            .chain(config.replicas.iter().map(|replica| replica.name.to_string()))
            .collect();
        return names.iter().map(|name| subject(name, Some(config))).collect();
    }
    named.iter().map(|name| subject(name, config)).collect()
}

fn subject(name: &str, config: Option<&Config>) -> Subject {
    Subject {
        name: name.to_owned(),
        reader: replicas::named_reader(name, config),
        known: config.and_then(|config| acknowledged(name, config)),
    }
}

/// Returns what a configured replica has acknowledged: it must hold that or more.
fn acknowledged(name: &str, config: &Config) -> Option<Checkpoint> {
    let cursor = Feed::cursor_of(&config.state_dir, &config.replica(name)?.name)?;
    Some(Checkpoint { origin: config.site.code.origin(), size: cursor.log_size, root: cursor.root })
}

/// Verifies copies, all at once.
pub(crate) fn verify_all(
    subjects: Vec<Subject>,
    key: &VerificationKey,
    level: Level,
    access: Option<Access>,
    bars: &Bars,
) -> Result<Vec<Verified>, CommandError> {
    context::wait_for(join_all(
        subjects.into_iter().map(|subject| verify_one(subject, key, level, &access, bars)),
    ))
}

async fn verify_one(
    subject: Subject,
    key: &VerificationKey,
    level: Level,
    access: &Option<Access>,
    bars: &Bars,
) -> Verified {
    let Subject { name, reader, known } = subject;
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => return Verified { name, outcome: Err(error_line(&error)), opened: None },
    };
    let level = match level {
        Level::Presence => VerifyLevel::Presence,
        Level::Digest | Level::Open => VerifyLevel::Digest,
    };
    let options = VerifyOptions { known, ..VerifyOptions::new(level) };
    let bar = bars.add(&format!("verifying {name}"), Some(0), Unit::Bytes);
    let shown = bar.clone();
    let outcome = verify(&reader, key, &options, &move |progress: &VerifyProgress| {
        shown.set_length(progress.bytes_total);
        shown.set_position(progress.bytes_done);
    })
    .await;
    bar.finish_and_clear();
    let opened = match access {
        Some(access) => Some(open_all(&name, reader, key, access.clone(), bars).await),
        None => None,
    };
    Verified { name, outcome: outcome.map_err(|error| error_line(&error)), opened }
}

async fn open_all(
    name: &str,
    reader: Reader,
    key: &VerificationKey,
    access: Access,
    bars: &Bars,
) -> Result<OpenReport, String> {
    let site =
        SiteReader::open(reader, key, access, Choice::Newest).await.map_err(|error| error_line(&error))?;
    let bar = bars.add(&format!("opening {name}"), Some(0), Unit::Count);
    let shown = bar.clone();
    let report = site
        .verify_open(OpenSample::All, &move |done, total| {
            shown.set_length(total);
            shown.set_position(done);
        })
        .await;
    bar.finish_and_clear();
    report.map_err(|error| error_line(&error))
}

/// What was verified.
struct VerifyCommandReport {
    level: Level,
    /// What was repaired before the verification that is reported.
    repaired: Vec<Repaired>,
    verified: Vec<Verified>,
}

impl Report for VerifyCommandReport {
    fn json(&self) -> Value {
        json!({
            "level": format!("{:?}", self.level).to_lowercase(),
            "whole": self.verified.iter().all(Verified::is_whole),
            "repaired": to_json(&self.repaired),
            "replicas": self.verified.iter().map(one_json).collect::<Vec<_>>(),
        })
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for repaired in &self.repaired {
            let objects = count_text(repaired.objects.len() as u64, "object");
            writeln!(out, "{}: repaired {objects}", repaired.replica)?;
            repaired.failures.iter().try_for_each(|failure| writeln!(out, "  NOT REPAIRED: {failure}"))?;
        }
        for verified in &self.verified {
            write_one(verified, out)?;
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        if self.verified.iter().any(Verified::is_damaged) {
            ExitStatus::Damaged
        } else if self.verified.iter().all(Verified::is_whole) {
            ExitStatus::Ok
        } else {
            ExitStatus::Failed
        }
    }
}

fn one_json(verified: &Verified) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "object": finding.object.map(|object| object.to_string()),
            "problem": finding.problem.to_string(),
            "remedy": finding.remedy(),
        })
    };
    let opened = verified.opened.as_ref().map(|opened| match opened {
        Ok(report) => json!({
            "sequence": report.sequence.number(),
            "records": report.records,
            "opened": report.opened,
            "bytes": report.bytes,
            "failures": report.failures.iter().map(|failure| error_line(failure)).collect::<Vec<_>>(),
            "counts_agree": report.counted == report.promised,
        }),
        Err(reason) => json!({ "error": reason }),
    });
    match &verified.outcome {
        Err(reason) => json!({ "name": verified.name, "whole": false, "error": reason, "opened": opened }),
        Ok(report) => json!({
            "name": verified.name,
            "whole": verified.is_whole(),
            "log_size": report.checkpoint.as_ref().map(|signed| signed.checkpoint.size),
            "newest_sequence": report.newest.map(|seen| seen.sequence.number()),
            "accepted_sequence": report.newest_accepted.map(|seen| seen.sequence.number()),
            "snapshots": report.snapshots,
            "objects": report.objects,
            "bytes": report.bytes,
            "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
            "notes": report.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "opened": opened,
        }),
    }
}

fn write_one(verified: &Verified, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", verified.name, verified.sentence())?;
    if let Ok(report) = &verified.outcome {
        for finding in report.findings.iter().take(FINDINGS_SHOWN_MAX) {
            writeln!(out, "  {finding}")?;
            writeln!(out, "    hint: {}", finding.remedy())?;
        }
        let more = report.findings.len().saturating_sub(FINDINGS_SHOWN_MAX);
        if more > 0 {
            writeln!(out, "  and {more} more; `--json` lists all")?;
        }
        for note in &report.notes {
            writeln!(out, "  note: {note}")?;
        }
    }
    match &verified.opened {
        None => Ok(()),
        Some(Err(reason)) => writeln!(out, "  NOT OPENED, {reason}"),
        Some(Ok(report)) => {
            let opened = count_text(report.opened, "record");
            writeln!(out, "  {opened} of {} of snapshot {} open", report.records, report.sequence)?;
            for failure in report.failures.iter().take(FINDINGS_SHOWN_MAX) {
                writeln!(out, "  {}", error_line(failure))?;
            }
            if report.counted != report.promised {
                writeln!(out, "  the index does not list as many records as the manifest says")?;
            }
            Ok(())
        }
    }
}
