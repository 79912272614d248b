//! Names of people as the NHS shows them: `SMITH, John (Mr)`.

use super::datatypes;
use super::node::At;

/// The names of one patient, sorted by what they are for.
#[derive(Default)]
pub(crate) struct Names {
    /// The name to show.
    pub(crate) shown: Option<String>,
    /// The name that the patient prefers.
    pub(crate) preferred: Option<String>,
    /// Earlier and other names, with their use.
    pub(crate) others: Vec<(String, String)>,
}

/// Sorts the names of a Patient.
pub(crate) fn names_of(names: At<'_>) -> Names {
    let all: Vec<At<'_>> = names.items().collect();
    let rank = |name: At<'_>| match name.field("use").peek() {
        _ if name.path(&["period", "end"]).exists() => 4,
        Some("official") => 0,
        Some("usual") => 1,
        None => 2,
        Some("temp" | "anonymous") => 3,
        Some("nickname" | "old" | "maiden") => 5,
        Some(_) => 3,
    };
    let Some(best) = all.iter().copied().enumerate().min_by_key(|(at, name)| (rank(*name), *at)) else {
        return Names::default();
    };
    let mut sorted = Names { shown: formal(best.1), ..Names::default() };
    best.1.field("use").mark();
    for (at, name) in all.iter().copied().enumerate() {
        let purpose = name.field("use").peek().unwrap_or("other");
        if at == best.0 {
            continue;
        }
        match purpose {
            "nickname" | "usual" if sorted.preferred.is_none() => {
                name.field("use").mark();
                sorted.preferred = spoken(name);
            }
            _ => {
                let words = super::leftover::label(name.field("use").text().unwrap_or(purpose));
                let period = datatypes::period(name.field("period")).map(|period| format!(" ({period})"));
                let said = formal(name).unwrap_or_default();
                sorted.others.push((words, said + &period.unwrap_or_default()));
            }
        }
    }
    sorted
}

/// Returns a name as the banner shows it; a name that has no parts is shown as it is.
pub(crate) fn formal(name: At<'_>) -> Option<String> {
    let family = name.field("family").text();
    let given = parts(name, "given");
    let title = parts(name, "prefix");
    let suffix = parts(name, "suffix");
    let text = name.field("text");
    if family.is_none() && given.is_none() {
        return text.text().map(str::to_owned);
    }
    // The parts say what the text says; one that differs is listed with what is left.
    if text.peek().is_some_and(|text| is_made_of(text, family, given.as_deref())) {
        text.mark();
    }
    let mut shown = match (family, given) {
        (Some(family), Some(given)) => format!("{}, {given}", family.to_uppercase()),
        (Some(family), None) => family.to_uppercase(),
        (None, given) => given.unwrap_or_default(),
    };
    for part in [title, suffix].into_iter().flatten() {
        shown.push_str(&format!(" ({})", part.trim_end_matches('.')));
    }
    Some(shown)
}

/// Returns a name in the order in which it is spoken.
pub(crate) fn spoken(name: At<'_>) -> Option<String> {
    let name = name.items().next()?;
    if let Some(text) = name.field("text").text() {
        let said = text.to_owned();
        for part in ["prefix", "given", "family", "suffix"] {
            let all_said =
                name.field(part).items().all(|word| word.peek().is_some_and(|word| said.contains(word)));
            if all_said {
                name.field(part).mark();
            }
        }
        return Some(said);
    }
    let words: Vec<String> =
        ["prefix", "given", "family", "suffix"].iter().filter_map(|part| parts(name, part)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn parts(name: At<'_>, part: &str) -> Option<String> {
    let words: Vec<&str> = name.field(part).items().filter_map(At::text).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn is_made_of(text: &str, family: Option<&str>, given: Option<&str>) -> bool {
    let text = text.to_lowercase();
    [family, given].into_iter().flatten().all(|part| text.contains(&part.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::super::node;
    use super::*;

    #[test]
    fn names_are_shown_family_first_and_in_capitals() {
        let cases = [
            (r#"{"family":"Smith","given":["John"],"prefix":["Mr"]}"#, "SMITH, John (Mr)"),
            (
                r#"{"family":"O'Brien-Ní Dhónaill","given":["Máire","Anne"],"prefix":["Dr."]}"#,
                "O'BRIEN-NÍ DHÓNAILL, Máire Anne (Dr)",
            ),
            (r#"{"family":"Straße"}"#, "STRASSE"),
            (r#"{"given":["Baby"]}"#, "Baby"),
            (r#"{"text":"A person whose name has no parts"}"#, "A person whose name has no parts"),
            (r#"{"family":"Jones","given":["Sam"],"text":"Mr Sam Jones"}"#, "JONES, Sam"),
            (r#"{"family":"Jones","given":["Sam"],"suffix":["OBE"]}"#, "JONES, Sam (OBE)"),
        ];
        for (json, expected) in cases {
            let tree = node::parse(json.as_bytes()).unwrap();
            assert_eq!(formal(At::root(&tree)).as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_official_name_is_shown_and_the_others_are_kept() {
        let json = br#"[
            {"use":"maiden","family":"Old"},
            {"use":"usual","given":["Jo"]},
            {"use":"official","family":"New","given":["Joanna"]},
            {"use":"official","family":"Former","period":{"end":"2010-05"}}
        ]"#;
        let tree = node::parse(json).unwrap();
        let names = names_of(At::root(&tree));
        assert_eq!(names.shown.as_deref(), Some("NEW, Joanna"));
        assert_eq!(names.preferred.as_deref(), Some("Jo"));
        assert_eq!(
            names.others,
            [
                ("Maiden".to_owned(), "OLD".to_owned()),
                ("Official".to_owned(), "FORMER (until May-2010)".to_owned())
            ]
        );
    }
}
