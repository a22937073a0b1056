//! Named bounds: what each run of the model puts together. Small ones for every day, and larger ones for a night.

use crate::Bounds;

/// A name, and what may happen.
pub type Configuration = (&'static str, Bounds);

/// Those that are visited whole in seconds.
#[must_use]
pub fn small() -> Vec<Configuration> {
    let up = |operations, breaks| Bounds { operations, breaks, ..Bounds::default() };
    vec![
        ("one edge", Bounds { moves: 1, ..up([3, 0, 0], 2) }),
        ("a full queue", Bounds { drops: 2, ..up([3, 0, 0], 1) }),
        ("a copy", Bounds { copies: 1, ..up([2, 0, 1], 2) }),
        ("a new store", Bounds { resets: 1, ..up([2, 0, 0], 2) }),
        ("an old store", Bounds { copies: 1, resets: 1, ..up([1, 0, 1], 1) }),
        ("an edge made anew", Bounds { deletions: 1, resets: 1, ..up([2, 0, 0], 1) }),
        ("two edges", Bounds { moves: 2, second_edge: true, ..up([1, 1, 0], 1) }),
        ("down", Bounds { changes: 1, site_changes: 2, down: true, ..up([0, 0, 0], 2) }),
        ("up and down", Bounds { changes: 1, site_changes: 1, down: true, ..up([1, 0, 0], 1) }),
    ]
}

/// The same with more of everything: minutes, and some gigabytes of memory.
#[must_use]
pub fn large() -> Vec<Configuration> {
    let up = |operations, breaks| Bounds { operations, breaks, ..Bounds::default() };
    vec![
        ("one edge", Bounds { moves: 2, ..up([4, 0, 0], 3) }),
        ("a full queue", Bounds { drops: 2, moves: 1, ..up([4, 0, 0], 2) }),
        ("a copy", Bounds { copies: 1, ..up([2, 0, 2], 2) }),
        ("a new store", Bounds { resets: 2, ..up([2, 0, 0], 2) }),
        ("an old store", Bounds { copies: 1, resets: 1, ..up([2, 0, 1], 2) }),
        ("an edge made anew", Bounds { deletions: 1, resets: 1, copies: 1, ..up([2, 0, 0], 1) }),
        ("two edges", Bounds { moves: 2, second_edge: true, ..up([2, 1, 0], 2) }),
        ("down", Bounds { changes: 2, site_changes: 2, moves: 1, down: true, ..up([0, 0, 0], 2) }),
        ("up and down", Bounds { changes: 1, site_changes: 1, moves: 1, down: true, ..up([2, 0, 0], 1) }),
    ]
}
