//! What is at hand while one document is translated, and how its data types become FHIR's.

use std::collections::BTreeMap;

use lifeboat_clinical::{PartialDate, SectionId};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::narrative::Narratives;
use super::systems;
use super::xml::Element;
use crate::problem::{Problem, Reason};
use crate::r4::{self, Document};
use crate::rules::{Confidential, Rules};

/// The longest id of a FHIR resource.
const ID_BYTES_MAX: usize = 64;
/// How many things that could not be read are reported one by one.
const PROBLEMS_MAX: usize = 1_000;

/// A document while it is translated.
pub(super) struct Translation<'d> {
    /// What comes out.
    pub(super) document: Document,
    /// The texts for people.
    pub(super) narratives: Narratives<'d>,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
    /// When the document was made, as an instant, so that newer documents count.
    pub(super) updated: Option<String>,
    /// The name of what is being read, for problems.
    pub(super) place: &'static str,
    /// Whether what is being read is confidential and kept all the same.
    pub(super) is_marked: bool,
    keeps_confidential: bool,
    ids: BTreeMap<String, u32>,
    /// Dates of the item being read that are none, as written.
    unread: Vec<String>,
}

/// When something was.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct When {
    /// A point in time.
    pub(super) at: Option<String>,
    /// The beginning of a period.
    pub(super) low: Option<String>,
    /// The end of a period.
    pub(super) high: Option<String>,
    /// Whether it has ended on a date that nobody knows.
    pub(super) has_unknown_end: bool,
}

impl When {
    /// Returns the point in time, or the beginning, or the end.
    pub(super) fn any(&self) -> Option<&str> {
        self.at.as_deref().or(self.low.as_deref()).or(self.high.as_deref())
    }

    /// Returns when it began.
    pub(super) fn start(&self) -> Option<&str> {
        self.at.as_deref().or(self.low.as_deref())
    }

    /// Puts it into a resource as `<name>DateTime` or `<name>Period`.
    pub(super) fn put(&self, resource: &mut Value, name: &str) {
        match &self.at {
            Some(at) => resource[format!("{name}DateTime")] = json!(at),
            None if self.high.is_some() || self.low.is_some() => {
                resource[format!("{name}Period")] = self.period();
            }
            None => {}
        }
    }

    /// Returns it as a Period.
    pub(super) fn period(&self) -> Value {
        json!({"start": self.start(), "end": self.high})
    }
}

impl<'d> Translation<'d> {
    /// Begins the translation of a document about the patient of this FHIR id.
    pub(super) fn new(root: &'d Element, patient_id: &str, rules: &Rules) -> Self {
        Self {
            document: Document::about(patient_id),
            narratives: Narratives::of(root),
            problems: Vec::new(),
            updated: None,
            place: "ClinicalDocument",
            is_marked: false,
            keeps_confidential: rules.confidential == Confidential::Keep,
            ids: BTreeMap::new(),
            unread: Vec::new(),
        }
    }

    /// Says whether something with this confidentiality code is to be left out; what is kept is marked.
    pub(super) fn is_withheld(&mut self, code: Option<&Element>) -> bool {
        let is_confidential =
            code.and_then(|code| code.attribute("code")).is_some_and(|code| matches!(code, "R" | "V" | "S"));
        self.is_marked = is_confidential;
        is_confidential && !self.keeps_confidential
    }

