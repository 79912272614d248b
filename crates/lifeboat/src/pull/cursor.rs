//! How far pulling has come, as it is kept with the rows.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::PullError;
use super::settings::{PullMode, PullSettings};

/// The version of [`Cursor`].
const VERSION: u32 = 1;

/// How far pulling has come. It holds addresses of the server, and no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) version: u32,
    /// What was asked of which server; rows of another question are pulled anew.
    pub(super) scope: String,
    /// The last time at which the rows were all that the server had.
    pub(super) whole: Option<Whole>,
    /// When everything was last compared with what the server has.
    pub(super) full: Option<Timestamp>,
    /// Whether rows have been changed since `whole`.
    pub(super) midway: bool,
    /// The export that is under way.
    pub(super) job: Option<Job>,
    /// The round of fetching patients that is under way.
    pub(super) round: Option<Round>,
}

/// A time at which rows were whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whole {
    /// The server's own words for the time from which changes are to be asked for.
    pub(super) since: String,
    /// The time by the server's clock.
    pub(super) at: Timestamp,
}

/// An export at the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// Where its state is asked for.
    pub(super) status_url: String,
    /// From when on changes were asked for; everything without it.
    pub(super) since: Option<String>,
    /// When it was started, by our clock.
    pub(super) started: Timestamp,
    /// Whether there were no rows when it began.
    pub(super) first: bool,
    /// The time that its manifest states.
    pub(super) transaction_time: Option<String>,
    /// How many of its files are done: those that were deleted first, then the others.
    pub(super) parts_done: usize,
}

/// A round of fetching patients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Round {
    /// Whether everybody is fetched.
    pub(super) everybody: bool,
    /// The server's time at its beginning.
    pub(super) from: Whole,
    /// When it began, by our clock.
    pub(super) started: Timestamp,
    /// The last patient of those done, who are taken in the order of their ids.
    pub(super) after: String,
}

/// What the rows that are kept are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing has been pulled, or the place reached cannot be read.
    Nothing,
    /// They are what the server had at this time, by its clock.
    Whole(Timestamp),
    /// A pull ended before it was complete: some are older than others, some may be missing. No snapshot may be taken of them.
    Midway,
}

/// Returns what rows are worth that are kept with this cursor.
pub fn standing(cursor: Option<&[u8]>) -> Standing {
    match cursor.map(serde_json::from_slice::<Cursor>) {
        Some(Ok(Cursor { midway: false, whole: Some(whole), .. })) => Standing::Whole(whole.at),
        Some(Ok(Cursor { midway: true, .. })) => Standing::Midway,
        // Rows may be there, and nothing is known of them.
        Some(Err(_)) => Standing::Midway,
        Some(Ok(_)) | None => Standing::Nothing,
    }
}

impl Cursor {
    /// Returns the cursor of a server from which nothing has been pulled.
    pub(super) fn start(settings: &PullSettings) -> Self {
        Cursor {
            version: VERSION,
            scope: scope(settings),
            whole: None,
            full: None,
            midway: false,
            job: None,
            round: None,
        }
    }

    /// Reads what was kept; what cannot be read, or belongs to another question, begins anew and counts as midway.
    pub(super) fn read(kept: Option<&[u8]>, settings: &PullSettings) -> Result<Self, PullError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let start = Cursor::start(settings);
        let Some(bytes) = kept else { return Ok(start) };
        if let Ok(Versioned { version }) = serde_json::from_slice(bytes)
            && version > VERSION
        {
            return Err(PullError::NewerCursor);
        }
        match serde_json::from_slice::<Cursor>(bytes) {
            Ok(cursor) if cursor.scope == start.scope => Ok(cursor),
            _ => Ok(Cursor { midway: true, ..start }),
        }
    }

    /// Writes the cursor.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and texts can be written")
    }
}

/// Returns a digest of what is asked of which server.
fn scope(settings: &PullSettings) -> String {
    let mode = match &settings.mode {
        PullMode::Bulk { group } => format!("bulk {}", group.as_deref().unwrap_or_default()),
        PullMode::Search { fetch } => format!("search {fetch:?}"),
    };
    let asked = serde_json::json!([settings.base_url.as_str(), mode, settings.types, settings.shared_types]);
    blake3::hash(asked.to_string().as_bytes()).to_hex()[..32].to_owned()
}
