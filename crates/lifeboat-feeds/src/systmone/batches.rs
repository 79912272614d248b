//! SystmOne's batches: folders with a manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::tables::{PATIENT, TABLES};
use super::{REMOVED, says_yes};
use crate::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use crate::dates;
use crate::problem::{Problem, Reason};
use crate::rows::Values;
use crate::spec::{ColumnSpec, Place, TableSpec};
use crate::table::{Dialect, TableLimits, TableReader};

/// The largest manifest that is read.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// How much of a patient table is looked at for removed rows.
const HEAD_BYTES: usize = 256 * 1024;
const MANIFEST: &str = "SRManifest.csv";

/// The end of the name of an archive in which SystmOne delivers tables, beside the manifest.
const ARCHIVE: &str = ".zip";
/// How much of a table is looked at to tell whose it is, or that it has no rows.
const FIRST_ROWS_BYTES: usize = 16 * 1024;
/// The column that names the organisation to which a row belongs.
const ORGANISATION: &str = "IDOrganisationVisibleTo";

/// Says whether a file is a manifest of this feed.
fn is_manifest_name(name: &str) -> bool {
    name.eq_ignore_ascii_case(MANIFEST)
}

/// One line of a manifest.
struct Listed {
    name: String,
    is_delta: bool,
    from: String,
    until: String,
}

/// Sorts files into batches, one for each manifest, and one for each folder of tables that have none.
///
/// Tables belong to the manifest beside them, or beside the archive that they lie in: SystmOne delivers `SRManifest.csv` and
/// `SRMapping.csv` plainly and the other tables in `SRExtract.zip`.
pub(super) fn batches(files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
    let has_manifest: Vec<&str> =
        files.iter().filter(|file| is_manifest_name(file.name())).map(|file| folder(&file.path)).collect();
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, file) in files.iter().enumerate().filter(|(_, file)| stem(file).is_some()) {
        let own = folder(&file.path);
        let is_archive = own.to_ascii_lowercase().ends_with(ARCHIVE);
        let home = match is_archive && !has_manifest.contains(&own) && !is_stamp(last(own)) {
            true => folder(own),
            false => own,
        };
        folders.entry(home).or_default().push(at);
    }
    folders.into_iter().map(|(folder, members)| batch(folder, &members, files, heads)).collect()
}

/// Returns the folder that a path lies in.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the last part of a path, without the ending of an archive.
fn last(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.len().checked_sub(ARCHIVE.len()) {
        Some(at) if name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(ARCHIVE)) => &name[..at],
        _ => name,
    }
}

/// Says whether a name is the time of an extract, `yyyyMMdd_HHmm`.
fn is_stamp(name: &str) -> bool {
    matches!(dates::date_and_time(name), Some((_, Some(_)))) && name.as_bytes().get(8) == Some(&b'_')
}

/// The name of a table's file without its ending: `SRPatient` of `SRPatient.csv`.
fn stem(file: &FileFacts) -> Option<&str> {
    without_ending(file.name())
        .filter(|stem| stem.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("SR")))
}

fn without_ending(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    ending.eq_ignore_ascii_case("csv").then_some(stem)
}

fn batch(folder: &str, members: &[usize], files: &[FileFacts], heads: &dyn ReadHead) -> Batch {
    let name = last(folder).to_owned();
    let mut batch = Batch {
        order: name.clone(),
        name,
        kind: BatchKind::Delta,
        from: None,
        until: None,
        practice: None,
        exported: None,
        tables: Vec::new(),
        problems: Vec::new(),
        refused: None,
    };
    match manifest(members, files, heads) {
        Ok(listed) => follow(&mut batch, &listed, members, files, heads),
        Err(reason) => batch.refused = Some(reason),
    }
    batch
}

