//! Looks through documents, and at the records that come of them.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::Date;
use lifeboat_clinical::fhir::{DayWindow, TypeSet};
use lifeboat_clinical::{
    DocumentReader, FeedProfile, Limits, Outline, Owner, PatientName, Piece, SectionId, SectionState,
    SharedResources, build_patient_record, outline, split,
};

use super::show::counted;
use super::{
    DocumentInspection, InspectOptions, Inspection, Problems, SampleInspection, SectionSample, SourceFiles,
};
use crate::archive::unpack;
use crate::format::Format;
use crate::problem::{Problem, Reason};
use crate::recognise::{is_hidden, is_impersonal};
use crate::translate::translate;

/// Looks through a source of documents.
pub(super) fn inspect(
    format: Format,
    source: &dyn SourceFiles,
    options: &InspectOptions,
    inspection: &mut Inspection,
    problems: &mut Problems,
) {
    let mut reading = Reading {
        format,
        options,
        problems,
        found: DocumentInspection::default(),
        chosen: Chosen::default(),
        pass: Pass::Count,
        place: String::new(),
    };
    reading.read_all(source);
    if reading.chosen.is_scattered() {
        reading.pass = Pass::Gather;
        reading.read_all(source);
    }
    let sample = reading.chosen.sample(options.today);
    inspection.documents = Some(reading.found);
    inspection.sample = sample.finish(inspection);
}

/// What is done with the documents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// All are counted, and patients are chosen.
    Count,
    /// What lies apart from the chosen patients' own resources is gathered, as in Bulk Data.
    Gather,
}

struct Reading<'a> {
    format: Format,
    options: &'a InspectOptions,
    problems: &'a mut Problems,
    found: DocumentInspection,
    chosen: Chosen,
    pass: Pass,
    /// Where the document is that is being read, as a report may say it.
    place: String,
}

impl Reading<'_> {
    fn read_all(&mut self, source: &dyn SourceFiles) {
        let files = source.files();
        for (at, file) in files.iter().enumerate().filter(|(_, file)| !is_hidden(&file.path)) {
            // Documents are named after patients; tables of lines and archives are not.
            let whole = match is_impersonal(file.name()) {
                true => file.path.clone(),
                false => format!("file {} of {} by name", at + 1, files.len()),
            };
            self.place.clone_from(&whole);
            let read = source.open(at).map_err(|error| Problem::whole(Reason::Unreadable(error.to_string())));
            match read.and_then(|reader| unpack(reader, self.options.archive_limits)) {
                Ok(text) if matches!(self.format, Format::CCda | Format::GpSummary) => self.take_whole(text),
                Ok(text) => self.take_json(text, &whole),
                Err(problem) => self.refuse(&problem),
            }
        }
    }

    fn refuse(&mut self, problem: &Problem) {
        if self.pass == Pass::Count {
            self.problems.add(&self.place, problem);
            self.found.unread += 1;
        }
    }

    fn refuse_r4(&mut self, reason: &lifeboat_clinical::Reason) {
        if self.pass == Pass::Count && !reason.is_note() {
            self.problems.add_text(reason.to_string(), self.place.clone());
            self.found.unread += 1;
        }
    }

    fn take_whole(&mut self, reader: impl Read) {
        let limit = Limits::default().document_bytes_max;
        let mut document = Vec::new();
        match reader.take(limit + 1).read_to_end(&mut document) {
            Ok(read) if read as u64 > limit => {
                let what = "bytes of one document".to_owned();
                self.refuse(&Problem::whole(Reason::TooMany { what, limit }));
            }
            Ok(_) => self.take(&document),
            Err(error) => self.refuse(&Problem::whole(Reason::Unreadable(error.to_string()))),
        }
    }

    fn take_json(&mut self, reader: impl Read, file: &str) {
        let mut reader = DocumentReader::new(reader, Limits::default());
        let mut document = Vec::new();
        while let Some(next) = reader.next(&mut document) {
            let line = match &next {
                Ok(place) => place.line,
                Err(problem) => problem.place.line,
            };
            self.place = line.map_or_else(|| file.to_owned(), |line| format!("{file}, line {line}"));
            match next {
                Ok(_) => self.take(&document),
                Err(problem) => self.refuse_r4(&problem.reason),
            }
        }
    }

    fn take(&mut self, document: &[u8]) {
        match translate(self.format, document, &self.options.rules) {
            None => self.take_r4(document),
            Some(Err(problem)) => self.refuse(&problem),
            Some(Ok(translated)) => {
                if self.pass == Pass::Count {
                    let place = &self.place;
                    translated.problems.iter().for_each(|problem| self.problems.add(place, problem));
                }
                self.take_r4(&translated.document);
            }
        }
    }

    fn take_r4(&mut self, document: &[u8]) {
        match (outline(document), self.pass) {
            (Ok(outline), Pass::Count) => {
                for problem in outline.skipped.iter().filter(|problem| !problem.reason.is_note()) {
                    self.problems.add_text(problem.reason.to_string(), self.place.clone());
                }
                self.found.read += 1;
                self.found.resources += u64::from(outline.resources);
                self.chosen.count(&outline, document, self.options.patients_max);
            }
            (Ok(outline), Pass::Gather) => self.chosen.gather(&outline, document),
            (Err(problem), _) => self.refuse_r4(&problem.reason),
        }
    }
}

