//! What the format cannot say as the made-up practice has it.

use lifeboat_clinical::SectionId;

use crate::format::Format;
use crate::synth::Forced;

const fn of_patient(field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::EmisWeb, section: None, field, why }
}

const fn forced(section: SectionId, field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::EmisWeb, section: Some(section), field, why }
}

const NO_COLUMN: &str = "there is no column for it";
const DATES_ONLY: &str = "entries have a date, and the time only of when they were entered";
const ENTERED: &str = "every entry says when it was entered";
const ALWAYS_CODED: &str = "every entry has a code, if only one of EMIS's own";
const IN_WORDS: &str = "there is no column for it; it is written beside the entry, in words";
const USERS_ONLY: &str = "entries name users of the practice's system only";

/// Every difference.
pub const FORCED: &[Forced] = &[
    of_patient("carers-phone", "a carer has a name and a relation only"),
    of_patient("ethnicity", NO_COLUMN),
    of_patient("former-name", NO_COLUMN),
    of_patient("language", NO_COLUMN),
    of_patient("next-of-kin", "carers have columns, other contacts have none"),
    of_patient("pharmacy", NO_COLUMN),
    of_patient("preferred", NO_COLUMN),
    of_patient("time-of-death", "the date of death has no time"),
    forced(SectionId::Allergies, "category", NO_COLUMN),
    forced(SectionId::Allergies, "clinical-status", "an allergy does not end"),
    forced(SectionId::Allergies, "code", "what has words only is coded as an allergy that lost its code"),
    forced(SectionId::Allergies, "criticality", NO_COLUMN),
    forced(SectionId::Allergies, "notes", IN_WORDS),
    forced(SectionId::Allergies, "reaction", IN_WORDS),
    forced(SectionId::Allergies, "severity", IN_WORDS),
    forced(SectionId::Diary, "code", ALWAYS_CODED),
    forced(SectionId::RepeatMedication, "code", ALWAYS_CODED),
    forced(
        SectionId::RepeatMedication,
        "course",
        "what others supply is entered as a repeat that is not issued",
    ),
    forced(
        SectionId::RepeatMedication,
        "dose",
        "what is said about a medicine that others supply stands with its dose",
    ),
    forced(SectionId::RepeatMedication, "notes", NO_COLUMN),
    forced(SectionId::RepeatMedication, "review", NO_COLUMN),
    forced(SectionId::RepeatMedication, "type", "every medicine is an authorisation"),
    forced(SectionId::AcuteMedication, "end", "the duration of a course is kept, not its end"),
    forced(SectionId::AcuteMedication, "last-issued", "every course has an issue"),
    forced(SectionId::PastMedication, "end", "the duration of a course is kept, not its end"),
    forced(SectionId::PastMedication, "last-issued", "every course has an issue"),
    forced(SectionId::PastMedication, "reason", NO_COLUMN),
    forced(SectionId::PastProblems, "clinical-status", "problems are active or past"),
    forced(SectionId::Encounters, "entries", "what was written in a consultation is told entry by entry"),
    forced(SectionId::Encounters, "period-end", NO_COLUMN),
    forced(SectionId::Encounters, "place", NO_COLUMN),
    forced(SectionId::Encounters, "reason", "the reason is an entry of the consultation"),
    forced(SectionId::Encounters, "time", DATES_ONLY),
    forced(SectionId::Encounters, "written", "what was written in a consultation is told entry by entry"),
    forced(SectionId::Results, "clinician", USERS_ONLY),
    forced(SectionId::Results, "interpretation", NO_COLUMN),
    forced(SectionId::Observations, "recorded", ENTERED),
    forced(SectionId::Observations, "time", DATES_ONLY),
    forced(SectionId::Immunisations, "code", "that nothing was given is a code of its own"),
    forced(SectionId::Immunisations, "lot", IN_WORDS),
    forced(SectionId::Immunisations, "notes", IN_WORDS),
    forced(SectionId::Immunisations, "part", IN_WORDS),
    forced(SectionId::Immunisations, "reason", IN_WORDS),
    forced(SectionId::Immunisations, "site", IN_WORDS),
    forced(SectionId::Immunisations, "term", "that nothing was given is a code of its own"),
    forced(SectionId::Procedures, "clinician", USERS_ONLY),
    forced(SectionId::Procedures, "notes", IN_WORDS),
    forced(SectionId::Referrals, "code", ALWAYS_CODED),
    forced(SectionId::Referrals, "notes", IN_WORDS),
    forced(SectionId::Referrals, "reason", IN_WORDS),
    forced(SectionId::Referrals, "time", DATES_ONLY),
    forced(SectionId::Pregnancy, "notes", IN_WORDS),
    forced(SectionId::Pregnancy, "value", "a value is a number"),
    forced(SectionId::SocialHistory, "code", "an answer is the code of the entry"),
    forced(SectionId::SocialHistory, "recorded", ENTERED),
    forced(SectionId::SocialHistory, "term", "an answer is the code of the entry"),
    forced(SectionId::SocialHistory, "time", DATES_ONLY),
    forced(SectionId::SocialHistory, "value", "an answer is the code of the entry"),
    forced(SectionId::OtherItems, "added", "what was written in a consultation is an entry of its own"),
    forced(SectionId::OtherItems, "attachment", "documents are named and not delivered"),
    forced(SectionId::OtherItems, "clinician", USERS_ONLY),
    forced(SectionId::OtherItems, "notes", IN_WORDS),
    forced(SectionId::OtherItems, "onset", IN_WORDS),
    forced(SectionId::OtherItems, "relationship", IN_WORDS),
    forced(SectionId::OtherItems, "time", DATES_ONLY),
];
