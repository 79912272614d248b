//! Resources in a few words: names of people and places, and what an item of a consultation says.

use lifeboat_clinical::PartialDate;
use serde_json::Value;

use super::response::{Entry, Response};
use super::translation::is_confidential;
use super::value::{codings, extension, items, items_of, scalar, text, value_of};

/// Codes that say that an entry lost its code when the record was transferred from another system.
const DEGRADED: [&str; 7] = [
    "196401000000100",
    "196411000000103",
    "196421000000109",
    "196431000000106",
    "196451000000104",
    "196461000000101",
    "196471000000108",
];

/// The code of a note without any other code.
pub(super) const COMMENT_NOTE: &str = "37331000000100";

/// How deep names of names are followed.
const NAMES_DEPTH_MAX: u32 = 4;

/// Says whether a concept lost its code when the record was transferred.
pub(super) fn is_degraded(concept: &Value) -> bool {
    codings(concept).any(is_degraded_coding)
}

fn is_degraded_coding(coding: &Value) -> bool {
    text(coding, "code").is_some_and(|code| DEGRADED.contains(&code))
        || text(coding, "display").is_some_and(|display| display.starts_with("Transfer-degraded"))
}

/// Returns the words that the source's user chose for a concept.
///
/// Its text; else the term of the code that the user chose; else the synonym that the user chose for the
/// SNOMED CT code; else any term, one that says more than that the code was lost before others.
pub(super) fn concept(concept: &Value) -> Option<String> {
    if let Some(text) = concept.as_str().or_else(|| text(concept, "text")) {
        return Some(text.to_owned());
    }
    let told: Vec<&Value> =
        items_of(concept, "coding").iter().filter(|coding| !is_degraded_coding(coding)).collect();
    let chosen = told.iter().find(|coding| coding.get("userSelected") == Some(&Value::Bool(true)));
    let by_user = chosen.and_then(|coding| text(coding, "display"));
    let synonym = || told.iter().find_map(|coding| synonym(coding));
    let term = || told.iter().find_map(|coding| text(coding, "display"));
    let any = || items_of(concept, "coding").iter().find_map(|coding| text(coding, "display"));
    let code = || items_of(concept, "coding").iter().find_map(|coding| text(coding, "code"));
    by_user.or_else(synonym).or_else(term).or_else(any).or_else(code).map(str::to_owned)
}

/// Returns the synonym of a SNOMED CT code that the source's user chose.
fn synonym(coding: &Value) -> Option<&str> {
    let chosen = extension(coding, "Extension-coding-sctdes")?;
    let display = items_of(chosen, "extension")
        .iter()
        .find(|part| text(part, "url").is_some_and(|url| url.eq_ignore_ascii_case("descriptionDisplay")))?;
    text(display, "valueString")
}

/// Returns the name of a person, a place or a product.
pub(super) fn name(response: &Response, at: usize) -> Option<String> {
    name_within(response, at, NAMES_DEPTH_MAX)
}

fn name_within(response: &Response, at: usize, depth: u32) -> Option<String> {
    let entry = response.entries.get(at).filter(|_| depth > 0)?;
    let resource = &entry.resource;
    let of = |member: &str| {
        let (at, _) = response.target(resource.get(member)?, at)?;
        name_within(response, at, depth - 1)
    };
    let display =
        |member: &str| resource.get(member).and_then(|value| text(value, "display")).map(str::to_owned);
    match entry.kind.as_str() {
        "Practitioner" | "Patient" | "RelatedPerson" => {
            items_of(resource, "name").iter().find_map(human_name)
        }
        "PractitionerRole" => of("practitioner")
            .or_else(|| display("practitioner"))
            .or_else(|| items_of(resource, "code").iter().find_map(concept))
            .or_else(|| of("organization")),
        "Medication" => resource.get("code").and_then(concept),
        _ => text(resource, "name").or_else(|| text(resource, "description")).map(str::to_owned),
    }
}

fn human_name(name: &Value) -> Option<String> {
    if let Some(text) = text(name, "text") {
        return Some(text.to_owned());
    }
    let parts = ["prefix", "given", "family"].into_iter().flat_map(|part| items_of(name, part));
    let parts: Vec<&str> =
        parts.filter_map(Value::as_str).map(str::trim).filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Returns the name of the medicine that a resource at `from` is about.
pub(super) fn medicine(response: &Response, resource: &Value, from: usize) -> Option<String> {
    if let Some(concept) = resource.get("medicationCodeableConcept") {
        return self::concept(concept);
    }
    let reference = resource.get("medicationReference")?;
    let named = response.target(reference, from).and_then(|(at, _)| name(response, at));
    named.or_else(|| text(reference, "display").map(str::to_owned))
}

/// Returns an item in a few words: what it is, its value, and what was written beside it.
pub(super) fn item(response: &Response, at: usize) -> Option<String> {
    let Entry { kind, resource, .. } = response.entries.get(at)?;
    if is_confidential(resource) {
        return Some("(an item that is marked as confidential)".to_owned());
    }
    let code = || resource.get("code").and_then(concept);
    let first = |member: &str| items_of(resource, member).iter().find_map(concept);
    let words = |parts: Vec<Option<String>>| {
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" \u{2013} "))
    };
    match kind.as_str() {
        "Observation" => words(vec![
            code().filter(|_| !is_comment_note(resource)),
            value(resource),
            text(resource, "comment").map(str::to_owned),
        ]),
        "MedicationRequest" | "MedicationStatement" => {
            let doses = ["dosageInstruction", "dosage"].into_iter().flat_map(|name| items_of(resource, name));
            let dose = doses.filter_map(|dose| text(dose, "text")).next();
            words(vec![medicine(response, resource, at), dose.map(str::to_owned)])
        }
        "Immunization" => {
            let procedure = extension(resource, "VaccinationProcedure").and_then(value_of);
            let procedure = procedure.and_then(|(_, procedure)| concept(procedure));
            procedure.or_else(|| first("vaccineCode"))
        }
        "ReferralRequest" => words(vec![
            first("serviceRequested").or_else(|| first("reasonCode")),
            text(resource, "description").map(str::to_owned),
        ]),
        "DiagnosticReport" => words(vec![code(), text(resource, "conclusion").map(str::to_owned)]),
        "DocumentReference" => {
            let description = text(resource, "description").map(str::to_owned);
            description.or_else(|| first("type"))
        }
        "Encounter" => first("type"),
        "QuestionnaireResponse" => Some("Questionnaire".to_owned()),
        _ => code().or_else(|| first("type")),
    }
}

