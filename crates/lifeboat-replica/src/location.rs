//! Where a replica lies: its name, its address and the options of its store.
//!
//! The same types are read from the configuration and from a kit. An option that is not known is an error naming it,
//! because a mistyped option that is ignored is a replica that is not there. Secrets redact themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use lifeboat_format::{KitOptions, KitReplica};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

/// The longest name of a replica, in characters.
const NAME_CHARACTERS_MAX: usize = 32;

/// The short name that an operator gave a replica, as it appears in status, errors and metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReplicaName(Arc<str>);

impl ReplicaName {
    /// The name of the local replica from which the others are fed.
    pub fn spool() -> Self {
        Self("spool".into())
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplicaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ReplicaName {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if text.is_empty() || text.len() > NAME_CHARACTERS_MAX || !text.chars().all(allowed) {
            return Err(LocationError::Name);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ReplicaName {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        text.parse()
    }
}

impl From<ReplicaName> for String {
    fn from(name: ReplicaName) -> Self {
        name.as_str().to_owned()
    }
}

/// Where a replica lies and how its store is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaLocation {
    /// The address of the replica.
    pub url: ReplicaUrl,
    /// The options of the store behind it.
    #[serde(default, skip_serializing_if = "ReplicaOptions::is_empty")]
    pub options: ReplicaOptions,
}

impl ReplicaLocation {
    /// Makes the location of a local folder.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { url: ReplicaUrl::Folder(path.into()), options: ReplicaOptions::default() }
    }

    /// Reads a replica's name and location as a kit carries them.
    pub fn from_kit(replica: &KitReplica) -> Result<(ReplicaName, Self), LocationError> {
        let options = ReplicaOptions::from_pairs(&replica.options.0)?;
        let location = Self { url: replica.url.parse()?, options };
        location.check()?;
        Ok((replica.name.parse()?, location))
    }

    /// Returns the replica as a kit carries it, credentials included.
    pub fn to_kit(&self, name: &ReplicaName) -> KitReplica {
        let options = KitOptions(self.options.to_pairs());
        KitReplica { name: name.to_string(), url: self.url.to_string(), options }
    }

    /// Checks that the options fit the address.
    pub fn check(&self) -> Result<(), LocationError> {
        let options = &self.options;
        match &self.url {
            ReplicaUrl::Folder(_) => match options.names().first() {
                Some(option) => Err(LocationError::OptionOfS3 { option }),
                None => Ok(()),
            },
            ReplicaUrl::S3 { .. } => {
                if options.access_key.is_some() != options.secret_key.is_some() {
                    return Err(LocationError::HalfACredential);
                }
                let insecure =
                    options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http:"));
                if insecure && options.allow_http != Some(true) {
                    return Err(LocationError::HttpNotAllowed);
                }
                Ok(())
            }
        }
    }
}

/// The address of a replica.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ReplicaUrl {
    /// A folder of this machine, or one mounted on it.
    Folder(PathBuf),
    /// A bucket of an S3 service, or a part of one.
    S3 {
        /// The bucket.
        bucket: String,
        /// The key prefix, without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
}

impl fmt::Display for ReplicaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl fmt::Debug for ReplicaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ReplicaUrl {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        let Some((scheme, _)) = text.split_once("://") else { return Ok(Self::Folder(PathBuf::from(text))) };
        let parsed = Url::parse(text).map_err(|source| LocationError::Url { source })?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(LocationError::CredentialInUrl);
        }
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match parsed.to_file_path() {
                Ok(path) => Ok(Self::Folder(path)),
                Err(()) => Err(LocationError::FileUrl),
            },
            "s3" => s3_address(&parsed),
            other => Err(LocationError::Scheme { scheme: other.to_owned() }),
        }
    }
}

