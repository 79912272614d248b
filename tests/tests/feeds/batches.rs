//! Batches: full extracts and changes, whole or in archives, in order or not.

use std::fs;
use std::path::Path;

use lifeboat_tests::damage;
use lifeboat_tests::program::Finished;
use lifeboat_tests::site::Site;
use serde_json::Value;

use super::extract::{
    FAILED, Order, PARTLY, Table, attempt, empty_source, file, lines, report, says_once, shown, zip,
};

#[test]
fn changes_give_the_same_records_in_one_go_and_one_after_the_other() {
    for format in ["emis", "tpp"] {
        let order = Order::small(format);
        let at_once = Site::new(&["one"]);
        (0..3).for_each(|delta| order.deliver(&at_once, delta));
        at_once.snapshot();
        let stepwise = order.site();
        let full = shown(&stepwise, "full");
        for delta in 1..3 {
            order.deliver(&stepwise, delta);
            let taken = report(&attempt(&stepwise));
            assert_eq!(taken["outcome"]["kind"], "snapshot", "{format} {delta}");
            assert_eq!(lines(&taken, "refused_batches"), [""; 0], "{format} {delta}");
        }
        let (one, other) = (shown(&at_once, "restored"), shown(&stepwise, "restored"));
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{format}");
        for (who, page) in &one {
            assert_eq!(page, &other[who], "{format}: {who}");
        }
        assert_ne!(full, other, "{format}: something changed");
    }
}

#[test]
fn only_the_newest_batch_need_lie_in_the_source() {
    for format in ["emis", "tpp"] {
        let order = Order::small(format);
        let (keeping, moving) = (order.site(), order.site());
        empty_source(&moving);
        order.deliver(&keeping, 1);
        order.deliver(&moving, 1);
        keeping.snapshot();
        moving.snapshot();
        assert_eq!(shown(&keeping, "restored"), shown(&moving, "restored"), "{format}");
    }
}

#[test]
fn a_batch_that_comes_again_changes_nothing() {
    for format in ["emis", "tpp"] {
        let order = Order::small(format);
        let site = order.site();
        order.deliver(&site, 1);
        site.snapshot();
        // Once more under other times, then twice at once.
        order.deliver(&site, 1);
        let again = report(&attempt(&site));
        assert_eq!(again["outcome"]["kind"], "heartbeat", "{format}: {again}");
        let below = site.source().join("again");
        order.write(&site, 0, &below);
        let twice = report(&attempt(&site));
        assert_eq!(twice["outcome"]["kind"], "heartbeat", "{format}: {twice}");
        assert_eq!(lines(&twice, "refused_batches"), [""; 0], "{format}");
    }
}

/// A delivery that must be refused.
struct Refused {
    name: &'static str,
    order: Order,
    deliver: fn(&Order, &Site),
    /// What the reason says.
    says: &'static [&'static str],
}

const AGREEMENT: &str = "11111111-2222-3333-4444-555555555555";

