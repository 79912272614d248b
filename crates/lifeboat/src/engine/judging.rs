//! What the gate is told of a snapshot, and what becomes of its verdict.

use super::basis::Basis;
use super::history::History;
use super::ledger::Ledger;
use super::report::{HeldReason, SnapshotReport};
use super::state::{SiteState, Totals};
use super::{Acceptance, EngineError};
use lifeboat_clinical::record::RecordQuality;
use lifeboat_format::{DirectoryRow, Quality, RELEASED, Verdict};
use lifeboat_plan::gate::{self, GateFacts, GateVerdict, SectionFacts};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

/// The code of a source that a person rejected.
const REJECTED: &str = "rejected";

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

/// What the manifest says of the records' soundness.
///
/// Leavers and changed people are counted from the snapshot that the state describes. When that is not the accepted
/// one, as after a release, what the accepted one says already is not counted again.
pub(super) fn quality(
    history: &History,
    basis: &Basis,
    ledger: &Ledger<'_>,
    patients_gone: u64,
) -> Result<Quality, EngineError> {
    let accepted = history.accepted().and_then(|accepted| accepted.manifest.quality).unwrap_or_default();
    let is_tip = history.accepted().is_none_or(|accepted| accepted.id == basis.site.tip);
    let tip = history.manifest(basis.site.tip)?.and_then(|tip| tip.quality);
    let (totals, changes) = (&ledger.totals().quality, ledger.identity_changes().counts());
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

/// Asks the gate.
pub(super) fn judge(
    history: &History,
    basis: &Basis,
    ledger: &Ledger<'_>,
    report: &SnapshotReport,
    quality: Quality,
    is_rejected: bool,
) -> GateVerdict {
    let changes = ledger.changes();
    let candidate = GateFacts {
        sequence: history.newest().map_or(1, |newest| newest.manifest.sequence.number() + 1),
        taken: Some(report.taken),
        source_time: report.source_time,
        released: false,
        documents: report.documents,
        unreadable: report.unreadable.len() as u64,
        patients: ledger.totals().patients,
        // Where everything is sealed anew, nobody knows what differs.
        moved: if basis.anew {
            0
        } else {
            changes.added + changes.changed + changes.carried + changes.removed
        },
        sections: sections(ledger.totals()),
        quality: Some(quality),
    };
    let verdict = gate::judge(&history.facts(), &candidate);
    if !is_rejected {
        return verdict;
    }
    let rejected = gate::GateReason {
        code: REJECTED,
        detail:
            "source: the same as one that a person rejected; it is accepted only when a person releases it"
                .into(),
    };
    let others = verdict.reasons().iter().cloned();
    GateVerdict::Held(std::iter::once(rejected).chain(others).collect())
}

fn sections(totals: &Totals) -> std::collections::BTreeMap<String, SectionFacts> {
    let facts = |patients, items| SectionFacts { patients, items };
    let sections = totals.sections.iter();
    let sections = sections.map(|(id, total)| (id.clone(), facts(total.patients, total.items)));
    let lists = ("appointments".to_owned(), facts(totals.days.len() as u64, totals.appointments));
    sections.chain([lists]).collect()
}

/// The gate's entry in the manifest, given what the gate said and whether a person overrules it.
pub(super) fn entry(verdict: &GateVerdict, acceptance: &Acceptance) -> lifeboat_format::Gate {
    let reason = |reason: &gate::GateReason| lifeboat_format::GateReason {
        code: reason.code.to_owned(),
        detail: reason.detail.clone(),
    };
    let reasons: Vec<_> = verdict.reasons().iter().map(reason).collect();
    match acceptance {
        _ if !verdict.is_held() => lifeboat_format::Gate { verdict: Verdict::Accepted, reasons },
        Acceptance::ByPerson { .. } => overruled(reasons, "a person accepted it when it was taken"),
        Acceptance::ByGate => lifeboat_format::Gate { verdict: Verdict::Held, reasons },
    }
}

/// An acceptance against the gate: that a person did it, then what speaks against it.
pub(super) fn overruled(reasons: Vec<lifeboat_format::GateReason>, how: &str) -> lifeboat_format::Gate {
    let released = lifeboat_format::GateReason { code: RELEASED.to_owned(), detail: how.to_owned() };
    let mut all = vec![released];
    all.extend(reasons);
    lifeboat_format::Gate { verdict: Verdict::Accepted, reasons: all }
}

/// The reasons of a held snapshot, for the report.
pub(super) fn held_reasons(verdict: &GateVerdict) -> Vec<HeldReason> {
    let reason = |reason: &gate::GateReason| HeldReason {
        code: reason.code.to_owned(),
        detail: reason.detail.clone(),
    };
    verdict.reasons().iter().map(reason).collect()
}

/// Whether a person rejected a source with this fingerprint.
pub(super) fn is_rejected(site: &SiteState, fingerprint: &[u8; 16]) -> bool {
    site.rejected.contains(fingerprint)
}
