//! The files of a source folder, listed and held still.
//!
//! Watch events are only a hint; this listing is the truth. A file is taken when it has been stable
//! for a while or was renamed into place; names that say "unfinished" are passed over. After a pass
//! the caller asks whether the files are still what was listed, because an exporter may have written
//! in the meantime.

use super::report::UnreadableInput;
use jiff::{SignedDuration, Timestamp};
use lifeboat_feeds::archive::{ArchiveEntries, ArchiveLimits, archives};
use lifeboat_feeds::batch::{FileFacts, ReadHead};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Folders below the source folder that are followed.
const DEPTH_MAX: usize = 32;
/// Files in one source folder.
const FILES_MAX: usize = 5_000_000;
/// Endings of files that somebody is still writing.
const UNFINISHED: [&str; 5] = [".tmp", ".part", ".partial", ".crdownload", "~"];

/// Why a source could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source folder itself cannot be read.
    #[error("cannot read the source folder {}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder holds more files than a source may.
    #[error("the source folder {} holds more than {FILES_MAX} files", path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
    },
    /// Some file is still being written.
    #[error("{} in {} changed within the last moments", files(*count), path.display())]
    Unsettled {
        /// The folder.
        path: PathBuf,
        /// How many files.
        count: usize,
    },
    /// Some file changed while it was read.
    #[error("the source folder {} changed while it was read", path.display())]
    Moved {
        /// The folder.
        path: PathBuf,
    },
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// One file of the source.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// The path below the source folder, as the report names it.
    pub(crate) relative: String,
    stamp: Stamp,
    /// Where in an archive it lies, for one that is no file of its own.
    entry: Option<ArchivePlace>,
}

/// An entry of an archive.
#[derive(Debug, Clone)]
struct ArchivePlace {
    /// The archive's files, in order.
    parts: Arc<[PathBuf]>,
    entry: usize,
    bytes: u64,
}

/// What tells a changed file from an unchanged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_seconds: metadata.mtime(),
            modified_nanoseconds: metadata.mtime_nsec(),
        }
    }

    fn modified(&self) -> Option<Timestamp> {
        let nanoseconds = i32::try_from(self.modified_nanoseconds).ok()?;
        Timestamp::new(self.modified_seconds, nanoseconds).ok()
    }
}

/// All files of a source at one moment, in a stable order.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<SourceFile>,
    /// Entries that are not readable files.
    pub(crate) unreadable: Vec<UnreadableInput>,
    /// The newest modification, which is the source's time.
    pub(crate) newest: Option<Timestamp>,
    /// Total length of the files.
    pub(crate) bytes: u64,
    /// The archives whose entries stand among the files.
    archives: Vec<SourceFile>,
}

impl SourceFile {
    /// Its length, unpacked.
    pub(crate) fn bytes(&self) -> u64 {
        self.entry.as_ref().map_or(self.stamp.bytes, |entry| entry.bytes)
    }

    /// What tells it from another one of its name without reading it.
    pub(crate) fn mark(&self) -> String {
        let Stamp { inode, bytes, modified_seconds, modified_nanoseconds } = self.stamp;
        let name = self.relative.rsplit('/').next().unwrap_or_default();
        format!("{name}\0{inode}\0{bytes}\0{modified_seconds}\0{modified_nanoseconds}\0{}\0", self.bytes())
    }
}

/// Opens the files of a source; an archive stays open while its entries are read one after the other.
#[derive(Default)]
pub(crate) struct FileOpener {
    archive: Option<(Arc<[PathBuf]>, ArchiveEntries<File>)>,
}

impl FileOpener {
    /// Opens a file for reading, or says why it cannot be.
    pub(crate) fn open(&mut self, file: &SourceFile) -> Result<Box<dyn Read + '_>, String> {
        let Some(place) = &file.entry else {
            let opened = File::open(&file.path);
            let opened = opened.map_err(|error| format!("the file cannot be opened ({})", error.kind()))?;
            return Ok(Box::new(opened));
        };
        if self.archive.as_ref().is_none_or(|(parts, _)| *parts != place.parts) {
            self.archive = Some((place.parts.clone(), open_archive(&place.parts)?));
        }
        let (_, entries) = self.archive.as_mut().ok_or("the archive is not open")?;
        let entry = entries.open(place.entry).map_err(|problem| problem.reason.to_string())?;
        Ok(Box::new(entry))
    }
}

fn open_archive(parts: &[PathBuf]) -> Result<ArchiveEntries<File>, String> {
    let files: io::Result<Vec<File>> = parts.iter().map(File::open).collect();
    let files = files.map_err(|error| format!("the archive cannot be opened ({})", error.kind()))?;
    ArchiveEntries::list_parts(files, ArchiveLimits::default()).map_err(|problem| problem.reason.to_string())
}

