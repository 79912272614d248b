//! Index, manifest and log entry of a snapshot, handed to the spool.

use super::epoch::Epoch;
use super::history::{History, RELEASE};
use super::judging::Judged;
use super::ledger::Ledger;
use super::report::SnapshotReport;
use super::state::{RecordRow, Totals};
use super::{Acceptance, EngineError, EngineSettings};
use jiff::{SignedDuration, Timestamp};
use lifeboat_format::log::Entry;
use lifeboat_format::{
    AcceptedEntry, Counts, DictEntry, Dictionary, EpochEntry, FORMAT_VERSION, FeedEntry, FileEntry,
    FinishedIndex, IndexContent, Indexes, Limits, LocatorChange, LocatorRow, Manifest, ManifestId, PackEntry,
    RecordKey, SealedDictionary, SectionCount, Sequence, Verdict, build_index,
};
use lifeboat_replica::PublishSet;
use std::collections::BTreeMap;

/// Which index a snapshot writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The base stays; the cumulative delta is written.
    Keep,
    /// Everything goes into a new base.
    New,
}

/// What a snapshot is published with.
pub(crate) struct Request<'a> {
    pub(crate) now: Timestamp,
    /// The feed, as the manifest names it.
    pub(crate) feed: &'a str,
    pub(crate) source_time: Option<Timestamp>,
    pub(crate) documents: u64,
    pub(crate) unreadable: u64,
    pub(crate) judged: &'a Judged,
    pub(crate) acceptance: &'a Acceptance,
    /// The snapshot whose base and dictionaries go on, unless everything is anew.
    pub(crate) tip: Option<&'a Manifest>,
    pub(crate) epoch: &'a Epoch,
    pub(crate) dictionary: Option<&'a Dictionary>,
    pub(crate) base: Base,
}

/// What was published.
pub(crate) struct Published {
    pub(crate) sequence: Sequence,
    pub(crate) manifest: ManifestId,
    pub(crate) log_size: u64,
    pub(crate) bytes_written: u64,
    /// Records in a new base; none if the base stayed.
    pub(crate) new_base_rows: Option<u64>,
}

/// Publishes a snapshot to the spool.
pub(crate) fn publish(
    history: &mut History,
    settings: &EngineSettings,
    ledger: &Ledger<'_>,
    request: &Request<'_>,
) -> Result<Published, EngineError> {
    let kept_base = request.tip.filter(|_| request.base == Base::Keep).map(|tip| tip.indexes.base.clone());
    let index = build(ledger, request, kept_base.is_some())?;
    let dictionary = new_dictionary(request)?;
    let dicts = match (&dictionary, request.tip) {
        (Some((_, entry)), _) => vec![entry.clone()],
        (None, Some(tip)) => tip.dicts.clone(),
        (None, None) => Vec::new(),
    };
    let indexes = match kept_base {
        Some(base) => Indexes { base, delta: Some(index.entry()) },
        None => Indexes { base: index.entry(), delta: None },
    };
    let newest = history.newest();
    let sequence = newest.map_or(Sequence::FIRST, |newest| newest.manifest.sequence.next());
    let manifest = Manifest {
        format: FORMAT_VERSION,
        site: settings.site.clone(),
        sequence,
        previous: newest.map(|newest| newest.id),
        epoch: epoch_entry(request.epoch),
        source_time: request.source_time,
        taken: request.now,
        next_by: next_by(settings, request.now),
        feed: FeedEntry {
            format: request.feed.to_owned(),
            documents: request.documents,
            unreadable: request.unreadable,
        },
        dicts,
        packs: pack_entries(ledger),
        indexes,
        counts: counts(ledger),
        quality: Some(request.judged.quality),
        limits: Limits { record_bytes_max: ledger.record_bytes_max() },
        gate: request.judged.gate.clone(),
        accepted: match request.judged.gate.verdict {
            Verdict::Accepted => None,
            Verdict::Held => history.accepted().map(|accepted| AcceptedEntry {
                sequence: accepted.manifest.sequence,
                manifest: accepted.id,
            }),
        },
    };
    let id = manifest.id();
    let verdict = manifest.gate.verdict;
    let set = PublishSet {
        epoch: request.epoch.files.clone(),
        dicts: dictionary.into_iter().map(|(sealed, _)| sealed).collect(),
        packs: Vec::new(),
        indexes: vec![index],
        manifest: Some(manifest),
        entries: entries(request, Entry::Snapshot { time: request.now, sequence, manifest: id, verdict }),
    };
    let published = history.publish(set)?;
    let new_base_rows =
        (request.base == Base::New).then(|| ledger.totals().patients + ledger.totals().days.len() as u64);
    Ok(Published {
        sequence,
        manifest: id,
        log_size: published.checkpoint.checkpoint.size,
        bytes_written: published.bytes,
        new_base_rows,
    })
}

