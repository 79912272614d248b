//! What the gate is told, and what becomes of what a person decides.

use super::{Acceptance, Engine, Outcome, Site, SnapshotReport, json, mentions, patient, sequence};
use crate::engine::{Carry, EngineError, Ruling, RulingError};
use lifeboat_format::{Manifest, Quality, RELEASED};
use lifeboat_replica::newest;

const PATIENTS: usize = 40;

fn ruling() -> Ruling {
    Ruling::new("manager", "the branch surgery has closed").expect("a reason")
}

/// The manifest that readers open, and the newest one.
fn manifests(site: &Site, engine: &Engine) -> (Manifest, Manifest) {
    let key = lifeboat_format::SigningKey::from_secret_text(&site.signing).expect("a key").verification_key();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let head = runtime.block_on(newest(&engine.spool_reader(), &key)).expect("a head");
    let accepted = head.accepted_snapshot().expect("an accepted snapshot").1.clone();
    (accepted, head.manifest)
}

/// A practice of which many have left, held.
fn held_practice() -> (Site, Engine, SnapshotReport) {
    let mut site = Site::new();
    for number in 0..PATIENTS {
        site.put_json(&format!("{number}.json"), &patient(&number.to_string(), &format!("Family{number}")));
    }
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    (0..12).for_each(|number| site.take_away(&format!("{number}.json")));
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (2, "held"));
    (site, engine, report)
}

fn names(site: &Site, engine: &Engine) -> usize {
    site.records(engine).values().filter(|record| mentions(record, "Family")).count()
}

#[test]
fn the_manifest_counts_how_sound_the_records_look() {
    let mut site = Site::new();
    let with_number = |id: &str, family: &str, number: &str| {
        let mut patient = patient(id, family);
        patient["birthDate"] = json!("1970-01-02");
        patient["identifier"] = json!([{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}]);
        patient
    };
    site.put_json("1.json", &with_number("1", "One", "9990000018"));
    site.put_json("2.json", &with_number("2", "Tw\u{fffd}", "9990000026"));
    site.put_json("3.json", &with_number("3", "Three", "9990000019"));
    let mut engine = site.engine();
    site.snapshot(&mut engine);
    let quality = manifests(&site, &engine).0.quality.expect("it is counted");
    assert_eq!((quality.nhs_numbers, quality.nhs_numbers_valid, quality.garbled), (3, 2, 1));
    assert!(quality.characters > 0);

    site.take_away("3.json");
    site.put_json("2.json", &with_number("2", "TWO", "9990000026"));
    site.snapshot(&mut engine);
    let after = manifests(&site, &engine).0.quality.expect("it is counted");
    assert_eq!(after.left, 1, "who is called otherwise has not left");
    assert_eq!(
        (after.nhs_numbers, after.nhs_numbers_valid, after.garbled, after.names_changed),
        (2, 2, 0, 1)
    );

    site.put_json("2.json", &with_number("2", "two", "9990000026"));
    site.snapshot(&mut engine);
    let spelled = manifests(&site, &engine).0.quality.expect("it is counted");
    assert_eq!((spelled.left, spelled.names_changed), (1, 0), "spelling is not identity");
    let mut born = with_number("2", "two", "9990000026");
    born["birthDate"] = json!("1971-01-02");
    site.put_json("2.json", &born);
    site.snapshot(&mut engine);
    let born = manifests(&site, &engine).0.quality.expect("it is counted");
    assert_eq!((born.left, born.names_changed, born.birth_dates_changed), (1, 0, 1));
    assert_eq!(spelled.characters, Quality::rounded(spelled.characters));
}

#[test]
fn a_released_snapshot_is_what_readers_open_and_what_the_next_is_compared_with() {
    let (mut site, mut engine, _) = held_practice();
    assert_eq!(names(&site, &engine), PATIENTS);

    let tried = engine.release(site.now, &ruling(), Carry::Nothing).expect("it could be released");
    assert_eq!(tried.now_accepted.map(|sequence| sequence.number()), Some(3));
    assert_eq!(names(&site, &engine), PATIENTS, "nothing was done");

    let done = engine.release(site.now, &ruling(), Carry::Out).expect("it is released");
    assert_eq!(done.now_accepted.map(|sequence| sequence.number()), Some(3));
    assert_eq!(names(&site, &engine), PATIENTS - 12);
    let (accepted, newest) = manifests(&site, &engine);
    assert_eq!(accepted, newest);
    assert_eq!(accepted.gate.reasons[0].code, RELEASED);
    assert!(accepted.gate.reasons.iter().any(|reason| reason.code == "patients-lost"));
    assert!(matches!(engine.release(site.now, &ruling(), Carry::Out), Err(EngineError::NothingHeld)));

    // The same source, then one more leaver, then the program starts anew: all are accepted.
    let next = site.snapshot(&mut engine);
    assert_eq!(sequence(&next), (4, "snapshot"));
    site.take_away("12.json");
    assert_eq!(sequence(&site.snapshot(&mut engine)), (5, "snapshot"));
    assert_eq!(manifests(&site, &engine).0.quality.expect("counted").left, 13);
    drop(engine);
    let mut engine = site.engine();
    site.take_away("13.json");
    assert_eq!(sequence(&site.snapshot(&mut engine)), (6, "snapshot"));
    assert_eq!(names(&site, &engine), PATIENTS - 14);
}

