//! Finds where a JSON value ends, in pieces.

/// Follows the brackets and strings of one value that begins with a bracket.
#[derive(Default)]
pub(super) struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Goes on through `bytes`; returns the place after the value's last byte when it ends in them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'"' {
                    self.in_string = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
