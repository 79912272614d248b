//! The appointment book, and what other tables look up.

use super::{by, key, of};
use crate::spec::{Place, TableSpec};

/// The table `SRAppointment`.
pub(super) const APPOINTMENT: TableSpec = TableSpec {
    name: super::APPOINTMENT,
    key: &["RowIdentifier"],
    place: Place::Day,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        key("DateStart"),
        of("DateEnd"),
        by("AppointmentStatus", super::MAPPING),
        of("DateAppointmentBooked"),
        of("DatePatientArrival"),
        of("DatePatientSeen"),
        of("FollowUpAppointment"),
        of("TelephoneAppointment"),
        by("IDClinician", super::STAFF_MEMBER),
        by("IDProfileClinician", super::STAFF_MEMBER_PROFILE),
        of("RotaName"),
        of("RotaType"),
        of("RotaLocation"),
        of("RotaCode"),
        by("IDRotaOwner", super::STAFF_MEMBER),
        by("IDProfileRotaOwner", super::STAFF_MEMBER_PROFILE),
        of("AllowsOverbooking"),
        of("BookingContactNumber"),
        of("DateAppointmentCancelled"),
        by("IDRota", super::ROTA),
        of("IDReferralIn"),
        of("IDPatient"),
        of("IDOrganisation"),
        of("IDOrganisationRegisteredAt"),
        of("RemovedData"),
    ],
};

/// The table `SRRota`.
pub(super) const ROTA: TableSpec = TableSpec {
    name: super::ROTA,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        of("DateCreation"),
        of("IDProfileCreatedBy"),
        of("Name"),
        of("RotaType"),
        of("Location"),
        of("Code"),
        of("IDProfileOwner"),
        of("AllowOverBooking"),
        of("BookingContactNumber"),
        of("IDAppointmentRoom"),
        of("IDBranch"),
        of("RemovedData"),
        of("DateStart"),
    ],
};

/// The table `SRStaffMember`.
pub(super) const STAFF_MEMBER: TableSpec = TableSpec {
    name: super::STAFF_MEMBER,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("StaffName"),
        of("StaffUserName"),
        of("NationalIdType"),
        of("IDNational"),
        of("IDSmartCard"),
        of("Obsolete"),
        of("RemovedData"),
    ],
};

/// The table `SRStaffMemberProfile`.
pub(super) const STAFF_MEMBER_PROFILE: TableSpec = TableSpec {
    name: super::STAFF_MEMBER_PROFILE,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("DateProfileCreated"),
        of("IdProfileCreatedBy"),
        of("IDStaffMemberProfileRole"),
        of("StaffRole"),
        of("DateEmploymentStart"),
        of("DateEmploymentEnd"),
        of("PPAID"),
        of("GPLocalCode"),
        by("IDStaffMember", super::STAFF_MEMBER),
        of("IDOrganisation"),
        of("GmpID"),
        of("RemovedData"),
    ],
};

/// The table `SROrganisation`; other tables name organisations by their ODS code.
pub(super) const ORGANISATION: TableSpec = TableSpec {
    name: super::ORGANISATION,
    key: &["ID"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("Name"),
        key("ID"),
        of("HouseName"),
        of("HouseNumber"),
        of("NameOfRoad"),
        of("NameOfLocality"),
        of("NameOfTown"),
        of("NameOfCounty"),
        of("FullPostCode"),
        of("Telephone"),
        of("SecondaryTelephone"),
        of("Fax"),
        of("MadeObsolete"),
        of("IDTrust"),
        of("IDCcg"),
        of("RemovedData"),
    ],
};

/// The table `SRImmunisationContent`.
pub(super) const IMMUNISATION_CONTENT: TableSpec = TableSpec {
    name: super::IMMUNISATION_CONTENT,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[key("RowIdentifier"), of("Name"), of("Content"), of("DateDeleted"), of("RemovedData")],
};

/// The table `SRMapping`.
pub(super) const MAPPING: TableSpec = TableSpec {
    name: super::MAPPING,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[key("RowIdentifier"), of("IdMappingGroup"), of("Mapping")],
};

/// The table `SRConfiguredListOption`.
pub(super) const CONFIGURED_LIST_OPTION: TableSpec = TableSpec {
    name: super::CONFIGURED_LIST_OPTION,
    key: &["RowIdentifier"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("ConfiguredList"),
        of("ConfiguredListOption"),
        of("CDSCode"),
        of("MHLDDSCode"),
        of("CAMHSCode"),
        of("MHSDSCode"),
        of("RemovedData"),
    ],
};

/// The table `SRMedicationReadCodeDetails`; other tables name drugs by their Multilex product, not by its row.
pub(super) const MEDICATION_READ_CODE_DETAILS: TableSpec = TableSpec {
    name: super::MEDICATION_READ_CODE_DETAILS,
    key: &["IDMultiLexProduct"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        key("IDMultiLexProduct"),
        of("DrugReadCode"),
        of("DrugReadCodeDesc"),
        of("RemovedData"),
    ],
};

/// The table `SRCtv3`: the words of CTV3 codes, for rows that have only the code.
pub(super) const CTV3: TableSpec = TableSpec {
    name: super::CTV3,
    key: &["Ctv3Code"],
    place: Place::Shared,
    sections: &[],
    columns: &[
        key("RowIdentifier"),
        of("IDOrganisationVisibleTo"),
        key("Ctv3Code"),
        of("Ctv3Text"),
        of("RemovedData"),
    ],
};
