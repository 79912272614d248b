//! Pulling records from a FHIR R4 server into the rows that are kept.
//!
//! A [`Puller`] asks one server, by Bulk Data export or by searches, for everything at first and for changes from then
//! on, and gives what comes to a [`RowSink`](lifeboat_feeds::RowSink). Everything is compared with the server again at
//! regular times ([`PullSettings::full_every`]), so that what was missed does not stay missed. A pull can end anywhere;
//! the next one goes on. Until it is complete the rows are of different times, and [`standing`] says so: then no snapshot
//! may be taken of them.
//!
//! Only the configured origin gets credentials, only it (or what the settings allow) is followed, and every number that
//! a server could make large has a limit. Errors and reports name no patient and no address below the server's base.

mod auth;
mod bulk;
mod capability;
mod cursor;
mod error;
mod http;
mod intake;
mod jwt;
mod lines;
mod pages;
mod report;
mod search;
mod settings;

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use lifeboat_feeds::RowKeys;

use self::auth::Authority;
use self::capability::Capability;
pub use self::cursor::{Standing, standing};
pub use self::error::{PullError, Step};
use self::http::Server;
use self::intake::Intake;
pub use self::report::{Extent, Note, PullProgress, PullReport};
pub use self::settings::{
    ExportErrors, Fetch, PATIENT_TYPES, PlainHttp, PullAuth, PullLimits, PullMode, PullSettings, SCOPE,
    SHARED_TYPES,
};
use crate::clock::practice_date;

/// By how much a clock may have been set back without anything being made of it.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(5);

/// Pulls from one FHIR server.
pub struct Puller {
    settings: PullSettings,
    client: reqwest::Client,
    authority: Authority,
}

impl std::fmt::Debug for Puller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Puller")
            .field("server", &http::origin(&self.settings.base_url))
            .finish_non_exhaustive()
    }
}

/// What a server offers of the things that pulling can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Bulk Data export of all patients.
    pub export: bool,
    /// Summaries of single patients.
    pub summary: bool,
    /// Everything of single patients.
    pub everything: bool,
    /// The history of everything, from which deletions are known.
    pub history: bool,
    /// Searches for appointments by date.
    pub appointments: bool,
}

impl Puller {
    /// Prepares to pull; nothing is sent and no secret is read yet.
    ///
    /// # Errors
    /// The address, the certificate authority or the proxy cannot be used.
    pub fn new(settings: PullSettings) -> Result<Self, PullError> {
        let client = http::client(&settings)?;
        let authority = Authority::new(settings.auth.clone());
        Server::new(&settings, &client, &authority, Timestamp::UNIX_EPOCH)?;
        Ok(Self { settings, client, authority })
    }

    /// Asks the server what it offers, with our credentials.
    ///
    /// # Errors
    /// The server cannot be reached, refuses us, or is not one of FHIR R4.
    pub async fn offer(&self, now: Timestamp) -> Result<Offer, PullError> {
        let server = Server::new(&self.settings, &self.client, &self.authority, now)?;
        let capability = Capability::read(&server).await?;
        Ok(Offer {
            export: capability.operates("export"),
            summary: capability.operates("summary"),
            everything: capability.operates("everything"),
            history: capability.has_history(),
            appointments: capability.takes(intake::APPOINTMENT, "date"),
        })
    }

    /// Pulls what has changed, or everything where that is due, and says what was done.
    ///
    /// After an error the sink keeps what was taken, with a cursor that says so; the next pull goes on from there. A sink whose
    /// pull was dropped before it ended must forget what was not committed.
    ///
    /// # Errors
    /// Why the rows are not what the server has.
    pub async fn pull<S: RowKeys>(
        &self,
        sink: &mut S,
        now: Timestamp,
        progress: &(dyn Fn(PullProgress) + Sync),
    ) -> Result<PullReport, PullError> {
        let server = Server::new(&self.settings, &self.client, &self.authority, now)?;
        let limit = self.settings.limits.total_max;
        let mut intake = Intake::new(sink, &server, progress)?;
        let done = tokio::time::timeout(limit, pull(&server, &mut intake)).await;
        if let Err(error) = done.unwrap_or(Err(PullError::TookTooLong { limit })) {
            intake.leave(&error)?;
            return Err(error);
        }
        let mut report = intake.report;
        report.requests = server.counts.requests.load(Ordering::Relaxed);
        report.retries = server.counts.retries.load(Ordering::Relaxed);
        report.bytes = server.counts.bytes.load(Ordering::Relaxed);
        Ok(report)
    }
}

async fn pull<S: RowKeys>(server: &Server<'_>, intake: &mut Intake<'_, S>) -> Result<(), PullError> {
    let capability = Capability::read(server).await?;
    let extent = due(server, intake);
    intake.report.extent = extent;
    let last = intake.cursor.whole.clone().filter(|_| extent == Extent::Changes);
    let last = last.map(|whole| whole.since);
    if extent == Extent::Full {
        intake.remember();
    }
    let whole = match server.settings.mode {
        PullMode::Bulk { .. } => bulk::export(server, &capability, intake, extent).await?,
        PullMode::Search { .. } => search::patients(server, &capability, intake, extent).await?,
    };
    search::shared(server, &capability, intake, last.as_deref()).await?;
    search::appointments(server, &capability, intake, practice_date(server.now())).await?;
    if let Some(since) = &last {
        search::deleted(server, &capability, intake, since).await?;
    }
    intake.sweep(server)?;
    bulk::end(server, intake).await;
    intake.report.as_of = Some(whole.at);
    intake.cursor.whole = Some(whole);
    if extent == Extent::Full {
        intake.cursor.full = Some(server.now());
    }
    intake.cursor.round = None;
    intake.cursor.midway = false;
    intake.commit()
}

/// Says whether everything is to be asked for.
fn due<S: RowKeys>(server: &Server<'_>, intake: &Intake<'_, S>) -> Extent {
    let cursor = &intake.cursor;
    let every = server.settings.full_every;
    let recent = |at: Timestamp| {
        let age = server.now().duration_since(at);
        // A time that has not come yet means that a clock was set; everything is compared again.
        age >= -CLOCK_SLACK && age < SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX)
    };
    match (&cursor.whole, cursor.full) {
        (Some(_), Some(at)) if recent(at) => Extent::Changes,
        _ => Extent::Full,
    }
}
