//! The second pass and the fold of one snapshot.

use super::basis::{Basis, RecordPlan};
use super::dictionary::{Sample, sample};
use super::grouper::Grouper;
use super::harvest::{Built, Harvest, Product};
use super::input::IsNote;
use super::intake::Intake;
use super::ledger::Ledger;
use super::publish::Base;
use super::report::{Progress, SnapshotReport, Stage, UnreadableInput};
use super::state::StateReader;
use super::stream::stream;
use super::survey_pass::Surveyed;
use super::{Engine, EngineError};
use jiff::civil::Date;
use lifeboat_clinical::fhir::{DayWindow, Piece};
use lifeboat_clinical::record::{FeedProfile, SharedResources};
use lifeboat_format::{Dictionary, RecordKey};
use lifeboat_plan::fold::{FoldFacts, FoldPlan, PackFacts, plan_fold};
use std::collections::BTreeMap;

/// What the stages of one snapshot share.
pub(super) struct Job<'a> {
    pub(super) engine: &'a Engine,
    pub(super) intake: &'a Intake,
    pub(super) surveyed: &'a Surveyed,
    pub(super) basis: &'a Basis,
    pub(super) window: DayWindow,
    pub(super) today: Date,
    pub(super) progress: &'a dyn Progress,
}

impl Job<'_> {
    /// Brings the ledger up to the source; returns the dictionary under which that was done.
    pub(super) fn apply(
        &self,
        reader: &StateReader,
        plan: &RecordPlan,
        ledger: &mut Ledger<'_>,
        report: &mut SnapshotReport,
    ) -> Result<Option<Dictionary>, EngineError> {
        let dictionary = self.harvest(reader, plan, ledger, report)?;
        for key in &plan.removed {
            ledger.remove(*key)?;
        }
        for (key, source) in &plan.carried {
            ledger.carry(*key, *source)?;
        }
        ledger.flush(&self.engine.history)?;
        self.intake.check_unchanged(&self.engine.settings.source)?;
        Ok(dictionary)
    }

    /// Builds and seals the wanted records.
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
        let windows = self.engine.settings.windows;
        let profile = FeedProfile { supplied: self.surveyed.survey.supplied, windows };
        let mut shared = SharedResources::default();
        self.surveyed.survey.shared.iter().cloned().for_each(|piece| {
            // One without an id can be referred to by nobody.
            shared.insert(piece);
        });
        let mut harvest = Harvest {
            state: reader,
            digester: self.engine.digester(),
            lookup: &self.engine.keys.lookup,
            window: &self.window,
            survey: &self.surveyed.survey,
            wanted: &plan.wanted,
            shared: &shared,
            profile: &profile,
            today: self.today,
            recipient: &self.basis.epoch.recipient,
            dictionary: None,
        };
        let (input, threads) = (&self.intake.input, self.engine.threads());
        if self.basis.anew {
            dictionary = sample(input, threads, &harvest).train()?;
        }
        harvest.dictionary = dictionary.as_ref();
        self.progress.stage(Stage::Seal, Some(plan.wanted.len() as u64));
        let mut grouper = Grouper::new()?;
        let streamed = stream(input, threads, &harvest, &|_| {}, |product| {
            self.collect(product, plan, ledger, &mut grouper, report)
        })?;
        for harvester in streamed.whole()?.0 {
            for remark in harvester.finish()? {
                match remark.is_note {
                    IsNote::Yes => report.notes.push(remark.input),
                    IsNote::No => report.unreadable.push(remark.input),
                }
            }
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
    pub(super) fn fold(&self, ledger: &mut Ledger<'_>, has_dictionary: bool) -> Result<Base, EngineError> {
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
