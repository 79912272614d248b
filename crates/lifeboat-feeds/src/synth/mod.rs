//! The made-up practice of `lifeboat-clinical`, exported as each of the formats that Lifeboat reads.
//!
//! No public samples of most formats exist, so these writers are the samples. They all export one and
//! the same practice: what the generator decided about a patient is in every format, as far as the format can say it.
//! A practice's later extracts (`delta` 1, 2, …) hold what changed since the one before.

pub mod emis;
pub mod fhir;
mod forced;
pub mod gpconnect;
mod rowset;
pub mod tpp;
pub mod vision;

use std::io::{self, Write};

use jiff::civil::Date;
use lifeboat_clinical::synth::{Detail, Practice};
use serde_json::Value;

pub use forced::Forced;
pub use rowset::{RowSet, csv_row};

/// What to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// How many patients the practice has.
    pub patients: usize,
    /// The seed from which everything follows.
    pub seed: u64,
    /// The day on which the practice is shown.
    pub today: Date,
    /// Which extract: 0 is the full one, 1 the first changes after it, and so on.
    pub delta: u32,
    /// The share of patients (0 to 1) of whom something changes from one extract to the next.
    pub share: f64,
    /// Rows of history that a patient has at least, in table formats, for measuring; as many as there are unless set.
    pub rows_per_patient: Option<usize>,
    /// What stands in every name, number, address and text, so that a test can look for it where it must not be.
    pub marker: Option<String>,
}

impl Order {
    /// Returns the order of a full extract.
    pub fn full(patients: usize, seed: u64, today: Date) -> Self {
        Self { patients, seed, today, delta: 0, share: 0.01, rows_per_patient: None, marker: None }
    }

    /// Returns the order of the extract after so many others.
    #[must_use]
    pub fn later(self, delta: u32) -> Self {
        Self { delta, ..self }
    }

    /// Returns the order with `marker` in every name, number, address and text.
    #[must_use]
    pub fn with_marker(self, marker: impl Into<String>) -> Self {
        Self { marker: Some(marker.into()), ..self }
    }

    /// Returns the practice; every patient comes as plain resources.
    pub fn practice(&self) -> Practice {
        let practice = Practice::new(self.seed, self.patients, self.today);
        let practice = practice.with_ips_percent(0).with_detail(Detail::Full);
        match &self.marker {
            Some(marker) => practice.with_marker(marker.as_str()),
            None => practice,
        }
    }

    /// Returns the FHIR R4 resources of patient `index` as of extract `delta`, the Patient first.
    ///
    /// Each extract that changes something about a patient has also lost the oldest of their observations, so that there
    /// is something to delete.
    pub fn chart(&self, practice: &Practice, index: usize, delta: u32) -> Vec<Value> {
        let mut chart = practice.resources_in_round(index, delta, self.share);
        let rounds = (1..=delta).filter(|round| practice.changes_in_round(index, *round, self.share)).count();
        for _ in 0..rounds {
            drop_oldest_observation(&mut chart);
        }
        chart
    }

    /// Says whether patient `index` is in this extract: all are in a full one, those who changed in a later one.
    pub fn holds(&self, practice: &Practice, index: usize) -> bool {
        self.delta == 0 || practice.changes_in_round(index, self.delta, self.share)
    }
}

/// Where the files of an extract go.
pub trait Sink {
    /// Begins a file at a path below the extract's folder; several may be open at once.
    ///
    /// # Errors
    /// The file cannot be made.
    fn file(&mut self, path: &str) -> io::Result<Box<dyn Write>>;
}

/// Drops the oldest observation that no report refers to.
fn drop_oldest_observation(chart: &mut Vec<Value>) {
    let in_reports: std::collections::HashSet<String> = chart
        .iter()
        .filter_map(|resource| resource["result"].as_array())
        .flatten()
        .filter_map(|result| Some(result["reference"].as_str()?.to_owned()))
        .collect();
    let oldest = chart
        .iter()
        .enumerate()
        .filter(|(_, resource)| resource["resourceType"] == "Observation")
        .filter_map(|(at, resource)| {
            Some((resource["effectiveDateTime"].as_str()?, resource["id"].as_str()?, at))
        })
        .filter(|(_, id, _)| !in_reports.contains(&format!("Observation/{id}")))
        .min()
        .map(|(_, _, at)| at);
    if let Some(at) = oldest {
        chart.remove(at);
    }
}
