//! Allergies that a source has only as entries of the journal or as problems.
//!
//! Systems let an allergy be coded without making it one. Such an entry must be read where allergies are read.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::response::Response;
use super::value::{codings, text};
use super::words;

/// Codes of transfer-degraded allergies.
const DEGRADED: [&str; 2] = ["196461000000101", "196471000000108"];

/// How terms of allergies begin.
const BEGINNINGS: [&str; 14] = [
    "allergy to ",
    "allergic to ",
    "allergic reaction to ",
    "adverse reaction to ",
    "adverse drug reaction",
    "anaphyla",
    "anaphylactic reaction",
    "drug allergy",
    "drug hypersensitivity",
    "food allergy",
    "history of allergy",
    "hypersensitivity to ",
    "intolerance to ",
    "sensitivity to ",
];

/// How terms of allergies end.
const ENDS: [&str; 5] =
    [" allergy", " hypersensitivity", " adverse reaction", " sensitivity", " anaphylaxis"];

/// How terms begin that name an allergy and do not say that the patient has it.
const OTHERWISE: [&str; 11] = [
    "no ",
    "not ",
    "fh",
    "family history",
    "allergy test",
    "referral",
    "refer ",
    "advice",
    "education",
    "suspected no ",
    "negative",
];

/// How Read codes of allergies begin: their history, hypersensitivity, adverse reactions.
const READ: [&str; 7] = ["14L", "14M", "SN5", "TJ", "U60", "ZV14", "ALLERGY"];

/// The allergies that a response has as such.
pub(super) struct Known {
    codes: HashSet<String>,
    words: HashSet<String>,
}

impl Known {
    /// Collects the allergies of a response.
    pub(super) fn of(response: &Response) -> Self {
        let mut known = Self { codes: HashSet::new(), words: HashSet::new() };
        for (_, allergy) in response.of_kind("AllergyIntolerance") {
            let Some(code) = allergy.resource.get("code") else { continue };
            let told = codings(code)
                .filter_map(|coding| text(coding, "code"))
                .filter(|code| !DEGRADED.contains(code));
            known.codes.extend(told.map(str::to_owned));
            known.words.extend(words::concept(code).map(|words| words.to_lowercase()));
        }
        known
    }

    /// Says whether an entry names an allergy that the response does not have as one.
    pub(super) fn lacks(&self, entry: &Value) -> bool {
        let Some(code) = entry.get("code") else { return false };
        let words = words::concept(code).unwrap_or_default().to_lowercase();
        let held = self.words.contains(&words)
            || codings(code).filter_map(|coding| text(coding, "code")).any(|code| self.codes.contains(code));
        !held && names_allergy(code, &words)
    }
}

/// Says whether a concept says that the patient is allergic to something.
fn names_allergy(code: &Value, words: &str) -> bool {
    let mut codes = codings(code)
        .filter_map(|coding| Some((text(coding, "system").unwrap_or_default(), text(coding, "code")?)));
    if OTHERWISE.iter().any(|otherwise| words.starts_with(otherwise)) {
        return false;
    }
    let by_code = codes.any(|(system, code)| {
        let is_read = system.contains("read") || system.contains("egton");
        DEGRADED.contains(&code) || (is_read && READ.iter().any(|read| code.starts_with(read)))
    });
    let bare = ["[x]", "[v]", "[d]", "h/o:", "h/o", "history of", "personal history of", "[m]"]
        .iter()
        .fold(words.trim(), |words, prefix| words.strip_prefix(prefix).unwrap_or(words).trim_start());
    by_code
        || BEGINNINGS.iter().any(|beginning| bare.starts_with(beginning))
        || ENDS.iter().any(|end| bare.ends_with(end))
}

/// Makes an allergy of a problem that is one; the problem stays a problem.
pub(super) fn allergy_of(problem: &Value, subject: &Value) -> Value {
    let id = text(problem, "id").unwrap_or_default();
    let kept: String = id.chars().take(56).collect();
    let over = ["inactive", "resolved", "remission"]
        .iter()
        .any(|code| super::value::has_code(problem.get("clinicalStatus").unwrap_or(&Value::Null), code));
    let note = if over {
        "Recorded by the source as a problem that is not active, and not as an allergy."
    } else {
        "Recorded by the source as a problem, and not as an allergy."
    };
    let mut allergy = json!({
        "resourceType": "AllergyIntolerance",
        "id": format!("problem-{kept}"),
        "code": problem.get("code"),
        "patient": subject,
        "recordedDate": problem.get("recordedDate"),
        "note": [{"text": note}]
    });
    if let Some(security) = problem.get("meta").and_then(|meta| meta.get("security")).cloned() {
        super::value::put(&mut allergy, "meta", json!({"security": security}));
    }
    for onset in ["onsetDateTime", "onsetAge", "onsetPeriod", "onsetRange", "onsetString"] {
        super::value::put(&mut allergy, onset, problem.get(onset).cloned().unwrap_or_default());
    }
    for note in words::notes(problem) {
        super::value::note(&mut allergy, note);
    }
    allergy
}

#[cfg(test)]
mod tests {
    use super::names_allergy;
    use serde_json::json;

    #[test]
    fn entries_that_say_that_the_patient_is_allergic_are_told_from_others() {
        let allergies = [
            "H/O: penicillin allergy",
            "Allergy to peanuts",
            "[X] Adverse reaction to barbiturate NOS",
            "Adverse reaction to erythromycin",
            "Latex allergy",
            "Anaphylaxis",
            "Personal history of drug allergy",
            "Intolerance to lactose",
        ];
        let others = [
            "Allergic rhinitis due to pollens",
            "No known allergies",
            "No known drug allergy",
            "FH: Drug allergy",
            "Allergy test",
            "Referral to allergy clinic",
            "Asthma",
            "",
        ];
        for (words, expected) in
            allergies.iter().map(|words| (words, true)).chain(others.iter().map(|words| (words, false)))
        {
            assert_eq!(names_allergy(&json!({"text": words}), &words.to_lowercase()), expected, "{words}");
        }
        let by_code = json!({"coding": [{"system": "http://read.info/readv2", "code": "14L1.00", "display": "H/O: something"}]});
        assert!(names_allergy(&by_code, "h/o: something"));
    }
}
