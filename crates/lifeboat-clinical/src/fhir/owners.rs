//! To whom the resources of a scope belong.
//!
//! Patients of the scope are told apart by [`PatientName`], so ten copies of one person are one. The
//! *subject* of a scope is its only patient, or the one whom a document's Composition is about. Then:
//!
//! * A resource that names a patient belongs to them: found in the scope, else by reference
//!   ([`Owner::Reference`]) for another document's claim. In a document Bundle, which must hold what it
//!   refers to, a reference that leads nowhere means the subject.
//! * A resource that names no patient is the subject's. If it is of a shared type (practitioners,
//!   places, medicines…) it is there to support others: with one patient it goes along with them, and
//!   is shared otherwise.
//! * Anything else belongs to nobody and is reported.

use std::borrow::Cow;
use std::collections::HashMap;

use super::identity::{Claim, PatientName, identify};
use super::reference::{PatientReference, patient_reference, tail, type_and_id};
use super::walk::{Form, Found, Scope};
use super::{Owner, Role};
use crate::problem::Reason;

/// The owners of one resource.
pub(super) struct Ownership {
    pub(super) owners: Vec<Owner>,
    pub(super) role: Role,
}

/// The patients of one scope.
pub(super) struct Patients<'a> {
    form: Form,
    names: Vec<PatientName>,
    pub(super) claims: Vec<Claim>,
    by_url: HashMap<Cow<'a, str>, usize>,
    by_tail: HashMap<Cow<'a, str>, Vec<usize>>,
    subject: Option<usize>,
}

impl<'a> Patients<'a> {
    pub(super) fn of(scope: &Scope<'a>) -> Self {
        let mut patients = Self {
            form: scope.form,
            names: Vec::new(),
            claims: Vec::new(),
            by_url: HashMap::new(),
            by_tail: HashMap::new(),
            subject: None,
        };
        for found in &scope.found {
            if found.kind.name() == "Patient" {
                patients.insert(found);
            }
        }
        patients.subject = match patients.names.len() {
            1 => Some(0),
            0 => None,
            _ if scope.form == Form::Document => patients.subject_of_document(scope),
            _ => None,
        };
        patients
    }

    fn insert(&mut self, found: &Found<'a>) {
        let (name, claims) = identify(found.json);
        let at = self.names.iter().position(|known| *known == name);
        let at = at.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        self.claims.extend(claims);
        let mut tails = Vec::new();
        if let Some(url) = &found.full_url {
            self.by_url.insert(url.clone(), at);
            tails.push(Cow::Owned(tail(url).to_owned()));
        }
        tails.extend(found.id.clone());
        for key in tails {
            let known = self.by_tail.entry(key).or_default();
            if !known.contains(&at) {
                known.push(at);
            }
        }
    }

    fn subject_of_document(&self, scope: &Scope<'a>) -> Option<usize> {
        let composition = scope.found.iter().find(|found| found.kind.name() == "Composition")?;
        let reference = composition.head.subjects().find_map(patient_reference)?;
        match self.resolve(&reference, composition.full_url.as_deref()) {
            Resolved::Patient(at) => Some(at),
            _ => None,
        }
    }

    /// Finds the patient whom a reference in the resource at `base` means.
    fn resolve(&self, reference: &PatientReference<'_>, base: Option<&str>) -> Resolved {
        let text = match reference {
            PatientReference::Identifier(text) => {
                let claim = self.claims.iter().find(|claim| claim.reference == *text);
                let at = claim.and_then(|claim| self.names.iter().position(|name| *name == claim.name));
                return at.map_or_else(|| Resolved::Elsewhere(text.clone()), Resolved::Patient);
            }
            PatientReference::Urn(text) | PatientReference::Server(text) => text,
        };
        if let Some(at) = self.by_url.get(text) {
            return Resolved::Patient(*at);
        }
        match self.by_tail.get(tail(text)).map(Vec::as_slice) {
            Some([at]) => return Resolved::Patient(*at),
            Some(_) => return self.by_base(text, base),
            None => {}
        }
        match (reference, type_and_id(text)) {
            (PatientReference::Server(_), Some((kind, id))) => Resolved::Elsewhere(format!("{kind}/{id}")),
            _ => Resolved::Nowhere,
        }
    }

