//! Padmé padding: a stored length tells only the rough size of what it holds.

/// Returns the padded length of something `length` bytes long: at most 12 % more, and only
/// O(log log length) bits of the length remain visible.
pub const fn padded_length(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1_u64 << (exponent - kept_bits)) - 1;
    match length.checked_add(mask) {
        Some(raised) => raised & !mask,
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::padded_length;
    use proptest::prelude::*;

    #[test]
    fn known_lengths_are_padded_as_the_scheme_says() {
        let rows =
            [(0, 0), (1, 1), (2, 2), (9, 10), (100, 104), (1000, 1024), (5000, 5120), (65_537, 67_584)];
        for (length, padded) in rows {
            assert_eq!(padded_length(length), padded, "of {length}");
        }
    }

    proptest! {
        #[test]
        fn padding_never_shrinks_is_stable_and_costs_at_most_an_eighth(length in 0_u64..1 << 40) {
            let padded = padded_length(length);
            prop_assert!(padded >= length);
            prop_assert_eq!(padded_length(padded), padded);
            prop_assert!(padded - length <= length / 8 + 1);
        }
    }
}
