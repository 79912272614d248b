//! What the format cannot say as the made-up practice has it.

use lifeboat_clinical::SectionId;

use crate::format::Format;
use crate::synth::Forced;

const fn of_patient(field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::SystmOne, section: None, field, why }
}

const fn forced(section: SectionId, field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::SystmOne, section: Some(section), field, why }
}

const NO_COLUMN: &str = "there is no column for it";
const NO_TEXT: &str = "the extract has no free text";
const NO_REPORTS: &str = "results are entries by themselves; there are no reports";
const WHOLE_DATES: &str = "dates are whole";
const ENCODING: &str = "what Windows-1252 lacks becomes a question mark";
const ANSWER: &str = "an answer is the code of the entry";

/// Every difference.
pub const FORCED: &[Forced] = &[
    of_patient(
        "ethnicity",
        "ethnic categories are codes of the national terminology, which the chart does not have",
    ),
    of_patient("identifiers", "patients have SystmOne's own number"),
    of_patient("id", "patients have SystmOne's own number"),
    of_patient("language", "the extract says whether somebody speaks English, not what else"),
    of_patient("preferred", NO_COLUMN),
    of_patient("sensitive", "no column says that somebody is sensitive"),
    of_patient("spelling", ENCODING),
    forced(SectionId::Alerts, "code", NO_COLUMN),
    forced(SectionId::Alerts, "spelling", ENCODING),
    forced(SectionId::Alerts, "term", "a note has a type, which is shown before its words"),
    forced(SectionId::Allergies, "allergy-end", "a sensitivity that is over has a date on which it ended"),
    forced(SectionId::Allergies, "category", "coded entries are of no category"),
    forced(SectionId::Allergies, "clinical-status", "coded entries do not end"),
    forced(SectionId::Allergies, "code", "drugs are named by the drug dictionary's numbers"),
    forced(SectionId::Allergies, "criticality", NO_COLUMN),
    forced(SectionId::Allergies, "date", WHOLE_DATES),
    forced(SectionId::Allergies, "notes", NO_TEXT),
    forced(SectionId::Allergies, "reaction", NO_COLUMN),
    forced(SectionId::Allergies, "severity", NO_COLUMN),
    forced(SectionId::Allergies, "spelling", ENCODING),
    forced(
        SectionId::RepeatMedication,
        "notes",
        "there is no free text; the dates of earlier issues are told",
    ),
    forced(SectionId::RepeatMedication, "prescriber", "what others prescribe is marked as that"),
    forced(SectionId::RepeatMedication, "spelling", ENCODING),
    forced(SectionId::AcuteMedication, "days", "a course has an end, and no duration"),
    forced(SectionId::AcuteMedication, "spelling", ENCODING),
    forced(SectionId::AcuteMedication, "status", "whether a course is finished is not said"),
    forced(SectionId::PastMedication, "days", "a course has an end, and no duration"),
    forced(SectionId::PastMedication, "reason", NO_COLUMN),
    forced(SectionId::PastMedication, "spelling", ENCODING),
    forced(SectionId::PastMedication, "status", "whether a course is finished is not said"),
    forced(SectionId::ActiveProblems, "date", WHOLE_DATES),
    forced(SectionId::ActiveProblems, "notes", NO_TEXT),
    forced(SectionId::ActiveProblems, "spelling", ENCODING),
    forced(SectionId::PastProblems, "clinical-status", "problems are active or past"),
    forced(SectionId::PastProblems, "date", WHOLE_DATES),
    forced(SectionId::PastProblems, "notes", NO_TEXT),
    forced(SectionId::PastProblems, "spelling", ENCODING),
    forced(SectionId::Encounters, "entries", "what was entered in a consultation is told in it"),
    forced(SectionId::Encounters, "period-end", NO_COLUMN),
    forced(SectionId::Encounters, "reason", "the reason is an entry of the consultation"),
    forced(SectionId::Encounters, "spelling", ENCODING),
    forced(SectionId::Encounters, "written", NO_TEXT),
    forced(SectionId::Results, "conclusion", NO_REPORTS),
    forced(SectionId::Results, "interpretation", NO_COLUMN),
    forced(
        SectionId::Results,
        "lost",
        "old results are held as parts of a report only, and there are no reports",
    ),
    forced(SectionId::Results, "range", NO_COLUMN),
    forced(SectionId::Results, "results", NO_REPORTS),
    forced(SectionId::Results, "section", NO_REPORTS),
    forced(SectionId::Results, "type", NO_REPORTS),
    forced(SectionId::Observations, "spelling", ENCODING),
    forced(SectionId::Immunisations, "spelling", ENCODING),
    forced(SectionId::Diary, "notes", "a recall has a status in words"),
    forced(SectionId::Diary, "spelling", ENCODING),
    forced(SectionId::Referrals, "spelling", ENCODING),
    forced(SectionId::Pregnancy, "value", "a value is a number"),
    forced(SectionId::SocialHistory, "code", ANSWER),
    forced(SectionId::SocialHistory, "spelling", ENCODING),
    forced(SectionId::SocialHistory, "term", ANSWER),
    forced(SectionId::SocialHistory, "value", ANSWER),
    forced(SectionId::OtherItems, "added", "the reason of a consultation is an entry of its own"),
    forced(
        SectionId::OtherItems,
        "code",
        "documents have a kind in words, and entries about the family words",
    ),
    forced(SectionId::OtherItems, "description", NO_COLUMN),
    forced(SectionId::OtherItems, "onset", NO_TEXT),
    forced(SectionId::OtherItems, "relationship", NO_COLUMN),
    forced(
        SectionId::OtherItems,
        "term",
        "that something is in the family is told by the words of the entry",
    ),
];
