//! What the gate is told of a snapshot, and what becomes of its verdict.

use super::basis::Basis;
use super::history::History;
use super::ledger::Ledger;
use super::report::{HeldReason, SnapshotReport};
use super::rows::Trust;
use super::state::Totals;
use super::survey_pass::Surveyed;
use super::{Acceptance, EngineError};
use lifeboat_clinical::record::RecordQuality;
use lifeboat_format::{DirectoryRow, Gate, GateReason, Quality, RELEASED, Verdict};
use lifeboat_plan::gate::{self, GateFacts, SectionFacts};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// Sums of what is counted of each patient's record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QualityTotals {
    nhs_numbers: u64,
    nhs_numbers_valid: u64,
    without_name: u64,
    without_birth_date: u64,
    garbled: u64,
    characters: u64,
}

impl QualityTotals {
    fn of(quality: &RecordQuality, directory: &DirectoryRow) -> Self {
        Self {
            nhs_numbers: u64::from(quality.has_nhs_number),
            nhs_numbers_valid: u64::from(quality.has_valid_nhs_number),
            without_name: u64::from(directory.family.is_none() && directory.given.is_empty()),
            without_birth_date: u64::from(directory.born.is_none()),
            garbled: u64::from(quality.garbled > 0),
            characters: quality.characters,
        }
    }

    /// Counts a patient in.
    pub(crate) fn add(&mut self, quality: &RecordQuality, directory: &DirectoryRow) {
        let one = Self::of(quality, directory);
        self.each(&one, |sum, one| sum.saturating_add(one));
    }

    /// Counts a patient out that was counted in.
    pub(crate) fn remove(&mut self, quality: &RecordQuality, directory: &DirectoryRow) {
        let one = Self::of(quality, directory);
        self.each(&one, |sum, one| sum.saturating_sub(one));
    }

    fn each(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        self.nhs_numbers = with(self.nhs_numbers, other.nhs_numbers);
        self.nhs_numbers_valid = with(self.nhs_numbers_valid, other.nhs_numbers_valid);
        self.without_name = with(self.without_name, other.without_name);
        self.without_birth_date = with(self.without_birth_date, other.without_birth_date);
        self.garbled = with(self.garbled, other.garbled);
        self.characters = with(self.characters, other.characters);
    }
}

/// What tells that a person is the same and is called otherwise, as digests of this process alone.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Called {
    name: u64,
    birth_date: u64,
}

impl Called {
    /// Spelling of case and accents does not count.
    fn of(row: &DirectoryRow) -> Self {
        Self { name: digest(&row.sort_name()), birth_date: digest(&row.born) }
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// How many people changed.
#[derive(Clone, Copy, Default)]
pub(crate) struct IdentityCounts {
    names: u64,
    birth_dates: u64,
    /// Those of them who seem to have left and to have come, because their record has another key now.
    rekeyed: u64,
}

/// What of a person changed who stayed.
///
/// A record's key depends on name and birth date, so whoever changes one leaves under one key and comes under
/// another; the NHS number says that they are the same.
#[derive(Default)]
pub(crate) struct IdentityChanges {
    renamed: u64,
    gone: HashMap<u64, Called>,
    came: HashMap<u64, Called>,
}

impl IdentityChanges {
    /// Compares a patient's directory row with the one before under the same key.
    pub(crate) fn stayed(&mut self, before: &DirectoryRow, now: &DirectoryRow) {
        let is_same = before.family == now.family && before.given == now.given;
        self.renamed += u64::from(!is_same && before.sort_name() != now.sort_name());
    }

    /// Notes a patient whose key the source no longer names.
    pub(crate) fn gone(&mut self, row: &DirectoryRow) {
        self.gone.extend(row.nhs.as_ref().map(|nhs| (digest(nhs), Called::of(row))));
    }

    /// Notes a patient whose key is new.
    pub(crate) fn came(&mut self, row: &DirectoryRow) {
        self.came.extend(row.nhs.as_ref().map(|nhs| (digest(nhs), Called::of(row))));
    }

    /// Says how many people changed.
    pub(crate) fn counts(&self) -> IdentityCounts {
        let mut counts = IdentityCounts { names: self.renamed, ..IdentityCounts::default() };
        for (number, before) in &self.gone {
            let Some(now) = self.came.get(number) else { continue };
            counts.rekeyed += 1;
            counts.names += u64::from(before.name != now.name);
            counts.birth_dates += u64::from(before.birth_date != now.birth_date);
        }
        counts
    }
}

/// What the gate said of a snapshot, and what a person made of it.
pub(crate) struct Judged {
    /// The manifest's entry.
    pub(crate) gate: Gate,
    /// How sound the records look.
    pub(crate) quality: Quality,
}

impl Judged {
    /// Whether the snapshot may not be opened by default.
    pub(super) fn is_held(&self) -> bool {
        self.gate.verdict == Verdict::Held
    }

    /// The reasons of a held snapshot, for the report.
    pub(super) fn held_reasons(&self) -> Vec<HeldReason> {
        let reason =
            |reason: &GateReason| HeldReason { code: reason.code.clone(), detail: reason.detail.clone() };
        match self.gate.verdict {
            Verdict::Accepted => Vec::new(),
            Verdict::Held => self.gate.reasons.iter().map(reason).collect(),
        }
    }
}

/// What there is to judge.
pub(super) struct Facts<'a> {
    pub(super) basis: &'a Basis,
    pub(super) ledger: &'a Ledger<'a>,
    pub(super) report: &'a SnapshotReport,
    pub(super) surveyed: &'a Surveyed,
    pub(super) trust: Trust,
}

impl Facts<'_> {
    /// Asks the gate; a person who accepts overrules it, and what is overruled stays on record.
    pub(super) fn judge(
        &self,
        history: &History,
        patients_gone: u64,
        acceptance: &Acceptance,
    ) -> Result<Judged, EngineError> {
        let quality = self.quality(history, patients_gone)?;
        let verdict = gate::judge(&history.facts(), &self.candidate(history, quality));
        let mut reasons: Vec<GateReason> = verdict.reasons().iter().map(reason).collect();
        if self.basis.site.rejected.contains(&self.surveyed.fingerprint) {
            reasons.insert(0, rejected());
        }
        // Rows that say what the accepted snapshot says have lost what was wrong with them.
        if self.trust == Trust::Rejected && self.ledger.changes().any() {
            reasons.push(built_on_rejected());
        }
        let gate = match acceptance {
            _ if reasons.is_empty() => Gate { verdict: Verdict::Accepted, reasons },
            Acceptance::ByPerson { .. } => overruled(reasons, "a person accepted it when it was taken"),
            Acceptance::ByGate => Gate { verdict: Verdict::Held, reasons },
        };
        Ok(Judged { gate, quality })
    }

