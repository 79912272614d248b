//! Refuses requests that do not come from our own page in the user's own browser, before any routing.
//!
//! A loopback port is open to every web site the browser visits. What keeps them out: the exact Host
//! (a rebound DNS name arrives with its own), `Sec-Fetch-Site` (the browser says who asks), `Origin` on
//! every POST, and no method but GET and POST. The form token of [`super::session`] comes on top.

use axum::http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN};
use axum::http::{Method, Request, StatusCode};

/// The longest path and query that is routed, in bytes.
pub const TARGET_BYTES_MAX: usize = 512;
/// All header names and values of one request together, in bytes.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request was refused; the name goes to the log, the status to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The Host header is missing, doubled, or not ours.
    #[error("the host name is not this viewer's")]
    Host,
    /// Neither GET nor POST.
    #[error("the method is neither GET nor POST")]
    Method,
    /// The address is too long, or not a plain path.
    #[error("the address is too long or not a plain path")]
    Target,
    /// The headers are too large.
    #[error("the headers are too large")]
    Headers,
    /// Another site asked.
    #[error("the request came from another site")]
    CrossSite,
    /// A form was sent without an Origin, or from another one.
    #[error("the form was not sent from this viewer's own page")]
    Origin,
    /// A form of another encoding than ours.
    #[error("the form's encoding is not the one that this viewer's pages use")]
    FormType,
}

impl Refusal {
    /// Returns the status with which the peer is told.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::CrossSite | Self::Origin => StatusCode::FORBIDDEN,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Target => StatusCode::URI_TOO_LONG,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::FormType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// Checks everything about a request that can be known without its body; `authority` is our `host:port`.
pub fn check<B>(request: &Request<B>, authority: &str) -> Result<(), Refusal> {
    let headers = request.headers();
    if single(headers, &HOST).is_none_or(|host| host != authority.as_bytes()) {
        return Err(Refusal::Host);
    }
    if ![Method::GET, Method::POST].contains(request.method()) {
        return Err(Refusal::Method);
    }
    let uri = request.uri();
    let target_bytes = uri.path_and_query().map_or(usize::MAX, |target| target.as_str().len());
    if uri.authority().is_some() || target_bytes > TARGET_BYTES_MAX {
        return Err(Refusal::Target);
    }
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADER_BYTES_MAX
    {
        return Err(Refusal::Headers);
    }
    check_sender(request.method(), headers, authority)
}

fn check_sender(method: &Method, headers: &HeaderMap, authority: &str) -> Result<(), Refusal> {
    let site = match headers.get_all(SEC_FETCH_SITE).iter().count() {
        0 => None,
        _ => Some(single(headers, &SEC_FETCH_SITE).ok_or(Refusal::CrossSite)?),
    };
    match (site, method) {
        (None | Some(b"same-origin"), _) => {}
        (Some(b"none"), &Method::GET) => {}
        _ => return Err(Refusal::CrossSite),
    }
    if method != Method::POST {
        return Ok(());
    }
    // Under `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own forms; whether such a
    // request is ours, the cookie and the form token decide.
    let origin = single(headers, &ORIGIN).ok_or(Refusal::Origin)?;
    if origin != format!("http://{authority}").as_bytes() && origin != b"null" {
        return Err(Refusal::Origin);
    }
    let form = single(headers, &CONTENT_TYPE).unwrap_or_default();
    if form.split(|byte| *byte == b';').next() != Some(b"application/x-www-form-urlencoded") {
        return Err(Refusal::FormType);
    }
    Ok(())
}

/// Returns a header's value when it is there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "v-0011223344556677.localhost:4711";
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    fn check_request(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).expect("a request"), US)
    }

    #[test]
    fn only_the_exact_host_is_served() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[("host", US)], true),
            (&[], false),
            (&[("host", "127.0.0.1:4711")], false),
            (&[("host", "localhost:4711")], false),
            (&[("host", "v-0011223344556677.localhost")], false),
            (&[("host", "v-0011223344556677.localhost:4712")], false),
            (&[("host", "V-0011223344556677.localhost:4711")], false),
            (&[("host", "evil.example:4711")], false),
            (&[("host", US), ("host", "evil.example")], false),
        ];
        for (headers, allowed) in cases {
            let expected = if allowed { Ok(()) } else { Err(Refusal::Host) };
            assert_eq!(check_request("GET", "/", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn only_get_and_post_are_served() {
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "BREW"] {
            assert_eq!(check_request(method, "/", &[("host", US)]), Err(Refusal::Method), "{method}");
        }
    }

    #[test]
    fn long_and_absolute_addresses_and_large_headers_are_refused() {
        let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
        assert_eq!(check_request("GET", &long, &[("host", US)]), Err(Refusal::Target));
        assert_eq!(check_request("GET", "http://evil.example/", &[("host", US)]), Err(Refusal::Target));
        let large = "a".repeat(HEADER_BYTES_MAX);
        assert_eq!(check_request("GET", "/", &[("host", US), ("x-a", &large)]), Err(Refusal::Headers));
    }

    #[test]
    fn another_site_reads_nothing() {
        let cases = [
            ("same-origin", Ok(())),
            ("none", Ok(())),
            ("same-site", Err(Refusal::CrossSite)),
            ("cross-site", Err(Refusal::CrossSite)),
            ("nonsense", Err(Refusal::CrossSite)),
        ];
        for (site, expected) in cases {
            assert_eq!(
                check_request("GET", "/", &[("host", US), ("sec-fetch-site", site)]),
                expected,
                "{site}"
            );
        }
        let twice = [("host", US), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none")];
        assert_eq!(check_request("GET", "/", &twice), Err(Refusal::CrossSite));
    }

    #[test]
    fn a_form_is_taken_from_our_own_page_only() {
        let ours = format!("http://{US}");
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Headers<'_>, Result<(), Refusal>); 9] = [
            (&[("origin", &ours), FORM], Ok(())),
            (&[("origin", &ours), ("sec-fetch-site", "same-origin"), FORM], Ok(())),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin"), FORM], Ok(())),
            (&[FORM], Err(Refusal::Origin)),
            (&[("origin", "http://evil.example"), FORM], Err(Refusal::Origin)),
            (&[("origin", "https://v-0011223344556677.localhost:4711"), FORM], Err(Refusal::Origin)),
            (&[("origin", &ours), ("sec-fetch-site", "none"), FORM], Err(Refusal::CrossSite)),
            (&[("origin", &ours), ("sec-fetch-site", "cross-site"), FORM], Err(Refusal::CrossSite)),
            (&[("origin", &ours), ("content-type", "text/plain")], Err(Refusal::FormType)),
        ];
        for (headers, expected) in cases {
            let mut all = vec![("host", US)];
            all.extend_from_slice(headers);
            assert_eq!(check_request("POST", "/search", &all), expected, "{headers:?}");
        }
    }
}
