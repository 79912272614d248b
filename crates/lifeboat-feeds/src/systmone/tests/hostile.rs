//! Rows that lie, break, or name nothing, and files that lie where they should not.

use lifeboat_clinical::SectionId;
use serde_json::Value;

use super::super::FEED;
use super::{MANIFEST, extract, only, only_batch, store};
use crate::batch::BatchKind;
use crate::feed::{TableFeed, table};
use crate::harness::record;
use crate::problem::Reason;
use crate::rows::{RowChange, Unit};
use crate::table::{Dialect, TableLimits, TableReader};

#[test]
fn an_option_is_looked_up_in_the_list_of_its_column_and_in_no_other() {
    // The same number means two things.
    let mapping = "RowIdentifier,IdMappingGroup,Mapping\n5,1,Did Not Attend\n6,2,Major\n";
    let options =
        "RowIdentifier,ConfiguredList,ConfiguredListOption\n5,9,Telephone consultation\n6,9,Minor\n";
    let events = "RowIdentifier,IDPatient,DateEvent,ContactMethod\n1,7,03 Feb 2026 10:00:00,5\n";
    let problems = "RowIdentifier,IDPatient,CTV3Code,Severity\n2,7,H33..,6\n3,7,H34..,99\n4,7,H35..,-1\n";
    let ctv3 = "RowIdentifier,Ctv3Code,Ctv3Text\n1,H33..,Asthma\n";
    let store = store(&[
        ("SRMapping", mapping),
        ("SRConfiguredListOption", options),
        ("SREvent", events),
        ("SRProblem", problems),
        ("SRCtv3", ctv3),
    ]);
    assert_eq!(only(&store, "Encounter")["type"][0]["text"], "Telephone consultation");
    let problems = store.resources("7", "Condition");
    let significance = |at: usize| problems[at]["extension"][0].clone();
    assert_eq!(significance(0)["valueCode"], "major");
    assert_eq!(problems[0]["code"]["text"], "Asthma");
    assert_eq!(significance(1)["valueString"], "option 99 (name not in extract)");
    assert_eq!(problems[1]["code"]["text"], "Code H34.. (name not in extract)");
    assert_eq!(significance(2), Value::Null);
    let unresolved: Vec<String> = store.patient("7").problems.iter().map(ToString::to_string).collect();
    assert_eq!(unresolved, ["SRProblem.Severity: names a row that is not in the extract"]);
}

#[test]
fn nobody_is_taken_for_not_allergic_without_a_word_that_says_so() {
    let cases = [
        ("1151.,No known allergies,", "716186003"),
        (",No known drug allergies.,", "409137002"),
        ("X1234,No known allergies,999000", "X1234"),
    ];
    for (codes, expected) in cases {
        let csv = format!("RowIdentifier,IDPatient,CTV3Code,CTV3Text,SNOMEDCode\n1,7,{codes}\n");
        let allergy = only(&store(&[("SRCode", &csv)]), "AllergyIntolerance");
        let codings = allergy["code"]["coding"].as_array().expect("codings");
        assert_eq!(codings.last().expect("a code")["code"], expected, "{codes}");
    }
    let bare = store(&[]);
    let read = record(&bare.patient("7").document.expect("a document"));
    let state =
        |section| read.sections.iter().find(|(id, ..)| *id == section).map(|(_, state, _)| state.code());
    assert_eq!(state(SectionId::Allergies), Some("not-supplied"));
}

