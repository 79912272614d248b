//! The made-up practice out as Vision and in again: what differs is listed, and what is listed differs.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_clinical::SectionId as S;
use serde_json::{Value, json};

use super::{Files, Folder, Kept, TODAY, record};
use crate::rules::Rules;
use crate::synth::vision::forced::FORCED;
use crate::synth::{Order, vision};

/// What a record says, by section and field: every value and how often.
type Facts = BTreeMap<(S, &'static str), BTreeMap<String, u32>>;

fn day(value: &Value) -> Option<String> {
    Some(value.as_str()?.split('T').next()?.to_owned())
}

fn words(concept: &Value) -> Option<String> {
    let display = || concept["coding"][0]["display"].as_str();
    concept["text"].as_str().or_else(display).map(str::to_owned)
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|one| one["text"].as_str()).map(str::to_owned).collect()
}

fn extension<'v>(resource: &'v Value, part: &str) -> Option<&'v Value> {
    let extensions = resource["extension"].as_array().into_iter().flatten();
    extensions
        .flat_map(|one| std::iter::once(one).chain(one["extension"].as_array().into_iter().flatten()))
        .find_map(|one| {
            let is_it = one["url"].as_str().is_some_and(|url| url.contains(part));
            let value =
                one.as_object()?.iter().find(|(name, _)| name.starts_with("value")).map(|(_, value)| value);
            value.filter(|_| is_it)
        })
}

fn quantity(value: &Value) -> Option<String> {
    let number = value.get("value")?;
    Some(format!("{number} {}", value["unit"].as_str().unwrap_or_default()))
}

/// Returns what an item says, field by field.
fn facts_of(item: &Value) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = vec![("items", "item".to_owned())];
    let mut add =
        |field: &'static str, value: Option<String>| facts.extend(value.map(|value| (field, value)));
    for name in ["code", "medicationCodeableConcept", "vaccineCode"] {
        add("name", words(&item[name]));
        for coding in item[name]["coding"].as_array().into_iter().flatten() {
            let is_read = coding["system"].as_str().is_some_and(|system| system.contains("read"));
            add("code", coding["code"].as_str().filter(|_| !is_read).map(str::to_owned));
        }
    }
    for name in ["onsetDateTime", "effectiveDateTime", "performedDateTime", "occurrenceDateTime", "date"] {
        add("when", day(&item[name]));
    }
    let moment = item["effectiveDateTime"].as_str().or(item["period"]["start"].as_str());
    add("time", moment.and_then(|when| when.parse::<jiff::Timestamp>().ok()).map(|when| when.to_string()));
    add("started", day(&item["period"]["start"]));
    add("until", item["period"]["end"].as_str().map(str::to_owned));
    add(
        "course start",
        day(&item["dispenseRequest"]["validityPeriod"]["start"])
            .or_else(|| day(&item["effectivePeriod"]["start"])),
    );
    add("course end", day(&item["dispenseRequest"]["validityPeriod"]["end"]));
    add("ended", day(&item["abatementDateTime"]));
    for name in ["recordedDate", "issued", "authoredOn", "recorded", "dateAsserted"] {
        add("recorded", day(&item[name]));
    }
    add(
        "value",
        quantity(&item["valueQuantity"])
            .or_else(|| words(&item["valueCodeableConcept"]))
            .or_else(|| day(&item["valueDateTime"])),
    );
    for component in item["component"].as_array().into_iter().flatten() {
        let name = words(&component["code"]).unwrap_or_default();
        add("value", quantity(&component["valueQuantity"]).map(|value| format!("{name} {value}")));
    }
    add("range", quantity(&item["referenceRange"][0]["high"]));
    add("interpretation", words(&item["interpretation"][0]));
    for name in ["dosageInstruction", "dosage"] {
        add("dose", item[name][0]["text"].as_str().map(str::to_owned));
    }
    add("quantity", quantity(&item["dispenseRequest"]["quantity"]));
    add("days", quantity(&item["dispenseRequest"]["expectedSupplyDuration"]));
    add("max issues", item["dispenseRequest"].get("numberOfRepeatsAllowed").map(Value::to_string));
    facts.extend(further_facts_of(item));
    facts
}

