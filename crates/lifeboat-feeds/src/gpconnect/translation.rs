//! A translation in the making: the document that it becomes, and what the sections lack.

use lifeboat_clinical::SectionId;
use lifeboat_clinical::section::SectionWarning;
use serde_json::Value;

use super::response::{Response, plain_kind};
use super::shapes;
use super::value::{codings, items_of};
use crate::problem::{Problem, Reason};
use crate::r4::Document;
use crate::rules::{Confidential, Rules};

/// The patient's details that everything else refers to.
pub(super) struct Subject {
    /// The place of the Patient.
    pub(super) at: usize,
    /// Every way in which the response refers to the patient.
    pub(super) references: Vec<String>,
}

/// A translation in the making.
pub(super) struct Translation<'r> {
    /// What is translated.
    pub(super) response: &'r Response,
    /// What it becomes.
    pub(super) document: Document,
    /// What could not be translated.
    pub(super) problems: Vec<Problem>,
    rules: &'r Rules,
    /// How many items of each area there are, by the place of the area in [`AREAS`].
    counts: [usize; AREAS.len()],
}

/// Sections that come from one clinical area of the source.
pub(super) struct Area {
    /// The code of the area's list.
    pub(super) list: &'static str,
    /// Words in the codes of lists that repeat items of this area for others.
    pub(super) words: &'static [&'static str],
    /// Our sections.
    pub(super) sections: &'static [SectionId],
    /// The types of its items.
    kinds: &'static [&'static str],
}

/// The clinical areas of a structured record.
pub(super) const AREAS: [Area; 9] = {
    use SectionId as S;
    [
        Area {
            list: "886921000000105",
            words: &["allerg"],
            sections: &[S::Allergies],
            kinds: &["AllergyIntolerance"],
        },
        Area {
            list: "933361000000108",
            words: &["medication"],
            sections: &[S::RepeatMedication, S::AcuteMedication, S::PastMedication],
            kinds: &["MedicationRequest", "MedicationStatement"],
        },
        Area {
            list: "1102181000000102",
            words: &["immunisation"],
            sections: &[S::Immunisations],
            kinds: &["Immunization"],
        },
        Area {
            list: "887191000000108",
            words: &["investigation"],
            sections: &[S::Results],
            kinds: &["DiagnosticReport"],
        },
        Area {
            list: "792931000000107",
            words: &["referral"],
            sections: &[S::Referrals],
            kinds: &["ReferralRequest"],
        },
        Area {
            list: "714311000000108",
            words: &["diary"],
            sections: &[S::Diary],
            kinds: &["ProcedureRequest"],
        },
        Area {
            list: "826501000000100",
            words: &["uncategorised"],
            sections: &[S::Observations, S::SocialHistory, S::Pregnancy, S::OtherItems],
            kinds: &["Observation"],
        },
        Area {
            list: "1149501000000101",
            words: &["problems-consultations", "consultations-related"],
            sections: &[S::Encounters],
            kinds: &["Encounter"],
        },
        Area {
            list: "717711000000103",
            words: &["linked-problems", "problems-contained", "problems-related"],
            sections: &[S::ActiveProblems, S::PastProblems],
            kinds: &["Condition"],
        },
    ]
};

/// Sections that a structured record has no area for.
pub(super) const NEVER_SUPPLIED: [SectionId; 2] = [SectionId::Alerts, SectionId::Procedures];

/// Returns the sections of the area that a type's items come from.
fn sections_of(kind: &str) -> &'static [SectionId] {
    let area = AREAS.iter().find(|area| area.kinds.contains(&kind));
    area.map_or(&[SectionId::OtherItems], |area| area.sections)
}

impl<'r> Translation<'r> {
    /// Begins the translation of a response about a patient, or about nobody.
    pub(super) fn new(response: &'r Response, subject: Option<&Subject>, rules: &'r Rules) -> Self {
        let document = match subject {
            Some(subject) => Document::about(&response.entries[subject.at].target_id),
            None => Document::default(),
        };
        Self { response, document, problems: Vec::new(), rules, counts: [0; AREAS.len()] }
    }

