//! Applying one batch: everything it says becomes true in one transaction, or nothing does.

use super::change::{Change, Order, Step, put_unit, take_unit};
use super::error::{RowsError, step};
use super::gather::{Inbox, Scope, in_chunk};
use super::hash::{RowHash, UnitKey, half};
use super::ledger::AppliedBatch;
use super::merge::{Removals, drop_rows, merge, own_keys};
use super::owners::{Owner, Owners};
use super::shared::SharedRows;
use super::{BATCHES, Head, KEYS, LAYOUT, RowStore, SHARED, UNITS, USES, VERSIONS, pack, unpack};
use crate::engine::spill::{Partition, Spill};
use crossbeam_channel::bounded;
use lifeboat_feeds::{Unit, UnitRows};
use lifeboat_replica::crash_step;
use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, Table, WriteTransaction};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Owners whose rows are looked at again in one go.
const UNITS_AT_ONCE: usize = 64;
/// Partitions under way, each of which is in memory, whatever the number of cores.
const THREADS_MAX: usize = 8;

/// What becomes true together with the rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// What the ledger says of the batch; a puller has none.
    pub(crate) batch: Option<AppliedBatch>,
    /// The tables that the batch supplies, with all columns that they need.
    pub(crate) supplied: BTreeSet<String>,
    /// How far a puller has read its source.
    pub(crate) cursor: Option<Vec<u8>>,
}

/// What becomes of one owner's rows.
enum Outcome {
    /// They stay as they are.
    Same,
    /// They stay, and their document may change because of shared rows.
    Looks { version: [u8; 32], uses: Vec<u64> },
    /// They change.
    Put { sealed: Vec<u8>, version: [u8; 32], uses: Vec<u64>, keys: Vec<u32> },
    /// None is left.
    Gone,
}

/// What was kept before the batch.
struct Before {
    units: ReadOnlyTable<[u8; 16], &'static [u8]>,
    versions: ReadOnlyTable<[u8; 16], [u8; 32]>,
    uses: ReadOnlyTable<[u8; 16], &'static [u8]>,
    keys: ReadOnlyTable<[u8; 16], &'static [u8]>,
}

/// The tables of owners, open for writing.
struct UnitTables<'a> {
    units: Table<'a, [u8; 16], &'static [u8]>,
    versions: Table<'a, [u8; 16], [u8; 32]>,
    uses: Table<'a, [u8; 16], &'static [u8]>,
    keys: Table<'a, [u8; 16], &'static [u8]>,
}

/// What the work on all owners shares.
struct Application<'a> {
    store: &'a RowStore,
    /// Nothing before the first batch of a feed.
    before: Option<&'a Before>,
    shared: &'a SharedRows,
    /// The shared rows that the batch changed.
    changed: &'a HashSet<u64>,
    removals: &'a Removals,
    scope: Scope,
}

impl RowStore {
    /// Applies a batch; returns for how many owners something changed.
    ///
    /// # Errors
    /// Nothing of the batch lasts.
    pub(crate) fn apply(
        &mut self,
        mut inbox: Inbox,
        commit: Commit,
        threads: usize,
    ) -> Result<u64, RowsError> {
        let threads = threads.clamp(1, THREADS_MAX);
        let former = self.head()?;
        let mut shared = self.shared(threads)?;
        self.shared = None;
        let before = if former.is_some() { Some(self.before()?) } else { None };
        let removals = inbox.removals();
        if inbox.scope == Scope::Delta {
            self.tell_former_owners(before.as_ref(), &shared, &mut inbox)?;
        }
        let writer = self.database.begin_write().map_err(step("begin to write"))?;
        if former.is_none() {
            forget_all(&writer)?;
        }
        let changed = self.apply_shared(&writer, Arc::make_mut(&mut shared), inbox.shared, inbox.scope)?;
        let application = Application {
            store: self,
            before: before.as_ref(),
            shared: &shared,
            changed: &changed,
            removals: &removals,
            scope: inbox.scope,
        };
        let units = application.apply_units(&writer, inbox.units, threads)?;
        if let Some(batch) = &commit.batch {
            self.put_batch(&writer, batch)?;
        }
        let former = former.filter(|_| inbox.scope == Scope::Delta);
        let (kept, cursor, trust) =
            former.map_or_else(Default::default, |head| (head.supplied, head.cursor, head.trust));
        let head = Head {
            layout: LAYOUT,
            feed: self.feed.format().name().to_owned(),
            version: self.feed.version(),
            supplied: kept.into_iter().chain(commit.supplied).collect(),
            cursor: commit.cursor.or(cursor),
            trust,
        };
        self.put_head(&writer, &head)?;
        self.commit(writer)?;
        self.shared = Some(shared);
        Ok(units)
    }

