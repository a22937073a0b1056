//! Many edges at a time, each on a task of its own: connecting, staying connected, and coming back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, sleep, timeout};

use super::link::Edge;
use crate::connections::Tls;

/// How long one edge may take to be in step, in a crowd.
const ONE_WITHIN: Duration = Duration::from_secs(120);
/// How long all may take.
const ALL_WITHIN: Duration = Duration::from_secs(600);
/// The first delay of an edge that comes back, and the longest: what `sync.md` section 7 says.
const DELAYS: (f64, f64) = (0.5, 60.0);

/// What happens to an edge that is refused or loses its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It fails the measurement.
    Strict,
    /// It comes back as agents do, to another node.
    Patient,
}

/// What the edges of a crowd share.
#[derive(Debug, Default)]
struct Register {
    /// How often an edge has got in step.
    arrivals: Cell<usize>,
    /// Links that could not be opened or were lost.
    losses: Cell<u64>,
    broken: RefCell<Option<String>>,
}

/// Edges that are connected or on their way.
pub(super) struct Crowd {
    register: Rc<Register>,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Sends all edges to the first node, `at_once` of them at a time; those that come back go to the others in turn.
    pub(super) fn gather(edges: Vec<Edge>, urls: &[String], tls: Option<&Tls>, at_once: usize, manner: Manner) -> Self {
        let register = Rc::new(Register::default());
        let gate = Rc::new(Semaphore::new(at_once));
        let tasks = edges.into_iter().enumerate().map(|(at, edge)| {
            let (register, gate) = (Rc::clone(&register), Rc::clone(&gate));
            let visit = Visit { at, urls: urls.to_vec(), tls: tls.cloned(), manner, register, gate };
            spawn_local(visit.stay(edge))
        });
        Self { register: Rc::clone(&register), tasks: tasks.collect() }
    }

    /// Waits until every edge has got in step `times` times, all counted together.
    pub(super) async fn all_in_step(&self, times: usize) -> Result<Duration> {
        let (begun, wanted) = (Instant::now(), self.tasks.len() * times);
        while self.register.arrivals.get() < wanted {
            self.check()?;
            let there = self.register.arrivals.get();
            ensure!(begun.elapsed() < ALL_WITHIN, "{there} of {wanted} arrivals");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(begun.elapsed())
    }

    /// Fails when one of them has failed.
    pub(super) fn check(&self) -> Result<()> {
        match self.register.broken.borrow().clone() {
            Some(broken) => bail!("an edge failed: {broken}"),
            None => Ok(()),
        }
    }

    /// Links that could not be opened or were lost.
    pub(super) fn losses(&self) -> u64 {
        self.register.losses.get()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct Visit {
    at: usize,
    urls: Vec<String>,
    tls: Option<Tls>,
    manner: Manner,
    register: Rc<Register>,
    gate: Rc<Semaphore>,
}

impl Visit {
    /// Connects and stays, for as long as it is let.
    async fn stay(self, mut edge: Edge) {
        let (mut attempt, mut delay) = (0, DELAYS.0);
        loop {
            let arrivals = self.register.arrivals.get();
            let Err(error) = self.once(&mut edge, attempt).await;
            self.register.losses.set(self.register.losses.get() + 1);
            if self.manner == Manner::Strict {
                self.register.broken.borrow_mut().get_or_insert(error);
                return;
            }
            // One that was in step begins anew.
            delay = if self.register.arrivals.get() > arrivals { DELAYS.0 } else { (delay * 2.0).min(DELAYS.1) };
            sleep(Duration::from_secs_f64(delay * (0.5 + rand::random::<f64>()))).await;
            attempt += 1;
        }
    }

    async fn once(&self, edge: &mut Edge, attempt: usize) -> Result<std::convert::Infallible, String> {
        let url = match (attempt, &self.urls[..]) {
            (0, [first, ..]) | (_, [first]) => first,
            (_, [_, others @ ..]) => &others[(self.at + attempt) % others.len()],
            (_, []) => return Err("no node".to_owned()),
        };
        let permit = self.gate.acquire().await.map_err(|error| error.to_string())?;
        let opening = async {
            let mut link = edge.connect(url, self.tls.as_ref()).await?;
            edge.settle(&mut link).await?;
            Ok::<_, String>(link)
        };
        let mut link = timeout(ONE_WITHIN, opening).await.map_err(|_| "an edge does not get in step".to_owned())??;
        drop(permit);
        self.register.arrivals.set(self.register.arrivals.get() + 1);
        loop {
            edge.next(&mut link).await?;
        }
    }
}
