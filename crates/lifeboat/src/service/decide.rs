//! A person's decision on the held snapshot, and every replica brought up to date with it.

use serde::Serialize;

use super::once::{ReplicaOutcome, Replicas};
use super::{ServiceError, ServiceState, Site, Status, new_status};
use crate::clock;
use crate::engine::{Carry, Decision, Ruling};
use crate::events;
use crate::output::Bars;
use crate::setup::SetupError;

/// What is decided on the held snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It becomes the accepted one.
    Release,
    /// It stays unaccepted, and the same source with it.
    Reject,
}

/// What a decision came to.
#[derive(Debug)]
pub struct Decided {
    /// What was decided on.
    pub decision: Decision,
    /// Each replica, in the order of the configuration; empty when replicas were left alone.
    pub replicas: Vec<ReplicaOutcome>,
}

impl Site {
    /// Carries a decision out, or says what it would do, and brings the replicas up to date.
    pub async fn decide(
        &mut self,
        verdict: Verdict,
        ruling: &Ruling,
        carry: Carry,
        replicas: Replicas,
        bars: &Bars,
    ) -> Result<Decided, ServiceError> {
        if carry == Carry::Out {
            self.adopt().await?;
        }
        let engine = &mut self.engine;
        let decide = || match verdict {
            Verdict::Release => engine.release(clock::now(), ruling, carry),
            Verdict::Reject => engine.reject(clock::now(), ruling, carry),
        };
        let decision = tokio::task::block_in_place(decide).map_err(SetupError::from)?;
        let replicas = match (carry, replicas) {
            (Carry::Out, Replicas::Feed) => self.feed_all(bars).await,
            _ => Vec::new(),
        };
        if carry == Carry::Out {
            self.remember_replicas(decision.log_size, &replicas);
        }
        Ok(Decided { decision, replicas })
    }

    /// Notes in the status how far the replicas are; the rest of it stays.
    fn remember_replicas(&self, log_size: u64, outcomes: &[ReplicaOutcome]) {
        let known = Status::load(&self.config.state_dir).ok().flatten();
        let mut status = known.unwrap_or_else(|| new_status(&self.config));
        status.service = ServiceState::Stopped;
        status.updated = clock::now();
        super::once::note_outcomes(&mut status, log_size, outcomes);
        if let Err(error) = status.save(&self.config.state_dir) {
            events::status_not_written(&error);
        }
    }
}
