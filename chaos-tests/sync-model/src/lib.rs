//! A model of the sync protocol (`proto/muster/v1/sync.md`), small enough that all its states are visited.
//!
//! One cloud, up to three machines with an edge's store (one for each of two edges, and a copy of the first one's store),
//! a stream for each, proposals that take effect late, twice or never. What may go wrong, and how often, is a [`Bounds`];
//! what is checked are the invariants of `sync.md` section 8, by their names. It knows no code of Muster: it checks the
//! rules, and the tests of the code check that the code keeps them. So each rule of the protocol has one place here, which
//! says its section, and most of them can be broken ([`Mutant`]) to see that an invariant notices.
//!
//! - A step of the model is what happens without anything durable or sent in between: there a crash makes no difference.
//! - A stream loses everything after a point, and nothing before it: TCP. What a node proposed for a stream outlives it.
//! - Nothing here depends on time: whatever may happen late happens at every later moment in some run.

mod bounds;
mod cloud;
pub mod configurations;
mod edge;
mod invariants;
mod link;
mod model;
mod mutants;
mod state;
mod steps;

pub use bounds::Bounds;
pub use model::{GOOD_END, SyncModel};
pub use mutants::{Mutant, Rules};
pub use state::State;
pub use steps::Step;
