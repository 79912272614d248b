//! Every document of a source, read once in order and worked on by all cores.
//!
//! One thread reads, because disks and decompressors like it so; documents travel in small batches
//! over a bounded channel to the workers, whose results come back to the caller's thread. Memory is
//! bounded by the number of batches under way.

use super::EngineError;
use super::input::{Document, Input, IsNote, Origin, Remark, Translation};
use super::report::UnreadableInput;
use super::rows::{RowsError, RowsView, UnitKey};
use super::source::FileOpener;
use super::survey::DocumentDigest;
use crossbeam_channel::{Receiver, Sender, bounded};
use lifeboat_clinical::document::{DocumentReader, Limits};
use lifeboat_clinical::problem::Place;
use lifeboat_feeds::Format;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// Documents of one batch.
const BATCH_DOCUMENTS_MAX: usize = 64;
/// Bytes after which a batch is sent on.
const BATCH_BYTES: usize = 256 * 1024;
/// Batches under way per worker.
const BATCHES_PER_WORKER: usize = 2;
/// Results under way per worker.
const RESULTS_PER_WORKER: usize = 8;
/// How a command's output is called in reports.
const OUTPUT: &str = "the command's output";
/// How rows that patients share are called in reports.
const SHARED: &str = "rows that patients share";

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
    /// What the reading itself found.
    pub(crate) read: ReadReport,
}

/// What the reading itself found.
#[derive(Default)]
pub(crate) struct ReadReport {
    /// Documents read.
    pub(crate) documents: u64,
    /// Inputs that are no documents, and notes.
    pub(crate) remarks: Vec<Remark>,
    /// Why kept rows could not be read.
    failure: Option<RowsError>,
}

impl<S> Streamed<S> {
    /// Hands over what was found, unless kept rows could not be read.
    pub(crate) fn whole(self) -> Result<(Vec<S>, ReadReport), EngineError> {
        match self.read.failure {
            Some(failure) => Err(failure.into()),
            None => Ok((self.states, self.read)),
        }
    }
}

/// One document of a batch.
enum Item {
    /// So many bytes of the batch: the number of the file and the place there.
    Bytes { file: usize, place: Place, length: usize },
    /// So many bytes of the batch, made of rows that patients share.
    Shared { length: usize },
    /// The rows of an owner.
    Rows { unit: UnitKey, version: DocumentDigest },
}

#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    bytes: Vec<u8>,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.items.len() >= BATCH_DOCUMENTS_MAX
    }
}

/// Reads every document of `input`, works on it with `workers` threads and hands the products to `collect`.
///
/// # Errors
/// The first error of `collect`, after which the rest is abandoned.
pub(crate) fn stream<W: Work, E>(
    input: &Input,
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
        let reader = scope.spawn(|| {
            let mut reading = Reading {
                batches: batch_sender,
                abandoned: &abandoned,
                read_bytes,
                batch: Batch::default(),
                report: ReadReport::default(),
            };
            reading.read_all(input);
            reading.report
        });
        let running: Vec<_> = (0..workers)
            .map(|_| {
                let (batches, products) = (batches.clone(), product_sender.clone());
                scope.spawn(move || work_on(input, work, &batches, &products))
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
        let read = rejoin(reader);
        outcome.map(|()| Streamed { states, read })
    })
}

/// A worker's panic is a bug and goes on in the caller.
fn rejoin<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn work_on<W: Work>(
    input: &Input,
    work: &W,
    batches: &Receiver<Batch>,
    products: &Sender<W::Product>,
) -> W::State {
    let mut state = work.start();
    for batch in batches {
        let mut rest = batch.bytes.as_slice();
        let mut take = |length| {
            let (bytes, after) = rest.split_at(length);
            rest = after;
            bytes
        };
        for item in batch.items {
            let origin = match (item, input) {
                (Item::Bytes { file, place, length }, Input::Files(listing, translation)) => Origin::Bytes {
                    name: &listing.files[file].relative,
                    place,
                    bytes: take(length),
                    translation: Some(translation),
                },
                (Item::Bytes { place, length, .. }, Input::Command(_, translation)) => {
                    Origin::Bytes { name: OUTPUT, place, bytes: take(length), translation: Some(translation) }
                }
                (Item::Rows { unit, version }, Input::Rows(view)) => Origin::Rows { view, unit, version },
                (Item::Shared { length } | Item::Bytes { length, .. }, _) => Origin::Bytes {
                    name: SHARED,
                    place: Place::default(),
                    bytes: take(length),
                    translation: None,
                },
                // Only kept rows are read as rows.
                (Item::Rows { .. }, _) => continue,
            };
            work.document(&mut state, &Document(origin), &mut |product| products.send(product).is_ok());
        }
    }
    state
}

/// The reading thread.
struct Reading<'a> {
    batches: Sender<Batch>,
    abandoned: &'a AtomicBool,
    read_bytes: &'a (dyn Fn(u64) + Sync),
    batch: Batch,
    report: ReadReport,
}

