//! How sound a record looks: numbers that say something only when many records are added up.
//!
//! Nothing is judged here. Text is counted, and text that cannot be right is noticed: characters that
//! stand for what could not be decoded, control characters, text that was decoded twice, and long words
//! of mixed letters and digits, as encoding or encryption leaves them.

use serde::{Deserialize, Serialize};

use crate::fhir::is_nhs_number_system;
use crate::json::Json;
use crate::nhs_number;

/// The members whose strings are words for people.
const WORDS: [&[u8]; 7] =
    [b"display", b"text", b"family", b"given", b"valueString", b"description", b"title"];
/// The shortest word that can be taken for encoded or encrypted text.
const ENCODED_BYTES_MIN: usize = 20;
/// The shortest word of hexadecimal digits alone that is taken for it.
const HEX_BYTES_MIN: usize = 32;

/// What is counted of one record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordQuality {
    /// Whether the source gives an NHS number.
    pub has_nhs_number: bool,
    /// Whether that has the right check digit.
    pub has_valid_nhs_number: bool,
    /// Bytes of text for people.
    pub characters: u64,
    /// Texts that cannot be right.
    pub garbled: u32,
}

impl RecordQuality {
    /// Counts the words of a resource in.
    pub(super) fn count(&mut self, resource: &str) {
        each_words(resource.as_bytes(), |words| {
            self.characters += words.len() as u64;
            self.garbled += u32::from(is_garbled(words));
        });
    }

    /// Looks at the patient's identifiers.
    pub(super) fn count_numbers(&mut self, patient: Json<'_>) {
        let identifiers = patient.field("identifier").map(Json::items).unwrap_or_default();
        for identifier in identifiers {
            let [system, value] = identifier.fields(["system", "value"]);
            let system = system.and_then(Json::string).unwrap_or_default();
            let Some(value) = value.and_then(Json::scalar).filter(|value| !value.trim().is_empty()) else {
                continue;
            };
            if is_nhs_number_system(&system) {
                self.has_nhs_number = true;
                self.has_valid_nhs_number |= nhs_number::parse(&value).is_some();
            }
        }
    }
}

/// Visits the strings of members that hold words, without their quotes and with escapes as they stand.
fn each_words(json: &[u8], mut visit: impl FnMut(&[u8])) {
    let mut is_words = false;
    let mut at = 0;
    while let Some(found) = json[at..].iter().position(|byte| *byte == b'"') {
        let start = at + found + 1;
        let end = string_end(json, start);
        let string = &json[start..end];
        if json.get(end + 1) == Some(&b':') {
            is_words = WORDS.contains(&string);
        } else if is_words {
            visit(string);
        }
        at = (end + 1).min(json.len());
    }
}

