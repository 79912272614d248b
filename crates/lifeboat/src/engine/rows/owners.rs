//! Who owns which row after a batch: a row belongs to whom the batch says last, and to nobody else.
//!
//! Rows name their owners, not the other way round. So for a batch of changes all owners' short lists of rows are scanned
//! once, and whoever still holds a row that is somebody else's now, or nobody's, is told to drop it.

use super::change::Order;
use super::hash::{RowHash, UnitKey, quarter};

/// Bits of the first filter, which answers for nearly all rows that no change speaks of.
const FILTER_BITS: u32 = 22;

/// Who owns a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A patient or a day.
    Unit(UnitKey),
    /// Everybody; the row is kept in this chunk.
    Shared(u8),
    /// The row is gone.
    Nobody,
}

/// One change's word on who owns a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) hash: RowHash,
    pub(crate) order: Order,
    pub(crate) owner: Owner,
}

/// What all changes of a batch together say about who owns which row.
pub(crate) struct Owners {
    /// The last word on each row, by its name.
    last: Vec<(RowHash, Owner)>,
    filter: Vec<u64>,
    /// Owners within the batch who have lost a row again.
    lost: Vec<(Owner, RowHash)>,
}

impl Owners {
    pub(crate) fn of(mut claims: Vec<Claim>) -> Self {
        claims.sort_unstable_by_key(|claim| (claim.hash, claim.order));
        let mut owners = Self { last: Vec::new(), filter: vec![0; 1 << (FILTER_BITS - 6)], lost: Vec::new() };
        for row in claims.chunk_by(|a, b| a.hash == b.hash) {
            let [former @ .., last] = row else { continue };
            owners.last.push((last.hash, last.owner));
            let bit = quarter(&last.hash) >> (32 - FILTER_BITS);
            owners.filter[(bit / 64) as usize] |= 1 << (bit % 64);
            let lost = former.iter().map(|claim| claim.owner).filter(|owner| *owner != last.owner);
            owners.lost.extend(lost.map(|owner| (owner, last.hash)));
        }
        owners
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Owners who lost rows within the batch, with the rows' names.
    pub(crate) fn lost(&self) -> impl Iterator<Item = (Owner, RowHash)> {
        self.lost.iter().copied()
    }

    /// The rows, each with its owner.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (RowHash, Owner)> {
        self.last.iter().copied()
    }

    /// The rows that somebody who holds rows of these short names may have to drop.
    pub(crate) fn not_of(&self, unit: UnitKey, keys: impl Iterator<Item = u32>) -> Vec<RowHash> {
        let mut lost = Vec::new();
        for key in keys {
            let bit = key >> (32 - FILTER_BITS);
            if self.filter[(bit / 64) as usize] >> (bit % 64) & 1 == 0 {
                continue;
            }
            let from = self.last.partition_point(|(hash, _)| quarter(hash) < key);
            let named = self.last[from..].iter().take_while(|(hash, _)| quarter(hash) == key);
            lost.extend(named.filter(|(_, owner)| *owner != Owner::Unit(unit)).map(|(hash, _)| *hash));
        }
        lost.dedup();
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Order, Owner, Owners, quarter};

    #[test]
    fn a_row_is_lost_by_whoever_is_not_the_last_to_own_it() {
        let order = |row| Order { precedence: 0, file: 0, row };
        let (row, unit, other) = ([7; 16], [1; 16], [2; 16]);
        let claims = vec![
            Claim { hash: row, order: order(2), owner: Owner::Unit(unit) },
            Claim { hash: row, order: order(1), owner: Owner::Unit(other) },
        ];
        let owners = Owners::of(claims);
        assert_eq!(owners.lost().collect::<Vec<_>>(), [(Owner::Unit(other), row)]);
        let keys = [1, quarter(&row), u32::MAX];
        assert!(owners.not_of(unit, keys.into_iter()).is_empty());
        assert_eq!(owners.not_of(other, keys.into_iter()), [row]);
    }
}
