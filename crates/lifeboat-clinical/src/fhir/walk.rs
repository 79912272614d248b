//! Every resource of a document, however it is wrapped.
//!
//! Bundles, lists of resources, Parameters that hold a Bundle, and resources alone become *scopes*: the
//! resources within which local references have a meaning. A Bundle inside a Bundle is a scope of its
//! own. What cannot be used is skipped with a reason; only a document that as a whole is of another
//! kind fails.

use std::borrow::Cow;
use std::collections::HashSet;

use super::reference::type_slash_id;
use super::types::ResourceType;
use super::version::{self, Shape};
use crate::json::{self, Flaw, Json};
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

/// One resource and what decides where it belongs.
pub(crate) struct Found<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) kind: ResourceType,
    pub(crate) full_url: Option<Cow<'a, str>>,
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) place: Place,
    /// The members that may name a patient, whichever the type has.
    pub(crate) subjects: [Option<Json<'a>>; 8],
    pub(crate) start: Option<Json<'a>>,
    pub(crate) category: Option<Json<'a>>,
    pub(crate) code: Option<Json<'a>>,
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
}

/// Walks through a document.
pub(crate) fn walk(text: &str) -> Result<Walk<'_>, Reason> {
    let document = Json::parse(text).map_err(|error| {
        use serde_json::error::Category;
        match error.classify() {
            Category::Eof if text.trim().is_empty() => Reason::Empty,
            Category::Eof => Reason::CutShort,
            _ => Reason::NotJson {
                line: error.line() as u64,
                column: error.column() as u64,
            },
        }
    })?;
    let mut walk = Walk {
        scopes: Vec::new(),
        skipped: Vec::new(),
        resources: 0,
        has_half_escapes: false,
    };
    if document.is_array() {
        let mut scope = Scope {
            form: Form::Collection,
            found: Vec::new(),
        };
        for (at, resource) in (1..).zip(document.items()) {
            let entry = Entry {
                full_url: None,
                number: Some(at),
                depth: 0,
            };
            walk.resource(resource, entry, &mut scope)?;
        }
        walk.close(scope);
    } else {
        walk.alone(document)?;
    }
    Ok(walk)
}

