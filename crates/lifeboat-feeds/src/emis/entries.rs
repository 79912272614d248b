//! Clinical entries (`CareRecord_Observation`) as resources, one module function for each kind.
//!
//! What a kind of resource has no place for (a value of an allergy, the name of a document) becomes a note, so that
//! nothing of an entry is lost.

use lifeboat_clinical::SectionId;
use serde_json::{Value, json};

use super::chart::{Chart, Entry};
use super::codes::{Code, Kind};
use super::document::Draft;
use super::groups::{self, Group};
use super::names;
use super::tables::{OBSERVATION, REFERRAL};
use super::when::{self, When};
use crate::problem::Reason;
use crate::r4;

/// An entry with what every kind of resource needs of it.
struct Told<'c, 'a> {
    chart: &'c Chart<'a>,
    entry: &'c Entry<'a>,
    id: String,
    subject: Value,
    effective: When,
    entered: When,
}

/// What of an entry has a place of its own in the resource, and needs no note.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The value and its range.
    Value,
    /// The name of the document.
    Document,
    /// Neither.
    Neither,
}

/// Adds every entry.
pub(super) fn add(draft: &mut Draft, chart: &Chart<'_>) {
    let groups = groups::of(chart);
    for entry in &chart.entries {
        if let Code::Unexplained(_) = entry.code {
            draft.problem(OBSERVATION, "CodeId", Reason::Unresolved);
        }
        let told = Told {
            chart,
            entry,
            id: names::id("", entry.guid),
            subject: draft.subject(),
            effective: when::effective(entry.row),
            entered: when::entered(entry.row),
        };
        draft.check(OBSERVATION, &[&told.effective, &told.entered]);
        let group = groups.get(entry.guid);
        match (entry.kind, group) {
            (_, Some(Group::Component)) => {}
            (Kind::Allergy, _) => draft.file(entry.secrecy, told.allergy()),
            (Kind::Alert, _) => draft.file_in(SectionId::Alerts, entry.secrecy, told.alert()),
            (Kind::Immunisation, _) => draft.file(entry.secrecy, told.immunisation()),
            (Kind::FamilyHistory, _) => draft.file(entry.secrecy, told.family_history()),
            (Kind::Referral, _) => {
                let referral = told.referral(draft);
                draft.file(entry.secrecy, referral);
            }
            (Kind::Procedure, _) => draft.file(entry.secrecy, told.procedure()),
            (Kind::Document, _) => draft.file(entry.secrecy, told.document()),
            (_, Some(Group::Report(members))) => draft.file(entry.secrecy, told.report(members)),
            (_, Some(Group::Panel(parts))) => draft.file(entry.secrecy, told.panel(parts)),
            // A plain entry that is a problem and says no more is shown as the problem alone.
            (Kind::Plain, None) if told.is_only_a_problem() => {}
            (_, Some(Group::Header(members))) => draft.file(entry.secrecy, told.observation(members)),
            (_, None) => draft.file(entry.secrecy, told.observation(&[])),
        }
    }
}

