//! One snapshot as the service takes it: a source that must be asked is asked first.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use lifeboat_feeds::RowSink as _;
use tokio::runtime::Handle;

use crate::config::{Config, FhirSettings, SourceKind};
use crate::engine::{Acceptance, Engine, EngineError, Progress, SnapshotReport, Stage, UnreadableInput};
use crate::events;
use crate::feeds::pulled_feed;
use crate::pull::{PullError, PullProgress, PullReport, Puller, Standing, standing};
use crate::setup;

/// Takes a snapshot; of a FHIR server's records after pulling what is new, and only when they are whole.
///
/// Blocks, on a thread on which the runtime may be waited for.
///
/// # Errors
/// Whatever kept the snapshot from being taken; the former one stays the newest.
pub(super) fn take_snapshot(
    engine: &mut Engine,
    config: &Config,
    now: Timestamp,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<SnapshotReport, EngineError> {
    if let SourceKind::FhirServer(settings) = &config.source.kind {
        let pulled = pull(engine, settings, now, progress)?;
        events::pulled(&pulled);
        let unreadable = pulled.problems.iter().map(|problem| UnreadableInput {
            file: "pulled resources".to_owned(),
            line: problem.row,
            reason: problem.to_string(),
            times: 1,
        });
        let as_of = pulled.as_of.ok_or(EngineError::NothingPulled)?;
        engine.note_pulled(as_of, unreadable.collect());
    }
    engine.take_snapshot(now, acceptance, progress)
}

fn pull(
    engine: &mut Engine,
    settings: &FhirSettings,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<PullReport, EngineError> {
    let failed = |error: PullError| EngineError::Pull(Box::new(error));
    progress.stage(Stage::Pull, None);
    let settings = setup::pull_settings(settings);
    let puller = Puller::new(settings.map_err(|error| EngineError::PullSettings(Box::new(error)))?);
    let puller = puller.map_err(failed)?;
    let mut sink = engine.row_sink(pulled_feed())?;
    let resources = AtomicU64::new(0);
    let told = |told: PullProgress| {
        if let PullProgress::Resources(now) = told {
            let before = resources.swap(now, Ordering::Relaxed);
            progress.advance(now.saturating_sub(before));
        }
    };
    let report = Handle::current().block_on(puller.pull(&mut sink, now, &told)).map_err(failed)?;
    match standing(sink.cursor().map_err(EngineError::from)?.as_deref()) {
        Standing::Whole(_) => Ok(report),
        Standing::Nothing | Standing::Midway => Err(EngineError::NothingPulled),
    }
}
