//! The whole viewer over real connections: a practice in folders, a browser's requests, and time that is moved.

mod browser;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::date;
use lifeboat_format::{DirectoryRow, Verdict};
use secrecy::SecretString;
use serde_json::{Value, json};

use self::browser::{Answer, Browser};
use super::headers::SECURITY_HEADERS;
use crate::clock::ManualClock;
use crate::serve::{Options, Running, serve};
use crate::site::Source;
use crate::site::fixture::{Content, PASSPHRASE, Practice, only_pack};

const TAKEN: &str = "2026-11-21T08:00:00Z";
const HOUR: i64 = 3600;

fn at(seconds: i64) -> Timestamp {
    let taken: Timestamp = TAKEN.parse().expect("a timestamp");
    Timestamp::from_second(taken.as_second() + seconds).expect("a timestamp in range")
}

fn bundle(family: &str, given: &str) -> Vec<u8> {
    let patient = json!({
        "resourceType": "Patient", "id": "1", "gender": "male", "birthDate": "1980-08-14",
        "name": [{"use": "official", "family": family, "given": [given], "prefix": ["Mr"]}],
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
    });
    let composition = json!({"resourceType": "Composition", "status": "final", "section": []});
    let entries: Vec<Value> =
        [composition, patient].into_iter().map(|resource| json!({"resource": resource})).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "document", "entry": entries});
    serde_json::to_vec(&bundle).expect("JSON")
}

fn day_list(key: &str) -> Vec<u8> {
    let appointment = json!({
        "resourceType": "Appointment", "status": "booked", "start": "2026-11-21T09:30:00Z", "end": "2026-11-21T09:40:00Z",
        "extension": [{"url": "urn:lifeboat:patient-key", "valueString": key}],
        "participant": [{"status": "accepted", "actor": {"display": "Dr A"}}],
    });
    let bundle = json!({
        "resourceType": "Bundle", "type": "collection", "id": "day-2026-11-21", "entry": [{"resource": appointment}],
    });
    serde_json::to_vec(&bundle).expect("JSON")
}

fn content(practice: &Practice) -> Content {
    let row = |id: &str, family: &str, given: &str| {
        let mut row = DirectoryRow::new(practice.key(id));
        (row.family, row.given) = (Some(family.to_owned()), vec![given.to_owned()]);
        (row.born, row.nhs) = (Some("1980-08-14".to_owned()), Some("9990000018".to_owned()));
        row.phones = vec!["07700 900123".to_owned()];
        (row, bundle(family, given))
    };
    Content {
        patients: vec![row("1", "Testing", "Adam"), row("2", "Testing", "Adam"), row("3", "Sample", "Beth")],
        days: vec![(date(2026, 11, 21), day_list(&practice.key("1").to_string()))],
    }
}

/// A practice with one snapshot in three folders, and a kit that names them.
struct World {
    folder: tempfile::TempDir,
    practice: Practice,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let mut practice = Practice::new();
        practice.snapshot(content(&practice), at(0), Verdict::Accepted);
        let world = Self {
            folder: tempfile::tempdir().expect("a folder"),
            practice,
            clock: Arc::new(ManualClock::new(at(600))),
        };
        for name in ["one", "two", "three"] {
            world.practice.write_to(&world.replica(name));
        }
        let folders = ["one", "two", "three"].map(|name| (name, world.replica(name)));
        let replicas: Vec<(&str, &Path)> =
            folders.iter().map(|(name, path)| (*name, path.as_path())).collect();
        world.practice.write_kit(&world.kit(), &replicas);
        world
    }

    fn replica(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn kit(&self) -> std::path::PathBuf {
        self.folder.path().join("duty.lifeboat-kit")
    }

    fn source(&self) -> Source {
        let what = [self.kit().to_string_lossy().into_owned()];
        Source::from_arguments(&what, None, None, &[]).expect("a source")
    }

    async fn start(&self, passphrase: Option<&str>) -> (Running, Browser) {
        let mut options = Options::new(self.source());
        options.clock = self.clock.clone();
        options.passphrase = passphrase.map(SecretString::from);
        let running = serve(options).await.expect("a running viewer");
        let browser = Browser::new(&running.url());
        (running, browser)
    }

    /// Starts a viewer whose site is open in a launched browser.
    async fn open(&self) -> (Running, Browser) {
        let (running, mut browser) = self.start(Some(PASSPHRASE)).await;
        let launched = browser.launch(running.launch_url()).await;
        assert_eq!((launched.status, launched.header("location")), (303, Some("/")));
        (running, browser)
    }
}

