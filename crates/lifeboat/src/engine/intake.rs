//! What the source says now: listed, recognised, brought into kept rows where it arrives as batches.

use super::batches::{Batches, Expected};
use super::command::{self, CommandSettings};
use super::input::{Input, IsNote, Remark, Translation};
use super::report::{Progress, RefusedBatch, Stage, UnreadableInput};
use super::rows::{AppliedBatch, RowStore, Trust};
use super::source::{self, Heads, Listing, SourceError};
use super::state::FullBatch;
use super::survey_pass::practice_time_zone;
use super::{Acceptance, Engine, EngineError, Source};
use jiff::Timestamp;
use lifeboat_feeds::recognise::{NotRecognised, recognise};
use lifeboat_feeds::{Format, TableFeed};
use std::path::{Path, PathBuf};

/// The name of a folder of FHIR R4 documents in manifests.
const FHIR_FOLDER: &str = "fhir-r4-folder";

/// Whether everything that the source has was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// What cannot be read may be of a patient whom nothing else names.
    Perhaps,
    /// Kept rows say who there is, whatever else cannot be read.
    Nobody,
}

/// The source as one snapshot sees it.
pub(crate) struct Intake {
    pub(crate) input: Input,
    /// The feed, as manifests name it.
    pub(crate) feed: String,
    pub(crate) source_time: Option<Timestamp>,
    pub(crate) bytes: u64,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) refused: Vec<RefusedBatch>,
    pub(crate) missing: Missing,
    pub(crate) trust: Trust,
}

impl Intake {
    /// Refuses a source that was written to while it was read.
    pub(crate) fn check_unchanged(&self, source: &Source) -> Result<(), EngineError> {
        match (&self.input, source) {
            (Input::Files(listing, _), Source::Folder { path, .. }) if !listing.is_unchanged() => {
                Err(SourceError::Moved { path: path.clone() }.into())
            }
            _ => Ok(()),
        }
    }
}

