//! Dependencies between our crates point at meaning.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand, Package};

use super::assert_none;
use super::tree::root;

/// Which of our crates each of our crates may depend on; a crate that is not listed may not exist.
const EDGES: [(&str, &[&str]); 9] = [
    ("lifeboat-format", &[]),
    ("lifeboat-clinical", &[]),
    ("lifeboat-feeds", &["lifeboat-clinical"]),
    ("lifeboat-plan", &["lifeboat-format"]),
    ("lifeboat-replica", &["lifeboat-format"]),
    (
        "lifeboat",
        &["lifeboat-format", "lifeboat-clinical", "lifeboat-feeds", "lifeboat-plan", "lifeboat-replica"],
    ),
    ("lifeboat-viewer", &["lifeboat-format", "lifeboat-clinical", "lifeboat-replica"]),
    (
        "lifeboat-tests",
        &[
            "lifeboat-format",
            "lifeboat-clinical",
            "lifeboat-feeds",
            "lifeboat-plan",
            "lifeboat-replica",
            "lifeboat",
            "lifeboat-viewer",
        ],
    ),
    ("xtask", &["lifeboat-format", "lifeboat-clinical", "lifeboat-feeds", "lifeboat-plan"]),
];

/// Crates that bring a runtime, a clock or input and output, and so have no place in the pure crates.
const IMPURE: [&str; 8] =
    ["tokio", "futures", "object_store", "rustix", "redb", "axum", "notify", "tracing-subscriber"];
/// The crates that are functions.
const PURE: [&str; 4] = ["lifeboat-format", "lifeboat-clinical", "lifeboat-feeds", "lifeboat-plan"];

/// Returns what cargo knows about the workspace and all its dependencies on this platform.
pub(crate) fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let platform = host_platform();
        let options = ["--locked", "--offline", "--filter-platform", &platform];
        MetadataCommand::new()
            .manifest_path(root().join("Cargo.toml"))
            .other_options(options.map(str::to_owned))
            .exec()
            .expect("cargo knows its own workspace")
    })
}

#[test]
fn crates_depend_only_on_what_they_may() {
    let mut findings = Vec::new();
    for package in ours() {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name.as_str()) else {
            findings.push(format!("{}: not in the table of crates", package.name));
            continue;
        };
        for edge in depends_on(package).filter(|edge| !allowed.contains(&edge.as_str())) {
            findings.push(format!("{} depends on {edge}", package.name));
        }
    }
    assert_none("only the edges of the design", &findings);
}

#[test]
fn the_pure_crates_bring_no_runtime_and_no_input_or_output() {
    let mut findings = Vec::new();
    for package in ours().filter(|package| PURE.contains(&package.name.as_str())) {
        let normal =
            package.dependencies.iter().filter(|one| one.kind == cargo_metadata::DependencyKind::Normal);
        for one in normal.filter(|one| IMPURE.contains(&one.name.as_str())) {
            findings.push(format!("{} depends on {}", package.name, one.name));
        }
    }
    assert_none("format, clinical and plan are functions", &findings);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut findings = Vec::new();
    for package in ours() {
        let text = std::fs::read_to_string(&package.manifest_path).expect("a manifest can be read");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if inherits != Some(&toml::Value::Boolean(true)) {
            findings.push(format!("{}: no `[lints] workspace = true`", package.name));
        }
    }
    assert_none("lints are set once", &findings);
}

/// Returns the platform that the compiler builds for, whose dependencies have been downloaded.
fn host_platform() -> String {
    let output =
        Command::new("rustc").args(["--version", "--verbose"]).output().expect("there is a compiler");
    let text = String::from_utf8(output.stdout).expect("the compiler speaks UTF-8");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("the compiler knows its host").to_owned()
}

/// Returns our own packages.
fn ours() -> impl Iterator<Item = &'static Package> {
    metadata().packages.iter().filter(|package| package.source.is_none())
}

/// Returns those of our crates that `package` names in its manifest, for whatever purpose.
fn depends_on(package: &Package) -> impl Iterator<Item = String> {
    let names: BTreeSet<String> = ours().map(|one| one.name.to_string()).collect();
    package.dependencies.iter().map(|one| one.name.clone()).filter(move |name| names.contains(name))
}
