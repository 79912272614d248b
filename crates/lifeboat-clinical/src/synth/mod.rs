//! A made-up British practice, of any size, for demonstrations, tests and measurements.
//!
//! Everything follows from the seed and the index of a patient: patient 7 can be made without making
//! the first six, a million patients can be streamed, and the same seed gives the same bytes for ever.
//! Nobody in it exists: NHS numbers are from the range kept for tests, telephone numbers from those kept
//! for drama, and postcodes from an area that is not a place.
//!
//! A [`Practice`] gives FHIR R4 in the shapes in which practices export it: one Bundle per patient (some
//! of them International Patient Summaries), Bundles of appointments, or resources for Bulk Data files.

mod appointments;
mod bundle;
mod catalogue;
mod contact;
mod events;
mod marker;
mod measurements;
mod names;
mod nhs_range;
mod patient;
mod person;
mod prescribing;
mod problems;
mod random;
mod staff;
mod story;
#[cfg(test)]
mod tests;

use jiff::civil::Date;
use serde_json::Value;

use catalogue::{MEDICINES, TESTS};
use person::{Person, person};
use prescribing::Prescription;
use random::Random;
use story::Story;

pub use problems::AllergyStory;
pub use staff::{SITE_CODE, SITE_NAME};

/// How much is recorded about each patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// About 18 KB of JSON per patient.
    #[default]
    Usual,
    /// About 37 KB of JSON per patient.
    Full,
}

/// The share of patients, in a hundred, who come as an International Patient Summary unless said otherwise.
pub const IPS_PERCENT: u8 = 5;

/// A made-up practice.
#[derive(Debug, Clone)]
pub struct Practice {
    seed: u64,
    patients: usize,
    today: Date,
    detail: Detail,
    ips_percent: u8,
    marker: Option<String>,
}

/// What the generator decided about a patient, for tests to compare with.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    /// The FHIR id of the Patient.
    pub id: String,
    /// The family name.
    pub family: String,
    /// The given names.
    pub given: Vec<String>,
    /// The date of birth.
    pub born: Date,
    /// The NHS number, where the patient has one.
    pub nhs_number: Option<String>,
    /// The postcode.
    pub postcode: String,
    /// The telephone numbers.
    pub phones: Vec<String>,
    /// The date of death.
    pub died: Option<Date>,
    /// Says that the patient is not registered any more.
    pub left: bool,
    /// Says that the source marks the patient as restricted.
    pub sensitive: bool,
    /// Says that the patient comes as an International Patient Summary.
    pub is_document: bool,
    /// What is known about allergies.
    pub allergies: AllergyStory,
}

impl Practice {
    /// Makes the practice of `seed` with so many patients, as it is on `today`.
    pub fn new(seed: u64, patients: usize, today: Date) -> Self {
        Self { seed, patients, today, detail: Detail::Usual, ips_percent: IPS_PERCENT, marker: None }
    }

    /// Chooses how much is recorded about each patient.
    #[must_use]
    pub fn with_detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// Chooses how many of a hundred patients come as an International Patient Summary.
    #[must_use]
    pub fn with_ips_percent(self, ips_percent: u8) -> Self {
        Self { ips_percent, ..self }
    }

    /// Puts `marker` into every name, number, address and free text.
    #[must_use]
    pub fn with_marker(self, marker: impl Into<String>) -> Self {
        Self { marker: Some(marker.into()), ..self }
    }

    /// Returns the number of patients.
    pub fn patients(&self) -> usize {
        self.patients
    }

    /// Returns the day on which the practice is shown.
    pub fn today(&self) -> Date {
        self.today
    }

    /// Returns what the generator decided about patient `index`; the marker is not in it.
    pub fn expected(&self, index: usize) -> Expected {
        let person = self.person(index);
        Expected {
            is_document: self.is_document(index),
            allergies: self.allergies(index),
            id: person.id,
            family: person.name.family,
            given: person.name.given,
            born: person.born,
            nhs_number: person.nhs_number,
            postcode: person.address.postcode,
            phones: person.mobile.into_iter().chain(person.home_phone).collect(),
            died: person.died,
            left: !person.active && person.died.is_none(),
            sensitive: person.sensitive,
        }
    }

    /// Returns the resources of patient `index`, the Patient first.
    pub fn resources(&self, index: usize) -> Vec<Value> {
        let mut resources = self.resources_after(index, 0, 0.0);
        self.mark_all(&mut resources);
        resources
    }

    /// Returns the resources of patient `index` as a later extract holds them, after the changes of `round` rounds.
    pub fn resources_in_round(&self, index: usize, round: u32, share: f64) -> Vec<Value> {
        let mut resources = self.resources_after(index, round, share);
        self.mark_all(&mut resources);
        resources
    }

    /// Says whether something about patient `index` changes in `round`.
    pub fn changes_in_round(&self, index: usize, round: u32, share: f64) -> bool {
        self.change_in(index, round, share).is_some()
    }

    /// Returns the file stem and the Bundle of patient `index`.
    pub fn bundle(&self, index: usize) -> (String, Value) {
        self.bundle_after(index, 0, 0.0)
    }

    /// Returns the file stem and the Bundle of every patient.
    pub fn bundles(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        (0..self.patients).map(|index| self.bundle(index))
    }

    /// Returns the file stem and the Bundle of what patients share: the practice, its place, its staff.
    pub fn shared(&self) -> (String, Value) {
        let mut resources = staff::shared_resources();
        self.mark_all(&mut resources);
        ("practice".to_owned(), bundle::collection(resources))
    }

