//! One function per parser that takes any bytes and must return without a panic.
//!
//! Property tests and fuzzers come in by these. Each also checks what must hold for whatever was read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};

use jiff::civil::Date;

use crate::archive::{ArchiveEntries, ArchiveLimits, unpack};
use crate::batch::{FileFacts, ReadHead};
use crate::feed::{Mapping, TableFeed};
use crate::format::Format;
use crate::recognise::{NotRecognised, recognise};
use crate::rows::{RowChange, Unit, UnitRows};
use crate::rules::Rules;
use crate::spec::{ColumnSpec, Place, TableSpec};
use crate::table::{Dialect, Header, Quotes, TableLimits, TableReader, count_fields, header_names};
use crate::translate::translate;

/// A table that no feed has.
static TABLE: TableSpec = TableSpec {
    name: "Table",
    columns: &[
        ColumnSpec::required("Id"),
        ColumnSpec::optional("Text").or(&["Texxt"]),
        ColumnSpec::optional("Note"),
    ],
    key: &["Id"],
    place: Place::Shared,
    sections: &[],
};

/// Limits that small inputs reach.
const TABLE_LIMITS: TableLimits = TableLimits { field_bytes_max: 40, row_bytes_max: 100 };

const ARCHIVE_LIMITS: ArchiveLimits = ArchiveLimits {
    entries_max: 100,
    directory_bytes_max: 10_000,
    entry_bytes_max: 100_000,
    total_bytes_max: 1_000_000,
    ratio_max: 200,
    ratio_free_bytes: 10_000,
};

/// What reading a table gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableReading {
    /// Rows that could be read.
    pub good: u64,
    /// Rows that could not.
    pub bad: u64,
}

/// Reads a table in every dialect, and again with a header before it; the sum of what was read is returned.
pub fn table(bytes: &[u8]) -> TableReading {
    let mut reading = TableReading::default();
    for (delimiter, quotes) in [(b',', Quotes::Allowed), (b',', Quotes::Literal), (b'\t', Quotes::Allowed)] {
        for header in [Header::Present, Header::Absent] {
            let dialect = Dialect { delimiter, header, quotes };
            let _ = (count_fields(bytes, dialect), header_names(bytes, dialect));
            reading = read_table(bytes, dialect, reading);
        }
        let names = ["Id", "Text", "Note"].join(char::from(delimiter).to_string().as_str()) + "\n";
        let headed = [names.as_bytes(), bytes].concat();
        reading = read_table(&headed, Dialect { delimiter, header: Header::Present, quotes }, reading);
    }
    reading
}

fn read_table(bytes: &[u8], dialect: Dialect, mut reading: TableReading) -> TableReading {
    let Ok(mut reader) = TableReader::open(bytes, &TABLE, dialect, TABLE_LIMITS) else {
        return reading;
    };
    let before = reading;
    while let Some(row) = reader.next() {
        match row {
            Ok(values) => {
                assert_eq!(values.len(), TABLE.columns.len(), "every column has a value or none");
                assert!(values.iter().flatten().all(|value| !value.is_empty()), "an empty field is none");
                reading.good += 1;
            }
            Err(problem) => {
                assert_eq!(problem.row, Some(reader.row_number()), "an error names its row");
                reading.bad += 1;
            }
        }
        assert!(reader.row_number() <= bytes.len() as u64, "every row takes a byte");
    }
    assert_eq!(reader.row_number(), reading.good + reading.bad - before.good - before.bad);
    assert_eq!(reader.bad_rows(), reading.bad - before.bad);
    assert!(reader.lost().bytes <= bytes.len() as u64, "no more is lost than there was");
    reading
}

/// Lists an archive and reads every entry; returns how many could be read whole.
pub fn archive(bytes: &[u8]) -> usize {
    let halves = bytes.split_at(bytes.len() / 2);
    let _ = ArchiveEntries::list_parts(vec![Cursor::new(halves.0), Cursor::new(halves.1)], ARCHIVE_LIMITS);
    let Ok(mut entries) = ArchiveEntries::list(Cursor::new(bytes), ARCHIVE_LIMITS) else {
        return 0;
    };
    let listed: Vec<(String, u64)> =
        entries.entries().iter().map(|entry| (entry.name.clone(), entry.bytes)).collect();
    let mut whole = 0;
    for (at, (name, declared)) in listed.iter().enumerate() {
        assert!(!name.starts_with('/') && name.split('/').all(|step| step != ".."), "names stay inside");
        let mut content = Vec::new();
        if let Ok(mut reader) = entries.open(at)
            && reader.read_to_end(&mut content).is_ok()
        {
            assert_eq!(content.len() as u64, *declared, "an entry is as long as it says");
            whole += 1;
        }
    }
    whole
}

