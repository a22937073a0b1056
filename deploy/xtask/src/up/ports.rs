//! Which ports the nodes of a development cluster listen on, and whether they are free.
//!
//! Everything is on 127.0.0.1. Node i (from 0) has its client port at base + 10 i, the peer port one above, HTTP two
//! above. Being free is checked by binding, which is the only honest answer, and only an early one: a node that finds
//! its port taken after all says so itself.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// The distance between the ports of two nodes.
const STRIDE: u16 = 10;

/// How far apart the bases are that we propose when one is taken.
const NEXT_BASE: u16 = 100;

/// The three ports of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) client: u16,
    pub(super) peer: u16,
    pub(super) http: u16,
}

impl Ports {
    /// The ports of every node of a cluster.
    pub(super) fn of_cluster(base: u16, nodes: u16) -> Result<Vec<Self>> {
        (0..nodes)
            .map(|index| {
                let client = index.checked_mul(STRIDE).and_then(|offset| base.checked_add(offset));
                client
                    .filter(|client| *client > 0 && *client <= u16::MAX - 2)
                    .map(|client| Self { client, peer: client + 1, http: client + 2 })
                    .with_context(|| format!("--port-base {base} leaves no room for the ports of {nodes} nodes"))
            })
            .collect()
    }

    fn all(self) -> [u16; 3] {
        [self.client, self.peer, self.http]
    }
}

/// Fails with the ports that are taken and a base whose ports are free.
pub(super) fn require_free(base: u16, nodes: u16) -> Result<()> {
    let taken = taken(&Ports::of_cluster(base, nodes)?);
    if taken.is_empty() {
        return Ok(());
    }
    let names = taken.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let other = free_base(base, nodes)
        .map(|base| format!("; these are free: `cargo xtask up --port-base {base} --dir .muster-{base}`"));
    bail!("taken on 127.0.0.1: {names} (another `cargo xtask up`?){}", other.unwrap_or_default())
}

fn taken(ports: &[Ports]) -> Vec<u16> {
    let all = ports.iter().flat_map(|ports| ports.all());
    all.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err()).collect()
}

fn free_base(base: u16, nodes: u16) -> Option<u16> {
    (1..=20)
        .filter_map(|step| base.checked_add(NEXT_BASE * step))
        .find(|base| Ports::of_cluster(*base, nodes).is_ok_and(|ports| taken(&ports).is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_ports() {
        let ports = Ports::of_cluster(7420, 3).expect("they fit");
        assert_eq!(ports[0], Ports { client: 7420, peer: 7421, http: 7422 });
        assert_eq!(ports[2], Ports { client: 7440, peer: 7441, http: 7442 });
    }

    #[test]
    fn ports_end_where_ports_end() {
        assert!(Ports::of_cluster(65_533, 1).is_ok());
        assert!(Ports::of_cluster(65_534, 1).is_err());
        assert!(Ports::of_cluster(65_530, 2).is_err());
        assert!(Ports::of_cluster(0, 1).is_err());
    }

    #[test]
    fn a_taken_port_is_named_and_free_ones_are_proposed() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let port = held.local_addr().expect("bound").port();
        // The held port may serve any of the three purposes.
        let base = port.saturating_sub(1).clamp(1, 65_000);
        let error = require_free(base, 1).expect_err("one is held").to_string();
        assert!(error.contains(&port.to_string()), "{error}");
    }
}
