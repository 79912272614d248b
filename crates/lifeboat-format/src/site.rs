//! `lifeboat.json`: what a folder is, for whoever finds it.

use crate::ids::SiteCode;
use crate::json;
use crate::manifest::FORMAT_VERSION;
use crate::note::VerificationKey;
use serde::{Deserialize, Serialize};

/// The largest site description.
pub const SITE_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a site or person, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Says why bytes are not a site description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// The description is larger than [`SITE_BYTES_MAX`].
    #[error("site description of {bytes} bytes is larger than {SITE_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// The replica was written by a newer version.
    #[error("replica has format {format}, newer than {FORMAT_VERSION}")]
    Newer {
        /// The version that it says it has.
        format: u64,
    },
    /// The bytes are not JSON with the fields of a site description.
    #[error("not a site description: fault at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The fields contradict each other or exceed a limit.
    #[error("the site description contradicts itself: {what}")]
    Contradiction {
        /// What is wrong.
        what: &'static str,
    },
}

/// What a replica says about itself. A reader believes the key in its kit, not this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDescription {
    /// The format version, [`FORMAT_VERSION`].
    pub format: u32,
    /// The site.
    pub site: SiteCode,
    /// The site's name, for people.
    pub name: String,
    /// The origin of the site's log.
    pub origin: String,
    /// The key that checks the log's checkpoints.
    pub verification_key: VerificationKey,
}

impl SiteDescription {
    /// Describes a site whose log is checked with a key.
    pub fn new(site: SiteCode, name: String, verification_key: VerificationKey) -> Result<Self, SiteError> {
        let origin = site.origin();
        let description = Self { format: FORMAT_VERSION, site, name, origin, verification_key };
        description.check()?;
        Ok(description)
    }

    /// Reads a site description.
    pub fn parse(bytes: &[u8]) -> Result<Self, SiteError> {
        if bytes.len() > SITE_BYTES_MAX {
            return Err(SiteError::TooLarge { bytes: bytes.len() });
        }
        let description: Self = json::parse_versioned(bytes).map_err(|error| match error {
            json::VersionedError::Newer { format } => SiteError::Newer { format },
            json::VersionedError::Json { line, column } => SiteError::Json { line, column },
        })?;
        description.check()?;
        Ok(description)
    }

    /// Returns the bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a site description is plain JSON");
        bytes.push(b'\n');
        bytes
    }

    fn check(&self) -> Result<(), SiteError> {
        let require = |holds, what| if holds { Ok(()) } else { Err(SiteError::Contradiction { what }) };
        require(self.format == FORMAT_VERSION, "format")?;
        require(is_name(&self.name), "name")?;
        require(self.origin == self.site.origin(), "origin")?;
        require(self.verification_key.name() == self.origin, "name of the verification key")
    }
}

/// Says whether a text may be the name of a site or person.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::{SiteDescription, SiteError};
    use crate::note::SigningKey;

    fn description() -> SiteDescription {
        let key = SigningKey::from_seed("lifeboat/A81001", &[3; 32]).unwrap().verification_key();
        SiteDescription::new("A81001".parse().unwrap(), "The Surgery".to_owned(), key).unwrap()
    }

    #[test]
    fn a_description_reads_back_as_it_was_written() {
        assert_eq!(SiteDescription::parse(&description().to_bytes()).unwrap(), description());
    }

    #[test]
    fn a_key_of_another_site_is_a_contradiction() {
        let key = SigningKey::from_seed("lifeboat/B81001", &[3; 32]).unwrap().verification_key();
        let error =
            SiteDescription::new("A81001".parse().unwrap(), "The Surgery".to_owned(), key).unwrap_err();
        assert_eq!(error, SiteError::Contradiction { what: "name of the verification key" });
    }

    #[test]
    fn what_is_newer_and_what_is_unknown_are_told_apart() {
        let text = String::from_utf8(description().to_bytes()).unwrap();
        let newer = text.replace("\"format\": 1", "\"format\": 2");
        assert_eq!(SiteDescription::parse(newer.as_bytes()).unwrap_err(), SiteError::Newer { format: 2 });
        let unknown = text.replace("\"format\": 1", "\"format\": 1, \"colour\": 2");
        assert!(matches!(SiteDescription::parse(unknown.as_bytes()), Err(SiteError::Json { .. })));
    }
}
