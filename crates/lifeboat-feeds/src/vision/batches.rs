//! Vision's files by their names.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::tables::{self, ENCOUNTER, JOURNAL, PATIENT, PRACTICE, REFERRAL, STAFF};
use crate::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use crate::problem::{Problem, Reason};
use crate::table::{Dialect, Header, Quotes, count_fields};

/// How much of a file is read to count its columns.
const HEAD_BYTES: usize = 64 * 1024;

const NAMES: [(&str, &str); 6] = [
    ("patient", PATIENT),
    ("journal", JOURNAL),
    ("encounter", ENCOUNTER),
    ("referral", REFERRAL),
    ("practice", PRACTICE),
    ("staff", STAFF),
];

/// What a file's name says.
struct Name<'a> {
    kind: BatchKind,
    prefix: &'a str,
    practice: &'a str,
    table: &'a str,
    time: &'a str,
}

/// Reads `FULL_F86007_journal_data_extract-2018-08-17-000500.csv`.
fn parse(name: &str) -> Option<Name<'_>> {
    let stem = name.strip_suffix(".csv").or_else(|| name.strip_suffix(".CSV"))?;
    let (names, time) = stem.split_once("_data_extract-")?;
    let mut parts = names.splitn(3, '_');
    let (prefix, practice, table) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = match prefix {
        "FULL" => BatchKind::Full,
        "INCREMENTAL" | "ADDITIONAL" => BatchKind::Delta,
        _ => return None,
    };
    let is_code = practice.len() == 6 && practice.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_time = time.len() == 17 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (is_code && is_time).then_some(Name { kind, prefix, practice, table, time })
}

/// Sorts files into batches: those of one kind, practice and time belong together.
pub(super) fn batches(files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
    let mut batches: BTreeMap<String, Batch> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let Some(name) = parse(file.name()) else { continue };
        let id = format!("{}_{}_{}", name.prefix, name.practice, name.time);
        let batch = batches.entry(id.clone()).or_insert_with(|| Batch {
            name: id,
            // A full extract of the same minute comes first.
            order: format!("{} {}", name.time, if name.kind == BatchKind::Full { 0 } else { 1 }),
            kind: name.kind,
            from: None,
            until: None,
            practice: Some(name.practice.to_owned()),
            exported: exported(name.time),
            tables: Vec::new(),
            problems: Vec::new(),
            refused: None,
        });
        match table_of(at, &name, heads) {
            Ok(Some(table)) => batch.tables.push(BatchTable { file: at, table }),
            Ok(None) => {}
            Err(reason) => batch.problems.push(Problem::of_file(file.path.clone(), reason)),
        }
    }
    let mut batches: Vec<Batch> = batches.into_values().collect();
    batches.iter_mut().for_each(refuse_incomplete);
    batches
}

/// Returns the table that a file holds; an empty file holds none.
fn table_of(at: usize, name: &Name<'_>, heads: &dyn ReadHead) -> Result<Option<&'static str>, Reason> {
    let known = NAMES.iter().find(|(part, _)| *part == name.table).ok_or(Reason::UnknownTable)?;
    let head = heads.head(at, HEAD_BYTES).map_err(|error| Reason::Unreadable(error.kind().to_string()))?;
    let dialect = Dialect { delimiter: b',', header: Header::Absent, quotes: Quotes::Allowed };
    let Some(columns) = count_fields(&head, dialect) else { return Ok(None) };
    let version = tables::version(known.1, columns);
    let unknown =
        || Reason::Malformed(format!("{columns} columns; no version of the table {} has so many", known.1));
    version.map(|spec| Some(spec.name)).ok_or_else(unknown)
}

fn refuse_incomplete(batch: &mut Batch) {
    let has = |table: &str| batch.tables.iter().any(|held| held.table.starts_with(table));
    let needed = [PATIENT, JOURNAL];
    if batch.kind != BatchKind::Full {
        return;
    }
    if let Some(missing) = needed.into_iter().find(|table| !has(table)) {
        batch.refused = Some(Reason::MissingTable(missing.to_owned()));
        return;
    }
    for table in [ENCOUNTER, REFERRAL, PRACTICE, STAFF] {
        if !has(table) {
            batch.problems.push(Problem::whole(Reason::MissingTable(table.to_owned())));
        }
    }
}

/// Reads `2018-08-17-000500`.
fn exported(time: &str) -> Option<DateTime> {
    let (date, clock) = time.split_at_checked(10)?;
    let clock = crate::dates::time(clock.strip_prefix('-')?)?;
    Some(crate::dates::date(date)?.to_datetime(clock))
}
