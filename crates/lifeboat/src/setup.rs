//! From configuration to a running engine: reads recipients and keys at the moment they are needed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lifeboat_clinical::nhs_number;
use lifeboat_feeds::Rules;
use lifeboat_format::{Passphrase, WORK_FACTOR_DEFAULT};

use crate::config::{
    Config, FhirAuth, FhirFetch, FhirMode, FhirSettings, RecipientList, RecipientsError, RulesSettings,
    SourceKind,
};
use crate::engine::{CommandSettings, Engine, EngineError, EngineSettings, Source, TableFeeds};
use crate::feeds;
use crate::keys::{self, CREDENTIALS_VARIABLE, KeysError, SecretSource};
use crate::pull::{Fetch, PlainHttp, PullAuth, PullError, PullMode, PullSettings, Puller, SCOPE};
use url::Url;

/// Why an engine cannot be set up from a configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The list of recipients cannot be used.
    #[error(transparent)]
    Recipients(#[from] RecipientsError),
    /// A key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The list of patients who are to have no record cannot be read.
    #[error("cannot read the list of excluded patients {}", path.display())]
    Excluded {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of that list is no NHS number. The line is not shown, since it may be one all the same.
    #[error("line {line} of the list of excluded patients {} is no NHS number", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The engine cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Returns what the engine needs to know, with the recipients and the passphrase of this moment.
pub fn engine_settings(config: &Config) -> Result<EngineSettings, SetupError> {
    let recipients = RecipientList::load(&config.recipients_file)?.recipients()?;
    let passphrase = match &config.keys.passphrase {
        None => None,
        Some(source) => {
            let text = source.read("break-glass passphrase").map_err(KeysError::from)?;
            Some(Passphrase::from(text.as_str()))
        }
    };
    let table_feeds = feeds::table_feeds();
    let source = match &config.source.kind {
        SourceKind::Folder { path, format } => Source::Folder { path: path.clone(), format: *format },
        SourceKind::Command(settings) => Source::Command(CommandSettings {
            withheld_variables: secret_variables(config),
            ..settings.clone()
        }),
        SourceKind::FhirServer(_) => Source::Pulled(feeds::pulled_feed()),
    };
    Ok(EngineSettings {
        site: config.site.code.clone(),
        site_name: config.site.name.clone(),
        source,
        rules: rules(&config.source.rules)?,
        windows: config.source.windows,
        table_feeds: TableFeeds::new(table_feeds),
        stable_after: config.source.stable_after,
        state_dir: config.state_dir.clone(),
        expected_within: config.heartbeat() * config.snapshot.expected_by,
        recipients,
        passphrase,
        passphrase_work_factor: WORK_FACTOR_DEFAULT,
        threads: config.snapshot.threads,
    })
}

/// Returns the variables of the environment that hold secrets, and the one that says where others lie.
fn secret_variables(config: &Config) -> Vec<String> {
    let keys = &config.keys;
    let mut sources = vec![&keys.signing, &keys.lookup, &keys.host];
    sources.extend(&keys.passphrase);
    for replica in &config.replicas {
        sources
            .extend([&replica.access_key, &replica.secret_key, &replica.session_token].into_iter().flatten());
        sources.extend(
            [&replica.reader_access_key, &replica.reader_secret_key, &replica.proxy].into_iter().flatten(),
        );
    }
    let names = sources.into_iter().filter_map(|source| match source {
        SecretSource::Environment(name) => Some(name.clone()),
        SecretSource::File(_) | SecretSource::Credential(_) => None,
    });
    names.chain([CREDENTIALS_VARIABLE.to_owned()]).collect()
}

/// Returns the rules of the site, with the excluded patients of this moment.
pub fn rules(settings: &RulesSettings) -> Result<Rules, SetupError> {
    let mut excluded = BTreeSet::new();
    if let Some(path) = &settings.excluded_patients_file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SetupError::Excluded { path: path.clone(), source })?;
        for (number, line) in text.lines().enumerate() {
            let written = line.split('#').next().unwrap_or_default();
            let digits: String = written.chars().filter(|one| !one.is_whitespace()).collect();
            if digits.is_empty() {
                continue;
            }
            if !nhs_number::valid(&digits) {
                return Err(SetupError::NotANumber { path: path.clone(), line: number + 1 });
            }
            excluded.insert(digits);
        }
    }
    Ok(Rules { confidential: settings.confidential, dummy_patients: settings.dummy_patients, excluded })
}

/// Opens the engine that the configuration describes.
pub fn open_engine(config: &Config) -> Result<Engine, SetupError> {
    let settings = engine_settings(config)?;
    let keys = keys::load(&config.keys)?;
    Ok(Engine::open(settings, keys)?)
}

