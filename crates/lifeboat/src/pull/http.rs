//! Requests to the one server: with credentials only for it, with limits, and again when it is busy.
//!
//! Nothing but the configured origin gets credentials; other origins are only followed where the settings allow it.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::write::MultiGzDecoder;
use jiff::Timestamp;
use lifeboat_plan::retry::retry_wait;
use lifeboat_replica::ErrorClass;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::auth::{Authority, Renewal};
use super::error::{PullError, Step};
use super::settings::{PlainHttp, PullLimits, PullSettings};

/// How often one request may be sent on.
const REDIRECTIONS_MAX: u32 = 5;
/// So much compressed data is decompressed at once, which bounds what comes out of it.
const GZIP_STEP_BYTES: usize = 8 << 10;

/// Makes what sends requests.
pub(super) fn client(settings: &PullSettings) -> Result<reqwest::Client, PullError> {
    let limits = &settings.limits;
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(limits.connect_max)
        .read_timeout(limits.idle_max)
        .no_proxy();
    if let Some(pem) = &settings.ca_pem {
        let unusable = |source: reqwest::Error| PullError::Client {
            what: "certificate authority",
            source: source.without_url(),
        };
        let certificates = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(unusable)?;
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(address) = &settings.proxy {
        let unusable =
            |source: reqwest::Error| PullError::Client { what: "proxy", source: source.without_url() };
        builder = builder.proxy(reqwest::Proxy::all(address).map_err(unusable)?);
    }
    builder.build().map_err(|source| PullError::Client {
        what: if settings.ca_pem.is_some() { "certificate authority" } else { "TLS library" },
        source: source.without_url(),
    })
}

/// The server during one pull.
pub(super) struct Server<'a> {
    pub(super) settings: &'a PullSettings,
    client: &'a reqwest::Client,
    authority: &'a Authority,
    base: Url,
    now: Timestamp,
    began: Instant,
    pub(super) counts: Counts,
}

/// What was asked and answered.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// One request.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) step: Step,
    pub(super) url: Url,
    method: Method,
    accept: Accept,
    prefer: Option<&'static str>,
    credentials: Credentials,
    /// How long it may take, where that is not the limit for requests.
    time_max: Option<Duration>,
}

/// Whether a request carries credentials, if it goes to the configured origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Sent,
    Omitted,
}

/// What kind of answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accept {
    /// A resource as JSON.
    Fhir,
    /// JSON that is no resource.
    Json,
    /// Lines of resources.
    Lines,
}

/// Why one attempt failed, and when the server would be asked again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: PullError,
    retry_after: Option<Duration>,
}

impl<E: Into<PullError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { error: error.into(), retry_after: None }
    }
}

/// Counts the attempts of one request.
#[derive(Default)]
pub(super) struct Tries {
    made: u32,
}

impl Call {
    /// Returns a request that reads.
    pub(super) fn get(step: Step, url: Url, accept: Accept) -> Self {
        Self {
            step,
            url,
            method: Method::GET,
            accept,
            prefer: None,
            credentials: Credentials::Sent,
            time_max: None,
        }
    }

    /// Returns a request that ends a job.
    pub(super) fn delete(step: Step, url: Url) -> Self {
        Self { method: Method::DELETE, ..Self::get(step, url, Accept::Fhir) }
    }

    /// Says how the request is to be handled.
    pub(super) fn prefer(self, prefer: &'static str) -> Self {
        Self { prefer: Some(prefer), ..self }
    }

    /// Goes without credentials.
    pub(super) fn open(self) -> Self {
        Self { credentials: Credentials::Omitted, ..self }
    }

    /// Says how long the request may take.
    pub(super) fn within(self, time_max: Duration) -> Self {
        Self { time_max: Some(time_max), ..self }
    }
}

