//! Observations of a C-CDA document: results, vital signs, social history, functional status, advance directives.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::translation::{Translation, When, is_negated, is_statement, quantity, quantity_text, related};
use super::xml::Element;
use crate::r4;

/// Makes items of an observation, or of an organizer of several.
pub(super) fn map(translation: &mut Translation<'_>, entry: &Element, section: SectionId) -> Option<()> {
    match entry.name() {
        "observation" => {
            observation(translation, entry, section, &When::default());
            Some(())
        }
        "organizer" => organizer(translation, entry, section),
        "act" => {
            let inner: Vec<&Element> = related(entry).filter(|inner| inner.name() == "observation").collect();
            for observation in &inner {
                self::observation(translation, observation, section, &When::default());
            }
            (!inner.is_empty()).then_some(())
        }
        _ => None,
    }
}

fn organizer(translation: &mut Translation<'_>, entry: &Element, section: SectionId) -> Option<()> {
    let when = translation.when(entry.child("effectiveTime"));
    let mut members = Vec::new();
    let mut others = Vec::new();
    for component in entry.all("component") {
        for statement in component.elements().filter(|element| is_statement(element)) {
            match statement.name() {
                "observation" => members.push(observation(translation, statement, section, &when)),
                "organizer" => {
                    organizer(translation, statement, section);
                }
                _ => others.extend(said(translation, statement)),
            }
        }
    }
    let is_report = section == SectionId::Results && (members.len() > 1 || entry.child("code").is_some());
    if is_report && !members.is_empty() {
        let code = translation.concept(entry.child("code"));
        let notes = others.iter().chain(&translation.comments(entry)).cloned().collect::<Vec<_>>();
        let members: Vec<Value> =
            members.iter().map(|id| json!({"reference": format!("Observation/{id}")})).collect();
        let mut report = json!({
            "resourceType": "DiagnosticReport",
            "status": status(entry),
            "category": [r4::hl7("observation-category", "laboratory")],
            "subject": translation.document.subject(),
            "code": code,
            "result": members,
            "performer": translation.people(entry, "performer"),
            "extension": notes.iter().map(|note| json!({"url": "urn:lifeboat:note", "valueString": note})).collect::<Vec<_>>()
        });
        when.put(&mut report, "effective");
        translation.item(None, Some(entry), report);
        return Some(());
    }
    (!members.is_empty()).then_some(())
}

/// Returns in words what a statement says that is no observation, such as how a specimen was taken.
fn said(translation: &Translation<'_>, statement: &Element) -> Option<String> {
    let concept = translation.concept(statement.child("code"))?;
    let coding = &concept["coding"][0]["display"];
    concept["text"].as_str().or(coding.as_str()).map(str::to_owned)
}

