//! The only code that writes files: a crash or power cut at any point leaves the old state or the new one.
//!
//! Every write goes to an exclusive temporary file beside its target, is synced, published under its name, and then
//! the folder is synced, as is every folder made on the way. [`create`] never clobbers: it asks the system for an
//! exclusive rename, falls back to a hard link, and on file systems that know neither (exFAT, some network shares)
//! to looking and renaming, which is harmless because immutable objects are named by content or by number and there
//! is one writer per site. Files are readable by their owner only, whatever the umask.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crash::step_around;

/// How much is copied at once from a reader.
const COPY_BYTES: usize = 256 * 1024;

/// How many names are tried for a temporary file before giving up.
const TEMPORARY_NAMES_TRIED_MAX: u32 = 1_000;

static TEMPORARY_COUNTER: AtomicU64 = AtomicU64::new(0);

/// What [`create`] found at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The file did not exist and now holds the given bytes.
    New,
    /// A file of that name existed; it was left as it was and synced. Its content was not compared.
    AlreadyThere,
}

/// A local write that failed, with the step and the path.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The target has no parent folder or no file name.
    #[error("write {path}: not a file path")]
    NotAFilePath {
        /// The target as given.
        path: PathBuf,
    },
    /// A folder on the way to the target could not be made or synced.
    #[error("make folder {path}")]
    MakeFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The temporary file could not be written and synced.
    #[error("write temporary file for {path}")]
    WriteTemporary {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The temporary file could not be moved to its name.
    #[error("publish {path}")]
    Publish {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder, or a file found in it, could not be synced.
    #[error("sync {path}")]
    Sync {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Left-over temporary files could not be looked for or removed.
    #[error("sweep left-over temporary files in {path}")]
    Sweep {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DurableError {
    /// Returns what the system said, when it was asked.
    pub fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::NotAFilePath { .. } => None,
            Self::MakeFolder { source, .. }
            | Self::WriteTemporary { source, .. }
            | Self::Publish { source, .. }
            | Self::Sync { source, .. }
            | Self::Sweep { source, .. } => Some(source),
        }
    }
}

/// Writes a new file durably and never touches one that exists.
pub fn create(path: &Path, bytes: &[u8]) -> Result<Created, DurableError> {
    create_by(path, Content::Bytes(bytes), &Exclusive::ALL)
}

/// Writes a new file durably with everything that a reader gives, and never touches one that exists.
pub fn create_from(path: &Path, content: &mut dyn Read) -> Result<Created, DurableError> {
    create_by(path, Content::Reader(content), &Exclusive::ALL)
}

fn create_by(path: &Path, content: Content<'_>, ways: &[Exclusive]) -> Result<Created, DurableError> {
    let parent = parent_of(path)?;
    if step_around("create.look", || path.symlink_metadata().is_ok()) {
        settle(path)?;
        return Ok(Created::AlreadyThere);
    }
    make_folders(parent)?;
    let temporary = Temporary::write(path, content)?;
    let published = step_around("create.publish", || publish_exclusively(&temporary.path, path, ways))
        .map_err(|source| DurableError::Publish { path: path.to_owned(), source })?;
    match published {
        Created::New => {
            temporary.published();
            sync_folder(parent)?;
        }
        Created::AlreadyThere => {
            drop(temporary);
            settle(path)?;
        }
    }
    Ok(published)
}

/// Writes a file durably, replacing the one of that name if there is one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let parent = parent_of(path)?;
    make_folders(parent)?;
    let temporary = Temporary::write(path, Content::Bytes(bytes))?;
    step_around("replace.rename", || fs::rename(&temporary.path, path))
        .map_err(|source| DurableError::Publish { path: path.to_owned(), source })?;
    temporary.published();
    sync_folder(parent)
}

/// Makes a folder and its missing parents durably.
pub fn make_folders(folder: &Path) -> Result<(), DurableError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    make_folders(parent)?;
    let failed = |source| DurableError::MakeFolder { path: folder.to_owned(), source };
    match step_around("folder.make", || owner_only_folder(folder)) {
        // Another writer may have made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made.map_err(failed)?,
    }
    sync_folder(parent)
}

/// Makes sure that a file found in place, and its name, survive a power cut.
pub fn settle(path: &Path) -> Result<(), DurableError> {
    let failed = |source| DurableError::Sync { path: path.to_owned(), source };
    step_around("settle.file", || File::open(path)?.sync_all()).map_err(failed)?;
    sync_folder(parent_of(path)?)
}

