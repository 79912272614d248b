//! Consultations: an encounter, and the nested lists of topics and headings that say what was written in it.
//!
//! The record shows a consultation as its encounter with the text of each topic below it. A note that is nothing
//! but a piece of that text is told there and does not become an item of its own.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::response::Response;
use super::translation::{Translation, is_confidential};
use super::value::{append, extend, extension, has_code, items_of, make_list, rename, take, text};
use super::words;

const CONSULTATION: &str = "325851000000107";
const TOPIC: &str = "25851000000105";
const CATEGORY: &str = "24781000000107";

/// How deep lists lie in lists.
const DEPTH_MAX: u32 = 8;

/// What was written under one topic.
#[derive(Default)]
struct Topic {
    title: Option<String>,
    lines: Vec<String>,
}

/// What was written in the consultations of a response.
#[derive(Default)]
pub(super) struct Consultations {
    topics: HashMap<usize, Vec<Topic>>,
    /// Consultations, topics and headings that no encounter goes with.
    stray: Vec<usize>,
    /// Notes that are told with an encounter.
    told: HashSet<usize>,
    /// Whether a list names something that is not in the response.
    pub(super) lacks_items: bool,
}

/// Says whether a list is a part of a consultation.
pub(super) fn is_part(list: &Value) -> bool {
    let code = list.get("code").unwrap_or(&Value::Null);
    [CONSULTATION, TOPIC, CATEGORY].iter().any(|part| has_code(code, part))
}

struct Reader<'r> {
    response: &'r Response,
    seen: HashSet<usize>,
    told: Vec<usize>,
    lacks_items: bool,
    /// The day of the encounter that is being read.
    day: Option<String>,
}

impl Consultations {
    /// Reads all lists that are parts of consultations, from the outermost in.
    pub(super) fn of(response: &Response, wanted: &dyn Fn(usize) -> bool) -> Self {
        let mut consultations = Self::default();
        let mut reader =
            Reader { response, seen: HashSet::new(), told: Vec::new(), lacks_items: false, day: None };
        for code in [CONSULTATION, TOPIC, CATEGORY] {
            let lists = response.of_kind("List").filter(|(at, list)| {
                wanted(*at) && has_code(list.resource.get("code").unwrap_or(&Value::Null), code)
            });
            for (at, list) in lists {
                if !reader.seen.insert(at) {
                    continue;
                }
                let encounter =
                    list.resource.get("encounter").and_then(|encounter| response.target(encounter, at));
                let encounter = encounter.filter(|(found, entry)| {
                    entry.kind == "Encounter" && wanted(*found) && !is_confidential(&entry.resource)
                });
                let place = encounter.map(|(found, _)| found);
                if place.is_none() {
                    consultations.stray.push(at);
                }
                reader.day = place.and_then(|found| {
                    text(response.entries[found].resource.get("period")?, "start").map(words::day)
                });
                let topics = if code == CONSULTATION { reader.topics(at) } else { vec![reader.topic(at)] };
                let said =
                    topics.into_iter().filter(|topic| topic.title.is_some() || !topic.lines.is_empty());
                consultations.topics.entry(place.unwrap_or(at)).or_default().extend(said);
            }
        }
        consultations.told = reader.told.into_iter().collect();
        consultations.lacks_items = reader.lacks_items;
        consultations
    }

    /// Says whether an observation is a note that is told with its encounter.
    pub(super) fn tells(&self, at: usize) -> bool {
        self.told.contains(&at)
    }

    /// Translates an encounter with what was written in it.
    pub(super) fn encounter(&self, translation: &mut Translation<'_>, at: usize) -> Value {
        let mut encounter = translation.common(at);
        rename(&mut encounter, "reason", "reasonCode");
        rename(&mut encounter, "incomingReferral", "basedOn");
        for list in ["type", "reasonCode", "participant", "location"] {
            make_list(&mut encounter, list);
        }
        self.write(at, &mut encounter);
        encounter
    }

    /// Translates consultations that have no encounter as encounters of which no more is known.
    pub(super) fn strays(&self, translation: &mut Translation<'_>) -> Vec<(usize, Value)> {
        let mut found = Vec::new();
        for at in &self.stray {
            if self.topics.get(at).is_none_or(Vec::is_empty) {
                continue;
            }
            let mut list = translation.common(*at);
            let mut encounter = json!({
                "resourceType": "Encounter",
                "id": format!("list-{at}"),
                "status": "unknown",
                "type": [{"text": "Consultation"}],
                "subject": take(&mut list, "subject"),
                "period": {"start": take(&mut list, "date")}
            });
            let extensions = items_of(&list, "extension")
                .iter()
                .filter(|part| text(part, "url").is_some_and(|url| url.starts_with("urn:lifeboat:")));
            let extensions: Vec<Value> = extensions.cloned().collect();
            append(&mut encounter, "extension", extensions);
            self.write(*at, &mut encounter);
            found.push((*at, encounter));
        }
        found
    }

