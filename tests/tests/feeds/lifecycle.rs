//! What becomes of codes, confidential items, and patients who are to be left out or sheltered.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lifeboat_clinical::view::patient_view;
use lifeboat_tests::damage;
use lifeboat_tests::practice::today;
use lifeboat_tests::site::Site;

use super::extract::{Order, Table, attempt, lines, report, shown};
use super::reading::{Page, Practice};

const ORDER: Order = Order { format: "emis", patients: 16, changes: 0 };
/// Words that stand in no made-up extract.
const NEW_WORDS: &str = "Renamed quillwort";

/// Delivers an extract of changes in which a table also holds this row.
fn deliver_row(site: &Site, delta: u32, part: &str, row: Vec<String>) {
    let folder = site.source().join(delta.to_string());
    ORDER.write(site, delta, &folder);
    let mut table = Table::read(&folder, part);
    table.rows.push(row);
    table.write();
}

/// Returns a row of the full extract with some fields set otherwise.
fn changed(site: &Site, part: &str, row: usize, fields: &[(&str, &str)]) -> Vec<String> {
    let mut table = Table::read(&site.source(), part);
    // Later numbers win.
    table.set(row, "ProcessingId", "99999999999");
    fields.iter().for_each(|(column, value)| table.set(row, column, value));
    table.rows[row].clone()
}

/// Returns the NHS number under which a patient is shown.
fn nhs_of(site: &Site, patient: &str) -> String {
    let patients = Table::read(&site.source(), "_Admin_Patient_");
    let number = patients.field(patients.find("PatientGuid", patient), "NhsNumber");
    assert_eq!(number.len(), 10, "the patient has a number");
    number
}

/// Finds the page whose banner has an NHS number, however it is grouped.
fn page_of<'p>(practice: &'p Practice, number: &str) -> Option<&'p Page> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    practice.iter().find(|(who, _)| digits(who) == number).map(|(_, page)| page)
}

fn text_of(folder: &Path) -> String {
    let contents = damage::contents(folder).into_values();
    contents.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect::<Vec<_>>().join("\n")
}

/// Finds a patient with an NHS number who has an appointment today: more speaks of them than their own rows.
fn with_an_appointment(site: &Site, patients: &Table) -> usize {
    let slots = Table::read(&site.source(), "_Appointment_Slot_");
    let today = today().to_string();
    let of_today = (0..slots.rows.len()).filter(|slot| slots.field(*slot, "AppointmentDate") == today);
    let mut rows = of_today.map(|slot| patients.find("PatientGuid", &slots.field(slot, "PatientGuid")));
    rows.find(|row| patients.field(*row, "NhsNumber").len() == 10).expect("somebody has an appointment")
}

/// How many restored records hold a text.
fn records_with(folder: &Path, text: &str) -> usize {
    let contents = damage::contents(folder).into_values();
    contents.filter(|bytes| String::from_utf8_lossy(bytes).contains(text)).count()
}

/// How many restored records have a section that says this before its items.
fn records_that_say(folder: &Path, words: &str) -> usize {
    let says = |bytes: &Vec<u8>| {
        let view = patient_view(bytes, today()).ok();
        let sections = view.iter().flat_map(|view| &view.sections);
        sections.flat_map(|section| &section.notes).any(|note| note.contains(words))
    };
    damage::contents(folder).values().filter(|bytes| says(bytes)).count()
}

#[test]
fn a_code_that_is_renamed_makes_exactly_the_records_anew_that_use_it() {
    let site = ORDER.site();
    let entries = Table::read(&site.source(), "_CareRecord_Observation_");
    let codes = Table::read(&site.source(), "_Coding_ClinicalCode_");
    let users = |code: &str| -> BTreeSet<String> {
        let of_code = (0..entries.rows.len()).filter(|row| entries.field(*row, "CodeId") == code);
        of_code.map(|row| entries.field(row, "PatientGuid")).collect()
    };
    let (row, users) = (0..codes.rows.len())
        .map(|row| (row, users(&codes.field(row, "CodeId"))))
        .filter(|(row, _)| codes.field(*row, "EmisCodeCategoryDescription").starts_with("Conditions"))
        .find(|(_, users)| (2..8).contains(&users.len()))
        .expect("some problem is that of some patients");
    let renamed = changed(&site, "_Coding_ClinicalCode_", row, &[("Term", NEW_WORDS)]);
    deliver_row(&site, 1, "_Coding_ClinicalCode_", renamed);
    let taken = report(&attempt(&site).code(0));
    assert_eq!(taken["outcome"]["kind"], "snapshot", "{taken}");
    let counts = ["added", "changed", "removed"].map(|count| taken[count].as_u64().expect("a number"));
    assert_eq!(counts, [0, users.len() as u64, 0], "{taken}");
    let folder = site.restore("one", "restored");
    assert_eq!(records_with(&folder, NEW_WORDS), users.len());
}

