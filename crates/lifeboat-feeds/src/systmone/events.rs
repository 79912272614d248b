//! Consultations, recalls, referrals, special notes and plans; and the appointment book.

use jiff::civil::{Date, Time};
use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::patient::{Draft, fhir_id, record_id};
use super::tables::{
    APPOINTMENT, CHILD_AT_RISK, EVENT, PERSON_AT_RISK, RECALL, REFERRAL_OUT, ROTA, SPECIAL_NOTES, VISIT,
};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{CTV3, Document, SNOMED, coding, concept, hl7, named, notes};
use crate::rows::{RowRef, UnitRows};

/// Adds everything that is neither coded nor prescribed.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    rows.rows(EVENT).for_each(|row| add_encounter(draft, row));
    rows.rows(VISIT).for_each(|row| add_visit(draft, row));
    rows.rows(RECALL).for_each(|row| add_recall(draft, row));
    rows.rows(REFERRAL_OUT).for_each(|row| add_referral(draft, row));
    rows.rows(SPECIAL_NOTES).for_each(|row| add_special_note(draft, row));
    rows.rows(PERSON_AT_RISK).for_each(|row| add_plan(draft, PERSON_AT_RISK, row));
    rows.rows(CHILD_AT_RISK).for_each(|row| add_plan(draft, CHILD_AT_RISK, row));
}

fn add_encounter(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(EVENT, row, "DateEvent");
    let kind = [draft.words(row, "ContactMethod"), draft.words(row, "ContactEventLocation")];
    let incomplete = row.is_true("EventIncomplete").then_some("The entry is not complete");
    let remarks: Vec<Value> = [incomplete, when.unread.as_deref()]
        .into_iter()
        .flatten()
        .map(|text| json!({"url": "urn:lifeboat:remark", "valueString": text}))
        .collect();
    let resource = json!({
        "resourceType": "Encounter",
        "id": record_id("event", row),
        "extension": remarks,
        "status": "finished",
        "type": kind.into_iter().flatten().map(|text| json!({"text": text})).collect::<Vec<_>>(),
        "subject": draft.document.subject(),
        "participant": [draft.done_by(row).map(|who| json!({"individual": who}))],
        "period": {"start": when.fhir}
    });
    draft.document.push(resource);
}

fn add_visit(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(VISIT, row, "DateBooked");
    let status = draft.words(row, "CurrentStatus").map(|text| format!("Status: {text}"));
    let details = [status.as_deref(), row.text("FollowUpDetails"), when.unread.as_deref()];
    let remarks: Vec<Value> = details
        .into_iter()
        .flatten()
        .map(|text| json!({"url": "urn:lifeboat:remark", "valueString": text}))
        .collect();
    let resource = json!({
        "resourceType": "Encounter",
        "id": record_id("visit", row),
        "extension": remarks,
        "status": "unknown",
        "type": [{"text": "Visit"}],
        "subject": draft.document.subject(),
        "period": {"start": when.fhir}
    });
    draft.document.push(resource);
}

fn add_recall(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let due = draft.when(RECALL, row, "DateRecall");
    let status = draft.words(row, "RecallStatus");
    let is_over = status.as_deref().is_some_and(|status| {
        ["seen", "complete", "cancel", "deduct", "closed", "inactive"]
            .iter()
            .any(|word| status.to_lowercase().contains(word))
    });
    let what = draft.words(row, "RecallType").unwrap_or_else(|| "Recall".to_owned());
    let status = status.map(|text| format!("Status: {text}"));
    let resource = json!({
        "resourceType": "ServiceRequest",
        "id": record_id("recall", row),
        "status": if is_over { "completed" } else { "active" },
        "intent": "plan",
        "code": {"text": what},
        "subject": draft.document.subject(),
        "occurrenceDateTime": due.fhir,
        "requester": draft.done_by(row),
        "note": notes([status.as_deref(), due.unread.as_deref()])
    });
    draft.document.push_in(SectionId::Diary, resource);
}

fn add_referral(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let when = draft.when(REFERRAL_OUT, row, "DateEvent");
    let kind = draft.words(row, "TypeOfReferral");
    let what = kind.map_or_else(|| "Referral".to_owned(), |kind| format!("Referral to {kind}"));
    let service = draft.words(row, "ServiceOffered");
    let urgency = draft.words(row, "Urgency");
    let priority = urgency.as_deref().map(str::to_lowercase);
    let priority = priority.filter(|word| ["routine", "urgent", "asap", "stat"].contains(&word.as_str()));
    let stated = urgency.filter(|_| priority.is_none()).map(|text| format!("Urgency: {text}"));
    let recipient = row.text("RecipientID").map(|id| format!("Recipient number {id} (name not in extract)"));
    let to = service.or(recipient);
    let by = row.text("IDProfileReferrer").and_then(|id| draft.profile(id)).map(|name| named(&name));
    let mut diagnosis = Vec::new();
    diagnosis.extend(row.text("SNOMEDPrimaryDiagnosis").map(|code| coding(SNOMED, code, None)));
    diagnosis.extend(row.text("PrimaryDiagnosis").map(|code| coding(CTV3, code, None)));
    let reason = draft.words(row, "Reason");
    let reason = (reason.is_some() || !diagnosis.is_empty()).then(|| concept(diagnosis, reason.as_deref()));
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
        "requester": by.or_else(|| draft.done_by(row)),
        "performer": [to.as_deref().map(named)],
        "reasonCode": [reason],
        "note": notes([stated.as_deref(), when.unread.as_deref()])
    });
    draft.document.push_in(SectionId::Referrals, resource);
}

