use jiff::civil::date;
use serde_json::{Value, json};

use super::*;
use crate::{SectionId, SectionState};

pub(crate) const TODAY: Date = date(2026, 11, 21);

pub(crate) fn patient() -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "active": true, "gender": "male", "birthDate": "1980-08-14",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [{"use": "official", "family": "Smith", "given": ["John"], "prefix": ["Mr"]}],
        "telecom": [{"system": "phone", "use": "mobile", "value": "07700 900123"}],
        "address": [{"use": "home", "line": ["1 Lantern Street"], "city": "Port Selkie", "postalCode": "ZZ99 1AA"}],
        "contact": [{"relationship": [{"text": "Wife"}], "name": {"family": "Smith", "given": ["Ann"]},
                     "telecom": [{"system": "phone", "value": "07700 900456"}]}],
        "generalPractitioner": [{"display": "Dr Orla Fairweather"}]
    })
}

/// Makes a record in the shape in which records are stored.
pub(crate) fn record_of(patient: Value, filled: &[(SectionId, SectionState, Vec<Value>)]) -> Vec<u8> {
    let mut entries = vec![Value::Null, json!({"fullUrl": "urn:x:patient", "resource": patient})];
    let mut sections = Vec::new();
    for id in SectionId::ALL {
        let found = filled.iter().find(|(filled, _, _)| *filled == id);
        let (state, items) =
            found.map_or((SectionState::NoneRecorded, &[][..]), |(_, state, items)| (*state, items));
        let mut references = Vec::new();
        for item in items {
            let url = format!("urn:x:{}", entries.len());
            references.push(json!({"reference": url}));
            entries.push(json!({"fullUrl": url, "resource": item}));
        }
        sections.push(json!({
            "title": id.title(),
            "code": {"coding": [{"system": "urn:lifeboat:section", "code": id.code()}]},
            "extension": [{"url": "urn:lifeboat:section-state", "valueCode": state.code()}],
            "entry": references
        }));
    }
    entries[0] = json!({"fullUrl": "urn:x:composition", "resource":
        {"resourceType": "Composition", "id": "c", "section": sections}});
    serde_json::to_vec(&json!({"resourceType": "Bundle", "type": "document", "entry": entries})).unwrap()
}

pub(crate) fn view_of(patient: Value, filled: &[(SectionId, SectionState, Vec<Value>)]) -> PatientView {
    patient_view(&record_of(patient, filled), TODAY).unwrap()
}

pub(crate) fn section_with(id: SectionId, items: Vec<Value>) -> SectionView {
    let mut view = view_of(patient(), &[(id, SectionState::Recorded, items)]);
    view.sections.swap_remove(id.order())
}

fn texts(table: &TableView) -> Vec<Vec<&str>> {
    table.rows.iter().map(|row| row.cells.iter().map(|cell| cell.text.as_str()).collect()).collect()
}

pub(crate) fn all_texts(view: &PatientView) -> String {
    let mut all = Vec::new();
    let banner = &view.banner;
    all.extend([&banner.name, &banner.born, &banner.gender, &banner.nhs].map(String::clone));
    let optional =
        [&banner.preferred, &banner.nhs_note, &banner.died, &banner.age_at_death, &banner.usual_gp];
    all.extend(optional.into_iter().flatten().cloned());
    all.extend([&banner.address, &banner.phones, &banner.alerts].into_iter().flatten().cloned());
    let tables = view.person.iter().chain(view.sections.iter().flat_map(|section| &section.tables));
    for row in tables.flat_map(|table| &table.rows) {
        all.extend(row.cells.iter().map(|cell| cell.text.clone()));
        all.extend(row.more.iter().map(|field| field.text.clone()));
    }
    all.extend(view.sections.iter().flat_map(|section| section.notes.clone()));
    all.join("\n")
}

