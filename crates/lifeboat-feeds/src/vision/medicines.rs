//! Prescriptions: acute ones, repeats, and the issues of repeats.
//!
//! An issue is not an item of its own: it says when its repeat was last issued, and how often. Issues whose
//! repeat is not in the extract are gathered by drug into one item of unknown status, which stands with the repeats:
//! better one too many there than one too few.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::chart::{Chart, Entry, links, subset};
use crate::r4;
use crate::rows::RowRef;

const LAST_ISSUED: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate";
const REPEAT_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";
const QUANTITY_TEXT: &str =
    "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-MedicationQuantityText-1";

/// When something was issued.
#[derive(Default)]
struct Issues<'a> {
    count: u32,
    last: Option<(String, RowRef<'a>)>,
    any: Option<RowRef<'a>>,
}

impl<'a> Issues<'a> {
    fn add(&mut self, row: RowRef<'a>, when: Option<String>) {
        self.count += 1;
        self.any.get_or_insert(row);
        if let Some(when) = when
            && self.last.as_ref().is_none_or(|(last, _)| *last < when)
        {
            self.last = Some((when, row));
        }
    }
}

/// Adds every prescription of the journal.
pub(super) fn add(chart: &mut Chart<'_>) {
    let rows = chart.rows;
    let mut issues: BTreeMap<String, Issues<'_>> = BTreeMap::new();
    let mut loose: BTreeMap<String, Issues<'_>> = BTreeMap::new();
    for row in rows.rows("Journal").filter(|row| subset(*row) == 'S') {
        let repeat =
            links(row).find(|link| chart.journal_row(link).is_some_and(|linked| subset(linked) == 'R'));
        let when = row.text("DATE").and_then(super::chart::partial);
        let drug = || {
            [row.text("DMD_CODE"), row.text("RUBRIC"), row.text("CODE")]
                .map(Option::unwrap_or_default)
                .join("|")
        };
        match repeat {
            Some(repeat) => issues.entry(repeat.to_owned()).or_default().add(row, when),
            None => loose.entry(drug()).or_default().add(row, when),
        }
    }
    for row in rows.rows("Journal").filter(|row| matches!(subset(*row), 'A' | 'R')) {
        let issued = row.text("ID").and_then(|id| issues.get(id));
        prescription(chart, row, issued);
    }
    for issued in loose.values() {
        let newest = issued.last.as_ref().map(|(_, row)| *row).or(issued.any);
        if let Some(row) = newest {
            prescription(chart, row, Some(issued));
        }
    }
}

fn prescription<'a>(chart: &mut Chart<'a>, row: RowRef<'a>, issued: Option<&Issues<'_>>) {
    let mut entry = chart.entry(row);
    let end = chart.date(row, "END_DATE", &mut entry.notes);
    let kind = subset(row);
    // A repeat with an end has been stopped; whether an acute course is over is not recorded.
    let (status, course) = match kind {
        'R' if row.text("END_DATE").is_some() => ("stopped", "continuous"),
        'R' => ("active", "continuous"),
        'S' => ("unknown", "continuous"),
        _ => ("unknown", "acute"),
    };
    if kind == 'S' {
        entry.notes.push("Issued as a repeat; the repeat itself is not in the extract.".to_owned());
    }
    describe(&mut entry);
    let mut extension = std::mem::take(&mut entry.extension);
    let quantity = quantity(row, &mut extension);
    if let Some(issued) = issued {
        extension
            .extend(issued.last.as_ref().map(|(when, _)| json!({"url": LAST_ISSUED, "valueDateTime": when})));
        extension.push(json!({
            "url": REPEAT_INFORMATION,
            "extension": [{"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": issued.count}]
        }));
    }
    let start = entry.when.as_deref().map(|when| when.split('T').next().unwrap_or_default());
    let request = json!({
        "resourceType": "MedicationRequest",
        "id": entry.id,
        "extension": extension,
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": entry.code,
        "subject": chart.document.subject(),
        "encounter": entry.encounter,
        "authoredOn": entry.recorded.as_deref().or(entry.when.as_deref()),
        "requester": entry.who,
        "courseOfTherapyType": r4::hl7("medicationrequest-course-of-therapy", course),
        "dosageInstruction": [{"text": row.text("TEXT")}],
        "dispenseRequest": {"validityPeriod": {"start": start, "end": end}, "quantity": quantity},
        "note": entry.notes(None)
    });
    chart.document.push(request);
}

/// Notes form, strength and pack, where the drug's name does not say them.
fn describe(entry: &mut Entry<'_>) {
    let name = entry.row.text("RUBRIC").unwrap_or_default().to_lowercase();
    let parts = [("Form", "DRUG_FORM"), ("Strength", "DRUG_STRENGTH"), ("Pack size", "DRUG_PACKSIZE")];
    for (label, column) in parts {
        let said = entry.row.text(column).filter(|text| !name.contains(&text.to_lowercase()));
        entry.notes.extend(said.map(|text| format!("{label}: {text}")));
    }
    let second = entry.row.text("VALUE2").map(|value| {
        let label = entry.row.text("VALUE2_NAME").unwrap_or("Second value");
        let units = entry.row.text("VALUE2_UNITS").map(|units| format!(" {units}")).unwrap_or_default();
        format!("{label}: {value}{units}")
    });
    entry.notes.extend(second);
}

/// Returns the quantity; one that is no number goes to an extension as text.
fn quantity(row: RowRef<'_>, extension: &mut Vec<Value>) -> Option<Value> {
    let written = row.text("VALUE1")?;
    let unit = row.text("VALUE1_UNITS").or_else(|| row.text("DRUG_FORM"));
    let read = r4::quantity(written, unit);
    if read.is_none() {
        let text = unit.map_or_else(|| written.to_owned(), |unit| format!("{written} {unit}"));
        extension.push(json!({"url": QUANTITY_TEXT, "valueString": text}));
    }
    read
}
