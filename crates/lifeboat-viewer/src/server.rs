//! The loopback server: one router over the pages, behind one guard.
//!
//! Invariants: every response carries the security headers; nothing is routed before the guard has seen
//! the request; no page changes anything on GET; no address, title or log line carries patient data.

pub mod app;
pub mod desk;
pub mod entry;
pub mod guard;
pub mod handles;
pub mod headers;
pub mod listener;
pub mod records;
pub mod throttle;

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::app::{App, message_page};
use crate::assets;
use crate::pages::message::Message;

/// The largest form, in bytes.
pub const FORM_BYTES_MAX: usize = 8 * 1024;
/// The longest time for one request; opening a site asks slow stores.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// Returns the router of the viewer.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(records::today))
        .route("/day/{date}", get(records::day))
        .route("/search", get(records::search_page).post(records::search))
        .route("/found/{handle}", get(records::found))
        .route("/p/{handle}", get(records::patient))
        .route("/copy", get(entry::about))
        .route("/refresh", post(entry::refresh))
        .route("/held", get(entry::held_page).post(entry::show_held))
        .route("/accepted", post(entry::show_accepted))
        .route("/acknowledge", get(entry::acknowledge_page).post(entry::acknowledge))
        .route("/launch/{token}", get(entry::launch))
        .route("/unlock", get(entry::unlock_page).post(entry::unlock))
        .route("/lock", post(entry::lock))
        .route("/locked", get(entry::locked))
        .route("/assets/{name}", get(asset))
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(app.clone(), bounded))
        .layer(middleware::from_fn_with_state(app.clone(), guarded))
        .layer(middleware::from_fn(headers::secure))
        .with_state(app)
}

/// Refuses what the guard refuses.
async fn guarded(State(app): State<App>, request: Request, next: Next) -> Response {
    match guard::check(&request, &app.authority) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::warn!(name: "request_refused", reason = %refusal);
            (refusal.status(), format!("Refused: {refusal}.\n")).into_response()
        }
    }
}

/// Bounds how many requests are worked on at once, and for how long.
async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let busy = Message {
        heading: "The viewer is busy",
        text: "Too much was asked at once, or the stores that hold the copies did not answer in time.",
        remedy: "Wait a moment and load the page again.",
    };
    let answered = match app.places.try_acquire() {
        Ok(_place) => tokio::time::timeout(REQUEST_TIME_MAX, next.run(request)).await.ok(),
        Err(_) => None,
    };
    answered.unwrap_or_else(|| {
        tracing::warn!(name: "request_shed", "request shed");
        let mut response = message_page(StatusCode::SERVICE_UNAVAILABLE, &busy);
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        response
    })
}

async fn asset(Path(name): Path<String>) -> Response {
    match assets::find(&name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.media_type)], asset.bytes).into_response(),
        None => not_found().await,
    }
}

async fn not_found() -> Response {
    message_page(
        StatusCode::NOT_FOUND,
        &Message {
            heading: "Page not found",
            text: "The viewer has no such page.",
            remedy: "Go back, or start again from the day list.",
        },
    )
}

async fn wrong_method() -> Response {
    message_page(
        StatusCode::METHOD_NOT_ALLOWED,
        &Message {
            heading: "This page cannot be opened like that",
            text: "The address belongs to a form, or to a page that takes no form.",
            remedy: "Go back, or start again from the day list.",
        },
    )
}
