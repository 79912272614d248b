//! NHS numbers: ten digits, of which the last is a check digit modulo 11.

/// The FHIR identifier system of NHS numbers.
pub const NHS_NUMBER_SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// The object identifier of NHS numbers, as other systems name it.
pub const NHS_NUMBER_OID: &str = "2.16.840.1.113883.2.1.4.1";

/// Returns the ten digits of `text` when it is an NHS number: spaces and hyphens are allowed between
/// digits, and the check digit must be right.
pub fn parse(text: &str) -> Option<String> {
    let mut digits = String::with_capacity(10);
    for character in text.chars() {
        match character {
            '0'..='9' if digits.len() < 10 => digits.push(character),
            '0'..='9' => return None,
            ' ' | '-' | '\u{a0}' => {}
            _ => return None,
        }
    }
    valid(&digits).then_some(digits)
}

/// Says whether `digits` is exactly ten digits with the right check digit.
///
/// Ten equal digits pass the arithmetic for some digits but were never issued; they are refused,
/// because they are what people type when they do not know the number.
pub fn valid(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    if bytes.len() != 10 || !bytes.iter().all(u8::is_ascii_digit) {
        return false;
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return false;
    }
    check_digit(&bytes[..9]) == Some(bytes[9])
}

/// Returns the check digit, as an ASCII digit, of the first nine digits of an NHS number; `None` when
/// no number with those nine digits exists.
pub fn check_digit(nine: &[u8]) -> Option<u8> {
    if nine.len() != 9 || !nine.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum: u32 =
        nine.iter().zip((2..=10).rev()).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    match 11 - sum % 11 {
        11 => Some(b'0'),
        10 => None,
        digit => u8::try_from(digit).ok().map(|digit| b'0' + digit),
    }
}

/// Returns an NHS number as it is shown to people, `999 000 0000`; any other text comes back as it is.
pub fn format(digits: &str) -> String {
    let ten = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if ten { format!("{} {} {}", &digits[..3], &digits[3..6], &digits[6..]) } else { digits.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_accepted_only_with_the_right_check_digit() {
        let cases = [
            ("9434765919", Some("9434765919")),
            ("943 476 5919", Some("9434765919")),
            ("943-476-5919", Some("9434765919")),
            ("943\u{a0}476\u{a0}5919", Some("9434765919")),
            ("9990000018", Some("9990000018")),
            ("9434765918", None),
            ("0000000000", None),
            ("1111111111", None),
            ("943476591", None),
            ("94347659190", None),
            ("943476591x", None),
            ("९४३४७६५९१९", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nine_digits_without_a_check_digit_have_none() {
        let without = (0..1000u32)
            .map(|n| format!("999000{n:03}"))
            .find(|nine| check_digit(nine.as_bytes()).is_none())
            .expect("one number in eleven has no check digit");
        for last in '0'..='9' {
            assert!(!valid(&format!("{without}{last}")));
        }
        assert_eq!(check_digit(b"12"), None);
    }

    #[test]
    fn numbers_are_shown_in_groups_of_three_three_and_four() {
        assert_eq!(format("9434765919"), "943 476 5919");
        assert_eq!(format("not known"), "not known");
        assert_eq!(format("94347659é"), "94347659é");
    }
}
