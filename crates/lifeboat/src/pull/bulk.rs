//! Bulk Data export: asking for it, waiting for it, reading its files.
//!
//! The address of the export and the number of files that are done stand in the cursor, so that a pull which ends
//! anywhere goes on from there. What is read twice is put twice, which changes nothing. That a resource does not come in
//! an export of changes means nothing; deletions come from the manifest, from the history, or from comparing with an
//! export of everything.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use lifeboat_feeds::fhir_rows::row_gone;
use lifeboat_feeds::{Problem, Reason, RowKeys};
use reqwest::StatusCode;
use reqwest::header::CONTENT_LOCATION;
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::Url;

use super::capability::Capability;
use super::cursor::{Job, Whole};
use super::error::{PullError, Step};
use super::http::{Accept, Call, Failure, Server, Tries};
use super::intake::Intake;
use super::lines::Lines;
use super::pages::deletions;
use super::report::{Extent, Note, PullProgress};
use super::settings::{ExportErrors, PullMode};

/// How often an export that the server has lost is begun anew within one pull.
const RESTARTS_MAX: u32 = 2;
/// Most characters of what a server says about its progress.
const PROGRESS_CHARS_MAX: usize = 100;

#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "transactionTime")]
    time: String,
    #[serde(rename = "requiresAccessToken")]
    token: Option<bool>,
    output: Vec<Part>,
    deleted: Option<Vec<Part>>,
    error: Option<Vec<Part>>,
}

#[derive(Clone, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: String,
    count: Option<u64>,
}

/// What the lines of a file are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Resources,
    Deletions,
    Errors,
}

/// Exports everything or what has changed; returns the time that the rows are of.
pub(super) async fn export<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    extent: Extent,
) -> Result<Whole, PullError> {
    let types = wanted_types(server, capability, intake);
    let since = match extent {
        Extent::Full => None,
        Extent::Changes => intake.cursor.whole.as_ref().map(|whole| whole.since.clone()),
    };
    if intake.cursor.job.as_ref().is_some_and(|job| job.since.is_some() && extent == Extent::Full) {
        end(server, intake).await;
    }
    for _ in 0..=RESTARTS_MAX {
        let resumed = intake.cursor.job.is_some();
        if !resumed {
            start(server, intake, &types, since.clone()).await?;
        }
        let Some(manifest) = wait(server, intake).await? else {
            // The server has lost the export, for instance by restarting; what was read of it stands.
            intake.cursor.job = None;
            intake.commit()?;
            continue;
        };
        let at = read_all(server, intake, &manifest, resumed).await?;
        if extent == Extent::Full {
            types.iter().for_each(|kind| intake.swept(kind));
        }
        return Ok(Whole { since: manifest.time, at });
    }
    Err(PullError::ExportFailed { status: StatusCode::NOT_FOUND })
}

/// Returns the types that are asked for: those of the settings that the server lists.
fn wanted_types<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
) -> Vec<String> {
    let mut types = vec!["Patient".to_owned()];
    for kind in server.settings.types.iter().filter(|kind| *kind != "Patient") {
        if capability.lists(kind) {
            types.push(kind.clone());
        } else {
            intake.report.note(Note::TypeNotListed(kind.clone()));
        }
    }
    types
}

/// Asks for an export and remembers where it is.
async fn start<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    types: &[String],
    since: Option<String>,
) -> Result<(), PullError> {
    let path = match &server.settings.mode {
        PullMode::Bulk { group: Some(group) } => format!("Group/{group}/$export"),
        _ => "Patient/$export".to_owned(),
    };
    let types = types.join(",");
    let mut parameters = vec![("_type", types.as_str())];
    if let Some(since) = &since {
        parameters.push(("_since", since));
    }
    let step = Step::StartExport;
    let call =
        Call::get(step.clone(), server.asking(&path, &parameters), Accept::Fhir).prefer("respond-async");
    let response = server.begin(&call).await.map_err(|error| match error {
        error if error.is_not_offered() => {
            PullError::NotOffered { what: "a Bulk Data export of patients with these types".to_owned() }
        }
        error => error,
    })?;
    let place = response.headers().get(CONTENT_LOCATION).and_then(|value| value.to_str().ok());
    let what = "it does not say where the export is (no Content-Location)";
    let place = place.ok_or(PullError::Malformed { step: step.clone(), what })?;
    let status_url = server.link(&step, response.url(), place)?;
    intake.cursor.job = Some(Job {
        status_url: status_url.into(),
        first: since.is_none() && intake.cursor.full.is_none() && !intake.cursor.midway,
        since,
        started: server.now(),
        transaction_time: None,
        parts_done: 0,
    });
    intake.commit()
}

