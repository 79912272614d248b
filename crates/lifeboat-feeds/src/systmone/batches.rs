//! SystmOne's batches: folders with a manifest.

use std::collections::BTreeMap;

use super::tables::{PATIENT, TABLES};
use crate::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use crate::dates;
use crate::problem::{Problem, Reason};
use crate::spec::{ColumnSpec, Place, TableSpec};
use crate::table::{Dialect, TableLimits, TableReader};

/// The largest manifest that is read.
const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// How much of a patient table is looked at for removed rows.
const HEAD_BYTES: usize = 256 * 1024;
const MANIFEST: &str = "SRManifest.csv";

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

/// Sorts files into batches, one for each folder that holds tables of this feed.
pub(super) fn batches(files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if stem(file).is_some() {
            folders.entry(folder).or_default().push(at);
        }
    }
    folders.into_iter().map(|(folder, members)| batch(folder, &members, files, heads)).collect()
}

/// The name of a table's file without its ending: `SRPatient` of `SRPatient.csv`.
fn stem(file: &FileFacts) -> Option<&str> {
    let (stem, ending) = file.name().rsplit_once('.')?;
    (ending.eq_ignore_ascii_case("csv") && stem.get(..2)?.eq_ignore_ascii_case("SR")).then_some(stem)
}

fn batch(folder: &str, members: &[usize], files: &[FileFacts], heads: &dyn ReadHead) -> Batch {
    let name = folder.rsplit('/').next().unwrap_or_default().to_owned();
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
        listed.push(Listed { name: text(0), is_delta, from: text(2), until: text(3) });
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
    let first = &listed[0];
    if listed.iter().any(|file| file.until != first.until) {
        batch.refused =
            Some(Reason::BatchRefused("the manifest's files do not all reach to the same time".to_owned()));
        return;
    }
    batch.until = Some(first.until.clone());
    batch.from = listed.iter().map(|file| file.from.clone()).filter(|from| !from.is_empty()).max();
    batch.order.clone_from(&first.until);
    batch.exported = dates::date_and_time(&first.until)
        .map(|(date, time)| date.to_datetime(time.unwrap_or(jiff::civil::Time::midnight())));
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
            None if files[*member].bytes == 0 => {}
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

/// Says whether the first part of a table holds a row that deletes.
fn has_removed_rows(table: BatchTable, heads: &dyn ReadHead) -> bool {
    let Some(spec) = TABLES.iter().find(|spec| spec.name == table.table) else { return false };
    let Some(removed) = spec.column("RemovedData") else { return false };
    let Ok(head) = heads.head(table.file, HEAD_BYTES) else { return false };
    // A head that ends in the middle of a row gives one bad row at its end, which says nothing.
    let Ok(mut reader) = TableReader::open(&head[..], spec, Dialect::CSV, TableLimits::default()) else {
        return false;
    };
    std::iter::from_fn(|| reader.next()).flatten().any(|row| {
        let word = row.get(removed).and_then(|value| value.as_deref()).unwrap_or_default();
        ["1", "true", "y", "yes"].iter().any(|yes| word.trim().eq_ignore_ascii_case(yes))
    })
}
