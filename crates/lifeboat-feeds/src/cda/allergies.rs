//! Allergies of a C-CDA document.
//!
//! An allergy is an observation inside a concern; its value says what kind it is, a participant what
//! substance, and observations that hang on it which reactions, how severe, how critical and whether it still holds. A
//! negated statement about everything of a kind is "no known allergy" of that kind; about one substance it is refuted.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::translation::{Translation, is_negated, observed, observed_code, related};
use super::xml::Element;
use crate::r4;

/// Substances that are no substance in particular.
const ANY_SUBSTANCE: &[&str] =
    &["105590001", "410942007", "373873005", "762766007", "419199007", "416098002"];
/// Codes that say by themselves that no allergy is known.
const NONE_KNOWN: &[&str] =
    &["716186003", "160244002", "409137002", "429625007", "428607008", "1003774007", "428197003"];

/// Makes items of an allergy concern, or of an allergy without one.
pub(super) fn map(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    match entry.name() {
        "observation" => allergy(translation, entry, None),
        "act" => {
            let observations: Vec<&Element> =
                related(entry).filter(|element| element.name() == "observation").collect();
            let mut found = None;
            for observation in observations {
                found = allergy(translation, observation, Some(entry)).or(found);
            }
            found
        }
        _ => None,
    }
}

/// Adds an allergy that the source has in words only.
pub(super) fn in_words(translation: &mut Translation<'_>, words: &str) {
    let item = json!({
        "resourceType": "AllergyIntolerance",
        "patient": translation.document.subject(),
        "code": {"text": words}
    });
    translation.item(Some(SectionId::Allergies), None, item);
}

fn allergy(translation: &mut Translation<'_>, entry: &Element, concern: Option<&Element>) -> Option<()> {
    let value = entry.child("value");
    let kind = value.and_then(|value| value.attribute("code")).unwrap_or_default();
    let substance = entry
        .all("participant")
        .filter_map(|participant| participant.path(&["participantRole", "playingEntity"]))
        .next();
    let code = code(translation, entry, value, substance, kind);
    let when = translation.when(entry.child("effectiveTime"));
    let concern_when = translation.when(concern.and_then(|concern| concern.child("effectiveTime")));
    let (author, written) = translation.author(entry);
    let (concern_author, concern_written) = match concern {
        Some(concern) => translation.author(concern),
        None => (None, None),
    };
    let mut notes = translation.comments(entry);
    notes.extend(concern.map(|concern| translation.comments(concern)).unwrap_or_default());
    let is_refuted = is_negated(entry) && code.names_one;
    let item = json!({
        "resourceType": "AllergyIntolerance",
        "patient": translation.document.subject(),
        "clinicalStatus": clinical_status(entry, concern, &when),
        "verificationStatus": verification(entry, concern, is_refuted),
        "type": allergy_type(kind),
        "category": category(kind).into_iter().collect::<Vec<_>>(),
        "criticality": criticality(entry),
        "code": code.concept,
        "onsetDateTime": when.start(),
        "recordedDate": written.or(concern_written).or(concern_when.low),
        "recorder": author.or(concern_author),
        "reaction": reactions(translation, entry),
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str()))),
        "extension": ended(&when.high)
    });
    translation.item(Some(SectionId::Allergies), Some(entry), item);
    Some(())
}

/// Says when an allergy ended, in the way in which GP systems do.
fn ended(high: &Option<String>) -> Value {
    match high {
        Some(high) => json!([{
            "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-AllergyIntoleranceEnd-1",
            "extension": [{"url": "endDate", "valueDateTime": high}]
        }]),
        None => Value::Null,
    }
}

/// What an allergy is to.
struct Code {
    concept: Value,
    /// Whether it names a substance, rather than everything of a kind.
    names_one: bool,
}

fn code(
    translation: &Translation<'_>,
    entry: &Element,
    value: Option<&Element>,
    substance: Option<&Element>,
    kind: &str,
) -> Code {
    let words = || {
        let own = translation.words(entry.child("text"));
        own.or_else(|| translation.words(value.and_then(|value| value.child("originalText"))))
    };
    if NONE_KNOWN.contains(&kind) {
        let concept = translation.concept(value).unwrap_or(Value::Null);
        return Code { concept, names_one: false };
    }
    let substance_code = substance.and_then(|substance| substance.child("code"));
    let name = substance
        .and_then(|substance| substance.child("name"))
        .and_then(|name| translation.words(Some(name)));
    let is_any = substance_code
        .and_then(|code| code.attribute("code"))
        .is_none_or(|code| ANY_SUBSTANCE.contains(&code));
    let named = translation.concept(substance_code);
    if is_negated(entry) && is_any && name.is_none() && none_of(kind).is_some() {
        let (code, display) = none_of(kind).unwrap_or_default();
        let coding = r4::coding(r4::SNOMED, code, Some(display));
        // The source's own words stay: they may name an exception.
        return Code { concept: r4::concept(vec![coding], words().as_deref()), names_one: false };
    }
    let mut concept = named.unwrap_or_else(|| json!({"coding": []}));
    if let Some(name) =
        name.filter(|_| concept["text"].is_null() || concept["coding"].as_array().is_none_or(Vec::is_empty))
    {
        concept["text"] = json!(name);
    }
    let says_nothing =
        |concept: &Value| concept["text"].is_null() && concept["coding"].as_array().is_none_or(Vec::is_empty);
    if says_nothing(&concept) {
        // Without a substance, the kind of allergy or the words of the entry are what is known.
        let kind = translation.concept(value);
        concept = match (kind, words()) {
            (Some(mut kind), Some(words)) => {
                kind["text"] = json!(words);
                kind
            }
            (Some(kind), None) => kind,
            (None, Some(words)) => json!({"text": words}),
            (None, None) => Value::Null,
        };
    }
    Code { concept, names_one: true }
}

