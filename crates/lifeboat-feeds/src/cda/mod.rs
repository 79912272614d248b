//! Clinical documents of HL7 version 3: C-CDA documents, and the Summary Care Record's GP summary.
//!
//! A document is read into a bounded tree ([`xml`]), which refuses document type declarations and everything that
//! could expand. A C-CDA document's sections are known by their LOINC codes; their entries become FHIR R4 resources with
//! codes, dates and values as written. The text for people is never lost: a section that is text alone becomes an
//! item of the section it belongs to, and the text of the others goes to "other items" as the source wrote it, because
//! that is what its author signed. A GP summary is its presentation text: the rows under each heading become items, and
//! take the codes of the structured entries that say the same.
//!
//! An allergy section never reads as "none" unless the source says so: as a negated statement, or in words.

mod allergies;
mod clinical;
mod encoding;
mod events;
mod medication;
mod narrative;
mod observations;
mod patient;
mod problems;
mod summary;
mod summary_entries;
mod systems;
#[cfg(test)]
mod tests;
mod translation;
mod xml;

use crate::problem::{Problem, Reason};
use crate::rules::Rules;
use crate::translate::Translated;

/// Translates a document.
///
/// # Errors
/// Why nothing of it can be used.
pub fn translate(document: &[u8], rules: &Rules) -> Result<Translated, Problem> {
    let text = encoding::decode(document)?;
    let root = xml::parse(&text)?;
    if root.name() == "ClinicalDocument" {
        return clinical::translate(&root, rules);
    }
    match root.find("GPSummary") {
        Some(summary) => summary::translate(&root, summary, rules),
        None => Err(Problem::whole(Reason::Malformed(
            "the document is neither a C-CDA document nor a GP summary".to_owned(),
        ))),
    }
}

/// Returns the document of a patient who is to have no record.
fn nobody() -> Translated {
    Translated { document: crate::r4::Document::default().finish(), problems: Vec::new() }
}