/// Looks at the source and brings what is new of it to where it is read from.
pub(crate) fn take_in(
    engine: &mut Engine,
    now: Timestamp,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<Intake, EngineError> {
    match engine.settings.source.clone() {
        Source::Folder { path, format } => folder(engine, &path, format, now, acceptance, progress),
        Source::Command(settings) => run(engine, &settings, now, progress),
        Source::Pulled(feed) => pulled(engine, feed),
    }
}

fn folder(
    engine: &mut Engine,
    path: &Path,
    format: Option<Format>,
    now: Timestamp,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<Intake, EngineError> {
    let mut listing = source::list(path, now, engine.settings.stable_after)?;
    listing.open_archives();
    let format = match format {
        Some(format) => format,
        None => recognised(engine, path, &listing)?,
    };
    if format.is_tables() {
        return tables(engine, path, format, listing, acceptance, progress);
    }
    let remarks = listing.unreadable.drain(..).map(|input| Remark { is_note: IsNote::No, input }).collect();
    let translation = Translation::new(format, engine.settings.rules.clone(), engine.digester());
    let feed = if format == Format::FhirR4 { FHIR_FOLDER.to_owned() } else { format.name().to_owned() };
    Ok(Intake {
        feed,
        source_time: listing.newest,
        bytes: listing.bytes,
        remarks,
        refused: Vec::new(),
        missing: Missing::Perhaps,
        trust: Trust::Undisputed,
        input: Input::Files(listing, translation),
    })
}

/// Finds out the format of a folder; where nothing tells, it is the one that it was.
fn recognised(engine: &Engine, path: &Path, listing: &Listing) -> Result<Format, EngineError> {
    let feeds: Vec<&dyn TableFeed> = engine.settings.table_feeds.all().collect();
    let recognition = recognise(&feeds, &listing.facts(), &Heads::of(listing));
    match recognition.format {
        Ok(format) => Ok(format),
        Err(NotRecognised::None) if let Some(former) = former_format(engine) => Ok(former),
        Err(why) => Err(EngineError::NotRecognised {
            path: path.to_owned(),
            why,
            seen: recognition
                .evidence
                .iter()
                .map(|evidence| format!("{} × {}", evidence.files, evidence.what))
                .collect::<Vec<_>>()
                .join("; "),
        }),
    }
}

/// The format of the newest snapshot, as far as it came from a folder.
fn former_format(engine: &Engine) -> Option<Format> {
    let feed = engine.history.newest()?.manifest.feed.format.as_str();
    if feed == FHIR_FOLDER { Some(Format::FhirR4) } else { feed.parse().ok() }
}

/// Brings a folder's batches into the kept rows.
fn tables(
    engine: &mut Engine,
    path: &Path,
    format: Format,
    mut listing: Listing,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<Intake, EngineError> {
    let feed = engine.settings.table_feeds.of(format).ok_or(EngineError::NoTableFeed { format })?;
    let digester = engine.digester();
    let threads = engine.threads();
    let is_known = engine.history.newest().is_some_and(|newest| newest.manifest.feed.format == format.name());
    let full = engine.state.read()?.full_batch()?.filter(|full| full.feed == format.name());
    let expected = match acceptance {
        Acceptance::ByGate if is_known || full.is_some() => Expected::Rows,
        // Whoever accepts the source as it is also accepts where it begins.
        _ => Expected::Nothing,
    };
    let store = row_store(engine, feed)?;
    let mut batches = Batches { root: path, listing: &listing, store, digester, threads, progress };
    let taken = batches.take(expected, full.as_ref())?;
    let applied = store_of(engine)?.applied()?;
    let newest_full = applied.iter().rposition(|batch| batch.full).unwrap_or(0);
    remember_full(engine, &applied[newest_full..], format)?;
    let mut remarks: Vec<Remark> =
        listing.unreadable.drain(..).map(|input| Remark { is_note: IsNote::No, input }).collect();
    remarks.extend(taken.remarks);
    let problems = applied[newest_full..].iter().flat_map(|batch| batch.problems.clone());
    remarks.extend(problems.map(|(input, is_note)| Remark { is_note, input }));
    let lost = |(_, is_note): &(UnreadableInput, IsNote)| *is_note == IsNote::No;
    let missing =
        if applied[newest_full].problems.iter().any(lost) { Missing::Perhaps } else { Missing::Nobody };
    let exported = applied.iter().rev().find_map(|batch| batch.exported);
    let exported = exported.and_then(|local| local.to_zoned(practice_time_zone()).ok());
    let rules = engine.settings.rules.clone();
    let trust = store_of(engine)?.trust()?;
    let view = store_of(engine)?.view(&rules, threads)?;
    Ok(Intake {
        input: Input::Rows(Box::new(view)),
        feed: format.name().to_owned(),
        source_time: exported.map(|zoned| zoned.timestamp()).or(listing.newest),
        bytes: listing.bytes,
        remarks,
        refused: taken.refused,
        missing,
        trust,
    })
}

/// Remembers which batches make the rows, in case they are lost.
fn remember_full(engine: &Engine, batches: &[AppliedBatch], format: Format) -> Result<(), EngineError> {
    let [full, followers @ ..] = batches else { return Ok(()) };
    let full = FullBatch {
        feed: format.name().to_owned(),
        name: full.name.clone(),
        followers: followers.iter().map(|batch| batch.name.clone()).collect(),
    };
    if engine.state.read()?.full_batch()?.as_ref() != Some(&full) {
        let writer = engine.state.write()?;
        writer.put_full_batch(&full)?;
        writer.commit()?;
    }
    Ok(())
}

/// Runs a command and takes what it writes.
fn run(
    engine: &Engine,
    settings: &CommandSettings,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<Intake, EngineError> {
    progress.stage(Stage::Intake, None);
    let written = command::run(settings, &|bytes| progress.advance(bytes))?;
    let format = settings.format;
    let translation = Translation::new(format, engine.settings.rules.clone(), engine.digester());
    let said = written.said.map(|reason| Remark {
        is_note: IsNote::Yes,
        input: UnreadableInput { file: "the command's standard error".into(), line: None, reason, times: 1 },
    });
    Ok(Intake {
        feed: format!("{format}-command"),
        source_time: Some(now),
        bytes: written.output.bytes(),
        remarks: said.into_iter().collect(),
        refused: Vec::new(),
        missing: Missing::Perhaps,
        trust: Trust::Undisputed,
        input: Input::Command(written.output, translation),
    })
}

/// Looks at the rows that a puller has brought.
fn pulled(engine: &mut Engine, feed: &'static dyn TableFeed) -> Result<Intake, EngineError> {
    let (threads, rules) = (engine.threads(), engine.settings.rules.clone());
    let pulled = engine.pulled.clone();
    let (source_time, unreadable) =
        pulled.map_or((None, Vec::new()), |pulled| (Some(pulled.as_of), pulled.unreadable));
    let store = row_store(engine, feed)?;
    if store.head()?.is_none() {
        return Err(EngineError::NothingPulled);
    }
    let trust = store.trust()?;
    let view = store.view(&rules, threads)?;
    Ok(Intake {
        input: Input::Rows(Box::new(view)),
        feed: format!("{}-server", feed.format()),
        source_time,
        bytes: 0,
        remarks: unreadable.into_iter().map(|input| Remark { is_note: IsNote::No, input }).collect(),
        refused: Vec::new(),
        missing: Missing::Nobody,
        trust,
    })
}

/// Notes what a person says of the rows from which a snapshot of `feed` was made; other sources keep none.
pub(crate) fn put_trust(engine: &mut Engine, feed: &str, trust: Trust) -> Result<(), EngineError> {
    let table_feed = match &engine.settings.source {
        Source::Pulled(pulled) => Some(*pulled),
        Source::Folder { .. } => {
            let format = feed.parse().ok().filter(|format: &Format| format.is_tables());
            format.and_then(|format| engine.settings.table_feeds.of(format))
        }
        Source::Command(_) => None,
    };
    match table_feed {
        Some(table_feed) => Ok(row_store(engine, table_feed)?.put_trust(trust)?),
        None => Ok(()),
    }
}

/// The kept rows of a feed, opened when they are first needed.
pub(crate) fn row_store<'a>(
    engine: &'a mut Engine,
    feed: &'static dyn TableFeed,
) -> Result<&'a mut RowStore, EngineError> {
    let is_open = engine.rows.as_ref().is_some_and(|store| store.feed().format() == feed.format());
    if !is_open {
        engine.rows = None;
        let path: PathBuf = engine.settings.state_dir.join("rows.redb");
        engine.rows = Some(RowStore::open(&path, engine.keys.host.clone(), feed, engine.threads())?);
    }
    store_of(engine)
}

fn store_of(engine: &mut Engine) -> Result<&mut RowStore, EngineError> {
    engine.rows.as_mut().ok_or(EngineError::NothingPulled)
}
