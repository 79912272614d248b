//! JSON that stays in the source's own text.
//!
//! [`Json`] is one value as the source wrote it. Its parts are looked at without building a tree and
//! without copying, and without believing that anything has the shape that FHIR says: a missing, null
//! or oddly shaped part is simply not there. Of a repeated key the last one counts, as for other
//! readers.

use std::borrow::Cow;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One JSON value in the source's own text. The text is always a whole, well-formed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Reads one value that fills `text`, and checks all of its syntax.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&'a RawValue>(text).map(Self::of)
    }

    /// Returns the value that serde_json has checked.
    pub(crate) fn of(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }

    /// Returns the value's own text.
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    pub(crate) fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub(crate) fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    pub(crate) fn is_true(self) -> bool {
        self.0 == "true"
    }

    /// Returns the text of a string.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// Returns the text of a string, or the digits of a number where a string should be.
    pub(crate) fn scalar(self) -> Option<Cow<'a, str>> {
        match self.0.as_bytes().first()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(self.0)),
            _ => None,
        }
    }

    /// Returns the named members of an object, in the order of `names`.
    pub(crate) fn fields<const N: usize>(self, names: [&str; N]) -> [Option<Json<'a>>; N] {
        let mut found = [None; N];
        if self.is_object() {
            let visitor = FieldsVisitor {
                names: &names,
                found: &mut found,
            };
            // The text was checked when the value was made, so only nesting too deep for the
            // reader can fail here; what was found until then stands.
            let _ = serde_json::Deserializer::from_str(self.0).deserialize_map(visitor);
        }
        found
    }

    /// Returns one named member of an object.
    pub(crate) fn field(self, name: &str) -> Option<Json<'a>> {
        let [found] = self.fields([name]);
        found
    }

    /// Returns the member at the end of a path of names.
    pub(crate) fn path(self, names: &[&str]) -> Option<Json<'a>> {
        names
            .iter()
            .try_fold(self, |value, name| value.first()?.field(name))
    }

    /// Returns the text of a named member.
    pub(crate) fn text_of(self, name: &str) -> Option<Cow<'a, str>> {
        self.field(name)?.scalar()
    }

    /// Returns the elements of an array; a single value counts as an array of one.
    pub(crate) fn items(self) -> Vec<Json<'a>> {
        if !self.is_array() {
            return vec![self];
        }
        let elements: Vec<&'a RawValue> = serde_json::from_str(self.0).unwrap_or_default();
        elements
            .into_iter()
            .map(Self::of)
            .filter(|element| element.0 != "null")
            .collect()
    }

    /// Returns the first element of an array; a single value counts as an array of one.
    pub(crate) fn first(self) -> Option<Json<'a>> {
        if self.is_array() {
            self.items().into_iter().next()
        } else {
            Some(self)
        }
    }

    /// Returns every member of an object, in the source's order.
    pub(crate) fn members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        let mut members = Vec::new();
        if self.is_object() {
            let visitor = MembersVisitor(&mut members);
            let _ = serde_json::Deserializer::from_str(self.0).deserialize_map(visitor);
        }
        members
    }
}

struct FieldsVisitor<'f, 'a> {
    names: &'f [&'f str],
    found: &'f mut [Option<Json<'a>>],
}

impl<'a> Visitor<'a> for FieldsVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(at) = map.next_key_seed(NameSeed(self.names))? {
            if let Some(at) = at {
                let raw: &'a RawValue = map.next_value()?;
                self.found[at] = (raw.get() != "null").then(|| Json::of(raw));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads a key as its place in a list of names.
struct NameSeed<'n>(&'n [&'n str]);

impl<'de> DeserializeSeed<'de> for NameSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

struct MembersVisitor<'f, 'a>(&'f mut Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Visitor<'a> for MembersVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'a, str>>()? {
            let raw: &'a RawValue = map.next_value()?;
            self.0.push((key, Json::of(raw)));
        }
        Ok(())
    }
}

/// What keeps a well-formed value from being read by ordinary JSON readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nested more deeply than allowed.
    TooDeep,
    /// A number out of range, or a character escape that is half of a pair.
    Unreadable,
}

