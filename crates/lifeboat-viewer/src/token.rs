//! Random names that cannot be guessed: session secrets, launch tokens, page handles, the host name.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// 128 random bits as 32 lowercase hexadecimal digits; compared in constant time, never printed by `Debug`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Makes a fresh token from the operating system's randomness.
    pub fn random() -> Result<Self, RandomError> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(RandomError)?;
        let text = hex(&bytes);
        bytes.zeroize();
        Ok(Self(text))
    }

    /// Returns the token's digits, to put into a cookie, a form or an address.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Says whether `offered` is this token, in time that depends on the length alone.
    pub fn matches(&self, offered: &str) -> bool {
        self.0.as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("read randomness from the operating system")]
pub struct RandomError(#[source] getrandom::Error);

/// Writes bytes as lowercase hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_match_themselves_and_stay_out_of_debug_output() {
        let (one, two) = (Token::random().expect("randomness"), Token::random().expect("randomness"));
        assert_ne!(one.reveal(), two.reveal());
        assert!(one.matches(one.reveal()) && !one.matches(two.reveal()) && !one.matches(""));
        assert_eq!(one.reveal().len(), 32);
        assert!(!format!("{one:?}").contains(one.reveal()));
    }
}
