//! `cargo xtask bench`: Lifeboat beside its peers, on the same data and machine, in one run.
//!
//! The task builds itself again, optimised and with the measuring half compiled in, together with the released form of
//! `lifeboat`; that program then does the measuring. Runs alternate (ours, theirs, ours, theirs), so that a busy moment of
//! the machine hits everybody, and medians are compared. The physical floor — the same work with nothing around it — is
//! measured among them.

use clap::Args;

use crate::failure::Failure;
use crate::shell;

#[cfg(feature = "bench")]
mod contestant;
#[cfg(feature = "bench")]
mod data;
#[cfg(feature = "bench")]
mod feed;
#[cfg(feature = "bench")]
pub(crate) mod floor;
#[cfg(feature = "bench")]
mod measure;
#[cfg(feature = "bench")]
mod report;
#[cfg(feature = "bench")]
mod rounds;

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Patients in the practice.
    #[arg(long, default_value_t = 10_000)]
    patients: usize,
    /// How often everything is measured; medians are shown.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Measures 1,000 patients once: to see that it works, not to quote.
    #[arg(long)]
    quick: bool,
    /// Measures only this part of the comparison.
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// The parts of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Lifeboat beside its peers.
    Peers,
    /// A large extract of tables.
    Feed,
}

/// Builds the measuring half and starts it with the same arguments.
#[cfg(not(feature = "bench"))]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    crate::tools::install_from_debian(&["age", "zstd", "restic", "time"])?;
    let what =
        if options.quick { "1,000 patients, once" } else { "the whole comparison; allow half an hour" };
    println!("measuring {} patients, {} runs: {what}", options.patients, options.runs);
    let mut build =
        shell::cargo(&["build", "--release", "--locked", "--package", "xtask", "--package", "lifeboat"]);
    shell::run(build.args(["--features", "xtask/bench"]))?;
    let program = shell::target().join("release/xtask");
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    shell::run(&mut shell::program(program, &arguments))
}

/// Measures and prints the table.
#[cfg(feature = "bench")]
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let (patients, runs) = if options.quick { (1_000, 1) } else { (options.patients, options.runs.max(1)) };
    let folder = shell::target().join("bench");
    if options.only != Some(Part::Feed) {
        let data = data::Data::ready(&folder, patients)?;
        let results = rounds::measure(&folder, &data, runs)?;
        println!("\n{}", report::markdown(&results));
        keep(&folder.join("results.json"), &results)?;
    }
    if options.only != Some(Part::Peers) {
        let results = feed::measure(&folder, patients)?;
        println!("\n{}", feed::markdown(&results));
        keep(&folder.join("feed.json"), &results)?;
    }
    Ok(())
}

/// Keeps every single measurement.
#[cfg(feature = "bench")]
fn keep(path: &std::path::Path, results: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(results).expect("results are plain JSON");
    std::fs::write(path, text).map_err(|source| Failure::Write { path: path.to_owned(), source })?;
    println!("every single measurement: {}", path.display());
    Ok(())
}