    /// Reports something that could not be read.
    pub(super) fn problem(&mut self, reason: Reason) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem::at(self.place, reason));
        }
    }

    /// Adds an item that was read from `entry`, gives it an id, and returns that.
    pub(super) fn item(
        &mut self,
        section: Option<SectionId>,
        entry: Option<&Element>,
        mut item: Value,
    ) -> String {
        for written in std::mem::take(&mut self.unread) {
            let note = json!({"text": format!("Date as written by the source: {written}")});
            match item["note"].as_array_mut() {
                Some(notes) => notes.push(note),
                None => item["note"] = json!([note]),
            }
        }
        let id = self.id_of(entry, &item);
        item["id"] = json!(id);
        let mut meta = Map::new();
        meta.extend(self.updated.clone().map(|updated| ("lastUpdated".to_owned(), json!(updated))));
        if self.is_marked {
            meta.insert(
                "security".to_owned(),
                json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]),
            );
        }
        if !meta.is_empty() {
            item["meta"] = Value::Object(meta);
        }
        match section {
            Some(section) => self.document.push_in(section, item),
            None => self.document.push(item),
        }
        id
    }

    /// Adds text for people as an item of its own.
    pub(super) fn text_item(&mut self, section: SectionId, title: Value, text: &str, date: Option<&str>) {
        let item = json!({
            "resourceType": "DocumentReference",
            "status": "current",
            "type": title,
            "subject": self.document.subject(),
            "date": date,
            "description": text
        });
        self.item(Some(section), None, item);
    }

    /// Returns an id of the document's own, or one made of the content; never the same twice.
    fn id_of(&mut self, entry: Option<&Element>, item: &Value) -> String {
        let own = entry.and_then(|entry| entry.all("id").find_map(identity));
        let id = own.unwrap_or_else(|| hash(item.to_string().as_bytes()));
        let id = fhir_id(&id);
        let times = self.ids.entry(id.clone()).or_default();
        *times += 1;
        if *times == 1 { id } else { fhir_id(&format!("{id}-{times}")) }
    }

    /// Returns what `text`, or text that it refers to, says.
    pub(super) fn words(&self, element: Option<&Element>) -> Option<String> {
        self.narratives.words(element)
    }

    /// Returns a concept with all its codes and the source's words.
    pub(super) fn concept(&self, code: Option<&Element>) -> Option<Value> {
        let code = code?;
        let mut codings: Vec<Value> = Vec::new();
        let translations = code.all("translation");
        codings.extend(std::iter::once(code).chain(translations).filter_map(coding));
        let text = self.words(code.child("originalText"));
        let text = text.or_else(|| code.attribute("displayName").map(str::to_owned));
        let text = match qualifiers(code) {
            Some(said) => Some(text.map_or_else(|| said.clone(), |text| format!("{text}; {said}"))),
            None => text,
        };
        (!codings.is_empty() || text.is_some()).then(|| r4::concept(codings, text.as_deref()))
    }

    /// Returns a date or time; what is none is reported, and kept with the item.
    pub(super) fn moment(&mut self, element: Option<&Element>) -> Option<String> {
        let written = element?.attribute("value")?;
        let read = moment(written);
        if read.is_none() {
            self.problem(Reason::NotADate);
            self.unread.push(written.chars().take(64).collect());
        }
        read
    }

    /// Returns when something was.
    pub(super) fn when(&mut self, element: Option<&Element>) -> When {
        let Some(element) = element else {
            return When::default();
        };
        let part = |name| element.child(name);
        let high = part("high");
        let has_unknown_end = high.is_some_and(|high| high.is("nullFlavor", "UNK"));
        let centre = part("center");
        When {
            at: self.moment(Some(element)).or_else(|| self.moment(centre)),
            low: self.moment(part("low")),
            high: self.moment(high),
            has_unknown_end,
        }
    }

    /// Returns the people who wrote an entry, or did what it says, by name.
    pub(super) fn people(&self, entry: &Element, role: &str) -> Vec<Value> {
        entry.all(role).filter_map(who).map(|name| r4::named(&name)).collect()
    }

    /// Returns who wrote an entry first, and when.
    pub(super) fn author(&mut self, entry: &Element) -> (Option<Value>, Option<String>) {
        let author = entry.child("author");
        let name = author.and_then(who).map(|name| r4::named(&name));
        (name, self.moment(author.and_then(|author| author.child("time"))))
    }

    /// Returns the comments and instructions that hang on an entry.
    pub(super) fn comments(&self, entry: &Element) -> Vec<String> {
        let mut comments = Vec::new();
        for act in related(entry).filter(|act| act.name() == "act") {
            let is_concern = act.child("code").is_some_and(|code| code.is("code", "CONC"));
            if !is_concern && let Some(text) = self.words(act.child("text")) {
                comments.push(text);
            }
        }
        comments
    }
}

