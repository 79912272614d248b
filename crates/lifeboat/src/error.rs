//! How commands end: exit statuses, and errors with what to do about them.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lifeboat_replica::WriteError;
use serde_json::{Value, json};

use crate::config::{ConfigError, RecipientsError};
use crate::demo::DemoError;
use crate::engine::{EngineError, StateError};
use crate::keys::{KeysError, SecretError};
use crate::replicas::ReplicasError;
use crate::restore::RestoreError;
use crate::service::ServiceError;
use crate::setup::SetupError;

/// How the program ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done.
    Ok,
    /// It could not be done; the error says why.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
    /// Verification found damage.
    Damaged,
    /// The newest snapshot is held by the gate.
    Held,
    /// It was done in part: some replicas are behind, or batches of the source were refused.
    Partly,
    /// Another process has the state folder.
    Locked,
}

impl ExitStatus {
    /// Every status, in the order of its number.
    pub const ALL: [ExitStatus; 7] = [
        ExitStatus::Ok,
        ExitStatus::Failed,
        ExitStatus::Usage,
        ExitStatus::Damaged,
        ExitStatus::Held,
        ExitStatus::Partly,
        ExitStatus::Locked,
    ];

    /// Returns the number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Ok => 0,
            ExitStatus::Failed => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Damaged => 3,
            ExitStatus::Held => 4,
            ExitStatus::Partly => 5,
            ExitStatus::Locked => 6,
        }
    }

    /// Returns what the number means.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitStatus::Ok => "everything was done",
            ExitStatus::Failed => "it could not be done; the error says why",
            ExitStatus::Usage => "the command line or the configuration is wrong",
            ExitStatus::Damaged => "verification found damage",
            ExitStatus::Held => "the newest snapshot is held by the gate",
            ExitStatus::Partly => {
                "it was done in part: some replicas are behind, or batches of the source were refused"
            }
            ExitStatus::Locked => "another process is using the state folder",
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The list of recipients cannot be used.
    #[error(transparent)]
    Recipients(#[from] RecipientsError),
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What the configuration says of the source cannot be used.
    #[error(transparent)]
    SourceSettings(Box<SetupError>),
    /// A replica cannot be opened.
    #[error(transparent)]
    Replicas(#[from] ReplicasError),
    /// Records cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The demonstration went wrong.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Something in the command line does not fit together.
    #[error("{what}")]
    Usage {
        /// What does not fit.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A file that the command was to make exists.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write the {what} to {path}")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: lifeboat_replica::durable::DurableError,
    },
    /// A folder could not be written into.
    #[error("cannot write into the folder {path}")]
    WriteFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that the command was given could not be read.
    #[error("cannot read the {what} {path}")]
    Read {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A kit does not open.
    #[error("the kit {path} does not open")]
    OpenKit {
        /// The kit.
        path: PathBuf,
        /// Why.
        source: Box<lifeboat_format::KitError>,
    },
    /// A passphrase could not be asked for.
    #[error("cannot ask for the passphrase")]
    AskPassphrase {
        /// Why.
        source: io::Error,
    },
    /// A new key could not be made or sealed.
    #[error("cannot make the kit")]
    MakeKit {
        /// Why.
        source: Box<lifeboat_format::KitError>,
    },
    /// The runtime that waits for the network could not start.
    #[error("cannot start the asynchronous runtime")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The spool could not be read.
    #[error("cannot read the spool")]
    Spool {
        /// Why.
        source: Box<lifeboat_replica::ReadError>,
    },
    /// The service could not begin or had to end.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// A step was given up because the program panicked in it.
    #[error("the step `{step}` ended unexpectedly; this is a fault in the program")]
    Bug {
        /// The step.
        step: &'static str,
    },
}

impl From<SetupError> for CommandError {
    fn from(error: SetupError) -> Self {
        match error {
            SetupError::Recipients(error) => error.into(),
            SetupError::Keys(error) => error.into(),
            SetupError::Engine(error) => error.into(),
            error @ (SetupError::Excluded { .. } | SetupError::NotANumber { .. }) => {
                CommandError::SourceSettings(Box::new(error))
            }
        }
    }
}

impl CommandError {
    /// Returns how the command ends with this error.
    pub fn exit(&self) -> ExitStatus {
        match self {
            CommandError::Config(_) | CommandError::Recipients(_) | CommandError::Usage { .. } => {
                ExitStatus::Usage
            }
            CommandError::Exists { .. }
            | CommandError::Keys(_)
            | CommandError::Secret(_)
            | CommandError::SourceSettings(_) => ExitStatus::Usage,
            CommandError::Engine(EngineError::Locked { .. }) => ExitStatus::Locked,
            CommandError::Replicas(error) => match error {
                ReplicasError::OpenReader { .. } | ReplicasError::OpenWriter { .. } => ExitStatus::Failed,
                _ => ExitStatus::Usage,
            },
            CommandError::Restore(error) => error.exit(),
            _ => ExitStatus::Failed,
        }
    }

    /// Returns what to do about it, when that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            CommandError::Config(ConfigError::Absent { .. }) => {
                "name the file with `--config FILE` or LIFEBOAT_CONFIG, or make one with `lifeboat init`"
            }
            CommandError::Config(_) => {
                "docs/reference/configuration.md lists the settings; `lifeboat config check` checks the file"
            }
            CommandError::Recipients(RecipientsError::NotAKey { .. }) => {
                "`age-keygen -o identity.txt` makes a key pair and prints the public key, which begins with age1"
            }
            CommandError::Recipients(RecipientsError::Empty { .. }) => {
                "add somebody: `lifeboat recipients add NAME age1…`"
            }
            CommandError::Recipients(RecipientsError::LastOne { .. }) => "add their successor first",
            CommandError::Recipients(RecipientsError::NoSuchName { .. }) => {
                "`lifeboat recipients list` shows the names"
            }
            CommandError::Keys(KeysError::Secret(error)) | CommandError::Secret(error) => {
                return secret_hint(error);
            }
            CommandError::Keys(KeysError::Exists { .. }) => {
                "keys are never overwritten, because copies made with them would become unusable; move them away if you mean it"
            }
            CommandError::Keys(KeysError::Malformed { .. }) => {
                "put the key back from where it is kept safe; a new one cannot take its place"
            }
            CommandError::Engine(EngineError::State(StateError::Open { .. })) => {
                "make sure that this user may write it and that the disk has room; if it is damaged, move it away: \
                 it is rebuilt from the source"
            }
            CommandError::Engine(EngineError::Spool(WriteError::Read(_))) => {
                "`lifeboat verify --repair spool` puts back what the spool lacks, from a replica that is whole"
            }
            CommandError::Spool { source }
                if matches!(**source, lifeboat_replica::ReadError::NoSnapshot { .. }) =>
            {
                "take a first snapshot: `lifeboat snapshot`"
            }
            CommandError::Spool { .. } => "`lifeboat verify spool` says what is wrong with it",
            CommandError::Engine(error) if error.said_by_command().is_some() => {
                let said = error.said_by_command().unwrap_or_default();
                let hint = error.hint().unwrap_or_default();
                return Some(format!("{hint}. Its last words, which may name patients: {said}"));
            }
            CommandError::Engine(error) => {
                return error.hint().map(str::to_owned).or_else(|| hint_of_cause(error));
            }
            CommandError::Replicas(error) => return error.hint(),
            CommandError::Restore(error) => return error.hint(),
            CommandError::Demo(error) => return error.hint(),
            CommandError::Service(error) if matches!(**error, ServiceError::History { .. }) => {
                "somebody else signs with this site's key, or this host was restored from an old image while another \
                 went on; run the service on one host only, and keep the evidence"
            }
            CommandError::Usage { hint, .. } => return Some(hint.clone()),
            CommandError::Exists { .. } => "nothing was changed; choose another place or move the file away",
            CommandError::OpenKit { .. } => "check the passphrase; capital letters, spaces and hyphens count",
            CommandError::AskPassphrase { .. } => "without a terminal, give `--passphrase-file FILE`",
            CommandError::Write { .. } | CommandError::WriteFolder { .. } => {
                "check that the folder exists, is writable and has room"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Writes the error with its causes and the hint.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "error: {self}")?;
        for cause in causes(self) {
            writeln!(out, "  because: {cause}")?;
        }
        match self.hint() {
            Some(hint) => writeln!(out, "hint: {hint}"),
            None => Ok(()),
        }
    }

    /// Returns the error as a JSON object.
    pub fn to_json(&self) -> Value {
        json!({ "message": self.to_string(), "causes": causes(self), "hint": self.hint() })
    }
}

