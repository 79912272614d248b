//! The made-up practice as a Vision extract.
//!
//! What Vision has no column for goes to `TEXT` in words, as a user of it would write it; what the extract cannot say at
//! all is listed with the test that reads it back.

pub mod forced;

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Span;
use lifeboat_clinical::synth::{Practice, SITE_CODE, SITE_NAME};
use serde_json::Value;

use super::{Order, RowSet, Sink, csv_row};
use crate::feed::TableFeed;
use crate::vision::FEED;

/// The tables with the names that their files carry.
const FILES: [(&str, &str); 6] = [
    ("Patient", "patient"),
    ("Journal", "journal"),
    ("Encounter", "encounter"),
    ("Referral", "referral"),
    ("Practice", "practice"),
    ("Staff", "staff"),
];
/// The id of the practice, and of the service that exports it.
const PRACTICE_ID: &str = "1";
const SERVICE_ID: &str = "1";

/// Writes an extract: `FULL_…` files, or `INCREMENTAL_…` ones for a later extract.
///
/// # Errors
/// A file cannot be made or written.
pub fn write(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    let practice = order.practice();
    let staff = Staff::of(&practice);
    let kind = if order.delta == 0 { "FULL" } else { "INCREMENTAL" };
    let first = order.today.at(0, 5, 0, 0);
    let exported = first.saturating_add(Span::new().minutes(i64::from(order.delta)));
    let stamp = exported.strftime("%Y-%m-%d-%H%M%S").to_string();
    let mut files: BTreeMap<&str, Box<dyn Write>> = BTreeMap::new();
    for (table, name) in FILES {
        files.insert(table, sink.file(&format!("{kind}_{SITE_CODE}_{name}_data_extract-{stamp}.csv"))?);
    }
    let mut put = |table: &str, fields: &[String]| match files.get_mut(table) {
        Some(file) => file.write_all(csv_row(fields.iter().map(String::as_str)).as_bytes()),
        None => Ok(()),
    };
    let mut shared = RowSet::default();
    staff.rows(&mut shared);
    for (table, _, fields) in shared.iter() {
        put(table, fields)?;
    }
    for index in (0..practice.patients()).filter(|index| order.holds(&practice, *index)) {
        let now = rows(order, &practice, &staff, index, order.delta);
        if order.delta == 0 {
            for (table, _, fields) in now.iter() {
                put(table, fields)?;
            }
            continue;
        }
        let before = rows(order, &practice, &staff, index, order.delta - 1);
        for (table, _, fields) in now.changed_since(&before) {
            put(table, fields)?;
        }
        for (table, _, fields) in now.gone_since(&before) {
            put(table, &deleted(table, fields))?;
        }
    }
    files.values_mut().try_for_each(|file| file.flush())
}

/// Returns a row that deletes the one of these fields.
fn deleted(table: &str, fields: &[String]) -> Vec<String> {
    let mut fields = fields.to_vec();
    let action = crate::feed::table(&FEED, table).and_then(|spec| spec.column("ACTION"));
    if let Some(action) = action.and_then(|at| fields.get_mut(at)) {
        *action = "D".to_owned();
    }
    fields
}

/// Who works there: the ids of the staff table by those of the practice's own resources.
struct Staff {
    people: BTreeMap<String, (String, Value)>,
}

impl Staff {
    fn of(practice: &Practice) -> Self {
        let (_, shared) = practice.shared();
        let entries = shared["entry"].as_array().cloned().unwrap_or_default();
        let people = entries.into_iter().map(|mut entry| entry["resource"].take());
        let people = people.filter(|resource| resource["resourceType"] == "Practitioner");
        let people = people.enumerate().map(|(at, person)| {
            let reference = format!("Practitioner/{}", text(&person["id"]));
            (reference, ((at + 1).to_string(), person))
        });
        Self { people: people.collect() }
    }