#[tokio::test]
async fn every_response_carries_the_security_headers() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let asset = crate::assets::assets().viewer.path.clone();
    let addresses = [
        "/",
        "/day/2026-11-21",
        "/day/x",
        "/search",
        "/found/x",
        "/p/x",
        "/copy",
        "/refresh",
        "/held",
        "/accepted",
        "/acknowledge",
        "/launch/x",
        "/unlock",
        "/lock",
        "/locked",
        &asset,
        "/assets/x",
        "/nowhere",
        "/../etc/passwd",
    ];
    let mut answers = Vec::new();
    for address in addresses {
        answers.push(browser.fetch(address).await);
        answers.push(browser.post(address, "x=y").await);
    }
    answers.push(browser.raw("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await);
    answers.push(
        browser
            .raw(&format!("PUT / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", browser.authority))
            .await,
    );
    for answer in answers {
        for (name, value) in SECURITY_HEADERS {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(answer.header(name).map(squeezed), Some(squeezed(value)), "{name} of {}", answer.line);
        }
        assert!(answer.header("server").is_none());
    }
}

#[tokio::test]
async fn another_host_name_reaches_nothing() {
    let world = World::new();
    let (_running, browser) = world.open().await;
    for host in ["evil.example", "localhost", "127.0.0.1"] {
        let answer =
            browser.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, 403);
        assert!(!answer.body.contains("A81001"));
    }
}

#[tokio::test]
async fn without_the_sessions_cookie_nothing_is_shown() {
    let world = World::new();
    let (_running, browser) = world.open().await;
    let mut stranger = Browser::new(&format!("http://{}/", browser.authority));
    for address in ["/", "/search", "/copy", "/unlock", "/acknowledge", "/locked", "/p/x"] {
        let answer = stranger.fetch(address).await;
        assert_eq!(answer.status, 401, "{address}");
        assert!(!answer.body.contains("A81001") && !answer.body.contains("TESTING"));
    }
    assert_eq!(stranger.post("/lock", "form_token=x").await.status, 401);
}

#[tokio::test]
async fn a_launch_address_works_once_and_sets_a_strict_cookie() {
    let world = World::new();
    let (running, mut browser) = world.start(None).await;
    let first = browser.launch(running.launch_url()).await;
    let cookie = first.header("set-cookie").expect("a cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let mut second = Browser::new(&running.url());
    let refused = second.launch(running.launch_url()).await;
    assert_eq!((refused.status, refused.header("set-cookie")), (410, None));
    world.clock.set(at(600 + 61));
    let stale = running.new_launch_url().expect("an address");
    world.clock.set(at(600 + 61 + 61));
    assert_eq!(second.launch(&stale).await.status, 410);
    assert_eq!(browser.fetch("/unlock").await.status, 200, "the first browser keeps its session");
}

#[tokio::test]
async fn the_day_list_comes_first_and_leads_to_the_record() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let day = browser.fetch("/").await;
    for part in [
        "A81001 Example Surgery",
        "Copy as of",
        "21-Nov-2026 08:00",
        "10 minutes old",
        "3 of 3 copies agree",
        "09:30",
        "TESTING, Adam",
        "07700 900123",
        "Same name as 1 other patient",
    ] {
        assert!(day.body.contains(part), "{part}");
    }
    let address = day.links_to("/p/").remove(0);
    let record = browser.fetch(&address).await;
    assert_eq!(record.status, 200);
    assert!(record.body.contains("lb-banner") && record.body.contains("999 000 0018"));
    assert!(record.body.contains("Allergies"));
    assert!(!address.contains(&world.practice.key("1").to_string()));
}

#[tokio::test]
async fn a_search_is_posted_and_its_words_stay_out_of_the_address() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let token = browser.fetch("/search").await.form_token();
    let kept = browser.post("/search", &format!("form_token={token}&query=sample+beth")).await;
    let address = kept.header("location").expect("an address").to_owned();
    assert!(kept.status == 303 && address.starts_with("/found/") && !address.contains("sample"));
    let found = browser.fetch(&address).await;
    assert!(found.body.contains("1 patient found") && found.body.contains("SAMPLE, Beth"));
    assert!(!found.body.contains("lb-banner"), "a single hit is not opened");
    assert!(found.body.contains("14-Aug-1980") && found.body.contains("999 000 0018"));
}

