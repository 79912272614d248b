//! The tables of the EMIS Web extract.
//!
//! A column is required where its absence would mislead: what names a row, what a clinical entry says, and what
//! says that a row is deleted or confidential. Later versions add columns and mend the spelling of some, so that
//! one set of columns reads all of 5.0, 5.1, 5.3 and 5.4.
//!
//! The same GUID may stand under two patients (a record that moved with its patient), so the patient is part of the
//! key of every clinical row.

use lifeboat_clinical::SectionId as S;

use crate::spec::{ColumnSpec, Place, TableSpec};

pub(super) const PATIENT: &str = "Admin_Patient";
pub(super) const LOCATION: &str = "Admin_Location";
pub(super) const ORGANISATION: &str = "Admin_Organisation";
pub(super) const USER: &str = "Admin_UserInRole";
pub(super) const SHARING: &str = "Agreements_SharingOrganisation";
pub(super) const SESSION: &str = "Appointment_Session";
pub(super) const SESSION_USER: &str = "Appointment_SessionUser";
pub(super) const SLOT: &str = "Appointment_Slot";
pub(super) const CONSULTATION: &str = "CareRecord_Consultation";
pub(super) const DIARY: &str = "CareRecord_Diary";
pub(super) const OBSERVATION: &str = "CareRecord_Observation";
pub(super) const REFERRAL: &str = "CareRecord_ObservationReferral";
pub(super) const PROBLEM: &str = "CareRecord_Problem";
pub(super) const CLINICAL_CODE: &str = "Coding_ClinicalCode";
pub(super) const DRUG_CODE: &str = "Coding_DrugCode";
pub(super) const DRUG: &str = "Prescribing_DrugRecord";
pub(super) const ISSUE: &str = "Prescribing_IssueRecord";
pub(super) const ORIGINAL_TERMS: &str = "OriginalTerms";
pub(super) const REGISTRATION: &str = "RegistrationStatus";

/// How many tables, the first ones, a complete batch has; the others are extra deliveries.
pub(super) const REGULAR: usize = 20;

/// Sections that clinical entries fill.
const OF_ENTRIES: &[S] = &[
    S::Allergies,
    S::Results,
    S::Observations,
    S::Immunisations,
    S::Procedures,
    S::Referrals,
    S::Pregnancy,
    S::SocialHistory,
    S::ActiveProblems,
    S::PastProblems,
    S::OtherItems,
];

const fn needed(name: &'static str) -> ColumnSpec {
    ColumnSpec::required(name)
}

const fn extra(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name)
}

const fn user(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table(USER)
}

const fn organisation(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table(ORGANISATION)
}

const fn code(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table(CLINICAL_CODE)
}

/// The clinician, whose column two versions misspell.
const CLINICIAN: ColumnSpec = user("ClinicianUserInRoleGuid").or(&["ClinicanUserInRoleGuid"]);

const fn of_patients(
    name: &'static str,
    key: &'static [&'static str],
    sections: &'static [S],
    columns: &'static [ColumnSpec],
) -> TableSpec {
    TableSpec { name, columns, key, place: Place::Patient("PatientGuid"), sections }
}

const fn shared(
    name: &'static str,
    key: &'static [&'static str],
    sections: &'static [S],
    columns: &'static [ColumnSpec],
) -> TableSpec {
    TableSpec { name, columns, key, place: Place::Shared, sections }
}

const fn not_kept(name: &'static str, columns: &'static [ColumnSpec]) -> TableSpec {
    TableSpec { name, columns, key: &[], place: Place::NotKept, sections: &[] }
}

