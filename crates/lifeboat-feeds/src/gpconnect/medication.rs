//! Medication: a statement, the authorisation it rests on and the issues of it become one prescription.
//!
//! The record shows a course once, with how often and when last it was issued; every single issue is kept
//! beside it in words. An issue, or an authorisation, that nothing links to a course stands alone, so that none is lost.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::issues;
use super::response::Response;
use super::shapes;
use super::translation::{Translation, is_confidential};
use super::value::{
    append, extend, extension, has_code, items, items_of, listed, make_list, note, put, rename, take,
    take_extensions, text,
};
use super::words;
use crate::r4;

/// One course: places of what it is made of.
#[derive(Default)]
struct Course {
    statement: Option<usize>,
    plan: Option<usize>,
    issues: Vec<usize>,
}

/// Translates all medication of a response.
pub(super) fn translate(translation: &mut Translation<'_>, wanted: &dyn Fn(usize) -> bool) {
    for course in courses(translation.response, wanted) {
        let parts =
            [course.plan, course.statement].into_iter().flatten().chain(course.issues.iter().copied());
        let parts: Vec<usize> = parts.collect();
        let Some(first) = parts.first().copied() else { continue };
        let mut resource = match (course.plan, course.statement) {
            (None, Some(statement)) => alone(translation, statement),
            _ => prescription(translation, &course, first),
        };
        // What is said of one part of a course as confidential holds for all of it.
        let is_marked = |at: &usize| is_confidential(&translation.response.entries[*at].resource);
        if let Some(marked) = parts.iter().copied().find(is_marked) {
            let meta = &translation.response.entries[marked].resource["meta"];
            put(&mut resource, "meta", json!({"security": meta["security"]}));
        }
        translation.push(first, resource);
    }
}

/// Puts together what belongs to one course, in the order of the source.
fn courses(response: &Response, wanted: &dyn Fn(usize) -> bool) -> Vec<Course> {
    let intent = |at: usize| text(&response.entries[at].resource, "intent");
    let based_on = |at: usize| {
        let references = items_of(&response.entries[at].resource, "basedOn");
        references.iter().find_map(|reference| {
            let (found, entry) = response.target(reference, at)?;
            (entry.kind == "MedicationRequest" && found != at).then_some(found)
        })
    };
    let requests: Vec<usize> =
        response.of_kind("MedicationRequest").map(|(at, _)| at).filter(|at| wanted(*at)).collect();
    let mut courses: Vec<Course> = Vec::new();
    let mut of_plan: HashMap<usize, usize> = HashMap::new();
    for at in requests.iter().copied().filter(|at| intent(*at) == Some("plan")) {
        of_plan.insert(at, courses.len());
        courses.push(Course { plan: Some(at), ..Course::default() });
    }
    for (at, _) in response.of_kind("MedicationStatement").filter(|(at, _)| wanted(*at)) {
        let course = based_on(at).and_then(|plan| of_plan.get(&plan)).copied();
        match course.filter(|course| courses[*course].statement.is_none()) {
            Some(course) => courses[course].statement = Some(at),
            None => courses.push(Course { statement: Some(at), ..Course::default() }),
        }
    }
    for at in requests.into_iter().filter(|at| intent(*at) != Some("plan")) {
        match based_on(at).and_then(|plan| of_plan.get(&plan)).copied() {
            Some(course) if intent(at) == Some("order") => courses[course].issues.push(at),
            _ => courses.push(Course { issues: vec![at], ..Course::default() }),
        }
    }
    courses
}

/// Translates a statement that no authorisation stands behind.
fn alone(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut statement = translation.common(at);
    name_medicine(translation.response, at, &mut statement);
    let taken = take(&mut statement, "taken");
    match taken.as_str() {
        Some("n") => put(&mut statement, "status", json!("not-taken")),
        Some("unk") | None => {}
        Some(other) => extend(&mut statement, "taken", other),
    }
    for list in ["note", "dosage", "basedOn", "reasonCode"] {
        make_list(&mut statement, list);
    }
    tell_agency(&mut statement);
    issues::last_issued(&mut statement, Vec::new());
    statement
}

/// Translates a course that has an authorisation, or an issue.
fn prescription(translation: &mut Translation<'_>, course: &Course, first: usize) -> Value {
    let mut request = request(translation, first);
    if let Some(at) = course.statement.filter(|at| *at != first) {
        let statement = translation.common(at);
        merge_statement(&mut request, statement);
    }
    let others: Vec<usize> = course.issues.iter().copied().filter(|at| *at != first).collect();
    let mut dates = issues::tell(translation, &mut request, &others);
    if course.plan.is_none() {
        dates.extend(issues::date(&request).map(str::to_owned));
    }
    issues::drop_repeated_end(&mut request);
    issues::repeat_information(&mut request, course.issues.len());
    issues::last_issued(&mut request, dates);
    tell_agency(&mut request);
    request
}

