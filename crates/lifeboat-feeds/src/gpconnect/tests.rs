//! Tests: what a response says, and what a clinician reads of it.

use jiff::civil::{Date, date};
use lifeboat_clinical::record::PatientRecord;
use lifeboat_clinical::section::SectionWarning;
use lifeboat_clinical::view::{PatientView, patient_view};
use lifeboat_clinical::{
    DayWindow, FeedProfile, Owner, Piece, SectionId, SectionState, SharedResources, build_patient_record,
};
use serde_json::{Value, json};

use super::translate;
use crate::problem::Reason;
use crate::rules::{Confidential, Rules};
use crate::translate::Translated;

pub(crate) fn today() -> Date {
    date(2026, 11, 21)
}

/// Builds the records of all patients of a translated document.
pub(crate) fn built(document: &[u8], today: Date) -> Vec<PatientRecord> {
    let outline = lifeboat_clinical::outline(document).expect("a translation is FHIR R4");
    let feed = FeedProfile { supplied: outline.types, ..FeedProfile::default() };
    let window = DayWindow { first: today, last: today };
    let pieces = lifeboat_clinical::split(document, &window).expect("a translation is FHIR R4");
    let patients = outline.owners.iter().filter(|owner| matches!(owner, Owner::Patient(_)));
    patients
        .map(|owner| {
            let own: Vec<Piece> = pieces.iter().filter(|piece| piece.owner == *owner).cloned().collect();
            build_patient_record(own, &SharedResources::default(), &feed, today)
        })
        .collect()
}

fn coded(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

fn snomed(code: &str, display: &str) -> Value {
    coded("http://snomed.info/sct", code, display)
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "2",
        "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Patient-1"]},
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [{"use": "official", "family": "Skelly", "given": ["Horace"]}], "birthDate": "1980-01-02",
        "generalPractitioner": {"reference": "Practitioner/1"}
    })
}

fn practitioner() -> Value {
    json!({"resourceType": "Practitioner", "id": "1", "name": [{"prefix": ["Dr"], "given": ["Nichole"], "family": "Gilbert"}]})
}

fn list(code: &str, references: &[&str]) -> Value {
    let entries: Vec<Value> = references.iter().map(|one| json!({"item": {"reference": one}})).collect();
    let mut list = json!({"resourceType": "List", "status": "current", "mode": "snapshot",
        "code": snomed(code, "List"), "title": "List", "subject": {"reference": "Patient/2"}, "entry": entries});
    if references.is_empty() {
        list["emptyReason"] = coded("x", "no-content-recorded", "No Content Recorded");
    }
    list
}

fn warned(mut list: Value, warnings: &[&str]) -> Value {
    let url = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1";
    list["extension"] = warnings.iter().map(|code| json!({"url": url, "valueCode": code})).collect();
    list
}

fn bundle(resources: &[Value]) -> Value {
    let entries: Vec<Value> = [patient(), practitioner()]
        .iter()
        .chain(resources)
        .map(|resource| json!({"resource": resource}))
        .collect();
    json!({"resourceType": "Bundle", "type": "collection",
        "meta": {"profile": ["https://fhir.nhs.uk/STU3/StructureDefinition/GPConnect-StructuredRecord-Bundle-1"]},
        "entry": entries})
}

fn translated(resources: &[Value], rules: &Rules) -> Translated {
    translate(bundle(resources).to_string().as_bytes(), rules).expect("the test's own response")
}

fn read(resources: &[Value]) -> (PatientRecord, PatientView, Translated) {
    let translated = translated(resources, &Rules::default());
    let record = built(&translated.document, today()).pop().expect("one patient");
    let view = patient_view(&record.bytes, today()).expect("a record can be shown");
    (record, view, translated)
}

fn state(record: &PatientRecord, section: SectionId) -> (SectionState, u32) {
    let found = record.sections.iter().find(|(id, _, _)| *id == section).expect("every section is there");
    (found.1, found.2)
}

