//! What a section says when it has no items, not all of them, or a warning.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_section_without_items_says_what_that_means() {
    let fact = |code: &str, rest: Value| {
        let mut section = json!({"code":concept("http://loinc.org", code)});
        section.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        section
    };
    let empty = |code: &str| json!({"emptyReason":concept("http://terminology.hl7.org/CodeSystem/list-empty-reason", code)});
    let composition = json!({"resourceType":"Composition","id":"k","section":[
        fact("48765-2", empty("nilknown")),
        fact("10160-0", empty("withheld")),
        fact("11450-4", empty("unavailable")),
        fact("47519-4", json!({"text":{"div":"<div>only words</div>"}})),
        fact("11369-6", json!({"entry":[{"reference":"Immunization/gone"}]})),
        fact("30954-2", empty("notasked")),
    ]});
    let mut feed = everything_supplied();
    feed.supplied.sections = Default::default();
    feed.supplied.sections.insert(SectionId::Referrals);
    let record =
        build_patient_record(pieces("document", &[composition]), &SharedResources::default(), &feed, TODAY);
    use SectionState as T;
    let expected = [
        (SectionId::Allergies, T::NoneRecorded, "nilknown", "The source states that there are none known."),
        (SectionId::RepeatMedication, T::Withheld, "withheld", "The source has withheld this information."),
        (SectionId::PastMedication, T::Withheld, "withheld", "The source has withheld this information."),
        (
            SectionId::ActiveProblems,
            T::Unavailable,
            "unavailable",
            "The source states that this information is unavailable.",
        ),
        (
            SectionId::Procedures,
            T::Unavailable,
            "unavailable",
            "This section was supplied as narrative text only.",
        ),
        (
            SectionId::Immunisations,
            T::Unavailable,
            "unavailable",
            "1 item that the source lists is missing from this copy.",
        ),
        (SectionId::Results, T::NoneRecorded, "notasked", "The source states that nobody has asked."),
        (SectionId::Referrals, T::NoneRecorded, "notasked", ""),
        (SectionId::Pregnancy, T::NotSupplied, "unavailable", ""),
    ];
    for (section, state_expected, code, note) in expected {
        assert_eq!(state(&record, section), state_expected, "{section}");
        let json = section_json(&record, section);
        assert_eq!(json["emptyReason"]["coding"][0]["code"], code, "{section}");
        assert_eq!(json["extension"][0]["valueCode"], state_expected.code());
        assert_eq!(notes(&record, section).join(""), note, "{section}");
    }
    assert_eq!(ids(&record, SectionId::OtherItems), ["k"], "its narrative is kept");
    assert!(section_json(&record, SectionId::OtherItems)["emptyReason"].is_null());
}

/// Returns the record of a patient with one repeat medicine whose source says this about medication.
fn with_medication_said(section: Value, feed: &FeedProfile) -> PatientRecord {
    let mut said = json!({"code":concept("http://loinc.org", "10160-0")});
    said.as_object_mut().expect("an object").extend(section.as_object().expect("an object").clone());
    let composition = json!({"resourceType":"Composition","id":"k","section":[said]});
    let repeat = json!({"resourceType":"MedicationRequest","id":"m","status":"active","courseOfTherapyType":{"text":"repeat"}});
    build_patient_record(pieces("document", &[composition, repeat]), &SharedResources::default(), feed, TODAY)
}

#[test]
fn a_warning_is_noted_in_every_section_that_it_is_about_and_none_of_them_reads_as_none_recorded() {
    use crate::section::{SECTION_WARNING_EXTENSION, SectionWarning};
    for warning in SectionWarning::ALL {
        for empty in [json!({}), json!({"emptyReason":concept("x", "no-content-recorded")})] {
            let mut section = empty;
            section["extension"] = json!([{"url":SECTION_WARNING_EXTENSION,"valueCode":warning.code()}]);
            let record = with_medication_said(section, &everything_supplied());
            assert_eq!(state(&record, SectionId::RepeatMedication), SectionState::Recorded);
            let expected = match warning {
                SectionWarning::ConfidentialItems => SectionState::Withheld,
                _ => SectionState::Unavailable,
            };
            for section in [SectionId::AcuteMedication, SectionId::PastMedication] {
                assert_eq!(state(&record, section), expected, "{section}");
            }
            for section in
                [SectionId::RepeatMedication, SectionId::AcuteMedication, SectionId::PastMedication]
            {
                assert!(notes(&record, section).contains(&warning.sentence().to_owned()), "{section}");
            }
            assert_eq!(state(&record, SectionId::Allergies), SectionState::NoneRecorded);
        }
    }
}

#[test]
fn a_warning_alone_does_not_make_a_section_supplied_and_an_unknown_one_is_no_warning() {
    use crate::section::{SECTION_WARNING_EXTENSION, SectionWarning};
    let composition = json!({"resourceType":"Composition","subject":{"reference":"Patient/p"},"section":[
        {"code":concept(crate::section::SECTION_SYSTEM, "diary"),
         "extension":[{"url":SECTION_WARNING_EXTENSION,"valueCode":SectionWarning::Truncated.code()}]},
        {"code":concept(crate::section::SECTION_SYSTEM, "results"),
         "extension":[{"url":SECTION_WARNING_EXTENSION,"valueCode":"whatever"}]},
    ]});
    let bundle = json!({"resourceType":"Bundle","type":"collection","entry":[{"resource":patient()},{"resource":composition}]});
    let outline = fhir::outline(bundle.to_string().as_bytes()).expect("the test's own Bundle");
    assert!(!outline.types.sections.contains(SectionId::Diary));
    let record = build_patient_record(
        pieces("collection", &[composition]),
        &SharedResources::default(),
        &FeedProfile::default(),
        TODAY,
    );
    assert_eq!(state(&record, SectionId::Diary), SectionState::Unavailable);
    assert_eq!(state(&record, SectionId::Results), SectionState::NotSupplied);
}

#[test]
fn what_is_withheld_or_unavailable_beside_items_is_noted_there_and_is_no_none_elsewhere() {
    let cases = [
        ("withheld", SectionState::Withheld, "The source has withheld some of this information."),
        (
            "unavailable",
            SectionState::Unavailable,
            "The source states that some of this information is unavailable.",
        ),
    ];
    for (reason, expected, note) in cases {
        let section = json!({"emptyReason":concept("x", reason)});
        let record = with_medication_said(section, &everything_supplied());
        assert_eq!(state(&record, SectionId::RepeatMedication), SectionState::Recorded, "{reason}");
        assert_eq!(notes(&record, SectionId::RepeatMedication), [note]);
        for section in [SectionId::AcuteMedication, SectionId::PastMedication] {
            assert_eq!(state(&record, section), expected, "{section}");
            assert!(!notes(&record, section).is_empty());
        }
    }
}

#[test]
fn what_is_not_supplied_for_a_patient_is_not_none_because_others_have_it() {
    let not_supplied = json!({"emptyReason":concept("x", "not-supplied")});
    let none = json!({"emptyReason":concept("x", "no-content-recorded")});
    for (section, expected) in [(not_supplied, SectionState::NotSupplied), (none, SectionState::NoneRecorded)]
    {
        let record = with_medication_said(section, &everything_supplied());
        assert_eq!(state(&record, SectionId::RepeatMedication), SectionState::Recorded);
        assert_eq!(state(&record, SectionId::PastMedication), expected);
    }
}
