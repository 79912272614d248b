//! What SystmOne's codes say about where an entry belongs.
//!
//! An entry has a CTV3 code, in most extracts a SNOMED CT code, and a number. Where the SNOMED code is missing, the chapter of the CTV3
//! code decides: CTV3 keeps the chapters of the Read codes (NHS Digital, Clinical Terms Version 3).

use crate::rows::RowRef;

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
    /// Anything else: a measurement, a finding, a note.
    Entry,
}

/// "Allergy to…" and "no known allergies" by SNOMED CT: states, and findings that sources use for them.
const SNOMED_ALLERGIES: &[&str] = &[
    "716186003",
    "160244002",
    "409137002",
    "428607008",
    "428197003",
    "429625007",
    "1003774007",
    "91936005",
    "294505008",
    "91935009",
    "91934008",
    "300913006",
    "91930004",
    "300916003",
    "418689008",
    "414285001",
    "235719002",
    "390952000",
    "294499007",
    "293963004",
    "293586001",
    "293585002",
    "91931000",
    "417532002",
    "425525006",
    "424213003",
    "91937001",
    "419199007",
    "416098002",
    "232347008",
    "300910009",
    "782555009",
    "703631000119104",
];
/// Beginnings of CTV3 codes of allergies: personal history of allergy (14L), allergic reactions and adverse effects (SN5, TJ, U60),
/// allergy to food and substances (XE1pt and its kin).
const CTV3_ALLERGIES: &[&str] =
    &["14L", "1151", "SN5", "SN58", "TJ", "U60", "XaIJQ", "XaJup", "ZV14", "X70vr", "XE1pt"];
/// Beginnings of CTV3 codes of laboratory tests.
const CTV3_RESULTS: &[&str] = &["4", "X76", "X77", "X78", "XE2", "XaBL", "XaER", "XaES", "XaJL", "XaPb"];
/// Beginnings of CTV3 codes of operations and procedures.
const CTV3_PROCEDURES: &[&str] = &["7"];
/// Beginnings of CTV3 codes of family history.
const CTV3_FAMILY: &[&str] = &["12", "ZV16", "ZV17", "ZV18", "ZV19"];
/// Units in which bodies are measured rather than samples.
const BODY_UNITS: &[&str] = &[
    "kg",
    "cm",
    "m",
    "mmhg",
    "bpm",
    "beats/min",
    "%",
    "c",
    "°c",
    "/min",
    "kg/m2",
    "kg/m²",
    "units/week",
    "u/week",
];

/// Says what an entry is.
pub(super) fn kind(row: RowRef<'_>) -> Kind {
    let snomed = row.text("SNOMEDCode").unwrap_or_default();
    let ctv3 = row.text("CTV3Code").unwrap_or_default();
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| ctv3.starts_with(beginning));
    let term = row.text("CTV3Text").or(row.text("SNOMEDText")).unwrap_or_default().to_lowercase();
    let says_allergy = [
        "allergy to",
        "allergic to",
        "allergic reaction",
        "adverse reaction to",
        "no known allerg",
        "no known drug allerg",
        "intolerance to",
        "anaphyla",
    ]
    .iter()
    .any(|words| term.contains(words));
    let is_family = begins(CTV3_FAMILY) || term.starts_with("family history") || term.starts_with("fh:");
    if SNOMED_ALLERGIES.contains(&snomed) || begins(CTV3_ALLERGIES) || (says_allergy && !is_family) {
        Kind::Allergy
    } else if is_family {
        Kind::Family
    } else if begins(CTV3_PROCEDURES) {
        Kind::Procedure
    } else if row.is_true("IsNumeric") && is_laboratory(row, begins(CTV3_RESULTS)) {
        Kind::Result
    } else {
        Kind::Entry
    }
}

/// A number is a laboratory result unless bodies are measured in its unit.
fn is_laboratory(row: RowRef<'_>, by_code: bool) -> bool {
    let unit = row.text("NumericUnit").unwrap_or_default().to_lowercase();
    by_code || (!unit.is_empty() && !BODY_UNITS.contains(&unit.as_str()))
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
            ColumnSpec::optional("IsNumeric"),
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
            ("ZZZZ1", "Allergy to wasp venom", "", "1", "kU/L", Kind::Allergy),
            ("1151.", "No known allergies", "", "", "", Kind::Allergy),
            ("12C..", "FH: Allergy to penicillin", "", "", "", Kind::Family),
            ("7H22.", "Hernia repair", "", "", "", Kind::Procedure),
            ("44J3.", "Serum creatinine", "", "1", "umol/L", Kind::Result),
            ("XaIcx", "Something", "", "1", "mmol/L", Kind::Result),
            ("22A..", "O/E - weight", "27113001", "1", "kg", Kind::Entry),
            ("X1021", "Cough", "", "0", "", Kind::Entry),
        ];
        for (ctv3, term, snomed, numeric, unit, expected) in cases {
            let mut rows = UnitRows::default();
            let value = |text: &str| (!text.is_empty()).then(|| text.into());
            rows.put(
                &SPEC,
                "1",
                [value(ctv3), value(term), value(snomed), value(numeric), value(unit)].into(),
            );
            assert_eq!(kind(rows.row("SRCode", "1").expect("it is there")), expected, "{ctv3} {term}");
        }
    }
}
