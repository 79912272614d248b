//! A record's JSON as a tree that remembers what has been shown.
//!
//! Numbers keep the source's spelling (`1.50` stays `1.50`), because trailing zeros say how exactly
//! something was measured. Every value knows whether it was shown, so that what nobody asked for can be
//! listed at the end instead of being lost.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::value::RawValue;

/// The deepest nesting that is read.
const DEPTH_MAX: u32 = 128;

/// What keeps bytes from being read as a tree.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("not text in UTF-8")]
    Text(#[source] std::str::Utf8Error),
    #[error("not well-formed JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("nested too deeply")]
    Depth,
}

/// One value of the tree.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    kind: Kind<'a>,
    seen: Cell<bool>,
}

#[derive(Debug)]
enum Kind<'a> {
    Null,
    /// A string, a number in the source's spelling, or `true` or `false`.
    Leaf(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Reads `bytes` as a tree.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node<'_>, TreeError> {
    let text = std::str::from_utf8(bytes).map_err(TreeError::Text)?;
    let checked: &RawValue = serde_json::from_str(text).map_err(TreeError::Syntax)?;
    let mut builder = Builder { text: checked.get(), at: 0 };
    builder.value(0).ok_or(TreeError::Depth)
}

/// Builds the tree of a text whose syntax was checked; nothing but depth can fail.
struct Builder<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Builder<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn value(&mut self, depth: u32) -> Option<Node<'a>> {
        if depth > DEPTH_MAX {
            return None;
        }
        let kind = match self.peek()? {
            b'{' => {
                self.at += 1;
                let mut fields = Vec::new();
                while self.peek()? != b'}' {
                    let key = self.string()?;
                    fields.push((key, self.value(depth + 1)?));
                }
                self.at += 1;
                Kind::Object(fields)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.peek()? != b']' {
                    items.push(self.value(depth + 1)?);
                }
                self.at += 1;
                Kind::List(items)
            }
            b'"' => Kind::Leaf(self.string()?),
            _ => self.word()?,
        };
        Some(Node { kind, seen: Cell::new(false) })
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.peek()?;
        let begin = self.at;
        let bytes = self.text.as_bytes();
        let mut at = begin + 1;
        let mut escaped = false;
        while *bytes.get(at)? != b'"' {
            escaped |= bytes[at] == b'\\';
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        self.at = at + 1;
        let inner = self.text.get(begin + 1..at)?;
        if !escaped {
            return Some(Cow::Borrowed(inner));
        }
        let unescaped = serde_json::from_str::<String>(self.text.get(begin..=at)?);
        // An escape that is half of a pair has no meaning; its spelling is shown instead.
        Some(unescaped.map_or(Cow::Borrowed(inner), Cow::Owned))
    }

    fn word(&mut self) -> Option<Kind<'a>> {
        let rest = self.text.get(self.at..)?;
        let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
        self.at += end.max(1);
        Some(match rest.get(..end)? {
            "null" => Kind::Null,
            word => Kind::Leaf(Cow::Borrowed(word)),
        })
    }
}

/// A place in the tree, perhaps one where there is nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'n>(Option<&'n Node<'n>>);

impl<'n> At<'n> {
    /// A place where there is nothing.
    pub(crate) const NOTHING: At<'static> = At(None);

    /// Returns the root of a tree.
    pub(crate) fn root(node: &'n Node<'n>) -> Self {
        Self(Some(node))
    }

    fn kind(self) -> Option<&'n Kind<'n>> {
        self.0.map(|node| &node.kind)
    }

    /// Says whether there is a value that is not null.
    pub(crate) fn exists(self) -> bool {
        !matches!(self.kind(), None | Some(Kind::Null))
    }

    /// Returns what tells this place in the tree from every other one.
    pub(crate) fn address(self) -> Option<usize> {
        self.0.map(|node| std::ptr::from_ref(node).addr())
    }

    pub(crate) fn is_object(self) -> bool {
        matches!(self.kind(), Some(Kind::Object(_)))
    }

    pub(crate) fn is_list(self) -> bool {
        matches!(self.kind(), Some(Kind::List(_)))
    }

