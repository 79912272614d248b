//! The task that owns the service's state, and the events that it reacts to.

use std::sync::Arc;
use std::time::Duration;

use lifeboat_format::VerificationKey;
use lifeboat_replica::Reader;
use notify::RecommendedWatcher;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch as value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval};

use super::feed::{self, Fed, FeedOutcome};
use super::schedule::Schedule;
use super::status::{
    Failure, Newest, ReplicaStatus, ServiceState, Status, not_in_the_snapshot, save_unreadable,
};
use super::take::take_snapshot;
use super::{ServiceError, Site, feed_of, new_status, systemd, watch};
use crate::clock;
use crate::config::{Config, ReplicaSettings};
use crate::engine::{Acceptance, Engine, EngineError, HostKey, NoProgress, SnapshotReport};
use crate::events;
use crate::setup;

/// Events that wait at most; whoever sends more waits too.
const EVENTS_MAX: usize = 64;

/// How long the tasks of replicas are given to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// Everything that the service reacts to.
#[derive(Debug)]
pub(super) enum Event {
    /// The file system says that the source changed.
    SourceChanged,
    /// It is time to take a snapshot.
    Tick,
    /// A snapshot was taken, or could not be.
    SnapshotEnded(Box<SnapshotEnded>),
    /// A replica was fed, or could not be.
    Fed(Fed),
    /// The configuration is to be read again.
    Reload,
    /// systemd wants to know that the loop is alive.
    Watchdog,
    /// The service is to stop.
    Stop,
}

/// The engine comes back with what it did; it does not come back from a panic.
#[derive(Debug)]
pub(super) struct SnapshotEnded {
    back: Option<(Engine, Result<SnapshotReport, EngineError>)>,
    took: Duration,
}

/// One replica's task.
struct Feeder {
    settings: ReplicaSettings,
    stop: value::Sender<bool>,
    task: JoinHandle<()>,
}

/// The task that owns the state.
pub(super) struct Runner {
    config: Config,
    host_key: HostKey,
    key: VerificationKey,
    /// Away while a snapshot is taken.
    engine: Option<Engine>,
    spool: Reader,
    schedule: Schedule,
    newest: value::Sender<u64>,
    feeders: Vec<Feeder>,
    status: Status,
    /// A configuration that waits for the engine to come back.
    reload: Option<Box<Config>>,
    stopping: bool,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
    bell: Arc<Notify>,
    _watcher: Option<RecommendedWatcher>,
    signals: Signals,
    watchdog: Option<Interval>,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn listen() -> Result<Self, ServiceError> {
        let listen = |kind| signal(kind).map_err(ServiceError::Signals);
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            reload: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.reload.recv() => Event::Reload,
        }
    }
}

impl Runner {
    /// Begins with an open site.
    pub(super) fn start(site: Site) -> Result<Self, ServiceError> {
        let Site { config, engine, host_key, key } = site;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (newest, _) = value::channel(engine.log_size());
        let bell = Arc::new(Notify::new());
        let spool = engine.spool_reader();
        let mut runner = Runner {
            schedule: Schedule::new(config.snapshot.interval, config.heartbeat()),
            status: new_status(&config),
            host_key,
            key,
            engine: Some(engine),
            spool,
            newest,
            feeders: Vec::new(),
            reload: None,
            stopping: false,
            events,
            sender,
            _watcher: watcher(&config, bell.clone()),
            bell,
            signals: Signals::listen()?,
            watchdog: systemd::watchdog_interval().map(tokio::time::interval),
            config,
        };
        events::service_started(runner.config.site.code.as_str(), runner.config.replicas.len());
        runner.start_feeders();
        Ok(runner)
    }

    /// Reacts to events until the service is told to stop.
    pub(super) async fn serve(&mut self) -> Result<(), ServiceError> {
        self.save_status().await;
        while !(self.stopping && self.engine.is_some()) {
            match self.next_event().await {
                Event::SourceChanged => self.schedule.source_changed(),
                Event::Tick => self.begin_snapshot(),
                Event::SnapshotEnded(ended) => self.end_snapshot(*ended).await?,
                Event::Fed(fed) => self.note_fed(fed).await,
                Event::Reload => self.begin_reload().await,
                Event::Watchdog => systemd::alive(),
                Event::Stop => self.begin_stop(),
            }
        }
        Ok(())
    }

