//! Opening the replicas that the configuration, a kit or the command line names.
//!
//! Secrets are read here, when a replica is opened, and nowhere before.

use std::path::PathBuf;

use lifeboat_format::{NoteKeyError, VerificationKey};
use lifeboat_replica::{LocationError, ReplicaLocation, ReplicaName, ReplicaOptions, ReplicaUrl, Secret};
use lifeboat_replica::{ReadError, Reader, WriteError, Writer};

use crate::config::{Config, ReplicaSettings};
use crate::keys::{SecretError, SecretSource};

/// Largest file that can hold a verification key or a certificate authority.
const PUBLIC_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Said of an S3 replica for which no access key is configured.
pub const NO_ACCESS_KEY: &str =
    "no `access_key_file` and `secret_key_file`: only a role of this machine could open it";

/// Why a replica cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ReplicasError {
    /// A credential of the replica cannot be read.
    #[error("replica {replica}: its credential cannot be used")]
    Credential {
        /// The replica.
        replica: ReplicaName,
        /// Why.
        source: SecretError,
    },
    /// The file with the certificate authority cannot be read.
    #[error("replica {replica}: cannot read the certificate authority {path}")]
    Authority {
        /// The replica.
        replica: ReplicaName,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The replica cannot be opened for reading.
    #[error("replica {replica} cannot be opened")]
    OpenReader {
        /// The replica.
        replica: ReplicaName,
        /// Why.
        source: ReadError,
    },
    /// The replica cannot be opened for writing.
    #[error("replica {replica} cannot be opened for writing")]
    OpenWriter {
        /// The replica.
        replica: ReplicaName,
        /// Why.
        source: WriteError,
    },
    /// What the command line names is neither a configured replica nor an address.
    #[error("`{text}` is neither a configured replica nor the address of one")]
    Address {
        /// What was given.
        text: String,
        /// Why it is no address.
        source: LocationError,
    },
    /// What the command line names is neither a configured replica nor a folder.
    #[error("`{text}` is neither a configured replica nor an existing folder")]
    NoSuchReplica {
        /// What was given.
        text: String,
        /// The names that are configured.
        known: Vec<String>,
    },
    /// Only configured replicas are written to.
    #[error("`{text}` is not a configured replica; only those are written to")]
    NotConfigured {
        /// What was given.
        text: String,
    },
    /// Nothing says which key the site signs with.
    #[error("the site's verification key is needed")]
    NoVerificationKey,
    /// The verification key is not one.
    #[error("the verification key is not valid")]
    VerificationKey {
        /// Why.
        source: NoteKeyError,
    },
}

