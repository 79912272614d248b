//! The list of people who can open the copies: public keys with names, roles and dates.
//!
//! It is a file of its own beside the configuration, because `lifeboat recipients` and `lifeboat kit` rewrite
//! it. Nothing in it is secret. The next snapshot after a change begins a new epoch.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use lifeboat_format::Recipient;
use lifeboat_replica::durable::{self, DurableError};
use serde::Serialize;
use toml::de::DeTable;

use super::problem::Problem;
use super::section::{Findings, Section};

/// Recipients of one site at most.
const RECIPIENTS_MAX: usize = 200;

/// Largest list that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// One person, or one office safe, that can open the copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecipientEntry {
    /// How the list calls them; unique.
    pub name: String,
    /// What they are to the practice.
    pub role: Option<String>,
    /// Their public key, `age1…`.
    pub key: String,
    /// The day they were added.
    pub added: Option<String>,
}

/// The list with the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientList {
    path: PathBuf,
    entries: Vec<RecipientEntry>,
}

/// Why the list cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum RecipientsError {
    /// The file could not be read.
    #[error("cannot read the list of recipients {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file could not be written.
    #[error("cannot write the list of recipients {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DurableError,
    },
    /// The file is too large to be a list of recipients.
    #[error("the list of recipients {path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("the list of recipients {path} is not TOML, line {line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Entries are wrong.
    #[error("the list of recipients {path} has {} wrong\n{}", super::count(problems.len()), super::list(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
    /// The list is empty.
    #[error("the list of recipients {path} is empty: nobody could open a snapshot")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The name is taken.
    #[error("there is already a recipient named `{name}`")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The key is in the list under another name.
    #[error("this key is already in the list, as `{name}`")]
    KeyTaken {
        /// The name that has it.
        name: String,
    },
    /// Nobody has this name.
    #[error("there is no recipient named `{name}`")]
    NoSuchName {
        /// The name.
        name: String,
    },
    /// Removing this one would leave nobody.
    #[error("`{name}` is the last recipient: nobody could open a snapshot without them")]
    LastOne {
        /// The name.
        name: String,
    },
    /// The list is full.
    #[error("there can be {RECIPIENTS_MAX} recipients at most")]
    Full,
    /// The key is not an age public key.
    #[error("the key of `{name}` is not an age public key (age1…)")]
    NotAKey {
        /// The name.
        name: String,
    },
    /// The name cannot be used.
    #[error("a recipient's name is 1 to 64 letters, digits, spaces and . _ @ -")]
    NotAName,
}

impl RecipientList {
    /// Begins an empty list that will stand at `path`.
    pub fn empty(path: &Path) -> Self {
        RecipientList { path: path.to_owned(), entries: Vec::new() }
    }

    /// Reads the list at `path`.
    pub fn load(path: &Path) -> Result<Self, RecipientsError> {
        let read = |source| RecipientsError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
            return Err(RecipientsError::TooLarge { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        parse(&text, path)
    }

    /// Returns the entries in the order of the file.
    pub fn entries(&self) -> &[RecipientEntry] {
        &self.entries
    }

    /// Returns the keys to seal to; an empty list is an error.
    pub fn recipients(&self) -> Result<Vec<Recipient>, RecipientsError> {
        if self.entries.is_empty() {
            return Err(RecipientsError::Empty { path: self.path.clone() });
        }
        self.entries.iter().map(parse_key).collect()
    }

    /// Adds `entry`; its name and its key must be new.
    pub fn add(&mut self, entry: RecipientEntry) -> Result<(), RecipientsError> {
        if !is_name(&entry.name) {
            return Err(RecipientsError::NotAName);
        }
        parse_key(&entry)?;
        if self.entries.len() >= RECIPIENTS_MAX {
            return Err(RecipientsError::Full);
        }
        if self.entries.iter().any(|other| other.name == entry.name) {
            return Err(RecipientsError::NameTaken { name: entry.name });
        }
        if let Some(other) = self.entries.iter().find(|other| other.key == entry.key) {
            return Err(RecipientsError::KeyTaken { name: other.name.clone() });
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Takes the recipient `name` out of the list; the last one stays.
    pub fn remove(&mut self, name: &str) -> Result<RecipientEntry, RecipientsError> {
        let name = name.to_owned();
        let Some(place) = self.entries.iter().position(|entry| entry.name == name) else {
            return Err(RecipientsError::NoSuchName { name });
        };
        if self.entries.len() == 1 {
            return Err(RecipientsError::LastOne { name });
        }
        Ok(self.entries.remove(place))
    }

    /// Writes the list durably to its file.
    pub fn save(&self) -> Result<(), RecipientsError> {
        durable::replace(&self.path, self.to_text().as_bytes())
            .map_err(|source| RecipientsError::Write { path: self.path.clone(), source })
    }

    fn to_text(&self) -> String {
        let mut text = String::from(
            "# Who can open this site's copies. Public keys only; kept by `lifeboat recipients`.\n",
        );
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        for entry in &self.entries {
            text.push_str("\n[[recipient]]\n");
            text.push_str(&format!("name = {}\n", quoted(&entry.name)));
            if let Some(role) = &entry.role {
                text.push_str(&format!("role = {}\n", quoted(role)));
            }
            text.push_str(&format!("key = {}\n", quoted(&entry.key)));
            if let Some(added) = &entry.added {
                text.push_str(&format!("added = {}\n", quoted(added)));
            }
        }
        text
    }
}

fn parse_key(entry: &RecipientEntry) -> Result<Recipient, RecipientsError> {
    entry.key.parse().map_err(|_| RecipientsError::NotAKey { name: entry.name.clone() })
}

fn is_name(name: &str) -> bool {
    let count = name.chars().count();
    let allowed = |c: char| c.is_alphanumeric() || " ._@-".contains(c);
    (1..=64).contains(&count) && name.trim() == name && name.chars().all(allowed)
}

fn parse(text: &str, path: &Path) -> Result<RecipientList, RecipientsError> {
    let findings = Findings::new(text);
    let table = DeTable::parse(text).map_err(|error| RecipientsError::Syntax {
        path: path.to_owned(),
        line: findings.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut list = RecipientList::empty(path);
    let root = Section::root(&findings, table.get_ref());
    for section in root.sections("recipient") {
        let name = section.required_text("name");
        let role = section.text("role");
        let key = section.required_text("key");
        let added = section.text("added");
        if let Some(added) = &added
            && added.parse::<Date>().is_err()
        {
            section.invalid("added", "write a date such as \"2026-11-21\"".to_owned());
        }
        if let (Some(name), Some(key)) = (name, key) {
            let entry = RecipientEntry { name, role, key, added };
            if let Err(error) = list.add(entry) {
                section.invalid("key", error.to_string());
            }
        }
        section.finish();
    }
    root.finish();
    let problems = findings.into_problems();
    if problems.is_empty() {
        Ok(list)
    } else {
        Err(RecipientsError::Invalid { path: path.to_owned(), problems })
    }
}
