//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::strip::{self, Strip};
use crate::assets::assets;

/// The title of every page; it never varies.
pub const TITLE: &str = "Lifeboat viewer: read-only copy";

/// The name of the hidden field that carries the form token.
pub const FORM_TOKEN_FIELD: &str = "form_token";

/// A part of the viewer that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The day list.
    Day,
    /// The search.
    Search,
    /// What is known about this copy.
    Copy,
    /// A page that the navigation does not name, such as one patient.
    Elsewhere,
}

/// What the frame of a page needs to know.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// What the strip says.
    pub strip: &'a Strip,
    /// The token that every form must send back; absent where there is no session.
    pub form_token: Option<&'a str>,
    /// Where the reader is; absent while no copy is open, and then there is no navigation.
    pub place: Option<Place>,
    /// After so many seconds the browser leaves the page, so that no record stays on an idle screen.
    pub leave_after_seconds: Option<i64>,
}

/// Renders a page with one column of content.
pub fn page(frame: &Frame<'_>, content: &Markup) -> Markup {
    page_under(frame, &html! {}, &html! {}, content)
}

/// Renders a page with a banner that stays in sight, and with what identifies each printed sheet.
pub fn page_under(frame: &Frame<'_>, banner: &Markup, printed: &Markup, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                title { (TITLE) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light";
                meta name="robots" content="noindex, nofollow";
                @if let Some(seconds) = frame.leave_after_seconds {
                    meta http-equiv="refresh" content={ (seconds) "; url=/locked" };
                }
                link rel="icon" type="image/svg+xml" href=(assets().icon.path);
                link rel="stylesheet" href=(assets().nhsuk.path);
                link rel="stylesheet" href=(assets().viewer.path);
            }
            body.lb-body {
                a.nhsuk-skip-link href="#content" { "Skip to main content" }
                div.lb-print-head aria-hidden="true" {
                    div { (printed) }
                    div { (strip::printed(frame.strip)) }
                }
                (bar(frame))
                div.lb-top {
                    (strip::strip(frame.strip))
                    @if frame.place.is_some() && strip::can_go_back(frame.strip) {
                        div.lb-back {
                            (form(frame, "/accepted", &html! {
                                button.nhsuk-button.lb-back__button type="submit" { "Back to the accepted copy" }
                            }))
                        }
                    }
                    (banner)
                }
                main #content.lb-main tabindex="-1" { (content) }
            }
        }
    }
}

/// Renders a form that is sent by POST with the form token.
pub fn form(frame: &Frame<'_>, action: &str, content: &Markup) -> Markup {
    html! {
        form.lb-form method="post" action=(action) autocomplete="off" novalidate {
            @if let Some(token) = frame.form_token {
                input type="hidden" name=(FORM_TOKEN_FIELD) value=(token);
            }
            (content)
        }
    }
}

fn bar(frame: &Frame<'_>) -> Markup {
    html! {
        header.lb-bar role="banner" {
            div.lb-bar__name { "Lifeboat " span { "read-only copy" } }
            @if let Some(place) = frame.place {
                nav.lb-bar__nav aria-label="Menu" {
                    ul {
                        (item(place, Place::Day, "/", "Day list"))
                        (item(place, Place::Search, "/search", "Find a patient"))
                        (item(place, Place::Copy, "/copy", "About this copy"))
                    }
                }
                (form(frame, "/lock", &html! { button.lb-bar__lock type="submit" { "Lock" } }))
            }
        }
    }
}

fn item(here: Place, place: Place, href: &str, name: &str) -> Markup {
    html! { li { a href=(href) aria-current=[(here == place).then_some("page")] { (name) } } }
}
