//! From configuration to a running engine: reads recipients and keys at the moment they are needed.

use lifeboat_format::{Passphrase, WORK_FACTOR_DEFAULT};

use crate::config::{Config, RecipientList, RecipientsError};
use crate::engine::{Engine, EngineError, EngineSettings};
use crate::keys::{self, KeysError};

/// Why an engine cannot be set up from a configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The list of recipients cannot be used.
    #[error(transparent)]
    Recipients(#[from] RecipientsError),
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The engine cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Returns what the engine needs to know, with the recipients and the passphrase of this moment.
pub fn engine_settings(config: &Config) -> Result<EngineSettings, SetupError> {
    let recipients = RecipientList::load(&config.recipients_file)?.recipients()?;
    let passphrase = match &config.keys.passphrase {
        None => None,
        Some(source) => {
            let text = source.read("break-glass passphrase").map_err(KeysError::from)?;
            Some(Passphrase::from(text.as_str()))
        }
    };
    Ok(EngineSettings {
        site: config.site.code.clone(),
        site_name: config.site.name.clone(),
        source: config.source.path.clone(),
        stable_after: config.source.stable_after,
        state_dir: config.state_dir.clone(),
        expected_within: config.heartbeat() * config.snapshot.expected_by,
        recipients,
        passphrase,
        passphrase_work_factor: WORK_FACTOR_DEFAULT,
        threads: config.snapshot.threads,
    })
}

/// Opens the engine that the configuration describes.
pub fn open_engine(config: &Config) -> Result<Engine, SetupError> {
    let settings = engine_settings(config)?;
    let keys = keys::load(&config.keys)?;
    Ok(Engine::open(settings, keys)?)
}
