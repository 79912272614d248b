//! Where records come from: a kit, or replicas with an identity; and what opens them.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lifeboat_format::{
    Identity, KIT_EXTENSION, Kit, KitReplica, Passphrase, SiteCode, VerificationKey, WORK_FACTOR_MAX,
};
use lifeboat_replica::{Access, ReplicaLocation, ReplicaName, ReplicaOptions, ReplicaUrl};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::ask;
use super::standing::KeyOrigin;
use super::{OpenError, OpenSite};
use crate::clock::Clock;
use crate::pages::unlock::{FoundReplica, Key};

/// The largest kit or identity file, in bytes.
const SECRET_FILE_BYTES_MAX: u64 = 1 << 20;
/// The most replicas that are asked.
pub const REPLICAS_MAX: usize = 16;

/// What to open cannot be understood or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A kit or identity file could not be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than one kit.
    #[error("more than one kit was given")]
    SeveralKits,
    /// A kit and an identity file.
    #[error(
        "a kit holds its own identity and verification key; --identity and --verification-key do not go with it"
    )]
    KitWithIdentity,
    /// An address that cannot be understood.
    #[error("cannot understand the replica {text}: {reason}")]
    Location {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The verification key is not one.
    #[error("the verification key is not of the form name+hash+key")]
    VerificationKey,
    /// More replicas than are asked.
    #[error("more than {REPLICAS_MAX} replicas were given")]
    TooMany,
}

impl SourceError {
    /// Says what to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::File { .. } => "Check that the disk is plugged in and the path is right.",
            Self::SeveralKits => "Open one kit at a time.",
            Self::KitWithIdentity => "Leave those options out, or give replicas instead of the kit.",
            Self::Location { .. } => {
                "Give a kit file ending in .lifeboat-kit, a folder, a file:/// address, or s3://bucket/prefix."
            }
            Self::VerificationKey => {
                "Copy the whole line from the site's lifeboat.json or from its kit sheet."
            }
            Self::TooMany => "Give fewer.",
        }
    }
}

/// A replica to ask.
#[derive(Debug, Clone)]
pub struct NamedReplica {
    /// Its name.
    pub name: ReplicaName,
    /// Where it is.
    pub location: ReplicaLocation,
}

/// Where records come from.
pub struct Source {
    opens: Opens,
    replicas: Vec<NamedReplica>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?}, {} replicas)", self.key(), self.replicas.len())
    }
}

enum Opens {
    Kit { name: String, sealed: Vec<u8> },
    Identity { path: PathBuf, verification_key: Option<VerificationKey> },
    BreakGlass { verification_key: Option<VerificationKey> },
}

/// Everything that a site is opened with.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) access: Access,
    pub(crate) verification_key: Option<VerificationKey>,
    pub(crate) site: Option<SiteCode>,
    pub(crate) replicas: Vec<NamedReplica>,
    /// Replicas that the kit names in a way that this version does not understand.
    pub(crate) not_understood: Vec<ReplicaName>,
}

impl Keys {
    pub(crate) fn origin(&self) -> KeyOrigin {
        if self.verification_key.is_some() { KeyOrigin::Given } else { KeyOrigin::Replica }
    }
}

impl Source {
    /// Works out what to open from the command line's arguments.
    pub fn from_arguments(
        what: &[String],
        identity: Option<&Path>,
        verification_key: Option<&str>,
        options: &[String],
    ) -> Result<Self, SourceError> {
        let (kits, replicas): (Vec<&String>, Vec<&String>) = what.iter().partition(|text| is_kit(text));
        let replicas = name_replicas(&replicas, options)?;
        let verification_key = verification_key
            .map(|text| text.parse::<VerificationKey>().map_err(|_| SourceError::VerificationKey))
            .transpose()?;
        let opens = match (kits.as_slice(), identity) {
            ([], Some(path)) => {
                read_secret_file(path)?;
                Opens::Identity { path: path.to_owned(), verification_key }
            }
            ([], None) => Opens::BreakGlass { verification_key },
            ([_], Some(_)) => return Err(SourceError::KitWithIdentity),
            ([_], None) if verification_key.is_some() => return Err(SourceError::KitWithIdentity),
            ([kit], None) => {
                let path = Path::new(kit.as_str());
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Opens::Kit { name, sealed: read_secret_file(path)?.to_vec() }
            }
            _ => return Err(SourceError::SeveralKits),
        };
        Ok(Self { opens, replicas })
    }

