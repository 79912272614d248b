//! Text of fields: UTF-8, or else Windows-1252.

use super::Field;

/// The characters of the bytes 0x80 to 0x9f in Windows-1252; five are not defined.
const HIGH: [char; 32] = [
    '\u{20ac}', '\u{fffd}', '\u{201a}', '\u{0192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{02c6}', '\u{2030}', '\u{0160}', '\u{2039}', '\u{0152}', '\u{fffd}', '\u{017d}', '\u{fffd}',
    '\u{fffd}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{02dc}', '\u{2122}', '\u{0161}', '\u{203a}', '\u{0153}', '\u{fffd}', '\u{017e}', '\u{0178}',
];

/// Returns the text of a row's field with doubled quotes undone.
pub(super) fn text_of(row: &str, field: Field) -> Box<str> {
    unescape(&row[field.start..field.end], field)
}

fn unescape(text: &str, field: Field) -> Box<str> {
    if field.escaped { text.replace("\"\"", "\"").into() } else { text.into() }
}

/// Returns the text of a field that may not be UTF-8, and whether all its characters are defined.
pub(super) fn decode(row: &[u8], field: Field) -> (Box<str>, bool) {
    let bytes = &row[field.start..field.end];
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (unescape(text, field), true);
    }
    let text: String = bytes.iter().map(|byte| windows_1252(*byte)).collect();
    let whole = !text.contains('\u{fffd}');
    (unescape(&text, field), whole)
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, decode};

    #[test]
    fn text_that_is_not_utf_8_is_windows_1252() {
        let cases: [(&[u8], &str, bool); 7] = [
            (b"plain", "plain", true),
            ("caf\u{e9}".as_bytes(), "caf\u{e9}", true),
            (b"caf\xe9", "caf\u{e9}", true),
            (b"\x80\x85\x92\x9f\xa3", "\u{20ac}\u{2026}\u{2019}\u{178}\u{a3}", true),
            (b"a\x81\x8d\x8f\x90\x9d", "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}", false),
            (b"\xc3", "\u{c3}", true),
            (b"", "", true),
        ];
        for (bytes, expected, whole) in cases {
            let field = Field { start: 0, end: bytes.len(), escaped: false };
            assert_eq!(decode(bytes, field), (expected.into(), whole), "{bytes:x?}");
        }
        let field = Field { start: 1, end: 5, escaped: true };
        assert_eq!(decode(b",a\"\"\xe9,", field).0.as_ref(), "a\"\u{e9}");
    }
}
