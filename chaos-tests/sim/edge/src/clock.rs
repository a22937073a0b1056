//! The clock of a simulated edge: simulated time. In place of the agent's own `clock.rs`.

/// When all runs begin: milliseconds since 1970.
const BEGIN_MS: u64 = 1_790_000_000_000;

fn passed_ms() -> u64 {
    std::baton::now_ns() / 1_000_000
}

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn wall_ms() -> u64 {
    BEGIN_MS + passed_ms()
}

/// Time that never goes back, milliseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Monotonic(u64);

impl Monotonic {
    pub(crate) fn start() -> Self {
        Self(passed_ms())
    }

    pub(crate) fn now_ms(self) -> u64 {
        passed_ms() - self.0
    }
}
