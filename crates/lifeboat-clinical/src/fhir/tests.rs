use jiff::civil::date;
use serde_json::{Value, json};

use super::*;

const NHS: &str = "https://fhir.nhs.uk/Id/nhs-number";

fn window() -> DayWindow {
    DayWindow { first: date(2026, 11, 20), last: date(2026, 11, 28) }
}

fn patient(id: &str, family: &str) -> Value {
    json!({"resourceType":"Patient","id":id,"birthDate":"1980-01-02","name":[{"family":family,"given":["Pat"]}]})
}

fn entry(url: &str, resource: Value) -> Value {
    json!({"fullUrl":url,"resource":resource})
}

fn bundle(kind: &str, entries: &[Value]) -> Vec<u8> {
    json!({"resourceType":"Bundle","type":kind,"entry":entries}).to_string().into_bytes()
}

/// Writes the pieces as `Type id -> owner`, a patient by their family name.
fn owners_of(document: &[u8]) -> Vec<String> {
    let pieces = split(document, &window()).expect("the document is read");
    pieces
        .iter()
        .map(|piece| {
            let id = piece.json().text_of("id").unwrap_or_default();
            let owner = match &piece.owner {
                Owner::Patient(name) => name.as_str().split('|').nth(2).unwrap_or("").to_owned(),
                Owner::Reference(reference) => reference.clone(),
                Owner::Day(day) => day.to_string(),
                Owner::Shared => "shared".to_owned(),
            };
            let supporting = if piece.role == Role::Supporting { "*" } else { "" };
            format!("{} {id} -> {owner}{supporting}", piece.kind)
        })
        .collect()
}

fn reasons(document: &[u8]) -> Vec<String> {
    let outline = outline(document).expect("the document is read");
    outline.skipped.iter().map(ToString::to_string).collect()
}

#[test]
fn references_to_the_bundles_own_patient_lead_to_them_in_every_form() {
    let subjects = [
        json!({"reference":"urn:uuid:p"}),
        json!({"reference":"Patient/p"}),
        json!({"reference":"https://example.org/fhir/Patient/p"}),
        json!({"reference":"Patient/p/_history/4"}),
        json!({"identifier":{"system":NHS,"value":"999 000 0018"}}),
        json!({"reference":format!("Patient?identifier={NHS}|9990000018")}),
        json!({"display":"no reference at all"}),
    ];
    for subject in subjects {
        let mut own = patient("p", "Own");
        own["identifier"] = json!([{"system":NHS,"value":"9990000018"}]);
        let document = bundle(
            "collection",
            &[
                entry("urn:uuid:p", own),
                entry("urn:uuid:c", json!({"resourceType":"Condition","id":"c","subject":subject})),
            ],
        );
        assert_eq!(owners_of(&document)[1], "Condition c -> own", "{subject}");
    }
}

#[test]
fn several_patients_each_get_their_own_and_what_is_common_is_shared() {
    let document = bundle(
        "searchset",
        &[
            entry("https://a.example/fhir/Patient/1", patient("1", "A")),
            entry("https://b.example/fhir/Patient/1", patient("1", "B")),
            entry("urn:uuid:3", patient("3", "C")),
            entry(
                "https://b.example/fhir/Condition/1",
                json!({"resourceType":"Condition","id":"1","subject":{"reference":"Patient/1"}}),
            ),
            json!({"resource":{"resourceType":"Condition","id":"2","subject":{"reference":"Patient/1"}}}),
            json!({"resource":{"resourceType":"Condition","id":"3","subject":{"reference":"Patient/3"}}}),
            json!({"resource":{"resourceType":"Condition","id":"4","subject":{"reference":"Patient/4"}}}),
            json!({"resource":{"resourceType":"Condition","id":"5"}}),
            json!({"resource":{"resourceType":"Practitioner","id":"6"}}),
            json!({"resource":{"resourceType":"Account","id":"7","subject":[{"reference":"Patient/3"},{"reference":"Patient/4"}]}}),
        ],
    );
    assert_eq!(
        owners_of(&document),
        [
            "Patient 1 -> a",
            "Patient 1 -> b",
            "Patient 3 -> c",
            "Condition 1 -> b",
            "Condition 3 -> c",
            "Condition 4 -> Patient/4",
            "Practitioner 6 -> shared*",
            "Account 7 -> c",
            "Account 7 -> Patient/4",
        ]
    );
    assert_eq!(
        reasons(&document),
        [
            "entry 5, Condition: names a patient in a way that fits several",
            "entry 8, Condition: names no patient",
        ]
    );
}

