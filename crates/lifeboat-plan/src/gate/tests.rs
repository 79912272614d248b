//! Tests: each rule, on both sides of its limit.

use super::{GateFacts, GateReason, GateVerdict, SectionFacts, judge};
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::Quality;

/// A moment some hours after the first snapshot of the tests.
pub(super) fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(480_000 + hours)
}

/// A practice of 10,000 patients on its `day`th day, in which nothing changes.
pub(super) fn day(day: u64) -> GateFacts {
    let hours = 24 * i64::try_from(day).unwrap();
    let section = |id: &str, patients, items| (id.to_owned(), SectionFacts { patients, items });
    GateFacts {
        sequence: day + 1,
        taken: Some(at(hours)),
        source_time: Some(at(hours - 1)),
        documents: 10_000,
        patients: 10_000,
        moved: 300,
        sections: [
            section("allergies", 3_000, 5_000),
            section("repeat-medication", 4_000, 20_000),
            section("immunisations", 8_000, 60_000),
            section("appointments", 9, 1_500),
        ]
        .into(),
        quality: Some(Quality {
            left: 100 + day,
            nhs_numbers: 9_990,
            nhs_numbers_valid: 9_980,
            garbled: 4,
            characters: 90_000_000,
            ..Quality::default()
        }),
        ..GateFacts::default()
    }
}

pub(super) fn codes(verdict: &GateVerdict) -> Vec<&'static str> {
    let mut codes: Vec<_> = verdict.reasons().iter().map(|reason| reason.code).collect();
    codes.dedup();
    codes
}

/// Judges the day after `before`, changed.
fn next_to(before: &GateFacts, change: impl Fn(&mut GateFacts)) -> Vec<&'static str> {
    let mut candidate = before.clone();
    candidate.sequence += 1;
    candidate.taken = before.taken.map(|taken| taken + SignedDuration::from_hours(24));
    candidate.source_time = before.source_time.map(|made| made + SignedDuration::from_hours(24));
    change(&mut candidate);
    codes(&judge(std::slice::from_ref(before), &candidate))
}

fn quality(facts: &mut GateFacts) -> &mut Quality {
    facts.quality.as_mut().unwrap()
}

fn section<'a>(facts: &'a mut GateFacts, id: &str) -> &'a mut SectionFacts {
    facts.sections.get_mut(id).unwrap()
}

/// Takes patients away with their share of everything.
pub(super) fn lose(facts: &mut GateFacts, gone: u64) {
    let (gone, patients) = (gone.min(facts.patients), facts.patients.max(1));
    let share = |count: u64| count - (count * gone).div_ceil(patients);
    for section in facts.sections.values_mut() {
        *section = SectionFacts { patients: share(section.patients), items: share(section.items) };
    }
    facts.patients -= gone;
    if let Some(quality) = &mut facts.quality {
        quality.left += gone;
        quality.nhs_numbers = share(quality.nhs_numbers);
        quality.nhs_numbers_valid = share(quality.nhs_numbers_valid);
        quality.characters = share(quality.characters);
    }
}

type Change = fn(&mut GateFacts);

/// Judges the day after an ordinary one, once for each change.
#[track_caller]
fn expect(rows: &[(&str, Change, &[&str])]) {
    for (name, change, expected) in rows {
        assert_eq!(next_to(&day(0), change), *expected, "{name}");
    }
}

