//! Reads one section of a TOML file setting by setting, and collects everything that is wrong.
//!
//! Every name that the program asks for becomes a known name; whatever else stands in the section is a
//! problem with the nearest known name beside it. So the list of settings is the code that reads them.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Reason, nearest};
use super::units::{format_duration, parse_duration};
use crate::keys::SecretSource;

/// Collects problems while a file is read and knows where its lines begin.
pub(super) struct Findings<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Findings { text, problems: RefCell::new(Vec::new()) }
    }

    /// Returns the line, from 1, on which byte `offset` lies.
    pub(super) fn line(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        self.text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn add(&self, line: Option<usize>, key: String, reason: Reason) {
        self.problems.borrow_mut().push(Problem { line, key, reason });
    }

    /// Returns the problems in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        problems
    }
}

/// One table of the file, or the place where it would be.
pub(super) struct Section<'a> {
    findings: &'a Findings<'a>,
    /// Dotted path of the section; empty for the whole file.
    path: String,
    table: Option<&'a DeTable<'a>>,
    line: Option<usize>,
    known: RefCell<Vec<String>>,
}

impl<'a> Section<'a> {
    /// Begins with the whole file.
    pub(super) fn root(findings: &'a Findings<'a>, table: &'a DeTable<'a>) -> Self {
        Section { findings, path: String::new(), table: Some(table), line: None, known: RefCell::default() }
    }