/// Returns the statements that hang on a statement.
pub(super) fn related(entry: &Element) -> impl Iterator<Item = &Element> {
    entry.all("entryRelationship").flat_map(Element::elements).filter(|element| is_statement(element))
}

/// Returns the observations that hang on a statement and have this code.
pub(super) fn observed<'e>(entry: &'e Element, codes: &'e [&str]) -> impl Iterator<Item = &'e Element> {
    related(entry).filter(move |related| {
        let code = related.child("code").and_then(|code| code.attribute("code"));
        related.name() == "observation" && code.is_some_and(|code| codes.contains(&code))
    })
}

/// Returns the code of the value of the observation with one of these codes that hangs on a statement.
pub(super) fn observed_code<'e>(entry: &'e Element, codes: &'e [&str]) -> Option<&'e str> {
    observed(entry, codes).find_map(|observation| observation.child("value")?.attribute("code"))
}

/// Says whether an element is a clinical statement.
pub(super) fn is_statement(element: &Element) -> bool {
    matches!(
        element.name(),
        "act"
            | "encounter"
            | "observation"
            | "organizer"
            | "procedure"
            | "substanceAdministration"
            | "supply"
    )
}

/// Says whether a statement says that something is not so.
pub(super) fn is_negated(entry: &Element) -> bool {
    entry.attribute("negationInd").is_some_and(|flag| matches!(flag, "true" | "1"))
}

/// Returns root and extension of an identifier.
pub(super) fn identity(id: &Element) -> Option<String> {
    let root = id.attribute("root");
    match (root, id.attribute("extension")) {
        (Some(root), Some(extension)) => Some(format!("{root}-{extension}")),
        (Some(root), None) => Some(root.to_owned()),
        (None, Some(extension)) => Some(extension.to_owned()),
        (None, None) => None,
    }
}