/// Waits until the export is ready; `None` when the server does not know it any more.
async fn wait<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
) -> Result<Option<Manifest>, PullError> {
    let Some(job) = intake.cursor.job.clone() else { return Ok(None) };
    let limits = server.limits();
    let step = Step::AwaitExport;
    let Ok(url) = Url::parse(&job.status_url) else { return Ok(None) };
    let call = Call::get(step.clone(), url, Accept::Json);
    let began = Instant::now();
    let before = Duration::try_from(server.now().duration_since(job.started)).unwrap_or_default();
    let mut pause = limits.poll_min;
    loop {
        let response = match server.begin(&call).await {
            Ok(response) => response,
            Err(error) if error.is_gone() => return Ok(None),
            Err(PullError::Refused { status, .. } | PullError::Busy { status, .. })
                if !matches!(status.as_u16(), 403 | 429 | 502 | 503 | 504) =>
            {
                end(server, intake).await;
                intake.commit()?;
                return Err(PullError::ExportFailed { status });
            }
            Err(error) => return Err(error),
        };
        if response.status() != StatusCode::ACCEPTED {
            return read_manifest(server, &call, response).await.map(Some);
        }
        let said = response.headers().get("x-progress").and_then(|value| value.to_str().ok());
        let said = said.map(|text| text.chars().take(PROGRESS_CHARS_MAX).collect());
        intake.tell(PullProgress::Exporting(said));
        if before + began.elapsed() > limits.export_max {
            end(server, intake).await;
            intake.commit()?;
            return Err(PullError::ExportTooSlow { limit: limits.export_max });
        }
        let asked = server.retry_after(response.headers()).unwrap_or(pause);
        pause = (pause * 2).min(limits.poll_max);
        tokio::time::sleep(asked.clamp(limits.poll_min, limits.poll_max.max(limits.poll_min))).await;
    }
}

async fn read_manifest(
    server: &Server<'_>,
    call: &Call,
    response: reqwest::Response,
) -> Result<Manifest, PullError> {
    let what = "the export's manifest is not one";
    let malformed = |_| PullError::Malformed { step: call.step.clone(), what };
    let body = match server.whole(call, response, server.limits().page_bytes_max).await {
        Ok(body) => body,
        // The answer broke off; the question can be asked again.
        Err(failure) => {
            let mut tries = Tries::default();
            tries.again(server, failure).await?;
            server.fetch(call).await?.body
        }
    };
    let manifest: Manifest = serde_json::from_slice(&body).map_err(malformed)?;
    let parts = manifest.output.len() + manifest.deleted.as_ref().map_or(0, Vec::len);
    let limit = server.limits().parts_max;
    if parts > limit {
        return Err(PullError::TooMuch { step: call.step.clone(), what: "files", limit: limit as u64 });
    }
    Ok(manifest)
}

/// Reads every file of an export that is not done yet; returns the export's time.
async fn read_all<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    manifest: &Manifest,
    resumed: bool,
) -> Result<Timestamp, PullError> {
    let what = "the manifest's transactionTime is not an instant";
    let at = manifest.time.parse().map_err(|_| PullError::Malformed { step: Step::AwaitExport, what })?;
    check_errors(server, intake, manifest).await?;
    let deleted = manifest.deleted.iter().flatten().map(|part| (Holds::Deletions, part));
    let output = manifest.output.iter().map(|part| (Holds::Resources, part));
    let parts: Vec<(Holds, &Part)> = deleted.chain(output).collect();
    let done = prepare(intake, manifest, resumed);
    for (at, (holds, part)) in parts.iter().enumerate().skip(done) {
        intake.tell(PullProgress::Parts { done: at, of: parts.len() });
        read_part(server, intake, manifest, part, *holds).await?;
        intake.report.parts += 1;
        if let Some(job) = &mut intake.cursor.job {
            job.parts_done = at + 1;
        }
        intake.commit()?;
    }
    intake.tell(PullProgress::Parts { done: parts.len(), of: parts.len() });
    Ok(at)
}

/// Says how many files are done already, and whether what vanished can be known at the end.
fn prepare<S: RowKeys>(intake: &mut Intake<'_, S>, manifest: &Manifest, resumed: bool) -> usize {
    let Some(job) = &mut intake.cursor.job else { return 0 };
    let same = job.transaction_time.as_deref() == Some(manifest.time.as_str());
    if !same {
        job.parts_done = 0;
        job.transaction_time = Some(manifest.time.clone());
    }
    // Only who has read all files knows what is in none of them; of a first export nothing can be missing.
    let compares = job.since.is_none() && !job.first;
    if compares && resumed {
        job.parts_done = 0;
    }
    let (done, first) = (job.parts_done, job.first);
    if first && done > 0 {
        intake.forget();
    }
    done
}

