//! The documents that a made-up patient's resources travel in.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::person::Person;
use super::problems::AllergyStory;
use super::random::Random;
use super::staff::{self, CLINICIANS, SITE_NAME};
use super::story::instant;

const BASE: &str = "https://demonstration.example/fhir/R4";

/// Returns a collection of `resources`, each under its RESTful address.
pub(crate) fn collection(resources: Vec<Value>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            let id = resource["id"].as_str().unwrap_or_default();
            json!({"fullUrl": format!("{BASE}/{kind}/{id}"), "resource": resource})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

/// One section of an International Patient Summary and which resources it lists.
struct Section {
    loinc: &'static str,
    title: &'static str,
    holds: fn(&Value) -> bool,
    /// Says that the section stands there even when it is empty.
    required: bool,
}

const SECTIONS: &[Section] = &[
    Section { loinc: "11450-4", title: "Problem List", holds: |r| is_problem(r, true), required: true },
    Section {
        loinc: "48765-2",
        title: "Allergies and Intolerances",
        holds: |r| r["resourceType"] == "AllergyIntolerance",
        required: true,
    },
    Section {
        loinc: "10160-0",
        title: "Medication Summary",
        holds: |r| r["resourceType"] == "MedicationRequest" || r["resourceType"] == "MedicationStatement",
        required: true,
    },
    Section {
        loinc: "11369-6",
        title: "Immunizations",
        holds: |r| r["resourceType"] == "Immunization",
        required: false,
    },
    Section {
        loinc: "30954-2",
        title: "Results",
        holds: |r| is_observation(r, "laboratory") || r["resourceType"] == "DiagnosticReport",
        required: false,
    },
    Section {
        loinc: "47519-4",
        title: "Procedures",
        holds: |r| r["resourceType"] == "Procedure",
        required: false,
    },
    Section { loinc: "104605-1", title: "Alerts", holds: |r| r["resourceType"] == "Flag", required: false },
    Section { loinc: "11348-0", title: "Past Problems", holds: |r| is_problem(r, false), required: false },
    Section {
        loinc: "8716-3",
        title: "Vital Signs",
        holds: |r| is_observation(r, "vital-signs"),
        required: false,
    },
    Section {
        loinc: "29762-2",
        title: "Social History",
        holds: |r| is_observation(r, "social-history"),
        required: false,
    },
    Section {
        loinc: "18776-5",
        title: "Plan of Care",
        holds: |r| r["resourceType"] == "ServiceRequest",
        required: false,
    },
];

fn is_problem(resource: &Value, active: bool) -> bool {
    let status = resource["clinicalStatus"]["coding"][0]["code"].as_str();
    resource["resourceType"] == "Condition" && (status == Some("active")) == active
}

fn is_observation(resource: &Value, category: &str) -> bool {
    resource["resourceType"] == "Observation" && resource["category"][0]["coding"][0]["code"] == category
}

/// Returns an International Patient Summary of `resources`, whose first is the Patient.
pub(crate) fn ips_document(
    seed: u64,
    person: &Person,
    today: Date,
    allergies: AllergyStory,
    mut resources: Vec<Value>,
) -> Value {
    let mut random = Random::of(seed, "document", person.index);
    let author = &CLINICIANS[person.usual_gp];
    let sections: Vec<Value> =
        SECTIONS.iter().filter_map(|section| section_json(section, allergies, &resources)).collect();
    let composition = json!({
        "resourceType": "Composition",
        "id": random.uuid(),
        "meta": {"profile": ["http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"]},
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "60591-5", "display": "Patient summary Document"}]},
        "subject": {"reference": format!("Patient/{}", person.id)},
        "date": instant(today, &mut random),
        "author": [author.reference()],
        "title": format!("Patient summary from {SITE_NAME}"),
        "section": sections
    });
    let id = random.uuid();
    resources.insert(0, composition);
    resources.extend(CLINICIANS.iter().map(staff::practitioner));
    resources.push(staff::organization());
    resources.push(staff::location());
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|mut resource| {
            rewrite_references(seed, &mut resource);
            let full_url = document_url(seed, resource["id"].as_str().unwrap_or_default());
            json!({"fullUrl": full_url, "resource": resource})
        })
        .collect();
    json!({
        "resourceType": "Bundle",
        "id": id,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{id}")},
        "type": "document",
        "timestamp": instant(today, &mut random),
        "entry": entries
    })
}

fn section_json(section: &Section, allergies: AllergyStory, resources: &[Value]) -> Option<Value> {
    let entries: Vec<Value> = resources
        .iter()
        .filter(|resource| (section.holds)(resource))
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            json!({"reference": format!("{kind}/{}", resource["id"].as_str().unwrap_or_default())})
        })
        .collect();
    if entries.is_empty() && !section.required {
        return None;
    }
    let mut json = json!({
        "title": section.title,
        "code": {"coding": [{"system": "http://loinc.org", "code": section.loinc}]},
        "text": {
            "status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>See the entries.</p></div>"
        }
    });
    if entries.is_empty() {
        let (code, display) = match (section.loinc, allergies) {
            ("48765-2", AllergyStory::Withheld) => ("withheld", "Information Withheld"),
            ("48765-2", AllergyStory::Unavailable) => ("unavailable", "Unavailable"),
            ("48765-2", _) => ("notasked", "Not Asked"),
            _ => ("nilknown", "Nil Known"),
        };
        json["emptyReason"] = json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
            "code": code,
            "display": display
        }]});
    } else {
        json["entry"] = Value::Array(entries);
    }
    Some(json)
}

/// Returns the address of a resource in a document: always a UUID, also for staff with other ids.
fn document_url(seed: u64, id: &str) -> String {
    let is_uuid = id.len() == 36 && id.split('-').count() == 5;
    if is_uuid { format!("urn:uuid:{id}") } else { format!("urn:uuid:{}", Random::of(seed, id, 0).uuid()) }
}

fn rewrite_references(seed: u64, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite_references(seed, item)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(text) if key == "reference" => {
                        if let Some((_, id)) = text.split_once('/') {
                            *text = document_url(seed, id);
                        }
                    }
                    field => rewrite_references(seed, field),
                }
            }
        }
        _ => {}
    }
}
