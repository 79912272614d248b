//! The strip on every page: which site, as of when, how old, how whole, read from where, and not live.
//!
//! Nothing is said by colour alone: each class has its word.

use maud::{Markup, html};

use crate::age::{AgeLevel, CopyAge};

/// What the strip says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strip {
    /// The site's code and name, where they are known.
    pub site: Option<String>,
    /// The copy that is open, if one is.
    pub copy: Option<CopyLine>,
}

/// What the strip says about an open copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyLine {
    /// The instant the copy shows, as the practice's clock shows it.
    pub as_of: String,
    /// How old that is.
    pub age: CopyAge,
    /// How whole the copy is and how the replicas compare.
    pub verification: Verification,
    /// The name of the replica that is read.
    pub reading: String,
    /// Set when the newest snapshot is held.
    pub held: Option<HeldLine>,
    /// Set when reading moved to another replica, or to another snapshot.
    pub moved: Option<String>,
}

/// What is said of a held snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldLine {
    /// It is newer than the accepted one that is shown.
    Waiting(String),
    /// The reader chose to see it.
    Chosen(String),
    /// It is shown because none was ever accepted.
    Only(String),
}

/// What was verified, and what was found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How grave the worst finding is.
    pub level: VerificationLevel,
    /// One sentence, such as "Verified: 3 of 3 copies agree".
    pub sentence: String,
    /// One sentence for each thing that is wrong.
    pub problems: Vec<String>,
}

/// How grave what verification found is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerificationLevel {
    /// Everything agrees.
    Good,
    /// Some replica is missing, older or damaged.
    Warning,
    /// The copies contradict each other, or what proves their origin is missing.
    Bad,
}

/// Renders the strip.
pub fn strip(strip: &Strip) -> Markup {
    html! {
        section class=(strip_class(strip)) aria-label="About this copy" {
            @if let Some(text) = unchecked(strip) {
                p.lb-strip__line.lb-strip__unchecked {
                    strong.lb-strip__word { (UNCHECKED) } " " span { (text) }
                }
            }
            p.lb-strip__line {
                strong.lb-strip__not-live { "NOT LIVE" }
                " "
                @if let Some(site) = &strip.site { span.lb-strip__site { (site) } }
                @match &strip.copy {
                    Some(copy) => { (copy_line(copy)) }
                    None => { span { "No copy is open" } }
                }
            }
            @if let Some(copy) = &strip.copy { (warnings(copy)) }
        }
    }
}

/// Renders the strip as the one line at the head of every printed sheet.
pub fn printed(strip: &Strip) -> Markup {
    html! {
        @if unchecked(strip).is_some() { (UNCHECKED) ". " }
        "NOT LIVE. "
        @if let Some(site) = &strip.site { (site) ". " }
        @if let Some(copy) = &strip.copy {
            "Copy as of " (copy.as_of) ", " (copy.age.words) " when printed. " (copy.verification.sentence) "."
        }
    }
}

/// What stands on every page and sheet of a held snapshot.
pub const UNCHECKED: &str = "HELD SNAPSHOT – not checked";

/// Returns what there is to say of the shown snapshot when it is held.
fn unchecked(strip: &Strip) -> Option<&str> {
    match strip.copy.as_ref()?.held.as_ref()? {
        HeldLine::Chosen(text) | HeldLine::Only(text) => Some(text),
        HeldLine::Waiting(_) => None,
    }
}

/// Says whether the reader chose the held snapshot and can go back to the accepted one.
pub fn can_go_back(strip: &Strip) -> bool {
    matches!(strip.copy.as_ref().and_then(|copy| copy.held.as_ref()), Some(HeldLine::Chosen(_)))
}

fn strip_class(strip: &Strip) -> &'static str {
    if unchecked(strip).is_some() {
        return "lb-strip lb-strip--red lb-strip--held";
    }
    match strip.copy.as_ref().map(|copy| copy.age.level) {
        None => "lb-strip lb-strip--none",
        Some(AgeLevel::Green) => "lb-strip lb-strip--green",
        Some(AgeLevel::Amber) => "lb-strip lb-strip--amber",
        Some(AgeLevel::Red | AgeLevel::ClockBehind) => "lb-strip lb-strip--red",
    }
}

fn copy_line(copy: &CopyLine) -> Markup {
    let word = match copy.age.level {
        AgeLevel::Green => None,
        AgeLevel::Amber => Some("GETTING OLD"),
        AgeLevel::Red => Some("OLD COPY"),
        AgeLevel::ClockBehind => Some("CHECK THE CLOCK"),
    };
    html! {
        " " span {
            "Copy as of " strong.lb-nowrap { (copy.as_of) } " — " strong { (copy.age.words) }
            @if let Some(word) = word { " " strong.lb-strip__word { (word) } }
        }
        " " span.lb-strip__verification { (copy.verification.sentence) }
        " " span.lb-strip__reading { "Reading: " (copy.reading) }
    }
}

fn warnings(copy: &CopyLine) -> Markup {
    let bad = copy.verification.level == VerificationLevel::Bad;
    html! {
        @let waiting = match &copy.held {
            Some(HeldLine::Waiting(text)) => Some(text),
            _ => None,
        };
        @if !copy.verification.problems.is_empty() || waiting.is_some() || copy.moved.is_some() {
            ul.lb-strip__warnings.lb-strip__warnings--bad[bad] {
                @if let Some(held) = waiting {
                    li { strong { "Newer snapshot held: " } (held) " " a href="/held" { "Look at it all the same" } }
                }
                @if let Some(moved) = &copy.moved { li { strong { "Copy changed: " } (moved) } }
                @for problem in &copy.verification.problems { li { (problem) } }
            }
        }
    }
}
