//! The sections of a record: which items each has, what its state is, and what to say about it.

use std::collections::HashSet;

use super::allergies;
use super::datatypes;
use super::entries;
use super::held::{Held, kind_of};
use super::leftover;
use super::medication;
use super::node::At;
use super::row::{self, Layout};
use super::shape::{AllergyHeader, Emphasis, Gap, SectionView, TableView};
use crate::section::{SECTION_NOTE_EXTENSION, SECTION_STATE_EXTENSION, SECTION_SYSTEM};
use crate::{SectionId, SectionState};

/// What the record says about one section.
struct Listed<'n> {
    section: At<'n>,
    state: SectionState,
    items: Vec<At<'n>>,
    /// Entries that name nothing in this copy.
    missing: Vec<String>,
    notes: Vec<String>,
}

/// Returns the allergy header, the active alerts and every section.
pub(crate) fn sections<'n>(held: &Held<'n>) -> (AllergyHeader, Vec<String>, Vec<SectionView>) {
    let composition = held.first("Composition").map_or(At::NOTHING, |(_, composition)| composition);
    let frame = [held.first("Composition"), held.first("Patient")].map(|found| found.map(|(at, _)| at));
    let mut placed: Vec<bool> =
        held.all().map(|(at, resource)| frame.contains(&Some(at)) || is_relative(resource)).collect();
    let mut listed: Vec<Listed<'n>> =
        SectionId::ALL.into_iter().map(|id| list(held, composition, id, &mut placed)).collect();
    let (named, rest): (Vec<At<'n>>, Vec<At<'n>>) = held
        .all()
        .filter(|(at, _)| !placed.get(*at).copied().unwrap_or(true))
        .map(|(_, resource)| resource)
        .partition(|resource| kind_of(*resource).is_some_and(|kind| entries::NAMED_KINDS.contains(&kind)));
    if let Some(other) = listed.get_mut(SectionId::OtherItems.order()) {
        other.items.extend(rest);
        if !other.items.is_empty() {
            other.state = SectionState::Recorded;
        }
    }
    let mut views: Vec<SectionView> =
        SectionId::ALL.into_iter().zip(&listed).map(|(id, listed)| view(held, id, listed)).collect();
    // The header and the alerts repeat what the sections show, and must not keep it from there.
    let at = |id: SectionId| &listed[id.order()];
    let allergies = at(SectionId::Allergies);
    let header = allergies::header(
        held,
        allergies.section,
        allergies.state,
        &everywhere(held, &allergies.items),
        incompleteness(allergies),
    );
    let alerts = active_alerts(&at(SectionId::Alerts).items);
    if let Some(other) = views.last_mut() {
        other.tables.extend(row::tables(held, &[&entries::NAMED], &named));
    }
    (header, alerts, views)
}

/// Returns the items of the allergies, and every allergy that the record holds outside that section: the header must
/// not miss one because it is listed elsewhere, or nowhere.
fn everywhere<'n>(held: &Held<'n>, items: &[At<'n>]) -> Vec<At<'n>> {
    let listed: HashSet<_> = items.iter().map(|item| item.address()).collect();
    let stray = held.all().map(|(_, resource)| resource).filter(|resource| {
        kind_of(*resource) == Some("AllergyIntolerance") && !listed.contains(&resource.address())
    });
    items.iter().copied().chain(stray).collect()
}

/// Says whether a resource is shown with the banner, among the contacts.
fn is_relative(resource: At<'_>) -> bool {
    kind_of(resource) == Some("RelatedPerson")
}

fn list<'n>(held: &Held<'n>, composition: At<'n>, id: SectionId, placed: &mut [bool]) -> Listed<'n> {
    let mut listed = Listed {
        section: At::NOTHING,
        state: SectionState::Unavailable,
        items: Vec::new(),
        missing: Vec::new(),
        notes: Vec::new(),
    };
    let sections: Vec<At<'n>> =
        composition.field("section").items().filter(|section| section_id(*section) == Some(id)).collect();
    let Some(first) = sections.first() else { return listed };
    listed.section = *first;
    let resources: Vec<At<'n>> = held.all().map(|(_, resource)| resource).collect();
    for section in &sections {
        for entry in section.field("entry").items() {
            let Some(reference) = entry.field("reference").peek() else { continue };
            match held.place(reference) {
                Some(at) if placed.get(at) == Some(&false) => {
                    placed[at] = true;
                    listed.items.push(resources[at]);
                }
                Some(_) => {}
                None => listed.missing.push(reference.to_owned()),
            }
        }
        let notes = section
            .field("extension")
            .items()
            .filter(|extension| is_named(*extension, SECTION_NOTE_EXTENSION));
        listed.notes.extend(notes.filter_map(|note| note.choice("value")?.1.text()).map(str::to_owned));
    }
    listed.state = state(*first, &listed);
    listed
}

fn is_named(extension: At<'_>, url: &str) -> bool {
    extension.field("url").is(url)
}

/// Returns which section it is: by the local code, else by the first one with its LOINC code.
fn section_id(section: At<'_>) -> Option<SectionId> {
    let codings: Vec<At<'_>> = section.field("code").field("coding").items().collect();
    let local = codings.iter().filter(|coding| coding.field("system").is(SECTION_SYSTEM));
    let local = local.filter_map(|coding| coding.field("code").peek()?.parse().ok()).next();
    local.or_else(|| {
        let codes: Vec<&str> = codings.iter().filter_map(|coding| coding.field("code").peek()).collect();
        SectionId::ALL.into_iter().find(|id| id.loinc().is_some_and(|loinc| codes.contains(&loinc)))
    })
}

/// Returns the state that the section carries, or else what its content implies.
fn state(section: At<'_>, listed: &Listed<'_>) -> SectionState {
    let said =
        section.field("extension").items().find(|extension| is_named(*extension, SECTION_STATE_EXTENSION));
    let said = said.and_then(|extension| extension.choice("value")?.1.peek()?.parse().ok());
    let empty = section.field("emptyReason");
    let implied = match () {
        () if !listed.items.is_empty() => SectionState::Recorded,
        () if datatypes::has_code(empty, "withheld") => SectionState::Withheld,
        () if datatypes::has_code(empty, "unavailable") => SectionState::Unavailable,
        () if !listed.missing.is_empty() => SectionState::Unavailable,
        () => SectionState::NoneRecorded,
    };
    match said {
        // Items that are there are shown, whatever the state claims; that there are none is not believed.
        Some(SectionState::NoneRecorded | SectionState::NotSupplied) if !listed.items.is_empty() => implied,
        Some(SectionState::Recorded) if listed.items.is_empty() && !listed.missing.is_empty() => implied,
        Some(said) => said,
        None => implied,
    }
}

fn layouts(id: SectionId) -> &'static [&'static Layout] {
    use SectionId as S;
    match id {
        S::Allergies => &[&allergies::CURRENT, &allergies::HISTORICAL],
        S::RepeatMedication => &[&medication::REPEAT, &entries::OTHER_ENTRIES],
        S::AcuteMedication => &[&medication::ACUTE, &entries::OTHER_ENTRIES],
        S::PastMedication => &[&medication::PAST, &entries::OTHER_ENTRIES],
        S::ActiveProblems => &[&entries::PROBLEMS, &entries::OTHER_ENTRIES],
        S::PastProblems => {
            &[&entries::MAJOR_PAST_PROBLEMS, &entries::OTHER_PAST_PROBLEMS, &entries::OTHER_ENTRIES]
        }
        S::Encounters => &[&entries::ENCOUNTERS, &entries::OTHER_ENTRIES],
        S::Results | S::Observations | S::Pregnancy | S::SocialHistory => {
            &[&entries::MEASUREMENTS, &entries::OTHER_ENTRIES]
        }
        S::Immunisations => &[&entries::IMMUNISATIONS, &entries::OTHER_ENTRIES],
        S::Referrals => &[&entries::REFERRALS, &entries::OTHER_ENTRIES],
        S::Alerts | S::Procedures | S::Diary => &[&entries::ANYTHING],
        S::OtherItems => &[&entries::NAMED, &entries::ANYTHING],
    }
}

