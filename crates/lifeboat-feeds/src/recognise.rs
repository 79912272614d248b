//! Finds out which format a source is in, with the evidence for it, and never guesses.
//!
//! Names decide first, since the great extracts have unmistakable ones; then what a file begins with: JSON and XML by
//! their own words, tables by the set of their columns, tables without a header by their width. A source in which files
//! of several formats lie, or one that fits two formats equally well, is not recognised, and the reason says so. The
//! evidence holds counts and names of files, never what is in them; documents are not even named, since people name those
//! after patients.

mod json;
mod names;
mod tables;
mod xml;

pub(crate) use self::names::is_hidden;
pub use self::names::is_impersonal;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use serde::Serialize;

use crate::archive::{ArchiveLimits, Container, container, encrypted_by_name, unpack};
use crate::batch::{FileFacts, ReadHead};
use crate::feed::TableFeed;
use crate::format::Format;
use crate::table::After;

/// What a source is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognition {
    /// The format, or why it is not known.
    pub format: Result<Format, NotRecognised>,
    /// What speaks for it, and what else was found.
    pub evidence: Vec<Evidence>,
    /// How many files are encrypted, so that they can be recognised and not read.
    pub encrypted: u64,
}

/// Why a format is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotRecognised {
    /// Nothing fits.
    #[error("no file here is of a format that is read")]
    None,
    /// Files fit these formats equally well.
    #[error("the files fit {} equally well; say in the settings which it is", list(.0))]
    Tie(Vec<Format>),
    /// There are files of each of these formats.
    #[error("there are files of several formats here ({}); give each format a source of its own", list(.0))]
    Mixed(Vec<Format>),
}

fn list(formats: &[Format]) -> String {
    let titles: Vec<&str> = formats.iter().map(|format| format.title()).collect();
    titles.join(" and ")
}

/// Something that was found, and in how many files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The format for which it speaks, if for one.
    pub format: Option<Format>,
    /// What was found.
    pub what: String,
    /// In how many files.
    pub files: u64,
    /// The names of some of them, where their kind is not one that is named after patients.
    pub examples: Vec<String>,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.files == 1 { "file" } else { "files" };
        write!(f, "{} {plural}: {}", self.files, self.what)?;
        match self.examples.as_slice() {
            [] => Ok(()),
            names if names.len() as u64 == self.files => write!(f, " ({})", names.join(", ")),
            names => write!(f, " (for instance {})", names.join(", ")),
        }
    }
}

/// What one file is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Of this format, and why.
    Of(Format, String),
    /// FHIR of which nothing says the version: R4, unless the files beside it are of another.
    Fhir(String),
    /// It fits these formats equally well.
    Tie(Vec<Format>, String),
    /// Something that is not read; what it is.
    Other(String),
}

/// How much of a file is looked at.
const HEAD_BYTES: usize = 64 << 10;

/// How many files are looked into; the names of all are looked at.
const FILES_MAX: usize = 400;

/// How many names stand for many.
const EXAMPLES_MAX: usize = 3;

/// Finds out which format the files of a source are in.
pub fn recognise(feeds: &[&dyn TableFeed], files: &[FileFacts], heads: &dyn ReadHead) -> Recognition {
    let mut tally = Tally::default();
    let mut undecided = Vec::new();
    let folders = names::systmone_folders(files);
    for (at, file) in files.iter().enumerate().filter(|(_, file)| !names::is_hidden(&file.path)) {
        let (name, encrypted) = match encrypted_by_name(file.name()) {
            Some((name, how)) => (name, Some(how)),
            None => (file.name(), None),
        };
        tally.encrypted += u64::from(encrypted.is_some());
        match (names::by_name(&file.path, name, &folders), encrypted) {
            (Some((format, what)), None) => tally.add(Kind::Of(format, what.into()), file.name()),
            (Some((format, what)), Some(how)) => {
                tally.add(Kind::Of(format, format!("{what}; {how}")), file.name());
            }
            (None, Some(how)) => tally.add(Kind::Other(how.into()), file.name()),
            (None, None) => undecided.push(at),
        }
    }
    let looked_at = undecided.len().min(FILES_MAX);
    for turn in 0..looked_at {
        let at = undecided[turn * undecided.len() / looked_at];
        let kind = by_content(feeds, &files[at], at, heads);
        tally.add(kind, files[at].name());
    }
    tally.finish(undecided.len() - looked_at)
}

/// Finds out what a file is from what it begins with.
fn by_content(feeds: &[&dyn TableFeed], file: &FileFacts, at: usize, heads: &dyn ReadHead) -> Kind {
    if file.bytes == 0 {
        return Kind::Other("is empty".to_owned());
    }
    let Ok(head) = heads.head(at, HEAD_BYTES) else {
        return Kind::Other("cannot be read".to_owned());
    };
    let after = if (head.len() as u64) < file.bytes { After::More } else { After::Nothing };
    match container(&head) {
        Container::Plain => by_text(feeds, file.name(), &head, after),
        Container::Gzip | Container::Zstd => {
            let name = file.name().rsplit_once('.').map_or(file.name(), |(name, _)| name);
            let (text, after) = unpack_head(&head);
            by_text(feeds, name, &text, after)
        }
        Container::Zip => Kind::Other("is a zip archive that could not be looked into".to_owned()),
        Container::Foreign(what) => Kind::Other(what.to_owned()),
    }
}

