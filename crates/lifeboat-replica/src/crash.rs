//! Named points between input/output steps at which a test may kill the process.
//!
//! Without the feature `crash-steps` every call here is empty. With it, the environment decides:
//! `LIFEBOAT_CRASH_AT=<n>` kills the process with `SIGKILL` at the n-th step (counted from 1, over the whole
//! process), and `LIFEBOAT_CRASH_COUNT=<file>` appends the name of every step passed, one per line, so that a test
//! can first count the steps of a run and then die at each of them in turn.

/// Marks a point between two steps that must survive the process being killed there.
#[cfg(not(feature = "crash-steps"))]
#[inline]
pub fn crash_step(_name: &str) {}

/// Marks a point between two steps that must survive the process being killed there.
#[cfg(feature = "crash-steps")]
pub fn crash_step(name: &str) {
    armed::pass(name);
}

/// Runs one action with a crash step before and after it.
#[cfg(not(feature = "crash-steps"))]
#[inline]
pub(crate) fn step_around<T>(_name: &str, action: impl FnOnce() -> T) -> T {
    action()
}

/// Runs one action with a crash step before and after it.
#[cfg(feature = "crash-steps")]
pub(crate) fn step_around<T>(name: &str, action: impl FnOnce() -> T) -> T {
    crash_step(&format!("{name}:before"));
    let result = action();
    crash_step(&format!("{name}:after"));
    result
}

#[cfg(feature = "crash-steps")]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::{Mutex, OnceLock};

    struct Steps {
        passed: u64,
        kill_at: Option<u64>,
        names: Option<File>,
    }

    static STEPS: OnceLock<Mutex<Steps>> = OnceLock::new();

    fn from_environment() -> Mutex<Steps> {
        let kill_at = std::env::var("LIFEBOAT_CRASH_AT").ok().and_then(|text| text.parse().ok());
        let names = std::env::var_os("LIFEBOAT_CRASH_COUNT")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        Mutex::new(Steps { passed: 0, kill_at, names })
    }

    pub(super) fn pass(name: &str) {
        let mut steps = match STEPS.get_or_init(from_environment).lock() {
            Ok(steps) => steps,
            Err(poisoned) => poisoned.into_inner(),
        };
        steps.passed += 1;
        if let Some(names) = &mut steps.names {
            // The list is for the test alone; a line that cannot be written fails that test, not the program.
            let _unwritten = names.write_all(format!("{name}\n").as_bytes());
        }
        if steps.kill_at == Some(steps.passed) {
            die();
        }
    }

    #[cfg(unix)]
    fn die() -> ! {
        let _unsent = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    }

    #[cfg(not(unix))]
    fn die() -> ! {
        std::process::abort()
    }
}
