//! Procedures, encounters, plans, family history and devices of a C-CDA document.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::medication::words_of;
use super::observations::put_value;
use super::problems;
use super::translation::{
    Translation, is_negated, is_statement, observed, quantity_text, related, spoken_name, who,
};
use super::xml::Element;
use crate::r4;

/// Makes an item of a procedure, which may be recorded as an act or an observation too.
pub(super) fn map_procedure(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if !matches!(entry.name(), "procedure" | "act" | "observation") {
        return None;
    }
    let code = code(translation, entry)?;
    let when = translation.when(entry.child("effectiveTime"));
    let mut notes = translation.comments(entry);
    let mut value = json!({});
    if let Some(written) = entry.child("value") {
        put_value(translation, &mut value, written);
        notes.extend(value_words(&value).map(|words| format!("Finding: {words}")));
    }
    let devices = entry
        .all("participant")
        .filter_map(|participant| device_name(translation, participant))
        .map(|device| json!({"text": device}))
        .collect::<Vec<_>>();
    let method = words_of(translation.concept(entry.child("methodCode")));
    notes.extend(method.map(|method| format!("Method: {method}")));
    let mut item = json!({
        "resourceType": "Procedure",
        "status": procedure_status(entry),
        "subject": translation.document.subject(),
        "code": code,
        "bodySite": translation.concept(entry.child("targetSiteCode")).into_iter().collect::<Vec<_>>(),
        "performer": translation.people(entry, "performer").into_iter().map(|actor| json!({"actor": actor})).collect::<Vec<_>>(),
        "location": place(entry).map(|place| r4::named(&place)),
        "reasonCode": reasons(translation, entry),
        "usedCode": devices,
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    when.put(&mut item, "performed");
    translation.item(Some(SectionId::Procedures), Some(entry), item);
    Some(())
}

/// Returns the value of an observation as text.
fn value_words(item: &Value) -> Option<String> {
    let members = item.as_object()?;
    let (_, value) =
        members.iter().find(|(name, _)| name.starts_with("value") || *name == "dataAbsentReason")?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) if object.contains_key("value") => {
            let unit = object.get("unit").and_then(Value::as_str).unwrap_or_default();
            Some(format!("{} {unit}", object["value"]).trim().to_owned())
        }
        Value::Object(_) => words_of(Some(value.clone())),
        other => Some(other.to_string()),
    }
}

