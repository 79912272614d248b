//! The log entry that vouches for `lifeboat.json` and `RECOVER.txt`.
//!
//! No manifest lists these two, so the first entry of a log is an event that names their digests. A later event of the
//! same name takes over from it.

use jiff::Timestamp;
use lifeboat_format::log::Entry;
use lifeboat_format::{Digest, ObjectKey};

/// The name of the event.
pub const LAYOUT_EVENT: &str = "layout";

/// The digests that a layout event names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) site: Digest,
    pub(crate) recover: Digest,
}

impl Layout {
    pub(crate) fn digest(&self, key: &ObjectKey) -> Option<Digest> {
        match key {
            ObjectKey::Site => Some(self.site),
            ObjectKey::Recover => Some(self.recover),
            _ => None,
        }
    }
}

/// Makes the event for the bytes of `lifeboat.json` and `RECOVER.txt`.
pub fn layout_event(time: Timestamp, site: &[u8], recover: &[u8]) -> Entry {
    let detail =
        format!("{}={} {}={}", ObjectKey::Site, Digest::of(site), ObjectKey::Recover, Digest::of(recover));
    Entry::Event { time, name: LAYOUT_EVENT.to_owned(), detail }
}

/// Reads the digests from an entry, if it is a layout event.
pub(crate) fn read_layout(entry: &Entry) -> Option<Layout> {
    let Entry::Event { name, detail, .. } = entry else { return None };
    if name != LAYOUT_EVENT {
        return None;
    }
    let (mut site, mut recover) = (None, None);
    for word in detail.split(' ') {
        match word.split_once('=') {
            Some(("lifeboat.json", digest)) => site = digest.parse().ok(),
            Some(("RECOVER.txt", digest)) => recover = digest.parse().ok(),
            _ => {}
        }
    }
    Some(Layout { site: site?, recover: recover? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_event_reads_back_through_its_bytes() {
        let event = layout_event(Timestamp::UNIX_EPOCH, b"site", b"recover");
        let entry = Entry::parse(&event.to_bytes().unwrap()).unwrap();
        let expected = Layout { site: Digest::of(b"site"), recover: Digest::of(b"recover") };
        assert_eq!(read_layout(&entry), Some(expected));
        let other =
            Entry::Event { time: Timestamp::UNIX_EPOCH, name: "drill".to_owned(), detail: String::new() };
        assert_eq!(read_layout(&other), None);
    }
}
