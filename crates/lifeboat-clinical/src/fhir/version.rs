//! Which version of FHIR a resource is written in, by its profile or by its shape.

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
const DSTU2_TYPES: [&str; 6] = [
    "Conformance",
    "DiagnosticOrder",
    "ImagingObjectSelection",
    "MedicationOrder",
    "Order",
    "OrderResponse",
];

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

/// The members whose shape differs between versions.
pub(super) struct Shape<'a> {
    pub(super) name: &'a str,
    pub(super) meta: Option<Json<'a>>,
    pub(super) clinical_status: Option<Json<'a>>,
    pub(super) taken: Option<Json<'a>>,
    pub(super) not_given: Option<Json<'a>>,
    pub(super) medication: Option<Json<'a>>,
    pub(super) content: Option<Json<'a>>,
}

/// Returns the version when it is known to be another than R4.
pub(super) fn other_version(shape: &Shape<'_>) -> Option<OtherVersion> {
    if STU3_TYPES.contains(&shape.name) {
        return Some(OtherVersion::Stu3);
    }
    if DSTU2_TYPES.contains(&shape.name) {
        return Some(OtherVersion::Dstu2);
    }
    if R5_TYPES.contains(&shape.name) {
        return Some(OtherVersion::R5);
    }
    if let Some(version) = shape.meta.and_then(by_profile) {
        return Some(version);
    }
    match shape.name {
        "AllergyIntolerance" | "Condition" if shape.clinical_status.is_some_and(Json::is_string) => {
            Some(OtherVersion::Stu3)
        }
        "MedicationStatement" if shape.taken.is_some() => Some(OtherVersion::Stu3),
        "Immunization" if shape.not_given.is_some() => Some(OtherVersion::Stu3),
        "Binary" if shape.content.is_some_and(Json::is_string) => Some(OtherVersion::Stu3),
        "MedicationRequest" | "MedicationStatement" | "MedicationDispense"
        | "MedicationAdministration"
            if shape.medication.is_some_and(Json::is_object) =>
        {
            Some(OtherVersion::R5)
        }
        _ => None,
    }
}

/// Returns the version that a resource's profiles name.
pub(super) fn by_profile(meta: Json<'_>) -> Option<OtherVersion> {
    let profiles = meta.field("profile")?;
    profiles
        .items()
        .into_iter()
        .filter_map(Json::string)
        .find_map(|profile| {
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