#[tokio::test]
async fn a_form_without_origin_or_token_is_refused() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let token = browser.fetch("/search").await.form_token();
    let body = format!("form_token={token}");
    assert_eq!(browser.post_from(None, "/lock", &body).await.status, 403);
    assert_eq!(browser.post_from(Some("http://evil.example"), "/lock", &body).await.status, 403);
    assert_eq!(browser.post("/lock", "form_token=00000000000000000000000000000000").await.status, 403);
    assert_eq!(browser.post("/lock", "").await.status, 422);
    let large = format!("{body}&query={}", "a".repeat(super::FORM_BYTES_MAX));
    assert_eq!(browser.post("/search", &large).await.status, 413);
    assert_eq!(browser.fetch("/").await.status, 200, "nothing of this locked the screen");
    assert_eq!(browser.post("/lock", &body).await.status, 303);
    assert_eq!(browser.fetch("/").await.header("location"), Some("/unlock"));
}

#[tokio::test]
async fn the_passphrase_opens_the_site_and_guessing_is_slowed_down() {
    let world = World::new();
    let (running, mut browser) = world.start(None).await;
    browser.launch(running.launch_url()).await;
    assert_eq!(browser.fetch("/").await.header("location"), Some("/unlock"));
    let token = browser.fetch("/unlock").await.form_token();
    let guess = format!("form_token={token}&passphrase=wrong");
    for _ in 0..5 {
        let answer = browser.post("/unlock", &guess).await;
        assert!(answer.status == 422 && answer.body.contains("The passphrase is wrong."), "{}", answer.body);
    }
    let right = format!("form_token={token}&passphrase={}", PASSPHRASE.replace(' ', "+"));
    let slowed = browser.post("/unlock", &right).await;
    assert!(slowed.status == 429 && slowed.body.contains("Wait 30 seconds"), "{}", slowed.body);
    world.clock.set(at(600 + 30));
    assert_eq!(browser.post("/unlock", &right).await.header("location"), Some("/"));
    assert!(browser.fetch("/").await.body.contains("TESTING, Adam"));
}

#[tokio::test]
async fn an_idle_screen_locks_and_its_addresses_die() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let address = browser.fetch("/").await.links_to("/p/").remove(0);
    world.clock.set(at(600 + 15 * 60 + 1));
    assert_eq!(browser.fetch(&address).await.header("location"), Some("/unlock"));
    let locked = browser.fetch("/unlock").await;
    assert!(locked.body.contains("Locked after 15 minutes without use."));
    let unlock = format!("form_token={}&passphrase={}", locked.form_token(), PASSPHRASE.replace(' ', "+"));
    assert_eq!(browser.post("/unlock", &unlock).await.status, 303);
    assert_eq!(browser.fetch(&address).await.status, 404);
}

#[tokio::test]
async fn a_page_left_alone_in_one_tab_does_not_keep_another_open() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    world.clock.set(at(600 + 500));
    assert_eq!(browser.fetch("/").await.status, 200, "somebody uses one tab");
    world.clock.set(at(600 + 905));
    let left = browser.fetch("/locked").await;
    assert!(left.status == 200 && left.body.contains("Hidden because nobody used it"));
    assert!(left.header("clear-site-data").is_some());
    world.clock.set(at(600 + 500 + 901));
    assert_eq!(browser.fetch("/locked").await.header("location"), Some("/unlock"));
    assert_eq!(browser.fetch("/").await.header("location"), Some("/unlock"));
}

#[tokio::test]
async fn moving_to_an_old_snapshot_in_mid_session_asks_for_acknowledgement_first() {
    let mut world = World::new();
    let next = content(&world.practice);
    world.practice.snapshot(next, at(80 * HOUR), Verdict::Accepted);
    world.practice.write_to(&world.replica("two"));
    world.clock.set(at(80 * HOUR + 60));
    let (_running, mut browser) = world.open().await;
    let address = browser.fetch("/day/2026-11-21").await.links_to("/p/").remove(0);
    std::fs::remove_dir_all(world.replica("two")).expect("a removed replica");
    let answer = browser.fetch(&address).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/acknowledge")));
    assert!(!answer.body.contains("TESTING"));
    let page = browser.fetch("/acknowledge").await;
    assert!(page.body.contains("3 days 8 hours old") && page.body.contains("Copy changed:"), "{}", page.body);
    let form = format!("form_token={}", page.form_token());
    assert_eq!(browser.post("/refresh", &form).await.status, 303);
    let page = browser.fetch("/copy").await;
    assert!(page.body.contains("Copy changed:"), "asking again does not hide it: {}", page.body);
    assert_eq!(browser.post("/acknowledge", &form).await.status, 303);
    assert!(browser.fetch(&address).await.body.contains("TESTING, Adam (Mr)"));
}

