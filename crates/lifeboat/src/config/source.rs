//! The section `[source]`: where records come from, in which format, and whom the copies leave out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_clinical::record::Windows;
use lifeboat_feeds::Format;
use lifeboat_feeds::rules::{Confidential, DummyPatients};

use super::section::Section;
use crate::engine::CommandSettings;
use crate::keys::SecretSource;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The name that the format of a folder of FHIR R4 documents has had from the beginning.
const FHIR_FOLDER: &str = "fhir-r4-folder";
/// The most that a command may write when nothing is said, in MiB.
const OUTPUT_MIB_DEFAULT: u32 = 16 * 1024;
/// Resources that a page is asked to hold when nothing is said.
const PAGE_SIZE_DEFAULT: u32 = 200;
/// Days of appointments that are pulled when nothing is said.
const APPOINTMENT_DAYS_DEFAULT: u32 = 7;

/// Where the records come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSettings {
    /// What kind of place that is.
    pub kind: SourceKind,
    /// Whom and what the copies leave out.
    pub rules: RulesSettings,
    /// How far back the sections of records go.
    pub windows: Windows,
    /// How long a file must not have changed before it is taken.
    pub stable_after: Duration,
    /// How long may pass between two scans although nothing seems to have changed.
    pub rescan: Duration,
}

/// What kind of place records come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    /// A folder that is watched.
    Folder {
        /// The folder.
        path: PathBuf,
        /// The format of what lies in it; recognised when absent.
        format: Option<Format>,
    },
    /// A FHIR server that is asked.
    FhirServer(Box<FhirSettings>),
    /// A command that is run.
    Command(CommandSettings),
}

impl SourceSettings {
    /// Returns the folder that is watched, if the source is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.kind {
            SourceKind::Folder { path, .. } => Some(path),
            SourceKind::FhirServer(_) | SourceKind::Command(_) => None,
        }
    }

    /// Returns what a person would call the place.
    pub fn place(&self) -> String {
        match &self.kind {
            SourceKind::Folder { path, .. } => path.display().to_string(),
            SourceKind::FhirServer(server) => server.url.clone(),
            SourceKind::Command(command) => command.program.display().to_string(),
        }
    }
}

/// Whom and what the copies leave out.
#[derive(Debug, Clone, PartialEq)]
pub struct RulesSettings {
    /// What happens to items that the source marks as confidential.
    pub confidential: Confidential,
    /// Whether test and dummy patients have records.
    pub dummy_patients: DummyPatients,
    /// A file with the NHS numbers of patients who are to have no record.
    pub excluded_patients_file: Option<PathBuf>,
}

/// A FHIR server and how it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct FhirSettings {
    /// The address below which its resources lie.
    pub url: String,
    /// How patients' resources are asked for.
    pub mode: FhirMode,
    /// How the server knows us.
    pub auth: FhirAuth,
    /// A certificate authority to trust beside the usual ones, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Where the address of an HTTP proxy is, which may hold a password.
    pub proxy: Option<SecretSource>,
    /// Whether plain HTTP may be used to another machine.
    pub allow_http: bool,
    /// The types of patients' resources; the usual ones when absent.
    pub types: Option<Vec<String>>,
    /// Days of appointments after today; no appointments when zero.
    pub appointment_days: u32,
    /// How long after a full pull the next one is due.
    pub full_every: Duration,
    /// The most time between two questions whether an export is ready.
    pub poll_max: Duration,
    /// How many resources a page is asked to hold.
    pub page_size: u32,
    /// How long one request and its answer may take.
    pub timeout: Duration,
}

/// How patients' resources are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FhirMode {
    /// By Bulk Data export of all patients, or of the members of this group.
    Bulk {
        /// The id of the Group.
        group: Option<String>,
    },
    /// By searches.
    Search {
        /// How one patient is fetched.
        fetch: FhirFetch,
    },
}

/// How one patient is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FhirFetch {
    /// By the first of the others that the server offers.
    Offered,
    /// By `$summary`.
    Summary,
    /// By `$everything`.
    Everything,
    /// By a search for each type.
    Searches,
}

