//! How a site is doing, from facts that the service keeps.

use jiff::Timestamp;
use serde::Serialize;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Someone should look at it in working hours.
    Warning,
    /// A person must act now.
    Critical,
}

/// What is known of one replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaFacts {
    /// Its name in the configuration.
    pub name: String,
    /// The log size that it has acknowledged, if any.
    pub log_size: Option<u64>,
    /// Since when it has been behind, if it is.
    pub behind_since: Option<Timestamp>,
    /// Consecutive failures.
    pub failures: u32,
}

/// What is known of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFacts {
    /// The spool's log size.
    pub log_size: u64,
    /// When the next snapshot or heartbeat was due, as the newest one promised.
    pub next_by: Option<Timestamp>,
    /// Whether the newest snapshot is held.
    pub held: bool,
    /// Inputs that could not be read in the newest snapshot.
    pub unreadable: u64,
    /// The replicas.
    pub replicas: Vec<ReplicaFacts>,
}

/// One thing that is wrong, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthFinding {
    /// How serious it is.
    pub severity: Severity,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong and what to do, in plain words.
    pub text: String,
}

/// Minutes that a replica may be behind before it is a warning.
pub const LAG_WARNING_MINUTES: i64 = 30;
/// Minutes that a replica may be behind before it is critical.
pub const LAG_CRITICAL_MINUTES: i64 = 24 * 60;

/// Judges a site's health at `now`; an empty list means that all is well.
#[must_use]
pub fn judge_health(facts: &SiteFacts, now: Timestamp) -> Vec<HealthFinding> {
    let mut findings = Vec::new();
    match facts.next_by {
        None => findings.push(HealthFinding {
            severity: Severity::Critical,
            code: "no-snapshot",
            text: "no snapshot has been taken yet; run `lifeboat snapshot` and read its report".into(),
        }),
        Some(due) if now > due => findings.push(HealthFinding {
            severity: Severity::Critical,
            code: "overdue",
            text: format!(
                "the snapshot due by {due} has not come; check that the service runs and can read the source"
            ),
        }),
        Some(_) => {}
    }
    if facts.held {
        findings.push(HealthFinding {
            severity: Severity::Critical,
            code: "held",
            text: "the newest snapshot is held by the gate; `lifeboat gate show` says why and how to decide: release or \
                   reject it"
                .into(),
        });
    }
    if facts.unreadable > 0 {
        findings.push(HealthFinding {
            severity: Severity::Warning,
            code: "unreadable-inputs",
            text: format!(
                "inputs that could not be read: {}; `lifeboat status` names each",
                facts.unreadable
            ),
        });
    }
    findings.extend(facts.replicas.iter().filter_map(|replica| judge_replica(replica, facts.log_size, now)));
    if !facts.replicas.is_empty() && facts.replicas.iter().all(|replica| replica.log_size.is_none()) {
        findings.push(HealthFinding {
            severity: Severity::Critical,
            code: "no-copy",
            text: "no replica holds a copy; only the spool on this host does".into(),
        });
    }
    findings
}

fn judge_replica(replica: &ReplicaFacts, log_size: u64, now: Timestamp) -> Option<HealthFinding> {
    let held = replica.log_size.unwrap_or(0);
    if held >= log_size {
        return None;
    }
    let minutes = replica.behind_since.map_or(0, |since| now.duration_since(since).as_secs() / 60);
    let severity = if minutes >= LAG_CRITICAL_MINUTES {
        Severity::Critical
    } else if minutes >= LAG_WARNING_MINUTES || replica.failures > 0 {
        Severity::Warning
    } else {
        return None;
    };
    Some(HealthFinding {
        severity,
        code: "replica-behind",
        text: format!(
            "replica {} is {} log entries behind, for {minutes} minutes, after {} failed attempts; \
             `lifeboat status` shows its last error",
            replica.name,
            log_size - held,
            replica.failures
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::{ReplicaFacts, Severity, SiteFacts, judge_health};
    use jiff::{SignedDuration, Timestamp};

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(1_000_000 + minute)
    }

    fn replica(log_size: Option<u64>, behind_since: Option<Timestamp>, failures: u32) -> ReplicaFacts {
        ReplicaFacts { name: "usb".into(), log_size, behind_since, failures }
    }

    fn site(replicas: Vec<ReplicaFacts>) -> SiteFacts {
        SiteFacts { log_size: 10, next_by: Some(at(10)), held: false, unreadable: 0, replicas }
    }

    #[test]
    fn findings_follow_the_facts() {
        type Row = (&'static str, SiteFacts, Vec<(&'static str, Severity)>);
        let rows: Vec<Row> = vec![
            ("well", site(vec![replica(Some(10), None, 0)]), vec![]),
            ("just behind", site(vec![replica(Some(9), Some(at(0)), 0)]), vec![]),
            (
                "failing",
                site(vec![replica(Some(9), Some(at(0)), 1)]),
                vec![("replica-behind", Severity::Warning)],
            ),
            (
                "away for a day",
                site(vec![replica(Some(9), Some(at(-1440)), 9)]),
                vec![("replica-behind", Severity::Critical)],
            ),
            (
                "overdue",
                SiteFacts { next_by: Some(at(-1)), ..site(vec![]) },
                vec![("overdue", Severity::Critical)],
            ),
            ("never", SiteFacts { next_by: None, ..site(vec![]) }, vec![("no-snapshot", Severity::Critical)]),
            ("held", SiteFacts { held: true, ..site(vec![]) }, vec![("held", Severity::Critical)]),
            (
                "unreadable",
                SiteFacts { unreadable: 2, ..site(vec![]) },
                vec![("unreadable-inputs", Severity::Warning)],
            ),
            ("no copy", site(vec![replica(None, Some(at(0)), 0)]), vec![("no-copy", Severity::Critical)]),
        ];
        for (name, facts, expected) in rows {
            let found: Vec<_> = judge_health(&facts, at(0)).iter().map(|f| (f.code, f.severity)).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