    /// Says whether opening needs a passphrase.
    pub fn needs_passphrase(&self) -> bool {
        match &self.opens {
            Opens::Kit { .. } | Opens::BreakGlass { .. } => true,
            Opens::Identity { path, .. } => read_secret_file(path).is_ok_and(|text| is_sealed(&text)),
        }
    }

    /// Returns what the unlock page asks for.
    pub fn key(&self) -> Key {
        match &self.opens {
            Opens::Kit { name, .. } => Key::Passphrase { of: format!("the kit {name}") },
            Opens::BreakGlass { .. } => Key::Passphrase { of: "the site's break-glass envelope".to_owned() },
            Opens::Identity { path, .. } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if self.needs_passphrase() {
                    Key::Passphrase { of: format!("the identity file {name}") }
                } else {
                    Key::Unprotected { of: name }
                }
            }
        }
    }

    /// Returns what the strip can say of the site before anything is opened.
    pub fn site_before_unlock(&self) -> Option<String> {
        match &self.opens {
            Opens::Kit { name, .. } => Some(name.clone()),
            Opens::Identity { .. } | Opens::BreakGlass { .. } => None,
        }
    }

    /// Asks the replicas that are known before unlocking what they hold.
    pub async fn found(&self, clock: &dyn Clock) -> Vec<FoundReplica> {
        let verification_key = match &self.opens {
            Opens::Kit { .. } => return Vec::new(),
            Opens::Identity { verification_key, .. } | Opens::BreakGlass { verification_key } => {
                verification_key
            }
        };
        ask::describe(&self.replicas, verification_key.as_ref(), clock.now()).await
    }

    /// Opens the freshest copy that verifies.
    pub async fn open(
        &self,
        passphrase: Option<SecretString>,
        clock: &dyn Clock,
    ) -> Result<OpenSite, OpenError> {
        let keys = self.keys(passphrase).await?;
        OpenSite::open(keys, clock).await
    }

    async fn keys(&self, passphrase: Option<SecretString>) -> Result<Keys, OpenError> {
        match &self.opens {
            Opens::Kit { sealed, .. } => {
                let passphrase = as_passphrase(&passphrase.ok_or(OpenError::PassphraseNeeded)?);
                let sealed = sealed.clone();
                let opened = tokio::task::spawn_blocking(move || Kit::open(&sealed, &passphrase)).await;
                let kit = opened.map_err(|_| OpenError::Background)?.map_err(OpenError::Kit)?;
                kit_keys(&kit, &self.replicas)
            }
            Opens::Identity { path, verification_key } => {
                let text = read_secret_file(path).map_err(|_| OpenError::IdentityFile)?;
                let opened =
                    tokio::task::spawn_blocking(move || open_identity(&text, passphrase.as_ref())).await;
                let identity = opened.map_err(|_| OpenError::Background)??;
                Ok(Keys {
                    access: Access::Identity(identity),
                    verification_key: verification_key.clone(),
                    site: None,
                    replicas: self.replicas.clone(),
                    not_understood: Vec::new(),
                })
            }
            Opens::BreakGlass { verification_key } => Ok(Keys {
                access: Access::Passphrase(as_passphrase(&passphrase.ok_or(OpenError::PassphraseNeeded)?)),
                verification_key: verification_key.clone(),
                site: None,
                replicas: self.replicas.clone(),
                not_understood: Vec::new(),
            }),
        }
    }
}

fn as_passphrase(typed: &SecretString) -> Passphrase {
    Passphrase::new(typed.expose_secret().to_owned())
}

fn is_kit(text: &str) -> bool {
    let path = Path::new(text);
    path.extension().is_some_and(|extension| extension == KIT_EXTENSION) || path.is_file()
}

fn kit_keys(kit: &Kit, more: &[NamedReplica]) -> Result<Keys, OpenError> {
    let (mut replicas, mut not_understood) = (Vec::new(), Vec::new());
    for (at, replica) in kit.replicas.iter().enumerate().take(REPLICAS_MAX) {
        let numbered = || format!("replica-{}", at + 1).parse().unwrap_or_else(|_| ReplicaName::spool());
        let name = replica.name.parse().unwrap_or_else(|_| numbered());
        match kit_location(replica) {
            Some(location) => replicas.push(NamedReplica { name, location }),
            None => not_understood.push(name),
        }
    }
    replicas.extend(more.iter().cloned());
    if replicas.is_empty() && !not_understood.is_empty() {
        return Err(OpenError::KitReplica);
    }
    replicas.truncate(REPLICAS_MAX);
    number_namesakes(&mut replicas);
    Ok(Keys {
        access: Access::Identity(kit.identity.clone()),
        verification_key: Some(kit.verification_key.clone()),
        site: Some(kit.site.clone()),
        replicas,
        not_understood,
    })
}