/// Lists the source folder.
///
/// # Errors
/// [`SourceError::Unreadable`] for the folder itself, [`SourceError::TooManyFiles`], and
/// [`SourceError::Unsettled`] while a file is younger than `stable_after`; entries below that cannot be read are
/// part of the listing.
pub(crate) fn list(root: &Path, now: Timestamp, stable_after: Duration) -> Result<Listing, SourceError> {
    let mut listing = Listing::default();
    let entries =
        fs::read_dir(root).map_err(|source| SourceError::Unreadable { path: root.into(), source })?;
    let mut folders = vec![(entries, 0)];
    while let Some((entries, depth)) = folders.pop() {
        for entry in entries {
            let Ok(entry) = entry else {
                listing.refuse(root, root, "a folder entry cannot be read");
                continue;
            };
            let path = entry.path();
            if is_passed_over(&path) {
                continue;
            }
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() && depth < DEPTH_MAX => match fs::read_dir(&path) {
                    Ok(entries) => folders.push((entries, depth + 1)),
                    Err(error) => {
                        listing.refuse(root, &path, &format!("the folder cannot be read ({})", error.kind()))
                    }
                },
                Ok(metadata) if metadata.is_dir() => listing.refuse(root, &path, "the folder lies too deep"),
                Ok(metadata) if metadata.is_file() => listing.take(root, path, &metadata),
                Ok(_) => {
                    listing.refuse(root, &path, "not a regular file; put the file itself into the folder")
                }
                Err(error) => listing.refuse(root, &path, &format!("it cannot be read ({})", error.kind())),
            }
            if listing.files.len() > FILES_MAX {
                return Err(SourceError::TooManyFiles { path: root.into() });
            }
        }
    }
    listing.files.sort_by(|a, b| a.path.cmp(&b.path));
    let stable_after = SignedDuration::try_from(stable_after).unwrap_or(SignedDuration::MAX);
    let count = listing.files.iter().filter(|file| file.is_younger_than(stable_after, now)).count();
    if count > 0 {
        return Err(SourceError::Unsettled { path: root.into(), count });
    }
    Ok(listing)
}

impl SourceFile {
    /// A file from the future counts as settled, or a wrong clock would stop all snapshots.
    fn is_younger_than(&self, limit: SignedDuration, now: Timestamp) -> bool {
        self.stamp.modified().is_some_and(|modified| {
            let age = now.duration_since(modified);
            !age.is_negative() && age < limit
        })
    }
}

impl Listing {
    fn take(&mut self, root: &Path, path: PathBuf, metadata: &Metadata) {
        let stamp = Stamp::of(metadata);
        self.newest = self.newest.max(stamp.modified());
        self.bytes += stamp.bytes;
        self.files.push(SourceFile { relative: relative_name(root, &path), path, stamp, entry: None });
    }

    /// Puts the entries of archives in the place of the archives.
    pub(crate) fn open_archives(&mut self) {
        let facts: Vec<FileFacts> = self.facts();
        let found = archives(&facts);
        if found.is_empty() {
            return;
        }
        let mut is_part = vec![false; self.files.len()];
        let mut entries = Vec::new();
        for archive in &found {
            archive.files.iter().for_each(|part| is_part[*part] = true);
            let parts: Arc<[PathBuf]> =
                archive.files.iter().map(|part| self.files[*part].path.clone()).collect();
            let opened = match archive.missing.as_slice() {
                [] => open_archive(&parts),
                missing => Err(format!("parts of the archive are missing: {}", missing.join(", "))),
            };
            match opened {
                Ok(opened) => {
                    let stamp = archive.files.last().map(|part| self.files[*part].stamp);
                    for (number, entry) in opened.entries().iter().enumerate() {
                        let relative = format!("{}/{}", archive.path, entry.name);
                        let place = ArchivePlace { parts: parts.clone(), entry: number, bytes: entry.bytes };
                        let path = PathBuf::from(&relative);
                        if let Some(stamp) = stamp
                            && !is_passed_over(&path)
                        {
                            entries.push(SourceFile { path, relative, stamp, entry: Some(place) });
                        }
                    }
                    for problem in opened.problems() {
                        let file = format!("{}/{}", archive.path, problem.file);
                        self.refuse_named(file, problem.reason.to_string());
                    }
                }
                Err(reason) => self.refuse_named(archive.path.clone(), reason),
            }
        }
        let mut is_part = is_part.into_iter();
        let (archives, mut files): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.files).into_iter().partition(|_| is_part.next().unwrap_or(false));
        files.append(&mut entries);
        files.sort_by(|a, b| a.relative.cmp(&b.relative));
        (self.files, self.archives) = (files, archives);
    }

    /// What is known of the files without reading them.
    pub(crate) fn facts(&self) -> Vec<FileFacts> {
        self.files.iter().map(|file| FileFacts { path: file.relative.clone(), bytes: file.bytes() }).collect()
    }

    fn refuse_named(&mut self, file: String, reason: String) {
        self.unreadable.push(UnreadableInput { file, line: None, reason, times: 1 });
    }

    fn refuse(&mut self, root: &Path, path: &Path, reason: &str) {
        let file = relative_name(root, path);
        self.refuse_named(file, reason.to_owned());
    }

    /// Whether every file is still what was listed.
    pub(crate) fn is_unchanged(&self) -> bool {
        let whole = self.files.iter().filter(|file| file.entry.is_none());
        whole.chain(&self.archives).all(|file| {
            fs::symlink_metadata(&file.path).is_ok_and(|metadata| Stamp::of(&metadata) == file.stamp)
        })
    }
}

