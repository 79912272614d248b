//! Who is in the snapshot: the directory, the search over it, and what lists show about one person.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;
use lifeboat_clinical::date::PartialDate;
use lifeboat_clinical::nhs_number;
use lifeboat_clinical::record::{FLAG_DECEASED, FLAG_LEFT, FLAG_SENSITIVE};
use lifeboat_clinical::search::{Query, SearchIndex, SearchNames, SearchTerms};
use lifeboat_clinical::view::{Banner, BannerFlag};
use lifeboat_format::{Died, DirectoryRow, RecordKey, sort_name};

use super::person_text::{age, show_partial};
use crate::pages::search::PersonLine;

/// The most people that one search finds; more than are shown, so that a page can say how many it leaves out.
pub const RESULTS_FOUND_MAX: usize = 500;

/// Everybody in the snapshot.
pub struct People {
    rows: Vec<DirectoryRow>,
    by_key: HashMap<RecordKey, usize>,
    namesakes: HashMap<String, usize>,
    index: SearchIndex,
    today: Date,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({}, redacted)", self.rows.len())
    }
}

impl People {
    /// Prepares the directory for search; ages are as of `today`.
    pub fn new(rows: Vec<DirectoryRow>, today: Date) -> Self {
        let by_key = rows.iter().enumerate().map(|(at, row)| (row.key, at)).collect();
        let mut namesakes = HashMap::new();
        for row in &rows {
            *namesakes.entry(calling_name(row)).or_default() += 1;
        }
        let index = SearchIndex::build(rows.iter().enumerate().map(|(at, row)| (at, terms(row))));
        Self { rows, by_key, namesakes, index, today }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Finds people by what was typed, the best match first.
    pub fn find(&self, typed: &str) -> Vec<RecordKey> {
        let hits = self.index.find(&Query::new(typed).with_hits_max(RESULTS_FOUND_MAX));
        hits.into_iter().filter_map(|hit| Some(self.rows.get(hit.id)?.key)).collect()
    }

    /// Returns what lists show about a patient, without the way to the record.
    pub fn line(&self, key: &RecordKey) -> Option<PersonLine> {
        let row = self.row(key)?;
        let banner = self.banner(key)?;
        let same_name = self.namesakes.get(&calling_name(row)).map_or(0, |count| count - 1);
        Some(PersonLine {
            href: String::new(),
            name: banner.name,
            preferred: banner.preferred,
            born: match (&banner.age, &banner.died) {
                (_, Some(died)) => format!("{} (died {died})", banner.born),
                (Some(age), None) => format!("{} ({age})", banner.born),
                (None, None) => banner.born,
            },
            gender: banner.gender,
            nhs: banner.nhs,
            address: banner.address.join(", "),
            phones: banner.phones,
            flags: row.flags.iter().map(|flag| flag_words(flag)).collect(),
            same_name,
            is_unreadable: false,
        })
    }

    /// Returns the banner as far as the directory knows it.
    pub fn banner(&self, key: &RecordKey) -> Option<Banner> {
        let row = self.row(key)?;
        let born = row.born.as_deref().and_then(|text| text.parse::<PartialDate>().ok());
        let not_known = || "Not known".to_owned();
        Some(Banner {
            name: name(row),
            preferred: row.preferred.clone(),
            born: born.map_or_else(not_known, show_partial),
            age: born.filter(|_| row.died.is_none()).and_then(|born| age(born, self.today)),
            gender: row.gender.as_deref().map_or_else(not_known, capitalised),
            nhs: row.nhs.as_deref().map_or_else(not_known, nhs_number::format),
            died: row.died.as_ref().map(died),
            address: withheld(row, row.address.iter().chain(&row.postcode).cloned().collect()),
            phones: withheld(row, row.phones.clone()),
            usual_gp: row.gp.clone(),
            flags: row.flags.iter().filter_map(|flag| banner_flag(flag)).collect(),
            ..Banner::default()
        })
    }

    fn row(&self, key: &RecordKey) -> Option<&DirectoryRow> {
        self.rows.get(*self.by_key.get(key)?)
    }
}

fn terms(row: &DirectoryRow) -> SearchTerms {
    SearchTerms {
        names: SearchNames {
            family: row.family.clone().unwrap_or_default(),
            given: row.given.clone(),
            other: row.preferred.iter().cloned().collect(),
        },
        born: row.born.as_deref().and_then(|text| text.parse().ok()),
        nhs: row.nhs.clone(),
        phones: row.phones.clone(),
        address: row.address.clone(),
        postcode: row.postcode.clone(),
    }
}

/// Returns the name under which people are mistaken for each other: family name and first given name, folded.
fn calling_name(row: &DirectoryRow) -> String {
    sort_name(row.family.as_deref().unwrap_or_default(), row.given.get(..1).unwrap_or_default())
}

/// Returns the name as the NHS shows it, `SMITH, John (Mr)`.
fn name(row: &DirectoryRow) -> String {
    let given = row.given.join(" ");
    let mut name = match (&row.family, given.is_empty()) {
        (Some(family), false) => format!("{}, {given}", family.to_uppercase()),
        (Some(family), true) => family.to_uppercase(),
        (None, false) => given,
        (None, true) => "Name not known".to_owned(),
    };
    if let Some(title) = &row.title {
        name.push_str(&format!(" ({})", title.trim_end_matches('.')));
    }
    name
}

fn died(died: &Died) -> String {
    match died {
        Died::On(date) => date.parse().map_or_else(|_| date.clone(), show_partial),
        Died::DateUnknown => "Date not known".to_owned(),
    }
}

fn banner_flag(flag: &str) -> Option<BannerFlag> {
    match flag {
        FLAG_DECEASED => Some(BannerFlag::Deceased),
        FLAG_LEFT => Some(BannerFlag::Left),
        FLAG_SENSITIVE => Some(BannerFlag::Sensitive),
        _ => None,
    }
}

/// Says that a sensitive patient's whereabouts are withheld, where the source has withheld them.
fn withheld(row: &DirectoryRow, lines: Vec<String>) -> Vec<String> {
    let is_sensitive = row.flags.iter().any(|flag| flag == FLAG_SENSITIVE);
    if lines.is_empty() && is_sensitive { vec!["Details withheld".to_owned()] } else { lines }
}

fn flag_words(flag: &str) -> String {
    banner_flag(flag).map_or_else(|| capitalised(flag), |flag| flag.words().to_owned())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