/// Reads where a kit says that a replica is; nothing when this version does not understand it, so that one such
/// replica does not keep the others from being opened.
fn kit_location(replica: &KitReplica) -> Option<ReplicaLocation> {
    let url: ReplicaUrl = replica.url.parse().ok()?;
    let options = ReplicaOptions::from_pairs(&replica.options.0).ok()?;
    Some(ReplicaLocation { url, options })
}

fn name_replicas(given: &[&String], options: &[String]) -> Result<Vec<NamedReplica>, SourceError> {
    if given.len() > REPLICAS_MAX {
        return Err(SourceError::TooMany);
    }
    let fail = |text: &str, reason: String| SourceError::Location { text: text.to_owned(), reason };
    let mut pairs = std::collections::BTreeMap::new();
    for option in options {
        let (name, value) =
            option.split_once('=').ok_or_else(|| fail(option, "not NAME=VALUE".to_owned()))?;
        pairs.insert(name.to_owned(), value.to_owned());
    }
    for (name, variable) in [("access_key", "AWS_ACCESS_KEY_ID"), ("secret_key", "AWS_SECRET_ACCESS_KEY")] {
        if let Ok(value) = std::env::var(variable) {
            pairs.entry(name.to_owned()).or_insert(value);
        }
    }
    let mut named = Vec::new();
    for (at, text) in given.iter().enumerate() {
        let url: ReplicaUrl = if text.contains("://") {
            text.parse().map_err(|error: lifeboat_replica::LocationError| fail(text, error.to_string()))?
        } else {
            let path = std::path::absolute(text.as_str()).map_err(|error| fail(text, error.to_string()))?;
            path.as_path().into()
        };
        let is_folder = matches!(url, ReplicaUrl::Folder(_));
        let options = if is_folder {
            ReplicaOptions::default()
        } else {
            ReplicaOptions::from_pairs(&pairs).map_err(|error| fail(text, error.to_string()))?
        };
        let name = replica_name(&url, at);
        named.push(NamedReplica { name, location: ReplicaLocation { url, options } });
    }
    number_namesakes(&mut named);
    Ok(named)
}

/// Gives replicas of the same name a number, so that what is said about one is not taken for another.
fn number_namesakes(replicas: &mut [NamedReplica]) {
    for at in 1..replicas.len() {
        let (before, rest) = replicas.split_at_mut(at);
        let name = rest[0].name.to_string();
        let stem: String = name.chars().take(28).collect();
        let mut names = (2..).map(|number| format!("{stem}-{number}"));
        while before.iter().any(|other| other.name == rest[0].name) {
            match names.next().map(|name| name.parse()) {
                Some(Ok(name)) => rest[0].name = name,
                _ => return,
            }
        }
    }
}

/// Makes a name from the last part of an address, or from its place in the list when that makes none.
fn replica_name(url: &ReplicaUrl, at: usize) -> ReplicaName {
    let text = url.to_string();
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let plain: String = last.chars().map(plain).take(32).collect();
    let numbered = format!("replica-{}", at + 1);
    plain.trim_matches('-').parse().or_else(|_| numbered.parse()).unwrap_or_else(|_| ReplicaName::spool())
}

fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let fail = |source| SourceError::File { path: path.to_owned(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(SECRET_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

fn is_sealed(text: &[u8]) -> bool {
    text.starts_with(b"age-encryption.org/") || text.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

fn open_identity(file: &[u8], passphrase: Option<&SecretString>) -> Result<Identity, OpenError> {
    let text = if is_sealed(file) {
        open_sealed(file, passphrase.ok_or(OpenError::PassphraseNeeded)?)?
    } else {
        Zeroizing::new(file.to_vec())
    };
    let text = std::str::from_utf8(&text).map_err(|_| OpenError::NotAnIdentity)?;
    Identity::from_file_text(text).map_err(|_| OpenError::NotAnIdentity)
}

fn open_sealed(file: &[u8], passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let armored = age::armor::ArmoredReader::new(file);
    let decryptor = age::Decryptor::new(armored).map_err(|_| OpenError::NotAnIdentity)?;
    let identities = std::iter::once(&identity as &dyn age::Identity);
    let plain = decryptor.decrypt(identities).map_err(|_| OpenError::IdentityPassphrase)?;
    let mut text = Zeroizing::new(Vec::new());
    plain.take(SECRET_FILE_BYTES_MAX).read_to_end(&mut text).map_err(|_| OpenError::NotAnIdentity)?;
    Ok(text)
}
