//! The allergy header and tables.

use serde_json::{Value, json};

use super::tests::{TODAY, patient, record_of, section_with, view_of, with};
use super::*;
use crate::section::SectionWarning;
use crate::{SectionId, SectionState};

fn allergy(code: Value) -> Value {
    json!({
        "resourceType": "AllergyIntolerance", "id": "a",
        "clinicalStatus": {"coding": [{"code": "active", "display": "Active"}]},
        "verificationStatus": {"coding": [{"code": "confirmed", "display": "Confirmed"}]},
        "code": code, "recordedDate": "2021-03-04", "recorder": {"display": "Dr A"}
    })
}

fn coded(code: &str, display: &str) -> Value {
    json!({"coding": [{"system": "http://snomed.info/sct", "code": code, "display": display}]})
}

type Case = (&'static str, SectionState, Vec<Value>);

fn check(expected: &str, cases: Vec<Case>) {
    for (name, state, items) in cases {
        let view = view_of(patient(), &[(SectionId::Allergies, state, items)]);
        assert_eq!(view.allergies.words(), expected, "{name}");
    }
}

fn penicillin() -> Value {
    allergy(coded("91936005", "Allergy to penicillin"))
}

fn none_known() -> Value {
    allergy(coded("716186003", "No known allergy"))
}

fn code(code: &str) -> Value {
    json!({"coding": [{"code": code}]})
}

#[test]
fn an_allergy_outside_its_section_is_in_the_header_all_the_same() {
    use SectionState as S;
    for (id, state) in [(SectionId::OtherItems, S::NoneRecorded), (SectionId::Alerts, S::Recorded)] {
        let own: Vec<Value> = if state == S::Recorded { vec![none_known()] } else { Vec::new() };
        let mut stray = penicillin();
        stray["id"] = json!("stray");
        let view = view_of(patient(), &[(id, S::Recorded, vec![stray]), (SectionId::Allergies, state, own)]);
        assert_eq!(view.allergies.words(), "Known allergies", "{id:?}");
    }
}

#[test]
fn an_allergy_in_whatever_shape_makes_allergies_known() {
    use SectionState as S;
    let bare = json!({"resourceType": "AllergyIntolerance", "code": {"text": "Nuts"}});
    let journal = json!({"resourceType": "Condition", "code": coded("91936005", "Allergy to penicillin")});
    let unconfirmed = with(penicillin(), "verificationStatus", code("unconfirmed"));
    let mut excepting = coded("716186003", "No known allergy");
    excepting["text"] = json!("No known allergies except penicillin");
    let reacting = with(none_known(), "reaction", json!([{"manifestation": [{"text": "Anaphylaxis"}]}]));
    check(
        "Known allergies",
        vec![
            ("one", S::Recorded, vec![penicillin()]),
            ("without status", S::Recorded, vec![bare]),
            ("beside none known", S::Recorded, vec![none_known(), penicillin()]),
            ("as a journal entry", S::Recorded, vec![journal]),
            ("in a withheld section", S::Withheld, vec![penicillin()]),
            ("unconfirmed", S::Recorded, vec![unconfirmed]),
            ("although none is claimed", S::NoneRecorded, vec![penicillin()]),
            ("none known but for one", S::Recorded, vec![allergy(excepting.clone())]),
            ("none known, with a reaction", S::Recorded, vec![reacting.clone()]),
            ("without a substance", S::Recorded, vec![json!({"resourceType": "AllergyIntolerance"})]),
        ],
    );
}

#[test]
fn only_a_whole_and_valid_statement_makes_no_known_allergies() {
    use SectionState as S;
    let resolved = with(penicillin(), "clinicalStatus", code("resolved"));
    check(
        "No known allergies",
        vec![
            ("by SNOMED code", S::Recorded, vec![none_known()]),
            ("by IPS code", S::Recorded, vec![allergy(coded("no-known-allergies", "x"))]),
            ("in words", S::Recorded, vec![allergy(json!({"text": "No known allergies."}))]),
            ("beside a resolved allergy", S::Recorded, vec![none_known(), resolved.clone()]),
        ],
    );
    let in_error = with(none_known(), "verificationStatus", code("entered-in-error"));
    let refuted = with(penicillin(), "verificationStatus", code("refuted"));
    check(
        "Allergies not recorded",
        vec![
            ("entered in error", S::Recorded, vec![in_error]),
            ("no longer so", S::Recorded, vec![with(none_known(), "clinicalStatus", code("resolved"))]),
            ("of drugs only", S::Recorded, vec![allergy(coded("409137002", "No known drug allergy"))]),
            ("a resolved allergy alone", S::Recorded, vec![resolved]),
            ("a refuted allergy alone", S::Recorded, vec![refuted]),
            ("nothing", S::NoneRecorded, vec![]),
        ],
    );
}

#[test]
fn what_this_copy_cannot_say_makes_allergies_unavailable() {
    use SectionState as S;
    check(
        "Allergies unavailable",
        vec![
            ("no information", S::Recorded, vec![allergy(coded("no-allergy-info", "x"))]),
            ("not supplied", S::NotSupplied, vec![]),
            ("withheld", S::Withheld, vec![]),
            ("withheld beside none known", S::Withheld, vec![none_known()]),
            ("unavailable", S::Unavailable, vec![]),
        ],
    );
}

#[test]
fn a_listed_allergy_that_is_missing_makes_allergies_unavailable() {
    let mut record: Value = serde_json::from_slice(&record_of(
        patient(),
        &[(SectionId::Allergies, SectionState::Recorded, vec![])],
    ))
    .unwrap();
    let sections = &mut record["entry"][0]["resource"]["section"];
    sections[SectionId::Allergies.order()]["entry"] = json!([{"reference": "AllergyIntolerance/lost"}]);
    let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
    assert_eq!(view.allergies.words(), "Allergies unavailable");
    let section = &view.sections[SectionId::Allergies.order()];
    assert_eq!(section.state, SectionState::Unavailable);
    assert!(
        section.notes.iter().any(|note| note == "1 entry that this section lists is missing from this copy.")
    );
}

#[test]
fn no_known_allergies_is_not_said_of_a_section_that_is_not_whole() {
    for (note, expected) in [
        ("The source has withheld some of this information.", "Allergies unavailable"),
        ("1 item that the source lists is missing from this copy.", "Allergies unavailable"),
        (SectionWarning::ConfidentialItems.sentence(), "Allergies unavailable"),
        (SectionWarning::DataInTransit.sentence(), "Allergies unavailable"),
        (SectionWarning::DataAwaitingFiling.sentence(), "Allergies unavailable"),
        (SectionWarning::Truncated.sentence(), "Allergies unavailable"),
        (SectionWarning::PartlyUnreadable.sentence(), "Allergies unavailable"),
        ("Checked with the patient.", "No known allergies"),
    ] {
        let items = vec![allergy(coded("716186003", "No known allergy"))];
        let filled = [(SectionId::Allergies, SectionState::Recorded, items)];
        let mut record: Value = serde_json::from_slice(&record_of(patient(), &filled)).unwrap();
        let section = &mut record["entry"][0]["resource"]["section"][SectionId::Allergies.order()];
        let extension = json!({"url": "urn:lifeboat:section-note", "valueString": note});
        section["extension"].as_array_mut().unwrap().push(extension);
        let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
        assert_eq!(view.allergies.words(), expected, "{note}");
    }
}

#[test]
fn a_source_that_says_nil_known_is_believed() {
    let mut record: Value = serde_json::from_slice(&record_of(patient(), &[])).unwrap();
    let section = &mut record["entry"][0]["resource"]["section"][SectionId::Allergies.order()];
    section["emptyReason"] = json!({"coding": [{"code": "nilknown"}]});
    let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
    assert!(matches!(view.allergies, AllergyHeader::NoneKnown { recorded: None, .. }));
}

#[test]
fn known_allergies_are_listed_by_substance_with_reactions_and_status() {
    let mut penicillin = allergy(coded("91936005", "Penicillin"));
    penicillin["criticality"] = json!("high");
    penicillin["reaction"] =
        json!([{"manifestation": [{"text": "Rash"}, {"text": "Wheeze"}], "severity": "severe"}]);
    let items = vec![penicillin, allergy(json!({"text": "elastoplast?"}))];
    let view = view_of(patient(), &[(SectionId::Allergies, SectionState::Recorded, items)]);
    let AllergyHeader::Known(lines) = &view.allergies else { panic!("known") };
    let said: Vec<(&str, bool)> = lines.iter().map(|line| (line.substance.as_str(), line.coded)).collect();
    assert_eq!(said, [("elastoplast?", false), ("Penicillin", true)]);
    assert_eq!(lines[1].reactions, ["Rash, Wheeze (severe)"]);
    assert_eq!(lines[1].criticality.as_deref(), Some("High"));
    assert_eq!(lines[1].status, "Active, Confirmed");
    assert_eq!(lines[1].recorded.as_deref(), Some("04-Mar-2021"));
    let tables = &view.sections[SectionId::Allergies.order()].tables;
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].columns, ["Start Date", "Details"]);
    assert!(tables[0].rows.iter().any(|row| row.cells[1].text.contains("Free text, not coded")));
}

