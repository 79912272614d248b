//! What a GP Connect response holds: its resources, once each, and what references in it mean.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::value::{items_of, text};
use crate::problem::{Problem, Reason};

/// How deep Bundles may lie in Bundles.
const BUNDLE_DEPTH_MAX: u32 = 4;

/// How long an id may be.
const ID_LENGTH_MAX: usize = 64;

/// One resource of a response.
pub(super) struct Entry {
    /// The type, as the source calls it.
    pub(super) kind: String,
    /// The resource.
    pub(super) resource: Value,
    /// The type that the resource has in the translation.
    pub(super) target_kind: &'static str,
    /// The id that the resource has in the translation, unique for its type.
    pub(super) target_id: String,
    /// The resource that contains it.
    pub(super) container: Option<usize>,
}

/// A response, taken apart.
#[derive(Default)]
pub(super) struct Response {
    /// All resources, in their order; contained allergies after what contains them.
    pub(super) entries: Vec<Entry>,
    /// Codes of the outcomes that came beside the resources.
    pub(super) outcomes: Vec<Value>,
    by_reference: HashMap<String, usize>,
    taken: HashSet<(&'static str, String)>,
    copies: HashMap<(&'static str, String), u32>,
}

impl Response {
    /// Takes a document apart. What is no resource is a problem.
    pub(super) fn of(document: Value, problems: &mut Vec<Problem>) -> Self {
        let mut response = Self::default();
        response.add(document, None, 0, problems);
        response
    }

    fn add(&mut self, resource: Value, full_url: Option<&str>, depth: u32, problems: &mut Vec<Problem>) {
        if depth > BUNDLE_DEPTH_MAX {
            let limit = u64::from(BUNDLE_DEPTH_MAX);
            problems.push(Problem::whole(Reason::TooMany { what: "Bundles in Bundles".to_owned(), limit }));
            return;
        }
        if let Value::Array(all) = resource {
            all.into_iter().for_each(|one| self.add(one, None, depth + 1, problems));
            return;
        }
        let Some(kind) = text(&resource, "resourceType").map(str::to_owned) else {
            problems.push(Problem::whole(Reason::Malformed("an entry holds no resource".to_owned())));
            return;
        };
        let inner = match kind.as_str() {
            "Bundle" => Some("entry"),
            "Parameters" => Some("parameter"),
            _ => None,
        };
        let Some(inner) = inner else {
            return self.keep(kind, resource, full_url, None);
        };
        let mut resource = resource;
        let entries = match super::value::listed(super::value::take(&mut resource, inner)) {
            Value::Array(entries) => entries,
            _ => return,
        };
        for mut entry in entries {
            let url = text(&entry, "fullUrl").map(str::to_owned);
            match super::value::take(&mut entry, "resource") {
                Value::Null if inner == "parameter" => {}
                Value::Null => {
                    let reason = Reason::Malformed("an entry of the Bundle holds no resource".to_owned());
                    problems.push(Problem::whole(reason));
                }
                resource => self.add(resource, url.as_deref(), depth + 1, problems),
            }
        }
    }

    fn keep(&mut self, kind: String, resource: Value, full_url: Option<&str>, container: Option<usize>) {
        if kind == "OperationOutcome" {
            self.outcomes.push(resource);
            return;
        }
        let id = text(&resource, "id").map(str::to_owned);
        let key = id.as_ref().map(|id| match container {
            Some(container) => format!("{container}#{id}"),
            None => format!("{kind}/{id}"),
        });
        let at = self.entries.len();
        if let Some(known) = key.as_ref().and_then(|key| self.by_reference.get(key)) {
            if self.entries[*known].resource == resource {
                return;
            }
        } else if let Some(key) = key {
            self.by_reference.insert(key, at);
        }
        if let Some(url) = full_url {
            self.by_reference.entry(url.to_owned()).or_insert(at);
        }
        let target_kind = target_kind(&kind);
        let target_id = self.unique_id(target_kind, id.as_deref(), at);
        let contained: Vec<Value> = items_of(&resource, "contained").to_vec();
        self.entries.push(Entry { kind, resource, target_kind, target_id, container });
        if container.is_none() {
            for inner in contained {
                if let Some(kind) = text(&inner, "resourceType").map(str::to_owned) {
                    self.keep(kind, inner, None, Some(at));
                }
            }
        }
    }

    fn unique_id(&mut self, kind: &'static str, id: Option<&str>, at: usize) -> String {
        let wanted = id.map_or_else(|| format!("entry-{}", at + 1), sound_id);
        if self.taken.insert((kind, wanted.clone())) {
            return wanted;
        }
        let kept: String = wanted.chars().take(ID_LENGTH_MAX - 11).collect();
        let number = self.copies.entry((kind, kept.clone())).or_insert(1);
        loop {
            *number += 1;
            let unique = format!("{kept}-{number}");
            if self.taken.insert((kind, unique.clone())) {
                return unique;
            }
        }
    }

    /// Returns the place of the resource that a reference in the resource at `from` means.
    pub(super) fn find(&self, reference: &str, from: usize) -> Option<usize> {
        let reference = reference.trim();
        if let Some(local) = reference.strip_prefix('#') {
            let container = self.entries.get(from).and_then(|entry| entry.container).unwrap_or(from);
            return self.by_reference.get(&format!("{container}#{local}")).copied();
        }
        let exact = || self.by_reference.get(reference).copied();
        exact().or_else(|| {
            let mut parts = reference.split("/_history/").next()?.rsplit('/');
            let (id, kind) = (parts.next()?, parts.next()?);
            self.by_reference.get(&format!("{kind}/{id}")).copied()
        })
    }

    /// Returns the resource that a Reference in the resource at `from` means.
    pub(super) fn target(&self, reference: &Value, from: usize) -> Option<(usize, &Entry)> {
        let at = self.find(text(reference, "reference")?, from)?;
        Some((at, &self.entries[at]))
    }

    /// Returns the resources of a type, with their places.
    pub(super) fn of_kind<'r>(&'r self, kind: &'r str) -> impl Iterator<Item = (usize, &'r Entry)> {
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.kind == kind)
    }
}

