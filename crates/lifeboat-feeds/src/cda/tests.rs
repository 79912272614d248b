//! Documents through the translator and the record that is built from them.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use lifeboat_clinical::record::PatientRecord;
use lifeboat_clinical::view::{AllergyHeader, PatientView, patient_view};
use lifeboat_clinical::{
    DayWindow, FeedProfile, SectionId, SectionState, SharedResources, build_patient_record, outline, split,
};
use proptest::prelude::*;

use super::translate;
use crate::rules::{Confidential, Rules};
use crate::translate::Translated;

const TODAY: Date = date(2026, 11, 21);
const CCD: &str = include_str!("tests/ccd.xml");
const SCR: &str = include_str!("tests/scr.xml");

fn read(document: &str) -> Translated {
    translate(document.as_bytes(), &Rules::default()).expect("it is a document")
}

/// Builds the record of the one patient of a translated document.
fn record(translated: &Translated) -> PatientRecord {
    let outline = outline(&translated.document).expect("FHIR R4");
    assert_eq!(outline.skipped, [], "everything is usable");
    let window = DayWindow { first: TODAY, last: TODAY };
    let pieces = split(&translated.document, &window).expect("FHIR R4");
    build_patient_record(pieces, &SharedResources::default(), &FeedProfile { supplied: outline.types }, TODAY)
}

fn view(translated: &Translated) -> PatientView {
    patient_view(&record(translated).bytes, TODAY).expect("a record")
}

/// Returns how many items each section of a document's record holds, and the states of those without any.
fn section_table(translated: &Translated) -> BTreeMap<&'static str, String> {
    let record = record(translated);
    let said = record.sections.iter().filter(|(_, state, _)| *state != SectionState::NotSupplied);
    said.map(|(section, state, items)| {
        (section.code(), if *items > 0 { items.to_string() } else { state.code().to_owned() })
    })
    .collect()
}

/// Returns everything that a section of the view says.
fn text_of(view: &PatientView, section: SectionId) -> String {
    let section = &view.sections[section.order()];
    let rows = section.tables.iter().flat_map(|table| &table.rows);
    let rows =
        rows.map(|row| row.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join(" | "));
    rows.chain(section.notes.iter().cloned()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_says(view: &PatientView, section: SectionId, expected: &[&str]) {
    let text = text_of(view, section);
    for words in expected {
        assert!(text.contains(words), "{section}: {words:?} is not in:\n{text}");
    }
}

#[test]
fn every_section_of_a_ccd_becomes_readable_items() {
    let translated = read(CCD);
    let table: Vec<(&str, String)> = section_table(&translated).into_iter().collect();
    let table: Vec<(&str, &str)> = table.iter().map(|(section, said)| (*section, said.as_str())).collect();
    assert_eq!(
        table,
        [
            ("active-problems", "2"),
            ("acute-medication", "none-recorded"),
            ("alerts", "1"),
            ("allergies", "1"),
            ("diary", "1"),
            ("encounters", "1"),
            ("immunisations", "2"),
            ("observations", "1"),
            ("other-items", "16"),
            ("past-medication", "none-recorded"),
            ("past-problems", "1"),
            ("pregnancy", "1"),
            ("procedures", "1"),
            ("repeat-medication", "1"),
            ("results", "4"),
            ("social-history", "1"),
        ]
    );
    let problems: Vec<String> = translated.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "Problems: is not a date",
            "Problems: 1 entries are of a kind that is not known; the section's text is kept"
        ]
    );
}

#[test]
fn a_ccd_names_its_patient() {
    let translated = read(CCD);
    let person = record(&translated).person;
    assert_eq!(person.family.as_deref(), Some("Person"));
    assert_eq!(person.given, ["Test", "Second"]);
    assert_eq!(person.title.as_deref(), Some("Mx"));
    assert_eq!(person.born.map(|born| born.to_string()).as_deref(), Some("1950-12"));
    assert_eq!(person.nhs_number.as_deref(), Some("9990000018"));
    assert_eq!(person.other_identifiers, ["LOCAL-7"]);
    assert_eq!(person.phones, ["07700 900001"]);
    assert_eq!(person.postcode.as_deref(), Some("ZZ99 1AA"));
    assert_eq!(person.usual_gp.as_deref(), Some("Dr Usual Doctor"));
    assert_eq!(person.died, None);
    assert!(person.flags.is_empty());
}

