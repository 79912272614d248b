//! First pass over the source: which records it speaks of, and from what.
//!
//! Every document is digested. One that was seen before is not parsed again; of a new one the outline
//! is taken, which says to which records it contributes. The sum of the digests of all documents
//! behind a record tells whether that record can have changed, whatever order the files come in.

use super::EngineError;
use super::input::{Document, IsNote, Remark};
use super::report::UnreadableInput;
use super::state::StateReader;
use super::stream::Work;
use jiff::civil::Date;
use lifeboat_clinical::fhir::{self, DayWindow, Outline, Owner, Piece, TypeSet};
use lifeboat_feeds::r4::NHS_NUMBER;
use lifeboat_feeds::rows::codec;
use lifeboat_format::{LookupKey, RecordKey, RecordName};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The digest of one document, under the host's key.
pub(crate) type DocumentDigest = [u8; 16];

/// Digests documents and records for change detection.
#[derive(Clone, Copy)]
pub(crate) struct Digester([u8; 32]);

impl Digester {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(crate) fn digest(&self, bytes: &[u8]) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.0, bytes);
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.as_bytes()[..16]);
        digest
    }
}

/// What stands behind one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Sum of the digests of its documents.
    pub(crate) sum: u128,
    /// How many documents there are.
    pub(crate) documents: u32,
}

impl Group {
    fn add(&mut self, digest: &DocumentDigest) {
        self.merge(Self { sum: u128::from_le_bytes(*digest), documents: 1 });
    }

    fn merge(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.documents = self.documents.saturating_add(other.documents);
    }
}

/// To whom a document contributes, with all names hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OwnerKey {
    /// A patient whose details the document holds.
    Patient(RecordKey),
    /// A patient whom it only refers to; the key is that of the reference.
    Reference(RecordKey),
    /// A day list.
    Day(Date),
    /// Every record that refers to it.
    Shared,
}

/// What is kept of a document, so that it need not be parsed again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DocumentRow {
    pub(crate) owners: Vec<OwnerKey>,
    /// References that the document's patients go by.
    pub(crate) claims: Vec<(RecordKey, RecordKey)>,
    /// The reference to a patient whom the site's rules leave out.
    pub(crate) left_out: Option<RecordKey>,
    pub(crate) types: TypeSet,
    /// What is to be reported of it each time.
    pub(crate) remarks: Vec<KeptRemark>,
}

/// Something to report of a document; the file and line are left out where they are the document's own, since a file may
/// be named after a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptRemark {
    is_note: IsNote,
    file: Option<String>,
    line: Option<u64>,
    reason: String,
}

impl KeptRemark {
    fn of(remark: &Remark, document: &Document<'_>) -> Self {
        let (file, line) = document.whereabouts();
        let input = &remark.input;
        Self {
            is_note: remark.is_note,
            file: (input.file != file).then(|| input.file.clone()),
            line: input.line.filter(|_| input.line != line),
            reason: input.reason.clone(),
        }
    }

    fn remark(&self, document: &Document<'_>) -> Remark {
        let (file, line) = document.whereabouts();
        let input = UnreadableInput {
            file: self.file.clone().unwrap_or_else(|| file.to_owned()),
            line: self.line.or(line),
            reason: self.reason.clone(),
            times: 1,
        };
        Remark { is_note: self.is_note, input }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(if self.is_note == IsNote::Yes { b'n' } else { b'u' });
        codec::put_optional(bytes, self.file.as_deref());
        codec::put_optional(bytes, self.line.map(|line| line.to_string()).as_deref());
        codec::put_text(bytes, &self.reason);
    }

    fn take(bytes: &mut &[u8], is_note: IsNote) -> Option<Self> {
        let file = codec::take_optional(bytes)?.map(str::to_owned);
        let line = codec::take_optional(bytes)?.map(str::parse).transpose().ok()?;
        Some(Self { is_note, file, line, reason: codec::take_text(bytes)?.to_owned() })
    }
}