#[test]
fn copies_of_one_person_are_one_patient() {
    let document = bundle(
        "document",
        &[
            entry("urn:uuid:1", patient("p", "Own")),
            entry("urn:uuid:2", patient("p", "OWN")),
            entry("urn:uuid:3", json!({"resourceType":"Observation","id":"o"})),
            entry("urn:uuid:4", json!({"resourceType":"Device","id":"d"})),
            entry(
                "urn:uuid:5",
                json!({"resourceType":"Device","id":"e","patient":{"reference":"Patient/lost"}}),
            ),
            entry(
                "urn:uuid:6",
                json!({"resourceType":"Flag","id":"f","subject":{"reference":"Patient/lost"}}),
            ),
        ],
    );
    assert_eq!(
        owners_of(&document)[2..],
        ["Observation o -> own", "Device d -> own*", "Device e -> own", "Flag f -> own"]
    );
}

#[test]
fn loose_resources_name_their_owner_by_reference() {
    let cases = [
        (
            json!({"resourceType":"Condition","id":"c","subject":{"reference":"https://x/fhir/Patient/9"}}),
            "Condition c -> Patient/9",
        ),
        (json!({"resourceType":"Task","id":"t","for":{"reference":"Patient/9"}}), "Task t -> Patient/9"),
        (
            json!({"resourceType":"Coverage","id":"v","beneficiary":{"reference":"Patient/9"}}),
            "Coverage v -> Patient/9",
        ),
        (
            json!({"resourceType":"Provenance","id":"p","target":[{"reference":"Patient/9"},{"reference":"Flag/1"}]}),
            "Provenance p -> Patient/9",
        ),
        (json!({"resourceType":"Medication","id":"m"}), "Medication m -> shared*"),
        (
            json!({"resourceType":"Nonsense","id":"n","subject":{"reference":"Patient/9"}}),
            "unknown type n -> Patient/9",
        ),
    ];
    for (resource, expected) in cases {
        assert_eq!(owners_of(resource.to_string().as_bytes()), [expected]);
    }
}

#[test]
fn an_appointment_stands_on_its_day_and_in_its_patients_record() {
    let appointment = |start: &str| {
        json!({"resourceType":"Appointment","id":"a","start":start,"participant":[
            {"actor":{"reference":"Practitioner/7"}},{"actor":{"reference":"Patient/9"}}]})
        .to_string()
        .into_bytes()
    };
    assert_eq!(
        owners_of(&appointment("2026-11-21T23:30:00Z")),
        ["Appointment a -> 2026-11-21", "Appointment a -> Patient/9"]
    );
    let far = appointment("2027-06-30T23:30:00Z");
    assert_eq!(owners_of(&far), ["Appointment a -> Patient/9"]);
    let outline = outline(&far).expect("an appointment");
    assert!(outline.owners.contains(&Owner::Day(date(2027, 7, 1))));
}

#[test]
fn names_of_participants_are_filled_from_the_bundle() {
    let document = bundle(
        "collection",
        &[
            entry(
                "urn:uuid:d",
                json!({"resourceType":"Practitioner","id":"d","name":[{"family":"Doctor","prefix":["Dr"]}]}),
            ),
            entry("urn:uuid:l", json!({"resourceType":"Location","id":"l","name":"Room 1"})),
            entry(
                "urn:uuid:a",
                json!({"resourceType":"Appointment","id":"a","start":"2026-11-21T09:00:00Z","participant":[
                {"actor":{"reference":"urn:uuid:d"}},{"actor":{"reference":"Location/l"}},{"actor":{"reference":"Patient/9","display":"As booked"}}]}),
            ),
        ],
    );
    let pieces = split(&document, &window()).expect("the document is read");
    let day = pieces.iter().find(|piece| matches!(piece.owner, Owner::Day(_)));
    let appointment: Value = serde_json::from_str(&day.expect("a day piece").resource).expect("JSON");
    let named: Vec<_> =
        (0..3).map(|at| appointment["participant"][at]["actor"]["display"].as_str()).collect();
    assert_eq!(named, [Some("Dr Doctor"), Some("Room 1"), Some("As booked")]);
}

