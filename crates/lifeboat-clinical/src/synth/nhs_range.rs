//! Valid NHS numbers from the range that is kept for tests (they begin with 999).

use crate::nhs_number;

/// How many patients of one practice can have a number of their own.
pub(crate) const NUMBERS: u64 = 900_000;

/// Returns the number of patient `index`, or nothing when the range is used up.
///
/// Of the ten numbers that share eight digits at least nine have a check digit, so nine are used.
pub(crate) fn number(seed: u64, index: u64) -> Option<String> {
    if index >= NUMBERS {
        return None;
    }
    let scattered = (index / 9 * 77_773 + seed % 100_000) % 100_000;
    (0..10)
        .filter_map(|last| {
            let nine = format!("999{scattered:05}{last}");
            let check = nhs_number::check_digit(nine.as_bytes())?;
            Some(format!("{nine}{}", char::from(check)))
        })
        .filter(|number| nhs_number::valid(number))
        .nth(usize::try_from(index % 9).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_valid_and_in_the_test_range() {
        let mut missing = 0;
        let mut seen = std::collections::HashSet::new();
        for index in (0..NUMBERS).step_by(31).chain(0..2_000) {
            let Some(number) = number(42, index) else {
                missing += 1;
                continue;
            };
            assert!(number.starts_with("999"));
            assert!(nhs_number::valid(&number), "number {index}");
            if index % 31 == 0 && index >= 2_000 {
                assert!(seen.insert(number), "number {index} is used twice");
            }
        }
        assert!(missing <= 1, "only ten equal digits are left out");
        assert_eq!(number(42, NUMBERS), None);
    }
}
