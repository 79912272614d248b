//! What a server, or what stands between, can do wrong.

use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use lifeboat_replica::ErrorClass;

use super::fake::{Asked, Reply};
use super::*;
use crate::keys::SecretSource;

/// Pulls with an answer in the place of the server's.
async fn pull_with(
    mode: PullMode,
    hook: impl FnMut(&Asked) -> Option<Reply> + Send + 'static,
) -> (Fake, MemoryRows, Result<PullReport, PullError>) {
    let fake = practice(3).await;
    fake.hook(hook);
    let mut rows = MemoryRows::of(&FEED);
    let mut settings = settings(&fake, mode);
    settings.limits.pages_max = 50;
    settings.limits.export_max = Duration::from_millis(30);
    let result = pull(&settings, &mut rows).await;
    (fake, rows, result)
}

/// Returns an error's text with all its causes.
fn story(error: &PullError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// Checks that a pull fails in a certain way and that its error tells nothing of anybody.
#[track_caller]
fn assert_fails(
    result: Result<PullReport, PullError>,
    class: ErrorClass,
    expected: fn(&PullError) -> bool,
) -> PullError {
    let error = result.expect_err("the server misbehaves");
    let story = story(&error);
    assert!(expected(&error), "{story}");
    assert_eq!(error.class(), class, "{story}");
    for secret in ["Secret", "p0", "p1", "p2", "?", "file/", "job/"] {
        assert!(!story.contains(secret), "{story} has {secret}");
    }
    error
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).expect("memory takes everything");
    packer.finish().expect("memory takes everything")
}

/// The lines of the patients' file.
fn patients() -> String {
    (0..3).map(|index| format!("{}\n", patient(&format!("p{index}"))[0])).collect()
}

fn ndjson(body: impl Into<Vec<u8>>) -> Reply {
    Reply::of("application/fhir+ndjson", body)
}

#[tokio::test]
async fn a_server_that_is_busy_for_a_while_is_asked_again() {
    for (status, header) in
        [(429, Some("60")), (503, None), (503, Some("Sat, 21 Nov 2026 13:00:00 GMT")), (500, None)]
    {
        for mode in [bulk(), search(Fetch::Everything)] {
            let mut count = 0;
            let (fake, mut rows, result) = pull_with(mode, move |asked| {
                count += 1;
                // Two requests of three are refused.
                let refuse = count % 3 != 0 && asked.method == "GET";
                let reply = Reply::status(status);
                refuse
                    .then(|| header.map_or(reply.clone(), |header| reply.clone().with("retry-after", header)))
            })
            .await;
            let report = result.expect("every third request is answered");
            assert!(report.retries > 5, "{status}");
            assert_same(&mut rows, &fake);
        }
    }
}

#[tokio::test]
async fn a_server_that_stays_busy_is_given_up() {
    let (fake, _, result) = pull_with(bulk(), |_| Some(Reply::status(503))).await;
    assert_fails(result, ErrorClass::Transient, |error| matches!(error, PullError::Busy { .. }));
    assert_eq!(fake.asked("metadata").len(), 6);
}

#[tokio::test]
async fn files_that_break_off_are_read_again() {
    let whole = patients();
    let broken: Vec<Reply> = vec![
        Reply { cut: Some(whole.len() - 20), ..ndjson(whole.clone()) },
        ndjson(&whole.as_bytes()[..whole.len() - 20]),
        // A whole line is missing, and the manifest has counted it.
        ndjson(whole.lines().next().expect("a line")),
        ndjson(&gzip(whole.as_bytes())[..60]).with("content-encoding", "gzip"),
    ];
    for reply in broken {
        let again = reply.clone();
        let mut left = 2;
        let (fake, mut rows, result) = pull_with(bulk(), move |asked| {
            let breaks = asked.path == "file/1/Patient" && left > 0;
            left -= i32::from(breaks);
            breaks.then(|| reply.clone())
        })
        .await;
        assert_eq!(result.expect("the third time it is whole").retries, 2);
        assert_same(&mut rows, &fake);
        let (_, _, result) =
            pull_with(bulk(), move |asked| (asked.path == "file/1/Patient").then(|| again.clone())).await;
        assert_fails(result, ErrorClass::Transient, |error| {
            matches!(error, PullError::CutShort { .. } | PullError::Connection { .. })
        });
    }
}

