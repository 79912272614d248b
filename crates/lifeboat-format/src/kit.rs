//! Kits: what one person needs to open a site, in one file under a passphrase.

use crate::ids::SiteCode;
use crate::lookup::LookupKey;
use crate::note::VerificationKey;
use crate::person::{Identity, Passphrase};
use crate::sealed::{self, AgeOpenError, AgeSealError};
use crate::site::is_name;
use crate::text::timestamp;
use age::armor::{ArmoredReader, ArmoredWriter, Format};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The version of kits that this crate writes.
pub const KIT_VERSION: u32 = 1;
/// The file extension of kits, without its dot.
pub const KIT_EXTENSION: &str = "lifeboat-kit";
/// The largest kit file.
pub const KIT_BYTES_MAX: usize = 128 * 1024;
/// The most replicas of one kit.
pub const KIT_REPLICAS_MAX: usize = 16;

/// How the text form of an age file begins.
const ARMOR_BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
/// The largest content of a kit, before sealing.
const KIT_CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Says which step of sealing or opening a kit failed.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The kit could not be sealed.
    #[error("seal the kit")]
    Seal(#[source] AgeSealError),
    /// The kit's text form could not be written or read.
    #[error("read or write the text form of the kit")]
    Armor(#[source] io::Error),
    /// The kit could not be opened.
    #[error("open the kit")]
    Open(#[source] AgeOpenError),
    /// The kit was made by a newer version.
    #[error("kit has version {version}, newer than {KIT_VERSION}")]
    Newer {
        /// The version that it says it has.
        version: u64,
    },
    /// The opened bytes are not the content of a kit.
    #[error("not the content of a kit")]
    Content,
    /// The fields contradict each other or exceed a limit.
    #[error("the kit contradicts itself: {what}")]
    Contradiction {
        /// What is wrong.
        what: &'static str,
    },
}

/// A replica as a kit names it. The options may hold credentials, so they are redacted and wiped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct KitReplica {
    /// The replica's name.
    pub name: String,
    /// Where the replica is.
    pub url: String,
    /// How to reach it.
    #[zeroize(skip)]
    pub options: KitOptions,
}

/// The options of a replica, wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitOptions(pub BTreeMap<String, String>);

impl Drop for KitOptions {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for KitOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KitOptions({:?}, values redacted)", self.0.keys().collect::<Vec<_>>())
    }
}

impl fmt::Debug for KitReplica {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KitReplica").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What one person needs to open a site.
#[derive(Clone)]
pub struct Kit {
    /// The site.
    pub site: SiteCode,
    /// Whose kit it is.
    pub name: String,
    /// The key that checks the site's log.
    pub verification_key: VerificationKey,
    /// The site's lookup key.
    pub lookup_key: LookupKey,
    /// The holder's secret key.
    pub identity: Identity,
    /// The replicas to read.
    pub replicas: Vec<KitReplica>,
    /// When the kit was made.
    pub created: Timestamp,
}

impl fmt::Debug for Kit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Kit({}, {} replicas, redacted)", self.site, self.replicas.len())
    }
}

/// The content as JSON, borrowing its secrets from a buffer that is wiped.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    kit: u32,
    site: SiteCode,
    name: String,
    verification_key: VerificationKey,
    lookup_key: &'a str,
    identity: &'a str,
    replicas: Vec<KitReplica>,
    #[serde(with = "timestamp")]
    created: Timestamp,
}

impl Kit {
    /// Seals the kit under a passphrase, with a work factor of at most
    /// [`WORK_FACTOR_MAX`](crate::WORK_FACTOR_MAX).
    pub fn seal(&self, passphrase: &Passphrase, work_factor: u8) -> Result<Vec<u8>, KitError> {
        self.check()?;
        // The buffer never grows, so that no copy of the secrets stays behind.
        let mut content = Zeroizing::new(Vec::with_capacity(KIT_CONTENT_BYTES_MAX));
        let stored = Content {
            kit: KIT_VERSION,
            site: self.site.clone(),
            name: self.name.clone(),
            verification_key: self.verification_key.clone(),
            lookup_key: &self.lookup_key.to_hex(),
            identity: &self.identity.to_secret_text(),
            replicas: self.replicas.clone(),
            created: self.created,
        };
        let too_large = || KitError::Contradiction { what: "size" };
        serde_json::to_writer(Bounded(&mut content), &stored).map_err(|_| too_large())?;
        let recipient = passphrase.recipient(work_factor);
        sealed::seal_to(std::iter::once(&recipient as &dyn age::Recipient), &content).map_err(KitError::Seal)
    }

    /// Seals the kit and returns it as text that can be printed, copied and mailed.
    pub fn seal_as_text(&self, passphrase: &Passphrase, work_factor: u8) -> Result<String, KitError> {
        let sealed = self.seal(passphrase, work_factor)?;
        let mut writer =
            ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(KitError::Armor)?;
        writer.write_all(&sealed).map_err(KitError::Armor)?;
        let text = writer.finish().map_err(KitError::Armor)?;
        String::from_utf8(text).map_err(|_| KitError::Armor(io::ErrorKind::InvalidData.into()))
    }

    /// Opens a kit, in either form.
    pub fn open(bytes: &[u8], passphrase: &Passphrase) -> Result<Self, KitError> {
        if bytes.len() > KIT_BYTES_MAX {
            let (bytes, bytes_max) = (bytes.len(), KIT_BYTES_MAX);
            return Err(KitError::Open(AgeOpenError::TooLarge { bytes, bytes_max }));
        }
        let mut unarmored = Vec::new();
        let mut sealed = bytes;
        if bytes.trim_ascii_start().starts_with(ARMOR_BEGIN) {
            let mut reader = ArmoredReader::new(bytes.trim_ascii_start());
            reader.read_to_end(&mut unarmored).map_err(KitError::Armor)?;
            sealed = &unarmored;
        }
        let content = sealed::open_with_passphrase(&passphrase.identity(), sealed, KIT_BYTES_MAX)
            .map_err(KitError::Open)?;
        Self::from_content(&content)
    }

    /// Reads the content of an opened kit.
    pub(crate) fn from_content(content: &[u8]) -> Result<Self, KitError> {
        #[derive(Deserialize)]
        struct Version {
            kit: u64,
        }
        let Version { kit: version } = serde_json::from_slice(content).map_err(|_| KitError::Content)?;
        if version > u64::from(KIT_VERSION) {
            return Err(KitError::Newer { version });
        }
        let stored: Content<'_> = serde_json::from_slice(content).map_err(|_| KitError::Content)?;
        if stored.kit != KIT_VERSION {
            return Err(KitError::Content);
        }
        let kit = Self {
            site: stored.site,
            name: stored.name,
            verification_key: stored.verification_key,
            lookup_key: LookupKey::from_hex(stored.lookup_key).map_err(|_| KitError::Content)?,
            identity: stored.identity.parse().map_err(|_| KitError::Content)?,
            replicas: stored.replicas,
            created: stored.created,
        };
        kit.check()?;
        Ok(kit)
    }

    fn check(&self) -> Result<(), KitError> {
        let require = |holds, what| if holds { Ok(()) } else { Err(KitError::Contradiction { what }) };
        require(is_name(&self.name), "name of the holder")?;
        require(self.verification_key.name() == self.site.origin(), "name of the verification key")?;
        require(self.replicas.len() <= KIT_REPLICAS_MAX, "number of replicas")?;
        require(self.replicas.iter().all(|replica| is_name(&replica.name)), "name of a replica")
    }
}

/// Writes into a buffer that must not grow.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > self.0.capacity() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
