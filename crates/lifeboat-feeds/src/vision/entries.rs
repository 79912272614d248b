//! Everything of the journal that is no prescription, and encounters and referrals.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::patient::{Draft, When, fhir_id, status};
use super::tables::{ENCOUNTER, JOURNAL, REFERRAL};
use crate::r4::{DMD, READ2, SNOMED, coding, concept, hl7, named, quantity};
use crate::rows::{RowRef, UnitRows};

/// Returns the id of the resource that a row becomes.
pub(super) fn record_id(row: RowRef<'_>) -> String {
    fhir_id(&format!("vision-{}", row.text("ID").unwrap_or(row.key())))
}

/// Returns the codes of a journal row.
pub(super) fn codings(row: RowRef<'_>) -> Vec<Value> {
    let term = row.text("RUBRIC");
    let known = [("SNOMED_CODE", SNOMED), ("DMD_CODE", DMD), ("CODE", READ2)];
    known.into_iter().filter_map(|(column, system)| Some(coding(system, row.text(column)?, term))).collect()
}

/// Returns the numbers of the rows that a row is linked to.
pub(super) fn linked<'a>(row: RowRef<'a>) -> impl Iterator<Item = &'a str> {
    let links = row.text("LINKS").unwrap_or_default();
    links.split(['|', ',', ';', ' ']).map(str::trim).filter(|id| !id.is_empty())
}

/// Returns a row's remarks: what the mapping says, and the columns that have no place of their own.
pub(super) fn notes_of<'a>(row: RowRef<'_>, texts: impl IntoIterator<Item = &'a str>) -> Value {
    let own = texts.into_iter().map(|text| json!({"text": text}));
    let labelled = [("CONTEXT", "Context"), ("EPISODE", "Episode")]
        .into_iter()
        .filter_map(|(column, label)| Some(json!({"text": format!("{label}: {}", row.text(column)?)})));
    own.chain(labelled).collect()
}

/// Adds a row of the journal, whatever it is.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows, row: RowRef<'_>) {
    let when = draft.when(row, JOURNAL, "DATE", Some("TIME"));
    match row.text("SUBSET").map(str::to_ascii_uppercase).as_deref() {
        Some("A" | "R" | "S") => {}
        Some("L") => add_allergy(draft, row, when),
        Some("P") => add_problem(draft, row, when),
        Some("I") => add_immunisation(draft, row, when),
        Some("T") => add_observation(draft, rows, row, when, Some("laboratory")),
        _ => add_observation(draft, rows, row, when, None),
    }
}

fn recorded(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<String> {
    draft.when(row, JOURNAL, "RECORDED_DATE", None).fhir
}

fn words(row: RowRef<'_>) -> Value {
    let unnamed = "Entry without a term in the extract";
    let term = row.text("RUBRIC").or_else(|| row.text("TEXT").filter(|_| row.text("CODE").is_none()));
    concept(codings(row), Some(term.unwrap_or(unnamed)))
}

fn add_allergy(draft: &mut Draft<'_>, row: RowRef<'_>, when: When) {
    let severity = row.text("SEVERITY");
    let known = severity
        .map(str::to_lowercase)
        .filter(|word| ["mild", "moderate", "severe"].contains(&word.as_str()));
    let reaction = row
        .text("VALUE1")
        .filter(|_| row.text("VALUE1_NAME").is_some_and(|name| name.eq_ignore_ascii_case("reaction")));
    let reaction = (known.is_some() || reaction.is_some())
        .then(|| json!([{"manifestation": reaction.map(|text| json!([{"text": text}])), "severity": known}]));
    let severity = severity.filter(|_| known.is_none()).map(|text| format!("Severity: {text}"));
    let certainty = row.text("CERTAINTY").map(|text| format!("Certainty: {text}"));
    let texts = [row.text("TEXT"), severity.as_deref(), certainty.as_deref(), when.unread.as_deref()];
    let recorded = recorded(draft, row);
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": record_id(row),
        // Vision keeps no end of an allergy: what is in the journal holds.
        "clinicalStatus": status("allergyintolerance-clinical", "active"),
        "code": words(row),
        "patient": draft.document.subject(),
        "onsetDateTime": when.fhir,
        "recordedDate": recorded,
        "recorder": draft.staff(row, "HCP"),
        "reaction": reaction,
        "note": notes_of(row, texts.into_iter().flatten())
    });
    draft.document.push(resource);
}

