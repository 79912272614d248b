//! temporary
#![allow(clippy::all, missing_docs, unused, clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, clippy::allow_attributes_without_reason)]
#[path = "../src/site/fixture.rs"]
mod fixture;
use fixture::*;
use lifeboat_clinical::synth;
use lifeboat_clinical::{DayWindow, Owner, outline, split, record::*};
use lifeboat_format::{DirectoryRow, Died as D, Verdict};
use std::collections::BTreeMap;
use jiff::ToSpan;
#[tokio::main]
async fn main() {
    let now = jiff::Timestamp::now();
    let today = lifeboat_viewer::clock::practice_day(now);
    let p = synth::Practice::new(7, 120, today);
    let window = DayWindow { first: today - 1.day(), last: today + 7.days() };
    let mut by: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let mut shared = SharedResources::default();
    let mut feed = FeedProfile::default();
    let mut claims = BTreeMap::new();
    let mut days: BTreeMap<jiff::civil::Date, Vec<_>> = BTreeMap::new();
    let mut loose = vec![];
    for (_, v) in p.files() {
        let bytes = serde_json::to_vec(&v).unwrap();
        let o = outline(&bytes).unwrap();
        feed.supplied.extend(&o.types);
        for c in o.claims { claims.insert(c.reference.clone(), c.name.clone()); }
        for piece in split(&bytes, &window).unwrap() { loose.push(piece); }
    }
    for piece in loose {
        match &piece.owner {
            Owner::Patient(n) => by.entry(n.as_str().to_owned()).or_default().push(piece),
            Owner::Reference(r) => if let Some(n) = claims.get(r) { by.entry(n.as_str().to_owned()).or_default().push(piece) },
            Owner::Day(d) => days.entry(*d).or_default().push(piece),
            Owner::Shared => { shared.insert(piece); }
        }
    }
    let mut practice = Practice::new();
    let mut c = Content::default();
    for (name, pieces) in by {
        let r = build_patient_record(pieces, &shared, &feed, today);
        let mut row = DirectoryRow::new(practice.key(&name));
        let x = r.person;
        row.family = x.family; row.given = x.given; row.title = x.title; row.preferred = x.preferred;
        row.born = x.born.map(|b| b.to_string()); row.gender = x.gender; row.nhs = x.nhs_number; row.phones = x.phones; row.address = x.address; row.postcode = x.postcode; row.gp = x.usual_gp; row.flags = x.flags;
        row.died = x.died.map(|d| match d { Died::On(d) => D::On(d.to_string()), _ => D::DateUnknown });
        c.patients.push((row, r.bytes));
    }
    for (day, pieces) in days {
        let r = build_day_list(day, pieces, &|t| claims.get(t).map(|n| practice.key(n.as_str()).to_string()).or_else(|| Some(practice.key(t).to_string())), &shared);
        c.days.push((day, r.bytes));
    }
    practice.snapshot(c, now - jiff::SignedDuration::from_mins(12), Verdict::Accepted);
    let dir = std::path::PathBuf::from("/tmp/shots/site");
    let _ = std::fs::remove_dir_all(&dir);
    let names = ["practice-pc", "usb-disk", "cloud"];
    for n in names { practice.write_to(&dir.join(n)); }
    let folders = names.map(|n| dir.join(n));
    practice.write_kit(&dir.join("duty-doctor.lifeboat-kit"), &[("practice-pc", &folders[0]), ("usb-disk", &folders[1]), ("cloud", &folders[2])]);
}
