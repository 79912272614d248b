//! Medicines and immunisations of a C-CDA document.
//!
//! The status of a medicine is decided in favour of "current": older documents mark everything as completed, so a
//! medicine without an end is of unknown status and not past.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::translation::{Translation, When, is_negated, observed, quantity, quantity_text, related, who};
use super::xml::Element;
use crate::r4;

/// Products that are no product in particular.
const ANY_PRODUCT: &[&str] = &["410942007", "373873005", "105590001", "763158003"];
/// The extension in which GP systems write a quantity as text.
const QUANTITY_TEXT: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationQuantityText-1";

/// Makes an item of a medicine.
pub(super) fn map(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if entry.name() == "act" {
        let mut found = None;
        for inner in related(entry).filter(|inner| inner.name() == "substanceAdministration") {
            found = map(translation, inner, SectionId::RepeatMedication).or(found);
        }
        return found;
    }
    if !matches!(entry.name(), "substanceAdministration" | "supply") {
        return None;
    }
    let medicine = product(translation, entry);
    let medicine = match medicine {
        Some(medicine) => medicine,
        None => json!({"text": translation.words(entry.child("text"))?}),
    };
    let course = course(translation, entry);
    let supplies: Vec<&Element> = related(entry).filter(|inner| inner.name() == "supply").collect();
    let (author, written) = translation.author(entry);
    let mut notes = translation.comments(entry);
    let indication = indications(translation, entry);
    notes.extend(dispensed(translation, &supplies));
    let dose = dose(translation, entry);
    notes.extend(dose.structured);
    let is_order = !matches!(entry.attribute("moodCode"), None | Some("EVN"));
    let mut item = json!({
        "resourceType": if is_order { "MedicationRequest" } else { "MedicationStatement" },
        "status": status(entry, &course),
        "intent": is_order.then_some("order"),
        "medicationCodeableConcept": medicine,
        "subject": translation.document.subject(),
        "reasonCode": indication,
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    if is_order {
        item["authoredOn"] = json!(written.or_else(|| course.start().map(str::to_owned)));
        item["requester"] = json!(author);
        item["dosageInstruction"] = json!([{"text": dose.text}]);
        item["dispenseRequest"] = dispense(&supplies, &course);
    } else {
        course.put(&mut item, "effective");
        item["dateAsserted"] = json!(written);
        item["informationSource"] = json!(author);
        item["dosage"] = json!([{"text": dose.text}]);
        let quantity = supplies.iter().find_map(|supply| quantity_text(supply.child("quantity")?));
        if let Some(quantity) = quantity {
            item["extension"] = json!([{"url": QUANTITY_TEXT, "valueString": quantity}]);
        }
    }
    none_known(translation, entry, &mut item);
    translation.item(None, Some(entry), item);
    Some(())
}

/// Turns a negated statement about no product in particular into "no known medications".
fn none_known(translation: &Translation<'_>, entry: &Element, item: &mut Value) {
    let material = material(entry);
    let code = material.and_then(|material| material.child("code")).and_then(|code| code.attribute("code"));
    let is_any = code.is_none_or(|code| ANY_PRODUCT.contains(&code));
    if !is_negated(entry) || !is_any {
        return;
    }
    let words = translation.words(entry.child("text"));
    item["status"] = json!("active");
    item["medicationCodeableConcept"] = json!({
        "coding": [{
            "system": "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips",
            "code": "no-known-medications"
        }],
        "text": words.as_deref().unwrap_or("No known medications")
    });
}

fn material(entry: &Element) -> Option<&Element> {
    let product = entry
        .path(&["consumable", "manufacturedProduct"])
        .or_else(|| entry.path(&["product", "manufacturedProduct"]))?;
    product.elements().find(|element| {
        element.name().starts_with("manufactured") && element.name() != "manufacturerOrganization"
    })
}

/// Returns the product that a statement is about.
fn product(translation: &Translation<'_>, entry: &Element) -> Option<Value> {
    let material = material(entry)?;
    let name = material.child("name").and_then(|name| translation.words(Some(name)));
    match (translation.concept(material.child("code")), name) {
        (Some(mut concept), Some(name)) if concept["text"].is_null() => {
            concept["text"] = json!(name);
            Some(concept)
        }
        (Some(concept), _) => Some(concept),
        (None, name) => name.map(|name| json!({"text": name})),
    }
}

/// Reads from when to when a medicine is taken: the first time of a statement that is not a frequency.
fn course(translation: &mut Translation<'_>, entry: &Element) -> When {
    let is_frequency = |time: &&Element| {
        let kind = time.attribute("type").unwrap_or_default();
        matches!(kind.rsplit(':').next().unwrap_or(kind), "PIVL_TS" | "EIVL_TS" | "SXPR_TS")
    };
    let time = entry.all("effectiveTime").find(|time| !is_frequency(time));
    translation.when(time)
}

fn period(time: &Element) -> Option<String> {
    let period = quantity_text(time.child("period")?)?;
    Some(format!("every {period}"))
}

/// What a medicine's directions say.
struct Dose {
    /// As people read them.
    text: Option<String>,
    /// The structured parts in words, beside directions that are text.
    structured: Option<String>,
}

fn dose(translation: &Translation<'_>, entry: &Element) -> Dose {
    let free_text = observed_sig(translation, entry);
    let own = entry.child("text").filter(|text| text.child("reference").is_none());
    let sig = free_text.or_else(|| translation.words(own)).or_else(|| translation.words(entry.child("text")));
    let mut parts: Vec<String> = Vec::new();
    parts.extend(entry.child("doseQuantity").and_then(quantity_text));
    parts.extend(entry.child("rateQuantity").and_then(quantity_text).map(|rate| format!("rate {rate}")));
    let mut frequency: Vec<String> = Vec::new();
    let times = entry.all("effectiveTime");
    for time in times.flat_map(|time| std::iter::once(time).chain(time.all("comp"))) {
        frequency.extend(period(time));
        let event = time.child("event").and_then(|event| event.attribute("code"));
        frequency.extend(event.map(|event| format!("at {event}")));
    }
    parts.extend(frequency);
    let route = words_of(translation.concept(entry.child("routeCode")));
    parts.extend(route.map(|route| format!("route: {route}")));
    let unit = words_of(translation.concept(entry.child("administrationUnitCode")));
    parts.extend(unit.map(|unit| format!("form: {unit}")));
    if let Some(most) = entry.child("maxDoseQuantity") {
        let part = |name| most.child(name).and_then(quantity_text);
        parts.extend(
            part("numerator")
                .zip(part("denominator"))
                .map(|(dose, in_time)| format!("at most {dose} in {in_time}")),
        );
    }
    if entry.child("precondition").is_some() {
        let criterion = entry.path(&["precondition", "criterion"]);
        let what = criterion.and_then(|criterion| {
            translation
                .words(criterion.child("text"))
                .or_else(|| words_of(translation.concept(criterion.child("value"))))
        });
        parts.push(what.map_or_else(|| "as needed".to_owned(), |what| format!("as needed: {what}")));
    }
    let structured = (!parts.is_empty()).then(|| parts.join(", "));
    match sig {
        Some(sig) => {
            Dose { text: Some(sig), structured: structured.map(|said| format!("Dose in parts: {said}")) }
        }
        None => Dose { text: structured, structured: None },
    }
}

/// Returns directions that are recorded as a statement of their own.
fn observed_sig(translation: &Translation<'_>, entry: &Element) -> Option<String> {
    related(entry)
        .filter(|inner| inner.child("code").is_some_and(|code| code.is("code", "76662-6")))
        .find_map(|inner| translation.words(inner.child("text")))
}

/// Returns the words of a concept.
pub(super) fn words_of(concept: Option<Value>) -> Option<String> {
    let concept = concept?;
    let display = || concept["coding"][0]["display"].as_str().or(concept["coding"][0]["code"].as_str());
    concept["text"].as_str().or_else(display).map(str::to_owned)
}

fn indications(translation: &Translation<'_>, entry: &Element) -> Vec<Value> {
    let reasons = entry.all("entryRelationship").filter(|relation| relation.is("typeCode", "RSON"));
    let observations = reasons.flat_map(|relation| relation.all("observation"));
    observations.filter_map(|observation| super::problems::concept(translation, observation)).collect()
}

/// Says in words what was dispensed and when.
fn dispensed(translation: &mut Translation<'_>, supplies: &[&Element]) -> Vec<String> {
    let mut said = Vec::new();
    for supply in supplies.iter().filter(|supply| supply.is("moodCode", "EVN")) {
        let when = translation.when(supply.child("effectiveTime"));
        let quantity = supply.child("quantity").and_then(quantity_text);
        let by = supply.child("performer").and_then(who);
        let parts: Vec<String> =
            [when.any().map(str::to_owned), quantity, by].into_iter().flatten().collect();
        if !parts.is_empty() {
            said.push(format!("Dispensed: {}", parts.join(", ")));
        }
    }
    said
}

fn dispense(supplies: &[&Element], course: &When) -> Value {
    let order = supplies.iter().find(|supply| !supply.is("moodCode", "EVN"));
    let read = order.and_then(|supply| supply.child("quantity")).and_then(quantity);
    let repeats =
        order.and_then(|supply| supply.child("repeatNumber")?.attribute("value")?.parse::<u32>().ok());
    json!({
        "validityPeriod": course.period(),
        "quantity": read,
        "numberOfRepeatsAllowed": repeats
    })
}

fn status(entry: &Element, course: &When) -> &'static str {
    let written = entry.child("statusCode").and_then(|status| status.attribute("code"));
    match written {
        _ if is_negated(entry) => "not-taken",
        Some("active" | "new") => "active",
        Some("completed") if course.high.is_some() || course.at.is_some() => "completed",
        Some("aborted" | "cancelled" | "obsolete") => "stopped",
        Some("suspended" | "held") => "on-hold",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

/// Makes an item of an immunisation.
pub(super) fn map_immunisation(
    translation: &mut Translation<'_>,
    entry: &Element,
    section: SectionId,
) -> Option<()> {
    if entry.name() != "substanceAdministration" {
        return super::observations::map(translation, entry, section);
    }
    let vaccine = product(translation, entry);
    let vaccine = match vaccine {
        Some(vaccine) => vaccine,
        None => json!({"text": translation.words(entry.child("text"))?}),
    };
    let when = translation.when(entry.child("effectiveTime"));
    let is_planned = entry.attribute("moodCode").is_some_and(|mood| mood != "EVN");
    let is_refused = is_negated(entry);
    let status_code = entry.child("statusCode").and_then(|status| status.attribute("code"));
    let reasons = entry.all("entryRelationship").filter(|relation| relation.is("typeCode", "RSON"));
    let reason = reasons.flat_map(|relation| relation.all("observation")).find_map(|observation| {
        translation
            .concept(observation.child("value"))
            .or_else(|| translation.concept(observation.child("code")))
    });
    let mut notes = translation.comments(entry);
    notes.extend(reactions(translation, entry));
    let material = material(entry);
    let maker = entry.path(&["consumable", "manufacturedProduct", "manufacturerOrganization", "name"]);
    let status = match status_code {
        _ if is_refused => "not-done",
        Some("nullified") => "entered-in-error",
        Some("aborted" | "cancelled") => "not-done",
        _ => "completed",
    };
    let (reason_key, other_key) =
        if is_refused { ("statusReason", "reasonCode") } else { ("reasonCode", "statusReason") };
    let dose_number = observed(entry, &["30973-2"])
        .find_map(|observation| observation.child("value")?.attribute("value"))
        .and_then(|number| number.parse::<u32>().ok())
        .filter(|number| *number > 0);
    let mut item = json!({
        "resourceType": "Immunization",
        "status": status,
        "vaccineCode": vaccine,
        "patient": translation.document.subject(),
        "occurrenceDateTime": when.start(),
        "lotNumber": material.and_then(|material| material.child("lotNumberText")).and_then(Element::own_text),
        "manufacturer": maker.and_then(super::translation::spoken_name).map(|name| r4::named(&name)),
        "route": translation.concept(entry.child("routeCode")),
        "site": translation.concept(entry.child("approachSiteCode")),
        "doseQuantity": entry.child("doseQuantity").and_then(quantity),
        "performer": translation.people(entry, "performer").into_iter().map(|actor| json!({"actor": actor})).collect::<Vec<_>>(),
        "protocolApplied": dose_number.map(|number| json!([{"doseNumberPositiveInt": number}])),
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    item[reason_key] = match (reason_key, reason) {
        (_, None) => Value::Null,
        ("statusReason", Some(reason)) => reason,
        (_, Some(reason)) => json!([reason]),
    };
    item[other_key] = Value::Null;
    if is_planned && !is_refused {
        return planned(translation, entry, &item, &when);
    }
    translation.item(None, Some(entry), item);
    Some(())
}

/// Returns the reactions to a vaccine, in words.
fn reactions(translation: &Translation<'_>, entry: &Element) -> Vec<String> {
    let mut said = Vec::new();
    for reaction in entry
        .all("entryRelationship")
        .filter(|relation| relation.is("typeCode", "CAUS") || relation.is("typeCode", "MFST"))
    {
        for observation in reaction.all("observation") {
            let words = words_of(super::problems::concept(translation, observation));
            said.extend(words.map(|words| format!("Reaction: {words}")));
        }
    }
    said
}

/// Keeps an immunisation that is planned where plans are.
fn planned(
    translation: &mut Translation<'_>,
    entry: &Element,
    immunisation: &Value,
    when: &When,
) -> Option<()> {
    let item = json!({
        "resourceType": "ImmunizationRecommendation",
        "patient": translation.document.subject(),
        "date": when.any(),
        "recommendation": [{
            "vaccineCode": [immunisation["vaccineCode"]],
            "forecastStatus": {"text": "Planned"}
        }]
    });
    translation.item(None, Some(entry), item);
    Some(())
}