#[test]
fn the_banner_names_the_patient_by_the_rules_of_the_nhs() {
    let view = view_of(patient(), &[]);
    let banner = &view.banner;
    assert_eq!(banner.name, "SMITH, John (Mr)");
    assert_eq!((banner.born.as_str(), banner.age.as_deref()), ("14-Aug-1980", Some("46y")));
    assert_eq!((banner.gender.as_str(), banner.nhs.as_str()), ("Male", "999 000 0018"));
    assert_eq!(banner.address, ["1 Lantern Street", "Port Selkie", "ZZ99 1AA"]);
    assert_eq!(banner.phones, ["Mobile 07700 900123"]);
    assert_eq!(banner.usual_gp.as_deref(), Some("Dr Orla Fairweather"));
    assert!(banner.flags.is_empty());
    let contacts = view.person.iter().find(|table| table.caption == "Next of kin and contacts").unwrap();
    assert_eq!(texts(contacts), [["Wife", "SMITH, Ann", "07700 900456", ""]]);
}

#[test]
fn the_dead_the_departed_and_the_restricted_are_flagged() {
    type Check = fn(&Banner) -> bool;
    let cases: &[(&str, Value, Check)] = &[
        ("deceasedDateTime", json!("2026-01-02"), |banner| {
            banner.died.as_deref() == Some("02-Jan-2026")
                && banner.age_at_death.as_deref() == Some("45y")
                && banner.age.is_none()
                && banner.flags == [BannerFlag::Deceased]
        }),
        ("deceasedDateTime", json!("2026-01"), |banner| {
            banner.died.as_deref() == Some("Jan-2026") && banner.age_at_death.as_deref() == Some("about 46y")
        }),
        ("deceasedBoolean", json!(true), |banner| {
            banner.died.as_deref() == Some("Date not known")
                && banner.age_at_death.as_deref() == Some("Not known")
        }),
        ("deceasedBoolean", json!(false), |banner| banner.died.is_none() && banner.flags.is_empty()),
        ("active", json!(false), |banner| banner.flags == [BannerFlag::Left]),
        ("meta", json!({"security": [{"code": "R"}]}), |banner| {
            banner.flags == [BannerFlag::Sensitive]
                && banner.address == ["Details withheld"]
                && banner.phones.is_empty()
        }),
        ("birthDate", json!("1980"), |banner| {
            banner.born == "1980" && banner.age.as_deref() == Some("about 46y")
        }),
        ("birthDate", Value::Null, |banner| banner.born == "Not known" && banner.age.is_none()),
        ("gender", Value::Null, |banner| banner.gender == "Not known"),
        ("identifier", Value::Null, |banner| banner.nhs == "Not known"),
        ("identifier", json!([{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "123"}]), |banner| {
            banner.nhs == "123" && banner.nhs_note.as_deref() == Some("not a valid NHS number")
        }),
    ];
    for (field, value, check) in cases {
        let mut patient = patient();
        patient[*field] = value.clone();
        assert!(check(&view_of(patient, &[]).banner), "{field}: {value}");
    }
}

#[test]
fn the_nhs_number_in_use_is_shown_and_the_others_are_listed() {
    let number = |value: &str, usage: &str| json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "use": usage, "value": value});
    let (old, bad, good) =
        (number("9990000026", "old"), number("12", "official"), number("9990000018", "official"));
    let cases = [
        (json!([old, bad, good]), "999 000 0018", None),
        (json!([good, old]), "999 000 0018", None),
        (json!([old, bad]), "12", Some("not a valid NHS number")),
        (json!([old]), "999 000 0026", Some("a former number")),
    ];
    for (identifiers, nhs, note) in cases {
        let others = identifiers.as_array().map_or(0, Vec::len) - 1;
        let view = view_of(with(patient(), "identifier", identifiers), &[]);
        assert_eq!((view.banner.nhs.as_str(), view.banner.nhs_note.as_deref()), (nhs, note));
        assert_eq!(all_texts(&view).matches("Other NHS number").count(), others, "{nhs}");
    }
}

