//! The structured entries of a GP summary, which repeat its presentation text with codes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::summary::{Row, Rows, item};
use super::translation::{Translation, moment, quantity_text};
use super::xml::Element;

use SectionId as S;

/// The entries of one summary.
pub(super) struct Entries<'d> {
    all: Vec<Entry<'d>>,
    by_words: BTreeMap<String, usize>,
    repeated: RefCell<BTreeSet<String>>,
}

/// One entry.
struct Entry<'d> {
    element: &'d Element,
    /// The code of what it is about: the product of a medicine, otherwise its own.
    code: &'d Element,
    words: String,
    /// The name of the category under which it stands.
    category: &'d str,
}

impl<'d> Entries<'d> {
    /// Finds the entries of a summary.
    pub(super) fn of(summary: &'d Element) -> Self {
        let mut all: Vec<Entry<'d>> = Vec::new();
        summary.visit(&mut |element| {
            if element.name().starts_with("pertinentCREType") {
                let category = element.child("code").and_then(|code| code.attribute("displayName"));
                for entry in element.all("component").flat_map(Element::elements) {
                    all.extend(Entry::of(entry, category.unwrap_or_default()));
                }
            }
        });
        let mut by_words = BTreeMap::new();
        for (at, entry) in all.iter().enumerate() {
            by_words.entry(folded(&entry.words)).or_insert(at);
        }
        Self { all, by_words, repeated: RefCell::default() }
    }

    /// Returns the code of the entry that a row repeats.
    pub(super) fn concept(&self, words: &str) -> Option<Value> {
        let words = folded(words);
        let entry = &self.all[*self.by_words.get(&words)?];
        self.repeated.borrow_mut().insert(words);
        Some(json!({"coding": [coding(entry.code)?]}))
    }

    /// Adds the entries that no row repeats.
    pub(super) fn add_the_rest(&self, translation: &mut Translation<'_>) {
        let repeated = self.repeated.take();
        for entry in self.all.iter().filter(|entry| !repeated.contains(&folded(&entry.words))) {
            entry.add(translation);
        }
    }
}

/// Returns words without case and differences of space, so that a row finds its entry.
fn folded(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn coding(code: &Element) -> Option<Value> {
    let written = code.attribute("code")?;
    let system = code.attribute("codeSystem").map(super::systems::system);
    Some(json!({"system": system, "code": written, "display": code.attribute("displayName")}))
}

impl<'d> Entry<'d> {
    fn of(element: &'d Element, category: &'d str) -> Option<Self> {
        if matches!(element.name(), "templateId" | "seperatableInd") {
            return None;
        }
        let product =
            element.find("manufacturedManufacturedMaterial").and_then(|material| material.child("code"));
        let code = product.or_else(|| element.child("code"))?;
        let original = code.child("originalText").and_then(Element::own_text);
        let words = original.or_else(|| code.attribute("displayName").map(str::to_owned))?;
        Some(Self { element, code, words, category })
    }

    fn kind(&self) -> (S, Rows) {
        let name = self.element.name();
        let category = self.category.to_lowercase();
        match () {
            () if name.contains("Allergy") || name.contains("AdverseReaction") => {
                (S::Allergies, Rows::Allergies)
            }
            () if name.contains("AcuteMedication") => (S::AcuteMedication, Rows::Acute),
            () if name.contains("DiscontinuedRepeat") => (S::PastMedication, Rows::Discontinued),
            () if name.contains("Medication") => (S::RepeatMedication, Rows::Repeat),
            () if name.contains("Diagnosis") || name.contains("Problem") => {
                (S::ActiveProblems, Rows::Problems)
            }
            () if category.contains("risk") || category.contains("preference") => (S::Alerts, Rows::Flags),
            () if category.contains("result") || category.contains("investigation") => {
                (S::Results, Rows::Findings)
            }
            () if category.contains("observation") => (S::Observations, Rows::Findings),
            () if category.contains("treatment") || category.contains("procedure") => {
                (S::Procedures, Rows::Procedures)
            }
            () if category.contains("family") => (S::OtherItems, Rows::Family),
            () if category.contains("lifestyle") || category.contains("circumstance") => {
                (S::SocialHistory, Rows::Findings)
            }
            () => (S::OtherItems, Rows::Findings),
        }
    }

    fn add(&self, translation: &mut Translation<'_>) {
        let (section, rows) = self.kind();
        let time = self.element.child("effectiveTime");
        let low = time.and_then(|time| time.child("low")).or(time);
        let written = low.and_then(|time| time.attribute("value"));
        let when = written.and_then(moment).map(|when| day(&when));
        let dose =
            self.element.find("pertinentDosageInstructions").and_then(|dose| dose.child("value")?.own_text());
        let quantity =
            self.element.find("medicationQuantity").and_then(|quantity| quantity.child("quantity"));
        let unit = quantity.and_then(|quantity| quantity.path(&["translation", "originalText"])?.own_text());
        let quantity = quantity.and_then(quantity_text);
        let quantity =
            quantity.map(|quantity| unit.map_or(quantity.clone(), |unit| format!("{quantity} {unit}")));
        let more =
            self.element.find("pertinentSupportingInfo").and_then(|info| info.child("value")?.own_text());
        let value =
            self.element.child("value").and_then(|value| quantity_text(value).or_else(|| value.own_text()));
        let unread = written.filter(|_| when.is_none()).map(|written| format!("Date as written: {written}"));
        let row = Row {
            date: when.as_deref(),
            description: Some(&self.words),
            dose: dose.as_deref(),
            quantity: quantity.as_deref(),
            value: value.as_deref(),
            others: more.into_iter().chain(unread).collect(),
            ..Row::default()
        };
        let code = coding(self.code).map(|coding| json!({"coding": [coding]}));
        item(translation, section, rows, Some(self.category), &row, code);
    }
}

/// Writes a FHIR date as the presentation text does, for one way of reading rows.
fn day(when: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = when.split('T').next().unwrap_or_default();
    let parts: Vec<&str> = date.split('-').collect();
    let named = |month: &str| month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match parts[..] {
        [year, month, day] => format!("{day} {} {year}", named(month).unwrap_or(&"")),
        [year, month] => format!("{} {year}", named(month).unwrap_or(&"")),
        _ => date.to_owned(),
    }
}
