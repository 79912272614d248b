//! Input that is broken, or made to break a reader: it is named, nothing else is lost, and memory stays bounded.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use lifeboat_tests::damage;
use lifeboat_tests::program::{Finished, Program, binary};
use lifeboat_tests::site::Site;

use super::extract::{Order, PARTLY, Table, attempt, edit, file, lines, report, says_once, shown, zip};
use super::reading::Practice;

/// The most memory that a snapshot of a small practice may take, whatever lies in the source.
const MEMORY_KIB_MAX: u64 = 512 * 1024;
/// Measures programs, where it is installed.
const TIME: &str = "/usr/bin/time";

/// Takes a snapshot within bounded memory.
#[track_caller]
fn bounded(site: &Site) -> Finished {
    if !Path::new(TIME).exists() {
        return attempt(site);
    }
    let done = Program::new(TIME)
        .arguments(["-f", "peak %M KiB"])
        .argument(binary("lifeboat"))
        .environment("TMPDIR", site.temporary())
        .argument("--config")
        .argument(site.config())
        .arguments(["--json", "snapshot"])
        .folder(site.root())
        .run();
    assert!(done.status.code().is_some_and(|code| code != 101), "{}", done.story());
    let mut peak = done.stderr.lines().filter_map(|line| line.strip_prefix("peak ")?.strip_suffix(" KiB"));
    let peak: u64 = peak.next_back().and_then(|text| text.parse().ok()).expect("the peak is measured");
    assert!(peak <= MEMORY_KIB_MAX, "{peak} KiB\n{}", done.story());
    done
}

const EMIS: Order = Order { format: "emis", patients: 16, changes: 50 };