    fn before(&self) -> Result<Before, RowsError> {
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        Ok(Before {
            units: reader.open_table(UNITS).map_err(step("open the rows"))?,
            versions: reader.open_table(VERSIONS).map_err(step("open the versions"))?,
            uses: reader.open_table(USES).map_err(step("open the looked-up rows"))?,
            keys: reader.open_table(KEYS).map_err(step("open the names of rows"))?,
        })
    }

    /// Tells everybody who holds a row that is somebody else's now to drop it.
    fn tell_former_owners(
        &self,
        before: Option<&Before>,
        shared: &SharedRows,
        inbox: &mut Inbox,
    ) -> Result<(), RowsError> {
        let owners = Owners::of(std::mem::take(&mut inbox.claims));
        if owners.is_empty() {
            return Ok(());
        }
        let last = Order { precedence: u64::MAX, file: u32::MAX, row: u64::MAX };
        let drop = |hash: RowHash| Change { order: last, step: Step::Drop(hash) }.encode(self.feed.tables());
        for (owner, hash) in owners.lost() {
            match owner {
                Owner::Unit(unit) => inbox.units.add(unit, drop(hash))?,
                Owner::Shared(chunk) => inbox.shared.add(in_chunk(chunk, hash), drop(hash))?,
                Owner::Nobody => {}
            }
        }
        for (hash, owner) in owners.rows() {
            if let Some(chunk) = shared.chunk_of(half(&hash))
                && owner != Owner::Shared(chunk)
            {
                inbox.shared.add(in_chunk(chunk, hash), drop(hash))?;
            }
        }
        let Some(before) = before else { return Ok(()) };
        for row in before.keys.iter().map_err(step("read the names of rows"))? {
            let (unit, keys) = row.map_err(step("read the names of rows"))?;
            let unit = unit.value();
            for hash in owners.not_of(unit, numbers(keys.value(), u32::from_le_bytes)) {
                inbox.units.add(unit, drop(hash))?;
            }
        }
        Ok(())
    }

    /// Applies the changes of shared rows; returns the names of those that changed.
    fn apply_shared(
        &self,
        writer: &WriteTransaction,
        shared: &mut SharedRows,
        changes: Spill,
        scope: Scope,
    ) -> Result<HashSet<u64>, RowsError> {
        let mut table = writer.open_table(SHARED).map_err(step("open the shared rows"))?;
        let mut all_changed = HashSet::new();
        let (partitions, key) = changes.into_partitions();
        for (number, partition) in (0..=u8::MAX).zip(partitions) {
            let values = partition.into_values(&key)?;
            if values.is_empty() && scope == Scope::Delta {
                continue;
            }
            let mut rows = match scope {
                Scope::Full => UnitRows::default(),
                Scope::Delta => shared.chunk(number).clone(),
            };
            for changes in values.into_values() {
                self.merge_shared(&mut rows, &changes)?;
            }
            let changed = shared.replace(number, rows, self.feed.tables());
            if changed.is_empty() {
                continue;
            }
            all_changed.extend(changed);
            let sealed = self.seal_chunk(number, shared.chunk(number))?;
            table.insert(u16::from(number), sealed.as_slice()).map_err(step("keep shared rows"))?;
        }
        if !all_changed.is_empty() {
            crash_step("rows: shared rows written");
        }
        Ok(all_changed)
    }

