//! Durations as people write them: `90s`, `5m`, `1h30m`.

use std::time::Duration;

/// The units of a duration with their length in milliseconds, longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses a duration made of whole numbers with units, such as `1h30m`; `None` when it is not one.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let unit_length = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == &after[..unit_length])?;
        total_ms = total_ms.checked_add(number.checked_mul(*unit_ms)?)?;
        rest = &after[unit_length..];
    }
    Some(Duration::from_millis(total_ms))
}

/// Writes a duration in the form that [`parse_duration`] reads, exactly.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, unit_ms) in UNITS {
        let count = rest / unit_ms;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
            rest %= unit_ms;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, seconds) in [("2s", 2), ("5m", 300), ("1h30m", 5_400), ("1d", 86_400), ("0s", 0)] {
            let parsed = parse_duration(text);
            assert_eq!(parsed, Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(format_duration(Duration::from_secs(seconds)), text);
        }
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "5", "m", "5 minutes", "-5m", "5M", "1.5h", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
