//! The differences that a format forces: what it cannot say, or says in other words.
//!
//! Each entry stands for a column of a part of the page ("*" for all of its columns) in which a format may differ from what FHIR R4 says of
//! the same practice. An entry that makes no difference is an error, so that the list stays as short as the truth.

/// One difference that a format forces.
pub struct Forced {
    /// The format.
    pub format: &'static str,
    /// The part of the page: a section, its state, the banner, the appointments.
    pub part: &'static str,
    /// The column, or "*".
    pub column: &'static str,
    /// Why the format cannot do otherwise.
    pub why: &'static str,
}

const fn forced(format: &'static str, part: &'static str, column: &'static str, why: &'static str) -> Forced {
    Forced { format, part, column, why }
}

/// Every forced difference.
pub const FORCED: &[Forced] = &[
    forced("gpconnect", "appointments", "*", "GP Connect's structured record has no appointment book"),
    forced("vision", "appointments", "*", "the Vision extract has no appointment book"),
];
