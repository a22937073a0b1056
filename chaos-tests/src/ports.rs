//! Ports for processes that are started later.
//!
//! They lie below those that the kernel gives to outgoing connections (`ip_local_port_range`, from 32,768 on). From among those, a
//! node that dials a peer which does not listen yet could be given the very port of that peer, and even be connected to itself (TCP's
//! simultaneous open); the peer then finds its port taken, and the cluster never begins.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context;

const FIRST: u16 = 12_000;
const COUNT: u16 = 16_000;

/// A port on loopback that nobody listens at now. No two calls in one process give the same before all were given.
///
/// # Errors
/// When all are taken.
pub fn free() -> anyhow::Result<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Processes that run at once begin at places of their own.
    let start = u16::try_from(u64::from(std::process::id()) * 97 % u64::from(COUNT))?;
    for _ in 0..COUNT {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + given) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    None.context("no port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_none_of_outgoing_connections() {
        let mut ports: Vec<u16> = (0..30).map(|_| free().expect("one is free")).collect();
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)), "{ports:?}");
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 30);
    }

    #[test]
    fn a_port_that_is_taken_is_not_given() {
        let taken = free().expect("one is free");
        let _held = TcpListener::bind(("127.0.0.1", taken)).expect("it was free");
        assert_ne!(free().expect("one is free"), taken);
    }
}
