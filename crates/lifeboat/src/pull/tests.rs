//! Pulling from a server that behaves, and from one that does not.

mod fake;
mod faults;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lifeboat_feeds::fhir_rows::{FEED, RESOURCE};
use lifeboat_feeds::memory::MemoryRows;
use lifeboat_feeds::{RowChange, RowKeys, RowSink, Unit};
use serde_json::json;

use self::fake::{Fake, patient};
use super::*;

/// The time by our clock when a test begins.
fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("an instant")
}

fn bulk() -> PullMode {
    PullMode::Bulk { group: None }
}

fn search(fetch: Fetch) -> PullMode {
    PullMode::Search { fetch }
}

/// Returns settings that do not wait.
fn settings(fake: &Fake, mode: PullMode) -> PullSettings {
    let mut settings = PullSettings::new(fake.base(), mode, PullAuth::None);
    let short = Duration::from_millis(1);
    settings.types = ["Patient", "Observation", "AllergyIntolerance"].map(str::to_owned).to_vec();
    settings.shared_types = vec!["Practitioner".to_owned()];
    settings.limits.poll_min = short;
    settings.limits.poll_max = short;
    settings.limits.retry_wait_max = short;
    settings.limits.retry_after_max = short;
    settings.limits.overlap = Duration::ZERO;
    settings
}

async fn pull_at(
    settings: &PullSettings,
    rows: &mut impl RowKeys,
    at: Timestamp,
) -> Result<PullReport, PullError> {
    Puller::new(settings.clone())?.pull(rows, at, &|_| {}).await
}

async fn pull(settings: &PullSettings, rows: &mut impl RowKeys) -> Result<PullReport, PullError> {
    pull_at(settings, rows, now()).await
}

/// Starts a server with `count` patients, a practitioner and an appointment.
async fn practice(count: usize) -> Fake {
    let fake = Fake::start().await;
    for index in 0..count {
        patient(&format!("p{index}")).into_iter().for_each(|resource| fake.put(resource));
    }
    fake.put(json!({"resourceType": "Practitioner", "id": "gp"}));
    fake.put(json!({
        "resourceType": "Appointment", "id": "today", "start": "2026-11-21T09:00:00Z",
        "participant": [{"actor": {"reference": "Patient/p0"}}]
    }));
    fake
}

/// Checks that the rows are what the server has, word for word.
#[track_caller]
fn assert_same(rows: &mut MemoryRows, fake: &Fake) {
    let mut keys = rows.keys(RESOURCE, "").expect("memory has keys");
    keys.sort();
    assert_eq!(keys, fake.keys());
    for key in keys {
        let owner = rows.owner(RESOURCE, &key).expect("every row has an owner");
        let row = rows.unit(owner).and_then(|unit| unit.row(RESOURCE, &key)).expect("it is there");
        assert_eq!(row.text("json"), Some(fake.json_of(&key).as_str()));
    }
    let cursor = rows.cursor().expect("memory has a cursor");
    assert!(matches!(standing(cursor.as_deref()), Standing::Whole(_)));
}

#[tokio::test]
async fn everything_comes_first_and_then_what_has_changed() {
    let modes = [bulk(), search(Fetch::Everything), search(Fetch::Searches), search(Fetch::Offered)];
    for mode in modes {
        let fake = practice(5).await;
        let settings = settings(&fake, mode.clone());
        let mut rows = MemoryRows::of(&FEED);
        assert_eq!(standing(None), Standing::Nothing);
        let report = pull(&settings, &mut rows).await.expect("the server is well");
        assert_eq!((report.extent, &report.notes[..]), (Extent::Full, &[][..]), "{mode:?}");
        assert_same(&mut rows, &fake);
        let owner = rows.owner(RESOURCE, "Appointment/today").cloned();
        assert_eq!(owner, Some(Unit::Day(jiff::civil::date(2026, 11, 21))));

        let [_, mut observation, _] = patient("p1");
        observation["status"] = "amended".into();
        fake.put(observation);
        fake.put(json!({"resourceType": "Practitioner", "id": "nurse"}));
        fake.delete("AllergyIntolerance/a-p2");
        fake.delete("Appointment/today");
        let report = pull(&settings, &mut rows).await.expect("the server is well");
        assert_eq!(report.extent, Extent::Changes, "{mode:?}");
        assert!(report.put < 10, "{mode:?} puts {}", report.put);
        assert_same(&mut rows, &fake);

        let report = pull(&settings, &mut rows).await.expect("the server is well");
        assert!(report.put < 8, "{mode:?} puts {} when nothing has changed", report.put);
        assert_same(&mut rows, &fake);
    }
}

