//! Searches: patients one by one, shared resources, appointments, deletions.
//!
//! A patient is fetched whole, and what is kept of them is replaced in one commit, so that a record is never a mixture.
//! Who has changed is found by a search for changes of every type; where a server has no such search, everybody is
//! fetched.

use std::collections::BTreeSet;

use jiff::civil::Date;
use lifeboat_feeds::fhir_rows::{RESOURCE, row_gone, summary_change};
use lifeboat_feeds::{Problem, Reason, RowChange, RowKeys, Unit};

use super::capability::Capability;
use super::cursor::{Round, Whole};
use super::error::{PullError, Step};
use super::http::{Accept, Call, Server};
use super::intake::{APPOINTMENT, Intake, Taken, believe};
use super::pages::{Pages, STRICT};
use super::report::{Extent, Note, PullProgress};
use super::settings::{Fetch, PullMode};

/// The type of patients.
const PATIENT: &str = "Patient";
/// The parameter by which changes are searched for.
const CHANGED: &str = "_lastUpdated";

/// How one patient is fetched, once that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Summary,
    Everything,
    Searches,
}

fn place(step: &Step) -> Problem {
    Problem::of_file(step.to_string(), Reason::EmptyValue)
}

/// Fetches everybody, or everybody of whom something has changed; returns the time that the rows are of.
pub(super) async fn patients<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    extent: Extent,
) -> Result<Whole, PullError> {
    if !capability.searches(PATIENT) {
        return Err(PullError::NotOffered { what: "a search for patients".to_owned() });
    }
    let types = types(server, capability, intake)?;
    let way = choose(server, capability)?;
    let changed = match (extent, intake.cursor.whole.clone()) {
        (Extent::Changes, Some(whole)) => changed(server, intake, &types, &whole.since).await?,
        _ => None,
    };
    let everybody = changed.is_none();
    let round = begin_round(server, capability, intake, everybody)?;
    let ids = match changed {
        Some(ids) => ids,
        None => {
            let ids = everyone(server, intake).await?;
            remove_vanished(server, intake, &ids)?;
            ids
        }
    };
    let left: Vec<&String> = ids.iter().filter(|id| **id > round.after).collect();
    for (done, id) in left.iter().enumerate() {
        intake.tell(PullProgress::Patients { done, of: left.len() });
        one(server, capability, intake, &types, way, id).await?;
        intake.report.patients += 1;
        if let Some(round) = &mut intake.cursor.round {
            round.after = id.to_string();
        }
        intake.commit_when_due()?;
    }
    intake.tell(PullProgress::Patients { done: left.len(), of: left.len() });
    Ok(round.from)
}

/// Returns the types of patients' resources that the server lists, all of which must be searchable by patient.
///
/// A server that does not know the parameter may leave it out in silence; then its operations are wrong as well.
fn types<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
) -> Result<Vec<String>, PullError> {
    let mut types = Vec::new();
    for kind in server.settings.types.iter().filter(|kind| *kind != PATIENT) {
        if !capability.searches(kind) {
            intake.report.note(Note::TypeNotListed(kind.clone()));
        } else if capability.patient_parameter(kind).is_none() {
            let step = Step::Search(kind.clone());
            return Err(PullError::ParameterIgnored { step, parameter: "patient" });
        } else {
            types.push(kind.clone());
        }
    }
    Ok(types)
}

fn choose(server: &Server<'_>, capability: &Capability) -> Result<Way, PullError> {
    let fetch = match &server.settings.mode {
        PullMode::Search { fetch } => *fetch,
        PullMode::Bulk { .. } => Fetch::Offered,
    };
    let lacks = |what: &str| Err(PullError::NotOffered { what: what.to_owned() });
    match fetch {
        Fetch::Offered if capability.operates("summary") => Ok(Way::Summary),
        Fetch::Offered if capability.operates("everything") => Ok(Way::Everything),
        Fetch::Offered | Fetch::Searches => Ok(Way::Searches),
        Fetch::Summary if !capability.operates("summary") => lacks("Patient/$summary"),
        Fetch::Everything if !capability.operates("everything") => lacks("Patient/$everything"),
        Fetch::Summary => Ok(Way::Summary),
        Fetch::Everything => Ok(Way::Everything),
    }
}