/// Reads the manifest among `members`.
fn manifest(members: &[usize], files: &[FileFacts], heads: &dyn ReadHead) -> Result<Vec<Listed>, Reason> {
    let incomplete =
        || Reason::BatchRefused(format!("there is no {MANIFEST} yet; the extract is not complete"));
    let at = members.iter().find(|at| is_manifest_name(files[**at].name())).ok_or_else(incomplete)?;
    let head =
        heads.head(*at, MANIFEST_BYTES_MAX).map_err(|error| Reason::Unreadable(error.kind().to_string()))?;
    let reader = TableReader::open(&head[..], &MANIFEST_SPEC, Dialect::CSV, TableLimits::default())
        .map_err(|problem| problem.reason)?;
    let mut listed = Vec::new();
    for row in reader {
        let row = row.map_err(|problem| problem.reason)?;
        let text =
            |at: usize| row.get(at).and_then(|value| value.as_deref()).unwrap_or_default().trim().to_owned();
        let is_delta = ["y", "yes", "1", "true"].contains(&text(1).to_lowercase().as_str());
        let name = text(0);
        let name = without_ending(&name).unwrap_or(&name).to_owned();
        listed.push(Listed { name, is_delta, from: text(2), until: text(3) });
    }
    if listed.is_empty() { Err(incomplete()) } else { Ok(listed) }
}

static MANIFEST_SPEC: TableSpec = TableSpec {
    name: "SRManifest",
    columns: &[
        ColumnSpec::required("FileName"),
        ColumnSpec::required("IsDelta"),
        ColumnSpec::required("DateExtractFrom"),
        ColumnSpec::required("DateExtractTo"),
        ColumnSpec::optional("IsReference"),
    ],
    key: &["FileName"],
    place: Place::NotKept,
    sections: &[],
};

/// Fills the batch in from its manifest.
fn follow(
    batch: &mut Batch,
    listed: &[Listed],
    members: &[usize],
    files: &[FileFacts],
    heads: &dyn ReadHead,
) {
    // A few lines of real manifests have no times at all; a file without times does not speak against the others.
    let untils: BTreeSet<&str> =
        listed.iter().map(|file| file.until.as_str()).filter(|until| !until.is_empty()).collect();
    let refusal = match untils.len() {
        0 => Some("the manifest does not say up to when it reaches"),
        1 => None,
        _ => Some("the manifest's files do not all reach to the same time"),
    };
    let until = untils.first().copied().unwrap_or_default();
    let exported = dates::date_and_time(until);
    let refusal =
        refusal.or(exported.is_none().then_some("the time up to which the manifest reaches is none"));
    if let Some(text) = refusal {
        batch.refused = Some(Reason::BatchRefused(text.to_owned()));
        return;
    }
    until.clone_into(&mut batch.name);
    batch.until = Some(until.to_owned());
    batch.from = listed.iter().map(|file| file.from.clone()).filter(|from| !from.is_empty()).max();
    batch.order = until.to_owned();
    batch.exported =
        exported.map(|(date, time)| date.to_datetime(time.unwrap_or(jiff::civil::Time::midnight())));
    for file in listed {
        let member = members
            .iter()
            .find(|at| stem(&files[**at]).is_some_and(|stem| stem.eq_ignore_ascii_case(&file.name)));
        let Some(member) = member else {
            batch.refused = Some(Reason::MissingTable(file.name.clone()));
            return;
        };
        match TABLES.iter().find(|table| table.name.eq_ignore_ascii_case(&file.name)) {
            Some(table) => batch.tables.push(BatchTable { file: *member, table: table.name }),
            None if !has_rows(*member, heads) => {}
            None => {
                batch.problems.push(Problem::of_file(files[*member].path.clone(), Reason::UnknownTable));
            }
        }
    }
    for at in members.iter().filter(|at| !is_manifest_name(files[**at].name())) {
        let is_listed = listed
            .iter()
            .any(|file| stem(&files[*at]).is_some_and(|stem| stem.eq_ignore_ascii_case(&file.name)));
        if !is_listed {
            let reason = Reason::Malformed("is not in the manifest, so it is not read".to_owned());
            batch.problems.push(Problem::of_file(files[*at].path.clone(), reason));
        }
    }
    batch.practice = practice(batch, heads);
    batch.kind = kind(batch, listed, heads);
    if batch.kind == BatchKind::Full {
        batch.from = None;
    }
}