/// Returns what the rest of an item's members say.
fn further_facts_of(item: &Value) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add =
        |field: &'static str, value: Option<String>| facts.extend(value.map(|value| (field, value)));
    add("course", item["courseOfTherapyType"]["coding"][0]["code"].as_str().map(str::to_owned));
    add("last issued", extension(item, "LastIssued").and_then(day));
    add("issues", extension(item, "numberOfPrescriptionsIssued").map(Value::to_string));
    add("review", extension(item, "authorisationExpiry").and_then(day));
    add("significance", extension(item, "ignificance").map(Value::to_string));
    add("vaccination", extension(item, "VaccinationProcedure").and_then(words));
    add("status", item["status"].as_str().map(str::to_owned));
    add("clinical status", item["clinicalStatus"]["coding"][0]["code"].as_str().map(str::to_owned));
    add("severity", item["reaction"][0]["severity"].as_str().map(str::to_owned));
    add("reaction", words(&item["reaction"][0]["manifestation"][0]));
    add("criticality", item["criticality"].as_str().map(str::to_owned));
    add(
        "kind",
        item["type"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| item["type"].as_array().and_then(|kinds| words(&kinds[0]))),
    );
    add("lot", item["lotNumber"].as_str().map(str::to_owned));
    add("site", words(&item["site"]));
    add("part", item["protocolApplied"][0].get("doseNumberPositiveInt").map(Value::to_string));
    add("reason", words(&item["statusReason"]).or_else(|| words(&item["reasonCode"][0])));
    add("priority", item["priority"].as_str().map(str::to_owned));
    add("source", item.get("primarySource").map(Value::to_string));
    for name in ["recorder", "requester"] {
        add("who", item[name]["display"].as_str().map(str::to_owned));
    }
    for member in ["performer", "participant"] {
        let first = &item[member][0];
        let person = [&first["display"], &first["actor"]["display"], &first["individual"]["display"]];
        add("who", person.into_iter().find_map(|name| name.as_str()).map(str::to_owned));
    }
    for note in texts(&item["note"]) {
        add("note", Some(note));
    }
    add("note", extension(item, "consultation-notes").and_then(Value::as_str).map(str::to_owned));
    facts
}

fn facts(bytes: &[u8]) -> Facts {
    let bundle: Value = serde_json::from_slice(bytes).expect("JSON");
    let entries = bundle["entry"].as_array().expect("entries");
    let by_url: BTreeMap<&str, &Value> =
        entries.iter().filter_map(|entry| Some((entry["fullUrl"].as_str()?, &entry["resource"]))).collect();
    let mut facts = Facts::new();
    for (section, listed) in
        S::ALL.into_iter().zip(entries[0]["resource"]["section"].as_array().expect("sections"))
    {
        for entry in listed["entry"].as_array().into_iter().flatten() {
            let item = by_url[entry["reference"].as_str().expect("a reference")];
            for (field, value) in facts_of(item) {
                *facts.entry((section, field)).or_default().entry(value).or_default() += 1;
            }
        }
    }
    facts
}

fn original(chart: &[Value]) -> Vec<u8> {
    let entries: Vec<Value> = chart.iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    serde_json::to_vec(&bundle).expect("JSON")
}

fn files(order: &Order) -> Files {
    let mut folder = Folder::default();
    vision::write(order, &mut folder).expect("memory can be written");
    let files = folder.0.lock().expect("one thread").clone();
    Files(files)
}

fn order() -> Order {
    Order { share: 0.6, ..Order::full(40, 7, TODAY) }
}

#[test]
fn what_is_read_back_differs_as_the_format_forces_and_not_otherwise() {
    let order = order();
    let practice = order.practice();
    let kept = Kept::read(&files(&order));
    assert!(kept.bad.is_empty(), "{:?}", kept.bad);
    assert_eq!(kept.patients.len(), 40);
    let mut differing: BTreeMap<(S, &str), String> = BTreeMap::new();
    for index in 0..practice.patients() {
        let chart = order.chart(&practice, index, 0);
        let before = record(&original(&chart));
        let mapped = kept.mapped(&(index + 1).to_string(), &Rules::default());
        assert_eq!(mapped.problems, []);
        let after = record(&mapped.document.expect("a document"));
        let (a, b) = (&before.person, &after.person);
        assert_eq!((&a.family, &a.given, &a.title, &a.born), (&b.family, &b.given, &b.title, &b.born));
        assert_eq!(
            (&a.gender, &a.nhs_number, &a.phones),
            (
                &b.gender,
                &b.nhs_number,
                if chart[0]["meta"]["security"].is_null() { &b.phones } else { &a.phones }
            )
        );
        assert_eq!((a.died.is_some(), &a.usual_gp), (b.died.is_some(), &b.usual_gp));
        if chart[0]["meta"]["security"].is_null() {
            assert_eq!((&a.address, &a.postcode), (&b.address, &b.postcode));
        }
        let (before, after) = (facts(&before.bytes), facts(&after.bytes));
        let keys: BTreeSet<(S, &str)> = before.keys().chain(after.keys()).copied().collect();
        for key in keys.into_iter().filter(|key| before.get(key) != after.get(key)) {
            let shown = format!("{:?} became {:?}", before.get(&key), after.get(&key));
            differing.entry(key).or_insert(shown);
        }
    }
    let listed: BTreeSet<(S, &str)> =
        FORCED.iter().filter_map(|forced| Some((forced.section?, forced.field))).collect();
    assert_eq!(listed.len(), FORCED.len(), "each difference is listed once");
    assert!(FORCED.iter().all(|forced| forced.format == crate::Format::Vision && !forced.why.is_empty()));
    let unlisted: Vec<_> = differing.iter().filter(|(key, _)| !listed.contains(key)).collect();
    assert!(unlisted.is_empty(), "not listed: {unlisted:#?}");
    let unreal: Vec<_> = listed.iter().filter(|key| !differing.contains_key(*key)).collect();
    assert!(unreal.is_empty(), "listed and not so: {unreal:?}");
}

