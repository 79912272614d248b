//! As much of a browser as the tests need: one cookie, forms, and every byte of the answers.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A browser that talks to one viewer.
pub(super) struct Browser {
    pub(super) authority: String,
    cookie: Option<String>,
}

/// An answer of the viewer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) line: String,
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Browser {
    pub(super) fn new(url: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { authority, cookie: None }
    }

    /// Opens a launch address and keeps the cookie that it gives.
    pub(super) async fn launch(&mut self, url: &str) -> Answer {
        let path = url
            .strip_prefix(&format!("http://{}", self.authority))
            .expect("an address of this viewer")
            .to_owned();
        self.fetch(&path).await
    }

    pub(super) async fn fetch(&mut self, path: &str) -> Answer {
        self.send("GET", path, "sec-fetch-site: none\r\n", "").await
    }

    pub(super) async fn post(&mut self, path: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.authority);
        self.post_from(Some(&origin), path, body).await
    }

    pub(super) async fn post_from(&mut self, origin: Option<&str>, path: &str, body: &str) -> Answer {
        let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let headers = format!(
            "{origin}Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.send("POST", path, &headers, body).await
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let cookie =
            self.cookie.as_ref().map(|cookie| format!("Cookie: other=1; {cookie}\r\n")).unwrap_or_default();
        let host = &self.authority;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}{headers}\r\n{body}"
        );
        let answer = self.raw(&request).await;
        if let Some(cookie) = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()) {
            self.cookie = Some(cookie.to_owned());
        }
        answer
    }

    pub(super) async fn raw(&self, request: &str) -> Answer {
        self.try_raw(request).await.expect("an answer")
    }

    pub(super) async fn try_raw(&self, request: &str) -> io::Result<Answer> {
        let port =
            self.authority.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).expect("a port");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(Answer::parse(&String::from_utf8_lossy(&bytes)))
    }
}

impl Answer {
    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("headers and body");
        let mut lines = head.split("\r\n");
        let line = lines.next().expect("a status line").to_owned();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        Self { line, status, headers, body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the token of the page's forms.
    pub(super) fn form_token(&self) -> String {
        let mark = "name=\"form_token\" value=\"";
        let rest = self.body.split(mark).nth(1).expect("a form");
        rest.split('"').next().expect("a token").to_owned()
    }

    /// Returns the addresses on the page that begin so.
    pub(super) fn links_to(&self, start: &str) -> Vec<String> {
        let hrefs = self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        hrefs.filter(|href| href.starts_with(start)).map(str::to_owned).collect()
    }
}
