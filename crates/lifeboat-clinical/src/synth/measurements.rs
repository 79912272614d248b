//! Results, vital signs and social history of a made-up patient.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Detail;
use super::catalogue::{Problem, TESTS, Test};
use super::random::Random;
use super::story::{Story, concept, decimal, draw_clinician, hl7, instant};

const UCUM: &str = "http://unitsofmeasure.org";

impl Story<'_> {
    /// Adds laboratory results: those that `problems` call for, and the full blood count of a check-up.
    pub(crate) fn add_results(&mut self, problems: &[&'static Problem]) {
        let mut random = self.chance_for("results");
        let mut tests: Vec<usize> = problems.iter().flat_map(|problem| problem.tests).copied().collect();
        if self.age_years() > 40 && random.chance(60) {
            tests.extend([5, 6, 7]);
        }
        tests.sort_unstable();
        tests.dedup();
        for at in tests {
            for _ in 0..self.amount(random.between(0, 1), random.between(1, 3)) {
                let taken = self.date(&mut random, 2 * 365);
                self.add_result(&mut random, &TESTS[at], taken);
            }
        }
        if self.detail == Detail::Full || random.chance(25) {
            self.add_report(&mut random);
        }
    }

    /// Adds one result of `test`.
    pub(crate) fn add_result(&mut self, random: &mut Random, test: &Test, taken: Date) {
        let value = random.between(test.values.0, test.values.1);
        let mark = match value {
            _ if value < test.range.0 => ("L", "Low"),
            _ if value > test.range.1 => ("H", "High"),
            _ => ("N", "Normal"),
        };
        let quantity = |scaled| json!({"value": decimal(scaled, test.places), "unit": test.unit, "system": UCUM, "code": test.unit});
        let body = json!({
            "status": "final",
            "category": [hl7("observation-category", "laboratory", "Laboratory")],
            "code": concept(test.code, test.term),
            "subject": self.subject(),
            "effectiveDateTime": taken.to_string(),
            "issued": instant(taken, random),
            "performer": [{"display": "Port Selkie Pathology"}],
            "valueQuantity": quantity(value),
            "interpretation": [hl7("v3-ObservationInterpretation", mark.0, mark.1)],
            "referenceRange": [{"low": quantity(test.range.0), "high": quantity(test.range.1)}]
        });
        self.push("Observation", "Observation", body);
    }

    fn add_report(&mut self, random: &mut Random) {
        let taken = self.date(random, 365);
        let mut results = Vec::new();
        for at in [5, 6, 7] {
            self.add_result(random, &TESTS[at], taken);
            results.extend(self.last_id().map(|id| json!({"reference": format!("Observation/{id}")})));
        }
        let body = json!({
            "status": "final",
            "category": [hl7("v2-0074", "HM", "Hematology")],
            "code": concept("26604007", "Full blood count"),
            "subject": self.subject(),
            "effectiveDateTime": taken.to_string(),
            "issued": instant(taken, random),
            "performer": [{"display": "Port Selkie Pathology"}],
            "result": results,
            "conclusion": random.pick(&["Normal, no action", "Discuss at next appointment", "Repeat in 3 months"])
        });
        self.push("DiagnosticReport", "DiagnosticReport", body);
    }

    /// Adds vital signs.
    pub(crate) fn add_vitals(&mut self) {
        let mut random = self.chance_for("vitals");
        if self.age_years() >= 16 {
            for _ in 0..self.amount(1, 3) {
                let taken = self.date(&mut random, 2 * 365);
                self.add_blood_pressure(&mut random, taken);
            }
        }
        let kilograms = if self.age_years() < 12 { (30, 400) } else { (450, 1300) };
        for _ in 0..self.amount(1, 2) {
            let taken = self.date(&mut random, 2 * 365);
            let value = decimal(random.between(kilograms.0, kilograms.1), 1);
            self.add_vital(&mut random, ("27113001", "Body weight"), value, "kg", taken);
        }
        if random.chance(30) || self.detail == Detail::Full {
            let taken = self.date(&mut random, 365);
            let value = json!(random.between(93, 100));
            self.add_vital(&mut random, ("431314004", "Peripheral oxygen saturation"), value, "%", taken);
            let beats = json!(random.between(48, 118));
            self.add_vital(&mut random, ("364075005", "Heart rate"), beats, "beats/min", taken);
        }
    }

    fn add_vital(&mut self, random: &mut Random, what: (&str, &str), value: Value, unit: &str, taken: Date) {
        let body = json!({
            "status": "final",
            "category": [hl7("observation-category", "vital-signs", "Vital Signs")],
            "code": concept(what.0, what.1),
            "subject": self.subject(),
            "effectiveDateTime": instant(taken, random),
            "performer": [draw_clinician(random).reference()],
            "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit}
        });
        self.push("Observation", "Observation", body);
    }

    fn add_blood_pressure(&mut self, random: &mut Random, taken: Date) {
        let part = |code: &str, term: &str, value: i64| {
            json!({
                "code": concept(code, term),
                "valueQuantity": {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
            })
        };
        let systolic = part("271649006", "Systolic blood pressure", random.between(98, 178));
        let diastolic = part("271650006", "Diastolic blood pressure", random.between(54, 104));
        let body = json!({
            "status": "final",
            "category": [hl7("observation-category", "vital-signs", "Vital Signs")],
            "code": concept("75367002", "Blood pressure"),
            "subject": self.subject(),
            "effectiveDateTime": instant(taken, random),
            "performer": [draw_clinician(random).reference()],
            "component": [systolic, diastolic]
        });
        self.push("Observation", "Observation", body);
    }

    /// Adds smoking, alcohol, and an expected date of delivery.
    pub(crate) fn add_social_history(&mut self) {
        let mut random = self.chance_for("social");
        if self.age_years() < 16 {
            return;
        }
        let smoking = random.pick(&[
            ("266919005", "Never smoked tobacco"),
            ("8517006", "Ex-smoker"),
            ("77176002", "Smoker"),
        ]);
        let taken = self.date(&mut random, 3 * 365);
        let status = concept(smoking.0, smoking.1);
        self.add_social(
            &mut random,
            ("365981007", "Tobacco smoking behaviour"),
            "valueCodeableConcept",
            status,
            taken,
        );
        if random.chance(60) {
            let units = json!({"value": random.between(0, 40), "unit": "units/week"});
            let taken = self.date(&mut random, 3 * 365);
            let what = ("1082641000000106", "Alcohol units consumed per week");
            self.add_social(&mut random, what, "valueQuantity", units, taken);
        }
        let of_age = (18..44).contains(&self.age_years()) && self.person.died.is_none();
        if self.person.gender == "female" && of_age && random.chance(6) {
            let due = super::random::days_before(self.last, -random.between(10, 200));
            let taken = self.date(&mut random, 60);
            let body = json!({
                "status": "final",
                "code": concept("161714006", "Estimated date of delivery"),
                "subject": self.subject(),
                "effectiveDateTime": taken.to_string(),
                "valueDateTime": due.to_string()
            });
            self.push("Observation", "Observation", body);
        }
    }

    fn add_social(&mut self, random: &mut Random, what: (&str, &str), key: &str, value: Value, taken: Date) {
        let mut body = json!({
            "status": "final",
            "category": [hl7("observation-category", "social-history", "Social History")],
            "code": concept(what.0, what.1),
            "subject": self.subject(),
            "effectiveDateTime": instant(taken, random),
            "performer": [draw_clinician(random).reference()]
        });
        body[key] = value;
        self.push("Observation", "Observation", body);
    }
}
