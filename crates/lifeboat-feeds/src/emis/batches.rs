//! Which files of a source are an EMIS extract, and which of them belong together.
//!
//! A name has five parts: `291-305_CareRecord_Observation_20150211164536_<GUID of the sharing agreement>.csv`. The
//! files of one batch share the process ids, the time and the agreement.
//!
//! A batch that is not whole is refused, not applied in part: a table that arrives after its batch was applied
//! would never be read, and an allergy in it would be missing for good. Whole means: with the patients, the clinical entries
//! and the codes, and with every table that an earlier batch of the agreement has. An exporter writes a file with nothing but a
//! header where there is nothing to say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;

use super::tables::{self, CLINICAL_CODE, OBSERVATION, PATIENT, REGULAR, SHARING, TABLES};
use crate::batch::{Batch, BatchKind, BatchTable, FileFacts, ReadHead};
use crate::dates;
use crate::problem::{Problem, Reason};

/// Tables without which nobody's record can be made.
const ESSENTIAL: [&str; 3] = [PATIENT, OBSERVATION, CLINICAL_CODE];

/// How much is read of the table of sharing agreements.
const SHARING_HEAD_BYTES: usize = 64 << 10;

/// What a file's name says.
struct Name {
    /// What the files of one batch share.
    batch: BatchName,
    table: &'static str,
    wrapping: Wrapping,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct BatchName {
    /// Fourteen digits.
    time: String,
    /// The first process id, in as many digits as the largest has.
    process: u64,
    processes: String,
    agreement: String,
    /// The file's name, where a table is delivered alone.
    alone: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrapping {
    Readable,
    Encrypted,
}

/// Sorts files into batches, the oldest first.
pub(super) fn of(files: &[FileFacts], heads: &dyn ReadHead) -> Vec<Batch> {
    let mut found: BTreeMap<BatchName, Vec<(usize, Name)>> = BTreeMap::new();
    let mut strangers: Vec<(usize, BatchName)> = Vec::new();
    let mut undated = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match read_name(file.name()) {
            Read::Table(name) => found.entry(name.batch.clone()).or_default().push((at, name)),
            Read::Stranger(batch) => strangers.push((at, batch)),
            Read::Undated(table) => undated.push((at, table)),
            Read::Foreign => {}
        }
    }
    let mut batches = Vec::new();
    let mut seen: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (name, members) in found {
        let mut batch = Gathered::of(&name, members, files);
        let unknown = strangers.iter().filter(|(_, of)| *of == name);
        batch
            .problems
            .extend(unknown.map(|(at, _)| Problem::of_file(files[*at].path.as_str(), Reason::UnknownTable)));
        let before = seen.entry(name.agreement.clone()).or_default();
        if name.alone.is_none() {
            batch.check(before, heads, files);
        }
        if batch.refused.is_none() {
            before.extend(batch.tables.iter().map(|table| table.table));
        }
        batches.push(batch.finish(&name));
    }
    tell_undated(&mut batches, &undated, files);
    batches
}

enum Read {
    Table(Name),
    /// A file of the extract whose table is not known.
    Stranger(BatchName),
    /// A table that is delivered alone, under a name that does not say when.
    Undated(&'static str),
    Foreign,
}

fn read_name(file: &str) -> Read {
    let mut stem = file;
    let mut wrapping = Wrapping::Readable;
    for (ending, meaning) in [
        (".gpg", Wrapping::Encrypted),
        (".pgp", Wrapping::Encrypted),
        (".gz", Wrapping::Readable),
        (".zst", Wrapping::Readable),
    ] {
        if let Some(rest) = strip_ending(stem, ending) {
            stem = rest;
            wrapping = meaning;
        }
    }
    let Some(stem) = [".csv", ".txt", ".tsv"].iter().find_map(|ending| strip_ending(stem, ending)) else {
        return Read::Foreign;
    };
    let parts: Vec<&str> = stem.split('_').collect();
    if let [processes, schema, table, time, agreement] = parts[..]
        && let Some(batch) = batch_name(processes, time, agreement)
    {
        let full = format!("{schema}_{table}");
        let known = TABLES.iter().find(|spec| {
            spec.name.eq_ignore_ascii_case(&full)
                || (is_alone(spec.name) && spec.name.eq_ignore_ascii_case(table))
        });
        return match known {
            Some(spec) => Read::Table(Name { batch, table: spec.name, wrapping }),
            None => Read::Stranger(batch),
        };
    }
    read_alone(file, stem, wrapping)
}

fn strip_ending<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    let (rest, last) = text.split_at_checked(text.len().checked_sub(ending.len())?)?;
    last.eq_ignore_ascii_case(ending).then_some(rest)
}

fn batch_name(processes: &str, time: &str, agreement: &str) -> Option<BatchName> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = processes.split_once('-').unwrap_or((processes, "0"));
    let is_guid =
        agreement.len() == 36 && agreement.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let sound = digits(first) && digits(last) && digits(time) && time.len() == 14 && is_guid;
    sound.then(|| BatchName {
        time: time.to_owned(),
        process: first.parse().unwrap_or(u64::MAX),
        processes: processes.to_owned(),
        agreement: agreement.to_ascii_uppercase(),
        alone: None,
    })
}