/// Why the settings of a FHIR server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PullSettingsError {
    /// An address is none.
    #[error("`{setting}` is not an address")]
    Address {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// The certificate authority's file cannot be read.
    #[error("cannot read the certificate authority {}", path.display())]
    Authority {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The proxy's address cannot be read.
    #[error("cannot read the address of the proxy")]
    Proxy(#[source] crate::keys::SecretError),
    /// What the server knows us by cannot be read.
    #[error("cannot read the credential for the FHIR server")]
    Credential(#[source] crate::keys::SecretError),
    /// The server cannot be asked with these settings.
    #[error("the server cannot be asked")]
    Unusable(#[source] Box<PullError>),
}

/// Checks the settings of a FHIR server as far as that is possible without asking it.
pub fn check_pull(settings: &FhirSettings) -> Result<(), PullSettingsError> {
    let credential = match &settings.auth {
        FhirAuth::None => None,
        FhirAuth::Basic { password, .. } => Some((password, "password")),
        FhirAuth::Bearer { token } => Some((token, "token")),
        FhirAuth::Smart { private_key, .. } => Some((private_key, "private key")),
    };
    if let Some((source, what)) = credential {
        source.read(what).map_err(PullSettingsError::Credential)?;
    }
    let unusable = |error| PullSettingsError::Unusable(Box::new(error));
    Puller::new(pull_settings(settings)?).map(|_| ()).map_err(unusable)
}

/// Returns how a FHIR server is pulled from.
pub fn pull_settings(settings: &FhirSettings) -> Result<PullSettings, PullSettingsError> {
    let address = |setting, text: &str| {
        Url::parse(text).map_err(|source| PullSettingsError::Address { setting, source })
    };
    let mode = match &settings.mode {
        FhirMode::Bulk { group } => PullMode::Bulk { group: group.clone() },
        FhirMode::Search { fetch } => PullMode::Search {
            fetch: match fetch {
                FhirFetch::Offered => Fetch::Offered,
                FhirFetch::Summary => Fetch::Summary,
                FhirFetch::Everything => Fetch::Everything,
                FhirFetch::Searches => Fetch::Searches,
            },
        },
    };
    let auth = match &settings.auth {
        FhirAuth::None => PullAuth::None,
        FhirAuth::Basic { username, password } => {
            PullAuth::Basic { username: username.clone(), password: password.clone() }
        }
        FhirAuth::Bearer { token } => PullAuth::Bearer { token: token.clone() },
        FhirAuth::Smart { client_id, private_key, key_id, token_url, scope } => PullAuth::Smart {
            client_id: client_id.clone(),
            key: private_key.clone(),
            key_id: key_id.clone(),
            token_url: token_url.as_deref().map(|text| address("source.fhir.token_url", text)).transpose()?,
            scope: scope.clone().unwrap_or_else(|| SCOPE.to_owned()),
        },
    };
    let mut pull = PullSettings::new(address("source.fhir.url", &settings.url)?, mode, auth);
    if let Some(types) = &settings.types {
        pull.types.clone_from(types);
    }
    pull.appointment_days = u16::try_from(settings.appointment_days).ok().filter(|days| *days > 0);
    pull.full_every = settings.full_every;
    if let Some(path) = &settings.ca_file {
        let read = std::fs::read_to_string(path);
        pull.ca_pem =
            Some(read.map_err(|source| PullSettingsError::Authority { path: path.clone(), source })?);
    }
    if let Some(proxy) = &settings.proxy {
        let text = proxy.read("proxy").map_err(PullSettingsError::Proxy)?;
        pull.proxy = Some(text.trim().to_owned());
    }
    if settings.allow_http {
        pull.plain_http = PlainHttp::Anywhere;
    }
    pull.limits.poll_max = settings.poll_max;
    pull.limits.page_size = settings.page_size;
    pull.limits.request_max = settings.timeout;
    Ok(pull)
}

#[cfg(test)]
mod tests {
    use super::{SetupError, rules};
    use crate::config::RulesSettings;
    use lifeboat_feeds::rules::{Confidential, DummyPatients};

    #[test]
    fn excluded_patients_are_read_line_by_line_and_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("excluded.txt");
        let settings = RulesSettings {
            confidential: Confidential::Withhold,
            dummy_patients: DummyPatients::Exclude,
            excluded_patients_file: Some(path.clone()),
        };
        assert!(matches!(rules(&settings), Err(SetupError::Excluded { .. })));
        std::fs::write(&path, "# nobody else\n943 476 5919 # one\n\n9434765870\n").expect("writes");
        let excluded = rules(&settings).expect("reads").excluded;
        assert_eq!(excluded.into_iter().collect::<Vec<_>>(), ["9434765870", "9434765919"]);
        std::fs::write(&path, "9434765919\n9434765918\n").expect("writes");
        let error = rules(&settings).expect_err("refuses");
        assert!(matches!(error, SetupError::NotANumber { line: 2, .. }));
        assert!(!error.to_string().contains("943476"));
    }
}
