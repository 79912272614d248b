//! Every resource of a document, however it is wrapped.
//!
//! Bundles, lists of resources, Parameters that hold a Bundle, and resources alone become *scopes*: the
//! resources within which local references have a meaning. A Bundle inside a Bundle is a scope of its
//! own. What cannot be used is skipped with a reason; only a document that as a whole is of another
//! kind fails.

use std::borrow::Cow;
use std::collections::HashSet;

use super::reference::type_slash_id;
use super::shell::Shell;
use super::types::ResourceType;
use super::version::{self, Shape, Votes};
use crate::json::{self, Flaw, Json, members};
use crate::problem::{Place, Problem, Reason};

/// How deep a resource may be nested. Less than the 128 that common readers allow, so that it can
/// still be read inside a record.
pub(crate) const RESOURCE_DEPTH_MAX: u32 = 100;

/// How many resources one document may hold.
const RESOURCES_MAX: u32 = 2_000_000;

/// How deep Bundles may lie inside Bundles.
const BUNDLE_DEPTH_MAX: u32 = 4;

/// How the resources of a scope came together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A Bundle of type `document`, about one subject.
    Document,
    /// A Bundle of type `history`, newest version first.
    History,
    /// Any other Bundle or list.
    Collection,
    /// A resource alone.
    Alone,
}

members! {
    /// The members of a resource that decide what it is and where it belongs.
    pub(crate) struct Head {
        resource_type: "resourceType",
        id: "id",
        meta: "meta",
        kind: "type",
        subject: "subject",
        patient: "patient",
        beneficiary: "beneficiary",
        individual: "individual",
        task_for: "for",
        participant: "participant",
        actor: "actor",
        target: "target",
        start: "start",
        category: "category",
        code: "code",
        clinical_status: "clinicalStatus",
        taken: "taken",
        not_given: "notGiven",
        medication: "medication",
        content: "content",
        transaction_time: "transactionTime",
        output: "output",
    }
}

impl<'a> Head<'a> {
    /// Returns the members that may name a patient, whichever the type has.
    pub(super) fn subjects(&self) -> impl Iterator<Item = Json<'a>> + use<'a> {
        let subjects = [
            self.subject,
            self.patient,
            self.beneficiary,
            self.individual,
            self.task_for,
            self.participant,
            self.actor,
            self.target,
        ];
        subjects.into_iter().flatten()
    }
}

members! {
    /// An entry of a Bundle.
    pub(super) struct BundleEntry {
        full_url: "fullUrl",
        resource: "resource",
        request: "request",
    }
}

/// One resource and what decides where it belongs.
pub(crate) struct Found<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) kind: ResourceType,
    pub(crate) full_url: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) place: Place,
    pub(crate) head: Head<'a>,
}

/// Resources within which local references have a meaning.
pub(crate) struct Scope<'a> {
    pub(crate) form: Form,
    pub(crate) found: Vec<Found<'a>>,
}

/// Everything in a document.
pub(crate) struct Walk<'a> {
    pub(crate) scopes: Vec<Scope<'a>>,
    pub(crate) skipped: Vec<Problem>,
    pub(crate) resources: u32,
    /// Whether a character escape was half of a pair; the text can be mended and walked again.
    pub(crate) has_half_escapes: bool,
    votes: Votes,
}

/// Walks through a document.
pub(crate) fn walk(text: &str) -> Result<Walk<'_>, Reason> {
    let text = text.trim_matches([' ', '\n', '\r', '\t']);
    let mut walk = Walk {
        scopes: Vec::new(),
        skipped: Vec::new(),
        resources: 0,
        has_half_escapes: false,
        votes: Votes::default(),
    };
    if text.starts_with('[') {
        let list = Json::parse(text).map_err(|error| not_json(&error))?;
        let mut scope = Scope::new(Form::Collection);
        for (number, resource) in (1..).zip(list.items()) {
            walk.resource(resource, Entry::numbered(number, 0), &mut scope)?;
        }
        walk.close(scope);
    } else if text.is_empty() {
        return Err(Reason::Empty);
    } else {
        let shell = Shell::of(text).map_err(|error| not_json(&error))?;
        walk.document(Json::known(text), &shell)?;
    }
    match walk.votes.verdict() {
        Some(version) => Err(Reason::OtherVersion(version)),
        None => Ok(walk),
    }
}

