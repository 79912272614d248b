//! A patient's chart, and the appointment book, as rows of SystmOne's tables.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::fields;
use super::lists::{Lists, PRACTICE, number_of};
use super::rows::{Rows, date, id_of, patient_number, term, text, yes_or_no};
use crate::synth::RowSet;

/// Returns the rows of a patient.
pub(super) fn rows(chart: &[Value], lists: &mut Lists) -> RowSet {
    let id = chart.first().map(|patient| text(&patient["id"])).unwrap_or_default();
    let mut rows = Rows { rows: RowSet::default(), lists, patient: patient_number(&id) };
    for resource in chart {
        match resource["resourceType"].as_str().unwrap_or_default() {
            "Patient" => rows.patient(resource),
            "AllergyIntolerance" => rows.allergy(resource),
            "Condition" => rows.problem(resource),
            "MedicationRequest" | "MedicationStatement" => rows.medicine(resource),
            "Immunization" => rows.immunisation(resource),
            "Observation" => rows.observation(resource),
            "Encounter" => rows.encounter(resource),
            "ServiceRequest" if resource["intent"] == "order" => rows.referral(resource),
            "ServiceRequest" => rows.recall(resource),
            "Flag" => rows.special_note(resource),
            "FamilyMemberHistory" => rows.family_history(resource),
            "DocumentReference" => rows.document(resource),
            _ => rows.entry(resource),
        }
    }
    rows.rows
}

/// Adds dated measurements of the patient of this FHIR id.
pub(super) fn add_history(rows: &mut RowSet, id: &str, count: usize, today: Date) {
    let mut history =
        Rows { rows: RowSet::default(), lists: &mut Lists::default(), patient: patient_number(id) };
    let code = json!({"coding": [{"system": "http://snomed.info/sct", "code": "364075005", "display": "Heart rate"}]});
    for number in 0..count {
        let back = i64::try_from(number % 6_000).unwrap_or(0) + 1;
        let day = today.saturating_sub(jiff::Span::new().days(back));
        let cells = [
            ("DateEvent", day.strftime("%d %b %Y 00:00:00").to_string()),
            ("IsNumeric", yes_or_no(true)),
            ("NumericValue", (50 + number % 60).to_string()),
            ("NumericUnit", "beats/min".to_owned()),
        ];
        let id = number_of(&format!("history {number} of {}", history.patient));
        history.coded(&id, &code, &cells);
    }
    for (table, key, fields) in history.rows.iter() {
        rows.put(table, key, fields.to_vec());
    }
}

/// Returns the row of an appointment.
pub(super) fn appointment(appointment: &Value, lists: &mut Lists) -> Vec<String> {
    let participants = appointment["participant"].as_array().cloned().unwrap_or_default();
    let actor = |kind: &str| {
        let actors = participants.iter().map(|participant| &participant["actor"]);
        let found = actors.into_iter().find(|actor| text(&actor["reference"]).starts_with(kind));
        found.cloned().unwrap_or_default()
    };
    let patient = text(&actor("Patient/")["reference"]);
    let words = match appointment["status"].as_str() {
        Some("cancelled") => "Cancelled by Patient",
        Some("noshow") => "Did Not Attend",
        Some("fulfilled") => "Finished",
        Some("arrived") => "Arrived",
        _ => "Booked",
    };
    let is_telephone = appointment["extension"][0]["valueCode"] == "Telephone";
    let cells = [
        ("RowIdentifier", id_of(appointment)),
        ("IDOrganisationVisibleTo", PRACTICE.0.to_owned()),
        ("DateStart", date(&appointment["start"])),
        ("DateEnd", date(&appointment["end"])),
        ("AppointmentStatus", lists.mapping("Appointment status", words)),
        ("DateAppointmentBooked", date(&appointment["created"])),
        ("FollowUpAppointment", yes_or_no(false)),
        ("TelephoneAppointment", yes_or_no(is_telephone)),
        ("IDClinician", lists.staff(&text(&actor("Practitioner/")["display"]))),
        ("RotaName", text(&appointment["description"])),
        ("RotaType", term(&appointment["serviceType"][0])),
        ("RotaLocation", text(&actor("Location/")["display"])),
        ("IDPatient", patient_number(patient.trim_start_matches("Patient/"))),
    ];
    fields("SRAppointment", &cells)
}