/// Goes on with the round that is under way, or begins one.
fn begin_round<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    everybody: bool,
) -> Result<Round, PullError> {
    let fresh = |round: &Round| {
        let age = server.now().duration_since(round.started);
        !age.is_negative() && age.unsigned_abs() < server.settings.full_every
    };
    if let Some(round) = &intake.cursor.round
        && round.everybody
        && everybody
        && fresh(round)
    {
        return Ok(round.clone());
    }
    let date = capability.date.unwrap_or_else(|| server.now());
    let from = date.checked_sub(server.limits().overlap).unwrap_or(date);
    let round = Round {
        everybody,
        from: Whole { since: from.to_string(), at: date },
        started: server.now(),
        after: String::new(),
    };
    intake.cursor.round = Some(round.clone());
    Ok(round)
}

/// Lists all patients.
async fn everyone<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
) -> Result<BTreeSet<String>, PullError> {
    let size = server.limits().page_size.to_string();
    let url = server.asking(PATIENT, &[("_count", &size)]);
    let units = owners(server, intake, PATIENT, url, &[]).await?;
    Ok(units.into_iter().collect())
}

/// Finds the patients of whom something has changed; `None` when the server cannot tell.
async fn changed<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    types: &[String],
    since: &str,
) -> Result<Option<BTreeSet<String>>, PullError> {
    let size = server.limits().page_size.to_string();
    let mut found = BTreeSet::new();
    for kind in std::iter::once(PATIENT).chain(types.iter().map(String::as_str)) {
        let url = server.asking(kind, &[(CHANGED, &format!("ge{since}")), ("_count", &size)]);
        match owners(server, intake, kind, url, &[CHANGED]).await {
            Ok(owners) => found.extend(owners),
            Err(error) if error.is_not_offered() || matches!(error, PullError::ParameterIgnored { .. }) => {
                intake.report.note(Note::ChangesNotOffered);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some(found))
}

/// Returns the patients to whom the resources of a search belong.
async fn owners<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    kind: &str,
    url: url::Url,
    demanded: &'static [&'static str],
) -> Result<BTreeSet<String>, PullError> {
    let step = Step::Search(kind.to_owned());
    let mut pages = Pages::search(server, step.clone(), url, demanded);
    let mut found = BTreeSet::new();
    while let Some(page) = pages.next().await? {
        for resource in page.entries.iter().filter_map(|entry| entry.resource.as_ref()) {
            let change = intake.read(resource.get().as_bytes(), || place(&step));
            match change {
                // Nobody can be fetched by an identifier; the resource itself is all there is to get.
                Some(change) if is_by_identifier(&change) => intake.change(change)?,
                Some(RowChange::Put { unit: Unit::Patient(id), .. }) => {
                    found.insert(id);
                }
                _ => {}
            }
        }
        let limit = server.limits().patients_max;
        if found.len() > limit {
            return Err(PullError::TooMuch { step, what: "patients", limit: limit as u64 });
        }
    }
    Ok(found)
}

/// Says whether a resource names its patient by an identifier only.
fn is_by_identifier(change: &RowChange) -> bool {
    matches!(change, RowChange::Put { unit: Unit::Patient(owner), .. } if owner.starts_with("Patient?"))
}

/// Removes the patients who are not among those of the server.
fn remove_vanished<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    ids: &BTreeSet<String>,
) -> Result<(), PullError> {
    let kept = intake.keys(PATIENT)?;
    let ids_kept = kept.iter().filter_map(|key| key.split_once('/')).map(|(_, id)| id);
    let gone: Vec<String> = ids_kept.filter(|id| !ids.contains(*id)).map(str::to_owned).collect();
    believe(server, PATIENT, gone.len(), kept.len())?;
    for patient in gone {
        intake.change(RowChange::RemovePatient { patient })?;
    }
    intake.commit_when_due()
}

/// Fetches one patient and replaces what is kept of them.
async fn one<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    types: &[String],
    way: Way,
    id: &str,
) -> Result<(), PullError> {
    let mut changes = Vec::new();
    let fetched = match way {
        Way::Summary => summary(server, intake, &mut changes, id).await,
        Way::Everything => {
            let size = server.limits().page_size.to_string();
            let url = server.asking(&format!("{PATIENT}/{id}/$everything"), &[("_count", &size)]);
            let pages = Pages::plain(server, Step::FetchPatient("$everything"), url);
            gather(server, intake, pages, &mut changes, &Step::FetchPatient("$everything"), None).await
        }
        Way::Searches => searches(server, capability, intake, types, &mut changes, id).await,
    };
    match fetched {
        Ok(()) => {}
        Err(error) if error.is_gone() => {
            // Deleted since the list was made; if not, the server does not do what it says.
            match patient_alone(server, intake, &mut Vec::new(), id).await {
                Err(alone) if alone.is_gone() => changes.clear(),
                Err(alone) => return Err(alone),
                Ok(_) => return Err(error),
            }
        }
        Err(error) => return Err(error),
    }
    intake.change(RowChange::RemovePatient { patient: id.to_owned() })?;
    // Replacing is not removing.
    intake.report.removed -= u64::from(!changes.is_empty());
    changes.into_iter().try_for_each(|change| intake.change(change))
}

