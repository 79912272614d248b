//! `cargo xtask test`: everything that a change must pass, in one command.

use std::process::Command;

use clap::Args;

use crate::failure::Failure;
use crate::servers::{self, Server};
use crate::shell::{self, Steps};
use crate::tools;

/// The features that all steps build with, so that they share what is built. The crash steps let tests kill the
/// programs at every input/output step; they are never in a released program.
const FEATURES: &str = "lifeboat/crash-steps,xtask/bench";

/// How much to test.
#[derive(Args)]
pub(crate) struct Options {
    /// Leaves out lints, documentation examples and the tests that take long.
    #[arg(long)]
    quick: bool,
}

/// Runs the checks and prints a summary.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut steps = Steps::default();
    let ready = steps.step("Debian packages", tools::install_debian_packages)
        & steps.step("Test runner", tools::install_nextest)
        & steps.step("S3 server", tools::install_s3_server);
    steps.step("Format", || shell::run(&mut shell::cargo(&["fmt", "--all", "--check"])));
    if options.quick {
        steps.leave_out("Lints", "quick");
    } else {
        steps.step("Lints", lint);
    }
    let built = steps.step("Build", || shell::run(&mut workspace("build", &["--all-targets"])));
    if ready && built {
        steps.step("Tests", || test(options));
    } else {
        steps.leave_out("Tests", "an earlier step failed");
    }
    if !has_fhir_server() {
        steps.leave_out(
            "FHIR server",
            "no `hfs` on the path or in LIFEBOAT_HFS: pulling from a real server was not tested (CONTRIBUTING.md)",
        );
    }
    if options.quick || !built {
        steps.leave_out(
            "Documentation examples",
            if options.quick { "quick" } else { "an earlier step failed" },
        );
    } else {
        steps.step("Documentation examples", || shell::run(&mut workspace("test", &["--doc"])));
    }
    if shell::answer(&mut shell::cargo(&["deny", "--version"])).is_some() {
        steps.step("Dependencies", || {
            shell::run(&mut shell::cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))
        });
    } else {
        steps.leave_out("Dependencies", "no cargo-deny; the tidy tests have checked the licences");
    }
    steps.finish()
}

/// Whether the FHIR server is there to which some tests talk; it takes half an hour to build, so it is not installed.
fn has_fhir_server() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("LIFEBOAT_HFS").is_some()
        || std::env::split_paths(&path).any(|folder| folder.join("hfs").is_file())
}

/// Runs clippy over everything, with warnings as errors.
fn lint() -> Result<(), Failure> {
    shell::run(workspace("clippy", &["--all-targets"]).args(["--", "-D", "warnings"]))
}

/// Returns a cargo command over the whole workspace, with the features that all steps share.
pub(crate) fn workspace(verb: &str, arguments: &[&str]) -> Command {
    let mut command = shell::cargo(&[verb]);
    command.args(["--workspace", "--locked", "--features", FEATURES]).args(arguments);
    command
}

/// Starts the S3 server and runs unit, integration and tidy tests.
fn test(options: &Options) -> Result<(), Failure> {
    let server = Server::start()?;
    let mut command = shell::cargo(&["nextest", "run", "--workspace", "--locked", "--features", FEATURES]);
    if std::env::var_os("CI").is_some() {
        command.args(["--profile", "ci"]);
    } else if options.quick {
        command.args(["--profile", "quick"]);
    }
    shell::run(with_surroundings(&mut command).env(servers::VARIABLE, server.variable()))
}

/// Tells tests where the built programs are; the corpus, if the caller names one, is passed on by itself.
pub(crate) fn with_surroundings(command: &mut Command) -> &mut Command {
    command.env("LIFEBOAT_BIN_DIR", shell::target().join("debug"))
}
