//! The corpus of GP Connect responses that others made: every document translates or says why not, and whatever a
//! clinician wrote in it is in the translation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tests::{built, today};
use super::{response, text, translate};
use crate::rules::Rules;

/// Returns the corpus's files, where there is a corpus.
fn files() -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("LIFEBOAT_CORPUS") else { return Vec::new() };
    let folders = ["gpconnect-spec", "gpconnect-stu3", "gpconnect-stu3-records"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(Path::new(&corpus).join(folder)).ok())
        .flat_map(|folder| folder.flatten().map(|file| file.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

/// Members whose values say nothing to a clinician, or are told in other words.
const UNTOLD: [&str; 26] = [
    "resourceType",
    "id",
    "url",
    "system",
    "reference",
    "profile",
    "versionId",
    "lastUpdated",
    "code",
    "userSelected",
    "status",
    "intent",
    "mode",
    "type",
    "taken",
    "valueId",
    "clinicalStatus",
    "verificationStatus",
    "notGiven",
    "contentType",
    "rank",
    "use",
    "category",
    "criticality",
    "severity",
    "valueCode",
];

/// Collects the texts and numbers of a resource that a clinician wrote or chose, with their paths.
fn told(value: &Value, path: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let of_identifier =
                    name == "identifier" || name == "masterIdentifier" || name == "groupIdentifier";
                if name == "meta"
                    || of_identifier
                    || (UNTOLD.contains(&name.as_str()) && !member.is_object() && !member.is_array())
                {
                    continue;
                }
                told(member, &format!("{path}.{name}"), into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| told(item, path, into)),
        Value::String(text) if !text.trim().is_empty() => into.push((path.to_owned(), text.clone())),
        Value::Number(number) => into.push((path.to_owned(), number.to_string())),
        _ => {}
    }
}

/// Collects every text and number of a translation, as one text to look into.
fn everything(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => members.values().for_each(|member| everything(member, into)),
        Value::Array(items) => items.iter().for_each(|item| everything(item, into)),
        Value::String(text) => {
            into.push('\n');
            into.push_str(text);
        }
        Value::Number(number) => {
            into.push('\n');
            into.push_str(&number.to_string());
        }
        _ => {}
    }
}

/// Paths that are not carried over, and why.
const LEFT: [(&str, &str); 3] = [
    (
        "MedicationRequest.extension.valueCodeableConcept",
        "the type of a prescription is told as the course of therapy",
    ),
    (
        "MedicationStatement.extension.valueCodeableConcept",
        "that the practice prescribed it goes without saying",
    ),
    (
        "Observation.code.coding.display",
        "that a note told with its consultation is a note goes without saying",
    ),
];

fn is_date(text: &str) -> bool {
    lifeboat_clinical::PartialDate::of_date_time(text).is_some()
}

/// Returns how many resources of each type went in and came out.
fn counts(source: &[u8], translated: &[u8]) -> String {
    let source = text::parse(source, &mut Vec::new()).expect("it was parsed before");
    let response = response::Response::of(source, &mut Vec::new());
    let mut all: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for entry in &response.entries {
        all.entry(&entry.kind).or_default().0 += 1;
    }
    let document: Value = serde_json::from_slice(translated).expect("a translation is JSON");
    for entry in document["entry"].as_array().into_iter().flatten() {
        all.entry(entry["resource"]["resourceType"].as_str().unwrap_or_default()).or_default().1 += 1;
    }
    all.iter().map(|(kind, (from, to))| format!("{kind} {from}>{to}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn every_document_of_the_corpus_translates_or_says_why_not() {
    let mut table = String::new();
    let mut lost: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for file in files() {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let bytes = std::fs::read(&file).expect("the corpus can be read");
        let translated = match translate(&bytes, &Rules::default()) {
            Ok(translated) => translated,
            Err(problem) => {
                let _ = writeln!(table, "{name}\n    {problem}");
                continue;
            }
        };
        let _ = writeln!(table, "{name} ({} problems)", translated.problems.len());
        let mut problems: BTreeMap<String, usize> = BTreeMap::new();
        for problem in &translated.problems {
            *problems.entry(problem.to_string()).or_default() += 1;
        }
        for (problem, times) in problems {
            let _ = writeln!(table, "    ! {times} x {problem}");
        }
        let _ = writeln!(table, "    {}", counts(&bytes, &translated.document));
        for record in built(&translated.document, today()) {
            for (section, state, items) in &record.sections {
                let _ = writeln!(table, "    {:20} {items:4} {state}", section.code());
            }
            for problem in &record.problems {
                let _ = writeln!(table, "    !! {problem}");
            }
        }
        let source = text::parse(&bytes, &mut Vec::new()).expect("it was parsed before");
        let source = response::Response::of(source, &mut Vec::new());
        let mut all = String::new();
        let document: Value = serde_json::from_slice(&translated.document).expect("a translation is JSON");
        everything(&document, &mut all);
        for entry in &source.entries {
            let is_left_out = entry.kind == "DocumentReference"
                && translated
                    .problems
                    .iter()
                    .any(|problem| problem.column.as_deref() == Some("DocumentReference"));
            if is_left_out
                || response::SUPPORTING.contains(&entry.kind.as_str())
                || entry.kind == "List"
                || entry.container.is_some()
            {
                continue;
            }
            let mut texts = Vec::new();
            told(&entry.resource, &entry.kind, &mut texts);
            for (path, text) in texts {
                let found = all.contains(text.trim())
                    || (is_date(&text)
                        && (all.contains(&super::words::day(&text))
                            || text.get(..10).is_some_and(|day| all.contains(day))));
                if !found && !LEFT.iter().any(|(left, _)| path.contains(left)) {
                    let lost = lost.entry(path).or_insert((0, format!("{name}: {text}")));
                    lost.0 += 1;
                }
            }
        }
    }
    for (path, (times, example)) in &lost {
        let _ = writeln!(table, "LOST {times} {path} {example}");
    }
    std::io::stdout().write_all(table.as_bytes()).expect("standard output is there");
    assert!(lost.is_empty(), "{} paths are lost", lost.len());
}
