//! The words of all patients, sorted, with who has each.

use std::collections::HashMap;

/// Words and, for each, the patients who have it, as places in the index.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    words: Vec<Box<str>>,
    /// Where the patients of each word begin in `places`; one more than there are words.
    starts: Vec<u32>,
    places: Vec<u32>,
}

/// Words in the gathering.
#[derive(Debug, Default)]
pub(crate) struct Gathering(HashMap<Box<str>, Vec<u32>>);

impl Gathering {
    /// Notes that the patient at `place` has `word`.
    pub(crate) fn add(&mut self, word: &str, place: u32) {
        let places = match self.0.get_mut(word) {
            Some(places) => places,
            None => self.0.entry(word.into()).or_default(),
        };
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    /// Sorts what was gathered.
    pub(crate) fn finish(self) -> Vocabulary {
        let mut gathered: Vec<(Box<str>, Vec<u32>)> = self.0.into_iter().collect();
        gathered.sort_unstable();
        let mut vocabulary = Vocabulary::default();
        vocabulary.words.reserve_exact(gathered.len());
        for (word, places) in gathered {
            vocabulary.words.push(word);
            vocabulary.starts.push(u32::try_from(vocabulary.places.len()).unwrap_or(u32::MAX));
            vocabulary.places.extend(places);
        }
        vocabulary.starts.push(u32::try_from(vocabulary.places.len()).unwrap_or(u32::MAX));
        vocabulary.places.shrink_to_fit();
        vocabulary
    }
}

impl Vocabulary {
    /// Returns the words that begin with `prefix`, as numbers.
    pub(crate) fn beginning_with(&self, prefix: &str) -> std::ops::Range<usize> {
        let begin = self.words.partition_point(|word| **word < *prefix);
        let length = self.words[begin..].partition_point(|word| word.starts_with(prefix));
        begin..begin + length
    }

    /// Returns the words for which `is_wanted` holds, as numbers.
    pub(crate) fn matching<'s>(
        &'s self,
        is_wanted: impl Fn(&str) -> bool + 's,
    ) -> impl Iterator<Item = usize> + 's {
        self.words.iter().enumerate().filter(move |(_, word)| is_wanted(word)).map(|(at, _)| at)
    }

    /// Returns the text of a word.
    pub(crate) fn word(&self, at: usize) -> &str {
        &self.words[at]
    }

    /// Returns the patients who have a word.
    pub(crate) fn places(&self, at: usize) -> &[u32] {
        let bounds = (self.starts.get(at), self.starts.get(at + 1));
        match bounds {
            (Some(begin), Some(end)) => self.places.get(*begin as usize..*end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}
