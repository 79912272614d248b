//! A FHIR server of a few resources that can be told to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// The path below `/fhir/`.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// After how many bytes of the body the connection breaks.
    pub(super) cut: Option<usize>,
}

type Hook = Box<dyn FnMut(&Asked) -> Option<Reply> + Send>;

/// What the server has and does.
pub(super) struct World {
    address: SocketAddr,
    resources: BTreeMap<String, (Value, Timestamp)>,
    deleted: Vec<(String, Timestamp)>,
    clock: Timestamp,
    jobs: Vec<Vec<(String, Timestamp, Value)>>,
    job_times: Vec<Timestamp>,
    pub(super) asked: Vec<Asked>,
    /// How often a job is not ready when asked for.
    pub(super) polls: u32,
    /// Operations on patients that are offered.
    pub(super) operations: Vec<&'static str>,
    pub(super) history: bool,
    /// How many resources a page holds.
    pub(super) page: usize,
    /// Answers in the place of the server.
    pub(super) hook: Option<Hook>,
}

/// The running server.
#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<World>>);

impl Asked {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub(super) fn json(value: &Value) -> Self {
        Self::of("application/fhir+json", value.to_string())
    }

    pub(super) fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { status: 200, headers, body: body.into(), cut: None }
    }

    pub(super) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), cut: None }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback is there");
        let world = World {
            address: listener.local_addr().expect("it listens"),
            resources: BTreeMap::new(),
            deleted: Vec::new(),
            clock: "2026-11-21T08:00:00Z".parse().expect("an instant"),
            jobs: Vec::new(),
            job_times: Vec::new(),
            asked: Vec::new(),
            polls: 1,
            operations: vec!["export", "everything"],
            history: true,
            page: 3,
            hook: None,
        };
        let fake = Fake(Arc::new(Mutex::new(world)));
        let shared = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        fake
    }

    pub(super) fn base(&self) -> Url {
        format!("http://{}/fhir", self.0.lock().unwrap().address).parse().expect("an address")
    }

    pub(super) fn put(&self, resource: Value) {
        self.0.lock().unwrap().put(resource);
    }

    pub(super) fn delete(&self, key: &str) {
        let mut world = self.0.lock().unwrap();
        world.tick();
        let clock = world.clock;
        world.resources.remove(key);
        world.deleted.push((key.to_owned(), clock));
    }

    /// Answers in the place of the server where `hook` has an answer.
    pub(super) fn hook(&self, hook: impl FnMut(&Asked) -> Option<Reply> + Send + 'static) {
        self.0.lock().unwrap().hook = Some(Box::new(hook));
    }

    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        let world = self.0.lock().unwrap();
        world.asked.iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().resources.keys().cloned().collect()
    }

    pub(super) fn json_of(&self, key: &str) -> String {
        self.0.lock().unwrap().resources[key].0.to_string()
    }
}

async fn serve(mut stream: TcpStream, fake: Fake) {
    let Some(asked) = read(&mut stream).await else { return };
    let reply = {
        let mut world = fake.0.lock().unwrap();
        world.asked.push(asked.clone());
        let mut hook = world.hook.take();
        let hooked = hook.as_mut().and_then(|hook| hook(&asked));
        world.hook = world.hook.take().or(hook);
        hooked.unwrap_or_else(|| world.answer(&asked)).with("date", world.date())
    };
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", reply.body.len()));
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    // A client that has heard enough hangs up.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    let url = Url::parse("http://x").ok()?.join(&target).ok()?;
    Some(Asked {
        method,
        path: url.path().trim_start_matches("/fhir/").to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8_lossy(&bytes[end..]).into_owned(),
    })
}

impl World {
    fn tick(&mut self) {
        self.clock = self.clock.checked_add(SignedDuration::from_mins(1)).expect("not the end of time");
    }

