//! Looks through the batches of a table feed.

use std::collections::{BTreeMap, BTreeSet};

use super::documents::Sample;
use super::show::counted;
use super::version::{self, Headers, TableHeader};
use super::{BatchInspection, InspectOptions, Inspection, Problems, SourceFiles, TableInspection};
use crate::archive::unpack;
use crate::batch::{Batch, BatchTable, Decision, FoundBatch, plan_batches};
use crate::feed::{Mapping, TableFeed, table};
use crate::problem::{Problem, Reason};
use crate::recognise::text_head;
use crate::rows::{RowChange, Unit, UnitRows, Values};
use crate::spec::{Place, TableSpec};
use crate::table::{Header, TableReader, header_names};

/// How often shared tables are read to follow rows that name rows.
const LOOK_UPS_MAX: usize = 3;

/// Looks through a source of batches.
pub(super) fn inspect(
    feed: &dyn TableFeed,
    source: &dyn SourceFiles,
    options: &InspectOptions,
    inspection: &mut Inspection,
    problems: &mut Problems,
) {
    let found = feed.batches(source.files(), source);
    let plan = plan_batches(&[], found.into_iter().map(FoundBatch::from).collect());
    let mut reading = Reading {
        feed,
        source,
        options,
        tables: BTreeMap::new(),
        held: Held::default(),
        headers: Headers::new(),
    };
    for step in &plan.steps {
        inspection.batches.push(describe(&step.batch, &step.decision));
        step.batch.problems.iter().for_each(|problem| problems.add(&place_of(problem, &step.batch), problem));
        if step.decision != Decision::Repeated {
            step.batch.tables.iter().for_each(|file| reading.read(*file, problems));
        }
    }
    let batches: Vec<&Batch> = plan.steps.iter().map(|step| &step.batch).collect();
    reading.look_up(&batches);
    let supplied = reading.supplied();
    let sample = reading.map(&supplied, problems);
    inspection.version = version::evidence(feed.format(), &reading.headers);
    for (name, found) in reading.tables {
        leave_out(feed, name, &found, &mut inspection.left_out);
        inspection.tables.push(found);
    }
    inspection.sample = sample.finish(inspection);
}

fn place_of(problem: &Problem, batch: &Batch) -> String {
    if problem.file.is_empty() { format!("batch {}", batch.name) } else { problem.file.clone() }
}

fn describe(batch: &Batch, decision: &Decision) -> BatchInspection {
    BatchInspection {
        name: batch.name.clone(),
        kind: batch.kind,
        order: batch.order.clone(),
        exported: batch.exported.map(|time| time.to_string()),
        practice: batch.practice.clone(),
        files: batch.tables.len(),
        decision: decision.to_string(),
    }
}

/// Says what of a table is left out.
fn leave_out(feed: &dyn TableFeed, name: &str, found: &TableInspection, into: &mut Vec<String>) {
    let rows = |count| counted(count, "row", "rows");
    let not_kept = table(feed, name).is_some_and(|spec| spec.place == Place::NotKept);
    if not_kept && found.rows > 0 {
        into.push(format!("{name}: {}; the table is known, and nothing of it is shown", rows(found.rows)));
    } else if !not_kept && found.ignored > 0 {
        into.push(format!("{name}: {} that are known and not shown", rows(found.ignored)));
    }
    if found.bad_rows > 0 {
        into.push(format!("{name}: {} that cannot be read", rows(found.bad_rows)));
    }
    if found.lost_lines > 0 {
        into.push(format!(
            "{name}: {} after quotes that are not closed",
            counted(found.lost_lines, "line", "lines")
        ));
    }
    if found.unread_files > 0 {
        let sections: Vec<&str> = found.sections.iter().map(|section| section.title()).collect();
        let sections =
            if sections.is_empty() { String::new() } else { format!(" ({})", sections.join(", ")) };
        into.push(format!(
            "{name}: {} that cannot be read{sections}",
            counted(found.unread_files, "file", "files")
        ));
    }
    if !found.unknown_columns.is_empty() {
        into.push(format!("{name}: columns that are not known: {}", found.unknown_columns.join(", ")));
    }
}

/// The rows that are held for a moment.
#[derive(Default)]
struct Held {
    patients: BTreeMap<String, UnitRows>,
    shared: UnitRows,
    wanted: BTreeSet<(&'static str, String)>,
}

struct Reading<'a> {
    feed: &'a dyn TableFeed,
    source: &'a dyn SourceFiles,
    options: &'a InspectOptions,
    tables: BTreeMap<&'static str, TableInspection>,
    held: Held,
    headers: Headers,
}