/// Adds an observation and returns its id.
fn observation(
    translation: &mut Translation<'_>,
    entry: &Element,
    section: SectionId,
    organized: &When,
) -> String {
    let mut when = translation.when(entry.child("effectiveTime"));
    if when.any().is_none() {
        when = organized.clone();
    }
    let mut values = entry.all("value");
    let first = values.next();
    // An assertion has its meaning in the value.
    let is_assertion = entry.child("code").is_none_or(|code| {
        code.is("code", "ASSERTION")
            || (code.attribute("code").is_none() && code.attribute("nullFlavor").is_some())
    });
    let of_value = if is_assertion { translation.concept(first) } else { None };
    let (code, first) = match of_value {
        Some(code) => (Some(code), None),
        None => (translation.concept(entry.child("code")), first),
    };
    let code = code.or_else(|| translation.words(entry.child("text")).map(|text| json!({"text": text})));
    let mut notes = translation.comments(entry);
    if is_negated(entry) {
        notes.insert(0, "The source says that this is not so (negated).".to_owned());
    }
    let mut item = json!({
        "resourceType": "Observation",
        "status": status(entry),
        "category": category(section).into_iter().map(|code| r4::hl7("observation-category", code)).collect::<Vec<_>>(),
        "subject": translation.document.subject(),
        "code": code,
        "interpretation": entry.all("interpretationCode").filter_map(|code| translation.concept(Some(code))).collect::<Vec<_>>(),
        "referenceRange": ranges(translation, entry),
        "method": translation.concept(entry.child("methodCode")),
        "bodySite": translation.concept(entry.child("targetSiteCode")),
        "performer": performers(translation, entry),
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    when.put(&mut item, "effective");
    if let Some(first) = first {
        put_value(translation, &mut item, first);
    }
    let mut components: Vec<Value> = Vec::new();
    for value in values {
        let mut component = json!({"code": item["code"]});
        put_value(translation, &mut component, value);
        components.push(component);
    }
    for inner in related(entry).filter(|inner| inner.name() == "observation") {
        components.push(component(translation, inner));
    }
    item["component"] = json!(components);
    if is_negated(entry) {
        // What is not so must not read as if it were.
        item["status"] = json!("cancelled");
    }
    translation.item(Some(section), Some(entry), item)
}

/// Returns an observation that hangs on another, as a part of it.
fn component(translation: &mut Translation<'_>, entry: &Element) -> Value {
    let code = translation.concept(entry.child("code"));
    let code = code.or_else(|| translation.words(entry.child("text")).map(|text| json!({"text": text})));
    let mut component = json!({
        "code": code.unwrap_or_else(|| json!({"text": "Further observation"})),
        "referenceRange": ranges(translation, entry)
    });
    if let Some(value) = entry.child("value") {
        put_value(translation, &mut component, value);
    }
    component
}

fn performers(translation: &mut Translation<'_>, entry: &Element) -> Vec<Value> {
    let mut people = translation.people(entry, "performer");
    if people.is_empty() {
        people.extend(translation.author(entry).0);
    }
    people
}

fn status(entry: &Element) -> &'static str {
    match entry.child("statusCode").and_then(|status| status.attribute("code")) {
        Some("completed") => "final",
        Some("active" | "new" | "held" | "suspended") => "preliminary",
        Some("aborted" | "cancelled") => "cancelled",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

fn category(section: SectionId) -> Option<&'static str> {
    match section {
        SectionId::Results => Some("laboratory"),
        SectionId::Observations => Some("vital-signs"),
        SectionId::SocialHistory => Some("social-history"),
        _ => None,
    }
}

fn ranges(translation: &Translation<'_>, entry: &Element) -> Vec<Value> {
    entry
        .all("referenceRange")
        .filter_map(|range| range.child("observationRange"))
        .filter_map(|range| {
            let value = range.child("value");
            let limit = |name| value.and_then(|value| value.child(name)).and_then(quantity);
            let (low, high) = (limit("low"), limit("high"));
            let text = translation.words(range.child("text"));
            let written = value.filter(|_| low.is_none() && high.is_none());
            let written = written.and_then(|value| quantity_text(value).or_else(|| value.own_text()));
            let applies = translation.concept(range.child("interpretationCode"));
            let says_something = low.is_some() || high.is_some() || text.is_some() || written.is_some();
            says_something
                .then(|| json!({"low": low, "high": high, "text": text.or(written), "type": applies}))
        })
        .collect()
}

/// Puts a value of any data type into an observation or a part of one, as written.
pub(super) fn put_value(translation: &mut Translation<'_>, item: &mut Value, value: &Element) {
    let kind = value.attribute("type").unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or(kind);
    let (name, read) = match kind {
        "PQ" | "REAL" | "MO" => ("valueQuantity", quantity(value)),
        "INT" => (
            "valueInteger",
            value.attribute("value").and_then(|number| number.parse::<i32>().ok()).map(Value::from),
        ),
        "IVL_PQ" | "IVL_INT" | "IVL_REAL" => interval(value),
        "CD" | "CE" | "CV" | "CO" | "CS" => ("valueCodeableConcept", translation.concept(Some(value))),
        "BL" => (
            "valueBoolean",
            value.attribute("value").and_then(|flag| flag.parse::<bool>().ok()).map(Value::from),
        ),
        "TS" => ("valueDateTime", translation.moment(Some(value)).map(Value::from)),
        "IVL_TS" => {
            let when = translation.when(Some(value));
            ("valuePeriod", when.any().map(|_| when.period()))
        }
        "RTO" | "RTO_PQ_PQ" => ("valueString", ratio(value)),
        _ => ("valueString", None),
    };
    if let Some(read) = read {
        item[name] = read;
        return;
    }
    let text = translation.words(Some(value)).or_else(|| quantity_text(value));
    let text = text.or_else(|| value.attribute("displayName").map(str::to_owned));
    match (text, value.attribute("nullFlavor")) {
        (Some(text), _) => item["valueString"] = json!(text),
        (None, Some(flavor)) => item["dataAbsentReason"] = json!({"text": absence(flavor)}),
        (None, None) => {}
    }
}

/// Returns an interval: a range, or a quantity with a comparator where one end is open.
fn interval(value: &Element) -> (&'static str, Option<Value>) {
    let end = |name| value.child(name).filter(|end| end.attribute("value").is_some());
    let compared = |end: &Element, open: &str, closed: &str| {
        let mut read = quantity(end)?;
        read["comparator"] = json!(if end.is("inclusive", "false") { open } else { closed });
        Some(read)
    };
    match (end("low"), end("high")) {
        (Some(low), Some(high)) => {
            let range =
                quantity(low).zip(quantity(high)).map(|(low, high)| json!({"low": low, "high": high}));
            ("valueRange", range)
        }
        (Some(low), None) => ("valueQuantity", compared(low, ">", ">=")),
        (None, Some(high)) => ("valueQuantity", compared(high, "<", "<=")),
        (None, None) => ("valueQuantity", quantity(value)),
    }
}

fn ratio(value: &Element) -> Option<Value> {
    let part = |name| value.child(name).and_then(quantity_text);
    Some(json!(format!("{} / {}", part("numerator")?, part("denominator")?)))
}

/// Returns what a null flavour means, in words.
pub(super) fn absence(flavor: &str) -> &'static str {
    match flavor {
        "NA" => "Not applicable",
        "UNK" => "Unknown",
        "ASKU" => "Asked but not known",
        "NAV" => "Temporarily unavailable",
        "NASK" => "Not asked",
        "MSK" => "Withheld by the source",
        "NI" => "No information",
        _ => "Not given",
    }
}
