//! Folding of words, so that `Łukaszewicz`, `lukaszewicz` and `LUKASZEWICZ` are one.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters that people write as an apostrophe.
const APOSTROPHES: &[char] = &['\'', '\u{2019}', '\u{2018}', '\u{2bc}', '`', '\u{b4}', '\u{2bb}'];

/// Returns `text` in lower case, without marks, with letters that have no plain form spelt out.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if text.is_ascii() {
        folded.push_str(text);
        folded.make_ascii_lowercase();
        return folded;
    }
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        for lower in character.to_lowercase() {
            match lower {
                'ł' => folded.push('l'),
                'ø' => folded.push('o'),
                'đ' | 'ð' => folded.push('d'),
                'ı' => folded.push('i'),
                'ħ' => folded.push('h'),
                'ŧ' => folded.push('t'),
                'ß' => folded.push_str("ss"),
                'æ' => folded.push_str("ae"),
                'œ' => folded.push_str("oe"),
                'þ' => folded.push_str("th"),
                lower if is_combining_mark(lower) => {}
                lower => folded.push(lower),
            }
        }
    }
    folded
}

/// Returns the folded words of `text`; apostrophes join, everything else that is no letter or digit parts.
pub(crate) fn words(text: &str) -> Vec<String> {
    let joined: String = text.chars().filter(|character| !APOSTROPHES.contains(character)).collect();
    let folded = fold(&joined);
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Returns the words under which a name is found: its parts, what follows an apostrophe, and all in one.
pub(crate) fn name_words(name: &str) -> Vec<String> {
    let mut found = words(name);
    if found.len() > 1 {
        found.push(found.concat());
    }
    for tail in name.split(APOSTROPHES).skip(1) {
        found.extend(words(tail).into_iter().next().filter(|word| word.chars().count() > 2));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Says whether `one` becomes `other` by changing, adding, leaving out or swapping one letter.
pub(crate) fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    let (short, long) = (&short[same..], &long[same..]);
    match (short, long) {
        ([], _) => true,
        _ if short.len() < long.len() => *short == long[1..],
        ([a, b, rest @ ..], [c, d, others @ ..]) if a == d && b == c => rest == others,
        _ => short[1..] == long[1..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_to_plain_letters() {
        let cases: &[(&str, &[&str])] = &[
            ("Łukaszewicz", &["lukaszewicz"]),
            ("O’Brien-Ní  Dhónaill", &["obrien", "ni", "dhonaill"]),
            ("Straße ØSTERGÅRD", &["strasse", "ostergard"]),
            ("Çağatay Işık", &["cagatay", "isik"]),
            ("İpek", &["ipek"]),
            ("Olúfẹ́mi Nguyễn Đức", &["olufemi", "nguyen", "duc"]),
            ("St. Rose", &["st", "rose"]),
            ("Æthelred", &["aethelred"]),
            ("王小明", &["王小明"]),
            ("--", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), *expected, "{text}");
        }
        assert_eq!(name_words("O'Brien-Ward"), ["brien", "obrien", "obrienward", "ward"]);
    }

    #[test]
    fn one_slip_of_the_finger_is_near() {
        let near = ["smith", "smth", "smmith", "smiht", "smiths", "smitj", "xmith", "mith"];
        for word in near {
            assert!(is_near("smith", word), "{word}");
            assert!(is_near(word, "smith"), "{word}");
        }
        for word in ["smit hs", "sm", "simthe", "htims", "smithers"] {
            assert!(!is_near("smith", word), "{word}");
        }
    }
}
