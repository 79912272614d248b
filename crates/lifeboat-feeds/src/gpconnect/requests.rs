//! Referrals, recalls, test requests, letters, questionnaires, appointments.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::response::Response;
use super::translation::Translation;
use super::value::{append, items_of, listed, make_list, note, put, rename, take, text};
use super::{clinical, words};

/// Turns a status of an STU3 request into one of R4.
fn status(request: &mut Value) {
    let status = match text(request, "status") {
        Some("cancelled") => "revoked",
        Some("suspended") => "on-hold",
        _ => return,
    };
    put(request, "status", json!(status));
}

/// Makes a requester of an agent and of whom they acted for.
fn requester(request: &mut Value) {
    let asked = take(request, "requester");
    let agent = asked.get("agent").cloned();
    let Some(mut agent) = agent else {
        return put(request, "requester", asked);
    };
    let behalf = asked.get("onBehalfOf").and_then(|other| text(other, "display"));
    if let (Some(name), Some(behalf)) = (text(&agent, "display").map(str::to_owned), behalf)
        && name != behalf
    {
        put(&mut agent, "display", json!(format!("{name}, {behalf}")));
    }
    put(request, "requester", agent);
}

/// Translates a referral.
pub(super) fn referral(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut referral = translation.common(at);
    status(&mut referral);
    requester(&mut referral);
    rename(&mut referral, "context", "encounter");
    make_list(&mut referral, "note");
    let kind = take(&mut referral, "type");
    append(&mut referral, "category", [kind]);
    if let Value::String(description) = take(&mut referral, "description") {
        note(&mut referral, &description);
    }
    code_of_referral(&mut referral);
    if let Value::Array(recipients) = listed(take(&mut referral, "recipient")) {
        append(&mut referral, "performer", recipients);
    }
    rename(&mut referral, "specialty", "performerType");
    if referral.get("performerType").is_some_and(Value::is_array) {
        let mut specialties = items_of(&referral, "performerType").to_vec().into_iter();
        put(&mut referral, "performerType", specialties.next().unwrap_or_default());
        for other in specialties {
            let extension = json!({"url": "urn:lifeboat:specialty", "valueCodeableConcept": other});
            append(&mut referral, "extension", [extension]);
        }
    }
    keep_reach(translation, at, &mut referral);
    referral
}

/// Gives a referral its name: what was asked for, or else the reason, which GP systems use for it.
fn code_of_referral(referral: &mut Value) {
    for source in ["serviceRequested", "reasonCode"] {
        let Value::Array(mut concepts) = listed(take(referral, source)) else { continue };
        if referral.get("code").is_none() && !concepts.is_empty() {
            let code = concepts.remove(0);
            clinical::note_degraded(referral, &code);
            put(referral, "code", code);
        }
        let kept = if source == "reasonCode" { source } else { "orderDetail" };
        append(referral, kept, concepts);
    }
}

/// Keeps how the recipients of a referral are reached.
fn keep_reach(translation: &Translation<'_>, at: usize, referral: &mut Value) {
    let response = translation.response;
    for recipient in items_of(&response.entries[at].resource, "recipient") {
        let Some((_, entry)) = response.target(recipient, at) else { continue };
        let name = words::name(response, response.target(recipient, at).map_or(at, |(at, _)| at));
        for contact in items_of(&entry.resource, "telecom") {
            if let Some(value) = text(contact, "value") {
                let name = name.as_deref().unwrap_or("Recipient");
                let system = text(contact, "system").unwrap_or("contact");
                super::value::extend(referral, "recipient-contact", &format!("{name}: {system} {value}"));
            }
        }
    }
}

/// Translates a diary entry, or a request for a test.
pub(super) fn procedure_request(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut request = translation.common(at);
    status(&mut request);
    requester(&mut request);
    rename(&mut request, "context", "encounter");
    for list in ["note", "performer", "category", "reasonCode", "reasonReference", "bodySite"] {
        make_list(&mut request, list);
    }
    let code = request.get("code").cloned().unwrap_or_default();
    clinical::note_degraded(&mut request, &code);
    if text(&request, "intent") == Some("order") && request.get("category").is_none() {
        let category = json!({"coding": [{
            "system": "http://snomed.info/sct",
            "code": "108252007",
            "display": "Laboratory procedure"
        }]});
        append(&mut request, "category", [category]);
    }
    request
}

/// Concludes a request whose report has come; sources leave these active.
pub(super) fn conclude(request: &mut Value) {
    if text(request, "status") == Some("active") {
        put(request, "status", json!("completed"));
        note(request, "The report on this request is among the results; the source still has it as active.");
    }
}

/// Returns the requests on which there is a report.
pub(super) fn reported(response: &Response) -> HashSet<usize> {
    let reports = response.of_kind("DiagnosticReport");
    reports
        .flat_map(|(at, report)| {
            items_of(&report.resource, "basedOn").iter().map(move |request| (at, request))
        })
        .filter_map(|(at, request)| response.target(request, at).map(|(found, _)| found))
        .collect()
}

/// Translates a letter or another document.
pub(super) fn document_reference(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut document = translation.common(at);
    let class = take(&mut document, "class");
    append(&mut document, "category", [class]);
    let indexed = take(&mut document, "indexed");
    let created = take(&mut document, "created");
    if created.is_null() {
        put(&mut document, "date", indexed);
    } else {
        let is_same = created == indexed;
        put(&mut document, "date", created);
        if !indexed.is_null() && !is_same {
            let extension = json!({"url": "urn:lifeboat:indexed", "valueDateTime": indexed});
            append(&mut document, "extension", [extension]);
        }
    }
    if let Some(context) = document.get_mut("context") {
        make_list(context, "encounter");
    }
    make_list(&mut document, "author");
    make_list(&mut document, "content");
    document
}

/// Translates the answers to a questionnaire.
pub(super) fn questionnaire_response(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut answers = translation.common(at);
    rename(&mut answers, "parent", "partOf");
    rename(&mut answers, "context", "encounter");
    make_list(&mut answers, "partOf");
    if let Some(display) =
        answers.get("questionnaire").and_then(|asked| text(asked, "display")).map(str::to_owned)
    {
        put(&mut answers, "questionnaire", json!(display));
    }
    answers
}

/// Translates an appointment.
pub(super) fn appointment(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut appointment = translation.common(at);
    make_list(&mut appointment, "serviceCategory");
    rename(&mut appointment, "reason", "reasonCode");
    make_list(&mut appointment, "reasonCode");
    rename(&mut appointment, "indication", "reasonReference");
    rename(&mut appointment, "incomingReferral", "basedOn");
    if let Some(contained) = appointment.get_mut("contained").and_then(Value::as_array_mut) {
        contained.iter_mut().for_each(|inner| drop(take(inner, "meta")));
    }
    appointment
}
