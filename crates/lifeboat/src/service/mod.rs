//! The service: takes snapshots on a schedule and keeps every replica up to date.
//!
//! One task owns the state and receives events. Snapshots are taken on a blocking thread that has the engine for
//! as long; every replica has a task of its own. The file system's hints only mark the source dirty; the scan comes
//! regularly without them. Stopping is one value that every task hears, and every task is awaited.

mod cursor;
mod decide;
mod feed;
mod once;
mod runner;
mod schedule;
mod status;
mod systemd;
mod take;
mod watch;

#[cfg(test)]
mod tests;

use lifeboat_format::VerificationKey;
use lifeboat_replica::{ErrorClass, Reader};

pub use self::cursor::Cursor;
pub use self::decide::{Decided, Verdict};
pub use self::feed::{Feed, FeedError, Fill};
pub use self::once::{OnceReport, ReplicaOutcome, Replicas};
use self::runner::Runner;
pub use self::status::{
    Failure, Newest, ReplicaStatus, ServiceState, Status, StatusError, UnreadableName, load_unreadable,
    save_unreadable,
};
use crate::clock;
use crate::config::{Config, ReplicaSettings};
use crate::engine::{Engine, EngineError, HostKey};
use crate::events;
use crate::keys;
use crate::setup::{self, SetupError};

/// Why the service could not begin or had to end.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The site could not be opened.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A replica's history contradicts ours: nothing may be signed.
    #[error("the history of replica {replica} contradicts the spool's")]
    History {
        /// The replica.
        replica: String,
        /// How.
        source: Box<EngineError>,
    },
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// The engine panicked.
    #[error("taking a snapshot ended unexpectedly; this is a fault in the program")]
    EngineLost,
}

/// The site whose service runs.
#[derive(Debug)]
pub struct Site {
    config: Config,
    engine: Engine,
    host_key: HostKey,
    key: VerificationKey,
}

impl Site {
    /// Opens the site that the configuration describes; fails when another process has it.
    pub fn open(config: Config) -> Result<Self, SetupError> {
        let host_key = keys::host_key(&config.keys.host)?;
        let key = keys::signing_key(&config.keys.signing)?.verification_key();
        let engine = setup::open_engine(&config)?;
        Ok(Site { config, engine, host_key, key })
    }

    /// Asks every replica that can be reached whether it knows more than the spool, and takes that over.
    pub async fn adopt(&mut self) -> Result<(), ServiceError> {
        for settings in &self.config.replicas {
            let reader = match settings.reader() {
                Ok(reader) => reader,
                Err(error) => {
                    events::adopt_skipped(&settings.name, &error);
                    continue;
                }
            };
            match self.engine.adopt(&[reader]).await {
                Ok(true) => events::history_adopted(&settings.name, self.engine.log_size()),
                Ok(false) => {}
                Err(error) if error.class() == ErrorClass::Fenced => {
                    return Err(ServiceError::History {
                        replica: settings.name.to_string(),
                        source: Box::new(error),
                    });
                }
                Err(error) => events::adopt_skipped(&settings.name, &error),
            }
        }
        Ok(())
    }

    /// Runs the service until it is told to stop.
    pub async fn run(mut self) -> Result<(), ServiceError> {
        self.adopt().await?;
        let mut runner = Runner::start(self)?;
        systemd::ready();
        let ended = runner.serve().await;
        runner.stop().await;
        ended
    }
}

/// Describes how one replica of a configuration is fed.
pub fn feed_of(config: &Config, settings: &ReplicaSettings, spool: &Reader, key: &VerificationKey) -> Feed {
    let others = config.replicas.iter().filter(|other| other.name != settings.name);
    Feed {
        settings: settings.clone(),
        others: others.cloned().collect(),
        spool: spool.clone(),
        key: key.clone(),
        state_dir: config.state_dir.clone(),
    }
}

/// Begins a status with what the cursors remember.
pub fn new_status(config: &Config) -> Status {
    let replicas = config.replicas.iter().map(|settings| {
        let mut replica = ReplicaStatus::new(settings.name.to_string(), settings.url.to_string());
        let cursor = Cursor::load(&cursor::path(&config.state_dir, &settings.name)).ok().flatten();
        if let Some(cursor) = cursor {
            replica.log_size = Some(cursor.log_size);
            replica.reached = Some(cursor.reached);
        }
        replica
    });
    Status {
        format: Status::FORMAT,
        site: config.site.code.to_string(),
        service: ServiceState::Running,
        process: std::process::id(),
        updated: clock::now(),
        newest: None,
        last_error: None,
        replicas: replicas.collect(),
    }
}
