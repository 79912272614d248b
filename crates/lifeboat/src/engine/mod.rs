//! The engine: takes snapshots of a source into the spool.
//!
//! One run lists the source, surveys every document, harvests the records that may have changed, packs
//! and folds, asks the gate, and publishes to the spool. Replication to other places is the caller's.
//! The engine owns the state folder: a lock keeps a second process out.
//!
//! Killing the process at any moment loses nothing that was acknowledged: the spool is written in the
//! order packs, index, manifest, log, checkpoint, and the state database is committed last.

mod basis;
mod batches;
mod command;
mod database;
mod decision;
mod dictionary;
mod directory;
mod epoch;
mod error;
mod grouper;
mod harvest;
mod history;
mod host_key;
mod input;
mod intake;
mod job;
mod judging;
mod ledger;
mod publish;
mod report;
mod rows;
mod snapshot;
mod source;
mod spill;
mod state;
mod stream;
mod survey;
mod survey_pass;

pub use command::{CommandError, CommandSettings};
pub use decision::{Carry, Decision, RULING_BYTES_MAX, Ruling, RulingError};
pub use error::EngineError;
pub use host_key::{HostKey, HostKeyError};
pub use report::{
    HeldReason, NoProgress, Outcome, Progress, RefusedBatch, SnapshotReport, Stage, UnreadableInput,
};
pub use rows::{RowsError, StoreSink};
pub use source::{SourceError, SourceFiles};
pub use state::StateError;

use history::History;
use jiff::Timestamp;
use lifeboat_clinical::record::Windows;
use lifeboat_feeds::{Format, Rules, TableFeed};
use lifeboat_format::{LookupKey, Passphrase, Recipient, SigningKey, SiteCode};
use lifeboat_replica::Reader;
use rows::RowStore;
use rustix::fs::{FlockOperation, flock};
use state::State;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use survey::Digester;

/// What the engine needs to know of a site.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The site's code.
    pub site: SiteCode,
    /// The site's name, as people know it.
    pub site_name: String,
    /// Where records come from.
    pub source: Source,
    /// What the site decides about whom and what its copies hold.
    pub rules: Rules,
    /// How far back the sections of its records go.
    pub windows: Windows,
    /// The table feeds that there are.
    pub table_feeds: TableFeeds,
    /// How long a file must have been left alone before it is read.
    pub stable_after: Duration,
    /// Where the spool and the state database lie.
    pub state_dir: PathBuf,
    /// The time after a snapshot or heartbeat by which the next one is due.
    pub expected_within: Duration,
    /// Who can open what is sealed from now on.
    pub recipients: Vec<Recipient>,
    /// A break-glass passphrase that opens it too.
    pub passphrase: Option<Passphrase>,
    /// scrypt work factor of the break-glass passphrase.
    pub passphrase_work_factor: u8,
    /// Worker threads; all cores unless set.
    pub threads: Option<usize>,
}

/// Where records come from.
#[derive(Clone)]
pub enum Source {
    /// A folder.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The format of what lies in it; recognised unless it is said.
        format: Option<Format>,
    },
    /// What a command writes.
    Command(CommandSettings),
    /// Rows of this feed that a puller brings through [`Engine::row_sink`].
    Pulled(&'static dyn TableFeed),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder { path, format } => {
                f.debug_struct("Folder").field("path", path).field("format", format).finish()
            }
            Self::Command(settings) => f.debug_tuple("Command").field(settings).finish(),
            Self::Pulled(feed) => f.debug_tuple("Pulled").field(&feed.format()).finish(),
        }
    }
}

/// The table feeds that there are.
#[derive(Clone, Default)]
pub struct TableFeeds(Vec<&'static dyn TableFeed>);

impl TableFeeds {
    /// Takes these feeds, one of each format.
    pub fn new(feeds: Vec<&'static dyn TableFeed>) -> Self {
        Self(feeds)
    }

    fn all(&self) -> impl Iterator<Item = &dyn TableFeed> {
        self.0.iter().map(|feed| *feed as &dyn TableFeed).filter(|feed| feed.format().is_tables())
    }

    fn of(&self, format: Format) -> Option<&'static dyn TableFeed> {
        self.0.iter().copied().find(|feed| feed.format() == format)
    }
}

impl std::fmt::Debug for TableFeeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|feed| feed.format())).finish()
    }
}

/// The keys of the host.
#[derive(Debug)]
pub struct HostKeys {
    /// Signs checkpoints.
    pub signing: SigningKey,
    /// Turns patients' names into record keys.
    pub lookup: LookupKey,
    /// Seals the state database.
    pub host: HostKey,
}

/// Whether a person has looked at what the gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// The gate decides.
    ByGate,
    /// A person accepts the source as it is, for this reason, whatever the gate says.
    ByPerson {
        /// Goes into the log; no patient's data.
        reason: String,
    },
}

