//! The only place of this program that reads the clock.
//!
//! Everything below the shell takes `now` as a parameter, so that it can be tested and replayed.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The time zone in which practices of this project live and book their appointments.
const PRACTICE_TIME_ZONE: &str = "Europe/London";

/// Returns the present instant, to the second as stored data has it.
#[expect(clippy::disallowed_methods, reason = "the shell reads the clock here and nowhere else")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Returns the date at the practice at `instant`.
pub fn practice_date(instant: Timestamp) -> Date {
    let zone = TimeZone::get(PRACTICE_TIME_ZONE).unwrap_or(TimeZone::UTC);
    instant.to_zoned(zone).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_practice_date_follows_british_summer_time() {
        for (instant, expected) in
            [("2026-07-01T23:30:00Z", "2026-07-02"), ("2026-12-01T23:30:00Z", "2026-12-01")]
        {
            let instant: Timestamp = instant.parse().expect("a valid instant");
            assert_eq!(practice_date(instant).to_string(), expected);
        }
    }
}
