//! The appointment book of the made-up practice, from yesterday to a week ahead.

use jiff::Span;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::catalogue::VISIT_REASONS;
use super::person::{Person, person};
use super::random::{Random, days_before};
use super::staff::CLINICIANS;
use super::story::{concept, instant, location_reference};
use crate::view::london;

const MORNING_SLOTS: u64 = 21;
const AFTERNOON_SLOTS: u64 = 23;
/// Sessions of ten minutes: the morning from 08:30, the afternoon from 14:00.
const MORNING_BEGINS: u64 = 8 * 60 + 30;
const AFTERNOON_BEGINS: u64 = 14 * 60;
const SLOT_MINUTES: u64 = 10;

/// Returns the days of the book: yesterday, today and the seven days after.
pub(crate) fn days(today: Date) -> impl Iterator<Item = Date> {
    (-1..=7).map(move |ahead| days_before(today, -ahead))
}

/// Returns how many appointments a practice of `patients` has on `day`.
pub(crate) fn appointments_on(patients: usize, day: Date) -> u64 {
    let weekday = (patients as u64 / 25).max(8);
    match day.weekday() {
        Weekday::Saturday | Weekday::Sunday => weekday.div_ceil(3),
        _ => weekday,
    }
}

/// Returns appointment `at` of `day`.
pub(crate) fn appointment(seed: u64, patients: usize, today: Date, day: Date, at: u64) -> Value {
    let mut random = Random::of(seed, &format!("appointment-{day}"), at);
    let patient = person(seed, random.below(patients as u64), today);
    let clinician = &CLINICIANS[usize::try_from(at % CLINICIANS.len() as u64).unwrap_or(0)];
    let slot = at / CLINICIANS.len() as u64 % (MORNING_SLOTS + AFTERNOON_SLOTS);
    let status = draw_status(&mut random, today, day, (at, appointments_on(patients, day)));
    let minutes = if slot < MORNING_SLOTS {
        MORNING_BEGINS + slot * SLOT_MINUTES
    } else {
        AFTERNOON_BEGINS + (slot - MORNING_SLOTS) * SLOT_MINUTES
    };
    let channel = random.pick(&["In-person", "In-person", "In-person", "Telephone", "Telephone", "Video"]);
    let created = days_before(day, random.between(0, 21)).min(today);
    let mut appointment = json!({
        "resourceType": "Appointment",
        "id": random.uuid(),
        "meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Appointment"]},
        "extension": [{
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeliveryChannel",
            "valueCode": channel
        }],
        "status": status,
        "serviceType": [{"text": clinician.role.1}],
        "appointmentType": concept("185389009", "Follow-up visit"),
        "reasonCode": [{"text": random.pick(VISIT_REASONS)}],
        "description": if slot < MORNING_SLOTS { "Morning surgery" } else { "Afternoon surgery" },
        "start": local(day, minutes),
        "end": local(day, minutes + SLOT_MINUTES),
        "minutesDuration": SLOT_MINUTES,
        "created": instant(created, &mut random),
        "participant": participants(&patient, clinician.reference())
    });
    if random.chance(12) {
        let comment =
            random.pick(&["Running late, will call", "Needs ground floor room", "Bring blood form"]);
        appointment["comment"] = json!(comment);
    }
    if status == "cancelled" {
        appointment["cancelationReason"] = json!({"text": "Cancelled by patient"});
    }
    appointment
}

fn draw_status(random: &mut Random, today: Date, day: Date, (at, of): (u64, u64)) -> &'static str {
    let draw = random.below(100);
    match (day.cmp(&today), draw) {
        (_, 0..5) => "cancelled",
        (std::cmp::Ordering::Less, 5..15) => "noshow",
        (std::cmp::Ordering::Less, _) => "fulfilled",
        (std::cmp::Ordering::Equal, _) if at < of / 4 => "fulfilled",
        (std::cmp::Ordering::Equal, _) if at < of / 2 => "arrived",
        _ => "booked",
    }
}

fn participants(patient: &Person, clinician: Value) -> Value {
    let name = format!("{} {}", patient.name.given.join(" "), patient.name.family);
    json!([
        {"actor": {"reference": format!("Patient/{}", patient.id), "display": name}, "status": "accepted"},
        {"actor": clinician, "status": "accepted"},
        {"actor": location_reference(), "status": "accepted"}
    ])
}

/// Returns a British wall-clock time of `day` with its offset.
fn local(day: Date, minutes: u64) -> String {
    let minutes = i64::try_from(minutes).unwrap_or(0);
    let wall = day.at(0, 0, 0, 0).saturating_add(Span::new().minutes(minutes));
    match wall.to_zoned(london()) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => format!("{wall}Z"),
    }
}
