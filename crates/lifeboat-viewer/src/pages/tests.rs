use lifeboat_clinical::section::SectionWarning;
use lifeboat_clinical::view::{AllergyHeader, SectionView};
use lifeboat_clinical::{SectionId, SectionState};

use super::held::HeldCopy;
use super::layout::{Frame, Place, TITLE};
use super::message::Message;
use super::strip::{HeldLine, Strip, UNCHECKED};
use super::unlock::Key;
use super::{acknowledge, copy, day, held, message, patient, samples, search, section, unlock};
use crate::age::AgeLevel;

/// Texts that become markup, an attribute or an address wherever escaping is forgotten.
const INJECTIONS: [&str; 12] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "</title><script>alert(1)</script>",
    "<!--<script>-->",
    "javascript:alert(1)",
    "<style>*{display:none}</style>",
    "<a href=\"https://evil.example\">x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
];

fn frame(strip: &Strip) -> Frame<'_> {
    Frame { strip, form_token: Some("f00d"), place: Some(Place::Search), leave_after_seconds: Some(905) }
}

/// The strip of a held snapshot that the reader chose.
fn shown_held(text: &str) -> Strip {
    let mut strip = samples::strip(text, AgeLevel::Green);
    strip.copy.as_mut().expect("a copy line").held = Some(HeldLine::Chosen(text.to_owned()));
    strip
}

/// Renders every page with `text` in every field that a record, a store or a person can fill.
fn every_page(text: &str) -> Vec<String> {
    let strip = samples::strip(text, AgeLevel::Red);
    let chosen = shown_held(text);
    let shown = frame(&chosen);
    let frame = frame(&strip);
    let line = strip.copy.as_ref().expect("a copy line");
    let said = Message { heading: text, text, remedy: text };
    let mut pages = vec![
        unlock::page(&frame, &samples::unlock(text, Key::Passphrase { of: text.to_owned() })),
        unlock::page(&frame, &samples::unlock(text, Key::Unprotected { of: text.to_owned() })),
        acknowledge::page(&frame, line),
        held::page(&frame, &samples::held(text)),
        held::page(&shown, &HeldCopy { is_shown: true, ..samples::held(text) }),
        message::page(&frame, &said),
        copy::page(&frame, &samples::about(text)),
        day::page(&frame, &samples::day(text)),
        search::page(&frame, None),
        search::page(&frame, Some(&samples::found(text))),
        patient::unreadable(&frame, &samples::banner(text), &[(text.to_owned(), text.to_owned())]),
    ];
    pages.extend(
        samples::allergies(text).map(|header| patient::page(&frame, &samples::patient(text, header))),
    );
    pages.into_iter().map(maud::PreEscaped::into_string).collect()
}

/// Returns the tags of a page, each with its attributes, in order; text between them is left out.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let mut quoted = false;
        let end = rest[start..].find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = start + end.expect("every tag is closed");
        tags.push(rest[start..=end].to_owned());
        rest = &rest[end + 1..];
    }
    tags
}

#[test]
fn no_text_of_a_record_becomes_markup() {
    let harmless = every_page("harmless");
    for injection in INJECTIONS {
        for (page, reference) in every_page(injection).iter().zip(&harmless) {
            for forbidden in
                ["<script", "<img", "<style", "<a href=\"https:", "<svg onload", "javascript:alert(1)\""]
            {
                let in_value =
                    forbidden.starts_with("javascript") && page.contains(&format!("value=\"{injection}\""));
                assert!(in_value || !page.contains(forbidden), "{injection} gives {forbidden}");
            }
            let names = |page: &str| -> Vec<String> {
                tags(page)
                    .iter()
                    .map(|tag| tag.split(['=', '>']).next().unwrap_or_default().to_owned())
                    .collect()
            };
            assert_eq!(names(page), names(reference), "{injection} changes the structure of the page");
        }
    }
}

