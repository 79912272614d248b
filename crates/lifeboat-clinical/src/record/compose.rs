//! Writes a patient's record: the Composition and what it lists, as one Bundle.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::classify::Item;
use super::held::Held;
use super::states::Section;
use crate::fhir::{hex, identify};
use crate::json;
use crate::section::{
    LOINC_SYSTEM, SECTION_NOTE_EXTENSION, SECTION_STATE_EXTENSION, SECTION_SYSTEM, SectionState,
};

const COMPOSITION_URL: &str = "urn:lifeboat:composition";
const EMPTY_REASON_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/list-empty-reason";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Composition<'a> {
    resource_type: &'static str,
    status: &'static str,
    #[serde(rename = "type")]
    kind: Concept<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<&'a str>,
    author: [Display; 1],
    title: &'static str,
    section: Vec<SectionOut<'a>>,
}

#[derive(Serialize)]
struct Display {
    display: &'static str,
}

#[derive(Serialize)]
struct Reference<'a> {
    reference: &'a str,
}

#[derive(Serialize)]
struct Coding<'a> {
    system: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct Concept<'a> {
    coding: Vec<Coding<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extension<'a> {
    url: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_string: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SectionOut<'a> {
    extension: Vec<Extension<'a>>,
    title: &'a str,
    code: Concept<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Reference<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    empty_reason: Option<Concept<'a>>,
}

fn section_out<'a>(section: &'a Section, entry: Vec<Reference<'a>>) -> SectionOut<'a> {
    let mut coding = vec![Coding { system: SECTION_SYSTEM, code: section.id.code() }];
    coding.extend(section.id.loinc().map(|code| Coding { system: LOINC_SYSTEM, code }));
    let state = Extension {
        url: SECTION_STATE_EXTENSION,
        value_code: Some(section.state.code()),
        value_string: None,
    };
    let notes = section.notes.iter().map(|note| Extension {
        url: SECTION_NOTE_EXTENSION,
        value_code: None,
        value_string: Some(note),
    });
    SectionOut {
        extension: [state].into_iter().chain(notes).collect(),
        title: section.id.title(),
        code: Concept { coding, text: None },
        entry,
        empty_reason: empty_reason(section),
    }
}

fn empty_reason(section: &Section) -> Option<Concept<'static>> {
    let (code, text) = match section.state {
        SectionState::Recorded => return None,
        SectionState::NoneRecorded if section.nil_known => ("nilknown", "None known"),
        SectionState::NoneRecorded => ("notasked", "None recorded"),
        SectionState::NotSupplied => ("unavailable", "Not supplied by this feed"),
        SectionState::Withheld => ("withheld", "Withheld by the source"),
        SectionState::Unavailable => ("unavailable", "Unavailable in this copy"),
    };
    Some(Concept { coding: vec![Coding { system: EMPTY_REASON_SYSTEM, code }], text: Some(text) })
}

/// Gives every resource a URL of its own within the record.
#[derive(Default)]
struct Urls<'p>(HashMap<Cow<'p, str>, u32>);

impl<'p> Urls<'p> {
    fn unique(&mut self, held: &Held<'p>) -> Cow<'p, str> {
        let url = held.url();
        let times = self.0.entry(url.clone()).or_insert(0);
        *times += 1;
        match *times {
            1 => url,
            times => Cow::Owned(format!("{url}#{times}")),
        }
    }
}

/// Writes the record.
pub(super) fn bundle(
    patient: Option<&Held<'_>>,
    items: &[Item<'_>],
    supporting: &[Held<'_>],
    sections: &[Section],
) -> Vec<u8> {
    let mut urls = Urls::default();
    let patient = patient.map(|held| (urls.unique(held), held));
    let items: Vec<(Cow<'_, str>, &Item<'_>)> =
        items.iter().map(|item| (urls.unique(&item.held), item)).collect();
    let all = patient.iter().map(|(_, held)| *held);
    let all = all.chain(items.iter().map(|(_, item)| &item.held));
    let date = newest_update(all);

    let mut rest = items.as_slice();
    let mut out = Vec::with_capacity(sections.len());
    for section in sections {
        let here = rest.iter().take_while(|(_, item)| item.section == section.id).count();
        let (listed, later) = rest.split_at(here);
        rest = later;
        let entry = listed.iter().map(|(url, _)| Reference { reference: url });
        out.push(section_out(section, entry.collect()));
    }
    let composition = Composition {
        resource_type: "Composition",
        status: "final",
        kind: Concept { coding: vec![Coding { system: LOINC_SYSTEM, code: "60591-5" }], text: None },
        subject: patient.as_ref().map(|(url, _)| Reference { reference: url }),
        date: date.as_deref(),
        author: [Display { display: "Lifeboat" }],
        title: "Patient summary",
        section: out,
    };
    let composition = serde_json::to_string(&composition).unwrap_or_default();

    let lengths = items.iter().map(|(url, item)| url.len() + item.held.text.len());
    let bytes: usize = lengths.sum();
    let mut text = String::with_capacity(bytes + composition.len() + 64 * items.len() + 4096);
    text.push_str("{\"resourceType\":\"Bundle\",\"type\":\"document\"");
    push_head(&mut text, patient.as_ref().map(|(_, held)| *held), date.as_deref());
    text.push_str(",\"entry\":[");
    push_entry(&mut text, COMPOSITION_URL, &composition);
    if let Some((url, held)) = &patient {
        push_entry(&mut text, url, &held.text);
    }
    for (url, item) in &items {
        push_entry(&mut text, url, &item.held.text);
    }
    for held in supporting {
        let url = urls.unique(held);
        push_entry(&mut text, &url, &held.text);
    }
    text.pop();
    text.push_str("]}");
    text.into_bytes()
}

fn push_head(text: &mut String, patient: Option<&Held<'_>>, date: Option<&str>) {
    if let Some(patient) = patient {
        let (name, _) = identify(patient.source);
        let hash = Sha256::digest(name.as_str());
        text.push_str(",\"identifier\":{\"system\":\"urn:lifeboat:record\",\"value\":\"");
        text.push_str(&hex(&hash[..16]));
        text.push_str("\"}");
    }
    if let Some(date) = date {
        text.push_str(",\"timestamp\":");
        json::push_string(text, date);
    }
}

fn push_entry(text: &mut String, url: &str, resource: &str) {
    text.push_str("{\"fullUrl\":");
    json::push_string(text, url);
    text.push_str(",\"resource\":");
    text.push_str(resource);
    text.push_str("},");
}

/// Returns when the source last changed anything that is held, as it wrote it.
fn newest_update<'h, 'p: 'h>(all: impl Iterator<Item = &'h Held<'p>>) -> Option<Cow<'p, str>> {
    all.filter_map(Held::last_updated).max().map(|(_, text)| text)
}
