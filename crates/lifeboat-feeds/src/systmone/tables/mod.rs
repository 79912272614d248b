//! The tables of the SystmOne extract: those that make a summary with their columns, all others by name.

mod people;
mod practice;
mod record;

use crate::spec::{ColumnSpec, Place, TableSpec};

pub(super) const PATIENT: &str = "SRPatient";
pub(super) const PATIENT_ADDRESS_HISTORY: &str = "SRPatientAddressHistory";
pub(super) const PATIENT_CONTACT_DETAILS: &str = "SRPatientContactDetails";
pub(super) const PATIENT_REGISTRATION: &str = "SRPatientRegistration";
pub(super) const PATIENT_RELATIONSHIP: &str = "SRPatientRelationship";
pub(super) const GP_PRACTICE_HISTORY: &str = "SRGPPracticeHistory";
pub(super) const RECORD_STATUS: &str = "SRRecordStatus";
pub(super) const CODE: &str = "SRCode";
pub(super) const PROBLEM: &str = "SRProblem";
pub(super) const DRUG_SENSITIVITY: &str = "SRDrugSensitivity";
pub(super) const REPEAT_TEMPLATE: &str = "SRRepeatTemplate";
pub(super) const PRIMARY_CARE_MEDICATION: &str = "SRPrimaryCareMedication";
pub(super) const IMMUNISATION: &str = "SRImmunisation";
pub(super) const EVENT: &str = "SREvent";
pub(super) const VISIT: &str = "SRVisit";
pub(super) const RECALL: &str = "SRRecall";
pub(super) const REFERRAL_OUT: &str = "SRReferralOut";
pub(super) const REFERRAL_OUT_STATUS: &str = "SRReferralOutStatusDetails";
pub(super) const MEDIA: &str = "SRMedia";
pub(super) const LETTER: &str = "SRLetter";
pub(super) const SPECIAL_NOTES: &str = "SRSpecialNotes";
pub(super) const PERSON_AT_RISK: &str = "SRPersonAtRisk";
pub(super) const CHILD_AT_RISK: &str = "SRChildAtRisk";
pub(super) const APPOINTMENT: &str = "SRAppointment";
pub(super) const ROTA: &str = "SRRota";
pub(super) const STAFF_MEMBER: &str = "SRStaffMember";
pub(super) const STAFF_MEMBER_PROFILE: &str = "SRStaffMemberProfile";
pub(super) const ORGANISATION: &str = "SROrganisation";
pub(super) const IMMUNISATION_CONTENT: &str = "SRImmunisationContent";
pub(super) const MAPPING: &str = "SRMapping";
pub(super) const CONFIGURED_LIST_OPTION: &str = "SRConfiguredListOption";
pub(super) const CTV3: &str = "SRCtv3";
pub(super) const MEDICATION_READ_CODE_DETAILS: &str = "SRMedicationReadCodeDetails";

const fn of(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name)
}

const fn key(name: &'static str) -> ColumnSpec {
    ColumnSpec::required(name)
}

const fn by(name: &'static str, table: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table(table)
}

const NUMBER_ONLY: &[ColumnSpec] = &[ColumnSpec::optional("RowIdentifier")];

const fn not_kept(name: &'static str) -> TableSpec {
    TableSpec { name, columns: NUMBER_ONLY, key: &["RowIdentifier"], place: Place::NotKept, sections: &[] }
}