/// Returns an id that FHIR allows; one that had to be changed is told from others by its hash.
fn sound_id(id: &str) -> String {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if id.len() <= ID_LENGTH_MAX && id.chars().all(sound) {
        return id.to_owned();
    }
    let hash = Sha256::digest(id.as_bytes());
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = id.chars().map(|c| if sound(c) { c } else { '-' }).take(40).collect();
    format!("{kept}-{hash}")
}

/// Types that have the same name in FHIR R4 and are translated as themselves.
const SAME: [&str; 39] = [
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AuditEvent",
    "Binary",
    "CarePlan",
    "CareTeam",
    "ClinicalImpression",
    "Communication",
    "CommunicationRequest",
    "Condition",
    "Consent",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "ImagingStudy",
    "Immunization",
    "List",
    "Media",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "NutritionOrder",
    "Observation",
    "Patient",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RequestGroup",
    "RiskAssessment",
    "Specimen",
    "Task",
];

/// Types that name a person, a place or a product, or are read together with what refers to them.
pub(super) const SUPPORTING: [&str; 11] = [
    "Endpoint",
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Schedule",
    "Slot",
    "Substance",
    "CapabilityStatement",
];

/// Returns the type that a resource has in the translation; `Basic` for one that FHIR R4 does not have.
fn target_kind(kind: &str) -> &'static str {
    match kind {
        "ProcedureRequest" | "ReferralRequest" => "ServiceRequest",
        kind => SAME.iter().chain(&SUPPORTING).find(|same| **same == kind).copied().unwrap_or("Basic"),
    }
}

/// Returns a type's name for a message: never a source's own text.
pub(super) fn plain_kind(kind: &str) -> &'static str {
    match kind {
        "ProcedureRequest" => "ProcedureRequest",
        "ReferralRequest" => "ReferralRequest",
        kind => match target_kind(kind) {
            "Basic" => "resource of another type",
            known => known,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Response, sound_id};
    use serde_json::json;

    #[test]
    fn ids_are_those_that_fhir_allows_and_stay_apart() {
        assert_eq!(sound_id("A-b.9"), "A-b.9");
        assert_ne!(sound_id("a b"), sound_id("a_b"));
        for id in ["é".repeat(70), "x".repeat(65), "a/b".to_owned()] {
            let sound = sound_id(&id);
            assert!(sound.len() <= 64 && sound.is_ascii() && !sound.contains('/'), "{sound}");
        }
    }

    #[test]
    fn equal_copies_are_one_and_others_get_ids_of_their_own() {
        let resource = |kind: &str, n: i32| json!({"resource": {"resourceType": kind, "id": "1", "n": n}});
        let bundle = json!({"resourceType": "Bundle", "entry": [
            resource("Flag", 1), resource("Flag", 1), resource("Flag", 2),
            resource("ReferralRequest", 1), resource("ProcedureRequest", 1)
        ]});
        let mut problems = Vec::new();
        let response = Response::of(
            json!({"resourceType": "Parameters", "parameter": [{"resource": bundle}]}),
            &mut problems,
        );
        let ids: Vec<(&str, &str)> =
            response.entries.iter().map(|entry| (entry.target_kind, entry.target_id.as_str())).collect();
        assert_eq!(ids, [("Flag", "1"), ("Flag", "1-2"), ("ServiceRequest", "1"), ("ServiceRequest", "1-2")]);
        assert_eq!(response.find("https://x.example/STU3/Flag/1/_history/2", 0), Some(0));
        assert_eq!(response.find("Flag/9", 0), None);
        assert!(problems.is_empty());
    }
}
