//! What the rows of a made-up SystmOne extract look up: staff, options, vaccines, drugs, organisations.

use sha2::{Digest, Sha256};

use super::fields;
use crate::synth::RowSet;

/// The organisation whose extract it is.
pub(super) const PRACTICE: (&str, &str) = ("A81001", "Lifeboat Demonstration Surgery");

/// Rows of the tables that others look up, each once.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) rows: RowSet,
}

/// A number that follows from a text, as large as SystmOne's may be.
pub(crate) fn number_of(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let bytes = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    ((bytes >> 1).max(1)).to_string()
}

impl Lists {
    fn put(&mut self, table: &'static str, key: &str, cells: &[(&str, String)]) {
        let mut cells = cells.to_vec();
        cells.push(("RowIdentifier", key.to_owned()));
        self.rows.put(table, key, fields(table, &cells));
    }

    /// Returns the number of a member of staff by name; `-1` for nobody.
    pub(super) fn staff(&mut self, name: &str) -> String {
        if name.is_empty() {
            return "-1".to_owned();
        }
        let id = number_of(&format!("staff {name}"));
        self.put("SRStaffMember", &id, &[("StaffName", name.to_owned())]);
        id
    }

    /// Returns the number of a staff member's profile; `-1` for nobody.
    pub(super) fn profile(&mut self, name: &str) -> String {
        let member = self.staff(name);
        if name.is_empty() {
            return member;
        }
        let id = number_of(&format!("profile {name}"));
        let cells = [("IDStaffMember", member), ("IDOrganisation", PRACTICE.0.to_owned())];
        self.put("SRStaffMemberProfile", &id, &cells);
        id
    }

    /// Returns the number of a word of a fixed list; empty for an empty one.
    pub(super) fn mapping(&mut self, list: &str, words: &str) -> String {
        if words.is_empty() {
            return String::new();
        }
        let id = number_of(&format!("mapping {list} {words}"));
        let cells = [("IdMappingGroup", number_of(list)), ("Mapping", words.to_owned())];
        self.put("SRMapping", &id, &cells);
        id
    }

    /// Returns the number of an option of a list that organisations configure; empty for an empty one.
    pub(super) fn option(&mut self, list: &str, words: &str) -> String {
        if words.is_empty() {
            return String::new();
        }
        let id = number_of(&format!("option {list} {words}"));
        let cells = [("ConfiguredList", number_of(list)), ("ConfiguredListOption", words.to_owned())];
        self.put("SRConfiguredListOption", &id, &cells);
        id
    }

    /// Returns the Multilex product of a drug, which is not the number of its row.
    pub(super) fn drug(&mut self, name: &str) -> String {
        let product = number_of(&format!("product {name}"));
        let cells = [("IDMultiLexProduct", product.clone()), ("DrugReadCodeDesc", name.to_owned())];
        self.put("SRMedicationReadCodeDetails", &number_of(&format!("drug {name}")), &cells);
        product
    }

    /// Returns the number of what a vaccine contains.
    pub(super) fn vaccine(&mut self, name: &str) -> String {
        let id = number_of(&format!("vaccine {name}"));
        self.put("SRImmunisationContent", &id, &[("Name", name.to_owned())]);
        id
    }

    /// Returns the code of an organisation by its name; empty for none.
    pub(super) fn organisation(&mut self, name: &str) -> String {
        if name.is_empty() {
            return String::new();
        }
        let id = number_of(&format!("organisation {name}"));
        let code =
            if name == PRACTICE.1 { PRACTICE.0.to_owned() } else { format!("ZZ{}", &id[..id.len().min(4)]) };
        self.put("SROrganisation", &id, &[("Name", name.to_owned()), ("ID", code.clone())]);
        code
    }
}
