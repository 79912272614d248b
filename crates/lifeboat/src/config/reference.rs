//! The settings as a table: from it come the commented file that `init` writes and the reference page.

use std::fmt::Write as _;

/// One setting of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The section that it stands in, without brackets.
    pub section: &'static str,
    /// Its name.
    pub key: &'static str,
    /// Its default as TOML writes it; an example when it has none.
    pub value: &'static str,
    /// Whether the file must have it, may have it, or is better without.
    pub need: Need,
    /// What it may be.
    pub limits: &'static str,
    /// What it means, in one or two sentences.
    pub about: &'static str,
}

/// Whether a setting must stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// There is no default.
    Required,
    /// The value shown is the default.
    Default,
    /// Without it the feature is off; the value shown is an example.
    Optional,
}

const fn setting(
    section: &'static str,
    key: &'static str,
    value: &'static str,
    need: Need,
    limits: &'static str,
    about: &'static str,
) -> Setting {
    Setting { section, key, value, need, limits, about }
}

const SECRET: &str = "the path of a file that only the service can read";

/// Every setting, in the order of the file.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("site", "code", "\"A81001\"", Need::Required, "1 to 16 capital letters and digits",
        "The practice's ODS code. It names the site in every copy and cannot be changed later."),
    setting("site", "name", "\"Example Surgery\"", Need::Required, "a text",
        "The practice's name, shown in the viewer."),
    setting("site", "verification_key", "\"lifeboat/A81001+…\"", Need::Optional, "the text that `lifeboat init` printed",
        "The public key that copies are verified with. Give it to everybody who verifies."),
    setting("source", "kind", "\"folder\"", Need::Default, "\"folder\", \"fhir-server\" or \"command\"",
        "Where records come from: a folder that the clinical system writes to, a FHIR server that is asked, or a command \
         that is run for each snapshot."),
    setting("source", "format", "\"auto\"", Need::Default,
        "\"auto\", \"fhir-r4\", \"emis\", \"tpp\", \"vision\", \"gpconnect\", \"ccda\" or \"scr\"",
        "The format of what the source holds. `auto` recognises it by what is there and refuses to guess; \
         `fhir-r4-folder` is another name of `fhir-r4`."),
    setting("source", "path", "\"/srv/lifeboat/source\"", Need::Required, "a folder",
        "The folder that the clinical system writes its extract into. It is only ever read. Other kinds of source need \
         none."),
    setting("source", "stable_after", "\"2s\"", Need::Default, "from 0s to 10m",
        "A file is taken when it has not changed for this long."),
    setting("source", "rescan", "\"5m\"", Need::Default, "from 1s to 1d",
        "The source is looked at at least this often, whatever the file system reports."),
    setting("source.rules", "confidential", "\"withhold\"", Need::Default, "\"withhold\" or \"keep\"",
        "What happens to items that the source marks as confidential: left out, with a word in their section, or kept and \
         marked."),
    setting("source.rules", "dummy_patients", "\"exclude\"", Need::Default, "\"exclude\" or \"keep\"",
        "Whether test and dummy patients have records."),
    setting("source.rules", "excluded_patients_file", "\"excluded.txt\"", Need::Optional,
        "a file with one NHS number a line; `#` begins a comment",
        "Patients who are to have no record. Keep the file as safe as the records."),
    setting("source.windows", "past_medication_months", "24", Need::Default, "from 1 to 1500",
        "Months of past medication that records hold; the last three courses always."),
    setting("source.windows", "encounters_months", "24", Need::Default, "from 1 to 1500",
        "Months of consultations and other encounters; the last three always."),
    setting("source.windows", "results_months", "12", Need::Default, "from 1 to 1500",
        "Months of investigations and results; the latest of each always."),
    setting("source.windows", "observations_months", "12", Need::Default, "from 1 to 1500",
        "Months of measurements, social history and pregnancy; the latest of each always."),
    setting("source.windows", "referrals_months", "12", Need::Default, "from 1 to 1500",
        "Months of referrals; open ones and the last three always."),
    setting("source.windows", "other_items_months", "12", Need::Default, "from 1 to 1500",
        "Months of past appointments, messages, claims and the like among other items."),
    setting("source.command", "program", "\"/usr/local/bin/export-records\"", Need::Optional, "a program",
        "Only with `kind = \"command\"`: writes FHIR documents, one a line or one after the other, to standard output. It \
         is run without a shell; a failure replaces nothing."),
    setting("source.command", "args", "[\"--all\"]", Need::Optional, "a list of texts",
        "The program's arguments."),
    setting("source.command", "timeout", "\"10m\"", Need::Default, "from 1s to 1d",
        "The program and what it started are stopped after this long."),
    setting("source.command", "output_mib_max", "16384", Need::Default, "from 1 to 1048576",
        "The most that the program may write, in MiB."),
    setting("source.fhir", "url", "\"https://fhir.example.net/r4\"", Need::Optional, "a URL",
        "Only with `kind = \"fhir-server\"`: the address below which the server's resources lie."),
    setting("source.fhir", "mode", "\"bulk\"", Need::Default, "\"bulk\" or \"search\"",
        "Whether patients' resources are asked for by Bulk Data export or by searches."),
    setting("source.fhir", "group", "\"practice\"", Need::Optional, "the id of a Group",
        "Exports the members of a group instead of all patients."),
    setting("source.fhir", "fetch", "\"offered\"", Need::Default,
        "\"offered\", \"summary\", \"everything\" or \"searches\"",
        "How one patient is fetched with `mode = \"search\"`."),
    setting("source.fhir", "auth", "\"none\"", Need::Default, "\"none\", \"basic\", \"bearer\" or \"smart\"",
        "How the server knows us; `smart` is SMART Backend Services."),
    setting("source.fhir", "username", "\"lifeboat\"", Need::Optional, "a text",
        "The user name of `basic`."),
    setting("source.fhir", "password_file", "\"keys/fhir-password\"", Need::Optional, SECRET,
        "The password of `basic`. Also `password_env` or `password_credential`."),
    setting("source.fhir", "token_file", "\"keys/fhir-token\"", Need::Optional, SECRET,
        "The token of `bearer`, which somebody else renews. Also `token_env` or `token_credential`."),
    setting("source.fhir", "client_id", "\"lifeboat\"", Need::Optional, "a text",
        "The name under which the server has registered us, for `smart`."),
    setting("source.fhir", "private_key_file", "\"keys/fhir.jwk\"", Need::Optional, SECRET,
        "The private key of `smart`: a JWK or PEM. Also `private_key_env` or `private_key_credential`."),
    setting("source.fhir", "key_id", "\"key-1\"", Need::Optional, "a text",
        "The key's name, where the key does not say it."),
    setting("source.fhir", "token_url", "\"https://auth.example.net/token\"", Need::Optional, "a URL",
        "The token endpoint of `smart`, where the server does not name it."),
    setting("source.fhir", "scope", "\"system/*.rs\"", Need::Optional, "a text",
        "The scope that `smart` asks for, where it is not to be the usual one."),
    setting("source.fhir", "ca_file", "\"ca.pem\"", Need::Optional, "a PEM file",
        "A certificate authority to trust beside the usual ones."),
    setting("source.fhir", "proxy_file", "\"keys/fhir-proxy\"", Need::Optional, SECRET,
        "The address of an HTTP proxy, which may hold a password. Also `proxy_env` or `proxy_credential`."),
    setting("source.fhir", "allow_http", "false", Need::Default, "true or false",
        "Permits an address without TLS on another machine: credentials and records travel in the open."),
    setting("source.fhir", "types", "[\"Patient\", \"Condition\"]", Need::Optional, "a list of resource types",
        "The types of patients' resources that are asked for; all that a record is made of unless it is given."),
    setting("source.fhir", "appointment_days", "7", Need::Default, "from 0 to 366",
        "Days of appointments after today; with 0 there are none."),
    setting("source.fhir", "full_every", "\"1d\"", Need::Default, "from 1h to 30d",
        "Everything is compared with the server again this often; between, only changes are asked for."),
    setting("source.fhir", "poll_max", "\"5m\"", Need::Default, "from 1s to 1h",
        "The most time between two questions whether an export is ready."),
    setting("source.fhir", "page_size", "200", Need::Default, "from 1 to 10000",
        "How many resources a page is asked to hold."),
    setting("source.fhir", "timeout", "\"2m\"", Need::Default, "from 1s to 1h",
        "How long one request and its answer may take."),
    setting("snapshot", "interval", "\"5m\"", Need::Default, "from 1s to 1d",
        "Snapshots are at least this far apart while records change."),
    setting("snapshot", "expected_by", "3", Need::Default, "from 1 to 100",
        "A copy counts as overdue after this many intervals without a snapshot or heartbeat."),
    setting("snapshot", "threads", "2", Need::Optional, "from 1 to 256",
        "How many threads seal records. Without it, one per core."),
    setting("state", "path", "\"/var/lib/lifeboat\"", Need::Required, "a folder",
        "The spool (the local replica), the state database and the cursors. Needs room for one whole copy."),
    setting("recipients", "file", "\"recipients.toml\"", Need::Default, "a file",
        "Who can open the copies: public keys only, kept by `lifeboat recipients`."),
    setting("keys", "signing_key_file", "\"keys/signing.key\"", Need::Required, SECRET,
        "Signs the log. Also `signing_key_env` (a variable) or `signing_key_credential` (a systemd credential)."),
    setting("keys", "lookup_key_file", "\"keys/lookup.key\"", Need::Required, SECRET,
        "Turns patients into record keys. Also `lookup_key_env` or `lookup_key_credential`."),
    setting("keys", "host_key_file", "\"keys/host.key\"", Need::Required, SECRET,
        "Seals the state database on this host. Also `host_key_env` or `host_key_credential`."),
    setting("keys", "passphrase_file", "\"keys/passphrase\"", Need::Optional, SECRET,
        "A break-glass passphrase that opens the copies beside the recipients. Also `passphrase_env` or \
         `passphrase_credential`."),
    setting("log", "format", "\"human\"", Need::Default, "\"human\" or \"json\"",
        "The form of the service's log lines."),
    setting("log", "level", "\"info\"", Need::Default, "\"error\", \"warn\", \"info\" or \"debug\"",
        "The least important lines that are logged."),
    setting("replica", "name", "\"usb\"", Need::Required, "1 to 32 of a-z, 0-9, - and _",
        "The replica's name in reports."),
    setting("replica", "url", "\"/mnt/usb/lifeboat\"", Need::Required, "a folder, `file:///…` or `s3://bucket/prefix`",
        "Where the replica is."),
    setting("replica", "concurrency", "8", Need::Default, "from 1 to 64",
        "How many objects are copied at once."),
    setting("replica", "endpoint", "\"https://s3.example.net\"", Need::Optional, "a URL",
        "S3 only: the server, when it is not Amazon's."),
    setting("replica", "region", "\"eu-west-2\"", Need::Optional, "a text",
        "S3 only: the region."),
    setting("replica", "allow_http", "false", Need::Default, "true or false",
        "S3 only: permits an endpoint without TLS. The records are sealed, but the credentials travel in the open."),
    setting("replica", "path_style", "true", Need::Default, "true or false",
        "S3 only: the bucket stands in the path; with false, in the host name."),
    setting("replica", "ca_file", "\"ca.pem\"", Need::Optional, "a PEM file",
        "S3 only: a certificate authority to trust beside the usual ones."),
    setting("replica", "access_key_file", "\"keys/s3-access\"", Need::Optional, SECRET,
        "S3 only: the access key. Also `access_key_env` or `access_key_credential`."),
    setting("replica", "secret_key_file", "\"keys/s3-secret\"", Need::Optional, SECRET,
        "S3 only: the secret key. Also `secret_key_env` or `secret_key_credential`."),
    setting("replica", "session_token_file", "\"keys/s3-token\"", Need::Optional, SECRET,
        "S3 only: the session token of a temporary credential. Also `session_token_env` or \
         `session_token_credential`."),
    setting("replica", "reader_access_key_file", "\"keys/s3-reader-access\"", Need::Optional, SECRET,
        "S3 only: the access key of a credential that can only read; kits carry it. Also `reader_access_key_env` or \
         `reader_access_key_credential`."),
    setting("replica", "reader_secret_key_file", "\"keys/s3-reader-secret\"", Need::Optional, SECRET,
        "S3 only: the secret key of that credential. Also `reader_secret_key_env` or \
         `reader_secret_key_credential`."),
    setting("replica", "proxy_file", "\"keys/proxy\"", Need::Optional, SECRET,
        "S3 only: the address of an HTTP proxy, which may hold a password. Also `proxy_env` or `proxy_credential`."),
];