#[test]
fn losses_hold_on_one_side_of_their_limit_and_pass_on_the_other() {
    expect(&[
        ("nothing", |_| {}, &[]),
        ("180 patients left", |it| lose(it, 180), &[]),
        ("181 patients left", |it| lose(it, 181), &["patients-lost"]),
        ("181 left and 181 came", |it| quality(it).left += 181, &["patients-lost"]),
        ("no patients", |it| lose(it, 10_000), &["empty", "patients-lost"]),
        ("half are others", |it| quality(it).left += 5_001, &["another-practice", "patients-lost"]),
        ("a merger", |it| it.patients += 6_000, &[]),
        ("more than a merger", |it| it.patients += 6_001, &["patients-joined"]),
        ("allergies of 2.2 %", |it| section(it, "allergies").patients -= 66, &[]),
        ("allergies of more", |it| section(it, "allergies").patients -= 67, &["items-lost"]),
        ("medication items 2.2 %", |it| section(it, "repeat-medication").items -= 440, &[]),
        ("medication items more", |it| section(it, "repeat-medication").items -= 441, &["items-lost"]),
        ("immunisations 10 %", |it| section(it, "immunisations").items -= 6_000, &[]),
        ("immunisations more", |it| section(it, "immunisations").items -= 6_001, &["items-lost"]),
        ("a holiday", |it| *section(it, "appointments") = SectionFacts { patients: 3, items: 5 }, &[]),
        ("lists of two days", |it| section(it, "appointments").patients = 2, &["day-lists-lost"]),
        ("no appointments", |it| section(it, "appointments").items = 0, &["section-vanished"]),
        ("a flu clinic", |it| section(it, "immunisations").items += 3_000, &[]),
    ]);
}

#[test]
fn unreadable_inputs_hold_when_they_are_many_or_something_is_lost() {
    expect(&[
        ("20 unreadable", |it| it.unreadable = 20, &[]),
        ("21 unreadable", |it| it.unreadable = 21, &["unreadable"]),
        ("a loss alone", |it| section(it, "repeat-medication").items -= 200, &[]),
        (
            "a loss beside an unreadable input",
            |it| {
                it.unreadable = 1;
                section(it, "repeat-medication").items -= 200;
            },
            &["loss-with-unreadable-inputs"],
        ),
        (
            "a patient less beside an unreadable input",
            |it| {
                it.unreadable = 1;
                lose(it, 1);
            },
            &["loss-with-unreadable-inputs"],
        ),
    ]);
}

#[test]
fn people_keep_their_numbers_names_and_birth_dates() {
    expect(&[
        ("20 check digits", |it| quality(it).nhs_numbers_valid -= 20, &[]),
        ("21 check digits", |it| quality(it).nhs_numbers_valid -= 21, &["nhs-numbers-wrong"]),
        (
            "20 numbers gone",
            |it| {
                quality(it).nhs_numbers -= 20;
                quality(it).nhs_numbers_valid -= 20;
            },
            &[],
        ),
        (
            "21 numbers gone",
            |it| {
                quality(it).nhs_numbers -= 21;
                quality(it).nhs_numbers_valid -= 21;
            },
            &["nhs-numbers-lost"],
        ),
        ("20 names gone", |it| quality(it).without_name = 20, &[]),
        ("21 names gone", |it| quality(it).without_name = 21, &["names-lost"]),
        ("20 birth dates gone", |it| quality(it).without_birth_date = 20, &[]),
        ("21 birth dates gone", |it| quality(it).without_birth_date = 21, &["birth-dates-lost"]),
        ("100 new names", |it| quality(it).names_changed = 100, &[]),
        ("101 new names", |it| quality(it).names_changed = 101, &["names-changed"]),
        ("20 new birth dates", |it| quality(it).birth_dates_changed = 20, &[]),
        ("21 new birth dates", |it| quality(it).birth_dates_changed = 21, &["birth-dates-changed"]),
    ]);
}

#[test]
fn text_that_is_no_text_vanishes_or_swells_holds_beyond_its_limit() {
    expect(&[
        ("18 garbled", |it| quality(it).garbled += 18, &[]),
        ("19 garbled", |it| quality(it).garbled += 19, &["garbled"]),
        (
            "15 garbled and 15 unreadable",
            |it| {
                quality(it).garbled += 15;
                it.unreadable = 15;
            },
            &[],
        ),
        (
            "more of both",
            |it| {
                quality(it).garbled += 15;
                it.unreadable = 16;
            },
            &["damaged"],
        ),
        ("12 % of the text", |it| quality(it).characters -= 10_800_000, &[]),
        ("more of the text", |it| quality(it).characters -= 10_900_000, &["text-lost"]),
        ("25 % more text", |it| quality(it).characters = 112_500_000, &[]),
        ("more text", |it| quality(it).characters = 112_600_000, &["text-grown"]),
        (
            "more text with a new section",
            |it| {
                quality(it).characters = 200_000_000;
                it.sections.insert("documents".to_owned(), SectionFacts { patients: 900, items: 900 });
            },
            &[],
        ),
    ]);
}

