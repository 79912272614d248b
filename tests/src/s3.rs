//! The S3 server that the tests talk to.
//!
//! `cargo xtask test` starts one and says in `LIFEBOAT_TEST_S3` where it is. A test that is run by itself starts its own
//! from `target/servers`, where `cargo xtask servers up` builds it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use serde::Deserialize;
use tempfile::TempDir;

use crate::program::{Program, Running, binary, wait_for};

/// Tells where the server is, as JSON with the fields of [`S3`].
const VARIABLE: &str = "LIFEBOAT_TEST_S3";

/// Where the server is and how to sign in.
#[derive(Clone, Debug, Deserialize)]
pub struct S3 {
    /// Its address.
    pub endpoint: String,
    /// A bucket that exists.
    pub bucket: String,
    /// The region that it wants to be told.
    pub region: String,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
}

/// A server, ours or the task's.
pub struct S3Server {
    /// Where it is.
    pub s3: S3,
    _own: Option<(Running, TempDir)>,
}

impl S3Server {
    /// Uses the server that the environment names, or starts one.
    pub fn ready() -> S3Server {
        match std::env::var(VARIABLE) {
            Ok(text) => {
                let s3 = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
                S3Server { s3, _own: None }
            }
            Err(_) => S3Server::start(),
        }
    }

    fn start() -> S3Server {
        let program = program();
        assert!(program.is_file(), "{} is not built; `cargo xtask servers up` builds it", program.display());
        let data = TempDir::new().expect("a temporary folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        drop(listener);
        let s3 = S3 {
            endpoint: format!("http://{address}"),
            bucket: "lifeboat".to_owned(),
            region: "us-east-1".to_owned(),
            access_key: "test".to_owned(),
            secret_key: "testtest".to_owned(),
        };
        fs::create_dir(data.path().join(&s3.bucket)).expect("a bucket is a folder");
        let server = Program::new(program)
            .arguments(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .arguments(["--access-key", &s3.access_key, "--secret-key", &s3.secret_key])
            .argument(data.path())
            .start();
        wait_for("the S3 server", || TcpStream::connect(address).ok());
        S3Server { s3, _own: Some((server, data)) }
    }
}

/// Returns where the task builds the server: beside the programs of this project, under `target`.
fn program() -> PathBuf {
    let ours = binary("lifeboat");
    let target = ours.ancestors().nth(2).expect("programs lie in a folder below the target folder");
    target.join("servers/bin/s3s-fs")
}
