//! How long to wait before a failed replica is tried again.

use std::time::Duration;

/// The wait after the first failure.
pub const RETRY_FIRST: Duration = Duration::from_secs(2);
/// The longest wait, however often a replica has failed.
pub const RETRY_MAX: Duration = Duration::from_secs(300);

/// Returns the wait before the next attempt after `failures` consecutive ones.
///
/// Doubles from [`RETRY_FIRST`] to [`RETRY_MAX`]. `chance`, a random number from the caller, spreads
/// the result over its upper half so that many services do not come back in step.
#[must_use]
pub fn retry_wait(failures: u32, chance: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = RETRY_FIRST.saturating_mul(1 << doublings).min(RETRY_MAX);
    let half = full / 2;
    let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(chance % (span + 1))
}

#[cfg(test)]
mod tests {
    use super::{RETRY_MAX, retry_wait};
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_the_limit() {
        for (failures, longest) in [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (40, 300), (u32::MAX, 300)] {
            for chance in [0, 1, 999, u64::MAX] {
                let wait = retry_wait(failures, chance);
                assert!(wait <= Duration::from_secs(longest), "{failures}: {wait:?}");
                assert!(wait >= Duration::from_secs(longest) / 2, "{failures}: {wait:?}");
            }
        }
        assert!(retry_wait(100, 7) <= RETRY_MAX);
    }
}
