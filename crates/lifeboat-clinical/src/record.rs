//! Records out of pieces: a patient's summary as one FHIR document, and a day's appointments.
//!
//! [`build_patient_record`] takes all pieces of one patient, in any order, and makes one Bundle of
//! type `document`: a Composition, the Patient, every item that lies within its section's window, and the
//! supporting resources that these refer to. Resources are spliced in as the source wrote them. The
//! same pieces give the same bytes, whatever their order; nothing but `today` moves the windows.
//!
//! Each section says what the presence or absence of items means ([`SectionState`]), from the items, from
//! what the source says about its own section, and from what the feed supplies for anybody
//! ([`FeedProfile`]). The source's own Composition is not kept, for it only repeats what our sections
//! hold, unless it has sections that are narrative text and nothing else: then it is an other item.
//!
//! A patient marked restricted, very restricted or sensitive (`meta.security` R, V or S) loses
//! address, telephone numbers, contacts, narrative and contained resources here, before anything is stored,
//! and so do the persons related to them; the directory flags them as sensitive.

mod classify;
mod codes;
mod compose;
mod day_list;
mod dedupe;
mod held;
mod medication;
mod person;
mod quality;
mod shared;
mod states;
mod window;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub(crate) use classify::sections_supplied;
use classify::{Context, Item};
pub(crate) use day_list::fill_participants;
pub use day_list::{DayListRecord, PATIENT_KEY_EXTENSION, build_day_list};
use dedupe::Deduped;
use held::{Held, key_of};
pub use person::{Died, FLAG_DECEASED, FLAG_INTERPRETER, FLAG_LEFT, FLAG_SENSITIVE, Person};
pub use quality::RecordQuality;
pub use shared::SharedResources;
use shared::Support;
pub(crate) use shared::display_name;
pub use window::Windows;

use crate::date::window_start;
use crate::fhir::{Piece, ResourceType, Role, SectionFact, TypeSet};
use crate::json::{self, Json};
use crate::problem::{Problem, Reason};
use crate::section::{SectionId, SectionState};

/// The most bytes of one record; readers refuse more than 64 MiB.
const RECORD_BYTES_MAX: usize = 60 << 20;

/// The most bytes of one item, so that one scanned letter does not displace the rest.
const ITEM_BYTES_MAX: usize = 8 << 20;

/// What a feed has been seen to supply, for anybody, and how much of it the site keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedProfile {
    /// The union of all documents' [`crate::fhir::Outline::types`].
    pub supplied: TypeSet,
    /// How far back sections go.
    pub windows: Windows,
}

impl FeedProfile {
    /// Says whether the feed supplies items of a section.
    pub fn supplies(&self, section: SectionId) -> bool {
        self.supplied.sections.contains(section)
    }
}

/// One patient's record and what the manifest and the directory say of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientRecord {
    /// The record: a FHIR Bundle.
    pub bytes: Vec<u8>,
    /// Who the patient is.
    pub person: Person,
    /// Every section in order, its state and how many items it holds.
    pub sections: Vec<(SectionId, SectionState, u32)>,
    /// How sound the record looks.
    pub quality: RecordQuality,
    /// What could not be done.
    pub problems: Vec<Problem>,
    /// The shared resources (`Type/id`) that the record refers to, held in it or not.
    pub shared: Vec<String>,
}

impl std::fmt::Debug for PatientRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatientRecord")
            .field("bytes", &self.bytes.len())
            .field("sections", &self.sections)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// How much of a section the records of a snapshot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionCount {
    /// Patients with at least one item.
    pub patients: u64,
    /// Items of all patients.
    pub items: u64,
}

/// Counts of all sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionCounts([SectionCount; SectionId::ALL.len()]);

impl SectionCounts {
    /// Counts a record in.
    pub fn add(&mut self, sections: &[(SectionId, SectionState, u32)]) {
        for (section, _, items) in sections {
            let count = &mut self.0[section.order()];
            count.patients += u64::from(*items > 0);
            count.items += u64::from(*items);
        }
    }

    /// Counts a record out that was counted in.
    pub fn remove(&mut self, sections: &[(SectionId, SectionState, u32)]) {
        for (section, _, items) in sections {
            let count = &mut self.0[section.order()];
            count.patients = count.patients.saturating_sub(u64::from(*items > 0));
            count.items = count.items.saturating_sub(u64::from(*items));
        }
    }

