use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

mod sections;

use super::*;
use crate::fhir::{self, DayWindow, Owner};

const TODAY: Date = date(2026, 11, 21);

fn window() -> DayWindow {
    DayWindow { first: date(2026, 11, 20), last: date(2026, 11, 28) }
}

fn patient() -> Value {
    json!({"resourceType":"Patient","id":"p","birthDate":"1980-01-02","name":[{"family":"Own","given":["Pat"]}]})
}

/// Reads one Bundle of the patient and the given resources.
fn pieces(kind: &str, resources: &[Value]) -> Vec<Piece> {
    let entries: Vec<Value> = std::iter::once(patient())
        .chain(resources.iter().cloned())
        .map(|resource| json!({"resource":resource}))
        .collect();
    let bundle = json!({"resourceType":"Bundle","type":kind,"entry":entries}).to_string();
    let pieces = fhir::split(bundle.as_bytes(), &window()).expect("the test's own Bundle");
    pieces.into_iter().filter(|piece| matches!(piece.owner, Owner::Patient(_))).collect()
}

fn everything_supplied() -> FeedProfile {
    let mut feed = FeedProfile::default();
    SectionId::ALL.into_iter().for_each(|section| feed.supplied.sections.insert(section));
    feed
}

fn build(pieces: Vec<Piece>) -> PatientRecord {
    build_patient_record(pieces, &SharedResources::default(), &everything_supplied(), TODAY)
}

fn bundle_of(record: &PatientRecord) -> Value {
    serde_json::from_slice(&record.bytes).expect("a record is JSON")
}

/// Returns the resources of a section, in order.
fn listed(record: &PatientRecord, section: SectionId) -> Vec<Value> {
    let bundle = bundle_of(record);
    let entries = bundle["entry"].as_array().expect("entries");
    let section = &entries[0]["resource"]["section"][section.order()];
    let references = section["entry"].as_array().cloned().unwrap_or_default();
    references
        .iter()
        .map(|reference| {
            let found = entries.iter().find(|entry| entry["fullUrl"] == reference["reference"]);
            found.expect("what is listed is there")["resource"].clone()
        })
        .collect()
}

fn ids(record: &PatientRecord, section: SectionId) -> Vec<String> {
    listed(record, section).iter().map(|resource| resource["id"].as_str().unwrap_or("-").to_owned()).collect()
}

fn section_json(record: &PatientRecord, section: SectionId) -> Value {
    bundle_of(record)["entry"][0]["resource"]["section"][section.order()].clone()
}

