//! Encounters, immunisations, procedures, referrals, plans and documents of a made-up patient.

use serde_json::json;

use super::Detail;
use super::catalogue::{CONSULTATIONS, PROCEDURES, VACCINES};
use super::random::days_before;
use super::story::{Story, concept, draw_clinician, hl7, instant, location_reference, practice_reference};

impl Story<'_> {
    /// Adds consultations of the last two years.
    pub(crate) fn add_encounters(&mut self) {
        let mut random = self.chance_for("encounters");
        for _ in 0..self.amount(random.between(1, 2), random.between(3, 6)) {
            let day = self.date(&mut random, 2 * 365);
            let (title, notes) = random.pick(CONSULTATIONS);
            let hour = random.between(8, 17);
            let minute = random.below(5) * 10;
            let virtually = random.chance(35);
            let class = if virtually { ("VR", "virtual") } else { ("AMB", "ambulatory") };
            let body = json!({
                "extension": [{
                    "url": "https://demonstration.example/StructureDefinition/consultation-notes",
                    "valueString": notes
                }],
                "status": "finished",
                "class": {
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                    "code": class.0,
                    "display": class.1
                },
                "type": [{"text": if virtually { "Telephone consultation" } else { "GP surgery consultation" }}],
                "subject": self.subject(),
                "participant": [{"individual": draw_clinician(&mut random).reference()}],
                "period": {
                    "start": format!("{day}T{hour:02}:{minute:02}:00Z"),
                    "end": format!("{day}T{hour:02}:{:02}:00Z", minute + 10)
                },
                "reasonCode": [{"text": title}],
                "location": [{"location": location_reference()}],
                "serviceProvider": practice_reference()
            });
            self.push("Encounter", "Encounter", body);
        }
    }

    /// Adds immunisations that the patient's age allows.
    pub(crate) fn add_immunisations(&mut self) {
        let mut random = self.chance_for("immunisations");
        let age = self.age_years();
        let mut left = self.amount(1, 4);
        for (code, term, part, from) in VACCINES {
            if age < *from || left == 0 || (age > 30 && *from < 10) || !random.chance(70) {
                continue;
            }
            left -= 1;
            let given = self.date(&mut random, 5 * 365);
            let status = if random.chance(96) { "completed" } else { "not-done" };
            let mut body = json!({
                "extension": [{
                    "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-VaccinationProcedure",
                    "valueCodeableConcept": concept(code, term)
                }],
                "status": status,
                "vaccineCode": {"text": term},
                "patient": self.subject(),
                "occurrenceDateTime": given.to_string(),
                "recorded": instant(given, &mut random),
                "primarySource": random.chance(80),
                "protocolApplied": [{"doseNumberPositiveInt": part}]
            });
            if status == "completed" {
                body["lotNumber"] = json!(format!("LB{:05}", random.below(100_000)));
                body["site"] = concept("368208006", "Left upper arm");
                body["performer"] = json!([{"actor": draw_clinician(&mut random).reference()}]);
            } else {
                body["statusReason"] = json!({"text": "Patient declined"});
            }
            self.push("Immunization", "Immunization", body);
        }
    }

    /// Adds procedures, referrals, recalls, family history and, in full records, letters.
    pub(crate) fn add_other_events(&mut self) {
        let mut random = self.chance_for("other-events");
        let age = self.age_years();
        for (code, term, from) in PROCEDURES {
            if age >= *from && random.chance(6) {
                let body = json!({
                    "status": "completed",
                    "code": concept(code, term),
                    "subject": self.subject(),
                    "performedDateTime": self.date(&mut random, 12 * 365).to_string(),
                    "performer": [{"actor": {"display": "Port Selkie General Hospital"}}]
                });
                self.push("Procedure", "Procedure", body);
            }
        }
        if random.chance(18) {
            self.add_referral();
        }
        if age > 40 && self.person.died.is_none() && random.chance(25) {
            self.add_recall();
        }
        if random.chance(8) {
            let body = json!({
                "status": "completed",
                "patient": self.subject(),
                "date": self.date(&mut random, 5 * 365).to_string(),
                "relationship": hl7("v3-RoleCode", "MTH", "mother"),
                "condition": [{"code": concept("414545008", "Ischaemic heart disease"), "onsetString": "in her 50s"}]
            });
            self.push("FamilyMemberHistory", "FamilyMemberHistory", body);
        }
        if self.detail == Detail::Full {
            self.add_letter();
        }
    }

    fn add_referral(&mut self) {
        let mut random = self.chance_for("referral");
        let specialty = random.pick(&["Cardiology", "Dermatology", "Orthopaedics", "Physiotherapy", "ENT"]);
        let made = self.date(&mut random, 330);
        let body = json!({
            "status": "active",
            "intent": "order",
            "category": [concept("3457005", "Patient referral")],
            "priority": random.pick(&["routine", "urgent"]),
            "code": {"text": format!("Referral to {specialty}")},
            "subject": self.subject(),
            "authoredOn": instant(made, &mut random),
            "requester": draw_clinician(&mut random).reference(),
            "performer": [{"display": format!("{specialty}, Port Selkie General Hospital")}],
            "reasonCode": [{"text": "Persistent symptoms despite treatment in primary care"}]
        });
        self.push("ServiceRequest", "ServiceRequest", body);
    }

    fn add_recall(&mut self) {
        let mut random = self.chance_for("recall");
        let due = days_before(self.last, -random.between(5, 300));
        let body = json!({
            "status": "active",
            "intent": "plan",
            "code": {"text": random.pick(&["Annual review due", "Blood test due", "Smear due", "Flu jab recall"])},
            "subject": self.subject(),
            "occurrenceDateTime": due.to_string(),
            "requester": draw_clinician(&mut random).reference()
        });
        self.push("ServiceRequest", "ServiceRequest", body);
    }

    fn add_letter(&mut self) {
        let mut random = self.chance_for("letter");
        let written = self.date(&mut random, 600);
        let body = json!({
            "status": "current",
            "type": concept("823681000000100", "Outpatient letter"),
            "subject": self.subject(),
            "date": instant(written, &mut random),
            "author": [{"display": "Port Selkie General Hospital"}],
            "description": "Clinic letter, scanned",
            "content": [{"attachment": {"contentType": "application/pdf", "title": "letter.pdf", "size": 48213}}]
        });
        self.push("DocumentReference", "DocumentReference", body);
    }
}
