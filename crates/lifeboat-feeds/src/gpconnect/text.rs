//! A document's bytes as JSON, without what copying and templates put around it.

use serde_json::Value;

use crate::problem::{Problem, Reason};

/// Reads a document.
///
/// # Errors
/// It is not JSON, or nested more deeply than any record.
pub(super) fn parse(document: &[u8], problems: &mut Vec<Problem>) -> Result<Value, Problem> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let text = String::from_utf8_lossy(document);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        problems.push(Problem::whole(Reason::Unreadable("some characters are not UTF-8".to_owned())));
    }
    let bare = without_junk(&text);
    if bare.is_empty() {
        return Err(Problem::whole(Reason::Malformed("the document is empty".to_owned())));
    }
    serde_json::from_str(bare).map_err(|error| {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Eof => "the JSON is cut short",
            _ => "the document is not JSON, or is nested too deeply",
        };
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::at(place, Reason::Malformed(what.to_owned()))
    })
}

/// Returns the text from its first JSON value on, without template tags (`{% … %}`) before and after.
fn without_junk(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix("{%") {
        let Some(end) = rest.find("%}") else { return text };
        text = rest[end + 2..].trim_start();
    }
    while text.ends_with("%}") {
        let Some(start) = text.rfind("{%") else { return text };
        text = text[..start].trim_end();
    }
    match text.find(['{', '[']) {
        Some(start) => &text[start..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_stands_around_a_document_is_left_out() {
        let cases = [
            "{\"a\":1}",
            "\u{feff}{\"a\":1}",
            "{% highlight json %}\n{\"a\":1}\n{% endhighlight %}\n",
            "HTTP/1.1 200 OK\nContent-Type: application/fhir+json\n\n{\"a\":1}",
        ];
        for text in cases {
            let mut problems = Vec::new();
            let value = parse(text.as_bytes(), &mut problems).expect("JSON");
            assert_eq!((value["a"].as_i64(), problems.len()), (Some(1), 0), "{text}");
        }
        for text in ["", "  ", "{% highlight", "%}", "{\"a\":", "{\"a\":{{x}}}", "\0"] {
            assert!(parse(text.as_bytes(), &mut Vec::new()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes(), &mut Vec::new()).is_err());
    }

    #[test]
    fn what_is_not_utf_8_is_read_and_reported() {
        let mut problems = Vec::new();
        assert!(parse(b"{\"a\":\"\xff\"}", &mut problems).is_ok());
        assert_eq!(problems.len(), 1);
    }
}