#[test]
fn a_confidential_item_is_left_out_and_its_section_says_so() {
    let site = ORDER.site();
    let before = shown(&site, "before");
    let entries = Table::read(&site.source(), "_CareRecord_Observation_");
    let row = (0..entries.rows.len())
        .find(|row| entries.field(*row, "ObservationType") == "Allergy")
        .expect("somebody has an allergy");
    let number = nhs_of(&site, &entries.field(row, "PatientGuid"));
    let fields = [("IsConfidential", "true"), ("AssociatedText", NEW_WORDS)];
    let hidden = changed(&site, "_CareRecord_Observation_", row, &fields);
    deliver_row(&site, 1, "_CareRecord_Observation_", hidden);
    let taken = report(&attempt(&site).code(0));
    assert_eq!(taken["changed"], 1, "{taken}");
    let folder = site.restore("one", "text");
    assert_eq!(records_with(&folder, NEW_WORDS), 0);
    let says = ["excluded due to confidentiality", "Access is denied to"];
    assert_eq!(says.iter().map(|words| records_that_say(&folder, words)).sum::<usize>(), 1);
    let after = shown(&site, "after");
    let differing: Vec<&String> = before.keys().filter(|who| before.get(*who) != after.get(*who)).collect();
    assert_eq!(differing.len(), 1, "one page differs: {differing:?}");
    let (former, page) = (page_of(&before, &number), page_of(&after, &number));
    let (former, page) = (former.expect("a page"), page.expect("a page"));
    assert!(former["allergies"].len() > page["allergies"].len());
    assert_ne!(page["allergies state"][0]["state"], "none-recorded");
    assert_ne!(page["allergy header"][0]["words"], "No known allergies");

    // Whoever decides to keep such items has them, marked.
    site.edit_config(|text| text.replace("# confidential = \"withhold\"", "confidential = \"keep\""));
    let kept = report(&attempt(&site).code(0));
    assert!(kept["changed"].as_u64() >= Some(1), "{kept}");
    assert_eq!(records_with(&site.restore("one", "kept"), NEW_WORDS), 1);
}

#[test]
fn excluded_patients_have_no_record_and_come_back_when_they_are_not_excluded_any_more() {
    let site = ORDER.site();
    let patients = Table::read(&site.source(), "_Admin_Patient_");
    let row = with_an_appointment(&site, &patients);
    let number = patients.field(row, "NhsNumber");
    assert!(page_of(&shown(&site, "all"), &number).is_some());
    let list = site.root().join("excluded.txt");
    fs::write(&list, format!("# Asked to be left out.\n{number}\n")).expect("a list");
    let named = "excluded_patients_file = \"excluded.txt\"";
    site.edit_config(|text| text.replace(&format!("# {named}"), named));
    let without = report(&attempt(&site).code(0));
    assert_eq!(without["removed"], 1, "{without}");
    assert_eq!([&without["added"], &without["patients"]], [0, 15], "{without}");
    assert_eq!(lines(&without, "unreadable"), [""; 0]);
    let folder = site.restore("one", "without");
    assert!(!text_of(&folder).contains(&number));
    fs::write(&list, "").expect("a list");
    let with = report(&attempt(&site).code(0));
    assert_eq!(with["added"], 1, "{with}");
    assert!(page_of(&shown(&site, "with"), &number).is_some());
}

