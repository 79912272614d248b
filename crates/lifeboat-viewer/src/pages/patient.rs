//! One patient's record: banner, allergies, the list of sections, and every section with its state.

use lifeboat_clinical::SectionId;
use lifeboat_clinical::view::{AllergyHeader, Banner, PatientView};
use maud::{Markup, html};

use super::layout::{self, Frame};
use super::{banner, section};

/// Renders a record.
pub fn page(frame: &Frame<'_>, patient: &PatientView) -> Markup {
    // A list of allergies that is not whole, or that the record contradicts, says so where it is read.
    let section = patient.sections.iter().find(|section| section.id == SectionId::Allergies);
    let notes = section.map_or(&[][..], |section| &section.notes);
    let top = html! { (banner::banner(&patient.banner, age(frame))) (banner::allergies(&patient.allergies, notes)) };
    let content = html! {
        (section::jump(&patient.sections))
        @for one in &patient.sections { (section::section(one)) }
        (section::person(&patient.person))
        p.lb-quiet { "End of record." }
    };
    layout::page_under(frame, &top, &banner::printed(&patient.banner), &content)
}

fn age<'a>(frame: &Frame<'a>) -> Option<&'a str> {
    frame.strip.copy.as_ref().map(|copy| copy.age.words.as_str())
}

/// Renders the page of a patient who is in the copy and whose record cannot be read.
///
/// What the directory knows is still shown, so that the patient can be identified and called. `tried` names each
/// copy with what is wrong there.
pub fn unreadable(frame: &Frame<'_>, known: &Banner, tried: &[(String, String)]) -> Markup {
    let header = AllergyHeader::Unavailable { why: "The record cannot be read in this copy".to_owned() };
    let top = html! { (banner::banner(known, age(frame))) (banner::allergies(&header, &[])) };
    let content = html! {
        div.nhsuk-warning-callout {
            h2.nhsuk-warning-callout__label { "Record unreadable in this copy" }
            p {
                strong { "This patient has a record, and it cannot be read here." }
                " Nothing below the banner is known. Do not treat the patient as having no history, no medication or no allergies."
            }
            p { "The banner shows what the copy's directory says." }
        }
        h2.nhsuk-heading-m { "What was tried" }
        ul {
            @for (copy, why) in tried { li { strong { (copy) } ": " (why) } }
        }
        (layout::form(frame, "/refresh", &html! {
            button.nhsuk-button.nhsuk-button--secondary type="submit" { "Ask all copies again" }
        }))
    };
    layout::page_under(frame, &top, &banner::printed(known), &content)
}
