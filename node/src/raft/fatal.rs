//! What happens when the node must not go on: a failed sync, a storage error, a log that lost entries.
//!
//! A node that continued would answer differently from its peers or forget what it promised; so it ends. This file
//! does not decide what is fatal, but for one thing: a broken disk is, whatever met it (`store::broken`).

use std::error::Error;

use crate::store::broken;
use crate::tasks;

/// Ends the node, or, in tests, records that it would have ended.
pub trait FatalHandler: Send + Sync + 'static {
    /// Called with what was being done and why it failed. May return only in tests.
    fn fatal(&self, what: &str, error: &(dyn Error + 'static));

    /// For those who could go on without what failed: ends the node when it failed because the disk is broken.
    fn end_if_broken(&self, what: &str, error: &(dyn Error + 'static)) {
        if broken::is_broken(error) {
            self.fatal(what, error);
        }
    }
}

/// Logs the whole chain of causes and ends the process with [`tasks::EXIT_STORAGE`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ExitProcess;

impl FatalHandler for ExitProcess {
    fn fatal(&self, what: &str, error: &(dyn Error + 'static)) {
        tasks::die(tasks::EXIT_STORAGE, &format!("{what}: {}", chain(error)));
    }
}

/// An error and everything that caused it, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
