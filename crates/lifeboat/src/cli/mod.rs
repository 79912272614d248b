//! The command line: reads it, runs the one command that it names, and says how that ended.

mod args;
mod config;
mod context;
mod feed;
mod gate;
mod init;
mod kit;
mod logging;
mod manual;
mod passphrase;
mod recipients;
mod repair;
mod restore;
mod run;
mod site_commands;
mod snapshot;
mod status;
mod verify;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

pub use self::args::{Cli, Command, DemoArgs, Global, InitArgs, Level};
pub(crate) use self::context::wait_for;
pub use self::manual::reference_page;
pub(crate) use self::site_commands::SiteCommands;
use crate::error::{CommandError, ExitStatus};
use crate::output::{Form, Output, ProgressChoice, Report, Volume};

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli).into(),
        Err(error) => {
            // `clap` writes help to standard output and mistakes to standard error; a closed pipe is not our concern.
            let _written = error.print();
            if error.use_stderr() { ExitStatus::Usage.into() } else { ExitStatus::Ok.into() }
        }
    }
}

/// Runs one command and returns how it ended.
pub fn run(cli: Cli) -> ExitStatus {
    let output = output(&cli.global);
    let name = cli.command.name();
    let outcome = dispatch(&cli, output);
    output.finish(name, outcome)
}

fn output(global: &Global) -> Output {
    Output {
        form: if global.json { Form::Json } else { Form::Human },
        volume: match (global.quiet, global.verbose) {
            (true, _) => Volume::Quiet,
            (false, 0) => Volume::Normal,
            (false, _) => Volume::Verbose,
        },
        progress: if global.no_progress { ProgressChoice::Never } else { ProgressChoice::Terminal },
    }
}

fn dispatch(cli: &Cli, output: Output) -> Result<Box<dyn Report>, CommandError> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Run) {
        logging::for_command(global);
    }
    match &cli.command {
        Command::Init(args) => init::run(global, args),
        Command::Run => run::run(global),
        Command::Snapshot(args) => snapshot::run(global, args, output),
        Command::Status(args) => status::run(global, args),
        Command::Gate(command) => gate::run(global, command, output),
        Command::Verify(args) => verify::run(global, args, output),
        Command::Restore(args) => restore::run(global, args, output),
        Command::Recipients(command) => recipients::run(global, command),
        Command::Kit(command) => kit::run(global, command),
        Command::Feed(command) => feed::run(command, output),
        Command::Config(command) => config::run(global, command),
        Command::Demo(args) => crate::demo::run(args, output),
        Command::Completions(args) => Ok(manual::completions(args, Cli::command())),
        Command::Man(args) => manual::man(args, Cli::command()),
    }
}

/// Runs one command line; returns its exit status with its result or error as JSON.
#[cfg(test)]
pub(crate) fn run_for_test(arguments: &[&str]) -> (ExitStatus, serde_json::Value) {
    let line = ["lifeboat", "--no-progress", "--quiet"].iter().chain(arguments);
    let cli = Cli::try_parse_from(line).expect("the command line is valid");
    match dispatch(&cli, output(&cli.global)) {
        Ok(report) => (report.exit(), report.json()),
        Err(error) => (error.exit(), error.to_json()),
    }
}
