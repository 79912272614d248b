//! Who the patient is: the banner above the record, and the tables with all else about the person.

use jiff::civil::Date;

use super::datatypes;
use super::dates;
use super::held::{Held, kind_of};
use super::leftover;
use super::names;
use super::node::At;
use super::shape::{Banner, BannerFlag, CellView, Emphasis, RowView, TableView};
use crate::date::PartialDate;
use crate::nhs_number;

const NOT_KNOWN: &str = "Not known";
/// What stands where a sensitive patient's whereabouts would be.
const WITHHELD: &str = "Details withheld";
/// What of a sensitive patient says where they are.
const WHEREABOUTS: &[&str] =
    &["address", "telecom", "contact", "generalPractitioner", "managingOrganization"];

/// Returns the banner and the tables about the person.
pub(crate) fn person<'n>(held: &Held<'n>, patient: At<'n>, today: Date) -> (Banner, Vec<TableView>) {
    if !patient.exists() {
        return (unidentified(), Vec::new());
    }
    let is_sensitive = is_sensitive(patient);
    if is_sensitive {
        withhold(patient);
    }
    let names = names::names_of(patient.field("name"));
    let born = patient.field("birthDate").text();
    let death = death(patient, born);
    let (nhs, nhs_note) = nhs(patient);
    let mut banner = Banner {
        name: names.shown.clone().unwrap_or_else(|| "Name not recorded".to_owned()),
        preferred: names.preferred.clone(),
        born: born.map_or_else(|| NOT_KNOWN.to_owned(), dates::show_day),
        gender: gender(patient),
        nhs,
        nhs_note,
        ..Banner::default()
    };
    match death {
        Some((died, age)) => {
            banner.died = Some(died);
            banner.age_at_death = Some(age);
            banner.flags.push(BannerFlag::Deceased);
        }
        None => banner.age = born.and_then(dates::date_of).and_then(|born| dates::show_age(born, today)),
    }
    if banner.died.is_none() && patient.field("active").is("false") {
        banner.flags.push(BannerFlag::Left);
    }
    if is_sensitive {
        banner.flags.push(BannerFlag::Sensitive);
        banner.address = vec![WITHHELD.to_owned()];
        return (banner, tables(held, patient, &names, Whereabouts::Withheld));
    }
    banner.address = home(patient).map(address_lines).unwrap_or_default();
    banner.phones = phones(patient);
    banner.usual_gp =
        datatypes::references(held, patient.field("generalPractitioner"), patient).into_iter().next();
    (banner, tables(held, patient, &names, Whereabouts::Shown))
}

fn unidentified() -> Banner {
    Banner {
        name: "Name not recorded".to_owned(),
        born: NOT_KNOWN.to_owned(),
        gender: NOT_KNOWN.to_owned(),
        nhs: NOT_KNOWN.to_owned(),
        flags: vec![BannerFlag::Unidentified],
        ..Banner::default()
    }
}

/// Says whether the source restricts the patient; `R`, `V` and `S` are the codes for that.
fn is_sensitive(patient: At<'_>) -> bool {
    let labels = patient.path(&["meta", "security"]);
    labels.items().any(|label| matches!(label.field("code").peek(), Some("R" | "V" | "S")))
}

/// Counts what says where the patient is as shown, so that no table lists it.
fn withhold(patient: At<'_>) {
    WHEREABOUTS.iter().for_each(|field| patient.field(field).mark());
    let places = patient.field("extension").items().filter(|extension| {
        let url = extension.field("url").peek().unwrap_or_default();
        ["Pharmacy", "ddress", "irthPlace", "Surgery"].iter().any(|part| url.contains(part))
    });
    places.for_each(At::mark);
}

fn gender(patient: At<'_>) -> String {
    match patient.field("gender").text() {
        Some("male") => "Male".to_owned(),
        Some("female") => "Female".to_owned(),
        Some("other") => "Other".to_owned(),
        Some("unknown") | None => NOT_KNOWN.to_owned(),
        Some(other) => other.to_owned(),
    }
}

/// Returns the date of death and the age then, when the patient has died.
fn death(patient: At<'_>, born: Option<&str>) -> Option<(String, String)> {
    if let Some(died) = patient.field("deceasedDateTime").text() {
        let age = born
            .and_then(dates::date_of)
            .zip(dates::date_of(died))
            .and_then(|(born, died)| age_at(born, died));
        return Some((dates::show(died), age.unwrap_or_else(|| NOT_KNOWN.to_owned())));
    }
    (patient.field("deceasedBoolean").text() == Some("true"))
        .then(|| ("Date not known".to_owned(), NOT_KNOWN.to_owned()))
}