#[test]
fn excluded_patients_have_no_record_whatever_the_format() {
    for format in ["fhir", "bulk", "gpconnect", "tpp", "vision"] {
        let order = Order { format, ..ORDER };
        let site = order.site();
        let before = shown(&site, "before");
        let number = before.keys().find(|who| who.len() == 12 && !who.starts_with("day"));
        let number = number.expect("somebody has a number").replace(' ', "");
        fs::write(site.root().join("excluded.txt"), &number).expect("a list");
        let named = "excluded_patients_file = \"excluded.txt\"";
        site.edit_config(|text| text.replace(&format!("# {named}"), named));
        let done = attempt(&site).code(0);
        let without = report(&done);
        assert_eq!([&without["added"], &without["removed"], &without["patients"]], [0, 1, 15], "{format}");
        assert_eq!(lines(&without, "unreadable"), [""; 0], "{format}");
        assert!(!text_of(&site.restore("one", "without")).contains(&number), "{format}");
    }
}

#[test]
fn dummy_patients_have_no_record_unless_they_are_kept() {
    let site = Site::new(&["one"]);
    ORDER.deliver(&site, 0);
    let mut patients = Table::read(&site.source(), "_Admin_Patient_");
    let row = with_an_appointment(&site, &patients);
    patients.set(row, "DummyType", "true");
    patients.set(row, "Surname", NEW_WORDS);
    patients.write();
    let without = site.snapshot();
    assert_eq!(without["snapshot"]["patients"], 15, "{without}");
    assert_eq!(records_with(&site.restore("one", "without"), NEW_WORDS), 0);
    site.edit_config(|text| text.replace("# dummy_patients = \"exclude\"", "dummy_patients = \"keep\""));
    let with = site.snapshot();
    assert_eq!(with["snapshot"]["patients"], 16, "{with}");
    assert!(records_with(&site.restore("one", "with"), NEW_WORDS) > 0);
}

#[test]
fn where_a_sensitive_patient_lives_is_nowhere_once_the_source_says_so() {
    const STREET: &str = "17 Bladderwrack Causeway";
    const PHONE: &str = "07700 900987";
    const MAIL: &str = "sheltered@demonstration.example";
    let site = Site::new(&["one"]);
    ORDER.deliver(&site, 0);
    let mut patients = Table::read(&site.source(), "_Admin_Patient_");
    let usual = |row: &usize| {
        let field = |column: &str| patients.field(*row, column);
        field("NhsNumber").len() == 10
            && field("SpineSensitive") == "false"
            && field("DateOfDeath").is_empty()
    };
    let row = (0..patients.rows.len()).find(usual).expect("most patients are like that");
    let number = patients.field(row, "NhsNumber");
    patients.set(row, "Postcode", "ZZ97 3QX");
    let hidden = [
        ("HouseNameFlatNumber", "Wrackline Cottage"),
        ("NumberAndStreet", STREET),
        ("MobilePhone", PHONE),
        ("EmailAddress", MAIL),
        ("CarerName", "Bartholomew Thrift"),
        ("CarerRelation", "Neighbour"),
    ];
    hidden.iter().for_each(|(column, value)| patients.set(row, column, value));
    patients.write();
    site.snapshot();
    let open = text_of(&site.restore("one", "open"));
    assert!(open.contains(STREET) && open.contains(PHONE) && open.contains("Thrift"));

    let sheltered = changed(&site, "_Admin_Patient_", row, &[("SpineSensitive", "true")]);
    deliver_row(&site, 1, "_Admin_Patient_", sheltered);
    site.snapshot();
    let text = text_of(&site.restore("one", "text"));
    for (column, value) in hidden.iter().chain(&[("Postcode", "ZZ97 3QX")]) {
        let is_relation = *column == "CarerRelation";
        assert!(is_relation || !text.contains(value), "{column} is still there");
    }
    let practice = shown(&site, "shown");
    let page = page_of(&practice, &number).expect("the patient is still there");
    let banner = &page["banner"][0];
    assert!(!banner.contains_key("phones") || !banner["phones"].contains("07700"), "{banner:?}");
    assert!(!banner.get("address").is_some_and(|address| address.contains("Bladderwrack")), "{banner:?}");
    assert!(!banner.get("flags").map(String::as_str).unwrap_or_default().is_empty(), "{banner:?}");
}