impl<'a> Told<'_, 'a> {
    fn concept(&self) -> Value {
        self.entry.code.concept(self.entry.original)
    }

    /// Returns the date of the entry, or the time at which it was entered where it has none.
    fn date(&self) -> Option<&str> {
        self.effective.fhir.as_deref()
    }

    fn clinician(&self) -> Option<Value> {
        names::clinician(self.chart.shared, self.entry.row)
    }

    /// Returns everything about the entry that its resource has no place for.
    fn notes(&self, shown: Shown) -> Option<Value> {
        let row = self.entry.row;
        let mut notes: Vec<String> = self.entry.text().map(str::to_owned).into_iter().collect();
        if shown != Shown::Value {
            notes.extend(self.entry.value().map(|value| format!("Value: {value}")));
            let range = (row.text("NumericRangeLow"), row.text("NumericRangeHigh"));
            notes.extend(match range {
                (None, None) => None,
                (low, high) => Some(format!("Range: {} to {}", low.unwrap_or("?"), high.unwrap_or("?"))),
            });
        }
        if shown != Shown::Document {
            let document = row.text("DocumentGuid");
            notes.extend(
                document.map(|_| "A document belongs to this entry; it is not in the extract".to_owned()),
            );
        }
        notes.extend(self.effective.told.clone());
        notes.extend(self.entered.told.as_ref().map(|told| format!("Entered: {told}")));
        if self.effective.fhir.is_none() && !self.says_when_entered() {
            notes.extend(self.entered.fhir.as_ref().map(|entered| format!("Entered: {entered}")));
        }
        (!notes.is_empty()).then(|| r4::notes(notes.iter().map(|note| Some(note.as_str()))))
    }

    /// Says whether the resource has a place for when the entry was entered.
    fn says_when_entered(&self) -> bool {
        match self.entry.kind {
            Kind::Allergy | Kind::Immunisation => true,
            Kind::Alert | Kind::FamilyHistory | Kind::Referral | Kind::Procedure | Kind::Document => false,
            Kind::Result | Kind::Imaging | Kind::Vital | Kind::Social | Kind::Plain => {
                self.entered.instant().is_some()
            }
        }
    }

    /// Returns the notes as extensions, for resources without notes.
    fn said(&self, shown: Shown) -> Vec<Value> {
        let notes = self.notes(shown);
        let texts = notes.as_ref().and_then(Value::as_array).into_iter().flatten();
        let mut said: Vec<Value> =
            texts.filter_map(|note| Some(names::said("note", note["text"].as_str()?))).collect();
        said.extend(self.linked_problem());
        said
    }

    fn linked_problem(&self) -> Option<Value> {
        let words = self.chart.linked_problem(self.entry.row, "ProblemGuid")?;
        Some(names::said("linked-problem", words))
    }

    fn extension(&self) -> Option<Value> {
        self.linked_problem().map(|linked| vec![linked].into())
    }

    fn recorded(&self) -> Option<Value> {
        self.entered.fhir.as_deref().map(Value::from)
    }

    fn allergy(&self) -> Value {
        let mut notes = self.notes(Shown::Neither).unwrap_or_else(|| json!([]));
        if let (Some(problem), Some(notes)) = (self.problem_words(), notes.as_array_mut()) {
            notes.push(json!({"text": problem}));
        }
        r4::object([
            ("resourceType", Some("AllergyIntolerance".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", self.extension()),
            ("code", Some(self.entry.code.allergy_concept(self.entry.original, self.entry.text()))),
            ("patient", Some(self.subject.clone())),
            ("onsetDateTime", self.date().map(Value::from)),
            ("recordedDate", self.recorded()),
            ("recorder", self.clinician()),
            ("note", Some(notes)),
        ])
    }

    /// Returns what the problem list says about an entry that is shown as something else.
    fn problem_words(&self) -> Option<String> {
        let row = self.chart.problems.get(self.entry.guid)?;
        let parts =
            ["ProblemStatusDescription", "SignificanceDescription", "Comment"].map(|column| row.text(column));
        let mut parts: Vec<String> = parts.into_iter().flatten().map(str::to_owned).collect();
        let ended = when::dated(*row, "EndDate", "EndDatePrecision");
        parts.extend(ended.fhir.or(ended.told).map(|ended| format!("ended {ended}")));
        Some(if parts.is_empty() {
            "Also in the list of problems".to_owned()
        } else {
            format!("In the list of problems: {}", parts.join(", "))
        })
    }

    fn is_only_a_problem(&self) -> bool {
        let entry = self.entry;
        self.chart.problems.contains_key(entry.guid)
            && entry.value().is_none()
            && entry.row.text("DocumentGuid").is_none()
    }

    fn alert(&self) -> Value {
        r4::object([
            ("resourceType", Some("Flag".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", Some(self.said(Shown::Neither).into())),
            ("status", Some("active".into())),
            ("code", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("period", self.date().map(|date| json!({"start": date}))),
            ("author", self.clinician()),
        ])
    }

    fn immunisation(&self) -> Value {
        let not_given = self.entry.code.says_not_given(self.entry.original);
        r4::object([
            ("resourceType", Some("Immunization".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", self.extension()),
            ("status", Some(if not_given { "not-done" } else { "completed" }.into())),
            ("vaccineCode", Some(self.concept())),
            ("patient", Some(self.subject.clone())),
            ("occurrenceDateTime", self.date().map(Value::from)),
            ("recorded", self.recorded()),
            ("performer", self.clinician().map(|actor| json!([{"actor": actor}]))),
            ("note", self.notes(Shown::Neither)),
        ])
    }

    fn family_history(&self) -> Value {
        r4::object([
            ("resourceType", Some("FamilyMemberHistory".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", self.extension()),
            ("status", Some("completed".into())),
            ("patient", Some(self.subject.clone())),
            ("date", self.date().map(Value::from)),
            ("relationship", Some(json!({"text": "Family member"}))),
            ("condition", Some(json!([{"code": self.concept()}]))),
            ("note", self.notes(Shown::Neither)),
        ])
    }

    fn procedure(&self) -> Value {
        r4::object([
            ("resourceType", Some("Procedure".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", self.extension()),
            ("status", Some("completed".into())),
            ("code", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("performedDateTime", self.date().map(Value::from)),
            ("performer", self.clinician().map(|actor| json!([{"actor": actor}]))),
            ("note", self.notes(Shown::Neither)),
        ])
    }

    fn document(&self) -> Value {
        const NOT_HERE: &str = "The document itself is not in the extract";
        let name = self.entry.row.text("DocumentGuid");
        let mut said = self.said(Shown::Document);
        if let Some(text) = self.entry.text() {
            said.retain(|said| said["valueString"] != text);
            said.push(names::said("note", NOT_HERE));
        }
        r4::object([
            ("resourceType", Some("DocumentReference".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", Some(said.into())),
            ("masterIdentifier", name.map(|name| json!({"value": name}))),
            ("status", Some("current".into())),
            ("type", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("date", self.date().map(Value::from)),
            ("author", self.clinician().map(|author| vec![author].into())),
            ("description", Some(self.entry.text().unwrap_or(NOT_HERE).into())),
        ])
    }

    fn referral(&self, draft: &mut Draft) -> Value {
        let shared = self.chart.shared;
        let details = self.chart.referrals.get(self.entry.guid).copied();
        let text = |column: &str| details.and_then(|row| row.text(column));
        let organisation = |column| names::organisation(shared, text(column));
        let urgency = text("ReferralUrgency");
        let priority =
            urgency.map(str::to_lowercase).filter(|word| matches!(word.as_str(), "routine" | "urgent"));
        let mut said: Vec<Value> = self.linked_problem().into_iter().collect();
        let mut tell =
            |name: &str, words: Option<&str>| said.extend(words.map(|words| names::said(name, words)));
        tell("urgency", urgency.filter(|_| priority.is_none()));
        tell("service-type", text("ReferralServiceType"));
        tell("mode", text("ReferralMode"));
        tell("booking-reference", text("ReferralUBRN"));
        tell("referred-from", organisation("ReferralSourceOrganisationGuid"));
        for (name, column) in [
            ("received", "ReferralReceivedDate"),
            ("ended", "ReferralEndDate"),
            ("episode-closed", "ReferralEpisodeClosureDate"),
            ("discharge-letter-issued", "ReferralEpisodeDischargeLetterIssuedDate"),
        ] {
            let on = details.map(|row| when::on(row, column)).unwrap_or_default();
            draft.check(REFERRAL, &[&on]);
            tell(name, on.fhir.as_deref().or(on.told.as_deref()));
        }
        let reason = |column| Code::of(text(column), super::tables::CLINICAL_CODE, shared).term();
        tell("closed-because", reason("ReferralClosureReasonCodeId"));
        let ended = text("ReferralEndDate").or(text("ReferralEpisodeClosureDate")).is_some();
        let to = organisation("ReferralTargetOrganisationGuid").map(|to| vec![r4::named(to)].into());
        r4::object([
            ("resourceType", Some("ServiceRequest".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", Some(said.into())),
            ("status", Some(if ended { "completed" } else { "active" }.into())),
            ("intent", Some("order".into())),
            ("priority", priority.map(Value::from)),
            ("code", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("authoredOn", self.date().map(Value::from)),
            ("requester", self.clinician()),
            ("performer", to),
            ("reasonCode", reason("ReferralReasonCodeId").map(|words| json!([{"text": words}]))),
            ("note", self.notes(Shown::Neither)),
        ])
    }

    /// Returns a report that holds its results; what stands beside its header is its conclusion.
    fn report(&self, members: &[&Entry<'_>]) -> Value {
        let results: Vec<Value> = members.iter().map(|member| reference(member)).collect();
        let mut said: Vec<Value> = self.linked_problem().into_iter().collect();
        let doubt = self.effective.told.clone().or_else(|| self.entered.told.clone());
        said.extend(doubt.map(|told| names::said("note", told)));
        r4::object([
            ("resourceType", Some("DiagnosticReport".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", Some(said.into())),
            ("status", Some("final".into())),
            ("category", self.category().map(|category| vec![category].into())),
            ("code", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("effectiveDateTime", self.date().map(Value::from)),
            ("issued", self.entered.instant().map(Value::from)),
            ("performer", self.clinician().map(|who| vec![who].into())),
            ("result", Some(results.into())),
            ("conclusion", self.entry.text().map(Value::from)),
        ])
    }

    fn category(&self) -> Option<Value> {
        let code = match self.entry.kind {
            Kind::Result => "laboratory",
            Kind::Imaging => "imaging",
            Kind::Vital => "vital-signs",
            Kind::Social => "social-history",
            _ => return None,
        };
        Some(r4::hl7("observation-category", code))
    }

    /// Returns an observation, with the observations that are grouped under it.
    fn observation(&self, members: &[&Entry<'_>]) -> Value {
        let mut observation = self.bare_observation();
        let (name, value) = measured(self.entry);
        if let (Some(object), Some(value)) = (observation.as_object_mut(), value) {
            object.insert(name.to_owned(), value);
            object.extend(range(self.entry).map(|range| ("referenceRange".to_owned(), range)));
        }
        if !members.is_empty() {
            observation["hasMember"] = members.iter().map(|member| reference(member)).collect();
        }
        observation
    }

    /// Returns an observation of several parts, such as a blood pressure.
    fn panel(&self, parts: &[&Entry<'_>]) -> Value {
        let mut observation = self.bare_observation();
        let component = |part: &&Entry<'_>| {
            let mut component = json!({"code": part.code.concept(part.original)});
            let (name, value) = measured(part);
            component[name] = value.unwrap_or_default();
            if let Some(range) = range(part) {
                component["referenceRange"] = range;
            }
            component
        };
        let mut parts = parts.to_vec();
        // Blood pressures are read with the systolic one first; rows come in the order of their names.
        parts.sort_by_key(|part| part.code.is_diastolic_pressure());
        observation["component"] = parts.iter().map(component).collect();
        observation
    }

    fn bare_observation(&self) -> Value {
        r4::object([
            ("resourceType", Some("Observation".into())),
            ("id", Some(self.id.clone().into())),
            ("extension", self.extension()),
            ("status", Some("final".into())),
            ("category", self.category().map(|category| vec![category].into())),
            ("code", Some(self.concept())),
            ("subject", Some(self.subject.clone())),
            ("effectiveDateTime", self.date().map(Value::from)),
            ("issued", self.entered.instant().map(Value::from)),
            ("performer", self.clinician().map(|who| vec![who].into())),
            ("note", self.notes(Shown::Value)),
        ])
    }
}

fn reference(entry: &Entry<'_>) -> Value {
    json!({"reference": format!("Observation/{}", names::id("", entry.guid))})
}

/// Returns the name and the value under which FHIR keeps what was measured; a number keeps its digits.
fn measured(entry: &Entry<'_>) -> (&'static str, Option<Value>) {
    let Some(value) = entry.row.text("Value") else {
        return ("valueQuantity", None);
    };
    let unit = entry.row.text("NumericUnit");
    let (comparator, number) = comparator_of(value);
    match r4::quantity(number, unit) {
        Some(mut quantity) => {
            if let Some(comparator) = comparator {
                quantity["comparator"] = comparator.into();
            }
            ("valueQuantity", Some(quantity))
        }
        None => ("valueString", entry.value().map(Value::from)),
    }
}

fn comparator_of(value: &str) -> (Option<&'static str>, &str) {
    for comparator in ["<=", ">=", "<", ">"] {
        if let Some(number) = value.strip_prefix(comparator) {
            return (Some(comparator), number.trim());
        }
    }
    (None, value)
}

/// Returns the range in which a result is expected; a limit that is no number stays as text.
fn range(entry: &Entry<'_>) -> Option<Value> {
    let unit = entry.row.text("NumericUnit");
    let limits = [("low", "NumericRangeLow"), ("high", "NumericRangeHigh")];
    let mut range = json!({});
    let mut words = Vec::new();
    for (name, column) in limits {
        let Some(limit) = entry.row.text(column) else {
            continue;
        };
        match r4::quantity(limit, unit) {
            Some(quantity) => range[name] = quantity,
            None => words.push(format!("{name} {limit}")),
        }
    }
    if !words.is_empty() {
        range["text"] = words.join(", ").into();
    }
    range.as_object().is_some_and(|range| !range.is_empty()).then(|| vec![range].into())
}
