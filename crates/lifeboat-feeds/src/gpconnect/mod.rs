//! GP Connect Access Record: Structured (versions 1.5 to 1.7), FHIR STU3, as FHIR R4.
//!
//! A response is taken apart ([`response`]), its lists are read for what they say about completeness ([`lists`]), and
//! each resource is translated to the type that says the same in R4. What has no such type is kept whole inside one of
//! type Basic, so that it is among the other items. Names of people and places are told beside what refers to them.
//!
//! What a structured record cannot say shapes the sections: it has no area for alerts and none for procedures, so these
//! are *not supplied*; an area whose list is missing was not asked for, and is *not supplied* either.

mod clinical;
mod consultation;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod hostile_tests;
mod issues;
mod journal;
mod lists;
mod medication;
mod requests;
mod response;
mod shapes;
#[cfg(test)]
mod tests;
mod text;
mod translation;
mod value;
mod words;

use std::collections::HashSet;

use lifeboat_clinical::SectionId;
use serde_json::Value;

use crate::problem::{Problem, Reason};
use crate::r4::{Document, NHS_NUMBER};
use crate::rules::Rules;
use crate::translate::Translated;
use consultation::Consultations;
use journal::Known;
use lists::Lists;
use response::{Response, SUPPORTING};
use translation::{Subject, Translation};
use value::{items_of, text as text_of};

/// Translates a response, or a single resource that is about a patient.
///
/// # Errors
/// The document is not JSON, is an error that the source answered with, or holds no patient's record.
pub fn translate(document: &[u8], rules: &Rules) -> Result<Translated, Problem> {
    let mut problems = Vec::new();
    let document = text::parse(document, &mut problems)?;
    let response = Response::of(document, &mut problems);
    let subject = subject(&response)?;
    if subject.as_ref().is_some_and(|subject| is_excluded(&response, subject, rules)) {
        return Ok(Translated { document: Document::default().finish(), problems: Vec::new() });
    }
    problems.extend(outcomes(&response.outcomes));
    let mut translation = Translation::new(&response, subject.as_ref(), rules);
    translation.problems = problems;
    record(&mut translation, subject.as_ref());
    let Translation { document, mut problems, .. } = translation;
    problems.sort_unstable();
    problems.dedup();
    Ok(Translated { document: document.finish(), problems })
}

/// Finds the patient whom the response is about; none where it is about appointments alone.
fn subject(response: &Response) -> Result<Option<Subject>, Problem> {
    let patients: Vec<usize> = response
        .of_kind("Patient")
        .filter(|(_, patient)| patient.container.is_none())
        .map(|(at, _)| at)
        .collect();
    match patients.as_slice() {
        [at] => {
            let id = text_of(&response.entries[*at].resource, "id").unwrap_or_default();
            let references = vec![format!("Patient/{id}")];
            Ok(Some(Subject { at: *at, references }))
        }
        [] => match no_patient(response) {
            None => Ok(None),
            Some(reason) => Err(Problem::whole(reason)),
        },
        _ => {
            let what = format!("holds {} patients; a structured record is of one", patients.len());
            Err(Problem::whole(Reason::Malformed(what)))
        }
    }
}

/// Says why a document without a patient cannot be used, unless it holds appointments alone.
fn no_patient(response: &Response) -> Option<Reason> {
    let kinds: HashSet<&str> = response
        .entries
        .iter()
        .filter(|entry| entry.container.is_none())
        .map(|entry| entry.kind.as_str())
        .filter(|kind| !SUPPORTING.contains(kind))
        .collect();
    let foreign = |what: &str| Some(Reason::Foreign(what.to_owned()));
    if let (true, Some(outcome)) = (kinds.is_empty(), response.outcomes.first()) {
        let what = format!("the source answered with an error ({})", outcome_words(outcome));
        return Some(Reason::Malformed(what));
    }
    match (kinds.len(), response.entries.is_empty()) {
        (0, true) => foreign("holds no resource"),
        (0, false) => foreign("holds nothing about a patient, only people, places, times or endpoints"),
        (1, _) if kinds.contains("Appointment") => None,
        (1, _) if kinds.contains("Binary") => foreign("an attached document (Binary), which holds no record"),
        _ => Some(Reason::Malformed("holds no Patient, so that it is nobody's record".to_owned())),
    }
}

/// Says whether the site keeps no record of the patient.
fn is_excluded(response: &Response, subject: &Subject, rules: &Rules) -> bool {
    let identifiers = items_of(&response.entries[subject.at].resource, "identifier");
    identifiers
        .iter()
        .filter(|identifier| {
            text_of(identifier, "system").is_some_and(|system| system.ends_with("nhs-number"))
        })
        .filter_map(|identifier| identifier.get("value").and_then(value::scalar))
        .map(|number| number.chars().filter(char::is_ascii_digit).collect::<String>())
        .any(|number| rules.excluded.contains(&number))
}

