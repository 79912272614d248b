//! Assertions by which the service proves who it is (SMART Backend Services): JWTs signed with ES384 or RS384.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA384};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

/// Bytes of a number on the curve P-384.
const P384_BYTES: usize = 48;
/// How long an assertion is good for; servers refuse more than five minutes, and clocks differ.
const ASSERTION_SECONDS: i64 = 240;

/// The private key by which the service proves who it is.
pub(super) struct ClientKey {
    signer: Signer,
    key_id: Option<String>,
}

enum Signer {
    Es384(EcdsaKeyPair),
    Rs384(rsa::KeyPair),
}

/// What an assertion says.
pub(super) struct Claims<'a> {
    pub(super) client_id: &'a str,
    pub(super) audience: &'a str,
    pub(super) now: Timestamp,
    /// A number that is used once.
    pub(super) nonce: [u8; 16],
}

/// A text that nobody is to see, as it comes in JSON.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct Hidden(pub(super) Zeroizing<String>);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Hidden(Zeroizing::new(text))
    }
}

/// A private key as JSON, or a set with one.
#[derive(Deserialize)]
struct Jwk {
    kty: Option<String>,
    crv: Option<String>,
    kid: Option<String>,
    d: Option<Hidden>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    p: Option<Hidden>,
    q: Option<Hidden>,
    dp: Option<Hidden>,
    dq: Option<Hidden>,
    qi: Option<Hidden>,
    keys: Option<Vec<Jwk>>,
}

