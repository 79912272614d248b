//! The step before a held snapshot: why it is held, and the reader's word that it is wanted all the same.

use maud::{Markup, html};

use super::layout::{self, Frame};

/// A held snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCopy {
    /// Whether it is what is shown.
    pub is_shown: bool,
    /// Its number.
    pub sequence: String,
    /// When it was taken.
    pub taken: String,
    /// Patients in it.
    pub patients: u64,
    /// Why it is held: aggregate numbers in words.
    pub reasons: Vec<String>,
    /// The newest accepted snapshot, if any ever was.
    pub accepted: Option<AcceptedCopy>,
}

/// The accepted snapshot beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedCopy {
    /// Its number.
    pub sequence: String,
    /// When it was taken.
    pub taken: String,
    /// Patients in it.
    pub patients: u64,
}

/// Renders the step.
pub fn page(frame: &Frame<'_>, held: &HeldCopy) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l { "A newer snapshot is held" }
        div.nhsuk-warning-callout {
            h2.nhsuk-warning-callout__label { "Read this first" }
            p {
                "Snapshot " (held.sequence) " of " strong { (held.taken) } " looked implausible when it was taken, so it was \
                 not accepted. Nobody has checked it since. It has " (held.patients) " patients."
            }
            ul { @for reason in &held.reasons { li { (reason) } } }
            @if let Some(accepted) = &held.accepted {
                p {
                    "The accepted copy is snapshot " (accepted.sequence) " of " (accepted.taken) ", with "
                    (accepted.patients) " patients."
                }
            }
            p {
                "In the held one, patients, allergies, medication or other entries may be missing or wrong although they \
                 are shown as complete. Use it only to look for something newer, and check what you find with another \
                 source: the patient, the pharmacy, the accepted copy."
            }
        }
        @if held.is_shown {
            p { "It is what this viewer shows now." }
        } @else {
            (layout::form(frame, "/held", &html! {
                button.nhsuk-button.nhsuk-button--warning type="submit" { "I understand: show the held snapshot" }
            }))
        }
        p { a href="/" { "Stay with what is shown now" } }
    };
    layout::page(frame, &content)
}
