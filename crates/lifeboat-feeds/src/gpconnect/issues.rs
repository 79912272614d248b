//! The issues of a course: when it was issued last, how often, and each issue in words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::medication::dose_words;
use super::translation::Translation;
use super::value::{append, extend, extension, items, items_of, listed, put, take, take_extensions, text};
use super::words;

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition";

/// Tells every issue of a course, oldest first, and returns their dates.
///
/// A single issue that repeats what the course says is not told twice.
pub(super) fn tell(translation: &mut Translation<'_>, course: &mut Value, issues: &[usize]) -> Vec<String> {
    let issues: Vec<Value> = issues.iter().map(|at| translation.common(*at)).collect();
    let dates = issues.iter().filter_map(date).map(str::to_owned).collect();
    if let [only] = issues.as_slice()
        && is_told_by(course, only)
    {
        return dates;
    }
    let mut told: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for issue in &issues {
        let key = |date: Option<&str>| date.unwrap_or_default().to_owned();
        *told.entry((key(date(issue)), key(start(issue)), in_words(issue, course))).or_default() += 1;
    }
    for ((_, _, words), times) in told {
        let words = if times > 1 { format!("{words} ({times} times)") } else { words };
        extend(course, "issue", &words);
    }
    dates
}

/// Says whether an issue is the last one that the course names, and has nothing to add.
fn is_told_by(course: &Value, issue: &Value) -> bool {
    let last = extension(course, "LastIssueDate").and_then(|found| text(found, "valueDateTime"));
    last.map(words::day) == date(issue).map(words::day)
        && supply(issue) == supply(course)
        && beyond(issue, course).is_empty()
}

/// Returns an issue in words: its day, what was supplied, and what differs from the course.
fn in_words(issue: &Value, course: &Value) -> String {
    let date = date(issue).map_or_else(|| "Date not recorded".to_owned(), words::day);
    let said: Vec<String> = supply(issue).into_iter().chain(beyond(issue, course)).collect();
    if said.is_empty() { date } else { format!("{date}: {}", said.join(", ")) }
}

/// Returns how much was supplied, and for how long.
fn supply(request: &Value) -> Vec<String> {
    let dispense = request.get("dispenseRequest").unwrap_or(&Value::Null);
    let amounts = ["quantity", "expectedSupplyDuration"].into_iter().filter_map(|name| dispense.get(name));
    let written = items_of(request, "extension").iter().filter(|part| url_of(part).contains("QuantityText"));
    let written = written.filter_map(|part| text(part, "valueString")).map(str::to_owned);
    amounts.filter_map(words::quantity).chain(written).collect()
}

fn url_of(extension: &Value) -> &str {
    text(extension, "url").unwrap_or_default()
}

/// Returns what an issue says that neither its course nor its day and amount say.
fn beyond(issue: &Value, course: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let day = date(issue).map(words::day);
    said.extend(
        start(issue)
            .map(words::day)
            .filter(|start| day.as_ref() != Some(start))
            .map(|start| format!("from {start}")),
    );
    let validity = issue.get("dispenseRequest").and_then(|dispense| dispense.get("validityPeriod"));
    said.extend(
        validity.and_then(|period| text(period, "end")).map(|end| format!("until {}", words::day(end))),
    );
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
    for reason in items_of(issue, "extension").iter().filter(|part| url_of(part).contains("StatusReason")) {
        let parts = items_of(reason, "extension").iter().filter_map(|part| part.get("valueCodeableConcept"));
        said.extend(parts.filter_map(words::concept));
    }
    for who in ["requester", "recorder"] {
        let name = |holder: &Value| {
            let asked = holder.get(who)?;
            text(asked.get("agent").unwrap_or(asked), "display").map(str::to_owned)
        };
        said.extend(name(issue).filter(|own| name(course).as_ref() != Some(own)));
    }
    said
}

/// Returns when a request was made.
pub(super) fn date(request: &Value) -> Option<&str> {
    text(request, "authoredOn").or_else(|| start(request))
}

fn start(request: &Value) -> Option<&str> {
    let validity = request.get("dispenseRequest").and_then(|dispense| dispense.get("validityPeriod"));
    validity.and_then(|validity| text(validity, "start"))
}

/// Rewrites how often a course may be and was issued in the way of UK Core.
pub(super) fn repeat_information(request: &mut Value, issues: usize) {
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
pub(super) fn last_issued(request: &mut Value, dates: Vec<String>) {
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

/// Leaves out on which day the status changed where that is the day on which the course ended.
pub(super) fn drop_repeated_end(request: &mut Value) {
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