/// Checks that any ordinary JSON reader can read `value` in full, nested at most `depth_max` deep.
pub(crate) fn check(value: Json<'_>, depth_max: u32) -> Result<(), Flaw> {
    let mut deserializer = serde_json::Deserializer::from_str(value.text());
    CheckSeed(depth_max)
        .deserialize(&mut deserializer)
        .map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Flaw::TooDeep,
            _ => Flaw::Unreadable,
        })
}

struct CheckSeed(u32);

impl CheckSeed {
    fn inner<E: serde::de::Error>(&self) -> Result<u32, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for CheckSeed {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CheckSeed {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        let inner = self.inner()?;
        while seq.next_element_seed(CheckSeed(inner))?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let inner = self.inner()?;
        while map.next_key_seed(CheckSeed(inner))?.is_some() {
            map.next_value_seed(CheckSeed(inner))?;
        }
        Ok(())
    }
}

/// Replaces character escapes that are half of a pair, as a cut-off emoji leaves them, by the
/// replacement character. The length does not change.
pub(crate) fn mend_escapes(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut mended = text.to_owned();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match surrogate(bytes, at) {
            Some(Half::High) if matches!(surrogate(bytes, at + 6), Some(Half::Low)) => at += 12,
            Some(_) => {
                mended.replace_range(at..at + 6, "\\ufffd");
                at += 6;
            }
            None => at += 2,
        }
    }
    mended
}

enum Half {
    High,
    Low,
}

/// Says which half of a pair the escape at `at` is.
fn surrogate(bytes: &[u8], at: usize) -> Option<Half> {
    let escape = bytes.get(at..at + 6)?;
    let hex = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
    match u16::from_str_radix(hex, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// Returns the value's text without the white space between its parts.
pub(crate) fn compact(value: Json<'_>) -> Cow<'_, str> {
    let text = value.text();
    if !text.contains(['\n', '\r', '\t']) && !text.contains("\": ") && !text.contains(", \"") {
        return Cow::Borrowed(text);
    }
    let mut compacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', ' ', '\n', '\r', '\t']) {
        compacted.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('"') {
            let end = string_end(rest);
            compacted.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            rest = rest.trim_start_matches([' ', '\n', '\r', '\t']);
        }
    }
    compacted.push_str(rest);
    Cow::Owned(compacted)
}

/// Returns the length of the string at the start of `text`, with its quotes.
fn string_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Writes `text` as a JSON string at the end of `into`.
pub(crate) fn push_string(into: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("a string is always JSON");
    into.push_str(&quoted);
}

/// Writes an object from members whose values are JSON text.
pub(crate) fn object<'m>(members: impl IntoIterator<Item = (&'m str, &'m str)>) -> String {
    let mut text = String::from("{");
    for (key, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        push_string(&mut text, key);
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}

/// Calls `each` with the text of every `reference` member anywhere in `value`.
///
/// It may also be called for a member of that name which is no FHIR reference; nothing is missed.
pub(crate) fn each_reference(value: Json<'_>, mut each: impl FnMut(Cow<'_, str>)) {
    const KEY: &str = "\"reference\"";
    let mut rest = value.text();
    while let Some(at) = rest.find(KEY) {
        rest = rest[at + KEY.len()..].trim_start_matches([' ', '\n', '\r', '\t']);
        let Some(after) = rest.strip_prefix(':') else {
            continue;
        };
        rest = after.trim_start_matches([' ', '\n', '\r', '\t']);
        if rest.starts_with('"') {
            let end = string_end(rest);
            if let Some(text) = Json(&rest[..end]).string() {
                each(text);
            }
            rest = &rest[end..];
        }
    }
}

#[cfg(test)]
mod tests;
