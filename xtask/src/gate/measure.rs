//! Runs practices and attacks through the gate and counts.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_plan::gate::{GateFacts, GateVerdict, judge};
use serde::Serialize;

use super::attack::{Attack, Drain};
use super::peers::Peer;
use super::practice::{DAYS, Pace, year};
use super::random::Random;

/// Days of one practice on which each attack is tried.
const TRIES: usize = 6;
/// The first day on which attacks are tried; the days before are the start of a site.
const FIRST_TRY: usize = 20;
/// Days that a drain is followed.
const DRAIN_DAYS: usize = 150;

/// A set of seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SeedSet {
    /// Limits may be chosen on these.
    Tuning,
    /// Nothing is chosen on these.
    HeldOut,
}

impl SeedSet {
    /// Both sets.
    pub(crate) const ALL: [Self; 2] = [Self::Tuning, Self::HeldOut];

    /// The first seed of the set.
    pub(crate) fn first(self) -> u64 {
        match self {
            Self::Tuning => 1,
            Self::HeldOut => 1_000_001,
        }
    }
}

/// How an attack fared.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct AttackResult {
    /// Its name.
    pub(crate) attack: String,
    /// How often it was tried.
    pub(crate) tried: u64,
    /// How often the gate held it.
    pub(crate) held: u64,
    /// How often each of the two default rules of others raised an alarm.
    pub(crate) peers: [u64; 2],
    /// The rate that is asked for.
    pub(crate) target: Option<f64>,
    /// How often each rule spoke.
    pub(crate) rules: BTreeMap<&'static str, u64>,
    /// How often a rule was the only one that spoke.
    pub(crate) alone: BTreeMap<&'static str, u64>,
}

/// How a drain fared.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct DrainResult {
    /// Its name.
    pub(crate) drain: String,
    /// How often it was tried.
    pub(crate) tried: u64,
    /// The day on which it was noticed, for each time that it was.
    pub(crate) days: Vec<usize>,
    /// The same for the two default rules of others.
    pub(crate) peers: [u64; 2],
}

/// What was measured on one set of seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Measured {
    /// The set.
    pub(crate) set: SeedSet,
    /// The first seed.
    pub(crate) first_seed: u64,
    /// Practices, each for a year.
    pub(crate) practices: u64,
    /// Days on which a good snapshot was held.
    pub(crate) false_holds: u64,
    /// Practices with more than two of them.
    pub(crate) practices_with_many: u64,
    /// False holds within the first thirty days of a site.
    pub(crate) false_holds_at_start: u64,
    /// False holds where everything happens twice as often.
    pub(crate) false_holds_doubled: u64,
    /// Alarms of the two default rules of others on good snapshots.
    pub(crate) peers_false: [u64; 2],
    /// Which rules spoke in false holds.
    pub(crate) false_rules: BTreeMap<&'static str, u64>,
    /// Attacks.
    pub(crate) attacks: Vec<AttackResult>,
    /// Attacks with a target, within the first ten days of a site.
    pub(crate) at_start: Vec<AttackResult>,
    /// Drains.
    pub(crate) drains: Vec<DrainResult>,
}

impl Measured {
    /// Measures one set of seeds.
    pub(crate) fn of(set: SeedSet, practices: u64) -> Self {
        let attack = |attack: Attack| AttackResult {
            attack: attack.name(),
            target: attack.target(),
            ..AttackResult::default()
        };
        let drain = |drain: Drain| DrainResult { drain: drain.name(), ..DrainResult::default() };
        let mut measured = Self {
            set,
            first_seed: set.first(),
            practices,
            false_holds: 0,
            practices_with_many: 0,
            false_holds_at_start: 0,
            false_holds_doubled: 0,
            peers_false: [0; 2],
            false_rules: BTreeMap::new(),
            attacks: Attack::ALL.into_iter().map(attack).collect(),
            at_start: Attack::ALL.into_iter().map(attack).collect(),
            drains: Drain::ALL.into_iter().map(drain).collect(),
        };
        let mut other = year(set.first() + practices, Pace::Usual);
        for seed in set.first()..set.first() + practices {
            let life = year(seed, Pace::Usual);
            let random = Random::new(seed).fork(77);
            let accepted = measured.live(&life);
            measured.false_holds_doubled += count_holds(&year(seed, Pace::Doubled));
            measured.attack(&life, &accepted, &other, random.fork(1));
            measured.drain(&life, &accepted, random.fork(2));
            other = life;
        }
        measured
    }

