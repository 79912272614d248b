//! The part of a file that is held in memory.

use std::io::{self, Read};

use super::After;

/// A part of the file, from the first byte that is not done with.
pub(super) struct Buffer<R: Read> {
    reader: R,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    size_max: usize,
    /// How much is read at a time.
    part: usize,
    at_end: bool,
    /// Why nothing more can be read, to be told once what was read before is used up.
    failure: Option<io::Error>,
    consumed: u64,
}

/// How much is read at a time, where rows may be as long.
const PART_BYTES: usize = 256 << 10;

impl<R: Read> Buffer<R> {
    pub(super) fn new(reader: R, row_bytes_max: usize) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            size_max: row_bytes_max.max(16),
            part: row_bytes_max.clamp(16, PART_BYTES),
            at_end: false,
            failure: None,
            consumed: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Says what comes after the bytes that are held.
    pub(super) fn after(&self) -> After {
        if self.at_end { After::Nothing } else { After::More }
    }

    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Says whether more can be read and held than is held now.
    pub(super) fn can_grow(&self) -> bool {
        !self.at_end && self.end - self.start < self.size_max
    }

    /// Says whether little enough is held that more should be read before judging it.
    pub(super) fn is_short(&self) -> bool {
        self.end - self.start < self.part
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start += count.min(self.end - self.start);
        self.consumed += count as u64;
    }

    /// Reads on, until twice as much is held as before, a part at least, or the file ends.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let held = self.end - self.start;
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, held);
        let size = (held * 2).clamp(self.part, self.size_max);
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        while self.end < self.bytes.len() && !self.at_end {
            match self.reader.read(&mut self.bytes[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.end == held => return Err(error),
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        Ok(())
    }

    pub(super) fn skip_line_ends(&mut self) -> io::Result<()> {
        loop {
            let ends = self.bytes().iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.consume(ends);
            if !self.bytes().is_empty() || self.at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Passes over the rest of a line, its end included; returns its length.
    pub(super) fn skip_line(&mut self) -> io::Result<u64> {
        let before = self.consumed;
        loop {
            let found = memchr::memchr2(b'\n', b'\r', self.bytes());
            self.consume(found.map_or(self.bytes().len(), |at| at + 1));
            if found.is_some() || self.at_end {
                return Ok(self.consumed - before);
            }
            self.fill()?;
        }
    }
}
