//! Documents out of bytes: one JSON document, or one line of NDJSON, at a time.
//!
//! What an input holds is recognised by its content, never by its name: first the container (plain,
//! gzip, Zstandard), then JSON as one document, as lines or as values one after another. Anything else
//! becomes a [`Problem`] that says in plain words what it is.
//!
//! Only one document is in memory at a time, so an export of many gigabytes needs no more than its
//! longest line. A line that is too long, or a document that is cut short, is reported with its place
//! and what follows is read. The documents are handed on as they are; whether they are FHIR is for
//! [`crate::fhir`] to say.

mod container;
mod detect;
mod scan;

use std::io::Read;

pub use container::Container;
use container::Source;
use scan::Scan;

use crate::problem::{ForeignKind, IoKind, Place, Problem, Reason};

/// How many bytes are read from the input at once.
const CHUNK_BYTES: usize = 128 * 1024;

/// How many bytes at the start of an input decide what it is.
const PEEK_BYTES: usize = 64 * 1024;

/// The limits that protect from hostile or broken inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest document.
    pub document_bytes_max: u64,
    /// The longest line of an input of many lines.
    pub line_bytes_max: u64,
    /// The most bytes that a compressed input may expand to.
    pub decompressed_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { document_bytes_max: 256 << 20, line_bytes_max: 64 << 20, decompressed_bytes_max: 256 << 30 }
    }
}

/// How the documents of an input lie one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One document on each line.
    Lines,
    /// Whole values, over any number of lines.
    Values,
}

/// Yields the documents of one input.
pub struct DocumentReader<R: Read> {
    source: Source<R>,
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    start: usize,
    /// The line, from 1, of the input on which the unread part begins.
    line: u64,
    layout: Option<Layout>,
    /// Whether a document has been yielded already.
    begun: bool,
    at_end: bool,
    /// Why the input ended before its end.
    broken: Option<Reason>,
    done: bool,
    expanded_bytes: u64,
}

impl<R: Read> DocumentReader<R> {
    /// Prepares to read documents from `reader`; nothing is read yet.
    pub fn new(reader: R, limits: Limits) -> Self {
        Self {
            source: Source::new(reader),
            limits,
            buffer: Vec::new(),
            start: 0,
            line: 1,
            layout: None,
            begun: false,
            at_end: false,
            broken: None,
            done: false,
            expanded_bytes: 0,
        }
    }

    /// Returns the container that was recognised; it is known after the first document.
    pub fn container(&self) -> Container {
        self.source.container()
    }

    /// Puts the next document into `into`, in place of what it held, and returns its place.
    ///
    /// A problem stands for what could not be read; the call after it goes on with the rest. `None`
    /// is the end.
    pub fn next(&mut self, into: &mut Vec<u8>) -> Option<Result<Place, Problem>> {
        into.clear();
        if self.done {
            return None;
        }
        let layout = match self.layout {
            Some(layout) => layout,
            None => match self.recognise() {
                Ok(layout) => *self.layout.insert(layout),
                Err(reason) => {
                    self.done = true;
                    return Some(Err(Problem::whole(reason)));
                }
            },
        };
        let found = match layout {
            Layout::Lines => self.next_line(into),
            Layout::Values => self.next_value(into),
        };
        match found {
            Some(found) => {
                self.begun = true;
                Some(found)
            }
            None => {
                self.done = true;
                let reason = self.broken.take()?;
                Some(Err(self.problem_here(reason)))
            }
        }
    }

