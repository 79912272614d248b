//! Runs built programs with a clean environment, a time limit and everything they print kept.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program may run before the test fails.
const RUN_SECONDS_MAX: u64 = 240;
/// How long a condition may take to become true before the test fails.
const WAIT_SECONDS_MAX: u64 = 60;

/// Returns the path of a built program of this project.
///
/// It is looked for in `LIFEBOAT_BIN_DIR`, or else beside the test that is running.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("LIFEBOAT_BIN_DIR").map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a running test has a path");
        let deps = test.parent().expect("a program lies in a folder");
        deps.parent().expect("tests lie in a folder below the programs").to_owned()
    });
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built; `cargo xtask test` builds it", path.display());
    path
}

/// Waits until `condition` gives a value; fails the test, naming `what`, when it does not in time.
#[track_caller]
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    poll(Duration::from_secs(WAIT_SECONDS_MAX), condition)
        .unwrap_or_else(|| panic!("waited {WAIT_SECONDS_MAX} s in vain for {what}"))
}

/// Asks `condition` again and again until it gives a value or the time is up.
#[expect(clippy::disallowed_methods, reason = "polls a condition that another process makes true")]
fn poll<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if start.elapsed() > limit {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program to run.
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Vec<u8>,
}

impl Program {
    /// Prepares to run the program at `path`, or of that name on the search path.
    ///
    /// It gets no environment but the search path, and a home folder that does not exist.
    pub fn new(path: impl AsRef<Path>) -> Program {
        let path = path.as_ref().to_owned();
        let environment = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), "/nonexistent".into()),
            ("RUST_BACKTRACE".into(), "1".into()),
        ];
        Program { path, arguments: Vec::new(), environment, folder: None, input: Vec::new() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn environment(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Program {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the folder that the program starts in.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Program {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Sets what the program reads from standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Program {
        self.input = input.into();
        self
    }

    /// Starts the program and leaves it running.
    pub fn start(self) -> Running {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let words =
            std::iter::once(self.path.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let spelled = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("starting {spelled}: {error}"));
        let stdout = Capture::of(child.stdout.take().expect("standard output is piped"));
        let stderr = Capture::of(child.stderr.take().expect("standard error is piped"));
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A program that ends without reading its input closes the pipe; what it printed says why.
        let _ = stdin.write_all(&self.input);
        drop(stdin);
        Running { child, spelled, stdout, stderr }
    }

    /// Runs the program to its end.
    #[track_caller]
    pub fn run(self) -> Finished {
        self.start().finish()
    }
}

/// What a program prints, gathered while it runs.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    /// Starts gathering what comes out of `pipe`.
    fn of(mut pipe: impl Read + Send + 'static) -> Capture {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                lock(&shared).extend_from_slice(&buffer[..count]);
            }
        });
        Capture { bytes, reader: Some(reader) }
    }

    /// Returns what has come so far.
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    /// Returns everything, once the program has closed its side.
    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading a pipe does not panic");
        }
        self.text()
    }
}

/// Locks bytes that a reader thread may have left in any state, all of which are fine.
fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program that is running; it is killed when the test lets go of it.
pub struct Running {
    child: Child,
    spelled: String,
    stdout: Capture,
    stderr: Capture,
}

impl Running {
    /// Returns what the program has printed so far on standard output.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns what the program has printed so far on standard error.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Returns the number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `find` finds something in what the program has printed on either output.
    #[track_caller]
    pub fn wait_for_output<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let both = || format!("{}\n{}", self.stdout(), self.stderr());
        let found = poll(Duration::from_secs(WAIT_SECONDS_MAX), || find(&both()));
        found.unwrap_or_else(|| panic!("{}: no {what} in what it printed:\n{}", self.spelled, both()))
    }

    /// Asks the program to end, as a service manager does.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Asks the program to read its configuration again.
    pub fn reload(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// Ends the program at once, without asking.
    pub fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let number = i32::try_from(self.child.id()).expect("process numbers are positive integers");
        let process = rustix::process::Pid::from_raw(number).expect("process numbers are positive integers");
        // A program that has ended already needs no signal.
        let _ = rustix::process::kill_process(process, signal);
    }

    /// Waits for the program to end.
    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let limit = Duration::from_secs(RUN_SECONDS_MAX);
        let ended = poll(limit, || self.child.try_wait().expect("a child can be waited for"));
        let Some(status) = ended else {
            panic!(
                "{} still runs after {RUN_SECONDS_MAX} s:\n{}\n{}",
                self.spelled,
                self.stdout(),
                self.stderr()
            );
        };
        let stdout = self.stdout.all();
        let stderr = self.stderr.all();
        Finished { spelled: self.spelled.clone(), status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program that has ended.
pub struct Finished {
    spelled: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed on standard output.
    pub stdout: String,
    /// What it printed on standard error.
    pub stderr: String,
}

impl Finished {
    /// Fails the test unless the program ended well.
    #[track_caller]
    pub fn success(self) -> Finished {
        assert!(self.status.success(), "{}", self.story());
        self
    }

    /// Fails the test unless the program ended with an error of its own making.
    #[track_caller]
    pub fn failure(self) -> Finished {
        assert!(self.status.code().is_some_and(|code| code != 0 && code != 101), "{}", self.story());
        self
    }

    /// Fails the test unless the program ended with this exit code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Finished {
        assert_eq!(self.status.code(), Some(expected), "{}", self.story());
        self
    }

    /// Returns standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}", self.story()))
    }

    /// Returns what was run, how it ended and what it printed.
    pub fn story(&self) -> String {
        let Finished { spelled, status, stdout, stderr } = self;
        format!("{spelled}\nended with {status}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}
