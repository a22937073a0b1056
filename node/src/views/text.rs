//! Indexes of words beside the views: made and brought up to date away from the threads that apply and answer, in namespaces whose
//! queries ask for words.
//!
//! It knows tables and when to look, not what an index is (`muster_query::text`). Invariants:
//! - Nobody waits for an index: a query that finds none, or one that is too old, looks at the texts themselves and is as exact.
//! - Where nobody asks nothing is made. The memory of all indexes is bounded; what was not asked for lately gives way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_query::text::{Limits, Work};
use tokio::sync::Notify;

use super::Views;
use crate::tasks::{self, StopSignal};

/// Between two looks at what is asked for.
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes that all indexes of a node may take.
const BYTES_MAX: usize = 512 << 20;
/// Looks after which the indexes of a namespace that nobody asked give way.
const LOOKS_HELD: u64 = 300;

/// Namespaces whose queries asked for words since the last look.
#[derive(Default)]
pub(super) struct Asked {
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Default)]
struct State {
    asked: BTreeSet<Arc<str>>,
    /// Namespaces with indexes, and the look at which somebody had asked last.
    held: BTreeMap<Arc<str>, u64>,
    look: u64,
}

/// Makes what queries ask for until the node stops.
pub(crate) fn keep_words(views: &Arc<Views>, stop: StopSignal) {
    let views = Arc::clone(views);
    tasks::spawn("words", async move {
        loop {
            tokio::select! {
                () = views.words.notify.notified() => {}
                () = stop.clone().stopped() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.clone().stopped() => return,
            }
            let (views, stop) = (Arc::clone(&views), stop.clone());
            tasks::blocking(move || views.make_words(&|| stop.is_stopped())).await;
        }
    });
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Views {
    /// Tells that a query of a namespace asked for words.
    pub(crate) fn ask_words(&self, namespace: &Arc<str>) {
        self.words.lock().asked.insert(Arc::clone(namespace));
        self.words.notify.notify_one();
    }

    /// Makes what was asked for since the last time.
    fn make_words(&self, is_stopped: &dyn Fn() -> bool) {
        let asked = {
            let mut state = self.words.lock();
            state.look += 1;
            std::mem::take(&mut state.asked)
        };
        for namespace in asked {
            let held = self.give_way(&namespace);
            let limits = Limits::default();
            let limits = Limits { bytes_max: limits.bytes_max.min(BYTES_MAX.saturating_sub(held)), ..limits };
            for work in self.word_work(&namespace, &limits) {
                if is_stopped() {
                    return;
                }
                run(&namespace, work);
            }
        }
    }

    /// Bytes that the indexes of other namespaces take, after those that nobody asked for a while are gone if they take much.
    fn give_way(&self, namespace: &Arc<str>) -> usize {
        let (held, look) = {
            let mut state = self.words.lock();
            let look = state.look;
            state.held.insert(Arc::clone(namespace), look);
            (state.held.clone(), look)
        };
        let mut bytes = 0;
        for (other, last) in held.iter().filter(|(other, _)| *other != namespace) {
            let mut of = self.words_bytes(other);
            if of > 0 && last + LOOKS_HELD < look && bytes + of > BYTES_MAX / 4 {
                drop(self.word_work(other, &Limits { indexes_max: 0, ..Limits::default() }));
                of = self.words_bytes(other);
            }
            if of == 0 {
                self.words.lock().held.remove(other);
            }
            bytes += of;
        }
        bytes
    }

    fn words_bytes(&self, namespace: &str) -> usize {
        self.lock().namespaces.words_bytes(namespace)
    }

    /// Work on the indexes of the tables of a namespace; the limits are those of each of the tables.
    fn word_work(&self, namespace: &str, limits: &Limits) -> Vec<Work> {
        let mut inner = self.lock();
        let tables = inner.namespaces.of_mut(namespace).into_iter().flatten();
        tables.flat_map(|table| table.word_work(limits)).collect()
    }
}

fn run(namespace: &str, work: Work) {
    let start = crate::raft::now();
    match work.run() {
        Ok(made) => {
            metrics::histogram!("muster_views_words_seconds").record(start.elapsed());
            if made.changed.is_none() {
                let (texts, bytes) = (made.texts, made.memory_bytes);
                tracing::info!(namespace, texts, bytes, took = ?start.elapsed(), "an index of words was made");
            }
        }
        Err(error) => {
            tracing::warn!(namespace, error = &error as &dyn std::error::Error, "queries look at all texts");
        }
    }
}

#[cfg(test)]
mod tests;
