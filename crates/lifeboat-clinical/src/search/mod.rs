//! Finding patients by whatever the person at the desk has: any of name, date of birth, NHS number,
//! telephone number, address and postcode, typed into one box in any order.
//!
//! Every term of a [`Query`] must match something of a patient. Exact matches rank above beginnings of
//! words, and those above words with one typing error. Nothing here is written or logged; the index
//! lives in memory and goes with the session.

mod fold;
mod query;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::HashMap;

use crate::PartialDate;
use query::Meaning;
use vocabulary::{Gathering, Vocabulary};

pub use query::{HITS_MAX, Query};

/// What a patient can be found by.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SearchTerms {
    /// The names.
    pub names: SearchNames,
    /// The date of birth.
    pub born: Option<PartialDate>,
    /// The NHS number, with or without spaces.
    pub nhs: Option<String>,
    /// Telephone numbers as the source wrote them.
    pub phones: Vec<String>,
    /// The lines of the address.
    pub address: Vec<String>,
    /// The postcode.
    pub postcode: Option<String>,
}

/// The names of a patient.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SearchNames {
    /// The family name.
    pub family: String,
    /// The given names, the first one first.
    pub given: Vec<String>,
    /// Preferred, previous and other names.
    pub other: Vec<String>,
}

/// A patient who was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The number under which the patient was given to the index.
    pub id: usize,
    /// How well the patient matches; greater is better.
    pub score: u32,
    /// What matched.
    pub matched: Matched,
    /// How many other patients of the index have the same family name and first given name.
    pub same_name: u32,
}

/// What of a patient matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matched(u8);

impl Matched {
    /// A name.
    pub const NAME: Self = Self(1);
    /// The date of birth.
    pub const BORN: Self = Self(2);
    /// The NHS number.
    pub const NHS: Self = Self(4);
    /// A telephone number.
    pub const PHONE: Self = Self(8);
    /// A word of the address.
    pub const ADDRESS: Self = Self(16);
    /// The postcode.
    pub const POSTCODE: Self = Self(32);

    /// Says whether all of `other` matched.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns how many kinds of things matched.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl std::ops::BitOr for Matched {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Words shorter than this are not searched for with typing errors.
const NEAR_LETTERS_MIN: usize = 4;

/// Patients, ready to be searched.
#[derive(Default)]
pub struct SearchIndex {
    ids: Vec<usize>,
    family_names: Vocabulary,
    other_names: Vocabulary,
    address: Vocabulary,
    postcodes: Vocabulary,
    /// Year, month and day in one number; zero for what is not known.
    born: Vec<u32>,
    /// Sorted NHS numbers.
    nhs: Vec<(u64, u32)>,
    /// Telephone numbers without leading zero.
    phones: Vec<(u64, u32)>,
    /// The place of each patient's name among all names in order; the same for the same name.
    name_ranks: Vec<u32>,
    /// How many patients have each name.
    name_counts: Vec<u32>,
}

impl SearchIndex {
    /// Makes an index of patients, each under a number of the caller's.
    pub fn build(patients: impl IntoIterator<Item = (usize, SearchTerms)>) -> Self {
        let mut index = Self::default();
        let (mut family, mut other) = (Gathering::default(), Gathering::default());
        let (mut address, mut postcodes) = (Gathering::default(), Gathering::default());
        let mut names: HashMap<String, Vec<u32>> = HashMap::new();
        for (id, terms) in patients {
            let Ok(place) = u32::try_from(index.ids.len()) else { break };
            index.ids.push(id);
            index.born.push(terms.born.map_or(0, packed));
            add_names(&mut family, std::slice::from_ref(&terms.names.family), place);
            add_names(&mut other, &terms.names.given, place);
            add_names(&mut other, &terms.names.other, place);
            for line in &terms.address {
                fold::words(line).iter().for_each(|word| address.add(word, place));
            }
            if let Some(postcode) = &terms.postcode {
                postcodes.add(&query::compact_postcode(postcode), place);
            }
            let nhs = terms.nhs.as_deref().and_then(digits);
            index.nhs.extend(nhs.map(|number| (number, place)));
            let phones = terms.phones.iter().filter_map(|phone| query::national(phone).parse().ok());
            index.phones.extend(phones.map(|number: u64| (number, place)));
            names.entry(name_key(&terms.names)).or_default().push(place);
        }
        index.nhs.sort_unstable();
        index.family_names = family.finish();
        index.other_names = other.finish();
        index.address = address.finish();
        index.postcodes = postcodes.finish();
        index.rank_names(names);
        index
    }

