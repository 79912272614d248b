//! The plausibility check between a snapshot and its acceptance.
//!
//! A snapshot is compared with the newest accepted one. What fails is *held*: sealed and replicated,
//! but the viewer keeps opening the accepted one. The rules are deliberately few and blunt; they stop
//! the losses that reach a whole practice at once: an empty extract, a shrunken patient list, a
//! clinical section that has disappeared or thinned out, and losses that coincide with inputs that
//! could not be read. They see aggregate counts only.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// Share of patients, in per cent, that may leave in one snapshot before it is held.
pub const PATIENTS_LOST_PERCENT_MAX: u64 = 2;
/// Number of patients that may always leave in one snapshot, however small the practice.
pub const PATIENTS_LOST_MIN: u64 = 5;
/// Share of a watched section's items, in per cent, that may go in one snapshot before it is held.
pub const ITEMS_LOST_PERCENT_MAX: u64 = 10;
/// Number of a watched section's items that may always go in one snapshot.
pub const ITEMS_LOST_MIN: u64 = 20;
/// How far the clock of the host may go back between snapshots.
pub const CLOCK_BACK_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Sections whose thinning out endangers patients most.
pub const WATCHED_SECTIONS: [&str; 4] =
    ["allergies", "repeat-medication", "acute-medication", "active-problems"];

/// Aggregate counts of one snapshot, as its manifest carries them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateFacts {
    /// Patients in the snapshot.
    pub patients: u64,
    /// Items per section, by section id.
    pub items: BTreeMap<String, u64>,
    /// Inputs that could not be read.
    pub unreadable: u64,
    /// Patients of the accepted snapshot whom the source no longer names, whoever else has come.
    pub patients_gone: u64,
    /// When the snapshot was taken, by the clock of the host.
    pub taken: Option<Timestamp>,
}

/// One reason why a snapshot is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateReason {
    /// Stable code, for programs and dashboards.
    pub code: &'static str,
    /// The numbers behind it; never anything about one patient.
    pub detail: String,
}

/// What the gate says of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum GateVerdict {
    /// Plausible: it becomes the newest accepted snapshot.
    Accepted,
    /// Not plausible: kept and replicated, but not opened by default.
    Held(Vec<GateReason>),
}

/// Judges a snapshot against the newest accepted one, if there is one.
///
/// The first snapshot of a site is accepted unless it holds no patient at all: a practice without
/// patients is a wrong folder or an export that has not come yet.
#[must_use]
pub fn judge(accepted: Option<&GateFacts>, candidate: &GateFacts) -> GateVerdict {
    let mut reasons = Vec::new();
    match accepted {
        None if candidate.patients == 0 => reasons.push(GateReason {
            code: "nothing-yet",
            detail: format!("0 patients read, {} inputs could not be read", candidate.unreadable),
        }),
        None => {}
        Some(accepted) => {
            reasons.extend(patients_lost(accepted, candidate));
            reasons.extend(items_lost(accepted, candidate));
            reasons.extend(sections_vanished(accepted, candidate));
            reasons.extend(clock_back(accepted, candidate));
            reasons.extend(loss_with_unreadable(accepted, candidate));
        }
    }
    if reasons.is_empty() { GateVerdict::Accepted } else { GateVerdict::Held(reasons) }
}

fn patients_lost(accepted: &GateFacts, candidate: &GateFacts) -> Option<GateReason> {
    if candidate.patients == 0 && accepted.patients > 0 {
        return Some(GateReason {
            code: "empty",
            detail: format!("0 patients, {} in the accepted snapshot", accepted.patients),
        });
    }
    let lost = accepted.patients.saturating_sub(candidate.patients).max(candidate.patients_gone);
    let tolerated = PATIENTS_LOST_MIN.max(accepted.patients * PATIENTS_LOST_PERCENT_MAX / 100);
    (lost > tolerated).then(|| GateReason {
        code: "patients-lost",
        detail: format!(
            "{lost} of {} patients in the accepted snapshot are gone, {} patients now; at most {tolerated} may leave \
             at once",
            accepted.patients, candidate.patients
        ),
    })
}

/// Day lists and ages hang on the clock, so a snapshot from before the accepted one is not believed.
fn clock_back(accepted: &GateFacts, candidate: &GateFacts) -> Option<GateReason> {
    let (before, now) = (accepted.taken?, candidate.taken?);
    (now.duration_since(before) < -CLOCK_BACK_MAX).then(|| GateReason {
        code: "clock-back",
        detail: format!(
            "taken {now}, the accepted snapshot was taken {before}; one of the two clocks is wrong"
        ),
    })
}

fn items_lost(accepted: &GateFacts, candidate: &GateFacts) -> Vec<GateReason> {
    WATCHED_SECTIONS
        .iter()
        .filter_map(|section| {
            let before = accepted.items.get(*section).copied().unwrap_or(0);
            let now = candidate.items.get(*section).copied().unwrap_or(0);
            let tolerated = ITEMS_LOST_MIN.max(before * ITEMS_LOST_PERCENT_MAX / 100);
            (before.saturating_sub(now) > tolerated).then(|| GateReason {
                code: "items-lost",
                detail: format!(
                    "{section}: {now} items, {before} in the accepted snapshot; at most {tolerated} may go at once"
                ),
            })
        })
        .collect()
}

