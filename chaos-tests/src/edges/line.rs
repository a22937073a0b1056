//! The line between one edge and the nodes: forwarders that carry bytes late, lose them silently, and break off in the middle
//! of anything. It knows no message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::Rng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use super::connection;

/// How the connections of a line end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// At once, and both sides are told.
    Reset,
    /// Nothing passes any more, and nobody is told.
    Silence,
    /// After so many more bytes to the cluster (or from it).
    After { is_up: bool, bytes: u64 },
}

impl Cut {
    pub(crate) fn choose(chance: &mut StdRng) -> Self {
        let (kind, is_up, scale) = (chance.random_range(0..10), chance.random(), chance.random_range(1..15));
        match kind {
            0..4 => Self::Reset,
            4 => Self::Silence,
            // In the middle of a handshake or a message as well: any scale is as likely.
            _ => Self::After { is_up, bytes: chance.random_range(0..1_u64 << scale) },
        }
    }
}

/// What happened on all lines.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    resets: AtomicU64,
    silences: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

impl Tally {
    fn of(&self, cut: Cut) -> &AtomicU64 {
        match cut {
            Cut::Reset => &self.resets,
            Cut::Silence => &self.silences,
            Cut::After { is_up: true, .. } => &self.up,
            Cut::After { is_up: false, .. } => &self.down,
        }
    }

    /// Cuts that hit an open connection.
    pub(crate) fn cuts(&self) -> u64 {
        [&self.resets, &self.silences, &self.up, &self.down].map(|count| count.load(Ordering::SeqCst)).iter().sum()
    }
}

/// A cut with its number.
pub(crate) type Order = (u64, Cut);

/// What a line and its connections know.
pub(crate) struct Shared {
    pub(crate) orders: broadcast::Sender<Order>,
    given: AtomicU64,
    /// The newest order that was counted: one that hits several connections is one cut.
    counted: AtomicU64,
    /// Bytes from the cluster since the newest order.
    pub(crate) heard: AtomicU64,
    pub(crate) delay_ms: AtomicU64,
    /// No cut that is still to come does come.
    pub(crate) is_healed: AtomicBool,
    tally: Arc<Tally>,
}

impl Shared {
    pub(crate) fn count(&self, (number, cut): Order) {
        if self.counted.fetch_max(number, Ordering::SeqCst) < number {
            self.tally.of(cut).fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// See the module. It ends when it is dropped.
pub(crate) struct Line {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Line {
    /// To the client ports of nodes, `https://HOST:PORT`.
    pub(crate) async fn to(endpoints: &[String], tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            orders: broadcast::channel(16).0,
            given: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            delay_ms: AtomicU64::new(0),
            is_healed: AtomicBool::new(false),
            tally: Arc::clone(tally),
        });
        let (mut addresses, mut tasks) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push(listener.local_addr()?);
            let target = endpoint.trim_start_matches("https://").to_owned();
            tasks.push(tokio::spawn(accept(listener, target, Arc::clone(&shared))));
        }
        Ok(Self { shared, addresses, tasks })
    }

    /// What the edge takes for its cluster.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("https://{address}")).collect()
    }

    /// Whether the cluster was heard since the newest cut.
    pub(crate) fn is_alive(&self) -> bool {
        self.shared.heard.load(Ordering::SeqCst) > 0
    }

    /// For the connections that are open now.
    pub(crate) fn cut(&self, cut: Cut) {
        let number = self.shared.given.fetch_add(1, Ordering::SeqCst) + 1;
        self.shared.heard.store(0, Ordering::SeqCst);
        // Nobody listens while there is no connection: then nothing is cut, and nothing counted.
        self.shared.orders.send((number, cut)).ok();
    }

    /// Bytes take so long from now on, either way.
    pub(crate) fn delay(&self, delay_ms: u64) {
        self.shared.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Nothing breaks any more. What is silent stays so: its ends have to find out by themselves.
    pub(crate) fn heal(&self) {
        self.shared.is_healed.store(true, Ordering::SeqCst);
        self.delay(0);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, target: String, shared: Arc<Shared>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(connection::carry(near, target.clone(), Arc::clone(&shared)));
    }
}
