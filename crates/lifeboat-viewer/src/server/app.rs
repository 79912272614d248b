//! What every request handler shares, and the extractors that decide whether a handler runs at all.
//!
//! A handler that shows records takes [`Records`]: it cannot run without the session's cookie, an open
//! site, and an acknowledged age. A handler that changes something takes [`SignedForm`]: it cannot run
//! without the session's form token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::Markup;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::desk::{Desk, LockReason, SameSnapshot, Visit};
use crate::age::AgeLimits;
use crate::clock::Clock;
use crate::pages::layout::{Frame, Place};
use crate::pages::message::{self, Message};
use crate::pages::strip::Strip;
use crate::site::{OpenSite, Source};
use crate::token::{RandomError, Token};

/// Requests that are worked on at once; beyond this the answer is 503.
pub const REQUESTS_MAX: usize = 32;
/// The name of the session's cookie.
pub const COOKIE_NAME: &str = "lifeboat_session";
/// After the idle limit, the browser leaves the page this much later.
const LEAVE_GRACE_SECONDS: i64 = 5;

/// What every handler shares.
#[derive(Debug)]
pub struct Shared {
    /// `host:port`, as it must stand in every request's Host header.
    pub authority: String,
    /// Where the records come from.
    pub source: Source,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The ages at which to warn.
    pub ages: AgeLimits,
    /// Places for requests.
    pub places: Semaphore,
    /// Held while a passphrase is tried or the replicas are asked: one at a time.
    pub opening: tokio::sync::Mutex<()>,
    desk: Mutex<Desk<Arc<OpenSite>>>,
}

/// The application's state, cheap to clone.
pub type App = Arc<Shared>;

impl Shared {
    /// Puts together what the handlers share.
    pub fn new(
        authority: String,
        source: Source,
        clock: Arc<dyn Clock>,
        ages: AgeLimits,
        desk: Desk<Arc<OpenSite>>,
    ) -> Self {
        Self {
            authority,
            source,
            clock,
            ages,
            places: Semaphore::new(REQUESTS_MAX),
            opening: tokio::sync::Mutex::new(()),
            desk: Mutex::new(desk),
        }
    }

    /// Returns the present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Locks the desk; never held across an await.
    pub fn desk(&self) -> MutexGuard<'_, Desk<Arc<OpenSite>>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another opening of the site into the session.
    pub fn replace_site(&self, old: &OpenSite, new: Arc<OpenSite>) {
        let same = if old.snapshot() == new.snapshot() { SameSnapshot::Yes } else { SameSnapshot::No };
        self.desk().replace(new, same);
    }

    /// Returns after how many seconds a page with records leaves the screen.
    pub fn leave_after_seconds(&self) -> i64 {
        self.desk().limits().idle_seconds + LEAVE_GRACE_SECONDS
    }
}

/// Finds the session's cookie among those that the browser sent.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

/// A session in which nothing is open, or something is; never a stranger.
#[derive(Debug)]
pub struct AnySession {
    /// The token of the session's forms.
    pub form: Token,
    /// The open site, if there is one.
    pub site: Option<Arc<OpenSite>>,
    /// Why the screen is locked, when it was open before.
    pub reason: Option<LockReason>,
}

impl FromRequestParts<App> for AnySession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match app.desk().visit(cookie(&parts.headers), app.now()) {
            Visit::Stranger => Err(stranger()),
            Visit::Locked { form, reason } => Ok(Self { form, site: None, reason }),
            Visit::Open { form, site, .. } => Ok(Self { form, site: Some(site), reason: None }),
        }
    }
}

/// A session with an open site.
#[derive(Debug)]
pub struct OpenSession {
    /// The token of the session's forms.
    pub form: Token,
    /// The open site.
    pub site: Arc<OpenSite>,
    acknowledged: bool,
}

impl FromRequestParts<App> for OpenSession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match app.desk().visit(cookie(&parts.headers), app.now()) {
            Visit::Stranger => Err(stranger()),
            Visit::Locked { .. } => Err(see_other("/unlock")),
            Visit::Open { form, site, acknowledged } => Ok(Self { form, site, acknowledged }),
        }
    }
}

/// A session with an open site whose age is acceptable or acknowledged: records may be shown.
#[derive(Debug)]
pub struct Records(pub OpenSession);

