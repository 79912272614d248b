//! Tests.
use jiff::civil::{Date, date};
use lifeboat_clinical::record::PatientRecord;
use lifeboat_clinical::{DayWindow, FeedProfile, Owner, Piece, SharedResources, build_patient_record};

pub(crate) fn today() -> Date {
    date(2026, 11, 21)
}

/// Builds the records of all patients of a translated document, each with what else there is to say of it.
pub(crate) fn built(document: &[u8], today: Date) -> Vec<(PatientRecord, String)> {
    let outline = lifeboat_clinical::outline(document).expect("a translation is FHIR R4");
    let feed = FeedProfile { supplied: outline.types };
    let window = DayWindow { first: today, last: today };
    let pieces = lifeboat_clinical::split(document, &window).expect("a translation is FHIR R4");
    let mut owners: Vec<Owner> =
        outline.owners.iter().filter(|owner| matches!(owner, Owner::Patient(_))).cloned().collect();
    owners.dedup();
    owners
        .into_iter()
        .map(|owner| {
            let own: Vec<Piece> = pieces.iter().filter(|piece| piece.owner == owner).cloned().collect();
            let others = pieces.len() - own.len();
            let record = build_patient_record(own, &SharedResources::default(), &feed, today);
            let said = format!(
                "{} pieces of others, {} skipped: {:?}",
                others,
                outline.skipped.len(),
                outline.skipped
            );
            (record, said)
        })
        .collect()
}
