//! Who the patient is (`Admin_Patient`, `RegistrationStatus`).

use serde_json::{Value, json};

use super::chart::Secrecy;
use super::document::{Draft, restricted};
use super::names;
use super::tables::{PATIENT, REGISTRATION};
use super::when::{self, When};
use crate::dates;
use crate::r4;
use crate::rows::{LookUp, RowRef, UnitRows};

const PATIENT_NUMBER: &str = "urn:lifeboat:emis:patient-number";
const VERIFICATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus";
const VERIFICATION_SYSTEM: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus";

/// What EMIS says of an NHS number, and FHIR's code for it.
const VERIFICATIONS: [(&str, &str); 8] = [
    ("number present and verified", "number-present-and-verified"),
    ("number present but not traced", "number-present-but-not-traced"),
    ("trace required", "trace-required"),
    (
        "trace attempted - no match or multiple match found",
        "trace-attempted-no-match-or-multiple-match-found",
    ),
    ("trace needs to be resolved", "trace-needs-to-be-resolved"),
    ("trace in progress", "trace-in-progress"),
    ("number not present and trace not required", "number-not-present-and-trace-not-required"),
    ("trace postponed", "trace-postponed"),
];

/// Adds the patient.
pub(super) fn add_patient(
    draft: &mut Draft,
    guid: &str,
    row: RowRef<'_>,
    rows: &UnitRows,
    shared: &dyn LookUp,
) {
    let born = when::on(row, "DateOfBirth");
    let died = when::on(row, "DateOfDeath");
    let registered = when::on(row, "DateOfRegistration");
    let left = when::on(row, "DateOfDeactivation");
    draft.check(PATIENT, &[&born, &died, &registered, &left]);
    let has_left = match (&left.fhir, &registered.fhir) {
        // Somebody who came back is registered after they left.
        (Some(left), Some(registered)) => left >= registered,
        (Some(_), None) => true,
        (None, _) => left.told.is_some(),
    };
    let mut extension = registration(row, &registered, &left);
    extension.extend(last_status(rows));
    for (name, when) in [("date-of-birth", &born), ("date-of-death", &died)] {
        extension.extend(when.told.as_deref().map(|told| names::said(name, told)));
    }
    let is_sensitive = row.is_true("SpineSensitive");
    let organisation = names::organisation(shared, row.text("OrganisationGuid"));
    let dead = died.fhir.is_none() && died.told.is_some();
    let patient = r4::object([
        ("resourceType", Some("Patient".into())),
        ("id", Some(names::id("", guid).into())),
        ("meta", is_sensitive.then(|| json!({"security": [restricted()]}))),
        ("extension", Some(extension.into())),
        ("identifier", Some(identifiers(row))),
        ("active", Some((!has_left).into())),
        ("name", Some(vec![name(row)].into())),
        ("telecom", Some(telecom(row))),
        ("gender", Some(gender(row).into())),
        ("birthDate", born.fhir.map(Value::from)),
        ("deceasedDateTime", died.fhir.map(Value::from)),
        ("deceasedBoolean", dead.then(|| true.into())),
        ("address", Some(vec![address(row)].into())),
        ("contact", carer(row).map(|carer| vec![carer].into())),
        ("generalPractitioner", usual_gp(row, shared).map(|gp| vec![r4::named(&gp)].into())),
        ("managingOrganization", organisation.map(r4::named)),
    ]);
    draft.file(Secrecy::Open, patient);
}

fn identifiers(row: RowRef<'_>) -> Value {
    let number = row.text("NhsNumber").map(|number| {
        let status = row.text("NHSNumberStatus").map(|words| {
            let known = VERIFICATIONS.iter().find(|(known, _)| words.eq_ignore_ascii_case(known));
            let concept = match known {
                Some((_, code)) => {
                    r4::concept(vec![r4::coding(VERIFICATION_SYSTEM, code, Some(words))], None)
                }
                None => json!({"text": words}),
            };
            json!([{"url": VERIFICATION, "valueCodeableConcept": concept}])
        });
        r4::object([
            ("extension", status),
            ("system", Some(r4::NHS_NUMBER.into())),
            ("value", Some(number.into())),
        ])
    });
    let own = row
        .text("PatientNumber")
        .map(|number| json!({"type": {"text": "EMIS number"}, "system": PATIENT_NUMBER, "value": number}));
    number.into_iter().chain(own).collect()
}

