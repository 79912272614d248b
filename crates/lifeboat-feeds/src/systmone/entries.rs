//! Coded entries and the problems among them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::codes::{self, Coded, Kind};
use super::draft::{Draft, number, record_id};
use super::tables::{self, CODE, PROBLEM};
use crate::problem::Reason;
use crate::r4::{CTV3, SNOMED, coding, concept, hl7, notes, quantity};
use crate::rows::{RowRef, UnitRows};

/// What a problem counts for, in the words that records use for it.
const SIGNIFICANCE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-CareConnect-GPC-ProblemSignificance-1";

/// Adds every coded entry that is no allergy, and every problem.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows, coded: &[Coded<'_>]) {
    let mut problems: BTreeMap<&str, Vec<RowRef<'_>>> = BTreeMap::new();
    let mut alone = Vec::new();
    for row in rows.rows(PROBLEM) {
        match number(row, "IDCode") {
            Some(id) if rows.row(CODE, id).is_some() => problems.entry(id).or_default().push(row),
            Some(_) => {
                draft.flaw(PROBLEM, "IDCode", Reason::Unresolved);
                alone.push(row);
            }
            None => alone.push(row),
        }
    }
    let pressures = pressures(coded);
    let lower: BTreeSet<&str> = pressures.values().map(|row| row.key()).collect();
    for (row, kind) in coded.iter().copied() {
        // A problem shows its entry; an allergy that is also a problem is shown as both, and so is a number.
        for problem in problems.get(row.key()).into_iter().flatten() {
            add_problem(draft, *problem, Some(row));
        }
        let has_number = codes::number(row).is_some();
        if kind == Kind::Allergy || lower.contains(row.key()) {
            continue;
        }
        if problems.contains_key(row.key()) && !has_number {
            continue;
        }
        match kind {
            Kind::Family => add_family_history(draft, row),
            Kind::Procedure => add_procedure(draft, row),
            Kind::Result => add_observation(draft, row, Some("laboratory")),
            Kind::Systolic => match pressures.get(row.key()) {
                Some(diastolic) => add_blood_pressure(draft, row, *diastolic),
                None => add_observation(draft, row, Some("vital-signs")),
            },
            Kind::Social => add_observation(draft, row, Some("social-history")),
            Kind::Diastolic => add_observation(draft, row, Some("vital-signs")),
            Kind::Entry | Kind::Allergy => add_observation(draft, row, None),
        }
    }
    alone.into_iter().for_each(|problem| add_problem(draft, problem, None));
}

/// When and by whom a value was taken, as it is written.
type Taken<'r> = (Option<&'r str>, Option<&'r str>, Option<&'r str>);

/// Finds the lower value of each upper one: the only one of the same event and time, if that has one upper value only.
fn pressures<'r>(coded: &[Coded<'r>]) -> BTreeMap<&'r str, RowRef<'r>> {
    let mut taken: BTreeMap<Taken<'_>, (Vec<RowRef<'_>>, Vec<RowRef<'_>>)> = BTreeMap::new();
    for (row, kind) in coded.iter().filter(|(row, _)| codes::number(*row).is_some()) {
        let at = (row.text("DateEvent"), number(*row, "IDEvent"), row.text("IDDoneBy"));
        match kind {
            Kind::Systolic if at.0.is_some() => taken.entry(at).or_default().0.push(*row),
            Kind::Diastolic if at.0.is_some() => taken.entry(at).or_default().1.push(*row),
            _ => {}
        }
    }
    let pairs = taken.into_values().filter_map(|(upper, lower)| match (&upper[..], &lower[..]) {
        ([upper], [lower]) => Some((upper.key(), *lower)),
        _ => None,
    });
    pairs.collect()
}

/// Returns the codes and the words of an entry.
pub(super) fn words(row: RowRef<'_>) -> Value {
    let mut codings = Vec::new();
    codings.extend(row.text("SNOMEDCode").map(|code| coding(SNOMED, code, row.text("SNOMEDText"))));
    codings.extend(row.text("CTV3Code").map(|code| coding(CTV3, code, row.text("CTV3Text"))));
    concept(codings, Some(&term(row)))
}

/// Returns the words of an entry, or its code.
pub(super) fn term(row: RowRef<'_>) -> String {
    let written = row.text("SNOMEDText").or(row.text("CTV3Text")).map(str::to_owned);
    written.unwrap_or_else(|| match row.text("CTV3Code").or(row.text("SNOMEDCode")) {
        Some(code) => format!("Code {code} (name not in extract)"),
        None => "Entry without a code".to_owned(),
    })
}

/// Returns the code of a problem without its entry; such a row has no words, so they are looked up.
fn words_of_problem(draft: &Draft<'_>, problem: RowRef<'_>) -> Value {
    let code = problem.text("CTV3Code");
    let name = code.and_then(|code| draft.shared(tables::CTV3, code)).and_then(|row| row.text("Ctv3Text"));
    match (code, name) {
        (Some(code), Some(name)) => concept(vec![coding(CTV3, code, Some(name))], Some(name)),
        _ => words(problem),
    }
}

