//! Directory rows: what a person is found by.

use super::locator::LocatorChange;
use crate::ids::RecordKey;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The largest directory row, as JSON.
pub const DIRECTORY_ROW_BYTES_MAX: usize = 16 * 1024;

/// What is known about a death.
#[derive(Clone, PartialEq, Eq, Zeroize)]
pub enum Died {
    /// The person died on this date, as precisely as it is known.
    On(String),
    /// The person died; the date is not known.
    DateUnknown,
}

impl Serialize for Died {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::On(date) => serializer.serialize_str(date),
            Self::DateUnknown => serializer.serialize_bool(true),
        }
    }
}

impl<'de> Deserialize<'de> for Died {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            On(String),
            Flag(bool),
        }
        match Stored::deserialize(deserializer)? {
            Stored::On(date) => Ok(Self::On(date)),
            Stored::Flag(true) => Ok(Self::DateUnknown),
            Stored::Flag(false) => Err(serde::de::Error::custom("expected a date or true")),
        }
    }
}

/// What one patient is found by: never shown in debug output, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct DirectoryRow {
    /// The patient's record.
    #[serde(rename = "k")]
    #[zeroize(skip)]
    pub key: RecordKey,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The given names, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The name by which the patient likes to be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<String>,
    /// The date of birth, `yyyy[-mm[-dd]]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<String>,
    /// What is known about the patient's death.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<Died>,
    /// The administrative gender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// The NHS number, ten digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs: Option<String>,
    /// How far the NHS number was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nhs_status: Option<String>,
    /// Telephone numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<String>,
    /// The lines of the address, without the postcode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// The postcode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postcode: Option<String>,
    /// The usual GP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gp: Option<String>,
    /// Flags such as `deceased`, `left` and `sensitive`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Other identifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<String>,
}

impl DirectoryRow {
    /// Returns a row that says nothing but which record it is about.
    pub const fn new(key: RecordKey) -> Self {
        Self {
            key,
            family: None,
            given: Vec::new(),
            title: None,
            preferred: None,
            born: None,
            died: None,
            gender: None,
            nhs: None,
            nhs_status: None,
            phones: Vec::new(),
            address: Vec::new(),
            postcode: None,
            gp: None,
            flags: Vec::new(),
            other: Vec::new(),
        }
    }

    /// Returns the name by which the row is sorted.
    pub fn sort_name(&self) -> String {
        sort_name(self.family.as_deref().unwrap_or_default(), &self.given)
    }

    /// Shortens an absurdly long row until it fits [`DIRECTORY_ROW_BYTES_MAX`], and says whether it had to.
    ///
    /// The row is only what a person is found by; the record itself stays whole.
    pub fn clip(&mut self) -> bool {
        let fits =
            |row: &Self| serde_json::to_vec(row).is_ok_and(|line| line.len() <= DIRECTORY_ROW_BYTES_MAX);
        if fits(self) {
            return false;
        }
        for list in [&mut self.other, &mut self.phones, &mut self.address, &mut self.given, &mut self.flags] {
            list.truncate(8);
            list.iter_mut().for_each(|text| clip_text(text, 64));
        }
        let texts =
            [&mut self.family, &mut self.title, &mut self.preferred, &mut self.born, &mut self.gender];
        let more = [&mut self.nhs, &mut self.nhs_status, &mut self.postcode, &mut self.gp];
        texts.into_iter().chain(more).flatten().for_each(|text| clip_text(text, 128));
        if let Some(Died::On(date)) = &mut self.died {
            clip_text(date, 32);
        }
        true
    }
}

/// Cuts a text to a number of characters.
fn clip_text(text: &mut String, characters: usize) {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
}

impl fmt::Debug for DirectoryRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DirectoryRow({}, redacted)", self.key)
    }
}

/// What an index object says about the whole snapshot and its directory parts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct DirectoryRoot {
    /// For each directory part, a text that is not before the last name of the part before it and not after its
    /// own first name.
    pub fences: Vec<String>,
    /// The dates of which the snapshot holds a day list.
    #[zeroize(skip)]
    pub days: Vec<Date>,
    /// How many patients the snapshot holds.
    pub patients: u64,
}

impl fmt::Debug for DirectoryRoot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "DirectoryRoot({} parts, {} days, {} patients, redacted)",
            self.fences.len(),
            self.days.len(),
            self.patients
        )
    }
}

/// Returns the name by which directory rows are sorted: family name, a space, given names, folded.
pub fn sort_name(family: &str, given: &[String]) -> String {
    let mut folded = fold(family);
    for name in given {
        folded.push(' ');
        folded.push_str(&fold(name));
    }
    folded
}

/// Folds a name: compatibility decomposition, marks dropped, lower case, one space for anything that is neither
/// letter nor digit.
fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    let letters = name.nfkd().filter(|character| !is_combining_mark(*character));
    for character in letters.flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            folded.push(character);
        } else if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Lays the delta's directory over the base's, sorted by name and key.
///
/// The delta's directory has a row for every patient that its locator puts, so whatever its locator mentions is
/// taken from the delta or gone.
pub fn merge_directory(
    base: impl IntoIterator<Item = DirectoryRow>,
    delta: impl IntoIterator<Item = DirectoryRow>,
    delta_locators: &[LocatorChange],
) -> Vec<DirectoryRow> {
    let changed: HashSet<RecordKey> = delta_locators.iter().map(LocatorChange::key).collect();
    let mut rows: Vec<DirectoryRow> =
        base.into_iter().filter(|row| !changed.contains(&row.key)).chain(delta).collect();
    rows.sort_by_cached_key(|row| (row.sort_name(), row.key));
    rows
}
