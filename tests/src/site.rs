//! A practice with its configuration, source and replicas, in a temporary folder.
//!
//! All paths in the configuration are relative to it, so that the whole folder can be copied and used elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::damage;
use crate::program::{Finished, Program, binary};
use crate::s3::S3;

/// The names of the replicas in folders.
pub const REPLICAS: [&str; 3] = ["one", "two", "three"];
/// The passphrase of every kit.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// A practice that has been set up.
pub struct Site {
    root: TempDir,
    /// Proves that the log is the site's own.
    pub verification_key: String,
}

impl Site {
    /// Sets up a site with an owner and a replica in a folder for each of `names`.
    pub fn new(names: &[&str]) -> Site {
        Site::set_up(TempDir::new().expect("a temporary folder can be made"), names)
    }

    /// Sets up a small site in memory, where there is room for it, for tests that do the same thing very often.
    pub fn in_memory(names: &[&str]) -> Site {
        Site::set_up(folder_in_memory(), names)
    }

    fn set_up(root: TempDir, names: &[&str]) -> Site {
        fs::create_dir(root.path().join("source")).expect("a folder can be made");
        fs::create_dir(root.path().join("tmp")).expect("a folder can be made");
        let mut site = Site { root, verification_key: String::new() };
        let owner = site.make_identity("owner");
        let mut init = site.command(&["--json", "init", "--site", "A81001", "--name", "Test Surgery"]);
        init = init.arguments(["--source", "source", "--state", "state"]);
        init = init.arguments(["--recipient", &format!("owner={owner}")]);
        for name in names {
            init = init.arguments(["--replica", &format!("{name}={}", site.replica(name).display())]);
        }
        let done = init.run().success().json();
        let key = done["result"]["verification_key"].as_str().expect("init says the verification key");
        site.verification_key = key.to_owned();
        site.edit_config(|text| {
            let folder = format!("{}/", site.root().display());
            let stable = text.replace("# stable_after = \"2s\"", "stable_after = \"0s\"");
            assert_ne!(stable, text, "the sample configuration shows `stable_after`");
            stable.replace(&folder, "")
        });
        site
    }

    /// Returns a copy of the site as it is, in a folder of its own beside this one.
    #[must_use]
    pub fn copy(&self) -> Site {
        let beside = self.root().parent().expect("a temporary folder lies in another");
        let root = TempDir::new_in(beside).expect("a temporary folder can be made");
        damage::copy_folder(self.root(), root.path());
        Site { root, verification_key: self.verification_key.clone() }
    }

    /// Returns the folder that everything is in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the folder that the clinical system writes to.
    pub fn source(&self) -> PathBuf {
        self.root().join("source")
    }

    /// Returns the folder of the state and the spool.
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// Returns the folder for the programs' temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// Returns the folder of a replica.
    pub fn replica(&self, name: &str) -> PathBuf {
        self.root().join(format!("replica-{name}"))
    }

    /// Returns the file with somebody's identity.
    pub fn identity(&self, who: &str) -> PathBuf {
        self.root().join(format!("{who}.key"))
    }

    /// Returns the configuration file.
    pub fn config(&self) -> PathBuf {
        self.root().join("lifeboat.toml")
    }

    /// Makes an identity with age's own tool; returns its public half.
    pub fn make_identity(&self, who: &str) -> String {
        let file = self.identity(who);
        Program::new("age-keygen").argument("-o").argument(&file).run().success();
        let public = Program::new("age-keygen").argument("-y").argument(&file).run().success();
        public.stdout.trim().to_owned()
    }

    /// Changes the text of the configuration.
    pub fn edit_config(&self, edit: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.config()).expect("the configuration can be read");
        fs::write(self.config(), edit(text)).expect("the configuration can be written");
    }

    /// Adds a replica in a bucket, below `prefix`; the server knows one user, who writes and reads.
    pub fn add_s3_replica(&self, name: &str, s3: &S3, prefix: &str) {
        write_secret(&self.root().join("keys/s3-access"), &s3.access_key);
        write_secret(&self.root().join("keys/s3-secret"), &s3.secret_key);
        let section = format!(
            "\n[[replica]]\nname = \"{name}\"\nurl = \"s3://{}/{prefix}\"\nendpoint = \"{}\"\nregion = \"{}\"\n\
             allow_http = true\naccess_key_file = \"keys/s3-access\"\nsecret_key_file = \"keys/s3-secret\"\n\
             reader_access_key_file = \"keys/s3-access\"\nreader_secret_key_file = \"keys/s3-secret\"\n",
            s3.bucket, s3.endpoint, s3.region
        );
        self.edit_config(|text| text + &section);
    }

    /// Prepares a command of `lifeboat` for this site.
    pub fn command(&self, arguments: &[&str]) -> Program {
        Program::new(binary("lifeboat"))
            .environment("TMPDIR", self.temporary())
            .argument("--config")
            .argument(self.config())
            .arguments(arguments)
            .folder(self.root())
    }

    /// Runs a command of `lifeboat` to its end, well or not.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).run()
    }

    /// Runs a command that must end well, and returns its result.
    #[track_caller]
    pub fn result(&self, arguments: &[&str]) -> Value {
        let done = self.command(&["--json"]).arguments(arguments).run().success();
        done.json()["result"].take()
    }

    /// Takes a snapshot, which must reach every replica.
    #[track_caller]
    pub fn snapshot(&self) -> Value {
        self.result(&["snapshot"])
    }

    /// Verifies a copy as somebody who holds the verification key and nothing else.
    pub fn verify_as_stranger(&self, folder: &Path) -> Finished {
        let elsewhere = TempDir::new().expect("a temporary folder can be made");
        Program::new(binary("lifeboat"))
            .arguments([
                "--json",
                "verify",
                "--level",
                "digest",
                "--verification-key",
                &self.verification_key,
            ])
            .argument(folder)
            .folder(elsewhere.path())
            .run()
    }

    /// Restores every record from a replica; returns the folder with them.
    #[track_caller]
    pub fn restore(&self, replica: &str, to: &str) -> PathBuf {
        let folder = self.root().join(to);
        let identity = self.identity("owner");
        self.command(&["restore", "--from", replica])
            .argument("--identity")
            .argument(identity)
            .argument("--to")
            .argument(&folder)
            .run()
            .success();
        folder
    }

    /// Makes a kit; returns its file and the file with its passphrase.
    #[track_caller]
    pub fn make_kit(&self, who: &str) -> (PathBuf, PathBuf) {
        let kit = self.root().join(format!("{who}.lifeboat-kit"));
        let passphrase = self.root().join("passphrase");
        write_secret(&passphrase, PASSPHRASE);
        self.command(&["kit", "create", "--name", who])
            .argument("--to")
            .argument(&kit)
            .argument("--passphrase-file")
            .argument(&passphrase)
            .run()
            .success();
        (kit, passphrase)
    }
}

/// Makes a temporary folder in memory, or an ordinary one where there is no such place.
pub fn folder_in_memory() -> TempDir {
    let made = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new());
    made.expect("a temporary folder can be made")
}

/// Writes a file that only its owner can read.
fn write_secret(path: &Path, secret: &str) {
    fs::write(path, secret).expect("a secret can be written");
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("a secret can be hidden");
}
