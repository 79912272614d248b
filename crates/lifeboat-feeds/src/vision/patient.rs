//! A patient's document: the person, then everything in the journal.

use lifeboat_clinical::{SectionId, nhs_number};
use serde_json::{Value, json};

use super::tables::{ENCOUNTER, JOURNAL, PATIENT, REFERRAL, STAFF, TABLES};
use super::{entries, medicines};
use crate::dates::{self, Precision};
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::{Document, NHS_NUMBER, hl7, named};
use crate::rows::{RowRef, UnitRows};

/// A document in the making.
pub(super) struct Draft<'a> {
    pub(super) document: Document,
    pub(super) mapping: &'a Mapping<'a>,
    problems: Vec<Problem>,
}

/// When something happened, as FHIR writes it, or what stands there instead.
#[derive(Default)]
pub(super) struct When {
    pub(super) fhir: Option<String>,
    /// A date that is none, as it was written.
    pub(super) unread: Option<String>,
}

/// Makes a patient's document.
pub(super) fn document(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let Some(row) = rows.rows(PATIENT).next() else {
        let text = "there are rows of a patient who is not in the extract; they are kept and not shown";
        let problem = (!rows.is_empty()).then(|| Problem::at(PATIENT, Reason::Malformed(text.to_owned())));
        return Mapped { document: None, problems: problem.into_iter().collect() };
    };
    let number = row.text("NHS_NUMBER").and_then(nhs_number::parse);
    if number.is_some_and(|number| mapping.rules.excluded.contains(&number)) {
        return Mapped::default();
    }
    let id = fhir_id(row.text("PID").unwrap_or_default());
    let mut draft = Draft { document: Document::about(&id), mapping, problems: Vec::new() };
    draft.add_person(&id, row);
    medicines::add(&mut draft, rows);
    for entry in rows.rows(JOURNAL) {
        entries::add(&mut draft, rows, entry);
    }
    for encounter in rows.rows(ENCOUNTER) {
        entries::add_encounter(&mut draft, encounter);
    }
    for referral in rows.rows(REFERRAL) {
        entries::add_referral(&mut draft, referral);
    }
    for table in TABLES.iter().filter(|table| mapping.supplied.contains(table.name)) {
        draft.document.supplies(table.sections);
    }
    // The extract has no table of warnings; coded ones are only some of them.
    draft.document.lacks(SectionId::Alerts);
    draft.problems.sort();
    draft.problems.dedup();
    Mapped { document: Some(draft.document.finish()), problems: draft.problems }
}

/// Returns a text as the id of a FHIR resource.
pub(super) fn fhir_id(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' };
    text.chars().map(allowed).take(64).collect()
}

