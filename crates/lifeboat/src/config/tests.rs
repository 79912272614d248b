//! What the configuration accepts, and how it refuses the rest.

use std::path::Path;
use std::time::Duration;

use lifeboat_format::SigningKey;

use lifeboat_feeds::Format;
use lifeboat_feeds::rules::{Confidential, DummyPatients};

use super::{
    Config, ConfigError, FhirAuth, FhirMode, InitialValues, RecipientEntry, RecipientList, RecipientsError,
    SETTINGS, SourceKind, load, reference_page, sample,
};
use crate::keys::SecretSource;

const PATH: &str = "/etc/site/lifeboat.toml";

const WHOLE: &str = r#"
[site]
code = "A81001"
name = "Example Surgery"
[source]
path = "/srv/source"
[state]
path = "state"
[keys]
signing_key_file = "keys/signing.key"
lookup_key_credential = "lookup"
host_key_env = "HOST_KEY"
[[replica]]
name = "usb"
url = "usb"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    load::parse(text, Path::new(PATH))
}

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Err(ConfigError::Invalid { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => vec![other.to_string()],
        Ok(_) => Vec::new(),
    }
}

#[test]
fn a_whole_configuration_is_read_with_defaults_and_absolute_paths() {
    let config = parse(WHOLE).expect("the configuration is whole");
    assert_eq!(config.state_dir, Path::new("/etc/site/state"));
    assert_eq!(config.source.folder(), Some(Path::new("/srv/source")));
    assert_eq!(config.recipients_file, Path::new("/etc/site/recipients.toml"));
    assert_eq!(config.snapshot.interval, Duration::from_secs(300));
    assert_eq!(config.snapshot.expected_by, 3);
    assert_eq!(config.replicas[0].url.to_string(), "/etc/site/usb");
    assert_eq!(config.replicas[0].concurrency, 8);
    assert_eq!(config.keys.signing, SecretSource::File("/etc/site/keys/signing.key".into()));
    assert_eq!(config.keys.lookup, SecretSource::Credential("lookup".into()));
    assert_eq!(config.keys.host, SecretSource::Environment("HOST_KEY".into()));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_the_remedy() {
    let rows = [
        (
            "[snapshot]\nintervall = \"5m\"",
            "line 17: `snapshot.intervall` is not a setting; did you mean `snapshot.interval`?",
        ),
        ("[zzzzzzzzzzz]", "line 16: `zzzzzzzzzzz` is not a setting"),
        ("[snapshots]", "line 16: `snapshots` is not a setting; did you mean `snapshot`?"),
        (
            "[snapshot]\ninterval = \"5 minutes\"",
            "line 17: `snapshot.interval` is not valid: write a duration such as \"30s\", \"5m\" or \"1h\"",
        ),
        ("[snapshot]\ninterval = \"2d\"", "line 17: `snapshot.interval` must be from 1s to 1d"),
        ("[snapshot]\ninterval = 5", "line 17: `snapshot.interval` must be a text in quotes"),
        ("[snapshot]\nexpected_by = 0", "line 17: `snapshot.expected_by` must be from 1 to 100"),
        ("[snapshot]\nthreads = \"two\"", "line 17: `snapshot.threads` must be a whole number"),
        ("[log]\nformat = \"xml\"", "line 17: `log.format` must be one of \"human\", \"json\""),
        ("[[replica]]\nname = \"usb\"\nurl = \"/b\"", "line 17: `replica.name` has two entries named `usb`"),
        ("[[replica]]\nname = \"b\"", "line 16: `replica.url` is missing"),
        (
            "[[replica]]\nname = \"spool\"\nurl = \"/b\"",
            "line 17: `replica.name` is not valid: the local replica in the state folder has this name",
        ),
    ];
    for (addition, expected) in rows {
        assert_eq!(problems(&format!("{WHOLE}{addition}\n")), [expected], "{addition}");
    }
}

#[test]
fn options_that_do_not_fit_a_replica_are_refused() {
    for addition in [
        "url = \"s3://b/p\"\naccess_key_env = \"A\"",
        "url = \"s3://b/p\"\nendpoint = \"http://h:9000\"",
        "url = \"/mnt/b\"\nregion = \"eu-west-2\"",
        "url = \"ftp://b/p\"",
    ] {
        let found = problems(&format!("{WHOLE}[[replica]]\nname = \"b\"\n{addition}\n"));
        assert_eq!(found.len(), 1, "{addition}: {found:?}");
        assert!(found[0].starts_with("line 18: `replica.url` is not valid: "), "{found:?}");
    }
}

#[test]
fn everything_wrong_is_reported_at_once_in_the_order_of_the_file() {
    let found = problems("[site]\ncode = \"a b\"\n[source]\n[state]\npath = \"\"\n");
    let keys: Vec<&str> = found.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    assert_eq!(keys[..4], ["site.name", "site.code", "source.path", "state.path"], "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("keys.signing_key_file")), "{found:?}");
}

#[test]
fn a_secret_in_the_file_is_refused_without_being_repeated() {
    let text =
        WHOLE.replace("host_key_env = \"HOST_KEY\"", "host_key = \"c0ffee\"\nhost_key_env = \"HOST_KEY\"");
    let found = problems(&text).join("\n");
    assert!(found.contains("`keys.host_key` is a secret and does not belong in this file"), "{found}");
    assert!(!found.contains("c0ffee"), "{found}");

    let twice = WHOLE.replace("host_key_env", "host_key_file = \"k\"\nhost_key_env");
    let found = problems(&twice).join("\n");
    assert!(found.contains("`keys.host_key` is given in more than one way"), "{found}");
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let found = problems("[site]\ncode = A81001\n").join("\n");
    assert!(found.contains("is not TOML, line 2:"), "{found}");
}

#[test]
fn the_file_that_init_writes_is_accepted_and_shows_every_setting() {
    let keys = SigningKey::generate("lifeboat/A81001").expect("a key");
    let values = InitialValues {
        code: "A81001".into(),
        name: "The \"Old\" Surgery".into(),
        verification_key: keys.verification_key().to_string(),
        source: "/srv/source".into(),
        stable_after: Some("1s".into()),
        state: "/var/lib/lifeboat".into(),
        replicas: vec![("usb".into(), "/mnt/usb".into()), ("nas".into(), "/mnt/nas".into())],
    };
    let text = sample(&values);
    let config = parse(&text).expect("the sample is whole");
    assert_eq!(config.site.name, "The \"Old\" Surgery");
    assert_eq!(config.site.verification_key, Some(keys.verification_key()));
    assert_eq!(config.replicas.len(), 2);
    assert_eq!(config.source.stable_after, Duration::from_secs(1));
    for setting in SETTINGS {
        let shown = text.contains(&format!("\n{} = ", setting.key))
            || text.contains(&format!("\n# {} = ", setting.key));
        assert!(shown, "{}.{}", setting.section, setting.key);
        assert!(reference_page().contains(&format!("| `{}` |", setting.key)), "{}", setting.key);
    }
}

#[test]
fn every_default_that_the_sample_shows_is_accepted_when_it_is_uncommented() {
    let keys = SigningKey::generate("lifeboat/A81001").expect("a key");
    let values = InitialValues {
        code: "A81001".into(),
        name: "Example Surgery".into(),
        verification_key: keys.verification_key().to_string(),
        source: "/srv/source".into(),
        stable_after: None,
        state: "/var/lib/lifeboat".into(),
        replicas: vec![("cloud".into(), "s3://bucket/site".into())],
    };
    for (kind, left_alone) in [
        ("folder", ["[source.command]", "[source.fhir]"]),
        ("command", ["[source.fhir]", ""]),
        ("fhir-server", ["[source.command]", ""]),
    ] {
        let text = uncommented(&sample(&values), &left_alone);
        let text = text.replace("kind = \"folder\"", &format!("kind = \"{kind}\""));
        let text =
            if kind == "folder" { text } else { text.replace("format = \"auto\"", "format = \"fhir-r4\"") };
        // Of the settings that exclude each other the first stays.
        let text = if kind == "fhir-server" { text.replace("\ngroup = ", "\n# group = ") } else { text };
        let config = parse(&text).expect("every shown default is accepted");
        assert_eq!(config.snapshot.threads, Some(2), "{kind}");
        assert!(config.keys.passphrase.is_some(), "{kind}");
    }
}

/// Returns the sample with every setting in force, but for those of some sections.
fn uncommented(sample: &str, left_alone: &[&str]) -> String {
    let is_setting = |line: &str| SETTINGS.iter().any(|s| line.starts_with(&format!("# {} = ", s.key)));
    let mut section = "";
    let mut lines = Vec::new();
    for line in sample.lines() {
        let header = line.trim_start_matches("# ");
        if header.starts_with('[') && header.ends_with(']') {
            section = header;
        }
        let is_wanted = is_setting(line) && !left_alone.contains(&section);
        lines.push(if is_wanted { &line[2..] } else { line });
    }
    lines.join("\n")
}

#[test]
fn the_list_of_recipients_is_kept_and_refuses_what_would_lock_people_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recipients.toml");
    let entry = |name: &str, key: &str| RecipientEntry {
        name: name.to_owned(),
        role: Some("GP".to_owned()),
        key: key.to_owned(),
        added: Some("2026-11-21".to_owned()),
    };
    let one = age::x25519::Identity::generate().to_public().to_string();
    let two = age::x25519::Identity::generate().to_public().to_string();
    let mut list = RecipientList::empty(&path);
    assert!(matches!(list.recipients(), Err(RecipientsError::Empty { .. })));
    list.add(entry("gp one", &one)).expect("a new recipient");
    assert!(matches!(list.add(entry("gp one", &two)), Err(RecipientsError::NameTaken { .. })));
    assert!(matches!(list.add(entry("gp two", &one)), Err(RecipientsError::KeyTaken { .. })));
    assert!(matches!(list.add(entry("gp two", "age1nothing")), Err(RecipientsError::NotAKey { .. })));
    assert!(matches!(list.add(entry("gp\n", &two)), Err(RecipientsError::NotAName)));
    assert!(matches!(list.remove("gp one"), Err(RecipientsError::LastOne { .. })));
    list.add(entry("gp two", &two)).expect("a new recipient");
    list.save().expect("the list is written");
    assert_eq!(RecipientList::load(&path).expect("the list is read"), list);
    list.remove("gp one").expect("a known recipient");
    assert!(matches!(list.remove("gp one"), Err(RecipientsError::NoSuchName { .. })));
    assert_eq!(list.recipients().expect("one is left").len(), 1);
}

#[test]
fn a_wrong_list_of_recipients_is_refused_with_its_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recipients.toml");
    for (text, expected) in [
        ("[[recipient]]\nname = \"a\"\nkey = \"age1zzz\"\n", "line 3: `recipient.key` is not valid"),
        ("[[recipient]]\nname = \"a\"\n", "line 1: `recipient.key` is missing"),
        ("[[recipients]]\n", "did you mean `recipient`?"),
    ] {
        std::fs::write(&path, text).expect("the list is written");
        let error = RecipientList::load(&path).expect_err("the list is wrong").to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// The whole configuration with another section `[source]`.
fn with_source(source: &str) -> String {
    WHOLE.replace("[source]\npath = \"/srv/source\"\n", source)
}

#[test]
fn a_folder_s_format_is_recognised_unless_it_is_said() {
    for (line, expected) in [
        ("", None),
        ("format = \"auto\"", None),
        ("format = \"fhir-r4-folder\"", Some(Format::FhirR4)),
        ("format = \"fhir-r4\"", Some(Format::FhirR4)),
        ("format = \"emis\"", Some(Format::EmisWeb)),
        ("kind = \"folder\"\nformat = \"scr\"", Some(Format::GpSummary)),
    ] {
        let config = parse(&with_source(&format!("[source]\npath = \"/srv/source\"\n{line}\n"))).expect(line);
        let SourceKind::Folder { format, .. } = config.source.kind else { panic!("a folder: {line}") };
        assert_eq!(format, expected, "{line}");
        assert_eq!(config.source.rules.confidential, Confidential::Withhold);
        assert_eq!(config.source.rules.dummy_patients, DummyPatients::Exclude);
    }
}

#[test]
fn a_command_and_a_server_are_sources_too() {
    let command = "[source]\nkind = \"command\"\n[source.command]\nprogram = \"export\"\nargs = [\"-a\", \"b\"]\n\
                   timeout = \"5m\"\n";
    let SourceKind::Command(command) = parse(&with_source(command)).expect("a command").source.kind else {
        panic!("a command")
    };
    assert_eq!((command.args.len(), command.timeout.as_secs(), command.format), (2, 300, Format::FhirR4));
    let server = "[source]\nkind = \"fhir-server\"\n[source.fhir]\nurl = \"https://fhir.example/r4\"\n\
                  auth = \"smart\"\nclient_id = \"us\"\nprivate_key_file = \"keys/fhir.jwk\"\ngroup = \"gp\"\n";
    let SourceKind::FhirServer(server) = parse(&with_source(server)).expect("a server").source.kind else {
        panic!("a server")
    };
    assert_eq!(server.mode, FhirMode::Bulk { group: Some("gp".into()) });
    let FhirAuth::Smart { private_key, .. } = &server.auth else { panic!("SMART") };
    assert_eq!(*private_key, SecretSource::File("/etc/site/keys/fhir.jwk".into()));
}

#[test]
fn a_source_that_does_not_fit_together_is_refused() {
    for (source, expected) in [
        ("[source]\nkind = \"command\"\n", "source.command.program"),
        ("[source]\nkind = \"fhir-server\"\n", "source.fhir.url"),
        (
            "[source]\nkind = \"fhir-server\"\nformat = \"emis\"\n[source.fhir]\nurl = \"u\"\n",
            "source.format",
        ),
        ("[source]\nkind = \"fhir-server\"\n[source.fhir]\nurl = \"u\"\nauth = \"bearer\"\n", "token_file"),
        (
            "[source]\nkind = \"fhir-server\"\n[source.fhir]\nurl = \"u\"\nauth = \"basic\"\npassword = \"x\"\n",
            "secret",
        ),
        ("[source]\npath = \"s\"\n[source.rules]\nconfidential = \"drop\"\n", "source.rules.confidential"),
        (
            "[source]\nkind = \"command\"\n[source.command]\nprogram = \"p\"\nargs = \"a\"\n",
            "a list of texts",
        ),
    ] {
        let found = problems(&with_source(source)).join("\n");
        assert!(found.contains(expected), "{source}: {found}");
    }
}
