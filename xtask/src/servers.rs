//! Starts and stops the S3 server that the tests talk to: s3s-fs, on loopback, on a free port, with data under `target/`.
//!
//! Tests learn of it from the environment variable [`VARIABLE`], a JSON object with the fields of [`S3`].

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::{shell, tools};

/// The environment variable that tells tests where the S3 server is.
pub(crate) const VARIABLE: &str = "LIFEBOAT_TEST_S3";
/// How long the server may take to answer.
const START_SECONDS_MAX: u64 = 20;

/// What to do with the server.
#[derive(Subcommand)]
pub(crate) enum Action {
    /// Starts it in the background and prints the environment variable that tests read.
    Up,
    /// Stops it and removes its data.
    Down,
}

/// Where the S3 server is and how to sign in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct S3 {
    endpoint: String,
    bucket: String,
    region: String,
    access_key: String,
    secret_key: String,
}

/// What `up` leaves for `down`.
#[derive(Serialize, Deserialize)]
struct Running {
    process: u32,
    data: PathBuf,
    s3: S3,
}

/// A server that stops, and whose data go, when this value does.
pub(crate) struct Server {
    child: Child,
    running: Running,
}

impl Server {
    /// Starts the server and waits until it answers.
    pub(crate) fn start() -> Result<Server, Failure> {
        let address = free_address()?;
        let data = shell::target().join(format!("servers/data-{}", address.port()));
        let s3 = S3 {
            endpoint: format!("http://{address}"),
            bucket: "lifeboat".to_owned(),
            region: "us-east-1".to_owned(),
            access_key: "test".to_owned(),
            secret_key: "testtest".to_owned(),
        };
        let bucket = data.join(&s3.bucket);
        fs::create_dir_all(&bucket).map_err(|source| Failure::Write { path: bucket, source })?;
        let mut command = shell::program(tools::s3_server(), &["--host", "127.0.0.1", "--port"]);
        command.arg(address.port().to_string());
        command.args(["--access-key", &s3.access_key, "--secret-key", &s3.secret_key]).arg(&data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().map_err(|source| Failure::Start { program: shell::spelled(&command), source })?;
        let server = Server { running: Running { process: child.id(), data, s3 }, child };
        wait_until_open(address)?;
        Ok(server)
    }

    /// Returns the value of [`VARIABLE`] for this server.
    pub(crate) fn variable(&self) -> String {
        serde_json::to_string(&self.running.s3).expect("a struct of strings is JSON")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Errors mean that the server is gone already, or that the next `cargo clean` takes its data.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.running.data);
    }
}

/// Starts or stops the server in the background.
pub(crate) fn run(action: &Action) -> Result<(), Failure> {
    let note = shell::target().join("servers/running.json");
    match action {
        Action::Up => {
            tools::install_s3_server()?;
            stop(&note)?;
            let server = std::mem::ManuallyDrop::new(Server::start()?);
            let text = serde_json::to_vec_pretty(&server.running).expect("a struct of strings is JSON");
            fs::write(&note, text).map_err(|source| Failure::Write { path: note, source })?;
            println!("export {VARIABLE}='{}'", server.variable());
            Ok(())
        }
        Action::Down => stop(&note),
    }
}

/// Stops the server that `note` speaks of, if there is one.
fn stop(note: &Path) -> Result<(), Failure> {
    let Ok(bytes) = fs::read(note) else { return Ok(()) };
    let running: Running =
        serde_json::from_slice(&bytes).map_err(|source| Failure::Parse { path: note.to_owned(), source })?;
    // The number may belong to another program by now: only a process that still runs our server is stopped.
    let command_line = fs::read(format!("/proc/{}/cmdline", running.process)).unwrap_or_default();
    let ours = String::from_utf8_lossy(&command_line).contains("s3s-fs");
    let process = i32::try_from(running.process).ok().and_then(rustix::process::Pid::from_raw);
    if let (true, Some(process)) = (ours, process) {
        // The process may end between the look and the signal, which is what is wanted.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
    let _ = fs::remove_dir_all(&running.data);
    fs::remove_file(note).map_err(|source| Failure::Write { path: note.to_owned(), source })
}

/// Returns a loopback address that nobody listens on.
fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|source| Failure::Start { program: "a listener on 127.0.0.1".to_owned(), source })
}

/// Waits until somebody accepts connections at `address`.
#[expect(clippy::disallowed_methods, reason = "polls a condition that another process makes true")]
fn wait_until_open(address: SocketAddr) -> Result<(), Failure> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(START_SECONDS_MAX) {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::Wait { what: format!("the S3 server at {address}"), seconds: START_SECONDS_MAX })
}
