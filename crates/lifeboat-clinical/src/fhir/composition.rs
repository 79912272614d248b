//! What a source's own Composition says about its sections.
//!
//! Three things are taken from it: which section lists a resource, for resources that would fit several
//! of ours; what the source says about a section without items, so that *withheld* never turns
//! into *none*; and what it says against the completeness of a section, with items or without.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::reference::{is_urn, tail, type_and_id};
use super::types::SectionSet;
use super::walk::{Found, Scope};
use crate::json::Json;
use crate::section::{
    LOINC_SYSTEM, SECTION_NOT_SUPPLIED, SECTION_SYSTEM, SECTION_WARNING_EXTENSION, SectionId, SectionWarning,
};

/// How deep sections may lie in sections.
const SECTION_DEPTH_MAX: u32 = 4;

/// Why a source's section holds no items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyReason {
    /// There are known to be none.
    NilKnown,
    /// Nobody has asked.
    NotAsked,
    /// The source has withheld them.
    Withheld,
    /// They could not be had.
    Unavailable,
    /// The list has not been begun.
    NotStarted,
    /// Nothing is recorded, with no more said.
    NoneRecorded,
    /// The source has not supplied them for this patient, whatever it supplies for others.
    NotSupplied,
}

/// What a source says about one of its sections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SectionFact {
    /// Our sections that the source's section stands for, by their place in the record.
    pub sections: Vec<SectionId>,
    /// How many items the source lists in it.
    pub listed: u32,
    /// How many of these are not in the document.
    pub missing: u32,
    /// Why it has none.
    pub empty: Option<EmptyReason>,
    /// Whether it is narrative text and nothing else.
    pub narrative_only: bool,
    /// What the source says against its completeness, once each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<SectionWarning>,
}

/// What the Compositions of one scope say.
#[derive(Default)]
pub(super) struct Listing {
    /// The section that lists the resource at this place of the scope.
    pub(super) sections: HashMap<usize, SectionId>,
    /// Facts by the place of the Composition in the scope.
    pub(super) facts: HashMap<usize, Vec<SectionFact>>,
}

impl Listing {
    pub(super) fn of(scope: &Scope<'_>) -> Self {
        let mut listing = Self::default();
        let compositions =
            scope.found.iter().enumerate().filter(|(_, found)| found.kind.name() == "Composition");
        let mut keys: Option<Keys<'_>> = None;
        for (at, composition) in compositions {
            let keys = keys.get_or_insert_with(|| Keys::of(&scope.found));
            let mut facts = Vec::new();
            listing.sections_of(composition.json, keys, &mut facts, SECTION_DEPTH_MAX);
            listing.facts.insert(at, facts);
        }
        listing
    }

    /// Returns every section of ours that some Composition has something to say about.
    pub(super) fn supplied(&self) -> SectionSet {
        let mut set = SectionSet::default();
        for fact in self.facts.values().flatten() {
            let unsupplied = matches!(
                fact.empty,
                Some(EmptyReason::Unavailable | EmptyReason::NotStarted | EmptyReason::NotSupplied)
            );
            let is_warning_alone = fact.empty.is_none() && fact.listed == 0 && !fact.narrative_only;
            if !unsupplied && !is_warning_alone {
                fact.sections.iter().for_each(|section| set.insert(*section));
            }
        }
        set
    }

    fn sections_of(&mut self, parent: Json<'_>, keys: &Keys<'_>, facts: &mut Vec<SectionFact>, depth: u32) {
        let sections = parent.field("section").map(Json::items).unwrap_or_default();
        for section in sections {
            let [code, text, entry, empty, extension] =
                section.fields(["code", "text", "entry", "emptyReason", "extension"]);
            let ours = code.map(our_sections).unwrap_or_default();
            let mut fact = SectionFact {
                sections: ours,
                listed: 0,
                missing: 0,
                empty: empty.map(empty_reason),
                narrative_only: false,
                warnings: extension.map(warnings).unwrap_or_default(),
            };
            for reference in entry.map(Json::items).unwrap_or_default() {
                let Some(reference) = reference.text_of("reference") else {
                    continue;
                };
                fact.listed += 1;
                match (keys.find(&reference), fact.sections.first()) {
                    (Some(place), Some(section)) => {
                        let kept = self.sections.entry(place).or_insert(*section);
                        *kept = (*kept).min(*section);
                    }
                    (Some(_), None) => {}
                    (None, _) => fact.missing += 1,
                }
            }
            let has_inner = section.field("section").is_some();
            fact.narrative_only = fact.listed == 0 && fact.empty.is_none() && text.is_some() && !has_inner;
            if depth > 1 && has_inner {
                self.sections_of(section, keys, facts, depth - 1);
            }
            let says_something = fact.listed > 0 || fact.empty.is_some() || fact.narrative_only;
            if says_something || !fact.warnings.is_empty() {
                facts.push(fact);
            }
        }
    }
}

/// The places of a scope's resources by what references call them.
struct Keys<'f> {
    found: &'f [Found<'f>],
    by_url: HashMap<&'f str, usize>,
    by_tail: HashMap<&'f str, Vec<usize>>,
}

