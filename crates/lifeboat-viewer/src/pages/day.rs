//! The day list: who is expected, by session and start, with phone numbers, status and the way to the record.

use lifeboat_clinical::view::Field;
use maud::{Markup, html};

use super::layout::{self, Frame};
use super::search::PersonLine;
use super::section::fields;

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayPage {
    /// The day shown, such as "Sat 21-Nov-2026".
    pub day: String,
    /// True when the day shown is the practice's today.
    pub is_today: bool,
    /// The other days that this copy holds.
    pub days: Vec<DayLink>,
    /// What is known of the day.
    pub content: DayContent,
}

/// A day that this copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayLink {
    /// The day as shown.
    pub day: String,
    /// Its address.
    pub href: String,
    /// True for the day that is shown.
    pub is_shown: bool,
}

/// What is known of one day's appointments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayContent {
    /// The appointments, by session.
    Sessions(Vec<Session>),
    /// This copy holds no list for the day.
    NotHeld,
    /// This copy holds no list for any day.
    NoneHeld,
    /// The list exists and cannot be read; the text says why.
    Unreadable(String),
}

impl Default for DayContent {
    fn default() -> Self {
        Self::Sessions(Vec::new())
    }
}

/// The appointments of one clinician or session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Whose, or which, and where.
    pub title: String,
    /// The appointments by start.
    pub appointments: Vec<Appointment>,
}

/// One appointment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appointment {
    /// Start, and end where known, on a 24-hour clock.
    pub time: String,
    /// Whom it is for.
    pub who: Who,
    /// Its status in words.
    pub status: String,
    /// True when it will not take place.
    pub is_off: bool,
    /// What it is for.
    pub reason: String,
    /// How the patient is seen, and where.
    pub place: String,
    /// What else the appointment says.
    pub details: Vec<String>,
    /// What only machines need of the appointment.
    pub more: Vec<Field>,
}

/// Whom an appointment is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Who {
    /// A patient of this copy.
    Patient(Box<PersonLine>),
    /// Somebody who is booked and has no record in this copy; the text is the name as booked.
    NoRecord(String),
    /// A slot without a patient.
    #[default]
    Nobody,
}

/// Renders the page.
pub fn page(frame: &Frame<'_>, day: &DayPage) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l {
            "Day list " span.lb-nowrap { (day.day) }
            @if day.is_today { " (today)" }
        }
        @if !day.days.is_empty() { (days(&day.days)) }
        @match &day.content {
            DayContent::Sessions(sessions) => { (all(sessions)) }
            DayContent::NotHeld => {
                (notice("No list for this day", "This copy holds no appointments list for this day. That does not mean \
                    that there are no appointments."))
            }
            DayContent::NoneHeld => {
                (notice("Appointments not supplied", "No appointments are supplied to this copy. They may still exist in \
                    the source system."))
            }
            DayContent::Unreadable(why) => { (notice("The list for this day cannot be read", why)) }
        }
    };
    layout::page(frame, &content)
}

fn days(days: &[DayLink]) -> Markup {
    html! {
        nav.lb-days aria-label="Days in this copy" {
            ul {
                @for day in days {
                    li { a.lb-nowrap href=(day.href) aria-current=[day.is_shown.then_some("page")] { (day.day) } }
                }
            }
        }
    }
}

fn notice(title: &str, text: &str) -> Markup {
    html! {
        div.nhsuk-warning-callout {
            h2.nhsuk-warning-callout__label { (title) }
            p { (text) }
        }
    }
}

fn all(sessions: &[Session]) -> Markup {
    html! {
        @if sessions.is_empty() { p { "No appointments are recorded for this day." } }
        @if sessions.len() > 1 {
            nav.lb-jump aria-label="Sessions" {
                ul {
                    @for (at, session) in sessions.iter().enumerate() {
                        li { a href={ "#session-" (at + 1) } { (session.title) } " (" (session.appointments.len()) ")" }
                    }
                }
            }
        }
        @for (at, session) in sessions.iter().enumerate() {
            section.lb-session aria-labelledby={ "session-" (at + 1) } {
                h2.nhsuk-heading-m id={ "session-" (at + 1) } { (session.title) }
                (appointments(session))
            }
        }
    }
}

fn appointments(session: &Session) -> Markup {
    html! {
        table.nhsuk-table.nhsuk-table-responsive.lb-table.lb-day role="table" {
            caption.nhsuk-u-visually-hidden { "Appointments: " (session.title) }
            thead.nhsuk-table__head role="rowgroup" {
                tr role="row" {
                    @for name in ["Time", "Patient", "Born", "NHS No.", "Phone", "Status", "Reason"] {
                        th role="columnheader" scope="col" { (name) }
                    }
                }
            }
            tbody.nhsuk-table__body role="rowgroup" {
                @for appointment in &session.appointments { (row(appointment)) }
            }
        }
    }
}

fn row(appointment: &Appointment) -> Markup {
    let person = match &appointment.who {
        Who::Patient(person) => Some(person.as_ref()),
        Who::NoRecord(_) | Who::Nobody => None,
    };
    html! {
        tr.nhsuk-table__row.lb-off[appointment.is_off] role="row" {
            (cell("Time", &html! { strong.lb-nowrap { (appointment.time) } }))
            (cell("Patient", &who(&appointment.who)))
            (cell("Born", &html! { @if let Some(p) = person { span.lb-nowrap { (p.born) } } }))
            (cell("NHS No.", &html! { @if let Some(p) = person { span.lb-nowrap { (p.nhs_shown()) } } }))
            (cell("Phone", &html! { @if let Some(p) = person { (p.phone_list()) } }))
            (cell("Status", &html! { (appointment.status) }))
            (cell("Reason", &html! {
                (appointment.reason)
                @if !appointment.place.is_empty() { div.lb-quiet { (appointment.place) } }
                (more(appointment))
            }))
        }
    }
}

/// Renders what else an appointment says, folded away.
fn more(appointment: &Appointment) -> Markup {
    html! {
        @if !appointment.details.is_empty() || !appointment.more.is_empty() {
            details.lb-more {
                summary { "More" }
                ul { @for detail in &appointment.details { li { (detail) } } }
                (fields(&appointment.more))
            }
        }
    }
}

/// Renders one cell of a table that stacks on narrow screens.
pub fn cell(heading: &str, content: &Markup) -> Markup {
    html! {
        td.nhsuk-table__cell role="cell" {
            span.nhsuk-table-responsive__heading aria-hidden="true" { (heading) " " }
            div.lb-cell { (content) }
        }
    }
}

fn who(who: &Who) -> Markup {
    html! {
        @match who {
            Who::Patient(person) => { (person.link()) (person.warnings()) }
            Who::NoRecord(name) => {
                (name) div.lb-warn { "No record of this patient in this copy" }
            }
            Who::Nobody => { span.lb-quiet { "No patient" } }
        }
    }
}