    fn rows(&self, rows: &mut RowSet) {
        let mut row = Row::of("Practice");
        row.set("ID", PRACTICE_ID).set("NAME", SITE_NAME).set("IDENTIFIER", SITE_CODE);
        row.set("ADDRESS_2", "1 Lantern Street").set("ADDRESS_4", "Port Selkie").set("POSTCODE", "ZZ99 1AA");
        row.put(rows, PRACTICE_ID);
        for (id, person) in self.people.values() {
            let name = &person["name"][0];
            let mut row = Row::of("Staff");
            row.set("ID", id).set("HCP_TYPE", "A").set("GMP_CODE", text(&person["identifier"][0]["value"]));
            row.set("SURNAME", text(&name["family"])).set("FORENAME", text(&name["given"][0]));
            row.set("TITLE", text(&name["prefix"][0])).set("SERVICE_ID", SERVICE_ID);
            row.put(rows, id);
        }
    }

    /// Returns how the extract writes whom a reference means: somebody of the staff, or by name somebody elsewhere.
    fn hcp(&self, reference: &Value) -> String {
        match (self.people.get(text(&reference["reference"])), text(&reference["display"])) {
            (Some((id, _)), _) => format!(":STAFF:{id}"),
            (None, "") => String::new(),
            (None, display) => format!(":EXT_STAFF:0,{display}"),
        }
    }
}

/// One row in the making.
struct Row {
    table: &'static str,
    fields: Vec<String>,
}

impl Row {
    fn of(table: &'static str) -> Self {
        let width = FEED.tables().iter().find(|spec| spec.name == table).map_or(0, |spec| spec.columns.len());
        Self { table, fields: vec![String::new(); width] }
    }

    fn set(&mut self, column: &str, value: impl AsRef<str>) -> &mut Self {
        let at = crate::feed::table(&FEED, self.table).and_then(|spec| spec.column(column));
        if let Some(field) = at.and_then(|at| self.fields.get_mut(at)) {
            value.as_ref().clone_into(field);
        }
        self
    }

    fn put(self, rows: &mut RowSet, key: &str) {
        rows.put(self.table, key, self.fields);
    }
}

/// One patient's rows in the making.
struct Export<'a> {
    staff: &'a Staff,
    pid: String,
    rows: RowSet,
}

/// Returns the rows of a patient as of an extract.
fn rows(order: &Order, practice: &Practice, staff: &Staff, index: usize, delta: u32) -> RowSet {
    let chart = order.chart(practice, index, delta);
    let mut export = Export { staff, pid: (index + 1).to_string(), rows: RowSet::default() };
    for resource in &chart {
        export.add(resource);
    }
    if let Some(wanted) = order.rows_per_patient {
        export.fill(wanted);
    }
    export.rows
}