/// Returns all cells of a section as one text.
fn words(view: &PatientView, section: SectionId) -> String {
    let section = &view.sections[section.order()];
    let rows = section.tables.iter().flat_map(|table| &table.rows);
    let rows: Vec<String> = rows
        .map(|row| row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | "))
        .collect();
    rows.join("\n")
}

fn resources(translated: &Translated) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&translated.document).expect("JSON");
    let entries = document["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|mut entry| entry["resource"].take()).collect()
}

const ALLERGIES: &str = "886921000000105";
const MEDICATION: &str = "933361000000108";
const UNCATEGORISED: &str = "826501000000100";
const PROBLEMS: &str = "717711000000103";

#[test]
fn only_areas_whose_list_is_there_are_supplied() {
    let (record, _, _) = read(&[list(ALLERGIES, &[]), list(MEDICATION, &[])]);
    for section in SectionId::ALL {
        let expected = match section {
            SectionId::Allergies
            | SectionId::RepeatMedication
            | SectionId::AcuteMedication
            | SectionId::PastMedication => SectionState::NoneRecorded,
            _ => SectionState::NotSupplied,
        };
        assert_eq!(state(&record, section), (expected, 0), "{section}");
    }
}

#[test]
fn items_that_came_along_without_their_list_are_marked_as_not_all() {
    let observation = json!({"resourceType": "Observation", "id": "o", "status": "final", "code": snomed("27113001", "Body weight"),
        "subject": {"reference": "Patient/2"}, "valueQuantity": {"value": 70.10, "unit": "kg"}});
    let (record, view, _) = read(&[observation]);
    assert_eq!(state(&record, SectionId::Observations), (SectionState::Recorded, 1));
    assert!(view.sections[SectionId::Observations.order()].gap().is_some());
    assert!(words(&view, SectionId::Observations).contains("70.1"));
    assert_eq!(state(&record, SectionId::SocialHistory).0, SectionState::Unavailable);
}

#[test]
fn the_warnings_of_a_list_hold_for_every_section_of_its_area() {
    for warning in ["confidential-items", "data-in-transit", "data-awaiting-filing", "something-new"] {
        let (record, view, translated) =
            read(&[warned(list(PROBLEMS, &[]), &[warning]), list(ALLERGIES, &[])]);
        let known = warning.parse::<SectionWarning>();
        let expected = known.unwrap_or(SectionWarning::PartlyUnreadable);
        for section in [SectionId::ActiveProblems, SectionId::PastProblems] {
            assert_eq!(state(&record, section).0, expected.state_without_items(), "{warning}");
            assert!(view.sections[section.order()].notes.contains(&expected.sentence().to_owned()));
        }
        assert_eq!(state(&record, SectionId::Allergies).0, SectionState::NoneRecorded);
        assert_eq!(translated.problems.len(), usize::from(known.is_err()));
    }
}

#[test]
fn an_empty_list_that_does_not_say_why_is_no_statement_that_there_is_nothing() {
    let mut silent = list(ALLERGIES, &[]);
    silent["emptyReason"] = Value::Null;
    let mut withheld = list(MEDICATION, &[]);
    withheld["emptyReason"] = coded("x", "withheld", "Withheld");
    let (record, view, _) = read(&[silent, withheld]);
    assert_eq!(state(&record, SectionId::Allergies).0, SectionState::Unavailable);
    assert_eq!(view.allergies.words(), "Allergies unavailable");
    assert_eq!(state(&record, SectionId::RepeatMedication).0, SectionState::Withheld);
}

#[test]
fn a_list_that_names_what_is_not_there_is_not_whole() {
    let (record, view, translated) = read(&[list(ALLERGIES, &["AllergyIntolerance/gone"])]);
    assert_eq!(state(&record, SectionId::Allergies).0, SectionState::Unavailable);
    assert_eq!(view.allergies.words(), "Allergies unavailable");
    assert_eq!(translated.problems[0].reason, Reason::Unresolved);
    let unsupported =
        json!({"item": {"display": "Pathology report items are not supported by the provider system"}});
    let mut results = list("887191000000108", &[]);
    results["entry"] = json!([unsupported]);
    let (record, view, _) = read(&[results]);
    assert_eq!(state(&record, SectionId::Results).0, SectionState::Unavailable);
    assert!(words(&view, SectionId::OtherItems).contains("Pathology report items are not supported"));
}

