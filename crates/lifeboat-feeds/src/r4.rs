//! FHIR R4 resources and the Bundle they travel in, as every mapping of this crate writes them.
//!
//! A mapping pushes resources into a [`Document`] and says what it knows of sections: which ones the feed supplies
//! at all, which ones had items left out, which ones carry a warning. The document ends in a Composition that says so
//! (`lifeboat-clinical` reads it and does not keep it). Codes, terms, values and units go in as the source wrote them.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_clinical::SectionId;
use lifeboat_clinical::section::{
    SECTION_NOT_SUPPLIED, SECTION_SYSTEM, SECTION_WARNING_EXTENSION, SectionWarning,
};
use serde_json::{Map, Value, json};

/// The code system of SNOMED CT.
pub const SNOMED: &str = "http://snomed.info/sct";
/// The code system of the NHS dictionary of medicines and devices.
pub const DMD: &str = "https://dmd.nhs.uk";
/// The code system of Read codes, version 2.
pub const READ2: &str = "http://read.info/readv2";
/// The code system of Clinical Terms version 3.
pub const CTV3: &str = "http://read.info/ctv3";
/// The code system of units of measure.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// The identifier system of NHS numbers.
pub const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// The identifier system of ODS codes.
pub const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// One patient's, or one day's, resources in the making.
#[derive(Default)]
pub struct Document {
    subject: Option<String>,
    /// The entries of the Bundle so far, as JSON; a resource is written when it comes, so that none is held.
    entries: Vec<u8>,
    supplied: BTreeSet<SectionId>,
    withheld: BTreeSet<SectionId>,
    unavailable: BTreeSet<SectionId>,
    omitted: BTreeSet<SectionId>,
    warnings: BTreeMap<SectionId, BTreeSet<SectionWarning>>,
    listed: BTreeMap<SectionId, Vec<String>>,
}

impl Document {
    /// Begins a document about the patient of this FHIR id.
    pub fn about(patient_id: &str) -> Self {
        Self { subject: Some(format!("Patient/{patient_id}")), ..Self::default() }
    }

    /// Returns the reference to the patient (`{"reference": "Patient/…"}`).
    pub fn subject(&self) -> Value {
        self.subject.as_ref().map_or(Value::Null, |subject| json!({"reference": subject}))
    }

    /// Adds a resource. Members that are `null`, empty texts, empty arrays and empty objects are left out.
    pub fn push(&mut self, mut resource: Value) {
        prune(&mut resource);
        self.write(&resource);
    }

    fn write(&mut self, resource: &Value) {
        let before: &[u8] = if self.entries.is_empty() { br#"{"resource":"# } else { br#",{"resource":"# };
        self.entries.extend_from_slice(before);
        serde_json::to_writer(&mut self.entries, resource).expect("a JSON value can always be written");
        self.entries.push(b'}');
    }

    /// Adds a resource and says which section the source files it in, where its own words leave that open.
    pub fn push_in(&mut self, section: SectionId, resource: Value) {
        if let (Some(kind), Some(id)) = (resource["resourceType"].as_str(), resource["id"].as_str()) {
            self.listed.entry(section).or_default().push(format!("{kind}/{id}"));
        }
        self.push(resource);
    }

    /// Says that the feed supplies these sections, so that an empty one means none recorded.
    pub fn supplies(&mut self, sections: &[SectionId]) {
        self.supplied.extend(sections);
    }

    /// Says that items of this section were left out because the source marks them as confidential.
    pub fn withholds(&mut self, section: SectionId) {
        self.withheld.insert(section);
    }

    /// Says that the source has the section and it could not be read.
    pub fn lacks(&mut self, section: SectionId) {
        self.unavailable.insert(section);
    }

    /// Says that these sections are not supplied for this patient, whatever other documents of the feed supply.
    pub fn omits(&mut self, sections: &[SectionId]) {
        self.omitted.extend(sections);
    }

    /// Puts a warning on a section.
    pub fn warns(&mut self, section: SectionId, warning: SectionWarning) {
        self.warnings.entry(section).or_default().insert(warning);
    }

    /// Returns the Bundle as JSON.
    pub fn finish(mut self) -> Vec<u8> {
        if let Some(composition) = self.composition() {
            self.write(&composition);
        }
        let mut bytes = br#"{"resourceType":"Bundle","type":"collection","entry":["#.to_vec();
        bytes.append(&mut self.entries);
        bytes.extend_from_slice(b"]}");
        bytes
    }

    fn composition(&self) -> Option<Value> {
        let subject = self.subject.as_ref()?;
        let sections: Vec<Value> =
            SectionId::ALL.into_iter().filter_map(|section| self.section(section)).collect();
        (!sections.is_empty()).then(|| {
            json!({
                "resourceType": "Composition",
                "status": "final",
                "type": {"coding": [{"system": "http://loinc.org", "code": "60591-5"}]},
                "subject": {"reference": subject},
                "section": sections
            })
        })
    }

    fn section(&self, section: SectionId) -> Option<Value> {
        let reason = if self.withheld.contains(&section) {
            Some("withheld")
        } else if self.unavailable.contains(&section) {
            Some("unavailable")
        } else if self.supplied.contains(&section) {
            Some("no-content-recorded")
        } else if self.omitted.contains(&section) {
            Some(SECTION_NOT_SUPPLIED)
        } else {
            None
        };
        let warnings = self.warnings.get(&section);
        let listed = self.listed.get(&section);
        if reason.is_none() && warnings.is_none() && listed.is_none() {
            return None;
        }
        let mut json = json!({"code": {"coding": [{"system": SECTION_SYSTEM, "code": section.code()}]}});
        if let Some(warnings) = warnings {
            let extension = |warning: &SectionWarning| json!({"url": SECTION_WARNING_EXTENSION, "valueCode": warning.code()});
            json["extension"] = warnings.iter().map(extension).collect();
        }
        if let Some(listed) = listed {
            json["entry"] = listed.iter().map(|reference| json!({"reference": reference})).collect();
        }
        if let Some(reason) = reason {
            json["emptyReason"] = json!({"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
                "code": reason
            }]});
        }
        Some(json)
    }
}

