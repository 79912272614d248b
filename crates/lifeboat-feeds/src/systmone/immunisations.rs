//! Immunisations.

use serde_json::{Value, json};

use super::draft::{Draft, number, record_id};
use super::tables::{self, IMMUNISATION, IMMUNISATION_CONTENT};
use crate::problem::Reason;
use crate::r4::{CTV3, SNOMED, coding, concept, notes};
use crate::rows::{RowRef, UnitRows};

const PROCEDURE: &str = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure";

/// Words of a status that says that nothing was given.
const NOT_GIVEN: &[&str] =
    &["refus", "declin", "not given", "not done", "contraindicat", "did not attend", "withheld"];

/// Adds every immunisation.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    rows.rows(IMMUNISATION).for_each(|row| add_immunisation(draft, row));
}

fn add_immunisation(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(IMMUNISATION, row, "DateEvent");
    let recorded = draft.when(IMMUNISATION, row, "DateEventRecorded");
    let expires = draft.when(IMMUNISATION, row, "DateExpiry");
    let contents = contents(draft, row);
    let status = draft.words(IMMUNISATION, row, "VaccinationStatus");
    let is_given = !status.as_deref().is_some_and(|status| {
        let status = status.to_lowercase();
        NOT_GIVEN.iter().any(|word| status.contains(word))
    });
    let codes = codes(draft, row, contents.as_deref());
    let procedure = codes["coding"].is_array().then(|| {
        let text = codes["text"].as_str();
        json!([{"url": PROCEDURE, "valueCodeableConcept": {"coding": codes["coding"], "text": text}}])
    });
    let unnamed = || match number(row, "IDVaccination") {
        Some(id) => format!("Vaccine not named in the extract (vaccination {id})"),
        None => "Vaccine not named in the extract".to_owned(),
    };
    let vaccine = contents.clone().or_else(|| codes["text"].as_str().map(str::to_owned));
    let part = draft.words(IMMUNISATION, row, "VaccPart").map(|part| match part.parse::<u32>() {
        Ok(number) if number > 0 => json!([{"doseNumberPositiveInt": number}]),
        _ => json!([{"doseNumberString": part}]),
    });
    let dose = row.text("Dose").map(|dose| format!("Dose: {dose}"));
    let area = row.text("VaccAreaCode").map(|area| format!("Area code: {area}"));
    let says_given = status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("given"));
    let stated =
        status.as_deref().filter(|_| is_given && !says_given).map(|status| format!("Status: {status}"));
    let unread = [&when, &recorded, &expires].map(|when| when.unread.as_deref());
    let texts = [dose.as_deref(), stated.as_deref(), area.as_deref()].into_iter().chain(unread);
    let place = |draft: &mut Draft<'_>, column| {
        draft.words(IMMUNISATION, row, column).map(|text| json!({"text": text}))
    };
    let resource = json!({
        "resourceType": "Immunization",
        "id": record_id("immunisation", row),
        "extension": procedure,
        "status": if is_given { "completed" } else { "not-done" },
        "statusReason": status.as_deref().filter(|_| !is_given).map(|text| json!({"text": text})),
        "vaccineCode": {"text": vaccine.unwrap_or_else(unnamed)},
        "patient": draft.document.subject(),
        "occurrenceDateTime": when.fhir,
        "recorded": recorded.fhir,
        "lotNumber": row.text("VaccBatchNumber"),
        "expirationDate": expires.fhir.as_deref().map(|date| date.chars().take(10).collect::<String>()),
        "site": place(draft, "Location"),
        "route": place(draft, "Method"),
        "performer": draft.done_by(row).map(|actor| [json!({"actor": actor})]),
        "protocolApplied": part,
        "note": notes(texts)
    });
    draft.document.push(resource);
}

/// Returns what a vaccine is called and what it protects against.
fn contents(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<String> {
    let id = number(row, "IDImmunisationContent")?;
    let Some(content) = draft.shared(IMMUNISATION_CONTENT, id) else {
        draft.flaw(IMMUNISATION, "IDImmunisationContent", Reason::Unresolved);
        return None;
    };
    let (name, holds) = (content.text("Name"), content.text("Content"));
    let parts: Vec<&str> = name.into_iter().chain(holds.filter(|holds| Some(*holds) != name)).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// Returns the codes of what was done, in the words of the list of codes, or else of the vaccine.
fn codes(draft: &Draft<'_>, row: RowRef<'_>, contents: Option<&str>) -> Value {
    let looked_up =
        || Some(draft.shared(tables::CTV3, row.text("ImmsReadCode")?)?.text("Ctv3Text")?.to_owned());
    let text = looked_up().or_else(|| contents.map(str::to_owned));
    let mut codings = Vec::new();
    codings.extend(row.text("ImmsSNOMEDCode").map(|code| coding(SNOMED, code, text.as_deref())));
    codings.extend(row.text("ImmsReadCode").map(|code| coding(CTV3, code, text.as_deref())));
    if codings.is_empty() {
        return Value::Null;
    }
    concept(codings, text.as_deref())
}
