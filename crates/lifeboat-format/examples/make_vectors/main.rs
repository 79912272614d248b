//! Writes the golden vectors of the format: a small complete replica, a kit, and damaged variants of each part.
//!
//! `cargo run -p lifeboat-format --example make_vectors -- crates/lifeboat-format/tests/vectors`
//!
//! Sealing draws randomness, so every run gives other bytes. The vectors are made once for each format version and
//! kept for ever; a new version gets a folder of its own.

mod damaged;
mod forge;
mod site;

use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: make_vectors <folder>")?);
    let site = site::build()?;
    for (name, bytes) in &site.replica {
        write(&folder.join("replica"), name, bytes)?;
    }
    for (name, bytes) in &site.extra {
        write(&folder, name, bytes)?;
    }
    let damaged = damaged::build(&site)?;
    for vector in &damaged {
        write(&folder, &format!("damaged/{}", vector.file), &vector.bytes)?;
    }
    let records: Vec<_> = site
        .records
        .iter()
        .map(|record| {
            json!({
                "name": record.name, "key": record.key.to_string(), "dictionary": record.with_dictionary,
                "in": record.snapshots, "file": format!("records/{}.json", record.file),
            })
        })
        .collect();
    let table: Vec<_> = damaged
        .iter()
        .map(|vector| json!({ "file": vector.file, "part": vector.part, "error": vector.error }))
        .collect();
    let vectors = json!({
        "keys": {
            "site": site.keys.site.to_string(),
            "lookup_key": site.keys.lookup_key.to_hex().as_str(),
            "epoch_identity": site::EPOCH_IDENTITY,
            "holder_identity": site::HOLDER_IDENTITY,
            "stranger_identity": site::STRANGER_IDENTITY,
            "passphrase": site::PASSPHRASE,
            "signing_key": site.keys.signing_key.to_secret_text().as_str(),
            "verification_key": site.keys.signing_key.verification_key().to_string(),
        },
        "records": records,
        "damaged": table,
    });
    let text = serde_json::to_string_pretty(&vectors)? + "\n";
    write(&folder, "vectors.json", text.as_bytes())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().ok_or("a file lies in a folder")?)?;
    Ok(fs::write(path, bytes)?)
}
