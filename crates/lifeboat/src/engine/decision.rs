//! A person's decision on the held snapshot: released or rejected, in the log with the reason and the name.
//!
//! A release publishes the held snapshot once more, under a number of its own and as accepted, so that no reader needs
//! to know more than it did. The state goes on describing what was accepted before: what differs from that is sealed
//! again with the next snapshot, and the gate compares with what was released.

use super::history::{RELEASE, Snapshot};
use super::intake::put_trust;
use super::judging::overruled;
use super::publish;
use super::rows::Trust;
use super::state::SiteState;
use super::{Engine, EngineError};
use jiff::Timestamp;
use lifeboat_format::log::Entry;
use lifeboat_format::{Manifest, Sequence};
use lifeboat_replica::PublishSet;
use std::fmt;

/// The longest reason of a decision, in bytes.
pub const RULING_BYTES_MAX: usize = 300;
/// The longest name of who decides, in bytes.
const WHO_BYTES_MAX: usize = 64;
/// How many rejected sources are remembered.
const REJECTED_MAX: usize = 64;

/// Why a reason cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RulingError {
    /// There is none.
    #[error("the reason is empty")]
    Empty,
    /// It does not fit into a log entry.
    #[error("the reason is longer than {RULING_BYTES_MAX} bytes")]
    TooLong,
    /// It would disturb whoever reads the log.
    #[error("the reason has control characters")]
    Control,
}

/// Who decides, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    who: String,
    reason: String,
}

impl Ruling {
    /// Checks a reason; of the name, only what can stand in the log is kept.
    ///
    /// # Errors
    /// When the reason is empty, too long, or has control characters.
    pub fn new(who: &str, reason: &str) -> Result<Self, RulingError> {
        let reason = reason.trim();
        let is_deceptive = |character: char| {
            character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if reason.is_empty() {
            return Err(RulingError::Empty);
        }
        if reason.len() > RULING_BYTES_MAX {
            return Err(RulingError::TooLong);
        }
        if reason.chars().any(is_deceptive) {
            return Err(RulingError::Control);
        }
        let mut who: String = who.chars().filter(|character| !is_deceptive(*character)).collect();
        while who.len() > WHO_BYTES_MAX {
            who.pop();
        }
        Ok(Self { who: if who.is_empty() { "unknown".to_owned() } else { who }, reason: reason.to_owned() })
    }

    fn on(&self, held: &Snapshot) -> String {
        format!("snapshot {} {}: {self}", held.manifest.sequence, held.id)
    }
}

impl fmt::Display for Ruling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}: {}", self.who, self.reason)
    }
}

/// What a decision came to.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The snapshot that was held.
    pub held: Manifest,
    /// The one that was accepted before, if any was.
    pub accepted: Option<Manifest>,
    /// The number under which the held one is accepted now.
    pub now_accepted: Option<Sequence>,
    /// The spool's log size afterwards.
    pub log_size: u64,
}

/// Whether a decision is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// It is.
    Out,
    /// It is only checked that it could be.
    Nothing,
}

/// Makes the held snapshot the accepted one, under a number of its own.
pub(super) fn release(
    engine: &mut Engine,
    now: Timestamp,
    ruling: &Ruling,
    carry: Carry,
) -> Result<Decision, EngineError> {
    let held = held(engine)?;
    let accepted = engine.history.accepted().map(|accepted| accepted.manifest.clone());
    let sequence = held.manifest.sequence.next();
    if carry == Carry::Out {
        let how =
            format!("snapshot {}, held when it was taken, was released by a person", held.manifest.sequence);
        let manifest = Manifest {
            sequence,
            previous: Some(held.id),
            next_by: publish::next_by(&engine.settings, now).max(held.manifest.taken),
            gate: overruled(held.manifest.gate.reasons.clone(), &how),
            accepted: None,
            ..held.manifest.clone()
        };
        let snapshot =
            Entry::Snapshot { time: now, sequence, manifest: manifest.id(), verdict: manifest.gate.verdict };
        let event = Entry::Event { time: now, name: RELEASE.to_owned(), detail: ruling.on(&held) };
        let entries = vec![event, snapshot];
        engine.history.publish(PublishSet { manifest: Some(manifest), entries, ..PublishSet::default() })?;
        change_site(engine, |site| {
            if let Some(held) = site.held.take() {
                site.rejected.retain(|rejected| *rejected != held.fingerprint);
            }
        })?;
        put_trust(engine, &held.manifest.feed.format, Trust::Undisputed)?;
    }
    Ok(Decision { held: held.manifest, accepted, now_accepted: Some(sequence), log_size: engine.log_size() })
}

/// Records that the held snapshot stays unaccepted, and the same source with it, and what is built on the same rows.
pub(super) fn reject(
    engine: &mut Engine,
    now: Timestamp,
    ruling: &Ruling,
    carry: Carry,
) -> Result<Decision, EngineError> {
    let held = held(engine)?;
    let accepted = engine.history.accepted().map(|accepted| accepted.manifest.clone());
    if carry == Carry::Out {
        // First, so that nobody is told that it was rejected while later changes could still build on it.
        put_trust(engine, &held.manifest.feed.format, Trust::Rejected)?;
        let event = Entry::Event { time: now, name: "reject".to_owned(), detail: ruling.on(&held) };
        engine.history.publish(PublishSet { entries: vec![event], ..PublishSet::default() })?;
        change_site(engine, |site| {
            let source = site.held.as_ref().filter(|source| source.manifest == held.id);
            let fingerprint = source.map(|source| source.fingerprint);
            let new = fingerprint.filter(|fingerprint| !site.rejected.contains(fingerprint));
            site.rejected.extend(new);
            let excess = site.rejected.len().saturating_sub(REJECTED_MAX);
            site.rejected.drain(..excess);
        })?;
    }
    Ok(Decision { held: held.manifest, accepted, now_accepted: None, log_size: engine.log_size() })
}

/// The newest snapshot, if it is held.
fn held(engine: &Engine) -> Result<Snapshot, EngineError> {
    let newest = engine.history.newest().filter(|newest| newest.manifest.is_held());
    newest.cloned().ok_or(EngineError::NothingHeld)
}

fn change_site(engine: &Engine, change: impl FnOnce(&mut SiteState)) -> Result<(), EngineError> {
    let Some(mut site) = engine.state.read()?.site()? else { return Ok(()) };
    change(&mut site);
    let writer = engine.state.write()?;
    writer.put_site(&site)?;
    writer.commit()?;
    Ok(())
}
