//! Batches of a table feed, from the source's files into the kept rows.
//!
//! Which batches apply is decided first, from their names and from the ledger of those that were applied; then each is read
//! by all cores and applied whole. A batch that does not apply is reported, and what is kept stays as it was.

use super::input::{IsNote, Remark};
use super::report::{Progress, RefusedBatch, Stage, UnreadableInput};
use super::rows::{AppliedBatch, Commit, Inbox, Order, Routed, Router, RowStore, Scope};
use super::source::{FileOpener, Heads, Listing, SourceError, SourceFile};
use super::state::FullBatch;
use super::survey::Digester;
use super::{EngineError, rows::RowsError};
use crossbeam_channel::{Sender, bounded};
use lifeboat_feeds::archive::{ArchiveLimits, unpack};
use lifeboat_feeds::batch::{
    self, Apply, Batch, BatchKind, BatchPlan, Decision, FoundBatch, Refusal, plan_batches,
};
use lifeboat_feeds::table::{TableLimits, TableReader};
use lifeboat_feeds::{Place, Problem, Reason, TableFeed, feed};
use lifeboat_replica::crash_step;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows that travel together from a reader.
const ROWS_AT_ONCE: usize = 512;
/// Bunches of rows under way per reader.
const BUNCHES_PER_READER: usize = 4;
/// Kinds of problems of one batch that are kept; more of them say no more.
const PROBLEMS_MAX: usize = 1_000;

/// Files beside the batches that are named.
const STRAYS_MAX: usize = 100;

/// What is kept of earlier batches, as far as the rest of the state knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing: the first batch may be taken for everything.
    Nothing,
    /// Rows; where they are lost, only a batch that says that it is full can bring them back, or all that had made them.
    Rows,
}

/// The batches of one source folder and where they go.
pub(crate) struct Batches<'a> {
    pub(crate) root: &'a Path,
    pub(crate) listing: &'a Listing,
    pub(crate) store: &'a mut RowStore,
    pub(crate) digester: Digester,
    pub(crate) threads: usize,
    pub(crate) progress: &'a dyn Progress,
}

/// What became of the batches of a source.
pub(crate) struct Taken {
    pub(crate) refused: Vec<RefusedBatch>,
    pub(crate) remarks: Vec<Remark>,
}

