//! Time as a parameter: the one place where the viewer reads the clock.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program's shell reads the clock here and nowhere else"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is moved, for tests and exercises.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Makes a clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves the clock to `now`, which may be earlier.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule of the United Kingdom's clock, written out so that a borrowed machine needs no time zone database.
const LONDON: &str = "GMT0BST,M3.5.0/1,M10.5.0";

/// Returns the time zone in which every practice works and every page shows times.
pub fn practice_zone() -> TimeZone {
    TimeZone::posix(LONDON).expect("the rule is a valid POSIX time zone")
}

/// Returns the practice's calendar day at `now`.
pub fn practice_day(now: Timestamp) -> Date {
    now.to_zoned(practice_zone()).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_practice_day_follows_london_summer_time() {
        let day = |text: &str| practice_day(text.parse().expect("a timestamp")).to_string();
        assert_eq!(day("2026-11-21T23:59:00Z"), "2026-11-21");
        assert_eq!(day("2026-07-01T23:30:00Z"), "2026-07-02");
    }
}
