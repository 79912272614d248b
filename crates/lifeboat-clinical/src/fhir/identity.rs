//! Who a Patient resource is about: the stable text that becomes the name of the record.
//!
//! A [`PatientName`] must be the same whenever the same person is met, in any file and any order, and
//! must never be the same for two persons, even where sources number their patients from 1 or call
//! every one `example`. It is made of a *basis* and of *who*, joined by `|`:
//!
//! * The basis is the first of these that the resource has:
//!   1. `nhs:` and the NHS number, if its check digit is right (the least, should there be several);
//!   2. `id:`, system and value of an identifier that is neither old nor temporary (the least);
//!   3. `res:` and the resource's id;
//!   4. `sha:` and the content hash (see below).
//! * *Who* is the birth date, the folded family name and the first folded given name. The name is the
//!   official one, else the usual one, else the first that is not old. Folding drops case, accents
//!   and everything that is neither letter nor digit.
//!
//! So a shared id or identifier, or twins under one NHS number, give different names. Where birth date
//! or name are missing, an identifier or an id alone does not tell persons apart: the content hash is
//! added. It is the first half of the SHA-256 of the resource without its `meta` and `text`, in hex.
//! A valid NHS number without them stands alone.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::reference::by_identifier;
use crate::json::{Json, compact};
use crate::nhs_number::{self, NHS_NUMBER_OID, NHS_NUMBER_SYSTEM};

/// The stable identity text of one person, from which the record's name is made.
///
/// It holds personal data and shows nothing of it in `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatientName(Arc<str>);

impl PatientName {
    /// Takes back a name that was made by this crate and kept.
    pub fn from_kept(text: String) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for PatientName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PatientName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_kept)
    }
}

impl fmt::Debug for PatientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientName(..)")
    }
}

/// Says that a reference which loose resources may use means this person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// `Patient/123` or `Patient?identifier=system|value`.
    pub reference: String,
    /// The person whom it means.
    pub name: PatientName,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim(..)")
    }
}

/// Says whether an identifier's system is that of NHS numbers.
pub(crate) fn is_nhs_number_system(system: &str) -> bool {
    system == NHS_NUMBER_SYSTEM
        || system.strip_prefix("urn:oid:").unwrap_or(system).eq(NHS_NUMBER_OID)
        || system.eq_ignore_ascii_case("http://fhir.nhs.net/Id/nhs-number")
}

/// One name of a patient, with what ranks it.
struct Name {
    family: String,
    given: String,
}

/// Returns the person's name and the references that mean them.
pub(crate) fn identify(patient: Json<'_>) -> (PatientName, Vec<Claim>) {
    let [id, identifier, name, birth_date] = patient.fields(["id", "identifier", "name", "birthDate"]);
    let id = id.and_then(Json::scalar);
    let identifiers = identifiers(identifier);
    let nhs = identifiers
        .iter()
        .filter(|(system, _)| is_nhs_number_system(system))
        .filter_map(|(_, value)| nhs_number::parse(value))
        .min();
    let other = identifiers.iter().filter(|(system, _)| !is_nhs_number_system(system)).min();
    let born = birth_date.and_then(Json::string).unwrap_or_default();
    let named = name.and_then(best_name);
    let who_is_known = !born.is_empty() && named.is_some();

    let (basis, stands_alone) = match (&nhs, other, &id) {
        (Some(nhs), _, _) => (format!("nhs:{nhs}"), true),
        (None, Some((system, value)), _) => (format!("id:{system}|{value}"), who_is_known),
        (None, None, Some(id)) => (format!("res:{id}"), who_is_known),
        (None, None, None) => ("sha:".to_owned(), false),
    };
    let (family, given) = named.map_or_else(Default::default, |name| (name.family, name.given));
    let mut text = format!("{basis}|{}|{family}|{given}", born.trim());
    if !stands_alone {
        text.push('|');
        text.push_str(&content_hash(patient));
    }
    let name = PatientName(text.into());

    let by_id = id.map(|id| format!("Patient/{id}"));
    let by_nhs = nhs.map(|nhs| by_identifier(NHS_NUMBER_SYSTEM, &nhs));
    let claims =
        by_id.into_iter().chain(by_nhs).map(|reference| Claim { reference, name: name.clone() }).collect();
    (name, claims)
}

/// Returns system and value of each identifier in use.
fn identifiers(identifier: Option<Json<'_>>) -> Vec<(String, String)> {
    let Some(identifier) = identifier else {
        return Vec::new();
    };
    identifier
        .items()
        .into_iter()
        .filter_map(|identifier| {
            let [usage, system, value] = identifier.fields(["use", "system", "value"]);
            let usage = usage.and_then(Json::string).unwrap_or_default();
            if matches!(usage.as_ref(), "old" | "temp") {
                return None;
            }
            let system = system?.string()?.trim().to_owned();
            let value = value?.scalar()?.trim().to_owned();
            (!system.is_empty() && !value.is_empty()).then_some((system, value))
        })
        .collect()
}

/// Says how good a name of this use is to know a person by; less is better.
pub(crate) fn name_rank(usage: Option<&str>) -> u8 {
    match usage {
        Some("official") => 0,
        Some("usual") => 1,
        Some("old" | "maiden") => 4,
        Some("temp" | "anonymous" | "nickname") => 3,
        _ => 2,
    }
}