    /// What the manifest says of the records' soundness.
    ///
    /// Leavers and changed people are counted from the snapshot that the state describes. When that is not the accepted
    /// one, as after a release, what the accepted one says already is not counted again.
    fn quality(&self, history: &History, patients_gone: u64) -> Result<Quality, EngineError> {
        let newest = history.accepted();
        let accepted = newest.and_then(|accepted| accepted.manifest.quality).unwrap_or_default();
        let is_tip = newest.is_none_or(|accepted| accepted.id == self.basis.site.tip);
        let tip = match &self.basis.tip {
            Some(tip) => tip.quality,
            None => history.manifest(self.basis.site.tip)?.and_then(|tip| tip.quality),
        };
        let (totals, changes) = (&self.ledger.totals().quality, self.ledger.identity_changes().counts());
        let left = tip.unwrap_or(accepted).left + patients_gone.saturating_sub(changes.rekeyed);
        let known = if is_tip { Quality::default() } else { accepted };
        Ok(Quality {
            left: left.max(accepted.left),
            nhs_numbers: totals.nhs_numbers,
            nhs_numbers_valid: totals.nhs_numbers_valid,
            without_name: totals.without_name,
            without_birth_date: totals.without_birth_date,
            names_changed: changes.names.saturating_sub(known.names_changed),
            birth_dates_changed: changes.birth_dates.saturating_sub(known.birth_dates_changed),
            garbled: totals.garbled,
            characters: Quality::rounded(totals.characters),
        })
    }

    fn candidate(&self, history: &History, quality: Quality) -> GateFacts {
        let (changes, totals) = (self.ledger.changes(), self.ledger.totals());
        let moved = changes.added + changes.changed + changes.carried + changes.removed;
        GateFacts {
            sequence: history.newest().map_or(1, |newest| newest.manifest.sequence.number() + 1),
            taken: Some(self.report.taken),
            source_time: self.report.source_time,
            released: false,
            documents: self.report.documents,
            unreadable: self.report.unreadable_count(),
            patients: totals.patients,
            // Where everything is sealed anew, nobody knows what differs.
            moved: if self.basis.anew { 0 } else { moved },
            sections: sections(totals),
            quality: Some(quality),
        }
    }
}

fn sections(totals: &Totals) -> BTreeMap<String, SectionFacts> {
    let facts = |patients, items| SectionFacts { patients, items };
    let sections = totals.sections.iter();
    let sections = sections.map(|(id, total)| (id.clone(), facts(total.patients, total.items)));
    let lists = ("appointments".to_owned(), facts(totals.days.len() as u64, totals.appointments));
    sections.chain([lists]).collect()
}

fn reason(reason: &gate::GateReason) -> GateReason {
    GateReason { code: reason.code.to_owned(), detail: reason.detail.clone() }
}

fn rejected() -> GateReason {
    let detail =
        "source: the same as one that a person rejected; it is accepted only when a person releases it";
    GateReason { code: "rejected".to_owned(), detail: detail.to_owned() }
}

fn built_on_rejected() -> GateReason {
    let detail = "source: its changes build on what a person rejected, which is still among the kept rows; a full extract \
                  replaces them, or a person releases it";
    GateReason { code: "built-on-rejected".to_owned(), detail: detail.to_owned() }
}

/// An acceptance against the gate: that a person did it, then what speaks against it.
pub(super) fn overruled(reasons: Vec<GateReason>, how: &str) -> Gate {
    let mut all = vec![GateReason { code: RELEASED.to_owned(), detail: how.to_owned() }];
    all.extend(reasons);
    Gate { verdict: Verdict::Accepted, reasons: all }
}