fn view<'n>(held: &Held<'n>, id: SectionId, listed: &Listed<'n>) -> SectionView {
    let tables: Vec<TableView> = row::tables(held, layouts(id), &listed.items);
    let title = id.title();
    let mut notes = sentences(title, listed);
    notes.extend(listed.notes.iter().cloned());
    if id == SectionId::Allergies {
        notes.extend(allergies::notes(&listed.items));
    }
    SectionView { id, title: title.to_owned(), state: listed.state, notes, tables }
}

/// Returns the sentences that general practitioners know for an empty or incomplete section.
fn sentences(title: &str, listed: &Listed<'_>) -> Vec<String> {
    let mut sentences: Vec<String> = match (listed.state, listed.items.is_empty()) {
        (SectionState::Recorded, false) => Vec::new(),
        (SectionState::NotSupplied, _) => vec![
            format!("This system does not support retrieval of '{title}' data."),
            "This data may still exist in the source system.".to_owned(),
        ],
        (SectionState::Withheld, true) => {
            vec![format!("Access is denied to '{title}' data for this patient.")]
        }
        (SectionState::Withheld, false) => {
            vec!["Items excluded due to confidentiality and/or patient preferences".to_owned()]
        }
        (SectionState::Unavailable, true) => vec![format!("'{title}' data is not available in this copy.")],
        (SectionState::Unavailable, false) => vec![format!("'{title}' data is not complete in this copy.")],
        (SectionState::Recorded | SectionState::NoneRecorded, _) => {
            vec![format!("No '{title}' data is recorded for this patient.")]
        }
    };
    match listed.missing.len() {
        0 => {}
        1 => sentences.push("1 entry that this section lists is missing from this copy.".to_owned()),
        count => {
            sentences.push(format!("{count} entries that this section lists are missing from this copy."))
        }
    }
    sentences
}

/// Returns why a section may hold less than the source does, although its state does not say so.
///
/// A record says in a note that some items were withheld or are missing beside others that are here.
fn incompleteness(listed: &Listed<'_>) -> Option<String> {
    let missing =
        || (!listed.missing.is_empty()).then(|| "An entry that the record lists is missing".to_owned());
    missing().or_else(|| listed.notes.iter().find(|note| Gap::of_note(note).is_some()).cloned())
}

/// Returns the words of the alerts that hold.
fn active_alerts(items: &[At<'_>]) -> Vec<String> {
    let mut alerts: Vec<String> = items
        .iter()
        .copied()
        .filter(|item| !matches!(row::label(*item), Some((_, Emphasis::Void))))
        .filter(|item| !item.field("status").is("inactive"))
        .filter_map(|item| {
            let named = ["code", "type", "category"]
                .iter()
                .find_map(|field| item.field(field).items().find_map(super::held::peek_concept));
            named.or_else(|| kind_of(item).map(leftover::label))
        })
        .collect();
    alerts.sort();
    alerts.dedup();
    alerts
}
