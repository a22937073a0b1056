//! Tasks and the end of the process: named spawning, the signal to stop, and dying with a reason.
//!
//! Deliberately does not know what any task does, nor in which order a node stops (`server.rs`).
//!
//! - A task that panics ends the process: the hook of [`crate::telemetry::install_panic_hook`] runs before any
//!   unwinding, so there is no node that lives on with half of its parts.
//! - A [`StopSignal`] once given stays given.

use std::future::Future;
use std::io::Write;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// The node stopped because it was asked to.
pub const EXIT_STOPPED: i32 = 0;
/// The node could not start: configuration, files, addresses, another process on its data.
pub const EXIT_CANNOT_START: i32 = 1;
/// Its disk failed or contradicts itself; it must not answer differently from its peers.
pub const EXIT_STORAGE: i32 = 70;
/// This node was removed from its cluster.
pub const EXIT_REMOVED: i32 = 72;
/// Data that was durable is gone: the node must be replaced, or its directory put back.
pub const EXIT_DATA_LOST: i32 = 73;
/// It differs from the majority of its cluster; it must not answer any more, and its data has to be replaced.
pub const EXIT_DIVERGED: i32 = 74;
/// A bug: some part panicked.
pub const EXIT_PANIC: i32 = 71;

/// Spawns a task whose log lines carry `name`.
#[allow(clippy::disallowed_methods, reason = "this is the one place that may spawn")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.instrument(tracing::info_span!("task", name)))
}

/// Runs synchronous work that may take long on a thread of its own, away from the threads that drive tasks. `None` when
/// the runtime ends before the work began; a panic goes on in the caller.
pub async fn blocking<T>(work: impl FnOnce() -> T + Send + 'static) -> Option<T>
where
    T: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Some(result),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// Ends the process at once, saying why. For faults after which another answer could be a wrong one.
pub fn die(code: i32, reason: &str) -> ! {
    tracing::error!(exit_code = code, "{reason}; this process ends here");
    end(code)
}

/// Ends the process at once and silently, without the destructors that `exit` runs: those of RocksDB's static objects make
/// its threads abort the process when they are at work, and a supervisor would see a signal instead of the code.
pub fn end(code: i32) -> ! {
    let _written = std::io::stdout().flush().is_ok() && std::io::stderr().flush().is_ok();
    signal_hook::low_level::exit(code)
}

/// Makes the two ends of a signal to stop.
#[must_use]
pub fn stop_pair() -> (Stopper, StopSignal) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), StopSignal(receiver))
}

/// The end that says "stop". Dropping it says it too, so that nobody waits for one who is gone.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Asks all holders of a [`StopSignal`] to stop. Saying it twice changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// The end that hears it.
#[derive(Clone, Debug)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Returns once stopping was asked for, at once if that was earlier.
    pub async fn stopped(mut self) {
        // An error means that the stopper was dropped, which asks for the same.
        let _asked_or_gone = self.0.wait_for(|stop| *stop).await.is_ok();
    }

    /// Whether stopping was asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

/// Returns when the operating system asks this process to end, with the name of the signal. Ends the process when the
/// signals cannot be listened to: a node that only `kill -9` can stop should not begin.
pub async fn shutdown_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let listened =
        signal(SignalKind::terminate()).and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) = match listened {
        Ok(both) => both,
        Err(error) => die(EXIT_CANNOT_START, &format!("cannot listen to SIGTERM and SIGINT: {error}")),
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_reaches_those_who_ask_before_and_after() {
        let (stopper, signal) = stop_pair();
        let early = spawn("early", signal.clone().stopped());
        assert!(!signal.is_stopped());
        stopper.stop();
        early.await.expect("the task ends by the signal");
        assert!(signal.is_stopped());
        signal.stopped().await;
    }

    #[tokio::test]
    async fn a_dropped_stopper_stops() {
        let (stopper, signal) = stop_pair();
        drop(stopper);
        assert!(signal.is_stopped());
        signal.stopped().await;
    }
}