/// Returns what kind of episode an entry belongs to, where that says anything.
pub(super) fn episode(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<String> {
    let words = draft.words(CODE, row, "EpisodeType")?;
    let says_nothing =
        ["none", "unknown", "not specified"].iter().any(|word| words.eq_ignore_ascii_case(word));
    (!says_nothing).then(|| format!("Episode: {words}"))
}

/// Returns the value of an entry in words.
pub(super) fn value_text(row: RowRef<'_>) -> Option<String> {
    let value = codes::number(row)?;
    let parts =
        [row.text("NumericComparator").filter(|word| *word != "="), Some(value), row.text("NumericUnit")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn add_problem(draft: &mut Draft<'_>, problem: RowRef<'_>, code: Option<RowRef<'_>>) {
    let when = draft.when(PROBLEM, problem, "DateEvent");
    let of_code = code.map(|code| draft.when(CODE, code, "DateEvent")).unwrap_or_default();
    let recorded = draft.when(PROBLEM, problem, "DateEventRecorded");
    let ended = draft.when(PROBLEM, problem, "DateEnd");
    let value = code.and_then(value_text).map(|text| format!("Value: {text}"));
    let episode = code.and_then(|code| episode(draft, code));
    let severity = draft.words(PROBLEM, problem, "Severity").map(|text| {
        // What the view of problems sorts by is one of two words; others are shown as they are.
        let known = ["major", "minor"].into_iter().find(|known| text.eq_ignore_ascii_case(known));
        match known {
            Some(known) => json!([{"url": SIGNIFICANCE, "valueCode": known}]),
            None => json!([{"url": SIGNIFICANCE, "valueString": text}]),
        }
    });
    let unread = [&when, &of_code, &recorded, &ended].map(|when| when.unread.as_deref());
    let resource = json!({
        "resourceType": "Condition",
        "id": record_id("problem", problem),
        "extension": severity,
        "clinicalStatus": hl7("condition-clinical", if ended.fhir.is_some() { "resolved" } else { "active" }),
        "category": [hl7("condition-category", "problem-list-item")],
        "code": code.map_or_else(|| words_of_problem(draft, problem), words),
        "subject": draft.document.subject(),
        "onsetDateTime": when.fhir.clone().or(of_code.fhir.clone()),
        "abatementDateTime": ended.fhir,
        "recordedDate": recorded.fhir,
        "recorder": draft.recorded_by(problem),
        "note": notes([value.as_deref(), episode.as_deref()].into_iter().chain(unread))
    });
    draft.document.push(resource);
}

fn add_family_history(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(CODE, row, "DateEvent");
    let value = value_text(row).map(|text| format!("Value: {text}"));
    let resource = json!({
        "resourceType": "FamilyMemberHistory",
        "id": record_id("code", row),
        "status": "completed",
        "patient": draft.document.subject(),
        "date": when.fhir,
        "relationship": {"text": "Not stated"},
        "condition": [{"code": words(row)}],
        "note": notes([value.as_deref(), when.unread.as_deref()])
    });
    draft.document.push(resource);
}

fn add_procedure(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(CODE, row, "DateEvent");
    let value = value_text(row).map(|text| format!("Value: {text}"));
    let episode = episode(draft, row);
    let resource = json!({
        "resourceType": "Procedure",
        "id": record_id("code", row),
        "status": "completed",
        "code": words(row),
        "subject": draft.document.subject(),
        "performedDateTime": when.fhir,
        "performer": draft.done_by(row).map(|who| [json!({"actor": who})]),
        "note": notes([value.as_deref(), episode.as_deref(), when.unread.as_deref()])
    });
    draft.document.push(resource);
}

/// Returns the members of an observation that holds the number of a row, or the number as text where it is none.
fn value(row: RowRef<'_>) -> Value {
    let Some(number) = codes::number(row) else { return json!({}) };
    match (quantity(number, row.text("NumericUnit")), row.text("NumericComparator")) {
        (Some(value), None | Some("=")) => json!({"valueQuantity": value}),
        (Some(mut value), Some(comparator @ ("<" | "<=" | ">" | ">="))) => {
            value["comparator"] = comparator.into();
            json!({"valueQuantity": value})
        }
        _ => json!({"valueString": value_text(row)}),
    }
}

fn add_observation(draft: &mut Draft<'_>, row: RowRef<'_>, category: Option<&str>) {
    let when = draft.when(CODE, row, "DateEvent");
    let recorded = draft.when(CODE, row, "DateEventRecorded");
    let episode = episode(draft, row);
    let mut resource = json!({
        "resourceType": "Observation",
        "id": record_id("code", row),
        "status": "final",
        "category": category.map(|code| [hl7("observation-category", code)]),
        "code": words(row),
        "subject": draft.document.subject(),
        "effectiveDateTime": when.fhir,
        "issued": recorded.fhir,
        "performer": draft.done_by(row).map(|who| [who]),
        "note": notes([episode.as_deref(), when.unread.as_deref(), recorded.unread.as_deref()])
    });
    if let (Some(resource), Value::Object(value)) = (resource.as_object_mut(), value(row)) {
        resource.extend(value);
    }
    draft.document.push(resource);
}

/// Adds a blood pressure of two entries that were made together.
fn add_blood_pressure(draft: &mut Draft<'_>, systolic: RowRef<'_>, diastolic: RowRef<'_>) {
    let when = draft.when(CODE, systolic, "DateEvent");
    let recorded = draft.when(CODE, systolic, "DateEventRecorded");
    let episode = episode(draft, systolic);
    let component = |row: RowRef<'_>| {
        let mut component = value(row);
        component["code"] = words(row);
        component
    };
    let components = [component(systolic), component(diastolic)];
    let code = concept(vec![coding(SNOMED, "75367002", Some("Blood pressure"))], Some("Blood pressure"));
    let resource = json!({
        "resourceType": "Observation",
        "id": record_id("code", systolic),
        "identifier": [{"value": record_id("code", diastolic)}],
        "status": "final",
        "category": [hl7("observation-category", "vital-signs")],
        "code": code,
        "subject": draft.document.subject(),
        "effectiveDateTime": when.fhir,
        "issued": recorded.fhir,
        "performer": draft.done_by(systolic).map(|who| [who]),
        "component": components,
        "note": notes([episode.as_deref(), when.unread.as_deref(), recorded.unread.as_deref()])
    });
    draft.document.push(resource);
}
