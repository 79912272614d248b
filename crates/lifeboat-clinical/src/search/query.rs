//! What somebody typed into the one search box, understood as terms that must all match.
//!
//! A term may mean several things (`1980` is a year of birth or the end of a telephone number); it
//! matches when one of its meanings does.

use jiff::civil::Date;

use super::fold;
use crate::nhs_number;

/// More words than these are not looked at.
const TOKENS_MAX: usize = 16;
/// How many hits a query gives unless it says otherwise.
pub const HITS_MAX: usize = 50;

/// Words that say what follows and match nobody.
const UNSAID: &[&str] = &[
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "rev", "master", "dob", "nhs", "tel", "phone", "postcode",
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A search.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    pub(crate) terms: Vec<Term>,
    pub(crate) hits_max: usize,
}

/// One thing that must match, in any of its meanings.
pub(crate) type Term = Vec<Meaning>;

/// What a term may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Born on that day, in that month, or in that year; zero stands for any.
    Born { year: i16, month: i8, day: i8 },
    /// An NHS number that begins with these digits.
    Nhs(String),
    /// A telephone number that begins or ends with these digits, without the leading zero or country code.
    Phone(String),
    /// A postcode that begins so, in lower case without space.
    Postcode(String),
    /// A word of a name or an address.
    Word(String),
    /// Two words that may be one in a name, such as `mc donald`.
    Joined(String),
}

impl Query {
    /// Understands `text`.
    pub fn new(text: &str) -> Self {
        let tokens: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':'))
            .filter(|token| !token.is_empty())
            .take(TOKENS_MAX)
            .collect();
        let mut terms: Vec<Term> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let longest = (tokens.len() - at).min(4);
            let group = (1..=longest).rev().find_map(|take| Some((take, recognise(&tokens[at..at + take])?)));
            match group {
                Some((take, term)) => {
                    terms.push(term);
                    at += take;
                }
                None => {
                    terms.extend(fold::words(tokens[at]).into_iter().map(word_term));
                    at += 1;
                }
            }
        }
        let said: Vec<Term> = terms.iter().filter(|term| !is_unsaid(term)).cloned().collect();
        let mut terms = if said.is_empty() { terms } else { said };
        join_neighbours(&mut terms);
        Self { terms, hits_max: HITS_MAX }
    }

    /// Chooses how many hits to return at most.
    #[must_use]
    pub fn with_hits_max(self, hits_max: usize) -> Self {
        Self { hits_max, ..self }
    }

    /// Says whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query {{ terms: {}, redacted }}", self.terms.len())
    }
}

fn is_unsaid(term: &Term) -> bool {
    matches!(term.first(), Some(Meaning::Word(word)) if UNSAID.contains(&word.as_str()))
}

/// Lets two words that stand together match a name written as one.
fn join_neighbours(terms: &mut [Term]) {
    for at in 1..terms.len() {
        let (Some(Meaning::Word(one)), Some(Meaning::Word(other))) =
            (terms[at - 1].first(), terms[at].first())
        else {
            continue;
        };
        let joined = Meaning::Joined(format!("{one}{other}"));
        terms[at - 1].push(joined.clone());
        terms[at].push(joined);
    }
}

/// Understands tokens that belong together as one term.
fn recognise(tokens: &[&str]) -> Option<Term> {
    let dates = date(tokens);
    if !dates.is_empty() && tokens.len() > 1 {
        return Some(dates);
    }
    if let [token] = tokens {
        if !dates.is_empty() && !token.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(dates);
        }
        return number(&[token], dates).or_else(|| postcode(tokens));
    }
    number(tokens, Vec::new()).or_else(|| postcode(tokens))
}

/// Understands tokens of digits as an NHS number or a telephone number.
fn number(tokens: &[&str], dates: Term) -> Option<Term> {
    let text: String = tokens.concat();
    let is_number =
        text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '(' | ')' | '-' | '.' | '/'));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !is_number || digits.is_empty() {
        return None;
    }
    let national = national(&text);
    let is_phone =
        (text.starts_with(['+', '0']) || text.starts_with("(0")) && (9..=12).contains(&national.len());
    if let [a, b, c] = tokens
        && (a.len(), b.len(), c.len()) == (3, 3, 4)
        && !is_phone
    {
        return Some(vec![Meaning::Nhs(digits)]);
    }
    if tokens.len() > 1 {
        let is_nhs = nhs_number::valid(&digits);
        let mut term = Vec::new();
        term.extend(is_nhs.then_some(Meaning::Nhs(digits)));
        term.extend(is_phone.then_some(Meaning::Phone(national)));
        return (!term.is_empty()).then_some(term);
    }
    let mut term = dates;
    if !text.starts_with('+') && (3..=10).contains(&digits.len()) {
        term.push(Meaning::Nhs(digits.clone()));
    }
    if national.len() > 3 {
        term.push(Meaning::Phone(national));
    }
    if digits.len() < 7 {
        term.push(Meaning::Word(digits));
    }
    (!term.is_empty()).then_some(term)
}

