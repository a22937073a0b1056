//! One connection of a line: two pumps, and the cut that ends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};

use super::line::{Cut, Order, Shared};

/// What is known of a connection while it is carried.
struct Connection<'a> {
    shared: &'a Shared,
    is_silent: AtomicBool,
    /// The newest order to break off after some bytes.
    limit: watch::Sender<Option<Order>>,
}

/// Carries a connection until one of its sides ends it, or a cut does.
pub(crate) async fn carry(mut near: TcpStream, target: String, shared: Arc<Shared>) {
    let orders = shared.orders.subscribe();
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    for stream in [&near, &far] {
        stream.set_nodelay(true).ok();
    }
    let connection = Connection { shared: &shared, is_silent: AtomicBool::new(false), limit: watch::Sender::new(None) };
    let cut = {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        tokio::select! {
            cut = connection.pump(near_in, far_out, true) => cut,
            cut = connection.pump(far_in, near_out, false) => cut,
            cut = connection.obey(orders) => cut,
        }
    };
    if let Some(cut) = cut {
        shared.count(cut);
        for stream in [&near, &far] {
            // A reset: what waits in the socket is lost with it.
            stream.set_zero_linger().ok();
        }
    }
}

impl Connection<'_> {
    /// Returns with the order that ends the connection at once.
    async fn obey(&self, mut orders: broadcast::Receiver<Order>) -> Option<Order> {
        loop {
            let (number, cut) = match orders.recv().await {
                Ok(order) => order,
                // As if it had not been given.
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
            };
            if self.is_silent.load(Ordering::SeqCst) {
                // It is cut already, and its ends have to find out by themselves.
                continue;
            }
            match cut {
                Cut::Reset => return Some((number, cut)),
                Cut::Silence => {
                    self.is_silent.store(true, Ordering::SeqCst);
                    self.shared.count((number, cut));
                }
                Cut::After { .. } => {
                    self.limit.send_replace(Some((number, cut)));
                }
            }
        }
    }

    /// Returns at the end of either side (`None`), or with the order that broke it off.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        is_up: bool,
    ) -> Option<Order> {
        let mut buffer = vec![0; 8_192];
        let (mut newest, mut left) = (0, u64::MAX);
        loop {
            let read = from.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            let delay_ms = self.shared.delay_ms.load(Ordering::SeqCst);
            if delay_ms > 0 {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            }
            if self.is_silent.load(Ordering::SeqCst) {
                continue;
            }
            let order = *self.limit.borrow();
            if let Some((number, Cut::After { is_up: way, bytes })) = order
                && way == is_up
                && number > newest
            {
                (newest, left) = (number, bytes);
            }
            if self.shared.is_healed.load(Ordering::SeqCst) {
                left = u64::MAX;
            }
            let passing = read.min(usize::try_from(left).unwrap_or(usize::MAX));
            to.write_all(&buffer[..passing]).await.ok()?;
            if passing < read {
                return order;
            }
            left = if left == u64::MAX { left } else { left - passing as u64 };
            if !is_up {
                self.shared.heard.fetch_add(passing as u64, Ordering::SeqCst);
            }
        }
    }
}
