//! Prescriptions: acute ones, and repeats with their issues.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::entries::{codings, joined, linked, notes_of, record_id};
use super::patient::Draft;
use super::tables::JOURNAL;
use crate::r4::{concept, quantity};
use crate::rows::{RowRef, UnitRows};

/// The issues of one repeat.
#[derive(Default)]
struct Issues {
    count: usize,
    last: Option<String>,
}

/// Adds every prescription; an issue whose repeat is not in the extract stands for itself.
pub(super) fn add(draft: &mut Draft<'_>, rows: &UnitRows) {
    let subset = |row: RowRef<'_>| row.text("SUBSET").map(str::to_ascii_uppercase).unwrap_or_default();
    let repeats: BTreeMap<&str, RowRef<'_>> = rows
        .rows(JOURNAL)
        .filter(|row| subset(*row) == "R")
        .filter_map(|row| Some((row.text("ID")?, row)))
        .collect();
    let mut issues: BTreeMap<&str, Issues> = BTreeMap::new();
    for row in rows.rows(JOURNAL).filter(|row| subset(*row) == "S") {
        let repeat = linked(row).find_map(|id| repeats.get_key_value(id));
        let Some((id, _)) = repeat else {
            let resource = prescription(draft, row, Course::Issue, None);
            draft.document.push(resource);
            continue;
        };
        let when = draft.when(row, JOURNAL, "DATE", None);
        let issued = issues.entry(id).or_default();
        issued.count += 1;
        issued.last = issued.last.take().max(when.fhir);
    }
    for (id, row) in &repeats {
        let resource = prescription(draft, *row, Course::Repeat, issues.get(id));
        draft.document.push(resource);
    }
    for row in rows.rows(JOURNAL).filter(|row| subset(*row) == "A") {
        let resource = prescription(draft, row, Course::Acute, None);
        draft.document.push(resource);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Acute,
    Repeat,
    /// An issue of a repeat that is not in the extract.
    Issue,
}

fn prescription(draft: &mut Draft<'_>, row: RowRef<'_>, course: Course, issues: Option<&Issues>) -> Value {
    let started = draft.when(row, JOURNAL, "DATE", None);
    let ended = draft.when(row, JOURNAL, "END_DATE", None);
    let has_ended = row.text("END_DATE").is_some();
    let status = match course {
        Course::Repeat if has_ended => "stopped",
        Course::Repeat => "active",
        // Whether an acute course still runs follows from its dates.
        Course::Acute | Course::Issue => "completed",
    };
    let (code, text) = match course {
        Course::Repeat => ("continuous", "Repeat"),
        Course::Acute => ("acute", "Acute"),
        Course::Issue => ("continuous", "Issue of a repeat that is not in the extract"),
    };
    let issues = issues.filter(|issues| issues.count > 0);
    let extension = issues.map(|issues| {
        json!([
            {
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation",
                "extension": [{"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": issues.count}]
            },
            {
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate",
                "valueDateTime": issues.last
            }
        ])
    });
    let number =
        |column: &str| row.text(column).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let allowed =
        (course == Course::Repeat).then(|| number("VALUE2").and_then(|text| text.parse::<u32>().ok()));
    let pack = row.text("VALUE1_UNITS").or(row.text("DRUG_PACKSIZE"));
    let amount = row
        .text("VALUE1")
        .map(|value| quantity(value, pack).unwrap_or_else(|| json!({"unit": joined([Some(value), pack])})));
    let unread = [started.unread.as_deref(), ended.unread.as_deref()];
    json!({
        "resourceType": "MedicationRequest",
        "id": record_id(row),
        "extension": extension,
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": concept(codings(row), name(row).as_deref()),
        "subject": draft.document.subject(),
        "authoredOn": started.fhir,
        "requester": draft.staff(row, "HCP"),
        "courseOfTherapyType": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy", "code": code}],
            "text": text
        },
        "dosageInstruction": [{"text": row.text("TEXT")}],
        "dispenseRequest": {
            "validityPeriod": {"start": started.fhir, "end": ended.fhir},
            "quantity": amount,
            "numberOfRepeatsAllowed": allowed.flatten()
        },
        "note": notes_of(row, unread.into_iter().flatten())
    })
}

/// The name of the medicine, with form and strength where the name does not say them.
fn name(row: RowRef<'_>) -> Option<String> {
    let rubric = row.text("RUBRIC");
    let more = ["DRUG_STRENGTH", "DRUG_FORM"].into_iter().filter_map(|column| row.text(column));
    let more: Vec<&str> = more
        .filter(|part| !rubric.unwrap_or_default().to_lowercase().contains(&part.to_lowercase()))
        .collect();
    match (rubric, more.is_empty()) {
        (Some(rubric), true) => Some(rubric.to_owned()),
        (Some(rubric), false) => Some(format!("{rubric} {}", more.join(" "))),
        (None, _) => row
            .text("DMD_CODE")
            .or(row.text("CODE"))
            .map(|code| format!("Medicine {code} (name not in extract)")),
    }
}
