//! Clinical items: allergies, problems, observations, reports, immunisations, procedures.

use serde_json::{Value, json};

use super::translation::Translation;
use super::value::{
    append, has_code, items_of, listed, make_list, members, note, put, rename, take, take_extensions, text,
};
use super::words;
use crate::r4;

/// What is said of an entry that lost its code.
const DEGRADED_NOTE: &str =
    "Transfer-degraded: the code was lost in a transfer; the text is all that is known.";

/// Turns a status that STU3 writes as a code into a concept of a code system.
fn status(resource: &mut Value, member: &str, system: &str) {
    if let Some(code) = text(resource, member).map(str::to_owned) {
        let mut display = code.replace('-', " ");
        if let Some(first) = display.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
        put(resource, member, r4::concept(vec![r4::coding(&system, &code, Some(&display))], None));
    }
}

fn encounter(resource: &mut Value) {
    rename(resource, "context", "encounter");
}

/// Notes that an entry lost its code, where it did.
pub(super) fn note_degraded(resource: &mut Value, concept: &Value) {
    if words::is_degraded(concept) {
        note(resource, DEGRADED_NOTE);
    }
}

/// Translates an allergy.
pub(super) fn allergy(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut allergy = translation.common(at);
    status(&mut allergy, "clinicalStatus", "allergyintolerance-clinical");
    status(&mut allergy, "verificationStatus", "allergyintolerance-verification");
    rename(&mut allergy, "assertedDate", "recordedDate");
    make_list(&mut allergy, "note");
    make_list(&mut allergy, "category");
    let code = allergy.get("code").cloned().unwrap_or_default();
    note_degraded(&mut allergy, &code);
    let ended = translation.response.entries[at].container.is_some();
    if ended
        && !has_code(&allergy["clinicalStatus"], "resolved")
        && !has_code(&allergy["clinicalStatus"], "inactive")
    {
        note(
            &mut allergy,
            "The source lists this among the ended allergies, without saying that it is resolved.",
        );
    }
    allergy
}

/// Translates a problem.
pub(super) fn condition(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut condition = translation.common(at);
    status(&mut condition, "clinicalStatus", "condition-clinical");
    status(&mut condition, "verificationStatus", "condition-ver-status");
    rename(&mut condition, "assertedDate", "recordedDate");
    // GP Connect has the asserter stand for whoever recorded the problem.
    rename(&mut condition, "asserter", "recorder");
    encounter(&mut condition);
    for list in ["note", "category", "stage", "evidence", "bodySite"] {
        make_list(&mut condition, list);
    }
    match take(&mut condition, "abatementBoolean") {
        Value::Bool(true) if condition.get("abatementDateTime").is_none() => {
            put(&mut condition, "abatementString", json!("Ended; the date is not recorded"));
        }
        _ => {}
    }
    actual_problem(&mut condition);
    related_problems(&mut condition);
    let code = condition.get("code").cloned().unwrap_or_default();
    note_degraded(&mut condition, &code);
    condition
}

/// Leaves out what a problem stands for where that says nothing but the problem's own name.
fn actual_problem(condition: &mut Value) {
    let own = condition.get("code").and_then(words::concept).unwrap_or_default();
    let actual = take_extensions(condition, "ActualProblem");
    let says_more = |extension: &Value| {
        let display = extension.get("valueReference").and_then(|target| text(target, "display"));
        display.is_none_or(|display| {
            let rest = display.strip_prefix(own.as_str()).unwrap_or(display);
            !(rest.is_empty() || rest.starts_with(" (") && rest.ends_with(')') && rest.len() <= 14)
        })
    };
    append(condition, "extension", actual.into_iter().filter(says_more));
}

