//! Allergies: the header in exactly one of four states, and the tables of current and historical ones.
//!
//! Nothing recorded, recorded as none, and not in this copy are three different things, and a doubt is
//! decided for the reading that does not reassure.

use super::datatypes;
use super::dates;
use super::held::Held;
use super::node::At;
use super::row::{self, Layout, Row};
use super::shape::{AllergyHeader, AllergyLine, CellView, Emphasis};
use crate::SectionState;

/// Codes and words that say "no known allergies" about every kind of allergy.
const NONE_KNOWN: &[&str] =
    &["716186003", "160244002", "no-known-allergies", "no known allergies", "no known allergy"];
/// Codes and words that say it about one kind only, which is not enough for the header.
const PARTLY_NONE: &[&str] = &[
    "409137002",
    "429625007",
    "428607008",
    "428197003",
    "1003774007",
    "no-known-medication-allergies",
    "no-known-environmental-allergies",
    "no-known-food-allergies",
    "no known drug allergies",
    "no known drug allergy",
    "nkda",
];
/// Codes that say that nothing is known either way.
const NO_INFORMATION: &[&str] = &["1287211007", "no-allergy-info"];

/// Words that take something back from what was said before them.
const EXCEPTIONS: &[&str] = &["except", "excepting", "apart", "but", "although"];

/// What an entry among the allergies says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Allergic,
    NoneKnown,
    PartlyNone,
    NoInformation,
}

/// The current allergies.
pub(crate) const CURRENT: Layout = Layout {
    caption: "Current Allergies and Adverse Reactions",
    columns: &["Start Date", "Details"],
    row: current,
};
/// Allergies that are resolved, inactive, refuted or entered in error.
pub(crate) const HISTORICAL: Layout = Layout {
    caption: "Historical Allergies and Adverse Reactions",
    columns: &["Start Date", "End Date", "Details"],
    row: historical,
};

/// Returns the header for a section in `state` with `items`, which are not all if `incomplete` says so.
pub(crate) fn header<'n>(
    held: &Held<'n>,
    section: At<'n>,
    state: SectionState,
    items: &[At<'n>],
    incomplete: Option<String>,
) -> AllergyHeader {
    let current: Vec<At<'n>> = items.iter().copied().filter(|item| is_current(*item)).collect();
    let saying = |says| current.iter().copied().filter(move |item| what_it_says(*item) == says);
    let mut known: Vec<AllergyLine> = saying(Says::Allergic).map(|item| line(held, item)).collect();
    if !known.is_empty() {
        known.sort_by_cached_key(|line| line.substance.to_lowercase());
        return AllergyHeader::Known(known);
    }
    let unavailable = |why: &str| AllergyHeader::Unavailable { why: why.to_owned() };
    match state {
        SectionState::Withheld => return unavailable("The source has withheld allergies"),
        SectionState::Unavailable => return unavailable("Allergies are not available in this copy"),
        SectionState::NotSupplied => return unavailable("The source of this copy does not supply allergies"),
        SectionState::Recorded | SectionState::NoneRecorded => {}
    }
    if let Some(why) = incomplete {
        return AllergyHeader::Unavailable { why };
    }
    if saying(Says::NoInformation).next().is_some() {
        return unavailable("The source states that no information about allergies is available");
    }
    if let Some(item) = saying(Says::NoneKnown).max_by_key(|item| last_updated(*item).and_then(dates::order))
    {
        return AllergyHeader::NoneKnown {
            recorded: last_updated(item).map(dates::show_day),
            recorder: recorder(held, item),
        };
    }
    let nil_known = items.is_empty() && datatypes::has_code(section.field("emptyReason"), "nilknown");
    if nil_known {
        return AllergyHeader::NoneKnown { recorded: None, recorder: None };
    }
    AllergyHeader::NotRecorded
}

