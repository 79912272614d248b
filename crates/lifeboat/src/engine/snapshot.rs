//! One snapshot from beginning to end.

use super::dictionary::{Sample, sample};
use super::epoch::Epoch;
use super::grouper::Grouper;
use super::harvest::{Built, Harvest, Product, Wanted};
use super::ledger::Ledger;
use super::publish::{self, Base};
use super::report::{HeldReason, Outcome, Progress, SnapshotReport, Stage, UnreadableInput};
use super::source::{self, Listing, SourceError};
use super::state::{HeldSource, SiteState, SourceRow, StateReader};
use super::stream::stream;
use super::survey::{Digester, RecordGroup, Survey, Surveying, type_bytes};
use super::{Acceptance, Engine, EngineError};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use lifeboat_clinical::fhir::{DayWindow, Piece};
use lifeboat_clinical::record::{FeedProfile, SharedResources};
use lifeboat_format::{Dictionary, Manifest, RecordKey};
use lifeboat_plan::fold::{FoldFacts, FoldPlan, PackFacts, plan_fold};
use lifeboat_plan::gate::{self, GateFacts, GateVerdict};
use std::collections::{BTreeMap, HashMap};

/// Changes when the same source would give other records, so that all of them are looked at again.
const MAPPING: u32 = 1;
/// Time zone of the practice's days.
const PRACTICE_TIME_ZONE: &str = "Europe/London";
/// Days before and after today that day lists are kept for.
const DAYS_BEFORE: i32 = 1;
const DAYS_AFTER: i32 = 7;

/// Everything that the first pass says about the source.
struct Surveyed {
    survey: Survey,
    groups: HashMap<RecordKey, RecordGroup>,
    documents: u64,
    /// Digest of all that shapes records beside their own documents.
    generation: [u8; 16],
    /// Digest of the source as a whole.
    fingerprint: [u8; 16],
}

/// On what the snapshot builds.
struct Basis {
    site: SiteState,
    /// The snapshot that the kept state describes, unless every record is sealed anew.
    tip: Option<Manifest>,
    /// Every record is sealed anew.
    anew: bool,
    epoch: Epoch,
}

/// What is to be done with which records.
#[derive(Default)]
struct RecordPlan {
    wanted: HashMap<RecordKey, Wanted>,
    removed: Vec<RecordKey>,
    carried: Vec<(RecordKey, SourceRow)>,
}

