//! Repeat, acute or past: which section a medication belongs to.
//!
//! A course is a *repeat* or *acute* when the source says so: by the type of its course, by a category,
//! or by repeats that are allowed. Otherwise its status and dates decide, in favour of *current*:
//!
//! | status | course | section |
//! |---|---|---|
//! | current | repeat | repeat |
//! | current | acute | acute while it runs or began in the last 12 months, else past |
//! | current | not said | repeat, unless it has ended: then as acute |
//! | completed | acute or not said | acute if it began in the last 12 months, else past |
//! | any other ending | | past |
//!
//! What was dispensed or given on another prescription's authority is past: the prescription is the item. What
//! was proposed, drafted or not taken is an other item.

use super::classify::{Context, Facts};
use super::codes;
use crate::json::Json;
use crate::section::SectionId;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Repeat,
    Acute,
    NotSaid,
}

pub(super) fn section_of(kind: &str, facts: &Facts<'_>, context: &Context<'_>) -> SectionId {
    use SectionId as S;
    let members = &facts.members;
    let intent = members.intent.and_then(Json::string).unwrap_or_default();
    let not_meant =
        matches!(facts.status.as_ref(), "draft" | "not-taken" | "not-done" | "declined" | "preparation");
    if intent == "proposal" || not_meant {
        return S::OtherItems;
    }
    let recent = facts.dates.until.is_none_or(|until| until >= context.acute_since);
    let acute_or_past = if recent { S::AcuteMedication } else { S::PastMedication };
    let event = matches!(kind, "MedicationDispense" | "MedicationAdministration");
    if event {
        return if members.authority.is_some() { S::PastMedication } else { acute_or_past };
    }
    let end = members
        .dispense
        .and_then(|dispense| dispense.path(&["validityPeriod", "end"]))
        .and_then(|end| crate::date::PartialDate::of_date_time(&end.string()?))
        .map(crate::date::PartialDate::latest)
        .or(facts.dates.end);
    let runs_on = end.is_none_or(|end| end >= context.today);
    let course = course(facts);
    match facts.status.as_ref() {
        "completed" if course == Course::Repeat => S::PastMedication,
        "completed" => acute_or_past,
        "stopped" | "cancelled" | "ended" => S::PastMedication,
        _ => match course {
            Course::Repeat => S::RepeatMedication,
            Course::Acute if end.is_some() && runs_on => S::AcuteMedication,
            Course::Acute => acute_or_past,
            Course::NotSaid if runs_on => S::RepeatMedication,
            Course::NotSaid => acute_or_past,
        },
    }
}

fn course(facts: &Facts<'_>) -> Course {
    let course = facts.members.course;
    let said = course.into_iter().flat_map(codes::codings);
    let said = said.map(|coding| coding.code);
    for code in said.chain(facts.category.iter().cloned()) {
        match code.as_ref() {
            "continuous"
            | "continuing"
            | "repeat"
            | "repeat-dispensing"
            | "continuous-repeat-dispensing"
            | "continuing-long-term" => return Course::Repeat,
            "acute" | "acute-handwritten" | "one-off" => return Course::Acute,
            _ => {}
        }
    }
    if let Some(text) = course.and_then(|course| course.text_of("text")) {
        let text = text.to_lowercase();
        if text.contains("repeat") || text.contains("continuous") {
            return Course::Repeat;
        }
        if text.contains("acute") {
            return Course::Acute;
        }
    }
    let repeats = facts.members.dispense.and_then(|dispense| dispense.text_of("numberOfRepeatsAllowed"));
    match repeats.as_deref() {
        Some(number) if number.parse::<u32>().is_ok_and(|number| number > 0) => Course::Repeat,
        _ => Course::NotSaid,
    }
}
