//! Rows of the appointment book.

use std::collections::BTreeSet;
use std::io;

use lifeboat_clinical::synth::Practice;
use serde_json::Value;

use super::Row;
use super::codes::practice_guid;
use super::lines::{Files, guid, number, referred, text};
use crate::synth::RowSet;

/// Writes every day of the book.
pub(super) fn write(practice: &Practice, files: &mut Files) -> io::Result<()> {
    for day in practice.days() {
        let mut rows = RowSet::default();
        let mut sessions = BTreeSet::new();
        for appointment in practice.appointments_on(day) {
            let clinician = participant(&appointment, "Practitioner/");
            let description = text(&appointment, "/description").to_owned();
            let session = guid(&format!("session/{day}/{clinician}/{description}"));
            slot(&appointment, &session).put(&mut rows);
            if sessions.insert(session.clone()) {
                add_session(&mut rows, &appointment, &session, &clinician);
            }
        }
        files.write_all(&rows)?;
    }
    Ok(())
}

/// Returns the GUID of the participant of a kind.
fn participant(appointment: &Value, kind: &str) -> String {
    let all = appointment["participant"].as_array();
    let mut actors = all.into_iter().flatten().map(|participant| &participant["actor"]);
    let found = actors.find(|actor| text(actor, "/reference").starts_with(kind));
    found.map(referred).unwrap_or_default()
}

/// Returns the slot of an appointment. One that was cancelled is free again: its slot has no patient.
fn slot(appointment: &Value, session: &str) -> Row {
    let clock = |pointer| text(appointment, pointer).get(11..19).unwrap_or_default();
    let (start, end) = (clock("/start"), clock("/end"));
    let status = text(appointment, "/status");
    let patient = if status == "cancelled" { String::new() } else { participant(appointment, "Patient/") };
    let when = |statuses: &[&str], time: &str| {
        if statuses.contains(&status) { time.to_owned() } else { String::new() }
    };
    Row::of("Appointment_Slot")
        .set("SlotGuid", guid(text(appointment, "/id")))
        .set("AppointmentDate", text(appointment, "/start").get(..10).unwrap_or_default())
        .set("AppointmentStartTime", start)
        .set("PlannedDurationInMinutes", number(&appointment["minutesDuration"]))
        .set("PatientGuid", patient)
        .set("SendInTime", when(&["arrived", "fulfilled"], start))
        .set("LeftTime", when(&["fulfilled"], end))
        .set("DidNotAttend", (status == "noshow").to_string())
        .set("OrganisationGuid", practice_guid())
        .set("SessionGuid", session)
}

fn add_session(rows: &mut RowSet, appointment: &Value, session: &str, clinician: &str) {
    let date = text(appointment, "/start").get(..10).unwrap_or_default();
    let is_morning = text(appointment, "/description").starts_with("Morning");
    let (start, end) = if is_morning { ("08:30:00", "12:00:00") } else { ("14:00:00", "17:50:00") };
    Row::of("Appointment_Session")
        .set("AppointmentSessionGuid", session)
        .set("Description", text(appointment, "/description"))
        .set("LocationGuid", participant(appointment, "Location/"))
        .set("SessionTypeDescription", text(appointment, "/serviceType/0/text"))
        .set("SessionCategoryDisplayName", "Surgery")
        .set("StartDate", date)
        .set("StartTime", start)
        .set("EndDate", date)
        .set("EndTime", end)
        .set("Private", "false")
        .set("OrganisationGuid", practice_guid())
        .put(rows);
    Row::of("Appointment_SessionUser").set("SessionGuid", session).set("UserInRoleGuid", clinician).put(rows);
}
