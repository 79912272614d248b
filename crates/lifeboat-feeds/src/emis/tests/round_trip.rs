//! The made-up practice, written as an extract and read back, against what it was made of.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_clinical::{PatientRecord, SectionId};
use serde_json::{Value, json};

use crate::harness::{Folder, Store, TODAY, record};
use crate::rows::UnitRows;
use crate::synth::Order;
use crate::synth::emis::FORCED;

const PATIENTS: usize = 120;

/// A section (or who the patient is) and a field.
type Place = (Option<SectionId>, &'static str);
type Facts = BTreeMap<&'static str, String>;

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Returns a time as an instant, so that offsets do not matter; a date stays as it is.
fn moment(value: &str) -> String {
    value.parse::<jiff::Timestamp>().map_or_else(|_| value.to_owned(), |instant| instant.to_string())
}

fn day(value: &str) -> String {
    match value.parse::<jiff::Timestamp>() {
        Ok(instant) => instant.to_zoned(lifeboat_clinical::date::london()).date().to_string(),
        Err(_) => value.to_owned(),
    }
}

fn words(concept: &Value) -> String {
    match text(concept, "/text") {
        words if words.is_empty() => text(concept, "/coding/0/display"),
        words => words,
    }
}

fn quantity(quantity: &Value) -> String {
    format!("{} {}", text(quantity, "/value"), text(quantity, "/unit")).trim().to_owned()
}

fn extension(resource: &Value, part: &str) -> Value {
    let all = resource["extension"].as_array();
    let found = all.into_iter().flatten().find(|one| text(one, "/url").contains(part));
    found.cloned().unwrap_or_default()
}

fn notes(resource: &Value) -> String {
    let notes = resource["note"].as_array().into_iter().flatten().map(|note| text(note, "/text"));
    notes.collect::<Vec<_>>().join("|")
}

/// Returns what a resource says, field by field.
fn facts(resource: &Value) -> Facts {
    let procedure = &extension(resource, "VaccinationProcedure")["valueCodeableConcept"];
    let concepts = [
        procedure,
        &resource["code"],
        &resource["medicationCodeableConcept"],
        &resource["vaccineCode"],
        &resource["type"],
        &resource["type"][0],
        &resource["condition"][0]["code"],
    ];
    let concept = concepts.into_iter().find(|concept| concept.is_object()).cloned().unwrap_or_default();
    let dates = [
        "/effectiveDateTime",
        "/onsetDateTime",
        "/occurrenceDateTime",
        "/performedDateTime",
        "/period/start",
        "/executionPeriod/start",
        "/dispenseRequest/validityPeriod/start",
        "/effectivePeriod/start",
        "/date",
        "/authoredOn",
    ];
    let when = dates.iter().map(|at| text(resource, at)).find(|date| !date.is_empty()).unwrap_or_default();
    let recorded = ["/recordedDate", "/issued", "/recorded", "/dateAsserted"];
    let recorded = recorded.iter().map(|at| text(resource, at)).find(|date| !date.is_empty());
    let people = [
        "/recorder/display",
        "/requester/display",
        "/author/display",
        "/performer/0/display",
        "/performer/0/actor/display",
        "/participant/0/individual/display",
        "/author/0/display",
    ];
    let who: Vec<String> = people.iter().map(|at| text(resource, at)).filter(|who| !who.is_empty()).collect();
    let value = ["valueQuantity", "valueString", "valueDateTime", "valueCodeableConcept"];
    let value =
        value.iter().map(|name| &resource[*name]).find(|value| !value.is_null()).cloned().unwrap_or_default();
    let value = match &value {
        Value::Object(object) if object.contains_key("value") => quantity(&value),
        Value::Object(_) => words(&value),
        value => value.as_str().unwrap_or_default().to_owned(),
    };
    let range = &resource["referenceRange"][0];
    let components = resource["component"].as_array().into_iter().flatten();
    let mut components: Vec<String> = components
        .map(|part| format!("{} {}", words(&part["code"]), quantity(&part["valueQuantity"])))
        .collect();
    components.sort();
    let dispense = &resource["dispenseRequest"];
    let reaction = &resource["reaction"][0];
    let mut facts: Facts = [
        ("type", text(resource, "/resourceType")),
        ("term", words(&concept)),
        ("code", text(&concept, "/coding/0/code")),
        ("date", day(&when)),
        ("time", if when.contains('T') { moment(&when) } else { String::new() }),
        ("recorded", recorded.map(|date| moment(&date)).unwrap_or_default()),
        ("clinician", who.join("|")),
        ("status", text(resource, "/status")),
        ("clinical-status", text(resource, "/clinicalStatus/coding/0/code")),
        ("value", value),
        ("range", format!("{} {}", quantity(&range["low"]), quantity(&range["high"])).trim().to_owned()),
        ("interpretation", text(resource, "/interpretation/0/coding/0/code")),
        ("components", components.join("|")),
        ("notes", notes(resource)),
        ("end", text(resource, "/abatementDateTime") + &text(dispense, "/validityPeriod/end")),
        ("significance", text(&extension(resource, "ignificance"), "/valueCode")),
        ("reaction", words(&reaction["manifestation"][0])),
        ("severity", text(reaction, "/severity")),
        ("criticality", text(resource, "/criticality")),
        ("category", text(resource, "/category/0")),
        ("dose", text(resource, "/dosageInstruction/0/text") + &text(resource, "/dosage/0/text")),
        ("quantity", quantity(&dispense["quantity"])),
        ("days", text(dispense, "/expectedSupplyDuration/value")),
        ("course", text(resource, "/courseOfTherapyType/coding/0/code")),
        ("issues-allowed", text(dispense, "/numberOfRepeatsAllowed")),
        ("issues", text(&extension(resource, "RepeatInformation"), "/extension/0/valueUnsignedInt")),
        ("last-issued", text(&extension(resource, "LastIssue"), "/valueDateTime")),
        ("review", text(&extension(resource, "RepeatInformation"), "/extension/1/valueDateTime")),
        ("reason", text(resource, "/statusReason/text") + &text(resource, "/reasonCode/0/text")),
        ("part", text(resource, "/protocolApplied/0/doseNumberPositiveInt")),
        ("lot", text(resource, "/lotNumber")),
        ("site", text(resource, "/site/text")),
        ("conclusion", text(resource, "/conclusion")),
        ("results", resource["result"].as_array().map_or(0, Vec::len).to_string()),
        ("priority", text(resource, "/priority")),
        (
            "relationship",
            text(resource, "/relationship/coding/0/display") + &text(resource, "/relationship/text"),
        ),
        ("onset", text(resource, "/condition/0/onsetString")),
        ("written", text(&extension(resource, "consultation-notes"), "/valueString")),
        ("entries", text(&extension(resource, "emis:entry"), "/valueString")),
        ("period-end", text(resource, "/period/end")),
        ("place", text(resource, "/location/0/location/display")),
        ("practice", text(resource, "/serviceProvider/display")),
        ("description", text(resource, "/description")),
        ("attachment", text(resource, "/content/0/attachment/title")),
    ]
    .into_iter()
    .collect();
    if resource["resourceType"] == "MedicationRequest" {
        facts.insert("recorded", moment(&text(resource, "/authoredOn")));
    }
    if resource["resourceType"] != "AllergyIntolerance" {
        // How FHIR groups entries is not what the entry says; sections are compared by themselves.
        facts.remove("category");
    }
    facts
}

/// Returns the items of a record by section and by the name that both sides share.
fn items(record: &PatientRecord) -> BTreeMap<String, (SectionId, Facts)> {
    let bundle: Value = serde_json::from_slice(&record.bytes).expect("JSON");
    let entries = bundle["entry"].as_array().expect("entries");
    let resources: BTreeMap<String, &Value> =
        entries.iter().map(|entry| (text(entry, "/fullUrl"), &entry["resource"])).collect();
    let mut items = BTreeMap::new();
    for section in entries[0]["resource"]["section"].as_array().expect("sections") {
        let id: SectionId = section["code"]["coding"]
            .as_array()
            .and_then(|codings| codings.iter().find_map(|coding| text(coding, "/code").parse().ok()))
            .expect("a section's code");
        for entry in section["entry"].as_array().into_iter().flatten() {
            let resource = resources[&text(entry, "/reference")];
            let name = text(resource, "/id");
            let name = name.strip_prefix("problem-").unwrap_or(&name).to_owned();
            items.insert(name, (id, facts(resource)));
        }
    }
    items
}

fn person_facts(record: &PatientRecord) -> Facts {
    let bundle: Value = serde_json::from_slice(&record.bytes).expect("JSON");
    let patient = &bundle["entry"][1]["resource"];
    let person = &record.person;
    let contact = &patient["contact"][0];
    let is_carer = text(contact, "/relationship/0").contains("arer");
    let names = contact["name"]["given"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let name: Vec<String> = names.map(str::to_owned).chain([text(contact, "/name/family")]).collect();
    let email = patient["telecom"].as_array().into_iter().flatten().find(|one| one["system"] == "email");
    [
        ("id", text(patient, "/id")),
        ("family", format!("{:?}", person.family)),
        ("given", format!("{:?}", person.given)),
        ("title", format!("{:?}", person.title)),
        ("preferred", format!("{:?}", person.preferred)),
        ("born", format!("{:?}", person.born)),
        ("died", day(&text(patient, "/deceasedDateTime"))),
        ("time-of-death", text(patient, "/deceasedDateTime").contains('T').to_string()),
        ("gender", format!("{:?}", person.gender)),
        ("nhs-number", format!("{:?}", person.nhs_number)),
        ("nhs-status", format!("{:?}", person.nhs_status)),
        ("phones", format!("{:?}", person.phones)),
        ("address", format!("{:?}", person.address)),
        ("postcode", format!("{:?}", person.postcode)),
        ("usual-gp", format!("{:?}", person.usual_gp)),
        ("flags", format!("{:?}", person.flags)),
        ("identifiers", format!("{:?}", person.other_identifiers)),
        ("active", text(patient, "/active")),
        ("email", email.map(|email| text(email, "/value")).unwrap_or_default()),
        ("practice", text(patient, "/managingOrganization/display")),
        (
            "carer",
            if is_carer {
                name.join(" ").trim().to_owned() + &text(contact, "/name/text")
            } else {
                String::new()
            },
        ),
        ("carers-phone", if is_carer { text(contact, "/telecom/0/value") } else { String::new() }),
        ("next-of-kin", if is_carer { String::new() } else { name.join(" ").trim().to_owned() }),
        ("former-name", text(patient, "/name/1/family") + &text(patient, "/name/2/family")),
        ("ethnicity", text(&extension(patient, "Ethnic"), "/valueCodeableConcept/coding/0/code")),
        ("pharmacy", text(&extension(patient, "Pharmacy"), "/valueReference/display")),
        ("language", text(patient, "/communication/0/language/coding/0/display")),
    ]
    .into_iter()
    .collect()
}

fn compare(facts: &Facts, other: &Facts, section: Option<SectionId>, found: &mut BTreeMap<Place, String>) {
    for (field, value) in facts {
        if other.get(field) != Some(value) {
            found
                .entry((section, field))
                .or_insert_with(|| format!("{value:?} became {:?}", other.get(field)));
        }
    }
}

/// Returns the differences between what a patient's chart says and what is read back.
fn differences(chart: &[Value], document: &[u8], found: &mut BTreeMap<Place, String>) {
    let entries: Vec<Value> = chart.iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    let original = record(bundle.to_string().as_bytes());
    let read = record(document);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    compare(&person_facts(&original), &person_facts(&read), None, found);
    let (original, mut read) = (items(&original), items(&read));
    for (name, (section, facts)) in &original {
        match read.remove(name) {
            None => {
                found.entry((Some(*section), "lost")).or_insert_with(|| format!("{facts:?}"));
            }
            Some((other, other_facts)) => {
                if other != *section {
                    found.entry((Some(*section), "section")).or_insert_with(|| format!("{other}: {facts:?}"));
                }
                compare(facts, &other_facts, Some(*section), found);
            }
        }
    }
    for (name, (section, facts)) in read {
        let said: Facts = facts.into_iter().filter(|(_, said)| !said.is_empty()).collect();
        found.entry((Some(section), "added")).or_insert_with(|| format!("{name} {said:?}"));
    }
}

fn check(store: &Store, order: &Order, delta: u32) -> BTreeMap<Place, String> {
    let practice = order.practice();
    let mut found = BTreeMap::new();
    for index in 0..order.patients {
        let chart = order.chart(&practice, index, delta);
        let id = text(&chart[0], "/id");
        let mapped = store.patient(&id);
        assert!(mapped.problems.is_empty(), "{:?}", mapped.problems);
        differences(&chart, &mapped.document.expect("a document"), &mut found);
    }
    found
}

/// Returns the differences that are not listed, one on a line.
fn unexpected(found: &BTreeMap<Place, String>, forced: &BTreeSet<Place>) -> String {
    let others = found.iter().filter(|(place, _)| !forced.contains(place));
    others
        .map(|((section, field), said)| {
            let section = section.map_or("patient", SectionId::code);
            format!("{section}.{field}: {said}\n")
        })
        .collect()
}

#[test]
fn a_practice_is_read_back_as_it_was_but_for_what_the_format_forces() {
    let order = Order::full(PATIENTS, 7, TODAY);
    let mut store = Store::new(&crate::emis::FEED);
    store.apply(&Folder::of(&order, crate::synth::emis::write));
    let found = check(&store, &order, 0);
    let forced: BTreeSet<Place> = FORCED.iter().map(|forced| (forced.section, forced.field)).collect();
    let unexpected = unexpected(&found, &forced);
    assert!(unexpected.is_empty(), "{unexpected}");
    let unreal: Vec<_> = forced.iter().filter(|place| !found.contains_key(place)).collect();
    assert!(unreal.is_empty(), "{unreal:#?}");
    assert_eq!(forced.len(), FORCED.len(), "each difference is listed once");
}

#[test]
fn later_extracts_bring_a_store_to_what_the_charts_say_then() {
    let order = Order { share: 0.3, ..Order::full(60, 11, TODAY) };
    let mut store = Store::new(&crate::emis::FEED);
    for delta in 0..3 {
        store.apply(&Folder::of(&order.clone().later(delta), crate::synth::emis::write));
    }
    let mut fresh = Store::new(&crate::emis::FEED);
    fresh.apply(&Folder::of(&order, crate::synth::emis::write));
    let forced: BTreeSet<Place> = FORCED.iter().map(|forced| (forced.section, forced.field)).collect();
    let found = check(&store, &order, 2);
    let unexpected = unexpected(&found, &forced);
    assert!(unexpected.is_empty(), "{unexpected}");
    let changed = store.patients.iter().filter(|(guid, rows)| fresh.patients[*guid] != **rows).count();
    assert!(changed > 10, "{changed} patients changed");
}

#[test]
fn the_day_lists_are_those_of_the_appointment_book() {
    let order = Order::full(80, 7, TODAY);
    let mut store = Store::new(&crate::emis::FEED);
    store.apply(&Folder::of(&order, crate::synth::emis::write));
    let practice = order.practice();
    for day in practice.days() {
        let mapped = store.day(day);
        assert!(mapped.problems.is_empty(), "{:?}", mapped.problems);
        let read: Value = serde_json::from_slice(&mapped.document.expect("a document")).expect("JSON");
        let read: BTreeMap<String, Vec<String>> = read["entry"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| (text(&entry["resource"], "/id"), appointment(&entry["resource"])))
            .collect();
        let booked: BTreeMap<String, Vec<String>> = practice
            .appointments_on(day)
            .filter(|one| one["status"] != "cancelled")
            .map(|one| (text(&one, "/id"), appointment(&one)))
            .collect();
        assert_eq!(read, booked, "{day}");
    }
}

fn appointment(resource: &Value) -> Vec<String> {
    let people = resource["participant"].as_array().into_iter().flatten().map(|one| &one["actor"]);
    let people = people.map(|actor| match text(actor, "/reference") {
        patient if patient.starts_with("Patient/") => patient,
        _ => text(actor, "/display"),
    });
    ["/status", "/start", "/end", "/minutesDuration", "/description", "/serviceType/0/text"]
        .iter()
        .map(|pointer| text(resource, pointer))
        .chain(people)
        .collect()
}

#[test]
fn patients_have_as_many_rows_as_were_ordered_and_keep_them() {
    let order = Order { rows_per_patient: Some(400), share: 1.0, ..Order::full(3, 5, TODAY) };
    let mut store = Store::new(&crate::emis::FEED);
    store.apply(&Folder::of(&order, crate::synth::emis::write));
    assert!(store.patients.values().all(|rows| rows.len() >= 400));
    let before: Vec<usize> = store.patients.values().map(UnitRows::len).collect();
    store.apply(&Folder::of(&order.later(1), crate::synth::emis::write));
    for (before, rows) in before.iter().zip(store.patients.values()) {
        assert!(before.abs_diff(rows.len()) < 8, "history stays: {before} and {}", rows.len());
    }
}
