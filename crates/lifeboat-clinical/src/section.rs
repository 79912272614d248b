//! The sections of a patient's record: their identifiers, order, titles, codes and states.
//!
//! The order of [`SectionId::ALL`] is the order in which a record holds its sections and in which a
//! viewer shows them. Each section carries two codes in the record's Composition: the local one (system
//! [`SECTION_SYSTEM`]), which says exactly which section it is, and the LOINC one where the
//! International Patient Summary has a section for it.
//!
//! A section always has a [`SectionState`]: that a source supplied nothing is never the same as that
//! it recorded nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The code system of [`SectionId::code`].
pub const SECTION_SYSTEM: &str = "urn:lifeboat:section";

/// The extension of a Composition section that carries its [`SectionState`].
pub const SECTION_STATE_EXTENSION: &str = "urn:lifeboat:section-state";

/// The extension of a Composition section that carries a sentence for the reader; it may repeat.
pub const SECTION_NOTE_EXTENSION: &str = "urn:lifeboat:section-note";

/// The extension of a source's Composition section that carries a [`SectionWarning`]; it may repeat.
pub const SECTION_WARNING_EXTENSION: &str = "urn:lifeboat:section-warning";

/// The code of a source's reason for a section without items that says: not supplied for this patient.
pub const SECTION_NOT_SUPPLIED: &str = "not-supplied";

/// The code system of LOINC codes in FHIR.
pub const LOINC_SYSTEM: &str = "http://loinc.org";

/// Names one section of a patient's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SectionId {
    /// Alerts, safeguarding, consent, legal information and advance decisions.
    Alerts,
    /// Allergies and adverse reactions, current and historical.
    Allergies,
    /// Current repeat medication.
    RepeatMedication,
    /// Acute medication of the last twelve months.
    AcuteMedication,
    /// Discontinued and completed medication.
    PastMedication,
    /// Active problems.
    ActiveProblems,
    /// Past and inactive problems.
    PastProblems,
    /// Consultations and other encounters.
    Encounters,
    /// Investigations and their results.
    Results,
    /// Vital signs and other measurements.
    Observations,
    /// Immunisations.
    Immunisations,
    /// Procedures.
    Procedures,
    /// Referrals.
    Referrals,
    /// Plans, recalls, tasks and appointments to come.
    Diary,
    /// Pregnancy.
    Pregnancy,
    /// Social history and functional status.
    SocialHistory,
    /// Everything that fits no other section.
    OtherItems,
}

/// One row of what is fixed about a section.
struct Facts {
    id: SectionId,
    code: &'static str,
    title: &'static str,
    loinc: Option<&'static str>,
}

const fn facts(id: SectionId, code: &'static str, title: &'static str, loinc: Option<&'static str>) -> Facts {
    Facts { id, code, title, loinc }
}

const FACTS: [Facts; 17] = {
    use SectionId as S;
    [
        facts(S::Alerts, "alerts", "Alerts", Some("104605-1")),
        facts(S::Allergies, "allergies", "Allergies and Adverse Reactions", Some("48765-2")),
        facts(S::RepeatMedication, "repeat-medication", "Current Repeat Medication", Some("10160-0")),
        facts(S::AcuteMedication, "acute-medication", "Acute Medication (Last 12 Months)", Some("10160-0")),
        facts(S::PastMedication, "past-medication", "Past Medication", Some("10160-0")),
        facts(S::ActiveProblems, "active-problems", "Active Problems and Issues", Some("11450-4")),
        facts(S::PastProblems, "past-problems", "Past Problems and Issues", Some("11348-0")),
        facts(S::Encounters, "encounters", "Encounters", None),
        facts(S::Results, "results", "Investigations and Results", Some("30954-2")),
        facts(S::Observations, "observations", "Observations", Some("8716-3")),
        facts(S::Immunisations, "immunisations", "Immunisations", Some("11369-6")),
        facts(S::Procedures, "procedures", "Procedures", Some("47519-4")),
        facts(S::Referrals, "referrals", "Referrals", Some("18776-5")),
        facts(S::Diary, "diary", "Diary and Recalls", Some("18776-5")),
        facts(S::Pregnancy, "pregnancy", "Pregnancy", Some("10162-6")),
        facts(S::SocialHistory, "social-history", "Social History", Some("29762-2")),
        facts(S::OtherItems, "other-items", "Other Items", None),
    ]
};

impl SectionId {
    /// Every section, in the order of the record.
    pub const ALL: [Self; 17] = {
        let mut all = [Self::Alerts; 17];
        let mut at = 0;
        while at < all.len() {
            all[at] = FACTS[at].id;
            at += 1;
        }
        all
    };

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// Returns the section's local code, such as `repeat-medication`.
    pub fn code(self) -> &'static str {
        self.facts().code
    }

    /// Returns the title that clinicians read.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// Returns the LOINC code of the matching section of an International Patient Summary.
    pub fn loinc(self) -> Option<&'static str> {
        self.facts().loinc
    }

    /// Returns the place of the section in the record, from zero.
    pub fn order(self) -> usize {
        self as usize
    }
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Says that a text is not the local code of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a section")]
pub struct UnknownSection;