#[test]
fn time_moves_forward_and_an_old_extract_is_known() {
    expect(&[
        ("the clock 5 minutes back", |it| it.taken = Some(at(0) - SignedDuration::from_mins(5)), &[]),
        (
            "the clock further back",
            |it| it.taken = Some(at(0) - SignedDuration::from_mins(6)),
            &["clock-back"],
        ),
        ("the source an hour back", |it| it.source_time = Some(at(-2)), &[]),
        ("the source further back", |it| it.source_time = Some(at(-3)), &["source-back"]),
        (
            "the newest file left with its patient",
            |it| {
                it.source_time = Some(at(-30));
                it.moved = 50;
            },
            &[],
        ),
        ("every record says it in other codes", |it| it.moved = 10_000, &[]),
    ]);
}

#[test]
fn every_reason_says_what_was_seen_and_what_the_limit_is() {
    let mut candidate = day(1);
    lose(&mut candidate, 400);
    section(&mut candidate, "allergies").items -= 900;
    let verdict = judge(&[day(0)], &candidate);
    let details: Vec<&str> = verdict.reasons().iter().map(|reason| reason.detail.as_str()).collect();
    assert_eq!(
        details,
        [
            "patients: 401 of 10000 are gone (4.01 %), 9600 are there now; at most 180 may leave at once",
            "allergies items: 3900 seen, 4800 expected of those who stayed (18.74 %  lost); at least 4694 must be there"
                .replace("%  ", "% ")
                .as_str(),
        ]
    );
}

#[test]
fn a_site_starts_with_whatever_is_readable() {
    let rows: &[(&str, Change, &[&str])] = &[
        ("a practice", |_| {}, &[]),
        ("nobody", |it| *it = GateFacts::default(), &["nothing-yet"]),
        ("a fifth unreadable", |it| it.unreadable = 2_000, &[]),
        ("more unreadable", |it| it.unreadable = 2_001, &["unreadable"]),
        ("a tenth of the numbers wrong", |it| quality(it).nhs_numbers_valid = 8_991, &[]),
        ("more of them wrong", |it| quality(it).nhs_numbers_valid = 8_990, &["nhs-numbers-wrong"]),
        ("a fifth garbled", |it| quality(it).garbled = 2_000, &[]),
        ("more garbled", |it| quality(it).garbled = 2_001, &["garbled"]),
    ];
    for (name, change, expected) in rows {
        let mut first = day(0);
        change(&mut first);
        assert_eq!(codes(&judge(&[], &first)), *expected, "{name}");
    }
}

#[test]
fn a_small_practice_may_lose_a_few_of_anything() {
    let mut small = day(0);
    small.patients = 40;
    small.sections = [("allergies".to_owned(), SectionFacts { patients: 12, items: 20 })].into();
    small.quality = Some(Quality { nhs_numbers: 40, nhs_numbers_valid: 40, ..Quality::default() });
    let rows: &[(&str, Change, &[&str])] = &[
        ("five patients", |it| lose(it, 5), &[]),
        ("six patients", |it| lose(it, 6), &["patients-lost"]),
        ("five allergies", |it| section(it, "allergies").items -= 5, &[]),
        ("six allergies", |it| section(it, "allergies").items -= 6, &["items-lost"]),
        ("two unreadable", |it| it.unreadable = 2, &[]),
        ("three numbers wrong", |it| quality(it).nhs_numbers_valid -= 3, &[]),
        ("two garbled", |it| quality(it).garbled = 2, &[]),
        ("everybody joins", |it| it.patients = 4_000, &[]),
    ];
    for (name, change, expected) in rows {
        assert_eq!(next_to(&small, change), *expected, "{name}");
    }
}