/// Translates a request, whether it authorises or issues.
fn request(translation: &mut Translation<'_>, at: usize) -> Value {
    let mut request = translation.common(at);
    put(&mut request, "resourceType", json!("MedicationRequest"));
    name_medicine(translation.response, at, &mut request);
    rename(&mut request, "context", "encounter");
    if matches!(text(&request, "intent"), Some("plan") | None) {
        put(&mut request, "intent", json!("order"));
    }
    let asked = take(&mut request, "requester");
    put(&mut request, "requester", asked.get("agent").cloned().unwrap_or(asked));
    rename(&mut request, "dosage", "dosageInstruction");
    for list in ["note", "dosageInstruction", "category", "basedOn", "reasonCode"] {
        make_list(&mut request, list);
    }
    // The course of therapy is what the prescription's type says.
    for kind in take_extensions(&mut request, "PrescriptionType") {
        let concept = kind.get("valueCodeableConcept").cloned().unwrap_or_default();
        put(&mut request, "courseOfTherapyType", course_of_therapy(concept));
    }
    for reason in take_extensions(&mut request, "MedicationStatusReason") {
        status_reason(&mut request, &reason);
    }
    if let Some(allowed) =
        request.get_mut("substitution").map(|part| take(part, "allowed")).filter(Value::is_boolean)
    {
        put(&mut request, "substitution", json!({"allowedBoolean": allowed}));
    }
    dispense(&mut request);
    request
}

/// Writes the medicine into what is about it.
fn name_medicine(response: &Response, at: usize, resource: &mut Value) {
    let source = &response.entries[at].resource;
    let Some((found, medicine)) =
        source.get("medicationReference").and_then(|reference| response.target(reference, at))
    else {
        return;
    };
    if medicine.kind != "Medication" {
        return;
    }
    // What the medicine's resource says is told here; problems with it are those of the resource itself.
    let mut medicine = shapes::translate(response, found, &mut Vec::new());
    let mut code = take(&mut medicine, "code");
    if code.is_null() {
        code = json!({"text": words::name(response, found)});
    }
    let degraded = code.clone();
    take(resource, "medicationReference");
    put(resource, "medicationCodeableConcept", code);
    super::clinical::note_degraded(resource, &degraded);
    for telling in ["form", "ingredient", "package", "manufacturer", "isBrand", "isOverTheCounter"] {
        let value = take(&mut medicine, telling);
        if !value.is_null() {
            append(
                resource,
                "contained",
                [json!({
                    "resourceType": "Medication", "id": format!("medicine-{}", telling.to_lowercase()), telling: value
                })],
            );
        }
    }
}

fn course_of_therapy(kind: Value) -> Value {
    let course = [
        ("repeat-dispensing", "continuous-repeat-dispensing", "Continuous long term (repeat dispensing)"),
        ("repeat", "continuous", "Continuous long term therapy"),
        ("acute", "acute", "Short course (acute) therapy"),
    ]
    .into_iter()
    .find(|(code, _, _)| has_code(&kind, code));
    match course {
        Some((_, code, display)) => json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy",
            "code": code,
            "display": display
        }]}),
        None => kind,
    }
}

fn status_reason(request: &mut Value, reason: &Value) {
    let mut kept = Vec::new();
    for part in items_of(reason, "extension") {
        match (text(part, "url"), part.get("valueCodeableConcept")) {
            (Some("statusReason"), Some(concept)) if request.get("statusReason").is_none() => {
                put(request, "statusReason", concept.clone());
            }
            _ => kept.push(part.clone()),
        }
    }
    let url = reason.get("url").cloned();
    append(request, "extension", (!kept.is_empty()).then(|| json!({"url": url, "extension": kept})));
}

/// Mends what a request says about the supply, and brings the quantity's text to where it is seen.
fn dispense(request: &mut Value) {
    let mut texts = Vec::new();
    if let Some(dispense) = request.get_mut("dispenseRequest") {
        if let Some(duration) = dispense.get_mut("expectedSupplyDuration") {
            let code = duration.get("code").map(items).and_then(<[Value]>::first).cloned();
            put(duration, "code", code.unwrap_or_default());
        }
        if let Some(quantity) = dispense.get_mut("quantity") {
            texts = take_extensions(quantity, "QuantityText");
        }
    }
    let shown = request["dispenseRequest"].get("quantity").and_then(words::quantity);
    texts.retain(|written| {
        text(written, "valueString").is_some_and(|written| shown.as_deref() != Some(written))
    });
    append(request, "extension", texts);
}