pub(super) fn take(
    engine: &mut Engine,
    now: Timestamp,
    acceptance: &Acceptance,
    progress: &dyn Progress,
) -> Result<SnapshotReport, EngineError> {
    progress.stage(Stage::List, None);
    let settings = &engine.settings;
    let listing = source::list(&settings.source, now, settings.stable_after)?;
    let today = now.to_zoned(practice_time_zone()).date();
    let window = day_window(today);
    let surveyed = survey(engine, &listing, &window, progress)?;
    let mut report = first_report(now, &listing, &surveyed);
    if still_held(engine, &surveyed, acceptance)? {
        return heartbeat(engine, report, true);
    }
    let basis = basis(engine, &surveyed)?;
    let reader = engine.state.read()?;
    let plan = plan_records(&surveyed, &basis, &reader, !report.unreadable.is_empty())?;
    let writer = engine.state.write()?;
    if basis.anew {
        writer.forget_records()?;
    }
    let mut ledger = Ledger::new(writer.records()?, &basis.site);
    let job = Job {
        engine,
        listing: &listing,
        surveyed: &surveyed,
        basis: &basis,
        window: &window,
        today,
        progress,
    };
    let dictionary = job.harvest(&reader, &plan, &mut ledger, &mut report)?;
    for key in &plan.removed {
        ledger.remove(*key)?;
    }
    for (key, source) in &plan.carried {
        ledger.carry(*key, *source)?;
    }
    ledger.flush(&engine.history)?;
    if !listing.is_unchanged() {
        return Err(SourceError::Moved { path: engine.settings.source.clone() }.into());
    }
    // After a held snapshot, the accepted state needs a snapshot of its own even if nothing differs from it.
    let newest_is_held = engine.history.newest().is_some_and(|newest| newest.manifest.is_held());
    if !ledger.changes().any() && !basis.anew && !newest_is_held {
        drop(ledger);
        writer.commit()?;
        return heartbeat(engine, report, false);
    }
    let base = job.fold(&mut ledger, dictionary.is_some())?;
    let verdict = judge(engine, &ledger, &report, acceptance);
    progress.stage(Stage::Publish, None);
    let request = publish::Request {
        now,
        source_time: listing.newest,
        documents: surveyed.documents,
        unreadable: report.unreadable.len() as u64,
        verdict: &verdict,
        acceptance,
        tip: basis.tip.as_ref(),
        epoch: &basis.epoch,
        dictionary: dictionary.as_ref(),
        base,
    };
    let published = publish::publish(&mut engine.history, &engine.settings, &ledger, &request)?;
    finish_report(&mut report, &ledger, &published, &verdict);
    if let GateVerdict::Held(_) = verdict {
        drop(ledger);
        drop(writer);
        remember_held(engine, &basis.site, &surveyed, published.manifest)?;
        return Ok(report);
    }
    let site = next_state(&basis.site, &ledger, &surveyed, &published, &report);
    drop(ledger);
    if published.new_base_rows.is_some() {
        writer.clear_delta()?;
    }
    if basis.anew {
        writer.put_dictionary(dictionary.as_ref().map(Dictionary::bytes))?;
    }
    writer.put_site(&site)?;
    writer.commit()?;
    Ok(report)
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
    site.unreadable = report.unreadable.len() as u64;
    site.record_bytes_max = ledger.record_bytes_max();
    site.held = None;
    if let Some(rows) = published.new_base_rows {
        site.base_rows = rows;
        site.packs.iter_mut().for_each(|pack| pack.since_base = false);
    }
    site
}

fn practice_time_zone() -> TimeZone {
    // The database is part of the program; without the zone, UTC is at most an hour away.
    TimeZone::get(PRACTICE_TIME_ZONE).unwrap_or(TimeZone::UTC)
}

fn day_window(today: Date) -> DayWindow {
    DayWindow {
        first: today.saturating_sub(DAYS_BEFORE.days()),
        last: today.saturating_add(DAYS_AFTER.days()),
    }
}

fn survey(
    engine: &Engine,
    listing: &Listing,
    window: &DayWindow,
    progress: &dyn Progress,
) -> Result<Surveyed, EngineError> {
    progress.stage(Stage::Survey, Some(listing.bytes));
    let digester = Digester::new(engine.keys.host.digest_key());
    let lookup = &engine.keys.lookup;
    let reader = engine.state.read()?;
    let work = Surveying { state: &reader, digester, lookup, window };
    let mut new = Vec::new();
    let collect = |product| {
        new.push(product);
        Ok::<(), EngineError>(())
    };
    let advance = |bytes| progress.advance(bytes);
    let mut streamed = stream(&listing.files, engine.threads(), &work, &advance, collect)?;
    let mut survey = Survey::merge(std::mem::take(&mut streamed.states))?;
    survey.unreadable.append(&mut streamed.unreadable);
    keep_outlines(engine, &reader, &survey, &new)?;
    let groups = survey.groups(lookup, window);
    let shape = [&survey.shared_sum.to_le_bytes()[..], &type_bytes(&survey.supplied), &MAPPING.to_le_bytes()];
    let generation = digester.digest(&shape.concat());
    let whole = [&survey.sum.to_le_bytes()[..], &survey.unreadable.len().to_le_bytes(), &generation];
    let fingerprint = digester.digest(&whole.concat());
    Ok(Surveyed { survey, groups, documents: streamed.documents, generation, fingerprint })
}

