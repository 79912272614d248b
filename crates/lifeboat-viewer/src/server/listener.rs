//! Accepts connections with limits: how many at once, how long one may be silent, how long one may last.
//!
//! A slow or silent peer then costs one place in a bounded set for a bounded time, and nothing else.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Connections at once; a browser uses about six.
pub const CONNECTIONS_MAX: usize = 64;
/// A connection on which nothing moves for this long is closed.
pub const CONNECTION_SILENCE_MAX: Duration = Duration::from_secs(30);
/// No connection lasts longer than this.
pub const CONNECTION_LIFE_MAX: Duration = Duration::from_secs(300);

/// A listener whose connections are counted and timed.
#[derive(Debug)]
pub struct LimitedListener {
    inner: TcpListener,
    places: Arc<Semaphore>,
    silence_max: Duration,
    life_max: Duration,
}

impl LimitedListener {
    /// Wraps a bound listener with the standard limits.
    pub fn new(inner: TcpListener) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { inner, places, silence_max: CONNECTION_SILENCE_MAX, life_max: CONNECTION_LIFE_MAX }
    }
}

impl axum::serve::Listener for LimitedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let place = place.expect("the semaphore is never closed");
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    return (Connection::new(stream, place, self.silence_max, self.life_max), address);
                }
                Err(error) => {
                    tracing::warn!(name: "connection_not_accepted", error = %error.kind());
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// One accepted connection that ends by itself when it is silent or old.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    life: Pin<Box<Sleep>>,
    silence_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(
        stream: TcpStream,
        place: OwnedSemaphorePermit,
        silence_max: Duration,
        life_max: Duration,
    ) -> Self {
        let silence = Box::pin(tokio::time::sleep(silence_max));
        let life = Box::pin(tokio::time::sleep(life_max));
        Self { stream, silence, life, silence_max, _place: place }
    }

    /// Passes `polled` on when it is ready and restarts the silence; ends the connection when time is up.
    fn timed<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            let until = Instant::now() + self.silence_max;
            self.silence.as_mut().reset(until);
            return polled;
        }
        let over =
            self.silence.as_mut().poll(context).is_ready() || self.life.as_mut().poll(context).is_ready();
        if over { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { Poll::Pending }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.timed(polled, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(polled, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener as _;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn listener(silence_max: Duration, life_max: Duration) -> LimitedListener {
        let inner = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        LimitedListener { silence_max, life_max, ..LimitedListener::new(inner) }
    }

    #[tokio::test]
    async fn a_silent_connection_is_ended() {
        let mut listener = listener(Duration::from_millis(20), Duration::from_secs(60)).await;
        let _peer =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let (mut connection, _) = listener.accept().await;
        let error = connection.read_u8().await.expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_ended_connection_gives_its_place_back() {
        let mut listener = listener(Duration::from_secs(60), Duration::from_millis(20)).await;
        let _peer =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let (mut connection, _) = listener.accept().await;
        assert_eq!(listener.places.available_permits(), CONNECTIONS_MAX - 1);
        assert!(connection.read_u8().await.is_err());
        drop(connection);
        assert_eq!(listener.places.available_permits(), CONNECTIONS_MAX);
    }
}