#[test]
fn a_date_that_is_none_neither_ends_nor_hides_anything() {
    let bad = "31 Feb 2025 00:00:00";
    let code = "RowIdentifier,IDPatient,CTV3Text\n1,7,Asthma\n";
    let problem = format!("RowIdentifier,IDPatient,IDCode,DateEnd\n2,7,1,{bad}\n");
    let repeat = format!(
        "RowIdentifier,IDPatient,NameOfMedication,DateMedicationTemplateEnd\n3,7,Warfarin 1mg tablets,{bad}\n"
    );
    let child = format!("RowIdentifier,IDPatient,ChildProtectionPlan,DateRemoved\n4,7,Plan,{bad}\n");
    let note = format!("RowIdentifier,IDPatient,Note,DateDeleted\n5,7,Dog bites,{bad}\n");
    let address = format!("RowIdentifier,IDPatient,NameOfRoad,DateTo\n6,7,Mill Lane,{bad}\n");
    let left = format!("RowIdentifier,IDPatient,DateDeRegistration\n8,7,{bad}\n");
    let store = store(&[
        ("SRCode", code),
        ("SRProblem", &problem),
        ("SRRepeatTemplate", &repeat),
        ("SRChildAtRisk", &child),
        ("SRSpecialNotes", &note),
        ("SRPatientAddressHistory", &address),
        ("SRPatientRegistration", &left),
    ]);
    assert_eq!(only(&store, "Condition")["clinicalStatus"]["coding"][0]["code"], "active");
    assert_eq!(only(&store, "MedicationRequest")["status"], "active");
    let flags = store.resources("7", "Flag");
    assert!(flags.len() == 2 && flags.iter().all(|flag| flag["status"] == "active"));
    let patient = only(&store, "Patient");
    assert_eq!(patient["address"][0]["line"][0], "Mill Lane");
    assert_eq!(patient["active"], true);
    assert_eq!(store.patient("7").problems.len(), 6);
    for resource in ["Condition", "MedicationRequest"] {
        assert!(
            only(&store, resource)["note"].to_string().contains(bad),
            "{resource} tells what was written"
        );
    }
}

#[test]
fn rows_that_name_rows_which_are_not_there_stand_for_themselves() {
    let store = store(&[
        ("SRProblem", "RowIdentifier,IDPatient,CTV3Code,IDCode\n1,7,XaAbc,404\n"),
        (
            "SRPrimaryCareMedication",
            "RowIdentifier,IDPatient,NameOfMedication,IDRepeatTemplate,IsRepeatMedication,DateMedicationStart\n\
             2,7,Ramipril 5mg capsules,404,TRUE,01 Nov 2026 00:00:00\n",
        ),
        ("SRImmunisation", "RowIdentifier,IDPatient,IDImmunisationContent,IDVaccination\n3,7,404,12\n"),
        ("SRReferralOut", "RowIdentifier,IDPatient,RecipientID,RecipientIDType\n4,7,404,Staff\n"),
        ("SRReferralOutStatusDetails", "RowIdentifier,IDPatient,IDReferralOut\n5,7,404\n"),
    ]);
    assert_eq!(only(&store, "Condition")["code"]["text"], "Code XaAbc (name not in extract)");
    let issue = only(&store, "MedicationRequest");
    assert_eq!(issue["note"][0]["text"], "Issue of a repeat whose template is not in the extract");
    assert_eq!(issue["courseOfTherapyType"]["coding"][0]["code"], "acute");
    let vaccine = &only(&store, "Immunization")["vaccineCode"]["text"];
    assert_eq!(vaccine, "Vaccine not named in the extract (vaccination 12)");
    let to = &only(&store, "ServiceRequest")["performer"][0]["display"];
    assert_eq!(to, "Recipient 404 (name not in extract)");
    assert_eq!(store.patient("7").problems.len(), 5);
    assert!(store.patient("7").problems.iter().all(|problem| problem.reason == Reason::Unresolved));
}

