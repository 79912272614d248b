//! The patient of a clinical document.

use lifeboat_clinical::nhs_number;
use serde_json::{Value, json};

use super::systems::{self, NHS_NUMBER_OID};
use super::translation::{Translation, fhir_id, identity, spoken_name};
use super::xml::Element;
use crate::r4;

/// Returns the FHIR id and the NHS number of the patient in this role.
pub(super) fn identify(role: &Element) -> Option<(String, Option<String>)> {
    let nhs = role.all("id").find_map(|id| {
        let number = id.attribute("extension").filter(|_| id.is("root", NHS_NUMBER_OID))?;
        nhs_number::parse(number)
    });
    let id = match &nhs {
        Some(number) => Some(format!("nhs-{number}")),
        None => role.all("id").find_map(identity).map(|id| fhir_id(&id)),
    };
    id.map(|id| (id, nhs))
}

/// Returns the Patient of a `patientRole`.
pub(super) fn patient(
    role: &Element,
    id: &str,
    header: &Element,
    translation: &mut Translation<'_>,
) -> Value {
    translation.place = "recordTarget";
    let person = role.child("patient").or_else(|| role.child("patientPerson"));
    let part = |name: &str| person.and_then(|person| person.child(name));
    let mut patient = json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": role.all("id").filter_map(identifier).collect::<Vec<_>>(),
        "name": person.into_iter().flat_map(|person| person.all("name")).filter_map(name).collect::<Vec<_>>(),
        "telecom": role.all("telecom").filter_map(telecom).collect::<Vec<_>>(),
        "address": role.all("addr").filter_map(address).collect::<Vec<_>>(),
        "gender": part("administrativeGenderCode").and_then(gender),
        "maritalStatus": translation.concept(part("maritalStatusCode")),
        "contact": contacts(person, header, translation),
        "communication": languages(person),
    });
    // A birth may be recorded to the minute; FHIR's birth date is a day.
    let born = translation.moment(part("birthTime"));
    patient["birthDate"] = json!(born.map(|born| born.split('T').next().unwrap_or_default().to_owned()));
    let died = translation.moment(part("deceasedTime"));
    let is_dead = part("deceasedInd").is_some_and(|flag| flag.is("value", "true"));
    match (died, is_dead) {
        (Some(died), _) => patient["deceasedDateTime"] = json!(died),
        (None, true) => patient["deceasedBoolean"] = json!(true),
        (None, false) => {}
    }
    let practice = role.child("providerOrganization").and_then(|place| place.child("name"));
    patient["managingOrganization"] = json!(practice.and_then(spoken_name).map(|name| r4::named(&name)));
    patient["generalPractitioner"] = general_practitioner(header);
    patient
}

fn identifier(id: &Element) -> Option<Value> {
    let root = id.attribute("root")?;
    let value = id.attribute("extension")?;
    let system = match root {
        NHS_NUMBER_OID => r4::NHS_NUMBER.to_owned(),
        root => systems::system(root),
    };
    Some(json!({"system": system, "value": value}))
}

/// Returns a name in its parts, or whole where the source does not part it.
pub(super) fn name(name: &Element) -> Option<Value> {
    let parts = |part: &str| name.all(part).filter_map(Element::own_text).collect::<Vec<_>>();
    let usage = match name.attribute("use").unwrap_or_default() {
        "L" | "C" | "OR" => Some("official"),
        "P" | "A" => Some("nickname"),
        "OLD" => Some("old"),
        _ => None,
    };
    let family = parts("family").join(" ");
    let given = parts("given");
    let whole = if family.is_empty() && given.is_empty() { name.own_text() } else { None };
    let is_empty = family.is_empty() && given.is_empty() && whole.is_none();
    (!is_empty).then(|| {
        json!({
            "use": usage,
            "family": family,
            "given": given,
            "prefix": parts("prefix"),
            "suffix": parts("suffix"),
            "text": whole
        })
    })
}

fn telecom(telecom: &Element) -> Option<Value> {
    let written = telecom.attribute("value")?;
    let (scheme, value) = written.split_once(':').unwrap_or(("tel", written));
    let usage = telecom.attribute("use").unwrap_or_default();
    let system = match scheme {
        "tel" => "phone",
        "mailto" => "email",
        "fax" | "x-text-fax" => "fax",
        "http" | "https" => "url",
        _ => "other",
    };
    let value = if matches!(system, "url" | "other") { written } else { value.trim() };
    let place = match usage.split(' ').next().unwrap_or_default() {
        "MC" => Some("mobile"),
        "H" | "HP" | "HV" => Some("home"),
        "WP" | "DIR" | "PUB" => Some("work"),
        "TMP" => Some("temp"),
        "BAD" | "OLD" => Some("old"),
        _ => None,
    };
    Some(json!({"system": system, "value": value, "use": place}))
}