    /// Lets a practice live; a person releases what is held wrongly. Returns history as accepted, day by day.
    fn live(&mut self, life: &[GateFacts]) -> Vec<GateFacts> {
        let mut accepted: Vec<GateFacts> = Vec::with_capacity(life.len());
        let mut holds = 0;
        for (number, day) in life.iter().enumerate() {
            let verdict = judge(&accepted, day);
            for (at, peer) in Peer::ALL.into_iter().enumerate() {
                self.peers_false[at] += u64::from(peer.alarms(&life[..number], day));
            }
            if verdict.is_held() {
                holds += 1;
                self.false_holds_at_start += u64::from(number < 30);
                codes(&verdict).into_iter().for_each(|code| *self.false_rules.entry(code).or_default() += 1);
            }
            accepted.push(GateFacts { released: verdict.is_held(), ..day.clone() });
        }
        self.false_holds += holds;
        self.practices_with_many += u64::from(holds > 2);
        accepted
    }

    fn attack(
        &mut self,
        life: &[GateFacts],
        accepted: &[GateFacts],
        other: &[GateFacts],
        mut random: Random,
    ) {
        for (at, attack) in Attack::ALL.into_iter().enumerate() {
            for _ in 0..TRIES {
                let day = FIRST_TRY + 12 + random.index(DAYS - FIRST_TRY - 12);
                try_once(&mut self.attacks[at], attack, life, accepted, other, day, &mut random);
            }
            let day = 1 + random.index(10);
            if attack.fits_start() {
                try_once(&mut self.at_start[at], attack, life, accepted, other, day, &mut random);
            }
        }
    }

    fn drain(&mut self, life: &[GateFacts], accepted: &[GateFacts], mut random: Random) {
        for (at, drain) in Drain::ALL.into_iter().enumerate() {
            let start = 60 + random.index(DAYS - 60 - DRAIN_DAYS);
            let result = &mut self.drains[at];
            result.tried += 1;
            let mut history = accepted[..start].to_vec();
            let mut noticed = None;
            let mut peers = [false; 2];
            for days in 1..=DRAIN_DAYS {
                let after = i32::try_from(days).unwrap_or(i32::MAX);
                let facts = drain.after(&life[start + days - 1], after, &mut random);
                for (at, peer) in Peer::ALL.into_iter().enumerate() {
                    // Only what the rule would not have said of the same day without the drain.
                    peers[at] |= peer.alarms(&history, &facts)
                        && !peer.alarms(&life[..start + days - 1], &life[start + days - 1]);
                }
                let verdict = judge(&history, &facts);
                if verdict.is_held() && !accepted[start + days - 1].released {
                    noticed = Some(days);
                    break;
                }
                let released = accepted[start + days - 1].released;
                history.push(GateFacts { released, ..facts });
            }
            result.days.extend(noticed);
            peers.iter().enumerate().for_each(|(at, alarmed)| result.peers[at] += u64::from(*alarmed));
        }
    }
}

/// Counts the days on which a good snapshot is held.
fn count_holds(life: &[GateFacts]) -> u64 {
    let mut accepted: Vec<GateFacts> = Vec::with_capacity(life.len());
    let mut holds = 0;
    for day in life {
        let released = judge(&accepted, day).is_held();
        holds += u64::from(released);
        accepted.push(GateFacts { released, ..day.clone() });
    }
    holds
}

/// Tries an attack on one day, unless the gate holds that day without it.
fn try_once(
    result: &mut AttackResult,
    attack: Attack,
    life: &[GateFacts],
    accepted: &[GateFacts],
    other: &[GateFacts],
    day: usize,
    random: &mut Random,
) {
    if accepted[day].released {
        return;
    }
    let facts = attack.on(life, day, other, random);
    let verdict = judge(&accepted[..day], &facts);
    result.tried += 1;
    for (at, peer) in Peer::ALL.into_iter().enumerate() {
        result.peers[at] += u64::from(peer.alarms(&life[..day], &facts));
    }
    let codes = codes(&verdict);
    result.held += u64::from(!codes.is_empty());
    for code in &codes {
        *result.rules.entry(code).or_default() += 1;
        *result.alone.entry(code).or_default() += u64::from(codes.len() == 1);
    }
}

fn codes(verdict: &GateVerdict) -> BTreeSet<&'static str> {
    verdict.reasons().iter().map(|reason| reason.code).collect()
}
