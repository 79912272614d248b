//! What went at once: patients, and each section's patients and items per patient who stayed.
//!
//! A section is expected to shrink by the share of patients who left, and not by more. Whoever joins can
//! only add to it, so a merger with a practice that records less does not look like a loss.

use super::facts::{GateFacts, SectionFacts, float};
use super::limits::{
    OTHER_LOST, OTHER_LOST_FLOOR, PATIENTS_LOST, PATIENTS_LOST_FLOOR, SPREADS, SectionClass, WATCHED_LOST,
    WATCHED_LOST_FLOOR, WATCHED_LOST_MAX,
};
use super::past::Past;
use super::reason::{GateReason, percent};

/// Makes the median absolute deviation comparable with a standard deviation.
const SPREAD_OF_DEVIATION: f64 = 1.4826;

/// One of the two numbers of a section.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Patients,
    Items,
}

impl Measure {
    pub(super) const ALL: [Self; 2] = [Self::Patients, Self::Items];

    pub(super) fn of(self, section: SectionFacts) -> f64 {
        match self {
            Self::Patients => float(section.patients),
            Self::Items => float(section.items),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Patients => "patients",
            Self::Items => "items",
        }
    }
}

/// Compares a candidate with one accepted snapshot.
pub(super) fn between(past: &Past<'_>, before: &GateFacts, now: &GateFacts) -> Vec<GateReason> {
    let mut reasons = Vec::new();
    reasons.extend(patients(before, now));
    for id in before.sections.keys() {
        let rule = match SectionClass::of(id) {
            SectionClass::Watched => Rule {
                code: "items-lost",
                share: WATCHED_LOST,
                share_max: WATCHED_LOST_MAX,
                floor: WATCHED_LOST_FLOOR,
            },
            SectionClass::Other => {
                Rule { code: "items-lost", share: OTHER_LOST, share_max: OTHER_LOST, floor: OTHER_LOST_FLOOR }
            }
            SectionClass::Calendar => continue,
        };
        for measure in Measure::ALL {
            reasons.extend(rule.section(past, id, measure, before, now));
        }
    }
    reasons
}

fn patients(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let gone = float(now.gone_since(before));
    let tolerated = PATIENTS_LOST_FLOOR.max(float(before.patients) * PATIENTS_LOST);
    (gone > tolerated).then(|| {
        GateReason::new(
            "patients-lost",
            format!(
                "patients: {gone} of {} are gone ({}), {} are there now; at most {tolerated:.0} may leave at once",
                before.patients,
                percent(gone / float(before.patients)),
                now.patients
            ),
        )
    })
}

/// How much of a section may go at once.
struct Rule {
    code: &'static str,
    share: f64,
    share_max: f64,
    floor: f64,
}

impl Rule {
    fn section(
        &self,
        past: &Past<'_>,
        id: &str,
        measure: Measure,
        before: &GateFacts,
        now: &GateFacts,
    ) -> Option<GateReason> {
        let stayed = now.stayed_since(before);
        let expected = measure.of(before.section(id)) * stayed;
        let seen = measure.of(now.section(id));
        if seen >= expected {
            return None;
        }
        let usual = || past.usual_change(|one, two| change(id, measure, one, two));
        let quick = (self.floor * stayed).max(expected * self.share);
        if expected - seen <= quick {
            return None;
        }
        let share = match usual() {
            Some((middle, deviation)) => {
                (SPREADS * SPREAD_OF_DEVIATION * deviation - middle).clamp(self.share, self.share_max)
            }
            None => self.share,
        };
        let tolerated = (self.floor * stayed).max(expected * share);
        (expected - seen > tolerated).then(|| {
            GateReason::new(
                self.code,
                format!(
                    "{id} {}: {seen:.0} seen, {expected:.0} expected of those who stayed ({} lost); at least {:.0} must \
                     be there",
                    measure.name(),
                    percent((expected - seen) / expected),
                    expected - tolerated
                ),
            )
        })
    }
}

/// The relative change of one of a section's numbers, per patient who stayed.
pub(super) fn change(id: &str, measure: Measure, before: &GateFacts, now: &GateFacts) -> Option<f64> {
    let expected = measure.of(before.section(id)) * now.stayed_since(before);
    (expected > 0.0).then(|| measure.of(now.section(id)) / expected - 1.0)
}
