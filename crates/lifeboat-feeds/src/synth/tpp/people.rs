//! Who a patient is, as rows.

use serde_json::Value;

use super::lists::{PRACTICE, number_of};
use super::rows::{Rows, date, term, text, yes_or_no};

impl Rows<'_> {
    /// Adds the patient, their registration, address, numbers and relations.
    pub(super) fn patient(&mut self, patient: &Value) {
        let id = self.patient.clone();
        let name = &patient["name"][0];
        let given: Vec<String> = name["given"].as_array().into_iter().flatten().map(text).collect();
        let entries = |member: &str| patient[member].as_array().cloned().unwrap_or_default();
        let maiden =
            entries("name").iter().find(|name| name["use"] == "maiden").map(|name| text(&name["family"]));
        let telecom = entries("telecom");
        let email =
            telecom.iter().find(|entry| entry["system"] == "email").map(|entry| text(&entry["value"]));
        let identifiers = entries("identifier");
        let nhs = identifiers.iter().find(|entry| text(&entry["system"]).ends_with("nhs-number"));
        let verified = nhs.map(|nhs| {
            let code = &nhs["extension"][0]["valueCodeableConcept"]["coding"][0]["code"];
            yes_or_no(code == "number-present-and-verified")
        });
        let gender = match patient["gender"].as_str() {
            Some("male") => "M",
            Some("female") => "F",
            Some("other") => "I",
            Some(_) => "U",
            None => "",
        };
        let speaks = if patient["communication"].is_array() { "No" } else { "Yes" };
        let cells = [
            ("Title", text(&name["prefix"][0])),
            ("FirstName", given.first().cloned().unwrap_or_default()),
            ("MiddleNames", given.get(1..).unwrap_or_default().join(" ")),
            ("Surname", text(&name["family"])),
            ("PreviousSurname", maiden.unwrap_or_default()),
            ("NHSNumber", nhs.map(|nhs| text(&nhs["value"])).unwrap_or_default()),
            ("DateBirth", to_the_minute(&patient["birthDate"])),
            ("DateDeath", to_the_minute(&patient["deceasedDateTime"])),
            ("Gender", gender.to_owned()),
            ("SpeaksEnglish", self.lists.mapping("Speaks English", speaks)),
            ("EmailAddress", email.unwrap_or_default()),
            ("TestPatient", yes_or_no(false)),
            ("SpineMatched", verified.unwrap_or_default()),
        ];
        self.put("SRPatient", &id, &cells);
        self.registration(patient);
        self.address(&patient["address"][0]);
        for phone in telecom.iter().filter(|entry| entry["system"] == "phone") {
            let usage = text(&phone["use"]);
            let kind = self.lists.mapping("Contact type", &usage);
            let cells = [("ContactType", kind), ("ContactNumber", text(&phone["value"]))];
            self.put("SRPatientContactDetails", &number_of(&format!("{usage} {id}")), &cells);
        }
        for contact in entries("contact") {
            self.relation(&contact);
        }
    }

    fn registration(&mut self, patient: &Value) {
        let id = self.patient.clone();
        let is_left = patient["active"] == Value::Bool(false);
        let since = date(&patient["meta"]["lastUpdated"]);
        let died = date(&patient["deceasedDateTime"]);
        let ended = match (is_left, died.is_empty()) {
            (false, _) => String::new(),
            (true, true) => since.clone(),
            (true, false) => died,
        };
        let extensions = patient["extension"].as_array().into_iter().flatten();
        let pharmacy =
            extensions.map(|one| text(&one["valueReference"]["display"])).find(|name| !name.is_empty());
        let practice = self.lists.organisation(&text(&patient["managingOrganization"]["display"]));
        let cells = [
            ("DateRegistration", since.clone()),
            ("DateDeRegistration", ended),
            ("RegistrationStatus", "GMS".to_owned()),
            ("PreferredPharmacy", pharmacy.unwrap_or_default()),
            ("IDOrganisation", practice.clone()),
            ("IDOrganisationRegisteredAt", PRACTICE.0.to_owned()),
        ];
        self.put("SRPatientRegistration", &number_of(&format!("registration {id}")), &cells);
        let gp = self.lists.profile(&text(&patient["generalPractitioner"][0]["display"]));
        let cells = [("IDPractice", practice), ("IDProfileRegisteredGP", gp), ("DateFrom", since)];
        self.put("SRGPPracticeHistory", &number_of(&format!("practice {id}")), &cells);
        let cells =
            [("DateEvent", date(&patient["meta"]["lastUpdated"])), ("MedicalRecordStatus", "2".to_owned())];
        self.put("SRRecordStatus", &number_of(&format!("record {id}")), &cells);
    }

    fn address(&mut self, address: &Value) {
        let lines: Vec<String> = address["line"].as_array().into_iter().flatten().map(text).collect();
        let is_road = |line: &String| line.starts_with(|first: char| first.is_ascii_digit());
        let at = lines.iter().position(is_road).unwrap_or(0);
        let road = lines.get(at).cloned().unwrap_or_default();
        let (number, road) = match road.split_once(' ') {
            Some((number, road)) if number.starts_with(|first: char| first.is_ascii_digit()) => {
                (number.to_owned(), road.to_owned())
            }
            _ => (String::new(), road),
        };
        let kind = self.lists.mapping("Address type", "Home");
        let cells = [
            ("NameOfBuilding", lines.get(..at).unwrap_or_default().join(", ")),
            ("NumberOfBuilding", number),
            ("NameOfRoad", road),
            ("NameOfLocality", lines.get(at + 1..).unwrap_or_default().join(", ")),
            ("NameOfTown", text(&address["city"])),
            ("NameOfCounty", text(&address["district"])),
            ("FullPostCode", text(&address["postalCode"])),
            ("AddressType", kind),
        ];
        let id = number_of(&format!("address {}", self.patient));
        self.put("SRPatientAddressHistory", &id, &cells);
    }

    fn relation(&mut self, contact: &Value) {
        let kind = &contact["relationship"][0];
        let code = kind["coding"][0]["code"].as_str().unwrap_or_default();
        let name: Vec<String> = contact["name"]["given"]
            .as_array()
            .into_iter()
            .flatten()
            .chain([&contact["name"]["family"]])
            .map(text)
            .collect();
        let cells = [
            ("RelationshipType", self.lists.mapping("Relationship", &term(kind))),
            ("NextOfKin", yes_or_no(code == "N")),
            ("RelationshipWithName", name.join(" ").trim().to_owned()),
            ("RelationshipWithMobileTelephone", text(&contact["telecom"][0]["value"])),
        ];
        let id = number_of(&format!("relation {}", self.patient));
        self.put("SRPatientRelationship", &id, &cells);
    }
}

/// The table of patients writes times without seconds.
fn to_the_minute(value: &Value) -> String {
    let written = date(value);
    written.strip_suffix(":00").map(str::to_owned).unwrap_or(written)
}
