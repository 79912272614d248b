//! Verdicts and the reasons for them.

use serde::Serialize;

/// The most reasons that a verdict keeps; the first ones are the gravest.
const REASONS_MAX: usize = 24;

/// One reason why a snapshot is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateReason {
    /// Stable code, for programs and dashboards.
    pub code: &'static str,
    /// What was seen, what was expected and the limit; never anything about one patient.
    pub detail: String,
}

impl GateReason {
    pub(super) fn new(code: &'static str, detail: String) -> Self {
        Self { code, detail }
    }
}

/// What the gate says of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum GateVerdict {
    /// Plausible: it becomes the newest accepted snapshot.
    Accepted,
    /// Not plausible: kept and replicated, but not opened by default.
    Held(Vec<GateReason>),
}

impl GateVerdict {
    pub(super) fn of(mut reasons: Vec<GateReason>) -> Self {
        // Two references may give the same reason with other numbers; the newest comes first and is enough.
        let mut known: Vec<(&'static str, String)> = Vec::new();
        reasons.retain(|reason| {
            let subject = reason.detail.split(':').next().unwrap_or_default().to_owned();
            let key = (reason.code, subject);
            !known.contains(&key) && {
                known.push(key);
                true
            }
        });
        reasons.truncate(REASONS_MAX);
        if reasons.is_empty() { Self::Accepted } else { Self::Held(reasons) }
    }

    /// Returns the reasons, none for an accepted snapshot.
    #[must_use]
    pub fn reasons(&self) -> &[GateReason] {
        match self {
            Self::Accepted => &[],
            Self::Held(reasons) => reasons,
        }
    }

    /// Says whether the snapshot is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }
}

/// Writes a share as per cent with two digits.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
