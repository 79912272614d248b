//! Documents that other systems wrote, read by the real program: each is read or reported, and none makes it stumble.
//!
//! `LIFEBOAT_CORPUS` names a folder whose sub-folders each hold one set of files. Without it the small set beside this file
//! is read, so that the test always runs.

use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::damage;
use lifeboat_tests::site::Site;

#[test]
fn every_document_of_the_corpus_is_read_or_reported() {
    let corpus = std::env::var_os("LIFEBOAT_CORPUS").map_or_else(own_corpus, PathBuf::from);
    let mut sets: Vec<PathBuf> = fs::read_dir(&corpus)
        .expect("the corpus can be listed")
        .map(|entry| entry.expect("the corpus can be listed").path())
        .filter(|path| path.is_dir())
        .collect();
    sets.sort();
    assert!(!sets.is_empty(), "{} has no sub-folder", corpus.display());
    for set in sets {
        read(&set);
    }
}

/// Returns the folder of the files that come with the tests.
fn own_corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus")
}

/// Takes a snapshot of one set of files and looks at the report.
fn read(set: &Path) {
    let site = Site::new(&["one"]);
    damage::copy_folder(set, &site.source());
    let done = site.command(&["--json", "snapshot"]).run();
    let story = done.story();
    assert!(!story.contains("panicked"), "{}:\n{story}", set.display());
    let code = done.status.code().unwrap_or_else(|| panic!("{}:\n{story}", set.display()));
    assert!([0, 4].contains(&code), "{}: a snapshot is taken, or held with reasons:\n{story}", set.display());
    site.verify_as_stranger(&site.replica("one")).success();
}
