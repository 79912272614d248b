//! Medicines: repeat templates with their issues, acute prescriptions, and what others prescribe.
//!
//! A repeat is one item, however often it was issued. An issue whose template is not in the extract is an acute item of its own.
//! The extract does not say whether an acute course is finished; its dates do, and its status is left open.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::draft::{Draft, When, number, record_id, said};
use super::tables::{PRIMARY_CARE_MEDICATION, REPEAT_TEMPLATE};
use crate::problem::Reason;
use crate::r4::{DMD, UCUM, coding, concept, notes, quantity};
use crate::rows::{RowRef, UnitRows};

const REPEAT_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";
const LAST_ISSUED: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate";

/// How many earlier issues are told with their dates.
const ISSUES_TOLD_MAX: usize = 12;

/// What says that somebody else prescribes, and who.
const ELSEWHERE: [(&str, &str); 3] = [
    ("IsHospitalMedication", "Prescribed elsewhere: hospital"),
    ("IsDentalMedication", "Prescribed elsewhere: dentist"),
    ("IsOtherMedication", "Prescribed elsewhere or bought over the counter"),
];

/// An issue and when it was made.
struct Issue<'r> {
    row: RowRef<'r>,
    when: When,
}

/// Adds every medicine.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    let mut issues: BTreeMap<&str, Vec<Issue<'_>>> = BTreeMap::new();
    for row in rows.rows(PRIMARY_CARE_MEDICATION) {
        let id = number(row, "IDRepeatTemplate");
        match id.filter(|id| rows.row(REPEAT_TEMPLATE, id).is_some()) {
            Some(template) => {
                let when = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationStart");
                issues.entry(template).or_default().push(Issue { row, when });
            }
            None => {
                if id.is_some() {
                    draft.flaw(PRIMARY_CARE_MEDICATION, "IDRepeatTemplate", Reason::Unresolved);
                }
                add_prescription(draft, row);
            }
        }
    }
    for row in rows.rows(REPEAT_TEMPLATE) {
        let mut issues = issues.remove(row.key()).unwrap_or_default();
        issues
            .sort_by(|one, other| (&other.when.fhir, other.row.key()).cmp(&(&one.when.fhir, one.row.key())));
        add_repeat(draft, row, &issues);
    }
}

fn medicine(row: RowRef<'_>) -> Value {
    let name = row.text("NameOfMedication");
    let code = number(row, "IDMultiLexDMD").map(|code| coding(DMD, code, name));
    let unnamed = || match number(row, "IDMultiLexProduct") {
        Some(id) => format!("Medicine not named in the extract (Multilex id {id})"),
        None => "Medicine not named in the extract".to_owned(),
    };
    let text = name.map_or_else(unnamed, str::to_owned);
    concept(code.into_iter().collect(), Some(&text))
}

/// Puts the quantity into a dispense request. SystmOne writes number and unit in one column.
fn dispense(row: RowRef<'_>, validity: Value) -> Value {
    let written = row.text("MedicationQuantity");
    let parts = written.map(|written| written.split_once(' ').unwrap_or((written, "")));
    let amount =
        parts.and_then(|(number, unit)| quantity(number, Some(unit.trim()).filter(|unit| !unit.is_empty())));
    let as_text = written.filter(|_| amount.is_none()).map(|written| [said("quantityText", written)]);
    json!({"extension": as_text, "validityPeriod": validity, "quantity": amount})
}

fn course(code: &str) -> Value {
    json!({"coding": [{
        "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy",
        "code": code
    }]})
}

