//! Marks every piece of personal data, so that a test can look for it where it must not be.

use serde_json::{Value, json};

/// The fields whose text is a name, a number, an address, or written by people.
const MARKED: &[&str] = &[
    "family",
    "given",
    "line",
    "city",
    "district",
    "postalCode",
    "display",
    "text",
    "description",
    "comment",
    "valueString",
    "conclusion",
    "title",
    "div",
    "onsetString",
    "lotNumber",
    "patientInstruction",
];

/// Appends `marker` to every marked text in `value`, and to telephone numbers and local identifiers.
///
/// The NHS number keeps its digits, or it would not be one; an identifier beside it is the marker.
pub(crate) fn mark(value: &mut Value, marker: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mark(item, marker)),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match key.as_str() {
                    "telecom" => mark_values(field, marker),
                    "identifier" => add_identifier(field, marker),
                    key if MARKED.contains(&key) => mark_texts(field, marker),
                    _ => mark(field, marker),
                }
            }
        }
        _ => {}
    }
}

fn mark_texts(field: &mut Value, marker: &str) {
    match field {
        Value::String(text) => append(text, marker),
        Value::Array(items) => items.iter_mut().for_each(|item| mark_texts(item, marker)),
        other => mark(other, marker),
    }
}

fn mark_values(field: &mut Value, marker: &str) {
    for contact in field.as_array_mut().into_iter().flatten() {
        if let Some(Value::String(text)) = contact.get_mut("value") {
            append(text, marker);
        }
    }
}

fn add_identifier(field: &mut Value, marker: &str) {
    mark(field, marker);
    if let Value::Array(identifiers) = field {
        identifiers.push(json!({"system": "https://demonstration.example/Id/marker", "value": marker}));
    }
}

fn append(text: &mut String, marker: &str) {
    match text.strip_suffix("</div>") {
        Some(inner) => *text = format!("{inner} {marker}</div>"),
        None => {
            text.push(' ');
            text.push_str(marker);
        }
    }
}
