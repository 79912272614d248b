//! From the made-up practice through feed, record and view, as the service and the viewer do it.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use serde_json::Value;

use super::*;
use crate::fhir::{self, DayWindow, Owner, Piece};
use crate::record::{FeedProfile, SharedResources, build_day_list, build_patient_record};
use crate::synth::{AllergyStory, Detail, Expected, Practice};
use crate::view::completeness_tests::dropped;
use crate::view::tests::all_texts;

const TODAY: Date = date(2026, 11, 21);

fn window() -> DayWindow {
    DayWindow { first: date(2026, 11, 20), last: date(2026, 11, 28) }
}

/// Everything of a feed, apart.
struct Feed {
    by_owner: BTreeMap<Owner, Vec<Piece>>,
    shared: SharedResources,
    profile: FeedProfile,
}

fn read(practice: &Practice, patients: &[usize]) -> Feed {
    let mut feed = Feed {
        by_owner: BTreeMap::new(),
        shared: SharedResources::default(),
        profile: FeedProfile::default(),
    };
    let bundles = patients.iter().map(|index| practice.bundle(*index));
    for (stem, bundle) in std::iter::once(practice.shared()).chain(bundles).chain(practice.appointments()) {
        let bytes = serde_json::to_vec(&bundle).unwrap();
        let outline = fhir::outline(&bytes).unwrap_or_else(|problem| panic!("{stem}: {problem}"));
        assert!(outline.skipped.is_empty(), "{stem}: {:?}", outline.skipped);
        feed.profile.supplied.extend(&outline.types);
        for piece in fhir::split(&bytes, &window()).unwrap() {
            match &piece.owner {
                Owner::Shared => {
                    feed.shared.insert(piece);
                }
                owner => feed.by_owner.entry(owner.clone()).or_default().push(piece),
            }
        }
    }
    feed
}

fn records(practice: &Practice) -> Vec<(Expected, Vec<u8>)> {
    records_of(practice, &(0..practice.patients()).collect::<Vec<_>>())
}

fn records_of(practice: &Practice, patients: &[usize]) -> Vec<(Expected, Vec<u8>)> {
    let feed = read(practice, patients);
    let by_id: BTreeMap<String, usize> =
        patients.iter().map(|index| (practice.expected(*index).id, *index)).collect();
    let mut records = Vec::new();
    for (owner, pieces) in feed.by_owner {
        if matches!(owner, Owner::Patient(_)) {
            let record = build_patient_record(pieces, &feed.shared, &feed.profile, TODAY);
            let bundle: Value = serde_json::from_slice(&record.bytes).unwrap();
            let id = bundle["entry"][1]["resource"]["id"].as_str().unwrap().to_owned();
            records.push((practice.expected(by_id[&id]), record.bytes));
        }
    }
    assert_eq!(records.len(), patients.len());
    records
}

#[test]
fn every_allergy_story_of_a_practice_has_its_header() {
    let practice = Practice::new(3, 200, TODAY).with_ips_percent(30);
    let mut seen = Vec::new();
    for (expected, record) in records(&practice) {
        let view = patient_view(&record, TODAY).unwrap();
        let words = view.allergies.words();
        let wanted = match expected.allergies {
            AllergyStory::Known(_) => "Known allergies",
            AllergyStory::NoneKnown => "No known allergies",
            AllergyStory::NotRecorded => "Allergies not recorded",
            AllergyStory::Withheld | AllergyStory::Unavailable => "Allergies unavailable",
        };
        assert_eq!(words, wanted, "{:?} of {expected:?}", expected.allergies);
        if let (AllergyHeader::Known(lines), AllergyStory::Known(count)) =
            (&view.allergies, expected.allergies)
        {
            assert!((1..=count).contains(&lines.len()));
        }
        seen.push(words);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4, "every state occurs");
}