#[test]
fn allergies_that_are_coded_as_journal_entries_or_problems_are_shown_as_allergies() {
    let entry = |kind: &str, id: &str, code: Value| {
        json!({"resourceType": kind, "id": id, "status": "final", "clinicalStatus": "active", "code": code,
            "subject": {"reference": "Patient/2"}, "comment": "Collapsed in 1999", "effectiveDateTime": "1999"})
    };
    let penicillin =
        entry("Observation", "a", coded("http://read.info/readv2", "14L1.00", "H/O: penicillin allergy"));
    let peanuts = entry("Condition", "b", snomed("91935009", "Allergy to peanut"));
    let degraded = entry(
        "Observation",
        "c",
        json!({"text": "Allergy to paracetemol", "coding": [
        {"system": "http://snomed.info/sct", "code": "196461000000101", "display": "Transfer-degraded drug allergy"}]}),
    );
    let asthma = entry("Observation", "d", snomed("195967001", "Asthma"));
    let (record, view, _) = read(&[
        penicillin,
        peanuts,
        degraded,
        asthma,
        list(ALLERGIES, &[]),
        list(UNCATEGORISED, &["Observation/a", "Observation/c", "Observation/d"]),
        list(PROBLEMS, &["Condition/b"]),
    ]);
    assert_eq!(view.allergies.words(), "Known allergies");
    assert_eq!(state(&record, SectionId::Allergies), (SectionState::Recorded, 3));
    assert_eq!(state(&record, SectionId::ActiveProblems), (SectionState::Recorded, 1));
    let shown = words(&view, SectionId::Allergies);
    for expected in [
        "H/O: penicillin allergy",
        "Allergy to peanut",
        "Allergy to paracetemol",
        "Transfer-degraded:",
        "Collapsed in 1999",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[test]
fn an_allergy_that_is_also_a_problem_or_an_entry_is_told_once_as_an_allergy() {
    let code = snomed("294881007", "Allergy to warfarin");
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": "a", "clinicalStatus": "active", "verificationStatus": "unconfirmed",
        "code": code, "patient": {"reference": "Patient/2"}, "recorder": {"reference": "Practitioner/1"}});
    let problem = json!({"resourceType": "Condition", "id": "b", "clinicalStatus": "active", "code": code, "subject": {"reference": "Patient/2"}});
    let (record, view, _) = read(&[
        allergy,
        problem,
        list(ALLERGIES, &["AllergyIntolerance/a"]),
        list(PROBLEMS, &["Condition/b"]),
    ]);
    assert_eq!(state(&record, SectionId::Allergies).1, 1);
    assert!(words(&view, SectionId::Allergies).contains("Recorder: Dr Nichole Gilbert"));
}

#[test]
fn no_known_allergies_is_an_entry_and_an_empty_list_is_not() {
    let none_known = json!({"resourceType": "AllergyIntolerance", "id": "a", "clinicalStatus": "active", "verificationStatus": "unconfirmed",
        "code": snomed("716186003", "No known allergies"), "patient": {"reference": "Patient/2"}, "assertedDate": "2020-01-01"});
    let listed = list(ALLERGIES, &["AllergyIntolerance/a"]);
    let cases = [
        (vec![none_known.clone(), listed.clone()], "No known allergies"),
        (vec![list(ALLERGIES, &[])], "Allergies not recorded"),
        (vec![], "Allergies unavailable"),
        (vec![none_known, warned(listed, &["confidential-items"])], "Allergies unavailable"),
    ];
    for (resources, expected) in cases {
        assert_eq!(read(&resources).1.allergies.words(), expected);
    }
}

