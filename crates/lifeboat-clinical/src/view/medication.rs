//! Medication: drug names, doses and quantities exactly as the source wrote them, and a status that is
//! never blank.

use super::datatypes;
use super::dates;
use super::held::{Held, kind_of};
use super::leftover;
use super::node::At;
use super::row::{self, Layout, Row, When};
use super::shape::{CellView, Emphasis};

/// Current repeats.
pub(crate) const REPEAT: Layout = Layout {
    caption: "Current Repeat Medication",
    columns: &[
        "Type",
        "Status",
        "Start Date",
        "Medication Item",
        "Dosage Instruction",
        "Quantity",
        "Last Issued Date",
        "Number of Prescriptions Issued",
        "Max Issues",
        "Review Date",
        "Additional Information",
    ],
    row: repeat,
};
/// Acute courses.
pub(crate) const ACUTE: Layout = Layout {
    caption: "Acute Medication (Last 12 Months)",
    columns: &[
        "Type",
        "Status",
        "Start Date",
        "Medication Item",
        "Dosage Instruction",
        "Quantity",
        "Scheduled End Date",
        "Days Duration",
        "Additional Information",
    ],
    row: acute,
};
/// Medicines that are not taken any more.
pub(crate) const PAST: Layout = Layout {
    caption: "Discontinued and Past Medication",
    columns: &[
        "Type",
        "Status",
        "Start Date",
        "Medication Item",
        "Dosage Instruction",
        "Quantity",
        "Last Issued Date",
        "Discontinued Date",
        "Discontinuation Reason",
        "Additional Information",
    ],
    row: past,
};

const KINDS: &[&str] =
    &["MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration"];

fn repeat<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let (start, mut cells) = head(held, item)?;
    let extension = |parts: &[&str]| parts.iter().find_map(|part| datatypes::extension(held, item, part));
    let allowed = item.path(&["dispenseRequest", "numberOfRepeatsAllowed"]).text().map(str::to_owned);
    cells.push(optional(extension(&["LastIssue"])));
    cells.push(optional(extension(&["numberOfPrescriptionsIssued", "numberOfRepeatPrescriptionsIssued"])));
    cells.push(optional(allowed.or_else(|| extension(&["numberOfRepeatPrescriptionsAllowed"]))));
    cells.push(optional(extension(&["authorisationExpiryDate", "reviewDate", "ReviewDate"])));
    Some(row::finish(held, item, start.order, cells, Vec::new()))
}

fn acute<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let (start, mut cells) = head(held, item)?;
    cells.push(optional(end(item)));
    let supply = ["expectedSupplyDuration", "daysSupply"];
    let of_request = datatypes::quantity(item.field("dispenseRequest").field(supply[0]));
    cells.push(optional(of_request.or_else(|| datatypes::quantity(item.field(supply[1])))));
    Some(row::finish(held, item, start.order, cells, Vec::new()))
}

fn past<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let (start, mut cells) = head(held, item)?;
    cells.push(optional(datatypes::extension(held, item, "LastIssue")));
    cells.push(optional(datatypes::extension(held, item, "statusChangeDate").or_else(|| end(item))));
    let mut reasons = datatypes::concepts(item.field("statusReason"));
    reasons.extend(datatypes::extension(held, item, "statusReason"));
    cells.push(CellView::plain(reasons.join(", ")));
    Some(row::finish(held, item, start.order, cells, Vec::new()))
}

/// Returns the cells that every table of medicines begins with.
fn head<'n>(held: &Held<'n>, item: At<'n>) -> Option<(When, Vec<CellView>)> {
    if !KINDS.contains(&kind_of(item)?) {
        return None;
    }
    let validity = item.path(&["dispenseRequest", "validityPeriod", "start"]);
    let start = match validity.text() {
        Some(text) => When { text: Some(dates::show(text)), order: dates::order(text) },
        None => row::when(held, item, &["effective", "authoredOn", "dateAsserted", "whenHandedOver"]),
    };
    let cells = vec![
        CellView::plain(course(held, item)),
        status(item),
        start.cell(),
        CellView::new(name(held, item), label_emphasis(item)),
        CellView::plain(dosage(held, item)),
        optional(quantity(held, item)),
    ];
    Some((start, cells))
}

