//! The program is killed at each of its input and output steps, one after the other, all of them.
//!
//! After each kill: what was acknowledged before is still there on every copy, nothing needs a repair by hand, and the next
//! snapshot completes and holds exactly what an undisturbed one holds.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use lifeboat_tests::damage;
use lifeboat_tests::practice;
use lifeboat_tests::site::Site;

/// Patients of the practice: few, since there are many kills.
const PATIENTS: usize = 8;
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

/// What had been reported as durable before the run that is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Nothing,
    OneSnapshot,
}

/// Kills a snapshot at step 1, 2, 3 … until one runs to its end.
fn kill_at_every_step(before: &Site, copies: &[&str], acknowledged: Acknowledged) {
    let undisturbed = before.copy();
    let names = undisturbed.root().join("steps");
    let whole = undisturbed.command(&["snapshot"]).environment("LIFEBOAT_CRASH_COUNT", &names).run();
    whole.success();
    let expected = undisturbed.restore("one", "restored");
    let named = fs::read_to_string(&names);
    let steps = named.expect("the programs are built with the feature lifeboat/crash-steps").lines().count();
    assert!(steps > 10, "a snapshot has {steps} steps");
    let kept = (acknowledged == Acknowledged::OneSnapshot).then(|| before.restore("one", "kept"));

    let mut killed = 0;
    for step in 1..STEPS_MAX {
        let site = before.copy();
        let run = site.command(&["snapshot"]).environment("LIFEBOAT_CRASH_AT", step.to_string()).run();
        if run.status.signal() != Some(SIGKILL) {
            run.success();
            break;
        }
        killed += 1;
        let copy = copies[step % copies.len()];
        nothing_acknowledged_is_lost(&site, copy, kept.as_deref(), step);
        site.run(&["snapshot"]).success();
        damage::assert_same(&expected, &site.restore(copy, "restored"));
        site.run(&["verify", "--level", "digest"]).success();
        no_temporary_files(&site, copies);
    }
    // Copies are fed side by side, so that a run may have a step more or less than another.
    assert!(killed + 20 > steps, "killed at {killed} steps, and a whole run has {steps}");
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
