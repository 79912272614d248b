//! C-CDA documents: header, sections by their LOINC codes, and what presence or absence of entries means.

use lifeboat_clinical::SectionId;
use lifeboat_clinical::date::london;
use serde_json::{Value, json};

use super::narrative::Block;
use super::patient;
use super::translation::{Translation, is_statement, moment};
use super::xml::Element;
use super::{allergies, events, medication, nobody, observations, problems};
use crate::problem::{Problem, Reason};
use crate::r4;
use crate::rules::Rules;
use crate::translate::Translated;

use SectionId as S;

/// How the entries of a section become resources; `None` for an entry that is something else.
type Mapper = fn(&mut Translation<'_>, &Element, S) -> Option<()>;

/// One kind of section.
struct Kind {
    loinc: &'static [&'static str],
    /// The sections of the record that it stands for.
    sections: &'static [S],
    /// Its name in problems.
    name: &'static str,
    map: Mapper,
}

const MEDICATION: &[S] = &[S::RepeatMedication, S::AcuteMedication, S::PastMedication];

const KINDS: &[Kind] = &[
    Kind { loinc: &["48765-2"], sections: &[S::Allergies], name: "Allergies", map: allergies::map },
    Kind {
        loinc: &["10160-0", "10183-2", "42346-7", "29549-3"],
        sections: MEDICATION,
        name: "Medications",
        map: medication::map,
    },
    Kind {
        loinc: &["11450-4", "11535-2", "29308-4"],
        sections: &[S::ActiveProblems, S::PastProblems],
        name: "Problems",
        map: problems::map,
    },
    Kind { loinc: &["11348-0"], sections: &[S::PastProblems], name: "Past problems", map: problems::map },
    Kind {
        loinc: &["11369-6"],
        sections: &[S::Immunisations],
        name: "Immunizations",
        map: medication::map_immunisation,
    },
    Kind { loinc: &["30954-2"], sections: &[S::Results], name: "Results", map: observations::map },
    Kind { loinc: &["8716-3"], sections: &[S::Observations], name: "Vital signs", map: observations::map },
    Kind {
        loinc: &["29762-2"],
        sections: &[S::SocialHistory],
        name: "Social history",
        map: observations::map,
    },
    Kind {
        loinc: &["47420-5", "10190-7"],
        sections: &[S::SocialHistory],
        name: "Functional status",
        map: observations::map,
    },
    Kind { loinc: &["10162-6"], sections: &[S::Pregnancy], name: "Pregnancies", map: observations::map },
    Kind { loinc: &["47519-4"], sections: &[S::Procedures], name: "Procedures", map: events::map_procedure },
    Kind { loinc: &["46240-8"], sections: &[S::Encounters], name: "Encounters", map: events::map_encounter },
    Kind { loinc: &["18776-5"], sections: &[S::Diary], name: "Plan of treatment", map: events::map_plan },
    Kind { loinc: &["10157-6"], sections: &[S::OtherItems], name: "Family history", map: events::map_family },
    Kind {
        loinc: &["42348-3", "104605-1"],
        sections: &[S::Alerts],
        name: "Advance directives",
        map: observations::map,
    },
    Kind {
        loinc: &["46264-8"],
        sections: &[S::OtherItems],
        name: "Medical equipment",
        map: events::map_device,
    },
];

const OTHER: Kind = Kind { loinc: &[], sections: &[S::OtherItems], name: "Section", map: |_, _, _| None };

