//! The outside of a document: a resource's own members and the entries of a Bundle, in one pass.

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::walk::{BundleEntry, Head};
use crate::json::{Json, Members, SlotSeed};

/// A document that is an object, all of whose syntax is right.
#[derive(Default)]
pub(super) struct Shell<'a> {
    pub(super) head: Head<'a>,
    /// The elements of `entry`; empty where a document has none.
    pub(super) entries: Vec<BundleEntry<'a>>,
}

impl<'a> Shell<'a> {
    pub(super) fn of(text: &'a str) -> Result<Self, serde_json::Error> {
        let mut shell = Self::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_map(ShellVisitor(&mut shell))?;
        deserializer.end()?;
        Ok(shell)
    }
}

struct ShellVisitor<'s, 'a>(&'s mut Shell<'a>);

impl<'a> Visitor<'a> for ShellVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'a, str>>()? {
            if key == "entry" {
                map.next_value_seed(EntriesSeed(&mut self.0.entries))?;
            } else if let Some(slot) = self.0.head.slot(&key) {
                let value = Json::next_value(&mut map)?;
                *slot = (!value.is_null()).then_some(value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads what stands in the place of entries, whatever its shape.
struct EntriesSeed<'s, 'a>(&'s mut Vec<BundleEntry<'a>>);

impl<'a> DeserializeSeed<'a> for EntriesSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for EntriesSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("entries")
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

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element_seed(EntriesSeed(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut entry = BundleEntry::default();
        while let Some(slot) = map.next_key_seed(SlotSeed(&mut entry))? {
            if let Some(slot) = slot {
                let value = Json::next_value(&mut map)?;
                *slot = (!value.is_null()).then_some(value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.0.push(entry);
        Ok(())
    }
}
