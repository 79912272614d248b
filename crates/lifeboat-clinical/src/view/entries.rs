//! The other kinds of items: problems, encounters, measurements, immunisations, referrals, and anything else.

use super::datatypes;
use super::held::{Held, kind_of};
use super::leftover;
use super::node::At;
use super::row::{self, ANY_DATE, Layout, Row};
use super::shape::{CellView, Emphasis};

/// Problems that are active.
pub(crate) const PROBLEMS: Layout =
    Layout { caption: "", columns: &["Start Date", "Entry", "Significance", "Details"], row: active_problem };
/// Past problems of major significance.
pub(crate) const MAJOR_PAST_PROBLEMS: Layout = Layout {
    caption: "Major Inactive Problems and Issues",
    columns: &["Start Date", "End Date", "Entry", "Significance", "Details"],
    row: major_past_problem,
};
/// All other past problems.
pub(crate) const OTHER_PAST_PROBLEMS: Layout = Layout {
    caption: "Other Inactive Problems and Issues",
    columns: &["Start Date", "End Date", "Entry", "Significance", "Details"],
    row: past_problem,
};
/// Consultations.
pub(crate) const ENCOUNTERS: Layout =
    Layout { caption: "", columns: &["Date", "Title", "Details"], row: encounter };
/// Results and other measurements.
pub(crate) const MEASUREMENTS: Layout =
    Layout { caption: "", columns: &["Date", "Entry", "Value", "Range", "Details"], row: measurement };
/// Immunisations.
pub(crate) const IMMUNISATIONS: Layout = Layout {
    caption: "",
    columns: &["Date", "Vaccination", "Part", "Contents", "Details"],
    row: immunisation,
};
/// Referrals.
pub(crate) const REFERRALS: Layout =
    Layout { caption: "", columns: &["Date", "From", "To", "Priority", "Details"], row: referral };
/// Anything.
pub(crate) const ANYTHING: Layout =
    Layout { caption: "", columns: &["Date", "Entry", "Details"], row: anything };
/// Anything, beside a table of another kind.
pub(crate) const OTHER_ENTRIES: Layout =
    Layout { caption: "Other entries", columns: &["Date", "Entry", "Details"], row: anything };
/// People, places and products that items refer to.
pub(crate) const NAMED: Layout = Layout {
    caption: "People, places and products named in this record",
    columns: &["Kind", "Name", "Details"],
    row: named,
};

/// Types of resources that are there because others refer to them.
pub(crate) const NAMED_KINDS: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "HealthcareService",
    "RelatedPerson",
    "Medication",
    "Substance",
    "Device",
    "Specimen",
];

/// Fields that name an item of any type, most telling first.
const NAMING: &[&str] = &[
    "code",
    "type",
    "vaccineCode",
    "medicationCodeableConcept",
    "title",
    "description",
    "serviceType",
    "relationship",
    "category",
    "topic",
    "provision",
    "name",
    "comment",
];

fn active_problem<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    problem(held, item, None)
}

fn past_problem<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let end = datatypes::choice(held, item, "abatement");
    problem(held, item, Some(CellView::plain(end.unwrap_or_default())))
}

fn major_past_problem<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let major = datatypes::extension(held, item, "ignificance")
        .is_some_and(|text| text.eq_ignore_ascii_case("major"));
    major.then(|| past_problem(held, item)).flatten()
}

fn problem<'n>(held: &Held<'n>, item: At<'n>, end: Option<CellView>) -> Option<Row> {
    if kind_of(item) != Some("Condition") {
        return None;
    }
    let start = row::when(held, item, &["onset", "recordedDate"]);
    let significance = datatypes::extension(held, item, "ignificance").map(|text| leftover::label(&text));
    let mut cells = vec![start.cell()];
    cells.extend(end);
    cells.push(row::entry_cell(item, &words(held, item)));
    cells.push(CellView::plain(significance.unwrap_or_default()));
    Some(row::finish(held, item, start.order, cells, Vec::new()))
}