    /// Returns the count of a section.
    pub fn of(&self, section: SectionId) -> SectionCount {
        self.0[section.order()]
    }

    /// Returns every section with its count, in order.
    pub fn iter(&self) -> impl Iterator<Item = (SectionId, SectionCount)> + '_ {
        SectionId::ALL.into_iter().zip(self.0)
    }
}

/// Builds a patient's record from all of their pieces.
pub fn build_patient_record(
    pieces: Vec<Piece>,
    shared: &SharedResources,
    feed: &FeedProfile,
    today: Date,
) -> PatientRecord {
    let deduped = Deduped::of(&pieces);
    let mut problems: Vec<Problem> = deduped.problems().collect();
    let differing = deduped.differing.clone();
    let mut parts = Parts::of(deduped.pieces);
    problems.append(&mut parts.problems);

    let context =
        Context { today, acute_since: window_start(today, 12), report_members: report_members(&parts.items) };
    let items = std::mem::take(&mut parts.items).into_iter();
    let mut items: Vec<Item<'_>> = items.map(|held| Item::of(held, &context)).collect();
    items.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    let mut notes = window::apply(&mut items, &feed.windows, today);
    limit_size(&mut items, &mut notes, &mut problems);

    let patient = parts.patient.as_ref();
    let roots = items.iter().map(|item| item.held.source);
    let roots = roots.chain(patient.map(|patient| patient.source));
    let support = Support::of(roots, &parts.supporting, shared);
    notes.extend(copies_notes(&items, &differing, &support));

    let name_of = |reference: &str| {
        let key = key_of(reference.into());
        let mut own = parts.supporting.iter();
        match own.find(|held| held.keys().any(|known| known == key)) {
            Some(held) => display_name(held.kind, held.json()),
            None => shared.resolve(reference).and_then(|piece| display_name(piece.kind, piece.json())),
        }
    };
    let mut person = patient.map(|patient| Person::of(patient.json(), &name_of));
    if parts.is_sensitive {
        person.iter_mut().for_each(Person::flag_sensitive);
    }
    if person.is_none() {
        problems.push(Problem::whole(Reason::NoPatientDetails));
    }
    let sections = states::sections(&items, &parts.facts, feed, &mut notes);
    let quality = quality_of(patient, &items);
    let bytes = compose::bundle(patient, &items, &support.pieces, &sections);
    problems.sort_unstable();
    problems.dedup();
    PatientRecord {
        bytes,
        person: person.unwrap_or_default(),
        sections: sections.iter().map(|section| (section.id, section.state, section.items)).collect(),
        quality,
        problems,
        shared: support.keys,
    }
}

fn quality_of(patient: Option<&Held<'_>>, items: &[Item<'_>]) -> RecordQuality {
    let mut quality = RecordQuality::default();
    if let Some(patient) = patient {
        quality.count_numbers(patient.json());
        quality.count(&patient.text);
    }
    items.iter().for_each(|item| quality.count(&item.held.text));
    quality
}

/// A patient's pieces by the part they play.
#[derive(Default)]
struct Parts<'p> {
    patient: Option<Held<'p>>,
    items: Vec<Held<'p>>,
    supporting: Vec<Held<'p>>,
    facts: Vec<&'p SectionFact>,
    problems: Vec<Problem>,
    /// Whether any copy of the patient's details is marked sensitive.
    is_sensitive: bool,
}

impl<'p> Parts<'p> {
    fn of(pieces: Vec<Held<'p>>) -> Self {
        let mut parts = Self::default();
        let mut patients = Vec::new();
        for mut held in pieces {
            match held.role {
                Role::Supporting => parts.supporting.push(held),
                Role::Item if held.kind.name() == "Patient" => patients.push(held),
                Role::Item if held.text.len() > ITEM_BYTES_MAX => {
                    parts.problems.push(Problem {
                        place: held.place(),
                        reason: Reason::ItemTooLarge(ITEM_BYTES_MAX as u64),
                    });
                }
                Role::Item => parts.items.push(held),
                Role::Composition => {
                    let narrative = held.facts.iter().any(|fact| fact.narrative_only);
                    parts.facts.append(&mut held.facts);
                    if narrative {
                        parts.items.push(held);
                    }
                }
            }
        }
        parts.facts.sort_unstable();
        parts.facts.dedup();
        parts.take_patient(patients);
        parts
    }