#[test]
fn nothing_of_a_restricted_patient_says_where_they_are() {
    let mut patient = patient();
    patient["meta"] = json!({"security": [{"code": "V"}]});
    let all = all_texts(&view_of(patient, &[]));
    for part in ["Lantern", "Selkie", "ZZ99", "07700", "Ann", "Fairweather"] {
        assert!(!all.contains(part), "{part}");
    }
}

#[test]
fn a_record_without_a_patient_says_so() {
    let view = patient_view(br#"{"resourceType":"Bundle","entry":[]}"#, TODAY).unwrap();
    assert_eq!(view.banner.flags, [BannerFlag::Unidentified]);
    assert_eq!(view.sections.len(), SectionId::ALL.len());
    assert!(matches!(view.allergies, AllergyHeader::Unavailable { .. }));
}

pub(crate) fn with(mut resource: Value, field: &str, value: Value) -> Value {
    resource[field] = value;
    resource
}

fn medicine(status: &str) -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": "m", "status": status, "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": "http://dmd.nhs.uk", "code": "1", "display": "Digoxin 62.5microgram tablets"}]},
        "authoredOn": "2026-01-02",
        "courseOfTherapyType": {"coding": [{"code": "continuous"}]},
        "dosageInstruction": [{"text": "0.50 tab  ALT days!"}],
        "dispenseRequest": {"validityPeriod": {"start": "2026-01-03", "end": "2026-02-01"}, "numberOfRepeatsAllowed": 6,
            "quantity": {"value": 28, "unit": "tablet"}, "expectedSupplyDuration": {"value": 28, "unit": "day"}},
        "extension": [
            {"url": "https://x/Extension-UKCore-MedicationRepeatInformation", "extension": [
                {"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": 4},
                {"url": "authorisationExpiryDate", "valueDateTime": "2026-12-01"}]},
            {"url": "https://x/Extension-MedicationLastIssuedDate", "valueDateTime": "2026-11-01"}]
    })
}

#[test]
fn medicines_have_the_columns_that_practices_know_and_the_source_words() {
    let section = section_with(SectionId::RepeatMedication, vec![medicine("active")]);
    assert_eq!(
        texts(&section.tables[0]),
        [[
            "Repeat",
            "Active",
            "03-Jan-2026",
            "Digoxin 62.5microgram tablets",
            "0.50 tab  ALT days!",
            "28 tablet",
            "01-Nov-2026",
            "4",
            "6",
            "01-Dec-2026",
            "Authored on: 02-Jan-2026\nDispense request, validity period: until 01-Feb-2026\nDispense request, expected supply duration: 28 day"
        ]]
    );
    let acute = section_with(SectionId::AcuteMedication, vec![medicine("completed")]);
    let cells = texts(&acute.tables[0]).remove(0);
    assert_eq!(cells[6..8], ["01-Feb-2026", "28 day"]);
    let mut stopped = medicine("stopped");
    stopped["statusReason"] = json!({"text": "Bradycardia"});
    let past = section_with(SectionId::PastMedication, vec![stopped]);
    let cells = texts(&past.tables[0]).remove(0);
    assert_eq!(cells[6..9], ["01-Nov-2026", "01-Feb-2026", "Bradycardia"]);
}

#[test]
fn the_status_of_a_medicine_is_never_blank() {
    let cases = [
        (json!("active"), "Active", Emphasis::Strong),
        (json!("on-hold"), "On hold", Emphasis::Alert),
        (json!("stopped"), "Stopped", Emphasis::Alert),
        (json!("cancelled"), "CANCELLED", Emphasis::Void),
        (json!("entered-in-error"), "ENTERED IN ERROR", Emphasis::Void),
        (json!("strange-new-word"), "Strange new word", Emphasis::Alert),
        (Value::Null, "Not stated", Emphasis::Alert),
    ];
    for (status, words, emphasis) in cases {
        let item = with(medicine("x"), "status", status);
        let section = section_with(SectionId::RepeatMedication, vec![item]);
        let cell = &section.tables[0].rows[0].cells[1];
        assert_eq!((cell.text.as_str(), cell.emphasis), (words, emphasis));
    }
    let forbidden = with(medicine("active"), "doNotPerform", json!(true));
    let section = section_with(SectionId::RepeatMedication, vec![forbidden]);
    assert_eq!(section.tables[0].rows[0].cells[1].text, "DO NOT");
}

