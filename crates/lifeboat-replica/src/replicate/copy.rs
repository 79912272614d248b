//! Copies the objects of one stage, a bounded number and a bounded amount of memory at a time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use lifeboat_format::log::Log;
use lifeboat_format::{Digest, ObjectKey, WriteStage};
use tokio::sync::Semaphore;

use super::jobs::{Content, Job, Work, object_bytes_max};
use super::{ReplicateFailure, ReplicateProgress, ReplicateReport, Replication};
use crate::error::{ErrorClass, ReadError, WriteError};
use crate::newest::from_first;
use crate::reader::Reader;
use crate::writer::Written;

/// What one object under way may take of the memory, unless it is larger.
const MEMORY_PER_OBJECT_MIB: usize = 8;

/// What became of one object.
enum Outcome {
    Copied,
    Found,
    Repaired,
}

pub(super) struct Copier<'a> {
    replication: &'a Replication<'a>,
    log: &'a Log,
    sources: Vec<&'a Reader>,
    /// Memory in MiB; an object larger than all of it takes all of it.
    memory: Semaphore,
    memory_mib: usize,
    failed: AtomicUsize,
    stopped: AtomicBool,
    state: Mutex<ReplicateProgress>,
    progress: &'a (dyn Fn(&ReplicateProgress) + Sync),
}

impl<'a> Copier<'a> {
    pub(super) fn new(
        replication: &'a Replication<'a>,
        log: &'a Log,
        work: &Work,
        progress: &'a (dyn Fn(&ReplicateProgress) + Sync),
    ) -> Self {
        let jobs = || work.stages.values().flatten();
        let memory_mib = replication.settings.objects_at_once.max(1) * MEMORY_PER_OBJECT_MIB;
        Self {
            replication,
            log,
            sources: std::iter::once(replication.from).chain(replication.fallbacks).collect(),
            memory: Semaphore::new(memory_mib),
            memory_mib,
            failed: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            state: Mutex::new(ReplicateProgress {
                stage: WriteStage::Description,
                objects_done: 0,
                objects_total: jobs().count() as u64,
                bytes_done: 0,
                bytes_total: jobs().map(|job| job.size).sum(),
            }),
            progress,
        }
    }

    /// Copies all objects of a stage; returns an error only when nothing more may be written at all.
    pub(super) async fn copy_stage(
        &self,
        stage: WriteStage,
        jobs: Vec<Job>,
        report: &mut ReplicateReport,
    ) -> Result<(), WriteError> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stage = stage;
        let copies = jobs.into_iter().map(|job| async move {
            let outcome = self.copy_unless_stopped(&job).await;
            (job, outcome)
        });
        let at_once = self.replication.settings.objects_at_once.max(1);
        let mut copies = futures::stream::iter(copies).buffer_unordered(at_once);
        while let Some((job, outcome)) = copies.next().await {
            match outcome {
                None => {}
                Some(Ok(outcome)) => {
                    match outcome {
                        Outcome::Copied => report.copied += 1,
                        Outcome::Repaired => report.repaired += 1,
                        Outcome::Found => report.found += 1,
                    }
                    if !matches!(outcome, Outcome::Found) {
                        report.bytes += job.size;
                    }
                    self.advance(&job);
                }
                Some(Err(error)) if error.class() == ErrorClass::Fenced || is_other_site(&error) => {
                    return Err(error);
                }
                Some(Err(source)) => report.failures.push(ReplicateFailure { key: job.key, source }),
            }
        }
        Ok(())
    }

    async fn copy_unless_stopped(&self, job: &Job) -> Option<Result<Outcome, WriteError>> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let mib =
            usize::try_from(job.size >> 20).unwrap_or(usize::MAX).saturating_add(1).min(self.memory_mib);
        let permits = u32::try_from(mib).unwrap_or(u32::MAX);
        let _held = self.memory.acquire_many(permits).await.ok()?;
        let result = self.copy(job).await;
        if result.is_err() {
            let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
            if failed >= self.replication.settings.failures_max.max(1) {
                self.stopped.store(true, Ordering::Relaxed);
            }
        }
        Some(result)
    }

    async fn copy(&self, job: &Job) -> Result<Outcome, WriteError> {
        let bytes = match &job.content {
            Content::Given(bytes) => bytes.clone(),
            Content::WithDigest(digest) => {
                let (key, size, digest) = (job.key, job.size, *digest);
                from_first(&self.sources, |source| read_checked(source, key, size, digest)).await?
            }
            Content::Bundle(tile) => {
                from_first(&self.sources, |source| source.bundle(self.log.tree(), *tile)).await?.into()
            }
        };
        let to = self.replication.to;
        if job.listed && to.holds(&job.key, &bytes).await? {
            return Ok(Outcome::Found);
        }
        match to.create_checked(&job.key, bytes.clone()).await {
            Ok(Written::New) => Ok(Outcome::Copied),
            Ok(Written::AlreadyThere) => Ok(Outcome::Found),
            // The replica's log is the beginning of ours, so what differs from ours is damage.
            Err(WriteError::DamagedUnderName { .. } | WriteError::Conflict { .. }) => {
                to.overwrite(&job.key, bytes).await?;
                Ok(Outcome::Repaired)
            }
            Err(WriteError::OtherSite { key: ObjectKey::Recover, .. }) => {
                to.overwrite(&job.key, bytes).await?;
                Ok(Outcome::Repaired)
            }
            Err(error) => Err(error),
        }
    }

    fn advance(&self, job: &Job) {
        let snapshot = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.objects_done += 1;
            state.bytes_done += job.size;
            *state
        };
        (self.progress)(&snapshot);
    }
}

/// Reads an object of a known size and digest.
pub(crate) async fn read_checked(
    source: &Reader,
    key: ObjectKey,
    size: u64,
    digest: Digest,
) -> Result<Bytes, ReadError> {
    let bytes = source.object(&key, size.min(object_bytes_max(&key))).await?;
    if bytes.len() as u64 != size {
        return Err(source.short(&key, bytes.len() as u64, size));
    }
    let hashed = bytes.clone();
    match tokio::task::spawn_blocking(move || Digest::of(&hashed)).await {
        Ok(found) if found == digest => Ok(bytes),
        Ok(_) => Err(source.digest_error(&key)),
        Err(error) => Err(ReadError::Background { replica: source.name().clone(), source: error }),
    }
}

fn is_other_site(error: &WriteError) -> bool {
    matches!(error, WriteError::OtherSite { .. })
}
