//! `lifeboat verify --repair`: writes damaged objects of a replica again.
//!
//! An object is taken from whichever replica has it whole, since signed bytes say what it must be. What no signed bytes
//! describe by themselves, `HEAD` and the log's tiles, is put right by copying from the spool with a full listing.

use lifeboat_format::VerificationKey;
use lifeboat_replica::{Reader, ReplicaLocation, ReplicaName, Writer, repair};
use serde::Serialize;

use super::context;
use super::verify::Verified;
use crate::config::Config;
use crate::error::CommandError;
use crate::events::error_line;
use crate::replicas::{self, ReplicasError};
use crate::service::feed_of;

/// What was done to one replica.
#[derive(Debug, Serialize)]
pub(crate) struct Repaired {
    /// The replica.
    pub(crate) replica: String,
    /// Objects that were written again.
    pub(crate) objects: Vec<String>,
    /// What could not be put right, and why.
    pub(crate) failures: Vec<String>,
}

/// Repairs every configured replica in which damage was found, and the spool.
pub(super) fn repair_all(
    config: &Config,
    key: &VerificationKey,
    verified: &[Verified],
) -> Result<Vec<Repaired>, CommandError> {
    context::wait_for(async {
        let mut done = Vec::new();
        for damaged in verified.iter().filter(|verified| verified.is_damaged()) {
            done.push(repair_one(config, key, damaged).await);
        }
        done
    })
}

async fn repair_one(config: &Config, key: &VerificationKey, damaged: &Verified) -> Repaired {
    let mut done = Repaired { replica: damaged.name.clone(), objects: Vec::new(), failures: Vec::new() };
    let writer = match writer(config, &damaged.name) {
        Ok(writer) => writer,
        Err(error) => {
            done.failures.push(error_line(&error));
            return done;
        }
    };
    let names = std::iter::once("spool").chain(config.replicas.iter().map(|replica| replica.name.as_str()));
    let sources: Vec<Reader> = names
        .filter(|name| *name != damaged.name)
        .filter_map(|name| replicas::named_reader(name, Some(config)).ok())
        .collect();
    let report = repair(&writer, &sources, damaged.raw_findings()).await;
    done.objects.extend(report.repaired.iter().map(ToString::to_string));
    done.failures.extend(report.failures.iter().map(|failure| error_line(failure)));
    if !report.left.is_empty() {
        match (config.replica(&damaged.name), replicas::named_reader("spool", Some(config))) {
            (Some(settings), Ok(spool)) => match feed_of(config, settings, &spool, key).afresh().await {
                Ok(_) => done.objects.extend(report.left.iter().map(ToString::to_string)),
                Err(error) => done.failures.push(error_line(&error)),
            },
            _ => done.failures.extend(report.left.iter().map(|key| format!("{key} of the spool itself"))),
        }
    }
    done
}

fn writer(config: &Config, name: &str) -> Result<Writer, ReplicasError> {
    let spool = ReplicaName::spool();
    match config.replica(name) {
        Some(settings) => settings.writer(),
        None if name == spool.as_str() => {
            Writer::open(spool.clone(), &ReplicaLocation::folder(config.spool_dir()))
                .map_err(|source| ReplicasError::OpenWriter { replica: spool, source })
        }
        None => Err(ReplicasError::NotConfigured { text: name.to_owned() }),
    }
}
