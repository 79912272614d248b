//! A practice's appointments of one day, as one record.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::dedupe::Deduped;
use super::held::Held;
use super::shared::{SharedResources, display_name};
use crate::fhir::{Owner, Piece};
use crate::json::{self, Json};
use crate::problem::{Problem, Reason};

/// The extension of an Appointment that carries a patient's record key.
pub const PATIENT_KEY_EXTENSION: &str = "urn:lifeboat:patient-key";

/// The appointments of one day.
#[derive(Clone, PartialEq, Eq)]
pub struct DayListRecord {
    /// The record: a FHIR Bundle.
    pub bytes: Vec<u8>,
    /// How many appointments it holds.
    pub appointments: u32,
    /// What could not be done.
    pub problems: Vec<Problem>,
}

impl std::fmt::Debug for DayListRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DayListRecord")
            .field("appointments", &self.appointments)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// Builds the day list of `day` from its pieces, in whatever order they come.
///
/// `resolve` turns the text of a [`crate::fhir::PatientName`] or a reference such as `Patient/123` into
/// the record key, in hex. An appointment whose patient it does not know is kept without a key.
pub fn build_day_list(
    day: Date,
    appointments: Vec<Piece>,
    resolve: &dyn Fn(&str) -> Option<String>,
    shared: &SharedResources,
) -> DayListRecord {
    let mut patients: BTreeMap<&str, BTreeSet<&Owner>> = BTreeMap::new();
    for piece in &appointments {
        let known = patients.entry(&piece.resource).or_default();
        known.extend(&piece.patients);
    }
    let deduped = Deduped::of(&appointments);
    let mut problems: Vec<Problem> = deduped.problems().collect();
    let mut rows = Vec::with_capacity(deduped.pieces.len());
    for held in &deduped.pieces {
        let mut keys = BTreeSet::new();
        for owner in patients.get(held.text.as_ref()).into_iter().flatten() {
            let key = match owner {
                Owner::Patient(name) => resolve(name.as_str()),
                Owner::Reference(reference) => resolve(reference),
                Owner::Day(_) | Owner::Shared => None,
            };
            match key {
                Some(key) => {
                    keys.insert(key);
                }
                None => problems.push(Problem { place: held.place(), reason: Reason::UnknownPatient }),
            }
        }
        let named = |reference: &str| {
            let found = shared.resolve(reference)?;
            display_name(found.kind, found.json())
        };
        let filled = fill_participants(held.json(), &named);
        rows.push((start_of(held), with_keys(&filled, &keys), held.url()));
    }
    rows.sort();
    let mut urls = BTreeMap::new();
    let mut text =
        format!("{{\"resourceType\":\"Bundle\",\"id\":\"day-{day}\",\"type\":\"collection\",\"entry\":[");
    for (at, (_, resource, url)) in rows.iter().enumerate() {
        let times = urls.entry(url).or_insert(0);
        *times += 1;
        let url = match *times {
            1 => url.to_string(),
            times => format!("{url}#{times}"),
        };
        text.push_str(if at > 0 { ",{\"fullUrl\":" } else { "{\"fullUrl\":" });
        json::push_string(&mut text, &url);
        text.push_str(",\"resource\":");
        text.push_str(resource);
        text.push('}');
    }
    text.push_str("]}");
    problems.sort_unstable();
    problems.dedup();
    DayListRecord {
        bytes: text.into_bytes(),
        appointments: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        problems,
    }
}

/// Returns what orders appointments in time, also across offsets.
fn start_of(held: &Held<'_>) -> (Option<jiff::Timestamp>, String) {
    let start = held.members.start.and_then(Json::string).unwrap_or_default();
    (crate::date::instant(&start), start.into_owned())
}

/// Adds the record keys to an appointment, as extensions.
fn with_keys(appointment: &str, keys: &BTreeSet<String>) -> String {
    let appointment = Json::known(appointment);
    if keys.is_empty() {
        return appointment.text().to_owned();
    }
    let mut extensions: Vec<String> = appointment
        .field("extension")
        .map(Json::items)
        .unwrap_or_default()
        .into_iter()
        .map(|extension| extension.text().to_owned())
        .collect();
    for key in keys {
        let mut extension = format!("{{\"url\":\"{PATIENT_KEY_EXTENSION}\",\"valueString\":");
        json::push_string(&mut extension, key);
        extension.push('}');
        extensions.push(extension);
    }
    let extensions = format!("[{}]", extensions.join(","));
    replace_member(appointment, "extension", &extensions)
}

/// Writes the names of participants that the source left out and `name_of` knows.
pub(crate) fn fill_participants(appointment: Json<'_>, name_of: &dyn Fn(&str) -> Option<String>) -> String {
    let compacted = json::compact(appointment);
    let appointment = Json::known(&compacted);
    let mut changed = false;
    let participants: Vec<String> = appointment
        .field("participant")
        .map(Json::items)
        .unwrap_or_default()
        .into_iter()
        .map(|participant| match named_participant(participant, name_of) {
            Some(named) => {
                changed = true;
                named
            }
            None => participant.text().to_owned(),
        })
        .collect();
    if !changed {
        return compacted.into_owned();
    }
    let participants = format!("[{}]", participants.join(","));
    replace_member(appointment, "participant", &participants)
}

/// Returns the participant with its actor's name, when that was missing and is known.
fn named_participant(participant: Json<'_>, name_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let actor = participant.field("actor")?;
    let [reference, display] = actor.fields(["reference", "display"]);
    if display.is_some() {
        return None;
    }
    let name = name_of(&reference?.string()?)?;
    let mut display = String::new();
    json::push_string(&mut display, &name);
    let actor = replace_member(actor, "display", &display);
    Some(replace_member(participant, "actor", &actor))
}

/// Writes an object with one member replaced, or added at its end.
fn replace_member(object: Json<'_>, name: &str, value: &str) -> String {
    let members = object.members();
    let others =
        members.iter().filter(|(key, _)| key != name).map(|(key, value)| (key.as_ref(), value.text()));
    json::object(others.chain([(name, value)]))
}
