//! FHIR R4 as it arrives: which patients a document speaks of, and its resources, each with its owner.
//!
//! [`outline`] is the cheap look that every new or changed document gets; [`split`] takes it apart.
//! Both read any arrangement of R4 resources: a resource alone, a line of Bulk Data, Bundles of every
//! type (also one inside another), a list, Parameters that answer an operation. Both skip what cannot be used,
//! with its place and reason ([`Outline::skipped`]); only a document that is as a whole something else
//! fails.
//!
//! Resources stay as the source wrote them, except for white space between their parts, and for
//! characters that could not be decoded, which are replaced and reported.
//!
//! The rule by which a person is known is that of [`PatientName`]; the rule by which resources find
//! their patient is in the `owners` module.

mod composition;
mod identity;
mod owners;
mod reference;
mod shell;
mod types;
mod version;
mod walk;

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use composition::Listing;
pub use composition::{EmptyReason, SectionFact};
pub use identity::{Claim, PatientName};
pub(crate) use identity::{hex, identify, is_nhs_number_system, name_rank};
use owners::Patients;
pub(crate) use reference::type_slash_id;
pub use types::{ResourceType, SectionSet, TypeSet};
use walk::{Found, Scope, Walk, walk};

use crate::date::practice_day;
use crate::json::{self, Json};
use crate::problem::{Problem, Reason};
use crate::record::{fill_participants, sections_supplied};
use crate::section::SectionId;

/// To whom or to what a resource belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A patient whose own resource is in the same document.
    Patient(PatientName),
    /// A patient by a reference (`Patient/123`), whom another document must claim.
    Reference(String),
    /// The practice's day list of this day.
    Day(Date),
    /// Any patient whose resources refer to it.
    Shared,
}

/// What part a resource plays in its owner's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It is an item of the record, or the patient.
    Item,
    /// It is there for others to refer to, and is kept only where they do.
    Supporting,
    /// It is the source's own table of contents.
    Composition,
}

/// What a document contributes to, at a cheap look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Every owner of the document's resources, once, sorted.
    pub owners: Vec<Owner>,
    /// The references that mean patients whose own resource is here.
    pub claims: Vec<Claim>,
    /// What kinds of resource the document supplies.
    pub types: TypeSet,
    /// How many resources could be read.
    pub resources: u32,
    /// What was skipped, and notes on what was read.
    #[serde(skip)]
    pub skipped: Vec<Problem>,
}

/// The days for which day lists are kept, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayWindow {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl DayWindow {
    /// Says whether the window holds a day.
    pub fn contains(&self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

/// One resource on its way to one owner's record.
#[derive(Clone, Serialize, Deserialize)]
pub struct Piece {
    /// Whose record it belongs to.
    pub owner: Owner,
    /// Its type.
    pub kind: ResourceType,
    /// What part it plays there.
    pub role: Role,
    /// The resource as JSON text, as the source wrote it.
    pub resource: Box<str>,
    /// The `fullUrl` of its Bundle's entry.
    pub full_url: Option<String>,
    /// The section in which the source's own Composition lists it.
    pub listed: Option<SectionId>,
    /// What a Composition says about its sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<SectionFact>,
    /// The patients of an appointment on a day list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patients: Vec<Owner>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece")
            .field("kind", &self.kind)
            .field("role", &self.role)
            .field("bytes", &self.resource.len())
            .finish_non_exhaustive()
    }
}

/// Returns what a document contributes to, without taking it apart.
///
/// Days are those of all its appointments, in whatever window.
pub fn outline(document: &[u8]) -> Result<Outline, Problem> {
    with_walk(document, |walk, notes| {
        let mut outline = Outline { resources: walk.resources, ..Outline::default() };
        let mut owners = BTreeSet::new();
        for scope in &walk.scopes {
            outline_scope(scope, &mut owners, &mut outline);
        }
        outline.owners = owners.into_iter().collect();
        outline.skipped.splice(0..0, notes.into_iter().chain(walk.skipped));
        alone_and_useless(&walk.scopes, &mut outline.skipped, outline.owners.is_empty())?;
        Ok(outline)
    })
}

/// Takes a document apart into its resources, each with an owner; a resource with several owners comes
/// once for each. What is skipped is in [`Outline::skipped`].
pub fn split(document: &[u8], window: &DayWindow) -> Result<Vec<Piece>, Problem> {
    with_walk(document, |walk, _| {
        let mut pieces = Vec::with_capacity(walk.resources as usize);
        for scope in &walk.scopes {
            split_scope(scope, window, &mut pieces);
        }
        Ok(pieces)
    })
}

