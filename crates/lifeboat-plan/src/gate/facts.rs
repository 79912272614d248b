//! What the gate knows of a snapshot: aggregate counts, as its manifest carries them.

use super::limits::SectionClass;
use jiff::Timestamp;
use lifeboat_format::{Manifest, Quality, RELEASED};
use std::collections::BTreeMap;

/// The section under which appointments are counted: day lists as patients, appointments as items.
pub(super) const APPOINTMENTS: &str = "appointments";

/// How much a snapshot holds of one section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SectionFacts {
    /// Patients with something recorded.
    pub patients: u64,
    /// Items of all patients.
    pub items: u64,
}

/// Aggregate counts of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateFacts {
    /// The snapshot's number; history is in the order of it.
    pub sequence: u64,
    /// When it was taken, by the clock of the host.
    pub taken: Option<Timestamp>,
    /// When the source made what was read, if it says so.
    pub source_time: Option<Timestamp>,
    /// Whether a person accepted it against the gate: history begins with it.
    pub released: bool,
    /// Documents that were read.
    pub documents: u64,
    /// Inputs that could not be read.
    pub unreadable: u64,
    /// Patients.
    pub patients: u64,
    /// Records that were added, changed or removed since the snapshot before.
    pub moved: u64,
    /// How much there is of each section, appointments included.
    pub sections: BTreeMap<String, SectionFacts>,
    /// How sound the records look, unless the snapshot was made before that was counted.
    pub quality: Option<Quality>,
}

impl From<&Manifest> for GateFacts {
    fn from(manifest: &Manifest) -> Self {
        let counts = &manifest.counts;
        let mut sections: BTreeMap<String, SectionFacts> = counts
            .sections
            .iter()
            .map(|(id, count)| (id.clone(), SectionFacts { patients: count.patients, items: count.items }))
            .collect();
        let lists = SectionFacts { patients: counts.day_lists, items: counts.appointments };
        sections.insert(APPOINTMENTS.to_owned(), lists);
        Self {
            sequence: manifest.sequence.number(),
            taken: Some(manifest.taken),
            source_time: manifest.source_time,
            released: manifest.gate.reasons.iter().any(|reason| reason.code == RELEASED),
            documents: manifest.feed.documents,
            unreadable: manifest.feed.unreadable,
            patients: counts.patients,
            moved: counts.added + counts.changed + counts.removed,
            sections,
            quality: manifest.quality,
        }
    }
}

impl GateFacts {
    /// Patients and items of a section, zero where there is none.
    pub(super) fn section(&self, id: &str) -> SectionFacts {
        self.sections.get(id).copied().unwrap_or_default()
    }

    /// Items of all sections whose loss endangers patients most.
    pub(super) fn watched_items(&self) -> u64 {
        let watched = self.sections.iter().filter(|(id, _)| SectionClass::of(id) == SectionClass::Watched);
        watched.map(|(_, section)| section.items).sum()
    }

    fn left(&self) -> u64 {
        self.quality.map_or(0, |quality| quality.left)
    }

    /// Patients of an earlier snapshot who are not in this one, whoever else has come.
    pub(super) fn gone_since(&self, before: &Self) -> u64 {
        let by_name = self.left().saturating_sub(before.left());
        by_name.max(before.patients.saturating_sub(self.patients)).min(before.patients)
    }

    /// The share of an earlier snapshot's patients who are still there.
    pub(super) fn stayed_since(&self, before: &Self) -> f64 {
        if before.patients == 0 {
            return 1.0;
        }
        1.0 - float(self.gone_since(before)) / float(before.patients)
    }
}

/// Counts stay far below the numbers that a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "counts of patients and items stay far below 2^53")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
