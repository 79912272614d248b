//! Verifying `lifeboat.json`, `RECOVER.txt` and `HEAD`.

use lifeboat_format::{Digest, HEAD_BYTES_MAX, Head, ObjectKey, SiteDescription};

use super::{LogSeen, Note, Problem, Verification};
use crate::layout_event::Layout;
use crate::log_source::SignedCheckpoint;

/// The largest description.
const DESCRIPTION_BYTES_MAX: u64 = 1024 * 1024;

impl Verification<'_> {
    /// Checks the two descriptions against the digests that the log names, and the key in them.
    pub(super) async fn check_descriptions(&mut self, layout: Option<&Layout>) {
        if layout.is_none() {
            self.report.notes.push(Note::NoLayout);
        }
        for key in [ObjectKey::Recover, ObjectKey::Site] {
            let expected = layout.and_then(|layout| layout.digest(&key));
            match self.reader.object(&key, DESCRIPTION_BYTES_MAX).await {
                Err(error) => self.find(Some(key), Problem::from(&error), expected),
                Ok(bytes) if expected.is_some_and(|expected| expected != Digest::of(&bytes)) => {
                    self.find(Some(key), Problem::Digest, expected);
                }
                Ok(bytes) => {
                    self.count(bytes.len());
                    if key == ObjectKey::Site {
                        self.check_site(&bytes);
                    }
                }
            }
        }
    }

    fn check_site(&mut self, bytes: &[u8]) {
        match SiteDescription::parse(bytes) {
            Ok(site) if site.verification_key == *self.key => {}
            Ok(_) => {
                let what = "it names another verification key";
                self.find(Some(ObjectKey::Site), Problem::Contradiction { what }, None);
            }
            Err(error) => {
                let cause = error.to_string();
                self.find(Some(ObjectKey::Site), Problem::Invalid { cause }, None);
            }
        }
    }

    /// Checks `HEAD` last, so that a snapshot which arrived meanwhile is not taken for damage.
    pub(super) async fn check_head(&mut self, newest: &SignedCheckpoint, log: &LogSeen) {
        let key = ObjectKey::Head;
        if log.newest_entry.is_none() && !self.listing.objects.contains_key(&key) {
            // A log that names no snapshot yet has no HEAD.
            return;
        }
        let bytes = match self.reader.object(&key, HEAD_BYTES_MAX as u64).await {
            Ok(bytes) => bytes,
            Err(error) => return self.find(Some(key), Problem::from(&error), None),
        };
        self.count(bytes.len());
        let parsed = Head::parse(&bytes).and_then(|head| Ok((head.verify(self.key)?, head)));
        let (verified, head) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                let cause = error.to_string();
                return self.find(Some(key), Problem::Invalid { cause }, None);
            }
        };
        let (size, newest_size) = (verified.checkpoint.size, newest.checkpoint.size);
        if size < newest_size {
            self.find(Some(key), Problem::HeadOlder { head: size, newest: newest_size }, None);
        } else if head.to_bytes() != bytes {
            let what = "it is written in another way than this format does";
            self.find(Some(key), Problem::Contradiction { what }, None);
        } else if size > newest_size {
            self.check_newer(size).await;
        } else if verified.note != newest.note {
            let what = "its checkpoint is not the stored one";
            self.find(Some(key), Problem::Contradiction { what }, None);
        } else if log.newest_entry.is_some_and(|index| index != verified.entry_index) {
            let what = "it names an older snapshot than the log";
            self.find(Some(key), Problem::Contradiction { what }, None);
        }
        self.report.head = Some(verified);
    }

    /// Tells a snapshot that arrived meanwhile from a newest checkpoint that was taken away: a checkpoint is
    /// written before the `HEAD` that names it.
    async fn check_newer(&mut self, size: u64) {
        let key = ObjectKey::Checkpoint(size);
        match self.reader.size(&key).await {
            Ok(Some(_)) => self.report.notes.push(Note::NewerArrived { size }),
            Ok(None) => self.find(Some(key), Problem::Missing, None),
            Err(error) => self.find(Some(key), Problem::from(&error), None),
        }
    }
}