#[test]
fn wrapped_resources_are_found() {
    let inner = |family: &str| -> Value {
        serde_json::from_slice(&bundle(
            "document",
            &[
                entry("urn:uuid:p", patient("1", family)),
                entry(
                    "urn:uuid:c",
                    json!({"resourceType":"Condition","id":"c","subject":{"reference":"urn:uuid:p"}}),
                ),
            ],
        ))
        .expect("JSON")
    };
    let expected = ["Patient 1 -> a", "Condition c -> a", "Patient 1 -> b", "Condition c -> b"];
    let outer = bundle("searchset", &[json!({"resource":inner("A")}), json!({"resource":inner("B")})]);
    assert_eq!(owners_of(&outer), expected);
    let parameters = json!({"resourceType":"Parameters","parameter":[
        {"name":"return","resource":inner("A")},{"name":"also","resource":inner("B")},{"name":"n","valueString":"x"}]});
    assert_eq!(owners_of(parameters.to_string().as_bytes()), expected);
    let list = json!([patient("1", "A"), {"resourceType":"Condition","id":"c"}, 7, null]);
    assert_eq!(owners_of(list.to_string().as_bytes()), expected[..2]);

    let mut deep = inner("A");
    for _ in 0..6 {
        deep = json!({"resourceType":"Bundle","type":"collection","entry":[{"resource":deep}]});
    }
    let problem = outline(deep.to_string().as_bytes()).expect_err("too deep");
    assert_eq!(problem.to_string(), "entry 1: too many Bundles inside Bundles");
}

#[test]
fn a_history_gives_the_newest_version_and_honours_deletion() {
    let document = bundle(
        "history",
        &[
            entry("urn:uuid:p", patient("1", "A")),
            json!({"fullUrl":"https://x/Condition/2","request":{"method":"DELETE","url":"Condition/2"}}),
            json!({"resource":{"resourceType":"Condition","id":"3","code":{"text":"new"}}}),
            json!({"resource":{"resourceType":"Condition","id":"3","code":{"text":"old"}}}),
            json!({"resource":{"resourceType":"Condition","id":"2"}}),
        ],
    );
    assert_eq!(owners_of(&document), ["Patient 1 -> a", "Condition 3 -> a"]);
    let pieces = split(&document, &window()).expect("the document is read");
    assert!(pieces[1].resource.contains("new"));
}