impl Export<'_> {
    fn add(&mut self, resource: &Value) {
        match text(&resource["resourceType"]) {
            "Patient" => self.patient(resource),
            "Condition" => self.problem(resource),
            "AllergyIntolerance" => self.allergy(resource),
            "MedicationRequest" | "MedicationStatement" => self.medicine(resource),
            "Observation" => self.observation(resource),
            "Immunization" => self.immunisation(resource),
            "Encounter" => self.encounter(resource),
            "ServiceRequest" if resource["category"].is_array() => self.referral(resource),
            _ => self.other(resource),
        }
    }

    /// Adds measurements until there are as many rows as are wanted.
    fn fill(&mut self, wanted: usize) {
        for at in self.rows.iter().count()..wanted {
            let mut row = Row::of("Journal");
            let id = format!("9{at:011}");
            row.set("PID", &self.pid).set("ID", &id).set("SUBSET", "T").set("RUBRIC", "Body weight");
            row.set("SNOMED_CODE", "27113001").set("ENTITY", "WEIGHT").set("VALUE1_UNITS", "kg");
            row.set("DATE", format!("20{:02}{:02}{:02}", 10 + at % 15, 1 + at % 12, 1 + at % 28));
            row.set("VALUE1", format!("{}.{}", 60 + at % 30, at % 10)).set("SERVICE_ID", SERVICE_ID);
            let key = format!("{}:{id}", self.pid);
            row.put(&mut self.rows, &key);
        }
    }

    fn patient(&mut self, patient: &Value) {
        let official = &patient["name"][0];
        let address = &patient["address"][0];
        let lines: Vec<&str> = items(&address["line"]).map(text).collect();
        let given: Vec<&str> = items(&official["given"]).map(text).collect();
        let telecom = |place: &str, system: &str| {
            let found = items(&patient["telecom"]).find(|one| one["use"] == place && one["system"] == system);
            found.map_or("", |one| text(&one["value"]))
        };
        let nhs = items(&patient["identifier"]).find(|one| text(&one["system"]).ends_with("nhs-number"));
        let other = items(&patient["identifier"]).find(|one| !text(&one["system"]).ends_with("nhs-number"));
        let died = text(&patient["deceasedDateTime"]);
        let mut row = Row::of("Patient");
        row.set("PID", &self.pid).set("DATE_OF_BIRTH", compact(text(&patient["birthDate"])));
        row.set(
            "SEX",
            match text(&patient["gender"]) {
                "male" => "M",
                "female" => "F",
                "other" => "I",
                _ => "U",
            },
        );
        row.set("GP_USUAL", self.staff.hcp(&patient["generalPractitioner"][0]));
        row.set(
            "ACTIVE",
            match (died, &patient["active"]) {
                ("", Value::Bool(false)) => "L",
                ("", _) => "R",
                _ => "D",
            },
        );
        row.set("DATE_OF_DEATH", compact(died)).set("PRACTICE", PRACTICE_ID).set("SERVICE_ID", SERVICE_ID);
        row.set("SURNAME", text(&official["family"])).set("FORENAME", given.join(" "));
        row.set("TITLE", text(&official["prefix"][0]))
            .set("NHS_NUMBER", nhs.map_or("", |one| text(&one["value"])));
        row.set("PRACT_NUMBER", other.map_or("", |one| text(&one["value"])));
        for (column, line) in ["ADDRESS_1", "ADDRESS_2", "ADDRESS_3"].into_iter().zip(&lines) {
            row.set(column, line);
        }
        row.set("ADDRESS_4", text(&address["city"])).set("ADDRESS_5", text(&address["district"]));
        row.set("POSTCODE", text(&address["postalCode"])).set("ADDRESS", lines.join("|"));
        row.set("MOBILE_NUMBER", telecom("mobile", "phone")).set("PHONE_NUMBER", telecom("home", "phone"));
        row.set("EMAIL", telecom("home", "email"));
        let key = self.pid.clone();
        row.put(&mut self.rows, &key);
    }

    /// Begins a row of the journal about a resource.
    fn journal(&self, resource: &Value, subset: &str, code: &Value) -> Row {
        let mut row = Row::of("Journal");
        row.set("PID", &self.pid).set("ID", id(resource)).set("SUBSET", subset).set("SERVICE_ID", SERVICE_ID);
        let coding = &code["coding"][0];
        let is_drug = text(&coding["system"]).contains("dmd");
        row.set(if is_drug { "DMD_CODE" } else { "SNOMED_CODE" }, text(&coding["code"]));
        row.set("RUBRIC", words(code));
        row
    }

    fn put(&mut self, row: Row, resource: &Value) {
        let key = format!("{}:{}", self.pid, id(resource));
        row.put(&mut self.rows, &key);
    }

    fn problem(&mut self, problem: &Value) {
        let mut row = self.journal(problem, "P", &problem["code"]);
        row.set("DATE", compact(text(&problem["onsetDateTime"])));
        row.set("RECORDED_DATE", compact(text(&problem["recordedDate"])));
        row.set("END_DATE", compact(text(&problem["abatementDateTime"])));
        row.set("TEXT", notes(problem)).set("HCP", self.staff.hcp(&problem["recorder"]));
        self.put(row, problem);
    }

    fn allergy(&mut self, allergy: &Value) {
        let mut row = self.journal(allergy, "L", &allergy["code"]);
        let onset = text(&allergy["onsetDateTime"]);
        let recorded = text(&allergy["recordedDate"]);
        row.set("DATE", compact(onset)).set("RECORDED_DATE", compact(recorded));
        row.set("HCP", self.staff.hcp(&allergy["recorder"]));
        let reaction = &allergy["reaction"][0];
        row.set(
            "SEVERITY",
            match text(&reaction["severity"]) {
                "mild" => "255604002",
                "moderate" => "6736007",
                "severe" => "24484000",
                _ => "",
            },
        );
        let reacted = words(&reaction["manifestation"][0]);
        let reacted = if reacted.is_empty() { String::new() } else { format!("Reaction: {reacted}") };
        row.set("TEXT", joined([reacted, notes(allergy)]));
        if allergy["code"]["coding"][0]["code"] == "716186003" {
            row.set("CODE", "1151.00");
        }
        self.put(row, allergy);
    }

    fn medicine(&mut self, medicine: &Value) {
        let is_acute = medicine["courseOfTherapyType"]["coding"][0]["code"] == "acute";
        let mut row =
            self.journal(medicine, if is_acute { "A" } else { "R" }, &medicine["medicationCodeableConcept"]);
        let dispense = &medicine["dispenseRequest"];
        let start = [&dispense["validityPeriod"]["start"], &medicine["effectivePeriod"]["start"]];
        row.set(
            "DATE",
            start
                .into_iter()
                .map(|start| compact(text(start)))
                .find(|start| !start.is_empty())
                .unwrap_or_default(),
        );
        let written = [&medicine["authoredOn"], &medicine["dateAsserted"]];
        row.set(
            "RECORDED_DATE",
            written
                .into_iter()
                .map(|date| compact(text(date)))
                .find(|date| !date.is_empty())
                .unwrap_or_default(),
        );
        row.set("END_DATE", compact(text(&dispense["validityPeriod"]["end"])));
        row.set("VALUE1", number(&dispense["quantity"]["value"]))
            .set("VALUE1_UNITS", text(&dispense["quantity"]["unit"]));
        row.set("HCP", self.staff.hcp(&medicine["requester"]))
            .set("EPISODE", if is_acute { "A" } else { "R" });
        let dose = [&medicine["dosageInstruction"][0]["text"], &medicine["dosage"][0]["text"]];
        let dose = dose.into_iter().map(text).find(|dose| !dose.is_empty()).unwrap_or_default();
        let reason = text(&medicine["statusReason"]["text"]);
        let reason = if reason.is_empty() { String::new() } else { format!("Reason for stopping: {reason}") };
        row.set("TEXT", joined([dose.to_owned(), reason, notes(medicine)]));
        self.put(row, medicine);
        let issued = items(&medicine["extension"]).find(|one| text(&one["url"]).ends_with("LastIssuedDate"));
        if let Some(issued) = issued.filter(|_| !is_acute) {
            let mut row = self.journal(medicine, "S", &medicine["medicationCodeableConcept"]);
            let repeat = id(medicine);
            let issue = format!("8{repeat}");
            row.set("ID", &issue).set("DATE", compact(text(&issued["valueDateTime"]))).set("LINKS", &repeat);
            row.set("EPISODE", "I").set("TEXT", dose);
            let key = format!("{}:{issue}", self.pid);
            row.put(&mut self.rows, &key);
        }
    }

    fn observation(&mut self, observation: &Value) {
        let category = text(&observation["category"][0]["coding"][0]["code"]);
        let code = &observation["code"];
        // An answer that is a code is what Vision records; the question is not.
        let answer = &observation["valueCodeableConcept"];
        let code = if answer.is_object() { answer } else { code };
        let subset = if matches!(category, "laboratory" | "vital-signs") { "T" } else { "C" };
        let mut row = self.journal(observation, subset, code);
        let (date, time) = moment(text(&observation["effectiveDateTime"]));
        row.set("DATE", date).set("TIME", time);
        row.set("RECORDED_DATE", compact(text(&observation["issued"])));
        row.set("HCP", self.staff.hcp(&observation["performer"][0]));
        row.set(
            "ENTITY",
            match text(&observation["code"]["coding"][0]["code"]) {
                "27113001" => "WEIGHT",
                "364075005" => "PULSE",
                "431314004" => "O2_SAT",
                "75367002" => "BP",
                "365981007" => "SMOKING",
                "1082641000000106" => "ALCOHOL",
                _ => "",
            },
        );
        let value = &observation["valueQuantity"];
        row.set("VALUE1", number(&value["value"])).set("VALUE1_UNITS", text(&value["unit"]));
        let parts = [["VALUE1_NAME", "VALUE1", "VALUE1_UNITS"], ["VALUE2_NAME", "VALUE2", "VALUE2_UNITS"]];
        for (part, [name, value, units]) in items(&observation["component"]).zip(parts) {
            row.set(name, words(&part["code"])).set(value, number(&part["valueQuantity"]["value"]));
            row.set(units, text(&part["valueQuantity"]["unit"]));
        }
        if let Some(date) = observation["valueDateTime"].as_str() {
            row.set("VALUE1_NAME", "DATE").set("VALUE1", compact(date));
        }
        let range = &observation["referenceRange"][0];
        let range = if range.is_object() {
            let unit = text(&range["high"]["unit"]);
            format!("Range {} - {} {unit}", number(&range["low"]["value"]), number(&range["high"]["value"]))
        } else {
            String::new()
        };
        let mark = text(&observation["interpretation"][0]["coding"][0]["display"]).to_owned();
        row.set("TEXT", joined([range, mark, notes(observation)]));
        self.put(row, observation);
    }

    fn immunisation(&mut self, immunisation: &Value) {
        let procedure = &immunisation["extension"][0]["valueCodeableConcept"];
        let mut row = self.journal(immunisation, "I", procedure);
        row.set("DATE", compact(text(&immunisation["occurrenceDateTime"])));
        row.set("RECORDED_DATE", compact(text(&immunisation["recorded"])));
        row.set("IMMS_STATUS", if immunisation["status"] == "completed" { "Given" } else { "Refused" });
        row.set("IMMS_COMPOUND", words(&immunisation["vaccineCode"]));
        row.set("IMMS_BATCH", text(&immunisation["lotNumber"]))
            .set("IMMS_SITE", words(&immunisation["site"]));
        row.set(
            "IMMS_SOURCE",
            if immunisation["primarySource"] == true { "In this practice" } else { "Outside this practice" },
        );
        row.set("IMMS_REASON", text(&immunisation["statusReason"]["text"]));
        row.set("HCP", self.staff.hcp(&immunisation["performer"][0]["actor"]));
        let part = &immunisation["protocolApplied"][0]["doseNumberPositiveInt"];
        row.set("TEXT", if part.is_number() { format!("Part {part}") } else { String::new() });
        self.put(row, immunisation);
    }

    fn encounter(&mut self, encounter: &Value) {
        let (date, time) = moment(text(&encounter["period"]["start"]));
        let who = self.staff.hcp(&encounter["participant"][0]["individual"]);
        let encounter_id = id(encounter);
        let mut row = Row::of("Encounter");
        row.set("PID", &self.pid)
            .set("ID", &encounter_id)
            .set("DATE", &date)
            .set("TIME", &time)
            .set("HCP", &who);
        row.set("SESSION", "G").set("LOCATION", "S").set("DURATION", "10").set("SERVICE_ID", SERVICE_ID);
        self.put(row, encounter);
        let mut entry = self.journal(encounter, "C", &encounter["reasonCode"][0]);
        let entry_id = format!("7{encounter_id}");
        entry.set("ID", &entry_id).set("DATE", &date).set("TIME", &time).set("HCP", &who);
        entry
            .set("LINKS", format!("E{encounter_id}"))
            .set("TEXT", text(&encounter["extension"][0]["valueString"]));
        let key = format!("{}:{entry_id}", self.pid);
        entry.put(&mut self.rows, &key);
    }

    fn referral(&mut self, referral: &Value) {
        let named = words(&referral["code"]);
        let mut row = Row::of("Referral");
        row.set("PID", &self.pid).set("ID", id(referral)).set("DATE", compact(text(&referral["authoredOn"])));
        row.set("HCP", self.staff.hcp(&referral["requester"])).set("SERVICE_ID", SERVICE_ID).set("TYPE", "O");
        row.set("SPECIALTY", named.strip_prefix("Referral to ").unwrap_or(&named));
        row.set("UNIT", text(&referral["performer"][0]["display"]));
        self.put(row, referral);
    }

    /// Adds what the journal has no subset for: an entry with its words.
    fn other(&mut self, resource: &Value) {
        let kind = text(&resource["resourceType"]);
        let code = match kind {
            "DocumentReference" => &resource["type"],
            "FamilyMemberHistory" => &resource["condition"][0]["code"],
            _ => &resource["code"],
        };
        let mut row = self.journal(resource, if kind == "DiagnosticReport" { "T" } else { "C" }, code);
        let dates = [
            &resource["effectiveDateTime"],
            &resource["performedDateTime"],
            &resource["occurrenceDateTime"],
            &resource["period"]["start"],
            &resource["date"],
        ];
        let (date, time) = dates
            .into_iter()
            .map(|date| moment(text(date)))
            .find(|(date, _)| !date.is_empty())
            .unwrap_or_default();
        row.set("DATE", date).set("TIME", time);
        let people = [
            &resource["performer"][0]["actor"],
            &resource["performer"][0],
            &resource["requester"],
            &resource["author"],
            &resource["author"][0],
        ];
        let who = people.into_iter().map(|person| self.staff.hcp(person)).find(|who| !who.is_empty());
        row.set("HCP", who.unwrap_or_default());
        // The chapters of Read codes tell procedures and family histories.
        match kind {
            "Procedure" => row.set("CODE", "7...."),
            "FamilyMemberHistory" => row.set("CODE", "12..."),
            "DocumentReference" => row.set("ENTITY", "LETTERS"),
            _ => &mut row,
        };
        let said = [
            text(&resource["conclusion"]).to_owned(),
            text(&resource["description"]).to_owned(),
            words(&resource["relationship"]),
            text(&resource["condition"][0]["onsetString"]).to_owned(),
            notes(resource),
        ];
        row.set("TEXT", joined(said));
        self.put(row, resource);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

/// Returns the words of a concept.
fn words(concept: &Value) -> String {
    let display = text(&concept["coding"][0]["display"]);
    match text(&concept["text"]) {
        "" => display.to_owned(),
        text => text.to_owned(),
    }
}

fn notes(resource: &Value) -> String {
    items(&resource["note"]).map(|note| text(&note["text"])).collect::<Vec<_>>().join("; ")
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(". ")
}

/// Writes a date as Vision does, with zeros for what is not known.
fn compact(date: &str) -> String {
    let date = date.split('T').next().unwrap_or_default();
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { digits } else { format!("{digits:0<8}") }
}

/// Returns date and time of a moment as Vision writes them, on the practice's clock.
fn moment(written: &str) -> (String, String) {
    match written.parse::<jiff::Timestamp>() {
        Ok(instant) => {
            let wall = instant.to_zoned(lifeboat_clinical::date::london()).datetime();
            (wall.strftime("%Y%m%d").to_string(), wall.strftime("%H%M").to_string())
        }
        Err(_) => (compact(written), String::new()),
    }
}

/// Returns a number that stands for a resource, the same in every extract.
fn id(resource: &Value) -> String {
    let hash = text(&resource["id"]).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:014}", hash % 100_000_000_000_000)
}
