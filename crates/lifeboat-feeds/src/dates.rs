//! Dates and times as tables write them, and as FHIR does.
//!
//! The calendar is strict: the 31st of February is no date. Times without an offset are those of the practice's clock.

use jiff::civil::{Date, Time};
use lifeboat_clinical::date::london;

/// How exactly a date is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// To the year.
    Year,
    /// To the month.
    Month,
    /// To the day.
    Day,
}

/// Reads a date, with the time of day where one is written after it.
///
/// The forms are `2024-02-29`, `29 Feb 2024`, `29-Feb-2024`, `29/02/2024` and `20240229`; after a space, a `T` or an
/// underscore a time as [`time`] reads it may follow.
pub fn date_and_time(text: &str) -> Option<(Date, Option<Time>)> {
    let text = text.trim();
    let (read, rest) = [iso, named_month, slashed, compact].into_iter().find_map(|form| form(text))?;
    if rest.is_empty() {
        return Some((read, None));
    }
    let rest = rest.strip_prefix([' ', 'T', '_'])?;
    Some((read, Some(time(rest)?)))
}

/// Reads a date; a time after it must be well formed and is left out.
pub fn date(text: &str) -> Option<Date> {
    date_and_time(text).map(|(date, _)| date)
}

/// Reads a time of day: `09:05`, `09:05:00`, `09:05:00.000`, `0905` or `090500`.
pub fn time(text: &str) -> Option<Time> {
    let text = text.trim();
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let parts: Vec<&str> = if clock.contains(':') {
        clock.split(':').collect()
    } else if clock.is_ascii() && matches!(clock.len(), 4 | 6) {
        (0..clock.len()).step_by(2).map(|at| &clock[at..at + 2]).collect()
    } else {
        return None;
    };
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let hour = if hour.len() == 1 { number(hour, 1)? } else { number(hour, 2)? };
    Time::new(small(hour)?, small(number(minute, 2)?)?, small(number(second, 2)?)?, 0).ok()
}

/// Writes a date as FHIR does, no more exactly than it is known.
pub fn fhir_date(date: Date, precision: Precision) -> String {
    match precision {
        Precision::Year => format!("{:04}", date.year()),
        Precision::Month => format!("{:04}-{:02}", date.year(), date.month()),
        Precision::Day => date.to_string(),
    }
}

/// Writes a time on the practice's clock as FHIR does, with the offset that holds on that day.
///
/// Of a time that the clock shows twice the earlier is meant; a time that it leaves out is moved on by the hour.
pub fn local_date_time(date: Date, time: Time) -> String {
    match date.to_datetime(time).to_zoned(london()) {
        Ok(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => date.to_string(),
    }
}

/// A date and what stands after it.
type Read<'a> = Option<(Date, &'a str)>;

fn iso(text: &str) -> Read<'_> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    made(number(year, 4)?, number(month, 2)?, number(day, 2)?, rest)
}

fn compact(text: &str) -> Read<'_> {
    let (date, rest) = text.split_at_checked(8)?;
    let all = number(date, 8)?;
    made(all / 10_000, all / 100 % 100, all % 100, rest)
}

fn slashed(text: &str) -> Read<'_> {
    let (day, rest) = text.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_at_checked(4)?;
    made(number(year, 4)?, day_or_month(month)?, day_or_month(day)?, rest)
}

fn named_month(text: &str) -> Read<'_> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let separator = |c: char| matches!(c, ' ' | '-');
    let (day, rest) = text.split_once(separator)?;
    let (name, rest) = rest.split_once(separator)?;
    let (year, rest) = rest.split_at_checked(4)?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? + 1;
    made(number(year, 4)?, u32::try_from(month).ok()?, day_or_month(day)?, rest)
}

fn day_or_month(text: &str) -> Option<u32> {
    if text.len() == 1 { number(text, 1) } else { number(text, 2) }
}

fn made(year: u32, month: u32, day: u32, rest: &str) -> Read<'_> {
    let date = Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    Some((date, rest))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let sound = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| text.parse().ok()).flatten()
}

fn small(number: u32) -> Option<i8> {
    i8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time as at};

    use super::*;

    #[test]
    fn dates_are_read_in_every_form_and_only_if_the_calendar_has_them() {
        let leap = date(2024, 2, 29);
        let cases = [
            ("2024-02-29", Some((leap, None))),
            (" 20240229 ", Some((leap, None))),
            ("29 Feb 2024", Some((leap, None))),
            ("29-FEB-2024", Some((leap, None))),
            ("29/02/2024", Some((leap, None))),
            ("1/2/2024", Some((date(2024, 2, 1), None))),
            ("29 Feb 2024 09:05", Some((leap, Some(at(9, 5, 0, 0))))),
            ("29 Feb 2024 09:05:07", Some((leap, Some(at(9, 5, 7, 0))))),
            ("2024-02-29T23:59:59.123", Some((leap, Some(at(23, 59, 59, 0))))),
            ("20240229_0905", Some((leap, Some(at(9, 5, 0, 0))))),
            ("29/02/2024 24:00", None),
            ("31/02/2024", None),
            ("29/02/2023", None),
            ("30 Feb 2024", None),
            ("29 Feb 24", None),
            ("29 Foo 2024", None),
            ("2024-2-29", None),
            ("2024-02-29x", None),
            ("202402290", None),
            ("+2024-2-9", None),
            ("02/29/2024", None),
            ("0000-00-00", None),
            ("\u{661}/02/2024", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(date_and_time(text), expected, "{text}");
            assert_eq!(super::date(text), expected.map(|(date, _)| date), "{text}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_colons() {
        let cases = [
            ("09:05", Some(at(9, 5, 0, 0))),
            ("9:05", Some(at(9, 5, 0, 0))),
            ("09:05:06", Some(at(9, 5, 6, 0))),
            ("0905", Some(at(9, 5, 0, 0))),
            ("090506", Some(at(9, 5, 6, 0))),
            ("24:00", None),
            ("09:60", None),
            ("905", None),
            ("09:05:06:07", None),
            ("09:5", None),
            ("\u{e9}\u{e9}", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_as_exact_as_what_is_known_and_has_the_practices_offset() {
        let day = date(2026, 7, 5);
        assert_eq!(fhir_date(day, Precision::Year), "2026");
        assert_eq!(fhir_date(day, Precision::Month), "2026-07");
        assert_eq!(fhir_date(day, Precision::Day), "2026-07-05");
        let cases = [
            (day, at(9, 5, 0, 0), "2026-07-05T09:05:00+01:00"),
            (date(2026, 1, 5), at(9, 5, 7, 0), "2026-01-05T09:05:07+00:00"),
            (date(2026, 10, 25), at(1, 30, 0, 0), "2026-10-25T01:30:00+01:00"),
            (date(2026, 3, 29), at(1, 30, 0, 0), "2026-03-29T02:30:00+01:00"),
        ];
        for (date, time, expected) in cases {
            assert_eq!(local_date_time(date, time), expected);
        }
    }
}
