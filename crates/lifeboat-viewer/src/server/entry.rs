//! Getting in and out: launch, unlock, lock, acknowledge an old copy, ask the replicas again.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use lifeboat_replica::Choice;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::app::{
    AnySession, App, COOKIE_NAME, OpenSession, SignedForm, cookie, frame, message_page, random_failed,
    respond, see_other, stranger,
};
use super::desk::{Glance, LockReason};
use crate::age::duration_words;
use crate::pages::layout::{Frame, Place};
use crate::pages::message::Message;
use crate::pages::strip::Strip;
use crate::pages::{acknowledge, copy, held, unlock};
use crate::token::Token;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Takes pages that the browser keeps for the way back out of its memory as well.
const CLEARED: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// Exchanges a launch token for the session's cookie and goes to the day list.
pub async fn launch(State(app): State<App>, Path(token): Path<String>) -> Response {
    let launched = app.desk().launch(&token, app.now());
    match launched {
        Ok(Some(session)) => {
            let text = format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict", session.reveal());
            let mut response = see_other("/");
            if let Ok(mut value) = HeaderValue::try_from(text) {
                value.set_sensitive(true);
                response.headers_mut().insert(SET_COOKIE, value);
            }
            response
        }
        Ok(None) => message_page(
            StatusCode::GONE,
            &Message {
                heading: "This launch address no longer works",
                text: "It works once, and only for a minute after the viewer made it.",
                remedy: "If the viewer is already open in another tab, go there. Otherwise press Enter in the window in \
                     which the viewer was started: it gives a new address.",
            },
        ),
        Err(error) => random_failed(&error),
    }
}

/// Shows the form for the passphrase.
pub async fn unlock_page(State(app): State<App>, session: AnySession) -> Response {
    if session.site.is_some() {
        return see_other("/");
    }
    let locked = session.reason.map(|reason| reason.sentence(app.desk().limits()));
    ask(&app, &session.form, StatusCode::OK, None, locked).await
}

/// What the unlock form sends.
#[derive(Deserialize)]
pub struct UnlockFields {
    #[serde(default)]
    passphrase: String,
}

/// Tries the passphrase, asks all replicas, and opens the freshest copy that verifies.
pub async fn unlock(
    State(app): State<App>,
    headers: HeaderMap,
    session: AnySession,
    SignedForm(fields): SignedForm<UnlockFields>,
) -> Response {
    let passphrase = SecretString::from(fields.passphrase);
    if session.site.is_some() {
        return see_other("/");
    }
    let Ok(_one_at_a_time) = app.opening.try_lock() else {
        let problem = "Another try is still running. Wait for it, then try again.";
        return ask(&app, &session.form, StatusCode::TOO_MANY_REQUESTS, Some(problem.to_owned()), None).await;
    };
    if app.source.needs_passphrase() && passphrase.expose_secret().is_empty() {
        let problem = "Type the passphrase.".to_owned();
        return ask(&app, &session.form, StatusCode::UNPROCESSABLE_ENTITY, Some(problem), None).await;
    }
    let allowed = app.desk().throttle.allow(app.now());
    if let Err(wait) = allowed {
        let wait = if wait.seconds < 60 {
            format!("{} seconds", wait.seconds)
        } else {
            duration_words(wait.seconds)
        };
        let problem = format!("Too many wrong tries. Wait {wait}, then try again.");
        return ask(&app, &session.form, StatusCode::TOO_MANY_REQUESTS, Some(problem), None).await;
    }
    // Counted before it is tried, so that hanging up in the middle saves an attacker nothing.
    app.desk().throttle.failed(app.now());
    let opened = app.source.open(Some(passphrase), &*app.clock).await;
    let error = match opened {
        Ok(site) => {
            let mut desk = app.desk();
            desk.throttle.succeeded();
            desk.open(cookie(&headers), Arc::new(site), app.now());
            return see_other("/");
        }
        Err(error) => error,
    };
    if !error.is_wrong_secret() {
        app.desk().throttle.succeeded();
    }
    tracing::warn!(name: "site_not_opened", reason = error.name());
    let problem = format!("{} {}", error.sentence(), error.remedy());
    ask(&app, &session.form, StatusCode::UNPROCESSABLE_ENTITY, Some(problem), None).await
}

async fn ask(
    app: &App,
    form: &Token,
    status: StatusCode,
    problem: Option<String>,
    locked: Option<String>,
) -> Response {
    let replicas = app.source.found(&*app.clock).await;
    let strip = Strip { site: app.source.site_before_unlock(), copy: None };
    let frame =
        Frame { strip: &strip, form_token: Some(form.reveal()), place: None, leave_after_seconds: None };
    let page = unlock::page(&frame, &unlock::Unlock { key: app.source.key(), replicas, problem, locked });
    respond(status, page)
}

