//! The Summary Care Record's GP summary: what its presentation text says under each heading.
//!
//! Under a heading stand tables; each row becomes an item, its columns known by their own headings. Rows
//! of medicines may be followed by rows that say more of the one before. The structured entries of the message give
//! codes to the rows that say the same; an entry that no row repeats becomes an item of its own.
//! The message names the patient by NHS number, and by little else.

use std::collections::BTreeSet;

use lifeboat_clinical::SectionId;
use lifeboat_clinical::section::SectionWarning;
use serde_json::{Value, json};

use super::clinical::{instant, says_nothing};
use super::narrative::{Block, Table};
use super::summary_entries::Entries;
use super::translation::{Translation, moment};
use super::xml::Element;
use super::{nobody, patient};
use crate::problem::{Problem, Reason};
use crate::r4;
use crate::rules::Rules;
use crate::translate::Translated;

use SectionId as S;

/// What the rows under a heading are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Allergies,
    Acute,
    Repeat,
    Discontinued,
    Problems,
    Flags,
    Procedures,
    Family,
    /// Anything with a date, a description and perhaps a value, filed in the heading's section.
    Findings,
}

/// Headings by the id that their `h2` carries.
const HEADINGS: &[(&str, S, Rows)] = &[
    ("AllergiesHeader", S::Allergies, Rows::Allergies),
    ("AcuteMedsHeader", S::AcuteMedication, Rows::Acute),
    ("RepeatMedsHeader", S::RepeatMedication, Rows::Repeat),
    ("DiscRepeatMedsHeader", S::PastMedication, Rows::Discontinued),
    ("RisksToPatientHeader", S::Alerts, Rows::Flags),
    ("RisksToProfessionalHeader", S::Alerts, Rows::Flags),
    ("PreferencesHeader", S::Alerts, Rows::Flags),
    ("ProblemsHeader", S::ActiveProblems, Rows::Problems),
    ("DiagnosesHeader", S::ActiveProblems, Rows::Problems),
    ("ObservationsHeader", S::Observations, Rows::Findings),
    ("TreatmentsHeader", S::Procedures, Rows::Procedures),
    ("ProceduresHeader", S::Procedures, Rows::Procedures),
    ("InvestigationsHeader", S::Results, Rows::Findings),
    ("ResultsHeader", S::Results, Rows::Findings),
    ("HistoryHeader", S::OtherItems, Rows::Family),
    ("LifestyleHeader", S::SocialHistory, Rows::Findings),
    ("CircumstancesHeader", S::SocialHistory, Rows::Findings),
    ("ServicesHeader", S::OtherItems, Rows::Findings),
    ("AdviceHeader", S::OtherItems, Rows::Findings),
    ("EventsHeader", S::Encounters, Rows::Findings),
    ("DocumentationHeader", S::OtherItems, Rows::Findings),
    ("PatientCarerCorrespondenceHeader", S::OtherItems, Rows::Findings),
];

/// Translates a GP summary that stands somewhere in a message.
pub(super) fn translate(root: &Element, summary: &Element, rules: &Rules) -> Result<Translated, Problem> {
    let malformed = |why: &str| Problem::at("recordTarget", Reason::Malformed(why.to_owned()));
    let role = [summary, root].into_iter().find_map(|within| within.find("recordTarget")?.child("patient"));
    let role = role.ok_or_else(|| malformed("the summary names no patient"))?;
    let (id, nhs) = patient::identify(role).ok_or_else(|| malformed("the patient has no identifier"))?;
    if nhs.is_some_and(|number| rules.excluded.contains(&number)) {
        return Ok(nobody());
    }
    let mut translation = Translation::new(root, &id, rules);
    let made = summary.child("effectiveTime").and_then(|time| moment(time.attribute("value")?));
    translation.updated = made.as_deref().and_then(instant);
    let mut person = patient::patient(role, &id, summary, &mut translation);
    if let Some(updated) = &translation.updated {
        person["meta"] = json!({"lastUpdated": updated});
    }
    translation.document.push(person);
    let mut reading = Reading {
        entries: Entries::of(summary),
        heading: None,
        supplied: BTreeSet::new(),
        opening: Vec::new(),
        is_withheld: false,
        is_in_transit: false,
    };
    match summary.find("html").or_else(|| summary.find("presentationText")) {
        Some(html) => reading.read(&mut translation, html),
        None => {
            translation.place = "presentationText";
            translation.problem(Reason::Malformed("the summary has no presentation text".to_owned()));
        }
    }
    reading.finish(&mut translation, made.as_deref());
    Ok(Translated { document: translation.document.finish(), problems: translation.problems })
}

/// A heading and what stands under it.
#[derive(Clone)]
struct Heading {
    section: S,
    rows: Rows,
    title: String,
}

