//! Rows of the care record: every resource of a chart but the patient and the medicines.

use std::collections::HashMap;

use serde_json::Value;

use super::Row;
use super::codes::{Shared, practice_guid};
use super::lines::{date_and_precision, guid, local, number, referred, text};
use super::people::Patient;
use super::prescribing;
use crate::synth::RowSet;

const ALLERGIES: &str = "Allergy and adverse drug reactions";
const CONDITIONS: &str = "Conditions, operations and procedures";
const VALUES: &str = "Biological values";
const SOCIAL: &str = "Personal Health and Social";
const FINDINGS: &str = "Symptoms and Findings";
const DOCUMENTS: &str = "Administration, documents and attachments";
/// Allergies of which only words are known.
const DEGRADED: (&str, &str) = ("Transfer-degraded drug allergy", "196461000000101");

/// Adds the rows of a chart.
pub(super) fn add(rows: &mut RowSet, patient: &Patient, chart: &[Value], shared: &mut Shared) {
    let mut writer = Writer { rows, patient, shared, reports: reports(chart) };
    for resource in chart.iter().skip(1) {
        writer.add(resource);
    }
}

/// Returns the report of every result that is in one.
fn reports(chart: &[Value]) -> HashMap<String, String> {
    let mut reports = HashMap::new();
    for report in chart.iter().filter(|resource| resource["resourceType"] == "DiagnosticReport") {
        for result in report["result"].as_array().into_iter().flatten() {
            reports.insert(referred(result), guid(text(report, "/id")));
        }
    }
    reports
}

/// Writes a patient's resources as rows.
pub(super) struct Writer<'w> {
    pub(super) rows: &'w mut RowSet,
    pub(super) patient: &'w Patient,
    pub(super) shared: &'w mut Shared,
    /// The report that a result stands under.
    reports: HashMap<String, String>,
}

