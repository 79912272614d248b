//! Medicines of a made-up patient: repeats, acute courses, discontinued items, things taken from elsewhere.

use serde_json::{Value, json};

use super::catalogue::{MEDICINES, Medicine, Problem};
use super::random::{Random, days_before};
use super::story::{DMD, Story, draw_clinician, hl7, instant};

/// What kind of prescription it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prescription {
    Repeat,
    Acute,
    Discontinued,
}

impl Story<'_> {
    /// Adds the medicines that go with `problems`.
    pub(crate) fn add_medicines(&mut self, problems: &[&'static Problem]) {
        let mut random = self.chance_for("medicines");
        let mut given: Vec<usize> = Vec::new();
        for problem in problems {
            for at in problem.medicines {
                if given.contains(at) || !random.chance(if problem.chronic { 75 } else { 55 }) {
                    continue;
                }
                given.push(*at);
                let kind = match (problem.chronic, random.chance(88)) {
                    (true, true) => Prescription::Repeat,
                    (true, false) => Prescription::Discontinued,
                    (false, _) => Prescription::Acute,
                };
                self.add_medicine(&mut random, &MEDICINES[*at], kind);
            }
        }
        for _ in 0..self.amount(random.between(0, 1), random.between(1, 4)) {
            let medicine = random.pick(MEDICINES);
            self.add_medicine(&mut random, &medicine, Prescription::Acute);
        }
        if random.chance(12) {
            self.add_statement(&mut random);
        }
    }

    /// Adds one prescription.
    pub(crate) fn add_medicine(&mut self, random: &mut Random, medicine: &Medicine, kind: Prescription) {
        let back = match kind {
            Prescription::Repeat => 4 * 365,
            Prescription::Acute => 11 * 30,
            Prescription::Discontinued => 3 * 365,
        };
        let start = self.date(random, back);
        let recent = days_before(self.last, random.between(1, 40)).max(start);
        let status = match kind {
            Prescription::Repeat => "active",
            Prescription::Acute if random.chance(80) => "completed",
            Prescription::Acute => "active",
            Prescription::Discontinued => "stopped",
        };
        let course = match kind {
            Prescription::Acute => ("acute", "Short course (acute) therapy"),
            Prescription::Repeat | Prescription::Discontinued => {
                ("continuous", "Continuous long term therapy")
            }
        };
        let mut body = json!({
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": medicine_concept(medicine),
            "subject": self.subject(),
            "authoredOn": instant(start, random),
            "requester": draw_clinician(random).reference(),
            "courseOfTherapyType": hl7("medicationrequest-course-of-therapy", course.0, course.1),
            "dosageInstruction": [{"text": random.pick(medicine.doses)}],
            "dispenseRequest": dispense(medicine, kind, start)
        });
        match kind {
            Prescription::Repeat => {
                body["extension"] = repeat_information(random, recent);
                if random.chance(20) {
                    body["note"] = json!([{"text": "Review due: bloods needed before next authorisation"}]);
                }
            }
            Prescription::Discontinued => {
                let reason = random.pick(&["Adverse reaction", "No longer needed", "Changed to alternative"]);
                body["statusReason"] = json!({"text": reason});
                body["dispenseRequest"]["validityPeriod"]["end"] = json!(recent.to_string());
            }
            Prescription::Acute => {}
        }
        self.push("MedicationRequest", "MedicationRequest", body);
    }

    fn add_statement(&mut self, random: &mut Random) {
        let (name, dose, note) = random.pick(&[
            ("Ibuprofen 200mg tablets", "1-2 tds prn", "Bought over the counter"),
            ("St John's wort 300mg capsules", "one daily", "Herbal, patient's own purchase"),
            ("Clozapine 100mg tablets", "200mg at night", "Hospital only - do not issue"),
            (
                "Adalimumab 40mg/0.4ml solution for injection",
                "40mg every 2 weeks",
                "Supplied by hospital homecare",
            ),
        ]);
        let start = self.date(random, 2 * 365);
        let body = json!({
            "status": "active",
            "category": hl7("medication-statement-category", "patientspecified", "Patient Specified"),
            "medicationCodeableConcept": {"text": name},
            "subject": self.subject(),
            "effectivePeriod": {"start": start.to_string()},
            "dateAsserted": instant(start, random),
            "informationSource": self.subject(),
            "note": [{"text": note}],
            "dosage": [{"text": dose}]
        });
        self.push("MedicationStatement", "MedicationStatement", body);
    }
}

fn medicine_concept(medicine: &Medicine) -> Value {
    json!({"coding": [{"system": DMD, "code": medicine.code, "display": medicine.name}]})
}

fn dispense(medicine: &Medicine, kind: Prescription, start: jiff::civil::Date) -> Value {
    let (amount, unit) = medicine.quantity;
    let mut dispense = json!({
        "validityPeriod": {"start": start.to_string()},
        "quantity": {"value": amount.parse::<i64>().unwrap_or(1), "unit": unit},
        "expectedSupplyDuration": {
            "value": medicine.days,
            "unit": "day",
            "system": "http://unitsofmeasure.org",
            "code": "d"
        }
    });
    match kind {
        Prescription::Acute => {
            let end = days_before(start, -i64::from(medicine.days));
            dispense["validityPeriod"]["end"] = json!(end.to_string());
        }
        Prescription::Repeat | Prescription::Discontinued => dispense["numberOfRepeatsAllowed"] = json!(12),
    }
    dispense
}

fn repeat_information(random: &mut Random, issued: jiff::civil::Date) -> Value {
    json!([
        {
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation",
            "extension": [
                {"url": "numberOfPrescriptionsIssued", "valueUnsignedInt": random.between(1, 11)},
                {"url": "authorisationExpiryDate", "valueDateTime": days_before(issued, -180).to_string()}
            ]
        },
        {
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationPrescribingLastIssuedDate",
            "valueDateTime": issued.to_string()
        }
    ])
}