    async fn next_event(&mut self) -> Event {
        let due = match (&self.engine, self.stopping) {
            (Some(_), false) => Some(self.schedule.due(Instant::now())),
            _ => None,
        };
        let tick = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let watchdog = async {
            match &mut self.watchdog {
                Some(interval) => {
                    interval.tick().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = self.signals.next() => event,
            Some(event) = self.events.recv() => event,
            () = watchdog => Event::Watchdog,
            () = self.bell.notified() => Event::SourceChanged,
            () = tick => Event::Tick,
        }
    }

    /// Hands the engine to a blocking thread, which sends it back with what it did.
    fn begin_snapshot(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        self.schedule.began(Instant::now());
        let sender = self.sender.clone();
        let now = clock::now();
        let began = Instant::now();
        let config = self.config.clone();
        let work = tokio::task::spawn_blocking(move || {
            take_up_recipients(&mut engine, &config);
            let result = take_snapshot(&mut engine, &config, now, &Acceptance::ByGate, &NoProgress);
            (engine, result)
        });
        tokio::spawn(async move {
            let ended = SnapshotEnded { back: work.await.ok(), took: began.elapsed() };
            // When nobody listens any more, the service is gone and the engine with it.
            let _heard = sender.send(Event::SnapshotEnded(Box::new(ended))).await;
        });
    }

    async fn end_snapshot(&mut self, ended: SnapshotEnded) -> Result<(), ServiceError> {
        let (engine, result) = ended.back.ok_or(ServiceError::EngineLost)?;
        self.engine = Some(engine);
        match result {
            Ok(report) => {
                self.schedule.succeeded();
                events::snapshot_taken(&report, ended.took);
                self.note_snapshot(&report).await;
            }
            Err(error) => {
                let class = error.class();
                let stable_after = self.config.source.stable_after;
                let failures = self.schedule.failed(class, stable_after, Instant::now(), feed::chance());
                events::snapshot_failed(&error, class, failures);
                let error = events::error_line(&error);
                self.status.last_error = Some(Failure { at: clock::now(), error });
                self.save_status().await;
            }
        }
        if let Some(config) = self.reload.take() {
            self.apply(*config).await;
        }
        Ok(())
    }

    async fn note_snapshot(&mut self, report: &SnapshotReport) {
        let now = clock::now();
        self.status.newest = Some(Newest::of(report));
        self.status.last_error = None;
        for replica in &mut self.status.replicas {
            replica.expect(report.log_size, now);
        }
        self.newest.send_replace(report.log_size);
        systemd::status(&format!("log {} entries, {} patients", report.log_size, report.patients));
        let (state_dir, key) = (self.config.state_dir.clone(), self.host_key.clone());
        let unreadable = not_in_the_snapshot(report);
        let saved = tokio::task::spawn_blocking(move || save_unreadable(&state_dir, &key, &unreadable)).await;
        if let Ok(Err(error)) = saved {
            events::status_not_written(&error);
        }
        self.save_status().await;
    }

    async fn note_fed(&mut self, fed: Fed) {
        let now = clock::now();
        let newest = *self.newest.borrow();
        let named = |replica: &&mut ReplicaStatus| replica.name == fed.replica.as_str();
        if let Some(replica) = self.status.replicas.iter_mut().find(named) {
            match fed.outcome {
                FeedOutcome::Reached(log_size) => {
                    replica.succeeded(log_size, now);
                    replica.expect(newest, now);
                }
                FeedOutcome::Failed { error, failures } => replica.failed(error, failures, now),
            }
        }
        self.save_status().await;
    }

    async fn begin_reload(&mut self) {
        let path = self.config.path.clone();
        match tokio::task::spawn_blocking(move || Config::load(&path)).await {
            Ok(Ok(config)) if self.engine.is_some() => self.apply(config).await,
            Ok(Ok(config)) => self.reload = Some(Box::new(config)),
            Ok(Err(error)) => self.refuse(&error),
            Err(error) => self.refuse(&error),
        }
    }

    /// Puts a new configuration in force, or keeps the former one when anything about it is wrong.
    async fn apply(&mut self, config: Config) {
        if let Err(error) = self.check_unchanged(&config) {
            return self.refuse(&error);
        }
        let settings = match setup::engine_settings(&config) {
            Ok(settings) => settings,
            Err(error) => return self.refuse(&error),
        };
        if let Some(engine) = &mut self.engine
            && let Err(error) = engine.reconfigure(settings)
        {
            return self.refuse(&error);
        }
        if config.source.folder() != self.config.source.folder() {
            self._watcher = watcher(&config, self.bell.clone());
        }
        self.schedule.change(config.snapshot.interval, config.heartbeat());
        // New recipients are to be sealed to soon, not at the end of the interval.
        self.schedule.source_changed();
        self.config = config;
        self.change_feeders().await;
        events::config_reloaded(self.config.replicas.len());
        self.save_status().await;
    }

    /// Some settings cannot change while the service runs.
    fn check_unchanged(&self, config: &Config) -> Result<(), ReloadError> {
        let old = &self.config;
        let what = if config.site.code != old.site.code {
            "site.code"
        } else if config.state_dir != old.state_dir {
            "state.path"
        } else if (&config.keys.signing, &config.keys.lookup, &config.keys.host)
            != (&old.keys.signing, &old.keys.lookup, &old.keys.host)
        {
            "keys"
        } else {
            return Ok(());
        };
        Err(ReloadError { what })
    }

    fn refuse(&self, error: &dyn std::error::Error) {
        events::config_refused(error);
    }

    fn begin_stop(&mut self) {
        if !self.stopping {
            self.stopping = true;
            systemd::stopping();
            events::service_stopping();
            self.feeders.iter().for_each(|feeder| {
                feeder.stop.send_replace(true);
            });
        }
    }

    /// Awaits every task.
    pub(super) async fn stop(mut self) {
        self.begin_stop();
        // Nobody listens any more: a task that is just reporting must not wait for us.
        self.events.close();
        stop_feeders(std::mem::take(&mut self.feeders)).await;
        self.status.service = ServiceState::Stopped;
        self.save_status().await;
        events::service_stopped();
    }

    fn start_feeders(&mut self) {
        let missing: Vec<ReplicaSettings> = self
            .config
            .replicas
            .iter()
            .filter(|replica| !self.feeders.iter().any(|feeder| feeder.settings == **replica))
            .cloned()
            .collect();
        for settings in missing {
            let (stop, stopped) = value::channel(false);
            let feed = feed_of(&self.config, &settings, &self.spool, &self.key);
            let task = feed::start(feed, self.newest.subscribe(), stopped, self.sender.clone());
            self.feeders.push(Feeder { settings, stop, task });
        }
    }

    /// Stops the tasks of replicas that changed or went, and starts those that are new.
    async fn change_feeders(&mut self) {
        let (keep, go): (Vec<Feeder>, Vec<Feeder>) = std::mem::take(&mut self.feeders)
            .into_iter()
            .partition(|feeder| self.config.replicas.contains(&feeder.settings));
        self.feeders = keep;
        // Its last report may still be on the way into a full queue; the task is not waited for here.
        tokio::spawn(stop_feeders(go));
        let former = std::mem::take(&mut self.status.replicas);
        self.status.replicas = new_status(&self.config).replicas;
        for replica in &mut self.status.replicas {
            if let Some(known) =
                former.iter().find(|known| known.name == replica.name && known.url == replica.url)
            {
                *replica = known.clone();
            }
        }
        self.start_feeders();
    }

    async fn save_status(&mut self) {
        self.status.updated = clock::now();
        let (status, state_dir) = (self.status.clone(), self.config.state_dir.clone());
        let saved = tokio::task::spawn_blocking(move || status.save(&state_dir)).await;
        if let Ok(Err(error)) = saved {
            events::status_not_written(&error);
        }
    }
}

/// Why a new configuration cannot be put in force while the service runs.
#[derive(Debug, thiserror::Error)]
#[error("`{what}` cannot change while the service runs; restart it")]
struct ReloadError {
    what: &'static str,
}

/// Reads again who can open the copies: whoever was added or removed counts from the next snapshot on, without a reload.
fn take_up_recipients(engine: &mut Engine, config: &Config) {
    let changed = setup::engine_settings(config).and_then(|settings| Ok(engine.reconfigure(settings)?));
    if let Err(error) = changed {
        events::config_refused(&error);
    }
}

async fn stop_feeders(feeders: Vec<Feeder>) {
    for feeder in &feeders {
        feeder.stop.send_replace(true);
    }
    for mut feeder in feeders {
        if tokio::time::timeout(STOP_TIME_MAX, &mut feeder.task).await.is_err() {
            feeder.task.abort();
        }
    }
}

/// Watches the source, if it is a folder.
fn watcher(config: &Config, bell: Arc<Notify>) -> Option<RecommendedWatcher> {
    match watch::watch(config.source.folder()?, bell) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            events::watch_failed(&error);
            None
        }
    }
}
