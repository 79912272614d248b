//! Formats whose files have unmistakable names.

use std::collections::BTreeSet;

use crate::batch::FileFacts;
use crate::format::Format;

/// Says whether a file is none of the source's own: what systems leave behind in folders and archives.
pub(crate) fn is_hidden(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.split('/').any(|step| step.starts_with('.') || step == "__MACOSX")
        || name.eq_ignore_ascii_case("thumbs.db")
        || name.eq_ignore_ascii_case("desktop.ini")
}

/// Says whether a file is of a kind that is named by what it is, as tables and archives are, not by whom it is about.
pub fn is_impersonal(name: &str) -> bool {
    const KINDS: [&str; 15] = [
        "csv", "tsv", "tab", "txt", "ndjson", "zip", "7z", "gz", "zst", "gpg", "pgp", "asc", "age", "z01",
        "001",
    ];
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(ending))
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the folders that hold the manifest of a SystmOne extract.
pub(super) fn systmone_folders(files: &[FileFacts]) -> BTreeSet<&str> {
    let manifests =
        files.iter().filter(|file| without_packing(file.name()).eq_ignore_ascii_case("SRManifest.csv"));
    manifests.map(|file| folder(&file.path)).collect()
}

/// Recognises a file by its path and by its name without what encryption adds to it.
pub(super) fn by_name(path: &str, name: &str, systmone: &BTreeSet<&str>) -> Option<(Format, &'static str)> {
    let name = without_packing(name);
    if is_emis(name) {
        return Some((Format::EmisWeb, "named as the EMIS Web extract names its tables"));
    }
    if is_vision(name) {
        return Some((Format::Vision, "named as the Vision extract names its tables"));
    }
    if is_systmone(name) && has_manifest(path, systmone) {
        return Some((Format::SystmOne, "tables of a SystmOne extract, beside its SRManifest.csv"));
    }
    None
}

/// Says whether a SystmOne manifest lies beside a file, or beside the archive that the file lies in.
fn has_manifest(path: &str, systmone: &BTreeSet<&str>) -> bool {
    let own = folder(path);
    let is_archive = own.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("zip"));
    systmone.contains(own) || (is_archive && systmone.contains(folder(own)))
}

fn without_packing(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, "gz" | "zst")) => stem,
        _ => name,
    }
}

fn without_csv(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    ending.eq_ignore_ascii_case("csv").then_some(stem)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `291_Admin_Patient_20150211164536_<GUID>.csv`
fn is_emis(name: &str) -> bool {
    const SCHEMAS: [&str; 7] =
        ["Admin", "Agreements", "Appointment", "Audit", "CareRecord", "Coding", "Prescribing"];
    let parts: Vec<&str> = without_csv(name).unwrap_or_default().split('_').collect();
    let [process, schema, table, time, agreement] = parts[..] else {
        return false;
    };
    let (first, last) = process.split_once('-').unwrap_or((process, "0"));
    is_digits(first)
        && is_digits(last)
        && SCHEMAS.contains(&schema)
        && table.bytes().all(|byte| byte.is_ascii_alphabetic())
        && time.len() == 14
        && is_digits(time)
        && agreement.len() == 36
        && agreement.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// `FULL_F86007_patient_data_extract-2018-08-17-000500.csv`
fn is_vision(name: &str) -> bool {
    const KINDS: [&str; 5] = ["FULL", "INCREMENTAL", "ADDITIONAL", "CLINICAL", "ADMIN"];
    let Some((before, _)) = without_csv(name).and_then(|stem| stem.split_once("_data_extract-")) else {
        return false;
    };
    let steps: Vec<&str> = before.split('_').collect();
    let is_code = |step: &&str| {
        step.len() == 6
            && step.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && step.contains(|c: char| c.is_ascii_digit())
    };
    steps.len() >= 3 && KINDS.contains(&steps[0]) && steps[1..].iter().any(is_code)
}

/// `SRPatient.csv`
fn is_systmone(name: &str) -> bool {
    let stem = without_csv(name).unwrap_or_default();
    stem.len() > 2
        && stem.starts_with("SR")
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
