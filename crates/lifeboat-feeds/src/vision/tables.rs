//! What Vision's tables are. Files have no header: the order of columns is all there is.
//!
//! Two versions are in use, told apart by the number of columns. Rows of the older one (a test pack) are brought into the
//! shape of the newer as they are read, so that only the newer is kept. Both versions of the staff table have eight
//! columns, in another order: the version of the other files of the batch decides.

use lifeboat_clinical::SectionId as S;

use crate::rows::Values;
use crate::spec::{ColumnSpec, Place, TableSpec};

/// A version of a table that is read and not kept ends in this.
const OLDER: &str = " (test pack)";

const fn may(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name)
}

const fn must(name: &'static str) -> ColumnSpec {
    ColumnSpec::required(name)
}

const fn who(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table("Staff")
}

/// What the journal holds, whether or not anybody has any.
pub(super) const JOURNAL_SECTIONS: &[S] = &[
    S::Allergies,
    S::RepeatMedication,
    S::AcuteMedication,
    S::PastMedication,
    S::ActiveProblems,
    S::PastProblems,
    S::Results,
    S::Observations,
    S::Immunisations,
    S::Procedures,
    S::SocialHistory,
    S::OtherItems,
];

const fn of_patients(
    name: &'static str,
    key: &'static [&'static str],
    sections: &'static [S],
    columns: &'static [ColumnSpec],
) -> TableSpec {
    TableSpec { name, columns, key, place: Place::Patient("PID"), sections }
}

const fn shared(name: &'static str, columns: &'static [ColumnSpec]) -> TableSpec {
    TableSpec { name, columns, key: &["ID"], place: Place::Shared, sections: &[] }
}