#[test]
fn what_cannot_apply_is_refused_with_its_reason_and_the_records_stay() {
    let cases = [
        Refused {
            name: "an EMIS batch that comes too late",
            order: Order::small("emis"),
            deliver: |order, site| {
                order.deliver(site, 2);
                site.snapshot();
                order.deliver(site, 1);
            },
            says: &["is older than 1003_"],
        },
        Refused {
            name: "another practice's EMIS batch",
            order: Order::small("emis"),
            deliver: |order, site| {
                let folder = site.source().join("other");
                order.write(site, 1, &folder);
                rename_all(&folder, |name| {
                    let (stem, ending) = name.rsplit_once('.').expect("a file has an ending");
                    let (stem, _) = stem.rsplit_once('_').expect("a name has parts");
                    format!("{stem}_{AGREEMENT}.{ending}")
                });
            },
            says: &["it is an extract of", AGREEMENT],
        },
        Refused {
            name: "an EMIS batch that is not complete",
            order: Order::small("emis"),
            deliver: |order, site| {
                let folder = site.source().join("next");
                order.write(site, 1, &folder);
                damage::delete(&file(&folder, "_CareRecord_Observation_"));
            },
            says: &["not complete", "CareRecord_Observation"],
        },
        Refused {
            name: "an encrypted EMIS batch",
            order: Order::small("emis"),
            deliver: |order, site| {
                let folder = site.source().join("next");
                order.write(site, 1, &folder);
                rename_all(&folder, |name| format!("{name}.gpg"));
            },
            says: &["decrypt"],
        },
        Refused {
            name: "an EMIS batch with other content than before",
            order: Order::small("emis"),
            deliver: |_, site| {
                let mut patients = Table::read(&site.source(), "_Admin_Patient_");
                patients.set(0, "Surname", "Otherwise");
                patients.write();
            },
            says: &["other content"],
        },
        Refused {
            name: "a SystmOne batch after a gap",
            order: Order::small("tpp"),
            deliver: |order, site| order.deliver(site, 2),
            says: &["between them is missing"],
        },
        Refused {
            name: "another organisation's SystmOne batch",
            order: Order::small("tpp"),
            deliver: |order, site| {
                let known = Table::read(&site.source(), "SRPatient.csv").rows[0].clone();
                let folder = site.source().join("next");
                order.write(site, 1, &folder);
                for name in damage::files_below(&folder) {
                    let name = name.file_name().expect("a file has a name").to_string_lossy().into_owned();
                    let mut table = Table::read(&folder, &name);
                    if name == "SRPatient.csv" && table.rows.is_empty() {
                        table.rows.push(known.clone());
                    }
                    if name != "SRManifest.csv" && has(&table, "IDOrganisationVisibleTo") {
                        table.set_all("IDOrganisationVisibleTo", "B82002");
                        table.write();
                    }
                }
            },
            says: &["it is an extract of B82002"],
        },
        Refused {
            name: "a SystmOne batch without a table of its manifest",
            order: Order::small("tpp"),
            deliver: |order, site| {
                let folder = site.source().join("next");
                order.write(site, 1, &folder);
                damage::delete(&file(&folder, "SRCode.csv"));
            },
            says: &["SRCode", "missing"],
        },
    ];
    for case in cases {
        let site = case.order.site();
        (case.deliver)(&case.order, &site);
        stays_as_it_was(&case, &site);
    }
}

/// Fails unless the delivery is refused everywhere where somebody looks, and nothing else changes.
fn stays_as_it_was(case: &Refused, site: &Site) {
    let name = case.name;
    let before = site.restore("one", "before");
    let done = attempt(site).code(PARTLY);
    says_once(&lines(&report(&done), "refused_batches"), case.says);
    damage::assert_same(&before, &site.restore("one", "after"));
    let human = site.run(&["status"]).success();
    assert!(case.says.iter().all(|words| human.stdout.contains(words)), "{name}: {}", human.story());
    let status = site.result(&["status"]);
    let has = |status: &Value, code: &str| {
        status["health"].as_array().into_iter().flatten().any(|finding| finding["code"] == code)
    };
    assert!(has(&status, "batch-refused"), "{name}: {status}");
    assert_not_well(name, &site.run(&["status", "--check"]));
    // It stays refused as long as it lies there, and is forgotten when it is taken away.
    attempt(site).code(PARTLY);
}

#[track_caller]
fn assert_not_well(name: &str, done: &Finished) {
    assert!(done.status.code().is_some_and(|code| code != 0 && code != 101), "{name}: {}", done.story());
}

fn has(table: &Table, column: &str) -> bool {
    table.columns().iter().any(|known| known == column)
}

fn rename_all(folder: &Path, name: impl Fn(&str) -> String) {
    for file in damage::files_below(folder) {
        let former = file.to_string_lossy().into_owned();
        fs::rename(folder.join(&former), folder.join(name(&former))).expect("a file can be renamed");
    }
}

#[test]
fn without_a_full_extract_there_is_no_snapshot() {
    let site = Site::new(&["one"]);
    Order::small("tpp").deliver(&site, 1);
    let done = attempt(&site).code(FAILED);
    let error = done.json()["error"].to_string();
    assert!(error.contains("no full extract came before it"), "{}", done.story());
    assert_not_well("status", &site.run(&["status", "--check"]));
    Order::small("tpp").deliver(&site, 0);
    assert_eq!(lines(&report(&attempt(&site).code(0)), "refused_batches"), [""; 0]);
}

#[test]
fn an_extract_that_is_encrypted_says_that_it_must_be_decrypted() {
    let site = Site::new(&["one"]);
    Order::small("emis").deliver(&site, 0);
    rename_all(&site.source(), |name| format!("{name}.gpg"));
    let done = attempt(&site).code(FAILED);
    assert!(done.json()["error"].to_string().contains("decrypt"), "{}", done.story());
}

