//! Feeding one replica from the spool: once for a command, for ever for the service.
//!
//! Each replica has its own task, queue and retries, so that a slow or dead one delays no other. The queue is one
//! number, the newest size of the log: whoever was away copies what is missing in one go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_format::VerificationKey;
use lifeboat_plan::retry::retry_wait;
use lifeboat_replica::ReplicaName;
use lifeboat_replica::{ErrorClass, Reader, WriteError};
use lifeboat_replica::{
    ReplicaCursor, ReplicateFailure, ReplicateProgress, ReplicateReport, ReplicateSettings, Replication,
    replicate,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::cursor::{self, Cursor};
use super::runner::Event;
use crate::clock;
use crate::config::ReplicaSettings;
use crate::events;
use crate::replicas::ReplicasError;

/// Why a replica could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The replica cannot be opened.
    #[error(transparent)]
    Open(#[from] ReplicasError),
    /// Nothing could be copied.
    #[error("cannot bring the replica up to date")]
    Replicate(#[from] WriteError),
    /// Some objects could not be copied; the others were.
    #[error("objects that could not be copied: {count}")]
    Incomplete {
        /// How many.
        count: usize,
        /// What can be done about it.
        class: ErrorClass,
        /// The first of them.
        source: ReplicateFailure,
    },
    /// Copying ended without a result.
    #[error("copying ended without a result; this is a fault in the program")]
    NoResult,
}

impl FeedError {
    /// Returns what can be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            FeedError::Open(ReplicasError::OpenReader { source, .. }) => source.class(),
            FeedError::Open(ReplicasError::OpenWriter { source, .. }) => source.class(),
            FeedError::Open(_) => ErrorClass::Operator,
            FeedError::Replicate(error) => error.class(),
            FeedError::Incomplete { class, .. } => *class,
            FeedError::NoResult => ErrorClass::Bug,
        }
    }
}

/// One replica with where it is fed from.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The replica.
    pub settings: ReplicaSettings,
    /// The other replicas, from which an object is taken that the spool has damaged.
    pub others: Vec<ReplicaSettings>,
    /// The spool.
    pub spool: Reader,
    /// The key that the site's checkpoints are signed with.
    pub key: VerificationKey,
    /// The state folder, where the cursor is kept.
    pub state_dir: PathBuf,
}

/// What one run brought to a replica.
#[derive(Debug)]
pub struct Fill {
    /// The size of the log that the replica now holds completely.
    pub log_size: u64,
    /// What was copied.
    pub report: ReplicateReport,
}

impl Feed {
    /// Returns the file of the replica's cursor.
    pub fn cursor_path(&self) -> PathBuf {
        cursor::path(&self.state_dir, &self.settings.name)
    }

    /// Returns how far a replica has come, as far as this host remembers.
    pub fn cursor_of(state_dir: &Path, replica: &ReplicaName) -> Option<Cursor> {
        match Cursor::load(&cursor::path(state_dir, replica)) {
            Ok(cursor) => cursor,
            Err(error) => {
                events::cursor_lost(replica, &error);
                None
            }
        }
    }

    /// Copies what the replica lacks, and remembers how far it has come.
    pub async fn once(&self, progress: &(dyn Fn(&ReplicateProgress) + Sync)) -> Result<Fill, FeedError> {
        let cursor = Self::cursor_of(&self.state_dir, &self.settings.name);
        self.copy(cursor.as_ref().map(ReplicaCursor::from), progress).await
    }

    /// Copies what the replica lacks after looking at all of it, whatever is remembered.
    pub async fn afresh(&self) -> Result<Fill, FeedError> {
        self.copy(None, &|_| {}).await
    }

    async fn copy(
        &self,
        cursor: Option<ReplicaCursor>,
        progress: &(dyn Fn(&ReplicateProgress) + Sync),
    ) -> Result<Fill, FeedError> {
        let writer = self.settings.writer()?;
        let fallbacks: Vec<Reader> = self.others.iter().filter_map(|other| other.reader().ok()).collect();
        let replication = Replication {
            from: &self.spool,
            fallbacks: &fallbacks,
            to: &writer,
            key: &self.key,
            cursor: cursor.as_ref(),
            up_to: None,
            settings: ReplicateSettings {
                objects_at_once: self.settings.concurrency,
                ..ReplicateSettings::default()
            },
        };
        let mut report = replicate(&replication, progress).await?;
        let Some(reached) = report.cursor.take() else {
            let (count, class) = (report.failures.len(), report.failure_class());
            return Err(match (report.failures.into_iter().next(), class) {
                (Some(source), Some(class)) => FeedError::Incomplete { count, class, source },
                _ => FeedError::NoResult,
            });
        };
        let cursor = Cursor { log_size: reached.log_size, root: reached.root, reached: clock::now() };
        if let Err(error) = cursor.save(&self.cursor_path()) {
            events::cursor_lost(&self.settings.name, &error);
        }
        Ok(Fill { log_size: reached.log_size, report })
    }
}

/// What the service hears of a replica.
#[derive(Debug)]
pub(super) struct Fed {
    pub(super) replica: ReplicaName,
    pub(super) outcome: FeedOutcome,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum FeedOutcome {
    /// The replica has the log up to this size.
    Reached(u64),
    /// It could not be brought up to date.
    Failed { error: String, failures: u32 },
}

/// Starts the task that keeps one replica up to date until `stop` says so.
///
/// The task has a thread of its own, because what it waits for borrows across its steps.
pub(super) fn start(
    feed: Feed,
    newest: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
) -> JoinHandle<()> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(keep_up(feed, newest, stop, events)))
}

/// What is under way when `stop` comes is given up: it can be resumed.
async fn keep_up(
    feed: Feed,
    mut newest: watch::Receiver<u64>,
    mut stop: watch::Receiver<bool>,
    events: mpsc::Sender<Event>,
) {
    let mut reached = None;
    let mut failures = 0;
    loop {
        let wanted = *newest.borrow_and_update();
        if wanted == 0 || reached.is_some_and(|reached| reached >= wanted) {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                changed = newest.changed() => if changed.is_err() { return },
            }
            continue;
        }
        let attempt = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            attempt = feed.once(&|_| {}) => attempt,
        };
        let (outcome, wait) = match attempt {
            Ok(Fill { log_size, report }) => {
                failures = 0;
                reached = Some(log_size);
                events::replica_caught_up(&feed.settings.name, log_size, &report);
                (FeedOutcome::Reached(log_size), Duration::ZERO)
            }
            Err(error) => {
                failures += 1;
                let wait = retry_wait(failures, chance());
                events::replica_failed(&feed.settings.name, &error, error.class(), failures, wait);
                (FeedOutcome::Failed { error: events::error_line(&error), failures }, wait)
            }
        };
        let fed = Fed { replica: feed.settings.name.clone(), outcome };
        if events.send(Event::Fed(fed)).await.is_err() {
            return;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Draws a number to spread retries with; any number will do when the system has none.
pub(super) fn chance() -> u64 {
    getrandom::u64().unwrap_or(0)
}
