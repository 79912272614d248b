//! Records pulled from a real FHIR server are those that the server has: at first, after changes and deletions, over
//! restarts in the middle, and with tokens that run out.
//!
//! These tests run where the server is installed (see `lifeboat_tests::fhir`), and otherwise say that they did not run.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jiff::civil::Date;
use lifeboat::clock;
use lifeboat::pull::{
    Extent, Fetch, PullAuth, PullError, PullMode, PullProgress, PullReport, PullSettings, Puller, SCOPE,
    Standing, standing,
};
use lifeboat_clinical::{
    DayWindow, FeedProfile, Owner, SharedResources, build_patient_record, outline, split,
};
use lifeboat_feeds::fhir_rows::{FEED, RESOURCE};
use lifeboat_feeds::memory::MemoryRows;
use lifeboat_feeds::{Mapping, RowKeys, RowSink, Rules, TableFeed, Unit};
use lifeboat_tests::damage;
use lifeboat_tests::fhir::{Definitions, FhirServer};
use lifeboat_tests::practice::practice;
use lifeboat_tests::site::Site;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::tokens::TokenServer;

/// Patients of the practice.
const PATIENTS: usize = 30;

/// Who talks to the server beside the puller: brings resources, changes them, and looks at what it has.
struct Hand {
    base: String,
    client: reqwest::Client,
    runtime: Runtime,
    token: Option<String>,
    /// The resources that were brought, by `Type/id`.
    brought: BTreeMap<String, Value>,
}

