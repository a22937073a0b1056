//! The mark that a removed node leaves in its data directory, so that starting it again says at once what happened.
//!
//! It does not know how a node learns that it was removed (`membership/`).

use std::io;
use std::path::Path;

use crate::store::durable;

const FILE: &str = "REMOVED";

/// Leaves the mark; synced.
///
/// # Errors
/// When it cannot be written.
pub fn mark(data_dir: &Path, node_id: u64) -> io::Result<()> {
    let text = format!("# Written once by musterd. Node {node_id} was removed from its cluster.\n");
    durable::replace_file(&data_dir.join(FILE), text.as_bytes())
}

/// Whether the node of this directory was removed.
#[must_use]
pub fn is_marked(data_dir: &Path) -> bool {
    data_dir.join(FILE).exists()
}

/// What happened, and what to do.
#[must_use]
pub fn message(data_dir: &Path, node_id: u64) -> String {
    format!(
        "node {node_id} was removed from the cluster and its id is never used again. To let this machine join anew, delete \
         {} and admit a new node with `muster cluster join`",
        data_dir.display()
    )
}