    /// Applies the changes of one shared row: the greatest of them, unless the row has another owner now.
    fn merge_shared(&self, rows: &mut UnitRows, changes: &[Vec<u8>]) -> Result<(), RowsError> {
        let changes = self.decode(changes)?;
        let dropped: HashSet<RowHash> = changes
            .iter()
            .filter_map(|change| if let Step::Drop(hash) = change.step { Some(hash) } else { None })
            .collect();
        let last = changes.into_iter().filter(|change| !matches!(change.step, Step::Drop(_)));
        match last.max_by_key(|change| change.order).map(|change| change.step) {
            Some(Step::Put { table, key, values, .. }) => {
                rows.put(table, &key, values);
            }
            Some(Step::Remove { table, key }) => {
                rows.remove(table.name, &key);
            }
            Some(Step::RemoveUnit { .. } | Step::Drop(_)) | None => {}
        }
        drop_rows(rows, &dropped, &self.hasher);
        Ok(())
    }

    fn decode(&self, changes: &[Vec<u8>]) -> Result<Vec<Change>, RowsError> {
        let decode = |bytes: &Vec<u8>| {
            Change::decode(self.feed.tables(), bytes).ok_or(RowsError::Value { what: "a waiting change" })
        };
        changes.iter().map(decode).collect()
    }

    /// Opens an owner's rows.
    pub(super) fn open_unit(&self, key: &UnitKey, sealed: &[u8]) -> Result<(Unit, UnitRows), RowsError> {
        open_unit(&self.host, key, sealed)
    }

    fn seal_unit(&self, key: &UnitKey, unit: &Unit, encoded: &[u8]) -> Result<Vec<u8>, RowsError> {
        let mut plain = Vec::with_capacity(encoded.len() + 64);
        put_unit(&mut plain, unit);
        plain.extend_from_slice(encoded);
        Ok(self.host.seal(key, &pack(&plain)?)?)
    }

    /// Finds out again which shared rows everybody looks up, after the feed's tables changed with the program.
    pub(super) fn refresh(&mut self, threads: usize) -> Result<(), RowsError> {
        let threads = threads.clamp(1, THREADS_MAX);
        let Some(head) = self.head()? else { return Ok(()) };
        let shared = self.shared(threads)?;
        let before = self.before()?;
        let writer = self.database.begin_write().map_err(step("begin to write"))?;
        let application = Application {
            store: self,
            before: Some(&before),
            shared: &shared,
            changed: &HashSet::new(),
            removals: &Removals::new(),
            scope: Scope::Delta,
        };
        let mut all = Vec::new();
        for row in before.versions.iter().map_err(step("read the versions"))? {
            all.push(row.map_err(step("read a version"))?.0.value());
        }
        {
            let mut tables = UnitTables::open(&writer)?;
            application.look_again(&all, &mut tables, threads)?;
        }
        self.put_head(&writer, &Head { version: self.feed.version(), ..head })?;
        self.commit(writer)
    }
}

/// Empties the tables of what is not this feed's.
fn forget_all(writer: &WriteTransaction) -> Result<(), RowsError> {
    for table in [UNITS, USES, KEYS, BATCHES] {
        writer.delete_table(table).map_err(step("empty a table"))?;
        writer.open_table(table).map_err(step("make a table"))?;
    }
    writer.delete_table(VERSIONS).map_err(step("empty a table"))?;
    writer.open_table(VERSIONS).map_err(step("make a table"))?;
    writer.delete_table(SHARED).map_err(step("empty a table"))?;
    writer.open_table(SHARED).map_err(step("make a table"))?;
    Ok(())
}

/// Opens an owner's rows.
pub(super) fn open_unit(
    host: &crate::engine::host_key::HostKey,
    key: &UnitKey,
    sealed: &[u8],
) -> Result<(Unit, UnitRows), RowsError> {
    let damaged = || RowsError::Value { what: "an owner's rows" };
    let plain = unpack(&host.open(key, sealed)?)?;
    let mut rest = plain.as_slice();
    let unit = take_unit(&mut rest).ok_or_else(damaged)?;
    Ok((unit, UnitRows::decode(rest).ok_or_else(damaged)?))
}