impl Hand {
    fn new(server: &FhirServer, token: Option<String>) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .expect("a client can be made");
        Self { base: server.base(), client, runtime: runtime(), token, brought: BTreeMap::new() }
    }

    fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}/{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/fhir+json").body(body.to_string());
        }
        let response = self.runtime.block_on(request.send()).expect("the server answers");
        let status = response.status().as_u16();
        let body = self.runtime.block_on(response.bytes()).expect("the answer is whole");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Brings resources in one transaction.
    fn bring(&mut self, resources: Vec<Value>) {
        let mut entries = Vec::new();
        for resource in resources {
            let text = |name: &str| resource[name].as_str().expect("a text").to_owned();
            let key = format!("{}/{}", text("resourceType"), text("id"));
            entries.push(json!({"resource": resource, "request": {"method": "PUT", "url": key}}));
            self.brought.insert(key, resource);
        }
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        let (status, answer) = self.ask(reqwest::Method::POST, "", Some(&bundle));
        assert_eq!(status, 200, "{answer}");
    }

    fn delete(&mut self, key: &str) {
        let (status, answer) = self.ask(reqwest::Method::DELETE, key, None);
        assert!((200..300).contains(&status), "{status} {answer}");
        self.brought.remove(key);
    }

    /// Says whether the server claims to know what is asked when a patient's observations are searched for.
    fn searches_by_patient(&self) -> bool {
        let (_, statement) = self.ask(reqwest::Method::GET, "metadata", None);
        let resources = statement["rest"][0]["resource"].as_array().expect("resources are listed");
        let observation = resources.iter().find(|one| one["type"] == "Observation").expect("it is listed");
        let parameters = observation["searchParam"].as_array().expect("parameters are listed");
        parameters.iter().any(|one| one["name"] == "patient")
    }

    /// Brings a whole practice; the server must know how to search by patient.
    fn bring_practice(&mut self, patients: usize) {
        assert!(self.searches_by_patient(), "the server has no definitions");
        let practice = practice(patients).with_ips_percent(0);
        let (_, shared) = practice.shared();
        let resources_of = |bundle: &Value| {
            let entries = bundle["entry"].as_array().expect("a Bundle has entries");
            entries.iter().map(|entry| entry["resource"].clone()).collect()
        };
        self.bring(resources_of(&shared));
        for index in 0..patients {
            self.bring(practice.resources(index));
        }
        for (_, bundle) in practice.appointments() {
            self.bring(resources_of(&bundle));
        }
    }

    /// Fetches everything that was brought, resource by resource.
    fn everything(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        for key in self.brought.keys() {
            let (status, resource) = self.ask(reqwest::Method::GET, key, None);
            assert_eq!(status, 200, "{key}");
            all.insert(key.clone(), resource);
        }
        all
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

fn settings(server: &FhirServer, mode: PullMode, auth: PullAuth) -> PullSettings {
    let base = server.base().parse().expect("an address");
    let mut settings = PullSettings::new(base, mode, auth);
    settings.appointment_days = Some(7);
    settings.limits.poll_min = Duration::from_millis(20);
    settings.limits.poll_max = Duration::from_millis(100);
    settings.limits.retry_wait_max = Duration::from_millis(200);
    settings.limits.overlap = Duration::from_secs(1);
    settings
}

fn pull(settings: &PullSettings, rows: &mut MemoryRows) -> PullReport {
    let puller = Puller::new(settings.clone()).expect("the settings are right");
    let report = runtime().block_on(puller.pull(rows, clock::now(), &|_| {})).expect("the server is well");
    let cursor = rows.cursor().expect("memory has a cursor");
    assert!(matches!(standing(cursor.as_deref()), Standing::Whole(_)));
    assert_eq!((report.unreadable, report.unasked), (0, 0));
    report
}

/// Checks that the rows are what the server has, and that the records made of them are those made of that.
fn assert_same(rows: &mut MemoryRows, hand: &Hand) {
    let there = hand.everything();
    let kept: BTreeSet<String> = rows.keys(RESOURCE, "").expect("memory has keys").into_iter().collect();
    assert_eq!(kept, there.keys().cloned().collect::<BTreeSet<_>>());
    for (key, resource) in &there {
        let owner = rows.owner(RESOURCE, key).expect("every row has an owner");
        let row = rows.unit(owner).and_then(|unit| unit.row(RESOURCE, key)).expect("it is there");
        let pulled: Value = serde_json::from_str(row.text("json").expect("it has a text")).expect("JSON");
        assert!(pulled == *resource, "{key} differs");
    }
    assert_records(rows, &there);
}

/// Checks that the records made of rows are those made of a server's resources.
fn assert_records(rows: &MemoryRows, there: &BTreeMap<String, Value>) {
    let today = clock::practice_date(clock::now());
    let (rules, supplied) = (Rules::default(), BTreeSet::new());
    let mapping = Mapping { rules: &rules, shared: rows, supplied: &supplied };
    let mut documents = vec![FEED.shared(&mapping).document.expect("there is a practice")];
    for (unit, unit_rows) in rows.units() {
        let mapped = match unit {
            Unit::Patient(_) => FEED.patient(unit_rows, &mapping),
            Unit::Day(day) => FEED.day(*day, unit_rows, &mapping),
            Unit::Shared => continue,
        };
        documents.push(mapped.document.expect("nobody is left out"));
    }
    let entries: Vec<Value> = there.values().map(|one| json!({"resource": one})).collect();
    let whole = json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string();
    let (of_rows, of_server) = (records(&documents, today), records(&[whole.into_bytes()], today));
    assert_eq!(of_rows.len(), PATIENTS.min(of_server.len()));
    assert!(of_rows == of_server, "records differ");
}

/// Builds the record of every patient of some documents, by the patient's name.
fn records(documents: &[Vec<u8>], today: Date) -> BTreeMap<String, Vec<u8>> {
    let window = DayWindow { first: today, last: today };
    let mut feed = FeedProfile::default();
    let mut claims = BTreeMap::new();
    let mut shared = SharedResources::default();
    let mut pieces = Vec::new();
    for document in documents {
        let outline = outline(document).expect("a document can be read");
        feed.supplied.extend(&outline.types);
        claims.extend(outline.claims.into_iter().map(|claim| (claim.reference, claim.name)));
        pieces.extend(split(document, &window).expect("a document can be read"));
    }
    let mut of: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for piece in pieces {
        let name = match &piece.owner {
            Owner::Patient(name) => name.clone(),
            Owner::Reference(reference) => claims[reference].clone(),
            Owner::Shared => {
                assert!(shared.insert(piece));
                continue;
            }
            Owner::Day(_) => continue,
        };
        of.entry(name.as_str().to_owned()).or_default().push(piece);
    }
    let build = |(name, pieces)| (name, build_patient_record(pieces, &shared, &feed, today).bytes);
    of.into_iter().map(build).collect()
}

#[test]
fn what_is_pulled_from_a_server_is_what_it_has() {
    let Some(server) = FhirServer::start(None) else { return };
    let mut hand = Hand::new(&server, None);
    hand.bring_practice(PATIENTS);
    let modes = [
        PullMode::Bulk { group: None },
        PullMode::Search { fetch: Fetch::Offered },
        PullMode::Search { fetch: Fetch::Searches },
    ];
    let mut all: Vec<(PullSettings, MemoryRows)> = Vec::new();
    for mode in modes {
        let settings = settings(&server, mode, PullAuth::None);
        let mut rows = MemoryRows::of(&FEED);
        assert_eq!(pull(&settings, &mut rows).extent, Extent::Full);
        assert_same(&mut rows, &hand);
        all.push((settings, rows));
    }

    let key_of = |kind: &str, hand: &Hand| {
        hand.brought.keys().find(|key| key.starts_with(kind)).cloned().expect("there is one")
    };
    let mut patient = hand.brought[&key_of("Patient/", &hand)].clone();
    patient["telecom"] = json!([{"system": "phone", "value": "01632 960999"}]);
    let mut result = hand.brought[&key_of("Observation/", &hand)].clone();
    result["status"] = json!("amended");
    hand.bring(vec![patient, result]);
    for kind in ["AllergyIntolerance/", "MedicationRequest/", "Appointment/"] {
        let key = key_of(kind, &hand);
        hand.delete(&key);
    }
    for (settings, rows) in &mut all {
        let report = pull(settings, rows);
        assert_eq!(report.extent, Extent::Changes);
        assert!(report.removed > 0);
        assert_same(rows, &hand);
    }
}

#[test]
fn a_server_that_restarts_in_the_middle_of_an_export_loses_nothing() {
    let Some(server) = FhirServer::start(None) else { return };
    let mut hand = Hand::new(&server, None);
    hand.bring_practice(PATIENTS);
    let mut settings = settings(&server, PullMode::Bulk { group: None }, PullAuth::None);
    settings.limits.attempts_max = 50;
    settings.limits.export_max = Duration::from_secs(120);
    // Restarted while it works, and once more between two files.
    let left = Mutex::new((server, vec!["parts", "exporting"]));
    let restart = |progress: PullProgress| {
        let mut left = left.lock().expect("nobody has panicked");
        let now = match progress {
            PullProgress::Exporting(_) => "exporting",
            PullProgress::Parts { done: 2, .. } => "parts",
            _ => return,
        };
        if left.1.last() == Some(&now) {
            left.1.pop();
            left.0.restart();
        }
    };
    let mut rows = MemoryRows::of(&FEED);
    let puller = Puller::new(settings).expect("the settings are right");
    let mut attempts = 0;
    loop {
        attempts += 1;
        match runtime().block_on(puller.pull(&mut rows, clock::now(), &restart)) {
            Ok(_) => break,
            Err(error) => assert!(attempts < 5, "{error}"),
        }
        rows.lose_uncommitted();
    }
    assert_same(&mut rows, &hand);
    assert!(left.lock().expect("nobody has panicked").1.is_empty(), "it was restarted twice");
}

#[test]
fn a_token_that_has_run_out_is_renewed() {
    let tokens = TokenServer::start();
    let Some(server) = FhirServer::start(Some(tokens.facts())) else { return };
    let mut hand = Hand::new(&server, Some(tokens.token("system/*.cruds")));
    hand.bring_practice(3);
    let folder = tempfile::tempdir().expect("a folder");
    let auth = PullAuth::Smart {
        client_id: "lifeboat".to_owned(),
        key: tokens.client_key(folder.path()),
        key_id: Some("client-1".to_owned()),
        token_url: Some(tokens.endpoint().parse().expect("an address")),
        scope: SCOPE.to_owned(),
    };
    tokens.issue_stale(1);
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings(&server, PullMode::Bulk { group: None }, auth.clone()), &mut rows);
    assert_eq!(tokens.issued(), 2, "the first has run out, the second serves for everything");
    assert_same(&mut rows, &hand);

    let nobody = settings(&server, PullMode::Bulk { group: None }, PullAuth::None);
    let puller = Puller::new(nobody).expect("the settings are right");
    let error = runtime().block_on(puller.pull(&mut MemoryRows::of(&FEED), clock::now(), &|_| {}));
    let text = error.expect_err("nobody gets nothing").to_string();
    assert!(text.contains("401"), "{text}");
}

