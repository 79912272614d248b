//! A command as the source: what it writes to standard output are the documents.
//!
//! The program is run as it is configured, without a shell, in a process group of its own, which is killed when it takes too
//! long or writes too much. Its output waits sealed in a temporary file, because it is read twice. What it writes to
//! standard error may name patients: it is shown to whoever runs the snapshot and never logged.

use super::spill::{SpillError, SpooledBytes, Spooling};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use lifeboat_feeds::Format;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What is kept of standard error: its end.
const SAID_BYTES_MAX: usize = 2 * 1024;
/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait to be sealed.
const CHUNKS_MAX: usize = 8;

/// A command and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program, as it is found without a shell.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of the environment that it does not get, because they hold this program's secrets.
    pub withheld_variables: Vec<String>,
    /// How long it may run.
    pub timeout: Duration,
    /// The most bytes that it may write to standard output.
    pub output_bytes_max: u64,
    /// The format of the documents that it writes.
    pub format: Format,
}

/// Why a command's output cannot be used.
#[derive(thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot start the source command {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It did not end well.
    #[error("the source command {} failed: {status}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to standard error, for whoever runs it.
        said: Option<String>,
    },
    /// It ran too long and was killed.
    #[error("the source command {} ran for more than {} seconds and was stopped", program.display(), limit.as_secs())]
    TookTooLong {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: Duration,
        /// The end of what it wrote to standard error, for whoever runs it.
        said: Option<String>,
    },
    /// It wrote too much and was killed.
    #[error("the source command {} wrote more than {} MiB and was stopped", program.display(), limit >> 20)]
    TooMuch {
        /// The program.
        program: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// Its output could not be read.
    #[error("cannot read what the source command {} writes", program.display())]
    Read {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Its output could not be kept aside.
    #[error(transparent)]
    Spill(#[from] SpillError),
}

/// What a command wrote to standard error stays out of this, since it ends in logs.
impl std::fmt::Debug for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandError({self})")
    }
}

impl CommandError {
    /// Returns the end of what the command wrote to standard error: for a terminal, never for a log.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Failed { said, .. } | Self::TookTooLong { said, .. } => said.as_deref(),
            _ => None,
        }
    }
}

/// What a command wrote.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) output: SpooledBytes,
    /// The end of standard error.
    pub(crate) said: Option<String>,
}

/// What comes from the threads that wait on the command.
enum Event {
    Output(Vec<u8>),
    OutputEnded(io::Result<()>),
    Said(String),
}

/// Runs the command to its end.
pub(crate) fn run(settings: &CommandSettings, advance: &dyn Fn(u64)) -> Result<Written, CommandError> {
    let mut running = Running::start(settings)?;
    let deadline = Instant::now().checked_add(settings.timeout);
    let mut spooling = Spooling::new()?;
    let (mut ended, mut said) = (false, None);
    while !(ended && said.is_some()) {
        let left =
            deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        match running.events.recv_timeout(left) {
            Ok(Event::Output(bytes)) => {
                spooling.add(&bytes)?;
                advance(bytes.len() as u64);
                if spooling.bytes() > settings.output_bytes_max {
                    let (program, limit) = (settings.program.clone(), settings.output_bytes_max);
                    return Err(CommandError::TooMuch { program, limit });
                }
            }
            Ok(Event::OutputEnded(Ok(()))) => ended = true,
            Ok(Event::OutputEnded(Err(source))) => {
                return Err(CommandError::Read { program: settings.program.clone(), source });
            }
            Ok(Event::Said(text)) => said = Some(text),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(running.too_long(settings, said));
            }
        }
    }
    let said = said.filter(|text| !text.is_empty());
    let Some(status) = running.wait(deadline) else { return Err(running.too_long(settings, said)) };
    let status = status.map_err(|source| CommandError::Read { program: settings.program.clone(), source })?;
    if !status.success() {
        return Err(CommandError::Failed { program: settings.program.clone(), status, said });
    }
    Ok(Written { output: spooling.finish()?, said })
}

/// The command while it runs; whatever is left of it is killed in the end.
struct Running {
    group: Option<Pid>,
    events: crossbeam_channel::Receiver<Event>,
    child: Option<Child>,
}

