//! The lists of a structured record: one per clinical area, and those that make up consultations.

use serde_json::{Value, json};

use super::{Record, SNOMED, profile, said};

pub(super) const ALLERGIES: &str = "886921000000105";
pub(super) const MEDICATION: &str = "933361000000108";
pub(super) const IMMUNISATIONS: &str = "1102181000000102";
pub(super) const INVESTIGATIONS: &str = "887191000000108";
pub(super) const REFERRALS: &str = "792931000000107";
pub(super) const DIARY: &str = "714311000000108";
pub(super) const UNCATEGORISED: &str = "826501000000100";
pub(super) const CONSULTATIONS: &str = "1149501000000101";
pub(super) const PROBLEMS: &str = "717711000000103";

const AREAS: [(&str, &str); 9] = [
    (ALLERGIES, "Allergies and adverse reactions"),
    (MEDICATION, "Medications and medical devices"),
    (IMMUNISATIONS, "Immunisations"),
    (INVESTIGATIONS, "Investigations and results"),
    (REFERRALS, "Outbound referral"),
    (DIARY, "Patient recall administration"),
    (UNCATEGORISED, "Uncategorised data"),
    (CONSULTATIONS, "List of consultations"),
    (PROBLEMS, "Problems"),
];

fn list(record: &Record, code: (&str, &str), title: &str, references: &[String]) -> Value {
    let entries: Vec<Value> =
        references.iter().map(|reference| json!({"item": {"reference": reference}})).collect();
    let mut list = json!({
        "resourceType": "List",
        "meta": profile("List"),
        "status": "current",
        "mode": "snapshot",
        "title": title,
        "code": {"coding": [{"system": SNOMED, "code": code.0, "display": code.1}]},
        "subject": record.subject()
    });
    if entries.is_empty() {
        list["emptyReason"] = json!({"coding": [{
            "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-ListEmptyReasonCode-1",
            "code": "no-content-recorded",
            "display": "No Content Recorded"
        }]});
        list["note"] = json!([{"text": "Information not available"}]);
    } else {
        list["entry"] = Value::Array(entries);
    }
    list
}

/// Adds all lists of a record.
pub(super) fn add(record: &mut Record, chart: &[Value]) {
    let mut lists = Vec::new();
    for (code, title) in AREAS {
        let listed = record.listed.get(code).map(Vec::as_slice).unwrap_or_default();
        lists.push(list(record, (code, title), title, listed));
    }
    let ended: Vec<String> = record.ended.iter().map(|allergy| format!("#{}", said(allergy, "id"))).collect();
    let mut resolved = list(record, ("1103671000000101", "Ended allergies"), "Ended allergies", &ended);
    if !record.ended.is_empty() {
        resolved["contained"] = Value::Array(std::mem::take(&mut record.ended));
    }
    lists.push(resolved);
    for encounter in chart.iter().filter(|resource| said(resource, "resourceType") == "Encounter") {
        lists.extend(consultation(record, encounter));
    }
    record.resources.extend(lists);
}

/// Returns a consultation and its only topic.
fn consultation(record: &Record, encounter: &Value) -> [Value; 2] {
    let id = said(encounter, "id");
    let topic_id = format!("{id}-topic");
    let kind = encounter["type"][0]["text"].as_str().unwrap_or("Consultation");
    let title = encounter["reasonCode"][0]["text"].as_str().unwrap_or_default();
    let topics = [format!("List/{topic_id}")];
    let mut consultation = list(record, ("325851000000107", "Consultation"), kind, &topics);
    let note = encounter["extension"][0]["valueString"].is_string().then(|| format!("Observation/{id}-note"));
    let mut topic = list(record, ("25851000000105", "Topic (EHR)"), title, note.as_slice());
    for (list, list_id) in [(&mut consultation, format!("{id}-consultation")), (&mut topic, topic_id)] {
        list["id"] = json!(list_id);
        list["encounter"] = json!({"reference": format!("Encounter/{id}")});
        list["date"] = encounter["period"]["start"].clone();
    }
    [consultation, topic]
}
