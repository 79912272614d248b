//! Which files of a source are a Vision extract, and which of them belong together.
//!
//! A name has four parts: `INCREMENTAL_F86007_journal_data_extract-2018-08-17-000500.csv` is the kind of the extract, the
//! practice's ODS code, the table, and when it was exported. The tables of one export may come in several archives whose
//! times differ by a little; files of one kind, practice and day are one batch, unless that would give it a table twice.
//!
//! Without headers a column too many or too few would move every value after it. A batch with a file of an unknown
//! number of columns is therefore refused.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::tables::{is_older, versions};
use crate::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use crate::dates;
use crate::problem::{Problem, Reason};
use crate::spec::TableSpec;
use crate::table::count_fields;

/// How much of a file is read to count its columns.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// The names of tables in files, and as they are kept.
const TABLES: [(&str, &str); 6] = [
    ("patient", "Patient"),
    ("journal", "Journal"),
    ("encounter", "Encounter"),
    ("referral", "Referral"),
    ("practice", "Practice"),
    ("staff", "Staff"),
];
/// Tables that are known to exist, with nothing in them that is wanted.
const NOT_WANTED: [&str; 1] = ["active_user"];

/// What a file's name says.
struct Named {
    kind: &'static str,
    practice: String,
    table: String,
    exported: DateTime,
}

/// Files of an extract by practice, kind and day, in the batches that they make.
type Days = BTreeMap<(String, &'static str, jiff::civil::Date), Vec<Vec<(usize, Named)>>>;

/// Reads the name of a file of an extract.
fn named(name: &str) -> Option<Named> {
    let stem = name.len().checked_sub(4).filter(|at| name.is_char_boundary(*at))?;
    let (stem, ending) = name.split_at(stem);
    let (what, time) = stem.split_once("_data_extract-")?;
    let (kind, rest) = what.split_once('_')?;
    let (practice, table) = rest.split_once('_')?;
    let kind = ["FULL", "INCREMENTAL", "ADDITIONAL"].into_iter().find(|known| *known == kind)?;
    let is_code = !practice.is_empty() && practice.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (date, time) = time.split_at_checked(10)?;
    let exported = dates::date(date)?.to_datetime(dates::time(time.strip_prefix('-')?)?);
    (ending.eq_ignore_ascii_case(".csv") && is_code).then(|| Named {
        kind,
        practice: practice.to_ascii_uppercase(),
        table: table.to_ascii_lowercase(),
        exported,
    })
}

/// Sorts the files of a source into batches.
pub(super) fn batches(files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
    let mut found: Vec<(usize, Named)> =
        files.iter().enumerate().filter_map(|(at, file)| Some((at, named(file.name())?))).collect();
    found.sort_by(|(a, one), (b, two)| {
        (one.exported, &one.table, &files[*a].path).cmp(&(two.exported, &two.table, &files[*b].path))
    });
    // A second file of a table begins the next batch of its day.
    let mut open = Days::new();
    for (at, name) in found {
        let day = open.entry((name.practice.clone(), name.kind, name.exported.date())).or_default();
        let fits = |group: &Vec<(usize, Named)>| group.iter().all(|(_, other)| other.table != name.table);
        match day.last_mut().filter(|group| fits(group)) {
            Some(group) => group.push((at, name)),
            None => day.push(vec![(at, name)]),
        }
    }
    open.into_values().flatten().filter_map(|group| batch(&group, files, heads)).collect()
}

fn batch(group: &[(usize, Named)], files: &[FileFacts], heads: &dyn ReadHead) -> Option<Batch> {
    let (_, first) = group.first()?;
    let until = group.iter().map(|(_, name)| name.exported).max()?;
    let stamp = first.exported.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let is_full = first.kind == "FULL";
    let mut batch = Batch {
        name: format!("{}_{}_{stamp}", first.kind, first.practice),
        // Of one moment, what is whole goes before what changes it.
        order: format!("{stamp} {}", if is_full { 0 } else { 1 }),
        kind: if is_full { BatchKind::Full } else { BatchKind::Delta },
        from: None,
        until: None,
        practice: Some(first.practice.clone()),
        exported: Some(until),
        tables: Vec::new(),
        problems: Vec::new(),
        refused: None,
    };
    let mut read: Vec<(usize, &'static str, Vec<&'static TableSpec>)> = Vec::new();
    for (at, name) in group {
        let known = TABLES.iter().find(|(written, _)| *written == name.table).map(|(_, table)| *table);
        match known {
            Some(table) => read.push((*at, table, candidates(table, *at, files, heads, &mut batch))),
            None if NOT_WANTED.contains(&name.table.as_str()) => {}
            None => batch.problems.push(Problem::of_file(files[*at].path.clone(), Reason::UnknownTable)),
        }
    }
    // Where the number of columns leaves it open, the other files say which version the export is.
    let is_test_pack = read.iter().any(|(_, _, specs)| matches!(specs[..], [spec] if is_older(spec)));
    for (at, _, specs) in &read {
        let spec = specs.iter().find(|spec| is_older(spec) == is_test_pack).or(specs.first());
        batch.tables.extend(spec.map(|spec| BatchTable { file: *at, table: spec.name }));
    }
    missing(&mut batch, &read.iter().map(|(_, table, _)| *table).collect::<Vec<_>>(), first.kind);
    Some(batch)
}

/// Returns the versions of a table that have as many columns as its file.
fn candidates(
    table: &'static str,
    at: usize,
    files: &[FileFacts],
    heads: &dyn ReadHead,
    batch: &mut Batch,
) -> Vec<&'static TableSpec> {
    let path = files[at].path.clone();
    let head = match heads.head(at, HEAD_BYTES_MAX) {
        Ok(head) => head,
        Err(error) => {
            batch.problems.push(Problem::of_file(path, Reason::Unreadable(error.kind().to_string())));
            batch.refused = Some(Reason::BatchRefused(format!("the {table} file cannot be read")));
            return Vec::new();
        }
    };
    let Some(found) = count_fields(&head, super::DIALECT) else {
        // An empty file is a table without rows; anything else has a first row.
        if head.iter().any(|byte| !byte.is_ascii_whitespace()) {
            batch.problems.push(Problem::of_file(path, Reason::OpenQuote));
            batch.refused = Some(Reason::BatchRefused(format!("the {table} file has no readable first row")));
            return Vec::new();
        }
        return versions(table).collect();
    };
    let fitting: Vec<&TableSpec> = versions(table).filter(|spec| spec.columns.len() == found).collect();
    if fitting.is_empty() {
        let expected = versions(table).map(|spec| spec.columns.len()).next().unwrap_or_default();
        batch.problems.push(Problem::of_file(path, Reason::FieldCount { found, expected }));
        batch.refused = Some(Reason::BatchRefused(format!(
            "the {table} file has {found} columns, which no known version of it has, and no header that names them"
        )));
    }
    fitting
}

/// Notes which tables are missing; a whole extract without patients or journal would empty every record.
fn missing(batch: &mut Batch, held: &[&str], kind: &str) {
    if kind == "ADDITIONAL" {
        return;
    }
    for (_, table) in TABLES.iter().filter(|(_, table)| !held.contains(table)) {
        let needed = matches!(*table, "Patient" | "Journal");
        if kind == "FULL" && needed && batch.refused.is_none() {
            batch.refused = Some(Reason::MissingTable((*table).to_owned()));
        }
        batch.problems.push(Problem::whole(Reason::MissingTable((*table).to_owned())));
    }
}
