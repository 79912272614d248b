//! Coded entries, the problems among them, drug sensitivities and immunisations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::codes::{self, Kind};
use super::patient::{Draft, When, record_id};
use super::tables::{
    CODE, DRUG_SENSITIVITY, IMMUNISATION, IMMUNISATION_CONTENT, MEDICATION_READ_CODE_DETAILS, PROBLEM,
};
use crate::problem::{Problem, Reason};
use crate::r4::{CTV3, SNOMED, coding, concept, hl7, notes, quantity};
use crate::rows::{RowRef, UnitRows};

/// Adds everything that is coded.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    let problems: BTreeMap<&str, RowRef<'_>> =
        rows.rows(PROBLEM).filter_map(|row| Some((row.text("IDCode")?, row))).collect();
    let mut joined = BTreeSet::new();
    for row in rows.rows(CODE) {
        let kind = codes::kind(row);
        if let Some((id, problem)) = problems.get_key_value(row.key()) {
            joined.insert(*id);
            // An allergy that is also a problem is shown as both.
            add_problem(draft, *problem, Some(row));
            if kind != Kind::Allergy {
                continue;
            }
        }
        match kind {
            Kind::Allergy => add_allergy(draft, row),
            Kind::Family => add_family_history(draft, row),
            Kind::Procedure => add_procedure(draft, row),
            Kind::Result => add_observation(draft, row, Some("laboratory")),
            Kind::Entry => add_observation(draft, row, None),
        }
    }
    for (_, problem) in problems.iter().filter(|(id, _)| !joined.contains(*id)) {
        add_problem(draft, *problem, None);
    }
    for problem in rows.rows(PROBLEM).filter(|row| row.text("IDCode").is_none()) {
        add_problem(draft, problem, None);
    }
    rows.rows(DRUG_SENSITIVITY).for_each(|row| add_drug_sensitivity(draft, row));
    rows.rows(IMMUNISATION).for_each(|row| add_immunisation(draft, row));
}

/// The codes and the words of an entry.
fn words(row: RowRef<'_>) -> Value {
    let term = row.text("SNOMEDText").or(row.text("CTV3Text"));
    let mut codings = Vec::new();
    codings.extend(row.text("SNOMEDCode").map(|code| coding(SNOMED, code, row.text("SNOMEDText"))));
    codings.extend(row.text("CTV3Code").map(|code| coding(CTV3, code, row.text("CTV3Text"))));
    let unnamed = row
        .text("CTV3Code")
        .or(row.text("SNOMEDCode"))
        .map(|code| format!("Code {code} (name not in extract)"));
    let text = term.map(str::to_owned).or(unnamed).unwrap_or_else(|| "Entry without a code".to_owned());
    concept(codings, Some(&text))
}

fn episode(draft: &Draft<'_>, row: RowRef<'_>) -> Option<String> {
    draft.words(row, "EpisodeType").map(|text| format!("Episode: {text}"))
}

fn add_allergy(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(CODE, row, "DateEvent");
    let recorded = draft.when(CODE, row, "DateEventRecorded");
    let value = value_text(row).map(|text| format!("Value: {text}"));
    let episode = episode(draft, row);
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": record_id("code", row),
        "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
        "code": words(row),
        "patient": draft.document.subject(),
        "onsetDateTime": when.fhir,
        "recordedDate": recorded.fhir,
        "recorder": draft.done_by(row),
        "note": notes([value.as_deref(), episode.as_deref(), when.unread.as_deref(), recorded.unread.as_deref()])
    });
    draft.document.push(resource);
}

