//! The command line as `clap` reads it. Help texts, completions and manual pages come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps a GP practice's critical patient summaries readable when the clinical system is not.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, propagate_version = true, after_help = exit_codes(), max_term_width = 100)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = crate::config::CONFIG_VARIABLE)]
    pub config: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also log what the program does, to standard error; twice for more.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Draw no progress bars.
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a site: configuration, keys, first recipients.
    Init(InitArgs),
    /// Run the service: watch the source, take snapshots, replicate.
    Run,
    /// Take one snapshot now and replicate it.
    Snapshot(SnapshotArgs),
    /// Show how old the newest snapshot is and how far each replica is behind.
    Status(StatusArgs),
    /// Look at a snapshot that the gate holds, and decide on it.
    #[command(subcommand)]
    Gate(GateCommand),
    /// Prove that a copy is whole, without being able to read it.
    Verify(VerifyArgs),
    /// Write records out as FHIR JSON files.
    Restore(RestoreArgs),
    /// Say who can open the copies.
    #[command(subcommand)]
    Recipients(RecipientsCommand),
    /// Make kits: what one clinician needs to open the site.
    #[command(subcommand)]
    Kit(KitCommand),
    /// Look into an extract before it is trusted, or write a made-up one.
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Watch the whole story on a synthetic practice.
    Demo(DemoArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them into a folder.
    Man(ManArgs),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The practice's ODS code.
    #[arg(long, value_name = "CODE")]
    pub site: String,
    /// The practice's name.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The folder that the clinical system writes its extract into.
    #[arg(long, value_name = "DIR")]
    pub source: PathBuf,
    /// A file is taken when it has not changed for this long, such as 2s.
    #[arg(long, value_name = "DURATION")]
    pub stable_after: Option<String>,
    /// The folder for the spool and the state; needs room for one whole copy.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// A replica, as NAME=ADDRESS; a folder, file:///… or s3://bucket/prefix. May be repeated.
    #[arg(long = "replica", value_name = "NAME=ADDRESS")]
    pub replicas: Vec<String>,
    /// Somebody who can open the copies, as NAME=age1…. May be repeated; at least one is needed.
    #[arg(long = "recipient", value_name = "NAME=KEY")]
    pub recipients: Vec<String>,
}

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Accept the snapshot although the gate holds it; the reason is written to the log.
    #[arg(long, value_name = "REASON")]
    pub accept_held: Option<String>,
    /// How many replicas must have the snapshot; all of them unless said.
    #[arg(long, value_name = "COUNT")]
    pub need: Option<usize>,
    /// Leave the replicas alone; the service or a later command brings them up to date.
    #[arg(long, conflicts_with = "need")]
    pub no_replicate: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// End with an exit code that says whether all is well, for monitoring.
    #[arg(long)]
    pub check: bool,
}

/// The commands of `gate`.
#[derive(Debug, Subcommand)]
pub enum GateCommand {
    /// Show why the newest snapshot is held, with its numbers beside the accepted ones.
    ///
    /// Ends with exit code 4 when a snapshot is held. Works while the service runs.
    Show,
    /// Make the held snapshot the accepted one, which readers open.
    ///
    /// The log records the reason and who gave it. Needs the state folder to itself: stop the service first, and start
    /// it again afterwards; while it runs, the command changes nothing and ends with exit code 6.
    Release(DecisionArgs),
    /// Record that the held snapshot is wrong; readers go on seeing the accepted one.
    ///
    /// The same source is not accepted later either, until a person releases it. Needs the state folder to itself: stop
    /// the service first, and start it again afterwards; while it runs, the command changes nothing and ends with exit
    /// code 6.
    Reject(DecisionArgs),
}

/// Arguments of `gate release` and `gate reject`.
#[derive(Debug, Args)]
pub struct DecisionArgs {
    /// Why, for whoever reads the log: at most 300 bytes, and nothing about a patient.
    #[arg(long, value_name = "REASON")]
    pub reason: String,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave the replicas alone; the service or a later command brings them up to date.
    #[arg(long)]
    pub no_replicate: bool,
}

/// How deeply a copy is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Every object is there and has its size.
    Presence,
    /// Every byte is what was signed. Needs no decryption key.
    Digest,
    /// Every record opens as well. Needs an identity.
    Open,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// What to verify: a replica's name, a folder, or an address. The spool and all replicas unless said.
    #[arg(value_name = "REPLICA")]
    pub replicas: Vec<String>,
    /// How deeply.
    #[arg(long, value_enum, default_value_t = Level::Digest)]
    pub level: Level,
    /// The site's verification key, or a file with it; needed where there is no configuration.
    #[arg(long, value_name = "KEY")]
    pub verification_key: Option<String>,
    /// An identity file, for `--level open`.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// A kit, for `--level open`; asks for its passphrase.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    pub kit: Option<PathBuf>,
    /// A file with the kit's passphrase.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Write damaged objects of configured replicas again, then verify once more.
    #[arg(long, conflicts_with = "known")]
    pub repair: bool,
    /// A checkpoint kept from an earlier day: the copy must hold it or continue it.
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder to write into; it must be empty.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// An identity file, as age-keygen makes it.
    #[arg(long, value_name = "FILE", required_unless_present = "kit")]
    pub identity: Option<PathBuf>,
    /// A kit; asks for its passphrase.
    #[arg(long, value_name = "FILE", conflicts_with = "identity")]
    pub kit: Option<PathBuf>,
    /// A file with the kit's passphrase.
    #[arg(long, value_name = "FILE", requires = "kit")]
    pub passphrase_file: Option<PathBuf>,
    /// Only one patient: an NHS number or a record key.
    #[arg(long, value_name = "NUMBER|KEY")]
    pub patient: Option<String>,
    /// Which replica to read: a name, a folder, or an address. The freshest that verifies unless said.
    #[arg(long, value_name = "REPLICA")]
    pub from: Option<String>,
    /// The site's verification key, or a file with it; needed where there is no configuration and no kit.
    #[arg(long, value_name = "KEY")]
    pub verification_key: Option<String>,
    /// The newest snapshot even when it is held; the newest accepted one unless said.
    #[arg(long, conflicts_with = "sequence")]
    pub newest: bool,
    /// The snapshot of this number.
    #[arg(long, value_name = "NUMBER")]
    pub sequence: Option<u64>,
    /// Write into a folder that is not empty.
    #[arg(long)]
    pub force: bool,
}