/// The tables that are kept, then the older versions of them.
#[rustfmt::skip]
pub(super) static TABLES: [TableSpec; 9] = [
    of_patients("Patient", &["PID"], &[], &[
        must("PID"), may("REFERENCE"), may("DATE_OF_BIRTH"), may("SEX"), may("POSTCODE"), may("MARITAL_STATUS"), who("GP"),
        who("GP_USUAL"), may("ACTIVE"), may("REGISTERED_DATE"), may("REMOVED_DATE"), may("HA"), may("PCG"), may("SURGERY"),
        may("MILEAGE"), may("DISPENSING"), may("ETHNIC"), may("DATE_OF_DEATH"), may("PRACTICE").in_table("Practice"),
        may("SURNAME"), may("FORENAME"), may("TITLE"), may("NHS_NUMBER"), may("ADDRESS"), may("ADDRESS_1"), may("ADDRESS_2"),
        may("ADDRESS_3"), may("ADDRESS_4"), may("ADDRESS_5"), may("PHONE_NUMBER"), may("MOBILE_NUMBER"), may("EMAIL"),
        may("PRACT_NUMBER"), may("SERVICE_ID"), may("ACTION"),
    ]),
    of_patients("Journal", &["PID", "ID"], JOURNAL_SECTIONS, &[
        must("PID"), must("ID"), may("DATE"), may("RECORDED_DATE"), may("CODE"), may("SNOMED_CODE"), may("BNF_CODE"), who("HCP"),
        may("HCP_TYPE"), may("GMS"), may("EPISODE"), may("TEXT"), may("RUBRIC"), may("DRUG_FORM"), may("DRUG_STRENGTH"),
        may("DRUG_PACKSIZE"), may("DMD_CODE"), may("IMMS_STATUS"), may("IMMS_COMPOUND"), may("IMMS_SOURCE"), may("IMMS_BATCH"),
        may("IMMS_REASON"), may("IMMS_METHOD"), may("IMMS_SITE"), may("ENTITY"), may("VALUE1_NAME"), may("VALUE1"),
        may("VALUE1_UNITS"), may("VALUE2_NAME"), may("VALUE2"), may("VALUE2_UNITS"), may("END_DATE"), may("TIME"),
        may("CONTEXT"), may("CERTAINTY"), may("SEVERITY"), may("LINKS"), may("LINKS_EXT"), may("SERVICE_ID"), may("ACTION"),
        may("SUBSET"), may("DOCUMENT_ID"),
    ]),
    of_patients("Encounter", &["PID", "ID"], &[S::Encounters], &[
        must("PID"), must("ID"), may("DATE"), who("HCP"), may("HCP_TYPE"), may("SESSION"), may("LOCATION"), may("TIME"),
        may("DURATION"), may("TRAVEL"), may("LINKS"), may("PRACT_NUMBER"), may("SERVICE_ID"), may("ACTION"),
    ]),
    of_patients("Referral", &["PID", "ID"], &[S::Referrals], &[
        must("PID"), must("ID"), may("DATE"), who("HCP"), may("HCP_TYPE"), who("TO_HCP"), may("SPECIALTY"), may("UNIT"),
        may("TYPE"), may("CONTRACTOR"), may("CONTRACT"), may("ACTION_DATE"), may("LINKS"), may("SERVICE_ID"), may("ACTION"),
    ]),
    shared("Practice", &[
        must("ID"), may("NAME"), may("IDENTIFIER"), may("HA"), may("ADDRESS"), may("ADDRESS_1"), may("ADDRESS_2"),
        may("ADDRESS_3"), may("ADDRESS_4"), may("ADDRESS_5"), may("POSTCODE"), may("PHONE"), may("EMAIL"), may("FAX"),
    ]),
    shared("Staff", &[
        must("ID"), may("HCP_TYPE"), may("GMP_CODE"), may("SURNAME"), may("FORENAME"), may("TITLE"), may("SEX"),
        may("SERVICE_ID"),
    ]),
    of_patients("Patient (test pack)", &["PID"], &[], &[
        must("PID"), may("REFERENCE"), may("DATE_OF_BIRTH"), may("SEX"), may("POSTCODE"), may("MARITAL_STATUS"), who("GP"),
        who("GP_USUAL"), may("ACTIVE"), may("REGISTERED_DATE"), may("REMOVED_DATE"), may("HA"), may("PCG"), may("SURGERY"),
        may("MILEAGE"), may("DISPENSING"), may("ETHNIC"), may("DATE_OF_DEATH"), may("PRACTICE").in_table("Practice"),
        may("SURNAME"), may("FORENAME"), may("TITLE"), may("NHS_NUMBER"), may("ADDRESS"), may("ADDRESS_1"), may("ADDRESS_2"),
        may("ADDRESS_3"), may("ADDRESS_4"), may("ADDRESS_5"), may("PRACT_NUMBER"), may("SERVICE_ID"), may("ACTION"),
    ]),
    of_patients("Journal (test pack)", &["PID", "ID"], JOURNAL_SECTIONS, &[
        must("PID"), must("ID"), may("DATE"), may("RECORDED_DATE"), may("CODE"), may("BNF_CODE"), who("HCP"), may("HCP_TYPE"),
        may("GMS"), may("EPISODE"), may("TEXT"), may("RUBRIC"), may("VALUE1"), may("VALUE2"), may("END_DATE"), may("TIME"),
        may("CONTEXT"), may("CERTAINTY"), may("SEVERITY"), may("LINKS"), may("SERVICE_ID"), may("SUBSET"), may("ACTION"),
    ]),
    shared("Staff (test pack)", &[
        must("ID"), may("SURNAME"), may("FORENAME"), may("TITLE"), may("SEX"), may("GMP_CODE"), may("HCP_TYPE"),
        may("SERVICE_ID"),
    ]),
];

/// Returns the table as it is kept.
pub(super) fn current(table: &'static TableSpec) -> &'static TableSpec {
    let name = table.name.strip_suffix(OLDER).unwrap_or(table.name);
    TABLES.iter().find(|spec| spec.name == name).unwrap_or(table)
}

/// Says whether this is an older version of a table.
pub(super) fn is_older(table: &TableSpec) -> bool {
    table.name.ends_with(OLDER)
}

/// Returns the versions of a table, the newer first.
pub(super) fn versions(name: &str) -> impl Iterator<Item = &'static TableSpec> {
    TABLES.iter().filter(move |spec| spec.name.strip_suffix(OLDER).unwrap_or(spec.name) == name)
}

/// Brings a row into the shape in which its table is kept.
pub(super) fn reshaped(table: &'static TableSpec, mut values: Values) -> Values {
    let kept = current(table);
    if kept.name == table.name {
        return values;
    }
    let places = kept.columns.iter().map(|column| table.column(column.name));
    places.map(|place| values.get_mut(place?)?.take()).collect()
}
