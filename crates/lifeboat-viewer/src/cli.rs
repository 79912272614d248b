//! The program: reads the command line, starts the viewer, opens the browser, and ends with an exit code.

pub mod args;
pub mod browser;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use secrecy::SecretString;
use tokio::sync::mpsc;

use self::args::{Args, Command, HostChoice, OpenArgs};
use crate::harden;
use crate::serve::{HostStyle, Options, Running, ServeError, serve};
use crate::site::{OpenError, Source, SourceError};
use crate::token::RandomError;

/// The longest passphrase file, in bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4096;

/// Why the program ends without having done what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// What to open cannot be understood or read.
    #[error("find what to open")]
    Source(#[from] SourceError),
    /// The passphrase could not be read.
    #[error("read the passphrase")]
    Passphrase(#[source] io::Error),
    /// The viewer did not start.
    #[error("start the viewer")]
    Serve(#[from] ServeError),
    /// The runtime did not start.
    #[error("start the program's runtime")]
    Runtime(#[source] io::Error),
    /// Nothing could be printed.
    #[error("print to the terminal")]
    Print(#[source] io::Error),
    /// A new launch address could not be made.
    #[error("make a launch address")]
    Launch(#[from] RandomError),
    /// The server ended by itself.
    #[error("serve the pages")]
    Ended(#[source] io::Error),
}

impl CliError {
    /// Returns the exit code, as `--help` documents it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Source(_) => 2,
            Self::Serve(ServeError::Open(error)) => match error {
                OpenError::NoneVerifies { .. } => 3,
                error if error.is_wrong_secret() => 7,
                OpenError::NoneReachable { .. } => 8,
                _ => 1,
            },
            _ => 1,
        }
    }

    fn explain(&self) -> (String, String) {
        match self {
            Self::Source(error) => (error.to_string(), error.remedy().to_owned()),
            Self::Serve(ServeError::Open(error)) => (error.sentence(), error.remedy().to_owned()),
            Self::Serve(ServeError::Bind { .. }) => {
                (chain(self), "Choose another --port, or leave it out to use any free one.".to_owned())
            }
            Self::Passphrase(_) => (chain(self), "Check the file named with --passphrase-file.".to_owned()),
            _ => (chain(self), "Try again; if it happens again, report it with this message.".to_owned()),
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let args = Args::parse();
    harden::refuse_dumps();
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("LIFEBOAT_LOG").unwrap_or_else(|_| "error".into()),
        )
        .init();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let (what, remedy) = error.explain();
            // Nothing is left to tell when the terminal is gone.
            let _ = writeln!(io::stderr(), "error: {what}\nhint: {remedy}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: Args) -> Result<(), CliError> {
    match args.command {
        Command::Open(open) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .map_err(CliError::Runtime)?;
            let ended = runtime.block_on(show(open));
            // A store that still does not answer must not keep the program from ending.
            runtime.shutdown_background();
            ended
        }
        Command::Completions { shell } => completions(shell).map_err(CliError::Print),
        Command::Man => manual().map_err(CliError::Print),
    }
}

async fn show(args: OpenArgs) -> Result<(), CliError> {
    let source = Source::from_arguments(
        &args.what,
        args.identity.as_deref(),
        args.verification_key.as_deref(),
        &args.replica_options,
    )?;
    let passphrase = match &args.passphrase_file {
        Some(path) => Some(read_passphrase(path).map_err(CliError::Passphrase)?),
        None if args.ask => Some(ask_passphrase().map_err(CliError::Passphrase)?),
        None => None,
    };
    let mut options = Options::new(source);
    options.passphrase = passphrase;
    options.port = args.port;
    options.host = match args.host {
        HostChoice::Random => HostStyle::Random,
        HostChoice::Loopback => HostStyle::Loopback,
    };
    let viewer = serve(options).await?;
    announce(&viewer, &args).map_err(CliError::Print)?;
    if !args.no_browser
        && let Err(error) = browser::open(viewer.launch_url())
    {
        tracing::warn!(name: "browser_not_opened", %error);
        say("No browser could be started: open the address above by hand.").map_err(CliError::Print)?;
    }
    wait(&viewer, args.json).await?;
    viewer.shutdown().await.map_err(CliError::Ended)
}

fn announce(viewer: &Running, args: &OpenArgs) -> io::Result<()> {
    if args.json {
        let line = serde_json::json!({ "url": viewer.url(), "launch_url": viewer.launch_url() });
        return say(&line.to_string());
    }
    say(&format!(
        "The viewer is at {}\nOpen this address in a browser on this computer, once, within a minute:\n\n  {}\n\n\
         Press Enter for another address, Ctrl-C to close the viewer.",
        viewer.url(),
        viewer.launch_url()
    ))
}

/// Waits for the end; each line typed at the terminal gives a new launch address.
async fn wait(viewer: &Running, json: bool) -> Result<(), CliError> {
    let (typed, mut lines) = mpsc::channel::<()>(1);
    if io::stdin().is_terminal() && !json {
        // A thread of its own: a read from the terminal cannot be cancelled, and must not delay the end.
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if line.is_err() || typed.blocking_send(()).is_err() {
                    return;
                }
            }
        });
    } else {
        drop(typed);
    }
    let mut asked = true;
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            line = lines.recv(), if asked => match line {
                Some(()) => say(&format!("  {}", viewer.new_launch_url()?)).map_err(CliError::Print)?,
                None => asked = false,
            },
        }
    }
}

/// Waits for Ctrl-C, or for the system's wish that the program ends.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals there is nothing to wait for, and ending is the safe side.
    let _ = tokio::signal::ctrl_c().await;
}

fn read_passphrase(path: &std::path::Path) -> io::Result<SecretString> {
    use std::io::Read as _;
    let mut text = zeroize::Zeroizing::new(String::new());
    std::fs::File::open(path)?.take(PASSPHRASE_BYTES_MAX).read_to_string(&mut text)?;
    let first = text.lines().next().unwrap_or_default();
    if first.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file's first line is empty"));
    }
    Ok(first.to_owned().into())
}

fn ask_passphrase() -> io::Result<SecretString> {
    rpassword::prompt_password("Passphrase: ").map(SecretString::from)
}

fn completions(shell: clap_complete::Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "lifeboat-viewer", &mut script);
    io::stdout().write_all(&script)
}

fn manual() -> io::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut page)?;
    io::stdout().write_all(&page)
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Joins an error and its causes into one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_passphrase_file_gives_its_first_line() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "correct horse\nsecond line\n").expect("a written file");
        assert!(read_passphrase(&path).is_ok_and(|passphrase| passphrase.expose_secret() == "correct horse"));
        std::fs::write(&path, "\n").expect("a written file");
        assert!(read_passphrase(&path).is_err());
        assert!(read_passphrase(&folder.path().join("absent")).is_err());
    }

    #[test]
    fn the_manual_page_and_completions_are_made() {
        let mut page = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut page).expect("a rendered page");
        assert!(String::from_utf8_lossy(&page).contains("lifeboat\\-viewer"));
    }
}