/// Returns the statement that no allergy of a kind is known.
fn none_of(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "419199007" | "420134006" | "418038007" | "106190000" | "609328004" | "" => {
            ("716186003", "No known allergy")
        }
        "416098002" | "419511003" | "59037007" | "609433001" => ("409137002", "No known drug allergy"),
        "414285001" | "418471000" | "235719002" => ("429625007", "No known food allergy"),
        "426232007" | "232347008" => ("428607008", "No known environmental allergy"),
        _ => return None,
    })
}

fn allergy_type(kind: &str) -> Option<&'static str> {
    match kind {
        "59037007" | "235719002" => Some("intolerance"),
        "419199007" | "416098002" | "414285001" | "426232007" | "232347008" => Some("allergy"),
        _ => None,
    }
}

fn category(kind: &str) -> Option<&'static str> {
    match kind {
        "416098002" | "419511003" | "59037007" => Some("medication"),
        "414285001" | "418471000" | "235719002" => Some("food"),
        "426232007" | "232347008" => Some("environment"),
        _ => None,
    }
}

/// Returns whether the allergy holds: by its own status, or by a date on which it ended.
fn clinical_status(entry: &Element, concern: Option<&Element>, when: &super::translation::When) -> Value {
    const STATUS: &[&str] = &["33999-4"];
    let of_concern = concern.and_then(|concern| observed_code(concern, STATUS));
    let code = match observed_code(entry, STATUS).or(of_concern) {
        Some("413322009") => "resolved",
        Some("73425007") => "inactive",
        _ if when.high.is_some() || when.has_unknown_end => "resolved",
        _ => "active",
    };
    r4::hl7("allergyintolerance-clinical", code)
}

fn verification(entry: &Element, concern: Option<&Element>, is_refuted: bool) -> Value {
    let status =
        |entry: &Element| entry.child("statusCode").is_some_and(|status| status.is("code", "nullified"));
    let is_void = status(entry) || concern.is_some_and(status);
    let code = match (is_void, is_refuted) {
        (true, _) => "entered-in-error",
        (false, true) => "refuted",
        (false, false) => return Value::Null,
    };
    r4::hl7("allergyintolerance-verification", code)
}

fn criticality(entry: &Element) -> Option<&'static str> {
    match observed_code(entry, &["82606-5"])? {
        "CRITH" => Some("high"),
        "CRITL" => Some("low"),
        _ => Some("unable-to-assess"),
    }
}

fn reactions(translation: &mut Translation<'_>, entry: &Element) -> Vec<Value> {
    let mut reactions = Vec::new();
    let overall = severity(entry);
    for relation in entry.all("entryRelationship").filter(|relation| relation.is("typeCode", "MFST")) {
        for observation in relation.all("observation") {
            let manifestation = translation.concept(observation.child("value"));
            let words = translation.words(observation.child("text")).filter(|_| manifestation.is_none());
            let when = translation.when(observation.child("effectiveTime"));
            let severity = severity(observation).or_else(|| overall.clone());
            let written = severity.as_ref().and_then(|(_, written)| written.clone());
            reactions.push(json!({
                "manifestation": manifestation.into_iter().collect::<Vec<_>>(),
                "description": words,
                "severity": severity.and_then(|(severity, _)| severity),
                "onset": when.start(),
                "note": r4::notes([written.as_deref()])
            }));
        }
    }
    if reactions.is_empty()
        && let Some((severity, written)) = overall
    {
        reactions.push(json!({"severity": severity, "note": r4::notes([written.as_deref()])}));
    }
    reactions
}

/// Returns the severity that hangs on a statement; one that FHIR has no word for as written.
fn severity(entry: &Element) -> Option<(Option<&'static str>, Option<String>)> {
    let value = observed(entry, &["SEV"]).find_map(|observation| observation.child("value"))?;
    let written = || value.attribute("displayName").map(|written| format!("Severity: {written}"));
    Some(match value.attribute("code") {
        Some("255604002") => (Some("mild"), None),
        Some("6736007") => (Some("moderate"), None),
        Some("24484000") => (Some("severe"), None),
        Some("371923003") => (Some("mild"), written()),
        Some("371924009") => (Some("moderate"), written()),
        Some("399166001" | "442452003") => (Some("severe"), written()),
        _ => (None, written()),
    })
}