/// Says that nobody listens any more.
struct Abandoned;

impl Reading<'_> {
    fn read_all(&mut self, input: &Input) {
        let read = match input {
            Input::Files(listing, translation) => {
                let mut opener = FileOpener::default();
                listing.files.iter().enumerate().try_for_each(|(number, file)| {
                    let opened = match opener.open(file) {
                        Ok(opened) => opened,
                        Err(reason) => {
                            self.refuse(&file.relative, reason);
                            return Ok(());
                        }
                    };
                    self.read_documents(number, &file.relative, opened, translation)
                })
            }
            Input::Command(output, translation) => {
                self.read_documents(0, OUTPUT, output.reader(), translation)
            }
            Input::Rows(view) => self.read_rows(view),
        };
        if read.is_ok() {
            // What is under way when nobody listens any more is lost on purpose.
            let _unheard = self.send();
        }
    }

    fn refuse(&mut self, file: &str, reason: String) {
        let input = UnreadableInput { file: file.to_owned(), line: None, reason, times: 1 };
        self.report.remarks.push(Remark { is_note: IsNote::No, input });
    }

    fn send(&mut self) -> Result<(), Abandoned> {
        let batch = std::mem::take(&mut self.batch);
        (self.read_bytes)(batch.bytes.len() as u64);
        if self.abandoned.load(Ordering::Relaxed) || self.batches.send(batch).is_err() {
            return Err(Abandoned);
        }
        Ok(())
    }

    fn send_when_full(&mut self) -> Result<(), Abandoned> {
        if self.batch.is_full() { self.send() } else { Ok(()) }
    }

    fn read_documents(
        &mut self,
        file: usize,
        name: &str,
        mut opened: impl Read,
        translation: &Translation,
    ) -> Result<(), Abandoned> {
        let mut head = Vec::new();
        if translation.format != Format::FhirR4 {
            match read_head(&mut opened, &mut head) {
                Ok(Shape::Xml) => return self.read_whole(file, name, head, opened),
                Ok(Shape::Other) => {}
                Err(error) => {
                    self.refuse(name, format!("it cannot be read ({})", error.kind()));
                    return Ok(());
                }
            }
        }
        let mut document = Vec::new();
        let mut reader = DocumentReader::new(io::Cursor::new(head).chain(opened), Limits::default());
        while let Some(next) = reader.next(&mut document) {
            match next {
                Ok(place) => {
                    self.report.documents += 1;
                    self.batch.items.push(Item::Bytes { file, place, length: document.len() });
                    self.batch.bytes.extend_from_slice(&document);
                }
                Err(problem) => {
                    let input = UnreadableInput::of(name, &problem);
                    self.report.remarks.push(Remark { is_note: IsNote::No, input });
                }
            }
            self.send_when_full()?;
        }
        Ok(())
    }

    /// Reads a document that is a whole file.
    fn read_whole(
        &mut self,
        file: usize,
        name: &str,
        mut head: Vec<u8>,
        opened: impl Read,
    ) -> Result<(), Abandoned> {
        let limit = Limits::default().document_bytes_max;
        match opened.take(limit).read_to_end(&mut head) {
            Ok(_) if head.len() as u64 > limit => {
                self.refuse(name, format!("the document is longer than the limit of {limit} bytes"));
            }
            Ok(_) => {
                self.report.documents += 1;
                let item = Item::Bytes { file, place: Place::default(), length: head.len() };
                self.batch.items.push(item);
                self.batch.bytes.append(&mut head);
            }
            Err(error) => self.refuse(name, format!("it cannot be read ({})", error.kind())),
        }
        self.send_when_full()
    }

    fn read_rows(&mut self, view: &RowsView) -> Result<(), Abandoned> {
        let shared = view.shared_document();
        self.report.remarks.extend(shared.problems.iter().map(|one| Remark::of_feed(SHARED, None, one)));
        if let Some(bytes) = shared.document {
            self.report.documents += 1;
            self.batch.items.push(Item::Shared { length: bytes.len() });
            self.batch.bytes.extend_from_slice(&bytes);
        }
        let mut sent = Ok(());
        let visited = view.each_unit(|unit, version| {
            self.report.documents += 1;
            self.batch.items.push(Item::Rows { unit, version });
            sent = self.send_when_full();
            sent.is_ok()
        });
        if let Err(error) = visited {
            self.report.failure = Some(error);
        }
        sent
    }
}

/// How the documents of a file lie in it.
enum Shape {
    /// The file is one XML document.
    Xml,
    /// Anything else, of which the document reader knows more.
    Other,
}

/// Reads enough of a file to see whether it is XML.
fn read_head(reader: &mut impl Read, head: &mut Vec<u8>) -> io::Result<Shape> {
    reader.take(64).read_to_end(head)?;
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    Ok(if first == Some(&b'<') || is_utf16 { Shape::Xml } else { Shape::Other })
}
