//! Named bounds: what each run of the model puts together. Small ones for every day, and larger ones for a night.

use crate::Bounds;

/// A name, and what may happen.
pub type Configuration = (&'static str, Bounds);

/// Those that are visited whole in seconds.
#[must_use]
pub fn small() -> Vec<Configuration> {
    vec![
        ("one edge", Bounds { moves: 2, ..up([4, 0, 0], 3) }),
        ("a full queue", Bounds { drops: 2, moves: 1, ..up([4, 0, 0], 2) }),
        ("a copy", Bounds { copies: 1, ..up([2, 0, 1], 2) }),
        ("a new store", Bounds { resets: 2, ..up([2, 0, 0], 3) }),
        ("an old store", Bounds { copies: 1, resets: 1, ..up([1, 0, 1], 1) }),
        ("an edge made anew", Bounds { deletions: 1, resets: 1, ..up([2, 0, 0], 2) }),
        ("two edges", Bounds { moves: 2, second_edge: true, ..up([2, 1, 0], 2) }),
        ("down", Bounds { changes: 1, site_changes: 2, moves: 1, down: true, ..up([0, 0, 0], 2) }),
        ("up and down", Bounds { changes: 1, site_changes: 1, down: true, ..up([2, 0, 0], 1) }),
    ]
}

/// The same with more of everything: minutes, and some gigabytes of memory.
#[must_use]
pub fn large() -> Vec<Configuration> {
    vec![
        ("one edge", Bounds { moves: 2, ..up([5, 0, 0], 4) }),
        ("a full queue", Bounds { drops: 3, moves: 1, ..up([5, 0, 0], 3) }),
        ("a copy", Bounds { copies: 1, moves: 1, ..up([2, 0, 2], 2) }),
        ("a new store", Bounds { resets: 2, ..up([3, 0, 0], 3) }),
        ("an old store", Bounds { copies: 1, resets: 1, ..up([2, 0, 1], 2) }),
        ("an edge made anew", Bounds { deletions: 2, resets: 1, ..up([3, 0, 0], 3) }),
        ("two edges", Bounds { moves: 3, second_edge: true, ..up([2, 2, 0], 2) }),
        ("down", Bounds { changes: 2, site_changes: 2, moves: 1, down: true, ..up([0, 0, 0], 3) }),
        ("up and down", Bounds { changes: 1, site_changes: 1, moves: 1, down: true, ..up([2, 0, 0], 1) }),
    ]
}

fn up(operations: [u8; 3], breaks: u8) -> Bounds {
    Bounds { operations, breaks, ..Bounds::default() }
}
