//! `lifeboat config`: checks and shows the configuration.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lifeboat_feeds::Format;
use serde::Serialize;
use serde_json::{Value, json};

use super::args::{ConfigCommand, Global};
use super::context;
use crate::config::{Config, RecipientList, SourceKind, format_duration};
use crate::error::{CommandError, ExitStatus, causes};
use crate::keys::{self, SecretSource};
use crate::output::{Report, to_json};
use crate::replicas::NO_ACCESS_KEY;
use crate::setup;
use lifeboat_clinical::record::Windows;

/// Runs one of the commands.
pub(super) fn run(global: &Global, command: &ConfigCommand) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    Ok(match command {
        ConfigCommand::Check => Box::new(check(&config)),
        ConfigCommand::Show => Box::new(ShowReport(show(&config))),
    })
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: String,
    ok: bool,
    detail: String,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    config: String,
    checks: Vec<Check>,
}

impl Report for CheckReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} can be read.", self.config)?;
        for check in &self.checks {
            let mark = if check.ok { "ok  " } else { "FAIL" };
            writeln!(out, "  {mark}  {:<24} {}", check.what, check.detail)?;
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        if self.checks.iter().all(|check| check.ok) { ExitStatus::Ok } else { ExitStatus::Usage }
    }
}

fn check(config: &Config) -> CheckReport {
    let mut checks = vec![
        outcome(
            "signing key",
            keys::signing_key(&config.keys.signing).map(|_| config.keys.signing.to_string()),
        ),
        outcome("lookup key", keys::lookup_key(&config.keys.lookup).map(|_| config.keys.lookup.to_string())),
        outcome("host key", keys::host_key(&config.keys.host).map(|_| config.keys.host.to_string())),
    ];
    if let Some(source) = &config.keys.passphrase {
        checks.push(outcome("break-glass passphrase", source.read("passphrase").map(|_| source.to_string())));
    }
    let recipients = RecipientList::load(&config.recipients_file).and_then(|list| list.recipients());
    checks.push(outcome("recipients", recipients.map(|list| format!("{} can open the copies", list.len()))));
    checks.push(check_source(config));
    let rules = setup::rules(&config.source.rules);
    let excluded = |count: usize| match count {
        1 => "1 patient is excluded".to_owned(),
        count => format!("{count} patients are excluded"),
    };
    checks.push(outcome("rules", rules.map(|rules| excluded(rules.excluded.len()))));
    for replica in &config.replicas {
        let detail = match replica.lacks_credential() {
            true => format!("{} ({NO_ACCESS_KEY})", replica.url),
            false => replica.url.to_string(),
        };
        checks.push(outcome(&format!("replica {}", replica.name), replica.reader().map(|_| detail)));
    }
    if config.replicas.is_empty() {
        let detail = "there is none: only this host would have a copy".to_owned();
        checks.push(Check { what: "replicas".to_owned(), ok: false, detail });
    }
    CheckReport { config: config.path.display().to_string(), checks }
}

/// Looks at the source as far as that is possible without asking a server or running a command.
fn check_source(config: &Config) -> Check {
    let place = config.source.place();
    match &config.source.kind {
        SourceKind::Folder { path, .. } => {
            let read = std::fs::read_dir(path);
            let failed = |source| CommandError::Read { what: "source folder", path: path.to_owned(), source };
            outcome("source", read.map(|_| place).map_err(failed))
        }
        SourceKind::Command(command) => check_program(&command.program, place),
        SourceKind::FhirServer(server) => {
            let check = outcome("source", setup::check_pull(server).map(|()| place));
            Check { detail: check.detail + if check.ok { " (not asked)" } else { "" }, ..check }
        }
    }
}

/// Looks whether a program can be started, if its whole path is given; other names are looked for when it is run.
fn check_program(program: &Path, place: String) -> Check {
    if !program.is_absolute() {
        let detail = format!("{place} (looked for when it is run; write its whole path to have it checked)");
        return Check { what: "source".to_owned(), ok: true, detail };
    }
    let runnable = std::fs::metadata(program).and_then(|found| {
        let is_program = found.is_file() && found.permissions().mode() & 0o111 != 0;
        is_program.then_some(()).ok_or_else(|| io::Error::other("it is no file that can be run"))
    });
    let failed = |source| CommandError::Read { what: "source command", path: program.to_owned(), source };
    outcome("source", runnable.map(|()| format!("{place} (not run)")).map_err(failed))
}

