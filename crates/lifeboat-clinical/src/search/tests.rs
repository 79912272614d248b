use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::synth::Practice;

fn terms(family: &str, given: &[&str], born: &str) -> SearchTerms {
    SearchTerms {
        names: SearchNames {
            family: family.to_owned(),
            given: given.iter().map(|name| (*name).to_owned()).collect(),
            other: Vec::new(),
        },
        born: born.parse().ok(),
        ..SearchTerms::default()
    }
}

fn list() -> SearchIndex {
    let mut brien = terms("O'Brien", &["Siobhán", "Anne"], "1980-08-14");
    brien.nhs = Some("999 000 0018".to_owned());
    brien.phones = vec!["+44 7700 900123".to_owned(), "020 7946 0001".to_owned()];
    brien.address = vec!["Flat 2".to_owned(), "14b Lantern Street".to_owned(), "Port Selkie".to_owned()];
    brien.postcode = Some("ZZ99 1AA".to_owned());
    let mut lukas = terms("Łukaszewicz", &["Małgorzata"], "1980-08");
    lukas.names.other = vec!["Gosia".to_owned()];
    SearchIndex::build([
        (10, brien),
        (11, lukas),
        (12, terms("Smith", &["John"], "1975-01-02")),
        (13, terms("SMITH", &["john", "Paul"], "1999-12-31")),
        (14, terms("Smith-Jones", &["Ann-Marie"], "1980")),
        (15, terms("Smithson", &["Joan"], "1980-08-15")),
        (16, terms("McDonald", &["May"], "2020-05-05")),
        (17, terms("Ng", &["Li"], "1960-06-06")),
    ])
}

fn found(index: &SearchIndex, text: &str) -> Vec<usize> {
    index.find(&Query::new(text)).into_iter().map(|hit| hit.id).collect()
}

#[test]
fn patients_are_found_by_whatever_is_known() {
    let index = list();
    let cases: &[(&str, &[usize])] = &[
        ("o'brien", &[10]),
        ("OBRIEN siobhan", &[10]),
        ("siobhan o brien", &[10]),
        ("brien", &[10]),
        ("lukaszewicz", &[11]),
        ("malgorzata łukasz", &[11]),
        ("gosia", &[11]),
        ("smith", &[12, 13, 14, 15]),
        ("john smith", &[12, 13, 15]),
        ("smith jo", &[14, 12, 13, 15]),
        ("smith john 1999", &[13]),
        ("smith jones", &[14]),
        ("smithjones", &[14]),
        ("smith-jones annmarie", &[14]),
        ("mc donald", &[16]),
        ("mcdonald may 2020", &[16]),
        ("ng", &[17]),
        ("14/08/1980", &[10, 11, 14]),
        ("14-Aug-1980", &[10, 11, 14]),
        ("Aug 1980", &[11, 10, 15, 14]),
        ("14.8.80 obrien", &[10]),
        ("999 000 0018", &[10]),
        ("9990000018", &[10]),
        ("99900", &[10]),
        ("07700 900123", &[10]),
        ("+447700900123", &[10]),
        ("900123", &[10]),
        ("0207946", &[10]),
        ("zz99 1aa", &[10]),
        ("zz991aa", &[10]),
        ("ZZ99", &[10]),
        ("lantern", &[10]),
        ("14b lantern st", &[10]),
        ("selkie obrien", &[10]),
        ("obrien 1975", &[]),
        ("nobody", &[]),
        ("9990000026", &[]),
        ("", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(&index, text), *expected, "{text}");
    }
}

#[test]
fn one_typing_error_is_forgiven_and_ranks_below() {
    let index = list();
    assert_eq!(found(&index, "obrein"), [10]);
    assert_eq!(found(&index, "lukaszewics"), [11]);
    assert_eq!(found(&index, "smitj"), [12, 13, 14]);
    assert_eq!(found(&index, "nf"), [] as [usize; 0], "short words are not guessed");
    let two = SearchIndex::build([(1, terms("Hall", &["A"], "1980")), (2, terms("Hill", &["A"], "1980"))]);
    assert_eq!(found(&two, "hill"), [2, 1]);
}

