//! Places where a test may end the agent as `kill -9` would.
//!
//! `MUSTER_FAILPOINT=name` in the environment ends the process the first time it comes by that place, `MUSTER_FAILPOINT=name:3`
//! the third time. Only in builds with debug assertions; a release never looks.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// A transaction of the store is about to be made.
    CommitBefore,
    /// It is made, and nobody was told.
    CommitAfter,
}

impl Point {
    fn name(self) -> &'static str {
        match self {
            Self::CommitBefore => "store.commit.before",
            Self::CommitAfter => "store.commit.after",
        }
    }
}

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
    let setting = std::env::var("MUSTER_FAILPOINT").ok()?;
    let (name, times) = setting.split_once(':').unwrap_or((&setting, "1"));
    Some(Armed { name: name.to_owned(), left: AtomicU64::new(times.parse().unwrap_or(1)) })
});

/// Ends the process here if a test asks for it.
pub(crate) fn reach(point: Point) {
    if cfg!(debug_assertions)
        && let Some(armed) = &*ARMED
        && armed.name == point.name()
        && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        tracing::error!(point = point.name(), "a failpoint ends this process");
        std::process::abort();
    }
}
