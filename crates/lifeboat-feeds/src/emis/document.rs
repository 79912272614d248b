//! A patient's document: who they are, then everything about them that is not to be withheld.

use std::collections::BTreeSet;

use lifeboat_clinical::{SectionId, nhs_number, outline};
use serde_json::{Value, json};

use super::chart::{Chart, Secrecy};
use super::tables::{PATIENT, TABLES};
use super::when::When;
use super::{entries, medicines, names, people, plans, problems};
use crate::feed::{Mapped, Mapping};
use crate::problem::{Problem, Reason};
use crate::r4::Document;
use crate::rows::{RowRef, UnitRows};
use crate::rules::{Confidential, DummyPatients};

/// A document in the making, and what could not be mapped.
pub(super) struct Draft {
    document: Document,
    problems: BTreeSet<Problem>,
    confidential: Confidential,
}

/// Makes a patient's document.
pub(super) fn patient(rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
    let Some(row) = rows.rows(PATIENT).next() else {
        return without_patient(rows);
    };
    if is_excluded(row, mapping) {
        return Mapped::default();
    }
    let Some(guid) = row.text("PatientGuid") else {
        return Mapped::default();
    };
    let mut draft = Draft {
        document: Document::about(&names::id("", guid)),
        problems: BTreeSet::new(),
        confidential: mapping.rules.confidential,
    };
    people::add_patient(&mut draft, guid, row, rows, mapping.shared);
    if row.is_true("IsConfidential") && mapping.rules.confidential == Confidential::Withhold {
        SectionId::ALL.into_iter().for_each(|section| draft.document.withholds(section));
        return draft.finish();
    }
    let chart = Chart::of(rows, mapping);
    entries::add(&mut draft, &chart);
    problems::add(&mut draft, &chart);
    medicines::add(&mut draft, &chart);
    plans::add_consultations(&mut draft, &chart);
    plans::add_diary(&mut draft, &chart);
    draft.document.supplies(&supplied(&mapping.supplied.iter().map(String::as_str).collect()));
    // Warnings that pop up in EMIS are not in the extract; coded ones are only some of them.
    draft.document.omits(&[SectionId::Alerts]);
    draft.finish()
}

/// Rows of somebody whom the extract does not name make no document.
fn without_patient(rows: &UnitRows) -> Mapped {
    let problem = (!rows.is_empty()).then(|| {
        let text = "there are rows of a patient who is not in the extract; they are kept and not shown";
        Problem::at(PATIENT, Reason::Malformed(text.to_owned()))
    });
    Mapped { document: None, problems: problem.into_iter().collect() }
}

/// Says whether the rules leave the patient out.
fn is_excluded(row: RowRef<'_>, mapping: &Mapping<'_>) -> bool {
    let is_no = |text: &str| ["false", "0", "n", "no"].iter().any(|no| text.eq_ignore_ascii_case(no));
    let is_dummy = row.text("DummyType").is_some_and(|text| !is_no(text))
        || row.text("PatientTypeDescription").is_some_and(|kind| kind.to_lowercase().contains("dummy"));
    let number = row.text("NhsNumber").and_then(nhs_number::parse);
    (is_dummy && mapping.rules.dummy_patients == DummyPatients::Exclude)
        || number.is_some_and(|number| mapping.rules.excluded.contains(&number))
}

/// Returns the sections whose tables are all supplied.
fn supplied(tables: &BTreeSet<&str>) -> Vec<SectionId> {
    let fed = |section: &SectionId| TABLES.iter().any(|table| table.sections.contains(section));
    let whole = |section: &SectionId| {
        let of_section = TABLES.iter().filter(|table| table.sections.contains(section));
        of_section.into_iter().all(|table| tables.contains(table.name))
    };
    SectionId::ALL.into_iter().filter(|section| fed(section) && whole(section)).collect()
}

impl Draft {
    /// Returns the reference to the patient.
    pub(super) fn subject(&self) -> Value {
        self.document.subject()
    }

    /// Adds a resource, unless it is confidential and such are withheld.
    pub(super) fn file(&mut self, secrecy: Secrecy, resource: Value) {
        if let Some(resource) = self.permit(secrecy, resource) {
            self.document.push(resource);
        }
    }

    /// Adds a resource that belongs to a section whatever its own words say.
    pub(super) fn file_in(&mut self, section: SectionId, secrecy: Secrecy, resource: Value) {
        if let Some(resource) = self.permit(secrecy, resource) {
            self.document.push_in(section, resource);
        }
    }

    /// Marks a confidential resource, or withholds it.
    fn permit(&mut self, secrecy: Secrecy, mut resource: Value) -> Option<Value> {
        match (secrecy, self.confidential) {
            (Secrecy::Open, _) => {}
            (Secrecy::Confidential, Confidential::Keep) => {
                resource["meta"] = json!({"security": [restricted()]})
            }
            (Secrecy::Confidential, Confidential::Withhold) => {
                self.withhold(&resource);
                return None;
            }
        }
        Some(resource)
    }

    /// Says in every section that the resource may belong to that something was left out.
    fn withhold(&mut self, resource: &Value) {
        let sections = outline(resource.to_string().as_bytes()).map(|outline| outline.types.sections);
        for section in sections.into_iter().flat_map(|sections| sections.iter().collect::<Vec<_>>()) {
            self.document.withholds(section);
            if section == SectionId::Observations {
                self.document.withholds(SectionId::OtherItems);
            }
        }
    }

    /// Notes what could not be mapped, once.
    pub(super) fn problem(&mut self, table: &str, column: &str, reason: Reason) {
        self.problems.insert(Problem::at(format!("{table}.{column}"), reason));
    }

    /// Notes dates that are none.
    pub(super) fn check(&mut self, table: &str, dates: &[&When]) {
        for column in dates.iter().filter_map(|when| when.flaw) {
            self.problem(table, column, Reason::NotADate);
        }
    }

    fn finish(self) -> Mapped {
        Mapped { document: Some(self.document.finish()), problems: self.problems.into_iter().collect() }
    }
}

/// Returns the label of what not everybody may see.
pub(super) fn restricted() -> Value {
    json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"})
}
