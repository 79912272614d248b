//! The rules of `docs/STYLE.md` that a program can check.
//!
//! Each test gathers everything that breaks its rule before it fails, so that one run shows all of it.

mod crates;
mod dependencies;
mod lexer;
mod modules;
mod pages;
mod reference;
mod rust;
mod tree;

/// Fails with all findings, one to a line.
#[track_caller]
fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n  {}\n", findings.join("\n  "));
}
