//! Stands in for `std` when the node's own sources are compiled for the simulation (`extern crate muster_sim_std as std`).
//!
//! | module | in place of |
//! | --- | --- |
//! | `fs`, `os::unix::fs` | files: they lie on the simulated [`disk`]s below `/sim/` |
//! | `thread`, `sync` | threads, and what they wait for: see [`baton`] |
//! | everything else | is `std`'s own |
//!
//! It knows nothing of Muster. Invariants:
//! - Exactly one thread runs at any moment, and which one runs next depends on nothing but the seed.
//! - What happens on a disk or to a thread goes into the [`trace`], so that two runs of a seed can be compared.

pub use ::std::*;

pub mod baton;
pub mod chance;
pub mod disk;
pub mod fs;
pub mod sync;
pub mod thread;
pub mod trace;

/// As `std::os`, with the files of `fs`.
pub mod os {
    pub use ::std::os::*;

    /// As `std::os::unix`.
    pub mod unix {
        pub use ::std::os::unix::*;

        /// As `std::os::unix::fs`.
        pub mod fs {
            pub use ::std::os::unix::fs::*;

            pub use crate::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
        }
    }
}
