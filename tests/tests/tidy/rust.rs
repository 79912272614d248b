//! Rules about Rust files, read token by token.

use super::assert_none;
use super::lexer::{Placed, tokens};
use super::tree::{SourceFile, files};

/// The longest a file may be.
const FILE_LINES_MAX: usize = 700;
/// The longest a function may be: one screen.
const FUNCTION_LINES_MAX: usize = 70;
/// Module names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "misc"];
/// The folders in which `async` may stand: async is for waiting.
const ASYNC_ALLOWED: [&str; 3] = ["crates/lifeboat-replica/", "crates/lifeboat/", "crates/lifeboat-viewer/"];
/// What the viewer must not be able to name: everything of `lifeboat-replica` that writes.
const WRITERS: [&str; 4] = ["Writer", "Spool", "replicate", "durable"];

#[test]
fn no_file_is_longer_than_can_be_read() {
    let findings: Vec<String> = files(".rs")
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines, at most {FILE_LINES_MAX}", file.path))
        .collect();
    assert_none("files are short", &findings);
}

#[test]
fn every_function_fits_on_a_screen() {
    let mut findings = Vec::new();
    for file in files(".rs").into_iter().filter(|file| !is_test(file)) {
        for function in functions(&tokens(&file.text)) {
            let lines = function.last - function.first + 1;
            if lines > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{}:{}: `{}` has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    file.path, function.first, function.name
                ));
            }
        }
    }
    assert_none("functions are short", &findings);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let findings: Vec<String> = files(".rs")
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.split('/').any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"))))
        .collect();
    assert_none("modules are named for what they hold", &findings);
}

#[test]
fn no_public_function_name_starts_with_get() {
    let mut findings = Vec::new();
    for file in files(".rs") {
        for function in functions(&tokens(&file.text)) {
            if function.is_public && function.name.starts_with("get_") {
                findings.push(format!("{}:{}: `{}`", file.path, function.first, function.name));
            }
        }
    }
    assert_none("functions are named without `get_`", &findings);
}

#[test]
fn every_file_starts_by_saying_what_it_is_for() {
    let findings: Vec<String> = files(".rs")
        .into_iter()
        .filter(|file| !is_test(file) && !file.text.starts_with("//!"))
        .map(|file| file.path)
        .collect();
    assert_none("the first line is the module's documentation", &findings);
}

#[test]
fn async_stands_only_where_there_is_something_to_wait_for() {
    let outside = |file: &SourceFile| !ASYNC_ALLOWED.iter().any(|folder| file.path.starts_with(folder));
    let findings = words_in(outside, &["async", "await"]);
    assert_none("async is in lifeboat-replica, lifeboat and lifeboat-viewer only", &findings);
}

#[test]
fn the_viewer_cannot_name_a_writer() {
    let viewer = |file: &SourceFile| file.path.starts_with("crates/lifeboat-viewer/src/");
    assert_none("the viewer reads only", &words_in(viewer, &WRITERS));
}

#[test]
fn no_test_is_ignored() {
    let findings: Vec<String> = files(".rs")
        .into_iter()
        .flat_map(|file| {
            let tokens = tokens(&file.text);
            let ignored = tokens.windows(3).filter(|window| {
                window[0].is_mark('#') && window[1].is_mark('[') && window[2].is_word("ignore")
            });
            ignored.map(|window| format!("{}:{}", file.path, window[0].line)).collect::<Vec<_>>()
        })
        .collect();
    assert_none("tests run or do not exist", &findings);
}

/// Returns every place in the chosen files where one of `words` stands.
fn words_in(chosen: impl Fn(&SourceFile) -> bool, words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files(".rs").into_iter().filter(chosen) {
        for placed in tokens(&file.text) {
            if let Some(word) = placed.word().filter(|word| words.contains(word)) {
                findings.push(format!("{}:{}: `{word}`", file.path, placed.line));
            }
        }
    }
    findings
}

/// Returns whether a file holds tests and nothing else; a table of cases may be as long as there are cases.
fn is_test(file: &SourceFile) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

/// A function with a body.
struct Function {
    name: String,
    is_public: bool,
    first: usize,
    last: usize,
}

/// Returns all functions with a body, nested ones too.
fn functions(tokens: &[Placed]) -> Vec<Function> {
    let mut found = Vec::new();
    for at in 0..tokens.len().saturating_sub(1) {
        let Some(name) = tokens[at].is_word("fn").then(|| tokens[at + 1].word()).flatten() else { continue };
        let Some(body) = body_of(&tokens[at..]) else { continue };
        let before = tokens[..at].iter().rev();
        let mut before = before.skip_while(|token| ["async", "const"].iter().any(|word| token.is_word(word)));
        let is_public = before.next().is_some_and(|token| token.is_word("pub") || token.is_mark(')'));
        found.push(Function { name: name.to_owned(), is_public, first: tokens[at].line, last: body });
    }
    found
}

/// Returns the last line of the body of the function that `tokens` start with, if it has one.
fn body_of(tokens: &[Placed]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut inside = false;
    for placed in tokens {
        if placed.is_mark('{') && depth == 0 {
            inside = true;
        }
        if placed.is_mark(';') && depth == 0 {
            return None;
        }
        if "({[".chars().any(|mark| placed.is_mark(mark)) {
            depth += 1;
        }
        if ")}]".chars().any(|mark| placed.is_mark(mark)) {
            depth = depth.checked_sub(1)?;
            if depth == 0 && inside {
                return Some(placed.line);
            }
        }
    }
    None
}

#[test]
fn functions_are_found_with_their_first_and_last_line() {
    let source = "trait T { fn a(&self); }\npub async fn b(x: [u8; 2]) -> u8 {\n  fn c() {}\n  x[0]\n}\n";
    let found: Vec<(String, bool, usize, usize)> = functions(&tokens(source))
        .into_iter()
        .map(|function| (function.name, function.is_public, function.first, function.last))
        .collect();
    assert_eq!(found, [("b".to_owned(), true, 2, 5), ("c".to_owned(), false, 3, 3)]);
}
