//! Pages that say one thing: not found, refused, failed, opened elsewhere.

use maud::{Markup, html};

use super::layout::{self, Frame};

/// One thing to say, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The heading.
    pub heading: &'a str,
    /// What happened, in plain English.
    pub text: &'a str,
    /// What the reader can do.
    pub remedy: &'a str,
}

/// Renders the message.
pub fn page(frame: &Frame<'_>, message: &Message<'_>) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l { (message.heading) }
        p { (message.text) }
        p { (message.remedy) }
        @if frame.place.is_some() {
            p { a href="/" { "Day list" } " · " a href="/search" { "Find a patient" } " · " a href="/copy" { "About this copy" } }
        }
    };
    layout::page(frame, &content)
}
