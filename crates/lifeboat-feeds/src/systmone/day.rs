//! A day of the appointment book.

use jiff::civil::Time;
use serde_json::{Value, json};

use super::draft::{Draft, fhir_id, number, record_id, said};
use super::tables::{APPOINTMENT, ROTA};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::Reason;
use crate::r4::Document;
use crate::rows::{RowRef, UnitRows};

/// Makes the document of a day's appointments. A slot without a patient is no appointment.
pub(super) fn document(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let mut draft = Draft::new(Document::default(), mapping);
    for row in rows.rows(APPOINTMENT) {
        if let Some(patient) = number(row, "IDPatient") {
            let resource = appointment(&mut draft, row, patient);
            draft.document.push(resource);
        }
    }
    draft.finish()
}

fn appointment(draft: &mut Draft<'_>, row: RowRef<'_>, patient: &str) -> Value {
    let mut extension: Vec<Value> = Vec::new();
    let [start, end, booked] = ["DateStart", "DateEnd", "DateAppointmentBooked"]
        .map(|column| instant(draft, row, column, &mut extension));
    let words = draft.words(APPOINTMENT, row, "AppointmentStatus");
    let (status, is_known) = status(row, &words.as_deref().unwrap_or_default().to_lowercase());
    // A status that FHIR has no word for is told in SystmOne's.
    extension.extend(words.filter(|_| !is_known).map(|words| said("status", words)));
    extension.extend(row.is_true("TelephoneAppointment").then(|| {
        json!({
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel",
            "valueCode": "Telephone"
        })
    }));
    let rota = number(row, "IDRota").and_then(|id| draft.shared(ROTA, id));
    let told = |column: &str, of_rota: &str| row.text(column).or(rota.and_then(|rota| rota.text(of_rota)));
    let comment = [
        row.text("BookingContactNumber").map(|number| format!("Booking contact number: {number}")),
        row.is_true("FollowUpAppointment").then(|| "Follow-up appointment".to_owned()),
    ];
    let comment = comment.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let place = told("RotaLocation", "Location")
        .map(|place| json!({"actor": {"display": place, "type": "Location"}, "status": "accepted"}));
    let clinician = clinician(draft, row)
        .map(|name| json!({"actor": {"display": name, "type": "Practitioner"}, "status": "accepted"}));
    let minutes = minutes(row);
    json!({
        "resourceType": "Appointment",
        "id": record_id("appointment", row),
        "extension": extension,
        "status": status,
        "serviceType": told("RotaType", "RotaType").map(|text| [json!({"text": text})]),
        "description": told("RotaName", "Name"),
        "start": start,
        "end": end,
        "minutesDuration": minutes,
        "created": booked,
        "comment": comment,
        "participant": [
            {
                "actor": {"reference": format!("Patient/{}", fhir_id("", patient)), "type": "Patient"},
                "status": "accepted"
            },
            clinician,
            place
        ]
    })
}

fn instant(
    draft: &mut Draft<'_>,
    row: RowRef<'_>,
    column: &str,
    extension: &mut Vec<Value>,
) -> Option<String> {
    let written = row.text(column)?;
    let Some((date, time)) = dates::date_and_time(written) else {
        draft.flaw(APPOINTMENT, column, Reason::NotADate);
        extension.push(said("note", format!("{column} as written: {written}")));
        return None;
    };
    Some(dates::local_date_time(date, time.unwrap_or(Time::midnight())))
}

fn minutes(row: RowRef<'_>) -> Option<i64> {
    let at = |column: &str| {
        let (date, time) = dates::date_and_time(row.text(column)?)?;
        Some(date.to_datetime(time?))
    };
    let duration = at("DateEnd")?.duration_since(at("DateStart")?);
    (duration.as_mins() > 0).then_some(duration.as_mins())
}

/// Returns who sees the patient, or failing that whose rota it is.
fn clinician(draft: &Draft<'_>, row: RowRef<'_>) -> Option<String> {
    let member = |column: &str| draft.member(number(row, column)?);
    member("IDClinician")
        .or_else(|| draft.profile(row, "IDProfileClinician"))
        .or_else(|| member("IDRotaOwner"))
        .or_else(|| draft.profile(row, "IDProfileRotaOwner"))
}

/// Returns the status that FHIR has for SystmOne's words and times, and whether the words are known.
fn status(row: RowRef<'_>, words: &str) -> (&'static str, bool) {
    let says = |known: &[&str]| known.iter().any(|word| words.contains(word));
    match () {
        () if row.text("DateAppointmentCancelled").is_some() || says(&["cancel"]) => ("cancelled", true),
        () if says(&["did not attend", "dna"]) => ("noshow", true),
        () if row.text("DatePatientSeen").is_some() || says(&["finish", "seen", "in progress"]) => {
            ("fulfilled", !says(&["in progress"]))
        }
        () if row.text("DatePatientArrival").is_some() || says(&["arrive", "waiting"]) => {
            ("arrived", !says(&["waiting"]))
        }
        () => ("booked", words.is_empty() || words.starts_with("booked")),
    }
}