fn encounter<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    if kind_of(item) != Some("Encounter") {
        return None;
    }
    let when = row::when(held, item, &["period"]);
    let mut titles = datatypes::concepts(item.field("type"));
    titles.extend(datatypes::concepts(item.field("reasonCode")));
    let title = if titles.is_empty() { "Encounter".to_owned() } else { titles.join(" \u{2013} ") };
    let cells = vec![when.cell(), row::entry_cell(item, &title)];
    Some(row::finish(held, item, when.order, cells, Vec::new()))
}

fn measurement<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let (value, range) = match kind_of(item)? {
        "Observation" => observed(held, item),
        "DiagnosticReport" => {
            let mut said: Vec<String> =
                item.field("conclusion").text().map(str::to_owned).into_iter().collect();
            said.extend(datatypes::concepts(item.field("conclusionCode")));
            (CellView::plain(said.join("\n")), String::new())
        }
        _ => return None,
    };
    let when = row::when(held, item, &["effective", "issued"]);
    let cells = vec![when.cell(), row::entry_cell(item, &words(held, item)), value, CellView::plain(range)];
    Some(row::finish(held, item, when.order, cells, Vec::new()))
}

/// Returns the value and the range of an observation and its components.
fn observed<'n>(held: &Held<'n>, item: At<'n>) -> (CellView, String) {
    let mut values: Vec<String> = value_of(held, item, item).into_iter().collect();
    let mut ranges = ranges_of(item);
    for component in item.field("component").items() {
        let name = datatypes::concept(component.field("code")).unwrap_or_else(|| "Component".to_owned());
        let value = value_of(held, component, item).unwrap_or_else(|| "no value".to_owned());
        values.push(format!("{name}: {value}"));
        ranges.extend(ranges_of(component).into_iter().map(|range| format!("{name}: {range}")));
    }
    let parts = std::iter::once(item).chain(item.field("component").items());
    let notable = parts.map(|part| part.field("interpretation")).any(is_notable);
    let emphasis = if notable { Emphasis::Alert } else { Emphasis::Plain };
    (CellView::new(values.join("\n"), emphasis), ranges.join("\n"))
}

fn value_of<'n>(held: &Held<'n>, part: At<'n>, item: At<'n>) -> Option<String> {
    let absent = || datatypes::concept(part.field("dataAbsentReason")).map(|why| format!("No value: {why}"));
    let value = datatypes::choice(held, part, "value").or_else(|| {
        let unknown = part.choice("value").map(|(_, at)| leftover::in_words_of(held, at, item).join(", "));
        unknown.filter(|words| !words.is_empty())
    });
    let value = value.or_else(absent);
    let interpretation = datatypes::concepts(part.field("interpretation")).join(", ");
    match (value, interpretation.is_empty()) {
        (Some(value), true) => Some(value),
        (Some(value), false) => Some(format!("{value} ({interpretation})")),
        (None, true) => None,
        (None, false) => Some(interpretation),
    }
}

fn ranges_of(part: At<'_>) -> Vec<String> {
    part.field("referenceRange")
        .items()
        .filter_map(|range| {
            let limits = datatypes::range(range);
            let text = range.field("text").text().map(str::to_owned);
            let mut words: Vec<String> = limits.into_iter().chain(text).collect();
            words.dedup();
            let mut of = datatypes::concepts(range.field("type"));
            of.extend(datatypes::concepts(range.field("appliesTo")));
            if words.is_empty() {
                return None;
            }
            let said = words.join(", ");
            Some(if of.is_empty() { said } else { format!("{said} ({})", of.join(", ")) })
        })
        .collect()
}

/// Says whether an interpretation asks for attention.
fn is_notable(interpretation: At<'_>) -> bool {
    const NOTABLE: &[&str] = &["H", "HH", "HU", "L", "LL", "LU", "A", "AA", "POS", "R", "U", "D", "W"];
    datatypes::codes(interpretation).any(|code| NOTABLE.contains(&code))
}

