//! A record's bytes as what a clinician reads: banner, allergy header, sections with tables. No HTML.
//!
//! Names, dates, NHS numbers and allergies are shown by the rules of the NHS; section titles, columns,
//! orders and sentences are those that general practitioners know from GP Connect. The source's own words
//! and numbers are never rewritten, unknown structures are listed and not dropped, and the text that a
//! source rendered for people is never shown, since it may hold anything.
//!
//! [`patient_view`] and [`day_list_view`] never panic, whatever the bytes.

mod allergies;
#[cfg(test)]
mod allergy_tests;
mod banner;
#[cfg(test)]
mod completeness_tests;
mod datatypes;
mod dates;
mod day_list;
mod entries;
mod held;
mod leftover;
mod medication;
mod names;
mod node;
#[cfg(test)]
mod practice_tests;
mod row;
mod sections;
mod shape;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use held::{Held, kind_of};
use node::{At, TreeError};

pub use day_list::day_list_view;
pub use shape::{
    AllergyHeader, AllergyLine, Banner, BannerFlag, CellView, DayListView, Emphasis, Field, HalfDay,
    PatientView, RowView, SectionView, SessionView, SlotView, TableView,
};

pub(crate) use crate::date::london;

/// What keeps a record from being shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The record is not text in UTF-8.
    #[error("the record is not text in UTF-8")]
    NotText(#[source] std::str::Utf8Error),
    /// The record is not JSON.
    #[error("the record is not well-formed JSON")]
    NotJson(#[source] serde_json::Error),
    /// The record is nested more deeply than any FHIR document.
    #[error("the record is nested too deeply")]
    TooDeep,
    /// The record is not a FHIR Bundle.
    #[error("the record is not a FHIR Bundle")]
    NotABundle,
}

impl ViewError {
    fn from_tree(error: TreeError) -> Self {
        match error {
            TreeError::Text(cause) => Self::NotText(cause),
            TreeError::Syntax(cause) => Self::NotJson(cause),
            TreeError::Depth => Self::TooDeep,
        }
    }
}

/// Reads a patient's record as it is shown on `today`.
pub fn patient_view(record: &[u8], today: Date) -> Result<PatientView, ViewError> {
    let tree = node::parse(record).map_err(ViewError::from_tree)?;
    let bundle = At::root(&tree);
    if kind_of(bundle) != Some("Bundle") {
        return Err(ViewError::NotABundle);
    }
    let held = Held::of_bundle(bundle);
    let patient = held.first("Patient").map_or(At::NOTHING, |(_, patient)| patient);
    let (mut banner, person) = banner::person(&held, patient, today);
    let (allergies, alerts, sections) = sections::sections(&held);
    banner.alerts = alerts;
    Ok(PatientView { banner, allergies, person, sections })
}