/// Unpacks a file; returns how much came out.
pub fn packed(bytes: &[u8]) -> usize {
    let mut content = Vec::new();
    if let Ok(mut reader) = unpack(bytes, ARCHIVE_LIMITS) {
        let _ = reader.read_to_end(&mut content);
    }
    let limit = usize::try_from(ARCHIVE_LIMITS.entry_bytes_max).unwrap_or(usize::MAX);
    assert!(content.len() <= limit.max(bytes.len()), "no more comes out than the limit");
    content.len()
}

/// Recognises a source of one file, whose name may be the bytes' own.
pub fn recognised(feeds: &[&dyn TableFeed], bytes: &[u8]) -> Result<Format, NotRecognised> {
    struct One<'a>(&'a [u8]);
    impl ReadHead for One<'_> {
        fn head(&self, _: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
            Ok(self.0[..self.0.len().min(bytes_max)].to_vec())
        }
    }
    let name: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
    let length = bytes.len() as u64;
    let named = [FileFacts { path: name, bytes: length }];
    let _ = recognise(feeds, &named, &One(bytes));
    let found = recognise(feeds, &[FileFacts { path: "a".to_owned(), bytes: length }], &One(bytes));
    assert!(found.evidence.iter().all(|evidence| evidence.files > 0), "evidence is of something");
    found.format
}

/// Reads a date and a time; what is written of them must be read as the same.
pub fn date(bytes: &[u8]) -> Option<Date> {
    let text = String::from_utf8_lossy(bytes);
    let _ = crate::dates::time(&text);
    let (date, time) = crate::dates::date_and_time(&text)?;
    let written = crate::dates::fhir_date(date, crate::dates::Precision::Day);
    assert_eq!(crate::dates::date(&written), Some(date), "a date is read as it was written");
    if let Some(time) = time {
        assert!(crate::dates::local_date_time(date, time).len() >= 10);
    }
    Some(date)
}

/// Translates a document of each format; what comes out must be JSON.
pub fn translated(bytes: &[u8]) {
    for format in Format::ALL {
        if let Some(Ok(translated)) = translate(format, bytes, &Rules::default()) {
            let read = serde_json::from_slice::<serde_json::Value>(&translated.document);
            assert!(read.is_ok(), "a translated document is JSON");
        }
    }
}

