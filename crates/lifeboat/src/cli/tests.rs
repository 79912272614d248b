//! The command line as a whole: what it accepts, how commands end, and the shape of what they print.

use std::path::Path;

use clap::{CommandFactory as _, Parser as _};
use lifeboat_format::Identity;
use serde_json::{Value, json};

use super::args::{Cli, Command};
use super::{output, reference_page};
use crate::error::ExitStatus;
use crate::scratch::Scratch;

fn has_keys(value: &Value, keys: &[&str]) {
    let object = value.as_object().expect("an object");
    for key in keys {
        assert!(object.contains_key(*key), "{key} is missing from {value}");
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

#[test]
fn the_command_line_is_consistent_and_documents_exit_codes() {
    Cli::command().debug_assert();
    let help = Cli::command().render_long_help().to_string();
    for status in ExitStatus::ALL {
        assert!(help.contains(status.meaning()), "{help}");
    }
    let page = reference_page();
    for command in ["lifeboat verify", "lifeboat kit create", "`--known FILE`", "| 6 |"] {
        assert!(page.contains(command), "{command}\n{page}");
    }
}

#[test]
fn contradictory_and_incomplete_command_lines_are_refused() {
    for line in [
        &["lifeboat"][..],
        &["lifeboat", "restore", "--to", "x"],
        &["lifeboat", "restore", "--to", "x", "--identity", "i", "--kit", "k"],
        &["lifeboat", "restore", "--to", "x", "--identity", "i", "--newest", "--sequence", "3"],
        &["lifeboat", "snapshot", "--need", "1", "--no-replicate"],
        &["lifeboat", "demo", "--patients", "1"],
        &["lifeboat", "--quiet", "--verbose", "status"],
        &["lifeboat", "verify", "--level", "deep"],
    ] {
        assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
    }
}

#[test]
fn init_lays_out_a_site_that_passes_its_own_check() {
    let scratch = Scratch::new();
    let (status, report) = scratch.init(&["usb"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    has_keys(&report, &["site", "config", "keys", "state", "recipients", "replicas", "verification_key"]);
    for secret in ["keys/signing.key", "keys/lookup.key", "keys/host.key"] {
        assert_eq!(mode(&scratch.path(secret)), 0o600, "{secret}");
    }
    let text = std::fs::read_to_string(scratch.path("lifeboat.toml")).expect("the configuration is read");
    for secret in ["keys/signing.key", "keys/lookup.key", "keys/host.key"] {
        let secret = std::fs::read_to_string(scratch.path(secret)).expect("the key is read");
        assert!(!text.contains(secret.trim()), "a secret stands in the configuration");
    }
    let (status, report) = scratch.run(&["config", "check"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    let (status, shown) = scratch.run(&["config", "show"]);
    assert_eq!(status, ExitStatus::Ok);
    assert_eq!(shown["snapshot"], json!({ "interval": "5m", "expected_by": 3, "threads": null }));

    let (status, error) = scratch.init(&["usb"]);
    assert_eq!(status, ExitStatus::Usage, "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("exists already")), "{error}");
}

#[test]
fn init_without_a_recipient_says_how_to_get_one_and_writes_nothing() {
    let scratch = Scratch::new();
    let source = scratch.text("source");
    let (status, error) =
        scratch.run(&["init", "--site", "A81001", "--name", "Example", "--source", &source]);
    assert_eq!(status, ExitStatus::Usage);
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("age-keygen")), "{error}");
    let left: Vec<_> = std::fs::read_dir(scratch.folder.path()).expect("the folder is read").collect();
    assert_eq!(left.len(), 1, "only the source folder is there");
}

#[test]
fn init_refuses_values_that_would_fail_later() {
    let scratch = Scratch::new();
    let (source, key) = (scratch.text("source"), scratch.identity.recipient().to_string());
    let recipient = format!("safe={key}");
    for (site, replica, recipient) in [
        ("a81001", "usb=/mnt/usb", recipient.as_str()),
        ("A81001", "/mnt/usb", &recipient),
        ("A81001", "Usb=/mnt/usb", &recipient),
        ("A81001", "usb=ftp://host/path", &recipient),
        ("A81001", "usb=/mnt/usb", "safe=age1nothing"),
        ("A81001", "usb=/mnt/usb", &key),
    ] {
        let (status, error) = scratch.run(&[
            "init",
            "--site",
            site,
            "--name",
            "Example",
            "--source",
            &source,
            "--replica",
            replica,
            "--recipient",
            recipient,
        ]);
        assert_eq!(status, ExitStatus::Usage, "{site} {replica}: {error}");
        assert!(!scratch.path("keys").exists());
    }
}

#[test]
fn commands_without_a_configuration_say_where_it_was_looked_for() {
    let scratch = Scratch::new();
    for command in [&["status"][..], &["snapshot"], &["recipients", "list"], &["config", "check"]] {
        let (status, error) = scratch.run(command);
        assert_eq!(status, ExitStatus::Usage, "{command:?}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("lifeboat.toml")), "{error}");
        has_keys(&error, &["message", "causes", "hint"]);
    }
}

#[test]
fn recipients_are_added_listed_and_removed() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    let key = Identity::generate().recipient().to_string();
    let (status, report) = scratch.run(&["recipients", "add", "gp one", &key, "--role", "GP"]);
    assert_eq!((status, report["added"]["name"].as_str()), (ExitStatus::Ok, Some("gp one")));
    assert_eq!(report["recipients"].as_array().map(Vec::len), Some(2));
    let (status, error) = scratch.run(&["recipients", "add", "gp two", &key]);
    assert_eq!(status, ExitStatus::Usage, "{error}");
    let (status, report) = scratch.run(&["recipients", "remove", "gp one"]);
    assert_eq!((status, report["removed"]["role"].as_str()), (ExitStatus::Ok, Some("GP")));
    let (status, error) = scratch.run(&["recipients", "remove", "safe"]);
    assert_eq!(status, ExitStatus::Usage, "{error}");
    let (_, report) = scratch.run(&["recipients", "list"]);
    assert_eq!(report["recipients"][0]["name"], "safe");
}

#[test]
fn a_snapshot_is_reported_verified_and_restored() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    let practice = scratch.fill(1, 12);

    let (status, report) = scratch.run(&["snapshot"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    has_keys(&report, &["snapshot", "replicas", "replicas_needed", "replicas_reached"]);
    assert_eq!(report["snapshot"]["patients"], 12);
    assert_eq!(report["replicas"][0]["up_to_date"], true);

    let (status, report) = scratch.run(&["status", "--check"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    has_keys(&report, &["site", "newest", "replicas", "unreadable", "health"]);
    assert_eq!(report["replicas"][0]["lag"], 0);

    let (status, report) = scratch.run(&["verify"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    has_keys(&report, &["level", "whole", "replicas"]);
    has_keys(&report["replicas"][1], &["name", "whole", "objects", "bytes", "findings", "notes"]);

    let identity = scratch.text("identity.txt");
    std::fs::write(&identity, scratch.identity.to_secret_text().as_bytes()).expect("the identity is written");
    let (status, report) = scratch.run(&["verify", "usb", "--level", "open", "--identity", &identity]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    let restored = scratch.text("restored");
    let (status, report) = scratch.run(&["restore", "--identity", &identity, "--to", &restored]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    assert_eq!(report["records"], report_records(&restored));
    let (status, error) = scratch.run(&["restore", "--identity", &identity, "--to", &restored]);
    assert_eq!(status, ExitStatus::Usage, "{error}");

    let number =
        (0..12).find_map(|index| practice.expected(index).nhs_number).expect("somebody has a number");
    let one = scratch.text("one");
    let (status, report) = scratch.run(&[
        "restore",
        "--identity",
        &identity,
        "--to",
        &one,
        "--patient",
        &number,
        "--from",
        "usb",
    ]);
    assert_eq!((status, &report["records"]), (ExitStatus::Ok, &json!(1)), "{report}");

    let stranger = scratch.text("stranger.txt");
    let secret = Identity::generate().to_secret_text();
    std::fs::write(&stranger, secret.as_bytes()).expect("the identity is written");
    let (status, error) =
        scratch.run(&["restore", "--identity", &stranger, "--to", &scratch.text("nothing"), "--from", "usb"]);
    assert_eq!(status, ExitStatus::Failed);
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("recipients")), "{error}");
}

fn report_records(folder: &str) -> usize {
    let files = std::fs::read_dir(folder).expect("the folder is read");
    let records = files.map(|file| file.expect("an entry").path()).collect::<Vec<_>>();
    for record in &records {
        let bytes = std::fs::read(record).expect("the record is read");
        let record: Value = serde_json::from_slice(&bytes).expect("the record is JSON");
        assert_eq!(record["resourceType"], "Bundle");
    }
    records.len()
}

#[test]
fn damage_a_missing_replica_and_a_missing_key_end_differently() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    scratch.fill(2, 3);
    assert_eq!(scratch.run(&["snapshot"]).0, ExitStatus::Ok);
    let usb = scratch.text("usb");
    let absent = scratch.text("absent.toml");
    let key = scratch.config().site.verification_key.expect("init wrote the key").to_string();
    // An auditor has the folder and the public key, and no configuration.
    let without_config = |arguments: &[&str]| {
        let cli =
            Cli::try_parse_from(["lifeboat", "--quiet"].iter().chain(arguments)).expect("a command line");
        match &cli.command {
            Command::Verify(args) => match super::verify::run_without_config(args, output(&cli.global)) {
                Ok(report) => (report.exit(), report.json()),
                Err(error) => (error.exit(), error.to_json()),
            },
            _ => unreachable!("these are all verify"),
        }
    };
    let (status, report) = without_config(&["verify", &usb, "--verification-key", &key]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    assert_eq!(without_config(&["verify", &usb]).0, ExitStatus::Usage);
    assert_eq!(without_config(&["verify", &absent, "--verification-key", &key]).0, ExitStatus::Failed);

    let head = scratch.path("usb/HEAD");
    let mut bytes = std::fs::read(&head).expect("HEAD is read");
    bytes[40] ^= 1;
    std::fs::write(&head, bytes).expect("HEAD is damaged");
    let (status, report) = without_config(&["verify", &usb, "--verification-key", &key]);
    assert_eq!(status, ExitStatus::Damaged, "{report}");
    assert_eq!(report["replicas"][0]["findings"][0]["object"], "HEAD");

    let packs = std::fs::read_dir(scratch.path("usb/packs")).expect("there are packs");
    for pack in packs.map(|pack| pack.expect("an entry").path()) {
        std::fs::remove_dir_all(pack).expect("the pack is removed");
    }
    assert_eq!(scratch.run(&["verify", "usb"]).0, ExitStatus::Damaged);
    let (status, report) = scratch.run(&["verify", "usb", "--repair"]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    assert_eq!(report["repaired"][0]["failures"], json!([]));
    assert_eq!(report["replicas"][0]["findings"], json!([]));

    std::fs::remove_dir_all(&usb).expect("the replica is removed");
    let (status, report) = scratch.run(&["snapshot"]);
    assert_eq!(status, ExitStatus::Partly, "{report}");
    assert!(report["replicas"][0]["hint"].as_str().is_some_and(|hint| hint.contains("mounted")), "{report}");
    assert_eq!(scratch.run(&["snapshot", "--need", "0"]).0, ExitStatus::Ok);
}

#[test]
fn a_site_that_another_process_uses_is_left_alone() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    let _held = crate::setup::open_engine(&scratch.config()).expect("the site is opened");
    let (status, error) = scratch.run(&["snapshot"]);
    assert_eq!(status, ExitStatus::Locked, "{error}");
}

#[test]
fn a_kit_is_made_once_and_adds_its_holder() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    let passphrase = scratch.path("passphrase");
    lifeboat_replica::durable::replace(&passphrase, b"correct horse battery\n").expect("it is written");
    let (passphrase, kit) = (scratch.text("passphrase"), scratch.text("gp.lifeboat-kit"));
    let create = ["kit", "create", "--name", "gp", "--to", &kit, "--passphrase-file", &passphrase];
    let (status, report) = scratch.run(&create);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    has_keys(&report, &["kit", "name", "recipient", "replicas", "without_credential"]);
    assert_eq!(mode(Path::new(&kit)), 0o600);
    let (_, list) = scratch.run(&["recipients", "list"]);
    assert_eq!(list["recipients"][1]["key"], report["recipient"]);
    assert_eq!(scratch.run(&create).0, ExitStatus::Usage);
}

#[test]
fn a_failed_snapshot_is_never_followed_by_all_is_well() {
    let scratch = Scratch::new();
    scratch.init(&["usb"]);
    scratch.fill(7, 2);
    let codes = |status: &Value| -> Vec<String> {
        let health = status["health"].as_array().expect("findings");
        health.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
    };
    assert_eq!(scratch.run(&["snapshot"]).0, ExitStatus::Ok);
    assert_eq!(codes(&scratch.run(&["status"]).1), [""; 0]);

    let (source, away) = (scratch.path("source"), scratch.path("away"));
    std::fs::rename(&source, &away).expect("the source is taken away");
    assert_eq!(scratch.run(&["snapshot"]).0, ExitStatus::Failed);
    let (_, status) = scratch.run(&["status"]);
    assert_eq!(codes(&status), ["snapshot-failing"], "{status}");
    assert!(status["newest"]["sequence"].is_number(), "what was there is still shown: {status}");
    let (exit, check) = scratch.run(&["config", "check"]);
    assert_eq!(exit, ExitStatus::Usage);
    assert!(check.to_string().contains(&scratch.text("source")), "{check}");

    std::fs::rename(&away, &source).expect("the source is back");
    assert_eq!(scratch.run(&["snapshot"]).0, ExitStatus::Ok);
    assert_eq!(codes(&scratch.run(&["status"]).1), [""; 0]);
}

#[test]
fn an_s3_replica_without_an_access_key_is_pointed_out_before_anything_is_tried() {
    let scratch = Scratch::new();
    let (source, recipient) = (scratch.text("source"), format!("safe={}", scratch.identity.recipient()));
    let (status, report) = scratch.run(&[
        "init",
        "--site",
        "A81001",
        "--name",
        "Example",
        "--source",
        &source,
        "--recipient",
        &recipient,
        "--replica",
        "cloud=s3://example-surgery/lifeboat",
    ]);
    assert_eq!(status, ExitStatus::Ok, "{report}");
    assert_eq!(report["without_credential"], json!(["cloud"]));
    let (_, check) = scratch.run(&["config", "check"]);
    assert!(check.to_string().contains("access_key_file"), "{check}");
}