#[test]
fn a_section_that_usually_varies_may_vary_but_not_without_end() {
    let mut days: Vec<GateFacts> = (0..30).map(day).collect();
    for (number, facts) in days.iter_mut().enumerate() {
        let items = [20_000, 19_900, 20_050, 20_050, 19_950][number % 5];
        section(facts, "repeat-medication").items = items;
    }
    let judged = |items| {
        let mut candidate = day(30);
        section(&mut candidate, "repeat-medication").items = items;
        codes(&judge(&days, &candidate))
    };
    let steady: Vec<GateFacts> = (0..30).map(day).collect();
    let mut candidate = day(30);
    section(&mut candidate, "repeat-medication").items = 19_400;
    assert_eq!(codes(&judge(&steady, &candidate)), ["items-lost"]);
    assert_eq!(judged(19_400), [""; 0]);
    assert_eq!(judged(19_150), ["items-lost", "items-drained"]);
}

#[test]
fn losses_within_a_day_add_up() {
    let mut accepted = vec![day(0)];
    let mut verdict = Vec::new();
    for quarter in 1..=8_u64 {
        let mut next = accepted.last().unwrap().clone();
        next.sequence += 1;
        next.taken = Some(at(24) + SignedDuration::from_mins(15 * i64::try_from(quarter).unwrap()));
        lose(&mut next, 60);
        verdict = codes(&judge(&accepted, &next));
        if !verdict.is_empty() {
            break;
        }
        accepted.push(next);
    }
    assert_eq!(verdict, ["patients-lost"]);
    assert_eq!(accepted.len(), 4, "three times sixty pass");
}

#[test]
fn slow_losses_are_noticed_and_a_merger_does_not_hide_them() {
    for merges in [false, true] {
        let mut accepted = vec![day(0)];
        let mut noticed = None;
        for number in 1..90 {
            let mut next = accepted.last().unwrap().clone();
            next.sequence += 1;
            next.taken = next.taken.map(|taken| taken + SignedDuration::from_hours(24));
            section(&mut next, "allergies").items -= 15;
            section(&mut next, "allergies").patients -= 9;
            if merges && number == 5 {
                next.patients += 3_000;
                section(&mut next, "allergies").items += 900;
                section(&mut next, "allergies").patients += 500;
            }
            let verdict = judge(&accepted, &next);
            if verdict.is_held() {
                noticed = Some((number, codes(&verdict)));
                break;
            }
            accepted.push(next);
        }
        let (number, codes) = noticed.expect("0.3 % a day is noticed");
        assert_eq!(codes, ["items-drained"]);
        assert!((10..=40).contains(&number), "{merges}: day {number}");
    }
}

#[test]
fn what_a_person_released_is_the_new_measure() {
    let mut released = day(10);
    lose(&mut released, 1_000);
    section(&mut released, "allergies").items -= 2_000;
    let mut days: Vec<GateFacts> = (0..10).map(day).collect();
    assert!(judge(&days, &released).is_held());
    released.released = true;
    days.push(released.clone());
    let mut next = released;
    (next.sequence, next.released) = (12, false);
    assert_eq!(judge(&days, &next), GateVerdict::Accepted);
}

#[test]
fn snapshots_from_before_quality_was_counted_are_compared_by_what_they_have() {
    let mut before = day(0);
    before.quality = None;
    assert_eq!(
        next_to(&before, |it| it.quality = day(0).quality.map(|it| Quality { left: 0, ..it })),
        [""; 0]
    );
    assert_eq!(next_to(&before, |it| lose(it, 181)), ["patients-lost"]);
}

#[test]
fn a_reason_is_given_once() {
    let twice = vec![GateReason { code: "empty", detail: "patients: 0".to_owned() }; 2];
    assert_eq!(GateVerdict::of(twice).reasons().len(), 1);
    assert_eq!(GateVerdict::of(Vec::new()), GateVerdict::Accepted);
}