/// Reads pages into changes; `only` is the patient to whom all of it must belong.
async fn gather<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    mut pages: Pages<'_>,
    changes: &mut Vec<RowChange>,
    step: &Step,
    only: Option<&str>,
) -> Result<(), PullError> {
    let mut bytes = 0;
    while let Some(page) = pages.next().await? {
        for resource in page.entries.iter().filter_map(|entry| entry.resource.as_ref()) {
            bytes += resource.get().len();
            let Some(change) = intake.read(resource.get().as_bytes(), || place(step)) else { continue };
            let (RowChange::Put { unit: Unit::Patient(owner), .. }, Some(only)) = (&change, only) else {
                changes.push(change);
                continue;
            };
            if owner != only && !is_by_identifier(&change) {
                return Err(PullError::OtherPatient { step: step.clone() });
            }
            changes.push(change);
        }
        let limit = server.limits().patient_bytes_max;
        if bytes > limit {
            let step = step.clone();
            return Err(PullError::TooMuch { step, what: "bytes for one patient", limit: limit as u64 });
        }
    }
    Ok(())
}

/// Fetches a patient by a search for each type.
async fn searches<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    types: &[String],
    changes: &mut Vec<RowChange>,
    id: &str,
) -> Result<(), PullError> {
    patient_alone(server, intake, changes, id).await?;
    let size = server.limits().page_size.to_string();
    for kind in types {
        let step = Step::Search(kind.clone());
        let reference = format!("{PATIENT}/{id}");
        let (parameter, value, demanded): (_, &str, &'static [&'static str]) =
            match capability.patient_parameter(kind) {
                Some("patient") => ("patient", id, &["patient"]),
                _ => ("subject", &reference, &["subject"]),
            };
        let url = server.asking(kind, &[(parameter, value), ("_count", &size)]);
        let pages = Pages::search(server, step.clone(), url, demanded);
        gather(server, intake, pages, changes, &step, Some(id)).await?;
    }
    Ok(())
}

/// Reads the Patient itself; returns its text.
async fn patient_alone<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    changes: &mut Vec<RowChange>,
    id: &str,
) -> Result<Vec<u8>, PullError> {
    let step = Step::FetchPatient("read");
    let call = Call::get(step.clone(), server.below(&format!("{PATIENT}/{id}")), Accept::Fhir);
    let body = server.fetch(&call).await?.body;
    match intake.read(&body, || place(&step)) {
        Some(change @ RowChange::Put { .. }) => {
            let own = matches!(&change, RowChange::Put { unit: Unit::Patient(owner), .. } if owner == id);
            if !own {
                return Err(PullError::OtherPatient { step });
            }
            changes.push(change);
            Ok(body)
        }
        _ => Err(PullError::Malformed { step, what: "the answer is not the Patient" }),
    }
}

/// Fetches the server's own summary of a patient, and sees to it that it is theirs.
async fn summary<S: RowKeys>(
    server: &Server<'_>,
    intake: &mut Intake<'_, S>,
    changes: &mut Vec<RowChange>,
    id: &str,
) -> Result<(), PullError> {
    let patient = patient_alone(server, intake, changes, id).await?;
    let step = Step::FetchPatient("$summary");
    let url = server.below(&format!("{PATIENT}/{id}/$summary"));
    let body = server.fetch(&Call::get(step.clone(), url, Accept::Fhir).prefer(STRICT)).await?.body;
    if !is_about(&body, &patient, id) {
        return Err(PullError::OtherPatient { step });
    }
    let unreadable = |problem| PullError::Unreadable { step: step.clone(), source: Box::new(problem) };
    changes.push(summary_change(id, &body).map_err(unreadable)?);
    Ok(())
}

