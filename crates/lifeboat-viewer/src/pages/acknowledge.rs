//! The step before the records of a very old copy: the reader says that its age is understood.

use maud::{Markup, html};

use super::layout::{self, Frame};
use super::strip::CopyLine;

/// Renders the step.
pub fn page(frame: &Frame<'_>, copy: &CopyLine) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l { "This copy is old" }
        div.nhsuk-warning-callout {
            h2.nhsuk-warning-callout__label { "Read this first" }
            p { "The copy shows the records as of " strong { (copy.as_of) } "." }
            p { "It is: " strong { (copy.age.words) } "." }
            p {
                "Everything done since then is missing from it: new allergies, medication started or stopped, "
                "results, appointments, deaths. Ask the patient, and check with another source before you rely on it."
            }
        }
        (layout::form(frame, "/acknowledge", &html! {
            button.nhsuk-button type="submit" { "I understand: show the old records" }
        }))
    };
    layout::page(frame, &content)
}
