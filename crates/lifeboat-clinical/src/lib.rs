//! Feeds in, FHIR R4 patient summaries out, and the view of them that a clinician reads.
//!
//! The way of a record through this crate: [`document`] gets documents out of bytes; [`fhir`] says which
//! patients a document speaks of and takes it apart; [`record`] builds each patient's record, and the day
//! lists, from the pieces; [`view`] turns a record into what a clinician reads. Everything is a function
//! of its arguments: no clock, no files, no network. Whatever the input, nothing panics; what cannot be
//! read becomes a [`Problem`] that says where and why without a word about any patient.

pub mod date;
pub mod document;
pub mod fhir;
pub mod fuzz;
mod json;
pub mod nhs_number;
pub mod problem;
pub mod record;
pub mod search;
pub mod section;
pub mod synth;
pub mod view;

pub use date::PartialDate;
pub use document::{DocumentReader, Limits};
pub use fhir::{DayWindow, Outline, Owner, PatientName, Piece, outline, split};
pub use problem::{Place, Problem, Reason};
pub use record::{FeedProfile, PatientRecord, Person, SharedResources, build_day_list, build_patient_record};
pub use section::{SectionId, SectionState};

#[cfg(test)]
mod corpus_tests;