fn build(ledger: &Ledger<'_>, request: &Request<'_>, is_delta: bool) -> Result<FinishedIndex, EngineError> {
    let mut content = IndexContent { patients: ledger.totals().patients, ..IndexContent::default() };
    let mut add = |key: RecordKey, row: RecordRow| {
        content.locators.push(LocatorChange::Put(LocatorRow::new(key, row.kind, row.place)));
        content.directory.extend(row.directory);
    };
    if is_delta {
        let mut gone = Vec::new();
        for (key, row) in ledger.delta()? {
            match row {
                Some(row) => add(key, row),
                None => gone.push(LocatorChange::Tombstone(key)),
            }
        }
        content.locators.append(&mut gone);
    } else {
        ledger.all()?.into_iter().for_each(|(key, row)| add(key, row));
    }
    content.days = ledger.days();
    Ok(build_index(content, &request.epoch.recipient)?)
}

/// The dictionary of a base that is sealed anew; one that goes on lies in the replicas already.
fn new_dictionary(request: &Request<'_>) -> Result<Option<(SealedDictionary, DictEntry)>, EngineError> {
    let Some(dictionary) = request.dictionary.filter(|_| request.tip.is_none()) else { return Ok(None) };
    let sealed = dictionary.seal(&request.epoch.recipient)?;
    let entry = DictEntry { sha256: sealed.id, size: sealed.bytes.len() as u64, id: dictionary.id() };
    Ok(Some((sealed, entry)))
}

fn epoch_entry(epoch: &Epoch) -> EpochEntry {
    match (&epoch.entry, &epoch.files) {
        (Some(entry), _) => entry.clone(),
        (None, files) => EpochEntry {
            number: epoch.number,
            recipient: epoch.recipient.clone(),
            recipients: FileEntry::of(files.as_ref().map_or(&[], |files| &files.recipients)),
            passphrase: files.as_ref().and_then(|files| files.passphrase.as_deref()).map(FileEntry::of),
        },
    }
}

pub(crate) fn next_by(settings: &EngineSettings, now: Timestamp) -> Timestamp {
    let within = SignedDuration::try_from(settings.expected_within).unwrap_or(SignedDuration::MAX);
    now.checked_add(within).unwrap_or(Timestamp::MAX)
}

fn pack_entries(ledger: &Ledger<'_>) -> Vec<PackEntry> {
    let mut packs: Vec<_> =
        ledger.packs().iter().map(|pack| PackEntry { sha256: pack.id, size: pack.bytes }).collect();
    packs.sort_by_key(|pack| pack.sha256);
    packs
}

fn counts(ledger: &Ledger<'_>) -> Counts {
    let (totals, changes) = (ledger.totals(), ledger.changes());
    Counts {
        patients: totals.patients,
        day_lists: totals.days.len() as u64,
        appointments: totals.appointments,
        added: changes.added,
        changed: changes.changed + changes.carried,
        removed: changes.removed,
        sections: section_counts(totals),
    }
}

fn section_counts(totals: &Totals) -> BTreeMap<String, SectionCount> {
    let count = |(section, total): (&String, &super::state::SectionTotal)| {
        (section.clone(), SectionCount { patients: total.patients, items: total.items })
    };
    totals.sections.iter().map(count).collect()
}

/// The log entries of a snapshot: what led to it, then itself.
fn entries(request: &Request<'_>, snapshot: Entry) -> Vec<Entry> {
    let mut entries = Vec::new();
    if request.epoch.files.is_some() {
        entries.push(Entry::Epoch { time: request.now, epoch: request.epoch.number });
    }
    if let Acceptance::ByPerson { reason } = request.acceptance {
        entries.push(Entry::Event { time: request.now, name: RELEASE.into(), detail: reason.clone() });
    }
    entries.push(snapshot);
    entries
}

/// Confirms the newest snapshot, of which nothing has changed, and completes the report.
pub(crate) fn heartbeat(
    history: &mut History,
    settings: &EngineSettings,
    report: &mut SnapshotReport,
) -> Result<Sequence, EngineError> {
    let newest = history.newest().ok_or(EngineError::NothingToConfirm)?;
    let (sequence, counts) = (newest.manifest.sequence, newest.manifest.counts.clone());
    let entry = Entry::Heartbeat {
        time: report.taken,
        sequence,
        manifest: newest.id,
        source_time: report.source_time,
        next_by: next_by(settings, report.taken),
    };
    let published = history.publish(PublishSet { entries: vec![entry], ..PublishSet::default() })?;
    report.log_size = published.checkpoint.checkpoint.size;
    report.bytes_written = published.bytes;
    report.patients = counts.patients;
    report.appointments = counts.appointments;
    report.sections = counts.sections.iter().map(|(section, count)| (section.clone(), count.items)).collect();
    Ok(sequence)
}