/// A drug to which a patient is sensitive is never dropped, also where its name cannot be found.
fn add_drug_sensitivity(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(DRUG_SENSITIVITY, row, "DateStarted");
    let event = draft.when(DRUG_SENSITIVITY, row, "DateEvent");
    let recorded = draft.when(DRUG_SENSITIVITY, row, "DateEventRecorded");
    let ended = draft.when(DRUG_SENSITIVITY, row, "DateEnded");
    let drug =
        row.text("IDDrugCode").and_then(|id| draft.mapping.shared.row(MEDICATION_READ_CODE_DETAILS, id));
    let name = drug.and_then(|drug| drug.text("DrugReadCodeDesc"));
    if name.is_none() {
        draft.problems.push(Problem::at(format!("{DRUG_SENSITIVITY}.IDDrugCode"), Reason::Unresolved));
    }
    let unnamed = match row.text("IDDrugCode").or(row.text("IDMultiLexAction")) {
        Some(id) => format!("Drug sensitivity recorded \u{2013} drug name not in extract (Multilex id {id})"),
        None => "Drug sensitivity recorded \u{2013} drug name not in extract".to_owned(),
    };
    let codings = drug.and_then(|drug| Some(vec![coding(CTV3, drug.text("DrugReadCode")?, name)]));
    let formulation = row.is_true("FormulationSpecific").then_some("Specific to the formulation");
    let is_over = row.text("DateEnded").is_some();
    let unread = [started.unread.as_deref(), ended.unread.as_deref()];
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": record_id("sensitivity", row),
        "extension": ended.fhir.map(|date| json!([{"url": "urn:lifeboat:allergyEnd", "valueDateTime": date}])),
        "clinicalStatus": hl7("allergyintolerance-clinical", if is_over { "resolved" } else { "active" }),
        "category": ["medication"],
        "code": concept(codings.unwrap_or_default(), Some(name.unwrap_or(&unnamed))),
        "patient": draft.document.subject(),
        "onsetDateTime": started.fhir.or(event.fhir),
        "recordedDate": recorded.fhir,
        "recorder": draft.done_by(row),
        "note": notes([formulation].into_iter().chain(unread))
    });
    draft.document.push(resource);
}

fn add_problem(draft: &mut Draft<'_>, problem: RowRef<'_>, code: Option<RowRef<'_>>) {
    let source = code.unwrap_or(problem);
    let when = draft.when(PROBLEM, problem, "DateEvent");
    let of_code = code.map(|code| draft.when(CODE, code, "DateEvent")).unwrap_or_default();
    let recorded = draft.when(PROBLEM, problem, "DateEventRecorded");
    let ended = draft.when(PROBLEM, problem, "DateEnd");
    let is_past = problem.text("DateEnd").is_some();
    let value = code.and_then(value_text).map(|text| format!("Value: {text}"));
    let episode = code.and_then(|code| episode(draft, code));
    let severity = draft.words(problem, "Severity").map(|text| {
        json!([{
            "url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-ProblemSignificance-1",
            "valueString": text
        }])
    });
    let texts = [value.as_deref(), episode.as_deref(), when.unread.as_deref(), ended.unread.as_deref()];
    let resource = json!({
        "resourceType": "Condition",
        "id": record_id("problem", problem),
        "extension": severity,
        "clinicalStatus": hl7("condition-clinical", if is_past { "resolved" } else { "active" }),
        "category": [hl7("condition-category", "problem-list-item")],
        "code": words(source),
        "subject": draft.document.subject(),
        "onsetDateTime": when.fhir.or(of_code.fhir),
        "abatementDateTime": ended.fhir,
        "recordedDate": recorded.fhir,
        "recorder": draft.done_by(problem),
        "note": notes(texts)
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
        "performer": [draft.done_by(row).map(|who| json!({"actor": who}))],
        "note": notes([value.as_deref(), episode.as_deref(), when.unread.as_deref()])
    });
    draft.document.push(resource);
}