impl<'a> Reading<'a> {
    fn open(
        &self,
        file: BatchTable,
        spec: &'static TableSpec,
    ) -> Result<TableReader<impl std::io::Read + use<'a>>, Problem> {
        let reader = self
            .source
            .open(file.file)
            .map_err(|error| Problem::whole(Reason::Unreadable(error.to_string())))?;
        let text = unpack(reader, self.options.archive_limits)?;
        TableReader::open(text, spec, self.feed.dialect(spec), self.options.table_limits)
    }

    /// Counts the rows of one file.
    fn read(&mut self, file: BatchTable, problems: &mut Problems) {
        let Some(spec) = table(self.feed, file.table) else { return };
        self.note_header(file, spec);
        let opened = self.open(file, spec);
        let mut found = self.tables.remove(spec.name).unwrap_or_else(|| TableInspection {
            name: spec.name.to_owned(),
            sections: spec.sections.to_vec(),
            ..TableInspection::default()
        });
        found.files += 1;
        match opened {
            Ok(reader) => self.count(reader, spec, &mut found, problems),
            Err(problem) => {
                found.unread_files += 1;
                problems.add(spec.name, &problem);
            }
        }
        self.tables.insert(spec.name, found);
    }

    fn count(
        &mut self,
        mut reader: TableReader<impl std::io::Read>,
        spec: &'static TableSpec,
        found: &mut TableInspection,
        problems: &mut Problems,
    ) {
        note(&mut found.missing_columns, reader.missing().iter().map(|name| (*name).to_owned()));
        while let Some(row) = reader.next() {
            let change = row.and_then(|values| {
                self.feed.change(spec, values).map_err(|(column, reason)| Problem {
                    file: String::new(),
                    row: Some(reader.row_number()),
                    column: column.map(str::to_owned),
                    reason,
                })
            });
            match change {
                Ok(change) => {
                    match &change {
                        RowChange::Put { .. } => found.put += 1,
                        RowChange::Ignore => found.ignored += 1,
                        RowChange::Remove { .. } | RowChange::RemovePatient { .. } => found.removed += 1,
                    }
                    self.hold(change);
                }
                Err(problem) => {
                    found.bad_rows += 1;
                    problems.add(spec.name, &problem);
                }
            }
        }
        found.rows += reader.row_number();
        found.lost_lines += reader.lost().lines;
        let unknown = reader.notes().iter().filter_map(|note| match &note.reason {
            Reason::UnknownColumn(name) => Some(name.clone()),
            _ => None,
        });
        note(&mut found.unknown_columns, unknown);
        reader.notes().iter().for_each(|note| problems.add(spec.name, note));
    }

    fn note_header(&mut self, file: BatchTable, spec: &'static TableSpec) {
        let dialect = self.feed.dialect(spec);
        let head = text_head(self.source, file.file);
        let Some(names) = head.and_then(|head| header_names(&head, dialect)) else { return };
        let width = names.len();
        let names = if dialect.header == Header::Present { names } else { vec![] };
        self.headers.insert(spec.name, TableHeader { names: names.into_iter().collect(), width });
    }

    /// Holds a row if it is one of the patients that are looked at.
    fn hold(&mut self, change: RowChange) {
        match change {
            RowChange::Put { unit: Unit::Patient(patient), table: name, key, values } => {
                let room = self.held.patients.len() < self.options.patients_max;
                if !room && !self.held.patients.contains_key(&patient) {
                    return;
                }
                let Some(spec) = table(self.feed, name) else { return };
                self.want(spec, &values);
                self.held.patients.entry(patient).or_default().put(spec, &key, values);
            }
            RowChange::Remove { table, key, .. } => {
                self.held.patients.values_mut().for_each(|rows| {
                    rows.remove(table, &key);
                });
            }
            RowChange::RemovePatient { patient } => {
                self.held.patients.remove(&patient);
            }
            RowChange::Put { .. } | RowChange::Ignore => {}
        }
    }

    /// Notes which shared rows a row names.
    fn want(&mut self, spec: &'static TableSpec, values: &Values) {
        for (column, value) in spec.columns.iter().zip(values) {
            if let (Some(table), Some(value)) = (column.looks_up, value) {
                self.held.wanted.insert((table, value.trim().to_owned()));
            }
        }
    }

    /// Reads the shared tables again for the rows that those patients' rows name.
    fn look_up(&mut self, batches: &[&Batch]) {
        let files = || batches.iter().flat_map(|batch| batch.tables.iter().copied());
        for _ in 0..LOOK_UPS_MAX {
            let wanted = std::mem::take(&mut self.held.wanted);
            if wanted.is_empty() {
                return;
            }
            for file in files().filter(|file| wanted.iter().any(|(table, _)| *table == file.table)) {
                let Some(spec) = table(self.feed, file.table) else { continue };
                let Ok(reader) = self.open(file, spec) else { continue };
                for values in reader.flatten() {
                    let Ok(RowChange::Put { unit: Unit::Shared, table: name, key, values }) =
                        self.feed.change(spec, values)
                    else {
                        continue;
                    };
                    if wanted.contains(&(name, key.clone())) {
                        self.want(spec, &values);
                        self.held.shared.put(spec, &key, values);
                    }
                }
            }
            let shared = &self.held.shared;
            self.held.wanted.retain(|(table, key)| shared.row(table, key).is_none());
        }
    }

    /// Returns the tables that were read whole enough to say that they are supplied.
    fn supplied(&self) -> BTreeSet<String> {
        let read = self.tables.values().filter(|found| found.files > found.unread_files);
        read.map(|found| found.name.clone()).collect()
    }

    /// Makes the documents of the patients whose rows are held.
    fn map(&self, supplied: &BTreeSet<String>, problems: &mut Problems) -> Sample {
        let mapping = Mapping { rules: &self.options.rules, shared: &self.held.shared, supplied };
        let mut sample = Sample::default();
        for rows in self.held.patients.values() {
            let mapped = self.feed.patient(rows, &mapping);
            mapped.problems.iter().for_each(|problem| problems.add("records", problem));
            match mapped.document {
                Some(document) => sample.take(&document, self.options.today),
                None => sample.take_none(),
            }
        }
        sample
    }
}

/// Adds names to a list, each once.
fn note(list: &mut Vec<String>, names: impl Iterator<Item = String>) {
    for name in names {
        if !list.contains(&name) {
            list.push(name);
        }
    }
}
