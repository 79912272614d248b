//! A day's appointments by clinician and half of the day.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};

use super::ViewError;
use super::datatypes;
use super::dates;
use super::held::{Held, kind_of};
use super::leftover;
use super::node::{self, At};
use super::shape::{DayListView, HalfDay, SessionView, SlotView};

/// The extension that carries the key of the patient's record.
const PATIENT_KEY: &str = "urn:lifeboat:patient-key";
/// What stands where the appointment names no clinician.
const NO_CLINICIAN: &str = "Clinician not recorded";
/// The hour from which an appointment belongs to the afternoon.
const AFTERNOON_BEGINS: i8 = 13;

/// An appointment and the time that it is sorted by.
type Timed = (Option<DateTime>, SlotView);

/// Reads a day list record.
pub fn day_list_view(record: &[u8]) -> Result<DayListView, ViewError> {
    let tree = node::parse(record).map_err(ViewError::from_tree)?;
    let bundle = At::root(&tree);
    if kind_of(bundle) != Some("Bundle") {
        return Err(ViewError::NotABundle);
    }
    let held = Held::of_bundle(bundle);
    let mut sessions: BTreeMap<(HalfDay, String), Vec<Timed>> = BTreeMap::new();
    let mut day = bundle.field("id").peek().and_then(|id| id.strip_prefix("day-")?.parse::<Date>().ok());
    for (_, resource) in held.all() {
        let start = resource.field("start").peek().and_then(dates::wall_clock);
        day = day.or_else(|| start.map(|start| start.date()));
        let slot = slot(&held, resource, start);
        sessions.entry((half(start), slot.clinician.clone())).or_default().push((start, slot));
    }
    let mut sessions: Vec<SessionView> = sessions
        .into_iter()
        .map(|((half, clinician), mut slots)| {
            slots.sort_by_key(|(start, _)| *start);
            SessionView { clinician, half, slots: slots.into_iter().map(|(_, slot)| slot).collect() }
        })
        .collect();
    sessions.sort_by(|one, other| (one.half, &one.clinician).cmp(&(other.half, &other.clinician)));
    let title = day.map_or_else(|| "Day not recorded".to_owned(), dates::show_weekday);
    Ok(DayListView { day, title, sessions })
}

fn half(start: Option<DateTime>) -> HalfDay {
    match start {
        None => HalfDay::Untimed,
        Some(start) if start.hour() < AFTERNOON_BEGINS => HalfDay::Morning,
        Some(_) => HalfDay::Afternoon,
    }
}

fn slot<'n>(held: &Held<'n>, item: At<'n>, start: Option<DateTime>) -> SlotView {
    let raw_start = item.field("start").text();
    let time = start.map(dates::show_time).or_else(|| raw_start.map(str::to_owned));
    let end = item.field("end").text();
    let (status, is_void) = status(item);
    let people = people(held, item);
    let mut reasons = datatypes::concepts(item.field("reasonCode"));
    reasons.extend(datatypes::references(held, item.field("reasonReference"), item));
    if reasons.is_empty() {
        reasons.extend(item.field("description").text().map(str::to_owned));
    }
    SlotView {
        time: time.unwrap_or_else(|| "No time".to_owned()),
        until: end.map(|end| dates::wall_clock(end).map_or_else(|| end.to_owned(), dates::show_time)),
        patient_key: patient_key(item),
        name_as_booked: people.patient,
        status,
        is_void,
        channel: datatypes::extension(held, item, "DeliveryChannel"),
        reason: (!reasons.is_empty()).then(|| reasons.join(", ")),
        clinician: people.clinician.unwrap_or_else(|| NO_CLINICIAN.to_owned()),
        location: people.location,
        details: leftover::in_words(held, item),
        more: leftover::raw(item),
    }
}

fn status(item: At<'_>) -> (String, bool) {
    let words = match item.field("status").text() {
        Some("booked") => "Booked",
        Some("arrived") => "Arrived",
        Some("checked-in") => "Checked in",
        Some("fulfilled") => "Seen",
        Some("noshow") => "Did not attend",
        Some("cancelled") => return ("CANCELLED".to_owned(), true),
        Some("entered-in-error") => return ("ENTERED IN ERROR".to_owned(), true),
        Some(other) => return (leftover::label(other), false),
        None => "Not stated",
    };
    (words.to_owned(), false)
}

fn patient_key(item: At<'_>) -> Option<String> {
    let extension =
        item.field("extension").items().find(|extension| extension.field("url").is(PATIENT_KEY))?;
    let key = extension.choice("value")?.1.text()?;
    extension.mark();
    Some(key.to_owned())
}

/// Who and where, as the participants of an appointment say.
#[derive(Default)]
struct People {
    patient: Option<String>,
    clinician: Option<String>,
    location: Option<String>,
}

fn people<'n>(held: &Held<'n>, item: At<'n>) -> People {
    let mut people = People::default();
    for participant in item.field("participant").items() {
        let actor = participant.field("actor");
        let place = match actor_kind(actor).as_deref() {
            Some("Patient") => &mut people.patient,
            Some("Practitioner" | "PractitionerRole") => &mut people.clinician,
            Some("Location") => &mut people.location,
            _ => continue,
        };
        if place.is_none() {
            *place = datatypes::reference(held, actor, item);
        }
    }
    people
}

fn actor_kind(actor: At<'_>) -> Option<String> {
    if let Some(kind) = actor.field("type").peek() {
        return Some(kind.to_owned());
    }
    let mut parts = actor.field("reference").peek()?.rsplit('/');
    parts.next();
    parts.next().map(str::to_owned)
}
