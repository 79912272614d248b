//! The plausibility check between a snapshot and its acceptance.
//!
//! A snapshot is compared with accepted history. What fails is *held*: sealed and replicated, but the
//! viewer keeps opening the accepted one until a person releases it. The rules see aggregate counts
//! only, and each reason says the number that was seen, what was expected, and the limit.
//!
//! * `invariants`: what holds of every good snapshot: readable inputs, right check digits, people who
//!   keep their names and birth dates, time that moves forward, no section that vanishes.
//! * `losses`: what went at once, of patients and of each section per patient who stayed.
//! * `drift`: what went little by little.
//! * `garbling`: text that is no text, and text that vanished or swelled.
//!
//! History begins anew with each snapshot that a person released: what they said is right is the new
//! measure. Only what was accepted counts, in the order of its numbers, however it is handed over.
//!
//! Losing more never turns a held snapshot into an accepted one, as long as what is lost more of is
//! patients with their share of items, or items. Gaining never holds a snapshot, except for a practice
//! that more than half again joins, which is another practice's data until a person says that it is not.

mod drift;
mod facts;
mod garbling;
mod invariants;
mod limits;
mod losses;
mod past;
mod reason;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use facts::{GateFacts, SectionFacts};
pub use limits::{DAYS_KEPT, SectionClass};
pub use reason::{GateReason, GateVerdict};

use past::Past;

/// Judges a snapshot against the accepted ones before it, of which there may be none.
///
/// The more days `accepted` reaches back (up to [`DAYS_KEPT`]), the slower a loss is noticed by `drift`;
/// the newest accepted snapshot must be among them.
#[must_use]
pub fn judge(accepted: &[GateFacts], candidate: &GateFacts) -> GateVerdict {
    let past = Past::of(accepted);
    let mut reasons = Vec::new();
    match past.newest() {
        None => reasons.extend(invariants::first(candidate)),
        Some(newest) => {
            for before in past.references(candidate) {
                reasons.extend(invariants::between(before, candidate));
                reasons.extend(losses::between(&past, before, candidate));
                reasons.extend(garbling::between(before, candidate));
            }
            reasons.extend(invariants::time(newest, candidate));
            reasons.extend(drift::along(&past, candidate));
        }
    }
    GateVerdict::of(reasons)
}
