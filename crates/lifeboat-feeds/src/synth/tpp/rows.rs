//! One patient's rows in the making, and values as SystmOne writes them.

use jiff::Timestamp;
use jiff::civil::Date;
use lifeboat_clinical::date::london;
use serde_json::Value;

use super::fields;
use super::lists::{Lists, PRACTICE, number_of};
use crate::synth::RowSet;

/// One patient's rows in the making.
pub(super) struct Rows<'a> {
    pub(super) rows: RowSet,
    pub(super) lists: &'a mut Lists,
    pub(super) patient: String,
}

impl Rows<'_> {
    /// Puts a row in, with the cells that every patient's row has.
    pub(super) fn put(&mut self, table: &'static str, id: &str, cells: &[(&str, String)]) {
        let mut all = cells.to_vec();
        all.push(("RowIdentifier", id.to_owned()));
        all.push(("IDOrganisationVisibleTo", PRACTICE.0.to_owned()));
        if table != "SRPatient" {
            all.push(("IDPatient", self.patient.clone()));
        }
        self.rows.put(table, id, fields(table, &all));
    }

    /// Puts a coded entry in.
    pub(super) fn coded(&mut self, id: &str, concept: &Value, more: &[(&str, String)]) {
        let coding = &concept["coding"][0];
        let is_snomed = coding["system"] == "http://snomed.info/sct";
        let mut cells = vec![
            ("SNOMEDCode", if is_snomed { text(&coding["code"]) } else { String::new() }),
            ("SNOMEDText", if is_snomed { term(concept) } else { String::new() }),
            ("CTV3Text", term(concept)),
            ("IsNumeric", "FALSE".to_owned()),
        ];
        cells.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        cells.extend_from_slice(more);
        self.put("SRCode", id, &cells);
    }

    /// Returns the cells of who did something: a member of staff, or somebody else by name.
    pub(super) fn done_by(&mut self, who: &Value) -> [(&'static str, String); 2] {
        let name = text(&who["display"]);
        if text(&who["reference"]).starts_with("Practitioner/") {
            return [("IDDoneBy", self.lists.staff(&name)), ("TextualEventDoneBy", String::new())];
        }
        [("IDDoneBy", "-1".to_owned()), ("TextualEventDoneBy", name)]
    }
}

/// Returns the number of a resource's row.
pub(super) fn id_of(resource: &Value) -> String {
    number_of(&text(&resource["id"]))
}

/// Returns the number of a patient of this FHIR id.
pub(super) fn patient_number(id: &str) -> String {
    number_of(&format!("patient {id}"))
}

/// Returns a text or a number as text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Returns the words of a concept.
pub(super) fn term(concept: &Value) -> String {
    let words = text(&concept["text"]);
    if words.is_empty() { text(&concept["coding"][0]["display"]) } else { words }
}

/// Returns yes or no as SystmOne writes it.
pub(super) fn yes_or_no(is_so: bool) -> String {
    if is_so { "TRUE" } else { "FALSE" }.to_owned()
}

/// A FHIR date as SystmOne writes it. SystmOne keeps whole dates: what is not known of one becomes its first day.
pub(super) fn date(value: &Value) -> String {
    let written = text(value);
    if let Ok(instant) = written.parse::<Timestamp>() {
        return instant.to_zoned(london()).strftime("%d %b %Y %H:%M:%S").to_string();
    }
    let first: Option<Date> = match written.len() {
        4 => format!("{written}-01-01").parse().ok(),
        7 => format!("{written}-01").parse().ok(),
        _ => written.get(..10).and_then(|day| day.parse().ok()),
    };
    first.map(|day| day.strftime("%d %b %Y 00:00:00").to_string()).unwrap_or_default()
}

/// Returns the first value that says something.
pub(super) fn first<'v>(values: impl IntoIterator<Item = &'v Value>, read: fn(&Value) -> String) -> String {
    values.into_iter().map(read).find(|text| !text.is_empty()).unwrap_or_default()
}
