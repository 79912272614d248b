//! Feeding one replica from the spool: once for a command, for ever for the service.
//!
//! Each replica has its own task, queue and retries, so that a slow or dead one delays no other. The queue is one
//! number, the newest size of the log: whoever was away copies what is missing in one go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_plan::retry::retry_wait;
use lifeboat_replica::location::ReplicaName;
use lifeboat_replica::{ErrorClass, Reader, ReplicateOptions, ReplicateReport, WriteError, replicate};
use tokio::sync::{mpsc, watch};

use super::Event;
use super::cursor::{self, Cursor};
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
    /// Copying failed.
    #[error("cannot bring the replica up to date")]
    Replicate(#[from] WriteError),
}

impl FeedError {
    /// Returns what can be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            FeedError::Open(ReplicasError::OpenReader { source, .. }) => source.class(),
            FeedError::Open(ReplicasError::OpenWriter { source, .. }) => source.class(),
            FeedError::Open(_) => ErrorClass::Operator,
            FeedError::Replicate(error) => error.class(),
        }
    }
}

/// One replica with where it is fed from.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The replica.
    pub settings: ReplicaSettings,
    /// The spool.
    pub spool: Reader,
    /// The state folder, where the cursor is kept.
    pub state_dir: PathBuf,
}

impl Feed {
    /// Returns how far the replica has come, as far as this host remembers.
    pub fn cursor(&self) -> Option<Cursor> {
        match Cursor::load(&self.cursor_path()) {
            Ok(cursor) => cursor,
            Err(error) => {
                events::cursor_lost(&self.settings.name, &error);
                None
            }
        }
    }

    /// Copies what the replica lacks, and remembers how far it has come.
    pub async fn once(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<ReplicateReport, FeedError> {
        let writer = self.settings.writer()?;
        let options = ReplicateOptions {
            concurrency: self.settings.concurrency,
            expected: self.cursor().map(|cursor| cursor.log_size),
        };
        let report = replicate(&self.spool, &writer, &options, progress).await?;
        let cursor = Cursor { log_size: report.log_size, reached: clock::now() };
        if let Err(error) = cursor.save(&self.cursor_path()) {
            events::cursor_lost(&self.settings.name, &error);
        }
        Ok(report)
    }

    fn cursor_path(&self) -> PathBuf {
        cursor::path(Path::new(&self.state_dir), &self.settings.name)
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

/// Keeps one replica up to date until `stop` says so. What is under way then is given up: it can be resumed.
pub(super) async fn keep_up(
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
            attempt = feed.once(&|_, _| {}) => attempt,
        };
        let (outcome, wait) = match attempt {
            Ok(report) => {
                failures = 0;
                reached = Some(report.log_size);
                events::replica_caught_up(&feed.settings.name, report.log_size, report.objects, report.bytes);
                (FeedOutcome::Reached(report.log_size), Duration::ZERO)
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
