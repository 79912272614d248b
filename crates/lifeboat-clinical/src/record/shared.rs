//! Resources that many patients' records refer to, and the choice of those that one record needs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::held::{Held, key_of};
use crate::fhir::{Piece, ResourceType, type_slash_id};
use crate::json::{self, Json};

/// How often references of references are followed: a role to its practitioner and organisation, and
/// an organisation to the one it is part of.
const REFERENCE_ROUNDS: usize = 3;

/// The most bytes of shared resources that are held at once.
const BYTES_MAX: usize = 256 << 20;

/// Practitioners, organisations, places, medicines and the like that stand in documents of no one
/// patient, by `Type/id`.
#[derive(Clone, Debug, Default)]
pub struct SharedResources {
    by_key: HashMap<String, Piece>,
    bytes: usize,
}

impl SharedResources {
    /// Adds a resource; `false` when it has no id or there is no room for it.
    ///
    /// Of two with the same id the one last updated counts, else the one whose text sorts last, so that the
    /// order of adding does not matter.
    pub fn insert(&mut self, piece: Piece) -> bool {
        let Some(id) = piece.json().text_of("id") else {
            return false;
        };
        let key = format!("{}/{id}", piece.kind);
        let known = self.by_key.get(&key);
        let known_bytes = known.map_or(0, |known| known.resource.len());
        if known.is_some_and(|known| age(known) >= age(&piece)) {
            return true;
        }
        let bytes = self.bytes - known_bytes + piece.resource.len();
        if bytes > BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        self.by_key.insert(key, piece);
        true
    }

    /// Returns how many resources are held.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Says whether none is held.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Returns the resource that a reference means.
    pub(crate) fn resolve(&self, reference: &str) -> Option<&Piece> {
        self.by_key.get(type_slash_id(reference)?.as_ref())
    }
}

fn age(piece: &Piece) -> impl PartialOrd + '_ {
    let updated = piece
        .json()
        .path(&["meta", "lastUpdated"])
        .and_then(Json::string)
        .and_then(|text| crate::date::instant(&text));
    (updated, piece.resource.as_ref())
}

/// Returns the name by which people know a practitioner, place, organisation or medicine.
pub(crate) fn display_name(kind: ResourceType, json: Json<'_>) -> Option<String> {
    let name = match kind.name() {
        "Practitioner" | "Patient" | "RelatedPerson" => super::person::name_text(json.field("name")?)?,
        "Medication" => json.path(&["code", "text"])?.string()?.into_owned(),
        _ => json.field("name")?.string()?.into_owned(),
    };
    (!name.trim().is_empty()).then_some(name)
}

/// The supporting resources that one record holds.
pub(super) struct Support<'p> {
    pub(super) pieces: Vec<Held<'p>>,
    /// The keys of shared resources that the record refers to, held or not.
    pub(super) keys: Vec<String>,
    /// References that the record uses and that lead to two copies, with their type.
    pub(super) doubtful: BTreeMap<Cow<'p, str>, ResourceType>,
}

impl<'p> Support<'p> {
    /// Chooses what `roots` refer to, out of the patient's own supporting resources and the shared ones.
    pub(super) fn of(
        roots: impl Iterator<Item = Json<'p>>,
        own: &[Held<'p>],
        shared: &'p SharedResources,
    ) -> Self {
        let mut by_key: HashMap<Cow<'p, str>, Vec<usize>> = HashMap::new();
        for (at, held) in own.iter().enumerate() {
            for key in held.keys() {
                by_key.entry(key).or_default().push(at);
            }
        }
        let mut wanted = HashSet::new();
        for root in roots {
            json::each_reference(root, |reference| {
                wanted.insert(key_of(reference));
            });
        }
        let mut chosen: BTreeMap<(ResourceType, Cow<'p, str>, Option<&'p str>), Held<'p>> = BTreeMap::new();
        let mut doubtful = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for _ in 0..REFERENCE_ROUNDS {
            let mut next = HashSet::new();
            for key in wanted {
                let found: Vec<Held<'p>> = match by_key.get(&key) {
                    Some(places) => places.iter().map(|at| own[*at].clone()).collect(),
                    None => {
                        let kind = ResourceType::named(key.split('/').next().unwrap_or_default());
                        if kind.is_shared() {
                            keys.insert(key.clone().into_owned());
                        }
                        shared.resolve(&key).map(Held::of).into_iter().collect()
                    }
                };
                if let [first, _, ..] = found.as_slice() {
                    doubtful.insert(key, first.kind);
                }
                for held in found {
                    let order = (held.kind, held.text.clone(), held.full_url);
                    if let std::collections::btree_map::Entry::Vacant(place) = chosen.entry(order) {
                        let source = held.source;
                        place.insert(held);
                        json::each_reference(source, |reference| {
                            next.insert(key_of(reference));
                        });
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            wanted = next;
        }
        Self { pieces: chosen.into_values().collect(), keys: keys.into_iter().collect(), doubtful }
    }
}
