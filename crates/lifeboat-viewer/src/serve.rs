//! Starts and stops a viewer: binds the loopback port, makes the launch address, sweeps what has expired.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::age::AgeLimits;
use crate::clock::{Clock, SystemClock};
use crate::server;
use crate::server::app::{App, Shared};
use crate::server::desk::{Desk, SessionLimits};
use crate::server::listener::LimitedListener;
use crate::site::{OpenError, Source};
use crate::token::{RandomError, Token};

/// How often what has expired is dropped, even when no request comes.
const SWEEP_INTERVAL: Duration = Duration::from_secs(15);
/// How long requests that are being answered may take when the viewer stops.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(5);

/// How the viewer's host name is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostStyle {
    /// `v-<random>.localhost`: no other program on this machine shares its cookies.
    #[default]
    Random,
    /// `127.0.0.1`, for browsers that do not find names under `.localhost`.
    Loopback,
}

/// What a viewer needs to start.
#[derive(Debug)]
pub struct Options {
    /// Where the records come from.
    pub source: Source,
    /// Opens the site before the browser does; without it the unlock page asks.
    pub passphrase: Option<SecretString>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The port; any free one when absent.
    pub port: Option<u16>,
    /// How the host name is made.
    pub host: HostStyle,
    /// The ages at which to warn.
    pub ages: AgeLimits,
    /// How long sessions last.
    pub sessions: SessionLimits,
}

impl Options {
    /// Returns the standard options for a source.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            passphrase: None,
            clock: Arc::new(SystemClock),
            port: None,
            host: HostStyle::default(),
            ages: AgeLimits::default(),
            sessions: SessionLimits::default(),
        }
    }
}

/// Why a viewer did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The site could not be opened.
    #[error("open the site")]
    Open(#[source] OpenError),
    /// The port could not be had.
    #[error("listen on port {port} of this machine")]
    Bind {
        /// The port; 0 stands for any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// There was no randomness.
    #[error("make the session's secrets")]
    Random(#[from] RandomError),
}

/// A viewer that is running; it stops when this is dropped or shut down.
#[derive(Debug)]
pub struct Running {
    pub(crate) app: App,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<io::Result<()>>>,
    sweeper: JoinHandle<()>,
    launch_url: String,
}

impl Running {
    /// Returns the address of the viewer; it shows nothing without a session.
    pub fn url(&self) -> String {
        format!("http://{}/", self.app.authority)
    }

    /// Returns the first launch address: it opens the session in one browser, once, within a minute.
    pub fn launch_url(&self) -> &str {
        &self.launch_url
    }

    /// Makes another launch address; the session that is open ends when it is used.
    pub fn new_launch_url(&self) -> Result<String, RandomError> {
        make_launch_url(&self.app)
    }

    /// Stops the viewer, after the requests that are being answered.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.stop.send_replace(true);
        let Some(server) = self.server.take() else { return Ok(()) };
        match tokio::time::timeout(SHUTDOWN_TIME_MAX, server).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(died)) => Err(io::Error::other(died)),
            Err(_) => Ok(()),
        }
    }
}

/// Starts a viewer on a loopback port.
pub async fn serve(options: Options) -> Result<Running, ServeError> {
    let Options { source, passphrase, clock, port, host, ages, sessions } = options;
    let port = port.unwrap_or(0);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bind = |source| ServeError::Bind { port, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let port = listener.local_addr().map_err(bind)?.port();
    let authority = match host {
        HostStyle::Random => format!("v-{}.localhost:{port}", &Token::random()?.reveal()[..16]),
        HostStyle::Loopback => format!("127.0.0.1:{port}"),
    };

    let mut desk = Desk::new(sessions);
    if passphrase.is_some() || !source.needs_passphrase() {
        let site = source.open(passphrase, &*clock).await.map_err(ServeError::Open)?;
        desk.keep_ready(Arc::new(site), clock.now());
    }
    let app: App = Arc::new(Shared::new(authority, source, clock, ages, desk));
    let launch_url = make_launch_url(&app)?;

    let (stop, mut stopped) = watch::channel(false);
    let serving = axum::serve(LimitedListener::new(listener), server::router(Arc::clone(&app)))
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which stops the viewer as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
    let server = Some(tokio::spawn(async move { serving.await }));
    let sweeper = tokio::spawn(sweep(Arc::clone(&app)));
    Ok(Running { app, stop, server, sweeper, launch_url })
}

fn make_launch_url(app: &App) -> Result<String, RandomError> {
    let token = app.desk().prepare_launch(app.now())?;
    Ok(format!("http://{}/launch/{}", app.authority, token.reveal()))
}

/// Drops keys and records on time though no request comes.
async fn sweep(app: App) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        interval.tick().await;
        app.desk().expire(app.now());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.sweeper.abort();
    }
}
