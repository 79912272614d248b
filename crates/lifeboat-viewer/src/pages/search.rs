//! Finding a patient: the form, and the results, which never open by themselves.
//!
//! Each result shows name, date of birth, NHS number and address, so that at least two identifiers can be
//! checked with the person before the record is opened.

use maud::{Markup, html};

use super::day::cell;
use super::layout::{self, Frame};

/// The name of the search field.
pub const QUERY_FIELD: &str = "query";
/// The longest query, in characters.
pub const QUERY_CHARS_MAX: usize = 200;

/// One person on a page that shows several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonLine {
    /// The address of the record.
    pub href: String,
    /// The name as the NHS shows it, `SMITH, John (Mr)`.
    pub name: String,
    /// The preferred name, if one is recorded.
    pub preferred: Option<String>,
    /// Date of birth and age, `14-Aug-1980 (46y)`.
    pub born: String,
    /// Gender.
    pub gender: String,
    /// The NHS number in groups, or empty.
    pub nhs: String,
    /// The address on one line.
    pub address: String,
    /// Phone numbers.
    pub phones: Vec<String>,
    /// Words that must not be missed, such as "Deceased" or "Left the practice".
    pub flags: Vec<String>,
    /// How many other patients of this copy have the same or nearly the same name.
    pub same_name: usize,
    /// True when the record was tried in this session and cannot be read.
    pub is_unreadable: bool,
}

impl PersonLine {
    /// Returns the NHS number, or says that it is not known.
    pub fn nhs_shown(&self) -> &str {
        if self.nhs.is_empty() { "Not known" } else { &self.nhs }
    }

    /// Renders the name as the way to the record.
    pub fn link(&self) -> Markup {
        html! {
            a.lb-person href=(self.href) { (self.name) }
            @if let Some(preferred) = &self.preferred { div.lb-quiet { "Preferred name " (preferred) } }
        }
    }

    /// Renders the phone numbers, or says that there are none.
    pub fn phone_list(&self) -> Markup {
        html! {
            @if self.phones.is_empty() { span.lb-quiet { "Not recorded" } }
            @for phone in &self.phones { div.lb-nowrap { (phone) } }
        }
    }

    /// Renders what must not be missed about the person.
    pub fn warnings(&self) -> Markup {
        html! {
            @for flag in &self.flags { div { strong.lb-flag { (flag) } } }
            @if self.same_name > 0 {
                div.lb-warn {
                    "Same name as " (self.same_name) " other patient" @if self.same_name > 1 { "s" }
                    ": check date of birth and NHS number"
                }
            }
            @if self.is_unreadable { div.lb-warn { "Record unreadable in this copy" } }
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// What was asked, as it was typed.
    pub query: String,
    /// The best results first.
    pub people: Vec<PersonLine>,
    /// How many more matched and are not shown.
    pub more: usize,
    /// True when the search stopped counting.
    pub is_cut_short: bool,
    /// How many patients this copy holds.
    pub searched: usize,
}

/// Renders the search page, with results when something was asked.
pub fn page(frame: &Frame<'_>, found: Option<&Found>) -> Markup {
    let content = html! {
        h1.nhsuk-heading-l { "Find a patient" }
        (layout::form(frame, "/search", &fields(found)))
        @if let Some(found) = found { (results(found)) }
    };
    layout::page(frame, &content)
}

fn fields(found: Option<&Found>) -> Markup {
    html! {
        div.nhsuk-form-group {
            label.nhsuk-label for=(QUERY_FIELD) { "Name, date of birth, NHS number, phone or postcode" }
            div #query-hint.nhsuk-hint {
                "Any of these, in any order, for example: smith 14/8/1980. The more you give, the fewer are shown."
            }
            div.lb-search {
                input #query.nhsuk-input type="text" name=(QUERY_FIELD) maxlength=(QUERY_CHARS_MAX)
                    value=(found.map_or("", |found| found.query.as_str())) autocomplete="off" spellcheck="false"
                    aria-describedby="query-hint" autofocus[found.is_none()];
                button.nhsuk-button type="submit" { "Search" }
            }
        }
    }
}

fn results(found: &Found) -> Markup {
    let count = found.people.len() + found.more;
    html! {
        h2.nhsuk-heading-m {
            @match count {
                0 => { "Nobody found" }
                1 => { "1 patient found" }
                n if found.is_cut_short => { "More than " (n) " patients found" }
                n => { (n) " patients found" }
            }
        }
        @if count == 0 {
            p {
                "None of the " (found.searched) " patients in this copy matches everything that was typed. Try fewer words, "
                "another spelling, or the date of birth alone. A patient who registered after the copy was taken is not in it."
            }
        } @else {
            p { "Check at least two identifiers with the patient before you open the record." }
            @if found.more > 0 {
                p { strong { "Only the first " (found.people.len()) " are shown." } " Add the date of birth or the first name." }
            }
            (table(&found.people))
        }
    }
}

fn table(people: &[PersonLine]) -> Markup {
    html! {
        table.nhsuk-table.nhsuk-table-responsive.lb-table role="table" {
            caption.nhsuk-u-visually-hidden { "Patients found" }
            thead.nhsuk-table__head role="rowgroup" {
                tr role="row" {
                    @for name in ["Name", "Born", "Gender", "NHS No.", "Address", "Phone"] {
                        th role="columnheader" scope="col" { (name) }
                    }
                }
            }
            tbody.nhsuk-table__body role="rowgroup" {
                @for person in people {
                    tr.nhsuk-table__row role="row" {
                        (cell("Name", &html! { (person.link()) (person.warnings()) }))
                        (cell("Born", &html! { span.lb-nowrap { (person.born) } }))
                        (cell("Gender", &html! { (person.gender) }))
                        (cell("NHS No.", &html! { span.lb-nowrap { (person.nhs_shown()) } }))
                        (cell("Address", &html! { (person.address) }))
                        (cell("Phone", &person.phone_list()))
                    }
                }
            }
        }
    }
}
