//! What the documents of a source are made of, and how they are read.
//!
//! Whatever kind a source is, two passes see it as documents in FHIR R4, each with a digest that tells whether it can have
//! changed. A document of a file is translated only when it is not known, one of kept rows is made only then.

use super::report::UnreadableInput;
use super::rows::{RowsError, RowsView, UnitKey};
use super::source::Listing;
use super::spill::SpooledBytes;
use super::survey::{Digester, DocumentDigest};
use lifeboat_clinical::problem::{Place, Problem};
use lifeboat_feeds::{Format, Problem as FeedProblem, Rules, Unit};
use std::borrow::Cow;

/// The documents of a source.
pub(crate) enum Input {
    /// Files of documents.
    Files(Listing, Translation),
    /// What a command wrote.
    Command(SpooledBytes, Translation),
    /// Kept rows.
    Rows(Box<RowsView>),
}

/// How documents become FHIR R4.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    pub(crate) format: Format,
    pub(crate) rules: Rules,
    /// Differs where the same bytes would be translated differently; nothing where none are translated.
    mark: Option<[u8; 16]>,
}

impl Translation {
    pub(crate) fn new(format: Format, rules: Rules, digester: Digester) -> Self {
        let text = format!("{format}\0{}\0{rules:?}", env!("CARGO_PKG_VERSION"));
        let mark = (format != Format::FhirR4).then(|| digester.digest(text.as_bytes()));
        Self { format, rules, mark }
    }
}

/// Whether something is worth a note and no loss.
pub(crate) use super::rows::IsNote;

/// Something to report about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) is_note: IsNote,
    pub(crate) input: UnreadableInput,
}

/// Where a document comes from.
pub(crate) enum Origin<'a> {
    /// Bytes as they stand in a file or in what a command wrote.
    Bytes { name: &'a str, place: Place, bytes: &'a [u8], translation: Option<&'a Translation> },
    /// The rows of one owner, and their version.
    Rows { view: &'a RowsView, unit: UnitKey, version: DocumentDigest },
}

/// One document of the source.
pub(crate) struct Document<'a>(pub(crate) Origin<'a>);

/// What rows are called in reports.
const ROWS: &str = "kept rows";

/// A document in FHIR R4, as far as it could be made.
pub(crate) struct Content<'a> {
    /// Nothing where there is to be no record.
    pub(crate) bytes: Option<Cow<'a, [u8]>>,
    pub(crate) remarks: Vec<Remark>,
    /// The reference to the patient whom the rules leave out, if that is why there are no bytes.
    pub(crate) left_out: Option<String>,
}

impl<'a> Document<'a> {
    /// Tells whether the document can have changed.
    pub(crate) fn digest(&self, digester: Digester) -> DocumentDigest {
        match &self.0 {
            Origin::Bytes { bytes, translation, .. } => {
                let digest = digester.digest(bytes);
                match translation.and_then(|translation| translation.mark) {
                    None => digest,
                    Some(mark) => digester.digest(&[mark, digest].concat()),
                }
            }
            Origin::Rows { version, .. } => *version,
        }
    }

    /// Makes the document.
    pub(crate) fn read(&self) -> Result<Content<'a>, RowsError> {
        match &self.0 {
            Origin::Bytes { bytes, translation, .. } => {
                let translated =
                    translation.and_then(|how| lifeboat_feeds::translate(how.format, bytes, &how.rules));
                Ok(match translated {
                    None => {
                        Content { bytes: Some(Cow::Borrowed(*bytes)), remarks: Vec::new(), left_out: None }
                    }
                    Some(Ok(translated)) => Content {
                        bytes: (!translated.document.is_empty()).then_some(Cow::Owned(translated.document)),
                        remarks: translated
                            .problems
                            .iter()
                            .map(|problem| self.remark_of_feed(problem))
                            .collect(),
                        left_out: None,
                    },
                    Some(Err(problem)) => {
                        Content { bytes: None, remarks: vec![self.remark_of_feed(&problem)], left_out: None }
                    }
                })
            }
            Origin::Rows { view, unit, .. } => {
                let (unit, mapped) = view.document(unit)?;
                let remarks = mapped.problems.iter().map(|problem| self.remark_of_feed(problem)).collect();
                let left_out = match unit {
                    // Without a document and without a problem: the rules say so.
                    Unit::Patient(id) if mapped.document.is_none() && mapped.problems.is_empty() => {
                        Some(format!("Patient/{id}"))
                    }
                    _ => None,
                };
                Ok(Content { bytes: mapped.document.map(Cow::Owned), remarks, left_out })
            }
        }
    }

    /// Names a problem of this document for the report.
    pub(crate) fn remark(&self, problem: &Problem) -> Remark {
        let is_note = if problem.reason.is_note() { IsNote::Yes } else { IsNote::No };
        let input = match &self.0 {
            Origin::Bytes { name, place, .. } => UnreadableInput::of(name, &problem.clone().within(*place)),
            Origin::Rows { .. } => {
                // The place within a document that was made of rows says nothing to anybody.
                let bare = Problem { place: Place::default(), reason: problem.reason.clone() };
                UnreadableInput::of(ROWS, &bare)
            }
        };
        Remark { is_note, input }
    }

    fn remark_of_feed(&self, problem: &FeedProblem) -> Remark {
        let line = match &self.0 {
            Origin::Bytes { place, .. } => place.line.or(problem.row),
            // The number of a row in a file that is long gone would mislead.
            Origin::Rows { .. } => None,
        };
        let name = match &self.0 {
            Origin::Bytes { name, .. } => name,
            Origin::Rows { .. } if !problem.file.is_empty() => problem.file.as_str(),
            Origin::Rows { .. } => ROWS,
        };
        Remark::of_feed(name, line, problem)
    }

    /// The file and line that a remark has unless it says otherwise.
    pub(crate) fn whereabouts(&self) -> (&str, Option<u64>) {
        match &self.0 {
            Origin::Bytes { name, place, .. } => (name, place.line),
            Origin::Rows { .. } => (ROWS, None),
        }
    }

    /// Whether remarks on many documents of this kind are counted rather than listed.
    pub(crate) fn is_of_rows(&self) -> bool {
        matches!(self.0, Origin::Rows { .. })
    }
}

impl Remark {
    /// Names a feed's problem for the report.
    pub(crate) fn of_feed(file: &str, line: Option<u64>, problem: &FeedProblem) -> Self {
        let is_note = if problem.reason.is_note() { IsNote::Yes } else { IsNote::No };
        let reason = match &problem.column {
            Some(column) => format!("{column}: {}", problem.reason),
            None => problem.reason.to_string(),
        };
        Self { is_note, input: UnreadableInput { file: file.to_owned(), line, reason, times: 1 } }
    }
}
