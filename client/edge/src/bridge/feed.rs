//! Which resources changed, each named once however often it did: what a bridge works off at its own pace.
//!
//! It holds names, not resources: who takes a name reads the newest state of it. A feed begins with everything being due.
//!
//! - No mark is missed: one that was forgotten before it was heard, or more names than are worth keeping, make everything
//!   due again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::published::{Marked, Published};

/// Names beyond which looking at everything is cheaper.
const NAMES_MAX: usize = 65_536;

/// What has to be looked at.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Due {
    /// All that is held, and all that the bridge has told of.
    pub(crate) everything: bool,
    pub(crate) names: BTreeSet<String>,
}

impl Due {
    fn is_empty(&self) -> bool {
        !self.everything && self.names.is_empty()
    }
}

/// See the module.
pub(crate) struct Feed {
    marks: Receiver<Arc<Marked>>,
    due: Due,
}

impl Feed {
    pub(crate) fn open(published: &Published) -> Self {
        Self { marks: published.marks(), due: Due { everything: true, names: BTreeSet::new() } }
    }

    /// Makes everything due: what was taken could not be worked off.
    pub(crate) fn again(&mut self) {
        self.due = Due { everything: true, names: BTreeSet::new() };
    }

    /// Waits until something is due. What was not taken yet stays due when the wait is given up.
    pub(crate) async fn wait(&mut self) {
        while self.due.is_empty() {
            match self.marks.recv().await {
                Ok(marked) => self.note(&marked),
                Err(RecvError::Lagged(_)) => self.again(),
                // The keeper is gone, and the agent with it.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// What is due, up to the newest mark.
    pub(crate) fn take(&mut self) -> Due {
        loop {
            match self.marks.try_recv() {
                Ok(marked) => self.note(&marked),
                Err(TryRecvError::Lagged(_)) => self.again(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return std::mem::take(&mut self.due),
            }
        }
    }

    fn note(&mut self, marked: &Marked) {
        if self.due.everything {
            return;
        }
        self.due.names.extend(marked.changes.iter().map(|changed| changed.name.clone()));
        if self.due.names.len() > NAMES_MAX {
            self.again();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::{Changed, Now};

    fn tell(published: &Published, revision: u64, names: impl Iterator<Item = String>) {
        let changes = names.map(|name| Changed { name, revision, before: None, after: None }).collect();
        published.tell(Marked { previous: revision - 1, revision, changes });
    }

    fn named(names: &[&str]) -> Due {
        Due { everything: false, names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[tokio::test]
    async fn what_changed_many_times_is_due_once() {
        let published = Published::new(Now::default());
        let mut feed = Feed::open(&published);
        feed.wait().await;
        assert_eq!(feed.take(), Due { everything: true, ..Due::default() });
        for revision in 1..=100 {
            tell(&published, revision, ["a", "b"].into_iter().map(str::to_owned));
        }
        feed.wait().await;
        assert_eq!(feed.take(), named(&["a", "b"]));
        assert_eq!(feed.take(), Due::default(), "nothing is due twice");
    }

    #[tokio::test]
    async fn what_could_not_be_heard_makes_everything_due() {
        let published = Published::new(Now::default());
        let mut feed = Feed::open(&published);
        feed.take();
        for revision in 1..=2_000 {
            tell(&published, revision, std::iter::once(format!("n{revision}")));
        }
        assert!(feed.take().everything, "marks were forgotten");
        for revision in 2_001..=2_003 {
            tell(&published, revision, (0..40_000).map(|number| format!("r{revision}-{number}")));
        }
        assert_eq!(feed.take(), Due { everything: true, ..Due::default() }, "too many names");
        feed.again();
        feed.wait().await;
        assert!(feed.take().everything);
    }
}
