//! Properties of the gate: more loss is never better, and history may be handed over in any order.

use super::tests::{day, lose};
use super::{GateFacts, GateVerdict, SectionFacts, judge};
use lifeboat_format::Quality;
use proptest::prelude::*;

/// Changes of a snapshot, each in thousandths of what there is.
fn changed(number: u64, change: [u64; 6]) -> GateFacts {
    let [gone, allergies, medication, garbled, numbers, text] = change;
    let mut facts = day(number);
    lose(&mut facts, 10 * gone);
    let less = |count: u64, thousandths: u64| count - count * thousandths / 1000;
    for (id, thousandths) in [("allergies", allergies), ("repeat-medication", medication)] {
        let section = facts.sections.entry(id.to_owned()).or_default();
        *section = SectionFacts {
            patients: less(section.patients, thousandths),
            items: less(section.items, thousandths),
        };
    }
    if let Some(quality) = &mut facts.quality {
        *quality = Quality {
            garbled: quality.garbled + 10 * garbled,
            nhs_numbers_valid: less(quality.nhs_numbers_valid, numbers),
            characters: less(quality.characters, text),
            ..*quality
        };
    }
    facts
}

fn small() -> impl Strategy<Value = [u64; 6]> {
    // Mostly nothing, often near the limits, sometimes anything.
    proptest::array::uniform6(prop_oneof![4 => Just(0), 4 => 0..40_u64, 1 => 0..=1000_u64])
}

/// Gains hide losses of text from nobody: held for growing text alone is not about losing.
fn is_held(verdict: &GateVerdict) -> bool {
    verdict.reasons().iter().any(|reason| reason.code != "text-grown")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn losing_more_never_turns_a_held_snapshot_into_an_accepted_one(
        change in small(),
        more in small(),
        history in proptest::collection::vec(proptest::array::uniform2(0..4_u64), 1..40),
    ) {
        let accepted: Vec<GateFacts> = history
            .iter()
            .zip(0..)
            .map(|([allergies, medication], number)| changed(number, [0, *allergies, *medication, 0, 0, 0]))
            .collect();
        let number = history.len() as u64;
        let mut worse = change;
        for (one, more) in worse.iter_mut().zip(more) {
            *one = (*one + more).min(1000);
        }
        if is_held(&judge(&accepted, &changed(number, change))) {
            prop_assert!(is_held(&judge(&accepted, &changed(number, worse))), "{change:?} {worse:?}");
        }
    }

    #[test]
    fn the_order_in_which_history_is_handed_over_does_not_matter(
        change in small(),
        (history, shuffled) in proptest::collection::vec(proptest::array::uniform2(0..6_u64), 1..30).prop_flat_map(|history| {
            let facts: Vec<GateFacts> = history
                .iter()
                .zip(0..)
                .map(|([allergies, gone], number)| changed(number, [*gone / 3, *allergies, 0, 0, 0, 0]))
                .collect();
            (Just(facts.clone()), Just(facts).prop_shuffle())
        }),
    ) {
        let candidate = changed(history.len() as u64, change);
        prop_assert_eq!(judge(&history, &candidate), judge(&shuffled, &candidate));
    }

    #[test]
    fn a_snapshot_that_says_the_same_is_accepted(number in 1..200_u64) {
        let accepted: Vec<GateFacts> = (0..number).map(day).collect();
        prop_assert_eq!(judge(&accepted, &day(number)), GateVerdict::Accepted);
    }
}
