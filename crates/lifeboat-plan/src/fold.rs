//! When deltas are folded, and which packs are copied together.
//!
//! A snapshot writes one small pack and a cumulative delta index. Both grow, so from time to time the
//! live blobs of small packs are copied, as ciphertext, into full ones, and the delta index becomes a
//! new base. Folding costs bytes and saves bytes; the rules keep the cost of each snapshot
//! proportional to what changed: a delta is rewritten only after it has outgrown a quarter of its
//! base, and small packs only after [`SMALL_PACKS_MAX`] of them have gathered.

use lifeboat_format::PackId;

/// Small packs written since the base after which they are copied together.
pub const SMALL_PACKS_MAX: usize = 64;
/// A pack below this many bytes counts as small.
pub const SMALL_PACK_BYTES: u64 = 4 * 1024 * 1024;
/// Patients from which a dictionary pays for itself.
pub const DICTIONARY_PATIENTS_MIN: u64 = 256;

/// What is known of one pack of the newest snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFacts {
    /// The pack.
    pub id: PackId,
    /// Its length in bytes.
    pub bytes: u64,
    /// Bytes of it that the newest snapshot still refers to.
    pub live_bytes: u64,
    /// Whether it was written after the base index.
    pub since_base: bool,
}

/// What is known of a site before a snapshot is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoldFacts {
    /// Records in the base index.
    pub base_rows: u64,
    /// Records changed, added or removed since the base, this snapshot's included.
    pub delta_rows: u64,
    /// Records in the snapshot.
    pub records: u64,
    /// Whether the epoch has a dictionary.
    pub has_dictionary: bool,
    /// The packs that the snapshot would refer to.
    pub packs: Vec<PackFacts>,
}

/// What to fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoldPlan {
    /// Write the cumulative delta; copy nothing.
    Extend,
    /// Copy these packs' live blobs together; the base index stays.
    Gather {
        /// The packs to copy from.
        packs: Vec<PackId>,
        /// Why.
        reason: String,
    },
    /// Write a new base index; copy these packs' live blobs together.
    Rebase {
        /// The packs to copy from.
        packs: Vec<PackId>,
        /// Why.
        reason: String,
    },
    /// Seal every record again under a newly trained dictionary and write a new base index.
    Reseal {
        /// Why.
        reason: String,
    },
}

/// Decides what to fold when the next snapshot is written.
#[must_use]
pub fn plan_fold(facts: &FoldFacts) -> FoldPlan {
    if facts.delta_rows * 4 > facts.base_rows {
        let reason = format!("{} changed records against a base of {}", facts.delta_rows, facts.base_rows);
        if !facts.has_dictionary && facts.records >= DICTIONARY_PATIENTS_MIN {
            return FoldPlan::Reseal { reason: format!("{reason}, and enough of them for a dictionary") };
        }
        let wasteful = |pack: &&PackFacts| pack.bytes < SMALL_PACK_BYTES || pack.live_bytes * 2 < pack.bytes;
        return FoldPlan::Rebase { packs: worth_copying(facts.packs.iter().filter(wasteful)), reason };
    }
    let small =
        worth_copying(facts.packs.iter().filter(|pack| pack.since_base && pack.bytes < SMALL_PACK_BYTES));
    if small.len() > SMALL_PACKS_MAX {
        let reason = format!("{} small packs since the base", small.len());
        return FoldPlan::Gather { packs: small, reason };
    }
    FoldPlan::Extend
}

/// One pack alone, all of it live, gains nothing from being copied.
fn worth_copying<'a>(packs: impl Iterator<Item = &'a PackFacts>) -> Vec<PackId> {
    let packs: Vec<&PackFacts> = packs.collect();
    match packs.as_slice() {
        [only] if only.live_bytes == only.bytes => Vec::new(),
        _ => packs.iter().map(|pack| pack.id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FoldFacts, FoldPlan, PackFacts, plan_fold};
    use lifeboat_format::{Digest, PackId};

    fn pack(n: u8, bytes: u64, live_bytes: u64, since_base: bool) -> PackFacts {
        PackFacts { id: PackId::from(Digest::of(&[n])), bytes, live_bytes, since_base }
    }

    fn facts(base_rows: u64, delta_rows: u64, packs: Vec<PackFacts>) -> FoldFacts {
        FoldFacts { base_rows, delta_rows, records: base_rows, has_dictionary: true, packs }
    }

    #[test]
    fn a_small_delta_is_extended() {
        let small = (0..10).map(|n| pack(n, 1_000, 1_000, true)).collect();
        assert_eq!(plan_fold(&facts(1_000, 250, small)), FoldPlan::Extend);
    }

    #[test]
    fn a_delta_over_a_quarter_becomes_the_base_and_wasteful_packs_are_copied() {
        let full = pack(1, 8_000_000, 7_000_000, false);
        let half_dead = pack(2, 8_000_000, 3_000_000, false);
        let small = pack(3, 1_000, 1_000, true);
        let FoldPlan::Rebase { packs, .. } =
            plan_fold(&facts(1_000, 251, vec![full, half_dead.clone(), small.clone()]))
        else {
            panic!("expected a re-base")
        };
        assert_eq!(packs, [half_dead.id, small.id]);
    }

    #[test]
    fn many_small_packs_are_gathered_without_touching_the_base() {
        let mut packs: Vec<_> = (0..65).map(|n| pack(n, 1_000, 1_000, true)).collect();
        packs.push(pack(200, 1_000, 1_000, false));
        let FoldPlan::Gather { packs, .. } = plan_fold(&facts(10_000, 65, packs)) else {
            panic!("expected to gather")
        };
        assert_eq!(packs.len(), 65);
    }

    #[test]
    fn one_whole_pack_is_not_copied_for_nothing() {
        let plan = plan_fold(&facts(10, 9, vec![pack(1, 1_000, 1_000, true)]));
        assert!(matches!(plan, FoldPlan::Rebase { packs, .. } if packs.is_empty()));
    }

    #[test]
    fn a_site_that_has_grown_enough_is_resealed_with_a_dictionary() {
        let grown = FoldFacts { has_dictionary: false, ..facts(300, 100, vec![]) };
        assert!(matches!(plan_fold(&grown), FoldPlan::Reseal { .. }));
        let small = FoldFacts { has_dictionary: false, ..facts(200, 100, vec![]) };
        assert!(matches!(plan_fold(&small), FoldPlan::Rebase { .. }));
    }
}
