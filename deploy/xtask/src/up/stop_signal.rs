//! Notices Ctrl-C, SIGTERM and a closed terminal while a cluster runs.
//!
//! The first one asks for an orderly stop, the second one for a quick one. Before `listen` is called signals end xtask
//! at once, as they do any program; nothing runs then that would need an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// What was asked for since `listen`.
#[derive(Clone)]
pub(super) struct StopSignal {
    asked: Arc<AtomicBool>,
    again: Arc<AtomicBool>,
}

impl StopSignal {
    /// From now on signals are noticed here and end nothing by themselves.
    pub(super) fn listen() -> Result<Self> {
        let signal = Self { asked: Arc::default(), again: Arc::default() };
        for number in [SIGINT, SIGTERM, SIGHUP] {
            flag::register(number, Arc::clone(&signal.asked)).context("listening for Ctrl-C")?;
        }
        Ok(signal)
    }

    /// Whether somebody wants us to stop.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Takes note of the first request, so that `again` tells of the next one.
    pub(super) fn acknowledge(&self) {
        if self.asked.swap(false, Ordering::Relaxed) {
            self.again.store(true, Ordering::Relaxed);
        }
    }

    /// Whether, after `acknowledge`, somebody asked once more.
    pub(super) fn again(&self) -> bool {
        self.again.load(Ordering::Relaxed) && self.asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{Signal, raise};

    #[test]
    fn the_second_request_is_told_from_the_first() {
        let signal = StopSignal::listen().expect("listening");
        assert!(!signal.asked() && !signal.again());
        raise(Signal::SIGTERM).expect("raised");
        assert!(signal.asked() && !signal.again());
        signal.acknowledge();
        assert!(!signal.again());
        raise(Signal::SIGINT).expect("raised");
        assert!(signal.again());
    }
}