#[test]
fn after_a_release_a_further_loss_is_held_again() {
    let (mut site, mut engine, _) = held_practice();
    engine.release(site.now, &ruling(), Carry::Out).expect("it is released");
    (12..20).for_each(|number| site.take_away(&format!("{number}.json")));
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (4, "held"), "{report:?}");
    assert_eq!(names(&site, &engine), PATIENTS - 12, "readers see what was released");
}

#[test]
fn when_the_source_recovers_after_a_release_the_recovered_records_are_read() {
    let (mut site, mut engine, _) = held_practice();
    engine.release(site.now, &ruling(), Carry::Out).expect("it is released");
    for number in 0..12 {
        site.put_json(&format!("{number}.json"), &patient(&number.to_string(), &format!("Family{number}")));
    }
    let report = site.snapshot(&mut engine);
    assert_eq!(sequence(&report), (4, "snapshot"), "{report:?}");
    assert_eq!(names(&site, &engine), PATIENTS, "what the state describes is not taken for what is newest");
}

#[test]
fn a_rejected_source_stays_unaccepted_and_is_not_sealed_again() {
    let (mut site, mut engine, _) = held_practice();
    engine.reject(site.now, &ruling(), Carry::Nothing).expect("it could be rejected");
    engine.reject(site.now, &ruling(), Carry::Out).expect("it is rejected");
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "heartbeat, held"));
    drop(engine);
    let mut engine = site.engine();
    assert_eq!(sequence(&site.snapshot(&mut engine)), (2, "heartbeat, held"));

    // The whole source comes back and is accepted; then the rejected one comes again.
    for number in 0..12 {
        site.put_json(&format!("{number}.json"), &patient(&number.to_string(), &format!("Family{number}")));
    }
    assert_eq!(sequence(&site.snapshot(&mut engine)), (3, "snapshot"));
    (0..12).for_each(|number| site.take_away(&format!("{number}.json")));
    let again = site.snapshot(&mut engine);
    assert_eq!(sequence(&again), (4, "held"));
    assert_eq!(again.held_reasons[0].code, "rejected", "{again:?}");
    assert_eq!(names(&site, &engine), PATIENTS);

    // A person may still think otherwise.
    let acceptance = Acceptance::ByPerson { reason: "by manager: they have left after all".into() };
    let accepted = site.snapshot_as(&mut engine, &acceptance);
    assert!(matches!(accepted.outcome, Outcome::Snapshot { held: false, .. }), "{accepted:?}");
    assert_eq!(manifests(&site, &engine).0.gate.reasons[0].code, RELEASED);
    site.take_away("12.json");
    assert_eq!(sequence(&site.snapshot(&mut engine)).1, "snapshot");
}

#[test]
fn nothing_is_decided_where_nothing_is_held() {
    let mut site = Site::new();
    site.put_practice(5);
    let mut engine = site.engine();
    assert!(matches!(engine.release(site.now, &ruling(), Carry::Out), Err(EngineError::NothingHeld)));
    site.snapshot(&mut engine);
    assert!(matches!(engine.reject(site.now, &ruling(), Carry::Nothing), Err(EngineError::NothingHeld)));
}

#[test]
fn a_reason_is_one_short_line() {
    assert_eq!(ruling().to_string(), "by manager: the branch surgery has closed");
    assert_eq!(Ruling::new("", " a\u{a0}b ").expect("a reason").to_string(), "by unknown: a\u{a0}b");
    let rows = [
        ("", RulingError::Empty),
        (" \t ", RulingError::Empty),
        ("two\nlines", RulingError::Control),
        ("\u{1b}[31m", RulingError::Control),
        ("a\u{202e}b", RulingError::Control),
    ];
    for (reason, error) in rows {
        assert_eq!(Ruling::new("x", reason), Err(error), "{reason:?}");
    }
    assert!(Ruling::new("x", &"y".repeat(300)).is_ok());
    assert_eq!(Ruling::new("x", &"y".repeat(301)), Err(RulingError::TooLong));
}

#[test]
fn the_longest_reason_fits_into_the_log() {
    let (site, mut engine, _) = held_practice();
    let ruling = Ruling::new(&"w".repeat(200), &"\"".repeat(300)).expect("a reason");
    engine.release(site.now, &ruling, Carry::Out).expect("it is recorded");
}
