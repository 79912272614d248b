//! Starts the viewer as its own program, as a GP would, and finds out where it is.

use std::env::consts::EXE_SUFFIX;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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

/// Whether the viewer may speak on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// It says where it is.
    Spoken,
    /// Something else is printed there.
    Silent,
}

/// How often it is looked whether the viewer was closed.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

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

/// Shows the viewer to a person until they close it, or end this program.
pub(super) async fn show(
    program: &Path,
    kit: &Path,
    passphrase_file: &Path,
    browser: Browser,
    speech: Speech,
) -> Result<(), DemoError> {
    let failed = |source| DemoError::ViewerStart { path: program.to_owned(), source };
    let mut command = opening(program, kit, passphrase_file, browser);
    if speech == Speech::Silent {
        command.stdin(Stdio::null()).stdout(Stdio::null());
    }
    // From here on Ctrl-C reaches the viewer, which closes, and then us, who clean up.
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut child = command.spawn().map_err(failed)?;
    loop {
        tokio::select! {
            _ = &mut interrupted => break,
            () = tokio::time::sleep(LOOK_INTERVAL) => {
                if child.try_wait().map_err(failed)?.is_some() {
                    break;
                }
            }
        }
    }
    end(&mut child);
    Ok(())
}

/// Starts the viewer on a kit, for this program to read.
pub(super) fn start(program: &Path, kit: &Path, passphrase_file: &Path) -> Result<Viewer, DemoError> {
    let failed = |source| DemoError::ViewerStart { path: program.to_owned(), source };
    let mut command = opening(program, kit, passphrase_file, Browser::Leave);
    let mut child =
        command.arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
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

fn opening(program: &Path, kit: &Path, passphrase_file: &Path, browser: Browser) -> Command {
    let mut command = Command::new(program);
    command.arg("open").arg(kit).arg("--passphrase-file").arg(passphrase_file);
    if browser == Browser::Leave {
        command.arg("--no-browser");
    }
    command
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
