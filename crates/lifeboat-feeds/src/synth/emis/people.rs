//! Rows about who a patient is.

use jiff::civil::Date;
use serde_json::Value;

use super::Row;
use super::codes::practice_guid;
use super::lines::{guid, local, referred, text};
use crate::synth::RowSet;

/// What the rows of a patient need of the patient.
pub(super) struct Patient {
    pub(super) guid: String,
}

/// Adds the rows about who the patient is.
pub(super) fn add(rows: &mut RowSet, patient: &Value, today: Date) -> Patient {
    let guid = guid(text(patient, "/id"));
    let registered = local(text(patient, "/meta/lastUpdated")).0;
    let died = text(patient, "/deceasedDateTime");
    let died = if died.len() > 10 { local(died).0 } else { died.to_owned() };
    let left = match (patient["active"] == false, died.is_empty()) {
        (true, false) => died.clone(),
        (true, true) => today.yesterday().unwrap_or(today).to_string(),
        (false, _) => String::new(),
    };
    let given: Vec<&str> =
        patient["name"][0]["given"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (first, middle) =
        given.split_first().map_or(("", String::new()), |(first, rest)| (*first, rest.join(" ")));
    let [house, street, village] = address_lines(&patient["address"][0]["line"]);
    let carer = carer(patient);
    Row::of("Admin_Patient")
        .set("PatientGuid", guid.as_str())
        .set("OrganisationGuid", practice_guid())
        .set("UsualGpUserInRoleGuid", referred(&patient["generalPractitioner"][0]))
        .set("Sex", sex(patient))
        .set("DateOfBirth", text(patient, "/birthDate"))
        .set("DateOfDeath", died)
        .set("Title", text(patient, "/name/0/prefix/0"))
        .set("GivenName", first)
        .set("MiddleNames", middle)
        .set("Surname", text(patient, "/name/0/family"))
        .set("DateOfRegistration", registered.as_str())
        .set("NhsNumber", identifier(patient, "nhs-number"))
        .set("PatientNumber", identifier(patient, "local-patient-number"))
        .set("PatientTypeDescription", "Regular")
        .set("DummyType", "false")
        .set("HouseNameFlatNumber", house)
        .set("NumberAndStreet", street)
        .set("Village", village)
        .set("Town", text(patient, "/address/0/city"))
        .set("County", text(patient, "/address/0/district"))
        .set("Postcode", text(patient, "/address/0/postalCode"))
        .set("NHSNumberStatus", nhs_status(patient))
        .set("CarerName", carer.clone())
        .set("CarerRelation", if carer.is_empty() { "" } else { "Carer" })
        .set("PersonGuid", super::lines::guid(&format!("{guid}/person")))
        .set("DateOfDeactivation", left.as_str())
        .set("SpineSensitive", if text(patient, "/meta/security/0/code") == "R" { "true" } else { "false" })
        .set("EmailAddress", telecom(patient, "email", "home"))
        .set("HomePhone", telecom(patient, "phone", "home"))
        .set("MobilePhone", telecom(patient, "phone", "mobile"))
        .put(rows);
    let (status, date) = if left.is_empty() { ("Registered", registered) } else { ("Deducted", left) };
    Row::of("RegistrationStatus")
        .set("OrganisationGuid", practice_guid())
        .set("PatientGuid", guid.as_str())
        .set("Date", slashed(&date))
        .set("RegistrationStatus", status)
        .set("RegistrationType", "Regular")
        .set("ProcessingOrder", "1")
        .put(rows);
    Patient { guid }
}

fn sex(patient: &Value) -> &'static str {
    match text(patient, "/gender") {
        "male" => "M",
        "female" => "F",
        "other" => "I",
        _ => "U",
    }
}

fn identifier(patient: &Value, system: &str) -> String {
    let all = patient["identifier"].as_array();
    let found = all.into_iter().flatten().find(|one| text(one, "/system").ends_with(system));
    found.map(|one| text(one, "/value").to_owned()).unwrap_or_default()
}

fn nhs_status(patient: &Value) -> String {
    let all = patient["identifier"].as_array();
    let status =
        all.into_iter().flatten().map(|one| text(one, "/extension/0/valueCodeableConcept/coding/0/display"));
    status.filter(|status| !status.is_empty()).map(str::to_owned).next().unwrap_or_default()
}

fn telecom(patient: &Value, system: &str, place: &str) -> String {
    let all = patient["telecom"].as_array();
    let found = all.into_iter().flatten().find(|one| one["system"] == system && one["use"] == place);
    found.map(|one| text(one, "/value").to_owned()).unwrap_or_default()
}

/// Returns the name of the contact who is a carer; others have no column.
fn carer(patient: &Value) -> String {
    let all = patient["contact"].as_array();
    let carer = all.into_iter().flatten().find(|one| text(one, "/relationship/0/coding/0/code") == "CARER");
    let Some(carer) = carer else {
        return String::new();
    };
    let given = carer["name"]["given"].as_array().into_iter().flatten().filter_map(Value::as_str);
    given.chain([text(carer, "/name/family")]).collect::<Vec<_>>().join(" ")
}

/// Sorts the lines of an address into house, street and village: the street begins with its number.
fn address_lines(lines: &Value) -> [String; 3] {
    let lines: Vec<&str> = lines.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let is_street = |line: &str| line.starts_with(|c: char| c.is_ascii_digit());
    let street = lines.iter().position(|line| is_street(line)).unwrap_or(0);
    let before = lines.get(..street).unwrap_or_default().join(", ");
    let after = lines.get(street + 1..).unwrap_or_default().join(", ");
    [before, lines.get(street).copied().unwrap_or_default().to_owned(), after]
}

/// Writes a date with slashes, the day first.
fn slashed(date: &str) -> String {
    let parts: Vec<&str> = date.split('-').collect();
    match parts[..] {
        [year, month, day] => format!("{day}/{month}/{year}"),
        _ => date.to_owned(),
    }
}
