//! References between resources, in the forms that sources write them.

use std::borrow::Cow;

use crate::json::Json;
use crate::nhs_number::NHS_NUMBER_SYSTEM;

/// Returns the type and id that a relative or absolute reference names: `Patient/1`,
/// `https://example.org/fhir/Patient/1/_history/3`.
pub(crate) fn type_and_id(reference: &str) -> Option<(&str, &str)> {
    let reference = reference.split("/_history/").next()?;
    if reference.contains(['?', '#']) {
        return None;
    }
    let (before, id) = reference.rsplit_once('/')?;
    let kind = before.rsplit('/').next()?;
    let named = kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
    (named && !id.is_empty()).then_some((kind, id))
}

/// Returns `Type/id` for a reference that names both.
pub(crate) fn type_slash_id(reference: &str) -> Option<Cow<'_, str>> {
    let (kind, id) = type_and_id(reference)?;
    if reference.len() == kind.len() + 1 + id.len() {
        return Some(Cow::Borrowed(reference));
    }
    Some(Cow::Owned(format!("{kind}/{id}")))
}

/// Returns the last part of a reference or URL: the id, or what follows `urn:uuid:`.
pub(crate) fn tail(reference: &str) -> &str {
    match type_and_id(reference) {
        Some((_, id)) => id,
        None => reference.rsplit(['/', ':']).next().unwrap_or(reference),
    }
}

/// Says whether a reference has a meaning only inside its own Bundle.
pub(crate) fn is_urn(reference: &str) -> bool {
    reference.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}

/// A reference that may point to a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PatientReference<'a> {
    /// `urn:…`, which names an entry of the same Bundle, of whatever type.
    Urn(Cow<'a, str>),
    /// `…/Patient/id`.
    Server(Cow<'a, str>),
    /// By an identifier, written as the search `Patient?identifier=system|value`.
    Identifier(String),
}

/// Reads the FHIR Reference `value`; `None` when it cannot mean a patient.
pub(crate) fn patient_reference(value: Json<'_>) -> Option<PatientReference<'_>> {
    if !value.is_object() {
        return None;
    }
    let [reference, identifier, kind] = value.fields(["reference", "identifier", "type"]);
    if let Some(text) = reference.and_then(Json::string) {
        if is_urn(&text) {
            return Some(PatientReference::Urn(text));
        }
        if let Some((kind, _)) = type_and_id(&text) {
            return (kind == "Patient").then_some(PatientReference::Server(text));
        }
        let (_, search) = text.split_once("Patient?")?;
        let search = search.replace("%7C", "|").replace("%7c", "|");
        return search
            .starts_with("identifier=")
            .then(|| PatientReference::Identifier(format!("Patient?{search}")));
    }
    let identifier = identifier?;
    let system = identifier.text_of("system")?;
    let says_patient = kind.and_then(Json::string).as_deref() == Some("Patient");
    let number = identifier.text_of("value")?;
    (says_patient || system == NHS_NUMBER_SYSTEM)
        .then(|| PatientReference::Identifier(by_identifier(&system, &number)))
}

/// Writes the reference to a patient by an identifier.
pub(crate) fn by_identifier(system: &str, value: &str) -> String {
    let value: String = value.split_whitespace().collect();
    format!("Patient?identifier={system}|{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_ids_are_found_in_every_form() {
        let cases = [
            ("Patient/1", Some("Patient/1"), "1"),
            ("https://example.org/fhir/Patient/1/_history/2", Some("Patient/1"), "1"),
            ("urn:uuid:0af1", None, "0af1"),
            ("urn:oid:1.2.3", None, "1.2.3"),
            ("Patient?identifier=a|b", None, "Patient?identifier=a|b"),
            ("#contained", None, "#contained"),
            ("Patient/", None, ""),
            ("", None, ""),
        ];
        for (reference, expected, last) in cases {
            assert_eq!(type_slash_id(reference).as_deref(), expected, "{reference}");
            assert_eq!(tail(reference), last, "{reference}");
        }
    }

    #[test]
    fn references_to_patients_are_told_from_others() {
        let cases = [
            (r#"{"reference":"Patient/1"}"#, Some(PatientReference::Server("Patient/1".into()))),
            (r#"{"reference":"urn:uuid:1"}"#, Some(PatientReference::Urn("urn:uuid:1".into()))),
            (r#"{"reference":"Group/1"}"#, None),
            (r##"{"reference":"#p"}"##, None),
            (
                r#"{"reference":"Patient?identifier=s%7C1"}"#,
                Some(PatientReference::Identifier("Patient?identifier=s|1".into())),
            ),
            (
                r#"{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018"}}"#,
                Some(PatientReference::Identifier(
                    "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018".into(),
                )),
            ),
            (r#"{"identifier":{"system":"s","value":"1"}}"#, None),
            (r#"{"display":"somebody"}"#, None),
            (r#""Patient/1""#, None),
        ];
        for (text, expected) in cases {
            let value = Json::parse(text).expect("the test's own JSON");
            assert_eq!(patient_reference(value), expected, "{text}");
        }
    }
}
