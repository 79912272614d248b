//! On what a snapshot builds, and what is to be done with which records.

use super::epoch::Epoch;
use super::harvest::Wanted;
use super::state::{SiteState, SourceRow, StateReader};
use super::survey::RecordGroup;
use super::survey_pass::Surveyed;
use super::{Engine, EngineError};
use lifeboat_format::{Manifest, RecordKey};
use lifeboat_plan::fold::{FoldFacts, FoldPlan, plan_fold};
use std::collections::HashMap;

/// On what the snapshot builds.
pub(super) struct Basis {
    pub(super) site: SiteState,
    /// The snapshot that the kept state describes, unless every record is sealed anew.
    pub(super) tip: Option<Manifest>,
    /// Every record is sealed anew.
    pub(super) anew: bool,
    pub(super) epoch: Epoch,
}

/// What is to be done with which records.
#[derive(Default)]
pub(super) struct RecordPlan {
    pub(super) wanted: HashMap<RecordKey, Wanted>,
    pub(super) removed: Vec<RecordKey>,
    pub(super) carried: Vec<(RecordKey, SourceRow)>,
    /// Patients whom the source no longer names and who are not carried.
    pub(super) patients_gone: u64,
}

/// Decides what the snapshot builds on: the kept state, or nothing.
pub(super) fn basis(engine: &Engine, surveyed: &Surveyed) -> Result<Basis, EngineError> {
    let reader = engine.state.read()?;
    let recipients = Epoch::recipients_digest(&engine.settings, &engine.keys);
    let kept = reader.site()?;
    let tip = kept.as_ref().map(|site| engine.history.manifest(site.tip)).transpose()?.flatten();
    let (Some(site), Some(tip)) = (kept, tip) else {
        let epoch = Epoch::start(engine)?;
        let site = SiteState::new(lifeboat_format::ManifestId::of(b""), epoch.number, recipients);
        return Ok(Basis { site, tip: None, anew: true, epoch });
    };
    // A spool from which something was lost is made whole by sealing everything again.
    if !Epoch::fits(&site, &engine.settings, &engine.keys) || !engine.history.holds(&tip) {
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
pub(super) fn count_new(
    groups: &HashMap<RecordKey, RecordGroup>,
    reader: &StateReader,
) -> Result<u64, EngineError> {
    let mut new = 0;
    for key in groups.keys() {
        new += u64::from(reader.source(*key)?.is_none());
    }
    Ok(new)
}

pub(super) fn plan_records(
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
    let mut gone = Vec::new();
    reader.each_source(|key, row| {
        if !surveyed.groups.contains_key(&key) {
            gone.push((key, row));
        }
    })?;
    for (key, row) in gone {
        let is_day = reader.record(key)?.is_some_and(|record| record.day.is_some());
        let is_carried = inputs_missing && !is_day && !basis.anew;
        plan.patients_gone += u64::from(!is_day && !is_carried);
        match (basis.anew, is_carried) {
            // What is sealed anew begins with nothing to remove.
            (true, _) => {}
            (false, true) => plan.carried.push((key, row)),
            (false, false) => plan.removed.push(key),
        }
    }
    Ok(plan)
}
