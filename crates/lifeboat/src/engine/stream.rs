//! Every document of a source, read once in order and worked on by all cores.
//!
//! One thread reads, because disks and decompressors like it so; documents travel in small batches
//! over a bounded channel to the workers, whose results come back to the caller's thread. Memory is
//! bounded by the number of batches under way.

use super::report::UnreadableInput;
use super::source::SourceFile;
use crossbeam_channel::{Receiver, Sender, bounded};
use lifeboat_clinical::document::{DocumentReader, Limits};
use lifeboat_clinical::problem::{Place, Problem};
use std::sync::atomic::{AtomicBool, Ordering};

/// Documents of one batch.
const BATCH_DOCUMENTS_MAX: usize = 64;
/// Bytes after which a batch is sent on.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches under way per worker.
const BATCHES_PER_WORKER: usize = 2;
/// Results under way per worker.
const RESULTS_PER_WORKER: usize = 64;

/// One document as it stands in the source.
pub(crate) struct Document<'a> {
    pub(crate) file: &'a SourceFile,
    pub(crate) place: Place,
    pub(crate) bytes: &'a [u8],
}

impl Document<'_> {
    /// Names a problem of this document for the report.
    pub(crate) fn unreadable(&self, problem: &Problem) -> UnreadableInput {
        UnreadableInput::of(&self.file.relative, &problem.clone().within(self.place))
    }
}

/// What a worker does with documents.
pub(crate) trait Work: Sync {
    /// What one worker gathers over its documents.
    type State: Send;
    /// What travels back for each document.
    type Product: Send;
    /// Starts a worker.
    fn start(&self) -> Self::State;
    /// Works on one document; products go through `emit`, which says `false` once nobody listens.
    fn document(
        &self,
        state: &mut Self::State,
        document: &Document<'_>,
        emit: &mut dyn FnMut(Self::Product) -> bool,
    );
}

/// What came of reading all documents.
pub(crate) struct Streamed<S> {
    /// The workers' states.
    pub(crate) states: Vec<S>,
    /// Documents read.
    pub(crate) documents: u64,
    /// Inputs that are no documents.
    pub(crate) unreadable: Vec<UnreadableInput>,
}

#[derive(Default)]
struct Batch {
    /// For each document the number of its file, its place there and its length.
    documents: Vec<(usize, Place, usize)>,
    bytes: Vec<u8>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.documents.len() >= BATCH_DOCUMENTS_MAX
    }
}

/// Reads every document of `files`, works on it with `workers` threads and hands the products to `collect`.
///
/// # Errors
/// The first error of `collect`, after which the rest is abandoned.
pub(crate) fn stream<W: Work, E>(
    files: &[SourceFile],
    workers: usize,
    work: &W,
    read_bytes: &(dyn Fn(u64) + Sync),
    mut collect: impl FnMut(W::Product) -> Result<(), E>,
) -> Result<Streamed<W::State>, E> {
    let workers = workers.max(1);
    let abandoned = AtomicBool::new(false);
    let (batch_sender, batches) = bounded(workers * BATCHES_PER_WORKER);
    let (product_sender, products) = bounded(workers * RESULTS_PER_WORKER);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_all(files, batch_sender, &abandoned, read_bytes));
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let (batches, products) = (batches.clone(), product_sender.clone());
                scope.spawn(move || work_on(files, work, &batches, &products))
            })
            .collect();
        drop((batches, product_sender));
        let mut outcome = Ok(());
        for product in &products {
            outcome = collect(product);
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_err() {
            abandoned.store(true, Ordering::Relaxed);
        }
        drop(products);
        let states = running.into_iter().map(rejoin).collect();
        let (documents, unreadable) = rejoin(reader);
        outcome.map(|()| Streamed { states, documents, unreadable })
    })
}

/// A worker's panic is a bug and goes on in the caller.
fn rejoin<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn work_on<W: Work>(
    files: &[SourceFile],
    work: &W,
    batches: &Receiver<Batch>,
    products: &Sender<W::Product>,
) -> W::State {
    let mut state = work.start();
    for batch in batches {
        let mut rest = batch.bytes.as_slice();
        for (file, place, length) in batch.documents {
            let (bytes, after) = rest.split_at(length);
            rest = after;
            let document = Document { file: &files[file], place, bytes };
            work.document(&mut state, &document, &mut |product| products.send(product).is_ok());
        }
    }
    state
}

fn read_all(
    files: &[SourceFile],
    batches: Sender<Batch>,
    abandoned: &AtomicBool,
    read_bytes: &(dyn Fn(u64) + Sync),
) -> (u64, Vec<UnreadableInput>) {
    let mut documents = 0;
    let mut unreadable = Vec::new();
    let mut document = Vec::new();
    let mut batch = Batch::default();
    let send = |batch: &mut Batch| {
        let batch = std::mem::take(batch);
        read_bytes(batch.bytes.len() as u64);
        !abandoned.load(Ordering::Relaxed) && batches.send(batch).is_ok()
    };
    for (index, file) in files.iter().enumerate() {
        let opened = match file.open() {
            Ok(opened) => opened,
            Err(error) => {
                let reason = format!("the file cannot be opened ({})", error.kind());
                unreadable.push(UnreadableInput { file: file.relative.clone(), line: None, reason });
                continue;
            }
        };
        let mut reader = DocumentReader::new(opened, Limits::default());
        while let Some(next) = reader.next(&mut document) {
            match next {
                Ok(place) => {
                    documents += 1;
                    batch.documents.push((index, place, document.len()));
                    batch.bytes.extend_from_slice(&document);
                }
                Err(problem) => unreadable.push(UnreadableInput::of(&file.relative, &problem)),
            }
            if batch.is_full() && !send(&mut batch) {
                return (documents, unreadable);
            }
        }
    }
    send(&mut batch);
    (documents, unreadable)
}
