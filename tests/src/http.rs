//! The least browser that can use the viewer: HTTP/1.1 over loopback, forms and cookies.
//!
//! Like real browsers it takes every name under `.localhost` for this machine.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long the viewer may take to answer.
const ANSWER_SECONDS_MAX: u64 = 30;
/// Redirects that are followed before the test fails.
const REDIRECTS_MAX: usize = 5;

/// A browser with one origin and its cookies.
pub struct Browser {
    authority: String,
    cookies: BTreeMap<String, String>,
}

/// What a server answered.
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// The text of the page.
    pub body: String,
}

impl Page {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Fails the test unless the page is there and shows `text`.
    #[track_caller]
    pub fn shows(&self, text: &str) -> &Page {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.body.contains(text), "the page does not show {text:?}:\n{}", self.body);
        self
    }

    /// Returns the value of a form's hidden field.
    pub fn hidden_field(&self, name: &str) -> Option<String> {
        let tags = self.body.split('<').filter(|tag| tag.starts_with("input"));
        let named = tags.filter(|tag| attribute(tag, "name").as_deref() == Some(name));
        named.filter_map(|tag| attribute(tag, "value")).next()
    }

    /// Returns the targets of all links.
    pub fn links(&self) -> Vec<String> {
        self.body.split("<a ").skip(1).filter_map(|tag| attribute(tag, "href")).collect()
    }

    /// Returns the targets of all forms.
    pub fn forms(&self) -> Vec<String> {
        self.body.split("<form ").skip(1).filter_map(|tag| attribute(tag, "action")).collect()
    }
}

/// Returns an attribute's value from the beginning of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let value = tag[start..].split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

impl Browser {
    /// Opens an origin such as `http://127.0.0.1:4000`; anything after the port is ignored.
    pub fn new(origin: &str) -> Browser {
        let rest = origin.strip_prefix("http://").expect("the viewer speaks HTTP on loopback");
        let authority = rest.split('/').next().unwrap_or_default().to_owned();
        Browser { authority, cookies: BTreeMap::new() }
    }

    /// Fetches a page and follows redirects.
    #[track_caller]
    pub fn open(&mut self, path: &str) -> Page {
        let page = self.request("GET", path, &[], None);
        self.follow(page)
    }

    /// Sends a form and follows redirects.
    #[track_caller]
    pub fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let form = form.collect::<Vec<_>>().join("&");
        let origin = format!("http://{}", self.authority);
        let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", origin.as_str())];
        let page = self.request("POST", path, &headers, Some(&form));
        self.follow(page)
    }

    /// Makes one request, without following where it leads.
    #[track_caller]
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Page {
        let mut lines = vec![format!("{method} {path} HTTP/1.1"), "Connection: close".to_owned()];
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            lines.push(format!("Host: {}", self.authority));
        }
        lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.cookies.is_empty() {
            let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            lines.push(format!("Cookie: {}", cookies.collect::<Vec<_>>().join("; ")));
        }
        if let Some(body) = body {
            lines.push(format!("Content-Length: {}", body.len()));
        }
        let request = format!("{}\r\n\r\n{}", lines.join("\r\n"), body.unwrap_or_default());
        let page = parse(&self.exchange(request.as_bytes()));
        for (_, value) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        page
    }

    #[track_caller]
    fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let port = self.authority.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let address = ("127.0.0.1", port.expect("the viewer's address names its port"));
        let mut stream = TcpStream::connect(address).expect("the viewer accepts connections");
        let limit = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
        stream.set_read_timeout(limit).expect("a limit above zero is allowed");
        stream.write_all(request).expect("the viewer takes the request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the viewer answers in time");
        answer
    }

    #[track_caller]
    fn follow(&mut self, mut page: Page) -> Page {
        for _ in 0..REDIRECTS_MAX {
            let Some(place) = page.header("location").filter(|_| (300..400).contains(&page.status)) else {
                return page;
            };
            let path = place.strip_prefix(&format!("http://{}", self.authority)).unwrap_or(place).to_owned();
            page = self.request("GET", &path, &[], None);
        }
        panic!("more than {REDIRECTS_MAX} redirects");
    }
}

/// Takes an answer apart.
#[track_caller]
fn parse(answer: &[u8]) -> Page {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = &answer[end + 4..];
    let body = if chunked { joined(body) } else { body.to_vec() };
    let status = status.expect("an answer has a status");
    Page { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// Puts the chunks of a body together.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size =
            std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(size @ 1..) = size else { break };
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}

/// Writes a text as forms do.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_chunks_is_put_together() {
        let page = parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
        );
        assert_eq!((page.status, page.body.as_str()), (200, "abc0123456789"));
    }

    #[test]
    fn fields_links_and_forms_are_found() {
        let body = "<form method=\"post\" action=\"/find\"><input type=\"hidden\" name=\"t\" value=\"a&amp;b\"></form><a href=\"/x\">";
        let page = Page { status: 200, headers: Vec::new(), body: body.to_owned() };
        assert_eq!(page.hidden_field("t").as_deref(), Some("a&b"));
        assert_eq!(page.forms(), ["/find"]);
        assert_eq!(page.links(), ["/x"]);
    }

    #[test]
    fn form_values_survive() {
        assert_eq!(encoded("Zoë O'Neill & 1"), "Zo%C3%AB+O%27Neill+%26+1");
    }
}