#[test]
fn no_page_has_a_script_an_inline_style_an_event_handler_or_an_address_outside() {
    for page in every_page("harmless") {
        for tag in tags(&page) {
            assert!(!tag.starts_with("<script") && !tag.contains(" style="), "{tag}");
            assert!(!tag.contains(" on"), "{tag}");
            for attribute in ["href=\"", "src=\"", "action=\""] {
                if let Some(at) = tag.find(attribute) {
                    let value = &tag[at + attribute.len()..];
                    assert!(value.starts_with(['/', '#']) && !value.starts_with("//"), "{tag}");
                }
            }
        }
    }
}

#[test]
fn every_page_has_the_strip_the_constant_title_a_skip_link_and_one_main_heading() {
    for page in every_page("harmless") {
        assert!(page.contains("NOT LIVE"));
        assert!(page.contains(&format!("<title>{TITLE}</title>")));
        assert!(page.contains("<html lang=\"en-GB\">"));
        assert!(
            page.contains("href=\"#content\"") && page.contains("<main class=\"lb-main\" id=\"content\"")
        );
        assert_eq!(page.matches("<h1").count(), 1, "{page}");
    }
}

#[test]
fn every_form_is_sent_by_post_with_the_form_token_and_every_field_has_a_label() {
    for page in every_page("harmless") {
        let forms = tags(&page).into_iter().filter(|tag| tag.starts_with("<form")).collect::<Vec<_>>();
        assert!(forms.iter().all(|form| form.contains("method=\"post\"")), "{forms:?}");
        assert_eq!(page.matches("name=\"form_token\" value=\"f00d\"").count(), forms.len());
        for tag in tags(&page).iter().filter(|tag| tag.starts_with("<input") && !tag.contains("hidden")) {
            let id = tag.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
            assert!(page.contains(&format!("for=\"{id}\"")), "{tag}");
        }
    }
}

#[test]
fn the_age_of_a_copy_is_said_in_words_for_every_class() {
    let cases = [
        (AgeLevel::Green, "lb-strip--green", None),
        (AgeLevel::Amber, "lb-strip--amber", Some("GETTING OLD")),
        (AgeLevel::Red, "lb-strip--red", Some("OLD COPY")),
        (AgeLevel::ClockBehind, "lb-strip--red", Some("CHECK THE CLOCK")),
    ];
    for (level, class, word) in cases {
        let page = super::strip::strip(&samples::strip("harmless", level)).into_string();
        assert!(page.contains(class), "{level:?}");
        assert_eq!(word.is_some(), page.contains("lb-strip__word"), "{level:?}");
        assert!(word.is_none_or(|word| page.contains(word)), "{level:?}");
    }
}

#[test]
fn every_state_of_a_section_is_shown_and_only_none_recorded_is_quiet() {
    let cases = [
        (SectionState::Recorded, None),
        (SectionState::NoneRecorded, None),
        (SectionState::NotSupplied, Some("NOT SUPPLIED")),
        (SectionState::Withheld, Some("WITHHELD")),
        (SectionState::Unavailable, Some("NOT AVAILABLE")),
    ];
    for (state, loud) in cases {
        let html = section::section(&samples::section("harmless", state)).into_string();
        assert_eq!(html.contains("lb-section--loud"), loud.is_some(), "{state}");
        assert!(loud.is_none_or(|words| html.contains(words)), "{state}");
    }
}

