//! Real documents that nobody here wrote, from the folder that `LIFEBOAT_CORPUS` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::date;

use crate::fuzz::{self, Reading};

/// What became of the files of one folder.
#[derive(Default)]
struct Row {
    files: u32,
    reading: Reading,
    reasons: BTreeMap<String, u32>,
}

fn files_under(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the corpus can be listed");
    for entry in entries {
        let path = entry.expect("the corpus can be listed").path();
        if path.is_dir() {
            files_under(&path, into);
        } else {
            into.push(path);
        }
    }
    into.sort();
}

#[expect(clippy::print_stderr, reason = "the table is for the person who runs this test")]
fn show(line: &str) {
    eprintln!("{line}");
}

/// What R4 documents of the corpus may be reported for, by what the reason begins with. Anything else
/// would be a document that should have been read.
fn is_expected(folder: &str, reason: &str) -> bool {
    let kinds: &[&str] = match folder {
        "gpconnect-stu3" | "gpconnect-stu3-records" | "gpconnect-spec" => &[
            "FHIR STU3",
            "not valid JSON",
            "the source answered with an error",
            "such resources are part of no patient's record",
            "names no patient",
        ],
        "." => &["text that is not JSON"],
        "bulk-r4" => &["JSON, but not a FHIR resource", "text that is not JSON", "names no patient"],
        "ips" | "uk-ps" => &["FHIR as XML", "FHIR STU3", "names a patient who is not in the document"],
        _ => &[],
    };
    kinds.iter().any(|kind| reason.starts_with(kind))
}

#[test]
fn every_document_of_the_corpus_is_read_or_reported_with_its_reason() {
    let Some(root) = std::env::var_os("LIFEBOAT_CORPUS").map(PathBuf::from) else {
        show("LIFEBOAT_CORPUS is not set; nothing was read");
        return;
    };
    let mut files = Vec::new();
    files_under(&root, &mut files);
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for path in files {
        let below = path.strip_prefix(&root).expect("found under the root");
        let folder = match below.components().count() {
            1 => ".".to_owned(),
            _ => below.iter().next().map_or_else(String::new, |first| first.to_string_lossy().into_owned()),
        };
        let bytes = std::fs::read(&path).expect("the corpus can be read");
        let reading = fuzz::record(&bytes, date(2026, 11, 21));
        let row = rows.entry(folder.clone()).or_default();
        row.files += 1;
        row.reading.documents += reading.documents;
        row.reading.records += reading.records;
        row.reading.resources += reading.resources;
        row.reading.appointments += reading.appointments;
        for problem in &reading.problems {
            let reason = problem.reason.to_string();
            assert!(is_expected(&folder, &reason), "{}: {problem}", below.display());
            *row.reasons.entry(reason).or_default() += 1;
        }
        for problem in &reading.skipped {
            let kind = problem.place.resource.map_or("", |kind| kind.name());
            *row.reasons.entry(format!("  skipped {kind}: {}", problem.reason)).or_default() += 1;
        }
        row.reading.problems.extend(reading.problems);
    }
    assert!(!rows.is_empty(), "the corpus is empty");
    show("folder                    files documents reported resources  records appointments");
    for (folder, row) in &rows {
        let Reading { documents, records, resources, appointments, problems, .. } = &row.reading;
        let reported = problems.len();
        show(&format!("{folder:24} {:6} {documents:9} {reported:8} {resources:9} {records:8} {appointments:12}", row.files));
        for (reason, times) in &row.reasons {
            show(&format!("    {times:5} × {reason}"));
        }
    }
}
