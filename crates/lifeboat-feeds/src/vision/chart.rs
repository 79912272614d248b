//! A patient's document out of their rows: what all kinds of rows have in common.

use std::collections::BTreeMap;

use lifeboat_clinical::{PartialDate, SectionId as S, nhs_number};
use serde_json::{Value, json};

use super::{journal, medicines, patient, tables};
use crate::dates;
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{self, Document};
use crate::rows::{RowRef, UnitRows};

/// The code system under which codes of the British National Formulary travel.
const BNF: &str = "urn:vision:bnf";
/// What says which problem an item belongs to.
const PROBLEM: &str = "urn:lifeboat:related-problem";

/// A patient's document in the making.
pub(super) struct Chart<'a> {
    pub(super) rows: &'a UnitRows,
    pub(super) mapping: &'a Mapping<'a>,
    pub(super) document: Document,
    pub(super) problems: Vec<Problem>,
    /// The patient's rows of the journal, and of encounters, by their ids.
    journal: BTreeMap<&'a str, RowRef<'a>>,
    encounters: BTreeMap<&'a str, RowRef<'a>>,
}

/// What the rows of a journal have in common.
pub(super) struct Entry<'a> {
    pub(super) row: RowRef<'a>,
    pub(super) id: String,
    /// When it happened.
    pub(super) when: Option<String>,
    pub(super) recorded: Option<String>,
    pub(super) code: Value,
    pub(super) who: Option<Value>,
    pub(super) encounter: Value,
    pub(super) extension: Vec<Value>,
    /// What no other member says.
    pub(super) notes: Vec<String>,
}

impl Entry<'_> {
    /// Returns what people wrote, and everything else that has no place of its own.
    pub(super) fn notes(&self, text: Option<&str>) -> Value {
        r4::notes(text.into_iter().chain(self.notes.iter().map(String::as_str)).map(Some))
    }
}

/// Makes a patient's document.
pub(super) fn patient(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let Some(person) = rows.rows("Patient").next() else {
        let why = "rows of a patient who is not in the Patient table are kept and not shown";
        let problem = Problem::at("Patient.PID", Reason::Malformed(why.to_owned()));
        return Mapped { document: None, problems: if rows.is_empty() { Vec::new() } else { vec![problem] } };
    };
    let number = person.text("NHS_NUMBER").and_then(nhs_number::parse);
    if number.is_some_and(|number| mapping.rules.excluded.contains(&number)) {
        return Mapped::default();
    }
    let ids = |table: &str| rows.rows(table).filter_map(|row| Some((row.text("ID")?, row))).collect();
    let mut chart = Chart {
        rows,
        mapping,
        document: Document::about(&fhir_id(person.text("PID").unwrap_or_default())),
        problems: Vec::new(),
        journal: ids("Journal"),
        encounters: ids("Encounter"),
    };
    patient::add(&mut chart, person);
    medicines::add(&mut chart);
    for row in rows.rows("Journal") {
        journal::add(&mut chart, row);
    }
    for row in rows.rows("Encounter") {
        patient::add_encounter(&mut chart, row);
    }
    for row in rows.rows("Referral") {
        patient::add_referral(&mut chart, row);
    }
    let supplied = |table: &str| mapping.supplied.iter().any(|name| name.split(' ').next() == Some(table));
    if supplied("Journal") {
        chart.document.supplies(tables::JOURNAL_SECTIONS);
    }
    if supplied("Encounter") {
        chart.document.supplies(&[S::Encounters]);
    }
    if supplied("Referral") {
        chart.document.supplies(&[S::Referrals]);
    }
    // The extract has no table of warnings, recalls or appointments; coded ones among the entries are only some of them.
    chart.document.omits(&[S::Alerts, S::Diary]);
    Mapped { document: Some(chart.document.finish()), problems: chart.problems }
}

impl<'a> Chart<'a> {
    /// Reads what a row of the journal has in common with others.
    pub(super) fn entry(&mut self, row: RowRef<'a>) -> Entry<'a> {
        let mut notes = Vec::new();
        let when = self.moment(row, ["DATE", "TIME"], &mut notes);
        let recorded = self.date(row, "RECORDED_DATE", &mut notes);
        notes.extend(row.text("CONTEXT").map(|text| format!("Context: {text}")));
        notes.extend(row.text("LINKS_EXT").map(|text| format!("External links: {text}")));
        notes.extend(row.text("DOCUMENT_ID").map(|text| format!("Document: {text}")));
        let mut extension = Vec::new();
        for link in links(row) {
            let problem = self.journal.get(link).filter(|linked| subset(**linked) == 'P');
            if let Some(problem) = problem {
                let reference = format!("Condition/{}", row_id("j", *problem));
                let words = problem.text("RUBRIC");
                extension.push(
                    json!({"url": PROBLEM, "valueReference": {"reference": reference, "display": words}}),
                );
            }
        }
        Entry {
            row,
            id: row_id("j", row),
            when,
            recorded,
            code: concept(row),
            who: self.who(row, "HCP"),
            encounter: self.encounter(row),
            extension,
            notes,
        }
    }

    /// Returns the rows of the journal that an encounter's id links.
    pub(super) fn of_encounter(&self, id: &str) -> Vec<RowRef<'a>> {
        let is_linked = |row: &&RowRef<'a>| links(**row).any(|link| link.strip_prefix('E') == Some(id));
        self.journal.values().filter(is_linked).copied().collect()
    }