/// Reads the same bytes as every table of a feed and makes the documents of whoever is in them; returns how many.
///
/// The header of each table is put before the bytes, so that their rows count.
pub fn table_feed(feed: &dyn TableFeed, bytes: &[u8]) -> usize {
    let mut units: BTreeMap<Unit, UnitRows> = BTreeMap::new();
    let mut supplied = BTreeSet::new();
    for spec in feed.tables() {
        let dialect = feed.dialect(spec);
        let names: Vec<&str> = spec.columns.iter().map(|column| column.name).collect();
        let header = names.join(char::from(dialect.delimiter).to_string().as_str()) + "\n";
        let header = if dialect.header == Header::Present { header } else { String::new() };
        let input = header.as_bytes().chain(bytes);
        let Ok(reader) = TableReader::open(input, spec, dialect, TableLimits::default()) else { continue };
        supplied.insert(spec.name.to_owned());
        for values in reader.flatten() {
            if let Ok(RowChange::Put { unit, key, values, .. }) = feed.change(spec, values) {
                units.entry(unit).or_default().put(spec, &key, values);
            }
        }
    }
    let shared = units.remove(&Unit::Shared).unwrap_or_default();
    let rules = Rules::default();
    let mapping = Mapping { rules: &rules, shared: &shared, supplied: &supplied };
    let mut documents = 0;
    for (unit, rows) in &units {
        let mapped = match unit {
            Unit::Patient(_) => feed.patient(rows, &mapping),
            Unit::Day(day) => feed.day(*day, rows, &mapping),
            Unit::Shared => feed.shared(&mapping),
        };
        if let Some(document) = mapped.document {
            assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok(), "a document is JSON");
            documents += 1;
        }
    }
    documents
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn try_all(bytes: &[u8]) {
        table(bytes);
        archive(bytes);
        packed(bytes);
        let _ = recognised(&[], bytes);
        date(bytes);
        translated(bytes);
    }

    /// Text out of what tables are made of.
    fn any_table() -> impl Strategy<Value = Vec<u8>> {
        let parts: [&[u8]; 14] = [
            b",",
            b"\"",
            b"\"\"",
            b"\n",
            b"\r\n",
            b"\r",
            b"a",
            b"1,b,c\n",
            b"\"1\",\"b\",\"c\"\r\n",
            b"\0",
            b"\xe9",
            b"\x81",
            b"\t",
            b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ];
        proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..80)
            .prop_map(|parts| parts.concat())
    }

    fn sample_archive() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["a.csv", "b/c.csv"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("memory takes it");
            writer.write_all(name.repeat(100).as_bytes()).expect("memory takes it");
        }
        writer.finish().expect("memory takes it").into_inner()
    }

    /// JSON and XML with the words by which formats are told.
    fn any_document() -> impl Strategy<Value = Vec<u8>> {
        let parts = [
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "\"",
            "\\",
            "\"resourceType\"",
            "\"Bundle\"",
            "\"profile\"",
            "\"taken\"",
            "\"https://fhir.nhs.uk/STU3/\"",
            "\"clinicalStatus\"",
            "\n",
            "<",
            ">",
            "/>",
            "</",
            "ClinicalDocument",
            " root=\"2.16.840.1.113883.10.20.22.1.1\"",
            "templateId",
            "GPSummary",
            "<!--",
            "-->",
            "<![CDATA[",
            "&x;",
            "<!DOCTYPE",
            "xmlns:a=\"b\"",
            "a:",
            "\u{e9}",
        ];
        proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..60)
            .prop_map(|parts| parts.concat().into_bytes())
    }

    #[test]
    fn good_input_is_read() {
        assert_eq!(table(b"1,b,c\n2,b,c\n"), TableReading { good: 8, bad: 4 });
        assert_eq!(archive(&sample_archive()), 2);
        assert_eq!(packed(b"plain"), 5);
        assert_eq!(recognised(&[], b"{\"resourceType\":\"Patient\"}"), Ok(Format::FhirR4));
        assert_eq!(date(b"29 Feb 2024 10:00"), Some(jiff::civil::date(2024, 2, 29)));
    }

    #[test]
    fn no_text_takes_long_to_read_whatever_its_quotes() {
        let patterns = [
            "\"",
            "\"\n",
            "x,\"\n",
            "a,\"\"\n",
            "a,\"\"\"\n",
            "a,\"b\"\"\n",
            "1,\"a\n\"",
            "\n\"\"\",",
            "1,\"b\",\n",
            ",\"a\"b\n",
        ];
        for pattern in patterns {
            let text = pattern.repeat((1 << 20) / pattern.len());
            let begun = Instant::now();
            let reader = TableReader::open(
                b"Id,Text,Note\n".chain(text.as_bytes()),
                &TABLE,
                Dialect::CSV,
                TableLimits::default(),
            );
            let rows = reader.expect("it has a header").count();
            assert!(begun.elapsed() < Duration::from_secs(20), "{pattern:?} gave {rows} rows");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            try_all(&bytes);
        }

        #[test]
        fn any_table_is_survived(bytes in any_table()) {
            try_all(&bytes);
        }

        #[test]
        fn any_document_is_survived(bytes in any_document()) {
            try_all(&bytes);
        }

        #[test]
        fn a_damaged_archive_is_survived(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
            whole in any::<bool>(),
        ) {
            let mut bytes = sample_archive();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            try_all(&bytes);
        }

        #[test]
        fn rows_beside_a_damaged_one_are_read(damage in "[a-z\",]{0,20}") {
            let text = format!("1,a,b\n2,{damage},b\n3,a,b\n4,a,b\n");
            let reader = TableReader::open(text.as_bytes(), &TABLE, Dialect { header: Header::Absent, ..Dialect::CSV }, TABLE_LIMITS);
            let rows: Vec<_> = reader.expect("no header is needed").collect();
            let keys: Vec<&str> = rows.iter().flatten().filter_map(|row| row[0].as_deref()).collect();
            prop_assert!(keys.contains(&"1") && keys.contains(&"3") && keys.contains(&"4"), "{:?}", keys);
        }
    }
}
