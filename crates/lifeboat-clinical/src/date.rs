//! Dates as clinical systems record them: to the year, the month or the day.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The rule of the United Kingdom's clock since 1996, as POSIX writes it.
///
/// Written out so that no time zone database is needed.
const LONDON: &str = "GMT0BST,M3.5.0/1,M10.5.0";

/// Returns the clock of the United Kingdom by its rule since 1996, so that no database is needed.
pub fn london() -> TimeZone {
    TimeZone::posix(LONDON).unwrap_or(TimeZone::UTC)
}

/// A date known to the year, the month or the day. It is never padded to look more exact than it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
}

/// Says that a text is not a date in FHIR's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date of the form yyyy, yyyy-mm or yyyy-mm-dd")]
pub struct NotADate;

impl PartialDate {
    /// Returns the date part of a FHIR `date`, `dateTime` or `instant`.
    pub fn of_date_time(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
        let date = text.get(..end.min(10))?;
        let rest = text.get(date.len()..).unwrap_or_default();
        let sound_rest = rest.is_empty() || rest.starts_with(['T', 't', ' ', '+', 'Z']);
        sound_rest.then(|| date.parse().ok()).flatten()
    }

    /// Returns the year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// Returns the month, from 1, when it is known.
    pub fn month(self) -> Option<i8> {
        self.month
    }

    /// Returns the day of the month, from 1, when it is known.
    pub fn day(self) -> Option<i8> {
        self.day
    }

    /// Returns the day when the date is known to the day.
    pub fn exact(self) -> Option<Date> {
        Date::new(self.year, self.month?, self.day?).ok()
    }

    /// Returns the last day that the date may mean.
    pub fn latest(self) -> Date {
        let month = self.month.unwrap_or(12);
        let first = Date::new(self.year, month, 1).unwrap_or(Date::MAX);
        match self.day {
            Some(day) => Date::new(self.year, month, day).unwrap_or_else(|_| first.last_of_month()),
            None => first.last_of_month(),
        }
    }
}

impl From<Date> for PartialDate {
    fn from(date: Date) -> Self {
        Self { year: date.year(), month: Some(date.month()), day: Some(date.day()) }
    }
}

fn digits(text: &str, length: usize) -> Option<i16> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

impl FromStr for PartialDate {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let mut parts = text.split('-');
        let mut part = |length| parts.next().map(|part| digits(part, length).ok_or(NotADate));
        let year = part(4).ok_or(NotADate)??;
        let month = part(2).transpose()?;
        let day = part(2).transpose()?;
        if parts.next().is_some() {
            return Err(NotADate);
        }
        let small = |number: i16| i8::try_from(number).map_err(|_| NotADate);
        let month = month.map(small).transpose()?;
        let day = day.map(small).transpose()?;
        Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).map_err(|_| NotADate)?;
        Ok(Self { year, month, day })
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

impl Serialize for PartialDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PartialDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Returns the day in the practice (Europe/London) of a FHIR `instant` or `dateTime`.
///
/// A time without an offset is taken as the practice's own.
pub(crate) fn practice_day(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.to_zoned(london()).date());
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return Some(local.date());
    }
    PartialDate::of_date_time(text)?.exact()
}

/// Returns the instant that a FHIR `instant` names, when it is well formed.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.trim().parse().ok()
}

/// Returns the first day of the month that lies `months` months before `today`.
///
/// Windows begin on the first of a month, so that a record does not change every day merely because
/// its window moved.
pub(crate) fn window_start(today: Date, months: i32) -> Date {
    today.first_of_month().checked_sub(months.months()).unwrap_or(Date::MIN)
}

/// Writes a date as clinicians read it, `01-Nov-2025`.
pub(crate) fn clinical(date: Date) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = usize::try_from(date.month() - 1).unwrap_or(0);
    format!("{:02}-{}-{:04}", date.day(), MONTHS[month], date.year())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_keep_the_precision_in_which_they_were_recorded() {
        let cases = [
            ("1980", Some("1980"), date(1980, 12, 31)),
            ("1980-02", Some("1980-02"), date(1980, 2, 29)),
            ("1980-02-29", Some("1980-02-29"), date(1980, 2, 29)),
            ("2026-11-21T08:00:00+00:00", Some("2026-11-21"), date(2026, 11, 21)),
            ("1959-12-01+00:00", Some("1959-12-01"), date(1959, 12, 1)),
            ("2026-11-21 08:00", Some("2026-11-21"), date(2026, 11, 21)),
            ("1981-02-29", None, Date::MIN),
            ("1980-13", None, Date::MIN),
            ("80-01-01", None, Date::MIN),
            ("14/08/1980", None, Date::MIN),
            ("1980-08-14-09", None, Date::MIN),
            ("1980-8-1", None, Date::MIN),
            ("", None, Date::MIN),
        ];
        for (text, expected, latest) in cases {
            let read = PartialDate::of_date_time(text);
            assert_eq!(read.map(|date| date.to_string()).as_deref(), expected, "{text}");
            if let Some(read) = read {
                assert_eq!(read.latest(), latest, "{text}");
            }
        }
    }

    #[test]
    fn an_appointment_belongs_to_the_day_on_the_practices_clock() {
        let cases = [
            ("2026-07-01T23:30:00Z", Some(date(2026, 7, 2))),
            ("2026-12-01T23:30:00Z", Some(date(2026, 12, 1))),
            ("2026-07-02T00:30:00+01:00", Some(date(2026, 7, 2))),
            ("2026-03-29T00:59:59Z", Some(date(2026, 3, 29))),
            ("2026-11-21T09:00:00", Some(date(2026, 11, 21))),
            ("2026-11-21", Some(date(2026, 11, 21))),
            ("2026-11", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(practice_day(text), expected, "{text}");
        }
    }

    #[test]
    fn windows_begin_on_the_first_of_a_month() {
        assert_eq!(window_start(date(2026, 11, 21), 12), date(2025, 11, 1));
        assert_eq!(window_start(date(2026, 3, 31), 13), date(2025, 2, 1));
        assert_eq!(clinical(date(2025, 11, 1)), "01-Nov-2025");
    }

    #[test]
    fn a_date_is_a_string_in_json() {
        let date: PartialDate = serde_json::from_str("\"1980-02\"").expect("a partial date");
        assert_eq!(serde_json::to_string(&date).expect("a string"), "\"1980-02\"");
        assert!(serde_json::from_str::<PartialDate>("\"Feb 1980\"").is_err());
    }
}
