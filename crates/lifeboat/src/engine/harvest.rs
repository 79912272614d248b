//! Second pass over the source: records that may have changed are built, compared and sealed.
//!
//! Documents behind no wanted record are digested and passed over. A record behind which stands one
//! document is built and sealed at once by the worker that read it; the pieces of others are gathered
//! first. What has not changed after all is not sealed again.

use super::EngineError;
use super::input::{Document, Remark};
use super::state::StateReader;
use super::stream::Work;
use super::survey::{Digester, DocumentRow, OwnerKey, RecordGroup, Survey, reference_key};
use jiff::civil::Date;
use lifeboat_clinical::fhir::{self, DayWindow, Owner, Piece};
use lifeboat_clinical::problem::Problem;
use lifeboat_clinical::record::{self, FeedProfile, Person, RecordQuality, SharedResources};
use lifeboat_format::{Dictionary, EpochRecipient, LookupKey, RecordKey, RecordName, Sealer};
use std::collections::{BTreeMap, HashMap};

/// What a wanted record is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) group: RecordGroup,
    /// The digest that the sealed record has, unless it is to be sealed whatever it says.
    pub(crate) sealed_as: Option<[u8; 16]>,
}

/// A record as built from the source.
pub(crate) struct Built {
    pub(crate) key: RecordKey,
    pub(crate) digest: [u8; 16],
    pub(crate) person: Option<Person>,
    pub(crate) sections: Vec<(String, u32)>,
    pub(crate) appointments: u32,
    pub(crate) bytes: u64,
    /// What was counted of a patient's record.
    pub(crate) quality: RecordQuality,
    /// What had to be left out or decided while building it.
    pub(crate) problems: Vec<Problem>,
    /// The sealed record, unless the one that lies sealed already says the same.
    pub(crate) blob: Option<Vec<u8>>,
}

/// What comes out of one document.
pub(crate) enum Product {
    Built(Box<Built>),
    Pieces(RecordKey, Vec<Piece>),
}

/// Everything that building and sealing needs to know.
pub(crate) struct Harvest<'a> {
    pub(crate) state: &'a StateReader,
    pub(crate) digester: Digester,
    pub(crate) lookup: &'a LookupKey,
    pub(crate) window: &'a DayWindow,
    pub(crate) survey: &'a Survey,
    pub(crate) wanted: &'a HashMap<RecordKey, Wanted>,
    pub(crate) shared: &'a SharedResources,
    pub(crate) profile: &'a FeedProfile,
    pub(crate) today: Date,
    pub(crate) recipient: &'a EpochRecipient,
    pub(crate) dictionary: Option<&'a Dictionary>,
}

/// One worker's tools and what went wrong with it.
pub(crate) struct Harvester {
    /// Missing only when it could not be made, which `failure` tells.
    sealer: Option<Sealer>,
    failure: Option<EngineError>,
    remarks: Vec<Remark>,
}

impl Harvester {
    /// Hands over what the worker found, or why it failed.
    pub(crate) fn finish(self) -> Result<Vec<Remark>, EngineError> {
        self.failure.map_or(Ok(self.remarks), Err)
    }
}

impl Work for Harvest<'_> {
    type State = Harvester;
    type Product = Product;

    fn start(&self) -> Harvester {
        self.harvester()
    }

    fn document(
        &self,
        harvester: &mut Harvester,
        document: &Document<'_>,
        emit: &mut dyn FnMut(Product) -> bool,
    ) {
        if harvester.failure.is_some() {
            return;
        }
        let pieces = match self.pieces(harvester, document) {
            Ok(pieces) => pieces,
            Err(error) => {
                harvester.failure = Some(error);
                return;
            }
        };
        for (key, pieces) in pieces {
            let alone = self.wanted.get(&key).is_some_and(|wanted| wanted.group.group.documents == 1);
            let product = if alone {
                let Some(sealer) = &mut harvester.sealer else { return };
                match self.build(sealer, key, pieces) {
                    Ok(built) => Product::Built(Box::new(built)),
                    Err(error) => {
                        harvester.failure = Some(error);
                        return;
                    }
                }
            } else {
                Product::Pieces(key, pieces)
            };
            if !emit(product) {
                return;
            }
        }
    }
}

