//! Two default rules that backup products publish, on the same days.
//!
//! Both look at how many items of a backup were changed, added or deleted; an item here is a patient's record.
//! They are what one gets without writing a rule for the data.

use lifeboat_plan::gate::GateFacts;

use super::practice::float;

/// Days of history from which the mean is taken.
const DAYS: usize = 30;

/// A default rule of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// More than the mean and three standard deviations of the last thirty days.
    ThreeSigma,
    /// At least a hundred items and more than half of all.
    HundredAndHalf,
}

impl Peer {
    /// Both rules.
    pub(crate) const ALL: [Self; 2] = [Self::ThreeSigma, Self::HundredAndHalf];

    /// Whether the rule would raise an alarm.
    pub(crate) fn alarms(self, past: &[GateFacts], day: &GateFacts) -> bool {
        let Some(last) = past.last() else { return false };
        let [moved, gone] = counts(last, day);
        match self {
            Self::HundredAndHalf => {
                [moved, gone].iter().any(|count| *count >= 100.0 && *count > float(last.patients) / 2.0)
            }
            Self::ThreeSigma => {
                let window = &past[past.len().saturating_sub(DAYS + 1)..];
                if window.len() < 8 {
                    return false;
                }
                let history: Vec<[f64; 2]> =
                    window.windows(2).map(|pair| counts(&pair[0], &pair[1])).collect();
                [moved, gone].iter().enumerate().any(|(at, count)| {
                    let values: Vec<f64> = history.iter().map(|counts| counts[at]).collect();
                    let (mean, deviation) = moments(&values);
                    *count > mean + 3.0 * deviation
                })
            }
        }
    }
}

/// Items that moved, and items that were deleted.
fn counts(before: &GateFacts, now: &GateFacts) -> [f64; 2] {
    let left = |facts: &GateFacts| facts.quality.map_or(0, |quality| quality.left);
    let gone = left(now).saturating_sub(left(before)).max(before.patients.saturating_sub(now.patients));
    [float(now.moved), float(gone)]
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(values.len().max(1)).unwrap_or(u32::MAX));
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
