//! What an entry's code is called, and what kind of entry it makes.

use serde_json::{Value, json};

use crate::r4;
use crate::rows::{LookUp, RowRef};

/// EMIS's own number of a code that belongs to no other terminology.
const CODE_SYSTEM: &str = "urn:lifeboat:emis:code";
const NATIONAL_CODE_SYSTEM: &str = "urn:lifeboat:emis:national-code";

/// The categories of codes that make an entry an allergy.
const ALLERGY_CATEGORIES: [&str; 2] = ["allergy and adverse drug reactions", "allergy and adverse reactions"];

/// SNOMED CT statements about allergies in general: that none are known, of any kind or of some.
const ALLERGY_STATEMENTS: [&str; 10] = [
    "716186003",
    "160244002",
    "409137002",
    "428607008",
    "428197003",
    "429625007",
    "716184000",
    "716185004",
    "1003774007",
    "1287211007",
];
/// SNOMED CT "no known allergy", and the Read code that says the same.
const NO_KNOWN_ALLERGY: &str = "716186003";
const NO_KNOWN_ALLERGIES_READ: &str = "1151.";
/// Allergies that lost their code on the way from another practice's system.
const DEGRADED_ALLERGIES: [&str; 2] = ["196461000000101", "196471000000108"];

/// SNOMED CT codes of what everybody must see before they see the patient.
const ALERTS: [&str; 7] =
    ["304253006", "450475007", "450476008", "304252001", "315594003", "878111000000109", "1108111000000107"];

/// What kind of entry a row of `CareRecord_Observation` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Allergy,
    Alert,
    Immunisation,
    FamilyHistory,
    Referral,
    /// A result of a laboratory.
    Result,
    /// A finding of imaging.
    Imaging,
    /// A measurement of the body.
    Vital,
    Social,
    Procedure,
    /// A letter or another document, of which the extract holds the name only.
    Document,
    /// Anything else.
    Plain,
}