/// Returns the text with which a file begins, unpacked if it is packed; `None` if it is no text.
pub(crate) fn text_head(heads: &dyn ReadHead, at: usize) -> Option<Vec<u8>> {
    let head = heads.head(at, HEAD_BYTES).ok()?;
    match container(&head) {
        Container::Plain => Some(head),
        Container::Gzip | Container::Zstd => Some(unpack_head(&head).0),
        Container::Zip | Container::Foreign(_) => None,
    }
}

/// Unpacks as much as a head gives.
fn unpack_head(head: &[u8]) -> (Vec<u8>, After) {
    let mut text = Vec::new();
    let mut after = After::More;
    if let Ok(unpacked) = unpack(head, ArchiveLimits::default()) {
        let mut limited = unpacked.take(HEAD_BYTES as u64);
        let mut part = [0; 4096];
        loop {
            match limited.read(&mut part) {
                Ok(0) => {
                    if text.len() < HEAD_BYTES {
                        after = After::Nothing;
                    }
                    break;
                }
                Ok(count) => text.extend_from_slice(&part[..count]),
                Err(_) => break,
            }
        }
    }
    (text, after)
}

fn by_text(feeds: &[&dyn TableFeed], name: &str, head: &[u8], after: After) -> Kind {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match text.trim_ascii_start().first() {
        None => Kind::Other("holds nothing but space".to_owned()),
        Some(b'{' | b'[') => json::kind(text),
        Some(b'<') => xml::kind(text),
        Some(_) if text.contains(&0) => Kind::Other("is not text".to_owned()),
        Some(_) => tables::kind(feeds, name, text, after),
    }
}

/// What was found, counted.
#[derive(Default)]
struct Tally {
    found: BTreeMap<(Option<Format>, String), (u64, Vec<String>)>,
    formats: BTreeMap<Format, u64>,
    ties: Vec<Vec<Format>>,
    any_fhir: bool,
    encrypted: u64,
}

impl Tally {
    fn add(&mut self, kind: Kind, name: &str) {
        let (format, what) = match kind {
            Kind::Of(format, what) => {
                *self.formats.entry(format).or_default() += 1;
                (Some(format), what)
            }
            Kind::Fhir(what) => {
                self.any_fhir = true;
                (None, what)
            }
            Kind::Tie(formats, what) => {
                if !self.ties.contains(&formats) {
                    self.ties.push(formats);
                }
                (None, what)
            }
            Kind::Other(what) => (None, what),
        };
        let (count, examples) = self.found.entry((format, what)).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX && names::is_impersonal(name) {
            examples.push(name.to_owned());
        }
    }

    fn finish(mut self, not_looked_at: usize) -> Recognition {
        if self.any_fhir && !self.formats.contains_key(&Format::GpConnect) {
            self.formats.insert(Format::FhirR4, 1);
        }
        let formats: Vec<Format> = self.formats.keys().copied().collect();
        let format = match formats.as_slice() {
            [] if self.ties.is_empty() => Err(NotRecognised::None),
            [] => {
                let mut tied: Vec<Format> = self.ties.into_iter().flatten().collect();
                tied.sort_unstable();
                tied.dedup();
                Err(NotRecognised::Tie(tied))
            }
            [one] if self.ties.iter().all(|tie| tie.contains(one)) => Ok(*one),
            [one] => {
                let tied = self.ties.into_iter().flatten();
                let mut all: Vec<Format> = tied.chain([*one]).collect();
                all.sort_unstable();
                all.dedup();
                Err(NotRecognised::Mixed(all))
            }
            _ => prevailing(&self.formats).ok_or(NotRecognised::Mixed(formats)),
        };
        let found = self.found.into_iter();
        let mut evidence: Vec<Evidence> = found
            .map(|((format, what), (files, examples))| Evidence { format, what, files, examples })
            .collect();
        evidence.sort_by_key(|evidence| (evidence.format.is_none(), std::cmp::Reverse(evidence.files)));
        if not_looked_at > 0 {
            let what = "not looked into, since there are many".to_owned();
            evidence.push(Evidence { format: None, what, files: not_looked_at as u64, examples: vec![] });
        }
        Recognition { format, evidence, encrypted: self.encrypted }
    }
}

/// Of a hundred files in the formats of documents, so many must be of one for the others to be strays.
const PREVAILING_PERCENT: u64 = 90;

/// The format of documents that all but a few stray ones have; the strays are reported when they are read. Tables are
/// never strays: they would be a second source.
fn prevailing(formats: &BTreeMap<Format, u64>) -> Option<Format> {
    let all: u64 = formats.values().sum();
    let (format, files) = formats.iter().max_by_key(|(_, files)| **files)?;
    let has_tables = formats.keys().any(|format| format.is_tables());
    (!has_tables && files * 100 >= all * PREVAILING_PERCENT).then_some(*format)
}

#[cfg(test)]
mod tests;
