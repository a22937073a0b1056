//! What breaks, and how it is broken: one file per kind. Nothing here decides when.

pub mod disk;
pub mod network;
