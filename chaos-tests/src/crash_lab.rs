//! The crash lab: what a node makes of everything that its disk may hold after a crash, and of damage.
//!
//! ```text
//! record.rs    real nodes under load, each change of their files written down by the preloaded `crash-shim`
//!     │        and each acknowledgement, with how far the recordings had come
//!     ▼
//! recording.rs ─▶ disk.rs ─▶ image.rs ─▶ rehearse.rs ─▶ judge.rs
//! operations      what is      one legal     `musterd        is everything there that was acknowledged, is the vote
//! in order        durable      outcome       rehearse`       not forgotten, does nothing contradict itself?
//!
//! damage.rs    bits flipped, blocks zeroed, files cut or gone, of nodes that stopped in order: noticed, or harmless?
//! power.rs     ext4 on loop mounts, shut down under all nodes at once: the same promises, without any model
//! ```
//!
//! `run.rs` drives it for `muster-crash` (`cargo xtask crash`) and for the short form among the tests. Every image has
//! a name that says how it is made again from its recording.

pub mod acknowledged;
pub mod damage;
pub mod disk;
pub mod folders;
pub mod image;
pub mod judge;
pub mod power;
pub mod record;
pub mod recording;
pub mod rehearse;
pub mod run;