/// Returns where the string that begins at `start` ends: the place of its closing quote.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < json.len() {
        match json[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn is_garbled(words: &[u8]) -> bool {
    has_undecoded(words) || has_control_escape(words) || looks_encoded(words)
}

/// Says whether text holds the replacement character, a C1 control character, or marks of being decoded twice.
fn has_undecoded(words: &[u8]) -> bool {
    if words.is_ascii() {
        return false;
    }
    words.windows(3).any(|three| three == [0xef, 0xbf, 0xbd])
        || words.windows(2).any(|two| two[0] == 0xc2 && (0x80..0xa0).contains(&two[1]))
        || words.windows(4).any(|four| {
            let twice_latin = four[..3] == [0xc3, 0x83, 0xc2] && four[3] >= 0x80;
            twice_latin || four == [0xc3, 0xa2, 0xe2, 0x82]
        })
}

/// Says whether text holds an escaped control character other than white space, or an escaped replacement character.
fn has_control_escape(words: &[u8]) -> bool {
    let mut rest = words;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[at + 1..];
        match escape {
            [b'b' | b'f', ..] => return true,
            [b'u', b'0', b'0', b'0' | b'1', digit, ..] => {
                let is_white = escape[3] == b'0' && matches!(digit, b'9' | b'a' | b'A' | b'd' | b'D');
                if !is_white {
                    return true;
                }
            }
            [b'u', b'f' | b'F', b'f' | b'F', b'f' | b'F', b'd' | b'D', ..] => return true,
            _ => {}
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

/// Says whether text is one long word of mixed letters and digits, such as base64 or hexadecimal digits.
fn looks_encoded(words: &[u8]) -> bool {
    let words = words.trim_ascii();
    if words.len() < ENCODED_BYTES_MIN {
        return false;
    }
    let is_of_alphabet =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    if !words.iter().all(is_of_alphabet) {
        return false;
    }
    if words.len() >= HEX_BYTES_MIN && words.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let has = |kind| words.iter().any(|byte| class(*byte) == kind);
    let turns = words.windows(2).filter(|two| class(two[0]) != class(two[1])).count();
    // Identifiers part their groups with hyphens; encoded text changes between its letters instead.
    let hyphens = words.iter().filter(|byte| **byte == b'-').count();
    has(0) && has(1) && has(2) && turns * 3 >= words.len() && hyphens < 4
}

#[cfg(test)]
mod tests {
    use super::{RecordQuality, is_garbled};
    use crate::json::Json;

    #[test]
    fn text_that_cannot_be_right_is_told_from_text_that_is_only_unusual() {
        let rows = [
            ("Allergy to penicillin", false),
            ("Hydroxypropylmethylcellulose", false),
            ("MÜLLER-LÜDENSCHEIDT", false),
            ("10 µg – “as needed”", false),
            ("Take ONE\\ntwice\\ta day \\u00b5", false),
            ("https://fhir.hl7.org.uk/Id/1234567890ABCDEFabcdef", false),
            ("0b3f6c1e-9d1a-4f0a-8a53-5b1f6f3a2c11", false),
            ("LETTER_20240131_CARDIOLOGY", false),
            ("2024-01-31T10:00:00+00:00", false),
            ("", false),
            ("Aller\u{fffd}y", true),
            ("Aller\\ufffdy", true),
            ("a\\u0000b", true),
            ("a\\u001fb", true),
            ("a\\bb", true),
            ("Café au lait", false),
            ("CafÃ© au lait", true),
            ("donâ€™t", true),
            ("smart \u{93}quotes\u{94}", true),
            ("bm90aGluZyB0byBzZWUgaGVyZQ==", true),
            ("U2FsdGVkX1+Qk3v9hP0s7Lx2", true),
            ("5f4dcc3b5aa765d61d8327deb882cf99", true),
        ];
        for (text, expected) in rows {
            assert_eq!(is_garbled(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn words_are_counted_and_codes_are_not() {
        let mut quality = RecordQuality::default();
        let resource = r#"{"id":"bm90aGluZyB0byBzZWUgaGVyZQ","code":{"coding":[{"code":"91936005","display":"Penicillin"}],
            "text":"a \"quoted\" text"},"name":[{"given":["Anne","Ellen"]}],"text":{"div":"<div>left out</div>"}}"#;
        quality.count(resource);
        let words = ["Penicillin", r#"a \"quoted\" text"#, "Anne", "Ellen"];
        let characters: usize = words.iter().map(|word| word.len()).sum();
        assert_eq!((quality.characters, quality.garbled), (characters as u64, 0));
        quality.count("{\"display\":\"unfinished");
    }

    #[test]
    fn bytes_written_over_text_are_noticed_in_most_records() {
        // What becomes of a record of which ten bytes are overwritten and then decoded.
        let record =
            format!("{{{}\"id\":\"1\"}}", r#""display":"Essential hypertension under review","#.repeat(40));
        let mut random = 7_u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize
        };
        let noticed = (0..200)
            .filter(|_| {
                let mut bytes = record.clone().into_bytes();
                for _ in 0..10 {
                    let at = next() % bytes.len();
                    bytes[at] = u8::try_from(next() % 256).unwrap();
                }
                let mut quality = RecordQuality::default();
                quality.count(&String::from_utf8_lossy(&bytes));
                quality.garbled > 0 || serde_json::from_slice::<serde_json::Value>(&bytes).is_err()
            })
            .count();
        assert!(noticed >= 198, "{noticed} of 200");
    }

    #[test]
    fn numbers_are_told_apart_by_their_check_digit() {
        let patient = |value: &str| {
            format!(
                r#"{{"resourceType":"Patient","identifier":[{{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"{value}"}}]}}"#
            )
        };
        for (value, has, valid) in [
            ("9990000018", true, true),
            ("9990000019", true, false),
            ("", false, false),
            ("unknown", true, false),
        ] {
            let mut quality = RecordQuality::default();
            quality.count_numbers(Json::parse(&patient(value)).unwrap());
            assert_eq!((quality.has_nhs_number, quality.has_valid_nhs_number), (has, valid), "{value}");
        }
    }
}
