//! A day of the appointment book: slots, with the session, the place and the people that they belong to.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::codes::Code;
use super::tables::{CLINICAL_CODE, LOCATION, SESSION, SESSION_USER, SLOT, USER};
use super::{KEY_SEPARATOR, names};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{self, Document};
use crate::rows::{LookUp, RowRef, UnitRows};

/// The longest slot, in minutes: a day.
const MINUTES_MAX: i64 = 24 * 60;

/// Makes the document of a day.
pub(super) fn day(day: Date, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let mut document = Document::default();
    let mut problems = BTreeSet::new();
    for row in rows.rows(SLOT) {
        let Some(patient) = row.text("PatientGuid") else {
            continue;
        };
        document.push(appointment(day, row, patient, mapping.shared, &mut problems));
    }
    Mapped { document: Some(document.finish()), problems: problems.into_iter().collect() }
}

fn appointment(
    day: Date,
    row: RowRef<'_>,
    patient: &str,
    shared: &dyn LookUp,
    problems: &mut BTreeSet<Problem>,
) -> Value {
    let mut flaw = |column: &str, reason| problems.insert(Problem::at(format!("{SLOT}.{column}"), reason));
    let session_guid = row.text("SessionGuid");
    let session = session_guid.and_then(|guid| shared.row(SESSION, guid));
    if session_guid.is_some() && session.is_none() {
        flaw("SessionGuid", Reason::Unresolved);
    }
    let time = row.text("AppointmentStartTime");
    let start = time.and_then(dates::time).map(|time| day.to_datetime(time));
    if time.is_some() && start.is_none() {
        flaw("AppointmentStartTime", Reason::NotADate);
    }
    let minutes = row.text("PlannedDurationInMinutes").and_then(|text| text.parse::<i64>().ok());
    let minutes = minutes.filter(|minutes| (1..=MINUTES_MAX).contains(minutes));
    let end = start.zip(minutes).and_then(|(start, minutes)| start.checked_add(minutes.minutes()).ok());
    let local = |at: jiff::civil::DateTime| dates::local_date_time(at.date(), at.time());
    let said = |column: &str| session.and_then(|session| session.text(column));
    let reason = Code::of(row.text("DnaReasonCodeId"), CLINICAL_CODE, shared).term();
    let mut extension: Vec<Value> =
        reason.map(|words| names::said("did-not-attend-because", words)).into_iter().collect();
    // An appointment whose time cannot be read stays on its day, with what was written.
    extension.extend(time.filter(|_| start.is_none()).map(|time| names::said("time-as-written", time)));
    let category =
        said("SessionCategoryDisplayName").filter(|name| Some(*name) != said("SessionTypeDescription"));
    extension.extend(category.map(|name| names::said("session-category", name)));
    r4::object([
        ("resourceType", Some("Appointment".into())),
        ("id", Some(names::id("", row.text("SlotGuid").unwrap_or_else(|| row.key())).into())),
        ("extension", Some(extension.into())),
        ("status", Some(status(row).into())),
        ("serviceType", said("SessionTypeDescription").map(|name| json!([{"text": name}]))),
        ("description", said("Description").map(Value::from)),
        ("start", Some(start.map_or_else(|| day.to_string(), local).into())),
        ("end", end.map(|end| local(end).into())),
        ("minutesDuration", minutes.map(Value::from)),
        ("participant", Some(participants(patient, session_guid, session, shared))),
    ])
}

/// Returns the status: who did not attend, has left, has gone in, or is expected.
fn status(row: RowRef<'_>) -> &'static str {
    match () {
        () if row.is_true("DidNotAttend") => "noshow",
        () if row.text("LeftTime").is_some() => "fulfilled",
        () if row.text("SendInTime").is_some() => "arrived",
        () => "booked",
    }
}

fn participants(
    patient: &str,
    session_guid: Option<&str>,
    session: Option<RowRef<'_>>,
    shared: &dyn LookUp,
) -> Value {
    let patient = json!({"reference": format!("Patient/{}", names::id("", patient))});
    let beginning = session_guid.map(|guid| format!("{guid}{KEY_SEPARATOR}"));
    let users =
        beginning.map(|beginning| shared.rows_beginning(SESSION_USER, &beginning)).unwrap_or_default();
    let clinicians = users.into_iter().filter_map(|user| {
        let guid = user.text("UserInRoleGuid");
        let name = names::user(shared, guid)?;
        let role = shared.row(USER, guid?).and_then(|user| user.text("JobCategoryName"));
        Some((name, role))
    });
    let clinicians = clinicians.map(|(name, role)| {
        let kind = role.map(|role| json!([{"text": role}]));
        (json!({"type": "Practitioner", "display": name}), kind)
    });
    let place = session.and_then(|session| shared.row(LOCATION, session.text("LocationGuid")?));
    let place = place.and_then(|place| place.text("LocationName"));
    let place = place.map(|name| (json!({"type": "Location", "display": name}), None));
    std::iter::once((patient, None))
        .chain(clinicians)
        .chain(place)
        .map(|(actor, kind)| {
            r4::object([("type", kind), ("actor", Some(actor)), ("status", Some("accepted".into()))])
        })
        .collect()
}