    /// Returns the row of the journal with this id.
    pub(super) fn journal_row(&self, id: &str) -> Option<RowRef<'a>> {
        self.journal.get(id).copied()
    }

    fn encounter(&self, row: RowRef<'_>) -> Value {
        let linked = links(row).find_map(|link| self.encounters.get(link.strip_prefix('E')?));
        linked.map_or(Value::Null, |row| json!({"reference": format!("Encounter/{}", row_id("e", *row))}))
    }

    /// Returns the name of somebody: of the staff, or as a row writes it.
    pub(super) fn who(&self, row: RowRef<'_>, column: &str) -> Option<Value> {
        let written = row.text(column)?;
        let name = self.mapping.shared.row("Staff", written).and_then(staff_name);
        // `EXT_STAFF:123,Name` is somebody elsewhere.
        let outside = || written.split_once(',').map(|(_, name)| name.trim().to_owned());
        let name = name.or_else(outside).filter(|name| !name.is_empty());
        Some(r4::named(&name.unwrap_or_else(|| written.to_owned())))
    }

    /// Reads a date; one that is none is reported, and kept as it is written.
    pub(super) fn date(&mut self, row: RowRef<'_>, column: &str, notes: &mut Vec<String>) -> Option<String> {
        let written = row.text(column)?;
        let read = partial(written);
        if read.is_none() {
            self.problems.push(Problem::at(column, Reason::NotADate));
            notes.push(format!("Date as written by the source ({column}): {written}"));
        }
        read
    }

    /// Reads a date with the time of day, where one is recorded.
    pub(super) fn moment(
        &mut self,
        row: RowRef<'_>,
        [date, time]: [&str; 2],
        notes: &mut Vec<String>,
    ) -> Option<String> {
        let read = self.date(row, date, notes)?;
        let written = row.text(time).filter(|time| !matches!(*time, "9999" | "0000"));
        let Some(written) = written else { return Some(read) };
        match (read.parse().ok().and_then(PartialDate::exact), dates::time(written)) {
            (Some(date), Some(time)) => Some(dates::local_date_time(date, time)),
            _ => {
                self.problems.push(Problem::at(time, Reason::NotADate));
                notes.push(format!("Time as written by the source: {written}"));
                Some(read)
            }
        }
    }
}

/// Returns the letter that says what a row of the journal is; a space where it says nothing.
pub(super) fn subset(row: RowRef<'_>) -> char {
    let written = row.text("SUBSET").unwrap_or_default();
    let mut letters = written.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter.to_ascii_uppercase(),
        (None, _) => ' ',
        (Some(_), Some(_)) => '?',
    }
}

/// Returns what a row links.
pub(super) fn links<'a>(row: RowRef<'a>) -> impl Iterator<Item = &'a str> {
    row.text("LINKS").unwrap_or_default().split('|').map(str::trim).filter(|link| !link.is_empty())
}

/// Returns the concept of a row with all its codes and the source's term.
fn concept(row: RowRef<'_>) -> Value {
    let term = row.text("RUBRIC");
    let read = row.text("CODE");
    let coded = |system: &str, column: &str| row.text(column).map(|code| r4::coding(system, code, term));
    let mut codings: Vec<Value> = Vec::new();
    codings.extend(coded(r4::SNOMED, "SNOMED_CODE"));
    codings.extend(coded(r4::DMD, "DMD_CODE"));
    if codings.is_empty() && read.is_some_and(|code| code.starts_with("1151.")) {
        codings.push(r4::coding(r4::SNOMED, "716186003", Some("No known allergy")));
    }
    codings.extend(coded(r4::READ2, "CODE"));
    codings.extend(coded(BNF, "BNF_CODE"));
    r4::concept(codings, term)
}

/// Returns the name of a row of the staff table.
pub(super) fn staff_name(row: RowRef<'_>) -> Option<String> {
    let parts: Vec<&str> =
        ["TITLE", "FORENAME", "SURNAME"].iter().filter_map(|column| row.text(column)).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Reads `yyyyMMdd`, with zeros for what is not known, or cut after the year or month.
pub(super) fn partial(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return dates::date(text).map(|date| date.to_string());
    }
    let (year, rest) = text.split_at_checked(4)?;
    let written = match rest {
        "" | "0000" => year.to_owned(),
        rest if rest.len() == 2 => format!("{year}-{rest}"),
        rest if rest.len() == 4 && rest.ends_with("00") => format!("{year}-{}", &rest[..2]),
        rest if rest.len() == 4 => format!("{year}-{}-{}", &rest[..2], &rest[2..]),
        _ => return None,
    };
    let date: PartialDate = written.parse().ok()?;
    (date.year() > 0).then_some(written)
}

/// Returns the FHIR id of a row.
pub(super) fn row_id(kind: &str, row: RowRef<'_>) -> String {
    fhir_id(&format!("{kind}-{}", row.text("ID").unwrap_or_default()))
}

/// Returns a text as a FHIR id: what is not allowed is written as its number, so that two never become one.
pub(super) fn fhir_id(text: &str) -> String {
    let mut id = String::new();
    for character in text.chars() {
        match character {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' => id.push(character),
            other => id.push_str(&format!(".{:x}.", u32::from(other))),
        }
    }
    if id.len() <= 64 {
        return id;
    }
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
