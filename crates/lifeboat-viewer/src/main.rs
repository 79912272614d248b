//! Starts the `lifeboat-viewer` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifeboat_viewer::cli::main()
}
