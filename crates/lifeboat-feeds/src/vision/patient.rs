//! The person, their consultations, and their referrals.

use lifeboat_clinical::SectionId as S;
use serde_json::{Value, json};

use super::chart::{Chart, fhir_id, row_id, subset};
use crate::r4;
use crate::rows::RowRef;

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition";

/// Adds the Patient.
pub(super) fn add<'a>(chart: &mut Chart<'a>, row: RowRef<'a>) {
    let mut notes = Vec::new();
    let born = chart.date(row, "DATE_OF_BIRTH", &mut notes);
    let died = chart.date(row, "DATE_OF_DEATH", &mut notes);
    let registered = chart.date(row, "REGISTERED_DATE", &mut notes);
    let removed = chart.date(row, "REMOVED_DATE", &mut notes);
    let status = row.text("ACTIVE").unwrap_or_default();
    let has_died = status.eq_ignore_ascii_case("D");
    let has_left = match status.to_ascii_uppercase().as_str() {
        "L" | "D" => true,
        "R" | "T" | "P" | "S" => false,
        _ => row.text("REMOVED_DATE").is_some(),
    };
    let gp = chart.who(row, "GP_USUAL").or_else(|| chart.who(row, "GP"));
    let practice = row.text("PRACTICE").and_then(|id| chart.mapping.shared.row("Practice", id));
    let practice = practice.and_then(|practice| practice.text("NAME"));
    let mut details: Vec<(&str, String)> = Vec::new();
    details.extend(registration(status).map(|words| ("registration-type", words.to_owned())));
    details.extend(registered.map(|date| ("registered", date)));
    details.extend(removed.map(|date| ("removed", date)));
    details.extend(row.text("ETHNIC").map(|text| ("ethnicity", text.to_owned())));
    details.extend(notes.into_iter().map(|note| ("note", note)));
    let details: Vec<Value> = details
        .into_iter()
        .map(|(name, text)| json!({"url": format!("urn:vision:{name}"), "valueString": text}))
        .collect();
    let mut patient = json!({
        "resourceType": "Patient",
        "id": fhir_id(row.text("PID").unwrap_or_default()),
        "extension": details,
        "identifier": identifiers(row),
        "active": !has_left,
        "name": [{
            "use": "official",
            "family": row.text("SURNAME"),
            "given": row.text("FORENAME").into_iter().flat_map(str::split_whitespace).collect::<Vec<_>>(),
            "prefix": [row.text("TITLE")]
        }],
        "telecom": telecom(row),
        "gender": gender(row),
        "birthDate": born,
        "maritalStatus": {"text": marital_status(row)},
        "address": [address(row)],
        "generalPractitioner": [gp],
        "managingOrganization": practice.map(r4::named)
    });
    match died {
        Some(died) => patient["deceasedDateTime"] = json!(died),
        // A date that cannot be read still says that there was a death.
        None if has_died || row.text("DATE_OF_DEATH").is_some() => patient["deceasedBoolean"] = json!(true),
        None => {}
    }
    chart.document.push(patient);
}

fn identifiers(row: RowRef<'_>) -> Vec<Value> {
    let others = [
        ("urn:vision:patient-number", "PRACT_NUMBER"),
        ("urn:vision:reference", "REFERENCE"),
        ("urn:vision:pid", "PID"),
    ];
    let of = |(system, column): (&str, &str)| Some(json!({"system": system, "value": row.text(column)?}));
    std::iter::once((r4::NHS_NUMBER, "NHS_NUMBER")).chain(others).filter_map(of).collect()
}

fn telecom(row: RowRef<'_>) -> Vec<Value> {
    let kinds =
        [("MOBILE_NUMBER", "phone", "mobile"), ("PHONE_NUMBER", "phone", "home"), ("EMAIL", "email", "home")];
    let of = |(column, system, place): (&str, &str, &str)| {
        Some(json!({"system": system, "value": row.text(column)?, "use": place}))
    };
    kinds.into_iter().filter_map(of).collect()
}

/// Returns the address: house, street and village are lines, then town and county.
fn address(row: RowRef<'_>) -> Value {
    let lines: Vec<&str> =
        ["ADDRESS_1", "ADDRESS_2", "ADDRESS_3"].iter().filter_map(|column| row.text(column)).collect();
    let (town, county) = (row.text("ADDRESS_4"), row.text("ADDRESS_5"));
    // The parts may be missing where the whole is there.
    let whole = row.text("ADDRESS").filter(|_| lines.is_empty() && town.is_none() && county.is_none());
    let lines = match whole {
        Some(whole) => whole.split('|').map(str::trim).filter(|line| !line.is_empty()).collect(),
        None => lines,
    };
    if lines.is_empty() && town.is_none() && county.is_none() && row.text("POSTCODE").is_none() {
        return Value::Null;
    }
    json!({"use": "home", "line": lines, "city": town, "district": county, "postalCode": row.text("POSTCODE")})
}