#[test]
fn a_section_whose_items_are_not_all_says_so_in_its_heading_and_in_the_list_of_sections() {
    let cases = [
        ("Items before 01-Nov-2025 are not held in this copy, except the last 3.", None),
        (SectionWarning::ConfidentialItems.sentence(), Some("PARTLY WITHHELD")),
        ("The source has withheld some of this information.", Some("PARTLY WITHHELD")),
        (SectionWarning::DataInTransit.sentence(), Some("INCOMPLETE")),
        (SectionWarning::DataAwaitingFiling.sentence(), Some("INCOMPLETE")),
        (SectionWarning::Truncated.sentence(), Some("INCOMPLETE")),
        (SectionWarning::PartlyUnreadable.sentence(), Some("INCOMPLETE")),
        ("3 items that the source lists are missing from this copy.", Some("INCOMPLETE")),
        ("The source states that some of this information is unavailable.", Some("INCOMPLETE")),
    ];
    for (note, words) in cases {
        let mut partial = samples::section("harmless", SectionState::Recorded);
        partial.notes = vec![note.to_owned()];
        let html = section::section(&partial).into_string();
        assert!(html.contains(&format!("<p class=\"lb-note\">{note}</p>")), "{note}");
        assert_eq!(html.contains("lb-section--loud"), words.is_some(), "{note}");
        let jump = section::jump(&[partial]).into_string();
        for html in [html, jump] {
            for loud in ["PARTLY WITHHELD", "INCOMPLETE"] {
                assert_eq!(html.contains(loud), words == Some(loud), "{note}: {html}");
            }
        }
    }
}

#[test]
fn a_section_without_items_and_notes_is_never_blank() {
    for state in SectionState::ALL {
        let blank = SectionView {
            id: SectionId::Diary,
            title: "Diary".to_owned(),
            state,
            notes: vec![],
            tables: vec![],
        };
        let html = section::section(&blank).into_string();
        assert!(html.contains("<p class=\"lb-note\">"), "{state}: {html}");
    }
}

#[test]
fn the_allergy_header_has_exactly_one_of_its_four_states() {
    const WORDS: [&str; 4] =
        ["Known allergies", "No known allergies", "Allergies not recorded", "Allergies unavailable"];
    for (at, header) in samples::allergies("harmless").iter().enumerate() {
        let html = super::banner::allergies(header, &[]).into_string();
        for (other, words) in WORDS.iter().enumerate() {
            assert_eq!(html.contains(&format!("<h2>{words}</h2>")), other == at, "{words}: {html}");
        }
        let asks = matches!(header, AllergyHeader::NotRecorded | AllergyHeader::Unavailable { .. });
        assert_eq!(html.contains("ask"), asks);
    }
}

#[test]
fn known_allergies_that_are_not_all_say_so_beside_them() {
    let strip = samples::strip("x", AgeLevel::Green);
    let [known, ..] = samples::allergies("Penicillin");
    let mut record = samples::patient("x", known);
    record.sections[0].id = SectionId::Allergies;
    record.sections[0].notes = vec!["Items excluded due to confidentiality".to_owned()];
    let html = patient::page(&frame(&strip), &record).into_string();
    let header = html.split("lb-allergies--known").nth(1).and_then(|rest| rest.split("</section>").next());
    assert!(header.is_some_and(|header| header.contains("Items excluded due to confidentiality")), "{html}");
}

#[test]
fn the_banner_has_the_prescribed_order_and_labels_without_colons() {
    let mut who = samples::banner("x");
    (who.name, who.born, who.age) =
        ("SMITH, John (Mr)".to_owned(), "14-Aug-1980".to_owned(), Some("46y".to_owned()));
    (who.gender, who.nhs) = ("Male".to_owned(), "999 000 0018".to_owned());
    let html = super::banner::banner(&who, None).into_string();
    let places: Vec<_> = ["SMITH, John (Mr)", "14-Aug-1980 (46y)", "Male", "999 000 0018"]
        .iter()
        .map(|part| html.find(part).unwrap_or_else(|| panic!("{part} is missing")))
        .collect();
    assert!(places.is_sorted());
    for label in ["Born", "Gender", "NHS No.", "Address", "Phone"] {
        assert!(html.contains(&format!("<dt>{label}</dt>")), "{label}");
    }
    assert!(!html.contains("lb-banner--deceased"));
}

#[test]
fn a_deceased_patient_is_unmistakable() {
    let mut who = samples::banner("x");
    who.died = Some("01-Nov-2026".to_owned());
    let html = super::banner::banner(&who, None).into_string();
    assert!(
        html.contains("lb-banner--deceased")
            && html.contains("<dt>Died</dt>")
            && html.contains("01-Nov-2026")
    );
    assert!(html.contains("<dt>Age at Death</dt>"));
}