/// A summary while its text is read.
struct Reading<'d> {
    entries: Entries<'d>,
    heading: Option<Heading>,
    supplied: BTreeSet<S>,
    /// What stands before and after all headings.
    opening: Vec<String>,
    is_withheld: bool,
    is_in_transit: bool,
}

impl<'d> Reading<'d> {
    fn read(&mut self, translation: &mut Translation<'d>, html: &'d Element) {
        for block in translation.narratives.blocks(html) {
            match block {
                Block::Heading { id, text } => self.head(id, text),
                Block::Table(table) => self.table(translation, &table),
                Block::Text { id, text } => self.text(translation, id, text),
            }
        }
    }

    fn head(&mut self, id: Option<&str>, title: String) {
        let id = id.unwrap_or_default();
        if matches!(id, "Title" | "Disclaimer") {
            self.opening.push(title);
            self.heading = None;
            return;
        }
        let known = HEADINGS.iter().find(|(known, _, _)| *known == id);
        let (section, rows) =
            known.map_or((S::OtherItems, Rows::Findings), |(_, section, rows)| (*section, *rows));
        self.supplied.insert(section);
        self.heading = Some(Heading { section, rows, title });
    }

    fn text(&mut self, translation: &mut Translation<'_>, id: Option<&str>, text: String) {
        let id = id.unwrap_or_default();
        let is_about_document = matches!(id, "CreateTime" | "Author" | "Practice" | "SendTime");
        let heading = self.heading.clone().filter(|_| !is_about_document);
        if id.starts_with("Withheld") {
            match &heading {
                Some(heading) => {
                    translation.document.withholds(heading.section);
                    translation.document.warns(heading.section, SectionWarning::ConfidentialItems);
                }
                None => self.is_withheld = true,
            }
        }
        self.is_in_transit |= id.starts_with("Registration");
        match heading {
            None => self.opening.push(text),
            Some(_) if id.starts_with("Withheld") || says_nothing(&text) => {}
            Some(heading) => {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    let row = Row { description: Some(line.trim()), ..Row::default() };
                    self.row(translation, &heading, &row);
                }
            }
        }
    }

    fn table(&mut self, translation: &mut Translation<'_>, table: &Table) {
        let Some(heading) = self.heading.clone() else {
            self.opening.extend(table.rows.iter().map(|row| table.line(row)));
            return;
        };
        translation.place = HEADINGS
            .iter()
            .find(|(_, section, rows)| *section == heading.section && *rows == heading.rows)
            .map_or("Table", |(id, _, _)| id);
        let mut at = 0;
        while let Some(cells) = table.rows.get(at) {
            at += 1;
            let filled: Vec<&String> = cells.iter().filter(|cell| !cell.trim().is_empty()).collect();
            if let [only] = filled[..]
                && says_nothing(only)
            {
                continue;
            }
            let mut row = Row::of(table, cells, heading.rows);
            if is_medication(heading.rows) {
                // A row that begins with nothing says more of the medicine before it.
                while let Some(more) = table.rows.get(at).filter(|more| continues(more)) {
                    row.more.extend(more.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()));
                    at += 1;
                }
            }
            self.row(translation, &heading, &row);
        }
    }

    fn row(&mut self, translation: &mut Translation<'_>, heading: &Heading, row: &Row<'_>) {
        let code = self.entries.concept(row.description.unwrap_or_default());
        item(translation, heading.section, heading.rows, Some(&heading.title), row, code);
    }

    fn finish(self, translation: &mut Translation<'_>, made: Option<&str>) {
        let supplied: Vec<S> = self.supplied.iter().copied().collect();
        translation.document.supplies(&supplied);
        // The summary holds current medication of all three kinds, whether or not a heading repeats that.
        for section in supplied {
            if self.is_withheld {
                translation.document.withholds(section);
                translation.document.warns(section, SectionWarning::ConfidentialItems);
            }
            if self.is_in_transit {
                translation.document.warns(section, SectionWarning::DataInTransit);
            }
        }
        self.entries.add_the_rest(translation);
        if !self.opening.is_empty() {
            let title = json!({"text": "About this GP summary"});
            translation.text_item(S::OtherItems, title, &self.opening.join("\n"), made);
        }
    }
}

fn is_medication(rows: Rows) -> bool {
    matches!(rows, Rows::Acute | Rows::Repeat | Rows::Discontinued)
}

/// Says whether a row of medicines begins with nothing and says one thing.
fn continues(row: &[String]) -> bool {
    let filled = row.iter().filter(|cell| !cell.trim().is_empty()).count();
    filled == 1 && row.first().is_some_and(|cell| cell.trim().is_empty())
}

