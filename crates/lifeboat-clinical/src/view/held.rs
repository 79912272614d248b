//! The resources that a record holds, and what a reference among them means.

use std::collections::HashMap;

use super::node::At;

/// How many references are followed one after the other.
const HOPS_MAX: u32 = 4;

/// The resources of one record.
#[derive(Debug)]
pub(crate) struct Held<'n> {
    resources: Vec<At<'n>>,
    by_reference: HashMap<String, usize>,
}

impl<'n> Held<'n> {
    /// Gathers the resources of a Bundle.
    pub(crate) fn of_bundle(bundle: At<'n>) -> Self {
        let mut held = Self { resources: Vec::new(), by_reference: HashMap::new() };
        for entry in bundle.field("entry").items() {
            let at = held.resources.len();
            let resource = entry.field("resource");
            if let Some(full_url) = entry.field("fullUrl").text() {
                held.by_reference.entry(full_url.to_owned()).or_insert(at);
            }
            if let (Some(kind), Some(id)) = (kind_of(resource), resource.field("id").peek()) {
                held.by_reference.entry(format!("{kind}/{id}")).or_insert(at);
            }
            // An entry without a resource is kept whole, so that it is listed and not lost.
            held.resources.push(if resource.is_object() { resource } else { entry });
        }
        held
    }

    /// Returns every resource in the record's order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, At<'n>)> + '_ {
        self.resources.iter().copied().enumerate()
    }

    /// Returns the first resource of type `kind`.
    pub(crate) fn first(&self, kind: &str) -> Option<(usize, At<'n>)> {
        self.all().find(|(_, resource)| kind_of(*resource) == Some(kind))
    }

    /// Returns the place of what `reference` names, in the order of [`Held::all`].
    pub(crate) fn place(&self, reference: &str) -> Option<usize> {
        let reference = reference.trim();
        let whole = reference.split("/_history/").next().unwrap_or(reference);
        self.by_reference.get(whole).copied().or_else(|| {
            let mut parts = whole.rsplit('/');
            let (id, kind) = (parts.next()?, parts.next()?);
            self.by_reference.get(&format!("{kind}/{id}")).copied()
        })
    }

    /// Returns what `reference` in `from` names: a contained resource or another one of the record.
    pub(crate) fn resolve(&self, reference: &str, from: At<'n>) -> Option<At<'n>> {
        if let Some(id) = reference.strip_prefix('#') {
            return from.field("contained").items().find(|contained| contained.field("id").is(id));
        }
        self.place(reference).and_then(|at| self.resources.get(at)).copied()
    }

    /// Returns the words by which the target of `reference` goes; they do not count as shown there.
    pub(crate) fn name_of(&self, reference: &str, from: At<'n>) -> Option<String> {
        self.name_within(self.resolve(reference, from)?, HOPS_MAX)
    }

    fn name_within(&self, resource: At<'n>, hops: u32) -> Option<String> {
        let hops = hops.checked_sub(1)?;
        if let Some(name) = resource.field("name").items().find_map(peek_name) {
            return Some(name);
        }
        let codes = ["code", "type", "vaccineCode", "medicationCodeableConcept", "category"];
        let person = ["practitioner", "organization", "actor", "subject"];
        if kind_of(resource) == Some("PractitionerRole") {
            return person
                .iter()
                .find_map(|field| self.peek_reference(resource.field(field), resource, hops));
        }
        let code = codes.iter().find_map(|code| peek_concept(resource.field(code)));
        code.or_else(|| self.peek_reference(resource.field("medicationReference"), resource, hops))
    }

    fn peek_reference(&self, at: At<'n>, from: At<'n>, hops: u32) -> Option<String> {
        if let Some(display) = at.field("display").peek() {
            return Some(display.to_owned());
        }
        self.name_within(self.resolve(at.field("reference").peek()?, from)?, hops)
    }
}

/// Returns the type of a resource.
pub(crate) fn kind_of<'n>(resource: At<'n>) -> Option<&'n str> {
    resource.field("resourceType").peek()
}

/// Returns a person's or place's name, in the order in which it is spoken.
fn peek_name(name: At<'_>) -> Option<String> {
    if let Some(text) = name.peek().or_else(|| name.field("text").peek()) {
        return Some(text.to_owned());
    }
    let parts: Vec<&str> = ["prefix", "given", "family"]
        .into_iter()
        .flat_map(|part| name.field(part).items().filter_map(At::peek).collect::<Vec<_>>())
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Returns the words of a concept without counting them as shown.
pub(crate) fn peek_concept(concept: At<'_>) -> Option<String> {
    let text = concept.field("text").peek();
    let display = || concept.field("coding").items().find_map(|coding| coding.field("display").peek());
    text.or_else(display).map(str::to_owned)
}
