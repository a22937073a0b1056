//! One forwarder: a listener, and two pumps for each connection.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a link is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Condition {
    is_cut: bool,
    delay: Duration,
    /// Connections that began before the newest reset are over.
    resets: u64,
}

/// See the module. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Link {
    address: SocketAddr,
    condition: watch::Sender<Condition>,
    listening: JoinHandle<()>,
}

impl Link {
    pub(super) async fn to(target: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let condition = watch::Sender::new(Condition::default());
        let listening = tokio::spawn(listen(listener, target, condition.subscribe()));
        Ok(Self { address, condition, listening })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn cut(&self) {
        self.condition.send_modify(|condition| condition.is_cut = true);
    }

    pub(super) fn slow_down(&self, delay: Duration) {
        self.condition.send_modify(|condition| condition.delay = delay);
    }

    pub(super) fn reset(&self) {
        self.condition.send_modify(|condition| condition.resets += 1);
    }

    pub(super) fn heal(&self) {
        self.condition.send_modify(|condition| {
            *condition = Condition { resets: condition.resets, ..Condition::default() };
        });
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, target: String, condition: watch::Receiver<Condition>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(carry(near, target.clone(), condition.clone()));
    }
}

/// Carries a connection until one of its sides ends it, a reset comes, or the link is gone.
async fn carry(mut near: TcpStream, target: String, mut condition: watch::Receiver<Condition>) {
    let begun = condition.borrow().resets;
    // What is cut takes connections and is silent.
    if condition.wait_for(|now| !now.is_cut || now.resets > begun).await.is_err() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    for stream in [&near, &far] {
        stream.set_nodelay(true).ok();
    }
    let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
    let (there, back, mut resets) = (condition.clone(), condition.clone(), condition);
    tokio::select! {
        () = pump(near_in, far_out, there) => {}
        () = pump(far_in, near_out, back) => {}
        _ = resets.wait_for(|now| now.resets > begun) => {}
    }
    for stream in [&near, &far] {
        stream.set_zero_linger().ok();
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut condition: watch::Receiver<Condition>,
) {
    let mut buffer = vec![0; 16_384];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let delay = condition.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let passes = condition.wait_for(|now| !now.is_cut).await.is_ok();
        if !passes || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
