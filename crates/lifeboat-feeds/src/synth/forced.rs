//! What formats cannot say, or say in other words, than the made-up practice has it.

use lifeboat_clinical::SectionId;

use crate::format::Format;

/// A difference between a chart and what can be read back from a format, that the format forces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forced {
    /// The format.
    pub format: Format,
    /// The section; `None` stands for who the patient is.
    pub section: Option<SectionId>,
    /// The field that differs.
    pub field: &'static str,
    /// Why.
    pub why: &'static str,
}