fn add_repeat(draft: &mut Draft<'_>, row: RowRef<'_>, issues: &[Issue<'_>]) {
    let [started, ended, review] = ["Start", "End", "Review"]
        .map(|part| draft.when(REPEAT_TEMPLATE, row, &format!("DateMedicationTemplate{part}")));
    let event = draft.when(REPEAT_TEMPLATE, row, "DateEvent");
    let recorded = draft.when(REPEAT_TEMPLATE, row, "DateEventRecorded");
    let count = (!issues.is_empty())
        .then(|| json!({"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": issues.len()}));
    let expiry =
        review.fhir.as_deref().map(|date| json!({"url": "authorisationExpiryDate", "valueDateTime": date}));
    let parts: Vec<Value> = [count, expiry].into_iter().flatten().collect();
    let information = (!parts.is_empty()).then(|| json!({"url": REPEAT_INFORMATION, "extension": parts}));
    let last = issues.first().and_then(|issue| issue.when.fhir.as_deref());
    let last = last.map(|date| json!({"url": LAST_ISSUED, "valueDateTime": date}));
    let status = draft.words(REPEAT_TEMPLATE, row, "DrugStatus").map(|text| format!("Drug status: {text}"));
    let mut texts: Vec<String> = status.into_iter().chain(issue_notes(row, issues)).collect();
    for when in [&started, &ended, &review, &event, &recorded] {
        texts.extend(when.unread.clone());
    }
    let whole = |column: &str| row.text(column)?.parse::<u32>().ok();
    for (column, words) in [("MaxIssues", "Max issues"), ("CourseLengthPerIssue", "Course length per issue")]
    {
        let odd = row.text(column).filter(|_| whole(column).is_none());
        texts.extend(odd.map(|text| format!("{words}: {text}")));
    }
    let mut supply = dispense(row, json!({"start": started.fhir, "end": ended.fhir}));
    supply["numberOfRepeatsAllowed"] = json!(whole("MaxIssues"));
    supply["expectedSupplyDuration"] = json!(
        whole("CourseLengthPerIssue")
            .filter(|days| *days > 0)
            .map(|days| json!({"value": days, "unit": "day", "system": UCUM, "code": "d"}))
    );
    let resource = json!({
        "resourceType": "MedicationRequest",
        "id": record_id("repeat", row),
        "extension": [information, last],
        // An end that cannot be read stops nothing.
        "status": if ended.fhir.is_some() { "stopped" } else { "active" },
        "intent": "order",
        "medicationCodeableConcept": medicine(row),
        "subject": draft.document.subject(),
        "authoredOn": event.fhir.clone().or(recorded.fhir).or(started.fhir),
        "requester": draft.recorded_by(row),
        "courseOfTherapyType": course("continuous"),
        "dosageInstruction": row.text("MedicationDosage").map(|dose| [json!({"text": dose})]),
        "dispenseRequest": supply,
        "note": notes(texts.iter().map(|text| Some(text.as_str())))
    });
    draft.document.push(resource);
}

/// Returns the dates of earlier issues, and what of the last one differs from its template.
fn issue_notes(template: RowRef<'_>, issues: &[Issue<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(last) = issues.first() else { return notes };
    let columns = [
        ("NameOfMedication", "Medicine of the last issue"),
        ("MedicationDosage", "Dose of the last issue"),
        ("MedicationQuantity", "Quantity of the last issue"),
    ];
    for (column, words) in columns {
        let issued = last.row.text(column).filter(|text| Some(*text) != template.text(column));
        notes.extend(issued.map(|text| format!("{words}: {text}")));
    }
    let mut earlier: Vec<&str> =
        issues.iter().skip(1).filter_map(|issue| issue.when.fhir.as_deref()).collect();
    earlier.dedup();
    if !earlier.is_empty() {
        let told = earlier.iter().take(ISSUES_TOLD_MAX).copied().collect::<Vec<_>>().join(", ");
        let rest = earlier.len().saturating_sub(ISSUES_TOLD_MAX);
        let more = if rest > 0 { format!(" and {rest} before") } else { String::new() };
        notes.push(format!("Issued before on {told}{more}"));
    }
    notes.extend(issues.iter().filter_map(|issue| issue.when.unread.clone()));
    notes
}

/// Adds an acute prescription, an issue whose template is not in the extract, or what somebody else prescribes.
fn add_prescription(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationStart");
    let ended = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationEnd");
    let event = draft.when(PRIMARY_CARE_MEDICATION, row, "DateEvent");
    let recorded = draft.when(PRIMARY_CARE_MEDICATION, row, "DateEventRecorded");
    let is_repeat = row.is_true("IsRepeatMedication") || number(row, "IDRepeatTemplate").is_some();
    let mut texts: Vec<String> = Vec::new();
    texts.extend(is_repeat.then(|| "Issue of a repeat whose template is not in the extract".to_owned()));
    texts.extend(row.is_true("IsSupervised").then(|| "Supervised consumption".to_owned()));
    for (column, words) in [("SupervisedDose", "Supervised dose"), ("UnsupervisedDose", "Unsupervised dose")]
    {
        texts.extend(row.text(column).filter(|dose| *dose != "0").map(|dose| format!("{words}: {dose}")));
    }
    for when in [&started, &ended, &event, &recorded] {
        texts.extend(when.unread.clone());
    }
    let elsewhere: Vec<&str> =
        ELSEWHERE.into_iter().filter(|(column, _)| row.is_true(column)).map(|(_, words)| words).collect();
    let dosage = row.text("MedicationDosage").map(|dose| [json!({"text": dose})]);
    let written = event.fhir.or(recorded.fhir).or_else(|| started.fhir.clone());
    let resource = if elsewhere.is_empty() {
        let notes = notes(texts.iter().map(|text| Some(text.as_str())));
        json!({
            "resourceType": "MedicationRequest",
            "id": record_id("medication", row),
            "status": "unknown",
            "intent": "order",
            "medicationCodeableConcept": medicine(row),
            "subject": draft.document.subject(),
            "authoredOn": written,
            "requester": draft.recorded_by(row),
            "courseOfTherapyType": course("acute"),
            "dosageInstruction": dosage,
            "dispenseRequest": dispense(row, json!({"start": started.fhir, "end": ended.fhir})),
            "note": notes
        })
    } else {
        texts.extend(row.text("MedicationQuantity").map(|text| format!("Quantity: {text}")));
        // What others prescribe is taken until somebody says otherwise.
        json!({
            "resourceType": "MedicationStatement",
            "id": record_id("medication", row),
            "status": if ended.fhir.is_some() { "unknown" } else { "active" },
            "category": {"text": elsewhere.join("; ")},
            "medicationCodeableConcept": medicine(row),
            "subject": draft.document.subject(),
            "effectivePeriod": {"start": started.fhir, "end": ended.fhir},
            "dateAsserted": written,
            "informationSource": draft.recorded_by(row),
            "dosage": dosage,
            "note": notes(texts.iter().map(|text| Some(text.as_str())))
        })
    };
    draft.document.push(resource);
}
