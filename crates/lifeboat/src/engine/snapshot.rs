//! One snapshot from beginning to end.

use super::basis::{Basis, basis, plan_records};
use super::intake::{self, Intake};
use super::job::Job;
use super::judging::{Facts, Judged};
use super::ledger::Ledger;
use super::publish;
use super::report::{Outcome, Progress, SnapshotReport, Stage, UnreadableInput};
use super::rows::Trust;
use super::state::{HeldSource, SiteState, StateWriter};
use super::survey_pass::{Surveyed, day_window, practice_time_zone, survey};
use super::{Acceptance, Engine, EngineError};
use jiff::Timestamp;
use lifeboat_format::Dictionary;
use std::collections::BTreeMap;

pub(super) fn take(
    engine: &mut Engine,
    now: Timestamp,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<SnapshotReport, EngineError> {
    progress.stage(Stage::List, None);
    let intake = intake::take_in(engine, now, acceptance, progress)?;
    let today = now.to_zoned(practice_time_zone()).date();
    let window = day_window(today);
    let surveyed = survey(engine, &intake, &window, progress)?;
    let mut report = first_report(now, &intake, &surveyed);
    if still_held(engine, &surveyed, acceptance)? {
        return heartbeat(engine, report, true);
    }
    let basis = basis(engine, &surveyed)?;
    let reader = engine.state.read()?;
    let plan = plan_records(&surveyed, &basis, &reader, surveyed.inputs_missing)?;
    let writer = engine.state.write()?;
    if basis.anew {
        writer.forget_records()?;
    }
    let mut ledger = Ledger::new(writer.records()?, &basis.site);
    let job = Job { engine, intake: &intake, surveyed: &surveyed, basis: &basis, window, today, progress };
    let dictionary = job.apply(&reader, &plan, &mut ledger, &mut report)?;
    if says_nothing_new(engine, &basis, &ledger, &report) {
        drop(ledger);
        writer.put_site(&basis.site.in_generation(surveyed.generation))?;
        writer.commit()?;
        return heartbeat(engine, report, false);
    }
    let base = job.fold(&mut ledger, dictionary.is_some())?;
    let trust = intake.trust;
    let facts = Facts { basis: &basis, ledger: &ledger, report: &report, surveyed: &surveyed, trust };
    let judged = facts.judge(&engine.history, plan.patients_gone, acceptance)?;
    progress.stage(Stage::Publish, None);
    let request = publish::Request {
        now,
        feed: &intake.feed,
        source_time: intake.source_time,
        documents: surveyed.documents,
        unreadable: report.unreadable_count(),
        judged: &judged,
        acceptance,
        tip: basis.tip.as_ref(),
        epoch: &basis.epoch,
        dictionary: dictionary.as_ref(),
        base,
    };
    let published = publish::publish(&mut engine.history, &engine.settings, &ledger, &request)?;
    finish_report(&mut report, &ledger, &published, &judged);
    if judged.is_held() {
        drop(ledger);
        drop(writer);
        remember_held(engine, &basis.site, &surveyed, published.manifest)?;
        return Ok(report);
    }
    let site = next_state(&basis.site, &ledger, &surveyed, &published, &report);
    drop(ledger);
    keep(writer, &site, &basis, &published, dictionary.as_ref())?;
    if trust == Trust::Rejected {
        intake::put_trust(engine, &intake.feed, Trust::Undisputed)?;
    }
    Ok(report)
}

/// Keeps what an accepted snapshot leaves behind.
fn keep(
    writer: StateWriter,
    site: &SiteState,
    basis: &Basis,
    published: &publish::Published,
    dictionary: Option<&Dictionary>,
) -> Result<(), EngineError> {
    if published.new_base_rows.is_some() {
        writer.clear_delta()?;
    }
    if basis.anew {
        writer.put_dictionary(dictionary.map(Dictionary::bytes))?;
    }
    writer.put_site(site)?;
    Ok(writer.commit()?)
}

/// Whether the newest snapshot still says all there is to say, so that a heartbeat is enough.
///
/// After a held or released snapshot, what the state describes needs a snapshot of its own even if nothing differs.
fn says_nothing_new(engine: &Engine, basis: &Basis, ledger: &Ledger<'_>, report: &SnapshotReport) -> bool {
    let is_newest = engine.history.newest().is_some_and(|newest| newest.id == basis.site.tip);
    let same_unreadable = basis.site.unreadable == report.unreadable_count();
    !ledger.changes().any() && !basis.anew && is_newest && same_unreadable
}

/// What is kept of the site after an accepted snapshot.
fn next_state(
    before: &SiteState,
    ledger: &Ledger<'_>,
    surveyed: &Surveyed,
    published: &publish::Published,
    report: &SnapshotReport,
) -> SiteState {
    let mut site = before.clone();
    site.tip = published.manifest;
    site.generation = surveyed.generation;
    site.packs = ledger.packs();
    site.totals = ledger.totals().clone();
    site.unreadable = report.unreadable_count();
    site.record_bytes_max = ledger.record_bytes_max();
    site.held = None;
    site.rejected.retain(|rejected| *rejected != surveyed.fingerprint);
    if let Some(rows) = published.new_base_rows {
        site.base_rows = rows;
        site.packs.iter_mut().for_each(|pack| pack.since_base = false);
    }
    site
}

fn first_report(now: Timestamp, intake: &Intake, surveyed: &Surveyed) -> SnapshotReport {
    let mut unreadable: Vec<UnreadableInput> = surveyed.survey.unreadable.clone();
    unreadable.sort();
    let mut notes = surveyed.survey.notes.clone();
    notes.sort();
    SnapshotReport {
        outcome: Outcome::Heartbeat { sequence: lifeboat_format::Sequence::FIRST, held: false },
        log_size: 0,
        taken: now,
        source_time: intake.source_time,
        documents: surveyed.documents,
        source_bytes: intake.bytes,
        patients: 0,
        added: 0,
        changed: 0,
        removed: 0,
        appointments: 0,
        sections: BTreeMap::new(),
        bytes_written: 0,
        copied: 0,
        unreadable,
        notes,
        refused_batches: intake.refused.clone(),
        held_reasons: Vec::new(),
    }
}

/// Whether the source is exactly the one that was held last time and nobody has accepted it since.
fn still_held(engine: &Engine, surveyed: &Surveyed, acceptance: &Acceptance) -> Result<bool, EngineError> {
    if !matches!(acceptance, Acceptance::ByGate) {
        return Ok(false);
    }
    let held = engine.state.read()?.site()?.and_then(|site| site.held);
    let newest = engine.history.newest();
    let same = held.is_some_and(|held| {
        held.fingerprint == surveyed.fingerprint && newest.is_some_and(|newest| newest.id == held.manifest)
    });
    Ok(same)
}

/// Remembers what was held; a site without an accepted snapshot yet has nothing else to remember.
fn remember_held(
    engine: &Engine,
    beginning: &SiteState,
    surveyed: &Surveyed,
    manifest: lifeboat_format::ManifestId,
) -> Result<(), EngineError> {
    let mut site = engine.state.read()?.site()?.unwrap_or_else(|| beginning.clone());
    site.held = Some(HeldSource { fingerprint: surveyed.fingerprint, manifest });
    let writer = engine.state.write()?;
    writer.put_site(&site)?;
    writer.commit()?;
    Ok(())
}

fn heartbeat(
    engine: &mut Engine,
    mut report: SnapshotReport,
    held: bool,
) -> Result<SnapshotReport, EngineError> {
    let sequence = publish::heartbeat(&mut engine.history, &engine.settings, &mut report)?;
    report.outcome = Outcome::Heartbeat { sequence, held };
    Ok(report)
}

fn finish_report(
    report: &mut SnapshotReport,
    ledger: &Ledger<'_>,
    published: &publish::Published,
    judged: &Judged,
) {
    let (totals, changes) = (ledger.totals(), ledger.changes());
    report.outcome = Outcome::Snapshot { sequence: published.sequence, held: judged.is_held() };
    report.held_reasons = judged.held_reasons();
    report.log_size = published.log_size;
    report.patients = totals.patients;
    report.appointments = totals.appointments;
    report.added = changes.added;
    report.changed = changes.changed + changes.carried;
    report.removed = changes.removed;
    report.copied = changes.copied;
    report.sections = totals.sections.iter().map(|(section, total)| (section.clone(), total.items)).collect();
    report.bytes_written = changes.bytes_written + published.bytes_written;
}
