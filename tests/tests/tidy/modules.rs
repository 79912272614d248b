//! No Rust file lies about without being compiled.

use std::collections::BTreeSet;
use std::path::Path;

use super::assert_none;
use super::crates::metadata;
use super::lexer::tokens;
use super::tree::{files, root};

#[test]
fn every_rust_file_belongs_to_a_target() {
    let mut reached = BTreeSet::new();
    let mut missing = Vec::new();
    for start in targets() {
        follow(&start, true, &mut reached, &mut missing);
    }
    let orphans = files(".rs").into_iter().map(|file| file.path).filter(|path| !reached.contains(path));
    let findings: Vec<String> =
        orphans.map(|path| format!("{path}: no `mod` leads here")).chain(missing).collect();
    assert_none("every file is compiled", &findings);
}

/// Returns the files that compilation starts from, relative to the root.
fn targets() -> Vec<String> {
    let mut starts: Vec<String> = metadata()
        .packages
        .iter()
        .filter(|package| package.source.is_none())
        .flat_map(|package| &package.targets)
        .filter_map(|target| target.src_path.strip_prefix(root()).ok().map(|path| path.as_str().to_owned()))
        .collect();
    // The fuzz targets are a workspace of their own, since they need another compiler's flags.
    if let Ok(text) = std::fs::read_to_string(root().join("fuzz/Cargo.toml")) {
        let manifest: toml::Table = text.parse().expect("fuzz/Cargo.toml is TOML");
        let binaries = manifest.get("bin").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let paths = binaries.iter().filter_map(|binary| binary.get("path").and_then(toml::Value::as_str));
        starts.extend(paths.map(|path| format!("fuzz/{path}")));
        if root().join("fuzz/src/lib.rs").is_file() {
            starts.push("fuzz/src/lib.rs".to_owned());
        }
    }
    starts
}

/// Adds `file` and every file that its `mod` lines lead to.
fn follow(file: &str, is_start: bool, reached: &mut BTreeSet<String>, missing: &mut Vec<String>) {
    if !reached.insert(file.to_owned()) {
        return;
    }
    let Ok(text) = std::fs::read_to_string(root().join(file)) else {
        missing.push(format!("{file}: cannot be read"));
        return;
    };
    let path = Path::new(file);
    let own = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let mut folder = path.parent().unwrap_or(Path::new("")).to_owned();
    if !is_start && own != "mod" {
        folder.push(own);
    }
    for module in declared(&text) {
        let beside = folder.join(format!("{module}.rs"));
        let inside = folder.join(&module).join("mod.rs");
        match [beside, inside].into_iter().find(|candidate| root().join(candidate).is_file()) {
            Some(next) => follow(&next.to_string_lossy(), false, reached, missing),
            None => missing.push(format!("{file}: `mod {module};` leads nowhere")),
        }
    }
}

/// Returns the modules that are declared to be in files of their own, as paths relative to the module's folder.
fn declared(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut within: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    for (at, placed) in tokens.iter().enumerate() {
        if placed.is_mark('{') {
            depth += 1;
        } else if placed.is_mark('}') {
            depth = depth.saturating_sub(1);
            within.retain(|(_, outer)| *outer < depth);
        }
        let (Some(name), Some(end)) = (tokens.get(at + 1).and_then(|next| next.word()), tokens.get(at + 2))
        else {
            continue;
        };
        if !placed.is_word("mod") {
            continue;
        }
        if end.is_mark('{') {
            within.push((name.to_owned(), depth));
        } else if end.is_mark(';') {
            let parents = within.iter().map(|(parent, _)| parent.as_str());
            found.push(parents.chain([name]).collect::<Vec<_>>().join("/"));
        }
    }
    found
}

#[test]
fn modules_are_found_inside_modules() {
    assert_eq!(declared("mod a; mod b { mod c; fn x() {} } pub mod d;"), ["a", "b/c", "d"]);
}
