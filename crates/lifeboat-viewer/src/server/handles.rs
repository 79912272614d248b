//! Random names, valid within one session, that stand for patients and for searches in addresses.
//!
//! An address reaches the browser's history, so it never carries a record key, a name or what was typed.

use std::collections::{HashMap, VecDeque};

use lifeboat_format::RecordKey;
use zeroize::Zeroizing;

use crate::token::{RandomError, Token};

/// Searches that can be gone back to.
const SEARCHES_KEPT_MAX: usize = 20;

/// The handles of one session.
#[derive(Debug, Default)]
pub struct Handles {
    by_key: HashMap<RecordKey, String>,
    by_handle: HashMap<String, RecordKey>,
    searches: VecDeque<(String, Query)>,
}

/// What somebody typed into the search field; wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Query(Zeroizing<String>);

impl Query {
    /// Takes what was typed.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns what was typed.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Query(..)")
    }
}

impl Handles {
    /// Returns the handle of a patient, made when it is first asked for.
    pub fn of(&mut self, key: RecordKey) -> Result<&str, RandomError> {
        if !self.by_key.contains_key(&key) {
            let handle = Token::random()?.reveal().to_owned();
            self.by_handle.insert(handle.clone(), key);
            self.by_key.insert(key, handle);
        }
        Ok(self.by_key.get(&key).map_or("", String::as_str))
    }

    /// Finds the patient that a handle stands for.
    pub fn key(&self, handle: &str) -> Option<RecordKey> {
        self.by_handle.get(handle).copied()
    }

    /// Keeps a search and returns its handle; the oldest is forgotten beyond twenty.
    pub fn keep_search(&mut self, query: Query) -> Result<String, RandomError> {
        let handle = Token::random()?.reveal().to_owned();
        if self.searches.len() == SEARCHES_KEPT_MAX {
            self.searches.pop_front();
        }
        self.searches.push_back((handle.clone(), query));
        Ok(handle)
    }

    /// Finds the search that a handle stands for.
    pub fn search(&self, handle: &str) -> Option<Query> {
        self.searches.iter().find(|(kept, _)| kept == handle).map(|(_, query)| query.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patients_handle_is_stable_within_a_session_and_tells_nothing() {
        let key = RecordKey::from_bytes([7; 16]);
        let mut handles = Handles::default();
        let handle = handles.of(key).expect("randomness").to_owned();
        assert_eq!(handles.of(key).expect("randomness"), handle);
        assert_eq!(handles.key(&handle), Some(key));
        assert_ne!(handle, key.to_string());
        assert_eq!(Handles::default().key(&handle), None);
    }

    #[test]
    fn the_oldest_search_is_forgotten() {
        let mut handles = Handles::default();
        let first = handles.keep_search(Query::new("smith".to_owned())).expect("randomness");
        for _ in 1..SEARCHES_KEPT_MAX {
            handles.keep_search(Query::new("jones".to_owned())).expect("randomness");
        }
        assert_eq!(handles.search(&first).map(|query| query.text().to_owned()).as_deref(), Some("smith"));
        handles.keep_search(Query::new("patel".to_owned())).expect("randomness");
        assert_eq!(handles.search(&first), None);
    }

    #[test]
    fn what_was_typed_is_not_printed() {
        let mut handles = Handles::default();
        handles.keep_search(Query::new("smith".to_owned())).expect("randomness");
        assert!(!format!("{handles:?}").contains("smith"));
    }
}