/// Adds what the statement says beyond the authorisation.
fn merge_statement(request: &mut Value, mut statement: Value) {
    let own = text(request, "status").map(str::to_owned);
    if let Some(status) = text(&statement, "status").map(str::to_owned) {
        if let Some(own) = own.filter(|own| *own != status) {
            extend(request, "status-of-authorisation", &own);
        }
        let status = if status == "intended" { "active" } else { &status };
        put(request, "status", json!(status));
    }
    match text(&statement, "taken") {
        Some("n") => note(request, "The source states that the patient does not take this."),
        Some("unk" | "y") | None => {}
        Some(other) => extend(request, "taken", other),
    }
    merge_dates(request, &statement);
    let doses: Vec<String> = items_of(request, "dosageInstruction").iter().filter_map(dose_words).collect();
    for dose in items_of(&statement, "dosage") {
        match dose_words(dose) {
            Some(words) if doses.is_empty() => {
                let _ = words;
                append(request, "dosageInstruction", [dose.clone()]);
            }
            Some(words) if !doses.contains(&words) => extend(request, "dosage-of-statement", &words),
            _ => {}
        }
    }
    for text in words::notes(&statement) {
        note(request, text);
    }
    for list in ["extension", "identifier", "category", "reasonCode", "reasonReference", "contained"] {
        let Value::Array(more) = listed(take(&mut statement, list)) else { continue };
        let known = items_of(request, list).to_vec();
        append(request, list, more.into_iter().filter(|one| !known.contains(one)));
    }
    for (from, to) in [
        ("medicationCodeableConcept", "medicationCodeableConcept"),
        ("context", "encounter"),
        ("informationSource", "reportedReference"),
        ("derivedFrom", "supportingInformation"),
        ("subject", "subject"),
    ] {
        if request.get(to).is_none()
            && request.get("medicationReference").is_none_or(|_| to != "medicationCodeableConcept")
        {
            let value = take(&mut statement, from);
            put(request, to, value);
        }
    }
}

/// Takes dates from the statement that the authorisation does not give; others are kept beside it.
fn merge_dates(request: &mut Value, statement: &Value) {
    let date = |text: &str| text.get(..10).unwrap_or(text).to_owned();
    let period = statement.get("effectivePeriod");
    let said = |name: &str| period.and_then(|period| text(period, name));
    let began = said("start").or_else(|| text(statement, "effectiveDateTime"));
    for (name, said) in [("start", began), ("end", said("end"))] {
        let Some(said) = said else { continue };
        let own = request["dispenseRequest"]["validityPeriod"][name].as_str().map(str::to_owned);
        match own {
            None => {
                let mut dispense = take(request, "dispenseRequest");
                if !dispense.is_object() {
                    dispense = json!({});
                }
                let mut validity = take(&mut dispense, "validityPeriod");
                if !validity.is_object() {
                    validity = json!({});
                }
                put(&mut validity, name, json!(said));
                put(&mut dispense, "validityPeriod", validity);
                put(request, "dispenseRequest", dispense);
            }
            Some(own) if date(&own) != date(said) => {
                extend(request, &format!("{name}-of-statement"), &words::day(said));
            }
            Some(_) => {}
        }
    }
    if let Some(asserted) = text(statement, "dateAsserted") {
        match text(request, "authoredOn").map(date) {
            None => put(request, "authoredOn", json!(asserted)),
            Some(own) if own != date(asserted) => extend(request, "date-asserted", &words::day(asserted)),
            Some(_) => {}
        }
    }
}

/// Returns a dose in words, whatever parts it is told in.
pub(super) fn dose_words(dose: &Value) -> Option<String> {
    let parts = ["text", "patientInstruction"].into_iter().filter_map(|name| text(dose, name));
    let words = parts.collect::<Vec<_>>().join("; ");
    (!words.is_empty()).then_some(words)
}

/// Says that a medicine was prescribed elsewhere; that the practice prescribed it goes without saying.
fn tell_agency(request: &mut Value) {
    let Some(agency) = extension(request, "PrescribingAgency").cloned() else { return };
    let concept = agency.get("valueCodeableConcept").cloned().unwrap_or_default();
    take_extensions(request, "PrescribingAgency");
    if has_code(&concept, "prescribed-at-gp-practice") {
        return;
    }
    let who = words::concept(&concept).unwrap_or_else(|| "prescriber not stated".to_owned());
    append(request, "extension", [agency]);
    let Value::Array(notes) = r4::notes([Some(format!("PRESCRIBED ELSEWHERE: {who}").as_str())]) else {
        return;
    };
    let rest = items_of(request, "note").to_vec();
    put(request, "note", Value::Array(notes.into_iter().chain(rest).collect()));
}
