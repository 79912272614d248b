//! The list of problems: rows of `CareRecord_Problem`, each joined to the entry that it is about.

use serde_json::{Value, json};

use super::chart::{Chart, Secrecy};
use super::codes::Kind;
use super::document::Draft;
use super::names;
use super::tables::PROBLEM;
use super::when;
use crate::problem::Reason;
use crate::r4;
use crate::rows::RowRef;

const SIGNIFICANCE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-CareConnect-GPC-ProblemSignificance-1";

/// Adds every problem. One that is an allergy is shown as the allergy, which tells of the problem.
pub(super) fn add(draft: &mut Draft, chart: &Chart<'_>) {
    for row in chart.rows.rows(PROBLEM) {
        let Some(guid) = row.text("ObservationGuid") else {
            continue;
        };
        let entry = chart.entry(Some(guid));
        if entry.is_some_and(|entry| entry.kind == Kind::Allergy) {
            continue;
        }
        if entry.is_none() {
            draft.problem(PROBLEM, "ObservationGuid", Reason::Unresolved);
        }
        let problem = condition(draft, chart, row, guid);
        draft.file(entry.map_or(Secrecy::Open, |entry| entry.secrecy), problem);
    }
}

fn condition(draft: &mut Draft, chart: &Chart<'_>, row: RowRef<'_>, guid: &str) -> Value {
    let entry = chart.entry(Some(guid));
    let onset = entry.map(|entry| when::effective(entry.row)).unwrap_or_default();
    let entered = entry.map(|entry| when::entered(entry.row)).unwrap_or_default();
    let ended = when::dated(row, "EndDate", "EndDatePrecision");
    let reviewed = when::dated(row, "LastReviewDate", "LastReviewDatePrecision");
    draft.check(PROBLEM, &[&ended, &reviewed]);

    let mut said: Vec<Value> = row.text("SignificanceDescription").map(significance).into_iter().collect();
    said.extend(reviewed.fhir.as_deref().map(|date| names::said_on("last-review", date)));
    let reviewer = names::user(chart.shared, row.text("LastReviewUserInRoleGuid"));
    said.extend(reviewer.map(|who| names::said("last-reviewed-by", who)));
    let duration = row.text("ExpectedDuration");
    said.extend(duration.map(|days| names::said("expected-duration-in-days", days)));
    if let Some(above) = chart.linked_problem(row, "ParentProblemObservationGuid") {
        let relation = row.text("ParentProblemRelationship").unwrap_or("Grouped under");
        said.push(names::said("related-problem", format!("{relation}: {above}")));
    }

    let mut notes: Vec<String> = Vec::new();
    notes.extend(row.text("Comment").map(str::to_owned));
    match entry {
        Some(entry) => notes.extend(entry.text().map(str::to_owned)),
        None => notes.push("The entry that this problem is about is not in the extract".to_owned()),
    }
    notes.extend(onset.told.clone());
    notes.extend(ended.told.as_ref().map(|told| format!("End: {told}")));
    notes.extend(reviewed.told.as_ref().map(|told| format!("Last review: {told}")));

    let unnamed = || json!({"text": "Problem whose name is not in the extract"});
    let code = entry.map_or_else(unnamed, |entry| entry.code.concept(entry.original));
    r4::object([
        ("resourceType", Some("Condition".into())),
        ("id", Some(names::id("problem-", guid).into())),
        ("extension", Some(said.into())),
        ("clinicalStatus", Some(r4::hl7("condition-clinical", status(row)))),
        ("category", Some(vec![r4::hl7("condition-category", "problem-list-item")].into())),
        ("code", Some(code)),
        ("subject", Some(draft.subject())),
        ("onsetDateTime", onset.fhir.map(Value::from)),
        ("abatementDateTime", ended.fhir.map(Value::from)),
        ("recordedDate", entered.fhir.map(Value::from)),
        ("recorder", entry.and_then(|entry| names::clinician(chart.shared, entry.row))),
        ("note", Some(r4::notes(notes.iter().map(|note| Some(note.as_str()))))),
    ])
}

/// Returns whether the problem is active: as the source says, else by whether it has an end.
fn status(row: RowRef<'_>) -> &'static str {
    let said = row.text("ProblemStatusDescription").unwrap_or_default().to_lowercase();
    match () {
        () if said.contains("past") || said.contains("inactive") => "inactive",
        () if said.contains("active") => "active",
        () if row.text("EndDate").is_some() => "inactive",
        () => "active",
    }
}

fn significance(words: &str) -> Value {
    let lower = words.to_lowercase();
    match () {
        () if lower.starts_with("significant") => json!({"url": SIGNIFICANCE, "valueCode": "major"}),
        () if lower.starts_with("minor") => json!({"url": SIGNIFICANCE, "valueCode": "minor"}),
        () => json!({"url": SIGNIFICANCE, "valueString": words}),
    }
}