/// The commands of `recipients`.
#[derive(Debug, Subcommand)]
pub enum RecipientsCommand {
    /// Let somebody open the copies, from the next snapshot on.
    Add {
        /// How the list calls them.
        #[arg(value_name = "NAME")]
        name: String,
        /// Their public key, which begins with age1.
        #[arg(value_name = "KEY")]
        key: String,
        /// What they are to the practice.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
    },
    /// Let somebody no longer open the copies made from the next snapshot on.
    Remove {
        /// How the list calls them.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Show who can open the copies.
    List,
}

/// The commands of `kit`.
#[derive(Debug, Subcommand)]
pub enum KitCommand {
    /// Make a kit: a new identity, added to the recipients, in one passphrase-protected file.
    Create {
        /// Who the kit is for.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// What they are to the practice.
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// The file to write; its name should end in .lifeboat-kit.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// A file with the passphrase; asked for unless given.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// A replica that the kit names, as NAME=ADDRESS, in place of the configured ones. May be repeated.
        #[arg(long = "replica", value_name = "NAME=ADDRESS")]
        replicas: Vec<String>,
    },
}

/// The commands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration, the recipients, the keys and the folders.
    Check,
    /// Show the settings in force, defaults included. Secrets are not shown.
    Show,
}

/// The commands of `feed`.
#[derive(Debug, Subcommand)]
pub enum FeedCommand {
    /// Say what a file or folder is, which tables and documents it holds, and what of it would not be kept.
    ///
    /// Nothing is written, and nothing about a patient is shown.
    Inspect {
        /// A file, an archive, or a folder.
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Take it for this format instead of recognising it: fhir-r4, emis, tpp, vision, gpconnect, ccda or scr.
        #[arg(long, value_name = "FORMAT")]
        format: Option<lifeboat_feeds::Format>,
    },
    /// Write an extract of a made-up practice. The same seed gives the same practice in every format.
    Synth(SynthArgs),
}

/// The formats in which a made-up extract can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SynthFormat {
    /// EMIS Web extract.
    Emis,
    /// TPP SystmOne extract.
    Tpp,
    /// Vision extract.
    Vision,
    /// GP Connect Access Record: Structured, one document per patient.
    Gpconnect,
    /// FHIR R4, one Bundle per patient.
    Fhir,
    /// FHIR R4 Bulk Data, one NDJSON file per resource type.
    Bulk,
}

/// Arguments of `feed synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// The format.
    #[arg(long, value_enum)]
    pub format: SynthFormat,
    /// How many patients the practice has.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub patients: u32,
    /// What the practice is generated from; the same number gives the same practice.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Which extract: 0 is the full one, 1 holds the changes after it, and so on.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub delta: u32,
    /// The share of patients, in a hundred, of whom something changes from one extract to the next.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub changes: f64,
    /// The day on which the practice is shown; today unless said.
    #[arg(long, value_name = "DATE")]
    pub today: Option<jiff::civil::Date>,
    /// Rows of history that each patient has at least, in table formats, for measuring.
    #[arg(long, value_name = "COUNT")]
    pub rows_per_patient: Option<usize>,
    /// The folder to write into; it is made if need be. Files of the same name are replaced.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many patients the synthetic practice has.
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub patients: u32,
    /// What the practice is generated from; the same number gives the same practice.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Run unattended: fetch pages from the viewer, check what they show, and end.
    #[arg(long)]
    pub check: bool,
    /// The folder to work in, kept afterwards; a temporary one unless said.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Do not open a browser.
    #[arg(long)]
    pub no_browser: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write one page for each command into this folder.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

impl Command {
    /// Returns the command's name as JSON output and reports have it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Init(_) => "init",
            Command::Run => "run",
            Command::Snapshot(_) => "snapshot",
            Command::Status(_) => "status",
            Command::Gate(GateCommand::Show) => "gate show",
            Command::Gate(GateCommand::Release(_)) => "gate release",
            Command::Gate(GateCommand::Reject(_)) => "gate reject",
            Command::Verify(_) => "verify",
            Command::Restore(_) => "restore",
            Command::Recipients(RecipientsCommand::Add { .. }) => "recipients add",
            Command::Recipients(RecipientsCommand::Remove { .. }) => "recipients remove",
            Command::Recipients(RecipientsCommand::List) => "recipients list",
            Command::Kit(KitCommand::Create { .. }) => "kit create",
            Command::Config(ConfigCommand::Check) => "config check",
            Command::Config(ConfigCommand::Show) => "config show",
            Command::Feed(FeedCommand::Inspect { .. }) => "feed inspect",
            Command::Feed(FeedCommand::Synth(_)) => "feed synth",
            Command::Demo(_) => "demo",
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        }
    }
}

fn exit_codes() -> String {
    let mut text = String::from("Exit codes:\n");
    for status in crate::error::ExitStatus::ALL {
        text.push_str(&format!("  {}  {}\n", status.code(), status.meaning()));
    }
    text.push_str("\nProject documentation: docs/ in the source tree.");
    text
}
