//! Runs other programs and keeps the score.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Returns the root folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project's root folder")
}

/// Returns the folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Returns a command for the cargo that runs this task, started in the project's root folder.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Returns a command started in the project's root folder.
pub(crate) fn program<A: AsRef<OsStr>>(name: impl AsRef<OsStr>, arguments: &[A]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Returns what a person would type for `command`.
pub(crate) fn spelled(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    println!("$ {}", spelled(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| Failure::Start { program: spelled(command), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Exit { program: spelled(command), status }) }
}

/// Runs `command` without a word and returns what it printed, or nothing when it fails or does not exist.
pub(crate) fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns whether a program of this name can be found on the search path.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The steps of a task: what was run, how it ended, how long it took.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Outcome, Duration)>,
}

/// How a step ended.
enum Outcome {
    Passed,
    Failed,
    Left(String),
}

impl Steps {
    /// Runs one step and keeps its outcome; returns whether it passed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<(), Failure>) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        if let Err(failure) = &result {
            failure.report();
        }
        let passed = result.is_ok();
        let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
        self.done.push((name.to_owned(), outcome, start.elapsed()));
        passed
    }

    /// Notes a step that was left out, and why.
    pub(crate) fn leave_out(&mut self, name: &str, why: &str) {
        self.done.push((name.to_owned(), Outcome::Left(why.to_owned()), Duration::ZERO));
    }

    /// Prints the summary and fails if a step did.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        println!("\n== Summary");
        for (name, outcome, time) in &self.done {
            match outcome {
                Outcome::Passed => println!("  passed  {:>5.0} s  {name}", time.as_secs_f64()),
                Outcome::Failed => println!("  FAILED  {:>5.0} s  {name}", time.as_secs_f64()),
                Outcome::Left(why) => println!("  left out         {name} ({why})"),
            }
        }
        let count = self.done.iter().filter(|(_, outcome, _)| matches!(outcome, Outcome::Failed)).count();
        if count == 0 { Ok(()) } else { Err(Failure::Steps { count, of: self.done.len() }) }
    }
}
