//! The commands that the demonstration runs, as functions of one site.

use std::path::{Path, PathBuf};

use lifeboat_format::VerificationKey;

use super::args::{Global, InitArgs, KitCommand, Level};
use super::verify::{Verified, verify_all};
use super::{context, init, kit, snapshot};
use crate::config::Config;
use crate::engine::Acceptance;
use crate::error::CommandError;
use crate::output::Output;
use crate::service::{OnceReport, Replicas};

/// Runs commands on the site of one configuration file.
pub(crate) struct SiteCommands {
    global: Global,
    output: Output,
}

impl SiteCommands {
    /// Begins with the configuration file, which need not exist yet.
    pub(crate) fn new(config: PathBuf, output: Output) -> Self {
        let global = Global { config: Some(config), json: false, quiet: true, verbose: 0, no_progress: true };
        SiteCommands { global, output }
    }

    /// Sets the site up.
    pub(crate) fn init(&self, args: &InitArgs) -> Result<(), CommandError> {
        init::run(&self.global, args).map(|_report| ())
    }

    /// Makes a kit.
    pub(crate) fn create_kit(
        &self,
        name: &str,
        to: &Path,
        passphrase_file: &Path,
    ) -> Result<(), CommandError> {
        let command = KitCommand::Create {
            name: name.to_owned(),
            role: None,
            to: to.to_owned(),
            passphrase_file: Some(passphrase_file.to_owned()),
            replicas: Vec::new(),
        };
        kit::run(&self.global, &command).map(|_report| ())
    }

    /// Reads the configuration.
    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        context::config(&self.global)
    }

    /// Takes a snapshot.
    pub(crate) fn snapshot(
        &self,
        acceptance: &Acceptance,
        replicas: Replicas,
    ) -> Result<OnceReport, CommandError> {
        snapshot::take(self.config()?, acceptance, replicas, &self.output.bars())
    }

    /// Verifies every byte of every replica without any decryption key.
    pub(crate) fn verify(&self, key: &VerificationKey) -> Result<Vec<Verified>, CommandError> {
        let config = self.config()?;
        let names: Vec<String> = config.replicas.iter().map(|replica| replica.name.to_string()).collect();
        let subjects = super::verify::subjects(&names, None, Some(&config));
        verify_all(subjects, key, Level::Digest, None, &self.output.bars())
    }
}
