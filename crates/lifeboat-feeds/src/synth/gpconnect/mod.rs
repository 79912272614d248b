//! The made-up practice as GP Connect structured records (FHIR STU3), one document per patient.
//!
//! A later extract holds the documents of patients of whom something changed, each whole. A structured
//! record has no appointment book, no area for alerts and none for procedures; what the practice has of these is in it as
//! uncategorised data, or not at all ([`FORCED`]).

mod clinical;
mod forced;
mod lists;
mod medication;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::fhir::write_json;
use super::{Order, Sink};

pub use forced::{FORCED, Forced};

const GPC: &str = "https://fhir.nhs.uk/STU3/StructureDefinition";
const CARE_CONNECT: &str = "https://fhir.hl7.org.uk/STU3/StructureDefinition";
const SNOMED: &str = "http://snomed.info/sct";

/// Writes an extract.
///
/// # Errors
/// A file cannot be written.
pub fn write(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let practice = order.practice();
    let (_, shared) = practice.shared();
    let shared = Shared::of(&shared);
    for index in (0..order.patients).filter(|index| order.holds(&practice, *index)) {
        let chart = order.chart(&practice, index, order.delta);
        write_json(sink, &format!("patient-{index:07}.json"), &document(chart, &shared))?;
    }
    Ok(())
}

/// People and places of the practice, in STU3, by reference.
struct Shared(BTreeMap<String, Value>);

impl Shared {
    fn of(bundle: &Value) -> Self {
        let resources =
            bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone());
        let by_reference = resources.map(|mut resource| {
            let kind = said(&resource, "resourceType").to_owned();
            let reference = format!("{kind}/{}", said(&resource, "id"));
            resource["meta"] = profile(&kind);
            (reference, resource)
        });
        Self(by_reference.collect())
    }
}

/// Returns a member's text.
fn said<'v>(resource: &'v Value, name: &str) -> &'v str {
    resource[name].as_str().unwrap_or_default()
}

fn profile(kind: &str) -> Value {
    json!({"profile": [format!("{GPC}/CareConnect-GPC-{kind}-1")]})
}

/// A patient's document in the making.
#[derive(Default)]
struct Record {
    patient: String,
    resources: Vec<Value>,
    /// What each area's list names, by the code of the list.
    listed: BTreeMap<&'static str, Vec<String>>,
    /// Allergies that have ended.
    ended: Vec<Value>,
}

impl Record {
    /// Adds a resource.
    fn push(&mut self, kind: &str, id: &str, from: &Value, body: Value) {
        let name = if kind == "Condition" { "ProblemHeader-Condition" } else { kind };
        let mut resource = json!({"resourceType": kind, "id": id, "meta": profile(name)});
        if let Some(security) = from["meta"].get("security") {
            resource["meta"]["security"] = security.clone();
        }
        if let (Some(members), Value::Object(body)) = (resource.as_object_mut(), body) {
            members.extend(body.into_iter().filter(|(_, member)| !member.is_null()));
        }
        self.resources.push(resource);
    }

    /// Adds a resource that a list names.
    fn file(&mut self, list: &'static str, kind: &str, id: &str, from: &Value, body: Value) {
        self.push(kind, id, from, body);
        self.listed.entry(list).or_default().push(format!("{kind}/{id}"));
    }

    fn subject(&self) -> Value {
        json!({"reference": format!("Patient/{}", self.patient)})
    }
}

/// Returns a patient's document.
fn document(chart: Vec<Value>, shared: &Shared) -> Value {
    let mut record = Record::default();
    for resource in &chart {
        match said(resource, "resourceType") {
            "Patient" => {
                record.patient = said(resource, "id").to_owned();
                record.push("Patient", said(resource, "id"), resource, clinical::patient(resource));
            }
            "MedicationRequest" => medication::prescription(&mut record, resource),
            "MedicationStatement" => medication::elsewhere(&mut record, resource),
            _ => clinical::add(&mut record, resource),
        }
    }
    lists::add(&mut record, &chart);
    let mut named = Vec::new();
    for resource in &record.resources {
        references(resource, &mut named);
    }
    let mut resources = record.resources;
    named.sort();
    named.dedup();
    resources.extend(named.iter().filter_map(|reference| shared.0.get(reference)).cloned());
    let entries: Vec<Value> = resources.into_iter().map(|resource| json!({"resource": resource})).collect();
    json!({
        "resourceType": "Bundle",
        "meta": {"profile": [format!("{GPC}/GPConnect-StructuredRecord-Bundle-1")]},
        "type": "collection",
        "entry": entries
    })
}

/// Collects the references in a resource.
fn references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            into.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}
