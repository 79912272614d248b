//! Medicines: what is authorised (`Prescribing_DrugRecord`) and what was issued of it (`Prescribing_IssueRecord`).
//!
//! A medicine is one item, however often it was issued: the item tells the last issue and when the others were. An
//! issue without its authorisation is an acute item of its own.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::chart::{Chart, Secrecy};
use super::codes::Code;
use super::document::Draft;
use super::names;
use super::tables::{DRUG, DRUG_CODE, ISSUE};
use super::when::{self, When};
use crate::problem::Reason;
use crate::r4;
use crate::rows::RowRef;

const REPEAT_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";
const LAST_ISSUED: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate";
const COURSE_UK: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-MedicationRequestCourseOfTherapy";

/// How many earlier issues are told with their dates.
const ISSUES_TOLD_MAX: usize = 12;

/// How a medicine is prescribed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Acute,
    Repeat,
    RepeatDispensing,
    NotSaid,
}

/// An issue and when it was made.
struct Issue<'a> {
    row: RowRef<'a>,
    when: When,
}

/// Adds every medicine.
pub(super) fn add(draft: &mut Draft, chart: &Chart<'_>) {
    let mut issued: HashMap<&str, Vec<Issue<'_>>> = HashMap::new();
    let mut orphans = Vec::new();
    let authorised: HashMap<&str, RowRef<'_>> =
        chart.rows.rows(DRUG).filter_map(|row| Some((row.text("DrugRecordGuid")?, row))).collect();
    for row in chart.rows.rows(ISSUE) {
        let issue = Issue { row, when: when::effective(row) };
        draft.check(ISSUE, &[&issue.when]);
        match row.text("DrugRecordGuid").filter(|guid| authorised.contains_key(guid)) {
            Some(guid) => issued.entry(guid).or_default().push(issue),
            None => orphans.push(issue),
        }
    }
    for row in chart.rows.rows(DRUG) {
        let Some(guid) = row.text("DrugRecordGuid") else {
            continue;
        };
        let issues = issued.remove(guid).unwrap_or_default();
        add_authorised(draft, chart, guid, row, issues);
    }
    for issue in &orphans {
        let item = orphan(draft, chart, issue);
        draft.file(Secrecy::of(issue.row), item);
    }
}

fn add_authorised(draft: &mut Draft, chart: &Chart<'_>, guid: &str, row: RowRef<'_>, issues: Vec<Issue<'_>>) {
    let secrecy = Secrecy::of(row);
    let (open, secret): (Vec<_>, Vec<_>) =
        issues.into_iter().partition(|issue| secrecy.within(Secrecy::of(issue.row)) == secrecy);
    let mut issues = open;
    issues.sort_by(|one, other| (&other.when.fhir, other.row.key()).cmp(&(&one.when.fhir, one.row.key())));
    let item = authorised(draft, chart, guid, row, &issues);
    draft.file(secrecy, item);
    for issue in &secret {
        let item = orphan(draft, chart, issue);
        draft.file(Secrecy::Confidential, item);
    }
}