/// An extract that is harmed before its first snapshot.
struct Harm {
    name: &'static str,
    harm: fn(&Path),
    /// Under which heading of the report it stands, and with which words.
    told: Option<(&'static str, &'static [&'static str])>,
    harmed: Harmed,
}

/// What may differ from the extract as it should be.
enum Harmed {
    Nothing,
    /// Pages about so many patients.
    Pages(usize),
    /// These parts of all pages, which then are not supplied.
    NotSupplied(&'static [&'static str]),
}

const ENTRIES: &str = "_CareRecord_Observation_";
const CONSULTATIONS: &str = "_CareRecord_Consultation_";

/// Replaces the first bytes `from` after the header of the table of entries.
fn entry_bytes(folder: &Path, change: impl FnOnce(&mut Vec<u8>, usize)) {
    edit(&file(folder, ENTRIES), |mut bytes| {
        let at = bytes.windows(2).position(|two| two == b"\r\n").expect("a table has a header") + 2;
        change(&mut bytes, at);
        bytes
    });
}

fn entry(folder: &Path, column: &str, value: &str) {
    let mut entries = Table::read(folder, ENTRIES);
    let measured = |row: &usize| !entries.field(*row, "Value").is_empty();
    let row = (0..entries.rows.len()).find(measured).expect("somebody was measured");
    entries.set(row, column, value);
    entries.write();
}

const HARMS: &[Harm] = &[
    Harm {
        name: "a field of ten megabytes",
        harm: |folder| entry(folder, "AssociatedText", &"x".repeat(10 << 20)),
        told: Some(("unreadable", &[ENTRIES, "row ", "AssociatedText", "longer than the limit"])),
        harmed: Harmed::Pages(1),
    },
    Harm {
        name: "NUL bytes",
        harm: |folder| entry_bytes(folder, |bytes, at| bytes[at] = 0),
        told: Some(("unreadable", &[ENTRIES, "row 1", "NUL"])),
        harmed: Harmed::Pages(1),
    },
    Harm {
        name: "a table in UTF-16",
        harm: |folder| {
            edit(&file(folder, CONSULTATIONS), |bytes| {
                let text = String::from_utf8(bytes).expect("the writer writes UTF-8");
                [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
            });
        },
        told: Some(("unreadable", &[CONSULTATIONS])),
        harmed: Harmed::NotSupplied(&["encounters"]),
    },
    Harm {
        name: "Windows-1252 in place of UTF-8",
        harm: |folder| entry(folder, "AssociatedText", "39\u{b0} and \u{81}"),
        told: Some(("notes", &[ENTRIES, "stand for no character"])),
        harmed: Harmed::Pages(1),
    },
    Harm {
        name: "mixed line ends",
        harm: |folder| {
            entry_bytes(folder, |bytes, at| {
                let tail = bytes.split_off(at);
                let rows = String::from_utf8(tail).expect("the writer writes UTF-8");
                let ends = ["\n", "\r\n", "\n\n", "\r"];
                let rows = rows.split_terminator("\r\n").zip(ends.iter().cycle());
                bytes.extend(rows.flat_map(|(row, end)| [row, end].concat().into_bytes()));
            });
        },
        told: None,
        harmed: Harmed::Nothing,
    },
    Harm {
        name: "a quote that is not closed",
        harm: |folder| entry_bytes(folder, |bytes, at| bytes.insert(at, b'"')),
        told: Some(("unreadable", &[ENTRIES, "row 1", "not closed"])),
        harmed: Harmed::Pages(1),
    },
    Harm {
        name: "rows that stand there twice",
        harm: |folder| {
            for part in [ENTRIES, "_Admin_Patient_", "_Prescribing_DrugRecord_"] {
                let mut table = Table::read(folder, part);
                let again = table.rows.clone();
                table.rows.extend(again);
                table.write();
            }
        },
        told: None,
        harmed: Harmed::Nothing,
    },
    Harm {
        name: "a day that is none",
        harm: |folder| entry(folder, "EffectiveDate", "31/02/2024"),
        told: Some(("unreadable", &["EffectiveDate", "is not a date"])),
        harmed: Harmed::Pages(1),
    },
    Harm {
        name: "a column that is missing",
        harm: |folder| {
            let mut consultations = Table::read(folder, CONSULTATIONS);
            consultations.drop_column("EffectiveDate");
            consultations.write();
        },
        told: Some(("unreadable", &[CONSULTATIONS, "the column EffectiveDate is missing", "not supplied"])),
        harmed: Harmed::NotSupplied(&["encounters"]),
    },
    Harm {
        name: "a column that is not known",
        harm: |folder| {
            let mut entries = Table::read(folder, ENTRIES);
            entries.add_column("Novelty", "new");
            entries.write();
        },
        told: Some(("notes", &[ENTRIES, "Novelty", "schema drift"])),
        harmed: Harmed::Nothing,
    },
    Harm {
        name: "a table that is not known",
        harm: |folder| {
            let known = file(folder, CONSULTATIONS);
            let name = known.to_string_lossy().replace("CareRecord_Consultation", "CareRecord_Novelty");
            fs::write(name, "NoveltyGuid\r\n1\r\n").expect("a table");
        },
        told: Some(("unreadable", &["CareRecord_Novelty", "schema drift"])),
        harmed: Harmed::Nothing,
    },
];

#[test]
fn what_is_broken_is_named_and_everything_else_is_read() {
    let clean = shown(&EMIS.site(), "restored");
    for harm in HARMS {
        let name = harm.name;
        let site = Site::new(&["one"]);
        EMIS.deliver(&site, 0);
        (harm.harm)(&site.source());
        let done = bounded(&site).code(0);
        let report = report(&done);
        let told: BTreeSet<String> =
            ["unreadable", "notes"].iter().flat_map(|of| lines(&report, of)).collect();
        match harm.told {
            Some((heading, words)) => {
                says_once(&lines(&report, heading), words);
                assert_eq!(told.len(), 1, "{name}: nothing else is told: {told:?}");
            }
            None => assert!(told.is_empty(), "{name}: {told:?}"),
        }
        let found = shown(&site, "restored");
        assert_eq!(clean.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "{name}");
        check_harm(harm, &clean, &found);
    }
}

fn check_harm(harm: &Harm, clean: &Practice, found: &Practice) {
    let name = harm.name;
    let mut pages = BTreeSet::new();
    for (who, page) in clean {
        for part in page.keys().filter(|part| page.get(*part) != found[who].get(*part)) {
            let section = part.trim_end_matches(" state");
            if let Harmed::NotSupplied(sections) = harm.harmed {
                assert!(sections.contains(&section), "{name}: {part} of {who} differs");
            }
            pages.insert(who);
        }
    }
    match harm.harmed {
        Harmed::Nothing => assert!(pages.is_empty(), "{name}: {pages:?} differ"),
        Harmed::Pages(count) => assert_eq!(pages.len(), count, "{name}: {pages:?} differ"),
        Harmed::NotSupplied(sections) => {
            for (page, section) in found.values().flat_map(|page| sections.iter().map(move |it| (page, it))) {
                if let Some(state) = page.get(&format!("{section} state")) {
                    assert_eq!(state[0]["state"], "not-supplied", "{name}");
                }
            }
        }
    }
}

#[test]
fn an_archive_of_a_gigabyte_of_nothing_is_refused_and_the_records_stay() {
    let site = EMIS.site();
    let before = site.restore("one", "before");
    let next = site.root().join("next");
    EMIS.write(&site, 1, &next);
    File::create(file(&next, ENTRIES)).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    zip(&next, &["-1", "-r"], "next.zip", &["."]);
    fs::rename(next.join("next.zip"), site.source().join("next.zip")).expect("a file can be moved");
    let done = bounded(&site).code(PARTLY);
    let report = report(&done);
    says_once(&lines(&report, "unreadable"), &["next.zip", ENTRIES]);
    says_once(&lines(&report, "refused_batches"), &["not complete"]);
    damage::assert_same(&before, &site.restore("one", "after"));

    // The same beside documents, each of which stands for itself.
    let documents = Site::new(&["one"]);
    Order { format: "gpconnect", ..EMIS }.deliver(&documents, 0);
    fs::copy(site.source().join("next.zip"), documents.source().join("bomb.zip")).expect("a copy");
    let bomb = documents.root().join("bomb");
    fs::create_dir(&bomb).expect("a folder");
    File::create(bomb.join("zeros.json")).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    zip(&bomb, &["-1"], "bomb.zip", &["zeros.json"]);
    fs::rename(bomb.join("bomb.zip"), documents.source().join("bomb.zip")).expect("a file can be moved");
    let done = bounded(&documents).code(0);
    let report = super::extract::report(&done);
    says_once(&lines(&report, "unreadable"), &["bomb.zip", "zeros.json"]);
    assert_eq!(report["patients"], 16, "{report}");
}

#[test]
fn an_entry_that_points_out_of_its_archive_is_refused_and_the_others_are_read() {
    let site = Site::new(&["one"]);
    let documents = site.root().join("documents/below");
    Order { format: "gpconnect", ..EMIS }.write(&site, 0, &documents);
    fs::write(site.root().join("documents/escaped.json"), "{}").expect("a file");
    zip(&documents, &["-r"], "all.zip", &[".", "../escaped.json"]);
    fs::rename(documents.join("all.zip"), site.source().join("all.zip")).expect("a file can be moved");
    let before: BTreeSet<_> = damage::files_below(site.root()).into_iter().collect();
    let done = bounded(&site).code(0);
    let report = report(&done);
    says_once(&lines(&report, "unreadable"), &["all.zip", "escaped.json"]);
    assert_eq!(report["patients"], 16, "{report}");
    let new = damage::files_below(site.root()).into_iter().filter(|file| !before.contains(file));
    let strays: Vec<_> = new.filter(|file| file.to_string_lossy().contains("escaped")).collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn documents_that_are_broken_are_named_and_the_others_are_read() {
    let site = Site::new(&["one"]);
    Order { format: "gpconnect", ..EMIS }.deliver(&site, 0);
    let source = site.source();
    let whole =
        damage::files_below(&source).into_iter().find(|file| file.to_string_lossy().ends_with(".json"));
    let whole = fs::read(source.join(whole.expect("there are documents"))).expect("it can be read");
    let deep =
        format!("{{\"resourceType\":\"Bundle\",\"entry\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let long = format!("{{\"resourceType\":\"Bundle\",\"id\":\"{}\"", "y".repeat(10 << 20));
    fs::write(source.join("deep.json"), deep).expect("a file");
    fs::write(source.join("long.json"), long).expect("a file");
    fs::write(source.join("cut.json"), &whole[..whole.len() / 2]).expect("a file");
    fs::write(source.join("nul.json"), vec![0; 4096]).expect("a file");
    let utf16: Vec<u8> = "{\"resourceType\":\"Bundle\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(source.join("utf16.json"), utf16).expect("a file");
    // So many of so few are a reason to hold the snapshot; it is there all the same.
    let done = bounded(&site);
    assert!([Some(0), Some(4)].contains(&done.status.code()), "{}", done.story());
    let report = report(&done);
    let told = lines(&report, "unreadable");
    for name in ["deep.json", "long.json", "cut.json", "nul.json", "utf16.json"] {
        says_once(&told, &[name]);
    }
    assert_eq!(report["patients"], 16, "{report}");
}
