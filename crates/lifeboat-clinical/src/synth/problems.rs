//! Problems and allergies of a made-up patient.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::catalogue::{ALLERGIES, Allergy, PROBLEMS, Problem};
use super::random::Random;
use super::story::{SNOMED, Story, concept, draw_clinician, hl7, instant};

/// What is known about a patient's allergies, as the generator decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllergyStory {
    /// So many allergies are recorded, some of them perhaps resolved.
    Known(usize),
    /// It is recorded that there are none.
    NoneKnown,
    /// Nothing is recorded.
    NotRecorded,
    /// The source withholds the section.
    Withheld,
    /// The source says that the section is not available.
    Unavailable,
}

/// Decides what is known about the allergies; the last two need a document that can say so.
pub(crate) fn allergy_story(seed: u64, index: u64, is_document: bool) -> AllergyStory {
    let mut random = Random::of(seed, "allergy-story", index);
    let draw = random.below(100);
    let count = 1 + usize::try_from(random.below(3)).unwrap_or(0);
    match draw {
        0..30 => AllergyStory::Known(count),
        30..70 => AllergyStory::NoneKnown,
        70..80 if is_document => AllergyStory::Withheld,
        80..90 if is_document => AllergyStory::Unavailable,
        _ => AllergyStory::NotRecorded,
    }
}