fn notes(record: &PatientRecord, section: SectionId) -> Vec<String> {
    let section = section_json(record, section);
    let extensions = section["extension"].as_array().cloned().unwrap_or_default();
    extensions
        .iter()
        .filter(|extension| extension["url"] == crate::section::SECTION_NOTE_EXTENSION)
        .map(|extension| extension["valueString"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn state(record: &PatientRecord, section: SectionId) -> SectionState {
    record.sections[section.order()].1
}

fn concept(system: &str, code: &str) -> Value {
    json!({"coding":[{"system":system,"code":code}]})
}

fn snomed(code: &str) -> Value {
    concept("http://snomed.info/sct", code)
}

fn status(code: &str) -> Value {
    concept("status", code)
}

#[test]
fn every_resource_finds_its_section() {
    use SectionId as S;
    let cases = [
        (json!({"resourceType":"AllergyIntolerance","clinicalStatus":status("resolved")}), S::Allergies),
        (json!({"resourceType":"AllergyIntolerance","verificationStatus":status("refuted")}), S::OtherItems),
        (
            json!({"resourceType":"AllergyIntolerance","verificationStatus":status("entered-in-error")}),
            S::OtherItems,
        ),
        (json!({"resourceType":"Condition","code":snomed("716186003")}), S::Allergies),
        (json!({"resourceType":"Observation","code":snomed("716186003")}), S::Allergies),
        (json!({"resourceType":"Condition","clinicalStatus":status("active")}), S::ActiveProblems),
        (json!({"resourceType":"Condition","clinicalStatus":status("relapse")}), S::ActiveProblems),
        (json!({"resourceType":"Condition","clinicalStatus":status("remission")}), S::PastProblems),
        (json!({"resourceType":"Condition","abatementDateTime":"2001"}), S::PastProblems),
        (json!({"resourceType":"Condition","abatementString":"as a child"}), S::PastProblems),
        (json!({"resourceType":"Condition"}), S::ActiveProblems),
        (
            json!({"resourceType":"Condition","clinicalStatus":"active","category":[status("encounter-diagnosis")]}),
            S::ActiveProblems,
        ),
        (json!({"resourceType":"Condition","verificationStatus":status("refuted")}), S::OtherItems),
        (json!({"resourceType":"Condition","code":snomed("77386006")}), S::Pregnancy),
        (json!({"resourceType":"Observation","category":[status("laboratory")]}), S::Results),
        (json!({"resourceType":"Observation","category":[status("vital-signs")]}), S::Observations),
        (json!({"resourceType":"Observation","category":[status("social-history")]}), S::SocialHistory),
        (json!({"resourceType":"Observation","code":snomed("450476008")}), S::Alerts),
        (
            json!({"resourceType":"Observation","code":concept("http://loinc.org","11778-8"),"category":[status("exam")]}),
            S::Pregnancy,
        ),
        (json!({"resourceType":"Observation","code":concept("http://loinc.org","8867-4")}), S::Observations),
        (
            json!({"resourceType":"Observation","code":concept("http://loinc.org","72166-2")}),
            S::SocialHistory,
        ),
        (json!({"resourceType":"Observation","valueQuantity":{"value":1},"referenceRange":[{}]}), S::Results),
        (json!({"resourceType":"Observation","valueQuantity":{"value":1}}), S::Observations),
        (
            json!({"resourceType":"Observation","status":"entered-in-error","category":[status("laboratory")]}),
            S::OtherItems,
        ),
        (json!({"resourceType":"Observation","code":snomed("1")}), S::OtherItems),
        (json!({"resourceType":"DiagnosticReport"}), S::Results),
        (json!({"resourceType":"Immunization","status":"not-done"}), S::Immunisations),
        (json!({"resourceType":"Procedure","status":"completed"}), S::Procedures),
        (json!({"resourceType":"Procedure","status":"not-done"}), S::OtherItems),
        (json!({"resourceType":"Encounter"}), S::Encounters),
        (json!({"resourceType":"ServiceRequest","status":"active"}), S::Referrals),
        (
            json!({"resourceType":"ServiceRequest","status":"active","category":[snomed("108252007")]}),
            S::Diary,
        ),
        (json!({"resourceType":"CarePlan","status":"active"}), S::Diary),
        (json!({"resourceType":"CarePlan","status":"completed"}), S::OtherItems),
        (json!({"resourceType":"Appointment","status":"booked","start":"2026-11-22T10:00:00Z"}), S::Diary),
        (
            json!({"resourceType":"Appointment","status":"cancelled","start":"2026-11-22T10:00:00Z"}),
            S::OtherItems,
        ),
        (
            json!({"resourceType":"Appointment","status":"booked","start":"2026-11-02T10:00:00Z"}),
            S::OtherItems,
        ),
        (json!({"resourceType":"Flag","status":"active"}), S::Alerts),
        (json!({"resourceType":"Flag","status":"inactive"}), S::OtherItems),
        (json!({"resourceType":"Consent","status":"active"}), S::Alerts),
        (json!({"resourceType":"DocumentReference","type":concept("http://loinc.org","64298-3")}), S::Alerts),
        (json!({"resourceType":"DocumentReference"}), S::OtherItems),
        (json!({"resourceType":"FamilyMemberHistory"}), S::OtherItems),
        (json!({"resourceType":"RelatedPerson"}), S::OtherItems),
        (json!({"resourceType":"Nonsense"}), S::OtherItems),
    ];
    for (mut resource, expected) in cases {
        resource["id"] = json!("x");
        resource["subject"] = json!({"reference":"Patient/p"});
        let record = build(pieces("collection", &[resource.clone(), status_witness()]));
        let mut found = ids(&record, expected);
        found.retain(|id| id != "w");
        assert_eq!(found, ["x"], "{resource}");
        let items: u32 = record.sections.iter().map(|(_, _, items)| items).sum();
        assert_eq!(items, 2, "it stands nowhere else: {resource}");
    }
}

/// A condition of R4's shape, so that one odd status does not decide the version. It stands in other
/// items.
fn status_witness() -> Value {
    json!({"resourceType":"Condition","id":"w","verificationStatus":status("entered-in-error"),"clinicalStatus":status("active"),"subject":{"reference":"Patient/p"}})
}

#[test]
fn medication_is_repeat_acute_or_past() {
    use SectionId as S;
    let course = |code: &str| concept("course", code);
    let cases = [
        (
            json!({"status":"active","courseOfTherapyType":course("continuous"),"authoredOn":"2010"}),
            S::RepeatMedication,
        ),
        (
            json!({"status":"active","courseOfTherapyType":course("acute"),"authoredOn":"2026-10-01"}),
            S::AcuteMedication,
        ),
        (
            json!({"status":"active","courseOfTherapyType":course("acute"),"authoredOn":"2024-10-01"}),
            S::PastMedication,
        ),
        (
            json!({"status":"active","courseOfTherapyType":course("acute"),"authoredOn":"2024-10-01","dispenseRequest":{"validityPeriod":{"end":"2027-01-01"}}}),
            S::AcuteMedication,
        ),
        (
            json!({"status":"active","courseOfTherapyType":{"text":"Repeat dispensing"},"authoredOn":"2010"}),
            S::RepeatMedication,
        ),
        (json!({"status":"active","authoredOn":"2010-01-01"}), S::RepeatMedication),
        (json!({"status":"active"}), S::RepeatMedication),
        (
            json!({"authoredOn":"2026-10-01","dispenseRequest":{"validityPeriod":{"end":"2026-10-08"}}}),
            S::AcuteMedication,
        ),
        (json!({"status":"completed","authoredOn":"2026-10-01"}), S::AcuteMedication),
        (json!({"status":"completed","authoredOn":"2025-10-31"}), S::PastMedication),
        (
            json!({"status":"completed","authoredOn":"2026-10-01","courseOfTherapyType":course("continuous")}),
            S::PastMedication,
        ),
        (
            json!({"status":"completed","authoredOn":"2026-10-01","dispenseRequest":{"numberOfRepeatsAllowed":5}}),
            S::PastMedication,
        ),
        (json!({"status":"stopped","authoredOn":"2026-10-01"}), S::PastMedication),
        (json!({"status":"cancelled","authoredOn":"1990"}), S::PastMedication),
        (json!({"status":"draft"}), S::OtherItems),
        (json!({"status":"active","intent":"proposal"}), S::OtherItems),
        (json!({"status":"entered-in-error"}), S::OtherItems),
        (
            json!({"resourceType":"MedicationStatement","status":"active","effectivePeriod":{"start":"2001"}}),
            S::RepeatMedication,
        ),
        (json!({"resourceType":"MedicationStatement","status":"not-taken"}), S::OtherItems),
        (
            json!({"resourceType":"MedicationDispense","status":"completed","whenHandedOver":"2026-11-01"}),
            S::AcuteMedication,
        ),
        (
            json!({"resourceType":"MedicationDispense","status":"completed","whenHandedOver":"2026-11-01","authorizingPrescription":[{"reference":"MedicationRequest/1"}]}),
            S::PastMedication,
        ),
    ];
    for (mut resource, expected) in cases {
        resource["id"] = json!("x");
        if resource["resourceType"].is_null() {
            resource["resourceType"] = json!("MedicationRequest");
        }
        let record = build(pieces("collection", std::slice::from_ref(&resource)));
        assert_eq!(ids(&record, expected), ["x"], "{resource}");
    }
}

#[test]
fn a_site_may_hold_more_months_of_a_section() {
    let lab = |id: &str, date: &str| json!({"resourceType":"Observation","id":id,"category":[status("laboratory")],"code":snomed("1"),"effectiveDateTime":date});
    let resources = [lab("new", "2026-01-01"), lab("old", "2023-12-31"), lab("older", "2019-01-01")];
    let windows = Windows { results: 60, ..Windows::default() };
    let feed = FeedProfile { windows, ..everything_supplied() };
    let record =
        build_patient_record(pieces("collection", &resources), &SharedResources::default(), &feed, TODAY);
    assert_eq!(ids(&record, SectionId::Results), ["new", "old"]);
    assert_eq!(
        notes(&record, SectionId::Results),
        ["Items before 01-Nov-2021 are not held in this copy, except the latest of each."]
    );
}

#[test]
fn windows_drop_what_is_old_and_say_so_but_never_the_latest() {
    let lab = |id: &str, code: &str, date: &str| json!({"resourceType":"Observation","id":id,"category":[status("laboratory")],"code":snomed(code),"effectiveDateTime":date});
    let encounter =
        |id: &str, date: &str| json!({"resourceType":"Encounter","id":id,"period":{"start":date}});
    let mut resources = vec![
        lab("new", "1", "2026-01-01"),
        lab("older", "1", "2025-10-31"),
        lab("only", "2", "2001"),
        lab("undated", "1", ""),
        lab("month", "1", "2025-11"),
        lab("in-report", "1", "2019-03-03"),
        json!({"resourceType":"DiagnosticReport","id":"report","code":snomed("9"),"effectiveDateTime":"2019-03-03","result":[{"reference":"Observation/in-report"}]}),
        json!({"resourceType":"Immunization","id":"jab","occurrenceDateTime":"1981"}),
        json!({"resourceType":"Claim","id":"claim","created":"2001-01-01"}),
        json!({"resourceType":"FamilyMemberHistory","id":"family","date":"2001-01-01"}),
        json!({"resourceType":"ServiceRequest","id":"open","status":"active","authoredOn":"2001"}),
    ];
    resources.extend((1..=5).map(|n| encounter(&format!("e{n}"), &format!("201{n}-01-01"))));
    resources.extend((1..=5).map(|n| {
        json!({"resourceType":"ServiceRequest","id":format!("r{n}"),"status":"completed","authoredOn":format!("201{n}")})
    }));
    let record = build(pieces("collection", &resources));
    assert_eq!(ids(&record, SectionId::Results), ["new", "month", "report", "in-report", "only", "undated"]);
    assert_eq!(ids(&record, SectionId::Encounters), ["e5", "e4", "e3"]);
    assert_eq!(ids(&record, SectionId::Referrals), ["r5", "r4", "r3", "open"]);
    assert_eq!(ids(&record, SectionId::Immunisations), ["jab"]);
    assert_eq!(ids(&record, SectionId::OtherItems), ["family"]);
    assert_eq!(
        notes(&record, SectionId::Results),
        ["Items before 01-Nov-2025 are not held in this copy, except the latest of each."]
    );
    assert_eq!(
        notes(&record, SectionId::Encounters),
        ["Items before 01-Nov-2024 are not held in this copy, except the last 3."]
    );
    assert_eq!(
        notes(&record, SectionId::OtherItems),
        ["Past appointments, messages, claims and the like before 01-Nov-2025 are not held in this copy."]
    );
    assert!(notes(&record, SectionId::Immunisations).is_empty());
    let next_day = build_patient_record(
        pieces("collection", &resources),
        &SharedResources::default(),
        &everything_supplied(),
        date(2026, 11, 30),
    );
    assert_eq!(next_day.bytes, record.bytes, "a window moves once a month");
}

#[test]
fn the_sources_list_decides_where_a_resource_alone_does_not() {
    let composition = json!({"resourceType":"Composition","section":[
        {"code":concept("http://loinc.org","30954-2"),"entry":[{"reference":"Observation/o"}]},
        {"code":concept("http://loinc.org","11348-0"),"entry":[{"reference":"Condition/c"}]},
        {"code":concept("http://loinc.org","48765-2"),"entry":[{"reference":"Observation/a"}]},
        {"code":concept("http://loinc.org","10160-0"),"entry":[{"reference":"Medication/m"}]}]});
    let record = build(pieces(
        "document",
        &[
            composition,
            json!({"resourceType":"Observation","id":"o"}),
            json!({"resourceType":"Observation","id":"a"}),
            json!({"resourceType":"Condition","id":"c"}),
            json!({"resourceType":"Medication","id":"m"}),
            json!({"resourceType":"Medication","id":"unused"}),
        ],
    ));
    assert_eq!(ids(&record, SectionId::Results), ["o"]);
    assert_eq!(ids(&record, SectionId::Allergies), ["a"]);
    assert_eq!(ids(&record, SectionId::PastProblems), ["c"]);
    assert_eq!(ids(&record, SectionId::RepeatMedication), ["m"]);
    assert!(!String::from_utf8_lossy(&record.bytes).contains("unused"));
    assert!(state(&record, SectionId::OtherItems) == SectionState::NoneRecorded);
}

#[test]
fn only_the_shared_resources_that_are_referred_to_are_embedded() {
    let mut shared = SharedResources::default();
    let loose = [
        json!({"resourceType":"PractitionerRole","id":"r","practitioner":{"reference":"Practitioner/d"}}),
        json!({"resourceType":"Practitioner","id":"d","name":[{"text":"Dr D"}]}),
        json!({"resourceType":"Practitioner","id":"other"}),
        json!({"resourceType":"Medication","id":"m","meta":{"lastUpdated":"2026-01-01T00:00:00Z"},"code":{"text":"new"}}),
        json!({"resourceType":"Medication","id":"m","meta":{"lastUpdated":"2025-01-01T00:00:00Z"},"code":{"text":"old"}}),
    ];
    for resource in loose {
        for piece in fhir::split(resource.to_string().as_bytes(), &window()).expect("shared") {
            assert!(shared.insert(piece));
        }
    }
    let mut own = pieces(
        "collection",
        &[json!({"resourceType":"MedicationRequest","id":"x","status":"active",
        "requester":{"reference":"PractitionerRole/r"},"recorder":{"reference":"Practitioner/missing"},
        "medicationReference":{"reference":"https://x/fhir/Medication/m"}})],
    );
    own.reverse();
    let record = build_patient_record(own, &shared, &everything_supplied(), TODAY);
    let bundle = bundle_of(&record);
    let kinds: Vec<_> = bundle["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["resource"]["resourceType"].as_str())
        .collect();
    assert_eq!(
        kinds,
        ["Composition", "Patient", "MedicationRequest", "Medication", "Practitioner", "PractitionerRole"]
    );
    assert!(String::from_utf8_lossy(&record.bytes).contains("\"new\""));
    assert_eq!(
        record.shared,
        ["Medication/m", "Practitioner/d", "Practitioner/missing", "PractitionerRole/r"]
    );
}

#[test]
fn copies_are_one_when_equal_or_dated_and_both_kept_otherwise() {
    let condition = |text: &str, updated: Option<&str>| {
        let mut resource = json!({"resourceType":"Condition","id":"c","code":{"text":text}});
        if let Some(updated) = updated {
            resource["meta"] = json!({"lastUpdated":updated});
        }
        resource
    };
    let texts = |resources: &[Value]| -> (Vec<String>, PatientRecord) {
        let record = build(pieces("collection", resources));
        let found = listed(&record, SectionId::ActiveProblems)
            .iter()
            .map(|resource| resource["code"]["text"].as_str().unwrap_or_default().to_owned())
            .collect();
        (found, record)
    };
    assert_eq!(texts(&[condition("a", None), condition("a", None)]).0, ["a"]);
    let newer =
        [condition("new", Some("2026-01-01T00:30:00+01:00")), condition("old", Some("2025-12-31T23:29:00Z"))];
    assert_eq!(texts(&newer).0, ["new"]);
    let (found, record) = texts(&[condition("a", None), condition("b", Some("2026-01-01T00:00:00Z"))]);
    assert_eq!(found.len(), 2);
    assert_eq!(
        notes(&record, SectionId::ActiveProblems),
        ["Some items were supplied in two versions that differ; both are shown."]
    );
    assert!(record.problems.iter().any(|problem| problem.reason == Reason::CopiesDiffer));
}

#[test]
fn a_sensitive_patient_leaves_no_whereabouts() {
    for code in ["R", "V", "S"] {
        let mut own = patient();
        own["meta"] = json!({"security":[{"code":code}]});
        own["telecom"] = json!([{"system":"phone","value":"SECRET"}]);
        own["address"] = json!([{"line":["SECRET"],"postalCode":"SECRET"}]);
        own["_address"] = json!([null]);
        own["contact"] = json!([{"name":{"text":"SECRET"}}]);
        own["text"] = json!({"div":"<div>SECRET</div>"});
        own["contained"] = json!([{"resourceType":"Organization","name":"SECRET"}]);
        own["extension"] = json!([
            {"url":"urn:lifeboat:emis:residential-institute","valueString":"SECRET"},
            {"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NominatedPharmacy","valueReference":{"display":"SECRET"}},
            {"url":"urn:lifeboat:emis:registered-on","valueDateTime":"2020-01-02"}
        ]);
        let related = json!({"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/p"},"address":[{"line":["SECRET"]}]});
        let bundle = json!({"resourceType":"Bundle","type":"collection","entry":[{"resource":own},{"resource":related}]});
        let pieces = fhir::split(bundle.to_string().as_bytes(), &window()).expect("read");
        let record = build(pieces);
        let text = String::from_utf8_lossy(&record.bytes).into_owned();
        assert!(!text.contains("SECRET") && text.contains("registered-on"), "{code}");
        assert_eq!(record.person.flags, [FLAG_SENSITIVE]);
        assert!(record.person.phones.is_empty() && record.person.address.is_empty());
        assert_eq!(record.person.family.as_deref(), Some("Own"));
        assert_eq!(ids(&record, SectionId::OtherItems), ["r"]);
    }
}

#[test]
fn a_copy_that_is_not_marked_does_not_uncover_a_sensitive_patient() {
    let mut open = patient();
    open["meta"] = json!({"lastUpdated":"2026-11-01T00:00:00Z"});
    open["address"] = json!([{"line":["SECRET"]}]);
    open["active"] = json!(false);
    let mut marked = patient();
    marked["id"] = json!("q");
    marked["meta"] = json!({"security":[{"code":"R"}]});
    let bundle =
        json!({"resourceType":"Bundle","type":"collection","entry":[{"resource":open},{"resource":marked}]});
    let record = build(fhir::split(bundle.to_string().as_bytes(), &window()).expect("read"));
    assert!(!String::from_utf8_lossy(&record.bytes).contains("SECRET"));
    assert_eq!(record.person.flags, [FLAG_LEFT, FLAG_SENSITIVE]);
}

#[test]
fn the_directory_knows_the_person() {
    let own = json!({"resourceType":"Patient","id":"p","active":false,"gender":"female","birthDate":"1950-02",
        "deceasedDateTime":"2026-11-01T10:00:00Z",
        "identifier":[
            {"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018","extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
                "valueCodeableConcept":{"coding":[{"code":"01","display":"Number present and verified"}]}}]},
            {"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000019"},
            {"system":"urn:x","value":"L123"}],
        "name":[{"use":"old","family":"Former"},{"use":"nickname","given":["Dee"]},{"use":"official","family":"Own","given":["Pat","Kim"],"prefix":["Ms"]}],
        "telecom":[{"system":"email","value":"e@example.org"},{"system":"phone","use":"home","value":"01632 960001"},{"system":"phone","use":"mobile","value":"tel:07700 900001"},{"system":"phone","use":"old","value":"1"}],
        "address":[{"use":"old","line":["Gone"]},{"use":"home","line":["1 High Street",""],"city":"Town","postalCode":"ZZ99 3AA"}],
        "generalPractitioner":[{"reference":"Organization/o"},{"reference":"Practitioner/d"}],
        "communication":[{"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSCommunication","extension":[{"url":"interpreterRequired","valueBoolean":true}]}]}]});
    let bundle = json!({"resourceType":"Bundle","type":"collection","entry":[
        {"resource":own},
        {"resource":{"resourceType":"Practitioner","id":"d","name":[{"family":"Doctor","given":["A"],"prefix":["Dr"]}]}},
        {"resource":{"resourceType":"Organization","id":"o","name":"The Surgery"}}]});
    let record = build(fhir::split(bundle.to_string().as_bytes(), &window()).expect("read"));
    let expected = Person {
        family: Some("Own".into()),
        given: vec!["Pat".into(), "Kim".into()],
        title: Some("Ms".into()),
        preferred: Some("Dee".into()),
        born: "1950-02".parse().ok(),
        died: "2026-11-01".parse().ok().map(Died::On),
        gender: Some("female".into()),
        nhs_number: Some("9990000018".into()),
        nhs_status: Some("Number present and verified".into()),
        phones: vec!["07700 900001".into(), "01632 960001".into()],
        address: vec!["1 High Street".into(), "Town".into()],
        postcode: Some("ZZ99 3AA".into()),
        usual_gp: Some("Dr A Doctor".into()),
        flags: [FLAG_DECEASED, FLAG_LEFT, FLAG_INTERPRETER].map(str::to_owned).to_vec(),
        other_identifiers: vec!["9990000019".into(), "L123".into()],
    };
    assert!(record.person == expected, "{}", serde_json::to_string(&record.person).expect("JSON"));
}