pub(super) static TABLES: &[TableSpec] = &[
    of_patients(PATIENT, &["PatientGuid"], &[], PATIENT_COLUMNS),
    shared(LOCATION, &["LocationGuid"], &[], LOCATION_COLUMNS),
    shared(ORGANISATION, &["OrganisationGuid"], &[], ORGANISATION_COLUMNS),
    not_kept("Admin_OrganisationLocation", ORGANISATION_LOCATION_COLUMNS),
    shared(USER, &["UserInRoleGuid"], &[], USER_COLUMNS),
    shared(SHARING, &["OrganisationGuid"], &[], SHARING_COLUMNS),
    shared(SESSION, &["AppointmentSessionGuid"], &[], SESSION_COLUMNS),
    shared(SESSION_USER, &["SessionGuid", "UserInRoleGuid"], &[], SESSION_USER_COLUMNS),
    TableSpec { name: SLOT, columns: SLOT_COLUMNS, key: &["SlotGuid"], place: Place::Day, sections: &[] },
    not_kept("Audit_PatientAudit", PATIENT_AUDIT_COLUMNS),
    not_kept("Audit_RegistrationAudit", REGISTRATION_AUDIT_COLUMNS),
    of_patients(CONSULTATION, &["ConsultationGuid", "PatientGuid"], &[S::Encounters], CONSULTATION_COLUMNS),
    of_patients(DIARY, &["DiaryGuid", "PatientGuid"], &[S::Diary], DIARY_COLUMNS),
    of_patients(OBSERVATION, &["ObservationGuid", "PatientGuid"], OF_ENTRIES, OBSERVATION_COLUMNS),
    of_patients(REFERRAL, &["ObservationGuid", "PatientGuid"], &[], REFERRAL_COLUMNS),
    of_patients(
        PROBLEM,
        &["ObservationGuid", "PatientGuid"],
        &[S::ActiveProblems, S::PastProblems],
        PROBLEM_COLUMNS,
    ),
    shared(CLINICAL_CODE, &["CodeId"], OF_ENTRIES, CLINICAL_CODE_COLUMNS),
    shared(
        DRUG_CODE,
        &["CodeId"],
        &[S::RepeatMedication, S::AcuteMedication, S::PastMedication],
        DRUG_CODE_COLUMNS,
    ),
    of_patients(
        DRUG,
        &["DrugRecordGuid", "PatientGuid"],
        &[S::RepeatMedication, S::AcuteMedication, S::PastMedication],
        DRUG_COLUMNS,
    ),
    of_patients(ISSUE, &["IssueRecordGuid", "PatientGuid"], &[S::AcuteMedication], ISSUE_COLUMNS),
    of_patients(ORIGINAL_TERMS, &["ObservationGuid", "PatientGuid"], &[], ORIGINAL_TERMS_COLUMNS),
    of_patients(
        REGISTRATION,
        &["PatientGuid", "Date", "ProcessingOrder", "RegistrationStatus"],
        &[],
        REGISTRATION_COLUMNS,
    ),
];

const PATIENT_COLUMNS: &[ColumnSpec] = &[
    needed("PatientGuid"),
    organisation("OrganisationGuid"),
    user("UsualGpUserInRoleGuid"),
    needed("Sex"),
    needed("DateOfBirth"),
    needed("DateOfDeath"),
    extra("Title"),
    needed("GivenName"),
    extra("MiddleNames"),
    needed("Surname"),
    extra("DateOfRegistration"),
    needed("NhsNumber"),
    extra("PatientNumber"),
    needed("PatientTypeDescription"),
    needed("DummyType"),
    extra("HouseNameFlatNumber"),
    extra("NumberAndStreet"),
    extra("Village"),
    extra("Town"),
    extra("County"),
    extra("Postcode"),
    extra("ResidentialInstituteCode"),
    extra("NHSNumberStatus"),
    extra("CarerName"),
    extra("CarerRelation"),
    extra("PersonGuid"),
    needed("DateOfDeactivation"),
    needed("Deleted"),
    needed("SpineSensitive"),
    needed("IsConfidential"),
    extra("EmailAddress"),
    extra("HomePhone"),
    extra("MobilePhone"),
    extra("ExternalUsualGPGuid"),
    extra("ExternalUsualGP").or(&["ExternalUsusalGP"]),
    extra("ExternalUsualGPOrganisation").or(&["ExternalUsusalGPOrganisation"]),
    extra("ProcessingId"),
];

const LOCATION_COLUMNS: &[ColumnSpec] = &[
    needed("LocationGuid"),
    needed("LocationName"),
    extra("LocationTypeDescription"),
    extra("ParentLocationGuid"),
    extra("OpenDate"),
    extra("CloseDate"),
    extra("MainContactName"),
    extra("FaxNumber"),
    extra("EmailAddress"),
    extra("PhoneNumber"),
    extra("HouseNameFlatNumber"),
    extra("NumberAndStreet"),
    extra("Village"),
    extra("Town"),
    extra("County"),
    extra("Postcode"),
    extra("Deleted"),
    extra("ProcessingId"),
];

const ORGANISATION_COLUMNS: &[ColumnSpec] = &[
    needed("OrganisationGuid"),
    extra("CDB"),
    needed("OrganisationName"),
    extra("ODSCode"),
    extra("ParentOrganisationGuid"),
    extra("CCGOrganisationGuid"),
    extra("OrganisationType"),
    extra("OpenDate"),
    extra("CloseDate"),
    extra("MainLocationGuid"),
    extra("ProcessingId"),
];

const ORGANISATION_LOCATION_COLUMNS: &[ColumnSpec] = &[
    extra("OrganisationGuid"),
    extra("LocationGuid"),
    extra("IsMainLocation"),
    extra("Deleted"),
    extra("ProcessingId"),
];

