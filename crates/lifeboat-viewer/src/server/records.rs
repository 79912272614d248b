//! The pages with records: day list, search, patient.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::Date;
use lifeboat_clinical::view::{DayListView, HalfDay, SlotView, day_list_view, patient_view};
use lifeboat_format::RecordKey;
use lifeboat_replica::OpenedRecord;
use serde::Deserialize;

use super::app::{
    App, OpenSession, Records, SignedForm, frame, message_page, random_failed, respond, see_other,
};
use super::entry::ask_again;
use super::handles::Query;
use crate::age::show_day;
use crate::clock::practice_day;
use crate::pages::day::{Appointment, DayContent, DayLink, DayPage, Session, Who};
use crate::pages::layout::Place;
use crate::pages::message::Message;
use crate::pages::search::{Found, PersonLine, QUERY_CHARS_MAX};
use crate::pages::{day as day_page, message, patient as patient_page, search as search_pages};
use crate::site::people::RESULTS_FOUND_MAX;
use crate::site::{OpenSite, Unreadable, Wanted};
use crate::token::RandomError;

/// The most results that are shown at once.
const RESULTS_MAX: usize = 50;

/// Shows the day list of the practice's today.
pub async fn today(State(app): State<App>, Records(session): Records) -> Response {
    let today = practice_day(app.now());
    show_day_list(&app, &session, today).await
}

/// Shows the day list of another day.
pub async fn day(State(app): State<App>, Records(session): Records, Path(day): Path<String>) -> Response {
    match day.parse::<Date>() {
        Ok(day) if day.to_string().len() == 10 => show_day_list(&app, &session, day).await,
        _ => not_here(&app, &session),
    }
}

async fn show_day_list(app: &App, session: &OpenSession, day: Date) -> Response {
    let (site, record) = read(app, &session.site, Wanted::Day(day)).await;
    if let Some(elsewhere) = acknowledge_first(app, session, &site) {
        return elsewhere;
    }
    let content = match record {
        Ok(Some(record)) => match day_list_view(&record.bytes) {
            Ok(view) => match sessions(app, &site, &view) {
                Ok(sessions) => DayContent::Sessions(sessions),
                Err(error) => return random_failed(&error),
            },
            Err(_) => DayContent::Unreadable("Its content is not a list of appointments.".to_owned()),
        },
        Ok(None) if site.days().is_empty() => DayContent::NoneHeld,
        Ok(None) => DayContent::NotHeld,
        Err(unreadable) => DayContent::Unreadable(sentences(&unreadable)),
    };
    let link =
        |held: &Date| DayLink { day: show_day(*held), href: format!("/day/{held}"), is_shown: *held == day };
    let page = DayPage {
        day: show_day(day),
        is_today: day == practice_day(app.now()),
        days: site.days().iter().map(link).collect(),
        content,
    };
    let strip = site.strip(app.now(), &app.ages);
    respond(StatusCode::OK, day_page::page(&frame(app, &strip, &session.form, Place::Day), &page))
}

/// Shows the search form.
pub async fn search_page(State(app): State<App>, Records(session): Records) -> Response {
    let strip = session.site.strip(app.now(), &app.ages);
    respond(StatusCode::OK, search_pages::page(&frame(&app, &strip, &session.form, Place::Search), None))
}

/// What the search form sends.
#[derive(Deserialize)]
pub struct SearchFields {
    #[serde(default)]
    query: String,
}

/// Keeps what was typed in the session and goes to an address that does not show it.
pub async fn search(
    State(app): State<App>,
    Records(_session): Records,
    SignedForm(fields): SignedForm<SearchFields>,
) -> Response {
    let typed: String = fields.query.chars().take(QUERY_CHARS_MAX).collect();
    if typed.trim().is_empty() {
        return see_other("/search");
    }
    let kept = match app.desk().handles() {
        Some(handles) => handles.keep_search(Query::new(typed)),
        None => return see_other("/unlock"),
    };
    match kept {
        Ok(handle) => see_other(&format!("/found/{handle}")),
        Err(error) => random_failed(&error),
    }
}

/// Shows the results of a search of this session.
pub async fn found(
    State(app): State<App>,
    Records(session): Records,
    Path(handle): Path<String>,
) -> Response {
    let Some(query) = app.desk().search(&handle) else { return see_other("/search") };
    let site = Arc::clone(&session.site);
    let text = query.clone();
    let found = tokio::task::spawn_blocking(move || site.people().find(text.text())).await;
    // A search that failed must not look like one that found nobody.
    let Ok(hits) = found else { return search_failed() };
    let more = hits.len().saturating_sub(RESULTS_MAX);
    let is_cut_short = hits.len() >= RESULTS_FOUND_MAX;
    let lines: Result<Vec<_>, _> = hits
        .into_iter()
        .take(RESULTS_MAX)
        .filter_map(|key| line(&app, &session.site, key).transpose())
        .collect();
    let people = match lines {
        Ok(people) => people,
        Err(error) => return random_failed(&error),
    };
    let searched = session.site.people().len();
    let found = Found { query: query.text().to_owned(), people, more, is_cut_short, searched };
    let strip = session.site.strip(app.now(), &app.ages);
    let page = search_pages::page(&frame(&app, &strip, &session.form, Place::Search), Some(&found));
    respond(StatusCode::OK, page)
}