/// Where a resource was met.
struct Entry<'a> {
    full_url: Option<Cow<'a, str>>,
    number: Option<u32>,
    depth: u32,
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

    /// Walks a document that is one resource; its problem is the document's.
    fn alone(&mut self, resource: Json<'a>) -> Result<(), Reason> {
        let mut scope = Scope {
            form: Form::Alone,
            found: Vec::new(),
        };
        let entry = Entry {
            full_url: None,
            number: None,
            depth: 0,
        };
        if resource.text_of("resourceType").is_none() {
            let [time, output] = resource.fields(["transactionTime", "output"]);
            return Err(if time.is_some() && output.is_some() {
                Reason::BulkManifest
            } else {
                Reason::NotFhir
            });
        }
        self.resource(resource, entry, &mut scope)?;
        self.close(scope);
        if self.resources == 0 && self.scopes.is_empty() && self.skipped.len() == 1 && !self.has_half_escapes {
            let alone = self.skipped.remove(0);
            return Err(alone.reason);
        }
        Ok(())
    }

    fn resource(
        &mut self,
        json: Json<'a>,
        entry: Entry<'a>,
        scope: &mut Scope<'a>,
    ) -> Result<(), Reason> {
        let [
            name, id, meta, subject, patient, beneficiary, individual, task_for, participant, actor,
            target, start, category, code, clinical_status, taken, not_given, medication, content,
        ] = json.fields([
            "resourceType", "id", "meta", "subject", "patient", "beneficiary", "individual", "for",
            "participant", "actor", "target", "start", "category", "code", "clinicalStatus", "taken",
            "notGiven", "medication", "content",
        ]);
        let mut place = Place {
            entry: entry.number,
            ..Place::default()
        };
        let Some(name) = name.and_then(Json::string).filter(|name| !name.is_empty()) else {
            self.skip(place, Reason::NotAResource);
            return Ok(());
        };
        let shape = Shape {
            name: &name,
            meta,
            clinical_status,
            taken,
            not_given,
            medication,
            content,
        };
        if let Some(version) = version::other_version(&shape) {
            return Err(Reason::OtherVersion(version));
        }
        let kind = ResourceType::named(&name);
        place.resource = Some(kind);
        match kind.name() {
            "Bundle" => return self.bundle(json, &entry),
            "Parameters" => return self.parameters(json, &entry),
            "OperationOutcome" => {
                self.outcome(json, place);
                return Ok(());
            }
            _ => {}
        }
        if let Err(flaw) = json::check(json, RESOURCE_DEPTH_MAX) {
            self.flawed(json, flaw, place);
            return Ok(());
        }
        self.resources += 1;
        if self.resources > RESOURCES_MAX {
            return Err(Reason::TooManyResources(RESOURCES_MAX));
        }
        scope.found.push(Found {
            json,
            kind,
            full_url: entry.full_url,
            id: id.and_then(Json::scalar),
            place,
            subjects: [
                subject, patient, beneficiary, individual, task_for, participant, actor, target,
            ],
            start,
            category,
            code,
        });
        Ok(())
    }

    fn flawed(&mut self, json: Json<'a>, flaw: Flaw, place: Place) {
        let reason = match flaw {
            Flaw::TooDeep => Reason::TooDeep(RESOURCE_DEPTH_MAX),
            Flaw::Unreadable => {
                self.has_half_escapes |= json::mend_escapes(json.text()) != json.text();
                Reason::NumberOutOfRange
            }
        };
        self.skip(place, reason);
    }

    /// Walks the entries of a Bundle as a scope of its own.
    fn bundle(&mut self, bundle: Json<'a>, outer: &Entry<'a>) -> Result<(), Reason> {
        if outer.depth >= BUNDLE_DEPTH_MAX {
            let place = Place {
                entry: outer.number,
                ..Place::default()
            };
            self.skip(place, Reason::BundlesTooDeep);
            return Ok(());
        }
        let [kind, entries] = bundle.fields(["type", "entry"]);
        let form = match kind.and_then(Json::string).as_deref() {
            Some("document") => Form::Document,
            Some("history") => Form::History,
            _ => Form::Collection,
        };
        let mut scope = Scope {
            form,
            found: Vec::new(),
        };
        let mut history = HashSet::new();
        let entries = entries.map(Json::items).unwrap_or_default();
        for (number, entry) in (1..).zip(entries) {
            let [full_url, resource, request] = entry.fields(["fullUrl", "resource", "request"]);
            let full_url = full_url.and_then(Json::string).filter(|url| !url.is_empty());
            if form == Form::History && is_older(&mut history, full_url.as_deref(), resource, request) {
                continue;
            }
            let Some(resource) = resource else {
                let place = Place {
                    entry: Some(number),
                    ..Place::default()
                };
                self.skip(place, Reason::EntryWithoutResource);
                continue;
            };
            let inner = Entry {
                full_url,
                number: Some(number),
                depth: outer.depth + 1,
            };
            self.resource(resource, inner, &mut scope)?;
        }
        self.close(scope);
        Ok(())
    }

    /// Walks the resources that an operation has answered with.
    fn parameters(&mut self, parameters: Json<'a>, outer: &Entry<'a>) -> Result<(), Reason> {
        let values = parameters.field("parameter").map(Json::items).unwrap_or_default();
        let mut scope = Scope {
            form: Form::Collection,
            found: Vec::new(),
        };
        for (number, parameter) in (1..).zip(values) {
            if let Some(resource) = parameter.field("resource") {
                let inner = Entry {
                    full_url: None,
                    number: Some(number),
                    depth: outer.depth + 1,
                };
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
fn is_older(
    seen: &mut HashSet<String>,
    full_url: Option<&str>,
    resource: Option<Json<'_>>,
    request: Option<Json<'_>>,
) -> bool {
    let [method, url] = request.map_or([None, None], |request| request.fields(["method", "url"]));
    let key = resource
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
