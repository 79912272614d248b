//! The epoch under which records are sealed: kept, or started when the recipients change.

use super::state::SiteState;
use super::{Engine, EngineError, EngineSettings, HostKeys};
use lifeboat_format::{
    EpochEntry, EpochNumber, EpochRecipient, Manifest, Passphrase, generate_epoch, seal_epoch_secret,
    seal_epoch_secret_with_passphrase,
};
use lifeboat_replica::EpochFiles;

/// The epoch in use.
pub(crate) struct Epoch {
    pub(crate) number: EpochNumber,
    pub(crate) recipient: EpochRecipient,
    /// What a manifest says of it, once it is published.
    pub(crate) entry: Option<EpochEntry>,
    /// Its files, until they are published.
    pub(crate) files: Option<EpochFiles>,
}

impl Epoch {
    /// Starts an epoch for the recipients of the settings.
    ///
    /// The secret lives in memory only until it is sealed; nobody on this host can open it afterwards.
    pub(crate) fn start(engine: &Engine) -> Result<Self, EngineError> {
        let settings = &engine.settings;
        let number = engine.history.next_epoch()?;
        let secret = generate_epoch(number, &settings.site, &engine.keys.lookup);
        let recipients = seal_epoch_secret(&secret, &settings.recipients)?;
        let seal = |passphrase: &Passphrase| {
            seal_epoch_secret_with_passphrase(&secret, passphrase, settings.passphrase_work_factor)
        };
        let passphrase = settings.passphrase.as_ref().map(seal).transpose()?;
        let files = EpochFiles { number, recipients, passphrase };
        Ok(Self { number, recipient: secret.recipient(), entry: None, files: Some(files) })
    }

    /// The epoch of a published snapshot.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let entry = manifest.epoch.clone();
        Self { number: entry.number, recipient: entry.recipient.clone(), entry: Some(entry), files: None }
    }

    /// Whether the kept state was sealed to just these recipients.
    pub(crate) fn fits(site: &SiteState, settings: &EngineSettings, keys: &HostKeys) -> bool {
        site.recipients == Self::recipients_digest(settings, keys)
    }

    /// Digest of all who can open the epoch, in any order.
    pub(crate) fn recipients_digest(settings: &EngineSettings, keys: &HostKeys) -> [u8; 16] {
        let mut names: Vec<String> = settings.recipients.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        let mut hash = blake3::Hasher::new_keyed(&keys.host.digest_key());
        for name in &names {
            hash.update(name.as_bytes()).update(b"\n");
        }
        if let Some(passphrase) = &settings.passphrase {
            hash.update(b"passphrase ").update(passphrase.expose().as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize().as_bytes()[..16]);
        digest
    }
}
