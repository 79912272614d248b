//! Allergies, in every way in which extracts hold them: none may be missing, and none may be invented.

use lifeboat_clinical::view::{AllergyHeader, patient_view};
use serde_json::Value;

use super::tables::store_of;
use crate::harness::{Store, TODAY, record};

const CODES: &str = "CodeId,Term,ReadTermId,SnomedCTConceptId,EmisCodeCategoryDescription\n\
    1,Allergy to penicillin,,91936005,Allergy and adverse drug reactions\n\
    2,Allergy to peanut,,91935009,Allergy and adverse reactions\n\
    3,No known allergies,1151.00,,Symptoms and Findings\n\
    4,No known allergy,,716186003,Allergy and adverse drug reactions\n\
    5,Transfer-degraded drug allergy,,196461000000101,Unset\n\
    6,Allergic rhinitis,,61582004,\"Conditions, operations and procedures\"\n\
    7,Latex allergy,,300916003,\n";

fn store(observations: &str, more: &[(&str, &str)]) -> Store {
    let observations = format!(
        "ObservationGuid,PatientGuid,EffectiveDate,CodeId,AssociatedText,Value,NumericUnit,ObservationType,Deleted,\
         IsConfidential\n{observations}"
    );
    let mut tables = vec![("Coding_ClinicalCode", CODES), ("CareRecord_Observation", observations.as_str())];
    tables.extend(more);
    store_of(&tables)
}

fn header(store: &Store) -> AllergyHeader {
    let document = store.patient("p1").document.expect("a document");
    patient_view(&record(&document).bytes, TODAY).expect("a record").allergies
}

fn known(header: &AllergyHeader) -> Vec<&str> {
    match header {
        AllergyHeader::Known(lines) => lines.iter().map(|line| line.substance.as_str()).collect(),
        other => panic!("{}", other.words()),
    }
}

#[test]
fn an_allergy_is_one_whatever_else_its_row_carries() {
    let cases = [
        ("of the one category", "O1,P1,2020-01-01,1,rash,,,Observation,false,false", "Allergy to penicillin"),
        ("of the other category", "O1,P1,2020-01-01,2,,,,,false,false", "Allergy to peanut"),
        ("with a value", "O1,P1,2020-01-01,1,,5,mg,Value,false,false", "Allergy to penicillin"),
        ("without a date", "O1,P1,,1,,,,,false,false", "Allergy to penicillin"),
        ("with a date that is none", "O1,P1,31/02/2024,1,,,,,false,false", "Allergy to penicillin"),
        ("without a category", "O1,P1,2020-01-01,7,,,,,false,false", "Latex allergy"),
        (
            "with a code that is not in the extract",
            "O1,P1,2020-01-01,99,ampicillin,,,Allergy,false,false",
            "Code 99, whose name is not in the extract",
        ),
        (
            "that lost its code",
            "O1,P1,2020-01-01,5,H/O: penicillin allergy,,,,false,false",
            "Transfer-degraded drug allergy: H/O: penicillin allergy",
        ),
    ];
    for (name, row, substance) in cases {
        let store = store(row, &[]);
        assert_eq!(known(&header(&store)), [substance], "{name}");
    }
}

#[test]
fn what_an_allergy_row_carries_is_told_with_it() {
    let store = store("O1,P1,31/02/2024,1,rash all over,5,mg,Value,false,false", &[]);
    let allergy = store.resources("p1", "AllergyIntolerance").remove(0);
    let notes: Vec<&str> =
        allergy["note"].as_array().expect("notes").iter().filter_map(|note| note["text"].as_str()).collect();
    assert_eq!(notes, ["rash all over", "Value: 5 mg", "Date as written: 31/02/2024"]);
    assert_eq!(allergy["onsetDateTime"], Value::Null);
    let problems = store.patient("p1").problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "CareRecord_Observation.EffectiveDate: is not a date");
}

#[test]
fn an_allergy_in_the_list_of_problems_stays_an_allergy_even_when_the_problem_is_past() {
    let problem = "ObservationGuid,PatientGuid,Comment,EndDate,ProblemStatusDescription,SignificanceDescription\n\
                   O1,P1,seen by allergist,2021-01-01,Past Problem,Significant Problem\n";
    let store = store("O1,P1,2020-01-01,1,,,,,false,false", &[("CareRecord_Problem", problem)]);
    assert_eq!(known(&header(&store)), ["Allergy to penicillin"]);
    assert!(store.resources("p1", "Condition").is_empty());
    let allergy = store.resources("p1", "AllergyIntolerance").remove(0);
    let note =
        "In the list of problems: Past Problem, Significant Problem, seen by allergist, ended 2021-01-01";
    assert_eq!(allergy["note"][0]["text"], note);
}

#[test]
fn no_known_allergies_is_said_only_when_it_is_recorded() {
    for row in ["O1,P1,2020-01-01,3,,,,,false,false", "O1,P1,2020-01-01,4,,,,,false,false"] {
        assert_eq!(header(&store(row, &[])).words(), "No known allergies", "{row}");
    }
    assert_eq!(header(&store("O1,P1,2020-01-01,6,,,,,false,false", &[])).words(), "Allergies not recorded");
    let both = "O1,P1,2020-01-01,4,,,,,false,false\nO2,P1,2019-01-01,2,,,,,false,false";
    assert_eq!(known(&header(&store(both, &[]))), ["Allergy to peanut"]);
}

#[test]
fn none_is_never_said_while_a_table_is_missing_or_something_is_withheld() {
    let only_codes = store_of(&[("Coding_ClinicalCode", CODES)]);
    assert_eq!(header(&only_codes).words(), "Allergies unavailable");
    let without_codes =
        store_of(&[("CareRecord_Observation", "ObservationGuid,PatientGuid,CodeId\nO1,P1,1\n")]);
    assert_eq!(header(&without_codes).words(), "Allergies unavailable");
    let secret = store("O1,P1,2020-01-01,1,,,,,false,true", &[]);
    assert_eq!(header(&secret).words(), "Allergies unavailable");
    let partly = "O1,P1,2020-01-01,1,,,,,false,true\nO2,P1,2020-01-01,4,,,,,false,false";
    assert_eq!(header(&store(partly, &[])).words(), "Allergies unavailable");
}

#[test]
fn a_deleted_allergy_is_gone() {
    let mut store = store("O1,P1,2020-01-01,1,,,,,false,false", &[]);
    let header_line = "ObservationGuid,PatientGuid,EffectiveDate,CodeId,AssociatedText,Value,NumericUnit,Deleted,IsConfidential\r\n";
    store.apply_table("CareRecord_Observation", format!("{header_line}O1,P1,,,,,,true,\r\n").as_bytes());
    assert_eq!(header(&store).words(), "Allergies not recorded");
}
