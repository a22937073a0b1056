//! The machine's clocks. Nothing about what is right depends on them.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// By how much a test wants the clock to be wrong, milliseconds; only in builds with debug assertions.
static WRONG_BY_MS: LazyLock<i64> = LazyLock::new(|| {
    let setting = if cfg!(debug_assertions) { std::env::var("MUSTER_CLOCK_OFFSET_MS").ok() } else { None };
    setting.and_then(|setting| setting.parse().ok()).unwrap_or_default()
});

/// Milliseconds since 1970-01-01 UTC; 0 before.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    now_ms.saturating_add_signed(*WRONG_BY_MS)
}

/// Time that never goes back, milliseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Monotonic(Instant);

impl Monotonic {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now_ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
