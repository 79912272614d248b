//! One item as a row: its date, what marks it as not holding, its details, and all that is left of it.

use jiff::civil::DateTime;

use super::datatypes;
use super::dates;
use super::held::{Held, kind_of};
use super::leftover;
use super::node::At;
use super::shape::{CellView, Emphasis, RowView, TableView};

/// What a clinician reads where the source gives no date.
pub(crate) const NO_DATE: &str = "Not recorded";

/// A row and the date that it is sorted by.
pub(crate) struct Row {
    pub(crate) order: Option<DateTime>,
    pub(crate) view: RowView,
}

/// How the items of a table are made and headed.
pub(crate) struct Layout {
    pub(crate) caption: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Makes the row of an item, or leaves the item to the next layout.
    pub(crate) row: for<'n> fn(&Held<'n>, At<'n>) -> Option<Row>,
}

/// Puts each of `items` into the first layout that takes it; newest first, undated ones last.
pub(crate) fn tables<'n>(held: &Held<'n>, layouts: &[&Layout], items: &[At<'n>]) -> Vec<TableView> {
    let mut filled: Vec<Vec<Row>> = layouts.iter().map(|_| Vec::new()).collect();
    for item in items {
        let row = layouts.iter().enumerate().find_map(|(at, layout)| Some((at, (layout.row)(held, *item)?)));
        if let Some((at, row)) = row {
            filled[at].push(row);
        }
    }
    layouts
        .iter()
        .zip(filled)
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(layout, mut rows)| {
            rows.sort_by_key(|row| std::cmp::Reverse(row.order));
            TableView {
                caption: layout.caption.to_owned(),
                columns: layout.columns.to_vec(),
                rows: rows.into_iter().map(|row| row.view).collect(),
            }
        })
        .collect()
}

/// Completes a row: `lead` and what no column showed become the last cell.
pub(crate) fn finish<'n>(
    held: &Held<'n>,
    resource: At<'n>,
    order: Option<DateTime>,
    mut cells: Vec<CellView>,
    lead: Vec<String>,
) -> Row {
    let mut lines: Vec<String> = lead;
    lines.extend(status_line(resource).filter(|line| !lines.contains(line)));
    lines.extend(leftover::in_words(held, resource));
    cells.push(CellView::plain(lines.join("\n")));
    Row { order, view: RowView { cells, more: leftover::raw(resource) } }
}

/// When an item was, in words and for sorting.
pub(crate) struct When {
    pub(crate) text: Option<String>,
    pub(crate) order: Option<DateTime>,
}

impl When {
    /// Returns the cell of a date column.
    pub(crate) fn cell(&self) -> CellView {
        CellView::plain(self.text.as_deref().unwrap_or(NO_DATE))
    }
}

/// Reads the first of `names` that the item has; each may be a date, a Period's start, or a choice of types.
pub(crate) fn when<'n>(held: &Held<'n>, resource: At<'n>, names: &[&str]) -> When {
    for name in names {
        let field = resource.field(name);
        let at = if field.exists() { Some(field) } else { resource.choice(name).map(|(_, at)| at) };
        let Some(at) = at else { continue };
        let date = if at.is_object() { at.field("start") } else { at };
        if let Some(text) = date.text() {
            return When { text: Some(dates::show(text)), order: dates::order(text) };
        }
        if let Some(text) = datatypes::choice(held, resource, name) {
            return When { text: Some(text), order: None };
        }
    }
    When { text: None, order: None }
}

/// The fields that say when something was, of resources of any type, most telling first.
pub(crate) const ANY_DATE: &[&str] = &[
    "effective",
    "onset",
    "occurrence",
    "performed",
    "period",
    "start",
    "authoredOn",
    "date",
    "dateAsserted",
    "executionPeriod",
    "startDate",
    "whenHandedOver",
    "recordedDate",
    "dateTime",
    "created",
    "issued",
    "sent",
    "recorded",
    "statementDate",
    "identifiedDateTime",
    "timing",
];

/// Returns the words before an item that does not hold, or must be heeded, and how they stand out.
pub(crate) fn label(resource: At<'_>) -> Option<(&'static str, Emphasis)> {
    let verification = resource.field("verificationStatus");
    if resource.field("status").is("entered-in-error")
        || datatypes::has_code(verification, "entered-in-error")
    {
        return Some(("ENTERED IN ERROR", Emphasis::Void));
    }
    if datatypes::has_code(verification, "refuted") {
        return Some(("REFUTED", Emphasis::Void));
    }
    let word = match resource.field("status").peek() {
        Some("cancelled") => Some("CANCELLED"),
        Some("revoked") => Some("REVOKED"),
        Some("rejected") => Some("REJECTED"),
        Some("not-done") if kind_of(resource) == Some("Immunization") => Some("NOT GIVEN"),
        Some("not-done") => Some("NOT DONE"),
        Some("not-taken") => Some("NOT TAKEN"),
        _ => None,
    };
    if let Some(word) = word {
        return Some((word, Emphasis::Void));
    }
    resource.field("doNotPerform").is("true").then_some(("DO NOT", Emphasis::Alert))
}

/// Returns the cell that names an item, with the label of one that does not hold.
pub(crate) fn entry_cell(resource: At<'_>, words: &str) -> CellView {
    match label(resource) {
        Some((word, emphasis)) => CellView::new(format!("{word}: {words}"), emphasis),
        None => CellView::new(words, Emphasis::Strong),
    }
}

/// Returns a line about a status that is not what one expects of an item.
fn status_line(resource: At<'_>) -> Option<String> {
    const EXPECTED: &[&str] = &[
        "final",
        "completed",
        "finished",
        "active",
        "current",
        "confirmed",
        "fulfilled",
        "available",
        "entered-in-error",
    ];
    let mut said = Vec::new();
    let status = resource.field("status");
    if label(resource).is_none()
        && !status.seen()
        && status.peek().is_some_and(|status| !EXPECTED.contains(&status))
    {
        said.extend(status.text().map(leftover::label));
    }
    for (field, expected) in [("clinicalStatus", "active"), ("verificationStatus", "confirmed")] {
        let at = resource.field(field);
        if at.exists() && !datatypes::has_code(at, expected) {
            said.extend(datatypes::concept(at));
        }
    }
    (!said.is_empty()).then(|| format!("Status: {}", said.join(", ")))
}