fn sections_vanished(accepted: &GateFacts, candidate: &GateFacts) -> Vec<GateReason> {
    accepted
        .items
        .iter()
        .filter(|(section, before)| {
            **before >= 5
                && candidate.items.get(*section).copied().unwrap_or(0) == 0
                && candidate.patients > 0
        })
        .map(|(section, before)| GateReason {
            code: "section-vanished",
            detail: format!("{section}: no items, {before} in the accepted snapshot"),
        })
        .collect()
}

/// Something shrank in the very snapshot in which more inputs than before were unreadable.
fn loss_with_unreadable(accepted: &GateFacts, candidate: &GateFacts) -> Option<GateReason> {
    if candidate.unreadable <= accepted.unreadable {
        return None;
    }
    let patients = accepted.patients.saturating_sub(candidate.patients);
    let items: u64 = accepted
        .items
        .iter()
        .filter(|(section, _)| WATCHED_SECTIONS.contains(&section.as_str()))
        .map(|(section, before)| before.saturating_sub(candidate.items.get(section).copied().unwrap_or(0)))
        .sum();
    (patients + items > 0).then(|| GateReason {
        code: "loss-with-unreadable-inputs",
        detail: format!(
            "{} inputs could not be read ({} before) and {patients} patients and {items} watched items are gone",
            candidate.unreadable, accepted.unreadable
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::{GateFacts, GateVerdict, judge};
    use jiff::{SignedDuration, Timestamp};

    fn facts(patients: u64, allergies: u64, unreadable: u64) -> GateFacts {
        GateFacts {
            patients,
            items: [("allergies".to_owned(), allergies), ("immunisations".to_owned(), allergies * 2)].into(),
            unreadable,
            ..GateFacts::default()
        }
    }

    fn codes(verdict: &GateVerdict) -> Vec<&'static str> {
        match verdict {
            GateVerdict::Accepted => vec![],
            GateVerdict::Held(reasons) => reasons.iter().map(|reason| reason.code).collect(),
        }
    }

    #[test]
    fn the_verdict_follows_the_losses() {
        let accepted = facts(1_000, 400, 0);
        let rows: &[(&str, GateFacts, &[&str])] = &[
            ("unchanged", facts(1_000, 400, 0), &[]),
            ("grown", facts(1_100, 440, 0), &[]),
            ("twenty left", facts(980, 392, 0), &[]),
            ("twenty-one left", facts(979, 392, 0), &["patients-lost"]),
            ("empty", facts(0, 0, 0), &["empty", "items-lost"]),
            ("allergies blanked by a tenth", facts(1_000, 360, 0), &[]),
            ("allergies blanked by more", facts(1_000, 359, 0), &["items-lost"]),
            (
                "all allergies gone",
                facts(1_000, 0, 0),
                &["items-lost", "section-vanished", "section-vanished"],
            ),
            ("a file garbled, nothing lost", facts(1_000, 400, 1), &[]),
            ("a file garbled, one patient lost", facts(999, 400, 1), &["loss-with-unreadable-inputs"]),
        ];
        for (name, candidate, expected) in rows {
            assert_eq!(codes(&judge(Some(&accepted), candidate)), *expected, "{name}");
        }
    }

    #[test]
    fn a_site_starts_with_whatever_is_readable() {
        assert_eq!(judge(None, &facts(3, 1, 2)), GateVerdict::Accepted);
        assert_eq!(codes(&judge(None, &facts(0, 0, 0))), ["nothing-yet"]);
        assert_eq!(codes(&judge(None, &facts(0, 0, 2))), ["nothing-yet"]);
    }

    #[test]
    fn a_small_practice_may_lose_five_patients_at_once() {
        let accepted = facts(20, 8, 0);
        assert_eq!(judge(Some(&accepted), &facts(15, 6, 0)), GateVerdict::Accepted);
        assert_eq!(codes(&judge(Some(&accepted), &facts(14, 6, 0))), ["patients-lost"]);
    }

    #[test]
    fn another_practice_of_the_same_size_is_not_taken_for_this_one() {
        let accepted = facts(1_000, 400, 0);
        let replaced = |patients_gone| GateFacts { patients_gone, ..facts(1_000, 400, 0) };
        assert_eq!(judge(Some(&accepted), &replaced(20)), GateVerdict::Accepted);
        assert_eq!(codes(&judge(Some(&accepted), &replaced(21))), ["patients-lost"]);
        assert_eq!(codes(&judge(Some(&accepted), &replaced(1_000))), ["patients-lost"]);
    }

    #[test]
    fn a_clock_that_went_back_holds_the_snapshot() {
        let at = |minute: i64| Some(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(1_000_000 + minute));
        let accepted = GateFacts { taken: at(0), ..facts(1_000, 400, 0) };
        let taken = |minute| GateFacts { taken: at(minute), ..facts(1_000, 400, 0) };
        for (minute, expected) in
            [(5, vec![]), (-5, vec![]), (-6, vec!["clock-back"]), (-4_000, vec!["clock-back"])]
        {
            assert_eq!(codes(&judge(Some(&accepted), &taken(minute))), expected, "{minute}");
        }
    }
}
