//! The synthetic practice's clinical system: writes its extract into a folder, as a good exporter does.

use std::fs;
use std::path::Path;

use lifeboat_clinical::synth::Practice;
use serde_json::Value;

use super::DemoError;

/// Writes every file of the practice; returns their bytes.
pub(super) fn write_all(practice: &Practice, folder: &Path) -> Result<u64, DemoError> {
    fs::create_dir_all(folder).map_err(|source| DemoError::Folder { path: folder.to_owned(), source })?;
    let mut bytes = 0;
    for (stem, document) in practice.files() {
        bytes += write(folder, &stem, &document)?;
    }
    Ok(bytes)
}

/// Writes the files that a later extract changed; returns how many.
pub(super) fn write_changes(practice: &Practice, folder: &Path, share: f64) -> Result<u64, DemoError> {
    let mut changes: Vec<(String, Value)> = practice.changes(1, share).collect();
    if changes.is_empty() {
        // A very small practice: let everybody's chance be larger.
        changes = practice.changes(1, 0.5).take(1).collect();
    }
    for (stem, document) in &changes {
        write(folder, stem, document)?;
    }
    Ok(changes.len() as u64)
}

/// Writes beside the file and renames, so that Lifeboat never sees half of it.
fn write(folder: &Path, stem: &str, document: &Value) -> Result<u64, DemoError> {
    let failed = |source| DemoError::Folder { path: folder.to_owned(), source };
    let text = document.to_string();
    let part = folder.join(format!("{stem}.json.part"));
    fs::write(&part, &text).map_err(failed)?;
    fs::rename(&part, folder.join(format!("{stem}.json"))).map_err(failed)?;
    Ok(text.len() as u64)
}
