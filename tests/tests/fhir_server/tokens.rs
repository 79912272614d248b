//! A small server of access tokens: it knows one client by its public key and issues tokens that a FHIR server accepts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lifeboat::clock;
use lifeboat::keys::SecretSource;
use lifeboat_tests::fhir::TokensFrom;
use serde_json::{Value, json};

const AUDIENCE: &str = "fhir";
const KEY_ID: &str = "issuer-1";

/// Issues tokens.
pub(super) struct TokenServer {
    port: u16,
    key: Arc<EcdsaKeyPair>,
    client: EcdsaKeyPair,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    issued: usize,
    /// How many tokens, from now on, have expired when they are issued.
    stale: usize,
}

impl TokenServer {
    /// Starts issuing.
    pub(super) fn start() -> Self {
        let generate =
            || EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key can be made");
        let (key, client) = (Arc::new(generate()), generate());
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let server = Self { port, key, client, state };
        let (key, state) = (Arc::clone(&server.key), Arc::clone(&server.state));
        let known = server.client.public_key().as_ref().to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up asks again.
                let _ = serve(stream, port, &key, &known, &state);
            }
        });
        server
    }

    /// Returns what a FHIR server must know of us.
    pub(super) fn facts(&self) -> TokensFrom {
        TokensFrom {
            issuer: issuer(self.port),
            jwks_url: format!("{}/jwks", issuer(self.port)),
            audience: AUDIENCE.to_owned(),
        }
    }

    /// Returns the token endpoint.
    pub(super) fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// Writes the client's private key into a file that only its owner can read.
    pub(super) fn client_key(&self, folder: &Path) -> SecretSource {
        use std::os::unix::fs::PermissionsExt as _;
        let der = self.client.to_pkcs8v1().expect("a key can be written");
        let body = STANDARD.encode(der.as_ref());
        let path = folder.join("client.pem");
        std::fs::write(&path, format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
            .expect("the folder can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        SecretSource::File(path)
    }

    /// Returns a token with any rights.
    pub(super) fn token(&self, scope: &str) -> String {
        token(&self.key, self.port, scope, 300)
    }

    /// Issues so many tokens that have expired.
    pub(super) fn issue_stale(&self, count: usize) {
        self.state.lock().expect("nobody has panicked").stale = count;
    }

    /// Returns how many tokens have been issued.
    pub(super) fn issued(&self) -> usize {
        self.state.lock().expect("nobody has panicked").issued
    }
}

fn issuer(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn endpoint(port: u16) -> String {
    format!("{}/token", issuer(port))
}

fn token(key: &EcdsaKeyPair, port: u16, scope: &str, seconds: i64) -> String {
    let now = clock::now().as_second();
    let header = json!({"alg": "ES384", "typ": "JWT", "kid": KEY_ID});
    let claims = json!({
        "iss": issuer(port), "aud": AUDIENCE, "sub": "lifeboat", "client_id": "lifeboat", "scope": scope,
        "iat": now.min(now + seconds - 300), "exp": now + seconds
    });
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a key can sign");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn serve(
    stream: TcpStream,
    port: u16,
    key: &EcdsaKeyPair,
    known: &[u8],
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, answer) = if first.contains("/jwks") {
        let public = key.public_key().as_ref();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let one = json!({
            "kty": "EC", "crv": "P-384", "use": "sig", "alg": "ES384", "kid": KEY_ID,
            "x": encode(&public[1..49]), "y": encode(&public[49..])
        });
        (200, json!({"keys": [one]}))
    } else if is_ours(&body, port, known) {
        let mut state = state.lock().expect("nobody has panicked");
        state.issued += 1;
        let seconds = if state.stale > 0 { -3600 } else { 300 };
        state.stale = state.stale.saturating_sub(1);
        let token = token(key, port, "system/*.rs", seconds);
        (200, json!({"access_token": token, "token_type": "bearer", "expires_in": 300}))
    } else {
        (401, json!({"error": "invalid_client"}))
    };
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    reader.get_mut().write_all(head.as_bytes())?;
    reader.get_mut().write_all(answer.as_bytes())
}

/// Says whether the form holds an assertion that our client has signed for this endpoint.
fn is_ours(form: &[u8], port: u16, known: &[u8]) -> bool {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let Some((signed, signature)) = field("client_assertion").and_then(|text| text.rsplit_once('.')) else {
        return false;
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let claims =
        signed.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, known).verify(signed.as_bytes(), &signature).is_ok()
        && claims["aud"] == endpoint(port)
        && claims["exp"].as_i64().is_some_and(|until| until > clock::now().as_second())
        && field("grant_type") == Some("client_credentials")
        && field("scope") == Some("system/*.rs")
}