impl<'f> Keys<'f> {
    fn of(found: &'f [Found<'f>]) -> Self {
        let mut keys = Self {
            found,
            by_url: HashMap::with_capacity(found.len()),
            by_tail: HashMap::with_capacity(found.len()),
        };
        for (at, found) in found.iter().enumerate() {
            let url = found.full_url.as_deref();
            if let Some(url) = url {
                keys.by_url.entry(url).or_insert(at);
            }
            let tails = [found.id.as_deref(), url.map(tail)];
            for key in tails.into_iter().flatten() {
                let places = keys.by_tail.entry(key).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
        keys
    }

    /// Finds what a reference means: the entry of that URL, or the one of that type and id.
    fn find(&self, reference: &str) -> Option<usize> {
        if let Some(at) = self.by_url.get(reference) {
            return Some(*at);
        }
        let places = self.by_tail.get(tail(reference))?;
        let kind = type_and_id(reference).map(|(kind, _)| kind);
        let fits = |at: &&usize| match kind {
            Some(kind) => self.found[**at].kind.name() == kind,
            None => is_urn(reference) && places.len() == 1,
        };
        places.iter().find(fits).copied()
    }
}

/// Returns our sections for the code of a source's section.
fn our_sections(code: Json<'_>) -> Vec<SectionId> {
    let codings = code.field("coding").map(Json::items).unwrap_or_default();
    codings
        .into_iter()
        .find_map(|coding| {
            let [system, code] = coding.fields(["system", "code"]);
            let code = code?.scalar()?;
            let sections = match system.and_then(Json::string).as_deref() {
                Some(LOINC_SYSTEM) | None => by_loinc(&code),
                Some(SECTION_SYSTEM) => code.parse().into_iter().collect(),
                Some(_) => by_snomed(&code),
            };
            (!sections.is_empty()).then_some(sections)
        })
        .unwrap_or_default()
}

fn by_loinc(code: &str) -> Vec<SectionId> {
    use SectionId as S;
    match code {
        "48765-2" => vec![S::Allergies],
        "10160-0" => vec![S::RepeatMedication, S::AcuteMedication, S::PastMedication],
        "11450-4" => vec![S::ActiveProblems],
        "11348-0" => vec![S::PastProblems],
        "11369-6" => vec![S::Immunisations],
        "30954-2" => vec![S::Results],
        "47519-4" => vec![S::Procedures],
        "104605-1" | "42348-3" => vec![S::Alerts],
        "47420-5" | "29762-2" => vec![S::SocialHistory],
        "10162-6" => vec![S::Pregnancy],
        "18776-5" => vec![S::Diary],
        "8716-3" => vec![S::Observations],
        "46240-8" => vec![S::Encounters],
        "57133-1" => vec![S::Referrals],
        "46264-8" | "81338-6" | "10157-6" => vec![S::OtherItems],
        _ => Vec::new(),
    }
}

/// The codes of the lists in a GP Connect structured record.
fn by_snomed(code: &str) -> Vec<SectionId> {
    use SectionId as S;
    match code {
        "886921000000105" | "1103671000000101" => vec![S::Allergies],
        "933361000000108" => vec![S::RepeatMedication, S::AcuteMedication, S::PastMedication],
        "1149501000000101" => vec![S::Encounters],
        "717711000000103" => vec![S::ActiveProblems, S::PastProblems],
        "1102181000000102" => vec![S::Immunisations],
        "826501000000100" => vec![S::OtherItems],
        "887191000000108" => vec![S::Results],
        "792931000000107" => vec![S::Referrals],
        "714311000000108" => vec![S::Diary],
        _ => Vec::new(),
    }
}

/// Returns the warnings among a section's extensions, in order, once each.
fn warnings(extensions: Json<'_>) -> Vec<SectionWarning> {
    let mut warnings: Vec<SectionWarning> = extensions
        .items()
        .into_iter()
        .filter(|extension| extension.text_of("url").as_deref() == Some(SECTION_WARNING_EXTENSION))
        .filter_map(|extension| extension.text_of("valueCode")?.parse().ok())
        .collect();
    warnings.sort_unstable();
    warnings.dedup();
    warnings
}

fn empty_reason(reason: Json<'_>) -> EmptyReason {
    let codings = reason.field("coding").map(Json::items).unwrap_or_default();
    codings
        .into_iter()
        .find_map(|coding| {
            let code = coding.text_of("code")?;
            Some(match code.as_ref() {
                "nilknown" => EmptyReason::NilKnown,
                "notasked" => EmptyReason::NotAsked,
                "withheld" => EmptyReason::Withheld,
                "unavailable" | "temp-unknown" | "asked-unknown" | "unknown" | "error" => {
                    EmptyReason::Unavailable
                }
                "notstarted" => EmptyReason::NotStarted,
                "closed" | "no-content-recorded" => EmptyReason::NoneRecorded,
                "masked" => EmptyReason::Withheld,
                SECTION_NOT_SUPPLIED => EmptyReason::NotSupplied,
                _ => return None,
            })
        })
        // A reason that is not understood must not read as "there are none".
        .unwrap_or(EmptyReason::Unavailable)
}
