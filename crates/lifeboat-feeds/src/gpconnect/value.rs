//! JSON whose shape nobody vouches for: readers that take what is there and never fail.

use serde_json::{Map, Value};

/// Returns the text of a member.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// Returns the elements of a list, or the value itself where a source writes one of a list alone.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

/// Returns the elements of a member.
pub(super) fn items_of<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).map(items).unwrap_or_default()
}

/// Takes a member out.
pub(super) fn take(value: &mut Value, name: &str) -> Value {
    value.as_object_mut().and_then(|members| members.shift_remove(name)).unwrap_or_default()
}

/// Puts a member in; nothing where there is nothing to put.
pub(super) fn put(value: &mut Value, name: &str, member: Value) {
    if let (Some(members), false) = (value.as_object_mut(), member.is_null()) {
        members.insert(name.to_owned(), member);
    }
}

/// Gives a member another name, unless one of that name is there.
pub(super) fn rename(value: &mut Value, from: &str, to: &str) {
    if value.get(to).is_none() {
        let member = take(value, from);
        put(value, to, member);
    }
}

/// Turns a member into a list of itself, unless it is one.
pub(super) fn make_list(value: &mut Value, name: &str) {
    let member = take(value, name);
    put(value, name, listed(member));
}

/// Returns a list of a value, unless it is one or is nothing.
pub(super) fn listed(value: Value) -> Value {
    match value {
        Value::Null | Value::Array(_) => value,
        one => Value::Array(vec![one]),
    }
}

/// Adds elements to the end of a list member.
pub(super) fn append(value: &mut Value, name: &str, more: impl IntoIterator<Item = Value>) {
    let mut list = match listed(take(value, name)) {
        Value::Array(list) => list,
        _ => Vec::new(),
    };
    list.extend(more.into_iter().filter(|item| !item.is_null()));
    if !list.is_empty() {
        put(value, name, Value::Array(list));
    }
}

/// Adds a note with this text, unless there is one that says the same.
pub(super) fn note(value: &mut Value, text: &str) {
    let known = items_of(value, "note").iter().any(|note| self::text(note, "text") == Some(text.trim()));
    if !known && !text.trim().is_empty() {
        append(value, "note", [serde_json::json!({"text": text})]);
    }
}

/// Adds an extension of this project that carries a sentence.
pub(super) fn extend(value: &mut Value, name: &str, sentence: &str) {
    let extension = serde_json::json!({"url": format!("urn:lifeboat:{name}"), "valueString": sentence});
    append(value, "extension", [extension]);
}

/// Returns the extension whose URL contains `part`.
pub(super) fn extension<'v>(value: &'v Value, part: &str) -> Option<&'v Value> {
    items_of(value, "extension").iter().find(|extension| url_contains(extension, part))
}

/// Takes the extensions out whose URL contains `part`.
pub(super) fn take_extensions(value: &mut Value, part: &str) -> Vec<Value> {
    let Value::Array(all) = listed(take(value, "extension")) else { return Vec::new() };
    let (taken, kept): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|extension| url_contains(extension, part));
    if !kept.is_empty() {
        put(value, "extension", Value::Array(kept));
    }
    taken
}

fn url_contains(extension: &Value, part: &str) -> bool {
    text(extension, "url").is_some_and(|url| url.contains(part))
}

/// Returns the value of an extension, whatever its type.
pub(super) fn value_of(holder: &Value) -> Option<(&str, &Value)> {
    let members = holder.as_object()?;
    members.iter().find_map(|(name, value)| Some((name.strip_prefix("value")?, value)))
}

/// Says whether a concept, or one of a list of concepts, carries the code.
pub(super) fn has_code(concept: &Value, code: &str) -> bool {
    codings(concept).any(|coding| text(coding, "code") == Some(code))
}

/// Returns the codings of a concept, or of a list of concepts.
pub(super) fn codings(concept: &Value) -> impl Iterator<Item = &Value> {
    items(concept).iter().flat_map(|concept| items_of(concept, "coding"))
}

/// Returns the members of an object, or nothing.
pub(super) fn members(value: &mut Value) -> Option<&mut Map<String, Value>> {
    value.as_object_mut()
}

/// Returns a number or a text as it is written.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
