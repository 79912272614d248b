//! `RECOVER.txt`, followed to the letter, with nothing on the search path but Debian's own tools.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::{Finished, Program};
use lifeboat_tests::site::{PASSPHRASE, Site};

/// Patients of the practice that is recovered whole: enough that a dictionary is trained.
const PATIENTS: usize = 400;
/// Patients of the practices for which few are enough: the script takes its time over each.
const FEW_PATIENTS: usize = 30;
/// What `RECOVER.txt` asks for, and what every Debian has.
const TOOLS: [&str; 22] = [
    "age",
    "zstd",
    "sha256sum",
    "jq",
    "sh",
    "awk",
    "cat",
    "cp",
    "cut",
    "dd",
    "grep",
    "head",
    "ls",
    "mkdir",
    "od",
    "printf",
    "rm",
    "sed",
    "sort",
    "tail",
    "tr",
    "wc",
];

#[test]
fn recover_txt_restores_every_record_byte_for_byte() {
    let site = site_with_changes(PATIENTS);
    let dictionaries = damage::files_below(&site.replica("one").join("dicts"));
    assert!(!dictionaries.is_empty(), "{PATIENTS} patients are enough for a dictionary");
    recover(&site, &site.identity("owner"), "by-hand").success();
    same_records(&site, PATIENTS);
}

#[test]
fn recover_txt_works_without_head() {
    let site = site_with_changes(FEW_PATIENTS);
    damage::delete(&site.replica("one").join("HEAD"));
    recover(&site, &site.identity("owner"), "by-hand").success();
    same_records(&site, FEW_PATIENTS);
}

#[test]
fn recover_txt_says_how_a_kit_gives_its_identity() {
    let site = site_with_changes(FEW_PATIENTS);
    let (kit, _) = site.make_kit("duty-doctor");
    site.snapshot();
    let text = recover_text(&site);
    let line =
        text.lines().find(|line| line.contains("| jq -r .identity >")).expect("the text speaks of kits");
    let line = line.trim().replace("yours.lifeboat-kit", &kit.to_string_lossy());
    // age asks for the passphrase on a terminal, so there has to be one.
    let asked = Program::new("script").arguments(["-qec", &line, "/dev/null"]).folder(site.root());
    asked.input(format!("{PASSPHRASE}\n")).run().success();
    recover(&site, &site.root().join("identity.txt"), "by-hand").success();
    same_records(&site, FEW_PATIENTS);
}

#[test]
fn recover_txt_restores_what_is_left_and_says_what_is_not() {
    let site = site_with_changes(FEW_PATIENTS);
    let replica = site.replica("one");
    let packs = damage::files_below(&replica.join("packs"));
    damage::flip_bit(&replica.join("packs").join(&packs[0]), 100, 0);
    let done = recover(&site, &site.identity("owner"), "by-hand").failure();
    assert!(
        done.stderr.contains("could not be restored") || done.stderr.contains("damaged"),
        "{}",
        done.story()
    );
    assert!(damage::files_below(&site.root().join("by-hand")).len() > 1, "{}", done.story());
}

/// Returns a site whose newest snapshot has a base, a delta and day lists.
fn site_with_changes(patients: usize) -> Site {
    let practice = practice::practice(patients);
    let site = Site::new(&["one"]);
    practice::write(&practice, &site.source());
    site.snapshot();
    practice::write_changes(&practice, 1, 0.02, &site.source());
    site.snapshot();
    site
}

/// Returns what the replica says about itself.
fn recover_text(site: &Site) -> String {
    fs::read_to_string(site.replica("one").join("RECOVER.txt")).expect("every replica has it")
}

/// Takes the script out of `RECOVER.txt` with the very command that stands there, and runs it.
fn recover(site: &Site, identity: &Path, to: &str) -> Finished {
    let tools = tools(site);
    let shell = |script: &str, folder: &Path| {
        let shell = Program::new(tools.join("sh")).environment("PATH", &tools);
        shell.arguments(["-c", script]).folder(folder)
    };
    let text = recover_text(site);
    let lines: Vec<&str> = text.lines().collect();
    let start =
        lines.iter().position(|line| line.trim().starts_with("sed -n")).expect("the text has the command");
    let extract = format!("{} {}", lines[start].trim(), lines[start + 1].trim());
    let replica = site.replica("one");
    let elsewhere = site.root().join("borrowed-machine");
    fs::create_dir_all(&elsewhere).expect("a folder can be made");
    fs::copy(replica.join("RECOVER.txt"), elsewhere.join("RECOVER.txt")).expect("the text can be copied");
    shell(&extract, &elsewhere).run().success();
    Program::new(tools.join("sh"))
        .environment("PATH", &tools)
        .argument("recover.sh")
        .argument(replica)
        .argument(identity)
        .argument(site.root().join(to))
        .folder(&elsewhere)
        .run()
}

/// Makes a folder with the allowed tools and nothing else.
fn tools(site: &Site) -> PathBuf {
    let folder = site.root().join("tools");
    if folder.is_dir() {
        return folder;
    }
    fs::create_dir(&folder).expect("a folder can be made");
    let path = std::env::var_os("PATH").expect("there is a search path");
    for tool in TOOLS {
        let found = std::env::split_paths(&path).map(|place| place.join(tool)).find(|place| place.is_file());
        let found =
            found.unwrap_or_else(|| panic!("{tool} is not installed; `cargo xtask test` installs it"));
        symlink(found, folder.join(tool)).expect("a link can be made");
    }
    folder
}

/// Fails unless what was recovered by hand is what `lifeboat restore` gives, and the directory names everybody.
#[track_caller]
fn same_records(site: &Site, patients: usize) {
    let by_hand = site.root().join("by-hand");
    let directory =
        fs::read_to_string(by_hand.join("directory.ndjson")).expect("the script writes a directory");
    assert_eq!(directory.lines().count(), patients);
    damage::delete(&by_hand.join("directory.ndjson"));
    let restored = site.restore("one", "restored");
    damage::assert_same(&restored, &by_hand);
}