#[test]
fn a_medicine_by_reference_is_named_wherever_it_stands() {
    let contained = json!({
        "resourceType": "MedicationRequest", "status": "active", "medicationReference": {"reference": "#m1"},
        "contained": [{"resourceType": "Medication", "id": "m1", "code": {"text": "Contained drug 5mg"}}]
    });
    let structured = json!({
        "resourceType": "MedicationStatement", "status": "active", "medicationCodeableConcept": {"coding": [{"system": "urn:s", "code": "c9"}]},
        "dosage": [{"route": {"text": "Oral"}, "timing": {"repeat": {"frequency": 2}}}]
    });
    let section = section_with(SectionId::AcuteMedication, vec![contained, structured]);
    let rows = texts(&section.tables[0]);
    assert_eq!(rows[0][3], "Contained drug 5mg");
    assert_eq!(rows[1][3], "urn:s|c9", "a code without words is shown raw");
    assert_eq!(rows[1][4], "Route: Oral\nTiming, repeat, frequency: 2");
    assert_eq!((rows[1][0], rows[0][4]), ("Statement", "Not recorded"));
}

#[test]
fn values_keep_the_spelling_and_units_of_the_source() {
    let record = String::from_utf8(record_of(
        patient(),
        &[(SectionId::Results, SectionState::Recorded, vec![json!({
            "resourceType": "Observation", "status": "final", "code": {"text": "INR"}, "effectiveDateTime": "2026-11-01",
            "valueQuantity": {"value": "@@", "comparator": "<", "unit": "ratio"},
            "interpretation": [{"coding": [{"code": "L", "display": "Low"}]}],
            "referenceRange": [{"low": {"value": 2, "unit": "ratio"}, "high": {"value": 3.5, "unit": "ratio"}}]
        })])],
    ))
    .unwrap();
    for spelling in ["1.50", "1.0", "0.10", "150", "1e3", "12345678901234567890.123456789"] {
        let record = record.replace("\"@@\"", spelling);
        let view = patient_view(record.as_bytes(), TODAY).unwrap();
        let table = &view.sections[SectionId::Results.order()].tables[0];
        let value = format!("<{spelling} ratio (Low)");
        assert_eq!(texts(table), [["01-Nov-2026", "INR", value.as_str(), "2 \u{2013} 3.5 ratio", ""]]);
        assert_eq!(table.rows[0].cells[2].emphasis, Emphasis::Alert);
    }
}

