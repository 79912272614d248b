//! Runs one command and learns what it cost: wall time, processor time of it and its children, peak memory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::failure::Failure;
use crate::shell;

/// What a command cost.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of processor time, user and system, with its children.
    pub(crate) cpu: f64,
    /// The most memory that one of its processes held, in MiB.
    pub(crate) peak_mib: f64,
}

/// Runs `command` under GNU time; returns its cost and what it printed.
pub(crate) fn cost(folder: &Path, command: &Command) -> Result<(Cost, String), Failure> {
    let note = folder.join("time");
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-f", "%U %S %M", "-o"])
        .arg(&note)
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    timed.current_dir(command.get_current_dir().unwrap_or(folder));
    timed.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    let start = Instant::now();
    let output =
        timed.output().map_err(|source| Failure::Start { program: shell::spelled(command), source })?;
    let wall = start.elapsed().as_secs_f64();
    if !output.status.success() {
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Exit { program: shell::spelled(command), status: output.status });
    }
    let text = fs::read_to_string(&note).map_err(|source| Failure::Read { path: note, source })?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, peak] = numbers[..] else {
        return Err(Failure::Measure { what: format!("GNU time says {text:?}") });
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((Cost { wall, cpu: user + system, peak_mib: peak / 1024.0 }, printed))
}