/// Tells related problems in one line each, and leaves out which parts of consultations a problem is filed with:
/// the consultations themselves are named beside these.
fn related_problems(condition: &mut Value) {
    for related in take_extensions(condition, "RelatedProblemHeader") {
        let part =
            |name: &str| items_of(&related, "extension").iter().find(|part| text(part, "url") == Some(name));
        let target = part("target").and_then(|part| part.get("valueReference")).cloned();
        let kind = part("type").and_then(|part| text(part, "valueCode"));
        match (target, kind) {
            (Some(mut target), Some(kind)) => {
                let name = text(&target, "display").unwrap_or("Problem").to_owned();
                put(&mut target, "display", json!(format!("{name}, {kind}")));
                let extension = json!({"url": "urn:lifeboat:related-problem", "valueReference": target});
                append(condition, "extension", [extension]);
            }
            _ => append(condition, "extension", [related]),
        }
    }
    let related = take_extensions(condition, "RelatedClinicalContent");
    let is_list = |extension: &Value| {
        let target = extension.get("valueReference").and_then(|target| text(target, "reference"));
        target.is_some_and(|target| target.starts_with("List/"))
    };
    append(condition, "extension", related.into_iter().filter(|extension| !is_list(extension)));
}

/// Translates an observation.
pub(super) fn observation(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut observation = translation.common(at);
    encounter(&mut observation);
    for list in ["note", "category", "interpretation", "performer", "referenceRange", "component", "basedOn"]
    {
        make_list(&mut observation, list);
    }
    if let Some(components) = observation.get_mut("component").and_then(Value::as_array_mut) {
        for component in components {
            make_list(component, "interpretation");
        }
    }
    if let Value::String(comment) = take(&mut observation, "comment") {
        note(&mut observation, &comment);
    }
    related(&mut observation);
    let attachment = take(&mut observation, "valueAttachment");
    if !attachment.is_null() {
        let extension = json!({"url": "urn:lifeboat:attached-value", "valueAttachment": attachment});
        append(&mut observation, "extension", [extension]);
    }
    let code = observation.get("code").cloned().unwrap_or_default();
    note_degraded(&mut observation, &code);
    observation
}

/// Turns what an observation is related to into what it has, what it comes from, and the rest.
fn related(observation: &mut Value) {
    let Value::Array(related) = listed(take(observation, "related")) else { return };
    for relation in related {
        let target = relation.get("target").cloned().unwrap_or_default();
        match text(&relation, "type") {
            Some("has-member") => append(observation, "hasMember", [target]),
            Some("derived-from") => append(observation, "derivedFrom", [target]),
            _ => {
                let extension = json!({"url": "urn:lifeboat:related-to", "valueReference": target});
                append(observation, "extension", [extension]);
            }
        }
    }
}

/// Translates a report.
pub(super) fn report(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut report = translation.common(at);
    encounter(&mut report);
    for list in ["category", "result", "specimen", "basedOn"] {
        make_list(&mut report, list);
    }
    // Results are items of their own; who reads the report reads their names in it and their values there.
    for result in report.get_mut("result").and_then(Value::as_array_mut).into_iter().flatten() {
        if text(result, "reference").is_some_and(|target| target.starts_with("Observation/")) {
            take(result, "display");
        }
    }
    let performers: Vec<Value> = items_of(&report, "performer")
        .iter()
        .map(|performer| performer.get("actor").unwrap_or(performer).clone())
        .collect();
    take(&mut report, "performer");
    append(&mut report, "performer", performers);
    rename(&mut report, "codedDiagnosis", "conclusionCode");
    rename(&mut report, "image", "media");
    report
}

/// Translates a specimen.
pub(super) fn specimen(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut specimen = translation.common(at);
    make_list(&mut specimen, "note");
    specimen
}

/// Translates an immunisation.
pub(super) fn immunisation(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut given = translation.common(at);
    if take(&mut given, "notGiven") == Value::Bool(true) {
        put(&mut given, "status", json!("not-done"));
    }
    rename(&mut given, "date", "occurrenceDateTime");
    for extension in take_extensions(&mut given, "DateRecorded") {
        match extension.get("valueDateTime").cloned() {
            Some(date) if given.get("recorded").is_none() => put(&mut given, "recorded", date),
            _ => append(&mut given, "extension", [extension]),
        }
    }
    let explanation = take(&mut given, "explanation");
    append(&mut given, "reasonCode", items_of(&explanation, "reason").to_vec());
    if let Some(reason) = items_of(&explanation, "reasonNotGiven").first() {
        put(&mut given, "statusReason", reason.clone());
    }
    if let Value::Array(practitioners) = listed(take(&mut given, "practitioner")) {
        for mut practitioner in practitioners {
            rename(&mut practitioner, "role", "function");
            append(&mut given, "performer", [practitioner]);
        }
    }
    if let Value::Array(protocols) = listed(take(&mut given, "vaccinationProtocol")) {
        append(&mut given, "protocolApplied", protocols.into_iter().map(protocol));
    }
    make_list(&mut given, "note");
    given
}