#[tokio::test]
async fn summaries_are_kept_whole_beside_their_patient() {
    let fake = practice(2).await;
    fake.0.lock().unwrap().operations = vec!["everything", "summary"];
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings(&fake, search(Fetch::Offered)), &mut rows).await.expect("the server is well");
    let unit = rows.unit(&Unit::Patient("p1".to_owned())).expect("they are there");
    let keys: Vec<&str> = unit.rows(RESOURCE).map(|row| row.key()).collect();
    assert_eq!(keys, ["Bundle/summary-p1", "Patient/p1"]);

    fake.hook(|asked| {
        let of_other = asked.path == "Patient/p0/$summary";
        let [other, ..] = patient("p1");
        let bundle = json!({"resourceType": "Bundle", "type": "document", "entry": [{"resource": other}]});
        of_other.then(|| fake::Reply::json(&bundle))
    });
    let mut rows = MemoryRows::of(&FEED);
    let error = pull(&settings(&fake, search(Fetch::Summary)), &mut rows).await.expect_err("somebody else's");
    assert!(matches!(error, PullError::OtherPatient { .. }), "{error}");
}

#[tokio::test]
async fn what_the_history_does_not_tell_is_found_by_the_next_full_pull() {
    for mode in [bulk(), search(Fetch::Everything)] {
        let fake = practice(3).await;
        fake.0.lock().unwrap().history = false;
        let settings = settings(&fake, mode);
        let mut rows = MemoryRows::of(&FEED);
        pull(&settings, &mut rows).await.expect("the server is well");
        fake.delete("Observation/o-p1");
        fake.delete("Practitioner/gp");
        for key in ["Patient/p2", "Observation/o-p2", "AllergyIntolerance/a-p2"] {
            fake.delete(key);
        }
        let report = pull(&settings, &mut rows).await.expect("the server is well");
        assert!(report.notes.contains(&Note::DeletionsOnlyByFull));
        assert!(rows.owner(RESOURCE, "Observation/o-p1").is_some(), "absence from changes means nothing");
        let tomorrow = now().checked_add(Duration::from_secs(25 * 3600)).expect("an instant");
        fake.delete("Appointment/today");
        let report = pull_at(&settings, &mut rows, tomorrow).await.expect("the server is well");
        assert_eq!(report.extent, Extent::Full);
        assert_same(&mut rows, &fake);
    }
}

#[tokio::test]
async fn a_server_that_suddenly_has_hardly_anything_is_not_believed() {
    for mode in [bulk(), search(Fetch::Everything)] {
        let fake = practice(6).await;
        let mut settings = settings(&fake, mode);
        settings.limits.gone_min = 2;
        let mut rows = MemoryRows::of(&FEED);
        pull(&settings, &mut rows).await.expect("the server is well");
        for index in 1..6 {
            for kind in ["Patient/", "Observation/o-", "AllergyIntolerance/a-"] {
                fake.delete(&format!("{kind}p{index}"));
            }
        }
        let tomorrow = now().checked_add(Duration::from_secs(25 * 3600)).expect("an instant");
        let error = pull_at(&settings, &mut rows, tomorrow).await.expect_err("too much is gone");
        assert!(matches!(error, PullError::TooManyGone { .. }), "{error}");
        rows.lose_uncommitted();
        assert!(rows.owner(RESOURCE, "Patient/p3").is_some());
        settings.limits.gone_percent_max = 100;
        fake.delete("Appointment/today");
        pull_at(&settings, &mut rows, tomorrow).await.expect("it was allowed");
        assert_same(&mut rows, &fake);
    }
}