#[test]
fn ended_allergies_are_taken_out_of_the_list_that_contains_them() {
    let end = json!([{"url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-AllergyIntoleranceEnd-1",
        "extension": [{"url": "endDate", "valueDateTime": "2018-03-01"}, {"url": "reasonEnded", "valueString": "Cured"}]}]);
    let contained = json!({"resourceType": "AllergyIntolerance", "id": "r1", "clinicalStatus": "resolved", "verificationStatus": "unconfirmed",
        "extension": end, "code": snomed("91935009", "Allergy to peanut"), "patient": {"reference": "Patient/2"}});
    let mut ended = list("1103671000000101", &["#r1"]);
    ended["contained"] = json!([contained]);
    let (record, view, translated) = read(&[list(ALLERGIES, &[]), ended]);
    assert_eq!(state(&record, SectionId::Allergies).1, 1);
    let shown = words(&view, SectionId::Allergies);
    assert!(shown.contains("01-Mar-2018") && shown.contains("Cured"), "{shown}");
    assert_eq!(view.allergies.words(), "Allergies not recorded");
    assert!(translated.problems.is_empty());
}

/// Returns the parts of one repeat course, issued twice.
fn course() -> [Value; 5] {
    let repeat = |allowed: u32| {
        json!({"url": "https://x/Extension-CareConnect-GPC-MedicationRepeatInformation-1", "extension": [
        {"url": "numberOfRepeatPrescriptionsAllowed", "valuePositiveInt": allowed},
        {"url": "authorisationExpiryDate", "valueDateTime": "2027-01-01"}]})
    };
    let kind = json!({"url": "https://x/Extension-CareConnect-GPC-PrescriptionType-1", "valueCodeableConcept": coded("x", "repeat", "Repeat")});
    let agency = json!({"url": "https://x/Extension-CareConnect-GPC-PrescribingAgency-1",
        "valueCodeableConcept": coded("x", "prescribed-by-another-organisation", "Prescribed by another organisation")});
    let text = json!([{"url": "https://x/Extension-CareConnect-GPC-MedicationQuantityText-1", "valueString": "5 pens"}]);
    let medicine =
        json!({"resourceType": "Medication", "id": "m", "code": snomed("123", "Insulin 100units/ml pens")});
    let request = |id: &str, intent: &str, date: &str| {
        json!({"resourceType": "MedicationRequest", "id": id, "intent": intent, "status": "active", "authoredOn": date,
            "medicationReference": {"reference": "Medication/m"}, "subject": {"reference": "Patient/2"},
            "dosageInstruction": [{"text": "20 units at night"}], "requester": {"agent": {"reference": "Practitioner/1"}},
            "dispenseRequest": {"quantity": {"extension": text}, "validityPeriod": {"start": date}}})
    };
    let mut plan = request("p", "plan", "2026-01-05");
    plan["extension"] = json!([kind, repeat(6)]);
    let mut first = request("i1", "order", "2026-01-05");
    first["basedOn"] = json!([{"reference": "MedicationRequest/p"}]);
    let mut second = request("i2", "order", "2026-02-05");
    second["basedOn"] = json!({"reference": "MedicationRequest/p"});
    second["dosageInstruction"] = json!([{"text": "24 units at night"}]);
    let statement = json!({"resourceType": "MedicationStatement", "id": "s", "status": "active", "taken": "unk", "extension": [agency],
        "basedOn": [{"reference": "MedicationRequest/p"}], "medicationReference": {"reference": "Medication/m"},
        "subject": {"reference": "Patient/2"}, "dosage": [{"text": "20 units at night"}], "dateAsserted": "2026-01-05",
        "effectivePeriod": {"start": "2026-01-05"}, "note": [{"text": "Keep in the fridge"}]});
    [medicine, plan, first, second, statement]
}

#[test]
fn a_course_is_one_prescription_with_all_that_was_said_of_it() {
    let parts = course();
    let (record, view, translated) =
        read(&[&parts[..], &[list(MEDICATION, &["MedicationStatement/s"])]].concat());
    assert!(translated.problems.is_empty());
    assert_eq!(state(&record, SectionId::RepeatMedication), (SectionState::Recorded, 1));
    assert_eq!(state(&record, SectionId::AcuteMedication), (SectionState::NoneRecorded, 0));
    let row = &view.sections[SectionId::RepeatMedication.order()].tables[0].rows[0];
    let cells: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
    let expected = [
        "Repeat",
        "Active",
        "05-Jan-2026",
        "Insulin 100units/ml pens",
        "20 units at night",
        "5 pens",
        "05-Feb-2026",
        "2",
        "6",
        "01-Jan-2027",
    ];
    assert_eq!(cells[..10], expected);
    for said in [
        "PRESCRIBED ELSEWHERE: Prescribed by another organisation",
        "Keep in the fridge",
        "Issue: 05-Feb-2026: 5 pens, 24 units at night",
        "Dr Nichole Gilbert",
    ] {
        assert!(cells[10].contains(said), "{said}: {}", cells[10]);
    }
}