impl ReplicasError {
    /// Returns what to do about it, when that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReplicasError::OpenReader { source: ReadError::FolderMissing { path, .. }, .. }
            | ReplicasError::OpenWriter { source: WriteError::Read(ReadError::FolderMissing { path, .. }), .. } => {
                Some(format!("is the disk mounted? {} is not there", path.display()))
            }
            ReplicasError::NoSuchReplica { known, .. } if !known.is_empty() => {
                Some(format!("configured are {}", known.join(", ")))
            }
            ReplicasError::NoSuchReplica { .. } => {
                Some("give a folder or an address; names need a configuration (`--config FILE`)".to_owned())
            }
            ReplicasError::NoVerificationKey | ReplicasError::VerificationKey { .. } => Some(
                "`lifeboat init` printed it and the configuration has it; pass it with `--verification-key`. \
                 Do not take it from the replica itself"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

impl ReplicaSettings {
    /// Says whether this is an S3 replica for which no access key is configured.
    pub fn lacks_credential(&self) -> bool {
        matches!(self.url, ReplicaUrl::S3 { .. }) && self.access_key.is_none()
    }

    /// Says what to look at when the replica refuses.
    pub fn hint_when_refused(&self) -> Option<String> {
        match self.url {
            ReplicaUrl::Folder(_) => None,
            ReplicaUrl::S3 { .. } if self.lacks_credential() => Some(NO_ACCESS_KEY.to_owned()),
            ReplicaUrl::S3 { .. } => Some(
                "check the access key, the secret key, the bucket's name, and that the key may list, read and write"
                    .to_owned(),
            ),
        }
    }

    /// Returns the replica's location with its secrets read.
    pub fn location(&self) -> Result<ReplicaLocation, ReplicasError> {
        let mut location = self.location_with(&self.access_key, &self.secret_key)?;
        location.options.session_token = self.secret(&self.session_token, "session token")?;
        location.options.proxy = self.secret(&self.proxy, "proxy address")?;
        Ok(location)
    }

    /// Returns the replica's location for a kit: never with the credential that writes.
    pub fn location_for_kit(&self) -> Result<ReplicaLocation, ReplicasError> {
        self.location_with(&self.reader_access_key, &self.reader_secret_key)
    }

    fn location_with(
        &self,
        access_key: &Option<SecretSource>,
        secret_key: &Option<SecretSource>,
    ) -> Result<ReplicaLocation, ReplicasError> {
        let ca_pem = match &self.ca_file {
            None => None,
            Some(path) => Some(read_public(path).map_err(|source| ReplicasError::Authority {
                replica: self.name.clone(),
                path: path.clone(),
                source,
            })?),
        };
        Ok(ReplicaLocation {
            url: self.url.clone(),
            options: ReplicaOptions {
                endpoint: self.endpoint.clone(),
                region: self.region.clone(),
                allow_http: self.allow_http,
                path_style: self.path_style,
                access_key: self.secret(access_key, "access key")?,
                secret_key: self.secret(secret_key, "secret key")?,
                ca_pem,
                ..ReplicaOptions::default()
            },
        })
    }

    fn secret(
        &self,
        source: &Option<SecretSource>,
        what: &'static str,
    ) -> Result<Option<Secret>, ReplicasError> {
        let Some(source) = source else { return Ok(None) };
        match source.read(what) {
            Ok(text) => Ok(Some(Secret::new(text.as_str().to_owned()))),
            Err(source) => Err(ReplicasError::Credential { replica: self.name.clone(), source }),
        }
    }

    /// Opens the replica for reading.
    pub fn reader(&self) -> Result<Reader, ReplicasError> {
        open_reader(self.name.clone(), &self.location()?)
    }

    /// Opens the replica for writing; a folder must exist, so that a disk that is not mounted is noticed.
    pub fn writer(&self) -> Result<Writer, ReplicasError> {
        Writer::open(self.name.clone(), &self.location()?)
            .map_err(|source| ReplicasError::OpenWriter { replica: self.name.clone(), source })
    }
}

/// Opens a replica for reading.
pub fn open_reader(name: ReplicaName, location: &ReplicaLocation) -> Result<Reader, ReplicasError> {
    Reader::open(name.clone(), location).map_err(|source| ReplicasError::OpenReader { replica: name, source })
}

/// Opens the replica that the command line calls `text`: a configured name, `spool`, a folder or an address.
pub fn named_reader(text: &str, config: Option<&Config>) -> Result<Reader, ReplicasError> {
    if let Some(config) = config {
        if let Some(settings) = config.replica(text) {
            return settings.reader();
        }
        if text == ReplicaName::spool().as_str() {
            return open_reader(ReplicaName::spool(), &ReplicaLocation::folder(config.spool_dir()));
        }
    }
    let url: ReplicaUrl =
        text.parse().map_err(|source| ReplicasError::Address { text: text.to_owned(), source })?;
    if let ReplicaUrl::Folder(path) = &url
        && !path.is_dir()
    {
        let known = config.map_or(&[][..], |config| &config.replicas[..]);
        let known = known.iter().map(|replica| replica.name.to_string()).collect();
        return Err(ReplicasError::NoSuchReplica { text: text.to_owned(), known });
    }
    let options = match url {
        ReplicaUrl::Folder(_) => ReplicaOptions::default(),
        ReplicaUrl::S3 { .. } => options_from_environment(),
    };
    open_reader(name_of(&url), &ReplicaLocation { url, options })
}

/// Takes S3 options from the variables that other S3 tools use too.
fn options_from_environment() -> ReplicaOptions {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    ReplicaOptions {
        // Whoever sets an http:// endpoint in the environment means it.
        allow_http: endpoint.as_ref().map(|endpoint| endpoint.starts_with("http://")),
        endpoint,
        region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
        access_key: variable("AWS_ACCESS_KEY_ID").map(Secret::new),
        secret_key: variable("AWS_SECRET_ACCESS_KEY").map(Secret::new),
        session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
        ..ReplicaOptions::default()
    }
}

/// Makes a short name for a replica that has none.
fn name_of(url: &ReplicaUrl) -> ReplicaName {
    let last = match url {
        ReplicaUrl::Folder(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
        ReplicaUrl::S3 { bucket, .. } => Some(bucket.clone()),
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let text: String = last
        .unwrap_or_default()
        .to_ascii_lowercase()
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .take(32)
        .collect();
    text.parse().unwrap_or_else(|_| "replica".parse().expect("this is a replica's name"))
}

/// Finds the site's verification key: on the command line, as text or in a file, or in the configuration.
pub fn verification_key(
    argument: Option<&str>,
    config: Option<&Config>,
) -> Result<VerificationKey, ReplicasError> {
    if let Some(text) = argument {
        let text = match read_public(text.as_ref()) {
            Ok(file) => file,
            Err(_) => text.to_owned(),
        };
        return text.trim().parse().map_err(|source| ReplicasError::VerificationKey { source });
    }
    config.and_then(|config| config.site.verification_key.clone()).ok_or(ReplicasError::NoVerificationKey)
}

fn read_public(path: &std::path::Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > PUBLIC_FILE_BYTES_MAX {
        return Err(std::io::ErrorKind::FileTooLarge.into());
    }
    std::fs::read_to_string(path)
}
