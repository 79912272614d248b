//! A document in the making, and what every part of it needs: dates, names of people, and words for options.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tables::{CONFIGURED_LIST_OPTION, MAPPING, ORGANISATION, STAFF_MEMBER, STAFF_MEMBER_PROFILE};
use super::{FEED, says_yes};
use crate::dates;
use crate::feed::{self, Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{Document, named};
use crate::rows::RowRef;

/// What the addresses of extensions of this feed begin with.
const EXTENSION: &str = "urn:lifeboat:tpp:";

/// The longest id that FHIR allows.
const ID_BYTES_MAX: usize = 64;

/// A document in the making, and what could not be mapped.
pub(super) struct Draft<'a> {
    pub(super) document: Document,
    mapping: &'a Mapping<'a>,
    problems: BTreeSet<Problem>,
}

/// When something happened, as FHIR writes it, or what stands there instead.
#[derive(Clone, Default)]
pub(super) struct When {
    pub(super) fhir: Option<String>,
    /// A date that is none, as it was written.
    pub(super) unread: Option<String>,
}

impl<'a> Draft<'a> {
    /// Begins a document.
    pub(super) fn new(document: Document, mapping: &'a Mapping<'a>) -> Self {
        Self { document, mapping, problems: BTreeSet::new() }
    }

    /// Ends the document.
    pub(super) fn finish(self) -> Mapped {
        Mapped { document: Some(self.document.finish()), problems: self.problems.into_iter().collect() }
    }

    /// Notes what could not be mapped, once.
    pub(super) fn flaw(&mut self, table: &str, column: &str, reason: Reason) {
        self.problems.insert(Problem::at(format!("{table}.{column}"), reason));
    }

    /// Returns a row that others look up.
    pub(super) fn shared(&self, table: &str, key: &str) -> Option<RowRef<'a>> {
        self.mapping.shared.row(table, key)
    }

    /// Reads a date, with its time where one is known: SystmOne writes midnight for a time that is not. What is no date
    /// is a problem and is kept as it was written.
    pub(super) fn when(&mut self, table: &str, row: RowRef<'_>, column: &str) -> When {
        let Some(written) = row.text(column) else { return When::default() };
        match dates::date_and_time(written) {
            Some((date, time)) => {
                let clock = time.filter(|time| *time != jiff::civil::Time::midnight());
                let fhir =
                    clock.map_or_else(|| date.to_string(), |clock| dates::local_date_time(date, clock));
                When { fhir: Some(fhir), unread: None }
            }
            None => {
                self.flaw(table, column, Reason::NotADate);
                When { fhir: None, unread: Some(format!("{column} as written: {written}")) }
            }
        }
    }

    /// Returns who did it, as a reference by name: the text that the row holds, or the member of staff.
    pub(super) fn done_by(&self, row: RowRef<'_>) -> Option<Value> {
        let member = || self.member(number(row, "IDDoneBy")?);
        let name = row.text("TextualEventDoneBy").map(str::to_owned).or_else(member)?;
        Some(named(&name))
    }

    /// Returns who did it, or failing that who entered it.
    pub(super) fn recorded_by(&self, row: RowRef<'_>) -> Option<Value> {
        self.done_by(row).or_else(|| Some(named(&self.profile(row, "IDProfileEnteredBy")?)))
    }

    /// Returns the name of a member of staff.
    pub(super) fn member(&self, id: &str) -> Option<String> {
        Some(self.shared(STAFF_MEMBER, id)?.text("StaffName")?.to_owned())
    }

    /// Returns the name of the member of staff whose profile a column names.
    pub(super) fn profile(&self, row: RowRef<'_>, column: &str) -> Option<String> {
        let profile = self.shared(STAFF_MEMBER_PROFILE, number(row, column)?)?;
        self.member(number(profile, "IDStaffMember")?)
    }

    /// Returns the name of the organisation whose ODS code a column holds, or the code.
    pub(super) fn organisation(&self, row: RowRef<'_>, column: &str) -> Option<String> {
        let code = row.text(column).filter(|code| !code.starts_with('-'))?;
        let name = self.shared(ORGANISATION, code).and_then(|organisation| organisation.text("Name"));
        Some(name.unwrap_or(code).to_owned())
    }

    /// Returns a value in words. Where the column holds the number of an option, that is looked up in the list that the
    /// column belongs to and in no other, for the same number means another thing there.
    pub(super) fn words(&mut self, table: &str, row: RowRef<'_>, column: &str) -> Option<String> {
        let value = row.text(column)?;
        let spec = feed::table(&FEED, table)?;
        let list = spec.columns.get(spec.column(column)?)?.looks_up;
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let (Some(list), true) = (list, is_number) else { return Some(value.to_owned()) };
        let name = match list {
            MAPPING => "Mapping",
            CONFIGURED_LIST_OPTION => "ConfiguredListOption",
            _ => return Some(value.to_owned()),
        };
        if let Some(words) = self.shared(list, value).and_then(|option| option.text(name)) {
            return Some(words.to_owned());
        }
        number(row, column)?;
        self.flaw(table, column, Reason::Unresolved);
        Some(format!("option {value} (name not in extract)"))
    }
}

/// Returns the number of another row; SystmOne writes `-1` for none.
pub(super) fn number<'r>(row: RowRef<'r>, column: &str) -> Option<&'r str> {
    row.text(column).filter(|text| *text != "0" && !text.starts_with('-'))
}

/// Says what a column that holds yes or no says; `None` if it says neither, or is not there.
pub(super) fn flag(row: RowRef<'_>, column: &str) -> Option<bool> {
    row.text(column).map(says_yes)
}

/// Returns a text as the id of a FHIR resource.
pub(super) fn fhir_id(prefix: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if prefix.len() + name.len() <= ID_BYTES_MAX && name.chars().all(fits) {
        return format!("{prefix}{name}");
    }
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{hash}")
}

/// Returns the id of the resource that a row becomes.
pub(super) fn record_id(kind: &str, row: RowRef<'_>) -> String {
    fhir_id(&format!("{kind}-"), row.key())
}

/// Returns an extension that is told under its name.
pub(super) fn said(name: &str, text: impl Into<String>) -> Value {
    json!({"url": format!("{EXTENSION}{name}"), "valueString": text.into()})
}

/// Returns an extension with a date.
pub(super) fn said_on(name: &str, date: &str) -> Value {
    json!({"url": format!("{EXTENSION}{name}"), "valueDateTime": date})
}