impl Application<'_> {
    /// Applies the changes of all owners' rows; returns for how many something changed.
    fn apply_units(
        &self,
        writer: &WriteTransaction,
        changes: Spill,
        threads: usize,
    ) -> Result<u64, RowsError> {
        let mut tables = UnitTables::open(writer)?;
        let mut seen: HashSet<UnitKey> = HashSet::new();
        let mut changed = 0;
        let (partitions, key) = changes.into_partitions();
        let work = |partition: Partition| {
            let mut outcomes = Vec::new();
            for (unit, changes) in partition.into_values(&key)? {
                outcomes.push((unit, self.apply_unit(&unit, &changes)?));
            }
            Ok::<_, RowsError>(outcomes)
        };
        in_parallel(partitions.into_iter(), threads, work, |outcomes| {
            if !outcomes.is_empty() {
                crash_step("rows: owners' rows written");
            }
            for (unit, outcome) in outcomes {
                seen.insert(unit);
                changed += u64::from(tables.write(&unit, outcome)?);
            }
            Ok(())
        })?;
        let others = self.others(&seen)?;
        match self.scope {
            Scope::Full => {
                for unit in &others {
                    changed += u64::from(tables.write(unit, Outcome::Gone)?);
                }
            }
            Scope::Delta => changed += self.look_again(&others, &mut tables, threads)?,
        }
        Ok(changed)
    }

    fn apply_unit(&self, key: &UnitKey, changes: &[Vec<u8>]) -> Result<Outcome, RowsError> {
        let changes = self.store.decode(changes)?;
        let stored = self.stored_version(key)?;
        let named = changes.iter().find_map(|change| match &change.step {
            Step::Put { unit, .. } => Some(unit.clone()),
            _ => None,
        });
        let (unit, mut rows) = match (self.scope, stored) {
            (Scope::Delta, Some(_)) => {
                self.stored_unit(key)?.map_or((named, UnitRows::default()), |(unit, rows)| (Some(unit), rows))
            }
            _ => (named, UnitRows::default()),
        };
        merge(&mut rows, changes, self.removals, &self.store.hasher);
        let (Some(unit), false) = (unit, rows.is_empty()) else {
            return Ok(if stored.is_some() { Outcome::Gone } else { Outcome::Same });
        };
        let encoded = rows.encode();
        let digest = self.store.hasher.digest(&encoded);
        if stored.is_some_and(|stored| stored[..16] == digest) {
            return if self.is_affected(key)? { Ok(self.looks(&digest, &rows)) } else { Ok(Outcome::Same) };
        }
        let (version, uses) = self.version(&digest, &rows);
        let keys = own_keys(&rows, &self.store.hasher);
        let sealed = self.store.seal_unit(key, &unit, &encoded)?;
        Ok(Outcome::Put { sealed, version, uses, keys })
    }

    fn stored_version(&self, key: &UnitKey) -> Result<Option<[u8; 32]>, RowsError> {
        let Some(before) = self.before else { return Ok(None) };
        Ok(before.versions.get(key).map_err(step("read a version"))?.map(|kept| kept.value()))
    }

    fn stored_unit(&self, key: &UnitKey) -> Result<Option<(Unit, UnitRows)>, RowsError> {
        let Some(before) = self.before else { return Ok(None) };
        let sealed = before.units.get(key).map_err(step("read an owner's rows"))?;
        sealed.map(|sealed| self.store.open_unit(key, sealed.value())).transpose()
    }

    fn looks(&self, digest: &[u8; 16], rows: &UnitRows) -> Outcome {
        let (version, uses) = self.version(digest, rows);
        Outcome::Looks { version, uses }
    }

    fn version(&self, digest: &[u8; 16], rows: &UnitRows) -> ([u8; 32], Vec<u64>) {
        let uses = self.shared.looked_up_by(rows, self.store.feed.tables());
        let mut version = [0; 32];
        version[..16].copy_from_slice(digest);
        version[16..].copy_from_slice(&self.shared.digest(&uses));
        (version, uses)
    }

    /// Whether an owner's rows look up a shared row that the batch changed.
    fn is_affected(&self, key: &UnitKey) -> Result<bool, RowsError> {
        let Some(before) = self.before.filter(|_| !self.changed.is_empty()) else { return Ok(false) };
        let uses = before.uses.get(key).map_err(step("read the looked-up rows"))?;
        Ok(uses.is_some_and(|uses| {
            numbers(uses.value(), u64::from_le_bytes).any(|name| self.changed.contains(&name))
        }))
    }

    /// Owners of whom the batch said nothing: in a full one all of them, else those who look up what it changed.
    fn others(&self, seen: &HashSet<UnitKey>) -> Result<Vec<UnitKey>, RowsError> {
        let mut others = Vec::new();
        if self.scope == Scope::Delta && self.changed.is_empty() {
            return Ok(others);
        }
        let Some(before) = self.before else { return Ok(others) };
        for row in before.versions.iter().map_err(step("read the versions"))? {
            let key = row.map_err(step("read a version"))?.0.value();
            if !seen.contains(&key) && (self.scope == Scope::Full || self.is_affected(&key)?) {
                others.push(key);
            }
        }
        Ok(others)
    }

    /// Finds out again what these owners look up and what it says; returns for how many that changed.
    fn look_again(
        &self,
        keys: &[UnitKey],
        tables: &mut UnitTables<'_>,
        threads: usize,
    ) -> Result<u64, RowsError> {
        let mut changed = 0;
        let work = |keys: &[UnitKey]| {
            let mut outcomes = Vec::new();
            for key in keys {
                if let Some((_, rows)) = self.stored_unit(key)? {
                    let digest = self.store.hasher.digest(&rows.encode());
                    outcomes.push((*key, self.looks(&digest, &rows)));
                }
            }
            Ok::<_, RowsError>(outcomes)
        };
        in_parallel(keys.chunks(UNITS_AT_ONCE), threads, work, |outcomes| {
            for (key, outcome) in outcomes {
                changed += u64::from(tables.write(&key, outcome)?);
            }
            Ok(())
        })?;
        Ok(changed)
    }
}

