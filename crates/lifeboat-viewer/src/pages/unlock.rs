//! The page that asks for the passphrase, and the page that a locked screen shows.

use maud::{Markup, html};

use super::layout::{self, Frame};

/// The name of the passphrase field.
pub const PASSPHRASE_FIELD: &str = "passphrase";

/// What opens the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A passphrase, of a kit or of an identity file; the text says of which.
    Passphrase {
        /// What the passphrase belongs to, such as "the kit `surgery.lifeboat-kit`".
        of: String,
    },
    /// An identity file without a passphrase.
    Unprotected {
        /// The identity file's name.
        of: String,
    },
}

/// One replica as found before anything is unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReplica {
    /// The replica's name.
    pub name: String,
    /// What was found there: its age in words, or why it cannot be read.
    pub state: String,
}

/// What the unlock page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlock {
    /// What opens the site.
    pub key: Key,
    /// The replicas, where they are known before unlocking.
    pub replicas: Vec<FoundReplica>,
    /// What went wrong with the last try, with the remedy.
    pub problem: Option<String>,
    /// Why the page is shown though a copy was open before, such as "Locked after 15 minutes without use."
    pub locked: Option<String>,
}

/// Renders the unlock page.
pub fn page(frame: &Frame<'_>, unlock: &Unlock) -> Markup {
    let content = html! {
        @if let Some(problem) = &unlock.problem {
            div.nhsuk-error-summary aria-labelledby="problem-title" role="alert" {
                h2 #problem-title.nhsuk-error-summary__title { "The records could not be opened" }
                div.nhsuk-error-summary__body { p #problem { (problem) } }
            }
        }
        h1.nhsuk-heading-l { @if unlock.locked.is_some() { "Locked" } @else { "Open the records" } }
        @if let Some(locked) = &unlock.locked { div.nhsuk-inset-text { p { (locked) } } }
        (layout::form(frame, "/unlock", &fields(unlock)))
        @if !unlock.replicas.is_empty() { (found(&unlock.replicas)) }
    };
    layout::page(frame, &content)
}

fn fields(unlock: &Unlock) -> Markup {
    let described = if unlock.problem.is_some() { "of problem" } else { "of" };
    html! {
        @match &unlock.key {
            Key::Passphrase { of } => {
                div.nhsuk-form-group {
                    label.nhsuk-label.nhsuk-label--s for=(PASSPHRASE_FIELD) { "Passphrase" }
                    div #of.nhsuk-hint { "The passphrase of " (of) ". Pasting is allowed." }
                    input #passphrase.nhsuk-input.nhsuk-input--width-20 type="password" name=(PASSPHRASE_FIELD)
                        autocomplete="current-password" spellcheck="false" autocapitalize="none"
                        aria-describedby=(described) autofocus required;
                }
            }
            Key::Unprotected { of } => {
                p #of { "The identity file " (of) " is not protected by a passphrase: anybody who has it can open the records." }
            }
        }
        button.nhsuk-button type="submit" { "Open" }
        p.nhsuk-hint { "Opening takes a few seconds: the passphrase is made slow to guess, and all copies are asked." }
    }
}

fn found(replicas: &[FoundReplica]) -> Markup {
    html! {
        h2.nhsuk-heading-m { "Copies found" }
        dl.nhsuk-summary-list {
            @for replica in replicas {
                div.nhsuk-summary-list__row {
                    dt.nhsuk-summary-list__key { (replica.name) }
                    dd.nhsuk-summary-list__value { (replica.state) }
                }
            }
        }
    }
}
