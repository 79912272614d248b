//! Which section of the record a resource belongs to, and when it happened.
//!
//! A resource's own words decide: its type, status, category and codes. Only where these leave a choice
//! does the source's Composition decide ([`Piece::listed`]). The choices that are not obvious:
//!
//! * What was entered in error, refuted or not done goes to *other items*, with its status; it is not
//!   dropped, and does not stand among what is true.
//! * Statements such as "no known allergies" are items of *allergies*, whatever type they come as.
//! * Every Condition is a problem, also one recorded as an encounter's diagnosis: a source that uses
//!   both words differently is rarer than one that uses only one. Without a clinical status, an end
//!   date makes it past; failing that the source's list decides, and otherwise it is active.
//! * An Observation without a category is known by its code; failing that by the source's list, by
//!   being part of a report, or by a reference range (a result); any other with a value is an observation.
//! * A test order is no referral, and neither is a request that is a plan: a recall.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::ToSpan;
use jiff::civil::Date;

use super::codes;
use super::held::{Held, ItemMembers};
use super::medication;
use crate::date::PartialDate;
use crate::fhir::{ResourceType, SectionSet};
use crate::json::Json;
use crate::section::SectionId;

/// What all resources of one patient are judged against.
pub(super) struct Context<'p> {
    pub(super) today: Date,
    /// The first day of the last twelve months.
    pub(super) acute_since: Date,
    /// The references to observations that are parts of reports.
    pub(super) report_members: HashSet<Cow<'p, str>>,
}

/// A resource that has found its place.
pub(super) struct Item<'p> {
    pub(super) held: Held<'p>,
    pub(super) section: SectionId,
    /// When it happened, as the source wrote it; its text sorts.
    pub(super) when: Cow<'p, str>,
    /// The last day on which it happened or held, for windows.
    pub(super) until: Option<Date>,
    /// What it is, for "the latest of each".
    pub(super) code: Option<String>,
    /// Whether it is not concluded.
    pub(super) open: bool,
}

/// What decides where a resource belongs, as far as it says.
pub(super) struct Facts<'p> {
    pub(super) members: ItemMembers<'p>,
    pub(super) status: Cow<'p, str>,
    verification: Option<Cow<'p, str>>,
    pub(super) category: Vec<Cow<'p, str>>,
    codes: Vec<Cow<'p, str>>,
    listed: Option<SectionId>,
    pub(super) dates: Dates<'p>,
}

/// When something happened.
#[derive(Default)]
pub(super) struct Dates<'p> {
    /// The date that it is known by, as written.
    pub(super) when: Option<Cow<'p, str>>,
    /// The last day on which it happened or held.
    pub(super) until: Option<Date>,
    /// The end of its period.
    pub(super) end: Option<Date>,
}

