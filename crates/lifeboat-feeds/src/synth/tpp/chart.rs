//! A patient's chart as rows of SystmOne's tables.

use jiff::Timestamp;
use jiff::civil::Date;
use lifeboat_clinical::date::london;
use lifeboat_clinical::synth::Practice;
use serde_json::Value;

use super::fields;
use super::lists::{Lists, number_of};
use crate::synth::{Order, RowSet};

/// One patient's rows in the making.
struct Rows<'a> {
    rows: RowSet,
    lists: &'a mut Lists,
    patient: String,
}

/// The number of a patient of this FHIR id.
fn patient_number(id: &str) -> String {
    number_of(&format!("patient {id}"))
}

/// Returns the rows of a patient.
pub(super) fn rows(order: &Order, chart: &[Value], index: usize, lists: &mut Lists) -> RowSet {
    let id = chart.first().map(|patient| text(&patient["id"])).unwrap_or_default();
    let mut rows = Rows { rows: RowSet::default(), lists, patient: patient_number(&id) };
    for resource in chart {
        match resource["resourceType"].as_str().unwrap_or_default() {
            "Patient" => rows.patient(resource, index),
            "AllergyIntolerance" => rows.allergy(resource),
            "Condition" => rows.problem(resource),
            "MedicationRequest" | "MedicationStatement" => rows.medicine(resource),
            "Immunization" => rows.immunisation(resource),
            "Observation" => rows.observation(resource),
            "Encounter" => rows.encounter(resource),
            "ServiceRequest" if resource["intent"] == "order" => rows.referral(resource),
            "ServiceRequest" => rows.recall(resource),
            "Flag" => rows.special_note(resource),
            _ => rows.entry(resource),
        }
    }
    rows.pad(order);
    rows.rows
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn term(concept: &Value) -> String {
    let words = text(&concept["text"]);
    if words.is_empty() { text(&concept["coding"][0]["display"]) } else { words }
}

/// A FHIR date as SystmOne writes it. SystmOne keeps whole dates: what is not known of one becomes its first day.
fn date(value: &Value) -> String {
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

fn first<'v>(values: impl IntoIterator<Item = &'v Value>, read: fn(&Value) -> String) -> String {
    values.into_iter().map(read).find(|text| !text.is_empty()).unwrap_or_default()
}

impl Rows<'_> {
    fn put(&mut self, table: &'static str, id: &str, cells: &[(&str, String)]) {
        let mut all = cells.to_vec();
        all.push(("RowIdentifier", id.to_owned()));
        if table != "SRPatient" {
            all.push(("IDPatient", self.patient.clone()));
        }
        self.rows.put(table, id, fields(table, &all));
    }

    fn id(resource: &Value) -> String {
        number_of(&text(&resource["id"]))
    }

    fn who(&mut self, reference: &Value) -> String {
        self.lists.staff(&text(&reference["display"]))
    }

    fn patient(&mut self, patient: &Value, index: usize) {
        let id = self.patient.clone();
        let names = patient["name"].as_array().cloned().unwrap_or_default();
        let given: Vec<String> =
            names.first().and_then(|name| name["given"].as_array()).into_iter().flatten().map(text).collect();
        let maiden = names.iter().find(|name| name["use"] == "maiden").map(|name| text(&name["family"]));
        let telecom = patient["telecom"].as_array().cloned().unwrap_or_default();
        let email =
            telecom.iter().find(|entry| entry["system"] == "email").map(|entry| text(&entry["value"]));
        let identifiers = patient["identifier"].as_array().cloned().unwrap_or_default();
        let nhs = identifiers.iter().find(|entry| text(&entry["system"]).ends_with("nhs-number"));
        let verified = nhs.map(|nhs| {
            nhs["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "number-present-and-verified"
        });
        let gender = match patient["gender"].as_str() {
            Some("male") => "M",
            Some("female") => "F",
            Some(_) => "I",
            None => "",
        };
        let name = &patient["name"][0];
        let cells = [
            ("Title", text(&name["prefix"][0])),
            ("FirstName", given.first().cloned().unwrap_or_default()),
            ("MiddleNames", given.iter().skip(1).cloned().collect::<Vec<_>>().join(" ")),
            ("Surname", text(&name["family"])),
            ("PreviousSurname", maiden.unwrap_or_default()),
            ("NHSNumber", nhs.map(|nhs| text(&nhs["value"])).unwrap_or_default()),
            ("DateBirth", date(&patient["birthDate"])),
            ("DateDeath", date(&patient["deceasedDateTime"])),
            ("Gender", gender.to_owned()),
            ("EmailAddress", email.unwrap_or_default()),
            ("TestPatient", "0".to_owned()),
            ("SpineMatched", verified.map(|verified| u8::from(verified).to_string()).unwrap_or_default()),
        ];
        self.put("SRPatient", &id, &cells);
        self.whereabouts(patient, &telecom, index);
        let left = patient["active"] == Value::Bool(false);
        let usual = self.who(&patient["generalPractitioner"][0]);
        let cells = [
            ("DateRegistration", date(&patient["meta"]["lastUpdated"])),
            ("DateDeRegistration", if left { date(&patient["meta"]["lastUpdated"]) } else { String::new() }),
            ("IDProfileEnteredBy", usual),
        ];
        self.put("SRPatientRegistration", &number_of(&format!("registration {id}")), &cells);
    }

    fn whereabouts(&mut self, patient: &Value, telecom: &[Value], _: usize) {
        let id = self.patient.clone();
        let address = &patient["address"][0];
        let lines: Vec<String> = address["line"].as_array().into_iter().flatten().map(text).collect();
        let kind = self.lists.option("Home");
        let cells = [
            ("NameOfRoad", lines.first().cloned().unwrap_or_default()),
            ("NameOfLocality", lines.get(1).cloned().unwrap_or_default()),
            ("NameOfTown", text(&address["city"])),
            ("NameOfCounty", text(&address["district"])),
            ("FullPostCode", text(&address["postalCode"])),
            ("AddressType", "Home".to_owned()),
        ];
        self.put("SRPatientAddressHistory", &number_of(&format!("address {id}")), &cells);
        drop(kind);
        for phone in telecom.iter().filter(|entry| entry["system"] == "phone") {
            let usage = text(&phone["use"]);
            let kind = self.lists.option(&format!("{usage} telephone"));
            let cells = [("ContactType", kind), ("ContactNumber", text(&phone["value"]))];
            self.put("SRPatientContactDetails", &number_of(&format!("{usage} {id}")), &cells);
        }
        for contact in patient["contact"].as_array().into_iter().flatten() {
            let given: Vec<String> =
                contact["name"]["given"].as_array().into_iter().flatten().map(text).collect();
            let kind = self.lists.option(&term(&contact["relationship"][0]));
            let cells = [
                ("RelationshipType", kind),
                ("RelationshipWithName", format!("{} {}", given.join(" "), text(&contact["name"]["family"]))),
                ("RelationshipWithMobileTelephone", text(&contact["telecom"][0]["value"])),
            ];
            self.put("SRPatientRelationship", &number_of(&format!("relation {id}")), &cells);
        }
    }

    fn coded(&mut self, resource: &Value, concept: &Value, more: &[(&str, String)]) {
        let coding = &concept["coding"][0];
        let is_snomed = coding["system"] == "http://snomed.info/sct";
        let mut cells = vec![
            ("SNOMEDCode", if is_snomed { text(&coding["code"]) } else { String::new() }),
            ("SNOMEDText", if is_snomed { term(concept) } else { String::new() }),
            ("CTV3Text", term(concept)),
        ];
        cells.extend_from_slice(more);
        self.put("SRCode", &Self::id(resource), &cells);
    }

    fn allergy(&mut self, allergy: &Value) {
        let who = self.who(&allergy["recorder"]);
        let is_drug = allergy["category"][0] == "medication";
        let resolved = allergy["clinicalStatus"]["coding"][0]["code"] == "resolved";
        let when = [("IDDoneBy", who), ("DateEventRecorded", date(&allergy["recordedDate"]))];
        if is_drug {
            let concept = &allergy["code"];
            let drug = self.lists.drug(&text(&concept["coding"][0]["code"]), &term(concept));
            let ended = if resolved { date(&allergy["recordedDate"]) } else { String::new() };
            let mut cells = vec![
                ("DateStarted", date(&allergy["onsetDateTime"])),
                ("DateEnded", ended),
                ("IDDrugCode", drug),
            ];
            cells.extend(when);
            self.put("SRDrugSensitivity", &Self::id(allergy), &cells);
        } else {
            let mut cells =
                vec![("DateEvent", first([&allergy["onsetDateTime"], &allergy["recordedDate"]], date))];
            cells.extend(when);
            self.coded(allergy, &allergy["code"], &cells);
        }
    }

    fn problem(&mut self, problem: &Value) {
        let who = self.who(&problem["recorder"]);
        let id = Self::id(problem);
        let is_active = problem["clinicalStatus"]["coding"][0]["code"] == "active";
        let ended = first([&problem["abatementDateTime"], &problem["recordedDate"]], date);
        let when = date(&problem["onsetDateTime"]);
        let cells = [
            ("DateEvent", when.clone()),
            ("DateEventRecorded", date(&problem["recordedDate"])),
            ("DateEnd", if is_active { String::new() } else { ended }),
            ("IDDoneBy", who.clone()),
            ("IDCode", id.clone()),
        ];
        self.put("SRProblem", &id, &cells);
        let cells =
            [("DateEvent", when), ("DateEventRecorded", date(&problem["recordedDate"])), ("IDDoneBy", who)];
        self.coded(problem, &problem["code"], &cells);
    }

    fn medicine(&mut self, medicine: &Value) {
        let who = self.who(&medicine["requester"]);
        let id = Self::id(medicine);
        let is_statement = medicine["resourceType"] == "MedicationStatement";
        let is_repeat = medicine["courseOfTherapyType"]["coding"][0]["code"] == "continuous";
        let dispense = &medicine["dispenseRequest"];
        let concept = &medicine["medicationCodeableConcept"];
        let start =
            first([&dispense["validityPeriod"]["start"], &medicine["effectivePeriod"]["start"]], date);
        let end = date(&dispense["validityPeriod"]["end"]);
        let quantity = [text(&dispense["quantity"]["value"]), text(&dispense["quantity"]["unit"])].join(" ");
        let dose = first([&medicine["dosageInstruction"][0]["text"], &medicine["dosage"][0]["text"]], text);
        let mut cells = vec![
            ("DateEvent", first([&medicine["authoredOn"], &medicine["dateAsserted"]], date)),
            ("IDDoneBy", who.clone()),
            ("IDMultiLexDMD", text(&concept["coding"][0]["code"])),
            ("NameOfMedication", term(concept)),
            ("MedicationDosage", dose),
            ("MedicationQuantity", quantity.trim().to_owned()),
        ];
        if !is_repeat {
            cells.extend([("DateMedicationStart", start), ("DateMedicationEnd", end)]);
            cells.push(("IsOtherMedication", u8::from(is_statement).to_string()));
            self.put("SRPrimaryCareMedication", &id, &cells);
            return;
        }
        let (count, last, review) = issues(medicine);
        cells.extend([
            ("DateMedicationTemplateStart", start),
            ("DateMedicationTemplateEnd", end),
            ("DateMedicationTemplateReview", review),
            ("MaxIssues", text(&dispense["numberOfRepeatsAllowed"])),
            ("CourseLengthPerIssue", text(&dispense["expectedSupplyDuration"]["value"])),
        ]);
        self.put("SRRepeatTemplate", &id, &cells);
        for number in 0..count {
            let cells = [
                ("DateMedicationStart", last.clone()),
                ("NameOfMedication", term(concept)),
                ("IsRepeatMedication", "1".to_owned()),
                ("IDRepeatTemplate", id.clone()),
                ("IDDoneBy", who.clone()),
            ];
            self.put("SRPrimaryCareMedication", &number_of(&format!("issue {number} of {id}")), &cells);
        }
    }

    fn immunisation(&mut self, given: &Value) {
        let who = self.who(&given["performer"][0]["actor"]);
        let mut extensions = given["extension"].as_array().into_iter().flatten();
        let procedure = extensions.find_map(|extension| {
            extension["valueCodeableConcept"].as_object().map(|_| &extension["valueCodeableConcept"])
        });
        let procedure = procedure.unwrap_or(&Value::Null);
        let content = self.lists.vaccine(&term(&given["vaccineCode"]));
        let status = if given["status"] == "not-done" { term(&given["statusReason"]) } else { String::new() };
        let status = self.lists.option(&status);
        let vaccination = self.lists.option(&term(procedure));
        let place = self.lists.option(&term(&given["site"]));
        let cells = [
            ("DateEvent", date(&given["occurrenceDateTime"])),
            ("DateEventRecorded", date(&given["recorded"])),
            ("IDDoneBy", who),
            ("IDVaccination", vaccination),
            ("IDImmunisationContent", content),
            ("Location", place),
            ("ImmsSNOMEDCode", text(&procedure["coding"][0]["code"])),
            ("VaccPart", text(&given["protocolApplied"][0]["doseNumberPositiveInt"])),
            ("VaccBatchNumber", text(&given["lotNumber"])),
            ("VaccinationStatus", status),
        ];
        self.put("SRImmunisation", &Self::id(given), &cells);
    }

    fn observation(&mut self, observation: &Value) {
        let reference = &observation["performer"][0];
        let staff = self.who(reference);
        let cells = [
            ("DateEvent", date(&observation["effectiveDateTime"])),
            ("DateEventRecorded", date(&observation["issued"])),
            ("IDDoneBy", staff),
        ];
        let parts = observation["component"].as_array().cloned().unwrap_or_default();
        for (at, part) in parts.iter().enumerate() {
            let mut part = part.clone();
            part["id"] = Value::from(format!("{}-{at}", text(&observation["id"])));
            let concept = part["code"].clone();
            let mut cells = cells.to_vec();
            cells.extend(measured(&part["valueQuantity"]));
            self.coded(&part, &concept, &cells);
        }
        if !parts.is_empty() {
            return;
        }
        let mut cells = cells.to_vec();
        cells.extend(measured(&observation["valueQuantity"]));
        // An answer that is no number is a code of its own in SystmOne.
        let answer = &observation["valueCodeableConcept"];
        let concept = if answer.is_object() { answer.clone() } else { observation["code"].clone() };
        self.coded(observation, &concept, &cells);
    }

    /// Writes what is a coded entry of no special kind.
    fn entry(&mut self, resource: &Value) {
        let dates = ["performedDateTime", "effectiveDateTime", "occurrenceDateTime", "date"];
        let when = first(dates.iter().map(|name| &resource[*name]), date);
        let concepts = [&resource["code"], &resource["type"], &resource["condition"][0]["code"]];
        let concept =
            concepts.into_iter().find(|concept| concept.is_object()).cloned().unwrap_or(Value::Null);
        let performer = text(&resource["performer"][0]["actor"]["display"]);
        self.coded(resource, &concept, &[("DateEvent", when), ("TextualEventDoneBy", performer)]);
    }

    fn encounter(&mut self, encounter: &Value) {
        let who = self.who(&encounter["participant"][0]["individual"]);
        let method = self.lists.option(&term(&encounter["type"][0]));
        let title = self.lists.option(&term(&encounter["reasonCode"][0]));
        let cells = [
            ("DateEvent", date(&encounter["period"]["start"])),
            ("IDDoneBy", who),
            ("ContactMethod", method),
            ("ContactEventLocation", title),
        ];
        self.put("SREvent", &Self::id(encounter), &cells);
    }

    fn referral(&mut self, referral: &Value) {
        let who = self.who(&referral["requester"]);
        let specialty = term(&referral["code"]).trim_start_matches("Referral to ").to_owned();
        let kind = self.lists.option(&specialty);
        let urgency = self.lists.option(&text(&referral["priority"]));
        let reason = self.lists.option(&term(&referral["reasonCode"][0]));
        let service = self.lists.option(&text(&referral["performer"][0]["display"]));
        let cells = [
            ("DateEvent", date(&referral["authoredOn"])),
            ("IDDoneBy", who),
            ("TypeOfReferral", kind),
            ("Reason", reason),
            ("ServiceOffered", service),
            ("Urgency", urgency),
        ];
        self.put("SRReferralOut", &Self::id(referral), &cells);
    }

    fn recall(&mut self, recall: &Value) {
        let who = self.who(&recall["requester"]);
        let kind = self.lists.option(&term(&recall["code"]));
        let status = self.lists.option("Active");
        let cells = [
            ("DateRecall", date(&recall["occurrenceDateTime"])),
            ("RecallType", kind),
            ("RecallStatus", status),
            ("IDDoneBy", who),
        ];
        self.put("SRRecall", &Self::id(recall), &cells);
    }

    fn special_note(&mut self, flag: &Value) {
        let who = self.who(&flag["author"]);
        let kind = self.lists.option(&text(&flag["code"]["coding"][0]["display"]));
        let cells = [
            ("DateStart", date(&flag["period"]["start"])),
            ("IDProfileEnteredBy", who),
            ("Type", kind),
            ("Note", term(&flag["code"])),
        ];
        self.put("SRSpecialNotes", &Self::id(flag), &cells);
    }

    /// Adds dated measurements until the patient has as many rows as were ordered.
    fn pad(&mut self, order: &Order) {
        let have = self.rows.iter().count();
        for number in have..order.rows_per_patient.unwrap_or(0) {
            let back = i64::try_from(number % 6_000).unwrap_or(0) + 1;
            let day = order.today.saturating_sub(jiff::Span::new().days(back));
            let cells = [
                ("DateEvent", day.strftime("%d %b %Y 00:00:00").to_string()),
                ("SNOMEDCode", "364075005".to_owned()),
                ("SNOMEDText", "Heart rate".to_owned()),
                ("IsNumeric", "1".to_owned()),
                ("NumericValue", (50 + number % 60).to_string()),
                ("NumericUnit", "beats/min".to_owned()),
            ];
            let id = number_of(&format!("history {number} of {}", self.patient));
            self.put("SRCode", &id, &cells);
        }
    }
}

fn measured(quantity: &Value) -> Vec<(&'static str, String)> {
    if !quantity.is_object() {
        return vec![("IsNumeric", "0".to_owned())];
    }
    vec![
        ("IsNumeric", "1".to_owned()),
        ("NumericValue", text(&quantity["value"])),
        ("NumericUnit", text(&quantity["unit"])),
    ]
}

/// How often a repeat was issued, when last, and until when it is authorised.
fn issues(medicine: &Value) -> (u64, String, String) {
    let (mut count, mut last, mut review) = (0, String::new(), String::new());
    for extension in medicine["extension"].as_array().into_iter().flatten() {
        if text(&extension["url"]).ends_with("LastIssuedDate") {
            last = date(&extension["valueDateTime"]);
        }
        for part in extension["extension"].as_array().into_iter().flatten() {
            match part["url"].as_str() {
                Some("numberOfPrescriptionsIssued") => count = part["valueUnsignedInt"].as_u64().unwrap_or(0),
                Some("authorisationExpiryDate") => review = date(&part["valueDateTime"]),
                _ => {}
            }
        }
    }
    (count, last, review)
}

/// Returns the row of an appointment.
pub(super) fn appointment(
    appointment: &Value,
    _: &Practice,
    lists: &mut Lists,
) -> (&'static str, Vec<String>) {
    let participants = appointment["participant"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str| {
        let prefix = format!("{kind}/");
        let actors = participants.iter().map(|participant| &participant["actor"]);
        actors
            .into_iter()
            .find(|actor| text(&actor["reference"]).starts_with(&prefix))
            .cloned()
            .unwrap_or(Value::Null)
    };
    let patient = text(&of("Patient")["reference"]);
    let clinician = lists.staff(&text(&of("Practitioner")["display"]));
    let words = match appointment["status"].as_str() {
        Some("cancelled") => "Cancelled by Patient",
        Some("noshow") => "Did Not Attend",
        Some("fulfilled") => "Finished",
        Some("arrived") => "Arrived",
        _ => "Booked",
    };
    let status = lists.option(words);
    let channel = appointment["extension"][0]["valueCode"].as_str();
    let cells = [
        ("RowIdentifier", number_of(&text(&appointment["id"]))),
        ("DateStart", date(&appointment["start"])),
        ("DateEnd", date(&appointment["end"])),
        ("AppointmentStatus", status),
        ("DateAppointmentBooked", date(&appointment["created"])),
        ("TelephoneAppointment", u8::from(channel == Some("Telephone")).to_string()),
        ("IDClinician", clinician),
        ("RotaName", text(&appointment["description"])),
        ("RotaType", term(&appointment["serviceType"][0])),
        ("RotaLocation", text(&of("Location")["display"])),
        ("IDPatient", patient_number(patient.trim_start_matches("Patient/"))),
    ];
    ("SRAppointment", fields("SRAppointment", &cells))
}
