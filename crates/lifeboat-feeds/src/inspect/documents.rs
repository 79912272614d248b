//! Looks through documents, and at the records that come of them.

use std::io::Read;

use jiff::civil::Date;
use lifeboat_clinical::fhir::DayWindow;
use lifeboat_clinical::{
    DocumentReader, FeedProfile, Limits, Owner, SectionId, SectionState, SharedResources,
    build_patient_record, outline, split,
};

use super::{
    DocumentInspection, InspectOptions, Inspection, Problems, SampleInspection, SectionSample, SourceFiles,
};
use crate::archive::unpack;
use crate::format::Format;
use crate::problem::{Problem, Reason};
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
        sample: Sample::default(),
    };
    for at in 0..source.files().len() {
        let read = source.open(at).map_err(|error| Problem::whole(Reason::Unreadable(error.to_string())));
        match read.and_then(|reader| unpack(reader, options.archive_limits)) {
            Ok(text) if matches!(format, Format::CCda | Format::GpSummary) => reading.take_whole(text),
            Ok(text) => reading.take_json(text),
            Err(problem) => reading.refuse(&problem),
        }
    }
    inspection.documents = Some(reading.found);
    inspection.sample = reading.sample.finish(inspection);
}

struct Reading<'a> {
    format: Format,
    options: &'a InspectOptions,
    problems: &'a mut Problems,
    found: DocumentInspection,
    sample: Sample,
}

impl Reading<'_> {
    fn number(&self) -> String {
        format!("document {}", self.found.read + self.found.unread + 1)
    }

    fn refuse(&mut self, problem: &Problem) {
        let place = self.number();
        self.problems.add(&place, problem);
        self.found.unread += 1;
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

    fn take_json(&mut self, reader: impl Read) {
        let mut reader = DocumentReader::new(reader, Limits::default());
        let mut document = Vec::new();
        while let Some(next) = reader.next(&mut document) {
            match next {
                Ok(_) => self.take(&document),
                Err(problem) => {
                    let place = self.number();
                    self.problems.add_text(problem.reason.to_string(), place);
                    self.found.unread += 1;
                }
            }
        }
    }

    fn take(&mut self, document: &[u8]) {
        match translate(self.format, document, &self.options.rules) {
            None => self.take_r4(document),
            Some(Err(problem)) => self.refuse(&problem),
            Some(Ok(translated)) => {
                let place = self.number();
                translated.problems.iter().for_each(|problem| self.problems.add(&place, problem));
                self.take_r4(&translated.document);
            }
        }
    }

    fn take_r4(&mut self, document: &[u8]) {
        let place = self.number();
        match outline(document) {
            Ok(outline) => {
                for problem in outline.skipped.iter().filter(|problem| !problem.reason.is_note()) {
                    self.problems.add_text(problem.reason.to_string(), place.clone());
                }
                self.found.read += 1;
                self.found.resources += u64::from(outline.resources);
                let is_whole = outline.owners.iter().any(|owner| matches!(owner, Owner::Patient(_)));
                if is_whole && self.sample.patients < self.options.patients_max as u64 {
                    self.sample.take(document, self.options.today);
                }
            }
            Err(problem) => {
                self.problems.add_text(problem.reason.to_string(), place);
                self.found.unread += 1;
            }
        }
    }
}

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
        let window = DayWindow { first: Date::MIN, last: Date::MIN };
        let (Ok(outline), Ok(pieces)) = (outline(document), split(document, &window)) else { return };
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
        let record = build_patient_record(own, &shared, &profile, today);
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
                "{without} of {} patients looked at: no record, by the rules for dummy and excluded patients",
                self.patients
            ));
        }
        for section in self.found.sections.iter().filter(|section| section.withheld > 0) {
            inspection.left_out.push(format!(
                "{}: confidential entries of {} of {} patients looked at",
                section.section.title(),
                section.withheld,
                self.patients
            ));
        }
        for (kind, count) in &self.found.other_items {
            inspection.left_out.push(format!(
                "{count} entries ({kind}) of {} patients looked at go to \"other items\", since no other section fits them",
                self.patients
            ));
        }
        Some(self.found)
    }
}
