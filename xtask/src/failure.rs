//! What can go wrong in a task, and what to do about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A task that could not be done.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A program could not be started.
    #[error("starting `{program}`")]
    Start {
        /// The program with its arguments.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("`{program}` ended with {status}")]
    Exit {
        /// The program with its arguments.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// Something that must be installed by hand is missing.
    #[error("missing: {what}")]
    Missing {
        /// What is missing.
        what: String,
        /// The command that installs it.
        remedy: String,
    },
    /// A file could not be read.
    #[cfg(feature = "bench")]
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("understanding {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A server did not answer in time.
    #[error("waiting for {what}: no answer within {seconds} s")]
    Wait {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// Steps of a task failed; each has said so itself.
    #[error("{count} of {of} steps failed")]
    Steps {
        /// How many failed.
        count: usize,
        /// How many were run.
        of: usize,
    },
    /// A measured program did something else than it should have.
    #[cfg(feature = "bench")]
    #[error("measuring: {what}")]
    Measure {
        /// What was seen.
        what: String,
    },
}

impl Failure {
    /// Prints the failure, its causes and its remedy to standard error.
    pub(crate) fn report(&self) {
        eprintln!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            eprintln!("  because: {error}");
            cause = error.source();
        }
        if let Failure::Missing { remedy, .. } = self {
            eprintln!("hint: {remedy}");
        }
    }
}
