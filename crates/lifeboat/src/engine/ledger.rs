//! The state of all records while a snapshot is made: what lies where, and the totals.
//!
//! Sealed records go into packs; a finished pack is written to the spool at once, so that memory stays
//! bounded. Only when its pack is finished does a record's place become known and its row kept.

use super::EngineError;
use super::harvest::Built;
use super::history::History;
use super::judging::IdentityChanges;
use super::state::{
    PackUse, RecordRow, RecordsWriter, SectionTotal, SiteState, SourceRow, StateError, Totals,
};
use super::survey::RecordGroup;
use jiff::civil::Date;
use lifeboat_format::{
    BlobPlace, Digest, DirectoryRow, FinishedPack, ObjectKey, PackBuilder, PackId, RecordKey, RecordKind,
};
use std::collections::HashMap;

/// Flag of a patient whose inputs could not be read this time, so that the copy is older than it looks.
pub(crate) const NOT_UPDATED: &str = "not-updated";

/// What a snapshot did to the records.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changes {
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
    pub(crate) carried: u64,
    pub(crate) copied: u64,
    pub(crate) bytes_written: u64,
}

impl Changes {
    /// Whether a snapshot is worth writing.
    pub(crate) fn any(&self) -> bool {
        self.added + self.changed + self.removed + self.carried > 0
    }
}

/// A record whose blob is in the pack under way.
struct Waiting {
    row: RecordRow,
    /// Whether its blob is a copy of one that is there already.
    is_copy: bool,
}

/// Stands where a record's place is not known yet.
fn nowhere() -> BlobPlace {
    BlobPlace { pack: PackId::of(b""), offset: 0, length: 0, digest: Digest::of(b"") }
}

/// A blob out of its pack, if it lies there whole.
fn cut(pack: &[u8], place: &BlobPlace) -> Option<Vec<u8>> {
    let range = place.range();
    let blob = pack.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
    place.check(blob).then(|| blob.to_vec())
}

