//! Rows that are wrong, odd or out of place: nothing is lost, nothing panics, nobody is misled.

use lifeboat_clinical::{SectionId, SectionState};
use serde_json::{Value, json};

use super::tables::store_of;
use crate::emis::FEED;
use crate::feed::{TableFeed, table};
use crate::harness::{Store, TODAY, record};
use crate::problem::Reason;
use crate::rows::RowChange;
use crate::rules::{Confidential, DummyPatients};

const CODES: &str = "CodeId,Term,SnomedCTConceptId,EmisCodeCategoryDescription\n\
    1,Asthma,195967001,\"Conditions, operations and procedures\"\n\
    2,Serum potassium level,1000651000000109,Biochemistry\n\
    3,Urea and electrolytes,1,Biochemistry\n\
    4,Had a chat,2,Symptoms and Findings\n\
    5,Influenza vaccination declined,3,Immunisations\n\
    6,Blood pressure,75367002,Biological values\n\
    7,Systolic blood pressure,271649006,Biological values\n\
    8,Diastolic blood pressure,271650006,Biological values\n";

fn observations(rows: &str) -> String {
    format!(
        "ObservationGuid,PatientGuid,EffectiveDate,EffectiveDatePrecision,CodeId,AssociatedText,Value,NumericUnit,\
         NumericRangeLow,NumericRangeHigh,ParentObservationGuid,ConsultationGuid,Deleted,IsConfidential,ProcessingId\n{rows}"
    )
}

fn with(rows: &str) -> Store {
    store_of(&[("Coding_ClinicalCode", CODES), ("CareRecord_Observation", &observations(rows))])
}

fn state(store: &Store, section: SectionId) -> (SectionState, u32) {
    let record = record(&store.patient("p1").document.expect("a document"));
    let found = record.sections.iter().find(|(id, ..)| *id == section).expect("every section");
    (found.1, found.2)
}

