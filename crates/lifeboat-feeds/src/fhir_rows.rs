//! Resources of a FHIR R4 server as rows: one table, one row for each resource, kept as the server wrote it.
//!
//! Who owns a row follows from the resource alone, by the rules of `lifeboat_clinical::fhir`: a Patient is the patient's,
//! a resource that names a patient is theirs, an Appointment is its day's (and reaches its patients from there), and
//! everything else is shared. What names no patient and is of no shared type is kept with the shared rows all the same,
//! so that it is reported with every document of them and never dropped in silence.
//!
//! A patient whom the server knows by an identifier only is called `Patient?identifier=system|value`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use lifeboat_clinical::{Owner, Reason as ClinicalReason, outline};
use serde_json::value::RawValue;

use crate::batch::{Batch, FileFacts, ReadHead};
use crate::feed::{Mapped, Mapping, TableFeed};
use crate::format::Format;
use crate::problem::{Problem, Reason};
use crate::r4::NHS_NUMBER;
use crate::rows::{RowChange, RowRef, Unit, UnitRows, Values};
use crate::rules::DummyPatients;
use crate::spec::{ColumnSpec, Place, TableSpec};

/// The name of the only table.
pub const RESOURCE: &str = "Resource";

const KIND: &str = "kind";
const ID: &str = "id";
const JSON: &str = "json";

/// Most characters of an id; FHIR allows 64, servers exceed it.
const ID_CHARS_MAX: usize = 256;

/// Says of a Patient that it is made up (v3-ActReason).
const TEST_PATIENT: &str = "HTEST";

const TABLES: &[TableSpec] = &[TableSpec {
    name: RESOURCE,
    columns: &[ColumnSpec::required(KIND), ColumnSpec::required(ID), ColumnSpec::required(JSON)],
    key: &[KIND, ID],
    place: Place::Shared,
    sections: &[],
}];

/// The feed of resources.
pub static FEED: FhirRows = FhirRows;

/// Resources of a FHIR R4 server as rows.
#[derive(Clone, Copy, Debug)]
pub struct FhirRows;

/// Returns what a resource does to the rows that are kept. An OperationOutcome is no row.
///
/// Bytes that are not UTF-8 are replaced by the sign for that.
///
/// # Errors
/// The bytes are not one resource of FHIR R4 with a type and an id.
pub fn row_change(resource: &[u8]) -> Result<RowChange, Problem> {
    let text = String::from_utf8_lossy(resource);
    let text = text.trim();
    let (kind, id) = kind_and_id(text)?;
    if kind == "OperationOutcome" {
        return Ok(RowChange::Ignore);
    }
    let unit = match kind.as_str() {
        "Patient" => Unit::Patient(id.clone()),
        _ => unit_of(text)?,
    };
    Ok(put(unit, kind, id, text))
}

/// Returns the change that keeps a whole summary (a Bundle of type `document`) as the only row of a patient beside the Patient.
///
/// # Errors
/// The bytes are not a Bundle.
pub fn summary_change(patient: &str, bundle: &[u8]) -> Result<RowChange, Problem> {
    let text = String::from_utf8_lossy(bundle);
    let text = text.trim();
    if head(text)?.get("resourceType").copied().and_then(string).as_deref() != Some("Bundle") {
        return Err(malformed("is not a Bundle"));
    }
    Ok(put(Unit::Patient(patient.to_owned()), "Bundle".to_owned(), format!("summary-{patient}"), text))
}

/// Returns the change that removes a resource.
pub fn row_gone(kind: &str, id: &str) -> RowChange {
    RowChange::Remove { unit: None, table: RESOURCE, key: key(kind, id) }
}

/// Returns the key of a resource's row: `Type/id`.
pub fn key(kind: &str, id: &str) -> String {
    format!("{kind}/{id}")
}

fn put(unit: Unit, kind: String, id: String, text: &str) -> RowChange {
    let key = key(&kind, &id);
    let values: Values = [Some(kind.into()), Some(id.into()), Some(text.into())].into();
    RowChange::Put { unit, table: RESOURCE, key, values }
}

fn malformed(why: &str) -> Problem {
    Problem::whole(Reason::Malformed(why.to_owned()))
}

/// Returns the members of a resource; of a repeated one the last counts.
fn head(text: &str) -> Result<BTreeMap<String, &RawValue>, Problem> {
    serde_json::from_str(text).map_err(|error| {
        malformed(match error.classify() {
            serde_json::error::Category::Eof => "ends in the middle",
            _ => "is not a JSON object",
        })
    })
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// Returns the type and the id of a resource, and sees to it that both can be part of a key.
fn kind_and_id(text: &str) -> Result<(String, String), Problem> {
    let head = head(text)?;
    let kind = head.get("resourceType").copied().and_then(string).unwrap_or_default();
    if kind.is_empty() || kind.len() > 64 || !kind.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(malformed("is not a FHIR resource"));
    }
    let id = head.get(ID).copied().and_then(string).unwrap_or_default();
    if kind == "OperationOutcome" {
        return Ok((kind, id));
    }
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '/';
    if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(fits) {
        return Err(malformed("has no id that could name it"));
    }
    Ok((kind, id))
}