/// All records while a snapshot is made.
pub(crate) struct Ledger<'a> {
    records: RecordsWriter<'a>,
    builder: PackBuilder,
    waiting: HashMap<RecordKey, Waiting>,
    packs: HashMap<PackId, PackUse>,
    totals: Totals,
    record_bytes_max: u64,
    changes: Changes,
    identity: IdentityChanges,
    /// Every record is sealed anew, so that nobody knows who is new.
    is_anew: bool,
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(records: RecordsWriter<'a>, site: &SiteState) -> Self {
        Self {
            records,
            builder: PackBuilder::new(),
            waiting: HashMap::new(),
            packs: site.packs.iter().map(|pack| (pack.id, *pack)).collect(),
            totals: site.totals.clone(),
            record_bytes_max: site.record_bytes_max,
            changes: Changes::default(),
            identity: IdentityChanges::default(),
            is_anew: site.base_rows == 0,
        }
    }

    /// Takes a built record: its row always, its blob if it was sealed.
    pub(crate) fn take(
        &mut self,
        history: &History,
        built: Built,
        group: RecordGroup,
    ) -> Result<(), EngineError> {
        let row = SourceRow {
            sum: group.group.sum,
            documents: group.group.documents,
            record: built.digest,
            carried: false,
        };
        self.records.put_source(built.key, row)?;
        self.record_bytes_max = self.record_bytes_max.max(built.bytes);
        let directory = built.person.map(|person| super::directory::row(built.key, &person));
        let Some(blob) = built.blob else {
            return self.refresh(built.key, directory);
        };
        let kind = if group.day.is_some() { RecordKind::Day } else { RecordKind::Patient };
        let row = RecordRow {
            kind,
            place: nowhere(),
            directory,
            day: group.day,
            sections: built.sections,
            appointments: built.appointments,
            quality: built.quality,
        };
        self.waiting.insert(built.key, Waiting { row, is_copy: false });
        self.push(history, built.key, blob)
    }

    /// A record that says the same may still have a new directory row, when it comes back from being carried.
    fn refresh(&mut self, key: RecordKey, directory: Option<DirectoryRow>) -> Result<(), EngineError> {
        let Some(mut row) = self.records.record(key)? else { return Ok(()) };
        if row.directory != directory {
            if let Some(before) = &row.directory {
                self.totals.quality.remove(&row.quality, before);
            }
            if let Some(now) = &directory {
                self.totals.quality.add(&row.quality, now);
            }
            row.directory = directory;
            self.records.put_record(key, &row)?;
            self.records.mark_delta(key, true)?;
            self.changes.changed += 1;
        }
        Ok(())
    }

    /// Keeps the record of a patient whose inputs could not be read, and says so in the directory.
    pub(crate) fn carry(&mut self, key: RecordKey, source: SourceRow) -> Result<(), EngineError> {
        self.records.put_source(key, SourceRow { carried: true, ..source })?;
        let Some(mut row) = self.records.record(key)? else { return Ok(()) };
        if let Some(directory) = &mut row.directory
            && !directory.flags.iter().any(|flag| flag == NOT_UPDATED)
        {
            directory.flags.push(NOT_UPDATED.to_owned());
            self.records.put_record(key, &row)?;
            self.records.mark_delta(key, true)?;
            self.changes.carried += 1;
        }
        Ok(())
    }

    /// Forgets a record that the source no longer speaks of.
    pub(crate) fn remove(&mut self, key: RecordKey) -> Result<(), EngineError> {
        if let Some(row) = self.records.remove(key)? {
            self.count_out(&row);
            if let Some(directory) = &row.directory {
                self.identity.gone(directory);
            }
            self.records.mark_delta(key, false)?;
            self.changes.removed += 1;
        }
        Ok(())
    }

    /// Copies the live blobs of `packs` together.
    pub(crate) fn gather(
        &mut self,
        history: &History,
        packs: &[PackId],
        advance: &dyn Fn(u64),
    ) -> Result<(), EngineError> {
        let mut rows: HashMap<PackId, Vec<(RecordKey, RecordRow)>> =
            packs.iter().map(|pack| (*pack, Vec::new())).collect();
        self.records.each_record(|key, row| {
            if let Some(pack) = rows.get_mut(&row.place.pack) {
                pack.push((key, row));
            }
            Ok(())
        })?;
        for pack in packs {
            let mut live = rows.remove(pack).unwrap_or_default();
            live.sort_by_key(|(_, row)| row.place.offset);
            if !live.is_empty() {
                let bytes = history.pack(*pack)?;
                for (key, row) in live {
                    let blob = cut(&bytes, &row.place)
                        .ok_or(EngineError::SpoolDamaged { object: ObjectKey::Pack(*pack) })?;
                    self.waiting.insert(key, Waiting { row, is_copy: true });
                    self.changes.copied += 1;
                    self.push(history, key, blob)?;
                }
            }
            advance(1);
        }
        self.flush(history)
    }

    fn push(&mut self, history: &History, key: RecordKey, blob: Vec<u8>) -> Result<(), EngineError> {
        if !self.builder.fits(blob.len()) {
            self.flush(history)?;
        }
        // An empty pack takes a blob of any length.
        self.builder.push(key, blob).map_err(|_| EngineError::PackRefused)
    }

    /// Finishes the pack under way.
    pub(crate) fn flush(&mut self, history: &History) -> Result<(), EngineError> {
        match std::mem::take(&mut self.builder).finish() {
            Some(finished) => self.settle(history, &finished),
            None => Ok(()),
        }
    }

    /// Writes a finished pack to the spool and keeps the rows of its records.
    fn settle(&mut self, history: &History, finished: &FinishedPack) -> Result<(), EngineError> {
        let bytes = finished.bytes.len() as u64;
        history.put_pack(finished)?;
        self.changes.bytes_written += bytes;
        self.packs.insert(finished.id, PackUse { id: finished.id, bytes, live_bytes: 0, since_base: true });
        for (key, place) in finished.places.iter().copied() {
            let Some(Waiting { mut row, is_copy }) = self.waiting.remove(&key) else { continue };
            row.place = place;
            let before = self.records.put_record(key, &row)?;
            if let Some(before) = &before {
                self.count_out(before);
                if let (Some(before), Some(now)) = (&before.directory, &row.directory) {
                    self.identity.stayed(before, now);
                }
            }
            self.count_in(&row);
            if let (Some(directory), true) = (&row.directory, before.is_none() && !self.is_anew) {
                self.identity.came(directory);
            }
            self.records.mark_delta(key, true)?;
            match (is_copy, before) {
                (true, _) => {}
                (false, Some(_)) => self.changes.changed += 1,
                (false, None) => self.changes.added += 1,
            }
        }
        Ok(())
    }

    fn count_in(&mut self, row: &RecordRow) {
        match row.kind {
            RecordKind::Patient => self.totals.patients += 1,
            RecordKind::Day => self.totals.days.extend(row.day),
        }
        self.totals.appointments += u64::from(row.appointments);
        if let Some(directory) = &row.directory {
            self.totals.quality.add(&row.quality, directory);
        }
        for (section, items) in row.sections.iter().filter(|(_, items)| *items > 0) {
            let total = self.totals.sections.entry(section.clone()).or_default();
            *total = SectionTotal { patients: total.patients + 1, items: total.items + u64::from(*items) };
        }
        if let Some(pack) = self.packs.get_mut(&row.place.pack) {
            pack.live_bytes += u64::from(row.place.length);
        }
    }

    fn count_out(&mut self, row: &RecordRow) {
        match row.kind {
            RecordKind::Patient => self.totals.patients -= 1,
            RecordKind::Day => self.totals.days.retain(|day| Some(*day) != row.day),
        }
        self.totals.appointments -= u64::from(row.appointments);
        if let Some(directory) = &row.directory {
            self.totals.quality.remove(&row.quality, directory);
        }
        for (section, items) in row.sections.iter().filter(|(_, items)| *items > 0) {
            if let Some(total) = self.totals.sections.get_mut(section) {
                *total =
                    SectionTotal { patients: total.patients - 1, items: total.items - u64::from(*items) };
            }
        }
        if let Some(pack) = self.packs.get_mut(&row.place.pack) {
            pack.live_bytes -= u64::from(row.place.length);
        }
    }

    /// Totals over all records.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What this snapshot has done so far.
    pub(crate) fn changes(&self) -> Changes {
        self.changes
    }

    /// What changed of people who stayed.
    pub(crate) fn identity_changes(&self) -> &IdentityChanges {
        &self.identity
    }

    /// The longest record, before sealing.
    pub(crate) fn record_bytes_max(&self) -> u64 {
        self.record_bytes_max
    }

    /// The packs that still hold live blobs, in a stable order.
    pub(crate) fn packs(&self) -> Vec<PackUse> {
        let mut packs: Vec<_> = self.packs.values().filter(|pack| pack.live_bytes > 0).copied().collect();
        packs.sort_by_key(|pack| (pack.since_base, pack.id));
        packs
    }

    /// How many records changed since the base.
    pub(crate) fn delta_rows(&self) -> Result<u64, StateError> {
        self.records.delta_rows()
    }

    /// The records that changed since the base, each with its row unless it left.
    pub(crate) fn delta(&self) -> Result<Vec<(RecordKey, Option<RecordRow>)>, StateError> {
        let marked = self.records.delta()?;
        marked
            .into_iter()
            .map(|(key, present)| Ok((key, if present { self.records.record(key)? } else { None })))
            .collect()
    }

    /// The days of which there is a day list, in order.
    pub(crate) fn days(&self) -> Vec<Date> {
        self.totals.days.iter().copied().collect()
    }

    /// Every record with its row.
    pub(crate) fn all(&self) -> Result<Vec<(RecordKey, RecordRow)>, StateError> {
        let mut all = Vec::new();
        self.records.each_record(|key, row| {
            all.push((key, row));
            Ok(())
        })?;
        Ok(all)
    }
}