    /// Returns the field `name`, the last one when it is repeated; of a list, that of its first element.
    pub(crate) fn field(self, name: &str) -> At<'n> {
        match self.kind() {
            Some(Kind::Object(fields)) => {
                At(fields.iter().rev().find(|(key, _)| key == name).map(|(_, node)| node))
            }
            Some(Kind::List(items)) if !items.is_empty() => At(items.first()).field(name),
            _ => At(None),
        }
    }

    /// Returns the field at the end of `names`.
    pub(crate) fn path(self, names: &[&str]) -> At<'n> {
        names.iter().fold(self, |at, name| at.field(name))
    }

    /// Returns the first field whose name begins with `prefix`, with the name.
    pub(crate) fn choice(self, prefix: &str) -> Option<(&'n str, At<'n>)> {
        self.fields().find(|(key, at)| {
            let rest = key.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())) && at.exists()
        })
    }

    /// Returns the elements of a list; a single value counts as a list of one.
    pub(crate) fn items(self) -> impl Iterator<Item = At<'n>> {
        let list = match self.kind() {
            Some(Kind::List(items)) => items.as_slice(),
            _ => &[],
        };
        let single = (!self.is_list() && self.exists()).then_some(self);
        list.iter().map(|node| At(Some(node))).chain(single)
    }

    /// Returns the fields of an object in the source's order.
    pub(crate) fn fields(self) -> impl Iterator<Item = (&'n str, At<'n>)> {
        let fields = match self.kind() {
            Some(Kind::Object(fields)) => fields.as_slice(),
            _ => &[],
        };
        fields.iter().map(|(key, node)| (key.as_ref(), At(Some(node))))
    }

    /// Returns the text of a string, number or boolean, to decide by; it does not count as shown.
    pub(crate) fn peek(self) -> Option<&'n str> {
        match self.kind() {
            Some(Kind::Leaf(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a string, number or boolean that will be shown; blank text is nothing.
    pub(crate) fn text(self) -> Option<&'n str> {
        let text = self.peek()?;
        if let Some(node) = self.0 {
            node.seen.set(true);
        }
        let text = text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Says whether the value is the text `text`.
    pub(crate) fn is(self, text: &str) -> bool {
        self.peek() == Some(text)
    }

    /// Says whether a leaf was shown.
    pub(crate) fn seen(self) -> bool {
        self.0.is_none_or(|node| node.seen.get())
    }

    /// Says whether the words of an object were told, though perhaps not its codes.
    pub(crate) fn told(self) -> bool {
        self.is_object() && self.seen()
    }

    /// Counts the words of an object as told; its codes may still be listed raw.
    pub(crate) fn tell(self) {
        if let Some(node) = self.0 {
            node.seen.set(true);
        }
    }

    /// Counts everything below as shown.
    pub(crate) fn mark(self) {
        if let Some(node) = self.0 {
            node.seen.set(true);
        }
        self.items().filter(|_| self.is_list()).for_each(At::mark);
        self.fields().for_each(|(_, at)| at.mark());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn same(at: At<'_>, value: &Value) -> bool {
        match value {
            Value::Null => !at.exists(),
            Value::Bool(flag) => at.is(&flag.to_string()),
            Value::Number(number) => at.is(&number.to_string()),
            Value::String(text) => at.is(text),
            Value::Array(items) => {
                let ours: Vec<At<'_>> = at.items().collect();
                at.is_list()
                    && ours.len() == items.len()
                    && ours.iter().zip(items).all(|(at, item)| same(*at, item))
            }
            Value::Object(fields) => {
                at.is_object()
                    && at.fields().count() == fields.len()
                    && at
                        .fields()
                        .zip(fields)
                        .all(|((key, at), (name, field))| key == name && same(at, field))
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z\"\\\\{}\\[\\],: \n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn trees_hold_what_another_reader_reads(value in any_json()) {
            for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
                let tree = parse(text.as_bytes()).unwrap();
                prop_assert!(same(At::root(&tree), &value), "{}", text);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let tree = parse(br#"{"a": 1.50, "b":-0.10e+3 ,"c":[1.0,100]}"#).unwrap();
        let root = At::root(&tree);
        assert_eq!(root.field("a").text(), Some("1.50"));
        assert_eq!(root.field("b").text(), Some("-0.10e+3"));
        let list: Vec<_> = root.field("c").items().filter_map(At::text).collect();
        assert_eq!(list, ["1.0", "100"]);
    }

    #[test]
    fn what_is_not_there_is_nothing_and_what_was_shown_is_remembered() {
        let tree = parse(br#"{"a":{"b":"x"},"a":{"b":"y","c":null},"l":[{"d":1}]}"#).unwrap();
        let root = At::root(&tree);
        assert_eq!(root.path(&["a", "b"]).peek(), Some("y"), "the last of a repeated key counts");
        assert!(!root.path(&["a", "b"]).seen());
        assert_eq!(root.path(&["a", "b"]).text(), Some("y"));
        assert!(root.path(&["a", "b"]).seen());
        assert!(!root.path(&["a", "c"]).exists());
        assert!(!root.path(&["z", "c"]).exists());
        assert_eq!(root.path(&["l", "d"]).text(), Some("1"));
        assert!(
            root.fields().any(|(_, at)| !at.field("b").seen()),
            "the first of the repeated keys is not lost"
        );
    }

    #[test]
    fn deep_nesting_is_refused_and_half_pairs_are_shown_as_written() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(matches!(parse(deep.as_bytes()), Err(TreeError::Depth | TreeError::Syntax(_))));
        let tree = parse(br#""a\ud83d""#).unwrap();
        assert_eq!(At::root(&tree).text(), Some("a\\ud83d"));
        assert!(matches!(parse(b"{"), Err(TreeError::Syntax(_))));
        assert!(matches!(parse(b"\xff"), Err(TreeError::Text(_))));
    }
}