/// Translates a document.
pub(super) fn translate(root: &Element, rules: &Rules) -> Result<Translated, Problem> {
    let malformed = |why: &str| Problem::at("recordTarget", Reason::Malformed(why.to_owned()));
    let role = root
        .path(&["recordTarget", "patientRole"])
        .ok_or_else(|| malformed("the document names no patient"))?;
    if root.all("recordTarget").count() > 1 {
        return Err(malformed("the document is about more than one patient"));
    }
    let (id, nhs) = patient::identify(role).ok_or_else(|| malformed("the patient has no identifier"))?;
    if nhs.is_some_and(|number| rules.excluded.contains(&number)) {
        return Ok(nobody());
    }
    let mut translation = Translation::new(root, &id, rules);
    let made = root.child("effectiveTime").and_then(|time| moment(time.attribute("value")?));
    translation.updated = made.as_deref().and_then(instant);
    let is_withheld = translation.is_withheld(root.child("confidentialityCode"));
    let is_restricted = translation.is_marked;
    let mut person = patient::patient(role, &id, root, &mut translation);
    if is_restricted {
        person["meta"] = json!({"security": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
            "code": "R"
        }]});
    }
    if let Some(updated) = &translation.updated {
        person["meta"]["lastUpdated"] = json!(updated);
    }
    translation.document.push(person);
    if is_withheld {
        S::ALL.into_iter().for_each(|section| translation.document.withholds(section));
    } else {
        translation.is_marked = false;
        body(&mut translation, root, made.as_deref());
    }
    Ok(Translated { document: translation.document.finish(), problems: translation.problems })
}

/// Returns a point in time as an instant; one without an offset is the practice's.
pub(super) fn instant(made: &str) -> Option<String> {
    if made.parse::<jiff::Timestamp>().is_ok() {
        return Some(made.to_owned());
    }
    let wall: jiff::civil::DateTime = made.parse().ok().filter(|_| made.contains('T'))?;
    let time = wall.to_zoned(london()).ok()?;
    Some(time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn body(translation: &mut Translation<'_>, root: &Element, made: Option<&str>) {
    if let Some(body) = root.path(&["component", "structuredBody"]) {
        for section in body.all("component").filter_map(|component| component.child("section")) {
            self::section(translation, section, made);
        }
    } else if let Some(body) = root.path(&["component", "nonXMLBody"]) {
        unstructured(translation, root, body, made);
    } else {
        translation.place = "component";
        translation.problem(Reason::Malformed("the document has no body".to_owned()));
    }
}

/// Keeps a body that is not structured, such as a scanned page, as a document.
fn unstructured(translation: &mut Translation<'_>, root: &Element, body: &Element, made: Option<&str>) {
    translation.place = "nonXMLBody";
    translation
        .problem(Reason::Malformed("the body is not structured; it is kept as one document".to_owned()));
    let Some(text) = body.child("text") else { return };
    let title = root.child("title").and_then(Element::own_text);
    let media = text.attribute("mediaType");
    let is_text =
        text.attribute("representation") != Some("B64") && media.is_none_or(|kind| kind.starts_with("text/"));
    let written = text.own_text();
    let reference = text.child("reference").and_then(|reference| reference.attribute("value"));
    let data: Option<String> = written.as_ref().filter(|_| !is_text).map(|data| data.replace(' ', ""));
    let item = json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "type": r4::concept(Vec::new(), Some(title.as_deref().unwrap_or("Clinical document"))),
        "subject": translation.document.subject(),
        "date": made,
        "description": if is_text { translation.narratives.section(Some(text)) } else { None },
        "content": [{"attachment": {"contentType": media, "data": data, "url": reference}}]
    });
    translation.item(Some(S::OtherItems), None, item);
}

fn section(translation: &mut Translation<'_>, section: &Element, made: Option<&str>) {
    let code = section.child("code").and_then(|code| code.attribute("code")).unwrap_or_default();
    let kind = KINDS.iter().find(|kind| kind.loinc.contains(&code)).unwrap_or(&OTHER);
    translation.place = kind.name;
    if translation.is_withheld(section.child("confidentialityCode")) || section.is("nullFlavor", "MSK") {
        kind.sections.iter().for_each(|section| translation.document.withholds(*section));
        return;
    }
    let is_marked = translation.is_marked;
    let tally = entries(translation, section, kind);
    let text = translation.narratives.section(section.child("text"));
    let title = title(translation, section);
    let nothing_said = section.attribute("nullFlavor").is_some();
    translation.place = kind.name;
    match text {
        // What its author signed stays readable, beside the items that were made of its entries.
        Some(text) if tally.mapped > 0 => {
            translation.document.supplies(kind.sections);
            let name = title["text"].as_str().unwrap_or(kind.name);
            let title = json!({"text": format!("{name} (as written in the document)")});
            translation.text_item(S::OtherItems, title, &text, made);
        }
        Some(text) if nothing_said || says_nothing(&text) => {
            kind.sections.iter().for_each(|section| translation.document.lacks(*section));
            translation.text_item(S::OtherItems, title, &text, made);
        }
        Some(text) => narrative_only(translation, section, kind, title, &text, made),
        None if tally.mapped > 0 => translation.document.supplies(kind.sections),
        None => kind.sections.iter().for_each(|section| translation.document.lacks(*section)),
    }
    if tally.unmapped > 0 {
        translation.problem(Reason::Malformed(format!(
            "{} entries are of a kind that is not known; the section's text is kept",
            tally.unmapped
        )));
    }
    for inner in section.all("component").filter_map(|component| component.child("section")) {
        translation.is_marked = is_marked;
        self::section(translation, inner, made);
    }
}