#[test]
fn resources_are_kept_as_the_source_wrote_them() {
    let text = r#"{ "resourceType": "Bundle", "type": "collection", "entry": [
        { "resource": { "resourceType": "Patient", "id": "p", "birthDate": "1980", "name": { "family": "O" } } },
        { "resource": { "resourceType": "Procedure", "id": "x", "quantity": 1.50, "big": 12345678901234567890123, "note": [ { "text": "a  b\n" } ], "dup": 1, "dup": 2 } } ] }"#;
    let record = build(fhir::split(text.as_bytes(), &window()).expect("read"));
    let stored = String::from_utf8(record.bytes).expect("UTF-8");
    let expected = r#"{"resourceType":"Procedure","id":"x","quantity":1.50,"big":12345678901234567890123,"note":[{"text":"a  b\n"}],"dup":1,"dup":2}"#;
    assert!(stored.contains(expected), "{stored}");
}

#[test]
fn items_without_the_patients_details_still_make_a_record() {
    let loose = json!({"resourceType":"Condition","id":"c","subject":{"reference":"Patient/9"}});
    let pieces = fhir::split(loose.to_string().as_bytes(), &window()).expect("read");
    let record = build(pieces);
    assert_eq!(ids(&record, SectionId::ActiveProblems), ["c"]);
    assert_eq!(record.problems, [Problem::whole(Reason::NoPatientDetails)]);
    let nothing = build(Vec::new());
    assert!(
        nothing.sections.iter().all(|(_, state, items)| *state == SectionState::NoneRecorded && *items == 0)
    );
}