#[tokio::test]
async fn a_replica_that_a_kit_names_strangely_does_not_keep_the_others_from_opening() {
    let world = World::new();
    let good = url::Url::from_file_path(world.replica("one")).expect("an absolute folder").to_string();
    let strange = [("new", "carrier-pigeon://loft"), ("<b>", "file:///nowhere\0"), ("odd", "")];
    let mut urls: Vec<(&str, String)> = strange.map(|(name, url)| (name, url.to_owned())).to_vec();
    world.practice.write_kit_of_urls(&world.kit(), &urls);
    let refused = world.source().open(Some(SecretString::from(PASSPHRASE)), &*world.clock).await;
    assert!(refused.is_err());
    urls.push(("one", good));
    world.practice.write_kit_of_urls(&world.kit(), &urls);
    let (_running, mut browser) = world.open().await;
    let page = browser.fetch("/").await.body;
    assert!(page.contains("TESTING, Adam") && page.contains("1 of 4 copies agree"), "{page}");
    assert!(page.contains("Copy new cannot be reached: this version does not understand"), "{page}");
}

#[tokio::test]
async fn an_old_copy_is_acknowledged_before_records_are_shown() {
    let world = World::new();
    world.clock.set(at(73 * HOUR));
    let (_running, mut browser) = world.open().await;
    for address in ["/", "/search", "/p/x", "/found/x", "/day/2026-11-21"] {
        assert_eq!(browser.fetch(address).await.header("location"), Some("/acknowledge"), "{address}");
    }
    let page = browser.fetch("/acknowledge").await;
    assert!(page.body.contains("3 days 1 hour old") && page.body.contains("OLD COPY"));
    let form = format!("form_token={}", page.form_token());
    assert_eq!(browser.post("/acknowledge", &form).await.status, 303);
    assert!(browser.fetch("/day/2026-11-21").await.body.contains("TESTING, Adam"));
}

#[tokio::test]
async fn lost_and_damaged_replicas_are_named_and_the_rest_is_read() {
    let world = World::new();
    std::fs::remove_dir_all(world.replica("one")).expect("a removed replica");
    std::fs::write(world.replica("two").join("HEAD"), "{}").expect("a damaged head");
    let checkpoints = world.replica("two").join("checkpoints");
    std::fs::remove_dir_all(checkpoints).expect("removed checkpoints");
    let (_running, mut browser) = world.open().await;
    let page = browser.fetch("/").await.body;
    assert!(page.contains("1 of 3 copies agree") && page.contains("Reading: three"), "{page}");
    assert!(page.contains("Copy one cannot be reached") && page.contains("Copy two is damaged"), "{page}");
    assert!(page.contains("TESTING, Adam"));
}

#[tokio::test]
async fn a_replica_lost_in_mid_session_is_replaced_by_another() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let address = browser.fetch("/").await.links_to("/p/").remove(0);
    std::fs::remove_dir_all(world.replica("one")).expect("a removed replica");
    let record = browser.fetch(&address).await;
    assert!(record.status == 200 && record.body.contains("TESTING, Adam (Mr)"), "{}", record.body);
    assert!(!record.body.contains("Reading: one") && record.body.contains("2 of 3 copies agree"));
    assert!(
        record.body.contains("Copy one cannot be reached") || record.body.contains("Copy one is damaged")
    );
}

#[tokio::test]
async fn a_record_that_no_copy_gives_is_listed_as_unreadable() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    let address = browser.fetch("/day/2026-11-21").await.links_to("/p/").remove(0);
    for name in ["one", "two", "three"] {
        let pack = only_pack(&world.replica(name));
        let bytes = std::fs::read(&pack).expect("a pack");
        std::fs::write(&pack, vec![0; bytes.len()]).expect("a damaged pack");
    }
    let record = browser.fetch(&address).await;
    for part in
        ["Record unreadable in this copy", "TESTING, Adam", "Allergies unavailable", "one", "two", "three"]
    {
        assert!(record.body.contains(part), "{part}: {}", record.body);
    }
    let token = browser.fetch("/search").await.form_token();
    let kept = browser.post("/search", &format!("form_token={token}&query=testing")).await;
    let found = browser.fetch(kept.header("location").expect("an address")).await;
    assert!(found.body.contains("Record unreadable in this copy"), "{}", found.body);
}

