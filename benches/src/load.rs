//! The closed loop: every client sends its next call when the last one was answered, for a bounded time.
//!
//! Knows neither systems nor gRPC.
//!
//! Invariants:
//! - Only answers that arrive inside the window count, for rate, latency and processor time alike.
//! - Errors count from the first call on, warm-up included.
//! - [`drive`] ends at the latest [`GRACE`] after the window, whatever the clients do.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::machine::processor_time;

/// How long clients may take after the window to get their last answers.
const GRACE: Duration = Duration::from_secs(10);

/// Pause of a client after an error, so that a refusing server is not flooded.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// One client's whole run.
pub(crate) type Client = Pin<Box<dyn Future<Output = Tally> + Send>>;

/// The time in which answers count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    begin: Instant,
    end: Instant,
}

impl Window {
    /// Begins after the warm-up, counted from now.
    pub(crate) fn after(warmup: Duration, measured: Duration) -> Self {
        let begin = Instant::now() + warmup;
        Self { begin, end: begin + measured }
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }
}

/// What one client, or all of them, saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latencies_us: Vec<u32>,
    operations: u64,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    /// A call that was sent at `sent`, did `operations` and was answered at `now`.
    pub(crate) fn answered(&mut self, window: &Window, sent: Instant, now: Instant, operations: u32) {
        if now >= window.begin && now < window.end {
            self.latencies_us.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
            self.operations += u64::from(operations);
        }
    }

    pub(crate) fn failed(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }

    fn absorb(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        self.operations += other.operations;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// Something that can be called again and again.
pub(crate) trait Caller: Send + 'static {
    /// Makes one call and checks its answer; returns how many operations it did.
    fn call(&mut self) -> impl Future<Output = Result<u32, String>> + Send;
}