#[test]
fn measurements_of_every_shape_have_a_value() {
    let cases = [
        (json!({"valueString": "trace"}), "trace"),
        (json!({"valueCodeableConcept": {"text": "Never smoked"}}), "Never smoked"),
        (json!({"valueBoolean": true}), "Yes"),
        (json!({"valueDateTime": "2027-02-03"}), "03-Feb-2027"),
        (json!({"valueInteger": 7}), "7"),
        (json!({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}), "1 / 128"),
        (
            json!({"valueSampledData": {"origin": {"value": 0}, "dimensions": 1, "data": "1 2 3"}}),
            "Origin, value: 0, Dimensions: 1, Data: 1 2 3",
        ),
        (json!({"dataAbsentReason": {"text": "haemolysed"}}), "No value: haemolysed"),
        (
            json!({"component": [
                {"code": {"text": "Systolic"}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
                {"code": {"text": "Diastolic"}, "valueQuantity": {"value": 80, "unit": "mmHg"}}]}),
            "Systolic: 120 mmHg\nDiastolic: 80 mmHg",
        ),
        (json!({}), ""),
    ];
    for (value, expected) in cases {
        let mut item = json!({"resourceType": "Observation", "status": "final", "code": {"text": "Thing"}});
        item.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        let section = section_with(SectionId::Observations, vec![item]);
        assert_eq!(section.tables[0].rows[0].cells[2].text, expected);
    }
}

#[test]
fn items_are_sorted_newest_first_and_undated_last() {
    let item = |text: &str, date: Value| json!({"resourceType": "Condition", "code": {"text": text}, "onsetDateTime": date});
    let items = vec![
        item("none", Value::Null),
        item("old", json!("1999")),
        item("new", json!("2026-05-01T10:00:00Z")),
        item("middle", json!("2020-02")),
    ];
    let section = section_with(SectionId::ActiveProblems, items);
    let rows = texts(&section.tables[0]);
    let said: Vec<(&str, &str)> = rows.iter().map(|row| (row[1], row[0])).collect();
    assert_eq!(
        said,
        [("new", "01-May-2026 11:00"), ("middle", "Feb-2020"), ("old", "1999"), ("none", "Not recorded")]
    );
}

#[test]
fn past_problems_are_split_by_significance() {
    let problem = |text: &str, significance: &str| {
        json!({"resourceType": "Condition", "code": {"text": text}, "onsetDateTime": "2010", "abatementDateTime": "2011-02",
            "extension": [{"url": "https://x/Extension-CareConnect-GPC-ProblemSignificance-1", "valueCode": significance}]})
    };
    let section = section_with(SectionId::PastProblems, vec![problem("a", "minor"), problem("b", "major")]);
    let captions: Vec<&str> = section.tables.iter().map(|table| table.caption.as_str()).collect();
    assert_eq!(captions, ["Major Inactive Problems and Issues", "Other Inactive Problems and Issues"]);
    assert_eq!(texts(&section.tables[0]), [["2010", "Feb-2011", "b", "Major", ""]]);
    assert_eq!(section.tables[1].columns, ["Start Date", "End Date", "Entry", "Significance", "Details"]);
}

#[test]
fn what_does_not_hold_is_labelled() {
    let cases = [
        (
            SectionId::Results,
            json!({"resourceType": "Observation", "status": "entered-in-error", "code": {"text": "X"}}),
            1,
            "ENTERED IN ERROR: X",
        ),
        (
            SectionId::Results,
            json!({"resourceType": "Observation", "status": "cancelled", "code": {"text": "X"}}),
            1,
            "CANCELLED: X",
        ),
        (
            SectionId::ActiveProblems,
            json!({"resourceType": "Condition", "verificationStatus": {"coding": [{"code": "entered-in-error"}]}, "code": {"text": "X"}}),
            1,
            "ENTERED IN ERROR: X",
        ),
        (
            SectionId::Immunisations,
            json!({"resourceType": "Immunization", "status": "not-done", "vaccineCode": {"text": "X"}}),
            1,
            "NOT GIVEN: X",
        ),
        (
            SectionId::Procedures,
            json!({"resourceType": "Procedure", "status": "not-done", "code": {"text": "X"}}),
            1,
            "NOT DONE: X",
        ),
        (
            SectionId::Procedures,
            json!({"resourceType": "ServiceRequest", "status": "active", "doNotPerform": true, "code": {"text": "X"}}),
            1,
            "DO NOT: X",
        ),
    ];
    for (id, item, at, expected) in cases {
        let section = section_with(id, vec![item]);
        let cell = &section.tables[0].rows[0].cells[at];
        assert_eq!(cell.text, expected);
        assert_ne!(cell.emphasis, Emphasis::Strong);
    }
    let preliminary = json!({"resourceType": "Observation", "status": "preliminary", "code": {"text": "X"}});
    let section = section_with(SectionId::Results, vec![preliminary]);
    assert_eq!(section.tables[0].rows[0].cells[4].text, "Status: Preliminary");
}

#[test]
fn empty_sections_say_why_in_the_words_that_practices_know() {
    use SectionState as S;
    let cases: &[(SectionState, &[&str])] = &[
        (S::NoneRecorded, &["No 'Referrals' data is recorded for this patient."]),
        (
            S::NotSupplied,
            &[
                "This system does not support retrieval of 'Referrals' data.",
                "This data may still exist in the source system.",
            ],
        ),
        (S::Withheld, &["Access is denied to 'Referrals' data for this patient."]),
        (S::Unavailable, &["'Referrals' data is not available in this copy."]),
    ];
    for (state, expected) in cases {
        let view = view_of(patient(), &[(SectionId::Referrals, *state, vec![])]);
        let section = &view.sections[SectionId::Referrals.order()];
        assert_eq!((section.state, &section.notes[..]), (*state, &expected.map_notes()[..]));
    }
}

trait MapNotes {
    fn map_notes(&self) -> Vec<String>;
}

impl MapNotes for &[&str] {
    fn map_notes(&self) -> Vec<String> {
        self.iter().map(|note| (*note).to_owned()).collect()
    }
}

#[test]
fn notes_of_the_record_and_of_the_source_are_shown() {
    let mut record: Value = serde_json::from_slice(&record_of(patient(), &[])).unwrap();
    let section = &mut record["entry"][0]["resource"]["section"][SectionId::Encounters.order()];
    let note =
        json!({"url": "urn:lifeboat:section-note", "valueString": "Items before 01-Nov-2025 are not held."});
    section["extension"].as_array_mut().unwrap().push(note);
    let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
    let notes = &view.sections[SectionId::Encounters.order()].notes;
    assert!(notes.contains(&"Items before 01-Nov-2025 are not held.".to_owned()));
}

#[test]
fn what_no_section_lists_and_what_is_unknown_is_among_the_other_items() {
    let mut record: Value = serde_json::from_slice(&record_of(patient(), &[])).unwrap();
    let entries = record["entry"].as_array_mut().unwrap();
    entries.push(json!({"resource": {"resourceType": "Basic", "id": "b1", "weird": {"deep": ["alpha", {"beta": 1.50}]}}}));
    entries.push(json!({"fullUrl": "urn:x:empty", "search": {"mode": "match"}, "note": "left alone"}));
    entries.push(json!({"resource": {"resourceType": "Practitioner", "id": "d1", "name": [{"text": "Dr Who Wrote"}], "telecom": [{"value": "020 7946 0001"}]}}));
    let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
    let section = view.sections.last().unwrap();
    assert_eq!(section.state, SectionState::Recorded);
    let all = all_texts(&view);
    for part in ["alpha", "Weird, deep, beta: 1.5", "left alone", "Dr Who Wrote", "020 7946 0001"] {
        assert!(all.contains(part), "{part}");
    }
}

#[test]
fn the_text_rendered_by_the_source_is_never_shown() {
    let item = json!({"resourceType": "Procedure", "status": "completed", "code": {"text": "Op"},
        "text": {"status": "generated", "div": "<div><script>alert(1)</script></div>"}});
    let view = view_of(patient(), &[(SectionId::Procedures, SectionState::Recorded, vec![item])]);
    assert!(!all_texts(&view).contains("alert"));
}

#[test]
fn appointments_are_grouped_by_half_day_and_clinician() {
    let appointment = |start: &str, who: &str, status: &str| {
        json!({"resource": {
            "resourceType": "Appointment", "status": status, "start": start, "end": "2026-07-02T09:10:00Z",
            "reasonCode": [{"text": "Cough"}], "comment": "Bring letter",
            "extension": [{"url": "urn:lifeboat:patient-key", "valueString": "00ff"},
                {"url": "https://x/Extension-UKCore-DeliveryChannel", "valueCode": "Telephone"}],
            "participant": [
                {"actor": {"reference": "Patient/p", "display": "Jo Smith"}, "status": "accepted"},
                {"actor": {"reference": "Practitioner/d", "display": who}, "status": "accepted"},
                {"actor": {"reference": "Location/l", "display": "Room 1"}, "status": "accepted"}]
        }})
    };
    let record = json!({"resourceType": "Bundle", "type": "collection", "id": "day-2026-07-02", "entry": [
        appointment("2026-07-02T14:00:00+01:00", "Dr B", "booked"),
        appointment("2026-07-02T08:30:00Z", "Dr A", "cancelled"),
        appointment("2026-07-02T08:00:00Z", "Dr A", "noshow"),
        appointment("2026-07-02T08:00:00Z", "Dr B", "arrived"),
        appointment("soon", "Dr B", "booked"),
    ]});
    let view = day_list_view(record.to_string().as_bytes()).unwrap();
    assert_eq!((view.day, view.title.as_str()), (Some(date(2026, 7, 2)), "Thu 02-Jul-2026"));
    let sessions: Vec<(HalfDay, &str, Vec<&str>)> = view
        .sessions
        .iter()
        .map(|s| (s.half, s.clinician.as_str(), s.slots.iter().map(|slot| slot.time.as_str()).collect()))
        .collect();
    assert_eq!(
        sessions,
        [
            (HalfDay::Morning, "Dr A", vec!["09:00", "09:30"]),
            (HalfDay::Morning, "Dr B", vec!["09:00"]),
            (HalfDay::Afternoon, "Dr B", vec!["14:00"]),
            (HalfDay::Untimed, "Dr B", vec!["soon"]),
        ]
    );
    let slot = &view.sessions[0].slots[1];
    assert_eq!((slot.status.as_str(), slot.is_void), ("CANCELLED", true));
    assert_eq!(view.sessions[0].slots[0].status, "Did not attend");
    assert_eq!(slot.patient_key.as_deref(), Some("00ff"));
    assert_eq!(slot.name_as_booked.as_deref(), Some("Jo Smith"));
    assert_eq!(slot.reason.as_deref(), Some("Cough"));
    assert_eq!(slot.channel.as_deref(), Some("Telephone"));
    assert_eq!(slot.location.as_deref(), Some("Room 1"));
    assert_eq!(slot.until.as_deref(), Some("10:10"));
    assert_eq!(slot.details, ["Comment: Bring letter"]);
}

#[test]
fn debug_output_shows_nothing_of_the_patient() {
    let view = view_of(patient(), &[]);
    assert!(!format!("{view:?} {:?}", view.banner).contains("SMITH"));
}

#[test]
fn what_is_no_record_is_refused() {
    let check = |bytes: &[u8]| patient_view(bytes, TODAY).map(|_| ()).unwrap_err();
    assert!(matches!(check(b"\xff"), ViewError::NotText(_)));
    assert!(matches!(check(b"{"), ViewError::NotJson(_)));
    assert!(matches!(check(b"{}"), ViewError::NotABundle));
    assert!(matches!(day_list_view(b"[]").unwrap_err(), ViewError::NotABundle));
}

#[test]
fn what_no_column_shows_is_in_words() {
    let item = json!({"resourceType": "Encounter", "status": "finished", "type": [{"text": "Visit"}],
        "participant": [{"individual": {"display": "Dr A"}}], "reasonReference": [{"display": "Gout"}],
        "contact": {"system": "phone", "value": "020 7946 0001", "use": "work"},
        "home": {"line": ["1 Quay"], "city": "Marram"}, "seen": true, "asked": false,
        "who": {"family": "Ng", "given": ["Li"]}});
    let section = section_with(SectionId::Encounters, vec![item]);
    assert_eq!(
        section.tables[0].rows[0].cells[2].text.lines().collect::<Vec<_>>(),
        [
            "Participant: Dr A",
            "Reason: Gout",
            "Contact: 020 7946 0001 (work)",
            "Home: 1 Quay, Marram",
            "Seen: Yes",
            "Asked: No",
            "Who: Li Ng",
        ]
    );
}