fn age_at(born: PartialDate, died: PartialDate) -> Option<String> {
    match died.exact() {
        Some(day) => dates::show_age(born, day),
        None => {
            let years = i32::from(died.year()) - i32::from(born.year());
            (years >= 0).then(|| format!("about {years}y"))
        }
    }
}

/// Returns the NHS number as it is shown, and what is doubtful about it.
fn nhs(patient: At<'_>) -> (String, Option<String>) {
    let Some(identifier) = nhs_identifier(patient) else { return (NOT_KNOWN.to_owned(), None) };
    let value = identifier.field("value").text().unwrap_or_default();
    let status = identifier.field("extension").items().find(|extension| {
        extension.field("url").peek().is_some_and(|url| url.contains("NHSNumberVerificationStatus"))
    });
    let status = status.map_or(At::NOTHING, |status| status.field("valueCodeableConcept"));
    let verified =
        datatypes::has_code(status, "number-present-and-verified") || datatypes::has_code(status, "01");
    let former = is_former(identifier).then(|| "a former number".to_owned());
    let words = former.or_else(|| if verified { None } else { datatypes::concept(status) });
    match nhs_number::parse(value) {
        Some(digits) => (nhs_number::format(&digits), words),
        None => (value.to_owned(), Some(words.unwrap_or_else(|| "not a valid NHS number".to_owned()))),
    }
}

fn is_former(identifier: At<'_>) -> bool {
    identifier.field("use").is("old") || identifier.path(&["period", "end"]).exists()
}