fn codes_of(concept: Option<Json<'_>>) -> Vec<Cow<'_, str>> {
    let codings = concept.map(codes::codings).unwrap_or_default();
    codings.into_iter().map(|coding| coding.code).collect()
}

impl<'p> Facts<'p> {
    fn of(held: &Held<'p>) -> Self {
        let members = held.members;
        Self {
            members,
            status: members.status.and_then(Json::string).unwrap_or_default(),
            verification: members.verification_status.and_then(codes::first_code),
            category: codes_of(members.category),
            codes: codes_of(members.code),
            listed: held.listed,
            dates: Dates::of(&members),
        }
    }

    fn any_code(&self, of: fn(&str) -> bool) -> bool {
        self.codes.iter().any(|code| of(code))
    }

    fn in_category(&self, names: &[&str]) -> bool {
        self.category.iter().any(|category| names.contains(&category.as_ref()))
    }

    fn has_range(&self) -> bool {
        let members = &self.members;
        members.reference_range.or(members.interpretation).is_some()
    }

    fn has_value(&self) -> bool {
        let members = &self.members;
        let simple = members.value_quantity.or(members.value_concept);
        let other = members.value_string.or(members.component);
        simple.or(other).or(members.members).is_some()
    }

    fn has_abated(&self) -> bool {
        let members = &self.members;
        let dated = members.abatement.or(members.abatement_period);
        dated.or(members.abatement_string).is_some()
    }

    /// Says whether it is a plan of the practice for itself, such as a recall, and asks nobody for anything.
    fn is_plan(&self) -> bool {
        self.members.intent.and_then(Json::string).as_deref() == Some("plan")
    }

    /// Says whether the source no longer holds it to be true.
    fn is_withdrawn(&self) -> bool {
        self.status == "entered-in-error"
            || matches!(self.verification.as_deref(), Some("entered-in-error" | "refuted"))
    }
}

impl<'p> Dates<'p> {
    fn of(members: &ItemMembers<'p>) -> Self {
        let periods = [
            members.effective_period,
            members.performed_period,
            members.occurrence_period,
            members.onset_period,
            members.period,
        ];
        let [start, end] = match periods.into_iter().flatten().next() {
            Some(period) => period.fields(["start", "end"]),
            None => [None, None],
        };
        let moments = [
            members.effective,
            members.effective_instant,
            members.performed,
            members.occurrence,
            members.handed_over,
            members.prepared,
            members.onset,
            start,
            members.authored,
            members.start,
            members.started,
            members.date_time,
            members.date,
            members.issued,
            members.recorded_date,
            members.asserted,
            members.recorded,
            members.created,
            end,
        ];
        let when = moments.into_iter().flatten().next().and_then(Json::string);
        let day = |value: Json<'p>| Some(PartialDate::of_date_time(&value.string()?)?.latest());
        let end = end.or(members.end).and_then(day);
        let began = when.as_deref().and_then(PartialDate::of_date_time);
        let until = began.map(PartialDate::latest).max(end).max(members.abatement.and_then(day));
        Self { when, until, end }
    }
}

impl<'p> Item<'p> {
    /// Finds the place of a resource.
    pub(super) fn of(held: Held<'p>, context: &Context<'_>) -> Self {
        let facts = Facts::of(&held);
        let section = section_of(&held, &facts, context);
        let has_latest = matches!(
            section,
            SectionId::Results | SectionId::Observations | SectionId::SocialHistory | SectionId::Pregnancy
        );
        let code = facts.members.code.filter(|_| has_latest);
        let open = matches!(
            facts.status.as_ref(),
            "active" | "on-hold" | "draft" | "requested" | "received" | "accepted" | "in-progress"
        );
        Self {
            section,
            when: facts.dates.when.unwrap_or_default(),
            until: facts.dates.until,
            code: code.and_then(codes::concept_key),
            open,
            held,
        }
    }

    /// Sorts items as a record holds them: newest first, then by what never changes.
    pub(super) fn sort_key(&self) -> impl Ord + '_ {
        (
            self.section,
            std::cmp::Reverse(self.when.as_ref()),
            self.held.kind,
            self.held.text.as_ref(),
            self.held.full_url,
        )
    }
}

fn section_of(held: &Held<'_>, facts: &Facts<'_>, context: &Context<'_>) -> SectionId {
    use SectionId as S;
    let status = facts.status.as_ref();
    if facts.is_withdrawn() {
        return S::OtherItems;
    }
    let open_or = |open: SectionId| {
        let concluded = matches!(
            status,
            "completed" | "revoked" | "cancelled" | "rejected" | "failed" | "inactive" | "stopped"
        );
        if concluded { S::OtherItems } else { open }
    };
    match held.kind.name() {
        "AllergyIntolerance" => S::Allergies,
        "Condition" => condition(facts),
        "Observation" => observation(held, facts, context),
        "MedicationRequest" | "MedicationStatement" | "MedicationDispense" | "MedicationAdministration" => {
            medication::section_of(held.kind.name(), facts, context)
        }
        "DiagnosticReport" | "ImagingStudy" => S::Results,
        "Immunization" => S::Immunisations,
        "Procedure" if status == "not-done" => S::OtherItems,
        "Procedure" => S::Procedures,
        "Encounter" => S::Encounters,
        "ServiceRequest" if facts.category.iter().any(|code| codes::is_test_order(code)) => open_or(S::Diary),
        "ServiceRequest" if facts.is_plan() => open_or(S::Diary),
        "ServiceRequest" => S::Referrals,
        "CarePlan" | "Task" | "ImmunizationRecommendation" | "RequestGroup" => open_or(S::Diary),
        "Appointment" => appointment(facts, context),
        "Flag" | "Consent" => open_or(S::Alerts),
        "DocumentReference" if advance_document(facts) => open_or(S::Alerts),
        "Composition" => S::OtherItems,
        _ => facts.listed.unwrap_or(S::OtherItems),
    }
}

fn condition(facts: &Facts<'_>) -> SectionId {
    use SectionId as S;
    let status = facts.members.clinical_status.and_then(codes::first_code);
    let past = match status.as_deref() {
        Some("active" | "recurrence" | "relapse") => false,
        Some("inactive" | "remission" | "resolved") => true,
        _ => facts.has_abated() || facts.listed == Some(S::PastProblems),
    };
    if facts.any_code(codes::is_allergy_statement) || facts.listed == Some(S::Allergies) {
        return S::Allergies;
    }
    match facts.listed {
        _ if past => S::PastProblems,
        _ if facts.any_code(codes::is_pregnancy) => S::Pregnancy,
        Some(listed @ (S::Alerts | S::Pregnancy | S::SocialHistory)) => listed,
        _ => S::ActiveProblems,
    }
}