impl Tries {
    /// Waits before the next attempt, or returns the error if there is to be none.
    pub(super) async fn again(&mut self, server: &Server<'_>, failure: Failure) -> Result<(), PullError> {
        self.made += 1;
        let limits = server.limits();
        if failure.error.class() != ErrorClass::Transient || self.made >= limits.attempts_max {
            return Err(failure.error);
        }
        let wait = match failure.retry_after {
            Some(asked) => asked.min(limits.retry_after_max),
            None => retry_wait(self.made, getrandom::u64().unwrap_or(0)).min(limits.retry_wait_max),
        };
        server.counts.retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

/// Returns scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl<'a> Server<'a> {
    pub(super) fn new(
        settings: &'a PullSettings,
        client: &'a reqwest::Client,
        authority: &'a Authority,
        now: Timestamp,
    ) -> Result<Self, PullError> {
        let mut base = settings.base_url.clone();
        let wrong = |why| Err(PullError::Address { origin: origin(&settings.base_url), why });
        match base.scheme() {
            "http" | "https" if base.host().is_some() => {}
            _ => return wrong("it is not an http or https address"),
        }
        if base.query().is_some() || base.fragment().is_some() {
            return wrong("it has a query");
        }
        if !base.username().is_empty() || base.password().is_some() {
            return wrong("credentials stand in it");
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let server =
            Self { settings, client, authority, base, now, began: Instant::now(), counts: Counts::default() };
        server.check_encrypted(&server.base)?;
        Ok(server)
    }

    pub(super) fn limits(&self) -> &'a PullLimits {
        &self.settings.limits
    }

    /// Returns the time, counted on from when the pull began.
    pub(super) fn now(&self) -> Timestamp {
        self.now.checked_add(self.began.elapsed()).unwrap_or(self.now)
    }

    /// Refuses an address to which everything would travel unencrypted.
    pub(super) fn check_encrypted(&self, url: &Url) -> Result<(), PullError> {
        let allowed = self.settings.plain_http == PlainHttp::Anywhere || is_loopback(url);
        if url.scheme() == "https" || allowed {
            return Ok(());
        }
        Err(PullError::PlainHttp { origin: origin(url) })
    }

    /// Returns an address below the server's base.
    pub(super) fn below(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    /// Returns the address of a search or an operation: a path below the base and parameters.
    pub(super) fn asking(&self, path: &str, parameters: &[(&str, &str)]) -> Url {
        let mut url = self.below(path);
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// Says whether an address is the configured server's.
    pub(super) fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Returns the address that the server names in an answer from `from`, if it may be followed.
    pub(super) fn link(&self, step: &Step, from: &Url, text: &str) -> Result<Url, PullError> {
        let what = "it names an address that is none";
        let url = from.join(text).map_err(|_| PullError::Malformed { step: step.clone(), what })?;
        let allowed = self.settings.allowed_origins.iter().any(|one| one.origin() == url.origin());
        if !(self.is_home(&url) || allowed) || !matches!(url.scheme(), "http" | "https") {
            return Err(PullError::Elsewhere { step: step.clone(), to: origin(&url) });
        }
        self.check_encrypted(&url)?;
        Ok(url)
    }

    /// Asks once and returns the beginning of a good answer.
    pub(super) async fn once(&self, call: &Call) -> Result<Response, Failure> {
        let mut url = call.url.clone();
        let mut renewed = false;
        let mut hops = 0;
        loop {
            let response = self.send(call, &url).await?;
            let status = response.status();
            if status.is_redirection()
                && let Some(location) = response.headers().get(LOCATION)
            {
                hops += 1;
                if hops > REDIRECTIONS_MAX || call.method != Method::GET {
                    let limit = REDIRECTIONS_MAX;
                    return Err(PullError::Redirections { step: call.step.clone(), limit }.into());
                }
                url = self.link(&call.step, &url, location.to_str().unwrap_or_default())?;
                continue;
            }
            if status == StatusCode::UNAUTHORIZED
                && !renewed
                && self.authority.renew().await == Renewal::Possible
            {
                renewed = true;
                continue;
            }
            return self.judge(call, response);
        }
    }

    async fn send(&self, call: &Call, url: &Url) -> Result<Response, Failure> {
        let accept = match call.accept {
            Accept::Fhir => "application/fhir+json",
            Accept::Json => "application/json",
            Accept::Lines => "application/fhir+ndjson, application/ndjson;q=0.9, */*;q=0.1",
        };
        let mut request = self
            .client
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, accept)
            .header(ACCEPT_ENCODING, "gzip")
            .timeout(call.time_max.unwrap_or(self.limits().request_max));
        if let Some(prefer) = call.prefer {
            request = request.header("prefer", prefer);
        }
        // Boxed, because getting a token may ask the server where tokens are to be had.
        if call.credentials == Credentials::Sent
            && self.is_home(url)
            && let Some(header) = Box::pin(self.authority.header(self)).await?
        {
            request = request.header(AUTHORIZATION, header);
        }
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        request.send().await.map_err(|source| self.broken(&call.step, url, source))
    }

    fn broken(&self, step: &Step, url: &Url, source: reqwest::Error) -> Failure {
        PullError::Connection { step: step.clone(), origin: origin(url), source: source.without_url() }.into()
    }

    /// Turns a bad answer into what is to be done about it.
    fn judge(&self, call: &Call, response: Response) -> Result<Response, Failure> {
        let (step, status) = (call.step.clone(), response.status());
        match status.as_u16() {
            200..=299 => Ok(response),
            401 => Err(PullError::Unauthorised { step }.into()),
            408 | 425 | 429 | 500 | 502 | 503 | 504 => Err(Failure {
                error: PullError::Busy { step, status },
                retry_after: self.retry_after(response.headers()),
            }),
            _ => Err(PullError::Refused { step, status }.into()),
        }
    }

    /// Returns how long the server asks us to wait: in seconds, or until a time.
    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = http_date(text)?;
        Some(Duration::try_from(until.duration_since(self.now())).unwrap_or_default())
    }

    /// Asks once and returns the whole body.
    pub(super) async fn body_once(&self, call: &Call) -> Result<Vec<u8>, Failure> {
        let response = self.once(call).await?;
        self.whole(call, response, self.limits().page_bytes_max).await
    }

    /// Reads the rest of an answer, if it is of the kind that was asked for.
    pub(super) async fn whole(
        &self,
        call: &Call,
        response: Response,
        bytes_max: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut body = self.body(call, response, bytes_max)?;
        let mut whole = Vec::new();
        while let Some(chunk) = body.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// Asks, again if need be, and returns the time of the answer, its address and the whole body.
    pub(super) async fn fetch(&self, call: &Call) -> Result<Fetched, PullError> {
        let mut tries = Tries::default();
        loop {
            let attempt = async {
                let response = self.once(call).await?;
                let url = response.url().clone();
                let date = response.headers().get(DATE).and_then(|date| http_date(date.to_str().ok()?));
                let body = self.whole(call, response, self.limits().page_bytes_max).await?;
                Ok(Fetched { url, date, body })
            };
            match attempt.await {
                Ok(fetched) => return Ok(fetched),
                Err(failure) => tries.again(self, failure).await?,
            }
        }
    }

    /// Asks, again if need be, and returns the beginning of a good answer.
    pub(super) async fn begin(&self, call: &Call) -> Result<Response, PullError> {
        let mut tries = Tries::default();
        loop {
            match self.once(call).await {
                Ok(response) => return Ok(response),
                Err(failure) => tries.again(self, failure).await?,
            }
        }
    }

    /// Sends a form without credentials and returns status and body, good or bad.
    pub(super) async fn post_form(
        &self,
        step: Step,
        url: &Url,
        form: &[(&str, &str)],
        bytes_max: u64,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let call = Call::get(step.clone(), url.clone(), Accept::Json);
        self.counts.requests.fetch_add(1, Ordering::Relaxed);
        let mut response = self
            .client
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .timeout(self.limits().request_max)
            .form(form)
            .send()
            .await
            .map_err(|source| self.broken(&step, url, source))?;
        let status = response.status();
        match status.as_u16() {
            200..=299 => {}
            400 | 401 => {
                // A refusal may be of any kind; what is not JSON just has no reason in it.
                let mut body = Vec::new();
                while let Ok(Some(chunk)) = response.chunk().await
                    && body.len() + chunk.len() <= usize::try_from(bytes_max).unwrap_or(usize::MAX)
                {
                    body.extend_from_slice(&chunk);
                }
                return Ok((status, body));
            }
            _ => {
                self.judge(&call, response)?;
                return Err(PullError::Refused { step, status }.into());
            }
        }
        Ok((status, self.whole(&call, response, bytes_max).await?))
    }

    /// Prepares to read the body of an answer piece by piece.
    pub(super) fn body<'s>(
        &'s self,
        call: &'s Call,
        response: Response,
        bytes_max: u64,
    ) -> Result<Body<'s>, PullError> {
        let headers = response.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = text(CONTENT_TYPE).to_ascii_lowercase();
        check_kind(call, kind.split(';').next().unwrap_or_default().trim())?;
        let gzip = match text(CONTENT_ENCODING).to_ascii_lowercase().as_str() {
            "" | "identity" => Gzip::Unknown,
            "gzip" | "x-gzip" => Gzip::Packed(Box::new(MultiGzDecoder::new(Vec::new()))),
            _ => return Err(PullError::Encoding { step: call.step.clone() }),
        };
        Ok(Body { server: self, call, response, gzip, pending: Vec::new().into(), read: 0, bytes_max })
    }
}

