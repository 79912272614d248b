//! What holds of every good snapshot.

use super::facts::{APPOINTMENTS, GateFacts, float};
use super::limits::{
    BIRTH_DATES_CHANGED, BIRTH_DATES_CHANGED_FLOOR, CLOCK_BACK, DAY_LISTS_BEFORE, DAY_LISTS_MIN,
    GARBLED_FIRST, JOINED_PATIENTS_MIN, LOST_WITH_UNREADABLE, NAMELESS, NAMELESS_FLOOR, NAMES_CHANGED,
    NAMES_CHANGED_FLOOR, NHS_NUMBERS, NHS_NUMBERS_FIRST, NHS_NUMBERS_FIRST_MIN, NHS_NUMBERS_FLOOR,
    PATIENTS_JOINED, REPLAY_MOVED, REPLAY_MOVED_FLOOR, SAME_PRACTICE, SOURCE_BACK, UNREADABLE,
    UNREADABLE_FIRST, UNREADABLE_FLOOR, VANISHED_ITEMS_MIN,
};
use super::reason::{GateReason, percent};
use lifeboat_format::Quality;

/// Judges a site's first snapshot, which has nothing to be compared with.
pub(super) fn first(now: &GateFacts) -> Vec<GateReason> {
    let mut reasons = Vec::new();
    if now.patients == 0 {
        let text = format!("patients: 0 read; inputs that could not be read: {}", now.unreadable);
        reasons.push(GateReason::new("nothing-yet", text));
    }
    let inputs = now.documents.max(now.unreadable);
    if float(now.unreadable) > UNREADABLE_FLOOR.max(float(inputs) * UNREADABLE_FIRST) && now.patients > 0 {
        let limit = percent(UNREADABLE_FIRST);
        let text = format!("unreadable inputs: {} of {inputs}; at most {limit} may be", now.unreadable);
        reasons.push(GateReason::new("unreadable", text));
    }
    let Some(quality) = now.quality else { return reasons };
    let wrong = wrong_numbers(&quality);
    if quality.nhs_numbers >= NHS_NUMBERS_FIRST_MIN
        && float(wrong) > float(quality.nhs_numbers) * NHS_NUMBERS_FIRST
    {
        let limit = percent(NHS_NUMBERS_FIRST);
        let text = format!(
            "NHS numbers: {wrong} of {} fail their check digit; at most {limit} may",
            quality.nhs_numbers
        );
        reasons.push(GateReason::new("nhs-numbers-wrong", text));
    }
    if now.patients >= NHS_NUMBERS_FIRST_MIN && float(quality.garbled) > float(now.patients) * GARBLED_FIRST {
        let text = format!(
            "garbled records: {} of {} patients have text that cannot be right; at most {} may",
            quality.garbled,
            now.patients,
            percent(GARBLED_FIRST)
        );
        reasons.push(GateReason::new("garbled", text));
    }
    reasons
}

/// Compares a candidate with one accepted snapshot.
pub(super) fn between(before: &GateFacts, now: &GateFacts) -> Vec<GateReason> {
    let mut reasons = Vec::new();
    reasons.extend(empty(before, now));
    reasons.extend(another_practice(before, now));
    reasons.extend(joined(before, now));
    reasons.extend(vanished(before, now));
    reasons.extend(day_lists(before, now));
    reasons.extend(unreadable(before, now));
    reasons.extend(lost_with_unreadable(before, now));
    if let (Some(was), Some(is)) = (before.quality, now.quality) {
        reasons.extend(people(before, now, &was, &is));
    }
    reasons
}

/// Compares the times of a candidate with those of the newest accepted snapshot.
pub(super) fn time(newest: &GateFacts, now: &GateFacts) -> Vec<GateReason> {
    clock_back(newest, now).into_iter().chain(source_back(newest, now)).collect()
}

fn empty(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    (now.patients == 0 && before.patients > 0).then(|| {
        let text = format!(
            "patients: 0 seen, {} in the accepted snapshot; a practice has patients",
            before.patients
        );
        GateReason::new("empty", text)
    })
}

fn another_practice(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let stayed = now.stayed_since(before);
    (now.patients > 0 && stayed < SAME_PRACTICE && now.gone_since(before) > 5).then(|| {
        let text = format!(
            "known patients: {} of {} are still there ({}); at least {} must be, or the extract is another practice's",
            before.patients - now.gone_since(before),
            before.patients,
            percent(stayed),
            percent(SAME_PRACTICE)
        );
        GateReason::new("another-practice", text)
    })
}

fn joined(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let stayed = before.patients - now.gone_since(before);
    let joined = now.patients.saturating_sub(stayed);
    let tolerated = float(before.patients) * PATIENTS_JOINED;
    (before.patients >= JOINED_PATIENTS_MIN && float(joined) > tolerated).then(|| {
        let text = format!(
            "new patients: {joined} joined {} at once; at most {tolerated:.0} may without a person saying so",
            before.patients
        );
        GateReason::new("patients-joined", text)
    })
}

fn vanished(before: &GateFacts, now: &GateFacts) -> Vec<GateReason> {
    let vanished = before.sections.iter().filter(|(id, section)| {
        section.items >= VANISHED_ITEMS_MIN && now.section(id).items == 0 && now.patients > 0
    });
    vanished
        .map(|(id, section)| {
            let text = format!("{id}: no items seen, {} in the accepted snapshot", section.items);
            GateReason::new("section-vanished", text)
        })
        .collect()
}