    /// Returns the number of patients.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Says whether there are no patients.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Returns the patients whom every term of `query` matches, the best first.
    pub fn find(&self, query: &Query) -> Vec<Hit> {
        if query.is_empty() {
            return Vec::new();
        }
        let mut found = vec![Found::default(); self.ids.len()];
        let mut best = vec![Best::default(); self.ids.len()];
        for (round, term) in query.terms.iter().enumerate() {
            best.fill(Best::default());
            term.iter().for_each(|meaning| self.look_up(meaning, &mut best));
            for (found, best) in found.iter_mut().zip(&best) {
                if best.score > 0 && usize::from(found.terms) == round {
                    found.terms += 1;
                    found.score += u32::from(best.score);
                    found.matched = found.matched | best.matched;
                }
            }
        }
        let mut hits: Vec<(usize, Found)> = found
            .into_iter()
            .enumerate()
            .filter(|(_, found)| usize::from(found.terms) == query.terms.len())
            .collect();
        let order = |(place, found): &(usize, Found)| {
            (std::cmp::Reverse(found.score), self.name_ranks[*place], *place)
        };
        if hits.len() > query.hits_max && query.hits_max > 0 {
            hits.select_nth_unstable_by_key(query.hits_max - 1, order);
        }
        hits.truncate(query.hits_max);
        hits.sort_unstable_by_key(order);
        hits.into_iter().map(|(place, found)| self.hit(place, found)).collect()
    }

    fn hit(&self, place: usize, found: Found) -> Hit {
        let count = self.name_ranks.get(place).and_then(|rank| self.name_counts.get(*rank as usize));
        Hit {
            id: self.ids[place],
            score: found.score,
            matched: found.matched,
            same_name: count.copied().unwrap_or(1).saturating_sub(1),
        }
    }

    fn rank_names(&mut self, names: HashMap<String, Vec<u32>>) {
        let mut sorted: Vec<(String, Vec<u32>)> = names.into_iter().collect();
        sorted.sort_unstable();
        self.name_ranks = vec![0; self.ids.len()];
        for (rank, (name, places)) in (0..).zip(sorted) {
            // Patients without any name do not share one.
            let count =
                if name.trim().is_empty() { 1 } else { u32::try_from(places.len()).unwrap_or(u32::MAX) };
            self.name_counts.push(count);
            for place in places {
                self.name_ranks[place as usize] = rank;
            }
        }
    }

    fn look_up(&self, meaning: &Meaning, best: &mut [Best]) {
        match meaning {
            Meaning::Born { year, month, day } => self.look_up_born((*year, *month, *day), best),
            Meaning::Nhs(digits) => self.look_up_nhs(digits, best),
            Meaning::Phone(digits) => self.look_up_phone(digits, best),
            Meaning::Postcode(text) => {
                look_up_word(
                    &self.postcodes,
                    text,
                    Scores { exact: 90, prefix: 50, near: 0 },
                    Matched::POSTCODE,
                    best,
                );
            }
            Meaning::Word(word) => {
                look_up_word(
                    &self.family_names,
                    word,
                    Scores { exact: 110, prefix: 75, near: 45 },
                    Matched::NAME,
                    best,
                );
                look_up_word(
                    &self.other_names,
                    word,
                    Scores { exact: 100, prefix: 70, near: 40 },
                    Matched::NAME,
                    best,
                );
                look_up_word(
                    &self.address,
                    word,
                    Scores { exact: 30, prefix: 20, near: 0 },
                    Matched::ADDRESS,
                    best,
                );
            }
            Meaning::Joined(word) => {
                look_up_word(
                    &self.family_names,
                    word,
                    Scores { exact: 105, prefix: 65, near: 0 },
                    Matched::NAME,
                    best,
                );
                look_up_word(
                    &self.other_names,
                    word,
                    Scores { exact: 95, prefix: 60, near: 0 },
                    Matched::NAME,
                    best,
                );
            }
        }
    }

    fn look_up_born(&self, (year, month, day): (i16, i8, i8), best: &mut [Best]) {
        let wanted = pack(year, month, day);
        for (best, born) in best.iter_mut().zip(&self.born) {
            let (known_month, known_day) = (born / 100 % 100, born % 100);
            let score = match () {
                () if *born == 0 || born / 10_000 != wanted / 10_000 => 0,
                () if *born == wanted && day > 0 => 120,
                () if month > 0 && known_month > 0 && born / 100 != wanted / 100 => 0,
                () if day > 0 && known_day > 0 => 0,
                () if day > 0 => 35,
                () if month > 0 && known_month > 0 => 60,
                () if month > 0 => 30,
                () => 40,
            };
            best.offer(score, Matched::BORN);
        }
    }

