//! Hostile documents: whatever comes, there is a translation that is FHIR R4 or a problem, and never a panic.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::{built, today};
use super::translate;
use crate::rules::Rules;
use crate::synth::Order;

/// Translates, and reads on as the engine would.
fn survive(document: &[u8]) {
    if let Ok(translated) = translate(document, &Rules::default()) {
        for record in built(&translated.document, today()) {
            lifeboat_clinical::view::patient_view(&record.bytes, today()).expect("a record can be shown");
        }
    }
}

fn in_bundle(resources: Vec<Value>) -> Value {
    let patient =
        json!({"resourceType": "Patient", "id": "2", "birthDate": "1980-01-01", "name": [{"family": "Own"}]});
    let entries: Vec<Value> =
        std::iter::once(patient).chain(resources).map(|one| json!({"resource": one})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

fn list(id: &str, code: &str, references: &[&str]) -> Value {
    let entries: Vec<Value> = references.iter().map(|one| json!({"item": {"reference": one}})).collect();
    json!({"resourceType": "List", "id": id, "code": {"coding": [{"code": code}]}, "entry": entries,
        "encounter": {"reference": "Encounter/e"}, "subject": {"reference": "Patient/2"}})
}

#[test]
fn lists_that_hold_each_other_or_themselves_end() {
    let encounter = json!({"resourceType": "Encounter", "id": "e", "status": "finished", "subject": {"reference": "Patient/2"}});
    let parts = ["325851000000107", "25851000000105", "24781000000107"];
    let all: Vec<Value> = parts
        .iter()
        .enumerate()
        .map(|(at, code)| list(&at.to_string(), code, &["List/0", "List/1", "List/2", "Encounter/e", "#x"]))
        .chain([encounter])
        .collect();
    survive(in_bundle(all).to_string().as_bytes());
}

#[test]
fn requests_and_observations_that_refer_to_each_other_or_themselves_end() {
    let request = |id: &str, on: &str, intent: &str| {
        json!({"resourceType": "MedicationRequest", "id": id, "intent": intent,
        "basedOn": [{"reference": format!("MedicationRequest/{on}")}], "medicationReference": {"reference": format!("MedicationRequest/{id}")}})
    };
    let observation = |id: &str, of: &str| {
        json!({"resourceType": "Observation", "id": id, "related": [
        {"type": "has-member", "target": {"reference": format!("Observation/{of}")}},
        {"type": "derived-from", "target": {"reference": format!("Observation/{of}")}}]})
    };
    let role = json!({"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "PractitionerRole/r"}});
    let problem = json!({"resourceType": "Condition", "id": "c", "asserter": {"reference": "PractitionerRole/r"}, "extension": [
        {"url": "Extension-CareConnect-GPC-ActualProblem-1", "valueReference": {"reference": "Condition/c"}}]});
    let all = vec![
        request("a", "b", "plan"),
        request("b", "a", "order"),
        request("c", "c", "order"),
        request("d", "e", "order"),
        request("e", "d", "order"),
        observation("1", "2"),
        observation("2", "1"),
        observation("3", "3"),
        json!({"resourceType": "DiagnosticReport", "id": "r", "result": [{"reference": "Observation/1"}, {"reference": "Observation/3"}]}),
        role,
        problem,
    ];
    let document = in_bundle(all).to_string();
    survive(document.as_bytes());
    let translated = translate(document.as_bytes(), &Rules::default()).expect("a record");
    let text = String::from_utf8_lossy(&translated.document).into_owned();
    assert_eq!(text.matches("\"resourceType\":\"MedicationRequest\"").count(), 4, "each is in it, once");
}

#[test]
fn many_resources_of_one_id_long_texts_and_deep_values_are_read_in_reasonable_time() {
    let copies = (0..5_000).map(|at| json!({"resourceType": "Observation", "id": "same", "comment": at.to_string(), "code": {"text": "Note"}}));
    let mut all: Vec<Value> = copies.collect();
    let mut deep = json!("end");
    for _ in 0..90 {
        deep = json!({"extension": [deep]});
    }
    all.push(
        json!({"resourceType": "Observation", "id": "deep", "extension": deep, "code": {"text": "Deep"}}),
    );
    survive(in_bundle(all).to_string().as_bytes());

    let long = "x".repeat(10_000_000);
    let texts = vec![
        json!({"resourceType": "Observation", "id": long, "comment": long, "code": {"text": "Note"}}),
        json!({"resourceType": "Encounter", "id": "e", "period": {"start": long}}),
    ];
    survive(in_bundle(texts).to_string().as_bytes());
}

/// Changes that somebody who means harm, or a broken exporter, makes to a value.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Wrap,
    Unwrap,
    Remove,
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    let values = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!(-1)),
        Just(json!(1.5e300)),
        Just(json!("")),
        Just(json!("é\u{0}\u{1F600} #Patient/2")),
        Just(json!("#")),
        Just(json!("List/")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{"reference": "#"}], null, 3, {"coding": 4}])),
        Just(json!({"reference": "Patient/2", "coding": "x", "extension": {"url": 3}})),
        "\\PC{0,40}".prop_map(Value::from),
    ];
    prop_oneof![
        6 => values.prop_map(Change::Replace),
        1 => Just(Change::Wrap),
        1 => Just(Change::Unwrap),
        1 => Just(Change::Remove),
        1 => Just(Change::Double),
    ]
}

