//! What the columns tell of a format's version.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::Format;

/// The columns of each table, as the files write them; of tables without a header, nothing but how many there are.
pub(super) type Headers = BTreeMap<&'static str, TableHeader>;

/// The header of a table.
#[derive(Debug, Default)]
pub(super) struct TableHeader {
    pub(super) names: BTreeSet<String>,
    pub(super) width: usize,
}

/// Says what tells the version.
pub(super) fn evidence(format: Format, headers: &Headers) -> Vec<String> {
    match format {
        Format::EmisWeb => emis(headers),
        Format::SystmOne if headers.is_empty() => Vec::new(),
        Format::SystmOne => {
            let with = headers.values().filter(|header| has(header, "RemovedData")).count();
            let all = headers.len();
            vec![format!("{with} of {all} tables have the column RemovedData, by which rows are deleted")]
        }
        Format::Vision => {
            let widths = headers.iter().map(|(table, header)| format!("{table} {}", header.width));
            vec![format!("columns of each table: {}", widths.collect::<Vec<_>>().join(", "))]
        }
        _ => vec![],
    }
}

fn has(header: &TableHeader, column: &str) -> bool {
    header.names.iter().any(|name| name.eq_ignore_ascii_case(column))
}

/// The versions of the EMIS Web extract differ in columns of a few tables.
fn emis(headers: &Headers) -> Vec<String> {
    let table_has = |table: &str, column: &str| headers.get(table).map(|header| has(header, column));
    let misspelt = ["CareRecord_Diary", "Prescribing_DrugRecord", "Prescribing_IssueRecord"]
        .iter()
        .any(|table| table_has(table, "ClinicanUserInRoleGuid") == Some(true));
    let entered_time = table_has("CareRecord_Consultation", "EnteredTime");
    let parent_code = table_has("Coding_ClinicalCode", "ParentCodeId");
    let text = match (parent_code, misspelt, entered_time) {
        (Some(true), _, _) => "5.4 or later: Coding_ClinicalCode has ParentCodeId",
        (_, true, Some(false)) => {
            "5.0: the clinician's column is misspelt (ClinicanUserInRoleGuid), and consultations have no EnteredTime"
        }
        (_, true, Some(true)) => {
            "5.1: the clinician's column is misspelt (ClinicanUserInRoleGuid), and consultations have EnteredTime"
        }
        (_, true, None) => "5.0 or 5.1: the clinician's column is misspelt (ClinicanUserInRoleGuid)",
        (Some(false), false, _) => {
            "5.3: the clinician's column is spelt ClinicianUserInRoleGuid, and Coding_ClinicalCode has no ParentCodeId"
        }
        (None, false, _) => return vec![],
    };
    vec![text.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of tables.
    type Columns = &'static [(&'static str, &'static str)];

    #[test]
    fn the_columns_of_the_emis_extract_tell_its_version() {
        let cases: [(Columns, Option<&str>); 6] = [
            (&[("Coding_ClinicalCode", "ParentCodeId")], Some("5.4 or later")),
            (&[("Coding_ClinicalCode", "CodeId")], Some("5.3")),
            (
                &[("CareRecord_Diary", "ClinicanUserInRoleGuid"), ("Coding_ClinicalCode", "CodeId")],
                Some("5.0 or 5.1"),
            ),
            (
                &[("CareRecord_Diary", "ClinicanUserInRoleGuid"), ("CareRecord_Consultation", "EnteredTime")],
                Some("5.1"),
            ),
            (
                &[("CareRecord_Diary", "ClinicanUserInRoleGuid"), ("CareRecord_Consultation", "X")],
                Some("5.0"),
            ),
            (&[], None),
        ];
        for (columns, expected) in cases {
            let mut headers = Headers::new();
            for (table, column) in columns {
                headers.entry(table).or_default().names.insert((*column).to_owned());
            }
            let found = evidence(Format::EmisWeb, &headers);
            let version = found.first().and_then(|text| text.split(':').next());
            assert_eq!(version, expected, "{columns:?}");
        }
    }
}
