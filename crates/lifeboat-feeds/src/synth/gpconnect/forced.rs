//! What a structured record cannot say as the made-up practice has it.

/// A difference between what FHIR R4 says of the practice and what GP Connect says, that the format forces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forced {
    /// The format.
    pub format: &'static str,
    /// The part of the page that differs: a section, its state, the banner, the appointments.
    pub section: &'static str,
    /// The column, or "*" for all of them.
    pub field: &'static str,
    /// Why.
    pub why: &'static str,
}

const fn forced(section: &'static str, field: &'static str, why: &'static str) -> Forced {
    Forced { format: "gpconnect", section, field, why }
}

/// Every difference.
pub const FORCED: &[Forced] = &[
    forced("appointments", "*", "a structured record has no appointment book"),
    forced("diary", "*", "a structured record has no appointment book, and so no appointments to come"),
    forced("diary state", "state", "without appointments to come a diary may be empty"),
    forced("alerts", "*", "a structured record has no area for alerts; they are uncategorised data"),
    forced("alerts state", "state", "a structured record has no area for alerts"),
    forced("procedures", "*", "a structured record has no area for procedures; they are uncategorised data"),
    forced("procedures state", "state", "a structured record has no area for procedures"),
    forced(
        "other-items",
        "*",
        "uncategorised data repeats problems and holds alerts and procedures; people go by name alone",
    ),
    forced("allergies", "Details", "every allergy is unconfirmed, by the profile"),
    forced("allergy header", "status", "every allergy is unconfirmed, by the profile"),
    forced("past-problems", "Details", "a problem is active or inactive, and never resolved"),
    forced(
        "referrals",
        "Details",
        "the coded reason is what was asked for, so the reason in words is a description",
    ),
    forced(
        "repeat-medication",
        "Type",
        "what others prescribe is a prescription of a type that is not known",
    ),
    forced(
        "repeat-medication",
        "Additional Information",
        "what others prescribe is marked as prescribed elsewhere",
    ),
];
