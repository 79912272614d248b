//! Accepted history as the rules look at it.

use super::facts::GateFacts;
use super::limits::{DAY_AGO, DAYS_KEPT};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Accepted history since the last release, oldest first.
pub(super) struct Past<'a> {
    accepted: Vec<&'a GateFacts>,
    /// The newest of each day.
    daily: Vec<&'a GateFacts>,
}

impl<'a> Past<'a> {
    pub(super) fn of(accepted: &'a [GateFacts]) -> Self {
        let mut accepted: Vec<&GateFacts> = accepted.iter().collect();
        accepted.sort_by_key(|facts| facts.sequence);
        let released = accepted.iter().rposition(|facts| facts.released).unwrap_or(0);
        accepted.drain(..released);
        let mut daily: Vec<&GateFacts> = Vec::new();
        for facts in &accepted {
            let same_day = |last: &&GateFacts| day(last).is_some() && day(last) == day(facts);
            if daily.last().is_some_and(same_day) {
                daily.pop();
            }
            daily.push(facts);
        }
        daily.drain(..daily.len().saturating_sub(DAYS_KEPT));
        Self { accepted, daily }
    }

    /// The newest accepted snapshot.
    pub(super) fn newest(&self) -> Option<&'a GateFacts> {
        self.accepted.last().copied()
    }

    /// What a candidate is compared with: the newest snapshot, and the newest that is about a day old.
    pub(super) fn references(&self, candidate: &GateFacts) -> impl Iterator<Item = &'a GateFacts> {
        let newest = self.newest();
        let day_old = |facts: &&&GateFacts| match (facts.taken, candidate.taken) {
            (Some(before), Some(now)) => now.duration_since(before) >= DAY_AGO,
            _ => false,
        };
        let older = self.accepted.iter().rev().find(day_old).copied();
        let older = older.filter(|older| newest.is_some_and(|newest| newest.sequence != older.sequence));
        newest.into_iter().chain(older)
    }

    /// The newest snapshot of each day, oldest first.
    pub(super) fn daily(&self) -> &[&'a GateFacts] {
        &self.daily
    }

    /// The median of a section's daily change, per patient who stayed, and its median absolute deviation.
    pub(super) fn usual_change(
        &self,
        change: impl Fn(&GateFacts, &GateFacts) -> Option<f64>,
    ) -> Option<(f64, f64)> {
        let mut changes: Vec<f64> =
            self.daily.windows(2).filter_map(|pair| change(pair[0], pair[1])).collect();
        if changes.len() < super::limits::SPREAD_DAYS_MIN {
            return None;
        }
        let middle = median(&mut changes)?;
        let mut distances: Vec<f64> = changes.iter().map(|change| (change - middle).abs()).collect();
        Some((middle, median(&mut distances)?))
    }
}

fn day(facts: &GateFacts) -> Option<Date> {
    Some(facts.taken?.to_zoned(TimeZone::UTC).date())
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
