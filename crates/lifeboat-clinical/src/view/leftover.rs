//! What no column asked for. Nothing in a record is dropped: what people wrote is put into words beside
//! the item, and what only machines need (codes, identifiers, addresses of profiles) is listed raw.

use super::banner;
use super::datatypes;
use super::dates;
use super::held::Held;
use super::names;
use super::node::At;
use super::shape::Field;

/// Plain fields that say something to machines only.
const TECHNICAL: &[&str] = &[
    "id",
    "resourceType",
    "system",
    "code",
    "reference",
    "url",
    "fullUrl",
    "version",
    "userSelected",
    "status",
    "implicitRules",
    "contentType",
    "hash",
    "language",
    "intent",
    "issued",
    "recorded",
    "created",
    "lastUpdated",
    "isModifier",
    "type",
    "mode",
];
/// Structures that say something to machines only, or that the rest of the view says already.
const TECHNICAL_PARTS: &[&str] = &[
    "meta",
    "identifier",
    "subject",
    "patient",
    "encounter",
    "category",
    "class",
    "clinicalStatus",
    "verificationStatus",
];
/// Parts of a structure that go by the structure's name.
const PLAIN_PARTS: &[&str] = &["individual", "actor", "location", "member", "function"];
/// The text that a source rendered for people; it may hold anything, and is never shown.
const RENDERED: &str = "div";
/// Longer texts of this field are file contents.
const ATTACHED: &str = "data";
const ATTACHED_CHARACTERS_MAX: usize = 200;

/// Returns in words what of `resource` was not shown yet, one line for each piece.
pub(crate) fn in_words<'n>(held: &Held<'n>, resource: At<'n>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, at) in resource.fields() {
        words_of(held, key, "", at, resource, &mut lines);
    }
    lines
}

/// Returns in words what of a part of `from` was not shown yet.
pub(crate) fn in_words_of<'n>(held: &Held<'n>, part: At<'n>, from: At<'n>) -> Vec<String> {
    let mut lines = Vec::new();
    if !part.is_object() {
        lines.extend(part.items().filter_map(At::text).map(str::to_owned));
    }
    for (key, at) in part.fields() {
        words_of(held, key, "", at, from, &mut lines);
    }
    lines
}

/// Returns raw what of `resource` was not shown yet.
pub(crate) fn raw(resource: At<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    for (key, at) in resource.fields() {
        raw_of(key, at, &mut fields);
    }
    fields
}

fn words_of<'n>(held: &Held<'n>, key: &str, above: &str, at: At<'n>, from: At<'n>, lines: &mut Vec<String>) {
    if !has_words(key, at) {
        return;
    }
    let label = match label(key) {
        label if above.is_empty() => label,
        _ if PLAIN_PARTS.contains(&key) => above.to_owned(),
        label => format!("{above}, {}", label.to_lowercase()),
    };
    for item in at.items() {
        item_words(held, key, &label, item, from, lines);
    }
}

fn item_words<'n>(
    held: &Held<'n>,
    key: &str,
    label: &str,
    at: At<'n>,
    from: At<'n>,
    lines: &mut Vec<String>,
) {
    if !has_words(key, at) {
        return;
    }
    if matches!(key, "extension" | "modifierExtension") {
        return extension_words(held, key, at, from, lines);
    }
    if at.is_list() {
        return at.items().for_each(|item| item_words(held, key, label, item, from, lines));
    }
    let whole = if at.is_object() {
        known_shape(held, at, from)
    } else {
        at.text().map(|text| in_plain_words(key, text))
    };
    lines.extend(whole.map(|text| format!("{label}: {text}")));
    for (key, inner) in at.fields() {
        // Of a structure whose words were told, the codes go to the raw fields and extensions are told.
        if !at.told() || key.ends_with("xtension") {
            words_of(held, key, label, inner, from, lines);
        }
    }
}

fn extension_words<'n>(held: &Held<'n>, key: &str, at: At<'n>, from: At<'n>, lines: &mut Vec<String>) {
    let url = at.field("url").peek().unwrap_or("extension");
    let name = label_of_url(url);
    let name = if key == "modifierExtension" { format!("Modifier: {name}") } else { name };
    lines.extend(datatypes::choice(held, at, "value").map(|text| format!("{name}: {text}")));
    for (key, inner) in at.fields() {
        words_of(held, key, &name, inner, from, lines);
    }
}

/// Returns the words of an object whose shape is one of FHIR's common types.
fn known_shape<'n>(held: &Held<'n>, at: At<'n>, from: At<'n>) -> Option<String> {
    let has = |name: &str| at.field(name).exists();
    if has("coding") {
        datatypes::concept(at)
    } else if has("reference") || (has("display") && has("identifier")) {
        datatypes::reference(held, at, from)
    } else if has("value") && (has("unit") || has("code") || has("comparator")) {
        datatypes::quantity(at)
    } else if has("value") && (has("use") || has("system")) {
        contact(at)
    } else if has("line") || has("postalCode") {
        Some(banner::address_lines(at).join(", ")).filter(|lines| !lines.is_empty())
    } else if has("family") || has("given") {
        names::spoken(at)
    } else if has("low") || has("high") {
        datatypes::range(at)
    } else if (has("start") || has("end")) && !has("resourceType") {
        rest_of_period(at)
    } else if has("text") && !has("resourceType") {
        datatypes::annotation(held, at, from)
    } else if has("display") {
        datatypes::coding(at)
    } else {
        None
    }
}