fn add_problem(draft: &mut Draft<'_>, row: RowRef<'_>, when: When) {
    let ended = draft.when(row, JOURNAL, "END_DATE", None);
    let is_past = row.text("END_DATE").is_some();
    let texts = [row.text("TEXT"), when.unread.as_deref(), ended.unread.as_deref()];
    let significance = row.text("SEVERITY").map(|text| {
        json!([{
            "url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-ProblemSignificance-1",
            "valueString": text
        }])
    });
    let recorded = recorded(draft, row);
    let resource = json!({
        "resourceType": "Condition",
        "id": record_id(row),
        "extension": significance,
        "clinicalStatus": status("condition-clinical", if is_past { "resolved" } else { "active" }),
        "category": [hl7("condition-category", "problem-list-item")],
        "code": words(row),
        "subject": draft.document.subject(),
        "onsetDateTime": when.fhir,
        "abatementDateTime": ended.fhir,
        "recordedDate": recorded,
        "recorder": draft.staff(row, "HCP"),
        "note": notes_of(row, texts.into_iter().flatten())
    });
    draft.document.push(resource);
}

fn add_immunisation(draft: &mut Draft<'_>, row: RowRef<'_>, when: When) {
    let not_given = row.text("IMMS_STATUS").is_some_and(|text| {
        ["refus", "declin", "not given"].iter().any(|word| text.to_lowercase().contains(word))
    });
    let source = row.text("IMMS_SOURCE").map(|text| format!("Source: {text}"));
    let given = row.text("IMMS_STATUS").filter(|_| !not_given).map(|text| format!("Status: {text}"));
    let texts = [row.text("TEXT"), source.as_deref(), given.as_deref(), when.unread.as_deref()];
    let part = row.text("VALUE1").map(|part| match part.parse::<u32>() {
        Ok(number) if number > 0 => json!([{"doseNumberPositiveInt": number}]),
        _ => json!([{"doseNumberString": part}]),
    });
    let recorded = recorded(draft, row);
    let resource = json!({
        "resourceType": "Immunization",
        "id": record_id(row),
        "extension": [{
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure",
            "valueCodeableConcept": words(row)
        }],
        "status": if not_given { "not-done" } else { "completed" },
        "statusReason": row.text("IMMS_STATUS").filter(|_| not_given).map(|text| json!({"text": text})),
        "vaccineCode": {"text": row.text("IMMS_COMPOUND").or(row.text("RUBRIC"))},
        "patient": draft.document.subject(),
        "occurrenceDateTime": when.fhir,
        "recorded": recorded,
        "lotNumber": row.text("IMMS_BATCH"),
        "site": row.text("IMMS_SITE").map(|text| json!({"text": text})),
        "route": row.text("IMMS_METHOD").map(|text| json!({"text": text})),
        "reasonCode": [row.text("IMMS_REASON").map(|text| json!({"text": text}))],
        "performer": [draft.staff(row, "HCP").map(|actor| json!({"actor": actor}))],
        "protocolApplied": part,
        "note": notes_of(row, texts.into_iter().flatten())
    });
    draft.document.push(resource);
}

/// Joins the texts that are there with spaces.
pub(super) fn joined<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    texts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The two values that a row may carry, each under its name.
fn values(row: RowRef<'_>) -> Vec<(Option<&str>, Value)> {
    let parts = [("VALUE1_NAME", "VALUE1", "VALUE1_UNITS"), ("VALUE2_NAME", "VALUE2", "VALUE2_UNITS")];
    parts
        .into_iter()
        .filter_map(|(name, value, units)| {
            let (value, units) = (row.text(value)?, row.text(units));
            let said = match quantity(value, units) {
                Some(quantity) => json!({"valueQuantity": quantity}),
                None => json!({"valueString": joined([Some(value), units])}),
            };
            Some((row.text(name), said))
        })
        .collect()
}