#[test]
fn hits_say_what_matched_and_who_has_the_same_name() {
    let index = list();
    let hits = index.find(&Query::new("smith john"));
    assert_eq!(hits.iter().map(|hit| hit.same_name).collect::<Vec<_>>(), [1, 1, 0]);
    assert!(hits.iter().all(|hit| hit.matched == Matched::NAME));
    let hit = &index.find(&Query::new("obrien 14/8/80 zz99"))[0];
    assert!(hit.matched.contains(Matched::NAME | Matched::BORN | Matched::POSTCODE));
    assert!(!hit.matched.contains(Matched::NHS));
    assert_eq!((hit.matched.count(), hit.same_name), (3, 0));
    let one = index.find(&Query::new("14").with_hits_max(1));
    assert!(one.len() <= 1);
    assert_eq!(index.find(&Query::new("1980").with_hits_max(2)).len(), 2);
    assert!(index.find(&Query::new("1980").with_hits_max(0)).is_empty());
}

fn practice_index(patients: usize) -> (Practice, SearchIndex) {
    let practice = Practice::new(42, patients, date(2026, 11, 21));
    let all = (0..patients).map(|index| {
        let expected = practice.expected(index);
        let terms = SearchTerms {
            names: SearchNames { family: expected.family, given: expected.given, other: Vec::new() },
            born: Some(PartialDate::from(expected.born)),
            nhs: expected.nhs_number,
            phones: expected.phones,
            address: vec![format!("{} Lantern Street", index % 200), "Port Selkie".to_owned()],
            postcode: Some(expected.postcode),
        };
        (index, terms)
    });
    let index = SearchIndex::build(all);
    (practice, index)
}

#[test]
fn everybody_of_a_practice_is_found_by_name_and_birth_or_by_number() {
    let (practice, index) = practice_index(600);
    for at in 0..practice.patients() {
        let expected = practice.expected(at);
        let born = expected.born.strftime("%d/%m/%Y").to_string();
        let text = format!("{} {} {born}", expected.family, expected.given[0]);
        assert_eq!(found(&index, &text).first(), Some(&at), "patient {at} by name and birth");
        if let Some(nhs) = &expected.nhs_number {
            assert_eq!(found(&index, &crate::nhs_number::format(nhs)), [at], "patient {at} by number");
        }
    }
    let namesakes = index.find(&Query::new(&practice.expected(11).family));
    assert!(namesakes.iter().any(|hit| hit.same_name > 0));
}

#[expect(
    clippy::print_stdout,
    reason = "the measured time is for whoever runs the test with its output shown"
)]
#[test]
fn a_large_practice_is_searched_while_one_types() {
    let patients = if cfg!(debug_assertions) { 20_000 } else { 100_000 };
    let (_, index) = practice_index(patients);
    let texts =
        ["smith", "smth joh", "a", "jones 1980", "lantern 12", "07700 900123", "999 000 0018", "zz99 1a"];
    for text in texts {
        let query = Query::new(text);
        let begin = std::time::Instant::now();
        let hits = index.find(&query);
        println!("{text:?}: {} hits in {:?} among {patients}", hits.len(), begin.elapsed());
        assert!(hits.len() <= HITS_MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_searched_for(text in "\\PC{0,40}", family in "\\PC{0,12}", phone in "\\PC{0,20}") {
        let mut patient = terms(&family, &[&text], "1980");
        patient.phones = vec![phone.clone()];
        patient.postcode = Some(text.clone());
        patient.nhs = Some(phone);
        let index = SearchIndex::build([(0, patient)]);
        let _ = index.find(&Query::new(&text));
    }

    #[test]
    fn digits_of_any_length_can_be_searched_for(text in "[0-9+ /.-]{0,60}") {
        let mut patient = terms("A", &["B"], "1980");
        patient.phones = vec![text.clone()];
        let _ = SearchIndex::build([(0, patient)]).find(&Query::new(&text));
        let _ = crate::fuzz::search_query(text.as_bytes());
    }
}
