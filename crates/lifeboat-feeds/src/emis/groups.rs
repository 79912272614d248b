//! Entries that stand under another entry: the results of a report, the two numbers of a blood pressure.

use std::collections::HashMap;

use super::chart::{Chart, Entry};
use super::codes::Kind;

/// How many parts a measurement has at most; more are listed as entries of their own.
const PARTS_MAX: usize = 8;

/// What an entry is in its group.
pub(super) enum Group<'c, 'a> {
    /// The header of laboratory results.
    Report(Vec<&'c Entry<'a>>),
    /// A measurement that consists of these parts.
    Panel(Vec<&'c Entry<'a>>),
    /// A header, or an entry with a value, under which others stand.
    Header(Vec<&'c Entry<'a>>),
    /// A part of a measurement; it is shown there.
    Component,
}

/// Finds the groups, by the name of each entry that is in one. Members of reports and headers are entries of their own,
/// and are in no group unless others stand under them.
pub(super) fn of<'c, 'a>(chart: &'c Chart<'a>) -> HashMap<&'a str, Group<'c, 'a>> {
    let mut groups = HashMap::new();
    let mut components = Vec::new();
    for entry in &chart.entries {
        if !is_observation(entry) || !chart.has_children(entry.guid) {
            continue;
        }
        let children = chart.children(entry.guid);
        let members: Vec<&Entry<'a>> =
            children.iter().copied().filter(|child| becomes_observation(chart, child)).collect();
        if is_panel(chart, entry, &children) {
            components.extend(children.iter().map(|child| child.guid));
            groups.insert(entry.guid, Group::Panel(children));
        } else if members.is_empty() {
            continue;
        } else if is_report(entry, &members) {
            groups.insert(entry.guid, Group::Report(members));
        } else {
            groups.insert(entry.guid, Group::Header(members));
        }
    }
    groups.extend(components.into_iter().map(|guid| (guid, Group::Component)));
    groups
}

fn is_observation(entry: &Entry<'_>) -> bool {
    matches!(entry.kind, Kind::Result | Kind::Imaging | Kind::Vital | Kind::Social | Kind::Plain)
}

/// Says whether an entry is shown as an observation that others can refer to.
fn becomes_observation(chart: &Chart<'_>, entry: &Entry<'_>) -> bool {
    let is_header = chart.has_children(entry.guid) && entry.value().is_none();
    let is_problem = entry.kind == Kind::Plain && chart.problems.contains_key(entry.guid);
    is_observation(entry) && !is_header && !is_problem
}

fn is_report(entry: &Entry<'_>, members: &[&Entry<'_>]) -> bool {
    let of_laboratory = |entry: &Entry<'_>| matches!(entry.kind, Kind::Result | Kind::Imaging);
    entry.value().is_none()
        && entry.row.text("DocumentGuid").is_none()
        && (of_laboratory(entry) || members.iter().any(|member| of_laboratory(member)))
}

/// Says whether an entry is a measurement whose parts say nothing but a value each.
fn is_panel(chart: &Chart<'_>, entry: &Entry<'_>, children: &[&Entry<'_>]) -> bool {
    let measures = |entry: &Entry<'_>| matches!(entry.kind, Kind::Vital | Kind::Plain);
    let same = |child: &Entry<'_>, column: &str| child.row.text(column) == entry.row.text(column);
    let is_part = |child: &&Entry<'_>| {
        measures(child)
            && child.value().is_some()
            && child.text().is_none()
            && child.row.text("DocumentGuid").is_none()
            && child.secrecy == entry.secrecy
            && same(child, "EffectiveDate")
            && same(child, "EffectiveDatePrecision")
            && !chart.has_children(child.guid)
            && !chart.problems.contains_key(child.guid)
    };
    measures(entry)
        && entry.value().is_none()
        && !chart.problems.contains_key(entry.guid)
        && (1..=PARTS_MAX).contains(&children.len())
        && children.iter().all(is_part)
}
