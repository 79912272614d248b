//! Where everything that a server answers goes: into the sink, counted, and committed now and then.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use lifeboat_feeds::fhir_rows::{RESOURCE, row_change, row_gone};
use lifeboat_feeds::{Problem, RowChange, RowKeys, Unit};

use super::cursor::Cursor;
use super::error::PullError;
use super::http::Server;
use super::report::{PullProgress, PullReport};

/// The type of appointments, which have their own window.
pub(super) const APPOINTMENT: &str = "Appointment";

/// Every how many resources progress is told.
const PROGRESS_EVERY: u64 = 500;

/// The sink during one pull.
pub(super) struct Intake<'a, S: RowKeys> {
    sink: &'a mut S,
    pub(super) cursor: Cursor,
    pub(super) report: PullReport,
    progress: &'a (dyn Fn(PullProgress) + Sync),
    /// The types whose resources are kept.
    kept: BTreeSet<String>,
    uncommitted: u64,
    commit_rows: u64,
    /// Digests of the keys of everything that came, while everything comes.
    seen: Option<HashSet<[u8; 16]>>,
    /// The types of which everything came.
    swept: BTreeSet<String>,
}

/// What became of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is kept.
    Kept {
        /// Its key.
        key: String,
        /// Whose it is.
        unit: Unit,
    },
    /// It is not, and the report says why.
    Left,
}

fn digest(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    short
}

/// Returns the type in a key.
fn kind_of(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

impl<'a, S: RowKeys> Intake<'a, S> {
    pub(super) fn new(
        sink: &'a mut S,
        server: &Server<'_>,
        progress: &'a (dyn Fn(PullProgress) + Sync),
    ) -> Result<Self, PullError> {
        let kept = sink.cursor().map_err(|error| PullError::Keep(Box::new(error)))?;
        let cursor = Cursor::read(kept.as_deref(), server.settings)?;
        let settings = server.settings;
        let types = settings.types.iter().chain(&settings.shared_types).cloned();
        let own = ["Patient", APPOINTMENT].map(str::to_owned);
        Ok(Self {
            sink,
            cursor,
            report: PullReport::default(),
            progress,
            kept: types.chain(own).collect(),
            uncommitted: 0,
            commit_rows: server.limits().commit_rows,
            seen: None,
            swept: BTreeSet::new(),
        })
    }

    pub(super) fn tell(&self, progress: PullProgress) {
        (self.progress)(progress);
    }

    /// Looks at a resource and says what it would change; what cannot be read is counted.
    pub(super) fn read(&mut self, resource: &[u8], place: impl FnOnce() -> Problem) -> Option<RowChange> {
        match row_change(resource) {
            Ok(RowChange::Put { key, .. }) if !self.kept.contains(kind_of(&key)) => {
                self.report.unasked += 1;
                None
            }
            Ok(change) => Some(change),
            Err(problem) => {
                let place = place();
                self.report.unreadable(Problem { reason: problem.reason, ..place });
                None
            }
        }
    }

    /// Takes a resource as it came.
    pub(super) fn take(
        &mut self,
        resource: &[u8],
        place: impl FnOnce() -> Problem,
    ) -> Result<Taken, PullError> {
        let Some(change) = self.read(resource, place) else { return Ok(Taken::Left) };
        let taken = match &change {
            RowChange::Put { key, unit, .. } => Taken::Kept { key: key.clone(), unit: unit.clone() },
            _ => Taken::Left,
        };
        self.change(change)?;
        Ok(taken)
    }

    /// Takes a change.
    pub(super) fn change(&mut self, change: RowChange) -> Result<(), PullError> {
        match &change {
            RowChange::Put { key, .. } => {
                if let Some(seen) = &mut self.seen {
                    seen.insert(digest(key));
                }
                self.report.put += 1;
                if self.report.put.is_multiple_of(PROGRESS_EVERY) {
                    (self.progress)(PullProgress::Resources(self.report.put));
                }
            }
            RowChange::Ignore => return Ok(()),
            _ => self.report.removed += 1,
        }
        self.cursor.midway = true;
        self.uncommitted += 1;
        self.sink.change(change).map_err(|error| PullError::Keep(Box::new(error)))
    }

    /// Keeps what was taken, and the place reached.
    pub(super) fn commit(&mut self) -> Result<(), PullError> {
        self.uncommitted = 0;
        let cursor = self.cursor.to_bytes();
        self.sink.commit(&cursor).map_err(|error| PullError::Keep(Box::new(error)))
    }

    /// Keeps what was taken before an error, so that the cursor says of it that it is not whole.
    pub(super) fn leave(&mut self, error: &PullError) -> Result<(), PullError> {
        if self.uncommitted == 0 || matches!(error, PullError::Keep(_)) { Ok(()) } else { self.commit() }
    }

    /// Keeps what was taken if that is much.
    pub(super) fn commit_when_due(&mut self) -> Result<(), PullError> {
        if self.uncommitted < self.commit_rows { Ok(()) } else { self.commit() }
    }

    /// Returns the keys of a type's rows.
    pub(super) fn keys(&mut self, kind: &str) -> Result<Vec<String>, PullError> {
        let prefix = if kind.is_empty() { String::new() } else { format!("{kind}/") };
        self.sink.keys(RESOURCE, &prefix).map_err(|error| PullError::Keep(Box::new(error)))
    }

    /// Remembers from now on what comes, because everything is asked for.
    pub(super) fn remember(&mut self) {
        self.seen = Some(HashSet::new());
    }

    /// Gives up remembering, because not everything came to this process.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// Says that everything of a type has come.
    pub(super) fn swept(&mut self, kind: &str) {
        self.swept.insert(kind.to_owned());
    }

    /// Removes the rows of swept types that did not come, and those of types that are not kept any more.
    pub(super) fn sweep(&mut self, server: &Server<'_>) -> Result<(), PullError> {
        let Some(seen) = self.seen.take() else { return Ok(()) };
        let mut of: BTreeMap<String, usize> = BTreeMap::new();
        let mut gone: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for key in self.keys("")? {
            let kind = kind_of(&key).to_owned();
            *of.entry(kind.clone()).or_default() += 1;
            let unasked = !self.kept.contains(&kind) && kind != "Bundle";
            if unasked || (self.swept.contains(&kind) && !seen.contains(&digest(&key))) {
                gone.entry(kind).or_default().push(key);
            }
        }
        for (kind, keys) in &gone {
            if self.kept.contains(kind) {
                believe(server, kind, keys.len(), of.get(kind).copied().unwrap_or_default())?;
            }
        }
        for key in gone.into_values().flatten() {
            if let Some((kind, id)) = key.split_once('/') {
                self.change(row_gone(kind, id))?;
                self.commit_when_due()?;
            }
        }
        Ok(())
    }
}

/// Refuses to believe that so many resources have vanished at once.
pub(super) fn believe(server: &Server<'_>, kind: &str, gone: usize, of: usize) -> Result<(), PullError> {
    let limits = server.limits();
    let share = gone.saturating_mul(100) > of.saturating_mul(limits.gone_percent_max as usize);
    if gone > limits.gone_min && share {
        return Err(PullError::TooManyGone { kind: kind.to_owned(), gone, of });
    }
    Ok(())
}