/// Says whether a table is delivered on its own.
fn is_alone(table: &str) -> bool {
    matches!(table, tables::ORIGINAL_TERMS | tables::REGISTRATION)
}

/// Reads a name such as `OriginalTerms_20260101.txt`: it must say when, or nobody knows what it follows.
fn read_alone(file: &str, stem: &str, wrapping: Wrapping) -> Read {
    let plain: String = stem.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let alone = TABLES.iter().filter(|spec| is_alone(spec.name));
    let Some(spec) = alone.into_iter().find(|spec| plain.contains(&spec.name.to_ascii_lowercase())) else {
        return Read::Foreign;
    };
    let runs = stem.split(|c: char| !c.is_ascii_digit());
    let mut times = runs.filter_map(|digits| match digits.len() {
        14 => Some(digits.to_owned()),
        8 => Some(format!("{digits}000000")),
        _ => None,
    });
    match times.rfind(|time| exported(time).is_some()) {
        Some(time) => Read::Table(Name {
            batch: BatchName {
                time,
                process: u64::MAX,
                processes: String::new(),
                agreement: String::new(),
                alone: Some(file.to_owned()),
            },
            table: spec.name,
            wrapping,
        }),
        None => Read::Undated(spec.name),
    }
}

fn exported(time: &str) -> Option<DateTime> {
    let (date, clock) = time.split_at_checked(8)?;
    Some(dates::date(date)?.to_datetime(dates::time(clock)?))
}

/// A batch in the making.
#[derive(Default)]
struct Gathered {
    tables: Vec<BatchTable>,
    problems: Vec<Problem>,
    refused: Option<Reason>,
}

impl Gathered {
    fn of(name: &BatchName, members: Vec<(usize, Name)>, files: &[FileFacts]) -> Self {
        let mut gathered = Self::default();
        let mut encrypted: BTreeSet<&'static str> = BTreeSet::new();
        for (file, member) in members {
            if member.wrapping == Wrapping::Encrypted {
                encrypted.insert(member.table);
                continue;
            }
            match gathered.tables.iter().find(|known| known.table == member.table) {
                None => gathered.tables.push(BatchTable { file, table: member.table }),
                Some(known) if files[known.file].bytes == files[file].bytes => {}
                Some(_) => gathered.refuse(format!("there are two files for {}", member.table)),
            }
        }
        let sealed = |table: &&&str| !gathered.tables.iter().any(|known| known.table == **table);
        if let Some(table) = encrypted.iter().find(sealed) {
            let text = format!("{table} and perhaps others are encrypted (.gpg); decrypt them first");
            gathered.refuse(text);
        }
        if exported(&name.time).is_none() {
            gathered.refuse("its name holds a time that is none".to_owned());
        }
        gathered
    }

    fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(Reason::BatchRefused(why));
    }

    fn has(&self, table: &str) -> bool {
        self.tables.iter().any(|known| known.table == table)
    }

    /// Looks for what is missing, given the tables that the batches before held.
    fn check(&mut self, before: &BTreeSet<&'static str>, heads: &dyn ReadHead, files: &[FileFacts]) {
        let regular = || TABLES.iter().take(REGULAR).map(|spec| spec.name);
        let missing: Vec<&str> = regular().filter(|table| !self.has(table)).collect();
        let needed = |table: &&&str| ESSENTIAL.contains(*table) || before.contains(**table);
        if let Some(table) = missing.iter().find(needed) {
            let text = format!(
                "it is not complete: {table} is missing ({} of {REGULAR} tables are there)",
                REGULAR - missing.len()
            );
            self.refuse(text);
        }
        let told = missing.iter().map(|table| Problem::whole(Reason::MissingTable((*table).to_owned())));
        self.problems.extend(told);
        if let Some(sharing) = self.tables.iter().find(|known| known.table == SHARING) {
            let path = files[sharing.file].path.as_str();
            self.problems.extend(sharing_problem(path, heads.head(sharing.file, SHARING_HEAD_BYTES)));
        }
    }

    fn finish(mut self, name: &BatchName) -> Batch {
        self.tables.sort_by_key(|known| TABLES.iter().position(|spec| spec.name == known.table));
        self.problems.sort_unstable();
        let label = match &name.alone {
            Some(file) => file.clone(),
            None => format!("{}_{}_{}", name.processes, name.time, name.agreement),
        };
        Batch {
            name: label,
            order: format!(
                "{}/{:020}/{}",
                name.time,
                name.process,
                name.alone.as_deref().unwrap_or_default()
            ),
            kind: if name.alone.is_some() { BatchKind::Delta } else { BatchKind::Unsaid },
            from: None,
            until: None,
            practice: name.alone.is_none().then(|| name.agreement.clone()),
            exported: exported(&name.time),
            tables: self.tables,
            problems: self.problems,
            refused: self.refused,
        }
    }
}

/// Says so when the practice has switched its sharing agreement off: what follows is no longer kept up to date.
fn sharing_problem(path: &str, head: std::io::Result<Vec<u8>>) -> Option<Problem> {
    let head = head.ok()?;
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.trim_start_matches('\u{feff}').lines();
    let fields = |line: &str| -> Vec<String> {
        line.split(',').map(|field| field.trim().trim_matches('"').to_ascii_lowercase()).collect()
    };
    let header = fields(lines.next()?);
    let at = |name: &str| header.iter().position(|column| column == name);
    let (disabled, activated) = (at("disabled"), at("isactivated"));
    let rows: Vec<Vec<String>> = lines.map(fields).filter(|row| row.len() == header.len()).collect();
    let off = |row: &Vec<String>| {
        disabled.is_some_and(|at| row[at] == "true") || activated.is_some_and(|at| row[at] == "false")
    };
    (!rows.is_empty() && rows.iter().all(off)).then(|| {
        let text = "the practice's sharing agreement is switched off; EMIS sends nothing new under it";
        Problem::of_file(path, Reason::Malformed(text.to_owned()))
    })
}

/// Tells of tables whose names do not say when they were exported: nobody knows what they follow, so they are not read.
fn tell_undated(batches: &mut [Batch], undated: &[(usize, &'static str)], files: &[FileFacts]) {
    let Some(newest) = batches.last_mut() else {
        return;
    };
    newest.problems.extend(undated.iter().map(|(at, table)| {
        let text = format!("holds {table}, but its name does not say when it was exported; it is not read");
        Problem::of_file(files[*at].path.as_str(), Reason::Foreign(text))
    }));
}
