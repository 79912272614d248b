//! Feeds in, FHIR R4 patient summaries out, and the view of them that a clinician reads.

pub mod nhs_number;
pub mod section;
pub mod synth;

pub use section::{SectionId, SectionState};
