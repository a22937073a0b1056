//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How often a condition is asked.
const PAUSE: Duration = Duration::from_millis(25);

/// Asks `condition` until it answers, or fails after `limit` with the last reason it gave.
///
/// # Errors
/// When the limit is reached.
pub async fn eventually<T, F>(what: &str, limit: Duration, mut condition: F) -> anyhow::Result<T>
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let started = Instant::now();
    loop {
        match condition().await {
            Ok(value) => return Ok(value),
            Err(reason) if started.elapsed() > limit => {
                anyhow::bail!("{what}: not within {limit:?}; last: {reason}");
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