    /// Translates what the resource at a place has in common with all others.
    pub(super) fn common(&mut self, at: usize) -> Value {
        shapes::translate(self.response, at, &mut self.problems)
    }

    /// Adds a translated resource, unless the source marks it as confidential and the site withholds such items.
    pub(super) fn push(&mut self, at: usize, resource: Value) {
        self.push_filed(at, resource, None);
    }

    /// Adds a translated resource and says which section the source files it in.
    pub(super) fn push_in(&mut self, section: SectionId, at: usize, resource: Value) {
        self.push_filed(at, resource, Some(section));
    }

    fn push_filed(&mut self, at: usize, mut resource: Value, section: Option<SectionId>) {
        let kind = self.response.entries[at].kind.as_str();
        if kind != "Patient"
            && self.rules.confidential == Confidential::Withhold
            && is_confidential(&resource)
        {
            for section in sections_of(kind).iter().chain(&section) {
                self.document.withholds(*section);
            }
            return;
        }
        if let Some(area) = AREAS.iter().position(|area| area.kinds.contains(&kind)) {
            self.counts[area] += 1;
        }
        arrange(&mut resource);
        match section {
            Some(section) => self.document.push_in(section, resource),
            None => self.document.push(resource),
        }
    }

    /// Says whether there are items of an area.
    pub(super) fn has_items(&self, area: usize) -> bool {
        self.counts.get(area).is_some_and(|count| *count > 0)
    }

    /// Leaves a resource out, and says so in the sections that it would have been in.
    pub(super) fn leave_out(&mut self, at: usize, reason: Reason) {
        let kind = &self.response.entries[at].kind;
        self.problems.push(Problem::at(plain_kind(kind), reason));
        for section in sections_of(kind) {
            self.document.warns(*section, SectionWarning::PartlyUnreadable);
        }
    }
}

/// The order in which members are read, whatever the order in which a source writes them.
const ORDER: [&str; 52] = [
    "resourceType",
    "id",
    "meta",
    "text",
    "contained",
    "extension",
    "modifierExtension",
    "identifier",
    "status",
    "intent",
    "clinicalStatus",
    "verificationStatus",
    "class",
    "type",
    "category",
    "criticality",
    "priority",
    "code",
    "medicationCodeableConcept",
    "medicationReference",
    "vaccineCode",
    "subject",
    "patient",
    "encounter",
    "onsetDateTime",
    "effectiveDateTime",
    "occurrenceDateTime",
    "performedDateTime",
    "recordedDate",
    "authoredOn",
    "date",
    "issued",
    "recorded",
    "recorder",
    "requester",
    "courseOfTherapyType",
    "dosageInstruction",
    "dispenseRequest",
    "primarySource",
    "protocolApplied",
    "lotNumber",
    "site",
    "participant",
    "period",
    "performer",
    "reasonCode",
    "location",
    "serviceProvider",
    "result",
    "author",
    "description",
    "content",
];

/// Puts the members of a resource in order; those that have no place follow as they came, notes and what else a
/// prescription says last.
fn arrange(resource: &mut Value) {
    let is_prescription = resource.get("resourceType").is_some_and(|kind| kind == "MedicationRequest");
    let Some(members) = resource.as_object_mut() else { return };
    let place = |name: &str| match name {
        "extension" if is_prescription => ORDER.len() + 2,
        "note" => ORDER.len() + 1,
        name => ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len()),
    };
    let mut sorted: Vec<(String, Value)> = std::mem::take(members).into_iter().collect();
    sorted.sort_by_key(|(name, _)| place(name));
    members.extend(sorted);
}

/// Says whether a resource is marked restricted, very restricted or sensitive.
pub(super) fn is_confidential(resource: &Value) -> bool {
    let labels = resource.get("meta").map(|meta| items_of(meta, "security")).unwrap_or_default();
    let wrapped = serde_json::json!({"coding": labels});
    codings(&wrapped).any(|label| matches!(super::value::text(label, "code"), Some("R" | "V" | "S")))
}