fn outcome<E: std::error::Error>(what: &str, result: Result<String, E>) -> Check {
    let (ok, detail) = match result {
        Ok(detail) => (true, detail),
        Err(error) => {
            let mut texts = vec![error.to_string()];
            texts.extend(causes(&error));
            (false, texts.join(": "))
        }
    };
    Check { what: what.to_owned(), ok, detail }
}

/// The settings in force.
struct ShowReport(Value);

impl Report for ShowReport {
    fn json(&self) -> Value {
        self.0.clone()
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lines = Vec::new();
        flatten("", &self.0, &mut lines);
        for (key, value) in lines {
            writeln!(out, "{key} = {value}")?;
        }
        Ok(())
    }
}

/// Lists the values of an object under their dotted names.
fn flatten(path: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| flatten(&below(name), field, lines)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, lines);
            }
        }
        Value::Null => {}
        other => lines.push((path.to_owned(), other.to_string())),
    }
}

fn show(config: &Config) -> Value {
    let place = |source: &SecretSource| source.to_string();
    let replicas: Vec<Value> = config
        .replicas
        .iter()
        .map(|replica| {
            json!({
                "name": replica.name.to_string(),
                "url": replica.url.to_string(),
                "endpoint": replica.endpoint,
                "region": replica.region,
                "allow_http": replica.allow_http,
                "path_style": replica.path_style,
                "ca_file": replica.ca_file,
                "access_key": replica.access_key.as_ref().map(place),
                "secret_key": replica.secret_key.as_ref().map(place),
                "session_token": replica.session_token.as_ref().map(place),
                "reader_access_key": replica.reader_access_key.as_ref().map(place),
                "reader_secret_key": replica.reader_secret_key.as_ref().map(place),
                "proxy": replica.proxy.as_ref().map(place),
                "concurrency": replica.concurrency,
            })
        })
        .collect();
    json!({
        "path": config.path,
        "site": {
            "code": config.site.code.to_string(),
            "name": config.site.name,
            "verification_key": config.site.verification_key.as_ref().map(ToString::to_string),
        },
        "source": {
            "kind": source_kind(&config.source.kind),
            "format": source_format(&config.source.kind),
            "path": config.source.folder(),
            "place": config.source.place(),
            "rules": {
                "confidential": config.source.rules.confidential,
                "dummy_patients": config.source.rules.dummy_patients,
                "excluded_patients_file": config.source.rules.excluded_patients_file,
            },
            "windows": windows(&config.source.windows),
            "stable_after": format_duration(config.source.stable_after),
            "rescan": format_duration(config.source.rescan),
        },
        "snapshot": {
            "interval": format_duration(config.snapshot.interval),
            "expected_by": config.snapshot.expected_by,
            "threads": config.snapshot.threads,
        },
        "state": { "path": config.state_dir },
        "recipients": { "file": config.recipients_file },
        "keys": {
            "signing_key": place(&config.keys.signing),
            "lookup_key": place(&config.keys.lookup),
            "host_key": place(&config.keys.host),
            "passphrase": config.keys.passphrase.as_ref().map(place),
        },
        "log": {
            "format": format!("{:?}", config.log.format).to_lowercase(),
            "level": format!("{:?}", config.log.level).to_lowercase(),
        },
        "replica": replicas,
    })
}

fn windows(windows: &Windows) -> Value {
    json!({
                "past_medication_months": windows.past_medication,
                "encounters_months": windows.encounters,
                "results_months": windows.results,
                "observations_months": windows.observations,
                "referrals_months": windows.referrals,
                "other_items_months": windows.other_items,
    })
}

fn source_kind(kind: &SourceKind) -> &'static str {
    match kind {
        SourceKind::Folder { .. } => "folder",
        SourceKind::FhirServer(_) => "fhir-server",
        SourceKind::Command(_) => "command",
    }
}

fn source_format(kind: &SourceKind) -> &'static str {
    match kind {
        SourceKind::Folder { format, .. } => format.map_or("auto", Format::name),
        SourceKind::FhirServer(_) => Format::FhirR4.name(),
        SourceKind::Command(command) => command.format.name(),
    }
}
