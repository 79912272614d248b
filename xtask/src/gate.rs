//! `cargo xtask gate`: how often the gate cries wolf, and what it catches, on simulated practices.
//!
//! Practices live for a year: people join and leave, weeks have week-ends, lists are cleansed, practices merge,
//! suppliers recode, flu clinics fill a Saturday. The judge that the service calls, `lifeboat_plan::gate::judge`,
//! looks at facts of the same shape as the service makes. Attacks are put on single days, and drains on many.
//!
//! The limits of the gate were chosen on one set of seeds and are measured on another that was not looked at
//! while they were chosen. Both are printed, and which is which.

use clap::Args;

use crate::failure::Failure;

#[cfg(feature = "gate")]
mod attack;
#[cfg(feature = "gate")]
mod measure;
#[cfg(feature = "gate")]
mod peers;
#[cfg(feature = "gate")]
mod practice;
#[cfg(feature = "gate")]
mod random;
#[cfg(feature = "gate")]
mod report;

/// What to simulate.
#[derive(Args)]
pub(crate) struct Options {
    /// Practices of each set of seeds; each lives for a year.
    #[arg(long, default_value_t = 200)]
    practices: u64,
    /// Prints JSON in place of the tables.
    #[arg(long)]
    json: bool,
    /// Only the seeds on which limits may be chosen.
    #[arg(long)]
    tuning_only: bool,
}

/// Builds the simulating half, optimised, and runs it with the same arguments.
#[cfg(not(feature = "gate"))]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    use crate::shell;
    if !options.json {
        let sets = if options.tuning_only { "the tuning set" } else { "each of two sets" };
        println!("simulating {} practices of {sets}", options.practices);
    }
    let mut cargo =
        shell::cargo(&["run", "--locked", "--quiet", "--package", "xtask", "--features", "xtask/gate"]);
    for package in ["xtask", "lifeboat-plan"] {
        cargo.args(["--config", &format!("profile.dev.package.{package}.opt-level=3")]);
    }
    cargo.arg("--").args(std::env::args_os().skip(1));
    let status =
        cargo.status().map_err(|source| Failure::Start { program: shell::spelled(&cargo), source })?;
    if status.success() { Ok(()) } else { Err(Failure::Exit { program: shell::spelled(&cargo), status }) }
}

/// Simulates, measures and prints.
#[cfg(feature = "gate")]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    use measure::{Measured, SeedSet};
    let sets = if options.tuning_only { &SeedSet::ALL[..1] } else { &SeedSet::ALL };
    let measured: Vec<Measured> = sets.iter().map(|set| Measured::of(*set, options.practices)).collect();
    if options.json {
        let text = serde_json::to_string_pretty(&measured).expect("numbers and names are plain JSON");
        println!("{text}");
    } else {
        measured.iter().for_each(|measured| println!("{}", report::tables(measured)));
    }
    Ok(())
}