#[test]
fn a_repeat_tells_its_issues_and_what_others_prescribe_is_marked() {
    let store = store(&[
        (
            "SRRepeatTemplate",
            "RowIdentifier,IDPatient,NameOfMedication,MedicationDosage,MedicationQuantity,MaxIssues,DateMedicationTemplateReview\n\
             1,7,Ramipril 5mg capsules,1 om,28 capsule,6,01 Mar 2027 00:00:00\n",
        ),
        (
            "SRPrimaryCareMedication",
            "RowIdentifier,IDPatient,NameOfMedication,MedicationDosage,MedicationQuantity,IDRepeatTemplate,DateMedicationStart,IsHospitalMedication,IsDentalMedication\n\
             2,7,Ramipril 5mg capsules,1 om,28 capsule,1,01 Sep 2026 00:00:00,FALSE,FALSE\n\
             3,7,Ramipril 5mg capsules,1 bd,56 capsule,1,01 Oct 2026 00:00:00,FALSE,FALSE\n\
             4,7,Clozapine 100mg tablets,at night,one box,-1,01 Oct 2025 00:00:00,TRUE,FALSE\n",
        ),
    ]);
    let repeat = only(&store, "MedicationRequest");
    let extensions = repeat["extension"].to_string();
    assert!(
        extensions.contains("\"valueUnsignedInt\":2") && extensions.contains("2026-10-01"),
        "{extensions}"
    );
    assert!(extensions.contains("2027-03-01"));
    let notes: Vec<&str> =
        repeat["note"].as_array().expect("notes").iter().filter_map(|note| note["text"].as_str()).collect();
    let expected = [
        "Dose of the last issue: 1 bd",
        "Quantity of the last issue: 56 capsule",
        "Issued before on 2026-09-01",
    ];
    assert_eq!(notes, expected);
    let hospital = only(&store, "MedicationStatement");
    assert_eq!(hospital["category"]["text"], "Prescribed elsewhere: hospital");
    assert_eq!(
        (&hospital["status"], &hospital["note"][0]["text"]),
        (&"active".into(), &"Quantity: one box".into())
    );
}

#[test]
fn a_blood_pressure_is_put_together_only_where_there_is_no_doubt() {
    let row = |id: u32, ctv3: &str, value: u32, time: &str| {
        format!("{id},7,{ctv3},Reading,03 Feb 2026 {time},TRUE,{value},mmHg\n")
    };
    let header = "RowIdentifier,IDPatient,CTV3Code,CTV3Text,DateEvent,IsNumeric,NumericValue,NumericUnit\n";
    let pair = format!("{header}{}{}", row(1, "2469.", 120, "10:00:00"), row(2, "246A.", 80, "10:00:00"));
    let pressure = only(&store(&[("SRCode", &pair)]), "Observation");
    assert_eq!(pressure["component"][1]["valueQuantity"]["value"], 80);
    let doubtful = [
        pair.replace("246A.,Reading,03 Feb 2026 10:00:00", "246A.,Reading,03 Feb 2026 10:05:00"),
        format!("{pair}{}", row(3, "246A.", 90, "10:00:00")),
    ];
    for csv in doubtful {
        let read = store(&[("SRCode", &csv)]).resources("7", "Observation");
        assert_eq!(read.len(), csv.lines().count() - 1);
        assert!(read.iter().all(|one| one["component"].is_null() && one["valueQuantity"].is_object()));
    }
}

#[test]
fn only_what_is_known_of_the_registration_names_the_gp() {
    let store = store(&[
        ("SRStaffMember", "RowIdentifier,StaffName\n1,Reception\n2,Dr Orla Fairweather\n"),
        ("SRStaffMemberProfile", "RowIdentifier,IDStaffMember\n11,1\n12,2\n"),
        (
            "SRPatientRegistration",
            "RowIdentifier,IDPatient,IDProfileEnteredBy,DateRegistration,DateDeRegistration\n1,7,11,01 Jan 2001 00:00:00,01 Jan 2002 00:00:00\n2,7,11,01 Jan 2000 00:00:00,\n",
        ),
        (
            "SRGPPracticeHistory",
            "RowIdentifier,IDPatient,IDPractice,IDProfileRegisteredGP,DateFrom,DateTo\n1,7,A81001,11,01 Jan 2000 00:00:00,01 Jan 2010 00:00:00\n2,7,A81001,12,02 Jan 2010 00:00:00,\n",
        ),
        (
            "SRRecordStatus",
            "RowIdentifier,IDPatient,DateEvent,MedicalRecordStatus\n1,7,01 Jan 2010 00:00:00,1\n",
        ),
    ]);
    let patient = only(&store, "Patient");
    assert_eq!(patient["generalPractitioner"][0]["display"], "Dr Orla Fairweather");
    assert_eq!(patient["managingOrganization"]["display"], "A81001");
    assert_eq!(patient["active"], true);
    assert!(store.document("7").to_string().contains("data-in-transit"), "the record is on its way");
}

