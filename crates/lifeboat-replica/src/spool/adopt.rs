//! Adopting: at start, the spool takes over the longest log that the site's key signed on any replica.
//!
//! The service's machine may have been restored to an old state, or its spool lost. Signing on from there would sign
//! a size for the second time, so what the replicas hold comes first. Logs that contradict each other stop the
//! service: two signed notes are the evidence, and only a person can say which history is the right one.

use lifeboat_format::log::Log;

use super::Spool;
use crate::error::{ErrorClass, WriteError};
use crate::location::{ReplicaLocation, ReplicaName};
use crate::newest::CHECKPOINTS_TRIED_MAX;
use crate::reader::Reader;
use crate::replicate::{ReplicateReport, ReplicateSettings, Replication, fork, replicate};
use crate::writer::Writer;

/// What adopting from a replica found and did.
#[derive(Debug)]
pub struct Adopted {
    /// The size of the spool's log before.
    pub before: u64,
    /// The size of the replica's log.
    pub theirs: u64,
    /// The copying that it took; nothing when the replica had nothing newer.
    pub copied: Option<ReplicateReport>,
    /// Sizes of the replica's newer checkpoints that do not verify: a person should look at them.
    pub unverified: Vec<u64>,
}

impl Spool {
    /// Takes over whatever a replica holds beyond the spool, after proving that it continues the spool's log.
    pub async fn adopt(&mut self, from: &Reader) -> Result<Adopted, WriteError> {
        let before = self.log.size();
        let mut adopted = Adopted { before, theirs: 0, copied: None, unverified: Vec::new() };
        let mut newest = None;
        for size in from.list_checkpoints().await?.into_iter().rev().take(CHECKPOINTS_TRIED_MAX) {
            match from.checkpoint(size, &self.key).await {
                Ok(checkpoint) => {
                    newest = Some(checkpoint);
                    break;
                }
                Err(error) if error.class() == ErrorClass::Corrupt => adopted.unverified.push(size),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(theirs) = newest else { return Ok(adopted) };
        let size = theirs.checkpoint.size;
        adopted.theirs = size;
        let continues = |shorter: u64, root, longer: &Log| longer.tree().root_at(shorter) == Some(root);
        if let Some(ours) = &self.newest {
            let consistent = if size <= before {
                continues(size, theirs.checkpoint.root, &self.log)
            } else {
                continues(before, ours.checkpoint.root, &from.log(&theirs.checkpoint).await?)
            };
            if !consistent {
                return Err(fork(&self.reader, ours, from, &theirs));
            }
        }
        if size > before {
            adopted.copied = Some(self.copy_from(from, size).await?);
        }
        Ok(adopted)
    }

    async fn copy_from(&mut self, from: &Reader, size: u64) -> Result<ReplicateReport, WriteError> {
        let to = Writer::open(ReplicaName::spool(), &ReplicaLocation::folder(&self.folder))?;
        let replication = Replication {
            from,
            fallbacks: &[],
            to: &to,
            key: &self.key,
            cursor: None,
            up_to: Some(size),
            settings: ReplicateSettings::default(),
        };
        let report = replicate(&replication, &|_| {}).await?;
        if report.is_complete() {
            self.load().await?;
        }
        Ok(report)
    }
}
