//! `lifeboat run`: the service.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::args::Global;
use super::{context, logging};
use crate::error::CommandError;
use crate::output::Report;
use crate::service::{ServiceError, Site};

/// The service has ended as it was told to.
struct Stopped;

impl Report for Stopped {
    fn json(&self) -> Value {
        json!({ "stopped": true })
    }

    fn human(&self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the service until it is told to stop.
pub(super) fn run(global: &Global) -> Result<Box<dyn Report>, CommandError> {
    let config = context::config(global)?;
    logging::for_service(config.log, global);
    let site = Site::open(config)?;
    context::wait_for(site.run())?.map_err(service_error)?;
    Ok(Box::new(Stopped))
}

pub(super) fn service_error(error: ServiceError) -> CommandError {
    match error {
        ServiceError::Setup(error) => error.into(),
        other => CommandError::Service(Box::new(other)),
    }
}
