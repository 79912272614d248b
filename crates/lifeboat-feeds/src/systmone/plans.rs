//! Recalls, referrals, special notes and plans to protect people.

use std::collections::BTreeMap;

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::draft::{Draft, number, record_id};
use super::tables::{
    self, CHILD_AT_RISK, PERSON_AT_RISK, RECALL, REFERRAL_OUT, REFERRAL_OUT_STATUS, SPECIAL_NOTES,
};
use crate::dates;
use crate::problem::Reason;
use crate::r4::{CTV3, SNOMED, coding, concept, hl7, named, notes};
use crate::rows::{RowRef, UnitRows};

/// Words of a recall's status that say that nothing more is to be done.
const RECALL_OVER: &[&str] = &["seen", "complete", "cancel", "deduct", "closed", "inactive", "deceased"];

/// Adds every plan and everything that must be known at once.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    rows.rows(RECALL).for_each(|row| add_recall(draft, row));
    let mut statuses: BTreeMap<&str, Vec<RowRef<'_>>> = BTreeMap::new();
    for row in rows.rows(REFERRAL_OUT_STATUS) {
        match number(row, "IDReferralOut").filter(|id| rows.row(REFERRAL_OUT, id).is_some()) {
            Some(id) => statuses.entry(id).or_default().push(row),
            None => draft.flaw(REFERRAL_OUT_STATUS, "IDReferralOut", Reason::Unresolved),
        }
    }
    for row in rows.rows(REFERRAL_OUT) {
        let statuses = statuses.remove(row.key()).unwrap_or_default();
        add_referral(draft, row, statuses);
    }
    rows.rows(SPECIAL_NOTES).for_each(|row| add_special_note(draft, row));
    rows.rows(PERSON_AT_RISK).for_each(|row| add_plan(draft, PERSON_AT_RISK, row));
    rows.rows(CHILD_AT_RISK).for_each(|row| add_plan(draft, CHILD_AT_RISK, row));
}

fn add_recall(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let due = draft.when(RECALL, row, "DateRecall");
    let event = draft.when(RECALL, row, "DateEvent");
    let status = draft.words(RECALL, row, "RecallStatus");
    let lower = status.as_deref().unwrap_or_default().to_lowercase();
    let is_over = RECALL_OVER.iter().any(|word| lower.contains(word));
    let since = row.text("RecallStatusDate").map(|date| format!(" ({date})")).unwrap_or_default();
    let status = status.map(|text| format!("Status: {text}{since}"));
    let resource = json!({
        "resourceType": "ServiceRequest",
        "id": record_id("recall", row),
        "status": if is_over { "completed" } else { "active" },
        "intent": "plan",
        "code": {"text": row.text("RecallType").unwrap_or("Recall")},
        "subject": draft.document.subject(),
        "occurrenceDateTime": due.fhir,
        "authoredOn": event.fhir,
        "requester": draft.recorded_by(row),
        "note": notes([status.as_deref(), due.unread.as_deref(), event.unread.as_deref()])
    });
    draft.document.push(resource);
}

fn add_referral(draft: &mut Draft<'_>, row: RowRef<'_>, mut statuses: Vec<RowRef<'_>>) {
    let when = draft.when(REFERRAL_OUT, row, "DateEvent");
    let kind = draft.words(REFERRAL_OUT, row, "TypeOfReferral");
    let service = draft.words(REFERRAL_OUT, row, "ServiceOffered");
    let reason = draft.words(REFERRAL_OUT, row, "Reason");
    let urgency = draft.words(REFERRAL_OUT, row, "Urgency");
    let priority = urgency.as_deref().map(str::to_lowercase);
    let priority = priority.filter(|word| ["routine", "urgent", "asap", "stat"].contains(&word.as_str()));
    let mut texts: Vec<String> = Vec::new();
    texts.extend(urgency.filter(|_| priority.is_none()).map(|text| format!("Urgency: {text}")));
    texts.extend(row.is_true("ReReferral").then(|| "Re-referral".to_owned()));
    texts.extend(kind.filter(|_| service.is_some()).map(|kind| format!("Type: {kind}")));
    texts.extend(when.unread);
    statuses.sort_by_key(|row| (row.text("DateEvent").and_then(dates::date_and_time), row.key().to_owned()));
    for status in statuses {
        let words = draft.words(REFERRAL_OUT_STATUS, status, "StatusOfReferralOut");
        let since = status.text("DateEvent").map(|date| format!(" ({date})")).unwrap_or_default();
        texts.extend(words.map(|words| format!("Status: {words}{since}")));
    }
    let what = match (&service, draft.words(REFERRAL_OUT, row, "TypeOfReferral")) {
        (Some(service), _) => format!("Referral to {service}"),
        (None, Some(kind)) => format!("Referral ({kind})"),
        (None, None) => "Referral".to_owned(),
    };
    let by = draft.profile(row, "IDProfileReferrer").map(|name| named(&name));
    let (codings, diagnosis) = diagnosis(draft, row);
    let words = reason.or(diagnosis);
    let reason = (words.is_some() || !codings.is_empty()).then(|| [concept(codings, words.as_deref())]);
    let resource = json!({
        "resourceType": "ServiceRequest",
        "id": record_id("referral", row),
        "status": "active",
        "intent": "order",
        "category": [concept(vec![coding(SNOMED, "3457005", Some("Patient referral"))], None)],
        "priority": priority,
        "code": {"text": what},
        "subject": draft.document.subject(),
        "authoredOn": when.fhir,
        "requester": by.or_else(|| draft.recorded_by(row)),
        "performer": recipient(draft, row).as_deref().map(|to| [named(to)]),
        "reasonCode": reason,
        "note": notes(texts.iter().map(|text| Some(text.as_str())))
    });
    draft.document.push(resource);
}

