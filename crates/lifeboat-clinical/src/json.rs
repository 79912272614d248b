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

/// A fixed set of an object's members, each as the source wrote it. Made by [`members!`].
pub(crate) trait Members<'a>: Default {
    /// Returns where the member of this name goes, if it is one of the set.
    fn slot(&mut self, key: &str) -> Option<&mut Option<Json<'a>>>;
}

/// Declares a struct of an object's members, which are all read in one pass.
macro_rules! members {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $key:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default)]
        $vis struct $name<'a> {
            $(pub(crate) $field: Option<$crate::json::Json<'a>>,)+
        }

        impl<'a> $crate::json::Members<'a> for $name<'a> {
            fn slot(&mut self, key: &str) -> Option<&mut Option<$crate::json::Json<'a>>> {
                match key {
                    $($key => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use members;

impl<'a> Json<'a> {
    /// Reads one value that fills `text`, and checks all of its syntax.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&'a RawValue>(text).map(Self::of)
    }

    /// Takes text that this crate has checked or written before.
    pub(crate) fn known(text: &'a str) -> Self {
        Self(text)
    }

    fn of(raw: &'a RawValue) -> Self {
        Self(raw.get())
    }

    /// Reads the value of a member whose key has just been read.
    pub(crate) fn next_value<M: MapAccess<'a>>(map: &mut M) -> Result<Self, M::Error> {
        map.next_value::<&'a RawValue>().map(Self::of)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
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

    /// Returns a set of members of an object.
    pub(crate) fn read<M: Members<'a>>(self) -> M {
        let mut members = M::default();
        if self.is_object() {
            let visitor = MembersVisitor { members: &mut members, depth_max: None };
            // The text was checked when the value was made, so only an escape that is half of a
            // pair in a key can fail here; what was found until then stands.
            let _ = serde_json::Deserializer::from_str(self.0).deserialize_map(visitor);
        }
        members
    }

    /// Returns a set of members of an object and checks, in the same pass, that any ordinary JSON
    /// reader can read all of it, nested at most `depth_max` deep.
    pub(crate) fn read_checked<M: Members<'a>>(self, depth_max: u32) -> Result<M, Flaw> {
        let mut members = M::default();
        if !self.is_object() {
            return check(self, depth_max).map(|()| members);
        }
        let visitor = MembersVisitor { members: &mut members, depth_max: Some(depth_max) };
        serde_json::Deserializer::from_str(self.0)
            .deserialize_map(visitor)
            .map_err(|error| Flaw::of(&error))?;
        Ok(members)
    }

    /// Returns the named members of an object, in the order of `names`.
    pub(crate) fn fields<const N: usize>(self, names: [&str; N]) -> [Option<Json<'a>>; N] {
        let mut found = [None; N];
        if self.is_object() {
            let visitor = FieldsVisitor { names: &names, found: &mut found };
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
        names.iter().try_fold(self, |value, name| value.first()?.field(name))
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
        elements.into_iter().map(Self::of).filter(|element| element.0 != "null").collect()
    }

    /// Returns the first element of an array; a single value counts as an array of one.
    pub(crate) fn first(self) -> Option<Json<'a>> {
        if self.is_array() { self.items().into_iter().next() } else { Some(self) }
    }

    /// Returns every member of an object, in the source's order.
    pub(crate) fn members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        let mut members = Vec::new();
        if self.is_object() {
            let visitor = AllVisitor(&mut members);
            let _ = serde_json::Deserializer::from_str(self.0).deserialize_map(visitor);
        }
        members
    }
}

struct MembersVisitor<'m, M> {
    members: &'m mut M,
    /// How deep the value may be, when that is to be checked.
    depth_max: Option<u32>,
}

impl<'a, M: Members<'a>> Visitor<'a> for MembersVisitor<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        let inner = self.depth_max.map(|depth| depth.saturating_sub(1));
        while let Some(slot) = map.next_key_seed(SlotSeed(&mut *self.members))? {
            match (slot, inner) {
                (Some(slot), inner) => {
                    let raw: &'a RawValue = map.next_value()?;
                    let value = Json::of(raw);
                    if let Some(inner) = inner {
                        check(value, inner).map_err(|flaw| match flaw {
                            Flaw::TooDeep => A::Error::custom(TOO_DEEP),
                            Flaw::Unreadable => A::Error::custom(UNREADABLE),
                        })?;
                    }
                    *slot = (value.0 != "null").then_some(value);
                }
                (None, Some(inner)) => map.next_value_seed(CheckSeed(inner))?,
                (None, None) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads a key as the slot that it has in a set of members.
pub(crate) struct SlotSeed<'m, M>(pub(crate) &'m mut M);

impl<'a: 'm, 'm, M: Members<'a>> DeserializeSeed<'a> for SlotSeed<'m, M> {
    type Value = Option<&'m mut Option<Json<'a>>>;

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a: 'm, 'm, M: Members<'a>> Visitor<'a> for SlotSeed<'m, M> {
    type Value = Option<&'m mut Option<Json<'a>>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.slot(key))
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

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
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

struct AllVisitor<'f, 'a>(&'f mut Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Visitor<'a> for AllVisitor<'_, 'a> {
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

const TOO_DEEP: &str = "too deep";
const UNREADABLE: &str = "unreadable";

impl Flaw {
    fn of(error: &serde_json::Error) -> Self {
        let too_deep = error.is_data() && error.to_string().starts_with(TOO_DEEP);
        if too_deep { Self::TooDeep } else { Self::Unreadable }
    }
}

/// Checks that any ordinary JSON reader can read `value` in full, nested at most `depth_max` deep.
pub(crate) fn check(value: Json<'_>, depth_max: u32) -> Result<(), Flaw> {
    let mut deserializer = serde_json::Deserializer::from_str(value.text());
    CheckSeed(depth_max).deserialize(&mut deserializer).map_err(|error| Flaw::of(&error))
}

struct CheckSeed(u32);

impl CheckSeed {
    fn inner<E: serde::de::Error>(&self) -> Result<u32, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))
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
        let mut key = map.next_key::<Cow<'_, str>>()?;
        if key.as_deref() == Some(NUMBER_TOKEN) {
            return match map.next_value::<Cow<'_, str>>()?.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(()),
                _ => Err(serde::de::Error::custom("number out of range")),
            };
        }
        let inner = self.inner()?;
        while key.is_some() {
            map.next_value_seed(CheckSeed(inner))?;
            key = map.next_key()?;
        }
        Ok(())
    }
}

/// How serde_json hands a number's digits over when it is told to keep them all.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

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

/// How much of a value shows how it is written.
const GLANCE_BYTES: usize = 256;

/// Returns the value's text without the white space between its parts, if it is written with any.
pub(crate) fn compact(value: Json<'_>) -> Cow<'_, str> {
    let text = value.text();
    // Whoever writes spaces or lines writes them from the start, so a glance at it is enough.
    let glance = &text.as_bytes()[..text.len().min(GLANCE_BYTES)];
    let spaced = glance.iter().any(|byte| *byte < b' ') || glance.windows(3).any(|at| at == b"\": ");
    if !spaced {
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
pub(crate) fn each_reference<'a>(value: Json<'a>, mut each: impl FnMut(Cow<'a, str>)) {
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