const USER_COLUMNS: &[ColumnSpec] = &[
    needed("UserInRoleGuid"),
    extra("OrganisationGuid"),
    extra("Title"),
    extra("GivenName"),
    needed("Surname"),
    extra("JobCategoryCode"),
    extra("JobCategoryName"),
    extra("ContractStartDate"),
    extra("ContractEndDate"),
    extra("ProcessingId"),
];

const SHARING_COLUMNS: &[ColumnSpec] = &[
    needed("OrganisationGuid"),
    extra("IsActivated"),
    extra("LastModifiedDate"),
    extra("Disabled"),
    extra("Deleted"),
];

// A session's users are found by the session's GUID, with which the keys of `Appointment_SessionUser` begin.
const SESSION_COLUMNS: &[ColumnSpec] = &[
    needed("AppointmentSessionGuid").in_table(SESSION_USER),
    extra("Description"),
    extra("LocationGuid").in_table(LOCATION),
    extra("SessionTypeDescription"),
    extra("SessionCategoryDisplayName"),
    extra("StartDate"),
    extra("StartTime"),
    extra("EndDate"),
    extra("EndTime"),
    extra("Private"),
    extra("OrganisationGuid"),
    needed("Deleted"),
    extra("ProcessingId"),
];

const SESSION_USER_COLUMNS: &[ColumnSpec] = &[
    needed("SessionGuid"),
    needed("UserInRoleGuid").in_table(USER),
    needed("Deleted"),
    extra("ProcessingId"),
];

const SLOT_COLUMNS: &[ColumnSpec] = &[
    needed("SlotGuid"),
    needed("AppointmentDate"),
    needed("AppointmentStartTime"),
    extra("PlannedDurationInMinutes"),
    needed("PatientGuid"),
    extra("SendInTime"),
    extra("LeftTime"),
    extra("DidNotAttend"),
    extra("PatientWaitInMin"),
    extra("AppointmentDelayInMin"),
    extra("ActualDurationInMinutes"),
    extra("OrganisationGuid"),
    needed("SessionGuid").in_table(SESSION),
    code("DnaReasonCodeId"),
    needed("Deleted"),
    extra("ProcessingId"),
];

const PATIENT_AUDIT_COLUMNS: &[ColumnSpec] = &[
    extra("ItemGuid"),
    extra("PatientGuid"),
    extra("OrganisationGuid"),
    extra("ModifiedDate"),
    extra("ModifiedTime"),
    extra("UserInRoleGuid"),
    extra("ItemType"),
    extra("ModeType"),
    extra("ProcessingId"),
];

const REGISTRATION_AUDIT_COLUMNS: &[ColumnSpec] = &[
    extra("PatientGuid"),
    extra("OrganisationGuid"),
    extra("ModifiedDate"),
    extra("ModifiedTime"),
    extra("UserInRoleGuid"),
    extra("ModeType"),
    extra("ProcessingId"),
];

const CONSULTATION_COLUMNS: &[ColumnSpec] = &[
    needed("ConsultationGuid"),
    needed("PatientGuid"),
    organisation("OrganisationGuid"),
    needed("EffectiveDate"),
    extra("EffectiveDatePrecision"),
    extra("EnteredDate"),
    extra("EnteredTime"),
    CLINICIAN,
    extra("EnteredByUserInRoleGuid"),
    extra("AppointmentSlotGuid"),
    extra("ConsultationSourceTerm"),
    code("ConsultationSourceCodeId"),
    extra("Complete"),
    needed("Deleted"),
    needed("IsConfidential"),
    extra("ProcessingId"),
];