/// Codes of FHIR and of the Spine that say what went wrong; others are not repeated.
const OUTCOME_CODES: [&str; 22] = [
    "ACCESS_DENIED",
    "ACCESS_DENIED_SSL",
    "ASID_CHECK_FAILED",
    "BAD_REQUEST",
    "DUPLICATE_REJECTED",
    "INTERNAL_SERVER_ERROR",
    "INVALID_IDENTIFIER_SYSTEM",
    "INVALID_NHS_NUMBER",
    "INVALID_PARAMETER",
    "INVALID_RESOURCE",
    "NOT_IMPLEMENTED",
    "NO_ORGANISATIONAL_CONSENT",
    "NO_PATIENT_CONSENT",
    "NO_RECORD_FOUND",
    "ORGANISATION_NOT_FOUND",
    "PATIENT_NOT_FOUND",
    "REFERENCE_NOT_FOUND",
    "exception",
    "forbidden",
    "invalid",
    "not-found",
    "not-supported",
];

fn outcome_words(outcome: &Value) -> String {
    let mut words: Vec<&str> = Vec::new();
    for issue in items_of(outcome, "issue") {
        let coded = issue.get("details").map(value::codings).into_iter().flatten();
        let codes =
            [text_of(issue, "code")].into_iter().chain(coded.map(|coding| text_of(coding, "code"))).flatten();
        let known = codes.filter_map(|code| OUTCOME_CODES.into_iter().find(|known| *known == code));
        for code in known {
            if !words.contains(&code) {
                words.push(code);
            }
        }
    }
    if words.is_empty() { "no known code".to_owned() } else { words.join(", ") }
}

/// Returns what the source says beside the record that it could not do.
fn outcomes(outcomes: &[Value]) -> impl Iterator<Item = Problem> + '_ {
    outcomes.iter().map(|outcome| {
        let what = format!("the source answered in part ({})", outcome_words(outcome));
        Problem::at("OperationOutcome", Reason::Malformed(what))
    })
}

/// Says whether a resource is about the patient of the record: it names no other.
fn is_about(response: &Response, at: usize, subject: &Subject) -> bool {
    let resource = &response.entries[at].resource;
    let names = ["subject", "patient", "for"].into_iter().filter_map(|name| resource.get(name));
    names.flat_map(value::items).all(|named| match text_of(named, "reference") {
        Some(reference) if reference.starts_with("Patient/") || reference.contains("/Patient/") => {
            response.find(reference, at) == Some(subject.at)
                || subject.references.iter().any(|own| reference.ends_with(own.as_str()))
        }
        Some(reference) => response
            .find(reference, at)
            .is_none_or(|found| found == subject.at || response.entries[found].kind != "Patient"),
        None => has_same_number(named, &response.entries[subject.at].resource),
    })
}

/// Says whether an identifier that stands for a patient is not that of somebody else.
fn has_same_number(named: &Value, patient: &Value) -> bool {
    let Some(identifier) = named.get("identifier") else { return true };
    let (Some(NHS_NUMBER), Some(number)) = (text_of(identifier, "system"), text_of(identifier, "value"))
    else {
        return true;
    };
    let own = items_of(patient, "identifier").iter();
    let mut own = own.filter(|own| text_of(own, "system") == Some(NHS_NUMBER)).peekable();
    own.peek().is_none() || own.any(|own| text_of(own, "value") == Some(number))
}

/// Translates everything that a response holds.
fn record(translation: &mut Translation<'_>, subject: Option<&Subject>) {
    let response = translation.response;
    let others: HashSet<usize> = match subject {
        Some(subject) => (0..response.entries.len()).filter(|at| !is_about(response, *at, subject)).collect(),
        None => HashSet::new(),
    };
    let wanted = |at: usize| !others.contains(&at);
    let consultations = Consultations::of(response, &wanted);
    let known = Known::of(response);
    let results = results(response);
    let reported = requests::reported(response);
    let around =
        Around { consultations: &consultations, known: &known, results: &results, reported: &reported };
    let patient = subject.map(|subject| subject.at);
    for at in patient.into_iter().chain((0..response.entries.len()).filter(|at| Some(*at) != patient)) {
        let entry = &response.entries[at];
        let is_item =
            !SUPPORTING.contains(&entry.kind.as_str()) && !matches!(entry.kind.as_str(), "List" | "Patient");
        let is_kept = entry.container.is_none_or(|container| {
            entry.kind == "AllergyIntolerance" && response.entries[container].kind == "List"
        });
        if !is_kept || !(is_item || Some(at) == patient) {
            continue;
        }
        if wanted(at) {
            one(translation, at, &around);
        } else {
            translation
                .leave_out(at, Reason::Malformed("is about another patient; it is left out".to_owned()));
        }
    }
    medication::translate(translation, &wanted);
    for (at, encounter) in consultations.strays(translation) {
        translation.push(at, encounter);
    }
    if subject.is_some() {
        if consultations.lacks_items {
            let warning = lifeboat_clinical::section::SectionWarning::PartlyUnreadable;
            translation.document.warns(SectionId::Encounters, warning);
            translation.problems.push(Problem::at("List.entry", Reason::Unresolved));
        }
        let lists = Lists::read(translation, &wanted);
        lists.finish(translation);
    }
}

