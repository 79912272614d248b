//! Documents of other formats, translated to FHIR R4 one by one.

use crate::format::Format;
use crate::problem::Problem;
use crate::rules::Rules;
use crate::{cda, gpconnect};

/// A document in FHIR R4.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Translated {
    /// A Bundle of type `collection` as JSON.
    pub document: Vec<u8>,
    /// What could not be translated.
    pub problems: Vec<Problem>,
}

impl std::fmt::Debug for Translated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translated")
            .field("bytes", &self.document.len())
            .field("problems", &self.problems)
            .finish()
    }
}

/// Translates a document, or returns `None` where its format needs no translation.
///
/// # Errors
/// Why nothing of the document can be used.
pub fn translate(format: Format, document: &[u8], rules: &Rules) -> Option<Result<Translated, Problem>> {
    match format {
        Format::GpConnect => Some(gpconnect::translate(document, rules)),
        Format::CCda | Format::GpSummary => Some(cda::translate(document, rules)),
        Format::FhirR4 | Format::EmisWeb | Format::SystmOne | Format::Vision => None,
    }
}