/// Every table that is known.
pub(super) const TABLES: &[TableSpec] = &[
    people::PATIENT,
    people::PATIENT_ADDRESS_HISTORY,
    people::PATIENT_CONTACT_DETAILS,
    people::PATIENT_REGISTRATION,
    people::PATIENT_RELATIONSHIP,
    people::GP_PRACTICE_HISTORY,
    people::RECORD_STATUS,
    people::SPECIAL_NOTES,
    people::PERSON_AT_RISK,
    people::CHILD_AT_RISK,
    record::CODE,
    record::PROBLEM,
    record::DRUG_SENSITIVITY,
    record::REPEAT_TEMPLATE,
    record::PRIMARY_CARE_MEDICATION,
    record::IMMUNISATION,
    record::EVENT,
    record::VISIT,
    record::RECALL,
    record::REFERRAL_OUT,
    record::REFERRAL_OUT_STATUS,
    record::MEDIA,
    record::LETTER,
    practice::APPOINTMENT,
    practice::ROTA,
    practice::STAFF_MEMBER,
    practice::STAFF_MEMBER_PROFILE,
    practice::ORGANISATION,
    practice::IMMUNISATION_CONTENT,
    practice::MAPPING,
    practice::CONFIGURED_LIST_OPTION,
    practice::CTV3,
    practice::MEDICATION_READ_CODE_DETAILS,
    not_kept("SR18WeekWait"),
    not_kept("SRAAddressBookEntry"),
    not_kept("SRAAndEAttendance"),
    not_kept("SRAAndEEvent"),
    not_kept("SRActivityEvent"),
    not_kept("SRAddressBookEntry"),
    not_kept("SRAnsweredQuestionnaire"),
    not_kept("SRAppointmentAttendees"),
    not_kept("SRAppointmentFlags"),
    not_kept("SRAppointmentRoom"),
    not_kept("SRAppointmentVisitOutcomes"),
    not_kept("SRAssessment"),
    not_kept("SRAssessmentOutcome"),
    not_kept("SRAssessmentReportedHealthCondition"),
    not_kept("SRBedClosure"),
    not_kept("SRBedLocation"),
    not_kept("SRBedPatient"),
    not_kept("SRCHSStatusHistory"),
    not_kept("SRCPA"),
    not_kept("SRCarePlan"),
    not_kept("SRCarePlanDetail"),
    not_kept("SRCarePlanFrequency"),
    not_kept("SRCarePlanItem"),
    not_kept("SRCarePlanPerformance"),
    not_kept("SRCarePlanReview"),
    not_kept("SRCarePlanSkillset"),
    not_kept("SRCaseload"),
    not_kept("SRCaseloadHistory"),
    not_kept("SRCcg"),
    not_kept("SRChildHealthGroupAction"),
    not_kept("SRChildHealthGroupActionSchedulingParameters"),
    not_kept("SRClinicalCode"),
    not_kept("SRCluster"),
    not_kept("SRContacts"),
    not_kept("SRCtv3Hierarchy"),
    not_kept("SRCtv3ToSnomed"),
    not_kept("SRCtv3ToVersion2"),
    not_kept("SRDischargeDelay"),
    not_kept("SRECTCourse"),
    not_kept("SRECTTreatment"),
    not_kept("SREquipment"),
    not_kept("SREventLink"),
    not_kept("SRExpense"),
    not_kept("SRGoal"),
    not_kept("SRHospitalAAndECode"),
    not_kept("SRHospitalAAndENumber"),
    not_kept("SRHospitalAdmissionAndDischarge"),
    not_kept("SRHospitalAdmissionReason"),
    not_kept("SRHospitalAlertIndicator"),
    not_kept("SRHospitalConsultantEvent"),
    not_kept("SRHospitalNoteTracking"),
    not_kept("SRHospitalPatientAlertIndicator"),
    not_kept("SRHospitalTransport"),
    not_kept("SRHospitalWaitingList"),
    not_kept("SRHospitalWaitingListIntendedProcedure"),
    not_kept("SRHospitalWaitingListSuspension"),
    not_kept("SRHospitalWardBooking"),
    not_kept("SRImmunisationConsent"),
    not_kept("SRLocation"),
    not_kept("SRLocationAttribute"),
    not_kept("SRMHAWOL"),
    not_kept("SRMHConsent"),
    not_kept("SRMHEpisode"),
    not_kept("SRManifest"),
    not_kept("SRMappingGroup"),
    not_kept("SRMentalHealthAssessment"),
    not_kept("SRNeeds"),
    not_kept("SRNeedsLinkage"),
    not_kept("SROnAdmissionMedication"),
    not_kept("SROnlineServices"),
    not_kept("SROnlineUsers"),
    not_kept("SROohAction"),
    not_kept("SROohAssessment"),
    not_kept("SROohCallBack"),
    not_kept("SROohEmergencyCall"),
    not_kept("SROohNewCase"),
    not_kept("SROohPassToPCC"),
    not_kept("SROohPathways"),
    not_kept("SROohThirdPartyCall"),
    not_kept("SROohTransport"),
    not_kept("SROohVisit"),
    not_kept("SROrganisationBranch"),
    not_kept("SROutPatientMedication"),
    not_kept("SRPatientContactProperty"),
    not_kept("SRPatientGroups"),
    not_kept("SRPatientInformation"),
    not_kept("SRPatientLeave"),
    not_kept("SRPatientLocation"),
    not_kept("SRPlaceHolderMedication"),
    not_kept("SRQuestionnaire"),
    not_kept("SRReferralAllocation"),
    not_kept("SRReferralAllocationStaff"),
    not_kept("SRReferralContactEvent"),
    not_kept("SRReferralIn"),
    not_kept("SRReferralInIntervention"),
    not_kept("SRReferralInReferralReason"),
    not_kept("SRReferralInStatusDetails"),
    not_kept("SRRefusedOffer"),
    not_kept("SRResponsibleParty"),
    not_kept("SRRiskReview"),
    not_kept("SRRotaSlot"),
    not_kept("SRRtt"),
    not_kept("SRRttPause"),
    not_kept("SRRttStatus"),
    not_kept("SRScheduledEvent"),
    not_kept("SRSchedulingSuspension"),
    not_kept("SRSchoolHistory"),
    not_kept("SRSection"),
    not_kept("SRSectionAppeal"),
    not_kept("SRSectionRecall"),
    not_kept("SRSectionRightsExplained"),
    not_kept("SRSectionedBy"),
    not_kept("SRService"),
    not_kept("SRServiceDeliverySchedule"),
    not_kept("SRSmsConsent"),
    not_kept("SRStaff"),
    not_kept("SRStaffActivity"),
    not_kept("SRStaffMemberProfileRole"),
    not_kept("SRStaffSkillSet"),
    not_kept("SRStaffSpecialty"),
    not_kept("SRSystmOnline"),
    not_kept("SRTTOMedication"),
    not_kept("SRTeam"),
    not_kept("SRTeamMember"),
    not_kept("SRTemplate"),
    not_kept("SRTheatreBooking"),
    not_kept("SRTheatreSession"),
    not_kept("SRTheatreSessionAttendees"),
    not_kept("SRTreatmentCentreExclusions"),
    not_kept("SRTreatmentCentrePreference"),
    not_kept("SRTreatmentCentreSession"),
    not_kept("SRTreatmentCentreSessionTemporaryAmendments"),
    not_kept("SRTrust"),
    not_kept("SRVariableDoseCDMedication"),
    not_kept("SRWaitingList"),
    not_kept("SRWardStay"),
];
