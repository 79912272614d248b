//! What the directory says of a person, from their Patient resource, and what a sensitive one withholds.

use serde::{Deserialize, Serialize};

use super::codes;
use crate::date::PartialDate;
use crate::fhir::{is_nhs_number_system, name_rank};
use crate::json::{self, Json};
use crate::nhs_number;

/// The flag of a person who has died.
pub const FLAG_DECEASED: &str = "deceased";
/// The flag of a person who is no longer a patient of the practice.
pub const FLAG_LEFT: &str = "left";
/// The flag of a person whose address and contact details are withheld.
pub const FLAG_SENSITIVE: &str = "sensitive";
/// The flag of a person who needs an interpreter.
pub const FLAG_INTERPRETER: &str = "interpreter";

/// The members of a Patient or RelatedPerson that tell where somebody is.
const WHEREABOUTS: [&str; 5] = ["address", "telecom", "contact", "text", "contained"];
/// The ends of the addresses of extensions that tell it: where somebody lives, and who supplies them near there.
const WHEREABOUTS_EXTENSIONS: [&str; 4] = [
    "residential-institute",
    "NominatedPharmacy",
    "PreferredDispenserOrganization",
    "MedicalApplianceSupplier",
];

/// That a person has died, and when, if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Died {
    /// The date of death.
    On(PartialDate),
    /// The date is not known.
    DateUnknown,
}

/// Who a patient is, as the directory shows them. Values are as the source wrote them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The family name, or the whole name where the source does not part it.
    pub family: Option<String>,
    /// The given names.
    pub given: Vec<String>,
    /// The title.
    pub title: Option<String>,
    /// The name by which the person likes to be called.
    pub preferred: Option<String>,
    /// The birth date.
    pub born: Option<PartialDate>,
    /// That the person has died.
    pub died: Option<Died>,
    /// The gender.
    pub gender: Option<String>,
    /// The NHS number: ten digits with a right check digit.
    pub nhs_number: Option<String>,
    /// How far the NHS number has been verified, in the source's words.
    pub nhs_status: Option<String>,
    /// Telephone numbers, mobile first.
    pub phones: Vec<String>,
    /// The lines of the address, without the postcode.
    pub address: Vec<String>,
    /// The postcode.
    pub postcode: Option<String>,
    /// The usual GP or practice.
    pub usual_gp: Option<String>,
    /// What must be noticed: [`FLAG_DECEASED`] and its fellows, in this order.
    pub flags: Vec<String>,
    /// Identifiers other than the NHS number.
    pub other_identifiers: Vec<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(..)")
    }
}

/// Says whether a resource is marked restricted, very restricted or sensitive.
///
/// Such a person's address, telephone numbers and contacts must not be kept: who holds a copy of the
/// practice's records must not be able to find them.
pub(super) fn is_sensitive(resource: Json<'_>) -> bool {
    let security = resource.path(&["meta", "security"]);
    let labels = resource.field("meta").and_then(|meta| meta.field("security")).or(security);
    labels.is_some_and(|labels| {
        labels
            .items()
            .into_iter()
            .any(|label| label.text_of("code").is_some_and(|code| matches!(code.as_ref(), "R" | "V" | "S")))
    })
}

/// Returns the resource without everything that tells where the person is.
pub(super) fn without_whereabouts(resource: Json<'_>) -> String {
    let extensions = resource.field("extension").map(extensions_without_whereabouts);
    let members = resource.members();
    let kept = members.iter().filter(|(key, _)| {
        let name = key.strip_prefix('_').unwrap_or(key);
        !WHEREABOUTS.contains(&name)
    });
    json::object(kept.map(|(key, value)| match (key.as_ref(), &extensions) {
        ("extension", Some(extensions)) => ("extension", extensions.as_str()),
        (key, _) => (key, value.text()),
    }))
}

fn extensions_without_whereabouts(extensions: Json<'_>) -> String {
    let tells = |extension: &Json<'_>| {
        let url = extension.text_of("url").unwrap_or_default();
        WHEREABOUTS_EXTENSIONS.iter().any(|end| url.ends_with(end))
    };
    let kept = extensions.items().into_iter().filter(|extension| !tells(extension));
    format!("[{}]", kept.map(|extension| extension.text()).collect::<Vec<_>>().join(","))
}