/// Reads what the export says of its own errors.
async fn check_errors<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    manifest: &Manifest,
) -> Result<(), PullError> {
    let mut count = 0;
    for part in manifest.error.iter().flatten() {
        count += read_part(server, intake, manifest, part, Holds::Errors).await?;
    }
    match server.settings.export_errors {
        _ if count == 0 => Ok(()),
        ExportErrors::Accept => {
            intake.report.note(Note::ExportErrors(count));
            Ok(())
        }
        ExportErrors::Refuse => {
            end(server, intake).await;
            intake.commit()?;
            Err(PullError::ExportIncomplete { count })
        }
    }
}

/// Reads one file, from its beginning if it breaks off; returns how many errors it speaks of.
async fn read_part<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    manifest: &Manifest,
    part: &Part,
    holds: Holds,
) -> Result<u64, PullError> {
    let kind =
        part.kind.as_deref().filter(|kind| kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_alphabetic()));
    let step = Step::ReadPart(kind.unwrap_or("unnamed").to_owned());
    let base = intake.cursor.job.as_ref().and_then(|job| Url::parse(&job.status_url).ok());
    let base = base.unwrap_or_else(|| server.settings.base_url.clone());
    let url = server.link(&step, &base, &part.url)?;
    let mut call = Call::get(step.clone(), url, Accept::Lines).within(server.limits().part_max);
    if manifest.token == Some(false) {
        call = call.open();
    } else if manifest.token == Some(true) && !server.is_home(&call.url) {
        return Err(PullError::TokenElsewhere { step, to: super::http::origin(&call.url) });
    }
    let mut tries = Tries::default();
    loop {
        match read_lines(server, intake, &call, holds, part.count).await {
            Ok(errors) => return Ok(errors),
            Err(failure) => tries.again(server, failure).await?,
        }
    }
}

async fn read_lines<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    call: &Call,
    holds: Holds,
    count: Option<u64>,
) -> Result<u64, Failure> {
    let response = server.once(call).await?;
    let mut body = server.body(call, response, server.limits().part_bytes_max)?;
    let mut lines = Lines::default();
    let mut reader = LineReader { call, holds, line: 0, items: 0, errors: 0 };
    while let Some(chunk) = body.chunk().await? {
        lines.push(&chunk);
        while let Some(line) = lines.next() {
            reader.read(intake, line)?;
        }
        let limit = server.limits().line_bytes_max;
        if lines.waiting() > limit {
            let (step, limit) = (call.step.clone(), limit as u64);
            return Err(PullError::TooMuch { step, what: "bytes in one line", limit }.into());
        }
        intake.commit_when_due()?;
    }
    let rest = lines.rest().trim_ascii();
    if !rest.is_empty() && serde_json::from_slice::<IgnoredAny>(rest).is_err() {
        return Err(PullError::CutShort { step: call.step.clone() }.into());
    }
    reader.read(intake, rest)?;
    if holds == Holds::Resources && count.is_some_and(|count| reader.items < count) {
        return Err(PullError::CutShort { step: call.step.clone() }.into());
    }
    Ok(reader.errors)
}

/// Reads the lines of one file.
struct LineReader<'c> {
    call: &'c Call,
    holds: Holds,
    line: u64,
    items: u64,
    errors: u64,
}

impl LineReader<'_> {
    fn read<S: RowKeys>(&mut self, intake: &mut Intake<'_, S>, line: &[u8]) -> Result<(), PullError> {
        self.line += 1;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        self.items += 1;
        let (step, number) = (self.call.step.to_string(), self.line);
        let place = || Problem { row: Some(number), ..Problem::of_file(step, Reason::EmptyValue) };
        match self.holds {
            Holds::Resources => {
                intake.take(line, place)?;
            }
            Holds::Errors => self.errors += u64::from(is_error(line)),
            Holds::Deletions => match deletions(line) {
                Some(gone) => {
                    for (kind, id) in gone {
                        intake.change(row_gone(&kind, &id))?;
                    }
                }
                None => intake.report.unreadable(Problem {
                    reason: Reason::Malformed("is not a Bundle of deletions".to_owned()),
                    ..place()
                }),
            },
        }
        Ok(())
    }
}

/// Says whether an OperationOutcome speaks of an error; what is none counts as one.
fn is_error(line: &[u8]) -> bool {
    let Ok(outcome) = serde_json::from_slice::<serde_json::Value>(line) else { return true };
    let Some(issues) = outcome["issue"].as_array() else { return true };
    issues.iter().any(|issue| !matches!(issue["severity"].as_str(), Some("information" | "warning")))
}

/// Tells the server that the export is not needed any more, and forgets it. That may fail: servers tidy up themselves.
pub(super) async fn end<S: RowKeys>(server: &Server<'_>, intake: &mut Intake<'_, S>) {
    let Some(job) = intake.cursor.job.take() else { return };
    if let Ok(url) = Url::parse(&job.status_url) {
        let _ = server.once(&Call::delete(Step::EndExport, url)).await;
    }
}