#[test]
fn no_part_of_a_course_is_lost_when_another_is_missing() {
    let [medicine, plan, first, second, statement] = course();
    let cases = [
        vec![medicine.clone(), statement.clone()],
        vec![medicine.clone(), first.clone(), second.clone()],
        vec![medicine.clone(), plan.clone()],
        vec![medicine.clone(), plan.clone(), statement.clone(), statement.clone()],
        vec![plan, first, second, statement],
    ];
    for (parts, expected) in cases.into_iter().zip([1, 2, 1, 1, 1]) {
        let translated = translated(&parts, &Rules::default());
        let kinds: Vec<String> = resources(&translated)
            .iter()
            .map(|one| one["resourceType"].as_str().unwrap_or_default().to_owned())
            .collect();
        let medication = kinds.iter().filter(|kind| kind.starts_with("Medication")).count();
        assert_eq!(medication, expected, "{kinds:?}");
    }
}

#[test]
fn a_consultation_reads_as_it_was_written() {
    let encounter = json!({"resourceType": "Encounter", "id": "e", "status": "finished", "type": [{"text": "GP Surgery"}],
        "subject": {"reference": "Patient/2"}, "period": {"start": "2026-11-01T10:00:00+00:00"},
        "participant": [{"individual": {"reference": "Practitioner/1"}}]});
    let note = |id: &str, comment: &str| {
        json!({"resourceType": "Observation", "id": id, "status": "final", "comment": comment,
        "code": snomed("37331000000100", "Comment note"), "subject": {"reference": "Patient/2"}, "effectiveDateTime": "2026-11-01"})
    };
    let pulse = json!({"resourceType": "Observation", "id": "n3", "status": "final", "code": snomed("364075005", "Heart rate"),
        "subject": {"reference": "Patient/2"}, "valueQuantity": {"value": 72, "unit": "/min"}, "effectiveDateTime": "2026-11-01"});
    let part = |id: &str, code: &str, title: Option<&str>, references: &[&str]| {
        let mut part = list(code, references);
        part["id"] = json!(id);
        part["title"] = json!(title);
        part["encounter"] = json!({"reference": "Encounter/e"});
        part
    };
    let (record, view, translated) = read(&[
        encounter,
        note("n1", "Cough for 3 weeks"),
        note("n2", "Chest clear"),
        pulse,
        part("c", "325851000000107", Some("GP Surgery"), &["List/t1", "List/t2"]),
        part("t1", "25851000000105", Some("Cough"), &["List/h", "List/x"]),
        part("h", "24781000000107", Some("History"), &["Observation/n1"]),
        part("x", "24781000000107", Some("Examination"), &["Observation/n2", "Observation/n3"]),
        part("t2", "25851000000105", None, &["Observation/gone"]),
        list("1149501000000101", &["Encounter/e"]),
    ]);
    let shown = words(&view, SectionId::Encounters);
    for said in [
        "GP Surgery \u{2013} Cough",
        "History: Cough for 3 weeks",
        "Examination: Chest clear; Heart rate \u{2013} 72 /min",
        "not in the source's answer",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert_eq!(state(&record, SectionId::Observations).1, 1);
    assert_eq!(state(&record, SectionId::OtherItems).1, 0, "notes are told with the consultation");
    assert_eq!(translated.problems[0].reason, Reason::Unresolved);
}

#[test]
fn what_the_source_marks_as_confidential_follows_the_sites_rule() {
    let mut note = json!({"resourceType": "Condition", "id": "c", "clinicalStatus": "active", "code": snomed("1", "Secret"), "subject": {"reference": "Patient/2"}});
    note["meta"] = json!({"security": [{"code": "R"}]});
    let parts = [note, list(PROBLEMS, &["Condition/c"])];
    let (record, view, _) = read(&parts);
    assert_eq!(state(&record, SectionId::ActiveProblems), (SectionState::Withheld, 0));
    assert!(!words(&view, SectionId::ActiveProblems).contains("Secret"));
    let keep = Rules { confidential: Confidential::Keep, ..Rules::default() };
    let kept = translated(&parts, &keep);
    assert!(String::from_utf8_lossy(&kept.document).contains("Secret"));
}

#[test]
fn what_is_confidential_is_not_told_by_what_refers_to_it_either() {
    let mark = |mut resource: Value| {
        resource["meta"] = json!({"security": [{"code": "R"}]});
        resource
    };
    let secret = mark(
        json!({"resourceType": "Condition", "id": "c", "clinicalStatus": "active", "code": snomed("91935009", "Allergy to secrets"), "subject": {"reference": "Patient/2"}}),
    );
    let plain = json!({"resourceType": "Condition", "id": "d", "clinicalStatus": "active", "code": snomed("1", "Plain"), "subject": {"reference": "Patient/2"},
        "extension": [{"url": "Extension-CareConnect-RelatedClinicalContent-1", "valueReference": {"reference": "Condition/c"}}]});
    let [medicine, plan, mut issue, _, statement] = course();
    issue["note"] = json!([{"text": "Allergy to secrets"}]);
    let parts = [
        secret,
        plain,
        medicine,
        plan,
        mark(issue),
        statement,
        list(PROBLEMS, &["Condition/c", "Condition/d"]),
        list(MEDICATION, &["MedicationStatement/s"]),
        list(ALLERGIES, &[]),
    ];
    let (record, view, translated) = read(&parts);
    assert!(!String::from_utf8_lossy(&translated.document).contains("secrets"));
    assert_eq!(state(&record, SectionId::RepeatMedication), (SectionState::Withheld, 0));
    assert_eq!(view.allergies.words(), "Allergies unavailable");
    let keep = Rules { confidential: Confidential::Keep, ..Rules::default() };
    let kept = super::tests::translated(&parts, &keep);
    let marked = resources(&kept).iter().filter(|one| one["meta"]["security"][0]["code"] == "R").count();
    assert_eq!(marked, 3, "the problem, the allergy that it is, and the course");
}

#[test]
fn the_only_issue_of_a_course_is_told_when_it_differs() {
    let [medicine, plan, _, issue, mut statement] = course();
    statement["extension"] = json!([{"url": "https://x/Extension-CareConnect-GPC-MedicationStatementLastIssueDate-1", "valueDateTime": "2026-02-05"}]);
    let mut same = issue.clone();
    same["dosageInstruction"] = plan["dosageInstruction"].clone();
    for (issue, is_told) in [(issue, true), (same, false)] {
        let parts = [
            medicine.clone(),
            plan.clone(),
            issue,
            statement.clone(),
            list(MEDICATION, &["MedicationStatement/s"]),
        ];
        let shown = words(&read(&parts).1, SectionId::RepeatMedication);
        assert_eq!(shown.contains("24 units at night"), is_told, "{shown}");
        assert_eq!(shown.contains("Issue: "), is_told, "{shown}");
        assert!(shown.contains("05-Feb-2026"), "{shown}");
    }
}

#[test]
fn an_excluded_patient_has_no_document_and_somebody_elses_item_is_left_out() {
    let rules = Rules { excluded: ["9990000018".to_owned()].into(), ..Rules::default() };
    assert!(resources(&translated(&[list(ALLERGIES, &[])], &rules)).is_empty());
    let letter = json!({"resourceType": "DocumentReference", "id": "d", "status": "current", "description": "Of somebody else",
        "subject": {"reference": "Patient/3"}});
    let (record, view, translated) = read(&[letter]);
    assert!(!String::from_utf8_lossy(&translated.document).contains("somebody else"));
    assert_eq!(translated.problems.len(), 1);
    assert_eq!(state(&record, SectionId::OtherItems).0, SectionState::Unavailable);
    assert!(
        view.sections[SectionId::OtherItems.order()]
            .notes
            .contains(&SectionWarning::PartlyUnreadable.sentence().to_owned())
    );
}

#[test]
fn a_date_that_is_none_is_told_as_it_was_written() {
    let allergy = json!({"resourceType": "AllergyIntolerance", "id": "a", "clinicalStatus": "active", "code": snomed("1", "Nuts"),
        "patient": {"reference": "Patient/2"}, "onsetDateTime": "31/02/2024", "assertedDate": "2024"});
    let (_, view, translated) = read(&[allergy, list(ALLERGIES, &["AllergyIntolerance/a"])]);
    let shown = words(&view, SectionId::Allergies);
    assert!(shown.contains("31/02/2024") && shown.contains("Recorded: 2024"), "{shown}");
    assert_eq!(translated.problems.len(), 1);
    assert_eq!(translated.problems[0].to_string(), "AllergyIntolerance.onsetDateTime: is not a date");
}

#[test]
fn types_that_fhir_r4_does_not_have_are_kept_whole() {
    let strange = json!({"resourceType": "DeviceUseRequest", "id": "s", "subject": {"reference": "Patient/2"}, "note": [{"text": "Wheelchair"}]});
    let family = json!({"resourceType": "FamilyMemberHistory", "id": "f", "status": "completed", "patient": {"reference": "Patient/2"},
        "relationship": {"text": "Mother"}, "condition": [{"code": {"text": "Asthma"}}]});
    let (record, view, _) = read(&[strange, family]);
    assert_eq!(state(&record, SectionId::OtherItems).1, 2);
    let shown = words(&view, SectionId::OtherItems);
    assert!(shown.contains("Wheelchair") && shown.contains("Mother") && shown.contains("Asthma"), "{shown}");
}

#[test]
fn a_document_that_is_no_record_says_what_it_is() {
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found",
        "details": {"coding": [{"code": "PATIENT_NOT_FOUND"}, {"code": "Horace Skelly"}]}}]});
    let searched = |resource: Value| json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]});
    let cases = [
        (outcome, "error (not-found, PATIENT_NOT_FOUND)"),
        (json!({"resourceType": "Bundle", "type": "searchset", "total": 0}), "holds no resource"),
        (searched(json!({"resourceType": "Slot", "id": "1"})), "holds nothing about a patient"),
        (json!({"resourceType": "Binary", "content": "AAAA"}), "Binary"),
        (searched(json!({"resourceType": "Observation", "id": "1"})), "nobody's record"),
        (
            json!({"resourceType": "Bundle", "entry": [{"resource": patient()}, {"resource": {"resourceType": "Patient", "id": "9"}}]}),
            "2 patients",
        ),
        (json!("text"), "no resource"),
        (json!({}), "no resource"),
    ];
    for (document, expected) in cases {
        let problem = translate(document.to_string().as_bytes(), &Rules::default()).expect_err("no record");
        assert!(problem.to_string().contains(expected), "{expected}: {problem}");
        assert!(!problem.to_string().contains("Skelly"));
    }
}

#[test]
fn appointments_are_translated_for_the_day_list() {
    let appointment = json!({"resourceType": "Appointment", "id": "a", "status": "booked", "start": "2026-11-21T10:00:00+00:00",
        "serviceCategory": {"text": "General"}, "reason": [{"text": "Cough"}],
        "participant": [{"actor": {"reference": "Patient/2"}, "status": "accepted"}, {"actor": {"reference": "Practitioner/1"}, "status": "accepted"}]});
    let document = json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": appointment}, {"resource": practitioner()}]});
    let translated = translate(document.to_string().as_bytes(), &Rules::default()).expect("appointments");
    let outline = lifeboat_clinical::outline(&translated.document).expect("FHIR R4");
    assert!(outline.owners.contains(&Owner::Day(today())));
    let appointment = &resources(&translated)[0];
    assert_eq!(appointment["reasonCode"][0]["text"], "Cough");
    assert_eq!(appointment["participant"][1]["actor"], json!({"display": "Dr Nichole Gilbert"}));
}
