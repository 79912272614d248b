//! A patient's clinical entries with what is known of each: code, kind, confidentiality, and who belongs to whom.

use std::collections::{HashMap, HashSet};

use super::codes::{Code, Kind};
use super::tables::{CLINICAL_CODE, CONSULTATION, OBSERVATION, ORIGINAL_TERMS, PROBLEM, REFERRAL};
use crate::feed::Mapping;
use crate::rows::{LookUp, RowRef, UnitRows};

/// Whether the source marks something as confidential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    Open,
    Confidential,
}

impl Secrecy {
    /// Returns what a row says of itself.
    pub(super) fn of(row: RowRef<'_>) -> Self {
        if row.is_true("IsConfidential") { Self::Confidential } else { Self::Open }
    }

    /// Returns the secrecy of something that belongs to something else.
    pub(super) fn within(self, other: Self) -> Self {
        if other == Self::Confidential { other } else { self }
    }
}

/// One clinical entry.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) guid: &'a str,
    pub(super) row: RowRef<'a>,
    pub(super) code: Code<'a>,
    pub(super) kind: Kind,
    pub(super) secrecy: Secrecy,
    /// The words that were chosen when it was entered, where they are delivered.
    pub(super) original: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// Returns the words by which the entry goes.
    pub(super) fn words(&self) -> Option<&'a str> {
        self.original.or(self.code.term())
    }

    /// Returns what was written beside it.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.row.text("AssociatedText")
    }

    /// Returns its value with its unit, as text.
    pub(super) fn value(&self) -> Option<String> {
        let value = self.row.text("Value")?;
        Some(match self.row.text("NumericUnit") {
            Some(unit) => format!("{value} {unit}"),
            None => value.to_owned(),
        })
    }
}

/// A patient's clinical entries.
pub(super) struct Chart<'a> {
    pub(super) rows: &'a UnitRows,
    pub(super) shared: &'a dyn LookUp,
    /// By the order of their names.
    pub(super) entries: Vec<Entry<'a>>,
    /// Rows of `CareRecord_Problem` by the name of the entry that they are about.
    pub(super) problems: HashMap<&'a str, RowRef<'a>>,
    /// Rows of `CareRecord_ObservationReferral`, likewise.
    pub(super) referrals: HashMap<&'a str, RowRef<'a>>,
    places: HashMap<&'a str, usize>,
    by_parent: HashMap<&'a str, Vec<usize>>,
    by_consultation: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Chart<'a> {
    /// Reads the entries of a patient.
    pub(super) fn of(rows: &'a UnitRows, mapping: &Mapping<'a>) -> Self {
        let shared = mapping.shared;
        let by_guid = |table| rows.rows(table).filter_map(|row| Some((row.text("ObservationGuid")?, row)));
        let referrals: HashMap<_, _> = by_guid(REFERRAL).collect();
        let originals: HashMap<_, _> = by_guid(ORIGINAL_TERMS)
            .filter_map(|(guid, row)| Some((guid, row.text("OriginalTerm")?)))
            .collect();
        let entry = |(guid, row): (&'a str, RowRef<'a>)| {
            let code = Code::of(row.text("CodeId"), CLINICAL_CODE, shared);
            let original = originals.get(guid).copied();
            let kind = code.kind(row, original, referrals.contains_key(guid));
            Entry { guid, row, code, kind, secrecy: Secrecy::of(row), original }
        };
        let entries: Vec<Entry<'a>> = by_guid(OBSERVATION).map(entry).collect();
        let mut chart = Self {
            rows,
            shared,
            places: entries.iter().enumerate().map(|(at, entry)| (entry.guid, at)).collect(),
            by_parent: grouped(&entries, "ParentObservationGuid"),
            by_consultation: grouped(&entries, "ConsultationGuid"),
            problems: by_guid(PROBLEM).collect(),
            referrals,
            entries,
        };
        chart.keep_secrets();
        chart
    }

    /// Makes entries confidential that belong to a confidential consultation or lie under a confidential entry.
    fn keep_secrets(&mut self) {
        let consultations = self.rows.rows(CONSULTATION).filter(|row| row.is_true("IsConfidential"));
        let of_consultations = consultations
            .filter_map(|row| self.by_consultation.get(row.text("ConsultationGuid")?))
            .flatten()
            .copied();
        let by_themselves =
            (0..self.entries.len()).filter(|at| self.entries[*at].secrecy == Secrecy::Confidential);
        let mut secret: Vec<usize> = of_consultations.chain(by_themselves).collect();
        let mut seen: HashSet<usize> = secret.iter().copied().collect();
        while let Some(at) = secret.pop() {
            let entry = &mut self.entries[at];
            entry.secrecy = Secrecy::Confidential;
            let below = self.by_parent.get(entry.guid).into_iter().flatten();
            secret.extend(below.filter(|at| seen.insert(**at)));
        }
    }

    /// Returns the entry of this name.
    pub(super) fn entry(&self, guid: Option<&str>) -> Option<&Entry<'a>> {
        self.places.get(guid?).map(|at| &self.entries[*at])
    }

    /// Returns the entries that are grouped under this one, in the order in which they were entered.
    pub(super) fn children(&self, guid: &str) -> Vec<&Entry<'a>> {
        let places = self.by_parent.get(guid).map(Vec::as_slice).unwrap_or_default();
        self.in_order(places).into_iter().filter(|entry| entry.guid != guid).collect()
    }

    /// Says whether entries are grouped under this one.
    pub(super) fn has_children(&self, guid: &str) -> bool {
        self.by_parent.contains_key(guid)
    }

    /// Returns the entries of a consultation, in the order in which they were entered.
    pub(super) fn within_consultation(&self, guid: &str) -> Vec<&Entry<'a>> {
        let places = self.by_consultation.get(guid).map(Vec::as_slice).unwrap_or_default();
        self.in_order(places)
    }

    fn in_order(&self, places: &[usize]) -> Vec<&Entry<'a>> {
        let mut entries: Vec<&Entry<'a>> = places.iter().map(|at| &self.entries[*at]).collect();
        entries.sort_by_cached_key(|entry| {
            let number = entry.row.text("ProcessingId").and_then(|text| text.parse::<u64>().ok());
            (entry.row.text("EnteredDate"), entry.row.text("EnteredTime"), number, entry.guid)
        });
        entries
    }

    /// Returns what the problem is called that a row is linked to, unless that is confidential.
    pub(super) fn linked_problem(&self, row: RowRef<'a>, column: &str) -> Option<&'a str> {
        let entry = self.entry(row.text(column))?;
        (entry.secrecy == Secrecy::Open).then(|| entry.words()).flatten()
    }
}

/// Groups entries by the name in a column.
fn grouped<'a>(entries: &[Entry<'a>], column: &str) -> HashMap<&'a str, Vec<usize>> {
    let mut groups: HashMap<&'a str, Vec<usize>> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        if let Some(guid) = entry.row.text(column) {
            groups.entry(guid).or_default().push(at);
        }
    }
    groups
}
