//! The service from start to stop, on a site of its own, driven by signals as systemd does.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use super::{ServiceState, Site, Status};
use crate::error::ExitStatus;
use crate::scratch::Scratch;

/// Long enough for a slow machine; conditions are met much sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the status file says what is wanted.
async fn status_when(scratch: &Scratch, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
    let state = scratch.path("state");
    let found = async {
        loop {
            if let Ok(Some(status)) = Status::load(&state)
                && wanted(&status)
            {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(status) => status,
        Err(_) => panic!("the status never showed {what}: {:?}", Status::load(&state)),
    }
}

fn log_size(status: &Status, replica: usize) -> u64 {
    status.replicas[replica].log_size.unwrap_or(0)
}

fn newest(status: &Status) -> (u64, u64) {
    status.newest.as_ref().map_or((0, 0), |newest| (newest.sequence, newest.log_size))
}

fn signal(signal: Signal) {
    kill_process(getpid(), signal).expect("we may signal ourselves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_follows_changes_feeds_replicas_apart_and_stops_cleanly() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb", "away"]).0, ExitStatus::Ok);
    let practice = scratch.fill(7, 4);
    scratch.set("interval", "\"1s\"");
    scratch.set("rescan", "\"1s\"");
    std::fs::remove_dir_all(scratch.path("away")).expect("the disk is unplugged");

    let site = Site::open(scratch.config()).expect("the site is opened");
    let service = tokio::spawn(site.run());

    let status = status_when(&scratch, "one replica fed and one away", |status| {
        newest(status).0 == 1 && log_size(status, 0) > 0 && status.replicas[1].failures > 0
    })
    .await;
    assert_eq!(status.service, ServiceState::Running);
    assert!(status.replicas[1].behind_since.is_some());
    assert!(status.replicas[1].last_error.is_some());

    for (stem, document) in practice.changes(1, 1.0) {
        let path = scratch.path("source").join(format!("{stem}.json"));
        std::fs::write(path, document.to_string()).expect("the file is written");
    }
    std::fs::create_dir(scratch.path("away")).expect("the disk is plugged in again");
    let status = status_when(&scratch, "a second snapshot on both replicas", |status| {
        let (sequence, _) = newest(status);
        sequence >= 2
            && status.replicas.iter().all(|replica| replica.failures == 0 && replica.log_size > Some(2))
    })
    .await;
    assert!(status.last_error.is_none(), "{:?}", status.last_error);

    let good = std::fs::read_to_string(scratch.path("lifeboat.toml")).expect("the configuration is read");
    std::fs::write(scratch.path("lifeboat.toml"), "[nonsense]\n").expect("the configuration is broken");
    signal(Signal::HUP);
    let (_, size) = newest(&status);
    status_when(&scratch, "snapshots after a bad configuration", |status| newest(status).1 > size + 1).await;

    let without_away = good.split("\n[[replica]]").take(2).collect::<Vec<_>>().join("\n[[replica]]");
    std::fs::write(scratch.path("lifeboat.toml"), without_away).expect("the configuration is written");
    signal(Signal::HUP);
    status_when(&scratch, "one replica less", |status| status.replicas.len() == 1).await;

    signal(Signal::TERM);
    let ended = tokio::time::timeout(PATIENCE, service).await.expect("the service stops");
    ended.expect("the service does not panic").expect("the service ends well");
    let status =
        Status::load(&scratch.path("state")).expect("the status is read").expect("there is a status");
    assert_eq!(status.service, ServiceState::Stopped);
    assert!(log_size(&status, 0) > 2, "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_added_or_removed_counts_from_the_running_services_next_snapshot() {
    let scratch = Scratch::new();
    assert_eq!(scratch.init(&["usb"]).0, ExitStatus::Ok);
    scratch.fill(7, 2);
    scratch.set("interval", "\"1s\"");
    scratch.set("rescan", "\"1s\"");
    let site = Site::open(scratch.config()).expect("the site is opened");
    let service = tokio::spawn(site.run());
    status_when(&scratch, "a first snapshot", |status| newest(status).0 == 1).await;

    let other = lifeboat_format::Identity::generate().recipient().to_string();
    for (sequence, change) in
        [(2, vec!["recipients", "add", "other", &other]), (3, vec!["recipients", "remove", "other"])]
    {
        let run = tokio::task::block_in_place(|| scratch.run(&change));
        assert_eq!(run.0, ExitStatus::Ok, "{}", run.1);
        // The source stays as it is: only a new epoch makes a new snapshot.
        status_when(&scratch, "a snapshot for the new recipients", |status| newest(status).0 == sequence)
            .await;
        assert!(scratch.path(&format!("state/spool/epochs/{sequence}")).is_dir(), "there is a new epoch");
    }

    signal(Signal::TERM);
    let ended = tokio::time::timeout(PATIENCE, service).await.expect("the service stops");
    ended.expect("the service does not panic").expect("the service ends well");
}
