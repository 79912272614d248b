use std::io::{self, Read};

use super::*;
use crate::spec::{ColumnSpec, Place};

const SPEC: TableSpec = TableSpec {
    name: "T",
    columns: &[
        ColumnSpec::required("Id"),
        ColumnSpec::optional("Text").or(&["Texxt"]),
        ColumnSpec::optional("Note"),
    ],
    key: &["Id"],
    place: Place::Shared,
    sections: &[],
};

const HEADERLESS: Dialect = Dialect { header: Header::Absent, ..Dialect::CSV };

/// Gives its bytes a few at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(into.len());
        self.0.take(length as u64).read(into).inspect(|read| self.0 = &self.0[*read..])
    }
}

fn limits() -> TableLimits {
    TableLimits { field_bytes_max: 40, row_bytes_max: 120 }
}

fn show(read: &Result<Values, Problem>) -> String {
    match read {
        Ok(values) => {
            let shown: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or("-")).collect();
            shown.join("|")
        }
        Err(problem) => format!("!{problem}"),
    }
}

fn read_with(bytes: &[u8], dialect: Dialect) -> Vec<String> {
    let mut reader = match TableReader::open(bytes, &SPEC, dialect, limits()) {
        Ok(reader) => reader,
        Err(problem) => return vec![format!("!!{problem}")],
    };
    let read: Vec<String> = reader.by_ref().map(|read| show(&read)).collect();
    let dripped: Vec<String> = TableReader::open(Drip(bytes, 3), &SPEC, dialect, limits())
        .expect("it opened before")
        .map(|read| show(&read))
        .collect();
    assert_eq!(read, dripped, "the size of reads does not matter");
    assert_eq!(reader.row_number(), read.len() as u64);
    assert_eq!(reader.bad_rows(), read.iter().filter(|row| row.starts_with('!')).count() as u64);
    read
}

fn check(bytes: impl AsRef<[u8]>, expected: &[&str]) {
    let bytes = bytes.as_ref();
    assert_eq!(read_with(bytes, Dialect::CSV), expected, "{}", String::from_utf8_lossy(bytes));
}

#[test]
fn the_header_is_a_set() {
    check("Id,Text,Note\n1,a,b\n", &["1|a|b"]);
    check("\u{feff}note, TEXXT ,iD\r\nb,a,1", &["1|a|b"]);
    check("\u{feff}\"Id\",\"Text\"\r\n\"1\",\"a\"\r\n", &["1|a|-"]);
    check("\n\nId\n1\n", &["1|-|-"]);
    check("Id,Text\n", &[]);
    check(
        "Text,Note\n1,2\n",
        &["!!the column Id is missing; the table is not read, and its sections are marked as not supplied"],
    );
    check(
        "Id,Text,ID\n1,2,3\n",
        &["!!the column Id stands in the header more than once; the table is not read"],
    );
    check("", &["!!is empty, without even a header"]);
    check("\r\n\n", &["!!is empty, without even a header"]);
    check("Id,\"Te", &["!!a quoted field is not closed"]);
    check("I\0d,Text\n", &["!!holds a NUL byte, which no text file does"]);
    check(b"\xff\xfeI\0d\0", &["!!is text in UTF-16; it is read as UTF-8 or Windows-1252 only"]);
    check(format!("{}\n", "Id,".repeat(80)), &["!!the row is longer than the limit of 120 bytes"]);
}

#[test]
fn unknown_and_missing_columns_are_noted_once() {
    let input = "New,Id,Texxt,Text,New,Mrs \u{e9},\n,1,x,a,,,\n";
    let mut reader = TableReader::open(input.as_bytes(), &SPEC, Dialect::CSV, limits()).expect("a header");
    let unknown: Vec<&Reason> = reader.notes().iter().map(|note| &note.reason).collect();
    let expected = ["New", "Texxt", "number 6", "number 7"].map(|name| Reason::UnknownColumn(name.into()));
    assert_eq!(unknown, expected.iter().collect::<Vec<_>>());
    assert_eq!(reader.missing(), ["Note"]);
    assert_eq!(show(&reader.next().expect("a row")), "1|a|-");
    assert_eq!(format!("{reader:?}"), "TableReader { table: \"T\", row: 1, .. }");
}

