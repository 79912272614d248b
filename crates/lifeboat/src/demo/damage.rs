//! The bad day: what happens to two of the three replicas.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DemoError;

/// Deletes a whole replica.
pub(super) fn burn(replica: &Path) -> Result<(), DemoError> {
    fs::remove_dir_all(replica).map_err(|source| DemoError::Damage { path: replica.to_owned(), source })
}

/// Flips some bytes in the middle of a pack and returns the pack's key in the replica.
pub(super) fn flip_bytes(replica: &Path) -> Result<String, DemoError> {
    let pack = first_pack(replica)?;
    let failed = |source| DemoError::Damage { path: pack.clone(), source };
    let mut bytes = fs::read(&pack).map_err(failed)?;
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle).take(4) {
        *byte ^= 0x55;
    }
    fs::write(&pack, bytes).map_err(failed)?;
    Ok(pack.strip_prefix(replica).unwrap_or(&pack).to_string_lossy().into_owned())
}

fn first_pack(replica: &Path) -> Result<PathBuf, DemoError> {
    let packs = replica.join("packs");
    let failed = |source: io::Error| DemoError::Damage { path: packs.clone(), source };
    let folder = least(&packs).map_err(failed)?;
    let pack = match &folder {
        Some(folder) => least(folder).map_err(failed)?,
        None => None,
    };
    pack.ok_or_else(|| DemoError::NoPack { path: packs.clone() })
}

/// Returns the first entry of a folder by name.
fn least(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    Ok(entries.into_iter().min())
}