fn immunisation<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    if kind_of(item) != Some("Immunization") {
        return None;
    }
    let when = row::when(held, item, &["occurrence", "date", "recorded"]);
    let procedure = datatypes::extension(held, item, "VaccinationProcedure");
    let vaccine = datatypes::concept(item.field("vaccineCode"));
    let (vaccination, contents) = match (procedure, vaccine) {
        (Some(procedure), vaccine) => {
            let contents = vaccine.filter(|vaccine| *vaccine != procedure);
            (procedure, contents.unwrap_or_default())
        }
        (None, Some(vaccine)) => (vaccine, String::new()),
        (None, None) => ("Vaccine not named".to_owned(), String::new()),
    };
    let parts: Vec<String> = item
        .field("protocolApplied")
        .items()
        .filter_map(|protocol| {
            let dose = datatypes::choice(held, protocol, "doseNumber")?;
            let series = datatypes::choice(held, protocol, "seriesDoses");
            Some(series.map_or_else(|| dose.clone(), |series| format!("{dose} of {series}")))
        })
        .collect();
    let cells = vec![
        when.cell(),
        row::entry_cell(item, &vaccination),
        CellView::plain(parts.join(", ")),
        CellView::plain(contents),
    ];
    Some(row::finish(held, item, when.order, cells, Vec::new()))
}

fn referral<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    if !matches!(kind_of(item)?, "ServiceRequest" | "ReferralRequest") {
        return None;
    }
    let when = row::when(held, item, &["authoredOn", "occurrence"]);
    let from = datatypes::references(held, item.field("requester"), item).join(", ");
    let mut to = datatypes::references(held, item.field("performer"), item);
    to.extend(datatypes::concept(item.field("performerType")));
    let priority = item.field("priority").text().map(leftover::label);
    let entry = row::entry_cell(item, &words(held, item)).text;
    let cells = vec![
        when.cell(),
        CellView::plain(from),
        CellView::plain(to.join(", ")),
        CellView::plain(priority.unwrap_or_default()),
    ];
    let mut row = row::finish(held, item, when.order, cells, vec![entry]);
    if let (Some((_, emphasis)), Some(last)) = (row::label(item), row.view.cells.last_mut()) {
        last.emphasis = emphasis;
    }
    Some(row)
}

fn anything<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let when = row::when(held, item, ANY_DATE);
    let cells = vec![when.cell(), row::entry_cell(item, &words(held, item))];
    let mut lead = Vec::new();
    let named_by_kind =
        kind_of(item).filter(|kind| !["Flag", "Observation", "Condition", "Procedure"].contains(kind));
    lead.extend(named_by_kind.map(|kind| format!("Kind: {}", leftover::label(kind))));
    if kind_of(item) == Some("Observation") {
        let (value, range) = observed(held, item);
        lead.extend((!value.text.is_empty()).then(|| format!("Value: {}", value.text)));
        lead.extend((!range.is_empty()).then(|| format!("Range: {range}")));
    }
    Some(row::finish(held, item, when.order, cells, lead))
}

fn named<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let kind = kind_of(item).filter(|kind| NAMED_KINDS.contains(kind))?;
    let cells =
        vec![CellView::plain(leftover::label(kind)), CellView::new(words(held, item), Emphasis::Strong)];
    Some(row::finish(held, item, None, cells, Vec::new()))
}

/// Returns the words by which an item goes.
fn words<'n>(held: &Held<'n>, item: At<'n>) -> String {
    for field in NAMING {
        let at = item.field(field);
        if *field == "name" && at.items().any(At::is_object) {
            if let Some(name) = super::names::spoken(at) {
                return name;
            }
            continue;
        }
        let said: Vec<String> = at.items().filter_map(datatypes::concept).collect();
        if !said.is_empty() {
            return said.join(", ");
        }
    }
    let target = ["practitioner", "organization", "medicationReference", "focus"]
        .iter()
        .find_map(|field| datatypes::reference(held, item.field(field), item));
    target.unwrap_or_else(|| kind_of(item).map_or_else(|| "Unknown item".to_owned(), leftover::label))
}