/// What `init` knows about a site when it writes the file.
#[derive(Debug, Clone, Default)]
pub struct InitialValues {
    /// The practice's ODS code.
    pub code: String,
    /// The practice's name.
    pub name: String,
    /// The verification key; empty when there is none yet.
    pub verification_key: String,
    /// The source folder.
    pub source: String,
    /// How long a file must not have changed; the default when absent.
    pub stable_after: Option<String>,
    /// The state folder.
    pub state: String,
    /// The replicas: name and address.
    pub replicas: Vec<(String, String)>,
}

impl InitialValues {
    fn value(&self, setting: &Setting) -> Option<String> {
        let text = match (setting.section, setting.key) {
            ("site", "code") => &self.code,
            ("site", "name") => &self.name,
            ("site", "verification_key") if !self.verification_key.is_empty() => &self.verification_key,
            ("source", "path") => &self.source,
            ("source", "stable_after") => self.stable_after.as_ref()?,
            ("state", "path") => &self.state,
            _ => return (setting.need == Need::Required).then(|| setting.value.to_owned()),
        };
        Some(quoted(text))
    }
}

/// Returns a fully commented configuration file with the given values.
pub fn sample(values: &InitialValues) -> String {
    let mut text = String::from(
        "# Lifeboat configuration. Lines that begin with # show the defaults.\n\
         # Check it with `lifeboat config check`. Secrets never stand in this file, only where they are.\n",
    );
    let mut section = "";
    for setting in SETTINGS.iter().filter(|s| s.section != "replica") {
        if setting.section != section {
            section = setting.section;
            let _ = writeln!(text, "\n[{section}]");
        }
        write_setting(&mut text, setting, values.value(setting));
    }
    let none = [("usb".to_owned(), String::new())];
    let replicas = if values.replicas.is_empty() {
        text.push_str(
            "\n# A replica is a whole copy. Three, in places that do not fail together, are a good start.\n",
        );
        &none[..]
    } else {
        &values.replicas[..]
    };
    for (index, (name, url)) in replicas.iter().enumerate() {
        let mark = if url.is_empty() { "# " } else { "" };
        let _ = writeln!(text, "\n{mark}[[replica]]");
        for setting in SETTINGS.iter().filter(|s| s.section == "replica") {
            let given = match setting.key {
                "name" if !url.is_empty() => Some(quoted(name)),
                "url" if !url.is_empty() => Some(quoted(url)),
                _ => None,
            };
            if index == 0 || given.is_some() {
                write_setting(&mut text, setting, given);
            }
        }
    }
    text
}

