//! Verifying manifests, and everything that they list.

use futures::StreamExt as _;
use lifeboat_format::{FileEntry, Manifest, ManifestId, ObjectKey};

use super::log::SMALL_AT_ONCE_MAX;
use super::{Problem, SnapshotSeen, Verification, VerifyProgress};

impl Verification<'_> {
    /// Reads the manifest of every snapshot in the log and collects what they say must be there.
    pub(super) async fn check_manifests(&mut self, snapshots: &[(u64, SnapshotSeen)]) {
        let reader = self.reader;
        let reads = snapshots
            .iter()
            .map(|(_, snapshot)| async { (*snapshot, reader.manifest(snapshot.manifest).await) });
        let mut reads = futures::stream::iter(reads.collect::<Vec<_>>()).buffered(SMALL_AT_ONCE_MAX);
        let mut previous: Option<ManifestId> = None;
        while let Some((snapshot, read)) = reads.next().await {
            let key = ObjectKey::Manifest(snapshot.manifest);
            match read {
                Ok((bytes, manifest)) => {
                    self.count(bytes.len());
                    self.expected.insert(key, FileEntry::of(&bytes));
                    self.check_manifest(key, &snapshot, &manifest, previous);
                }
                Err(error) => {
                    let digest = snapshot.manifest.digest();
                    let size = self.listing.objects.get(&key).copied().unwrap_or_default();
                    let expected = FileEntry { size, sha256: digest };
                    self.find(Some(key), Problem::from(&error), Some(digest));
                    self.expected.insert(key, expected);
                }
            }
            previous = Some(snapshot.manifest);
        }
    }

    fn check_manifest(
        &mut self,
        key: ObjectKey,
        snapshot: &SnapshotSeen,
        manifest: &Manifest,
        previous: Option<ManifestId>,
    ) {
        let wrong = [
            (manifest.sequence != snapshot.sequence, "its number is not the one in the log"),
            (manifest.gate.verdict != snapshot.verdict, "its verdict is not the one in the log"),
            (manifest.site.origin() != self.key.name(), "it is of another site"),
            (manifest.previous != previous, "it does not name the snapshot before it"),
        ];
        if let Some((_, what)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            self.find(Some(key), Problem::Contradiction { what }, None);
        }
        for (object, size) in manifest.objects() {
            let Some(sha256) = manifest.object_digest(&object) else { continue };
            let entry = FileEntry { size, sha256 };
            match self.expected.get(&object) {
                None => {
                    self.expected.insert(object, entry);
                }
                Some(known) if *known == entry => {}
                Some(_) => {
                    let what = "two snapshots say different things about it";
                    self.find(Some(object), Problem::Contradiction { what }, None);
                }
            }
        }
    }

    /// Checks that everything that manifests list is there with the right size.
    pub(super) async fn check_presence(&mut self) {
        let suspects: Vec<(ObjectKey, FileEntry)> = self
            .expected
            .iter()
            .filter(|(key, entry)| !self.listing.holds(key, entry.size) && !self.found.contains(key))
            .map(|(key, entry)| (*key, entry.clone()))
            .collect();
        self.report.objects += self.expected.keys().filter(|key| !is_manifest(key)).count() as u64;
        let reader = self.reader;
        // What arrived while the replica was listed may be missing from the list alone.
        let sizes =
            suspects.into_iter().map(|(key, entry)| async move { (key, reader.size(&key).await, entry) });
        let mut sizes = futures::stream::iter(sizes).buffered(SMALL_AT_ONCE_MAX);
        while let Some((key, size, entry)) = sizes.next().await {
            let problem = match size {
                Ok(Some(found)) if found == entry.size => continue,
                Ok(Some(found)) => Problem::Size { found, expected: entry.size },
                Ok(None) => Problem::Missing,
                Err(error) => Problem::from(&error),
            };
            self.find(Some(key), problem, Some(entry.sha256));
        }
    }

    /// Hashes everything that manifests list, apart from what already has a finding.
    pub(super) async fn check_digests(&mut self, progress: &(dyn Fn(&VerifyProgress) + Sync)) {
        let jobs: Vec<(ObjectKey, FileEntry)> = self
            .expected
            .iter()
            .filter(|(key, _)| !is_manifest(key) && !self.found.contains(key))
            .map(|(key, entry)| (*key, entry.clone()))
            .collect();
        let mut state = VerifyProgress {
            objects_total: jobs.len() as u64,
            bytes_total: jobs.iter().map(|(_, entry)| entry.size).sum(),
            ..VerifyProgress::default()
        };
        let reader = self.reader;
        let hashes = jobs.into_iter().map(|(key, entry)| async move {
            let digest = reader.digest(&key, entry.size).await;
            (key, entry, digest)
        });
        let mut hashes = futures::stream::iter(hashes).buffer_unordered(self.options.objects_at_once.max(1));
        while let Some((key, entry, digest)) = hashes.next().await {
            state.objects_done += 1;
            state.bytes_done += entry.size;
            match digest {
                Ok(digest) if digest == entry.sha256 => self.report.bytes += entry.size,
                Ok(_) => self.find(Some(key), Problem::Digest, Some(entry.sha256)),
                Err(error) => self.find(Some(key), Problem::from(&error), Some(entry.sha256)),
            }
            progress(&state);
        }
    }
}

fn is_manifest(key: &ObjectKey) -> bool {
    matches!(key, ObjectKey::Manifest(_))
}