#[test]
fn a_row_of_nobody_is_an_error_and_one_that_removes_is_not() {
    let codes = table(&FEED, "SRCode").expect("a table");
    let change = |csv: &str| {
        let mut reader =
            TableReader::open(csv.as_bytes(), codes, Dialect::CSV, TableLimits::default()).expect("a header");
        FEED.change(codes, reader.next().expect("a row").expect("a whole row"))
    };
    let empty = |column| Err((Some(column), Reason::EmptyValue));
    assert_eq!(change("RowIdentifier,IDPatient\n1,-1\n"), empty("IDPatient"));
    assert_eq!(change("RowIdentifier,IDPatient\n,7\n"), empty("RowIdentifier"));
    let removed = |unit| RowChange::Remove { unit, table: "SRCode", key: "x-1".to_owned() };
    assert_eq!(change("RowIdentifier,IDPatient,RemovedData\nx-1,,1\n"), Ok(removed(None)));
    let of_seven = removed(Some(Unit::Patient("7".to_owned())));
    assert_eq!(change("RowIdentifier,IDPatient,RemovedData\nx-1,7,true\n"), Ok(of_seven));
    assert!(matches!(change("RowIdentifier,IDPatient,RemovedData\nx-1,7,0\n"), Ok(RowChange::Put { .. })));
    let staff = table(&FEED, "SRStaffMember").expect("a table");
    let csv = "RowIdentifier,StaffName,RemovedData\n1,,1\n";
    let mut reader =
        TableReader::open(csv.as_bytes(), staff, Dialect::CSV, TableLimits::default()).expect("a header");
    let values = reader.next().expect("a row").expect("a whole row");
    assert_eq!(FEED.change(staff, values), Ok(RowChange::Ignore), "a name stays known");
}