/// Returns the identifier with the NHS number in use: a valid one before an invalid one, and a former one last.
fn nhs_identifier(patient: At<'_>) -> Option<At<'_>> {
    let numbers = patient.field("identifier").items().filter(|identifier| is_nhs(*identifier));
    let told = numbers.filter_map(|identifier| {
        let value = identifier.field("value").peek()?.trim();
        let rank = (is_former(identifier), nhs_number::parse(value).is_none());
        (!value.is_empty()).then_some((rank, identifier))
    });
    told.min_by_key(|(rank, _)| *rank).map(|(_, identifier)| identifier)
}

fn is_nhs(identifier: At<'_>) -> bool {
    let system = identifier.field("system").peek().unwrap_or_default();
    system == nhs_number::NHS_NUMBER_SYSTEM
        || system.trim_start_matches("urn:oid:") == nhs_number::NHS_NUMBER_OID
        || system.to_ascii_lowercase().ends_with("nhs-number")
}

fn home(patient: At<'_>) -> Option<At<'_>> {
    let current =
        |address: &At<'_>| !address.path(&["period", "end"]).exists() && !address.field("use").is("old");
    let addresses = || patient.field("address").items().filter(current);
    addresses().find(|address| address.field("use").is("home")).or_else(|| addresses().next())
}

/// Returns the lines of an address, or its text.
pub(crate) fn address_lines(address: At<'_>) -> Vec<String> {
    let text = address.field("text");
    let mut lines: Vec<String> = ["line", "city", "district", "state", "postalCode", "country"]
        .iter()
        .flat_map(|field| {
            address.field(field).items().filter_map(At::text).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    if lines.is_empty() {
        lines.extend(text.text().into_iter().flat_map(str::lines).map(str::to_owned));
    } else if text.peek().is_some_and(|text| lines.iter().all(|line| text.contains(line.as_str()))) {
        text.mark();
    }
    lines
}

fn phones(patient: At<'_>) -> Vec<String> {
    patient
        .field("telecom")
        .items()
        .filter(|contact| matches!(contact.field("system").peek(), None | Some("phone" | "sms" | "mobile")))
        .filter(|contact| !contact.path(&["period", "end"]).exists() && !contact.field("use").is("old"))
        .filter_map(|contact| {
            let value = contact.field("value").text()?;
            let place = contact.field("use").text().map(|place| leftover::label(place) + " ");
            Some(format!("{}{value}", place.unwrap_or_default()))
        })
        .collect()
}

/// Whether the tables say where the patient is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    Shown,
    Withheld,
}

fn tables<'n>(
    held: &Held<'n>,
    patient: At<'n>,
    names: &names::Names,
    whereabouts: Whereabouts,
) -> Vec<TableView> {
    let mut tables = Vec::new();
    if whereabouts == Whereabouts::Shown {
        tables.push(table("Contact details", &["Kind", "Detail"], contact_rows(patient)));
        let contacts = contacts(held, patient);
        tables.push(table(
            "Next of kin and contacts",
            &["Relationship", "Name", "Contact", "Details"],
            contacts,
        ));
    }
    tables.push(table(
        "Registration and other details",
        &["Item", "Detail"],
        other_rows(held, patient, names, whereabouts),
    ));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn table(caption: &str, columns: &[&'static str], rows: Vec<RowView>) -> TableView {
    TableView { caption: caption.to_owned(), columns: columns.to_vec(), rows }
}

fn pair(item: impl Into<String>, detail: impl Into<String>) -> RowView {
    RowView { cells: vec![CellView::new(item, Emphasis::Strong), CellView::plain(detail)], more: Vec::new() }
}

fn contact_rows(patient: At<'_>) -> Vec<RowView> {
    let about = |at: At<'_>| {
        let place = at.field("use").text().map(leftover::label);
        let period = datatypes::period(at.field("period"));
        (place, period.map(|period| format!(" ({period})")).unwrap_or_default())
    };
    let mut rows = Vec::new();
    for address in patient.field("address").items() {
        let (place, period) = about(address);
        let kind = place.map_or_else(|| "Address".to_owned(), |place| format!("{place} address"));
        rows.push(pair(kind, address_lines(address).join("\n") + &period));
    }
    for contact in patient.field("telecom").items() {
        let (place, period) = about(contact);
        let system =
            contact.field("system").text().map(leftover::label).unwrap_or_else(|| "Contact".to_owned());
        let kind =
            place.map_or_else(|| system.clone(), |place| format!("{system}, {}", place.to_lowercase()));
        rows.push(pair(kind, contact.field("value").text().unwrap_or(NOT_KNOWN).to_owned() + &period));
    }
    rows
}

fn contacts<'n>(held: &Held<'n>, patient: At<'n>) -> Vec<RowView> {
    let related = held
        .all()
        .map(|(_, resource)| resource)
        .filter(|resource| kind_of(*resource) == Some("RelatedPerson"));
    patient.field("contact").items().chain(related).map(|contact| contact_row(held, contact)).collect()
}

fn contact_row<'n>(held: &Held<'n>, contact: At<'n>) -> RowView {
    let relationship = datatypes::concepts(contact.field("relationship")).join(", ");
    let name = contact.field("name").items().filter_map(names::formal).collect::<Vec<_>>().join("; ");
    let mut reach: Vec<String> = phones(contact);
    reach.extend(contact.field("address").items().map(|address| address_lines(address).join(", ")));
    let cells = vec![
        CellView::plain(relationship),
        CellView::new(if name.is_empty() { NOT_KNOWN.to_owned() } else { name }, Emphasis::Strong),
        CellView::plain(reach.join("\n")),
        CellView::plain(leftover::in_words(held, contact).join("\n")),
    ];
    RowView { cells, more: leftover::raw(contact) }
}

fn other_rows<'n>(
    held: &Held<'n>,
    patient: At<'n>,
    names: &names::Names,
    whereabouts: Whereabouts,
) -> Vec<RowView> {
    let mut rows = Vec::new();
    for (purpose, name) in &names.others {
        rows.push(pair(format!("{purpose} name"), name));
    }
    if whereabouts == Whereabouts::Shown {
        rows.extend(care_rows(held, patient));
    }
    for language in patient.field("communication").items() {
        let interpreter =
            datatypes::extension(held, language, "InterpreterRequired").is_some_and(|said| said == "Yes");
        if let Some(words) = datatypes::concept(language.field("language")) {
            let detail = if interpreter { format!("{words}; interpreter required") } else { words };
            rows.push(pair("Language", detail));
        }
    }
    let in_use = nhs_identifier(patient);
    for identifier in patient.field("identifier").items() {
        let Some(value) = identifier.field("value").text() else { continue };
        if is_nhs(identifier) {
            let is_in_use = in_use.is_some_and(|used| used.address() == identifier.address());
            if !is_in_use {
                rows.push(pair("Other NHS number", value));
            }
        } else {
            let kind = datatypes::concept(identifier.field("type"));
            rows.push(pair(kind.unwrap_or_else(|| "Identifier".to_owned()), value));
        }
    }
    for line in leftover::in_words(held, patient) {
        let (item, detail) = line.split_once(": ").unwrap_or(("Detail", line.as_str()));
        rows.push(pair(item, detail));
    }
    let more = leftover::raw(patient);
    if let Some(last) = rows.last_mut() {
        last.more = more;
    } else if !more.is_empty() {
        rows.push(RowView { more, ..pair("Technical details", "") });
    }
    rows
}

/// Returns who cares for the patient, which also says about where the patient lives.
fn care_rows<'n>(held: &Held<'n>, patient: At<'n>) -> Vec<RowView> {
    let gps = datatypes::references(held, patient.field("generalPractitioner"), patient);
    let practice = datatypes::reference(held, patient.field("managingOrganization"), patient);
    let pharmacy = datatypes::extension(held, patient, "NominatedPharmacy");
    gps.into_iter()
        .map(|gp| pair("Usual GP", gp))
        .chain(practice.map(|practice| pair("Practice", practice)))
        .chain(pharmacy.map(|pharmacy| pair("Nominated pharmacy", pharmacy)))
        .collect()
}