/// How a FHIR server knows us.
#[derive(Debug, Clone, PartialEq)]
pub enum FhirAuth {
    /// It does not ask.
    None,
    /// By a user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// Where the password is.
        password: SecretSource,
    },
    /// By a token that somebody else renews.
    Bearer {
        /// Where the token is.
        token: SecretSource,
    },
    /// By SMART Backend Services.
    Smart {
        /// The name under which the server has registered us.
        client_id: String,
        /// Where the private key is: a JWK or PEM.
        private_key: SecretSource,
        /// The key's name, where the key does not say it.
        key_id: Option<String>,
        /// The token endpoint; the server's own description names it when absent.
        token_url: Option<String>,
        /// The scope that is asked for; the usual one when absent.
        scope: Option<String>,
    },
}

/// What kind of place the file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    FhirServer,
    Command,
}

/// Reads the section.
pub(super) fn read(section: Section<'_>, folder: &Path) -> Option<SourceSettings> {
    let kinds = [("folder", Kind::Folder), ("fhir-server", Kind::FhirServer), ("command", Kind::Command)];
    let kind = section.choice("kind", &kinds, Kind::Folder);
    let format = read_format(&section, kind);
    let stable_after = section.duration("stable_after", 2 * SECOND, Duration::ZERO..=10 * MINUTE);
    let rescan = section.duration("rescan", 5 * MINUTE, SECOND..=DAY);
    let rules = read_rules(section.section("rules"), folder);
    let windows = read_windows(section.section("windows"));
    let command = section.section("command");
    let fhir = section.section("fhir");
    let place = match kind {
        Kind::Folder => {
            section.required_text("path").map(|path| SourceKind::Folder { path: folder.join(path), format })
        }
        Kind::Command => {
            section.text("path");
            read_command(command, format.unwrap_or(Format::FhirR4)).map(SourceKind::Command)
        }
        Kind::FhirServer => {
            section.text("path");
            read_fhir(fhir, folder).map(|settings| SourceKind::FhirServer(Box::new(settings)))
        }
    };
    section.finish();
    Some(SourceSettings { kind: place?, rules, windows, stable_after, rescan })
}

fn read_format(section: &Section<'_>, kind: Kind) -> Option<Format> {
    let mut choices = vec![("auto", None), (FHIR_FOLDER, Some(Format::FhirR4))];
    choices.extend(Format::ALL.iter().map(|format| (format.name(), Some(*format))));
    let format = section.choice("format", &choices, None);
    let fits = match (kind, format) {
        (Kind::Folder, _) | (_, None | Some(Format::FhirR4)) => true,
        (Kind::Command, Some(format)) => format == Format::GpConnect,
        (Kind::FhirServer, Some(_)) => false,
    };
    if !fits {
        section.invalid("format", "FHIR servers give \"fhir-r4\", commands \"fhir-r4\" or \"gpconnect\"; leave the setting out for \"fhir-r4\"".to_owned());
    }
    format
}

fn read_rules(section: Section<'_>, folder: &Path) -> RulesSettings {
    let confidential = section.choice(
        "confidential",
        &[("withhold", Confidential::Withhold), ("keep", Confidential::Keep)],
        Confidential::Withhold,
    );
    let dummy_patients = section.choice(
        "dummy_patients",
        &[("exclude", DummyPatients::Exclude), ("keep", DummyPatients::Keep)],
        DummyPatients::Exclude,
    );
    let excluded = section.text("excluded_patients_file").map(|file| folder.join(file));
    section.finish();
    RulesSettings { confidential, dummy_patients, excluded_patients_file: excluded }
}

/// The longest window, in months: longer than anybody lives.
const WINDOW_MONTHS_MAX: u32 = 1_500;

fn read_windows(section: Section<'_>) -> Windows {
    let months = |name: &str, usual: u16| {
        let months = section.number(name, 1..=WINDOW_MONTHS_MAX);
        months.and_then(|months| u16::try_from(months).ok()).unwrap_or(usual)
    };
    let usual = Windows::default();
    let windows = Windows {
        past_medication: months("past_medication_months", usual.past_medication),
        encounters: months("encounters_months", usual.encounters),
        results: months("results_months", usual.results),
        observations: months("observations_months", usual.observations),
        referrals: months("referrals_months", usual.referrals),
        other_items: months("other_items_months", usual.other_items),
    };
    section.finish();
    windows
}