/// Returns an address in its parts, or as text where the source does not part it.
pub(super) fn address(address: &Element) -> Option<Value> {
    let parts = |part: &str| address.all(part).filter_map(Element::own_text).collect::<Vec<_>>();
    let one = |part: &str| parts(part).into_iter().next();
    let mut lines = parts("streetAddressLine");
    lines.extend(parts("houseNumber"));
    lines.extend(parts("streetName"));
    let usage = match address.attribute("use").unwrap_or_default().split(' ').next().unwrap_or_default() {
        "H" | "HP" | "HV" => Some("home"),
        "WP" | "DIR" | "PUB" => Some("work"),
        "TMP" => Some("temp"),
        "BAD" | "OLD" => Some("old"),
        _ => None,
    };
    let whole = if lines.is_empty() && one("city").is_none() { address.own_text() } else { None };
    let says_something = !lines.is_empty()
        || whole.is_some()
        || ["city", "postalCode", "county", "state"].iter().any(|part| one(part).is_some());
    says_something.then(|| {
        json!({
            "use": usage,
            "line": lines,
            "city": one("city"),
            "district": one("county"),
            "state": one("state"),
            "postalCode": one("postalCode"),
            "country": one("country"),
            "text": whole
        })
    })
}

/// Returns the gender; codes are HL7's, or those of the NHS data dictionary.
fn gender(code: &Element) -> Option<&'static str> {
    if code.attribute("nullFlavor").is_some() {
        return None;
    }
    Some(match code.attribute("code")? {
        "M" | "1" => "male",
        "F" | "2" => "female",
        "UN" | "9" | "O" => "other",
        _ => "unknown",
    })
}

fn languages(person: Option<&Element>) -> Vec<Value> {
    let spoken = person.into_iter().flat_map(|person| person.all("languageCommunication"));
    spoken
        .filter_map(|language| {
            let code = language.child("languageCode")?.attribute("code")?;
            let is_preferred = language.child("preferenceInd").is_some_and(|flag| flag.is("value", "true"));
            let concept = json!({"coding": [{"system": "urn:ietf:bcp:47", "code": code}], "text": code});
            Some(json!({"language": concept, "preferred": is_preferred.then_some(true)}))
        })
        .collect()
}

/// Returns guardians, next of kin and emergency contacts.
fn contacts(person: Option<&Element>, header: &Element, translation: &Translation<'_>) -> Vec<Value> {
    let guardians = person.into_iter().flat_map(|person| person.all("guardian"));
    let guardians = guardians.map(|guardian| (guardian, guardian.child("guardianPerson"), Some("Guardian")));
    let participants = header.all("participant").filter_map(|participant| {
        let entity = participant.child("associatedEntity")?;
        let kind = match entity.attribute("classCode")? {
            "NOK" => Some("Next of kin"),
            "ECON" => Some("Emergency contact"),
            "CAREGIVER" => Some("Carer"),
            "PRS" => None,
            _ => return None,
        };
        Some((entity, entity.child("associatedPerson"), kind))
    });
    guardians
        .chain(participants)
        .map(|(role, person, kind)| {
            let mut relations: Vec<Value> = kind.map(|kind| json!({"text": kind})).into_iter().collect();
            relations.extend(translation.concept(role.child("code")));
            json!({
                "relationship": relations,
                "name": person.and_then(|person| person.child("name")).and_then(name),
                "telecom": role.all("telecom").filter_map(telecom).collect::<Vec<_>>(),
                "address": role.child("addr").and_then(address)
            })
        })
        .collect()
}

/// Returns the primary care clinician of the care that the document is about.
fn general_practitioner(header: &Element) -> Value {
    let events = header.all("documentationOf").filter_map(|of| of.child("serviceEvent"));
    let performers = events.flat_map(|event| event.all("performer"));
    let primary = performers.filter(|performer| {
        performer
            .child("functionCode")
            .is_some_and(|code| matches!(code.attribute("code"), Some("PCP" | "PP")))
    });
    primary.filter_map(super::translation::who).map(|name| r4::named(&name)).collect()
}
