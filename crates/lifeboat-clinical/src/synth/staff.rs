//! The practice itself: its organisation, place and the people who work there.

use serde_json::{Value, json};

use super::random::Random;

/// The practice's ODS code.
pub const SITE_CODE: &str = "A81001";
/// The practice's name.
pub const SITE_NAME: &str = "Lifeboat Demonstration Surgery";

pub(crate) const ORGANIZATION_ID: &str = "organization-a81001";
pub(crate) const LOCATION_ID: &str = "location-main";

/// Somebody who sees patients.
pub(crate) struct Clinician {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) given: &'static str,
    pub(crate) family: &'static str,
    pub(crate) role: (&'static str, &'static str),
    pub(crate) gmc: &'static str,
}

impl Clinician {
    /// Returns the name as appointment books print it.
    pub(crate) fn display(&self) -> String {
        format!("{} {} {}", self.title, self.given, self.family)
    }

    /// Returns a FHIR reference with the name.
    pub(crate) fn reference(&self) -> Value {
        json!({"reference": format!("Practitioner/{}", self.id), "display": self.display()})
    }
}

const GP: (&str, &str) = ("62247001", "General practitioner");
const NURSE: (&str, &str) = ("768824009", "Practice nurse");
const PHARMACIST: (&str, &str) = ("46255001", "Pharmacist");

/// Everybody, general practitioners first.
pub(crate) const CLINICIANS: &[Clinician] = &[
    clinician("practitioner-01", "Dr", "Orla", "Fairweather", GP, "9000001"),
    clinician("practitioner-02", "Dr", "Rahul", "Seagrave-Nair", GP, "9000002"),
    clinician("practitioner-03", "Dr", "Zoë", "Łodzka", GP, "9000003"),
    clinician("practitioner-04", "Dr", "Kwaku", "Amponsah-Reed", GP, "9000004"),
    clinician("practitioner-05", "Sr", "Bridie", "O'Halloran", NURSE, "9000005"),
    clinician("practitioner-06", "Mr", "Tunde", "Whitfield", PHARMACIST, "9000006"),
];
const GPS: u64 = 4;

const fn clinician(
    id: &'static str,
    title: &'static str,
    given: &'static str,
    family: &'static str,
    role: (&'static str, &'static str),
    gmc: &'static str,
) -> Clinician {
    Clinician { id, title, given, family, role, gmc }
}

/// Draws a general practitioner, as an index of [`CLINICIANS`].
pub(crate) fn draw_gp(random: &mut Random) -> usize {
    usize::try_from(random.below(GPS)).unwrap_or(0)
}

/// Returns the organisation, its location, practitioners and their roles.
pub(crate) fn shared_resources() -> Vec<Value> {
    let mut resources = vec![organization(), location()];
    for clinician in CLINICIANS {
        resources.push(practitioner(clinician));
        resources.push(practitioner_role(clinician));
    }
    resources
}

pub(crate) fn organization() -> Value {
    json!({
        "resourceType": "Organization",
        "id": ORGANIZATION_ID,
        "meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Organization"]},
        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": SITE_CODE}],
        "active": true,
        "type": [{"coding": [{
            "system": "https://fhir.nhs.uk/CodeSystem/organisation-role",
            "code": "76",
            "display": "GP PRACTICE"
        }]}],
        "name": SITE_NAME,
        "telecom": [{"system": "phone", "value": "01632 960000", "use": "work"}],
        "address": [{"line": ["1 Lantern Street"], "city": "Port Selkie", "postalCode": "ZZ99 1AA"}]
    })
}

pub(crate) fn practitioner(clinician: &Clinician) -> Value {
    json!({
        "resourceType": "Practitioner",
        "id": clinician.id,
        "meta": {"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Practitioner"]},
        "identifier": [{"system": "https://fhir.hl7.org.uk/Id/gmc-number", "value": clinician.gmc}],
        "active": true,
        "name": [{
            "use": "official",
            "text": clinician.display(),
            "family": clinician.family,
            "given": [clinician.given],
            "prefix": [clinician.title]
        }],
        "telecom": [{"system": "phone", "value": "01632 960000", "use": "work"}]
    })
}

pub(crate) fn location() -> Value {
    json!({
        "resourceType": "Location",
        "id": LOCATION_ID,
        "status": "active",
        "name": format!("{SITE_NAME}, Main Site"),
        "telecom": [{"system": "phone", "value": "01632 960000", "use": "work"}],
        "address": {"line": ["1 Lantern Street"], "city": "Port Selkie", "postalCode": "ZZ99 1AA"},
        "managingOrganization": {"reference": format!("Organization/{ORGANIZATION_ID}"), "display": SITE_NAME}
    })
}

fn practitioner_role(clinician: &Clinician) -> Value {
    let (code, display) = clinician.role;
    json!({
        "resourceType": "PractitionerRole",
        "id": format!("role-{}", clinician.id),
        "active": true,
        "practitioner": clinician.reference(),
        "organization": {"reference": format!("Organization/{ORGANIZATION_ID}"), "display": SITE_NAME},
        "code": [{"coding": [{"system": "http://snomed.info/sct", "code": code, "display": display}]}],
        "location": [{"reference": format!("Location/{LOCATION_ID}"), "display": format!("{SITE_NAME}, Main Site")}]
    })
}