fn read_command(section: Section<'_>, format: Format) -> Option<CommandSettings> {
    let program = section.required_text("program");
    let args = section.texts("args").unwrap_or_default();
    let timeout = section.duration("timeout", 10 * MINUTE, SECOND..=DAY);
    let output = section.number("output_mib_max", 1..=1024 * 1024).unwrap_or(OUTPUT_MIB_DEFAULT);
    section.finish();
    Some(CommandSettings {
        program: PathBuf::from(program?),
        args,
        withheld_variables: Vec::new(),
        timeout,
        output_bytes_max: u64::from(output) << 20,
        format,
    })
}

fn read_fhir(section: Section<'_>, folder: &Path) -> Option<FhirSettings> {
    let url = section.required_text("url");
    let mode = read_mode(&section);
    let auth = read_auth(&section, folder);
    let settings = FhirSettings {
        url: url.unwrap_or_default(),
        mode,
        auth: auth.clone().unwrap_or(FhirAuth::None),
        ca_file: section.text("ca_file").map(|file| folder.join(file)),
        proxy: section.secret("proxy").map(|source| source.relative_to(folder)),
        allow_http: section.flag("allow_http").unwrap_or(false),
        types: section.texts("types"),
        appointment_days: section.number("appointment_days", 0..=366).unwrap_or(APPOINTMENT_DAYS_DEFAULT),
        full_every: section.duration("full_every", DAY, HOUR..=30 * DAY),
        poll_max: section.duration("poll_max", 5 * MINUTE, SECOND..=HOUR),
        page_size: section.number("page_size", 1..=10_000).unwrap_or(PAGE_SIZE_DEFAULT),
        timeout: section.duration("timeout", 2 * MINUTE, SECOND..=HOUR),
    };
    section.finish();
    auth.filter(|_| !settings.url.is_empty()).map(|_| settings)
}

fn read_mode(section: &Section<'_>) -> FhirMode {
    let group = section.text("group");
    let fetches = [
        ("offered", FhirFetch::Offered),
        ("summary", FhirFetch::Summary),
        ("everything", FhirFetch::Everything),
        ("searches", FhirFetch::Searches),
    ];
    let fetch = section.choice("fetch", &fetches, FhirFetch::Offered);
    let bulk = FhirMode::Bulk { group: group.clone() };
    let search = FhirMode::Search { fetch };
    let is_search = section.choice("mode", &[("bulk", false), ("search", true)], false);
    if is_search && group.is_some() {
        section.invalid("group", "it counts only with `mode = \"bulk\"`".to_owned());
    }
    if is_search { search } else { bulk }
}

/// How the file says that a server knows us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AuthKind {
    None,
    Basic,
    Bearer,
    Smart,
}

fn read_auth(section: &Section<'_>, folder: &Path) -> Option<FhirAuth> {
    let kinds = [
        ("none", AuthKind::None),
        ("basic", AuthKind::Basic),
        ("bearer", AuthKind::Bearer),
        ("smart", AuthKind::Smart),
    ];
    let kind = section.choice("auth", &kinds, AuthKind::None);
    let secret = |name: &str| section.secret(name).map(|source| source.relative_to(folder));
    let (password, token, private_key) = (secret("password"), secret("token"), secret("private_key"));
    let texts = ["username", "client_id", "key_id", "token_url", "scope"].map(|name| section.text(name));
    let [username, client_id, key_id, token_url, scope] = texts;
    let needed = |name: &str, is_there: bool| {
        if !is_there {
            section.missing(name);
        }
    };
    match kind {
        AuthKind::None => Some(FhirAuth::None),
        AuthKind::Basic => {
            needed("username", username.is_some());
            needed("password_file", password.is_some());
            Some(FhirAuth::Basic { username: username?, password: password? })
        }
        AuthKind::Bearer => {
            needed("token_file", token.is_some());
            Some(FhirAuth::Bearer { token: token? })
        }
        AuthKind::Smart => {
            needed("client_id", client_id.is_some());
            needed("private_key_file", private_key.is_some());
            Some(FhirAuth::Smart {
                client_id: client_id?,
                private_key: private_key?,
                key_id,
                token_url,
                scope,
            })
        }
    }
}