/// The patients whose records are made, and what is there of them.
#[derive(Default)]
struct Chosen {
    patients: BTreeMap<PatientName, Vec<Piece>>,
    /// What refers to one of them.
    references: BTreeMap<String, PatientName>,
    shared: SharedResources,
    supplied: TypeSet,
    /// Whether resources lie apart from the patients whom they are about.
    has_loose: bool,
}

impl Chosen {
    fn count(&mut self, outline: &Outline, document: &[u8], patients_max: usize) {
        self.supplied.extend(&outline.types);
        let mut is_of_chosen = false;
        for owner in &outline.owners {
            match owner {
                Owner::Patient(name) if self.patients.contains_key(name) => is_of_chosen = true,
                Owner::Patient(name) if self.patients.len() < patients_max => {
                    is_of_chosen = true;
                    self.patients.insert(name.clone(), Vec::new());
                }
                Owner::Reference(_) => self.has_loose = true,
                Owner::Patient(_) | Owner::Day(_) | Owner::Shared => {}
            }
        }
        let claims = outline.claims.iter().filter(|claim| self.patients.contains_key(&claim.name));
        let claims: Vec<_> = claims.map(|claim| (claim.reference.clone(), claim.name.clone())).collect();
        self.references.extend(claims);
        if is_of_chosen {
            self.keep(document);
        }
    }

    /// Says whether a second look is needed to have all of the patients' resources.
    fn is_scattered(&self) -> bool {
        self.has_loose && !self.patients.is_empty()
    }

    /// Keeps what a document without patients of its own holds of those who were chosen, or of everybody.
    fn gather(&mut self, outline: &Outline, document: &[u8]) {
        let is_of_chosen = |owner: &Owner| match owner {
            Owner::Reference(reference) => self.references.contains_key(reference),
            Owner::Shared => true,
            Owner::Patient(_) | Owner::Day(_) => false,
        };
        let is_kept_already = outline
            .owners
            .iter()
            .any(|owner| matches!(owner, Owner::Patient(name) if self.patients.contains_key(name)));
        if !is_kept_already && outline.owners.iter().any(is_of_chosen) {
            self.keep(document);
        }
    }

    fn keep(&mut self, document: &[u8]) {
        for piece in split(document, &NO_DAYS).unwrap_or_default() {
            let name = match &piece.owner {
                Owner::Shared => {
                    self.shared.insert(piece);
                    continue;
                }
                Owner::Patient(name) => Some(name.clone()),
                Owner::Reference(reference) => self.references.get(reference).cloned(),
                Owner::Day(_) => None,
            };
            if let Some(pieces) = name.and_then(|name| self.patients.get_mut(&name)) {
                pieces.push(piece);
            }
        }
    }

    /// Makes the records, and counts where the entries went.
    fn sample(&mut self, today: Date) -> Sample {
        let mut sample = Sample::default();
        let profile = FeedProfile { supplied: self.supplied, ..FeedProfile::default() };
        for pieces in std::mem::take(&mut self.patients).into_values() {
            sample.patients += 1;
            sample.build(pieces, &self.shared, &profile, today);
        }
        sample
    }
}