fn authorised(
    draft: &mut Draft,
    chart: &Chart<'_>,
    guid: &str,
    row: RowRef<'_>,
    issues: &[Issue<'_>],
) -> Value {
    let start = when::effective(row);
    let entered = when::entered(row);
    let cancelled = when::on(row, "CancellationDate");
    draft.check(DRUG, &[&start, &entered, &cancelled]);
    let (course, kind) = course(row.text("PrescriptionType"));
    let last = issues.first();

    let mut extension: Vec<Value> =
        kind.map(|kind| names::said("prescription-type", kind)).into_iter().collect();
    let number = row.text("NumberOfIssues").map(|number| match number.parse::<u32>() {
        Ok(number) => json!({"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": number}),
        Err(_) => json!({"url": "numberOfPrescriptionsIssued", "valueString": number}),
    });
    if let Some(number) = number.filter(|_| course != Course::Acute) {
        extension.push(json!({"url": REPEAT_INFORMATION, "extension": [number]}));
    }
    let last_issued = last.and_then(|issue| issue.when.fhir.as_deref());
    extension.extend(last_issued.map(|date| json!({"url": LAST_ISSUED, "valueDateTime": date})));

    let mut notes: Vec<String> =
        [&start, &entered, &cancelled].iter().filter_map(|when| when.told.clone()).collect();
    notes.extend(issue_notes(row, issues));
    let allowed = row.text("NumberOfIssuesAuthorised").filter(|_| course != Course::Acute);
    let mut dispense = dispense(row);
    dispense["numberOfRepeatsAllowed"] =
        allowed.and_then(|number| number.parse::<u32>().ok()).map_or(Value::Null, Value::from);
    dispense["validityPeriod"] = r4::object([
        ("start", start.fhir.clone().map(Value::from)),
        ("end", cancelled.fhir.clone().map(Value::from)),
    ]);
    dispense["expectedSupplyDuration"] = last.and_then(|issue| days(issue.row)).unwrap_or_default();
    let status = status(course, row);
    let mut item = medicine(draft, chart, row, DRUG);
    let members = r4::object([
        ("id", Some(names::id("", guid).into())),
        ("extension", Some(extension.into())),
        ("status", Some(status.into())),
        ("authoredOn", entered.fhir.or(start.fhir).map(Value::from)),
        ("courseOfTherapyType", course_concept(course, kind)),
        ("dispenseRequest", Some(dispense)),
        ("note", Some(r4::notes(notes.iter().map(|note| Some(note.as_str()))))),
    ]);
    extend(&mut item, members);
    item
}

/// Returns an issue whose authorisation is not in the extract, as an acute item.
fn orphan(draft: &mut Draft, chart: &Chart<'_>, issue: &Issue<'_>) -> Value {
    let row = issue.row;
    let entered = when::entered(row);
    let mut notes = vec!["Issued; the authorisation is not in the extract".to_owned()];
    notes.extend(issue.when.told.clone());
    let mut dispense = dispense(row);
    dispense["validityPeriod"] = r4::object([("start", issue.when.fhir.clone().map(Value::from))]);
    dispense["expectedSupplyDuration"] = days(row).unwrap_or_default();
    let last_issued = issue.when.fhir.as_deref();
    let extension: Vec<Value> =
        last_issued.map(|date| json!({"url": LAST_ISSUED, "valueDateTime": date})).into_iter().collect();
    let mut item = medicine(draft, chart, row, ISSUE);
    let name = row.text("IssueRecordGuid").unwrap_or_else(|| row.key());
    let members = r4::object([
        ("id", Some(names::id("", name).into())),
        ("extension", Some(extension.into())),
        ("status", Some("completed".into())),
        ("authoredOn", entered.fhir.or_else(|| issue.when.fhir.clone()).map(Value::from)),
        ("courseOfTherapyType", course_concept(Course::Acute, None)),
        ("dispenseRequest", Some(dispense)),
        ("note", Some(r4::notes(notes.iter().map(|note| Some(note.as_str()))))),
    ]);
    extend(&mut item, members);
    item
}

/// Returns what an authorisation and an issue have in common.
fn medicine(draft: &mut Draft, chart: &Chart<'_>, row: RowRef<'_>, table: &str) -> Value {
    let code = Code::of(row.text("CodeId"), DRUG_CODE, chart.shared);
    if let Code::Unexplained(_) = code {
        draft.problem(table, "CodeId", Reason::Unresolved);
    }
    let reason = chart.linked_problem(row, "ProblemObservationGuid").map(|words| json!([{"text": words}]));
    r4::object([
        ("resourceType", Some("MedicationRequest".into())),
        ("intent", Some("order".into())),
        ("medicationCodeableConcept", Some(code.medicine())),
        ("subject", Some(draft.subject())),
        ("requester", names::clinician(chart.shared, row)),
        ("reasonCode", reason),
        ("dosageInstruction", row.text("Dosage").map(|dose| json!([{"text": dose}]))),
    ])
}

fn extend(item: &mut Value, members: Value) {
    if let (Some(item), Value::Object(members)) = (item.as_object_mut(), members) {
        item.extend(members);
    }
}

/// Returns the quantity, as a number with its unit, or as text where it is no number.
fn dispense(row: RowRef<'_>) -> Value {
    let Some(quantity) = row.text("Quantity") else {
        return json!({});
    };
    let unit = row.text("QuantityUnit");
    match r4::quantity(quantity, unit) {
        Some(quantity) => json!({"quantity": quantity}),
        None => {
            let words = unit.map_or_else(|| quantity.to_owned(), |unit| format!("{quantity} {unit}"));
            json!({"extension": [names::said("quantity", words)]})
        }
    }
}

fn days(row: RowRef<'_>) -> Option<Value> {
    let mut days = r4::quantity(row.text("CourseDurationInDays")?, Some("day"))?;
    days["system"] = r4::UCUM.into();
    days["code"] = "d".into();
    Some(days)
}

/// Returns how a medicine is prescribed, and the source's word where that says more.
fn course(kind: Option<&str>) -> (Course, Option<&str>) {
    let lower = kind.unwrap_or_default().to_lowercase();
    match lower.as_str() {
        "acute" => (Course::Acute, None),
        "repeat" => (Course::Repeat, None),
        "repeat dispensing" => (Course::RepeatDispensing, None),
        "automatic" => (Course::Repeat, kind),
        _ => (Course::NotSaid, kind),
    }
}

fn course_concept(course: Course, kind: Option<&str>) -> Option<Value> {
    const SYSTEM: &str = "medicationrequest-course-of-therapy";
    match course {
        Course::Acute => Some(r4::hl7(SYSTEM, "acute")),
        Course::Repeat => Some(r4::hl7(SYSTEM, "continuous")),
        Course::RepeatDispensing => {
            let coding = r4::coding(COURSE_UK, "continuous-repeat-dispensing", None);
            Some(r4::concept(vec![coding], Some("Repeat dispensing")))
        }
        Course::NotSaid => kind.map(|kind| json!({"text": kind})),
    }
}

/// Returns the status. What the source calls active stays current, also beside a date of cancellation.
fn status(course: Course, row: RowRef<'_>) -> &'static str {
    let ended = row.text("CancellationDate").is_some();
    match (row.is_true("IsActive"), course) {
        (true, _) => "active",
        (false, Course::Acute) if !ended => "completed",
        (false, _) => "stopped",
    }
}

/// Tells the dates of earlier issues, and what of the last one differs from what is authorised now.
fn issue_notes(row: RowRef<'_>, issues: &[Issue<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(last) = issues.first() else {
        return notes;
    };
    for (name, column) in [("Dose", "Dosage"), ("Quantity", "Quantity")] {
        let issued = last.row.text(column);
        if issued.is_some() && issued != row.text(column) {
            notes.extend(issued.map(|issued| format!("{name} of the last issue: {issued}")));
        }
    }
    let dates: Vec<&str> = issues.iter().filter_map(|issue| issue.when.fhir.as_deref()).collect();
    if dates.len() > 1 {
        let told = dates.iter().skip(1).take(ISSUES_TOLD_MAX).copied().collect::<Vec<_>>().join(", ");
        let rest = dates.len().saturating_sub(ISSUES_TOLD_MAX + 1);
        let more = if rest > 0 { format!(" and {rest} before") } else { String::new() };
        notes.push(format!("Issued before on {told}{more}"));
    }
    notes.extend(
        issues.iter().filter_map(|issue| issue.when.told.as_ref()).map(|told| format!("Issued: {told}")),
    );
    notes
}
