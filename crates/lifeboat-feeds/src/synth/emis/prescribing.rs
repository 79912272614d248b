//! Rows of medicines: what is authorised, and its last issue.

use serde_json::Value;

use super::Row;
use super::clinical::Writer;
use super::codes::practice_guid;
use super::lines::{date_and_precision, guid, local, number, referred, text};

/// Adds the rows of a prescription.
pub(super) fn request(writer: &mut Writer<'_>, resource: &Value) {
    let drug = guid(text(resource, "/id"));
    let is_acute = text(resource, "/courseOfTherapyType/coding/0/code") == "acute";
    let dispense = &resource["dispenseRequest"];
    let start = text(dispense, "/validityPeriod/start");
    let stopped = if resource["status"] == "stopped" { text(dispense, "/validityPeriod/end") } else { "" };
    let repeat_information = &resource["extension"][0]["extension"][0]["valueUnsignedInt"];
    let last_issued = match text(resource, "/extension/1/valueDateTime") {
        "" => start,
        issued => issued,
    };
    let code = writer.shared.drug(&resource["medicationCodeableConcept"]);
    let is_active = resource["status"] == "active";
    authorised(writer, resource, &drug, start, code.clone())
        .set("PrescriptionType", if is_acute { "Acute" } else { "Repeat" })
        .set("IsActive", is_active.to_string())
        .set("CancellationDate", stopped)
        .set("NumberOfIssues", if is_acute { "1".to_owned() } else { number(repeat_information) })
        .set("NumberOfIssuesAuthorised", number(&dispense["numberOfRepeatsAllowed"]))
        .put(writer.rows);
    let (date, precision) = date_and_precision(last_issued);
    Row::of("Prescribing_IssueRecord")
        .set("IssueRecordGuid", guid(&format!("{drug}/issue")))
        .set("PatientGuid", writer.patient.guid.as_str())
        .set("OrganisationGuid", practice_guid())
        .set("DrugRecordGuid", drug)
        .set("EffectiveDate", date.as_str())
        .set("EffectiveDatePrecision", precision)
        .set("EnteredDate", date)
        .set("EnteredTime", "09:00:00")
        .set("ClinicianUserInRoleGuid", referred(&resource["requester"]))
        .set("CodeId", code)
        .set("Dosage", text(resource, "/dosageInstruction/0/text"))
        .set("Quantity", number(&dispense["quantity"]["value"]))
        .set("QuantityUnit", text(dispense, "/quantity/unit"))
        .set("CourseDurationInDays", number(&dispense["expectedSupplyDuration"]["value"]))
        .put(writer.rows);
}

fn authorised(writer: &Writer<'_>, resource: &Value, drug: &str, start: &str, code: String) -> Row {
    let (date, precision) = date_and_precision(start);
    let (entered_date, entered_time) = local(text(resource, "/authoredOn"));
    let quantity = &resource["dispenseRequest"]["quantity"];
    Row::of("Prescribing_DrugRecord")
        .set("DrugRecordGuid", drug)
        .set("PatientGuid", writer.patient.guid.as_str())
        .set("OrganisationGuid", practice_guid())
        .set("EffectiveDate", date)
        .set("EffectiveDatePrecision", precision)
        .set("EnteredDate", entered_date)
        .set("EnteredTime", entered_time)
        .set("ClinicianUserInRoleGuid", referred(&resource["requester"]))
        .set("CodeId", code)
        .set("Dosage", text(resource, "/dosageInstruction/0/text"))
        .set("Quantity", number(&quantity["value"]))
        .set("QuantityUnit", text(quantity, "/unit"))
}

/// Adds the row of a medicine that somebody else supplies: a repeat that the practice does not issue.
pub(super) fn statement(writer: &mut Writer<'_>, resource: &Value) {
    let code = writer.shared.drug(&resource["medicationCodeableConcept"]);
    let start = text(resource, "/effectivePeriod/start");
    let (entered_date, entered_time) = local(text(resource, "/dateAsserted"));
    let dose = format!("{} ({})", text(resource, "/dosage/0/text"), text(resource, "/note/0/text"));
    authorised(writer, resource, &guid(text(resource, "/id")), start, code)
        .set("EnteredDate", entered_date)
        .set("EnteredTime", entered_time)
        .set("Dosage", dose)
        .set("PrescriptionType", "Repeat")
        .set("IsActive", "true")
        .put(writer.rows);
}
