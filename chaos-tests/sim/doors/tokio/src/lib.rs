//! Stands in for `tokio` when the node's own sources are compiled for the simulation: it is tokio, but what blocks a thread blocks a
//! simulated one. See `muster_sim_std::baton`.

pub use ::tokio::*;

/// As `tokio::task`.
pub mod task {
    pub use ::tokio::task::*;

    use std::panic::resume_unwind;

    /// As `tokio::task::spawn_blocking`, on a simulated thread.
    pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (done, result) = ::tokio::sync::oneshot::channel();
        muster_sim_std::thread::spawn_blocking(move || {
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // Nobody may wait for it any more.
            drop(done.send(made));
        });
        ::tokio::spawn(async move {
            match result.await {
                Ok(Ok(made)) => made,
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// As `tokio::sync`.
pub mod sync {
    pub use ::tokio::sync::*;

    pub mod mpsc;
}