fn secret_hint(error: &SecretError) -> Option<String> {
    match error {
        SecretError::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
        SecretError::Read { .. } => {
            Some("run as the user of the service, or make keys with `lifeboat init`".to_owned())
        }
        SecretError::NoCredentials { .. } => {
            Some("systemd passes credentials only to the service: add LoadCredential= to its unit".to_owned())
        }
        _ => None,
    }
}

/// Lists the causes of an error, the nearest first; a cause that an earlier text quotes is not repeated.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string().trim().to_owned();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts.remove(0);
    texts
}

/// Says what to do about a cause that is the same wherever it strikes.
pub fn hint_of_cause(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull) {
            return Some("the disk is full: make room; nothing that was finished is lost".to_owned());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_status_has_its_own_number_in_order() {
        let codes: Vec<u8> = ExitStatus::ALL.iter().map(|status| status.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn an_error_is_written_with_its_causes_and_what_to_do() {
        let error = CommandError::Config(ConfigError::Read {
            path: "/etc/lifeboat.toml".into(),
            source: io::Error::from(io::ErrorKind::PermissionDenied),
        });
        let mut text = Vec::new();
        error.write(&mut text).expect("a vector takes everything");
        let text = String::from_utf8(text).expect("errors are text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: cannot read the configuration /etc/lifeboat.toml");
        assert_eq!(lines[1], "  because: permission denied");
        assert!(lines[2].starts_with("hint: "), "{text}");
        assert_eq!(error.exit(), ExitStatus::Usage);
        assert_eq!(error.to_json()["causes"][0], "permission denied");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    #[test]
    fn a_cause_that_was_quoted_already_is_not_repeated() {
        let link = |text, source| Some(Box::new(Link { text, source }) as Box<dyn Error + Send + Sync>);
        let chain = link("refused", None);
        let chain = link("", chain);
        let chain = link("request failed: timed out: refused", link("timed out: refused", chain));
        let error = Link { text: "read HEAD", source: chain };
        assert_eq!(causes(&error), ["request failed: timed out: refused"]);
    }

    #[test]
    fn a_full_disk_is_named_wherever_it_strikes() {
        let cause: Box<dyn Error + Send + Sync> = Box::new(io::Error::from(io::ErrorKind::StorageFull));
        let error = Link { text: "cannot write", source: Some(cause) };
        assert!(hint_of_cause(&error).is_some_and(|hint| hint.contains("full")));
        assert_eq!(hint_of_cause(&Link { text: "cannot write", source: None }), None);
    }
}
