//! What most commands begin with: the configuration, the engine, the runtime.

use std::future::Future;
use std::path::PathBuf;

use super::args::Global;
use crate::config::{self, Config, ConfigError, UserIsRoot};
use crate::error::CommandError;

/// Returns the path of the configuration in force.
pub(super) fn config_path(global: &Global) -> PathBuf {
    let user = if rustix::process::geteuid().is_root() { UserIsRoot::Yes } else { UserIsRoot::No };
    global.config.clone().unwrap_or_else(|| config::default_path(user))
}

/// Reads the configuration in force.
pub(super) fn config(global: &Global) -> Result<Config, CommandError> {
    Ok(Config::load(&config_path(global))?)
}

/// Reads the configuration where there is one; commands that only read can do without.
pub(super) fn optional_config(global: &Global) -> Result<Option<Config>, CommandError> {
    match Config::load(&config_path(global)) {
        Ok(config) => Ok(Some(config)),
        Err(ConfigError::Absent { .. }) if global.config.is_none() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Runs `work` to its end on a new runtime.
pub(crate) fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CommandError::Runtime { source })?;
    let result = runtime.block_on(work);
    // A store that does not answer any more must not keep a finished command from ending.
    runtime.shutdown_background();
    Ok(result)
}