fn add_observation(
    draft: &mut Draft<'_>,
    rows: &UnitRows,
    row: RowRef<'_>,
    when: When,
    category: Option<&str>,
) {
    let mut values = values(row);
    let texts = [row.text("TEXT").filter(|_| row.text("RUBRIC").is_some()), when.unread.as_deref()];
    let problems = linked(row).filter_map(|id| {
        let patient = row.text("PID")?;
        let linked = rows.row(JOURNAL, &format!("{patient}/{id}"))?;
        (linked.text("SUBSET") == Some("P")).then(|| linked.text("RUBRIC"))?
    });
    let problems: Vec<String> = problems.map(|term| format!("Problem: {term}")).collect();
    let mut resource = json!({
        "resourceType": "Observation",
        "id": record_id(row),
        "status": "final",
        "category": [category.map(|code| hl7("observation-category", code))],
        "code": words(row),
        "subject": draft.document.subject(),
        "effectiveDateTime": when.fhir,
        "performer": [draft.staff(row, "HCP")],
        "note": notes_of(row, texts.into_iter().flatten().chain(problems.iter().map(String::as_str)))
    });
    match values.len() {
        0 => {}
        1 => {
            let (name, value) = values.remove(0);
            merge(&mut resource, value);
            let term = row.text("RUBRIC").unwrap_or_default();
            if let Some(name) = name.filter(|name| !term.eq_ignore_ascii_case(name)) {
                resource["method"] = json!({"text": name});
            }
        }
        _ => {
            let component = |(name, value): (Option<&str>, Value)| {
                let mut component = json!({"code": {"text": name.unwrap_or("Value")}});
                merge(&mut component, value);
                component
            };
            resource["component"] = values.into_iter().map(component).collect();
        }
    }
    draft.document.push(resource);
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

/// Adds a consultation.
pub(super) fn add_encounter(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(row, ENCOUNTER, "DATE", Some("TIME"));
    let minutes = row.text("DURATION").map(|text| format!("{text} minutes"));
    let texts = [row.text("LINKS").map(|links| format!("Entries: {links}")), when.unread];
    let resource = json!({
        "resourceType": "Encounter",
        "id": fhir_id(&format!("encounter-{}", row.text("ID").unwrap_or(row.key()))),
        "status": "finished",
        "type": [row.text("SESSION").map(|text| json!({"text": text}))],
        "subject": draft.document.subject(),
        "participant": [draft.staff(row, "HCP").map(|who| json!({"individual": who}))],
        "period": {"start": when.fhir},
        "length": minutes.as_deref().map(|text| json!({"unit": text})),
        "location": [row.text("LOCATION").map(|text| json!({"location": named(text)}))],
        "extension": texts.into_iter().flatten().map(|text| json!({"url": "urn:lifeboat:remark", "valueString": text})).collect::<Vec<_>>()
    });
    draft.document.push(resource);
}

/// Adds a referral.
pub(super) fn add_referral(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(row, REFERRAL, "DATE", None);
    let acted = draft.when(row, REFERRAL, "ACTION_DATE", None);
    let to = [row.text("SPECIALTY"), row.text("UNIT"), row.text("CONTRACTOR")];
    let to: Vec<&str> = to.into_iter().flatten().collect();
    let acted_on = acted.fhir.map(|date| format!("Acted on: {date}"));
    let texts = [acted_on, acted.unread, when.unread].into_iter().flatten();
    let what = row.text("SPECIALTY").map_or_else(|| "Referral".to_owned(), |to| format!("Referral to {to}"));
    let resource = json!({
        "resourceType": "ServiceRequest",
        "id": fhir_id(&format!("referral-{}", row.text("ID").unwrap_or(row.key()))),
        "status": "active",
        "intent": "order",
        "category": [concept(vec![coding(SNOMED, "3457005", Some("Patient referral"))], None)],
        "priority": row.text("TYPE").map(str::to_lowercase).filter(|kind| ["routine", "urgent", "asap", "stat"].contains(&kind.as_str())),
        "code": {"text": what},
        "subject": draft.document.subject(),
        "authoredOn": when.fhir,
        "requester": draft.staff(row, "HCP"),
        "performer": [named(&to.join(", ")), draft.staff(row, "TO_HCP")],
        "note": texts.map(|text| json!({"text": text})).collect::<Vec<_>>()
    });
    draft.document.push_in(SectionId::Referrals, resource);
}
