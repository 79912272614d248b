//! Nothing about a patient is anywhere but inside what is sealed.
//!
//! Every name, number, address and text of a practice carries a mark. After snapshots, a service run, a kill in the middle and
//! every command that IT staff use, the mark is looked for in all that was printed and stored, in the forms in which bytes
//! travel.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lifeboat_feeds::synth::{Order, Sink, emis};
use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::program::{Finished, Running, wait_for};
use lifeboat_tests::site::Site;

/// Patients of the practice.
const PATIENTS: usize = 1_000;
/// What no patient's data lacks and nothing else contains.
const MARK: &str = "Qzxcanaryjv";
/// The beginning of a zstd frame: stored bytes are compressed, then sealed, and never the other way round.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

#[test]
fn no_mark_of_a_patient_is_outside_what_is_sealed() {
    let practice = practice::practice(PATIENTS).with_marker(MARK);
    let site = Site::new(&["one", "two"]);
    practice::write(&practice, &site.source());
    fs::write(site.source().join("broken.json"), format!("{{\"resourceType\":\"Patient\",\"{MARK}\":"))
        .expect("bad input");
    let mut search = Search::new(&practice);

    let killed = site.command(&["-vv", "snapshot"]).environment("LIFEBOAT_CRASH_AT", "200").start();
    watch_open_files(&killed, &site, &mut search);
    let killed = killed.finish();
    assert_eq!(killed.status.code(), None, "it is killed while it writes: {}", killed.story());
    search.printed("a killed snapshot", &killed);
    search.folders("after a kill", &site);

    let first = site.command(&["-vv", "snapshot"]).start();
    watch_open_files(&first, &site, &mut search);
    search.printed("the first snapshot", &first.finish());
    practice::write_changes(&practice, 1, 0.02, &site.source());
    search.printed("the second snapshot", &site.command(&["-vv", "--json", "snapshot"]).run());
    serve_for_a_while(&site, &practice, &mut search);
    for command in COMMANDS {
        search.printed(&command.join(" "), &site.run(command));
    }
    search.folders("at the end", &site);
    assert!(search.found.is_empty(), "the mark was found:\n  {}", search.found.join("\n  "));
}

