//! Codes that decide where a resource belongs, and how codes are read out of resources.

use std::borrow::Cow;

use crate::json::Json;

/// One code of a CodeableConcept.
pub(super) struct Coding<'a> {
    pub(super) system: Option<Cow<'a, str>>,
    pub(super) code: Cow<'a, str>,
}

/// Returns the codes of a CodeableConcept, or of an array of them.
pub(super) fn codings(concept: Json<'_>) -> Vec<Coding<'_>> {
    let mut found = Vec::new();
    for concept in concept.items() {
        let Some(codings) = concept.field("coding") else {
            continue;
        };
        for coding in codings.items() {
            let [system, code] = coding.fields(["system", "code"]);
            if let Some(code) = code.and_then(Json::scalar) {
                let system = system.and_then(Json::string);
                found.push(Coding { system, code });
            }
        }
    }
    found
}

/// Returns the first code of a concept, whatever its system; also of a plain string.
pub(super) fn first_code(concept: Json<'_>) -> Option<Cow<'_, str>> {
    if concept.is_string() {
        return concept.string();
    }
    codings(concept).into_iter().next().map(|coding| coding.code)
}

/// Returns a text by which two concepts are known to be the same: the first code with its system, or
/// else the text in lower case.
pub(super) fn concept_key(concept: Json<'_>) -> Option<String> {
    let concept = concept.first()?;
    if let Some(coding) = codings(concept).into_iter().next() {
        let system = coding.system.unwrap_or_default();
        return Some(format!("{system}|{}", coding.code));
    }
    Some(concept.text_of("text")?.trim().to_lowercase())
}

/// Statements about allergies in general, which sources also record as observations or conditions:
/// SNOMED CT "no known allergy" and its kinds.
pub(super) fn is_allergy_statement(code: &str) -> bool {
    matches!(
        code,
        "716186003"
            | "160244002"
            | "409137002"
            | "428607008"
            | "428197003"
            | "429625007"
            | "716184000"
            | "716185004"
            | "1003774007"
            | "428183007"
    )
}

/// Pregnancy, by SNOMED CT (states, expected date of delivery, last menstrual period) and by LOINC.
pub(super) fn is_pregnancy(code: &str) -> bool {
    matches!(
        code,
        "77386006"
            | "72892002"
            | "47200007"
            | "16356006"
            | "57630001"
            | "59466002"
            | "41587001"
            | "237244005"
            | "237238006"
            | "314204000"
            | "127364007"
            | "10231000132102"
            | "169560008"
            | "169561007"
            | "161714006"
            | "161713000"
            | "21840007"
            | "248985009"
            | "82810-3"
            | "11778-8"
            | "11779-6"
            | "11780-4"
            | "53692-0"
            | "8665-2"
            | "11884-4"
            | "11885-1"
            | "18185-9"
            | "57064-8"
            | "11636-8"
            | "11637-6"
            | "11638-4"
            | "11639-2"
            | "11640-0"
            | "11612-9"
            | "11613-7"
            | "11614-5"
            | "33065-4"
            | "49051-6"
    )
}

/// Decisions about resuscitation and other advance decisions, by SNOMED CT and LOINC.
pub(super) fn is_advance_decision(code: &str) -> bool {
    matches!(
        code,
        "304253006"
            | "450475007"
            | "450476008"
            | "304252001"
            | "439569004"
            | "42348-3"
            | "64298-3"
            | "81334-5"
            | "75320-2"
            | "84095-9"
            | "78823-2"
            | "81378-2"
    )
}

/// Tobacco, alcohol and the like, by SNOMED CT and LOINC.
pub(super) fn is_social_history(code: &str) -> bool {
    matches!(
        code,
        "77176002"
            | "8517006"
            | "266919005"
            | "266927001"
            | "229819007"
            | "365981007"
            | "405746006"
            | "160573003"
            | "897148007"
            | "228273003"
            | "228279004"
            | "228274009"
            | "72166-2"
            | "74013-4"
            | "11331-6"
            | "11367-0"
            | "63512-8"
            | "11341-5"
            | "81229-7"
            | "8663-7"
            | "74010-0"
    )
}

/// Vital signs and body measures, by SNOMED CT and LOINC.
pub(super) fn is_vital_sign(code: &str) -> bool {
    matches!(
        code,
        "8867-4"
            | "9279-1"
            | "8310-5"
            | "8331-1"
            | "85354-9"
            | "55284-4"
            | "8480-6"
            | "8462-4"
            | "29463-7"
            | "3141-9"
            | "8302-2"
            | "8308-9"
            | "39156-5"
            | "59408-5"
            | "2708-6"
            | "8287-5"
            | "9843-4"
            | "8280-0"
            | "56086-2"
            | "8289-1"
            | "59576-9"
            | "77606-2"
            | "75367002"
            | "163020007"
            | "271649006"
            | "271650006"
            | "163030003"
            | "163031004"
            | "72313002"
            | "1091811000000102"
            | "78564009"
            | "364075005"
            | "27113001"
            | "162763007"
            | "50373000"
            | "1153637007"
            | "60621009"
            | "431314004"
            | "103228002"
            | "86290005"
            | "276885007"
            | "386725007"
            | "276361009"
    )
}

/// Orders for tests, which are no referrals, by the category of the request.
pub(super) fn is_test_order(code: &str) -> bool {
    matches!(code, "108252007" | "363679005" | "laboratory" | "imaging" | "LAB" | "RAD")
}
