//! Every dependency has a reason, a use and a licence that we can live with.

use std::collections::BTreeSet;

use super::assert_none;
use super::crates::metadata;
use super::tree::root;

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest can be read");
    let mut findings = Vec::new();
    let mut inside = false;
    let mut explained = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        }
        explained = line.starts_with('#') || (explained && !line.is_empty());
        let is_entry = inside && !line.starts_with(['#', '[']) && line.contains('=');
        if is_entry && !explained && !line.contains("path =") {
            findings.push(line.to_owned());
        }
    }
    assert_none("a comment above says why", &findings);
}

#[test]
fn every_dependency_of_the_workspace_is_used() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml"))
        .expect("the manifest can be read")
        .parse()
        .expect("the manifest is TOML");
    let declared = manifest["workspace"]["dependencies"].as_table().expect("a table");
    let foreign =
        declared.iter().filter(|(_, about)| about.get("path").is_none()).map(|(name, _)| name.clone());
    let used: BTreeSet<String> = metadata()
        .packages
        .iter()
        .filter(|package| package.source.is_none())
        .flat_map(|package| package.dependencies.iter().map(|one| one.name.clone()))
        .collect();
    let findings: Vec<String> = foreign.filter(|name| !used.contains(name)).collect();
    assert_none("no crate names these", &findings);
}

#[test]
fn every_licence_is_on_the_list() {
    let rules: toml::Table = std::fs::read_to_string(root().join("deny.toml"))
        .expect("deny.toml can be read")
        .parse()
        .expect("deny.toml is TOML");
    let allowed: BTreeSet<&str> = rules["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let used: BTreeSet<_> =
        metadata().resolve.iter().flat_map(|graph| &graph.nodes).map(|node| &node.id).collect();
    let mut findings = Vec::new();
    for package in metadata().packages.iter().filter(|package| used.contains(&package.id)) {
        let licence = package.license.as_deref().unwrap_or("none given");
        if !is_allowed(licence, &allowed) {
            findings.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    assert_none("licences are those of deny.toml", &findings);
}

/// Returns whether an SPDX expression can be met with licences that are allowed.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    // Parentheses stand alone after this, and the old way of writing "or" is turned into the new one.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

/// Reads alternatives, of which one must be allowed.
fn any_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut verdict = all_of(rest, allowed);
    while rest.first() == Some(&"OR") {
        *rest = &rest[1..];
        verdict |= all_of(rest, allowed);
    }
    verdict
}

/// Reads requirements, which must all be allowed.
fn all_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut verdict = one(rest, allowed);
    while rest.first() == Some(&"AND") {
        *rest = &rest[1..];
        verdict &= one(rest, allowed);
    }
    verdict
}

/// Reads one licence, with its exception, or a group in parentheses.
fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let Some((first, others)) = rest.split_first() else { return false };
    *rest = others;
    if *first == "(" {
        let verdict = any_of(rest, allowed);
        let closed = rest.first() == Some(&")");
        *rest = rest.get(1..).unwrap_or_default();
        return verdict && closed;
    }
    if let ["WITH", exception, others @ ..] = rest {
        let whole = format!("{first} WITH {exception}");
        *rest = others;
        return allowed.contains(whole.as_str());
    }
    allowed.contains(first)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]);
    let check = |expression: &str, expected: bool| {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    };
    check("MIT", true);
    check("GPL-3.0-only", false);
    check("GPL-3.0-only OR MIT", true);
    check("MIT AND GPL-3.0-only", false);
    check("MIT/Apache-2.0", true);
    check("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true);
    check("(MIT OR GPL-2.0-only) AND Apache-2.0", true);
    check("(GPL-2.0-only OR ISC) AND MIT", false);
    check("", false);
}