#[test]
fn a_page_with_several_patients_has_no_patient_banner() {
    let strip = samples::strip("x", AgeLevel::Green);
    let frame = frame(&strip);
    for page in [day::page(&frame, &samples::day("x")), search::page(&frame, Some(&samples::found("x")))] {
        assert!(!page.into_string().contains("lb-banner"));
    }
}

#[test]
fn a_single_result_is_listed_and_not_opened() {
    let strip = samples::strip("x", AgeLevel::Green);
    let mut found = samples::found("SMITH, John (Mr)");
    found.more = 0;
    let html = search::page(&frame(&strip), Some(&found)).into_string();
    assert!(html.contains("1 patient found") && html.contains("Check at least two identifiers"));
    assert!(html.contains("Same name as 2 other patients"));
    assert!(html.contains("Record unreadable in this copy"));
}

#[test]
fn nobody_found_says_what_that_means() {
    let strip = samples::strip("x", AgeLevel::Green);
    let found = search::Found { query: "q".to_owned(), searched: 200, ..search::Found::default() };
    let html = search::page(&frame(&strip), Some(&found)).into_string();
    assert!(html.contains("Nobody found") && html.contains("200 patients"));
}

#[test]
fn a_missing_day_list_is_never_shown_as_an_empty_one() {
    let strip = samples::strip("x", AgeLevel::Green);
    let cases = [
        (day::DayContent::Sessions(vec![]), "No appointments are recorded for this day."),
        (day::DayContent::NotHeld, "No list for this day"),
        (day::DayContent::NoneHeld, "Appointments not supplied"),
        (day::DayContent::Unreadable("Copy usb: damaged.".to_owned()), "cannot be read"),
    ];
    for (content, words) in cases {
        let page = day::DayPage { content, ..samples::day("x") };
        assert!(day::page(&frame(&strip), &page).into_string().contains(words), "{words}");
    }
}

#[test]
fn an_unreadable_record_is_never_shown_as_an_empty_one() {
    let strip = samples::strip("x", AgeLevel::Green);
    let tried = [("usb".to_owned(), "packs/aa is damaged".to_owned())];
    let html = patient::unreadable(&frame(&strip), &samples::banner("x"), &tried).into_string();
    assert!(html.contains("Record unreadable in this copy") && html.contains("Allergies unavailable"));
    assert!(html.contains("packs/aa is damaged"));
}

#[test]
fn a_page_with_records_leaves_an_idle_screen_by_itself() {
    let strip = samples::strip("x", AgeLevel::Green);
    let html = search::page(&frame(&strip), None).into_string();
    assert!(html.contains("http-equiv=\"refresh\" content=\"905; url=/locked\""));
}

#[test]
fn every_page_and_sheet_of_a_held_snapshot_says_so_and_leads_back() {
    let waiting = samples::strip("text", AgeLevel::Green);
    let chosen = shown_held("text");
    let mut only = shown_held("text");
    only.copy.as_mut().expect("a copy line").held = Some(HeldLine::Only("text".to_owned()));
    let banner = samples::banner("name");
    let cases =
        [("waiting", &waiting, false, false), ("chosen", &chosen, true, true), ("only", &only, true, false)];
    for (name, strip, is_unchecked, leads_back) in cases {
        let frame = frame(strip);
        let pages = [
            search::page(&frame, None),
            day::page(&frame, &samples::day("text")),
            patient::unreadable(&frame, &banner, &[]),
        ];
        for page in pages.map(maud::PreEscaped::into_string) {
            // Once in the strip and once at the head of the printed sheet.
            assert_eq!(page.matches(UNCHECKED).count(), if is_unchecked { 2 } else { 0 }, "{name}");
            assert_eq!(page.contains("lb-strip--held"), is_unchecked, "{name}");
            assert_eq!(page.contains("action=\"/accepted\""), leads_back, "{name}");
            assert_eq!(page.contains("href=\"/held\""), !is_unchecked, "{name}");
        }
    }
}