#[test]
fn the_search_finds_a_mark_in_every_form() {
    let practice = practice::practice(3);
    let number = (0..3).find_map(|index| practice.expected(index).nhs_number).expect("somebody has a number");
    let utf16: Vec<u8> = MARK.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hidden: [&[u8]; 7] = [
        format!("x{MARK}y").as_bytes(),
        MARK.to_uppercase().as_bytes(),
        base64(format!("ab{MARK}cd").as_bytes()).as_bytes(),
        base64(format!("abc{MARK}").as_bytes()).as_bytes(),
        hex(MARK.as_bytes()).as_bytes(),
        &utf16,
        format!("id={number};").as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .map(|bytes| &*bytes.leak());
    for bytes in hidden {
        let mut search = Search::new(&practice);
        search.bytes("hidden", bytes);
        assert_eq!(search.found.len(), 1, "{:?}", String::from_utf8_lossy(bytes));
    }
    let mut search = Search::new(&practice);
    search.bytes("harmless", b"0123456789 a Qzxcanary jv of 99900000000000");
    assert!(search.found.is_empty());
}

/// Patients of the practice whose extract comes in batches.
const PATIENTS_IN_BATCHES: usize = 150;

#[test]
fn no_mark_of_a_patient_in_batches_of_rows_is_outside_what_is_sealed() {
    let order = Order { share: 0.2, ..Order::full(PATIENTS_IN_BATCHES, 7, practice::today()) };
    let order = order.with_marker(MARK);
    let site = Site::new(&["one", "two"]);
    emis::write(&order, &mut Folder(site.source())).expect("the source can be written");
    let mut search = Search::new(&order.practice());

    let loading = step_of(&site, "rows: owners' rows written");
    let killed =
        site.command(&["-vv", "snapshot"]).environment("LIFEBOAT_CRASH_AT", loading.to_string()).start();
    watch_open_files(&killed, &site, &mut search);
    let killed = killed.finish();
    assert_eq!(killed.status.code(), None, "it is killed while it loads: {}", killed.story());
    search.printed("a killed load", &killed);
    search.folders("after a kill", &site);

    let first = site.command(&["-vv", "snapshot"]).start();
    watch_open_files(&first, &site, &mut search);
    let first = first.finish().success();
    search.printed("the first load", &first);

    emis::write(&order.clone().later(1), &mut Folder(site.source())).expect("the source can be written");
    search.printed("changes", &site.command(&["-vv", "--json", "snapshot"]).run().success());
    emis::write(&order.clone().later(2), &mut Folder(site.source())).expect("the source can be written");
    break_rows(&site);
    let broken = site.command(&["-vv", "snapshot"]).run();
    assert!(broken.stdout.contains("NOT READ"), "{}", broken.story());
    search.printed("changes with broken rows", &broken);
    search.printed("inspect", &site.run(&["-vv", "feed", "inspect", "source"]));
    search.printed("inspect", &site.run(&["-vv", "--json", "feed", "inspect", "source"]));
    for command in COMMANDS {
        search.printed(&command.join(" "), &site.run(command));
    }
    search.folders("at the end", &site);
    assert!(site.state().join("rows.redb").is_file(), "rows are kept");
    assert!(search.found.is_empty(), "the mark was found:\n  {}", search.found.join("\n  "));
}

#[test]
fn what_a_command_says_of_patients_is_in_no_file_and_in_no_log() {
    let practice = practice::practice(3);
    let site = Site::new(&["one", "two"]);
    let answer = site.root().join("answer.ndjson");
    let bundles: Vec<String> =
        practice.clone().with_marker(MARK).files().map(|(_, it)| it.to_string()).collect();
    fs::write(&answer, bundles.join("\n")).expect("an answer");
    let script = format!("echo 'about {MARK}' >&2; cat {}; test ! -e fail", answer.display());
    site.edit_config(|text| {
        let text = text.replace("# kind = \"folder\"", "kind = \"command\"");
        let text = text.replace("path = \"source\"", "# path = \"source\"");
        let command = format!("[source.command]\nprogram = \"/bin/sh\"\nargs = [\"-c\", \"{script}\"]\n");
        text.replace("[source.command]\n", &command)
    });
    let mut search = Search::new(&practice);
    let well = site.command(&["-vv", "snapshot"]).run().success();
    search.bytes("the log of a command", well.stderr.as_bytes());
    search.folders("after a command", &site);
    fs::write(site.root().join("fail"), "").expect("a file");
    let service = site.command(&["-vv", "run"]).start();
    service.wait_for_output("failure", |text| text.contains("source command").then_some(()));
    service.terminate();
    search.printed("the service", &service.finish());
    site.run(&["snapshot"]).failure();
    search.printed("status", &site.run(&["--json", "status"]));
    search.folders("after a command that failed", &site);
    assert!(search.found.is_empty(), "the mark was found:\n  {}", search.found.join("\n  "));
}

/// A folder that an extract is written into.
struct Folder(PathBuf);

impl Sink for Folder {
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>> {
        Ok(Box::new(File::create(self.0.join(path))?))
    }
}

/// Returns the number of a step of a snapshot that nothing disturbs.
fn step_of(site: &Site, step: &str) -> usize {
    let copy = site.copy();
    let names = copy.root().join("steps");
    copy.command(&["snapshot"]).environment("LIFEBOAT_CRASH_COUNT", &names).run().success();
    let names = fs::read_to_string(&names).expect("the programs are built with lifeboat/crash-steps");
    1 + names.lines().position(|name| name == step).expect("the step is among them")
}

/// Puts rows that cannot be read into the newest batch: one cut short, one with a date that is none, an open quote.
fn break_rows(site: &Site) {
    let newest = |part: &str| {
        let of_part = damage::files_below(&site.source()).into_iter();
        let file = of_part.filter(|file| file.to_string_lossy().contains(part)).max().expect("there is one");
        site.source().join(file)
    };
    let append = |part: &str, row: String| {
        let file = newest(part);
        let mut text = fs::read(&file).expect("the table can be read");
        text.extend(row.into_bytes());
        fs::write(&file, text).expect("the table can be written");
    };
    append("_Admin_Patient_", format!("{MARK},{MARK}\r\n"));
    append("_Appointment_Slot_", format!("{MARK},{MARK},{MARK}{}\r\n", format!(",{MARK}").repeat(13)));
    append("_CareRecord_Observation_", format!("\"{MARK},{MARK}\r\n{MARK}\r\n"));
}

/// What IT staff run, and what goes wrong for them.
const COMMANDS: [&[&str]; 9] = [
    &["status"],
    &["--json", "status"],
    &["-vv", "verify", "--level", "presence"],
    &["-vv", "--json", "verify", "--level", "digest"],
    &["-vv", "verify", "--level", "open", "--identity", "owner.key"],
    &["config", "show"],
    &["config", "check"],
    &["recipients", "list"],
    &["restore", "--identity", "owner.key", "--to", "nowhere", "--patient", "0000000000"],
];

/// Lets the service take a snapshot by itself, with everything logged.
fn serve_for_a_while(site: &Site, practice: &practice::Practice, search: &mut Search) {
    site.edit_config(|text| {
        let text = text.replace("# interval = \"5m\"", "interval = \"1s\"");
        text.replace("# rescan = \"5m\"", "rescan = \"1s\"")
            .replace("# level = \"info\"", "level = \"debug\"")
    });
    let manifests = || damage::files_below(&site.replica("two").join("manifests")).len();
    let before = manifests();
    practice::write_changes(practice, 2, 0.02, &site.source());
    let service = site.command(&["-vv", "run"]).start();
    wait_for("a snapshot by the service", || (manifests() > before).then_some(()));
    service.terminate();
    search.printed("the service", &service.finish());
}

/// Looks into the files that a program has open, deleted ones too, until it ends.
fn watch_open_files(program: &Running, site: &Site, search: &mut Search) {
    let open = format!("/proc/{}/fd", program.id());
    wait_for("the end of the program", || {
        let Ok(entries) = fs::read_dir(&open) else { return Some(()) };
        let mut any = false;
        for entry in entries.flatten() {
            any = true;
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let own = target.starts_with(site.state()) || target.starts_with(site.temporary());
            if let (true, Ok(bytes)) =
                (own || target.to_string_lossy().ends_with("(deleted)"), fs::read(entry.path()))
            {
                search.bytes(&format!("the open file {}", target.display()), &bytes);
            }
        }
        // A program that has ended but has not been waited for has no files.
        (!any).then_some(())
    });
}

/// What is looked for, and where it was found.
struct Search {
    forms: Vec<Vec<u8>>,
    numbers: HashSet<[u8; 10]>,
    found: Vec<String>,
}

impl Search {
    /// Prepares to look for the mark and for the practice's NHS numbers.
    fn new(practice: &practice::Practice) -> Search {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for text in [MARK.to_owned(), MARK.to_lowercase(), MARK.to_uppercase()] {
            let bytes = text.as_bytes();
            forms.push(bytes.to_vec());
            forms.push(hex(bytes).into_bytes());
            forms.push(hex(bytes).to_uppercase().into_bytes());
            forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            // Base64 depends on where the mark begins; characters that neighbours share are left out.
            for before in 0..3 {
                let padded: Vec<u8> =
                    std::iter::repeat_n(b'.', before).chain(bytes.iter().copied()).collect();
                let text = base64(&padded);
                let whole = padded.len() / 3 * 4;
                forms.push(text.as_bytes()[(before * 8).div_ceil(6)..whole].to_vec());
            }
        }
        let numbers = (0..practice.patients()).filter_map(|index| practice.expected(index).nhs_number);
        let numbers = numbers.filter_map(|number| number.into_bytes().try_into().ok()).collect();
        Search { forms, numbers, found: Vec::new() }
    }

    /// Looks at what a program printed.
    fn printed(&mut self, what: &str, done: &Finished) {
        self.bytes(&format!("standard output of {what}"), done.stdout.as_bytes());
        self.bytes(&format!("standard error of {what}"), done.stderr.as_bytes());
    }

    /// Looks at names and bytes of everything in the state folder, the replicas and the folder for temporary files.
    fn folders(&mut self, when: &str, site: &Site) {
        for folder in [site.state(), site.replica("one"), site.replica("two"), site.temporary()] {
            for file in damage::files_below(&folder) {
                let path = folder.join(&file);
                let name = format!("{} {when}", path.display());
                self.bytes(&format!("the name of {name}"), file.to_string_lossy().as_bytes());
                let bytes = fs::read(&path).expect("a stored file can be read");
                self.bytes(&name, &bytes);
                if is_sealed(&file) && find(&bytes, &[ZSTD_MAGIC.to_vec()]).is_some() {
                    self.found.push(format!("{name}: compressed but not sealed"));
                }
            }
        }
    }

    /// Looks at some bytes; says at most one thing about them.
    fn bytes(&mut self, what: &str, bytes: &[u8]) {
        if let Some(form) = find(bytes, &self.forms) {
            let form = String::from_utf8_lossy(form).into_owned();
            self.found.push(format!("{what}: {form:?}"));
            return;
        }
        let digits = bytes.split(|byte| !byte.is_ascii_digit());
        let mut tens = digits.filter_map(|run| <[u8; 10]>::try_from(run).ok());
        if tens.any(|ten| self.numbers.contains(&ten)) {
            self.found.push(format!("{what}: an NHS number"));
        }
    }
}

/// Returns whether a file of a replica must be sealed as a whole.
fn is_sealed(file: &Path) -> bool {
    ["packs", "indexes", "dicts", "epochs"]
        .iter()
        .any(|folder| file.components().any(|part| part.as_os_str() == *folder))
}

/// Returns the first of `forms` that stands somewhere in `bytes`.
fn find<'f>(bytes: &[u8], forms: &'f [Vec<u8>]) -> Option<&'f [u8]> {
    let mut begins = [false; 256];
    forms.iter().for_each(|form| begins[usize::from(form[0])] = true);
    let places = bytes.iter().enumerate().filter(|(_, byte)| begins[usize::from(**byte)]);
    for (at, _) in places {
        if let Some(form) = forms.iter().find(|form| bytes[at..].starts_with(form)) {
            return Some(form);
        }
    }
    None
}

/// Writes bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes bytes in base64, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let all =
            three.iter().fold(0_u32, |all, byte| (all << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[((all >> (18 - 6 * place)) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
