//! The patient banner and the allergy header that stay above a record.
//!
//! The NHS rules for a patient banner: name, date of birth, gender and NHS number in this order; labels without
//! a colon and quieter than the values; a deceased patient on another colour and pattern; never on a page that
//! shows several patients. The allergy header is in exactly one of four states.

use lifeboat_clinical::view::{AllergyHeader, AllergyLine, Banner};
use maud::{Markup, html};

/// Renders the banner; `age` says how old the copy is, for the one line that stays in sight on small screens.
pub fn banner(banner: &Banner, age: Option<&str>) -> Markup {
    let is_deceased = banner.died.is_some();
    html! {
        section.lb-banner.lb-banner--deceased[is_deceased] aria-label="Patient" {
            div.lb-banner__head {
                h1.lb-banner__name { (banner.name) }
                dl.lb-banner__who {
                    (item("Born", &born(banner)))
                    (item("Gender", &html! { (known(&banner.gender)) }))
                    (item("NHS No.", &html! { span.lb-nowrap { (known(&banner.nhs)) } }))
                }
                @if let Some(age) = age { p.lb-banner__age aria-hidden="true" { "NOT LIVE, " (age) } }
            }
            dl.lb-banner__more {
                @if let Some(died) = &banner.died { (item("Died", &html! { strong { (died) } })) }
                @if let Some(age) = &banner.age_at_death { (item("Age at Death", &html! { strong { (age) } })) }
                @if let Some(preferred) = &banner.preferred { (item("Preferred name", &html! { (preferred) })) }
                @if !is_deceased {
                    (item("Address", &html! { (lines(&banner.address)) }))
                    (item("Phone", &html! { (lines(&banner.phones)) }))
                }
                @if let Some(gp) = &banner.usual_gp { (item("Usual GP", &html! { (gp) })) }
                @if let Some(note) = &banner.nhs_note { (item("NHS No. note", &html! { (note) })) }
            }
            @if !banner.flags.is_empty() || !banner.alerts.is_empty() {
                ul.lb-banner__flags aria-label="Flags and alerts" {
                    @for flag in &banner.flags { li { strong.lb-flag { (flag.words()) } } }
                    @for alert in &banner.alerts { li { span.lb-flag.lb-flag--alert { "Alert " strong { (alert) } } } }
                }
            }
        }
    }
}

/// Renders what identifies the patient at the head of every printed sheet.
pub fn printed(banner: &Banner) -> Markup {
    html! { (banner.name) " · Born " (known(&banner.born)) " · NHS No. " (known(&banner.nhs)) }
}

/// Renders the allergy header; `notes` say what else must be known before a list of known allergies is relied on.
pub fn allergies(header: &AllergyHeader, notes: &[String]) -> Markup {
    match header {
        AllergyHeader::Known(lines) => html! {
            section.lb-allergies.lb-allergies--known aria-label="Allergies" {
                (warning_sign())
                h2 { (header.words()) }
                ul { @for line in lines { li { (allergy(line)) } } }
                @for note in notes { p.lb-warn { (note) } }
            }
        },
        AllergyHeader::NoneKnown { recorded, recorder } => html! {
            section.lb-allergies.lb-allergies--none aria-label="Allergies" {
                h2 { (header.words()) }
                @match recorded {
                    Some(when) => { span { "Recorded " (when) } }
                    None => { span { "Date of recording not known" } }
                }
                @if let Some(recorder) = recorder { " " span.lb-quiet { "by " (recorder) } }
            }
        },
        AllergyHeader::NotRecorded => html! {
            section.lb-allergies.lb-allergies--not-recorded aria-label="Allergies" {
                h2 { (header.words()) }
                span { "Nobody has recorded whether the patient has allergies: ask." }
            }
        },
        AllergyHeader::Unavailable { why } => html! {
            section.lb-allergies.lb-allergies--unavailable aria-label="Allergies" {
                h2 { (header.words()) }
                span { (why) ". Do not read this as none: ask, and check another source." }
            }
        },
    }
}

fn allergy(line: &AllergyLine) -> Markup {
    html! {
        strong { (line.substance) }
        @if !line.coded { " " span.lb-quiet { "(free text)" } }
        @if !line.reactions.is_empty() { " — " (line.reactions.join("; ")) }
        @if let Some(criticality) = &line.criticality { " — " (criticality) }
        @match &line.recorded {
            Some(recorded) => { " " span.lb-quiet.lb-nowrap { "(" (recorded) ")" } }
            None => { " " span.lb-quiet { "(date not recorded)" } }
        }
    }
}

fn item(label: &str, value: &Markup) -> Markup {
    html! { div { dt { (label) } " " dd { (value) } } }
}

fn born(banner: &Banner) -> Markup {
    html! {
        span.lb-nowrap {
            (known(&banner.born))
            @if let Some(age) = &banner.age && banner.died.is_none() { " (" (age) ")" }
        }
    }
}

fn known(text: &str) -> &str {
    if text.is_empty() { "Not Known" } else { text }
}

fn lines(lines: &[String]) -> String {
    if lines.is_empty() { "Not Known".to_owned() } else { lines.join(", ") }
}

fn warning_sign() -> Markup {
    html! {
        svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
            path fill="currentColor" d="M12 1 23.5 22H.5z" {}
            path fill="#fff" d="M11 8h2v7h-2zM11 17h2v2h-2z" {}
        }
    }
}