/// What a row says.
#[derive(Default)]
pub(super) struct Row<'t> {
    pub(super) date: Option<&'t str>,
    pub(super) description: Option<&'t str>,
    pub(super) value: Option<&'t str>,
    pub(super) dose: Option<&'t str>,
    pub(super) quantity: Option<&'t str>,
    pub(super) certainty: Option<&'t str>,
    pub(super) severity: Option<&'t str>,
    /// Everything else, each under its heading.
    pub(super) others: Vec<String>,
    pub(super) more: Vec<&'t str>,
}

impl<'t> Row<'t> {
    fn of(table: &Table, cells: &'t [String], rows: Rows) -> Self {
        const KNOWN: &[&str] = &[
            "Type",
            "Date",
            "Medication Item",
            "Description",
            "Value",
            "Dosage Instructions",
            "Quantity",
            "Certainty",
            "Severity",
        ];
        let cell = |headings: &[&str]| table.cell(cells, headings);
        let description = cell(&["Medication Item", "Description"]);
        let mut row = Row {
            date: cell(&["Date"]),
            description,
            value: cell(&["Value"]),
            dose: cell(&["Dosage Instructions", "Dosage Instruction"]),
            quantity: cell(&["Quantity"]),
            certainty: cell(&["Certainty"]),
            severity: cell(&["Severity"]),
            others: Vec::new(),
            more: Vec::new(),
        };
        let kind = cell(&["Type"]).filter(|kind| !is_medication(rows) || !is_usual(kind, rows));
        row.others.extend(kind.map(|kind| format!("Type: {kind}")));
        for (at, text) in cells.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let heading = table.headings.get(at).map(|heading| heading.trim()).unwrap_or_default();
            if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(heading)) {
                row.others.push(match heading {
                    "" => text.clone(),
                    heading => format!("{heading}: {text}"),
                });
            }
        }
        if row.description.is_none() {
            // Without a description, the row as a whole is what there is to read.
            row = Row { others: vec![table.line(cells)], ..Row::default() };
        }
        row
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.others.clone();
        notes.extend(self.more.iter().map(|more| (*more).to_owned()));
        notes
    }
}

/// Says whether the type in a row is the one that its heading says already.
fn is_usual(kind: &str, rows: Rows) -> bool {
    match rows {
        Rows::Acute => kind.eq_ignore_ascii_case("Acute Medication"),
        _ => kind.eq_ignore_ascii_case("Repeat Medication"),
    }
}

/// Adds the item that a row stands for.
pub(super) fn item(
    translation: &mut Translation<'_>,
    section: S,
    rows: Rows,
    heading: Option<&str>,
    row: &Row<'_>,
    code: Option<Value>,
) {
    let mut notes = row.notes();
    let text = match row.description {
        Some(text) => text.to_owned(),
        None => std::mem::take(&mut notes).join("; "),
    };
    let mut code = code.unwrap_or_else(|| json!({}));
    code["text"] = json!(text);
    let date = row.date.and_then(clinical_date);
    if row.date.is_some() && date.is_none() {
        notes.extend(row.date.map(|date| format!("Date: {date}")));
    }
    let subject = translation.document.subject();
    if is_medication(rows) {
        let item = medicine(rows, row, code, date, notes, &subject);
        translation.item(None, None, item);
        return;
    }
    let date = date.map(|date| date.when);
    let noted = |notes: &[String]| r4::notes(notes.iter().map(|note| Some(note.as_str())));
    notes.splice(0..0, row.certainty.map(|text| format!("Certainty: {text}")));
    notes.splice(0..0, row.severity.map(|text| format!("Severity: {text}")));
    let mut item = resource(rows, row, code, date, &notes, &subject);
    if !matches!(rows, Rows::Findings | Rows::Allergies) {
        notes.splice(0..0, row.value.map(|text| format!("Value: {text}")));
    }
    let is_general = section == S::OtherItems || rows == Rows::Flags || rows == Rows::Procedures;
    notes.extend(heading.filter(|_| is_general).map(|heading| format!("Listed under: {heading}")));
    match rows {
        // A flag has no notes in FHIR; they are said all the same.
        Rows::Flags => {
            item["extension"] =
                notes.iter().map(|note| json!({"url": "urn:lifeboat:note", "valueString": note})).collect();
        }
        _ => item["note"] = noted(&notes),
    }
    translation.item(Some(section), None, item);
}