/// Returns a text as a FHIR id: other characters replaced, or a hash where that would lose or exceed something.
pub(super) fn fhir_id(text: &str) -> String {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if text.len() <= ID_BYTES_MAX && text.bytes().all(is_allowed) && !text.is_empty() {
        return text.to_owned();
    }
    hash(text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn coding(code: &Element) -> Option<Value> {
    let written = code.attribute("code")?;
    let system = code.attribute("codeSystem").map(systems::system);
    Some(json!({"system": system, "code": written, "display": code.attribute("displayName")}))
}

fn qualifiers(code: &Element) -> Option<String> {
    let said: Vec<String> = code
        .all("qualifier")
        .filter_map(|qualifier| {
            let value = qualifier.child("value")?.attribute("displayName")?;
            let name = qualifier.child("name").and_then(|name| name.attribute("displayName"));
            Some(name.map_or_else(|| value.to_owned(), |name| format!("{name}: {value}")))
        })
        .collect();
    (!said.is_empty()).then(|| said.join(", "))
}

/// Returns the name of the person, device or organisation that a participation names.
pub(super) fn who(participation: &Element) -> Option<String> {
    let role = participation.elements().find(|element| {
        let name = element.name();
        name.starts_with("assigned")
            || name.contains("Entity")
            || name.contains("Agent")
            || name == "participantRole"
    })?;
    let person = role.elements().find(|element| {
        let name = element.name();
        name.ends_with("Person") || name.ends_with("PersonSDS") || name == "playingEntity"
    });
    let name = person.and_then(|person| person.child("name")).and_then(spoken_name);
    let place = role
        .elements()
        .find(|element| element.name().starts_with("represented") || element.name() == "scopingEntity");
    let place = place.and_then(|place| place.child("name")).and_then(spoken_name);
    match (name, place) {
        (Some(name), Some(place)) => Some(format!("{name}, {place}")),
        (name, place) => name.or(place).or_else(|| {
            let device = role.child("assignedAuthoringDevice")?;
            device.child("softwareName")?.own_text()
        }),
    }
}

/// Returns a name as one text.
pub(super) fn spoken_name(name: &Element) -> Option<String> {
    let parts: Vec<String> = ["prefix", "given", "family", "suffix"]
        .iter()
        .flat_map(|part| name.all(part))
        .filter_map(Element::own_text)
        .collect();
    if parts.is_empty() { name.own_text() } else { Some(parts.join(" ")) }
}

/// Returns a quantity as FHIR writes it: a number with its unit, or as text what is no number.
pub(super) fn quantity(element: &Element) -> Option<Value> {
    let unit = element.attribute("unit").filter(|unit| *unit != "1");
    let written = element
        .all("translation")
        .find_map(|translation| translation.child("originalText").and_then(Element::own_text));
    let unit = unit.map(str::to_owned).or(written);
    r4::quantity(element.attribute("value")?, unit.as_deref())
}

/// Returns a quantity as text.
pub(super) fn quantity_text(element: &Element) -> Option<String> {
    let number = |element: &Element| {
        let value = element.attribute("value")?;
        let unit = element.attribute("unit").filter(|unit| *unit != "1");
        Some(unit.map_or_else(|| value.to_owned(), |unit| format!("{value} {unit}")))
    };
    let part = |name| element.child(name).and_then(number);
    number(element).or_else(|| match (part("low"), part("high")) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        (Some(low), None) => Some(format!("from {low}")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => None,
    })
}

/// Reads a point in time of HL7 version 3 (`YYYYMMDDHHMMSS.FFFF+ZZZZ`, cut anywhere) as FHIR writes it.
pub(super) fn moment(text: &str) -> Option<String> {
    let text = text.trim();
    let (stamp, zone) = match text.find(['+', '-', 'Z']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (digits, fraction) = stamp.split_once('.').unwrap_or((stamp, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(digits) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let zone = offset(zone)?;
    let part = |from: usize, to: usize| digits.get(from..to);
    let date = match digits.len() {
        4 => digits.to_owned(),
        6 => format!("{}-{}", part(0, 4)?, part(4, 6)?),
        8 | 10 | 12 | 14 => format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        _ => return None,
    };
    date.parse::<PartialDate>().ok()?;
    // An hour without minutes is no time in FHIR; the date stays as exact as it can be.
    if digits.len() < 12 {
        return Some(date);
    }
    let seconds = part(12, 14).unwrap_or("00");
    let (hour, minute) = (part(8, 10)?, part(10, 12)?);
    if hour > "23" || minute > "59" || seconds > "60" {
        return None;
    }
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Some(format!("{date}T{hour}:{minute}:{seconds}{fraction}{zone}"))
}

/// Returns an offset as FHIR writes it; an absent one stays absent.
fn offset(zone: &str) -> Option<String> {
    match zone.as_bytes() {
        [] => Some(String::new()),
        b"Z" => Some("Z".to_owned()),
        [b'+' | b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => match digits.len() {
            2 => Some(format!("{zone}:00")),
            4 => Some(format!("{}:{}", &zone[..3], &zone[3..])),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{fhir_id, moment};

    #[test]
    fn moments_keep_the_precision_in_which_they_were_written() {
        let cases = [
            ("2014", Some("2014")),
            ("201410", Some("2014-10")),
            ("20141003", Some("2014-10-03")),
            ("2014100310", Some("2014-10-03")),
            ("201410031030", Some("2014-10-03T10:30:00")),
            ("20141003103026-0500", Some("2014-10-03T10:30:26-05:00")),
            ("20141003103026.123+01", Some("2014-10-03T10:30:26.123+01:00")),
            ("20141003-0500", Some("2014-10-03")),
            ("20240231", None),
            ("20141399", None),
            ("20141003256000", None),
            ("2014-10-03", None),
            ("é", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ids_have_allowed_characters_only() {
        assert_eq!(fhir_id("1.2.3-A"), "1.2.3-A");
        assert_eq!(fhir_id("a/b").len(), 32);
        assert_ne!(fhir_id("a/b"), fhir_id("a:b"));
        assert_eq!(fhir_id(&"a".repeat(65)).len(), 32);
        assert_eq!(fhir_id("").len(), 32);
    }
}
