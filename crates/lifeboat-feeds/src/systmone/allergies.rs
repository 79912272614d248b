//! Allergies: drug sensitivities, and what is coded as an allergy among the entries.

use serde_json::{Value, json};

use super::codes::{self, Coded, Kind};
use super::draft::{Draft, number, record_id, said_on};
use super::entries::{episode, value_text, words};
use super::tables::{CODE, DRUG_SENSITIVITY, MEDICATION_READ_CODE_DETAILS};
use crate::problem::Reason;
use crate::r4::{CTV3, SNOMED, coding, concept, hl7, notes};
use crate::rows::{RowRef, UnitRows};

/// Adds everything that is an allergy.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows, coded: &[Coded<'_>]) {
    rows.rows(DRUG_SENSITIVITY).for_each(|row| add_drug_sensitivity(draft, row));
    let allergies = coded.iter().filter(|(_, kind)| *kind == Kind::Allergy);
    allergies.for_each(|(row, _)| add_coded(draft, *row));
}

/// An entry says of itself neither that it has ended nor how sure it is, so it counts as current.
fn add_coded(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(CODE, row, "DateEvent");
    let recorded = draft.when(CODE, row, "DateEventRecorded");
    let value = value_text(row).map(|text| format!("Value: {text}"));
    let episode = episode(draft, row);
    let mut code = words(row);
    if let (Some(snomed), Some(codings)) = (codes::no_allergies(row), code["coding"].as_array_mut()) {
        codings.push(coding(SNOMED, snomed, None));
    }
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": record_id("code", row),
        "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
        "code": code,
        "patient": draft.document.subject(),
        "onsetDateTime": when.fhir,
        "recordedDate": recorded.fhir,
        "recorder": draft.recorded_by(row),
        "note": notes([value.as_deref(), episode.as_deref(), when.unread.as_deref(), recorded.unread.as_deref()])
    });
    draft.document.push(resource);
}

/// A drug to which a patient is sensitive is never dropped, also where its name cannot be found, and never ended by a date that
/// cannot be read.
fn add_drug_sensitivity(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(DRUG_SENSITIVITY, row, "DateStarted");
    let event = draft.when(DRUG_SENSITIVITY, row, "DateEvent");
    let recorded = draft.when(DRUG_SENSITIVITY, row, "DateEventRecorded");
    let ended = draft.when(DRUG_SENSITIVITY, row, "DateEnded");
    let id = number(row, "IDDrugCode");
    let drug = id.and_then(|id| draft.shared(MEDICATION_READ_CODE_DETAILS, id));
    let name = drug.and_then(|drug| drug.text("DrugReadCodeDesc"));
    if name.is_none() {
        draft.flaw(DRUG_SENSITIVITY, "IDDrugCode", Reason::Unresolved);
    }
    let group = number(row, "IDMultiLexAction");
    let unnamed = "Drug sensitivity recorded \u{2013} drug name not in extract";
    let text = match (name, id, group) {
        (Some(name), ..) => name.to_owned(),
        (None, Some(id), _) => format!("{unnamed} (Multilex id {id})"),
        (None, None, Some(group)) => format!("{unnamed} (Multilex action group {group})"),
        (None, None, None) => unnamed.to_owned(),
    };
    let codings: Vec<Value> =
        drug.and_then(|drug| Some(coding(CTV3, drug.text("DrugReadCode")?, name))).into_iter().collect();
    let formulation = row.is_true("FormulationSpecific").then_some("Specific to the formulation");
    let group = group
        .filter(|_| name.is_some() || id.is_some())
        .map(|group| format!("Multilex action group {group} (name not in extract)"));
    let unread = [&started, &event, &recorded, &ended].map(|when| when.unread.as_deref());
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": record_id("sensitivity", row),
        "extension": ended.fhir.as_deref().map(|date| json!([said_on("allergyEnd", date)])),
        "clinicalStatus": hl7("allergyintolerance-clinical", if ended.fhir.is_some() { "resolved" } else { "active" }),
        "category": ["medication"],
        "code": concept(codings, Some(&text)),
        "patient": draft.document.subject(),
        "onsetDateTime": started.fhir.clone().or(event.fhir.clone()),
        "recordedDate": recorded.fhir,
        "recorder": draft.recorded_by(row),
        "note": notes([formulation, group.as_deref()].into_iter().chain(unread))
    });
    draft.document.push(resource);
}