#[test]
fn past_and_refuted_allergies_stand_in_the_historical_table_with_their_status() {
    let resolved = with(
        allergy(json!({"text": "Eggs"})),
        "clinicalStatus",
        json!({"coding": [{"code": "resolved", "display": "Resolved"}]}),
    );
    let refuted = with(
        allergy(json!({"text": "Latex"})),
        "verificationStatus",
        json!({"coding": [{"code": "refuted"}]}),
    );
    let wrong = with(
        allergy(json!({"text": "Bees"})),
        "verificationStatus",
        json!({"coding": [{"code": "entered-in-error"}]}),
    );
    let section = section_with(SectionId::Allergies, vec![resolved, refuted, wrong]);
    assert_eq!(section.tables.len(), 1);
    let table = &section.tables[0];
    assert_eq!(table.caption, "Historical Allergies and Adverse Reactions");
    let details: Vec<&str> = table.rows.iter().map(|row| row.cells[2].text.as_str()).collect();
    assert!(details[0].starts_with("Eggs\n") && details[0].contains("Status: Resolved, Confirmed"));
    assert!(details[1].starts_with("REFUTED: Latex"));
    assert!(details[2].starts_with("ENTERED IN ERROR: Bees"));
    assert_eq!(table.rows[2].cells[2].emphasis, Emphasis::Void);
}
