//! What SystmOne's codes say about where an entry belongs.
//!
//! An entry has a CTV3 code, in most extracts a SNOMED CT code, words, and a number. CTV3 keeps the chapters of the Read codes for what
//! came from there (`7…` operations, `12…` family history, `2…` examination); younger codes (`X…`, `Y…`) say nothing by
//! themselves. For allergies the words decide as well, for an allergy that is missed is worse than one that is shown twice.

use super::draft::flag;
use super::tables::CODE;
use crate::rows::{RowRef, UnitRows};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An allergy, or that there is none.
    Allergy,
    /// A laboratory result.
    Result,
    /// An operation or procedure.
    Procedure,
    /// Something in the family.
    Family,
    /// Tobacco and alcohol.
    Social,
    /// The upper value of a blood pressure.
    Systolic,
    /// The lower value of a blood pressure.
    Diastolic,
    /// Anything else: a measurement, a finding, a note.
    Entry,
}

/// SNOMED CT: statements that there are no allergies.
const SNOMED_NO_ALLERGIES: &[&str] = &[
    "716186003",
    "160244002",
    "409137002",
    "428607008",
    "428197003",
    "429625007",
    "716184000",
    "716185004",
    "1003774007",
    "428183007",
];
/// Beginnings of CTV3 codes in the chapters of allergies and adverse reactions: `14L` history of drug allergy, `1151` no known
/// allergies, `SN5` allergic and adverse effects, `TJ` and `U60` drugs causing adverse effects, `ZV14` and `ZV150` personal history
/// of allergy.
const CTV3_ALLERGIES: &[&str] = &["14L", "1151", "SN5", "TJ", "U60", "ZV14", "ZV150"];
/// Words of allergies.
const ALLERGY_WORDS: &[&str] = &[
    "allerg",
    "adverse reaction",
    "adverse drug reaction",
    "drug reaction",
    "hypersensitiv",
    "sensitivity to",
    "drug sensitivity",
    "anaphyla",
    "intolerance",
];
/// Words of what is not an allergy to anything, although it says one of the others.
const OTHER_WORDS: &[&str] = &[
    "allergic rhinitis",
    "allergic asthma",
    "allergic conjunctivitis",
    "allergic sinusitis",
    "allergic alveolitis",
    "allergy test",
    "allergy clinic",
    "allergy service",
    "allergy screen",
    "allergy review",
    "allergen",
    "refer",
    "desensit",
    "immunotherapy",
    "glucose intolerance",
    "exercise intolerance",
    "heat intolerance",
    "cold intolerance",
    "leaflet",
    "education",
];
/// CTV3 and SNOMED CT codes of the two values of a blood pressure.
const SYSTOLIC: &[&str] = &["2469.", "271649006", "72313002"];
const DIASTOLIC: &[&str] = &["246A.", "271650006", "1091811000000102"];
/// SNOMED CT and beginnings of CTV3 codes of tobacco (`137`) and alcohol (`136`).
const SNOMED_SOCIAL: &[&str] = &[
    "77176002",
    "8517006",
    "266919005",
    "266927001",
    "365981007",
    "230056004",
    "160573003",
    "228273003",
    "1082641000000106",
];
const CTV3_SOCIAL: &[&str] = &["136", "137"];
/// SNOMED CT: operations that general practice records most.
const SNOMED_PROCEDURES: &[&str] = &[
    "80146002",
    "173171007",
    "179344006",
    "110473004",
    "11466000",
    "73761001",
    "65801008",
    "38102005",
    "236886002",
    "232717009",
    "415070008",
    "609588000",
];
/// Beginnings of CTV3 codes of operations and procedures.
const CTV3_PROCEDURES: &[&str] = &["7"];
/// Beginnings of CTV3 codes of family history.
const CTV3_FAMILY: &[&str] = &["12", "ZV16", "ZV17", "ZV18", "ZV19"];
/// Beginnings of CTV3 codes of laboratory tests.
const CTV3_RESULTS: &[&str] = &["4"];
/// Beginnings of CTV3 codes of history and examination, where bodies are measured and not samples.
const CTV3_BODY: &[&str] = &["1", "2", "3"];
/// SNOMED CT: measures of bodies and habits, whatever their unit.
const SNOMED_BODY: &[&str] = &[
    "27113001",
    "50373000",
    "1153637007",
    "60621009",
    "431314004",
    "364075005",
    "78564009",
    "386725007",
    "276885007",
    "86290005",
    "276361009",
    "75367002",
];
/// Units in which bodies are measured rather than samples.
const BODY_UNITS: &[&str] = &[
    "kg",
    "cm",
    "m",
    "st",
    "lb",
    "mmhg",
    "mm hg",
    "bpm",
    "beats/min",
    "%",
    "c",
    "°c",
    "degrees c",
    "deg c",
    "/min",
    "breaths/min",
    "kg/m2",
    "kg/m²",
    "units/week",
    "u/week",
    "cigs/day",
    "cigarettes/day",
    "years",
    "weeks",
    "days",
    "l/min",
    "score",
];
/// What says that nobody knows of an allergy, where the extract has no SNOMED code: words or a CTV3 code, and the SNOMED code.
const NO_ALLERGIES: &[(&str, &str)] = &[
    ("1151.", "716186003"),
    ("no known allergies", "716186003"),
    ("no known allergy", "716186003"),
    ("no known drug allergies", "409137002"),
    ("no known drug allergy", "409137002"),
];

