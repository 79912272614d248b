use std::io::{self, Write};

use proptest::prelude::*;

use super::*;

fn small() -> Limits {
    Limits { document_bytes_max: 1000, line_bytes_max: 100, decompressed_bytes_max: 10_000 }
}

/// Reads everything and writes it as `line:text` or `line!reason`.
fn read_all(bytes: &[u8], limits: Limits) -> Vec<String> {
    let mut reader = DocumentReader::new(bytes, limits);
    let mut document = Vec::new();
    let mut found = Vec::new();
    while let Some(next) = reader.next(&mut document) {
        let line = |place: Place| place.line.map_or("-".to_owned(), |line| line.to_string());
        found.push(match next {
            Ok(place) => format!("{}:{}", line(place), String::from_utf8_lossy(&document)),
            Err(problem) => format!("{}!{}", line(problem.place), problem.reason),
        });
        assert!(found.len() < 50_000, "no end");
    }
    assert!(reader.next(&mut document).is_none());
    found
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(read_all(text.as_bytes(), small()), expected, "{text:?}");
}

#[test]
fn the_layout_is_recognised_by_content() {
    check("{\"a\":1}", &["-:{\"a\":1}"]);
    check("\u{feff}{\"a\":1}\n", &["-:{\"a\":1}"]);
    check("\n {\n \"a\": 1\n}\n\n", &["-:{\n \"a\": 1\n}"]);
    check("[\n{\"a\":1},\n{\"b\":2}]", &["-:[\n{\"a\":1},\n{\"b\":2}]"]);
    check("{\"a\":1}\r\n\r\n{\"b\":\"}\\\"\"}\n", &["1:{\"a\":1}", "3:{\"b\":\"}\\\"\"}"]);
    check("{\"a\":1}{\"b\":2}", &["1:{\"a\":1}", "1:{\"b\":2}"]);
    check("{\n\"a\":1}\n{\n\"b\":2}\n", &["1:{\n\"a\":1}", "3:{\n\"b\":2}"]);
}

#[test]
fn a_broken_line_is_handed_on_and_the_lines_after_it_are_read() {
    check("{\"a\":{\"b\"\n{\"c\":1}\n{\"d\"", &["1:{\"a\":{\"b\"", "2:{\"c\":1}", "3:{\"d\""]);
    check("oops\n{\"c\":1}\n", &["1:oops", "2:{\"c\":1}"]);
    let long = format!("{{\"a\":1}}\n{{\"b\":\"{}\"}}\n{{\"c\":1}}", "x".repeat(200));
    check(&long, &["1:{\"a\":1}", "2!the line is longer than the limit of 100 bytes", "3:{\"c\":1}"]);
}

#[test]
fn what_is_not_json_is_named_in_plain_words() {
    let cases: [(&[u8], &str); 18] = [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"PK\x03\x04rest", "a zip archive; unpack it first"),
        (b"age-encryption.org/v1\n", "encrypted with age; decrypt it first"),
        (b"-----BEGIN PGP MESSAGE-----", "encrypted with OpenPGP; decrypt it first"),
        (b"\x85\x01\x0c", "encrypted with OpenPGP; decrypt it first"),
        (b"%PDF-1.7", "a PDF document; this feed reads FHIR as JSON"),
        (b"\xff\xfe{\0", "text in UTF-16; FHIR as JSON is UTF-8"),
        (b"<Bundle xmlns=\"http://hl7.org/fhir\">", "FHIR as XML; this feed reads FHIR as JSON"),
        (b"<?xml version=\"1.0\"?><ClinicalDocument>", "a CDA document; this feed reads FHIR as JSON"),
        (b"<!DOCTYPE html><html>", "a web page; this feed reads FHIR as JSON"),
        (b"<other/>", "XML; this feed reads FHIR as JSON"),
        (b"a,b,c\n1,2,3\n", "a table in text form (CSV); this feed reads FHIR as JSON"),
        (b"hello\nworld", "text that is not JSON"),
        (b"\x00\x01\x02", "not text"),
        (b"{% highlight json %}\n{\"a\":1}", "not valid JSON at its line 1, column 2"),
        (b"{\"a\":[1,", "ends in the middle; it was cut short"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read_all(bytes, small()), [format!("-!{expected}")]);
    }
    let mut tar = vec![b'x'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    assert_eq!(read_all(&tar, small()), ["-!a tar archive; unpack it first"]);
}