impl Draft<'_> {
    /// Reads the date, and the time where there is one; what is no date is a problem and is kept as it was written.
    pub(super) fn when(&mut self, row: RowRef<'_>, table: &str, date: &str, time: Option<&str>) -> When {
        let Some(written) = row.text(date) else { return When::default() };
        // Vision writes what it does not know of a date as zeros.
        let partial = |digits: &str| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if partial(written) && written.ends_with("00") {
            let (year, month) = (&written[..4], &written[4..6]);
            let first = if month == "00" { format!("{year}0101") } else { format!("{year}{month}01") };
            let precision = if month == "00" { Precision::Year } else { Precision::Month };
            if let Some(date) = dates::date(&first) {
                return When { fhir: Some(dates::fhir_date(date, precision)), unread: None };
            }
        }
        match dates::date(written) {
            Some(date) => {
                let clock = time.and_then(|time| row.text(time)).and_then(dates::time);
                let fhir =
                    clock.map_or_else(|| date.to_string(), |clock| dates::local_date_time(date, clock));
                When { fhir: Some(fhir), unread: None }
            }
            None => {
                self.problems.push(Problem::at(format!("{table}.{date}"), Reason::NotADate));
                When { fhir: None, unread: Some(format!("{date} as written: {written}")) }
            }
        }
    }

    /// Returns the reference to somebody who works at the practice.
    pub(super) fn staff(&self, row: RowRef<'_>, column: &str) -> Option<Value> {
        let id = row.text(column)?;
        let name = self.mapping.shared.row(STAFF, id).map(|staff| {
            let parts = ["TITLE", "FORENAME", "SURNAME"].into_iter().filter_map(|part| staff.text(part));
            parts.collect::<Vec<_>>().join(" ")
        });
        let name = name.filter(|name| !name.is_empty());
        Some(named(&name.unwrap_or_else(|| format!("Staff number {id} (name not in extract)"))))
    }

    fn add_person(&mut self, id: &str, row: RowRef<'_>) {
        let born = self.when(row, PATIENT, "DATE_OF_BIRTH", None);
        let died = self.when(row, PATIENT, "DATE_OF_DEATH", None);
        let removed = self.when(row, PATIENT, "REMOVED_DATE", None);
        let is_dead = row.text("DATE_OF_DEATH").is_some();
        let is_inactive = row.text("ACTIVE").is_some_and(|active| {
            ["N", "0", "FALSE", "I", "T"].iter().any(|no| active.eq_ignore_ascii_case(no))
        });
        let active = !is_inactive && row.text("REMOVED_DATE").is_none();
        let gender = match row.text("SEX").map(str::to_ascii_uppercase).as_deref() {
            Some("M" | "MALE" | "1") => Some("male"),
            Some("F" | "FEMALE" | "2") => Some("female"),
            Some("I" | "INDETERMINATE" | "9") => Some("other"),
            Some(_) => Some("unknown"),
            None => None,
        };
        let phone = |column: &str, usage: &str| {
            row.text(column).map(|value| json!({"system": "phone", "value": value, "use": usage}))
        };
        let email = row.text("EMAIL").map(|value| json!({"system": "email", "value": value}));
        let telecom = [phone("MOBILE_NUMBER", "mobile"), phone("PHONE_NUMBER", "home"), email];
        let lines = ["ADDRESS", "ADDRESS_1", "ADDRESS_2", "ADDRESS_3", "ADDRESS_4", "ADDRESS_5"];
        let lines: Vec<&str> = lines.into_iter().filter_map(|line| row.text(line)).collect();
        let identifiers = [
            row.text("NHS_NUMBER").map(|number| json!({"system": NHS_NUMBER, "value": number})),
            row.text("PRACT_NUMBER")
                .map(|number| json!({"type": {"text": "Practice number"}, "value": number})),
        ];
        let unread = [born.unread, died.unread, removed.unread].into_iter().flatten();
        let unread: Vec<Value> =
            unread.map(|text| json!({"url": "urn:lifeboat:unread-date", "valueString": text})).collect();
        self.document.push(json!({
            "resourceType": "Patient",
            "id": id,
            "extension": unread,
            "identifier": identifiers.into_iter().flatten().collect::<Vec<_>>(),
            "active": active || is_dead,
            "name": [{
                "use": "official",
                "family": row.text("SURNAME"),
                "given": row.text("FORENAME").map(|names| names.split_whitespace().collect::<Vec<_>>()),
                "prefix": [row.text("TITLE")]
            }],
            "telecom": telecom.into_iter().flatten().collect::<Vec<_>>(),
            "gender": gender,
            "birthDate": born.fhir,
            "deceasedDateTime": died.fhir,
            "deceasedBoolean": (is_dead && died.fhir.is_none()).then_some(true),
            "address": [{"use": "home", "line": lines, "postalCode": row.text("POSTCODE")}],
            "maritalStatus": row.text("MARITAL_STATUS").map(|text| json!({"text": text})),
            "generalPractitioner": [self.staff(row, "GP_USUAL").or_else(|| self.staff(row, "GP"))]
        }));
        if let Some(removed) = removed.fhir {
            self.document.push(json!({
                "resourceType": "EpisodeOfCare",
                "id": format!("registration-{id}"),
                "status": "finished",
                "type": [{"text": "Registration with the practice"}],
                "patient": self.document.subject(),
                "period": {"end": removed}
            }));
        }
    }
}

/// Returns a concept of a status in one of FHIR's own code systems.
pub(super) fn status(system: &str, code: &str) -> Value {
    hl7(system, code)
}