    fn problem_here(&self, reason: Reason) -> Problem {
        if self.begun || self.layout == Some(Layout::Lines) {
            Problem { place: Place::at_line(self.line), reason }
        } else {
            Problem::whole(reason)
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Reads more of the input; `false` at its end.
    fn fill(&mut self) -> bool {
        if self.at_end {
            return false;
        }
        if self.start > CHUNK_BYTES && self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let chunk = (&mut self.source).take(CHUNK_BYTES as u64);
        // What was read before an error stays in the buffer and is still looked at.
        let read = { chunk }.read_to_end(&mut self.buffer);
        match read {
            Ok(0) => self.at_end = true,
            Ok(length) => {
                self.expanded_bytes += length as u64;
                let limit = self.limits.decompressed_bytes_max;
                if self.container() != Container::Plain && self.expanded_bytes > limit {
                    self.break_off(Reason::ExpandsTooFar(limit));
                }
            }
            Err(error) => {
                let reason = match self.container() {
                    Container::Plain => Reason::Unreadable(IoKind(error.kind())),
                    Container::Gzip | Container::Zstd => Reason::DamagedCompression,
                };
                self.break_off(reason);
            }
        }
        !self.at_end
    }

    fn break_off(&mut self, reason: Reason) {
        self.broken = Some(reason);
        self.at_end = true;
    }

    /// Takes `length` unread bytes off.
    fn consume(&mut self, length: usize) {
        let taken = &self.buffer[self.start..self.start + length];
        self.line += taken.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.start += length;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// Takes white space off; returns the byte after it, or `None` at the end.
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            let space = self.unread().iter().take_while(|byte| is_space(**byte)).count();
            self.consume(space);
            if let Some(byte) = self.unread().first() {
                return Some(*byte);
            }
            if !self.fill() && self.unread().is_empty() {
                return None;
            }
        }
    }

    /// Decides from the start of the input what it is and how its documents lie.
    fn recognise(&mut self) -> Result<Layout, Reason> {
        while self.unread().len() < PEEK_BYTES && self.fill() {}
        if self.unread().starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
        if let Some(kind) = detect::by_magic(self.unread()) {
            return Err(Reason::Foreign(kind));
        }
        let Some(first) = self.skip_space() else {
            return Err(self.broken.take().unwrap_or(Reason::Empty));
        };
        if !matches!(first, b'{' | b'[') {
            let peek = &self.unread()[..self.unread().len().min(PEEK_BYTES)];
            let kind = detect::by_text(peek);
            let lines_follow = kind == ForeignKind::Text && detect::json_line_follows(peek);
            return if lines_follow { Ok(Layout::Lines) } else { Err(Reason::Foreign(kind)) };
        }
        if !detect::begins_as_json(self.unread()) {
            let line = self.line;
            return Err(Reason::NotJson { line, column: 2 });
        }
        self.layout_of_json()
    }

    /// Decides whether the JSON at hand lies in lines, from its first line and what follows it.
    fn layout_of_json(&mut self) -> Result<Layout, Reason> {
        let mut scan = Scan::default();
        let mut seen = 0;
        let line_end = loop {
            let unread = self.unread();
            if let Some(at) = find_newline(&unread[seen..]) {
                break Some(seen + at);
            }
            seen = unread.len();
            if seen as u64 > self.limits.document_bytes_max {
                return Err(Reason::DocumentTooLarge(self.limits.document_bytes_max));
            }
            if !self.fill() {
                break None;
            }
        };
        let Some(line_end) = line_end else {
            return Ok(Layout::Values);
        };
        while self.unread().len() < line_end + 1024 && self.fill() {}
        let (line, after) = self.unread().split_at(line_end);
        let whole = match scan.feed(line) {
            Some(end) => line[end..].iter().all(|byte| is_space(*byte)),
            None => detect::is_broken_line(line, after),
        };
        let more_follows = !after.iter().all(|byte| is_space(*byte));
        Ok(if whole && more_follows { Layout::Lines } else { Layout::Values })
    }

    fn next_line(&mut self, into: &mut Vec<u8>) -> Option<Result<Place, Problem>> {
        self.skip_space()?;
        let place = Place::at_line(self.line);
        let limit = self.limits.line_bytes_max;
        let mut seen = 0;
        let mut too_long = false;
        loop {
            let newline = find_newline(&self.unread()[seen..]).map(|at| seen + at);
            let end = newline.unwrap_or(self.unread().len());
            too_long |= end as u64 > limit;
            if let Some(newline) = newline {
                if !too_long {
                    into.extend_from_slice(self.unread()[..newline].trim_ascii_end());
                }
                self.consume(newline + 1);
                break;
            }
            if too_long {
                self.consume(end);
            }
            seen = self.unread().len();
            if !self.fill() {
                if self.broken.is_some() {
                    return None;
                }
                if !too_long {
                    into.extend_from_slice(self.unread().trim_ascii_end());
                }
                self.consume(self.unread().len());
                break;
            }
        }
        Some(if too_long { Err(Problem { place, reason: Reason::LineTooLong(limit) }) } else { Ok(place) })
    }

    fn next_value(&mut self, into: &mut Vec<u8>) -> Option<Result<Place, Problem>> {
        let first = self.skip_space()?;
        let place = Place::at_line(self.line);
        if !matches!(first, b'{' | b'[') {
            self.done = true;
            let reason = Reason::NotJson { line: self.line, column: 1 };
            return Some(Err(Problem::whole(reason)));
        }
        let limit = self.limits.document_bytes_max;
        let mut scan = Scan::default();
        let mut seen = 0;
        let length = loop {
            let unread = self.unread();
            if let Some(end) = scan.feed(&unread[seen..]) {
                break seen + end;
            }
            seen = unread.len();
            if seen as u64 > limit {
                self.done = true;
                return Some(Err(self.problem_here(Reason::DocumentTooLarge(limit))));
            }
            if !self.fill() {
                self.done = true;
                let reason = self.broken.take().unwrap_or(Reason::CutShort);
                return Some(Err(self.problem_here(reason)));
            }
        };
        into.extend_from_slice(&self.unread()[..length]);
        self.consume(length);
        let alone = !self.begun && self.skip_space().is_none();
        Some(Ok(if alone { Place::default() } else { place }))
    }
}

fn is_space(byte: u8) -> bool {
    // The record separator stands between the values of a JSON text sequence.
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1e)
}

fn find_newline(bytes: &[u8]) -> Option<usize> {
    const STEP: usize = 1024;
    for (at, step) in bytes.chunks(STEP).enumerate() {
        // `contains` on bytes is the standard library's fast search.
        if step.contains(&b'\n') {
            let within = step.iter().position(|byte| *byte == b'\n')?;
            return Some(at * STEP + within);
        }
    }
    None
}

#[cfg(test)]
mod tests;
