//! Numbers and times as people read them.

use jiff::Timestamp;

/// Writes a number of bytes with a binary unit: `7.4 MiB`.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Writes a count with its noun, in the plural unless it is one: `1 patient`, `1,200 patients`.
pub fn count_text(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// Writes how long ago `then` was at `now`: `just now`, `4 minutes ago`, `in 2 hours`.
pub fn age_text(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    let distance = seconds.unsigned_abs();
    let (count, unit) = match distance {
        0..60 => (distance, "second"),
        60..3_600 => (distance / 60, "minute"),
        3_600..86_400 => (distance / 3_600, "hour"),
        _ => (distance / 86_400, "day"),
    };
    match (distance < 5, seconds < 0) {
        (true, _) => "just now".to_owned(),
        (false, false) => format!("{} ago", count_text(count, unit)),
        (false, true) => format!("in {}", count_text(count, unit)),
    }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ages_read_as_people_write_them() {
        for (bytes, expected) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (7_759_462, "7.4 MiB")] {
            assert_eq!(bytes_text(bytes), expected);
        }
        for (count, expected) in [(0, "0 patients"), (1, "1 patient"), (1_234_567, "1,234,567 patients")] {
            assert_eq!(count_text(count, "patient"), expected);
        }
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a valid instant");
        for (then, expected) in [
            ("2026-11-21T07:59:58Z", "just now"),
            ("2026-11-21T07:55:00Z", "5 minutes ago"),
            ("2026-11-20T08:00:00Z", "1 day ago"),
            ("2026-11-21T10:30:00Z", "in 2 hours"),
        ] {
            let then: Timestamp = then.parse().expect("a valid instant");
            assert_eq!(age_text(then, now), expected);
        }
    }
}
