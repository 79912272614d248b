//! Searches and histories, page by page.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::error::{PullError, Step};
use super::http::{Accept, Call, Fetched, Server, Tries};

/// Asks that a server refuse what it does not understand.
pub(super) const STRICT: &str = "handling=strict";

/// One page of an answer.
pub(super) struct Page {
    pub(super) entries: Vec<Entry>,
    /// What the server says that it was asked.
    asked: Option<String>,
    next: Option<String>,
    url: Url,
}

/// One entry of a page.
pub(super) struct Entry {
    /// The resource as the server wrote it.
    pub(super) resource: Option<Box<RawValue>>,
    /// What was done to it, in a history.
    pub(super) deleted: bool,
    /// Its type and id, where the entry says so outside the resource.
    pub(super) key: Option<(String, String)>,
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "resourceType")]
    kind: Option<String>,
    link: Option<Vec<Link>>,
    entry: Option<Vec<BundleEntry>>,
}

#[derive(Deserialize)]
struct Link {
    relation: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct BundleEntry {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    resource: Option<Box<RawValue>>,
    search: Option<SearchFacts>,
    request: Option<Request>,
}

#[derive(Deserialize)]
struct SearchFacts {
    mode: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    method: Option<String>,
    url: Option<String>,
}

/// The pages of one answer.
pub(super) struct Pages<'s> {
    server: &'s Server<'s>,
    next: Option<Call>,
    seen: HashSet<String>,
    /// Parameters without which the server would answer another question.
    demanded: &'static [&'static str],
    strict: Option<&'static str>,
}

impl<'s> Pages<'s> {
    /// Prepares a search; the server must understand all of it, and say that it did.
    pub(super) fn search(
        server: &'s Server<'s>,
        step: Step,
        url: Url,
        demanded: &'static [&'static str],
    ) -> Self {
        let call = Call::get(step, url, Accept::Fhir).prefer(STRICT);
        Self { server, next: Some(call), seen: HashSet::new(), demanded, strict: Some(STRICT) }
    }

    /// Prepares to read a history, or what an operation answers.
    pub(super) fn plain(server: &'s Server<'s>, step: Step, url: Url) -> Self {
        let call = Call::get(step, url, Accept::Fhir);
        Self { server, next: Some(call), seen: HashSet::new(), demanded: &[], strict: None }
    }

    /// Returns the next page.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, PullError> {
        let Some(call) = self.next.take() else { return Ok(None) };
        let limit = self.server.limits().pages_max;
        if self.seen.len() >= limit as usize {
            return Err(PullError::TooMuch { step: call.step, what: "pages", limit: limit.into() });
        }
        if !self.seen.insert(call.url.as_str().to_owned()) {
            return Err(PullError::Circle { step: call.step });
        }
        let page = read_page(self.server, &call).await?;
        if self.seen.len() == 1 {
            self.check_question(&call.step, &page)?;
        }
        if let Some(next) = &page.next {
            let url = self.server.link(&call.step, &page.url, next)?;
            let mut following = Call::get(call.step.clone(), url, Accept::Fhir);
            if let Some(strict) = self.strict {
                following = following.prefer(strict);
            }
            self.next = Some(following);
        }
        Ok(Some(page))
    }

    /// Refuses an answer to another question.
    fn check_question(&self, step: &Step, page: &Page) -> Result<(), PullError> {
        let Some(asked) = page.asked.as_ref().and_then(|asked| page.url.join(asked).ok()) else {
            return Ok(());
        };
        let names: HashSet<String> = asked
            .query_pairs()
            .map(|(name, _)| name.split(':').next().unwrap_or_default().to_owned())
            .collect();
        match self.demanded.iter().find(|name| !names.contains(**name)) {
            Some(parameter) => Err(PullError::ParameterIgnored { step: step.clone(), parameter }),
            None => Ok(()),
        }
    }
}