#[test]
fn limits_hold_for_documents() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(200_000));
    assert_eq!(
        read_all(large.as_bytes(), small()),
        ["-!the document is larger than the limit of 1000 bytes"]
    );
    let pretty = format!("{{\n\"a\":\"{}\"}}", "x".repeat(200_000));
    assert_eq!(
        read_all(pretty.as_bytes(), small()),
        ["-!the document is larger than the limit of 1000 bytes"]
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("to memory");
    encoder.finish().expect("to memory")
}

#[test]
fn compressed_inputs_are_read_and_damage_is_reported_after_what_was_whole() {
    let text = b"{\"a\":1}\n{\"b\":2}\n";
    let lines = ["1:{\"a\":1}", "2:{\"b\":2}"];
    let zstd = zstd::encode_all(&text[..], 1).expect("to memory");
    assert_eq!(read_all(&gzip(text), small()), lines);
    assert_eq!(read_all(&zstd, small()), lines);
    let two = [gzip(&text[..8]), gzip(&text[8..])].concat();
    assert_eq!(read_all(&two, small()), lines);

    let mut cut = gzip(text);
    cut.truncate(cut.len() - 9);
    let found = read_all(&cut, small());
    assert_eq!(
        found.last().map(String::as_str).map(|last| last.contains("damaged or cut short")),
        Some(true),
        "{found:?}"
    );

    let bomb = gzip(&b"{\"a\":1}\n".repeat(200_000));
    let found = read_all(&bomb, small());
    assert!(
        found.last().is_some_and(|last| last.ends_with("expands to more than the limit of 10000 bytes")),
        "{:?}",
        found.last()
    );
}

#[test]
fn an_error_of_the_input_is_reported_after_the_lines_before_it() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    into[..4].copy_from_slice(b"{}\n{");
                    Ok(4)
                }
                _ => Err(io::ErrorKind::PermissionDenied.into()),
            }
        }
    }
    let mut reader = DocumentReader::new(Failing(0), Limits::default());
    let mut document = Vec::new();
    assert_eq!(reader.next(&mut document), Some(Ok(Place::at_line(1))));
    let problem = reader.next(&mut document).and_then(Result::err);
    assert_eq!(
        problem.map(|problem| problem.to_string()).as_deref(),
        Some("line 2: could not be read (permission denied)")
    );
    assert_eq!(reader.next(&mut document), None);
}

#[test]
fn lines_are_the_same_however_the_input_arrives() {
    struct Dribble<'a>(&'a [u8]);
    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.0.len().min(into.len()).min(7);
            let (now, later) = self.0.split_at(length);
            into[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }
    let text = (0..2000).fold(String::new(), |text, n| format!("{text}{{\"n\":{n}}}\n"));
    let mut reader = DocumentReader::new(Dribble(text.as_bytes()), Limits::default());
    let mut document = Vec::new();
    for n in 0..2000_u64 {
        assert_eq!(reader.next(&mut document), Some(Ok(Place::at_line(n + 1))));
        assert_eq!(document, format!("{{\"n\":{n}}}").as_bytes());
    }
    assert_eq!(reader.next(&mut document), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_all(&bytes, small());
        read_all(&gzip(&bytes), small());
    }

    #[test]
    fn lines_of_json_come_back_as_they_are(numbers in proptest::collection::vec(any::<u32>(), 2..50)) {
        let text: String = numbers.iter().map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let expected: Vec<String> = numbers
            .iter()
            .enumerate()
            .map(|(at, n)| format!("{}:{{\"n\":{n}}}", at + 1))
            .collect();
        prop_assert_eq!(read_all(text.as_bytes(), small()), expected);
    }
}