/// Returns the codes of what a referral is for, and words for them.
fn diagnosis(draft: &Draft<'_>, row: RowRef<'_>) -> (Vec<Value>, Option<String>) {
    let ctv3 = row.text("PrimaryDiagnosis");
    let term = ctv3.and_then(|code| draft.shared(tables::CTV3, code)).and_then(|code| code.text("Ctv3Text"));
    let mut codings = Vec::new();
    codings.extend(row.text("SNOMEDPrimaryDiagnosis").map(|code| coding(SNOMED, code, term)));
    codings.extend(ctv3.map(|code| coding(CTV3, code, term)));
    (codings, term.map(str::to_owned))
}

/// Returns to whom a patient is referred: an organisation by its ODS code, or somebody.
fn recipient(draft: &mut Draft<'_>, row: RowRef<'_>) -> Option<String> {
    let id = number(row, "RecipientID")?;
    let kind = draft.words(REFERRAL_OUT, row, "RecipientIDType");
    let is_organisation = kind.as_deref().is_none_or(|kind| kind.to_lowercase().starts_with("organisation"));
    if !is_organisation && let Some(name) = draft.member(id) {
        return Some(name);
    }
    let name = draft.shared(tables::ORGANISATION, id).and_then(|organisation| organisation.text("Name"));
    if let Some(name) = name {
        return Some(name.to_owned());
    }
    draft.flaw(REFERRAL_OUT, "RecipientID", Reason::Unresolved);
    Some(format!("Recipient {id} (name not in extract)"))
}

/// Adds a special note: what everybody must know at once. An end that cannot be read, or that may lie ahead, does not take it away.
fn add_special_note(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(SPECIAL_NOTES, row, "DateStart");
    let ended = draft.when(SPECIAL_NOTES, row, "DateExpired");
    let deleted = draft.when(SPECIAL_NOTES, row, "DateDeleted");
    if deleted.fhir.is_some() {
        return;
    }
    let kind = row.text("Type");
    let note = row.text("Note");
    // Notes often begin with what they are about.
    let lower = note.unwrap_or_default().to_lowercase();
    let title = kind.filter(|kind| !lower.contains(&kind.to_lowercase()));
    let text = title.into_iter().chain(note).collect::<Vec<_>>().join(" \u{2013} ");
    let text = if text.is_empty() { "Special note" } else { &text };
    let author = draft.profile(row, "IDProfileEnteredBy");
    let resource = json!({
        "resourceType": "Flag",
        "id": record_id("note", row),
        "extension": unread([&started.unread, &ended.unread, &deleted.unread]),
        "status": "active",
        "category": kind.map(|text| [json!({"text": text})]),
        "code": {"text": text},
        "subject": draft.document.subject(),
        "period": {"start": started.fhir, "end": ended.fhir},
        "author": author.as_deref().map(named)
    });
    draft.document.push(resource);
}

/// Adds a plan to protect a person or a child. It holds until it is removed on a day that can be read.
fn add_plan(draft: &mut Draft<'_>, table: &str, row: RowRef<'_>) {
    let added = draft.when(table, row, "DateAdded");
    let removed = draft.when(table, row, "DateRemoved");
    let (id, title, column) = match table {
        CHILD_AT_RISK => ("child-at-risk", "Child at risk", "ChildProtectionPlan"),
        _ => ("person-at-risk", "Person at risk", "ProtectionPlan"),
    };
    let removal = row.text("RemovalReason").map(|reason| format!("removed: {reason}"));
    let parts = [Some(title), row.text(column), row.text("ReasonForPlan"), removal.as_deref()];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" \u{2013} ");
    let author = draft.profile(row, "IDProfileEnteredBy");
    let resource = json!({
        "resourceType": "Flag",
        "id": record_id(id, row),
        "extension": unread([&added.unread, &removed.unread, &None]),
        "status": if removed.fhir.is_some() { "inactive" } else { "active" },
        "category": [hl7("flag-category", "safety")],
        "code": {"text": text},
        "subject": draft.document.subject(),
        "period": {"start": added.fhir, "end": removed.fhir},
        "author": author.as_deref().map(named)
    });
    draft.document.push_in(SectionId::Alerts, resource);
}

fn unread(texts: [&Option<String>; 3]) -> Vec<Value> {
    texts.into_iter().flatten().map(|text| super::draft::said("note", text.as_str())).collect()
}
