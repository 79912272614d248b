//! One function per parser that takes any bytes and must return without a panic.
//!
//! Property tests, fuzzers and the corpus test all come in by these. Each also checks what must hold
//! for whatever was read.

use std::collections::BTreeSet;
use std::io::Read;

use jiff::civil::Date;

use crate::document::{DocumentReader, Limits};
use crate::fhir::{self, DayWindow, Outline, Owner, Piece, Role};
use crate::problem::Problem;
use crate::record::{
    DayListRecord, FeedProfile, PatientRecord, SharedResources, build_day_list,
    build_patient_record,
};

/// What reading an input gave.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// How many documents could be read.
    pub documents: u32,
    /// How many patients' records were built.
    pub records: u32,
    /// How many resources were read.
    pub resources: u32,
    /// How many appointments stand on day lists.
    pub appointments: u32,
    /// What could not be read, by documents.
    pub problems: Vec<Problem>,
    /// What was skipped or noted inside documents that were read.
    pub skipped: Vec<Problem>,
}

/// Reads all documents out of an input of any kind and returns them.
pub fn document<R: Read>(input: R, limits: Limits) -> Vec<Result<Vec<u8>, Problem>> {
    let mut reader = DocumentReader::new(input, limits);
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    while let Some(next) = reader.next(&mut buffer) {
        found.push(next.map(|_| buffer.clone()));
    }
    found
}

/// Looks at one document.
pub fn outline(document: &[u8]) -> Result<Outline, Problem> {
    let outline = fhir::outline(document)?;
    assert!(
        outline.owners.is_sorted_by(|a, b| a < b),
        "owners are sorted and stand once"
    );
    Ok(outline)
}

/// Takes one document apart; every piece must have an owner that the outline names.
pub fn split(document: &[u8], window: &DayWindow) -> Result<Vec<Piece>, Problem> {
    let outline = outline(document);
    let pieces = fhir::split(document, window);
    if let (Ok(outline), Ok(pieces)) = (&outline, &pieces) {
        for piece in pieces {
            assert!(
                outline.owners.binary_search(&piece.owner).is_ok(),
                "the outline names every owner"
            );
        }
    }
    pieces
}

/// Reads one input as a feed of its own and builds everything that it gives rise to.
pub fn record(input: &[u8], today: Date) -> Reading {
    feed(&[input], today)
}

/// Reads inputs as one feed and builds everything that they give rise to; every record must be JSON
/// that an ordinary reader takes.
pub fn feed(inputs: &[&[u8]], today: Date) -> Reading {
    let window = DayWindow {
        first: today.yesterday().unwrap_or(today),
        last: today.checked_add(jiff::Span::new().days(7)).unwrap_or(today),
    };
    let mut reading = Reading::default();
    let mut pieces = Vec::new();
    let mut profile = FeedProfile::default();
    let mut claims = Vec::new();
    for found in inputs
        .iter()
        .flat_map(|input| document(*input, Limits::default()))
    {
        let outlined = found.and_then(|bytes| {
            let outline = outline(&bytes)?;
            Ok((outline, split(&bytes, &window)?))
        });
        match outlined {
            Ok((outline, mut split)) => {
                reading.documents += 1;
                reading.resources += outline.resources;
                reading.skipped.extend(outline.skipped);
                profile.supplied.extend(&outline.types);
                claims.extend(outline.claims);
                pieces.append(&mut split);
            }
            Err(problem) => reading.problems.push(problem),
        }
    }
    claims.sort_unstable();
    let mut shared = SharedResources::default();
    let mut by_owner: std::collections::BTreeMap<Owner, Vec<Piece>> = Default::default();
    for piece in pieces {
        let claim = claims.iter().find(
            |claim| matches!(&piece.owner, Owner::Reference(reference) if *reference == claim.reference),
        );
        match (&piece.owner, claim) {
            (Owner::Shared, _) => {
                shared.insert(piece);
            }
            (_, Some(claim)) => {
                let owner = Owner::Patient(claim.name.clone());
                by_owner.entry(owner).or_default().push(piece);
            }
            _ => by_owner.entry(piece.owner.clone()).or_default().push(piece),
        }
    }
    for (owner, pieces) in by_owner {
        if let Owner::Day(day) = owner {
            let list = build_day_list(day, pieces, &|_| Some("00".repeat(16)), &shared);
            check_day_list(&list);
            reading.appointments += list.appointments;
        } else {
            let held = pieces.iter().filter(|piece| piece.role == Role::Item).count();
            let record = build_patient_record(pieces, &shared, &profile, today);
            check_record(&record, held);
            reading.records += 1;
        }
    }
    reading
}

fn check_record(record: &PatientRecord, held: usize) {
    let bundle: serde_json::Value =
        serde_json::from_slice(&record.bytes).expect("a record is JSON");
    let entries = bundle["entry"].as_array().expect("a record has entries");
    let urls: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry["fullUrl"].as_str())
        .collect();
    assert_eq!(urls.len(), entries.len(), "every entry has a URL of its own");
    let sections = entries[0]["resource"]["section"]
        .as_array()
        .expect("a record has sections");
    let mut listed = 0;
    for (section, (id, state, items)) in sections.iter().zip(&record.sections) {
        let entry = section["entry"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(entry.len(), *items as usize, "{id}");
        assert_eq!(*items > 0, *state == crate::SectionState::Recorded, "{id}");
        for item in entry {
            let reference = item["reference"].as_str().expect("a reference is text");
            assert!(urls.contains(reference), "what a section lists is there");
        }
        listed += entry.len();
    }
    assert!(listed <= held + 1, "nothing stands in two sections");
}

fn check_day_list(list: &DayListRecord) {
    let bundle: serde_json::Value =
        serde_json::from_slice(&list.bytes).expect("a day list is JSON");
    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    assert_eq!(entries, list.appointments as usize);
}