#[test]
fn what_a_ccd_says_is_shown_as_it_says_it() {
    let view = view(&read(CCD));
    let AllergyHeader::Known(known) = &view.allergies else { panic!("allergies are known") };
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].substance, "Penicillin V");
    assert_eq!(known[0].criticality.as_deref(), Some("High"));
    assert_eq!(known[0].reactions, ["Hives (moderate, Severity: Moderate to severe)"]);
    let cases: [(SectionId, &[&str]); 9] = [
        (SectionId::Allergies, &["1998", "Rec Order", "Recorded: 02-Jan-2019"]),
        (
            SectionId::RepeatMedication,
            &[
                "Amlodipine 5 MG Oral Tablet",
                "Amlodipine 5 mg, one a day",
                "Dose in parts: 1, every 24 h, route: Oral route",
                "28 {tablet}",
                "Check pressure",
                "01-Mar-2024",
            ],
        ),
        (SectionId::ActiveProblems, &["Mar-2010", "Asthma", "Something of no known kind"]),
        (SectionId::PastProblems, &["Broken arm", "2012", "Date as written by the source: 20240231"]),
        (SectionId::Immunisations, &["NOT GIVEN: MMR", "Patient objection", "Influenza", "L1", "Maker"]),
        (
            SectionId::Results,
            &[
                "5.10 mmol/L (",
                "2.5 \u{2013} 5.0 mmol/L",
                "No value: Not applicable",
                "No growth < 48h",
                "Lipids",
            ],
        ),
        (SectionId::Alerts, &["Not for resuscitation", "01-Jan-2026"]),
        (SectionId::Diary, &["HbA1c", "Planned observation", "01-Jan-2027"]),
        (
            SectionId::OtherItems,
            &["REFUTED: Peanut", "Myocardial infarction", "Cardiac pacemaker", "Walk every day", "father"],
        ),
    ];
    for (section, expected) in cases {
        assert_says(&view, section, expected);
    }
    assert_says(&view, SectionId::Pregnancy, &["Pregnant", "01-Jun-2026"]);
    assert_says(&view, SectionId::Encounters, &["Office visit", "Dr A"]);
    assert_says(&view, SectionId::SocialHistory, &["Smoker"]);
}

/// A document with one section of this body.
fn with_section(section: &str) -> String {
    format!(
        "<ClinicalDocument><recordTarget><patientRole><id root='1.2' extension='7'/><patient><name><family>X</family></name></patient></patientRole></recordTarget><component><structuredBody><component>{section}</component></structuredBody></component></ClinicalDocument>"
    )
}

fn allergies_of(body: &str, attributes: &str) -> AllergyHeader {
    let section = format!("<section {attributes}><code code='48765-2'/>{body}</section>");
    view(&read(&with_section(&section))).allergies
}

#[test]
fn allergies_never_read_as_none_unless_the_source_says_so() {
    let negated = |value: &str, substance: &str, text: &str| {
        format!(
            "<text>{text}</text><entry><act><entryRelationship typeCode='SUBJ'><observation negationInd='true'><text>{text}</text><value code='{value}' codeSystem='2.16.840.1.113883.6.96'/><participant><participantRole><playingEntity>{substance}</playingEntity></participantRole></participant></observation></entryRelationship></act></entry>"
        )
    };
    let none = "<code nullFlavor='NA'/>";
    let state = |header: AllergyHeader| match header {
        AllergyHeader::Known(lines) => {
            format!(
                "known: {}",
                lines.iter().map(|line| line.substance.as_str()).collect::<Vec<_>>().join(", ")
            )
        }
        AllergyHeader::NoneKnown { .. } => "none known".to_owned(),
        AllergyHeader::NotRecorded => "not recorded".to_owned(),
        AllergyHeader::Unavailable { .. } => "unavailable".to_owned(),
    };
    let cases = [
        (negated("419199007", none, "No known allergies"), "", "none known"),
        (negated("419199007", "<code code='105590001'/>", ""), "", "none known"),
        (negated("419199007", none, "None except latex"), "", "known: None except latex"),
        (negated("416098002", none, ""), "", "not recorded"),
        (negated("414285001", "<code code='762952008' displayName='Peanut'/>", ""), "", "not recorded"),
        (negated("999999", none, "Odd"), "", "not recorded"),
        ("<text>No known allergies</text>".to_owned(), "", "none known"),
        ("<text><list><item>Latex</item><item>Egg</item></list></text>".to_owned(), "", "known: Egg, Latex"),
        (
            "<text><table><tr><th>To</th><th>How</th></tr><tr><td>Nuts</td><td>Rash</td></tr></table></text>"
                .to_owned(),
            "",
            "known: To: Nuts; How: Rash",
        ),
        ("<text>No information</text>".to_owned(), "nullFlavor='NI'", "unavailable"),
        ("<text>No information</text>".to_owned(), "", "unavailable"),
        (String::new(), "", "unavailable"),
        ("<text>Latex</text>".to_owned(), "nullFlavor='MSK'", "unavailable"),
        ("<confidentialityCode code='R'/><text>Latex</text>".to_owned(), "", "unavailable"),
        ("<entry nullFlavor='MSK'><act/></entry>".to_owned(), "", "unavailable"),
        ("<entry><act><code code='x'/></act></entry>".to_owned(), "", "unavailable"),
    ];
    for (body, attributes, expected) in cases {
        assert_eq!(state(allergies_of(&body, attributes)), expected, "{body}");
    }
}

