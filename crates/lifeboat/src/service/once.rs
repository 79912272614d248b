//! One snapshot now, and every replica brought up to date with it: what `lifeboat snapshot` does.

use futures::future::join_all;
use lifeboat_replica::{ErrorClass, ReplicateProgress};
use serde::Serialize;

use super::schedule::UNSETTLED_WAIT_MIN;
use super::status::not_in_the_snapshot;
use super::take::take_snapshot;
use super::{
    Failure, Feed, FeedError, Fill, Newest, ServiceError, ServiceState, Site, Status, feed_of, new_status,
    save_unreadable,
};
use crate::clock;
use crate::engine::{Acceptance, EngineError, SnapshotReport};
use crate::error::{causes, hint_of_cause};
use crate::events;
use crate::output::{Bars, Unit};
use crate::setup::SetupError;

/// How often a source that is just being written is waited for.
const UNSETTLED_WAITS_MAX: u32 = 5;

/// What was done.
#[derive(Debug, Serialize)]
pub struct OnceReport {
    /// The snapshot.
    pub snapshot: SnapshotReport,
    /// Each replica, in the order of the configuration; empty when replicas were left alone.
    pub replicas: Vec<ReplicaOutcome>,
}

/// What became of one replica.
#[derive(Debug, Serialize)]
pub struct ReplicaOutcome {
    /// Its name.
    pub name: String,
    /// Whether it is up to date.
    pub up_to_date: bool,
    /// The size of the log that it holds completely.
    pub log_size: Option<u64>,
    /// Objects that were written.
    pub copied: u64,
    /// Damaged objects that were written again.
    pub repaired: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Why it is behind.
    pub error: Option<String>,
    /// The causes, the nearest first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether replicas are brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replicas {
    /// Every one.
    Feed,
    /// They are left alone.
    Leave,
}

impl Site {
    /// Takes one snapshot and brings the replicas up to date, all at once.
    pub async fn once(
        &mut self,
        acceptance: &Acceptance,
        replicas: Replicas,
        bars: &Bars,
    ) -> Result<OnceReport, ServiceError> {
        self.adopt().await?;
        let taken = self.take_when_settled(acceptance, bars).await;
        let snapshot = taken.inspect_err(|error| self.remember_failure(error)).map_err(SetupError::from)?;
        bars.finish_snapshot();
        let outcomes = match replicas {
            Replicas::Leave => Vec::new(),
            Replicas::Feed => self.feed_all(bars).await,
        };
        self.remember(&snapshot, &outcomes);
        Ok(OnceReport { snapshot, replicas: outcomes })
    }

    /// Takes the snapshot; waits for an exporter that is just writing, but not for ever.
    async fn take_when_settled(
        &mut self,
        acceptance: &Acceptance,
        bars: &Bars,
    ) -> Result<SnapshotReport, EngineError> {
        let (engine, config) = (&mut self.engine, &self.config);
        let mut take =
            || tokio::task::block_in_place(|| take_snapshot(engine, config, clock::now(), acceptance, bars));
        for _ in 0..UNSETTLED_WAITS_MAX {
            match take() {
                Err(error @ EngineError::Source(_)) if error.class() == ErrorClass::Transient => {
                    tokio::time::sleep(self.config.source.stable_after.max(UNSETTLED_WAIT_MIN)).await;
                }
                taken => return taken,
            }
        }
        take()
    }

    pub(super) async fn feed_all(&self, bars: &Bars) -> Vec<ReplicaOutcome> {
        let spool = self.engine.spool_reader();
        let feeds = self.config.replicas.iter().map(|settings| {
            let feed = feed_of(&self.config, settings, &spool, &self.key);
            async move {
                let result = feed_with_bar(&feed, bars).await;
                outcome(&feed, result)
            }
        });
        join_all(feeds).await
    }

