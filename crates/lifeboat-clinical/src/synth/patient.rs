//! The Patient resource of a made-up person.

use serde_json::{Map, Value, json};

use super::person::{NextOfKin, Person};
use super::random::Random;
use super::staff::{CLINICIANS, ORGANIZATION_ID, SITE_NAME};
use super::story::{hl7, instant};
use crate::nhs_number::NHS_NUMBER_SYSTEM;

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition";

/// Returns the FHIR Patient of `person`.
pub(crate) fn patient_resource(seed: u64, person: &Person) -> Value {
    let mut random = Random::of(seed, "patient-resource", person.index);
    let mut patient = json!({
        "resourceType": "Patient",
        "id": person.id,
        "meta": meta(person, &mut random),
        "extension": extensions(&mut random),
        "identifier": identifiers(person),
        "active": person.active,
        "name": names(person),
        "telecom": telecom(person),
        "gender": person.gender,
        "birthDate": person.born.to_string()
    });
    if let Some(died) = person.died {
        patient["deceasedDateTime"] =
            if random.chance(50) { json!(died.to_string()) } else { json!(instant(died, &mut random)) };
    }
    patient["address"] = json!([{
        "use": "home",
        "line": person.address.lines,
        "city": person.address.city,
        "district": person.address.district,
        "postalCode": person.address.postcode
    }]);
    if let Some(contact) = &person.next_of_kin {
        patient["contact"] = json!([next_of_kin(contact)]);
    }
    if let Some((code, language)) = person.language {
        patient["communication"] = json!([{
            "extension": [{
                "url": format!("{UK_CORE}/Extension-UKCore-InterpreterRequired"),
                "valueBoolean": true
            }],
            "language": {"coding": [{
                "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-HumanLanguage",
                "code": code,
                "display": language
            }]},
            "preferred": true
        }]);
    }
    patient["generalPractitioner"] = json!([CLINICIANS[person.usual_gp].reference()]);
    patient["managingOrganization"] =
        json!({"reference": format!("Organization/{ORGANIZATION_ID}"), "display": SITE_NAME});
    patient
}

fn meta(person: &Person, random: &mut Random) -> Value {
    let mut meta = json!({
        "lastUpdated": instant(person.registered, random),
        "profile": [format!("{UK_CORE}/UKCore-Patient")]
    });
    if person.sensitive {
        meta["security"] = json!([{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "code": "R",
            "display": "restricted"
        }]);
    }
    meta
}

fn extensions(random: &mut Random) -> Value {
    let (code, display) = random.pick(&[
        ("A", "British, Mixed British"),
        ("C", "Any other White background"),
        ("H", "Indian or British Indian"),
        ("N", "African"),
        ("Z", "Not stated"),
    ]);
    let mut extensions = vec![json!({
        "url": format!("{UK_CORE}/Extension-UKCore-EthnicCategory"),
        "valueCodeableConcept": {"coding": [{
            "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland",
            "code": code,
            "display": display
        }]}
    })];
    if random.chance(40) {
        extensions.push(json!({
            "url": format!("{UK_CORE}/Extension-UKCore-NominatedPharmacy"),
            "valueReference": {
                "identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "FZZ99"},
                "display": random.pick(&["Harbour Pharmacy", "Tiller & Daughters Chemist"])
            }
        }));
    }
    Value::Array(extensions)
}

fn identifiers(person: &Person) -> Value {
    let mut identifiers = Vec::new();
    if let Some(number) = &person.nhs_number {
        let (code, display) = if person.nhs_verified {
            ("number-present-and-verified", "Number present and verified")
        } else {
            ("number-present-but-not-traced", "Number present but not traced")
        };
        identifiers.push(json!({
            "extension": [{
                "url": format!("{UK_CORE}/Extension-UKCore-NHSNumberVerificationStatus"),
                "valueCodeableConcept": {"coding": [{
                    "system": "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus",
                    "code": code,
                    "display": display
                }]}
            }],
            "system": NHS_NUMBER_SYSTEM,
            "value": number
        }));
    }
    identifiers.push(json!({
        "system": "https://demonstration.example/Id/local-patient-number",
        "value": format!("LB{:07}", person.index + 1)
    }));
    Value::Array(identifiers)
}

fn names(person: &Person) -> Value {
    let mut names = vec![json!({
        "use": "official",
        "family": person.name.family,
        "given": person.name.given,
        "prefix": [person.title]
    })];
    if let Some(preferred) = &person.preferred {
        names.push(json!({"use": "nickname", "given": [preferred]}));
    }
    if let Some(previous) = &person.previous_family {
        names.push(json!({"use": "maiden", "family": previous, "given": person.name.given}));
    }
    Value::Array(names)
}

fn telecom(person: &Person) -> Value {
    let mut telecom = Vec::new();
    let mut add = |system: &str, place: &str, value: &Option<String>| {
        if let Some(value) = value {
            telecom.push(json!({"system": system, "value": value, "use": place}));
        }
    };
    add("phone", "mobile", &person.mobile);
    add("phone", "home", &person.home_phone);
    add("email", "home", &person.email);
    Value::Array(telecom)
}

fn next_of_kin(contact: &NextOfKin) -> Value {
    let (code, display) = contact.relationship;
    let mut body = Map::new();
    body.insert("relationship".to_owned(), json!([hl7("v2-0131", code, display)]));
    body.insert("name".to_owned(), json!({"family": contact.name.family, "given": contact.name.given}));
    body.insert("telecom".to_owned(), json!([{"system": "phone", "value": contact.phone, "use": "mobile"}]));
    Value::Object(body)
}