/// What decides about a resource beside itself.
struct Around<'a> {
    consultations: &'a Consultations,
    known: &'a Known,
    results: &'a HashSet<usize>,
    reported: &'a HashSet<usize>,
}

/// Translates the resource at a place.
fn one(translation: &mut Translation<'_>, at: usize, around: &Around<'_>) {
    let resource = match translation.response.entries[at].kind.as_str() {
        "MedicationRequest" | "MedicationStatement" => return,
        "Observation" if around.consultations.tells(at) && !around.results.contains(&at) => return,
        "Observation" => {
            let observation = clinical::observation(translation, at);
            if around.known.lacks(&observation) {
                return translation.push_in(SectionId::Allergies, at, observation);
            }
            if around.results.contains(&at) {
                return translation.push_in(SectionId::Results, at, observation);
            }
            observation
        }
        "Condition" => {
            let condition = clinical::condition(translation, at);
            if around.known.lacks(&condition) {
                let subject = translation.document.subject();
                translation.push_in(SectionId::Allergies, at, journal::allergy_of(&condition, &subject));
            }
            condition
        }
        "Patient" => clinical::patient(translation, at),
        "AllergyIntolerance" => clinical::allergy(translation, at),
        "Encounter" => around.consultations.encounter(translation, at),
        "DiagnosticReport" => clinical::report(translation, at),
        "Specimen" => clinical::specimen(translation, at),
        "Immunization" => clinical::immunisation(translation, at),
        "Procedure" => clinical::procedure(translation, at),
        "ReferralRequest" => requests::referral(translation, at),
        "ProcedureRequest" => {
            let mut request = requests::procedure_request(translation, at);
            if around.reported.contains(&at) {
                requests::conclude(&mut request);
            }
            request
        }
        "DocumentReference" => requests::document_reference(translation, at),
        "QuestionnaireResponse" => requests::questionnaire_response(translation, at),
        "Appointment" => requests::appointment(translation, at),
        _ if translation.response.entries[at].target_kind == "Basic" => clinical::foreign(translation, at),
        _ => clinical::same(translation, at),
    };
    translation.push(at, resource);
}

/// Returns the observations that reports are made of, whether these name them or their groups do.
fn results(response: &Response) -> HashSet<usize> {
    let observation = |reference: &Value, from: usize| {
        let (found, entry) = response.target(reference, from)?;
        (entry.kind == "Observation").then_some(found)
    };
    let mut found: HashSet<usize> = response
        .of_kind("DiagnosticReport")
        .flat_map(|(at, report)| items_of(&report.resource, "result").iter().map(move |result| (at, result)))
        .filter_map(|(at, result)| observation(result, at))
        .chain(
            lists::listed_results(response)
                .into_iter()
                .filter(|at| response.entries[*at].kind == "Observation"),
        )
        .collect();
    let related = |at: usize, kind: &str| -> Vec<usize> {
        let relations = items_of(&response.entries[at].resource, "related").iter();
        let relations = relations.filter(|relation| text_of(relation, "type") == Some(kind));
        relations.filter_map(|relation| observation(relation.get("target")?, at)).collect()
    };
    let mut members: std::collections::HashMap<usize, Vec<usize>> = std::collections::HashMap::new();
    for (at, _) in response.of_kind("Observation") {
        members.entry(at).or_default().extend(related(at, "has-member"));
        for group in related(at, "derived-from") {
            members.entry(group).or_default().push(at);
        }
    }
    let mut open: Vec<usize> = found.iter().copied().collect();
    while let Some(at) = open.pop() {
        for member in members.get(&at).into_iter().flatten() {
            if found.insert(*member) {
                open.push(*member);
            }
        }
    }
    found
}
