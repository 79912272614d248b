//! What went little by little: the losses of each day, added up over a week, a month and a quarter.
//!
//! Each day is compared with the day before it, and gains count only up to a little, so that a merger or
//! a busy week does not hide a drain.

use super::facts::{GateFacts, float};
use super::limits::{DRIFT, DRIFT_FLOOR, DRIFT_GAIN_MAX, SectionClass};
use super::losses::{Measure, change};
use super::past::Past;
use super::reason::{GateReason, percent};
use jiff::SignedDuration;

/// Adds up the losses along accepted history and the candidate.
pub(super) fn along(past: &Past<'_>, candidate: &GateFacts) -> Vec<GateReason> {
    let mut reasons = Vec::new();
    for (days, patients_share, watched_share) in DRIFT {
        let window = window(past, candidate, days);
        let Some(anchor) = window.first() else { continue };
        if window.len() < 3 {
            continue;
        }
        let patients = |before: &GateFacts, now: &GateFacts| {
            (before.patients > 0).then(|| float(now.patients) / float(before.patients) - 1.0)
        };
        reasons.extend(
            drained(&window, float(anchor.patients), patients_share, patients)
                .map(|lost| reason("patients-drained", "patients", days, lost, patients_share)),
        );
        let watched = anchor.sections.keys().filter(|id| SectionClass::of(id) == SectionClass::Watched);
        for (id, measure) in watched.flat_map(|id| Measure::ALL.map(|measure| (id, measure))) {
            let size = measure.of(anchor.section(id));
            let lost = drained(&window, size, watched_share, |before, now| change(id, measure, before, now));
            let subject = format!("{id} {}", measure.name());
            reasons.extend(lost.map(|lost| reason("items-drained", &subject, days, lost, watched_share)));
        }
    }
    reasons
}

/// The days of history within a window, the candidate last.
fn window<'a>(past: &Past<'a>, candidate: &'a GateFacts, days: i64) -> Vec<&'a GateFacts> {
    let span = SignedDuration::from_hours(24 * days);
    let within = |facts: &&&GateFacts| match (facts.taken, candidate.taken) {
        (Some(before), Some(now)) => now.duration_since(before) <= span,
        _ => false,
    };
    past.daily().iter().filter(within).copied().chain([candidate]).collect()
}

/// Returns the share that was lost over a window, if it is beyond the limit.
fn drained(
    window: &[&GateFacts],
    size: f64,
    limit: f64,
    change: impl Fn(&GateFacts, &GateFacts) -> Option<f64>,
) -> Option<f64> {
    let left: f64 = window
        .windows(2)
        .filter_map(|pair| change(pair[0], pair[1]))
        .map(|change| 1.0 + change.min(DRIFT_GAIN_MAX))
        .product();
    let lost = 1.0 - left;
    (lost > limit && lost * size > DRIFT_FLOOR).then_some(lost)
}

fn reason(code: &'static str, subject: &str, days: i64, lost: f64, limit: f64) -> GateReason {
    GateReason::new(
        code,
        format!(
            "{subject}: {} lost little by little within {days} days; at most {} may go",
            percent(lost),
            percent(limit)
        ),
    )
}