    /// Notes in the status that no snapshot could be taken, and leaves the rest as it was.
    fn remember_failure(&self, error: &EngineError) {
        let known = Status::load(&self.config.state_dir).ok().flatten();
        let mut status = known.unwrap_or_else(|| new_status(&self.config));
        status.service = ServiceState::Stopped;
        status.updated = clock::now();
        status.last_error = Some(Failure { at: clock::now(), error: events::error_line(error) });
        if let Err(error) = status.save(&self.config.state_dir) {
            events::status_not_written(&error);
        }
    }

    /// Writes the status as the service would, so that `status` knows of this run.
    fn remember(&self, snapshot: &SnapshotReport, outcomes: &[ReplicaOutcome]) {
        let mut status = new_status(&self.config);
        status.service = ServiceState::Stopped;
        status.newest = Some(Newest::of(snapshot));
        note_outcomes(&mut status, snapshot.log_size, outcomes);
        let saved = save_unreadable(&self.config.state_dir, &self.host_key, &not_in_the_snapshot(snapshot))
            .and_then(|()| status.save(&self.config.state_dir));
        if let Err(error) = saved {
            events::status_not_written(&error);
        }
    }
}

/// Notes in a status what became of each replica.
pub(super) fn note_outcomes(status: &mut Status, log_size: u64, outcomes: &[ReplicaOutcome]) {
    let now = clock::now();
    for replica in &mut status.replicas {
        let outcome = outcomes.iter().find(|outcome| outcome.name == replica.name);
        match outcome {
            Some(ReplicaOutcome { log_size: Some(log_size), .. }) => replica.succeeded(*log_size, now),
            Some(ReplicaOutcome { error: Some(error), causes, .. }) => {
                let line = std::iter::once(error.as_str()).chain(causes.iter().map(String::as_str));
                replica.failed(line.collect::<Vec<_>>().join(": "), 1, now);
            }
            _ => replica.expect(log_size, now),
        }
    }
}

async fn feed_with_bar(feed: &Feed, bars: &Bars) -> Result<Fill, FeedError> {
    let bar = bars.add(&format!("replica {}", feed.settings.name), Some(0), Unit::Bytes);
    let shown = bar.clone();
    let result = feed
        .once(&move |progress: &ReplicateProgress| {
            shown.set_length(progress.bytes_total);
            shown.set_position(progress.bytes_done);
        })
        .await;
    bar.finish_and_clear();
    result
}

fn outcome(feed: &Feed, result: Result<Fill, FeedError>) -> ReplicaOutcome {
    let name = feed.settings.name.to_string();
    match result {
        Ok(Fill { log_size, report }) => ReplicaOutcome {
            name,
            up_to_date: true,
            log_size: Some(log_size),
            copied: report.copied,
            repaired: report.repaired,
            bytes: report.bytes,
            error: None,
            causes: Vec::new(),
            hint: None,
        },
        Err(error) => ReplicaOutcome {
            name,
            up_to_date: false,
            log_size: None,
            copied: 0,
            repaired: 0,
            bytes: 0,
            causes: causes(&error),
            hint: hint(feed, &error),
            error: Some(error.to_string()),
        },
    }
}

fn hint(feed: &Feed, error: &FeedError) -> Option<String> {
    use lifeboat_replica::WriteError;
    match error {
        FeedError::Open(error) => error.hint(),
        FeedError::Replicate(WriteError::Emptied { .. }) => Some(format!(
            "is the right disk mounted? If it was replaced on purpose, delete {}",
            feed.cursor_path().display()
        )),
        FeedError::Replicate(WriteError::OtherSite { .. }) => {
            Some("this place holds another site's copy; give each site its own".to_owned())
        }
        error => {
            let refused = match error.class() {
                ErrorClass::Operator => feed.settings.hint_when_refused(),
                _ if feed.settings.lacks_credential() => feed.settings.hint_when_refused(),
                _ => None,
            };
            hint_of_cause(error).or(refused)
        }
    }
}
