//! How far back each section goes, by the site's [`Windows`]; this is what they are unless it says otherwise:
//!
//! | section | held |
//! |---|---|
//! | alerts, allergies, repeat medication, problems, immunisations, procedures, diary | all |
//! | acute medication | began in the last 12 months, or still running |
//! | past medication, encounters | 24 months, and always the last 3 |
//! | results, observations, social history, pregnancy | 12 months, and always the latest of each |
//! | referrals | 12 months, and always those that are open and the last 3 |
//! | other items | all, but of claims, past appointments and other traffic 12 months |
//!
//! A window begins on the first of a month. An item without a date is always held; a date known to the
//! year or month counts as its last day. No window
//! empties a section of what matters, so that *old* never reads as *none*. What a held report or panel is made of is held with it. Whenever
//! something was left out, the section says so.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::classify::Item;
use super::held::{Held, key_of};
use crate::date::{clinical, window_start};
use crate::json;
use crate::section::SectionId;

/// How often members of members are followed.
const MEMBER_ROUNDS: usize = 4;

/// How many months of each section that grows without end are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Windows {
    /// Past medication.
    pub past_medication: u16,
    /// Consultations and other encounters.
    pub encounters: u16,
    /// Investigations and results.
    pub results: u16,
    /// Vital signs and other measurements, social history, pregnancy.
    pub observations: u16,
    /// Referrals.
    pub referrals: u16,
    /// Past appointments, messages, claims and the like among other items.
    pub other_items: u16,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            past_medication: 24,
            encounters: 24,
            results: 12,
            observations: 12,
            referrals: 12,
            other_items: 12,
        }
    }
}

enum Window {
    All,
    Months { months: i32, besides: Besides },
}

/// What is held although it is older.
#[derive(Clone, Copy)]
enum Besides {
    LatestOfEach,
    LastThree,
    OpenOrLastThree,
    AllButTraffic,
}

fn window(section: SectionId, windows: &Windows) -> Window {
    use SectionId as S;
    let (months, besides) = match section {
        S::Alerts
        | S::Allergies
        | S::RepeatMedication
        | S::AcuteMedication
        | S::ActiveProblems
        | S::PastProblems
        | S::Immunisations
        | S::Procedures
        | S::Diary => return Window::All,
        S::PastMedication => (windows.past_medication, Besides::LastThree),
        S::Encounters => (windows.encounters, Besides::LastThree),
        S::Results => (windows.results, Besides::LatestOfEach),
        S::Observations | S::SocialHistory | S::Pregnancy => (windows.observations, Besides::LatestOfEach),
        S::Referrals => (windows.referrals, Besides::OpenOrLastThree),
        S::OtherItems => (windows.other_items, Besides::AllButTraffic),
    };
    Window::Months { months: i32::from(months), besides }
}

/// Resource types that record traffic rather than care.
fn is_traffic(name: &str) -> bool {
    matches!(
        name,
        "Account"
            | "Appointment"
            | "AppointmentResponse"
            | "AuditEvent"
            | "ChargeItem"
            | "Claim"
            | "ClaimResponse"
            | "Communication"
            | "CommunicationRequest"
            | "CoverageEligibilityRequest"
            | "CoverageEligibilityResponse"
            | "ExplanationOfBenefit"
            | "Invoice"
            | "MessageHeader"
            | "PaymentNotice"
            | "PaymentReconciliation"
            | "Provenance"
            | "Specimen"
            | "SupplyDelivery"
            | "SupplyRequest"
            | "Task"
    )
}

/// Drops the items that lie outside their section's window; `items` are sorted by section, newest
/// first. Returns the note of every section that lost some.
pub(super) fn apply(items: &mut Vec<Item<'_>>, windows: &Windows, today: Date) -> Vec<(SectionId, String)> {
    let mut held: Vec<bool> = Vec::with_capacity(items.len());
    let mut latest = HashSet::new();
    let mut newer = [0; SectionId::ALL.len()];
    for item in items.iter() {
        held.push(is_held(item, windows, today, &mut latest, &mut newer));
    }
    hold_members(items, &mut held);
    let mut notes: Vec<(SectionId, String)> = Vec::new();
    for (item, held) in items.iter().zip(&held) {
        if !held && notes.last().map(|(section, _)| *section) != Some(item.section) {
            notes.extend(note(item.section, windows, today).map(|note| (item.section, note)));
        }
    }
    let mut held = held.into_iter();
    items.retain(|_| held.next().unwrap_or(true));
    notes
}

fn is_held<'i>(
    item: &'i Item<'_>,
    windows: &Windows,
    today: Date,
    latest: &mut HashSet<(SectionId, crate::fhir::ResourceType, &'i str)>,
    newer: &mut [u32; SectionId::ALL.len()],
) -> bool {
    let Window::Months { months, besides } = window(item.section, windows) else {
        return true;
    };
    let recent = item.until.is_none_or(|until| until >= window_start(today, months));
    let exempt = match besides {
        Besides::LatestOfEach => {
            let code = item.code.as_deref().unwrap_or_default();
            let first = latest.insert((item.section, item.held.kind, code));
            first || item.held.kind.name() == "Condition"
        }
        Besides::LastThree | Besides::OpenOrLastThree => {
            let before = &mut newer[item.section.order()];
            *before += 1;
            *before <= 3 || (item.open && matches!(besides, Besides::OpenOrLastThree))
        }
        Besides::AllButTraffic => !is_traffic(item.held.kind.name()),
    };
    recent || exempt
}

/// Holds what held reports and panels are made of.
fn hold_members(items: &[Item<'_>], held: &mut [bool]) {
    if held.iter().all(|held| *held) {
        return;
    }
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        if !held[at] {
            places.extend(item.held.keys().map(|key| (key, at)));
        }
    }
    let mut newly: Vec<usize> = (0..items.len()).filter(|at| held[*at]).collect();
    for _ in 0..MEMBER_ROUNDS {
        let mut found = Vec::new();
        for at in newly {
            for key in member_keys(&items[at].held) {
                if let Some(member) = places.get(&key).filter(|member| !held[**member]) {
                    held[*member] = true;
                    found.push(*member);
                }
            }
        }
        if found.is_empty() {
            return;
        }
        newly = found;
    }
}

/// Returns the keys of the observations that a report or a panel is made of.
pub(super) fn member_keys<'p>(held: &Held<'p>) -> Vec<Cow<'p, str>> {
    let mut keys = Vec::new();
    if matches!(held.kind.name(), "DiagnosticReport" | "Observation") {
        let members = [held.members.result, held.members.members];
        for value in members.into_iter().flatten() {
            json::each_reference(value, |reference| keys.push(key_of(reference)));
        }
    }
    keys
}

fn note(section: SectionId, windows: &Windows, today: Date) -> Option<String> {
    let Window::Months { months, besides } = window(section, windows) else {
        return None;
    };
    let date = clinical(window_start(today, months));
    Some(match besides {
        Besides::LatestOfEach => {
            format!("Items before {date} are not held in this copy, except the latest of each.")
        }
        Besides::LastThree => {
            format!("Items before {date} are not held in this copy, except the last 3.")
        }
        Besides::OpenOrLastThree => format!(
            "Items before {date} are not held in this copy, except those that are open and the last 3."
        ),
        Besides::AllButTraffic => format!(
            "Past appointments, messages, claims and the like before {date} are not held in this copy."
        ),
    })
}