fn name(row: RowRef<'_>) -> Value {
    let given: Vec<&str> = row
        .text("GivenName")
        .into_iter()
        .chain(row.text("MiddleNames").into_iter().flat_map(str::split_whitespace))
        .collect();
    r4::object([
        ("use", Some("official".into())),
        ("family", row.text("Surname").map(Value::from)),
        ("given", Some(given.into())),
        ("prefix", row.text("Title").map(|title| json!([title]))),
    ])
}

fn telecom(row: RowRef<'_>) -> Value {
    let kinds = [
        ("MobilePhone", "phone", "mobile"),
        ("HomePhone", "phone", "home"),
        ("EmailAddress", "email", "home"),
    ];
    kinds
        .into_iter()
        .filter_map(|(column, system, place)| {
            Some(json!({"system": system, "value": row.text(column)?, "use": place}))
        })
        .collect()
}

fn gender(row: RowRef<'_>) -> &'static str {
    match row.text("Sex").unwrap_or_default().to_ascii_lowercase().as_str() {
        "m" | "male" => "male",
        "f" | "female" => "female",
        "i" | "indeterminate" | "o" | "other" => "other",
        _ => "unknown",
    }
}

fn address(row: RowRef<'_>) -> Value {
    let lines: Vec<&str> = ["HouseNameFlatNumber", "NumberAndStreet", "Village"]
        .into_iter()
        .filter_map(|column| row.text(column))
        .collect();
    let parts = ["Town", "County", "Postcode"].map(|column| row.text(column).map(Value::from));
    if lines.is_empty() && parts.iter().all(Option::is_none) {
        return Value::Null;
    }
    let [town, county, postcode] = parts;
    r4::object([
        ("use", Some("home".into())),
        ("line", Some(lines.into())),
        ("city", town),
        ("district", county),
        ("postalCode", postcode),
    ])
}

fn carer(row: RowRef<'_>) -> Option<Value> {
    let (name, relation) = (row.text("CarerName"), row.text("CarerRelation"));
    name.or(relation)?;
    let relationship = match relation {
        Some(relation) if !relation.eq_ignore_ascii_case("carer") => format!("Carer ({relation})"),
        _ => "Carer".to_owned(),
    };
    Some(r4::object([
        ("relationship", Some(json!([{"text": relationship}]))),
        ("name", name.map(|name| json!({"text": name}))),
    ]))
}

fn usual_gp(row: RowRef<'_>, shared: &dyn LookUp) -> Option<String> {
    names::user(shared, row.text("UsualGpUserInRoleGuid")).or_else(|| {
        let parts = ["ExternalUsualGP", "ExternalUsualGPOrganisation"].map(|column| row.text(column));
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    })
}

/// Returns what is known of the registration, so that it can be read beside the patient's details.
fn registration(row: RowRef<'_>, registered: &When, left: &When) -> Vec<Value> {
    let mut said = Vec::new();
    for (name, when) in [("registered-on", registered), ("registration-ended-on", left)] {
        match when {
            When { fhir: Some(date), .. } => said.push(names::said_on(name, date)),
            When { told: Some(told), .. } => said.push(names::said(name, told)),
            _ => {}
        }
    }
    let columns =
        [("patient-type", "PatientTypeDescription"), ("residential-institute", "ResidentialInstituteCode")];
    for (name, column) in columns {
        said.extend(row.text(column).map(|text| names::said(name, text)));
    }
    said
}

/// Returns the newest status of the registration, where that table is delivered.
fn last_status(rows: &UnitRows) -> Option<Value> {
    let newest = rows.rows(REGISTRATION).max_by_key(|row| {
        let order = row.text("ProcessingOrder").and_then(|text| text.parse::<u64>().ok());
        (row.text("Date").and_then(dates::date_and_time), order)
    })?;
    let words: Vec<&str> = ["RegistrationStatus", "RegistrationType"]
        .into_iter()
        .filter_map(|column| newest.text(column))
        .collect();
    let since = newest.text("Date").map(|date| format!(" since {date}")).unwrap_or_default();
    Some(names::said("registration-status", format!("{}{since}", words.join(", "))))
}
