//! Somebody who can read nothing finds every damage: flips, truncations, deletions, swaps and replays.
//!
//! The copy is taken elsewhere first; whoever verifies holds the verification key and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::{Program, binary};
use lifeboat_tests::site::{self, Site};

/// Patients of the practice: few, since every byte counts.
const PATIENTS: usize = 24;
/// Files up to this size are flipped at every byte.
const EVERY_BYTE_MAX: usize = 512;
/// Larger files are flipped at so many places, evenly spread.
const PLACES: usize = 200;
/// Damaged copies that are verified by one run of the program.
const BATCH: usize = 64;

#[test]
fn a_clean_copy_raises_no_alarm() {
    let copy = Copy::new();
    assert_eq!(copy.unnoticed(vec![Box::new(|_| {})]), [0], "nothing was done to it");
}

#[test]
fn every_flipped_bit_is_found() {
    let copy = Copy::new();
    let mut names = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    for file in copy.files() {
        let size = copy.size(&file);
        let stride = if size <= EVERY_BYTE_MAX { 1 } else { size / PLACES };
        for byte in (0..size).step_by(stride) {
            let bit = (byte % 8) as u8;
            names.push(format!("{} byte {byte} bit {bit}", file.display()));
            let file = file.clone();
            damages.push(Box::new(move |folder| damage::flip_bit(&folder.join(&file), byte, bit)));
        }
    }
    copy.all_found(&names, damages);
}

#[test]
fn every_truncation_is_found() {
    let copy = Copy::new();
    let mut names = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    for file in copy.files() {
        let size = copy.size(&file);
        for left in BTreeSet::from([0, 1, size / 2, size - 1]) {
            names.push(format!("{} cut to {left} of {size} bytes", file.display()));
            let file = file.clone();
            damages.push(Box::new(move |folder| damage::truncate(&folder.join(&file), left)));
        }
    }
    copy.all_found(&names, damages);
}

#[test]
fn every_deletion_is_found() {
    let copy = Copy::new();
    let files = copy.files();
    let mut names = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    for file in files.iter().filter(|file| !is_superseded(file, &files)) {
        names.push(format!("{} deleted", file.display()));
        let file = file.clone();
        damages.push(Box::new(move |folder| damage::delete(&folder.join(&file))));
    }
    copy.all_found(&names, damages);
}

#[test]
fn every_swap_of_two_objects_is_found() {
    let copy = Copy::new();
    let files = copy.files();
    let mut names = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    for (at, one) in files.iter().enumerate() {
        for other in &files[at + 1..] {
            if copy.bytes(one) == copy.bytes(other) {
                continue;
            }
            names.push(format!("{} and {} swapped", one.display(), other.display()));
            let (one, other) = (one.clone(), other.clone());
            damages.push(Box::new(move |folder| damage::swap(&folder.join(&one), &folder.join(&other))));
        }
    }
    copy.all_found(&names, damages);
}

#[test]
fn an_older_head_is_found() {
    let copy = Copy::new();
    let names: Vec<String> = (0..copy.older_heads.len()).map(|at| format!("HEAD of snapshot {at}")).collect();
    let heads = copy.older_heads.clone().into_iter();
    let damages = heads
        .map(|head| Box::new(move |folder: &Path| damage::replace(&folder.join("HEAD"), &head)) as Damage);
    copy.all_found(&names, damages.collect());
}

/// Returns whether a longer object of the same kind says all that this one says: an older checkpoint or partial tile.
///
/// Such objects may go, since nothing needs them; damaged ones are found all the same.
fn is_superseded(file: &Path, files: &[PathBuf]) -> bool {
    let replaceable =
        file.starts_with("checkpoints") || file.parent().is_some_and(|folder| folder.extension().is_some());
    let number = |file: &Path| file.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
    let beside = files.iter().filter(|other| other.parent() == file.parent());
    replaceable && beside.filter_map(|other| number(other)).max() > number(file)
}

/// Something that is done to a copy in a folder.
type Damage = Box<dyn Fn(&Path)>;

/// A whole copy, as it came from a site.
struct Copy {
    site: Site,
    older_heads: Vec<Vec<u8>>,
}

impl Copy {
    /// Makes a site with a history: changes, a heartbeat, a second epoch.
    fn new() -> Copy {
        let site = Site::in_memory(&["one"]);
        let practice = practice::practice(PATIENTS);
        practice::write(&practice, &site.source());
        let head = || fs::read(site.replica("one").join("HEAD")).expect("there is a HEAD");
        let mut older_heads = Vec::new();
        site.snapshot();
        older_heads.push(head());
        practice::write_changes(&practice, 1, 0.3, &site.source());
        site.snapshot();
        older_heads.push(head());
        let locum = site.make_identity("locum");
        site.run(&["recipients", "add", "locum", &locum]).success();
        site.snapshot();
        older_heads.push(head());
        site.snapshot();
        Copy { site, older_heads }
    }

    fn folder(&self) -> PathBuf {
        self.site.replica("one")
    }

    /// Returns the files of the copy.
    fn files(&self) -> Vec<PathBuf> {
        damage::files_below(&self.folder())
    }

    fn bytes(&self, file: &Path) -> Vec<u8> {
        fs::read(self.folder().join(file)).expect("a file of the copy can be read")
    }

    fn size(&self, file: &Path) -> usize {
        self.bytes(file).len()
    }

    /// Fails unless every damage is found.
    #[track_caller]
    fn all_found(&self, names: &[String], damages: Vec<Damage>) {
        assert!(!damages.is_empty(), "there is something to damage");
        let count = damages.len();
        let unnoticed = self.unnoticed(damages);
        let missed: Vec<&str> = unnoticed.iter().map(|at| names[*at].as_str()).collect();
        assert!(missed.is_empty(), "{} of {count} not found:\n  {}", missed.len(), missed.join("\n  "));
    }

    /// Verifies a copy with each damage; returns which of them raised no alarm.
    fn unnoticed(&self, damages: Vec<Damage>) -> Vec<usize> {
        let mut unnoticed = Vec::new();
        let indexed: Vec<(usize, Damage)> = damages.into_iter().enumerate().collect();
        for batch in indexed.chunks(BATCH) {
            let elsewhere = site::folder_in_memory();
            let mut verify = Program::new(binary("lifeboat")).folder(elsewhere.path());
            verify = verify.arguments(["--json", "verify", "--level", "digest", "--verification-key"]);
            verify = verify.argument(&self.site.verification_key);
            for (at, damage) in batch {
                let folder = elsewhere.path().join(format!("copy-{at}"));
                damage::link_folder(&self.folder(), &folder);
                damage(&folder);
                verify = verify.argument(&folder);
            }
            let done = verify.run();
            let said = done.json();
            let reports = said["result"]["replicas"].as_array().unwrap_or_else(|| panic!("{}", done.story()));
            assert_eq!(reports.len(), batch.len(), "{}", done.story());
            let clean = reports.iter().zip(batch).filter(|(report, _)| report["whole"] == true);
            unnoticed.extend(clean.map(|(_, (at, _))| *at));
        }
        unnoticed
    }
}