/// Closes what is open and shows the form for the passphrase.
pub async fn lock(
    State(app): State<App>,
    _session: AnySession,
    SignedForm(Nothing {}): SignedForm<Nothing>,
) -> Response {
    app.desk().lock(LockReason::ByHand);
    let mut response = see_other("/unlock");
    response.headers_mut().insert(CLEAR_SITE_DATA, CLEARED);
    response
}

/// A form without fields of its own.
#[derive(Deserialize)]
pub struct Nothing {}

/// The page to which an idle screen goes by itself.
///
/// The browser comes here without anybody's doing, so coming here is not use.
pub async fn locked(State(app): State<App>, headers: HeaderMap) -> Response {
    let glance = app.desk().glance(cookie(&headers), app.now());
    let mut response = match glance {
        Glance::Stranger => return stranger(),
        Glance::Locked => see_other("/unlock"),
        Glance::Open => hidden(),
    };
    response.headers_mut().insert(CLEAR_SITE_DATA, CLEARED);
    response
}

fn hidden() -> Response {
    message_page(
        StatusCode::OK,
        &Message {
            heading: "Hidden because nobody used it",
            text: "This page was left alone for a while, so the record was hidden. The viewer itself is still open, \
               because it was used in another tab.",
            remedy: "Press Back, or open the viewer's first page again, to go on.",
        },
    )
}

/// Shows how old the copy is and asks for acknowledgement.
pub async fn acknowledge_page(State(app): State<App>, session: OpenSession) -> Response {
    let strip = session.site.strip(app.now(), &app.ages);
    let Some(line) = &strip.copy else { return see_other("/") };
    respond(StatusCode::OK, acknowledge::page(&frame(&app, &strip, &session.form, Place::Elsewhere), line))
}

/// Notes the acknowledgement.
pub async fn acknowledge(
    State(app): State<App>,
    _session: OpenSession,
    SignedForm(Nothing {}): SignedForm<Nothing>,
) -> Response {
    app.desk().acknowledge();
    see_other("/")
}

/// Shows what is known about the copy and the replicas.
pub async fn about(State(app): State<App>, session: OpenSession) -> Response {
    let strip = session.site.strip(app.now(), &app.ages);
    let about = session.site.about();
    respond(StatusCode::OK, copy::page(&frame(&app, &strip, &session.form, Place::Copy), &about))
}

/// Explains why the newest snapshot is held and asks whether to show it all the same.
pub async fn held_page(State(app): State<App>, session: OpenSession) -> Response {
    let strip = session.site.strip(app.now(), &app.ages);
    match session.site.held() {
        Some(held) => {
            respond(StatusCode::OK, held::page(&frame(&app, &strip, &session.form, Place::Copy), &held))
        }
        None => see_other("/copy"),
    }
}

/// Shows the held snapshot, because the reader asks for it.
pub async fn show_held(
    State(app): State<App>,
    session: OpenSession,
    SignedForm(Nothing {}): SignedForm<Nothing>,
) -> Response {
    choose(&app, &session, Choice::Newest).await
}

/// Goes back to the accepted snapshot.
pub async fn show_accepted(
    State(app): State<App>,
    session: OpenSession,
    SignedForm(Nothing {}): SignedForm<Nothing>,
) -> Response {
    choose(&app, &session, Choice::Accepted).await
}

async fn choose(app: &App, session: &OpenSession, choice: Choice) -> Response {
    let busy = Message {
        heading: "Not changed",
        text: "The copies are being asked already, or none of them could be opened as you wanted.",
        remedy: "What was shown before is still shown. Go back and try again.",
    };
    let Ok(_one_at_a_time) = app.opening.try_lock() else {
        return message_page(StatusCode::SERVICE_UNAVAILABLE, &busy);
    };
    match session.site.choose(choice, &*app.clock).await {
        Ok(opened) => {
            let is_held = opened.shows_held();
            tracing::info!(name: "snapshot_chosen", held = is_held);
            app.replace_site(&session.site, Arc::new(opened));
            see_other("/")
        }
        Err(error) => {
            tracing::warn!(name: "site_not_reopened", reason = error.name());
            message_page(StatusCode::SERVICE_UNAVAILABLE, &busy)
        }
    }
}

/// Asks all replicas again and opens the freshest copy that verifies; keeps the present one when none does.
pub async fn refresh(
    State(app): State<App>,
    session: OpenSession,
    SignedForm(Nothing {}): SignedForm<Nothing>,
) -> Response {
    ask_again(&app, &session.site).await;
    see_other("/copy")
}

/// Asks all replicas again; returns the new opening when there is one.
pub async fn ask_again(app: &App, site: &Arc<crate::site::OpenSite>) -> Option<Arc<crate::site::OpenSite>> {
    let Ok(_one_at_a_time) = app.opening.try_lock() else { return None };
    match site.ask_again(&*app.clock).await {
        Ok(opened) => {
            let opened = Arc::new(opened);
            app.replace_site(site, Arc::clone(&opened));
            Some(opened)
        }
        Err(error) => {
            tracing::warn!(name: "site_not_reopened", reason = error.name());
            None
        }
    }
}