/// The key of a reference that some document may claim.
pub(crate) fn reference_key(lookup: &LookupKey, reference: &str) -> RecordKey {
    lookup.record_key(&RecordName::Patient(&format!("unclaimed:{reference}")))
}

impl DocumentRow {
    fn new(outline: &Outline, lookup: &LookupKey) -> Self {
        let patient = |name: &fhir::PatientName| lookup.record_key(&RecordName::Patient(name.as_str()));
        let owners = outline.owners.iter().map(|owner| match owner {
            Owner::Patient(name) => OwnerKey::Patient(patient(name)),
            Owner::Reference(reference) => OwnerKey::Reference(reference_key(lookup, reference)),
            Owner::Day(day) => OwnerKey::Day(*day),
            Owner::Shared => OwnerKey::Shared,
        });
        let claims = outline.claims.iter();
        Self {
            owners: owners.collect(),
            claims: claims
                .map(|claim| (reference_key(lookup, &claim.reference), patient(&claim.name)))
                .collect(),
            left_out: None,
            types: outline.types,
            remarks: Vec::new(),
        }
    }

    fn is_shared(&self) -> bool {
        self.owners.contains(&OwnerKey::Shared)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let types = type_bytes(&self.types);
        let mut bytes = vec![u8::try_from(types.len()).unwrap_or(0)];
        bytes.extend_from_slice(&types);
        for (reference, key) in &self.claims {
            bytes.push(b'c');
            bytes.extend_from_slice(reference.as_bytes());
            bytes.extend_from_slice(key.as_bytes());
        }
        if let Some(key) = &self.left_out {
            bytes.push(b'x');
            bytes.extend_from_slice(key.as_bytes());
        }
        for owner in &self.owners {
            match owner {
                OwnerKey::Patient(key) => {
                    bytes.push(b'p');
                    bytes.extend_from_slice(key.as_bytes());
                }
                OwnerKey::Reference(key) => {
                    bytes.push(b'r');
                    bytes.extend_from_slice(key.as_bytes());
                }
                OwnerKey::Day(day) => {
                    bytes.push(b'd');
                    bytes.extend_from_slice(&day.year().to_le_bytes());
                    bytes.extend_from_slice(&[day.month().unsigned_abs(), day.day().unsigned_abs()]);
                }
                OwnerKey::Shared => bytes.push(b's'),
            }
        }
        self.remarks.iter().for_each(|remark| remark.write(&mut bytes));
        bytes
    }

    /// Reads what [`DocumentRow::to_bytes`] wrote; anything else is as if it had not been kept.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first()?;
        let (types, mut rest) = rest.split_at_checked(usize::from(*length))?;
        let mut row = Self { types: serde_json::from_slice(types).ok()?, ..Self::default() };
        while let Some((tag, after)) = rest.split_first() {
            rest = after;
            match tag {
                b'c' => row.claims.push((take_key(&mut rest)?, take_key(&mut rest)?)),
                b'x' => row.left_out = Some(take_key(&mut rest)?),
                b'p' => row.owners.push(OwnerKey::Patient(take_key(&mut rest)?)),
                b'r' => row.owners.push(OwnerKey::Reference(take_key(&mut rest)?)),
                b'd' => {
                    let (&[low, high, month, day], after) = rest.split_first_chunk()?;
                    rest = after;
                    let year = i16::from_le_bytes([low, high]);
                    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
                    row.owners.push(OwnerKey::Day(date.ok()?));
                }
                b's' => row.owners.push(OwnerKey::Shared),
                b'n' => row.remarks.push(KeptRemark::take(&mut rest, IsNote::Yes)?),
                b'u' => row.remarks.push(KeptRemark::take(&mut rest, IsNote::No)?),
                _ => return None,
            }
        }
        Some(row)
    }
}

/// A set of types as it is kept and digested.
pub(crate) fn type_bytes(types: &TypeSet) -> Vec<u8> {
    serde_json::to_vec(types).expect("a set of numbers is always JSON")
}

fn take_key(bytes: &mut &[u8]) -> Option<RecordKey> {
    let (key, rest) = bytes.split_first_chunk::<16>()?;
    *bytes = rest;
    Some(RecordKey::from_bytes(*key))
}

