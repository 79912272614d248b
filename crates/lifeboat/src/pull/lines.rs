//! Lines out of pieces of bytes, none longer than a limit.

/// Bytes that have come and the lines in them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Up to where lines have been taken.
    taken: usize,
    /// Up to where there is no end of a line.
    looked: usize,
}

impl Lines {
    /// Adds what has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.looked -= self.taken;
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next whole line, without its end.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let end = self.buffer[self.looked..].iter().position(|byte| *byte == b'\n');
        let Some(length) = end else {
            self.looked = self.buffer.len();
            return None;
        };
        let (start, end) = (self.taken, self.looked + length);
        self.taken = end + 1;
        self.looked = self.taken;
        Some(&self.buffer[start..end])
    }

    /// Returns how many bytes wait for the end of their line.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// Returns what stands after the last end of a line.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut() {
        let text = b"one\n\ntwo\r\nthree";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for piece in text.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.next() {
                    found.push(line.to_vec());
                }
            }
            assert_eq!(found, [b"one".to_vec(), b"".to_vec(), b"two\r".to_vec()], "pieces of {size}");
            assert_eq!((lines.rest(), lines.waiting()), (b"three".as_slice(), 5));
        }
    }
}