/// Returns the digits of a telephone number without country code and leading zero.
pub(crate) fn national(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plus = text.trim_start().starts_with('+');
    let rest = if let Some(rest) = digits.strip_prefix("0044") {
        rest
    } else if let (true, Some(rest)) = (plus || digits.len() > 11, digits.strip_prefix("44")) {
        rest
    } else {
        digits.as_str()
    };
    rest.trim_start_matches('0').to_owned()
}

/// Understands tokens as a postcode or the first part of one.
fn postcode(tokens: &[&str]) -> Option<Term> {
    match tokens {
        [outward, inward] if is_outward(outward) && is_inward_begun(inward) => {
            Some(vec![Meaning::Postcode(compact_postcode(&tokens.concat()))])
        }
        [token] => {
            let compact = compact_postcode(token);
            let split = compact.len().checked_sub(3).and_then(|at| compact.split_at_checked(at));
            let is_whole = split.is_some_and(|(outward, inward)| {
                is_outward(outward) && is_inward_begun(inward) && inward.len() == 3
            });
            let is_part = is_outward(token);
            (is_whole || is_part).then(|| {
                let word = Meaning::Word(fold::fold(token));
                vec![word, Meaning::Postcode(compact)]
            })
        }
        _ => None,
    }
}

/// Returns a postcode in lower case without space.
pub(crate) fn compact_postcode(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_outward(text: &str) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let rest = &text.as_bytes()[letters..];
    (1..=2).contains(&letters)
        && (1..=2).contains(&rest.len())
        && rest[0].is_ascii_digit()
        && rest.iter().all(u8::is_ascii_alphanumeric)
}

fn is_inward_begun(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=3).contains(&bytes.len())
        && bytes[0].is_ascii_digit()
        && bytes[1..].iter().all(u8::is_ascii_alphabetic)
}

fn word_term(word: String) -> Term {
    vec![Meaning::Word(word)]
}

/// Understands tokens as a date of birth in British spellings, to the day, the month or the year.
fn date(tokens: &[&str]) -> Vec<Meaning> {
    let parts: Vec<&str> = match tokens {
        [token] => token.split(['/', '-', '.']).collect(),
        more if more.len() <= 3
            && more.iter().all(|token| token.bytes().all(|b| b.is_ascii_alphanumeric())) =>
        {
            more.to_vec()
        }
        _ => return Vec::new(),
    };
    match parts.as_slice() {
        [digits] => year(digits).map(|year| born(year, 0, 0)).chain(packed(digits)).collect(),
        [first, second] => match (month(first), month(second)) {
            (Some(month), _) if second.len() == 4 => year(second).map(|year| born(year, month, 0)).collect(),
            (_, Some(month)) if first.len() == 4 => year(first).map(|year| born(year, month, 0)).collect(),
            _ => Vec::new(),
        },
        [first, second, third] if year(first).next().is_some() => exact(third, second, first),
        [first, second, third] => exact(first, second, third),
        _ => Vec::new(),
    }
}

fn born(year: i16, month: i8, day: i8) -> Meaning {
    Meaning::Born { year, month, day }
}

fn exact(day: &str, month_text: &str, year_text: &str) -> Vec<Meaning> {
    let day_digits = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let day = day_digits.parse::<i8>().ok().filter(|_| day_digits.len() <= 2);
    let Some((day, month)) = day.zip(month(month_text)) else { return Vec::new() };
    years(year_text)
        .filter(|year| Date::new(*year, month, day).is_ok())
        .map(|year| born(year, month, day))
        .collect()
}

/// Understands eight digits as a date without separators.
fn packed(digits: &str) -> Vec<Meaning> {
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut meanings = exact(&digits[..2], &digits[2..4], &digits[4..]);
    meanings.extend(exact(&digits[6..], &digits[4..6], &digits[..4]));
    meanings
}