/// Says whether an observation is a note and nothing else: no value, no code but that of notes.
pub(super) fn is_comment_note(observation: &Value) -> bool {
    let code = observation.get("code").unwrap_or(&Value::Null);
    super::value::has_code(code, COMMENT_NOTE) && text(code, "text").is_none()
}

/// Returns a value and those of the components.
fn value(observation: &Value) -> Option<String> {
    let own = value_of(observation).and_then(|(kind, value)| typed(kind, value));
    let components = items_of(observation, "component").iter().filter_map(|component| {
        let name = component.get("code").and_then(concept);
        let value = value_of(component).and_then(|(kind, value)| typed(kind, value));
        Some(format!("{}: {}", name?, value?))
    });
    let values: Vec<String> = own.into_iter().chain(components).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn typed(kind: &str, value: &Value) -> Option<String> {
    match kind {
        "Quantity" => quantity(value),
        "CodeableConcept" => concept(value),
        "DateTime" | "Date" => value.as_str().map(day),
        _ => scalar(value),
    }
}

/// Returns a quantity as the source wrote it: its text, or number and unit.
pub(super) fn quantity(quantity: &Value) -> Option<String> {
    let number = quantity.get("value").and_then(scalar);
    let comparator = text(quantity, "comparator").unwrap_or_default();
    let number = number.map(|number| match text(quantity, "unit") {
        Some(unit) => format!("{comparator}{number} {unit}"),
        None => format!("{comparator}{number}"),
    });
    let written = extension(quantity, "QuantityText").and_then(|found| text(found, "valueString"));
    match (number, written) {
        (Some(number), Some(written)) if !number.starts_with(written) => {
            Some(format!("{number} ({written})"))
        }
        (Some(number), _) => Some(number),
        (None, written) => written.map(str::to_owned),
    }
}

/// Returns a date as clinicians write it; what is no date stays as it is.
pub(super) fn day(date: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Some(known) = PartialDate::of_date_time(date) else { return date.to_owned() };
    let month = known.month().and_then(|month| MONTHS.get(usize::try_from(month).ok()?.checked_sub(1)?));
    match (month, known.day()) {
        (Some(month), Some(day)) => format!("{day:02}-{month}-{:04}", known.year()),
        (Some(month), None) => format!("{month}-{:04}", known.year()),
        (None, _) => format!("{:04}", known.year()),
    }
}

/// Returns the texts of a resource's notes.
pub(super) fn notes(resource: &Value) -> impl Iterator<Item = &str> {
    items(resource.get("note").unwrap_or(&Value::Null)).iter().filter_map(|note| text(note, "text"))
}

#[cfg(test)]
mod tests {
    use super::{concept, day, quantity};
    use serde_json::json;

    #[test]
    fn the_words_of_a_concept_are_those_that_the_user_chose() {
        let synonym = json!([{"url": "https://x/Extension-coding-sctdescid", "extension": [
            {"url": "descriptionDisplay", "valueString": "Heart attack"}]}]);
        let cases = [
            (json!({"text": "own words", "coding": [{"display": "term"}]}), "own words"),
            (json!({"coding": [{"display": "term"}, {"display": "chosen", "userSelected": true}]}), "chosen"),
            (json!({"coding": [{"display": "Myocardial infarction", "extension": synonym}]}), "Heart attack"),
            (
                json!({"coding": [{"code": "196411000000103", "display": "Transfer-degraded record entry"},
                {"code": "H/O", "display": "Keeps pets"}]}),
                "Keeps pets",
            ),
            (
                json!({"coding": [{"code": "196411000000103", "display": "Transfer-degraded record entry"}]}),
                "Transfer-degraded record entry",
            ),
            (json!({"coding": [{"code": "abc"}]}), "abc"),
        ];
        for (value, expected) in cases {
            assert_eq!(concept(&value).as_deref(), Some(expected));
        }
        assert_eq!(concept(&json!(7)), None);
    }

    #[test]
    fn quantities_and_dates_stay_what_they_were() {
        let written = json!([{"url": "https://x/Extension-CareConnect-GPC-MedicationQuantityText-1", "valueString": "5 pens"}]);
        let five: serde_json::Value =
            serde_json::from_str(r#"{"value":5.10,"unit":"ml","comparator":"<"}"#).expect("JSON");
        assert_eq!(quantity(&five).as_deref(), Some("<5.10 ml"));
        assert_eq!(quantity(&json!({"extension": written})).as_deref(), Some("5 pens"));
        for (date, shown) in [
            ("2019-03-28T10:00:00Z", "28-Mar-2019"),
            ("2019-03", "Mar-2019"),
            ("2019", "2019"),
            ("soon", "soon"),
        ] {
            assert_eq!(day(date), shown);
        }
    }
}
