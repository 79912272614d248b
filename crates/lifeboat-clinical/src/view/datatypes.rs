//! The building blocks of FHIR resources as text: concepts, quantities, periods, references, notes.
//!
//! The source's own words are shown; a code without words is shown as `system|code`, never dropped.

use super::dates;
use super::held::Held;
use super::node::At;

/// Returns the words of a CodeableConcept: its text, else a display, else the raw codes.
pub(crate) fn concept(at: At<'_>) -> Option<String> {
    if !at.is_object() {
        return at.text().map(str::to_owned);
    }
    at.tell();
    let words = match at.field("text").text() {
        Some(text) => text.to_owned(),
        None => match at.field("coding").items().find_map(|coding| coding.field("display").text()) {
            Some(display) => display.to_owned(),
            None => {
                let codes: Vec<String> = at.field("coding").items().filter_map(raw_code).collect();
                return (!codes.is_empty()).then(|| codes.join(", "));
            }
        },
    };
    for coding in at.field("coding").items() {
        let display = coding.field("display");
        if display.peek().is_some_and(|text| text.trim().eq_ignore_ascii_case(&words)) {
            display.mark();
        }
    }
    Some(words)
}

/// Returns the words of every concept in a list.
pub(crate) fn concepts(at: At<'_>) -> Vec<String> {
    at.items().filter_map(concept).collect()
}

/// Returns the words of a Coding: its display, else the raw code.
pub(crate) fn coding(at: At<'_>) -> Option<String> {
    at.tell();
    at.field("display").text().map(str::to_owned).or_else(|| raw_code(at))
}

fn raw_code(coding: At<'_>) -> Option<String> {
    let code = coding.field("code").text()?;
    Some(match coding.field("system").text() {
        Some(system) => format!("{system}|{code}"),
        None => code.to_owned(),
    })
}

/// Returns the codes of a concept, to decide by.
pub(crate) fn codes<'n>(at: At<'n>) -> impl Iterator<Item = &'n str> {
    at.items()
        .flat_map(|concept| concept.field("coding").items().collect::<Vec<_>>())
        .filter_map(|coding| coding.field("code").peek())
}

/// Says whether a concept, or a plain code, carries `code`.
pub(crate) fn has_code(at: At<'_>, code: &str) -> bool {
    at.items().any(|item| item.is(code)) || codes(at).any(|found| found == code)
}

/// Returns a Quantity with the number exactly as the source wrote it.
pub(crate) fn quantity(at: At<'_>) -> Option<String> {
    let number = at.field("value").text()?;
    let comparator = at.field("comparator").text().unwrap_or_default();
    let code = at.field("code");
    let unit = at.field("unit").text();
    if unit.is_some() && code.peek() == unit {
        code.mark();
    }
    Some(match unit.or_else(|| code.text()) {
        Some(unit) => format!("{comparator}{number} {unit}"),
        None => format!("{comparator}{number}"),
    })
}

/// Returns a Range of quantities.
pub(crate) fn range(at: At<'_>) -> Option<String> {
    let (low, high) = (at.field("low"), at.field("high"));
    let same_unit = low.field("unit").peek() == high.field("unit").peek()
        && low.field("comparator").peek().is_none()
        && high.field("value").exists();
    let low_text = if same_unit && low.field("value").exists() {
        low.field("unit").mark();
        low.field("code").mark();
        low.field("value").text().map(str::to_owned)
    } else {
        quantity(low)
    };
    match (low_text, quantity(high)) {
        (Some(low), Some(high)) => Some(format!("{low} \u{2013} {high}")),
        (Some(low), None) => Some(format!("from {low}")),
        (None, Some(high)) => Some(format!("up to {high}")),
        (None, None) => None,
    }
}

/// Returns a Period in words.
pub(crate) fn period(at: At<'_>) -> Option<String> {
    let part = |name| at.field(name).text().map(dates::show);
    match (part("start"), part("end")) {
        (Some(start), Some(end)) => Some(format!("{start} to {end}")),
        (Some(start), None) => Some(format!("from {start}")),
        (None, Some(end)) => Some(format!("until {end}")),
        (None, None) => None,
    }
}

/// Returns whom or what a Reference in `from` names: its display, else the target's name, else the raw text.
pub(crate) fn reference<'n>(held: &Held<'n>, at: At<'n>, from: At<'n>) -> Option<String> {
    at.tell();
    if let Some(display) = at.field("display").text() {
        return Some(display.to_owned());
    }
    let raw = at.field("reference");
    if let Some(name) = raw.peek().and_then(|raw| held.name_of(raw, from)) {
        return Some(name);
    }
    let identifier = at.path(&["identifier", "value"]).text();
    identifier.or_else(|| raw.text()).map(str::to_owned)
}

/// Returns the names of every Reference in a list.
pub(crate) fn references<'n>(held: &Held<'n>, at: At<'n>, from: At<'n>) -> Vec<String> {
    at.items().filter_map(|item| reference(held, item, from)).collect()
}

/// Returns an Annotation with who wrote it and when.
pub(crate) fn annotation<'n>(held: &Held<'n>, at: At<'n>, from: At<'n>) -> Option<String> {
    if !at.is_object() {
        return at.text().map(str::to_owned);
    }
    let text = at.field("text").text()?;
    let author = at.field("authorString").text().map(str::to_owned);
    let author = author.or_else(|| reference(held, at.field("authorReference"), from));
    let time = at.field("time").text().map(dates::show);
    let by: Vec<String> = author.into_iter().chain(time).collect();
    Some(if by.is_empty() { text.to_owned() } else { format!("{text} ({})", by.join(", ")) })
}

/// Returns the value of a choice such as `value[x]` or `onset[x]`, whatever its type.
pub(crate) fn choice<'n>(held: &Held<'n>, resource: At<'n>, prefix: &str) -> Option<String> {
    let (key, at) = resource.choice(prefix)?;
    typed(held, at, &key[prefix.len()..], resource)
}

/// Returns a value of the FHIR type `kind`.
fn typed<'n>(held: &Held<'n>, at: At<'n>, kind: &str, from: At<'n>) -> Option<String> {
    match kind {
        "Quantity" | "Age" | "Duration" | "SimpleQuantity" | "Count" | "Distance" | "Money" => quantity(at),
        "CodeableConcept" => concept(at),
        "Coding" => coding(at),
        "Range" => range(at),
        "Ratio" => {
            let (above, below) = (quantity(at.field("numerator"))?, quantity(at.field("denominator"))?);
            Some(format!("{above} / {below}"))
        }
        "Period" => period(at),
        "Reference" => reference(held, at, from),
        "Annotation" => annotation(held, at, from),
        "DateTime" | "Date" | "Instant" => at.text().map(dates::show),
        "Boolean" => at.text().map(|flag| if flag == "true" { "Yes" } else { "No" }.to_owned()),
        _ => at.text().map(str::to_owned),
    }
}

/// Returns what an extension says when its address contains `part`, looking into nested ones too.
pub(crate) fn extension<'n>(held: &Held<'n>, at: At<'n>, part: &str) -> Option<String> {
    at.field("extension").items().find_map(|extension| {
        let named = extension.field("url").peek().is_some_and(|url| url.contains(part));
        if named && let Some(text) = choice(held, extension, "value") {
            return Some(text);
        }
        extension.field("extension").exists().then(|| self::extension(held, extension, part)).flatten()
    })
}