/// No day lists are made.
const NO_DAYS: DayWindow = DayWindow { first: Date::MIN, last: Date::MIN };

/// What became of some patients' entries, as it is being counted.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) patients: u64,
    found: SampleInspection,
    sections: Vec<SectionSample>,
}

impl Sample {
    /// Counts a patient of whom there is to be no record.
    pub(super) fn take_none(&mut self) {
        self.patients += 1;
    }

    /// Makes the record of the patient whose document this is, and counts where the entries went.
    pub(super) fn take(&mut self, document: &[u8], today: Date) {
        self.patients += 1;
        let (Ok(outline), Ok(pieces)) = (outline(document), split(document, &NO_DAYS)) else { return };
        let mut shared = SharedResources::default();
        let mut own = Vec::new();
        for piece in pieces {
            match piece.owner {
                Owner::Shared => {
                    shared.insert(piece);
                }
                Owner::Day(_) => {}
                Owner::Patient(_) | Owner::Reference(_) => own.push(piece),
            }
        }
        let mut profile = FeedProfile::default();
        profile.supplied.extend(&outline.types);
        self.build(own, &shared, &profile, today);
    }

    fn build(&mut self, pieces: Vec<Piece>, shared: &SharedResources, profile: &FeedProfile, today: Date) {
        let record = build_patient_record(pieces, shared, profile, today);
        self.found.records += 1;
        if self.sections.is_empty() {
            let empty =
                |section| SectionSample { section, items: 0, patients: 0, withheld: 0, not_supplied: 0 };
            self.sections = SectionId::ALL.into_iter().map(empty).collect();
        }
        for (section, state, items) in &record.sections {
            let Some(sample) = self.sections.iter_mut().find(|sample| sample.section == *section) else {
                continue;
            };
            sample.items += u64::from(*items);
            sample.patients += u64::from(*items > 0);
            sample.withheld += u64::from(*state == SectionState::Withheld);
            sample.not_supplied += u64::from(*state == SectionState::NotSupplied);
        }
        self.count_other_items(&record.bytes);
    }

    /// Counts the entries of "other items" by the types of their resources.
    fn count_other_items(&mut self, record: &[u8]) {
        let Ok(bundle) = serde_json::from_slice::<serde_json::Value>(record) else { return };
        let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(sections) = entries.first().and_then(|first| first["resource"]["section"].as_array()) else {
            return;
        };
        let place = SectionId::ALL.iter().position(|section| *section == SectionId::OtherItems);
        let others = place.and_then(|place| sections.get(place)?["entry"].as_array());
        for reference in others.into_iter().flatten().filter_map(|item| item["reference"].as_str()) {
            let found = entries.iter().find(|entry| entry["fullUrl"] == reference);
            let kind = found.and_then(|entry| entry["resource"]["resourceType"].as_str());
            // The name of a type is a word of FHIR's; anything else may be anything.
            let sound = |kind: &&str| kind.len() <= 40 && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
            let kind = kind.filter(sound).unwrap_or("unknown").to_owned();
            *self.found.other_items.entry(kind).or_default() += 1;
        }
    }

    /// Returns what was counted, and says what of it is left out.
    pub(super) fn finish(mut self, inspection: &mut Inspection) -> Option<SampleInspection> {
        if self.patients == 0 {
            return None;
        }
        self.found.patients = self.patients;
        self.found.sections = self.sections;
        let without = self.patients - self.found.records;
        if without > 0 {
            inspection.left_out.push(format!(
                "{without} of {} looked at: no record, by the rules for dummy and excluded patients",
                counted(self.patients, "patient", "patients")
            ));
        }
        for section in self.found.sections.iter().filter(|section| section.withheld > 0) {
            inspection.left_out.push(format!(
                "{}: confidential entries of {} of {} looked at",
                section.section.title(),
                section.withheld,
                counted(self.patients, "patient", "patients")
            ));
        }
        for (kind, count) in &self.found.other_items {
            inspection.left_out.push(format!(
                "{} ({kind}) of {} looked at in \"Other Items\", since no other section fits",
                counted(*count, "entry", "entries"),
                counted(self.patients, "patient", "patients")
            ));
        }
        Some(self.found)
    }
}