    /// Finds the patient of a relative reference beside the resource that holds it.
    fn by_base(&self, reference: &str, base: Option<&str>) -> Resolved {
        let beside = base.and_then(|base| {
            let (kind, id) = type_and_id(base)?;
            let server = base.get(..base.rfind(&format!("{kind}/{id}"))?)?;
            self.by_url.get(format!("{server}{reference}").as_str())
        });
        beside.map_or(Resolved::Ambiguous, |at| Resolved::Patient(*at))
    }

    /// Returns to whom a resource of the scope belongs.
    pub(super) fn owners(&self, found: &Found<'a>) -> Result<Ownership, Reason> {
        if found.kind.name() == "Patient" {
            let (name, _) = identify(found.json);
            return Ok(Ownership { owners: vec![Owner::Patient(name)], role: Role::Item });
        }
        let mut owners = Vec::new();
        let mut leads_nowhere = false;
        let mut ambiguous = false;
        for reference in references(found) {
            match self.resolve(&reference, found.full_url.as_deref()) {
                Resolved::Patient(at) => owners.push(Owner::Patient(self.names[at].clone())),
                Resolved::Elsewhere(_) if self.form == Form::Document && self.subject.is_some() => {
                    leads_nowhere = true;
                }
                Resolved::Elsewhere(key) => owners.push(Owner::Reference(key)),
                Resolved::Nowhere => leads_nowhere = true,
                Resolved::Ambiguous => ambiguous = true,
            }
        }
        owners.sort_unstable();
        owners.dedup();
        let role = match found.kind.name() {
            "Composition" => Role::Composition,
            _ => Role::Item,
        };
        if !owners.is_empty() {
            return Ok(Ownership { owners, role });
        }
        if ambiguous {
            return Err(Reason::AmbiguousPatient);
        }
        // A device that names a patient who is not here is that patient's, not everybody's.
        let shared = found.kind.is_shared() && !(leads_nowhere && found.kind.name() == "Device");
        let one_patient = self.names.len() == 1;
        match self.subject {
            Some(at) if !shared || one_patient => Ok(Ownership {
                owners: vec![Owner::Patient(self.names[at].clone())],
                role: if shared { Role::Supporting } else { role },
            }),
            _ if shared => Ok(Ownership { owners: vec![Owner::Shared], role: Role::Supporting }),
            _ if is_definition(found.kind.name()) => Err(Reason::NotPatientData),
            _ if leads_nowhere => Err(Reason::PatientNotHere),
            _ => Err(Reason::NoPatient),
        }
    }
}

/// What a reference leads to.
enum Resolved {
    Patient(usize),
    Elsewhere(String),
    Nowhere,
    Ambiguous,
}

/// Returns every reference of a resource that may mean a patient.
fn references<'a>(found: &Found<'a>) -> Vec<PatientReference<'a>> {
    let mut references = Vec::new();
    for value in found.head.subjects() {
        for item in value.items() {
            let actor = item.field("actor");
            references.extend(patient_reference(actor.unwrap_or(item)));
        }
    }
    references
}

/// Says whether resources of this type describe systems, terms or forms rather than patients.
fn is_definition(name: &str) -> bool {
    name.ends_with("Definition")
        || matches!(
            name,
            "CapabilityStatement"
                | "CodeSystem"
                | "ConceptMap"
                | "ExampleScenario"
                | "ImplementationGuide"
                | "Library"
                | "Measure"
                | "MedicationKnowledge"
                | "MessageHeader"
                | "NamingSystem"
                | "SearchParameter"
                | "Slot"
                | "StructureMap"
                | "Subscription"
                | "TerminologyCapabilities"
                | "TestReport"
                | "TestScript"
                | "ValueSet"
        )
}