    /// Opens the section `name`; one that is absent reads as empty.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        let value = self.value(name);
        let table = match value.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => {
                self.wrong_type(name, value, "a section");
                None
            }
            None => None,
        };
        self.child(name.to_owned(), table, value)
    }

    /// Opens every section of the array of sections `name`.
    pub(super) fn sections(&self, name: &str) -> Vec<Section<'a>> {
        let value = self.value(name);
        let Some(spanned) = value else {
            return Vec::new();
        };
        let DeValue::Array(entries) = spanned.get_ref() else {
            self.wrong_type(name, value, "sections in double brackets");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for entry in entries.iter() {
            match entry.get_ref() {
                DeValue::Table(table) => {
                    sections.push(self.child(name.to_owned(), Some(table), Some(entry)));
                }
                _ => self.wrong_type(name, Some(entry), "sections in double brackets"),
            }
        }
        sections
    }

    fn child(
        &self,
        name: String,
        table: Option<&'a DeTable<'a>>,
        value: Option<&'a Spanned<DeValue<'a>>>,
    ) -> Section<'a> {
        Section {
            findings: self.findings,
            path: self.key(&name),
            table,
            line: value.map(|value| self.findings.line(value.span().start)),
            known: RefCell::default(),
        }
    }

    /// Reads a text that may be absent.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(name, Some(value), "a text in quotes");
                None
            }
        }
    }

    /// Reads a list of texts that may be absent.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let value = self.value(name)?;
        let texts = match value.get_ref() {
            DeValue::Array(entries) => entries
                .iter()
                .map(|entry| match entry.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.wrong_type(name, Some(value), "a list of texts in quotes");
        }
        texts
    }

    /// Reads a text that must be there and not be empty.
    pub(super) fn required_text(&self, name: &str) -> Option<String> {
        if self.value(name).is_none() {
            self.findings.add(self.line, self.key(name), Reason::Missing);
            return None;
        }
        let text = self.text(name)?;
        if text.trim().is_empty() {
            self.invalid(name, "it is empty".to_owned());
            return None;
        }
        Some(text)
    }

    /// Reads a text and parses it as `T`; the error of the parse is the reason shown.
    pub(super) fn parsed<T>(&self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.required_text(name)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.invalid(name, error.to_string());
                None
            }
        }
    }

    /// Reads and parses a text that may be absent.
    pub(super) fn optional<T>(&self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.lookup(name).and_then(|_| self.parsed(name)).or_else(|| {
            self.known.borrow_mut().push(name.to_owned());
            None
        })
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else {
            return default;
        };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => *value,
            None => {
                let words: Vec<String> = choices.iter().map(|(w, _)| format!("\"{w}\"")).collect();
                let limits = format!("one of {}", words.join(", "));
                self.out_of_limits(name, limits);
                default
            }
        }
    }

    /// Reads a duration such as `"5m"` within its limits.
    pub(super) fn duration(
        &self,
        name: &str,
        default: Duration,
        limits: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(name) else {
            return default;
        };
        match parse_duration(&text) {
            None => {
                self.invalid(name, "write a duration such as \"30s\", \"5m\" or \"1h\"".to_owned());
                default
            }
            Some(duration) if !limits.contains(&duration) => {
                let (least, most) = (format_duration(*limits.start()), format_duration(*limits.end()));
                self.out_of_limits(name, format!("from {least} to {most}"));
                default
            }
            Some(duration) => duration,
        }
    }

    /// Reads a whole number within its limits, when it is there.
    pub(super) fn number(&self, name: &str, limits: RangeInclusive<u32>) -> Option<u32> {
        let value = self.value(name)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(name, Some(value), "a whole number");
            return None;
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.filter(|number| limits.contains(number)) {
            Some(number) => Some(number),
            None => {
                self.out_of_limits(name, format!("from {} to {}", limits.start(), limits.end()));
                None
            }
        }
    }

    /// Reads `true` or `false`, when it is there.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong_type(name, Some(value), "true or false");
                None
            }
        }
    }

    /// Reads where the secret `name` comes from: `name_file`, `name_env` or `name_credential`.
    pub(super) fn secret(&self, name: &str) -> Option<SecretSource> {
        if let Some(literal) = self.lookup(name) {
            let line = Some(self.findings.line(literal.span().start));
            self.findings.add(line, self.key(name), Reason::LiteralSecret);
            self.known.borrow_mut().push(name.to_owned());
        }
        let file = self.text(&format!("{name}_file"));
        let variable = self.text(&format!("{name}_env"));
        let credential = self.text(&format!("{name}_credential"));
        match (file, variable, credential) {
            (None, None, None) => None,
            (Some(file), None, None) => Some(SecretSource::File(PathBuf::from(file))),
            (None, Some(variable), None) => Some(SecretSource::Environment(variable)),
            (None, None, Some(credential)) => Some(SecretSource::Credential(credential)),
            _ => {
                self.findings.add(self.line, self.key(name), Reason::SeveralSources);
                None
            }
        }
    }

    /// Says that the value of `name` cannot be used, and why.
    pub(super) fn invalid(&self, name: &str, why: String) {
        let line = self.line_of(name);
        self.findings.add(line, self.key(name), Reason::Invalid(why));
    }

    /// Says that `name` is missing.
    pub(super) fn missing(&self, name: &str) {
        self.findings.add(self.line, self.key(name), Reason::Missing);
    }

    /// Says that two entries are named `text`.
    pub(super) fn duplicate(&self, name: &str, text: &str) {
        let line = self.line_of(name);
        self.findings.add(line, self.key(name), Reason::Duplicate(text.to_owned()));
    }

    /// Ends the section: every name that was not asked for is a problem.
    pub(super) fn finish(self) {
        let Some(table) = self.table else {
            return;
        };
        let known = self.known.borrow();
        for (key, _) in table.iter() {
            let name = key.get_ref().as_ref();
            if known.iter().any(|known| known == name) {
                continue;
            }
            let line = Some(self.findings.line(key.span().start));
            let nearest = nearest(name, known.iter().map(String::as_str));
            let nearest = nearest.map(|nearest| self.key(nearest));
            self.findings.add(line, self.key(name), Reason::Unknown { nearest });
        }
    }

    fn value(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.borrow_mut().push(name.to_owned());
        self.lookup(name)
    }

    fn lookup(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.iter().find(|(key, _)| key.get_ref().as_ref() == name).map(|(_, value)| value)
    }

    fn line_of(&self, name: &str) -> Option<usize> {
        self.lookup(name).map(|value| self.findings.line(value.span().start)).or(self.line)
    }

    fn wrong_type(&self, name: &str, value: Option<&Spanned<DeValue<'_>>>, expected: &'static str) {
        let line = value.map(|value| self.findings.line(value.span().start));
        self.findings.add(line, self.key(name), Reason::WrongType { expected });
    }

    fn out_of_limits(&self, name: &str, limits: String) {
        let line = self.line_of(name);
        self.findings.add(line, self.key(name), Reason::OutOfLimits { limits });
    }

    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