fn in_plain_words(key: &str, text: &str) -> String {
    match text {
        "true" => "Yes".to_owned(),
        "false" => "No".to_owned(),
        text if dates::is_date(text) => dates::show(text),
        text => shortened(key, text),
    }
}

/// Returns the words of a telephone number, or of another contact or identifier, with what it is for.
fn contact(at: At<'_>) -> Option<String> {
    let value = at.field("value").text()?;
    let place = at.field("use").text().map(|place| format!(" ({place})"));
    Some(format!("{value}{}", place.unwrap_or_default()))
}

/// Returns a Period in words, or its end when a column has shown the start.
fn rest_of_period(at: At<'_>) -> Option<String> {
    if at.field("start").exists() && at.field("start").seen() {
        return at.field("end").text().map(|end| format!("until {}", dates::show(end)));
    }
    datatypes::period(at)
}

fn raw_of(label: &str, at: At<'_>, fields: &mut Vec<Field>) {
    if at.is_list() {
        return at.items().for_each(|item| raw_of(label, item, fields));
    }
    for (key, inner) in at.fields() {
        raw_of(&format!("{label}.{key}"), inner, fields);
    }
    let key = label.rsplit('.').next().unwrap_or(label);
    if key != RENDERED
        && !at.seen()
        && let Some(text) = at.text()
    {
        fields.push(Field { label: label.to_owned(), text: shortened(key, text) });
    }
}

/// Says whether something in `at` was not told yet that says something to people.
fn has_words(key: &str, at: At<'_>) -> bool {
    if let Some(text) = at.peek() {
        return key != RENDERED && !at.seen() && !text.trim().is_empty() && !TECHNICAL.contains(&key);
    }
    if at.is_list() {
        return at.items().any(|item| has_words(key, item));
    }
    let names_something = !at.told() && (at.field("coding").exists() || at.field("reference").exists());
    let inner =
        || at.fields().any(|(key, inner)| (!at.told() || key.ends_with("xtension")) && has_words(key, inner));
    !TECHNICAL_PARTS.contains(&key) && (names_something || inner())
}

fn shortened(key: &str, text: &str) -> String {
    let length = text.chars().count();
    if key == ATTACHED && length > ATTACHED_CHARACTERS_MAX {
        return format!("file content of {length} characters, not shown");
    }
    text.to_owned()
}

/// Turns the name of a field into words: `lotNumber` becomes `Lot number`.
pub(crate) fn label(key: &str) -> String {
    let key = match key {
        "reasonCode" | "reasonReference" => "reason",
        key => key,
    };
    let mut words = String::new();
    for character in key.trim_start_matches('_').chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    let mut characters = words.replace(['-', '_'], " ").chars().collect::<Vec<_>>();
    if let Some(first) = characters.first_mut() {
        *first = first.to_uppercase().next().unwrap_or(*first);
    }
    characters.into_iter().collect()
}

/// Turns the address of an extension into words.
fn label_of_url(url: &str) -> String {
    let name = url.rsplit(['/', ':', '#']).next().unwrap_or(url);
    let name = ["Extension-", "UKCore-", "CareConnect-", "GPC-"]
        .iter()
        .fold(name, |name, prefix| name.strip_prefix(prefix).unwrap_or(name));
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    label(if name.is_empty() { url } else { name })
}

#[cfg(test)]
mod tests {
    use super::super::node;
    use super::*;

    #[test]
    fn names_of_fields_become_words() {
        let cases = [
            ("lotNumber", "Lot number"),
            ("_birthDate", "Birth date"),
            ("consultation-notes", "Consultation notes"),
            ("", ""),
        ];
        for (key, expected) in cases {
            assert_eq!(label(key), expected, "{key}");
        }
        let url =
            "https://fhir.hl7.org.uk/StructureDefinition/Extension-CareConnect-GPC-ProblemSignificance-1";
        assert_eq!(label_of_url(url), "Problem significance");
        assert_eq!(label_of_url("urn:x:"), "Urn:x:");
    }

    #[test]
    fn everything_not_shown_is_in_words_or_raw() {
        let json = br#"{
            "resourceType": "Thing", "id": "t1", "text": {"div": "<div>never</div>"},
            "code": {"coding": [{"system": "s", "code": "c1", "display": "Shown"}]},
            "site": {"coding": [{"system": "s", "code": "c2", "display": "Left arm"}]},
            "dose": {"value": 1.50, "unit": "ml"},
            "when": "2026-01-02", "deep": {"list": [{"word": "alpha"}, {"word": "beta"}]},
            "modifierExtension": [{"url": "urn:x/not-really", "valueBoolean": true}],
            "attachment": {"data": "AAAA"}
        }"#;
        let tree = node::parse(json).unwrap();
        let root = At::root(&tree);
        let held = Held::of_bundle(At::NOTHING);
        assert_eq!(datatypes::concept(root.field("code")).as_deref(), Some("Shown"));
        assert_eq!(
            in_words(&held, root),
            [
                "Site: Left arm",
                "Dose: 1.50 ml",
                "When: 02-Jan-2026",
                "Deep, list, word: alpha",
                "Deep, list, word: beta",
                "Modifier: Not really: Yes",
                "Attachment, data: AAAA",
            ]
        );
        let raw: Vec<String> =
            raw(root).into_iter().map(|field| format!("{}={}", field.label, field.text)).collect();
        assert_eq!(
            raw,
            [
                "resourceType=Thing",
                "id=t1",
                "code.coding.system=s",
                "code.coding.code=c1",
                "site.coding.system=s",
                "site.coding.code=c2",
                "modifierExtension.url=urn:x/not-really",
            ]
        );
    }
}