#[test]
fn archives_read_as_what_is_in_them() {
    for format in ["emis", "tpp"] {
        let order = Order::small(format);
        let plain = order.site();
        let packed = Site::new(&["one"]);
        order.deliver(&packed, 0);
        if format == "emis" {
            zip(&packed.source(), &["-r"], "extract.zip", &["."]);
        } else {
            let folder = only_folder(&packed.source());
            let fixed = ["SRManifest.csv", "SRMapping.csv"];
            let tables = names(&folder).into_iter().filter(|name| !fixed.contains(&name.as_str()));
            let tables: Vec<String> = tables.collect();
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            zip(&folder, &["-0", "-s", "64k"], "SRExtract.zip", &tables);
            let parts = names(&folder);
            assert!(parts.iter().any(|name| name.ends_with(".z02")), "several parts: {parts:?}");
        }
        packed.snapshot();
        assert_eq!(shown(&plain, "restored"), shown(&packed, "restored"), "{format}");

        order.deliver(&plain, 1);
        order.write(&packed, 1, &packed.root().join("next"));
        zip(&packed.root().join("next"), &["-r"], "next.zip", &["."]);
        let next = packed.root().join("next/next.zip");
        fs::rename(next, packed.source().join("next.zip")).expect("a file can be moved");
        plain.snapshot();
        packed.snapshot();
        assert_eq!(shown(&plain, "changed"), shown(&packed, "changed"), "{format}, changes");
    }
}

#[test]
fn a_part_of_an_archive_that_is_missing_is_named_and_the_records_stay() {
    let order = Order::small("tpp");
    let site = order.site();
    let before = site.restore("one", "before");
    let next = site.root().join("next");
    order.write(&site, 1, &next);
    let folder = only_folder(&next);
    zip(&folder, &["-0", "-s", "64k"], "SRExtract.zip", &["SRCode.csv", "SRPatient.csv", "SREvent.csv"]);
    let parts = names(&folder).into_iter().filter(|name| name.starts_with("SRExtract.z")).count();
    if parts > 1 {
        damage::delete(&folder.join("SRExtract.z01"));
    } else {
        damage::truncate(&folder.join("SRExtract.zip"), 1_000);
    }
    let stamp = folder.file_name().expect("a folder has a name").to_owned();
    fs::rename(&folder, site.source().join(stamp)).expect("a folder can be moved");
    let done = attempt(&site).code(PARTLY);
    says_once(&lines(&report(&done), "unreadable"), &["SRExtract.zip"]);
    assert_eq!(lines(&report(&done), "refused_batches").len(), 1);
    damage::assert_same(&before, &site.restore("one", "after"));
}

fn only_folder(folder: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(folder).expect("the folder can be listed");
    entries.next().expect("there is one").expect("it can be read").path()
}

fn names(folder: &Path) -> Vec<String> {
    damage::files_below(folder).into_iter().map(|file| file.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_folder_of_several_formats_is_an_error_and_the_records_stay() {
    let order = Order::small("emis");
    let site = order.site();
    let before = site.restore("one", "before");
    Order::small("tpp").deliver(&site, 0);
    let done = attempt(&site).code(FAILED);
    let error = done.json()["error"].to_string();
    assert!(error.contains("several formats") && error.contains("EMIS"), "{}", done.story());
    damage::assert_same(&before, &site.restore("one", "after"));
    let status = site.run(&["status"]).success();
    assert!(status.stdout.contains("several formats"), "{}", status.story());
    assert!(!status.stdout.contains("All is well"), "{}", status.story());
}

#[test]
fn a_folder_of_no_known_format_is_an_error_that_says_what_is_there() {
    let site = Site::new(&["one"]);
    fs::write(site.source().join("notes.txt"), "nothing that anybody exports\n").expect("a file");
    let done = attempt(&site).code(FAILED);
    let error = done.json()["error"].to_string();
    assert!(error.contains("no file here is of a format that is read"), "{}", done.story());
    assert!(!error.contains("notes.txt"), "names stay out: {error}");
}

#[test]
fn a_source_that_is_emptied_keeps_the_records() {
    for format in ["emis", "tpp"] {
        let site = Order::small(format).site();
        let before = site.restore("one", "before");
        empty_source(&site);
        let done = attempt(&site).code(0);
        assert_eq!(report(&done)["outcome"]["kind"], "heartbeat", "{format}: {}", done.story());
        damage::assert_same(&before, &site.restore("one", "after"));
    }
}
