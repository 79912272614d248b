//! Problems of a C-CDA document.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::translation::{Translation, When, is_negated, observed, observed_code, related};
use super::xml::Element;
use crate::r4;

/// Values that are no problem in particular.
const ANY_PROBLEM: &[&str] = &["55607006", "64572001", "404684003", "418799008"];

/// Makes items of a problem concern, or of a problem without one.
pub(super) fn map(translation: &mut Translation<'_>, entry: &Element, section: SectionId) -> Option<()> {
    match entry.name() {
        "observation" => problem(translation, entry, None, section),
        "act" => {
            let observations: Vec<&Element> =
                related(entry).filter(|element| element.name() == "observation").collect();
            let mut found = None;
            for observation in observations {
                found = problem(translation, observation, Some(entry), section).or(found);
            }
            found
        }
        _ => None,
    }
}

/// Returns what a problem observation is about.
pub(super) fn concept(translation: &Translation<'_>, entry: &Element) -> Option<Value> {
    let value = entry.child("value");
    let words = || translation.words(entry.child("text"));
    let plain = || value.and_then(Element::own_text);
    translation.concept(value).or_else(|| words().or_else(plain).map(|text| json!({"text": text})))
}

fn problem(
    translation: &mut Translation<'_>,
    entry: &Element,
    concern: Option<&Element>,
    section: SectionId,
) -> Option<()> {
    let mut code = concept(translation, entry)?;
    let value = entry.child("value").and_then(|value| value.attribute("code"));
    let is_none = is_negated(entry) && value.is_none_or(|value| ANY_PROBLEM.contains(&value));
    if is_none {
        let words = translation.words(entry.child("text"));
        let coding = r4::coding(r4::SNOMED, "160245001", Some("No current problems or disability"));
        code = r4::concept(vec![coding], Some(words.as_deref().unwrap_or("No known problems")));
    }
    let when = translation.when(entry.child("effectiveTime"));
    let (author, written) = translation.author(entry);
    let (concern_author, concern_written) = match concern {
        Some(concern) => translation.author(concern),
        None => (None, None),
    };
    let mut notes = translation.comments(entry);
    notes.extend(concern.map(|concern| translation.comments(concern)).unwrap_or_default());
    let severity = observed(entry, &["SEV"]).find_map(|severity| severity.child("value"));
    let is_void = entry.child("statusCode").is_some_and(|status| status.is("code", "nullified"));
    let verification = match () {
        () if is_void => r4::hl7("condition-ver-status", "entered-in-error"),
        () if is_negated(entry) && !is_none => r4::hl7("condition-ver-status", "refuted"),
        () => Value::Null,
    };
    let status = clinical_status(entry, concern, &when, section);
    let item = json!({
        "resourceType": "Condition",
        "subject": translation.document.subject(),
        "clinicalStatus": r4::hl7("condition-clinical", status),
        "verificationStatus": verification,
        "category": [r4::hl7("condition-category", "problem-list-item")],
        "code": code,
        "severity": translation.concept(severity),
        "bodySite": translation.concept(entry.child("targetSiteCode")).into_iter().collect::<Vec<_>>(),
        "onsetDateTime": when.start(),
        "abatementDateTime": when.high,
        "recordedDate": written.or(concern_written),
        "recorder": author.or(concern_author),
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    translation.item(None, Some(entry), item);
    Some(())
}

/// Returns whether a problem holds: by its status, its end, or its concern; in doubt it does.
fn clinical_status(
    entry: &Element,
    concern: Option<&Element>,
    when: &When,
    section: SectionId,
) -> &'static str {
    const STATUS: &[&str] = &["33999-4"];
    let concern_status =
        concern.and_then(|concern| concern.child("statusCode")).and_then(|status| status.attribute("code"));
    match observed_code(entry, STATUS) {
        Some("413322009") => "resolved",
        Some("73425007") => "inactive",
        Some("55561003") => "active",
        _ if when.high.is_some() || when.has_unknown_end => "resolved",
        _ if matches!(concern_status, Some("completed" | "suspended" | "aborted")) => "inactive",
        _ if section == SectionId::PastProblems => "inactive",
        _ => "active",
    }
}
