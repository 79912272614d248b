//! Rules about what is written for people: no dead links, nothing postponed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::assert_none;
use super::tree::{SourceFile, files, root};

/// Endings of the files that people read.
const READ_BY_PEOPLE: [&str; 6] = [".md", ".rs", ".toml", ".sh", ".service", ".yml"];

#[test]
fn no_relative_link_is_dead() {
    let pages = files(".md");
    let mut findings = Vec::new();
    for page in &pages {
        let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
        for (line, link) in links(&page.text) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { PathBuf::from(&page.path) } else { normal(&folder.join(file)) };
            if !root().join(&target).exists() {
                findings.push(format!("{}:{line}: {link}", page.path));
                continue;
            }
            let linked = pages.iter().find(|other| Path::new(&other.path) == target);
            if let (false, Some(linked)) = (heading.is_empty(), linked)
                && !headings(linked).contains(heading)
            {
                findings.push(format!("{}:{line}: no such heading: {link}", page.path));
            }
        }
    }
    assert_none("links lead somewhere", &findings);
}

#[test]
fn nothing_is_postponed() {
    // Put together from halves, so that this file does not break its own rule.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("for", " now")];
    let mut findings = Vec::new();
    for file in READ_BY_PEOPLE.iter().flat_map(|ending| files(ending)) {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: {word}", file.path, at + 1));
            }
        }
    }
    assert_none("do it, or say plainly that it is not done", &findings);
}

/// Returns the links of a page that stay inside the project, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in outside_code(text) {
        let mut rest = line.as_str();
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let link = rest[..end].split_whitespace().next().unwrap_or_default();
            let leaves = link.contains("://") || link.starts_with("mailto:");
            if !leaves {
                found.push((at, link.trim_matches(['<', '>']).to_owned()));
            }
            rest = &rest[end..];
        }
    }
    found
}

/// Returns the lines outside code, with code spans taken out of them.
fn outside_code(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.push((at + 1, line.split('`').step_by(2).collect()));
        }
    }
    found
}

/// Returns the anchors of a page's headings, as code hosts make them.
fn headings(page: &SourceFile) -> BTreeSet<String> {
    let anchor = |heading: &str| {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect::<String>()
    };
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in page.text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if line.starts_with('#') && !fenced {
            found.insert(anchor(line.trim_start_matches('#')));
        }
    }
    found
}

/// Takes `.` and `..` out of a relative path.
fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::Normal(name) => clean.push(name),
            _ => {}
        }
    }
    clean
}

#[test]
fn links_are_found_outside_code_only() {
    let page = "[a](x.md#y) `[b](no)` ![c](d.png \"title\") [e](https://f)\n```\n[g](no)\n```\n";
    let found: Vec<String> = links(page).into_iter().map(|(_, link)| link).collect();
    assert_eq!(found, ["x.md#y", "d.png"]);
}
