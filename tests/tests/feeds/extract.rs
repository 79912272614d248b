//! Made-up extracts for the tests to deliver, change and harm.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::damage;
use lifeboat_tests::practice::today;
use lifeboat_tests::program::{Finished, Program};
use lifeboat_tests::site::Site;
use serde_json::Value;

use super::reading::{Practice, read};

/// The exit code of what was done in part.
pub(super) const PARTLY: i32 = 5;
/// The exit code of what could not be done.
pub(super) const FAILED: i32 = 1;

/// A practice whose extracts are written one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) format: &'static str,
    pub(crate) patients: u32,
    /// In a hundred, how many patients change from one extract to the next.
    pub(crate) changes: u32,
}

impl Order {
    /// A small practice of which half changes each time.
    pub(crate) fn small(format: &'static str) -> Order {
        Order { format, patients: 16, changes: 50 }
    }

    /// Writes an extract into a folder: 0 is the full one.
    #[track_caller]
    pub(super) fn write(&self, site: &Site, delta: u32, to: &Path) {
        site.command(&["feed", "synth", "--format", self.format, "--seed", "7"])
            .arguments(["--patients", &self.patients.to_string(), "--changes", &self.changes.to_string()])
            .arguments(["--delta", &delta.to_string(), "--today", &today().to_string()])
            .argument("--to")
            .argument(to)
            .run()
            .success();
    }

    /// Delivers an extract to the site's source.
    #[track_caller]
    pub(crate) fn deliver(&self, site: &Site, delta: u32) {
        self.write(site, delta, &site.source());
    }

    /// Sets up a site that has taken a snapshot of the full extract.
    #[track_caller]
    pub(super) fn site(&self) -> Site {
        let site = Site::new(&["one"]);
        self.deliver(&site, 0);
        site.snapshot();
        site
    }
}

/// Removes everything from the site's source.
pub(super) fn empty_source(site: &Site) {
    fs::remove_dir_all(site.source()).expect("the source can be removed");
    fs::create_dir(site.source()).expect("a folder can be made");
}

/// Reads what a clinician reads of the site's newest snapshot.
#[track_caller]
pub(super) fn shown(site: &Site, name: &str) -> Practice {
    read(&site.restore("one", name), today())
}

/// Takes a snapshot, well or not, and returns how that ended; a panic fails the test.
#[track_caller]
pub(super) fn attempt(site: &Site) -> Finished {
    let done = site.run(&["--json", "snapshot"]);
    assert!(done.status.code().is_some_and(|code| code != 101), "{}", done.story());
    done
}

/// Returns the report of a snapshot that was taken.
#[track_caller]
pub(super) fn report(done: &Finished) -> Value {
    let report = done.json()["result"]["snapshot"].take();
    assert!(report.is_object(), "{}", done.story());
    report
}

/// Says what is said under a heading (`unreadable`, `notes`, `refused_batches`): one line for each.
pub(super) fn lines(report: &Value, heading: &str) -> Vec<String> {
    let entries = report[heading].as_array().into_iter().flatten();
    entries
        .map(|entry| {
            let file = entry["file"].as_str().or(entry["name"].as_str()).unwrap_or_default();
            let line = entry["line"].as_u64().map(|line| format!(", row {line}")).unwrap_or_default();
            let times = entry["times"].as_u64().filter(|times| *times > 1);
            let times = times.map(|times| format!(" ({times} times)")).unwrap_or_default();
            format!("{file}{line}: {}{times}", entry["reason"].as_str().unwrap_or_default())
        })
        .collect()
}

/// Fails unless exactly one line holds all the words.
#[track_caller]
pub(super) fn says_once(lines: &[String], words: &[&str]) {
    let saying = lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(saying, 1, "{words:?} in:\n{}", lines.join("\n"));
}

/// Finds the one file below a folder whose name holds `part`.
#[track_caller]
pub(super) fn file(folder: &Path, part: &str) -> PathBuf {
    let mut found = damage::files_below(folder)
        .into_iter()
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(part)));
    let file = found.next().unwrap_or_else(|| panic!("no file {part} in {}", folder.display()));
    assert!(found.next().is_none(), "several files {part} in {}", folder.display());
    folder.join(file)
}

/// Changes the bytes of a file.
pub(super) fn edit(file: &Path, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let bytes = fs::read(file).expect("the file can be read");
    fs::write(file, edit(bytes)).expect("the file can be written");
}

/// A table of an extract in memory; made-up fields hold line ends only where they are quoted.
pub(super) struct Table {
    path: PathBuf,
    header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads the table whose file name holds `part`.
    #[track_caller]
    pub(super) fn read(folder: &Path, part: &str) -> Table {
        let path = file(folder, part);
        let bytes = fs::read(&path).expect("the table can be read");
        let mut rows = parse(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>());
        let header = rows.remove(0);
        Table { path, header, rows }
    }

    /// Returns the names of the columns.
    pub(super) fn columns(&self) -> &[String] {
        &self.header
    }

    /// Returns the place of a column.
    #[track_caller]
    pub(super) fn column(&self, name: &str) -> usize {
        let at = self.header.iter().position(|column| column == name);
        at.unwrap_or_else(|| panic!("{} has no column {name}", self.path.display()))
    }

    /// Returns a field.
    #[track_caller]
    pub(super) fn field(&self, row: usize, column: &str) -> String {
        self.rows[row][self.column(column)].clone()
    }

    /// Sets a field.
    #[track_caller]
    pub(super) fn set(&mut self, row: usize, column: &str, value: &str) {
        let at = self.column(column);
        value.clone_into(&mut self.rows[row][at]);
    }

    /// Sets a field of every row.
    #[track_caller]
    pub(super) fn set_all(&mut self, column: &str, value: &str) {
        (0..self.rows.len()).for_each(|row| self.set(row, column, value));
    }

    /// Takes a column away.
    #[track_caller]
    pub(super) fn drop_column(&mut self, name: &str) {
        let at = self.column(name);
        self.header.remove(at);
        self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
    }

    /// Adds a column with the same value in every row.
    pub(super) fn add_column(&mut self, name: &str, value: &str) {
        self.header.push(name.to_owned());
        self.rows.iter_mut().for_each(|row| row.push(value.to_owned()));
    }

    /// Returns the place of the first row with this value in a column.
    #[track_caller]
    pub(super) fn find(&self, column: &str, value: &str) -> usize {
        let at = self.column(column);
        let found = self.rows.iter().position(|row| row[at] == value);
        found.unwrap_or_else(|| panic!("no {column} is that in {}", self.path.display()))
    }

    /// Writes the table back.
    pub(super) fn write(&self) {
        self.write_to(&self.path);
    }

    /// Writes the table to another file.
    pub(super) fn write_to(&self, path: &Path) {
        let mut bytes = Vec::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let fields: Vec<String> =
                row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
            let text = fields.join(",") + "\r\n";
            // Characters stand for bytes, whatever the encoding.
            bytes.extend(text.chars().map(|character| u8::try_from(character).expect("a byte")));
        }
        fs::write(path, bytes).expect("the table can be written");
    }
}

fn parse(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            character => field.push(character),
        }
    }
    rows
}

/// Packs files into archives with the usual program, in the folder itself, and takes the files away.
#[track_caller]
pub(super) fn zip(folder: &Path, arguments: &[&str], archive: &str, files: &[&str]) {
    Program::new("zip")
        .arguments(["-q", "-m"])
        .arguments(arguments)
        .argument(archive)
        .arguments(files)
        .folder(folder)
        .run()
        .success();
}
