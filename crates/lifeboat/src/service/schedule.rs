//! When the next snapshot is due.
//!
//! While the source changes, snapshots are one interval apart; while nothing seems to change, the source is looked at
//! regularly all the same. After a failure the wait grows, except while an exporter is just writing.

use std::time::Duration;

use lifeboat_plan::retry::retry_wait;
use lifeboat_replica::ErrorClass;
use tokio::time::Instant;

/// The least wait for an exporter that is just writing.
pub(super) const UNSETTLED_WAIT_MIN: Duration = Duration::from_millis(500);

/// Knows when the next snapshot is due.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The least time between snapshots of a source that changes.
    interval: Duration,
    /// The most time between two looks at the source.
    heartbeat: Duration,
    began: Option<Instant>,
    dirty: bool,
    failures: u32,
    retry_at: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(interval: Duration, heartbeat: Duration) -> Self {
        Schedule { interval, heartbeat, began: None, dirty: false, failures: 0, retry_at: None }
    }

    /// Takes over changed settings.
    pub(super) fn change(&mut self, interval: Duration, heartbeat: Duration) {
        (self.interval, self.heartbeat) = (interval, heartbeat);
    }

    /// Marks the source dirty.
    pub(super) fn source_changed(&mut self) {
        self.dirty = true;
    }

    /// Returns when the next snapshot is due: at once when there was none yet.
    pub(super) fn due(&self, now: Instant) -> Instant {
        let Some(began) = self.began else { return now };
        let wait = if self.dirty { self.interval } else { self.heartbeat };
        self.retry_at.unwrap_or(began + wait)
    }

    /// Notes that a snapshot begins. What changes from now on is for the next one.
    pub(super) fn began(&mut self, now: Instant) {
        self.began = Some(now);
        self.dirty = false;
        self.retry_at = None;
    }

    /// Notes that the snapshot was taken.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Notes that the snapshot was not taken, and returns how often that has happened in a row.
    pub(super) fn failed(
        &mut self,
        class: ErrorClass,
        stable_after: Duration,
        now: Instant,
        chance: u64,
    ) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.dirty = true;
        let wait = match class {
            ErrorClass::Transient => stable_after.max(UNSETTLED_WAIT_MIN),
            _ => retry_wait(self.failures, chance),
        };
        self.retry_at = Some(now + wait.min(self.heartbeat));
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn snapshots_follow_changes_at_the_interval_and_come_anyway_at_the_heartbeat() {
        let mut schedule = Schedule::new(MINUTE, 5 * MINUTE);
        let start = Instant::now();
        assert_eq!(schedule.due(start), start);
        schedule.began(start);
        schedule.succeeded();
        assert_eq!(schedule.due(start), start + 5 * MINUTE);
        schedule.source_changed();
        assert_eq!(schedule.due(start), start + MINUTE);
        schedule.began(start + MINUTE);
        assert_eq!(schedule.due(start), start + MINUTE + 5 * MINUTE);
        schedule.change(MINUTE, 2 * MINUTE);
        assert_eq!(schedule.due(start), start + MINUTE + 2 * MINUTE);
    }

    #[test]
    fn after_failures_the_wait_grows_unless_the_source_is_just_being_written() {
        let mut schedule = Schedule::new(MINUTE, 5 * MINUTE);
        let (now, stable) = (Instant::now(), Duration::from_secs(2));
        schedule.began(now);
        assert_eq!(schedule.failed(ErrorClass::Transient, stable, now, 0), 1);
        assert_eq!(schedule.due(now), now + stable);
        let mut last = Duration::ZERO;
        for failures in 2..6 {
            schedule.began(now);
            assert_eq!(schedule.failed(ErrorClass::Operator, stable, now, 0), failures);
            let wait = schedule.due(now) - now;
            assert!(wait > last, "{wait:?} after {last:?}");
            last = wait;
        }
        schedule.began(now);
        schedule.succeeded();
        assert_eq!(schedule.failed(ErrorClass::Transient, Duration::ZERO, now, 0), 1);
        assert_eq!(schedule.due(now), now + UNSETTLED_WAIT_MIN);
    }
}
