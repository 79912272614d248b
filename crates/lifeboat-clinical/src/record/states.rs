//! What the presence or absence of items means, section by section.

use super::FeedProfile;
use super::classify::Item;
use crate::fhir::{EmptyReason, SectionFact};
use crate::section::{SectionId, SectionState};

/// One section of a record.
pub(super) struct Section {
    pub(super) id: SectionId,
    pub(super) state: SectionState,
    pub(super) items: u32,
    /// Sentences for the reader.
    pub(super) notes: Vec<String>,
    /// Whether the source says that there are known to be none.
    pub(super) nil_known: bool,
}

const NARRATIVE_ONLY: &str = "This section was supplied as narrative text only.";
const NIL_KNOWN: &str = "The source states that there are none known.";
const NOT_ASKED: &str = "The source states that nobody has asked.";
const SOURCE_UNAVAILABLE: &str = "The source states that this information is unavailable.";
const WITHHELD: &str = "The source has withheld this information.";
const PARTLY_WITHHELD: &str = "The source has withheld some of this information.";
const PARTLY_UNAVAILABLE: &str = "The source states that some of this information is unavailable.";

/// Decides the state of every section.
pub(super) fn sections(
    items: &[Item<'_>],
    facts: &[&SectionFact],
    feed: &FeedProfile,
    notes: &mut Vec<(SectionId, String)>,
) -> Vec<Section> {
    let mut sections: Vec<Section> = SectionId::ALL
        .into_iter()
        .map(|id| {
            let items = items.iter().filter(|item| item.section == id).count();
            let state = match items {
                0 if feed.supplies(id) => SectionState::NoneRecorded,
                0 => SectionState::NotSupplied,
                _ => SectionState::Recorded,
            };
            Section {
                id,
                state,
                items: u32::try_from(items).unwrap_or(u32::MAX),
                notes: Vec::new(),
                nil_known: false,
            }
        })
        .collect();
    // What a source has not supplied for this patient does not count as supplied because others have it.
    for fact in facts.iter().filter(|fact| fact.empty == Some(EmptyReason::NotSupplied)) {
        for id in &fact.sections {
            let section = &mut sections[id.order()];
            if section.items == 0 {
                section.state = SectionState::NotSupplied;
            }
        }
    }
    for fact in facts {
        apply(fact, &mut sections);
    }
    for (id, note) in notes.drain(..) {
        sections[id.order()].note(&note);
    }
    for section in &mut sections {
        section.notes.sort_unstable();
        section.notes.dedup();
    }
    sections
}

impl Section {
    fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Takes a state that says at least as much; a section with items stays recorded.
    fn strengthen(&mut self, state: SectionState) {
        if strength(state) >= strength(self.state) {
            self.state = state;
        }
    }
}

/// How strongly a state speaks for a section without items.
fn strength(state: SectionState) -> u8 {
    match state {
        SectionState::NotSupplied => 0,
        SectionState::NoneRecorded => 1,
        SectionState::Unavailable => 2,
        SectionState::Withheld => 3,
        SectionState::Recorded => 4,
    }
}

/// Applies what a source says about one of its sections to those of ours that it stands for.
fn apply(fact: &SectionFact, sections: &mut [Section]) {
    apply_warnings(fact, sections);
    let ours = &fact.sections;
    if let Some(first) = ours.iter().find(|id| sections[id.order()].items > 0) {
        if fact.missing > 0 {
            sections[first.order()].note(&missing_note(fact.missing));
        }
        return apply_beside_items(fact, sections);
    }
    let (state, note) = match fact.empty {
        _ if fact.missing > 0 => (SectionState::Unavailable, Some(missing_note(fact.missing))),
        None if fact.narrative_only => (SectionState::Unavailable, Some(NARRATIVE_ONLY.to_owned())),
        None | Some(EmptyReason::NotSupplied) => return,
        Some(EmptyReason::Withheld) => (SectionState::Withheld, Some(WITHHELD.to_owned())),
        Some(EmptyReason::Unavailable | EmptyReason::NotStarted) => {
            (SectionState::Unavailable, Some(SOURCE_UNAVAILABLE.to_owned()))
        }
        Some(EmptyReason::NilKnown) => (SectionState::NoneRecorded, Some(NIL_KNOWN.to_owned())),
        Some(EmptyReason::NotAsked) => (SectionState::NoneRecorded, Some(NOT_ASKED.to_owned())),
        Some(EmptyReason::NoneRecorded) => (SectionState::NoneRecorded, None),
    };
    for id in ours {
        let section = &mut sections[id.order()];
        section.strengthen(state);
        section.nil_known |= fact.empty == Some(EmptyReason::NilKnown);
        if let Some(note) = &note {
            section.note(note);
        }
    }
}

/// Applies a source's reason for a section without items where some of ours that it stands for have items:
/// these are not all there are, and that others have none must not read as none recorded.
fn apply_beside_items(fact: &SectionFact, sections: &mut [Section]) {
    let (state, partly, wholly) = match fact.empty {
        Some(EmptyReason::Withheld) => (SectionState::Withheld, PARTLY_WITHHELD, WITHHELD),
        Some(EmptyReason::Unavailable) => (SectionState::Unavailable, PARTLY_UNAVAILABLE, SOURCE_UNAVAILABLE),
        _ => return,
    };
    for id in &fact.sections {
        let section = &mut sections[id.order()];
        section.strengthen(state);
        section.note(if section.items > 0 { partly } else { wholly });
    }
}

/// Notes a source's warnings in every section that they are about; one without items takes their state.
fn apply_warnings(fact: &SectionFact, sections: &mut [Section]) {
    for id in &fact.sections {
        let section = &mut sections[id.order()];
        for warning in &fact.warnings {
            section.note(warning.sentence());
            section.strengthen(warning.state_without_items());
        }
    }
}

fn missing_note(missing: u32) -> String {
    match missing {
        1 => "1 item that the source lists is missing from this copy.".to_owned(),
        missing => format!("{missing} items that the source lists are missing from this copy."),
    }
}