#[test]
fn a_section_that_is_text_alone_is_kept_where_clinicians_look() {
    let section =
        "<section><code code='10160-0'/><title>Drugs</title><text>Warfarin as directed</text></section>";
    let translated = read(&with_section(section));
    assert_says(&view(&translated), SectionId::RepeatMedication, &["Drugs", "Warfarin as directed"]);
    let table = section_table(&translated);
    assert_eq!(table["acute-medication"], "unavailable");
    assert_eq!(table.get("allergies"), None);
}

#[test]
fn a_body_that_is_not_structured_is_kept() {
    let document = "<ClinicalDocument><title>Scan</title><recordTarget><patientRole><id root='1.2' extension='7'/></patientRole></recordTarget><component><nonXMLBody><text mediaType='application/pdf' representation='B64'>QUJD\nREVG</text></nonXMLBody></component></ClinicalDocument>";
    let translated = read(document);
    assert_says(&view(&translated), SectionId::OtherItems, &["Scan", "QUJDREVG"]);
    assert_eq!(translated.problems.len(), 1);
}

#[test]
fn confidential_and_excluded_documents_follow_the_sites_rules() {
    let confidential = CCD.replace("confidentialityCode code=\"N\"", "confidentialityCode code=\"R\"");
    let built = record(&read(&confidential));
    assert_eq!(built.sections[SectionId::Allergies.order()].1, SectionState::Withheld);
    assert!(built.person.phones.is_empty() && built.person.address.is_empty());
    let keep = Rules { confidential: Confidential::Keep, ..Rules::default() };
    let kept = translate(confidential.as_bytes(), &keep).expect("a document");
    assert_eq!(record(&kept).sections[SectionId::Allergies.order()].1, SectionState::Recorded);
    let excluded = Rules { excluded: ["9990000018".to_owned()].into(), ..Rules::default() };
    for document in [CCD, SCR] {
        let translated = translate(document.as_bytes(), &excluded).expect("a document");
        assert!(outline(&translated.document).expect("FHIR R4").owners.is_empty());
    }
}

#[test]
fn the_rows_of_a_gp_summary_become_items_with_the_codes_of_its_entries() {
    let translated = read(SCR);
    assert_eq!(translated.problems, []);
    let table: Vec<(&str, String)> = section_table(&translated).into_iter().collect();
    let table: Vec<(&str, &str)> = table.iter().map(|(section, said)| (*section, said.as_str())).collect();
    assert_eq!(
        table,
        [
            ("active-problems", "1"),
            ("acute-medication", "1"),
            ("alerts", "1"),
            ("allergies", "3"),
            ("observations", "1"),
            ("other-items", "2"),
            ("past-medication", "none-recorded"),
            ("past-problems", "1"),
            ("procedures", "1"),
            ("repeat-medication", "1"),
        ]
    );
    let view = view(&translated);
    let AllergyHeader::Known(known) = &view.allergies else { panic!("allergies are known") };
    let names: Vec<&str> = known.iter().map(|line| line.substance.as_str()).collect();
    assert_eq!(names, ["Astringent allergy", "Egg allergy", "Undated latex allergy"]);
    assert!(known[0].coded && !known[2].coded);
    let cases: [(SectionId, &[&str]); 7] = [
        (
            SectionId::Allergies,
            &["25-Mar-2020", "Certainty: Certain", "Severity: Severe", "Supporting Information: Rash"],
        ),
        (
            SectionId::AcuteMedication,
            &["Acute | Unknown | 29-Oct-2026 | Aspirin 300mg tablets | take 1 or 2 3 times/day | 60 tablet"],
        ),
        (
            SectionId::RepeatMedication,
            &[
                "Paracetamol 500mg tablets | two qds | 100 tablet | 12-Nov-2026",
                "Reason for Medication: Pain",
            ],
        ),
        (SectionId::Alerts, &["High risk category", "30-Apr-2020", "withheld some"]),
        (SectionId::PastProblems, &["2001", "Appendicitis", "Minor Past"]),
        (SectionId::Observations, &["Body weight", "80 kg"]),
        (
            SectionId::OtherItems,
            &["A new kind of statement", "Listed under: Something new", "Sourced from the record."],
        ),
    ];
    for (section, expected) in cases {
        assert_says(&view, section, expected);
    }
    assert_eq!(record(&translated).person.nhs_number.as_deref(), Some("9990000018"));
}

