//! The network between nodes: one forwarder for each ordered pair, over which the first dials the second.
//!
//! - A link is cut in one direction of dialling: `from` does not reach `to` any more, while `to` may still call `from`. A cut
//!   link holds bytes back as a network does that drops packets: nobody is told, and what was sent arrives after the cut.
//! - A reset ends the connections of a link; both ends are told.
//! - It knows no message and no leader.

mod link;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;

use crate::cluster::{Cluster, DETOURS};
use link::Link;

/// All links of a cluster. They end with it.
#[derive(Debug)]
pub struct Network {
    links: BTreeMap<(u64, u64), Link>,
}

impl Network {
    /// Stands between all members; before they are started.
    ///
    /// # Errors
    /// When a port or file cannot be had.
    pub async fn between(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut links = BTreeMap::new();
        for from in cluster.ids() {
            let mut lines = String::new();
            for to in cluster.ids().into_iter().filter(|to| *to != from) {
                let link = Link::to(cluster.peer_address(to)).await?;
                writeln!(lines, "{} {}", cluster.peer_address(to), link.address())?;
                links.insert((from, to), link);
            }
            std::fs::write(cluster.folder_of(from).join(DETOURS), lines)?;
        }
        Ok(Self { links })
    }

    fn each(&self, concerns: impl Fn(u64, u64) -> bool) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |((from, to), _)| concerns(*from, *to)).map(|(_, link)| link)
    }

    /// `node` neither reaches nor is reached.
    pub fn isolate(&self, node: u64) {
        self.each(|from, to| from == node || to == node).for_each(Link::cut);
    }

    /// `node` reaches nobody, and is reached.
    pub fn silence(&self, node: u64) {
        self.each(|from, _| from == node).for_each(Link::cut);
    }

    /// Nobody reaches `node`, which reaches all.
    pub fn deafen(&self, node: u64) {
        self.each(|_, to| to == node).for_each(Link::cut);
    }

    /// Two nodes do not reach each other, but all others.
    pub fn part(&self, one: u64, other: u64) {
        self.each(|from, to| (from, to) == (one, other) || (from, to) == (other, one)).for_each(Link::cut);
    }

    /// One node reaches its neighbours in the order of ids only.
    pub fn ring(&self) {
        let ids: Vec<u64> = self.links.keys().map(|(from, _)| *from).collect();
        let last = ids.last().copied().unwrap_or_default();
        self.each(|from, to| from.abs_diff(to) != 1 && from.abs_diff(to) != last - 1).for_each(Link::cut);
    }

    /// Bytes from and to `node` take so long.
    pub fn slow_down(&self, node: u64, delay: Duration) {
        self.each(|from, to| from == node || to == node).for_each(|link| link.slow_down(delay));
    }

    /// The connections between two nodes are reset.
    ///
    /// # Errors
    /// When there is no such link.
    pub fn reset(&self, from: u64, to: u64) -> anyhow::Result<()> {
        self.links.get(&(from, to)).context("two members")?.reset();
        Ok(())
    }

    /// Everybody reaches everybody at once.
    pub fn heal(&self) {
        self.links.values().for_each(Link::heal);
    }
}
