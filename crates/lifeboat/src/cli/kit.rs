//! `lifeboat kit create`: what one clinician needs to open the site, in one passphrase-protected file.
//!
//! The identity is made in memory, sealed into the kit and forgotten; only its public half stays here.

use std::io::{self, Write};
use std::path::PathBuf;

use lifeboat_format::{Identity, Kit, KitOptions, KitReplica, WORK_FACTOR_DEFAULT};
use lifeboat_replica::durable::{self, Created};
use lifeboat_replica::{ReplicaName, ReplicaUrl};
use serde::Serialize;
use serde_json::Value;

use super::args::{Global, KitCommand};
use super::init::named;
use super::recipients::new_entry;
use super::{context, passphrase};
use crate::clock;
use crate::config::{Config, RecipientList};
use crate::error::CommandError;
use crate::keys;
use crate::output::{Report, to_json};
use crate::replicas;

/// What was made.
#[derive(Debug, Serialize)]
struct KitReport {
    kit: PathBuf,
    name: String,
    recipient: String,
    replicas: Vec<String>,
    without_credential: Vec<String>,
}

impl Report for KitReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "The kit of {} is {}.", self.name, self.kit.display())?;
        writeln!(
            out,
            "It opens snapshots from the next one on. The service takes one within minutes, or at once when it"
        )?;
        writeln!(out, "is told to reload; while it does not run, `lifeboat snapshot` takes one now.")?;
        writeln!(out, "It names these replicas:")?;
        for replica in &self.replicas {
            writeln!(out, "  {replica}")?;
        }
        for name in &self.without_credential {
            writeln!(
                out,
                "WARNING: {name} is an S3 replica without `reader_access_key_file`; the kit cannot read it."
            )?;
        }
        writeln!(out, "Hand it over, tell the passphrase by another way, and delete the file here.")
    }
}

/// Runs the command.
pub(super) fn run(global: &Global, command: &KitCommand) -> Result<Box<dyn Report>, CommandError> {
    let KitCommand::Create { name, role, to, passphrase_file, replicas } = command;
    if to.exists() {
        return Err(CommandError::Exists { path: to.clone() });
    }
    let config = context::config(global)?;
    let kit_replicas = if replicas.is_empty() { configured(&config)? } else { given(replicas)? };
    let passphrase = passphrase::new(passphrase_file.as_deref())?;
    let mut list = RecipientList::load(&config.recipients_file)?;
    let identity = Identity::generate();
    let recipient = identity.recipient().to_string();
    list.add(new_entry(name, &recipient, role.as_deref()))?;
    let kit = Kit {
        site: config.site.code.clone(),
        name: name.clone(),
        verification_key: keys::signing_key(&config.keys.signing)?.verification_key(),
        lookup_key: keys::lookup_key(&config.keys.lookup)?,
        identity,
        replicas: kit_replicas,
        created: clock::now(),
    };
    let sealed = kit
        .seal(&passphrase, WORK_FACTOR_DEFAULT)
        .map_err(|source| CommandError::MakeKit { source: Box::new(source) })?;
    // The kit first: a recipient without a kit could open nothing, and would look as if they could.
    match durable::create(to, &sealed) {
        Ok(Created::New) => {}
        Ok(Created::AlreadyThere) => return Err(CommandError::Exists { path: to.clone() }),
        Err(source) => return Err(CommandError::Write { what: "kit", path: to.clone(), source }),
    }
    list.save()?;
    Ok(Box::new(report(&kit, to.clone(), recipient)))
}

fn report(kit: &Kit, path: PathBuf, recipient: String) -> KitReport {
    let needs_credential = |replica: &&KitReplica| {
        replica.url.starts_with("s3://") && !replica.options.0.contains_key("access_key")
    };
    KitReport {
        kit: path,
        name: kit.name.clone(),
        recipient,
        replicas: kit.replicas.iter().map(|replica| format!("{} at {}", replica.name, replica.url)).collect(),
        without_credential: kit.replicas.iter().filter(needs_credential).map(|r| r.name.clone()).collect(),
    }
}

fn configured(config: &Config) -> Result<Vec<KitReplica>, CommandError> {
    let mut all = Vec::new();
    for replica in &config.replicas {
        let location = replica.location_for_kit()?;
        all.push(KitReplica {
            name: replica.name.to_string(),
            url: location.url.to_string(),
            options: KitOptions(location.options.to_pairs()),
        });
    }
    Ok(all)
}

fn given(texts: &[String]) -> Result<Vec<KitReplica>, CommandError> {
    let mut all = Vec::new();
    for text in texts {
        let (name, address) = named(text, "replica", "NAME=ADDRESS, such as usb=E:\\lifeboat")?;
        let refused = |source| replicas::ReplicasError::Address { text: text.clone(), source };
        let name: ReplicaName = name.parse().map_err(refused)?;
        let url: ReplicaUrl = address.parse().map_err(refused)?;
        all.push(KitReplica { name: name.to_string(), url: url.to_string(), options: KitOptions::default() });
    }
    Ok(all)
}