#[test]
fn line_ends_quotes_and_empty_lines_are_read_as_they_are_written() {
    check("Id,Text,Note\r1,a,b\r\n\r\n2,c,d\n\n\r3,e,f", &["1|a|b", "2|c|d", "3|e|f"]);
    check("Id,Text,Note\n\"1\",\"a\r\nb\nc\",\"\"\"d\"\",\"\n2,\"\",", &["1|a\r\nb\nc|\"d\",", "2|-|-"]);
    check("Id,Text,Note\n1,5\" needle,\"x\"", &["1|5\" needle|x"]);
    check("Id,Text,Note\n1, \"a\" , b \n", &["1| \"a\" | b "]);
}

#[test]
fn a_row_of_another_width_is_an_error_and_no_guess() {
    check(
        "Id,Text,Note\n1,a\n2,a,b,c\n3,a,b\n",
        &[
            "!row 1: the row has 2 fields, the table has 3",
            "!row 2: the row has 4 fields, the table has 3",
            "3|a|b",
        ],
    );
    check("Id,Text,Note\n1,\"a\nb\"\n3,a,b\n", &["!row 1: the row has 2 fields, the table has 3", "3|a|b"]);
}

#[test]
fn a_quote_that_is_not_closed_costs_its_row_and_what_cannot_be_told_from_it() {
    // Every field quoted: the row alone.
    check(
        "\"Id\",\"Text\",\"Note\"\n\"1\",\"he said \"no\" to it\",\"b\"\n\"2\",\"a\",\"b\"\n",
        &["!row 1, Text: a quoted field is not closed", "2|a|b"],
    );
    // A text over lines: its other lines are no rows.
    check(
        "\"Id\",\"Text\",\"Note\"\n\"1\",\"he \"said\nx,y,z\nno\",\"b\"\n\"2\",\"a\",\"b\"\n",
        &[
            "!row 1, Text: a quoted field is not closed; besides the row, 2 lines after it (14 bytes) could not be read",
            "2|a|b",
        ],
    );
    // Quotes only where needed: the field would reach to the next quote, or to the end.
    check(
        "Id,Text,Note\n1,\"a,b\n2,c,d\n3,\"e\",f\n",
        &["!row 1, Text: a quoted field is not closed", "2|c|d", "3|e|f"],
    );
    check(
        "Id,Text,Note\n1,\"a,b\n2,c,d\n3,e,f",
        &["!row 1, Text: a quoted field is not closed", "2|c|d", "3|e|f"],
    );
    // The quote is closed far below, as it happens, and gives a row of another width.
    check(
        "Id,Text,Note\n1,\"a,b\n2,c,d\n3,e,f\"\n4,g,h\n",
        &["!row 1: a quoted field is not closed", "2|c|d", "3|e|f\"", "4|g|h"],
    );
    // The rest of the file is one open field.
    check(
        "Id,Text,Note\n1,a,\"b\nno row\nnor this",
        &[
            "!row 1, Note: a quoted field is not closed; besides the row, 2 lines after it (15 bytes) could not be read",
        ],
    );
}

#[test]
fn a_field_or_row_that_is_too_long_costs_its_row_and_no_more() {
    let long = "x".repeat(50);
    let longer = "x\"\"\n".repeat(200);
    check(
        format!("Id,Text,Note\n1,{long},b\n2,c,d\n"),
        &["!row 1, Text: the field is longer than the limit of 40 bytes", "2|c|d"],
    );
    for text in
        [longer.replace(['"', '\n'], "y"), format!("\"{longer}\""), format!("\"{longer}\",\"{longer}\"")]
    {
        check(
            format!("Id,Text,Note\n1,{text},b\n2,c,d\n"),
            &["!row 1, Text: the field is longer than the limit of 40 bytes", "2|c|d"],
        );
    }
    check(
        format!("Id,Text,Note\n{}\n2,c,d", "1,".repeat(100)),
        &["!row 1: the row is longer than the limit of 120 bytes", "2|c|d"],
    );
    // An open quote before more rows than are held at a time.
    let rows = "2,c,d\n".repeat(50);
    let mut expected = vec!["!row 1, Text: a quoted field is not closed"];
    expected.extend(["2|c|d"; 50]);
    check(format!("Id,Text,Note\n1,\"a,b\n{rows}"), &expected);
    // One that nothing closes, and no row after it.
    check(
        format!("Id,Text,Note\n1,\"{}", "no row\n".repeat(100)),
        &[
            "!row 1, Text: a quoted field is not closed; besides the row, 101 lines after it (700 bytes) could not be read",
        ],
    );
}

