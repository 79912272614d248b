//! What can be wrong with a configuration, said so that a person can put it right.

use std::fmt;

/// One thing that is wrong with a configuration file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; absent when something is missing altogether.
    pub line: Option<usize>,
    /// The setting with its section, such as `snapshot.interval`.
    pub key: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No setting has this name.
    Unknown {
        /// The known name that is most like it.
        nearest: Option<String>,
    },
    /// A setting without a default is not there.
    Missing,
    /// The value has another type than the setting.
    WrongType {
        /// What the setting takes, in words.
        expected: &'static str,
    },
    /// The value lies outside of its limits.
    OutOfLimits {
        /// The limits, in words.
        limits: String,
    },
    /// The value cannot be understood; the text says why.
    Invalid(String),
    /// A secret stands in the file itself.
    LiteralSecret,
    /// A secret is given in more than one way.
    SeveralSources,
    /// Two entries have the same name.
    Duplicate(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let key = &self.key;
        match &self.reason {
            Reason::Unknown { nearest: None } => write!(f, "`{key}` is not a setting"),
            Reason::Unknown { nearest: Some(nearest) } => {
                write!(f, "`{key}` is not a setting; did you mean `{nearest}`?")
            }
            Reason::Missing => write!(f, "`{key}` is missing"),
            Reason::WrongType { expected } => write!(f, "`{key}` must be {expected}"),
            Reason::OutOfLimits { limits } => write!(f, "`{key}` must be {limits}"),
            Reason::Invalid(why) => write!(f, "`{key}` is not valid: {why}"),
            Reason::LiteralSecret => write!(
                f,
                "`{key}` is a secret and does not belong in this file; put it into a file of its own and \
                 write `{key}_file`, or use `{key}_env` or `{key}_credential`"
            ),
            Reason::SeveralSources => write!(
                f,
                "`{key}` is given in more than one way; keep one of `{key}_file`, `{key}_env` and \
                 `{key}_credential`"
            ),
            Reason::Duplicate(name) => write!(f, "`{key}` has two entries named `{name}`"),
        }
    }
}

/// Returns the candidate most like `word`, when one is like it at all.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 2).max(2);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts the letters to insert, remove or replace to make `left` into `right`.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let replace = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbour_and_a_strange_one_finds_none() {
        let names = ["interval", "expected_by", "threads"];
        for (word, expected) in [
            ("intervall", Some("interval")),
            ("expected-by", Some("expected_by")),
            ("thread", Some("threads")),
            ("zzzzzzzz", None),
        ] {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }
}
