//! `lifeboat feed`: looks into extracts before they are trusted, and writes made-up ones.

mod inspect;
mod synth;

use super::args::FeedCommand;
use crate::error::CommandError;
use crate::output::{Output, Report};

/// Runs one of the commands.
pub(super) fn run(command: &FeedCommand, output: Output) -> Result<Box<dyn Report>, CommandError> {
    match command {
        FeedCommand::Inspect { path, format } => inspect::run(path, *format),
        FeedCommand::Synth(args) => synth::run(args, output),
    }
}