/// Rows whose commits fail from some point on, as when a process is killed there.
struct Killed<'a> {
    rows: &'a mut MemoryRows,
    commits_left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("killed")]
struct Dead;

impl RowSink for Killed<'_> {
    type Error = Dead;

    fn change(&mut self, change: RowChange) -> Result<(), Dead> {
        self.rows.change(change).map_err(|never| match never {})
    }

    fn commit(&mut self, cursor: &[u8]) -> Result<(), Dead> {
        self.commits_left = self.commits_left.checked_sub(1).ok_or(Dead)?;
        self.rows.commit(cursor).map_err(|never| match never {})
    }

    fn cursor(&mut self) -> Result<Option<Vec<u8>>, Dead> {
        self.rows.cursor().map_err(|never| match never {})
    }
}

impl RowKeys for Killed<'_> {
    fn keys(&mut self, table: &'static str, prefix: &str) -> Result<Vec<String>, Dead> {
        self.rows.keys(table, prefix).map_err(|never| match never {})
    }
}

#[tokio::test]
async fn a_pull_that_ends_anywhere_goes_on_from_there() {
    for mode in [bulk(), search(Fetch::Everything)] {
        let fake = practice(4).await;
        let mut settings = settings(&fake, mode.clone());
        settings.limits.commit_rows = 2;
        let mut rows = MemoryRows::of(&FEED);
        let mut kills = 0;
        for commits_left in 0.. {
            // Every attempt gets one commit further than the one before; what was done is not done again.
            let mut killed = Killed { rows: &mut rows, commits_left: 1 + commits_left % 2 };
            match pull(&settings, &mut killed).await {
                Ok(_) => break,
                Err(error) => assert!(matches!(error, PullError::Keep(_)), "{error}"),
            }
            rows.lose_uncommitted();
            let cursor = rows.cursor().expect("memory has a cursor");
            assert!(!matches!(standing(cursor.as_deref()), Standing::Whole(_)), "half of it is not whole");
            kills += 1;
            assert!(kills < 60, "{mode:?} gets no further");
        }
        assert!(kills > 2, "{mode:?} was interrupted {kills} times");
        assert_same(&mut rows, &fake);
    }
}

#[tokio::test]
async fn an_export_that_the_server_has_lost_is_begun_anew() {
    let fake = practice(2).await;
    let mut lost = false;
    fake.hook(move |asked| {
        let first = asked.path.starts_with("job/1") && asked.method == "GET" && !lost;
        lost |= first;
        first.then(|| fake::Reply::status(404))
    });
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings(&fake, bulk()), &mut rows).await.expect("the second export is there");
    assert_eq!(fake.asked("Patient/$export").len(), 2);
    assert_same(&mut rows, &fake);
}

#[tokio::test]
async fn other_settings_mean_that_everything_is_pulled_anew() {
    let fake = practice(2).await;
    let mut settings = settings(&fake, bulk());
    let mut rows = MemoryRows::of(&FEED);
    pull(&settings, &mut rows).await.expect("the server is well");
    settings.types.retain(|kind| kind != "Observation");
    let report = pull(&settings, &mut rows).await.expect("the server is well");
    assert_eq!(report.extent, Extent::Full);
    assert!(rows.keys(RESOURCE, "Observation/").expect("keys").is_empty(), "they are not asked for any more");
    let newer = br#"{"version":99}"#;
    rows.commit(newer).expect("memory takes everything");
    let error = pull(&settings, &mut rows).await.expect_err("a newer version wrote this");
    assert!(matches!(error, PullError::NewerCursor));
}

#[test]
fn a_pull_can_be_a_task_of_its_own() {
    fn is_send(_: &impl Send) {}
    let url = "https://fhir.example/r4".parse().expect("an address");
    let puller = Puller::new(PullSettings::new(url, bulk(), PullAuth::None)).expect("settings are right");
    let mut rows = MemoryRows::of(&FEED);
    is_send(&puller.pull(&mut rows, now(), &|_| {}));
}