/// The lists of the days ahead are the freshest part of an extract: an old one that comes again has hardly any.
fn day_lists(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let lists = |facts: &GateFacts| facts.section(APPOINTMENTS).patients;
    let (was, is) = (lists(before), lists(now));
    let has_vanished = now.section(APPOINTMENTS).items == 0;
    (was >= DAY_LISTS_BEFORE && is < DAY_LISTS_MIN && !has_vanished).then(|| {
        let text = format!(
            "day lists: {is} days have one, {was} had one before; at least {DAY_LISTS_MIN} must, or the extract is an old one"
        );
        GateReason::new("day-lists-lost", text)
    })
}

fn unreadable(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let inputs = now.documents.max(before.documents);
    let tolerated = float(before.unreadable) + UNREADABLE_FLOOR.max(float(inputs) * UNREADABLE);
    (float(now.unreadable) > tolerated).then(|| {
        let text = format!(
            "unreadable inputs: {} of {inputs}, {} before; at most {tolerated:.0} may be",
            now.unreadable, before.unreadable
        );
        GateReason::new("unreadable", text)
    })
}

/// Something shrank in the very snapshot in which more inputs than before were unreadable.
///
/// Patients whom the source does not name then are carried over as they were, so that none is gone.
fn lost_with_unreadable(before: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    if now.unreadable <= before.unreadable {
        return None;
    }
    let gone = now.gone_since(before);
    let expected = float(before.watched_items()) * now.stayed_since(before);
    let lost = expected - float(now.watched_items());
    let is_lost = gone > 0 || lost > 1.0_f64.max(expected * LOST_WITH_UNREADABLE);
    is_lost.then(|| {
        let text = format!(
            "losses beside unreadable inputs: {} inputs could not be read ({} before), {gone} patients and {:.0} watched \
             items are gone; at most {} of the items may be",
            now.unreadable,
            before.unreadable,
            lost.max(0.0),
            percent(LOST_WITH_UNREADABLE)
        );
        GateReason::new("loss-with-unreadable-inputs", text)
    })
}

fn wrong_numbers(quality: &Quality) -> u64 {
    quality.nhs_numbers.saturating_sub(quality.nhs_numbers_valid)
}

/// One count that must not rise by more than a share of the patients.
struct Rise {
    code: &'static str,
    what: &'static str,
    was: u64,
    is: u64,
    share: f64,
    floor: f64,
}

impl Rise {
    fn judge(&self, patients: u64) -> Option<GateReason> {
        let tolerated = float(self.was) + self.floor.max(float(patients) * self.share);
        (float(self.is) > tolerated).then(|| {
            let text = format!(
                "{}: {} seen, {} before; at most {tolerated:.0} may be",
                self.what, self.is, self.was
            );
            GateReason::new(self.code, text)
        })
    }
}

/// People keep their numbers, names and birth dates.
fn people(before: &GateFacts, now: &GateFacts, was: &Quality, is: &Quality) -> Vec<GateReason> {
    let without_number =
        |facts: &GateFacts, quality: &Quality| facts.patients.saturating_sub(quality.nhs_numbers);
    // Whoever joins may come without a number; those who stayed keep theirs.
    let joined = now.patients.saturating_sub(before.patients - now.gone_since(before));
    let rises = [
        Rise {
            code: "nhs-numbers-wrong",
            what: "NHS numbers that fail their check digit",
            was: wrong_numbers(was),
            is: wrong_numbers(is),
            share: NHS_NUMBERS,
            floor: NHS_NUMBERS_FLOOR,
        },
        Rise {
            code: "nhs-numbers-lost",
            what: "patients without an NHS number",
            was: without_number(before, was) + joined,
            is: without_number(now, is),
            share: NHS_NUMBERS,
            floor: NHS_NUMBERS_FLOOR,
        },
        Rise {
            code: "names-lost",
            what: "patients without a name",
            was: was.without_name,
            is: is.without_name,
            share: NAMELESS,
            floor: NAMELESS_FLOOR,
        },
        Rise {
            code: "birth-dates-lost",
            what: "patients without a birth date",
            was: was.without_birth_date,
            is: is.without_birth_date,
            share: NAMELESS,
            floor: NAMELESS_FLOOR,
        },
        Rise {
            code: "birth-dates-changed",
            what: "patients whose birth date changed",
            was: 0,
            is: is.birth_dates_changed,
            share: BIRTH_DATES_CHANGED,
            floor: BIRTH_DATES_CHANGED_FLOOR,
        },
        Rise {
            code: "names-changed",
            what: "patients whose name changed",
            was: 0,
            is: is.names_changed,
            share: NAMES_CHANGED,
            floor: NAMES_CHANGED_FLOOR,
        },
    ];
    rises.iter().filter_map(|rise| rise.judge(before.patients)).collect()
}

/// Day lists and ages hang on the clock, so a snapshot from before the accepted one is not believed.
fn clock_back(newest: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let (before, taken) = (newest.taken?, now.taken?);
    (taken.duration_since(before) < -CLOCK_BACK).then(|| {
        let text = format!(
            "clock: taken {taken}, the accepted snapshot was taken {before}; one of the two is wrong"
        );
        GateReason::new("clock-back", text)
    })
}

/// An extract that is older than the accepted one, and says something else, is an old one that came again.
fn source_back(newest: &GateFacts, now: &GateFacts) -> Option<GateReason> {
    let (before, made) = (newest.source_time?, now.source_time?);
    let moved = float(now.moved) > REPLAY_MOVED_FLOOR.max(float(newest.patients) * REPLAY_MOVED);
    (moved && made.duration_since(before) < -SOURCE_BACK).then(|| {
        let text = format!(
            "source: made {made}, the accepted snapshot's source was made {before}, and {} records differ; an old extract \
             has come again",
            now.moved
        );
        GateReason::new("source-back", text)
    })
}