/// Which patient a reference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimed {
    By(RecordKey),
    /// Two different patients go by it, so it says nothing.
    Disputed,
}

/// What one worker, or all of them, found.
#[derive(Default)]
pub(crate) struct Survey {
    patients: HashMap<RecordKey, Group>,
    references: HashMap<RecordKey, Group>,
    claims: HashMap<RecordKey, Claimed>,
    /// Patients whom the site's rules leave out, and references to them: what speaks of them makes no record.
    left_out: BTreeSet<RecordKey>,
    days: HashMap<Date, Group>,
    pub(crate) shared: Vec<Piece>,
    /// Sum over documents that shape other patients' records.
    pub(crate) shared_sum: u128,
    /// Sum over all documents.
    pub(crate) sum: u128,
    /// Resource types that the feed supplies for anybody.
    pub(crate) supplied: TypeSet,
    /// Documents of which an outline was kept already.
    pub(crate) known: u64,
    pub(crate) unreadable: Vec<UnreadableInput>,
    pub(crate) notes: Vec<UnreadableInput>,
    /// What is wrong in many rows, each with how often.
    counted: BTreeMap<(IsNote, UnreadableInput), u64>,
    failure: Option<EngineError>,
}

impl Survey {
    fn add(&mut self, digest: &DocumentDigest, row: &DocumentRow) {
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(*digest));
        self.supplied.extend(&row.types);
        for owner in &row.owners {
            match owner {
                OwnerKey::Patient(key) => self.patients.entry(*key).or_default().add(digest),
                OwnerKey::Reference(key) => self.references.entry(*key).or_default().add(digest),
                OwnerKey::Day(day) => self.days.entry(*day).or_default().add(digest),
                OwnerKey::Shared => {
                    self.shared_sum = self.shared_sum.wrapping_add(u128::from_le_bytes(*digest))
                }
            }
        }
        self.left_out.extend(row.left_out);
        for (reference, key) in &row.claims {
            self.claim(*reference, Claimed::By(*key));
        }
    }

    /// Takes something to report; what many rows say is counted, not listed.
    fn remark(&mut self, remark: Remark, is_counted: bool) {
        if is_counted {
            *self.counted.entry((remark.is_note, remark.input)).or_default() += 1;
        } else {
            self.report(remark);
        }
    }

    /// Lists something to report.
    pub(crate) fn report(&mut self, remark: Remark) {
        match remark.is_note {
            IsNote::Yes => self.notes.push(remark.input),
            IsNote::No => self.unreadable.push(remark.input),
        }
    }

    fn claim(&mut self, reference: RecordKey, claimed: Claimed) {
        let known = self.claims.entry(reference).or_insert(claimed);
        if *known != claimed {
            *known = Claimed::Disputed;
        }
    }

    /// Puts the findings of several workers together.
    pub(crate) fn merge(states: Vec<Self>) -> Result<Self, EngineError> {
        let mut whole = Self::default();
        for mut part in states {
            if let Some(failure) = part.failure {
                return Err(failure);
            }
            for (from, into) in
                [(part.patients, &mut whole.patients), (part.references, &mut whole.references)]
            {
                from.into_iter().for_each(|(key, group)| into.entry(key).or_default().merge(group));
            }
            part.days.drain().for_each(|(day, group)| whole.days.entry(day).or_default().merge(group));
            for (reference, claimed) in part.claims {
                whole.claim(reference, claimed);
            }
            whole.left_out.append(&mut part.left_out);
            whole.shared.append(&mut part.shared);
            whole.shared_sum = whole.shared_sum.wrapping_add(part.shared_sum);
            whole.sum = whole.sum.wrapping_add(part.sum);
            whole.supplied.extend(&part.supplied);
            whole.known += part.known;
            whole.unreadable.append(&mut part.unreadable);
            whole.notes.append(&mut part.notes);
            for (remark, times) in part.counted {
                *whole.counted.entry(remark).or_default() += times;
            }
        }
        for ((is_note, input), times) in std::mem::take(&mut whole.counted) {
            whole.report(Remark { is_note, input: UnreadableInput { times, ..input } });
        }
        Ok(whole)
    }

    /// The record that a reference means: the claimed patient's, or one of its own.
    pub(crate) fn resolve(&self, reference: RecordKey) -> RecordKey {
        match self.claims.get(&reference) {
            Some(Claimed::By(key)) => *key,
            Some(Claimed::Disputed) | None => reference,
        }
    }

    /// Leaves out the patients whose rows the rules leave out, and those of these NHS numbers.
    pub(crate) fn leave_out<'n>(&mut self, lookup: &LookupKey, numbers: impl Iterator<Item = &'n String>) {
        for number in numbers {
            let reference = reference_key(lookup, &format!("Patient?identifier={NHS_NUMBER}|{number}"));
            if let Some(Claimed::By(key)) = self.claims.get(&reference) {
                self.left_out.insert(*key);
            }
        }
        self.patients.retain(|key, _| !self.left_out.contains(key));
        let mut references = std::mem::take(&mut self.references);
        references.retain(|reference, _| !self.is_left_out(*reference));
        self.references = references;
    }

    /// Whether a patient, or the one whom a reference means, is left out.
    pub(crate) fn is_left_out(&self, key: RecordKey) -> bool {
        self.left_out.contains(&key) || self.left_out.contains(&self.resolve(key))
    }

    /// Tells who is left out: day lists depend on it.
    pub(crate) fn left_out_bytes(&self) -> Vec<u8> {
        self.left_out.iter().flat_map(|reference| *reference.as_bytes()).collect()
    }

    /// Whether the source speaks of a patient under this key.
    pub(crate) fn names_patient(&self, key: RecordKey) -> bool {
        self.patients.contains_key(&key) || self.references.contains_key(&key)
    }

    /// All records that the source speaks of; day lists only within `window`.
    pub(crate) fn groups(&self, lookup: &LookupKey, window: &DayWindow) -> HashMap<RecordKey, RecordGroup> {
        let mut groups: HashMap<RecordKey, RecordGroup> = HashMap::with_capacity(self.patients.len());
        for (key, group) in &self.patients {
            groups.insert(*key, RecordGroup { group: *group, day: None });
        }
        for (reference, group) in &self.references {
            let entry = groups.entry(self.resolve(*reference));
            entry.or_insert(RecordGroup { group: Group::default(), day: None }).group.merge(*group);
        }
        for (day, group) in &self.days {
            if window.contains(*day) {
                let key = lookup.record_key(&RecordName::Day(*day));
                groups.insert(key, RecordGroup { group: *group, day: Some(*day) });
            }
        }
        groups
    }
}