#[tokio::test]
async fn what_was_taken_before_an_error_is_never_called_whole() {
    let fake = practice(3).await;
    let settings = settings(&fake, bulk());
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings, &mut rows).await.expect("the server is well");
    for resource in patient("p9") {
        fake.put(resource);
    }
    fake.hook(|asked| (asked.path == "Practitioner").then(|| Reply::status(401)));
    pull(&settings, &mut rows).await.expect_err("the last step is refused");
    let cursor = rows.cursor().expect("memory has a cursor");
    assert_eq!(standing(cursor.as_deref()), Standing::Midway);
    // The same sink goes on, and what was pending is part of it.
    fake.hook(|_| None);
    pull(&settings, &mut rows).await.expect("the server is well again");
    assert_same(&mut rows, &fake);
}

#[tokio::test]
async fn compressed_files_are_read_whether_or_not_the_server_says_so() {
    for named in [true, false] {
        let (fake, mut rows, result) = pull_with(bulk(), move |asked| {
            let reply = Reply::of("application/octet-stream", gzip(patients().as_bytes()));
            let reply = if named { reply.with("content-encoding", "gzip") } else { reply };
            (asked.path == "file/1/Patient").then_some(reply)
        })
        .await;
        result.expect("gzip is read");
        assert_same(&mut rows, &fake);
    }
}

#[tokio::test]
async fn lines_that_are_no_resource_are_counted_and_the_rest_is_kept() {
    let (_, rows, result) = pull_with(bulk(), |asked| {
        let text = format!("{{\"resourceType\":\"Patient\",\"name\":\"Secret\"}}\nnonsense\n{}", patients());
        (asked.path == "file/1/Patient").then(|| ndjson(text))
    })
    .await;
    let report = result.expect("two bad lines stop nothing");
    assert_eq!((report.unreadable, report.problems.len()), (2, 2));
    assert!(report.problems.iter().all(|problem| !problem.to_string().contains("Secret")));
    assert!(rows.owner(RESOURCE, "Patient/p2").is_some());
}

