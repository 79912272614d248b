//! The whole story on a synthetic practice: sealed, replicated, verified, damaged, and read all the same.
//!
//! It runs the same code as the commands do, on folders of its own. With `--check` nobody needs to watch: pages are
//! fetched from the viewer and compared with what the generator put into the practice.

mod check;
mod damage;
mod http;
mod source;
mod story;
mod viewer;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lifeboat_clinical::synth::{Practice, SITE_CODE, SITE_NAME};
use lifeboat_format::{Identity, VerificationKey};
use lifeboat_replica::durable::{self, DurableError};
use serde::Serialize;
use serde_json::Value;

use self::check::Checked;
use self::story::Story;
use crate::cli::{DemoArgs, InitArgs, SiteCommands, wait_for};
use crate::clock;
use crate::engine::Acceptance;
use crate::error::CommandError;
use crate::output::{Form, Output, Report, bytes_text, count_text, to_json};
use crate::service::{OnceReport, Replicas};

/// The replicas of the demonstration, in the order in which trouble finds them.
const REPLICAS: [&str; 3] = ["server-room", "branch-surgery", "cloud"];

/// The share of patients whose records change between the two snapshots.
const CHANGED_SHARE: f64 = 0.03;

/// What went wrong in the demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder cannot be used.
    #[error("cannot use the folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder is not empty.
    #[error("{path} is not empty")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write a file of the demonstration")]
    Write(#[from] DurableError),
    /// A file could not be damaged.
    #[error("cannot damage {path}")]
    Damage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There was nothing to damage.
    #[error("there is no pack in {path}")]
    NoPack {
        /// The folder.
        path: PathBuf,
    },
    /// The viewer is not beside this program.
    #[error("the viewer is not at {path}")]
    ViewerMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The viewer could not be started.
    #[error("cannot start the viewer {path}")]
    ViewerStart {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The viewer ended before it said where it is.
    #[error("the viewer did not say where it is")]
    ViewerSilent,
    /// A page could not be fetched.
    #[error("cannot fetch {path} from the viewer")]
    Fetch {
        /// The page, without secrets.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Something is not as it should be.
    #[error("{what}")]
    Wrong {
        /// What was expected and what was found.
        what: String,
    },
}

impl DemoError {
    /// Returns what to do about it, when that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            DemoError::ViewerMissing { .. } => "build it: `cargo build --release -p lifeboat-viewer`",
            DemoError::NotEmpty { .. } => "choose a folder that does not exist yet, or leave `--dir` out",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Makes an error that says what is not as it should be.
fn wrong(what: impl Into<String>) -> DemoError {
    DemoError::Wrong { what: what.into() }
}

/// What the demonstration showed.
#[derive(Debug, Serialize)]
struct DemoReport {
    patients: u32,
    seed: u64,
    steps: Vec<String>,
    pages_checked: Vec<Checked>,
    #[serde(skip)]
    is_check: bool,
}

impl Report for DemoReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_check {
            for checked in &self.pages_checked {
                writeln!(out, "   ok  {}: {}", checked.page, checked.shows)?;
            }
            writeln!(out, "The demonstration did what it should.")?;
        }
        Ok(())
    }
}

/// Where the demonstration works; a temporary folder goes when it ends.
struct Stage {
    root: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Stage {
    fn prepare(chosen: Option<&Path>) -> Result<Self, DemoError> {
        let Some(chosen) = chosen else {
            let path = std::env::temp_dir();
            let made = tempfile::Builder::new().prefix("lifeboat-demo-").tempdir();
            let temporary = made.map_err(|source| DemoError::Folder { path, source })?;
            return Ok(Stage { root: temporary.path().to_owned(), _temporary: Some(temporary) });
        };
        let failed = |source| DemoError::Folder { path: chosen.to_owned(), source };
        let root = std::path::absolute(chosen).map_err(failed)?;
        durable::make_folders(&root)?;
        if std::fs::read_dir(&root).map_err(failed)?.next().is_some() {
            return Err(DemoError::NotEmpty { path: root });
        }
        Ok(Stage { root, _temporary: None })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn replica(&self, name: &str) -> PathBuf {
        self.root.join("replicas").join(name)
    }
}

/// Runs the demonstration.
pub fn run(args: &DemoArgs, output: Output) -> Result<Box<dyn Report>, CommandError> {
    let stage = Stage::prepare(args.dir.as_deref())?;
    let mut story = Story::new(&output);
    let practice = Practice::new(args.seed, args.patients as usize, clock::practice_date(clock::now()));
    let commands = SiteCommands::new(stage.path("lifeboat.toml"), output);

    let program = viewer::program()?;
    begin(&practice, &stage, &mut story)?;
    let key = set_up(&commands, &stage, &mut story)?;
    protect(&practice, &commands, &stage, &mut story)?;
    verify_whole(&commands, &key, &mut story)?;
    destroy(&commands, &key, &stage, &mut story)?;

    story.step("The clinical system is down. A GP opens what is left.");
    let (kit, passphrase) = (stage.path("gp.lifeboat-kit"), stage.path("kit-passphrase"));
    let mut pages_checked = Vec::new();
    if args.check {
        let viewer = viewer::start(&program, &kit, &passphrase)?;
        pages_checked = check::pages(&viewer, &practice)?;
        story.tell(&format!("{} showed what they should.", count_text(pages_checked.len() as u64, "page")));
    } else {
        story.tell("The kit names all three replicas. The viewer finds out which of them can be trusted.");
        let browser = if args.no_browser { viewer::Browser::Leave } else { viewer::Browser::Open };
        let speech = match output.form {
            Form::Human => viewer::Speech::Spoken,
            Form::Json => viewer::Speech::Silent,
        };
        wait_for(viewer::show(&program, &kit, &passphrase, browser, speech))??;
    }
    let (patients, seed) = (args.patients, args.seed);
    Ok(Box::new(DemoReport {
        patients,
        seed,
        steps: story.into_steps(),
        pages_checked,
        is_check: args.check,
    }))
}

fn begin(practice: &Practice, stage: &Stage, story: &mut Story) -> Result<(), CommandError> {
    story.step("A practice. Its clinical system writes its records into a folder, as FHIR R4.");
    let written = source::write_all(practice, &stage.path("clinical-system"))?;
    story.tell(&format!(
        "{}, {} of FHIR. Nobody in them exists.",
        count_text(practice.patients() as u64, "patient"),
        bytes_text(written)
    ));
    Ok(())
}

fn set_up(
    commands: &SiteCommands,
    stage: &Stage,
    story: &mut Story,
) -> Result<VerificationKey, CommandError> {
    story.step("IT sets Lifeboat up with three replicas, and makes a kit for a GP.");
    // In life this identity is made on another computer and its secret half never comes here.
    let safe = Identity::generate();
    let replicas: Vec<String> =
        REPLICAS.iter().map(|name| format!("{name}={}", stage.replica(name).display())).collect();
    commands.init(&InitArgs {
        site: SITE_CODE.to_owned(),
        name: SITE_NAME.to_owned(),
        source: stage.path("clinical-system"),
        // The clinical system of the demonstration renames finished files into place.
        stable_after: Some("0s".to_owned()),
        state: Some(stage.path("state")),
        replicas,
        recipients: vec![format!("practice safe={}", safe.recipient())],
    })?;
    let passphrase = story::passphrase();
    let file = stage.path("kit-passphrase");
    durable::replace(&file, format!("{passphrase}\n").as_bytes()).map_err(DemoError::from)?;
    commands.create_kit("demonstration gp", &stage.path("gp.lifeboat-kit"), &file)?;
    let config = commands.config()?;
    let key = config.site.verification_key.ok_or_else(|| wrong("init left no verification key"))?;
    story.tell(&format!("Everything is in {}", stage.root.display()));
    story.tell(&format!("The kit's passphrase is: {passphrase}"));
    story.tell("This host keeps public keys only. Whoever steals it can read nothing that it sealed.");
    Ok(key)
}

fn protect(
    practice: &Practice,
    commands: &SiteCommands,
    stage: &Stage,
    story: &mut Story,
) -> Result<(), CommandError> {
    story.step("The first snapshot: read, sealed, and copied to all three replicas.");
    let first = snapshot(commands)?;
    tell_snapshot(&first, story);
    if first.snapshot.patients != practice.patients() as u64 {
        let (found, made) = (first.snapshot.patients, practice.patients());
        return Err(wrong(format!("the snapshot holds {found} patients of {made}")).into());
    }
    story.step("Work goes on: results come in, medicines are prescribed. A second snapshot.");
    let changed = source::write_changes(practice, &stage.path("clinical-system"), CHANGED_SHARE)?;
    let second = snapshot(commands)?;
    tell_snapshot(&second, story);
    let sealed = second.snapshot.changed;
    story.tell(&format!(
        "{} came in changed; {} were written for them, the first snapshot wrote {}.",
        count_text(changed, "file"),
        bytes_text(second.snapshot.bytes_written),
        bytes_text(first.snapshot.bytes_written)
    ));
    // A change to something that summaries leave out, such as an old course of tablets, seals nothing again.
    if sealed > changed || (sealed == 0 && changed > 2) {
        return Err(wrong(format!("{changed} files changed and {sealed} records were sealed again")).into());
    }
    Ok(())
}

fn snapshot(commands: &SiteCommands) -> Result<OnceReport, CommandError> {
    let report = commands.snapshot(&Acceptance::ByGate, Replicas::Feed)?;
    if let Some(replica) = report.replicas.iter().find(|replica| !replica.up_to_date) {
        let error = replica.error.clone().unwrap_or_default();
        return Err(wrong(format!("replica {} is behind: {error}", replica.name)).into());
    }
    if !report.snapshot.held_reasons.is_empty() || !report.snapshot.unreadable.is_empty() {
        return Err(wrong("the gate held a snapshot, or an input could not be read").into());
    }
    Ok(report)
}

fn tell_snapshot(report: &OnceReport, story: &mut Story) {
    let snapshot = &report.snapshot;
    story.tell(&format!(
        "{}, {} in day lists, {} sealed, {} written to the spool and to each of {} replicas.",
        count_text(snapshot.patients, "patient"),
        count_text(snapshot.appointments, "appointment"),
        count_text(snapshot.added + snapshot.changed, "record"),
        bytes_text(snapshot.bytes_written),
        report.replicas.len()
    ));
}

fn verify_whole(
    commands: &SiteCommands,
    key: &VerificationKey,
    story: &mut Story,
) -> Result<(), CommandError> {
    story.step("An auditor verifies every byte, with the public key alone and no way to read a record.");
    for verified in commands.verify(key)? {
        story.tell(&format!("{}: {}", verified.name, verified.sentence()));
        if !verified.is_whole() {
            return Err(wrong(format!("replica {} is not whole", verified.name)).into());
        }
    }
    Ok(())
}

fn destroy(
    commands: &SiteCommands,
    key: &VerificationKey,
    stage: &Stage,
    story: &mut Story,
) -> Result<(), CommandError> {
    story.step("A bad day: one replica burns, another is tampered with.");
    let [burnt, tampered, whole] = REPLICAS;
    damage::burn(&stage.replica(burnt))?;
    story.tell(&format!("{burnt}: deleted."));
    let object = damage::flip_bytes(&stage.replica(tampered))?;
    story.tell(&format!("{tampered}: some bytes changed inside {object}"));
    story.step("The auditor verifies again.");
    for verified in commands.verify(key)? {
        story.tell(&format!("{}: {}", verified.name, verified.sentence()));
        for finding in verified.findings() {
            story.tell(&format!("    {finding}"));
        }
        let as_expected = match verified.name.as_str() {
            name if name == whole => verified.is_whole(),
            name if name == tampered => verified.findings().any(|finding| finding.contains(&object)),
            _ => !verified.is_whole(),
        };
        if !as_expected {
            return Err(wrong(format!(
                "verifying replica {} did not show what was done to it",
                verified.name
            ))
            .into());
        }
    }
    Ok(())
}
