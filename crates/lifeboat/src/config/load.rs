//! From the text of a configuration file to checked settings.

use std::path::Path;
use std::time::Duration;

use lifeboat_replica::{ReplicaLocation, ReplicaName, ReplicaOptions, ReplicaUrl, Secret};
use toml::de::DeTable;

use super::section::{Findings, Section};
use super::{
    Config, ConfigError, KeySettings, LogFormat, LogLevel, LogSettings, ReplicaSettings, SiteSettings,
    SnapshotSettings, source,
};
use crate::keys::SecretSource;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Replicas of one site at most.
const REPLICAS_MAX: usize = 16;

/// Objects copied to one replica at once when nothing is said.
const CONCURRENCY_DEFAULT: usize = 8;

/// Parses `text`, the contents of the file at the absolute `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let findings = Findings::new(text);
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: findings.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let config = read(&findings, table.get_ref(), path);
    let problems = findings.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::Invalid { path: path.to_owned(), problems }),
    }
}

/// Reads everything, so that all problems are found at once; `None` only when a problem was added.
fn read(findings: &Findings<'_>, table: &DeTable<'_>, path: &Path) -> Option<Config> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let root = Section::root(findings, table);
    let site = read_site(root.section("site"));
    let source = source::read(root.section("source"), folder);
    let snapshot = read_snapshot(root.section("snapshot"));
    let state = root.section("state");
    let state_dir = state.required_text("path").map(|text| folder.join(text));
    state.finish();
    let recipients = root.section("recipients");
    let recipients_file = recipients.text("file").unwrap_or_else(|| "recipients.toml".to_owned());
    recipients.finish();
    let keys = read_keys(root.section("keys"), folder);
    let log = read_log(root.section("log"));
    let replicas = read_replicas(&root, folder);
    root.finish();
    Some(Config {
        path: path.to_owned(),
        site: site?,
        source: source?,
        snapshot,
        state_dir: state_dir?,
        replicas,
        recipients_file: folder.join(recipients_file),
        keys: keys?,
        log,
    })
}

fn read_site(section: Section<'_>) -> Option<SiteSettings> {
    let code = section.parsed("code");
    let name = section.required_text("name");
    let verification_key = section.optional("verification_key");
    section.finish();
    Some(SiteSettings { code: code?, name: name?, verification_key })
}

fn read_snapshot(section: Section<'_>) -> SnapshotSettings {
    let interval = section.duration("interval", 5 * MINUTE, SECOND..=DAY);
    let expected_by = section.number("expected_by", 1..=100).unwrap_or(3);
    let threads = section.number("threads", 1..=256);
    section.finish();
    SnapshotSettings { interval, expected_by, threads: threads.map(|threads| threads as usize) }
}

fn read_keys(section: Section<'_>, folder: &Path) -> Option<KeySettings> {
    let required = |name: &str| {
        let source = section.secret(name);
        if source.is_none() {
            section.missing(&format!("{name}_file"));
        }
        source.map(|source| source.relative_to(folder))
    };
    let signing = required("signing_key");
    let lookup = required("lookup_key");
    let host = required("host_key");
    let passphrase = section.secret("passphrase").map(|source| source.relative_to(folder));
    section.finish();
    Some(KeySettings { signing: signing?, lookup: lookup?, host: host?, passphrase })
}

fn read_log(section: Section<'_>) -> LogSettings {
    let format =
        section.choice("format", &[("human", LogFormat::Human), ("json", LogFormat::Json)], LogFormat::Human);
    let level = section.choice(
        "level",
        &[
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
        ],
        LogLevel::Info,
    );
    section.finish();
    LogSettings { format, level }
}

fn read_replicas(root: &Section<'_>, folder: &Path) -> Vec<ReplicaSettings> {
    let sections = root.sections("replica");
    if sections.len() > REPLICAS_MAX {
        root.invalid("replica", format!("there can be {REPLICAS_MAX} replicas at most"));
    }
    let mut replicas: Vec<ReplicaSettings> = Vec::new();
    for section in sections {
        let name = section.parsed::<ReplicaName>("name");
        if let Some(name) = &name {
            if *name == ReplicaName::spool() {
                section.invalid("name", "the local replica in the state folder has this name".to_owned());
            } else if replicas.iter().any(|other| other.name == *name) {
                section.duplicate("name", name.as_str());
            }
        }
        if let Some(replica) = read_replica(section, name, folder) {
            replicas.push(replica);
        }
    }
    replicas
}

fn read_replica(section: Section<'_>, name: Option<ReplicaName>, folder: &Path) -> Option<ReplicaSettings> {
    let secret = |name: &str| section.secret(name).map(|source| source.relative_to(folder));
    let url = section.parsed::<ReplicaUrl>("url");
    let concurrency = section.number("concurrency", 1..=64);
    let access_key = secret("access_key");
    let secret_key = secret("secret_key");
    let session_token = secret("session_token");
    let reader_access_key = secret("reader_access_key");
    let reader_secret_key = secret("reader_secret_key");
    if reader_access_key.is_some() != reader_secret_key.is_some() {
        section.invalid(
            "reader_access_key",
            "`reader_access_key` and `reader_secret_key` go together".to_owned(),
        );
    }
    let proxy = secret("proxy");
    let replica = ReplicaSettings {
        name: name.unwrap_or_else(ReplicaName::spool),
        url: absolute(url?, folder),
        endpoint: section.text("endpoint"),
        region: section.text("region"),
        allow_http: section.flag("allow_http"),
        path_style: section.flag("path_style"),
        ca_file: section.text("ca_file").map(|file| folder.join(file)),
        access_key,
        secret_key,
        session_token,
        reader_access_key,
        reader_secret_key,
        proxy,
        concurrency: concurrency.map_or(CONCURRENCY_DEFAULT, |number| number as usize),
    };
    if let Err(error) = shape(&replica).check() {
        section.invalid("url", error.to_string());
    }
    section.finish();
    Some(replica)
}

/// Returns the replica's location with placeholders for secrets, to check that everything fits together.
fn shape(replica: &ReplicaSettings) -> ReplicaLocation {
    let given = |source: &Option<SecretSource>| source.as_ref().map(|_| Secret::new(String::new()));
    ReplicaLocation {
        url: replica.url.clone(),
        options: ReplicaOptions {
            endpoint: replica.endpoint.clone(),
            region: replica.region.clone(),
            allow_http: replica.allow_http,
            path_style: replica.path_style,
            access_key: given(&replica.access_key),
            secret_key: given(&replica.secret_key),
            session_token: given(&replica.session_token),
            proxy: given(&replica.proxy),
            ca_pem: replica.ca_file.as_ref().map(|_| String::new()),
        },
    }
}

/// Makes a folder's path absolute, seen from the configuration's folder.
fn absolute(url: ReplicaUrl, folder: &Path) -> ReplicaUrl {
    match url {
        ReplicaUrl::Folder(path) => ReplicaUrl::Folder(folder.join(path)),
        other => other,
    }
}
