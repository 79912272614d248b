//! How the server knows us: the header that every request to it carries, and the tokens in it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::error::{PullError, Step};
use super::http::{Accept, Call, Failure, Server};
use super::jwt::{Claims, ClientKey, Hidden};
use super::settings::PullAuth;
use crate::keys::SecretSource;

/// What the client assertion is, in OAuth's words.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(30);
/// How long a token is taken to last whose server does not say.
const UNSAID_SECONDS: u64 = 60;
/// Most bytes of an answer of the token endpoint.
const TOKEN_BYTES_MAX: u64 = 256 << 10;
/// The reasons for which a token endpoint refuses.
const CODES: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
];

/// What is known of our right to ask.
pub(super) struct Authority {
    auth: PullAuth,
    token: tokio::sync::Mutex<Option<Token>>,
}

struct Token {
    text: Zeroizing<String>,
    good_until: Timestamp,
}

/// Whether a refused request may be made again with a new token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Possible,
    Futile,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Hidden,
    expires_in: Option<serde_json::Number>,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
}

#[derive(Deserialize)]
struct SmartConfiguration {
    token_endpoint: String,
}

/// What SMART Backend Services need.
struct Smart<'a> {
    client_id: &'a str,
    key: &'a SecretSource,
    key_id: Option<&'a str>,
    token_url: Option<&'a Url>,
    scope: &'a str,
}

impl Authority {
    pub(super) fn new(auth: PullAuth) -> Self {
        Self { auth, token: tokio::sync::Mutex::new(None) }
    }

    /// Forgets the token that was refused.
    pub(super) async fn renew(&self) -> Renewal {
        match self.auth {
            PullAuth::Smart { .. } => {
                *self.token.lock().await = None;
                Renewal::Possible
            }
            // Somebody may have renewed the file between its being read and the answer.
            PullAuth::Bearer { .. } => Renewal::Possible,
            PullAuth::None | PullAuth::Basic { .. } => Renewal::Futile,
        }
    }

    /// Returns the header by which the server knows us.
    pub(super) async fn header(&self, server: &Server<'_>) -> Result<Option<HeaderValue>, Failure> {
        let text = match &self.auth {
            PullAuth::None => return Ok(None),
            PullAuth::Basic { username, password } => {
                let password = password.read("password of the FHIR server").map_err(PullError::from)?;
                let both = Zeroizing::new(format!("{username}:{}", password.as_str()));
                Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())))
            }
            PullAuth::Bearer { token } => {
                let token = token.read("token of the FHIR server").map_err(PullError::from)?;
                Zeroizing::new(format!("Bearer {}", token.as_str()))
            }
            PullAuth::Smart { client_id, key, key_id, token_url, scope } => {
                let smart =
                    Smart { client_id, key, key_id: key_id.as_deref(), token_url: token_url.as_ref(), scope };
                let token = self.smart_token(server, &smart).await?;
                Zeroizing::new(format!("Bearer {}", token.as_str()))
            }
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| PullError::CredentialText { what: "credential of the FHIR server" })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn smart_token(
        &self,
        server: &Server<'_>,
        smart: &Smart<'_>,
    ) -> Result<Zeroizing<String>, Failure> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref()
            && server.now() < token.good_until
        {
            return Ok(token.text.clone());
        }
        let token = fetch_token(server, smart).await?;
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }
}

async fn fetch_token(server: &Server<'_>, smart: &Smart<'_>) -> Result<Token, Failure> {
    let text = smart.key.read("client key of the FHIR server").map_err(PullError::from)?;
    let key = ClientKey::parse(&text, smart.key_id)
        .map_err(|why| PullError::ClientKey { from: smart.key.clone(), why })?;
    let endpoint = match smart.token_url {
        Some(url) => url.clone(),
        None => discover(server).await?,
    };
    server.check_encrypted(&endpoint)?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|_| PullError::Sign)?;
    let asked = server.now();
    let claims = Claims { client_id: smart.client_id, audience: endpoint.as_str(), now: asked, nonce };
    let assertion = key.assertion(&claims).ok_or(PullError::Sign)?;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", smart.scope),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let (status, body) = server.post_form(Step::Token, &endpoint, &form, TOKEN_BYTES_MAX).await?;
    if !status.is_success() {
        return Err(refused(status, &body).into());
    }
    let what = "the token endpoint's answer holds no access token";
    let answer: TokenAnswer =
        serde_json::from_slice(&body).map_err(|_| PullError::Malformed { step: Step::Token, what })?;
    let seconds = answer.expires_in.and_then(|number| number.to_string().parse::<f64>().ok());
    let seconds = seconds.map_or(UNSAID_SECONDS, |seconds| seconds.clamp(0.0, 86_400.0) as u64);
    let lifetime = Duration::from_secs(seconds);
    let usable = lifetime - MARGIN.min(lifetime / 4);
    let good_until = asked.checked_add(usable).unwrap_or(asked);
    Ok(Token { text: answer.access_token.0, good_until })
}

fn refused(status: StatusCode, body: &[u8]) -> PullError {
    let said = serde_json::from_slice::<TokenRefusal>(body).map(|refusal| refusal.error).unwrap_or_default();
    PullError::TokenRefused { status, code: CODES.into_iter().find(|code| *code == said) }
}

/// Asks the server where tokens are to be had; an endpoint elsewhere must be named in the settings.
async fn discover(server: &Server<'_>) -> Result<Url, Failure> {
    let step = Step::Discovery;
    let call = Call::get(step.clone(), server.below(".well-known/smart-configuration"), Accept::Json).open();
    let body = server.body_once(&call).await?;
    let what = "it names no token endpoint";
    let configuration: SmartConfiguration =
        serde_json::from_slice(&body).map_err(|_| PullError::Malformed { step: step.clone(), what })?;
    Ok(server.link(&step, &call.url, &configuration.token_endpoint)?)
}