/// Walks a document after mending what can be mended in its text.
fn with_walk<T>(
    document: &[u8],
    each: impl FnOnce(Walk<'_>, Option<Problem>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let (text, note) = match std::str::from_utf8(document) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => {
            let note = Problem::whole(Reason::NotUtf8);
            (String::from_utf8_lossy(document), Some(note))
        }
    };
    let walked = walk(&text);
    let can_be_mended = match &walked {
        Ok(walked) => walked.has_half_escapes,
        Err(Reason::NotJson { .. }) => json::mend_escapes(&text) != text,
        Err(_) => false,
    };
    if !can_be_mended {
        return each(walked.map_err(Problem::whole)?, note);
    }
    let mended = json::mend_escapes(&text);
    let walked = walk(&mended).map_err(Problem::whole)?;
    each(walked, Some(Problem::whole(Reason::NotUtf8)))
}

fn outline_scope(scope: &Scope<'_>, owners: &mut BTreeSet<Owner>, outline: &mut Outline) {
    let patients = Patients::of(scope);
    outline.claims.extend_from_slice(&patients.claims);
    for found in &scope.found {
        match patients.owners(found) {
            Ok(ownership) => owners.extend(ownership.owners),
            Err(reason) => outline.skipped.push(Problem { place: found.place, reason }),
        }
        owners.extend(day_of(found).map(Owner::Day));
        outline.types.insert(found.kind);
        let sections = sections_supplied(found.kind, found.head.category, found.head.code);
        outline.types.sections.extend(sections);
    }
    outline.types.sections.extend(Listing::of(scope).supplied());
    outline.claims.sort_unstable();
    outline.claims.dedup();
}

/// Turns the problem of a resource that stands alone into the document's.
fn alone_and_useless(
    scopes: &[Scope<'_>],
    skipped: &mut Vec<Problem>,
    owns_nothing: bool,
) -> Result<(), Problem> {
    let alone = scopes.iter().all(|scope| scope.form == walk::Form::Alone);
    match skipped.pop() {
        Some(problem) if alone && owns_nothing && !problem.reason.is_note() => Err(problem),
        Some(problem) => {
            skipped.push(problem);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Returns the practice's day of an appointment.
fn day_of(found: &Found<'_>) -> Option<Date> {
    if found.kind.name() != "Appointment" {
        return None;
    }
    practice_day(&found.head.start?.string()?)
}

fn split_scope(scope: &Scope<'_>, window: &DayWindow, pieces: &mut Vec<Piece>) {
    let patients = Patients::of(scope);
    let mut listing = Listing::of(scope);
    for (at, found) in scope.found.iter().enumerate() {
        let ownership = patients.owners(found).ok();
        let day = day_of(found).filter(|day| window.contains(*day));
        if let Some(day) = day {
            let patients = ownership.as_ref().map(|known| known.owners.clone());
            pieces.push(day_piece(scope, found, day, patients.unwrap_or_default()));
        }
        let Some(ownership) = ownership else {
            continue;
        };
        let listed = listing.sections.get(&at).copied();
        let role = match (ownership.role, listed) {
            // A source that lists a medicine itself means it as an item.
            (Role::Supporting, Some(_)) => Role::Item,
            (role, _) => role,
        };
        let facts = listing.facts.remove(&at).unwrap_or_default();
        for owner in ownership.owners {
            pieces.push(Piece {
                owner,
                kind: found.kind,
                role,
                resource: json::compact(found.json).into(),
                full_url: found.full_url.as_deref().map(str::to_owned),
                listed,
                facts: facts.clone(),
                patients: Vec::new(),
            });
        }
    }
}

fn day_piece(scope: &Scope<'_>, found: &Found<'_>, day: Date, patients: Vec<Owner>) -> Piece {
    let display = |reference: &str| {
        let key = type_slash_id(reference);
        let named = scope.found.iter().find(|other| {
            other.full_url.as_deref() == Some(reference)
                || key.as_deref().is_some_and(|key| {
                    other.id.as_deref().is_some_and(|id| {
                        key.strip_suffix(id).and_then(|kind| kind.strip_suffix('/'))
                            == Some(other.kind.name())
                    })
                })
        })?;
        crate::record::display_name(named.kind, named.json)
    };
    let filled = fill_participants(found.json, &display);
    Piece {
        owner: Owner::Day(day),
        kind: found.kind,
        role: Role::Item,
        resource: filled.into(),
        full_url: found.full_url.as_deref().map(str::to_owned),
        listed: None,
        facts: Vec::new(),
        patients,
    }
}

impl Piece {
    /// Returns the resource for looking into.
    pub(crate) fn json(&self) -> Json<'_> {
        Json::known(&self.resource)
    }
}

#[cfg(test)]
mod tests;