fn best_name(names: Json<'_>) -> Option<Name> {
    names
        .items()
        .into_iter()
        .map(|name| {
            let [usage, family, given, text] = name.fields(["use", "family", "given", "text"]);
            let rank = name_rank(usage.and_then(Json::string).as_deref());
            let family = family.and_then(first_text);
            let given = given.and_then(first_text).unwrap_or_default();
            let given = given.split_whitespace().next().unwrap_or_default();
            let text = || text.and_then(Json::string).unwrap_or_default().into_owned();
            let family = match family {
                None if given.is_empty() => text(),
                family => family.unwrap_or_default(),
            };
            let name = Name { family: fold(&family), given: fold(given) };
            (rank, name)
        })
        .filter(|(_, name)| !(name.family.is_empty() && name.given.is_empty()))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, name)| name)
}

/// Returns the text of a string, or of the first string of an array.
fn first_text(value: Json<'_>) -> Option<String> {
    Some(value.first()?.string()?.into_owned())
}

/// Drops case, accents and everything that is neither letter nor digit.
pub(crate) fn fold(text: &str) -> String {
    text.nfkd()
        .filter(|character| !is_combining_mark(*character) && character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn content_hash(patient: Json<'_>) -> String {
    let mut hash = Sha256::new();
    for (key, value) in patient.members() {
        if !matches!(key.as_ref(), "meta" | "text") {
            hash.update(key.as_bytes());
            hash.update([0]);
            hash.update(compact(value).as_bytes());
            hash.update([0]);
        }
    }
    hex(&hash.finalize()[..16])
}

/// Writes bytes as lowercase hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(patient: &str) -> String {
        let patient = Json::parse(patient).expect("the test's own JSON");
        identify(patient).0.as_str().to_owned()
    }

    #[test]
    fn the_name_follows_the_rule() {
        let cases = [
            (
                r#"{"id":"1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018"}],"birthDate":"1980-02-01","name":[{"family":"Ó Brien-Smith","given":["Zoë Ann"]}]}"#,
                "nhs:9990000018|1980-02-01|obriensmith|zoe",
            ),
            (
                r#"{"identifier":[{"system":"urn:oid:2.16.840.1.113883.2.1.4.1","value":9990000018}]}"#,
                "nhs:9990000018|||",
            ),
            (
                r#"{"id":"1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000019"},{"system":"b","value":"2"},{"system":"a","value":"3"},{"use":"old","system":"a","value":"1"}],"birthDate":"1980","name":{"family":"X"}}"#,
                "id:a|3|1980|x|",
            ),
            (
                r#"{"id":"1","birthDate":"1980","name":[{"use":"old","family":"A"},{"use":"usual","family":"B"},{"use":"official","given":["C"]}]}"#,
                "res:1|1980||c",
            ),
            (r#"{"id":"1","birthDate":"1980","name":[{"text":"Dr A. B"}]}"#, "res:1|1980|drab|"),
        ];
        for (patient, expected) in cases {
            assert_eq!(name(patient), expected, "{patient}");
        }
    }

    #[test]
    fn patients_that_share_an_id_are_told_apart() {
        let one = name(r#"{"id":"example","birthDate":"1980-02-01","name":[{"family":"A"}]}"#);
        let two = name(r#"{"id":"example","birthDate":"1980-02-02","name":[{"family":"A"}]}"#);
        let three = name(r#"{"id":"example","birthDate":"1980-02-01","name":[{"family":"B"}]}"#);
        assert_ne!(one, two);
        assert_ne!(one, three);
        let nameless = |gender: &str| name(&format!(r#"{{"id":"1","gender":"{gender}"}}"#));
        assert_ne!(nameless("male"), nameless("female"));
    }

    #[test]
    fn twins_under_one_nhs_number_are_told_apart() {
        let twin = |given: &str| {
            name(&format!(
                r#"{{"identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}}],"birthDate":"2020-01-01","name":[{{"family":"A","given":["{given}"]}}]}}"#
            ))
        };
        assert_ne!(twin("Ann"), twin("Bea"));
        assert_eq!(twin("Ann"), twin("ANN"));
    }

    #[test]
    fn one_person_has_one_name_in_every_document() {
        let one = r#"{"id":"a","meta":{"versionId":"1"},"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}],"birthDate":"1980-02-01","name":[{"family":"Smith","given":["Jo"]}]}"#;
        let two = r#"{ "name": [ { "given": ["Jo"], "family": "SMITH" } ], "id":"b", "birthDate":"1980-02-01", "identifier":[{"system":"x","value":"7"},{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018"}]}"#;
        assert_eq!(name(one), name(two));
        let nothing = r#"{"resourceType":"Patient","gender":"male"}"#;
        let restamped = r#"{ "resourceType": "Patient", "meta":{"versionId":"2"}, "gender": "male" }"#;
        assert_eq!(name(nothing), name(restamped));
        assert!(name(nothing).starts_with("sha:|||"));
    }

    #[test]
    fn claims_name_the_references_that_loose_resources_use() {
        let patient = Json::parse(
            r#"{"id":"7","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}]}"#,
        )
        .expect("the test's own JSON");
        let (name, claims) = identify(patient);
        let references: Vec<_> = claims.iter().map(|claim| claim.reference.as_str()).collect();
        assert_eq!(
            references,
            ["Patient/7", "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018"]
        );
        assert!(claims.iter().all(|claim| claim.name == name));
        assert_eq!(format!("{name:?} {:?}", claims[0]), "PatientName(..) Claim(..)");
    }
}