fn gender(row: RowRef<'_>) -> Option<&'static str> {
    Some(match row.text("SEX")?.to_ascii_uppercase().as_str() {
        "M" => "male",
        "F" => "female",
        "I" => "other",
        _ => "unknown",
    })
}

fn registration(code: &str) -> Option<&'static str> {
    Some(match code.to_ascii_uppercase().as_str() {
        "T" => "Temporary",
        "P" => "Private patient",
        "S" => "Not registered for general medical services; registered for another service",
        _ => return None,
    })
}

fn marital_status(row: RowRef<'_>) -> Option<&str> {
    let code = row.text("MARITAL_STATUS")?;
    Some(match code {
        "S" => "Single",
        "M" => "Married",
        "D" => "Divorced",
        "P" => "Separated",
        "C" => "Cohabiting",
        "W" => "Widowed",
        "U" => return None,
        other => other,
    })
}

/// Adds a consultation, with what was recorded in it.
pub(super) fn add_encounter<'a>(chart: &mut Chart<'a>, row: RowRef<'a>) {
    let mut notes = Vec::new();
    let start = chart.moment(row, ["DATE", "TIME"], &mut notes);
    let linked = chart.of_encounter(row.text("ID").unwrap_or_default());
    let titles: Vec<Value> = linked
        .iter()
        .filter(|row| matches!(subset(**row), 'P' | 'C'))
        .filter_map(|row| row.text("RUBRIC"))
        .map(|term| json!({"text": term}))
        .collect();
    notes.extend(
        linked
            .iter()
            .filter(|row| matches!(subset(**row), 'P' | 'C'))
            .filter_map(|row| row.text("TEXT"))
            .map(str::to_owned),
    );
    let session = row.text("SESSION").map(|code| words(code, SESSIONS));
    let location = row.text("LOCATION").map(|code| words(code, LOCATIONS));
    // Nothing says in what unit a duration is, so it stays as it is written.
    let duration = row.text("DURATION").filter(|duration| *duration != "0");
    let mut extension: Vec<Value> = Vec::new();
    extension.extend(
        notes.iter().map(|note| json!({"url": format!("{UK_CORE}/consultation-notes"), "valueString": note})),
    );
    extension.extend(duration.map(|duration| json!({"url": "urn:vision:duration", "valueString": duration})));
    let encounter = json!({
        "resourceType": "Encounter",
        "id": row_id("e", row),
        "extension": extension,
        "status": "finished",
        "type": [{"text": session}],
        "subject": chart.document.subject(),
        "participant": [{"individual": chart.who(row, "HCP")}],
        "period": {"start": start},
        "reasonCode": titles,
        "location": [{"location": {"display": location}}]
    });
    chart.document.push(encounter);
}

const SESSIONS: &[(&str, &str)] = &[
    ("G", "General consultation"),
    ("V", "Visit"),
    ("N", "Night visit"),
    ("A", "Antenatal"),
    ("H", "Health promotion"),
    ("C", "Child health surveillance"),
    ("3", "Three year check"),
    ("7", "75+ check"),
    ("O", "Other"),
];
const LOCATIONS: &[(&str, &str)] =
    &[("S", "Surgery"), ("C", "Clinic"), ("A", "A&E"), ("H", "Hospital"), ("O", "Other")];
const REFERRALS: &[(&str, &str)] = &[
    ("O", "Outpatient referral"),
    ("A", "Admission"),
    ("D", "Day case referral"),
    ("I", "Referral for investigation"),
    ("V", "Domiciliary visit"),
];

/// Returns what a code of Vision's stands for; one that is not known as it is.
fn words<'w>(code: &'w str, known: &[(&str, &'w str)]) -> &'w str {
    known.iter().find(|(known, _)| *known == code).map_or(code, |(_, words)| words)
}

/// Adds a referral.
pub(super) fn add_referral<'a>(chart: &mut Chart<'a>, row: RowRef<'a>) {
    let mut notes = Vec::new();
    let made = chart.date(row, "DATE", &mut notes);
    let acted = chart.date(row, "ACTION_DATE", &mut notes);
    let kind = row.text("TYPE").map(|code| words(code, REFERRALS));
    let title = match (row.text("SPECIALTY"), kind) {
        (Some(specialty), _) => format!("Referral to {specialty}"),
        (None, Some(kind)) => kind.to_owned(),
        (None, None) => "Referral".to_owned(),
    };
    notes.extend(kind.filter(|kind| *kind != title).map(|kind| format!("Type: {kind}")));
    let to: Vec<Value> =
        [chart.who(row, "TO_HCP"), row.text("UNIT").map(r4::named), row.text("CONTRACTOR").map(r4::named)]
            .into_iter()
            .flatten()
            .collect();
    let referral = json!({
        "resourceType": "ServiceRequest",
        "id": row_id("r", row),
        "status": "active",
        "intent": "order",
        "category": [r4::concept(vec![r4::coding(r4::SNOMED, "3457005", Some("Patient referral"))], None)],
        "code": {"text": title},
        "subject": chart.document.subject(),
        "authoredOn": made,
        "occurrenceDateTime": acted,
        "requester": chart.who(row, "HCP"),
        "performer": to,
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    chart.document.push_in(S::Referrals, referral);
}