impl Batches<'_> {
    /// Applies every batch that can be.
    ///
    /// # Errors
    /// A batch cannot be read; kept rows cannot be written; rows are lost and the source cannot bring them back.
    pub(crate) fn take(
        &mut self,
        expected: Expected,
        former: Option<&FullBatch>,
    ) -> Result<Taken, EngineError> {
        let applied = self.store.applied()?;
        let batches = self.store.feed().batches(&self.listing.facts(), &Heads::of(self.listing));
        let strays = self.strays(&batches);
        let plan = self.plan(&applied, batches)?;
        let remarks = strays
            .into_iter()
            .chain(plan.steps.iter().flat_map(|step| remarks_of(&step.batch, &step.decision)))
            .collect();
        let steps: Vec<(&Batch, Apply)> = plan.to_apply().map(|(step, apply)| (&step.batch, apply)).collect();
        // What lies before the last full one says nothing that it does not say.
        let from = steps.iter().rposition(|(_, apply)| *apply != Apply::Follow).unwrap_or(0);
        let steps = &steps[from..];
        if expected == Expected::Rows && applied.is_empty() && !brings_back(steps, former) {
            return Err(EngineError::RowsLost { damaged: self.store.was_damaged() });
        }
        let bytes = steps.iter().flat_map(|(batch, _)| &batch.tables);
        let bytes = bytes.filter_map(|table| Some(self.listing.files.get(table.file)?.bytes())).sum();
        if !steps.is_empty() {
            self.progress.stage(Stage::Intake, Some(bytes));
        }
        for (batch, apply) in steps {
            let scope = if *apply == Apply::Follow { Scope::Delta } else { Scope::Full };
            self.apply(batch, scope)?;
        }
        let refused = refused(&plan, &applied);
        if self.store.applied()?.is_empty() {
            if expected == Expected::Rows {
                return Err(EngineError::RowsLost { damaged: self.store.was_damaged() });
            }
            return Err(EngineError::NoBatch { path: self.root.to_owned(), refused });
        }
        Ok(Taken { refused, remarks })
    }

    /// Files that belong to no batch, the first of them.
    fn strays(&self, batches: &[Batch]) -> Vec<Remark> {
        let mut is_stray = vec![true; self.listing.files.len()];
        let tables = batches.iter().flat_map(|batch| &batch.tables);
        tables.for_each(|table| is_stray[table.file] = false);
        // What a batch says of a file of its own is said there.
        let named: BTreeSet<&str> =
            batches.iter().flat_map(|batch| &batch.problems).map(|problem| problem.file.as_str()).collect();
        let strays = self
            .listing
            .files
            .iter()
            .zip(is_stray)
            .filter(|(file, is_stray)| *is_stray && !named.contains(file.relative.as_str()));
        let reason = "belongs to no batch of this feed; it is not read";
        strays
            .take(STRAYS_MAX)
            .map(|(file, _)| {
                let input = UnreadableInput {
                    file: file.relative.clone(),
                    line: None,
                    reason: reason.to_owned(),
                    times: 1,
                };
                Remark { is_note: IsNote::Yes, input }
            })
            .collect()
    }

    fn plan(&self, applied: &[AppliedBatch], batches: Vec<Batch>) -> Result<BatchPlan, EngineError> {
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        batches.iter().for_each(|batch| *names.entry(batch.name.clone()).or_default() += 1);
        let mut found = Vec::new();
        for batch in batches {
            let known = applied.iter().find(|known| known.name == batch.name);
            let digest = match known {
                Some(known) if known.stamp == self.stamp(&batch) => Some(hex(&known.content)),
                Some(_) => Some(hex(&self.content(&batch)?)),
                None if names.get(&batch.name).is_some_and(|count| *count > 1) => {
                    Some(hex(&self.content(&batch)?))
                }
                None => None,
            };
            found.push(FoundBatch { batch, digest });
        }
        let applied: Vec<batch::AppliedBatch> = applied
            .iter()
            .map(|batch| batch::AppliedBatch {
                name: batch.name.clone(),
                order: batch.order.clone(),
                until: batch.until.clone(),
                practice: batch.practice.clone(),
                digest: Some(hex(&batch.content)),
            })
            .collect();
        Ok(plan_batches(&applied, found))
    }

    fn files<'b>(&'b self, batch: &'b Batch) -> impl Iterator<Item = (&'static str, &'b SourceFile)> {
        batch.tables.iter().filter_map(|table| Some((table.table, self.listing.files.get(table.file)?)))
    }

    /// Tells a batch from another one of its name without reading it.
    fn stamp(&self, batch: &Batch) -> [u8; 16] {
        let mut marks: Vec<String> = self.files(batch).map(|(_, file)| file.mark()).collect();
        marks.sort();
        self.digester.digest(marks.concat().as_bytes())
    }

    /// Tells a batch from another one of its name by all that is in it.
    fn content(&self, batch: &Batch) -> Result<[u8; 16], EngineError> {
        let mut opener = FileOpener::default();
        let mut digests = Vec::new();
        for (table, file) in self.files(batch) {
            let mut hash = blake3::Hasher::new();
            opener
                .open(file)
                .and_then(|mut opened| {
                    io::copy(&mut opened, &mut hash).map_err(|error| error.kind().to_string())
                })
                .map_err(|reason| EngineError::Batch { batch: batch.name.clone(), reason })?;
            digests.push((table, *hash.finalize().as_bytes()));
        }
        Ok(self.digest_of(digests))
    }

    fn digest_of(&self, mut digests: Vec<(&'static str, [u8; 32])>) -> [u8; 16] {
        digests.sort_unstable();
        let bytes: Vec<u8> =
            digests.iter().flat_map(|(table, digest)| [table.as_bytes(), b"\0", digest].concat()).collect();
        self.digester.digest(&bytes)
    }

    /// Reads a batch and applies it whole.
    fn apply(&mut self, batch: &Batch, scope: Scope) -> Result<(), EngineError> {
        let mut inbox = Inbox::new(scope)?;
        let read = self.read(batch, scope, &mut inbox)?;
        if !self.listing.is_unchanged() {
            return Err(SourceError::Moved { path: self.root.to_owned() }.into());
        }
        let remarks = batch
            .problems
            .iter()
            .map(|problem| Remark::of_feed(place_of(batch, problem), problem.row, problem));
        let entry = AppliedBatch {
            name: batch.name.clone(),
            order: batch.order.clone(),
            full: scope == Scope::Full,
            until: batch.until.clone(),
            practice: batch.practice.clone(),
            exported: batch.exported,
            content: self.digest_of(read.iter().map(|table| (table.table, table.digest)).collect()),
            stamp: self.stamp(batch),
            rows: read.iter().map(|table| table.rows).sum(),
            problems: counted(remarks.chain(read.iter().flat_map(|table| table.remarks.iter().cloned()))),
        };
        let unread: BTreeSet<&str> =
            read.iter().filter(|table| !table.opened).map(|table| table.table).collect();
        let supplied = read.iter().map(|table| table.table).filter(|table| !unread.contains(table));
        let commit =
            Commit { batch: Some(entry), supplied: supplied.map(str::to_owned).collect(), cursor: None };
        crash_step("rows: batch read");
        self.store.apply(inbox, commit, self.threads)?;
        Ok(())
    }

    /// Says why a table's changes would be lost for good: without a full batch nobody sends them again, and what is kept
    /// of the table would pass for all that there is.
    fn lost_changes(&self, table: &TableRead, kind: Scope) -> Option<String> {
        let is_kept =
            feed::table(self.store.feed(), table.table).is_some_and(|spec| spec.place != Place::NotKept);
        let is_lost = kind == Scope::Delta && !table.opened && is_kept;
        let why = table.remarks.first().map_or("it is not understood", |remark| &remark.input.reason);
        is_lost.then(|| format!("{}: {why}", table.table))
    }

    /// Reads all files of a batch, several at once.
    fn read(&self, batch: &Batch, kind: Scope, inbox: &mut Inbox) -> Result<Vec<TableRead>, EngineError> {
        let router = self.store.router(kind);
        let next = AtomicUsize::new(0);
        let readers = self.threads.clamp(1, batch.tables.len().max(1));
        let (sender, messages) = bounded(readers * BUNCHES_PER_READER);
        let read: Result<Vec<TableRead>, EngineError> = std::thread::scope(|scope| {
            for _ in 0..readers {
                let (sender, router, next) = (sender.clone(), &router, &next);
                scope.spawn(move || {
                    let mut opener = FileOpener::default();
                    while let Some(table) = batch.tables.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(file) = self.listing.files.get(table.file) else { continue };
                        let mut reading = Reading {
                            feed: self.store.feed(),
                            router,
                            sender: &sender,
                            number: u32::try_from(table.file).unwrap_or(u32::MAX),
                            file,
                        };
                        let done = reading.read(table.table, &mut opener);
                        if done.is_some_and(|done| sender.send(Message::Read(done)).is_err()) {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut read = Vec::new();
            let mut take = |message| match message {
                Message::Rows(rows, bytes) => {
                    self.progress.advance(bytes);
                    rows.into_iter().try_for_each(|routed| inbox.take(routed)).map_err(EngineError::from)
                }
                Message::Failed(error) => Err(error.into()),
                Message::Read(table) => {
                    read.push(table);
                    Ok(())
                }
            };
            let outcome = messages.iter().try_for_each(&mut take);
            // Whoever still reads is let go: nobody waits for more.
            drop(messages);
            outcome.map(|()| read)
        });
        let read = read?;
        let failure = |table: &TableRead| table.failure.clone().or_else(|| self.lost_changes(table, kind));
        match read.iter().find_map(failure) {
            Some(reason) => Err(EngineError::Batch { batch: batch.name.clone(), reason }),
            None => Ok(read),
        }
    }
}

/// Whether batches bring lost rows back: from a full one that is new on, or all of those that had made them.
///
/// Not every feed says what a batch follows, so that one that is missing in between would not be noticed otherwise.
fn brings_back(steps: &[(&Batch, Apply)], former: Option<&FullBatch>) -> bool {
    let Some((first, _)) = steps.first() else { return false };
    match former.filter(|former| former.name == first.name) {
        Some(former) => {
            former.followers.iter().all(|name| steps.iter().any(|(batch, _)| batch.name == *name))
        }
        None => first.kind == BatchKind::Full,
    }
}

/// What comes from a reader.
enum Message {
    /// Rows, and how many bytes of them were read.
    Rows(Vec<Routed>, u64),
    /// A row could not be kept.
    Failed(RowsError),
    /// A file is done.
    Read(TableRead),
}

/// What one file came to.
struct TableRead {
    table: &'static str,
    /// Whether its columns were understood.
    opened: bool,
    rows: u64,
    digest: [u8; 32],
    remarks: Vec<Remark>,
    /// Why it could not be read at all, so that the batch must wait.
    failure: Option<String>,
}

/// One file being read.
struct Reading<'a> {
    feed: &'static dyn TableFeed,
    router: &'a Router,
    sender: &'a Sender<Message>,
    number: u32,
    file: &'a SourceFile,
}

/// Digests and counts what passes.
struct Hashing<R> {
    inner: R,
    hash: blake3::Hasher,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.hash.update(&into[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

impl Reading<'_> {
    /// Reads the file; nothing once nobody listens.
    fn read(&mut self, table: &'static str, opener: &mut FileOpener) -> Option<TableRead> {
        let mut done =
            TableRead { table, opened: false, rows: 0, digest: [0; 32], remarks: Vec::new(), failure: None };
        let opened = match opener.open(self.file) {
            Ok(opened) => opened,
            Err(reason) => return Some(TableRead { failure: Some(reason), ..done }),
        };
        let mut hashing = Hashing { inner: opened, hash: blake3::Hasher::new(), bytes: 0 };
        if let Err(problem) = self.read_rows(table, &mut hashing, &mut done)? {
            match &problem.reason {
                Reason::Unreadable(reason) => done.failure = Some(reason.clone()),
                _ => done.remarks.push(self.remark(&problem)),
            }
        }
        if let Err(error) = io::copy(&mut hashing, &mut io::sink()) {
            done.failure = Some(error.kind().to_string());
        }
        done.digest = *hashing.hash.finalize().as_bytes();
        Some(done)
    }

    fn remark(&self, problem: &Problem) -> Remark {
        Remark::of_feed(&self.file.relative, problem.row, problem)
    }

    /// Hands on every row; the problem is one of the whole file.
    fn read_rows<R: Read>(
        &mut self,
        table: &'static str,
        hashing: &mut Hashing<R>,
        done: &mut TableRead,
    ) -> Option<Result<(), Problem>> {
        let Some(spec) = feed::table(self.feed, table) else {
            return Some(Err(Problem::whole(Reason::UnknownTable)));
        };
        let counted = std::cell::Cell::new(0);
        let unpacked = match unpack(Passing { inner: hashing, counted: &counted }, ArchiveLimits::default()) {
            Ok(unpacked) => unpacked,
            Err(problem) => return Some(Err(problem)),
        };
        let opened = TableReader::open(unpacked, spec, self.feed.dialect(spec), TableLimits::default());
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(problem) => return Some(Err(problem)),
        };
        done.opened = true;
        let mut bunch = Vec::with_capacity(ROWS_AT_ONCE);
        while let Some(row) = reader.next() {
            let values = match row {
                Ok(values) => values,
                Err(problem) if matches!(problem.reason, Reason::Unreadable(_)) => return Some(Err(problem)),
                Err(problem) => {
                    done.remarks.push(self.remark(&problem));
                    continue;
                }
            };
            done.rows += 1;
            let row = reader.row_number();
            let order = Order { precedence: self.feed.precedence(spec, &values), file: self.number, row };
            match self.feed.change(spec, values) {
                Ok(change) => {
                    if let Err(error) = self.router.route(order, Some(spec), change, &mut bunch) {
                        return self.sender.send(Message::Failed(error)).ok().map(|()| Ok(()));
                    }
                }
                Err((column, reason)) => {
                    let column = column.map(str::to_owned);
                    done.remarks.push(self.remark(&Problem {
                        row: Some(row),
                        column,
                        ..Problem::whole(reason)
                    }));
                }
            }
            if bunch.len() >= ROWS_AT_ONCE {
                self.sender.send(Message::Rows(std::mem::take(&mut bunch), counted.take())).ok()?;
            }
            if done.remarks.len() > PROBLEMS_MAX {
                done.remarks = counted_remarks(std::mem::take(&mut done.remarks));
            }
        }
        done.remarks.extend(reader.notes().iter().map(|note| self.remark(note)));
        self.sender.send(Message::Rows(bunch, counted.take())).ok()?;
        Some(Ok(()))
    }
}

/// Counts bytes as they pass, for the progress.
struct Passing<'a, R> {
    inner: &'a mut R,
    counted: &'a std::cell::Cell<u64>,
}

impl<R: Read> Read for Passing<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.counted.set(self.counted.get() + count as u64);
        Ok(count)
    }
}

/// Brings remarks that differ only in their rows together, with the first row and how many there are.
fn counted(remarks: impl Iterator<Item = Remark>) -> Vec<(UnreadableInput, IsNote)> {
    let mut kinds: BTreeMap<(IsNote, String, String), (Option<u64>, u64)> = BTreeMap::new();
    for Remark { is_note, input } in remarks {
        let room = kinds.len() < PROBLEMS_MAX;
        let key = (is_note, input.file, input.reason);
        match kinds.get_mut(&key) {
            Some((line, times)) => {
                *line = (*line).min(input.line).or(*line).or(input.line);
                *times += input.times;
            }
            None if room => {
                kinds.insert(key, (input.line, input.times));
            }
            None => {
                let more = (is_note, String::new(), "more, of other kinds".to_owned());
                kinds.entry(more).or_insert((None, 0)).1 += input.times;
            }
        }
    }
    kinds
        .into_iter()
        .map(|((is_note, file, reason), (line, times))| {
            (UnreadableInput { file, line, reason, times }, is_note)
        })
        .collect()
}

fn counted_remarks(remarks: Vec<Remark>) -> Vec<Remark> {
    counted(remarks.into_iter()).into_iter().map(|(input, is_note)| Remark { is_note, input }).collect()
}

/// What is worth saying of a batch that is not applied for reasons of its own; of one that is, the ledger says it.
///
/// They are notes: nothing of the batch is in the snapshot, so nothing of the snapshot is lost, and the refusal says the rest.
fn remarks_of(batch: &Batch, decision: &Decision) -> Vec<Remark> {
    match decision {
        Decision::Refused(Refusal::Unusable(_)) => batch
            .problems
            .iter()
            .map(|problem| Remark::of_feed(place_of(batch, problem), problem.row, problem))
            .map(|remark| Remark { is_note: IsNote::Yes, ..remark })
            .collect(),
        _ => Vec::new(),
    }
}

/// Names the file of a problem, or the batch where it lies in no file.
fn place_of<'a>(batch: &'a Batch, problem: &'a Problem) -> &'a str {
    if problem.file.is_empty() { &batch.name } else { &problem.file }
}

/// The refusals that anybody need know of: what lies before the newest full batch is in that one.
fn refused(plan: &BatchPlan, applied: &[AppliedBatch]) -> Vec<RefusedBatch> {
    let before = applied.iter().filter(|batch| batch.full).map(|batch| batch.order.as_str());
    let now = plan
        .to_apply()
        .filter(|(_, apply)| *apply != Apply::Follow)
        .map(|(step, _)| step.batch.order.as_str());
    let newest_full = before.chain(now).max();
    let is_behind = |order: &str| newest_full.is_some_and(|full| order < full);
    plan.steps
        .iter()
        .filter_map(|step| match &step.decision {
            Decision::Refused(refusal) => {
                let is_covered = !matches!(
                    refusal,
                    Refusal::OtherContent | Refusal::OtherPractice { .. } | Refusal::SeveralPractices { .. }
                );
                let covered = is_covered && is_behind(&step.batch.order);
                (!covered)
                    .then(|| RefusedBatch { name: step.batch.name.clone(), reason: refusal.to_string() })
            }
            _ => None,
        })
        .collect()
}

fn hex(digest: &[u8; 16]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