fn optional(text: Option<String>) -> CellView {
    CellView::plain(text.unwrap_or_default())
}

fn label_emphasis(item: At<'_>) -> Emphasis {
    row::label(item).map_or(Emphasis::Strong, |(_, emphasis)| emphasis)
}

fn course<'n>(held: &Held<'n>, item: At<'n>) -> String {
    let course = item.field("courseOfTherapyType");
    for (code, word) in
        [("continuous", "Repeat"), ("acute", "Acute"), ("continuous-repeat-dispensing", "Repeat dispensing")]
    {
        if datatypes::has_code(course, code) {
            course.tell();
            return word.to_owned();
        }
    }
    if let Some(words) = datatypes::concept(course) {
        return words;
    }
    if let Some(words) = datatypes::extension(held, item, "PrescriptionType") {
        return words;
    }
    let kind = kind_of(item).unwrap_or_default();
    match (kind, datatypes::concept(item.field("category"))) {
        ("MedicationStatement", Some(category)) => format!("Statement ({category})"),
        ("MedicationStatement", None) => "Statement".to_owned(),
        ("MedicationDispense", _) => "Dispensed".to_owned(),
        ("MedicationAdministration", _) => "Administered".to_owned(),
        (_, Some(category)) => category,
        (_, None) => "Not stated".to_owned(),
    }
}

fn status(item: At<'_>) -> CellView {
    if let Some((word, emphasis)) = row::label(item) {
        return CellView::new(word, emphasis);
    }
    let status = item.field("status").text();
    let words = status.map_or_else(|| "Not stated".to_owned(), leftover::label);
    let words = match item.field("intent").peek() {
        Some(intent @ ("proposal" | "option")) => format!("{words} ({intent})"),
        _ => words,
    };
    let emphasis = match status {
        Some("active" | "completed" | "in-progress") => Emphasis::Strong,
        // Some feeds never say whether a course is over; that is nothing to be alarmed about.
        Some("unknown") => Emphasis::Plain,
        _ => Emphasis::Alert,
    };
    CellView::new(words, emphasis)
}

fn name<'n>(held: &Held<'n>, item: At<'n>) -> String {
    datatypes::concept(item.field("medicationCodeableConcept"))
        .or_else(|| datatypes::reference(held, item.field("medicationReference"), item))
        .unwrap_or_else(|| "Medication not named".to_owned())
}

fn dosage<'n>(held: &Held<'n>, item: At<'n>) -> String {
    let mut lines = Vec::new();
    for field in ["dosageInstruction", "dosage"] {
        for dose in item.field(field).items() {
            let said = lines.len();
            for part in ["text", "patientInstruction"] {
                lines.extend(dose.field(part).text().map(str::to_owned));
            }
            if lines.len() == said {
                lines.extend(leftover::in_words_of(held, dose, item));
            }
        }
    }
    if lines.is_empty() { "Not recorded".to_owned() } else { lines.join("\n") }
}

fn quantity<'n>(held: &Held<'n>, item: At<'n>) -> Option<String> {
    datatypes::quantity(item.path(&["dispenseRequest", "quantity"]))
        .or_else(|| datatypes::quantity(item.field("quantity")))
        .or_else(|| datatypes::extension(held, item, "uantityText"))
}

fn end(item: At<'_>) -> Option<String> {
    let validity = item.path(&["dispenseRequest", "validityPeriod", "end"]);
    let end = validity.text().or_else(|| item.path(&["effectivePeriod", "end"]).text());
    end.map(dates::show)
}
