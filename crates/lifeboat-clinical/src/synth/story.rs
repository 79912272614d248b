//! A patient's clinical story: what is gathered while the resources of one patient are made.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Detail;
use super::person::{Person, days_between};
use super::random::{Random, days_before};
use super::staff::{CLINICIANS, Clinician, LOCATION_ID, ORGANIZATION_ID, SITE_NAME};

pub(crate) const SNOMED: &str = "http://snomed.info/sct";
pub(crate) const DMD: &str = "http://dmd.nhs.uk";

/// The resources of one patient in the making.
pub(crate) struct Story<'a> {
    pub(crate) person: &'a Person,
    pub(crate) detail: Detail,
    /// The last day on which anything can have happened.
    pub(crate) last: Date,
    pub(crate) resources: Vec<Value>,
    seed: u64,
    ids: Random,
}

impl<'a> Story<'a> {
    pub(crate) fn new(seed: u64, person: &'a Person, today: Date, detail: Detail) -> Self {
        let last = person.died.unwrap_or(today);
        let ids = Random::of(seed, "resource-ids", person.index);
        Self { person, detail, last, resources: Vec::new(), seed, ids }
    }

    /// Starts a stream of chance that belongs to this patient and `purpose` alone.
    pub(crate) fn chance_for(&self, purpose: &str) -> Random {
        Random::of(self.seed, purpose, self.person.index)
    }

    /// Returns the patient's age in whole years, near enough for choosing what to record.
    pub(crate) fn age_years(&self) -> i64 {
        days_between(self.person.born, self.last) / 365
    }

    /// Adds a resource of `kind` with the usual head; `body` brings the rest.
    pub(crate) fn push(&mut self, kind: &str, profile: &str, body: Value) {
        let mut resource = json!({
            "resourceType": kind,
            "id": self.ids.uuid(),
            "meta": {
                "lastUpdated": instant(self.last, &mut self.ids),
                "profile": [format!("https://fhir.hl7.org.uk/StructureDefinition/UKCore-{profile}")]
            }
        });
        if let (Some(head), Value::Object(body)) = (resource.as_object_mut(), body) {
            head.extend(body);
        }
        self.resources.push(resource);
    }

    /// Returns the identifier of the resource added last.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.resources.last().and_then(|resource| resource["id"].as_str())
    }

    /// Draws a date between the patient's birth and the last day, at most `days_back` ago.
    pub(crate) fn date(&self, random: &mut Random, days_back: i64) -> Date {
        let life = days_between(self.person.born, self.last);
        days_before(self.last, random.between(0, days_back.min(life)))
    }

    /// Returns the reference to the patient.
    pub(crate) fn subject(&self) -> Value {
        json!({"reference": format!("Patient/{}", self.person.id)})
    }

    /// Returns the number of things to make: `usual`, or more when full records are wanted.
    pub(crate) fn amount(&self, usual: i64, full: i64) -> i64 {
        match self.detail {
            Detail::Usual => usual,
            Detail::Full => full,
        }
    }
}

/// Returns a concept of SNOMED CT with its term as text.
pub(crate) fn concept(code: &str, term: &str) -> Value {
    json!({"coding": [{"system": SNOMED, "code": code, "display": term}], "text": term})
}

/// Returns a concept of a terminology.hl7.org code system.
pub(crate) fn hl7(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{
        "system": format!("http://terminology.hl7.org/CodeSystem/{system}"),
        "code": code,
        "display": display
    }]})
}

/// Draws a time in working hours of `date`.
pub(crate) fn instant(date: Date, random: &mut Random) -> String {
    format!("{date}T{:02}:{:02}:00Z", random.between(8, 17), random.below(12) * 5)
}

/// Draws somebody who wrote it.
pub(crate) fn draw_clinician(random: &mut Random) -> &'static Clinician {
    let at = usize::try_from(random.below(CLINICIANS.len() as u64)).unwrap_or(0);
    &CLINICIANS[at]
}

/// Returns the reference to the practice.
pub(crate) fn practice_reference() -> Value {
    json!({"reference": format!("Organization/{ORGANIZATION_ID}"), "display": SITE_NAME})
}

/// Returns the reference to the practice's place.
pub(crate) fn location_reference() -> Value {
    json!({"reference": format!("Location/{LOCATION_ID}"), "display": format!("{SITE_NAME}, Main Site")})
}

/// Returns `scaled` shifted right by `places` decimal places as a JSON number.
pub(crate) fn decimal(scaled: i64, places: u32) -> Value {
    if places == 0 {
        return json!(scaled);
    }
    let whole = 10_i64.pow(places);
    let text = format!("{}.{:0width$}", scaled / whole, (scaled % whole).abs(), width = places as usize);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
