//! The network: byte streams between hosts, with a delay, and all that can happen to them.
//!
//! What the nodes see is what TCP shows: bytes in order, late, or a connection that breaks. A packet that is lost is one that comes
//! later, so loss is a delay here; a link that is cut keeps what is on its way until it heals, as retransmission does.
//!
//! - Links have a direction: each can be slow or cut for itself.
//! - A process that ends is noticed by its peers at once (their connections are reset); a machine that is off is not.
//! - Time is in whole milliseconds, because the runtime's timers are.

mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use muster_sim_std::chance::Chance;
use muster_sim_std::trace;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use stream::Pipe;
pub use stream::Stream;

/// Where the connections to a host go.
pub type Listener = mpsc::UnboundedSender<io::Result<Stream>>;

/// What a host does with somebody who wants to connect.
#[derive(Debug)]
enum Host {
    Listens(Listener),
    /// The machine runs, the process does not.
    Refuses,
    /// Nothing answers.
    Silent,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    hosts: BTreeMap<u64, Host>,
    cut: BTreeSet<(u64, u64)>,
    delays_us: BTreeMap<(u64, u64), (u64, u64)>,
    delay_us: (u64, u64),
    pipes: Vec<Weak<Pipe>>,
    connections: u64,
}

/// The network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Net(Arc<Mutex<State>>);

impl Net {
    /// A network that is well, with delays of `delay_us` at least and at most.
    #[must_use]
    pub fn new(seed: u64, delay_us: (u64, u64)) -> Self {
        Self(Arc::new(Mutex::new(State {
            chance: Chance::new(seed),
            hosts: BTreeMap::new(),
            cut: BTreeSet::new(),
            delays_us: BTreeMap::new(),
            delay_us,
            pipes: Vec::new(),
            connections: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host takes connections.
    pub fn listen(&self, host: u64, listener: Listener) {
        let mut state = self.lock();
        // What was open to its earlier life meets a machine that knows nothing of it.
        state.break_pipes_of(host);
        state.hosts.insert(host, Host::Listens(listener));
    }

    /// The process of a host has ended.
    pub fn process_ended(&self, host: u64) {
        let mut state = self.lock();
        state.break_pipes_of(host);
        state.hosts.insert(host, Host::Refuses);
    }

    /// A host is off: its peers hear nothing any more, not even that.
    pub fn power_off(&self, host: u64) {
        let mut state = self.lock();
        for pipe in state.live_pipes() {
            if pipe.from == host || pipe.to == host {
                pipe.fall_silent(host);
            }
        }
        state.hosts.insert(host, Host::Silent);
    }

    /// Cuts the way from one host to another, or heals it.
    pub fn cut(&self, from: u64, to: u64, cut: bool) {
        let mut state = self.lock();
        trace::note("cut", [from, to, cut.into()]);
        if cut {
            state.cut.insert((from, to));
        } else if state.cut.remove(&(from, to)) {
            state.live_pipes().iter().filter(|pipe| (pipe.from, pipe.to) == (from, to)).for_each(|pipe| pipe.wake());
        }
    }

    /// Sets the delay of one way; `None` for that of all.
    pub fn slow(&self, from: u64, to: u64, delay_us: Option<(u64, u64)>) {
        let mut state = self.lock();
        match delay_us {
            Some(delay) => state.delays_us.insert((from, to), delay),
            None => state.delays_us.remove(&(from, to)),
        };
    }

    /// Everything is well again.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.cut.clear();
        state.delays_us.clear();
        state.live_pipes().iter().for_each(|pipe| pipe.wake());
    }

    /// Resets all connections between two hosts.
    pub fn reset(&self, one: u64, other: u64) {
        let mut state = self.lock();
        for pipe in state.live_pipes() {
            if (pipe.from, pipe.to) == (one, other) || (pipe.from, pipe.to) == (other, one) {
                pipe.break_off();
            }
        }
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    fn is_cut(&self, from: u64, to: u64) -> bool {
        self.lock().cut.contains(&(from, to))
    }

    fn delay(&self, from: u64, to: u64) -> Duration {
        let mut state = self.lock();
        let (low, high) = state.delays_us.get(&(from, to)).copied().unwrap_or(state.delay_us);
        Duration::from_micros(state.chance.between(low, high))
    }

    /// Connects one host to another.
    ///
    /// # Errors
    /// When the other one refuses, or does not answer for long.
    pub async fn connect(self, from: u64, to: u64) -> io::Result<Stream> {
        sleep(self.delay(from, to) + self.delay(to, from)).await;
        let answers = !self.is_cut(from, to) && !self.is_cut(to, from);
        let listener = match self.lock().hosts.get(&to) {
            Some(Host::Listens(listener)) if answers => Some(listener.clone()),
            Some(Host::Refuses) if answers => return Err(io::ErrorKind::ConnectionRefused.into()),
            _ => None,
        };
        let Some(listener) = listener else {
            sleep(Duration::from_secs(20)).await;
            return Err(io::ErrorKind::TimedOut.into());
        };
        let (near, far) = {
            let mut state = self.lock();
            state.connections += 1;
            let (there, back) = (Pipe::new(from, to), Pipe::new(to, from));
            state.pipes.retain(|pipe| pipe.strong_count() > 0);
            state.pipes.extend([Arc::downgrade(&there), Arc::downgrade(&back)]);
            (Stream::new(self.clone(), Arc::clone(&back), Arc::clone(&there)), Stream::new(self.clone(), there, back))
        };
        trace::note("connect", [from, to, 0]);
        listener.send(Ok(far)).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(near)
    }

    /// When bytes that are sent now arrive.
    fn arrival(&self, from: u64, to: u64) -> Instant {
        Instant::now() + self.delay(from, to)
    }
}

impl State {
    fn live_pipes(&mut self) -> Vec<Arc<Pipe>> {
        self.pipes.iter().filter_map(Weak::upgrade).collect()
    }

    fn break_pipes_of(&mut self, host: u64) {
        for pipe in self.live_pipes() {
            if pipe.from == host || pipe.to == host {
                pipe.break_off();
            }
        }
    }
}
