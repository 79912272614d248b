//! What the format cannot say as the made-up practice has it.

use lifeboat_clinical::SectionId;

use crate::format::Format;
use crate::synth::emis::Forced;

const fn of_patient(field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::SystmOne, section: None, field, why }
}

const fn forced(section: SectionId, field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::SystmOne, section: Some(section), field, why }
}

/// Every difference.
pub const FORCED: &[Forced] = &[of_patient("x", "x"), forced(SectionId::Allergies, "x", "x")];
