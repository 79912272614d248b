//! The command line of `lifeboat-viewer`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// How the program ends; also part of `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  the viewer was used and closed
  1  something failed; the error says what
  2  the command line is wrong
  3  no copy passes verification
  7  the passphrase or the identity does not open the records
  8  no copy can be reached";

/// Read a practice's records when the clinical system is away.
#[derive(Debug, Parser)]
#[command(name = "lifeboat-viewer", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the freshest copy that verifies, and show it in the browser.
    Open(OpenArgs),
    /// Print a completion script for a shell.
    #[command(hide = true)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(hide = true)]
    Man,
}

/// Which host name the browser is sent to.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum HostChoice {
    /// A random name under .localhost, which no other program on this computer shares.
    #[default]
    Random,
    /// 127.0.0.1, for browsers that cannot find names under .localhost.
    Loopback,
}

/// What to open, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct OpenArgs {
    /// A kit file, and any further replicas; or replicas alone. A replica is a folder, file:///… or s3://bucket/prefix.
    #[arg(required = true, value_name = "KIT|REPLICA")]
    pub what: Vec<String>,
    /// The file with your identity (AGE-SECRET-KEY-1…, or an age file protected by a passphrase), when there is no kit;
    /// without either, the site's break-glass passphrase is asked for.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// The site's verification key, when there is no kit; otherwise the replicas' own word is taken, and said so.
    #[arg(long, value_name = "KEY")]
    pub verification_key: Option<String>,
    /// An option of the replicas given here, such as endpoint=http://127.0.0.1:9000; keys come from
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[arg(long = "replica-option", value_name = "NAME=VALUE")]
    pub replica_options: Vec<String>,
    /// The port to listen on, on this computer only; any free one by default.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// The host name in the address.
    #[arg(long, value_enum, default_value_t = HostChoice::Random)]
    pub host: HostChoice,
    /// Do not open a browser; print the address only.
    #[arg(long)]
    pub no_browser: bool,
    /// Read the passphrase from this file's first line.
    #[arg(long, value_name = "FILE", env = "LIFEBOAT_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Ask for the passphrase here instead of in the browser.
    #[arg(long, conflicts_with = "passphrase_file")]
    pub ask: bool,
    /// Print the address as one line of JSON: {"url":…,"launch_url":…}.
    #[arg(long)]
    pub json: bool,
}