    fn write(&self, at: usize, encounter: &mut Value) {
        let topics = self.topics.get(&at).map(Vec::as_slice).unwrap_or_default();
        let mut titles: Vec<&str> = Vec::new();
        for title in topics.iter().filter_map(|topic| topic.title.as_deref()) {
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        let known: Vec<String> =
            items_of(encounter, "reasonCode").iter().filter_map(words::concept).collect();
        titles.retain(|title| !known.iter().any(|known| known == title));
        append(encounter, "reasonCode", titles.into_iter().map(|title| json!({"text": title})));
        for topic in topics.iter().filter(|topic| !topic.lines.is_empty()) {
            let body = topic.lines.join("\n");
            let sentence = match &topic.title {
                Some(title) if topics.len() > 1 => format!("{title}\n{body}"),
                _ => body,
            };
            extend(encounter, "consultation-notes", &sentence);
        }
    }
}

impl Reader<'_> {
    /// Reads the topics of a consultation; items outside any topic are one without a title.
    fn topics(&mut self, at: usize) -> Vec<Topic> {
        let mut topics = Vec::new();
        let mut flat = Topic::default();
        for (entry, found) in self.entries(at) {
            match found {
                Some(list) if self.is_list(list) => {
                    if self.seen.insert(list) {
                        topics.push(self.topic(list));
                    }
                }
                found => flat.lines.extend(self.item(&entry, found)),
            }
        }
        if !flat.lines.is_empty() {
            topics.push(flat);
        }
        topics
    }

    fn topic(&mut self, at: usize) -> Topic {
        let list = &self.response.entries[at].resource;
        let problem = || {
            let header = extension(list, "RelatedProblemHeader")?;
            let target = items_of(header, "extension").iter().find_map(|part| part.get("valueReference"))?;
            let (problem, _) = self.response.target(target, at)?;
            words::item(self.response, problem)
        };
        let title = text(list, "title").map(str::to_owned).or_else(problem);
        Topic { title, lines: self.lines(at, DEPTH_MAX) }
    }

    fn lines(&mut self, at: usize, depth: u32) -> Vec<String> {
        let mut lines: Vec<String> =
            words::notes(&self.response.entries[at].resource).map(str::to_owned).collect();
        for (entry, found) in self.entries(at) {
            match found {
                Some(list) if self.is_list(list) => {
                    if depth > 0 && self.seen.insert(list) {
                        let inner = self.lines(list, depth - 1);
                        let heading = text(&self.response.entries[list].resource, "title");
                        match (heading, inner.is_empty()) {
                            (_, true) => {}
                            (Some(heading), false) => lines.push(format!("{heading}: {}", inner.join("; "))),
                            (None, false) => lines.extend(inner),
                        }
                    }
                }
                found => lines.extend(self.item(&entry, found)),
            }
        }
        lines
    }

    fn item(&mut self, entry: &Value, found: Option<usize>) -> Option<String> {
        let Some(at) = found else {
            self.lacks_items = true;
            let display = entry.get("item").and_then(|item| text(item, "display"));
            return Some(display.unwrap_or("(an item that is not in the source's answer)").to_owned());
        };
        let words = words::item(self.response, at)?;
        let entry = &self.response.entries[at];
        let is_told = entry.kind == "Observation"
            && words::is_comment_note(&entry.resource)
            && !entry.resource.as_object().is_some_and(|members| {
                members
                    .keys()
                    .any(|name| name.starts_with("value") || matches!(name.as_str(), "component" | "related"))
            });
        if is_told && !is_confidential(&entry.resource) {
            self.told.push(at);
            return Some(self.dated(words, &entry.resource));
        }
        // What is withheld as an item is not told as text.
        (!is_confidential(&entry.resource)).then_some(words)
    }

    /// Returns the words of a note, with its day where that is not the day of the encounter.
    fn dated(&self, words: String, note: &Value) -> String {
        let days =
            ["effectiveDateTime", "issued"].into_iter().filter_map(|name| text(note, name)).map(words::day);
        let mut other: Vec<String> = days.filter(|day| Some(day) != self.day.as_ref()).collect();
        other.dedup();
        if other.is_empty() { words } else { format!("{words} ({})", other.join(", recorded ")) }
    }

    fn entries(&self, at: usize) -> Vec<(Value, Option<usize>)> {
        let list = &self.response.entries[at].resource;
        let entries = items_of(list, "entry").iter().map(|entry| {
            let item = entry.get("item").unwrap_or(&Value::Null);
            (entry.clone(), self.response.target(item, at).map(|(found, _)| found))
        });
        entries.collect()
    }

    fn is_list(&self, at: usize) -> bool {
        self.response.entries[at].kind == "List"
    }
}
