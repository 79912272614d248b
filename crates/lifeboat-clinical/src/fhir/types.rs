//! The resource types of FHIR R4, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::section::SectionId;

/// The resource types of FHIR R4, sorted.
const NAMES: [&str; 146] = [
    "Account",
    "ActivityDefinition",
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AppointmentResponse",
    "AuditEvent",
    "Basic",
    "Binary",
    "BiologicallyDerivedProduct",
    "BodyStructure",
    "Bundle",
    "CapabilityStatement",
    "CarePlan",
    "CareTeam",
    "CatalogEntry",
    "ChargeItem",
    "ChargeItemDefinition",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "CodeSystem",
    "Communication",
    "CommunicationRequest",
    "CompartmentDefinition",
    "Composition",
    "ConceptMap",
    "Condition",
    "Consent",
    "Contract",
    "Coverage",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "DetectedIssue",
    "Device",
    "DeviceDefinition",
    "DeviceMetric",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentManifest",
    "DocumentReference",
    "EffectEvidenceSynthesis",
    "Encounter",
    "Endpoint",
    "EnrollmentRequest",
    "EnrollmentResponse",
    "EpisodeOfCare",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "GraphDefinition",
    "Group",
    "GuidanceResponse",
    "HealthcareService",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "ImplementationGuide",
    "InsurancePlan",
    "Invoice",
    "Library",
    "Linkage",
    "List",
    "Location",
    "Measure",
    "MeasureReport",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationKnowledge",
    "MedicationRequest",
    "MedicationStatement",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "MessageHeader",
    "MolecularSequence",
    "NamingSystem",
    "NutritionOrder",
    "Observation",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "Parameters",
    "Patient",
    "PaymentNotice",
    "PaymentReconciliation",
    "Person",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RequestGroup",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "ResearchSubject",
    "RiskAssessment",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Subscription",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "SupplyDelivery",
    "SupplyRequest",
    "Task",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
    "VerificationResult",
    "VisionPrescription",
];

/// The type of a FHIR resource, such as `Patient`.
///
/// A type that R4 does not have is [`ResourceType::UNKNOWN`], whatever the source called it, so that
/// the name of a type never carries a source's text into a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceType(u8);

const UNKNOWN_NAME: &str = "unknown type";

impl ResourceType {
    /// A type that R4 does not have.
    pub const UNKNOWN: Self = Self(u8::MAX);

    /// Returns the type of this name.
    pub fn named(name: &str) -> Self {
        NAMES.binary_search(&name).ok().and_then(|at| u8::try_from(at).ok()).map_or(Self::UNKNOWN, Self)
    }

    /// Returns the type's name.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or(UNKNOWN_NAME)
    }

    /// Says whether resources of this type support other resources of many patients (a practitioner, a
    /// place, a medicine) rather than being part of one patient's record themselves.
    pub fn is_shared(self) -> bool {
        matches!(
            self.name(),
            "Device"
                | "Endpoint"
                | "HealthcareService"
                | "Location"
                | "Medication"
                | "Organization"
                | "OrganizationAffiliation"
                | "Practitioner"
                | "PractitionerRole"
                | "Questionnaire"
                | "Schedule"
                | "Substance"
        )
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ResourceType {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::named(name))
    }
}

impl Serialize for ResourceType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for ResourceType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self::named(&name))
    }
}

/// A set of sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SectionSet(u32);

impl SectionSet {
    /// Adds a section.
    pub fn insert(&mut self, section: SectionId) {
        self.0 |= 1 << section.order();
    }

    /// Says whether the set holds a section.
    pub fn contains(self, section: SectionId) -> bool {
        self.0 & (1 << section.order()) != 0
    }

    /// Adds every section of another set.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Says whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the sections of the set, in the order of the record.
    pub fn iter(self) -> impl Iterator<Item = SectionId> {
        SectionId::ALL.into_iter().filter(move |section| self.contains(*section))
    }
}

/// What kinds of resource a document, or a whole feed, has been seen to supply: the types, and the
/// sections of the record that they fill.
///
/// The sections say more than the types: a feed whose observations are all vital signs supplies no
/// results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeSet {
    types: [u64; 3],
    /// The sections that the resources fill.
    pub sections: SectionSet,
}

impl TypeSet {
    /// Adds a type. Types that R4 does not have are left out.
    pub fn insert(&mut self, kind: ResourceType) {
        if let Some(word) = self.types.get_mut(usize::from(kind.0 / 64)) {
            *word |= 1 << (kind.0 % 64);
        }
    }

    /// Says whether the set holds a type.
    pub fn contains(&self, kind: ResourceType) -> bool {
        self.types.get(usize::from(kind.0 / 64)).is_some_and(|word| word & (1 << (kind.0 % 64)) != 0)
    }

    /// Adds everything that another set holds.
    pub fn extend(&mut self, other: &Self) {
        for (word, more) in self.types.iter_mut().zip(other.types) {
            *word |= more;
        }
        self.sections.extend(other.sections);
    }

    /// Returns the types of the set, by name.
    pub fn iter(&self) -> impl Iterator<Item = ResourceType> {
        (0..u8::MAX).map(ResourceType).filter(|kind| self.contains(*kind))
    }

    /// Says whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.types == [0; 3] && self.sections.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_name_and_others_are_unknown() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            assert_eq!(ResourceType::named(name).name(), name);
        }
        for name in ["", "patient", "Smith", "VisionPrescriptions"] {
            assert_eq!(ResourceType::named(name), ResourceType::UNKNOWN);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_grows_together() {
        let mut set = TypeSet::default();
        assert!(set.is_empty());
        set.insert(ResourceType::named("Account"));
        set.insert(ResourceType::UNKNOWN);
        let mut other = TypeSet::default();
        other.insert(ResourceType::named("VisionPrescription"));
        other.sections.insert(SectionId::OtherItems);
        set.extend(&other);
        let names: Vec<_> = set.iter().map(ResourceType::name).collect();
        assert_eq!(names, ["Account", "VisionPrescription"]);
        assert!(!set.contains(ResourceType::UNKNOWN));
        assert_eq!(set.sections.iter().collect::<Vec<_>>(), [SectionId::OtherItems]);
        let json = serde_json::to_string(&set).expect("numbers");
        assert_eq!(serde_json::from_str::<TypeSet>(&json).expect("the same"), set);
    }
}
