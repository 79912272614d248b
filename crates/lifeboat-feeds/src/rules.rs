//! What a site decides about whom and what its copies hold.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The site's rules; the default is the cautious choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// What happens to items that the source marks as confidential.
    pub confidential: Confidential,
    /// Whether test and dummy patients have records.
    pub dummy_patients: DummyPatients,
    /// NHS numbers, ten digits each, of patients who are to have no record.
    pub excluded: BTreeSet<String>,
}

/// What happens to items that the source marks as confidential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidential {
    /// They are left out, and their sections say so.
    #[default]
    Withhold,
    /// They are kept, and marked.
    Keep,
}

/// Whether test and dummy patients have records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DummyPatients {
    /// They have none.
    #[default]
    Exclude,
    /// They have records like everybody, for trying things out.
    Keep,
}
