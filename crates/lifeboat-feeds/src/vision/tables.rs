//! The tables of the Vision extract, in both versions that are known.

use lifeboat_clinical::SectionId as S;

use crate::rows::Values;
use crate::spec::{ColumnSpec, Place, TableSpec};

pub(super) const PATIENT: &str = "Patient";
pub(super) const JOURNAL: &str = "Journal";
pub(super) const ENCOUNTER: &str = "Encounter";
pub(super) const REFERRAL: &str = "Referral";
pub(super) const PRACTICE: &str = "Practice";
pub(super) const STAFF: &str = "Staff";

const fn of(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name)
}

const fn key(name: &'static str) -> ColumnSpec {
    ColumnSpec::required(name)
}

const fn staff(name: &'static str) -> ColumnSpec {
    ColumnSpec::optional(name).in_table(STAFF)
}

const JOURNAL_SECTIONS: &[S] = &[
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
    S::Pregnancy,
    S::SocialHistory,
    S::OtherItems,
];

/// Every table; an older version of one stands after it, under a name of its own.
pub(super) const TABLES: &[TableSpec] = &[
    TableSpec {
        name: PATIENT,
        key: &["PID"],
        place: Place::Patient("PID"),
        sections: &[],
        columns: &[
            key("PID"),
            of("REFERENCE"),
            of("DATE_OF_BIRTH"),
            of("SEX"),
            of("POSTCODE"),
            of("MARITAL_STATUS"),
            staff("GP"),
            staff("GP_USUAL"),
            of("ACTIVE"),
            of("REGISTERED_DATE"),
            of("REMOVED_DATE"),
            of("HA"),
            of("PCG"),
            of("SURGERY"),
            of("MILEAGE"),
            of("DISPENSING"),
            of("ETHNIC"),
            of("DATE_OF_DEATH"),
            of("PRACTICE"),
            of("SURNAME"),
            of("FORENAME"),
            of("TITLE"),
            of("NHS_NUMBER"),
            of("ADDRESS"),
            of("ADDRESS_1"),
            of("ADDRESS_2"),
            of("ADDRESS_3"),
            of("ADDRESS_4"),
            of("ADDRESS_5"),
            of("PHONE_NUMBER"),
            of("MOBILE_NUMBER"),
            of("EMAIL"),
            of("PRACT_NUMBER"),
            of("SERVICE_ID"),
            of("ACTION"),
        ],
    },
    TableSpec {
        name: "Patient, 32 columns",
        key: &["PID"],
        place: Place::Patient("PID"),
        sections: &[],
        columns: &[
            key("PID"),
            of("REFERENCE"),
            of("DATE_OF_BIRTH"),
            of("SEX"),
            of("POSTCODE"),
            of("MARITAL_STATUS"),
            staff("GP"),
            staff("GP_USUAL"),
            of("ACTIVE"),
            of("REGISTERED_DATE"),
            of("REMOVED_DATE"),
            of("HA"),
            of("PCG"),
            of("SURGERY"),
            of("MILEAGE"),
            of("DISPENSING"),
            of("ETHNIC"),
            of("DATE_OF_DEATH"),
            of("PRACTICE"),
            of("SURNAME"),
            of("FORENAME"),
            of("TITLE"),
            of("NHS_NUMBER"),
            of("ADDRESS"),
            of("ADDRESS_1"),
            of("ADDRESS_2"),
            of("ADDRESS_3"),
            of("ADDRESS_4"),
            of("ADDRESS_5"),
            of("PRACT_NUMBER"),
            of("SERVICE_ID"),
            of("ACTION"),
        ],
    },
    TableSpec {
        name: JOURNAL,
        key: &["PID", "ID"],
        place: Place::Patient("PID"),
        sections: JOURNAL_SECTIONS,
        columns: &[
            key("PID"),
            key("ID"),
            of("DATE"),
            of("RECORDED_DATE"),
            of("CODE"),
            of("SNOMED_CODE"),
            of("BNF_CODE"),
            staff("HCP"),
            of("HCP_TYPE"),
            of("GMS"),
            of("EPISODE"),
            of("TEXT"),
            of("RUBRIC"),
            of("DRUG_FORM"),
            of("DRUG_STRENGTH"),
            of("DRUG_PACKSIZE"),
            of("DMD_CODE"),
            of("IMMS_STATUS"),
            of("IMMS_COMPOUND"),
            of("IMMS_SOURCE"),
            of("IMMS_BATCH"),
            of("IMMS_REASON"),
            of("IMMS_METHOD"),
            of("IMMS_SITE"),
            of("ENTITY"),
            of("VALUE1_NAME"),
            of("VALUE1"),
            of("VALUE1_UNITS"),
            of("VALUE2_NAME"),
            of("VALUE2"),
            of("VALUE2_UNITS"),
            of("END_DATE"),
            of("TIME"),
            of("CONTEXT"),
            of("CERTAINTY"),
            of("SEVERITY"),
            of("LINKS"),
            of("LINKS_EXT"),
            of("SERVICE_ID"),
            of("ACTION"),
            of("SUBSET"),
            of("DOCUMENT_ID"),
        ],
    },
    TableSpec {
        name: "Journal, 23 columns",
        key: &["PID", "ID"],
        place: Place::Patient("PID"),
        sections: JOURNAL_SECTIONS,
        columns: &[
            key("PID"),
            key("ID"),
            of("DATE"),
            of("RECORDED_DATE"),
            of("CODE"),
            of("BNF_CODE"),
            staff("HCP"),
            of("HCP_TYPE"),
            of("GMS"),
            of("EPISODE"),
            of("TEXT"),
            of("RUBRIC"),
            of("VALUE1"),
            of("VALUE2"),
            of("END_DATE"),
            of("TIME"),
            of("CONTEXT"),
            of("CERTAINTY"),
            of("SEVERITY"),
            of("LINKS"),
            of("SERVICE_ID"),
            of("SUBSET"),
            of("ACTION"),
        ],
    },
    TableSpec {
        name: ENCOUNTER,
        key: &["PID", "ID"],
        place: Place::Patient("PID"),
        sections: &[S::Encounters],
        columns: &[
            key("PID"),
            key("ID"),
            of("DATE"),
            staff("HCP"),
            of("HCP_TYPE"),
            of("SESSION"),
            of("LOCATION"),
            of("TIME"),
            of("DURATION"),
            of("TRAVEL"),
            of("LINKS"),
            of("PRACT_NUMBER"),
            of("SERVICE_ID"),
            of("ACTION"),
        ],
    },
    TableSpec {
        name: REFERRAL,
        key: &["PID", "ID"],
        place: Place::Patient("PID"),
        sections: &[S::Referrals],
        columns: &[
            key("PID"),
            key("ID"),
            of("DATE"),
            staff("HCP"),
            of("HCP_TYPE"),
            staff("TO_HCP"),
            of("SPECIALTY"),
            of("UNIT"),
            of("TYPE"),
            of("CONTRACTOR"),
            of("CONTRACT"),
            of("ACTION_DATE"),
            of("LINKS"),
            of("SERVICE_ID"),
            of("ACTION"),
        ],
    },
    TableSpec {
        name: PRACTICE,
        key: &["ID"],
        place: Place::Shared,
        sections: &[],
        columns: &[
            key("ID"),
            of("NAME"),
            of("IDENTIFIER"),
            of("HA"),
            of("ADDRESS"),
            of("ADDRESS_1"),
            of("ADDRESS_2"),
            of("ADDRESS_3"),
            of("ADDRESS_4"),
            of("ADDRESS_5"),
            of("POSTCODE"),
            of("PHONE"),
            of("EMAIL"),
            of("FAX"),
        ],
    },
    TableSpec {
        name: STAFF,
        key: &["ID"],
        place: Place::Shared,
        sections: &[],
        columns: &[
            key("ID"),
            of("HCP_TYPE"),
            of("GMP_CODE"),
            of("SURNAME"),
            of("FORENAME"),
            of("TITLE"),
            of("SEX"),
            of("SERVICE_ID"),
        ],
    },
];

/// Returns the version of a table that has so many columns.
pub(super) fn version(table: &str, columns: usize) -> Option<&'static TableSpec> {
    TABLES.iter().find(|spec| current_name(spec.name) == table && spec.columns.len() == columns)
}

fn current_name(name: &'static str) -> &'static str {
    name.split(',').next().unwrap_or(name)
}

/// Returns a row of an older version in the shape of today's.
pub(super) fn in_current_shape(table: &'static TableSpec, values: Values) -> (&'static TableSpec, Values) {
    let current = TABLES.iter().find(|spec| spec.name == current_name(table.name));
    match current {
        Some(current) if current.name != table.name => {
            let take = |column: &ColumnSpec| values.get(table.column(column.name)?)?.clone();
            (current, current.columns.iter().map(take).collect())
        }
        _ => (table, values),
    }
}