/// A coded entry and what it is.
pub(super) type Coded<'r> = (RowRef<'r>, Kind);

/// Returns every coded entry with what it is.
pub(super) fn all(rows: &UnitRows) -> Vec<Coded<'_>> {
    rows.rows(CODE).map(|row| (row, kind(row))).collect()
}

/// Says what an entry is.
fn kind(row: RowRef<'_>) -> Kind {
    let snomed = row.text("SNOMEDCode").unwrap_or_default();
    let ctv3 = row.text("CTV3Code").unwrap_or_default();
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| ctv3.starts_with(beginning));
    let is = |codes: &[&str]| codes.contains(&snomed) || codes.contains(&ctv3);
    let terms = ["CTV3Text", "SNOMEDText"].map(|column| row.text(column).unwrap_or_default().to_lowercase());
    let is_family = begins(CTV3_FAMILY)
        || terms.iter().any(|term| {
            term.starts_with("family history") || term.starts_with("fh:") || term.starts_with("fh ")
        });
    let among = |words: &[&str]| terms.iter().any(|term| words.iter().any(|word| term.contains(word)));
    let says_allergy = !is_family && among(ALLERGY_WORDS) && !among(OTHER_WORDS);
    if is(SNOMED_NO_ALLERGIES) || begins(CTV3_ALLERGIES) || says_allergy {
        Kind::Allergy
    } else if is_family {
        Kind::Family
    } else if begins(CTV3_PROCEDURES) || is(SNOMED_PROCEDURES) {
        Kind::Procedure
    } else if is(SNOMED_SOCIAL) || begins(CTV3_SOCIAL) {
        Kind::Social
    } else if is(SYSTOLIC) {
        Kind::Systolic
    } else if is(DIASTOLIC) {
        Kind::Diastolic
    } else if number(row).is_some() && !is(SNOMED_BODY) && is_laboratory(row, ctv3) {
        Kind::Result
    } else {
        Kind::Entry
    }
}

/// A number is a laboratory result unless bodies are measured under its code or in its unit.
fn is_laboratory(row: RowRef<'_>, ctv3: &str) -> bool {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| ctv3.starts_with(beginning));
    let unit = row.text("NumericUnit").unwrap_or_default().to_lowercase();
    begins(CTV3_RESULTS) || (!begins(CTV3_BODY) && !unit.is_empty() && !BODY_UNITS.contains(&unit.as_str()))
}