#[tokio::test]
async fn other_places_are_not_followed() {
    let elsewhere = "http://127.0.0.1:9/fhir/x";
    let redirect = move |path: &'static str| {
        move |asked: &Asked| (asked.path == path).then(|| Reply::status(302).with("location", elsewhere))
    };
    let is_elsewhere = |error: &PullError| matches!(error, PullError::Elsewhere { .. });
    for path in ["metadata", "Patient/$export", "job/1", "file/1/Patient"] {
        let (_, _, result) = pull_with(bulk(), redirect(path)).await;
        assert_fails(result, ErrorClass::Operator, is_elsewhere);
    }
    let (_, _, result) = pull_with(search(Fetch::Everything), move |asked| {
        let bundle = json!({"resourceType": "Bundle", "link": [{"relation": "next", "url": elsewhere}]});
        (asked.path == "Patient").then(|| Reply::json(&bundle))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, is_elsewhere);
    let (_, _, result) = pull_with(bulk(), move |asked| {
        (asked.path == "Patient/$export").then(|| Reply::status(202).with("content-location", elsewhere))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, is_elsewhere);
}

#[tokio::test]
async fn redirections_within_the_server_are_followed_but_not_for_ever() {
    let (fake, mut rows, result) = pull_with(bulk(), |asked| {
        let location = "/fhir/metadata?moved=1";
        (asked.path == "metadata" && asked.query.is_empty())
            .then(|| Reply::status(301).with("location", location))
    })
    .await;
    result.expect("the second address answers");
    assert_same(&mut rows, &fake);
    let (_, _, result) = pull_with(bulk(), |asked| {
        (asked.path == "metadata").then(|| Reply::status(302).with("location", "metadata"))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, |error| matches!(error, PullError::Redirections { .. }));
}

#[tokio::test]
async fn pages_without_end_are_not_followed_for_ever() {
    let mut number = 0;
    let (_, _, result) = pull_with(search(Fetch::Everything), move |asked| {
        number += 1;
        let next = format!("Patient?_page={number}");
        let bundle = json!({"resourceType": "Bundle", "link": [{"relation": "next", "url": next}]});
        (asked.path == "Patient").then(|| Reply::json(&bundle))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, |error| {
        matches!(error, PullError::TooMuch { what: "pages", .. })
    });
    let (_, _, result) = pull_with(search(Fetch::Everything), |asked| {
        let bundle =
            json!({"resourceType": "Bundle", "link": [{"relation": "next", "url": "Patient?_page=7"}]});
        (asked.path == "Patient").then(|| Reply::json(&bundle))
    })
    .await;
    assert_fails(result, ErrorClass::Corrupt, |error| matches!(error, PullError::Circle { .. }));
}

#[tokio::test]
async fn an_export_that_never_gets_ready_is_given_up_and_ended() {
    let (fake, mut rows, result) = pull_with(bulk(), |asked| {
        (asked.path == "job/1" && asked.method == "GET")
            .then(|| Reply::status(202).with("x-progress", "still working").with("retry-after", "0"))
    })
    .await;
    assert_fails(result, ErrorClass::Transient, |error| matches!(error, PullError::ExportTooSlow { .. }));
    assert!(fake.asked("job/1").iter().any(|asked| asked.method == "DELETE"));
    assert!(
        rows.cursor()
            .expect("a cursor")
            .is_some_and(|cursor| !String::from_utf8_lossy(&cursor).contains("job/1"))
    );
}

#[tokio::test]
async fn answers_of_another_kind_are_refused() {
    let manifest = |text: &'static str| {
        move |asked: &Asked| (asked.path == "job/1").then(|| Reply::of("application/json", text))
    };
    let page = |asked: &Asked| {
        (asked.path == "metadata").then(|| Reply::of("text/html; charset=utf-8", "<html>Secret</html>"))
    };
    let (_, _, result) = pull_with(bulk(), page).await;
    assert_fails(result, ErrorClass::Operator, |error| matches!(error, PullError::ContentType { .. }));
    for text in [
        "{}",
        "Secret",
        r#"{"transactionTime":"Secret","output":[]}"#,
        r#"{"transactionTime":"2026-11-21T08:00:00Z"}"#,
    ] {
        let (_, _, result) = pull_with(bulk(), manifest(text)).await;
        assert_fails(result, ErrorClass::Corrupt, |error| matches!(error, PullError::Malformed { .. }));
    }
    let (_, _, result) = pull_with(bulk(), |asked| {
        let other = json!({"resourceType": "CapabilityStatement", "fhirVersion": "3.0.2"});
        (asked.path == "metadata").then(|| Reply::json(&other))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, |error| matches!(error, PullError::NotR4));
    let (_, _, result) = pull_with(bulk(), |asked| {
        (asked.path == "file/1/Patient").then(|| ndjson("x").with("content-encoding", "br"))
    })
    .await;
    assert_fails(result, ErrorClass::Operator, |error| matches!(error, PullError::Encoding { .. }));
}

#[tokio::test]
async fn a_server_that_drops_the_patient_from_a_search_is_refused() {
    let everybody = |asked: &Asked| {
        let other = patient("p2");
        let link = json!([{"relation": "self", "url": "Observation?_count=3"}]);
        let bundle = json!({"resourceType": "Bundle", "link": link, "entry": [{"resource": other[1]}]});
        (asked.path == "Observation").then(|| Reply::json(&bundle))
    };
    let (_, _, result) = pull_with(search(Fetch::Searches), everybody).await;
    assert_fails(result, ErrorClass::Operator, |error| {
        matches!(error, PullError::ParameterIgnored { parameter: "patient", .. })
    });
    // One that does not say what it was asked is found out by what it answers.
    let silent = |asked: &Asked| {
        let other = patient("p2");
        let bundle = json!({"resourceType": "Bundle", "entry": [{"resource": other[1]}]});
        (asked.path == "Observation").then(|| Reply::json(&bundle))
    };
    let (_, _, result) = pull_with(search(Fetch::Searches), silent).await;
    assert_fails(result, ErrorClass::Corrupt, |error| matches!(error, PullError::OtherPatient { .. }));
}

#[tokio::test]
async fn an_operation_that_is_not_there_removes_nobody() {
    for mode in [search(Fetch::Everything), search(Fetch::Searches)] {
        let fake = practice(3).await;
        let settings = settings(&fake, mode);
        let mut rows = MemoryRows::of(&FEED);
        pull(&settings, &mut rows).await.expect("the server is well");
        for resource in patient("p1") {
            fake.put(resource);
        }
        fake.hook(|asked| {
            let of_patient = asked.path.ends_with("$everything") || asked.parameter("patient").is_some();
            of_patient.then(|| Reply::status(404))
        });
        let result = pull(&settings, &mut rows).await;
        assert_fails(result, ErrorClass::Operator, |error| matches!(error, PullError::Refused { .. }));
        assert!(rows.owner(RESOURCE, "Observation/o-p1").is_some());
    }
}

#[tokio::test]
async fn resources_that_name_their_patient_by_a_number_are_kept_when_they_change() {
    let fake = practice(2).await;
    let settings = settings(&fake, search(Fetch::Everything));
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings, &mut rows).await.expect("the server is well");
    fake.put(json!({
        "resourceType": "Observation", "id": "by-number",
        "subject": {"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}}
    }));
    pull(&settings, &mut rows).await.expect("the server is well");
    assert_same(&mut rows, &fake);
}

#[tokio::test]
async fn an_export_with_errors_of_its_own_counts_only_where_the_settings_say_so() {
    let hook = |asked: &Asked| {
        let manifest = json!({
            "transactionTime": "2026-11-21T08:00:00Z", "requiresAccessToken": true, "output": [],
            "error": [{"type": "OperationOutcome", "url": "../file/1/errors"}]
        });
        match asked.path.as_str() {
            "job/1" if asked.method == "GET" => Some(Reply::of("application/json", manifest.to_string())),
            "file/1/errors" => {
                Some(ndjson(r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error"}]}"#))
            }
            _ => None,
        }
    };
    let (fake, _, result) = pull_with(bulk(), hook).await;
    assert_fails(result, ErrorClass::Operator, |error| {
        matches!(error, PullError::ExportIncomplete { count: 1 })
    });
    let mut settings = settings(&fake, bulk());
    settings.export_errors = ExportErrors::Accept;
    fake.hook(move |asked| match asked.path.as_str() {
        "job/2" => hook(&Asked { path: "job/1".to_owned(), ..asked.clone() }),
        _ => hook(asked),
    });
    let report = pull(&settings, &mut MemoryRows::of(&FEED)).await.expect("errors are accepted");
    assert_eq!(report.notes, [Note::ExportErrors(1)]);
}

#[tokio::test]
async fn files_elsewhere_are_read_where_allowed_and_never_get_the_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Fake::start().await;
    store.hook(|_| Some(ndjson(patients())));
    for (needs_token, allowed) in [(false, true), (true, true), (false, false)] {
        let fake = practice(3).await;
        let url = format!("{}/file", store.base());
        fake.hook(move |asked| {
            let manifest = json!({
                "transactionTime": "2026-11-21T08:00:00Z", "requiresAccessToken": needs_token,
                "output": [{"type": "Patient", "url": url, "count": 3}]
            });
            (asked.path == "job/1" && asked.method == "GET")
                .then(|| Reply::of("application/json", manifest.to_string()))
        });
        let mut settings = settings(&fake, bulk());
        settings.auth = PullAuth::Bearer { token: secret(folder.path(), "token", "abc") };
        if allowed {
            settings.allowed_origins = vec![store.base()];
        }
        let result = pull(&settings, &mut MemoryRows::of(&FEED)).await;
        match (needs_token, allowed) {
            (false, true) => assert_eq!(result.expect("it may be followed").parts, 1),
            (true, _) => assert!(matches!(result, Err(PullError::TokenElsewhere { .. }))),
            (_, false) => assert!(matches!(result, Err(PullError::Elsewhere { .. }))),
        }
        assert!(
            fake.asked("")
                .iter()
                .all(|asked| asked.headers.get("authorization").is_some_and(|header| header == "Bearer abc"))
        );
    }
    assert!(store.asked("").iter().all(|asked| !asked.headers.contains_key("authorization")));
}

/// Writes a secret into a file that only its owner can read.
fn secret(folder: &Path, name: &str, text: &str) -> SecretSource {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    SecretSource::File(path)
}

fn client_key() -> String {
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("a key can be written");
    let body = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

#[tokio::test]
async fn tokens_are_fetched_kept_and_renewed_when_they_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = practice(2).await;
    let issued = Arc::new(Mutex::new(0));
    let count = Arc::clone(&issued);
    let mut requests = 0;
    fake.hook(move |asked| match asked.path.as_str() {
        ".well-known/smart-configuration" => {
            Some(Reply::of("application/json", r#"{"token_endpoint":"token"}"#))
        }
        ".well-known/token" => {
            assert!(asked.body.contains("client_assertion=ey") && asked.body.contains("system%2F*.rs"));
            *count.lock().unwrap() += 1;
            let token = format!("token-{}", count.lock().unwrap());
            let answer = json!({"access_token": token, "token_type": "bearer", "expires_in": 300});
            Some(Reply::of("application/json", answer.to_string()))
        }
        _ => {
            requests += 1;
            let newest = format!("Bearer token-{}", count.lock().unwrap());
            let known = asked.headers.get("authorization") == Some(&newest);
            // The fifth request finds its token withdrawn.
            (!known || requests == 5).then(|| Reply::status(401))
        }
    });
    let mut settings = settings(&fake, bulk());
    settings.auth = PullAuth::Smart {
        client_id: "lifeboat".to_owned(),
        key: secret(folder.path(), "key.pem", &client_key()),
        key_id: Some("key-1".to_owned()),
        token_url: None,
        scope: SCOPE.to_owned(),
    };
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings, &mut rows).await.expect("a refused token is renewed once");
    assert_eq!(*issued.lock().unwrap(), 2);
    assert_same(&mut rows, &fake);

    fake.hook(|asked| match asked.path.as_str() {
        ".well-known/smart-configuration" => {
            Some(Reply::of("application/json", r#"{"token_endpoint":"token"}"#))
        }
        _ => Some(Reply { status: 400, ..Reply::of("application/json", r#"{"error":"invalid_client"}"#) }),
    });
    let error = pull(&settings, &mut rows).await.expect_err("the client is not known");
    assert!(matches!(error, PullError::TokenRefused { code: Some("invalid_client"), .. }), "{error}");
    fake.hook(|_| Some(Reply::status(401)));
    let auth = PullAuth::Basic { username: "u".to_owned(), password: secret(folder.path(), "p", "wrong") };
    let error = pull(&PullSettings { auth, ..settings }, &mut rows).await.expect_err("the password is wrong");
    assert!(matches!(error, PullError::Unauthorised { .. }), "{error}");
}

#[tokio::test]
async fn a_bearer_token_is_read_again_for_every_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let fake = practice(2).await;
    let token = secret(folder.path(), "token", "one");
    let path = folder.path().join("token");
    let mut count = 0;
    fake.hook(move |asked| {
        count += 1;
        if count == 3 {
            std::fs::write(&path, "two").expect("the folder can be written");
        }
        let expected = if count <= 3 { "Bearer one" } else { "Bearer two" };
        (asked.headers.get("authorization").map(String::as_str) != Some(expected)).then(|| Reply::status(401))
    });
    let mut settings = settings(&fake, bulk());
    settings.auth = PullAuth::Bearer { token };
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings, &mut rows).await.expect("the new token is taken up");
    assert_same(&mut rows, &fake);
}

#[test]
fn addresses_that_would_leak_are_refused_before_anything_is_sent() {
    let refused = |address: &str| {
        let url = address.parse().expect("an address");
        Puller::new(PullSettings::new(url, bulk(), PullAuth::None)).err()
    };
    assert!(matches!(refused("http://fhir.example/r4"), Some(PullError::PlainHttp { .. })));
    assert!(matches!(refused("https://u:p@fhir.example/r4"), Some(PullError::Address { .. })));
    assert!(matches!(refused("https://fhir.example/r4?x=1"), Some(PullError::Address { .. })));
    assert!(matches!(refused("ftp://fhir.example/r4"), Some(PullError::Address { .. })));
    assert!(refused("https://fhir.example/r4").is_none());
    assert!(refused("http://127.0.0.1:1/r4").is_none());
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_the_settings_name_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((mut server, port)) = tls_server(folder.path()) else {
        return;
    };
    let base = format!("https://localhost:{port}/fhir").parse().expect("an address");
    let mut settings = PullSettings::new(base, bulk(), PullAuth::None);
    settings.limits.attempts_max = 100;
    settings.limits.retry_wait_max = Duration::from_millis(50);
    settings.ca_pem = Some(std::fs::read_to_string(folder.path().join("ca.pem")).expect("it was written"));
    let puller = Puller::new(settings.clone()).expect("the authority can be used");
    let offer = puller.offer(now()).await;
    settings.ca_pem = None;
    settings.limits.attempts_max = 2;
    let refused = Puller::new(settings).expect("settings are right").offer(now()).await;
    server.kill().expect("it runs");
    server.wait().expect("it ran");
    assert!(offer.expect("the authority is trusted").export);
    assert!(matches!(refused, Err(PullError::Connection { .. })), "nobody else trusts it");
}

/// Starts a TLS server that has nothing but a capability statement; `None` where there is no `openssl` to do so.
fn tls_server(folder: &Path) -> Option<(std::process::Child, u16)> {
    use std::process::{Command, Stdio};
    let openssl = |words: &str| {
        let mut command = Command::new("openssl");
        command.args(words.split(' ')).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let made = [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key -keyout key.pem -out cert.pem",
    ];
    if !made.iter().all(|words| openssl(words).status().is_ok_and(|status| status.success())) {
        let words = "not checked: there is no openssl to make certificates with";
        writeln!(std::io::stderr(), "{words}").expect("a test has an output");
        return None;
    }
    let metadata = json!({
        "resourceType": "CapabilityStatement", "fhirVersion": "4.0.1",
        "rest": [{"resource": [{"type": "Patient", "operation": [{"name": "export"}]}]}]
    });
    std::fs::create_dir(folder.join("fhir")).expect("the folder can be written");
    let answer = format!("HTTP/1.0 200 OK\r\ncontent-type: application/fhir+json\r\n\r\n{metadata}");
    std::fs::write(folder.join("fhir/metadata"), answer).expect("the folder can be written");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("loopback is there").port();
    let server =
        openssl(&format!("s_server -accept {port} -cert cert.pem -key key.pem -HTTP -quiet")).spawn();
    Some((server.expect("openssl has just run"), port))
}