impl<'a> UnitTables<'a> {
    fn open(writer: &'a WriteTransaction) -> Result<Self, RowsError> {
        Ok(Self {
            units: writer.open_table(UNITS).map_err(step("open the rows"))?,
            versions: writer.open_table(VERSIONS).map_err(step("open the versions"))?,
            uses: writer.open_table(USES).map_err(step("open the looked-up rows"))?,
            keys: writer.open_table(KEYS).map_err(step("open the names of rows"))?,
        })
    }

    /// Writes what becomes of one owner's rows; says whether anything does.
    fn write(&mut self, key: &UnitKey, outcome: Outcome) -> Result<bool, RowsError> {
        match outcome {
            Outcome::Same => return Ok(false),
            Outcome::Looks { version, uses } => {
                self.versions.insert(key, version).map_err(step("keep a version"))?;
                let uses: Vec<u8> = uses.iter().flat_map(|name| name.to_le_bytes()).collect();
                self.uses.insert(key, uses.as_slice()).map_err(step("keep the looked-up rows"))?;
            }
            Outcome::Put { sealed, version, uses, keys } => {
                self.units.insert(key, sealed.as_slice()).map_err(step("keep an owner's rows"))?;
                let keys: Vec<u8> = keys.iter().flat_map(|name| name.to_le_bytes()).collect();
                self.keys.insert(key, keys.as_slice()).map_err(step("keep the names of rows"))?;
                self.write(key, Outcome::Looks { version, uses })?;
            }
            Outcome::Gone => {
                self.units.remove(key).map_err(step("forget an owner's rows"))?;
                self.versions.remove(key).map_err(step("forget a version"))?;
                self.uses.remove(key).map_err(step("forget the looked-up rows"))?;
                self.keys.remove(key).map_err(step("forget the names of rows"))?;
            }
        }
        Ok(true)
    }
}

/// Reads numbers that lie one after the other.
fn numbers<const WIDTH: usize, T>(bytes: &[u8], read: fn([u8; WIDTH]) -> T) -> impl Iterator<Item = T> {
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    chunks.iter().map(move |chunk| read(*chunk))
}

/// Works on jobs with several threads and hands what comes of them to `collect`, on this one.
pub(crate) fn in_parallel<J: Send, R: Send, E: Send>(
    jobs: impl Iterator<Item = J> + Send,
    threads: usize,
    work: impl Fn(J) -> Result<R, E> + Sync,
    mut collect: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let jobs = Mutex::new(jobs);
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (sender, results) = bounded(threads.max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some(job) = next() {
                    if sender.send(work(job)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let outcome = results.iter().try_for_each(|result| collect(result?));
        // Whoever still works is let go: nobody waits for more.
        drop(results);
        outcome
    })
}

/// A worker's panic is a bug and goes on in the caller.
pub(super) fn rejoin<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