fn not_json(error: &serde_json::Error) -> Reason {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => Reason::CutShort,
        Category::Data => Reason::NotFhir,
        _ => Reason::NotJson { line: error.line() as u64, column: error.column() as u64 },
    }
}

/// Where a resource was met.
struct Entry<'a> {
    full_url: Option<Cow<'a, str>>,
    number: Option<u32>,
    depth: u32,
}

impl Entry<'_> {
    fn numbered(number: u32, depth: u32) -> Self {
        Self { full_url: None, number: Some(number), depth }
    }
}

impl Scope<'_> {
    fn new(form: Form) -> Self {
        Self { form, found: Vec::new() }
    }
}

impl<'a> Walk<'a> {
    fn close(&mut self, scope: Scope<'a>) {
        if !scope.found.is_empty() {
            self.scopes.push(scope);
        }
    }

    fn skip(&mut self, place: Place, reason: Reason) {
        self.skipped.push(Problem { place, reason });
    }

    /// Walks a document that is one resource; the problem of one that stands alone is the document's.
    fn document(&mut self, document: Json<'a>, shell: &Shell<'a>) -> Result<(), Reason> {
        let head = &shell.head;
        match head.resource_type.and_then(Json::string).as_deref() {
            None | Some("") => {
                let manifest = head.transaction_time.and(head.output);
                return Err(manifest.map_or(Reason::NotFhir, |_| Reason::BulkManifest));
            }
            Some("Bundle") => {
                if let Some(version) = head.meta.and_then(version::by_profile) {
                    return Err(Reason::OtherVersion(version));
                }
                return self.bundle(shell, 0);
            }
            Some(_) => {}
        }
        let mut scope = Scope::new(Form::Alone);
        let entry = Entry { full_url: None, number: None, depth: 0 };
        self.resource(document, entry, &mut scope)?;
        self.close(scope);
        let nothing = self.resources == 0 && self.scopes.is_empty() && !self.has_half_escapes;
        match self.skipped.pop() {
            Some(alone) if nothing && self.skipped.is_empty() => Err(alone.reason),
            last => {
                self.skipped.extend(last);
                Ok(())
            }
        }
    }