impl Person {
    /// Reads a Patient resource. `name_of` finds the name of what a reference means.
    pub(super) fn of(patient: Json<'_>, name_of: &dyn Fn(&str) -> Option<String>) -> Self {
        let [
            identifier,
            active,
            name,
            telecom,
            gender,
            birth_date,
            deceased,
            deceased_on,
            address,
            gp,
            communication,
        ] = patient.fields([
            "identifier",
            "active",
            "name",
            "telecom",
            "gender",
            "birthDate",
            "deceasedBoolean",
            "deceasedDateTime",
            "address",
            "generalPractitioner",
            "communication",
        ]);
        let mut person = Self {
            born: birth_date.and_then(Json::string).and_then(|date| PartialDate::of_date_time(&date)),
            gender: gender.and_then(text),
            usual_gp: gp.and_then(|gp| usual_gp(gp, name_of)),
            phones: telecom.map(phones).unwrap_or_default(),
            ..Self::default()
        };
        if let Some(date) = deceased_on.and_then(Json::string) {
            let on = PartialDate::of_date_time(&date);
            person.died = Some(on.map_or(Died::DateUnknown, Died::On));
        } else if deceased.is_some_and(Json::is_true) {
            person.died = Some(Died::DateUnknown);
        }
        person.take_names(name);
        person.take_identifiers(identifier);
        person.take_address(address);
        let flags = [
            (FLAG_DECEASED, person.died.is_some()),
            (FLAG_LEFT, active.is_some_and(|active| active.text() == "false")),
            (FLAG_SENSITIVE, is_sensitive(patient)),
            (FLAG_INTERPRETER, needs_interpreter(patient, communication)),
        ];
        let raised = flags.into_iter().filter(|(_, raised)| *raised);
        person.flags = raised.map(|(flag, _)| flag.to_owned()).collect();
        person
    }

    /// Raises the flag of a sensitive person, in its place.
    pub(super) fn flag_sensitive(&mut self) {
        if !self.flags.iter().any(|flag| flag == FLAG_SENSITIVE) {
            let before = |flag: &&String| matches!(flag.as_str(), FLAG_DECEASED | FLAG_LEFT);
            let place = self.flags.iter().take_while(before).count();
            self.flags.insert(place, FLAG_SENSITIVE.to_owned());
        }
    }

