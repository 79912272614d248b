//! Chance from a seed: every draw follows from the seed, the purpose and the place it is drawn for.

use jiff::civil::Date;

/// A small generator (SplitMix64). Good enough for made-up data, useless for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Starts the stream of `purpose` for item `index`, independent of every other stream.
    pub(crate) fn of(seed: u64, purpose: &str, index: u64) -> Self {
        let mut state = mix(seed ^ 0x5bd1_e995_7b93_b1a3);
        for byte in purpose.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Self { state: mix(state ^ mix(index)) }
    }

    /// Draws 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Draws a number below `limit`; 0 when the limit is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.bits() % limit }
    }

    /// Draws a number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        low.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    /// Says yes `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Picks one of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let at = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[at]
    }

    /// Draws an identifier that looks like a random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.bits(), self.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}

/// Returns the date `days` before `date`, or the earliest date there is.
pub(crate) fn days_before(date: Date, days: i64) -> Date {
    let span = jiff::Span::new().try_days(days.clamp(-400_000, 400_000)).unwrap_or_default();
    date.saturating_sub(span)
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