/// Adds a special note: what everybody must know at once.
fn add_special_note(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(SPECIAL_NOTES, row, "DateStart");
    let ended = draft.when(SPECIAL_NOTES, row, "DateExpired");
    if row.text("DateDeleted").is_some() {
        return;
    }
    let kind = draft.words(row, "Type");
    let text =
        row.text("Note").map(str::to_owned).or(kind.clone()).unwrap_or_else(|| "Special note".to_owned());
    // An end that cannot be read, or that may lie ahead, does not take an alert away.
    let resource = json!({
        "resourceType": "Flag",
        "id": record_id("note", row),
        "status": "active",
        "category": [kind.map(|text| json!({"text": text}))],
        "code": {"text": text},
        "subject": draft.document.subject(),
        "period": {"start": started.fhir, "end": ended.fhir},
        "author": row.text("IDProfileEnteredBy").and_then(|id| draft.profile(id)).map(|name| named(&name))
    });
    draft.document.push(resource);
}

/// Adds a plan to protect a person or a child.
fn add_plan(draft: &mut Draft<'_>, table: &str, row: RowRef<'_>) {
    let added = draft.when(table, row, "DateAdded");
    let removed = draft.when(table, row, "DateRemoved");
    let is_over = row.text("DateRemoved").is_some();
    let title = if table == CHILD_AT_RISK { "Child at risk" } else { "Person at risk" };
    let plan = row.text("ChildProtectionPlan").or(row.text("ProtectionPlan"));
    let parts = [Some(title), plan, row.text("ReasonForPlan"), row.text("RemovalReason")];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" \u{2013} ");
    let resource = json!({
        "resourceType": "Flag",
        "id": record_id(if table == CHILD_AT_RISK { "child-at-risk" } else { "person-at-risk" }, row),
        "status": if is_over { "inactive" } else { "active" },
        "category": [hl7("flag-category", "safety")],
        "code": {"text": text},
        "subject": draft.document.subject(),
        "period": {"start": added.fhir, "end": removed.fhir}
    });
    draft.document.push(resource);
}

/// Makes the document of a day's appointments.
pub(super) fn day(_: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let mut draft = Draft { document: Document::default(), mapping, problems: Vec::new() };
    let mut any = false;
    for row in rows.rows(APPOINTMENT) {
        let Some(patient) = row.text("IDPatient").filter(|id| *id != "-1" && *id != "0") else { continue };
        let resource = appointment(&mut draft, row, patient);
        draft.document.push(resource);
        any = true;
    }
    draft.problems.sort();
    draft.problems.dedup();
    Mapped { document: any.then(|| draft.document.finish()), problems: draft.problems }
}

fn appointment(draft: &mut Draft<'_>, row: RowRef<'_>, patient: &str) -> Value {
    let instant = |draft: &mut Draft<'_>, column: &str| match row.text(column).map(dates::date_and_time) {
        Some(Some((date, time))) => Some(dates::local_date_time(date, time.unwrap_or(Time::midnight()))),
        Some(None) => {
            draft.problems.push(Problem::at(format!("{APPOINTMENT}.{column}"), Reason::NotADate));
            None
        }
        None => None,
    };
    let (start, end) = (instant(draft, "DateStart"), instant(draft, "DateEnd"));
    let booked = instant(draft, "DateAppointmentBooked");
    let words = draft.words(row, "AppointmentStatus").unwrap_or_default();
    let status = status(row, &words.to_lowercase());
    let rota = row.text("IDRota").and_then(|id| draft.mapping.shared.row(ROTA, id));
    let of_rota = |column: &str| rota.and_then(|rota| rota.text(column));
    let session = row.text("RotaName").or(of_rota("Name"));
    let clinician = row.text("IDClinician").and_then(|id| draft.member(id));
    let clinician = clinician.or_else(|| draft.profile(row.text("IDProfileClinician")?));
    let clinician = clinician.or_else(|| draft.member(row.text("IDRotaOwner")?));
    let clinician = clinician.map(|name| json!({"actor": named(&name), "status": "accepted"}));
    let place = row.text("RotaLocation").or(of_rota("Location"));
    let place =
        place.map(|place| json!({"actor": {"display": place, "type": "Location"}, "status": "accepted"}));
    let channel = row.is_true("TelephoneAppointment").then(|| {
        json!([{
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel",
            "valueCode": "Telephone"
        }])
    });
    let contact = row.text("BookingContactNumber").map(|number| format!("Booking contact number: {number}"));
    let follow_up = row.is_true("FollowUpAppointment").then_some("Follow-up appointment");
    let comment: Vec<&str> = [contact.as_deref(), follow_up].into_iter().flatten().collect();
    json!({
        "resourceType": "Appointment",
        "id": record_id("appointment", row),
        "extension": channel,
        "status": status,
        "serviceType": [row.text("RotaType").or(of_rota("RotaType")).map(|text| json!({"text": text}))],
        "description": session,
        "start": start,
        "end": end,
        "created": booked,
        "comment": comment.join("; "),
        "participant": [
            {"actor": {"reference": format!("Patient/{}", fhir_id(patient)), "type": "Patient"}, "status": "accepted"},
            clinician,
            place
        ]
    })
}

/// The status that FHIR has for SystmOne's words and times.
fn status(row: RowRef<'_>, words: &str) -> &'static str {
    if row.text("DateAppointmentCancelled").is_some() || words.contains("cancel") {
        "cancelled"
    } else if words.contains("did not attend") || words.contains("dna") {
        "noshow"
    } else if row.text("DatePatientSeen").is_some() || words.contains("finish") || words.contains("seen") {
        "fulfilled"
    } else if row.text("DatePatientArrival").is_some()
        || words.contains("arrive")
        || words.contains("waiting")
    {
        "arrived"
    } else {
        "booked"
    }
}
