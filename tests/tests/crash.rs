//! The program is killed at each of its input and output steps, one after the other, all of them.
//!
//! After each kill: what was acknowledged before is still there on every copy, nothing needs a repair by hand, and the next
//! snapshot completes and holds exactly what an undisturbed one holds.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::site::Site;

use crate::feeds::extract::Order;

/// Patients of the practice: few, since there are many kills.
const PATIENTS: usize = 8;
/// A practice whose extract comes in batches of rows.
const EXTRACT: Order = Order { format: "emis", patients: 4, changes: 50 };
/// One of so many of the other steps is enough where a test is about rows; the tests above take all of them.
const OTHER_STEPS: usize = 24;
/// One copy beside the spool.
const ONE: &[&str] = &["one"];
/// Two copies, which are fed side by side.
const TWO: &[&str] = &["one", "two"];
/// The signal that cannot be caught.
const SIGKILL: i32 = 9;
/// More steps than any run has; reaching it means that the counting is broken.
const STEPS_MAX: usize = 5_000;

#[test]
fn the_first_snapshot_survives_a_kill_at_every_step() {
    let site = Site::in_memory(ONE);
    practice::write(&practice::practice(PATIENTS), &site.source());
    kill_at_every_step(&site, ONE, Acknowledged::Nothing);
}

#[test]
fn a_snapshot_of_changes_survives_a_kill_at_every_step() {
    let site = Site::in_memory(TWO);
    let practice = practice::practice(PATIENTS);
    practice::write(&practice, &site.source());
    site.snapshot();
    practice::write_changes(&practice, 1, 0.2, &site.source());
    kill_at_every_step(&site, TWO, Acknowledged::OneSnapshot);
}

#[test]
fn a_heartbeat_survives_a_kill_at_every_step() {
    let site = Site::in_memory(TWO);
    practice::write(&practice::practice(PATIENTS), &site.source());
    site.snapshot();
    kill_at_every_step(&site, TWO, Acknowledged::OneSnapshot);
}

#[test]
fn a_new_epoch_survives_a_kill_at_every_step() {
    let site = Site::in_memory(ONE);
    practice::write(&practice::practice(PATIENTS), &site.source());
    site.snapshot();
    let locum = site.make_identity("locum");
    site.run(&["recipients", "add", "locum", &locum]).success();
    kill_at_every_step(&site, ONE, Acknowledged::OneSnapshot);
}

#[test]
fn the_first_batch_of_rows_survives_a_kill_at_every_step_of_its_own() {
    let site = Site::in_memory(ONE);
    EXTRACT.deliver(&site, 0);
    kill_at_steps_of_rows(&site, ONE, Acknowledged::Nothing);
}

#[test]
fn a_batch_of_changed_rows_survives_a_kill_at_every_step_of_its_own() {
    let site = Site::in_memory(ONE);
    EXTRACT.deliver(&site, 0);
    site.snapshot();
    EXTRACT.deliver(&site, 1);
    kill_at_steps_of_rows(&site, ONE, Acknowledged::OneSnapshot);
}

/// What had been reported as durable before the run that is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Nothing,
    OneSnapshot,
}

/// Kills a snapshot at step 1, 2, 3 … until one runs to its end.
fn kill_at_every_step(before: &Site, copies: &[&str], acknowledged: Acknowledged) {
    let trial = Trial::new(before, copies, acknowledged);
    let steps = trial.steps.len();
    assert!(steps > 10, "a snapshot has {steps} steps");
    let killed = (1..STEPS_MAX).take_while(|step| trial.kill(*step)).count();
    // Copies are fed side by side, so that a run may have a step more or less than another.
    assert!(killed + 20 > steps, "killed at {killed} steps, and a whole run has {steps}");
}

/// Kills a snapshot at every step that writes rows or what is remembered beside them, and at some of the others.
fn kill_at_steps_of_rows(before: &Site, copies: &[&str], acknowledged: Acknowledged) {
    let trial = Trial::new(before, copies, acknowledged);
    for step in
        ["rows: batch read", "rows: owners' rows written", "rows: before commit", "rows: after commit"]
    {
        assert!(trial.steps.iter().any(|name| name == step), "{step} is not among the steps");
    }
    let steps = trial.steps.iter().zip(1..).filter(|(name, number)| {
        name.starts_with("rows:") || name.starts_with("state:") || number % OTHER_STEPS == 0
    });
    for (name, number) in steps {
        assert!(trial.kill(number), "it was not killed at step {number}, {name}");
    }
}

/// A snapshot that is killed and taken again, and what must come of it.
struct Trial<'a> {
    before: &'a Site,
    copies: &'a [&'a str],
    undisturbed: Site,
    /// The names of the steps of a whole run.
    steps: Vec<String>,
    /// What was acknowledged before, restored.
    kept: Option<PathBuf>,
}

impl<'a> Trial<'a> {
    fn new(before: &'a Site, copies: &'a [&'a str], acknowledged: Acknowledged) -> Self {
        let undisturbed = before.copy();
        let names = undisturbed.root().join("steps");
        let whole = undisturbed.command(&["snapshot"]).environment("LIFEBOAT_CRASH_COUNT", &names).run();
        whole.success();
        undisturbed.restore("one", "restored");
        let named = fs::read_to_string(&names);
        let named = named.expect("the programs are built with the feature lifeboat/crash-steps");
        let steps = named.lines().map(str::to_owned).collect();
        let kept = (acknowledged == Acknowledged::OneSnapshot).then(|| before.restore("one", "kept"));
        Trial { before, copies, undisturbed, steps, kept }
    }

    /// Kills the snapshot at a step and takes it again; says whether it came to the kill.
    fn kill(&self, step: usize) -> bool {
        let site = self.before.copy();
        let run = site.command(&["snapshot"]).environment("LIFEBOAT_CRASH_AT", step.to_string()).run();
        if run.status.signal() != Some(SIGKILL) {
            run.success();
            return false;
        }
        let copy = self.copies[step % self.copies.len()];
        nothing_acknowledged_is_lost(&site, copy, self.kept.as_deref(), step);
        site.run(&["snapshot"]).success();
        damage::assert_same(&self.undisturbed.root().join("restored"), &site.restore(copy, "restored"));
        site.run(&["verify", "--level", "digest"]).success();
        no_temporary_files(&site, self.copies);
        true
    }
}

/// Fails unless every copy still is what it was, or newer.
fn nothing_acknowledged_is_lost(site: &Site, copy: &str, kept: Option<&Path>, step: usize) {
    let Some(kept) = kept else { return };
    let restored = site.restore(copy, "after-the-kill");
    let (before, after) = (damage::files_below(kept), damage::files_below(&restored));
    assert!(before.iter().all(|file| after.contains(file)), "killed at step {step}: records are lost");
}

/// Fails if a run that completed left something half-written behind.
fn no_temporary_files(site: &Site, copies: &[&str]) {
    let known = ["packs", "indexes", "manifests", "dicts", "epochs", "log", "checkpoints"];
    for copy in copies {
        for file in damage::files_below(&site.replica(copy)) {
            let first = file.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
            let first = first.unwrap_or_default();
            let usual = known.contains(&first.as_str())
                || ["HEAD", "RECOVER.txt", "lifeboat.json"].contains(&first.as_str());
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            assert!(
                usual && !name.starts_with('.') && !name.ends_with(".tmp"),
                "{} was left behind",
                file.display()
            );
        }
    }
}
