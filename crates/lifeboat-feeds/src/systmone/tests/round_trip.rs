//! The made-up practice, written as an extract and read back, against what it was made of.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_clinical::{PatientRecord, SectionId};
use serde_json::{Value, json};

use super::super::FEED;
use crate::harness::{Folder, Store, TODAY, record};
use crate::rows::UnitRows;
use crate::synth::Order;
use crate::synth::tpp::{self, FORCED, number_of};

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
    all.into_iter().flatten().find(|one| text(one, "/url").contains(part)).cloned().unwrap_or_default()
}

fn first(resource: &Value, pointers: &[&str]) -> String {
    pointers.iter().map(|at| text(resource, at)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn value_of(resource: &Value) -> String {
    let quantity = quantity(&resource["valueQuantity"]);
    let concept = words(&resource["valueCodeableConcept"]);
    let written = first(resource, &["/valueString", "/valueDateTime"]);
    [quantity, concept, written].into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Returns what a resource says, field by field.
fn facts(resource: &Value) -> Facts {
    let procedure = extension(resource, "VaccinationProcedure")["valueCodeableConcept"].clone();
    let concepts = [
        &procedure,
        &resource["code"],
        &resource["medicationCodeableConcept"],
        &resource["vaccineCode"],
        &resource["type"],
        &resource["type"][0],
        &resource["condition"][0]["code"],
    ];
    let concept = concepts.into_iter().find(|concept| concept.is_object()).cloned().unwrap_or_default();
    let when = [
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
    let recorded = ["/recordedDate", "/issued", "/recorded", "/dateAsserted"];
    let who = [
        "/recorder/display",
        "/requester/display",
        "/author/display",
        "/performer/0/display",
        "/performer/0/actor/display",
        "/participant/0/individual/display",
        "/author/0/display",
    ];
    let components = resource["component"].as_array().into_iter().flatten();
    let components: Vec<String> = components
        .map(|part| format!("{} {}", words(&part["code"]), quantity(&part["valueQuantity"])))
        .collect();
    let notes = resource["note"].as_array().into_iter().flatten().map(|note| text(note, "/text"));
    let dispense = &resource["dispenseRequest"];
    let reaction = &resource["reaction"][0];
    let range = &resource["referenceRange"][0];
    let repeat = extension(resource, "RepeatInformation");
    let entries = resource["extension"].as_array().into_iter().flatten();
    let entries =
        entries.filter(|one| text(one, "/url").ends_with(":entry")).map(|one| text(one, "/valueString"));
    let is_statement = resource["resourceType"] == "MedicationStatement";
    let category = if resource["resourceType"] == "AllergyIntolerance" { "/category/0" } else { "/none" };
    [
        ("type", text(resource, "/resourceType")),
        ("term", words(&concept)),
        ("code", text(&concept, "/coding/0/code")),
        ("date", moment(&first(resource, &when))),
        ("recorded", moment(&first(resource, &recorded))),
        ("authored", moment(&text(resource, "/authoredOn"))),
        ("clinician", first(resource, &who)),
        ("status", text(resource, "/status")),
        ("clinical-status", text(resource, "/clinicalStatus/coding/0/code")),
        ("value", value_of(resource)),
        ("range", format!("{} {}", quantity(&range["low"]), quantity(&range["high"])).trim().to_owned()),
        ("interpretation", text(resource, "/interpretation/0/coding/0/code")),
        ("components", components.join("|")),
        ("notes", notes.collect::<Vec<_>>().join("|")),
        (
            "end",
            first(
                resource,
                &["/abatementDateTime", "/dispenseRequest/validityPeriod/end", "/effectivePeriod/end"],
            ),
        ),
        ("allergy-end", text(&extension(resource, "allergyEnd"), "/valueDateTime")),
        ("significance", text(&extension(resource, "ignificance"), "/valueCode")),
        ("reaction", words(&reaction["manifestation"][0])),
        ("severity", text(reaction, "/severity")),
        ("criticality", text(resource, "/criticality")),
        ("category", text(resource, category)),
        ("dose", first(resource, &["/dosageInstruction/0/text", "/dosage/0/text"])),
        ("quantity", quantity(&dispense["quantity"])),
        ("days", text(dispense, "/expectedSupplyDuration/value")),
        ("course", text(resource, "/courseOfTherapyType/coding/0/code")),
        ("prescriber", if is_statement { text(resource, "/category/text") } else { String::new() }),
        ("issues-allowed", text(dispense, "/numberOfRepeatsAllowed")),
        ("issues", text(&repeat, "/extension/0/valueUnsignedInt")),
        ("review", text(&repeat, "/extension/1/valueDateTime")),
        ("last-issued", text(&extension(resource, "LastIssue"), "/valueDateTime")),
        ("reason", first(resource, &["/statusReason/text", "/reasonCode/0/text"])),
        ("part", text(resource, "/protocolApplied/0/doseNumberPositiveInt")),
        ("lot", text(resource, "/lotNumber")),
        ("site", text(resource, "/site/text")),
        ("contents", text(resource, "/vaccineCode/text")),
        ("conclusion", text(resource, "/conclusion")),
        ("results", resource["result"].as_array().map_or(0, Vec::len).to_string()),
        ("priority", text(resource, "/priority")),
        ("to", text(resource, "/performer/0/display")),
        ("relationship", first(resource, &["/relationship/coding/0/display", "/relationship/text"])),
        ("onset", text(resource, "/condition/0/onsetString")),
        ("written", text(&extension(resource, "consultation-notes"), "/valueString")),
        ("entries", entries.collect::<Vec<_>>().join("|")),
        ("period-end", text(resource, "/period/end")),
        ("place", text(resource, "/location/0/location/display")),
        ("practice", text(resource, "/serviceProvider/display")),
        ("description", text(resource, "/description")),
        ("attachment", text(resource, "/content/0/attachment/title")),
        ("class", text(resource, "/class/code")),
    ]
    .into_iter()
    .collect()
}

/// Returns the items of a record by section and by the number of their row.
fn items(record: &PatientRecord, name: fn(&str) -> String) -> BTreeMap<String, (SectionId, Facts)> {
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
            items.insert(name(&text(resource, "/id")), (id, facts(resource)));
        }
    }
    items
}

fn person_facts(record: &PatientRecord) -> Facts {
    let bundle: Value = serde_json::from_slice(&record.bytes).expect("JSON");
    let patient = &bundle["entry"][1]["resource"];
    let person = &record.person;
    let contact = &patient["contact"][0];
    let names = contact["name"]["given"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let name: Vec<String> = names.map(str::to_owned).chain([text(contact, "/name/family")]).collect();
    let email = patient["telecom"].as_array().into_iter().flatten().find(|one| one["system"] == "email");
    [
        ("id", text(patient, "/id")),
        ("family", format!("{:?}", person.family)),
        ("given", person.given.join("|")),
        ("title", format!("{:?}", person.title)),
        ("preferred", format!("{:?}", person.preferred)),
        ("born", format!("{:?}", person.born)),
        ("died", moment(&text(patient, "/deceasedDateTime"))),
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
        ("contact", name.join(" ").trim().to_owned() + &text(contact, "/name/text")),
        ("contact-phone", text(contact, "/telecom/0/value")),
        ("relationship", words(&contact["relationship"][0])),
        ("former-name", first(patient, &["/name/2/family", "/name/1/family"])),
        ("ethnicity", text(&extension(patient, "Ethnic"), "/valueCodeableConcept/coding/0/code")),
        ("pharmacy", text(&extension(patient, "Pharmacy"), "/valueReference/display")),
        ("language", text(patient, "/communication/0/language/coding/0/display")),
    ]
    .into_iter()
    .collect()
}

fn compare(facts: &Facts, other: &Facts, section: Option<SectionId>, found: &mut BTreeMap<Place, String>) {
    for (field, value) in facts {
        let read = other.get(field).map(String::as_str).unwrap_or_default();
        if read == value {
            continue;
        }
        // The value went astray if it is not what is left of it in the extract's characters.
        if *read == spelled(value) {
            found.entry((section, "spelling")).or_insert_with(|| format!("{value:?} became {read:?}"));
        } else {
            found
                .entry((section, field))
                .or_insert_with(|| format!("{value:?} became {:?}", other.get(field)));
        }
    }
}

/// Returns a text in the characters that Windows-1252 has.
fn spelled(text: &str) -> String {
    text.chars()
        .map(|character| char::from_u32(u32::from(character)).filter(|c| tpp::can_write(*c)).unwrap_or('?'))
        .collect()
}

/// Returns the number at the end of a FHIR id of this feed.
fn row_number(id: &str) -> String {
    id.rsplit('-').next().unwrap_or(id).to_owned()
}

/// Returns the differences between what a patient's chart says and what is read back.
fn differences(chart: &[Value], document: &[u8], found: &mut BTreeMap<Place, String>) {
    let entries: Vec<Value> = chart.iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    let original = record(bundle.to_string().as_bytes());
    let read = record(document);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let (mut person, read_person) = (person_facts(&original), person_facts(&read));
    // The format cannot say that somebody is sensitive, so that the whereabouts of such are in it.
    if original.person.flags.iter().any(|flag| flag == "sensitive") {
        found.entry((None, "sensitive")).or_insert_with(|| "whereabouts are told".to_owned());
        for field in
            ["address", "postcode", "phones", "email", "contact", "contact-phone", "relationship", "flags"]
        {
            person.remove(field);
        }
    }
    compare(&person, &read_person, None, found);
    let (original, mut read) = (items(&original, number_of), items(&read, row_number));
    for (name, (section, facts)) in &original {
        let Some((other, other_facts)) = read.remove(name) else {
            found.entry((Some(*section), "lost")).or_insert_with(|| format!("{facts:?}"));
            continue;
        };
        if other != *section {
            found.entry((Some(*section), "section")).or_insert_with(|| format!("{other}: {facts:?}"));
        }
        compare(facts, &other_facts, Some(*section), found);
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
        let id = number_of(&format!("patient {}", text(&chart[0], "/id")));
        let mapped = store.patient(&id);
        assert!(mapped.problems.is_empty(), "{:?}", mapped.problems);
        differences(&chart, &mapped.document.expect("a document"), &mut found);
    }
    found
}

fn forced() -> BTreeSet<Place> {
    FORCED.iter().map(|forced| (forced.section, forced.field)).collect()
}

/// Returns the differences that are not listed, one on a line.
fn unexpected(found: &BTreeMap<Place, String>) -> String {
    let forced = forced();
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
    let mut store = Store::new(&FEED);
    store.apply(&Folder::of(&order, tpp::write));
    let found = check(&store, &order, 0);
    let unexpected = unexpected(&found);
    assert!(unexpected.is_empty(), "{unexpected}");
    let forced = forced();
    let unreal: Vec<_> = forced.iter().filter(|place| !found.contains_key(place)).collect();
    assert!(unreal.is_empty(), "{unreal:#?}");
    assert_eq!(forced.len(), FORCED.len(), "each difference is listed once");
}

#[test]
fn later_extracts_bring_a_store_to_what_the_charts_say_then() {
    let order = Order { share: 0.3, ..Order::full(60, 11, TODAY) };
    let mut store = Store::new(&FEED);
    for delta in 0..3 {
        store.apply(&Folder::of(&order.clone().later(delta), tpp::write));
    }
    let mut fresh = Store::new(&FEED);
    fresh.apply(&Folder::of(&order, tpp::write));
    let unexpected = unexpected(&check(&store, &order, 2));
    assert!(unexpected.is_empty(), "{unexpected}");
    let changed = store.patients.iter().filter(|(id, rows)| fresh.patients[*id] != **rows).count();
    assert!(changed > 10, "{changed} patients changed");
}

#[test]
fn patients_have_as_many_rows_as_were_ordered_and_keep_them() {
    let order = Order { rows_per_patient: Some(400), share: 1.0, ..Order::full(3, 5, TODAY) };
    let mut store = Store::new(&FEED);
    store.apply(&Folder::of(&order, tpp::write));
    let before: Vec<usize> = store.patients.values().map(UnitRows::len).collect();
    assert!(before.iter().all(|rows| *rows >= 400), "{before:?}");
    store.apply(&Folder::of(&order.later(1), tpp::write));
    for (before, rows) in before.iter().zip(store.patients.values()) {
        assert!(before.abs_diff(rows.len()) < 12, "history stays: {before} and {}", rows.len());
    }
}

#[test]
fn the_day_lists_are_those_of_the_appointment_book() {
    let order = Order::full(80, 7, TODAY);
    let mut store = Store::new(&FEED);
    store.apply(&Folder::of(&order, tpp::write));
    let practice = order.practice();
    for day in practice.days() {
        let mapped = store.day(day);
        assert!(mapped.problems.is_empty(), "{:?}", mapped.problems);
        let read: Value = serde_json::from_slice(&mapped.document.expect("a document")).expect("JSON");
        let entries = read["entry"].as_array().into_iter().flatten().map(|entry| &entry["resource"]);
        let read: BTreeMap<String, Vec<String>> =
            entries.map(|one| (row_number(&text(one, "/id")), appointment(one, str::to_owned))).collect();
        let patient = |reference: &str| {
            let id = reference.trim_start_matches("Patient/");
            format!("Patient/{}", number_of(&format!("patient {id}")))
        };
        let booked: BTreeMap<String, Vec<String>> = practice
            .appointments_on(day)
            .map(|one| (number_of(&text(&one, "/id")), appointment(&one, patient)))
            .collect();
        assert_eq!(read, booked, "{day}");
    }
}

fn appointment(resource: &Value, patient: impl Fn(&str) -> String) -> Vec<String> {
    let people = resource["participant"].as_array().into_iter().flatten().map(|one| &one["actor"]);
    let people = people.map(|actor| match text(actor, "/reference") {
        reference if reference.starts_with("Patient/") => patient(&reference),
        _ => spelled(&text(actor, "/display")),
    });
    let is_telephone = text(&extension(resource, "DeliveryChannel"), "/valueCode") == "Telephone";
    ["/status", "/start", "/end", "/minutesDuration", "/description", "/serviceType/0/text"]
        .iter()
        .map(|pointer| text(resource, pointer))
        .chain([moment(&text(resource, "/created")), is_telephone.to_string()])
        .chain(people)
        .collect()
}
