//! Which endpoint a call goes to: the one that worked last, until it fails; then the next in the list.
//!
//! It knows addresses and channels and no calls. Channels connect when first used and reconnect by themselves. One that was
//! left is not used again: it may be silent without knowing it, and whoever comes back would wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tonic::transport::Channel;

/// Endpoints a client keeps at most, learned ones included.
const ENDPOINTS_MAX: usize = 64;

/// An address with its channel.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) channel: Channel,
}

/// The list, and which of it is preferred.
#[derive(Debug)]
pub(crate) struct Endpoints {
    nodes: RwLock<Vec<Arc<Node>>>,
    preferred: AtomicUsize,
}

impl Endpoints {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes: RwLock::new(nodes.into_iter().map(Arc::new).collect()), preferred: AtomicUsize::new(0) }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The endpoint to ask now. There is always one: a client is not made without.
    pub(crate) fn preferred(&self) -> Arc<Node> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&nodes[self.preferred.load(Ordering::Relaxed) % nodes.len()])
    }

    /// Moves on from `failed`, unless another call did so already; whoever comes back gets another channel.
    pub(crate) fn leave(&self, failed: &Node, anew: impl FnOnce() -> Option<Channel>) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let count = nodes.len();
        // Of calls that fail together the first one finds its channel here.
        let Some(place) = nodes.iter().position(|node| std::ptr::eq(&raw const **node, failed)) else { return };
        if let Some(channel) = anew() {
            nodes[place] = Arc::new(Node { address: failed.address.clone(), channel });
        }
        if self.preferred.load(Ordering::Relaxed) % count == place {
            self.preferred.store((place + 1) % count, Ordering::Relaxed);
        }
    }

    /// Whether `address` may still be added.
    pub(crate) fn lacks(&self, address: &str) -> bool {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.len() < ENDPOINTS_MAX && !nodes.iter().any(|node| node.address == address)
    }

    /// Adds an endpoint at the end.
    pub(crate) fn add(&self, node: Node) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(node));
    }

    /// All addresses in order.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.iter().map(|node| node.address.clone()).collect()
    }
}
