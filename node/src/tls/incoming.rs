//! Accepted connections, their handshake done, as the stream that a tonic server takes.
//!
//! Deliberately does not know what is spoken on a connection.
//!
//! - Never more connections than allowed: one too many is closed at once, which a client notices sooner than silence.
//! - Never more handshakes at a time than allowed, none longer than allowed, and none holds up another.
//! - Failing to accept (no file descriptors left) is waited out, not died of.

use super::ServerTls;
use crate::identity::CertIdentity;
use crate::tasks;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// How long to wait when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct IncomingLimits {
    /// Names the listener in metrics and logs: `client` or `peer`.
    pub listener: &'static str,
    /// Connections at a time.
    pub max_connections: usize,
    /// Handshakes at a time.
    pub max_handshakes: usize,
    /// How long one may take.
    pub handshake_timeout: Duration,
}

/// What is known about the other end; found in the extensions of each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Where it comes from.
    pub remote_addr: SocketAddr,
    /// Whether it is TLS.
    pub encrypted: bool,
    /// Who its certificate says it is; `None` without one.
    pub identity: Option<CertIdentity>,
}

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Keeps the count of open connections, whichever way one ends.
struct Slot {
    listener: &'static str,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn new(listener: &'static str, permit: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("muster_connections_open", "listener" => listener).increment(1.0);
        Self { listener, _permit: permit }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::gauge!("muster_connections_open", "listener" => self.listener).decrement(1.0);
    }
}

/// An accepted connection.
pub struct Connection {
    socket: Socket,
    info: ConnectionInfo,
    _slot: Slot,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({:?})", self.info)
    }
}

impl Connection {
    /// What is known about the other end.
    #[must_use]
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }
}

/// A bound listener and its accepted connections. Stops accepting when dropped.
#[derive(Debug)]
pub struct Incoming {
    local_addr: SocketAddr,
    accepted: mpsc::Receiver<io::Result<Connection>>,
    acceptor: JoinHandle<()>,
}

impl Incoming {
    /// Binds `address`; without `tls`, connections are plain text. Must run inside tokio.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr, tls: Option<Arc<ServerTls>>, limits: IncomingLimits) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(64);
        let acceptor = tasks::spawn("accept", accept_all(listener, Door { tls, limits, sender }));
        Ok(Self { local_addr, accepted, acceptor })
    }

    /// Where it listens, the port as the system chose it.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl tokio_stream::Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accepted.poll_recv(context)
    }
}

struct Door {
    tls: Option<Arc<ServerTls>>,
    limits: IncomingLimits,
    sender: mpsc::Sender<io::Result<Connection>>,
}

impl Door {
    fn refused(&self, remote_addr: SocketAddr, reason: &'static str, detail: &str) {
        let listener = self.limits.listener;
        metrics::counter!("muster_connections_refused_total", "listener" => listener, "reason" => reason).increment(1);
        tracing::debug!(listener, %remote_addr, reason, detail, "refused a connection");
    }

    async fn greet(&self, tcp: TcpStream, remote_addr: SocketAddr, slot: Slot) {
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, self.handshake(tcp, remote_addr));
        match handshake.await {
            Err(_elapsed) => self.refused(remote_addr, "handshake_timeout", ""),
            Ok(None) => {}
            Ok(Some((socket, info))) => {
                let connection = Connection { socket, info, _slot: slot };
                // The server is gone when this fails, and the connection goes with it.
                let _taken = self.sender.send(Ok(connection)).await.is_ok();
            }
        }
    }

    async fn handshake(&self, tcp: TcpStream, remote_addr: SocketAddr) -> Option<(Socket, ConnectionInfo)> {
        let Some(tls) = &self.tls else {
            return Some((Socket::Plain(tcp), ConnectionInfo { remote_addr, encrypted: false, identity: None }));
        };
        let acceptor = TlsAcceptor::from(tls.reloading().current());
        let stream = match acceptor.accept(tcp).await {
            Ok(stream) => stream,
            Err(error) => {
                self.refused(remote_addr, "handshake", &error.to_string());
                return None;
            }
        };
        match tls.audience.admit(stream.get_ref().1.peer_certificates()) {
            Ok(identity) => {
                Some((Socket::Tls(Box::new(stream)), ConnectionInfo { remote_addr, encrypted: true, identity }))
            }
            Err(refusal) => {
                self.refused(remote_addr, "identity", &refusal.to_string());
                None
            }
        }
    }
}

async fn accept_all(listener: TcpListener, door: Door) {
    let connections = Arc::new(Semaphore::new(door.limits.max_connections));
    let handshakes = Arc::new(Semaphore::new(door.limits.max_handshakes));
    let door = Arc::new(door);
    loop {
        let (tcp, remote_addr) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(listener = door.limits.listener, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            door.refused(remote_addr, "too_many", "");
            continue;
        };
        let slot = Slot::new(door.limits.listener, permit);
        if let Err(error) = tcp.set_nodelay(true) {
            // The other end is gone already.
            door.refused(remote_addr, "handshake", &error.to_string());
            continue;
        }
        let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let door = Arc::clone(&door);
        drop(tasks::spawn("handshake", async move {
            door.greet(tcp, remote_addr, slot).await;
            drop(turn);
        }));
    }
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Socket::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
