//! What the made-up practice loses or gains on its way through a Vision extract.

use lifeboat_clinical::SectionId as S;

use crate::format::Format;
use crate::synth::Forced;

const fn forced(section: S, field: &'static str, why: &'static str) -> Forced {
    Forced { format: Format::Vision, section: Some(section), field, why }
}

const TEXT: &str = "there is no column for it; it travels in TEXT";
const REPORT: &str =
    "nothing links a report to its results: they are not held with it beyond the window of results";
const NONE: &str = "there is no column for it";
const CLINICAL: &str = "the journal has no subset for it; it is a clinical entry";

/// Every difference between a chart and what is read back of it.
pub const FORCED: &[Forced] = &[
    forced(S::Alerts, "code", CLINICAL),
    forced(S::Alerts, "items", CLINICAL),
    forced(S::Alerts, "name", CLINICAL),
    forced(S::Alerts, "started", CLINICAL),
    forced(S::Alerts, "status", CLINICAL),
    forced(
        S::Allergies,
        "clinical status",
        "Vision records no end of an allergy, so a resolved one reads as current",
    ),
    forced(S::Allergies, "criticality", NONE),
    forced(S::Allergies, "kind", NONE),
    forced(S::Allergies, "note", TEXT),
    forced(S::Allergies, "reaction", TEXT),
    forced(S::RepeatMedication, "course", "what is taken from elsewhere can only be written as a repeat"),
    forced(S::RepeatMedication, "days", NONE),
    forced(S::RepeatMedication, "max issues", NONE),
    forced(S::RepeatMedication, "review", NONE),
    forced(S::RepeatMedication, "dose", TEXT),
    forced(S::RepeatMedication, "note", TEXT),
    forced(S::RepeatMedication, "issues", "issues are counted, and the chart says when the last was only"),
    forced(S::AcuteMedication, "days", NONE),
    forced(S::AcuteMedication, "status", "whether an acute course is over is not recorded"),
    forced(S::PastMedication, "days", NONE),
    forced(S::PastMedication, "max issues", NONE),
    forced(S::PastMedication, "dose", TEXT),
    forced(S::PastMedication, "reason", TEXT),
    forced(S::PastMedication, "status", "whether an acute course is over is not recorded"),
    forced(S::ActiveProblems, "significance", NONE),
    forced(
        S::PastProblems,
        "clinical status",
        "a problem has an end or none; resolved and inactive are the same",
    ),
    forced(S::PastProblems, "significance", NONE),
    forced(S::Encounters, "kind", "sessions have a code from a short list, without telephone consultations"),
    forced(S::Encounters, "until", "a duration without a unit is no end"),
    forced(S::Results, "code", REPORT),
    forced(S::Results, "items", REPORT),
    forced(S::Results, "name", REPORT),
    forced(S::Results, "status", REPORT),
    forced(S::Results, "value", REPORT),
    forced(S::Results, "when", REPORT),
    forced(S::Results, "who", REPORT),
    forced(S::Results, "range", TEXT),
    forced(S::Results, "interpretation", TEXT),
    forced(S::Results, "note", TEXT),
    forced(S::Results, "recorded", "the day on which it was recorded is no instant, and is a note"),
    forced(S::Immunisations, "note", TEXT),
    forced(S::Immunisations, "part", TEXT),
    forced(S::Immunisations, "source", TEXT),
    forced(S::Diary, "items", "the journal has no recalls; one is a clinical entry"),
    forced(S::Diary, "name", "the journal has no recalls; one is a clinical entry"),
    forced(S::Diary, "status", "the journal has no recalls; one is a clinical entry"),
    forced(S::Diary, "when", "the journal has no recalls; one is a clinical entry"),
    forced(S::Diary, "who", "the journal has no recalls; one is a clinical entry"),
    forced(S::Referrals, "note", "a referral has a type"),
    forced(S::Referrals, "priority", NONE),
    forced(S::Referrals, "reason", NONE),
    forced(S::SocialHistory, "code", "an answer that is a code is the entry; the question is not recorded"),
    forced(S::SocialHistory, "name", "an answer that is a code is the entry; the question is not recorded"),
    forced(S::SocialHistory, "value", "an answer that is a code is the entry; the question is not recorded"),
    forced(S::OtherItems, "code", CLINICAL),
    forced(S::OtherItems, "items", CLINICAL),
    forced(S::OtherItems, "name", CLINICAL),
    forced(S::OtherItems, "note", CLINICAL),
    forced(S::OtherItems, "status", CLINICAL),
    forced(S::OtherItems, "time", CLINICAL),
    forced(S::OtherItems, "when", CLINICAL),
    forced(S::OtherItems, "who", CLINICAL),
];