/// A whole answer.
pub(super) struct Fetched {
    pub(super) url: Url,
    /// When it was given, by the server's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Vec<u8>,
}

/// Refuses an answer of another kind; what says nothing about its kind is read.
fn check_kind(call: &Call, kind: &str) -> Result<(), PullError> {
    let json = ["application/fhir+json", "application/json", "application/json+fhir", "text/json", ""];
    let lines = [
        "application/fhir+ndjson",
        "application/ndjson",
        "application/x-ndjson",
        "application/jsonl",
        "application/octet-stream",
        "binary/octet-stream",
        "application/gzip",
        "application/x-gzip",
        "text/plain",
    ];
    let fits = json.contains(&kind) || (call.accept == Accept::Lines && lines.contains(&kind));
    if fits {
        return Ok(());
    }
    let found = match kind {
        "text/html" | "application/xhtml+xml" => "a web page",
        "application/fhir+xml" | "application/xml" | "text/xml" => "XML",
        "text/plain" => "plain text",
        _ => "of another kind",
    };
    let expected = if call.accept == Accept::Lines { "lines of JSON" } else { "JSON" };
    Err(PullError::ContentType { step: call.step.clone(), found, expected })
}

/// Reads a time as HTTP writes it.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// The body of an answer, read piece by piece and decompressed where it is compressed.
pub(super) struct Body<'s> {
    server: &'s Server<'s>,
    call: &'s Call,
    response: Response,
    gzip: Gzip,
    /// Compressed bytes that have come and are not decompressed yet.
    pending: bytes::Bytes,
    read: u64,
    bytes_max: u64,
}