/// Reads one page; one that ends early is asked for again.
async fn read_page(server: &Server<'_>, call: &Call) -> Result<Page, PullError> {
    let mut tries = Tries::default();
    loop {
        let fetched = server.fetch(call).await?;
        match Page::of(&call.step, fetched) {
            Ok(page) => return Ok(page),
            Err(error) => tries.again(server, error.into()).await?,
        }
    }
}

impl Page {
    /// Reads a Bundle.
    pub(super) fn of(step: &Step, fetched: Fetched) -> Result<Self, PullError> {
        let bundle: Bundle =
            serde_json::from_slice(&fetched.body).map_err(|error| match error.classify() {
                serde_json::error::Category::Eof => PullError::CutShort { step: step.clone() },
                _ => PullError::Malformed { step: step.clone(), what: "the answer is not a Bundle" },
            })?;
        if bundle.kind.as_deref() != Some("Bundle") {
            let what = "the answer is not a Bundle";
            return Err(PullError::Malformed { step: step.clone(), what });
        }
        let links = bundle.link.unwrap_or_default();
        let link = |relation: &str| {
            let found = links.iter().find(|link| link.relation.as_deref() == Some(relation));
            found.and_then(|link| link.url.clone())
        };
        let entries = bundle.entry.unwrap_or_default().into_iter();
        let is_resource = |entry: &BundleEntry| {
            let mode = entry.search.as_ref().and_then(|search| search.mode.as_deref());
            mode != Some("outcome")
        };
        Ok(Self {
            asked: link("self"),
            next: link("next"),
            entries: entries.filter(is_resource).map(Entry::of).collect(),
            url: fetched.url,
        })
    }
}

impl Entry {
    fn of(entry: BundleEntry) -> Self {
        let request = entry.request.as_ref();
        let place = request.and_then(|request| request.url.as_deref());
        let key = place.and_then(type_and_id);
        Self {
            deleted: request.and_then(|request| request.method.as_deref()) == Some("DELETE"),
            key: key.or_else(|| type_and_id(entry.full_url.as_deref()?)),
            resource: entry.resource,
        }
    }
}

/// Returns the type and the id at the end of an address, relative or absolute, with a version or without.
pub(super) fn type_and_id(address: &str) -> Option<(String, String)> {
    let address = address.split("/_history").next()?;
    if address.contains(['?', '#']) {
        return None;
    }
    let (before, id) = address.rsplit_once('/')?;
    let kind = before.rsplit('/').next()?;
    let is_type =
        kind.starts_with(|c: char| c.is_ascii_uppercase()) && kind.bytes().all(|b| b.is_ascii_alphabetic());
    (is_type && !id.is_empty()).then(|| (kind.to_owned(), id.to_owned()))
}

/// Reads the deletions that a file of an export lists: Bundles whose entries ask for them.
pub(super) fn deletions(line: &[u8]) -> Option<Vec<(String, String)>> {
    let bundle: Bundle = serde_json::from_slice(line).ok()?;
    if bundle.kind.as_deref() != Some("Bundle") {
        return None;
    }
    let entries = bundle.entry.unwrap_or_default().into_iter().map(Entry::of);
    Some(entries.filter(|entry| entry.deleted).filter_map(|entry| entry.key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_ids_are_found_at_the_end_of_addresses() {
        let cases = [
            ("Patient/1", Some(("Patient", "1"))),
            ("https://fhir.example/r4/Patient/1/_history/2", Some(("Patient", "1"))),
            ("Patient?identifier=1", None),
            ("Patient", None),
            ("https://fhir.example/r4", None),
            ("urn:uuid:1", None),
        ];
        for (address, expected) in cases {
            let found = type_and_id(address);
            let found = found.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str()));
            assert_eq!(found, expected, "{address}");
        }
    }

    #[test]
    fn deletions_are_read_from_transactions_only() {
        let line = br#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/1"}},{"request":{"method":"PUT","url":"Patient/2"}}]}"#;
        assert_eq!(deletions(line), Some(vec![("Patient".to_owned(), "1".to_owned())]));
        assert_eq!(deletions(br#"{"resourceType":"Patient","id":"1"}"#), None);
    }
}
