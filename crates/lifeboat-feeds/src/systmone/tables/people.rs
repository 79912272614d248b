//! Tables about who a patient is and what must be known at once.

use lifeboat_clinical::SectionId as S;

use super::{by, key, of};
use crate::spec::{Place, TableSpec};

/// The table `SRPatient`.
pub(super) const PATIENT: TableSpec = TableSpec {
    name: super::PATIENT,
    key: &["RowIdentifier"],
    place: Place::Patient("RowIdentifier"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("Title"),
        of("FirstName"),
        of("MiddleNames"),
        key("Surname"),
        of("PreviousSurname"),
        of("NHSNumber"),
        of("DateBirth"),
        of("DateDeath"),
        of("BirthPlace"),
        of("Gender"),
        by("SpeaksEnglish", super::MAPPING),
        of("EmailAddress"),
        of("TestPatient"),
        of("SSRef"),
        of("SpineMatched"),
        of("RemovedData"),
    ],
};

/// The table `SRPatientAddressHistory`.
pub(super) const PATIENT_ADDRESS_HISTORY: TableSpec = TableSpec {
    name: super::PATIENT_ADDRESS_HISTORY,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEventRecorded"),
        of("DateEvent"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        by("IDDoneBy", super::STAFF_MEMBER),
        of("TextualEventDoneBy"),
        of("IDOrganisationDoneAt"),
        of("NameOfBuilding"),
        of("NumberOfBuilding"),
        of("NameOfRoad"),
        of("NameOfLocality"),
        of("NameOfTown"),
        of("NameOfCounty"),
        of("FullPostCode"),
        of("DateTo"),
        by("AddressType", super::MAPPING),
        of("IDEvent"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("CcgOfResidence"),
        of("RemovedData"),
    ],
};

/// The table `SRPatientContactDetails`.
pub(super) const PATIENT_CONTACT_DETAILS: TableSpec = TableSpec {
    name: super::PATIENT_CONTACT_DETAILS,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEventRecorded"),
        of("DateEvent"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        by("IDDoneBy", super::STAFF_MEMBER),
        of("TextualEventDoneBy"),
        of("IDOrganisationDoneAt"),
        by("ContactType", super::MAPPING),
        of("ContactNumber"),
        of("IDEvent"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
    ],
};

/// The table `SRPatientRegistration`.
pub(super) const PATIENT_REGISTRATION: TableSpec = TableSpec {
    name: super::PATIENT_REGISTRATION,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEventRecorded"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        of("DateRegistration"),
        of("DateDeRegistration"),
        of("RegistrationStatus"),
        of("PreferredPharmacy"),
        key("IDPatient"),
        by("IDOrganisation", super::ORGANISATION),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
    ],
};

/// The table `SRPatientRelationship`.
pub(super) const PATIENT_RELATIONSHIP: TableSpec = TableSpec {
    name: super::PATIENT_RELATIONSHIP,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEventRecorded"),
        of("DateEvent"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        by("IDDoneBy", super::STAFF_MEMBER),
        of("TextualEventDoneBy"),
        of("IDOrganisationDoneAt"),
        of("DateEnded"),
        by("RelationshipType", super::MAPPING),
        of("PersonalGuardianOrProxy"),
        of("NextOfKin"),
        of("CaresForPatient"),
        of("PrincipalCarerForPatient"),
        of("KeyHolder"),
        of("HasParentalResponsibility"),
        of("FinancialRepresentative"),
        of("CallCentreCallBackConsent"),
        of("CopyCorrespondence"),
        of("ContactOrder"),
        of("ContactMethod"),
        of("CommunicationFormat"),
        of("InterpreterRequired"),
        of("IDRelationshipWithPatient"),
        of("IDPatientRelationshipWith"),
        of("CodeRelationshipWithUser"),
        of("RelationshipWithName"),
        of("RelationshipWithDateOfBirth"),
        of("RelationshipWithHouseName"),
        of("RelationshipWithHouseNumber"),
        of("RelationshipWithRoad"),
        of("RelationshipWithLocality"),
        of("RelationshipWithPostTown"),
        of("RelationshipWithCounty"),
        of("RelationshipWithPostCode"),
        of("RelationshipWithTelephone"),
        of("RelationshipWithWorkTelephone"),
        of("RelationshipWithMobileTelephone"),
        of("RelationshipWithFax"),
        of("RelationshipWithEmailAddress"),
        of("RelationshipWithSex"),
        of("RelationshipWithSpokenLanguage"),
        of("RelationshipWithOrganisation"),
        of("IDEvent"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
        of("Advocate"),
        of("MainVisitor"),
    ],
};

/// The table `SRSpecialNotes`.
pub(super) const SPECIAL_NOTES: TableSpec = TableSpec {
    name: super::SPECIAL_NOTES,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[S::Alerts],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEventRecorded"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        of("DateStart"),
        of("Type"),
        of("Note"),
        of("DateExpired"),
        of("DateDeleted"),
        key("IDPatient"),
        of("RemovedData"),
    ],
};

/// The table `SRPersonAtRisk`.
pub(super) const PERSON_AT_RISK: TableSpec = TableSpec {
    name: super::PERSON_AT_RISK,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[S::Alerts],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateAdded"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        of("ProtectionPlan"),
        of("DateRemoved"),
        of("IDProfileRemovedBy"),
        of("RemovalReason"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("ReasonForPlan"),
        of("RemovedData"),
    ],
};

/// The table `SRChildAtRisk`.
pub(super) const CHILD_AT_RISK: TableSpec = TableSpec {
    name: super::CHILD_AT_RISK,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[S::Alerts],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateAdded"),
        by("IDProfileEnteredBy", super::STAFF_MEMBER_PROFILE),
        of("ChildProtectionPlan"),
        of("DateRemoved"),
        of("IDProfileRemovedBy"),
        of("RemovalReason"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
    ],
};

/// The table `SRGPPracticeHistory`.
pub(super) const GP_PRACTICE_HISTORY: TableSpec = TableSpec {
    name: super::GP_PRACTICE_HISTORY,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        by("IDPractice", super::ORGANISATION),
        by("IDProfileRegisteredGP", super::STAFF_MEMBER_PROFILE),
        of("DateFrom"),
        of("DateTo"),
        key("IDPatient"),
        of("RemovedData"),
    ],
};

/// The table `SRRecordStatus`.
pub(super) const RECORD_STATUS: TableSpec = TableSpec {
    name: super::RECORD_STATUS,
    key: &["RowIdentifier"],
    place: Place::Patient("IDPatient"),
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateEvent"),
        of("DateEventRecorded"),
        of("IDProfileEnteredBy"),
        of("IDDoneBy"),
        of("TextualEventDoneBy"),
        of("IDOrganisationDoneAt"),
        of("MedicalRecordStatus"),
        of("IDEvent"),
        key("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
    ],
};