impl FromStr for SectionId {
    type Err = UnknownSection;

    fn from_str(text: &str) -> Result<Self, UnknownSection> {
        FACTS.iter().find(|facts| facts.code == text).map(|facts| facts.id).ok_or(UnknownSection)
    }
}

/// Says what the absence or presence of items in a section means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SectionState {
    /// The section holds items.
    Recorded,
    /// The source supplies such items and has none for this patient.
    NoneRecorded,
    /// The feed supplies no items of this kind for anybody.
    NotSupplied,
    /// The source has withheld the section.
    Withheld,
    /// The section exists at the source and is not readable in this copy.
    Unavailable,
}

impl SectionState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Recorded, Self::NoneRecorded, Self::NotSupplied, Self::Withheld, Self::Unavailable];

    /// Returns the state's code in the record, such as `none-recorded`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::NoneRecorded => "none-recorded",
            Self::NotSupplied => "not-supplied",
            Self::Withheld => "withheld",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for SectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for SectionState {
    type Err = UnknownSectionState;

    fn from_str(text: &str) -> Result<Self, UnknownSectionState> {
        Self::ALL.into_iter().find(|state| state.code() == text).ok_or(UnknownSectionState)
    }
}

/// Says that a text is not the code of a section's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a section's state")]
pub struct UnknownSectionState;

/// What a source says against the completeness of one of its sections.
///
/// The first three are the warning codes of GP Connect's lists; their sentences are those that GP Connect
/// has systems show, because clinicians know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SectionWarning {
    /// Items were left out because they are confidential.
    ConfidentialItems,
    /// The record is still on its way from the previous practice.
    DataInTransit,
    /// The record has arrived and not all of it has been filed.
    DataAwaitingFiling,
    /// The source sends the newest items only.
    Truncated,
    /// Some items could not be read.
    PartlyUnreadable,
}

impl SectionWarning {
    /// Every warning.
    pub const ALL: [Self; 5] = [
        Self::ConfidentialItems,
        Self::DataInTransit,
        Self::DataAwaitingFiling,
        Self::Truncated,
        Self::PartlyUnreadable,
    ];

    /// Returns the warning's code, such as `data-in-transit`.
    pub fn code(self) -> &'static str {
        match self {
            Self::ConfidentialItems => "confidential-items",
            Self::DataInTransit => "data-in-transit",
            Self::DataAwaitingFiling => "data-awaiting-filing",
            Self::Truncated => "truncated",
            Self::PartlyUnreadable => "partly-unreadable",
        }
    }

    /// Returns what a clinician reads.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::ConfidentialItems => "Items excluded due to confidentiality and/or patient preferences.",
            Self::DataInTransit => {
                "Patient record transfer from previous GP practice not yet complete; information may be missing."
            }
            Self::DataAwaitingFiling => {
                "Patient record transfer from previous GP practice has not been filed yet; information may be missing."
            }
            Self::Truncated => "The source sent the newest items only; older ones exist there.",
            Self::PartlyUnreadable => "Some items of the source could not be read and are not in this copy.",
        }
    }

    /// Returns what the warning makes of a section without items, which is never that none are recorded.
    pub fn state_without_items(self) -> SectionState {
        match self {
            Self::ConfidentialItems => SectionState::Withheld,
            Self::DataInTransit | Self::DataAwaitingFiling | Self::Truncated | Self::PartlyUnreadable => {
                SectionState::Unavailable
            }
        }
    }
}

impl FromStr for SectionWarning {
    type Err = UnknownSectionState;

    fn from_str(text: &str) -> Result<Self, UnknownSectionState> {
        Self::ALL.into_iter().find(|warning| warning.code() == text).ok_or(UnknownSectionState)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_found_by_its_code_and_stands_at_its_order() {
        for (at, section) in SectionId::ALL.into_iter().enumerate() {
            assert_eq!(section.order(), at, "{section}");
            assert_eq!(section.code().parse(), Ok(section));
            let json = serde_json::to_string(&section).expect("a unit variant is a string");
            assert_eq!(json, format!("\"{}\"", section.code()));
        }
        assert_eq!("Allergies".parse::<SectionId>(), Err(UnknownSection));
    }

    #[test]
    fn every_state_is_found_by_its_code() {
        for state in SectionState::ALL {
            assert_eq!(state.code().parse(), Ok(state));
            let json = serde_json::to_string(&state).expect("a unit variant is a string");
            assert_eq!(json, format!("\"{}\"", state.code()));
        }
        assert_eq!("none".parse::<SectionState>(), Err(UnknownSectionState));
    }
}
