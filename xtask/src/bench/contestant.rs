//! Those who are measured, and the commands with which each does the same five things.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::data::{self, Data};
use crate::failure::Failure;
use crate::shell;

/// The password of restic's repositories.
const PASSWORD: &str = "measured";

/// Somebody who keeps three copies of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keeper {
    /// Us.
    Lifeboat,
    /// restic, one repository for each copy.
    Restic,
    /// `tar | zstd | age`, sealed once and written to three folders.
    Tar,
}

/// The form in which the records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// One file with a line for each patient.
    Ndjson,
    /// One file for each patient.
    Files,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    /// Everything for the first time, to three copies.
    First,
    /// One patient in a hundred changed.
    Changed,
    /// Nothing changed.
    Unchanged,
    /// Every byte of one copy.
    Verify,
    /// One patient from one copy, by a process that knows nothing yet.
    Fetch,
}

impl Step {
    /// All steps, in the order in which they are done.
    pub(crate) const ALL: [Step; 5] =
        [Step::First, Step::Changed, Step::Unchanged, Step::Verify, Step::Fetch];
}

/// One keeper at work on one form of the data, in its own folder.
pub(crate) struct Contestant<'d> {
    /// Who.
    pub(crate) keeper: Keeper,
    /// On what.
    pub(crate) form: Form,
    folder: PathBuf,
    data: &'d Data,
}

impl<'d> Contestant<'d> {
    /// Makes an empty folder with the source and three empty copies in it.
    pub(crate) fn prepare(work: &Path, data: &'d Data, keeper: Keeper, form: Form) -> Result<Self, Failure> {
        let folder = work.join(format!("{keeper:?}-{form:?}").to_lowercase());
        // It is not there the first time.
        let _ = fs::remove_dir_all(&folder);
        let source = folder.join("src");
        fs::create_dir_all(&source)
            .map_err(|error| Failure::Write { path: source.clone(), source: error })?;
        let own = Contestant { keeper, form, folder, data };
        match form {
            Form::Ndjson => own.shell(&format!("cp {} src/patients.ndjson", quoted(&data.before)))?,
            Form::Files => own.shell(&format!("cp -a {}/. src/", quoted(&data.files)))?,
        }
        match keeper {
            Keeper::Lifeboat => own.init()?,
            Keeper::Restic => own.shell("for s in 1 2 3; do restic -q -r copy$s init; done")?,
            Keeper::Tar => own.shell(
                "mkdir copy1 copy2 copy3 && age-keygen -o age.key 2>age.note && age-keygen -y age.key >age.pub",
            )?,
        }
        own.shell("sync -f .")?;
        Ok(own)
    }

    /// Returns the folder of the first copy.
    pub(crate) fn copy(&self) -> PathBuf {
        self.folder.join("copy1")
    }

    /// Returns the folder to measure in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Changes the source as an exporter would: whole files, renamed into place.
    pub(crate) fn change(&self) -> Result<(), Failure> {
        let source = self.folder.join("src");
        match self.form {
            Form::Ndjson => self.shell(&format!(
                "cp {} next.part && mv next.part src/patients.ndjson",
                quoted(&self.data.after)
            ))?,
            Form::Files => {
                for data::Change { name, content } in &self.data.changes {
                    match content {
                        Some(line) => data::write_document(&source, name, line)?,
                        None => fs::remove_file(source.join(name))
                            .map_err(|error| Failure::Write { path: source.join(name), source: error })?,
                    }
                }
            }
        }
        self.shell("sync -f .")
    }