impl Story<'_> {
    /// Draws the patient's problems and adds them.
    pub(crate) fn add_problems(&mut self) -> Vec<&'static Problem> {
        let mut random = self.chance_for("problems");
        let age = self.age_years();
        let mut chosen = Vec::new();
        for problem in PROBLEMS {
            if problem.ages.contains(&age) && random.chance(problem.percent) {
                chosen.push(problem);
            }
        }
        for problem in &chosen {
            self.add_problem(&mut random, problem);
        }
        chosen
    }

    fn add_problem(&mut self, random: &mut Random, problem: &Problem) {
        let back = if problem.chronic { 15 * 365 } else { 8 * 365 };
        let began = self.date(random, back);
        let recorder = draw_clinician(random).reference();
        let active = problem.chronic && random.chance(94);
        let status = match (active, random.chance(60)) {
            (true, _) => hl7("condition-clinical", "active", "Active"),
            (false, true) => hl7("condition-clinical", "resolved", "Resolved"),
            (false, false) => hl7("condition-clinical", "inactive", "Inactive"),
        };
        let mut body = json!({
            "extension": [{
                "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-CareConnect-GPC-ProblemSignificance-1",
                "valueCode": if problem.chronic { "major" } else { "minor" }
            }],
            "clinicalStatus": status,
            "verificationStatus": hl7("condition-ver-status", "confirmed", "Confirmed"),
            "category": [hl7("condition-category", "problem-list-item", "Problem List Item")],
            "code": concept(problem.code, problem.term),
            "subject": self.subject(),
            "onsetDateTime": partial(random, began),
            "recordedDate": instant(began, random),
            "recorder": recorder
        });
        if !active {
            body["abatementDateTime"] = json!(self.date(random, 300).max(began).to_string());
        }
        if random.chance(25) {
            let note = random.pick(&[
                "Discussed with patient; leaflet given.",
                "Seen in secondary care, letter scanned.",
                "Diagnosis made abroad - no documents held.",
                "For annual review.",
            ]);
            body["note"] = json!([{"text": note}]);
        }
        self.push("Condition", "Condition", body);
    }

    /// Adds what is recorded about allergies.
    pub(crate) fn add_allergies(&mut self, story: AllergyStory) {
        let mut random = self.chance_for("allergies");
        match story {
            AllergyStory::Known(count) => {
                let first = usize::try_from(random.below(ALLERGIES.len() as u64)).unwrap_or(0);
                for at in 0..count {
                    let allergy = &ALLERGIES[(first + at * 3) % ALLERGIES.len()];
                    // The first one is always current, so that the patient counts as allergic.
                    let current = at == 0 || random.chance(80);
                    self.add_allergy(&mut random, allergy, current);
                }
            }
            AllergyStory::NoneKnown => {
                let recorded = self.date(&mut random, 6 * 365);
                let body = json!({
                    "clinicalStatus": hl7("allergyintolerance-clinical", "active", "Active"),
                    "verificationStatus": hl7("allergyintolerance-verification", "confirmed", "Confirmed"),
                    "code": concept("716186003", "No known allergy"),
                    "patient": self.subject(),
                    "recordedDate": instant(recorded, &mut random),
                    "recorder": draw_clinician(&mut random).reference()
                });
                self.push("AllergyIntolerance", "AllergyIntolerance", body);
            }
            AllergyStory::NotRecorded | AllergyStory::Withheld | AllergyStory::Unavailable => {}
        }
    }

    fn add_allergy(&mut self, random: &mut Random, allergy: &Allergy, current: bool) {
        let began = self.date(random, 20 * 365);
        let (code, term) = random.pick(allergy.reactions);
        let severity = random.pick(&["mild", "moderate", "severe"]);
        let status = if current { ("active", "Active") } else { ("resolved", "Resolved") };
        let mut body = json!({
            "clinicalStatus": hl7("allergyintolerance-clinical", status.0, status.1),
            "verificationStatus": hl7("allergyintolerance-verification", "confirmed", "Confirmed"),
            "type": "allergy",
            "category": [allergy.category],
            "criticality": if severity == "severe" { "high" } else { "low" },
            "code": concept(allergy.code, allergy.term),
            "patient": self.subject(),
            "onsetDateTime": partial(random, began),
            "recordedDate": instant(began, random),
            "recorder": draw_clinician(random).reference(),
            "reaction": [{"manifestation": [concept(code, term)], "severity": severity}]
        });
        if random.chance(30) {
            body["note"] = json!([{"text": "Patient reports reaction in childhood; details not known."}]);
        }
        if random.chance(10) {
            body["code"] =
                json!({"text": format!("?{} (as stated by patient)", allergy.term.to_lowercase())});
        }
        self.push("AllergyIntolerance", "AllergyIntolerance", body);
    }

    /// Adds the flags that everybody must see.
    pub(crate) fn add_flags(&mut self) {
        let mut random = self.chance_for("flags");
        let age = self.age_years();
        if age > 75 && random.chance(12) {
            self.add_flag(&mut random, "450476008", "Not for attempted cardiopulmonary resuscitation", None);
        }
        if let Some((_, language)) = self.person.language {
            let text = format!("Interpreter needed: {language}");
            self.add_flag(&mut random, "315594003", "Interpreter needed", Some(text));
        }
        if random.chance(2) {
            let detail = "Safeguarding concern: see practice safeguarding lead before home visit".to_owned();
            self.add_flag(&mut random, "878111000000109", "Safeguarding concern", Some(detail));
        }
        if random.chance(2) {
            let text = "Reasonable adjustment: large print, ground floor room".to_owned();
            self.add_flag(&mut random, "1108111000000107", "Requires reasonable adjustment", Some(text));
        }
    }

    fn add_flag(&mut self, random: &mut Random, code: &str, term: &str, text: Option<String>) {
        let since = self.date(random, 4 * 365);
        let mut concept = json!({"coding": [{"system": SNOMED, "code": code, "display": term}]});
        if let Some(text) = text {
            concept["text"] = Value::from(text);
        }
        let body = json!({
            "status": "active",
            "category": [hl7("flag-category", "clinical", "Clinical")],
            "code": concept,
            "subject": self.subject(),
            "period": {"start": since.to_string()},
            "author": draw_clinician(random).reference()
        });
        self.push("Flag", "Flag", body);
    }
}

/// Writes a date with the precision that it was remembered with.
fn partial(random: &mut Random, date: Date) -> String {
    match random.below(10) {
        0 => format!("{:04}", date.year()),
        1 => format!("{:04}-{:02}", date.year(), date.month()),
        _ => date.to_string(),
    }
}
