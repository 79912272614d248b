//! The made-up practice as a Vision extract.

use std::io::{self, Write};

use jiff::civil::Date;
use serde_json::Value;

use super::{Order, RowSet, Sink, csv_row};

const PRACTICE: &str = "A81001";
/// The journal's columns, by name, so that a row can be written by them.
const JOURNAL: [&str; 42] = [
    "PID",
    "ID",
    "DATE",
    "RECORDED_DATE",
    "CODE",
    "SNOMED_CODE",
    "BNF_CODE",
    "HCP",
    "HCP_TYPE",
    "GMS",
    "EPISODE",
    "TEXT",
    "RUBRIC",
    "DRUG_FORM",
    "DRUG_STRENGTH",
    "DRUG_PACKSIZE",
    "DMD_CODE",
    "IMMS_STATUS",
    "IMMS_COMPOUND",
    "IMMS_SOURCE",
    "IMMS_BATCH",
    "IMMS_REASON",
    "IMMS_METHOD",
    "IMMS_SITE",
    "ENTITY",
    "VALUE1_NAME",
    "VALUE1",
    "VALUE1_UNITS",
    "VALUE2_NAME",
    "VALUE2",
    "VALUE2_UNITS",
    "END_DATE",
    "TIME",
    "CONTEXT",
    "CERTAINTY",
    "SEVERITY",
    "LINKS",
    "LINKS_EXT",
    "SERVICE_ID",
    "ACTION",
    "SUBSET",
    "DOCUMENT_ID",
];
const ACTION_OF_JOURNAL: usize = 39;

/// Writes the extract: `FULL_…` files, or `INCREMENTAL_…` ones for a later extract.
///
/// # Errors
/// A file cannot be written.
pub fn write(order: &Order, sink: &mut dyn Sink) -> io::Result<()> {
    write_as_of(order, order.delta, sink)
}

/// Writes the extract with the charts as they are after so many rounds of changes.
pub(crate) fn write_as_of(order: &Order, round: u32, sink: &mut dyn Sink) -> io::Result<()> {
    let day = order.today.saturating_add(jiff::Span::new().days(i64::from(order.delta)));
    let kind = if order.delta == 0 { "FULL" } else { "INCREMENTAL" };
    let mut open =
        |table: &str| sink.file(&format!("{kind}_{PRACTICE}_{table}_data_extract-{day}-000500.csv"));
    let mut files = Files {
        patient: open("patient")?,
        journal: open("journal")?,
        encounter: open("encounter")?,
        referral: open("referral")?,
    };
    let (mut practice_file, mut staff_file) = (open("practice")?, open("staff")?);
    if order.delta == 0 {
        let practice =
            ["1", "Lifeboat Demonstration Surgery", PRACTICE, "", "1 Lantern Street", "Port Selkie"];
        let rest = ["", "", "", "", "ZZ99 1AA", "01632 960000", "", ""];
        practice_file.write_all(csv_row(practice.into_iter().chain(rest)).as_bytes())?;
    }
    let practice = order.practice();
    let mut staff = RowSet::default();
    for index in 0..practice.patients() {
        if !order.holds(&practice, index) {
            continue;
        }
        let rows = rows_of(order, &order.chart(&practice, index, round), index, &mut staff);
        let before = match order.delta.checked_sub(1) {
            Some(before) => {
                rows_of(order, &order.chart(&practice, index, before), index, &mut RowSet::default())
            }
            None => RowSet::default(),
        };
        for (table, _, fields) in rows.changed_since(&before) {
            files.write(table, fields)?;
        }
        for (table, _, fields) in rows.gone_since(&before) {
            let mut fields = fields.to_vec();
            let action = if table == "journal" { ACTION_OF_JOURNAL } else { fields.len() - 1 };
            fields[action] = "D".to_owned();
            files.write(table, &fields)?;
        }
    }
    for (_, _, fields) in staff.iter() {
        staff_file.write_all(csv_row(fields.iter().map(String::as_str)).as_bytes())?;
    }
    Ok(())
}

struct Files {
    patient: Box<dyn Write>,
    journal: Box<dyn Write>,
    encounter: Box<dyn Write>,
    referral: Box<dyn Write>,
}

