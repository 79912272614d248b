//! What an input is, when it is not JSON, and how JSON begins.

use crate::problem::ForeignKind;

/// Recognises kinds of file by their first bytes.
pub(super) fn by_magic(head: &[u8]) -> Option<ForeignKind> {
    const MAGIC: [(&[u8], ForeignKind); 12] = [
        (b"PK\x03\x04", ForeignKind::Zip),
        (b"PK\x05\x06", ForeignKind::Zip),
        (b"7z\xbc\xaf\x27\x1c", ForeignKind::SevenZip),
        (b"age-encryption.org/", ForeignKind::Age),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", ForeignKind::Age),
        (b"-----BEGIN PGP", ForeignKind::Pgp),
        (b"%PDF-", ForeignKind::Pdf),
        (b"\xff\xfe", ForeignKind::Utf16),
        (b"\xfe\xff", ForeignKind::Utf16),
        (b"{\0", ForeignKind::Utf16),
        (b"[\0", ForeignKind::Utf16),
        (b"\0{", ForeignKind::Utf16),
    ];
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(ForeignKind::Tar);
    }
    // The first packet of a binary OpenPGP message: an encrypted session key.
    matches!(head, [0x84 | 0x85 | 0x8c | 0xc1 | 0xc3, ..]).then_some(ForeignKind::Pgp)
}

/// Recognises the kind of an input that is neither JSON nor known by its first bytes.
pub(super) fn by_text(peek: &[u8]) -> ForeignKind {
    let binary = peek.iter().any(|byte| matches!(byte, 0..=8 | 0x0e..=0x1a | 0x7f));
    if binary {
        return ForeignKind::Binary;
    }
    let text = String::from_utf8_lossy(&peek[..peek.len().min(4096)]);
    if text.starts_with('<') {
        return xml(&text);
    }
    let first_line = text.lines().next().unwrap_or_default();
    let columns =
        [',', '\t', '|', ';'].into_iter().any(|separator| first_line.matches(separator).count() >= 2);
    if columns { ForeignKind::Csv } else { ForeignKind::Text }
}

fn xml(text: &str) -> ForeignKind {
    let folded = text.to_ascii_lowercase();
    if folded.contains("<!doctype html") || folded.contains("<html") {
        ForeignKind::Html
    } else if text.contains("http://hl7.org/fhir") {
        ForeignKind::FhirXml
    } else if text.contains("ClinicalDocument") {
        ForeignKind::Cda
    } else {
        ForeignKind::Xml
    }
}

/// Says whether text that begins with a bracket goes on as JSON does.
pub(super) fn begins_as_json(text: &[u8]) -> bool {
    let next = text[1..].iter().find(|byte| !super::is_space(**byte));
    match (text[0], next) {
        (_, None) => true,
        (b'{', Some(next)) => matches!(next, b'"' | b'}'),
        (_, Some(next)) => {
            matches!(next, b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
        }
    }
}

/// Says whether the line after the first is a JSON object, so that the first is a broken line.
pub(super) fn json_line_follows(text: &[u8]) -> bool {
    let after = text.iter().position(|byte| *byte == b'\n').map(|at| &text[at..]);
    after.and_then(first_line).is_some_and(|line| line.starts_with(b"{\""))
}

/// Returns the first line that is not blank.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    text.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())
}

/// Says whether a first line that is no whole value is a broken line of NDJSON rather than the
/// beginning of a document over many lines.
pub(super) fn is_broken_line(line: &[u8], after: &[u8]) -> bool {
    let last = line.trim_ascii_end().last();
    let goes_on = matches!(last, Some(b'{' | b'[' | b',' | b':'));
    let next = first_line(after);
    !goes_on && next.is_some_and(|next| next.starts_with(b"{\""))
}
