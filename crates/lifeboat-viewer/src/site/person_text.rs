//! Dates and ages of people as the NHS shows them in lists: `14-Aug-1980`, `Aug-1980`, `46y`.

use jiff::Unit;
use jiff::civil::Date;
use lifeboat_clinical::date::PartialDate;

/// Shows a date as exactly as it is known and no more.
pub(super) fn show_partial(date: PartialDate) -> String {
    let latest = date.latest();
    match (date.month(), date.day()) {
        (Some(_), Some(_)) => latest.strftime("%d-%b-%Y").to_string(),
        (Some(_), None) => latest.strftime("%b-%Y").to_string(),
        _ => latest.strftime("%Y").to_string(),
    }
}

/// Returns the age on a day: days, weeks and months for the youngest, then years; nothing for the unborn, or when
/// the birth is known only to the year or month and the age would be a guess of more than one unit.
pub(super) fn age(born: PartialDate, today: Date) -> Option<String> {
    let Some(exact) = born.exact() else {
        let years = today.year() - born.year();
        return (years > 1).then(|| format!("about {years}y"));
    };
    let whole = |unit| exact.until((unit, today)).ok();
    let days = whole(Unit::Day)?.get_days();
    let (months, years) = (whole(Unit::Month)?.get_months(), whole(Unit::Year)?.get_years());
    match () {
        () if exact > today => None,
        () if days < 28 => Some(format!("{days}d")),
        () if years < 1 => Some(format!("{}w", days / 7)),
        () if years < 2 => Some(format!("{months}m")),
        () => Some(format!("{years}y")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_ages_are_shown_as_exactly_as_they_are_known() {
        let today = jiff::civil::date(2026, 11, 21);
        let cases = [
            ("1980-08-14", "14-Aug-1980", Some("46y")),
            ("1980-11-21", "21-Nov-1980", Some("46y")),
            ("1980-11-22", "22-Nov-1980", Some("45y")),
            ("1980-08", "Aug-1980", Some("about 46y")),
            ("1980", "1980", Some("about 46y")),
            ("2026-11-03", "03-Nov-2026", Some("18d")),
            ("2026-08-21", "21-Aug-2026", Some("13w")),
            ("2025-07-21", "21-Jul-2025", Some("16m")),
            ("2027-01-01", "01-Jan-2027", None),
        ];
        for (text, shown, expected) in cases {
            let born: PartialDate = text.parse().expect("a date");
            assert_eq!(show_partial(born), shown);
            assert_eq!(age(born, today).as_deref(), expected, "{text}");
        }
    }
}
