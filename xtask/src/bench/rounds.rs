//! The measuring itself: rounds in which everybody does everything, one after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde::Serialize;

use super::contestant::{Contestant, Form, Keeper, Step};
use super::data::Data;
use super::measure::{Cost, cost};
use crate::failure::Failure;
use crate::shell;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Results {
    /// Where the data come from.
    pub(crate) origin: String,
    /// Documents in the source.
    pub(crate) documents: usize,
    /// Bytes in the source.
    pub(crate) bytes: u64,
    /// Documents that change.
    pub(crate) changed: usize,
    /// Rounds.
    pub(crate) runs: usize,
    /// Processors of the machine.
    pub(crate) processors: usize,
    /// The versions of the programs.
    pub(crate) versions: Vec<String>,
    /// One entry for each keeper, form and round.
    pub(crate) rounds: Vec<Round>,
    /// One entry for each round.
    pub(crate) floors: Vec<Floor>,
}

/// What one keeper's round cost.
#[derive(Serialize)]
pub(crate) struct Round {
    /// Who.
    pub(crate) keeper: Keeper,
    /// On what.
    pub(crate) form: Form,
    /// What each step cost.
    pub(crate) steps: Vec<(Step, Cost)>,
    /// What hashing every file of one copy costs, ours only.
    pub(crate) sha256sum: Option<Cost>,
    /// Bytes in one copy after the first step.
    pub(crate) stored: u64,
    /// Bytes written to one copy in the second step.
    pub(crate) written: u64,
}

/// What the floor cost.
#[derive(Serialize)]
pub(crate) struct Floor {
    /// Everything.
    pub(crate) first: Cost,
    /// What changed.
    pub(crate) changed: Cost,
    /// Sealed bytes of everything.
    pub(crate) stored: u64,
    /// Sealed bytes of what changed.
    pub(crate) written: u64,
}

/// Measures everybody, `runs` times, in turn.
pub(crate) fn measure(folder: &Path, data: &Data, runs: usize) -> Result<Results, Failure> {
    let work = folder.join("work");
    let mut rounds = Vec::new();
    let mut floors = Vec::new();
    for run in 1..=runs {
        for form in [Form::Ndjson, Form::Files] {
            for keeper in [Keeper::Lifeboat, Keeper::Restic, Keeper::Tar] {
                println!("run {run} of {runs}: {keeper:?}, {form:?}");
                rounds.push(round(&work, data, keeper, form)?);
            }
        }
        println!("run {run} of {runs}: floor");
        floors.push(floor(&work, data)?);
    }
    Ok(Results {
        origin: data.origin.clone(),
        documents: data.documents,
        bytes: data.bytes,
        changed: data.changes.len(),
        runs,
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        versions: versions(),
        rounds,
        floors,
    })
}

/// Lets one keeper do all steps once.
fn round(work: &Path, data: &Data, keeper: Keeper, form: Form) -> Result<Round, Failure> {
    let contestant = Contestant::prepare(work, data, keeper, form)?;
    let mut steps = Vec::new();
    let mut sha256sum = None;
    let (mut stored, mut written) = (0, 0);
    for step in Step::ALL {
        let before = sizes(&contestant.copy())?;
        if step == Step::Changed {
            contestant.change()?;
        }
        let (spent, _) = cost(contestant.folder(), &contestant.command(step))?;
        steps.push((step, spent));
        match step {
            Step::First => stored = sizes(&contestant.copy())?.values().map(|(bytes, _)| bytes).sum(),
            Step::Changed => {
                let after = sizes(&contestant.copy())?;
                let new = after.iter().filter(|(path, own)| before.get(*path) != Some(own));
                written = new.map(|(_, (bytes, _))| bytes).sum();
            }
            Step::Verify if keeper == Keeper::Lifeboat => {
                sha256sum = Some(cost(contestant.folder(), &contestant.sha256sum())?.0);
            }
            Step::Fetch => contestant.check_fetched()?,
            Step::Unchanged | Step::Verify => {}
        }
    }
    // What is left behind would slow the others down; the next round makes it anew.
    let _ = fs::remove_dir_all(contestant.folder());
    Ok(Round { keeper, form, steps, sha256sum, stored, written })
}

/// Measures the floor once.
fn floor(work: &Path, data: &Data) -> Result<Floor, Failure> {
    let folder = work.join("floor");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|source| Failure::Write { path: folder.clone(), source })?;
    let own =
        std::env::current_exe().map_err(|source| Failure::Start { program: "xtask".to_owned(), source })?;
    let take = |snapshot: &str, lines: &Path| -> Result<(Cost, u64), Failure> {
        let mut command = Command::new(&own);
        command.args(["floor", snapshot]).arg(lines).arg(&folder);
        let (spent, printed) = cost(&folder, &command)?;
        let bytes = printed.trim().parse();
        Ok((spent, bytes.map_err(|_| Failure::Measure { what: format!("the floor says {printed:?}") })?))
    };
    let (first, stored) = take("first", &data.before)?;
    let (changed, written) = take("changed", &data.after)?;
    let _ = fs::remove_dir_all(&folder);
    Ok(Floor { first, changed, stored, written })
}

/// Returns size and time of change of every file below a folder; nothing when there is no folder.
fn sizes(folder: &Path) -> Result<BTreeMap<PathBuf, (u64, SystemTime)>, Failure> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        let failed = |source| Failure::Read { path: path.clone(), source };
        if path.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                waiting.push(entry.map_err(failed)?.path());
            }
        } else if path.is_file() {
            let about = fs::metadata(&path).map_err(failed)?;
            let changed = about.modified().map_err(failed)?;
            found.insert(path, (about.len(), changed));
        }
    }
    Ok(found)
}

/// Returns what the programs say that they are.
fn versions() -> Vec<String> {
    let lifeboat = shell::target().join("release/lifeboat");
    let mut commands = [
        shell::program(lifeboat, &["--version"]),
        shell::program("restic", &["version"]),
        shell::program("zstd", &["--version"]),
        shell::program("age", &["--version"]),
        shell::program("tar", &["--version"]),
    ];
    let say = |command: &mut Command| {
        let name = shell::spelled(command);
        let text = shell::answer(command)?;
        let line = text.lines().next()?.to_owned();
        let name = name.split(' ').next()?.to_owned();
        Some(if line.contains(&name) { line } else { format!("{name} {line}") })
    };
    commands.iter_mut().filter_map(say).collect()
}