/// Applies a change to the value at the `at`-th place of a document, counted depth first.
fn mutate(value: &mut Value, at: &mut usize, change: &Change) -> bool {
    if *at == 0 {
        match change {
            Change::Replace(other) => *value = other.clone(),
            Change::Wrap => *value = json!([value.take()]),
            Change::Unwrap => {
                *value = match value.take() {
                    Value::Array(items) => items.into_iter().next().unwrap_or_default(),
                    other => json!({"value": other}),
                }
            }
            Change::Remove => *value = Value::Null,
            Change::Double => *value = json!([value.clone(), value.clone()]),
        }
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| mutate(item, at, change)),
        Value::Object(members) => {
            let mut renamed = None;
            let found = members.iter_mut().any(|(name, member)| {
                let found = mutate(member, at, change);
                if found && matches!(change, Change::Remove) {
                    renamed = Some(name.clone());
                }
                found
            });
            if let Some(name) = renamed
                && members.get(&name).is_some_and(Value::is_null)
            {
                members.remove(&name);
            }
            found
        }
        _ => false,
    }
}

/// Returns the documents that are changed: those of a small made-up practice.
fn good() -> Vec<Value> {
    struct Memory(Vec<std::rc::Rc<std::cell::RefCell<Vec<u8>>>>);
    struct File(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);
    impl std::io::Write for File {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl crate::synth::Sink for Memory {
        fn file(&mut self, _: &str) -> std::io::Result<Box<dyn std::io::Write>> {
            let bytes = std::rc::Rc::default();
            self.0.push(std::rc::Rc::clone(&bytes));
            Ok(Box::new(File(bytes)))
        }
    }
    let mut memory = Memory(Vec::new());
    crate::synth::gpconnect::write(&Order::full(4, 3, today()), &mut memory)
        .expect("memory takes everything");
    memory.0.iter().map(|bytes| serde_json::from_slice(&bytes.borrow()).expect("JSON")).collect()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => Map::values(members).map(count).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_good_document_with_something_wrong_in_it_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..24),
        which in 0..4_usize,
    ) {
        let mut document = good().swap_remove(which);
        for (place, change) in &changes {
            let mut at = place.index(count(&document));
            mutate(&mut document, &mut at, change);
        }
        survive(document.to_string().as_bytes());
    }

    #[test]
    fn a_damaged_document_is_survived(place in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0..4_usize, cut in any::<bool>()) {
        let mut bytes = good().swap_remove(which).to_string().into_bytes();
        let at = place.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        survive(&bytes);
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,200}") {
        survive(text.as_bytes());
    }
}