/// The value of an entry in words.
fn value_text(row: RowRef<'_>) -> Option<String> {
    let value = row.text("NumericValue").filter(|_| row.is_true("IsNumeric"))?;
    let parts =
        [row.text("NumericComparator").filter(|word| *word != "="), Some(value), row.text("NumericUnit")];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn add_observation(draft: &mut Draft<'_>, row: RowRef<'_>, category: Option<&str>) {
    let when: When = draft.when(CODE, row, "DateEvent");
    let recorded = draft.when(CODE, row, "DateEventRecorded");
    let episode = episode(draft, row);
    let number = row.text("NumericValue").filter(|_| row.is_true("IsNumeric"));
    let comparator = row.text("NumericComparator").filter(|word| ["<", "<=", ">", ">="].contains(word));
    let mut value = number.and_then(|number| quantity(number, row.text("NumericUnit")));
    if let (Some(value), Some(comparator)) = (&mut value, comparator) {
        value["comparator"] = json!(comparator);
    }
    let as_text = number.filter(|_| value.is_none()).and_then(|_| value_text(row));
    let resource = json!({
        "resourceType": "Observation",
        "id": record_id("code", row),
        "status": "final",
        "category": [category.map(|code| hl7("observation-category", code))],
        "code": words(row),
        "subject": draft.document.subject(),
        "effectiveDateTime": when.fhir,
        "issued": recorded.fhir,
        "performer": [draft.done_by(row)],
        "valueQuantity": value,
        "valueString": as_text,
        "note": notes([episode.as_deref(), when.unread.as_deref()])
    });
    draft.document.push(resource);
}

fn add_immunisation(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(IMMUNISATION, row, "DateEvent");
    let recorded = draft.when(IMMUNISATION, row, "DateEventRecorded");
    let expires = draft.when(IMMUNISATION, row, "DateExpiry");
    let content =
        row.text("IDImmunisationContent").and_then(|id| draft.mapping.shared.row(IMMUNISATION_CONTENT, id));
    let contents: Vec<&str> = content
        .into_iter()
        .flat_map(|content| [content.text("Name"), content.text("Content")])
        .flatten()
        .collect();
    let vaccination = draft.words(row, "IDVaccination");
    let status = draft.words(row, "VaccinationStatus");
    let not_given = status.as_deref().is_some_and(|status| {
        ["refus", "declin", "not given", "not done"].iter().any(|word| status.to_lowercase().contains(word))
    });
    let mut codings = Vec::new();
    codings.extend(row.text("ImmsSNOMEDCode").map(|code| coding(SNOMED, code, vaccination.as_deref())));
    codings.extend(row.text("ImmsReadCode").map(|code| coding(CTV3, code, vaccination.as_deref())));
    let part = draft.words(row, "VaccPart").map(|part| match part.parse::<u32>() {
        Ok(number) if number > 0 => json!([{"doseNumberPositiveInt": number}]),
        _ => json!([{"doseNumberString": part}]),
    });
    let dose = row.text("Dose").map(|dose| format!("Dose: {dose}"));
    let stated = status.as_deref().filter(|_| !not_given).map(|status| format!("Status: {status}"));
    let expiry = expires.fhir.as_deref().map(|date| date.chars().take(10).collect::<String>());
    let vaccine = if contents.is_empty() { vaccination.clone() } else { Some(contents.join(": ")) };
    let resource = json!({
        "resourceType": "Immunization",
        "id": record_id("immunisation", row),
        "extension": vaccination.as_deref().map(|text| json!([{
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure",
            "valueCodeableConcept": concept(codings.clone(), Some(text))
        }])),
        "status": if not_given { "not-done" } else { "completed" },
        "statusReason": status.as_deref().filter(|_| not_given).map(|text| json!({"text": text})),
        "vaccineCode": {"text": vaccine.as_deref().unwrap_or("Vaccine not named in the extract")},
        "patient": draft.document.subject(),
        "occurrenceDateTime": when.fhir,
        "recorded": recorded.fhir,
        "lotNumber": row.text("VaccBatchNumber"),
        "expirationDate": expiry,
        "site": draft.words(row, "Location").map(|text| json!({"text": text})),
        "route": draft.words(row, "Method").map(|text| json!({"text": text})),
        "performer": [draft.done_by(row).map(|actor| json!({"actor": actor}))],
        "protocolApplied": part,
        "note": notes([dose.as_deref(), stated.as_deref(), when.unread.as_deref(), expires.unread.as_deref()])
    });
    draft.document.push(resource);
}