/// How many entries of a section became items.
#[derive(Default)]
struct Tally {
    mapped: u32,
    unmapped: u32,
}

fn entries(translation: &mut Translation<'_>, section: &Element, kind: &Kind) -> Tally {
    let mut tally = Tally::default();
    let Some(first) = kind.sections.first() else { return tally };
    for entry in section.all("entry") {
        for statement in entry.elements().filter(|element| is_statement(element)) {
            if entry.is("nullFlavor", "MSK") || statement.is("nullFlavor", "MSK") {
                kind.sections.iter().for_each(|section| translation.document.withholds(*section));
                continue;
            }
            match (kind.map)(translation, statement, *first) {
                Some(()) => tally.mapped += 1,
                None => {
                    tally.unmapped += u32::from(kind.sections != OTHER.sections || !kind.loinc.is_empty());
                    unmapped(translation, statement, *first);
                }
            }
        }
    }
    tally
}

/// Keeps what an entry of an unknown kind says in words, in the section that holds it.
fn unmapped(translation: &mut Translation<'_>, statement: &Element, section: S) {
    let Some(text) = translation.words(statement.child("text")) else { return };
    let title = translation.concept(statement.child("code"));
    let title = title.unwrap_or_else(|| json!({"text": "Entry"}));
    let when = translation.when(statement.child("effectiveTime"));
    translation.text_item(section, title, &text, when.any());
}

fn title(translation: &Translation<'_>, section: &Element) -> Value {
    let concept = translation.concept(section.child("code"));
    let title = section.child("title").and_then(|title| translation.words(Some(title)));
    let mut concept = concept.unwrap_or_else(|| json!({"coding": []}));
    if let Some(title) = title {
        concept["text"] = json!(title);
    } else if concept["text"].is_null() {
        concept["text"] = json!("Section without a title");
    }
    concept
}

/// Says whether a text says no more than that there is nothing to say, which is not that there is none.
pub(super) fn says_nothing(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    matches!(
        text.as_str(),
        "no information"
            | "no information available"
            | "no information recorded"
            | "no data"
            | "no data available"
            | "not available"
            | "not on file"
            | "not recorded"
            | "none recorded"
            | "no relevant information available for this category"
            | "information not available"
            | "unknown"
            | "n/a"
            | "-"
    )
}

/// Keeps a section that is text alone where a clinician looks for it.
fn narrative_only(
    translation: &mut Translation<'_>,
    section: &Element,
    kind: &Kind,
    title: Value,
    text: &str,
    made: Option<&str>,
) {
    let Some((first, rest)) = kind.sections.split_first() else { return };
    // Whether the text also covers the other sections cannot be known: they must not read as "none".
    rest.iter().for_each(|section| translation.document.lacks(*section));
    if *first != S::Allergies {
        return translation.text_item(*first, title, text, made);
    }
    for line in allergy_lines(translation, section) {
        allergies::in_words(translation, &line);
    }
}

/// Returns the lines of an allergy section that is text alone: the rows of tables, and other lines.
fn allergy_lines(translation: &Translation<'_>, section: &Element) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(text) = section.child("text") else { return lines };
    for block in translation.narratives.blocks(text) {
        match block {
            Block::Table(table) => lines.extend(table.rows.iter().map(|row| table.line(row))),
            Block::Text { text, .. } => {
                lines.extend(text.lines().map(|line| line.trim_start_matches("- ").to_owned()))
            }
            Block::Heading { text, .. } => lines.push(text),
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}