    /// Chooses the patient's newest details; other copies that say something else become other items.
    fn take_patient(&mut self, mut patients: Vec<Held<'p>>) {
        patients.sort_by_cached_key(|held| {
            let updated = held.last_updated().map(|(instant, _)| instant);
            std::cmp::Reverse((updated, held.text.len(), held.text.clone()))
        });
        self.is_sensitive = patients.iter().any(|held| person::is_sensitive(held.json()));
        let mut known = HashSet::new();
        for mut held in patients {
            let first = known.is_empty();
            let new = known.insert(details(held.json()));
            if self.is_sensitive {
                withhold_whereabouts(&mut held);
            }
            if first {
                self.patient = Some(held);
            } else if new {
                self.items.push(held);
            }
        }
        if self.is_sensitive {
            let related = self.items.iter_mut();
            for held in related.filter(|held| held.kind.name() == "RelatedPerson") {
                withhold_whereabouts(held);
            }
        }
    }
}

fn withhold_whereabouts(held: &mut Held<'_>) {
    held.text = person::without_whereabouts(held.json()).into();
}

/// Returns what a Patient resource says, without what differs between copies of one person.
fn details(patient: Json<'_>) -> String {
    let members = patient.members();
    let telling = members.iter().filter(|(key, _)| {
        !matches!(
            key.as_ref(),
            "id" | "meta" | "text" | "identifier" | "generalPractitioner" | "managingOrganization" | "link"
        )
    });
    let mut telling: Vec<(&str, &str)> = telling.map(|(key, value)| (key.as_ref(), value.text())).collect();
    telling.sort_unstable();
    json::object(telling)
}

/// Returns the references to observations that are parts of reports.
fn report_members<'p>(items: &[Held<'p>]) -> HashSet<Cow<'p, str>> {
    items.iter().filter(|held| held.kind.name() == "DiagnosticReport").flat_map(window::member_keys).collect()
}

/// Leaves the largest items out, other items first, until the record is small enough.
fn limit_size(items: &mut Vec<Item<'_>>, notes: &mut Vec<(SectionId, String)>, problems: &mut Vec<Problem>) {
    let size = |item: &Item<'_>| item.held.text.len() + 512;
    let mut total: usize = items.iter().map(size).sum();
    if total <= RECORD_BYTES_MAX {
        return;
    }
    problems.push(Problem::whole(Reason::RecordTooLarge(RECORD_BYTES_MAX as u64)));
    let mut by_size: Vec<usize> = (0..items.len()).collect();
    by_size.sort_by_key(|at| std::cmp::Reverse((items[*at].section, size(&items[*at]), *at)));
    let mut dropped = HashSet::new();
    for at in by_size {
        if total <= RECORD_BYTES_MAX {
            break;
        }
        total -= size(&items[at]);
        dropped.insert(at);
        let note = "Some items are too large to be held in this copy.".to_owned();
        let note = (items[at].section, note);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let mut at = 0..items.len();
    items.retain(|_| !at.next().is_some_and(|at| dropped.contains(&at)));
}

/// Says in every section that is touched by it that copies differ.
fn copies_notes(
    items: &[Item<'_>],
    differing: &[ResourceType],
    support: &Support<'_>,
) -> Vec<(SectionId, String)> {
    let mut notes = BTreeSet::new();
    if differing.is_empty() && support.doubtful.is_empty() {
        return Vec::new();
    }
    for item in items {
        if differing.contains(&item.held.kind) {
            let note = "Some items were supplied in two versions that differ; both are shown.";
            notes.insert((item.section, note.to_owned()));
        }
        json::each_reference(item.held.source, |reference| {
            if let Some(kind) = support.doubtful.get(&key_of(reference)) {
                let note = format!(
                    "Some items refer to a resource ({kind}) that was supplied in two versions that differ; check with the source."
                );
                notes.insert((item.section, note));
            }
        });
    }
    notes.into_iter().collect()
}

#[cfg(test)]
mod tests;
