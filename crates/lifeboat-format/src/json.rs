//! Strict JSON with a format number: what is newer is told apart from what is wrong.

use crate::manifest::FORMAT_VERSION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// Says why bytes are not a document of this format version. It never repeats values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VersionedError {
    Newer { format: u64 },
    Json { line: usize, column: usize },
}

/// Reads a document that has a `format` field, strictly when it is ours.
pub(crate) fn parse_versioned<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, VersionedError> {
    #[derive(Deserialize)]
    struct Version {
        format: u64,
    }
    let fault =
        |error: serde_json::Error| VersionedError::Json { line: error.line(), column: error.column() };
    let Version { format } = serde_json::from_slice(bytes).map_err(fault)?;
    if format > u64::from(FORMAT_VERSION) {
        return Err(VersionedError::Newer { format });
    }
    serde_json::from_slice(bytes).map_err(fault)
}

/// Reads a field that may be `null` but must not be missing.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}