#[test]
fn an_appointment_keeps_the_words_that_fhir_has_none_for() {
    let mut store = store(&[("SRMapping", "RowIdentifier,Mapping\n5,Waiting\n6,Booked\n")]);
    let bad = store.apply_table(
        "SRAppointment",
        b"RowIdentifier,DateStart,DateEnd,AppointmentStatus,IDPatient,BookingContactNumber\n\
          1,21 Nov 2026 09:00:00,21 Nov 2026 09:10:00,5,7,01632 960001\n\
          2,21 Nov 2026 09:10:00,21 Nov 2026 25:00:00,6,7,\n\
          3,21 Nov 2026 09:20:00,,9,7,\n\
          4,21 Nov 2026 09:30:00,,6,-1,\n\
          5,31 Feb 2026 09:30:00,,6,7,\n",
    );
    assert_eq!(bad, 1);
    let mapped = store.day(crate::harness::TODAY);
    let read: Value = serde_json::from_slice(&mapped.document.expect("a document")).expect("JSON");
    let entries: Vec<&Value> =
        read["entry"].as_array().expect("entries").iter().map(|one| &one["resource"]).collect();
    assert_eq!(entries.len(), 3, "a slot without a patient is no appointment");
    assert_eq!(
        (&entries[0]["status"], &entries[0]["extension"][0]["valueString"]),
        (&"arrived".into(), &"Waiting".into())
    );
    assert_eq!(entries[0]["comment"], "Booking contact number: 01632 960001");
    assert_eq!(entries[0]["minutesDuration"], 10);
    assert_eq!(entries[1]["extension"][0]["valueString"], "DateEnd as written: 21 Nov 2026 25:00:00");
    assert_eq!(entries[2]["extension"][0]["valueString"], "option 9 (name not in extract)");
    let problems: Vec<String> = mapped.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn an_event_that_tells_of_no_care_is_no_consultation() {
    let events = "RowIdentifier,IDPatient,DateEvent,ClinicalEvent\n\
                  1,7,03 Feb 2026 10:00:00,FALSE\n2,7,03 Feb 2026 11:00:00,FALSE\n3,7,03 Feb 2026 12:00:00,TRUE\n";
    let codes = "RowIdentifier,IDPatient,CTV3Text,IDEvent,IsNumeric,NumericValue,NumericUnit\n9,7,Weight,2,TRUE,80.5,kg\n";
    let read = store(&[("SREvent", events), ("SRCode", codes)]).resources("7", "Encounter");
    assert_eq!(read.len(), 2);
    assert_eq!(read[0]["extension"][0]["valueString"], "Weight: 80.5 kg");
}

#[test]
fn tables_in_an_archive_belong_to_the_manifest_beside_it() {
    let manifest = format!(
        "{MANIFEST}SRPatient.csv,N,N,,20261121_0100\nSRMapping,N,Y,,20261121_0100\nSRAppointmentAttendees,N,N,,\n"
    );
    let files = [
        ("in/20261121_0100/SRManifest.csv", manifest.as_str()),
        ("in/20261121_0100/SRMapping.csv", "RowIdentifier,Mapping\n"),
        (
            "in/20261121_0100/SRExtract.zip/SRPatient.csv",
            "RowIdentifier,Surname,IDOrganisationVisibleTo\n1,A,A81001\n",
        ),
        ("in/20261121_0100/SRExtract.zip/SRAppointmentAttendees.csv", "RowIdentifier\n"),
        ("in/20261121_0100/SRExtract.zip/SRBrandNew.csv", "RowIdentifier\n"),
    ];
    let batch = only_batch(&files);
    assert_eq!((batch.refused, batch.kind, batch.tables.len()), (None, BatchKind::Full, 3));
    assert_eq!(batch.name, "20261121_0100");
    assert_eq!(batch.practice.as_deref(), Some("A81001"));
    let whole = extract(&[
        ("a/20261121_0100.zip/SRManifest.csv", files[0].1),
        ("a/20261121_0100.zip/SRPatient.csv", files[2].1),
        ("a/20261122_0100.zip/SRPatient.csv", files[2].1),
    ]);
    let batches = FEED.batches(&whole.facts(), &whole);
    assert_eq!(batches.len(), 2, "archives are batches of their own");
    assert!(batches.iter().all(|batch| batch.refused.is_some()));
}

#[test]
fn a_manifest_that_reaches_to_no_time_is_refused() {
    for until in ["", "soon", "20261321_0100", "2026-11-21"] {
        let manifest = format!("{MANIFEST}SRPatient,N,N,,{until}\n");
        let files =
            [("e/SRManifest.csv", manifest.as_str()), ("e/SRPatient.csv", "RowIdentifier,Surname\n1,A\n")];
        let batch = only_batch(&files);
        // A day without a time is a time all the same.
        assert_eq!(batch.refused.is_some(), until != "2026-11-21", "{until}");
    }
}

#[test]
fn extracts_of_several_organisations_name_no_practice() {
    let manifest = format!("{MANIFEST}SRPatient,N,N,,20261121_0100\n");
    let patients = "RowIdentifier,Surname,IDOrganisationVisibleTo\n1,A,A81001\n2,B,B82002\n";
    let batch = only_batch(&[("e/SRManifest.csv", &manifest), ("e/SRPatient.csv", patients)]);
    assert_eq!((batch.refused, batch.practice), (None, None));
}