impl Files {
    fn write(&mut self, table: &str, fields: &[String]) -> io::Result<()> {
        let file = match table {
            "patient" => &mut self.patient,
            "journal" => &mut self.journal,
            "encounter" => &mut self.encounter,
            _ => &mut self.referral,
        };
        file.write_all(csv_row(fields.iter().map(String::as_str)).as_bytes())
    }
}

/// The rows of one patient in the making.
struct Rows<'a> {
    rows: RowSet,
    staff: &'a mut RowSet,
    pid: String,
    next: u64,
    ids: std::collections::HashMap<String, u64>,
}

fn rows_of(order: &Order, chart: &[Value], index: usize, staff: &mut RowSet) -> RowSet {
    let mut rows = Rows {
        rows: RowSet::default(),
        staff,
        pid: format!("{}", index + 1),
        next: 0,
        ids: std::collections::HashMap::new(),
    };
    for resource in chart {
        match resource["resourceType"].as_str().unwrap_or_default() {
            "Patient" => rows.patient(resource),
            "AllergyIntolerance" => rows.allergy(resource),
            "Condition" => rows.problem(resource),
            "MedicationRequest" | "MedicationStatement" => rows.medicine(resource),
            "Immunization" => rows.immunisation(resource),
            "Observation" => rows.observation(resource),
            "Encounter" => rows.encounter(resource),
            "ServiceRequest" if resource["intent"] == "order" => rows.referral(resource),
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

/// A FHIR date as Vision writes it; what is not known of it is zeros.
fn date(value: &Value) -> String {
    let written = text(value);
    let digits: String = written.chars().take(10).filter(char::is_ascii_digit).collect();
    if digits.is_empty() { digits } else { format!("{digits:0<8}") }
}

/// The wall-clock time of a FHIR date and time, on the practice's clock.
fn time(value: &Value) -> String {
    let written = text(value);
    let zoned =
        written.parse::<jiff::Timestamp>().ok().map(|time| time.to_zoned(lifeboat_clinical::date::london()));
    zoned.map(|time| time.strftime("%H%M").to_string()).unwrap_or_default()
}

fn note(resource: &Value) -> String {
    let notes = resource["note"].as_array().into_iter().flatten();
    notes.map(|note| text(&note["text"])).collect::<Vec<_>>().join("\n")
}

fn term(concept: &Value) -> String {
    let text_of = text(&concept["text"]);
    if text_of.is_empty() { text(&concept["coding"][0]["display"]) } else { text_of }
}

impl Rows<'_> {
    /// Returns the number of the row that a resource becomes: stable, because it follows from the resource's own id.
    fn id(&mut self, resource: &Value) -> String {
        let own = text(&resource["id"]);
        let hash = own.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let id = hash % 1_000_000_000_000;
        self.ids.insert(own, id);
        id.to_string()
    }

    /// Returns the number of the member of staff that a reference names.
    fn staff(&mut self, reference: &Value) -> String {
        let display = text(&reference["display"]);
        let Some(id) = reference["reference"]
            .as_str()
            .and_then(|reference| reference.strip_prefix("Practitioner/practitioner-"))
        else {
            return String::new();
        };
        let mut names = display.split(' ');
        let (title, forename) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
        let surname = names.collect::<Vec<_>>().join(" ");
        let fields = [id, "", "", &surname, forename, title, "", ""].map(str::to_owned);
        self.staff.put("staff", id, fields.into());
        id.to_owned()
    }

    fn journal(&mut self, id: String, subset: &str, cells: &[(&str, String)]) {
        let mut fields = vec![String::new(); JOURNAL.len()];
        let own = [
            ("PID", self.pid.clone()),
            ("ID", id.clone()),
            ("SUBSET", subset.to_owned()),
            ("ACTION", "A".to_owned()),
        ];
        for (column, value) in own.iter().chain(cells) {
            if let Some(at) = JOURNAL.iter().position(|name| name == column) {
                fields[at].clone_from(value);
            }
        }
        self.rows.put("journal", id, fields);
    }

    fn codes(concept: &Value) -> [(&'static str, String); 3] {
        let coding = &concept["coding"][0];
        let system = coding["system"].as_str().unwrap_or_default();
        let code = text(&coding["code"]);
        let (snomed, dmd) = match system {
            "http://snomed.info/sct" => (code, String::new()),
            "" => (String::new(), String::new()),
            _ => (String::new(), code),
        };
        [("SNOMED_CODE", snomed), ("DMD_CODE", dmd), ("RUBRIC", term(concept))]
    }

    fn patient(&mut self, patient: &Value) {
        let name = &patient["name"][0];
        let given: Vec<String> = name["given"].as_array().into_iter().flatten().map(text).collect();
        let phone = |usage: &str| {
            let telecom = patient["telecom"].as_array().into_iter().flatten();
            telecom
                .filter(|entry| entry["use"] == usage && entry["system"] == "phone")
                .map(|entry| text(&entry["value"]))
                .next()
                .unwrap_or_default()
        };
        let email =
            patient["telecom"].as_array().into_iter().flatten().find(|entry| entry["system"] == "email");
        let address = &patient["address"][0];
        let mut lines: Vec<String> = address["line"].as_array().into_iter().flatten().map(text).collect();
        lines.extend(
            [text(&address["city"]), text(&address["district"])].into_iter().filter(|line| !line.is_empty()),
        );
        lines.resize(5, String::new());
        let identifiers = patient["identifier"].as_array().into_iter().flatten();
        let (mut nhs, mut local) = (String::new(), String::new());
        for identifier in identifiers {
            let value = text(&identifier["value"]);
            if text(&identifier["system"]).ends_with("nhs-number") { nhs = value } else { local = value }
        }
        let sex = match patient["gender"].as_str() {
            Some("male") => "M",
            Some("female") => "F",
            Some(_) => "I",
            None => "",
        };
        let active = patient["active"] != Value::Bool(false);
        let mut fields = vec![self.pid.clone(), String::new(), date(&patient["birthDate"]), sex.to_owned()];
        fields.extend([
            text(&address["postalCode"]),
            String::new(),
            String::new(),
            self.staff(&patient["generalPractitioner"][0]),
        ]);
        fields.push(if active { "Y" } else { "N" }.to_owned());
        fields.extend(vec![String::new(); 8]);
        fields.push(date(&patient["deceasedDateTime"]));
        fields.extend([
            PRACTICE.to_owned(),
            text(&name["family"]),
            given.join(" "),
            text(&name["prefix"][0]),
            nhs,
        ]);
        fields.push(String::new());
        fields.extend(lines);
        fields.extend([
            phone("home"),
            phone("mobile"),
            email.map(|email| text(&email["value"])).unwrap_or_default(),
        ]);
        fields.extend([local, String::new(), "A".to_owned()]);
        self.rows.put("patient", self.pid.clone(), fields);
    }

    fn allergy(&mut self, allergy: &Value) {
        let id = self.id(allergy);
        let who = self.staff(&allergy["recorder"]);
        let reaction = &allergy["reaction"][0];
        let manifestation = term(&reaction["manifestation"][0]);
        let mut cells = vec![
            ("DATE", date(&allergy["onsetDateTime"])),
            ("RECORDED_DATE", date(&allergy["recordedDate"])),
            ("HCP", who),
            ("TEXT", note(allergy)),
            ("SEVERITY", text(&reaction["severity"])),
        ];
        if !manifestation.is_empty() {
            cells.extend([("VALUE1_NAME", "REACTION".to_owned()), ("VALUE1", manifestation)]);
        }
        cells.extend(Self::codes(&allergy["code"]));
        self.journal(id, "L", &cells);
    }

    fn problem(&mut self, problem: &Value) {
        let id = self.id(problem);
        let who = self.staff(&problem["recorder"]);
        let status = problem["clinicalStatus"]["coding"][0]["code"].as_str();
        let mut ended = date(&problem["abatementDateTime"]);
        if ended.is_empty() && status != Some("active") {
            ended = date(&problem["recordedDate"]);
        }
        let mut cells = vec![
            ("DATE", date(&problem["onsetDateTime"])),
            ("RECORDED_DATE", date(&problem["recordedDate"])),
            ("END_DATE", ended),
            ("HCP", who),
            ("TEXT", note(problem)),
        ];
        cells.extend(Self::codes(&problem["code"]));
        self.journal(id, "P", &cells);
    }

    fn medicine(&mut self, medicine: &Value) {
        let id = self.id(medicine);
        let who = self.staff(&medicine["requester"]);
        let is_repeat = medicine["courseOfTherapyType"]["coding"][0]["code"] == "continuous"
            || medicine["resourceType"] == "MedicationStatement";
        let dispense = &medicine["dispenseRequest"];
        let start = [&dispense["validityPeriod"]["start"], &medicine["effectivePeriod"]["start"]];
        let dose = [&medicine["dosageInstruction"][0]["text"], &medicine["dosage"][0]["text"]];
        let first = |values: [&Value; 2], read: fn(&Value) -> String| {
            values.into_iter().map(read).find(|text| !text.is_empty()).unwrap_or_default()
        };
        let mut cells = vec![
            ("DATE", first(start, date)),
            ("RECORDED_DATE", first([&medicine["authoredOn"], &medicine["dateAsserted"]], date)),
            ("END_DATE", date(&dispense["validityPeriod"]["end"])),
            ("HCP", who.clone()),
            ("TEXT", first(dose, text)),
            ("VALUE1", text(&dispense["quantity"]["value"])),
            ("VALUE1_UNITS", text(&dispense["quantity"]["unit"])),
            ("VALUE2", text(&dispense["numberOfRepeatsAllowed"])),
            ("CONTEXT", note(medicine)),
        ];
        cells.extend(Self::codes(&medicine["medicationCodeableConcept"]));
        self.journal(id.clone(), if is_repeat { "R" } else { "A" }, &cells);
        self.issues(&id, medicine, &who);
    }

    /// Writes as many issues as the chart counts, the last on the day that it names.
    fn issues(&mut self, repeat: &str, medicine: &Value, who: &str) {
        let extensions = medicine["extension"].as_array().into_iter().flatten();
        let (mut count, mut last) = (0, String::new());
        for extension in extensions {
            if text(&extension["url"]).ends_with("LastIssuedDate") {
                last = date(&extension["valueDateTime"]);
            }
            for part in extension["extension"].as_array().into_iter().flatten() {
                if part["url"] == "numberOfPrescriptionsIssued" {
                    count = part["valueUnsignedInt"].as_u64().unwrap_or(0);
                }
            }
        }
        for number in 0..count {
            let cells = [
                ("DATE", last.clone()),
                ("HCP", who.to_owned()),
                ("LINKS", repeat.to_owned()),
                ("RUBRIC", term(&medicine["medicationCodeableConcept"])),
            ];
            self.journal(format!("{repeat}{number:02}"), "S", &cells);
        }
    }

    fn immunisation(&mut self, given: &Value) {
        let id = self.id(given);
        let who = self.staff(&given["performer"][0]["actor"]);
        let procedure = given["extension"].as_array().into_iter().flatten();
        let procedure =
            procedure.map(|extension| &extension["valueCodeableConcept"]).find(|concept| concept.is_object());
        let mut cells = vec![
            ("DATE", date(&given["occurrenceDateTime"])),
            ("RECORDED_DATE", date(&given["recorded"])),
            ("HCP", who),
            (
                "IMMS_STATUS",
                if given["status"] == "not-done" { term(&given["statusReason"]) } else { "Given".to_owned() },
            ),
            ("IMMS_COMPOUND", term(&given["vaccineCode"])),
            ("IMMS_BATCH", text(&given["lotNumber"])),
            ("IMMS_SITE", term(&given["site"])),
            ("VALUE1_NAME", "STAGE".to_owned()),
            ("VALUE1", text(&given["protocolApplied"][0]["doseNumberPositiveInt"])),
        ];
        cells.extend(Self::codes(procedure.unwrap_or(&Value::Null)));
        self.journal(id, "I", &cells);
    }

    fn observation(&mut self, observation: &Value) {
        let id = self.id(observation);
        let who = self.staff(&observation["performer"][0]);
        let category = observation["category"][0]["coding"][0]["code"].as_str();
        let mut cells = vec![
            ("DATE", date(&observation["effectiveDateTime"])),
            ("TIME", time(&observation["effectiveDateTime"])),
            ("RECORDED_DATE", date(&observation["issued"])),
            ("HCP", who),
            ("TEXT", note(observation)),
        ];
        let quantity = &observation["valueQuantity"];
        if quantity.is_object() {
            cells.extend([("VALUE1", text(&quantity["value"])), ("VALUE1_UNITS", text(&quantity["unit"]))]);
        }
        let said = term(&observation["valueCodeableConcept"]);
        let said = if said.is_empty() { text(&observation["valueDateTime"]) } else { said };
        if !said.is_empty() {
            cells.push(("VALUE1", said));
        }
        let names = [("VALUE1_NAME", "VALUE1", "VALUE1_UNITS"), ("VALUE2_NAME", "VALUE2", "VALUE2_UNITS")];
        let components = observation["component"].as_array().into_iter().flatten();
        for (component, (name, value, units)) in components.zip(names) {
            cells.push((name, term(&component["code"])));
            cells.push((value, text(&component["valueQuantity"]["value"])));
            cells.push((units, text(&component["valueQuantity"]["unit"])));
        }
        cells.extend(Self::codes(&observation["code"]));
        self.journal(id, if category == Some("laboratory") { "T" } else { "C" }, &cells);
    }

    /// Writes what Vision keeps as a clinical entry of no special kind.
    fn entry(&mut self, resource: &Value) {
        let id = self.id(resource);
        let dates = ["performedDateTime", "effectiveDateTime", "occurrenceDateTime", "date"];
        let when = dates.into_iter().map(|name| date(&resource[name])).find(|date| !date.is_empty());
        let when = when.unwrap_or_else(|| date(&resource["period"]["start"]));
        let concepts = [&resource["code"], &resource["type"], &resource["condition"][0]["code"]];
        let concept = concepts.into_iter().find(|concept| concept.is_object()).unwrap_or(&Value::Null);
        let words = [text(&resource["conclusion"]), text(&resource["description"]), note(resource)];
        let words: Vec<String> = words.into_iter().filter(|words| !words.is_empty()).collect();
        let who = self.staff(&resource["author"]);
        let mut cells = vec![("DATE", when), ("TEXT", words.join("\n")), ("HCP", who)];
        cells.extend(Self::codes(concept));
        self.journal(id, "C", &cells);
    }

    fn encounter(&mut self, encounter: &Value) {
        let id = self.id(encounter);
        let who = self.staff(&encounter["participant"][0]["individual"]);
        let start = &encounter["period"]["start"];
        let title = [term(&encounter["type"][0]), term(&encounter["reasonCode"][0])];
        let place = text(&encounter["location"][0]["location"]["display"]);
        let fields = [
            self.pid.clone(),
            id.clone(),
            date(start),
            who,
            String::new(),
            title.join(" \u{2013} "),
            place,
            time(start),
            "10".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            "A".to_owned(),
        ];
        self.rows.put("encounter", id, fields.into());
    }

    fn referral(&mut self, referral: &Value) {
        let id = self.id(referral);
        let who = self.staff(&referral["requester"]);
        let to = text(&referral["performer"][0]["display"]);
        let (specialty, unit) = to.split_once(", ").unwrap_or((&to, ""));
        let fields = [
            self.pid.clone(),
            id.clone(),
            date(&referral["authoredOn"]),
            who,
            String::new(),
            String::new(),
            specialty.to_owned(),
            unit.to_owned(),
            text(&referral["priority"]),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            "A".to_owned(),
        ];
        self.rows.put("referral", id, fields.into());
    }

    /// Adds dated measurements until the patient has as many rows as were ordered.
    fn pad(&mut self, order: &Order) {
        let wanted = order.rows_per_patient.unwrap_or(0);
        for _ in self.rows.iter().count()..wanted {
            self.next += 1;
            let back = i64::try_from(self.next % 6_000).unwrap_or(0);
            let day: Date = order.today.saturating_sub(jiff::Span::new().days(back + 1));
            let cells = [
                ("DATE", date(&Value::from(day.to_string()))),
                ("SNOMED_CODE", "364075005".to_owned()),
                ("RUBRIC", "Heart rate".to_owned()),
                ("VALUE1", (50 + self.next % 60).to_string()),
                ("VALUE1_UNITS", "beats/min".to_owned()),
            ];
            self.journal(format!("9{:012}", self.next), "C", &cells);
        }
    }
}