#[test]
fn documents_of_another_kind_are_refused_with_their_reason() {
    let nested = format!(r#"{{"resourceType":"Patient","x":{}1{}}}"#, "[".repeat(150), "]".repeat(150));
    let cases = [
        ("", "empty"),
        (" \n", "empty"),
        ("{\"resourceType\":\"Patient\"", "ends in the middle; it was cut short"),
        ("{\"resourceType\":}", "not valid JSON at its line 1, column 17"),
        ("{}\n{}", "not valid JSON at its line 2, column 1"),
        ("7", "JSON, but not a FHIR resource"),
        ("{\"a\":1}", "JSON, but not a FHIR resource"),
        (
            "{\"transactionTime\":\"2026\",\"output\":[]}",
            "the manifest of a Bulk Data export, which holds no resource",
        ),
        (
            "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":\"not-found\",\"diagnostics\":\"Jo Bloggs\"}]}",
            "the source answered with an error instead of data (OperationOutcome: not-found)",
        ),
        (
            "{\"resourceType\":\"ValueSet\",\"id\":\"v\"}",
            "ValueSet: such resources are part of no patient's record",
        ),
        ("{\"resourceType\":\"Condition\",\"id\":\"v\"}", "Condition: names no patient"),
        (
            "{\"resourceType\":\"Condition\",\"subject\":{\"reference\":\"urn:uuid:1\"}}",
            "Condition: names a patient who is not in the document",
        ),
        ("{\"resourceType\":\"Patient\",\"n\":1e999}", "holds a number out of range"),
        (nested.as_str(), "nested more than 100 levels deep"),
        ("{\"resourceType\":\"ReferralRequest\"}", "FHIR STU3 is not supported by this feed, which reads R4"),
        (
            "{\"resourceType\":\"MedicationOrder\"}",
            "FHIR DSTU2 is not supported by this feed, which reads R4",
        ),
        (
            "{\"resourceType\":\"Patient\",\"meta\":{\"profile\":[\"https://fhir.nhs.uk/STU3/StructureDefinition/X\"]}}",
            "FHIR STU3 is not supported by this feed, which reads R4",
        ),
        (
            "{\"resourceType\":\"AllergyIntolerance\",\"clinicalStatus\":\"active\",\"patient\":{\"reference\":\"Patient/1\"}}",
            "FHIR STU3 is not supported by this feed, which reads R4",
        ),
        (
            "{\"resourceType\":\"MedicationRequest\",\"medication\":{\"concept\":{}},\"subject\":{\"reference\":\"Patient/1\"}}",
            "FHIR R5 is not supported by this feed, which reads R4",
        ),
    ];
    for (document, expected) in cases {
        let problem = outline(document.as_bytes()).expect_err(document);
        assert_eq!(problem.to_string(), expected, "{document}");
    }
}

#[test]
fn one_oddly_shaped_resource_does_not_cost_the_document() {
    let document = bundle(
        "collection",
        &[
            entry("urn:uuid:p", patient("1", "A")),
            entry("urn:uuid:1", json!({"resourceType":"Condition","id":"1","clinicalStatus":"active"})),
            entry(
                "urn:uuid:2",
                json!({"resourceType":"Condition","id":"2","clinicalStatus":{"coding":[{"code":"active"}]}}),
            ),
            json!({"resource":{"id":"typeless"}}),
            json!({"resource":"not even an object"}),
            json!({"request":{"method":"DELETE","url":"Condition/9"}}),
            json!({"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"incomplete"}]}}),
            json!({"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"secret text"}]}}),
        ],
    );
    assert_eq!(owners_of(&document).len(), 3);
    assert_eq!(
        reasons(&document),
        [
            "entry 4: not a FHIR resource",
            "entry 5: not a FHIR resource",
            "entry 6: the entry holds no resource",
            "entry 8, OperationOutcome: the source answered with an error instead of data (OperationOutcome)",
        ]
    );
}

#[test]
fn broken_characters_are_mended_and_noted() {
    let note = "some characters are not valid UTF-8 and are shown as \u{fffd}";
    let text = r#"{"resourceType":"Patient","id":"1","name":[{"family":"X","text":"cut \ud83d"}]}"#;
    assert_eq!(reasons(text.as_bytes()), [note]);
    let pieces = split(text.as_bytes(), &window()).expect("mended");
    assert!(pieces[0].resource.contains(r"cut \ufffd"));

    let mut bytes = br#"{"resourceType":"Patient","id":"1","gender":"m"#.to_vec();
    bytes.extend_from_slice(b"\xe9\"}");
    assert_eq!(reasons(&bytes), [note]);
    assert!(split(&bytes, &window()).expect("mended")[0].resource.contains("m\u{fffd}"));
}

#[test]
fn what_the_sources_own_sections_say_travels_along() {
    let document = bundle(
        "document",
        &[
            entry(
                "urn:uuid:k",
                json!({"resourceType":"Composition","subject":{"reference":"urn:uuid:p"},"section":[
                {"code":{"coding":[{"system":"http://loinc.org","code":"104605-1"}]},"entry":[{"reference":"urn:uuid:o"},{"reference":"urn:uuid:gone"}]},
                {"code":{"coding":[{"system":"http://loinc.org","code":"48765-2"}]},"emptyReason":{"coding":[{"code":"withheld"}]}},
                {"code":{"coding":[{"system":"http://loinc.org","code":"47519-4"}]},"text":{"div":"<div>text</div>"}},
                {"section":[{"code":{"coding":[{"system":"http://loinc.org","code":"18776-5"}]},"emptyReason":{"text":"?"}}]}]}),
            ),
            entry("urn:uuid:p", patient("1", "A")),
            entry("urn:uuid:o", json!({"resourceType":"Observation","id":"o"})),
        ],
    );
    let pieces = split(&document, &window()).expect("the document is read");
    assert_eq!(pieces[2].listed, Some(SectionId::Alerts));
    let facts: Vec<_> = pieces[0]
        .facts
        .iter()
        .map(|fact| (fact.sections[0], fact.listed, fact.missing, fact.empty, fact.narrative_only))
        .collect();
    assert_eq!(
        facts,
        [
            (SectionId::Alerts, 2, 1, None, false),
            (SectionId::Allergies, 0, 0, Some(EmptyReason::Withheld), false),
            (SectionId::Procedures, 0, 0, None, true),
            (SectionId::Diary, 0, 0, Some(EmptyReason::Unavailable), false),
        ]
    );
    let sections = outline(&document).expect("read").types.sections;
    assert!(sections.contains(SectionId::Procedures) && !sections.contains(SectionId::Diary));
}

#[test]
fn nothing_shown_of_a_piece_or_a_problem_is_personal() {
    let text = r#"{"resourceType":"Patient","id":"secret","name":[{"family":"Secret"}]}"#;
    let outline = outline(text.as_bytes()).expect("a patient");
    let pieces = split(text.as_bytes(), &window()).expect("a patient");
    let shown = format!("{outline:?} {pieces:?}").to_lowercase();
    assert!(!shown.contains("secret"), "{shown}");
}
