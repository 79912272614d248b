//! What the lists of a response say about its completeness.
//!
//! A clinical area was asked for and answered where its list is there; only then does the absence of items mean that
//! none are recorded. Warnings on a list hold for every section that the area fills.

use lifeboat_clinical::SectionId;
use lifeboat_clinical::section::SectionWarning;
use serde_json::{Value, json};

use super::consultation;
use super::response::Response;
use super::translation::{AREAS, Area, NEVER_SUPPLIED, Translation};
use super::value::{codings, has_code, items_of, text};
use super::words;
use crate::problem::{Problem, Reason};

const ENDED_ALLERGIES: &str = "1103671000000101";

/// Sentences that lists carry only because one must stand there.
const USUAL_NOTES: [&str; 2] =
    ["Information not available", "Items excluded due to confidentiality and/or patient preferences"];

/// What is known of the areas when all lists are read.
#[derive(Default)]
pub(super) struct Lists {
    present: [bool; AREAS.len()],
    notes: Vec<String>,
}

/// What a list stands for.
enum Stands {
    /// An area, answered as a whole.
    For(usize),
    /// Some items of an area, listed for another.
    Partly(&'static [SectionId]),
    /// A part of a consultation.
    Consultation,
}

fn stands(list: &Value) -> Stands {
    let code = list.get("code").unwrap_or(&Value::Null);
    if let Some(area) = AREAS.iter().position(|area| has_code(code, area.list)) {
        return Stands::For(area);
    }
    if consultation::is_part(list) {
        return Stands::Consultation;
    }
    let names = codings(code).flat_map(|coding| ["code", "display"].map(|name| text(coding, name)));
    let names = names.chain([text(list, "title")]).flatten();
    let names: Vec<String> = names.map(str::to_lowercase).collect();
    let is_of = |area: &&Area| area.words.iter().any(|word| names.iter().any(|name| name.contains(word)));
    if has_code(code, ENDED_ALLERGIES) {
        return Stands::Partly(AREAS[0].sections);
    }
    Stands::Partly(AREAS.iter().find(is_of).map_or(&[SectionId::OtherItems], |area| area.sections))
}

/// Returns the observations that the list of investigations names itself.
pub(super) fn listed_results(response: &Response) -> Vec<usize> {
    let lists = response.of_kind("List").filter(|(_, list)| {
        let code = list.resource.get("code").unwrap_or(&Value::Null);
        AREAS.iter().any(|area| area.sections == [SectionId::Results] && has_code(code, area.list))
    });
    lists
        .flat_map(|(at, list)| {
            let entries = items_of(&list.resource, "entry")
                .iter()
                .filter_map(move |entry| response.target(entry.get("item")?, at).map(|(found, _)| found));
            entries.collect::<Vec<_>>()
        })
        .collect()
}

impl Lists {
    /// Reads all lists of a response.
    pub(super) fn read(translation: &mut Translation<'_>, wanted: &dyn Fn(usize) -> bool) -> Self {
        let mut lists = Self::default();
        let response = translation.response;
        for (at, list) in response.of_kind("List").filter(|(at, _)| wanted(*at)) {
            let list = &list.resource;
            let sections = match stands(list) {
                Stands::For(area) => {
                    lists.present[area] = true;
                    answered(translation, list, AREAS[area].sections);
                    AREAS[area].sections
                }
                Stands::Partly(sections) => sections,
                Stands::Consultation => &[SectionId::Encounters],
            };
            warnings(translation, list, sections);
            if !matches!(stands(list), Stands::Consultation) {
                missing(translation, (at, list), sections, &mut lists.notes);
                lists.keep_notes(list);
            }
        }
        lists
    }

    fn keep_notes(&mut self, list: &Value) {
        for note in words::notes(list) {
            let usual = USUAL_NOTES.iter().any(|usual| note.trim_end_matches('.') == *usual);
            let name =
                text(list, "title").map(str::to_owned).or_else(|| list.get("code").and_then(words::concept));
            let sentence = format!("{}: {note}", name.as_deref().unwrap_or("List"));
            if !usual && !self.notes.contains(&sentence) {
                self.notes.push(sentence);
            }
        }
    }

    /// Says which areas the response does not answer for, and keeps what its lists note.
    pub(super) fn finish(self, translation: &mut Translation<'_>) {
        for (at, area) in AREAS.iter().enumerate() {
            match (self.present[at], translation.has_items(at)) {
                (true, _) => {}
                // Items that came along with others are not all there are.
                (false, true) => {
                    area.sections.iter().for_each(|section| translation.document.lacks(*section))
                }
                (false, false) => translation.document.omits(area.sections),
            }
        }
        translation.document.omits(&NEVER_SUPPLIED);
        if !self.notes.is_empty() {
            let extension = |note: String| json!({"url": "urn:lifeboat:list-note", "valueString": note});
            let subject = translation.document.subject();
            translation.document.push(json!({
                "resourceType": "Basic",
                "id": "list-notes",
                "code": {"text": "Notes of the source on its lists"},
                "subject": subject,
                "extension": self.notes.into_iter().map(extension).collect::<Vec<_>>()
            }));
        }
    }
}

/// Says what an area's list means for the sections of the area.
fn answered(translation: &mut Translation<'_>, list: &Value, sections: &'static [SectionId]) {
    let reason =
        list.get("emptyReason").map(codings).into_iter().flatten().find_map(|coding| text(coding, "code"));
    let has_entries = !items_of(list, "entry").is_empty();
    match reason {
        Some("withheld" | "masked") => {
            sections.iter().for_each(|section| translation.document.withholds(*section))
        }
        Some("no-content-recorded" | "nilknown" | "notasked" | "closed") => {
            translation.document.supplies(sections)
        }
        None if has_entries => translation.document.supplies(sections),
        // An empty list that does not say why is no statement that there is nothing.
        _ => sections.iter().for_each(|section| translation.document.lacks(*section)),
    }
}

fn warnings(translation: &mut Translation<'_>, list: &Value, sections: &[SectionId]) {
    let extensions = items_of(list, "extension").iter();
    for extension in
        extensions.filter(|part| text(part, "url").is_some_and(|url| url.contains("ListWarningCode")))
    {
        let coded = extension.get("valueCodeableConcept").map(codings).into_iter().flatten();
        let code = text(extension, "valueCode")
            .or_else(|| coded.into_iter().find_map(|coding| text(coding, "code")));
        let warning = code.and_then(|code| code.parse::<SectionWarning>().ok());
        if warning.is_none() {
            translation.problems.push(Problem::at("List.extension (warning code)", Reason::UnknownValue));
        }
        // A warning that is not known still means that the list is not whole.
        for section in sections {
            translation.document.warns(*section, warning.unwrap_or(SectionWarning::PartlyUnreadable));
        }
    }
}

/// Says so where a list names items that are not in the response.
fn missing(
    translation: &mut Translation<'_>,
    (at, list): (usize, &Value),
    sections: &[SectionId],
    notes: &mut Vec<String>,
) {
    for entry in items_of(list, "entry") {
        let item = entry.get("item").unwrap_or(&Value::Null);
        if translation.response.target(item, at).is_some() {
            continue;
        }
        if let Some(display) = text(item, "display") {
            let sentence = format!("{}: {display}", text(list, "title").unwrap_or("List"));
            if !notes.contains(&sentence) {
                notes.push(sentence);
            }
        }
        translation.problems.push(Problem::at("List.entry", Reason::Unresolved));
        for section in sections {
            translation.document.warns(*section, SectionWarning::PartlyUnreadable);
        }
    }
}
