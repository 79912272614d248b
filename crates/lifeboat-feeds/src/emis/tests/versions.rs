//! Extracts of every version: columns that some lack, and headers that some misspell.

use crate::harness::{Folder, Store, TODAY};
use crate::synth::Order;

/// What a version writes otherwise than 5.4: columns that it lacks, and how it spells others.
struct Version {
    name: &'static str,
    lacks: &'static [(&'static str, &'static str)],
    spells: &'static [(&'static str, &'static str, &'static str)],
}

const SPELLINGS: &[(&str, &str, &str)] = &[
    ("CareRecord_Diary", "ClinicianUserInRoleGuid", "ClinicanUserInRoleGuid"),
    ("Prescribing_DrugRecord", "ClinicianUserInRoleGuid", "ClinicanUserInRoleGuid"),
    ("Prescribing_IssueRecord", "ClinicianUserInRoleGuid", "ClinicanUserInRoleGuid"),
    ("Admin_Patient", "ExternalUsualGP", "ExternalUsusalGP"),
    ("Admin_Patient", "ExternalUsualGPOrganisation", "ExternalUsusalGPOrganisation"),
];

const VERSIONS: &[Version] = &[
    Version {
        name: "5.0",
        lacks: &[
            ("CareRecord_Consultation", "EnteredTime"),
            ("Prescribing_DrugRecord", "EnteredTime"),
            ("Prescribing_IssueRecord", "EnteredTime"),
            ("CareRecord_Problem", "Deleted"),
            ("Coding_ClinicalCode", "ParentCodeId"),
        ],
        spells: SPELLINGS,
    },
    Version {
        name: "5.1",
        lacks: &[("CareRecord_Problem", "Deleted"), ("Coding_ClinicalCode", "ParentCodeId")],
        spells: SPELLINGS,
    },
    Version { name: "5.3", lacks: &[("Coding_ClinicalCode", "ParentCodeId")], spells: &[] },
    Version { name: "5.4", lacks: &[], spells: &[] },
];

fn fields(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in row.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                fields.last_mut().expect("one at least").push('"');
            }
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().expect("one at least").push(other),
        }
    }
    fields
}

/// Rewrites a table as a version writes it.
fn as_of(version: &Version, table: &str, csv: &str) -> String {
    let header = fields(csv.lines().next().expect("a header"));
    let lacks = |at: usize| version.lacks.contains(&(table, header[at].as_str()));
    let mut out = String::new();
    for (number, line) in csv.lines().enumerate() {
        let mut kept: Vec<String> = fields(line)
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !lacks(*at))
            .map(|(_, field)| field)
            .collect();
        if number == 0 {
            for (_, name, spelling) in version.spells.iter().filter(|(of, ..)| *of == table) {
                let at = kept.iter().position(|column| column == name).expect("the column");
                kept[at] = (*spelling).to_owned();
            }
        }
        out += &(kept.join(",") + "\r\n");
    }
    out
}

#[test]
fn every_version_reads_as_the_newest_does_but_for_what_it_lacks() {
    let newest = Folder::of(&Order::full(12, 3, TODAY), crate::synth::emis::write);
    let mut expected = Store::new(&crate::emis::FEED);
    expected.apply(&newest);
    for version in VERSIONS {
        let folder = Folder::default();
        for (path, bytes) in newest.0.borrow().iter() {
            let parts: Vec<&str> = path.split('_').collect();
            let table = format!("{}_{}", parts[1], parts[2]);
            let csv = std::str::from_utf8(bytes).expect("text");
            let bytes = if path.ends_with(".csv") { as_of(version, &table, csv) } else { csv.to_owned() };
            folder.0.borrow_mut().insert(path.clone(), bytes.into_bytes());
        }
        let mut store = Store::new(&crate::emis::FEED);
        store.apply(&folder);
        for guid in expected.patients.keys() {
            let (read, newest) = (store.patient(guid), expected.patient(guid));
            assert!(read.problems.is_empty(), "{}: {:?}", version.name, read.problems);
            let text =
                |mapped: crate::feed::Mapped| String::from_utf8(mapped.document.expect("one")).expect("text");
            let (read, newest) = (text(read), text(newest));
            if version.name != "5.0" {
                assert_eq!(read, newest, "{}", version.name);
            }
            assert_eq!(read.matches("\"requester\"").count(), newest.matches("\"requester\"").count());
        }
    }
}