fn s3_address(parsed: &Url) -> Result<ReplicaUrl, LocationError> {
    let bucket = parsed.host_str().filter(|host| !host.is_empty()).ok_or(LocationError::NoBucket)?;
    if parsed.query().is_some() || parsed.fragment().is_some() || parsed.port().is_some() {
        return Err(LocationError::S3Extra);
    }
    let prefix = parsed.path().trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !prefix.chars().all(plain) || prefix.split('/').any(|part| part == "." || part == "..") {
        return Err(LocationError::Prefix);
    }
    Ok(ReplicaUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

impl TryFrom<String> for ReplicaUrl {
    type Error = LocationError;

    fn try_from(text: String) -> Result<Self, LocationError> {
        text.parse()
    }
}

impl From<ReplicaUrl> for String {
    fn from(url: ReplicaUrl) -> Self {
        url.to_string()
    }
}

impl From<&Path> for ReplicaUrl {
    fn from(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }
}

/// The options of the store behind a replica; all of them belong to S3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaOptions {
    /// The address of the S3 service; Amazon's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region, which is part of every signature; `us-east-1` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Permits an endpoint without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_http: Option<bool>,
    /// Puts the bucket into the path (the default) or, when false, into the host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The public half of the credential; without one, the machine's own role is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<Secret>,
    /// The secret half of the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<Secret>,
    /// The session token of a temporary credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// The address of an HTTP proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Secret>,
    /// An additional certificate authority to trust, as PEM text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
}

impl ReplicaOptions {
    /// Says whether no option is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads options from names and values, as a kit carries them.
    pub fn from_pairs(pairs: &BTreeMap<String, String>) -> Result<Self, LocationError> {
        let mut options = Self::default();
        for (name, value) in pairs {
            let text = || Some(value.clone());
            let secret = || Some(Secret::new(value.clone()));
            match name.as_str() {
                "endpoint" => options.endpoint = text(),
                "region" => options.region = text(),
                "allow_http" => options.allow_http = Some(yes_or_no("allow_http", value)?),
                "path_style" => options.path_style = Some(yes_or_no("path_style", value)?),
                "access_key" => options.access_key = secret(),
                "secret_key" => options.secret_key = secret(),
                "session_token" => options.session_token = secret(),
                "proxy" => options.proxy = secret(),
                "ca_pem" => options.ca_pem = text(),
                unknown => return Err(LocationError::UnknownOption { option: unknown.to_owned() }),
            }
        }
        Ok(options)
    }

    /// Returns the given options as names and values, secrets included.
    pub fn to_pairs(&self) -> BTreeMap<String, String> {
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
        [
            ("endpoint", self.endpoint.clone()),
            ("region", self.region.clone()),
            ("allow_http", flag(self.allow_http)),
            ("path_style", flag(self.path_style)),
            ("access_key", secret(&self.access_key)),
            ("secret_key", secret(&self.secret_key)),
            ("session_token", secret(&self.session_token)),
            ("proxy", secret(&self.proxy)),
            ("ca_pem", self.ca_pem.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }

    fn names(&self) -> Vec<&'static str> {
        [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("allow_http", self.allow_http.is_some()),
            ("path_style", self.path_style.is_some()),
            ("access_key", self.access_key.is_some()),
            ("secret_key", self.secret_key.is_some()),
            ("session_token", self.session_token.is_some()),
            ("proxy", self.proxy.is_some()),
            ("ca_pem", self.ca_pem.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}

fn yes_or_no(option: &'static str, value: &str) -> Result<bool, LocationError> {
    value.parse().map_err(|_not_a_flag| LocationError::NotAFlag { option })
}

/// Text that is written only where it is stored: it redacts itself when printed and is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a secret text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.expose().to_owned()
    }
}

/// A replica's name, address or options that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LocationError {
    /// The name has characters or a length that names do not have.
    #[error("a replica's name has 1 to 32 of the characters a-z, 0-9, - and _")]
    Name,
    /// There is no address at all.
    #[error("the replica's address is empty")]
    Empty,
    /// The address looks like a URL but is not one.
    #[error("the replica's address is not a URL")]
    Url {
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// A credential stands in the address, where it would be printed.
    #[error("the replica's address holds a credential; use the options access_key and secret_key")]
    CredentialInUrl,
    /// A `file:` address that is no path of this machine.
    #[error("the replica's file address is not an absolute path of this machine")]
    FileUrl,
    /// The kind of store is not known.
    #[error("replicas at {scheme}:// are not supported; use a path, file:// or s3://")]
    Scheme {
        /// The scheme as given.
        scheme: String,
    },
    /// An S3 address without a bucket.
    #[error("the replica's address names no bucket")]
    NoBucket,
    /// An S3 address with a port, query or fragment.
    #[error(
        "the replica's address may only be s3://bucket/prefix; the server belongs in the option endpoint"
    )]
    S3Extra,
    /// A prefix that stores would encode differently.
    #[error("the replica's prefix may only have letters, digits and the characters - _ . /")]
    Prefix,
    /// An option that does not exist.
    #[error("unknown replica option {option}")]
    UnknownOption {
        /// Its name.
        option: String,
    },
    /// A value other than true or false.
    #[error("replica option {option} is true or false")]
    NotAFlag {
        /// The option.
        option: &'static str,
    },
    /// An S3 option on a folder.
    #[error("replica option {option} belongs to s3:// replicas")]
    OptionOfS3 {
        /// The option.
        option: &'static str,
    },
    /// Only one half of a credential.
    #[error("access_key and secret_key go together")]
    HalfACredential,
    /// An endpoint without TLS that was not permitted.
    #[error("the endpoint is without TLS; set allow_http to permit that")]
    HttpNotAllowed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_paths_file_urls_and_buckets() {
        let folder = |path: &str| Ok(ReplicaUrl::Folder(PathBuf::from(path)));
        let s3 = |bucket: &str, prefix: &str| {
            Ok(ReplicaUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        for (text, expected) in [
            ("/srv/lifeboat", folder("/srv/lifeboat")),
            ("usb/lifeboat", folder("usb/lifeboat")),
            ("file:///srv/life%20boat", folder("/srv/life boat")),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/a/b/", s3("bucket", "a/b")),
            ("", Err(LocationError::Empty)),
            ("s3://", Err(LocationError::NoBucket)),
            ("s3://key:secret@bucket/a", Err(LocationError::CredentialInUrl)),
            ("s3://bucket:9000/a", Err(LocationError::S3Extra)),
            ("s3://bucket/a?b=c", Err(LocationError::S3Extra)),
            ("s3://bucket/a%20b", Err(LocationError::Prefix)),
            ("ftp://host/a", Err(LocationError::Scheme { scheme: "ftp".to_owned() })),
        ] {
            let parsed = text.parse::<ReplicaUrl>();
            match (&parsed, &expected) {
                (Err(LocationError::Url { .. }), Err(LocationError::NoBucket)) => {}
                _ => assert_eq!(parsed, expected, "{text:?}"),
            }
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for (text, good) in
            [("usb", true), ("nas-2_b", true), ("", false), ("Ä", false), ("a/b", false), ("UPPER", false)]
        {
            assert_eq!(text.parse::<ReplicaName>().is_ok(), good, "{text:?}");
        }
        assert!("x".repeat(33).parse::<ReplicaName>().is_err());
    }

    #[test]
    fn unknown_options_are_named() {
        let error =
            serde_json::from_str::<ReplicaLocation>(r#"{"url":"/a","options":{"regoin":"x"}}"#).unwrap_err();
        assert!(error.to_string().contains("regoin"), "{error}");
        let pairs = BTreeMap::from([("secret".to_owned(), "x".to_owned())]);
        let error = ReplicaOptions::from_pairs(&pairs).unwrap_err();
        assert_eq!(error.to_string(), "unknown replica option secret");
    }

    #[test]
    fn options_survive_the_way_through_a_kit() {
        let json = r#"{"url":"s3://bucket/a","options":{"endpoint":"https://s3.example","region":"eu-west-2",
            "path_style":false,"access_key":"AK","secret_key":"SK"}}"#;
        let location: ReplicaLocation = serde_json::from_str(json).unwrap();
        let again: ReplicaLocation =
            serde_json::from_str(&serde_json::to_string(&location).unwrap()).unwrap();
        assert_eq!(location, again);
        assert_eq!(ReplicaOptions::from_pairs(&location.options.to_pairs()).unwrap(), location.options);
        assert_eq!(location.check(), Ok(()));
        let name: ReplicaName = "cloud".parse().unwrap();
        assert_eq!(ReplicaLocation::from_kit(&location.to_kit(&name)), Ok((name, location)));
    }

    #[test]
    fn options_that_do_not_fit_the_address_are_refused() {
        let location = |json: &str| serde_json::from_str::<ReplicaLocation>(json).unwrap().check();
        for (json, expected) in [
            (r#"{"url":"/a","options":{"region":"x"}}"#, LocationError::OptionOfS3 { option: "region" }),
            (r#"{"url":"s3://b","options":{"access_key":"x"}}"#, LocationError::HalfACredential),
            (r#"{"url":"s3://b","options":{"endpoint":"http://x"}}"#, LocationError::HttpNotAllowed),
        ] {
            assert_eq!(location(json), Err(expected), "{json}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let options =
            ReplicaOptions { secret_key: Some(Secret::new("hush".to_owned())), ..Default::default() };
        assert!(!format!("{options:?}").contains("hush"));
    }
}