fn procedure_status(entry: &Element) -> &'static str {
    if is_negated(entry) {
        return "not-done";
    }
    match entry.child("statusCode").and_then(|status| status.attribute("code")) {
        Some("completed") => "completed",
        Some("active") => "in-progress",
        Some("aborted") => "stopped",
        Some("cancelled") => "not-done",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

fn code(translation: &Translation<'_>, entry: &Element) -> Option<Value> {
    let words = || translation.words(entry.child("text")).map(|text| json!({"text": text}));
    translation.concept(entry.child("code")).or_else(words)
}

fn reasons(translation: &Translation<'_>, entry: &Element) -> Vec<Value> {
    let reasons = entry.all("entryRelationship").filter(|relation| relation.is("typeCode", "RSON"));
    let statements = reasons.flat_map(|relation| relation.all("observation"));
    statements.filter_map(|observation| problems::concept(translation, observation)).collect()
}

/// Returns the name of the place where something happened.
fn place(entry: &Element) -> Option<String> {
    let places = entry.all("participant").filter(|participant| participant.is("typeCode", "LOC"));
    places
        .filter_map(|participant| participant.path(&["participantRole", "playingEntity", "name"]))
        .find_map(spoken_name)
}

fn device_name(translation: &Translation<'_>, participant: &Element) -> Option<String> {
    let role = participant
        .child("participantRole")
        .filter(|_| matches!(participant.attribute("typeCode"), Some("DEV" | "PRD")))?;
    let device = role.child("playingDevice")?;
    let named = words_of(translation.concept(device.child("code")));
    let model = device.child("manufacturerModelName").and_then(Element::own_text);
    let udi = role.all("id").find_map(|id| id.attribute("extension"));
    let parts: Vec<String> =
        [named, model, udi.map(|udi| format!("identifier {udi}"))].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Makes an item of an encounter.
pub(super) fn map_encounter(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if entry.name() != "encounter" {
        return None;
    }
    let when = translation.when(entry.child("effectiveTime"));
    let kind = code(translation, entry);
    let mut diagnoses = Vec::new();
    for statement in related(entry) {
        match statement.name() {
            "observation" => diagnoses.extend(problems::concept(translation, statement)),
            "act" => {
                let inner = related(statement).filter(|inner| inner.name() == "observation");
                diagnoses.extend(inner.filter_map(|inner| problems::concept(translation, inner)));
            }
            _ => {}
        }
    }
    let notes = translation.comments(entry);
    let discharge = translation.concept(entry.child("dischargeDispositionCode"));
    let item = json!({
        "resourceType": "Encounter",
        "status": if entry.attribute("moodCode").is_none_or(|mood| mood == "EVN") { "finished" } else { "planned" },
        "type": kind.into_iter().collect::<Vec<_>>(),
        "subject": translation.document.subject(),
        "participant": translation.people(entry, "performer").into_iter().map(|person| json!({"individual": person})).collect::<Vec<_>>(),
        "period": when.period(),
        "reasonCode": diagnoses,
        "location": place(entry).map(|place| json!([{"location": {"display": place}}])),
        "hospitalization": {"dischargeDisposition": discharge},
        "extension": notes.iter().map(|note| json!({"url": "urn:lifeboat:consultation-notes", "valueString": note})).collect::<Vec<_>>()
    });
    translation.item(None, Some(entry), item);
    Some(())
}

/// Makes an item of something that is planned, of whatever kind.
pub(super) fn map_plan(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if entry.name() == "organizer" {
        let inner: Vec<&Element> =
            entry.all("component").flat_map(Element::elements).filter(|inner| is_statement(inner)).collect();
        let mut found = None;
        for statement in inner {
            found = map_plan(translation, statement, SectionId::Diary).or(found);
        }
        return found;
    }
    let product =
        entry.find("manufacturedMaterial").and_then(|material| translation.concept(material.child("code")));
    let what = words_of(product.or_else(|| translation.concept(entry.child("code"))));
    let said = translation.words(entry.child("text"));
    let title = what.clone().or_else(|| said.clone())?;
    let when = translation.when(entry.child("effectiveTime"));
    let mut notes = translation.comments(entry);
    notes.extend(said.filter(|said| *said != title));
    let mut value = json!({});
    if let Some(written) = entry.child("value") {
        put_value(translation, &mut value, written);
        notes.extend(value_words(&value).map(|words| format!("Goal: {words}")));
    }
    let quantity = entry.child("doseQuantity").and_then(quantity_text);
    notes.extend(quantity.map(|quantity| format!("Dose: {quantity}")));
    if is_negated(entry) {
        notes.insert(0, "The source says that this is not to be done (negated).".to_owned());
    }
    let status = match entry.child("statusCode").and_then(|status| status.attribute("code")) {
        Some("completed") => "completed",
        Some("cancelled" | "aborted") => "revoked",
        Some("nullified") => "entered-in-error",
        _ if is_negated(entry) => "revoked",
        _ => "active",
    };
    let people = translation.people(entry, "performer");
    let item = json!({
        "resourceType": "CarePlan",
        "status": status,
        "intent": "plan",
        "title": title,
        "description": plan_kind(entry),
        "subject": translation.document.subject(),
        "period": when.period(),
        "contributor": people,
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    translation.item(None, Some(entry), item);
    Some(())
}

fn plan_kind(entry: &Element) -> &'static str {
    match entry.name() {
        "encounter" => "Planned encounter",
        "observation" if entry.is("moodCode", "GOL") => "Goal",
        "observation" => "Planned observation",
        "procedure" => "Planned procedure",
        "substanceAdministration" => "Planned medicine",
        "supply" => "Planned supply",
        _ => "Plan",
    }
}

/// Makes an item of what is known about one relative.
pub(super) fn map_family(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if entry.name() != "organizer" {
        return None;
    }
    let relative = entry.path(&["subject", "relatedSubject"]);
    let person = relative.and_then(|relative| relative.child("subject"));
    let relation = relative.and_then(|relative| translation.concept(relative.child("code")));
    let mut conditions = Vec::new();
    let mut notes = translation.comments(entry);
    for observation in entry.all("component").filter_map(|component| component.child("observation")) {
        let Some(code) = problems::concept(translation, observation) else { continue };
        if is_negated(observation) {
            notes.extend(words_of(Some(code)).map(|words| format!("Not the case: {words}")));
            continue;
        }
        let when = translation.when(observation.child("effectiveTime"));
        let age = observed(observation, &["445518008", "397659008"])
            .find_map(|age| quantity_text(age.child("value")?));
        let has_died = observation.all("entryRelationship").any(|relation| relation.is("typeCode", "CAUS"));
        conditions.push(json!({
            "code": code,
            "onsetString": age.map(|age| format!("age {age}")).or_else(|| when.any().map(str::to_owned)),
            "contributedToDeath": has_died.then_some(true)
        }));
    }
    if relation.is_none() && conditions.is_empty() && notes.is_empty() {
        return None;
    }
    let born = translation.moment(person.and_then(|person| person.child("birthTime")));
    let is_dead =
        person.and_then(|person| person.child("deceasedInd")).is_some_and(|flag| flag.is("value", "true"));
    let item = json!({
        "resourceType": "FamilyMemberHistory",
        "status": "completed",
        "patient": translation.document.subject(),
        "relationship": relation.unwrap_or_else(|| json!({"text": "Relative"})),
        "sex": person.and_then(|person| translation.concept(person.child("administrativeGenderCode"))),
        "bornDate": born.map(|born| born.split('T').next().unwrap_or_default().to_owned()),
        "deceasedBoolean": is_dead.then_some(true),
        "condition": conditions,
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    translation.item(None, Some(entry), item);
    Some(())
}

/// Makes an item of a device that the patient has.
pub(super) fn map_device(translation: &mut Translation<'_>, entry: &Element, _: SectionId) -> Option<()> {
    if entry.name() == "organizer" {
        let inner: Vec<&Element> =
            entry.all("component").flat_map(Element::elements).filter(|inner| is_statement(inner)).collect();
        let mut found = None;
        for statement in inner {
            found = map_device(translation, statement, SectionId::OtherItems).or(found);
        }
        return found;
    }
    if !matches!(entry.name(), "supply" | "procedure") {
        return None;
    }
    let named = entry.all("participant").find_map(|participant| device_name(translation, participant));
    let product = entry.path(&["product", "manufacturedProduct", "manufacturedMaterial"]);
    let product = product.and_then(|product| words_of(translation.concept(product.child("code"))));
    let device = named.or(product).or_else(|| words_of(code(translation, entry)))?;
    let when = translation.when(entry.child("effectiveTime"));
    let mut notes = translation.comments(entry);
    notes.extend(entry.child("performer").and_then(who).map(|who| format!("By: {who}")));
    let quantity = entry.child("quantity").and_then(quantity_text);
    notes.extend(quantity.map(|quantity| format!("Quantity: {quantity}")));
    let mut item = json!({
        "resourceType": "DeviceUseStatement",
        "status": if is_negated(entry) { "entered-in-error" } else { "active" },
        "subject": translation.document.subject(),
        "device": r4::named(&device),
        "bodySite": translation.concept(entry.child("targetSiteCode")),
        "note": r4::notes(notes.iter().map(|note| Some(note.as_str())))
    });
    when.put(&mut item, "timing");
    translation.item(Some(SectionId::OtherItems), Some(entry), item);
    Some(())
}