#[test]
fn ten_megabytes_in_one_field_are_an_error_that_names_row_and_column() {
    for quote in ["", "\""] {
        let head = format!("Id,Text,Note\n1,a,b\n2,c,{quote}");
        let tail = format!("{quote}\n3,e,f\n");
        let long = io::repeat(b'x').take(10 << 20);
        let input = head.as_bytes().chain(long).chain(tail.as_bytes());
        let mut reader =
            TableReader::open(input, &SPEC, Dialect::CSV, TableLimits::default()).expect("a header");
        let read: Vec<String> = reader.by_ref().map(|read| show(&read)).collect();
        assert_eq!(
            read,
            ["1|a|b", "!row 2, Note: the field is longer than the limit of 1048576 bytes", "3|e|f"]
        );
        assert!(reader.buffer.bytes().len() <= TableLimits::default().row_bytes_max);
        assert!(!reader.is_damaged());
    }
}

#[test]
fn bytes_that_are_no_text_are_an_error_or_noted() {
    check(
        "Id,Text,Note\n1,a\0,b\n2,c,d\n",
        &["!row 1, Text: holds a NUL byte, which no text file does", "2|c|d"],
    );
    check(b"Id,Text,Note\n1,caf\xe9,\xc3\xa9\n", &["1|caf\u{e9}|\u{e9}"]);
    let input = b"Id,Text,Note\n1,a\x81,b\n2,\x8d,d\n";
    let mut reader = TableReader::open(&input[..], &SPEC, Dialect::CSV, limits()).expect("a header");
    let read: Vec<String> = reader.by_ref().map(|read| show(&read)).collect();
    assert_eq!(read, ["1|a\u{fffd}|b", "2|\u{fffd}|d"]);
    let notes: Vec<String> = reader.notes().iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["row 1, Text: holds bytes that stand for no character; each is kept as \u{fffd}"]);
}

#[test]
fn other_dialects_have_no_header_or_no_quotes() {
    assert_eq!(read_with(b"1,a,b\n2,\"c,\",d", HEADERLESS), ["1|a|b", "2|c,|d"]);
    assert_eq!(read_with(b"", HEADERLESS), <[&str; 0]>::default());
    let tabs = Dialect { delimiter: b'\t', quotes: Quotes::Literal, ..Dialect::CSV };
    assert_eq!(read_with(b"Id\tText\tNote\n1\t\"a\tb,c\n", tabs), ["1|\"a|b,c"]);
    let cases: [(&str, Option<usize>); 6] = [
        ("\u{feff}1,\"2,\n\",3\n4", Some(3)),
        ("\n1,2", Some(2)),
        ("1", Some(1)),
        ("", None),
        ("\r\n", None),
        ("1,\"2", None),
    ];
    for (head, expected) in cases {
        assert_eq!(count_fields(head.as_bytes(), HEADERLESS), expected, "{head:?}");
    }
    assert_eq!(header_names(b" Id ,\"a\"\"b\"\n1", Dialect::CSV), Some(vec!["Id".into(), "a\"b".into()]));
}

#[test]
fn a_file_that_cannot_be_read_on_is_damaged() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::InvalidData))
        }
    }
    let opened = TableReader::open(b"Id,Te".chain(Failing), &SPEC, Dialect::CSV, TableLimits::default());
    assert_eq!(
        opened.map(|_| ()).map_err(|problem| problem.to_string()),
        Err("it cannot be read (invalid data)".into())
    );
    let rows = "1,a,b\n".repeat(100);
    let input = "Id,Text,Note\n".as_bytes().chain(rows.as_bytes()).chain(&b"2,c"[..]).chain(Failing);
    let mut reader = TableReader::open(input, &SPEC, Dialect::CSV, limits()).expect("a header");
    let read: Vec<String> = reader.by_ref().map(|read| show(&read)).collect();
    let mut expected = vec!["1|a|b"; 100];
    expected.push("!row 101: it cannot be read (invalid data)");
    assert_eq!(read, expected, "what came before is read");
    assert!(reader.is_damaged() && reader.next().is_none());
}
