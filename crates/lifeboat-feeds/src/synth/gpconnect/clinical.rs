//! Everything but medication, from FHIR R4 to the STU3 of GP Connect.

use serde_json::{Value, json};

use super::{CARE_CONNECT, GPC, Record, SNOMED, lists, said};

/// Returns the code of a concept that STU3 writes as a code.
fn code(concept: &Value) -> Value {
    concept["coding"][0]["code"].clone()
}

/// Returns the members of a resource that stay as they are.
fn kept(resource: &Value, names: &[&str]) -> Value {
    let members = names.iter().filter_map(|name| Some(((*name).to_owned(), resource.get(name)?.clone())));
    Value::Object(members.collect())
}

/// Returns the patient's details.
pub(super) fn patient(patient: &Value) -> Value {
    let mut body = kept(
        patient,
        &[
            "identifier",
            "active",
            "name",
            "telecom",
            "gender",
            "birthDate",
            "deceasedDateTime",
            "address",
            "contact",
            "generalPractitioner",
            "managingOrganization",
        ],
    );
    let mut extensions: Vec<Value> = Vec::new();
    for extension in patient["extension"].as_array().into_iter().flatten() {
        let mut extension = extension.clone();
        let url = match said(&extension, "url").rsplit('-').next().unwrap_or_default() {
            "EthnicCategory" => format!("{CARE_CONNECT}/Extension-CareConnect-EthnicCategory-1"),
            "NominatedPharmacy" => format!("{GPC}/Extension-CareConnect-GPC-NominatedPharmacy-1"),
            _ => said(&extension, "url").to_owned(),
        };
        extension["url"] = json!(url);
        extensions.push(extension);
    }
    for spoken in patient["communication"].as_array().into_iter().flatten() {
        extensions.push(json!({
            "url": format!("{GPC}/Extension-CareConnect-GPC-NHSCommunication-1"),
            "extension": [
                {"url": "language", "valueCodeableConcept": spoken["language"]},
                {"url": "preferred", "valueBoolean": spoken["preferred"]},
                {"url": "interpreterRequired", "valueBoolean": spoken["extension"][0]["valueBoolean"]}
            ]
        }));
    }
    body["extension"] = Value::Array(extensions);
    for identifier in body["identifier"].as_array_mut().into_iter().flatten() {
        verification(identifier);
    }
    body
}

/// Writes how far an NHS number is verified in GP Connect's codes.
fn verification(identifier: &mut Value) {
    let Some(extension) = identifier.get_mut("extension").and_then(|extensions| extensions.get_mut(0)) else {
        return;
    };
    let concept = &extension["valueCodeableConcept"]["coding"][0];
    let code = if said(concept, "code") == "number-present-and-verified" { "01" } else { "02" };
    let display = concept["display"].clone();
    *extension = json!({
        "url": format!("{GPC}/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1"),
        "valueCodeableConcept": {"coding": [{
            "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
            "code": code,
            "display": display
        }]}
    });
}

/// Adds a resource of a chart.
pub(super) fn add(record: &mut Record, resource: &Value) {
    let id = said(resource, "id");
    match said(resource, "resourceType") {
        "AllergyIntolerance" => allergy(record, id, resource),
        "Condition" => condition(record, id, resource),
        "Observation" => {
            let body = observation(resource);
            record.file(lists::UNCATEGORISED, "Observation", id, resource, body);
        }
        "DiagnosticReport" => report(record, id, resource),
        "Immunization" => immunisation(record, id, resource),
        "Encounter" => encounter(record, id, resource),
        "Procedure" => {
            let body = json!({
                "status": "final",
                "code": resource["code"],
                "subject": resource["subject"],
                "effectiveDateTime": resource["performedDateTime"],
                "performer": resource["performer"].as_array().and_then(|all| all.first()).map(|one| json!([one["actor"]]))
            });
            record.file(lists::UNCATEGORISED, "Observation", id, resource, body);
        }
        "FamilyMemberHistory" => family_history(record, id, resource),
        "Flag" => {
            let body = json!({
                "status": "final",
                "code": resource["code"],
                "subject": resource["subject"],
                "effectiveDateTime": resource["period"]["start"],
                "performer": [resource["author"]]
            });
            record.file(lists::UNCATEGORISED, "Observation", id, resource, body);
        }
        "ServiceRequest" if said(resource, "intent") == "plan" => recall(record, id, resource),
        "ServiceRequest" => referral(record, id, resource),
        "DocumentReference" => {
            let mut body = kept(resource, &["status", "type", "subject", "author", "description", "content"]);
            body["created"] = resource["date"].clone();
            body["indexed"] = resource["date"].clone();
            record.push("DocumentReference", id, resource, body);
        }
        kind => record.push(kind, id, resource, resource.clone()),
    }
}

