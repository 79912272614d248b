//! Tests: the text and its script.

use super::{SCRIPT, recover_text};
use crate::note::SigningKey;
use crate::site::SiteDescription;

const SCRIPT_BEGIN: &str = "-----BEGIN SCRIPT-----";
const SCRIPT_END: &str = "-----END SCRIPT-----";

fn text() -> String {
    let key = SigningKey::from_seed("lifeboat/A81001", &[1; 32]).unwrap().verification_key();
    recover_text(&SiteDescription::new("A81001".parse().unwrap(), "The Surgery".to_owned(), key).unwrap())
}

#[test]
fn the_text_names_the_site_and_the_key() {
    assert!(text().contains("The Surgery (site A81001)"));
    assert!(text().contains("lifeboat/A81001+"));
}

#[test]
fn the_script_stands_between_its_two_lines_once() {
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    let begin: Vec<usize> = (0..lines.len()).filter(|index| lines[*index] == SCRIPT_BEGIN).collect();
    let end: Vec<usize> = (0..lines.len()).filter(|index| lines[*index] == SCRIPT_END).collect();
    assert_eq!((begin.len(), end.len()), (1, 1));
    assert_eq!(lines[begin[0] + 1..end[0]].join("\n") + "\n", SCRIPT);
}

#[test]
fn the_text_is_plain_ascii_with_lines_that_fit_a_terminal() {
    assert!(text().is_ascii());
    let prose = text();
    let prose = prose.split(SCRIPT_BEGIN).next().unwrap();
    assert!(prose.lines().all(|line| line.len() <= 100 || line.contains("lifeboat/A81001+")));
    assert!(SCRIPT.lines().all(|line| line.len() <= 110), "a long line in the script");
}
