//! Dates, times and ages as clinicians in the NHS read them.
//!
//! `14-Aug-1980`, whatever the computer's region; a date known to the month or the year is not padded;
//! times are those of the practice's clock. A text that is no date is shown as it is.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, Unit};

use crate::date::{PartialDate, london};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Returns the date and time on the practice's clock of a FHIR `instant` or `dateTime` that has a time.
///
/// A time without an offset is taken as the practice's own.
pub(crate) fn wall_clock(text: &str) -> Option<DateTime> {
    let text = text.trim();
    if !text.contains(['T', 't']) {
        return None;
    }
    match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant.to_zoned(london()).datetime()),
        Err(_) => text.parse::<DateTime>().ok(),
    }
}

/// Returns the date part of a FHIR `date`, `dateTime` or `instant`, on the practice's clock.
pub(crate) fn date_of(text: &str) -> Option<PartialDate> {
    match wall_clock(text) {
        Some(wall) => Some(PartialDate::from(wall.date())),
        None => PartialDate::of_date_time(text),
    }
}

/// Shows a date, unpadded: `14-Aug-1980`, `Aug-1980` or `1980`.
pub(crate) fn show_date(date: PartialDate) -> String {
    let month = |number: i8| MONTHS[usize::try_from(number - 1).unwrap_or(0) % 12];
    match (date.month(), date.day()) {
        (Some(number), Some(day)) => format!("{day:02}-{}-{:04}", month(number), date.year()),
        (Some(number), None) => format!("{}-{:04}", month(number), date.year()),
        _ => format!("{:04}", date.year()),
    }
}

/// Shows a day with its weekday, `Sat 21-Nov-2026`.
pub(crate) fn show_weekday(date: Date) -> String {
    format!("{} {}", date.strftime("%a"), show_date(PartialDate::from(date)))
}

/// Shows a FHIR date or time; a midnight stands for a time that was not recorded.
pub(crate) fn show(text: &str) -> String {
    match wall_clock(text) {
        Some(wall) if wall.time() == Time::midnight() => show_date(PartialDate::from(wall.date())),
        Some(wall) => {
            format!("{} {:02}:{:02}", show_date(PartialDate::from(wall.date())), wall.hour(), wall.minute())
        }
        None => PartialDate::of_date_time(text).map_or_else(|| text.trim().to_owned(), show_date),
    }
}

/// Shows a FHIR date or time without the time.
pub(crate) fn show_day(text: &str) -> String {
    date_of(text).map_or_else(|| text.trim().to_owned(), show_date)
}

/// Shows a time on the 24-hour clock.
pub(crate) fn show_time(wall: DateTime) -> String {
    format!("{:02}:{:02}", wall.hour(), wall.minute())
}

/// Says whether `text` looks like a FHIR date or time.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() >= 7 && (wall_clock(text).is_some() || PartialDate::of_date_time(text).is_some())
}

/// Returns a key that orders dates, later ones greater; a missing part counts as the earliest.
pub(crate) fn order(text: &str) -> Option<DateTime> {
    wall_clock(text).or_else(|| Some(earliest(PartialDate::of_date_time(text)?).at(0, 0, 0, 0)))
}

/// Shows the age on `today` of somebody born on `born`; nothing when the birth is to come.
///
/// Babies are shown in days, then weeks and days, then months and days; children in years and months.
/// A birth date known only to the month or year gives an age with `about` where it is not certain.
pub(crate) fn show_age(born: PartialDate, today: Date) -> Option<String> {
    if let Some(born) = born.exact() {
        return exact_age(born, today);
    }
    let (oldest, youngest) = (earliest(born), born.latest());
    if oldest > today {
        return None;
    }
    let years = |from: Date| whole(from, today, Unit::Year).map_or(0, |span| span.get_years());
    let months = |from: Date| whole(from, today, Unit::Month).map_or(0, |span| span.get_months());
    Some(match (years(oldest), years(youngest.min(today))) {
        (0 | 1, _) if born.month().is_some() => format!("about {}m", months(oldest)),
        (most, least) if most == least => format!("{most}y"),
        (most, _) => format!("about {most}y"),
    })
}