fn allergy(record: &mut Record, id: &str, allergy: &Value) {
    let mut body = kept(
        allergy,
        &[
            "type",
            "category",
            "criticality",
            "code",
            "patient",
            "onsetDateTime",
            "reaction",
            "note",
            "recorder",
        ],
    );
    body["clinicalStatus"] = code(&allergy["clinicalStatus"]);
    body["verificationStatus"] = json!("unconfirmed");
    body["assertedDate"] = allergy["recordedDate"].clone();
    if body["clinicalStatus"] != "resolved" {
        return record.file(lists::ALLERGIES, "AllergyIntolerance", id, allergy, body);
    }
    body["resourceType"] = json!("AllergyIntolerance");
    body["id"] = json!(id);
    body["meta"] = super::profile("AllergyIntolerance");
    record.ended.push(body);
}

/// Adds a problem, and the entry of the journal that it stands for.
fn condition(record: &mut Record, id: &str, condition: &Value) {
    let mut body =
        kept(condition, &["category", "code", "subject", "onsetDateTime", "abatementDateTime", "note"]);
    let is_active = condition["clinicalStatus"]["coding"][0]["code"] == "active";
    body["clinicalStatus"] = json!(if is_active { "active" } else { "inactive" });
    body["assertedDate"] = condition["recordedDate"].clone();
    body["asserter"] = condition["recorder"].clone();
    let actual = format!("{id}-actual");
    let significance = condition["extension"][0]["valueCode"].clone();
    body["extension"] = json!([
        {
            "url": format!("{GPC}/Extension-CareConnect-GPC-ActualProblem-1"),
            "valueReference": {"reference": format!("Observation/{actual}")}
        },
        {"url": format!("{CARE_CONNECT}/Extension-CareConnect-ProblemSignificance-1"), "valueCode": significance}
    ]);
    record.file(lists::PROBLEMS, "Condition", id, condition, body);
    let body = json!({
        "status": "final",
        "code": condition["code"],
        "subject": condition["subject"],
        "effectiveDateTime": condition["onsetDateTime"],
        "issued": condition["recordedDate"],
        "performer": [condition["recorder"]]
    });
    record.file(lists::UNCATEGORISED, "Observation", &actual, condition, body);
}

/// Returns an observation in STU3.
fn observation(observation: &Value) -> Value {
    let mut body = observation.clone();
    if let Some(members) = body.as_object_mut() {
        for left in ["resourceType", "id", "meta"] {
            members.remove(left);
        }
    }
    if let Some(interpretation) = observation["interpretation"].as_array().and_then(|all| all.first()) {
        body["interpretation"] = interpretation.clone();
    }
    if let Some(note) = observation["note"].as_array().and_then(|all| all.first()) {
        body["comment"] = note["text"].clone();
        body["note"] = Value::Null;
    }
    body
}