fn write_setting(text: &mut String, setting: &Setting, given: Option<String>) {
    let _ = writeln!(text, "# {}", setting.about);
    let _ = writeln!(text, "# Takes {}.", setting.limits);
    match given {
        Some(value) => {
            let _ = writeln!(text, "{} = {value}", setting.key);
        }
        None => {
            let _ = writeln!(text, "# {} = {}", setting.key, setting.value);
        }
    }
}

/// Writes a text as TOML does.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Returns the reference page of all settings, in Markdown.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         One TOML file: `/etc/lifeboat/lifeboat.toml` for root, `lifeboat.toml` in the present folder for everybody \
         else, or the one that `--config` or `LIFEBOAT_CONFIG` names. Unknown settings are errors. Relative paths \
         are relative to the file. Durations are whole numbers with units: `ms`, `s`, `m`, `h`, `d`.\n",
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            let heading = match section {
                "replica" => "[[replica]], once for each replica".to_owned(),
                section => format!("[{section}]"),
            };
            let _ = writeln!(page, "\n## {heading}\n");
            page.push_str("| setting | default | limits | meaning |\n|---|---|---|---|\n");
        }
        let default = match setting.need {
            Need::Required => "required".to_owned(),
            Need::Default => format!("`{}`", setting.value),
            Need::Optional => "none".to_owned(),
        };
        let _ = writeln!(page, "| `{}` | {default} | {} | {} |", setting.key, setting.limits, setting.about);
    }
    page
}
