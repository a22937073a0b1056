//! Tests of consensus as a whole: openraft's own suite on our stores, crashes of the log, and clusters over loopback.

mod cluster;
mod crash;
mod dialogue;
mod flushes;
mod golden;
mod log_durability;
mod reads;
mod suite;
pub(crate) mod support;