/// Takes out members that say nothing.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(prune);
            members.retain(|_, member| !says_nothing(member));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
            items.retain(|item| !says_nothing(item));
        }
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Returns a coding of a system that FHIR knows.
pub fn coding(system: &str, code: &str, display: Option<&str>) -> Value {
    json!({"system": system, "code": code, "display": display})
}

/// Returns a concept of these codings, with the source's own words beside them.
pub fn concept(codings: Vec<Value>, text: Option<&str>) -> Value {
    object([("coding", Some(codings.into())), ("text", Some(text.into()))])
}

/// Returns a concept of one code of a terminology.hl7.org code system, with the code in words.
pub fn hl7(system: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
    json!({"coding": [{"system": system, "code": code, "display": in_words(code)}]})
}

/// Returns a code such as `problem-list-item` as people write it: `Problem list item`.
fn in_words(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Returns an annotation list of these texts, without the empty ones.
pub fn notes<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Value {
    texts.into_iter().flatten().filter(|text| !text.is_empty()).map(|text| json!({"text": text})).collect()
}

/// Returns a quantity whose number stays as the source wrote it; `None` if it is not a number.
pub fn quantity(value: &str, unit: Option<&str>) -> Option<Value> {
    let number: serde_json::Number = canonical_number(value)?.parse().ok()?;
    Some(object([("value", Some(Value::Number(number))), ("unit", Some(unit.into()))]))
}

/// Returns a decimal as JSON may write it: `.5` gains its zero, `5.` loses its point; digits stay as they were.
fn canonical_number(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || digits.len() > 40 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Returns a reference by display text alone, for people and places of which no more need be known.
pub fn named(display: &str) -> Value {
    json!({"display": display})
}

/// Returns an object of the members that say something.
pub fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(members.collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests {
    use super::{Document, quantity};
    use lifeboat_clinical::SectionId;
    use serde_json::{Value, json};

    #[test]
    fn numbers_keep_their_digits() {
        for (written, kept) in
            [("5.10", "5.10"), (".5", "0.5"), ("007", "7"), ("-1.0", "-1.0"), ("+3", "3"), ("0", "0")]
        {
            let quantity = quantity(written, Some("g")).expect("a number");
            assert_eq!(quantity["value"].to_string(), kept, "{written}");
        }
        for text in ["", ".", "1e5", "abc", "1,000", "NaN", "--1"] {
            assert_eq!(quantity(text, None), None, "{text}");
        }
    }

    #[test]
    fn a_document_says_what_it_supplies_and_withholds() {
        let mut document = Document::about("7");
        document.push(json!({"resourceType": "Patient", "id": "7", "name": [], "gender": null, "deceasedBoolean": false}));
        document.supplies(&[SectionId::Allergies, SectionId::Diary]);
        document.withholds(SectionId::Allergies);
        let bundle: Value = serde_json::from_slice(&document.finish()).expect("JSON");
        assert_eq!(
            bundle["entry"][0]["resource"],
            json!({"resourceType": "Patient", "id": "7", "deceasedBoolean": false})
        );
        let sections = &bundle["entry"][1]["resource"]["section"];
        assert_eq!(sections[0]["emptyReason"]["coding"][0]["code"], "withheld");
        assert_eq!(sections[1]["code"]["coding"][0]["code"], "diary");
    }
}