/// Removes temporary files that an earlier process left anywhere below a folder, and returns how many.
///
/// Must only run while nothing else writes there.
pub fn remove_leftovers(folder: &Path) -> Result<usize, DurableError> {
    let failed = |path: &Path, source| DurableError::Sweep { path: path.to_owned(), source };
    let mut removed = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|source| failed(&folder, source))? {
            let entry = entry.map_err(|source| failed(&folder, source))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|source| failed(&path, source))?;
            if kind.is_dir() {
                folders.push(path);
            } else if is_leftover(&entry.file_name()) {
                step_around("sweep.remove", || fs::remove_file(&path))
                    .map_err(|source| failed(&path, source))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Says whether a file name is one that this module gives to temporary files.
pub fn is_leftover(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let Some(inner) = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp")) else { return false };
    let mut parts = inner.rsplitn(3, '.');
    let is_number = |part: Option<&str>| part.is_some_and(|text| text.parse::<u64>().is_ok());
    is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_some_and(|target| !target.is_empty())
}

fn parent_of(path: &Path) -> Result<&Path, DurableError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(_)) => Ok(parent),
        _ => Err(DurableError::NotAFilePath { path: path.to_owned() }),
    }
}

/// What a new file is to hold.
enum Content<'a> {
    Bytes(&'a [u8]),
    Reader(&'a mut dyn Read),
}

impl Content<'_> {
    fn write_to(self, file: &mut File) -> io::Result<()> {
        let reader = match self {
            Self::Bytes(bytes) => return file.write_all(bytes),
            Self::Reader(reader) => reader,
        };
        let mut block = vec![0; COPY_BYTES];
        loop {
            match reader.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(count) => file.write_all(&block[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A synced temporary file, removed again unless it was published.
struct Temporary {
    path: PathBuf,
    published: bool,
}

impl Temporary {
    fn write(target: &Path, content: Content<'_>) -> Result<Self, DurableError> {
        let failed = |source| DurableError::WriteTemporary { path: target.to_owned(), source };
        let (path, mut file) = step_around("temporary.open", || Self::open(target)).map_err(failed)?;
        let temporary = Self { path, published: false };
        step_around("temporary.write", || content.write_to(&mut file)).map_err(failed)?;
        step_around("temporary.sync", || file.sync_all()).map_err(failed)?;
        Ok(temporary)
    }

    fn open(target: &Path) -> io::Result<(PathBuf, File)> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let process = std::process::id();
        for _ in 0..TEMPORARY_NAMES_TRIED_MAX {
            let number = TEMPORARY_COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".{name}.{process}.{number}.tmp"));
            match owner_only_file(&path) {
                // A process with the same number died here before; its file stays for the sweep.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (path, file)),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "every temporary name is taken"))
    }

    fn published(mut self) {
        self.published = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // The sweep at the next start removes what cannot be removed now.
            let _left = fs::remove_file(&self.path);
        }
    }
}

/// A way of giving a file its name without clobbering another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exclusive {
    Rename,
    Link,
    LookAndRename,
}

impl Exclusive {
    const ALL: [Self; 3] = [Self::Rename, Self::Link, Self::LookAndRename];

    /// Publishes in this way; `None` when the file system does not know it.
    fn attempt(self, from: &Path, to: &Path) -> Option<io::Result<()>> {
        let result = match self {
            Self::Rename => rename_exclusively(from, to),
            Self::Link => fs::hard_link(from, to).map(|()| {
                // Two names of one file are harmless; the sweep removes this one if need be.
                let _left = fs::remove_file(from);
            }),
            Self::LookAndRename if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
            Self::LookAndRename => return Some(fs::rename(from, to)),
        };
        match result {
            Err(error) if is_unsupported(&error) => None,
            known => Some(known),
        }
    }
}

fn publish_exclusively(from: &Path, to: &Path, ways: &[Exclusive]) -> io::Result<Created> {
    for way in ways {
        return match way.attempt(from, to) {
            None => continue,
            Some(Ok(())) => Ok(Created::New),
            Some(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::AlreadyThere),
            Some(Err(error)) => Err(error),
        };
    }
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(target_os = "linux"))]
fn rename_exclusively(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// File systems say "I do not know this" in several ways; a permission error is one of them for hard links.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::TooManyLinks
    )
}

#[cfg(unix)]
fn owner_only_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn owner_only_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn owner_only_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn owner_only_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// Makes the names in a folder durable; file systems without the notion are taken at their word.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> Result<(), DurableError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match step_around("folder.sync", || File::open(folder)?.sync_all()) {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result.map_err(|source| DurableError::Sync { path: folder.to_owned(), source }),
    }
}

/// Does nothing: this system has no way to sync a folder.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> Result<(), DurableError> {
    Ok(())
}

#[cfg(test)]
mod tests;
