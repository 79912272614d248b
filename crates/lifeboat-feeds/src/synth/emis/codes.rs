//! What the patients of the extract share: codes, staff, organisations, the place.

use std::collections::BTreeMap;

use lifeboat_clinical::synth::{Practice, SITE_CODE};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Row;
use super::lines::{guid, text};
use crate::synth::RowSet;

const SNOMED: &str = "http://snomed.info/sct";
const NO_KNOWN_ALLERGY: &str = "716186003";
const NO_KNOWN_ALLERGIES_READ: &str = "1151.00";
/// The name under which the practice's organisation goes.
const PRACTICE: &str = "organization-a81001";

/// What patients share; it grows with the codes that occur, not with the patients.
pub(super) struct Shared {
    staff: Vec<Value>,
    clinical: BTreeMap<u64, Code>,
    drugs: BTreeMap<u64, Code>,
    organisations: BTreeMap<String, String>,
}

/// A code, as the tables of codes say it.
#[derive(Clone)]
struct Code {
    term: String,
    /// The SNOMED CT concept, or the product in the dictionary of medicines.
    concept: String,
    category: &'static str,
}

impl Shared {
    pub(super) fn of(practice: &Practice) -> Self {
        let (_, mut bundle) = practice.shared();
        let entries = bundle["entry"].as_array_mut().map(std::mem::take).unwrap_or_default();
        Self {
            staff: entries.into_iter().map(|mut entry| entry["resource"].take()).collect(),
            clinical: BTreeMap::new(),
            drugs: BTreeMap::new(),
            organisations: BTreeMap::new(),
        }
    }

    /// Returns the number of a concept's code in this category.
    pub(super) fn code(&mut self, concept: &Value, category: &'static str) -> String {
        let codings = concept["coding"].as_array();
        let snomed = codings.into_iter().flatten().find(|coding| coding["system"] == SNOMED);
        let code = snomed.map(|coding| text(coding, "/code")).unwrap_or_default();
        let display = snomed.map(|coding| text(coding, "/display")).unwrap_or_default();
        let term = if display.is_empty() { text(concept, "/text") } else { display };
        self.named_code(term, code, category)
    }

    /// Returns the number of a code.
    pub(super) fn named_code(&mut self, term: &str, snomed: &str, category: &'static str) -> String {
        let id = number_of(&format!("{term}|{snomed}|{category}"));
        let code = Code { term: term.to_owned(), concept: snomed.to_owned(), category };
        self.clinical.insert(id, code);
        id.to_string()
    }

    /// Returns the number of a medicine's code.
    pub(super) fn drug(&mut self, concept: &Value) -> String {
        let code = text(concept, "/coding/0/code");
        let display = text(concept, "/coding/0/display");
        let term = if display.is_empty() { text(concept, "/text") } else { display };
        let id = number_of(&format!("{term}|{code}"));
        self.drugs.insert(id, Code { term: term.to_owned(), concept: code.to_owned(), category: "" });
        id.to_string()
    }

    /// Returns the GUID of an organisation by its name.
    pub(super) fn organisation(&mut self, name: &str) -> String {
        let guid = guid(name);
        self.organisations.insert(guid.clone(), name.to_owned());
        guid
    }

    /// Returns the rows of staff and places.
    pub(super) fn staff_rows(&self) -> RowSet {
        let mut rows = RowSet::default();
        let of_kind = |kind: &'static str| self.staff.iter().filter(move |one| one["resourceType"] == kind);
        for practitioner in of_kind("Practitioner") {
            let id = text(practitioner, "/id");
            let reference = format!("Practitioner/{id}");
            let role = of_kind("PractitionerRole")
                .find(|role| role["practitioner"]["reference"] == reference.as_str());
            Row::of("Admin_UserInRole")
                .set("UserInRoleGuid", guid(id))
                .set("OrganisationGuid", practice_guid())
                .set("Title", text(practitioner, "/name/0/prefix/0"))
                .set("GivenName", text(practitioner, "/name/0/given/0"))
                .set("Surname", text(practitioner, "/name/0/family"))
                .set(
                    "JobCategoryName",
                    role.map(|role| text(role, "/code/0/coding/0/display")).unwrap_or_default(),
                )
                .set("ContractStartDate", "2015-04-01")
                .put(&mut rows);
        }
        for location in of_kind("Location") {
            Row::of("Admin_Location")
                .set("LocationGuid", guid(text(location, "/id")))
                .set("LocationName", text(location, "/name"))
                .set("LocationTypeDescription", "GP Practice")
                .set("NumberAndStreet", text(location, "/address/line/0"))
                .set("Town", text(location, "/address/city"))
                .set("Postcode", text(location, "/address/postalCode"))
                .put(&mut rows);
            Row::of("Admin_OrganisationLocation").put_pair(&guid(text(location, "/id")), &mut rows);
        }
        for organisation in of_kind("Organization") {
            Row::of("Admin_Organisation")
                .set("OrganisationGuid", practice_guid())
                .set("CDB", "5432")
                .set("OrganisationName", text(organisation, "/name"))
                .set("ODSCode", SITE_CODE)
                .set("OrganisationType", "GP Practice")
                .set("OpenDate", "1974-04-01")
                .put(&mut rows);
        }
        rows
    }

    /// Returns the rows of codes, other organisations and the sharing agreement.
    pub(super) fn rows(&self) -> RowSet {
        let mut rows = RowSet::default();
        for (id, code) in &self.clinical {
            let read = if code.concept == NO_KNOWN_ALLERGY { NO_KNOWN_ALLERGIES_READ } else { "" };
            Row::of("Coding_ClinicalCode")
                .set("CodeId", id.to_string())
                .set("Term", code.term.as_str())
                .set("ReadTermId", read)
                .set("SnomedCTConceptId", code.concept.as_str())
                .set("EmisCodeCategoryDescription", code.category)
                .put(&mut rows);
        }
        for (id, code) in &self.drugs {
            Row::of("Coding_DrugCode")
                .set("CodeId", id.to_string())
                .set("Term", code.term.as_str())
                .set("DmdProductCodeId", code.concept.as_str())
                .put(&mut rows);
        }
        for (guid, name) in &self.organisations {
            Row::of("Admin_Organisation")
                .set("OrganisationGuid", guid.as_str())
                .set("OrganisationName", name.as_str())
                .set("OrganisationType", "Hospital")
                .put(&mut rows);
        }
        Row::of("Agreements_SharingOrganisation")
            .set("OrganisationGuid", practice_guid())
            .set("IsActivated", "true")
            .set("LastModifiedDate", "2015-02-11 16:45:36")
            .set("Disabled", "false")
            .put(&mut rows);
        rows
    }
}

impl Row {
    /// Puts the row that says that the practice is at a place.
    fn put_pair(self, location: &str, rows: &mut RowSet) {
        self.set("OrganisationGuid", practice_guid())
            .set("LocationGuid", location)
            .set("IsMainLocation", "true")
            .put(rows);
    }
}

/// Returns the GUID of the practice.
pub(super) fn practice_guid() -> String {
    guid(PRACTICE)
}

/// Returns a number that stands for a text.
pub(super) fn number_of(text: &str) -> u64 {
    let hash = Sha256::digest(text.as_bytes());
    let bytes = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    bytes % 1_000_000_000_000
}