const DIARY_COLUMNS: &[ColumnSpec] = &[
    needed("DiaryGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    needed("EffectiveDate"),
    extra("EffectiveDatePrecision"),
    extra("EnteredDate"),
    extra("EnteredTime"),
    CLINICIAN,
    extra("EnteredByUserInRoleGuid"),
    needed("CodeId").in_table(CLINICAL_CODE),
    extra("OriginalTerm"),
    extra("AssociatedText"),
    extra("DurationTerm"),
    extra("LocationTypeDescription"),
    needed("Deleted"),
    needed("IsConfidential"),
    extra("IsActive"),
    extra("IsComplete"),
    extra("ConsultationGuid"),
    extra("ProcessingId"),
];

const OBSERVATION_COLUMNS: &[ColumnSpec] = &[
    needed("ObservationGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    needed("EffectiveDate"),
    extra("EffectiveDatePrecision"),
    extra("EnteredDate"),
    extra("EnteredTime"),
    CLINICIAN,
    extra("EnteredByUserInRoleGuid"),
    extra("ParentObservationGuid"),
    needed("CodeId").in_table(CLINICAL_CODE),
    extra("ProblemGuid"),
    needed("AssociatedText"),
    extra("ConsultationGuid"),
    needed("Value"),
    needed("NumericUnit"),
    extra("ObservationType"),
    extra("NumericRangeLow"),
    extra("NumericRangeHigh"),
    extra("DocumentGuid"),
    needed("Deleted"),
    needed("IsConfidential"),
    extra("ProcessingId"),
];

const REFERRAL_COLUMNS: &[ColumnSpec] = &[
    needed("ObservationGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    organisation("ReferralTargetOrganisationGuid"),
    extra("ReferralUrgency"),
    extra("ReferralServiceType"),
    extra("ReferralMode"),
    extra("ReferralReceivedDate"),
    extra("ReferralReceivedTime"),
    extra("ReferralEndDate"),
    extra("ReferralSourceId"),
    organisation("ReferralSourceOrganisationGuid"),
    extra("ReferralUBRN"),
    code("ReferralReasonCodeId"),
    extra("ReferringCareProfessionalStaffGroupCodeId"),
    extra("ReferralEpisodeRTTMeasurementTypeId"),
    extra("ReferralEpisodeClosureDate"),
    extra("ReferralEpisodeDischargeLetterIssuedDate"),
    code("ReferralClosureReasonCodeId"),
    extra("ProcessingId"),
];

// Versions before 5.3 do not say that a problem is deleted.
const PROBLEM_COLUMNS: &[ColumnSpec] = &[
    needed("ObservationGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    extra("ParentProblemObservationGuid"),
    extra("Deleted"),
    needed("Comment"),
    needed("EndDate"),
    extra("EndDatePrecision"),
    extra("ExpectedDuration"),
    extra("LastReviewDate"),
    extra("LastReviewDatePrecision"),
    user("LastReviewUserInRoleGuid"),
    extra("ParentProblemRelationship"),
    needed("ProblemStatusDescription"),
    needed("SignificanceDescription"),
    extra("ProcessingId"),
];

const CLINICAL_CODE_COLUMNS: &[ColumnSpec] = &[
    needed("CodeId"),
    needed("Term"),
    extra("ReadTermId"),
    extra("SnomedCTConceptId"),
    extra("SnomedCTDescriptionId"),
    extra("NationalCode"),
    extra("NationalCodeCategory"),
    extra("NationalDescription"),
    needed("EmisCodeCategoryDescription"),
    extra("ProcessingId"),
    extra("ParentCodeId"),
];

const DRUG_CODE_COLUMNS: &[ColumnSpec] =
    &[needed("CodeId"), needed("Term"), extra("DmdProductCodeId"), extra("ProcessingId")];

const DRUG_COLUMNS: &[ColumnSpec] = &[
    needed("DrugRecordGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    needed("EffectiveDate"),
    extra("EffectiveDatePrecision"),
    extra("EnteredDate"),
    extra("EnteredTime"),
    CLINICIAN,
    extra("EnteredByUserInRoleGuid"),
    needed("CodeId").in_table(DRUG_CODE),
    needed("Dosage"),
    needed("Quantity"),
    needed("QuantityUnit"),
    extra("ProblemObservationGuid"),
    needed("PrescriptionType"),
    needed("IsActive"),
    needed("CancellationDate"),
    extra("NumberOfIssues"),
    extra("NumberOfIssuesAuthorised"),
    needed("IsConfidential"),
    needed("Deleted"),
    extra("ProcessingId"),
];

const ISSUE_COLUMNS: &[ColumnSpec] = &[
    needed("IssueRecordGuid"),
    needed("PatientGuid"),
    extra("OrganisationGuid"),
    needed("DrugRecordGuid"),
    needed("EffectiveDate"),
    extra("EffectiveDatePrecision"),
    extra("EnteredDate"),
    extra("EnteredTime"),
    CLINICIAN,
    extra("EnteredByUserInRoleGuid"),
    needed("CodeId").in_table(DRUG_CODE),
    needed("Dosage"),
    needed("Quantity"),
    needed("QuantityUnit"),
    extra("ProblemObservationGuid"),
    extra("CourseDurationInDays"),
    extra("EstimatedNhsCost"),
    needed("IsConfidential"),
    needed("Deleted"),
    extra("ProcessingId"),
];

const ORIGINAL_TERMS_COLUMNS: &[ColumnSpec] = &[
    extra("OrganisationCdb"),
    extra("OrganisationOds"),
    needed("PatientGuid"),
    needed("ObservationGuid"),
    needed("OriginalTerm"),
];

const REGISTRATION_COLUMNS: &[ColumnSpec] = &[
    extra("OrganisationGuid"),
    needed("PatientGuid"),
    needed("Date"),
    needed("RegistrationStatus"),
    extra("RegistrationType"),
    extra("ProcessingOrder"),
];