/// Shows one patient's record.
pub async fn patient(
    State(app): State<App>,
    Records(session): Records,
    Path(handle): Path<String>,
) -> Response {
    let Some(key) = app.desk().key(&handle) else { return not_here(&app, &session) };
    let (site, record) = read(&app, &session.site, Wanted::Patient(key)).await;
    if let Some(elsewhere) = acknowledge_first(&app, &session, &site) {
        return elsewhere;
    }
    let strip = site.strip(app.now(), &app.ages);
    let frame = frame(&app, &strip, &session.form, Place::Elsewhere);
    let why = match record {
        Ok(Some(record)) => {
            // On a thread of its own: a large record is work, and a failure there is a record that cannot be read.
            let today = practice_day(app.now());
            let view = tokio::task::spawn_blocking(move || patient_view(&record.bytes, today)).await;
            match view {
                Ok(Ok(view)) => return respond(StatusCode::OK, patient_page::page(&frame, &view)),
                Ok(Err(_)) | Err(_) => Unreadable {
                    tried: vec![(site.reading_name(), "its content is not a patient's record".to_owned())],
                },
            }
        }
        Ok(None) => {
            Unreadable { tried: vec![(site.reading_name(), "the snapshot holds no such record".to_owned())] }
        }
        Err(unreadable) => unreadable,
    };
    match site.people().banner(&key) {
        Some(known) => {
            let page = patient_page::unreadable(&frame, &known, &why.tried);
            respond(StatusCode::OK, page)
        }
        None => not_here(&app, &session),
    }
}

/// Sends the reader to the acknowledgement when reading moved to another snapshot that is too old to be shown without.
fn acknowledge_first(app: &App, session: &OpenSession, site: &OpenSite) -> Option<Response> {
    let moved = site.snapshot() != session.site.snapshot();
    let needs = moved && site.age(app.now(), &app.ages).needs_acknowledgement;
    needs.then(|| see_other("/acknowledge"))
}

/// Reads a record; when no copy gives it, asks all replicas again and tries once more.
async fn read(
    app: &App,
    site: &Arc<OpenSite>,
    wanted: Wanted,
) -> (Arc<OpenSite>, Result<Option<OpenedRecord>, Unreadable>) {
    let unreadable = match site.read(wanted).await {
        Ok(read) => return (Arc::clone(site), Ok(read)),
        Err(unreadable) => unreadable,
    };
    match ask_again(app, site).await {
        Some(again) => {
            let read = again.read(wanted).await;
            (again, read)
        }
        None => (Arc::clone(site), Err(unreadable)),
    }
}

fn sessions(app: &App, site: &OpenSite, view: &DayListView) -> Result<Vec<Session>, RandomError> {
    view.sessions
        .iter()
        .map(|session| {
            let half = match session.half {
                HalfDay::Morning => "morning",
                HalfDay::Afternoon => "afternoon",
                HalfDay::Untimed => "no time given",
            };
            let appointments = session.slots.iter().map(|slot| appointment(app, site, slot));
            Ok(Session {
                title: format!("{}, {half}", session.clinician),
                appointments: appointments.collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

fn appointment(app: &App, site: &OpenSite, slot: &SlotView) -> Result<Appointment, RandomError> {
    let key = slot.patient_key.as_deref().and_then(|key| key.parse::<RecordKey>().ok());
    let known = key.map(|key| line(app, site, key)).transpose()?.flatten();
    let who = match (known, &slot.name_as_booked) {
        (Some(person), _) => Who::Patient(Box::new(person)),
        (None, Some(name)) => Who::NoRecord(name.clone()),
        (None, None) if key.is_some() => Who::NoRecord("Name not given".to_owned()),
        (None, None) => Who::Nobody,
    };
    let place: Vec<&str> = slot.channel.iter().chain(&slot.location).map(String::as_str).collect();
    Ok(Appointment {
        time: match &slot.until {
            Some(until) => format!("{}–{until}", slot.time),
            None => slot.time.clone(),
        },
        who,
        status: slot.status.clone(),
        is_off: slot.is_void,
        reason: slot.reason.clone().unwrap_or_default(),
        place: place.join(", "),
        details: slot.details.clone(),
        more: slot.more.clone(),
    })
}

/// Returns what lists show about a patient; nothing when the patient is not in the snapshot.
fn line(app: &App, site: &OpenSite, key: RecordKey) -> Result<Option<PersonLine>, RandomError> {
    let Some(mut line) = site.people().line(&key) else { return Ok(None) };
    let href = match app.desk().handles() {
        Some(handles) => format!("/p/{}", handles.of(key)?),
        None => "/unlock".to_owned(),
    };
    line.href = href;
    line.is_unreadable = site.is_unreadable(&key);
    Ok(Some(line))
}

fn search_failed() -> Response {
    tracing::error!(name: "search_failed", "search failed");
    message_page(
        StatusCode::INTERNAL_SERVER_ERROR,
        &Message {
            heading: "The search failed",
            text: "That does not mean that the patient is not in this copy.",
            remedy: "Go back and search by something else, such as the date of birth or the NHS number.",
        },
    )
}

fn sentences(unreadable: &Unreadable) -> String {
    let one = |(name, why): &(String, String)| format!("Copy {name}: {why}.");
    unreadable.tried.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn not_here(app: &App, session: &OpenSession) -> Response {
    let strip = session.site.strip(app.now(), &app.ages);
    let page = message::page(
        &frame(app, &strip, &session.form, Place::Elsewhere),
        &Message {
            heading: "This address is not known",
            text: "It was made in an earlier session, or it belongs to another copy. Addresses of records work only until \
               the viewer is locked.",
            remedy: "Find the patient again in the day list or with the search.",
        },
    );
    respond(StatusCode::NOT_FOUND, page)
}
