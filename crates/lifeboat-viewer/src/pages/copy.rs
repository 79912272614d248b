//! The page about the copy that is open: every replica, what it holds, and the snapshot's counts.

use maud::{Markup, html};

use super::layout::{self, Frame};

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AboutCopy {
    /// Every replica that was asked, the one that is read first.
    pub replicas: Vec<ReplicaLine>,
    /// Facts of the snapshot: label and value.
    pub facts: Vec<(String, String)>,
    /// Counts of the snapshot: what and how many.
    pub counts: Vec<(String, String)>,
    /// When the replicas were last asked.
    pub asked: String,
}

/// One replica, as it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaLine {
    /// Its name.
    pub name: String,
    /// What it is to the reader, such as "Being read", "Agrees", "Older", "Cannot be reached".
    pub role: String,
    /// What it holds, or what is wrong with it.
    pub detail: String,
}

/// Renders the page.
pub fn page(frame: &Frame<'_>, about: &AboutCopy) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l { "About this copy" }
        h2.nhsuk-heading-m { "Copies asked" }
        p { "Asked at " (about.asked) "." }
        table.nhsuk-table.lb-table {
            caption.nhsuk-u-visually-hidden { "Copies asked" }
            thead { tr { th scope="col" { "Copy" } th scope="col" { "State" } th scope="col" { "What it holds" } } }
            tbody {
                @for replica in &about.replicas {
                    tr { th scope="row" { (replica.name) } td { (replica.role) } td { (replica.detail) } }
                }
            }
        }
        (layout::form(frame, "/refresh", &html! {
            button.nhsuk-button.nhsuk-button--secondary type="submit" { "Ask all copies again" }
        }))
        h2.nhsuk-heading-m { "The snapshot that is shown" }
        (list(&about.facts))
        h2.nhsuk-heading-m { "What it holds" }
        (list(&about.counts))
    };
    layout::page(frame, &content)
}

fn list(rows: &[(String, String)]) -> Markup {
    html! {
        dl.nhsuk-summary-list.lb-facts {
            @for (label, value) in rows {
                div.nhsuk-summary-list__row {
                    dt.nhsuk-summary-list__key { (label) }
                    dd.nhsuk-summary-list__value { (value) }
                }
            }
        }
    }
}