/// Returns the resource that a row without a medicine stands for, without its notes.
fn resource(
    rows: Rows,
    row: &Row<'_>,
    code: Value,
    date: Option<String>,
    notes: &[String],
    subject: &Value,
) -> Value {
    match rows {
        Rows::Allergies => {
            json!({"resourceType": "AllergyIntolerance", "patient": subject, "code": code, "onsetDateTime": date})
        }
        Rows::Problems => {
            let said = notes.join(" ").to_lowercase();
            let is_past = ["past", "inactive", "ended", "resolved"]
                .iter()
                .any(|word| said.split(|letter: char| !letter.is_alphabetic()).any(|said| said == *word));
            let status = is_past.then(|| r4::hl7("condition-clinical", "inactive"));
            json!({"resourceType": "Condition", "subject": subject, "code": code, "clinicalStatus": status, "onsetDateTime": date})
        }
        Rows::Flags => {
            json!({"resourceType": "Flag", "status": "active", "subject": subject, "code": code, "period": {"start": date}})
        }
        Rows::Procedures => {
            json!({"resourceType": "Procedure", "status": "unknown", "subject": subject, "code": code, "performedDateTime": date})
        }
        Rows::Family => json!({
            "resourceType": "FamilyMemberHistory",
            "status": "partial",
            "patient": subject,
            "date": date,
            "relationship": {"text": "Family"},
            "condition": [{"code": code}]
        }),
        _ => json!({
            "resourceType": "Observation",
            "status": "unknown",
            "subject": subject,
            "code": code,
            "effectiveDateTime": date,
            "valueString": row.value
        }),
    }
}

fn medicine(
    rows: Rows,
    row: &Row<'_>,
    code: Value,
    date: Option<Dated<'_>>,
    mut notes: Vec<String>,
    subject: &Value,
) -> Value {
    let (status, course) = match rows {
        Rows::Acute => ("unknown", "acute"),
        Rows::Repeat => ("active", "continuous"),
        _ => ("stopped", "continuous"),
    };
    let mut item = json!({
        "resourceType": "MedicationRequest",
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": code,
        "subject": subject,
        "courseOfTherapyType": r4::hl7("medicationrequest-course-of-therapy", course),
        "dosageInstruction": [{"text": row.dose}],
        "extension": row.quantity.map(|text| json!([{
            "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationQuantityText-1",
            "valueString": text
        }]))
    });
    if let Some(date) = date {
        let is_issue = date.label.is_some_and(|label| label.to_lowercase().contains("last issued"));
        if is_issue {
            let issued = json!({
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate",
                "valueDateTime": date.when
            });
            match item["extension"].as_array_mut() {
                Some(extensions) => extensions.push(issued),
                None => item["extension"] = json!([issued]),
            }
        } else {
            item["authoredOn"] = json!(date.when);
            let label = date.label.filter(|label| !label.eq_ignore_ascii_case("Prescribed"));
            notes.splice(0..0, label.map(|label| format!("{label}: {}", date.written)));
        }
    }
    item["note"] = r4::notes(notes.iter().map(|note| Some(note.as_str())));
    item
}

/// A date of the presentation text, with the words before it.
struct Dated<'t> {
    label: Option<&'t str>,
    written: &'t str,
    when: String,
}

/// Reads `12 May 2020`, `12-May-2020`, `May 2020`, `2020`, with or without words and a colon before.
fn clinical_date(text: &str) -> Option<Dated<'_>> {
    let (label, written) = match text.rsplit_once(':') {
        Some((label, written)) => (Some(label.trim()), written.trim()),
        None => (None, text.trim()),
    };
    let parts: Vec<&str> = written.split([' ', '-']).filter(|part| !part.is_empty()).collect();
    let is_year = |year: &str| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let when = match parts[..] {
        [year] => year.to_owned(),
        [named, year] => format!("{year}-{}", month(named)?),
        [day, named, year] if day.len() <= 2 => format!("{year}-{}-{day:0>2}", month(named)?),
        _ => return None,
    };
    if !parts.last().is_some_and(|year| is_year(year)) {
        return None;
    }
    when.parse::<lifeboat_clinical::PartialDate>().ok()?;
    Some(Dated { label, written, when })
}

fn month(name: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.to_lowercase();
    let at = MONTHS.iter().position(|month| name.starts_with(month))?;
    Some(format!("{:02}", at + 1))
}

#[cfg(test)]
mod tests {
    use super::clinical_date;

    #[test]
    fn dates_of_the_presentation_are_read_with_their_words() {
        let cases = [
            ("25 Mar 2020", Some((None, "2020-03-25"))),
            ("Prescribed: 12-May-2020", Some((Some("Prescribed"), "2020-05-12"))),
            (
                "Authorised (not issued): 5 September 2019",
                Some((Some("Authorised (not issued)"), "2019-09-05")),
            ),
            ("Mar 2020", Some((None, "2020-03"))),
            ("2019", Some((None, "2019"))),
            ("31 Feb 2020", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = clinical_date(text);
            assert_eq!(read.as_ref().map(|date| (date.label, date.when.as_str())), expected, "{text}");
        }
    }
}