/// Returns sentences about the entries that the header cannot say.
pub(crate) fn notes(items: &[At<'_>]) -> Vec<String> {
    let says = |wanted| items.iter().any(|item| is_current(*item) && what_it_says(*item) == wanted);
    let mut notes = Vec::new();
    if says(Says::Allergic) && says(Says::NoneKnown) {
        notes.push("The record also states that there are no known allergies; the two disagree.".to_owned());
    }
    if !items.is_empty() && !items.iter().any(|item| is_current(*item)) {
        notes.push("No current allergy is recorded; only historical entries are.".to_owned());
    }
    if says(Says::PartlyNone) && !says(Says::Allergic) && !says(Says::NoneKnown) {
        notes.push("The record excludes some kinds of allergy only; see the entries.".to_owned());
    }
    notes
}

fn what_it_says(item: At<'_>) -> Says {
    let code = item.field("code");
    let plain = if code.field("coding").exists() { None } else { code.field("text").peek() };
    let words = plain.map(|text| text.trim().trim_end_matches('.').to_lowercase());
    let among = |list: &[&str]| {
        list.iter().any(|entry| datatypes::has_code(code, entry) || words.as_deref() == Some(*entry))
    };
    let says_none = among(NONE_KNOWN) || among(PARTLY_NONE) || among(NO_INFORMATION);
    if says_none && contradicts_itself(item) {
        Says::Allergic
    } else if among(NONE_KNOWN) {
        Says::NoneKnown
    } else if among(PARTLY_NONE) {
        Says::PartlyNone
    } else if among(NO_INFORMATION) {
        Says::NoInformation
    } else {
        Says::Allergic
    }
}

/// Says whether an entry that is coded as none names an exception, or a reaction: then it is read as an allergy.
fn contradicts_itself(item: At<'_>) -> bool {
    let code = item.field("code");
    let mut texts = code.items().filter_map(|code| code.field("text").peek()).map(str::to_lowercase);
    let mut makes_an_exception = || {
        texts.any(|text| {
            EXCEPTIONS.iter().any(|word| text.split(|c: char| !c.is_alphabetic()).any(|said| said == *word))
        })
    };
    item.field("reaction").items().next().is_some() || makes_an_exception()
}

/// Says whether the entry holds today; one without a status does.
fn is_current(item: At<'_>) -> bool {
    let void = matches!(row::label(item), Some((_, Emphasis::Void)));
    let clinical = item.field("clinicalStatus");
    let over = ["inactive", "resolved"].iter().any(|code| datatypes::has_code(clinical, code));
    let inactive = item.field("status").is("inactive");
    !void && !over && !inactive
}

fn substance(item: At<'_>) -> String {
    datatypes::concept(item.field("code"))
        .or_else(|| {
            item.field("reaction")
                .items()
                .find_map(|reaction| datatypes::concept(reaction.field("substance")))
        })
        .unwrap_or_else(|| "Substance not recorded".to_owned())
}

fn line<'n>(held: &Held<'n>, item: At<'n>) -> AllergyLine {
    AllergyLine {
        substance: substance(item),
        coded: item.path(&["code", "coding"]).exists(),
        reactions: item
            .field("reaction")
            .items()
            .filter_map(|reaction| reaction_words(held, reaction, item))
            .collect(),
        criticality: criticality(item),
        status: status(item),
        recorded: last_updated(item).map(dates::show_day),
    }
}

fn reaction_words<'n>(held: &Held<'n>, reaction: At<'n>, item: At<'n>) -> Option<String> {
    let mut what = datatypes::concepts(reaction.field("manifestation"));
    what.extend(reaction.field("description").text().map(str::to_owned));
    let mut about: Vec<String> = Vec::new();
    about.extend(reaction.field("severity").text().map(str::to_owned));
    about.extend(reaction.field("onset").text().map(dates::show));
    about.extend(datatypes::concept(reaction.field("exposureRoute")));
    about.extend(reaction.field("note").items().filter_map(|note| datatypes::annotation(held, note, item)));
    match (what.is_empty(), about.is_empty()) {
        (true, true) => None,
        (false, true) => Some(what.join(", ")),
        (true, false) => Some(format!("Reaction not recorded ({})", about.join(", "))),
        (false, false) => Some(format!("{} ({})", what.join(", "), about.join(", "))),
    }
}

fn criticality(item: At<'_>) -> Option<String> {
    item.field("criticality").text().map(|criticality| match criticality {
        "high" => "High".to_owned(),
        "low" => "Low".to_owned(),
        "unable-to-assess" => "Unable to assess".to_owned(),
        other => other.to_owned(),
    })
}

fn status(item: At<'_>) -> String {
    let words: Vec<String> = ["clinicalStatus", "verificationStatus"]
        .into_iter()
        .filter_map(|field| datatypes::concept(item.field(field)))
        .collect();
    if words.is_empty() { "Not stated".to_owned() } else { words.join(", ") }
}

fn last_updated<'n>(item: At<'n>) -> Option<&'n str> {
    ["recordedDate", "issued", "effectiveDateTime", "onsetDateTime"]
        .iter()
        .find_map(|field| item.field(field).text())
}

fn recorder<'n>(held: &Held<'n>, item: At<'n>) -> Option<String> {
    ["recorder", "asserter", "performer"]
        .iter()
        .find_map(|field| item.field(field).items().find_map(|who| datatypes::reference(held, who, item)))
}

fn current<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    is_current(item).then(|| entry(held, item, &[]))
}

fn historical<'n>(held: &Held<'n>, item: At<'n>) -> Option<Row> {
    let end = ["llergyEnd", "endDate"].into_iter().find_map(|part| datatypes::extension(held, item, part));
    let end = end.or_else(|| datatypes::choice(held, item, "abatement"));
    Some(entry(held, item, &[CellView::plain(end.unwrap_or_default())]))
}

fn entry<'n>(held: &Held<'n>, item: At<'n>, between: &[CellView]) -> Row {
    let line = line(held, item);
    let when = row::when(held, item, &["onset", "effective", "period", "recordedDate", "issued"]);
    let mut lines = vec![row::entry_cell(item, &line.substance).text];
    if !line.coded {
        lines.push("Free text, not coded".to_owned());
    }
    lines.extend(line.reactions.iter().map(|reaction| format!("Reaction: {reaction}")));
    lines.extend(line.criticality.map(|criticality| format!("Criticality: {criticality}")));
    lines.push(format!("Status: {}", line.status));
    lines.extend(line.recorded.map(|recorded| format!("Recorded: {recorded}")));
    let mut cells = vec![when.cell()];
    cells.extend_from_slice(between);
    let mut row = row::finish(held, item, when.order, cells, lines);
    if let Some(last) = row.view.cells.last_mut() {
        last.emphasis = row::label(item).map_or(Emphasis::Strong, |(_, emphasis)| emphasis);
    }
    row
}
