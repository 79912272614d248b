//! Real documents that nobody here wrote, from the folder that `LIFEBOAT_CORPUS` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};

use crate::fuzz::{self, Reading};

const TODAY: Date = date(2026, 11, 21);

/// The files of one folder.
type Row = Vec<Vec<u8>>;

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
            1 => ".".into(),
            _ => below.iter().next().unwrap_or_default().to_string_lossy(),
        };
        let bytes = std::fs::read(&path).expect("the corpus can be read");
        // Each file on its own, so that a reason names its file.
        for problem in fuzz::record(&bytes, TODAY).problems {
            let expected = is_expected(&folder, &problem.reason.to_string());
            assert!(expected, "{}: {problem}", below.display());
        }
        rows.entry(folder.into_owned()).or_default().push(bytes);
    }
    assert!(!rows.is_empty(), "the corpus is empty");
    show("folder                    files documents reported resources  records appointments");
    for (folder, files) in rows {
        let inputs: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        show_row(&folder, files.len(), &fuzz::feed(&inputs, TODAY));
    }
}

/// Shows what became of a folder read as one feed.
fn show_row(folder: &str, files: usize, reading: &Reading) {
    show(&format!(
        "{folder:24} {files:6} {:9} {:8} {:9} {:8} {:12}",
        reading.documents,
        reading.problems.len(),
        reading.resources,
        reading.records,
        reading.appointments
    ));
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for problem in &reading.problems {
        *reasons.entry(problem.reason.to_string()).or_default() += 1;
    }
    for problem in &reading.skipped {
        let kind = problem.place.resource.map_or("", |kind| kind.name());
        let reason = format!("inside a document, {kind}: {}", problem.reason);
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, times) in reasons {
        show(&format!("    {times:5} × {reason}"));
    }
}