/// What stands behind one record, and whether it is a day list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordGroup {
    pub(crate) group: Group,
    pub(crate) day: Option<Date>,
}

/// The first pass.
pub(crate) struct Surveying<'a> {
    pub(crate) state: &'a StateReader,
    pub(crate) digester: Digester,
    pub(crate) lookup: &'a LookupKey,
    pub(crate) window: &'a DayWindow,
}

impl Work for Surveying<'_> {
    type State = Survey;
    type Product = (DocumentDigest, Vec<u8>);

    fn start(&self) -> Survey {
        Survey::default()
    }

    fn document(
        &self,
        survey: &mut Survey,
        document: &Document<'_>,
        emit: &mut dyn FnMut(Self::Product) -> bool,
    ) {
        if let Err(error) = self.look_at(survey, document, emit) {
            survey.failure.get_or_insert(error);
        }
    }
}

impl Surveying<'_> {
    fn look_at(
        &self,
        survey: &mut Survey,
        document: &Document<'_>,
        emit: &mut dyn FnMut((DocumentDigest, Vec<u8>)) -> bool,
    ) -> Result<(), EngineError> {
        let digest = document.digest(self.digester);
        let kept = self.state.document(&digest)?.and_then(|bytes| DocumentRow::parse(&bytes));
        if let Some(row) = kept {
            survey.known += 1;
            survey.add(&digest, &row);
            for remark in &row.remarks {
                survey.remark(remark.remark(document), document.is_of_rows());
            }
            if row.is_shared()
                && let Some(bytes) = document.read()?.bytes
            {
                self.take_shared(survey, document, &bytes);
            }
            return Ok(());
        }
        let content = document.read()?;
        let mut remarks = content.remarks;
        let row = match content.bytes.as_deref().map(fhir::outline) {
            Some(Ok(outline)) => {
                remarks.extend(outline.skipped.iter().map(|problem| document.remark(problem)));
                Some(DocumentRow::new(&outline, self.lookup))
            }
            Some(Err(problem)) => {
                remarks.push(document.remark(&problem));
                None
            }
            // There is to be no record, unless it could not be read.
            None => remarks.is_empty().then(|| DocumentRow {
                left_out: content.left_out.as_deref().map(|it| reference_key(self.lookup, it)),
                ..DocumentRow::default()
            }),
        };
        if let Some(mut row) = row {
            row.remarks = remarks.iter().map(|remark| KeptRemark::of(remark, document)).collect();
            emit((digest, row.to_bytes()));
            survey.add(&digest, &row);
            if row.is_shared()
                && let Some(bytes) = &content.bytes
            {
                self.take_shared(survey, document, bytes);
            }
        }
        remarks.into_iter().for_each(|remark| survey.remark(remark, document.is_of_rows()));
        Ok(())
    }

    fn take_shared(&self, survey: &mut Survey, document: &Document<'_>, bytes: &[u8]) {
        match fhir::split(bytes, self.window) {
            Ok(pieces) => {
                survey.shared.extend(pieces.into_iter().filter(|p| matches!(p.owner, Owner::Shared)))
            }
            Err(problem) => survey.unreadable.push(document.remark(&problem).input),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claimed, DocumentRow, Group, IsNote, KeptRemark, OwnerKey, Survey};
    use jiff::civil::date;
    use lifeboat_clinical::fhir::TypeSet;
    use lifeboat_format::RecordKey;

    fn key(n: u8) -> RecordKey {
        RecordKey::from_bytes([n; 16])
    }

    #[test]
    fn a_document_row_round_trips_and_a_damaged_one_is_not_kept() {
        let row = DocumentRow {
            owners: vec![
                OwnerKey::Patient(key(1)),
                OwnerKey::Reference(key(2)),
                OwnerKey::Day(date(2026, 11, 21)),
                OwnerKey::Shared,
            ],
            claims: vec![(key(2), key(1))],
            left_out: Some(key(3)),
            types: TypeSet::default(),
            remarks: vec![
                KeptRemark {
                    is_note: IsNote::Yes,
                    file: Some("T".into()),
                    line: Some(3),
                    reason: "why".into(),
                },
                KeptRemark { is_note: IsNote::No, file: None, line: None, reason: "why not".into() },
            ],
        };
        let bytes = row.to_bytes();
        assert_eq!(DocumentRow::parse(&bytes), Some(row));
        assert_eq!(DocumentRow::parse(&bytes[..bytes.len() - 2]), None);
        assert_eq!(DocumentRow::parse(b"x"), None);
    }

    #[test]
    fn sums_do_not_depend_on_the_order_of_documents() {
        let (mut one, mut other) = (Group::default(), Group::default());
        [[1; 16], [0xff; 16]].iter().for_each(|digest| one.add(digest));
        [[0xff; 16], [1; 16]].iter().for_each(|digest| other.add(digest));
        assert_eq!(one, other);
        assert_eq!(one.documents, 2);
    }

    #[test]
    fn a_reference_that_two_patients_claim_means_neither() {
        let mut survey = Survey::default();
        assert_eq!(survey.resolve(key(9)), key(9));
        survey.claim(key(9), Claimed::By(key(1)));
        survey.claim(key(9), Claimed::By(key(1)));
        assert_eq!(survey.resolve(key(9)), key(1));
        survey.claim(key(9), Claimed::By(key(2)));
        assert_eq!(survey.resolve(key(9)), key(9));
    }
}
