//! Nothing that a record says is dropped, and nothing panics, whatever the record.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{TODAY, all_texts, record_of};
use super::*;
use crate::synth::Practice;
use crate::{SectionId, SectionState};

/// Puts a made-up patient's resources into sections by their type alone.
fn rough_record(practice: &Practice, index: usize) -> Vec<u8> {
    let mut filled: Vec<(SectionId, SectionState, Vec<Value>)> = Vec::new();
    let mut patient = Value::Null;
    for resource in practice.resources(index) {
        let id = match resource["resourceType"].as_str().unwrap() {
            "Patient" => {
                patient = resource;
                continue;
            }
            "AllergyIntolerance" => SectionId::Allergies,
            "MedicationRequest" | "MedicationStatement" if resource["status"] == "active" => {
                SectionId::RepeatMedication
            }
            "MedicationRequest" => SectionId::PastMedication,
            "Condition" if resource["abatementDateTime"].is_null() => SectionId::ActiveProblems,
            "Condition" => SectionId::PastProblems,
            "Encounter" => SectionId::Encounters,
            "Observation" | "DiagnosticReport" => SectionId::Results,
            "Immunization" => SectionId::Immunisations,
            "ServiceRequest" => SectionId::Referrals,
            "Flag" => SectionId::Alerts,
            _ => SectionId::OtherItems,
        };
        match filled.iter_mut().find(|(filled, _, _)| *filled == id) {
            Some((_, _, items)) => items.push(resource),
            None => filled.push((id, SectionState::Recorded, vec![resource])),
        }
    }
    record_of(patient, &filled)
}

fn leaves(value: &Value, key: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, key, into)),
        Value::Object(fields) => {
            for (key, field) in fields.iter().filter(|(key, _)| *key != "div") {
                leaves(field, key, into);
            }
        }
        Value::String(text) => into.push((key.to_owned(), text.clone())),
        Value::Number(number) => into.push((key.to_owned(), number.to_string())),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Lists what of a record's resources is nowhere in its view.
pub(crate) fn dropped(record: &Value, view: &PatientView) -> Vec<(String, String)> {
    let shown = all_texts(view).to_lowercase();
    let mut said = Vec::new();
    for entry in record["entry"].as_array().unwrap() {
        if entry["resource"]["resourceType"] != "Composition" {
            leaves(&entry["resource"], "", &mut said);
        }
    }
    said.retain(|(_, text)| {
        let forms = [
            text.to_lowercase(),
            dates::show(text).to_lowercase(),
            dates::show_day(text).to_lowercase(),
            crate::nhs_number::format(text),
            leftover::label(text).to_lowercase(),
        ];
        !forms.iter().any(|form| shown.contains(form))
    });
    // These codes are shown by the words that stand for them.
    said.retain(|(key, text)| !["home", "official", "nickname"].contains(&text.as_str()) || key != "use");
    said
}

#[test]
fn nothing_of_a_made_up_patient_is_dropped() {
    let practice = Practice::new(7, 150, TODAY).with_ips_percent(0);
    for index in (0..practice.patients()).filter(|index| !practice.expected(*index).sensitive) {
        let bytes = rough_record(&practice, index);
        let view = patient_view(&bytes, TODAY).unwrap();
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(dropped(&record, &view), [], "patient {index}");
    }
}

fn any_record() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "resourceType",
        "entry",
        "resource",
        "fullUrl",
        "code",
        "coding",
        "text",
        "display",
        "name",
        "given",
        "family",
        "birthDate",
        "status",
        "extension",
        "url",
        "valueString",
        "valueQuantity",
        "value",
        "section",
        "reference",
        "contained",
        "id",
        "identifier",
        "component",
        "period",
        "start",
        "div",
        "reaction",
        "meta",
        "security",
    ]);
    let words = prop::sample::select(vec![
        "Bundle",
        "Patient",
        "Composition",
        "Observation",
        "AllergyIntolerance",
        "MedicationRequest",
        "#1",
        "Patient/1",
        "2020-01",
        "2020-13-99",
        "allergies",
        "urn:lifeboat:section",
        "R",
        "9990000018",
        "\u{202e}x",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 120, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_shown_or_refused(mut record in any_record()) {
        let _ = crate::fuzz::patient_view(record.to_string().as_bytes(), TODAY);
        let _ = crate::fuzz::day_list_view(record.to_string().as_bytes());
        if let Value::Object(fields) = &mut record {
            fields.insert("resourceType".to_owned(), json!("Bundle"));
        }
        let _ = crate::fuzz::patient_view(record.to_string().as_bytes(), TODAY);
        let _ = crate::fuzz::day_list_view(record.to_string().as_bytes());
    }

    #[test]
    fn every_text_of_any_resource_is_shown(resource in any_record()) {
        let resource = if resource.is_object() { resource } else { json!({"x": resource}) };
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        prop_assume!(!["Patient", "Composition", "RelatedPerson"].contains(&kind));
        let record = json!({"resourceType": "Bundle", "entry": [{"resource": resource}]});
        let view = patient_view(record.to_string().as_bytes(), TODAY).unwrap();
        prop_assert_eq!(dropped_texts(&record, &view), Vec::<String>::new());
    }
}

fn dropped_texts(record: &Value, view: &PatientView) -> Vec<String> {
    dropped(record, view).into_iter().map(|(_, text)| text).collect()
}
