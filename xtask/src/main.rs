//! What a person types to work on Lifeboat: `cargo xtask test|servers|docs|bench|gate|fuzz`.
//!
//! Every task ends in a report of what was done and how long it took, and goes on after a failure where that makes
//! sense, so that one run shows everything that is wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

mod bench;
mod docs;
mod failure;
mod fuzz;
mod gate;
mod servers;
mod shell;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Works on Lifeboat.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// The tasks.
#[derive(Subcommand)]
enum Task {
    /// Checks everything: format, lints, unit and end-to-end tests, documentation examples, licences.
    Test(test::Options),
    /// Starts or stops the S3 server that the tests talk to.
    #[command(subcommand)]
    Servers(servers::Action),
    /// Writes the generated reference pages anew.
    Docs,
    /// Measures Lifeboat beside restic and `tar | zstd | age` on the same data.
    Bench(bench::Options),
    /// Does the least work that a snapshot can cost; `bench` measures it.
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    Floor(bench::floor::Options),
    /// Measures the gate on simulated practices and attacks, beside two rules that others publish.
    Gate(gate::Options),
    /// Runs every fuzz target for a while.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Servers(action) => servers::run(&action),
        Task::Docs => docs::run(),
        Task::Bench(options) => bench::run(&options),
        #[cfg(feature = "bench")]
        Task::Floor(options) => bench::floor::run(&options),
        Task::Gate(options) => gate::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}
