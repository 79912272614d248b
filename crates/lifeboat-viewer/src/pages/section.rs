//! One section of a record: its items, or what the absence of items means.
//!
//! "None recorded" is quiet. Everything else that is absent is loud, because it must not be read as none. The
//! sentences in quotation marks are those that GP Connect prescribes, so that clinicians recognise them.

use lifeboat_clinical::view::{CellView, Emphasis, RowView, SectionView, TableView};
use lifeboat_clinical::{SectionId, SectionState};
use maud::{Markup, html};

use super::day::cell;

/// Renders the list of links to the sections, each with its state in a word.
pub fn jump(sections: &[SectionView]) -> Markup {
    html! {
        nav.lb-jump aria-label="Sections" {
            ul {
                @for section in sections {
                    li { a href={ "#" (section.id.code()) } { (section.title) } " " span.lb-jump__state { "(" (word(section)) ")" } }
                }
            }
        }
    }
}

/// Renders a section.
pub fn section(section: &SectionView) -> Markup {
    let is_loud = !matches!(section.state, SectionState::Recorded | SectionState::NoneRecorded);
    html! {
        section.lb-section.lb-section--loud[is_loud] aria-labelledby=(section.id.code()) {
            h2 id=(section.id.code()) {
                (section.title)
                @if let Some(label) = label(section.state) { " " span.lb-state { (label) } }
            }
            @for sentence in sentences(section.id, section.state, &section.title) { p { (sentence) } }
            @for note in &section.notes { p.lb-note { (note) } }
            @for table in &section.tables { (self::table(table)) }
        }
    }
}

fn word(section: &SectionView) -> String {
    match section.state {
        SectionState::Recorded => section.tables.iter().map(|table| table.rows.len()).sum::<usize>().to_string(),
        SectionState::NoneRecorded => "none recorded".to_owned(),
        SectionState::NotSupplied => "NOT SUPPLIED".to_owned(),
        SectionState::Withheld => "WITHHELD".to_owned(),
        SectionState::Unavailable => "NOT AVAILABLE".to_owned(),
    }
}

fn label(state: SectionState) -> Option<&'static str> {
    match state {
        SectionState::Recorded | SectionState::NoneRecorded => None,
        SectionState::NotSupplied => Some("NOT SUPPLIED to this copy"),
        SectionState::Withheld => Some("WITHHELD by the source"),
        SectionState::Unavailable => Some("NOT AVAILABLE in this copy"),
    }
}

fn sentences(id: SectionId, state: SectionState, title: &str) -> Vec<String> {
    match state {
        SectionState::Recorded => Vec::new(),
        SectionState::NoneRecorded if id == SectionId::Allergies => vec![
            format!("No '{title}' data is recorded for this patient."),
            "Nobody has recorded that the patient has no allergies: ask.".to_owned(),
        ],
        SectionState::NoneRecorded => vec![format!("No '{title}' data is recorded for this patient.")],
        SectionState::NotSupplied => vec![
            format!("This system does not support retrieval of '{title}' data."),
            "This data may still exist in the source system.".to_owned(),
        ],
        SectionState::Withheld => vec![
            format!("Access is denied to '{title}' data for this patient."),
            "Items excluded due to confidentiality and/or patient preferences".to_owned(),
        ],
        SectionState::Unavailable => vec![
            format!("'{title}' data could not be supplied when this copy was made."),
            "This data may still exist in the source system.".to_owned(),
        ],
    }
}

fn table(table: &TableView) -> Markup {
    html! {
        table.nhsuk-table.nhsuk-table-responsive.lb-table role="table" {
            @if !table.caption.is_empty() { caption { (table.caption) } }
            thead.nhsuk-table__head role="rowgroup" {
                tr role="row" {
                    @for column in &table.columns { th role="columnheader" scope="col" { (column) } }
                }
            }
            tbody.nhsuk-table__body role="rowgroup" {
                @for row in &table.rows { (self::row(&table.columns, row)) }
            }
        }
    }
}

fn row(columns: &[&'static str], row: &RowView) -> Markup {
    html! {
        tr.nhsuk-table__row role="row" {
            @for (at, content) in row.cells.iter().enumerate() {
                (cell(columns.get(at).copied().unwrap_or_default(), &self::content(content)))
            }
        }
    }
}

fn content(cell: &CellView) -> Markup {
    html! {
        @match cell.emphasis {
            Emphasis::Normal => { (cell.text) }
            Emphasis::Strong => { span.lb-strong { (cell.text) } }
            Emphasis::Quiet => { span.lb-quiet { (cell.text) } }
            Emphasis::Warning => { span.lb-high { (cell.text) } }
        }
    }
}