#[test]
fn every_banner_of_a_practice_says_who_the_patient_is() {
    let practice = Practice::new(4, 200, TODAY).with_ips_percent(20);
    for (expected, record) in records(&practice) {
        let banner = patient_view(&record, TODAY).unwrap().banner;
        let start = format!("{}, {} (", expected.family.to_uppercase(), expected.given.join(" "));
        assert!(banner.name.starts_with(&start), "{expected:?}");
        assert_eq!(banner.born, expected.born.strftime("%d-%b-%Y").to_string());
        let nhs = expected.nhs_number.as_deref().map(crate::nhs_number::format);
        assert_eq!(banner.nhs, nhs.unwrap_or_else(|| "Not known".to_owned()));
        assert_eq!(banner.died.is_some(), expected.died.is_some());
        assert_eq!(banner.age.is_some(), expected.died.is_none());
        assert_eq!(banner.flags.contains(&BannerFlag::Left), expected.left);
        assert_eq!(banner.flags.contains(&BannerFlag::Sensitive), expected.sensitive);
        if !expected.sensitive {
            assert!(banner.address.contains(&expected.postcode));
            assert_eq!(banner.phones.len(), expected.phones.len());
        }
    }
}

#[test]
fn nothing_that_a_record_of_a_practice_holds_is_dropped() {
    let practice = Practice::new(5, 40, TODAY).with_ips_percent(25).with_detail(Detail::Full);
    for (expected, record) in records(&practice).iter().filter(|(expected, _)| !expected.sensitive) {
        let view = patient_view(record, TODAY).unwrap();
        let value: Value = serde_json::from_slice(record).unwrap();
        assert_eq!(dropped(&value, &view), [], "{expected:?}");
    }
}

#[test]
fn sections_of_a_practice_hold_what_the_record_counts() {
    let practice = Practice::new(6, 100, TODAY).with_ips_percent(20);
    for (expected, record) in records(&practice) {
        let view = patient_view(&record, TODAY).unwrap();
        let value: Value = serde_json::from_slice(&record).unwrap();
        let sections = value["entry"][0]["resource"]["section"].as_array().unwrap();
        for (section, view) in sections.iter().zip(&view.sections) {
            let listed = section["entry"].as_array().map_or(0, Vec::len);
            let named = "People, places and products named in this record";
            let rows: usize =
                view.tables.iter().filter(|table| table.caption != named).map(|table| table.rows.len()).sum();
            assert_eq!(rows, listed, "{} of {expected:?}", view.id);
            assert!(view.notes.iter().all(|note| !note.is_empty()));
            for table in &view.tables {
                assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
            }
        }
    }
}

#[test]
fn nothing_of_a_marked_restricted_patient_says_where_they_are() {
    let practice = Practice::new(9, 2_000, TODAY).with_ips_percent(50);
    let restricted: Vec<usize> =
        (0..practice.patients()).filter(|at| practice.expected(*at).sensitive).collect();
    assert!(restricted.len() > 5);
    for (expected, record) in records_of(&practice, &restricted) {
        let view = patient_view(&record, TODAY).unwrap();
        let all = all_texts(&view);
        assert!(!all.contains(&expected.postcode), "{expected:?}");
        assert!(expected.phones.iter().all(|phone| !all.contains(phone)), "{expected:?}");
        assert_eq!(view.banner.address, ["Details withheld"]);
    }
}

#[test]
fn day_lists_of_a_practice_show_every_appointment() {
    let practice = Practice::new(7, 300, TODAY);
    let feed = read(&practice, &[]);
    let mut days = 0;
    for (owner, pieces) in feed.by_owner {
        let Owner::Day(day) = owner else { continue };
        let list = build_day_list(day, pieces, &|_| Some("ab".repeat(16)), &feed.shared);
        let view = day_list_view(&list.bytes).unwrap();
        days += 1;
        assert_eq!(view.day, Some(day));
        let slots: Vec<&SlotView> = view.sessions.iter().flat_map(|session| &session.slots).collect();
        assert_eq!(slots.len(), practice.appointments_on(day).count());
        for slot in slots {
            assert!(slot.name_as_booked.is_some() && slot.reason.is_some() && slot.location.is_some());
            assert_eq!(slot.patient_key.as_deref(), Some("ab".repeat(16).as_str()));
            assert_ne!(slot.clinician, "Clinician not recorded");
            assert_eq!(slot.is_void, slot.status == "CANCELLED");
        }
    }
    assert_eq!(days, 9);
}