impl ClientKey {
    /// Reads a key from a JWK, a JWK set with one private key, or PEM.
    pub(super) fn parse(text: &str, key_id: Option<&str>) -> Result<Self, &'static str> {
        let named = |signer, own: Option<String>| Self { signer, key_id: key_id.map(str::to_owned).or(own) };
        if text.trim_start().starts_with('{') {
            let jwk: Jwk = serde_json::from_str(text).map_err(|_| "it is not a JWK")?;
            let jwk = only_private(jwk)?;
            return Ok(named(signer_of_jwk(&jwk)?, jwk.kid));
        }
        Ok(named(signer_of_pem(text)?, None))
    }

    /// Signs an assertion.
    pub(super) fn assertion(&self, claims: &Claims<'_>) -> Option<Zeroizing<String>> {
        let algorithm = match self.signer {
            Signer::Es384(_) => "ES384",
            Signer::Rs384(_) => "RS384",
        };
        let mut header = serde_json::json!({"alg": algorithm, "typ": "JWT"});
        if let Some(key_id) = &self.key_id {
            header["kid"] = key_id.as_str().into();
        }
        let issued = claims.now.as_second();
        let body = serde_json::json!({
            "iss": claims.client_id,
            "sub": claims.client_id,
            "aud": claims.audience,
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
            "jti": URL_SAFE_NO_PAD.encode(claims.nonce),
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(body.to_string())
        );
        let signature = self.sign(signed.as_bytes())?;
        Some(Zeroizing::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Es384(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Signer::Rs384(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA384, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

fn only_private(jwk: Jwk) -> Result<Jwk, &'static str> {
    let Some(keys) = jwk.keys else { return Ok(jwk) };
    let mut private = keys.into_iter().filter(|key| key.d.is_some());
    match (private.next(), private.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err("the JWK set holds no private key"),
        (Some(_), Some(_)) => Err("the JWK set holds several private keys"),
    }
}

fn number(text: Option<&str>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let text = text.ok_or("a part of the JWK is missing; a private key is needed")?;
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map(Zeroizing::new)
        .map_err(|_| "a part of the JWK is not base64url")
}

fn signer_of_jwk(jwk: &Jwk) -> Result<Signer, &'static str> {
    let secret = |text: &Option<Hidden>| number(text.as_ref().map(|text| text.0.as_str()));
    match jwk.kty.as_deref() {
        Some("EC") if jwk.crv.as_deref() == Some("P-384") => {
            let private = padded(&secret(&jwk.d)?)?;
            let mut public = vec![4];
            public.extend_from_slice(&padded(&number(jwk.x.as_deref())?)?);
            public.extend_from_slice(&padded(&number(jwk.y.as_deref())?)?);
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P384_SHA384_FIXED_SIGNING, &private, &public)
                .map(Signer::Es384)
                .map_err(|_| "the parts of the JWK do not fit together")
        }
        Some("EC") => Err("the curve is not P-384"),
        Some("RSA") => {
            let components = rsa::KeyPairComponents {
                public_key: rsa::PublicKeyComponents {
                    n: number(jwk.n.as_deref())?.to_vec(),
                    e: number(jwk.e.as_deref())?.to_vec(),
                },
                d: secret(&jwk.d)?.to_vec(),
                p: secret(&jwk.p)?.to_vec(),
                q: secret(&jwk.q)?.to_vec(),
                dP: secret(&jwk.dp)?.to_vec(),
                dQ: secret(&jwk.dq)?.to_vec(),
                qInv: secret(&jwk.qi)?.to_vec(),
            };
            rsa::KeyPair::from_components(&components)
                .map(Signer::Rs384)
                .map_err(|_| "the parts of the JWK do not fit together, or the key is too short")
        }
        _ => Err("its type is neither EC nor RSA"),
    }
}

/// Brings a number to the length that the curve has.
fn padded(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let missing = P384_BYTES.checked_sub(bytes.len()).ok_or("a part of the JWK is too long for P-384")?;
    let mut whole = Zeroizing::new(vec![0; missing]);
    whole.extend_from_slice(bytes);
    Ok(whole)
}

fn signer_of_pem(text: &str) -> Result<Signer, &'static str> {
    let (_, rest) = text.split_once("-----BEGIN ").ok_or("it is neither JWK nor PEM")?;
    // A file may name the curve's parameters before the key.
    if let Some(rest) = rest.strip_prefix("EC PARAMETERS") {
        return signer_of_pem(rest);
    }
    let (label, rest) = rest.split_once("-----").ok_or("the PEM has no label")?;
    let (body, _) = rest.split_once("-----END ").ok_or("the PEM has no end")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let der = STANDARD.decode(body.as_bytes()).map(Zeroizing::new).map_err(|_| "the PEM is not base64")?;
    let elliptic = || EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, &der);
    match label {
        "EC PRIVATE KEY" => {
            elliptic().map(Signer::Es384).map_err(|_| "it is not a private key on the curve P-384")
        }
        "RSA PRIVATE KEY" => rsa::KeyPair::from_der(&der)
            .map(Signer::Rs384)
            .map_err(|_| "it is not an RSA private key of 2048 bits or more"),
        "PRIVATE KEY" => rsa::KeyPair::from_pkcs8(&der)
            .map(Signer::Rs384)
            .or_else(|_| elliptic().map(Signer::Es384))
            .map_err(|_| "it is neither a key on the curve P-384 nor RSA of 2048 bits or more"),
        "ENCRYPTED PRIVATE KEY" => {
            Err("it is encrypted; give the key itself, in a file that only the service can read")
        }
        _ => Err("the PEM holds no private key"),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED, KeyPair as _, RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey,
    };

    use super::*;

    fn claims() -> Claims<'static> {
        let now = "2026-11-21T08:00:00Z".parse().expect("an instant");
        Claims { client_id: "lifeboat", audience: "https://fhir.example/token", now, nonce: [7; 16] }
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    /// Takes an assertion apart and checks what it says; returns what was signed and the signature.
    fn check(key: &ClientKey, algorithm: &str) -> (String, Vec<u8>) {
        let token = key.assertion(&claims()).expect("it can be signed");
        let parts: Vec<&str> = token.split('.').collect();
        let json = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
        };
        let header = json(parts[0]);
        assert_eq!((header["alg"].as_str(), header["kid"].as_str()), (Some(algorithm), Some("key-1")));
        let body = json(parts[1]);
        assert_eq!(body["iss"], "lifeboat");
        assert_eq!(body["sub"], "lifeboat");
        assert_eq!(body["aud"], "https://fhir.example/token");
        let lifetime = body["exp"].as_i64().expect("a number") - body["iat"].as_i64().expect("a number");
        assert!(lifetime <= 300, "servers refuse more than five minutes");
        (format!("{}.{}", parts[0], parts[1]), URL_SAFE_NO_PAD.decode(parts[2]).expect("base64url"))
    }

    #[test]
    fn an_elliptic_key_signs_from_every_form_that_it_comes_in() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        let public = pair.public_key().as_ref().to_vec();
        let private: Vec<u8> = pair.private_key().as_be_bytes().expect("a number").as_ref().to_vec();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = serde_json::json!({
            "kty": "EC", "crv": "P-384", "kid": "key-1", "d": encode(&private),
            "x": encode(&public[1..49]), "y": encode(&public[49..])
        });
        let pkcs8 = pair.to_pkcs8v1().expect("a key can be written");
        let sec1: Vec<u8> = pair.private_key().as_der().expect("a key can be written").as_ref().to_vec();
        let forms = [
            (jwk.to_string(), None),
            (serde_json::json!({"keys": [jwk]}).to_string(), None),
            (pem("PRIVATE KEY", pkcs8.as_ref()), Some("key-1")),
            (pem("EC PRIVATE KEY", &sec1), Some("key-1")),
        ];
        for (text, key_id) in forms {
            let key = ClientKey::parse(&text, key_id).expect("a key");
            let (signed, signature) = check(&key, "ES384");
            UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &public)
                .verify(signed.as_bytes(), &signature)
                .expect("the signature is right");
        }
    }

    #[test]
    fn an_rsa_key_signs() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
        let pkcs8: Vec<u8> = pair.as_der().expect("a key can be written").as_ref().to_vec();
        let key = ClientKey::parse(&pem("PRIVATE KEY", &pkcs8), Some("key-1")).expect("a key");
        let (signed, signature) = check(&key, "RS384");
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA384, pair.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .expect("the signature is right");
    }

    #[test]
    fn what_is_no_key_is_refused_in_plain_words() {
        let cases = [
            ("", "it is neither JWK nor PEM"),
            ("{", "it is not a JWK"),
            (r#"{"kty":"EC","crv":"P-256"}"#, "the curve is not P-384"),
            (r#"{"kty":"oct"}"#, "its type is neither EC nor RSA"),
            (r#"{"keys":[{"kty":"EC"}]}"#, "the JWK set holds no private key"),
            (
                r#"{"kty":"EC","crv":"P-384","x":"AA"}"#,
                "a part of the JWK is missing; a private key is needed",
            ),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "the PEM holds no private key"),
        ];
        for (text, expected) in cases {
            let error = ClientKey::parse(text, None).err();
            assert_eq!(error, Some(expected), "{text}");
        }
    }
}