impl Writer<'_> {
    fn add(&mut self, resource: &Value) {
        match text(resource, "/resourceType") {
            "Condition" => self.problem(resource),
            "AllergyIntolerance" => self.allergy(resource),
            "Flag" => self.alert(resource),
            "MedicationRequest" => prescribing::request(self, resource),
            "MedicationStatement" => prescribing::statement(self, resource),
            "Observation" => self.observation(resource),
            "DiagnosticReport" => self.report(resource),
            "Encounter" => self.consultation(resource),
            "Immunization" => self.immunisation(resource),
            "Procedure" => self.procedure(resource),
            "ServiceRequest" if resource["intent"] == "plan" => self.recall(resource),
            "ServiceRequest" => self.referral(resource),
            "FamilyMemberHistory" => self.family_history(resource),
            "DocumentReference" => self.document(resource),
            _ => self.anything(resource),
        }
    }

    /// Begins the row of an entry.
    fn entry(&self, guid: &str, code: String, effective: &str, entered: &str) -> Row {
        let (date, precision) = date_and_precision(effective);
        let (entered_date, entered_time) = local(if entered.is_empty() { effective } else { entered });
        Row::of("CareRecord_Observation")
            .set("ObservationGuid", guid)
            .set("PatientGuid", self.patient.guid.as_str())
            .set("OrganisationGuid", practice_guid())
            .set("EffectiveDate", date)
            .set("EffectiveDatePrecision", precision)
            .set("EnteredDate", entered_date)
            .set("EnteredTime", entered_time)
            .set("CodeId", code)
    }

    /// Keeps the words that were chosen for an entry, where its code has others.
    fn original_term(&mut self, guid: &str, term: &str) {
        Row::of("OriginalTerms")
            .set("OrganisationCdb", "5432")
            .set("OrganisationOds", lifeboat_clinical::synth::SITE_CODE)
            .set("PatientGuid", self.patient.guid.as_str())
            .set("ObservationGuid", guid)
            .set("OriginalTerm", term)
            .put(self.rows);
    }

    fn problem(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let code = self.shared.code(&resource["code"], CONDITIONS);
        self.entry(&guid, code, text(resource, "/onsetDateTime"), text(resource, "/recordedDate"))
            .set("ClinicianUserInRoleGuid", referred(&resource["recorder"]))
            .set("ObservationType", "Observation")
            .put(self.rows);
        let is_active = text(resource, "/clinicalStatus/coding/0/code") == "active";
        let is_major = text(resource, "/extension/0/valueCode") == "major";
        let (end, precision) = date_and_precision(text(resource, "/abatementDateTime"));
        Row::of("CareRecord_Problem")
            .set("ObservationGuid", guid)
            .set("PatientGuid", self.patient.guid.as_str())
            .set("OrganisationGuid", practice_guid())
            .set("Comment", text(resource, "/note/0/text"))
            .set("EndDate", end)
            .set("EndDatePrecision", precision)
            .set("ProblemStatusDescription", if is_active { "Active Problem" } else { "Past Problem" })
            .set("SignificanceDescription", if is_major { "Significant Problem" } else { "Minor Problem" })
            .put(self.rows);
    }

    fn allergy(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let is_coded = resource["code"]["coding"].is_array();
        let code = if is_coded {
            self.shared.code(&resource["code"], ALLERGIES)
        } else {
            self.shared.named_code(DEGRADED.0, DEGRADED.1, ALLERGIES)
        };
        let mut words = Vec::new();
        for reaction in resource["reaction"].as_array().into_iter().flatten() {
            let manifestation = text(reaction, "/manifestation/0/coding/0/display");
            words.push(format!("Reaction: {manifestation} ({})", text(reaction, "/severity")));
        }
        if text(resource, "/clinicalStatus/coding/0/code") == "resolved" {
            words.push("Resolved".to_owned());
        }
        words.extend(resource["note"][0]["text"].as_str().map(str::to_owned));
        self.entry(&guid, code, text(resource, "/onsetDateTime"), text(resource, "/recordedDate"))
            .set("ClinicianUserInRoleGuid", referred(&resource["recorder"]))
            .set("AssociatedText", words.join(". "))
            .set("ObservationType", "Allergy")
            .put(self.rows);
        if !is_coded {
            self.original_term(&guid, text(resource, "/code/text"));
        }
    }

    fn alert(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let code = self.shared.code(&resource["code"], SOCIAL);
        self.entry(&guid, code, text(resource, "/period/start"), "")
            .set("ClinicianUserInRoleGuid", referred(&resource["author"]))
            .set("ObservationType", "Observation")
            .put(self.rows);
        if let Some(words) = resource["code"]["text"].as_str() {
            self.original_term(&guid, words);
        }
    }

    fn observation(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let effective = text(resource, "/effectiveDateTime");
        let entered = text(resource, "/issued");
        let (category, kind) = match text(resource, "/category/0/coding/0/code") {
            "laboratory" => (laboratory(text(resource, "/code/text")), "Investigation"),
            "social-history" => (SOCIAL, "Observation"),
            "vital-signs" => (VALUES, "Value"),
            _ => ("Obstetrics and Birth", "Observation"),
        };
        // An answer that is a concept is the entry's code.
        let is_answer = resource["valueCodeableConcept"].is_object();
        let concept = &resource[if is_answer { "valueCodeableConcept" } else { "code" }];
        let code = self.shared.code(concept, category);
        let date = resource["valueDateTime"].as_str();
        let words = date.map(|date| format!("Date: {date}"));
        self.entry(&guid, code, effective, entered)
            .set("ClinicianUserInRoleGuid", referred(&resource["performer"][0]))
            .set("ParentObservationGuid", self.reports.get(&guid).cloned().unwrap_or_default())
            .set("AssociatedText", words.unwrap_or_default())
            .set("Value", number(&resource["valueQuantity"]["value"]))
            .set("NumericUnit", text(resource, "/valueQuantity/unit"))
            .set("ObservationType", kind)
            .set("NumericRangeLow", number(&resource["referenceRange"][0]["low"]["value"]))
            .set("NumericRangeHigh", number(&resource["referenceRange"][0]["high"]["value"]))
            .put(self.rows);
        for (at, component) in resource["component"].as_array().into_iter().flatten().enumerate() {
            let part = super::lines::guid(&format!("{guid}/{at}"));
            let code = self.shared.code(&component["code"], category);
            self.entry(&part, code, effective, entered)
                .set("ClinicianUserInRoleGuid", referred(&resource["performer"][0]))
                .set("ParentObservationGuid", guid.as_str())
                .set("Value", number(&component["valueQuantity"]["value"]))
                .set("NumericUnit", text(component, "/valueQuantity/unit"))
                .set("ObservationType", kind)
                .put(self.rows);
        }
    }

    fn report(&mut self, resource: &Value) {
        let code = self.shared.code(&resource["code"], "Haematology");
        self.entry(
            &guid(text(resource, "/id")),
            code,
            text(resource, "/effectiveDateTime"),
            text(resource, "/issued"),
        )
        .set("AssociatedText", text(resource, "/conclusion"))
        .set("ObservationType", "Investigation")
        .put(self.rows);
    }

    fn consultation(&mut self, resource: &Value) {
        let consultation = guid(text(resource, "/id"));
        let start = text(resource, "/period/start");
        let (date, _) = date_and_precision(start);
        let clinician = referred(&resource["participant"][0]["individual"]);
        let (entered, time) = local(start);
        Row::of("CareRecord_Consultation")
            .set("ConsultationGuid", consultation.as_str())
            .set("PatientGuid", self.patient.guid.as_str())
            .set("OrganisationGuid", practice_guid())
            .set("EffectiveDate", date)
            .set("EffectiveDatePrecision", "YMD")
            .set("EnteredDate", entered)
            .set("EnteredTime", time)
            .set("ClinicianUserInRoleGuid", clinician.as_str())
            .set("ConsultationSourceTerm", text(resource, "/type/0/text"))
            .set("Complete", "true")
            .put(self.rows);
        let code = self.shared.named_code(text(resource, "/reasonCode/0/text"), "", FINDINGS);
        self.entry(&guid(&format!("{consultation}/notes")), code, start, start)
            .set("ClinicianUserInRoleGuid", clinician)
            .set("ConsultationGuid", consultation)
            .set("AssociatedText", text(resource, "/extension/0/valueString"))
            .set("ObservationType", "Observation")
            .put(self.rows);
    }

    fn immunisation(&mut self, resource: &Value) {
        const CATEGORY: &str = "Immunisations";
        let procedure = &resource["extension"][0]["valueCodeableConcept"];
        let was_given = resource["status"] == "completed";
        let code = if was_given {
            self.shared.code(procedure, CATEGORY)
        } else {
            self.shared.named_code(&format!("{} declined", text(procedure, "/text")), "", CATEGORY)
        };
        let mut words =
            vec![format!("Part {}", number(&resource["protocolApplied"][0]["doseNumberPositiveInt"]))];
        words.extend(resource["lotNumber"].as_str().map(|lot| format!("batch {lot}")));
        words.extend(resource["site"]["text"].as_str().map(str::to_owned));
        words.extend(resource["statusReason"]["text"].as_str().map(str::to_owned));
        let guid = guid(text(resource, "/id"));
        self.entry(&guid, code, text(resource, "/occurrenceDateTime"), text(resource, "/recorded"))
            .set("ClinicianUserInRoleGuid", referred(&resource["performer"][0]["actor"]))
            .set("AssociatedText", words.join(", "))
            .set("ObservationType", "Immunisation")
            .put(self.rows);
    }

    fn procedure(&mut self, resource: &Value) {
        let code = self.shared.code(&resource["code"], "Procedure code");
        self.entry(&guid(text(resource, "/id")), code, text(resource, "/performedDateTime"), "")
            .set("AssociatedText", text(resource, "/performer/0/actor/display"))
            .set("ObservationType", "Observation")
            .put(self.rows);
    }

    fn referral(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let code = self.shared.code(&resource["code"], "Referral");
        let made = text(resource, "/authoredOn");
        self.entry(&guid, code, made, made)
            .set("ClinicianUserInRoleGuid", referred(&resource["requester"]))
            .set("AssociatedText", text(resource, "/reasonCode/0/text"))
            .set("ObservationType", "Referral")
            .put(self.rows);
        let urgency = if resource["priority"] == "urgent" { "Urgent" } else { "Routine" };
        let target = self.shared.organisation(text(resource, "/performer/0/display"));
        Row::of("CareRecord_ObservationReferral")
            .set("ObservationGuid", guid)
            .set("PatientGuid", self.patient.guid.as_str())
            .set("OrganisationGuid", practice_guid())
            .set("ReferralTargetOrganisationGuid", target)
            .set("ReferralUrgency", urgency)
            .set("ReferralReceivedDate", local(made).0)
            .set("ReferralSourceOrganisationGuid", practice_guid())
            .put(self.rows);
    }

    fn recall(&mut self, resource: &Value) {
        let code = self.shared.code(&resource["code"], "Health management, screening and monitoring");
        let (date, precision) = date_and_precision(text(resource, "/occurrenceDateTime"));
        Row::of("CareRecord_Diary")
            .set("DiaryGuid", guid(text(resource, "/id")))
            .set("PatientGuid", self.patient.guid.as_str())
            .set("OrganisationGuid", practice_guid())
            .set("EffectiveDate", date)
            .set("EffectiveDatePrecision", precision)
            .set("ClinicianUserInRoleGuid", referred(&resource["requester"]))
            .set("CodeId", code)
            .set("IsActive", "true")
            .set("IsComplete", "false")
            .put(self.rows);
    }

    fn family_history(&mut self, resource: &Value) {
        let code = self.shared.code(&resource["condition"][0]["code"], "Family history");
        let relation = text(resource, "/relationship/coding/0/display");
        let onset = text(resource, "/condition/0/onsetString");
        self.entry(&guid(text(resource, "/id")), code, text(resource, "/date"), "")
            .set("AssociatedText", format!("{relation}, {onset}"))
            .set("ObservationType", "FamilyHistory")
            .put(self.rows);
    }

    fn document(&mut self, resource: &Value) {
        let guid = guid(text(resource, "/id"));
        let code = self.shared.code(&resource["type"], DOCUMENTS);
        let written = text(resource, "/date");
        self.entry(&guid, code, written, written)
            .set("AssociatedText", text(resource, "/description"))
            .set("DocumentGuid", super::lines::guid(&format!("{guid}/document")))
            .set("ObservationType", "Document")
            .put(self.rows);
    }

    /// Writes a resource of a kind that charts do not hold today, so that it is not lost.
    fn anything(&mut self, resource: &Value) {
        let code = self.shared.named_code(text(resource, "/resourceType"), "", FINDINGS);
        self.entry(&guid(text(resource, "/id")), code, "", "").put(self.rows);
    }
}

/// Returns the category of a laboratory test by its name.
fn laboratory(term: &str) -> &'static str {
    let of_blood = ["Haemoglobin conc", "white cell", "Platelet", "normalised ratio"];
    if of_blood.iter().any(|part| term.contains(part)) { "Haematology" } else { "Biochemistry" }
}