fn exact_age(born: Date, today: Date) -> Option<String> {
    if born > today {
        return None;
    }
    let days = whole(born, today, Unit::Day)?.get_days();
    let years = whole(born, today, Unit::Year)?;
    let months = whole(born, today, Unit::Month)?;
    Some(match years.get_years() {
        _ if days < 28 => format!("{days}d"),
        0 if days % 7 == 0 => format!("{}w", days / 7),
        0 => format!("{}w {}d", days / 7, days % 7),
        1 if months.get_days() == 0 => format!("{}m", months.get_months()),
        1 => format!("{}m {}d", months.get_months(), months.get_days()),
        age @ 2..18 if years.get_months() == 0 => format!("{age}y"),
        age @ 2..18 => format!("{age}y {}m", years.get_months()),
        age => format!("{age}y"),
    })
}

fn whole(from: Date, to: Date, largest: Unit) -> Option<Span> {
    from.until((largest, to)).ok()
}

fn earliest(date: PartialDate) -> Date {
    Date::new(date.year(), date.month().unwrap_or(1), date.day().unwrap_or(1)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_are_shown_as_the_nhs_shows_them() {
        let cases = [
            ("1980-08-14", "14-Aug-1980"),
            ("1980-08", "Aug-1980"),
            ("1980", "1980"),
            ("2026-01-05T09:05:00Z", "05-Jan-2026 09:05"),
            ("2026-07-05T09:05:00Z", "05-Jul-2026 10:05"),
            ("2026-07-05T23:30:00.123Z", "06-Jul-2026 00:30"),
            ("2026-07-05T09:05:00+01:00", "05-Jul-2026 09:05"),
            ("2026-07-05T00:00:00+01:00", "05-Jul-2026"),
            ("2026-01-05T00:00:00Z", "05-Jan-2026"),
            ("2026-01-05T14:00:00", "05-Jan-2026 14:00"),
            ("soon", "soon"),
            ("14/08/1980", "14/08/1980"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(show(text), expected, "{text}");
        }
        assert_eq!(show_day("2026-01-05T09:05:00Z"), "05-Jan-2026");
        assert_eq!(show_weekday(date(2009, 1, 5)), "Mon 05-Jan-2009");
    }

    #[test]
    fn ages_follow_the_rules_for_babies_children_and_adults() {
        let today = date(2026, 11, 21);
        let cases = [
            ("2026-11-21", Some("0d")),
            ("2026-11-20", Some("1d")),
            ("2026-10-25", Some("27d")),
            ("2026-10-24", Some("4w")),
            ("2026-10-20", Some("4w 4d")),
            ("2025-11-22", Some("52w")),
            ("2025-11-21", Some("12m")),
            ("2025-11-01", Some("12m 20d")),
            ("2024-11-22", Some("23m 30d")),
            ("2024-11-21", Some("2y")),
            ("2010-06-01", Some("16y 5m")),
            ("2008-11-22", Some("17y 11m")),
            ("2008-11-21", Some("18y")),
            ("1980-08-14", Some("46y")),
            ("1980-11-22", Some("45y")),
            ("1980-11-21", Some("46y")),
            ("2000-02-29", Some("26y")),
            ("1980-08", Some("46y")),
            ("1980-11", Some("about 46y")),
            ("1980-12", Some("45y")),
            ("1980", Some("about 46y")),
            ("2026", Some("0y")),
            ("2026-08", Some("about 3m")),
            ("2025-11", Some("about 12m")),
            ("2026-12", None),
            ("2027-01-01", None),
            ("2027", None),
        ];
        for (born, expected) in cases {
            let born: PartialDate = born.parse().unwrap();
            assert_eq!(show_age(born, today).as_deref(), expected, "born {born}");
        }
    }

    #[test]
    fn dates_are_ordered_with_less_exact_ones_earlier() {
        let mut texts = ["2025-03-02T10:00:00Z", "2025", "2025-03-02", "2025-03", "2024-12-31T23:59:00Z"];
        texts.sort_by_key(|text| order(text));
        assert_eq!(texts, ["2024-12-31T23:59:00Z", "2025", "2025-03", "2025-03-02", "2025-03-02T10:00:00Z"]);
        assert_eq!(order("soon"), None);
    }
}