#[tokio::test]
async fn a_held_snapshot_is_announced_and_the_accepted_one_is_shown() {
    let mut world = World::new();
    let mut less = content(&world.practice);
    less.patients.truncate(1);
    world.practice.snapshot(less, at(300), Verdict::Held);
    for name in ["one", "two", "three"] {
        world.practice.write_to(&world.replica(name));
    }
    let (_running, mut browser) = world.open().await;
    let page = browser.fetch("/").await.body;
    assert!(page.contains("Newer snapshot held") && page.contains("patients fell from 3 to 1"), "{page}");
    let token = browser.fetch("/search").await.form_token();
    let kept = browser.post("/search", &format!("form_token={token}&query=beth")).await;
    let found = browser.fetch(kept.header("location").expect("an address")).await;
    assert!(found.body.contains("SAMPLE, Beth"), "the accepted snapshot has three patients");
}

#[tokio::test]
async fn the_held_snapshot_is_shown_on_demand_with_a_warning_and_left_with_one_click() {
    let mut world = World::new();
    let mut less = content(&world.practice);
    less.patients.truncate(1);
    world.practice.snapshot(less, at(300), Verdict::Held);
    for name in ["one", "two", "three"] {
        world.practice.write_to(&world.replica(name));
    }
    let (_running, mut browser) = world.open().await;
    let step = browser.fetch("/held").await;
    assert_eq!(step.status, 200);
    for part in ["A newer snapshot is held", "patients fell from 3 to 1", "I understand"] {
        assert!(step.body.contains(part), "{part}: {}", step.body);
    }
    assert!(!browser.fetch("/").await.body.contains("HELD SNAPSHOT"), "asking is not choosing");
    assert_eq!(browser.post("/held", "form_token=wrong").await.status, 403);

    let form = format!("form_token={}", step.form_token());
    assert_eq!(browser.post("/held", &form).await.header("location"), Some("/"));
    let search = |name: &'static str| format!("{form}&query={name}");
    for address in ["/", "/search", "/copy", "/held"] {
        let page = browser.fetch(address).await.body;
        assert!(
            page.contains("HELD SNAPSHOT – not checked") && page.contains("Back to the accepted copy"),
            "{address}"
        );
    }
    let kept = browser.post("/search", &search("beth")).await;
    let found = browser.fetch(kept.header("location").expect("an address")).await;
    assert!(!found.body.contains("SAMPLE, Beth"), "the held snapshot has one patient");
    assert!(found.body.contains("HELD SNAPSHOT – not checked"), "{}", found.body);
    assert_eq!(browser.post("/refresh", &form).await.header("location"), Some("/copy"));
    assert!(browser.fetch("/").await.body.contains("HELD SNAPSHOT"), "asking again keeps the choice");

    assert_eq!(browser.post("/accepted", &form).await.header("location"), Some("/"));
    let page = browser.fetch("/").await.body;
    assert!(!page.contains("HELD SNAPSHOT") && page.contains("Newer snapshot held"), "{page}");
    let kept = browser.post("/search", &search("beth")).await;
    let found = browser.fetch(kept.header("location").expect("an address")).await;
    assert!(found.body.contains("SAMPLE, Beth"), "{}", found.body);
}

#[tokio::test]
async fn a_newer_snapshot_than_the_chosen_held_one_is_not_shown_unasked() {
    let mut world = World::new();
    for seconds in [300, 400] {
        let mut less = content(&world.practice);
        less.patients.truncate(1);
        world.practice.snapshot(less, at(seconds), Verdict::Held);
        if seconds == 300 {
            world.practice.write_to(&world.replica("one"));
        }
    }
    let (_running, mut browser) = world.open().await;
    let form = format!("form_token={}", browser.fetch("/held").await.form_token());
    browser.post("/held", &form).await;
    assert!(browser.fetch("/").await.body.contains("HELD SNAPSHOT"));
    world.practice.write_to(&world.replica("two"));
    browser.post("/refresh", &form).await;
    let page = browser.fetch("/").await.body;
    assert!(!page.contains("HELD SNAPSHOT") && page.contains("Copy changed:"), "{page}");
}

