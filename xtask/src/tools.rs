//! Sees to it that the programs which the tests use are there.
//!
//! What Debian packages is installed with `apt-get` when this user may do that, and named otherwise. What only crates.io
//! has is built with `cargo install`, in fixed versions: the test runner for the user, the S3 server under `target/`.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::shell;

/// Debian packages whose programs, of the same name, the tests run.
const DEBIAN: [&str; 3] = ["age", "zstd", "jq"];
/// The version of the test runner that is installed when there is none.
const NEXTEST_VERSION: &str = "0.9.143";
/// The version of the S3 server that the tests talk to.
const S3S_FS_VERSION: &str = "0.14.1";

/// Installs the Debian packages that the tests need, where they are missing.
pub(crate) fn install_debian_packages() -> Result<(), Failure> {
    install_from_debian(&DEBIAN)
}

/// Installs those of `packages` whose program of the same name is missing.
pub(crate) fn install_from_debian(packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !shell::is_installed(name)).collect();
    if missing.is_empty() {
        println!("there already: {}", packages.join(", "));
        return Ok(());
    }
    let by_hand = Failure::Missing {
        what: missing.join(", "),
        remedy: format!("sudo apt-get install {}", missing.join(" ")),
    };
    let Some(prefix) = administrator() else { return Err(by_hand) };
    let apt = |arguments: &[&str]| {
        let words: Vec<&str> = prefix.iter().copied().chain(arguments.iter().copied()).collect();
        let mut command = shell::program(words[0], &words[1..]);
        shell::run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install: Vec<&str> =
        ["apt-get", "install", "-y", "--no-install-recommends"].into_iter().chain(missing).collect();
    if apt(&install).is_ok() {
        return Ok(());
    }
    apt(&["apt-get", "update"])?;
    apt(&install).map_err(|_| by_hand)
}

/// Returns what to put before a command that needs root, if this user can have it without being asked.
fn administrator() -> Option<&'static [&'static str]> {
    if !shell::is_installed("apt-get") {
        return None;
    }
    if rustix::process::geteuid().is_root() {
        return Some(&["env"]);
    }
    shell::answer(&mut shell::program("sudo", &["-n", "true"])).map(|_| &["sudo", "-n"] as &[&str])
}

/// Installs the test runner when there is none.
pub(crate) fn install_nextest() -> Result<(), Failure> {
    if let Some(version) = shell::answer(&mut shell::cargo(&["nextest", "--version"])) {
        println!("there already: {}", version.lines().next().unwrap_or_default());
        return Ok(());
    }
    println!("building cargo-nextest once; this takes some minutes");
    shell::run(&mut shell::cargo(&["install", "--locked", "cargo-nextest", "--version", NEXTEST_VERSION]))
}

/// Returns where the S3 server's program lies, built or not.
pub(crate) fn s3_server() -> PathBuf {
    shell::target().join("servers/bin/s3s-fs")
}

/// Builds the S3 server that the tests talk to, when it is missing.
pub(crate) fn install_s3_server() -> Result<(), Failure> {
    let program = s3_server();
    if program.is_file() {
        println!("there already: {}", program.display());
        return Ok(());
    }
    println!("building s3s-fs once; this takes some minutes");
    let folder = shell::target().join("servers");
    let mut command = shell::cargo(&["install", "s3s-fs", "--locked", "--features", "binary"]);
    command.args(["--version", S3S_FS_VERSION, "--root"]).arg(folder);
    shell::run(&mut command)
}