    /// Returns the days that have appointments: yesterday, today and the seven days after.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        appointments::days(self.today)
    }

    /// Returns the Appointment resources of `day`.
    pub fn appointments_on(&self, day: Date) -> impl Iterator<Item = Value> + '_ {
        let count = if self.patients == 0 { 0 } else { appointments::appointments_on(self.patients, day) };
        (0..count).map(move |at| {
            let mut appointment = appointments::appointment(self.seed, self.patients, self.today, day, at);
            self.mark_one(&mut appointment);
            appointment
        })
    }

    /// Returns the file stem and the Bundle of the appointments of each day.
    pub fn appointments(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        self.days().map(|day| {
            let appointments = self.appointments_on(day).collect();
            (format!("appointments-{day}"), bundle::collection(appointments))
        })
    }

    /// Returns the file stem and content of every file of a folder feed: shared, patients, appointments.
    pub fn files(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        std::iter::once_with(|| self.shared()).chain(self.bundles()).chain(self.appointments())
    }

    /// Returns every resource with its type, as lines of Bulk Data files; one file holds one type.
    pub fn ndjson_resources(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        let shared = std::iter::once_with(|| {
            let mut resources = staff::shared_resources();
            self.mark_all(&mut resources);
            resources
        });
        let patients = (0..self.patients).map(|index| self.resources(index));
        let days = self.days().map(|day| self.appointments_on(day).collect());
        shared.chain(patients).chain(days).flatten().map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
            (kind, resource)
        })
    }

    /// Returns the Bundles that a later extract changed.
    ///
    /// In each round (from 1) every patient changes with probability `share` (0 to 1): a new result, a
    /// new medicine or a new telephone number. A Bundle holds the changes of the earlier rounds too.
    pub fn changes(&self, round: u32, share: f64) -> impl Iterator<Item = (String, Value)> + '_ {
        (0..self.patients)
            .filter(move |index| self.change_in(*index, round, share).is_some())
            .map(move |index| self.bundle_after(index, round, share))
    }

    fn person(&self, index: usize) -> Person {
        person(self.seed, index as u64, self.today)
    }

    fn is_document(&self, index: usize) -> bool {
        Random::of(self.seed, "is-document", index as u64).chance(u64::from(self.ips_percent))
    }

    fn allergies(&self, index: usize) -> AllergyStory {
        problems::allergy_story(self.seed, index as u64, self.is_document(index))
    }

    fn bundle_after(&self, index: usize, rounds: u32, share: f64) -> (String, Value) {
        let resources = self.resources_after(index, rounds, share);
        let mut bundle = if self.is_document(index) {
            let person = self.person(index);
            bundle::ips_document(self.seed, &person, self.today, self.allergies(index), resources)
        } else {
            bundle::collection(resources)
        };
        self.mark_one(&mut bundle);
        (format!("patient-{index:07}"), bundle)
    }

    fn resources_after(&self, index: usize, rounds: u32, share: f64) -> Vec<Value> {
        let mut person = self.person(index);
        let changes: Vec<(u32, Change)> =
            (1..=rounds).filter_map(|round| Some((round, self.change_in(index, round, share)?))).collect();
        for (round, change) in &changes {
            if *change == Change::Phone {
                let mut random = Random::of(self.seed, &format!("phone-{round}"), index as u64);
                person.mobile = Some(contact::draw_mobile(&mut random));
            }
        }
        let mut story = Story::new(self.seed, &person, self.today, self.detail);
        story.resources.push(patient::patient_resource(self.seed, &person));
        tell(&mut story, self.allergies(index));
        for (round, change) in changes {
            let mut random = Random::of(self.seed, &format!("change-{round}"), index as u64);
            let day = story.last;
            match change {
                Change::Result => {
                    let test = random.pick(TESTS);
                    story.add_result(&mut random, &test, day);
                }
                Change::Medicine => {
                    let medicine = random.pick(MEDICINES);
                    story.add_medicine(&mut random, &medicine, Prescription::Acute);
                }
                Change::Phone => {}
            }
        }
        story.resources
    }

    fn change_in(&self, index: usize, round: u32, share: f64) -> Option<Change> {
        const WHOLE: u64 = 1 << 32;
        let mut random = Random::of(self.seed, &format!("round-{round}"), index as u64);
        let drawn = random.below(WHOLE) as f64 / WHOLE as f64;
        let change = random.pick(&[Change::Result, Change::Medicine, Change::Phone]);
        (round > 0 && drawn < share).then_some(change)
    }

    fn mark_all(&self, resources: &mut [Value]) {
        resources.iter_mut().for_each(|resource| self.mark_one(resource));
    }

    fn mark_one(&self, resource: &mut Value) {
        if let Some(marker) = &self.marker {
            marker::mark(resource, marker);
        }
    }
}

/// What a later extract changed about a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Result,
    Medicine,
    Phone,
}

fn tell(story: &mut Story<'_>, allergies: AllergyStory) {
    let problems = story.add_problems();
    story.add_allergies(allergies);
    story.add_flags();
    story.add_medicines(&problems);
    story.add_results(&problems);
    story.add_vitals();
    story.add_social_history();
    story.add_encounters();
    story.add_immunisations();
    story.add_other_events();
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expected").field("id", &self.id).finish_non_exhaustive()
    }
}