    fn date(&self) -> String {
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.clock)
            .expect("a date of our time")
    }

    fn put(&mut self, resource: Value) {
        self.tick();
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let key = format!("{}/{}", text("resourceType"), text("id"));
        self.resources.insert(key, (resource, self.clock));
    }

    fn base(&self) -> String {
        format!("http://{}/fhir", self.address)
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let parts: Vec<&str> = asked.path.split('/').collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("DELETE", ["job", _]) => Reply::status(202),
            (_, ["metadata"]) => Reply::json(&self.metadata()),
            (_, ["Patient", "$export"]) => self.export(asked),
            (_, ["job", number]) => self.job(number),
            (_, ["file", number, kind]) => self.file(number, kind),
            (_, ["_history"]) => self.history(asked),
            (_, ["Patient", id, "$everything"]) => {
                let of = format!("Patient/{id}");
                if !self.resources.contains_key(&of) {
                    return Reply::status(404);
                }
                self.page(asked, |key, resource| key == of || is_of(resource, &of))
            }
            (_, ["Patient", id, "$summary"]) => {
                let of = format!("Patient/{id}");
                let own = self.resources.iter().filter(|(key, (one, _))| **key == of || is_of(one, &of));
                let entries: Vec<Value> = own.map(|(_, (one, _))| json!({"resource": one})).collect();
                Reply::json(&json!({"resourceType": "Bundle", "type": "document", "entry": entries}))
            }
            (_, [kind]) => {
                let since = asked.parameter("_lastUpdated").and_then(|text| text.strip_prefix("ge"));
                let since: Option<Timestamp> = since.map(|text| text.parse().expect("an instant"));
                let of = asked.parameter("patient").map(|id| format!("Patient/{id}"));
                let times: BTreeMap<String, Timestamp> =
                    self.resources.iter().map(|(key, (_, at))| (key.clone(), *at)).collect();
                let kind = format!("{kind}/");
                self.page(asked, |key, resource| {
                    key.starts_with(&kind)
                        && since.is_none_or(|since| times[key] >= since)
                        && of.as_ref().is_none_or(|of| is_of(resource, of))
                })
            }
            (_, [kind, id]) => match self.resources.get(&format!("{kind}/{id}")) {
                Some((resource, _)) => Reply::json(resource),
                None => Reply::status(410),
            },
            _ => Reply::status(404),
        }
    }

    fn metadata(&self) -> Value {
        let kinds = ["Patient", "Observation", "AllergyIntolerance", "Practitioner", "Appointment"];
        let operations: Vec<Value> = self.operations.iter().map(|name| json!({"name": name})).collect();
        let resources: Vec<Value> = kinds
            .iter()
            .map(|kind| {
                json!({
                    "type": kind,
                    "interaction": [{"code": "search-type"}],
                    "searchParam": [{"name": "patient"}, {"name": "date"}, {"name": "_lastUpdated"}],
                    "operation": if *kind == "Patient" { operations.clone() } else { Vec::new() }
                })
            })
            .collect();
        let system = if self.history { json!([{"code": "history-system"}]) } else { json!([]) };
        json!({
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "rest": [{"mode": "server", "interaction": system, "resource": resources}]
        })
    }

    fn export(&mut self, asked: &Asked) -> Reply {
        let since: Option<Timestamp> =
            asked.parameter("_since").map(|text| text.parse().expect("an instant"));
        let types: Vec<&str> = asked.parameter("_type").unwrap_or_default().split(',').collect();
        let wanted = self.resources.iter().filter(|(key, (_, at))| {
            types.iter().any(|kind| key.starts_with(&format!("{kind}/")))
                && since.is_none_or(|since| *at > since)
        });
        self.jobs.push(wanted.map(|(key, (one, at))| (key.clone(), *at, one.clone())).collect());
        self.job_times.push(self.clock);
        let place = format!("{}/job/{}", self.base(), self.jobs.len());
        Reply::status(202).with("content-location", place)
    }

    fn job(&mut self, number: &str) -> Reply {
        let at: usize = number.parse().expect("a number");
        if at > self.jobs.len() {
            return Reply::status(404);
        }
        if self.polls > 0 {
            self.polls -= 1;
            return Reply::status(202).with("retry-after", "120").with("x-progress", "50%");
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (key, _, _) in &self.jobs[at - 1] {
            *counts.entry(key.split('/').next().unwrap().to_owned()).or_default() += 1;
        }
        let url = |kind: &str| format!("{}/file/{at}/{kind}", self.base());
        let output: Vec<Value> = counts
            .iter()
            .map(|(kind, count)| json!({"type": kind, "url": url(kind), "count": count}))
            .collect();
        let time = self.job_times[at - 1].to_string();
        let manifest = json!({
            "transactionTime": time, "request": self.base(), "requiresAccessToken": true,
            "output": output, "deleted": [], "error": []
        });
        Reply::of("application/json", manifest.to_string())
    }

    fn file(&self, number: &str, kind: &str) -> Reply {
        let at: usize = number.parse().expect("a number");
        let lines = self.jobs[at - 1].iter().filter(|(key, _, _)| key.starts_with(&format!("{kind}/")));
        let text: String = lines.map(|(_, _, one)| format!("{one}\n")).collect();
        Reply::of("application/fhir+ndjson", text)
    }

    fn history(&self, asked: &Asked) -> Reply {
        let since: Timestamp = asked.parameter("_since").expect("a time").parse().expect("an instant");
        let entries: Vec<Value> = self
            .deleted
            .iter()
            .rev()
            .filter(|(_, at)| *at > since)
            .map(|(key, _)| json!({"request": {"method": "DELETE", "url": key}}))
            .collect();
        Reply::json(&json!({"resourceType": "Bundle", "type": "history", "entry": entries}))
    }

    /// Answers with a page of the resources that `fits` chooses.
    fn page(&self, asked: &Asked, fits: impl Fn(&str, &Value) -> bool) -> Reply {
        let from: usize = asked.parameter("_page").map_or(0, |text| text.parse().expect("a number"));
        let all: Vec<&Value> =
            self.resources.iter().filter(|(key, (one, _))| fits(key, one)).map(|(_, (one, _))| one).collect();
        let mut own: Url = format!("{}/{}", self.base(), asked.path).parse().expect("an address");
        let others = asked.query.iter().filter(|(name, _)| name != "_page");
        own.query_pairs_mut().extend_pairs(others);
        let mut links = vec![json!({"relation": "self", "url": own.as_str()})];
        if all.len() > from + self.page {
            let mut next = own.clone();
            next.query_pairs_mut().append_pair("_page", &(from + self.page).to_string());
            links.push(json!({"relation": "next", "url": next.as_str()}));
        }
        let entries: Vec<Value> =
            all.iter().skip(from).take(self.page).map(|one| json!({"resource": one})).collect();
        Reply::json(&json!({"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}))
    }
}

fn is_of(resource: &Value, patient: &str) -> bool {
    ["subject", "patient"].iter().any(|name| resource[*name]["reference"] == patient)
}

/// Returns a patient and two resources of theirs.
pub(super) fn patient(id: &str) -> [Value; 3] {
    let reference = format!("Patient/{id}");
    [
        json!({"resourceType": "Patient", "id": id, "name": [{"family": "Secret"}], "identifier": [{"system": "s", "value": id}]}),
        json!({"resourceType": "Observation", "id": format!("o-{id}"), "subject": {"reference": reference}}),
        json!({"resourceType": "AllergyIntolerance", "id": format!("a-{id}"), "patient": {"reference": reference}}),
    ]
}
