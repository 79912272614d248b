//! Consultations with what was entered in them, visits, and documents.

use std::collections::BTreeMap;

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::draft::{Draft, flag, number, record_id, said};
use super::entries::{term, value_text};
use super::tables::{CODE, EVENT, LETTER, MEDIA, PRIMARY_CARE_MEDICATION, VISIT};
use crate::r4::named;
use crate::rows::{RowRef, UnitRows};

/// Adds every consultation, visit and document.
///
/// An event that SystmOne marks as not clinical and in which nothing was coded or prescribed tells of no care (somebody opened the
/// record), and is left out: it would stand among the last consultations.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in rows.rows(CODE) {
        let Some(event) = number(row, "IDEvent") else { continue };
        let line = [Some(term(row)), value_text(row)];
        lines.entry(event).or_default().push(line.into_iter().flatten().collect::<Vec<_>>().join(": "));
    }
    for row in rows.rows(PRIMARY_CARE_MEDICATION) {
        let (Some(event), Some(name)) = (number(row, "IDEvent"), row.text("NameOfMedication")) else {
            continue;
        };
        lines.entry(event).or_default().push(format!("Prescribed: {name}"));
    }
    for row in rows.rows(EVENT) {
        let said = lines.get(row.key()).map(Vec::as_slice).unwrap_or_default();
        if flag(row, "ClinicalEvent") != Some(false) || !said.is_empty() {
            add_encounter(draft, row, said);
        }
    }
    rows.rows(VISIT).for_each(|row| add_visit(draft, row));
    rows.rows(MEDIA).for_each(|row| add_document(draft, MEDIA, row));
    rows.rows(LETTER).for_each(|row| add_document(draft, LETTER, row));
}

fn add_encounter(draft: &mut Draft<'_>, row: RowRef<'_>, lines: &[String]) {
    let when = draft.when(EVENT, row, "DateEvent");
    let recorded = draft.when(EVENT, row, "DateEventRecorded");
    let method = draft.words(EVENT, row, "ContactMethod");
    let place = draft.words(EVENT, row, "ContactEventLocation");
    let words = method.as_deref().unwrap_or_default().to_lowercase();
    let is_remote =
        ["telephone", "video", "online", "e-consult", "sms", "text"].iter().any(|word| words.contains(word));
    let mut extension: Vec<Value> = lines.iter().map(|line| said("entry", line)).collect();
    extension.extend(row.is_true("EventIncomplete").then(|| said("note", "The event is not complete")));
    for when in [&when, &recorded] {
        extension.extend(when.unread.as_deref().map(|text| said("note", text)));
    }
    let provider = draft.organisation(row, "IDOrganisation");
    let resource = json!({
        "resourceType": "Encounter",
        "id": record_id("event", row),
        "extension": extension,
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": if is_remote { "VR" } else { "AMB" }
        },
        "type": method.map(|text| [json!({"text": text})]),
        "subject": draft.document.subject(),
        "participant": draft.done_by(row).map(|who| [json!({"individual": who})]),
        "period": {"start": when.fhir.or(recorded.fhir)},
        "location": place.map(|place| [json!({"location": named(&place)})]),
        "serviceProvider": provider.as_deref().map(named)
    });
    draft.document.push(resource);
}

fn add_visit(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let booked = draft.when(VISIT, row, "DateBooked");
    let requested = draft.when(VISIT, row, "DateRequested");
    let status = draft.words(VISIT, row, "CurrentStatus");
    let mut extension: Vec<Value> = Vec::new();
    extension.extend(status.map(|text| said("status", text)));
    extension.extend(row.text("FollowUpDetails").map(|text| said("follow-up", text)));
    extension.extend(row.text("Duration").map(|text| said("duration", text)));
    for when in [&booked, &requested] {
        extension.extend(when.unread.as_deref().map(|text| said("note", text)));
    }
    let who = draft.profile(row, "IDProfileAssigned");
    let resource = json!({
        "resourceType": "Encounter",
        "id": record_id("visit", row),
        "extension": extension,
        "status": "unknown",
        "type": [{"text": "Visit"}],
        "subject": draft.document.subject(),
        "participant": who.as_deref().map(|who| [json!({"individual": named(who)})]),
        "period": {"start": booked.fhir.or(requested.fhir)}
    });
    draft.document.push(resource);
}

/// Adds what is known of a letter or another document; the extract has no contents.
fn add_document(draft: &mut Draft<'_>, table: &str, row: RowRef<'_>) {
    let when = draft.when(table, row, "DateEvent");
    let recorded = draft.when(table, row, "DateEventRecorded");
    let kind = draft.words(table, row, "CommunicationType");
    let direction = draft.words(table, row, "Direction");
    let person = |who: &str| {
        let parts = ["Title", "FirstName", "Surname"].map(|part| row.text(&format!("{who}{part}")));
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let whole =
            [Some(name.as_str()).filter(|name| !name.is_empty()), row.text(&format!("{who}Organisation"))];
        let whole = whole.into_iter().flatten().collect::<Vec<_>>().join(", ");
        (!whole.is_empty()).then_some(whole)
    };
    let mut extension: Vec<Value> = Vec::new();
    extension.extend(direction.map(|text| said("direction", text)));
    extension.extend(person("Recipient").map(|text| said("recipient", text)));
    for when in [&when, &recorded] {
        extension.extend(when.unread.as_deref().map(|text| said("note", text)));
    }
    let title = row.text("FileName");
    let size = row.text("FileSize").and_then(|size| size.parse::<u64>().ok());
    let named_as = kind.unwrap_or_else(|| if table == LETTER { "Letter" } else { "Document" }.to_owned());
    let resource = json!({
        "resourceType": "DocumentReference",
        "id": record_id(if table == LETTER { "letter" } else { "media" }, row),
        "extension": extension,
        "status": "current",
        "type": {"text": named_as},
        "subject": draft.document.subject(),
        "date": when.fhir.or(recorded.fhir),
        "author": person("Sender").as_deref().map(|who| [named(who)]),
        "content": [{"attachment": {"title": title.unwrap_or("Contents are not in the extract"), "size": size}}]
    });
    draft.document.push_in(SectionId::OtherItems, resource);
}