/// Whether a body is compressed.
enum Gzip {
    /// Its first bytes will say.
    Unknown,
    Plain,
    Packed(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Body<'_> {
    /// Returns the next piece, which is not empty; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if self.pending.is_empty() {
                let step = &self.call.step;
                let next = self.response.chunk().await;
                match next.map_err(|source| self.server.broken(step, &self.call.url, source))? {
                    Some(bytes) => self.pending = bytes,
                    None => return self.end(),
                }
            }
            let chunk = self.unpack()?;
            if !chunk.is_empty() {
                return self.count(chunk).map(Some);
            }
        }
    }

    /// Takes some of what has come.
    fn unpack(&mut self) -> Result<Vec<u8>, PullError> {
        if matches!(self.gzip, Gzip::Unknown) {
            // Files of an export may be stored compressed without the header saying so.
            let packed = self.pending.starts_with(&[0x1f, 0x8b]);
            self.gzip = match packed {
                true => Gzip::Packed(Box::new(MultiGzDecoder::new(Vec::new()))),
                false => Gzip::Plain,
            };
        }
        match &mut self.gzip {
            Gzip::Packed(decoder) => {
                let some = self.pending.split_to(self.pending.len().min(GZIP_STEP_BYTES));
                let step = || self.call.step.clone();
                decoder.write_all(&some).map_err(|_| PullError::CutShort { step: step() })?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            _ => Ok(std::mem::take(&mut self.pending).to_vec()),
        }
    }

    fn end(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let rest = match &mut self.gzip {
            Gzip::Packed(decoder) => {
                let cut = |_| PullError::CutShort { step: self.call.step.clone() };
                decoder.try_finish().map_err(cut)?;
                std::mem::take(decoder.get_mut())
            }
            _ => Vec::new(),
        };
        self.gzip = Gzip::Plain;
        if rest.is_empty() { Ok(None) } else { self.count(rest).map(Some) }
    }

    fn count(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let bytes = chunk.len() as u64;
        self.read += bytes;
        self.server.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.read > self.bytes_max {
            let (step, limit) = (self.call.step.clone(), self.bytes_max);
            return Err(PullError::TooMuch { step, what: "bytes", limit }.into());
        }
        Ok(chunk)
    }
}
