//! Medication: a statement, the authorisation it rests on and the issues of it become one prescription.
//!
//! The record shows a course once, with how often and when last it was issued; every single issue is kept
//! beside it in words. An issue, or an authorisation, that nothing links to a course stands alone, so that none is lost.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::common;
use super::response::Response;
use super::translation::Translation;
use super::value::{
    append, extend, extension, has_code, items, items_of, listed, make_list, note, put, rename, take,
    take_extensions, text,
};
use super::words;
use crate::r4;

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition";

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
        let (Some(first), extra) =
            (course.plan.or(course.statement).or(course.issues.first().copied()), &course)
        else {
            continue;
        };
        let resource = match (extra.plan, extra.statement) {
            (None, Some(statement)) if extra.issues.is_empty() => alone(translation, statement),
            _ => prescription(translation, &course, first),
        };
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
    last_issued(&mut statement, Vec::new());
    statement
}

/// Translates a course that has an authorisation, or an issue.
fn prescription(translation: &mut Translation<'_>, course: &Course, first: usize) -> Value {
    let mut request = request(translation, first);
    let mut last_dates: Vec<String> = Vec::new();
    if let Some(at) = course.statement.filter(|at| *at != first) {
        let statement = translation.common(at);
        merge_statement(&mut request, statement);
    }
    let issues: Vec<usize> = course.issues.iter().copied().filter(|at| *at != first).collect();
    let mut told: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for at in &issues {
        let issue = translation.common(*at);
        let date = issue_date(&issue).unwrap_or_default().to_owned();
        let start = issue_start(&issue).unwrap_or_default().to_owned();
        last_dates.push(date.clone());
        *told.entry((date, start, issue_words(&issue, &request))).or_default() += 1;
    }
    let only = issues.first().filter(|_| issues.len() == 1).copied();
    let said_by_course = only.is_some_and(|at| {
        let issue = translation.common(at);
        let last = extension(&request, "LastIssueDate").and_then(|found| text(found, "valueDateTime"));
        let supply =
            |holder: &Value, name: &str| holder["dispenseRequest"].get(name).and_then(words::quantity);
        let same = |name: &str| supply(&issue, name) == supply(&request, name);
        let ends = issue["dispenseRequest"]["validityPeriod"].get("end").is_some();
        let plain = issue_words(&issue, &request).matches(':').count() <= 1 && !ends;
        plain
            && same("quantity")
            && same("expectedSupplyDuration")
            && last.map(words::day) == issue_date(&issue).map(words::day)
    });
    for ((_, _, words), times) in told.into_iter().filter(|_| !said_by_course) {
        let words = if times > 1 { format!("{words} ({times} times)") } else { words };
        extend(&mut request, "issue", &words);
    }
    if course.plan.is_none() {
        last_dates.extend(issue_date(&request).map(str::to_owned));
    }
    drop_repeated_end(&mut request);
    let count = if course.plan.is_none() { course.issues.len() } else { issues.len() };
    repeat_information(&mut request, count);
    last_issued(&mut request, last_dates);
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
    let mut medicine = common::translate(response, found, &mut Vec::new());
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

/// Leaves out on which day the status changed where that is the day on which the course ended.
fn drop_repeated_end(request: &mut Value) {
    let end = request["dispenseRequest"]["validityPeriod"].get("end").and_then(Value::as_str).map(words::day);
    for mut reason in take_extensions(request, "MedicationStatusReason") {
        let is_end = |part: &Value| {
            text(part, "url") == Some("statusChangeDate")
                && text(part, "valueDateTime").map(words::day) == end
        };
        let parts = listed(take(&mut reason, "extension"));
        let kept: Vec<Value> =
            items(&parts).iter().filter(|part| end.is_none() || !is_end(part)).cloned().collect();
        if !kept.is_empty() {
            put(&mut reason, "extension", Value::Array(kept));
            append(request, "extension", [reason]);
        }
    }
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

fn dose_words(dose: &Value) -> Option<String> {
    let parts = ["text", "patientInstruction"].into_iter().filter_map(|name| text(dose, name));
    let words = parts.collect::<Vec<_>>().join("; ");
    (!words.is_empty()).then_some(words)
}

fn issue_date(issue: &Value) -> Option<&str> {
    text(issue, "authoredOn").or_else(|| issue_start(issue))
}

fn issue_start(issue: &Value) -> Option<&str> {
    let validity = issue.get("dispenseRequest").and_then(|dispense| dispense.get("validityPeriod"));
    validity.and_then(|validity| text(validity, "start"))
}

/// Returns an issue in words: its day, quantity, and what differs from the course.
fn issue_words(issue: &Value, course: &Value) -> String {
    let date = issue_date(issue).map_or_else(|| "Date not recorded".to_owned(), words::day);
    let mut said = Vec::new();
    let start = issue_start(issue).map(words::day);
    said.extend(start.filter(|start| *start != date).map(|start| format!("from {start}")));
    let dispense = issue.get("dispenseRequest").unwrap_or(&Value::Null);
    said.extend(dispense.get("quantity").and_then(words::quantity));
    said.extend(dispense.get("expectedSupplyDuration").and_then(words::quantity));
    if let Some(end) = dispense.get("validityPeriod").and_then(|period| text(period, "end")) {
        said.push(format!("until {}", words::day(end)));
    }
    let doses = |holder: &Value| {
        items_of(holder, "dosageInstruction").iter().filter_map(dose_words).collect::<Vec<_>>()
    };
    if doses(issue) != doses(course) {
        said.extend(doses(issue));
    }
    let known: Vec<&str> = words::notes(course).collect();
    said.extend(words::notes(issue).filter(|text| !known.contains(text)).map(str::to_owned));
    let status = text(issue, "status").filter(|status| !matches!(*status, "active" | "completed"));
    said.extend(status.map(|status| format!("status {status}")));
    for reason in items_of(issue, "extension")
        .iter()
        .filter(|part| text(part, "url").is_some_and(|url| url.contains("StatusReason")))
    {
        let parts = items_of(reason, "extension").iter().filter_map(|part| part.get("valueCodeableConcept"));
        said.extend(parts.filter_map(words::concept));
    }
    for who in ["requester", "recorder"] {
        let agent = issue.get(who).map(|asked| asked.get("agent").unwrap_or(asked));
        let of_course = course.get(who).map(|asked| asked.get("agent").unwrap_or(asked));
        let name = agent.and_then(|agent| text(agent, "display"));
        said.extend(
            name.filter(|name| of_course.and_then(|agent| text(agent, "display")) != Some(name))
                .map(str::to_owned),
        );
    }
    if said.is_empty() { date } else { format!("{date}: {}", said.join(", ")) }
}

/// Rewrites how often a course may be and was issued in the way of UK Core.
fn repeat_information(request: &mut Value, issues: usize) {
    let mut parts = Vec::new();
    let mut issued = None;
    for information in take_extensions(request, "MedicationRepeatInformation") {
        for part in items_of(&information, "extension") {
            let number = super::value::value_of(part).map(|(_, value)| value.clone()).unwrap_or_default();
            match text(part, "url") {
                Some("numberOfRepeatPrescriptionsIssued" | "numberOfPrescriptionsIssued") => {
                    issued = Some(number)
                }
                Some("numberOfRepeatPrescriptionsAllowed" | "numberOfPrescriptionsAllowed")
                    if number.is_number() =>
                {
                    let mut dispense = take(request, "dispenseRequest");
                    if !dispense.is_object() {
                        dispense = json!({});
                    }
                    put(&mut dispense, "numberOfRepeatsAllowed", number);
                    put(request, "dispenseRequest", dispense);
                }
                _ => parts.push(part.clone()),
            }
        }
    }
    let counted = (issues > 0).then(|| json!(issues));
    if let Some(number) = issued.or(counted) {
        parts.insert(0, json!({"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": number}));
    }
    let url = format!("{UK_CORE}/Extension-UKCore-MedicationRepeatInformation");
    append(request, "extension", (!parts.is_empty()).then(|| json!({"url": url, "extension": parts})));
}

/// Says when a course was issued last: as the source says, or by its issues.
fn last_issued(request: &mut Value, dates: Vec<String>) {
    let mut said = None;
    for extension in take_extensions(request, "LastIssueDate") {
        said = said.or_else(|| text(&extension, "valueDateTime").map(str::to_owned));
    }
    let newest = dates.into_iter().filter(|date| !date.is_empty()).max();
    if let Some(date) = said.or(newest) {
        let url = format!("{UK_CORE}/Extension-UKCore-MedicationPrescribingLastIssuedDate");
        append(request, "extension", [json!({"url": url, "valueDateTime": date})]);
    }
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
