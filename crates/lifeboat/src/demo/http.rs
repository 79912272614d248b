//! As much of a browser as it takes to read the viewer's pages: cookies, redirects and forms over HTTP/1.1.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{DemoError, wrong};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Redirects that are followed at most.
const REDIRECTS_MAX: usize = 5;

/// How long the viewer may take for one page.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);

/// A browser with its cookies.
pub(super) struct Browser {
    /// The host and port that the viewer answers to.
    authority: String,
    port: u16,
    cookies: BTreeMap<String, String>,
}

/// One answer.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Browser {
    /// Makes a browser for the viewer at `url`.
    pub(super) fn new(url: &str) -> Result<Self, DemoError> {
        let refused = || wrong("the viewer's address is not http://host:port/");
        let authority =
            url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).ok_or_else(refused)?;
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).ok_or_else(refused)?;
        Ok(Browser { authority: authority.to_owned(), port, cookies: BTreeMap::new() })
    }

    /// Fetches a page, following redirects.
    pub(super) fn get(&mut self, path: &str) -> Result<String, DemoError> {
        self.fetch(path, None)
    }

    /// Sends a form, following redirects.
    pub(super) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<String, DemoError> {
        let encoded: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.fetch(path, Some(encoded.join("&")))
    }

    fn fetch(&mut self, path: &str, form: Option<String>) -> Result<String, DemoError> {
        let (mut path, mut form) = (path.to_owned(), form);
        for _ in 0..REDIRECTS_MAX {
            let answer = self
                .ask(&path, form.as_deref())
                .map_err(|source| DemoError::Fetch { path: first_part(&path), source })?;
            for (_, cookie) in answer.headers.iter().filter(|(key, _)| key == "set-cookie") {
                if let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) {
                    self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
                }
            }
            match (answer.status, answer.header("location")) {
                (200, _) => return Ok(answer.body),
                (301..=308, Some(location)) => {
                    let origin = format!("http://{}", self.authority);
                    path = location.strip_prefix(&origin).unwrap_or(location).to_owned();
                    form = None;
                }
                (status, _) => {
                    return Err(wrong(format!("the viewer answered {status} to {}", first_part(&path))));
                }
            }
        }
        Err(wrong(format!("the viewer redirected too often from {}", first_part(&path))))
    }

    fn ask(&self, path: &str, form: Option<&str>) -> io::Result<Answer> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIME_MAX)?;
        stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
        let method = if form.is_some() { "POST" } else { "GET" };
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.authority);
        if !self.cookies.is_empty() {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.push_str(&format!("Cookie: {}\r\n", cookies.join("; ")));
        }
        if let Some(form) = form {
            request.push_str(&format!(
                "Origin: http://{}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
                self.authority,
                form.len()
            ));
        }
        request.push_str("\r\n");
        request.push_str(form.unwrap_or_default());
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
        parse(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunk(rest)? } else { rest.to_vec() };
    Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(length.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let start = end + 2;
        let stop = start.checked_add(length)?;
        body.extend_from_slice(rest.get(start..stop)?);
        rest = rest.get(stop + 2..)?;
    }
}

/// The part of a path that says which page it is; what follows may be secret.
fn first_part(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/').split('/').next().unwrap_or_default())
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_plain_and_in_chunks() {
        for (text, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n",
                "hi yo",
            ),
        ] {
            let answer = parse(text.as_bytes()).expect("an answer");
            assert_eq!((answer.status, answer.body.as_str()), (200, body));
        }
        for broken in
            ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhi"]
        {
            assert!(parse(broken.as_bytes()).is_none(), "{broken}");
        }
    }

    #[test]
    fn forms_are_encoded_and_secret_parts_of_paths_are_left_out() {
        assert_eq!(encode("O'Neil & Söhne 1/2"), "O%27Neil%20%26%20S%C3%B6hne%201%2F2");
        assert_eq!(first_part("/launch/secret"), "/launch");
        assert_eq!(first_part("/"), "/");
    }

    #[test]
    fn the_viewers_address_is_taken_apart() {
        let browser = Browser::new("http://v-01.localhost:4711/").expect("an address");
        assert_eq!((browser.authority.as_str(), browser.port), ("v-01.localhost:4711", 4711));
        assert!(Browser::new("https://example.net/").is_err());
    }
}
