//! Starts the viewer as its own program, as a GP would, and finds out where it is.

use std::env::consts::EXE_SUFFIX;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use super::DemoError;

/// Whether the viewer opens the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Browser {
    /// It does.
    Open,
    /// It only says where it is.
    Leave,
}

/// Where the viewer is.
#[derive(Debug, Deserialize)]
pub(super) struct Address {
    /// The viewer.
    pub(super) url: String,
    /// The address that opens it, once.
    pub(super) launch_url: String,
}

/// The running viewer; it ends with this value.
pub(super) struct Viewer {
    child: Child,
    pub(super) address: Address,
}

/// Finds the viewer beside this program.
pub(super) fn program() -> Result<PathBuf, DemoError> {
    let name = format!("lifeboat-viewer{EXE_SUFFIX}");
    let here = std::env::current_exe().unwrap_or_default();
    let beside = here.parent().unwrap_or(Path::new("")).join(&name);
    // Test programs lie one folder below the programs that they test.
    let above = here.parent().and_then(Path::parent).unwrap_or(Path::new("")).join(&name);
    if beside.is_file() {
        Ok(beside)
    } else if above.is_file() {
        Ok(above)
    } else {
        Err(DemoError::ViewerMissing { path: beside })
    }
}

/// Starts the viewer on a kit.
pub(super) fn start(
    program: &Path,
    kit: &Path,
    passphrase_file: &Path,
    browser: Browser,
) -> Result<Viewer, DemoError> {
    let failed = |source| DemoError::ViewerStart { path: program.to_owned(), source };
    let mut command = Command::new(program);
    command.arg("open").arg(kit).arg("--passphrase-file").arg(passphrase_file).arg("--json");
    if browser == Browser::Leave {
        command.arg("--no-browser");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut line = String::new();
    if let Some(said) = child.stdout.take() {
        BufReader::new(said).read_line(&mut line).map_err(failed)?;
    }
    match serde_json::from_str(&line) {
        Ok(address) => Ok(Viewer { child, address }),
        Err(_) => {
            end(&mut child);
            Err(DemoError::ViewerSilent)
        }
    }
}

impl Viewer {
    /// Waits until the viewer is closed.
    pub(super) fn wait(mut self) -> Result<(), DemoError> {
        match self.child.wait() {
            Ok(_) => Ok(()),
            Err(source) => Err(DemoError::ViewerStart { path: PathBuf::from("lifeboat-viewer"), source }),
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself; either way it is gone afterwards.
    let _killed: io::Result<()> = child.kill();
    let _waited = child.wait();
}