#[tokio::test]
async fn where_nothing_is_held_there_is_nothing_to_choose() {
    let world = World::new();
    let (_running, mut browser) = world.open().await;
    assert_eq!(browser.fetch("/held").await.header("location"), Some("/copy"));
    let form = format!("form_token={}", browser.fetch("/copy").await.form_token());
    browser.post("/held", &form).await;
    assert!(!browser.fetch("/").await.body.contains("HELD SNAPSHOT"), "the newest is accepted");
}

#[tokio::test]
async fn asking_again_finds_a_newer_snapshot_and_says_so() {
    let mut world = World::new();
    let (_running, mut browser) = world.open().await;
    let next = content(&world.practice);
    world.practice.snapshot(next, at(300), Verdict::Accepted);
    world.practice.write_to(&world.replica("two"));
    let about = browser.fetch("/copy").await;
    assert!(about.body.contains("Being read") && about.body.contains("root "));
    let form = format!("form_token={}", about.form_token());
    assert_eq!(browser.post("/refresh", &form).await.header("location"), Some("/copy"));
    let page = browser.fetch("/copy").await.body;
    assert!(page.contains("Reading: two") && page.contains("1 of 3 copies agree"), "{page}");
    assert!(page.contains("Copy changed:") && page.contains("Copy one is older"), "{page}");
}

#[tokio::test]
async fn bare_replicas_open_with_an_identity_and_say_when_the_origin_is_not_proved() {
    let world = World::new();
    let identity = world.folder.path().join("identity.txt");
    world.practice.write_identity(&identity);
    let what = [world.replica("one").to_string_lossy().into_owned()];
    let key = world.practice.verification_key();
    for (key, warns) in [(None, true), (Some(key.as_str()), false)] {
        let source = Source::from_arguments(&what, Some(&identity), key, &[]).expect("a source");
        let mut options = Options::new(source);
        options.clock = world.clock.clone();
        let running = serve(options).await.expect("a running viewer");
        let mut browser = Browser::new(&running.url());
        browser.launch(running.launch_url()).await;
        let page = browser.fetch("/").await.body;
        assert!(page.contains("TESTING, Adam"), "{page}");
        assert_eq!(page.contains("Origin not proved"), warns);
    }
}

#[tokio::test]
async fn every_way_of_not_opening_is_told_apart() {
    let world = World::new();
    let open = async |passphrase: &str| {
        let opened = world.source().open(Some(SecretString::from(passphrase)), &*world.clock).await;
        opened.err().map(|error| (error.name(), error.is_wrong_secret()))
    };
    assert_eq!(open(PASSPHRASE).await, None);
    assert_eq!(open("wrong").await, Some(("kit", true)));
    for name in ["one", "two", "three"] {
        std::fs::write(world.replica(name).join("HEAD"), "{}").expect("a damaged head");
        std::fs::remove_dir_all(world.replica(name).join("checkpoints")).expect("removed checkpoints");
    }
    assert_eq!(open(PASSPHRASE).await, Some(("none_verifies", false)));
    for name in ["one", "two", "three"] {
        std::fs::remove_dir_all(world.replica(name)).expect("a removed replica");
    }
    assert_eq!(open(PASSPHRASE).await, Some(("none_reachable", false)));
}

#[tokio::test]
async fn too_many_requests_at_once_are_shed() {
    let world = World::new();
    let (running, mut browser) = world.open().await;
    let places = u32::try_from(super::app::REQUESTS_MAX).expect("few");
    let all = running.app.places.acquire_many(places).await.expect("all places");
    let shed = browser.fetch("/").await;
    assert_eq!((shed.status, shed.header("retry-after")), (503, Some("5")));
    assert_eq!(shed.header("cache-control"), Some("no-store"));
    drop(all);
    assert_eq!(browser.fetch("/").await.status, 200);
}

#[tokio::test]
async fn a_stopped_viewer_is_gone() {
    let world = World::new();
    let (running, mut browser) = world.open().await;
    assert_eq!(browser.fetch("/").await.status, 200);
    running.shutdown().await.expect("a clean stop");
    assert!(browser.try_raw("GET / HTTP/1.1\r\n\r\n").await.is_err());
}

#[test]
fn an_answer_is_read_whole() {
    let answer = Answer::parse("HTTP/1.1 303 See Other\r\nLocation: /x\r\n\r\nbody");
    assert_eq!((answer.status, answer.header("location"), answer.body.as_str()), (303, Some("/x"), "body"));
}
