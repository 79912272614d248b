//! One section of a record: its items, or what the absence of items means.
//!
//! "None recorded" is quiet. Every other absence is loud, because it must not be read as none, and so is a section
//! whose items are not all there are.

use lifeboat_clinical::SectionState;
use lifeboat_clinical::view::{CellView, Emphasis, Field, Gap, RowView, SectionView, TableView};
use maud::{Markup, html};

use super::day::cell;

/// Renders the list of links to the sections, each with its state in a word.
pub fn jump(sections: &[SectionView]) -> Markup {
    html! {
        nav.lb-jump aria-label="Sections" {
            ul {
                @for section in sections {
                    li {
                        a href={ "#" (section.id.code()) } { (section.title) }
                        " " span.lb-jump__state { "(" (word(section)) ")" }
                    }
                }
                li { a href="#person" { "Patient details" } }
            }
        }
    }
}

/// Renders what is known about the person beyond the banner.
pub fn person(tables: &[TableView]) -> Markup {
    html! {
        section.lb-section aria-labelledby="person" {
            h2 #person { "Patient details" }
            @if tables.is_empty() { p { "No further details are recorded for this patient." } }
            @for table in tables { (self::table(table)) }
        }
    }
}

/// Renders a section.
pub fn section(section: &SectionView) -> Markup {
    let label = label(section);
    let is_quiet = section.state == SectionState::NoneRecorded && section.tables.is_empty();
    html! {
        section.lb-section.lb-section--loud[label.is_some()].lb-section--quiet[is_quiet]
            aria-labelledby=(section.id.code()) {
            h2 id=(section.id.code()) {
                (section.title)
                @if let Some(label) = label { " " span.lb-state { (label) } }
            }
            @for note in &section.notes { p.lb-note { (note) } }
            @if section.notes.is_empty() && section.tables.is_empty() {
                p.lb-note { (fallback(section.state)) }
            }
            @for table in &section.tables { (self::table(table)) }
        }
    }
}

fn word(section: &SectionView) -> String {
    match section.state {
        SectionState::Recorded => {
            let rows = section.tables.iter().map(|table| table.rows.len()).sum::<usize>();
            match section.gap() {
                None => rows.to_string(),
                Some(Gap::Withheld) => format!("{rows}, PARTLY WITHHELD"),
                Some(Gap::Incomplete) => format!("{rows}, INCOMPLETE"),
            }
        }
        SectionState::NoneRecorded => "none recorded".to_owned(),
        SectionState::NotSupplied => "NOT SUPPLIED".to_owned(),
        SectionState::Withheld => "WITHHELD".to_owned(),
        SectionState::Unavailable => "NOT AVAILABLE".to_owned(),
    }
}

fn label(section: &SectionView) -> Option<&'static str> {
    match section.state {
        SectionState::Recorded => section.gap().map(|gap| match gap {
            Gap::Withheld => "PARTLY WITHHELD by the source",
            Gap::Incomplete => "INCOMPLETE in this copy",
        }),
        SectionState::NoneRecorded => None,
        SectionState::NotSupplied => Some("NOT SUPPLIED to this copy"),
        SectionState::Withheld => Some("WITHHELD by the source"),
        SectionState::Unavailable => Some("NOT AVAILABLE in this copy"),
    }
}

/// Says what an empty section means when the record itself says nothing about it; a section is never blank.
fn fallback(state: SectionState) -> &'static str {
    match state {
        SectionState::Recorded => {
            "Items are recorded, and none of them can be shown. Look in the source system."
        }
        SectionState::NoneRecorded => "Nothing is recorded in this section for this patient.",
        SectionState::NotSupplied => {
            "This data is not supplied to this copy. It may exist in the source system."
        }
        SectionState::Withheld => "This data was withheld by the source system.",
        SectionState::Unavailable => {
            "This data is not available in this copy. It may exist in the source system."
        }
    }
}

/// From this many columns on, a table stacks its cells on screens of middling width too, so that none is cut.
const WIDE_COLUMNS: usize = 8;

fn table(table: &TableView) -> Markup {
    let is_wide = table.columns.len() >= WIDE_COLUMNS;
    html! {
        table.nhsuk-table.nhsuk-table-responsive.lb-table.lb-table--wide[is_wide] role="table" {
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
    let last = row.cells.len().saturating_sub(1);
    html! {
        tr.nhsuk-table__row role="row" {
            @for (at, content) in row.cells.iter().enumerate() {
                (cell(columns.get(at).copied().unwrap_or_default(), &html! {
                    (self::content(content))
                    @if at == last { (more(&row.more)) }
                }))
            }
        }
    }
}

fn content(cell: &CellView) -> Markup {
    // What a row is about stands in a cell's first line; the lines below it are details.
    let (first, rest) = cell.text.split_once('\n').unwrap_or((&cell.text, ""));
    html! {
        @match cell.emphasis {
            Emphasis::Plain => { (first) }
            Emphasis::Strong => { strong { (first) } }
            Emphasis::Alert => { strong.lb-alert { (first) } }
            Emphasis::Void => { span.lb-void { (first) } }
        }
        @if !rest.is_empty() { div { (rest) } }
    }
}

/// Renders what only machines need of an item, folded away: nothing that a source wrote is left out.
fn more(fields: &[Field]) -> Markup {
    html! {
        @if !fields.is_empty() {
            details.lb-more {
                summary { "Codes" }
                (self::fields(fields))
            }
        }
    }
}

/// Renders labelled texts.
pub fn fields(fields: &[Field]) -> Markup {
    html! { dl { @for field in fields { dt { (field.label) } dd { (field.text) } } } }
}
