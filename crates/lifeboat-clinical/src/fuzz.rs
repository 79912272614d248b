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
    DayListRecord, FeedProfile, PatientRecord, SharedResources, build_day_list, build_patient_record,
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
    assert!(outline.owners.is_sorted_by(|a, b| a < b), "owners are sorted and stand once");
    Ok(outline)
}

/// Takes one document apart; every piece must have an owner that the outline names.
pub fn split(document: &[u8], window: &DayWindow) -> Result<Vec<Piece>, Problem> {
    let outline = outline(document);
    let pieces = fhir::split(document, window);
    if let (Ok(outline), Ok(pieces)) = (&outline, &pieces) {
        for piece in pieces {
            assert!(outline.owners.binary_search(&piece.owner).is_ok(), "the outline names every owner");
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
    for found in inputs.iter().flat_map(|input| document(*input, Limits::default())) {
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
    let bundle: serde_json::Value = serde_json::from_slice(&record.bytes).expect("a record is JSON");
    let entries = bundle["entry"].as_array().expect("a record has entries");
    let urls: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["fullUrl"].as_str()).collect();
    assert_eq!(urls.len(), entries.len(), "every entry has a URL of its own");
    let sections = entries[0]["resource"]["section"].as_array().expect("a record has sections");
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
    let bundle: serde_json::Value = serde_json::from_slice(&list.bytes).expect("a day list is JSON");
    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    assert_eq!(entries, list.appointments as usize);
}

/// Reads any bytes as a patient's record and checks that every table is whole.
pub fn patient_view(record: &[u8], today: Date) -> Option<crate::view::PatientView> {
    let view = crate::view::patient_view(record, today).ok()?;
    assert_eq!(view.sections.len(), crate::SectionId::ALL.len(), "every section is there");
    let tables = view.person.iter().chain(view.sections.iter().flat_map(|section| &section.tables));
    for table in tables {
        assert!(
            table.rows.iter().all(|row| row.cells.len() == table.columns.len()),
            "every column has a cell"
        );
    }
    Some(view)
}

/// Reads any bytes as a day list.
pub fn day_list_view(record: &[u8]) -> Option<crate::view::DayListView> {
    let view = crate::view::day_list_view(record).ok()?;
    assert!(view.sessions.iter().all(|session| !session.slots.is_empty()), "no session is empty");
    Some(view)
}

/// Searches with any text, among patients whose names and numbers are that text.
pub fn search_query(text: &[u8]) -> usize {
    use crate::search::{Query, SearchIndex, SearchNames, SearchTerms};
    let text = String::from_utf8_lossy(text);
    let names = SearchNames { family: text.clone().into_owned(), ..SearchNames::default() };
    let lines = vec![text.clone().into_owned()];
    let terms = SearchTerms { names, phones: lines.clone(), address: lines, ..SearchTerms::default() };
    SearchIndex::build([(0, terms)]).find(&Query::new(&text)).len()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const BUNDLE: &str = r##"{"resourceType":"Bundle","type":"document","entry":[
{"fullUrl":"urn:uuid:k","resource":{"resourceType":"Composition","subject":{"reference":"urn:uuid:p"},"section":[
{"code":{"coding":[{"system":"http://loinc.org","code":"48765-2"}]},"entry":[{"reference":"AllergyIntolerance/a"}]},
{"code":{"coding":[{"system":"http://loinc.org","code":"10160-0"}]},"emptyReason":{"coding":[{"code":"withheld"}]}}]}},
{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","id":"p","meta":{"lastUpdated":"2026-11-01T08:00:00Z","security":[{"code":"N"}]},"birthDate":"1980-02-29","name":[{"family":"A\u00e9\ud83d\ude00","given":["B"]}],"address":[{"line":["1"]}],"deceasedBoolean":true}},
{"fullUrl":"urn:uuid:a","resource":{"resourceType":"AllergyIntolerance","id":"a","patient":{"reference":"urn:uuid:p"},"clinicalStatus":{"coding":[{"code":"active"}]}}},
{"fullUrl":"urn:uuid:o","resource":{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p"},"effectiveDateTime":"2026-11-21T09:00:00+00:00","valueQuantity":{"value":1.50e2},"performer":[{"reference":"urn:uuid:d"}]}},
{"fullUrl":"urn:uuid:d","resource":{"resourceType":"Practitioner","id":"d","name":[{"text":"D"}]}},
{"fullUrl":"urn:uuid:t","resource":{"resourceType":"Appointment","id":"t","start":"2026-11-21T09:00:00+00:00","participant":[{"actor":{"reference":"urn:uuid:p"}},{"actor":{"reference":"urn:uuid:d"}}]}}]}
"##;

    const TODAY: Date = date(2026, 11, 21);

    fn try_all(bytes: &[u8]) -> Reading {
        let window = DayWindow { first: TODAY, last: TODAY };
        let _ = outline(bytes);
        let _ = split(bytes, &window);
        record(bytes, TODAY)
    }

    #[test]
    fn the_sample_is_read_whole() {
        let reading = try_all(BUNDLE.as_bytes());
        assert!(reading.problems.is_empty() && reading.skipped.is_empty(), "{reading:?}");
        assert_eq!((reading.documents, reading.records, reading.appointments), (1, 1, 1));
    }

    /// Any JSON, with FHIR's words in the places of its keys.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let words = [
            "resourceType",
            "entry",
            "resource",
            "id",
            "subject",
            "reference",
            "Patient",
            "Bundle",
            "Patient/1",
            "urn:uuid:1",
            "fullUrl",
            "meta",
            "section",
            "code",
            "coding",
            "name",
            "type",
            "document",
            "status",
            "active",
            "Observation",
            "start",
            "participant",
            "actor",
            "2026-11-21",
        ];
        let word = proptest::sample::select(words.to_vec()).prop_map(str::to_owned);
        let leaf = prop_oneof![
            word.clone().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<bool>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(6, 80, 8, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
                proptest::collection::vec((word.clone(), inner), 0..8)
                    .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            try_all(&bytes);
        }

        #[test]
        fn any_json_is_survived(value in any_json()) {
            try_all(value.to_string().as_bytes());
            let wrapped = serde_json::json!({"resourceType":"Bundle","entry":[{"resource":value}]});
            try_all(wrapped.to_string().as_bytes());
        }

        #[test]
        fn a_damaged_bundle_is_survived(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
            whole in any::<bool>(),
        ) {
            let mut bytes = BUNDLE.as_bytes().to_vec();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            try_all(&bytes);
        }

        #[test]
        fn a_bundle_with_a_part_exchanged_is_survived(from in any::<prop::sample::Index>(), length in 0..60_usize, to in any::<prop::sample::Index>()) {
            let mut bytes = BUNDLE.as_bytes().to_vec();
            let from = from.index(bytes.len());
            let part = bytes[from..(from + length).min(bytes.len())].to_vec();
            let to = to.index(bytes.len());
            bytes.splice(to..to, part);
            try_all(&bytes);
        }
    }
}