    fn look_up_nhs(&self, digits: &str, best: &mut [Best]) {
        let Some((low, scale)) =
            digits.parse::<u64>().ok().zip(power_of_ten(10_usize.checked_sub(digits.len())))
        else {
            return;
        };
        let (low, high) = (low * scale, (low + 1) * scale);
        let begin = self.nhs.partition_point(|(number, _)| *number < low);
        let score = if digits.len() == 10 { 250 } else { 80 };
        for (_, place) in self.nhs[begin..].iter().take_while(|(number, _)| *number < high) {
            best[*place as usize].offer(score, Matched::NHS);
        }
    }

    fn look_up_phone(&self, digits: &str, best: &mut [Best]) {
        let Some((wanted, scale)) = digits.parse::<u64>().ok().zip(power_of_ten(Some(digits.len()))) else {
            return;
        };
        for (number, place) in &self.phones {
            let score = match () {
                () if *number == wanted => 150,
                () if number % scale == wanted => 60,
                () if digits.len() > 5 && begins_with(*number, wanted, scale) => 50,
                () => 0,
            };
            best[*place as usize].offer(score, Matched::PHONE);
        }
    }
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SearchIndex {{ patients: {}, redacted }}", self.ids.len())
    }
}

impl std::fmt::Debug for SearchTerms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchTerms { redacted }")
    }
}

impl std::fmt::Debug for SearchNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchNames { redacted }")
    }
}

/// What was found of a patient so far.
#[derive(Clone, Copy, Default)]
struct Found {
    score: u32,
    terms: u8,
    matched: Matched,
}

/// The best match of one term.
#[derive(Clone, Copy, Default)]
struct Best {
    score: u16,
    matched: Matched,
}

impl Best {
    fn offer(&mut self, score: u16, matched: Matched) {
        if score > self.score {
            *self = Self { score, matched };
        }
    }
}

/// What a word is worth when it is the same, begins so, or has one typing error; zero is not looked up.
#[derive(Clone, Copy)]
struct Scores {
    exact: u16,
    prefix: u16,
    near: u16,
}

fn look_up_word(vocabulary: &Vocabulary, word: &str, scores: Scores, matched: Matched, best: &mut [Best]) {
    let mut offer = |at: usize, score: u16| {
        for place in vocabulary.places(at) {
            best[*place as usize].offer(score, matched);
        }
    };
    for at in vocabulary.beginning_with(word) {
        offer(at, if vocabulary.word(at).len() == word.len() { scores.exact } else { scores.prefix });
    }
    if scores.near > 0 && word.chars().count() >= NEAR_LETTERS_MIN {
        let near =
            vocabulary.matching(|other| other.len().abs_diff(word.len()) < 5 && fold::is_near(word, other));
        near.for_each(|at| offer(at, scores.near));
    }
}

fn add_names(gathering: &mut Gathering, names: &[String], place: u32) {
    for name in names {
        fold::name_words(name).iter().for_each(|word| gathering.add(word, place));
    }
}

/// Returns what two patients of the same name have in common.
fn name_key(names: &SearchNames) -> String {
    let given = names.given.first().map(|given| fold::words(given).concat()).unwrap_or_default();
    format!("{} {given}", fold::words(&names.family).concat())
}

fn packed(date: PartialDate) -> u32 {
    pack(date.year(), date.month().unwrap_or(0), date.day().unwrap_or(0))
}

fn pack(year: i16, month: i8, day: i8) -> u32 {
    let part = |number: i16| u32::try_from(number).unwrap_or(0);
    part(year) * 10_000 + part(i16::from(month)) * 100 + part(i16::from(day))
}

fn digits(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (digits.len() == 10).then(|| digits.parse().ok()).flatten()
}

fn power_of_ten(exponent: Option<usize>) -> Option<u64> {
    10_u64.checked_pow(u32::try_from(exponent?).ok()?)
}

/// Says whether the digits of `number` begin with those of `wanted`, whose length `scale` tells.
fn begins_with(number: u64, wanted: u64, scale: u64) -> bool {
    let mut rest = number;
    while rest >= scale {
        rest /= 10;
    }
    rest == wanted
}
