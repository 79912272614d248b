//! What a site decides about pulling from its FHIR server.

use std::time::Duration;

use url::Url;

use crate::keys::SecretSource;

/// The types of resources that make up patients' records, as they are asked for unless a site says otherwise.
pub const PATIENT_TYPES: [&str; 25] = [
    "Patient",
    "AllergyIntolerance",
    "CarePlan",
    "ClinicalImpression",
    "Communication",
    "Condition",
    "Consent",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "EpisodeOfCare",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "Immunization",
    "ImmunizationRecommendation",
    "List",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "RelatedPerson",
    "ServiceRequest",
    "Task",
];

/// The types of resources that patients' resources refer to.
pub const SHARED_TYPES: [&str; 6] =
    ["HealthcareService", "Location", "Medication", "Organization", "Practitioner", "PractitionerRole"];

/// The scope of access that is asked for: to read and to search everything, as SMART version 2 writes it.
pub const SCOPE: &str = "system/*.rs";

/// A FHIR server and how it is pulled from.
#[derive(Clone, Debug)]
pub struct PullSettings {
    /// The address below which the server's resources lie, for instance `https://fhir.example/r4`.
    pub base_url: Url,
    /// How patients' resources are asked for.
    pub mode: PullMode,
    /// How the server knows us.
    pub auth: PullAuth,
    /// The types of patients' resources; `Patient` is always one of them.
    pub types: Vec<String>,
    /// The types of shared resources.
    pub shared_types: Vec<String>,
    /// How many days of appointments after today are pulled, beside yesterday's and today's; `None`: no appointments.
    pub appointment_days: Option<u16>,
    /// How long after a full pull the next one is due; between them only changes are asked for.
    pub full_every: Duration,
    /// What an export that reports errors of its own is worth.
    pub export_errors: ExportErrors,
    /// Certificates, as PEM, of a certificate authority that is trusted beside the system's.
    pub ca_pem: Option<String>,
    /// The address of a proxy; without one the connection is direct, whatever the environment says.
    pub proxy: Option<String>,
    /// Whether credentials and records may travel without encryption to another machine.
    pub plain_http: PlainHttp,
    /// Other origins (scheme, host and port) to which the server may send us for pages and files; never with credentials.
    pub allowed_origins: Vec<Url>,
    /// Limits on everything.
    pub limits: PullLimits,
}

/// How patients' resources are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullMode {
    /// By Bulk Data export of all patients, or of the members of a group.
    Bulk {
        /// The id of the Group.
        group: Option<String>,
    },
    /// By searching for patients and fetching each.
    Search {
        /// How one patient is fetched.
        fetch: Fetch,
    },
}

/// How one patient is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fetch {
    /// The first of the others, in their order, that the server offers.
    #[default]
    Offered,
    /// By `$summary`: an International Patient Summary that the server makes.
    Summary,
    /// By `$everything`.
    Everything,
    /// By a search for each type.
    Searches,
}

/// How the server knows us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullAuth {
    /// It does not ask.
    None,
    /// By a user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// Where the password comes from.
        password: SecretSource,
    },
    /// By a token that somebody else renews; it is read again for every request.
    Bearer {
        /// Where the token comes from.
        token: SecretSource,
    },
    /// By SMART Backend Services: tokens in exchange for assertions that our key signs.
    Smart {
        /// The name under which the server has registered us.
        client_id: String,
        /// Where the private key comes from: a JWK, a JWK set with one key, or PEM; P-384 or RSA.
        key: SecretSource,
        /// The key's name, where the key does not say it.
        key_id: Option<String>,
        /// The token endpoint; without one the server's `.well-known/smart-configuration` names it.
        token_url: Option<Url>,
        /// The scope that is asked for, for instance [`SCOPE`].
        scope: String,
    },
}

/// What an export that reports errors of its own is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportErrors {
    /// It counts as failed: what is missing from it is not known.
    #[default]
    Refuse,
    /// It counts, and the report says so.
    Accept,
}

/// Whether credentials and records may travel without encryption to another machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only to this machine itself.
    #[default]
    Loopback,
    /// To any machine.
    Anywhere,
}

/// Limits on what a server can make us wait for, read and keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullLimits {
    /// How long a connection may take to be made.
    pub connect_max: Duration,
    /// How long the server may be silent within an answer.
    pub idle_max: Duration,
    /// How long one request and its answer may take; files of an export are not meant.
    pub request_max: Duration,
    /// How long one file of an export may take.
    pub part_max: Duration,
    /// How long the server may work on an export.
    pub export_max: Duration,
    /// How long one pull may take in all.
    pub total_max: Duration,
    /// The least time between two questions whether an export is ready.
    pub poll_min: Duration,
    /// The most time between them, whatever the server asks for.
    pub poll_max: Duration,
    /// The longest wait that a server which is busy (429, 503) may ask for.
    pub retry_after_max: Duration,
    /// The longest wait of our own between attempts.
    pub retry_wait_max: Duration,
    /// How often a request is attempted.
    pub attempts_max: u32,
    /// Most bytes of one page, decompressed.
    pub page_bytes_max: u64,
    /// Most bytes of one file of an export, decompressed.
    pub part_bytes_max: u64,
    /// Most bytes of one resource.
    pub line_bytes_max: usize,
    /// Most files of an export.
    pub parts_max: usize,
    /// Most pages of one search.
    pub pages_max: u32,
    /// How many resources a page is asked to hold.
    pub page_size: u32,
    /// Most patients.
    pub patients_max: usize,
    /// Most bytes of one patient's resources.
    pub patient_bytes_max: usize,
    /// After how many rows they are committed.
    pub commit_rows: u64,
    /// Rows of one type that may vanish at once without a look at their share.
    pub gone_min: usize,
    /// The share of a type's rows, in percent, above which their vanishing is not believed.
    pub gone_percent_max: u32,
    /// By how much searches for changes reach back before the last pull.
    pub overlap: Duration,
}

impl Default for PullLimits {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let seconds = Duration::from_secs;
        Self {
            connect_max: seconds(15),
            idle_max: seconds(2 * MINUTE),
            request_max: seconds(10 * MINUTE),
            part_max: seconds(2 * HOUR),
            export_max: seconds(6 * HOUR),
            total_max: seconds(12 * HOUR),
            poll_min: seconds(1),
            poll_max: seconds(30),
            retry_after_max: seconds(2 * MINUTE),
            retry_wait_max: seconds(MINUTE),
            attempts_max: 6,
            page_bytes_max: 256 << 20,
            part_bytes_max: 64 << 30,
            line_bytes_max: 64 << 20,
            parts_max: 100_000,
            pages_max: 100_000,
            page_size: 200,
            patients_max: 1_000_000,
            patient_bytes_max: 512 << 20,
            commit_rows: 5_000,
            gone_min: 20,
            gone_percent_max: 20,
            overlap: seconds(5 * MINUTE),
        }
    }
}

impl PullSettings {
    /// Returns the usual settings for a server.
    pub fn new(base_url: Url, mode: PullMode, auth: PullAuth) -> Self {
        Self {
            base_url,
            mode,
            auth,
            types: PATIENT_TYPES.map(str::to_owned).to_vec(),
            shared_types: SHARED_TYPES.map(str::to_owned).to_vec(),
            appointment_days: Some(7),
            full_every: Duration::from_secs(24 * 60 * 60),
            export_errors: ExportErrors::default(),
            ca_pem: None,
            proxy: None,
            plain_http: PlainHttp::default(),
            allowed_origins: Vec::new(),
            limits: PullLimits::default(),
        }
    }
}