/// Says whether the batch is full, by the rule that stands at the top of the feed's module.
fn kind(batch: &mut Batch, listed: &[Listed], heads: &dyn ReadHead) -> BatchKind {
    let is_patients = |name: &str| {
        let table = TABLES.iter().find(|table| table.name.eq_ignore_ascii_case(name));
        table.is_some_and(|table| matches!(table.place, Place::Patient(_) | Place::Day))
    };
    let of_patients: Vec<&Listed> = listed.iter().filter(|file| is_patients(&file.name)).collect();
    let deltas = of_patients.iter().filter(|file| file.is_delta).count();
    let has_patients = of_patients.iter().any(|file| file.name.eq_ignore_ascii_case(PATIENT));
    if deltas == of_patients.len() {
        return BatchKind::Delta;
    }
    if deltas > 0 {
        return doubt(batch, "some patient tables are said to be changes and others to be everything");
    }
    if !has_patients {
        return doubt(batch, "the batch is said to be everything and has no table of patients");
    }
    let tables: Vec<BatchTable> = batch.tables.clone();
    let removes = tables.iter().any(|table| is_patients(table.table) && has_removed_rows(*table, heads));
    if removes {
        return doubt(batch, "the manifest says that this is everything, and the tables hold removed rows");
    }
    BatchKind::Full
}

fn doubt(batch: &mut Batch, text: &str) -> BatchKind {
    let reason = Reason::Malformed(format!("{text}; the batch is taken for changes"));
    batch.problems.push(Problem::of_file(MANIFEST, reason));
    BatchKind::Delta
}

/// Returns the first rows of a table, as far as they are whole.
fn first_rows(table: BatchTable, heads: &dyn ReadHead, bytes_max: usize) -> Vec<Values> {
    let spec = TABLES.iter().find(|spec| spec.name == table.table);
    let (Some(spec), Ok(head)) = (spec, heads.head(table.file, bytes_max)) else { return Vec::new() };
    // A head that ends in the middle of a row gives one bad row at its end, which says nothing.
    match TableReader::open(&head[..], spec, Dialect::CSV, TableLimits::default()) {
        Ok(reader) => reader.flatten().collect(),
        Err(_) => Vec::new(),
    }
}

/// Says whether the first part of a table holds a row that deletes.
fn has_removed_rows(table: BatchTable, heads: &dyn ReadHead) -> bool {
    let spec = TABLES.iter().find(|spec| spec.name == table.table);
    let Some(removed) = spec.and_then(|spec| spec.column(REMOVED)) else { return false };
    first_rows(table, heads, HEAD_BYTES)
        .iter()
        .any(|row| row.get(removed).and_then(|value| value.as_deref()).is_some_and(says_yes))
}

/// Says whether a file holds more than a header.
fn has_rows(file: usize, heads: &dyn ReadHead) -> bool {
    let Ok(head) = heads.head(file, FIRST_ROWS_BYTES) else { return true };
    let header_ends = head.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(head.len());
    let is_cut = head.len() == FIRST_ROWS_BYTES;
    is_cut || head[header_ends..].iter().any(|byte| !byte.is_ascii_whitespace())
}

/// Returns the organisation to which the first patients belong, if it is one; extracts may be of several.
fn practice(batch: &Batch, heads: &dyn ReadHead) -> Option<String> {
    let table = batch.tables.iter().find(|table| table.table == PATIENT)?;
    let spec = TABLES.iter().find(|spec| spec.name == PATIENT)?;
    let (column, removed) = (spec.column(ORGANISATION)?, spec.column(REMOVED)?);
    let rows = first_rows(*table, heads, FIRST_ROWS_BYTES);
    let text = |row: &Values, at: usize| row.get(at).and_then(|value| value.as_deref()).map(str::to_owned);
    let whole = rows.iter().filter(|row| !text(row, removed).is_some_and(|text| says_yes(&text)));
    let named: BTreeSet<String> =
        whole.filter_map(|row| text(row, column)).map(|name| name.trim().to_owned()).collect();
    let name = named.first().filter(|_| named.len() == 1)?;
    (!name.is_empty()).then(|| name.clone())
}
