//! The first pass as a whole: the source surveyed, its outlines kept, its fingerprint taken.

use super::intake::{Intake, Missing};
use super::report::{Progress, Stage};
use super::state::StateReader;
use super::stream::stream;
use super::survey::{RecordGroup, Survey, Surveying, type_bytes};
use super::{Engine, EngineError};
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lifeboat_clinical::fhir::DayWindow;
use lifeboat_format::RecordKey;
use std::collections::HashMap;

/// Changes when the same source would give other records, so that all of them are looked at again.
const MAPPING: u32 = 2;
/// Time zone of the practice's days.
const PRACTICE_TIME_ZONE: &str = "Europe/London";
/// Days before and after today that day lists are kept for.
const DAYS_BEFORE: i32 = 1;
const DAYS_AFTER: i32 = 7;

/// Everything that the first pass says about the source.
pub(super) struct Surveyed {
    pub(super) survey: Survey,
    pub(super) groups: HashMap<RecordKey, RecordGroup>,
    pub(super) documents: u64,
    /// Digest of all that shapes records beside their own documents.
    pub(super) generation: [u8; 16],
    /// Digest of the source as a whole.
    pub(super) fingerprint: [u8; 16],
    /// Whether patients whom the source no longer names may only be in what could not be read.
    pub(super) inputs_missing: bool,
}

pub(super) fn practice_time_zone() -> TimeZone {
    // The database is part of the program; without the zone, UTC is at most an hour away.
    TimeZone::get(PRACTICE_TIME_ZONE).unwrap_or(TimeZone::UTC)
}

pub(super) fn day_window(today: Date) -> DayWindow {
    DayWindow {
        first: today.saturating_sub(DAYS_BEFORE.days()),
        last: today.saturating_add(DAYS_AFTER.days()),
    }
}

pub(super) fn survey(
    engine: &Engine,
    intake: &Intake,
    window: &DayWindow,
    progress: &dyn Progress,
) -> Result<Surveyed, EngineError> {
    progress.stage(Stage::Survey, Some(intake.bytes));
    let digester = engine.digester();
    let lookup = &engine.keys.lookup;
    let reader = engine.state.read()?;
    let work = Surveying { state: &reader, digester, lookup, window };
    let mut new = Vec::new();
    let collect = |product| {
        new.push(product);
        Ok::<(), EngineError>(())
    };
    let advance = |bytes| progress.advance(bytes);
    let (states, read) = stream(&intake.input, engine.threads(), &work, &advance, collect)?.whole()?;
    let mut survey = Survey::merge(states)?;
    survey.leave_out(lookup, engine.settings.rules.excluded.iter());
    read.remarks.into_iter().chain(intake.remarks.iter().cloned()).for_each(|remark| survey.report(remark));
    let inputs_missing = match intake.missing {
        Missing::Perhaps => !survey.unreadable.is_empty(),
        Missing::Nobody => false,
    };
    keep_outlines(engine, &reader, &survey, &new)?;
    let groups = survey.groups(lookup, window);
    let windows = serde_json::to_vec(&engine.settings.windows).expect("numbers are always JSON");
    let mapping = MAPPING.to_le_bytes();
    let left_out = survey.left_out_bytes();
    let types = type_bytes(&survey.supplied);
    let shape = [&survey.shared_sum.to_le_bytes()[..], &types, &mapping, &windows, &left_out];
    let generation = digester.digest(&shape.concat());
    let whole = [&survey.sum.to_le_bytes()[..], &survey.unreadable.len().to_le_bytes(), &generation];
    let fingerprint = digester.digest(&whole.concat());
    Ok(Surveyed { survey, groups, documents: read.documents, generation, fingerprint, inputs_missing })
}

/// Keeps the outlines of new documents; when most of those kept are of documents long gone, starts afresh.
pub(super) fn keep_outlines(
    engine: &Engine,
    reader: &StateReader,
    survey: &Survey,
    new: &[([u8; 16], Vec<u8>)],
) -> Result<(), EngineError> {
    let kept = reader.documents()?;
    let stale = kept.saturating_sub(survey.known);
    let crowded = stale > 10_000 && stale > survey.known;
    if new.is_empty() && !crowded {
        return Ok(());
    }
    let writer = engine.state.write()?;
    if crowded {
        writer.forget_documents()?;
    }
    writer.put_documents(new.iter().map(|(digest, row)| (digest, row.as_slice())))?;
    writer.commit()?;
    Ok(())
}
