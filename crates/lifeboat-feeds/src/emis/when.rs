//! Dates of rows, as exact as the row says that they are.

use jiff::civil::{Date, Time};

use crate::dates::{self, Precision};
use crate::rows::RowRef;

/// When something was, as far as the row says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct When {
    /// The date or the time as FHIR writes it.
    pub(super) fhir: Option<String>,
    /// What is to be told beside it: that the date is not known, or what was written where no date could be read.
    pub(super) told: Option<String>,
    /// The column that holds no date although something is written there.
    pub(super) flaw: Option<&'static str>,
}

/// Reads a date and the column that says how exact it is: `YMDT`, `YMD`, `YM`, `Y` or `U` for not known.
pub(super) fn dated(row: RowRef<'_>, column: &'static str, precision: &str) -> When {
    let Some(text) = row.text(column) else {
        return When::default();
    };
    let exact = match row.text(precision) {
        Some("Y") => Precision::Year,
        Some("YM") => Precision::Month,
        Some("U") => {
            let told = format!("Date not known (written as {text})");
            return When { told: Some(told), ..When::default() };
        }
        _ => Precision::Day,
    };
    match dates::date_and_time(text) {
        Some((date, Some(time))) if exact == Precision::Day => When::at(date, time),
        Some((date, _)) => When { fhir: Some(dates::fhir_date(date, exact)), ..When::default() },
        None => When::unreadable(column, text),
    }
}

/// Reads the date of the column `EffectiveDate`.
pub(super) fn effective(row: RowRef<'_>) -> When {
    dated(row, "EffectiveDate", "EffectiveDatePrecision")
}

/// Reads a plain date.
pub(super) fn on(row: RowRef<'_>, column: &'static str) -> When {
    dated(row, column, "")
}

/// Reads when the row was entered: with its time where the version has one.
pub(super) fn entered(row: RowRef<'_>) -> When {
    let Some(text) = row.text("EnteredDate") else {
        return When::default();
    };
    let Some((date, with_date)) = dates::date_and_time(text) else {
        return When::unreadable("EnteredDate", text);
    };
    match row.text("EnteredTime").and_then(dates::time).or(with_date) {
        Some(time) => When::at(date, time),
        None => When { fhir: Some(dates::fhir_date(date, Precision::Day)), ..When::default() },
    }
}

impl When {
    fn at(date: Date, time: Time) -> Self {
        Self { fhir: Some(dates::local_date_time(date, time)), ..Self::default() }
    }

    fn unreadable(column: &'static str, text: &str) -> Self {
        let told = format!("Date as written: {text}");
        Self { told: Some(told), flaw: Some(column), fhir: None }
    }

    /// Returns the time, where it is one and not only a date.
    pub(super) fn instant(&self) -> Option<&str> {
        self.fhir.as_deref().filter(|text| text.contains('T'))
    }
}