#[test]
fn searches_of_a_server_that_cannot_tell_patients_apart_are_refused() {
    let Some(server) = FhirServer::start_with(Definitions::Lacking, None) else { return };
    let mut hand = Hand::new(&server, None);
    assert!(!hand.searches_by_patient());
    hand.bring(practice(2).resources(0));
    for fetch in [Fetch::Offered, Fetch::Searches] {
        let settings = settings(&server, PullMode::Search { fetch }, PullAuth::None);
        let puller = Puller::new(settings).expect("the settings are right");
        let mut rows = MemoryRows::of(&FEED);
        let error = runtime()
            .block_on(puller.pull(&mut rows, clock::now(), &|_| {}))
            .expect_err("it would mix them up");
        assert!(matches!(error, PullError::ParameterIgnored { parameter: "patient", .. }), "{error}");
        assert!(rows.is_empty());
    }
    // An export does not search, and is complete.
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings(&server, PullMode::Bulk { group: None }, PullAuth::None), &mut rows);
    let keys: BTreeSet<String> = rows.keys(RESOURCE, "").expect("memory has keys").into_iter().collect();
    assert_eq!(keys, hand.brought.keys().cloned().collect());
}

#[test]
fn the_program_takes_snapshots_of_a_server_and_follows_it() {
    let Some(mut server) = FhirServer::start(None) else { return };
    let mut hand = Hand::new(&server, None);
    hand.bring_practice(PATIENTS);
    let site = Site::new(&["one"]);
    let base = server.base();
    site.edit_config(|text| {
        let asked = text.replace("\n[source]\n", "\n[source]\nkind = \"fhir-server\"\n");
        assert_ne!(asked, text, "the sample configuration has a section for the source");
        let told = format!("\n[source.fhir]\nurl = \"{base}\"\npoll_max = \"1s\"\n");
        asked.replace("\n[source.fhir]\n", &told)
    });
    let first = site.snapshot();
    assert_eq!(first["snapshot"]["patients"], PATIENTS);
    assert_eq!(site.snapshot()["snapshot"]["changed"], 0, "nothing is new");

    let (_, patient) =
        hand.brought.iter().find(|(key, _)| key.starts_with("Patient/")).expect("there is one");
    let mut patient = patient.clone();
    patient["telecom"] = json!([{"system": "phone", "value": "01632 960999"}]);
    hand.bring(vec![patient]);
    let gone = hand.brought.keys().find(|key| key.starts_with("AllergyIntolerance/")).cloned();
    hand.delete(&gone.expect("somebody is allergic"));
    let changed = site.snapshot()["snapshot"]["changed"].as_u64().expect("a number");
    assert!((1..=3).contains(&changed), "{changed} records changed");
    let restored = damage::contents(&site.restore("one", "restored"));
    let has = |text: &str| restored.values().any(|bytes| String::from_utf8_lossy(bytes).contains(text));
    assert!(has("01632 960999"), "the new number is in a record");

    server.stop();
    let down = site.run(&["snapshot"]).failure();
    assert!(down.stderr.contains("FHIR server"), "{}", down.story());
    site.verify_as_stranger(&site.replica("one")).success();
    server.restart();
    site.snapshot();
}
