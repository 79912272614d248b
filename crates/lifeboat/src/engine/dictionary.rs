//! The dictionary for a base: trained on a sample of the records that are about to be sealed.
//!
//! It is trained once, when a base is sealed anew; re-bases that copy ciphertext keep it, because the
//! service cannot open the records that it would have to compress again.

use super::EngineError;
use super::harvest::{Harvest, Harvester};
use super::input::{Document, Input};
use super::stream::{Work, stream};
use lifeboat_clinical::fhir;
use lifeboat_format::Dictionary;

/// Records to train on.
const SAMPLES_MAX: usize = 500;
/// Bytes to train on.
const SAMPLE_BYTES_MAX: usize = 24 * 1024 * 1024;

/// A growing sample of records.
#[derive(Default)]
pub(crate) struct Sample {
    records: Vec<Vec<u8>>,
    bytes: usize,
}

impl Sample {
    /// Adds a record; `false` once there are enough.
    pub(crate) fn add(&mut self, record: Vec<u8>) -> bool {
        self.bytes += record.len();
        self.records.push(record);
        self.records.len() < SAMPLES_MAX && self.bytes < SAMPLE_BYTES_MAX
    }

    /// Trains a dictionary if the sample is large enough for one.
    pub(crate) fn train(&self) -> Result<Option<Dictionary>, EngineError> {
        let enough = u64::try_from(self.records.len()).unwrap_or(u64::MAX)
            >= lifeboat_plan::fold::DICTIONARY_PATIENTS_MIN;
        if enough { Ok(Dictionary::train(&self.records)?) } else { Ok(None) }
    }
}

/// Builds records of documents that stand alone, only to look at them.
struct Sampling<'a>(&'a Harvest<'a>);

impl Work for Sampling<'_> {
    type State = Harvester;
    type Product = Vec<u8>;

    fn start(&self) -> Harvester {
        self.0.harvester()
    }

    fn document(&self, _: &mut Harvester, document: &Document<'_>, emit: &mut dyn FnMut(Vec<u8>) -> bool) {
        // Whatever cannot be read here is found again, and reported, when records are made.
        let Ok(true) = self.0.is_wanted(document) else { return };
        let Some(bytes) = document.read().ok().and_then(|content| content.bytes) else { return };
        let Ok(pieces) = fhir::split(&bytes, self.0.window) else { return };
        for (key, pieces) in self.0.by_record(pieces) {
            let Some(wanted) = self.0.wanted.get(&key) else { continue };
            let is_whole_patient = wanted.group.group.documents == 1 && wanted.group.day.is_none();
            if is_whole_patient && !emit(self.0.unsealed(key, None, pieces).1) {
                return;
            }
        }
    }
}

/// Marks that the sample is large enough.
struct Enough;

/// Samples records from the beginning of the source.
pub(crate) fn sample(input: &Input, workers: usize, harvest: &Harvest<'_>) -> Sample {
    let mut sample = Sample::default();
    let collect = |record| if sample.add(record) { Ok(()) } else { Err(Enough) };
    // Stopping early is the usual end; whatever was gathered is the sample.
    match stream(input, workers, &Sampling(harvest), &|_| {}, collect) {
        Ok(_) | Err(Enough) => sample,
    }
}
