//! Which version of FHIR a resource is written in, by its profile or by its shape.

use super::walk::Head;
use crate::json::Json;
use crate::problem::OtherVersion;

/// Resource types that only STU3 has.
const STU3_TYPES: [&str; 18] = [
    "BodySite",
    "DataElement",
    "DeviceComponent",
    "DeviceUseRequest",
    "EligibilityRequest",
    "EligibilityResponse",
    "ExpansionProfile",
    "ImagingManifest",
    "ProcedureRequest",
    "ProcessRequest",
    "ProcessResponse",
    "ReferralRequest",
    "Sequence",
    "ServiceDefinition",
    "ImagingExcerpt",
    "DecisionSupportRule",
    "DecisionSupportServiceModule",
    "PractitionerRoleSpecialty",
];

/// Resource types that only DSTU2 has.
const DSTU2_TYPES: [&str; 6] =
    ["Conformance", "DiagnosticOrder", "ImagingObjectSelection", "MedicationOrder", "Order", "OrderResponse"];

/// Resource types that only R5 has.
const R5_TYPES: [&str; 12] = [
    "ActorDefinition",
    "DeviceDispense",
    "DeviceUsage",
    "EncounterHistory",
    "FormularyItem",
    "GenomicStudy",
    "ImagingSelection",
    "InventoryReport",
    "MedicationUsage",
    "NutritionIntake",
    "Permission",
    "Transport",
];

/// A resource's name and the members whose shape differs between versions.
pub(super) struct Shape<'s> {
    pub(super) name: &'s str,
    pub(super) head: &'s Head<'s>,
}

/// Returns the version when the type or a profile says outright that it is another than R4.
pub(super) fn declared(shape: &Shape<'_>) -> Option<OtherVersion> {
    if STU3_TYPES.contains(&shape.name) {
        return Some(OtherVersion::Stu3);
    }
    if DSTU2_TYPES.contains(&shape.name) {
        return Some(OtherVersion::Dstu2);
    }
    if R5_TYPES.contains(&shape.name) {
        return Some(OtherVersion::R5);
    }
    shape.head.meta.and_then(by_profile)
}

/// What the shapes of a document's resources say about its version.
///
/// One oddly shaped resource must not cost a patient the rest of their record, so the shapes of all
/// are counted against each other.
#[derive(Default)]
pub(super) struct Votes {
    stu3: u32,
    r5: u32,
    r4: u32,
}

impl Votes {
    /// Counts a resource in.
    pub(super) fn add(&mut self, shape: &Shape<'_>) {
        match shape.name {
            "AllergyIntolerance" | "Condition" => match shape.head.clinical_status {
                Some(status) if status.is_string() => self.stu3 += 1,
                Some(status) if status.is_object() => self.r4 += 1,
                _ => {}
            },
            "MedicationStatement" if shape.head.taken.is_some() => self.stu3 += 1,
            "Immunization" if shape.head.not_given.is_some() => self.stu3 += 1,
            "Binary" if shape.head.content.is_some_and(Json::is_string) => self.stu3 += 1,
            "MedicationRequest"
            | "MedicationStatement"
            | "MedicationDispense"
            | "MedicationAdministration"
                if shape.head.medication.is_some_and(Json::is_object) =>
            {
                self.r5 += 1;
            }
            _ => {}
        }
    }

    /// Returns the version for which most speaks, if it is not R4.
    pub(super) fn verdict(&self) -> Option<OtherVersion> {
        if self.stu3.max(self.r5) <= self.r4 {
            None
        } else if self.stu3 >= self.r5 {
            Some(OtherVersion::Stu3)
        } else {
            Some(OtherVersion::R5)
        }
    }
}

/// Returns the version that a resource's profiles name.
pub(super) fn by_profile(meta: Json<'_>) -> Option<OtherVersion> {
    let profiles = meta.field("profile")?;
    profiles.items().into_iter().filter_map(Json::string).find_map(|profile| {
        if profile.contains("/STU3/") || profile.contains("/CareConnect-") {
            Some(OtherVersion::Stu3)
        } else if profile.contains("/DSTU2/") || profile.contains("fhir.nhs.net/StructureDefinition") {
            Some(OtherVersion::Dstu2)
        } else if profile.contains("/StructureDefinition/") && profile.contains("hl7.org/fhir/5.0") {
            Some(OtherVersion::R5)
        } else {
            None
        }
    })
}