    fn resource(&mut self, json: Json<'a>, entry: Entry<'a>, scope: &mut Scope<'a>) -> Result<(), Reason> {
        let mut place = Place { entry: entry.number, ..Place::default() };
        let head = match json.read_checked::<Head<'a>>(RESOURCE_DEPTH_MAX) {
            Ok(head) => head,
            Err(flaw) => {
                self.flawed(json, flaw, place);
                return Ok(());
            }
        };
        let name = head.resource_type.and_then(Json::string);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            self.skip(place, Reason::NotAResource);
            return Ok(());
        };
        let shape = Shape { name: &name, head: &head };
        if let Some(version) = version::declared(&shape) {
            return Err(Reason::OtherVersion(version));
        }
        self.votes.add(&shape);
        let kind = ResourceType::named(&name);
        place.resource = Some(kind);
        match kind.name() {
            "Bundle" => return self.inner_bundle(json, &entry),
            "Parameters" => return self.parameters(json, &entry),
            "OperationOutcome" => {
                self.outcome(json, place);
                return Ok(());
            }
            _ => {}
        }
        self.resources += 1;
        if self.resources > RESOURCES_MAX {
            return Err(Reason::TooManyResources(RESOURCES_MAX));
        }
        scope.found.push(Found {
            json,
            kind,
            full_url: entry.full_url,
            id: head.id.and_then(Json::scalar),
            place,
            head,
        });
        Ok(())
    }

    fn flawed(&mut self, json: Json<'a>, flaw: Flaw, mut place: Place) {
        let name = json.field("resourceType").and_then(Json::string);
        place.resource = name.map(|name| ResourceType::named(&name));
        let reason = match flaw {
            Flaw::TooDeep => Reason::TooDeep(RESOURCE_DEPTH_MAX),
            Flaw::Unreadable => {
                self.has_half_escapes |= json::mend_escapes(json.text()) != json.text();
                Reason::NumberOutOfRange
            }
        };
        self.skip(place, reason);
    }

    fn inner_bundle(&mut self, bundle: Json<'a>, outer: &Entry<'a>) -> Result<(), Reason> {
        if outer.depth >= BUNDLE_DEPTH_MAX {
            let place = Place { entry: outer.number, ..Place::default() };
            self.skip(place, Reason::BundlesTooDeep);
            return Ok(());
        }
        let shell = Shell::of(bundle.text()).map_err(|error| not_json(&error))?;
        self.bundle(&shell, outer.depth + 1)
    }

    /// Walks the entries of a Bundle as a scope of its own.
    fn bundle(&mut self, bundle: &Shell<'a>, depth: u32) -> Result<(), Reason> {
        let form = match bundle.head.kind.and_then(Json::string).as_deref() {
            Some("document") => Form::Document,
            Some("history") => Form::History,
            _ => Form::Collection,
        };
        let mut scope = Scope::new(form);
        let mut history = HashSet::new();
        for (number, entry) in (1..).zip(&bundle.entries) {
            let full_url = entry.full_url.and_then(Json::string).filter(|url| !url.is_empty());
            if form == Form::History && is_older(&mut history, full_url.as_deref(), entry) {
                continue;
            }
            let Some(resource) = entry.resource else {
                let place = Place { entry: Some(number), ..Place::default() };
                self.skip(place, Reason::EntryWithoutResource);
                continue;
            };
            let mut inner = Entry::numbered(number, depth);
            inner.full_url = full_url;
            self.resource(resource, inner, &mut scope)?;
        }
        self.close(scope);
        Ok(())
    }

    /// Walks the resources that an operation has answered with.
    fn parameters(&mut self, parameters: Json<'a>, outer: &Entry<'a>) -> Result<(), Reason> {
        let values = parameters.field("parameter").map(Json::items).unwrap_or_default();
        let mut scope = Scope::new(Form::Collection);
        for (number, parameter) in (1..).zip(values) {
            if let Some(resource) = parameter.field("resource") {
                let inner = Entry::numbered(number, outer.depth + 1);
                if inner.depth > BUNDLE_DEPTH_MAX {
                    return Err(Reason::BundlesTooDeep);
                }
                self.resource(resource, inner, &mut scope)?;
            }
        }
        self.close(scope);
        Ok(())
    }

    fn outcome(&mut self, outcome: Json<'a>, place: Place) {
        let issues = outcome.field("issue").map(Json::items).unwrap_or_default();
        let mut failure = None;
        let mut only_information = !issues.is_empty();
        for issue in issues {
            let [severity, code] = issue.fields(["severity", "code"]);
            let severity = severity.and_then(Json::string).unwrap_or_default();
            only_information &= matches!(severity.as_ref(), "information" | "warning");
            let code = code.and_then(Json::string).unwrap_or_default();
            failure = failure.or_else(|| ISSUE_CODES.into_iter().find(|known| *known == code));
        }
        if only_information && place.entry.is_some() {
            return;
        }
        self.skip(place, Reason::SourceError(failure));
    }
}

/// Says whether a history entry is not the newest of its resource, or deletes it.
fn is_older(seen: &mut HashSet<String>, full_url: Option<&str>, entry: &BundleEntry<'_>) -> bool {
    let request = entry.request;
    let [method, url] = request.map_or([None, None], |request| request.fields(["method", "url"]));
    let key = entry
        .resource
        .and_then(|resource| {
            let [kind, id] = resource.fields(["resourceType", "id"]);
            Some(format!("{}/{}", kind?.string()?, id?.scalar()?))
        })
        .or_else(|| {
            let url = url?.string()?;
            Some(type_slash_id(&url)?.into_owned())
        })
        .or_else(|| full_url.map(str::to_owned));
    let Some(key) = key else {
        return false;
    };
    let deletes = method.and_then(Json::string).as_deref() == Some("DELETE");
    !seen.insert(key) || deletes
}

/// FHIR's closed list of what can go wrong.
const ISSUE_CODES: [&str; 31] = [
    "invalid",
    "structure",
    "required",
    "value",
    "invariant",
    "security",
    "login",
    "unknown",
    "expired",
    "forbidden",
    "suppressed",
    "processing",
    "not-supported",
    "duplicate",
    "multiple-matches",
    "not-found",
    "deleted",
    "too-long",
    "code-invalid",
    "extension",
    "too-costly",
    "business-rule",
    "conflict",
    "transient",
    "lock-error",
    "no-store",
    "exception",
    "timeout",
    "incomplete",
    "throttled",
    "informational",
];
