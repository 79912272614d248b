//! Names of people and places that rows refer to, and of resources.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::tables::{ORGANISATION, USER};
use crate::r4;
use crate::rows::{LookUp, RowRef};

/// What the addresses of extensions of this feed begin with.
const EXTENSION: &str = "urn:lifeboat:emis:";

/// The longest id that FHIR allows.
const ID_BYTES_MAX: usize = 64;

/// Returns a FHIR id made of a row's name.
pub(super) fn id(prefix: &str, name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let id: String = prefix.chars().chain(name.chars().map(|c| if fits(c) { c } else { '-' })).collect();
    if id.len() <= ID_BYTES_MAX && name.chars().all(fits) {
        return id;
    }
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}{hash}")
}

/// Returns an extension that is told under its name.
pub(super) fn said(name: &str, text: impl Into<String>) -> Value {
    json!({"url": format!("{EXTENSION}{name}"), "valueString": text.into()})
}

/// Returns an extension with a date.
pub(super) fn said_on(name: &str, date: &str) -> Value {
    json!({"url": format!("{EXTENSION}{name}"), "valueDateTime": date})
}

/// Returns the name of somebody at the practice.
pub(super) fn user(shared: &dyn LookUp, guid: Option<&str>) -> Option<String> {
    let row = shared.row(USER, guid?)?;
    let parts = ["Title", "GivenName", "Surname"].into_iter().filter_map(|column| row.text(column));
    let name = parts.collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

/// Returns the clinician of a row, as a reference by name.
pub(super) fn clinician(shared: &dyn LookUp, row: RowRef<'_>) -> Option<Value> {
    user(shared, row.text("ClinicianUserInRoleGuid")).map(|name| r4::named(&name))
}

/// Returns the name of an organisation.
pub(super) fn organisation<'a>(shared: &'a dyn LookUp, guid: Option<&str>) -> Option<&'a str> {
    shared.row(ORGANISATION, guid?)?.text("OrganisationName")
}