/// The run of a client that makes one call after the other.
pub(crate) fn closed_loop(mut caller: impl Caller, window: Window) -> Client {
    Box::pin(async move {
        let mut tally = Tally::default();
        let mut sent = Instant::now();
        while !window.is_over(sent) {
            let outcome = caller.call().await;
            let now = Instant::now();
            match outcome {
                Ok(operations) => tally.answered(&window, sent, now, operations),
                Err(error) => {
                    tally.failed(error);
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
            sent = Instant::now();
        }
        tally
    })
}

/// What one measurement gave.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    /// Operations answered inside the window.
    pub(crate) operations: u64,
    /// Operations per second.
    pub(crate) rate: f64,
    /// Latency of a call in µs; of a patch on a stream, from sending it to its answer.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    /// Processor time per operation in µs, of each process of the system, and last of the load itself.
    pub(crate) cpu_us_per_operation: Vec<(String, f64)>,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
}

impl Figures {
    /// A measurement counts only without a single error, and with anything done at all.
    pub(crate) fn is_sound(&self) -> bool {
        self.errors == 0 && self.operations > 0
    }
}

/// Runs the clients through the window, with an eye on the processor time of the given processes.
pub(crate) async fn drive(clients: Vec<Client>, window: Window, processes: &[(String, u32)]) -> Result<Figures> {
    drive_with_grace(clients, window, processes, GRACE).await
}

async fn drive_with_grace(
    clients: Vec<Client>,
    window: Window,
    processes: &[(String, u32)],
    grace: Duration,
) -> Result<Figures> {
    let mut watched = processes.to_vec();
    watched.push(("load".to_owned(), std::process::id()));
    let mut running: JoinSet<Tally> = clients.into_iter().collect();

    sleep_until(window.begin).await;
    let before = spent(&watched)?;
    let begin = Instant::now();
    sleep_until(window.end).await;
    let after = spent(&watched)?;
    let seconds = begin.elapsed().as_secs_f64();

    let mut total = Tally::default();
    while let Ok(joined) = timeout_at(window.end + grace, running.join_next()).await {
        match joined {
            Some(Ok(tally)) => total.absorb(tally),
            Some(Err(error)) => bail!("a client of the load stopped: {error}"),
            None => {
                let cpu = watched.iter().zip(before.iter().zip(&after)).map(|((name, _), (before, after))| {
                    let micros = after.saturating_sub(*before).as_secs_f64() * 1e6;
                    (name.clone(), micros / total.operations.max(1) as f64)
                });
                return Ok(figures(cpu.collect(), &total, seconds));
            }
        }
    }
    let stuck = running.len();
    total.failed(format!("{stuck} clients had no answer {grace:?} after the end"));
    Ok(figures(Vec::new(), &total, seconds))
}

fn spent(processes: &[(String, u32)]) -> Result<Vec<Duration>> {
    processes.iter().map(|(_, pid)| processor_time(*pid)).collect()
}

fn figures(cpu_us_per_operation: Vec<(String, f64)>, total: &Tally, seconds: f64) -> Figures {
    let mut latencies = Histogram::<u64>::new_with_max(u64::from(u32::MAX), 3).expect("these bounds are valid");
    for micros in &total.latencies_us {
        latencies.saturating_record(u64::from(*micros));
    }
    Figures {
        operations: total.operations,
        rate: total.operations as f64 / seconds,
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
        max_us: latencies.max(),
        cpu_us_per_operation,
        errors: total.errors,
        first_error: total.first_error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Steady(Result<u32, String>);

    impl Caller for Steady {
        async fn call(&mut self) -> Result<u32, String> {
            sleep(Duration::from_millis(10)).await;
            self.0.clone()
        }
    }

    #[tokio::test]
    async fn rate_and_latency_follow_from_the_answers() {
        let window = Window::after(Duration::from_millis(50), Duration::from_millis(500));
        let clients = (0..4).map(|_| closed_loop(Steady(Ok(3)), window)).collect();
        let figures = drive(clients, window, &[]).await.unwrap();
        assert!(figures.is_sound());
        // Four clients, three operations each 10 ms: at most 1,200 a second; a busy machine only makes it less.
        assert!(figures.rate > 100.0 && figures.rate < 1_300.0, "{figures:?}");
        assert!(figures.p50_us >= 10_000 && figures.p99_us >= figures.p50_us, "{figures:?}");
        assert_eq!(figures.cpu_us_per_operation.len(), 1);
    }

    #[tokio::test]
    async fn one_error_spoils_a_run_even_before_the_window() {
        let window = Window::after(Duration::from_millis(100), Duration::from_millis(100));
        let mut bad = Tally::default();
        bad.failed("refused".to_owned());
        let clients: Vec<Client> = vec![closed_loop(Steady(Ok(1)), window), Box::pin(async move { bad })];
        let figures = drive(clients, window, &[]).await.unwrap();
        assert!(!figures.is_sound());
        assert_eq!(figures.first_error.as_deref(), Some("refused"));
    }

    #[tokio::test]
    async fn clients_that_hang_are_left_behind() {
        let window = Window::after(Duration::ZERO, Duration::from_millis(100));
        let clients: Vec<Client> = vec![Box::pin(std::future::pending())];
        let figures = drive_with_grace(clients, window, &[], Duration::from_millis(100)).await.unwrap();
        assert!(!figures.is_sound());
        assert!(figures.first_error.unwrap().contains("1 clients had no answer"));
    }

    #[tokio::test]
    async fn answers_outside_the_window_do_not_count() {
        let window = Window::after(Duration::from_secs(5), Duration::from_secs(5));
        let mut tally = Tally::default();
        let now = Instant::now();
        tally.answered(&window, now, now, 1);
        tally.answered(&window, now, now + Duration::from_secs(20), 1);
        assert_eq!(tally.operations, 0);
        tally.answered(&window, now, now + Duration::from_secs(6), 1);
        assert_eq!(tally.operations, 1);
    }
}
