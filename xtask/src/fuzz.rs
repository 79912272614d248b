//! `cargo xtask fuzz`: gives every fuzz target some time.

use clap::Args;

use crate::failure::Failure;
use crate::shell::{self, Steps};

/// How long to fuzz.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Runs every fuzz target in turn; a target that finds something does not stop the others.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if shell::answer(&mut shell::cargo(&["fuzz", "--version"])).is_none() {
        return Err(Failure::Missing {
            what: "cargo-fuzz".to_owned(),
            remedy: "cargo install --locked cargo-fuzz".to_owned(),
        });
    }
    let listed = shell::answer(&mut shell::cargo(&["fuzz", "list"])).unwrap_or_default();
    let mut steps = Steps::default();
    for target in listed.lines() {
        steps.step(target, || {
            let mut command = shell::cargo(&["fuzz", "run", target, "--"]);
            command.arg(format!("-max_total_time={}", options.seconds));
            // Sanitizers are behind an unstable flag, which the pinned stable compiler accepts only so.
            shell::run(command.env("RUSTC_BOOTSTRAP", "1"))
        });
    }
    steps.finish()
}
