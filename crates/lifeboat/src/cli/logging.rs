//! Where log lines go: always standard error, for people or for programs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use super::args::Global;
use crate::config::{LogFormat, LogLevel, LogSettings};

/// Sets up logging for a command that runs and ends: errors only, unless asked for more.
pub(super) fn for_command(global: &Global) {
    let filter = match (global.quiet, global.verbose) {
        (true, _) => "off",
        (false, 0) => "error",
        (false, 1) => "lifeboat=info,lifeboat_replica=info",
        (false, _) => "lifeboat=debug,lifeboat_replica=debug",
    };
    start(filter, LogFormat::Human);
}

/// Sets up logging for the service as the configuration says; `--verbose` says more.
pub(super) fn for_service(settings: LogSettings, global: &Global) {
    let level = match (global.verbose, settings.level) {
        (0, LogLevel::Error) => "error",
        (0, LogLevel::Warn) => "warn",
        (0, LogLevel::Info) => "lifeboat=info,lifeboat_replica=info,warn",
        _ => "lifeboat=debug,lifeboat_replica=debug,info",
    };
    start(level, settings.format);
}

fn start(filter: &str, format: LogFormat) {
    // Colours are for people: in a file or the journal they are noise.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(io::stderr().is_terminal() && !no_colour)
        .with_writer(io::stderr);
    // Logging is already set up when several commands run in one process, as tests do.
    let _already = match format {
        LogFormat::Human => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
