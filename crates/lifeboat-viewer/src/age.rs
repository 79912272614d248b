//! How old a copy is: from the times its signer wrote, never from a file's date.
//!
//! The age is said in words and classed by limits; a local clock that is earlier than the signed time
//! is said as well, because then no age can be trusted.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clock::practice_zone;

/// The ages at which the viewer warns, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgeLimits {
    /// Above this the strip turns amber.
    pub amber_seconds: i64,
    /// Above this the strip turns red.
    pub red_seconds: i64,
    /// Above this the reader must acknowledge the age before a record is shown.
    pub acknowledge_seconds: i64,
}

impl Default for AgeLimits {
    fn default() -> Self {
        const HOUR: i64 = 3600;
        Self { amber_seconds: 4 * HOUR, red_seconds: 24 * HOUR, acknowledge_seconds: 72 * HOUR }
    }
}

/// A signed time may be this far ahead of the local clock before that is worth a warning.
const CLOCK_TOLERANCE_SECONDS: i64 = 120;

/// The class of a copy's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeLevel {
    /// As fresh as expected.
    Green,
    /// Older than a working morning.
    Amber,
    /// Older than a day.
    Red,
    /// The local clock is earlier than the signed time: the age is not known.
    ClockBehind,
}

/// How old a copy is at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyAge {
    /// The class.
    pub level: AgeLevel,
    /// The age in words, such as "4 hours 32 minutes old".
    pub words: String,
    /// True when the reader must acknowledge the age before a record is shown.
    pub needs_acknowledgement: bool,
}

impl CopyAge {
    /// Works out the age at `now` of a copy that is as of `signed`.
    pub fn at(now: Timestamp, signed: Timestamp, limits: &AgeLimits) -> Self {
        let seconds = now.as_second() - signed.as_second();
        if seconds < -CLOCK_TOLERANCE_SECONDS {
            let words = "age not known: this computer's clock is earlier than the copy".to_owned();
            return Self { level: AgeLevel::ClockBehind, words, needs_acknowledgement: true };
        }
        let level = match seconds {
            s if s > limits.red_seconds => AgeLevel::Red,
            s if s > limits.amber_seconds => AgeLevel::Amber,
            _ => AgeLevel::Green,
        };
        let words = format!("{} old", duration_words(seconds.max(0)));
        Self { level, words, needs_acknowledgement: seconds > limits.acknowledge_seconds }
    }
}

/// Says a length of time in its two largest units, whole minutes at the finest.
pub fn duration_words(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let unit = |n: i64, name: &str| format!("{n} {name}{}", if n == 1 { "" } else { "s" });
    let two =
        |large: String, n: i64, name: &str| if n == 0 { large } else { format!("{large} {}", unit(n, name)) };
    match () {
        () if minutes < 1 => "less than a minute".to_owned(),
        () if hours < 1 => unit(minutes, "minute"),
        () if days < 1 => two(unit(hours, "hour"), minutes % 60, "minute"),
        () => two(unit(days, "day"), hours % 24, "hour"),
    }
}

/// Shows an instant as the practice's clock does, `21-Nov-2026 08:00` on a 24-hour clock.
pub fn show_instant(instant: Timestamp) -> String {
    instant.to_zoned(practice_zone()).strftime("%d-%b-%Y %H:%M").to_string()
}

/// Shows a day with its weekday, `Sat 21-Nov-2026`.
pub fn show_day(day: Date) -> String {
    day.strftime("%a %d-%b-%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_copy_is_classed_and_said_in_words() {
        let signed: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a timestamp");
        let cases = [
            ("2026-11-21T07:59:00Z", AgeLevel::Green, "less than a minute old", false),
            ("2026-11-21T08:12:30Z", AgeLevel::Green, "12 minutes old", false),
            ("2026-11-21T09:00:00Z", AgeLevel::Green, "1 hour old", false),
            ("2026-11-21T12:00:00Z", AgeLevel::Green, "4 hours old", false),
            ("2026-11-21T12:32:00Z", AgeLevel::Amber, "4 hours 32 minutes old", false),
            ("2026-11-22T08:00:01Z", AgeLevel::Red, "1 day old", false),
            ("2026-11-24T08:00:00Z", AgeLevel::Red, "3 days old", false),
            ("2026-11-24T09:00:00Z", AgeLevel::Red, "3 days 1 hour old", true),
        ];
        for (now, level, words, needs_acknowledgement) in cases {
            let age = CopyAge::at(now.parse().expect("a timestamp"), signed, &AgeLimits::default());
            assert_eq!(age, CopyAge { level, words: words.to_owned(), needs_acknowledgement }, "{now}");
        }
    }

    #[test]
    fn a_clock_before_the_signed_time_gives_no_age() {
        let signed: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a timestamp");
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().expect("a timestamp");
        let age = CopyAge::at(now, signed, &AgeLimits::default());
        assert_eq!(age.level, AgeLevel::ClockBehind);
        assert!(age.needs_acknowledgement);
    }

    #[test]
    fn instants_are_shown_on_the_practices_clock() {
        assert_eq!(show_instant("2026-07-01T12:05:00Z".parse().expect("a timestamp")), "01-Jul-2026 13:05");
        assert_eq!(show_day(jiff::civil::date(2026, 11, 21)), "Sat 21-Nov-2026");
    }
}