impl Harvest<'_> {
    /// Prepares one worker.
    pub(crate) fn harvester(&self) -> Harvester {
        let (sealer, failure) = match Sealer::new(self.recipient, self.dictionary) {
            Ok(sealer) => (Some(sealer), None),
            Err(error) => (None, Some(EngineError::from(error))),
        };
        Harvester { sealer, failure, remarks: Vec::new() }
    }

    /// The document's pieces for wanted records; what cannot be read is noted.
    fn pieces(
        &self,
        harvester: &mut Harvester,
        document: &Document<'_>,
    ) -> Result<BTreeMap<RecordKey, Vec<Piece>>, EngineError> {
        if !self.is_wanted(document)? {
            return Ok(BTreeMap::new());
        }
        // What the document's own reading says was reported by the first pass.
        let Some(bytes) = document.read()?.bytes else { return Ok(BTreeMap::new()) };
        match fhir::split(&bytes, self.window) {
            Ok(pieces) => Ok(self.by_record(pieces)),
            Err(problem) => {
                harvester.remarks.push(document.remark(&problem));
                Ok(BTreeMap::new())
            }
        }
    }

    /// Whether the document stands behind any wanted record; one without a kept outline is split to see.
    pub(crate) fn is_wanted(&self, document: &Document<'_>) -> Result<bool, EngineError> {
        let kept = self.state.document(&document.digest(self.digester))?;
        let Some(row) = kept.and_then(|kept| DocumentRow::parse(&kept)) else { return Ok(true) };
        Ok(row.owners.iter().any(|owner| {
            let key = match owner {
                OwnerKey::Patient(key) => *key,
                OwnerKey::Reference(reference) => self.survey.resolve(*reference),
                OwnerKey::Day(day) => self.lookup.record_key(&RecordName::Day(*day)),
                OwnerKey::Shared => return false,
            };
            self.wanted.contains_key(&key)
        }))
    }

    /// The document's pieces, for wanted records only.
    pub(crate) fn by_record(&self, pieces: Vec<Piece>) -> BTreeMap<RecordKey, Vec<Piece>> {
        let mut records: BTreeMap<RecordKey, Vec<Piece>> = BTreeMap::new();
        let mut keys: HashMap<Owner, Option<RecordKey>> = HashMap::new();
        for piece in pieces {
            let key = match keys.get(&piece.owner) {
                Some(key) => *key,
                None => {
                    let key = self.record_key(&piece.owner).filter(|key| self.wanted.contains_key(key));
                    keys.insert(piece.owner.clone(), key);
                    key
                }
            };
            if let Some(key) = key {
                records.entry(key).or_default().push(piece);
            }
        }
        records
    }

    fn record_key(&self, owner: &Owner) -> Option<RecordKey> {
        match owner {
            Owner::Patient(name) => Some(self.lookup.record_key(&RecordName::Patient(name.as_str()))),
            Owner::Reference(reference) => Some(self.survey.resolve(reference_key(self.lookup, reference))),
            Owner::Day(day) => Some(self.lookup.record_key(&RecordName::Day(*day))),
            Owner::Shared => None,
        }
    }

    /// Whether the site's rules leave the patient out.
    fn is_left_out(&self, patient: &Owner) -> bool {
        match patient {
            Owner::Patient(name) => {
                let key = self.lookup.record_key(&RecordName::Patient(name.as_str()));
                self.survey.is_left_out(key)
            }
            Owner::Reference(reference) => self.survey.is_left_out(reference_key(self.lookup, reference)),
            Owner::Day(_) | Owner::Shared => false,
        }
    }

    /// The record key of the patient whom an appointment names.
    fn patient_key(&self, named: &str) -> Option<String> {
        let by_name = self.lookup.record_key(&RecordName::Patient(named));
        if self.survey.names_patient(by_name) {
            return Some(by_name.to_string());
        }
        let by_reference = self.survey.resolve(reference_key(self.lookup, named));
        self.survey.names_patient(by_reference).then(|| by_reference.to_string())
    }

    /// Builds one record and seals it if it says anything new.
    pub(crate) fn build(
        &self,
        sealer: &mut Sealer,
        key: RecordKey,
        pieces: Vec<Piece>,
    ) -> Result<Built, EngineError> {
        let wanted = self.wanted.get(&key);
        let (mut built, bytes) = self.unsealed(key, wanted.and_then(|wanted| wanted.group.day), pieces);
        if wanted.and_then(|wanted| wanted.sealed_as) != Some(built.digest) {
            built.blob = Some(sealer.seal(&bytes)?);
        }
        Ok(built)
    }

    /// Builds one record and returns its bytes beside what is known of it.
    pub(crate) fn unsealed(&self, key: RecordKey, day: Option<Date>, pieces: Vec<Piece>) -> (Built, Vec<u8>) {
        let mut quality = RecordQuality::default();
        let (bytes, person, sections, appointments, problems) = match day {
            Some(day) => {
                let mut pieces = pieces;
                pieces.retain(|piece| !piece.patients.iter().any(|patient| self.is_left_out(patient)));
                let list = record::build_day_list(day, pieces, &|named| self.patient_key(named), self.shared);
                (list.bytes, None, Vec::new(), list.appointments, list.problems)
            }
            None => {
                let made = record::build_patient_record(pieces, self.shared, self.profile, self.today);
                quality = made.quality;
                let sections =
                    made.sections.iter().map(|(section, _, items)| (section.code().to_owned(), *items));
                (made.bytes, Some(made.person), sections.collect(), 0, made.problems)
            }
        };
        let digest = self.digester.digest(&bytes);
        let length = bytes.len() as u64;
        let built = Built {
            key,
            digest,
            person,
            sections,
            appointments,
            bytes: length,
            quality,
            problems,
            blob: None,
        };
        (built, bytes)
    }
}

impl Harvest<'_> {
    /// Builds and seals many gathered records with all workers.
    pub(crate) fn build_all(
        &self,
        workers: usize,
        records: BTreeMap<RecordKey, Vec<Piece>>,
    ) -> Result<Vec<Built>, EngineError> {
        let records: Vec<_> = records.into_iter().collect();
        let share = records.len().div_ceil(workers.max(1)).max(1);
        let mut shares = Vec::new();
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            shares.push(records.by_ref().take(share).collect::<Vec<_>>());
        }
        let built: Vec<Result<Vec<Built>, EngineError>> = std::thread::scope(|scope| {
            let build_share = |share: Vec<(RecordKey, Vec<Piece>)>| {
                let mut sealer = Sealer::new(self.recipient, self.dictionary)?;
                share.into_iter().map(|(key, pieces)| self.build(&mut sealer, key, pieces)).collect()
            };
            let threads: Vec<_> =
                shares.into_iter().map(|share| scope.spawn(move || build_share(share))).collect();
            let rejoin = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(rejoin).collect()
        });
        built.into_iter().try_fold(Vec::new(), |mut all, share| {
            all.append(&mut share?);
            Ok(all)
        })
    }
}