#[test]
fn later_extracts_bring_the_rows_to_where_a_full_one_would() {
    let mut kept = Kept::read(&files(&order()));
    let mut deletions = 0;
    for delta in 1..=3 {
        let later = files(&order().later(delta));
        assert!(later.0.keys().all(|name| name.starts_with("INCREMENTAL_")));
        deletions += later
            .0
            .values()
            .filter_map(|bytes| std::str::from_utf8(bytes).ok())
            .map(|text| text.matches(",D,").count())
            .sum::<usize>();
        kept.apply(&later);
    }
    assert!(deletions > 0, "something was deleted");
    let practice = order().practice();
    let rules = Rules::default();
    for index in 0..practice.patients() {
        let chart = order().chart(&practice, index, 3);
        let patient = (index + 1).to_string();
        let observations = chart.iter().filter(|resource| resource["resourceType"] == "Observation").count();
        let reports = chart.iter().filter(|resource| resource["resourceType"] == "DiagnosticReport").count();
        let document = kept.mapped(&patient, &rules).document.expect("a document");
        let bundle: Value = serde_json::from_slice(&document).expect("JSON");
        let tests =
            kept.patients[&patient].rows("Journal").filter(|row| row.text("SUBSET") == Some("T")).count();
        let social = chart.iter().filter(|resource| {
            resource["resourceType"] == "Observation"
                && !matches!(
                    resource["category"][0]["coding"][0]["code"].as_str(),
                    Some("laboratory" | "vital-signs")
                )
        });
        assert_eq!(tests, observations - social.count() + reports, "patient {patient}");
        let mobile = chart[0]["telecom"][0]["value"].as_str();
        let person = &bundle["entry"][0]["resource"];
        assert_eq!(person["telecom"][0]["value"].as_str(), mobile);
    }
}

#[test]
fn as_many_rows_are_written_as_are_wanted() {
    let order = Order { rows_per_patient: Some(300), ..Order::full(2, 7, TODAY) };
    let kept = Kept::read(&files(&order));
    assert!(kept.bad.is_empty(), "{:?}", kept.bad);
    assert!(kept.patients.values().all(|rows| rows.len() == 300));
}

#[test]
fn no_result_is_lost_on_the_way_though_fewer_may_be_held() {
    let order = order();
    let practice = order.practice();
    let kept = Kept::read(&files(&order));
    for index in 0..practice.patients() {
        let wanted = order.chart(&practice, index, 0).into_iter().filter(|resource| {
            matches!(resource["resourceType"].as_str(), Some("DiagnosticReport" | "Observation"))
        });
        let wanted: BTreeSet<String> = wanted
            .filter_map(|item| {
                quantity(&item["valueQuantity"]).or_else(|| item["conclusion"].as_str().map(str::to_owned))
            })
            .collect();
        let mapped = kept.mapped(&(index + 1).to_string(), &Rules::default());
        let document: Value = serde_json::from_slice(&mapped.document.expect("a document")).expect("JSON");
        let items = document["entry"].as_array().expect("entries").iter().map(|entry| &entry["resource"]);
        let found: BTreeSet<String> = items
            .filter(|item| item["resourceType"] == "Observation")
            .flat_map(|item| quantity(&item["valueQuantity"]).into_iter().chain(texts(&item["note"])))
            .collect();
        let lost: Vec<&String> = wanted.difference(&found).collect();
        assert!(lost.is_empty(), "patient {index}: {lost:?}");
    }
}
