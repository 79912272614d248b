//! A viewer that is running, and the browser that it let in.

use std::path::Path;

use crate::http::{Browser, Page};
use crate::program::{Program, Running, binary};

/// The name of the hidden field that every form carries.
const FORM_TOKEN: &str = "form_token";

/// A viewer with its browser.
pub struct Viewer {
    /// The program.
    pub program: Running,
    /// The one browser that it lets in.
    pub browser: Browser,
    launch: String,
}

impl Viewer {
    /// Opens a kit whose passphrase is in a file.
    #[track_caller]
    pub fn open(kit: &Path, passphrase: &Path) -> Viewer {
        Viewer::start(Self::program(kit).argument("--passphrase-file").argument(passphrase))
    }

    /// Opens a kit and leaves the passphrase to be typed in the browser.
    #[track_caller]
    pub fn locked(kit: &Path) -> Viewer {
        Viewer::start(Self::program(kit))
    }

    fn program(kit: &Path) -> Program {
        Program::new(binary("lifeboat-viewer"))
            .argument("open")
            .argument(kit)
            .arguments(["--no-browser", "--json"])
    }

    #[track_caller]
    fn start(program: Program) -> Viewer {
        let program = program.start();
        let line = program.wait_for_output("address", |text| {
            text.lines().find(|line| line.contains("launch_url")).map(str::to_owned)
        });
        let said: serde_json::Value = serde_json::from_str(&line).expect("the address is JSON");
        let launch = said["launch_url"].as_str().expect("a launch address").to_owned();
        let browser = Browser::new(&launch);
        Viewer { program, browser, launch }
    }

    /// Goes where the program sends the browser first.
    #[track_caller]
    pub fn launch(&mut self) -> Page {
        let path = self.launch.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
        self.browser.open(&path.expect("a launch address has a path"))
    }

    /// Sends a form with the token of the page that it stands on.
    #[track_caller]
    pub fn send(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = page.hidden_field(FORM_TOKEN).expect("the page has a form");
        let fields: Vec<(&str, &str)> =
            fields.iter().copied().chain([(FORM_TOKEN, token.as_str())]).collect();
        self.browser.send(path, &fields)
    }

    /// Searches, and returns the page with what was found.
    #[track_caller]
    pub fn search(&mut self, query: &str) -> Page {
        let page = self.browser.open("/search");
        self.send(&page, "/search", &[("query", query)])
    }

    /// Searches, and opens the first patient who was found.
    #[track_caller]
    pub fn open_patient(&mut self, query: &str) -> Page {
        let found = self.search(query);
        let link = found.links().into_iter().find(|link| link.starts_with("/p/"));
        let link = link.unwrap_or_else(|| panic!("nobody found for {query:?}:\n{}", found.body));
        self.browser.open(&link)
    }
}