    fn take_names(&mut self, names: Option<Json<'_>>) {
        let mut ranked: Vec<(u8, Json<'_>)> = names
            .map(Json::items)
            .unwrap_or_default()
            .into_iter()
            .map(|name| (name_rank(name.text_of("use").as_deref()), name))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let nickname = ranked
            .iter()
            .map(|(_, name)| *name)
            .find(|name| name.text_of("use").as_deref() == Some("nickname"));
        self.preferred = nickname.and_then(|name| {
            name.field("given").and_then(Json::first).and_then(text).or_else(|| name_text(name))
        });
        let Some((_, name)) = ranked.first() else {
            return;
        };
        let [family, given, prefix, whole] = name.fields(["family", "given", "prefix", "text"]);
        self.family = family.and_then(Json::first).and_then(text);
        self.given = texts(given);
        self.title = texts(prefix).into_iter().next();
        if self.family.is_none() && self.given.is_empty() {
            self.family = whole.and_then(text);
        }
    }

    fn take_identifiers(&mut self, identifiers: Option<Json<'_>>) {
        for identifier in identifiers.map(Json::items).unwrap_or_default() {
            let [usage, system, value] = identifier.fields(["use", "system", "value"]);
            let Some(value) = value.and_then(Json::scalar) else {
                continue;
            };
            let system = system.and_then(Json::string).unwrap_or_default();
            let old = usage.and_then(Json::string).as_deref() == Some("old");
            let number = is_nhs_number_system(&system).then(|| nhs_number::parse(&value));
            match number {
                Some(Some(number)) if !old && self.nhs_number.is_none() => {
                    self.nhs_number = Some(number);
                    self.nhs_status = nhs_status(identifier);
                }
                _ => self.other_identifiers.extend(trimmed(&value)),
            }
        }
        self.other_identifiers.dedup();
    }

    fn take_address(&mut self, addresses: Option<Json<'_>>) {
        let mut ranked: Vec<(u8, Json<'_>)> = addresses
            .map(Json::items)
            .unwrap_or_default()
            .into_iter()
            .map(|address| {
                let rank = match address.text_of("use").as_deref() {
                    Some("home") => 0,
                    None => 1,
                    Some("temp") => 2,
                    Some("old") => 4,
                    Some(_) => 3,
                };
                (rank, address)
            })
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let Some((_, address)) = ranked.first() else {
            return;
        };
        let [line, city, district, state, postcode, whole] =
            address.fields(["line", "city", "district", "state", "postalCode", "text"]);
        self.address = texts(line);
        let places = [city, district, state];
        self.address.extend(places.into_iter().flatten().filter_map(text));
        self.postcode = postcode.and_then(text);
        if self.address.is_empty() {
            let whole = whole.and_then(text).unwrap_or_default();
            self.address = whole.split(['\n', ',']).filter_map(trimmed).collect();
        }
    }
}

fn trimmed(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

fn text(value: Json<'_>) -> Option<String> {
    trimmed(&value.string()?)
}

fn texts(values: Option<Json<'_>>) -> Vec<String> {
    let values = values.map(Json::items).unwrap_or_default();
    values.into_iter().filter_map(text).collect()
}

/// Returns a name, or the best of several, as one text.
pub(super) fn name_text(names: Json<'_>) -> Option<String> {
    let ranked = names.items().into_iter().min_by_key(|name| name_rank(name.text_of("use").as_deref()));
    let name = ranked?;
    let [family, given, prefix, whole] = name.fields(["family", "given", "prefix", "text"]);
    if let Some(whole) = whole.and_then(text) {
        return Some(whole);
    }
    let mut parts = texts(prefix);
    parts.extend(texts(given));
    parts.extend(family.and_then(Json::first).and_then(text));
    trimmed(&parts.join(" "))
}

fn phones(telecom: Json<'_>) -> Vec<String> {
    let mut ranked: Vec<(u8, String)> = telecom
        .items()
        .into_iter()
        .filter_map(|contact| {
            let [system, value, usage] = contact.fields(["system", "value", "use"]);
            let system = system.and_then(Json::string);
            if !matches!(system.as_deref(), Some("phone" | "sms")) {
                return None;
            }
            let rank = match usage.and_then(Json::string).as_deref() {
                Some("mobile") => 0,
                Some("home") => 1,
                Some("old") => return None,
                _ => 2,
            };
            let value = value?.scalar()?;
            Some((rank, trimmed(value.strip_prefix("tel:").unwrap_or(&value))?))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut phones: Vec<String> = Vec::new();
    for (_, phone) in ranked {
        if !phones.contains(&phone) {
            phones.push(phone);
        }
    }
    phones
}

/// Returns the usual GP's name, or else the practice's.
fn usual_gp(gp: Json<'_>, name_of: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut named: Vec<(bool, String)> = gp
        .items()
        .into_iter()
        .filter_map(|gp| {
            let [reference, display] = gp.fields(["reference", "display"]);
            let reference = reference.and_then(Json::string).unwrap_or_default();
            let name = display.and_then(text).or_else(|| name_of(&reference))?;
            Some((reference.contains("Organization/"), name))
        })
        .collect();
    named.sort_by_key(|(organisation, _)| *organisation);
    named.into_iter().next().map(|(_, name)| name)
}

fn nhs_status(identifier: Json<'_>) -> Option<String> {
    let extensions = identifier.field("extension")?;
    extensions.items().into_iter().find_map(|extension| {
        let [url, concept] = extension.fields(["url", "valueCodeableConcept"]);
        let about_status = url?.string()?.contains("NHSNumberVerificationStatus");
        let concept = concept.filter(|_| about_status)?;
        let display = concept
            .field("coding")
            .and_then(Json::first)
            .and_then(|coding| coding.field("display"))
            .and_then(text);
        display.or_else(|| codes::first_code(concept).map(|code| code.into_owned()))
    })
}

fn needs_interpreter(patient: Json<'_>, communication: Option<Json<'_>>) -> bool {
    let holders = communication.map(Json::items).unwrap_or_default();
    holders.into_iter().chain([patient]).any(|holder| {
        let extensions = holder.field("extension").map(Json::items).unwrap_or_default();
        extensions.into_iter().any(|extension| {
            let [url, value, inner] = extension.fields(["url", "valueBoolean", "extension"]);
            let url = url.and_then(Json::string).unwrap_or_default();
            let asked = url.ends_with("interpreterRequired") && value.is_some_and(Json::is_true);
            let inner = inner.map(Json::items).unwrap_or_default();
            asked
                || inner.into_iter().any(|inner| {
                    let [url, value] = inner.fields(["url", "valueBoolean"]);
                    url.and_then(Json::string).as_deref() == Some("interpreterRequired")
                        && value.is_some_and(Json::is_true)
                })
        })
    })
}