/// What a puller said of the rows that it brought.
#[derive(Debug, Clone)]
struct Pulled {
    /// When the server had them.
    as_of: Timestamp,
    /// What of it could not be read.
    unreadable: Vec<UnreadableInput>,
}

/// Takes snapshots of one site into its spool.
pub struct Engine {
    settings: EngineSettings,
    keys: HostKeys,
    history: History,
    state: State,
    /// Opened when they are first needed.
    rows: Option<RowStore>,
    /// As of when a puller brought its rows.
    pulled: Option<Pulled>,
    /// Held as long as the engine lives.
    _lock: File,
}

impl Engine {
    /// Opens a site's state folder, which it makes if need be, and recovers from whatever interrupted the last run.
    ///
    /// # Errors
    /// [`EngineError::Locked`] while another process has the folder open; otherwise what could not be opened.
    pub fn open(settings: EngineSettings, keys: HostKeys) -> Result<Self, EngineError> {
        if settings.recipients.is_empty() {
            return Err(EngineError::NoRecipients);
        }
        let lock = lock_state(&settings.state_dir)?;
        let spool = settings.state_dir.join("spool");
        let history = History::open(&spool, &settings.site, &settings.site_name, keys.signing.clone())?;
        let state = State::open(&settings.state_dir.join("state.redb"), keys.host.clone())?;
        Ok(Self { settings, keys, history, state, rows: None, pulled: None, _lock: lock })
    }

    /// Reads the spool, from which replicas are fed.
    #[must_use]
    pub fn spool_reader(&self) -> Reader {
        self.history.reader()
    }

    /// The log size that a replica must reach to be up to date.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.history.log_size()
    }

    /// Takes over history that some replica has and the spool has not, as after this host was restored from an old image.
    ///
    /// # Errors
    /// When a replica's history contradicts the spool's; nothing may be signed then.
    pub async fn adopt(&mut self, replicas: &[Reader]) -> Result<bool, EngineError> {
        let mut adopted = false;
        for replica in replicas {
            adopted |= self.history.adopt(replica).await?;
        }
        Ok(adopted)
    }

    /// Changes the settings, for instance the recipients, from the next snapshot on.
    ///
    /// # Errors
    /// [`EngineError::NoRecipients`]; the former settings stay.
    pub fn reconfigure(&mut self, settings: EngineSettings) -> Result<(), EngineError> {
        if settings.recipients.is_empty() {
            return Err(EngineError::NoRecipients);
        }
        self.settings = settings;
        Ok(())
    }

    /// Takes a snapshot of the source as it is now; blocks until it is durable in the spool.
    ///
    /// # Errors
    /// Whatever kept the snapshot from being taken; the former one stays the newest.
    pub fn take_snapshot(
        &mut self,
        now: Timestamp,
        acceptance: &Acceptance,
        progress: &dyn Progress,
    ) -> Result<SnapshotReport, EngineError> {
        snapshot::take(self, now, acceptance, progress)
    }

    /// Makes the held snapshot the accepted one; the log says who did it and why.
    ///
    /// # Errors
    /// [`EngineError::NothingHeld`], or what kept it from being published.
    pub fn release(
        &mut self,
        now: Timestamp,
        ruling: &Ruling,
        carry: Carry,
    ) -> Result<Decision, EngineError> {
        decision::release(self, now, ruling, carry)
    }

    /// Records that the held snapshot stays unaccepted, and the same source with it.
    ///
    /// # Errors
    /// [`EngineError::NothingHeld`], or what kept it from being recorded.
    pub fn reject(&mut self, now: Timestamp, ruling: &Ruling, carry: Carry) -> Result<Decision, EngineError> {
        decision::reject(self, now, ruling, carry)
    }

    /// Takes a puller's changes of `feed`'s rows, of which the next snapshot is made.
    ///
    /// # Errors
    /// The database of rows cannot be opened.
    pub fn row_sink(&mut self, feed: &'static dyn TableFeed) -> Result<StoreSink<'_>, EngineError> {
        let threads = self.threads();
        Ok(StoreSink::new(intake::row_store(self, feed)?, threads))
    }

    /// Notes as of when a puller's rows are what its source has, and what of it could not be read.
    pub fn note_pulled(&mut self, as_of: Timestamp, unreadable: Vec<UnreadableInput>) {
        self.pulled = Some(Pulled { as_of, unreadable });
    }

    fn digester(&self) -> Digester {
        Digester::new(self.keys.host.digest_key())
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.settings.threads.unwrap_or_else(cores)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("site", &self.settings.site).finish_non_exhaustive()
    }
}

fn lock_state(folder: &Path) -> Result<File, EngineError> {
    let failed = |source| EngineError::StateFolder { path: folder.into(), source };
    lifeboat_replica::durable::make_folders(folder).map_err(|error| failed(std::io::Error::other(error)))?;
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(EngineError::Locked { path: folder.into() }),
        Err(error) => Err(failed(error.into())),
    }
}

#[cfg(test)]
mod rows_tests;
#[cfg(test)]
mod tests;
