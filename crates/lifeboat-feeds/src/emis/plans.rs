//! Consultations, with what was entered in them, and the diary of what is due.

use serde_json::{Value, json};

use super::chart::{Chart, Entry, Secrecy};
use super::codes::Code;
use super::document::Draft;
use super::names;
use super::tables::{CLINICAL_CODE, CONSULTATION, DIARY};
use super::when;
use crate::problem::Reason;
use crate::r4;
use crate::rows::RowRef;

/// Adds every consultation.
pub(super) fn add_consultations(draft: &mut Draft, chart: &Chart<'_>) {
    for row in chart.rows.rows(CONSULTATION) {
        let Some(guid) = row.text("ConsultationGuid") else {
            continue;
        };
        let secrecy = Secrecy::of(row);
        let encounter = encounter(draft, chart, guid, row, secrecy);
        draft.file(secrecy, encounter);
    }
}

fn encounter(draft: &mut Draft, chart: &Chart<'_>, guid: &str, row: RowRef<'_>, secrecy: Secrecy) -> Value {
    let on = when::effective(row);
    let entered = when::entered(row);
    draft.check(CONSULTATION, &[&on, &entered]);
    // Entries that are more confidential than their consultation are not told in it.
    let entries = chart.within_consultation(guid).into_iter().filter(|entry| entry.secrecy == secrecy);
    let mut said: Vec<Value> = entries.filter_map(line).map(|line| names::said("entry", line)).collect();
    said.extend(on.told.as_deref().map(|told| names::said("note", told)));
    if on.fhir.is_none() {
        said.extend(entered.fhir.as_deref().map(|date| names::said_on("entered", date)));
    }
    let source = Code::of(row.text("ConsultationSourceCodeId"), CLINICAL_CODE, chart.shared);
    let term = row.text("ConsultationSourceTerm");
    let kind = match source {
        Code::Known(_) => Some(source.concept(term)),
        Code::Absent | Code::Unexplained(_) => term.map(|term| json!({"text": term})),
    };
    let words = term.or(source.term()).unwrap_or_default().to_lowercase();
    let is_remote = ["telephone", "video", "online", "e-consult"].iter().any(|word| words.contains(word));
    let is_whole = row.text("Complete").is_none() || row.is_true("Complete");
    let participant = names::clinician(chart.shared, row).map(|who| json!([{"individual": who}]));
    let provider = names::organisation(chart.shared, row.text("OrganisationGuid"));
    r4::object([
        ("resourceType", Some("Encounter".into())),
        ("id", Some(names::id("", guid).into())),
        ("extension", Some(said.into())),
        ("status", Some(if is_whole { "finished" } else { "in-progress" }.into())),
        (
            "class",
            Some(json!({
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "code": if is_remote { "VR" } else { "AMB" }
            })),
        ),
        ("type", kind.map(|kind| vec![kind].into())),
        ("subject", Some(draft.subject())),
        ("participant", participant),
        ("period", on.fhir.map(|date| json!({"start": date}))),
        ("serviceProvider", provider.map(r4::named)),
    ])
}

/// Returns an entry in one line: what it is, its value, what was written beside it.
fn line(entry: &Entry<'_>) -> Option<String> {
    let parts = [entry.words().map(str::to_owned), entry.value(), entry.text().map(str::to_owned)];
    let line = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    (!line.is_empty()).then_some(line)
}

/// Adds every entry of the diary; those that are done or switched off are not open plans.
pub(super) fn add_diary(draft: &mut Draft, chart: &Chart<'_>) {
    let secret_consultations: Vec<&str> = chart
        .rows
        .rows(CONSULTATION)
        .filter(|row| row.is_true("IsConfidential"))
        .filter_map(|row| row.text("ConsultationGuid"))
        .collect();
    for row in chart.rows.rows(DIARY) {
        let in_secret = row.text("ConsultationGuid").is_some_and(|guid| secret_consultations.contains(&guid));
        let secrecy = if in_secret { Secrecy::Confidential } else { Secrecy::of(row) };
        let plan = plan(draft, chart, row);
        draft.file(secrecy, plan);
    }
}

fn plan(draft: &mut Draft, chart: &Chart<'_>, row: RowRef<'_>) -> Value {
    let due = when::effective(row);
    let entered = when::entered(row);
    draft.check(DIARY, &[&due, &entered]);
    let code = Code::of(row.text("CodeId"), CLINICAL_CODE, chart.shared);
    if let Code::Unexplained(_) = code {
        draft.problem(DIARY, "CodeId", Reason::Unresolved);
    }
    let is_off = row.text("IsActive").is_some() && !row.is_true("IsActive");
    let status = match () {
        () if row.is_true("IsComplete") => "completed",
        () if is_off => "revoked",
        () => "active",
    };
    let place = row.text("LocationTypeDescription").map(|place| names::said("place", place));
    let duration = row.text("DurationTerm").map(|duration| names::said("duration", duration));
    let notes = [row.text("AssociatedText"), due.told.as_deref(), entered.told.as_deref()];
    let guid = row.text("DiaryGuid").unwrap_or_else(|| row.key());
    r4::object([
        ("resourceType", Some("ServiceRequest".into())),
        ("id", Some(names::id("", guid).into())),
        ("extension", Some(place.into_iter().chain(duration).collect())),
        ("status", Some(status.into())),
        ("intent", Some("plan".into())),
        ("code", Some(code.concept(row.text("OriginalTerm")))),
        ("subject", Some(draft.subject())),
        ("occurrenceDateTime", due.fhir.map(Value::from)),
        ("authoredOn", entered.fhir.map(Value::from)),
        ("requester", names::clinician(chart.shared, row)),
        ("note", Some(r4::notes(notes))),
    ])
}