/// Returns who owns a resource that is not a Patient.
fn unit_of(text: &str) -> Result<Unit, Problem> {
    let owners = match outline(text.as_bytes()) {
        Ok(outline) => outline.owners,
        Err(problem) => match problem.reason {
            ClinicalReason::NoPatient
            | ClinicalReason::PatientNotHere
            | ClinicalReason::AmbiguousPatient
            | ClinicalReason::NotPatientData => Vec::new(),
            reason => return Err(malformed(&reason.to_string())),
        },
    };
    let day = owners.iter().find_map(|owner| match owner {
        Owner::Day(day) => Some(Unit::Day(*day)),
        _ => None,
    });
    let patient = || {
        owners.iter().find_map(|owner| match owner {
            Owner::Reference(reference) => {
                let name = reference.strip_prefix("Patient/").unwrap_or(reference);
                Some(Unit::Patient(name.to_owned()))
            }
            _ => None,
        })
    };
    Ok(day.or_else(patient).unwrap_or(Unit::Shared))
}

impl TableFeed for FhirRows {
    fn format(&self) -> Format {
        Format::FhirR4
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [TableSpec] {
        TABLES
    }

    fn batches(&self, _: &[FileFacts], _: &dyn ReadHead) -> Vec<Batch> {
        Vec::new()
    }

    fn change(
        &self,
        _: &'static TableSpec,
        values: Values,
    ) -> Result<RowChange, (Option<&'static str>, Reason)> {
        let json = values.get(2).and_then(Option::as_deref).ok_or((Some(JSON), Reason::EmptyValue))?;
        row_change(json.as_bytes()).map_err(|problem| (Some(JSON), problem.reason))
    }

    fn patient(&self, rows: &UnitRows, mapping: &Mapping<'_>) -> Mapped {
        if rows.rows(RESOURCE).any(|row| is_left_out(row, mapping)) {
            return Mapped::default();
        }
        collection(rows.rows(RESOURCE))
    }

    fn day(&self, _: Date, rows: &UnitRows, _: &Mapping<'_>) -> Mapped {
        collection(rows.rows(RESOURCE))
    }

    fn shared(&self, mapping: &Mapping<'_>) -> Mapped {
        collection(mapping.shared.rows_of(RESOURCE).into_iter())
    }
}

/// Writes a Bundle of the rows' own text.
fn collection<'a>(rows: impl Iterator<Item = RowRef<'a>>) -> Mapped {
    let mut document = String::from(r#"{"resourceType":"Bundle","type":"collection","entry":["#);
    let mut separator = "";
    for json in rows.filter_map(|row| row.text(JSON)) {
        document.push_str(separator);
        document.push_str(r#"{"resource":"#);
        document.push_str(json);
        document.push('}');
        separator = ",";
    }
    if separator.is_empty() {
        return Mapped::default();
    }
    document.push_str("]}");
    Mapped { document: Some(document.into_bytes()), problems: Vec::new() }
}

/// Says whether a row is that of a patient whom the site's rules leave out.
fn is_left_out(row: RowRef<'_>, mapping: &Mapping<'_>) -> bool {
    if row.text(KIND) != Some("Patient") {
        return false;
    }
    let patient: serde_json::Value =
        row.text(JSON).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let labels = patient["meta"]["security"].as_array();
    let is_dummy = labels.is_some_and(|labels| labels.iter().any(|label| label["code"] == TEST_PATIENT));
    let excluded = |identifier: &serde_json::Value| {
        let digits: String =
            identifier["value"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        identifier["system"] == NHS_NUMBER && mapping.rules.excluded.contains(&digits)
    };
    (is_dummy && mapping.rules.dummy_patients == DummyPatients::Exclude)
        || patient["identifier"].as_array().is_some_and(|all| all.iter().any(excluded))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lifeboat_clinical::synth::Practice;

    use super::*;
    use crate::memory::MemoryRows;
    use crate::rows::RowSink;
    use crate::rules::Rules;

    fn unit(text: &str) -> Option<Unit> {
        match row_change(text.as_bytes()) {
            Ok(RowChange::Put { unit, .. }) => Some(unit),
            _ => None,
        }
    }

    #[test]
    fn a_resource_says_itself_whose_row_it_is() {
        let patient = |name: &str| Some(Unit::Patient(name.to_owned()));
        let cases = [
            (r#"{"resourceType":"Patient","id":"1"}"#, patient("1")),
            (
                r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}}"#,
                patient("1"),
            ),
            (
                r#"{"resourceType":"AllergyIntolerance","id":"a","patient":{"reference":"https://example.org/fhir/Patient/1/_history/4"}}"#,
                patient("1"),
            ),
            (r#"{"resourceType":"Coverage","id":"c","beneficiary":{"reference":"Patient/1"}}"#, patient("1")),
            (
                r#"{"resourceType":"Condition","id":"i","subject":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018"}}}"#,
                patient("Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9990000018"),
            ),
            (
                r##"{"resourceType":"Condition","id":"c","subject":{"reference":"#p"},"contained":[{"resourceType":"Patient","id":"p"}]}"##,
                Some(Unit::Shared),
            ),
            (
                r#"{"resourceType":"Condition","id":"u","subject":{"reference":"urn:uuid:7"}}"#,
                Some(Unit::Shared),
            ),
            (
                r#"{"resourceType":"Observation","id":"g","subject":{"reference":"Group/1"}}"#,
                Some(Unit::Shared),
            ),
            (
                r#"{"resourceType":"Appointment","id":"a","status":"booked","start":"2026-07-01T23:30:00Z","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}"#,
                Some(Unit::Day(jiff::civil::date(2026, 7, 2))),
            ),
            (
                r#"{"resourceType":"Appointment","id":"w","status":"waitlist","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}"#,
                patient("1"),
            ),
            (r#"{"resourceType":"Practitioner","id":"p"}"#, Some(Unit::Shared)),
            (r#"{"resourceType":"OperationOutcome"}"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(unit(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_resource_is_a_problem_that_tells_nothing_of_it() {
        for text in [
            "",
            "Smith",
            "[]",
            r#"{"resourceType":"Patient"}"#,
            r#"{"resourceType":"Patient","id":""}"#,
            r#"{"resourceType":"Patient","id":"a/Smith"}"#,
            r#"{"resourceType":"Smith-Jones","id":"1"}"#,
            r#"{"resourceType":"Patient","id":"1","name":[{"family":"Smith"#,
        ] {
            let problem = row_change(text.as_bytes()).expect_err(text);
            assert!(!problem.to_string().contains("Smith"), "{problem}");
        }
    }

    #[test]
    fn documents_hold_the_resources_as_the_server_wrote_them() {
        let mut rows = MemoryRows::of(&FEED);
        let odd = r#"{ "resourceType":"Observation", "id":"o","valueQuantity":{"value":1.50},"subject":{"reference":"Patient/1"}}"#;
        let place = r#"{"resourceType":"Location","id":"l","name":"x"}"#;
        for text in [odd, r#"{"resourceType":"Patient","id":"1"}"#, place] {
            rows.change(row_change(text.as_bytes()).expect(text)).expect("memory takes everything");
        }
        let (rules, supplied) = (Rules::default(), BTreeSet::new());
        let mapping = Mapping { rules: &rules, shared: &rows, supplied: &supplied };
        let unit = rows.unit(&Unit::Patient("1".to_owned())).expect("it is there");
        let document = FEED.patient(unit, &mapping).document.expect("a document");
        assert!(String::from_utf8(document).expect("text").contains(odd));
        let shared = FEED.shared(&mapping).document.expect("a document");
        assert!(String::from_utf8(shared).expect("text").contains(place));
    }

    #[test]
    fn test_patients_and_excluded_ones_have_no_document() {
        let dummy = r#"{"resourceType":"Patient","id":"1","meta":{"security":[{"code":"HTEST"}]}}"#;
        let excluded = r#"{"resourceType":"Patient","id":"1","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999 000 0018"}]}"#;
        let keep = Rules { dummy_patients: DummyPatients::Keep, ..Rules::default() };
        let exclude = Rules { excluded: BTreeSet::from(["9990000018".to_owned()]), ..Rules::default() };
        let cases = [
            (dummy, Rules::default(), false),
            (dummy, keep, true),
            (excluded, Rules::default(), true),
            (excluded, exclude, false),
        ];
        for (text, rules, expected) in cases {
            let mut rows = MemoryRows::of(&FEED);
            rows.change(row_change(text.as_bytes()).expect(text)).expect("memory takes everything");
            let supplied = BTreeSet::new();
            let mapping = Mapping { rules: &rules, shared: &rows, supplied: &supplied };
            let unit = rows.unit(&Unit::Patient("1".to_owned())).expect("it is there");
            assert_eq!(FEED.patient(unit, &mapping).document.is_some(), expected, "{text}");
        }
    }

    #[test]
    fn a_practice_comes_out_of_its_rows_as_it_went_in() {
        let practice = Practice::new(7, 12, jiff::civil::date(2026, 11, 21)).with_ips_percent(0);
        let mut rows = MemoryRows::of(&FEED);
        for (_, resource) in practice.ndjson_resources() {
            let text = resource.to_string();
            rows.change(row_change(text.as_bytes()).expect("a resource")).expect("memory takes everything");
        }
        let (rules, supplied) = (Rules::default(), BTreeSet::new());
        let mapping = Mapping { rules: &rules, shared: &rows, supplied: &supplied };
        for index in 0..practice.patients() {
            let unit = Unit::Patient(practice.expected(index).id);
            let document = FEED.patient(rows.unit(&unit).expect("it is there"), &mapping).document;
            let outline = outline(&document.expect("a document")).expect("it can be read");
            assert_eq!(outline.skipped, [], "nothing is without a patient");
            assert_eq!(outline.owners.len(), 1);
            assert_eq!(outline.resources as usize, practice.resources(index).len());
        }
    }
}
