//! A scratch folder with a site in it, for tests.

use std::path::PathBuf;

use jiff::civil::Date;
use lifeboat_clinical::synth::Practice;
use lifeboat_format::Identity;
use serde_json::Value;

use crate::cli::run_for_test;
use crate::config::Config;
use crate::error::ExitStatus;

/// A folder with a source, and a site once [`Scratch::init`] was called.
pub(crate) struct Scratch {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) identity: Identity,
}

impl Scratch {
    /// Makes the folder with an empty source.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("source")).expect("a folder");
        Scratch { folder, identity: Identity::generate() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    /// Runs a command on the site; returns its exit status with its result or error as JSON.
    pub(crate) fn run(&self, arguments: &[&str]) -> (ExitStatus, Value) {
        let config = self.text("lifeboat.toml");
        let mut all = vec!["--config", &config];
        all.extend(arguments);
        run_for_test(&all)
    }

    /// Sets up a site with the named replicas, each a folder of its own.
    pub(crate) fn init(&self, replicas: &[&str]) -> (ExitStatus, Value) {
        let recipient = format!("safe={}", self.identity.recipient());
        let source = self.text("source");
        let replicas: Vec<String> =
            replicas.iter().map(|name| format!("{name}={}", self.text(name))).collect();
        let mut arguments = vec![
            "init",
            "--site",
            "A81001",
            "--name",
            "Example Surgery",
            "--source",
            &source,
            "--recipient",
            &recipient,
        ];
        for replica in &replicas {
            arguments.extend(["--replica", replica]);
        }
        self.run(&arguments)
    }

    /// Changes a setting that the file shows with its default.
    pub(crate) fn set(&self, key: &str, value: &str) {
        let path = self.path("lifeboat.toml");
        let text = std::fs::read_to_string(&path).expect("the configuration is read");
        let set = |line: &str| match line.trim_start_matches("# ").starts_with(&format!("{key} = ")) {
            true => format!("{key} = {value}"),
            false => line.to_owned(),
        };
        let lines: Vec<String> = text.lines().map(set).collect();
        std::fs::write(&path, lines.join("\n")).expect("the configuration is written");
    }

    /// Reads the site's configuration.
    pub(crate) fn config(&self) -> Config {
        Config::load(&self.path("lifeboat.toml")).expect("the configuration is read")
    }

    /// Writes the files of a small practice into the source, to be taken at once.
    pub(crate) fn fill(&self, seed: u64, patients: usize) -> Practice {
        let practice = Practice::new(seed, patients, Date::constant(2026, 11, 20));
        for (stem, document) in practice.files() {
            let path = self.path("source").join(format!("{stem}.json"));
            std::fs::write(path, document.to_string()).expect("the file is written");
        }
        self.set("stable_after", "\"0s\"");
        practice
    }
}