/// Translates which dose of which series it was.
fn protocol(mut protocol: Value) -> Value {
    rename(&mut protocol, "doseSequence", "doseNumberPositiveInt");
    rename(&mut protocol, "seriesDoses", "seriesDosesPositiveInt");
    for (member, name) in [("doseStatus", "dose-status"), ("doseStatusReason", "dose-status-reason")] {
        let value = take(&mut protocol, member);
        if !value.is_null() {
            let extension = json!({"url": format!("urn:lifeboat:{name}"), "valueCodeableConcept": value});
            append(&mut protocol, "extension", [extension]);
        }
    }
    if let Value::String(description) = take(&mut protocol, "description") {
        super::value::extend(&mut protocol, "protocol-description", &description);
    }
    protocol
}

/// Translates a procedure.
pub(super) fn procedure(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut procedure = translation.common(at);
    encounter(&mut procedure);
    if take(&mut procedure, "notDone") == Value::Bool(true) {
        put(&mut procedure, "status", json!("not-done"));
    }
    rename(&mut procedure, "notDoneReason", "statusReason");
    if let Some(performers) = procedure.get_mut("performer").and_then(Value::as_array_mut) {
        performers.iter_mut().for_each(|performer| rename(performer, "role", "function"));
    }
    procedure
}

/// Keeps a resource whose type says the same in FHIR R4.
pub(super) fn same(translation: &mut Translation<'_>, at: usize) -> Value {
    translation.common(at)
}

/// Keeps a resource of a type that FHIR R4 does not have: whole, inside one that it has.
pub(super) fn foreign(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut original = translation.common(at);
    let entry = &translation.response.entries[at];
    let id = take(&mut original, "id");
    let subject = ["subject", "patient"].into_iter().find_map(|name| original.get(name).cloned());
    put(&mut original, "resourceType", json!(entry.kind));
    put(&mut original, "id", json!("original"));
    let mut basic = json!({
        "resourceType": "Basic",
        "id": id,
        "code": {"text": entry.kind},
        "subject": subject
    });
    if let Some(security) = original.get("meta").and_then(|meta| meta.get("security")).cloned() {
        put(&mut basic, "meta", json!({"security": security}));
    }
    // A contained resource holds no others; what it contained stands beside it.
    let inner = take(&mut original, "contained");
    append(&mut basic, "contained", [original]);
    append(&mut basic, "contained", items_of(&json!({"inner": inner}), "inner").to_vec());
    basic
}

/// Translates the patient's details.
pub(super) fn patient(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut patient = translation.common(at);
    for list in
        ["generalPractitioner", "identifier", "name", "telecom", "address", "contact", "communication"]
    {
        make_list(&mut patient, list);
    }
    for spoken in take_extensions(&mut patient, "NHSCommunication") {
        append(&mut patient, "communication", [communication(spoken)]);
    }
    if let Some(members) = members(&mut patient) {
        members.remove("animal");
    }
    patient
}

/// Translates what is known about a language that the patient speaks.
fn communication(spoken: Value) -> Value {
    let mut communication = json!({});
    let (mut mode, mut proficiency) = (Value::Null, Value::Null);
    for part in items_of(&spoken, "extension") {
        let value = super::value::value_of(part).map(|(_, value)| value.clone()).unwrap_or_default();
        match text(part, "url") {
            Some("language") => put(&mut communication, "language", value),
            Some("preferred") => put(&mut communication, "preferred", value),
            Some("interpreterRequired") => {
                let url = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-InterpreterRequired";
                append(&mut communication, "extension", [json!({"url": url, "valueBoolean": value})]);
            }
            Some("modeOfCommunication") => mode = value,
            Some("communicationProficiency") => proficiency = value,
            _ => append(&mut communication, "extension", [part.clone()]),
        }
    }
    for (name, value) in [("mode-of-communication", mode), ("communication-proficiency", proficiency)] {
        if !value.is_null() {
            let extension = json!({"url": format!("urn:lifeboat:{name}"), "valueCodeableConcept": value});
            append(&mut communication, "extension", [extension]);
        }
    }
    communication
}