fn report(record: &mut Record, id: &str, report: &Value) {
    let mut body =
        kept(report, &["status", "code", "subject", "effectiveDateTime", "issued", "result", "conclusion"]);
    body["category"] = report["category"][0].clone();
    body["performer"] =
        report["performer"].as_array().into_iter().flatten().map(|who| json!({"actor": who})).collect();
    record.file(lists::INVESTIGATIONS, "DiagnosticReport", id, report, body);
}

fn immunisation(record: &mut Record, id: &str, given: &Value) {
    let mut body = kept(given, &["vaccineCode", "patient", "primarySource", "lotNumber", "site", "note"]);
    let is_given = given["status"] != "not-done";
    body["status"] = json!("completed");
    body["notGiven"] = json!(!is_given);
    if !is_given {
        body["explanation"] = json!({"reasonNotGiven": [given["statusReason"]]});
    }
    body["date"] = given["occurrenceDateTime"].clone();
    body["extension"] = json!([
        {
            "url": format!("{CARE_CONNECT}/Extension-CareConnect-VaccinationProcedure-1"),
            "valueCodeableConcept": given["extension"][0]["valueCodeableConcept"]
        },
        {"url": format!("{CARE_CONNECT}/Extension-CareConnect-DateRecorded-1"), "valueDateTime": given["recorded"]}
    ]);
    body["practitioner"] = given["performer"].clone();
    body["vaccinationProtocol"] =
        json!([{"doseSequence": given["protocolApplied"][0]["doseNumberPositiveInt"]}]);
    record.file(lists::IMMUNISATIONS, "Immunization", id, given, body);
}

/// Adds an encounter and the note that was written in it; the consultation's lists put the two together.
fn encounter(record: &mut Record, id: &str, encounter: &Value) {
    let body = kept(
        encounter,
        &["status", "class", "type", "subject", "participant", "period", "location", "serviceProvider"],
    );
    record.file(lists::CONSULTATIONS, "Encounter", id, encounter, body);
    let note = &encounter["extension"][0]["valueString"];
    if note.is_string() {
        let body = json!({
            "status": "final",
            "code": {"coding": [{"system": SNOMED, "code": "37331000000100", "display": "Comment note"}]},
            "subject": encounter["subject"],
            "context": {"reference": format!("Encounter/{id}")},
            "effectiveDateTime": encounter["period"]["start"],
            "issued": encounter["period"]["start"],
            "performer": [encounter["participant"][0]["individual"]],
            "comment": note
        });
        record.push("Observation", &format!("{id}-note"), encounter, body);
    }
}

fn family_history(record: &mut Record, id: &str, history: &Value) {
    let condition = &history["condition"][0];
    let mut code = condition["code"].clone();
    code["text"] = json!(format!("FH: {}", code["coding"][0]["display"].as_str().unwrap_or_default()));
    let relative = history["relationship"]["coding"][0]["display"].as_str().unwrap_or_default();
    let comment = format!("{relative}, {}", condition["onsetString"].as_str().unwrap_or_default());
    let body = json!({
        "status": "final",
        "code": code,
        "subject": history["patient"],
        "effectiveDateTime": history["date"],
        "comment": comment
    });
    record.file(lists::UNCATEGORISED, "Observation", id, history, body);
}

fn referral(record: &mut Record, id: &str, referral: &Value) {
    let mut body = kept(referral, &["status", "intent", "priority", "subject", "authoredOn"]);
    body["type"] = referral["category"][0].clone();
    body["requester"] = json!({"agent": referral["requester"]});
    body["recipient"] = referral["performer"].clone();
    body["reasonCode"] = json!([referral["code"]]);
    body["description"] = referral["reasonCode"][0]["text"].clone();
    record.file(lists::REFERRALS, "ReferralRequest", id, referral, body);
}

fn recall(record: &mut Record, id: &str, recall: &Value) {
    let mut body = kept(recall, &["status", "intent", "code", "subject", "occurrenceDateTime"]);
    body["requester"] = json!({"agent": recall["requester"]});
    record.file(lists::DIARY, "ProcedureRequest", id, recall, body);
}
