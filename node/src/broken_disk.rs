//! Ends the process on a broken disk, for those that answer callers and therefore do not know consensus, whose rule it is.
//!
//! It does not decide what counts as broken (`store::broken`), nor how the process ends (`raft::FatalHandler`).

use std::error::Error;

use crate::raft::{ExitProcess, FatalHandler};

/// For those who could go on without what failed: ends the process when it failed because the disk is broken.
pub(crate) fn end_if_met(what: &str, error: &(dyn Error + 'static)) {
    ExitProcess.end_if_broken(what, error);
}