#[test]
fn values_ranges_and_dates_stay_as_they_are_written() {
    let huge = "9".repeat(60);
    let cases = [
        ("2024-02-29,YMD,2,,5.10,mmol/L,3.50,5.3", r#"{"value":5.10,"unit":"mmol/L"}"#, "2024-02-29"),
        ("2024-02-29,YM,2,,<3,mmol/L,,", r#"{"value":3,"unit":"mmol/L","comparator":"<"}"#, "2024-02"),
        ("2024-02-29,Y,2,,.5,,,", r#"{"value":0.5}"#, "2024"),
    ];
    for (row, value, date) in cases {
        let store = with(&format!("O1,P1,{row},,,false,false,1"));
        let result = store.resources("p1", "Observation").remove(0);
        assert_eq!(result["valueQuantity"].to_string(), value);
        assert_eq!(result["effectiveDateTime"], date);
        assert_eq!(state(&store, SectionId::Results).1, 1);
    }
    let store = with(&format!("O1,P1,2024-01-01,U,2,,{huge},mmol/L,low,5.3,,,false,false,1"));
    let result = store.resources("p1", "Observation").remove(0);
    assert_eq!(result["valueString"], format!("{huge} mmol/L"));
    assert_eq!(result["referenceRange"][0]["text"], "low low");
    assert_eq!(result["referenceRange"][0]["high"]["value"].to_string(), "5.3");
    assert_eq!(result["effectiveDateTime"], Value::Null);
    assert_eq!(result["note"][0]["text"], "Date not known (written as 2024-01-01)");
    let digits = with("O1,P1,2024-02-29,YMD,2,,5.10,mmol/L,3.50,,,,false,false,1");
    let result = digits.resources("p1", "Observation").remove(0);
    assert_eq!(result["valueQuantity"]["value"].to_string(), "5.10");
    assert_eq!(result["referenceRange"][0]["low"]["value"].to_string(), "3.50");
}

#[test]
fn what_cannot_be_read_is_kept_in_words_and_told_without_them() {
    let store = with("O1,P1,31/02/2024,YMD,77,secret words,,,,,,,false,false,1");
    let other = store.resources("p1", "Observation").remove(0);
    assert_eq!(other["code"]["text"], "Code 77, whose name is not in the extract");
    assert_eq!(other["note"], json!([{"text": "secret words"}, {"text": "Date as written: 31/02/2024"}]));
    assert_eq!(state(&store, SectionId::OtherItems).1, 1);
    let problems = store.patient("p1").problems;
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "CareRecord_Observation.CodeId: names a row that is not in the extract",
            "CareRecord_Observation.EffectiveDate: is not a date"
        ]
    );
}

#[test]
fn rows_with_nothing_to_hold_on_to_are_refused_one_by_one() {
    let spec = |name| table(&FEED, name).expect("a table");
    let cases = [
        ("CareRecord_Observation", "ObservationGuid", Reason::EmptyValue),
        ("Admin_Patient", "PatientGuid", Reason::EmptyValue),
        ("Coding_ClinicalCode", "CodeId", Reason::EmptyValue),
        ("Appointment_SessionUser", "SessionGuid", Reason::EmptyValue),
    ];
    for (name, column, reason) in cases {
        let empty = vec![None; spec(name).columns.len()].into_boxed_slice();
        assert_eq!(FEED.change(spec(name), empty), Err((Some(column), reason)), "{name}");
    }
    let slot = |date: &str| {
        let mut values = vec![None; spec("Appointment_Slot").columns.len()];
        values[0] = Some("S1".into());
        values[1] = Some(date.into());
        values[4] = Some("P1".into());
        FEED.change(spec("Appointment_Slot"), values.into_boxed_slice())
    };
    assert_eq!(slot("31/02/2024"), Err((Some("AppointmentDate"), Reason::NotADate)));
    assert!(matches!(slot("2026-11-21"), Ok(RowChange::Put { .. })));
}

#[test]
fn names_in_braces_and_capitals_are_the_same_names() {
    let rows = observations("{ABC-1},{p1},2024-01-01,YMD,1,,,,,,,,false,false,1");
    let store = store_of(&[("Coding_ClinicalCode", CODES), ("CareRecord_Observation", &rows)]);
    assert_eq!(store.patients.keys().collect::<Vec<_>>(), ["p1"]);
    assert_eq!(store.resources("p1", "Observation")[0]["id"], "abc-1");
}

#[test]
fn of_two_rows_of_one_name_the_greater_number_holds_in_any_order() {
    for rows in [
        "O1,P1,2024-01-01,YMD,4,old,,,,,,,false,false,10\nO1,P1,2024-01-01,YMD,4,new,,,,,,,false,false,11",
        "O1,P1,2024-01-01,YMD,4,new,,,,,,,false,false,11\nO1,P1,2024-01-01,YMD,4,old,,,,,,,false,false,10",
        "O1,P1,2024-01-01,YMD,4,new,,,,,,,false,false,11\nO1,P1,,,,,,,,,,,true,,9",
    ] {
        let store = with(rows);
        let notes: Vec<Value> = store
            .resources("p1", "Observation")
            .into_iter()
            .map(|one| one["note"][0]["text"].clone())
            .collect();
        assert_eq!(notes, ["new"], "{rows}");
    }
    // The same name under another patient is another row.
    let store = with(
        "O1,P1,2024-01-01,YMD,4,one,,,,,,,false,false,1\nO1,P2,2024-01-01,YMD,4,two,,,,,,,false,false,2",
    );
    assert_eq!(store.resources("p1", "Observation")[0]["note"][0]["text"], "one");
    assert_eq!(store.patients["p2"].len(), 1);
}

#[test]
fn orphans_are_shown_as_far_as_they_go() {
    let problem = "ObservationGuid,PatientGuid,Comment,ProblemStatusDescription\nGONE,P1,since childhood,Active Problem\n";
    let issue = "IssueRecordGuid,PatientGuid,DrugRecordGuid,EffectiveDate,CodeId,Dosage,Quantity,QuantityUnit\n\
                 I1,P1,NONE,2026-10-01,5,one daily,28,tablet\n";
    let store = store_of(&[
        ("Coding_ClinicalCode", CODES),
        (
            "CareRecord_Observation",
            &observations("O1,P1,2024-01-01,YMD,2,,5,,,,NOPARENT,NOCONS,false,false,1"),
        ),
        ("CareRecord_Problem", problem),
        ("Prescribing_IssueRecord", issue),
    ]);
    let condition = store.resources("p1", "Condition").remove(0);
    assert_eq!(condition["code"]["text"], "Problem whose name is not in the extract");
    assert_eq!(condition["note"][0]["text"], "since childhood");
    assert_eq!(state(&store, SectionId::ActiveProblems).1, 1);
    let medicine = store.resources("p1", "MedicationRequest").remove(0);
    assert_eq!(
        medicine["medicationCodeableConcept"]["text"],
        "Drug code 5, whose name is not in the extract"
    );
    assert_eq!(medicine["courseOfTherapyType"]["coding"][0]["code"], "acute");
    assert_eq!(state(&store, SectionId::AcuteMedication).1, 1);
    assert_eq!(state(&store, SectionId::Results).1, 1);
    // Rows of somebody who is not among the patients make no document.
    let nobody = with("O1,P9,2024-01-01,YMD,4,,,,,,,,false,false,1");
    let mapped = nobody.patient("p9");
    assert_eq!((mapped.document, mapped.problems.len()), (None, 1));
}

#[test]
fn entries_that_point_at_each_other_are_all_shown() {
    let rows = "O1,P1,2024-01-01,YMD,2,,5,,,,O2,,false,false,1\nO2,P1,2024-01-01,YMD,2,,6,,,,O1,,false,true,2\n\
                O3,P1,2024-01-01,YMD,3,,,,,,O3,,false,false,3";
    let mut store = with(rows);
    store.rules.confidential = Confidential::Keep;
    assert_eq!(state(&store, SectionId::Results).1, 3);
    store.rules.confidential = Confidential::Withhold;
    assert_eq!(state(&store, SectionId::Results), (SectionState::Recorded, 1));
}

#[test]
fn results_stand_under_their_header_and_a_blood_pressure_is_one_measurement() {
    let rows = "H,P1,2026-01-01,YMD,3,all well,,,,,,,false,false,1\nR,P1,2026-01-01,YMD,2,,4.1,mmol/L,,,H,,false,false,2\n\
                B,P1,2026-01-01,YMD,6,sitting,,,,,,,false,false,3\nS,P1,2026-01-01,YMD,7,,140,mmHg,,,B,,false,false,4\n\
                D,P1,2026-01-01,YMD,8,,85,mmHg,,,B,,false,false,5";
    let store = with(rows);
    let report = store.resources("p1", "DiagnosticReport").remove(0);
    assert_eq!(
        (&report["conclusion"], &report["result"]),
        (&json!("all well"), &json!([{"reference": "Observation/r"}]))
    );
    let observations = store.resources("p1", "Observation");
    let pressure = observations.iter().find(|one| one["id"] == "b").expect("the blood pressure");
    assert_eq!(pressure["component"].as_array().map(Vec::len), Some(2));
    assert_eq!(pressure["component"][0]["valueQuantity"]["value"].to_string(), "140");
    assert_eq!(pressure["note"][0]["text"], "sitting");
    assert_eq!(observations.len(), 2);
    // A part with words of its own stays an entry.
    let told = with(&rows.replace("7,,140", "7,left arm,140"));
    assert_eq!(told.resources("p1", "Observation").len(), 4);
}

#[test]
fn confidential_things_are_withheld_with_everything_under_them_or_marked() {
    let consultations = "ConsultationGuid,PatientGuid,EffectiveDate,ConsultationSourceTerm,Deleted,IsConfidential\n\
                         C1,P1,2026-01-01,Surgery,false,true\n";
    let rows = observations(
        "O1,P1,2026-01-01,YMD,4,hidden,,,,,,C1,false,false,1\nO2,P1,2026-01-01,YMD,4,under,,,,,O1,,false,false,2\n\
         O3,P1,2026-01-01,YMD,4,open,,,,,,,false,false,3",
    );
    let tables = [
        ("Coding_ClinicalCode", CODES),
        ("CareRecord_Observation", rows.as_str()),
        ("CareRecord_Consultation", consultations),
    ];
    let mut store = store_of(&tables);
    let document = String::from_utf8(store.patient("p1").document.expect("one")).expect("text");
    assert!(!document.contains("hidden") && !document.contains("under") && document.contains("open"));
    assert_eq!(state(&store, SectionId::Encounters), (SectionState::Withheld, 0));
    store.rules.confidential = Confidential::Keep;
    let encounter = store.resources("p1", "Encounter").remove(0);
    assert_eq!(encounter["meta"]["security"][0]["code"], "R");
    assert!(encounter.to_string().contains("Had a chat: hidden"));
    assert_eq!(store.resources("p1", "Observation").len(), 3);
}

#[test]
fn what_is_confidential_reaches_as_deep_as_entries_are_grouped() {
    let row = |at: usize, above: &str, secret: bool| {
        format!("O{at},P1,2026-01-01,YMD,4,text{at},,,,,{above},,false,{secret},{at}\n")
    };
    let rows: String = (1..40)
        .map(|at| if at == 1 { row(1, "O39", true) } else { row(at, &format!("O{}", at - 1), false) })
        .chain([row(50, "", false)])
        .collect();
    let document = String::from_utf8(with(&rows).patient("p1").document.expect("one")).expect("text");
    assert!(document.contains("text50"));
    assert!((1..40).all(|at| !document.contains(&format!("text{at}\""))), "{document}");
}

const PATIENT: &str = "PatientGuid,GivenName,Surname,DateOfBirth,NhsNumber,PatientTypeDescription,DummyType,SpineSensitive,\
                       IsConfidential,Deleted,Postcode,DateOfDeath\n";

fn patient(row: &str) -> Store {
    store_of(&[
        ("Admin_Patient", &format!("{PATIENT}{row}")),
        ("Coding_ClinicalCode", CODES),
        ("CareRecord_Observation", &observations("O1,P1,2026-01-01,YMD,4,words,,,,,,,false,false,1")),
    ])
}

#[test]
fn a_confidential_patient_is_in_the_directory_with_nothing_else() {
    let store = patient("P1,Ann,Other,1970-02-03,9990000018,Regular,false,false,true,false,ZZ99 1AA,\n");
    let document = store.patient("p1").document.expect("a document");
    let record = record(&document);
    assert_eq!(record.person.family.as_deref(), Some("Other"));
    assert!(record.sections.iter().all(|(_, state, items)| (*state, *items) == (SectionState::Withheld, 0)));
}

#[test]
fn who_is_to_have_no_record_has_none() {
    for row in [
        "P1,Ann,Other,1970-02-03,,Dummy,false,false,false,false,,\n",
        "P1,Ann,Other,1970-02-03,,Regular,true,false,false,false,,\n",
    ] {
        let mut store = patient(row);
        assert_eq!(store.patient("p1").document, None, "{row}");
        store.rules.dummy_patients = DummyPatients::Keep;
        assert!(store.patient("p1").document.is_some());
    }
    let mut store = patient("P1,Ann,Other,1970-02-03,999 000 0018,Regular,false,false,false,false,,\n");
    store.rules.excluded.insert("9990000018".to_owned());
    assert_eq!(store.patient("p1").document, None);
}

#[test]
fn a_sensitive_patient_is_labelled_and_a_death_on_no_day_is_a_death() {
    let store =
        patient("P1,Ann,Other,1970-02-03,9990000018,Regular,false,true,false,false,ZZ99 1AA,31/02/2020\n");
    let record = record(&store.patient("p1").document.expect("a document"));
    assert_eq!(record.person.flags, ["deceased", "sensitive"]);
    assert!(!String::from_utf8_lossy(&record.bytes).contains("ZZ99 1AA"));
}

#[test]
fn what_was_not_given_is_no_immunisation_that_was() {
    let store = with("O1,P1,2026-01-01,YMD,5,,,,,,,,false,false,1");
    assert_eq!(store.resources("p1", "Immunization")[0]["status"], "not-done");
}

#[test]
fn medicines_that_are_active_stay_current_and_others_say_why_not() {
    let drugs = "DrugRecordGuid,PatientGuid,EffectiveDate,CodeId,Dosage,Quantity,QuantityUnit,PrescriptionType,IsActive,\
        CancellationDate,NumberOfIssues,NumberOfIssuesAuthorised\n\
        D1,P1,2020-01-01,9,one daily,28,tablet,Repeat,true,,3,6\n\
        D2,P1,2020-01-01,9,one daily,28,tablet,Repeat,false,2021-01-01,3,6\n\
        D3,P1,2026-10-01,9,one daily,a few,tablet,Acute,false,,1,1\n\
        D4,P1,2020-01-01,9,one daily,28,tablet,Automatic,true,2019-01-01,1,1\n\
        D5,P1,2020-01-01,9,one daily,28,tablet,Something new,true,,1,1\n";
    let issues = "IssueRecordGuid,PatientGuid,DrugRecordGuid,EffectiveDate,CodeId,Dosage,CourseDurationInDays\n\
        I1,P1,D1,2026-09-01,9,one daily,28\nI2,P1,D1,2026-10-01,9,two daily,28\n";
    let store = store_of(&[
        ("Coding_DrugCode", "CodeId,Term,DmdProductCodeId\n9,Amlodipine 5mg tablets,319283006\n"),
        ("Prescribing_DrugRecord", drugs),
        ("Prescribing_IssueRecord", issues),
    ]);
    assert_eq!(state(&store, SectionId::RepeatMedication).1, 3);
    assert_eq!(state(&store, SectionId::AcuteMedication).1, 1);
    assert_eq!(state(&store, SectionId::PastMedication).1, 1);
    let medicines = store.resources("p1", "MedicationRequest");
    let statuses: Vec<&str> = medicines.iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(statuses, ["active", "stopped", "completed", "active", "active"]);
    let repeat = &medicines[0];
    assert_eq!(repeat["dispenseRequest"]["numberOfRepeatsAllowed"], 6);
    assert!(repeat.to_string().contains("\"valueDateTime\":\"2026-10-01\""));
    assert_eq!(
        repeat["note"],
        json!([{"text": "Dose of the last issue: two daily"}, {"text": "Issued before on 2026-09-01"}])
    );
    assert!(medicines[2].to_string().contains("a few tablet"));
}

#[test]
fn a_patient_who_is_deleted_is_gone_and_a_freed_slot_is_empty() {
    let mut store = patient("P1,Ann,Other,1970-02-03,9990000018,Regular,false,false,false,false,,\n");
    let slots = "SlotGuid,AppointmentDate,AppointmentStartTime,PatientGuid,SessionGuid,Deleted,PlannedDurationInMinutes\r\n";
    let book = |rows: &str| format!("{slots}{rows}\r\n").into_bytes();
    store.apply_table("Appointment_Slot", &book("S1,2026-11-21,09:00:00,P1,X,false,10"));
    assert_eq!(store.days[&TODAY].len(), 1);
    let day = String::from_utf8(store.day(TODAY).document.expect("a document")).expect("text");
    assert!(day.contains("2026-11-21T09:00:00+00:00") && day.contains("Patient/p1"));
    store.apply_table("Appointment_Slot", &book("S1,2026-11-21,09:00:00,,X,false,10"));
    assert_eq!(store.days[&TODAY].len(), 0);
    let gone = format!("{PATIENT}P1,,,,,,,,,true,,\n");
    let gone = gone.replace("DateOfDeath", "DateOfDeath,Sex,DateOfDeactivation");
    store.apply_table("Admin_Patient", gone.replace("true,,", "true,,,,").as_bytes());
    assert!(store.patients.is_empty());
}
