//! Slows down guessing of the passphrase: five tries, then a wait that doubles from 30 seconds to 15 minutes.
//!
//! The passphrase's own cost (scrypt) is the real protection, because a kit file can be attacked elsewhere;
//! this keeps a borrowed browser from trying.

use jiff::Timestamp;

/// Tries that cost no wait.
pub const FREE_TRIES: u32 = 5;
/// The first wait.
pub const FIRST_WAIT_SECONDS: i64 = 30;
/// The longest wait.
pub const LONGEST_WAIT_SECONDS: i64 = 15 * 60;

/// Counts failed tries and says when the next one is allowed.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: u32,
    failed_at: Option<Timestamp>,
}

/// The next try is not allowed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Seconds until it is.
    pub seconds: i64,
}

impl Throttle {
    /// Says whether a try is allowed at `now`.
    pub fn allow(&self, now: Timestamp) -> Result<(), Wait> {
        let (Some(failed_at), wait) = (self.failed_at, self.wait_seconds()) else { return Ok(()) };
        let gone = now.as_second() - failed_at.as_second();
        // A clock that was moved back must not lengthen the wait beyond its whole length.
        let left = (wait - gone.max(0)).min(wait);
        if left > 0 { Err(Wait { seconds: left }) } else { Ok(()) }
    }

    /// Notes a failed try at `now`.
    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
    }

    /// Forgets the failures, after the right passphrase.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn wait_seconds(&self) -> i64 {
        let Some(doublings) = self.failures.checked_sub(FREE_TRIES) else { return 0 };
        (FIRST_WAIT_SECONDS << doublings.min(10)).min(LONGEST_WAIT_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).expect("a timestamp in range")
    }

    #[test]
    fn five_tries_are_free_and_then_the_wait_doubles_to_fifteen_minutes() {
        let mut throttle = Throttle::default();
        for _ in 0..4 {
            throttle.failed(at(0));
            assert_eq!(throttle.allow(at(0)), Ok(()));
        }
        for expected in [30, 60, 120, 240, 480, 900, 900, 900] {
            throttle.failed(at(0));
            assert_eq!(throttle.allow(at(0)), Err(Wait { seconds: expected }));
            assert_eq!(throttle.allow(at(expected - 1)), Err(Wait { seconds: 1 }));
            assert_eq!(throttle.allow(at(expected)), Ok(()));
        }
    }

    #[test]
    fn the_right_passphrase_forgets_the_failures() {
        let mut throttle = Throttle::default();
        (0..9).for_each(|_| throttle.failed(at(0)));
        throttle.succeeded();
        assert_eq!(throttle.allow(at(0)), Ok(()));
    }

    #[test]
    fn a_clock_that_moves_back_never_lengthens_the_wait() {
        let mut throttle = Throttle::default();
        (0..5).for_each(|_| throttle.failed(at(0)));
        assert_eq!(throttle.allow(at(-5000)), Err(Wait { seconds: 30 }));
    }

    #[test]
    fn endless_failures_do_not_overflow() {
        let mut throttle = Throttle { failures: u32::MAX, failed_at: Some(at(0)) };
        throttle.failed(at(0));
        assert_eq!(throttle.allow(at(0)), Err(Wait { seconds: 900 }));
    }
}
