//! How much of everything a run may contain, so that the states can be counted. Each field is used up by what it allows.

/// What may still happen that the protocol does not do by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Bounds {
    /// Operations that the applications at each machine queue.
    pub operations: [u8; 3],
    /// Streams that break, by the network, a crash of the edge, or a crash of the node (which forgets what it proposed).
    pub breaks: u8,
    /// Copies of the first edge's store onto a third machine: a cloned disk, a backup put back.
    pub copies: u8,
    /// Times that the first machine gets a new, empty store.
    pub resets: u8,
    /// Times that the first edge is deleted and made anew.
    pub deletions: u8,
    /// Times that the first item goes to the other edge, or back.
    pub moves: u8,
    /// The same by a change of a site, for either item: the item's own revision stays.
    pub site_changes: u8,
    /// Changes of either item by somebody in the cloud.
    pub changes: u8,
    /// Operations that a full queue drops.
    pub drops: u8,
    /// Whether the second edge takes part.
    pub second_edge: bool,
    /// Whether items go down.
    pub down: bool,
}

impl Bounds {
    /// More sessions than this are not explained by what went wrong: somebody goes round in circles.
    #[must_use]
    pub fn sessions_max(&self) -> u8 {
        2 + 2 * (self.breaks + self.copies + self.resets + self.deletions)
    }
}
