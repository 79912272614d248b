//! One copy of each resource, however many documents hold it.
//!
//! Copies are of one resource when type and id agree (or type and `fullUrl`, without an id). Equal copies
//! are one. Where all copies say when they were last updated, the newest counts. Otherwise all that
//! differ are kept, and the record says so: which of them is right is not for a copy to decide.

use super::held::Held;
use crate::fhir::{Piece, ResourceType};
use crate::problem::{Place, Problem, Reason};

/// The pieces of one patient, once each, and the types of which copies differ.
pub(super) struct Deduped<'p> {
    pub(super) pieces: Vec<Held<'p>>,
    pub(super) differing: Vec<ResourceType>,
}

impl<'p> Deduped<'p> {
    /// Keeps one copy of each resource; the order of `pieces` does not matter.
    pub(super) fn of(pieces: &'p [Piece]) -> Self {
        let mut all: Vec<Held<'p>> = pieces.iter().map(Held::of).collect();
        all.sort_by(|a, b| {
            let groups = (a.kind, group_key(a)).cmp(&(b.kind, group_key(b)));
            groups.then_with(|| order(a).cmp(&order(b)))
        });
        let mut deduped = Self { pieces: Vec::with_capacity(all.len()), differing: Vec::new() };
        let mut group: Vec<Held<'p>> = Vec::new();
        for held in all {
            let same = group
                .first()
                .is_none_or(|first| first.kind == held.kind && group_key(first) == group_key(&held));
            if !same {
                deduped.close(std::mem::take(&mut group));
            }
            group.push(held);
        }
        deduped.close(group);
        deduped.differing.dedup();
        deduped
    }

    fn close(&mut self, group: Vec<Held<'p>>) {
        let kept = match group.len() {
            0 | 1 => group,
            _ => newest(merge_equal(group)),
        };
        if kept.len() > 1 {
            self.differing.extend(kept.first().map(|held| held.kind));
        }
        self.pieces.extend(kept);
    }

    /// Returns a problem for every type of which copies differ.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> + '_ {
        self.differing.iter().map(|kind| Problem {
            place: Place { resource: Some(*kind), ..Place::default() },
            reason: Reason::CopiesDiffer,
        })
    }
}

/// Returns the text under which copies of one resource meet.
fn group_key<'h>(held: &'h Held<'_>) -> (u8, &'h str) {
    match (held.id.as_deref(), held.full_url) {
        (Some(id), _) => (0, id),
        (None, Some(url)) => (1, url),
        (None, None) => (2, &held.text),
    }
}

/// Makes one of copies whose text is equal. The group is sorted.
fn merge_equal(mut group: Vec<Held<'_>>) -> Vec<Held<'_>> {
    group.dedup_by(|next, kept| {
        let equal = next.text == kept.text;
        if equal {
            kept.role = kept.role.min(next.role);
            kept.listed = kept.listed.into_iter().chain(next.listed).min();
            kept.facts.append(&mut next.facts);
        }
        equal
    });
    group
}

fn order<'h>(held: &'h Held<'_>) -> impl Ord + 'h {
    // A copy with a `fullUrl` goes before one without.
    let url = (held.full_url.is_none(), held.full_url);
    (held.text.as_ref(), url, held.role, held.listed)
}

/// Keeps the newest of differing copies, or all when it is not known which that is.
fn newest(group: Vec<Held<'_>>) -> Vec<Held<'_>> {
    let updated: Vec<_> = group.iter().map(|held| held.last_updated().map(|(instant, _)| instant)).collect();
    let newest = updated.iter().copied().max().flatten();
    if newest.is_none() || updated.contains(&None) {
        return group;
    }
    group.into_iter().zip(updated).filter(|(_, updated)| *updated == newest).map(|(held, _)| held).collect()
}
