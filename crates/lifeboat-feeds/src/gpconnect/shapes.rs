//! What is translated alike in resources of every type: references, words of codes, dates, profiles.

use lifeboat_clinical::PartialDate;
use serde_json::{Map, Value, json};

use super::response::{Response, SUPPORTING, plain_kind};
use super::value::{extend, items_of, put, text};
use super::words;
use crate::problem::{Problem, Reason};

/// How deep a resource is walked; what lies deeper stays as it is.
const DEPTH_MAX: u32 = 100;

/// Members that hold dates.
const DATES: [&str; 24] = [
    "authored",
    "authoredOn",
    "assertedDate",
    "birthDate",
    "collectedDateTime",
    "created",
    "date",
    "dateAsserted",
    "deceasedDateTime",
    "effectiveDateTime",
    "end",
    "expirationDate",
    "indexed",
    "issued",
    "lastOccurrence",
    "lastUpdated",
    "occurrenceDateTime",
    "onsetDateTime",
    "performedDateTime",
    "receivedTime",
    "recorded",
    "start",
    "valueDateTime",
    "abatementDateTime",
];

/// Translates what resources of every type have in common.
pub(super) fn translate(response: &Response, at: usize, problems: &mut Vec<Problem>) -> Value {
    let entry = &response.entries[at];
    let mut resource = entry.resource.clone();
    if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("profile");
    }
    let mut walk = Walk { response, at, unreadable: Vec::new() };
    walk.value(&mut resource, DEPTH_MAX);
    for (member, written) in walk.unreadable {
        extend(&mut resource, "unreadable-date", &format!("{member}: {written}"));
        problems.push(Problem::at(format!("{}.{member}", plain_kind(&entry.kind)), Reason::NotADate));
    }
    put(&mut resource, "resourceType", Value::from(entry.target_kind));
    put(&mut resource, "id", Value::from(entry.target_id.clone()));
    resource
}

struct Walk<'r> {
    response: &'r Response,
    at: usize,
    unreadable: Vec<(&'static str, String)>,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value, depth: u32) {
        match value {
            _ if depth == 0 => {}
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, depth - 1)),
            Value::Object(members) => self.object(members, depth),
            _ => {}
        }
    }

    fn object(&mut self, members: &mut Map<String, Value>, depth: u32) {
        for name in DATES {
            let unreadable = members
                .get(name)
                .and_then(Value::as_str)
                .filter(|date| !date.trim().is_empty() && PartialDate::of_date_time(date).is_none());
            if let Some(written) = unreadable.map(str::to_owned) {
                members.remove(name);
                self.unreadable.push((name, written));
            }
        }
        if members.get("reference").is_some_and(Value::is_string) {
            let reference = Value::Object(std::mem::take(members));
            if let Value::Object(translated) = self::reference(self.response, &reference, self.at) {
                *members = translated;
            }
        }
        if members.contains_key("coding") && !members.contains_key("text") {
            self.tell_concept(members);
        }
        members.values_mut().for_each(|member| self.value(member, depth - 1));
    }

    /// Gives a concept the words that the source's user chose, where its first code says it otherwise.
    fn tell_concept(&self, members: &mut Map<String, Value>) {
        let concept = Value::Object(std::mem::take(members));
        let shown = items_of(&concept, "coding").iter().find_map(|coding| text(coding, "display"));
        let words = words::concept(&concept).filter(|words| shown.is_some_and(|shown| shown != words));
        if let Value::Object(concept) = concept {
            *members = concept;
        }
        members.extend(words.map(|words| ("text".to_owned(), Value::from(words))));
    }
}

/// Translates a Reference in the resource at `from`.
///
/// What it means goes by its name. Only what is itself an item of the record keeps an address.
pub(super) fn reference(response: &Response, reference: &Value, from: usize) -> Value {
    let raw = text(reference, "reference").unwrap_or_default();
    let own = text(reference, "display");
    let mut translated = json!({});
    let mut display = own.map(str::to_owned);
    match response.target(reference, from) {
        Some((_, entry)) if entry.kind == "Patient" => {
            put(&mut translated, "reference", json!(format!("Patient/{}", entry.target_id)));
        }
        Some((at, entry)) if SUPPORTING.contains(&entry.kind.as_str()) => {
            display = display.or_else(|| words::name(response, at)).or_else(|| Some(raw.to_owned()));
        }
        Some((at, entry)) => {
            put(&mut translated, "reference", json!(format!("{}/{}", entry.target_kind, entry.target_id)));
            display = display.or_else(|| dated_words(response, at));
        }
        None if raw.contains("Patient/") && !raw.contains("Related") => {
            put(&mut translated, "reference", json!(raw))
        }
        None => display = display.or_else(|| Some(format!("{raw} (not in the source's answer)"))),
    }
    put(&mut translated, "display", display.map_or(Value::Null, Value::from));
    for kept in ["identifier", "extension"] {
        put(&mut translated, kept, reference.get(kept).cloned().unwrap_or_default());
    }
    translated
}

/// Returns an item in a few words, and its day.
fn dated_words(response: &Response, at: usize) -> Option<String> {
    let words = words::item(response, at)?;
    let resource = &response.entries.get(at)?.resource;
    let dates = [
        "effectiveDateTime",
        "onsetDateTime",
        "occurrenceDateTime",
        "assertedDate",
        "authoredOn",
        "date",
        "issued",
        "created",
    ];
    let period = resource.get("period").and_then(|period| text(period, "start"));
    let date = dates.iter().find_map(|name| text(resource, name)).or(period);
    Some(match date {
        Some(date) => format!("{words} ({})", words::day(date)),
        None => words,
    })
}
