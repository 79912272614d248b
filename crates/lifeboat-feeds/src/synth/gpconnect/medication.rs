//! Prescriptions as GP Connect parts them: the medicine, the authorisation, the issue, and the statement of all three.

use serde_json::{Value, json};

use super::{GPC, Record, lists, said};

fn extension(name: &str, key: &str, value: &Value) -> Value {
    json!({"url": format!("{GPC}/Extension-CareConnect-GPC-{name}-1"), key: value})
}

fn prescription_type(code: &str, display: &str) -> Value {
    extension(
        "PrescriptionType",
        "valueCodeableConcept",
        &json!({"coding": [{
            "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescriptionType-1",
            "code": code,
            "display": display
        }]}),
    )
}

fn agency(code: &str, display: &str) -> Value {
    extension(
        "PrescribingAgency",
        "valueCodeableConcept",
        &json!({"coding": [{
            "system": "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-PrescribingAgency-1",
            "code": code,
            "display": display
        }]}),
    )
}

/// Returns the first extension of a resource whose URL contains `part`.
fn said_by<'v>(resource: &'v Value, part: &str) -> Option<&'v Value> {
    let extensions = resource["extension"].as_array().into_iter().flatten();
    extensions.into_iter().find(|extension| said(extension, "url").contains(part))
}

fn add_medicine(record: &mut Record, id: &str, from: &Value) -> Value {
    let medicine = format!("{id}-medicine");
    record.push("Medication", &medicine, from, json!({"code": from["medicationCodeableConcept"]}));
    json!({"reference": format!("Medication/{medicine}")})
}

/// Adds a prescription of the practice.
pub(super) fn prescription(record: &mut Record, from: &Value) {
    let id = said(from, "id");
    let medicine = add_medicine(record, id, from);
    let is_acute = from["courseOfTherapyType"]["coding"][0]["code"] == "acute";
    let kind =
        if is_acute { prescription_type("acute", "Acute") } else { prescription_type("repeat", "Repeat") };
    let mut dispense = from["dispenseRequest"].clone();
    let allowed = dispense.as_object_mut().and_then(|members| members.remove("numberOfRepeatsAllowed"));
    let issued = said_by(from, "LastIssuedDate").map(|extension| extension["valueDateTime"].clone());
    let mut extensions = vec![kind.clone()];
    extensions.extend(repeat_information(from, allowed));
    if let Some(reason) = from.get("statusReason") {
        extensions.push(json!({
            "url": format!("{GPC}/Extension-CareConnect-GPC-MedicationStatusReason-1"),
            "extension": [
                {"url": "statusReason", "valueCodeableConcept": reason},
                {"url": "statusChangeDate", "valueDateTime": dispense["validityPeriod"]["end"]}
            ]
        }));
    }
    let plan = json!({
        "extension": extensions,
        "status": from["status"],
        "intent": "plan",
        "medicationReference": medicine,
        "subject": from["subject"],
        "authoredOn": from["authoredOn"],
        "requester": {"agent": from["requester"]},
        "note": from.get("note"),
        "dosageInstruction": from["dosageInstruction"],
        "dispenseRequest": dispense
    });
    record.push("MedicationRequest", id, from, plan);
    if let Some(issued) = &issued {
        let mut supply = dispense.clone();
        supply["validityPeriod"] = json!({"start": issued});
        let issue = json!({
            "extension": [kind],
            "basedOn": [{"reference": format!("MedicationRequest/{id}")}],
            "status": "completed",
            "intent": "order",
            "medicationReference": medicine,
            "subject": from["subject"],
            "authoredOn": issued,
            "requester": {"agent": from["requester"]},
            "dosageInstruction": from["dosageInstruction"],
            "dispenseRequest": supply
        });
        record.push("MedicationRequest", &format!("{id}-issue"), from, issue);
    }
    let mut extensions = vec![agency("prescribed-at-gp-practice", "Prescribed at GP practice")];
    extensions
        .extend(issued.map(|issued| extension("MedicationStatementLastIssueDate", "valueDateTime", &issued)));
    let statement = json!({
        "extension": extensions,
        "basedOn": [{"reference": format!("MedicationRequest/{id}")}],
        "status": from["status"],
        "medicationReference": medicine,
        "effectivePeriod": dispense["validityPeriod"],
        "dateAsserted": from["authoredOn"],
        "subject": from["subject"],
        "taken": "unk",
        "dosage": from["dosageInstruction"]
    });
    record.file(lists::MEDICATION, "MedicationStatement", &format!("{id}-statement"), from, statement);
}

fn repeat_information(from: &Value, allowed: Option<Value>) -> Option<Value> {
    let mut parts = Vec::new();
    parts.extend(
        allowed
            .map(|number| json!({"url": "numberOfRepeatPrescriptionsAllowed", "valuePositiveInt": number})),
    );
    let said = said_by(from, "RepeatInformation").and_then(|extension| extension["extension"].as_array());
    for part in said.into_iter().flatten() {
        if part["url"] == "numberOfPrescriptionsIssued" {
            parts.push(json!({"url": "numberOfRepeatPrescriptionsIssued", "valueUnsignedInt": part["valueUnsignedInt"]}));
        } else {
            parts.push(part.clone());
        }
    }
    let url = format!("{GPC}/Extension-CareConnect-GPC-MedicationRepeatInformation-1");
    (!parts.is_empty()).then(|| json!({"url": url, "extension": parts}))
}

/// Adds a medicine that somebody else prescribes, or nobody.
pub(super) fn elsewhere(record: &mut Record, from: &Value) {
    let id = said(from, "id");
    let medicine = add_medicine(record, id, from);
    let no_information = json!({"text": "No information available"});
    let plan = json!({
        "extension": [extension("PrescriptionType", "valueCodeableConcept", &no_information)],
        "status": from["status"],
        "intent": "plan",
        "medicationReference": medicine,
        "subject": from["subject"],
        "authoredOn": from["dateAsserted"],
        "dosageInstruction": from["dosage"],
        "dispenseRequest": {"validityPeriod": from["effectivePeriod"]}
    });
    record.push("MedicationRequest", &format!("{id}-plan"), from, plan);
    let statement = json!({
        "extension": [agency("prescribed-by-another-organisation", "Prescribed by another organisation")],
        "basedOn": [{"reference": format!("MedicationRequest/{id}-plan")}],
        "status": from["status"],
        "medicationReference": medicine,
        "effectivePeriod": from["effectivePeriod"],
        "dateAsserted": from["dateAsserted"],
        "subject": from["subject"],
        "taken": "unk",
        "note": from.get("note"),
        "dosage": from["dosage"]
    });
    record.file(lists::MEDICATION, "MedicationStatement", id, from, statement);
}