#[test]
fn an_item_too_large_is_left_out_and_reported() {
    let big = "x".repeat(ITEM_BYTES_MAX);
    let record = build(pieces(
        "collection",
        &[json!({"resourceType":"Media","id":"m","data":big}), json!({"resourceType":"Media","id":"n"})],
    ));
    assert_eq!(ids(&record, SectionId::OtherItems), ["n"]);
    assert_eq!(record.problems[0].reason, Reason::ItemTooLarge(ITEM_BYTES_MAX as u64));

    let many: Vec<Value> = (0..9)
        .map(
            |n| json!({"resourceType":"Media","id":format!("m{n}"),"data":"x".repeat(ITEM_BYTES_MAX - 1000)}),
        )
        .collect();
    let record = build(pieces("collection", &many));
    assert!(record.bytes.len() <= 64 << 20);
    assert_eq!(notes(&record, SectionId::OtherItems), ["Some items are too large to be held in this copy."]);
}

#[test]
fn a_day_list_is_sorted_keyed_and_names_its_participants() {
    let mut shared = SharedResources::default();
    let doctor = json!({"resourceType":"Practitioner","id":"d","name":[{"text":"Dr D"}]});
    for piece in fhir::split(doctor.to_string().as_bytes(), &window()).expect("read") {
        shared.insert(piece);
    }
    let appointment = |id: &str, start: &str, patient: &str| {
        json!({"resourceType":"Appointment","id":id,"start":start,"extension":[{"url":"own"}],"participant":[
            {"actor":{"reference":"Practitioner/d"}},{"actor":{"reference":patient}}]})
    };
    let mut pieces = Vec::new();
    for resource in [
        appointment("late", "2026-11-21T10:00:00Z", "Patient/1"),
        appointment("early", "2026-11-21T10:30:00+01:00", "Patient/2"),
        appointment("early", "2026-11-21T10:30:00+01:00", "Patient/2"),
        appointment("unknown", "2026-11-21T11:00:00Z", "Patient/3"),
    ] {
        let split = fhir::split(resource.to_string().as_bytes(), &window()).expect("read");
        pieces.extend(split.into_iter().filter(|piece| matches!(piece.owner, Owner::Day(_))));
    }
    let resolve = |reference: &str| match reference {
        "Patient/1" => Some("01".repeat(16)),
        "Patient/2" => Some("02".repeat(16)),
        _ => None,
    };
    let list = build_day_list(TODAY, pieces.clone(), &resolve, &shared);
    pieces.reverse();
    assert_eq!(build_day_list(TODAY, pieces, &resolve, &shared), list);
    assert_eq!(list.appointments, 3);
    assert_eq!(list.problems.len(), 1);
    let bundle: Value = serde_json::from_slice(&list.bytes).expect("JSON");
    assert_eq!(bundle["id"], "day-2026-11-21");
    let rows: Vec<_> = bundle["entry"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            let resource = &entry["resource"];
            (
                resource["id"].as_str().unwrap_or_default().to_owned(),
                resource["extension"][1]["valueString"].as_str().map(|key| key[..2].to_owned()),
                resource["participant"][0]["actor"]["display"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    let row = |id: &str, key: Option<&str>| (id.to_owned(), key.map(str::to_owned), "Dr D".to_owned());
    assert_eq!(rows, [row("early", Some("02")), row("late", Some("01")), row("unknown", None)]);
}

#[test]
fn counts_add_up_and_back() {
    let record = build(pieces(
        "collection",
        &[json!({"resourceType":"Procedure","id":"1"}), json!({"resourceType":"Procedure","id":"2"})],
    ));
    let mut counts = SectionCounts::default();
    counts.add(&record.sections);
    counts.add(&record.sections);
    assert_eq!(counts.of(SectionId::Procedures), SectionCount { patients: 2, items: 4 });
    counts.remove(&record.sections);
    counts.remove(&record.sections);
    assert_eq!(counts, SectionCounts::default());
    assert_eq!(counts.iter().count(), SectionId::ALL.len());
}

/// Resources that collide, repeat and refer to each other.
fn resource() -> impl Strategy<Value = Value> {
    let kinds = [
        "Condition",
        "Observation",
        "MedicationRequest",
        "Practitioner",
        "Patient",
        "Composition",
        "Appointment",
        "DiagnosticReport",
    ];
    let dates = ["", "2001", "2026-10", "2026-11-21", "2026-11-21T10:00:00Z"];
    (0..kinds.len(), 0..4_u8, 0..dates.len(), 0..3_u8).prop_map(move |(kind, id, date, text)| {
        let mut resource = json!({"resourceType":kinds[kind],"code":{"text":format!("t{text}")},"effectiveDateTime":dates[date],"start":dates[date],
            "requester":{"reference":format!("Practitioner/{text}")},"result":[{"reference":format!("Observation/{text}")}]});
        if id > 0 {
            resource["id"] = json!(id.to_string());
        }
        if text == 1 {
            resource["meta"] = json!({"lastUpdated":dates[date]});
        }
        resource
    })
}

proptest! {
    #[test]
    fn the_order_of_pieces_does_not_change_a_byte(
        resources in proptest::collection::vec(resource(), 0..12),
        order in any::<prop::sample::Index>(),
    ) {
        let mut all = pieces("collection", &resources);
        let expected = build(all.clone());
        let middle = order.index(all.len());
        all.rotate_left(middle);
        prop_assert!(build(all.clone()) == expected);
        all.reverse();
        prop_assert!(build(all.clone()) == expected);
        all.extend(all.clone());
        prop_assert!(build(all) == expected, "a second copy of everything changes nothing");
    }
}