/// The beginnings of a listing's files.
pub(crate) struct Heads<'a> {
    listing: &'a Listing,
    opener: Mutex<FileOpener>,
}

impl<'a> Heads<'a> {
    pub(crate) fn of(listing: &'a Listing) -> Self {
        Self { listing, opener: Mutex::default() }
    }
}

impl ReadHead for Heads<'_> {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        let file = self.listing.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        let mut opener = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        let mut head = Vec::new();
        opener.open(file).map_err(io::Error::other)?.take(bytes_max as u64).read_to_end(&mut head)?;
        Ok(head)
    }
}

fn relative_name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

/// The files of a source for somebody who only looks: nothing is waited for and nothing is kept.
pub struct SourceFiles {
    listing: Listing,
    facts: Vec<FileFacts>,
}

impl std::fmt::Debug for SourceFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFiles").field("files", &self.facts.len()).finish_non_exhaustive()
    }
}

impl SourceFiles {
    /// Lists a folder, or a file that stands for itself, with the entries of archives.
    ///
    /// # Errors
    /// [`SourceError::Unreadable`], [`SourceError::TooManyFiles`].
    pub fn of(path: &Path) -> Result<Self, SourceError> {
        let unreadable = |source| SourceError::Unreadable { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let mut listing = if metadata.is_dir() {
            list(path, Timestamp::MAX, Duration::ZERO)?
        } else {
            let mut listing = Listing::default();
            let folder = path.parent().unwrap_or(Path::new(""));
            listing.take(folder, path.to_owned(), &metadata);
            listing
        };
        listing.open_archives();
        let facts =
            listing.files.iter().map(|file| FileFacts { path: file.relative.clone(), bytes: file.bytes() });
        let facts = facts.collect();
        Ok(Self { listing, facts })
    }

    /// Returns what cannot be read at all.
    pub fn unreadable(&self) -> &[UnreadableInput] {
        &self.listing.unreadable
    }
}

impl ReadHead for SourceFiles {
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        let file = self.listing.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        FileOpener::default()
            .open(file)
            .map_err(io::Error::other)?
            .take(bytes_max as u64)
            .read_to_end(&mut head)?;
        Ok(head)
    }
}

impl lifeboat_feeds::inspect::SourceFiles for SourceFiles {
    fn files(&self) -> &[FileFacts] {
        &self.facts
    }

    fn open(&self, file: usize) -> io::Result<Box<dyn Read + '_>> {
        let file = self.listing.files.get(file).ok_or(io::ErrorKind::NotFound)?;
        match &file.entry {
            None => Ok(Box::new(File::open(&file.path)?)),
            Some(place) => {
                let entries = open_archive(&place.parts).map_err(io::Error::other)?;
                let entry = entries.into_entry(place.entry);
                Ok(Box::new(entry.map_err(|problem| io::Error::other(problem.reason.to_string()))?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SourceError, list};
    use jiff::{SignedDuration, Timestamp};
    use std::fs;
    use std::time::Duration;

    fn later() -> Timestamp {
        let now = Timestamp::try_from(fs::metadata(".").and_then(|m| m.accessed()).expect("a time"))
            .expect("a time");
        now + SignedDuration::from_hours(24 * 365 * 10)
    }

    #[test]
    fn files_are_listed_in_order_and_unfinished_ones_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sub")).expect("a folder");
        for name in ["b.json", "sub/a.json", "c.json.tmp", ".hidden", "d.part", "e~"] {
            fs::write(folder.path().join(name), "{}").expect("a file");
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).expect("a link");
        let listing = list(folder.path(), later(), Duration::from_secs(2)).expect("lists");
        let names: Vec<_> = listing.files.iter().map(|file| file.relative.as_str()).collect();
        assert_eq!(names, ["b.json", "sub/a.json"]);
        assert_eq!(listing.unreadable.len(), 1);
        assert_eq!(listing.unreadable[0].file, "link");
        assert!(listing.is_unchanged());
        fs::write(folder.path().join("b.json"), "{} ").expect("a file");
        assert!(!listing.is_unchanged());
    }

    #[test]
    fn a_file_still_being_written_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.json");
        fs::write(&file, "{}").expect("a file");
        let written = Timestamp::try_from(fs::metadata(&file).and_then(|m| m.modified()).expect("a time"))
            .expect("a time");
        let soon = written + SignedDuration::from_secs(1);
        let stable_after = Duration::from_secs(2);
        assert!(matches!(
            list(folder.path(), soon, stable_after),
            Err(SourceError::Unsettled { count: 1, .. })
        ));
        assert!(list(folder.path(), soon + SignedDuration::from_secs(1), stable_after).is_ok());
        assert!(list(folder.path(), written - SignedDuration::from_secs(60), stable_after).is_ok());
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_it() {
        let error = list("/nonexistent/source".as_ref(), later(), Duration::ZERO).expect_err("fails");
        assert!(error.to_string().contains("/nonexistent/source"));
    }
}
