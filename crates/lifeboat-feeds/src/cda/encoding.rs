//! Text out of the bytes of an XML document.

use std::borrow::Cow;

use crate::problem::{Problem, Reason};

/// How far into a document its declaration of the encoding may stand.
const DECLARATION_BYTES_MAX: usize = 256;

/// What the bytes 0x80 to 0x9F mean in Windows-1252, which is what documents declared as Latin 1 hold in practice.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Returns the text of a document in UTF-8, UTF-16 (by its byte order mark or first bytes), Latin 1 or Windows-1252
/// (by its declaration), without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        [b'<', 0, ..] => utf16(bytes, u16::from_le_bytes)?,
        [0, b'<', ..] => utf16(bytes, u16::from_be_bytes)?,
        _ => match declared(bytes).as_deref() {
            // Documents that say UTF-16 and are not are texts that were written out again.
            None | Some("utf-8" | "utf8" | "us-ascii" | "ascii" | "utf-16") => utf8(bytes)?,
            Some("iso-8859-1" | "latin1" | "latin-1" | "windows-1252" | "cp1252") => {
                Cow::Owned(bytes.iter().map(|byte| windows_1252(*byte)).collect())
            }
            Some(_) => return Err(refused("the document declares an encoding that is not read")),
        },
    };
    if text.contains('\0') {
        return Err(Problem::whole(Reason::Nul));
    }
    Ok(text)
}

fn refused(why: &str) -> Problem {
    Problem::whole(Reason::Malformed(why.to_owned()))
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| refused("the document is not valid UTF-8"))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, Problem> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text)),
        _ => Err(refused("the document is not valid UTF-16")),
    }
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

/// Returns the encoding that the XML declaration names, in lower case.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(DECLARATION_BYTES_MAX))?;
    let head: String = head.iter().map(|byte| char::from(*byte).to_ascii_lowercase()).collect();
    let declaration = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest.get(1..)?.split(quote).next().map(|name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn documents_are_read_in_the_encodings_that_occur_and_refused_in_others() {
        let utf16: Vec<u8> = "<a>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked: Vec<u8> = [&[0xff, 0xfe][..], &utf16].concat();
        let latin = b"<?xml version='1.0' encoding=\"ISO-8859-1\"?><a>\xe9\x96</a>";
        let cases: [(&[u8], Option<&str>); 8] = [
            ("<a>é</a>".as_bytes(), Some("<a>é</a>")),
            (b"\xef\xbb\xbf<a/>", Some("<a/>")),
            (&utf16, Some("<a>é</a>")),
            (&marked, Some("<a>é</a>")),
            (latin, Some("<?xml version='1.0' encoding=\"ISO-8859-1\"?><a>é–</a>")),
            (b"<a>\xe9</a>", None),
            (b"<?xml version='1.0' encoding='EBCDIC'?><a/>", None),
            (b"<a>\0</a>", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes).ok().as_deref(), expected, "{bytes:?}");
        }
    }
}
