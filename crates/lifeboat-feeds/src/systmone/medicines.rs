//! Repeat templates with their issues, and acute prescriptions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::patient::{Draft, record_id};
use super::tables::{PRIMARY_CARE_MEDICATION, REPEAT_TEMPLATE};
use crate::r4::{DMD, coding, concept, notes, quantity};
use crate::rows::{RowRef, UnitRows};

/// The issues of one repeat.
#[derive(Default)]
struct Issues {
    count: usize,
    last: Option<String>,
}

/// Adds every prescription; an issue whose template is not in the extract stands for itself.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    let mut issues: BTreeMap<&str, Issues> = BTreeMap::new();
    for row in rows.rows(PRIMARY_CARE_MEDICATION) {
        let template = row.text("IDRepeatTemplate").filter(|id| *id != "-1" && *id != "0");
        match template.and_then(|id| rows.row(REPEAT_TEMPLATE, id)) {
            Some(template) => {
                let when = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationStart");
                let issued = issues.entry(template.key()).or_default();
                issued.count += 1;
                issued.last = issued.last.take().max(when.fhir);
            }
            None => add_prescription(draft, row),
        }
    }
    for row in rows.rows(REPEAT_TEMPLATE) {
        add_repeat(draft, row, issues.get(row.key()));
    }
}

fn medicine(row: RowRef<'_>) -> Value {
    let name = row.text("NameOfMedication");
    let code = row.text("IDMultiLexDMD").map(|code| coding(DMD, code, name));
    let unnamed = row
        .text("IDMultiLexProduct")
        .map(|id| format!("Medicine not named in the extract (Multilex id {id})"));
    let text =
        name.map(str::to_owned).or(unnamed).unwrap_or_else(|| "Medicine not named in the extract".to_owned());
    concept(code.into_iter().collect(), Some(&text))
}

/// A quantity: SystmOne writes number and unit in one column.
fn amount(row: RowRef<'_>) -> Option<Value> {
    let written = row.text("MedicationQuantity")?;
    let (number, unit) = written.split_once(' ').unwrap_or((written, ""));
    let unit = Some(unit.trim()).filter(|unit| !unit.is_empty());
    Some(quantity(number, unit).unwrap_or_else(|| json!({"unit": written})))
}

fn course(code: &str) -> Value {
    json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy", "code": code}]})
}

fn add_repeat(draft: &mut Draft<'_>, row: RowRef<'_>, issues: Option<&Issues>) {
    let started = draft.when(REPEAT_TEMPLATE, row, "DateMedicationTemplateStart");
    let ended = draft.when(REPEAT_TEMPLATE, row, "DateMedicationTemplateEnd");
    let review = draft.when(REPEAT_TEMPLATE, row, "DateMedicationTemplateReview");
    let recorded = draft.when(REPEAT_TEMPLATE, row, "DateEvent");
    let has_ended = row.text("DateMedicationTemplateEnd").is_some();
    let issued =
        issues.map(|issues| json!({"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": issues.count}));
    let expiry = review.fhir.map(|date| json!({"url": "authorisationExpiryDate", "valueDateTime": date}));
    let last = issues.and_then(|issues| issues.last.as_deref()).map(|date| {
        json!({
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate",
            "valueDateTime": date
        })
    });
    let parts: Vec<Value> = [issued, expiry].into_iter().flatten().collect();
    let information = (!parts.is_empty()).then(|| {
        json!({
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation",
            "extension": parts
        })
    });
    let status_words = draft.words(row, "DrugStatus").map(|text| format!("Drug status: {text}"));
    let texts = [
        status_words.as_deref(),
        started.unread.as_deref(),
        ended.unread.as_deref(),
        review.unread.as_deref(),
    ];
    let number = |column: &str| row.text(column)?.parse::<u32>().ok();
    let resource = json!({
        "resourceType": "MedicationRequest",
        "id": record_id("repeat", row),
        "extension": [information, last],
        "status": if has_ended { "stopped" } else { "active" },
        "intent": "order",
        "medicationCodeableConcept": medicine(row),
        "subject": draft.document.subject(),
        "authoredOn": recorded.fhir.or_else(|| started.fhir.clone()),
        "requester": draft.done_by(row),
        "courseOfTherapyType": course("continuous"),
        "dosageInstruction": [{"text": row.text("MedicationDosage")}],
        "dispenseRequest": {
            "validityPeriod": {"start": started.fhir, "end": ended.fhir},
            "quantity": amount(row),
            "numberOfRepeatsAllowed": number("MaxIssues"),
            "expectedSupplyDuration": number("CourseLengthPerIssue").map(|days| json!({"value": days, "unit": "day"}))
        },
        "note": notes(texts)
    });
    draft.document.push(resource);
}

/// An acute prescription, or one that somebody else made.
fn add_prescription(draft: &mut Draft<'_>, row: RowRef<'_>) {
    let started = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationStart");
    let ended = draft.when(PRIMARY_CARE_MEDICATION, row, "DateMedicationEnd");
    let recorded = draft.when(PRIMARY_CARE_MEDICATION, row, "DateEvent");
    let elsewhere = [
        ("IsHospitalMedication", "Prescribed elsewhere: hospital"),
        ("IsDentalMedication", "Prescribed elsewhere: dentist"),
        ("IsOtherMedication", "Prescribed elsewhere or bought over the counter"),
        ("IsSupervised", "Supervised consumption"),
    ];
    let elsewhere = elsewhere.into_iter().map(|(column, words)| row.is_true(column).then_some(words));
    let doses = [("SupervisedDose", "Supervised dose"), ("UnsupervisedDose", "Unsupervised dose")];
    let doses: Vec<String> = doses
        .into_iter()
        .filter_map(|(column, words)| Some(format!("{words}: {}", row.text(column)?)))
        .collect();
    let is_repeat = row.is_true("IsRepeatMedication");
    let orphan = is_repeat.then_some("Issue of a repeat whose template is not in the extract");
    let is_other = ["IsHospitalMedication", "IsOtherMedication"].iter().any(|column| row.is_true(column));
    let texts = elsewhere.chain(doses.iter().map(|text| Some(text.as_str()))).chain([
        orphan,
        started.unread.as_deref(),
        ended.unread.as_deref(),
    ]);
    let has_ended = row.text("DateMedicationEnd").is_some();
    let resource = json!({
        "resourceType": "MedicationRequest",
        "id": record_id("medication", row),
        // Whether an acute course still runs follows from its dates; what others prescribe runs until it ends.
        "status": if is_other && !has_ended { "active" } else { "completed" },
        "intent": "order",
        "medicationCodeableConcept": medicine(row),
        "subject": draft.document.subject(),
        "authoredOn": recorded.fhir.or_else(|| started.fhir.clone()),
        "requester": draft.done_by(row),
        "courseOfTherapyType": course(if is_repeat { "continuous" } else { "acute" }),
        "dosageInstruction": [{"text": row.text("MedicationDosage")}],
        "dispenseRequest": {
            "validityPeriod": {"start": started.fhir, "end": ended.fhir},
            "quantity": amount(row)
        },
        "note": notes(texts)
    });
    draft.document.push(resource);
}