/// The code of an entry.
#[derive(Clone, Copy)]
pub(super) enum Code<'a> {
    /// The row has none.
    Absent,
    /// The row has one that the extract does not explain.
    Unexplained(&'a str),
    Known(RowRef<'a>),
}

impl<'a> Code<'a> {
    /// Looks a code up.
    pub(super) fn of(id: Option<&'a str>, table: &str, shared: &'a dyn LookUp) -> Self {
        match id {
            None => Self::Absent,
            Some(id) => shared.row(table, id).map_or(Self::Unexplained(id), Self::Known),
        }
    }

    fn text(self, column: &str) -> Option<&'a str> {
        match self {
            Self::Known(row) => row.text(column),
            Self::Absent | Self::Unexplained(_) => None,
        }
    }

    /// Returns what the code is called.
    pub(super) fn term(self) -> Option<&'a str> {
        self.text("Term")
    }

    /// Says whether it is the diastolic part of a blood pressure.
    pub(super) fn is_diastolic_pressure(self) -> bool {
        self.snomed() == Some("271650006")
    }

    fn snomed(self) -> Option<&'a str> {
        self.text("SnomedCTConceptId").filter(|code| !matches!(*code, "0" | "-1"))
    }

    fn read(self) -> Option<&'a str> {
        self.text("ReadTermId")
    }

    fn category(self) -> Option<&'a str> {
        self.text("EmisCodeCategoryDescription").filter(|category| !category.eq_ignore_ascii_case("unset"))
    }

    fn is_degraded_allergy(self) -> bool {
        self.snomed().is_some_and(|code| DEGRADED_ALLERGIES.contains(&code))
            || self.term().is_some_and(|term| {
                let term = term.to_lowercase();
                term.contains("degraded") && term.contains("allergy")
            })
    }

    fn is_allergy_statement(self) -> bool {
        self.snomed().is_some_and(|code| ALLERGY_STATEMENTS.contains(&code)) || self.says_no_known_allergy()
    }

    /// Says whether it is the Read code for no known allergies, whatever else it is.
    fn says_no_known_allergy(self) -> bool {
        self.read().is_some_and(|code| code.starts_with(NO_KNOWN_ALLERGIES_READ))
    }

    /// Returns the concept, with the words that were chosen when it was entered, if they are known.
    pub(super) fn concept(self, original: Option<&str>) -> Value {
        let text = original.or(self.term());
        match self {
            Self::Absent => r4::concept(Vec::new(), Some(original.unwrap_or("Entry without a code"))),
            Self::Unexplained(id) => {
                let unexplained = format!("Code {id}, whose name is not in the extract");
                let coding = r4::coding(CODE_SYSTEM, id, None);
                r4::concept(vec![coding], Some(original.unwrap_or(&unexplained)))
            }
            Self::Known(row) => r4::concept(self.codings(row), text),
        }
    }

    fn codings(self, row: RowRef<'_>) -> Vec<Value> {
        let mut codings = Vec::new();
        let term = self.term();
        if self.says_no_known_allergy() && self.snomed().is_none() {
            codings.push(r4::coding(r4::SNOMED, NO_KNOWN_ALLERGY, term));
        }
        if let Some(code) = self.snomed() {
            codings.push(r4::coding(r4::SNOMED, code, term));
        }
        if let Some(code) = self.read() {
            codings.push(r4::coding(r4::READ2, code, term.filter(|_| codings.is_empty())));
        }
        if let Some(code) = row.text("NationalCode").filter(|code| Some(*code) != self.read()) {
            codings.push(r4::coding(NATIONAL_CODE_SYSTEM, code, row.text("NationalDescription")));
        }
        if codings.is_empty() {
            codings.push(r4::coding(CODE_SYSTEM, row.key(), term));
        }
        codings
    }

    /// Returns the concept of an allergy. One that was degraded names in words what it is about.
    pub(super) fn allergy_concept(self, original: Option<&str>, words: Option<&str>) -> Value {
        let term = self.term().unwrap_or_default();
        match (original, words) {
            (None, Some(words)) if self.is_degraded_allergy() => {
                self.concept(Some(&format!("{term}: {words}")))
            }
            _ => self.concept(original),
        }
    }

    /// Returns the concept of a medicine.
    pub(super) fn medicine(self) -> Value {
        match self {
            Self::Absent => json!({"text": "Medicine without a code"}),
            Self::Unexplained(id) => {
                json!({"text": format!("Drug code {id}, whose name is not in the extract")})
            }
            Self::Known(row) => {
                let term = self.term();
                let system_and_code = match row.text("DmdProductCodeId") {
                    Some(code) => (r4::DMD, code),
                    None => (CODE_SYSTEM, row.key()),
                };
                let (system, code) = system_and_code;
                r4::concept(vec![r4::coding(system, code, term)], term)
            }
        }
    }

    /// Says what kind of entry the row is. Allergies come first, whatever else the row carries.
    pub(super) fn kind(self, row: RowRef<'_>, original: Option<&str>, is_referral: bool) -> Kind {
        let category = self.category().unwrap_or_default().to_lowercase();
        let entry_type = row.text("ObservationType").unwrap_or_default().to_lowercase();
        let is_allergy = ALLERGY_CATEGORIES.contains(&category.as_str())
            || entry_type.contains("allerg")
            || self.is_allergy_statement()
            || self.is_degraded_allergy()
            || (category.is_empty() && [self.term(), original].into_iter().flatten().any(speaks_of_allergy));
        if is_allergy {
            return Kind::Allergy;
        }
        if self.snomed().is_some_and(|code| ALERTS.contains(&code)) {
            return Kind::Alert;
        }
        match category.as_str() {
            "immunisations" => Kind::Immunisation,
            "family history" => Kind::FamilyHistory,
            _ if is_referral => Kind::Referral,
            "referral" => Kind::Referral,
            "biochemistry" | "haematology" | "microbiology" | "immunology" | "cytology/histology"
            | "pathology specimen" => Kind::Result,
            "radiology" => Kind::Imaging,
            "biological values" => Kind::Vital,
            "personal health and social" | "ethnicity" | "marital status" | "nationality" | "religion" => {
                Kind::Social
            }
            "procedure code" | "dental procedure" => Kind::Procedure,
            "conditions, operations and procedures" if self.read().is_some_and(is_operation) => {
                Kind::Procedure
            }
            "" => by_entry_type(&entry_type),
            _ if row.text("DocumentGuid").is_some() && row.text("Value").is_none() => Kind::Document,
            _ => Kind::Plain,
        }
    }

    /// Says whether an entry among the immunisations says that nothing was given.
    pub(super) fn says_not_given(self, original: Option<&str>) -> bool {
        const WORDS: [&str; 8] = [
            "declin",
            "refus",
            "not given",
            "not done",
            "not indicated",
            "contraindicat",
            "did not attend",
            "no consent",
        ];
        [self.term(), original].into_iter().flatten().any(|term| {
            let term = term.to_lowercase();
            WORDS.iter().any(|word| term.contains(word))
        })
    }
}

/// Says what kind an entry is whose code has no category, by what EMIS calls the entry.
fn by_entry_type(entry_type: &str) -> Kind {
    let has = |part: &str| entry_type.contains(part);
    match () {
        () if has("immunisation") => Kind::Immunisation,
        () if has("family") => Kind::FamilyHistory,
        () if has("referral") => Kind::Referral,
        () if has("investigation") => Kind::Result,
        () if has("document") => Kind::Document,
        () => Kind::Plain,
    }
}

fn speaks_of_allergy(text: &str) -> bool {
    text.to_lowercase().contains("allerg")
}

/// Says whether a Read code is of the chapter of operations.
fn is_operation(code: &str) -> bool {
    code.starts_with('7')
}