fn month(text: &str) -> Option<i8> {
    if text.len() <= 2 {
        return text.parse().ok().filter(|month| (1..=12).contains(month));
    }
    let text = text.to_ascii_lowercase();
    let at =
        MONTHS.iter().position(|month| text.len() >= 3 && (month.starts_with(&text) || text == "sept"))?;
    let at = if text == "sept" { 8 } else { at };
    i8::try_from(at + 1).ok()
}

/// Returns the years that four digits mean.
fn year(text: &str) -> impl Iterator<Item = i16> + use<> {
    let all_digits = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    let year = text.parse::<i16>().ok().filter(|year| all_digits && (1880..=2100).contains(year));
    year.into_iter()
}

/// Returns the years that four or two digits mean; two leave the century open.
fn years(text: &str) -> impl Iterator<Item = i16> + use<> {
    let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let short = text.parse::<i16>().ok().filter(|_| two);
    year(text).chain(short.into_iter().flat_map(|year| [1900 + year, 2000 + year]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Term {
        let query = Query::new(text);
        assert_eq!(query.terms.len(), 1, "{text} is one term");
        query.terms[0].clone()
    }

    #[test]
    fn dates_of_birth_are_understood_in_british_spellings() {
        let exact = born(1980, 8, 14);
        for text in [
            "14/08/1980",
            "14/8/1980",
            "14-Aug-1980",
            "14-08-1980",
            "14.8.80",
            "14 Aug 1980",
            "14 august 1980",
            "14th Aug 1980",
            "1980-08-14",
            "14/8/80",
            "14 08 1980",
            "14081980",
            "19800814",
        ] {
            assert!(one(text).contains(&exact), "{text}: {:?}", one(text));
        }
        for text in ["Aug 1980", "august 1980", "08/1980", "1980-08", "8.1980"] {
            assert_eq!(one(text), [born(1980, 8, 0)], "{text}");
        }
        assert!(one("1980").contains(&born(1980, 0, 0)));
        assert_eq!(one("3/9/15"), [born(1915, 9, 3), born(2015, 9, 3)]);
        assert!(one("5 Sept 1999").contains(&born(1999, 9, 5)));
        for text in ["08/14/1980", "31/02/1980", "99/99/9999"] {
            assert!(
                !Query::new(text).terms.concat().iter().any(|m| matches!(m, Meaning::Born { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_are_understood_with_and_without_spaces() {
        let nhs = Meaning::Nhs("9990000018".to_owned());
        for text in ["9990000018", "999 000 0018", "999-000-0018", "999000 0018"] {
            assert!(one(text).contains(&nhs), "{text}");
        }
        let phone = Meaning::Phone("7700900123".to_owned());
        for text in [
            "07700900123",
            "07700 900123",
            "07700 900 123",
            "+44 7700 900123",
            "+447700900123",
            "00447700900123",
            "07700-900123",
        ] {
            assert!(one(text).contains(&phone), "{text}: {:?}", one(text));
        }
        assert!(one("020 7946 0123").contains(&Meaning::Phone("2079460123".to_owned())));
        assert!(one("900123").contains(&Meaning::Phone("900123".to_owned())));
        assert_eq!(one("999 000 0019"), [Meaning::Nhs("9990000019".to_owned())]);
    }

    #[test]
    fn postcodes_are_understood_with_and_without_space() {
        for (text, compact) in [
            ("ZZ99 1AA", "zz991aa"),
            ("zz991aa", "zz991aa"),
            ("ZZ99", "zz99"),
            ("e1 6", "e16"),
            ("EC1A 1BB", "ec1a1bb"),
        ] {
            assert!(one(text).contains(&Meaning::Postcode(compact.to_owned())), "{text}");
        }
    }

    #[test]
    fn several_terms_in_one_box_are_told_apart() {
        let query = Query::new("Mrs O'Brien, siobhán 14.8.80 ZZ99 1AA 07700 900123");
        let first: Vec<Meaning> = query.terms.iter().map(|term| term[0].clone()).collect();
        assert_eq!(
            first,
            [
                Meaning::Word("obrien".to_owned()),
                Meaning::Word("siobhan".to_owned()),
                born(1980, 8, 14),
                Meaning::Postcode("zz991aa".to_owned()),
                Meaning::Phone("7700900123".to_owned()),
            ]
        );
        assert!(query.terms[0].contains(&Meaning::Joined("obriensiobhan".to_owned())));
        assert!(Query::new(" ,; ").is_empty());
        assert_eq!(Query::new("miss").terms.len(), 1, "a word that is all there is counts");
    }
}