/// Returns the section that an observation's category and codes name.
fn observation_by_code(category: &[Cow<'_, str>], codes: &[Cow<'_, str>]) -> Option<SectionId> {
    use SectionId as S;
    let is = |of: fn(&str) -> bool| codes.iter().any(|code| of(code));
    let within = |names: &[&str]| category.iter().any(|category| names.contains(&category.as_ref()));
    if is(codes::is_allergy_statement) {
        Some(S::Allergies)
    } else if is(codes::is_pregnancy) {
        Some(S::Pregnancy)
    } else if is(codes::is_advance_decision) {
        Some(S::Alerts)
    } else if within(&["laboratory", "imaging", "LAB", "RAD"]) {
        Some(S::Results)
    } else if within(&["vital-signs", "exam"]) {
        Some(S::Observations)
    } else if within(&["social-history"]) || is(codes::is_social_history) {
        Some(S::SocialHistory)
    } else if is(codes::is_vital_sign) {
        Some(S::Observations)
    } else {
        None
    }
}

fn observation(held: &Held<'_>, facts: &Facts<'_>, context: &Context<'_>) -> SectionId {
    use SectionId as S;
    let by_code = observation_by_code(&facts.category, &facts.codes);
    let decided = matches!(by_code, Some(S::Allergies | S::Pregnancy | S::Alerts));
    match facts.listed {
        _ if decided => by_code.unwrap_or(S::OtherItems),
        Some(listed @ (S::Alerts | S::Allergies | S::Pregnancy | S::SocialHistory)) => listed,
        listed => by_code.or(listed).unwrap_or_else(|| {
            let parts = &context.report_members;
            let in_report = !parts.is_empty() && held.keys().any(|key| parts.contains(&key));
            let kept_apart = facts.in_category(&["survey", "therapy", "activity", "procedure"]);
            if in_report || (facts.has_range() && !kept_apart) {
                S::Results
            } else if facts.has_value() || kept_apart {
                S::Observations
            } else {
                S::OtherItems
            }
        }),
    }
}

fn appointment(facts: &Facts<'_>, context: &Context<'_>) -> SectionId {
    let yesterday = context.today.checked_sub(1.day()).unwrap_or(context.today);
    let to_come = facts.dates.until.is_none_or(|until| until >= yesterday);
    let off = matches!(facts.status.as_ref(), "cancelled" | "noshow" | "fulfilled" | "checked-in");
    if to_come && !off { SectionId::Diary } else { SectionId::OtherItems }
}

/// Says whether a document is an advance decision or a power of attorney, by its type.
fn advance_document(facts: &Facts<'_>) -> bool {
    codes_of(facts.members.kind).iter().any(|code| codes::is_advance_decision(code))
}

/// Returns the sections that a resource of this kind shows its feed to supply.
pub(crate) fn sections_supplied(
    kind: ResourceType,
    category: Option<Json<'_>>,
    code: Option<Json<'_>>,
) -> SectionSet {
    use SectionId as S;
    let sections: &[SectionId] = match kind.name() {
        "AllergyIntolerance" => &[S::Allergies],
        "Condition" => &[S::ActiveProblems, S::PastProblems],
        "MedicationRequest" | "MedicationStatement" => {
            &[S::RepeatMedication, S::AcuteMedication, S::PastMedication]
        }
        "MedicationDispense" | "MedicationAdministration" => &[S::AcuteMedication, S::PastMedication],
        "DiagnosticReport" | "ImagingStudy" => &[S::Results],
        "Immunization" => &[S::Immunisations],
        "Procedure" => &[S::Procedures],
        "Encounter" => &[S::Encounters],
        "ServiceRequest" => &[S::Referrals],
        "CarePlan" | "Task" | "Appointment" => &[S::Diary],
        "Flag" | "Consent" => &[S::Alerts],
        _ => &[],
    };
    let mut set = SectionSet::default();
    sections.iter().for_each(|section| set.insert(*section));
    let codes = match kind.name() {
        "Observation" | "Condition" => codes_of(code),
        _ => Vec::new(),
    };
    if kind.name() == "Observation" {
        let section = observation_by_code(&codes_of(category), &codes);
        set.insert(section.unwrap_or(S::Observations));
    } else if codes.iter().any(|code| codes::is_pregnancy(code)) {
        set.insert(S::Pregnancy);
    }
    if set.is_empty() && !kind.is_shared() && kind.name() != "Patient" && kind.name() != "Composition" {
        set.insert(S::OtherItems);
    }
    set
}
