//! `lifeboat init`: sets up a site.
//!
//! Everything is checked before anything is written. The configuration is written last, so that where there is
//! one, the site is whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lifeboat_format::{SiteCode, VerificationKey};
use lifeboat_replica::ReplicaUrl;
use lifeboat_replica::Writer;
use lifeboat_replica::durable;
use serde::Serialize;
use serde_json::Value;

use super::args::{Global, InitArgs};
use super::context;
use super::recipients::new_entry;
use crate::config::{self, Config, InitialValues, RecipientList};
use crate::error::CommandError;
use crate::keys;
use crate::output::{Report, to_json};
use crate::replicas::ReplicasError;
use crate::setup;

/// What was set up.
#[derive(Debug, Serialize)]
struct InitReport {
    site: String,
    config: PathBuf,
    keys: Vec<PathBuf>,
    state: PathBuf,
    recipients: Vec<String>,
    replicas: Vec<String>,
    without_credential: Vec<String>,
    verification_key: String,
}

impl Report for InitReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "The site {} is set up.", self.site)?;
        writeln!(out, "  configuration     {}", self.config.display())?;
        for key in &self.keys {
            writeln!(out, "  key               {}", key.display())?;
        }
        writeln!(out, "  state and spool   {}", self.state.display())?;
        for replica in &self.replicas {
            writeln!(out, "  replica           {replica}")?;
        }
        writeln!(out, "  can open copies   {}", self.recipients.join(", "))?;
        writeln!(
            out,
            "\nThe verification key. Keep it where you would look in an emergency, and give it to your auditors:"
        )?;
        writeln!(out, "  {}", self.verification_key)?;
        writeln!(
            out,
            "\nNext: `lifeboat snapshot` takes the first snapshot, `lifeboat run` is the service."
        )?;
        for replica in &self.without_credential {
            writeln!(
                out,
                "Before that, give the replica {replica} its `access_key_file` and `secret_key_file` in the configuration, \
                 and its `endpoint` when it is not Amazon's."
            )?;
        }
        if self.replicas.is_empty() {
            writeln!(out, "There is no replica yet: add [[replica]] sections to the configuration.")?;
        }
        Ok(())
    }
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &InitArgs) -> Result<Box<dyn Report>, CommandError> {
    let path = absolute(&context::config_path(global));
    if path.exists() {
        return Err(CommandError::Exists { path });
    }
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    let mut values = initial_values(args, &folder)?;
    let draft = Config::parse(&config::sample(&values), &path)?;
    let recipients = recipient_list(args, &draft.recipients_file)?;
    if draft.recipients_file.exists() {
        return Err(CommandError::Exists { path: draft.recipients_file });
    }

    let created = keys::create(&folder.join("keys"), &draft.site.code)?;
    values.verification_key = created.verification_key.to_string();
    recipients.save()?;
    let text = config::sample(&values);
    let config = Config::parse(&text, &path)?;
    make_replicas(&config)?;
    drop(setup::open_engine(&config)?);
    durable::replace(&path, text.as_bytes()).map_err(|source| CommandError::Write {
        what: "configuration",
        path: path.clone(),
        source,
    })?;
    Ok(Box::new(report(&config, &recipients, created.files.to_vec(), &created.verification_key)))
}

fn report(config: &Config, list: &RecipientList, keys: Vec<PathBuf>, key: &VerificationKey) -> InitReport {
    InitReport {
        site: config.site.code.to_string(),
        config: config.path.clone(),
        keys,
        state: config.state_dir.clone(),
        recipients: list.entries().iter().map(|entry| entry.name.clone()).collect(),
        replicas: config
            .replicas
            .iter()
            .map(|replica| format!("{} at {}", replica.name, replica.url))
            .collect(),
        without_credential: config
            .replicas
            .iter()
            .filter(|replica| replica.lacks_credential())
            .map(|replica| replica.name.to_string())
            .collect(),
        verification_key: key.to_string(),
    }
}

fn initial_values(args: &InitArgs, folder: &Path) -> Result<InitialValues, CommandError> {
    let code: SiteCode = args.site.parse().map_err(|_| CommandError::Usage {
        what: format!("`{}` is not a site code", args.site),
        hint: "give the practice's ODS code, such as A81001: 1 to 16 capital letters and digits".to_owned(),
    })?;
    let state = match &args.state {
        Some(state) => absolute(state),
        None if folder == Path::new("/etc/lifeboat") => PathBuf::from("/var/lib/lifeboat"),
        None => folder.join("state"),
    };
    let replicas = args.replicas.iter().map(|text| {
        let (name, address) = named(text, "replica", "NAME=ADDRESS, such as usb=/mnt/usb/lifeboat")?;
        let address =
            if address.contains("://") { address.to_owned() } else { path_text(&absolute(address.as_ref())) };
        Ok((name.to_owned(), address))
    });
    Ok(InitialValues {
        code: code.to_string(),
        name: args.name.clone(),
        verification_key: String::new(),
        source: path_text(&absolute(&args.source)),
        stable_after: args.stable_after.clone(),
        state: path_text(&state),
        replicas: replicas.collect::<Result<_, CommandError>>()?,
    })
}

fn recipient_list(args: &InitArgs, path: &Path) -> Result<RecipientList, CommandError> {
    if args.recipients.is_empty() {
        return Err(CommandError::Usage {
            what: "a site needs at least one recipient: somebody who can open the copies".to_owned(),
            hint: "on the computer of the person who will hold it, not on this one, run \
                   `age-keygen -o identity.txt`; it prints a public key. Then add \
                   `--recipient \"NAME=age1…\"` here. The secret half never comes to this host"
                .to_owned(),
        });
    }
    let mut list = RecipientList::empty(path);
    for text in &args.recipients {
        let (name, key) = named(text, "recipient", "NAME=KEY, such as \"Dr Example=age1…\"")?;
        list.add(new_entry(name, key, None))?;
    }
    Ok(list)
}

/// Splits `NAME=VALUE`.
pub(super) fn named<'a>(text: &'a str, what: &str, form: &str) -> Result<(&'a str, &'a str), CommandError> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim(), value.trim()))
        }
        _ => Err(CommandError::Usage {
            what: format!("`{text}` does not name a {what}"),
            hint: format!("write {form}"),
        }),
    }
}

/// Makes the folders of local replicas. Later a missing folder is an error: the disk is not mounted.
fn make_replicas(config: &Config) -> Result<(), CommandError> {
    for replica in &config.replicas {
        if matches!(replica.url, ReplicaUrl::Folder(_)) {
            let location = replica.location()?;
            Writer::open_new(replica.name.clone(), &location)
                .map_err(|source| ReplicasError::OpenWriter { replica: replica.name.clone(), source })?;
        }
    }
    Ok(())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