impl FromRequestParts<App> for Records {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let open = OpenSession::from_request_parts(parts, app).await?;
        let needs = open.site.age(app.now(), &app.ages).needs_acknowledgement;
        if needs && !open.acknowledged { Err(see_other("/acknowledge")) } else { Ok(Self(open)) }
    }
}

/// A form with the session's own token; `T` holds the other fields.
#[derive(Debug)]
pub struct SignedForm<T>(pub T);

#[derive(Deserialize)]
struct WithToken<T> {
    form_token: String,
    #[serde(flatten)]
    fields: T,
}

impl<T: DeserializeOwned + Send> FromRequest<App> for SignedForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let expected = match app.desk().visit(cookie(request.headers()), app.now()) {
            Visit::Stranger => return Err(stranger()),
            Visit::Locked { form, .. } | Visit::Open { form, .. } => form,
        };
        let Form(sent) = Form::<WithToken<T>>::from_request(request, app).await.map_err(|rejection| {
            message_page(
                rejection.into_response().status(),
                &Message {
                    heading: "The form could not be read",
                    text: "What the browser sent is too long or not complete.",
                    remedy: "Go back and try again.",
                },
            )
        })?;
        if expected.matches(&sent.form_token) {
            return Ok(Self(sent.fields));
        }
        Err(message_page(
            StatusCode::FORBIDDEN,
            &Message {
                heading: "This page is out of date",
                text: "The form was not made by the session that is open now.",
                remedy: "Go back, load the page again, and try once more.",
            },
        ))
    }
}

/// Returns the frame of a page for an open session.
pub fn frame<'a>(app: &App, strip: &'a Strip, form: &'a Token, place: Place) -> Frame<'a> {
    Frame {
        strip,
        form_token: Some(form.reveal()),
        place: Some(place),
        leave_after_seconds: Some(app.leave_after_seconds()),
    }
}

/// Turns a page into a response.
pub fn respond(status: StatusCode, page: Markup) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], visible(page.into_string()))
        .into_response()
}

/// Replaces characters that reorder or hide what stands beside them by one that is seen: a dose or a number that
/// carries such a character must not read as another.
fn visible(page: String) -> String {
    if page.contains(is_deceptive) { page.replace(is_deceptive, "\u{fffd}") } else { page }
}

fn is_deceptive(character: char) -> bool {
    let is_control = character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    is_control || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Sends the browser to another address of ours.
pub fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_owned())]).into_response()
}

/// Returns a page that needs no session.
pub fn message_page(status: StatusCode, text: &Message<'_>) -> Response {
    let strip = Strip::default();
    let frame = Frame { strip: &strip, form_token: None, place: None, leave_after_seconds: None };
    respond(status, message::page(&frame, text))
}

/// Returns the page for a failure of this program itself.
pub fn random_failed(error: &RandomError) -> Response {
    tracing::error!(name: "randomness_failed", %error);
    message_page(
        StatusCode::INTERNAL_SERVER_ERROR,
        &Message {
            heading: "Something went wrong",
            text: "The operating system gave no randomness, without which nothing can be opened safely.",
            remedy: "Close the viewer and start it again.",
        },
    )
}

/// Returns the page for a browser without a session.
pub fn stranger() -> Response {
    message_page(
        StatusCode::UNAUTHORIZED,
        &Message {
            heading: "Open the viewer from the program",
            text: "This browser window does not belong to a session of the viewer. A launch address works once, \
               in one browser, within a minute.",
            remedy: "Go to the window in which the viewer was started and press Enter there: it gives a new address. \
                 Or close the viewer and start it again.",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_reorder_or_hide_text_are_made_visible() {
        let cases = [
            ("10 mg", "10 mg"),
            ("\u{202e}gm 01\u{202c}", "\u{fffd}gm 01\u{fffd}"),
            ("\u{2067}1\u{2069}", "\u{fffd}1\u{fffd}"),
            ("a\0b\u{8}\u{85}", "a\u{fffd}b\u{fffd}\u{fffd}"),
            ("line\nline\ttab é 10\u{a0}µg \u{200f}שלום", "line\nline\ttab é 10\u{a0}µg \u{200f}שלום"),
        ];
        for (text, expected) in cases {
            assert_eq!(visible(text.to_owned()), expected, "{text:?}");
        }
    }
}
