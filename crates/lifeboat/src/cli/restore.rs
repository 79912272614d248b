//! `lifeboat restore`: writes records out as FHIR JSON files.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use lifeboat_format::{IDENTITY_FILE_BYTES_MAX, Identity, KIT_BYTES_MAX, Kit};
use lifeboat_replica::{Access, Reader};
use lifeboat_replica::{ReplicaLocation, ReplicaOptions};
use serde_json::Value;
use zeroize::Zeroizing;

use super::args::{Global, RestoreArgs};
use super::{context, passphrase};
use crate::clock;
use crate::config::Config;
use crate::error::{CommandError, ExitStatus};
use crate::output::{Output, Report, age_text, bytes_text, count_text, to_json};
use crate::replicas::{self, ReplicasError};
use crate::restore::{Existing, Patient, Request, RestoreReport, Snapshot, restore};

impl Report for RestoreReport {
    fn json(&self) -> Value {
        to_json(self)
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        for passed in &self.passed_over {
            writeln!(out, "Not used: replica {}, {}.", passed.replica, passed.reason)?;
        }
        writeln!(
            out,
            "Restored {} ({}) of site {} from replica {} to {}.",
            count_text(self.records, "record"),
            bytes_text(self.bytes),
            self.site,
            self.replica,
            self.to.display()
        )?;
        let age = age_text(self.taken, clock::now());
        writeln!(out, "Snapshot {} was taken {age}, at {}.", self.sequence, self.taken)?;
        if self.held {
            writeln!(out, "WARNING: this snapshot is held by the gate; compare it with the accepted one.")?;
        }
        if self.repaired > 0 {
            writeln!(out, "{} came from another replica.", count_text(self.repaired, "damaged record"))?;
        }
        for key in &self.missing {
            writeln!(out, "MISSING: record {key} could not be read from any replica.")?;
        }
        writeln!(out, "These files are patient data in the open. Delete them when they have served.")
    }

    fn exit(&self) -> ExitStatus {
        if self.missing.is_empty() { ExitStatus::Ok } else { ExitStatus::Damaged }
    }
}

/// Runs the command.
pub(super) fn run(
    global: &Global,
    args: &RestoreArgs,
    output: Output,
) -> Result<Box<dyn Report>, CommandError> {
    let patient = match &args.patient {
        None => None,
        Some(text) => Some(Patient::parse(text).ok_or_else(|| {
            CommandError::Usage {
                what: "`--patient` is neither a valid NHS number nor a record key".to_owned(),
                hint:
                    "an NHS number has 10 digits, the last of which checks the others; a record key has 32 \
                   hexadecimal digits"
                        .to_owned(),
            }
        })?),
    };
    let config = context::optional_config(global)?;
    let holder = holder(args.identity.as_deref(), args.kit.as_deref(), args.passphrase_file.as_deref())?;
    let argument = args.verification_key.as_deref();
    let key = match (argument, &holder.kit) {
        (None, Some(kit)) => kit.verification_key.clone(),
        _ => replicas::verification_key(argument, config.as_ref())?,
    };
    let request = Request {
        readers: readers(args.from.as_deref(), holder.kit.as_ref(), config.as_ref())?,
        key,
        access: Access::Identity(holder.identity),
        snapshot: match (args.sequence, args.newest) {
            (Some(sequence), _) => Snapshot::Sequence(sequence),
            (None, true) => Snapshot::Newest,
            (None, false) => Snapshot::Accepted,
        },
        patient,
        to: args.to.clone(),
        existing: if args.force { Existing::Replace } else { Existing::Refuse },
    };
    let bars = output.bars();
    Ok(Box::new(context::wait_for(restore(request, &bars))??))
}

/// Who restores: their identity, and their kit when they have one.
pub(super) struct Holder {
    pub(super) identity: Identity,
    pub(super) kit: Option<Kit>,
}

/// Opens an identity file or a kit.
pub(super) fn holder(
    identity: Option<&Path>,
    kit: Option<&Path>,
    passphrase_file: Option<&Path>,
) -> Result<Holder, CommandError> {
    match (identity, kit) {
        (Some(path), _) => {
            let text = read(path, IDENTITY_FILE_BYTES_MAX, "identity file")?;
            let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
            let identity = Identity::from_file_text(&text).map_err(|error| CommandError::Usage {
                what: format!("{} is not an identity file: {error}", path.display()),
                hint: "give the file that `age-keygen -o` wrote; it holds a line AGE-SECRET-KEY-1…"
                    .to_owned(),
            })?;
            Ok(Holder { identity, kit: None })
        }
        (None, Some(path)) => {
            let sealed = read(path, KIT_BYTES_MAX, "kit")?;
            let passphrase = passphrase::existing(passphrase_file)?;
            let kit = Kit::open(&sealed, &passphrase).map_err(|source| CommandError::OpenKit {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
            Ok(Holder { identity: kit.identity.clone(), kit: Some(kit) })
        }
        (None, None) => Err(CommandError::Usage {
            what: "records are sealed: an identity is needed to open them".to_owned(),
            hint: "give `--identity FILE` or `--kit FILE`".to_owned(),
        }),
    }
}

pub(super) fn read(
    path: &Path,
    bytes_max: usize,
    what: &'static str,
) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let failed = |source| CommandError::Read { what, path: path.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(failed)?;
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > bytes_max {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

/// Opens the replicas that may be read: the one that is named, those of the kit, or the configured ones.
pub(super) fn readers(
    named: Option<&str>,
    kit: Option<&Kit>,
    config: Option<&Config>,
) -> Result<Vec<Reader>, CommandError> {
    if let Some(named) = named {
        return Ok(vec![replicas::named_reader(named, config)?]);
    }
    let opened: Vec<Result<Reader, ReplicasError>> = match (kit, config) {
        (Some(kit), _) => kit_readers(kit),
        (None, Some(config)) => {
            let spool = replicas::named_reader("spool", Some(config));
            config.replicas.iter().map(|replica| replica.reader()).chain([spool]).collect()
        }
        (None, None) => Vec::new(),
    };
    let mut readers = Vec::new();
    let mut first_error = None;
    for reader in opened {
        match reader {
            Ok(reader) => readers.push(reader),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    match (readers.is_empty(), first_error) {
        (false, _) => Ok(readers),
        (true, Some(error)) => Err(error.into()),
        (true, None) => Err(CommandError::Usage {
            what: "there is no replica to read".to_owned(),
            hint: "name one with `--from`: a folder, or s3://bucket/prefix".to_owned(),
        }),
    }
}

pub(super) fn kit_readers(kit: &Kit) -> Vec<Result<Reader, ReplicasError>> {
    kit.replicas
        .iter()
        .map(|replica| {
            let refused = |source| ReplicasError::Address { text: replica.url.clone(), source };
            let location = ReplicaLocation {
                url: replica.url.parse().map_err(refused)?,
                options: ReplicaOptions::from_pairs(&replica.options.0).map_err(refused)?,
            };
            replicas::open_reader(replica.name.parse().map_err(refused)?, &location)
        })
        .collect()
}
