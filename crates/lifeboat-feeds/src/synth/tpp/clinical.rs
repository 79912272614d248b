//! What is recorded about a patient, as rows.

use jiff::Span;
use jiff::civil::Date;
use serde_json::Value;

use super::lists::number_of;
use super::rows::{Rows, date, first, id_of, term, text, yes_or_no};

/// How many days lie between the issues of a repeat.
const ISSUED_EVERY_DAYS: i64 = 28;

impl Rows<'_> {
    /// Adds a drug sensitivity, or an allergy among the coded entries.
    pub(super) fn allergy(&mut self, allergy: &Value) {
        let is_drug = allergy["category"][0] == "medication";
        let is_over = allergy["clinicalStatus"]["coding"][0]["code"] == "resolved";
        let recorded = date(&allergy["recordedDate"]);
        let mut cells = self.done_by(&allergy["recorder"]).to_vec();
        cells.push(("DateEventRecorded", recorded.clone()));
        if is_drug {
            let drug = self.lists.drug(&term(&allergy["code"]));
            cells.extend([
                ("DateStarted", date(&allergy["onsetDateTime"])),
                ("DateEnded", if is_over { recorded } else { String::new() }),
                ("IDDrugCode", drug),
                ("IDMultiLexAction", "-1".to_owned()),
            ]);
            self.put("SRDrugSensitivity", &id_of(allergy), &cells);
        } else {
            cells.push(("DateEvent", date(&allergy["onsetDateTime"])));
            self.coded(&id_of(allergy), &allergy["code"], &cells);
        }
    }

    /// Adds a problem and the entry that it is a problem of.
    pub(super) fn problem(&mut self, problem: &Value) {
        let entry = number_of(&format!("entry of {}", text(&problem["id"])));
        let mut cells = self.done_by(&problem["recorder"]).to_vec();
        cells.extend([
            ("DateEvent", date(&problem["onsetDateTime"])),
            ("DateEventRecorded", date(&problem["recordedDate"])),
        ]);
        self.coded(&entry, &problem["code"], &cells);
        let significance = match problem["extension"][0]["valueCode"].as_str() {
            Some("major") => "Major",
            Some("minor") => "Minor",
            _ => "",
        };
        cells.extend([
            ("DateEnd", date(&problem["abatementDateTime"])),
            ("Severity", self.lists.mapping("Problem severity", significance)),
            ("IDCode", entry),
        ]);
        self.put("SRProblem", &id_of(problem), &cells);
    }

    /// Adds a repeat with its issues, an acute prescription, or what others prescribe.
    pub(super) fn medicine(&mut self, medicine: &Value) {
        let id = id_of(medicine);
        let dispense = &medicine["dispenseRequest"];
        let concept = &medicine["medicationCodeableConcept"];
        let start =
            first([&dispense["validityPeriod"]["start"], &medicine["effectivePeriod"]["start"]], date);
        let end = date(&dispense["validityPeriod"]["end"]);
        let quantity = [text(&dispense["quantity"]["value"]), text(&dispense["quantity"]["unit"])].join(" ");
        let dose = first([&medicine["dosageInstruction"][0]["text"], &medicine["dosage"][0]["text"]], text);
        let mut cells = self.done_by(&medicine["requester"]).to_vec();
        cells.extend([
            ("DateEvent", first([&medicine["authoredOn"], &medicine["dateAsserted"]], date)),
            ("IDMultiLexDMD", text(&concept["coding"][0]["code"])),
            ("NameOfMedication", term(concept)),
            ("MedicationDosage", dose),
            ("MedicationQuantity", quantity.trim().to_owned()),
        ]);
        if medicine["courseOfTherapyType"]["coding"][0]["code"] == "continuous" {
            self.repeat(medicine, &cells, (start, end));
            return;
        }
        let is_statement = medicine["resourceType"] == "MedicationStatement";
        let is_hospital = text(&medicine["note"][0]["text"]).to_lowercase().contains("hospital");
        cells.extend([
            ("DateMedicationStart", start),
            ("DateMedicationEnd", end),
            ("IsRepeatMedication", yes_or_no(false)),
            ("IsOtherMedication", yes_or_no(is_statement && !is_hospital)),
            ("IsHospitalMedication", yes_or_no(is_statement && is_hospital)),
            ("IsDentalMedication", yes_or_no(false)),
            ("IsSupervised", yes_or_no(false)),
            ("IDRepeatTemplate", "-1".to_owned()),
        ]);
        self.put("SRPrimaryCareMedication", &id, &cells);
    }

    fn repeat(&mut self, medicine: &Value, common: &[(&str, String)], (start, end): (String, String)) {
        let id = id_of(medicine);
        let dispense = &medicine["dispenseRequest"];
        let (issues, last, review) = issues(medicine);
        let mut cells = common.to_vec();
        cells.extend([
            ("DateMedicationTemplateStart", start),
            ("DateMedicationTemplateEnd", end),
            ("DateMedicationTemplateReview", review),
            ("MaxIssues", text(&dispense["numberOfRepeatsAllowed"])),
            ("CourseLengthPerIssue", text(&dispense["expectedSupplyDuration"]["value"])),
        ]);
        self.put("SRRepeatTemplate", &id, &cells);
        for number in 0..issues {
            let mut cells = common.to_vec();
            let before = last.map(|last| last.saturating_sub(Span::new().days(ISSUED_EVERY_DAYS * number)));
            let issued = before.map(|day| date(&Value::from(day.to_string()))).unwrap_or_default();
            cells.extend([
                ("DateMedicationStart", issued),
                ("IsRepeatMedication", yes_or_no(true)),
                ("IDRepeatTemplate", id.clone()),
            ]);
            self.put("SRPrimaryCareMedication", &number_of(&format!("issue {number} of {id}")), &cells);
        }
    }

    /// Adds an immunisation.
    pub(super) fn immunisation(&mut self, given: &Value) {
        let mut extensions = given["extension"].as_array().into_iter().flatten();
        let procedure =
            extensions.find(|one| one["valueCodeableConcept"].is_object()).cloned().unwrap_or_default();
        let code = text(&procedure["valueCodeableConcept"]["coding"][0]["code"]);
        let is_given = given["status"] != "not-done";
        let status = if is_given { "Given".to_owned() } else { term(&given["statusReason"]) };
        let mut cells = self.done_by(&given["performer"][0]["actor"]).to_vec();
        cells.extend([
            ("DateEvent", date(&given["occurrenceDateTime"])),
            ("DateEventRecorded", date(&given["recorded"])),
            ("IDImmunisationContent", self.lists.vaccine(&term(&given["vaccineCode"]))),
            ("Location", self.lists.mapping("Site", &term(&given["site"]))),
            ("ImmsSNOMEDCode", code),
            (
                "VaccPart",
                self.lists.mapping("Part", &text(&given["protocolApplied"][0]["doseNumberPositiveInt"])),
            ),
            ("VaccBatchNumber", text(&given["lotNumber"])),
            ("VaccinationStatus", self.lists.mapping("Vaccination status", &status)),
        ]);
        self.put("SRImmunisation", &id_of(given), &cells);
    }

    /// Adds a measurement: an entry with a number, or two of them for a blood pressure.
    pub(super) fn observation(&mut self, observation: &Value) {
        let mut cells = self.done_by(&observation["performer"][0]).to_vec();
        cells.extend([
            ("DateEvent", date(&observation["effectiveDateTime"])),
            ("DateEventRecorded", date(&observation["issued"])),
        ]);
        let parts = observation["component"].as_array().cloned().unwrap_or_default();
        for (at, part) in parts.iter().enumerate() {
            let id = if at == 0 {
                id_of(observation)
            } else {
                number_of(&format!("{at} of {}", text(&observation["id"])))
            };
            let mut cells = cells.clone();
            cells.extend(measured(&part["valueQuantity"]));
            self.coded(&id, &part["code"], &cells);
        }
        if !parts.is_empty() {
            return;
        }
        cells.extend(measured(&observation["valueQuantity"]));
        // An answer that is no number is a code of its own in SystmOne.
        let answer = &observation["valueCodeableConcept"];
        let concept = if answer.is_object() { answer } else { &observation["code"] };
        self.coded(&id_of(observation), concept, &cells);
    }

    /// Adds what is a coded entry of no special kind.
    pub(super) fn entry(&mut self, resource: &Value) {
        let dates = ["performedDateTime", "effectiveDateTime", "occurrenceDateTime", "date"];
        let concepts = [&resource["code"], &resource["type"]];
        let concept = concepts.into_iter().find(|concept| concept.is_object()).cloned().unwrap_or_default();
        let performer = &resource["performer"][0];
        let performer = if performer["actor"].is_object() { &performer["actor"] } else { performer };
        let mut cells = self.done_by(performer).to_vec();
        cells.push(("DateEvent", first(dates.iter().map(|name| &resource[*name]), date)));
        cells.push(("DateEventRecorded", date(&resource["issued"])));
        self.coded(&id_of(resource), &concept, &cells);
    }

    /// Adds something in the family: the words say so, for the codes of the condition itself would not.
    pub(super) fn family_history(&mut self, history: &Value) {
        let words = format!("FH: {}", term(&history["condition"][0]["code"]));
        let cells = [("DateEvent", date(&history["date"])), ("CTV3Text", words)];
        self.coded(&id_of(history), &Value::Null, &cells);
    }

    /// Adds a consultation and its reason, which is an entry in it.
    pub(super) fn encounter(&mut self, encounter: &Value) {
        let id = id_of(encounter);
        let place = text(&encounter["location"][0]["location"]["display"]);
        let who = self.done_by(&encounter["participant"][0]["individual"]);
        let practice = self.lists.organisation(&text(&encounter["serviceProvider"]["display"]));
        let mut cells = who.to_vec();
        cells.extend([
            ("DateEvent", date(&encounter["period"]["start"])),
            ("ContactMethod", self.lists.option("Contact method", &term(&encounter["type"][0]))),
            ("ContactEventLocation", self.lists.option("Contact location", &place)),
            ("EventIncomplete", yes_or_no(false)),
            ("ClinicalEvent", yes_or_no(true)),
            ("IDOrganisation", practice),
        ]);
        self.put("SREvent", &id, &cells);
        let mut cells = who.to_vec();
        cells.extend([("DateEvent", date(&encounter["period"]["start"])), ("IDEvent", id.clone())]);
        self.coded(&number_of(&format!("reason of {id}")), &encounter["reasonCode"][0], &cells);
    }

    /// Adds a referral.
    pub(super) fn referral(&mut self, referral: &Value) {
        let service = term(&referral["code"]).trim_start_matches("Referral to ").to_owned();
        let recipient = self.lists.organisation(&text(&referral["performer"][0]["display"]));
        let mut cells = self.done_by(&referral["requester"]).to_vec();
        cells.extend([
            ("DateEvent", date(&referral["authoredOn"])),
            ("Reason", self.lists.option("Referral reason", &term(&referral["reasonCode"][0]))),
            ("ServiceOffered", self.lists.option("Service", &service)),
            ("Urgency", self.lists.option("Urgency", &text(&referral["priority"]))),
            ("RecipientID", recipient),
            ("RecipientIDType", self.lists.mapping("Recipient", "Organisation")),
        ]);
        self.put("SRReferralOut", &id_of(referral), &cells);
    }

    /// Adds a recall.
    pub(super) fn recall(&mut self, recall: &Value) {
        let mut cells = self.done_by(&recall["requester"]).to_vec();
        cells.extend([
            ("DateRecall", date(&recall["occurrenceDateTime"])),
            ("RecallType", term(&recall["code"])),
            ("RecallStatus", self.lists.mapping("Recall status", "Waiting")),
        ]);
        self.put("SRRecall", &id_of(recall), &cells);
    }

    /// Adds a note that everybody must see.
    pub(super) fn special_note(&mut self, flag: &Value) {
        let kind = text(&flag["code"]["coding"][0]["display"]);
        let cells = [
            ("DateStart", date(&flag["period"]["start"])),
            ("IDProfileEnteredBy", self.lists.profile(&text(&flag["author"]["display"]))),
            ("Type", kind),
            ("Note", text(&flag["code"]["text"])),
        ];
        self.put("SRSpecialNotes", &id_of(flag), &cells);
    }

    /// Adds what is known of a document.
    pub(super) fn document(&mut self, document: &Value) {
        let attachment = &document["content"][0]["attachment"];
        let cells = [
            ("DocumentUID", text(&document["id"])),
            ("DateEvent", date(&document["date"])),
            ("FileName", text(&attachment["title"])),
            ("FileSize", text(&attachment["size"])),
            ("SenderOrganisation", text(&document["author"][0]["display"])),
            ("CommunicationType", self.lists.mapping("Communication type", &term(&document["type"]))),
        ];
        self.put("SRMedia", &id_of(document), &cells);
    }
}

fn measured(quantity: &Value) -> Vec<(&'static str, String)> {
    if quantity.is_null() {
        return Vec::new();
    }
    vec![
        ("IsNumeric", yes_or_no(true)),
        ("NumericComparator", "=".to_owned()),
        ("NumericValue", text(&quantity["value"])),
        ("NumericUnit", text(&quantity["unit"])),
    ]
}

/// Returns how often a repeat was issued, when last, and when it is to be reviewed.
fn issues(medicine: &Value) -> (i64, Option<Date>, String) {
    let parts = |part: &Value| part["extension"].as_array().cloned().unwrap_or_default();
    let extensions = parts(medicine);
    let named = |extensions: &[Value], name: &str| {
        extensions.iter().find(|one| text(&one["url"]).contains(name)).cloned().unwrap_or_default()
    };
    let information = parts(&named(&extensions, "RepeatInformation"));
    let count = named(&information, "numberOfPrescriptionsIssued")["valueUnsignedInt"].as_i64().unwrap_or(0);
    let review = date(&named(&information, "authorisationExpiryDate")["valueDateTime"]);
    let last = text(&named(&extensions, "LastIssuedDate")["valueDateTime"]).parse().ok();
    (count, last, review)
}