impl Running {
    fn start(settings: &CommandSettings) -> Result<Self, CommandError> {
        let failed = |source| CommandError::Start { program: settings.program.clone(), source };
        let mut command = Command::new(&settings.program);
        settings.withheld_variables.iter().for_each(|name| {
            command.env_remove(name);
        });
        let mut child = command
            .args(&settings.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (sender, events) = bounded(CHUNKS_MAX);
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(output) = child.stdout.take() {
            let sender = sender.clone();
            std::thread::spawn(move || read_output(output, &sender));
        }
        if let Some(errors) = child.stderr.take() {
            std::thread::spawn(move || {
                // When nobody listens any more, the run has failed already.
                let _unheard = sender.send(Event::Said(last_said(errors)));
            });
        }
        Ok(Self { group, events, child: Some(child) })
    }

    /// Waits for the end of the process; `None` when the time is up.
    fn wait(&mut self, deadline: Option<Instant>) -> Option<io::Result<ExitStatus>> {
        let mut child = self.child.take()?;
        let (sender, ended) = bounded(1);
        std::thread::spawn(move || {
            // When nobody listens any more, the process was killed and has been waited for.
            let _unheard = sender.send(child.wait());
        });
        let left =
            deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        let status = ended.recv_timeout(left).ok()?;
        // The number of the group may soon be another's.
        self.group = None;
        Some(status)
    }

    fn too_long(&mut self, settings: &CommandSettings, said: Option<String>) -> CommandError {
        self.kill();
        CommandError::TookTooLong { program: settings.program.clone(), limit: settings.timeout, said }
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It may have ended by itself in the meantime.
            let _gone = kill_process_group(group, Signal::KILL);
        }
        if let Some(mut child) = self.child.take() {
            let _ended = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_output(mut output: impl Read, sender: &Sender<Event>) {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let event = match output.read(&mut chunk) {
            Ok(0) => Event::OutputEnded(Ok(())),
            Ok(count) => {
                chunk.truncate(count);
                Event::Output(chunk)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Event::OutputEnded(Err(error)),
        };
        let is_last = matches!(event, Event::OutputEnded(_));
        if sender.send(event).is_err() || is_last {
            return;
        }
    }
}

/// Reads to the end and keeps the end, without control characters.
fn last_said(mut errors: impl Read) -> String {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut chunk = [0; 4096];
    while let Ok(count) = errors.read(&mut chunk)
        && count > 0
    {
        kept.extend(&chunk[..count]);
        let surplus = kept.len().saturating_sub(SAID_BYTES_MAX);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(kept.make_contiguous()).into_owned();
    let text: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{CommandError, CommandSettings, run};
    use lifeboat_feeds::Format;
    use std::io::Read as _;
    use std::time::{Duration, Instant};

    fn shell(script: &str) -> CommandSettings {
        CommandSettings {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            withheld_variables: Vec::new(),
            timeout: Duration::from_secs(20),
            output_bytes_max: 100_000,
            format: Format::FhirR4,
        }
    }

    #[test]
    fn what_a_command_writes_is_read_and_its_errors_are_told_apart() {
        let written = run(&shell("printf '{}\\n{}'; printf 'a\\033b\\n' >&2"), &|_| {}).expect("runs");
        let mut text = String::new();
        written.output.reader().read_to_string(&mut text).expect("reads");
        assert_eq!(text, "{}\n{}");
        assert_eq!(written.said.as_deref(), Some("a b"));
    }

    #[test]
    fn a_command_does_not_get_what_is_withheld() {
        let script =
            "export -p | while read -r word name; do case \"$name\" in HOME=*) echo home;; esac; done";
        let withheld = CommandSettings { withheld_variables: vec!["HOME".into()], ..shell(script) };
        assert_eq!(run(&withheld, &|_| {}).expect("runs").output.bytes(), 0);
    }

    #[test]
    fn a_command_that_fails_gives_nothing_and_its_errors_stay_out_of_the_message() {
        let error = run(&shell("echo '{}'; echo MARKER >&2; exit 3"), &|_| {}).expect_err("fails");
        assert!(matches!(&error, CommandError::Failed { status, .. } if status.code() == Some(3)));
        assert_eq!(error.said(), Some("MARKER"));
        assert!(!format!("{error} {error:?}").contains("MARKER"));
    }

    #[test]
    fn a_command_that_takes_too_long_or_writes_too_much_is_stopped_with_its_children() {
        let began = Instant::now();
        let slow = CommandSettings { timeout: Duration::from_millis(200), ..shell("sleep 100 & sleep 100") };
        assert!(matches!(run(&slow, &|_| {}), Err(CommandError::TookTooLong { .. })));
        let much = shell("while :; do echo 0123456789; done");
        assert!(matches!(run(&much, &|_| {}), Err(CommandError::TooMuch { limit: 100_000, .. })));
        assert!(began.elapsed() < Duration::from_secs(15));
        let absent = CommandSettings { program: "/nonexistent/program".into(), ..shell("") };
        assert!(matches!(run(&absent, &|_| {}), Err(CommandError::Start { .. })));
    }
}
