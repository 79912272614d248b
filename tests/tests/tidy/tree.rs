//! The files of the project.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what was built or generated, relative to the root.
const NOT_SOURCE: [&str; 5] = ["target", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

/// A text file of the project.
pub(crate) struct SourceFile {
    /// Path relative to the root, with `/`.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

/// Returns the project's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the project's root folder")
}

/// Returns every file with this ending, sorted by path.
pub(crate) fn files(ending: &str) -> Vec<SourceFile> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|path| path.ends_with(ending))
        .map(|path| {
            let bytes = fs::read(root().join(&path)).expect("a listed file can be read");
            let text = String::from_utf8(bytes).unwrap_or_else(|_| panic!("{path} is not UTF-8"));
            SourceFile { path, text }
        })
        .collect()
}

/// Adds the paths of all files below `folder`.
fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the project's folders can be listed") {
        let path: PathBuf = entry.expect("the project's folders can be listed").path();
        let relative =
            path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        if NOT_SOURCE.contains(&relative.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(relative);
        }
    }
}
