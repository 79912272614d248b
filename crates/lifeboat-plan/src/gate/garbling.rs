//! Text that is no text, and text that vanished or swelled.

use super::facts::{GateFacts, float};
use super::limits::{DAMAGED, DAMAGED_FLOOR, GARBLED, GARBLED_FLOOR, TEXT_GROWN, TEXT_LOST, TEXT_MIN};
use super::reason::{GateReason, percent};

/// Compares a candidate with one accepted snapshot.
pub(super) fn between(before: &GateFacts, now: &GateFacts) -> Vec<GateReason> {
    let mut reasons = Vec::new();
    reasons.extend(garbled(before, now).or_else(|| damaged(before, now)));
    reasons.extend(text_lost(before, now));
    reasons.extend(text_grown(before, now));
    reasons
}

fn garbled(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let (was, is) = (before.quality?.garbled, now.quality?.garbled);
    let tolerated = GARBLED_FLOOR.max(float(before.patients) * GARBLED);
    (float(is) > float(was) + tolerated).then(|| {
        GateReason::new(
            "garbled",
            format!(
                "garbled records: {is} patients have text that cannot be right, {was} had it before; at most {:.0} may",
                float(was) + tolerated
            ),
        )
    })
}

/// Records that were overwritten show here as text, there as inputs that cannot be read; both count together.
fn damaged(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let garbled = now.quality?.garbled.saturating_sub(before.quality?.garbled);
    let unreadable = now.unreadable.saturating_sub(before.unreadable);
    let tolerated = DAMAGED_FLOOR.max(float(before.patients) * DAMAGED);
    (garbled > 0 && unreadable > 0 && float(garbled + unreadable) > tolerated).then(|| {
        GateReason::new(
            "damaged",
            format!(
                "damaged records: {garbled} more are garbled and {unreadable} more inputs cannot be read; at most \
                 {tolerated:.0} may"
            ),
        )
    })
}

fn text_lost(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let (was, is) = (before.quality?.characters, now.quality?.characters);
    let expected = float(was) * now.stayed_since(before);
    let is_lost = was >= TEXT_MIN && float(is) < expected * (1.0 - TEXT_LOST);
    is_lost.then(|| {
        GateReason::new(
            "text-lost",
            format!(
                "text: about {is} characters seen, {expected:.0} expected of those who stayed; at most {} may go at once",
                percent(TEXT_LOST)
            ),
        )
    })
}

/// Text that swells without a new section being supplied is text that was encoded or encrypted.
fn text_grown(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let (was, is) = (before.quality?.characters, now.quality?.characters);
    let is_new = |id: &String| now.section(id).items > 2 * before.section(id).items;
    if was < TEXT_MIN || now.patients == 0 || before.patients == 0 || now.sections.keys().any(is_new) {
        return None;
    }
    let (each_was, each_is) = (float(was) / float(before.patients), float(is) / float(now.patients));
    (each_is > each_was * (1.0 + TEXT_GROWN)).then(|| {
        GateReason::new(
            "text-grown",
            format!(
                "text of each patient: about {each_is:.0} characters seen, {each_was:.0} before; at most {} may be added at \
                 once",
                percent(TEXT_GROWN)
            ),
        )
    })
}