/// Keeps the outlines of new documents; when most of those kept are of documents long gone, starts afresh.
fn keep_outlines(
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

fn first_report(now: Timestamp, listing: &Listing, surveyed: &Surveyed) -> SnapshotReport {
    let mut unreadable: Vec<UnreadableInput> =
        listing.unreadable.iter().chain(&surveyed.survey.unreadable).cloned().collect();
    unreadable.sort();
    let mut notes = surveyed.survey.notes.clone();
    notes.sort();
    SnapshotReport {
        outcome: Outcome::Heartbeat { sequence: lifeboat_format::Sequence::FIRST, held: false },
        log_size: 0,
        taken: now,
        source_time: listing.newest,
        documents: surveyed.documents,
        source_bytes: listing.bytes,
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

/// Decides what the snapshot builds on: the kept state, or nothing.
fn basis(engine: &Engine, surveyed: &Surveyed) -> Result<Basis, EngineError> {
    let reader = engine.state.read()?;
    let recipients = Epoch::recipients_digest(&engine.settings, &engine.keys);
    let kept = reader.site()?;
    let tip = kept.as_ref().map(|site| engine.history.manifest(site.tip)).transpose()?.flatten();
    let (Some(site), Some(tip)) = (kept, tip) else {
        let epoch = Epoch::start(engine)?;
        let site = SiteState::new(lifeboat_format::ManifestId::of(b""), epoch.number, recipients);
        return Ok(Basis { site, tip: None, anew: true, epoch });
    };
    if !Epoch::fits(&site, &engine.settings, &engine.keys) {
        let epoch = Epoch::start(engine)?;
        let site = site.anew(epoch.number, recipients);
        return Ok(Basis { site, tip: None, anew: true, epoch });
    }
    let epoch = Epoch::of(&tip);
    let facts = FoldFacts {
        base_rows: site.base_rows,
        delta_rows: reader.delta_rows()? + count_new(&surveyed.groups, &reader)?,
        records: surveyed.groups.len() as u64,
        has_dictionary: reader.dictionary()?.is_some(),
        packs: Vec::new(),
    };
    if let FoldPlan::Reseal { .. } = plan_fold(&facts) {
        let site = site.anew(epoch.number, recipients);
        return Ok(Basis { site, tip: None, anew: true, epoch });
    }
    Ok(Basis { site, tip: Some(tip), anew: false, epoch })
}

/// Records that the source speaks of for the first time.
fn count_new(groups: &HashMap<RecordKey, RecordGroup>, reader: &StateReader) -> Result<u64, EngineError> {
    let mut new = 0;
    for key in groups.keys() {
        new += u64::from(reader.source(*key)?.is_none());
    }
    Ok(new)
}

fn plan_records(
    surveyed: &Surveyed,
    basis: &Basis,
    reader: &StateReader,
    inputs_missing: bool,
) -> Result<RecordPlan, EngineError> {
    let mut plan = RecordPlan::default();
    let recheck = basis.site.generation != surveyed.generation;
    for (key, group) in &surveyed.groups {
        let row = if basis.anew { None } else { reader.source(*key)? };
        let same = row.is_some_and(|row| {
            row.sum == group.group.sum && row.documents == group.group.documents && !row.carried
        });
        if !same || recheck {
            plan.wanted.insert(*key, Wanted { group: *group, sealed_as: row.map(|row| row.record) });
        }
    }
    if basis.anew {
        return Ok(plan);
    }
    let mut gone = Vec::new();
    reader.each_source(|key, row| {
        if !surveyed.groups.contains_key(&key) {
            gone.push((key, row));
        }
    })?;
    for (key, row) in gone {
        let is_day = reader.record(key)?.is_some_and(|record| record.day.is_some());
        if inputs_missing && !is_day { plan.carried.push((key, row)) } else { plan.removed.push(key) }
    }
    Ok(plan)
}

/// What the stages of one snapshot share.
struct Job<'a> {
    engine: &'a Engine,
    listing: &'a Listing,
    surveyed: &'a Surveyed,
    basis: &'a Basis,
    window: &'a DayWindow,
    today: Date,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    /// Builds and seals the wanted records; returns the dictionary under which that was done.
    fn harvest(
        &self,
        reader: &StateReader,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        report: &mut SnapshotReport,
    ) -> Result<Option<Dictionary>, EngineError> {
        let mut dictionary = self.kept_dictionary(reader)?;
        if plan.wanted.is_empty() {
            return Ok(dictionary);
        }
        let profile = FeedProfile { supplied: self.surveyed.survey.supplied };
        let mut shared = SharedResources::default();
        self.surveyed.survey.shared.iter().cloned().for_each(|piece| {
            // One without an id can be referred to by nobody.
            shared.insert(piece);
        });
        let mut harvest = Harvest {
            state: reader,
            digester: Digester::new(self.engine.keys.host.digest_key()),
            lookup: &self.engine.keys.lookup,
            window: self.window,
            survey: &self.surveyed.survey,
            wanted: &plan.wanted,
            shared: &shared,
            profile: &profile,
            today: self.today,
            recipient: &self.basis.epoch.recipient,
            dictionary: None,
        };
        let (files, threads) = (&self.listing.files, self.engine.threads());
        if self.basis.anew {
            dictionary = sample(files, threads, &harvest).train()?;
        }
        harvest.dictionary = dictionary.as_ref();
        self.progress.stage(Stage::Seal, Some(plan.wanted.len() as u64));
        let mut grouper = Grouper::new()?;
        let streamed = stream(files, threads, &harvest, &|_| {}, |product| {
            self.collect(product, plan, ledger, &mut grouper, report)
        })?;
        for harvester in streamed.states {
            report.unreadable.append(&mut harvester.finish()?);
        }
        if self.basis.anew && dictionary.is_none() {
            return self.harvest_groups_with_dictionary(&harvest, plan, ledger, grouper, report);
        }
        self.harvest_groups(&harvest, plan, ledger, grouper, report)?;
        Ok(dictionary)
    }

    fn kept_dictionary(&self, reader: &StateReader) -> Result<Option<Dictionary>, EngineError> {
        let bytes = if self.basis.anew { None } else { reader.dictionary()? };
        Ok(bytes.map(|bytes| Dictionary::from_bytes(bytes.into())).transpose()?)
    }

    fn collect(
        &self,
        product: Product,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        grouper: &mut Grouper,
        report: &mut SnapshotReport,
    ) -> Result<(), EngineError> {
        match product {
            Product::Built(built) => self.take(*built, plan, ledger, report),
            Product::Pieces(key, pieces) => {
                for piece in &pieces {
                    grouper.add(key, piece)?;
                }
                Ok(())
            }
        }
    }

    /// Seals gathered records, after training a dictionary on the first of them.
    fn harvest_groups_with_dictionary(
        &self,
        harvest: &Harvest<'_>,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        grouper: Grouper,
        report: &mut SnapshotReport,
    ) -> Result<Option<Dictionary>, EngineError> {
        let mut partitions = grouper.into_partitions();
        let mut first = Vec::new();
        let mut sample = Sample::default();
        let mut wants_more = true;
        while wants_more && let Some(partition) = partitions.next() {
            let partition = partition?;
            for (key, pieces) in &partition {
                let is_day = plan.wanted.get(key).is_none_or(|wanted| wanted.group.day.is_some());
                if wants_more && !is_day {
                    wants_more = sample.add(harvest.unsealed(*key, None, pieces.clone()).1);
                }
            }
            first.push(partition);
        }
        let dictionary = sample.train()?;
        let with_dictionary = Harvest { dictionary: dictionary.as_ref(), ..*harvest };
        for partition in first {
            self.seal_partition(&with_dictionary, plan, ledger, partition, report)?;
        }
        for partition in partitions {
            self.seal_partition(&with_dictionary, plan, ledger, partition?, report)?;
        }
        Ok(dictionary)
    }

    fn harvest_groups(
        &self,
        harvest: &Harvest<'_>,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        grouper: Grouper,
        report: &mut SnapshotReport,
    ) -> Result<(), EngineError> {
        grouper
            .into_partitions()
            .try_for_each(|partition| self.seal_partition(harvest, plan, ledger, partition?, report))
    }

    fn seal_partition(
        &self,
        harvest: &Harvest<'_>,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        partition: BTreeMap<RecordKey, Vec<Piece>>,
        report: &mut SnapshotReport,
    ) -> Result<(), EngineError> {
        for built in harvest.build_all(self.engine.threads(), partition)? {
            self.take(built, plan, ledger, report)?;
        }
        Ok(())
    }

    fn take(
        &self,
        mut built: Built,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        report: &mut SnapshotReport,
    ) -> Result<(), EngineError> {
        self.progress.advance(1);
        for problem in std::mem::take(&mut built.problems) {
            let list = if problem.reason.is_note() { &mut report.notes } else { &mut report.unreadable };
            list.push(UnreadableInput::of(&format!("record {}", built.key), &problem));
        }
        match plan.wanted.get(&built.key) {
            Some(wanted) => ledger.take(&self.engine.history, built, wanted.group),
            None => Ok(()),
        }
    }

    /// Folds what has outgrown its place and says which index to write.
    fn fold(&self, ledger: &mut Ledger<'_>, has_dictionary: bool) -> Result<Base, EngineError> {
        let packs = ledger.packs();
        let facts = FoldFacts {
            base_rows: if self.basis.anew { 0 } else { self.basis.site.base_rows },
            delta_rows: ledger.delta_rows()?,
            records: ledger.totals().patients,
            has_dictionary,
            packs: packs
                .iter()
                .map(|pack| PackFacts {
                    id: pack.id,
                    bytes: pack.bytes,
                    live_bytes: pack.live_bytes,
                    since_base: pack.since_base,
                })
                .collect(),
        };
        let (packs, base) = match plan_fold(&facts) {
            FoldPlan::Extend => (Vec::new(), Base::Keep),
            FoldPlan::Gather { packs, .. } => (packs, Base::Keep),
            FoldPlan::Rebase { packs, .. } => (packs, Base::New),
            FoldPlan::Reseal { .. } => (Vec::new(), Base::New),
        };
        if !packs.is_empty() && !self.basis.anew {
            self.progress.stage(Stage::Fold, Some(packs.len() as u64));
            ledger.gather(&self.engine.history, &packs, &|packs| self.progress.advance(packs))?;
        }
        Ok(if self.basis.anew { Base::New } else { base })
    }
}

fn judge(
    engine: &Engine,
    ledger: &Ledger<'_>,
    report: &SnapshotReport,
    acceptance: &Acceptance,
) -> GateVerdict {
    if matches!(acceptance, Acceptance::ByPerson { .. }) {
        return GateVerdict::Accepted;
    }
    let totals = ledger.totals();
    let candidate = GateFacts {
        patients: totals.patients,
        items: totals.sections.iter().map(|(section, total)| (section.clone(), total.items)).collect(),
        unreadable: report.unreadable.len() as u64,
    };
    let accepted = engine.history.accepted().map(|accepted| publish::gate_facts(&accepted.manifest));
    gate::judge(accepted.as_ref(), &candidate)
}

fn finish_report(
    report: &mut SnapshotReport,
    ledger: &Ledger<'_>,
    published: &publish::Published,
    verdict: &GateVerdict,
) {
    let (totals, changes) = (ledger.totals(), ledger.changes());
    report.outcome =
        Outcome::Snapshot { sequence: published.sequence, held: matches!(verdict, GateVerdict::Held(_)) };
    report.log_size = published.log_size;
    report.patients = totals.patients;
    report.appointments = totals.appointments;
    report.added = changes.added;
    report.changed = changes.changed + changes.carried;
    report.removed = changes.removed;
    report.copied = changes.copied;
    report.sections = totals.sections.iter().map(|(section, total)| (section.clone(), total.items)).collect();
    report.bytes_written = changes.bytes_written + published.bytes_written;
    if let GateVerdict::Held(reasons) = verdict {
        let reason = |reason: &gate::GateReason| HeldReason {
            code: reason.code.to_owned(),
            detail: reason.detail.clone(),
        };
        report.held_reasons = reasons.iter().map(reason).collect();
    }
}
