//! One file per promise. Each check fails with a sentence that says what was promised and what was found.

pub mod acked_writes_survive;
pub mod chains_agree;
pub mod replicas_agree;