/// Returns the SNOMED code of the statement that there are no known allergies, where the row says so without one.
pub(super) fn no_allergies(row: RowRef<'_>) -> Option<&'static str> {
    if row.text("SNOMEDCode").is_some() {
        return None;
    }
    let code = row.text("CTV3Code").unwrap_or_default();
    let term = row.text("CTV3Text").unwrap_or_default().trim_end_matches('.').to_lowercase();
    NO_ALLERGIES.iter().find(|(said, _)| *said == code || *said == term).map(|(_, snomed)| *snomed)
}

/// Returns the number of an entry. The column `IsNumeric` says whether there is one; extracts that lack it leave the number empty,
/// or nought without a unit.
pub(super) fn number(row: RowRef<'_>) -> Option<&str> {
    let number = row.text("NumericValue")?;
    let is_nought = number.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'));
    let is_there = match flag(row, "IsNumeric") {
        Some(numeric) => numeric || !is_nought,
        None => !is_nought || row.text("NumericUnit").is_some(),
    };
    is_there.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};
    use crate::rows::UnitRows;
    use crate::spec::{ColumnSpec, Place, TableSpec};

    const SPEC: TableSpec = TableSpec {
        name: "SRCode",
        columns: &[
            ColumnSpec::optional("CTV3Code"),
            ColumnSpec::optional("CTV3Text"),
            ColumnSpec::optional("SNOMEDCode"),
            ColumnSpec::optional("NumericValue"),
            ColumnSpec::optional("NumericUnit"),
        ],
        key: &["CTV3Code"],
        place: Place::Shared,
        sections: &[],
    };

    #[test]
    fn an_entry_is_known_by_its_codes_its_term_and_its_unit() {
        let cases = [
            ("XE1pt", "Nut allergy", "91934008", "0", "", Kind::Allergy),
            ("XaEgg", "Egg allergy", "", "", "", Kind::Allergy),
            ("ZZZZ1", "Allergy to wasp venom", "", "1", "kU/L", Kind::Allergy),
            ("XaLac", "Lactose intolerance", "", "", "", Kind::Allergy),
            ("TJ00.", "Penicillins", "", "", "", Kind::Allergy),
            ("1151.", "No known allergies", "", "", "", Kind::Allergy),
            ("H17..", "Allergic rhinitis", "61582004", "", "", Kind::Entry),
            ("8H7..", "Referral to allergy clinic", "", "", "", Kind::Entry),
            ("12C..", "FH: Allergy to penicillin", "", "", "", Kind::Family),
            ("7H22.", "Hernia repair", "", "", "", Kind::Procedure),
            ("44J3.", "Serum creatinine", "", "1", "umol/L", Kind::Result),
            ("XaIcx", "Something", "", "1", "mmol/L", Kind::Result),
            ("22A..", "O/E - weight", "27113001", "1", "kg", Kind::Entry),
            ("22A..", "O/E - weight", "", "11", "stones", Kind::Entry),
            ("Xwght", "Weight", "27113001", "11", "stones", Kind::Entry),
            ("2469.", "O/E - Systolic BP reading", "", "120", "mmHg", Kind::Systolic),
            ("246A.", "O/E - Diastolic BP reading", "", "80", "mmHg", Kind::Diastolic),
            ("X1021", "Cough", "", "0", "", Kind::Entry),
        ];
        for (ctv3, term, snomed, number, unit, expected) in cases {
            let mut rows = UnitRows::default();
            let value = |text: &str| (!text.is_empty()).then(|| text.into());
            rows.put(
                &SPEC,
                "1",
                [value(ctv3), value(term), value(snomed), value(number), value(unit)].into(),
            );
            assert_eq!(kind(rows.row("SRCode", "1").expect("it is there")), expected, "{ctv3} {term}");
        }
    }
}
