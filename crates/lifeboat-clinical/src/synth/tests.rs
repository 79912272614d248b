use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::civil::date;

use super::*;
use crate::nhs_number;

const TODAY: Date = date(2026, 11, 21);

fn practice(patients: usize) -> Practice {
    Practice::new(42, patients, TODAY)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| {
        let files: Vec<_> = Practice::new(seed, 30, TODAY).files().collect();
        serde_json::to_string(&files).unwrap()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_patient_does_not_depend_on_the_size_of_the_practice() {
    let small = practice(10);
    let large = practice(1_000_000);
    for index in 0..10 {
        assert_eq!(small.bundle(index), large.bundle(index));
    }
    assert_eq!(large.bundle(999_999).0, "patient-0999999");
}

#[test]
fn patients_have_valid_numbers_unique_identifiers_and_numbers_that_reach_nobody() {
    let practice = practice(2_000);
    let mut ids = HashSet::new();
    let mut numbers = HashSet::new();
    for index in 0..practice.patients() {
        let expected = practice.expected(index);
        assert!(ids.insert(expected.id), "patient {index} has an id of its own");
        if let Some(number) = expected.nhs_number {
            assert!(nhs_number::valid(&number) && number.starts_with("999"));
            assert!(numbers.insert(number), "patient {index} has a number of its own");
        }
        assert!(expected.born <= TODAY);
        assert!(expected.postcode.starts_with("ZZ9"));
        for phone in expected.phones {
            let drama = ["07700 900", "+44 7700 900", "020 7946 0", "01632 960"];
            assert!(drama.iter().any(|range| phone.starts_with(range)), "a number kept for drama");
        }
    }
    assert!(numbers.len() > 1_950);
}

#[test]
fn every_kind_of_patient_occurs() {
    let practice = practice(3_000).with_ips_percent(20);
    let all: Vec<Expected> = (0..practice.patients()).map(|index| practice.expected(index)).collect();
    let states: Vec<AllergyStory> = all.iter().map(|expected| expected.allergies).collect();
    assert!(states.iter().any(|state| matches!(state, AllergyStory::Known(_))));
    for state in [
        AllergyStory::NoneKnown,
        AllergyStory::NotRecorded,
        AllergyStory::Withheld,
        AllergyStory::Unavailable,
    ] {
        assert!(states.contains(&state), "{state:?}");
    }
    assert!(all.iter().any(|expected| expected.died.is_some()));
    assert!(all.iter().any(|expected| expected.left));
    assert!(all.iter().any(|expected| expected.sensitive));
    assert!(all.iter().any(|expected| expected.family.contains('\'')));
    assert!(all.iter().any(|expected| expected.family.contains('-')));
    assert!(all.iter().any(|expected| !expected.family.is_ascii()));
    assert!(all.iter().any(|expected| expected.given.len() > 4));

    let (namesake, other) = (&all[11], &all[10]);
    assert_eq!((&namesake.family, &namesake.given), (&other.family, &other.given));
    assert_ne!(namesake.nhs_number, other.nhs_number);
    let (mother, child) = (&all[6], &all[7]);
    assert_eq!((&mother.family, &mother.postcode), (&child.family, &child.postcode));
    assert!(mother.born < child.born);
}

#[test]
fn bundles_hold_resources_whose_references_resolve() {
    let practice = practice(200).with_ips_percent(30);
    let (_, shared) = practice.shared();
    let mut known: HashSet<String> = HashSet::new();
    collect_ids(&shared, &mut known);
    for (stem, bundle) in practice.bundles() {
        let mut ids = known.clone();
        collect_ids(&bundle, &mut ids);
        let mut references = Vec::new();
        collect_references(&bundle, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            assert!(ids.contains(&reference), "{reference} of {stem}");
        }
    }
}

fn collect_ids(bundle: &Value, into: &mut HashSet<String>) {
    for entry in bundle["entry"].as_array().unwrap() {
        let resource = &entry["resource"];
        into.insert(format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        ));
        into.insert(entry["fullUrl"].as_str().unwrap().to_owned());
    }
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_str() {
                    Some(reference) if key == "reference" => into.push(reference.to_owned()),
                    _ => collect_references(field, into),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn records_have_realistic_sizes() {
    for (detail, low, high) in [(Detail::Usual, 12_000, 20_000), (Detail::Full, 32_000, 40_000)] {
        let practice = practice(200).with_detail(detail);
        let total: usize = practice.bundles().map(|(_, bundle)| bundle.to_string().len()).sum();
        let mean = total / 200;
        assert!((low..high).contains(&mean), "{detail:?} is {mean} bytes on average");
    }
}

#[test]
fn the_book_spans_nine_days_and_its_patients_are_on_the_list() {
    let practice = practice(1_000);
    let days: Vec<_> = practice.appointments().collect();
    assert_eq!(days.len(), 9);
    assert_eq!(days[0].0, "appointments-2026-11-20");
    assert_eq!(days[8].0, "appointments-2026-11-28");
    let ids: HashSet<String> =
        (0..1_000).map(|index| format!("Patient/{}", practice.expected(index).id)).collect();
    let mut statuses = BTreeSet::new();
    for (_, day) in &days {
        for entry in day["entry"].as_array().unwrap() {
            let appointment = &entry["resource"];
            statuses.insert(appointment["status"].as_str().unwrap().to_owned());
            assert!(ids.contains(appointment["participant"][0]["actor"]["reference"].as_str().unwrap()));
        }
    }
    let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
    assert_eq!(statuses, ["arrived", "booked", "cancelled", "fulfilled", "noshow"]);
    assert_eq!(days[1].1["entry"].as_array().unwrap().len(), 14, "a third on a Saturday");
    assert_eq!(days[3].1["entry"].as_array().unwrap().len(), 40);
}

#[test]
fn times_of_appointments_carry_the_british_offset() {
    for (today, offset) in [(date(2026, 1, 12), "+00:00"), (date(2026, 7, 13), "+01:00")] {
        let practice = Practice::new(1, 50, today);
        let first = practice.appointments_on(today).next().unwrap();
        assert_eq!(first["start"], format!("{today}T08:30:00{offset}"));
    }
}

#[test]
fn later_extracts_change_the_asked_share_and_keep_earlier_changes() {
    let practice = practice(600);
    let before: HashMap<String, Value> = practice.bundles().collect();
    let first: HashMap<String, Value> = practice.changes(1, 0.1).collect();
    assert!((40..80).contains(&first.len()), "{} changed", first.len());
    for (stem, bundle) in &first {
        assert_ne!(&before[stem], bundle);
    }
    let second: HashMap<String, Value> = practice.changes(2, 0.1).collect();
    let again: Vec<_> = second.keys().filter(|stem| first.contains_key(*stem)).collect();
    assert!(!again.is_empty());
    for stem in again {
        assert_ne!(second[stem], first[stem], "{stem} changed once more");
    }
    assert_eq!(practice.changes(1, 0.0).count(), 0);
    let all = Practice::new(42, 50, TODAY);
    assert_eq!(all.changes(1, 1.0).count(), 50);
}

#[test]
fn the_marker_is_in_every_name_number_and_address_of_every_file() {
    let practice = practice(60).with_ips_percent(30).with_marker("CANARY7");
    for (stem, bundle) in practice.files() {
        let mut unmarked = Vec::new();
        collect_unmarked(&bundle, "", &mut unmarked);
        assert!(unmarked.is_empty(), "{stem}: {unmarked:?}");
    }
    let marked = practice.bundle(3).1;
    let patient =
        &marked["entry"].as_array().unwrap().iter().find(|e| e["resource"]["resourceType"] == "Patient");
    assert!(patient.unwrap()["resource"]["identifier"].to_string().contains("CANARY7"));
}

fn collect_unmarked(value: &Value, key: &str, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_unmarked(item, key, into)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| collect_unmarked(field, key, into)),
        Value::String(text) => {
            let named =
                ["family", "given", "line", "city", "postalCode", "text", "display", "valueString", "div"];
            if named.contains(&key) && !text.contains("CANARY7") {
                into.push(format!("{key}: {text}"));
            }
        }
        _ => {}
    }
}

#[test]
fn bulk_data_lines_are_the_same_resources() {
    let practice = practice(20).with_ips_percent(0);
    let mut by_type: HashMap<String, usize> = HashMap::new();
    for (kind, resource) in practice.ndjson_resources() {
        assert_eq!(resource["resourceType"], kind);
        *by_type.entry(kind).or_default() += 1;
    }
    assert_eq!(by_type["Patient"], 20);
    assert_eq!(by_type["Practitioner"], 6);
    let in_bundles: usize =
        practice.files().map(|(_, bundle)| bundle["entry"].as_array().unwrap().len()).sum();
    assert_eq!(by_type.values().sum::<usize>(), in_bundles);
}