    /// Returns the command that does `step`.
    pub(crate) fn command(&self, step: Step) -> Command {
        match (self.keeper, step) {
            (Keeper::Lifeboat, Step::First | Step::Changed | Step::Unchanged) => self.lifeboat(&["snapshot"]),
            (Keeper::Lifeboat, Step::Verify) => self.lifeboat(&["verify", "--level", "digest", "copy1"]),
            (Keeper::Lifeboat, Step::Fetch) => self.lifeboat(&[
                "restore",
                "--identity",
                "owner.key",
                "--to",
                "fetched",
                "--from",
                "copy2",
                "--patient",
                &self.data.patient,
            ]),
            (Keeper::Restic, Step::First | Step::Changed | Step::Unchanged) => {
                self.bash("for s in 1 2 3; do restic -q -r copy$s backup src || exit 1; done")
            }
            (Keeper::Restic, Step::Verify) => self.bash("restic -q -r copy1 check --read-data"),
            (Keeper::Restic, Step::Fetch) => self.bash(&format!(
                "rm -rf cache; restic -q -r copy2 dump latest /{} | {} >fetched",
                self.one(),
                self.pick()
            )),
            (Keeper::Tar, Step::First | Step::Changed | Step::Unchanged) => {
                let to = format!("{step:?}.age").to_lowercase();
                self.bash(&format!(
                    "tar -c src | zstd -3 -T2 -q -c | age -r $(cat age.pub) | tee copy1/{to} copy2/{to} >copy3/{to} && sync -f ."
                ))
            }
            (Keeper::Tar, Step::Verify) => self.bash("age -d -i age.key copy1/changed.age | zstd -t -q"),
            // tar stops reading when it has what it wants, which those before it in the pipe take for a failure.
            (Keeper::Tar, Step::Fetch) => self.bash(&format!(
                "set +o pipefail; age -d -i age.key copy2/changed.age | zstd -dc | tar -xO --occurrence=1 {} | {} >fetched",
                self.one(),
                self.pick()
            )),
        }
    }

    /// Fails unless the patient who was fetched is there.
    pub(crate) fn check_fetched(&self) -> Result<(), Failure> {
        self.shell(&format!("grep -rqF {} fetched", self.data.patient))
    }

    /// Returns the command that hashes every file of the first copy, which verifying is compared with.
    pub(crate) fn sha256sum(&self) -> Command {
        self.bash("find copy1 -type f -print0 | xargs -0 sha256sum >sums")
    }

    /// Sets up a site with three replicas.
    fn init(&self) -> Result<(), Failure> {
        self.shell("age-keygen -o owner.key 2>owner.note && age-keygen -y owner.key >owner.pub")?;
        let public = fs::read_to_string(self.folder.join("owner.pub"))
            .map_err(|source| Failure::Read { path: self.folder.join("owner.pub"), source })?;
        let recipient = format!("owner={}", public.trim());
        let mut init =
            self.lifeboat(&["init", "--site", "A81001", "--name", "Measured Surgery", "--source", "src"]);
        init.args(["--state", "state", "--recipient", &recipient]);
        init.args(["--replica", "one=copy1", "--replica", "two=copy2", "--replica", "three=copy3"]);
        shell::run(&mut init)?;
        // Files are whole when they appear; waiting for them to settle is not what is measured.
        self.shell("sed -i 's/^# stable_after = .*/stable_after = \"0s\"/' lifeboat.toml")
    }

    fn lifeboat(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(shell::target().join("release/lifeboat"));
        command.args(["--config", "lifeboat.toml", "--quiet"]).args(arguments).current_dir(&self.folder);
        command
    }

    fn bash(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -eo pipefail; {script}")]).current_dir(&self.folder);
        command.env("RESTIC_PASSWORD", PASSWORD).env("RESTIC_CACHE_DIR", self.folder.join("cache"));
        command
    }

    /// Runs a script that is not measured.
    fn shell(&self, script: &str) -> Result<(), Failure> {
        let mut command = self.bash(script);
        let status =
            command.status().map_err(|source| Failure::Start { program: script.to_owned(), source })?;
        if status.success() { Ok(()) } else { Err(Failure::Exit { program: script.to_owned(), status }) }
    }

    /// Returns the file that holds the patient who is fetched.
    fn one(&self) -> String {
        match self.form {
            Form::Ndjson => "src/patients.ndjson".to_owned(),
            Form::Files => format!("src/{}", self.data.patient_file),
        }
    }

    /// Returns the filter that leaves that patient alone.
    fn pick(&self) -> String {
        match self.form {
            // Reading on to the end keeps the writers of the pipe from failing.
            Form::Ndjson => format!("grep -F 'nhs-number\",\"value\":\"{}\"'", self.data.patient),
            Form::Files => "cat".to_owned(),
        }
    }
}

/// Writes a path as the shell reads it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}