/// Says whether a summary has one Patient, who has this id or shares an identifier with the Patient of the server.
fn is_about(summary: &[u8], patient: &[u8], id: &str) -> bool {
    let parse = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    let (summary, patient) = (parse(summary), parse(patient));
    let entries = summary["entry"].as_array().cloned().unwrap_or_default();
    let mut patients =
        entries.iter().map(|entry| &entry["resource"]).filter(|one| one["resourceType"] == PATIENT);
    let (Some(about), None) = (patients.next(), patients.next()) else { return false };
    let identifiers = |one: &serde_json::Value| -> BTreeSet<(String, String)> {
        let all = one["identifier"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        all.iter().filter_map(|one| Some((text(&one["system"])?, text(&one["value"])?))).collect()
    };
    about["id"] == id || !identifiers(about).is_disjoint(&identifiers(&patient))
}

/// Searches for the shared resources of every type.
pub(super) async fn shared<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    since: Option<&str>,
) -> Result<(), PullError> {
    let size = server.limits().page_size.to_string();
    for kind in &server.settings.shared_types {
        let changed = since.map(|since| format!("ge{since}"));
        let mut parameters = vec![("_count", size.as_str())];
        parameters.extend(changed.as_deref().map(|changed| (CHANGED, changed)));
        let step = Step::Search(kind.clone());
        if !capability.searches(kind) {
            intake.report.note(Note::SharedNotOffered(kind.clone()));
            continue;
        }
        let pages = Pages::search(server, step.clone(), server.asking(kind, &parameters), &[]);
        match take_all(intake, pages, &step).await {
            Ok(_) if since.is_none() => intake.swept(kind),
            Ok(_) => {}
            Err(error) if error.is_not_offered() || is_forbidden(&error) => {
                intake.report.note(Note::SharedNotOffered(kind.clone()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_forbidden(error: &PullError) -> bool {
    matches!(error, PullError::Refused { status, .. } if status.as_u16() == 403)
}

/// Takes every resource of a search; returns their keys.
async fn take_all<S: RowKeys>(
    intake: &mut Intake<'_, S>,
    mut pages: Pages<'_>,
    step: &Step,
) -> Result<BTreeSet<String>, PullError> {
    let mut keys = BTreeSet::new();
    while let Some(page) = pages.next().await? {
        for resource in page.entries.iter().filter_map(|entry| entry.resource.as_ref()) {
            if let Taken::Kept { key, .. } = intake.take(resource.get().as_bytes(), || place(step))? {
                keys.insert(key);
            }
        }
        intake.commit_when_due()?;
    }
    Ok(keys)
}

/// Makes the appointments that are kept those of the server, in the window from two days before `today`.
///
/// The window is a day wider on either side than the days that are kept, because servers differ in where a day begins.
pub(super) async fn appointments<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    today: Date,
) -> Result<(), PullError> {
    let Some(ahead) = server.settings.appointment_days else { return Ok(()) };
    if !(capability.searches(APPOINTMENT) && capability.takes(APPOINTMENT, "date")) {
        intake.report.note(Note::AppointmentsNotOffered);
        return Ok(());
    }
    let days = |count: i64| today.saturating_add(jiff::Span::new().days(count));
    let (first, end) = (format!("ge{}", days(-2)), format!("lt{}", days(i64::from(ahead) + 2)));
    let size = server.limits().page_size.to_string();
    let url = server.asking(APPOINTMENT, &[("date", &first), ("date", &end), ("_count", &size)]);
    let pages = Pages::search(server, Step::Appointments, url, &["date"]);
    let found = match take_all(intake, pages, &Step::Appointments).await {
        Ok(found) => found,
        Err(error) if error.is_not_offered() || is_forbidden(&error) => {
            intake.report.note(Note::AppointmentsNotOffered);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for key in intake.keys(APPOINTMENT)? {
        if !found.contains(&key) {
            intake.change(RowChange::Remove { unit: None, table: RESOURCE, key })?;
        }
    }
    intake.commit_when_due()
}

/// Removes what the server's history says was deleted since a time.
pub(super) async fn deleted<S: RowKeys>(
    server: &Server<'_>,
    capability: &Capability,
    intake: &mut Intake<'_, S>,
    since: &str,
) -> Result<(), PullError> {
    if !capability.has_history() {
        intake.report.note(Note::DeletionsOnlyByFull);
        return Ok(());
    }
    let size = server.limits().page_size.to_string();
    let url = server.asking("_history", &[("_since", since), ("_count", &size)]);
    let mut pages = Pages::plain(server, Step::History, url);
    // The newest entry of each resource comes first and decides.
    let mut seen = BTreeSet::new();
    let mut gone = Vec::new();
    loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(error) if error.is_not_offered() || is_forbidden(&error) => {
                intake.report.note(Note::DeletionsOnlyByFull);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in page.entries {
            let Some(key) = entry.key else { continue };
            if seen.insert(key.clone()) && entry.deleted {
                gone.push(key);
            }
        }
    }
    for (kind, id) in gone {
        intake.change(row_gone(&kind, &id))?;
    }
    intake.commit_when_due()
}