#[test]
fn a_gp_summary_that_withholds_says_so_in_every_section() {
    let withheld = SCR.replace(
        "<p id=\"CreateTime\">",
        "<p id=\"WithheldCREItemsHeaderStatement\">Withheld.</p><p id=\"RegistrationStartedStatement\">New.</p><p id=\"CreateTime\">",
    );
    let table = section_table(&read(&withheld));
    assert_eq!(table["past-medication"], "withheld");
    assert_says(&view(&read(&withheld)), SectionId::RepeatMedication, &["withheld some"]);
    let document = String::from_utf8(read(&withheld).document).expect("JSON");
    assert!(document.contains("data-in-transit") && document.contains("confidential-items"));
}

#[test]
fn documents_that_cannot_be_used_are_refused_without_their_words() {
    let cases = [
        ("<Bundle xmlns='http://hl7.org/fhir'><id value='SECRET'/></Bundle>", "neither"),
        ("<ClinicalDocument><title>SECRET</title></ClinicalDocument>", "names no patient"),
        (
            "<ClinicalDocument><recordTarget><patientRole><addr>SECRET</addr></patientRole></recordTarget></ClinicalDocument>",
            "no identifier",
        ),
        (
            "<ClinicalDocument><recordTarget><patientRole><id root='1'/></patientRole></recordTarget><recordTarget/></ClinicalDocument>",
            "more than one patient",
        ),
        ("<x><GPSummary>SECRET</GPSummary></x>", "names no patient"),
        ("<!DOCTYPE x [<!ENTITY a 'SECRET'>]><ClinicalDocument>&a;</ClinicalDocument>", "DOCTYPE"),
        ("SECRET", "well-formed"),
    ];
    for (document, expected) in cases {
        let problem = translate(document.as_bytes(), &Rules::default()).expect_err("refused").to_string();
        assert!(problem.contains(expected), "{problem}");
        assert!(!problem.contains("SECRET"), "{problem}");
    }
}

#[test]
fn entries_cannot_multiply_the_text_that_they_refer_to() {
    let entry = "<entry><observation><code code='a'/><text><reference value='#t'/></text><value xsi:type='ED'><reference value='#t'/></value></observation></entry>";
    let text = "word ".repeat(200_000);
    let section = format!(
        "<section><code code='8716-3'/><text><paragraph ID='t'>{text}</paragraph></text>{}</section>",
        entry.repeat(5_000)
    );
    let translated = read(&with_section(&section));
    assert!(translated.document.len() < 64 << 20, "{}", translated.document.len());
}

#[test]
fn translations_are_the_same_every_time_and_their_ids_are_unique() {
    for document in [CCD, SCR] {
        let translated = read(document);
        assert_eq!(translated, read(document));
        let bundle: serde_json::Value = serde_json::from_slice(&translated.document).expect("JSON");
        let mut ids = std::collections::BTreeSet::new();
        for entry in bundle["entry"].as_array().expect("entries") {
            if let Some(id) = entry["resource"]["id"].as_str() {
                assert!(ids.insert(id.to_owned()), "{id}");
                assert!(
                    id.len() <= 64
                        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
                );
            }
        }
        assert!(ids.len() > 10);
    }
}

#[test]
fn documents_of_the_corpus_are_translated_or_refused_with_a_reason() {
    let Some(root) = std::env::var_os("LIFEBOAT_CORPUS") else { return };
    let mut folders = vec![std::path::PathBuf::from(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the corpus can be listed") {
            let path = entry.expect("the corpus can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("xml")) {
                let bytes = std::fs::read(&path).expect("the corpus can be read");
                show(&path.display().to_string(), translate(&bytes, &Rules::default()));
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "the table is for the person who runs this test")]
fn show(name: &str, translated: Result<Translated, crate::problem::Problem>) {
    match translated {
        Err(problem) => eprintln!("{name}: {problem}"),
        Ok(translated) => {
            eprintln!("{name}: {:?}", section_table(&translated));
            translated.problems.iter().for_each(|problem| eprintln!("    {problem}"));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = translate(&bytes, &Rules::default());
    }

    #[test]
    fn damaged_documents_are_survived(
        document in prop::sample::select(vec![CCD, SCR]),
        cut in any::<prop::sample::Index>(),
        length in 0..200_usize,
        instead in "[<>/a-zA-Z0-9\"'&;:#= é]{0,20}",
    ) {
        let from = (0..=cut.index(document.len())).rev().find(|at| document.is_char_boundary(*at)).unwrap_or(0);
        let to = (from + length).min(document.len());
        let to = (to..=document.len()).find(|at| document.is_char_boundary(*at)).unwrap_or(document.len());
        let damaged = format!("{}{instead}{}", &document[..from], &document[to..]);
        if let Ok(translated) = translate(damaged.as_bytes(), &Rules::default()) {
            let _ = outline(&translated.document).expect("what comes out is FHIR R4");
        }
    }
}
