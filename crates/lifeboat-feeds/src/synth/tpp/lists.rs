//! What the rows of a made-up SystmOne extract look up: staff, options, vaccines, drugs.

use super::fields;
use crate::synth::RowSet;

/// Rows of the tables that others look up, each once.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) rows: RowSet,
}

/// A number that follows from a text.
pub(super) fn number_of(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % 1_000_000_000_000).to_string()
}

impl Lists {
    fn put(&mut self, table: &'static str, key: &str, cells: &[(&str, String)]) {
        let mut cells = cells.to_vec();
        cells.push(("RowIdentifier", key.to_owned()));
        self.rows.put(table, key, fields(table, &cells));
    }

    /// Returns the number of a member of staff by name; empty for nobody.
    pub(super) fn staff(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let id = number_of(name);
        self.put("SRStaffMember", &id, &[("StaffName", name.to_owned())]);
        self.put("SRStaffMemberProfile", &id, &[("IDStaffMember", id.clone())]);
        id
    }

    /// Returns the number of an option of some list; empty for an empty one.
    pub(super) fn option(&mut self, words: &str) -> String {
        if words.is_empty() {
            return String::new();
        }
        let id = number_of(&format!("option {words}"));
        self.put("SRConfiguredListOption", &id, &[("ConfiguredListOption", words.to_owned())]);
        id
    }

    /// Returns the number of a drug.
    pub(super) fn drug(&mut self, code: &str, name: &str) -> String {
        let id = number_of(&format!("drug {name}"));
        let cells = [("DrugReadCode", code.to_owned()), ("DrugReadCodeDesc", name.to_owned())];
        self.put("SRMedicationReadCodeDetails", &id, &cells);
        id
    }

    /// Returns the number of what a vaccine contains.
    pub(super) fn vaccine(&mut self, name: &str) -> String {
        let id = number_of(&format!("vaccine {name}"));
        self.put("SRImmunisationContent", &id, &[("Name", name.to_owned())]);
        id
    }

    /// Adds the practice itself.
    pub(super) fn practice(&mut self) {
        let cells = [
            ("Name", "Lifeboat Demonstration Surgery".to_owned()),
            ("ID", "A81001".to_owned()),
            ("NameOfTown", "Port Selkie".to_owned()),
            ("FullPostCode", "ZZ99 1AA".to_owned()),
        ];
        self.put("SROrganisation", "1", &cells);
    }
}
