//! What one query may take. Whoever goes over it is told which bound it was, and how large that is.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use muster_query::execute::{Interrupt, Stop};

/// Bounds of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryBudget {
    /// How long it may take.
    pub time: Duration,
    /// Bytes that its orders, groups and documents may take.
    pub memory_bytes: usize,
    /// Rows that may be looked at one by one, in all passes together.
    pub rows: usize,
    /// Rows that may have changed since an `AS OF`, and are read from documents.
    pub changed_rows: usize,
}

impl Default for QueryBudget {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), memory_bytes: 512 << 20, rows: 100_000_000, changed_rows: 200_000 }
    }
}

/// Bounds of live queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveLimits {
    /// Of a node at a time.
    pub queries: usize,
    /// Rows of one answer.
    pub rows: usize,
    /// Bytes of one answer.
    pub bytes: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self { queries: 20_000, rows: 200_000, bytes: 256 << 20 }
    }
}

/// The budget of a running query.
pub(crate) struct Spending {
    budget: QueryBudget,
    started: Instant,
    rows: AtomicUsize,
    memory_bytes: AtomicUsize,
    /// Nobody waits for the answer any more.
    gone: std::sync::Arc<AtomicBool>,
}

impl Spending {
    pub(crate) fn new(budget: QueryBudget, gone: std::sync::Arc<AtomicBool>) -> Self {
        let (rows, memory_bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { budget, started: crate::raft::now(), rows, memory_bytes, gone }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Interrupt for Spending {
    fn check(&self, rows: usize, memory_bytes: usize) -> Result<(), Stop> {
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        self.memory_bytes.fetch_max(memory_bytes, Ordering::Relaxed);
        let QueryBudget { time, memory_bytes: most, rows: most_rows, .. } = self.budget;
        if memory_bytes > most {
            return Err(Stop::Budget(format!("the query takes more than {} MiB of memory", most >> 20)));
        }
        if rows > most_rows {
            return Err(Stop::Budget(format!("the query looks at more than {most_rows} rows one by one")));
        }
        if self.started.elapsed() > time {
            return Err(Stop::Budget(format!("the query takes longer than {} ms", time.as_millis())));
        }
        if self.gone.load(Ordering::Relaxed) {
            return Err(Stop::Budget("nobody waits for the answer any more".to_owned()));
        }
        Ok(())
    }
}

/// Tells a running query that nobody waits for it any more, when it is dropped.
pub(crate) struct Waiting(pub(crate) std::sync::Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
