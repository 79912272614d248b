//! Types whose one spelling is a string: how they meet serde, and numbers and times in their one spelling.

/// Serialises a type through `Display` and reads it through `FromStr`, never repeating the bad text.
macro_rules! serde_as_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str($expected)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(|_| E::custom(concat!("expected ", $expected)))
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// Reads a decimal number in its one spelling: digits only, no leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = !text.is_empty()
        && text.bytes().all(|character| character.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

/// Times as RFC 3339 in UTC with `Z`, in the one spelling that this crate writes.
pub(crate) mod timestamp {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        parse(&Cow::<str>::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("expected a UTC time"))
    }

    pub(crate) fn parse(text: &str) -> Option<Timestamp> {
        let time: Timestamp = text.parse().ok()?;
        (time.to_string() == text).then_some(time)
    }

    /// The same for a time that may be `null`.
    pub(crate) mod option {
        use super::{Cow, Deserialize, Deserializer, Error, Serializer, Timestamp, parse};

        pub(crate) fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => serializer.collect_str(time),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            match Option::<Cow<'_, str>>::deserialize(deserializer)? {
                None => Ok(None),
                Some(text) => parse(&text).map(Some).ok_or_else(|| D::Error::custom("expected a UTC time")),
            }
        }
    }
}
